// SPDX-License-Identifier: GPL-2.0-or-later
//! Streams with stage 2: which STEs are ILLEGAL, and CDs that lie at IPAs.

use super::*;
use crate::smmuv3::spec::pte::S2Pte;
use crate::smmuv3::spec::ste::{Ste2, Ste3};

type Set = fn(&mut Features);

/// [`Setup`] with an identity-mapped stage 2.
struct Nested {
    s: Setup,
    second: Tables,
}

impl Nested {
    fn new() -> Self {
        let s = Setup::new();
        let second = s.guest.tables(12, 48);
        s.guest.map_memory(&second, 3, s2_rw());
        let nested = Self { s, second };
        nested.use_ste(|ste| ste);
        nested
    }

    fn ste(&self) -> Ste {
        with_stage2(self.s.ste_with(s1dss::TERMINATE), &self.second, 0x77)
    }

    fn use_ste(&self, change: impl Fn(Ste) -> Ste) {
        self.s.ste(&change(self.ste()));
    }

    fn cd_addr(&self) -> u64 {
        self.s.guest.cd_addr(&self.s.contexts, 3)
    }

    fn map(&self, ipa: u64, pa: u64, attrs: S2Pte) {
        self.s.guest.map2(&self.second, ipa, pa, 3, attrs);
    }
}

#[test]
fn what_a_stream_does() {
    let n = Nested::new();
    let context = n.s.ask(Some(3)).unwrap();
    assert_eq!(context.action(), StreamAction::Nested);
    assert_eq!((context.asid(), context.vmid()), (7, 0x77));
    assert_eq!(context.second_stage().table, n.second.root);
    let alone = with_stage2(Ste::default(), &n.second, 0x88);
    n.s.ste(&alone);
    let context = n.s.ask(None).unwrap();
    assert_eq!((context.action(), context.vmid(), context.cd), (StreamAction::SecondStage, 0x88, [0; 4]));
    assert_eq!(n.s.kind(Some(3)), Err(FaultKind::BadSubstreamId), "no stage 1, no substreams");
    // Stage 1 by itself is tagged too, if there is a stage 2 to be had.
    let mut s = n.s;
    s.ste(&edit_ste2(s.ste_with(0), |ste2| ste2.with_s2vmid(0x99)));
    assert_eq!(s.ask(Some(3)).unwrap().vmid(), 0x99);
    s.f.stage2 = false;
    assert_eq!(s.ask(Some(3)).unwrap().vmid(), 0);
}

#[test]
fn default_substreams_keep_stage_2() {
    let n = Nested::new();
    let with = |s1dss: u64| n.use_ste(|ste| edit_ste1(ste, |ste1| ste1.with_s1dss(s1dss)));
    with(s1dss::BYPASS);
    assert_eq!(n.s.kind(None), Ok(StreamAction::SecondStage));
    assert_eq!(n.s.kind(Some(3)), Ok(StreamAction::Nested));
    with(s1dss::SSID0);
    assert_eq!(n.s.kind(None), Ok(StreamAction::Nested));
    with(s1dss::TERMINATE);
    assert_eq!(n.s.kind(None), Err(FaultKind::StreamDisabled));
}

#[test]
fn stages_that_are_not_there() {
    for (stage1, stage2, s1_ok, s2_ok) in [(true, false, true, false), (false, true, false, true)] {
        let mut n = Nested::new();
        (n.s.f.stage1, n.s.f.stage2) = (stage1, stage2);
        assert_eq!(n.s.kind(Some(3)), Err(FaultKind::BadSte));
        n.s.ste(&n.s.ste_with(0));
        assert_eq!(n.s.kind(Some(3)).is_ok(), s1_ok);
        n.s.ste(&with_stage2(Ste::default(), &n.second, 0));
        assert_eq!(n.s.kind(None).is_ok(), s2_ok);
        n.s.ste(&ste_bypass());
        assert_eq!(n.s.kind(None), Ok(StreamAction::Bypass));
    }
}

/// `IHI0070 §5.2.2`, as far as it is about stage 2. Among it S6: the C model ends QEMU where `S2AA64` is 0.
#[test]
fn illegal_stes() {
    type Change = fn(Ste2) -> Ste2;
    let none: Set = |_| ();
    let off: Set = |f| f.stall = StallModel::Off;
    let force: Set = |f| f.stall = StallModel::Force;
    let rows: &[(&str, Set, Change, bool)] = &[
        ("as it is", none, |s| s, true),
        ("VMSAv8-32", none, |s| s.with_s2aa64(0), false),
        ("big-endian", none, |s| s.with_s2endi(1), true),
        ("big-endian, little only", |f| f.big_endian = false, |s| s.with_s2endi(1), false),
        ("S2S", none, |s| s.with_s2s(1), true),
        ("S2S, no stall", off, |s| s.with_s2s(1), false),
        ("no S2S, no stall", off, |s| s, true),
        ("S2S, stall forced", force, |s| s.with_s2s(1), true),
        ("no S2S, stall forced", force, |s| s, false),
        ("S2R=0", none, |s| s.with_s2r(0), true),
        ("S2HA and S2HD", none, |s| s.with_s2ha(1).with_s2hd(1), true),
        ("S2HD alone", none, |s| s.with_s2hd(1), true),
        ("S2HA without HTTU", |f| f.httu = Httu::None, |s| s.with_s2ha(1), false),
        ("S2HD without HTTU", |f| f.httu = Httu::None, |s| s.with_s2hd(1), false),
        ("S2HA only", |f| f.httu = Httu::Access, |s| s.with_s2ha(1), true),
        ("S2HD without dirty state", |f| f.httu = Httu::Access, |s| s.with_s2ha(1).with_s2hd(1), false),
        ("reserved granule", none, |s| s.with_s2tg(3), false),
        ("4K, not there", |f| f.gran4k = false, |s| s, false),
        ("S2PS above OAS is capped", none, |s| s.with_s2ps(6), true),
        ("reserved S2PS is capped", none, |s| s.with_s2ps(7), true),
        ("S2PTW and S2AFFD", none, |s| s.with_s2ptw(1).with_s2affd(1), true),
        ("VMID of 16 bits", none, |s| s.with_s2vmid(0x100), true),
        ("VMID of 16 bits, 8 only", |f| f.vmid16 = false, |s| s.with_s2vmid(0x100), false),
        ("VMID of 8 bits", |f| f.vmid16 = false, |s| s.with_s2vmid(0xff), true),
        ("S2T0SZ 15", none, |s| s.with_s2t0sz(15), false),
        ("S2T0SZ 17 from level 0", none, |s| s.with_s2t0sz(17), true),
        ("S2T0SZ 20 of 44 bits", |f| f.oas = AddressSize::Bits44, |s| s.with_s2t0sz(20), true),
        ("S2T0SZ 19 of 44 bits", |f| f.oas = AddressSize::Bits44, |s| s.with_s2t0sz(19), false),
        ("level 0 of 42 bits", |f| f.oas = AddressSize::Bits42, |s| s.with_s2t0sz(22), false),
    ];
    for (name, features, change, legal) in rows {
        for first in [false, true] {
            let mut n = Nested::new();
            features(&mut n.s.f);
            // The CD wants a stall where stalls are forced; that is not this test's.
            let cd = edit_cd(cd(&n.s.tables, 7), |c| c.with_s(u64::from(n.s.f.stall == StallModel::Force)));
            n.s.guest.set_cd(&n.s.contexts, 3, &cd);
            n.use_ste(|ste| {
                let ste = if first { ste } else { with_stage2(Ste::default(), &n.second, 0x77) };
                edit_ste2(ste, change)
            });
            // A legal one may turn out not to lead to the CD.
            let result = n.s.ask(first.then_some(3)).map_err(|fault| fault.kind);
            assert_eq!(result.err() != Some(FaultKind::BadSte), *legal, "{name}");
        }
    }
    // All of it is IGNORED without stage 2, but for the VMID.
    let mut s = Setup::new();
    s.ste(&edit_ste2(s.ste_with(0), |_| Ste2::from(u64::MAX)));
    assert_eq!(s.kind(Some(3)), Ok(StreamAction::FirstStage));
    s.f.vmid16 = false;
    assert_eq!(s.kind(Some(3)), Err(FaultKind::BadSte));
    let mut bypass = edit_ste2(ste_bypass(), |_| Ste2::from(u64::MAX));
    s.ste(&bypass);
    assert_eq!(s.kind(None), Ok(StreamAction::Bypass));
    bypass[0] = Ste0::from(bypass[0]).with_config(0).bits();
    s.ste(&bypass);
    assert_eq!(s.kind(None), Ok(StreamAction::Abort));
}

/// Every granule, start level and size against the Arm ARM's rules, written out.
#[test]
fn start_levels_and_sizes() {
    // Granule, S2SL0: the level, and the sizes it can resolve with one to sixteen tables.
    type Row = (u64, u64, Option<(u32, u32)>);
    let rows: &[Row] = &[
        (0, 0, Some((22, 34))),
        (0, 1, Some((31, 43))),
        (0, 2, Some((40, 52))),
        (2, 0, Some((15, 29))),
        (2, 1, Some((26, 40))),
        (2, 2, Some((37, 51))),
        (2, 3, None),
        (1, 0, Some((17, 33))),
        (1, 1, Some((30, 46))),
        (1, 2, Some((43, 59))),
        (1, 3, None),
    ];
    for (small_tables, oas) in
        [(false, AddressSize::Bits48), (true, AddressSize::Bits48), (true, AddressSize::Bits52)]
    {
        let mut n = Nested::new();
        n.s.f.small_tables = small_tables;
        n.s.f.oas = oas;
        let mut rows = rows.to_vec();
        rows.push((0, 3, small_tables.then_some((13, 25))));
        for (tg, sl0, range) in rows {
            for t0sz in 0..64u64 {
                let bits = 64 - t0sz as u32;
                let most = if tg == 1 { oas.bits() } else { 48 };
                let least = match (small_tables, tg) {
                    (false, _) => 25,
                    (true, 1) => 17,
                    (true, _) => 16,
                };
                let legal = (least..=most).contains(&bits)
                    && range.is_some_and(|(low, high)| (low..=high).contains(&bits));
                n.use_ste(|ste| edit_ste2(ste, |s| s.with_s2tg(tg).with_s2sl0(sl0).with_s2t0sz(t0sz)));
                let result = n.s.kind(None);
                let expected = if legal { FaultKind::StreamDisabled } else { FaultKind::BadSte };
                assert_eq!(
                    result,
                    Err(expected),
                    "S2TG {tg} S2SL0 {sl0} S2T0SZ {t0sz} {oas:?} {small_tables}"
                );
            }
        }
    }
}

#[test]
fn tables_out_of_range_make_the_ste_illegal() {
    let mut n = Nested::new();
    n.s.f.oas = AddressSize::Bits52;
    let ask = |n: &Nested, ps: u64, tg: u64, table: u64| {
        n.use_ste(|mut ste| {
            ste[3] = Ste3::default().with_s2ttb(table >> 4).bits();
            let sl0 = if tg == 0 { 2 } else { 1 };
            edit_ste2(ste, |s| s.with_s2ps(ps).with_s2tg(tg).with_s2sl0(sl0).with_s2t0sz(20))
        });
        n.s.kind(None) != Err(FaultKind::BadSte)
    };
    assert!(ask(&n, 0, 0, 0xffff_f000));
    assert!(!ask(&n, 0, 0, 1 << 32));
    assert!(ask(&n, 5, 0, 1 << 47) && !ask(&n, 5, 0, 1 << 48));
    assert!(!ask(&n, 6, 0, 1 << 51) && !ask(&n, 6, 2, 1 << 51));
    // 64K, of which level 1 resolves 44 bits.
    n.use_ste(|mut ste| {
        ste[3] = Ste3::default().with_s2ttb(1 << 47).bits();
        edit_ste2(ste, |s| s.with_s2ps(6).with_s2tg(1).with_s2sl0(2).with_s2t0sz(12))
    });
    assert_eq!(n.s.kind(None), Err(FaultKind::StreamDisabled));
}

#[test]
fn contexts_lie_at_ipas() {
    for fmt in [s1fmt::LINEAR, s1fmt::LEAF_4K, s1fmt::LEAF_64K] {
        let s = Setup::new();
        let contexts = s.guest.contexts(12, fmt);
        let ssid = 0xabc;
        s.guest.set_cd(&contexts, ssid, &cd(&s.tables, 9));
        let at = s.guest.cd_addr(&contexts, ssid);
        let second = s.guest.tables(12, 48);
        // The CD table is seen half a gigabyte higher, and what L1CDs point to as well.
        let up = 0x2000_0000;
        let pages = |from: u64, to: u64| {
            for page in (from & !0xfff..=to).step_by(0x1000) {
                s.guest.map2(&second, page + up, page, 3, s2_ro());
            }
        };
        pages(contexts.base, contexts.base + 8);
        if fmt == s1fmt::LINEAR {
            pages(at, at);
        } else {
            let leaf_log2 = if fmt == s1fmt::LEAF_4K { 6 } else { 10 };
            let l1_at = contexts.base + 8 * u64::from(ssid >> leaf_log2);
            let l1 = crate::smmuv3::spec::cd::L1Cd::from(s.guest.mem.get(l1_at));
            s.guest.mem.put(l1_at, l1.with_l2ptr(l1.l2ptr() + (up >> 12)).bits());
            pages(at, at);
            pages(l1_at, l1_at);
        }
        let ste = ste_stage1(contexts.base + up, 12, fmt, s1dss::TERMINATE);
        s.ste(&with_stage2(ste, &second, 1));
        assert_eq!(s.ask(Some(ssid)).unwrap().asid(), 9, "format {fmt}");
        // Nobody asks what the pages are for.
        s.guest.unmap(&second, at + up, 3);
        let fault = s.ask(Some(ssid)).unwrap_err();
        assert_eq!((fault.kind, fault.class), (FaultKind::Translation, FaultClass::Cd), "format {fmt}");
    }
}

#[test]
fn faults_of_stage_2_when_a_context_is_fetched() {
    let n = Nested::new();
    let cd_addr = n.cd_addr();
    let page = cd_addr & !0xfff;
    let at = n.s.guest.pte_addr(&n.second, page, 3);
    let fault = |n: &Nested, change: fn(Ste2) -> Ste2| {
        n.use_ste(|ste| edit_ste2(ste, change));
        n.s.ask(Some(3)).unwrap_err()
    };
    let expected = |kind| Fault {
        class: FaultClass::Cd,
        stage2: true,
        ipa: cd_addr,
        ..config_fault(kind, &request(SID, Some(3), 0x1000, READ))
    };
    n.map(page, page, s2_rw().with_s2ap0(0));
    assert_eq!(fault(&n, |s| s), expected(FaultKind::Permission));
    n.map(page, page, s2_rw().with_af(0));
    assert_eq!(fault(&n, |s| s), expected(FaultKind::AccessFlag));
    n.map(page, 1 << 40, s2_rw());
    assert_eq!(fault(&n, |s| s.with_s2ps(2)), expected(FaultKind::AddressSize));
    n.s.guest.unmap(&n.second, page, 3);
    assert_eq!(fault(&n, |s| s), expected(FaultKind::Translation));
    let silent = fault(&n, |s| s.with_s2r(0));
    assert_eq!((silent.record, silent.action), (false, FaultAction::Abort));
    let stalled = fault(&n, |s| s.with_s2r(0).with_s2s(1));
    assert_eq!((stalled.record, stalled.action), (true, FaultAction::Stall));
    // A descriptor of stage 2 that cannot be read, and a CD that cannot be, at its PA.
    n.map(page, 0x9_0000_0000, s2_rw());
    n.s.guest.mem.hole(0x9_0000_0000..0x9_0000_1000);
    let f = fault(&n, |s| s.with_s2s(1));
    assert_eq!(f.fetch_addr, 0x9_0000_0000 | cd_addr & 0xfff);
    assert_eq!((f.kind, f.stage2, f.action), (FaultKind::CdFetch, false, FaultAction::Abort));
    n.s.guest.mem.hole(at..at + 8);
    let f = fault(&n, |s| s.with_s2s(1).with_s2r(0));
    assert_eq!(f, Fault { fetch_addr: at, ..expected(FaultKind::WalkAbort) });
}

#[test]
fn device_memory_is_no_place_for_contexts() {
    let n = Nested::new();
    let page = n.cd_addr() & !0xfff;
    // MemAttr[3:2] zero is Device; with S2FWB, MemAttr[2].
    for (memattr, device, forced_device) in [
        (0b0000, true, true),
        (0b0011, true, true),
        (0b0101, false, false),
        (0b1011, false, true),
        (0b1111, false, false),
    ] {
        n.map(page, page, s2_rw().with_memattr(memattr));
        for fwb in [0, 1] {
            n.use_ste(|ste| edit_ste1(ste, |s| s.with_s2fwb(fwb)));
            assert!(n.s.ask(Some(3)).is_ok());
            n.use_ste(|ste| edit_ste1(edit_ste2(ste, |s| s.with_s2ptw(1)), |s| s.with_s2fwb(fwb)));
            let refused = if fwb == 1 { forced_device } else { device };
            let expected = if refused { Err(FaultKind::Permission) } else { Ok(()) };
            let result = n.s.ask(Some(3)).map(|_| ()).map_err(|fault| fault.kind);
            assert_eq!(result, expected, "MemAttr {memattr:#06b}, S2FWB {fwb}");
        }
    }
}

/// `IHI0070 §3.13.2`, `§3.13.3.1`: a fetch sets the access flag, and never makes a page dirty.
#[test]
fn fetches_of_contexts_set_the_access_flag() {
    let n = Nested::new();
    let page = n.cd_addr() & !0xfff;
    let pte = || S2Pte::from(n.s.guest.mem.get(n.s.guest.pte_addr(&n.second, page, 3)));
    n.map(page, page, s2_clean().with_af(0));
    n.use_ste(|ste| edit_ste2(ste, |s| s.with_s2ha(1).with_s2hd(1)));
    assert!(n.s.ask(Some(3)).is_ok());
    assert_eq!((pte().af(), pte().s2ap1()), (1, 0));
}
