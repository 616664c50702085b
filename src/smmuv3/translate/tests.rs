// SPDX-License-Identifier: GPL-2.0-or-later
//! For every cache: map, use, change, still old; invalidate, use, new. And the one property, under random
//! histories and under threads.

mod ats;
mod ats_stage2;
mod el2;
mod histories;
mod kept;
mod nested_histories;
mod stage2;
mod threads;

use super::*;
use crate::iommu::testing::TestMemory;
use crate::iommu::{Access, MemoryError};
use crate::smmuv3::fault::FaultAction;
use crate::smmuv3::spec::cd::Cd0;
use crate::smmuv3::spec::ste::{s1dss, s1fmt};
use crate::smmuv3::testing::*;

const SID: u32 = 8;
const VA: u64 = 0x1234_5000;

/// An SMMU, and a guest that gave stream 8 some substreams.
struct Rig {
    guest: TestGuest,
    streams: StreamTable,
    contexts: Contexts,
    smmu: Translator,
}

impl Rig {
    fn new(adversarial: bool) -> Self {
        Self::with_features(Features { adversarial, ..Features::default() })
    }

    fn with_features(features: Features) -> Self {
        let guest = TestGuest::new();
        let streams = guest.linear_streams(8);
        let contexts = guest.contexts(8, s1fmt::LINEAR);
        guest.set_ste(&streams, SID, &ste_stage1(contexts.base, 8, s1fmt::LINEAR, s1dss::SSID0));
        Self { guest, streams, contexts, smmu: Translator::new(features, 256) }
    }

    /// An address space, bound to a substream.
    fn process(&self, ssid: u32, asid: u16) -> Tables {
        let tables = self.guest.tables(12, 48);
        self.guest.set_cd(&self.contexts, ssid, &cd(&tables, asid));
        tables
    }

    fn ask(&self, ssid: Option<u32>, addr: u64, access: Access) -> Result<Translation, Fault> {
        self.smmu.translate(&self.guest.mem, &self.streams, &request(SID, ssid, addr, access))
    }

    fn read(&self, ssid: u32, addr: u64) -> Result<u64, FaultKind> {
        self.ask(Some(ssid), addr, READ).map(|t| t.addr).map_err(|fault| fault.kind)
    }

    fn write(&self, ssid: u32, addr: u64) -> Result<u64, FaultKind> {
        self.ask(Some(ssid), addr, WRITE).map(|t| t.addr).map_err(|fault| fault.kind)
    }
}

fn va_of(vmid: u16, asid: Option<u16>, pages: Pages) -> Invalidation {
    Invalidation::Va { regime: Regime::El1 { vmid }, asid, pages }
}

fn va(asid: Option<u16>, addr: u64) -> Invalidation {
    va_of(0, asid, Pages { addr, size: 4096, granule_log2: None, level: None, leaf: false })
}

fn range(asid: u16, addr: u64, size: u64, granule_log2: Option<u8>, level: Option<u8>) -> Invalidation {
    va_of(0, Some(asid), Pages { addr, size, granule_log2, level, leaf: false })
}

fn asid(asid: u16) -> Invalidation {
    Invalidation::Asid { regime: Regime::El1 { vmid: 0 }, asid }
}

#[test]
fn a_hit_reads_no_guest_memory() {
    let rig = Rig::new(false);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
    let cold = rig.ask(Some(1), VA + 0x123, READ).unwrap();
    let reads = rig.guest.mem.reads();
    let warm = rig.ask(Some(1), VA + 0x123, READ).unwrap();
    assert_eq!(rig.guest.mem.reads(), reads);
    assert_eq!(cold, warm);
    assert_eq!((cold.addr, cold.page_mask), (0x9000_0123, 0xfff));
    assert!(cold.perm.read && cold.perm.write && !cold.perm.exec);
    let stats = rig.smmu.stats();
    assert_eq!(
        stats,
        TranslatorStats {
            translations: 2,
            iotlb_hits: 1,
            iotlb_misses: 1,
            config_hits: 1,
            config_misses: 1,
            walks: 1,
            ..TranslatorStats::default()
        }
    );
}

#[test]
fn streams_that_share_an_address_space_share_its_pages() {
    let rig = Rig::new(false);
    let tables = rig.process(1, 5);
    rig.guest.set_cd(&rig.contexts, 2, &cd(&tables, 5));
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
    assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    assert_eq!(rig.read(2, VA), Ok(0x9000_0000));
    assert_eq!((rig.smmu.stats().walks, rig.smmu.stats().config_misses), (1, 2));
}

#[test]
fn a_page_stays_until_it_is_invalidated() {
    let whole =
        [va(Some(5), VA), va(None, VA), asid(5), Invalidation::Vmid { vmid: 0 }, Invalidation::NsnhAll];
    let ranges = [
        range(5, VA & !0xf_ffff, 1 << 20, Some(12), None),
        range(5, VA, 4096, Some(12), Some(3)),
        range(5, 0, 1 << 47, Some(12), None),
        range(5, 0, 1 << 60, Some(12), None),
        range(5, VA & !0xffff, 0x1_0000, None, Some(3)),
    ];
    for adversarial in [false, true] {
        for what in whole.into_iter().chain(ranges) {
            let rig = Rig::new(adversarial);
            let tables = rig.process(1, 5);
            rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            rig.guest.map(&tables, VA, 0xa000_0000, 3, user_rw());
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000), "{what:?}");
            rig.smmu.invalidate(&what);
            assert_eq!(rig.read(1, VA), Ok(0xa000_0000), "{what:?}");
            rig.guest.unmap(&tables, VA, 3);
            assert_eq!(rig.read(1, VA), Ok(0xa000_0000), "{what:?}");
            rig.smmu.invalidate(&what);
            assert_eq!(rig.read(1, VA), Err(FaultKind::Translation), "{what:?}");
        }
    }
}

#[test]
fn an_adversarial_smmu_forgets_no_more_than_asked() {
    let others = [
        va(Some(6), VA),
        va(Some(5), VA + 0x1000),
        va(Some(5), VA - 0x1000),
        va(None, VA + 0x1000),
        asid(6),
        Invalidation::Vmid { vmid: 1 },
        va_of(1, Some(5), Pages { addr: VA, size: 4096, granule_log2: None, level: None, leaf: false }),
        range(5, 0, VA, Some(12), None),
        range(5, VA + 0x1000, 1 << 40, Some(12), None),
        range(5, VA, 4096, Some(12), Some(2)),
        range(5, VA & !0xffff, 0x1_0000, Some(16), None),
        Invalidation::All,
        Invalidation::Ste { sid: SID },
    ];
    for what in others {
        let rig = Rig::new(true);
        let tables = rig.process(1, 5);
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
        rig.guest.map(&tables, VA, 0xa000_0000, 3, user_rw());
        rig.smmu.invalidate(&what);
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000), "{what:?}");
    }
}

#[test]
fn a_cd_stays_until_it_is_invalidated() {
    let forms = [
        Invalidation::Cd { sid: SID, ssid: 1 },
        Invalidation::CdAll { sid: SID },
        Invalidation::Ste { sid: SID },
        Invalidation::SteRange { first: 0, last: 15 },
        Invalidation::SteRange { first: 0, last: 0xffff },
        Invalidation::All,
    ];
    for adversarial in [false, true] {
        for what in forms {
            let rig = Rig::new(adversarial);
            let (old, new) = (rig.guest.tables(12, 48), rig.guest.tables(12, 48));
            rig.guest.map(&old, VA, 0x9000_0000, 3, user_rw());
            rig.guest.map(&new, VA, 0xa000_0000, 3, user_rw());
            rig.guest.set_cd(&rig.contexts, 1, &cd(&old, 5));
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            rig.guest.set_cd(&rig.contexts, 1, &cd(&new, 6));
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000), "{what:?}");
            rig.smmu.invalidate(&what);
            assert_eq!(rig.read(1, VA), Ok(0xa000_0000), "{what:?}");
        }
        for what in [
            Invalidation::Cd { sid: SID, ssid: 2 },
            Invalidation::Cd { sid: SID, ssid: 0 },
            Invalidation::Cd { sid: SID + 1, ssid: 1 },
            Invalidation::Ste { sid: SID + 1 },
            Invalidation::SteRange { first: SID + 1, last: 63 },
            Invalidation::NsnhAll,
        ] {
            let rig = Rig::new(adversarial);
            let tables = rig.process(1, 5);
            rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            rig.guest.set_cd(&rig.contexts, 1, &Default::default());
            rig.smmu.invalidate(&what);
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000), "{what:?}");
        }
    }
}

#[test]
fn an_ste_stays_until_it_is_invalidated() {
    let rig = Rig::new(false);
    rig.guest.set_ste(&rig.streams, SID, &ste_bypass());
    let ask = || rig.ask(None, VA, READ).map(|t| t.addr).map_err(|fault| fault.record);
    assert_eq!(ask(), Ok(VA));
    rig.guest.set_ste(&rig.streams, SID, &ste_abort());
    assert_eq!(ask(), Ok(VA));
    rig.smmu.invalidate(&Invalidation::Cd { sid: SID, ssid: 1 });
    assert_eq!(ask(), Ok(VA));
    rig.smmu.invalidate(&Invalidation::Ste { sid: SID });
    assert_eq!(ask(), Err(false));
    rig.guest.set_ste(&rig.streams, SID, &ste_bypass());
    assert_eq!(ask(), Err(false));
    rig.smmu.reset();
    assert_eq!(ask(), Ok(VA));
}

#[test]
fn cd_0_serves_requests_without_substream() {
    let rig = Rig::new(true);
    let tables = rig.process(0, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
    assert_eq!(rig.ask(None, VA, READ).map(|t| t.addr), Ok(0x9000_0000));
    rig.guest.set_cd(&rig.contexts, 0, &Default::default());
    assert!(rig.ask(None, VA, READ).is_ok());
    rig.smmu.invalidate(&Invalidation::Cd { sid: SID, ssid: 0 });
    assert_eq!(rig.ask(None, VA, READ).unwrap_err().kind, FaultKind::BadCd);
}

#[test]
fn faults_are_not_cached() {
    for adversarial in [false, true] {
        let rig = Rig::new(adversarial);
        assert_eq!(rig.read(1, VA), Err(FaultKind::BadCd));
        let tables = rig.process(1, 5);
        assert_eq!(rig.read(1, VA), Err(FaultKind::Translation));
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw().with_af(0));
        assert_eq!(rig.read(1, VA), Err(FaultKind::AccessFlag));
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
        assert_eq!(rig.smmu.stats().faults, 3);
    }
}

#[test]
fn more_permission_needs_no_invalidation_unless_the_smmu_is_adversarial() {
    for adversarial in [false, true] {
        let rig = Rig::new(adversarial);
        let tables = rig.process(1, 5);
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_ro());
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
        let expected = if adversarial { Err(FaultKind::Permission) } else { Ok(0x9000_0000) };
        assert_eq!(rig.write(1, VA), expected);
        rig.smmu.invalidate(&va(Some(5), VA));
        assert_eq!(rig.write(1, VA), Ok(0x9000_0000));
        // Less of it shows only after the invalidation, in both.
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_ro());
        assert_eq!(rig.write(1, VA), Ok(0x9000_0000));
        rig.smmu.invalidate(&va(Some(5), VA));
        assert_eq!(rig.write(1, VA), Err(FaultKind::Permission));
    }
}

#[test]
fn a_cached_refusal_is_the_fault_that_a_walk_gives() {
    let rig = Rig::new(true);
    let tables = rig.guest.tables(12, 48);
    rig.guest.set_cd(&rig.contexts, 1, &edit_cd(cd(&tables, 5), |cd| cd.with_s(1)));
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_ro());
    let walked = rig.ask(Some(1), VA, WRITE).unwrap_err();
    assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    let reads = rig.guest.mem.reads();
    let cached = rig.ask(Some(1), VA, WRITE).unwrap_err();
    assert_eq!(rig.guest.mem.reads(), reads);
    assert_eq!((cached, cached.action), (walked, FaultAction::Stall));
}

#[test]
fn the_first_write_to_a_clean_page_makes_it_dirty() {
    for adversarial in [false, true] {
        let rig = Rig::new(adversarial);
        let tables = rig.guest.tables(12, 48);
        let with_httu = |cd: Cd0| cd.with_ha(1).with_hd(1);
        rig.guest.set_cd(&rig.contexts, 1, &edit_cd(cd(&tables, 5), with_httu));
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_clean().with_af(0));
        let read = rig.ask(Some(1), VA, READ).unwrap();
        assert!(read.perm.read && !read.perm.write, "nobody may write on the strength of a read");
        assert_eq!(rig.guest.mem.updates(), 1);
        let write = rig.ask(Some(1), VA, WRITE).unwrap();
        assert!(write.perm.write);
        assert_eq!(rig.guest.mem.updates(), 2);
        let walks = rig.smmu.stats().walks;
        assert!(rig.ask(Some(1), VA, READ).unwrap().perm.write);
        assert!(rig.ask(Some(1), VA, WRITE).is_ok());
        let stats = rig.smmu.stats();
        assert_eq!((stats.walks, stats.access_flag_updates, stats.dirty_updates), (walks, 1, 1));
    }
}

#[test]
fn global_pages_outlive_their_asid() {
    let rig = Rig::new(true);
    let (one, two) = (rig.process(1, 5), rig.process(2, 6));
    for tables in [&one, &two] {
        rig.guest.map(tables, VA, 0x9000_0000, 3, user_rw().with_ng(0));
    }
    assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    assert_eq!(rig.read(2, VA), Ok(0x9000_0000));
    assert_eq!(rig.smmu.stats().walks, 1);
    [&one, &two].into_iter().for_each(|tables| rig.guest.unmap(tables, VA, 3));
    rig.smmu.invalidate(&asid(5));
    rig.smmu.invalidate(&asid(6));
    assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    rig.smmu.invalidate(&va(Some(6), VA));
    assert_eq!(rig.read(1, VA), Err(FaultKind::Translation));
}

/// §3.17.1: global pages are those of one set of ASIDs, in EL1 and in EL2 with E2H; a TLBI by address takes those of both.
#[test]
fn global_pages_are_of_one_aset() {
    for (e2h, adversarial, swapped) in [false, true]
        .into_iter()
        .flat_map(|e2h| [(e2h, false, 0), (e2h, false, 1), (e2h, true, 0), (e2h, true, 1)])
    {
        let mut rig = Rig::with_features(Features { hyp: true, adversarial, ..Features::default() });
        if e2h {
            rig.streams.e2h = true;
            let ste = ste_stage1(rig.contexts.base, 8, s1fmt::LINEAR, s1dss::SSID0);
            rig.guest.set_ste(&rig.streams, SID, &edit_ste1(ste, |ste1| ste1.with_strw(0b10)));
        }
        let regime = if e2h { Regime::El2 } else { Regime::El1 { vmid: 0 } };
        let by_va = |asid| {
            let pages = Pages { addr: VA, size: 4096, granule_log2: None, level: None, leaf: false };
            rig.smmu.invalidate(&Invalidation::Va { regime, asid, pages });
        };
        let spaces = [(1, 5, swapped), (2, 6, 1 - swapped), (3, 7, swapped)].map(|(ssid, asid, aset)| {
            let tables = rig.guest.tables(12, 48);
            rig.guest.set_cd(&rig.contexts, ssid, &edit_cd(cd(&tables, asid), |cd| cd.with_aset(aset)));
            tables
        });
        let [first, second, _] = &spaces;
        let global = |tables, to| rig.guest.map(tables, VA, to, 3, user_rw().with_ng(0));
        global(first, 0x9000_0000);
        assert_eq!(rig.read(2, VA), Err(FaultKind::Translation));
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
        assert_eq!(rig.read(3, VA), Ok(0x9000_0000), "of the same set");
        assert_eq!(rig.read(2, VA), Err(FaultKind::Translation), "of the other set");
        global(second, 0xa000_0000);
        assert_eq!(rig.read(2, VA), Ok(0xa000_0000));
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000), "both are cached");
        // Whichever ASID is named, and whether one is, global pages of both sets go.
        for asid in [Some(5), Some(6), Some(99), None] {
            global(first, 0xb000_0000);
            global(second, 0xc000_0000);
            by_va(asid);
            assert_eq!((rig.read(1, VA), rig.read(2, VA)), (Ok(0xb000_0000), Ok(0xc000_0000)), "{asid:?}");
            global(first, 0x9000_0000);
            global(second, 0xa000_0000);
            by_va(asid);
            assert_eq!((rig.read(1, VA), rig.read(2, VA)), (Ok(0x9000_0000), Ok(0xa000_0000)), "{asid:?}");
        }
    }
}

/// §3.4, §5.4: an address that TxSZ does not reach is a translation fault, also where another CD's global page covers it: in
/// both halves, with a tag and without, from a page and from a block.
#[test]
fn global_pages_are_in_reach_of_their_tables() {
    const FAR: u64 = 0x7000_0000_0000;
    for (adversarial, upper, tbi, level) in
        (0..16u32).map(|n| (n & 1 != 0, n & 2 != 0, u64::from(n >> 2 & 1), if n & 8 == 0 { 3 } else { 2 }))
    {
        let rig = Rig::new(adversarial);
        let space = |ssid, asid, bits| {
            let tables = rig.guest.tables(12, bits);
            let with_tbi = |cd: Cd0| cd.with_tbi0(tbi).with_tbi1(tbi);
            let entry = with_upper(cd(&tables, asid), &tables);
            rig.guest.set_cd(&rig.contexts, ssid, &edit_cd(entry, with_tbi));
            tables
        };
        let (wide, _) = (space(1, 5, 48), space(2, 6, 39));
        // As the tables of either half index it.
        rig.guest.map(&wide, FAR, 0x9000_0000, level, user_rw().with_ng(0));
        rig.guest.map(&wide, VA & !0x1f_ffff, 0xa000_0000, level, user_rw().with_ng(0));
        let half = if upper { 0xffff << 48 } else { 0 };
        let far = half | FAR;
        // In the upper half of a space of 39 bits, addresses have 25 ones at the top.
        let near = if upper { u64::MAX << 39 | VA & !0x1f_ffff } else { VA & !0x1f_ffff };
        let tagged = |addr: u64| if tbi != 0 { addr ^ 0x5a << 56 } else { addr };
        for addr in [far, tagged(far)] {
            assert_eq!(rig.read(2, addr), Err(FaultKind::Translation));
            assert_eq!(rig.read(1, addr), Ok(0x9000_0000), "{far:#x}");
            assert_eq!(rig.read(2, addr), Err(FaultKind::Translation), "beyond TxSZ, {addr:#x}");
        }
        if !upper {
            assert_eq!(rig.read(1, tagged(near)), Ok(0xa000_0000));
            assert_eq!(rig.read(2, tagged(near)), Ok(0xa000_0000), "within TxSZ a global page is global");
        }
    }
}

#[test]
fn blocks_of_every_granule_are_one_entry() {
    for (granule, level, log2) in
        [(12, 1, 30), (12, 2, 21), (14, 2, 25), (16, 2, 29), (14, 3, 14), (16, 3, 16)]
    {
        let rig = Rig::new(true);
        let tables = rig.guest.tables(granule, 48);
        rig.guest.set_cd(&rig.contexts, 1, &cd(&tables, 5));
        let base = 3u64 << log2;
        rig.guest.map(&tables, base, 1 << 40, level, user_rw());
        assert_eq!(rig.read(1, base + 0x1234), Ok((1 << 40) + 0x1234));
        let last = base + (1 << log2) - 1;
        let answer = rig.ask(Some(1), last, READ).unwrap();
        assert_eq!((answer.addr, answer.page_mask), ((1 << 40) + (1 << log2) - 1, (1 << log2) - 1));
        assert_eq!(rig.smmu.stats().walks, 1);
        rig.guest.unmap(&tables, base, level);
        let granule = u8::try_from(granule).unwrap();
        rig.smmu.invalidate(&range(5, base + (1 << log2), 1 << 32, Some(granule), None));
        assert!(rig.read(1, base).is_ok());
        rig.smmu.invalidate(&range(5, last & !0xffff, 0x1_0000, Some(granule), u8::try_from(level).ok()));
        assert_eq!(rig.read(1, base), Err(FaultKind::Translation));
    }
}

#[test]
fn the_top_byte_counts_unless_it_is_ignored() {
    let tagged = VA | 0xab << 56;
    let rig = Rig::new(true);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
    assert!(rig.read(1, VA).is_ok());
    assert_eq!(rig.read(1, tagged), Err(FaultKind::Translation));

    rig.guest.set_cd(&rig.contexts, 2, &edit_cd(cd(&tables, 6), |cd| cd.with_tbi0(1)));
    assert_eq!(rig.read(2, tagged), Ok(0x9000_0000));
    assert_eq!(rig.read(2, VA), Ok(0x9000_0000));
    assert_eq!(rig.smmu.stats().walks, 3);
    rig.guest.unmap(&tables, VA, 3);
    rig.smmu.invalidate(&va(Some(6), tagged));
    assert_eq!(rig.read(2, tagged), Err(FaultKind::Translation));
}

#[test]
fn the_upper_half_of_the_addresses() {
    let rig = Rig::new(true);
    let (lower, upper) = (rig.guest.tables(12, 48), rig.guest.tables(12, 48));
    rig.guest.set_cd(&rig.contexts, 1, &with_upper(cd(&lower, 5), &upper));
    let high = 0xffff_0000_1234_5000;
    rig.guest.map(&lower, VA, 0x9000_0000, 3, user_rw());
    rig.guest.map(&upper, high & 0xffff_ffff_ffff, 0xa000_0000, 3, user_rw());
    for _ in 0..2 {
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
        assert_eq!(rig.read(1, high), Ok(0xa000_0000));
    }
    assert_eq!(rig.smmu.stats().walks, 2);
    rig.guest.unmap(&upper, high & 0xffff_ffff_ffff, 3);
    rig.smmu.invalidate(&va(Some(5), high));
    assert!(rig.read(1, VA).is_ok());
    assert_eq!(rig.read(1, high), Err(FaultKind::Translation));
}

#[test]
fn a_table_that_is_switched_off_is_not_used_unless_the_smmu_is_adversarial() {
    for adversarial in [false, true] {
        let rig = Rig::new(adversarial);
        let tables = rig.process(1, 5);
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
        assert!(rig.read(1, VA).is_ok());
        rig.guest.set_cd(&rig.contexts, 1, &edit_cd(cd(&tables, 5), |cd| cd.with_epd0(1)));
        rig.smmu.invalidate(&Invalidation::Cd { sid: SID, ssid: 1 });
        assert_eq!(rig.read(1, VA).is_ok(), adversarial);
        rig.smmu.invalidate(&asid(5));
        assert_eq!(rig.read(1, VA), Err(FaultKind::Translation));
    }
}

/// The guest replaces a whole table, as when it splits, joins or frees one.
#[test]
fn a_table_stays_until_it_is_invalidated_in_an_adversarial_smmu() {
    let leaves_only = |what| match what {
        Invalidation::Va { regime, asid, pages } => {
            Invalidation::Va { regime, asid, pages: Pages { leaf: true, ..pages } }
        }
        other => other,
    };
    let forms = [
        va(Some(5), VA + 0x3000),
        va(None, VA),
        range(5, VA & !0x1f_ffff, 0x20_0000, Some(12), Some(3)),
        range(5, 0, 1 << 48, Some(12), None),
        asid(5),
        Invalidation::Vmid { vmid: 0 },
        Invalidation::NsnhAll,
    ];
    for (what, level) in forms.into_iter().flat_map(|what| [0u32, 1, 2].map(|level| (what, level))) {
        for adversarial in [false, true] {
            let rig = Rig::new(adversarial);
            let (tables, spare) = (rig.process(1, 5), rig.guest.tables(12, 48));
            rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
            rig.guest.map(&spare, VA, 0xa000_0000, 3, user_rw());
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            let other = rig.guest.mem.get(rig.guest.pte_addr(&spare, VA, level));
            rig.guest.mem.put(rig.guest.pte_addr(&tables, VA, level), other);
            rig.smmu.invalidate(&leaves_only(va(Some(5), VA)));
            let old = if adversarial { 0x9000_0000 } else { 0xa000_0000 };
            assert_eq!(rig.read(1, VA), Ok(old), "{what:?}, level {level}");
            rig.smmu.invalidate(&what);
            assert_eq!(rig.read(1, VA + 0x18), {
                // The page itself may have been entered again, if only its neighbour was named.
                let named = !matches!(what, Invalidation::Va { pages, .. } if pages.addr == VA + 0x3000);
                Ok(if named { 0xa000_0018 } else { old + 0x18 })
            });
            rig.smmu.invalidate(&leaves_only(va(Some(5), VA)));
            assert_eq!(rig.read(1, VA), Ok(0xa000_0000), "{what:?}, level {level}");
        }
    }
}

/// Guest memory, and something that happens just before the nth read of it.
struct Meddler<'a> {
    memory: &'a TestMemory,
    countdown: AtomicI64,
    event: &'a (dyn Fn() + Sync),
}

use std::sync::atomic::{AtomicI64, Ordering};

impl GuestMemory for Meddler<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
        self.memory.read(addr, buf)
    }

    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
        self.memory.write(addr, buf)
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        if self.countdown.fetch_sub(1, Ordering::Relaxed) == 1 {
            (self.event)();
        }
        self.memory.read_u64(addr)
    }

    fn compare_exchange_u64(&self, addr: u64, old: u64, new: u64) -> Result<Result<(), u64>, MemoryError> {
        self.memory.compare_exchange_u64(addr, old, new)
    }
}

/// At every point of a cold translation, the guest takes the page away and invalidates; then nobody has it.
#[test]
fn a_fill_that_an_invalidation_overtakes_leaves_nothing_behind() {
    for (n, what) in (1..20).flat_map(|n| [va(Some(5), VA), asid(5), va(None, VA)].map(|what| (n, what))) {
        let rig = Rig::new(n % 2 == 0);
        let tables = rig.process(1, 5);
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
        let event = || {
            rig.guest.map(&tables, VA, 0xa000_0000, 3, user_rw());
            rig.smmu.invalidate(&what);
        };
        let memory = Meddler { memory: &rig.guest.mem, countdown: AtomicI64::new(n), event: &event };
        let req = request(SID, Some(1), VA, READ);
        let answer = rig.smmu.translate(&memory, &rig.streams, &req).unwrap().addr;
        assert!(
            answer == 0xa000_0000 || n > 8 + 4,
            "read {n}: an attempt that was overtaken counts for nothing"
        );
        let overtaken = rig.smmu.stats().invalidations == 1;
        assert_eq!(rig.read(1, VA), Ok(if overtaken { 0xa000_0000 } else { 0x9000_0000 }), "read {n}");
    }
}

/// The guest moves the stream table, and invalidates, while a translation is about to read it.
#[test]
fn a_stream_table_that_moves() {
    let rig = Rig::new(false);
    rig.guest.set_ste(&rig.streams, SID, &ste_abort());
    let new = rig.guest.linear_streams(8);
    rig.guest.set_ste(&new, SID, &ste_bypass());
    let req = request(SID, None, VA, READ);
    let asked = AtomicI64::new(0);
    let tables = || {
        if asked.fetch_add(1, Ordering::Relaxed) == 0 {
            // Sampled, and then overtaken by both.
            rig.smmu.invalidate(&Invalidation::All);
            return Some(rig.streams);
        }
        Some(new)
    };
    assert!(rig.smmu.translate(&rig.guest.mem, &tables, &req).is_ok());
    assert!(rig.smmu.translate(&rig.guest.mem, &new, &req).is_ok());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

/// A guest that invalidates all the time gets an answer all the same.
#[test]
fn attempts_are_bounded() {
    struct Storm<'a>(&'a Rig);
    impl GuestMemory for Storm<'_> {
        fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
            self.0.guest.mem.read(addr, buf)
        }
        fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
            self.0.guest.mem.write(addr, buf)
        }
        fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
            self.0.smmu.invalidate(&asid(77));
            self.0.guest.mem.read_u64(addr)
        }
        fn compare_exchange_u64(
            &self,
            addr: u64,
            old: u64,
            new: u64,
        ) -> Result<Result<(), u64>, MemoryError> {
            self.0.guest.mem.compare_exchange_u64(addr, old, new)
        }
    }
    let rig = Rig::new(false);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
    let req = request(SID, Some(1), VA, READ);
    let answer = rig.smmu.translate(&Storm(&rig), &rig.streams, &req);
    assert_eq!(answer.map(|t| t.addr), Ok(0x9000_0000));
    let stats = rig.smmu.stats();
    assert_eq!((stats.translations, stats.retries, stats.walks), (1, 3, 4));
}

#[test]
fn tags() {
    let plain = [0, 0x007f_ffff_ffff_ffff, 0xff80_0000_0000_0000, u64::MAX];
    let tagged = [1 << 56, 0xab00_1234_5678_9000, 0x00ff_ffff_ffff_f000, 0x7fff_ffff_ffff_ffff];
    assert!(!plain.into_iter().any(has_tag) && tagged.into_iter().all(has_tag));
}

/// Or the micro-TLB would take nothing in any more.
#[test]
fn every_invalidation_is_done_when_it_returns() {
    let smmu = Translator::new(Features::default(), 64);
    let at_rest = |smmu: &Translator| smmu.sequence.is_at_rest(smmu.sequence.now());
    assert!(at_rest(&smmu));
    let before = smmu.sequence.now();
    smmu.invalidate(&Invalidation::NsnhAll);
    assert!(at_rest(&smmu) && smmu.sequence.now() > before);
    smmu.tables_changed();
    assert!(at_rest(&smmu));
    smmu.reset();
    assert!(at_rest(&smmu));
    let _ = smmu.sequence.advance();
    assert!(!at_rest(&smmu));
}
