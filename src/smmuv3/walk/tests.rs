// SPDX-License-Identifier: GPL-2.0-or-later
mod el2;
mod httu;
mod nested;
mod permissions;
mod random;
mod second;

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::iommu::{MemoryError, Permissions};
use crate::smmuv3::spec::cd::{Cd0, Cd1, Cd2};
use crate::smmuv3::spec::pte::Pte;
use crate::smmuv3::spec::ste::{Ste0, config};
use crate::smmuv3::testing::*;

const VA: u64 = 0x1234_5678_9000;
const PA: u64 = 0x8765_4321_0000;

/// One address space.
struct Space {
    guest: TestGuest,
    f: Features,
    tables: Tables,
    cd: Cd,
    ste: Ste,
}

impl Space {
    fn new(granule_log2: u32, input_bits: u32) -> Self {
        let guest = TestGuest::new();
        let tables = guest.tables(granule_log2, input_bits);
        let cd = cd(&tables, 42);
        let f = Features { oas: AddressSize::Bits52, ..Features::default() };
        Self { guest, f, tables, cd, ste: ste_stage1(0, 0, 0, 0) }
    }

    /// A 4K, 48-bit space with one page at [`VA`].
    fn with_page(attrs: Pte) -> Self {
        let space = Self::new(12, 48);
        space.guest.map(&space.tables, VA, PA, 3, attrs);
        space
    }

    fn edit(mut self, change: impl Fn(Cd0) -> Cd0) -> Self {
        self.cd = edit_cd(self.cd, change);
        self
    }

    fn context(&self) -> StreamContext {
        let [a, b, c, d, ..] = self.ste;
        let [e, f, g, h, ..] = self.cd;
        StreamContext { ste: [a, b, c, d], cd: [e, f, g, h] }
    }

    fn walk(&self, va: u64, access: Access) -> Result<Mapping, Fault> {
        self.watch(va, access).0
    }

    fn watch(&self, va: u64, access: Access) -> (Result<Mapping, Fault>, Updates) {
        walk(&self.guest.mem, &(), &self.f, &self.context(), &request(1, Some(5), va, access))
    }

    fn kind(&self, va: u64, access: Access) -> Result<u64, FaultKind> {
        self.walk(va, access).map(|m| m.addr | va & ones(m.log2size.into())).map_err(|fault| fault.kind)
    }

    fn pte(&self) -> Pte {
        Pte::from(self.guest.mem.get(self.pte_addr()))
    }

    fn pte_addr(&self) -> u64 {
        self.guest.pte_addr(&self.tables, VA, 3)
    }
}

#[test]
fn pages_and_blocks_of_every_granule() {
    // Granule, input bits, level, log2 of the size.
    for (granule, input_bits, level, log2size) in [
        (12, 48, 3, 12),
        (12, 48, 2, 21),
        (12, 48, 1, 30),
        (12, 39, 3, 12),
        (12, 25, 3, 12),
        (12, 31, 1, 30),
        (14, 48, 3, 14),
        (14, 48, 2, 25),
        (14, 47, 2, 25),
        (14, 25, 3, 14),
        (16, 48, 3, 16),
        (16, 48, 2, 29),
        (16, 48, 1, 42),
        (16, 52, 3, 16),
        (16, 52, 2, 29),
        (16, 52, 1, 42),
        (16, 42, 2, 29),
        (16, 25, 3, 16),
    ] {
        let s = Space::new(granule, input_bits);
        let va = 0xd_1234_5678_9abc & ones(input_bits);
        let pa = 0xffff_ffff_ffff & !ones(log2size);
        s.guest.map(&s.tables, va, pa, level, user_rw().with_attrindx(1));
        let before = s.guest.mem.reads();
        let m = s.walk(va, READ).unwrap_or_else(|e| panic!("{granule} {input_bits} {level}: {e:?}"));
        assert_eq!(
            m,
            Mapping {
                addr: pa,
                intermediate: pa,
                log2size: log2size as u8,
                level: level as u8,
                granule_log2: granule as u8,
                leaf_log2size: log2size as u8,
                global: false,
                perms: m.perms,
                mair: 0x44,
            }
        );
        assert_eq!(s.guest.mem.reads() - before, u64::from(level - s.tables.root_level() + 1));
        // The ends of the page, and its neighbours.
        let first = va & !ones(log2size);
        assert_eq!(s.kind(first, READ), Ok(pa));
        assert_eq!(s.kind(first | ones(log2size), READ), Ok(pa | ones(log2size)));
        if log2size < input_bits {
            assert_eq!(s.kind(first ^ 1 << log2size, READ), Err(FaultKind::Translation));
        }
    }
}

#[test]
fn blocks_where_there_are_none() {
    for (granule, level, oas, ok) in [
        (12, 0, AddressSize::Bits52, false),
        (14, 0, AddressSize::Bits52, false),
        (14, 1, AddressSize::Bits52, false),
        (16, 1, AddressSize::Bits48, false),
        (16, 1, AddressSize::Bits52, true),
    ] {
        let mut s = Space::new(granule, 48);
        s.f.oas = oas;
        s.guest.map(&s.tables, VA, 0, level, user_rw());
        assert_eq!(s.walk(VA, READ).is_ok(), ok, "granule {granule} level {level} OAS {oas:?}");
    }
    // A last-level descriptor without bit 1 is reserved.
    let s = Space::with_page(user_rw());
    s.guest.mem.put(s.pte_addr(), s.pte().with_table(0).bits());
    assert_eq!(s.kind(VA, READ), Err(FaultKind::Translation));
}

#[test]
fn output_addresses_of_52_bits() {
    let pa = 0xf_8765_4321_0000;
    let mut s = Space::new(16, 48).edit(|c| c.with_ips(6));
    s.guest.map(&s.tables, VA, pa, 3, user_rw());
    assert_eq!(s.kind(VA & !0xffff, READ), Ok(pa));
    // IPS of 48 bits: the address is out of range; an OAS of 48: bits 15:12 are not part of an address.
    s.cd = edit_cd(s.cd, |c| c.with_ips(5));
    assert_eq!(s.kind(VA, READ), Err(FaultKind::AddressSize));
    s.f.oas = AddressSize::Bits48;
    assert_eq!(s.kind(VA & !0xffff, READ), Ok(pa & ones(48)));
    // Next-level tables carry those bits too.
    let s = Space::new(16, 48).edit(|c| c.with_ips(6));
    let high_table = 0x5_0000_0001_0000;
    let table = Pte::default().with_valid(1).with_table(1).with_addr_47_12(0x10).with_addr_51_48(5);
    s.guest.mem.put(s.guest.pte_addr(&s.tables, VA, 2), table.bits());
    let leaf = user_rw().with_valid(1).with_table(1).with_addr_47_12(0x55550);
    s.guest.mem.put(high_table + 8 * (VA >> 16 & 0x1fff), leaf.bits());
    assert_eq!(s.kind(VA & !0xffff, READ), Ok(0x5555_0000));
}

#[test]
fn output_sizes() {
    for (ips, oas, bits) in [
        (0, AddressSize::Bits48, 32),
        (1, AddressSize::Bits48, 36),
        (2, AddressSize::Bits48, 40),
        (3, AddressSize::Bits48, 42),
        (4, AddressSize::Bits48, 44),
        (5, AddressSize::Bits48, 48),
        (6, AddressSize::Bits44, 44),
        (7, AddressSize::Bits40, 40),
    ] {
        let mut s = Space::new(12, 48).edit(|c| c.with_ips(ips));
        s.f.oas = oas;
        s.guest.map(&s.tables, VA, 1 << (bits - 1), 3, user_rw());
        assert_eq!(s.kind(VA & !0xfff, READ), Ok(1 << (bits - 1)));
        if bits < 48 {
            s.guest.map(&s.tables, VA, 1 << bits, 3, user_rw());
            assert_eq!(s.kind(VA, READ), Err(FaultKind::AddressSize));
            // Table descriptors are checked as well.
            let at = s.guest.pte_addr(&s.tables, VA, 2);
            let table = Pte::from(s.guest.mem.get(at));
            s.guest.mem.put(at, table.with_addr_47_12(1 << (bits - 12)).bits());
            assert_eq!(s.kind(VA, READ), Err(FaultKind::AddressSize));
        }
    }
    // An address that is too large comes before a clear access flag, and that before permissions.
    let s = Space::with_page(kernel_rw().with_af(0)).edit(|c| c.with_ips(0));
    assert_eq!(s.kind(VA, READ), Err(FaultKind::AddressSize));
    let s = Space::with_page(kernel_rw().with_af(0));
    assert_eq!(s.kind(VA, READ), Err(FaultKind::AccessFlag));
    let s = Space::with_page(kernel_rw());
    assert_eq!(s.kind(VA, READ), Err(FaultKind::Permission));
}

#[test]
fn both_halves_and_the_gap_between() {
    for granule in [12, 14, 16] {
        for bits in [25u32, 36, 39, 47, 48] {
            let mut s = Space::new(granule, bits);
            let upper = s.guest.tables(granule, bits);
            s.cd = with_upper(s.cd, &upper);
            let page = 1 << granule;
            let last = (1 << bits) - page;
            s.guest.map(&s.tables, 0, 0x1_0000, 3, user_rw());
            s.guest.map(&s.tables, last, 0x2_0000, 3, user_rw());
            s.guest.map(&upper, 0, 0x3_0000, 3, user_rw());
            s.guest.map(&upper, last, 0x4_0000, 3, user_rw());
            let top = u64::MAX << bits;
            for (va, pa) in [(0, 0x1_0000), (last, 0x2_0000), (top, 0x3_0000), (top + last, 0x4_0000)] {
                assert_eq!(s.kind(va, READ), Ok(pa), "{granule} {bits} {va:#x}");
            }
            for va in [1 << bits, top - page, 1 << 55, (1 << 55) - page, 1 << 63, u64::MAX >> 1 & !(page - 1)]
            {
                assert_eq!(s.kind(va, READ), Err(FaultKind::Translation), "{granule} {bits} {va:#x}");
            }
            // A disabled half faults, whatever its tables hold.
            let lower_off = edit_cd(s.cd, |c| c.with_epd0(1));
            s.cd = edit_cd(s.cd, |c| c.with_epd1(1));
            assert_eq!(s.kind(top, READ), Err(FaultKind::Translation));
            assert_eq!(s.kind(0, READ), Ok(0x1_0000));
            s.cd = lower_off;
            assert_eq!(s.kind(0, READ), Err(FaultKind::Translation));
            assert_eq!(s.kind(top, READ), Ok(0x3_0000));
        }
    }
}

/// The C model's defect S2: TTBR1 addresses obeyed TBI0.
#[test]
fn top_byte_ignore_is_per_half() {
    let mut s = Space::new(12, 48);
    let upper = s.guest.tables(12, 48);
    s.cd = with_upper(s.cd, &upper);
    s.guest.map(&s.tables, VA, PA, 3, user_rw());
    s.guest.map(&upper, VA, PA + 0x1000, 3, user_rw());
    let low = VA;
    let high = VA | 0xffff << 48;
    let cd = s.cd;
    for tbi in 0..4u64 {
        s.cd = edit_cd(cd, |c| c.with_tbi0(tbi & 1).with_tbi1(tbi >> 1));
        for tag in [0x00, 0x01, 0x5a, 0xff] {
            let tagged = |va: u64| va & ones(56) | tag << 56;
            let expect = |ok: bool, pa| if ok { Ok(pa) } else { Err(FaultKind::Translation) };
            assert_eq!(s.kind(tagged(low), READ), expect(tbi & 1 != 0 || tag == 0, PA), "{tbi} {tag:#x}");
            assert_eq!(s.kind(tagged(high), READ), expect(tbi & 2 != 0 || tag == 0xff, PA + 0x1000));
            // Bits 55:48 are never ignored.
            assert_eq!(s.kind(tagged(low) | 1 << 48, READ), Err(FaultKind::Translation));
            assert_eq!(s.kind(tagged(high) & !(1 << 54), READ), Err(FaultKind::Translation));
        }
    }
}

#[test]
fn starting_tables_are_aligned_to_their_size() {
    let mut s = Space::with_page(user_rw());
    s.cd[1] = Cd1::from(s.cd[1]).with_ttb0(s.tables.root >> 4 | 0xff).bits();
    assert_eq!(s.kind(VA, READ), Ok(PA));
    // Two entries of 8 bytes with 16K, four with 64K, which are aligned to 64 bytes where addresses have 52 bits.
    for (granule, input_bits, offset, ips, ok) in
        [(14, 48, 0x10, 5, true), (14, 48, 0x10, 6, true), (16, 44, 0x20, 5, true), (16, 44, 0x20, 6, false)]
    {
        let mut s = Space::new(granule, input_bits).edit(|c| c.with_ips(ips));
        let va = VA & ((1 << 42) - 1);
        s.guest.map(&s.tables, va, PA, 3, user_rw());
        let entry = s.guest.mem.get(s.tables.root);
        s.guest.mem.put(s.tables.root, 0);
        s.guest.mem.put(s.tables.root + offset, entry);
        s.cd[1] = Cd1::from(s.cd[1]).with_ttb0((s.tables.root + offset) >> 4).bits();
        assert_eq!(s.walk(va, READ).is_ok(), ok, "{granule} bits, IPS {ips}");
    }
}

#[test]
fn every_invalid_level_is_a_translation_fault() {
    for granule in [12, 14, 16] {
        let s = Space::new(granule, 48);
        for level in (s.tables.root_level()..=3).rev() {
            s.guest.map(&s.tables, VA, PA, 3, user_rw());
            assert!(s.walk(VA, READ).is_ok());
            s.guest.unmap(&s.tables, VA, level);
            let fault = s.walk(VA, READ).unwrap_err();
            assert_eq!((fault.kind, fault.class), (FaultKind::Translation, FaultClass::Input));
            assert_eq!((fault.fetch_addr, fault.ipa, fault.stage2), (0, 0, false));
        }
    }
}

#[test]
fn external_aborts_name_the_descriptor() {
    for level in 0..=3 {
        let s = Space::with_page(user_rw());
        let at = s.guest.pte_addr(&s.tables, VA, level);
        s.guest.mem.hole(at..at + 8);
        // Recorded and aborted even if the CD wants stalls.
        let s = s.edit(|c| c.with_s(1).with_r(0));
        let fault = s.walk(VA, WRITE).unwrap_err();
        assert_eq!(
            fault,
            Fault {
                kind: FaultKind::WalkAbort,
                request: request(1, Some(5), VA, WRITE),
                substream: Some(5),
                class: FaultClass::TableDescriptor,
                stage2: false,
                ipa: 0,
                fetch_addr: at,
                span: 0,
                table_read: false,
                action: FaultAction::Abort,
                record: true,
                merge: false,
                privileged: false,
                instruction: false,
            }
        );
    }
}

#[test]
fn fault_configuration() {
    use FaultAction::{Abort, ReadZeroWriteIgnored, Stall};
    for (a, r, stall, action, record) in [
        (0, 0, 0, ReadZeroWriteIgnored, false),
        (0, 1, 0, ReadZeroWriteIgnored, true),
        (1, 0, 0, Abort, false),
        (1, 1, 0, Abort, true),
        (0, 0, 1, Stall, true),
        (1, 0, 1, Stall, true),
        (0, 1, 1, Stall, true),
        (1, 1, 1, Stall, true),
    ] {
        let s = Space::with_page(user_ro()).edit(|c| c.with_a(a).with_r(r).with_s(stall));
        for (va, access) in [(VA, WRITE), (0, READ), (1 << 50, READ)] {
            let fault = s.walk(va, access).unwrap_err();
            assert_eq!((fault.action, fault.record), (action, record), "ARS {a}{r}{stall}");
            assert_eq!(fault.request.addr, va);
        }
    }
}

#[test]
fn events_carry_the_attributes_after_overrides() {
    let mut s = Space::new(12, 48);
    s.ste = edit_ste1(s.ste, |ste1| ste1.with_privcfg(3).with_instcfg(3));
    let fault = s.walk(VA, READ).unwrap_err();
    assert_eq!((fault.privileged, fault.instruction), (true, true));
    let fault = s.walk(VA, WRITE).unwrap_err();
    assert_eq!((fault.privileged, fault.instruction), (true, false));
}

#[test]
fn global_pages() {
    assert!(Space::with_page(user_rw().with_ng(0)).walk(VA, READ).unwrap().global);
    assert!(!Space::with_page(user_rw()).walk(VA, READ).unwrap().global);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Whatever stands in CD and descriptors: no panic, bounded reads, an output address within range.
    #[test]
    fn arbitrary_words(
        ste1 in any::<u64>(),
        cd in any::<[u64; 4]>(),
        va in any::<u64>(),
        words in proptest::collection::vec(any::<u64>(), 61),
        keep_valid in any::<bool>(),
        access in permissions::any_access(),
        hostile in any::<bool>(),
        oas in 0u64..8,
        size in 16u64..40,
        valid_cd in any::<bool>(),
    ) {
        let mut cd = cd;
        if valid_cd {
            let word = Cd0::from(cd[0]).with_epd0(0).with_epd1(0).with_t0sz(size).with_t1sz(size);
            let (tg0, tg1) = (word.tg0() % 3, word.tg1().max(1));
            cd[0] = word.with_tg0(tg0).with_tg1(tg1).with_tbi0(1).with_tbi1(1).bits();
        }
        let va = if valid_cd { va << 9 & ones(55) >> size | va & 1 << 55 } else { va };
        let va = if va >> 55 != 0 { va | u64::MAX << 24 } else { va };
        let f = Features { oas: AddressSize::from_encoding(oas), ..Features::default() };
        let memory = Noise { words, keep_valid, hostile, reads: 0.into(), updates: 0.into() };
        let ste0 = Ste0::default().with_config(config::S1).bits();
        let context = StreamContext { ste: [ste0, ste1, 0, 0], cd };
        let (result, _) = walk(&memory, &(), &f, &context, &request(0, None, va, access));
        prop_assert!(memory.reads.load(Ordering::Relaxed) <= 4);
        prop_assert!(memory.updates.load(Ordering::Relaxed) <= u64::from(MAX_UPDATES));
        if let Ok(m) = result {
            prop_assert!(context.output_size(&f).contains(m.addr));
            prop_assert!((12..=42).contains(&m.log2size));
            prop_assert_eq!(m.addr & ones(m.log2size.into()), 0);
            prop_assert!(check(m.perms, &f, &context, access).is_ok());
        }
    }
}

/// Memory of which every word is a function of its address, or changes all the time.
struct Noise {
    words: Vec<u64>,
    keep_valid: bool,
    hostile: bool,
    reads: AtomicU64,
    updates: AtomicU64,
}

impl Noise {
    fn word(&self, addr: u64) -> u64 {
        let word = self.words[(addr >> 3) as usize % self.words.len()];
        if self.keep_valid { word & !(0xffff << 32) | 3 } else { word }
    }
}

impl GuestMemory for Noise {
    fn read(&self, addr: u64, _: &mut [u8]) -> Result<(), MemoryError> {
        Err(MemoryError { addr })
    }

    fn write(&self, addr: u64, _: &[u8]) -> Result<(), MemoryError> {
        Err(MemoryError { addr })
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        assert_eq!(addr % 8, 0);
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.word(addr))
    }

    fn compare_exchange_u64(&self, addr: u64, current: u64, _: u64) -> Result<Result<(), u64>, MemoryError> {
        assert_eq!(addr % 8, 0);
        let count = self.updates.fetch_add(1, Ordering::Relaxed);
        // An update never goes with a descriptor that was not read just so.
        Ok(if self.hostile { Err(current ^ (count & 1) << 55) } else { Ok(()) })
    }
}

/// What Linux leaves of a CD when a process ends: valid, but without tables, without stall, unrecorded.
#[test]
fn a_released_address_space_aborts_silently() {
    let s = Space::with_page(user_rw()).edit(|c| c.with_s(1));
    assert!(s.walk(VA, WRITE).is_ok());
    let s = s.edit(|c| c.with_epd0(1).with_s(0).with_r(0).with_t0sz(0).with_tg0(0));
    let fault = s.walk(VA, WRITE).unwrap_err();
    assert_eq!((fault.kind, fault.action, fault.record), (FaultKind::Translation, FaultAction::Abort, false));
}
