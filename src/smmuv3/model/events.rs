// SPDX-License-Identifier: GPL-2.0-or-later
//! The event queue, global errors, and interrupts (`IHI0070 §7.2`, `§7.4`, `§7.5`, `§3.18`).

use super::super::event::{self, Record};
use super::super::registers::Registers;
use super::super::spec::registers::{EventqCons, EventqProd, Gerror, IRQ_EVENTQ, IRQ_GERROR, IrqCfg0};
use super::super::stall::Phase;
use super::super::stats::add;
use super::{Engine, Smmu, State, lock, resolve};
use crate::iommu::{Effect, Effects, GuestMemory};

pub(super) const CMDQ_ERR: u32 = 1 << 0;
const EVENTQ_ABT_ERR: u32 = 1 << 2;
pub(super) const PRIQ_ABT_ERR: u32 = 1 << 3;
const MSI_CMDQ_ABT_ERR: u32 = 1 << 4;
const MSI_EVENTQ_ABT_ERR: u32 = 1 << 5;
const MSI_PRIQ_ABT_ERR: u32 = 1 << 6;
const MSI_GERROR_ABT_ERR: u32 = 1 << 7;

const _: () = {
    // The bits above are those of the layout.
    let queues = CMDQ_ERR | EVENTQ_ABT_ERR | PRIQ_ABT_ERR;
    let messages = MSI_CMDQ_ABT_ERR | MSI_EVENTQ_ABT_ERR | MSI_PRIQ_ABT_ERR | MSI_GERROR_ABT_ERR;
    assert!(queues | messages == 0xfd && Gerror::FIELDS.len() == 8);
};

impl<E: Engine> Smmu<E> {
    /// Writes one record to the event queue. `false`: the queue is not writable (`IHI0070 §7.2.1`).
    fn write_record(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        record: &Record,
        effects: &mut Effects,
    ) -> bool {
        let registers = &mut state.registers;
        if registers.enables().eventqen() == 0 || registers.errors().eventq_abt_err() != 0 {
            return false;
        }
        let ring = registers.eventq(&self.features);
        let prod = EventqProd::from(registers.eventq_prod);
        let cons = EventqCons::from(registers.eventq_cons).rd();
        if ring.is_full(prod.wr(), cons) {
            return false;
        }
        let at = ring.entry(ring.pointer(prod.wr()));
        if mem.write(at, &event::bytes(record)).is_err() {
            // Synchronous: PROD does not move.
            self.raise(registers, EVENTQ_ABT_ERR, effects);
            return false;
        }
        let was_empty = ring.is_empty(prod.wr(), cons);
        registers.eventq_prod = prod.with_wr(ring.next(prod.wr())).bits();
        state.last_event = None;
        add(&self.counters.events, 1);
        let registers = &state.registers;
        if was_empty && registers.interrupts().eventq_irqen() != 0 {
            self.interrupt(IRQ_EVENTQ, registers.eventq_irq_cfg0, registers.eventq_irq_cfg1, effects);
        }
        true
    }

    /// Records an event that may be lost, or merges it.
    pub(super) fn record(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        record: &Record,
        merge: bool,
        effects: &mut Effects,
    ) {
        let merge = merge && self.features.event_merging;
        if merge && self.is_recorded_already(state, record) {
            add(&self.counters.events_merged, 1);
            return;
        }
        if self.write_record(state, mem, record, effects) {
            state.last_event = merge.then_some(*record);
            return;
        }
        add(&self.counters.events_dropped, 1);
        let registers = &mut state.registers;
        let ring = registers.eventq(&self.features);
        let prod = EventqProd::from(registers.eventq_prod);
        let cons = EventqCons::from(registers.eventq_cons);
        // §7.4: only what a full queue made us discard is an overflow.
        if registers.enables().eventqen() != 0
            && registers.errors().eventq_abt_err() == 0
            && ring.is_full(prod.wr(), cons.rd())
        {
            overflow(registers);
        }
    }

    /// Whether the last record in the queue is of an event alike, and software has not read it: it then stands for both
    /// (`IHI0070 §7.3.1`). One that was read is a matter of the past, and what came between keeps its place.
    fn is_recorded_already(&self, state: &State, record: &Record) -> bool {
        let registers = &state.registers;
        let prod = EventqProd::from(registers.eventq_prod).wr();
        let cons = EventqCons::from(registers.eventq_cons).rd();
        registers.enables().eventqen() != 0
            && registers.errors().eventq_abt_err() == 0
            && !registers.eventq(&self.features).is_empty(prod, cons)
            && state.last_event.is_some_and(|last| event::is_alike(&last, record))
    }

    /// Writes the records of stalled transactions, as long as the queue takes them, and fills freed entries from the line.
    pub(super) fn record_stalls(&self, state: &mut State, mem: &dyn GuestMemory, effects: &mut Effects) {
        while let Some((stag, entry)) = state.stalls.next_unrecorded() {
            if entry.phase == Phase::Stale {
                if !self.is_event_queue_writable(&state.registers) {
                    break;
                }
                if let Some(waiter) = state.stalls.drop_unrecorded() {
                    resolve(&waiter, true, effects);
                }
                continue;
            }
            if !self.write_record(state, mem, &event::with_stag(&entry.record, stag), effects) {
                break;
            }
            state.stalls.recorded();
            add(&self.counters.stalls, 1);
        }
        self.serve_line(state, effects);
    }

    /// Entries are free: as many requests that wait for one may try again, first come first served. Each takes an entry if it
    /// faults again. Those that do not are seen nowhere, so the next ones follow with the next run, whatever the first do.
    pub(super) fn serve_line(&self, state: &mut State, effects: &mut Effects) {
        while let Some(waiter) = state.stalls.next_in_line() {
            resolve(&waiter, true, effects);
        }
        if state.stalls.has_room() && state.stalls.line_length() != 0 {
            self.pending.want();
        }
    }

    fn is_event_queue_writable(&self, registers: &Registers) -> bool {
        let prod = EventqProd::from(registers.eventq_prod).wr();
        let cons = EventqCons::from(registers.eventq_cons).rd();
        registers.enables().eventqen() != 0
            && registers.errors().eventq_abt_err() == 0
            && !registers.eventq(&self.features).is_full(prod, cons)
    }

    /// Makes a global error active, if it is not (`IHI0070 §7.5`).
    pub(super) fn raise(&self, registers: &mut Registers, error: u32, effects: &mut Effects) {
        if registers.errors().bits() & error != 0 {
            return;
        }
        registers.gerror ^= error;
        if error != MSI_GERROR_ABT_ERR && registers.interrupts().gerror_irqen() != 0 {
            self.interrupt(IRQ_GERROR, registers.gerror_irq_cfg0, registers.gerror_irq_cfg1, effects);
        }
    }

    /// Signals one of the interrupt sources (`IHI0070 §3.18.2`): the wired output, and the MSI if there is one.
    pub(super) fn interrupt(&self, line: usize, cfg0: u64, data: u32, effects: &mut Effects) {
        effects.push(Effect::PulseIrq { line });
        let addr = IrqCfg0::from(cfg0).addr().wrapping_shl(2);
        if self.features.msi && addr != 0 {
            effects.push(Effect::WriteMsi { addr, data });
        }
    }

    /// An [`Effect::WriteMsi`] could not be carried out: the address is neither RAM nor a device. Under the BQL.
    pub fn msi_aborted(&self, addr: u64, data: u32) -> Effects {
        let mut effects = Effects::default();
        let mut state = lock(&self.state);
        if lock(&self.pmcg).msi_aborted(addr, data) {
            return effects;
        }
        let registers = &mut state.registers;
        let is = |cfg0: u64, cfg1: u32| IrqCfg0::from(cfg0).addr().wrapping_shl(2) == addr && cfg1 == data;
        let error = if is(registers.gerror_irq_cfg0, registers.gerror_irq_cfg1) {
            MSI_GERROR_ABT_ERR
        } else if is(registers.eventq_irq_cfg0, registers.eventq_irq_cfg1) {
            MSI_EVENTQ_ABT_ERR
        } else if self.features.pri && is(registers.priq_irq_cfg0, registers.priq_irq_cfg1) {
            MSI_PRIQ_ABT_ERR
        } else {
            MSI_CMDQ_ABT_ERR
        };
        if self.features.msi {
            self.raise(registers, error, &mut effects);
        }
        effects
    }
}

/// Records were lost: the overflow flag is toggled, unless it says so already (`IHI0070 §7.4`).
pub(super) fn overflow(registers: &mut Registers) {
    let prod = EventqProd::from(registers.eventq_prod);
    if prod.ovflg() == EventqCons::from(registers.eventq_cons).ovackflg() {
        registers.eventq_prod = prod.with_ovflg(prod.ovflg() ^ 1).bits();
    }
}
