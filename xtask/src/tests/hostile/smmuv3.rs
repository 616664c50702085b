// SPDX-License-Identifier: GPL-2.0-or-later
//! The SMMUv3 (`IHI0070`).

use std::path::Path;

use anyhow::{Result, bail, ensure};

use crate::cli::Model;
use crate::qtest::Qtest;
use crate::scenario::smmuv3::{Context, Leaf, Rig, SMMU, retry};
use crate::scenario::{self, Descriptor, FaultMode, Function, Port, place};
use crate::setup;
use crate::tests::{Runner, Verdict, plain_machine};

/// Registers, `IHI0070 §6.3`.
const GERROR: u64 = 0x60;
const CMDQ_PROD: u64 = 0x98;
const MSI_CMDQ_ABT_ERR: u32 = 1 << 4;

/// The scenes.
pub fn run(runner: &mut Runner) {
    runner.test("hostile/endpoint-unplugs-itself", |r, dir| unplugs_itself(r, &dir));
    runner.test("hostile/msi-to-own-registers", |r, dir| msi_to_itself(r, &dir));
    runner.test("hostile/endpoint-answers-itself", |r, dir| answers_itself(r, &dir));
}

/// A SYNC's MSI aims at the SMMU's own registers, at its command queue first of all: the write is an abort
/// (`IHI0070 §3.18`), and nothing comes round in a circle.
fn msi_to_itself(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let args = plain_machine(&runner.source);
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start(&args, &parts, dir, "machine")?;
    rig.enable(Context::default())?;
    for register in [CMDQ_PROD, 0x20, 0x60, 0x1_00ac] {
        // CMD_SYNC, SIG_IRQ.
        rig.command([0x46 | 1 << 12 | 0xffff_ffff << 32, SMMU + register])?;
    }
    let errors = rig.qtest.readl(SMMU + GERROR)?;
    ensure!(errors == MSI_CMDQ_ABT_ERR, "GERROR is {errors:#x}");
    ensure!(rig.qtest.readl(SMMU + 0x20)? == 0xd, "a register was written");
    rig.invalidate_all()?;
    Ok(Verdict::Pass("four MSIs refused, GERROR.MSI_CMDQ_ABT_ERR set, commands go on".into()))
}

/// The endpoint's own DMA moves the command queue on, to the CMD_RESUME of an access of its own that is stalled: it hears of
/// it in the middle of the other one, and both come to their end.
fn answers_itself(runner: &Runner, dir: &Path) -> Result<Verdict> {
    const DOOR: u64 = 0x7000_0000;
    const HERE: u64 = 0x6000_0000;
    const ROUNDS: u32 = 4;
    let args = plain_machine(&runner.source);
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start(&args, &parts, dir, "machine")?;
    rig.map(place::DATA, Leaf::all(place::DATA))?;
    rig.map(DOOR, Leaf::all(SMMU))?;
    rig.enable(Context { stall: true, ..Context::default() })?;
    let (mut waits, mut answers) = (rig.engine(0).slot(1).mode(FaultMode::Wait), rig.engine(1).slot(0));
    for page in (place::RING..place::RING + 2 * place::SLOT).step_by(4096) {
        rig.map(page, Leaf::all(page))?;
    }
    for round in 1..=ROUNDS {
        let page = HERE + 0x10_0000 * u64::from(round);
        waits.submit(&mut rig.qtest, Descriptor::load(page))?;
        let fault = rig.wait_event()?;
        ensure!(fault.stalled() && fault.address() == page, "round {round}: {fault:x?}");
        rig.map(page, Leaf::all(place::DATA + 0x1000))?;
        let produced = rig.lay(retry(fault.stag()))?;
        rig.qtest.writel(place::DATA, produced)?;
        let done = rig.run(&mut answers, Descriptor::copy(place::DATA, DOOR + CMDQ_PROD, 4))?;
        ensure!(done.is_ok(), "round {round}: the write of CMDQ_PROD ended with {done:?}");
        let done = waits.wait(&mut rig.qtest)?;
        ensure!(done.is_ok(), "round {round}: {done:?}");
    }
    rig.invalidate_all()?;
    Ok(Verdict::Pass(format!("{ROUNDS} stalled accesses resumed by the device that made them")))
}

/// The endpoint's own DMA switches its slot off (`PCIe §6.7`): it is gone before that access returns, with more work in
/// its ring.
fn unplugs_itself(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let args = plain_machine(&runner.source);
    let parts = setup::scene_parts(&args)?;
    let mut q = Qtest::start(scenario::machine(&args, &parts, 1), dir, "machine")?;
    Function::start(&mut q, Model::Smmuv3, 0)?;
    let (port, endpoint) = Port::start(&mut q, Model::Smmuv3)?;
    let (slot, off) = port.off(&mut q)?;
    q.writel(place::DATA, off)?;
    q.writel(endpoint.bar + 0x14, u32::MAX)?;
    let mut engine = endpoint.engine(0);
    let copies = [slot, place::DATA + 0x1000, place::DATA + 0x1000];
    engine.submit_all(&mut q, &copies.map(|to| Descriptor::copy(place::DATA, to, 4)))?;
    for _ in 0..20 {
        q.step(100_000)?;
    }
    let id = endpoint.read(&mut q, 0)?;
    if id != u32::MAX {
        bail!("the endpoint is still there: {id:#010x}");
    }
    ensure!(q.readl(place::DATA + 0x1000)? == 0, "the endpoint went on after it had left");
    Ok(Verdict::Pass("unplugged in the middle of its work, which ended there".into()))
}
