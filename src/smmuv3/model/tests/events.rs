// SPDX-License-Identifier: GPL-2.0-or-later
use super::*;

const IRQ: [Effect; 2] =
    [Effect::PulseIrq { line: 0 }, Effect::WriteMsi { addr: EVENT_MSI.0, data: EVENT_MSI.1 }];

#[test]
fn a_fault_becomes_one_record_and_an_interrupt() {
    let mut rig = Rig::new(4);
    assert_eq!(rig.translate(0xabcd_1234, None), (Outcome::Aborted, IRQ.to_vec()));
    let record = rig.event().unwrap();
    assert_eq!(record, [0x0000_0008_0000_3810, 1 << 35 | 2 << 40, 0xabcd_1234, 0]);
    assert_eq!(rig.event(), None);
    // The guest has read all but not said so: still not empty, so no transition, and no interrupt.
    assert_eq!(rig.translate(0x1000, None).1, []);
    rig.event();
    assert_eq!(rig.translate(0x2000, None).1, []);
    rig.event();
    rig.acknowledge_events();
    assert_eq!(rig.translate(0x3000, None).1, IRQ);
    rig.event();
    rig.acknowledge_events();
    rig.write(reg::IRQ_CTRL, 1);
    assert_eq!(rig.translate(0x4000, None).1, []);
    assert_eq!(rig.write(reg::IRQ_CTRL, 5), [], "nothing from before it was enabled (§6.3.16)");
    assert_eq!(rig.smmu.stats().events, 5);
}

#[test]
fn unrecorded_faults_leave_no_trace() {
    let mut rig = Rig::new(4);
    rig.faults(FaultKind::Translation, FaultAction::Abort, false);
    assert_eq!(rig.translate(0x1000, Some(1)), (Outcome::Aborted, vec![]));
    assert_eq!(rig.event(), None);
    assert_eq!(rig.translate_unlocked(0x1000, Some(1)), Outcome::Aborted);
    assert!(!rig.smmu.needs_run());
    assert_eq!(rig.smmu.epochs.in_flight(), 0);
}

#[test]
fn overflow_at_every_size() {
    for log2size in 0..=9u32 {
        let mut rig = Rig::with(Features::default(), 4, log2size);
        let entries = 1u64 << log2size;
        for round in 0..4u64 {
            for n in 0..entries {
                rig.translate(0x1000 * n, None);
                assert_eq!(rig.smmu.stats().events_dropped, 2 * round);
            }
            let flag = |rig: &Rig| u64::from(rig.read(reg::EVENTQ_PROD) >> 31);
            assert_eq!(flag(&rig), round % 2);
            assert_eq!(rig.translate(0x1000, None), (Outcome::Aborted, vec![]));
            assert_eq!(flag(&rig), (round + 1) % 2, "OVFLG toggles");
            rig.translate(0x1000, None);
            assert_eq!(flag(&rig), (round + 1) % 2, "and not twice");
            assert_eq!(rig.read(reg::GERROR), 0, "an overflow is no global error");
            for n in 0..entries {
                assert_eq!(rig.event().unwrap()[2], 0x1000 * n);
            }
            assert_eq!(rig.event(), None);
            rig.acknowledge_events();
        }
    }
}

#[test]
fn events_go_on_while_the_overflow_is_unacknowledged() {
    let mut rig = Rig::with(Features::default(), 4, 1);
    for _ in 0..3 {
        rig.translate(0x1000, None);
    }
    rig.event();
    // Room, but OVACKFLG as before.
    rig.write(reg::EVENTQ_CONS, rig.cons);
    rig.translate(0x2000, None);
    rig.event();
    assert_eq!(rig.event().unwrap()[2], 0x2000);
    assert_eq!(rig.read(reg::EVENTQ_PROD) >> 31, 1);
}

#[test]
fn a_disabled_queue_discards_without_overflow() {
    let mut rig = Rig::new(4);
    rig.write(reg::CR0, 9);
    assert_eq!(rig.translate(0x1000, None), (Outcome::Aborted, vec![]));
    assert_eq!((rig.read(reg::EVENTQ_PROD), rig.smmu.stats().events_dropped), (0, 1));
    rig.write(reg::CR0, 0xd);
    assert_eq!(rig.event(), None);
}

#[test]
fn a_write_abort_is_a_global_error() {
    let mut rig = Rig::new(4);
    rig.translate(0x1000, None);
    rig.mem.hole(EVENTQ + 32..EVENTQ + 64);
    let gerror = vec![pulse(reg::IRQ_GERROR), msi(GERROR_MSI)];
    assert_eq!(rig.translate(0x2000, None), (Outcome::Aborted, gerror));
    assert_eq!((rig.read(reg::GERROR), rig.read(reg::EVENTQ_PROD)), (4, 1), "PROD does not move");
    // No more attempts until it is acknowledged.
    assert_eq!(rig.translate(0x3000, None).1, []);
    rig.write(reg::GERRORN, 4);
    assert_eq!(rig.translate(0x3000, None).1.len(), 2);
    assert_eq!(rig.read(reg::GERROR), 0);
    assert_eq!(rig.event().unwrap()[2], 0x1000);
    assert_eq!(rig.event(), None);
}

#[test]
fn without_the_bql_events_wait_for_a_bottom_half() {
    let mut rig = Rig::new(4);
    assert_eq!(rig.translate_unlocked(0x1000, None), Outcome::Aborted);
    assert_eq!(rig.event(), None);
    assert!(rig.smmu.needs_run());
    assert_eq!(rig.run(), IRQ);
    assert_eq!(rig.event().unwrap()[2], 0x1000);
    // A SYNC makes them visible too.
    rig.translate_unlocked(0x2000, None);
    rig.command(sync());
    assert_eq!(rig.event().unwrap()[2], 0x2000);
    // And so does a fault under the BQL, in order.
    rig.translate_unlocked(0x3000, None);
    rig.translate(0x4000, None);
    assert_eq!([rig.event().unwrap()[2], rig.event().unwrap()[2]], [0x3000, 0x4000]);
}

#[test]
fn a_storm_without_the_bql_is_bounded_and_told() {
    let rig = Rig::with(Features::default(), 4, 12);
    for n in 0..2 * INBOX_EVENTS as u64 {
        rig.translate_unlocked(n << 12, None);
    }
    rig.run();
    assert_eq!(rig.read(reg::EVENTQ_PROD), INBOX_EVENTS as u32 | 1 << 31);
    assert_eq!(rig.smmu.stats().events_dropped, INBOX_EVENTS as u64);
}

#[test]
fn before_smmuen_is_cleared_events_are_taken_in() {
    let mut rig = Rig::new(4);
    rig.translate_unlocked(0x1000, None);
    rig.write(reg::CR0, 0);
    assert!(rig.event().is_some());
}

#[test]
fn threads_translate_and_report() {
    let rig = Rig::with(Features::default(), 4, 12);
    rig.map(0x1000);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for n in 0..500u64 {
                    if let Outcome::Translated { epoch, .. } = rig.translate_unlocked((n % 2) << 12, None) {
                        let _ = rig.smmu.end(epoch);
                    }
                }
            });
        }
        for _ in 0..50 {
            rig.run();
            std::thread::yield_now();
        }
    });
    rig.run();
    assert_eq!(rig.smmu.stats().events, 500);
    assert_eq!(rig.smmu.epochs.in_flight(), 0);
}

/// `IHI0070 §7.3.1`.
#[test]
fn events_alike_are_one_while_nobody_has_read_the_first() {
    let mut rig = Rig::with(Features::default(), 4, 2);
    let merging = |rig: &Rig, on: bool| rig.smmu.engine.merge.store(on, Ordering::Relaxed);
    let produced = |rig: &Rig| rig.read(reg::EVENTQ_PROD);
    merging(&rig, true);
    assert_eq!(rig.translate(0x1010, None).1, IRQ);
    for addr in [0x1010, 0x1ff8] {
        assert_eq!(rig.translate(addr, None), (Outcome::Aborted, vec![]));
    }
    assert_eq!((produced(&rig), rig.smmu.stats().events_merged), (1, 2));
    // Another page, and then it is not the last one any more.
    rig.translate(0x2000, None);
    rig.translate(0x1010, None);
    assert_eq!(produced(&rig), 3);
    // As another kind of access.
    let write = Access { write: true, ..Access::default() };
    let req = DmaRequest { access: write, ..request(0x1010, None) };
    rig.smmu.translate(&rig.mem, &req, true);
    assert_eq!((produced(&rig), rig.smmu.stats().events_merged), (4, 2));
    // The queue is full, and nothing is lost.
    rig.smmu.translate(&rig.mem, &req, true);
    assert_eq!((produced(&rig), rig.smmu.stats().events_dropped), (4, 0));
    rig.translate(0x3000, None);
    assert_eq!((produced(&rig) >> 31, rig.smmu.stats().events_dropped), (1, 1));
    for _ in 0..4 {
        rig.event().unwrap();
    }
    rig.acknowledge_events();
    // What was read is another one's.
    rig.smmu.translate(&rig.mem, &req, true);
    assert_eq!(rig.event().map(|record| record[2]), Some(0x1010));
    rig.acknowledge_events();
    // Without STE.MEV, of either of the two.
    for (first, second) in [(false, false), (false, true), (true, false)] {
        merging(&rig, first);
        rig.translate(0x5000, None);
        merging(&rig, second);
        rig.translate(0x5000, None);
        assert!(rig.event().is_some() && rig.event().is_some(), "{first} {second}");
        rig.acknowledge_events();
    }
    // Stalls never.
    merging(&rig, true);
    rig.faults(FaultKind::Translation, FaultAction::Stall, true);
    rig.translate(0x6000, Some(1));
    rig.translate(0x6000, Some(2));
    assert!(rig.event().is_some() && rig.event().is_some());
    let mut off = Rig::with(Features { event_merging: false, ..Features::default() }, 4, 2);
    merging(&off, true);
    off.translate(0x5000, None);
    off.translate(0x5000, None);
    assert!(off.event().is_some() && off.event().is_some());
}

#[test]
fn events_of_threads_merge_and_the_last_one_travels() {
    let rig = Rig::new(4);
    rig.smmu.engine.merge.store(true, Ordering::Relaxed);
    rig.translate_unlocked(0x1000, None);
    rig.translate_unlocked(0x1008, None);
    let saved = rig.smmu.save();
    assert!(saved.inbox.iter().all(|report| report.merge));
    assert_eq!(SavedState::from_words(&saved.to_words()).unwrap(), saved);
    let _ = rig.smmu.run_pending(&rig.mem);
    assert_eq!((rig.smmu.stats().events, rig.smmu.stats().events_merged), (1, 1));
    let saved = SavedState::from_words(&rig.smmu.save().to_words()).unwrap();
    let other = Rig::new(4);
    other.smmu.engine.merge.store(true, Ordering::Relaxed);
    other.smmu.load(&saved).unwrap();
    other.translate(0x1010, None);
    assert_eq!(other.smmu.stats().events_merged, 1);
    // Another queue, at the same place.
    other.write(reg::CR0, 9);
    other.write(reg::CR0, 0xd);
    other.translate(0x1010, None);
    assert_eq!((other.smmu.stats().events, other.smmu.stats().events_merged), (1, 1));
}
