// SPDX-License-Identifier: GPL-2.0-or-later
//! The endpoint as a PCIe function: its place in configuration space, and the extended capabilities that a driver
//! would switch on.

use anyhow::{Result, bail};

use super::Engine;
use crate::cli::Model;
use crate::qtest::Qtest;

/// Vendor and device of `sva-testdev`.
pub const IDENTITY: u32 = 0x53a0_1234;
/// Configuration space of Arm's machine with `highmem=off`.
const ARM_ECAM: u64 = 0x3f00_0000;
/// Where a PC's is put: no firmware has run.
const PC_ECAM: u64 = 0xb000_0000;
/// `PCIEXBAR` of q35's host bridge.
const PCIEXBAR: u32 = 0x60;
/// From one endpoint's BAR to the next one's.
const BAR_STEP: u64 = 0x10_0000;

/// What can be switched on: extended capability, the word of its control register, and the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// PASIDs (`PCIe §7.8.9`), requests with privilege and execution included.
    Pasid,
    /// Address translation services (`PCIe §10.5.1`).
    Ats,
    /// Page requests (`PCIe §10.5.2`), with as many outstanding as the function offers.
    Pri,
}

/// An endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its configuration space in memory.
    pub config: u64,
    /// Bus, device and function: its source-id or StreamID.
    pub source: u64,
    /// Its registers.
    pub bar: u64,
}

/// Where configuration space and the endpoints' registers are.
fn places(model: Model) -> (u64, u64) {
    match model {
        Model::Smmuv3 => (ARM_ECAM, 0x1000_0000),
        Model::Vtd => (PC_ECAM, 0xe000_0000),
    }
}

impl Function {
    /// Endpoint `n` on the root bus of a machine, with its registers in reach, as a bus master.
    pub fn start(q: &mut Qtest, model: Model, n: u64) -> Result<Self> {
        Self::start_other(q, model, n, IDENTITY)
    }

    /// The same for another kind of function, by its vendor and device.
    pub fn start_other(q: &mut Qtest, model: Model, n: u64, wanted: u32) -> Result<Self> {
        if model == Model::Vtd {
            // By ports, to the host bridge 00:00.0: base and enable.
            for (register, value) in [(PCIEXBAR + 4, 0), (PCIEXBAR, u32::try_from(PC_ECAM)? | 1)] {
                q.outl(0xcf8, 1 << 31 | register)?;
                q.outl(0xcfc, value)?;
            }
        }
        let (ecam, bars) = places(model);
        let source = (4 + n) << 3;
        let function = Self { config: ecam + (source << 12), source, bar: bars + BAR_STEP * n };
        function.bring_up(q, wanted)?;
        Ok(function)
    }

    fn bring_up(&self, q: &mut Qtest, wanted: u32) -> Result<()> {
        let identity = self.read(q, 0)?;
        if identity != wanted {
            bail!("not {wanted:#010x} with source-id {:#x}, but {identity:#010x}", self.source);
        }
        self.write(q, 0x10, u32::try_from(self.bar)?)?;
        self.write(q, 0x18, u32::try_from(self.bar)? + 0x2_0000)?;
        // Memory space and bus master.
        self.write(q, 0x04, 0x6)
    }

    /// Reads configuration space.
    pub fn read(&self, q: &mut Qtest, offset: u64) -> Result<u32> {
        q.readl(self.config + offset)
    }

    /// Writes configuration space.
    pub fn write(&self, q: &mut Qtest, offset: u64, value: u32) -> Result<()> {
        q.writel(self.config + offset, value)
    }

    /// Offset of an extended capability.
    pub fn extended(&self, q: &mut Qtest, id: u32) -> Result<u64> {
        let mut offset = 0x100;
        loop {
            let head = self.read(q, offset)?;
            if head & 0xffff == id {
                return Ok(offset);
            }
            offset = u64::from(head >> 20);
            if offset == 0 {
                bail!("the endpoint has no extended capability {id:#x}");
            }
        }
    }

    /// Switches a capability on.
    pub fn enable(&self, q: &mut Qtest, capability: Capability) -> Result<()> {
        match capability {
            Capability::Pasid => {
                let at = self.extended(q, 0x1b)? + 4;
                // What is offered in the low half, what is enabled in the high one: PASIDs, execution, privilege.
                let word = self.read(q, at)?;
                self.write(q, at, word & 0xffff | (word & 0b110 | 1) << 16)
            }
            Capability::Ats => {
                let at = self.extended(q, 0xf)? + 4;
                let word = self.read(q, at)?;
                self.write(q, at, word | 1 << 31)
            }
            Capability::Pri => {
                let at = self.extended(q, 0x13)?;
                let outstanding = self.read(q, at + 8)?;
                self.write(q, at + 0xc, outstanding)?;
                self.write(q, at + 4, 1)
            }
        }
    }

    /// Switches MSI-X on, with that message for vector 0 (`PCIe §7.7.2`); the function's interrupts are unmasked.
    pub fn enable_msix(&self, q: &mut Qtest, address: u64, data: u32) -> Result<()> {
        // Vectors are in BAR2, which is as large as a page and has no place yet.
        let table = self.bar + 0x8_0000;
        self.write(q, 0x18, u32::try_from(table)?)?;
        q.writeq(table, address)?;
        q.writel(table + 8, data)?;
        q.writel(table + 12, 0)?;
        let mut at = u64::from(self.read(q, 0x34)? & 0xff);
        while at != 0 {
            let head = self.read(q, at)?;
            if head & 0xff == 0x11 {
                self.write(q, at, head | 1 << 31)?;
                return q.writel(self.bar + 0x14, u32::MAX);
            }
            at = u64::from(head >> 8 & 0xff);
        }
        bail!("the endpoint has no MSI-X")
    }

    /// The page request interface's status (`PCIe §10.5.2.3`).
    pub fn page_request_status(&self, q: &mut Qtest) -> Result<u32> {
        let at = self.extended(q, 0x13)?;
        Ok(self.read(q, at + 4)? >> 16)
    }

    /// Clears Response Failure, which is RW1C, so that pages are asked for again.
    pub fn clear_page_failure(&self, q: &mut Qtest) -> Result<()> {
        let at = self.extended(q, 0x13)?;
        self.write(q, at + 4, 1 << 16 | 1)
    }

    /// Sends one page request by hand (`docs/sva-testdev.md`): `fields` as in `PRI_SEND`, without its bit 31.
    pub fn send_page_request(
        &self,
        q: &mut Qtest,
        pasid: Option<u32>,
        address: u64,
        fields: u32,
    ) -> Result<()> {
        q.writeq(self.bar + 0x240, address)?;
        q.writel(self.bar + 0x248, pasid.map_or(0, |pasid| 1 << 31 | pasid))?;
        q.writel(self.bar + 0x24c, 1 << 31 | fields)?;
        let status = q.readl(self.bar + 0x250)?;
        if status != 1 {
            bail!("page request {fields:#x} was not sent: PRI_STATUS is {status}");
        }
        Ok(())
    }

    /// A counter of the endpoint, by its offset.
    pub fn counter(&self, q: &mut Qtest, offset: u64) -> Result<u64> {
        q.readq(self.bar + offset)
    }

    /// Engine `n` of the endpoint, with the first ring of a scene.
    pub fn engine(&self, n: u64) -> Engine {
        Engine::new(self.bar, n)
    }
}

/// The root port `00:02.0`, with an endpoint behind it.
pub struct Port {
    slot: u64,
}

impl Port {
    /// Numbers the bus below it, and brings the endpoint's registers into reach. After [`Function::start`].
    pub fn start(q: &mut Qtest, model: Model) -> Result<(Self, Function)> {
        let (ecam, bars) = places(model);
        let (config, bar) = (ecam + (2 << 15), bars + BAR_STEP * 8);
        let window = u32::try_from(bar >> 16)? & 0xfff0;
        // Bus 1, a window for its memory; memory space and bus master.
        q.writel(config + 0x18, 0x01_0100)?;
        q.writel(config + 0x20, window << 16 | window)?;
        q.writel(config + 0x04, 6)?;
        let function = Function { config: ecam + (1 << 20), source: 0x100, bar };
        function.bring_up(q, IDENTITY)?;
        let mut offset = u64::from(q.readl(config + 0x34)? & 0xff);
        for _ in 0..16 {
            let head = q.readl(config + offset)?;
            if head & 0xff == 0x10 {
                return Ok((Self { slot: config + offset + 0x18 }, function));
            }
            offset = u64::from(head >> 8 & 0xff);
        }
        bail!("the root port at {config:#x} has no PCI Express capability")
    }

    /// The slot control register, and what switches the slot off when it is written there: power and power indicator
    /// off (`PCIe §6.7`).
    pub fn off(&self, q: &mut Qtest) -> Result<(u64, u32)> {
        Ok((self.slot, q.readl(self.slot)? & 0xffff | 0x700))
    }

    /// Switches the slot off: the endpoint is unplugged.
    pub fn unplug(&self, q: &mut Qtest) -> Result<()> {
        let (slot, value) = self.off(q)?;
        q.writel(slot, value)
    }
}

/// Offsets of the endpoint's counters, `docs/sva-testdev.md`.
pub mod counter {
    /// Translation requests sent.
    pub const ATS_REQUESTS: u64 = 0x140;
    /// Of those, answered with no translation.
    pub const ATS_FAILED: u64 = 0x148;
    /// Page requests sent.
    pub const PAGE_REQUESTS: u64 = 0x150;
    /// Responses that arrived.
    pub const PAGE_RESPONSES: u64 = 0x158;
    /// Responses to groups that were not outstanding.
    pub const PAGE_RESPONSES_UNEXPECTED: u64 = 0x1b8;
    /// Device-TLB invalidations received.
    pub const INVALIDATIONS: u64 = 0x178;
}
