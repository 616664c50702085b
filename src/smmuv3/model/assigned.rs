// SPDX-License-Identifier: GPL-2.0-or-later
//! Assigned devices, for which a host's SMMU translates.
//!
//! Commands that a host is to hear of are collected while the queue is consumed, and forwarded before the guest can see that
//! they were: at a SYNC, when `CMDQ_CONS` is read, and before anything that is not an invalidation. Where one fails, `CONS`
//! goes back to it.

use super::super::command::Command;
use super::super::event::Report;
use super::super::registers::Gate;
use super::super::spec::command::CERROR_ILL;
use super::super::spec::registers::CmdqCons;
use super::super::stats::add;
use super::super::translate::Invalidation;
use super::{Engine, Smmu, State, events};
use crate::iommu::log_limit::HOST_ERRORS;
use crate::iommu::{Effect, Effects, GuestMemory, StreamId};
use crate::nested::assigned::FAULTS_AT_ONCE;
use crate::nested::smmuv3::{GuestEvent, GuestStall, SmmuState, Streams};
use crate::nested::{Forwarded, NotForwarded, Response};

impl From<Gate> for SmmuState {
    fn from(gate: Gate) -> Self {
        if gate.enabled() == 0 { Self::Off { abort: gate.abort() != 0 } } else { Self::On(gate.table()) }
    }
}

impl<E: Engine> Smmu<E> {
    /// What the registers say of all streams has changed.
    pub(super) fn hosts_follow(&self, state: &mut State, mem: &dyn GuestMemory, gate: Gate) {
        let replaced = state.assigned.set_state(mem, gate.into());
        self.forget_stalls(state, replaced);
    }

    /// The host has answered the open stalls of these streams. What software knows of stays until it answers.
    pub(super) fn forget_stalls(&self, state: &mut State, streams: impl IntoIterator<Item = StreamId>) {
        for stream in streams {
            let count = state.stalls.cancel(|waiter| waiter.stream == stream);
            add(&self.counters.stalls_cancelled, count);
        }
        if state.stalls.line_length() != 0 {
            self.pending.want();
        }
    }

    /// Passes a command on that concerns assigned devices, before it counts as consumed. `false`: it is in error, or one
    /// before it is, or it has to wait for the bottom half.
    pub(super) fn pass_on(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        words: [u64; 2],
        command: &Command,
        position: u32,
        effects: &mut Effects,
    ) -> bool {
        if state.assigned.is_empty() {
            return true;
        }
        let enough = match *command {
            Command::Configuration(Invalidation::Cd { .. } | Invalidation::CdAll { .. }) => {
                !state.assigned.may_go_on()
            }
            Command::Configuration(_) => !state.assigned.may_configure(),
            _ => !state.assigned.may_go_on(),
        };
        if enough {
            // The bottom half goes on with this command.
            self.pending.want();
            return false;
        }
        let which = match *command {
            Command::Nothing => return true,
            Command::Translations(_)
            | Command::AtsInvalidate(_)
            | Command::Configuration(Invalidation::Cd { .. } | Invalidation::CdAll { .. }) => {
                if state.assigned.collect(words, position) {
                    return true;
                }
                return self.forward(state, effects) && state.assigned.collect(words, position);
            }
            Command::Configuration(Invalidation::Ste { sid }) => Streams { first: sid, last: sid },
            Command::Configuration(Invalidation::SteRange { first, last }) => Streams { first, last },
            Command::Configuration(_) => Streams { first: 0, last: StreamId::MAX },
            Command::Sync(_)
            | Command::Resume { .. }
            | Command::StallTerm { .. }
            | Command::PageResponse { .. } => return self.forward(state, effects),
        };
        if !self.forward(state, effects) {
            return false;
        }
        match state.assigned.configuration_changed(mem, which, position) {
            Ok(replaced) => {
                self.forget_stalls(state, replaced);
                true
            }
            Err(failed) => {
                self.not_forwarded(state, &failed, effects);
                false
            }
        }
    }

    /// Forwards what was collected. `false`: the queue is in error.
    pub(super) fn forward(&self, state: &mut State, effects: &mut Effects) -> bool {
        if !state.assigned.is_waiting() {
            return true;
        }
        match state.assigned.flush() {
            Ok(Forwarded { streams, device_cache_failed, .. }) => {
                self.forget_stalls(state, streams);
                state.invalidation_failed |= device_cache_failed;
                true
            }
            Err(failed) => {
                self.not_forwarded(state, &failed, effects);
                false
            }
        }
    }

    /// §7.1: `CONS` points to the command, which is processed again once software has acknowledged the error. Those behind it
    /// that were consumed by this model alone are consumed again.
    fn not_forwarded(&self, state: &mut State, failed: &NotForwarded, effects: &mut Effects) {
        log::error!(target: HOST_ERRORS, "SMMUv3: {failed}");
        let registers = &mut state.registers;
        registers.cmdq_cons = CmdqCons::from(registers.cmdq_cons).with_rd(failed.position).bits();
        self.command_error(registers, CERROR_ILL, effects);
    }

    /// Software looks how far the queue is.
    pub(super) fn before_commands_are_seen(&self, state: &mut State) {
        if state.assigned.is_waiting() {
            let mut late = core::mem::take(&mut state.late);
            self.forward(state, &mut late);
            if !late.0.is_empty() {
                self.pending.want();
            }
            state.late = late;
        }
    }

    /// Faults and events of hosts.
    pub(super) fn hear_hosts(&self, state: &mut State, mem: &dyn GuestMemory, effects: &mut Effects) {
        if state.assigned.is_empty() {
            return;
        }
        let stalls = state.assigned.stalls();
        let events = state.assigned.events();
        if stalls.len().max(events.len()) >= FAULTS_AT_ONCE {
            // There may be more.
            self.pending.want();
        }
        for GuestStall { record, waiter } in stalls {
            let report = Report { record, merge: false, stall: Some(waiter) };
            let enabled = state.registers.enables().smmuen() != 0;
            let waits = enabled && self.report(state, mem, &report, effects);
            if !waits && let Some(tag) = waiter.tag {
                state.assigned.respond(waiter.stream, tag, Response::Invalid);
            }
        }
        for event in events {
            match event {
                GuestEvent::Record(record) => self.record(state, mem, &record, false, effects),
                GuestEvent::Lost(count) => {
                    add(&self.counters.events_dropped, count.into());
                    if state.registers.enables().eventqen() != 0 {
                        events::overflow(&mut state.registers);
                    }
                }
            }
        }
    }

    /// Answers that are not for endpoints of this machine go to hosts.
    pub(super) fn settle(&self, state: &mut State, effects: &mut Effects) {
        if state.assigned.is_empty() {
            return;
        }
        let assigned = &mut state.assigned;
        effects.0.retain(|effect| match *effect {
            Effect::Resolved { stream, tag, retry, .. } if assigned.contains(stream) => {
                assigned.respond(stream, tag, if retry { Response::Success } else { Response::Invalid });
                false
            }
            // No host has page requests.
            Effect::PageResponse { stream, .. } => !assigned.contains(stream),
            _ => true,
        });
    }
}
