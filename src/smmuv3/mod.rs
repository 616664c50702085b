// SPDX-License-Identifier: GPL-2.0-or-later
//! The Arm SMMUv3. Section numbers `IHI0070 §x` are those of ARM IHI 0070, issue H.a.

pub mod config;
pub mod fault;
pub mod features;
pub mod spec;
#[cfg(test)]
pub mod testing;
pub mod translate;
pub mod walk;
