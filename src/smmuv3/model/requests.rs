// SPDX-License-Identifier: GPL-2.0-or-later
//! What endpoints with ATS ask besides plain memory requests: translations (`IHI0070 §3.9.1`) and pages (`IHI0070 §8`).

use super::super::config;
use super::super::event;
use super::super::fault::{Fault, FaultAction, FaultKind};
use super::super::registers::Gate;
use super::super::spec::page_request::{Request0, Request1};
use super::super::spec::registers::{IRQ_PRIQ, PriqCons, PriqIrqCfg2, PriqProd};
use super::super::stats::add;
use super::counting::Seen;
use super::events::PRIQ_ABT_ERR;
use super::{Engine, Smmu, State, lock};
use crate::iommu::narrow::low8;
use crate::iommu::{
    AtsOutcome, DmaRequest, Effect, Effects, GuestMemory, Outcome, PageRequest, PageResponseCode, Translation,
};

impl<E: Engine> Smmu<E> {
    /// Answers a translation request (`IHI0070 §3.9.1.2`).
    pub(super) fn answer_ats(
        &self,
        mem: &dyn GuestMemory,
        req: &DmaRequest,
        length: u64,
        under_bql: bool,
    ) -> (AtsOutcome, Effects) {
        let req = &req.with_attributes_of_pasid();
        add(&self.counters.ats_requests, 1);
        let epoch = self.epochs.begin();
        let gate = self.gate();
        let result = if !self.features.ats {
            None
        } else if gate.enabled() == 0 {
            Some(Err(config::config_fault(FaultKind::BadAtsRequest, req)))
        } else {
            Some(self.counted(gate, mem, req.stream, |mem| {
                (Some(Seen::AtsRequest), self.engine.ats_translate(mem, &self.tables(), req))
            }))
        };
        let answer = match result {
            Some(Ok(translation)) => (AtsOutcome::Success(translation), Effects::default()),
            Some(Err(fault)) => {
                // What the stream does not allow is an unsupported request, errors in its structures are aborts.
                let is_silent = fault.kind == FaultKind::StreamDisabled && !fault.record;
                let outcome = if is_silent || fault.kind == FaultKind::BadAtsRequest {
                    AtsOutcome::Unsupported
                } else {
                    AtsOutcome::Aborted
                };
                let span = self.translation_units(length);
                let fault = Fault { record: is_recorded(gate, &fault), span, ..fault };
                (outcome, self.fault(mem, &fault, under_bql).1)
            }
            None => (AtsOutcome::Unsupported, Effects::default()),
        };
        if !answer.0.allows_access() {
            add(&self.counters.ats_failed, 1);
        }
        self.end_quietly(epoch);
        answer
    }

    /// How many smallest translation units there are in `length` bytes, as far as `Span` can tell.
    fn translation_units(&self, length: u64) -> u8 {
        let unit = 1u64.wrapping_shl(self.features.smallest_granule_log2());
        low8(length.div_ceil(unit).clamp(1, 15))
    }

    /// Lets a translated transaction pass, or through stage 2, or not (`IHI0070 §3.9.1.3`). An address beyond the output
    /// size is aborted, and nobody hears of it (`IHI0070 §3.9.1.1`).
    pub(super) fn check_translated(
        &self,
        mem: &dyn GuestMemory,
        req: &DmaRequest,
        under_bql: bool,
    ) -> (Outcome, Effects) {
        let epoch = self.epochs.begin();
        let gate = self.gate();
        let result = if gate.enabled() == 0 {
            Err(Some(config::config_fault(FaultKind::TranslationForbidden, req)))
        } else {
            self.counted(gate, mem, req.stream, |mem| {
                let result = if gate.check_ats() != 0 {
                    self.engine.translated(mem, &self.tables(), req).map_err(Some)
                } else if self.features.oas.contains(req.addr) {
                    Ok(Translation::one_to_one(req.addr))
                } else {
                    Err(None)
                };
                (Some(Seen::Translated), result)
            })
        };
        let effects = match result {
            Ok(translation) => return (Outcome::Translated { translation, epoch }, Effects::default()),
            Err(Some(fault)) => {
                let record = match fault.kind {
                    // C_BAD_STREAMID too, whatever CR2.RECINVSID says.
                    FaultKind::BadStreamId | FaultKind::SteFetch | FaultKind::BadSte => {
                        gate.record_ats() != 0
                    }
                    _ => fault.record,
                };
                self.fault(mem, &Fault { record, action: FaultAction::Abort, ..fault }, under_bql).1
            }
            Err(None) => Effects::default(),
        };
        self.end_quietly(epoch);
        (Outcome::Aborted, effects)
    }

    /// Takes a page request in. What `STE` and `ATSCHK` say of ATS makes no difference (`IHI0070 §8.2`).
    pub(super) fn take_page_request(&self, mem: &dyn GuestMemory, request: &PageRequest) -> Effects {
        let mut effects = Effects::default();
        let mut state = lock(&self.state);
        self.take_inbox(&mut state, mem, &mut effects);
        let registers = &state.registers;
        let enables = registers.enables();
        let off = enables.smmuen() == 0 || enables.priqen() == 0;
        if !self.features.pri || off || registers.errors().priq_abt_err() != 0 {
            self.respond(request, false, PageResponseCode::Failure, &mut effects);
            return effects;
        }
        let ring = registers.priq(&self.features);
        let prod = PriqProd::from(registers.priq_prod);
        let cons = PriqCons::from(registers.priq_cons);
        // §8.1: an active overflow keeps new entries out, other than in the event queue.
        let overflows = prod.ovflg() != cons.ovackflg();
        if overflows || ring.is_full(prod.wr(), cons.rd()) {
            if !overflows {
                state.registers.priq_prod = prod.with_ovflg(prod.ovflg() ^ 1).bits();
            }
            self.overflow(&mut state, mem, request, &mut effects);
            return effects;
        }
        let mut bytes = [0; 16];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(record(request)) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        if mem.write(ring.entry(ring.pointer(prod.wr())), &bytes).is_err() {
            // Synchronous: PROD does not move.
            self.raise(&mut state.registers, PRIQ_ABT_ERR, &mut effects);
            self.respond(request, false, PageResponseCode::Failure, &mut effects);
            return effects;
        }
        add(&self.counters.page_requests, 1);
        state.registers.priq_prod = prod.with_wr(ring.next(prod.wr())).bits();
        let was_empty = ring.is_empty(prod.wr(), cons.rd());
        self.priq_interrupt(&state, was_empty, request.last, &mut effects);
        effects
    }

    /// There is no room for a page request (`IHI0070 §8.1`): the endpoint is told to go on, asks for the translation again,
    /// and for the page if there still is none.
    fn overflow(
        &self,
        state: &mut State,
        mem: &dyn GuestMemory,
        request: &PageRequest,
        effects: &mut Effects,
    ) {
        add(&self.counters.page_request_overflows, 1);
        self.priq_interrupt(state, false, request.last, effects);
        if !request.is_answered() {
            return;
        }
        // PASIDs are a matter of the STE (IDR3.PPS is 0).
        if request.substream.is_none() || self.features.ssid_bits == 0 {
            self.respond(request, false, PageResponseCode::Success, effects);
            return;
        }
        let gate = self.gate();
        let found = self.counted(gate, mem, request.stream, |mem| {
            (None, config::responds_with_pasid(mem, &self.features, &gate.table(), &request.request()))
        });
        match found {
            Ok(with_pasid) => self.respond(request, with_pasid, PageResponseCode::Success, effects),
            Err(fault) => {
                if is_recorded(gate, &fault) {
                    self.record(state, mem, &event::encode(&fault), fault.merge, effects);
                }
                self.respond(request, false, PageResponseCode::Failure, effects);
            }
        }
    }

    /// Answers a group in software's place, once it is complete.
    fn respond(
        &self,
        request: &PageRequest,
        with_pasid: bool,
        code: PageResponseCode,
        effects: &mut Effects,
    ) {
        if !request.is_answered() {
            return;
        }
        add(&self.counters.auto_responses, 1);
        let PageRequest { stream, substream, group, .. } = *request;
        let substream = substream.filter(|_| with_pasid);
        effects.push(Effect::PageResponse { stream, substream, group, code });
    }

    /// `PRIQ_IRQ_CFG2.LO` chooses what is signalled (`IHI0070 §6.3.36`).
    fn priq_interrupt(&self, state: &State, was_empty: bool, last: bool, effects: &mut Effects) {
        let registers = &state.registers;
        let last_only = PriqIrqCfg2::from(registers.priq_irq_cfg2).lo() != 0;
        let is_due = if last_only { last } else { was_empty };
        if is_due && registers.interrupts().priq_irqen() != 0 {
            self.interrupt(IRQ_PRIQ, registers.priq_irq_cfg0, registers.priq_irq_cfg1, effects);
        }
    }
}

/// Whether an error of a translation request is recorded: what the stream forbids always is, other errors where software
/// wants to know (`IHI0070 §3.9.1.2`, `CR2.REC_CFG_ATS`).
fn is_recorded(gate: Gate, fault: &Fault) -> bool {
    match fault.kind {
        FaultKind::BadAtsRequest => true,
        _ => fault.record && gate.record_ats() != 0,
    }
}

/// The record of a page request. Execute and privileged come with a PASID.
fn record(request: &PageRequest) -> [u64; 2] {
    let access = request.access;
    let tagged = request.substream.is_some();
    let first = Request0::default()
        .with_stream_id(request.stream.into())
        .with_substream_id(request.substream.unwrap_or(0).into())
        .with_ssv(tagged.into())
        .with_privileged((tagged && access.privileged).into())
        .with_exec((tagged && access.exec).into())
        .with_read(access.read.into())
        .with_write(access.write.into())
        .with_last(request.last.into());
    let second = Request1::default().with_group(request.group.into()).with_addr(request.addr >> 12);
    [first.bits(), second.bits()]
}
