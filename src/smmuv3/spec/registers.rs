// SPDX-License-Identifier: GPL-2.0-or-later
//! Register offsets and fields, non-secure programming interface (`IHI0070 §6.2`, `§6.3`).
//!
//! Offsets count from the start of page 0; page 1 begins at [`PAGE_1`].

use crate::layout;

/// Size of the register region: pages 0 and 1, 64 KiB each (`IHI0070 §6.1`).
pub const REGION_SIZE: u64 = 0x2_0000;
/// First byte of page 1.
pub const PAGE_1: u64 = 0x1_0000;

/// `SMMU_IDR0`, 32-bit, RO (`IHI0070 §6.3.1`).
pub const IDR0: u64 = 0x00;
/// `SMMU_IDR1`, 32-bit, RO (`IHI0070 §6.3.2`).
pub const IDR1: u64 = 0x04;
/// `SMMU_IDR2`, 32-bit, RO (`IHI0070 §6.3.3`).
pub const IDR2: u64 = 0x08;
/// `SMMU_IDR3`, 32-bit, RO (`IHI0070 §6.3.4`).
pub const IDR3: u64 = 0x0c;
/// `SMMU_IDR4`, 32-bit, RO (`IHI0070 §6.3.5`).
pub const IDR4: u64 = 0x10;
/// `SMMU_IDR5`, 32-bit, RO (`IHI0070 §6.3.6`).
pub const IDR5: u64 = 0x14;
/// `SMMU_IIDR`, 32-bit, RO (`IHI0070 §6.3.7`).
pub const IIDR: u64 = 0x18;
/// `SMMU_AIDR`, 32-bit, RO (`IHI0070 §6.3.8`).
pub const AIDR: u64 = 0x1c;
/// `SMMU_CR0`, 32-bit, RW (`IHI0070 §6.3.9`).
pub const CR0: u64 = 0x20;
/// `SMMU_CR0ACK`, 32-bit, RO (`IHI0070 §6.3.10`).
pub const CR0ACK: u64 = 0x24;
/// `SMMU_CR1`, 32-bit, RW (`IHI0070 §6.3.11`).
pub const CR1: u64 = 0x28;
/// `SMMU_CR2`, 32-bit, RW while `SMMUEN = 0` (`IHI0070 §6.3.12`).
pub const CR2: u64 = 0x2c;
/// `SMMU_STATUSR`, 32-bit, RO (`IHI0070 §6.3.13`).
pub const STATUSR: u64 = 0x40;
/// `SMMU_GBPA`, 32-bit, RW by the Update procedure (`IHI0070 §6.3.14`).
pub const GBPA: u64 = 0x44;
/// `SMMU_AGBPA`, 32-bit, IMPLEMENTATION DEFINED, here RES0 (`IHI0070 §6.3.15`).
pub const AGBPA: u64 = 0x48;
/// `SMMU_IRQ_CTRL`, 32-bit, RW (`IHI0070 §6.3.16`).
pub const IRQ_CTRL: u64 = 0x50;
/// `SMMU_IRQ_CTRLACK`, 32-bit, RO (`IHI0070 §6.3.18`).
pub const IRQ_CTRLACK: u64 = 0x54;
/// `SMMU_GERROR`, 32-bit, RO (`IHI0070 §6.3.19`).
pub const GERROR: u64 = 0x60;
/// `SMMU_GERRORN`, 32-bit, RW (`IHI0070 §6.3.20`).
pub const GERRORN: u64 = 0x64;
/// `SMMU_GERROR_IRQ_CFG0`, 64-bit, RW while the interrupt is off (`IHI0070 §6.3.21`).
pub const GERROR_IRQ_CFG0: u64 = 0x68;
/// `SMMU_GERROR_IRQ_CFG1`, 32-bit (`IHI0070 §6.3.22`).
pub const GERROR_IRQ_CFG1: u64 = 0x70;
/// `SMMU_GERROR_IRQ_CFG2`, 32-bit (`IHI0070 §6.3.23`).
pub const GERROR_IRQ_CFG2: u64 = 0x74;
/// `SMMU_STRTAB_BASE`, 64-bit, RW while `SMMUEN = 0` (`IHI0070 §6.3.24`).
pub const STRTAB_BASE: u64 = 0x80;
/// `SMMU_STRTAB_BASE_CFG`, 32-bit, RW while `SMMUEN = 0` (`IHI0070 §6.3.25`).
pub const STRTAB_BASE_CFG: u64 = 0x88;
/// `SMMU_CMDQ_BASE`, 64-bit, RW while `CMDQEN = 0` (`IHI0070 §6.3.26`).
pub const CMDQ_BASE: u64 = 0x90;
/// `SMMU_CMDQ_PROD`, 32-bit, RW (`IHI0070 §6.3.27`).
pub const CMDQ_PROD: u64 = 0x98;
/// `SMMU_CMDQ_CONS`, 32-bit, RW while `CMDQEN = 0` (`IHI0070 §6.3.28`).
pub const CMDQ_CONS: u64 = 0x9c;
/// `SMMU_EVENTQ_BASE`, 64-bit, RW while `EVENTQEN = 0` (`IHI0070 §6.3.29`).
pub const EVENTQ_BASE: u64 = 0xa0;
/// `SMMU_EVENTQ_IRQ_CFG0`, 64-bit, RW while the interrupt is off (`IHI0070 §6.3.30`).
pub const EVENTQ_IRQ_CFG0: u64 = 0xb0;
/// `SMMU_EVENTQ_IRQ_CFG1`, 32-bit (`IHI0070 §6.3.31`).
pub const EVENTQ_IRQ_CFG1: u64 = 0xb8;
/// `SMMU_EVENTQ_IRQ_CFG2`, 32-bit (`IHI0070 §6.3.32`).
pub const EVENTQ_IRQ_CFG2: u64 = 0xbc;
/// `SMMU_PRIQ_BASE`, 64-bit, RW while `PRIQEN = 0` (`IHI0070 §6.3.33`).
pub const PRIQ_BASE: u64 = 0xc0;
/// `SMMU_PRIQ_IRQ_CFG0`, 64-bit, RW while the interrupt is off (`IHI0070 §6.3.34`).
pub const PRIQ_IRQ_CFG0: u64 = 0xd0;
/// `SMMU_PRIQ_IRQ_CFG1`, 32-bit (`IHI0070 §6.3.35`).
pub const PRIQ_IRQ_CFG1: u64 = 0xd8;
/// `SMMU_PRIQ_IRQ_CFG2`, 32-bit (`IHI0070 §6.3.36`).
pub const PRIQ_IRQ_CFG2: u64 = 0xdc;
/// `SMMU_EVENTQ_PROD`, 32-bit, in page 1, RW while `EVENTQEN = 0`.
pub const EVENTQ_PROD: u64 = 0x1_00a8;
/// `SMMU_EVENTQ_CONS`, 32-bit, in page 1, RW.
pub const EVENTQ_CONS: u64 = 0x1_00ac;
/// `EVENTQ_PROD` as seen in page 0: Reserved, and one of the two permitted behaviours is an alias of page 1.
pub const EVENTQ_PROD_ALIAS: u64 = 0xa8;
/// `EVENTQ_CONS` as seen in page 0.
pub const EVENTQ_CONS_ALIAS: u64 = 0xac;
/// `SMMU_PRIQ_PROD`, 32-bit, in page 1, RW while `PRIQEN = 0` (`IHI0070 §6.3.97`).
pub const PRIQ_PROD: u64 = 0x1_00c8;
/// `SMMU_PRIQ_CONS`, 32-bit, in page 1, RW (`IHI0070 §6.3.98`).
pub const PRIQ_CONS: u64 = 0x1_00cc;
/// `PRIQ_PROD` as seen in page 0, like that of the event queue.
pub const PRIQ_PROD_ALIAS: u64 = 0xc8;
/// `PRIQ_CONS` as seen in page 0.
pub const PRIQ_CONS_ALIAS: u64 = 0xcc;
/// First of the CoreSight identification registers (`IHI0070 §6.3.170`).
pub const ID_REGS: u64 = 0xfd0;
/// Past the last of them.
pub const ID_REGS_END: u64 = 0x1000;

/// Number of the event queue's wired interrupt output.
pub const IRQ_EVENTQ: usize = 0;
/// Number of the PRI queue's wired interrupt output.
pub const IRQ_PRIQ: usize = 1;
/// Number of the CMD_SYNC wired interrupt output.
pub const IRQ_SYNC: usize = 2;
/// Number of the global errors' wired interrupt output.
pub const IRQ_GERROR: usize = 3;

layout! {
    /// `SMMU_CR0` and `SMMU_CR0ACK`. Reset: 0.
    pub struct Cr0(u32) {
        /// VMID wildcard; RES0 without `IDR0.VMW`.
        8:6 vmw,
        /// Check translated ATS traffic; RES0 without `IDR0.ATS`.
        4:4 atschk with_atschk,
        /// Process commands.
        3:3 cmdqen with_cmdqen,
        /// Write events.
        2:2 eventqen with_eventqen,
        /// Write page requests; RES0 without `IDR0.PRI`.
        1:1 priqen with_priqen,
        /// Translate.
        0:0 smmuen with_smmuen,
    }

    /// `SMMU_CR1`. Reset: UNKNOWN, here 0. Memory attributes have no effect in an emulator and are kept for readback.
    pub struct Cr1(u32) {
        /// Shareability of table accesses.
        11:10 table_sh,
        /// Outer cacheability of table accesses.
        9:8 table_oc,
        /// Inner cacheability of table accesses.
        7:6 table_ic,
        /// Shareability of queue accesses.
        5:4 queue_sh,
        /// Outer cacheability of queue accesses.
        3:2 queue_oc,
        /// Inner cacheability of queue accesses.
        1:0 queue_ic,
    }

    /// `SMMU_CR2`. Reset: UNKNOWN, here 0.
    pub struct Cr2(u32) {
        /// Record configuration errors of ATS; RES0 without `IDR0.ATSRECERR`.
        3:3 rec_cfg_ats with_rec_cfg_ats,
        /// Private TLB maintenance; RES0 without `IDR0.BTM`.
        2:2 ptm,
        /// Record `C_BAD_STREAMID`.
        1:1 recinvsid with_recinvsid,
        /// EL2-E2H regime; RES0 without `IDR0.Hyp`.
        0:0 e2h with_e2h,
    }

    /// `SMMU_GBPA`. Reset: IMPLEMENTATION DEFINED, here "use incoming" attributes and no abort.
    pub struct Gbpa(u32) {
        /// Set by the write that changes the register, cleared when the change has taken effect.
        31:31 update with_update,
        /// Abort every transaction while `SMMUEN = 0`.
        20:20 abort with_abort,
        /// Instruction or data override.
        19:18 instcfg,
        /// Privilege override.
        17:16 privcfg,
        /// Shareability override; 1 is "use incoming".
        13:12 shcfg with_shcfg,
        /// Allocation hints override.
        11:8 alloccfg,
        /// Memory type override enable.
        4:4 mtcfg,
        /// Memory type.
        3:0 memattr,
    }

    /// `SMMU_IRQ_CTRL` and `SMMU_IRQ_CTRLACK`. Reset: 0.
    pub struct IrqCtrl(u32) {
        /// Event queue interrupts.
        2:2 eventq_irqen with_eventq_irqen,
        /// PRI queue interrupts; RES0 without `IDR0.PRI`.
        1:1 priq_irqen with_priq_irqen,
        /// Global error interrupts.
        0:0 gerror_irqen with_gerror_irqen,
    }

    /// `SMMU_GERROR` and `SMMU_GERRORN`. An error is active while the two differ. Reset: 0.
    pub struct Gerror(u32) {
        /// Service failure mode.
        8:8 sfm_err,
        /// A GERROR MSI aborted; RES0 without `IDR0.MSI`.
        7:7 msi_gerror_abt_err,
        /// A PRI queue MSI aborted; RES0 without `IDR0.MSI` and `IDR0.PRI`.
        6:6 msi_priq_abt_err,
        /// An event queue MSI aborted; RES0 without `IDR0.MSI`.
        5:5 msi_eventq_abt_err,
        /// A CMD_SYNC MSI aborted; RES0 without `IDR0.MSI`.
        4:4 msi_cmdq_abt_err,
        /// An access to the PRI queue aborted; RES0 without `IDR0.PRI`.
        3:3 priq_abt_err,
        /// An access to the event queue aborted.
        2:2 eventq_abt_err,
        /// A command cannot be processed; `SMMU_CMDQ_CONS.ERR` says why.
        0:0 cmdq_err,
    }

    /// `SMMU_STRTAB_BASE`. Reset: UNKNOWN, here 0.
    pub struct StrtabBase(u64) {
        /// Read-allocate hint.
        62:62 ra,
        /// Address bits 55:6.
        55:6 addr,
    }

    /// `SMMU_STRTAB_BASE_CFG`. Reset: UNKNOWN, here 0.
    pub struct StrtabBaseCfg(u32) {
        /// 1: two levels; every other value: linear.
        17:16 format,
        /// StreamID bits resolved by the second level: 6, 8 or 10; every other value behaves as 6.
        10:6 split,
        /// log2 of the number of StreamIDs.
        5:0 log2size,
    }

    /// `SMMU_CMDQ_BASE`, `SMMU_EVENTQ_BASE` and `SMMU_PRIQ_BASE`. Reset: UNKNOWN, here 0.
    pub struct QueueBase(u64) {
        /// Allocation hint (`RA` or `WA`).
        62:62 hint,
        /// Address bits 55:5.
        55:5 addr,
        /// log2 of the number of entries.
        4:0 log2size,
    }

    /// `SMMU_CMDQ_PROD`. Reset: UNKNOWN, here 0.
    pub struct CmdqProd(u32) {
        /// Write index with its wrap flag.
        19:0 wr,
    }

    /// `SMMU_CMDQ_CONS`. Reset: UNKNOWN, here 0.
    pub struct CmdqCons(u32) {
        /// Why `GERROR.CMDQ_ERR` was raised.
        30:24 err with_err,
        /// Read index with its wrap flag.
        19:0 rd with_rd,
    }

    /// `SMMU_EVENTQ_PROD`. Reset: UNKNOWN, here 0.
    pub struct EventqProd(u32) {
        /// Overflow flag: records were lost while it differs from `OVACKFLG`.
        31:31 ovflg with_ovflg,
        /// Write index with its wrap flag.
        19:0 wr with_wr,
    }

    /// `SMMU_EVENTQ_CONS`. Reset: UNKNOWN, here 0.
    pub struct EventqCons(u32) {
        /// Overflow acknowledged.
        31:31 ovackflg,
        /// Read index with its wrap flag.
        19:0 rd,
    }

    /// `SMMU_PRIQ_PROD`. Reset: UNKNOWN, here 0.
    pub struct PriqProd(u32) {
        /// Overflow flag: nothing is written while it differs from `OVACKFLG`.
        31:31 ovflg with_ovflg,
        /// Write index with its wrap flag.
        19:0 wr with_wr,
    }

    /// `SMMU_PRIQ_CONS`. Reset: UNKNOWN, here 0.
    pub struct PriqCons(u32) {
        /// Overflow acknowledged.
        31:31 ovackflg,
        /// Read index with its wrap flag.
        19:0 rd,
    }

    /// `SMMU_PRIQ_IRQ_CFG2`. Reset: UNKNOWN, here 0.
    pub struct PriqIrqCfg2(u32) {
        /// Last only: interrupt when the last request of a group arrives, instead of when the queue becomes non-empty.
        31:31 lo,
        /// Shareability of the MSI.
        5:4 sh,
        /// Memory type of the MSI.
        3:0 memattr,
    }

    /// `SMMU_*_IRQ_CFG0`. Reset: UNKNOWN, here 0.
    pub struct IrqCfg0(u64) {
        /// Address bits 55:2 of the MSI; 0: no MSI.
        55:2 addr,
    }

    /// `SMMU_*_IRQ_CFG2`. Reset: UNKNOWN, here 0.
    pub struct IrqCfg2(u32) {
        /// Shareability of the MSI.
        5:4 sh,
        /// Memory type of the MSI.
        3:0 memattr,
    }
}
