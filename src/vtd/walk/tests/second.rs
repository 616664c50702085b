// SPDX-License-Identifier: GPL-2.0-or-later
//! The second stage by itself, in legacy and in scalable mode.

use super::*;
use crate::vtd::spec::context::{Context0, Context1, tt};
use crate::vtd::spec::pasid::Pasid0;
use crate::vtd::spec::pte::SecondStage;

const IOVA: u64 = 0x12_3456_7000;

struct Second {
    guest: TestGuest,
    tables: Tables,
    contexts: [Context; 2],
    f: Features,
}

const A2: u64 = 1 << 8;
const D2: u64 = 1 << 9;

fn second(levels: u32, change: impl Fn(Pasid0) -> Pasid0) -> Second {
    let guest = TestGuest::new();
    let tables = guest.second_stage(levels);
    let f = Features { aw_bits: 57, ..Features::default() };
    let function = guest.function(SID);
    let entry = pasid_second(&tables, 7);
    guest.set_pasid(function, 0, &PasidEntry(change(entry.0), entry.1, entry.2));
    let req = request(None, 0, READ);
    let kind = RequestKind::Untranslated;
    let scalable = lookup(&guest.mem, &f, &guest.scalable_root(), &req, kind).unwrap();
    let legacy = TestGuest::new();
    let entry0 = Context0::default().with_p(1).with_tt(tt::UNTRANSLATED).with_ssptptr(tables.root >> 12);
    let aw = u64::from(levels) - 2;
    legacy.set_legacy_context(SID, entry0, Context1::default().with_aw(aw).with_did(7));
    let legacy = lookup(&legacy.mem, &f, &legacy.legacy_root(), &req, kind).unwrap();
    Second { guest, tables, contexts: [legacy, scalable], f }
}

impl Second {
    /// Reasons in legacy and in scalable mode.
    fn walk(&self, addr: u64, access: Access) -> [Result<Mapping, FaultReason>; 2] {
        self.contexts.map(|context| {
            let req = request(None, addr, access);
            walk(&self.guest.mem, &(), &self.f, &context, &req).0.map_err(|fault| fault.reason)
        })
    }

    fn reasons(&self, addr: u64, access: Access) -> [Option<FaultReason>; 2] {
        self.walk(addr, access).map(Result::err)
    }

    fn map(&self, shift: u32, flags: u64) -> u64 {
        self.guest.map(&self.tables, IOVA, PA & !ones(shift), shift, flags)
    }
}

#[test]
fn pages_of_every_size_at_every_depth() {
    for levels in [3, 4, 5] {
        for shift in [12, 21, 30] {
            let rig = second(levels, |entry| entry);
            rig.map(shift, ss_rw());
            for page in rig.walk(IOVA, WRITE) {
                let page = page.unwrap();
                assert_eq!((page.addr, u32::from(page.log2size)), (PA & !ones(shift), shift));
                assert!(!page.perms.is_clean());
            }
            assert_eq!(rig.guest.mem.updates(), 0);
        }
        let rig = second(levels, |entry| entry);
        let beyond = [Some(FaultReason::AddressBeyondWidth), Some(FaultReason::ScalableBeyondWidth)];
        let bits = 12 + 9 * levels;
        let absent = [Some(FaultReason::Read), Some(FaultReason::SecondStageNotPresent)];
        assert_eq!(rig.reasons(1 << bits, READ), beyond);
        assert_eq!(rig.reasons((1 << bits) - 1, READ), absent);
        assert_eq!(rig.reasons(u64::MAX, READ), beyond);
    }
}

#[test]
fn permissions() {
    let rig = second(4, |entry| entry);
    let write = [Some(FaultReason::Write), Some(FaultReason::ScalableWrite)];
    let read = [Some(FaultReason::Read), Some(FaultReason::ScalableRead)];
    rig.map(12, ss_ro());
    assert_eq!(rig.reasons(IOVA, READ), [None; 2]);
    assert_eq!(rig.reasons(IOVA, WRITE), write);
    rig.map(12, ss_wo());
    assert_eq!(rig.reasons(IOVA, WRITE), [None; 2]);
    assert_eq!(rig.reasons(IOVA, READ), read);
    // A zero-length read of a page that can only be written.
    assert_eq!(rig.reasons(IOVA, NOTHING), [None; 2]);
    let atomic = Access { read: true, ..WRITE };
    assert_eq!(rig.reasons(IOVA, atomic), read);
    // Privileges and instruction fetches are for the first stage.
    rig.map(12, ss_rw());
    assert_eq!(rig.reasons(IOVA, privileged(EXEC)), [None; 2]);
    for shift in [21, 30, 39] {
        let rig = second(4, |entry| entry);
        rig.map(12, ss_rw());
        let at = rig.guest.entry(&rig.tables, IOVA, shift);
        rig.guest.mem.put(at, rig.guest.mem.get(at) & !2);
        assert_eq!(rig.reasons(IOVA, WRITE), write);
        assert_eq!(rig.reasons(IOVA, READ), [None; 2]);
        rig.guest.mem.put(at, rig.guest.mem.get(at) & !3);
        assert_eq!(
            rig.reasons(IOVA, WRITE),
            [Some(FaultReason::Write), Some(FaultReason::SecondStageNotPresent)]
        );
    }
}

#[test]
fn reserved_bits() {
    let reserved = [Some(FaultReason::PagingEntryReserved), Some(FaultReason::SecondStageReserved)];
    let with = |snoop_control, shift: u32, bits: u64| {
        let mut rig = second(4, |entry| entry);
        rig.f = Features { snoop_control, aw_bits: 48, ..rig.f };
        rig.map(12, ss_rw());
        let at = rig.guest.entry(&rig.tables, IOVA, shift);
        rig.guest.mem.put(at, rig.guest.mem.get(at) | bits);
        rig.reasons(IOVA, READ)
    };
    assert_eq!(with(true, 39, 1 << 7), reserved);
    assert_eq!(with(true, 12, 1 << 48), reserved);
    assert_eq!(with(true, 21, 1 << 51), reserved);
    assert_eq!(with(true, 12, 1 << 11), [None; 2]);
    assert_eq!(with(false, 12, 1 << 11), reserved);
    assert_eq!(with(true, 21, 1 << 11), reserved);
    // Ignored: memory types, for software, transient mapping.
    assert_eq!(with(true, 12, 0x7c | 1 << 10 | 0x7ff << 52 | 1 << 63), [None; 2]);
    for (shift, bits) in [(21, 12..21), (30, 12..30)] {
        for bit in bits {
            let rig = second(4, |entry| entry);
            rig.guest.map(&rig.tables, IOVA, 1 << bit, shift, ss_rw());
            assert_eq!(rig.reasons(IOVA, READ), reserved);
        }
    }
}

#[test]
fn tables_that_cannot_be_read() {
    let rig = second(4, |entry| entry);
    rig.map(12, ss_rw());
    let at = rig.guest.entry(&rig.tables, IOVA, 12);
    rig.guest.mem.hole(at..at + 8);
    let access = FaultReason::PagingEntryAccess;
    assert_eq!(rig.reasons(IOVA, READ), [Some(access), Some(FaultReason::SecondStageAccess)]);
    rig.guest.mem.hole(rig.tables.root..rig.tables.root + 0x1000);
    assert_eq!(rig.reasons(IOVA, READ), [Some(access), Some(FaultReason::SecondStageRootAccess)]);
}

#[test]
fn interrupts_are_no_memory() {
    let rig = second(4, |entry| entry);
    rig.guest.map(&rig.tables, IOVA, 0xfeef_f000, 12, ss_rw());
    let expected = [Some(FaultReason::InterruptAddress), Some(FaultReason::ScalableInterruptAddress)];
    assert_eq!(rig.reasons(IOVA, WRITE), expected);
    // Of a large page only that part.
    rig.guest.map(&rig.tables, 0x4000_0000, 0xc000_0000, 30, ss_rw());
    assert_eq!(rig.reasons(0x4000_0000 + 0x3ee0_0000, WRITE), expected);
    assert_eq!(rig.reasons(0x4000_0000 + 0x3edf_ffff, WRITE), [None; 2]);
}

#[test]
fn flags_if_they_are_kept() {
    let rig = second(3, |entry| entry.with_ssade(1));
    let scalable = |access| {
        let req = request(None, IOVA, access);
        let (result, updates) = walk(&rig.guest.mem, &(), &rig.f, &rig.contexts[1], &req);
        (result.map_err(|fault| fault.reason), updates)
    };
    let flags = || [30, 21, 12].map(|s| rig.guest.mem.get(rig.guest.entry(&rig.tables, IOVA, s)) & (A2 | D2));
    let leaf = rig.map(12, ss_rw());
    let (page, updates) = scalable(READ);
    assert!(page.unwrap().perms.is_clean());
    assert_eq!((flags(), updates), ([A2; 3], Updates { accessed: true, dirtied: false }));
    let (page, updates) = scalable(WRITE);
    assert!(!page.unwrap().perms.is_clean() && updates.dirtied);
    assert_eq!(flags(), [A2, A2, A2 | D2]);
    // Dirty tracking: cleaned, and written again.
    rig.guest.mem.put(leaf, rig.guest.mem.get(leaf) & !D2);
    assert!(scalable(READ).0.unwrap().perms.is_clean());
    let pte = SecondStage::from(rig.guest.mem.get(leaf));
    rig.guest.mem.race(leaf, pte.with_w(0).bits());
    assert_eq!(scalable(WRITE).0, Err(FaultReason::ScalableWrite));
    assert_eq!(rig.guest.mem.get(leaf), pte.with_w(0).bits());
}
