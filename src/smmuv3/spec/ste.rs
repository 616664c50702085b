// SPDX-License-Identifier: GPL-2.0-or-later
//! Stream tables: `L1STD` (`IHI0070 §5.1`) and `STE` (`IHI0070 §5.2`).

use crate::layout;

/// Size of an STE in bytes.
pub const STE_BYTES: u64 = 64;
/// 64-bit words of an STE.
pub const STE_WORDS: usize = 8;
/// Size of an `L1STD` in bytes.
pub const L1STD_BYTES: u64 = 8;

/// `Config`, as far as its encodings name a behaviour. All of `0b0xx` behave as [`ABORT`](config::ABORT).
pub mod config {
    /// Traffic is terminated, no event.
    pub const ABORT: u64 = 0b000;
    /// Both stages bypass.
    pub const BYPASS: u64 = 0b100;
    /// Stage 1 translates.
    pub const S1: u64 = 0b101;
    /// Stage 2 translates.
    pub const S2: u64 = 0b110;
    /// Both stages translate.
    pub const NESTED: u64 = 0b111;
}

/// `S1Fmt`: the shape of the CD table.
pub mod s1fmt {
    /// Linear; also what the reserved value `0b11` behaves as.
    pub const LINEAR: u64 = 0b00;
    /// Two levels, leaves of 64 CDs (4 KiB).
    pub const LEAF_4K: u64 = 0b01;
    /// Two levels, leaves of 1024 CDs (64 KiB).
    pub const LEAF_64K: u64 = 0b10;
}

/// `S1DSS`: what becomes of transactions without a SubstreamID. The reserved value `0b11` behaves as
/// [`TERMINATE`](s1dss::TERMINATE).
pub mod s1dss {
    /// Abort, `F_STREAM_DISABLED`.
    pub const TERMINATE: u64 = 0b00;
    /// Stage 1 is bypassed.
    pub const BYPASS: u64 = 0b01;
    /// They use CD 0, which transactions with SubstreamID 0 then may not.
    pub const SSID0: u64 = 0b10;
}

/// `INSTCFG`: what reads count as.
pub mod instcfg {
    /// As data.
    pub const DATA: u64 = 0b10;
    /// As instruction fetches.
    pub const INSTRUCTION: u64 = 0b11;
}

/// `EATS`: which ATS requests are served. The value `0b11` needs `IDR3.DPT` and is [`NONE`](eats::NONE) without.
pub mod eats {
    /// None.
    pub const NONE: u64 = 0b00;
    /// All; answers are physical addresses.
    pub const FULL: u64 = 0b01;
    /// All; answers are intermediate physical addresses, and translated transactions undergo stage 2.
    pub const SPLIT: u64 = 0b10;
}

layout! {
    /// Level 1 stream table descriptor, `IHI0070 §5.1`.
    pub struct L1Std(u64) {
        /// Log2 of the number of STEs, plus one; 0 and 12 to 31: invalid.
        4:0 span with_span,
        /// Address bits 55:6 of the level 2 array.
        55:6 l2ptr with_l2ptr,
    }

    /// STE bits 63:0.
    pub struct Ste0(u64) {
        /// Valid.
        0:0 v with_v,
        /// See [`config`].
        3:1 config with_config,
        /// See [`s1fmt`].
        5:4 s1fmt with_s1fmt,
        /// Address bits 55:6 of the CD, or of the CD table.
        55:6 s1contextptr with_s1contextptr,
        /// Log2 of the number of CDs; 0 disables substreams.
        63:59 s1cdmax with_s1cdmax,
    }

    /// STE bits 127:64.
    pub struct Ste1(u64) {
        /// See [`s1dss`].
        1:0 s1dss with_s1dss,
        /// Inner cacheability of CD fetches.
        3:2 s1cir with_s1cir,
        /// Outer cacheability of CD fetches.
        5:4 s1cor with_s1cor,
        /// Shareability of CD fetches.
        7:6 s1csh with_s1csh,
        /// Page-based hardware attribute of descriptor bit 59.
        8:8 s2hwu59,
        /// Page-based hardware attribute of descriptor bit 60.
        9:9 s2hwu60,
        /// Page-based hardware attribute of descriptor bit 61.
        10:10 s2hwu61,
        /// Page-based hardware attribute of descriptor bit 62.
        11:11 s2hwu62,
        /// Destructive reads are allowed.
        12:12 dre,
        /// Contiguous hint: log2 of the span of identical STEs.
        16:13 cont with_cont,
        /// Directed cache prefetch is allowed.
        17:17 dcp,
        /// Automatic PRI responses carry the PASID.
        18:18 ppar with_ppar,
        /// Events may be merged.
        19:19 mev with_mev,
        /// Software's own.
        23:20 sw_reserved,
        /// CDs may enable stage 1 permission indirection.
        24:24 s1pie,
        /// Stage 2 memory attributes are forced.
        25:25 s2fwb with_s2fwb,
        /// MPAM identifiers come from the CD.
        26:26 s1mpam,
        /// CDs may not enable the stall model.
        27:27 s1stalld with_s1stalld,
        /// See [`eats`].
        29:28 eats with_eats,
        /// StreamWorld.
        31:30 strw with_strw,
        /// Memory type that replaces the incoming one.
        35:32 memattr,
        /// Replace the memory type.
        36:36 mtcfg,
        /// Allocation hints override.
        40:37 alloccfg,
        /// Shareability override.
        45:44 shcfg with_shcfg,
        /// Security attribute override; Secure streams only.
        47:46 nscfg,
        /// Privilege override: `0b10` unprivileged, `0b11` privileged, else the incoming one.
        49:48 privcfg with_privcfg,
        /// Instruction override of reads: `0b10` data, `0b11` instruction, else the incoming one.
        51:50 instcfg with_instcfg,
    }

    /// STE bits 191:128.
    pub struct Ste2(u64) {
        /// VMID.
        15:0 s2vmid with_s2vmid,
        /// Stage 2 input size.
        37:32 s2t0sz with_s2t0sz,
        /// Stage 2 starting level.
        39:38 s2sl0 with_s2sl0,
        /// Stage 2 walk inner cacheability.
        41:40 s2ir0,
        /// Stage 2 walk outer cacheability.
        43:42 s2or0,
        /// Stage 2 walk shareability.
        45:44 s2sh0,
        /// Stage 2 granule.
        47:46 s2tg with_s2tg,
        /// Stage 2 output size.
        50:48 s2ps with_s2ps,
        /// Stage 2 uses VMSAv8-64.
        51:51 s2aa64 with_s2aa64,
        /// Stage 2 tables are big-endian.
        52:52 s2endi with_s2endi,
        /// Stage 2 access flag faults are disabled.
        53:53 s2affd with_s2affd,
        /// Protected table walks.
        54:54 s2ptw with_s2ptw,
        /// Stage 2 dirty state is updated by the SMMU.
        55:55 s2hd with_s2hd,
        /// Stage 2 access flag is updated by the SMMU.
        56:56 s2ha with_s2ha,
        /// Stage 2 faults stall.
        57:57 s2s with_s2s,
        /// Stage 2 faults are recorded.
        58:58 s2r with_s2r,
        /// Access flag of stage 2 table descriptors.
        59:59 s2haft,
        /// Stage 2 permission indirection.
        60:60 s2pie,
        /// Stage 2 permission overlay.
        61:61 s2poe,
        /// VMID match of DPT checks.
        63:62 dpt_vmatch,
    }

    /// STE bits 255:192.
    pub struct Ste3(u64) {
        /// Secure state.
        0:0 s2nsw,
        /// Secure state.
        1:1 s2nsa,
        /// Bit 2 of `S2SL0`.
        2:2 s2sl0_2,
        /// Stage 2 52-bit addresses with 4K and 16K granules.
        3:3 s2ds,
        /// Address bits 55:4 of the stage 2 table.
        55:4 s2ttb with_s2ttb,
        /// Stage 2 skip level.
        62:61 s2skl,
    }

    /// STE bits 319:256.
    pub struct Ste4(u64) {
        /// MPAM partition.
        31:16 partid,
        /// Secure stage 2 input size.
        37:32 s_s2t0sz,
        /// Secure stage 2 starting level.
        39:38 s_s2sl0,
        /// Secure stage 2 granule.
        47:46 s_s2tg,
        /// Memory encryption context.
        63:48 mecid,
    }

    /// STE bits 383:320.
    pub struct Ste5(u64) {
        /// MPAM performance group.
        7:0 pmg,
        /// MPAM partition space.
        8:8 mpam_ns,
        /// Translation hardening.
        9:9 assuredonly,
        /// Translation hardening.
        10:10 tl0,
        /// Translation hardening.
        11:11 tl1,
        /// Address bits 55:12 of the virtual machine structure.
        55:12 vmsptr,
    }

    /// STE bits 447:384.
    pub struct Ste6(u64) {
        /// Secure state.
        0:0 s2sw,
        /// Secure state.
        1:1 s2sa,
        /// Bit 2 of `S_S2SL0`.
        2:2 s_s2sl0_2,
        /// Address bits 55:4 of the Secure stage 2 table.
        55:4 s_s2ttb,
        /// Secure stage 2 skip level.
        62:61 s_s2skl,
    }

    /// STE bits 511:448: sixteen four-bit stage 2 overlay interpretations.
    pub struct Ste7(u64) {
        /// All of them.
        63:0 s2poi,
    }
}
