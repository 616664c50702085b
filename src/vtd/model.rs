// SPDX-License-Identifier: GPL-2.0-or-later
//! The VT-d unit as a state machine: see [`Model`] for its rules.
//!
//! Of the registers, translation and interrupt remapping read one word each that mirrors them ([`Gate`],
//! [`InterruptGate`]).

mod assigned;
mod queue;
mod requests;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::command::Interrupts;
use super::config::{RequestKind, RootTable};
use super::event::{INBOX, Inbox, Record, Recorded, SharedInbox};
use super::fault::Fault;
use super::features::Features;
use super::interrupt::CachedEntries;
use super::interrupt_range;
use super::registers::{Gate, InterruptGate, Registers, Written};
use super::spec::registers::{Ccmd, FSTS, GSTS, Global, IQH, IQT, Iotlb, Prs, REGION_SIZE};
use super::state::{LoadError, SavedState, identification};
use super::stats::{Counters, Stats, add};
use super::translate::{Engine, Invalidation, Translator};
use crate::iommu::ats_invalidations::AtsInvalidations;
use crate::iommu::effects::Notified;
use crate::iommu::epoch::Epochs;
use crate::iommu::model::{Pending, lock};
use crate::iommu::narrow::{low8, low16, ones};
use crate::iommu::{
    AtsInvalidation, AtsOutcome, DmaRequest, Effect, Effects, GuestMemory, Model, Outcome, PageRequest,
    StreamId, SubstreamId, Translation,
};
use crate::nested::vtd::AssignedDevices;
use crate::nested::{self, Assignment, DeviceId};

use self::requests::Group;
pub use self::requests::InterruptOutcome;

/// A VT-d unit.
#[derive(Debug)]
pub struct Vtd<E = Translator> {
    features: Features,
    engine: E,
    /// The interrupt entry cache, if there is one.
    entries: Option<CachedEntries>,
    gate: AtomicU64,
    interrupt_gate: AtomicU64,
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
    /// Invalidations that endpoints have not answered yet.
    device_tlbs: AtsInvalidations,
    /// Invalidations that were consumed and not done yet (`x-adversarial`).
    deferred: Vec<Deferred>,
    /// The wait descriptor at the front of the queue has been put off once already (`x-adversarial`).
    wait_put_off: bool,
    /// It waits for accesses that were in flight when it was first looked at.
    is_draining: bool,
    /// Bits of `GSTS` that still read as before a command: what was in flight then is not over.
    unsettled: u32,
    /// Page request groups that found the queue full. Their answers wait until software has made room, for it is then
    /// that asking again makes sense. Empty unless `PRS.PRO` is set and translation is on.
    held: Vec<Group>,
    /// Devices for which a host's unit translates.
    assigned: AssignedDevices,
    /// Effects of reading a register, for the next run.
    late: Effects,
}

/// An invalidation that is done as late as allowed.
#[derive(Clone, Copy, Debug)]
enum Deferred {
    Translations(Invalidation),
    Interrupts(Interrupts),
}

const IQT_HIGH: u64 = IQT + 4;
/// Log2 of the largest page.
const LARGEST_PAGE: u32 = 30;

const EVERY_INTERRUPT: Effect = Effect::IecNotify { global: true, index: 0, mask: 0 };

impl Vtd<Translator> {
    /// A unit after reset, with an IOTLB of that many entries.
    #[must_use]
    pub fn new(features: Features, iotlb_entries: usize) -> Self {
        Self::with_engine(features, Translator::new(features, iotlb_entries))
    }
}

impl<E: Engine> Vtd<E> {
    /// A unit after reset that translates with `engine`.
    #[must_use]
    pub fn with_engine(features: Features, engine: E) -> Self {
        let registers = Registers::reset(&features);
        Self {
            features,
            engine,
            entries: features.adversarial.then(CachedEntries::default),
            gate: AtomicU64::new(registers.gate().bits()),
            interrupt_gate: AtomicU64::new(registers.interrupt_gate().bits()),
            epochs: Epochs::default(),
            listeners: AtomicBool::new(true),
            inbox: SharedInbox::new(INBOX),
            pending: Pending::default(),
            counters: Counters::default(),
            state: Mutex::new(State {
                registers,
                device_tlbs: AtsInvalidations::default(),
                deferred: Vec::new(),
                wait_put_off: false,
                is_draining: false,
                unsettled: 0,
                held: Vec::new(),
                assigned: AssignedDevices::new(features),
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

    fn gate(&self) -> Gate {
        self.gate.load(Ordering::SeqCst).into()
    }

    fn interrupt_gate(&self) -> InterruptGate {
        self.interrupt_gate.load(Ordering::SeqCst).into()
    }

    /// Where the registers say that the tables are.
    fn tables(&self) -> impl Fn() -> RootTable + '_ {
        || self.gate().table()
    }

    fn publish(&self, registers: &Registers) {
        self.gate.store(registers.gate().bits(), Ordering::SeqCst);
        self.interrupt_gate.store(registers.interrupt_gate().bits(), Ordering::SeqCst);
    }

    fn write_register(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        offset: u64,
        value: u32,
        effects: &mut Effects,
    ) {
        // What happened before this write is reported under what held before it.
        effects.0.append(&mut state.late.0);
        self.take_inbox(state, effects);
        if !matches!(offset, IQT | IQT_HIGH) {
            self.forward(state, effects);
        }
        match state.registers.write32(&self.features, offset, value) {
            Written::Value => {}
            Written::Command(command) => self.command(state, mem, command, effects),
            Written::Contexts => self.invalidate_contexts(state, mem, effects),
            Written::Translations => self.invalidate_translations(state, mem, effects),
            Written::Descriptors | Written::Errors => self.run_queue(state, mem, effects),
            Written::PageStatus => {
                if Prs::from(state.registers.prs).pro() == 0 {
                    self.release(state, effects);
                }
            }
            Written::Control(kind) => {
                let message = state.registers.release(kind);
                send(message, effects);
            }
        }
    }

    /// `GCMD` (`VTD §11.4.4.1`). What it changes counts for every request that comes. `GSTS` says so when those that came
    /// before are over: mostly at once.
    fn command(&self, state: &mut State, mem: &dyn GuestMemory, command: Global, effects: &mut Effects) {
        let f = &self.features;
        let before = state.registers.status();
        let mut status = before.with_qie(command.qie());
        if f.dma_translation {
            status = status.with_te(command.te());
        }
        if f.interrupt_remapping {
            status = status.with_ire(command.ire()).with_cfi(command.cfi());
        }
        if command.srtp() != 0 {
            state.registers.root = state.registers.rtaddr;
            status = status.with_srtp(1);
        }
        if command.sirtp() != 0 && f.interrupt_remapping {
            state.registers.interrupts = state.registers.irta;
            status = status.with_sirtp(1);
        }
        state.registers.gsts = status.bits();
        state.unsettled = changes(state.unsettled, before, status, command);
        if before.qie() != 0 && status.qie() == 0 {
            // §11.4.9.1: the head is 0 while the queue is off. A wait descriptor that was waiting is forgotten,
            // and so is what hosts were told of one that was half done.
            state.registers.iqh = 0;
            state.is_draining = false;
            state.wait_put_off = false;
            state.assigned.abandon();
        }
        self.publish(&state.registers);
        if state.unsettled != 0 {
            // Those in flight by now are to be waited for, not those when an earlier one began.
            state.is_draining = false;
            self.epochs.abandon();
        }
        if status.te() == 0 {
            self.release(state, effects);
        }
        if command.srtp() != 0 {
            // CAP.ESRTPS: nothing from before is used.
            self.engine.invalidate(&Invalidation::All);
        }
        if command.srtp() != 0 || before.te() != status.te() {
            effects.push(Effect::UNMAP_ALL);
            self.hosts_follow(state, mem);
        }
        let switched = before.ire() != status.ire() || before.cfi() != status.cfi();
        if f.interrupt_remapping && (switched || command.sirtp() != 0) {
            if let Some(entries) = self.entries.as_ref().filter(|_| command.sirtp() != 0) {
                // CAP.ESIRTPS: no entry of the old table is used.
                entries.invalidate_all();
            }
            effects.push(EVERY_INTERRUPT);
        }
        self.run_queue(state, mem, effects);
    }

    fn end_quietly(&self, epoch: u64) {
        if self.epochs.end(epoch) {
            self.pending.want();
        }
    }

    fn fault(&self, kind: RequestKind, fault: &Fault, under_bql: bool) -> Effects {
        if fault.record {
            self.report(super::event::encode(kind, fault), under_bql)
        } else {
            Effects::default()
        }
    }

    fn report(&self, record: Record, under_bql: bool) -> Effects {
        let mut effects = Effects::default();
        if under_bql {
            let mut state = lock(&self.state);
            self.take_inbox(&mut state, &mut effects);
            self.record(&mut state, record, &mut effects);
        } else {
            self.inbox.report(|inbox| inbox.push(record));
            self.pending.want();
        }
        effects
    }

    fn record(&self, state: &mut State, record: Record, effects: &mut Effects) {
        let (what, message) = state.registers.record(record);
        let counter = match what {
            Recorded::Recorded => &self.counters.fault_records,
            Recorded::Collapsed | Recorded::Lost => &self.counters.faults_dropped,
        };
        add(counter, 1);
        send(message, effects);
    }

    /// What threads without the BQL reported.
    fn take_inbox(&self, state: &mut State, effects: &mut Effects) {
        let lost = self.inbox.drain(|record| self.record(state, record, effects));
        if lost != 0 {
            add(&self.counters.faults_dropped, lost);
            state.registers.overflow();
        }
    }

    // Reset and migration.

    fn replace(&self, state: &mut State, new: Registers, unanswered: &[AtsInvalidation]) {
        let State {
            registers,
            device_tlbs,
            deferred,
            wait_put_off,
            is_draining,
            unsettled,
            held,
            assigned,
            late,
        } = state;
        *registers = new;
        device_tlbs.replace(unanswered);
        deferred.clear();
        *wait_put_off = false;
        *is_draining = false;
        *unsettled = 0;
        held.clear();
        assigned.reset();
        late.0.clear();
        self.epochs.abandon();
        self.publish(registers);
        self.engine.reset();
        if let Some(entries) = &self.entries {
            entries.invalidate_all();
        }
    }

    /// The state, for migration. The VM is stopped. Under the BQL.
    #[must_use]
    pub fn save(&self) -> SavedState {
        let state = lock(&self.state);
        // Deferred invalidations and waits need not travel: caches are empty after a load, nothing is in flight, and a
        // wait descriptor that was not consumed is read again. Endpoints are asked again under new itags. Nothing is held
        // back while the machine is stopped. With an assigned device there is no migration.
        let State {
            registers,
            device_tlbs,
            deferred: _,
            wait_put_off: _,
            is_draining: _,
            unsettled: _,
            held: _,
            assigned: _,
            late: _,
        } = &*state;
        SavedState {
            identification: identification(&self.features),
            registers: registers.clone(),
            unanswered: device_tlbs.unanswered(),
            inbox: self.inbox.lock().iter().collect(),
        }
    }

    /// Takes a saved state over. Under the BQL.
    ///
    /// # Errors
    /// What in it cannot be; the unit is as before then.
    pub fn load(&self, saved: &SavedState) -> Result<(), LoadError> {
        saved.check(&self.features)?;
        let mut inbox = Inbox::new(INBOX);
        for record in &saved.inbox {
            inbox.push(*record);
        }
        let mut state = lock(&self.state);
        self.replace(&mut state, saved.registers.clone(), &saved.unanswered);
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

    // Invalidation by registers (`VTD §6.5.1`).

    fn invalidate_contexts(&self, state: &mut State, mem: &dyn GuestMemory, effects: &mut Effects) {
        let ccmd = Ccmd::from(state.registers.ccmd);
        let what =
            super::command::context(ccmd.cirg(), low16(ccmd.did()), low16(ccmd.sid()), low8(ccmd.fm()));
        // Not both at a time: a granularity of 0 says that nothing was done.
        let what = what.filter(|_| state.registers.status().qie() == 0);
        let done = if what.is_some() { ccmd.cirg() } else { 0 };
        let icc = u64::from(what.is_some());
        state.registers.ccmd = ccmd.with_caig(done).with_icc(icc).bits();
        self.by_register(state, mem, what, effects);
    }

    fn invalidate_translations(&self, state: &mut State, mem: &dyn GuestMemory, effects: &mut Effects) {
        let iotlb = Iotlb::from(state.registers.iotlb);
        let what = super::command::iotlb(iotlb.iirg(), low16(iotlb.did()), state.registers.iva.into());
        let what = what.filter(|_| state.registers.status().qie() == 0);
        let done = if what.is_some() { iotlb.iirg() } else { 0 };
        let ivt = u64::from(what.is_some());
        state.registers.iotlb = iotlb.with_iaig(done).with_ivt(ivt).bits();
        self.by_register(state, mem, what, effects);
    }

    fn by_register(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        what: Option<Invalidation>,
        effects: &mut Effects,
    ) {
        if let Some(what) = what {
            self.pass_on_now(state, mem, &what);
            self.engine.invalidate(&what);
            self.notify(&what, &mut Notified::default(), effects);
            // Those in flight by now are to be waited for, not those when an earlier one began.
            state.is_draining = false;
            self.epochs.abandon();
        }
        self.finish_registers(state);
    }

    /// Says that what was invalidated or replaced by registers is no longer in use, if so.
    fn finish_registers(&self, state: &mut State) {
        let ccmd = Ccmd::from(state.registers.ccmd);
        let iotlb = Iotlb::from(state.registers.iotlb);
        let waits = ccmd.icc() != 0 || iotlb.ivt() != 0 || state.unsettled != 0;
        if waits && !state.is_draining && !state.assigned.is_behind() && self.epochs.quiesced() {
            state.registers.ccmd = ccmd.with_icc(0).bits();
            state.registers.iotlb = iotlb.with_ivt(0).bits();
            state.unsettled = 0;
        }
    }
}

/// The bits of `GSTS` that do not tell yet what they will, once a command has changed `before` to `after`; there were some
/// `already`. Enabling and disabling tell when requests are over that were treated as before (`VTD §11.4.4.1`), and so do
/// the table pointers: 0 until what may have used the old table is over.
fn changes(already: u32, before: Global, after: Global, command: Global) -> u32 {
    let switched = Global::from(before.bits() ^ after.bits());
    let switched = Global::default().with_te(switched.te()).with_ire(switched.ire()).bits();
    let taken_over = Global::default()
        .with_srtp(command.srtp() & after.srtp())
        .with_sirtp(command.sirtp() & after.sirtp())
        .bits();
    already | switched | taken_over
}

impl<E: Engine> Model for Vtd<E> {
    const REGION_SIZE: u64 = REGION_SIZE;

    fn read32(&self, offset: u64) -> u32 {
        let mut state = lock(&self.state);
        match offset {
            IQH | FSTS => self.before_descriptors_are_seen(&mut state),
            // Software that polls need not wait for the next bottom half.
            GSTS => {
                self.finish_registers(&mut state);
                return state.registers.gsts ^ state.unsettled;
            }
            _ => {}
        }
        state.registers.read32(&self.features, offset)
    }

    fn write32(&self, mem: &dyn GuestMemory, offset: u64, value: u32, effects: &mut Effects) {
        let mut state = lock(&self.state);
        self.write_register(&mut state, mem, offset, value, effects);
        self.settle(&mut state, effects);
    }

    fn cached_translation(&self, req: &DmaRequest) -> Option<Translation> {
        (self.gate().enabled() != 0).then(|| self.engine.cached_translation(req))?
    }

    fn is_page(&self, translation: &Translation) -> bool {
        // Where nothing is translated an answer ends before the interrupts, and is larger than any page but for 1 GiB.
        self.gate().enabled() != 0 && translation.page_mask <= ones(LARGEST_PAGE)
    }

    fn probe(&self, mem: &dyn GuestMemory, req: &DmaRequest) -> Option<Translation> {
        if self.gate().enabled() == 0 {
            return req.substream.is_none().then(|| interrupt_range::one_to_one(req.addr))?;
        }
        let epoch = self.epochs.begin();
        let answer = self.engine.translate(mem, &self.tables(), req);
        self.end_quietly(epoch);
        answer.ok()
    }

    fn set_listeners(&self, any: bool) {
        self.listeners.store(any, Ordering::SeqCst);
    }

    fn translate(&self, mem: &dyn GuestMemory, req: &DmaRequest, under_bql: bool) -> (Outcome, Effects) {
        let epoch = self.epochs.begin();
        let gate = self.gate();
        if gate.enabled() == 0 {
            if req.substream.is_some() {
                // There is no address space to be meant.
                self.end_quietly(epoch);
                return (Outcome::Aborted, Effects::default());
            }
            // Interrupts are not for memory, and are taken out before.
            let Some(translation) = interrupt_range::one_to_one(req.addr) else {
                self.end_quietly(epoch);
                return (Outcome::Aborted, Effects::default());
            };
            return (Outcome::Translated { translation, epoch }, Effects::default());
        }
        match self.engine.translate(mem, &self.tables(), req) {
            Ok(translation) => (Outcome::Translated { translation, epoch }, Effects::default()),
            Err(fault) => {
                let effects = self.fault(RequestKind::Untranslated, &fault, under_bql);
                self.end_quietly(epoch);
                (Outcome::Aborted, effects)
            }
        }
    }

    fn translated(&self, mem: &dyn GuestMemory, req: &DmaRequest, under_bql: bool) -> (Outcome, Effects) {
        self.check_translated(mem, req, under_bql)
    }

    fn end(&self, epoch: u64) -> bool {
        self.epochs.end(epoch)
    }

    fn ats(
        &self,
        mem: &dyn GuestMemory,
        req: &DmaRequest,
        _length: u64,
        under_bql: bool,
    ) -> (AtsOutcome, Effects) {
        self.answer_ats(mem, req, under_bql)
    }

    fn page_request(&self, mem: &dyn GuestMemory, request: &PageRequest) -> Effects {
        self.take_page_request(mem, request)
    }

    fn device_tlb_done(&self, mem: &dyn GuestMemory, stream: StreamId, itag: u32) -> Effects {
        self.answered(mem, stream, itag)
    }

    fn device_tlb_late(&self, mem: &dyn GuestMemory, itag: u32) -> Effects {
        self.timed_out(mem, itag)
    }

    fn needs_run(&self) -> bool {
        self.pending.take()
    }

    fn rest(&self) -> Effects {
        let mut effects = Effects::default();
        let mut state = lock(&self.state);
        self.release(&mut state, &mut effects);
        self.settle(&mut state, &mut effects);
        effects
    }

    fn run_pending(&self, mem: &dyn GuestMemory) -> Effects {
        self.pending.take();
        let mut effects = self.hear_hosts(mem);
        let mut state = lock(&self.state);
        effects.0.append(&mut state.late.0);
        self.take_inbox(&mut state, &mut effects);
        state.device_tlbs.ask_again(&mut effects);
        self.hosts_catch_up(&mut state, mem);
        self.finish_registers(&mut state);
        self.run_queue(&mut state, mem, &mut effects);
        self.settle(&mut state, &mut effects);
        effects
    }

    fn assign(&self, mem: &dyn GuestMemory, assignment: Assignment) -> nested::Result<()> {
        let mut state = lock(&self.state);
        let added = state.assigned.add(mem, assignment);
        if state.assigned.is_behind() {
            self.pending.want();
        }
        added
    }

    fn unassign(&self, device: DeviceId) -> Effects {
        lock(&self.state).assigned.remove(device);
        Effects::default()
    }

    fn ends_page_requests(&self, stream: StreamId, substream: Option<SubstreamId>) {
        self.give_up_groups(stream, Some(substream));
    }

    fn cancel(&self, stream: StreamId, substream: Option<Option<SubstreamId>>, tag: Option<u64>) {
        // Memory requests do not wait here. An endpoint that gives up those of one address space alone goes on, and still has
        // its page request groups and translations.
        if tag.is_some() || substream.is_some() {
            return;
        }
        self.give_up_groups(stream, None);
        if lock(&self.state).device_tlbs.give_up(stream) {
            self.pending.want();
        }
    }

    fn reset(&self) {
        let mut state = lock(&self.state);
        self.replace(&mut state, Registers::reset(&self.features), &[]);
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

fn send(message: Option<(u64, u32)>, effects: &mut Effects) {
    if let Some((addr, data)) = message {
        effects.push(Effect::WriteMsi { addr, data });
    }
}

#[cfg(test)]
mod tests;
