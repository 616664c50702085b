// SPDX-License-Identifier: GPL-2.0-or-later
use super::super::super::event::Report;
use super::*;

fn five() -> Features {
    Features { stall_max: 5, ..Features::default() }
}

/// A rig with a stall of every kind: recorded, unrecorded, stale, in line, cancelled, in the inbox.
fn busy() -> Rig {
    let mut rig = Rig::with(five(), 4, 1);
    rig.faults(FaultKind::Permission, FaultAction::Stall, true);
    rig.write(reg::CR0, 0);
    rig.write64(reg::STRTAB_BASE, 0x1234_0000);
    rig.write(reg::STRTAB_BASE_CFG, 6);
    rig.write(reg::CR1, 0x555);
    rig.write(reg::GBPA, 1 << 31 | 0x1f_3f1f);
    rig.write(reg::CR0, 0xd);
    for tag in 1..=3 {
        rig.translate(tag << 12, Some(tag));
    }
    rig.command(sync());
    rig.smmu.cancel(8, None, Some(1));
    for tag in 4..=6 {
        rig.translate(tag << 12, Some(tag));
    }
    rig.translate_unlocked(0x7000, Some(7));
    rig.command([0xff, 0]);
    assert_eq!(rig.error(), CERROR_ILL);
    rig.translate_unlocked(0x9000, Some(9));
    rig
}

#[test]
fn round_trip() {
    let rig = busy();
    let saved = rig.smmu.save();
    assert_eq!((saved.stalls.len(), saved.unrecorded.len(), saved.line.len()), (5, 3, 2));
    assert_eq!(saved.inbox.len(), 1);
    let words = saved.to_words();
    let parsed = SavedState::from_words(&words).unwrap();
    assert_eq!(parsed, saved);
    let other = Rig::with(five(), 4, 1);
    other.smmu.load(&parsed).unwrap();
    assert_eq!(other.smmu.save().to_words(), words);
    assert!(other.smmu.needs_run());
    assert_eq!(other.smmu.pending(8), rig.smmu.pending(8));
    for offset in (0..0x100).step_by(4).chain([reg::EVENTQ_PROD, reg::EVENTQ_CONS]) {
        assert_eq!(other.read(offset), rig.read(offset), "{offset:#x}");
    }
    assert_eq!(other.smmu.gate.load(Ordering::SeqCst), rig.smmu.gate.load(Ordering::SeqCst));
}

#[test]
fn a_stall_open_at_the_switch_is_answered_on_the_other_side() {
    let mut rig = Rig::stalling();
    let stag = rig.stall(0x1000, 42);
    let words = rig.smmu.save().to_words();
    let mut other = Rig::stalling();
    other.mem = rig.mem;
    other.prod = rig.prod;
    other.smmu.load(&SavedState::from_words(&words).unwrap()).unwrap();
    assert_eq!(other.smmu.pending(8), [(Some(3), 42)]);
    assert_eq!(other.command(retry(8, stag)), [resolved(8, 42, true)]);
    let stats = other.smmu.stats();
    assert_eq!((stats.stalls, stats.resumed_retry), (1, 1), "counted where it is answered");
    // Back in time, in the same process: the stall open now is given up, the one of then is open again.
    other.stall(0x2000, 43);
    other.smmu.load(&SavedState::from_words(&words).unwrap()).unwrap();
    assert_eq!(other.command(retry(8, stag)), [resolved(8, 42, true)]);
    let stats = other.smmu.stats();
    assert_eq!((stats.stalls, stats.resumed_retry, stats.stall_terms), (3, 2, 1));
}

#[test]
fn commands_that_were_waiting_go_on() {
    let mut rig = Rig::new(4);
    rig.map(0x1000);
    let _in_flight = rig.translate(0x1000, None);
    rig.command(sync_msi(0x8_0000, 1));
    assert!(!rig.is_drained());
    let saved = rig.smmu.save();
    let mut other = Rig::new(4);
    other.mem = rig.mem;
    other.prod = rig.prod;
    other.smmu.load(&saved).unwrap();
    assert!(other.smmu.needs_run());
    assert_eq!(other.run(), [pulse(reg::IRQ_SYNC), msi((0x8_0000, 1))]);
    assert!(other.is_drained());
}

#[test]
fn every_truncation_is_refused() {
    let words = busy().smmu.save().to_words();
    for length in 0..words.len() {
        let error = SavedState::from_words(&words[..length]).unwrap_err();
        assert!(
            matches!(
                error,
                LoadError::Truncated { .. } | LoadError::Field { .. } | LoadError::Version { .. }
            ),
            "{length}: {error}"
        );
    }
    let mut long = words;
    long.push(0);
    assert_eq!(SavedState::from_words(&long), Err(LoadError::Trailing { count: 1 }));
}

#[test]
fn messages_name_field_and_value() {
    let rig = busy();
    let saved = rig.smmu.save();
    let refused = |change: &dyn Fn(&mut SavedState)| {
        let mut changed = saved.clone();
        change(&mut changed);
        let error = rig.smmu.load(&changed).unwrap_err().to_string();
        assert_eq!(rig.smmu.save(), saved, "a failed load changes nothing");
        error
    };
    assert_eq!(refused(&|s| s.registers.cr0 = 0x20), "the saved state has an impossible 'CR0': 0x20");
    assert!(refused(&|s| s.registers.cmdq_base = 1 << 60).contains("'CMDQ_BASE': 0x1000000000000000"));
    assert!(refused(&|s| s.registers.gbpa = 1 << 31).contains("'GBPA'"));
    assert!(refused(&|s| s.stalls[0].waiter.substream = Some(1 << 20)).contains("0x100000"));
    assert!(refused(&|s| s.stalls.truncate(4)).contains("stall table of that many entries': 0x4"));
    assert!(refused(&|s| s.unrecorded.push(0)).contains("stall table"));
    assert!(refused(&|s| s.identification[3] ^= 1).contains("state has IDR5 "));
    let event = Report { record: [0; 4], merge: true, stall: None };
    assert!(refused(&|s| s.inbox = vec![event; INBOX_EVENTS + 1]).contains("number of events"));
    assert!(SavedState::from_words(&[7]).unwrap_err().to_string().contains("0x0000000000000007"));
}

#[test]
fn reset_forgets_everything_but_counters() {
    let rig = busy();
    rig.map(0x1000);
    let Outcome::Translated { epoch, .. } = rig.translate(0x1000, None).0 else { panic!() };
    rig.smmu.reset();
    let saved = rig.smmu.save();
    assert_eq!(saved.registers, Registers::reset());
    assert!(saved.stalls.iter().all(|entry| entry.phase == Phase::Free));
    assert_eq!((saved.unrecorded, saved.line, saved.inbox), (vec![], vec![], vec![]));
    assert!(rig.smmu.pending(8).is_empty());
    let stats = rig.smmu.stats();
    assert_eq!((stats.stalls, stats.stall_terms), (2, 2));
    assert!(!rig.smmu.end(epoch), "an access across a reset ends as it should");
    assert_eq!(rig.smmu.epochs.in_flight(), 0);
}
