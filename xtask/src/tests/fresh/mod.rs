// SPDX-License-Identifier: GPL-2.0-or-later
//! A machine that has never seen this project: a clone, an empty cargo home, an empty cache with finished builds of QEMU and
//! the kernels alone, no local sources; and a rustup that installs targets, one that refuses to, and none.

mod given;
mod places;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{Runner, Verdict};
use crate::cli::{Model, PageSize};
use crate::place;
use crate::setup::{kernel, qemu, rust};
use crate::ui::Step;

/// What rustup does on the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rustup {
    /// `rustup target add` succeeds.
    Installs,
    /// It is there, and whatever is asked of it fails.
    Refuses,
    /// There is none.
    Missing,
}

impl Rustup {
    fn name(self) -> &'static str {
        match self {
            Self::Installs => "rustup-installs",
            Self::Refuses => "rustup-refuses",
            Self::Missing => "no-rustup",
        }
    }

    /// What is set up. The programs for x86-64 are linked by this machine's compiler, whatever rustup does.
    fn models(self) -> &'static [Model] {
        match self {
            Self::Installs => &[Model::Smmuv3, Model::Vtd],
            Self::Refuses | Self::Missing => &[Model::Smmuv3],
        }
    }

    /// What the guest's programs for aarch64 are built for then.
    fn target(self) -> &'static str {
        match self {
            Self::Installs => INSTALLED,
            Self::Refuses | Self::Missing => "aarch64-unknown-linux-gnu",
        }
    }
}

/// The target that the set-up asks rustup for.
const INSTALLED: &str = "aarch64-unknown-linux-musl";

/// Everything that a run needs is below here, and is made anew for each; compiled objects alone stay.
fn workshop() -> Result<PathBuf> {
    let dir = rust::target_dir()?.join("fresh");
    place::make_dir(&dir)?;
    Ok(dir)
}

/// The suite.
pub fn run(runner: &mut Runner) {
    for rustup in [Rustup::Installs, Rustup::Refuses, Rustup::Missing] {
        runner.test(&format!("fresh/{}", rustup.name()), |r, dir| set_up(r, rustup, &dir));
    }
    places::run(runner);
    given::run(runner);
}

/// Sets up both machines, and boots the Arm one, whose programs depend on rustup.
fn set_up(runner: &Runner, rustup: Rustup, dir: &Path) -> Result<Verdict> {
    let machine = FreshMachine::new(runner, rustup)?;
    let Some(machine) = machine else {
        return Ok(Verdict::Skip(format!("this toolchain has no {INSTALLED} to pass on")));
    };
    let words: &[&str] = match rustup.models() {
        [one] => &["setup", one.name(), "--yes"],
        _ => &["setup", "--yes"],
    };
    // The first time here everything is compiled, which is no part of how long the suite takes.
    let compiled = workshop()?.join(format!("{}-compiled", rustup.name()));
    let step = if compiled.exists() { None } else { Some(Step::begin("first set-up of a clone", "fresh")?) };
    let text = machine.run(dir, "setup", words)?;
    fs::write(&compiled, "")?;
    if let Some(step) = step {
        step.finish(rustup.name());
    }
    ensure!(text.contains("ready in"), "setup did not say that it is ready: {text}");
    let built = machine.guest_target()?;
    ensure!(built == rustup.target(), "the guest's programs are for {built}, not {}", rustup.target());
    let text = machine.run(dir, "boot", &["boot", "smmuv3", "--timeout", "120", "--", "uname -m"])?;
    ensure!(text.contains("aarch64"), "the guest did not say what it is: {text}");
    Ok(Verdict::Pass(format!("{} set up, {built}, booted", rustup.models().len())))
}

/// A machine without a past, simulated beside this one's.
struct FreshMachine {
    clone: PathBuf,
    cargo_home: PathBuf,
    cache: PathBuf,
    /// No sources here.
    sources: PathBuf,
    path: OsString,
}

impl FreshMachine {
    fn new(runner: &Runner, rustup: Rustup) -> Result<Option<Self>> {
        let shop = workshop()?;
        let clone = clone(&shop)?;
        let dir = shop.join(rustup.name());
        // What cargo compiled for the guest stays where it was; the programs themselves are made anew.
        let (objects, kept) = (dir.join("cache/guest/target"), shop.join("kept"));
        let _ = fs::remove_dir_all(&kept);
        let keep = fs::rename(&objects, &kept).is_ok();
        let _ = fs::remove_dir_all(&dir);
        for sub in ["cache", "sources", "bin"] {
            place::make_dir(&dir.join(sub))?;
        }
        // At one place for all: cargo compiles anew what lies elsewhere.
        let cargo_home = shop.join("cargo-home");
        let _ = fs::remove_dir_all(&cargo_home);
        place::make_dir(&cargo_home)?;
        if keep {
            place::make_dir(&dir.join("cache/guest"))?;
            fs::rename(&kept, &objects).context("keeping compiled objects")?;
        }
        let cache = dir.join("cache");
        if let Some(config) = cargo_config() {
            fs::copy(&config, cargo_home.join("config.toml"))
                .with_context(|| format!("copying {}", config.display()))?;
        }
        link_builds(runner, &cache, rustup.models())?;
        let Some(path) = stand_ins(&dir, rustup)? else { return Ok(None) };
        Ok(Some(Self { clone, cargo_home, cache, sources: dir.join("sources"), path }))
    }

    /// `cargo xtask` in the clone, as its user has it; returns what it printed.
    fn run(&self, dir: &Path, name: &str, arguments: &[&str]) -> Result<String> {
        let mut c = Command::new("cargo");
        for (variable, _) in std::env::vars_os() {
            let text = variable.to_string_lossy();
            // What cargo and rustup tell their children, and what this run was told.
            let ours =
                ["CARGO", "RUST", "QEMU_IOMMU_", "LD_LIBRARY_PATH"].iter().any(|p| text.starts_with(p));
            // The latter is how a toolchain manager is kept from answering by itself.
            if ours && text != "RUSTUP_AUTO_INSTALL" {
                c.env_remove(&variable);
            }
        }
        c.arg("xtask")
            .args(arguments)
            .current_dir(&self.clone)
            .env("PATH", &self.path)
            .env("CARGO_HOME", &self.cargo_home)
            .env("CARGO_TARGET_DIR", workshop()?.join("target"))
            .env("QEMU_IOMMU_CACHE", &self.cache)
            .env("QEMU_IOMMU_SOURCES", &self.sources)
            .env("QEMU_IOMMU_RESULTS", dir)
            .stdin(std::process::Stdio::null());
        let output = c.output().context("running cargo of a fresh machine")?;
        let log = dir.join(format!("{name}.log"));
        fs::write(&log, [output.stdout.as_slice(), output.stderr.as_slice()].concat())?;
        if !output.status.success() {
            bail!(
                "`cargo xtask {}` ended with {}\n{}\nlog: {}",
                arguments.join(" "),
                output.status,
                place::tail(&log, 20).join("\n"),
                log.display()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What the guest's programs for aarch64 were built for.
    fn guest_target(&self) -> Result<String> {
        let all = self.cache.join("guest");
        for entry in fs::read_dir(&all).with_context(|| format!("reading {}", all.display()))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("aarch64-")
                && place::is_complete(&entry.path())
            {
                return fs::read_to_string(place::stamp(&entry.path())).context("reading a stamp");
            }
        }
        bail!("no programs for aarch64 in {}", all.display())
    }
}

/// What a clone of this checkout would have, with the changes that are not committed yet. Files keep their times, so that what
/// they were compiled to stays good.
fn clone(shop: &Path) -> Result<PathBuf> {
    let to = shop.join("clone");
    let _ = fs::remove_dir_all(&to);
    place::make_dir(&to)?;
    let script = "if git ls-files -z >\"$1.list\" 2>/dev/null; then tar cf - --null -T \"$1.list\" --ignore-failed-read; \
                  else tar cf - --exclude=./target --exclude=./results --exclude=target .; fi | tar xf - -C \"$1\"";
    let status = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&to)
        .current_dir(place::root())
        .stderr(std::process::Stdio::null())
        .status()
        .context("running tar")?;
    ensure!(
        status.success() && to.join("Cargo.toml").is_file(),
        "cannot copy the checkout to {}",
        to.display()
    );
    Ok(to)
}

/// Cargo's own configuration of this machine, if it has one: a mirror of the registry, a proxy.
fn cargo_config() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))?;
    Some(home.join("config.toml")).filter(|file| file.is_file())
}

/// What takes half an hour to make is taken from this machine's cache.
fn link_builds(runner: &Runner, cache: &Path, models: &[Model]) -> Result<()> {
    let mut entries = vec![qemu::entry(&runner.source)?];
    for model in models {
        runner.parts(*model, PageSize::K4)?;
        entries.push(kernel::entry(&runner.source, *model, PageSize::K4)?);
    }
    for entry in entries {
        let name = entry.strip_prefix(place::cache()?).context("an entry outside of the cache")?;
        ensure!(place::is_complete(&entry), "{} is not complete", entry.display());
        let to = cache.join(name);
        place::make_dir(to.parent().unwrap_or(cache))?;
        symlink(&entry, &to).with_context(|| format!("linking {}", to.display()))?;
    }
    Ok(())
}

/// PATH of a machine with such a rustup, and with a toolchain that has this machine's own target and nothing else. None where
/// the toolchain cannot be made.
fn stand_ins(dir: &Path, rustup: Rustup) -> Result<Option<OsString>> {
    let bin = dir.join("bin");
    let real = rust::sysroot()?;
    let sysroot = dir.join("sysroot");
    let libraries = sysroot.join("lib/rustlib");
    rust::link_all(&real, &sysroot, &["lib"])?;
    rust::link_all(&real.join("lib"), &sysroot.join("lib"), &["rustlib"])?;
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    place::make_dir(&libraries)?;
    symlink(real.join("lib/rustlib").join(&host), libraries.join(&host))?;
    let rustc = real.join("bin/rustc");
    script(
        &bin.join("rustc"),
        &format!("exec '{}' --sysroot '{}' \"$@\"", rustc.display(), sysroot.display()),
    )?;
    match rustup {
        Rustup::Installs => {
            let installed = real.join("lib/rustlib").join(INSTALLED);
            if !installed.is_dir() {
                return Ok(None);
            }
            script(
                &bin.join("rustup"),
                &format!(
                    "[ \"$*\" = 'target add {INSTALLED}' ] || exit 1\nln -sfn '{}' '{}'",
                    installed.display(),
                    libraries.join(INSTALLED).display()
                ),
            )?;
        }
        Rustup::Refuses => script(
            &bin.join("rustup"),
            "echo 'error: could not download file: operation timed out' >&2\nexit 1",
        )?,
        Rustup::Missing => {}
    }
    let mut path = vec![bin, real.join("bin")];
    let usual = std::env::var_os("PATH").unwrap_or_default();
    for (n, usual) in std::env::split_paths(&usual).enumerate() {
        path.push(if usual.join("rustup").exists() {
            without_rustup(&usual, &dir.join(format!("path-{n}")))?
        } else {
            usual
        });
    }
    Ok(Some(std::env::join_paths(path).context("PATH")?))
}

/// Links to a directory's programs, but for rustup and what is rustup under another name (`cargo`, `rustc`). Where it is
/// `/usr/bin`, the C compiler and the shell are beside it.
fn without_rustup(from: &Path, to: &Path) -> Result<PathBuf> {
    let file_of = |path: &Path| fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
    let rustup = file_of(&from.join("rustup"));
    place::make_dir(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let (program, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if name != "rustup" && file_of(&program) != rustup {
            symlink(&program, to.join(&name)).with_context(|| format!("linking {}", program.display()))?;
        }
    }
    Ok(to.to_owned())
}

#[test]
fn what_is_beside_rustup_stays_on_path() {
    let dir = std::env::temp_dir().join(format!("qemu-iommu-beside-rustup-{}", std::process::id()));
    let (from, to) = (dir.join("from"), dir.join("to"));
    fs::create_dir_all(&from).unwrap();
    for name in ["rustup", "cc", "sh"] {
        fs::write(from.join(name), name).unwrap();
    }
    symlink("rustup", from.join("cargo")).unwrap();
    fs::hard_link(from.join("rustup"), from.join("rustc")).unwrap();
    without_rustup(&from, &to).unwrap();
    let mut names: Vec<_> = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["cc", "sh"]);
    assert_eq!(fs::read(to.join("cc")).unwrap(), b"cc");
    fs::remove_dir_all(&dir).unwrap();
}

fn script(file: &Path, text: &str) -> Result<()> {
    fs::write(file, format!("#!/bin/sh\n{text}\n")).with_context(|| format!("writing {}", file.display()))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
