// SPDX-License-Identifier: GPL-2.0-or-later
//! Devices that leave: one whose last reference another thread has, and one that unplugs itself by a request of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::example::{self, Language};
use super::{Runner, Verdict, plain_machine};
use crate::cli::MachineArgs;
use crate::place;
use crate::qtest::Qtest;
use crate::scenario;
use crate::setup;

/// Configuration space of Arm's machine with `highmem=off`.
const ECAM: u64 = 0x3f00_0000;
/// The root port: device 8 on the root bus.
const PORT: u64 = ECAM + (8 << 15);
/// The function behind it, on bus 1.
const FUNCTION: u64 = ECAM + (1 << 20);
/// Where its registers are put.
const BAR: u64 = 0x1000_0000;
/// Slot Control, from the PCI Express capability (`PCIe §7.5.3.10`): power indicator off, power off.
const SLOT_CONTROL: u64 = 0x18;
const OFF: u32 = 0b11 << 8 | 1 << 10;
/// More turns than it takes.
const TURNS: u32 = 500;

/// A machine with a function behind a root port.
fn machine(runner: &Runner, function: &str, more: &[String]) -> MachineArgs {
    let mut args = plain_machine(&runner.source);
    args.qemu_opts.extend(more.iter().cloned());
    args.qemu_opts.push("-device pcie-root-port,bus=pcie.0,addr=8,id=slot9,chassis=9,slot=9".into());
    args.qemu_opts.push(format!("-device {function},bus=slot9,id=leaves"));
    args
}

fn start(args: &MachineArgs, dir: &Path) -> Result<Qtest> {
    let parts = setup::scene_parts(args)?;
    let mut q = Qtest::start(scenario::machine(args, &parts, 0), dir, "leaving")?;
    // Primary, secondary and subordinate bus; a window for the function's registers.
    q.writel(PORT + 0x18, 1 << 8 | 1 << 16)?;
    q.writel(PORT + 0x20, (BAR >> 16) as u32 | (BAR as u32))?;
    q.writel(PORT + 4, 0x6)?;
    Ok(q)
}

/// Where the port's Slot Control is.
fn slot_control(q: &mut Qtest) -> Result<u64> {
    let mut at = u64::from(q.readl(PORT + 0x34)? & 0xff);
    while at != 0 {
        let head = q.readl(PORT + at)?;
        if head & 0xff == 0x10 {
            return Ok(PORT + at + SLOT_CONTROL);
        }
        at = u64::from(head >> 8 & 0xff);
    }
    anyhow::bail!("the root port has no PCI Express capability")
}

/// Whether something is in the slot.
fn is_there(q: &mut Qtest) -> Result<bool> {
    Ok(q.readl(FUNCTION)? != u32::MAX)
}

/// Builds the plugin that holds the reference.
fn holder(runner: &Runner) -> Result<Option<PathBuf>> {
    example::make(runner, &place::root().join("tests/late-reference"), "late-reference")
}

/// A thread without the BQL gives the last reference back that others than the device itself have.
pub fn last_reference(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let Some(plugin) = holder(runner)? else { return Ok(example::without_source()) };
    let mut args = machine(runner, "sva-testdev", &[format!("-device-plugin {}", plugin.display())]);
    args.qemu_opts.push("-device late-reference,id=holder,target=/machine/peripheral/leaves".into());
    let mut q = start(&args, dir)?;
    ensure!(is_there(&mut q)?, "nothing is behind the root port");
    let slot = slot_control(&mut q)?;
    q.writel(slot, OFF)?;
    ensure!(!is_there(&mut q)?, "the slot is off, and the function is there");
    for _ in 0..TURNS {
        q.step(100_000)?;
        let over = json!({"path": "/machine/peripheral/holder", "property": "over"});
        if q.qmp.execute("qom-get", over).context("qom-get")? == json!(true) {
            return Ok(Verdict::Pass(
                "another thread gave its reference back, and the main loop took the device apart".into(),
            ));
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    anyhow::bail!("the device is not gone, or went without the BQL")
}

/// A request of a device's switches its own slot off.
pub fn unplugs_itself(runner: &Runner, dir: &Path, language: Language) -> Result<Verdict> {
    let Some(library) = example::library(language, runner)? else { return Ok(example::without_source()) };
    let args = machine(runner, language.device(), &[format!("-device-plugin {}", library.display())]);
    let mut q = start(&args, dir)?;
    // Its registers, and bus master.
    q.writel(FUNCTION + 0x10, BAR as u32)?;
    q.writel(FUNCTION + 4, 0x6)?;
    let slot = slot_control(&mut q)?;
    q.writeq(BAR + example::register::NOTIFY_ADDR, slot)?;
    ensure!(is_there(&mut q)?, "nothing is behind the root port");
    q.writel(BAR + example::register::NOTIFY, OFF)?;
    for _ in 0..10 {
        q.step(100_000)?;
    }
    ensure!(!is_there(&mut q)?, "it did not switch its slot off");
    Ok(Verdict::Pass("gone by its own write, and QEMU goes on".into()))
}
