// SPDX-License-Identifier: GPL-2.0-or-later
//! The demo as a newcomer runs it, and the other ways to boot.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use super::{Runner, Verdict, plain_machine};
use crate::advice::exit;
use crate::cli::{Implementation, MachineArgs};
use crate::guest::{self, Options, Outcome, Status};
use crate::vm::{Console, Machine};
use crate::{demo, place, setup};

/// Runs a demo with its logs in `dir`.
pub fn demo_in(args: &MachineArgs, run: &str, dir: &Path, seconds: u64) -> Result<Outcome> {
    let parts = setup::parts_for(args)?;
    demo_with(args, parts, run, dir, seconds)
}

/// The same with parts at hand.
pub fn demo_with(
    args: &MachineArgs,
    parts: crate::vm::Parts,
    run: &str,
    dir: &Path,
    seconds: u64,
) -> Result<Outcome> {
    let mut options = Options::in_dir(dir);
    options.timeout = Duration::from_secs(seconds);
    let machine: Machine = demo::machine(args, parts, Console::File(options.console.clone()), run);
    guest::run(machine, &options, &mut |_, _| {})
}

/// A verdict over a demo that has to pass.
pub fn good(outcome: &Outcome, dir: &Path) -> Result<Verdict> {
    if outcome.is_good() {
        return Ok(Verdict::Pass(format!("{}, {:.1} s", outcome.summary(), outcome.seconds)));
    }
    let mut text = outcome.summary();
    for row in outcome.rows.iter().filter(|r| r.status == Status::Fail) {
        text.push_str(&format!("\n{}: {} [{}]", row.name, row.detail, row.outside));
    }
    for problem in &outcome.problems {
        text.push_str(&format!("\n{problem}"));
    }
    text.push_str(&format!("\nlogs: {}", dir.display()));
    for line in place::tail(&dir.join("console.log"), 10) {
        text.push_str(&format!("\n  | {line}"));
    }
    bail!("{text}")
}

/// `demo` without a model: one architecture after the other, every check, and the sum.
fn both(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let file = dir.join("result.json");
    let output = super::messages::this_program(&runner.source)
        .args(["demo", "--json"])
        .arg(&file)
        .env("QEMU_IOMMU_RESULTS", dir)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let result: Value =
        fs::read(&file).ok().and_then(|t| serde_json::from_slice(&t).ok()).unwrap_or_default();
    let runs = result["runs"].as_array().cloned().unwrap_or_default();
    let models: Vec<&str> = runs.iter().filter_map(|run| run["model"].as_str()).collect();
    let last = text.lines().rev().find(|line| line.contains(" passed, ")).unwrap_or_default().trim();
    // A kernel image that was given is of one architecture, and its result stands alone.
    let all = models == ["arm-smmuv3-rs", "intel-iommu-rs"] || runner.source.kernel.is_some();
    if output.status.code() != Some(0) || !all || last.is_empty() {
        bail!(
            "code {:?} with models {models:?}; it printed:\n{text}{}",
            output.status.code(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(Verdict::Pass(last.to_owned()))
}

/// The suite.
pub fn run(runner: &mut Runner) {
    runner.test("boots/c-model-without-plugin", |r, dir| {
        let mut args = plain_machine(&r.source);
        args.implementation = Implementation::C;
        args.endpoints = 0;
        let outcome = demo_in(&args, "kernel-clean", &dir, 60)?;
        let clean = outcome.rows.iter().any(|row| row.name == "kernel-clean" && row.status == Status::Pass);
        if !clean {
            return good(&outcome, &dir);
        }
        Ok(Verdict::Pass(format!("the guest spoke after {:.1} s", outcome.booted)))
    });
    runner.test("boots/demo", |r, dir| both(r, &dir));
    runner.test("boots/command", |r, dir| {
        for case in COMMANDS {
            case.run(r, &dir)?;
        }
        Ok(Verdict::Pass(format!("{} commands: words, what they print, how they end", COMMANDS.len())))
    });
}

/// A command in the guest, and what has to come of it.
struct Command {
    arguments: &'static [&'static str],
    code: i32,
    /// On standard output and on standard error.
    prints: [&'static str; 2],
}

const fn command(arguments: &'static [&'static str], code: i32, out: &'static str) -> Command {
    Command { arguments, code, prints: [out, ""] }
}

const COMMANDS: &[Command] = &[
    // One word is a shell's command, several are arguments, whatever is in them.
    command(&["--fail-on-warning", "--", "echo from-the-guest; exit 7"], 7, "from-the-guest"),
    command(&["--", "sh", "-c", "printf '[%s]' \"$@\"; exit 3", "sh", "a", "", "b  c"], 3, "[a][][b  c]"),
    command(&["--", "no-such-program", "at-all"], 127, "no-such-program"),
    // A signal, also where it is the shell itself that it ends.
    command(&["--", "kill -9 $$"], 128 + 9, ""),
    command(&["--", "sh", "-c", "kill -INT $$"], 128 + 2, ""),
    // No worker of the kernel runs while this one does: what it sends before its card has a link is lost.
    command(
        &["--ordinary", "--cpus", "1", "--", "sva-workload", "--only", "network", "--real-time"],
        0,
        "2 passed, 0 failed",
    ),
    // Linux's driver cannot be unbound without a WARN (docs/findings.md).
    Command {
        arguments: &["--fail-on-warning", "--", UNBIND],
        code: exit::ALARM as i32,
        prints: ["", "a known defect"],
    },
];

const UNBIND: &str = "echo 0000:00:04.0 > /sys/bus/pci/drivers/uio_pci_sva/unbind";

impl Command {
    fn run(&self, runner: &Runner, dir: &Path) -> Result<()> {
        let output = super::messages::this_program(&runner.source)
            .args(["boot", "--timeout", "60"])
            .args(self.arguments)
            .env("QEMU_IOMMU_RESULTS", dir)
            .output()?;
        let printed = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        let said = printed.iter().zip(self.prints).all(|(printed, wanted)| printed.contains(wanted));
        if output.status.code() != Some(self.code) || !said {
            bail!(
                "{:?}: code {:?}, expected {}; it printed:\n{}{}",
                self.arguments,
                output.status.code(),
                self.code,
                printed[0],
                printed[1]
            );
        }
        Ok(())
    }
}
