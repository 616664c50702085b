// SPDX-License-Identifier: GPL-2.0-or-later
//! Assigned devices, for which a host's unit translates.
//!
//! Descriptors that a host is to hear of are collected while the queue is consumed, and forwarded before the guest can see
//! that they were: at a wait descriptor, when `IQH` is read, and before what is bound changes. Where one fails, `IQH` goes
//! back to it.

use super::super::command::Command;
use super::super::spec::registers::iqei;
use super::super::translate::Invalidation;
use super::queue::queue_error;
use super::{Engine, State, Vtd, lock, send};
use crate::iommu::log_limit::HOST_ERRORS;
use crate::iommu::narrow::low32;
use crate::iommu::{Effect, Effects, GuestMemory};
use crate::nested::assigned::FAULTS_AT_ONCE;
use crate::nested::vtd::VtdState;
use crate::nested::{NotForwarded, Progress};

impl<E: Engine> Vtd<E> {
    /// What the registers say of all devices has changed.
    pub(super) fn hosts_follow(&self, state: &mut State, mem: &dyn GuestMemory) {
        let gate = self.gate();
        let now = if gate.enabled() == 0 { VtdState::Off } else { VtdState::On(gate.table()) };
        state.assigned.set_state(mem, now);
        if state.assigned.is_behind() {
            self.pending.want();
        }
    }

    /// Passes a descriptor on that concerns assigned devices, before it counts as consumed. `false`: it is in error, or one
    /// before it is, or it has to wait for the bottom half.
    pub(super) fn pass_on(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        command: &Command,
        head: u64,
        effects: &mut Effects,
    ) -> bool {
        if state.assigned.is_empty() {
            return true;
        }
        if state.assigned.is_behind() || !state.assigned.may_go_on() {
            return self.later();
        }
        let position = low32(head);
        match command {
            Command::Interrupts(_) => true,
            Command::PageResponse { .. } => {
                state.assigned.count_call();
                self.forward(state, effects)
            }
            Command::Wait(_) => self.forward(state, effects),
            Command::Invalidate(what) if changes_tables(what) => {
                if !self.forward(state, effects) {
                    return false;
                }
                match state.assigned.invalidated(mem, what, position) {
                    Ok(Progress::Done) => true,
                    Ok(Progress::Later | Progress::Full) => self.later(),
                    Err(failed) => {
                        not_forwarded(state, &failed, effects);
                        false
                    }
                }
            }
            Command::Invalidate(what) => {
                self.take_in(state, effects, |state| state.assigned.collect(what, position))
            }
            Command::DeviceTlb(what) => {
                self.take_in(state, effects, |state| state.assigned.collect_device_tlb(what, position))
            }
        }
    }

    /// Takes an invalidation in, and forwards what is there where there is too much.
    fn take_in(
        &self,
        state: &mut State,
        effects: &mut Effects,
        mut collect: impl FnMut(&mut State) -> Progress,
    ) -> bool {
        loop {
            match collect(state) {
                Progress::Done => return true,
                Progress::Later => return self.later(),
                Progress::Full if self.forward(state, effects) => {}
                Progress::Full => return false,
            }
        }
    }

    /// It was enough for one register write. The bottom half goes on with the same descriptor.
    fn later(&self) -> bool {
        self.pending.want();
        false
    }

    /// Goes on with what registers ask for.
    pub(super) fn hosts_catch_up(&self, state: &mut State, mem: &dyn GuestMemory) {
        if state.assigned.proceed(mem) == Progress::Later {
            self.pending.want();
        }
    }

    /// The same for what a register asks for, which has no way to fail.
    pub(super) fn pass_on_now(&self, state: &mut State, mem: &dyn GuestMemory, what: &Invalidation) {
        if state.assigned.is_empty() {
            return;
        }
        state.assigned.invalidated_by_register(mem, what);
        if state.assigned.is_behind() {
            self.pending.want();
        }
    }

    /// Forwards what was collected. `false`: the queue is in error.
    pub(super) fn forward(&self, state: &mut State, effects: &mut Effects) -> bool {
        if !state.assigned.is_waiting() {
            return true;
        }
        match state.assigned.flush() {
            Ok(_) => true,
            Err(failed) => {
                not_forwarded(state, &failed, effects);
                false
            }
        }
    }

    /// Software looks how far the queue is.
    pub(super) fn before_descriptors_are_seen(&self, state: &mut State) {
        if state.assigned.is_waiting() {
            let mut late = core::mem::take(&mut state.late);
            self.forward(state, &mut late);
            if !late.0.is_empty() {
                self.pending.want();
            }
            state.late = late;
        }
    }

    /// Page requests of hosts.
    pub(super) fn hear_hosts(&self, mem: &dyn GuestMemory) -> Effects {
        let mut effects = Effects::default();
        let requests = {
            let mut state = lock(&self.state);
            if state.assigned.is_empty() {
                return effects;
            }
            if state.assigned.lost() != 0 {
                let message = state.registers.lose_page_requests();
                send(message, &mut effects);
            }
            state.assigned.page_requests()
        };
        if requests.len() >= FAULTS_AT_ONCE {
            // There may be more.
            self.pending.want();
        }
        for request in requests {
            effects.0.append(&mut self.take_page_request(mem, &request).0);
        }
        effects
    }

    /// Answers that are not for endpoints of this machine go to hosts.
    pub(super) fn settle(&self, state: &mut State, effects: &mut Effects) {
        if state.assigned.is_empty() {
            return;
        }
        let assigned = &mut state.assigned;
        effects.0.retain(|effect| match *effect {
            Effect::PageResponse { stream, substream, group, code } if assigned.contains(stream) => {
                assigned.respond(stream, substream, group, code);
                false
            }
            _ => true,
        });
    }
}

/// What is bound may be another thing than before.
fn changes_tables(what: &Invalidation) -> bool {
    match what {
        Invalidation::All
        | Invalidation::ContextGlobal
        | Invalidation::ContextDomain { .. }
        | Invalidation::ContextDevice { .. }
        | Invalidation::PasidGlobal
        | Invalidation::PasidDomain { .. }
        | Invalidation::Pasid { .. } => true,
        Invalidation::IotlbGlobal
        | Invalidation::IotlbDomain { .. }
        | Invalidation::IotlbPages { .. }
        | Invalidation::PasidIotlbAll { .. }
        | Invalidation::PasidIotlbPages { .. } => false,
    }
}

/// §6.5.2.10: `IQH` points to the descriptor, which is fetched again once software has dealt with the error.
fn not_forwarded(state: &mut State, failed: &NotForwarded, effects: &mut Effects) {
    log::error!(target: HOST_ERRORS, "VT-d: {failed}");
    state.registers.iqh = failed.position.into();
    queue_error(state, iqei::NONE, effects);
}
