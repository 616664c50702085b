// SPDX-License-Identifier: GPL-2.0-or-later
//! `examples/accelerator`: a device in a library of its own, beside ours, behind the SMMUv3.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::{Runner, Verdict, plain_machine};
use crate::place;
use crate::scenario::place as at;
use crate::scenario::smmuv3::{Context, Leaf, Rig};
use crate::setup::{self, rust};
use crate::ui::Step;

const IDENTITY: u32 = 0x5acc_1234;
const PASID: u32 = 1;
const PAGE: u64 = 4096;
/// More virtual time than it takes.
const TURNS: u32 = 200;

/// Registers, as its source has them.
mod register {
    pub const ADDR: u64 = 0x00;
    pub const LENGTH: u64 = 0x08;
    pub const PASID: u64 = 0x0c;
    pub const GO: u64 = 0x10;
    pub const STATUS: u64 = 0x14;
    pub const SUM: u64 = 0x18;
}

/// STATUS.
mod status {
    pub const BUSY: u32 = 1;
    pub const DONE: u32 = 2;
    pub const REFUSED: u32 = 3;
}

/// Builds the library.
fn library() -> Result<PathBuf> {
    let target = rust::target_dir()?.join("example");
    let step = Step::begin("examples/accelerator", "example")?;
    let mut c = rust::cargo();
    c.args(["build", "--locked"])
        .current_dir(place::root().join("examples/accelerator"))
        .env("CARGO_TARGET_DIR", &target);
    step.run(&mut c)?;
    step.finish("built");
    Ok(target.join("debug/libaccelerator.so"))
}

/// Reads by PASID, waits for a page that software maps, and for one that it refuses.
pub fn accelerator(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let mut args = plain_machine(&runner.source);
    let library = library()?;
    args.qemu_opts.push(format!("-device-plugin {}", library.display()));
    args.qemu_opts.push("-device sum-accelerator,bus=pcie.0,addr=4,pasid-bits=4".into());
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start_other(&args, &parts, dir, "accelerator", IDENTITY)?;
    rig.map(at::DATA, Leaf::all(at::DATA))?;
    rig.enable(Context { stall: true, contexts_log2: 1, ..Context::default() })?;
    rig.enable_pasid()?;
    rig.fill(at::DATA, 3)?;
    rig.fill(at::DATA + PAGE, 4)?;

    rig.add_up(at::DATA + PAGE / 2, 6144)?;
    let event = rig.wait_event()?;
    ensure!(event.stalled() && event.address() == at::DATA + PAGE, "{event:x?}");
    ensure!(rig.status()? == status::BUSY, "STATUS is {} while it waits", rig.status()?);
    rig.map(at::DATA + PAGE, Leaf::all(at::DATA + PAGE))?;
    rig.resume(event.stag())?;
    ensure!(rig.ended()? == status::DONE, "STATUS is {} after a retry", rig.status()?);
    let bar = rig.endpoint.bar;
    let (sum, expected) = (rig.qtest.readq(bar + register::SUM)?, 256 * 3 + 512 * 4);
    ensure!(sum == expected, "the sum is {sum}, not {expected}");

    rig.add_up(at::DATA + 2 * PAGE, 8)?;
    let event = rig.wait_event()?;
    rig.abort(event.stag())?;
    ensure!(rig.ended()? == status::REFUSED, "STATUS is {} after an abort", rig.status()?);

    rig.add_up(at::DATA, 0)?;
    ensure!(rig.ended()? == status::DONE, "STATUS is {} after nothing", rig.status()?);
    Ok(Verdict::Pass(format!("{sum} by PASID, across a stall that was resumed; one that was aborted")))
}

impl Rig {
    fn add_up(&mut self, addr: u64, length: u32) -> Result<()> {
        let bar = self.endpoint.bar;
        self.qtest.writeq(bar + register::ADDR, addr)?;
        self.qtest.writel(bar + register::LENGTH, length)?;
        self.qtest.writel(bar + register::PASID, 1 << 31 | PASID)?;
        self.qtest.writel(bar + register::GO, 1)
    }

    fn status(&mut self) -> Result<u32> {
        self.qtest.readl(self.endpoint.bar + register::STATUS)
    }

    /// STATUS, when it is busy no more.
    fn ended(&mut self) -> Result<u32> {
        for _ in 0..TURNS {
            let status = self.status()?;
            if status != status::BUSY {
                return Ok(status);
            }
            self.qtest.step(100_000)?;
        }
        self.status().context("it is busy for good")
    }
}
