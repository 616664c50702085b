// SPDX-License-Identifier: GPL-2.0-or-later
//! Intel VT-d DMA remapping. Section numbers `VTD §x` are those of the Intel Virtualization Technology for Directed
//! I/O Architecture Specification, order number D51397, revision 4.1.

pub mod command;
pub mod config;
#[cfg(all(feature = "qemu", not(test)))]
pub mod device;
pub mod event;
pub mod fault;
pub mod features;
pub mod interrupt;
pub mod interrupt_range;
#[cfg(all(feature = "qemu", not(test)))]
pub mod interrupt_window;
pub mod leniency;
pub mod model;
pub mod page_request;
pub mod queue;
pub mod registers;
pub mod spec;
pub mod state;
pub mod stats;
#[cfg(test)]
pub(crate) mod testing;
pub mod translate;
pub mod walk;
