// SPDX-License-Identifier: GPL-2.0-or-later
//! The first stage nested on the second.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::vtd::spec::pasid::Pasid0;

/// Where the guest's guest sees memory: everything of ours is that much higher.
const OFFSET: u64 = 0x40_0000_0000;
const GPA: u64 = 0x12_3456_7000;

struct Nested {
    guest: TestGuest,
    first: Tables,
    second: Tables,
    function: Function,
    f: Features,
}

impl Nested {
    fn new(levels: u32) -> Self {
        let guest = TestGuest::new();
        let function = guest.function(SID);
        let (first, second) = (guest.nested(levels, OFFSET), guest.second_stage(4));
        let rig = Self { guest, first, second, function, f: Features::default() };
        rig.bind(|entry| entry);
        rig
    }

    fn bind(&self, change: impl Fn(Pasid0) -> Pasid0) {
        let entry = pasid_nested(&self.first, &self.second, 5);
        self.guest.set_pasid(self.function, PASID, &PasidEntry(change(entry.0), entry.1, entry.2));
    }

    /// The second stage maps all the tables that there are, so far.
    fn map_tables(&self) {
        let mut page = 0x10_0000;
        // Mapping makes tables.
        while page < self.guest.top() {
            self.guest.map(&self.second, page + OFFSET, page, 12, ss_rw());
            page += 0x1000;
        }
    }

    fn second_entry(&self, gpa: u64) -> u64 {
        self.guest.entry(&self.second, gpa, 12)
    }

    fn walk(&self, access: Access) -> (Result<Mapping, FaultReason>, Updates) {
        let req = request(Some(PASID), VA, access);
        let table = self.guest.scalable_root();
        let context = lookup(&self.guest.mem, &self.f, &table, &req, RequestKind::Untranslated).unwrap();
        let (result, updates) = walk(&self.guest.mem, &(), &self.f, &context, &req);
        (result.map_err(|fault| fault.reason), updates)
    }

    fn reason(&self, access: Access) -> Option<FaultReason> {
        self.walk(access).0.err()
    }
}

fn mapped(levels: u32, first_shift: u32, second_shift: u32) -> Nested {
    let rig = Nested::new(levels);
    rig.guest.map(&rig.first, VA, GPA & !ones(first_shift), first_shift, user_rw());
    let gpa = GPA & !ones(first_shift) | VA & ones(first_shift) & !0xfff;
    rig.guest.map(&rig.second, gpa, PA & !ones(second_shift), second_shift, ss_rw());
    rig.map_tables();
    rig
}

#[test]
fn the_page_is_the_smaller_of_both() {
    for levels in [4, 5] {
        for first in [12, 21, 30] {
            for second in [12, 21, 30] {
                let rig = mapped(levels, first, second);
                let page = rig.walk(WRITE).0.unwrap();
                let gpa = GPA & !ones(first) | VA & ones(first);
                let expected = PA & !ones(second) | gpa & ones(second);
                assert_eq!(u32::from(page.log2size), first.min(second));
                assert_eq!(page.addr, expected & !ones(first.min(second)), "{first} {second}");
            }
        }
    }
}

#[test]
fn every_table_pointer_goes_through_the_second_stage() {
    for shift in [39, 30, 21, 12] {
        let root = shift == 39;
        let rig = mapped(4, 12, 12);
        let at = rig.guest.entry(&rig.first, VA, shift);
        let entry = rig.second_entry(at + OFFSET);
        let good = rig.guest.mem.get(entry);
        rig.guest.mem.put(entry, 0);
        assert_eq!(rig.reason(READ), Some(FaultReason::SecondStageNotPresent));
        // Not readable.
        rig.guest.mem.put(entry, good & !1);
        let unreadable = if root { FaultReason::FirstStageRootRead } else { FaultReason::FirstStageRead };
        assert_eq!(rig.reason(READ), Some(unreadable));
        // Not writable, for the accessed flag.
        rig.guest.mem.put(entry, good & !2);
        assert_eq!(rig.reason(READ), Some(FaultReason::FirstStageWrite));
        rig.guest.mem.put(at, rig.guest.mem.get(at) | A);
        assert_eq!(rig.reason(READ), None);
        // Moved: another copy of the table is used.
        rig.guest.mem.put(entry, good);
        let copy = rig.guest.page();
        (0..512).for_each(|n| rig.guest.mem.put(copy + n * 8, rig.guest.mem.get((at & !0xfff) + n * 8)));
        rig.guest.mem.put(at, 0);
        assert_eq!(rig.reason(READ), Some(FaultReason::FirstStageNotPresent));
        rig.guest.mem.put(entry, copy | good & 3);
        assert_eq!(rig.reason(READ), None);
    }
}

#[test]
fn beyond_the_second_stage() {
    let rig = Nested::new(4);
    let leaf = rig.guest.map(&rig.first, VA, 1 << 48, 12, user_rw());
    rig.map_tables();
    assert_eq!(rig.reason(READ), Some(FaultReason::SecondStageBeyondWidth));
    rig.guest.mem.put(leaf, GPA | user_rw());
    assert_eq!(rig.reason(READ), Some(FaultReason::SecondStageNotPresent));
    let at = rig.guest.entry(&rig.first, VA, 21);
    rig.guest.mem.put(at, 1 << 49 | user_rw());
    assert_eq!(rig.reason(READ), Some(FaultReason::FirstStageBeyondWidth));
}

#[test]
fn permissions_of_both_count() {
    let rig = mapped(4, 12, 12);
    rig.guest.map(&rig.second, GPA, PA, 12, ss_ro());
    assert_eq!(rig.reason(WRITE), Some(FaultReason::ScalableWrite));
    assert_eq!(rig.reason(READ), None);
    rig.guest.map(&rig.second, GPA, PA, 12, ss_wo());
    assert_eq!(rig.reason(READ), Some(FaultReason::ScalableRead));
    rig.guest.map(&rig.second, GPA, PA, 12, ss_rw());
    rig.guest.map(&rig.first, VA, GPA, 12, user_ro());
    assert_eq!(rig.reason(WRITE), Some(FaultReason::ScalableWrite));
    rig.guest.map(&rig.first, VA, GPA, 12, kernel_rw());
    assert_eq!(rig.reason(READ), Some(FaultReason::UserSupervisor));
    // Not allowed by the first stage: the second is not asked.
    rig.guest.mem.put(rig.second_entry(GPA), 0);
    assert_eq!(rig.reason(READ), Some(FaultReason::UserSupervisor));
}

#[test]
fn flags_of_both() {
    const A2: u64 = 1 << 8;
    const D2: u64 = 1 << 9;
    let rig = mapped(4, 12, 12);
    rig.bind(|entry| entry.with_ssade(1));
    let flags = |gpa: u64| rig.guest.mem.get(rig.second_entry(gpa)) & (A2 | D2);
    let leaf = rig.guest.entry(&rig.first, VA, 12);
    let (page, updates) = rig.walk(READ);
    assert!(page.unwrap().perms.is_clean() && updates.accessed);
    assert_eq!(flags(GPA), A2);
    // Tables were written to: their accessed flags.
    assert_eq!(flags(leaf + OFFSET), A2 | D2);
    assert_eq!(rig.guest.mem.get(leaf) & (A | D), A);
    // Dirty in the first stage alone is not enough.
    rig.guest.mem.put(leaf, rig.guest.mem.get(leaf) | D);
    assert!(rig.walk(READ).0.unwrap().perms.is_clean());
    assert!(!rig.walk(WRITE).0.unwrap().perms.is_clean());
    assert_eq!(flags(GPA), A2 | D2);
    assert!(!rig.walk(READ).0.unwrap().perms.is_clean());
    rig.guest.mem.put(leaf, rig.guest.mem.get(leaf) & !D);
    assert!(rig.walk(READ).0.unwrap().perms.is_clean());
}

#[derive(Clone, Copy, Debug)]
struct Choice {
    present: bool,
    rights: u64,
    scatter: u64,
}

fn choice() -> impl Strategy<Value = Choice> {
    (prop::bool::weighted(0.9), prop_oneof![8 => Just(3u64), 1 => Just(1), 1 => Just(2)], 0..1u64 << 20)
        .prop_map(|(present, rights, scatter)| Choice { present, rights, scatter })
}

proptest! {
    /// Tables anywhere in the intermediate space, mapped or not: the walk finds what two lookups in plain maps find.
    #[test]
    fn two_maps_in_a_row(
        choices in prop::collection::vec(choice(), 5),
        write in any::<bool>(),
        flags in prop::sample::select(vec![user_rw(), user_ro(), user_rw() | A, user_rw() | A | D]),
    ) {
        let rig = Nested::new(4);
        // Four tables and the page, each with an intermediate address of its own.
        let mut second = BTreeMap::new();
        let places: Vec<_> = choices.iter().enumerate().map(|(n, choice)| {
            let gpa = 0x40_0000_0000 + (choice.scatter << 15) + ((n as u64) << 12);
            let host = if n == 0 { rig.first.root } else { rig.guest.page() };
            if choice.present {
                rig.guest.map(&rig.second, gpa, host, 12, choice.rights);
                second.insert(gpa, (host, choice.rights));
            }
            (gpa, host)
        }).collect();
        let entry = pasid_nested(&rig.first, &rig.second, 5);
        rig.guest.set_pasid(
            rig.function, PASID, &PasidEntry(entry.0, entry.1, entry.2.with_fsptptr(places[0].0 >> 12)));
        for (n, shift) in [39, 30, 21, 12].into_iter().enumerate() {
            let at = places[n].1 + (VA >> shift & 0x1ff) * 8;
            let upper = if shift == 12 { flags } else { user_rw() };
            rig.guest.mem.put(at, places[n + 1].0 | upper);
        }

        let readable = |n: usize| second.get(&places[n].0).is_some_and(|(_, rights)| rights & 1 != 0);
        let writable = |n: usize| second.get(&places[n].0).is_some_and(|(_, rights)| rights & 2 != 0);
        let leaf_needs_update = flags & A == 0 || (write && flags & D == 0);
        let expected = (0..4).all(readable)
            && (!write || flags & 2 != 0)
            && (if write { writable(4) } else { readable(4) })
            && (0..3).all(writable)
            && (!leaf_needs_update || writable(3));
        let access = if write { WRITE } else { READ };
        let result = rig.walk(access).0;
        prop_assert_eq!(result.is_ok(), expected, "{:?}", result);
        if let Ok(page) = result {
            prop_assert_eq!(page.addr, places[4].1);
            let leaf = rig.guest.mem.get(places[3].1 + (VA >> 12 & 0x1ff) * 8);
            prop_assert_eq!(leaf & A, A);
            prop_assert!(!write || leaf & D != 0);
        }
    }
}
