// SPDX-License-Identifier: GPL-2.0-or-later
//! Devices on threads of their own, while the guest changes things.

use std::sync::atomic::{AtomicBool, AtomicU64};

use super::*;

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Every page's output address grows. No device gets a smaller one than that whose invalidation was complete
/// when it asked.
#[test]
fn no_answer_is_older_than_the_last_invalidation() {
    const PAGES: u64 = 16;
    for adversarial in [false, true] {
        let rig = Rig::new(adversarial);
        let tables = rig.process(1, 5);
        let address = |page: u64| 0x10_0000 + page * 0x1000;
        let map = |page, version| rig.guest.map(&tables, address(page), version << 12, 3, user_rw());
        (0..PAGES).for_each(|page| map(page, 1));
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
                rig.smmu.invalidate(&match version % 6 {
                    0 => asid(5),
                    1 => range(5, 0, 1 << 40, Some(12), None),
                    2 => va(None, address(page)),
                    _ => va(Some(5), address(page)),
                });
                complete[page as usize].store(version, Ordering::Release);
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

/// Two processes take turns with one ASID, as after `fork` and `exit`. Neither ever gets a page of the other.
#[test]
fn an_asid_changes_hands() {
    let rig = Rig::new(false);
    let address = |page: u64| 0x10_0000 + page * 0x1000;
    let processes = [1u64, 2].map(|n| {
        let tables = rig.guest.tables(12, 48);
        (0..8).for_each(|page| rig.guest.map(&tables, address(page), n << 32 | page << 12, 3, user_rw()));
        tables
    });
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for ssid in [1u32, 2] {
            let (rig, done) = (&rig, &done);
            scope.spawn(move || {
                let mut state = u64::from(ssid);
                while !done.load(Ordering::Relaxed) {
                    let page = random(&mut state) % 8;
                    match rig.read(ssid, address(page)) {
                        Ok(addr) => assert_eq!(addr, u64::from(ssid) << 32 | page << 12),
                        // Between processes, or in the middle of writing the first CD.
                        Err(kind) => assert!(matches!(kind, FaultKind::BadCd | FaultKind::Translation)),
                    }
                }
            });
        }
        for turn in 0..3000 {
            let ssid = 1 + turn % 2;
            rig.guest.set_cd(&rig.contexts, ssid, &cd(&processes[(ssid - 1) as usize], 5));
            rig.smmu.invalidate(&Invalidation::Cd { sid: SID, ssid });
            std::thread::yield_now();
            rig.guest.mem.put(rig.guest.cd_addr(&rig.contexts, ssid), 0);
            rig.smmu.invalidate(&Invalidation::Cd { sid: SID, ssid });
            rig.smmu.invalidate(&asid(5));
        }
        done.store(true, Ordering::Relaxed);
    });
}
