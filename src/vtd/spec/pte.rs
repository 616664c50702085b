// SPDX-License-Identifier: GPL-2.0-or-later
//! Paging entries: `VTD §9.7` (first stage), `VTD §9.8` (second stage).

use crate::layout;

/// Size of an entry in bytes.
pub const PTE_BYTES: u64 = 8;

layout! {
    /// A first-stage paging entry of any level. Bits 51:12 are an address, down to the page size.
    pub struct FirstStage(u64) {
        /// Present.
        0:0 p with_p,
        /// Read/write: 0 is read-only.
        1:1 rw with_rw,
        /// User/supervisor: 0 is for supervisor requests only.
        2:2 us with_us,
        /// Memory type.
        4:3 type_low,
        /// Accessed.
        5:5 a with_a,
        /// Dirty, in the entry of a page.
        6:6 d with_d,
        /// Above the last level: a page. Reserved in the upper two levels.
        7:7 ps with_ps,
        /// For software. In particular, no page is global.
        9:8 ignored,
        /// Extended accessed.
        10:10 ea with_ea,
        /// Execute disable.
        63:63 xd with_xd,
    }

    /// A second-stage paging entry of any level. Bits 51:12 are an address, down to the page size.
    pub struct SecondStage(u64) {
        /// Read.
        0:0 r with_r,
        /// Write.
        1:1 w with_w,
        /// Memory type and such.
        6:2 types,
        /// Above the last level: a page. Reserved in the upper two levels.
        7:7 ps with_ps,
        /// Accessed, if such flags are kept.
        8:8 a with_a,
        /// Dirty, in the entry of a page, if such flags are kept.
        9:9 d with_d,
        /// For software.
        10:10 ignored,
        /// Snoop, in the entry of a page; reserved elsewhere, and without snoop control.
        11:11 snp with_snp,
    }
}
