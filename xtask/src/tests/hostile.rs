// SPDX-License-Identifier: GPL-2.0-or-later
//! What a guest may try, and QEMU has to live through: by qtest, register by register.

use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::{Runner, Verdict, plain_machine};
use crate::qtest::Qtest;
use crate::scenario::place;
use crate::scenario::smmuv3::{Context, Rig, SMMU};
use crate::setup;
use crate::vm::{Console, Machine};

/// Configuration space with `highmem=off`.
const ECAM: u64 = 0x3f00_0000;
/// The root port, `00:02.0`.
const PORT: u64 = ECAM + (2 << 15);
/// The endpoint behind it, `01:00.0`.
const ENDPOINT: u64 = ECAM + (1 << 20);
/// Where the endpoint's registers are put.
const BAR0: u64 = 0x1010_0000;
/// Registers, `IHI0070 §6.3`.
const GERROR: u64 = 0x60;
const CMDQ_PROD: u64 = 0x98;
const MSI_CMDQ_ABT_ERR: u32 = 1 << 4;
/// `CONTROL`: copy.
const COPY: u64 = 1;

/// The suite.
pub fn run(runner: &mut Runner) {
    runner.test("hostile/endpoint-unplugs-itself", |r, dir| unplugs_itself(r, &dir));
    runner.test("hostile/msi-to-own-registers", |r, dir| msi_to_itself(r, &dir));
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

/// The endpoint's own DMA switches its slot off (`PCIe §6.7`): it is gone before that access returns, with more work in
/// its ring and an interrupt to send.
fn unplugs_itself(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let mut args = plain_machine(&runner.source);
    // The last one is behind a root port.
    args.endpoints = 4;
    args.memory = "512M".into();
    let parts = setup::scene_parts(&args)?;
    let mut q = Qtest::start(Machine::new(args, parts, Console::Stdout), dir, "machine")?;
    // Bus 1, a window for its memory; memory space and bus master.
    q.writel(PORT + 0x18, 0x01_0100)?;
    q.writel(PORT + 0x20, 0x1010_1010)?;
    q.writel(PORT + 0x04, 6)?;
    let id = q.readl(ENDPOINT)?;
    ensure!(id == 0x53a0_1234, "no sva-testdev at 01:00.0, but {id:#010x}");
    q.writel(ENDPOINT + 0x10, u32::try_from(BAR0)?)?;
    q.writel(ENDPOINT + 0x18, u32::try_from(BAR0)? + 0x2_0000)?;
    q.writel(ENDPOINT + 0x04, 6)?;
    let slot = PORT + express_capability(&mut q)? + 0x18;

    // Power and power indicator off.
    let off = q.readl(slot)? & 0xffff | 0x700;
    q.writel(place::DATA, off)?;
    for n in 0..3u64 {
        let to = if n == 0 { slot } else { place::DATA + 0x1000 };
        let words = [COPY, place::DATA, to, 4, 0, 0, place::RECORDS + 64 * n, n];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        q.write(place::RING + 64 * n, &bytes)?;
    }
    let engine = BAR0 + 0x1000;
    q.writel(BAR0 + 0x14, u32::MAX)?;
    q.writeq(engine + 0x08, place::RING)?;
    q.writel(engine + 0x10, 4)?;
    q.writel(engine, 1)?;
    q.writel(engine + 0x1c, 3)?;
    for _ in 0..20 {
        q.step(100_000)?;
    }
    let id = q.readl(ENDPOINT)?;
    if id != u32::MAX {
        bail!("the endpoint is still there: {id:#010x}");
    }
    ensure!(q.readl(place::DATA + 0x1000)? == 0, "the endpoint went on after it had left");
    Ok(Verdict::Pass("unplugged in the middle of its work, which ended there".into()))
}

/// Offset of the PCI Express capability of the root port.
fn express_capability(q: &mut Qtest) -> Result<u64> {
    let mut offset = u64::from(q.readl(PORT + 0x34)? & 0xff);
    for _ in 0..16 {
        let head = q.readl(PORT + offset)?;
        if head & 0xff == 0x10 {
            return Ok(offset);
        }
        offset = u64::from(head >> 8 & 0xff);
    }
    bail!("the root port has no PCI Express capability")
}
