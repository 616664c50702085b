// SPDX-License-Identifier: GPL-2.0-or-later
use super::*;

#[test]
fn retry_abort_terminate() {
    let mut rig = Rig::stalling();
    for (action, abort, expected) in [(1, 0, true), (1, 1, true), (0, 1, false), (0, 0, false)] {
        let stag = rig.stall(0x1000, 7);
        assert_eq!(rig.smmu.pending(8), [(Some(3), 7)]);
        assert_eq!(rig.command(resume(9, stag, action, abort)), [], "another stream's STAG");
        assert_eq!(rig.command(resume(8, stag ^ 0x100, action, abort)), [], "a STAG of another time");
        assert_eq!(rig.command(resume(8, stag, action, abort)), [resolved(8, 7, expected)]);
        assert_eq!(rig.command(resume(8, stag, action, abort)), [], "answered once");
        assert_eq!(rig.error(), 0);
        assert!(rig.smmu.pending(8).is_empty());
    }
    let stats = rig.smmu.stats();
    assert_eq!((stats.resumed_retry, stats.resumed_abort, stats.resumed_terminate), (2, 1, 1));
    assert_eq!(stats.stalls, 4);
}

#[test]
fn every_transaction_has_its_own_stag() {
    let mut rig = Rig::stalling();
    let first = rig.stall(0x1000, 1);
    let second = rig.stall(0x1008, 2);
    assert_ne!(first, second);
    assert_eq!(rig.command(retry(8, second)), [resolved(8, 2, true)]);
    assert_eq!(rig.command(retry(8, first)), [resolved(8, 1, true)]);
}

#[test]
fn stall_term_ends_a_stream() {
    let mut rig = Rig::stalling();
    let stag = rig.stall(0x1000, 1);
    rig.stall(0x2000, 2);
    assert_eq!(rig.command(stall_term(9)), []);
    assert_eq!(rig.command(stall_term(8)), [resolved(8, 1, false), resolved(8, 2, false)]);
    assert_eq!(rig.command(retry(8, stag)), []);
    assert_eq!(rig.smmu.stats().stall_terms, 2);
}

#[test]
fn switching_off_ends_all_stalls() {
    let mut rig = Rig::stalling();
    let stag = rig.stall(0x1000, 1);
    rig.write(reg::CR0, 0xd);
    let effects = rig.write(reg::CR0, 0xc);
    assert_eq!(effects[1..], [resolved(8, 1, false)], "after the notice to caches outside");
    rig.write(reg::CR0, 0xd);
    assert_eq!(rig.command(retry(8, stag)), []);
    assert_ne!(rig.stall(0x1000, 2), stag);
}

#[test]
fn a_full_event_queue_loses_no_stall() {
    let mut rig = Rig::with(Features::default(), 4, 1);
    rig.faults(FaultKind::Translation, FaultAction::Stall, true);
    for tag in 1..=4 {
        assert_eq!(rig.translate(tag << 12, Some(tag)).0, Outcome::Waiting);
    }
    assert_eq!(rig.read(reg::EVENTQ_PROD), 2, "two records, and no overflow for the others");
    assert_eq!(rig.smmu.stats().stalls, 2);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let record = rig.event().expect("a record");
        seen.push(record[2] >> 12);
        rig.acknowledge_events();
        let stag = Event1::from(record[1]).stag() as u16;
        assert_eq!(rig.command(retry(8, stag)), [resolved(8, record[2] >> 12, true)]);
    }
    assert_eq!(seen, [1, 2, 3, 4]);
    assert_eq!(rig.smmu.stats().stalls, 4);
}

#[test]
fn stalls_wait_for_a_disabled_queue_and_for_an_error() {
    let mut rig = Rig::stalling();
    rig.write(reg::CR0, 9);
    assert_eq!(rig.translate(0x1000, Some(1)), (Outcome::Waiting, vec![]));
    assert_eq!(rig.smmu.stats().stalls, 0);
    assert_eq!(rig.write(reg::CR0, 0xd).len(), 2, "recorded, with its interrupt");
    assert_eq!(rig.event().unwrap()[2], 0x1000);
    // The error must be acknowledged first.
    rig.write(reg::GERRORN, 4);
    rig.translate(0x2000, Some(2));
    assert_eq!(rig.event(), None);
    rig.write(reg::GERRORN, 0);
    assert_eq!(rig.event().unwrap()[2], 0x2000);
}

#[test]
fn a_stall_record_whose_write_aborts_is_kept() {
    let mut rig = Rig::with(Features::default(), 4, 1);
    rig.faults(FaultKind::Translation, FaultAction::Stall, true);
    rig.stall(0x1000, 1);
    rig.mem.hole(EVENTQ + 32..EVENTQ + 64);
    assert_eq!(rig.translate(0x2000, Some(2)).0, Outcome::Waiting);
    assert_eq!(rig.read(reg::GERROR), 4);
    assert_eq!(rig.smmu.pending(8).len(), 2);
    // The guest gives the queue another place.
    rig.write(reg::CR0, 9);
    rig.write64(reg::EVENTQ_BASE, EVENTQ + 0x1000);
    rig.write(reg::EVENTQ_PROD, 0);
    rig.write(reg::EVENTQ_CONS, 0);
    rig.write(reg::GERRORN, 4);
    rig.write(reg::CR0, 0xd);
    assert_eq!(rig.mem.get(EVENTQ + 0x1010), 0x2000);
}

#[test]
fn a_sync_makes_unwritten_records_stale() {
    let mut rig = Rig::with(Features::default(), 4, 0);
    rig.faults(FaultKind::Translation, FaultAction::Stall, true);
    rig.translate(0x1000, Some(1));
    rig.translate(0x2000, Some(2));
    rig.translate(0x3000, None);
    rig.put(tlbi_asid(1));
    rig.put(sync());
    assert!(!rig.kick().contains(&resolved(8, 2, true)), "not while the queue is full");
    rig.event();
    assert_eq!(rig.acknowledge_events(), [resolved(8, 2, true)], "tried again instead of recorded");
    assert_eq!(rig.event(), None, "nor is what nobody waits for recorded any more");
    assert_eq!(rig.smmu.pending(8), [(Some(3), 1)]);
}

#[test]
fn a_full_table_is_a_line() {
    let features = Features { stall_max: 2, ..Features::default() };
    let mut rig = Rig::with(features, 4, 4);
    rig.faults(FaultKind::Translation, FaultAction::Stall, true);
    let first = rig.stall(0x1000, 1);
    let second = rig.stall(0x2000, 2);
    for tag in 3..=5 {
        assert_eq!(rig.translate(tag << 12, Some(tag)), (Outcome::Waiting, vec![]));
    }
    assert_eq!(rig.event(), None, "no more records than IDR5.STALL_MAX");
    assert_eq!(rig.smmu.pending(8).len(), 5);
    assert_eq!(rig.command(retry(8, first)), [resolved(8, 1, true), resolved(8, 3, true)]);
    let third = rig.stall(0x3000, 3);
    assert_eq!(rig.command(resume(8, second, 0, 1)), [resolved(8, 2, false), resolved(8, 4, true)]);
    // The next in line gives up; nobody is left behind.
    rig.smmu.cancel(8, None, Some(5));
    assert_eq!(rig.command(retry(8, third)), [resolved(8, 3, true)]);
    assert!(rig.smmu.pending(8).is_empty());
}

#[test]
fn a_cancelled_stall_waits_for_software() {
    let features = Features { stall_max: 1, ..Features::default() };
    let mut rig = Rig::with(features, 4, 4);
    rig.faults(FaultKind::Translation, FaultAction::Stall, true);
    let stag = rig.stall(0x1000, 1);
    rig.translate(0x2000, Some(2));
    rig.smmu.cancel(8, Some(Some(4)), None);
    rig.smmu.cancel(8, Some(None), None);
    rig.smmu.cancel(9, None, None);
    assert_eq!(rig.smmu.pending(8).len(), 2, "not these");
    rig.smmu.cancel(8, Some(Some(3)), Some(1));
    assert_eq!(rig.smmu.pending(8), [(Some(3), 2)]);
    assert_eq!(rig.run(), [], "its entry is still taken");
    // The answer counts, goes nowhere, and makes room.
    assert_eq!(rig.command(retry(8, stag)), [resolved(8, 2, true)]);
    let stats = rig.smmu.stats();
    assert_eq!((stats.stalls_cancelled, stats.resumed_retry, stats.stalls), (1, 1, 1));
}

#[test]
fn an_unrecorded_stall_that_is_cancelled_is_gone() {
    let features = Features { stall_max: 1, ..Features::default() };
    let mut rig = Rig::with(features, 4, 4);
    rig.faults(FaultKind::Translation, FaultAction::Stall, true);
    rig.write(reg::CR0, 9);
    rig.translate(0x1000, Some(1));
    rig.translate(0x2000, Some(2));
    rig.smmu.cancel(8, None, Some(1));
    assert!(rig.smmu.needs_run(), "there is room for the next in line");
    assert_eq!(rig.run(), [resolved(8, 2, true)]);
    rig.write(reg::CR0, 0xd);
    assert_eq!(rig.event(), None);
}

#[test]
fn ordinary_masters_do_not_wait() {
    let mut rig = Rig::stalling();
    assert_eq!(rig.translate(0x1000, None).0, Outcome::Aborted);
    let second = Event1::from(rig.event().unwrap()[1]);
    assert_eq!(second.stall(), 1);
    let stag = second.stag() as u16;
    assert_ne!(rig.stall(0x2000, 1), stag, "the STAG is taken");
    assert_eq!(rig.command(retry(8, stag)), [], "consumed, with no effect");
    let stats = rig.smmu.stats();
    assert_eq!((stats.stalls, stats.resumed_retry), (2, 1));
    // With a full table there is no STAG: the record says that nothing stalled.
    let mut rig = Rig::with(Features { stall_max: 1, ..Features::default() }, 4, 4);
    rig.faults(FaultKind::Translation, FaultAction::Stall, true);
    rig.stall(0x1000, 1);
    assert_eq!(rig.translate(0x2000, None).0, Outcome::Aborted);
    assert_eq!(rig.event().unwrap()[1], 1 << 35 | 2 << 40);
}

#[test]
fn stalls_without_the_bql() {
    let mut rig = Rig::stalling();
    assert_eq!(rig.translate_unlocked(0x1000, Some(1)), Outcome::Waiting);
    assert_eq!(rig.smmu.pending(8), [(Some(3), 1)]);
    assert!(rig.smmu.needs_run());
    assert_eq!(rig.run().len(), 2);
    let stag = Event1::from(rig.event().unwrap()[1]).stag() as u16;
    assert_eq!(rig.command(retry(8, stag)), [resolved(8, 1, true)]);
    // Given up before the bottom half came.
    rig.translate_unlocked(0x2000, Some(2));
    rig.smmu.cancel(8, None, Some(2));
    rig.run();
    assert_eq!(rig.event(), None);
    assert_eq!(rig.smmu.stats().stalls_cancelled, 1);
    // Switched off before the bottom half came.
    rig.translate_unlocked(0x3000, Some(3));
    assert!(rig.write(reg::CR0, 0).contains(&resolved(8, 3, false)));
    assert!(rig.smmu.pending(8).is_empty());
}

#[test]
fn terminate_only_smmus_have_no_resume() {
    let off = Features { stall: StallModel::Off, ..Features::default() };
    for command in [retry(8, 0), stall_term(8)] {
        let mut rig = Rig::with(off, 4, 4);
        rig.command(command);
        assert_eq!(rig.error(), CERROR_ILL);
    }
    // Even if a fault should say so, nothing stalls.
    let mut rig = Rig::with(off, 4, 4);
    rig.faults(FaultKind::Translation, FaultAction::Stall, true);
    assert_eq!(rig.translate(0x1000, Some(1)).0, Outcome::Aborted);
    assert_eq!(rig.event().unwrap()[1] & 1 << 31, 0);
}

#[test]
fn stags_do_not_come_back_soon() {
    let mut rig = Rig::with(Features { stall_max: 3, ..Features::default() }, 6, 6);
    rig.faults(FaultKind::Translation, FaultAction::Stall, true);
    let mut stags = HashSet::new();
    for tag in 0..1000 {
        let stag = rig.stall(0x1000, tag);
        rig.acknowledge_events();
        assert!(stags.insert(stag));
        assert_eq!(rig.command(retry(8, stag)), [resolved(8, tag, true)]);
    }
}
