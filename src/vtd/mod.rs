// SPDX-License-Identifier: GPL-2.0-or-later
//! Intel VT-d. Section numbers `VTD §x` are those of "Virtualization Technology for Directed I/O", D51397, revision 4.1.

pub mod fault;
pub mod invalidation;
pub mod spec;
