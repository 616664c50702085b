// SPDX-License-Identifier: GPL-2.0-or-later
//! What software and a VT-d unit share: types of registers, table entries and descriptors, no algorithms.

pub mod capability;
pub mod context;
#[cfg(test)]
mod oracle;
pub mod pasid;
pub mod pte;
pub mod root;
