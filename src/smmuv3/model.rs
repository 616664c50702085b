// SPDX-License-Identifier: GPL-2.0-or-later
//! The SMMU as a state machine: the device shell calls nothing else.
//!
//! Registers and queues are behind one mutex that is taken only under the BQL, so that nobody ever waits for it, and never
//! held while an effect is carried out. Translation reads one word that mirrors the registers ([`Gate`]), the caches, and
//! the tables in memory. What a thread without the BQL has to report goes into a bounded inbox; after any call
//! [`Smmu::needs_run`] says whether [`Smmu::run_pending`] has something to do.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::command::{Command, Resume, Signal};
use super::config::StreamTable;
use super::epoch::Epochs;
use super::event::{self, Inbox, Record, Report, Waiter};
use super::fault::{Fault, FaultAction};
use super::features::{Features, StallModel};
use super::queue::Ring;
use super::registers::{Gate, Registers, Written};
use super::spec::command::{CERROR_ABT, CERROR_ILL};
use super::spec::registers::{
    CmdqCons, Cr0, EventqCons, EventqProd, Gerror, IRQ_EVENTQ, IRQ_GERROR, IRQ_SYNC, IrqCfg0, PAGE_1,
    REGION_SIZE,
};
use super::stall::{Admission, Phase, StallTable};
use super::state::{LoadError, SavedState, identification};
use super::stats::{Counters, Stats, add, get};
use super::translate::{Invalidation, Translator, TranslatorStats};
use crate::iommu::{
    DmaRequest, Effect, Effects, GuestMemory, Permissions, StreamId, SubstreamId, Translation,
};

/// Commands per call; what is left is for the next [`Smmu::run_pending`], so that one register write does not hold the
/// BQL for half a million commands.
const COMMANDS_AT_ONCE: u32 = 4096;
/// Invalidations that an adversarial SMMU keeps back until the next SYNC.
const DEFERRED: usize = 4096;

/// What translates. The model is generic in it so that tests of the one need not set up the other.
pub trait Engine: Send + Sync {
    /// See [`Translator::translate`].
    ///
    /// # Errors
    /// The fault.
    fn translate(
        &self,
        mem: &dyn GuestMemory,
        table: &StreamTable,
        req: &DmaRequest,
    ) -> Result<Translation, Fault>;
    /// See [`Translator::invalidate`].
    fn invalidate(&self, what: &Invalidation);
    /// See [`Translator::reset`].
    fn reset(&self);
    /// See [`Translator::stats`].
    fn stats(&self) -> TranslatorStats;
}

impl Engine for Translator {
    fn translate(
        &self,
        mem: &dyn GuestMemory,
        table: &StreamTable,
        req: &DmaRequest,
    ) -> Result<Translation, Fault> {
        Self::translate(self, mem, table, req)
    }

    fn invalidate(&self, what: &Invalidation) {
        Self::invalidate(self, what);
    }

    fn reset(&self) {
        Self::reset(self);
    }

    fn stats(&self) -> TranslatorStats {
        Self::stats(self)
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It may proceed.
    Translated {
        /// Where to.
        translation: Translation,
        /// To be given to [`Smmu::end`] when the data has been moved.
        epoch: u64,
    },
    /// It is terminated. What there was to record has been, or will be.
    Aborted,
    /// It is stalled: an [`Effect::Resolved`] with its tag will follow.
    Waiting,
}

/// An SMMU.
#[derive(Debug)]
pub struct Smmu<E = Translator> {
    features: Features,
    engine: E,
    gate: AtomicU64,
    epochs: Epochs,
    inbox: Mutex<Inbox>,
    pending: AtomicBool,
    counters: Counters,
    state: Mutex<State>,
}

/// What only holders of the BQL touch.
#[derive(Debug)]
struct State {
    registers: Registers,
    stalls: StallTable,
    /// Invalidations that were consumed and not done yet (`x-adversarial`).
    deferred: Vec<Invalidation>,
    /// The SYNC at the front of the queue has been put off once already (`x-adversarial`).
    sync_put_off: bool,
}

/// The number of entries of the stall table.
fn stall_capacity(f: &Features) -> u16 {
    if f.stall == StallModel::Off { 0 } else { f.stall_max }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two adjacent words of a queue entry.
fn words(bytes: [u8; 16]) -> [u64; 2] {
    let all = u128::from_le_bytes(bytes);
    let low = u64::try_from(all & u128::from(u64::MAX)).unwrap_or(0);
    [low, u64::try_from(all >> 64).unwrap_or(0)]
}

impl Smmu<Translator> {
    /// An SMMU after reset, with an IOTLB of that many entries.
    #[must_use]
    pub fn new(features: Features, iotlb_entries: usize) -> Self {
        Self::with_engine(features, Translator::new(features, iotlb_entries))
    }
}

impl<E: Engine> Smmu<E> {
    /// An SMMU after reset that translates with `engine`.
    #[must_use]
    pub fn with_engine(features: Features, engine: E) -> Self {
        let registers = Registers::reset();
        Self {
            features,
            engine,
            gate: AtomicU64::new(registers.gate().bits()),
            epochs: Epochs::default(),
            inbox: Mutex::new(Inbox::new()),
            pending: AtomicBool::new(false),
            counters: Counters::default(),
            state: Mutex::new(State {
                registers,
                stalls: StallTable::new(stall_capacity(&features)),
                deferred: Vec::new(),
                sync_put_off: false,
            }),
        }
    }

    /// What it can do.
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// What translates.
    #[must_use]
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Whether [`run_pending`](Self::run_pending) has something to do: to be asked after every other call, from the same
    /// thread; if so, a bottom half is to be scheduled. Once it has said so it says no until there is something new.
    #[must_use]
    pub fn needs_run(&self) -> bool {
        self.pending.load(Ordering::SeqCst) && self.pending.swap(false, Ordering::SeqCst)
    }

    fn want_run(&self) {
        self.pending.store(true, Ordering::SeqCst);
    }

    /// Reads `size` bytes at `offset` of the register region. Accesses that are not naturally aligned words or
    /// doublewords read as 0. Under the BQL.
    #[must_use]
    pub fn mmio_read(&self, offset: u64, size: u32) -> u64 {
        if !is_access(offset, size) {
            return 0;
        }
        let state = lock(&self.state);
        let low = u64::from(state.registers.read32(&self.features, offset));
        if size == 4 {
            return low;
        }
        low | u64::from(state.registers.read32(&self.features, offset | 4)) << 32
    }

    /// Writes `size` bytes at `offset` of the register region, and does what that sets in motion. Accesses that are not
    /// naturally aligned words or doublewords are ignored. A doubleword is two words, the lower one first. Under the BQL.
    pub fn mmio_write(&self, mem: &dyn GuestMemory, offset: u64, value: u64, size: u32) -> Effects {
        let mut effects = Effects::default();
        if !is_access(offset, size) {
            return effects;
        }
        let mut state = lock(&self.state);
        self.write32(&mut state, mem, offset, super::narrow::low32(value), &mut effects);
        if size == 8 {
            self.write32(&mut state, mem, offset | 4, super::narrow::high32(value), &mut effects);
        }
        effects
    }

    fn write32(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        offset: u64,
        value: u32,
        effects: &mut Effects,
    ) {
        // What happened before this write is reported under what held before it.
        self.take_inbox(state, mem, effects);
        let written = state.registers.write32(&self.features, offset, value);
        self.gate.store(state.registers.gate().bits(), Ordering::SeqCst);
        match written {
            Written::Value => {}
            Written::Enables(before) => self.enables_written(state, mem, before, effects),
            Written::Commands => self.run_commands(state, mem, effects),
            Written::Errors => {
                self.record_stalls(state, mem, effects);
                self.run_commands(state, mem, effects);
            }
            Written::Events => self.record_stalls(state, mem, effects),
        }
    }

    fn enables_written(&self, state: &mut State, mem: &dyn GuestMemory, before: Cr0, effects: &mut Effects) {
        let now = state.registers.enables();
        if before.smmuen() != 0 && now.smmuen() == 0 {
            // §6.3.9.6: stalled transactions end with an abort, and their STAGs are free again.
            self.terminate(state, None, effects);
        }
        if before.eventqen() == 0 && now.eventqen() != 0 {
            self.record_stalls(state, mem, effects);
        }
        if before.cmdqen() != 0 && now.cmdqen() == 0 {
            // A SYNC that was waiting has not been consumed, and begins anew when the queue is switched on again.
            self.epochs.abandon();
            state.sync_put_off = false;
        }
        if now.cmdqen() != 0 {
            self.run_commands(state, mem, effects);
        }
    }

    /// Translates one request. From any thread, with or without the BQL; blocks on nothing but, if it faults without the
    /// BQL, the inbox's short critical sections. There are effects only with the BQL.
    pub fn translate(&self, mem: &dyn GuestMemory, req: &DmaRequest, under_bql: bool) -> (Outcome, Effects) {
        let epoch = self.epochs.begin();
        let gate = Gate::from(self.gate.load(Ordering::SeqCst));
        if gate.enabled() == 0 {
            if gate.abort() != 0 {
                self.end_quietly(epoch);
                return (Outcome::Aborted, Effects::default());
            }
            let perm = Permissions { read: true, write: true, exec: true };
            let translation = Translation { addr: req.addr, page_mask: u64::MAX, perm };
            return (Outcome::Translated { translation, epoch }, Effects::default());
        }
        match self.engine.translate(mem, &gate.table(), req) {
            Ok(translation) => (Outcome::Translated { translation, epoch }, Effects::default()),
            Err(fault) => {
                let answer = self.fault(mem, &fault, under_bql);
                self.end_quietly(epoch);
                answer
            }
        }
    }

    /// The access of a translated request is over. `true`: schedule [`run_pending`](Self::run_pending).
    #[must_use]
    pub fn end(&self, epoch: u64) -> bool {
        self.epochs.end(epoch)
    }

    fn end_quietly(&self, epoch: u64) {
        if self.epochs.end(epoch) {
            self.want_run();
        }
    }

    fn fault(&self, mem: &dyn GuestMemory, fault: &Fault, under_bql: bool) -> (Outcome, Effects) {
        let stalls = fault.action == FaultAction::Stall;
        let mut effects = Effects::default();
        if !stalls && !fault.record {
            return (Outcome::Aborted, effects);
        }
        let req = &fault.request;
        let waiter = Waiter { stream: req.stream, substream: req.substream, tag: req.tag };
        let report = Report { record: event::encode(fault), stall: stalls.then_some(waiter) };
        let waits = if under_bql {
            let mut state = lock(&self.state);
            self.take_inbox(&mut state, mem, &mut effects);
            self.report(&mut state, mem, &report, &mut effects)
        } else {
            let fits = lock(&self.inbox).push(report);
            self.want_run();
            fits && stalls && req.tag.is_some()
        };
        (if waits { Outcome::Waiting } else { Outcome::Aborted }, effects)
    }

    /// Takes an event in. Whether its transaction waits.
    fn report(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        report: &Report,
        effects: &mut Effects,
    ) -> bool {
        let Some(waiter) = report.stall else {
            self.record(state, mem, &report.record, effects);
            return false;
        };
        match state.stalls.admit(waiter, report.record) {
            Admission::Entry => {
                self.record_stalls(state, mem, effects);
                waiter.tag.is_some()
            }
            Admission::Line => true,
            Admission::Refused => {
                // §3.12: a stall configuration may be treated as a terminating one, and the fault says so.
                self.record(state, mem, &report.record, effects);
                false
            }
        }
    }

    /// What threads without the BQL reported.
    fn take_inbox(&self, state: &mut State, mem: &dyn GuestMemory, effects: &mut Effects) {
        // Bounded by what was there at first, for others go on reporting.
        let most = Inbox::EVENTS.saturating_add(Inbox::STALLS);
        for _ in 0..most {
            let Some(report) = lock(&self.inbox).pop() else { break };
            let enabled = state.registers.enables().smmuen() != 0;
            match report.stall {
                // It was promised an answer. Without translation nothing can stall.
                Some(waiter) if !enabled => resolve(&waiter, false, effects),
                _ => {
                    let waits = self.report(state, mem, &report, effects);
                    if let Some(waiter) = report.stall
                        && !waits
                    {
                        resolve(&waiter, false, effects);
                    }
                }
            }
        }
        let lost = lock(&self.inbox).take_lost();
        if lost != 0 {
            add(&self.counters.events_dropped, lost);
            if state.registers.enables().eventqen() != 0 {
                overflow(&mut state.registers);
            }
        }
    }

    /// Does what was put off: events from other threads, stall records, commands, SYNCs that wait. Under the BQL.
    pub fn run_pending(&self, mem: &dyn GuestMemory) -> Effects {
        let mut effects = Effects::default();
        self.pending.store(false, Ordering::SeqCst);
        let mut state = lock(&self.state);
        self.take_inbox(&mut state, mem, &mut effects);
        self.record_stalls(&mut state, mem, &mut effects);
        self.run_commands(&mut state, mem, &mut effects);
        effects
    }

    // Events.

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
        add(&self.counters.events, 1);
        if was_empty && registers.interrupts().eventq_irqen() != 0 {
            self.interrupt(IRQ_EVENTQ, registers.eventq_irq_cfg0, registers.eventq_irq_cfg1, effects);
        }
        true
    }

    /// Records an event that may be lost.
    fn record(&self, state: &mut State, mem: &dyn GuestMemory, record: &Record, effects: &mut Effects) {
        if self.write_record(state, mem, record, effects) {
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

    /// Writes the records of stalled transactions, as long as the queue takes them, and fills freed entries from the line.
    fn record_stalls(&self, state: &mut State, mem: &dyn GuestMemory, effects: &mut Effects) {
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

    /// Entries are free: requests that wait for one may try again.
    fn serve_line(&self, state: &mut State, effects: &mut Effects) {
        let mut room = state.stalls.entries().len().saturating_sub(state.stalls.in_use());
        while room > 0
            && let Some(waiter) = state.stalls.next_in_line()
        {
            resolve(&waiter, true, effects);
            room = room.saturating_sub(1);
        }
    }

    fn is_event_queue_writable(&self, registers: &Registers) -> bool {
        let prod = EventqProd::from(registers.eventq_prod).wr();
        let cons = EventqCons::from(registers.eventq_cons).rd();
        registers.enables().eventqen() != 0
            && registers.errors().eventq_abt_err() == 0
            && !registers.eventq(&self.features).is_full(prod, cons)
    }

    // Errors and interrupts.

    /// Makes a global error active, if it is not (`IHI0070 §7.5`).
    fn raise(&self, registers: &mut Registers, error: u32, effects: &mut Effects) {
        if registers.errors().bits() & error != 0 {
            return;
        }
        registers.gerror ^= error;
        if error != MSI_GERROR_ABT_ERR && registers.interrupts().gerror_irqen() != 0 {
            self.interrupt(IRQ_GERROR, registers.gerror_irq_cfg0, registers.gerror_irq_cfg1, effects);
        }
    }

    /// Signals one of the interrupt sources (`IHI0070 §3.18.2`): the wired output, and the MSI if there is one.
    fn interrupt(&self, line: usize, cfg0: u64, data: u32, effects: &mut Effects) {
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
        let registers = &mut state.registers;
        let is = |cfg0: u64, cfg1: u32| IrqCfg0::from(cfg0).addr().wrapping_shl(2) == addr && cfg1 == data;
        let error = if is(registers.gerror_irq_cfg0, registers.gerror_irq_cfg1) {
            MSI_GERROR_ABT_ERR
        } else if is(registers.eventq_irq_cfg0, registers.eventq_irq_cfg1) {
            MSI_EVENTQ_ABT_ERR
        } else {
            MSI_CMDQ_ABT_ERR
        };
        if self.features.msi {
            self.raise(registers, error, &mut effects);
        }
        effects
    }

    // Commands.

    /// Consumes commands (`IHI0070 §4.1.2`) until the queue is empty, off or in error, a SYNC has to wait, or it was enough
    /// for one call.
    fn run_commands(&self, state: &mut State, mem: &dyn GuestMemory, effects: &mut Effects) {
        let ring = state.registers.cmdq(&self.features);
        // Indexes that contradict each other do not make more of a queue than it is.
        let queued = self.queued(&state.registers, ring).min(ring.entries());
        let budget = queued.min(COMMANDS_AT_ONCE);
        let mut notified = Notified::default();
        for _ in 0..budget {
            if state.registers.enables().cmdqen() == 0 || state.registers.errors().cmdq_err() != 0 {
                return;
            }
            if self.queued(&state.registers, ring) == 0 {
                return;
            }
            let cons = ring.pointer(CmdqCons::from(state.registers.cmdq_cons).rd());
            let mut bytes = [0; 16];
            if mem.read(ring.entry(cons), &mut bytes).is_err() {
                self.command_error(&mut state.registers, CERROR_ABT, effects);
                return;
            }
            let command = match Command::decode(&self.features, words(bytes)) {
                Ok(command) => command,
                Err(_) => {
                    self.command_error(&mut state.registers, CERROR_ILL, effects);
                    return;
                }
            };
            let signal = if let Command::Sync(signal) = command {
                if !self.sync_done(state, mem, &mut notified, effects) {
                    return;
                }
                Some(signal)
            } else {
                None
            };
            // §3.18: consumption is observable no later than what the command signals.
            let before = CmdqCons::from(state.registers.cmdq_cons);
            state.registers.cmdq_cons = before.with_rd(ring.next(cons)).bits();
            add(&self.counters.commands, 1);
            match command {
                Command::Nothing | Command::Sync(_) => {}
                Command::Translations(_) if cfg!(feature = "mutation-drop-tlbi") => {}
                Command::Configuration(what) | Command::Translations(what) => {
                    self.invalidate(state, what, &mut notified, effects);
                }
                Command::Resume { stream, stag, action } => self.resume(state, stream, stag, action, effects),
                Command::StallTerm { stream } => self.terminate(state, Some(stream), effects),
            }
            if let Some(signal) = signal {
                add(&self.counters.syncs, 1);
                state.sync_put_off = false;
                // A record that could not be written yet must not be written any more (§4.7.3).
                state.stalls.expire();
                if let Signal::Irq { msi_addr, msi_data } = signal {
                    self.sync_interrupt(msi_addr, msi_data, effects);
                }
            }
        }
        let left = self.queued(&state.registers, ring);
        if queued > budget && left != 0 {
            self.want_run();
        }
    }

    fn queued(&self, registers: &Registers, ring: Ring) -> u32 {
        ring.used(registers.cmdq_prod, CmdqCons::from(registers.cmdq_cons).rd())
    }

    fn command_error(&self, registers: &mut Registers, reason: u32, effects: &mut Effects) {
        registers.cmdq_cons = CmdqCons::from(registers.cmdq_cons).with_err(reason).bits();
        self.raise(registers, CMDQ_ERR, effects);
    }

    fn invalidate(
        &self,
        state: &mut State,
        what: Invalidation,
        notified: &mut Notified,
        effects: &mut Effects,
    ) {
        if !self.features.adversarial {
            self.engine.invalidate(&what);
            notified.notify(&what, effects);
            return;
        }
        // As late as the specification allows: until a SYNC, or until there are too many.
        if state.deferred.len() >= DEFERRED {
            self.invalidate_deferred(state, notified, effects);
        }
        state.deferred.push(what);
    }

    /// §4.7.3: there is no order between invalidations that no SYNC separates. So the last comes first.
    fn invalidate_deferred(&self, state: &mut State, notified: &mut Notified, effects: &mut Effects) {
        while let Some(what) = state.deferred.pop() {
            self.engine.invalidate(&what);
            notified.notify(&what, effects);
        }
    }

    /// Whether the guarantees of a SYNC hold by now (`IHI0070 §4.7.3`). If not, somebody will want a run when they may.
    fn sync_done(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        notified: &mut Notified,
        effects: &mut Effects,
    ) -> bool {
        if self.features.adversarial && !state.sync_put_off {
            state.sync_put_off = true;
            self.want_run();
            return false;
        }
        self.invalidate_deferred(state, notified, effects);
        if !self.epochs.quiesced() {
            return false;
        }
        // Events of transactions that have ended become visible, or never will.
        self.take_inbox(state, mem, effects);
        self.record_stalls(state, mem, effects);
        true
    }

    fn sync_interrupt(&self, msi_addr: u64, data: u32, effects: &mut Effects) {
        effects.push(Effect::PulseIrq { line: IRQ_SYNC });
        if msi_addr != 0 {
            effects.push(Effect::WriteMsi { addr: msi_addr & self.features.oas.mask(), data });
        }
    }

    fn resume(&self, state: &mut State, stream: u32, stag: u16, action: Resume, effects: &mut Effects) {
        // An answer to nothing has no effect.
        let Some(waiter) = state.stalls.resume(stream, stag) else { return };
        let (counter, retry) = match action {
            Resume::Retry => (&self.counters.resumed_retry, true),
            Resume::Abort => (&self.counters.resumed_abort, false),
            // Terminate is abort: IDR0.TERM_MODEL says so.
            Resume::Terminate => (&self.counters.resumed_terminate, false),
        };
        add(counter, 1);
        resolve(&waiter, retry, effects);
        self.serve_line(state, effects);
    }

    /// Every stalled transaction of a stream, or of all, ends with an abort.
    fn terminate(&self, state: &mut State, stream: Option<u32>, effects: &mut Effects) {
        state.stalls.terminate(stream, |waiter, recorded| {
            if recorded {
                add(&self.counters.stall_terms, 1);
            }
            resolve(&waiter, false, effects);
        });
        self.serve_line(state, effects);
    }

    // The endpoint's side of a stall.

    /// An endpoint gives requests up: those of `stream`, of one address space or of all (`None`), with one tag or with any
    /// (`None`). No [`Effect::Resolved`] will follow. A STAG that software knows of stays allocated until it answers.
    /// Under the BQL.
    pub fn cancel(&self, stream: StreamId, substream: Option<Option<SubstreamId>>, tag: Option<u64>) {
        let given_up = |waiter: &Waiter| {
            waiter.stream == stream
                && substream.is_none_or(|substream| waiter.substream == substream)
                && waiter.tag.is_some()
                && (tag.is_none() || waiter.tag == tag)
        };
        let mut state = lock(&self.state);
        let count = state.stalls.cancel(given_up).saturating_add(lock(&self.inbox).cancel(given_up));
        add(&self.counters.stalls_cancelled, count);
        if state.stalls.line_length() != 0 {
            self.want_run();
        }
    }

    /// The requests that `stream` waits with: address space and tag of each.
    #[must_use]
    pub fn pending(&self, stream: StreamId) -> Vec<(Option<SubstreamId>, u64)> {
        let state = lock(&self.state);
        let inbox = lock(&self.inbox);
        let waiters = state.stalls.waiters().chain(inbox.iter().filter_map(|report| report.stall));
        waiters
            .filter(|waiter| waiter.stream == stream)
            .filter_map(|waiter| waiter.tag.map(|tag| (waiter.substream, tag)))
            .collect()
    }

    // Reset and migration.

    /// Everything as after power-up. Nobody is told: the endpoints are reset as well. Counters go on. Under the BQL.
    pub fn reset(&self) {
        let mut state = lock(&self.state);
        self.replace(&mut state, Registers::reset(), None);
        lock(&self.inbox).clear();
    }

    fn replace(&self, state: &mut State, new: Registers, table: Option<StallTable>) {
        let State { registers, stalls, deferred, sync_put_off } = state;
        *registers = new;
        // The counters keep saying how many stalls are open: those recorded, less those that came to an end.
        stalls.terminate(None, |_, recorded| add(&self.counters.stall_terms, recorded.into()));
        if let Some(table) = table {
            *stalls = table;
            let open = stalls.entries().iter().filter(|entry| entry.phase == Phase::Recorded).count();
            add(&self.counters.stalls, u64::try_from(open).unwrap_or(u64::MAX));
        }
        deferred.clear();
        *sync_put_off = false;
        self.epochs.abandon();
        self.gate.store(registers.gate().bits(), Ordering::SeqCst);
        self.engine.reset();
    }

    /// The state, for migration. The VM is stopped. Under the BQL.
    #[must_use]
    pub fn save(&self) -> SavedState {
        let state = lock(&self.state);
        // Deferred invalidations and waiting SYNCs need not travel: caches are empty after a load, nothing is in flight,
        // and a SYNC that was not consumed is read again.
        let State { registers, stalls, deferred: _, sync_put_off: _ } = &*state;
        SavedState {
            identification: identification(&self.features),
            registers: *registers,
            stalls: stalls.entries().to_vec(),
            unrecorded: stalls.unrecorded().collect(),
            line: stalls.line().collect(),
            inbox: lock(&self.inbox).iter().collect(),
        }
    }

    /// Takes a saved state over. Under the BQL.
    ///
    /// # Errors
    /// What in it cannot be; the SMMU is as before then.
    pub fn load(&self, saved: &SavedState) -> Result<(), LoadError> {
        let table = saved.check(&self.features, stall_capacity(&self.features))?;
        let mut inbox = Inbox::new();
        for report in &saved.inbox {
            if !inbox.push(*report) {
                let value = u64::try_from(saved.inbox.len()).unwrap_or(u64::MAX);
                return Err(LoadError::Field { field: "number of events", value });
            }
        }
        let mut state = lock(&self.state);
        self.replace(&mut state, saved.registers, Some(table));
        *lock(&self.inbox) = inbox;
        self.want_run();
        Ok(())
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let engine = self.engine.stats();
        let counters = &self.counters;
        Stats {
            translations: engine.translations,
            iotlb_hits: engine.iotlb_hits,
            iotlb_misses: engine.iotlb_misses,
            config_hits: engine.config_hits,
            config_misses: engine.config_misses,
            walks: engine.walks,
            faults: engine.faults,
            events: get(&counters.events),
            events_dropped: get(&counters.events_dropped),
            stalls: get(&counters.stalls),
            resumed_retry: get(&counters.resumed_retry),
            resumed_abort: get(&counters.resumed_abort),
            resumed_terminate: get(&counters.resumed_terminate),
            stall_terms: get(&counters.stall_terms),
            stalls_cancelled: get(&counters.stalls_cancelled),
            commands: get(&counters.commands),
            invalidations: engine.invalidations,
            syncs: get(&counters.syncs),
            access_flag_updates: engine.access_flag_updates,
            dirty_updates: engine.dirty_updates,
        }
    }
}

const CMDQ_ERR: u32 = 1 << 0;
const EVENTQ_ABT_ERR: u32 = 1 << 2;
const MSI_CMDQ_ABT_ERR: u32 = 1 << 4;
const MSI_EVENTQ_ABT_ERR: u32 = 1 << 5;
const MSI_GERROR_ABT_ERR: u32 = 1 << 7;

const _: () = {
    // The bits above are those of the layout.
    let all = CMDQ_ERR | EVENTQ_ABT_ERR | MSI_CMDQ_ABT_ERR | MSI_EVENTQ_ABT_ERR | MSI_GERROR_ABT_ERR;
    assert!(all == 0xb5 && Gerror::FIELDS.len() == 6 && PAGE_1 < REGION_SIZE);
};

/// An access that registers support (`IHI0070 §6.2`).
fn is_access(offset: u64, size: u32) -> bool {
    offset < REGION_SIZE && matches!(size, 4 | 8) && offset.checked_rem(size.into()) == Some(0)
}

/// Records were lost: the overflow flag is toggled, unless it says so already (`IHI0070 §7.4`).
fn overflow(registers: &mut Registers) {
    let prod = EventqProd::from(registers.eventq_prod);
    if prod.ovflg() == EventqCons::from(registers.eventq_cons).ovackflg() {
        registers.eventq_prod = prod.with_ovflg(prod.ovflg() ^ 1).bits();
    }
}

fn resolve(waiter: &Waiter, retry: bool, effects: &mut Effects) {
    if let Some(tag) = waiter.tag {
        effects.push(Effect::Resolved { stream: waiter.stream, tag, retry });
    }
}

/// What caches outside have been told during one call. Effects are carried out after all commands of the call, so one
/// notice to forget everything serves them all.
#[derive(Debug, Default)]
struct Notified {
    all: bool,
}

impl Notified {
    fn notify(&mut self, what: &Invalidation, effects: &mut Effects) {
        let everything = Effect::UnmapNotify { stream: None, substream: None, addr: 0, mask: u64::MAX };
        let notice = match *what {
            Invalidation::Ste { sid } | Invalidation::Cd { sid, ssid: 0 } | Invalidation::CdAll { sid } => {
                Effect::UnmapNotify { stream: Some(sid), substream: None, addr: 0, mask: u64::MAX }
            }
            // Only address spaces without PASID are cached outside, and they use no other CD.
            Invalidation::Cd { .. } => return,
            Invalidation::Va { addr, size, .. } => {
                // The smallest aligned power of two that holds the range.
                let last = addr.saturating_add(size.saturating_sub(1));
                let mask = super::narrow::ones(u64::BITS.saturating_sub((addr ^ last).leading_zeros()));
                Effect::UnmapNotify { stream: None, substream: None, addr: addr & !mask, mask }
            }
            _ => everything.clone(),
        };
        if self.all {
            return;
        }
        self.all = notice == everything;
        if effects.0.last() != Some(&notice) {
            effects.push(notice);
        }
    }
}

#[cfg(test)]
mod tests;
