// SPDX-License-Identifier: GPL-2.0-or-later
//! Fault recording registers (`VTD §11.4.7.6`): two words of 64 bits.

use crate::layout;

layout! {
    /// Low word.
    pub struct Record0(u64) {
        /// Fault information: address bits 63:12; of interrupts, the index in bits 63:48.
        63:12 info with_info,
    }

    /// High word.
    pub struct Record1(u64) {
        /// There is a fault. W1C.
        63:63 f with_f,
        /// Type, first part: with the second, 0 write, 1 page request (T2), 2 read (T1), 3 AtomicOp.
        62:62 t1 with_t1,
        /// Address type: 0 untranslated, 1 translation request, 2 translated.
        61:60 at with_at,
        /// PASID.
        59:40 pasid with_pasid,
        /// Reason.
        39:32 reason with_reason,
        /// There is a PASID.
        31:31 pasid_present with_pasid_present,
        /// Execution was asked for.
        30:30 exec with_exec,
        /// Privileged mode was asked for.
        29:29 privileged with_privileged,
        /// Type, second part.
        28:28 t2 with_t2,
        /// Source-id.
        15:0 sid with_sid,
    }
}
