// SPDX-License-Identifier: GPL-2.0-or-later
//! The invalidation queue (`VTD §6.5.2`).

use std::sync::atomic::Ordering;

use super::super::command::{Command, Interrupts, Wait};
use super::super::registers::EventKind;
use super::super::spec::registers::{Fsts, Ics, Iqa, Iqercd, iqei};
use super::super::stats::{add, add_alone};
use super::super::translate::Invalidation;
use super::{Deferred, Engine, State, Vtd, send};
use crate::iommu::ats_invalidations::Answer;
use crate::iommu::effects::Notified;
use crate::iommu::narrow::ones;
use crate::iommu::{Effect, Effects, GuestMemory, PageResponseCode, StreamId};

/// Descriptors per call; what is left is for the next [`Vtd::run_pending`], so that one register write does not hold the
/// BQL for a whole queue.
pub(super) const DESCRIPTORS_AT_ONCE: u64 = 4096;
/// Invalidations that an adversarial unit keeps back until the next wait descriptor.
pub(super) const DEFERRED: usize = 4096;

impl<E: Engine> Vtd<E> {
    /// Consumes descriptors until the queue is empty, off or in error, a wait descriptor has to wait, or it was enough for
    /// one call.
    pub(super) fn run_queue(&self, state: &mut State, mem: &dyn GuestMemory, effects: &mut Effects) {
        let mut notified = Notified::default();
        for _ in 0..DESCRIPTORS_AT_ONCE {
            if !self.run_descriptor(state, mem, &mut notified, effects) {
                self.finish_registers(state);
                return;
            }
        }
        self.pending.want();
    }

    /// Consumes one descriptor, if there is one and its time has come.
    fn run_descriptor(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        notified: &mut Notified,
        effects: &mut Effects,
    ) -> bool {
        let registers = &mut state.registers;
        let errors = Fsts::from(registers.fsts);
        // §6.5.2.10: nothing is fetched before software has dealt with the error.
        let stopped = registers.status().qie() == 0 || errors.iqe() != 0 || errors.ite() != 0;
        if stopped || registers.iqh == registers.iqt {
            return false;
        }
        let ring = registers.invalidation_queue();
        if !ring.contains(registers.iqt) {
            queue_error(state, iqei::TAIL, effects);
            return false;
        }
        let head = registers.iqh;
        let wide = Iqa::from(registers.iqa).dw() != 0;
        let Some(words) = read_descriptor(mem, ring.entry(head), wide) else {
            queue_error(state, iqei::FETCH, effects);
            return false;
        };
        let command = match Command::decode(&self.features, wide, words) {
            Ok(command) => command,
            Err(illegal) => {
                queue_error(state, illegal.0, effects);
                return false;
            }
        };
        if !self.pass_on(state, mem, &command, head, effects) {
            return false;
        }
        match command {
            Command::Wait(_) if !self.wait_done(state, notified, effects) => return false,
            Command::DeviceTlb(_) if !state.device_tlbs.has_room() => return false,
            _ => {}
        }
        state.registers.iqh = ring.next(head);
        add_alone(&self.counters.descriptors, 1);
        match command {
            Command::Invalidate(Invalidation::PasidIotlbPages { .. })
                if cfg!(feature = "mutation-drop-tlbi") => {}
            Command::Invalidate(what) => {
                self.invalidate(state, Deferred::Translations(what), notified, effects);
            }
            // The host does it, with what was passed on.
            Command::DeviceTlb(what) if state.assigned.contains(what.stream) => {
                add(&self.counters.device_tlb_invalidations, 1);
            }
            Command::DeviceTlb(what) => {
                // What the endpoint asks for anew must not be what this one is to make it forget.
                self.invalidate_deferred(state, notified, effects);
                add(&self.counters.device_tlb_invalidations, 1);
                state.device_tlbs.send(what, effects);
            }
            Command::Interrupts(what) => {
                self.invalidate(state, Deferred::Interrupts(what), notified, effects);
            }
            Command::PageResponse { source, pasid, group, code } => {
                add(&self.counters.page_responses, 1);
                if code != PageResponseCode::Success {
                    add(&self.counters.page_responses_refused, 1);
                }
                let stream = StreamId::from(source);
                effects.push(Effect::PageResponse { stream, substream: pasid, group, code });
            }
            Command::Wait(wait) => self.complete(state, wait, effects),
        }
        true
    }

    fn complete(&self, state: &mut State, wait: Wait, effects: &mut Effects) {
        add_alone(&self.counters.waits, 1);
        state.wait_put_off = false;
        if wait.drain {
            // §7.10: what was answered in software's place is no longer on its way either.
            self.release(state, effects);
        }
        if let Some((addr, data)) = wait.status {
            effects.push(Effect::WriteMemory { addr, data });
        }
        if wait.interrupt {
            // §6.5.2.9: one that software has not seen yet tells of both.
            let before = Ics::from(state.registers.ics);
            state.registers.ics = before.with_iwc(1).bits();
            if before.iwc() == 0 {
                send(state.registers.signal(EventKind::Invalidation), effects);
            }
        }
    }

    fn invalidate(&self, state: &mut State, what: Deferred, notified: &mut Notified, effects: &mut Effects) {
        if !self.features.adversarial {
            self.invalidate_now(what, notified, effects);
            return;
        }
        // As late as the specification allows: until a wait descriptor, or until there are too many.
        if state.deferred.len() >= DEFERRED {
            self.invalidate_deferred(state, notified, effects);
        }
        state.deferred.push(what);
    }

    fn invalidate_now(&self, what: Deferred, notified: &mut Notified, effects: &mut Effects) {
        match what {
            Deferred::Translations(what) => {
                self.engine.invalidate(&what);
                self.notify(&what, notified, effects);
            }
            Deferred::Interrupts(Interrupts { global, index, mask }) => {
                match &self.entries {
                    Some(entries) if global => entries.invalidate_all(),
                    Some(entries) => entries.invalidate(index, mask),
                    None => {}
                }
                effects.push(Effect::IecNotify { global, index, mask });
            }
        }
    }

    pub(super) fn notify(&self, what: &Invalidation, notified: &mut Notified, effects: &mut Effects) {
        if self.listeners.load(Ordering::Relaxed) {
            notified.tell(self.notice(what), effects);
        }
    }

    /// What caches outside have to forget. They know pages by the addresses of requests.
    fn notice(&self, what: &Invalidation) -> Effect {
        match *what {
            // The addresses are the second stage's, and first-stage and nested pages of the domain go whatever theirs are.
            Invalidation::IotlbPages { did, .. } if self.engine.has_pages_of_first_stages(did) => {
                Effect::UNMAP_ALL
            }
            // Which devices are in the domain only the tables know.
            Invalidation::IotlbPages { addr, address_mask, .. }
            | Invalidation::PasidIotlbPages { addr, address_mask, .. } => {
                let named = u32::from(address_mask).saturating_add(12);
                let mask = ones(named.max(self.engine.largest_page_in_parts().into()));
                Effect::UnmapNotify { stream: None, substream: None, addr: addr & !mask, mask }
            }
            Invalidation::ContextDevice { sid, function_mask: 0 } => {
                Effect::UnmapNotify { stream: Some(sid.into()), substream: None, addr: 0, mask: u64::MAX }
            }
            _ => Effect::UNMAP_ALL,
        }
    }

    /// §6.5.2.11: there is no order between invalidations that no wait separates. So the last comes first.
    fn invalidate_deferred(&self, state: &mut State, notified: &mut Notified, effects: &mut Effects) {
        while let Some(what) = state.deferred.pop() {
            self.invalidate_now(what, notified, effects);
        }
    }

    /// Whether everything before a wait descriptor is done: invalidations, the endpoints' too, and accesses that may have
    /// used what they took away (`VTD §6.5.2.8`). If not, somebody will want a run when it may be. Page requests are in
    /// their queue, or answered or held, when [`Vtd::page_request`] returns: only the held ones need draining.
    fn wait_done(&self, state: &mut State, notified: &mut Notified, effects: &mut Effects) -> bool {
        if self.features.adversarial && !state.wait_put_off {
            state.wait_put_off = true;
            self.pending.want();
            return false;
        }
        self.invalidate_deferred(state, notified, effects);
        if !state.device_tlbs.is_empty() {
            return false;
        }
        if !state.is_draining {
            // What a register waited for is of before.
            self.epochs.abandon();
            state.is_draining = true;
        }
        if !self.epochs.quiesced() {
            return false;
        }
        state.is_draining = false;
        // Faults of requests that have ended become visible.
        self.take_inbox(state, effects);
        true
    }

    /// An endpoint has done what an [`Effect::AtsInvalidate`] asked for. Under the BQL.
    pub(super) fn answered(&self, mem: &dyn GuestMemory, stream: StreamId, itag: u32) -> Effects {
        let mut effects = Effects::default();
        let mut state = lock_state(self);
        match state.device_tlbs.answered(stream, itag) {
            Answer::Expected { goes_on: true } => {
                self.run_queue(&mut state, mem, &mut effects);
                self.settle(&mut state, &mut effects);
            }
            Answer::Expected { goes_on: false } | Answer::Late => {}
            Answer::Unexpected => {
                // §6.5.2.10: an answer to nothing.
                let registers = &mut state.registers;
                if Fsts::from(registers.fsts).ice() == 0 {
                    registers.iqercd = Iqercd::from(registers.iqercd).with_icesid(stream.into()).bits();
                }
                send(registers.queue_error(Fsts::default().with_ice(1)), &mut effects);
            }
        }
        effects
    }

    /// An endpoint does not answer an [`Effect::AtsInvalidate`], and nobody waits for it any more. The wait descriptor that
    /// did so is aborted, and the queue stops until software has dealt with it (`VTD §6.5.2.10`). Under the BQL.
    pub(super) fn timed_out(&self, mem: &dyn GuestMemory, itag: u32) -> Effects {
        let mut effects = Effects::default();
        let mut state = lock_state(self);
        let Some(late) = state.device_tlbs.timed_out(itag) else { return effects };
        let ring = state.registers.invalidation_queue();
        let head = state.registers.iqh;
        let registers = &mut state.registers;
        if registers.status().qie() != 0 && head != registers.iqt && Fsts::from(registers.fsts).iqe() == 0 {
            let wide = Iqa::from(registers.iqa).dw() != 0;
            let words = read_descriptor(mem, ring.entry(head), wide);
            let waits = words.map(|words| Command::decode(&self.features, wide, words));
            if let Some(Ok(Command::Wait(_))) = waits {
                registers.iqh = ring.next(head);
                state.wait_put_off = false;
                state.is_draining = false;
            }
        }
        add(&self.counters.device_tlb_timeouts, 1);
        let registers = &mut state.registers;
        // §11.4.9.9: the first one stays until software has seen it.
        if Fsts::from(registers.fsts).ite() == 0 {
            registers.iqercd = Iqercd::from(registers.iqercd).with_itesid(late.stream.into()).bits();
        }
        send(registers.queue_error(Fsts::default().with_ite(1)), &mut effects);
        effects
    }
}

fn lock_state<E>(vtd: &Vtd<E>) -> std::sync::MutexGuard<'_, State> {
    super::lock(&vtd.state)
}

/// A descriptor; of a narrow one the upper half is zero.
fn read_descriptor(mem: &dyn GuestMemory, at: u64, wide: bool) -> Option<[u64; 4]> {
    let mut bytes = [0; 32];
    let (narrow, _) = bytes.split_at_mut(16);
    let wanted: &mut [u8] = if wide { &mut bytes } else { narrow };
    mem.read(at, wanted).ok()?;
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*chunk);
    }
    Some(words)
}

/// The queue stops at its head. What stands there is fetched again, and done as a whole.
pub(super) fn queue_error(state: &mut State, reason: u64, effects: &mut Effects) {
    state.assigned.abandon();
    let registers = &mut state.registers;
    registers.iqercd = Iqercd::from(registers.iqercd).with_iqei(reason).bits();
    send(registers.queue_error(Fsts::default().with_iqe(1)), effects);
}
