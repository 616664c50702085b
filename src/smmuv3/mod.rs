// SPDX-License-Identifier: GPL-2.0-or-later
//! The Arm SMMUv3. Section numbers `IHI0070 §x` are those of ARM IHI 0070, issue H.a.

pub mod command;
pub mod config;
#[cfg(all(feature = "qemu", not(test)))]
pub mod device;
pub mod event;
pub mod fault;
pub mod features;
pub mod leniency;
pub mod model;
pub mod pmcg;
pub mod queue;
pub mod registers;
pub mod spec;
pub mod stall;
pub mod state;
pub mod stats;
#[cfg(test)]
pub mod testing;
pub mod translate;
pub mod walk;
