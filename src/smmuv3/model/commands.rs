// SPDX-License-Identifier: GPL-2.0-or-later
//! The command queue (`IHI0070 §4`, `§7.1`).

use std::sync::atomic::Ordering;

use super::super::command::{Command, Resume, Signal};
use super::super::queue::Ring;
use super::super::registers::Registers;
use super::super::spec::command::{CERROR_ABT, CERROR_ATC_INV_SYNC, CERROR_ILL};
use super::super::spec::registers::{CmdqCons, Cr2, IRQ_SYNC};
use super::super::stats::{add, add_alone};
use super::super::translate::{Invalidation, Pages, canonical};
use super::events::CMDQ_ERR;
use super::{Engine, Smmu, State, resolve};
use crate::iommu::effects::Notified;
use crate::iommu::narrow::{low16, ones};
use crate::iommu::{Effect, Effects, GuestMemory, PageResponseCode};

/// Commands per call; what is left is for the next [`Smmu::run_pending`], so that one register write does not hold the
/// BQL for half a million commands.
pub(super) const COMMANDS_AT_ONCE: u32 = 4096;
/// Invalidations that an adversarial SMMU keeps back until the next SYNC.
pub(super) const DEFERRED: usize = 4096;

/// An invalidation for every VMID that `CR0.VMW` does not tell from the one it names (`IHI0070 §3.17.6`).
fn same_vmids(what: Invalidation, wildcard: u32) -> impl Iterator<Item = Invalidation> {
    let bits = if wildcard <= 4 { wildcard } else { 0 };
    let named = { what }.vmid_mut().copied();
    let others = if named.is_some() { low16(ones(bits)) } else { 0 };
    (0..=others).map(move |low| {
        let mut what = what;
        if let Some(vmid) = what.vmid_mut() {
            *vmid = *vmid & !others | low;
        }
        what
    })
}

/// Two adjacent words of a queue entry.
fn words(bytes: [u8; 16]) -> [u64; 2] {
    let all = u128::from_le_bytes(bytes);
    let low = u64::try_from(all & u128::from(u64::MAX)).unwrap_or(0);
    [low, u64::try_from(all >> 64).unwrap_or(0)]
}

impl<E: Engine> Smmu<E> {
    /// Consumes commands (`IHI0070 §4.1.2`) until the queue is empty, off or in error, a SYNC has to wait, or it was enough
    /// for one call.
    pub(super) fn run_commands(&self, state: &mut State, mem: &dyn GuestMemory, effects: &mut Effects) {
        let mut event = false;
        self.consume(state, mem, &mut event, effects);
        if event && self.features.sev {
            // One wakes every CPU that waits for any of them, and comes when `CMDQ_CONS` says why.
            effects.push(Effect::SendEvent);
        }
    }

    /// [`run_commands`](Self::run_commands), but for the wake-up event that is due if `event` is set.
    fn consume(&self, state: &mut State, mem: &dyn GuestMemory, event: &mut bool, effects: &mut Effects) {
        let ring = state.registers.cmdq(&self.features);
        // Indexes that contradict each other do not make more of a queue than it is.
        let queued = self.queued(&state.registers, ring).min(ring.entries());
        let budget = queued.min(COMMANDS_AT_ONCE);
        let mut notified = Notified::default();
        let e2h = Cr2::from(state.registers.cr2).e2h() != 0;
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
            let command = match Command::decode(&self.features, e2h, words(bytes)) {
                Ok(command) => command,
                Err(_) => {
                    self.command_error(&mut state.registers, CERROR_ILL, effects);
                    return;
                }
            };
            if !self.pass_on(state, mem, words(bytes), &command, cons, effects) {
                return;
            }
            match command {
                Command::Sync(_) if !self.sync_done(state, mem, &mut notified, effects) => return,
                Command::Sync(_) if std::mem::take(&mut state.invalidation_failed) => {
                    // §3.9.1.4: it is not consumed, and begins anew once software has acknowledged the error.
                    self.command_error(&mut state.registers, CERROR_ATC_INV_SYNC, effects);
                    return;
                }
                // The next answer of an endpoint makes room.
                Command::AtsInvalidate(_) if !state.ats_invalidations.has_room() => return,
                _ => {}
            }
            // §3.18: consumption is observable no later than what the command signals.
            let before = CmdqCons::from(state.registers.cmdq_cons);
            // §4.1.2, IDR0.SEV: software that finds the queue full may wait by WFE until it is not.
            *event |= ring.is_full(state.registers.cmdq_prod, before.rd());
            state.registers.cmdq_cons = before.with_rd(ring.next(cons)).bits();
            add_alone(&self.counters.commands, 1);
            match command {
                Command::Nothing => {}
                Command::Translations(Invalidation::Va { .. }) if cfg!(feature = "mutation-drop-tlbi") => {}
                Command::Configuration(what) => self.invalidate(state, what, &mut notified, effects),
                Command::Translations(what) => {
                    for what in same_vmids(what, state.registers.enables().vmw()) {
                        self.invalidate(state, what, &mut notified, effects);
                    }
                }
                // §6.3.9.6: without translation these two are ignored.
                Command::AtsInvalidate(_) | Command::PageResponse { .. }
                    if state.registers.enables().smmuen() == 0 => {}
                // The host does it, with what was passed on.
                Command::AtsInvalidate(what) if state.assigned.contains(what.stream) => {
                    add(&self.counters.ats_invalidations, 1);
                }
                Command::AtsInvalidate(what) => {
                    add(&self.counters.ats_invalidations, 1);
                    state.ats_invalidations.send(what, effects);
                }
                Command::PageResponse { stream, substream, group, code } => {
                    add(&self.counters.page_responses, 1);
                    if code != PageResponseCode::Success {
                        add(&self.counters.page_responses_refused, 1);
                    }
                    effects.push(Effect::PageResponse { stream, substream, group, code });
                }
                Command::Resume { stream, stag, action } => self.resume(state, stream, stag, action, effects),
                Command::StallTerm { stream } => self.terminate(state, Some(stream), effects),
                Command::Sync(signal) => {
                    *event |= signal == Signal::Sev;
                    self.complete(state, signal, effects);
                }
            }
        }
        let left = self.queued(&state.registers, ring);
        if queued > budget && left != 0 {
            self.pending.want();
        }
    }

    fn complete(&self, state: &mut State, signal: Signal, effects: &mut Effects) {
        add_alone(&self.counters.syncs, 1);
        state.sync_put_off = false;
        // A record that could not be written yet must not be written any more (§4.7.3).
        state.stalls.expire();
        if let Signal::Irq { msi_addr, msi_data } = signal {
            self.sync_interrupt(msi_addr, msi_data, effects);
        }
    }

    fn queued(&self, registers: &Registers, ring: Ring) -> u32 {
        ring.used(registers.cmdq_prod, CmdqCons::from(registers.cmdq_cons).rd())
    }

    pub(super) fn command_error(&self, registers: &mut Registers, reason: u32, effects: &mut Effects) {
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
            self.notify(&what, notified, effects);
            return;
        }
        // As late as the specification allows: until a SYNC, or until there are too many.
        if state.deferred.len() >= DEFERRED {
            self.invalidate_deferred(state, notified, effects);
        }
        state.deferred.push(what);
    }

    fn notify(&self, what: &Invalidation, notified: &mut Notified, effects: &mut Effects) {
        if self.listeners.load(Ordering::Relaxed)
            && let Some(mut notice) = notice(what, self.engine.ignored_bits())
        {
            if matches!(what, Invalidation::Va { .. }) && self.engine.owes_everything() {
                notice = Effect::UNMAP_ALL;
            }
            if notice == Effect::UNMAP_ALL {
                self.engine.outside_forgets();
            }
            notified.tell(notice, effects);
        }
    }

    /// §4.7.3: there is no order between invalidations that no SYNC separates. So the last comes first.
    fn invalidate_deferred(&self, state: &mut State, notified: &mut Notified, effects: &mut Effects) {
        while let Some(what) = state.deferred.pop() {
            self.engine.invalidate(&what);
            self.notify(&what, notified, effects);
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
            self.pending.want();
            return false;
        }
        self.invalidate_deferred(state, notified, effects);
        if !state.ats_invalidations.is_empty() {
            return false;
        }
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
    pub(super) fn terminate(&self, state: &mut State, stream: Option<u32>, effects: &mut Effects) {
        state.stalls.terminate(stream, |waiter, recorded| {
            if recorded {
                add(&self.counters.stall_terms, 1);
            }
            resolve(&waiter, false, effects);
        });
        self.serve_line(state, effects);
    }
}

/// What caches outside have to forget; `None`: nothing. `ignored_bits`: see [`Engine::ignored_bits`].
fn notice(what: &Invalidation, ignored_bits: u32) -> Option<Effect> {
    Some(match *what {
        Invalidation::Ste { sid } | Invalidation::Cd { sid, ssid: 0 } | Invalidation::CdAll { sid } => {
            Effect::UnmapNotify { stream: Some(sid), substream: None, addr: 0, mask: u64::MAX }
        }
        // Only address spaces without PASID are cached outside, and they use no other CD.
        Invalidation::Cd { .. } => return None,
        Invalidation::Va { pages: Pages { addr, size, .. }, .. }
        | Invalidation::Ipa { pages: Pages { addr, size, .. }, .. } => {
            let (least, addr) = match what {
                // The top byte of a command by VA says no more than bit 55, as in the caches.
                Invalidation::Va { .. } => (ones(ignored_bits), canonical(addr)),
                _ => (0, addr),
            };
            let last = addr.saturating_add(size.saturating_sub(1)) | least;
            let addr = addr & !least;
            Effect::UnmapNotify { stream: None, substream: None, addr, mask: last.saturating_sub(addr) }
        }
        _ => Effect::UNMAP_ALL,
    })
}
