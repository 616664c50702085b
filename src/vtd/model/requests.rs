// SPDX-License-Identifier: GPL-2.0-or-later
//! What endpoints ask besides plain memory requests: translations, pages, interrupts.

use super::super::config::RequestKind;
use super::super::event;
use super::super::interrupt::{self, Blocked, CachedEntries, EntryCache, Remapped, Source};
use super::super::interrupt_range;
use super::super::page_request::Queued;
use super::super::stats::add;
use super::{Engine, State, Vtd, lock, send};
use crate::iommu::{
    AtsOutcome, DmaRequest, Effect, Effects, GuestMemory, Outcome, PageRequest, PageResponseCode, StreamId,
    SubstreamId,
};

/// What becomes of an interrupt request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptOutcome {
    /// The message to deliver: address and datum. Of a posted interrupt it is the notification.
    Deliver(u64, u32),
    /// It is noted in a posted interrupt descriptor, and nobody is to be told.
    Posted,
    /// It is blocked.
    Blocked,
}

/// Groups whose answer may wait for software to clear `PRS.PRO`; what comes beyond is answered at once.
pub(super) const HELD: usize = 4096;

/// A page request group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    stream: StreamId,
    substream: Option<SubstreamId>,
    group: u16,
}

impl Group {
    fn of(request: &PageRequest) -> Self {
        let PageRequest { stream, substream, group, .. } = *request;
        Self { stream, substream, group }
    }
}

impl<E: Engine> Vtd<E> {
    /// Answers a translation request (`VTD §4.1`). From any thread; there are effects only with the BQL. An endpoint that
    /// asks without the BQL must not use an answer that an [`Effect::AtsInvalidate`] overtook.
    pub(super) fn answer_ats(
        &self,
        mem: &dyn GuestMemory,
        req: &DmaRequest,
        under_bql: bool,
    ) -> (AtsOutcome, Effects) {
        add(&self.counters.ats_requests, 1);
        let epoch = self.epochs.begin();
        let answer = if self.gate().enabled() == 0 {
            None
        } else {
            Some(self.engine.ats_translate(mem, &self.tables(), req))
        };
        let answer = match answer {
            Some(Ok(translation)) => (AtsOutcome::Success(translation), Effects::default()),
            Some(Err(fault)) => {
                (AtsOutcome::Unsupported, self.fault(RequestKind::Translation, &fault, under_bql))
            }
            // Without remapping there is no translation agent.
            None => (AtsOutcome::Unsupported, Effects::default()),
        };
        if !answer.0.allows_access() {
            add(&self.counters.ats_failed, 1);
        }
        self.end_quietly(epoch);
        answer
    }

    /// Lets a request with an already translated address pass, or not (`VTD §4.2.3`). From any thread; there are effects
    /// only with the BQL.
    pub(super) fn check_translated(
        &self,
        mem: &dyn GuestMemory,
        req: &DmaRequest,
        under_bql: bool,
    ) -> (Outcome, Effects) {
        let epoch = self.epochs.begin();
        if self.gate().enabled() == 0 {
            self.end_quietly(epoch);
            return (Outcome::Aborted, Effects::default());
        }
        match self.engine.check(mem, &self.tables(), req, RequestKind::Translated) {
            Ok(()) => (
                // Interrupts are refused by the tables' word already.
                match interrupt_range::one_to_one(req.addr) {
                    Some(translation) => Outcome::Translated { translation, epoch },
                    None => {
                        self.end_quietly(epoch);
                        Outcome::Aborted
                    }
                },
                Effects::default(),
            ),
            Err(fault) => {
                let effects = self.fault(RequestKind::Translated, &fault, under_bql);
                self.end_quietly(epoch);
                (Outcome::Aborted, effects)
            }
        }
    }

    /// Takes a page request in (`VTD §7.4`): it is in the queue when this returns, or its group is answered. Under the BQL.
    ///
    /// What the tables forbid is answered with Invalid Request. If the queue is full the group is answered with Success
    /// without having been looked at: the endpoint asks for the translation again, and for the page if there still is none.
    /// That answer waits until software has cleared `PRS.PRO`, for until then asking again is in vain.
    /// Without translation, or without a queue in memory, it is Response Failure.
    pub(super) fn take_page_request(&self, mem: &dyn GuestMemory, request: &PageRequest) -> Effects {
        let mut effects = Effects::default();
        if self.gate().enabled() == 0 || !self.features.page_requests {
            self.answer(request, PageResponseCode::Failure, &mut effects);
            return effects;
        }
        let asked = request.request();
        if let Err(fault) = self.engine.check(mem, &self.tables(), &asked, RequestKind::Page) {
            effects = self.fault(RequestKind::Page, &fault, true);
            self.answer(request, PageResponseCode::Invalid, &mut effects);
            return effects;
        }
        let mut state = lock(&self.state);
        let limit = self.features.page_request_limit;
        let (queued, message) = state.registers.queue_page_request(mem, limit, request);
        match queued {
            Queued::Queued => add(&self.counters.page_requests, 1),
            Queued::Overflow => {
                add(&self.counters.page_request_overflows, 1);
                let group = Group::of(request);
                // An endpoint that begins a group of this number has given the one before up: that has no answer any more.
                state.held.retain(|held| *held != group);
                if state.held.len() >= HELD {
                    self.answer(request, PageResponseCode::Success, &mut effects);
                } else if request.is_answered() {
                    state.held.push(group);
                }
            }
            Queued::Inaccessible => self.answer(request, PageResponseCode::Failure, &mut effects),
        }
        send(message, &mut effects);
        effects
    }

    /// Answers a group in software's place, once it is complete.
    fn answer(&self, request: &PageRequest, code: PageResponseCode, effects: &mut Effects) {
        if request.is_answered() {
            self.answer_group(Group::of(request), code, effects);
        }
    }

    fn answer_group(&self, group: Group, code: PageResponseCode, effects: &mut Effects) {
        add(&self.counters.auto_responses, 1);
        let Group { stream, substream, group } = group;
        effects.push(Effect::PageResponse { stream, substream, group, code });
    }

    /// Answers the groups that found the queue full.
    pub(super) fn release(&self, state: &mut State, effects: &mut Effects) {
        for group in state.held.drain(..) {
            self.answer_group(group, PageResponseCode::Success, effects);
        }
    }

    /// An endpoint gives up what it waits with: its groups, of one address space or of all, have no answer any more.
    pub(super) fn give_up_groups(&self, stream: StreamId, substream: Option<Option<SubstreamId>>) {
        lock(&self.state).held.retain(|group| {
            group.stream != stream || substream.is_some_and(|substream| substream != group.substream)
        });
    }

    /// Remaps or posts the interrupt request that a 32-bit write of `data` to `addr` (`0xfeexxxxx`) by `source` is. Where
    /// only the outcome is to be known, as for KVM's routes, nothing is posted, reported or counted, and posted interrupts
    /// are blocked: no message stands for one. From any thread; there are effects only with the BQL.
    pub fn remap_interrupt(
        &self,
        mem: &dyn GuestMemory,
        source: impl Into<Source>,
        message: (u64, u32),
        report: bool,
        under_bql: bool,
    ) -> (InterruptOutcome, Effects) {
        let source = source.into();
        let quiet = Effects::default();
        let epoch = self.epochs.begin();
        let outcome = self.interrupt_outcome(mem, source, message, report);
        // Entries have been read, and what is posted is in memory.
        self.end_quietly(epoch);
        match outcome {
            Ok(outcome) => (outcome, quiet),
            Err(_) if !report => (InterruptOutcome::Blocked, quiet),
            Err(blocked) => {
                add(&self.counters.interrupts_blocked, 1);
                let effects = if blocked.record {
                    self.report(event::encode_interrupt(source.id, blocked.entry, blocked.reason), under_bql)
                } else {
                    quiet
                };
                (InterruptOutcome::Blocked, effects)
            }
        }
    }

    fn interrupt_outcome(
        &self,
        mem: &dyn GuestMemory,
        source: Source,
        message: (u64, u32),
        report: bool,
    ) -> Result<InterruptOutcome, Blocked> {
        let cache = self.entries.as_ref().map(CachedEntries::now);
        let cache: &dyn EntryCache = match &cache {
            Some(cache) => cache,
            None => &(),
        };
        let gate = self.interrupt_gate();
        let count = |counter| {
            if report {
                add(counter, 1);
            }
        };
        let interrupt = match interrupt::remap(mem, cache, &self.features, gate, source, message)? {
            Remapped::Passed => return Ok(InterruptOutcome::Deliver(message.0, message.1)),
            Remapped::Interrupt(interrupt) => {
                count(&self.counters.interrupts_remapped);
                interrupt
            }
            Remapped::Posted(_) if !report => return Ok(InterruptOutcome::Blocked),
            Remapped::Posted(posting) => {
                let notification = posting.post(mem)?;
                count(&self.counters.interrupts_posted);
                let Some(notification) = notification else { return Ok(InterruptOutcome::Posted) };
                count(&self.counters.posted_notifications);
                notification
            }
        };
        let (addr, data) = interrupt.message();
        Ok(InterruptOutcome::Deliver(addr, data))
    }
}
