// SPDX-License-Identifier: GPL-2.0-or-later
//! The endpoint as a PCIe function: its place in configuration space, and the extended capabilities that a driver
//! would switch on.

use anyhow::{Result, bail};

use super::Engine;
use crate::cli::Model;
use crate::qtest::Qtest;

/// Vendor and device of `sva-testdev`.
const IDENTITY: u32 = 0x53a0_1234;
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

/// A function on the root bus.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    ecam: u64,
    /// Device and function: on the root bus its source-id or StreamID.
    pub devfn: u64,
    /// Its registers.
    pub bar: u64,
}

impl Function {
    /// Endpoint `n` of a machine, with its registers in reach, as a bus master.
    pub fn start(q: &mut Qtest, model: Model, n: u64) -> Result<Self> {
        Self::start_other(q, model, n, IDENTITY)
    }

    /// The same for another kind of function, by its vendor and device.
    pub fn start_other(q: &mut Qtest, model: Model, n: u64, wanted: u32) -> Result<Self> {
        let (ecam, bars) = match model {
            Model::Smmuv3 => (ARM_ECAM, 0x1000_0000),
            Model::Vtd => (PC_ECAM, 0xe000_0000),
        };
        if model == Model::Vtd {
            // By ports, to the host bridge 00:00.0: base and enable.
            for (register, value) in [(PCIEXBAR + 4, 0), (PCIEXBAR, u32::try_from(PC_ECAM)? | 1)] {
                q.outl(0xcf8, 1 << 31 | register)?;
                q.outl(0xcfc, value)?;
            }
        }
        let function = Self { ecam, devfn: (4 + n) << 3, bar: bars + BAR_STEP * n };
        let identity = function.read(q, 0)?;
        if identity != wanted {
            bail!("not {wanted:#010x} at 00:{:02x}.0, but {identity:#010x}", function.devfn >> 3);
        }
        function.write(q, 0x10, u32::try_from(function.bar)?)?;
        // Memory space and bus master.
        function.write(q, 0x04, 0x6)?;
        Ok(function)
    }

    /// Where its configuration space is in memory.
    pub fn config(&self) -> u64 {
        self.ecam + (self.devfn << 12)
    }

    /// Reads configuration space.
    pub fn read(&self, q: &mut Qtest, offset: u64) -> Result<u32> {
        q.readl(self.config() + offset)
    }

    /// Writes configuration space.
    pub fn write(&self, q: &mut Qtest, offset: u64, value: u32) -> Result<()> {
        q.writel(self.config() + offset, value)
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

    /// A counter of the endpoint, by its offset.
    pub fn counter(&self, q: &mut Qtest, offset: u64) -> Result<u64> {
        q.readq(self.bar + offset)
    }

    /// Engine `n` of the endpoint, with the first ring of a scene.
    pub fn engine(&self, n: u64) -> Engine {
        Engine::new(self.bar, n)
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
    /// Device-TLB invalidations received.
    pub const INVALIDATIONS: u64 = 0x178;
}
