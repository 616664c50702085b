// SPDX-License-Identifier: GPL-2.0-or-later
//! What every IOMMU model shares: the guest's memory as a trait, DMA requests and their outcomes,
//! the effects that a model asks its device shell to carry out, and the translation caches.
#![forbid(unsafe_code)]

pub mod ats;
pub(crate) mod ats_invalidations;
pub mod context_cache;
pub mod counters;
pub mod deadlines;
pub mod effects;
pub(crate) mod epoch;
pub(crate) mod fifo;
pub(crate) mod inbox;
pub mod iotlb;
pub mod layout;
pub mod log_limit;
pub mod memory;
pub(crate) mod micro_tlb;
pub mod model;
pub(crate) mod narrow;
pub mod outside;
pub(crate) mod planted;
pub mod request;
pub mod sequence;
mod set_cache;
pub mod state;
pub(crate) mod stats;
pub(crate) mod sync;
#[cfg(test)]
pub mod testing;
pub mod translator;
pub mod turn;
pub mod undone;

pub use ats::{AtsOutcome, AtsTranslation, PageRequest, PageResponseCode};
pub use ats_invalidations::AtsInvalidation;
pub use effects::{Effect, Effects};
pub use memory::{GuestMemory, MemoryError};
pub use model::{Model, Outcome};
pub use request::{Access, DmaRequest, Permissions, StreamId, SubstreamId, Translation};
