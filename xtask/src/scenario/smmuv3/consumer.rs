// SPDX-License-Identifier: GPL-2.0-or-later
//! What a device that keeps translations is told by an SMMUv3 with both stages: `iommu-bench`, `Operation::Ask`.

use anyhow::{Result, ensure};

use super::second::VMID;
use super::{Context, Leaf, Rig};
use crate::scenario::{Finding, consumer, place};

/// An intermediate address that stage 2 lets nobody write.
const READ_ONLY: u64 = 0x8000_0000;

impl Rig {
    /// Stage 1 with every page writable, and stage 2 with one that is not.
    fn two_stages(&mut self) -> Result<()> {
        self.map_identity(1)?;
        self.map(place::DATA + 0x1000, Leaf::all(READ_ONLY))?;
        self.enable(Context::default())?;
        self.nest()?;
        self.map_second(READ_ONLY, place::DATA, false)
    }

    fn ask(&mut self, address: u64) -> Result<u64> {
        Ok(consumer::ask(&mut self.qtest, &self.endpoint, address)?.allowed)
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

/// All of stage 1 is invalidated, after a page has become another.
pub fn invalidation(rig: &mut Rig) -> Result<Finding> {
    rig.two_stages()?;
    let told = rig.ask(place::DATA)?;
    ensure!(told == 0b11, "a page that both stages let be written: {told:#b}");
    let before = consumer::heard(&mut rig.qtest, &rig.endpoint)?.times;
    rig.map(place::DATA, Leaf::all(place::DATA + 0x2000))?;
    // CMD_TLBI_NH_ALL, CMD_SYNC.
    rig.command([0x10 | VMID << 32, 0])?;
    rig.command([0x46, 0])?;
    rig.settle()?;
    let times = consumer::heard(&mut rig.qtest, &rig.endpoint)?.times - before;
    Ok(Finding { correct: times != 0, seen: format!("hears of it {times} times") })
}
