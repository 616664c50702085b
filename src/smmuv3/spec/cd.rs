// SPDX-License-Identifier: GPL-2.0-or-later
//! Context descriptor tables: `L1CD` (`IHI0070 §5.3`) and `CD` (`IHI0070 §5.4`).

use crate::layout;

/// Size of a CD in bytes.
pub const CD_BYTES: u64 = 64;
/// 64-bit words of a CD.
pub const CD_WORDS: usize = 8;
/// Size of an `L1CD` in bytes.
pub const L1CD_BYTES: u64 = 8;

layout! {
    /// Level 1 context descriptor, `IHI0070 §5.3`.
    pub struct L1Cd(u64) {
        /// Valid.
        0:0 v with_v,
        /// Address bits 55:12 of the leaf table.
        55:12 l2ptr with_l2ptr,
    }

    /// CD bits 63:0.
    pub struct Cd0(u64) {
        /// Input size of the lower range: 64 minus its bits.
        5:0 t0sz with_t0sz,
        /// Granule of the lower range: 0 4K, 1 64K, 2 16K.
        7:6 tg0 with_tg0,
        /// Walk inner cacheability of the lower range.
        9:8 ir0 with_ir0,
        /// Walk outer cacheability of the lower range.
        11:10 or0 with_or0,
        /// Walk shareability of the lower range.
        13:12 sh0 with_sh0,
        /// No walks in the lower range.
        14:14 epd0 with_epd0,
        /// Tables are big-endian.
        15:15 endi with_endi,
        /// Input size of the upper range: 64 minus its bits.
        21:16 t1sz with_t1sz,
        /// Granule of the upper range: 1 16K, 2 4K, 3 64K.
        23:22 tg1 with_tg1,
        /// Walk inner cacheability of the upper range.
        25:24 ir1,
        /// Walk outer cacheability of the upper range.
        27:26 or1,
        /// Walk shareability of the upper range.
        29:28 sh1,
        /// No walks in the upper range.
        30:30 epd1 with_epd1,
        /// Valid.
        31:31 v with_v,
        /// Output size.
        34:32 ips with_ips,
        /// Access flag faults are disabled.
        35:35 affd with_affd,
        /// Writable pages are not executable.
        36:36 wxn with_wxn,
        /// VMSAv8-32 only: pages writable by user are not executable by privileged accesses.
        37:37 uwxn with_uwxn,
        /// Top byte of lower-range addresses is ignored.
        38:38 tbi0 with_tbi0,
        /// Top byte of upper-range addresses is ignored.
        39:39 tbi1 with_tbi1,
        /// Privileged data accesses to user pages are refused.
        40:40 pan with_pan,
        /// VMSAv8-64 tables.
        41:41 aa64 with_aa64,
        /// Dirty state is updated by the SMMU (with `HA`).
        42:42 hd with_hd,
        /// The access flag is updated by the SMMU.
        43:43 ha with_ha,
        /// Faults stall.
        44:44 s with_s,
        /// Faults are recorded.
        45:45 r with_r,
        /// Terminated transactions abort, rather than RAZ/WI.
        46:46 a with_a,
        /// ASIDs are not shared with PEs.
        47:47 aset with_aset,
        /// Address space.
        63:48 asid with_asid,
    }

    /// CD bits 127:64.
    pub struct Cd1(u64) {
        /// Secure state.
        0:0 nscfg0,
        /// Table attributes of the lower range are ignored.
        1:1 had0 with_had0,
        /// No unprivileged access to the lower range.
        2:2 e0pd0,
        /// The SMMU updates the access flag of table descriptors.
        3:3 haft with_haft,
        /// Address bits 55:4 of the lower range's table.
        55:4 ttb0 with_ttb0,
        /// Protected attribute.
        58:58 pnch,
        /// Enhanced PAN.
        59:59 epan,
        /// Page-based hardware attribute of descriptor bit 59.
        60:60 hwu059,
        /// Page-based hardware attribute of descriptor bit 60.
        61:61 hwu060,
        /// Page-based hardware attribute of descriptor bit 61.
        62:62 hwu061,
        /// Page-based hardware attribute of descriptor bit 62.
        63:63 hwu062,
    }

    /// CD bits 191:128.
    pub struct Cd2(u64) {
        /// Secure state.
        0:0 nscfg1,
        /// Table attributes of the upper range are ignored.
        1:1 had1 with_had1,
        /// No unprivileged access to the upper range.
        2:2 e0pd1,
        /// Attribute index extension.
        3:3 aie,
        /// Address bits 55:4 of the upper range's table.
        55:4 ttb1 with_ttb1,
        /// 52-bit addresses with 4K and 16K granules.
        58:58 ds,
        /// Permission indirection.
        59:59 pie,
        /// Page-based hardware attribute of descriptor bit 59.
        60:60 hwu159,
        /// Page-based hardware attribute of descriptor bit 60.
        61:61 hwu160,
        /// Page-based hardware attribute of descriptor bit 61.
        62:62 hwu161,
        /// Page-based hardware attribute of descriptor bit 62.
        63:63 hwu162,
    }

    /// CD bits 255:192.
    pub struct Cd3(u64) {
        /// Memory attributes 0 to 3, a byte each.
        31:0 mair0 with_mair0,
        /// Memory attributes 4 to 7.
        63:32 mair1 with_mair1,
    }

    /// CD bits 319:256.
    pub struct Cd4(u64) {
        /// Auxiliary attributes 0 to 3.
        31:0 amair0,
        /// Auxiliary attributes 4 to 7.
        63:32 amair1,
    }

    /// CD bits 383:320.
    pub struct Cd5(u64) {
        /// MPAM partition.
        47:32 partid,
        /// MPAM performance group.
        55:48 pmg,
    }

    /// CD bits 447:384.
    pub struct Cd6(u64) {
        /// Sixteen three-bit unprivileged permission interpretations.
        47:0 piiu,
    }

    /// CD bits 511:448.
    pub struct Cd7(u64) {
        /// Sixteen three-bit privileged permission interpretations.
        47:0 piip,
    }
}
