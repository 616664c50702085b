// SPDX-License-Identifier: GPL-2.0-or-later
//! Intel VT-d DMA remapping. Section numbers `VTD §x` are those of the Intel Virtualization Technology for Directed
//! I/O Architecture Specification, order number D51397, revision 4.1.

pub mod config;
pub mod fault;
pub mod features;
pub mod spec;
#[cfg(test)]
pub(crate) mod testing;
pub mod translate;
pub mod walk;
