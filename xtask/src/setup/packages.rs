// SPDX-License-Identifier: GPL-2.0-or-later
//! The Debian packages that the steps need, and what for.

use std::ffi::OsString;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::apt::Archive;
use crate::advice::advice;
use crate::place;
use crate::ui::{self, Step};

/// A step that needs packages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// To build QEMU.
    Qemu,
    /// To build a kernel for this machine's architecture.
    Kernel,
    /// To build an arm64 kernel on another architecture.
    KernelArm64,
    /// x86 firmware at run time.
    FirmwareX86,
    /// UEFI for the Arm machine at run time.
    FirmwareArm,
    /// To regenerate the bindings.
    Bindings,
    /// To run the guests' tests from Python.
    Avocado,
    /// A vhost-user backend of others.
    Testpmd,
}

/// One package.
pub struct Package {
    /// Debian's name.
    pub name: &'static str,
    /// What it is for.
    pub what_for: &'static str,
    /// A file or a command whose presence does as well (other distributions).
    pub evidence: &'static str,
    needs: &'static [Need],
}

const fn package(
    name: &'static str,
    evidence: &'static str,
    needs: &'static [Need],
    what_for: &'static str,
) -> Package {
    Package { name, what_for, evidence, needs }
}

use Need::{Avocado, Bindings, FirmwareArm, FirmwareX86, Kernel, KernelArm64, Qemu, Testpmd};

/// Every package that any step needs.
pub const PACKAGES: &[Package] = &[
    package("build-essential", "cc", &[Qemu, Kernel, KernelArm64], "C compiler and make"),
    package("git", "git", &[Qemu], "applies the patch series"),
    package("patch", "patch", &[Qemu, Kernel, KernelArm64], "applies the patch series where git cannot"),
    package("xz-utils", "xz", &[Qemu, Kernel, KernelArm64], "unpacks the sources"),
    package("ninja-build", "ninja", &[Qemu], "builds QEMU"),
    package("pkg-config", "pkg-config", &[Qemu], "finds QEMU's libraries"),
    package(
        "python3-venv",
        "python3 -m ensurepip",
        &[Qemu, Avocado],
        "QEMU's configure and Avocado run in their own Python environment",
    ),
    package("flex", "flex", &[Qemu, Kernel, KernelArm64], "parsers of kconfig and dtc"),
    package("bison", "bison", &[Qemu, Kernel, KernelArm64], "parsers of kconfig and dtc"),
    package("libglib2.0-dev", "pc:glib-2.0", &[Qemu], "QEMU's base library"),
    package("libpixman-1-dev", "pc:pixman-1", &[Qemu], "QEMU's display code"),
    package("libfdt-dev", "/usr/include/libfdt.h", &[Qemu], "QEMU writes the guest's device tree"),
    package("libattr1-dev", "/usr/include/attr/attributes.h", &[Qemu], "shared folders (virtfs)"),
    package("libslirp-dev", "pc:slirp", &[Qemu], "user-mode network"),
    package("zlib1g-dev", "pc:zlib", &[Qemu], "QEMU's compression"),
    package("device-tree-compiler", "dtc", &[Kernel, KernelArm64, Qemu], "device trees"),
    package(
        "libclang-dev",
        "glob:/usr/lib/llvm-*/lib/libclang*.so*",
        &[Bindings],
        "bindgen reads QEMU's headers",
    ),
    package("gcc-aarch64-linux-gnu", "aarch64-linux-gnu-gcc", &[KernelArm64], "builds the arm64 kernel"),
    package(
        "libc6-dev-arm64-cross",
        "/usr/aarch64-linux-gnu/include/stdio.h",
        &[KernelArm64],
        "headers for arm64",
    ),
    package("bc", "bc", &[Kernel, KernelArm64], "the kernel's build"),
    package(
        "libelf-dev",
        "/usr/include/libelf.h",
        &[Kernel, KernelArm64],
        "the kernel's build (objtool, BTF)",
    ),
    package(
        "libssl-dev",
        "/usr/include/openssl/ssl.h",
        &[Kernel, KernelArm64],
        "the kernel's build (certificates)",
    ),
    package("kmod", "kmod", &[Kernel, KernelArm64], "the kernel's build (depmod)"),
    package("rsync", "rsync", &[Kernel, KernelArm64], "the kernel's build (headers)"),
    package("cpio", "cpio", &[Kernel, KernelArm64], "the kernel's build (headers archive)"),
    package("seabios", "/usr/share/seabios/bios-256k.bin", &[FirmwareX86], "firmware of the x86 machine"),
    package(
        "qemu-system-data",
        "/usr/share/qemu/linuxboot_dma.bin",
        &[FirmwareX86],
        "the x86 machine's kernel loader",
    ),
    package("qemu-efi-aarch64", crate::vm::UEFI_ARM, &[FirmwareArm], "UEFI of the Arm machine"),
    package(
        "ipxe-qemu",
        "/usr/lib/ipxe/qemu/efi-e1000e.rom",
        &[FirmwareX86],
        "network ROMs that q35's own tests load",
    ),
    package("dpdk-dev", "dpdk-testpmd", &[Testpmd], "a program that forwards frames, as vhost-user backend"),
    package(
        "librte-net-vhost23",
        "glob:/usr/lib/*/dpdk/pmds-*/librte_net_vhost.so*",
        &[Testpmd],
        "DPDK's driver for vhost-user",
    ),
    package(
        "librte-mempool-ring23",
        "glob:/usr/lib/*/dpdk/pmds-*/librte_mempool_ring.so*",
        &[Testpmd],
        "memory for its frames",
    ),
];

/// The packages of `PACKAGES` that are missing for `needs`.
pub fn missing(needs: &[Need]) -> Vec<&'static Package> {
    let wanted: Vec<&Package> =
        PACKAGES.iter().filter(|p| p.needs.iter().any(|n| needs.contains(n))).collect();
    let installed = installed(&wanted);
    wanted
        .into_iter()
        .filter(|p| !installed.iter().any(|i| i == p.name))
        .filter(|p| !is_evident(p.evidence))
        .collect()
}

/// The names of those that dpkg knows as installed; none where there is no dpkg.
fn installed(packages: &[&Package]) -> Vec<String> {
    let output = Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status} ${Package}\n"])
        .args(packages.iter().map(|p| p.name))
        .stderr(Stdio::null())
        .output();
    let Ok(output) = output else { return Vec::new() };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|l| l.strip_prefix("installed "))
        .map(str::to_owned)
        .collect()
}

fn is_evident(evidence: &str) -> bool {
    if let Some(module) = evidence.strip_prefix("pc:") {
        return succeeds(Command::new("pkg-config").args(["--exists", module]));
    }
    if let Some(pattern) = evidence.strip_prefix("glob:") {
        return matches(pattern);
    }
    if evidence.starts_with('/') {
        return Path::new(evidence).exists();
    }
    match evidence.split_once(' ') {
        Some((program, args)) => succeeds(Command::new(program).args(args.split(' ')).arg("--version")),
        None => on_path(evidence),
    }
}

/// Whether a file fits `/dir/prefix*/rest/prefix*suffix*`, by a shell.
fn matches(pattern: &str) -> bool {
    succeeds(Command::new("sh").arg("-c").arg(format!("set -- {pattern}; test -e \"$1\"")))
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Whether a program of this name is on PATH.
pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Whether this process may install packages.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}

/// Whether this is a CI run (`CI=true`).
pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|v| v == "true" || v == "1")
}

/// The command by which the user of this process installs them.
pub fn install_command(missing: &[&Package]) -> String {
    let names: Vec<&str> = missing.iter().map(|p| p.name).collect();
    install_line(&names.join(" "), is_root(), on_path("sudo"))
}

fn install_line(names: &str, root: bool, sudo: bool) -> String {
    let by = if sudo && !root { "sudo " } else { "" };
    let line = format!("{by}apt-get update && {by}apt-get install --no-install-recommends {names}");
    if root || sudo { line } else { format!("su - -c '{line}'") }
}

/// What to do where packages are missing and were not installed. `--yes` helps where it was not given and can be followed.
fn ways_out(line: String, can_install: bool, yes: bool) -> String {
    if can_install && !yes {
        format!("{line}\nor give --yes: the same command installs them then")
    } else {
        line
    }
}

/// Makes sure that the packages for `needs` are there: lists what is missing and what for, installs it after a
/// yes (at once with `yes`, or as root in CI), else fails with the one command.
pub fn ensure(needs: &[Need], yes: bool) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    if let Some(late) = LATE.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        late.extend(missing.iter().map(|p| p.name));
    }
    eprintln!("Missing packages:");
    for p in &missing {
        eprintln!("    {:<24} {}", p.name, p.what_for);
    }
    if !on_path("apt-get") {
        let tools: Vec<String> = missing
            .iter()
            .map(|p| p.evidence.trim_start_matches("glob:").replace("pc:", "pkg-config module "))
            .collect();
        return Err(advice(
            format!("{} packages are missing, and this system has no apt-get", missing.len()),
            format!("install what provides: {}", tools.join(", ")),
        ));
    }
    let root = is_root();
    let can_install = root || on_path("sudo");
    let go = if root && is_ci() {
        true
    } else if yes {
        can_install
    } else {
        std::io::stdin().is_terminal() && can_install && asked()
    };
    if !go {
        return Err(advice(
            format!("{} packages are missing (list above)", missing.len()),
            ways_out(install_command(&missing), can_install, yes),
        ));
    }
    if !root {
        authenticate(&missing)?;
    }
    let step = Step::begin("packages", "packages")?;
    let apt = |args: &[&str]| {
        let mut c = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            c.arg("apt-get");
        }
        c.env("DEBIAN_FRONTEND", "noninteractive");
        c.args(args);
        c
    };
    if let Err(e) = step.run(&mut apt(&["-q", "update"])) {
        ui::info(&format!("apt-get update did not succeed; trying with the lists that are there ({e})"));
    }
    let install = |options: &[OsString]| {
        let mut c = apt(&["-q", "-y", "--no-install-recommends"]);
        c.args(options).arg("install").args(missing.iter().map(|p| p.name));
        c
    };
    if let Err(e) = step.run(&mut install(&[])) {
        install_from_snapshot(&step, &e, &apt, &install)?;
    }
    step.finish(&format!("{} installed", missing.len()));
    Ok(())
}

/// Lets sudo ask for the password before a step draws over its prompt. Without a terminal it cannot ask, and apt-get may be
/// allowed without a password all the same.
fn authenticate(missing: &[&Package]) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let status = Command::new("sudo").arg("-v").status();
    if status.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(advice("sudo does not let this user install packages", install_command(missing)))
}

/// What the configured archives do not have any more is in the distribution's archive of all versions, signed as ever.
fn install_from_snapshot(
    step: &Step,
    error: &anyhow::Error,
    apt: &dyn Fn(&[&str]) -> Command,
    install: &dyn Fn(&[OsString]) -> Command,
) -> Result<()> {
    let archive = Archive::all().pop().filter(|archive| *archive != Archive::Configured);
    let Some(archive) = archive else { anyhow::bail!("{error:#}") };
    step.note(&format!("{error:#}"));
    ui::info(&format!("the packages could not be installed; trying {}", archive.name()));
    let dir = place::cache()?.join("apt");
    let options = archive.options(&dir)?;
    if let Err(e) = step.run(apt(&["-q"]).args(&options).arg("update")) {
        step.note(&format!("{e:#}"));
    }
    step.run(&mut install(&options)).map_err(|second| {
        advice(
            format!("{error:#}\n  and from {}: {second:#}", archive.name()),
            "mend what apt complains about (first error), and run the same command again",
        )
    })?;
    let _ = std::fs::remove_dir_all(&dir);
    Ok(())
}

/// Packages that were asked for after [`all_asked`].
static LATE: Mutex<Option<Vec<&'static str>>> = Mutex::new(None);

/// From here on nothing should be missing any more: the test command has asked for everything that its suites need.
pub fn all_asked() {
    *LATE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
}

/// What was missing after that.
pub fn asked_late() -> Vec<&'static str> {
    LATE.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
}

fn asked() -> bool {
    eprint!("Install them now? [Y/n] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    if std::io::stdin().lock().read_line(&mut answer).is_err() || answer.is_empty() {
        return false;
    }
    matches!(answer.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes")
}

#[test]
fn patterns_match_files() {
    assert!(matches("/et*/pass*"));
    assert!(!matches("/et*/no-such-file*"));
}

#[test]
fn the_command_is_one_that_its_user_can_run() {
    assert_eq!(
        install_line("bc kmod", true, true),
        "apt-get update && apt-get install --no-install-recommends bc kmod"
    );
    assert_eq!(
        install_line("bc", false, true),
        "sudo apt-get update && sudo apt-get install --no-install-recommends bc"
    );
    assert_eq!(
        install_line("bc", false, false),
        "su - -c 'apt-get update && apt-get install --no-install-recommends bc'"
    );
    assert!(ways_out("line".into(), true, false).contains("--yes"));
    assert_eq!(ways_out("line".into(), true, true), "line");
    assert_eq!(ways_out("line".into(), false, false), "line");
}
