// SPDX-License-Identifier: GPL-2.0-or-later
//! Devices on threads of their own, while the guest changes things.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Every page's output address grows. No device gets a smaller one than that whose invalidation was complete when it
/// asked.
#[test]
fn no_answer_is_older_than_the_last_invalidation() {
    const PAGES: u64 = 16;
    for adversarial in [false, true] {
        let rig = Rig::new(adversarial);
        let tables = rig.process(1, 5);
        let address = |page: u64| 0x10_0000 + page * 0x1000;
        let map = |page, version: u64| {
            // Accessed already: the guest's own change is not to be lost to the flag's.
            rig.guest.map(&tables, address(page), version << 12, 12, user_rw() | A | D)
        };
        (0..PAGES).for_each(|page| {
            map(page, 1);
        });
        let complete: Vec<_> = (0..PAGES).map(|_| AtomicU64::new(1)).collect();
        let latest = AtomicU64::new(1);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for seed in 1..4 {
                let (rig, complete, latest, done) = (&rig, &complete, &latest, &done);
                scope.spawn(move || {
                    let mut state = seed;
                    while !done.load(Ordering::Relaxed) {
                        let page = random(&mut state) % PAGES;
                        let floor = complete[page as usize].load(Ordering::Acquire);
                        let answer = rig.read(1, address(page)).unwrap() >> 12;
                        let ceiling = latest.load(Ordering::Acquire);
                        assert!(answer >= floor && answer <= ceiling, "{floor} {answer} {ceiling}");
                    }
                });
            }
            let mut state = 99;
            for version in 2..3000 {
                let page = random(&mut state) % PAGES;
                latest.store(version, Ordering::Release);
                map(page, version);
                rig.unit.invalidate(&match version % 6 {
                    0 => Invalidation::PasidIotlbAll { did: 5, pasid: 1 },
                    1 => pages(5, 1, 0, 40),
                    2 => Invalidation::IotlbDomain { did: 5 },
                    _ => pages(5, 1, address(page), 0),
                });
                complete[page as usize].store(version, Ordering::Release);
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

/// Two processes take turns with one PASID, as after `exit` and `fork`. Neither ever gets a page of the other.
#[test]
fn a_pasid_changes_hands() {
    let rig = Rig::new(false);
    let address = |page: u64| 0x10_0000 + page * 0x1000;
    let processes = [1u64, 2].map(|n| {
        let tables = rig.guest.first_stage(4);
        (0..8).for_each(|page| {
            rig.guest.map(&tables, address(page), n << 32 | page << 12, 12, user_rw() | A | D);
        });
        tables
    });
    // The turn, and whose it is.
    let owner = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 1..3 {
            let (rig, owner, done) = (&rig, &owner, &done);
            scope.spawn(move || {
                let mut state = seed;
                while !done.load(Ordering::Relaxed) {
                    let page = random(&mut state) % 8;
                    let before = owner.load(Ordering::SeqCst);
                    let answer = rig.read(1, address(page));
                    let after = owner.load(Ordering::SeqCst);
                    match answer {
                        Ok(addr) if before == after => {
                            assert_eq!((addr >> 32, addr & 0xf000), (before & 3, page << 12));
                        }
                        Ok(addr) => assert_eq!(addr & 0xf000, page << 12),
                        Err(reason) => assert!(matches!(
                            reason,
                            FaultReason::PasidNotPresent
                                | FaultReason::DirectoryNotPresent
                                | FaultReason::FirstStageNotPresent
                        )),
                    }
                }
            });
        }
        for turn in 1..3000u64 {
            let n = 1 + turn % 2;
            owner.store(turn << 2 | n, Ordering::SeqCst);
            rig.guest.set_pasid(rig.function, 1, &pasid_first(&processes[n as usize - 1], 5));
            std::thread::yield_now();
            rig.guest.mem.put(rig.guest.pasid_entry(rig.function, 1), 0);
            rig.unit.invalidate(&Invalidation::Pasid { did: 5, pasid: 1 });
            rig.unit.invalidate(&Invalidation::PasidIotlbAll { did: 5, pasid: 1 });
        }
        done.store(true, Ordering::Relaxed);
    });
}
