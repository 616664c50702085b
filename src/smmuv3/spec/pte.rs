// SPDX-License-Identifier: GPL-2.0-or-later
//! VMSAv8-64 translation table descriptors: Arm ARM (DDI 0487) §D8.3, as `IHI0070 §3.13` and `§13.4` use them.

use crate::layout;

/// Size of a descriptor in bytes.
pub const PTE_BYTES: u64 = 8;

layout! {
    /// A stage 1 descriptor of any kind. What a field means depends on the descriptor's level and kind.
    pub struct Pte(u64) {
        /// Valid.
        0:0 valid with_valid,
        /// Below the last level: 1 table, 0 block. At the last level: 1 page, 0 reserved.
        1:1 table with_table,
        /// Index of the memory attribute in `MAIR`.
        4:2 attrindx with_attrindx,
        /// Security attribute.
        5:5 ns,
        /// `AP[1]`: unprivileged accesses are allowed.
        6:6 ap1 with_ap1,
        /// `AP[2]`: read-only.
        7:7 ap2 with_ap2,
        /// Shareability.
        9:8 sh with_sh,
        /// Accessed.
        10:10 af with_af,
        /// Not global: the translation is for one ASID.
        11:11 ng with_ng,
        /// With the 64K granule and 52-bit output addresses: output address bits 51:48.
        15:12 addr_51_48 with_addr_51_48,
        /// Output address bits 47:12; low bits below the granule or block are not part of it.
        47:12 addr_47_12 with_addr_47_12,
        /// Dirty bit modifier: a read-only page may be made writable by the SMMU.
        51:51 dbm with_dbm,
        /// Contiguous hint.
        52:52 contiguous with_contiguous,
        /// Not executable by privileged accesses.
        53:53 pxn with_pxn,
        /// Not executable by unprivileged accesses.
        54:54 uxn with_uxn,
        /// Table: not executable by privileged accesses below.
        59:59 pxntable with_pxntable,
        /// Table: not executable by unprivileged accesses below.
        60:60 uxntable with_uxntable,
        /// Table, `APTable[0]`: no unprivileged accesses below.
        61:61 aptable0 with_aptable0,
        /// Table, `APTable[1]`: no writes below.
        62:62 aptable1 with_aptable1,
        /// Table: security attribute.
        63:63 nstable,
    }

    /// A stage 2 descriptor of any kind.
    pub struct S2Pte(u64) {
        /// Valid.
        0:0 valid with_valid,
        /// Below the last level: 1 table, 0 block. At the last level: 1 page, 0 reserved.
        1:1 table with_table,
        /// `MemAttr`: memory type. What it means depends on `STE.S2FWB`.
        5:2 memattr with_memattr,
        /// `S2AP[0]`: reads are allowed.
        6:6 s2ap0 with_s2ap0,
        /// `S2AP[1]`: writes are allowed.
        7:7 s2ap1 with_s2ap1,
        /// Shareability.
        9:8 sh with_sh,
        /// Accessed.
        10:10 af with_af,
        /// With the 64K granule and 52-bit output addresses: output address bits 51:48.
        15:12 addr_51_48 with_addr_51_48,
        /// Output address bits 47:12; low bits below the granule or block are not part of it.
        47:12 addr_47_12 with_addr_47_12,
        /// Dirty bit modifier: a page that is not writable may be made so by the SMMU.
        51:51 dbm with_dbm,
        /// Contiguous hint.
        52:52 contiguous with_contiguous,
        /// `XN[0]`: with `IDR3.XNX`, inverts what `XN[1]` says about privileged accesses.
        53:53 xn0 with_xn0,
        /// `XN[1]`: not executable.
        54:54 xn1 with_xn1,
    }
}
