// SPDX-License-Identifier: GPL-2.0-or-later
//! The register file (`IHI0070 §6.3`): which bits exist, who may write them when, what reads back.
//!
//! Where the specification permits several behaviours, those of SMMUv3.2 are chosen: writes to a register that is
//! Guarded by an enable are ignored while it is on. Updates complete at once: `CR0ACK` and `IRQ_CTRLACK` always
//! show what `CR0` and `IRQ_CTRL` hold, and `GBPA.Update` reads as 0.

use super::config::StreamTable;
use super::features::Features;
use super::queue::Ring;
use super::spec::registers::{self as reg, *};
use super::spec::{command, event, page_request};
use crate::iommu::narrow::{high32, low8, low32};
use crate::layout;

/// What a register write set in motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Nothing beyond the register's own value.
    Value,
    /// `CR0`, with its value before.
    Enables(Cr0),
    /// `CMDQ_PROD`: there may be commands.
    Commands,
    /// `GERRORN`: errors may have been acknowledged.
    Errors,
    /// `EVENTQ_CONS`: there may be room for events.
    Events,
}

layout! {
    /// All that translation reads of the registers, in one word, so that one atomic load is one consistent sample.
    pub struct Gate(u64) {
        /// `CR2.E2H`.
        63:63 e2h with_e2h,
        /// `STRTAB_BASE_CFG.SPLIT`: what it is beyond 6, by half.
        62:61 split with_split,
        /// Performance counters count.
        60:60 counting with_counting,
        /// `CR0.SMMUEN`.
        58:58 enabled with_enabled,
        /// `STRTAB_BASE_CFG.LOG2SIZE`.
        57:52 log2size with_log2size,
        /// `STRTAB_BASE.ADDR`, address bits 51:6.
        51:6 addr with_addr,
        /// `CR2.REC_CFG_ATS`.
        5:5 record_ats with_record_ats,
        /// `CR0.ATSCHK`.
        4:4 check_ats with_check_ats,
        /// `STRTAB_BASE_CFG.FMT` is 1.
        3:3 two_level with_two_level,
        /// `CR2.RECINVSID`.
        2:2 record_bad_stream with_record_bad_stream,
        /// `GBPA.ABORT`.
        1:1 abort with_abort,
        /// Translation is on and nobody counts: the one question of every translation.
        0:0 plain with_plain,
    }
}

impl Gate {
    /// With what the registers do not say: whether performance counters count.
    #[must_use]
    pub fn counted(self, counting: bool) -> Self {
        let plain = self.enabled() != 0 && !counting;
        self.with_counting(counting.into()).with_plain(plain.into())
    }

    /// The stream table.
    #[must_use]
    pub fn table(self) -> StreamTable {
        StreamTable {
            base: self.addr().wrapping_shl(6),
            log2size: low8(self.log2size()),
            split: low8(self.split().wrapping_mul(2).wrapping_add(6)),
            two_level: self.two_level() != 0,
            record_bad_stream: self.record_bad_stream() != 0,
            e2h: self.e2h() != 0,
            check_ats: self.check_ats() != 0,
        }
    }
}

/// Values of all registers that are not constant. What is Reserved is never set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// `CR0`.
    pub cr0: u32,
    /// `CR1`.
    pub cr1: u32,
    /// `CR2`.
    pub cr2: u32,
    /// `GBPA`.
    pub gbpa: u32,
    /// `IRQ_CTRL`.
    pub irq_ctrl: u32,
    /// `GERROR`.
    pub gerror: u32,
    /// `GERRORN`.
    pub gerrorn: u32,
    /// `GERROR_IRQ_CFG0`.
    pub gerror_irq_cfg0: u64,
    /// `GERROR_IRQ_CFG1`.
    pub gerror_irq_cfg1: u32,
    /// `GERROR_IRQ_CFG2`.
    pub gerror_irq_cfg2: u32,
    /// `STRTAB_BASE`.
    pub strtab_base: u64,
    /// `STRTAB_BASE_CFG`.
    pub strtab_base_cfg: u32,
    /// `CMDQ_BASE`.
    pub cmdq_base: u64,
    /// `CMDQ_PROD`.
    pub cmdq_prod: u32,
    /// `CMDQ_CONS`.
    pub cmdq_cons: u32,
    /// `EVENTQ_BASE`.
    pub eventq_base: u64,
    /// `EVENTQ_PROD`.
    pub eventq_prod: u32,
    /// `EVENTQ_CONS`.
    pub eventq_cons: u32,
    /// `EVENTQ_IRQ_CFG0`.
    pub eventq_irq_cfg0: u64,
    /// `EVENTQ_IRQ_CFG1`.
    pub eventq_irq_cfg1: u32,
    /// `EVENTQ_IRQ_CFG2`.
    pub eventq_irq_cfg2: u32,
    /// `PRIQ_BASE`.
    pub priq_base: u64,
    /// `PRIQ_PROD`.
    pub priq_prod: u32,
    /// `PRIQ_CONS`.
    pub priq_cons: u32,
    /// `PRIQ_IRQ_CFG0`.
    pub priq_irq_cfg0: u64,
    /// `PRIQ_IRQ_CFG1`.
    pub priq_irq_cfg1: u32,
    /// `PRIQ_IRQ_CFG2`.
    pub priq_irq_cfg2: u32,
}

/// Bits that exist in a register of an SMMU with these features; the others are RES0.
pub mod masks {
    use super::Features;

    /// `CR1`, fields of table accesses.
    pub const CR1_TABLE: u32 = 0xfc0;
    /// `CR1`, fields of queue accesses.
    pub const CR1_QUEUE: u32 = 0x3f;
    /// `GBPA`, but for `Update`.
    pub const GBPA: u32 = 0x001f_3f1f;
    /// `*_PROD.WR` and `*_CONS.RD`.
    pub const INDEX: u32 = 0x000f_ffff;
    /// `*_PROD` and `*_CONS` of the event queue and the PRI queue, with the overflow flag.
    pub const OVERFLOW_INDEX: u32 = 0x800f_ffff;
    /// `CMDQ_CONS`, with `ERR`.
    pub const CMDQ_CONS: u32 = 0x7f0f_ffff;
    /// `*_IRQ_CFG2`.
    pub const IRQ_CFG2: u32 = 0x3f;

    /// `mask` where a feature is there, else nothing.
    fn only(feature: bool, mask: u32) -> u32 {
        if feature { mask } else { 0 }
    }

    /// `CR0`; `VMW` with stage 2.
    #[must_use]
    pub fn cr0(f: &Features) -> u32 {
        0b1101 | only(f.pri, 1 << 1) | only(f.ats, 1 << 4) | only(f.stage2 && f.vmid_wildcards, 7 << 6)
    }

    /// `CR2`: `RECINVSID`, `REC_CFG_ATS` with ATS, and `E2H` with EL2 contexts. `PTM` needs broadcast maintenance.
    #[must_use]
    pub fn cr2(f: &Features) -> u32 {
        0b10 | only(f.hyp, 1) | only(f.ats, 1 << 3)
    }

    /// `IRQ_CTRL`.
    #[must_use]
    pub fn irq_ctrl(f: &Features) -> u32 {
        0b101 | only(f.pri, 1 << 1)
    }

    /// `GERROR` and `GERRORN`.
    #[must_use]
    pub fn gerror(f: &Features) -> u32 {
        0x105 | only(f.msi, 0xb0) | only(f.pri, 1 << 3) | only(f.pri && f.msi, 1 << 6)
    }

    /// `STRTAB_BASE`.
    #[must_use]
    pub fn strtab_base(f: &Features) -> u64 {
        f.oas.mask() & !0x3f | 1 << 62
    }

    /// `STRTAB_BASE_CFG`.
    #[must_use]
    pub fn strtab_base_cfg(f: &Features) -> u32 {
        if f.two_level_streams { 0x0003_07ff } else { 0x3f }
    }

    /// `CMDQ_BASE`, `EVENTQ_BASE` and `PRIQ_BASE`.
    #[must_use]
    pub fn queue_base(f: &Features) -> u64 {
        f.oas.mask() & !0x1f | 1 << 62 | 0x1f
    }

    /// `*_IRQ_CFG0`.
    #[must_use]
    pub fn irq_cfg0(f: &Features) -> u64 {
        if f.msi { f.oas.mask() & !0x3 } else { 0 }
    }

    /// `*_IRQ_CFG1`.
    #[must_use]
    pub fn irq_cfg1(f: &Features) -> u32 {
        if f.msi { u32::MAX } else { 0 }
    }

    /// `*_IRQ_CFG2`.
    #[must_use]
    pub fn irq_cfg2(f: &Features) -> u32 {
        if f.msi { IRQ_CFG2 } else { 0 }
    }

    /// `PRIQ_IRQ_CFG2`: `LO` is of wired interrupts too.
    #[must_use]
    pub fn priq_irq_cfg2(f: &Features) -> u32 {
        1 << 31 | irq_cfg2(f)
    }
}

/// Replaces the bits of `old` under `mask`.
fn merge(old: u32, value: u32, mask: u32) -> u32 {
    old & !mask | value & mask
}

/// Replaces one half of a 64-bit register, as far as `mask` allows.
pub(super) fn merge_half(old: u64, high: bool, value: u32, mask: u64) -> u64 {
    let (shift, half) = if high { (32, 0xffff_ffff_0000_0000) } else { (0, 0xffff_ffff) };
    old & !half | u64::from(value).wrapping_shl(shift) & half & mask
}

pub(super) fn half(register: u64, high: bool) -> u32 {
    if high { high32(register) } else { low32(register) }
}

impl Registers {
    /// Reset values. Where the specification has UNKNOWN, zero.
    #[must_use]
    pub fn reset() -> Self {
        Self { gbpa: Gbpa::default().with_shcfg(1).bits(), ..Self::default() }
    }

    /// `CR0` by field.
    #[must_use]
    pub fn enables(&self) -> Cr0 {
        self.cr0.into()
    }

    /// `IRQ_CTRL` by field.
    #[must_use]
    pub fn interrupts(&self) -> IrqCtrl {
        self.irq_ctrl.into()
    }

    /// The errors that are active.
    #[must_use]
    pub fn errors(&self) -> Gerror {
        (self.gerror ^ self.gerrorn).into()
    }

    /// The command queue.
    #[must_use]
    pub fn cmdq(&self, f: &Features) -> Ring {
        Ring::new(self.cmdq_base.into(), f.cmdq_log2, f.oas.mask(), command::ENTRY_SIZE)
    }

    /// The event queue.
    #[must_use]
    pub fn eventq(&self, f: &Features) -> Ring {
        Ring::new(self.eventq_base.into(), f.evtq_log2, f.oas.mask(), event::ENTRY_SIZE)
    }

    /// The PRI queue.
    #[must_use]
    pub fn priq(&self, f: &Features) -> Ring {
        Ring::new(self.priq_base.into(), f.priq_log2, f.oas.mask(), page_request::ENTRY_SIZE)
    }

    /// The sample for translation.
    #[must_use]
    pub fn gate(&self) -> Gate {
        let cfg = StrtabBaseCfg::from(self.strtab_base_cfg);
        Gate::default()
            .with_enabled(self.enables().smmuen().into())
            .with_abort(Gbpa::from(self.gbpa).abort().into())
            .with_check_ats(self.enables().atschk().into())
            .with_record_ats(Cr2::from(self.cr2).rec_cfg_ats().into())
            .with_record_bad_stream(Cr2::from(self.cr2).recinvsid().into())
            .with_e2h(Cr2::from(self.cr2).e2h().into())
            .with_two_level((cfg.format() == 1).into())
            .with_addr(StrtabBase::from(self.strtab_base).addr())
            .with_log2size(cfg.log2size().into())
            .with_split(match cfg.split() {
                8 => 1,
                10 => 2,
                _ => 0,
            })
    }

    /// Reads the 32-bit word at `offset`, which must be a multiple of 4. What is not defined reads as 0.
    #[must_use]
    pub fn read32(&self, f: &Features, offset: u64) -> u32 {
        let high = offset & 4 != 0;
        match offset {
            IDR0 => f.idr0(),
            IDR1 => f.idr1(),
            IDR2 => f.idr2(),
            IDR3 => f.idr3(),
            IDR4 => f.idr4(),
            IDR5 => f.idr5(),
            IIDR => f.iidr(),
            AIDR => f.aidr(),
            reg::CR0 | CR0ACK => self.cr0,
            CR1 => self.cr1,
            CR2 => self.cr2,
            GBPA => self.gbpa,
            IRQ_CTRL | IRQ_CTRLACK => self.irq_ctrl,
            GERROR => self.gerror,
            GERRORN => self.gerrorn,
            GERROR_IRQ_CFG0 | 0x6c => half(self.gerror_irq_cfg0, high),
            GERROR_IRQ_CFG1 => self.gerror_irq_cfg1,
            GERROR_IRQ_CFG2 => self.gerror_irq_cfg2,
            STRTAB_BASE | 0x84 => half(self.strtab_base, high),
            STRTAB_BASE_CFG => self.strtab_base_cfg,
            CMDQ_BASE | 0x94 => half(self.cmdq_base, high),
            CMDQ_PROD => self.cmdq_prod,
            CMDQ_CONS => {
                let cons = CmdqCons::from(self.cmdq_cons);
                cons.with_rd(self.cmdq(f).pointer(cons.rd())).bits()
            }
            EVENTQ_BASE | 0xa4 => half(self.eventq_base, high),
            EVENTQ_PROD | EVENTQ_PROD_ALIAS => {
                let prod = EventqProd::from(self.eventq_prod);
                prod.with_wr(self.eventq(f).pointer(prod.wr())).bits()
            }
            EVENTQ_CONS | EVENTQ_CONS_ALIAS => self.eventq_cons,
            EVENTQ_IRQ_CFG0 | 0xb4 => half(self.eventq_irq_cfg0, high),
            EVENTQ_IRQ_CFG1 => self.eventq_irq_cfg1,
            EVENTQ_IRQ_CFG2 => self.eventq_irq_cfg2,
            ID_REGS..ID_REGS_END => id_register(offset),
            _ if f.pri => self.read_page_request(f, offset),
            _ => 0,
        }
    }

    /// The registers of the PRI queue, which are there with `IDR0.PRI`.
    fn read_page_request(&self, f: &Features, offset: u64) -> u32 {
        let high = offset & 4 != 0;
        match offset {
            PRIQ_BASE | 0xc4 => half(self.priq_base, high),
            PRIQ_PROD | PRIQ_PROD_ALIAS => {
                let prod = PriqProd::from(self.priq_prod);
                prod.with_wr(self.priq(f).pointer(prod.wr())).bits()
            }
            PRIQ_CONS | PRIQ_CONS_ALIAS => self.priq_cons,
            PRIQ_IRQ_CFG0 | 0xd4 => half(self.priq_irq_cfg0, high),
            PRIQ_IRQ_CFG1 => self.priq_irq_cfg1,
            PRIQ_IRQ_CFG2 => self.priq_irq_cfg2,
            _ => 0,
        }
    }

    /// Writes the 32-bit word at `offset`, which must be a multiple of 4. What is not defined, read-only, or Guarded by
    /// something that is on, ignores it.
    pub fn write32(&mut self, f: &Features, offset: u64, value: u32) -> Written {
        let high = offset & 4 != 0;
        let enables = self.enables();
        let table = enables.smmuen() == 0;
        let commands = enables.cmdqen() == 0;
        let events = enables.eventqen() == 0;
        let irq = self.interrupts();
        match offset {
            reg::CR0 => {
                self.cr0 = value & masks::cr0(f);
                return Written::Enables(enables);
            }
            CR1 => {
                let mut mask = 0;
                if table {
                    mask |= masks::CR1_TABLE;
                }
                if commands && events && enables.priqen() == 0 {
                    mask |= masks::CR1_QUEUE;
                }
                self.cr1 = merge(self.cr1, value, mask);
            }
            CR2 if table => self.cr2 = value & masks::cr2(f),
            GBPA if Gbpa::from(value).update() != 0 => self.gbpa = value & masks::GBPA,
            IRQ_CTRL => self.irq_ctrl = value & masks::irq_ctrl(f),
            GERRORN => {
                self.gerrorn = value & masks::gerror(f);
                return Written::Errors;
            }
            GERROR_IRQ_CFG0 | 0x6c if irq.gerror_irqen() == 0 => {
                self.gerror_irq_cfg0 = merge_half(self.gerror_irq_cfg0, high, value, masks::irq_cfg0(f));
            }
            GERROR_IRQ_CFG1 if irq.gerror_irqen() == 0 => self.gerror_irq_cfg1 = value & masks::irq_cfg1(f),
            GERROR_IRQ_CFG2 if irq.gerror_irqen() == 0 => self.gerror_irq_cfg2 = value & masks::irq_cfg2(f),
            STRTAB_BASE | 0x84 if table => {
                self.strtab_base = merge_half(self.strtab_base, high, value, masks::strtab_base(f));
            }
            STRTAB_BASE_CFG if table => self.strtab_base_cfg = value & masks::strtab_base_cfg(f),
            CMDQ_BASE | 0x94 if commands => {
                self.cmdq_base = merge_half(self.cmdq_base, high, value, masks::queue_base(f));
            }
            CMDQ_PROD => {
                self.cmdq_prod = value & masks::INDEX;
                return Written::Commands;
            }
            // ERR is permitted to ignore the write, and does: what an error said stays until the next one.
            CMDQ_CONS if commands => self.cmdq_cons = merge(self.cmdq_cons, value, masks::INDEX),
            EVENTQ_BASE | 0xa4 if events => {
                self.eventq_base = merge_half(self.eventq_base, high, value, masks::queue_base(f));
            }
            EVENTQ_PROD | EVENTQ_PROD_ALIAS if events => self.eventq_prod = value & masks::OVERFLOW_INDEX,
            EVENTQ_CONS | EVENTQ_CONS_ALIAS => {
                self.eventq_cons = value & masks::OVERFLOW_INDEX;
                return Written::Events;
            }
            EVENTQ_IRQ_CFG0 | 0xb4 if irq.eventq_irqen() == 0 => {
                self.eventq_irq_cfg0 = merge_half(self.eventq_irq_cfg0, high, value, masks::irq_cfg0(f));
            }
            EVENTQ_IRQ_CFG1 if irq.eventq_irqen() == 0 => self.eventq_irq_cfg1 = value & masks::irq_cfg1(f),
            EVENTQ_IRQ_CFG2 if irq.eventq_irqen() == 0 => self.eventq_irq_cfg2 = value & masks::irq_cfg2(f),
            _ if f.pri => self.write_page_request(f, offset, value),
            _ => {}
        }
        Written::Value
    }

    /// The registers of the PRI queue; Guarded by `PRIQEN` itself, whatever `SMMUEN` is (`IHI0070 §6.3.9.5`).
    fn write_page_request(&mut self, f: &Features, offset: u64, value: u32) {
        let high = offset & 4 != 0;
        let requests = self.enables().priqen() == 0;
        let irq = self.interrupts().priq_irqen() == 0;
        match offset {
            PRIQ_BASE | 0xc4 if requests => {
                self.priq_base = merge_half(self.priq_base, high, value, masks::queue_base(f));
            }
            PRIQ_PROD | PRIQ_PROD_ALIAS if requests => self.priq_prod = value & masks::OVERFLOW_INDEX,
            PRIQ_CONS | PRIQ_CONS_ALIAS => self.priq_cons = value & masks::OVERFLOW_INDEX,
            PRIQ_IRQ_CFG0 | 0xd4 if irq => {
                self.priq_irq_cfg0 = merge_half(self.priq_irq_cfg0, high, value, masks::irq_cfg0(f));
            }
            PRIQ_IRQ_CFG1 if irq => self.priq_irq_cfg1 = value & masks::irq_cfg1(f),
            PRIQ_IRQ_CFG2 if irq => self.priq_irq_cfg2 = value & masks::priq_irq_cfg2(f),
            _ => {}
        }
    }
}

/// `SMMU_PIDRn` and `SMMU_CIDRn`: the standard preamble, and as in `IIDR` neither a designer nor a part number.
pub(super) fn id_register(offset: u64) -> u32 {
    match offset {
        // PIDR2.JEDEC is always 1.
        0xfe8 => 0x08,
        // CIDR0 to CIDR3.
        0xff0 => 0x0d,
        0xff4 => 0xf0,
        0xff8 => 0x05,
        0xffc => 0xb1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
