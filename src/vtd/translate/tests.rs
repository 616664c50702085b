// SPDX-License-Identifier: GPL-2.0-or-later
//! For every cache: map, use, change, still old; invalidate, use, new. And the one property, under random histories
//! and under threads.

mod ats;
mod histories;
mod interrupts;
mod threads;

use super::*;
use crate::vtd::fault::FaultReason;
use crate::vtd::spec::context::{Context0, Context1, ScalableContext1, tt};
use crate::vtd::testing::*;

const VA: u64 = 0x1234_5000;
const A: u64 = 1 << 5;
const D: u64 = 1 << 6;

/// A unit, and a guest that gave function `SID` PASIDs.
struct Rig {
    guest: TestGuest,
    function: Function,
    root: RootTable,
    unit: Translator,
}

impl Rig {
    fn new(adversarial: bool) -> Self {
        Self::with_features(Features { adversarial, ..Features::default() })
    }

    fn with_features(features: Features) -> Self {
        let guest = TestGuest::new();
        let function = guest.function(SID);
        let root = guest.scalable_root();
        Self { guest, function, root, unit: Translator::new(features, 256) }
    }

    /// An address space, bound to a PASID.
    fn process(&self, pasid: u32, did: u16) -> Tables {
        let tables = self.guest.first_stage(4);
        self.guest.set_pasid(self.function, pasid, &pasid_first(&tables, did));
        tables
    }

    fn ask(&self, pasid: Option<u32>, addr: u64, access: Access) -> Result<Translation, Fault> {
        self.unit.translate(&self.guest.mem, &self.root, &request(pasid, addr, access))
    }

    fn read(&self, pasid: u32, addr: u64) -> Result<u64, FaultReason> {
        self.ask(Some(pasid), addr, READ).map(|t| t.addr).map_err(|fault| fault.reason)
    }

    fn write(&self, pasid: u32, addr: u64) -> Result<u64, FaultReason> {
        self.ask(Some(pasid), addr, WRITE).map(|t| t.addr).map_err(|fault| fault.reason)
    }

    fn read_without(&self, addr: u64) -> Result<u64, FaultReason> {
        self.ask(None, addr, READ).map(|t| t.addr).map_err(|fault| fault.reason)
    }
}

fn pages(did: u16, pasid: u32, addr: u64, address_mask: u8) -> Invalidation {
    Invalidation::PasidIotlbPages { did, pasid, addr, address_mask, leaf: false }
}

fn second_pages(did: u16, addr: u64, address_mask: u8) -> Invalidation {
    Invalidation::IotlbPages { did, addr, address_mask, leaf: false }
}

#[test]
fn a_hit_reads_no_guest_memory() {
    let rig = Rig::new(false);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw() | A | D);
    let cold = rig.ask(Some(1), VA + 0x123, READ).unwrap();
    let reads = rig.guest.mem.reads();
    let warm = rig.ask(Some(1), VA + 0x123, READ).unwrap();
    assert_eq!(rig.guest.mem.reads(), reads);
    assert_eq!(cold, warm);
    assert_eq!((cold.addr, cold.page_mask), (0x9000_0123, 0xfff));
    assert!(cold.perm.read && cold.perm.write && !cold.perm.exec);
    assert_eq!(
        rig.unit.stats(),
        TranslatorStats {
            translations: 2,
            iotlb_hits: 1,
            iotlb_misses: 1,
            config_hits: 1,
            config_misses: 1,
            walks: 1,
            access_flag_updates: 1,
            ..TranslatorStats::default()
        }
    );
}

#[test]
fn functions_of_a_domain_share_pages() {
    let rig = Rig::new(false);
    let tables = rig.process(1, 5);
    let other = rig.guest.function(0x0200);
    rig.guest.set_pasid(other, 1, &pasid_first(&tables, 5));
    rig.guest.set_pasid(other, 2, &pasid_first(&tables, 5));
    rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
    let from_other = |pasid| {
        let req = DmaRequest { stream: 0x0200, ..request(Some(pasid), VA, READ) };
        rig.unit.translate(&rig.guest.mem, &rig.root, &req).unwrap().addr
    };
    assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    assert_eq!(from_other(1), 0x9000_0000);
    assert_eq!((rig.unit.stats().walks, rig.unit.stats().config_misses), (1, 2));
    // Another PASID is another address space.
    assert_eq!(from_other(2), 0x9000_0000);
    assert_eq!(rig.unit.stats().walks, 2);
}

#[test]
fn second_stage_pages_belong_to_the_domain() {
    let rig = Rig::new(false);
    let tables = rig.guest.second_stage(4);
    for pasid in 0..3 {
        rig.guest.set_pasid(rig.function, pasid, &pasid_second(&tables, 5));
    }
    rig.guest.map(&tables, VA, 0x9000_0000, 12, ss_rw());
    assert_eq!(
        (rig.read_without(VA), rig.read(1, VA), rig.read(2, VA)),
        (Ok(0x9000_0000), Ok(0x9000_0000), Ok(0x9000_0000))
    );
    assert_eq!(rig.unit.stats().walks, 1);
}

#[test]
fn a_write_through_the_cache_makes_dirty() {
    for adversarial in [false, true] {
        let rig = Rig::new(adversarial);
        let tables = rig.process(1, 5);
        let leaf = rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
        let read = rig.ask(Some(1), VA, READ).unwrap();
        assert!(!read.perm.write, "a clean page is not handed out for writing");
        assert_eq!(rig.guest.mem.get(leaf) & (A | D), A);
        assert!(rig.ask(Some(1), VA, WRITE).unwrap().perm.write);
        assert_eq!(rig.guest.mem.get(leaf) & (A | D), A | D);
        assert!(rig.ask(Some(1), VA, READ).unwrap().perm.write);
        assert_eq!(rig.unit.stats().dirty_updates, 1);
        assert_eq!(rig.unit.stats().walks, 2);
    }
}

#[test]
fn a_write_to_a_cached_read_only_page_faults_and_says_so() {
    for adversarial in [false, true] {
        let rig = Rig::new(adversarial);
        let tables = rig.process(1, 5);
        rig.guest.map(&tables, VA, 0x9000_0000, 12, user_ro());
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
        let fault = rig.ask(Some(1), VA, WRITE).unwrap_err();
        assert_eq!((fault.reason, fault.record), (FaultReason::ScalableWrite, true));
        // Allowing more needs no invalidation.
        rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
        assert_eq!(rig.write(1, VA), Ok(0x9000_0000));
    }
}

#[test]
fn nothing_missing_is_cached() {
    for adversarial in [false, true] {
        let rig = Rig::new(adversarial);
        assert_eq!(rig.read(1, VA), Err(FaultReason::DirectoryNotPresent));
        let tables = rig.process(1, 5);
        assert_eq!(rig.read(1, VA), Err(FaultReason::FirstStageNotPresent));
        rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    }
}

#[test]
fn first_stage_pages_stay_until_they_are_invalidated() {
    let enough = [
        pages(5, 1, VA, 0),
        pages(5, 1, VA & !0xffff, 4),
        pages(5, 1, VA, 9),
        pages(5, 1, 0, 36),
        pages(5, 1, 0, 52),
        pages(5, 1, u64::MAX, 63),
        Invalidation::PasidIotlbPages { did: 5, pasid: 1, addr: VA, address_mask: 0, leaf: true },
        Invalidation::PasidIotlbAll { did: 5, pasid: 1 },
        Invalidation::IotlbDomain { did: 5 },
        Invalidation::IotlbGlobal,
        Invalidation::All,
    ];
    let too_little = [
        pages(5, 1, VA + 0x1000, 0),
        pages(5, 1, VA & !0xffff | 0x10000, 3),
        pages(5, 2, VA, 0),
        pages(6, 1, VA, 0),
        Invalidation::PasidIotlbAll { did: 5, pasid: 2 },
        Invalidation::PasidIotlbAll { did: 6, pasid: 1 },
        Invalidation::IotlbDomain { did: 6 },
        second_pages(6, VA, 0),
        Invalidation::ContextGlobal,
        Invalidation::PasidGlobal,
    ];
    for adversarial in [false, true] {
        for what in &enough {
            let rig = Rig::new(adversarial);
            let tables = rig.process(1, 5);
            rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            rig.guest.map(&tables, VA, 0xa000_0000, 12, user_rw());
            for other in &too_little {
                rig.unit.invalidate(other);
                assert_eq!(rig.read(1, VA), Ok(0x9000_0000), "{other:?}");
            }
            rig.unit.invalidate(what);
            assert_eq!(rig.read(1, VA), Ok(0xa000_0000), "{what:?}");
        }
    }
}

#[test]
fn an_address_in_a_large_page_invalidates_it() {
    for shift in [21, 30] {
        let rig = Rig::new(false);
        let tables = rig.process(1, 5);
        rig.guest.map(&tables, VA & !ones(shift), 0x40_0000_0000, shift, user_rw());
        let old = rig.read(1, VA).unwrap();
        rig.guest.map(&tables, VA & !ones(shift), 0x80_0000_0000, shift, user_rw());
        assert_eq!(rig.read(1, VA), Ok(old));
        rig.unit.invalidate(&pages(5, 1, VA & !0x1f_ffff, 0));
        assert_eq!(rig.read(1, VA), Ok(old + 0x40_0000_0000));
    }
}

#[test]
fn second_stage_pages_stay_until_they_are_invalidated() {
    let enough = [
        second_pages(5, VA, 0),
        second_pages(5, VA, 20),
        second_pages(5, 0, 63),
        Invalidation::IotlbDomain { did: 5 },
        Invalidation::IotlbGlobal,
    ];
    let too_little = [
        second_pages(5, VA + 0x1000, 0),
        second_pages(6, VA, 0),
        pages(5, 0, VA, 0),
        Invalidation::PasidIotlbAll { did: 5, pasid: 0 },
        Invalidation::IotlbDomain { did: 6 },
    ];
    for legacy in [false, true] {
        for what in &enough {
            let mut rig = Rig::new(legacy);
            let tables = rig.guest.second_stage(4);
            if legacy {
                // The same words mean other things now.
                rig.guest = TestGuest::new();
                let tables_root = rig.guest.second_stage(4);
                assert_eq!(tables_root.levels, tables.levels);
                rig.root = rig.guest.legacy_root();
                let entry0 = Context0::default().with_p(1).with_tt(tt::ALL);
                let entry0 = entry0.with_ssptptr(tables_root.root >> 12);
                rig.guest.set_legacy_context(SID, entry0, Context1::default().with_aw(2).with_did(5));
                check_second(&rig, &tables_root, what, &too_little);
            } else {
                rig.guest.set_pasid(rig.function, 0, &pasid_second(&tables, 5));
                check_second(&rig, &tables, what, &too_little);
            }
        }
    }
}

fn check_second(rig: &Rig, tables: &Tables, what: &Invalidation, too_little: &[Invalidation]) {
    rig.guest.map(tables, VA, 0x9000_0000, 12, ss_rw());
    assert_eq!(rig.read_without(VA), Ok(0x9000_0000));
    rig.guest.map(tables, VA, 0xa000_0000, 12, ss_rw());
    for other in too_little {
        rig.unit.invalidate(other);
        assert_eq!(rig.read_without(VA), Ok(0x9000_0000), "{other:?}");
    }
    rig.unit.invalidate(what);
    assert_eq!(rig.read_without(VA), Ok(0xa000_0000), "{what:?}");
}

/// A nested rig: the second stage maps everything one to one but for the page.
fn nested(adversarial: bool) -> (Rig, Tables, Tables) {
    let rig = Rig::new(adversarial);
    let (first, second) = (rig.guest.first_stage(4), rig.guest.second_stage(4));
    rig.guest.set_pasid(rig.function, 1, &pasid_nested(&first, &second, 5));
    rig.guest.map(&second, 0, 0, 30, ss_rw());
    rig.guest.map(&second, 0x5000_0000, 0x9000_0000, 12, ss_rw());
    rig.guest.map(&first, VA, 0x5000_0000, 12, user_rw());
    (rig, first, second)
}

#[test]
fn nested_pages_stay_until_either_stage_is_invalidated() {
    let whole = [Invalidation::IotlbDomain { did: 5 }, Invalidation::IotlbGlobal];
    let first_only =
        [pages(5, 1, VA, 0), pages(5, 1, VA, 30), Invalidation::PasidIotlbAll { did: 5, pasid: 1 }];
    // The second stage's addresses are not those of nested pages: all of the domain go.
    let second_only =
        [second_pages(5, 0x5000_0000, 0), second_pages(5, 0x7000_0000, 0), second_pages(5, 0, 63)];
    for adversarial in [false, true] {
        for what in whole.iter().chain(&first_only) {
            let (rig, first, second) = nested(adversarial);
            rig.guest.map(&second, 0x5000_1000, 0xa000_0000, 12, ss_rw());
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            rig.guest.map(&first, VA, 0x5000_1000, 12, user_rw());
            rig.unit.invalidate(&pages(5, 2, VA, 0));
            rig.unit.invalidate(&second_pages(6, 0x5000_0000, 0));
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            rig.unit.invalidate(what);
            assert_eq!(rig.read(1, VA), Ok(0xa000_0000), "{what:?}");
        }
        for what in whole.iter().chain(&second_only) {
            let (rig, _, second) = nested(adversarial);
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            rig.guest.map(&second, 0x5000_0000, 0xa000_0000, 12, ss_rw());
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            rig.unit.invalidate(what);
            assert_eq!(rig.read(1, VA), Ok(0xa000_0000), "{what:?}");
        }
    }
}

#[test]
fn pasid_entries_stay_until_they_are_invalidated() {
    let enough = [
        Invalidation::Pasid { did: 5, pasid: 1 },
        Invalidation::PasidDomain { did: 5 },
        Invalidation::PasidGlobal,
        Invalidation::ContextGlobal,
        Invalidation::ContextDevice { sid: SID as u16, function_mask: 0 },
        Invalidation::ContextDevice { sid: SID as u16 ^ 7, function_mask: 3 },
        Invalidation::ContextDevice { sid: SID as u16 ^ 6, function_mask: 2 },
        Invalidation::ContextDevice { sid: SID as u16 ^ 4, function_mask: 1 },
        Invalidation::ContextDomain { did: 99 },
        Invalidation::All,
    ];
    let too_little = [
        Invalidation::Pasid { did: 5, pasid: 2 },
        Invalidation::Pasid { did: 6, pasid: 1 },
        Invalidation::PasidDomain { did: 6 },
        Invalidation::ContextDevice { sid: SID as u16 ^ 1, function_mask: 2 },
        Invalidation::ContextDevice { sid: SID as u16 ^ 8, function_mask: 3 },
        Invalidation::IotlbGlobal,
    ];
    for adversarial in [false, true] {
        for what in &enough {
            let rig = Rig::new(adversarial);
            let old = rig.process(1, 5);
            let new = rig.guest.first_stage(4);
            rig.guest.map(&old, VA, 0x9000_0000, 12, user_rw());
            rig.guest.map(&new, VA, 0xa000_0000, 12, user_rw());
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            rig.guest.set_pasid(rig.function, 1, &pasid_first(&new, 5));
            for other in &too_little {
                rig.unit.invalidate(other);
                assert_eq!(rig.read(1, VA), Ok(0x9000_0000), "{other:?}");
            }
            rig.unit.invalidate(what);
            rig.unit.invalidate(&Invalidation::PasidIotlbAll { did: 5, pasid: 1 });
            assert_eq!(rig.read(1, VA), Ok(0xa000_0000), "{what:?}");
        }
    }
}

#[test]
fn a_pasid_is_forgotten_for_every_function() {
    let rig = Rig::new(false);
    let old = rig.process(1, 5);
    let other = rig.guest.function(0x0200);
    rig.guest.set_pasid(other, 1, &pasid_first(&old, 5));
    rig.guest.map(&old, VA, 0x9000_0000, 12, user_rw());
    let ask = |stream| {
        let req = DmaRequest { stream, ..request(Some(1), VA, READ) };
        rig.unit.translate(&rig.guest.mem, &rig.root, &req).map(|t| t.addr).map_err(|fault| fault.reason)
    };
    assert_eq!((ask(SID), ask(0x0200)), (Ok(0x9000_0000), Ok(0x9000_0000)));
    for function in [rig.function, other] {
        rig.guest.mem.put(rig.guest.pasid_entry(function, 1), 0);
    }
    rig.unit.invalidate(&Invalidation::Pasid { did: 5, pasid: 1 });
    let gone = Err(FaultReason::PasidNotPresent);
    assert_eq!((ask(SID), ask(0x0200)), (gone, gone));
}

#[test]
fn requests_without_pasid_share_the_cached_rid_pasid() {
    let rig = Rig::new(false);
    let tables = rig.process(7, 5);
    rig.guest.set_context(
        rig.function,
        rig.guest.context0(rig.function),
        ScalableContext1::default().with_rid_pasid(7),
    );
    rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
    assert_eq!(rig.read(7, VA), Ok(0x9000_0000));
    assert_eq!(rig.read_without(VA), Ok(0x9000_0000));
    assert_eq!(rig.unit.stats().walks, 1);
    rig.guest.mem.put(rig.guest.pasid_entry(rig.function, 7), 0);
    rig.unit.invalidate(&Invalidation::Pasid { did: 5, pasid: 7 });
    assert_eq!(rig.read_without(VA), Err(FaultReason::PasidNotPresent));
}

#[test]
fn legacy_contexts_by_domain() {
    let mut rig = Rig::new(true);
    rig.guest = TestGuest::new();
    rig.root = rig.guest.legacy_root();
    let entry0 = Context0::default().with_p(1).with_tt(tt::PASS_THROUGH);
    rig.guest.set_legacy_context(SID, entry0, Context1::default().with_did(5).with_aw(2));
    assert_eq!(rig.read_without(VA), Ok(VA));
    rig.guest.set_legacy_context(SID, Context0::default(), Context1::default());
    rig.unit.invalidate(&Invalidation::ContextDomain { did: 6 });
    rig.unit.invalidate(&Invalidation::PasidDomain { did: 5 });
    rig.unit.invalidate(&Invalidation::Pasid { did: 5, pasid: 0 });
    assert_eq!(rig.read_without(VA), Ok(VA));
    rig.unit.invalidate(&Invalidation::ContextDomain { did: 5 });
    assert_eq!(rig.read_without(VA), Err(FaultReason::ContextNotPresent));
}

#[test]
fn pass_through() {
    let rig = Rig::new(false);
    rig.guest.set_pasid(rig.function, 0, &pasid_pass_through(5));
    rig.guest.set_pasid(rig.function, 1, &pasid_pass_through(5));
    for pasid in [None, Some(1)] {
        let answer = rig.ask(pasid, 0x1234_5678, WRITE).unwrap();
        assert_eq!((answer.addr, answer.page_mask), (0x1234_5678, ones(31)), "up to interrupts");
        assert!(answer.perm.read && answer.perm.write);
        let fault = rig.ask(pasid, 1 << 48, READ).unwrap_err();
        assert_eq!(fault.reason, FaultReason::ScalableBeyondWidth);
    }
}

#[test]
fn entries_of_the_table_decide_over_cached_pages() {
    let rig = Rig::new(false);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 12, kernel_ro());
    let entry = pasid_first(&tables, 5);
    rig.guest.set_pasid(rig.function, 1, &PasidEntry(entry.0, entry.1, entry.2.with_sre(1)));
    let ask = |access| rig.ask(Some(1), VA, access).map(|t| t.addr).map_err(|fault| fault.reason);
    assert_eq!(ask(privileged(WRITE)), Ok(0x9000_0000));
    assert_eq!(ask(READ), Err(FaultReason::UserSupervisor));
    assert_eq!(ask(privileged(EXEC)), Err(FaultReason::ExecuteDisabled));
    rig.guest.set_pasid(rig.function, 1, &PasidEntry(entry.0, entry.1, entry.2.with_sre(1).with_wpe(1)));
    assert_eq!(ask(privileged(WRITE)), Ok(0x9000_0000));
    rig.unit.invalidate(&Invalidation::Pasid { did: 5, pasid: 1 });
    assert_eq!(ask(privileged(WRITE)), Err(FaultReason::ScalableWrite));
    assert_eq!(ask(privileged(READ)), Ok(0x9000_0000));
    rig.guest.set_pasid(rig.function, 1, &entry);
    rig.unit.invalidate(&Invalidation::Pasid { did: 5, pasid: 1 });
    assert_eq!(ask(privileged(READ)), Err(FaultReason::SupervisorDisabled));
}

/// What a PASID was told, its endpoint uses by translated requests, which have no PASID: the context entry alone lets them
/// through, whatever `RID_PASID` leads to, and whatever is cached of it (`VTD §4.2.3`).
#[test]
fn translated_requests_ask_the_context_entry_alone() {
    let others = [
        None,
        Some(PasidEntry::default()),
        Some(PasidEntry(pasid_pass_through(7).0.with_pgtt(7), Default::default(), Default::default())),
        // By a table that maps nothing.
        Some(pasid_second(&TestGuest::new().second_stage(4), 7)),
    ];
    for adversarial in [false, true] {
        for other in others {
            let rig = Rig::new(adversarial);
            let tables = rig.process(1, 5);
            rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
            if let Some(entry) = &other {
                rig.guest.set_pasid(rig.function, 0, entry);
            }
            let ats = request(Some(1), VA, WRITE);
            let told = rig.unit.ats_translate(&rig.guest.mem, &rig.root, &ats).unwrap();
            let check = |addr, kind| {
                let req = request(None, addr, WRITE);
                rig.unit.check(&rig.guest.mem, &rig.root, &req, kind).map_err(|fault| fault.reason)
            };
            for _ in 0..2 {
                assert_eq!(check(told.addr, RequestKind::Translated), Ok(()));
                // What requests without PASID meet is kept beside it, and does not count.
                assert!(rig.read_without(VA).is_err());
            }
            let reads = rig.guest.mem.reads();
            assert_eq!(check(told.addr + 8, RequestKind::Translated), Ok(()));
            assert_eq!(rig.guest.mem.reads(), reads, "it is cached");
            // No interrupt is a translated request.
            for addr in [0xfee0_0000, 0xfeef_ffff] {
                assert_eq!(check(addr, RequestKind::Translated), Err(FaultReason::ScalableInterruptAddress));
            }
            // Device-TLBs are switched off: what was cached goes with the context entry.
            let entry0 = rig.guest.context0(rig.function).with_dte(0);
            rig.guest.set_context(rig.function, entry0, ScalableContext1::default());
            rig.unit.invalidate(&Invalidation::PasidDomain { did: 5 });
            assert_eq!(check(told.addr, RequestKind::Translated), Ok(()), "not named");
            rig.unit.invalidate(&Invalidation::ContextDevice { sid: SID as u16, function_mask: 0 });
            assert_eq!(check(told.addr, RequestKind::Translated), Err(FaultReason::DeviceTlbDisabled));
        }
    }
}

/// Of a domain with first-stage or nested pages, a page-selective invalidation takes all of them: who keeps pages outside
/// cannot find them by its addresses (`VTD §6.5.2.3`).
#[test]
fn domains_with_pages_of_first_stages() {
    let whole = [Invalidation::IotlbDomain { did: 5 }, Invalidation::IotlbGlobal, Invalidation::All];
    let too_little = [
        Invalidation::IotlbDomain { did: 6 },
        second_pages(5, VA, 0),
        pages(5, 1, VA, 0),
        Invalidation::PasidIotlbAll { did: 5, pasid: 1 },
        Invalidation::ContextGlobal,
    ];
    for what in whole {
        for is_nested in [false, true] {
            let (rig, ..) = nested(false);
            let second = rig.guest.second_stage(4);
            rig.guest.set_pasid(rig.function, 2, &pasid_second(&second, 5));
            rig.guest.map(&second, VA, 0x9000_0000, 12, ss_rw());
            let tables = rig.process(3, 5);
            rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
            let has = |did| rig.unit.has_pages_of_first_stages(did);
            assert_eq!(rig.read(2, VA), Ok(0x9000_0000));
            assert!(!has(5), "second-stage pages are known by the addresses that are named");
            assert_eq!(rig.read(if is_nested { 1 } else { 3 }, VA), Ok(0x9000_0000));
            assert!(has(5) && !has(6));
            for other in &too_little {
                rig.unit.invalidate(other);
                assert!(has(5), "{other:?}");
            }
            rig.unit.invalidate(&what);
            assert!(!has(5), "{what:?}");
            let _ = rig.read(if is_nested { 1 } else { 3 }, VA);
            rig.unit.reset();
            assert!(!has(5));
        }
    }
}

#[test]
fn fault_processing_disabled_in_a_cached_entry() {
    let rig = Rig::new(false);
    let tables = rig.process(1, 5);
    let entry = pasid_first(&tables, 5);
    rig.guest.set_pasid(rig.function, 1, &PasidEntry(entry.0.with_fpd(1), entry.1, entry.2));
    for _ in 0..2 {
        let fault = rig.ask(Some(1), VA, READ).unwrap_err();
        assert_eq!((fault.reason, fault.record), (FaultReason::FirstStageNotPresent, false));
    }
}

/// A table is freed and its pages are invalidated, with the hint that tables are not concerned: an adversarial unit
/// goes on using it.
#[test]
fn a_forgotten_table_shows() {
    let cases = |adversarial, leaf, shift: u32| {
        let rig = Rig::new(adversarial);
        let tables = rig.process(1, 5);
        rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
        rig.guest.mem.put(rig.guest.entry(&tables, VA, shift), 0);
        rig.unit.invalidate(&Invalidation::PasidIotlbPages {
            did: 5,
            pasid: 1,
            addr: VA,
            address_mask: 0,
            leaf,
        });
        rig.read(1, VA)
    };
    for shift in [21, 30, 39] {
        let gone = Err(FaultReason::FirstStageNotPresent);
        assert_eq!(cases(true, true, shift), Ok(0x9000_0000));
        assert_eq!(cases(true, false, shift), gone);
        assert_eq!(cases(false, true, shift), gone);
    }
    let second = |leaf| {
        let rig = Rig::new(true);
        let tables = rig.guest.second_stage(4);
        rig.guest.set_pasid(rig.function, 0, &pasid_second(&tables, 5));
        rig.guest.map(&tables, VA, 0x9000_0000, 12, ss_rw());
        assert_eq!(rig.read_without(VA), Ok(0x9000_0000));
        rig.guest.mem.put(rig.guest.entry(&tables, VA, 21), 0);
        rig.unit.invalidate(&Invalidation::IotlbPages { did: 5, addr: VA, address_mask: 0, leaf });
        rig.read_without(VA)
    };
    assert_eq!(second(true), Ok(0x9000_0000));
    assert_eq!(second(false), Err(FaultReason::SecondStageNotPresent));
}

#[test]
fn abort_mode_and_what_is_cached() {
    let mut rig = Rig::new(false);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
    assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    rig.root = RootTable { rtaddr: rig.guest.root | 0b11 << 10 };
    rig.unit.invalidate(&Invalidation::All);
    assert_eq!(rig.read(1, VA), Err(FaultReason::AbortDma));
    assert_eq!(rig.read_without(VA), Err(FaultReason::AbortDma));
}

#[test]
fn reset_forgets_everything() {
    let rig = Rig::new(true);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
    assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    rig.guest.mem.put(rig.guest.pasid_entry(rig.function, 1), 0);
    rig.unit.reset();
    assert_eq!(rig.read(1, VA), Err(FaultReason::PasidNotPresent));
}

/// Or the micro-TLB would take nothing in any more.
#[test]
fn every_invalidation_is_done_when_it_returns() {
    let unit = Translator::new(Features::default(), 64);
    let at_rest = |unit: &Translator| unit.sequence.is_at_rest(unit.sequence.now());
    assert!(at_rest(&unit));
    let before = unit.sequence.now();
    unit.invalidate(&Invalidation::IotlbGlobal);
    assert!(at_rest(&unit) && unit.sequence.now() > before);
    unit.reset();
    assert!(at_rest(&unit));
    let _ = unit.sequence.advance();
    assert!(!at_rest(&unit));
}
