// SPDX-License-Identifier: GPL-2.0-or-later
//! Walks, one rule at a time, and random tables against a second opinion.

mod nested;
mod random;
mod second;

use super::*;
use crate::vtd::config::{RequestKind, lookup};
use crate::vtd::spec::pasid::{Pasid1, Pasid2};
use crate::vtd::testing::*;

const PASID: u32 = 3;
const VA: u64 = 0x7fff_1234_5000;
const PA: u64 = 0x9_8765_4000;

struct Rig {
    guest: TestGuest,
    function: Function,
    tables: Tables,
    f: Features,
}

impl Rig {
    fn new(levels: u32) -> Self {
        let guest = TestGuest::new();
        let function = guest.function(SID);
        let tables = guest.first_stage(levels);
        let rig = Self { guest, function, tables, f: Features::default() };
        rig.bind(|entry| entry);
        rig
    }

    /// PASID 3 has the tables, with other bits in the last word.
    fn bind(&self, change: impl Fn(Pasid2) -> Pasid2) {
        let entry = pasid_first(&self.tables, 5);
        self.guest.set_pasid(self.function, PASID, &PasidEntry(entry.0, entry.1, change(entry.2)));
    }

    fn context(&self) -> Context {
        let req = request(Some(PASID), 0, READ);
        lookup(&self.guest.mem, &self.f, &self.guest.scalable_root(), &req, RequestKind::Untranslated)
            .unwrap()
    }

    fn walk(&self, addr: u64, access: Access) -> (Result<Mapping, FaultReason>, Updates) {
        let req = request(Some(PASID), addr, access);
        let (result, updates) = walk(&self.guest.mem, &(), &self.f, &self.context(), &req);
        (result.map_err(|fault| fault.reason), updates)
    }

    fn map(&self, shift: u32, flags: u64) -> u64 {
        self.guest.map(&self.tables, VA, PA & !ones(shift), shift, flags)
    }

    fn reason(&self, access: Access) -> Option<FaultReason> {
        self.walk(VA, access).0.err()
    }
}

const A: u64 = 1 << 5;
const D: u64 = 1 << 6;
const EA: u64 = 1 << 10;
const XD: u64 = 1 << 63;

#[test]
fn pages_of_every_size_at_both_depths() {
    for levels in [4, 5] {
        for shift in [12, 21, 30] {
            let rig = Rig::new(levels);
            rig.map(shift, user_rw());
            let page = rig.walk(VA + 0x123, WRITE).0.unwrap();
            assert_eq!((page.addr, u32::from(page.log2size)), (PA & !ones(shift), shift));
            let allowed = page.perms.permissions(&rig.context(), false);
            assert!(allowed.read && allowed.write && allowed.exec);
        }
    }
}

#[test]
fn addresses_are_canonical() {
    for (levels, top) in [(4, 47), (5, 56)] {
        let rig = Rig::new(levels);
        for addr in [1 << top, !(1 << top), u64::MAX >> 1, 1 << 63, 1 << 62] {
            assert_eq!(rig.walk(addr, READ).0, Err(FaultReason::NotCanonical), "{addr:#x}");
        }
        for addr in [0, (1 << top) - 1, !((1 << top) - 1), u64::MAX] {
            assert_eq!(rig.walk(addr, READ).0, Err(FaultReason::FirstStageNotPresent), "{addr:#x}");
        }
        // The upper half has the upper entries.
        let high = 0xffff_8000_0000_0000;
        rig.guest.map(&rig.tables, high, PA, 12, user_rw());
        assert_eq!(rig.walk(high, READ).0.unwrap().addr, PA);
    }
}

#[test]
fn reserved_bits_of_entries() {
    let rig = Rig::new(4);
    let large = |shift: u32, bit: u32| {
        let at = rig.map(shift, user_rw());
        rig.guest.mem.put(at, rig.guest.mem.get(at) ^ 1 << bit);
        let reason = rig.reason(READ);
        rig.guest.mem.put(at, 0);
        reason
    };
    let reserved = Some(FaultReason::FirstStageReserved);
    // Bits above the host's addresses, in a page's entry.
    assert_eq!(large(12, 48), reserved);
    assert_eq!(large(12, 51), reserved);
    assert_eq!(large(12, 52), None);
    assert_eq!(large(12, 62), None);
    // Bit 7 of a 4 KiB page's entry is its memory type's, and bit 12 of a larger one's.
    assert_eq!(large(12, 7), None);
    assert_eq!(large(30, 12), None);
    for bit in 13..30 {
        let rig = Rig::new(4);
        let at = rig.map(30, user_rw());
        rig.guest.mem.put(at, (rig.guest.mem.get(at) & !ones(30)) | user_rw() | 1 << 7 | 1 << bit);
        assert_eq!(rig.reason(READ), reserved);
        let rig = Rig::new(4);
        let at = rig.map(21, user_rw());
        rig.guest.mem.put(at, (rig.guest.mem.get(at) & !ones(21)) | user_rw() | 1 << 7 | 1 << bit);
        assert_eq!(rig.reason(READ), if bit < 21 { reserved } else { None });
    }
    // The page size bit, too high up.
    for (levels, shift) in [(4, 39), (5, 39), (5, 48)] {
        let rig = Rig::new(levels);
        rig.map(12, user_rw());
        let at = rig.guest.entry(&rig.tables, VA, shift);
        rig.guest.mem.put(at, rig.guest.mem.get(at) | 1 << 7);
        assert_eq!(rig.reason(READ), reserved);
    }
    // 1 GiB pages that are not there.
    let mut rig = Rig::new(4);
    rig.map(30, user_rw());
    rig.f.fs1gp = false;
    assert_eq!(rig.reason(READ), reserved);
}

#[test]
fn a_missing_entry_is_missing_whatever_else_it_says() {
    for shift in [12, 21, 30, 39] {
        let rig = Rig::new(4);
        rig.map(12, user_rw());
        let at = rig.guest.entry(&rig.tables, VA, shift);
        rig.guest.mem.put(at, u64::MAX - 1);
        assert_eq!(rig.reason(READ), Some(FaultReason::FirstStageNotPresent));
    }
}

#[test]
fn tables_that_cannot_be_read() {
    let rig = Rig::new(4);
    rig.map(12, user_rw());
    let at = rig.guest.entry(&rig.tables, VA, 21);
    rig.guest.mem.hole(at..at + 8);
    assert_eq!(rig.reason(READ), Some(FaultReason::FirstStageAccess));
    rig.guest.mem.hole(rig.tables.root..rig.tables.root + 0x1000);
    assert_eq!(rig.reason(READ), Some(FaultReason::FirstStageRootAccess));
}

#[test]
fn who_may_do_what() {
    let rig = Rig::new(4);
    let write = Some(FaultReason::ScalableWrite);
    let user = Some(FaultReason::UserSupervisor);
    let exec = Some(FaultReason::Execute);
    let with = |flags: u64, change: fn(Pasid2) -> Pasid2, access: Access| {
        rig.map(12, flags);
        rig.bind(|entry| change(entry.with_sre(1).with_ere(1)));
        rig.reason(access)
    };
    let same: fn(Pasid2) -> Pasid2 = |entry| entry;
    let wpe: fn(Pasid2) -> Pasid2 = |entry| entry.with_wpe(1);
    let nxe: fn(Pasid2) -> Pasid2 = |entry| entry.with_nxe(1);
    let smep: fn(Pasid2) -> Pasid2 = |entry| entry.with_smep(1);
    assert_eq!(with(user_rw(), same, WRITE), None);
    assert_eq!(with(user_ro(), same, READ), None);
    assert_eq!(with(user_ro(), same, WRITE), write);
    assert_eq!(with(kernel_rw(), same, READ), user);
    assert_eq!(with(kernel_rw(), same, NOTHING), user);
    assert_eq!(with(user_ro(), same, NOTHING), None);
    // Supervisors write where they like, unless write protection is on.
    assert_eq!(with(kernel_ro(), same, privileged(WRITE)), None);
    assert_eq!(with(user_ro(), same, privileged(WRITE)), None);
    assert_eq!(with(kernel_ro(), wpe, privileged(WRITE)), write);
    assert_eq!(with(user_ro(), wpe, privileged(READ)), None);
    assert_eq!(with(user_rw(), wpe, privileged(WRITE)), None);
    assert_eq!(with(user_ro(), wpe, WRITE), write);
    // Execution.
    assert_eq!(with(user_ro() | XD, same, EXEC), None);
    assert_eq!(with(user_ro() | XD, nxe, EXEC), exec);
    assert_eq!(with(user_ro() | XD, nxe, READ), None);
    assert_eq!(with(user_ro(), nxe, EXEC), None);
    assert_eq!(with(user_ro(), smep, privileged(EXEC)), exec);
    assert_eq!(with(kernel_ro(), smep, privileged(EXEC)), None);
    assert_eq!(with(user_ro(), smep, EXEC), None);
    assert_eq!(with(user_ro(), smep, privileged(READ)), None);
}

#[test]
fn tables_above_take_away() {
    for shift in [21, 30, 39] {
        let rig = Rig::new(4);
        rig.bind(|entry| entry.with_nxe(1).with_ere(1));
        rig.map(12, user_rw());
        let at = rig.guest.entry(&rig.tables, VA, shift);
        let pte = rig.guest.mem.get(at);
        rig.guest.mem.put(at, pte & !2);
        assert_eq!(rig.reason(WRITE), Some(FaultReason::ScalableWrite));
        assert_eq!(rig.reason(READ), None);
        rig.guest.mem.put(at, pte & !4);
        assert_eq!(rig.reason(READ), Some(FaultReason::UserSupervisor));
        rig.guest.mem.put(at, pte | XD);
        assert_eq!(rig.reason(EXEC), Some(FaultReason::Execute));
        assert_eq!(rig.reason(WRITE), None);
    }
}

#[test]
fn accessed_everywhere_and_dirty_in_the_page() {
    let rig = Rig::new(5);
    let leaf = rig.map(12, user_rw());
    let flags = || {
        [48, 39, 30, 21, 12].map(|s| rig.guest.mem.get(rig.guest.entry(&rig.tables, VA, s)) & (A | D | EA))
    };
    let (result, updates) = rig.walk(VA, READ);
    assert!(result.unwrap().perms.is_clean());
    assert_eq!(updates, Updates { accessed: true, dirtied: false });
    assert_eq!(flags(), [A; 5]);
    // Nothing is written twice.
    let before = rig.guest.mem.updates();
    assert_eq!(rig.walk(VA, READ).1, Updates::default());
    assert_eq!(rig.guest.mem.updates(), before);
    // Accessed already, and yet a write makes it dirty.
    let (result, updates) = rig.walk(VA, WRITE);
    assert!(!result.unwrap().perms.is_clean() && updates.dirtied);
    assert_eq!(flags(), [A, A, A, A, A | D]);
    assert!(!rig.walk(VA, READ).0.unwrap().perms.is_clean());
    rig.guest.mem.put(leaf, rig.guest.mem.get(leaf) & !(A | D));
    let _ = rig.walk(VA, WRITE).0.unwrap();
    assert_eq!(flags()[4], A | D);
    rig.bind(|entry| entry.with_eafe(1));
    let _ = rig.walk(VA, READ).0.unwrap();
    assert_eq!(flags(), [A | EA, A | EA, A | EA, A | EA, A | D | EA]);
}

#[test]
fn a_fault_sets_no_flag() {
    let rig = Rig::new(4);
    rig.map(12, user_ro());
    assert_eq!(rig.reason(WRITE), Some(FaultReason::ScalableWrite));
    assert_eq!(rig.guest.mem.updates(), 0);
    rig.map(12, user_rw());
    rig.guest.map(&rig.tables, VA, 0xfee0_0000, 12, user_rw());
    assert_eq!(rig.reason(WRITE), Some(FaultReason::ScalableInterruptAddress));
    assert_eq!(rig.guest.mem.updates(), 0);
}

#[test]
fn an_entry_that_changes_meanwhile_is_judged_anew() {
    let rig = Rig::new(4);
    let leaf = rig.map(12, user_rw());
    let pte = rig.guest.mem.get(leaf);
    // The kernel write-protects it just before the flag is set: no write gets through, no change is undone.
    rig.guest.mem.race(leaf, pte & !2);
    assert_eq!(rig.reason(WRITE), Some(FaultReason::ScalableWrite));
    assert_eq!(rig.guest.mem.get(leaf), pte & !2);
    rig.guest.mem.put(leaf, pte);
    rig.guest.mem.race(leaf, 0);
    assert_eq!(rig.reason(WRITE), Some(FaultReason::FirstStageNotPresent));
    assert_eq!(rig.guest.mem.get(leaf), 0);
    rig.guest.mem.put(leaf, pte);
    rig.guest.mem.race(leaf, pte + 0x1000);
    assert_eq!(rig.walk(VA, WRITE).0.unwrap().addr, PA + 0x1000);
    assert_eq!(rig.guest.mem.get(leaf), (pte + 0x1000) | A | D);
    // A CPU that sets accessed flags at the same time.
    rig.guest.mem.put(leaf, pte);
    rig.guest.mem.race(leaf, pte | A);
    assert_eq!(rig.walk(VA, WRITE).0.unwrap().addr, PA);
    assert_eq!(rig.guest.mem.get(leaf), pte | A | D);
}

#[test]
fn somebody_who_never_stops_changing_an_entry_is_given_up_on() {
    let rig = Rig::new(4);
    let leaf = rig.map(12, user_rw());
    (1..1000).for_each(|n| rig.guest.mem.race(leaf, (PA + n * 0x1000) | user_rw()));
    assert_eq!(rig.reason(WRITE), Some(FaultReason::FirstStageUpdate));
}

#[test]
fn without_snooping_no_flag_is_set() {
    let rig = Rig::new(4);
    let entry = pasid_first(&rig.tables, 5);
    rig.guest.set_pasid(rig.function, PASID, &PasidEntry(entry.0, Pasid1::default().with_did(5), entry.2));
    let leaf = rig.map(12, user_rw());
    assert_eq!(rig.reason(READ), Some(FaultReason::FirstStageNoSnoop));
    for shift in [39, 30, 21, 12] {
        let at = rig.guest.entry(&rig.tables, VA, shift);
        rig.guest.mem.put(at, rig.guest.mem.get(at) | A);
    }
    assert_eq!(rig.reason(READ), None);
    assert_eq!(rig.reason(WRITE), Some(FaultReason::FirstStageNoSnoop));
    rig.guest.mem.put(leaf, rig.guest.mem.get(leaf) | D);
    assert_eq!(rig.reason(WRITE), None);
    // QEMU's own model sets flags all the same (docs/replace.md).
    let mut rig = rig;
    rig.f.leniency.flag_updates = true;
    rig.guest.mem.put(leaf, rig.guest.mem.get(leaf) & !(A | D));
    assert_eq!(rig.reason(WRITE), None);
    assert_eq!(rig.guest.mem.get(leaf) & (A | D), A | D);
}

/// Entries that are kept are used, and their flags are not set again.
#[test]
fn kept_entries_are_used() {
    use std::cell::RefCell;
    use std::collections::HashMap;
    #[derive(Default)]
    struct Kept(RefCell<HashMap<(bool, u32, u64), u64>>);
    impl StructureCache for Kept {
        fn cached(&self, stage: Stage, shift: u32, input: u64) -> Option<u64> {
            self.0.borrow().get(&(stage == Stage::First, shift, input >> shift)).copied()
        }
        fn remember(&self, stage: Stage, shift: u32, input: u64, entry: u64) {
            self.0.borrow_mut().insert((stage == Stage::First, shift, input >> shift), entry);
        }
    }
    let rig = Rig::new(4);
    rig.map(12, user_rw());
    let kept = Kept::default();
    let walk = |access| {
        let req = request(Some(PASID), VA, access);
        walk(&rig.guest.mem, &kept, &rig.f, &rig.context(), &req).0.map_err(|fault| fault.reason)
    };
    assert_eq!(walk(READ).unwrap().addr, PA);
    assert_eq!(kept.0.borrow().len(), 3);
    let at = rig.guest.entry(&rig.tables, VA, 21);
    rig.guest.mem.put(at, 0);
    assert_eq!(walk(WRITE).unwrap().addr, PA);
    assert_eq!(rig.guest.mem.get(at), 0);
    assert_eq!(rig.reason(READ), Some(FaultReason::FirstStageNotPresent));
}
