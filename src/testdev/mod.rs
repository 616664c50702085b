// SPDX-License-Identifier: GPL-2.0-or-later
//! `sva-testdev`: a PCIe endpoint that uses PASID, ATS and PRI. Its register interface is
//! `docs/sva-testdev.md`.
//!
//! | module         | what it holds                                                        |
//! |----------------|----------------------------------------------------------------------|
//! | [`registers`]  | layouts of the registers                                             |
//! | [`map`]        | their addresses                                                      |
//! | [`descriptor`] | descriptors and completion records                                   |
//! | [`scatter`]    | ranges and scatter lists                                             |
//! | [`halted`]     | the set of halted PASIDs                                             |
//! | [`counters`]   | what is counted                                                      |
//! | [`port`]       | the requests that leave the device, as a trait                       |
//! | [`atc`], [`pri`] | translation cache and page request groups of the ATS and PRI mode  |
//! | [`access`]     | how one access gets to memory in each fault mode                     |
//! | [`translation`] | fault mode 1: translation requests and page requests                |
//! | [`windows`]    | registers that show the cache and send page requests by hand         |
//! | [`engine`]     | the engine: fetch, data, completion, step by step                    |
//! | [`work`]       | the descriptor in hand, and how far it is                            |
//! | [`model`]      | the device: registers, engines, cancel and reset                     |
//! | [`state`]      | the form in which the device migrates                                |
//! | `device`       | the QOM type                                                         |
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

pub mod access;
pub mod atc;
pub mod counters;
pub mod descriptor;
pub mod engine;
pub mod halted;
pub mod map;
pub mod model;
pub mod port;
pub mod pri;
pub mod registers;
pub mod scatter;
pub mod state;
pub mod translation;
pub mod windows;
pub mod work;

#[cfg(all(feature = "qemu", not(test)))]
#[allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]
pub mod device;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

pub use model::{Config, Device, Tick, Written};
pub use port::{AtsTranslation, Invalidation, Port, PortError, Request, Width};
pub use pri::PageResponse;

/// The unit in which requests leave the device: none crosses a multiple of it.
pub const PAGE_SIZE: u64 = 4096;

/// [`PAGE_SIZE`] as a buffer size.
pub(crate) const PAGE_BYTES: usize = 4096;

const fn offset_in_page(addr: u64) -> u64 {
    addr & (PAGE_SIZE - 1)
}

const fn add_wrapping(addr: u64, offset: u64) -> u64 {
    addr.wrapping_add(offset)
}

/// `value` as an index; 64-bit hosts lose nothing, others saturate and the slice access fails.
fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Copies as much as both hold.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
