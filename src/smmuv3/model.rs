// SPDX-License-Identifier: GPL-2.0-or-later
//! The SMMU as a state machine: see [`Model`] for its rules.
//!
//! Of the registers, translation reads one word that mirrors them ([`Gate`]).

mod assigned;
mod commands;
mod counting;
mod events;
mod requests;

use core::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use self::counting::Seen;
use super::config::StreamTable;
use super::event::{self, INBOX_EVENTS, Inbox, Record, Report, SharedInbox, Waiter};
use super::fault::{Fault, FaultAction};
use super::features::{Features, StallModel};
use super::pmcg::Pmcg;
use super::registers::{Gate, Registers, Written};
use super::spec::registers::{CMDQ_CONS, CMDQ_PROD, Cr0, GERROR, REGION_SIZE};
use super::stall::{Admission, Phase, StallTable};
use super::state::{LoadError, SavedState, identification};
use super::stats::{Counters, Stats, add};
use super::translate::{Engine, Invalidation, Translator, has_tag};
use crate::iommu::ats_invalidations::{Answer, AtsInvalidations};
use crate::iommu::epoch::Epochs;
use crate::iommu::model::{Pending, lock};
use crate::iommu::state::too_many;
use crate::iommu::{
    AtsInvalidation, AtsOutcome, DmaRequest, Effect, Effects, GuestMemory, Model, Outcome, PageRequest,
    StreamId, SubstreamId, Translation,
};
use crate::nested::smmuv3::AssignedStreams;
use crate::nested::{self, Assignment, DeviceId};

/// An SMMU.
#[derive(Debug)]
pub struct Smmu<E = Translator> {
    features: Features,
    engine: E,
    gate: AtomicU64,
    /// Taken for moments, by every thread that counts.
    pmcg: Mutex<Pmcg>,
    epochs: Epochs,
    /// Caches outside want to hear of what is invalidated.
    listeners: AtomicBool,
    inbox: SharedInbox,
    pending: Pending,
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
    /// ATS invalidations that endpoints have not answered yet.
    ats_invalidations: AtsInvalidations,
    /// One was given up, which the next SYNC has to say.
    invalidation_failed: bool,
    /// The last record in the event queue, if others may be merged with it.
    last_event: Option<Record>,
    /// Devices for which a host's SMMU translates.
    assigned: AssignedStreams,
    /// Effects of reading a register, for the next run.
    late: Effects,
}

/// Attempts at one translation during which translation is switched off and on.
const ATTEMPTS: u32 = 4;

/// The number of entries of the stall table.
fn stall_capacity(f: &Features) -> u16 {
    if f.stall == StallModel::Off { 0 } else { f.stall_max }
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
            pmcg: Mutex::default(),
            epochs: Epochs::default(),
            listeners: AtomicBool::new(true),
            inbox: SharedInbox::new(INBOX_EVENTS),
            pending: Pending::default(),
            counters: Counters::default(),
            state: Mutex::new(State {
                registers,
                stalls: StallTable::new(stall_capacity(&features)),
                deferred: Vec::new(),
                sync_put_off: false,
                ats_invalidations: AtsInvalidations::default(),
                invalidation_failed: false,
                last_event: None,
                assigned: AssignedStreams::new(features),
                late: Effects::default(),
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

    fn write_register(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        offset: u64,
        value: u32,
        effects: &mut Effects,
    ) {
        effects.0.append(&mut state.late.0);
        // What happened before this write is reported under what held before it.
        self.take_inbox(state, mem, effects);
        if offset != CMDQ_PROD {
            self.forward(state, effects);
        }
        let before = state.registers.gate();
        let written = state.registers.write32(&self.features, offset, value);
        let gate = state.registers.gate();
        if gate != before {
            self.publish(state);
            // After the store: what still reads the old table will not be cached.
            self.engine.tables_changed();
            self.hosts_follow(state, mem, gate);
        }
        if gate.enabled() != before.enabled() || gate.abort() != before.abort() {
            // What passed untranslated does not any more, or the other way round. No command tells caches outside.
            effects.push(Effect::UNMAP_ALL);
        }
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
            // It may be another queue.
            state.last_event = None;
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

    /// §6.3.9.6: all of a transaction is either before a change of `SMMUEN` or after it. `Err(None)`: it is aborted, and
    /// there is nothing to record.
    fn translation(&self, mem: &dyn GuestMemory, req: &DmaRequest) -> Result<Translation, Option<Fault>> {
        for _ in 0..ATTEMPTS {
            let gate = self.gate();
            if gate.plain() == 0 {
                return self.special_translation(mem, req);
            }
            let switched_off = Cell::new(false);
            let tables = || {
                let gate = self.gate();
                switched_off.set(gate.enabled() == 0);
                (gate.enabled() != 0).then(|| gate.table())
            };
            match self.engine.translate(mem, &tables, req) {
                Err(_) if switched_off.get() || self.gate() != gate => {}
                result => return result.map_err(Some),
            }
        }
        Err(None)
    }

    /// [`translation`](Self::translation) while it is off, or counted.
    #[inline(never)]
    fn special_translation(
        &self,
        mem: &dyn GuestMemory,
        req: &DmaRequest,
    ) -> Result<Translation, Option<Fault>> {
        for _ in 0..ATTEMPTS {
            let gate = self.gate();
            if gate.enabled() == 0 {
                return self.bypass(gate, req).ok_or(None);
            }
            let switched_off = Cell::new(false);
            let tables = || {
                let gate = self.gate();
                switched_off.set(gate.enabled() == 0);
                (gate.enabled() != 0).then(|| gate.table())
            };
            let result =
                self.counted(gate, mem, req.stream, |mem| match self.engine.translate(mem, &tables, req) {
                    Err(_) if switched_off.get() || self.gate() != gate => (None, None),
                    result => (Some(Seen::Transaction), Some(result)),
                });
            if let Some(result) = result {
                return result.map_err(Some);
            }
        }
        Err(None)
    }

    /// Where the registers say that the stream table is.
    fn tables(&self) -> impl Fn() -> Option<StreamTable> + '_ {
        || {
            let gate = self.gate();
            (gate.enabled() != 0).then(|| gate.table())
        }
    }

    fn gate(&self) -> Gate {
        Gate::from(self.gate.load(Ordering::SeqCst))
    }

    /// Without translation: as `GBPA` says, and nothing beyond the output address size (`IHI0070 §3.4`).
    fn bypass(&self, gate: Gate, req: &DmaRequest) -> Option<Translation> {
        let passes = gate.abort() == 0 && self.features.oas.contains(req.addr);
        passes.then(|| Translation::one_to_one(req.addr))
    }

    fn end_quietly(&self, epoch: u64) {
        if self.epochs.end(epoch) {
            self.pending.want();
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
        let record = event::encode(fault);
        let report = Report { record, merge: fault.merge && !stalls, stall: stalls.then_some(waiter) };
        let waits = if under_bql {
            let mut state = lock(&self.state);
            self.take_inbox(&mut state, mem, &mut effects);
            let waits = self.report(&mut state, mem, &report, &mut effects);
            self.settle(&mut state, &mut effects);
            waits
        } else {
            let fits = self.inbox.report(|inbox| report.enter(inbox));
            self.pending.want();
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
            self.record(state, mem, &report.record, report.merge, effects);
            return false;
        };
        match state.stalls.admit(waiter, report.record) {
            Admission::Entry => {
                self.record_stalls(state, mem, effects);
                waiter.tag.is_some()
            }
            Admission::Known => true,
            Admission::Line => {
                // Behind others, although there is room: it is for them first.
                if state.stalls.has_room() {
                    self.pending.want();
                }
                true
            }
            Admission::Refused => {
                // §3.12: a stall configuration may be treated as a terminating one, and the fault says so.
                self.record(state, mem, &report.record, false, effects);
                false
            }
        }
    }

    /// What threads without the BQL reported.
    fn take_inbox(&self, state: &mut State, mem: &dyn GuestMemory, effects: &mut Effects) {
        let lost = self.inbox.drain(|report| {
            // It was promised an answer. Without translation nothing can stall.
            let off = state.registers.enables().smmuen() == 0;
            let is_over = report.stall.is_some() && off;
            let waits = !is_over && self.report(state, mem, &report, effects);
            if let Some(waiter) = report.stall
                && !waits
            {
                resolve(&waiter, false, effects);
            }
        });
        if lost != 0 {
            add(&self.counters.events_dropped, lost);
            if state.registers.enables().eventqen() != 0 {
                events::overflow(&mut state.registers);
            }
        }
    }

    // The endpoint's side of a stall.

    // Reset and migration.

    fn replace(
        &self,
        state: &mut State,
        new: Registers,
        table: Option<StallTable>,
        (unanswered, failed): (&[AtsInvalidation], bool),
        pmcg: Pmcg,
    ) {
        let State {
            registers,
            stalls,
            deferred,
            sync_put_off,
            ats_invalidations,
            invalidation_failed,
            last_event,
            assigned,
            late,
        } = state;
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
        ats_invalidations.replace(unanswered);
        *invalidation_failed = failed;
        *last_event = None;
        assigned.reset();
        late.0.clear();
        self.epochs.abandon();
        *lock(&self.pmcg) = pmcg;
        self.publish(state);
        self.engine.reset();
    }

    /// The state, for migration. The VM is stopped. Under the BQL.
    #[must_use]
    pub fn save(&self) -> SavedState {
        let state = lock(&self.state);
        // Deferred invalidations and waiting SYNCs need not travel: caches are empty after a load, nothing is in flight,
        // and a SYNC that was not consumed is read again. With an assigned device there is no migration.
        let State {
            registers,
            stalls,
            deferred: _,
            sync_put_off: _,
            ats_invalidations,
            invalidation_failed,
            last_event,
            assigned: _,
            late: _,
        } = &*state;
        SavedState {
            identification: identification(&self.features),
            registers: *registers,
            stalls: stalls.entries().to_vec(),
            unrecorded: stalls.unrecorded().collect(),
            line: stalls.line().collect(),
            inbox: self.inbox.lock().iter().collect(),
            unanswered: ats_invalidations.unanswered(),
            invalidation_failed: *invalidation_failed,
            last_event: *last_event,
            pmcg: self.saved_counters(),
        }
    }

    /// Takes a saved state over. Under the BQL.
    ///
    /// # Errors
    /// What in it cannot be; the SMMU is as before then.
    pub fn load(&self, saved: &SavedState) -> Result<(), LoadError> {
        let table = saved.check(&self.features, stall_capacity(&self.features))?;
        let mut inbox = Inbox::new(INBOX_EVENTS);
        for report in &saved.inbox {
            if !report.enter(&mut inbox) {
                return Err(too_many("number of events", saved.inbox.len()));
            }
        }
        let mut state = lock(&self.state);
        let invalidations = (saved.unanswered.as_slice(), saved.invalidation_failed);
        self.replace(&mut state, saved.registers, Some(table), invalidations, saved.pmcg);
        state.last_event = saved.last_event;
        self.inbox.report(|list| *list = inbox);
        self.pending.want();
        Ok(())
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let nested = lock(&self.state).assigned.stats();
        self.counters.read(self.engine.stats(), nested)
    }
}

impl<E: Engine> Model for Smmu<E> {
    const REGION_SIZE: u64 = REGION_SIZE;

    fn read32(&self, offset: u64) -> u32 {
        let mut state = lock(&self.state);
        if matches!(offset, CMDQ_CONS | GERROR) {
            self.before_commands_are_seen(&mut state);
        }
        state.registers.read32(&self.features, offset)
    }

    fn write32(&self, mem: &dyn GuestMemory, offset: u64, value: u32, effects: &mut Effects) {
        let mut state = lock(&self.state);
        self.write_register(&mut state, mem, offset, value, effects);
        self.settle(&mut state, effects);
    }

    fn cached_translation(&self, req: &DmaRequest) -> Option<Translation> {
        (self.gate().plain() != 0).then(|| self.engine.cached_translation(req))?
    }

    fn probe(&self, mem: &dyn GuestMemory, req: &DmaRequest) -> Option<Translation> {
        let epoch = self.epochs.begin();
        let answer = self.translation(mem, req);
        self.end_quietly(epoch);
        answer.ok()
    }

    fn set_listeners(&self, any: bool) {
        self.listeners.store(any, Ordering::SeqCst);
    }

    fn translate(&self, mem: &dyn GuestMemory, req: &DmaRequest, under_bql: bool) -> (Outcome, Effects) {
        let epoch = self.epochs.begin();
        let answer = match self.translation(mem, req) {
            Ok(translation) => {
                return (Outcome::Translated { translation, epoch }, Effects::default());
            }
            Err(Some(fault)) => self.fault(mem, &fault, under_bql),
            Err(None) => (Outcome::Aborted, Effects::default()),
        };
        self.end_quietly(epoch);
        answer
    }

    fn translated(&self, mem: &dyn GuestMemory, req: &DmaRequest, under_bql: bool) -> (Outcome, Effects) {
        if self.features.ats {
            self.check_translated(mem, req, under_bql)
        } else {
            // There is no such thing as a translated transaction.
            self.translate(mem, req, under_bql)
        }
    }

    fn end(&self, epoch: u64) -> bool {
        self.epochs.end(epoch)
    }

    fn ats(
        &self,
        mem: &dyn GuestMemory,
        req: &DmaRequest,
        length: u64,
        under_bql: bool,
    ) -> (AtsOutcome, Effects) {
        self.answer_ats(mem, req, length, under_bql)
    }

    fn page_request(&self, mem: &dyn GuestMemory, request: &PageRequest) -> Effects {
        self.take_page_request(mem, request)
    }

    fn device_tlb_done(&self, mem: &dyn GuestMemory, stream: StreamId, itag: u32) -> Effects {
        let mut effects = Effects::default();
        let mut state = lock(&self.state);
        if state.ats_invalidations.answered(stream, itag) == (Answer::Expected { goes_on: true }) {
            self.run_commands(&mut state, mem, &mut effects);
            self.settle(&mut state, &mut effects);
        }
        effects
    }

    fn device_tlb_late(&self, mem: &dyn GuestMemory, itag: u32) -> Effects {
        let mut effects = Effects::default();
        let mut state = lock(&self.state);
        if state.ats_invalidations.timed_out(itag).is_some() {
            add(&self.counters.ats_timeouts, 1);
            state.invalidation_failed = true;
            self.run_commands(&mut state, mem, &mut effects);
            self.settle(&mut state, &mut effects);
        }
        effects
    }

    fn is_alias(&self, addr: u64) -> bool {
        has_tag(addr)
    }

    fn needs_run(&self) -> bool {
        self.pending.take()
    }

    fn run_pending(&self, mem: &dyn GuestMemory) -> Effects {
        let mut effects = Effects::default();
        self.pending.take();
        let mut state = lock(&self.state);
        self.signal_overflow(&mut effects);
        effects.0.append(&mut state.late.0);
        state.stalls.begin_round();
        self.take_inbox(&mut state, mem, &mut effects);
        self.hear_hosts(&mut state, mem, &mut effects);
        self.record_stalls(&mut state, mem, &mut effects);
        state.ats_invalidations.ask_again(&mut effects);
        self.run_commands(&mut state, mem, &mut effects);
        self.settle(&mut state, &mut effects);
        effects
    }

    fn assign(&self, mem: &dyn GuestMemory, assignment: Assignment) -> nested::Result<()> {
        lock(&self.state).assigned.add(mem, assignment)
    }

    fn unassign(&self, device: DeviceId) -> Effects {
        let mut state = lock(&self.state);
        let stream = state.assigned.remove(device);
        self.forget_stalls(&mut state, stream);
        Effects::default()
    }

    fn cancel(&self, stream: StreamId, substream: Option<Option<SubstreamId>>, tag: Option<u64>) {
        let given_up = |waiter: &Waiter| {
            waiter.stream == stream
                && substream.is_none_or(|substream| waiter.substream == substream)
                && waiter.tag.is_some()
                && (tag.is_none() || waiter.tag == tag)
        };
        let mut state = lock(&self.state);
        let count = state.stalls.cancel(given_up).saturating_add(
            self.inbox.lock().cancel(|report| report.stall.is_some_and(|waiter| given_up(&waiter))),
        );
        add(&self.counters.stalls_cancelled, count);
        let answers = substream.is_none() && tag.is_none() && state.ats_invalidations.give_up(stream);
        if answers || state.stalls.line_length() != 0 {
            self.pending.want();
        }
    }

    fn pending(&self, stream: StreamId) -> Vec<(Option<SubstreamId>, u64)> {
        let state = lock(&self.state);
        let inbox = self.inbox.lock();
        let waiters = state.stalls.waiters().chain(inbox.iter().filter_map(|report| report.stall));
        waiters
            .filter(|waiter| waiter.stream == stream)
            .filter_map(|waiter| waiter.tag.map(|tag| (waiter.substream, tag)))
            .collect()
    }

    fn reset(&self) {
        let mut state = lock(&self.state);
        self.replace(&mut state, Registers::reset(), None, (&[], false), Pmcg::default());
        self.inbox.lock().clear();
    }

    fn save_words(&self) -> Vec<u64> {
        self.save().to_words()
    }

    fn load_words(&self, words: &[u64]) -> Result<(), LoadError> {
        self.load(&SavedState::from_words(words)?)
    }

    fn stats_json(&self) -> String {
        self.stats().json()
    }
}

fn resolve(waiter: &Waiter, retry: bool, effects: &mut Effects) {
    if let Some(tag) = waiter.tag {
        let Waiter { stream, substream, .. } = *waiter;
        effects.push(Effect::Resolved { stream, substream, tag, retry });
    }
}

#[cfg(test)]
mod tests;
