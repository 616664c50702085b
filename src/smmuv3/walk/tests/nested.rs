// SPDX-License-Identifier: GPL-2.0-or-later
//! Stage 1 nested on stage 2.

use super::*;
use crate::smmuv3::spec::pte::S2Pte;
use crate::smmuv3::spec::ste::Ste2;

const IPA: u64 = 0x9_8765_4000;

/// A process in a virtual machine.
struct Guest {
    guest: TestGuest,
    f: Features,
    first: Tables,
    second: Tables,
    ste: Ste,
    cd: Cd,
}

impl Guest {
    fn new(first_granule: u32, second_granule: u32) -> Self {
        let guest = TestGuest::new();
        let first = guest.tables(first_granule, 48);
        // There is no level 0 of 16K tables.
        let second = guest.concatenated_tables(second_granule, 48, u32::from(second_granule == 14));
        let f = Features { oas: AddressSize::Bits48, ..Features::default() };
        let ste = with_stage2(ste_stage1(0, 0, 0, 0), &second, 3);
        Self { guest, f, first, second, ste, cd: cd(&first, 42) }
    }

    /// [`VA`] to [`IPA`] to [`PA`], with pages of 4K.
    fn with_page(first: Pte, second: S2Pte) -> Self {
        let guest = Self::new(12, 12);
        guest.guest.map(&guest.first, VA, IPA, 3, first);
        guest.guest.map2(&guest.second, IPA, PA, 3, second);
        guest.map_tables(s2_rw());
        guest
    }

    /// Stage 1's tables lie where they seem to.
    fn map_tables(&self, attrs: S2Pte) {
        self.guest.map_memory(&self.second, 3, attrs);
    }

    fn map_table(&self, ipa: u64, attrs: S2Pte) {
        self.guest.map2(&self.second, ipa, ipa, 3, attrs);
    }

    fn edit_cd(mut self, change: impl Fn(Cd0) -> Cd0) -> Self {
        self.cd = edit_cd(self.cd, change);
        self
    }

    fn edit_ste(mut self, change: impl Fn(Ste2) -> Ste2) -> Self {
        self.ste = edit_ste2(self.ste, change);
        self
    }

    fn context(&self) -> StreamContext {
        let [a, b, c, d, ..] = self.ste;
        let [e, f, g, h, ..] = self.cd;
        StreamContext { ste: [a, b, c, d], cd: [e, f, g, h] }
    }

    fn watch(&self, va: u64, access: Access) -> (Result<Mapping, Fault>, Updates) {
        walk(&self.guest.mem, &(), &self.f, &self.context(), &request(1, Some(5), va, access))
    }

    fn walk(&self, va: u64, access: Access) -> Result<Mapping, Fault> {
        self.watch(va, access).0
    }

    fn kind(&self, va: u64, access: Access) -> Result<u64, FaultKind> {
        self.walk(va, access).map(|m| m.addr | va & ones(m.log2size.into())).map_err(|fault| fault.kind)
    }

    fn first_at(&self, level: u32) -> u64 {
        self.guest.pte_addr(&self.first, VA, level)
    }

    fn first_pte(&self) -> Pte {
        Pte::from(self.guest.mem.get(self.first_at(3)))
    }

    fn second_pte(&self, ipa: u64) -> S2Pte {
        S2Pte::from(self.guest.mem.get(self.guest.pte_addr(&self.second, ipa, 3)))
    }
}

#[test]
fn the_smaller_of_both_pages() {
    // Granule and level of both stages.
    let sizes = [(12, 3), (12, 2), (12, 1), (14, 3), (14, 2), (16, 3), (16, 2)];
    for (g1, l1) in sizes {
        for (g2, l2) in sizes {
            let g = Guest::new(g1, g2);
            let (log1, log2) = (g.first.shift(l1), g.second.shift(l2));
            let va = 0x5a5a_1234_5678 & ones(48);
            let ipa_base = 0x1234_5678_0000 & !ones(log1);
            let pa_base = 0x4321_0000_0000 & !ones(log2);
            let ipa = ipa_base | va & ones(log1);
            g.guest.map(&g.first, va, ipa_base, l1, user_rw());
            g.guest.map2(&g.second, ipa, pa_base, l2, s2_rw());
            g.map_tables(s2_ro());
            let m = g.walk(va, READ).unwrap_or_else(|e| panic!("{g1} {l1} {g2} {l2}: {e:?}"));
            let smaller = log1.min(log2);
            assert_eq!(u32::from(m.log2size), smaller);
            assert_eq!(m.addr & ones(smaller), 0);
            assert_eq!(m.intermediate, ipa & !ones(smaller));
            assert_eq!(m.addr | va & ones(smaller), pa_base | ipa & ones(log2));
            // What invalidations by input address name.
            assert_eq!((u32::from(m.level), u32::from(m.granule_log2)), (l1, g1));
            assert_eq!(u32::from(m.leaf_log2size), log1);
        }
    }
}

#[test]
fn every_descriptor_costs_a_walk() {
    let g = Guest::with_page(user_rw(), s2_rw());
    let before = g.guest.mem.reads();
    assert_eq!(g.kind(VA + 0x123, READ), Ok(PA + 0x123));
    assert_eq!(g.guest.mem.reads() - before, 24);
}

#[test]
fn where_a_table_lies_is_stage_2s_to_say() {
    for level in 0..=3 {
        let g = Guest::with_page(user_rw(), s2_rw()).edit_cd(|c| c.with_s(1)).edit_ste(|s| s.with_s2s(0));
        let at = g.first_at(level);
        let expected = |kind, stage2| (kind, FaultClass::TableDescriptor, stage2, FaultAction::Abort, true);
        let seen = |g: &Guest| {
            let f = g.walk(VA, WRITE).unwrap_err();
            ((f.kind, f.class, f.stage2, f.action, f.record), f.ipa, f.fetch_addr, f.table_read)
        };
        g.guest.unmap(&g.second, at, 3);
        assert_eq!(seen(&g), (expected(FaultKind::Translation, true), at, 0, true));
        g.map_table(at, s2_rw().with_s2ap0(0));
        assert_eq!(seen(&g), (expected(FaultKind::Permission, true), at, 0, true));
        g.map_table(at, s2_rw().with_af(0));
        assert_eq!(seen(&g), (expected(FaultKind::AccessFlag, true), at, 0, true));
        // Readable is enough, and not executable.
        g.map_table(at, s2_ro().with_xn1(1));
        assert_eq!(g.kind(VA, WRITE), Ok(PA));
        // Elsewhere, and there it is no memory.
        let elsewhere = 0x7_0000_0000;
        g.guest.map2(&g.second, at, elsewhere, 3, s2_rw());
        g.guest.mem.put(elsewhere | at & 0xfff, g.guest.mem.get(at));
        assert_eq!(g.kind(VA, WRITE), Ok(PA));
        g.guest.mem.hole(elsewhere..elsewhere + 0x1000);
        assert_eq!(seen(&g), (expected(FaultKind::WalkAbort, false), 0, elsewhere | at & 0xfff, false));
        let s2_at = g.guest.pte_addr(&g.second, at, 3);
        g.guest.mem.hole(s2_at..s2_at + 8);
        assert_eq!(seen(&g), (expected(FaultKind::WalkAbort, true), at, s2_at, true));
        // What stalls is stage 2's, whatever the CD wants.
        let g = Guest::with_page(user_rw(), s2_rw()).edit_ste(|s| s.with_s2s(1));
        g.guest.unmap(&g.second, g.first_at(level), 3);
        assert_eq!(g.walk(VA, WRITE).unwrap_err().action, FaultAction::Stall);
    }
}

#[test]
fn tables_are_not_device_memory_if_the_ste_says_so() {
    for ptw in [0, 1] {
        let g = Guest::with_page(user_rw(), s2_rw().with_memattr(1)).edit_ste(|s| s.with_s2ptw(ptw));
        assert_eq!(g.kind(VA, READ), Ok(PA), "the transaction itself may go to a device");
        g.map_table(g.first_at(2), s2_rw().with_memattr(1));
        assert_eq!(g.kind(VA, READ), if ptw == 1 { Err(FaultKind::Permission) } else { Ok(PA) });
    }
}

#[test]
fn the_output_of_stage_1_is_the_input_of_stage_2() {
    let g = Guest::with_page(user_rw(), s2_rw());
    g.guest.unmap(&g.second, IPA, 3);
    let f = g.walk(VA + 0x123, READ).unwrap_err();
    assert_eq!(
        (f.kind, f.class, f.stage2, f.ipa),
        (FaultKind::Translation, FaultClass::Input, true, IPA + 0x123)
    );
    assert_eq!((f.request.addr, f.substream), (VA + 0x123, Some(5)));
    // Too large for the tables of stage 2, but not for stage 1.
    let mut g = Guest::with_page(user_rw(), s2_rw());
    g.guest.map(&g.first, VA, 0x8000_0000_0000, 3, user_rw());
    let second = g.guest.tables(12, 40);
    g.guest.map_memory(&second, 3, s2_rw());
    g.ste = with_stage2(ste_stage1(0, 0, 0, 0), &second, 3);
    let f = g.walk(VA, READ).unwrap_err();
    assert_eq!((f.kind, f.stage2, f.ipa), (FaultKind::Translation, true, 0x8000_0000_0000));
    // Too large for stage 1.
    let g = g.edit_cd(|c| c.with_ips(4));
    let f = g.walk(VA, READ).unwrap_err();
    assert_eq!((f.kind, f.stage2, f.ipa), (FaultKind::AddressSize, false, 0));
}

#[test]
fn stage_1_refuses_first() {
    for (first, second, write) in [
        (user_rw(), s2_rw(), Ok(())),
        (user_ro(), s2_rw(), Err(false)),
        (user_rw(), s2_ro(), Err(true)),
        (user_ro(), s2_ro(), Err(false)),
    ] {
        let g = Guest::with_page(first, second);
        let stage = g.walk(VA, WRITE).map(|_| ()).map_err(|f| {
            assert_eq!((f.kind, f.class), (FaultKind::Permission, FaultClass::Input));
            f.stage2
        });
        assert_eq!(stage, write);
        let m = g.walk(VA, READ).unwrap();
        let cached = check(m.perms, &g.f, &g.context(), WRITE).map(|_| ());
        let refusal = |stage2: bool| Refusal::Permission(if stage2 { Stage::Second } else { Stage::First });
        assert_eq!(cached, write.map_err(refusal));
        assert_eq!(check(m.perms, &g.f, &g.context(), READ).unwrap().write, write.is_ok());
    }
    // The C model's defect S5: what is told to caches outside was stage 1's alone.
    let g = Guest::with_page(user_rw().with_uxn(0), s2_ro().with_xn1(1));
    let granted = check(g.walk(VA, READ).unwrap().perms, &g.f, &g.context(), READ).unwrap();
    assert_eq!(granted, Permissions { read: true, write: false, exec: false });
}

/// `IHI0070 §3.13.5`: an update of a stage 1 descriptor is a write.
#[test]
fn updates_of_stage_1_need_a_writable_table() {
    for (page, access) in [(user_rw().with_af(0), READ), (user_clean(), WRITE)] {
        let httu = |g: Guest| g.edit_cd(|c| c.with_ha(1).with_hd(1));
        let g = httu(Guest::with_page(page, s2_rw()));
        let (result, updates) = g.watch(VA, access);
        assert!(result.is_ok());
        assert_eq!((updates.accessed, updates.dirtied), (access == READ, access == WRITE));
        assert_eq!((g.first_pte().af(), g.first_pte().ap2()), (1, 0));

        let g = httu(Guest::with_page(page, s2_rw()));
        let before = g.first_pte();
        let at = g.first_at(3);
        g.map_table(at, s2_ro());
        let f = g.walk(VA, access).unwrap_err();
        assert_eq!((f.kind, f.class, f.stage2), (FaultKind::Permission, FaultClass::TableDescriptor, true));
        assert_eq!((f.ipa, f.table_read, g.first_pte()), (at, false, before));

        // The table's page becomes dirty with it.
        let g = httu(Guest::with_page(page, s2_rw())).edit_ste(|s| s.with_s2ha(1).with_s2hd(1));
        g.map_table(at, s2_clean().with_af(0));
        assert!(g.walk(VA, access).is_ok());
        assert_eq!((g.second_pte(at).s2ap1(), g.second_pte(at).af()), (1, 1));
        assert_eq!((g.first_pte().af(), g.first_pte().ap2()), (1, 0));
    }
}

#[test]
fn reads_of_tables_leave_them_clean() {
    let g = Guest::with_page(user_rw(), s2_clean()).edit_ste(|s| s.with_s2ha(1).with_s2hd(1));
    g.map_tables(s2_clean().with_af(0));
    g.guest.map2(&g.second, IPA, PA, 3, s2_clean().with_af(0));
    let m = g.walk(VA, READ).unwrap();
    assert!(m.perms.is_clean());
    for level in 0..=3 {
        let pte = g.second_pte(g.first_at(level));
        assert_eq!((pte.af(), pte.s2ap1()), (1, 0), "level {level}");
    }
    assert_eq!((g.second_pte(IPA).af(), g.second_pte(IPA).s2ap1()), (1, 0));
    let m = g.walk(VA, WRITE).unwrap();
    assert!(!m.perms.is_clean() && g.second_pte(IPA).s2ap1() == 1);
}

#[test]
fn a_page_is_clean_while_either_stage_says_so() {
    for (first, second, clean) in [
        (user_rw(), s2_rw(), false),
        (user_clean(), s2_rw(), true),
        (user_rw(), s2_clean(), true),
        (user_clean(), s2_clean(), true),
        (user_clean(), s2_ro(), false),
        (user_ro(), s2_clean(), false),
    ] {
        let g = Guest::with_page(first, second)
            .edit_cd(|c| c.with_ha(1).with_hd(1))
            .edit_ste(|s| s.with_s2ha(1).with_s2hd(1));
        let m = g.walk(VA, READ).unwrap();
        assert_eq!(m.perms.is_clean(), clean);
        let may_write = check(m.perms, &g.f, &g.context(), READ).unwrap().write;
        assert_eq!(may_write, !clean && g.kind(VA, WRITE).is_ok());
        if clean {
            assert_eq!(check(m.perms, &g.f, &g.context(), WRITE), Err(Refusal::Clean));
            let m = g.walk(VA, WRITE).unwrap();
            assert!(check(m.perms, &g.f, &g.context(), READ).unwrap().write);
            assert_eq!((g.first_pte().ap2(), g.second_pte(IPA).s2ap1()), (0, 1));
        }
    }
}

/// Memory whose words have their bytes the other way round.
struct Swapped<'a>(&'a crate::iommu::testing::TestMemory);

impl GuestMemory for Swapped<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
        self.0.read(addr, buf)
    }

    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
        self.0.write(addr, buf)
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        self.0.read_u64(addr).map(u64::swap_bytes)
    }

    fn compare_exchange_u64(
        &self,
        addr: u64,
        current: u64,
        new: u64,
    ) -> Result<Result<(), u64>, MemoryError> {
        let result = self.0.compare_exchange_u64(addr, current.swap_bytes(), new.swap_bytes())?;
        Ok(result.map_err(u64::swap_bytes))
    }
}

/// Either stage, with hardware update and with a race that is lost.
#[test]
fn big_endian_tables() {
    let new = || {
        let g = Guest::with_page(user_clean().with_af(0), s2_clean().with_af(0));
        g.edit_cd(|c| c.with_ha(1).with_hd(1)).edit_ste(|s| s.with_s2ha(1).with_s2hd(1))
    };
    let req = request(1, Some(5), VA + 8, WRITE);
    for race in [false, true] {
        let g = new();
        let expected = walk(&g.guest.mem, &(), &g.f, &g.context(), &req);
        assert!(expected.0.is_ok());
        let g = new().edit_cd(|c| c.with_endi(1)).edit_ste(|s| s.with_s2endi(1));
        if race {
            g.guest.mem.race(g.first_at(3), g.first_pte().with_af(1).bits());
        }
        let swapped = Swapped(&g.guest.mem);
        let (result, _) = walk(&swapped, &(), &g.f, &g.context(), &req);
        assert_eq!(result, expected.0);
        assert_eq!((g.first_pte().ap2(), g.first_pte().af(), g.second_pte(IPA).s2ap1()), (0, 1, 1));
        // One stage alone is not the other's.
        let half = g.edit_ste(|s| s.with_s2endi(0));
        let swapped = Swapped(&half.guest.mem);
        assert!(walk(&swapped, &(), &half.f, &half.context(), &req).0.is_err());
    }
}
