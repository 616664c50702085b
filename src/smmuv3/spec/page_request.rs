// SPDX-License-Identifier: GPL-2.0-or-later
//! PRI queue records (`IHI0070 §8`). A record is two little-endian 64-bit words.

use crate::layout;

/// Size of a record in bytes.
pub const ENTRY_SIZE: u64 = 16;

layout! {
    /// Bits 63:0.
    pub struct Request0(u64) {
        /// The request came with a PASID.
        63:63 ssv with_ssv,
        /// The last of its group.
        62:62 last with_last,
        /// To be written.
        61:61 write with_write,
        /// To be read.
        60:60 read with_read,
        /// To be executed; 0 without `SSV`.
        59:59 exec with_exec,
        /// By privileged software; 0 without `SSV`.
        58:58 privileged with_privileged,
        /// SubstreamID.
        51:32 substream_id with_substream_id,
        /// StreamID.
        31:0 stream_id with_stream_id,
    }

    /// Bits 127:64.
    pub struct Request1(u64) {
        /// Address bits 63:12.
        63:12 addr with_addr,
        /// Page request group index.
        8:0 group with_group,
    }
}
