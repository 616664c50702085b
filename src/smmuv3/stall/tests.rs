// SPDX-License-Identifier: GPL-2.0-or-later
use super::*;

fn waiter(stream: u32, tag: u64) -> Waiter {
    Waiter { stream, substream: Some(5), tag: Some(tag) }
}

fn record_all(table: &mut StallTable) -> Vec<u16> {
    let mut stags = Vec::new();
    while let Some((stag, _)) = table.next_unrecorded() {
        stags.push(stag);
        table.recorded();
    }
    stags
}

#[test]
fn every_use_has_a_stag_of_its_own() {
    for capacity in [1, 2, 3, 255, 256, 257, 0xffff] {
        let mut table = StallTable::new(capacity);
        let mut last = None;
        for round in 0..3 {
            for tag in 0..u64::from(capacity) {
                assert_eq!(table.admit(waiter(1, tag), [0; 4]), Admission::Entry, "{capacity} {round}");
            }
            assert_eq!(table.admit(waiter(1, u64::MAX), [0; 4]), Admission::Line);
            assert_eq!(table.next_in_line(), None);
            let stags = record_all(&mut table);
            let distinct: std::collections::HashSet<_> = stags.iter().collect();
            assert_eq!(distinct.len(), usize::from(capacity));
            if capacity <= 257 {
                assert_ne!(last, Some(stags.clone()), "STAGs change with use");
            }
            for (tag, stag) in stags.iter().enumerate() {
                assert_eq!(table.resume(2, *stag), None, "another stream");
                assert_eq!(table.resume(1, *stag), Some(waiter(1, tag as u64)));
                assert_eq!(table.resume(1, *stag), None, "once");
            }
            assert_eq!(table.next_in_line(), Some(waiter(1, u64::MAX)));
            assert_eq!((table.in_use(), table.line_length()), (0, 0));
            last = Some(stags);
        }
    }
}

#[test]
fn unrecorded_entries_do_not_answer() {
    let mut table = StallTable::new(4);
    table.admit(waiter(1, 10), [1; 4]);
    table.admit(waiter(1, 11), [2; 4]);
    let (stag, entry) = table.next_unrecorded().unwrap();
    assert_eq!((entry.phase, entry.record), (Phase::Unrecorded, [1; 4]));
    assert_eq!(table.resume(1, stag), None);
    table.expire();
    assert_eq!(table.next_unrecorded().unwrap().1.phase, Phase::Stale);
    assert_eq!(table.drop_unrecorded(), Some(waiter(1, 10)));
    table.recorded();
    assert_eq!((table.next_unrecorded(), table.in_use()), (None, 1));
}

#[test]
fn cancelled_entries_keep_their_stag() {
    let mut table = StallTable::new(2);
    table.admit(waiter(1, 10), [0; 4]);
    let stag = record_all(&mut table)[0];
    table.admit(waiter(1, 11), [0; 4]);
    table.admit(waiter(1, 12), [0; 4]);
    assert_eq!(table.line_length(), 1);
    assert_eq!(table.cancel(|w| w.stream == 1), 3);
    assert_eq!((table.in_use(), table.line_length()), (1, 0), "only what software knows of is left");
    assert_eq!(table.waiters().count(), 0);
    assert_eq!(table.next_unrecorded(), None);
    assert_eq!(table.resume(1, stag), Some(Waiter { tag: None, ..waiter(1, 10) }));
    assert_eq!(table.cancel(|_| true), 0);
}

#[test]
fn terminate_is_by_stream() {
    let mut table = StallTable::new(3);
    table.admit(waiter(1, 10), [0; 4]);
    table.admit(waiter(2, 20), [0; 4]);
    record_all(&mut table);
    table.admit(waiter(1, 11), [0; 4]);
    table.admit(waiter(1, 12), [0; 4]);
    let mut ended = Vec::new();
    table.terminate(Some(1), |w, recorded| ended.push((w.tag.unwrap(), recorded)));
    assert_eq!(ended, [(10, true), (11, false), (12, false)]);
    assert_eq!(table.waiters().collect::<Vec<_>>(), [waiter(2, 20)]);
    assert_eq!(table.next_unrecorded(), None);
    table.terminate(None, |w, recorded| assert_eq!((w.tag, recorded), (Some(20), true)));
    assert_eq!(table.in_use(), 0);
}

#[test]
fn nobody_waits_in_line_without_a_name() {
    let mut table = StallTable::new(1);
    table.admit(waiter(1, 1), [0; 4]);
    assert_eq!(table.admit(Waiter { tag: None, ..waiter(1, 0) }, [0; 4]), Admission::Refused);
    for tag in 2..100_002 {
        assert_eq!(table.admit(waiter(1, tag), [0; 4]), Admission::Line);
    }
    assert_eq!(table.line_length(), 100_000);
    assert_eq!(StallTable::new(0).admit(waiter(1, 1), [0; 4]), Admission::Refused);
}

/// Who was told to try again, and faults again before there is an entry, has its place back; newcomers do not overtake.
#[test]
fn the_line_keeps_its_order() {
    let mut table = StallTable::new(1);
    table.admit(waiter(1, 0), [0; 4]);
    let stag = record_all(&mut table)[0];
    for tag in 1..=4 {
        table.admit(waiter(1, tag), [0; 4]);
    }
    table.resume(1, stag);
    // Both are told, and the second one is faster.
    assert_eq!(table.next_in_line(), Some(waiter(1, 1)));
    assert_eq!(table.next_in_line(), None, "there is one entry");
    table.begin_round();
    assert_eq!(table.next_in_line(), Some(waiter(1, 2)));
    assert_eq!(table.admit(waiter(1, 9), [0; 4]), Admission::Line, "a newcomer, although there is room");
    assert_eq!(table.admit(waiter(1, 2), [0; 4]), Admission::Entry);
    assert_eq!(table.admit(waiter(1, 1), [0; 4]), Admission::Line);
    let line: Vec<_> = table.line().filter_map(|waiter| waiter.tag).collect();
    assert_eq!(line, [1, 3, 4, 9]);
    // A place that was given up belongs to no access.
    let stag = record_all(&mut table)[0];
    table.resume(1, stag);
    table.begin_round();
    assert_eq!(table.next_in_line(), Some(waiter(1, 1)));
    table.cancel(|waiter| waiter.tag == Some(1));
    assert_eq!(table.admit(waiter(1, 1), [0; 4]), Admission::Line);
    let line: Vec<_> = table.line().filter_map(|waiter| waiter.tag).collect();
    assert_eq!(line, [3, 4, 9, 1]);
}

#[test]
fn restore_refuses_contradictions() {
    let mut table = StallTable::new(2);
    table.admit(waiter(1, 1), [7; 4]);
    let entries = table.entries().to_vec();
    let restored = StallTable::restore(2, &entries, &[0], &[waiter(1, 9)]).unwrap();
    assert_eq!(restored.entries(), table.entries());
    assert_eq!((restored.next_unrecorded(), restored.line_length()), (table.next_unrecorded(), 1));
    assert!(StallTable::restore(3, &entries, &[0], &[]).is_none());
    // Each access waits once.
    assert!(StallTable::restore(2, &entries, &[0], &[waiter(1, 9), waiter(2, 9), waiter(1, 8)]).is_some());
    assert!(StallTable::restore(2, &entries, &[0], &[waiter(1, 9), waiter(1, 8), waiter(1, 9)]).is_none());
    assert!(StallTable::restore(2, &entries, &[0], &[waiter(1, 1)]).is_none(), "it has an entry");
    let twice = [entries[0], entries[0]];
    assert!(StallTable::restore(2, &twice, &[0, 1], &[]).is_none(), "two entries");
    let given_up = twice.map(|entry| Entry { waiter: Waiter { tag: None, ..entry.waiter }, ..entry });
    assert!(StallTable::restore(2, &given_up, &[0, 1], &[]).is_some(), "no access waits for these");
    for unrecorded in [&[][..], &[1], &[0, 0], &[9]] {
        assert!(StallTable::restore(2, &entries, unrecorded, &[]).is_none(), "{unrecorded:?}");
    }
    assert!(StallTable::restore(2, &entries, &[0], &[Waiter { tag: None, ..waiter(1, 1) }]).is_none());
    let mut used = entries.clone();
    used[1].uses = 0x8000;
    assert!(StallTable::restore(2, &used, &[0], &[]).is_none());
}

/// An endpoint that tries again without being told, or that uses a tag of an access under way, waits once for that tag.
#[test]
fn an_access_waits_once_however_often_it_comes() {
    let mut table = StallTable::new(2);
    for tag in 0..4 {
        assert_ne!(table.admit(waiter(1, tag), [tag; 4]), Admission::Refused);
    }
    for tag in (0..4).cycle().take(10_000) {
        assert_eq!(table.admit(waiter(1, tag), [9; 4]), Admission::Known);
    }
    assert_eq!((table.in_use(), table.line_length()), (2, 2));
    assert_eq!(table.entries()[1].record, [1; 4], "the first record stands");
    let stags = record_all(&mut table);
    assert_eq!(table.resume(1, stags[0]), Some(waiter(1, 0)));
    assert_eq!(table.next_in_line(), Some(waiter(1, 2)));
    // Those that have been answered, and have been told, may come again.
    assert_eq!(table.admit(waiter(1, 2), [2; 4]), Admission::Entry);
    assert_eq!(table.admit(waiter(1, 0), [0; 4]), Admission::Line);
    assert_eq!(table.cancel(|waiter| waiter.tag == Some(3) || waiter.tag == Some(1)), 2);
    assert_eq!(table.admit(waiter(1, 3), [0; 4]), Admission::Line);
    assert_eq!(
        table.admit(waiter(1, 1), [0; 4]),
        Admission::Line,
        "another one than that whose record is out"
    );
    let line: Vec<_> = table.line().filter_map(|waiter| waiter.tag).collect();
    assert_eq!(line, [0, 3, 1]);
    let mut ended = 0;
    table.terminate(Some(1), |waiter, _| ended += u32::from(waiter.tag.is_some()));
    assert_eq!(ended, 4);
    assert_eq!(table.admit(waiter(1, 3), [0; 4]), Admission::Entry);
}

/// The endpoint uses a tag again once its access was told and succeeded, which the table does not see.
#[test]
fn a_tag_that_is_used_again_has_no_place_of_its_predecessor() {
    let mut table = StallTable::new(1);
    table.admit(waiter(1, 0), [0; 4]);
    for tag in [7, 1, 2, 3, 4] {
        table.admit(waiter(1, tag), [0; 4]);
    }
    let stag = record_all(&mut table)[0];
    table.resume(1, stag);
    assert_eq!(table.next_in_line(), Some(waiter(1, 7)));
    for tag in 1..=2 {
        table.begin_round();
        assert_eq!(table.next_in_line(), Some(waiter(1, tag)));
        assert_eq!(table.admit(waiter(1, tag), [0; 4]), Admission::Entry);
        let stag = record_all(&mut table)[0];
        table.resume(1, stag);
    }
    assert_eq!(table.admit(waiter(1, 7), [0; 4]), Admission::Line, "although there is room");
    let line: Vec<_> = table.line().filter_map(|waiter| waiter.tag).collect();
    assert_eq!(line, [3, 4, 7]);
}
