// SPDX-License-Identifier: GPL-2.0-or-later
//! Command queue entries (`IHI0070 §4`). An entry is two little-endian 64-bit words.

use crate::layout;

/// Size of an entry in bytes.
pub const ENTRY_SIZE: u64 = 16;

/// `CMD_PREFETCH_CONFIG` (`IHI0070 §4.2.1`).
pub const PREFETCH_CONFIG: u8 = 0x01;
/// `CMD_PREFETCH_ADDR` (`IHI0070 §4.2.2`).
pub const PREFETCH_ADDR: u8 = 0x02;
/// `CMD_CFGI_STE` (`IHI0070 §4.3.1`).
pub const CFGI_STE: u8 = 0x03;
/// `CMD_CFGI_STE_RANGE`, and with range 31 `CMD_CFGI_ALL` (`IHI0070 §4.3.2`, `§4.3.6`).
pub const CFGI_STE_RANGE: u8 = 0x04;
/// `CMD_CFGI_CD` (`IHI0070 §4.3.3`).
pub const CFGI_CD: u8 = 0x05;
/// `CMD_CFGI_CD_ALL` (`IHI0070 §4.3.4`).
pub const CFGI_CD_ALL: u8 = 0x06;
/// `CMD_CFGI_VMS_PIDM` (`IHI0070 §4.3.5`); needs MPAM.
pub const CFGI_VMS_PIDM: u8 = 0x07;
/// `CMD_TLBI_NH_ALL` (`IHI0070 §4.4.2.1`).
pub const TLBI_NH_ALL: u8 = 0x10;
/// `CMD_TLBI_NH_ASID` (`IHI0070 §4.4.2.2`).
pub const TLBI_NH_ASID: u8 = 0x11;
/// `CMD_TLBI_NH_VA` (`IHI0070 §4.4.2.4`).
pub const TLBI_NH_VA: u8 = 0x12;
/// `CMD_TLBI_NH_VAA` (`IHI0070 §4.4.2.3`).
pub const TLBI_NH_VAA: u8 = 0x13;
/// `CMD_TLBI_EL3_ALL` (`IHI0070 §4.4.2.5`); Secure queue only.
pub const TLBI_EL3_ALL: u8 = 0x18;
/// `CMD_TLBI_EL3_VA` (`IHI0070 §4.4.2.6`); Secure queue only.
pub const TLBI_EL3_VA: u8 = 0x1a;
/// `CMD_TLBI_EL2_ALL` (`IHI0070 §4.4.2.7`); needs `IDR0.Hyp`.
pub const TLBI_EL2_ALL: u8 = 0x20;
/// `CMD_TLBI_EL2_ASID` (`IHI0070 §4.4.2.10`); needs `IDR0.Hyp`.
pub const TLBI_EL2_ASID: u8 = 0x21;
/// `CMD_TLBI_EL2_VA` (`IHI0070 §4.4.2.8`); needs `IDR0.Hyp`.
pub const TLBI_EL2_VA: u8 = 0x22;
/// `CMD_TLBI_EL2_VAA` (`IHI0070 §4.4.2.9`); needs `IDR0.Hyp`.
pub const TLBI_EL2_VAA: u8 = 0x23;
/// `CMD_TLBI_S12_VMALL` (`IHI0070 §4.4.3.2`); needs stage 2.
pub const TLBI_S12_VMALL: u8 = 0x28;
/// `CMD_TLBI_S2_IPA` (`IHI0070 §4.4.3.1`); needs stage 2.
pub const TLBI_S2_IPA: u8 = 0x2a;
/// `CMD_TLBI_NSNH_ALL` (`IHI0070 §4.4.4.1`).
pub const TLBI_NSNH_ALL: u8 = 0x30;
/// `CMD_ATC_INV` (`IHI0070 §4.5.1`); needs `IDR0.ATS`.
pub const ATC_INV: u8 = 0x40;
/// `CMD_PRI_RESP` (`IHI0070 §4.5.2`); needs `IDR0.PRI`.
pub const PRI_RESP: u8 = 0x41;
/// `CMD_RESUME` (`IHI0070 §4.7.1`); needs the stall model.
pub const RESUME: u8 = 0x44;
/// `CMD_STALL_TERM` (`IHI0070 §4.7.2`); needs the stall model.
pub const STALL_TERM: u8 = 0x45;
/// `CMD_SYNC` (`IHI0070 §4.7.3`).
pub const SYNC: u8 = 0x46;
/// `CMD_TLBI_SNH_ALL` (`IHI0070 §4.4.4.2`); Secure queue only.
pub const TLBI_SNH_ALL: u8 = 0x60;
/// `CMD_DPTI_ALL` (`IHI0070 §4.6.1`); needs `IDR3.DPT`.
pub const DPTI_ALL: u8 = 0x70;
/// `CMD_DPTI_PA` (`IHI0070 §4.6.2`); needs `IDR3.DPT`.
pub const DPTI_PA: u8 = 0x73;

/// `CMD_SYNC.CS`: no completion signal.
pub const SYNC_SIG_NONE: u64 = 0;
/// `CMD_SYNC.CS`: interrupt, MSI or both.
pub const SYNC_SIG_IRQ: u64 = 1;
/// `CMD_SYNC.CS`: an event like that of SEV.
pub const SYNC_SIG_SEV: u64 = 2;

/// `SMMU_CMDQ_CONS.ERR`: an illegal command (`IHI0070 §7.1`).
pub const CERROR_ILL: u32 = 1;
/// `SMMU_CMDQ_CONS.ERR`: reading the queue aborted (`IHI0070 §7.1`).
pub const CERROR_ABT: u32 = 2;
/// `SMMU_CMDQ_CONS.ERR`: a SYNC found that an ATS invalidation was not answered (`IHI0070 §7.1`).
pub const CERROR_ATC_INV_SYNC: u32 = 3;

/// `CMD_PRI_RESP.Resp`: the endpoint may not ask for pages.
pub const PRI_RESP_FAILURE: u64 = 0;
/// `CMD_PRI_RESP.Resp`: a page of the group is not to be had.
pub const PRI_RESP_INVALID: u64 = 1;
/// `CMD_PRI_RESP.Resp`: the pages are there.
pub const PRI_RESP_SUCCESS: u64 = 2;
/// `CMD_ATC_INV.Size` of everything.
pub const ATC_INV_SIZE_ALL: u64 = 52;

layout! {
    /// First word of the commands that name a stream: `PREFETCH_*`, `CFGI_*`, `PRI_RESP`, `RESUME`, `STALL_TERM`.
    pub struct StreamCommand0(u64) {
        /// StreamID.
        63:32 stream_id with_stream_id,
        /// SubstreamID.
        31:12 substream_id with_substream_id,
        /// The SubstreamID is valid (`PREFETCH_*`, `PRI_RESP`).
        11:11 ssv with_ssv,
        /// The StreamID is a Secure one: ILLEGAL in the Non-secure queue (`IHI0070 §4.1.6`).
        10:10 ssec with_ssec,
        /// Opcode.
        7:0 opcode with_opcode,
    }

    /// Second word of `CFGI_STE`, `CFGI_STE_RANGE`, `CFGI_CD`.
    pub struct CfgiCommand1(u64) {
        /// log2 of the number of StreamIDs, minus one (`CFGI_STE_RANGE`).
        4:0 range with_range,
        /// Only the last level (`CFGI_STE`, `CFGI_CD`).
        0:0 leaf with_leaf,
    }

    /// First word of `TLBI_*`.
    pub struct TlbiCommand0(u64) {
        /// ASID.
        63:48 asid with_asid,
        /// VMID; RES0 without stage 2.
        47:32 vmid with_vmid,
        /// Range: log2 of the multiplier's unit in granules (`IHI0070 §4.4.1.1`).
        25:20 scale with_scale,
        /// Range: multiplier minus one.
        16:12 num with_num,
        /// Opcode.
        7:0 opcode with_opcode,
    }

    /// Second word of `TLBI_*` by address.
    pub struct TlbiCommand1(u64) {
        /// Address bits 63:12.
        63:12 addr with_addr,
        /// Granule: 0 any and no range, 1 4 KiB, 2 16 KiB, 3 64 KiB.
        11:10 tg with_tg,
        /// Level hint: 0 any level.
        9:8 ttl with_ttl,
        /// Only the last level.
        0:0 leaf with_leaf,
    }

    /// First word of `CMD_ATC_INV`.
    pub struct AtcInv0(u64) {
        /// StreamID.
        63:32 stream_id with_stream_id,
        /// SubstreamID.
        31:12 substream_id with_substream_id,
        /// The SubstreamID is valid.
        11:11 ssv with_ssv,
        /// Of every SubstreamID; ignored without `SSV`.
        9:9 global with_global,
        /// Opcode.
        7:0 opcode with_opcode,
    }

    /// Second word of `CMD_ATC_INV`.
    pub struct AtcInv1(u64) {
        /// Address bits 63:12.
        63:12 addr with_addr,
        /// log2 of the number of 4 KiB pages.
        5:0 size with_size,
    }

    /// Second word of `CMD_PRI_RESP`; the first is a [`StreamCommand0`].
    pub struct PriResp1(u64) {
        /// See [`PRI_RESP_SUCCESS`] and its siblings.
        13:12 resp with_resp,
        /// Page request group index.
        8:0 group with_group,
    }

    /// First word of `CMD_RESUME`.
    pub struct Resume0(u64) {
        /// StreamID.
        63:32 stream_id with_stream_id,
        /// Terminate: 1 abort, 0 read as zero and write ignored.
        13:13 abort with_abort,
        /// 1 retry, 0 terminate.
        12:12 action with_action,
        /// See [`StreamCommand0::ssec`].
        10:10 ssec with_ssec,
        /// Opcode.
        7:0 opcode with_opcode,
    }

    /// Second word of `CMD_RESUME`.
    pub struct Resume1(u64) {
        /// The stalled transaction.
        15:0 stag with_stag,
    }

    /// First word of `CMD_SYNC`.
    pub struct Sync0(u64) {
        /// Datum of the MSI.
        63:32 msi_data with_msi_data,
        /// Memory type of the MSI.
        27:24 msi_attr with_msi_attr,
        /// Shareability of the MSI.
        23:22 msh with_msh,
        /// Completion signal.
        13:12 cs with_cs,
        /// Opcode.
        7:0 opcode with_opcode,
    }

    /// Second word of `CMD_SYNC`.
    pub struct Sync1(u64) {
        /// Address bits 55:2 of the MSI; 0: none.
        55:2 msi_addr with_msi_addr,
    }
}
