// SPDX-License-Identifier: GPL-2.0-or-later
//! What a device that keeps translations is told by an SMMUv3 with both stages: `iommu-bench`, `Operation::Ask`.

use anyhow::{Result, ensure};

use super::{Context, Leaf, Rig};
use crate::scenario::{Finding, place};

/// Vendor and device of `iommu-bench`.
pub const IDENTITY: u32 = 0x53b0_1234;

/// Its registers.
mod register {
    pub const START: u64 = 0x00;
    pub const BASE: u64 = 0x08;
    pub const TOLD: u64 = 0xa8;
    pub const HEARD: u64 = 0xb0;
}
/// `Operation::Ask`.
const ASK: u64 = 4;

/// Where stage 2's only table is: one entry a GiB.
const STAGE_2: u64 = 0x4200_0000;
/// The GiB of the machine's memory, as stage 2 shows it once more, for reading alone.
const READ_ONLY: u64 = 0x8000_0000;
const RAM: u64 = 0x4000_0000;

impl Rig {
    /// Stage 1 with every page writable, and stage 2: 39 bits, the machine's memory twice.
    fn two_stages(&mut self) -> Result<()> {
        self.map_identity(1)?;
        self.map(place::DATA + 0x1000, Leaf::all(place::DATA - RAM + READ_ONLY))?;
        let (block, accessed, shareable, normal) = (1, 1 << 10, 0b11 << 8, 0b1111 << 2);
        let entry = |output: u64, access: u64| output | block | accessed | shareable | normal | access << 6;
        self.qtest.memset(STAGE_2, 4096, 0)?;
        self.qtest.writeq(STAGE_2 + 8, entry(RAM, 0b11))?;
        self.qtest.writeq(STAGE_2 + 16, entry(RAM, 0b01))?;
        self.enable(Context::default())?;
        // S2T0SZ 25, S2SL0 1, S2IR0, S2OR0, S2SH0, S2PS 44 bits, S2AA64, S2R; VMID 0.
        let cacheable = 0b01 << 40 | 0b01 << 42 | 0b11 << 44;
        self.add_stage_2(25 << 32 | 1 << 38 | cacheable | 4 << 48 | 1 << 51 | 1 << 58, STAGE_2)
    }

    /// What it is told of an address: bit 0 reads, bit 1 writes are allowed.
    fn ask(&mut self, address: u64) -> Result<u64> {
        let bar = self.endpoint.bar;
        self.qtest.writeq(bar + register::BASE, address)?;
        self.qtest.writeq(bar + register::START, ASK)?;
        self.qtest.readq(bar + register::TOLD)
    }
}

/// A page that stage 1 lets be written, and stage 2 does not.
pub fn permissions(rig: &mut Rig) -> Result<Finding> {
    rig.two_stages()?;
    let whole = rig.ask(place::DATA)?;
    ensure!(whole == 0b11, "a page that both stages let be written: {whole:#b}");
    let told = rig.ask(place::DATA + 0x1000)?;
    Ok(Finding {
        correct: told == 0b01,
        seen: match told {
            0b01 => "may be read".into(),
            0b11 => "may be read and written, it is told".into(),
            other => format!("is told {other:#b}"),
        },
    })
}

/// All of stage 1 is invalidated.
pub fn invalidation(rig: &mut Rig) -> Result<Finding> {
    rig.two_stages()?;
    let told = rig.ask(place::DATA)?;
    ensure!(told == 0b11, "a page that both stages let be written: {told:#b}");
    let heard = |rig: &mut Rig| rig.qtest.readq(rig.endpoint.bar + register::HEARD);
    let before = heard(rig)?;
    // CMD_TLBI_NH_ALL of VMID 0, CMD_SYNC.
    rig.command([0x10, 0])?;
    rig.command([0x46, 0])?;
    rig.settle()?;
    let times = heard(rig)? - before;
    Ok(Finding { correct: times != 0, seen: format!("hears of it {times} times") })
}
