// SPDX-License-Identifier: GPL-2.0-or-later
//! `demo`: an unmodified Linux shares a process's memory with a device, before your eyes.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::advice::exit;
use crate::cli::{
    CommandLineCmd, DemoCmd, DemoWhat, Driver, Faults, Firmware, Implementation, MachineArgs, Model, PageSize,
};
use crate::guest::{self, Options, Outcome};
use crate::report::{self, Table};
use crate::setup::{self, kernel};
use crate::vm::{Console, Machine};
use crate::{level2, ordinary, place, vm};

/// The machine of a demo; `run` names the checks.
pub fn machine(args: &MachineArgs, parts: vm::Parts, console: Console, run: &str) -> Machine {
    let mut machine = Machine::new(args.clone(), parts, console);
    machine.init.push(format!("sva.run={run}"));
    machine
}

/// `demo`: returns the exit code.
pub fn command(cmd: &DemoCmd) -> Result<u8> {
    if let Some(DemoWhat::Nested(nested)) = &cmd.what {
        return level2::command(nested);
    }
    let machines = machines(cmd);
    // What cannot be asked for is said before anything is built.
    for args in &machines {
        let _ = machine(args, nothing(), Console::Stdout, &cmd.run).command()?;
    }
    let mut parts = Vec::new();
    for args in &machines {
        parts.push(setup::parts_for(args)?);
    }
    if cmd.dry_run {
        for (n, (args, parts)) in machines.iter().zip(parts).enumerate() {
            if n > 0 {
                println!();
            }
            dry_run(cmd, args, parts)?;
        }
        return Ok(exit::PASS);
    }
    let started = Instant::now();
    let mut runs = Vec::new();
    for (args, parts) in machines.iter().zip(parts) {
        runs.push((args, one(cmd, args, parts, machines.len() > 1)?));
    }
    conclude(&runs, cmd.json.as_deref(), started)
}

/// The result of one machine or of several: as a file, as a sum, as an exit code.
pub fn conclude(runs: &[(&MachineArgs, Outcome)], json: Option<&Path>, started: Instant) -> Result<u8> {
    if let Some(file) = json {
        let mut results: Vec<Value> = runs.iter().map(|(args, o)| o.to_json(model_name(args))).collect();
        // One machine's result stands alone, as it always has.
        let value = match results.len() {
            1 => results.remove(0),
            _ => json!({ "runs": results }),
        };
        fs::write(file, format!("{value:#}\n")).with_context(|| format!("writing {}", file.display()))?;
    }
    if runs.len() > 1 {
        report::sum(runs.iter().map(|(args, outcome)| (model_name(args), outcome)), started.elapsed());
    }
    // The first that failed says how.
    Ok(runs.iter().map(|(_, o)| o.code).find(|code| *code != exit::PASS).unwrap_or(exit::PASS))
}

/// The machines to show: the one that was named, or each that the options fit.
fn machines(cmd: &DemoCmd) -> Vec<MachineArgs> {
    if !cmd.both {
        return vec![cmd.machine.clone()];
    }
    let fits = |model: Model| {
        let a = &cmd.machine;
        let arm_only = a.stall.is_some()
            || a.page_size != PageSize::K4
            || a.firmware != Firmware::Dt
            || a.units > 1
            || a.el2
            || a.faults == Faults::Stall;
        let kernel = match (&a.source.kernel, &a.source.kdir) {
            (Some(image), _) => kernel::check_image(image, model).is_ok(),
            (None, Some(dir)) => kernel::is_built_in(dir, model),
            (None, None) => true,
        };
        kernel && (model == Model::Smmuv3 || !arm_only)
    };
    let mut models: Vec<Model> = [Model::Smmuv3, Model::Vtd].into_iter().filter(|m| fits(*m)).collect();
    if models.is_empty() {
        // What is wrong with the options or the kernel is best said of one architecture.
        models.push(cmd.machine.model);
    }
    models.into_iter().map(|model| MachineArgs { model, ..cmd.machine.clone() }).collect()
}

fn dry_run(cmd: &DemoCmd, args: &MachineArgs, parts: vm::Parts) -> Result<()> {
    let console = Console::File(cmd.console.clone().unwrap_or_else(|| "console.log".into()));
    let mut machine = with_images(machine(args, parts, console, &cmd.run))?;
    machine.sockets.control = Some("control.sock".into());
    machine.sockets.qmp = Some("qmp.sock".into());
    println!("{}", vm::pretty(&machine.command()?));
    Ok(())
}

/// Makes the disks' images for a machine that somebody else will start.
fn with_images(mut machine: Machine) -> Result<Machine> {
    if machine.args.ordinary {
        machine.images = ordinary::prepare(&place::results("disks")?)?;
    }
    Ok(machine)
}

/// One machine from boot to the last line. Of `several`, each keeps its console log under a name of its own.
fn one(cmd: &DemoCmd, args: &MachineArgs, parts: vm::Parts, several: bool) -> Result<Outcome> {
    let dir = place::results(if several { args.model.name() } else { "demo" })?;
    let mut options = Options::in_dir(&dir);
    if let Some(console) = &cmd.console {
        options.console = absolute(console)?;
        if several {
            let mut name = std::ffi::OsString::from(format!("{}-", args.model.name()));
            name.push(console.file_name().unwrap_or_default());
            options.console.set_file_name(name);
        }
    }
    options.timeout = Duration::from_secs(cmd.timeout);
    options.verbose = cmd.verbose;
    let machine = machine(args, parts, Console::File(options.console.clone()), &cmd.run);
    let table = Table::begin(&title(args));
    let outcome = guest::run(machine, &options, &mut |name, row| match row {
        None => table.running(name),
        Some(row) => table.row(row),
    })?;
    table.end(&outcome);
    if !outcome.is_good() {
        println!("\n  the console's last lines:");
        for line in place::tail(&options.console, 40) {
            println!("    {line}");
        }
    }
    println!("  console log: {}", shown(&options.console));
    Ok(outcome)
}

/// `command-line`
pub fn command_line(cmd: &CommandLineCmd) -> Result<()> {
    let parts = setup::parts_for(&cmd.machine)?;
    let words = with_images(machine(&cmd.machine, parts, Console::Stdout, &cmd.run))?.command()?;
    if cmd.json {
        println!("{}", serde_json::to_string(&words)?);
    } else {
        println!("{}", vm::pretty(&words));
    }
    Ok(())
}

/// The QOM name of the model, as in the JSON result.
pub fn model_name(args: &MachineArgs) -> &'static str {
    use Model::{Smmuv3, Vtd};
    match (args.model, args.implementation) {
        (Smmuv3, Implementation::Rust) => "arm-smmuv3-rs",
        (Smmuv3, Implementation::C) if args.replace => "arm-smmuv3-rs-compat",
        (Smmuv3, Implementation::C) => "arm-smmuv3",
        (Vtd, Implementation::Rust) => "intel-iommu-rs",
        (Vtd, Implementation::C) if args.replace => "intel-iommu-rs-compat",
        (Vtd, Implementation::C) => "intel-iommu",
    }
}

fn title(args: &MachineArgs) -> String {
    let whose = match args.implementation {
        Implementation::Rust => "",
        Implementation::C if args.replace => " (in the place of QEMU's own model)",
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
