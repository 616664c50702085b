// SPDX-License-Identifier: GPL-2.0-or-later
//! Identification registers, `IHI0070 §6.3.1` to `§6.3.8`: 32 bits, read-only, constant after realize.

use crate::layout;

layout! {
    /// `SMMU_IDR0`, `IHI0070 §6.3.1`.
    pub struct Idr0(u32) {
        /// Stage 2.
        0:0 s2p with_s2p,
        /// Stage 1.
        1:1 s1p with_s1p,
        /// Table formats: bit 0 VMSAv8-32, bit 1 VMSAv8-64.
        3:2 ttf with_ttf,
        /// Coherent with PEs.
        4:4 cohacc with_cohacc,
        /// Broadcast TLB maintenance.
        5:5 btm,
        /// 0 none, 1 access flag, 2 access flag and dirty state, 3 table descriptors too.
        7:6 httu with_httu,
        /// Dormant hint.
        8:8 dormhint,
        /// EL2 contexts.
        9:9 hyp with_hyp,
        /// ATS.
        10:10 ats with_ats,
        /// No split-stage ATS.
        11:11 ns1ats with_ns1ats,
        /// 16-bit ASIDs.
        12:12 asid16 with_asid16,
        /// Message-signalled interrupts.
        13:13 msi with_msi,
        /// Wake-up events on `CMD_SYNC`.
        14:14 sev with_sev,
        /// Address translation operations.
        15:15 atos,
        /// Page request interface.
        16:16 pri with_pri,
        /// VMID wildcards.
        17:17 vmw with_vmw,
        /// 16-bit VMIDs.
        18:18 vmid16 with_vmid16,
        /// Two-level CD tables.
        19:19 cd2l with_cd2l,
        /// Virtual ATOS page.
        20:20 vatos,
        /// 0 mixed, 2 little-endian, 3 big-endian.
        22:21 ttendian with_ttendian,
        /// Configuration errors of ATS requests can be recorded.
        23:23 atsrecerr with_atsrecerr,
        /// 0 stall and terminate, 1 terminate only, 2 stall forced.
        25:24 stall_model with_stall_model,
        /// 1: terminated transactions always abort.
        26:26 term_model with_term_model,
        /// 1: two-level stream tables.
        28:27 st_level with_st_level,
        /// Realm management.
        30:30 rme_impl,
    }

    /// `SMMU_IDR1`, `IHI0070 §6.3.2`.
    pub struct Idr1(u32) {
        /// Bits of StreamIDs.
        5:0 sidsize with_sidsize,
        /// Bits of SubstreamIDs.
        10:6 ssidsize with_ssidsize,
        /// Log2 of the largest PRI queue.
        15:11 priqs with_priqs,
        /// Log2 of the largest event queue.
        20:16 eventqs with_eventqs,
        /// Log2 of the largest command queue.
        25:21 cmdqs with_cmdqs,
        /// Privilege and instruction attributes can be overridden.
        26:26 attr_perms_ovr with_attr_perms_ovr,
        /// Memory types can be overridden.
        27:27 attr_types_ovr with_attr_types_ovr,
        /// Preset addresses are relative.
        28:28 rel,
        /// Queue addresses are fixed.
        29:29 queues_preset,
        /// Table addresses are fixed.
        30:30 tables_preset,
        /// Enhanced command queues.
        31:31 ecmdq,
    }

    /// `SMMU_IDR3`, `IHI0070 §6.3.4`.
    pub struct Idr3(u32) {
        /// Hierarchical attribute disable.
        2:2 had with_had,
        /// Page-based hardware attributes.
        3:3 pbha,
        /// Stage 2 execute-never by exception level.
        4:4 xnx with_xnx,
        /// Automatic PRI responses always carry the PASID.
        5:5 pps,
        /// Memory partitioning.
        7:7 mpam,
        /// Stage 2 forced write-back.
        8:8 fwb with_fwb,
        /// Small translation tables.
        9:9 stt with_stt,
        /// Range invalidation and level hints.
        10:10 ril with_ril,
        /// Break-before-make level.
        12:11 bbml with_bbml,
        /// `CD.E0PDx`.
        13:13 e0pd,
        /// Table walks to device memory.
        14:14 ptwnnc,
        /// Device permission table.
        15:15 dpt,
        /// PASID on translated transactions.
        16:16 pasidtt,
        /// Enhanced PAN.
        17:17 epan,
        /// Stage 1 permission indirection.
        18:18 s1pi,
        /// Stage 2 permission indirection.
        19:19 s2pi,
        /// Stage 2 permission overlay.
        20:20 s2po,
        /// Translation hardening.
        21:21 the,
        /// Stage 2 no-tag-access.
        22:22 mteperm,
        /// Attribute index extension.
        23:23 aie,
    }

    /// `SMMU_IDR5`, `IHI0070 §6.3.6`.
    pub struct Idr5(u32) {
        /// Output address size: 0 32 bits, 36, 40, 42, 44, 48, 6 52 bits, 7 56 bits.
        2:0 oas with_oas,
        /// 4 KiB granule.
        4:4 gran4k with_gran4k,
        /// 16 KiB granule.
        5:5 gran16k with_gran16k,
        /// 64 KiB granule.
        6:6 gran64k with_gran64k,
        /// 52-bit addresses with 4K and 16K granules.
        7:7 ds,
        /// 128-bit descriptors.
        8:8 d128,
        /// Input addresses: 0 48 bits, 1 52 bits.
        11:10 vax with_vax,
        /// How many transactions can be stalled.
        31:16 stall_max with_stall_max,
    }
}
