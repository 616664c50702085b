// SPDX-License-Identifier: GPL-2.0-or-later
//! PASID directory entries (`VTD §9.5`) and PASID table entries (`VTD §9.6`).

use crate::layout;

/// Size of a directory entry in bytes.
pub const DIRECTORY_BYTES: u64 = 8;
/// Size of a table entry in bytes.
pub const PASID_BYTES: u64 = 64;
/// Log2 of the entries of a table.
pub const TABLE_LOG2: u32 = 6;

/// Values of [`Pasid0::pgtt`], the translation type.
pub mod pgtt {
    /// First stage only.
    pub const FIRST_STAGE: u64 = 0b001;
    /// Second stage only.
    pub const SECOND_STAGE: u64 = 0b010;
    /// First stage nested on second stage.
    pub const NESTED: u64 = 0b011;
    /// Pass-through.
    pub const PASS_THROUGH: u64 = 0b100;
}

layout! {
    /// A directory entry.
    pub struct PasidDirectory(u64) {
        /// Present.
        0:0 p with_p,
        /// Fault processing disable, for every PASID of the table.
        1:1 fpd with_fpd,
        /// Reserved.
        11:2 reserved,
        /// PASID table: address bits 63:12.
        63:12 smptblptr with_smptblptr,
    }

    /// Bits 63:0 of a table entry.
    pub struct Pasid0(u64) {
        /// Present.
        0:0 p with_p,
        /// Fault processing disable; counts where the entry is not present, too.
        1:1 fpd with_fpd,
        /// Address width of the second stage: 1, 2, 3 for 39, 48, 57 bits.
        4:2 aw with_aw,
        /// Ignored.
        5:5 ignored,
        /// Translation type: see [`pgtt`].
        8:6 pgtt with_pgtt,
        /// Second-stage accessed and dirty flags are kept.
        9:9 ssade with_ssade,
        /// Reserved.
        11:10 reserved,
        /// Second-stage page table: address bits 63:12.
        63:12 ssptptr with_ssptptr,
    }

    /// Bits 127:64 of a table entry.
    pub struct Pasid1(u64) {
        /// Domain-id.
        15:0 did with_did,
        /// Reserved.
        22:16 reserved,
        /// Page walks snoop.
        23:23 pwsnp with_pwsnp,
        /// Accesses snoop.
        24:24 pgsnp with_pgsnp,
        /// Memory types, which nothing here depends on.
        63:25 types,
    }

    /// Bits 191:128 of a table entry. Bits 511:192 are reserved.
    pub struct Pasid2(u64) {
        /// Supervisor requests are served.
        0:0 sre with_sre,
        /// Execute requests are served.
        1:1 ere with_ere,
        /// First-stage paging mode: 0 is 4-level, 1 is 5-level.
        3:2 fspm with_fspm,
        /// Supervisor requests obey `R/W`.
        4:4 wpe with_wpe,
        /// `XD` forbids execution.
        5:5 nxe with_nxe,
        /// Supervisor requests do not execute user pages.
        6:6 smep with_smep,
        /// Extended accessed flags are kept.
        7:7 eafe with_eafe,
        /// Reserved.
        11:8 reserved,
        /// First-stage page table: address bits 63:12.
        63:12 fsptptr with_fsptptr,
    }
}
