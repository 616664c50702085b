// SPDX-License-Identifier: GPL-2.0-or-later
//! An IOMMU as a state machine: what its device shell calls, and nothing else.
//!
//! Registers and queues are behind one mutex that is taken only under the BQL, so that nobody ever waits for it, and never
//! held while an effect is carried out. Translation reads atomics that mirror the registers, the caches, and the tables in
//! memory. What a thread without the BQL has to report goes into a bounded inbox; after any call
//! [`Model::needs_run`] says whether [`Model::run_pending`] has something to do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::nested::{self, Assignment, DeviceId};

use super::ats::{AtsOutcome, PageRequest};
use super::effects::Effects;
use super::memory::GuestMemory;
use super::narrow::{high32, low32};
use super::request::{DmaRequest, StreamId, SubstreamId, Translation};
use super::state::LoadError;

/// What became of a memory request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It may proceed.
    Translated {
        /// Where to.
        translation: Translation,
        /// To be given to [`Model::end`] when the data has been moved.
        epoch: u64,
    },
    /// It is aborted. What there was to record has been, or will be.
    Aborted,
    /// It waits: an [`Effect::Resolved`](super::Effect::Resolved) with its tag will follow.
    Waiting,
}

/// An IOMMU.
pub trait Model: Send + Sync {
    /// Size of the register region in bytes.
    const REGION_SIZE: u64;

    /// Reads the register word at `offset`. Under the BQL.
    fn read32(&self, offset: u64) -> u32;

    /// Writes the register word at `offset`, and does what that sets in motion. Under the BQL.
    fn write32(&self, mem: &dyn GuestMemory, offset: u64, value: u32, effects: &mut Effects);

    /// Reads `size` bytes at `offset` of the register region. Accesses that are not naturally aligned words or
    /// doublewords read as 0 (`IHI0070 §6.2`, `VTD §11.2`). Under the BQL.
    #[must_use]
    fn mmio_read(&self, offset: u64, size: u32) -> u64 {
        if !is_access(offset, size, Self::REGION_SIZE) {
            return 0;
        }
        let low = u64::from(self.read32(offset));
        if size == 4 {
            return low;
        }
        low | u64::from(self.read32(offset | 4)) << 32
    }

    /// Writes `size` bytes at `offset` of the register region, and does what that sets in motion. Accesses that are not
    /// naturally aligned words or doublewords are ignored. A doubleword is two words, the lower one first. Under the BQL.
    fn mmio_write(&self, mem: &dyn GuestMemory, offset: u64, value: u64, size: u32) -> Effects {
        let mut effects = Effects::default();
        if is_access(offset, size, Self::REGION_SIZE) {
            self.write32(mem, offset, low32(value), &mut effects);
            if size == 8 {
                self.write32(mem, offset | 4, high32(value), &mut effects);
            }
        }
        effects
    }

    /// Translates one untranslated request. From any thread, with or without the BQL; blocks on nothing but, if it faults
    /// without the BQL, the inbox's short critical sections. There are effects only with the BQL.
    fn translate(&self, mem: &dyn GuestMemory, req: &DmaRequest, under_bql: bool) -> (Outcome, Effects);

    /// The translation that the caches have, for an access that nobody says the end of: no SYNC and no wait descriptor waits
    /// for it. What is to be read from tables, written to them or recorded is [`translate`](Self::translate)'s, and is
    /// waited for. From any thread.
    fn cached_translation(&self, _req: &DmaRequest) -> Option<Translation> {
        None
    }

    /// Where a request goes that no endpoint makes: nothing is recorded, and no page is made dirty.
    fn probe(&self, mem: &dyn GuestMemory, req: &DmaRequest) -> Option<Translation>;

    /// Whether anybody outside keeps translations, and wants an [`Effect::UnmapNotify`](super::Effect::UnmapNotify) when
    /// they are invalidated. Until this is called somebody does. Under the BQL.
    fn set_listeners(&self, _any: bool) {}

    /// Lets a request with an already translated address pass, or not. As for [`translate`](Self::translate).
    fn translated(&self, mem: &dyn GuestMemory, req: &DmaRequest, under_bql: bool) -> (Outcome, Effects);

    /// The access of a translated request is over. `true`: schedule [`run_pending`](Self::run_pending).
    #[must_use]
    fn end(&self, epoch: u64) -> bool;

    /// Answers a translation request. From any thread; there are effects only with the BQL. An endpoint that asks without
    /// the BQL must not use an answer that an [`Effect::AtsInvalidate`](super::Effect::AtsInvalidate) overtook. The endpoint
    /// asked for `length` bytes, of which this is one translation.
    fn ats(
        &self,
        mem: &dyn GuestMemory,
        req: &DmaRequest,
        length: u64,
        under_bql: bool,
    ) -> (AtsOutcome, Effects);

    /// Takes a page request in: it is in the queue when this returns, or its group is answered. Under the BQL.
    fn page_request(&self, mem: &dyn GuestMemory, request: &PageRequest) -> Effects;

    /// An endpoint has done what an [`Effect::AtsInvalidate`](super::Effect::AtsInvalidate) asked for. Under the BQL.
    fn device_tlb_done(&self, mem: &dyn GuestMemory, stream: StreamId, itag: u32) -> Effects;

    /// An endpoint has not done it in time, and nobody waits for it any more. Under the BQL.
    fn device_tlb_late(&self, mem: &dyn GuestMemory, itag: u32) -> Effects;

    /// Whether [`run_pending`](Self::run_pending) has something to do: to be asked after every other call, from the same
    /// thread; if so, a bottom half is to be scheduled. Once it has said so it says no until there is something new.
    #[must_use]
    fn needs_run(&self) -> bool;

    /// Does what was put off: reports of other threads, commands, whatever waits. Under the BQL.
    fn run_pending(&self, mem: &dyn GuestMemory) -> Effects;

    /// The machine stops: answers that the model keeps back for endpoints, so that they have them before they are saved.
    /// Under the BQL.
    fn rest(&self) -> Effects {
        Effects::default()
    }

    /// An endpoint gives requests up that wait: those of `stream`, of one address space or of all (`None`), with one tag or
    /// with any (`None`). No [`Effect::Resolved`](super::Effect::Resolved) will follow. An endpoint that gives all of them up
    /// was reset or goes away: it has forgotten its translations too, which answers every
    /// [`Effect::AtsInvalidate`](super::Effect::AtsInvalidate), and no page request group of its is answered any more. Under
    /// the BQL.
    fn cancel(&self, _stream: StreamId, _substream: Option<Option<SubstreamId>>, _tag: Option<u64>) {}

    /// An endpoint takes no answers to page requests of an address space any more (software has switched them off): groups
    /// that are still to be answered are not. Under the BQL.
    fn ends_page_requests(&self, _stream: StreamId, _substream: Option<SubstreamId>) {}

    /// The requests that `stream` waits with: address space and tag of each.
    #[must_use]
    fn pending(&self, _stream: StreamId) -> Vec<(Option<SubstreamId>, u64)> {
        Vec::new()
    }

    /// Whether an answer to an untranslated request is a page of tables, of which an invalidation may name a part. What is
    /// not translated ends at once, when that is changed.
    fn is_page(&self, translation: &Translation) -> bool {
        translation.page_mask != u64::MAX
    }

    /// Whether a cache outside that knows a translation by this address would not hear of its end: invalidations name it by
    /// another one.
    fn is_alias(&self, _addr: u64) -> bool {
        false
    }

    /// Takes in a device that was given to the guest, for which a host's IOMMU translates: what the guest programs for it is
    /// bound there. Under the BQL.
    ///
    /// # Errors
    /// The model offers more than the host has, or the host fails.
    fn assign(&self, _mem: &dyn GuestMemory, _assignment: Assignment) -> nested::Result<()> {
        Err(nested::Error::Malformed("this IOMMU has no host's IOMMU translate for it".into()))
    }

    /// Lets it go. What waits for its faults hears no more of them. Under the BQL.
    fn unassign(&self, _device: DeviceId) -> Effects {
        Effects::default()
    }

    /// Everything as after power-up. Nobody is told: the endpoints are reset as well. Counters go on. Under the BQL.
    fn reset(&self);

    /// The state, for a migration stream. The machine is stopped. Under the BQL.
    fn save_words(&self) -> Vec<u64>;

    /// Takes a saved state over. Under the BQL.
    ///
    /// # Errors
    /// What in it cannot be; all is as before then.
    fn load_words(&self, words: &[u64]) -> Result<(), LoadError>;

    /// The counters, as a JSON object.
    fn stats_json(&self) -> String;
}

/// An access that registers support.
fn is_access(offset: u64, size: u32, region_size: u64) -> bool {
    offset < region_size && matches!(size, 4 | 8) && offset.checked_rem(size.into()) == Some(0)
}

/// Whether there is something to do that no caller has been told of.
#[derive(Debug, Default)]
pub(crate) struct Pending(AtomicBool);

impl Pending {
    /// There is.
    pub fn want(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Tells, once.
    pub fn take(&self) -> bool {
        self.0.load(Ordering::SeqCst) && self.0.swap(false, Ordering::SeqCst)
    }
}

/// Nothing that panics holds one of these.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_read_by_aligned_words_and_doublewords() {
        for (offset, size, is) in [
            (0, 4, true),
            (0x1ffc, 4, true),
            (0x1ff8, 8, true),
            (0x1ffc, 8, false),
            (2, 4, false),
            (0, 2, false),
            (0, 16, false),
            (0x2000, 4, false),
        ] {
            assert_eq!(is_access(offset, size, 0x2000), is, "{size} at {offset:#x}");
        }
    }

    #[test]
    fn what_is_pending_is_told_once() {
        let pending = Pending::default();
        assert!(!pending.take());
        pending.want();
        pending.want();
        assert!(pending.take() && !pending.take());
    }
}
