// SPDX-License-Identifier: GPL-2.0-or-later
//! The event that a CMD_SYNC sends to the CPUs (`IHI0070 §4.7.3`), by a program without an operating system: with Linux the
//! event stream wakes a CPU as well, a little later.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Runner, Verdict, plain_machine};
use crate::place;
use crate::setup;
use crate::setup::packages::{self, Need};

/// The program's command queue.
const QUEUE: u64 = 0x4800_0000;
/// `CMD_SYNC`, and its completion signals: none, an event.
const SYNC: u64 = 0x46;
const NONE: u64 = 0;
const EVENT: u64 = 0b10 << 12;
/// The program itself takes three seconds at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// A CPU that waits by WFE, with the event stream off, goes on when a SYNC asks for an event, and not when it asks for
/// nothing.
pub fn wakes(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let args = plain_machine(&runner.source);
    packages::ensure(&[Need::KernelArm64], args.source.yes)?;
    let parts = setup::scene_parts(&args)?;
    let program = dir.join("wake");
    let output = Command::new("aarch64-linux-gnu-gcc")
        .args(["-nostdlib", "-static", "-Wl,-Ttext=0x40200000", "-Wl,--build-id=none", "-o"])
        .arg(&program)
        .arg(place::root().join("tests/bare/wake.S"))
        .output()
        .context("running aarch64-linux-gnu-gcc")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    for (signal, expected) in [(EVENT, "W"), (NONE, "S")] {
        let serial = dir.join(format!("serial-{signal:x}"));
        let mut child = Command::new(&parts.qemu)
            .args([
                "-nodefaults",
                "-display",
                "none",
                "-no-reboot",
                "-accel",
                "tcg",
                "-cpu",
                "max",
                "-smp",
                "2",
            ])
            .args(["-machine", "virt,gic-version=3,highmem=off", "-m", "512M", "-device-plugin"])
            .arg(&parts.plugin)
            .args(["-device", "arm-smmuv3-rs,primary-bus=pcie.0", "-kernel"])
            .arg(&program)
            .arg("-device")
            .arg(format!("loader,addr={QUEUE:#x},data={:#x},data-len=8", SYNC | signal))
            .arg("-serial")
            .arg(format!("file:{}", serial.display()))
            .stdin(Stdio::null())
            .stderr(fs::File::create(dir.join(format!("stderr-{signal:x}")))?)
            .spawn()
            .context("starting QEMU")?;
        let started = Instant::now();
        let status = loop {
            match child.try_wait()? {
                Some(status) => break status,
                None if started.elapsed() > PATIENCE => {
                    child.kill()?;
                    child.wait()?;
                    bail!("the program did not end in {} s", PATIENCE.as_secs());
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let said = fs::read_to_string(&serial).unwrap_or_default();
        ensure!(
            status.success() && said.trim() == expected,
            "a SYNC with CS = {:#04b}: {said:?} instead of {expected:?}, {status}: see tests/bare/wake.S",
            signal >> 12
        );
    }
    Ok(Verdict::Pass("CS = SEV wakes a CPU that waits by WFE, CS = none does not".into()))
}
