// SPDX-License-Identifier: GPL-2.0-or-later
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Endpoints that wait, and ask again when they are told to.
struct Endpoints {
    /// What they ask for, by stream and tag.
    waiting: std::collections::BTreeMap<(u32, u64), u64>,
    ended: u64,
}

impl Endpoints {
    fn new() -> Self {
        Self { waiting: Default::default(), ended: 0 }
    }

    fn ask(&mut self, rig: &Rig, stream: u32, tag: u64, addr: u64, locked: bool) -> Vec<Effect> {
        let req = DmaRequest { stream, ..request(addr, Some(tag)) };
        let (outcome, Effects(mut effects)) = rig.smmu.translate(&rig.mem, &req, locked);
        self.waiting.remove(&(stream, tag));
        match outcome {
            Outcome::Waiting => drop(self.waiting.insert((stream, tag), addr)),
            Outcome::Translated { epoch, .. } => {
                self.ended += 1;
                if rig.smmu.end(epoch) {
                    effects.extend(rig.run());
                }
            }
            Outcome::Aborted => self.ended += 1,
        }
        effects
    }

    /// One that waits tries again without having been told, and goes on waiting, whatever comes of it.
    fn ask_again(&self, rig: &Rig, nth: usize, locked: bool) -> Vec<Effect> {
        let Some((&(stream, tag), &addr)) = self.waiting.iter().cycle().nth(nth) else { return vec![] };
        let req = DmaRequest { stream, ..request(addr, Some(tag)) };
        let (outcome, Effects(mut effects)) = rig.smmu.translate(&rig.mem, &req, locked);
        if let Outcome::Translated { epoch, .. } = outcome
            && rig.smmu.end(epoch)
        {
            effects.extend(rig.run());
        }
        effects
    }

    /// Does what they are told, until there is nothing more.
    fn hear(&mut self, rig: &Rig, mut told: Vec<Effect>) {
        for round in 0.. {
            assert!(round < 100_000, "no end");
            while rig.smmu.needs_run() {
                told.extend(rig.run());
            }
            if told.is_empty() {
                return;
            }
            for effect in std::mem::take(&mut told) {
                let Effect::Resolved { stream, tag, retry, .. } = effect else { continue };
                let addr = self.waiting.remove(&(stream, tag)).expect("it waits");
                if retry {
                    told.extend(self.ask(rig, stream, tag, addr, tag % 3 != 0));
                } else {
                    self.ended += 1;
                }
            }
        }
    }

    /// Software makes every page present and answers every record: then no access waits.
    fn finish(&mut self, rig: &mut Rig) {
        (0..64).for_each(|page| rig.map(page << 12));
        for _ in 0..10_000 {
            let mut stags = Vec::new();
            while let Some(record) = rig.event() {
                let second = Event1::from(record[1]);
                if second.stall() != 0 {
                    stags.push((Event0::from(record[0]).stream_id() as u32, second.stag() as u16));
                }
            }
            let told = rig.acknowledge_events();
            self.hear(rig, told);
            let is_quiet = stags.is_empty();
            for (stream, stag) in stags {
                let told = rig.command(retry(stream, stag));
                self.hear(rig, told);
            }
            if is_quiet && rig.read(reg::EVENTQ_PROD) & 0xf_ffff == rig.cons {
                break;
            }
        }
        assert_eq!(self.waiting.len(), 0, "no stall is open, every page is there, and they wait for ever");
    }
}

fn line_rig(stall_max: u16) -> Rig {
    let rig = Rig::with(Features { stall_max, ..Features::default() }, 12, 12);
    rig.faults(FaultKind::Translation, FaultAction::Stall, true);
    rig
}

/// An access that waits for an entry is served when the pages are there, although those before it take none: none is terminated
/// for want of an entry, and software sees no more stalls than `IDR5.STALL_MAX`.
#[test]
fn a_line_is_served_by_successes() {
    for (stall_max, requests) in [(1u16, 4u64), (1, 5000), (4, 16), (7, 600), (256, 6000)] {
        let mut rig = line_rig(stall_max);
        let mut endpoints = Endpoints::new();
        for tag in 1..=requests {
            endpoints.ask(&rig, 8, tag, 0x1000, tag % 2 == 0);
            assert!(endpoints.waiting.contains_key(&(8, tag)), "{stall_max}: terminated");
            if tag % 100 == 0 {
                rig.run();
            }
        }
        endpoints.finish(&mut rig);
        assert_eq!(endpoints.ended, requests);
        assert_eq!(rig.smmu.stats().stalls, u64::from(stall_max), "the others took no entry");
    }
}

/// One stream's stalls fill the table and are terminated; another's wait in the line.
#[test]
fn a_line_is_served_when_a_stream_is_terminated() {
    for stall_max in [1, 3, 256] {
        let mut rig = line_rig(stall_max);
        let mut endpoints = Endpoints::new();
        for tag in 0..u64::from(stall_max) {
            endpoints.ask(&rig, 9, tag, 0x2000, true);
        }
        for tag in 1..=600 {
            endpoints.ask(&rig, 8, tag, 0x1000, true);
        }
        rig.map(0x1000);
        let told = rig.command(stall_term(9));
        endpoints.hear(&rig, told);
        assert_eq!(endpoints.waiting.len(), 0);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Ask {
        stream: u32,
        tag: u64,
        page: u64,
        locked: bool,
    },
    /// Of those that wait, untold.
    AskAgain {
        nth: usize,
        locked: bool,
    },
    Answer {
        nth: usize,
        action: u64,
        abort: u64,
    },
    Terminate {
        stream: u32,
    },
    Cancel {
        stream: u32,
        tag: Option<u64>,
    },
    Map {
        page: u64,
    },
    Unmap {
        page: u64,
    },
    /// Records not yet written become stale.
    Sync,
    ReadEvents {
        most: usize,
    },
    Migrate,
    Run,
}

fn step() -> impl Strategy<Value = Step> {
    let stream = || 8..11u32;
    prop_oneof![
        12 => (stream(), 0..40u64, 0..6u64, any::<bool>())
            .prop_map(|(stream, tag, page, locked)| Step::Ask { stream, tag, page, locked }),
        3 => (0..40usize, any::<bool>()).prop_map(|(nth, locked)| Step::AskAgain { nth, locked }),
        4 => (0..8usize, 0..2u64, 0..2u64).prop_map(|(nth, action, abort)| Step::Answer { nth, action, abort }),
        1 => stream().prop_map(|stream| Step::Terminate { stream }),
        1 => (stream(), prop::option::of(0..40u64)).prop_map(|(stream, tag)| Step::Cancel { stream, tag }),
        2 => (0..6u64).prop_map(|page| Step::Map { page }),
        2 => (0..6u64).prop_map(|page| Step::Unmap { page }),
        1 => Just(Step::Sync),
        3 => (0..6usize).prop_map(|most| Step::ReadEvents { most }),
        1 => Just(Step::Migrate),
        1 => Just(Step::Run),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever ends the entries before, who may be served is served in the end: RESUME with either answer, STALL_TERM, a
    /// success that takes no entry, a stale record, a cancel; with an event queue that is full, and migrations in between.
    #[test]
    fn an_access_that_may_be_served_is_served(
        steps in vec(step(), 1..150),
        stall_max in prop_oneof![Just(1u16), Just(2), Just(5), Just(16), Just(256)],
        event_log2size in 0..4u32,
    ) {
        let features = Features { stall_max, ..Features::default() };
        let mut rig = Rig::with(features, 8, event_log2size);
        rig.faults(FaultKind::Translation, FaultAction::Stall, true);
        let mut endpoints = Endpoints::new();
        let mut records = Vec::new();
        for step in steps {
            let told = match step {
                Step::Ask { stream, tag, .. } if endpoints.waiting.contains_key(&(stream, tag)) => vec![],
                Step::Ask { stream, tag, page, locked } => {
                    endpoints.ask(&rig, stream, tag, page << 12, locked)
                }
                Step::AskAgain { nth, locked } => endpoints.ask_again(&rig, nth, locked),
                Step::Answer { nth, action, abort } if !records.is_empty() => {
                    let (stream, stag) = records.remove(nth % records.len());
                    rig.command(resume(stream, stag, action, abort))
                }
                Step::Terminate { stream } => rig.command(stall_term(stream)),
                Step::Cancel { stream, tag } => {
                    rig.smmu.cancel(stream, None, tag);
                    endpoints.waiting.retain(|(of, name), _| *of != stream || tag.is_some_and(|tag| tag != *name));
                    vec![]
                }
                Step::Map { page } => {
                    rig.map(page << 12);
                    vec![]
                }
                Step::Unmap { page } => {
                    lock(&rig.smmu.engine.mapped).remove(&page);
                    vec![]
                }
                Step::Sync => rig.command(sync()),
                Step::ReadEvents { most } => {
                    for _ in 0..most {
                        let Some(record) = rig.event() else { break };
                        let second = Event1::from(record[1]);
                        if second.stall() != 0 {
                            records.push((Event0::from(record[0]).stream_id() as u32, second.stag() as u16));
                        }
                    }
                    rig.acknowledge_events()
                }
                Step::Migrate => {
                    let words = rig.smmu.save_words();
                    rig.smmu.load_words(&words).unwrap();
                    vec![]
                }
                Step::Run => rig.run(),
                Step::Answer { .. } => vec![],
            };
            endpoints.hear(&rig, told);
            let mut known: Vec<_> = (8..11)
                .flat_map(|stream| rig.smmu.pending(stream).into_iter().map(move |(_, tag)| (stream, tag)))
                .collect();
            known.sort_unstable();
            prop_assert_eq!(known, endpoints.waiting.keys().copied().collect::<Vec<_>>());
        }
        for (stream, stag) in records {
            let told = rig.command(retry(stream, stag));
            endpoints.hear(&rig, told);
        }
        endpoints.finish(&mut rig);
    }
}

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
