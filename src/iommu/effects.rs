// SPDX-License-Identifier: GPL-2.0-or-later
//! What a model wants done in the world outside it.
//!
//! Logic never calls back into QEMU. It appends to an [`Effects`] list, in order; the device shell drops
//! its guard and then carries the list out, under the BQL, before the guest can see the next register read.

use super::ats::PageResponseCode;
use super::request::{StreamId, SubstreamId};

/// One action for the device shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Pulse wired interrupt output `line` (index of the model's own numbering).
    PulseIrq {
        /// Output number.
        line: usize,
    },
    /// Write a message-signalled interrupt, or a completion word, to guest-physical memory.
    WriteMsi {
        /// Guest-physical address.
        addr: u64,
        /// Little-endian 32-bit datum.
        data: u32,
    },
    /// Tell an endpoint that a request it is waiting with is decided.
    Resolved {
        /// The endpoint.
        stream: StreamId,
        /// The address space that the request named.
        substream: Option<SubstreamId>,
        /// The tag it named the request by.
        tag: u64,
        /// `true`: ask again; `false`: the access is aborted.
        retry: bool,
    },
    /// Input addresses that caches outside the model (vhost, for one) must forget.
    UnmapNotify {
        /// The stream whose translations changed; `None` for all streams.
        stream: Option<StreamId>,
        /// The address space; `None` for requests without PASID.
        substream: Option<SubstreamId>,
        /// First input address.
        addr: u64,
        /// Size of the range minus one; `u64::MAX` for everything. The device shell makes aligned ranges of it
        /// ([`outside`](super::outside)).
        mask: u64,
    },
    /// Write one word to guest-physical memory: the status of an invalidation wait descriptor. It tells the guest that
    /// everything before it in the list is done.
    WriteMemory {
        /// Guest-physical address, a multiple of 4.
        addr: u64,
        /// Little-endian 32-bit datum.
        data: u32,
    },
    /// A page request group of an endpoint is answered, by software or by the IOMMU itself.
    PageResponse {
        /// The endpoint.
        stream: StreamId,
        /// The address space that the requests named.
        substream: Option<SubstreamId>,
        /// Page request group index: 0 to 511.
        group: u16,
        /// The answer.
        code: PageResponseCode,
    },
    /// An endpoint's address translation cache must forget a range. The model is to be told when it has, by that itag;
    /// at once if the endpoint has no such cache or is not there.
    AtsInvalidate {
        /// Names the invalidation among those of all endpoints.
        itag: u32,
        /// The endpoint.
        stream: StreamId,
        /// The address space; `None` for translations requested without PASID.
        substream: Option<SubstreamId>,
        /// Of every PASID besides, if the endpoint says that it can tell.
        global: bool,
        /// First input address, aligned to the size.
        addr: u64,
        /// Size of the range minus one; `u64::MAX` for everything.
        mask: u64,
    },
    /// Send an event to all CPUs, as the instruction `SEV` does: those that wait for the IOMMU by `WFE` look again.
    SendEvent,
    /// Whoever keeps remapped interrupts (irqchips, KVM routes) must ask for them again.
    IecNotify {
        /// Every interrupt; else those of the entries below.
        global: bool,
        /// First interrupt remapping table entry.
        index: u32,
        /// log2 of the number of entries.
        mask: u32,
    },
}

impl Effect {
    /// Caches outside the model must forget everything.
    pub const UNMAP_ALL: Self = Self::UnmapNotify { stream: None, substream: None, addr: 0, mask: u64::MAX };
}

/// An ordered list of [`Effect`]s.
#[derive(Debug, Default)]
pub struct Effects(pub Vec<Effect>);

impl Effects {
    /// Appends one effect.
    pub fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }
}

/// What caches outside have been told during one call. Effects are carried out after all of the call, so one notice to
/// forget everything serves what follows, too.
#[derive(Debug, Default)]
pub(crate) struct Notified {
    all: bool,
}

impl Notified {
    /// Tells them by an [`Effect::UnmapNotify`], if that is anything new.
    pub fn tell(&mut self, notice: Effect, effects: &mut Effects) {
        if self.all {
            return;
        }
        self.all = notice == Effect::UNMAP_ALL;
        if effects.0.last() != Some(&notice) {
            effects.push(notice);
        }
    }
}
