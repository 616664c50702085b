// SPDX-License-Identifier: GPL-2.0-or-later
//! What a model wants done in the world outside it.
//!
//! Logic never calls back into QEMU. It appends to an [`Effects`] list, in order; the device shell drops
//! its guard and then carries the list out, under the BQL, before the guest can see the next register read.

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
        /// Size of the range minus one; `u64::MAX` for everything.
        mask: u64,
    },
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
