// SPDX-License-Identifier: GPL-2.0-or-later
//! Root table entries: `VTD §9.1` (legacy mode), `§9.2` (scalable mode). 128 bits each, one for each bus.

use crate::layout;

/// Size of an entry in bytes.
pub const ROOT_BYTES: u64 = 16;

layout! {
    /// In legacy mode bits 63:0 of an entry; the rest is reserved. In scalable mode each of its two words: the first
    /// for devices 0 to 15 of the bus, the second for 16 to 31.
    pub struct Root(u64) {
        /// Present.
        0:0 p with_p,
        /// Reserved.
        11:1 reserved,
        /// Context table: address bits 63:12.
        63:12 ctp with_ctp,
    }
}
