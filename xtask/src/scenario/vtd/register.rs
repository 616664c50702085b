// SPDX-License-Identifier: GPL-2.0-or-later
//! Registers of the unit, `VTD §11.4`, and the bits of them that the scenes use.

/// `CAP_REG`.
pub const CAP: u64 = 0x08;
/// `ECAP_REG`.
pub const ECAP: u64 = 0x10;
/// `GCMD_REG`.
pub const GCMD: u64 = 0x18;
/// `GSTS_REG`.
pub const GSTS: u64 = 0x1c;
/// `RTADDR_REG`.
pub const RTADDR: u64 = 0x20;
/// `FSTS_REG`.
pub const FSTS: u64 = 0x34;
/// `FECTL_REG`, followed by data, address and upper address.
pub const FECTL: u64 = 0x38;
/// `IQH_REG`.
pub const IQH: u64 = 0x80;
/// `IQT_REG`.
pub const IQT: u64 = 0x88;
/// `IQA_REG`.
pub const IQA: u64 = 0x90;
/// `ICS_REG`.
pub const ICS: u64 = 0x9c;
/// `IECTL_REG`, followed by data, address and upper address.
pub const IECTL: u64 = 0xa0;
/// `IQERCD_REG`.
pub const IQERCD: u64 = 0xb0;
/// `IRTA_REG`.
pub const IRTA: u64 = 0xb8;
/// `PQH_REG`.
pub const PQH: u64 = 0xc0;
/// `PQT_REG`.
pub const PQT: u64 = 0xc8;
/// `PQA_REG`.
pub const PQA: u64 = 0xd0;
/// `PRS_REG`.
pub const PRS: u64 = 0xdc;
/// `PECTL_REG`, followed by data, address and upper address.
pub const PECTL: u64 = 0xe0;

/// `GCMD_REG` (`VTD §11.4.4.1`).
pub mod command {
    /// Translation enable.
    pub const TE: u32 = 1 << 31;
    /// Set root table pointer.
    pub const SRTP: u32 = 1 << 30;
    /// Queued invalidation enable.
    pub const QIE: u32 = 1 << 26;
    /// Interrupt remapping enable.
    pub const IRE: u32 = 1 << 25;
    /// Set interrupt remapping table pointer.
    pub const SIRTP: u32 = 1 << 24;
    /// Compatibility format interrupts pass.
    pub const CFI: u32 = 1 << 23;
    /// Those that do something once and do not stay.
    pub const ONCE: u32 = SRTP | SIRTP;
}

/// `FSTS_REG` (`VTD §11.4.7.1`).
pub mod fault_status {
    /// Primary fault overflow.
    pub const PFO: u32 = 1 << 0;
    /// Primary pending fault.
    pub const PPF: u32 = 1 << 1;
    /// Invalidation queue error.
    pub const IQE: u32 = 1 << 4;
    /// Invalidation time-out error.
    pub const ITE: u32 = 1 << 6;
}

/// `PRS_REG` (`VTD §11.4.11.4`).
pub mod page_status {
    /// Pending page request.
    pub const PPR: u32 = 1 << 0;
    /// Page request overflow.
    pub const PRO: u32 = 1 << 1;
}
