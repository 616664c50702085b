// SPDX-License-Identifier: GPL-2.0-or-later
//! What software and a VT-d unit share: types of registers, table entries and descriptors, no algorithms.

pub mod capability;
pub mod context;
pub mod descriptor;
pub mod fault_record;
pub mod irte;
#[cfg(test)]
mod oracle;
pub mod page_request;
pub mod pasid;
pub mod pte;
pub mod registers;
pub mod root;
