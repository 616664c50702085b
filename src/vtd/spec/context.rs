// SPDX-License-Identifier: GPL-2.0-or-later
//! Context entries: `VTD §9.3` (legacy mode, 128 bits), `§9.4` (scalable mode, 256 bits).

use crate::layout;

/// Size of a legacy mode entry in bytes.
pub const LEGACY_BYTES: u64 = 16;
/// Size of a scalable mode entry in bytes.
pub const SCALABLE_BYTES: u64 = 32;

/// Values of [`Context0::tt`].
pub mod tt {
    /// Untranslated requests are translated; translation requests and translated requests are blocked.
    pub const UNTRANSLATED: u64 = 0b00;
    /// All requests are served.
    pub const ALL: u64 = 0b01;
    /// Untranslated requests pass through.
    pub const PASS_THROUGH: u64 = 0b10;
}

layout! {
    /// Legacy mode, bits 63:0.
    pub struct Context0(u64) {
        /// Present.
        0:0 p with_p,
        /// Fault processing disable.
        1:1 fpd with_fpd,
        /// Translation type: see [`tt`].
        3:2 tt with_tt,
        /// Reserved.
        11:4 reserved,
        /// Second-stage page table: address bits 63:12.
        63:12 ssptptr with_ssptptr,
    }

    /// Legacy mode, bits 127:64.
    pub struct Context1(u64) {
        /// Address width: 1, 2, 3 for 39, 48, 57 bits.
        2:0 aw with_aw,
        /// For software.
        6:3 ignored,
        /// Reserved.
        7:7 reserved_71,
        /// Domain-id.
        23:8 did with_did,
        /// Reserved.
        63:24 reserved,
    }

    /// Scalable mode, bits 63:0.
    pub struct ScalableContext0(u64) {
        /// Present.
        0:0 p with_p,
        /// Fault processing disable.
        1:1 fpd with_fpd,
        /// Device-TLB enable: translation requests and translated requests are served.
        2:2 dte with_dte,
        /// PASID enable: requests with PASID are served.
        3:3 paside with_paside,
        /// Page request enable.
        4:4 pre with_pre,
        /// Reserved.
        8:5 reserved,
        /// PASID directory size: `2^(PDTS + 7)` entries.
        11:9 pdts with_pdts,
        /// PASID directory: address bits 63:12.
        63:12 pasiddirptr with_pasiddirptr,
    }

    /// Scalable mode, bits 127:64. Bits 255:128 are reserved.
    pub struct ScalableContext1(u64) {
        /// The PASID of requests without PASID.
        19:0 rid_pasid with_rid_pasid,
        /// Requests without PASID are privileged.
        20:20 rid_priv with_rid_priv,
        /// Reserved.
        63:21 reserved,
    }
}
