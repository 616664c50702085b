// SPDX-License-Identifier: GPL-2.0-or-later
//! `boot`: the guest for one's own purposes, interactive or with one command.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::advice::exit;
use crate::cli::BootCmd;
use crate::session::{Session, with_modules};
use crate::vm::{self, Console, Machine};
use crate::{demo, place, setup};

/// Marks the beginning of the command's output on the console.
const BEGIN: &str = "qemu-iommu: begin";
/// Marks the command's exit code.
const END: &str = "qemu-iommu: exit code ";
/// Where the guest finds the command.
const SCRIPT: &str = "etc/command";

/// `boot`: returns the exit code.
pub fn command(cmd: &BootCmd) -> Result<u8> {
    let mut parts = setup::parts_for(&cmd.machine)?;
    let dir = place::results("boot")?;
    let log = match &cmd.console {
        Some(file) => demo::absolute(file)?,
        None => dir.join("console.log"),
    };
    let batch = !cmd.run.is_empty();
    if batch {
        parts.initrd = with_command(&parts.initrd, &cmd.run.join(" "), &dir)?;
    }
    let console = if batch { Console::File(log.clone()) } else { Console::Terminal { log: log.clone() } };
    let mut machine = Machine::new(cmd.machine.clone(), parts, console);
    machine.gdb = cmd.gdb;
    machine.init.push("sva.shell".into());
    if batch {
        // The kernel hands an unknown NAME=VALUE to init's environment, and an interactive shell reads $ENV first.
        machine.init.extend(["quiet".to_owned(), format!("ENV=/{SCRIPT}")]);
    }
    let words = machine.command()?;
    if cmd.dry_run {
        println!("{}", vm::pretty(&words));
        return Ok(0);
    }
    if batch {
        return run(machine, &log, &dir, Duration::from_secs(cmd.timeout));
    }
    fs::write(dir.join("command-line"), vm::pretty(&words) + "\n")?;
    eprintln!("Ctrl-A x ends QEMU, Ctrl-A c toggles its monitor; console log: {}", demo::shown(&log));
    let (program, arguments) = words.split_first().context("empty command line")?;
    let mut qemu = Command::new(program);
    with_modules(qemu.args(arguments), program.as_ref());
    let status = qemu.status().with_context(|| format!("starting {program}"))?;
    Ok(if status.success() { exit::PASS } else { exit::QEMU })
}

/// The initramfs with a script that init runs instead of the workload.
fn with_command(
    initrd: &std::path::Path,
    command: &str,
    dir: &std::path::Path,
) -> Result<std::path::PathBuf> {
    let to = dir.join("initramfs.cpio");
    // A shell that leaves takes along what its terminal has not printed yet: stty waits for that.
    let script = format!("unset ENV\necho '{BEGIN}'\n( {command}\n)\necho \"{END}$?\"\nstty sane\nexit\n");
    setup::initramfs::extended(initrd, &[(SCRIPT, script.as_bytes())], &to)?;
    Ok(to)
}

fn run(machine: Machine, log: &std::path::Path, dir: &std::path::Path, timeout: Duration) -> Result<u8> {
    let mut session = Session::start(machine, dir, false)?;
    let started = Instant::now();
    let mut shown = 0;
    let mut code = None;
    let mut speaking = false;
    let mut panic = false;
    loop {
        let ended = session.poll()?.is_some();
        let text = fs::read(log).unwrap_or_default();
        let whole =
            if ended { text.len() } else { text.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1) };
        for line in String::from_utf8_lossy(text.get(shown..whole).unwrap_or_default()).lines() {
            let line = line.trim_end();
            if let Some((before, value)) = line.split_once(END) {
                code = value.trim().parse::<u8>().ok();
                speaking = false;
                if !before.is_empty() {
                    println!("{before}");
                }
            } else if line.contains(BEGIN) {
                speaking = true;
            } else if speaking {
                println!("{line}");
            }
            panic |= line.contains("Kernel panic");
        }
        shown = whole.max(shown);
        if ended {
            break;
        }
        if started.elapsed() > timeout {
            eprintln!("the time ({} s) was up; console log: {}", timeout.as_secs(), demo::shown(log));
            session.quit();
            return Ok(exit::TIMEOUT);
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    if code.is_none() {
        for line in place::tail(log, 40) {
            eprintln!("    {line}");
        }
    }
    Ok(match code {
        _ if panic => exit::PANIC,
        Some(code) => code,
        None => {
            eprintln!("the guest ended without the command's exit code; console log: {}", demo::shown(log));
            exit::FAIL
        }
    })
}
