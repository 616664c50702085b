// SPDX-License-Identifier: GPL-2.0-or-later
//! Register offsets and fields (`VTD §11.4`). `CAP_REG` and `ECAP_REG` are in [`capability`](super::capability).
//!
//! 64-bit registers may be accessed by halves.

use crate::layout;

/// Size of the register region: one page (`VTD §11.1`).
pub const REGION_SIZE: u64 = 0x1000;

/// `VER_REG`, 32-bit, RO (`VTD §11.4.1`).
pub const VER: u64 = 0x00;
/// `CAP_REG`, 64-bit, RO (`VTD §11.4.2`).
pub const CAP: u64 = 0x08;
/// `ECAP_REG`, 64-bit, RO (`VTD §11.4.3`).
pub const ECAP: u64 = 0x10;
/// `GCMD_REG`, 32-bit, WO (`VTD §11.4.4.1`).
pub const GCMD: u64 = 0x18;
/// `GSTS_REG`, 32-bit, RO (`VTD §11.4.4.2`).
pub const GSTS: u64 = 0x1c;
/// `RTADDR_REG`, 64-bit, RW, takes effect by `GCMD.SRTP` (`VTD §11.4.5`).
pub const RTADDR: u64 = 0x20;
/// `CCMD_REG`, 64-bit, RW (`VTD §11.4.6.1`).
pub const CCMD: u64 = 0x28;
/// `FSTS_REG`, 32-bit, RO and W1C (`VTD §11.4.7.1`).
pub const FSTS: u64 = 0x34;
/// `FECTL_REG`, `FEDATA_REG`, `FEADDR_REG`, `FEUADDR_REG`, 32-bit each, RW (`VTD §11.4.7.2`).
pub const FECTL: u64 = 0x38;
/// `IQH_REG`, 64-bit, RO (`VTD §11.4.9.1`).
pub const IQH: u64 = 0x80;
/// `IQT_REG`, 64-bit, RW (`VTD §11.4.9.2`).
pub const IQT: u64 = 0x88;
/// `IQA_REG`, 64-bit, RW (`VTD §11.4.9.3`).
pub const IQA: u64 = 0x90;
/// `ICS_REG`, 32-bit, W1C (`VTD §11.4.9.4`).
pub const ICS: u64 = 0x9c;
/// `IECTL_REG`, `IEDATA_REG`, `IEADDR_REG`, `IEUADDR_REG`, 32-bit each, RW (`VTD §11.4.9.5`).
pub const IECTL: u64 = 0xa0;
/// `IQERCD_REG`, 64-bit, RO (`VTD §11.4.9.9`).
pub const IQERCD: u64 = 0xb0;
/// `IRTA_REG`, 64-bit, RW, takes effect by `GCMD.SIRTP` (`VTD §11.4.10`).
pub const IRTA: u64 = 0xb8;
/// `PQH_REG`, 64-bit, RW (`VTD §11.4.11.1`).
pub const PQH: u64 = 0xc0;
/// `PQT_REG`, 64-bit, RW (`VTD §11.4.11.2`).
pub const PQT: u64 = 0xc8;
/// `PQA_REG`, 64-bit, RW (`VTD §11.4.11.3`).
pub const PQA: u64 = 0xd0;
/// `PRS_REG`, 32-bit, W1C (`VTD §11.4.11.4`).
pub const PRS: u64 = 0xdc;
/// `PECTL_REG`, `PEDATA_REG`, `PEADDR_REG`, `PEUADDR_REG`, 32-bit each, RW (`VTD §11.4.11.5`).
pub const PECTL: u64 = 0xe0;

/// `IVA_REG`, 64-bit, WO, from `ECAP.IRO` on (`VTD §11.4.6.3`).
pub const IVA: u64 = 0x0;
/// `IOTLB_REG`, 64-bit, RW, from `ECAP.IRO` on (`VTD §11.4.6.2`).
pub const IOTLB: u64 = 0x8;
/// Size of a fault recording register; they begin at `CAP.FRO` (`VTD §11.4.7.6`).
pub const FRCD_SIZE: u64 = 16;
/// How many fault recording registers there are.
pub const FAULT_RECORDS: usize = 8;

layout! {
    /// `GCMD_REG` as written, and `GSTS_REG` as read. Reset: 0, nothing is enabled.
    pub struct Global(u32) {
        /// Translate (`TE`, `TES`).
        31:31 te with_te,
        /// Take the root table address over (`SRTP`, `RTPS`).
        30:30 srtp with_srtp,
        /// Advanced fault log; not here.
        29:29 sfl,
        /// Advanced fault log; not here.
        28:28 eafl,
        /// Flush the write buffer; not needed here (`CAP.RWBF = 0`).
        27:27 wbf,
        /// Queued invalidation (`QIE`, `QIES`).
        26:26 qie with_qie,
        /// Interrupt remapping (`IRE`, `IRES`).
        25:25 ire with_ire,
        /// Take the interrupt remapping table address over (`SIRTP`, `IRTPS`).
        24:24 sirtp with_sirtp,
        /// Let compatibility format interrupts pass (`CFI`, `CFIS`).
        23:23 cfi with_cfi,
    }

    /// `RTADDR_REG`. Reset: 0.
    pub struct Rtaddr(u64) {
        /// Root table, address bits 63:12.
        63:12 rta with_rta,
        /// Translation table mode: 0 legacy, 1 scalable, 3 abort-DMA.
        11:10 ttm with_ttm,
    }

    /// `CCMD_REG`. Reset: 0.
    pub struct Ccmd(u64) {
        /// Invalidate: set by software, cleared when done.
        63:63 icc with_icc,
        /// Granularity asked for: 1 global, 2 domain, 3 device.
        62:61 cirg with_cirg,
        /// Granularity done.
        60:59 caig with_caig,
        /// Function mask.
        33:32 fm with_fm,
        /// Source-id.
        31:16 sid with_sid,
        /// Domain-id.
        15:0 did with_did,
    }

    /// `IOTLB_REG`. Reset: 0.
    pub struct Iotlb(u64) {
        /// Invalidate: set by software, cleared when done.
        63:63 ivt with_ivt,
        /// Granularity asked for: 1 global, 2 domain, 3 page.
        61:60 iirg with_iirg,
        /// Granularity done.
        58:57 iaig with_iaig,
        /// Drain reads.
        49:49 dr,
        /// Drain writes.
        48:48 dw,
        /// Domain-id.
        47:32 did with_did,
    }

    /// `IVA_REG`.
    pub struct Iva(u64) {
        /// Address bits 63:12.
        63:12 addr with_addr,
        /// Only leaf entries have changed.
        6:6 ih with_ih,
        /// Address mask: log2 of the number of pages.
        5:0 am with_am,
    }

    /// `FSTS_REG`. Reset: 0.
    pub struct Fsts(u32) {
        /// Number of the first fault recording register with a fault.
        15:8 fri with_fri,
        /// Invalidation time-out: an endpoint did not answer.
        6:6 ite with_ite,
        /// Invalidation completion error: an endpoint answered what it was not asked.
        5:5 ice with_ice,
        /// Invalidation queue error.
        4:4 iqe with_iqe,
        /// There is a fault in a recording register.
        1:1 ppf with_ppf,
        /// Faults were lost.
        0:0 pfo with_pfo,
    }

    /// `FECTL_REG`, `IECTL_REG`, `PECTL_REG`. Reset: `IM`, no message before software has said where to.
    pub struct EventControl(u32) {
        /// Mask: messages wait.
        31:31 im with_im,
        /// A message waits.
        30:30 ip with_ip,
    }

    /// `IQH_REG`, `IQT_REG`. Reset: 0.
    pub struct QueueOffset(u64) {
        /// Offset in units of 16 bytes; for 256-bit descriptors the lowest bit is reserved.
        18:4 offset with_offset,
    }

    /// `IQA_REG`. Reset: 0.
    pub struct Iqa(u64) {
        /// Address bits 63:12.
        63:12 addr with_addr,
        /// 256-bit descriptors.
        11:11 dw with_dw,
        /// Size: `2^QS` pages.
        2:0 qs with_qs,
    }

    /// `ICS_REG`. Reset: 0.
    pub struct Ics(u32) {
        /// A wait descriptor that asks for an interrupt has completed.
        0:0 iwc with_iwc,
    }

    /// `IQERCD_REG`. Reset: 0.
    pub struct Iqercd(u64) {
        /// Source-id of the unexpected answer (`FSTS.ICE`).
        63:48 icesid with_icesid,
        /// Source-id of the endpoint that did not answer (`FSTS.ITE`).
        47:32 itesid with_itesid,
        /// Reason of `FSTS.IQE`.
        3:0 iqei with_iqei,
    }

    /// `IRTA_REG`. Reset: 0.
    pub struct Irta(u64) {
        /// Address bits 63:12.
        63:12 addr with_addr,
        /// Extended interrupt mode: 32-bit APIC-IDs.
        11:11 eime with_eime,
        /// Size: `2^(S + 1)` entries.
        3:0 size with_size,
    }

    /// `PQH_REG`, `PQT_REG`. Reset: 0.
    pub struct PageQueueOffset(u64) {
        /// Offset in units of 32 bytes.
        18:5 offset with_offset,
    }

    /// `PQA_REG`. Reset: 0.
    pub struct Pqa(u64) {
        /// Address bits 63:12.
        63:12 addr with_addr,
        /// Size: `2^PQS` pages.
        2:0 pqs with_pqs,
    }

    /// `PRS_REG`. Reset: 0.
    pub struct Prs(u32) {
        /// Page requests were not queued.
        1:1 pro with_pro,
        /// There are page requests.
        0:0 ppr with_ppr,
    }
}

/// `IQERCD.IQEI`.
pub mod iqei {
    /// There is nothing to say: the descriptor was understood, and could not be done.
    pub const NONE: u64 = 0;
    /// The tail lies outside the queue, or is not aligned to 256-bit descriptors.
    pub const TAIL: u64 = 1;
    /// A descriptor could not be read.
    pub const FETCH: u64 = 2;
    /// Descriptor type that does not exist.
    pub const TYPE: u64 = 3;
    /// Reserved field of a descriptor.
    pub const RESERVED: u64 = 4;
    /// Descriptors of this width cannot be used in this translation table mode.
    pub const WIDTH: u64 = 5;
}
