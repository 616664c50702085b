// SPDX-License-Identifier: GPL-2.0-or-later
//! Page request descriptors (`VTD §7.4.1.1`): four words of 64 bits; words 2 and 3 hold private data.

use crate::layout;

/// Size of a descriptor.
pub const ENTRY_SIZE: u64 = 32;
/// Type of a page request descriptor.
pub const PAGE_REQUEST: u64 = 1;

layout! {
    /// First word.
    pub struct Request0(u64) {
        /// Privileged mode is asked for.
        53:53 privileged with_privileged,
        /// Execution is asked for.
        52:52 exec with_exec,
        /// PASID.
        51:32 pasid with_pasid,
        /// Requester.
        31:16 rid with_rid,
        /// There is private data.
        9:9 pdp with_pdp,
        /// There is a PASID.
        8:8 pasid_present with_pasid_present,
        /// Type.
        7:0 kind with_kind,
    }

    /// Second word.
    pub struct Request1(u64) {
        /// Address bits 63:12.
        63:12 addr with_addr,
        /// Page request group index.
        11:3 group with_group,
        /// Last request of its group.
        2:2 lpig with_lpig,
        /// Write access is asked for.
        1:1 write with_write,
        /// Read access is asked for.
        0:0 read with_read,
    }
}
