// SPDX-License-Identifier: GPL-2.0-or-later
//! The capability registers: `CAP_REG` (`VTD §11.4.2`) and `ECAP_REG` (`VTD §11.4.3`). Both read-only.

use crate::layout;

layout! {
    /// `CAP_REG`, offset 0x08.
    pub struct Cap(u64) {
        /// Domains: `2^(4 + 2 * ND)`.
        2:0 nd with_nd,
        /// Advanced fault logging.
        3:3 afl,
        /// Write-buffer flushing is required.
        4:4 rwbf,
        /// Protected low memory region.
        5:5 plmr,
        /// Protected high memory region.
        6:6 phmr,
        /// Caching mode: software invalidates on making entries present.
        7:7 cm with_cm,
        /// Second-stage address widths: bit 1 39, bit 2 48, bit 3 57.
        12:8 sagaw with_sagaw,
        /// Maximum guest address width, minus one.
        21:16 mgaw with_mgaw,
        /// Zero-length reads of write-only pages succeed.
        22:22 zlr with_zlr,
        /// Offset of the fault recording registers, in 16 bytes.
        33:24 fro with_fro,
        /// Second-stage large pages: bit 0 2 MiB, bit 1 1 GiB.
        37:34 sslps with_sslps,
        /// Page-selective invalidation.
        39:39 psi with_psi,
        /// Fault recording registers, minus one.
        47:40 nfr with_nfr,
        /// Largest address mask of page-selective invalidation.
        53:48 mamv with_mamv,
        /// Writes are drained.
        54:54 dwd with_dwd,
        /// Reads are drained.
        55:55 drd with_drd,
        /// First-stage 1 GiB pages.
        56:56 fs1gp with_fs1gp,
        /// Posted interrupts.
        59:59 pi with_pi,
        /// First-stage 5-level paging.
        60:60 fs5lp with_fs5lp,
        /// Enhanced command.
        61:61 ecmds,
        /// Setting the interrupt remap table pointer invalidates what was cached of the table.
        62:62 esirtps with_esirtps,
        /// Setting the root table pointer invalidates everything.
        63:63 esrtps with_esrtps,
    }

    /// `ECAP_REG`, offset 0x10.
    pub struct Ecap(u64) {
        /// Accesses to tables are coherent, in legacy mode and of root, context and interrupt tables.
        0:0 c with_c,
        /// Queued invalidation.
        1:1 qi with_qi,
        /// Device-TLBs.
        2:2 dt with_dt,
        /// Interrupt remapping.
        3:3 ir with_ir,
        /// Extended interrupt mode: 32-bit APIC-IDs.
        4:4 eim with_eim,
        /// Pass-through.
        6:6 pt with_pt,
        /// Snoop control.
        7:7 sc with_sc,
        /// Offset of the IOTLB registers, in 16 bytes.
        17:8 iro with_iro,
        /// Largest handle mask of interrupt entry cache invalidation.
        23:20 mhmv with_mhmv,
        /// Memory types.
        25:25 mts,
        /// Nested translation.
        26:26 nest with_nest,
        /// Page requests.
        29:29 prs with_prs,
        /// Execute requests.
        30:30 ers with_ers,
        /// Supervisor requests.
        31:31 srs with_srs,
        /// The no-write flag of translation requests.
        33:33 nwfs with_nwfs,
        /// Extended accessed flags.
        34:34 eafs with_eafs,
        /// Bits of PASIDs, minus one.
        39:35 pss with_pss,
        /// PASIDs.
        40:40 pasid with_pasid,
        /// Device-TLB invalidation is throttled by PFSID.
        41:41 dit with_dit,
        /// Page requests are drained by a wait descriptor.
        42:42 pds with_pds,
        /// Scalable mode.
        43:43 smts with_smts,
        /// Virtual commands.
        44:44 vcs,
        /// Second-stage accessed and dirty flags.
        45:45 ssads with_ssads,
        /// Second-stage translation in scalable mode.
        46:46 ssts with_ssts,
        /// First-stage translation.
        47:47 fsts with_fsts,
        /// Page walks in scalable mode are coherent.
        48:48 smpwcs with_smpwcs,
        /// `RID_PASID` of context entries.
        49:49 rps with_rps,
        /// Performance monitoring.
        51:51 pms,
        /// Abort-DMA mode.
        52:52 adms with_adms,
        /// `RID_PRIV` of context entries.
        53:53 rprivs with_rprivs,
    }
}
