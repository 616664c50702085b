// SPDX-License-Identifier: GPL-2.0-or-later
//! The Performance Monitor Counter Group of the rig's SMMU (`IHI0070 §10`).

use anyhow::Result;

use super::super::{Descriptor, Engine};
use super::{Rig, SMMU};

/// From the SMMU's registers to the group's page 0: the platform bus has them side by side.
pub const PMCG: u64 = 0x2_0000;
/// To its page 1.
pub const PAGE_1: u64 = PMCG + 0x1_0000;

/// Registers, `IHI0070 §10.5.1`.
mod register {
    use super::{PAGE_1, PMCG, SMMU};

    pub const EVCNTR: u64 = SMMU + PAGE_1;
    pub const EVTYPER: u64 = SMMU + PMCG + 0x400;
    pub const SVR: u64 = SMMU + PAGE_1 + 0x600;
    pub const SMR: u64 = SMMU + PMCG + 0xa00;
    pub const CNTENSET: u64 = SMMU + PMCG + 0xc00;
    pub const INTENSET: u64 = SMMU + PMCG + 0xc40;
    pub const OVSSET: u64 = SMMU + PAGE_1 + 0xcc0;
    pub const CR: u64 = SMMU + PMCG + 0xe04;
    pub const IRQ_CTRL: u64 = SMMU + PMCG + 0xe50;
    pub const IRQ_CFG0: u64 = SMMU + PMCG + 0xe58;
    pub const IRQ_CFG1: u64 = SMMU + PMCG + 0xe60;
    pub const IRQ_STATUS: u64 = SMMU + PMCG + 0xe68;
}

/// The interrupt controller's distributor.
const GICD: u64 = 0x0800_0000;
/// INTID of the overflow interrupt: the fifth of the platform bus, whose first SPI is 112.
const INTID: u64 = 32 + 112 + 4;

/// What a counter counts.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// `EVTYPER.EVENT`.
    pub event: u64,
    /// `EVTYPER.OVFCAP`.
    pub capture: bool,
    /// `SMR.STREAMID`.
    pub stream: u64,
    /// `EVTYPER.FILTER_SID_SPAN`.
    pub span: bool,
    /// Where it begins.
    pub value: u64,
}

impl Rig {
    /// How many accesses the endpoint says that a descriptor takes.
    pub fn accesses_of(&mut self, engine: &mut Engine, descriptor: Descriptor) -> Result<u64> {
        let bar = self.endpoint.bar;
        let read = |rig: &mut Self| -> Result<u64> {
            Ok(rig.qtest.readq(bar + 0x100)? + rig.qtest.readq(bar + 0x108)?)
        };
        let before = read(self)?;
        self.warm_up(engine, descriptor)?;
        Ok(read(self)? - before)
    }

    /// Makes the overflow interrupt edge-triggered, as firmware describes it.
    pub fn watch_counters(&mut self) -> Result<()> {
        let at = GICD + 0xc00 + 4 * (INTID / 16);
        let edges = self.qtest.readl(at)?;
        self.qtest.writel(at, edges | 2 << (2 * (INTID % 16)))
    }

    /// Whether the overflow interrupt has come by wire.
    pub fn counter_interrupt(&mut self) -> Result<bool> {
        Ok(self.qtest.readl(GICD + 0x200 + 4 * (INTID / 32))? >> (INTID % 32) & 1 != 0)
    }

    /// Sets counter `n` up.
    pub fn count(&mut self, n: u64, counter: Counter) -> Result<()> {
        let word = counter.event | u64::from(counter.span) << 29 | u64::from(counter.capture) << 31;
        self.qtest.writel(register::EVTYPER + 4 * n, u32::try_from(word)?)?;
        self.qtest.writel(register::SMR + 4 * n, u32::try_from(counter.stream)?)?;
        self.set_counter(n, counter.value)
    }

    /// Sets the value of counter `n`.
    pub fn set_counter(&mut self, n: u64, value: u64) -> Result<()> {
        self.qtest.writeq(register::EVCNTR + 8 * n, value)
    }

    /// Where overflows write their message.
    pub fn counter_messages(&mut self, address: u64, data: u32) -> Result<()> {
        self.qtest.writeq(register::IRQ_CFG0, address)?;
        self.qtest.writel(register::IRQ_CFG1, data)
    }

    /// Counters begin to count, and some to interrupt.
    pub fn start_counters(&mut self, count: u64, interrupt: u64) -> Result<()> {
        self.qtest.writeq(register::CNTENSET, count)?;
        self.qtest.writeq(register::INTENSET, interrupt)?;
        self.qtest.writel(register::IRQ_CTRL, 1)?;
        self.qtest.writel(register::CR, 1)
    }

    /// No counter counts or interrupts.
    pub fn stop_counters(&mut self) -> Result<()> {
        self.qtest.writel(register::CR, 0)?;
        self.qtest.writel(register::IRQ_CTRL, 0)
    }

    /// The first counters' values.
    pub fn counters<const N: usize>(&mut self) -> Result<[u64; N]> {
        self.array(register::EVCNTR)
    }

    /// What was captured of them.
    pub fn captured<const N: usize>(&mut self) -> Result<[u64; N]> {
        self.array(register::SVR)
    }

    fn array<const N: usize>(&mut self, at: u64) -> Result<[u64; N]> {
        let mut values = [0; N];
        for (n, value) in values.iter_mut().enumerate() {
            *value = self.qtest.readq(at + 8 * n as u64)?;
        }
        Ok(values)
    }

    /// `OVS`.
    pub fn overflows(&mut self) -> Result<u64> {
        self.qtest.readq(register::OVSSET)
    }

    /// `IRQ_STATUS`.
    pub fn counter_status(&mut self) -> Result<u32> {
        self.qtest.readl(register::IRQ_STATUS)
    }
}
