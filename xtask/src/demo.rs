// SPDX-License-Identifier: GPL-2.0-or-later
//! `demo`: an unmodified Linux shares a process's memory with a device, before your eyes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cli::{CommandLineCmd, DemoCmd, Driver, Implementation, MachineArgs};
use crate::guest::{self, Options};
use crate::report::Table;
use crate::vm::{Console, Machine};
use crate::{place, setup, vm};

/// The machine of a demo; `run` names the checks.
pub fn machine(args: &MachineArgs, parts: vm::Parts, console: Console, run: &str) -> Machine {
    let mut machine = Machine::new(args.clone(), parts, console);
    machine.init.push(format!("sva.run={run}"));
    machine
}

/// `demo`: returns the exit code.
pub fn command(cmd: &DemoCmd) -> Result<u8> {
    // What cannot be asked for is said before anything is built.
    let _ = machine(&cmd.machine, nothing(), Console::Stdout, &cmd.run).command()?;
    let parts = setup::parts_for(&cmd.machine)?;
    if cmd.dry_run {
        let console = Console::File(cmd.console.clone().unwrap_or_else(|| "console.log".into()));
        let mut machine = machine(&cmd.machine, parts, console, &cmd.run);
        machine.sockets.control = Some("control.sock".into());
        machine.sockets.qmp = Some("qmp.sock".into());
        println!("{}", vm::pretty(&machine.command()?));
        return Ok(0);
    }
    let dir = place::results("demo")?;
    let mut options = Options::in_dir(&dir);
    if let Some(console) = &cmd.console {
        options.console = absolute(console)?;
    }
    options.timeout = Duration::from_secs(cmd.timeout);
    options.verbose = cmd.verbose;
    let machine = machine(&cmd.machine, parts, Console::File(options.console.clone()), &cmd.run);
    let table = Table::begin(&title(&cmd.machine));
    let outcome = guest::run(machine, &options, &mut |name, row| match row {
        None => table.running(name),
        Some(row) => table.row(row),
    })?;
    table.end(&outcome);
    if let Some(file) = &cmd.json {
        let text = format!("{:#}\n", outcome.to_json(model_name(&cmd.machine)));
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    if !outcome.is_good() {
        println!("\n  the console's last lines:");
        for line in place::tail(&options.console, 40) {
            println!("    {line}");
        }
    }
    println!("  console log: {}", shown(&options.console));
    Ok(outcome.code)
}

/// `command-line`
pub fn command_line(cmd: &CommandLineCmd) -> Result<()> {
    let parts = setup::parts_for(&cmd.machine)?;
    let words = machine(&cmd.machine, parts, Console::Stdout, &cmd.run).command()?;
    if cmd.json {
        println!("{}", serde_json::to_string(&words)?);
    } else {
        println!("{}", vm::pretty(&words));
    }
    Ok(())
}

/// The QOM name of the model, as in the JSON result.
pub fn model_name(args: &MachineArgs) -> &'static str {
    use crate::cli::Model::{Smmuv3, Vtd};
    match (args.model, args.implementation) {
        (Smmuv3, Implementation::Rust) => "arm-smmuv3-rs",
        (Smmuv3, Implementation::C) => "arm-smmuv3",
        (Vtd, Implementation::Rust) => "intel-iommu-rs",
        (Vtd, Implementation::C) => "intel-iommu",
    }
}

fn title(args: &MachineArgs) -> String {
    let whose = match args.implementation {
        Implementation::Rust => "",
        Implementation::C => " (QEMU's own model)",
    };
    let guest =
        if args.patched_kernel() { "A Linux guest with patches/linux" } else { "An unmodified Linux guest" };
    let driver = match args.driver {
        Driver::Uio => "",
        Driver::SvaTestdev => ", by a driver of its own",
    };
    format!("{guest} shares its memory with a device behind {}{whose}{driver}", model_name(args))
}

/// Placeholder parts, to validate a machine before the set-up runs.
fn nothing() -> vm::Parts {
    vm::Parts { qemu: "".into(), plugin: "".into(), kernel: "".into(), initrd: "".into() }
}

/// A path that stays right when QEMU's directory is another.
pub fn absolute(path: &Path) -> Result<std::path::PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}

/// A path as short as it can be said here.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}
