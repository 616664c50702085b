// SPDX-License-Identifier: GPL-2.0-or-later
//! Silly and hostile guests.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Registers that do something.
const OFFSETS: &[u64] = &[
    0x20, 0x28, 0x2c, 0x44, 0x50, 0x60, 0x64, 0x68, 0x70, 0x74, 0x80, 0x88, 0x90, 0x98, 0x9c, 0xa0, 0xa8,
    0xac, 0xb0, 0xb8, 0xbc, 0xc0, 0xd0, 0xd8, 0xdc, 0x1_00a8, 0x1_00ac, 0x1_00c8, 0x1_00cc,
];

#[derive(Clone, Debug)]
enum Step {
    Write { offset: u64, value: u64, size: u32 },
    Memory { slot: u64, words: [u64; 2] },
    Translate { addr: u64, tag: Option<u64>, locked: bool },
    End,
    Cancel { tag: Option<u64> },
    Ats { addr: u64, locked: bool },
    Translated { addr: u64, locked: bool },
    Page { group: u16, last: bool, tagged: bool },
    Forgotten { nth: usize, late: bool },
    Run,
    Migrate,
}

fn step() -> impl Strategy<Value = Step> {
    let offset = prop_oneof![4 => prop::sample::select(OFFSETS), 1 => 0..0x2_0008u64];
    let value =
        prop_oneof![any::<u64>(), 0..0x20u64, Just(0xd), Just(0x1f), Just(CMDQ | 3), Just(EVENTQ | 2)];
    let size = prop_oneof![4 => Just(4u32), 2 => Just(8u32), 1 => 0..16u32];
    let opcode = prop_oneof![
        any::<u8>(),
        Just(op::SYNC),
        Just(op::RESUME),
        Just(op::STALL_TERM),
        Just(op::ATC_INV),
        Just(op::PRI_RESP)
    ];
    let words = (opcode, any::<u64>(), any::<u64>(), any::<bool>()).prop_map(|(opcode, a, b, plain)| {
        let high = if plain { 8 << 32 | (a & 3) << 12 } else { a << 8 };
        [u64::from(opcode) | high, if plain { b & 0xff } else { b }]
    });
    prop_oneof![
        8 => (offset, value, size).prop_map(|(offset, value, size)| Step::Write { offset, value, size }),
        4 => (0..8u64, words).prop_map(|(slot, words)| Step::Memory { slot, words }),
        4 => (0..8u64, prop::option::of(0..6u64), any::<bool>())
            .prop_map(|(page, tag, locked)| Step::Translate { addr: page << 12, tag, locked }),
        2 => Just(Step::End),
        1 => prop::option::of(0..6u64).prop_map(|tag| Step::Cancel { tag }),
        1 => (0..8u64, any::<bool>()).prop_map(|(page, locked)| Step::Ats { addr: page << 12, locked }),
        1 => (0..8u64, any::<bool>()).prop_map(|(page, locked)| Step::Translated { addr: page << 12, locked }),
        4 => (0..8u16, any::<bool>(), any::<bool>())
            .prop_map(|(group, last, tagged)| Step::Page { group, last, tagged }),
        2 => (0..4usize, any::<bool>()).prop_map(|(nth, late)| Step::Forgotten { nth, late }),
        2 => Just(Step::Run),
        1 => Just(Step::Migrate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the guest writes, nothing panics, every call ends soon, and every request that waits is answered exactly
    /// once or still waits.
    #[test]
    fn arbitrary_histories(
        steps in vec(step(), 1..120),
        adversarial in any::<bool>(),
        stalls in any::<bool>(),
        stall_max in 1..4u16,
    ) {
        let features = Features { stall_max, adversarial, ..Features::default() };
        let rig = Rig::with(features, 3, 2);
        let action = if stalls { FaultAction::Stall } else { FaultAction::Abort };
        rig.faults(FaultKind::Translation, action, true);
        rig.map(0x1000);
        rig.mem.hole(0x1000_0000..0x2000_0000);
        let mut smmu = &rig.smmu;
        let mut epochs = Vec::new();
        let mut asked: Vec<u32> = Vec::new();
        let mut waiting: HashSet<u64> = HashSet::new();
        for step in steps {
            let reads = rig.mem.reads();
            let mut effects = Effects::default();
            match step {
                Step::Write { offset, value, size } => {
                    effects = smmu.mmio_write(&rig.mem, offset, value, size);
                    let _ = smmu.mmio_read(offset, size);
                }
                Step::Memory { slot, words } => rig.mem.put_all(CMDQ + 16 * slot, &words),
                Step::Translate { addr, tag, locked } => {
                    // An endpoint does not use the name of a request that waits for another one.
                    let tag = tag.filter(|tag| !waiting.contains(tag));
                    let (outcome, more) = smmu.translate(&rig.mem, &request(addr, tag), locked);
                    effects = more;
                    match outcome {
                        Outcome::Translated { epoch, .. } => epochs.push(epoch),
                        Outcome::Waiting => {
                            prop_assert!(stalls);
                            prop_assert!(waiting.insert(tag.unwrap()));
                        }
                        Outcome::Aborted => {}
                    }
                }
                Step::End => if let Some(epoch) = epochs.pop() {
                    let _ = smmu.end(epoch);
                },
                Step::Cancel { tag } => {
                    smmu.cancel(8, Some(Some(3)), tag);
                    waiting.retain(|waiting| tag.is_some_and(|tag| tag != *waiting));
                }
                Step::Ats { addr, locked } => effects = smmu.ats(&rig.mem, &request(addr, None), 0x1000, locked).1,
                Step::Translated { addr, locked } => {
                    let (outcome, more) = smmu.translated(&rig.mem, &request(addr, None), locked);
                    effects = more;
                    match outcome {
                        Outcome::Translated { epoch, .. } => epochs.push(epoch),
                        outcome => prop_assert_eq!(outcome, Outcome::Aborted),
                    }
                }
                Step::Page { group, last, tagged } => {
                    let before = smmu.stats();
                    let substream = tagged.then_some(3);
                    let access = Access { read: true, ..Access::default() };
                    let page = PageRequest { stream: 8, substream, addr: 0x1000, access, group, last, private_data: None };
                    effects = smmu.page_request(&rig.mem, &page);
                    let responses =
                        effects.0.iter().filter(|effect| matches!(effect, Effect::PageResponse { .. })).count();
                    let queued = smmu.stats().page_requests - before.page_requests;
                    prop_assert_eq!(queued + responses as u64, u64::from(last || queued == 1), "queued or answered, once");
                }
                Step::Forgotten { nth, late } => if nth < asked.len() {
                    let itag = asked.remove(nth);
                    effects = if late {
                        smmu.device_tlb_late(&rig.mem, itag)
                    } else {
                        smmu.device_tlb_done(&rig.mem, 8, itag)
                    };
                },
                Step::Run => effects = smmu.run_pending(&rig.mem),
                Step::Migrate => {
                    let words = smmu.save().to_words();
                    let saved = SavedState::from_words(&words).unwrap();
                    prop_assert_eq!(saved.to_words(), words);
                    let other = Smmu::with_engine(features, Script::default());
                    *lock(&other.engine.fault) = (FaultKind::Translation, action, true);
                    lock(&other.engine.mapped).insert(1);
                    other.load(&saved).unwrap();
                    prop_assert_eq!(other.save(), saved);
                    epochs.clear();
                    asked.clear();
                    smmu = Box::leak(Box::new(other));
                }
            }
            // A doubleword is two register writes.
            prop_assert!(rig.mem.reads() - reads <= 2 * u64::from(COMMANDS_AT_ONCE), "bounded work");
            for effect in effects.0 {
                if let Effect::AtsInvalidate { itag, .. } = effect {
                    asked.push(itag);
                }
                if let Effect::Resolved { stream, tag, .. } = effect {
                    prop_assert_eq!(stream, 8);
                    prop_assert!(waiting.remove(&tag), "answered without waiting");
                }
            }
            let pending: HashSet<u64> = smmu.pending(8).into_iter().map(|(substream, tag)| {
                assert_eq!(substream, Some(3));
                tag
            }).collect();
            prop_assert_eq!(&pending, &waiting);
        }
        // SMMUEN off ends every stall.
        for cr0 in [0, 1, 0] {
            for effect in smmu.mmio_write(&rig.mem, reg::CR0, cr0, 4).0 {
                if let Effect::Resolved { tag, .. } = effect {
                    prop_assert!(waiting.remove(&tag));
                }
            }
        }
        prop_assert!(waiting.is_empty());
    }

    /// Words that no SMMU saved are refused or harmless.
    #[test]
    fn hostile_states(
        mut words in vec(prop_oneof![any::<u64>(), 0..4u64], 0..60),
        edits in vec((0..60usize, any::<u64>()), 0..4),
        from_real in any::<bool>(),
    ) {
        let rig = Rig::with(Features { stall_max: 2, ..Features::default() }, 3, 2);
        if from_real {
            rig.faults(FaultKind::Translation, FaultAction::Stall, true);
            rig.translate(0x1000, Some(1));
            words = rig.smmu.save().to_words();
            for (at, value) in edits {
                if let Some(word) = words.get_mut(at) {
                    *word ^= value & value.rotate_left(13) & value.rotate_left(29);
                }
            }
        }
        if let Ok(saved) = SavedState::from_words(&words)
            && rig.smmu.load(&saved).is_ok()
        {
            prop_assert_eq!(rig.smmu.save(), saved);
            let _ = rig.smmu.run_pending(&rig.mem);
            rig.write(reg::CMDQ_PROD, 1);
        }
    }
}

#[test]
fn silly_prod_is_bounded() {
    let mut rig = Rig::new(3);
    for _ in 0..8 {
        rig.put([op::PREFETCH_CONFIG.into(), 0]);
    }
    // RD = 3 with wrap 0; WR says 11 entries are there, in a queue of 8.
    rig.write(reg::CR0, 0);
    rig.write(reg::CMDQ_CONS, 3);
    rig.write(reg::CMDQ_PROD, 14);
    rig.write(reg::CR0, 8);
    assert_eq!(rig.smmu.stats().commands, 8, "no more than a queue at once");
    rig.write(reg::CMDQ_PROD, 14);
    assert_eq!(rig.smmu.stats().commands, 11);
    rig.write(reg::CMDQ_PROD, 14);
    assert_eq!(rig.smmu.stats().commands, 11);
}
