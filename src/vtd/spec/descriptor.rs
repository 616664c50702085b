// SPDX-License-Identifier: GPL-2.0-or-later
//! Invalidation descriptors (`VTD §6.5.2`, `§7.5.1`): four words of 64 bits, or two in a queue of 128-bit descriptors.

use crate::layout;

/// Descriptor types: bits 3:0, with bits 11:9 above them.
pub mod kind {
    /// Context-cache invalidation (`VTD §6.5.2.1`).
    pub const CONTEXT: u8 = 0x1;
    /// IOTLB invalidation (`VTD §6.5.2.3`).
    pub const IOTLB: u8 = 0x2;
    /// Device-TLB invalidation (`VTD §6.5.2.5`).
    pub const DEVICE_TLB: u8 = 0x3;
    /// Interrupt entry cache invalidation (`VTD §6.5.2.7`).
    pub const INTERRUPT: u8 = 0x4;
    /// Invalidation wait (`VTD §6.5.2.8`).
    pub const WAIT: u8 = 0x5;
    /// PASID-based IOTLB invalidation (`VTD §6.5.2.4`).
    pub const PASID_IOTLB: u8 = 0x6;
    /// PASID-cache invalidation (`VTD §6.5.2.2`).
    pub const PASID: u8 = 0x7;
    /// PASID-based device-TLB invalidation (`VTD §6.5.2.6`).
    pub const PASID_DEVICE_TLB: u8 = 0x8;
    /// Page group response (`VTD §7.5.1`).
    pub const PAGE_RESPONSE: u8 = 0x9;
}

layout! {
    /// First word of every descriptor.
    pub struct Descriptor0(u64) {
        /// Type, high part.
        11:9 type_high with_type_high,
        /// Type, low part.
        3:0 type_low with_type_low,
    }

    /// Context-cache invalidation.
    pub struct Context0(u64) {
        /// Function mask.
        49:48 fm with_fm,
        /// Source-id.
        47:32 sid with_sid,
        /// Domain-id.
        31:16 did with_did,
        /// Granularity: 1 global, 2 domain, 3 device.
        5:4 granularity with_granularity,
    }

    /// PASID-cache invalidation.
    pub struct Pasid0(u64) {
        /// PASID.
        51:32 pasid with_pasid,
        /// Domain-id.
        31:16 did with_did,
        /// Granularity: 0 domain, 1 PASID, 3 global.
        5:4 granularity with_granularity,
    }

    /// IOTLB invalidation.
    pub struct Iotlb0(u64) {
        /// Domain-id.
        31:16 did with_did,
        /// Drain reads.
        7:7 dr with_dr,
        /// Drain writes.
        6:6 dw with_dw,
        /// Granularity: 1 global, 2 domain, 3 page.
        5:4 granularity with_granularity,
    }

    /// PASID-based IOTLB invalidation.
    pub struct PasidIotlb0(u64) {
        /// PASID.
        51:32 pasid with_pasid,
        /// Domain-id.
        31:16 did with_did,
        /// Granularity: 2 PASID, 3 page.
        5:4 granularity with_granularity,
    }

    /// Second word of IOTLB invalidations.
    pub struct IotlbAddress1(u64) {
        /// Address bits 63:12.
        63:12 addr with_addr,
        /// Only leaf entries have changed.
        6:6 ih with_ih,
        /// Address mask: log2 of the number of pages.
        5:0 am with_am,
    }

    /// Device-TLB invalidation.
    pub struct DeviceTlb0(u64) {
        /// Source-id of the physical function, bits 15:4.
        63:52 pfsid_high,
        /// Source-id.
        47:32 sid with_sid,
        /// How many invalidations may be outstanding.
        20:16 mip with_mip,
        /// Source-id of the physical function, bits 3:0.
        15:12 pfsid_low,
    }

    /// Second word of a device-TLB invalidation.
    pub struct DeviceTlb1(u64) {
        /// Address bits 63:12; with `S`, the lowest zero bit tells the size.
        63:12 addr with_addr,
        /// The range is larger than a page.
        0:0 s with_s,
    }

    /// PASID-based device-TLB invalidation.
    pub struct PasidDeviceTlb0(u64) {
        /// Source-id of the physical function, bits 15:4.
        63:52 pfsid_high,
        /// PASID.
        51:32 pasid with_pasid,
        /// Source-id.
        31:16 sid with_sid,
        /// Source-id of the physical function, bits 3:0.
        15:12 pfsid_low,
        /// How many invalidations may be outstanding.
        8:4 mip with_mip,
    }

    /// Second word of a PASID-based device-TLB invalidation.
    pub struct PasidDeviceTlb1(u64) {
        /// Address bits 63:12; with `S`, the lowest zero bit tells the size.
        63:12 addr with_addr,
        /// The range is larger than a page.
        11:11 s with_s,
        /// Whatever the PASID.
        0:0 g with_g,
    }

    /// Interrupt entry cache invalidation.
    pub struct Interrupt0(u64) {
        /// First entry.
        47:32 index with_index,
        /// log2 of the number of entries.
        31:27 im with_im,
        /// 0 every entry, 1 those named.
        4:4 granularity with_granularity,
    }

    /// Invalidation wait.
    pub struct Wait0(u64) {
        /// What to write.
        63:32 status with_status,
        /// Drain page requests.
        7:7 pd with_pd,
        /// Fence.
        6:6 fence with_fence,
        /// Write the status.
        5:5 sw with_sw,
        /// Interrupt.
        4:4 interrupt with_interrupt,
    }

    /// Second word of an invalidation wait.
    pub struct Wait1(u64) {
        /// Where to write the status, address bits 63:2.
        63:2 addr with_addr,
    }

    /// Page group response. Words 2 and 3 hold private data.
    pub struct PageResponse0(u64) {
        /// PASID.
        51:32 pasid with_pasid,
        /// Requester.
        31:16 rid with_rid,
        /// Response code: 0 success, 1 invalid request, 15 response failure.
        15:12 code with_code,
        /// There is private data.
        5:5 pdp with_pdp,
        /// There is a PASID.
        4:4 pasid_present with_pasid_present,
    }

    /// Second word of a page group response.
    pub struct PageResponse1(u64) {
        /// Page request group index.
        11:3 group with_group,
        /// The request was the last of its group.
        2:2 lpig with_lpig,
    }
}
