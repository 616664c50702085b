// SPDX-License-Identifier: GPL-2.0-or-later
//! `boot`: the guest for one's own purposes, interactive or with one command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::advice::exit;
use crate::alarms::Alarms;
use crate::cli::BootCmd;
use crate::session::{Session, with_modules};
use crate::vm::{self, Console, Machine};
use crate::{demo, ordinary, place, setup};

/// Marks the beginning of the command's output on the console.
const BEGIN: &str = "qemu-iommu: begin";
/// Marks the command's exit code.
const END: &str = "qemu-iommu: exit code ";
/// Where the guest's init finds the command: its words, each ended by a NUL.
const COMMAND: &str = "etc/command";

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
        parts.initrd = with_command(&parts.initrd, &cmd.run, &dir)?;
    }
    let console = if batch { Console::File(log.clone()) } else { Console::Terminal { log: log.clone() } };
    let mut machine = Machine::new(cmd.machine.clone(), parts, console);
    machine.gdb = cmd.gdb;
    machine.init.push("sva.shell".into());
    if batch {
        // Warnings are printed where the user asks for them, and nothing below them.
        machine.init.push(if cmd.fail_on_warning { "loglevel=5" } else { "quiet" }.into());
    }
    if cmd.machine.ordinary {
        machine.images = ordinary::prepare(&dir)?;
    }
    let words = machine.command()?;
    if cmd.dry_run {
        println!("{}", vm::pretty(&words));
        return Ok(0);
    }
    let (code, alarms) = if batch {
        run(machine, &log, &dir, Duration::from_secs(cmd.timeout))?
    } else {
        fs::write(dir.join("command-line"), vm::pretty(&words) + "\n")?;
        interactive(&words, &log)?
    };
    if cmd.machine.ordinary {
        ordinary::remove(&dir);
    }
    Ok(if cmd.fail_on_warning { verdict(code, &alarms, &log) } else { code })
}

/// Runs QEMU on this terminal; how it ended, and the kernel's alarms.
fn interactive(words: &[String], log: &Path) -> Result<(u8, Alarms)> {
    eprintln!("Ctrl-A x ends QEMU, Ctrl-A c toggles its monitor; console log: {}", demo::shown(log));
    let (program, arguments) = words.split_first().context("empty command line")?;
    let mut qemu = Command::new(program);
    with_modules(qemu.args(arguments), program.as_ref());
    let status = qemu.status().with_context(|| format!("starting {program}"))?;
    let mut alarms = Alarms::default();
    for line in String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).lines() {
        alarms.take(line.trim_end());
    }
    Ok((if status.success() { exit::PASS } else { exit::QEMU }, alarms))
}

/// The exit code where an alarm of the guest's kernel is a failure: it says more than the command's code, and more than a
/// time that was up.
fn verdict(code: u8, alarms: &Alarms, log: &Path) -> u8 {
    let Some(first) = alarms.first() else { return code };
    eprintln!("the guest's kernel raised an alarm: {first}");
    if let Some(known) = alarms.known() {
        eprintln!("  {known}");
    }
    eprintln!("  console log: {}", demo::shown(log));
    exit::ALARM
}

/// What init is to run: several words are an argument vector, one is a shell's command.
fn words(run: &[String]) -> Vec<u8> {
    let shell = ["sh".to_owned(), "-c".to_owned()];
    let shell = if run.len() == 1 { shell.as_slice() } else { &[] };
    shell.iter().chain(run).flat_map(|word| word.bytes().chain([0])).collect()
}

/// The initramfs with a command that init runs instead of a shell.
fn with_command(initrd: &Path, run: &[String], dir: &Path) -> Result<PathBuf> {
    let to = dir.join("initramfs.cpio");
    setup::initramfs::extended(initrd, &[(COMMAND, &words(run))], &to)?;
    Ok(to)
}

/// Runs the command; its exit code or what came in between, and the kernel's alarms.
fn run(machine: Machine, log: &Path, dir: &Path, timeout: Duration) -> Result<(u8, Alarms)> {
    let mut session = Session::start(machine, dir, false)?;
    let started = Instant::now();
    let mut shown = 0;
    let mut code = None;
    let mut speaking = false;
    let mut panic = false;
    let mut alarms = Alarms::default();
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
            alarms.take(line);
        }
        shown = whole.max(shown);
        if ended {
            break;
        }
        if started.elapsed() > timeout {
            eprintln!("the time ({} s) was up; console log: {}", timeout.as_secs(), demo::shown(log));
            session.quit();
            return Ok((exit::TIMEOUT, alarms));
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    if code.is_none() {
        for line in place::tail(log, 40) {
            eprintln!("    {line}");
        }
    }
    let code = match code {
        _ if panic => exit::PANIC,
        Some(code) => code,
        None => {
            eprintln!("the guest ended without the command's exit code; console log: {}", demo::shown(log));
            exit::FAIL
        }
    };
    Ok((code, alarms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_a_shells_command_and_several_are_arguments() {
        let of = |list: &[&str]| words(&list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["uname -m; exit 7"]), b"sh\0-c\0uname -m; exit 7\0");
        assert_eq!(of(&["sh", "-c", "uname -m; exit 7"]), b"sh\0-c\0uname -m; exit 7\0");
        assert_eq!(of(&["echo", "", "a  b"]), b"echo\0\0a  b\0");
    }

    #[test]
    fn an_alarm_has_an_exit_code_of_its_own() {
        let mut alarms = Alarms::default();
        assert_eq!(verdict(7, &alarms, Path::new("log")), 7);
        alarms.take("[    2.0] WARNING: drivers/iommu/iommu.c:1 at foo+0x10/0x20");
        assert_eq!(verdict(0, &alarms, Path::new("log")), exit::ALARM);
        assert_eq!(verdict(exit::PANIC, &alarms, Path::new("log")), exit::ALARM);
    }
}
