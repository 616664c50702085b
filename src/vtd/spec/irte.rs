// SPDX-License-Identifier: GPL-2.0-or-later
//! Interrupt remapping table entries (`VTD §9.10` for remapped interrupts, `§9.11` for posted ones), posted interrupt
//! descriptors (`VTD §9.12`) and remappable interrupt requests (`VTD §5.1.2.2`).

use crate::layout;

/// Size of an entry.
pub const ENTRY_SIZE: u64 = 16;
/// Bytes of a posted interrupt descriptor before its [`PostedControl`]: one bit for each vector.
pub const POSTED_REQUESTS: u64 = 32;
/// Size of a posted interrupt descriptor, which it is aligned to. What follows the control word is reserved.
pub const POSTED_SIZE: u64 = 64;

layout! {
    /// Low word of an entry.
    pub struct Irte0(u64) {
        /// Destination: 32 bits in extended mode; else an 8-bit APIC-ID in bits 15:8.
        63:32 dst with_dst,
        /// Reserved.
        31:24 reserved_31_24 with_reserved_31_24,
        /// Vector.
        23:16 vector with_vector,
        /// The entry is for posted interrupts.
        15:15 im with_im,
        /// Reserved.
        14:12 reserved_14_12 with_reserved_14_12,
        /// For software.
        11:8 avail with_avail,
        /// Delivery mode.
        7:5 dlm with_dlm,
        /// Trigger mode: 1 level.
        4:4 tm with_tm,
        /// Redirection hint.
        3:3 rh with_rh,
        /// Destination mode: 1 logical.
        2:2 dm with_dm,
        /// Faults that this entry causes are not recorded.
        1:1 fpd with_fpd,
        /// Present.
        0:0 p with_p,
    }

    /// High word of an entry.
    pub struct Irte1(u64) {
        /// Reserved.
        63:20 reserved with_reserved,
        /// Source validation: 0 none, 1 by source-id and qualifier, 2 by range of buses.
        19:18 svt with_svt,
        /// Qualifier: how many function bits do not matter.
        17:16 sq with_sq,
        /// Source-id; of a range, first bus 15:8 and last bus 7:0.
        15:0 sid with_sid,
    }

    /// Low word of an entry for posted interrupts.
    pub struct Posted0(u64) {
        /// Posted interrupt descriptor: address bits 31:6.
        63:38 pda_low with_pda_low,
        /// Reserved.
        37:24 reserved_37_24 with_reserved_37_24,
        /// Vector, as the descriptor's owner will see it.
        23:16 vector with_vector,
        /// The entry is for posted interrupts.
        15:15 im with_im,
        /// Urgent: software is notified although it asked not to be.
        14:14 urg with_urg,
        /// Reserved.
        13:12 reserved_13_12 with_reserved_13_12,
        /// For software.
        11:8 avail with_avail,
        /// Reserved.
        7:2 reserved_7_2 with_reserved_7_2,
        /// Faults that this entry causes are not recorded.
        1:1 fpd with_fpd,
        /// Present.
        0:0 p with_p,
    }

    /// High word of an entry for posted interrupts.
    pub struct Posted1(u64) {
        /// Posted interrupt descriptor: address bits 63:32.
        63:32 pda_high with_pda_high,
        /// Reserved.
        31:20 reserved with_reserved,
        /// As of [`Irte1`].
        19:18 svt with_svt,
        /// As of [`Irte1`].
        17:16 sq with_sq,
        /// As of [`Irte1`].
        15:0 sid with_sid,
    }

    /// The word of a posted interrupt descriptor that says how software is notified.
    pub struct PostedControl(u64) {
        /// Notification's destination: 32 bits in extended mode; else an 8-bit APIC-ID in bits 15:8.
        63:32 ndst with_ndst,
        /// Reserved.
        31:24 reserved_31_24 with_reserved_31_24,
        /// Notification's vector.
        23:16 nv with_nv,
        /// Reserved.
        15:2 reserved_15_2 with_reserved_15_2,
        /// Software does not want to be notified now.
        1:1 sn with_sn,
        /// A notification is outstanding.
        0:0 on with_on,
    }

    /// Address of an interrupt request.
    pub struct MsiAddress(u64) {
        /// `0xfee`.
        31:20 head with_head,
        /// Handle, bits 14:0.
        19:5 handle_low with_handle_low,
        /// 1 remappable, 0 compatibility.
        4:4 format with_format,
        /// The subhandle is valid.
        3:3 shv with_shv,
        /// Handle, bit 15.
        2:2 handle_high with_handle_high,
        /// Ignored.
        1:0 ignored with_ignored,
    }

    /// Datum of an interrupt request with a valid subhandle.
    pub struct MsiData(u32) {
        /// Reserved.
        31:16 reserved with_reserved,
        /// Subhandle.
        15:0 subhandle with_subhandle,
    }
}
