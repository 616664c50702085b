// SPDX-License-Identifier: GPL-2.0-or-later
//! The performance counters beside the model (`IHI0070 §10`): what is seen of a transaction, and by whom.
//!
//! While no counter counts, nothing is seen: a bit of the [`Gate`](super::Gate) decides. Otherwise memory is read through
//! [`Watched`], which tells a miss in a cache by what had to be read. A transaction that is tried again, after a stall for
//! one, is a new one.

use core::cell::Cell;

use super::super::pmcg::{Pmcg, Tally};
use super::super::registers::Gate;
use super::super::spec::pmcg::{IRQ_OVERFLOW, event};
use super::{Engine, Ordering, Smmu, State, lock};
use crate::iommu::{Effect, Effects, GuestMemory, MemoryError, StreamId};

/// What is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// An untranslated transaction.
    Transaction,
    /// An ATS translation request.
    AtsRequest,
    /// An ATS translated transaction.
    Translated,
}

/// Memory whose accesses are counted.
struct Watched<'a> {
    mem: &'a dyn GuestMemory,
    structures: Cell<u64>,
    tables: Cell<u64>,
}

fn count(counter: &Cell<u64>) {
    counter.set(counter.get().wrapping_add(1));
}

impl GuestMemory for Watched<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
        self.mem.read(addr, buf)
    }

    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
        self.mem.write(addr, buf)
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        count(&self.tables);
        self.mem.read_u64(addr)
    }

    fn compare_exchange_u64(
        &self,
        addr: u64,
        current: u64,
        new: u64,
    ) -> Result<Result<(), u64>, MemoryError> {
        count(&self.tables);
        self.mem.compare_exchange_u64(addr, current, new)
    }

    fn read_structure(&self, addr: u64, words: &mut [u64]) -> Result<(), MemoryError> {
        count(&self.structures);
        self.mem.read_structure(addr, words)
    }
}

impl<E: Engine> Smmu<E> {
    /// Counts what `act` does for a stream, if counters count. It says what that was, if it was done for something that came
    /// in, and to its end.
    pub(super) fn counted<T>(
        &self,
        gate: Gate,
        mem: &dyn GuestMemory,
        stream: StreamId,
        act: impl FnOnce(&dyn GuestMemory) -> (Option<Seen>, T),
    ) -> T {
        if gate.counting() == 0 {
            return act(mem).1;
        }
        let watched = Watched { mem, structures: Cell::new(0), tables: Cell::new(0) };
        let (seen, result) = act(&watched);
        let (structures, tables) = (watched.structures.get(), watched.tables.get());
        let mut tally = Tally::default();
        tally.add(event::CONFIG_ACCESS, structures);
        tally.add(event::TABLE_ACCESS, tables);
        if let Some(seen) = seen {
            tally.add(event::TRANSACTION, 1);
            tally.add(event::TLB_MISS, (tables != 0).into());
            tally.add(event::CONFIG_MISS, (structures != 0).into());
            match seen {
                Seen::AtsRequest => tally.add(event::ATS_REQUEST, 1),
                Seen::Translated => tally.add(event::ATS_TRANSLATED, 1),
                Seen::Transaction => {}
            }
        }
        if lock(&self.pmcg).count(&self.features, stream, &tally) {
            self.pending.want();
        }
        result
    }

    /// Reads the counter group's registers, at a moment of the guest's time in nanoseconds. Under the BQL.
    #[must_use]
    pub fn counters_read(&self, offset: u64, size: u32, now: u64) -> u64 {
        let mut pmcg = lock(&self.pmcg);
        if pmcg.advance(&self.features, now) {
            self.pending.want();
        }
        pmcg.read(&self.features, offset, size)
    }

    /// Writes them. Under the BQL.
    pub fn counters_write(&self, offset: u64, value: u64, size: u32, now: u64) -> Effects {
        // What happened before this write is signalled as it was to be then.
        let effects = self.counters_tick(now);
        let state = lock(&self.state);
        lock(&self.pmcg).write(&self.features, offset, value, size);
        self.publish(&state);
        effects
    }

    /// Counts clock cycles. Under the BQL.
    pub fn counters_tick(&self, now: u64) -> Effects {
        let mut effects = Effects::default();
        lock(&self.pmcg).advance(&self.features, now);
        self.signal_overflow(&mut effects);
        effects
    }

    /// When [`counters_tick`](Self::counters_tick) is to be called, if nothing happens before.
    #[must_use]
    pub fn counters_alarm(&self) -> Option<u64> {
        lock(&self.pmcg).alarm()
    }

    /// What translation reads of the registers.
    pub(super) fn publish(&self, state: &State) {
        let counting = lock(&self.pmcg).counts();
        let gate = state.registers.gate().counted(counting);
        self.gate.store(gate.bits(), Ordering::SeqCst);
    }

    /// Takes the interrupt of an overflow, if there is one to be taken.
    pub(super) fn signal_overflow(&self, effects: &mut Effects) {
        let msi = {
            let mut pmcg = lock(&self.pmcg);
            if !pmcg.take_due() {
                return;
            }
            pmcg.msi()
        };
        effects.push(Effect::PulseIrq { line: IRQ_OVERFLOW });
        if let Some((addr, data)) = msi {
            effects.push(Effect::WriteMsi { addr, data });
        }
    }

    /// Its registers, for those who save it.
    pub(super) fn saved_counters(&self) -> Pmcg {
        *lock(&self.pmcg)
    }
}
