// SPDX-License-Identifier: GPL-2.0-or-later
//! Stage 2 by itself.

use super::*;
use crate::smmuv3::spec::pte::S2Pte;
use crate::smmuv3::spec::ste::{Ste1, Ste2};

const IPA: u64 = 0x34_5678_9000;

/// One virtual machine.
struct Machine {
    guest: TestGuest,
    f: Features,
    tables: Tables,
    ste: Ste,
}

impl Machine {
    fn new(granule_log2: u32, input_bits: u32, saved_levels: u32) -> Self {
        let guest = TestGuest::new();
        let tables = guest.concatenated_tables(granule_log2, input_bits, saved_levels);
        let f = Features { oas: AddressSize::Bits52, ..Features::default() };
        Self { guest, f, ste: with_stage2(Ste::default(), &tables, 3), tables }
    }

    /// 4K, 40 bits from level 1 in two tables, as KVM has it, and one page at [`IPA`].
    fn with_page(attrs: S2Pte) -> Self {
        let machine = Self::new(12, 40, 1);
        machine.guest.map2(&machine.tables, IPA, PA, 3, attrs);
        machine
    }

    fn edit(mut self, change: impl Fn(Ste2) -> Ste2) -> Self {
        self.ste = edit_ste2(self.ste, change);
        self
    }

    fn context(&self) -> StreamContext {
        let [a, b, c, d, ..] = self.ste;
        StreamContext { ste: [a, b, c, d], cd: [0; 4] }
    }

    fn watch(&self, ipa: u64, access: Access) -> (Result<Mapping, Fault>, Updates) {
        walk(&self.guest.mem, &(), &self.f, &self.context(), &request(1, None, ipa, access))
    }

    fn walk(&self, ipa: u64, access: Access) -> Result<Mapping, Fault> {
        self.watch(ipa, access).0
    }

    fn kind(&self, ipa: u64, access: Access) -> Result<u64, FaultKind> {
        self.walk(ipa, access).map(|m| m.addr | ipa & ones(m.log2size.into())).map_err(|fault| fault.kind)
    }

    fn pte(&self) -> S2Pte {
        S2Pte::from(self.guest.mem.get(self.guest.pte_addr(&self.tables, IPA, 3)))
    }
}

#[test]
fn pages_and_blocks_of_every_granule_and_start() {
    // Granule, input bits, levels saved, level, log2 of the size.
    for (granule, input_bits, saved, level, log2size) in [
        (12, 48, 0, 3, 12),
        (12, 48, 0, 1, 30),
        (12, 40, 1, 3, 12),
        (12, 43, 1, 2, 21),
        (12, 40, 1, 1, 30),
        (12, 34, 1, 2, 21),
        (12, 34, 1, 3, 12),
        (14, 48, 1, 3, 14),
        (14, 40, 1, 2, 25),
        (14, 40, 0, 3, 14),
        (14, 29, 1, 3, 14),
        (16, 46, 1, 2, 29),
        (16, 33, 1, 3, 16),
        (16, 48, 0, 1, 42),
        (16, 52, 0, 3, 16),
        (12, 16, 0, 3, 12),
    ] {
        let m = Machine::new(granule, input_bits, saved);
        let ipa = 0xd_1234_5678_9abc & ones(input_bits);
        let pa = 0xffff_ffff_ffff & !ones(log2size);
        m.guest.map2(&m.tables, ipa, pa, level, s2_rw());
        let before = m.guest.mem.reads();
        let mapping = m.walk(ipa, READ).unwrap_or_else(|e| panic!("{granule} {input_bits} {level}: {e:?}"));
        assert_eq!(
            mapping,
            Mapping {
                addr: pa,
                intermediate: ipa & !ones(log2size),
                log2size: log2size as u8,
                level: level as u8,
                granule_log2: granule as u8,
                leaf_log2size: log2size as u8,
                global: false,
                perms: mapping.perms,
                mair: 0,
            }
        );
        assert_eq!(m.guest.mem.reads() - before, u64::from(level - m.tables.root_level() + 1));
        let first = ipa & !ones(log2size);
        assert_eq!(m.kind(first | ones(log2size), READ), Ok(pa | ones(log2size)));
        if log2size < input_bits {
            assert_eq!(m.kind(first ^ 1 << log2size, READ), Err(FaultKind::Translation));
        }
        let past = if input_bits < 52 { FaultKind::Translation } else { FaultKind::AddressSize };
        assert_eq!(m.kind(ipa | 1 << input_bits, READ), Err(past));
    }
}

#[test]
fn every_concatenated_table_is_reached() {
    let m = Machine::new(12, 43, 1);
    assert_eq!(m.tables.root_level(), 1);
    for table in 0..16u64 {
        let ipa = table << 39 | 0x1234_5000;
        m.guest.map2(&m.tables, ipa, table << 20, 3, s2_rw());
        assert_eq!(m.kind(ipa, READ), Ok(table << 20));
    }
}

/// `IHI0070 §3.4`: the address is stage 1's output, though there is no stage 1.
#[test]
fn addresses_beyond_the_intermediate_size() {
    let mut m = Machine::with_page(s2_rw()).edit(|s| s.with_s2s(1).with_s2r(0));
    m.f.oas = AddressSize::Bits44;
    let fault = m.walk(1 << 44, WRITE).unwrap_err();
    assert_eq!((fault.kind, fault.stage2, fault.class), (FaultKind::AddressSize, false, FaultClass::Input));
    assert_eq!((fault.action, fault.record), (FaultAction::Abort, true));
    let fault = m.walk(1 << 43, WRITE).unwrap_err();
    assert_eq!((fault.kind, fault.stage2, fault.ipa), (FaultKind::Translation, true, 1 << 43));
    // Nothing is ignored of an IPA.
    assert_eq!(m.kind(IPA | 1 << 63, READ), Err(FaultKind::AddressSize));
}

#[test]
fn permissions() {
    let all = [READ, WRITE, ATOMIC, FETCH, privileged(READ), privileged(WRITE), privileged(FETCH)];
    for bits in 0..16u64 {
        for xnx in [false, true] {
            let (r, w, xn0, xn1) = (bits & 1, bits >> 1 & 1, bits >> 2 & 1, bits >> 3);
            let mut m = Machine::with_page(s2_rw().with_s2ap0(r).with_s2ap1(w).with_xn0(xn0).with_xn1(xn1));
            m.f.xnx = xnx;
            for access in all {
                let exec_allowed = match (xnx, xn1, xn0, access.privileged) {
                    (false, xn, ..) => xn == 0,
                    (true, 0, 0, _) => true,
                    (true, 0, 1, privileged) => !privileged,
                    (true, 1, 0, _) => false,
                    (true, _, _, privileged) => privileged,
                };
                let allowed = if access.exec {
                    exec_allowed
                } else {
                    (r == 1 || !access.read) && (w == 1 || !access.write)
                };
                let expected = if allowed { Ok(PA) } else { Err(FaultKind::Permission) };
                assert_eq!(m.kind(IPA, access), expected, "{bits:#06b} XNX {xnx} {access:?}");
                if let Ok(mapping) = m.walk(IPA, access) {
                    let granted = check(mapping.perms, &m.f, &m.context(), access).unwrap();
                    // What a fetch reads, it fetches.
                    assert_eq!((granted.read, granted.write), (access.exec || r == 1, w == 1));
                }
            }
            // A probe needs a mapping only; a page that only it sees says what everybody may do.
            let perms = m.walk(IPA, Access::default()).unwrap().perms;
            for access in all {
                let verdict = check(perms, &m.f, &m.context(), access).err();
                let refused = m.kind(IPA, access).is_err();
                assert_eq!(verdict, refused.then_some(Refusal::Permission(Stage::Second)));
            }
        }
    }
}

#[test]
fn overrides_apply_to_stage_2() {
    let mut m = Machine::with_page(s2_rw().with_xn0(1));
    assert_eq!(m.kind(IPA, FETCH), Ok(PA));
    m.ste[1] = Ste1::default().with_privcfg(3).bits();
    assert_eq!(m.kind(IPA, FETCH), Err(FaultKind::Permission));
    m.ste[1] = Ste1::default().with_privcfg(3).with_instcfg(2).bits();
    assert_eq!(m.kind(IPA, FETCH), Ok(PA));
}

#[test]
fn fault_configuration() {
    for (r, s, action, record) in [
        (0, 0, FaultAction::Abort, false),
        (1, 0, FaultAction::Abort, true),
        (0, 1, FaultAction::Stall, true),
        (1, 1, FaultAction::Stall, true),
    ] {
        let m = Machine::with_page(s2_ro()).edit(|ste| ste.with_s2r(r).with_s2s(s));
        for (ipa, access, kind) in
            [(IPA + 0x123, WRITE, FaultKind::Permission), (0x1234, READ, FaultKind::Translation)]
        {
            let fault = m.walk(ipa, access).unwrap_err();
            assert_eq!(
                fault,
                Fault {
                    kind,
                    request: request(1, None, ipa, access),
                    substream: None,
                    class: FaultClass::Input,
                    stage2: true,
                    ipa,
                    fetch_addr: 0,
                    span: 0,
                    table_read: false,
                    action,
                    record,
                    merge: false,
                    privileged: false,
                    instruction: false,
                }
            );
        }
    }
}

#[test]
fn external_aborts_name_the_descriptor() {
    for level in 1..=3 {
        let m = Machine::with_page(s2_rw()).edit(|s| s.with_s2s(1).with_s2r(0));
        let at = m.guest.pte_addr(&m.tables, IPA, level);
        m.guest.mem.hole(at..at + 8);
        let fault = m.walk(IPA, READ).unwrap_err();
        assert_eq!((fault.kind, fault.stage2, fault.class), (FaultKind::WalkAbort, true, FaultClass::Input));
        assert_eq!((fault.fetch_addr, fault.action, fault.record), (at, FaultAction::Abort, true));
    }
}

#[test]
fn output_sizes() {
    let m = Machine::with_page(s2_rw()).edit(|s| s.with_s2ps(2));
    assert_eq!(m.kind(IPA, READ), Err(FaultKind::AddressSize));
    m.guest.map2(&m.tables, IPA, 0xff_ffff_f000, 3, s2_rw());
    assert_eq!(m.kind(IPA, READ), Ok(0xff_ffff_f000));
    let at = m.guest.pte_addr(&m.tables, IPA, 2);
    let table = S2Pte::from(m.guest.mem.get(at));
    m.guest.mem.put(at, table.with_addr_47_12(1 << 28).bits());
    assert_eq!(m.kind(IPA, READ), Err(FaultKind::AddressSize));
    // 52 bits with 64K; the order of faults.
    let m = Machine::new(16, 48, 0).edit(|s| s.with_s2ps(6));
    m.guest.map2(&m.tables, IPA, 0xf_8765_4321_0000, 3, s2_rw());
    assert_eq!(m.kind(IPA & !0xffff, READ), Ok(0xf_8765_4321_0000));
    let m = Machine::with_page(s2_ro().with_af(0));
    assert_eq!(m.kind(IPA, WRITE), Err(FaultKind::AccessFlag));
    let m = m.edit(|s| s.with_s2ps(2));
    assert_eq!(m.kind(IPA, WRITE), Err(FaultKind::AddressSize));
}

#[test]
fn access_flag() {
    for (ha, affd, ok, af) in [(0, 0, false, 0), (0, 1, true, 0), (1, 0, true, 1), (1, 1, true, 1)] {
        let m = Machine::with_page(s2_rw().with_af(0)).edit(|s| s.with_s2ha(ha).with_s2affd(affd));
        let (result, updates) = m.watch(IPA, READ);
        assert_eq!(result.is_ok(), ok);
        assert_eq!((m.pte().af(), updates), (af, Updates { accessed: af == 1, dirtied: false }));
    }
    let m = Machine::with_page(s2_ro().with_af(0)).edit(|s| s.with_s2ha(1));
    assert_eq!(m.kind(IPA, WRITE), Err(FaultKind::Permission));
    assert_eq!(m.pte().af(), 0, "nothing is written for an access that is refused");
}

#[test]
fn dirty_state() {
    for (ha, hd, dbm) in [(0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 0), (1, 1, 1)] {
        let new = || {
            Machine::with_page(s2_ro().with_dbm(dbm).with_af(1 - ha)).edit(|s| s.with_s2ha(ha).with_s2hd(hd))
        };
        let writable = ha & hd & dbm == 1;
        let m = new();
        let mapping = m.walk(IPA, READ).unwrap();
        assert_eq!((mapping.perms.is_clean(), m.pte().s2ap1()), (writable, 0));
        let refusal = check(mapping.perms, &m.f, &m.context(), WRITE).unwrap_err();
        assert_eq!(refusal, if writable { Refusal::Clean } else { Refusal::Permission(Stage::Second) });
        let m = new();
        match m.watch(IPA, WRITE) {
            (Ok(mapping), updates) if writable => {
                assert_eq!(updates, Updates { accessed: true, dirtied: true });
                assert!(!mapping.perms.is_clean());
                assert_eq!((m.pte().s2ap1(), m.pte().dbm(), m.pte().af()), (1, 1, 1));
                assert_eq!(m.guest.mem.updates(), 1);
            }
            (Err(fault), _) if !writable => assert_eq!(fault.kind, FaultKind::Permission),
            other => panic!("S2HA {ha} S2HD {hd} DBM {dbm}: {other:?}"),
        }
    }
}

#[test]
fn lost_races_are_judged_again() {
    let new = || Machine::with_page(s2_clean().with_af(0)).edit(|s| s.with_s2ha(1).with_s2hd(1));
    let race = |m: &Machine, pte: u64| m.guest.mem.race(m.guest.pte_addr(&m.tables, IPA, 3), pte);
    let m = new();
    race(&m, 0);
    assert_eq!(m.kind(IPA, WRITE), Err(FaultKind::Translation));
    let m = new();
    race(&m, m.pte().with_addr_47_12(0x77).bits());
    assert_eq!(m.kind(IPA, WRITE), Ok(0x7_7000));
    let m = new();
    for i in 0..100 {
        race(&m, m.pte().with_addr_47_12(i).bits());
    }
    assert_eq!(m.kind(IPA, READ), Err(FaultKind::WalkAbort));
}
