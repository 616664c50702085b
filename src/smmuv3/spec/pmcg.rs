// SPDX-License-Identifier: GPL-2.0-or-later
//! The Performance Monitor Counter Group: register offsets, fields, and events (`IHI0070 §10.3`, `§10.5`).
//!
//! Offsets count from the start of page 0; page 1, where the counters themselves are, begins at [`PAGE_1`].

use crate::layout;

/// Size of the region: two register pages of 4 KiB, each in 64 KiB of its own (`IHI0070 §10.5`).
pub const REGION_SIZE: u64 = 0x2_0000;
/// First byte of page 1.
pub const PAGE_1: u64 = 0x1_0000;
/// Size of the pages.
pub const PAGE_SIZE: u64 = 0x1000;

/// `SMMU_PMCG_EVCNTR0`, 64-bit, RW, in page 1; the others follow each other (`IHI0070 §10.5.2.1`).
pub const EVCNTR: u64 = 0x1_0000;
/// `SMMU_PMCG_EVTYPER0`, 32-bit, RW; the others follow each other (`IHI0070 §10.5.2.2`).
pub const EVTYPER: u64 = 0x400;
/// `SMMU_PMCG_SVR0`, 64-bit, RO, in page 1; the others follow each other (`IHI0070 §10.5.2.3`).
pub const SVR: u64 = 0x1_0600;
/// `SMMU_PMCG_SMR0`, 32-bit, RW; the others follow each other (`IHI0070 §10.5.2.4`).
pub const SMR: u64 = 0xa00;
/// `SMMU_PMCG_CNTENSET0`, 64-bit, W1S (`IHI0070 §10.5.2.5`).
pub const CNTENSET: u64 = 0xc00;
/// `SMMU_PMCG_CNTENCLR0`, 64-bit, W1C (`IHI0070 §10.5.2.6`).
pub const CNTENCLR: u64 = 0xc20;
/// `SMMU_PMCG_INTENSET0`, 64-bit, W1S (`IHI0070 §10.5.2.7`).
pub const INTENSET: u64 = 0xc40;
/// `SMMU_PMCG_INTENCLR0`, 64-bit, W1C (`IHI0070 §10.5.2.8`).
pub const INTENCLR: u64 = 0xc60;
/// `SMMU_PMCG_OVSCLR0`, 64-bit, W1C, in page 1 (`IHI0070 §10.5.2.9`).
pub const OVSCLR: u64 = 0x1_0c80;
/// `SMMU_PMCG_OVSSET0`, 64-bit, W1S, in page 1 (`IHI0070 §10.5.2.10`).
pub const OVSSET: u64 = 0x1_0cc0;
/// `SMMU_PMCG_CAPR`, 32-bit, WO, in page 1 (`IHI0070 §10.5.2.11`).
pub const CAPR: u64 = 0x1_0d88;
/// `SMMU_PMCG_CFGR`, 32-bit, RO (`IHI0070 §10.5.2.13`).
pub const CFGR: u64 = 0xe00;
/// `SMMU_PMCG_CR`, 32-bit, RW (`IHI0070 §10.5.2.14`).
pub const CR: u64 = 0xe04;
/// `SMMU_PMCG_IIDR`, 32-bit, RO (`IHI0070 §10.5.2.15`).
pub const IIDR: u64 = 0xe08;
/// `SMMU_PMCG_CEID0`, 64-bit, RO (`IHI0070 §10.5.2.16`).
pub const CEID0: u64 = 0xe20;
/// `SMMU_PMCG_IRQ_CTRL`, 32-bit, RW (`IHI0070 §10.5.2.19`).
pub const IRQ_CTRL: u64 = 0xe50;
/// `SMMU_PMCG_IRQ_CTRLACK`, 32-bit, RO (`IHI0070 §10.5.2.20`).
pub const IRQ_CTRLACK: u64 = 0xe54;
/// `SMMU_PMCG_IRQ_CFG0`, 64-bit, RW while the interrupt is off (`IHI0070 §10.5.2.21`).
pub const IRQ_CFG0: u64 = 0xe58;
/// `SMMU_PMCG_IRQ_CFG1`, 32-bit, RW while the interrupt is off (`IHI0070 §10.5.2.22`).
pub const IRQ_CFG1: u64 = 0xe60;
/// `SMMU_PMCG_IRQ_CFG2`, 32-bit, RW while the interrupt is off (`IHI0070 §10.5.2.23`).
pub const IRQ_CFG2: u64 = 0xe64;
/// `SMMU_PMCG_IRQ_STATUS`, 32-bit, RO (`IHI0070 §10.5.2.24`).
pub const IRQ_STATUS: u64 = 0xe68;
/// `SMMU_PMCG_AIDR`, 32-bit, RO (`IHI0070 §10.5.2.26`).
pub const AIDR: u64 = 0xe70;
/// `SMMU_PMCG_PMDEVARCH`, 32-bit, RO (`IHI0070 §10.5.2.29`).
pub const PMDEVARCH: u64 = 0xfbc;
/// `SMMU_PMCG_PMDEVTYPE`, 32-bit, RO (`IHI0070 §10.5.2.29`).
pub const PMDEVTYPE: u64 = 0xfcc;

/// Number of the overflow interrupt's wired output, after those of the SMMU.
pub const IRQ_OVERFLOW: usize = 4;

/// Architected events (`IHI0070 §10.3`).
pub mod event {
    /// A clock cycle.
    pub const CYCLE: u16 = 0;
    /// A transaction, or a translation request.
    pub const TRANSACTION: u16 = 1;
    /// One that the TLB could not answer, so that tables were read.
    pub const TLB_MISS: u16 = 2;
    /// One whose configuration was not cached, so that structures were read.
    pub const CONFIG_MISS: u16 = 3;
    /// An access to a translation table.
    pub const TABLE_ACCESS: u16 = 4;
    /// An access to a configuration structure.
    pub const CONFIG_ACCESS: u16 = 5;
    /// An ATS translation request was received.
    pub const ATS_REQUEST: u16 = 6;
    /// An ATS translated transaction was received.
    pub const ATS_TRANSLATED: u16 = 7;
}

layout! {
    /// `SMMU_PMCG_EVTYPERn`. Reset: UNKNOWN, here 0.
    pub struct Evtyper(u32) {
        /// An overflow of this counter captures all.
        31:31 ovfcap,
        /// `SMRn` is a span of StreamIDs.
        29:29 filter_sid_span,
        /// What is counted.
        15:0 event,
    }

    /// `SMMU_PMCG_CFGR`.
    pub struct Cfgr(u32) {
        /// One StreamID filter for all counters.
        23:23 sid_filter_type,
        /// Counters can be captured.
        22:22 capture with_capture,
        /// Message-signalled interrupts.
        21:21 msi with_msi,
        /// There is a page 1.
        20:20 reloc_ctrs with_reloc_ctrs,
        /// Bits of a counter, minus one.
        13:8 size with_size,
        /// Counters, minus one.
        5:0 nctr with_nctr,
    }
}
