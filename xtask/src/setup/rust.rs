// SPDX-License-Identifier: GPL-2.0-or-later
//! What cargo builds: the plugin for QEMU, and the guest's static programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::packages::on_path;
use crate::advice::advice;
use crate::cli::{Model, SourceArgs};
use crate::place::{self, Key};
use crate::ui::Step;

/// The cargo that runs us, or the one on PATH.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Cargo's target directory for the checkout.
pub fn target_dir() -> Result<PathBuf> {
    let output = cargo()
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(place::root())
        .stderr(Stdio::null())
        .output()
        .context("running cargo metadata")?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Ok(metadata["target_directory"].as_str().map_or_else(|| place::root().join("target"), PathBuf::from))
}

/// The plugin: `--plugin`, or built now in release (cargo knows when there is nothing to do).
pub fn plugin(args: &SourceArgs) -> Result<PathBuf> {
    if let Some(given) = &args.plugin {
        let way_out = "build it with `cargo build --release`, or leave --plugin and QEMU_IOMMU_PLUGIN out";
        crate::vm::must_exist(given, "the plugin", way_out)?;
        return given.canonicalize().with_context(|| given.display().to_string());
    }
    built_plugin(&[], "release")
}

/// The plugin built with more features, in a target directory of its own so that it does not displace the usual one.
pub fn plugin_with(features: &[&str]) -> Result<PathBuf> {
    built_plugin(features, "release")
}

fn built_plugin(features: &[&str], profile: &str) -> Result<PathBuf> {
    let mut target = target_dir()?;
    let mut title = "plugin libqemu_iommu.so".to_owned();
    if !features.is_empty() {
        target = target.join(features.join("-"));
        title = format!("plugin with {}", features.join(","));
    }
    let step = Step::begin(&title, "plugin")?;
    let mut c = cargo();
    c.args(["build", "--package", "qemu-iommu", "--lib", "--profile", profile])
        .current_dir(place::root())
        .env("CARGO_TARGET_DIR", &target);
    if !features.is_empty() {
        c.arg("--features").arg(features.join(","));
    }
    step.run(&mut c)?;
    let library = target.join(profile).join("libqemu_iommu.so");
    crate::vm::must_exist(&library, "the plugin", "look into the log of its build")?;
    step.finish_if_slow("release");
    Ok(library)
}

/// The guest's programs, in the cache under a sum of their sources.
pub struct GuestPrograms {
    /// `/init`.
    pub init: PathBuf,
    /// The workload.
    pub workload: PathBuf,
}

/// The names of the guest's programs.
const PROGRAMS: [&str; 2] = ["init", "sva-workload"];

/// A sum over the guest's sources.
pub fn guest_key() -> Result<Key> {
    let mut key = Key::default();
    for file in place::files_below(&place::root().join("guest"), &["target", "kernel"])? {
        if file.extension().is_none_or(|e| e != "md") {
            key = key.file(&file)?;
        }
    }
    Ok(key)
}

/// Static programs for a model's guest.
pub fn guest(model: Model) -> Result<GuestPrograms> {
    let arch = model.target();
    let entry = place::cache()?.join("guest").join(format!("{arch}-{}", guest_key()?.name()));
    let programs = GuestPrograms { init: entry.join(PROGRAMS[0]), workload: entry.join(PROGRAMS[1]) };
    if place::is_complete(&entry) {
        return Ok(programs);
    }
    let step = Step::begin(&format!("guest programs for {arch}"), "guest")?;
    let target_dir = place::cache()?.join("guest").join("target");
    place::make_dir(&target_dir)?;
    let (target, extra) = guest_target(&step, arch)?;
    let mut c = cargo();
    c.args(["build", "--release", "--target", &target])
        .args(extra)
        .env("CARGO_TARGET_DIR", &target_dir)
        // .cargo/config.toml of the guest's workspace names linkers and flags; ours must not reach it.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(place::root().join("guest"));
    if needs_build_std(&target) {
        c.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
    }
    step.run(&mut c)?;
    place::make_dir(&entry)?;
    for program in PROGRAMS {
        let from = target_dir.join(&target).join("release").join(program);
        std::fs::copy(&from, entry.join(program)).with_context(|| format!("copying {}", from.display()))?;
    }
    place::complete(&entry, &target)?;
    step.finish(&target);
    Ok(programs)
}

fn sysroot() -> Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().context("running rustc")?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn has_std(target: &str) -> bool {
    sysroot().is_ok_and(|s| s.join("lib/rustlib").join(target).join("lib").is_dir())
}

fn has_std_source() -> bool {
    sysroot().is_ok_and(|s| s.join("lib/rustlib/src/rust/library/std").is_dir())
}

fn needs_build_std(target: &str) -> bool {
    !has_std(target)
}

/// The first way of these that this toolchain can go: musl with its std; the host's own gnu target, static; rustup
/// adds one; the std library built from its source.
fn guest_target(step: &Step, arch: &str) -> Result<(String, Vec<String>)> {
    let musl = format!("{arch}-unknown-linux-musl");
    let gnu = format!("{arch}-unknown-linux-gnu");
    if has_std(&musl) {
        return Ok((musl, Vec::new()));
    }
    let native_linker = format!("{arch}-linux-gnu-gcc");
    if std::env::consts::ARCH == arch && has_std(&gnu) && on_path(&native_linker) {
        return Ok((gnu, Vec::new()));
    }
    if on_path("rustup")
        && step.run(Command::new("rustup").args(["target", "add", &musl])).is_ok()
        && has_std(&musl)
    {
        return Ok((musl, Vec::new()));
    }
    if !has_std_source() && on_path("rustup") {
        let _ = step.run(Command::new("rustup").args(["component", "add", "rust-src"]));
    }
    if has_std_source() && on_path(&native_linker) {
        return Ok((gnu, Vec::new()));
    }
    Err(advice(
        format!("this Rust toolchain cannot build static programs for {arch}"),
        format!(
            "rustup target add {musl}\nor install {native_linker} (package gcc-{}-linux-gnu) and rust-src of the same version as rustc",
            arch.replace('_', "-")
        ),
    ))
}

/// Whether a file is a 64-bit ELF of an architecture.
pub fn is_elf_of(path: &Path, arch: &str) -> bool {
    let Ok(bytes) = std::fs::read(path) else { return false };
    let machine = match arch {
        "aarch64" => 183u16,
        _ => 62,
    };
    bytes.starts_with(b"\x7fELF\x02\x01") && bytes.get(18..20) == Some(&machine.to_le_bytes()[..])
}

/// In words, how this toolchain would build the guest's programs.
pub fn guest_way(arch: &str) -> String {
    let musl = format!("{arch}-unknown-linux-musl");
    if has_std(&musl) {
        musl
    } else if has_std(&format!("{arch}-unknown-linux-gnu")) {
        format!("{arch}-unknown-linux-gnu, static")
    } else if has_std_source() {
        format!("{arch}-unknown-linux-gnu, with the standard library built from source")
    } else {
        format!("`rustup target add {musl}` is needed; `setup` tries it")
    }
}
