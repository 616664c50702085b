// SPDX-License-Identifier: GPL-2.0-or-later
//! Event queue records (`IHI0070 §7.3`). A record is four little-endian 64-bit words.
//!
//! One layout serves all records: where a record has a field at all, it is at the same place. What a record does not
//! have is zero there.

use crate::layout;

/// Size of a record in bytes.
pub const ENTRY_SIZE: u64 = 32;

layout! {
    /// Bits 63:0 of every record.
    pub struct Event0(u64) {
        /// StreamID.
        63:32 stream_id with_stream_id,
        /// SubstreamID, if `SSV`.
        31:12 substream_id with_substream_id,
        /// The transaction had a SubstreamID. Not in `C_BAD_SUBSTREAMID`, whose SubstreamID is always valid.
        11:11 ssv with_ssv,
        /// Which event.
        7:0 event with_event,
    }

    /// Bits 127:64.
    pub struct Event1(u64) {
        /// Read or write that failed in a stage-1 walk through stage 2 (`F_PERMISSION` with class TT).
        44:44 ttrnw with_ttrnw,
        /// What was being accessed.
        41:40 class with_class,
        /// The fault is of stage 2.
        39:39 s2 with_s2,
        /// 1 read, 0 write.
        35:35 rnw with_rnw,
        /// 1 instruction, 0 data.
        34:34 ind with_ind,
        /// 1 privileged, 0 unprivileged.
        33:33 pnu with_pnu,
        /// The transaction is stalled (`F_TRANSLATION`, `F_ADDR_SIZE`, `F_ACCESS`, `F_PERMISSION`).
        31:31 stall with_stall,
        /// The stalled transaction's name. In other records the IMPLEMENTATION DEFINED `Reason`.
        15:0 stag with_stag,
    }

    /// Bits 127:64 of `F_BAD_ATS_TREQ`: what was asked for, before `STE.INSTCFG` and `STE.PRIVCFG`.
    pub struct AtsRequest1(u64) {
        /// Reads, always.
        31:31 read with_read,
        /// Writes: No Write is not set.
        30:30 write with_write,
        /// Instruction fetches.
        29:29 exec with_exec,
        /// Privileged requests.
        28:28 privileged with_privileged,
        /// How many smallest translation units.
        3:0 span with_span,
    }

    /// Bits 191:128.
    pub struct Event2(u64) {
        /// The address that came with the transaction.
        63:0 input_addr with_input_addr,
    }

    /// Bits 255:192.
    pub struct Event3(u64) {
        /// Bits 55:12 of the IPA (translation-related faults).
        55:12 ipa with_ipa,
        /// Bits 55:3 of the fetch that failed (`F_STE_FETCH`, `F_CD_FETCH`, `F_WALK_EABT`).
        55:3 fetch_addr with_fetch_addr,
    }
}
