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
