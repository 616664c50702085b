// SPDX-License-Identifier: GPL-2.0-or-later
//! The formats that software and the SMMU share: types only, no algorithms. Each field stands at its explicit bit
//! position under the specification's name; every bit pattern a guest may write is representable.

pub mod cd;
pub mod command;
pub mod event;
pub mod id;
pub mod page_request;
pub mod pmcg;
pub mod pte;
pub mod registers;
pub mod ste;

#[cfg(test)]
mod oracle;
