// SPDX-License-Identifier: GPL-2.0-or-later
//! What the performance counters see, with tables in memory and the translator that reads them.

use super::super::super::spec::pmcg;
use super::super::super::spec::ste::{eats, s1dss, s1fmt};
use super::super::super::testing::{
    READ, TestGuest, WRITE, cd, edit_cd, edit_ste1, request as plain, s2_rw, ste_stage1, user_clean, user_rw,
    with_stage2,
};
use super::*;

const STREAM: u32 = 0x20;
const VA: u64 = 0x7f12_3456_7000;

/// An SMMU with a process behind it.
struct Counted {
    guest: TestGuest,
    smmu: Smmu<Translator>,
}

impl Counted {
    fn new(nested: bool) -> Self {
        let guest = TestGuest::new();
        let smmu = Smmu::new(Features { pmu_msi: true, ..Features::default() }, 64);
        let streams = guest.two_level_streams(8, 6);
        let contexts = guest.contexts(4, s1fmt::LINEAR);
        let tables = guest.tables(12, 48);
        for page in 0..4 {
            guest.map(
                &tables,
                VA + (page << 12),
                0x9000_0000 + (page << 12),
                3,
                if page == 3 { user_clean() } else { user_rw() },
            );
        }
        guest.set_cd(&contexts, 3, &edit_cd(cd(&tables, 1), |cd| cd.with_ha(1).with_hd(1)));
        let mut ste = edit_ste1(ste_stage1(contexts.base, 4, contexts.fmt, s1dss::TERMINATE), |ste| {
            ste.with_eats(eats::FULL)
        });
        if nested {
            let second = guest.tables(12, 39);
            for at in [0x4000_0000u64, 0x8000_0000] {
                guest.map2(&second, at, at, 1, s2_rw());
            }
            ste = with_stage2(ste, &second, 5);
        }
        guest.set_ste(&streams, STREAM, &ste);
        let counted = Self { guest, smmu };
        let write =
            |offset, value, size| drop(counted.smmu.mmio_write(&counted.guest.mem, offset, value, size));
        write(reg::STRTAB_BASE, streams.base, 8);
        write(reg::STRTAB_BASE_CFG, 1 << 16 | 6 << 6 | 8, 4);
        write(reg::CR0, 1 << 4 | 1, 4);
        counted
    }

    /// Counters 0 to 6 count events 1 to 7 of `filter`, and of nobody else.
    fn count(&self, filter: u32) {
        for n in 0..7 {
            self.set(pmcg::EVTYPER + 4 * n, n + 1, 4);
            self.set(pmcg::SMR + 4 * n, filter.into(), 4);
            self.set(pmcg::EVCNTR + 8 * n, 0, 8);
        }
        self.set(pmcg::CNTENSET, 0x7f, 8);
        self.set(pmcg::CR, 1, 4);
    }

    fn set(&self, offset: u64, value: u64, size: u32) -> Vec<Effect> {
        self.smmu.counters_write(offset, value, size, 0).0
    }

    /// What has been counted since the last time, events 1 to 7.
    fn seen(&self) -> [u64; 7] {
        core::array::from_fn(|n| {
            let at = pmcg::EVCNTR + 8 * n as u64;
            let seen = self.smmu.counters_read(at, 8, 0);
            self.set(at, 0, 8);
            seen
        })
    }

    fn access(&self, addr: u64, access: Access) -> Outcome {
        let outcome = self.smmu.translate(&self.guest.mem, &plain(STREAM, Some(3), addr, access), true).0;
        if let Outcome::Translated { epoch, .. } = outcome {
            let _ = self.smmu.end(epoch);
        }
        outcome
    }
}

#[test]
fn transactions_misses_and_accesses() {
    let c = Counted::new(false);
    // Nobody counts yet.
    c.access(VA, READ);
    c.count(STREAM);
    assert_eq!(c.seen(), [0; 7]);
    // A hit, which the quick path would have answered.
    c.access(VA, READ);
    assert_eq!(c.seen(), [1, 0, 0, 0, 0, 0, 0]);
    // A miss of the TLB: four levels.
    c.access(VA + 0x1000, READ);
    assert_eq!(c.seen(), [1, 1, 0, 4, 0, 0, 0]);
    // Made dirty: four reads, and an update.
    c.access(VA + 0x3000, WRITE);
    assert_eq!(c.seen(), [1, 1, 0, 5, 0, 0, 0]);
    // Terminated.
    assert_eq!(c.access(VA + 0x1_0000, READ), Outcome::Aborted);
    assert_eq!(c.seen(), [1, 1, 0, 4, 0, 0, 0]);
    // Without a configuration: L1STD, STE, CD, and whatever the TLB still has.
    c.smmu.engine.reset();
    c.access(VA, READ);
    assert_eq!(c.seen(), [1, 1, 1, 4, 3, 0, 0]);
    // What the cache has is not given away behind the counters' back.
    let req = plain(STREAM, Some(3), VA, READ);
    assert_eq!(c.smmu.cached_translation(&req), None);
    c.set(pmcg::CNTENCLR, u64::MAX, 8);
    assert!(c.smmu.cached_translation(&req).is_some());
    c.access(VA, READ);
    assert_eq!(c.seen(), [0; 7], "frozen");
}

#[test]
fn two_stages() {
    let c = Counted::new(true);
    c.count(STREAM);
    assert!(matches!(c.access(VA, READ), Outcome::Translated { .. }));
    // Stage 2 maps blocks of 1 GiB: an access for each address that goes through it, those of the CD and the four tables,
    // and the page's; and the four tables.
    let [transactions, misses, config_misses, tables, structures, ..] = c.seen();
    assert_eq!((transactions, misses, config_misses, structures), (1, 1, 1, 3));
    assert_eq!(tables, 1 + 4 + 4 + 1);
}

#[test]
fn ats() {
    let c = Counted::new(false);
    c.count(STREAM);
    let write = plain(STREAM, Some(3), VA, WRITE);
    let (answer, _) = c.smmu.ats(&c.guest.mem, &write, 0x1000, true);
    assert!(matches!(answer, AtsOutcome::Success(found) if found.write));
    assert_eq!(c.seen(), [1, 1, 1, 4, 3, 1, 0]);
    // From the caches, and for nothing.
    c.smmu.ats(&c.guest.mem, &write, 0x1000, true);
    assert_eq!(c.seen(), [1, 0, 0, 0, 0, 1, 0]);
    c.smmu.ats(&c.guest.mem, &plain(STREAM, Some(3), VA + 0x1_0000, WRITE), 0x1000, true);
    assert_eq!(c.seen(), [1, 1, 0, 4, 0, 1, 0]);
    // A translated transaction, which ATSCHK has the STE asked for.
    let translated = plain(STREAM, None, 0x9000_0000, WRITE);
    let (outcome, _) = c.smmu.translated(&c.guest.mem, &translated, true);
    assert!(matches!(outcome, Outcome::Translated { .. }));
    assert_eq!(c.seen(), [1, 0, 1, 0, 2, 0, 1]);
    c.smmu.mmio_write(&c.guest.mem, reg::CR0, 1, 4);
    c.smmu.translated(&c.guest.mem, &translated, true);
    assert_eq!(c.seen(), [1, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn only_the_stream_of_the_filter_and_only_while_translating() {
    let c = Counted::new(false);
    c.count(STREAM + 1);
    c.access(VA, READ);
    assert_eq!(c.seen(), [0; 7]);
    c.count(STREAM);
    c.smmu.mmio_write(&c.guest.mem, reg::CR0, 0, 4);
    assert!(matches!(c.access(VA, READ), Outcome::Translated { .. }), "GBPA passes it");
    assert_eq!(c.seen(), [0; 7]);
    // A register of the SMMU does not stop the counters.
    c.smmu.mmio_write(&c.guest.mem, reg::CR0, 1, 4);
    c.access(VA, READ);
    assert_eq!(c.seen()[0], 1);
}

#[test]
fn an_overflow_is_signalled_by_the_bottom_half() {
    let c = Counted::new(false);
    c.count(STREAM);
    c.set(pmcg::IRQ_CFG0, 0x808_0040, 8);
    c.set(pmcg::IRQ_CFG1, 9, 4);
    c.set(pmcg::INTENSET, 1, 8);
    c.set(pmcg::IRQ_CTRL, 1, 4);
    c.set(pmcg::EVCNTR, u64::MAX, 8);
    while c.smmu.needs_run() {
        c.smmu.run_pending(&c.guest.mem);
    }
    let signals = [pulse(pmcg::IRQ_OVERFLOW), msi((0x808_0040, 9))];
    c.access(VA, READ);
    assert!(c.smmu.needs_run());
    assert_eq!(c.smmu.counters_read(pmcg::OVSSET, 8, 0), 1);
    assert_eq!(c.smmu.run_pending(&c.guest.mem).0, signals);
    assert_eq!(c.smmu.run_pending(&c.guest.mem).0, []);
    // Before it is switched off, what is due is signalled; and nothing after.
    c.set(pmcg::EVCNTR, u64::MAX, 8);
    c.access(VA, READ);
    assert_eq!(c.set(pmcg::IRQ_CTRL, 0, 4), signals);
    assert_eq!(c.smmu.run_pending(&c.guest.mem).0, []);
    // An MSI that reaches nothing is the group's own affair.
    assert_eq!(c.smmu.msi_aborted(0x808_0040, 9).0, []);
    assert_eq!((c.smmu.counters_read(pmcg::IRQ_STATUS, 4, 0), c.smmu.mmio_read(reg::GERROR, 4)), (1, 0));
}

#[test]
fn a_clock_that_is_counted_does_not_slow_transactions_down() {
    let c = Counted::new(false);
    c.access(VA, READ);
    let at = |now| c.smmu.counters_read(pmcg::EVCNTR, 8, now);
    let write = |offset, value, size, now| c.smmu.counters_write(offset, value, size, now).0;
    write(pmcg::CNTENSET, 1, 8, 1000);
    write(pmcg::INTENSET, 1, 8, 1000);
    write(pmcg::IRQ_CTRL, 1, 4, 1000);
    write(pmcg::CR, 1, 4, 1000);
    assert!(c.smmu.cached_translation(&plain(STREAM, Some(3), VA, READ)).is_some());
    assert_eq!(at(1500), 500);
    // 584 years on, which is more than the guest's time has.
    assert_eq!(c.smmu.counters_alarm(), None);
    write(pmcg::EVCNTR, u64::MAX - 9, 8, 2000);
    assert_eq!(c.smmu.counters_alarm(), Some(2010));
    assert_eq!(c.smmu.counters_tick(2009).0, []);
    assert_eq!(c.smmu.counters_tick(2010).0, [pulse(pmcg::IRQ_OVERFLOW)]);
    // By itself, by a look, and by a write.
    write(pmcg::EVCNTR, u64::MAX, 8, 3000);
    while c.smmu.needs_run() {}
    assert_eq!((at(3001), c.smmu.needs_run()), (0, true));
    assert_eq!(c.smmu.run_pending(&c.guest.mem).0, [pulse(pmcg::IRQ_OVERFLOW)]);
    write(pmcg::EVCNTR, u64::MAX, 8, 4000);
    assert_eq!(write(pmcg::CR, 0, 4, 4005), [pulse(pmcg::IRQ_OVERFLOW)]);
    assert_eq!((at(9000), c.smmu.counters_alarm()), (4, None));
}

#[test]
fn counters_travel_and_a_reset_ends_them() {
    let c = Counted::new(false);
    c.count(STREAM);
    c.access(VA, READ);
    let words = c.smmu.save_words();
    let other = Counted::new(false);
    other.smmu.load_words(&words).unwrap();
    assert_eq!(other.smmu.save_words(), words);
    assert_eq!(other.smmu.counters_read(pmcg::EVCNTR, 8, 0), 1);
    other.smmu.reset();
    assert_eq!(other.smmu.counters_read(pmcg::EVCNTR, 8, 0), 0);
    assert_eq!(other.smmu.counters_read(pmcg::CR, 4, 0), 0);
    // Both sides have counters, or neither.
    let without = Smmu::new(Features { pmu: false, ..Features::default() }, 64);
    let refused = without.load_words(&words).unwrap_err().to_string();
    assert!(refused.contains("PMCG_CFGR 0x00703f07, here it is 0x00000000"), "{refused}");
}
