// SPDX-License-Identifier: GPL-2.0-or-later
//! What cargo builds: the plugin for QEMU, and the guest's static programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::fetch::{self, Pinned};
use super::packages::{self, Need, on_path};
use super::qemu::{self, Headers};
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
        .args(["metadata", "--format-version=1", "--no-deps"])
        .current_dir(place::root())
        .stderr(Stdio::null())
        .output()
        .context("running cargo metadata")?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Ok(metadata["target_directory"].as_str().map_or_else(|| place::root().join("target"), PathBuf::from))
}

/// The plugin: `--plugin`, or built from the checkout in release.
pub fn plugin(args: &SourceArgs) -> Result<PathBuf> {
    if let Some(given) = &args.plugin {
        let way_out = "build it with `cargo build --release`, or leave --plugin and QEMU_IOMMU_PLUGIN out";
        crate::vm::must_exist(given, "the plugin", way_out)?;
        return given.canonicalize().with_context(|| given.display().to_string());
    }
    plugin_with(args, &[])
}

/// The plugin with more features, in the cache under a sum of its sources: a second checkout builds nothing.
pub fn plugin_with(args: &SourceArgs, features: &[&str]) -> Result<PathBuf> {
    plugin_for(None, features, qemu::other_headers(args)?.as_ref(), args.yes)
}

/// The target of a plugin for QEMU on aarch64, and its linker.
const AARCH64: (&str, &str) = ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu-gcc");

/// The plugin for a QEMU that runs on aarch64.
pub fn plugin_for_aarch64(args: &SourceArgs) -> Result<PathBuf> {
    let (target, linker) = AARCH64;
    if std::env::consts::ARCH == "aarch64" {
        return plugin(args);
    }
    if qemu::other_headers(args)?.is_some() {
        return Err(advice(
            format!("bindings for {target} are made for QEMU {} alone", qemu::VERSION),
            "leave out --qemu-src",
        ));
    }
    if !has_std(target) {
        let step = Step::begin(&format!("Rust for {target}"), "plugin")?;
        let added =
            on_path("rustup") && step.run(Command::new("rustup").args(["target", "add", target])).is_ok();
        if !added || !has_std(target) {
            return Err(advice(
                format!("this Rust toolchain cannot build the plugin for {target}"),
                format!("rustup target add {target}"),
            ));
        }
        step.finish("added");
    }
    plugin_for(Some((target, linker)), &[], None, args.yes)
}

/// `headers` are those of another QEMU than the checked-in bindings': they are made anew from them.
fn plugin_for(
    target: Option<(&str, &str)>,
    features: &[&str],
    headers: Option<&Headers>,
    yes: bool,
) -> Result<PathBuf> {
    let root = place::root();
    let mut key = Key::default().text("features", &features.join(",")).text("rustc", &rustc_verbose()?);
    if let Some((triple, _)) = target {
        key = key.text("target", triple);
    }
    if let Some(headers) = headers {
        key = key.text("headers", &headers.key);
    }
    for file in ["Cargo.toml", "Cargo.lock", "build.rs"] {
        key = key.file(&root.join(file))?;
    }
    for dir in ["src", "qemu-sys"] {
        for file in place::files_below(&root.join(dir), &["target"])? {
            key = key.file(&file)?;
        }
    }
    let all = place::cache()?.join("plugin");
    let entry = all.join(key.name());
    let cached = entry.join("libqemu_iommu.so");
    if place::is_complete(&entry) {
        return Ok(cached);
    }
    let _lock = place::lock("plugin")?;
    if place::is_complete(&entry) {
        return Ok(cached);
    }
    let mut features = features.to_vec();
    if headers.is_some() {
        packages::ensure(&[Need::Bindings], yes)?;
        features.push("bindgen");
    }
    let mut directory = target_dir()?;
    let mut title = "plugin libqemu_iommu.so".to_owned();
    if let Some((triple, _)) = target {
        title = format!("{title} for {triple}");
    }
    if !features.is_empty() {
        // In a directory of its own, so that it does not displace the usual one.
        directory = directory.join(features.join("-"));
        title = format!("plugin with {}", features.join(","));
    }
    let step = Step::begin(&title, "plugin")?;
    let mut c = cargo();
    c.args(["build", "--package", "qemu-iommu", "--lib", "--release"])
        .current_dir(&root)
        .env("CARGO_TARGET_DIR", &directory);
    if !features.is_empty() {
        c.arg("--features").arg(features.join(","));
    }
    if let Some(headers) = headers {
        c.env("QEMU_SRC", &headers.source).env("QEMU_BUILD", &headers.build);
    }
    if let Some((triple, linker)) = target {
        c.args(["--target", triple]);
        c.env(format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase().replace('-', "_")), linker);
        directory = directory.join(triple);
    }
    step.run(&mut c)?;
    let library = directory.join("release/libqemu_iommu.so");
    crate::vm::must_exist(&library, "the plugin", "look into the log of its build")?;
    place::make_dir(&entry)?;
    std::fs::copy(&library, &cached).with_context(|| format!("copying to {}", cached.display()))?;
    place::complete(&entry, &features.join(","))?;
    place::prune(&all, 16);
    step.finish("release");
    Ok(cached)
}

fn rustc_verbose() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("running rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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

/// The program that plays a VMM. It is made of this library, so that a change of the models makes it anew: apart from the
/// others, for who wants it.
const NESTED: &str = "sva-nested";

/// A sum over the guest's sources, but for those of [`NESTED`].
pub fn guest_key() -> Result<Key> {
    sum_below(Key::default(), &place::root().join("guest"), &["target", "kernel", "nested"])
}

fn sum_below(mut key: Key, dir: &Path, without: &[&str]) -> Result<Key> {
    for file in place::files_below(dir, without)? {
        if file.extension().is_none_or(|e| e != "md") {
            key = key.file(&file)?;
        }
    }
    Ok(key)
}

/// Static programs for a model's guest.
pub fn guest(args: &SourceArgs, model: Model) -> Result<GuestPrograms> {
    let key = guest_key()?;
    let entry = guest_programs(args, model, "guest programs", &key, &PROGRAMS, &["sva-guest"])?;
    Ok(GuestPrograms { init: entry.join(PROGRAMS[0]), workload: entry.join(PROGRAMS[1]) })
}

/// The sum over what [`nested_program`] is made of.
pub fn nested_key() -> Result<Key> {
    let root = place::root();
    let key = sum_below(guest_key()?, &root.join("guest/nested"), &[])?;
    sum_below(key, &root.join("src"), &["qemu"])?.file(&root.join("Cargo.toml"))
}

/// The static program that plays a VMM in a model's guest.
pub fn nested_program(args: &SourceArgs, model: Model) -> Result<PathBuf> {
    let key = nested_key()?;
    let others = ["sva-guest", "qemu-iommu"];
    let entry = guest_programs(args, model, "nested translation's program", &key, &[NESTED], &others)?;
    Ok(entry.join(NESTED))
}

/// Programs of the guest's workspace, each a package of its name, in the cache; `others` are packages that they are made of.
fn guest_programs(
    args: &SourceArgs,
    model: Model,
    what: &str,
    key: &Key,
    programs: &[&str],
    others: &[&str],
) -> Result<PathBuf> {
    let arch = model.target();
    let entry = place::cache()?
        .join("guest")
        .join(format!("{arch}-{}", key.clone().text("programs", &programs.join(" ")).name()));
    if place::is_complete(&entry) {
        return Ok(entry);
    }
    let _lock = place::lock("guest")?;
    if place::is_complete(&entry) {
        return Ok(entry);
    }
    let step = Step::begin(&format!("{what} for {arch}"), "guest")?;
    let target_dir = place::cache()?.join("guest").join("target");
    place::make_dir(&target_dir)?;
    let way = guest_target(&step, arch, args)?;
    let target = way.target;
    // Checkouts share this directory, and Cargo goes by the files' times: another one's later build would pass for ours.
    // Cargo looks up what the packages depend on even for this, and on a machine's first run has to ask the registry.
    let mut clean = cargo();
    clean
        .args(["clean", "--quiet", "--release", "--target", &target])
        .args(programs.iter().chain(others).flat_map(|package| ["--package", package]))
        .env("CARGO_TARGET_DIR", &target_dir)
        .current_dir(place::root().join("guest"));
    step.run(&mut clean)?;
    let mut c = cargo();
    c.args(["build", "--release", "--target", &target])
        .args(programs.iter().flat_map(|program| ["--package", program]))
        .env("CARGO_TARGET_DIR", &target_dir)
        // .cargo/config.toml of the guest's workspace names linkers and flags; ours must not reach it.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(place::root().join("guest"));
    if way.build_std {
        c.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
    }
    if let Some(rustc) = way.rustc {
        c.env("RUSTC", rustc);
    }
    step.run(&mut c)?;
    place::make_dir(&entry)?;
    for program in programs {
        let from = target_dir.join(&target).join("release").join(program);
        std::fs::copy(&from, entry.join(program)).with_context(|| format!("copying {}", from.display()))?;
    }
    place::complete(&entry, &target)?;
    place::prune(&place::cache()?.join("guest"), 24);
    step.finish(&target);
    Ok(entry)
}

/// Where the toolchain is.
pub fn sysroot() -> Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().context("running rustc")?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn has_std(target: &str) -> bool {
    sysroot().is_ok_and(|s| s.join("lib/rustlib").join(target).join("lib").is_dir())
}

fn has_std_source() -> bool {
    sysroot().is_ok_and(|s| s.join("lib/rustlib/src/rust/library/std").is_dir())
}

/// How the guest's programs are built.
struct Way {
    target: String,
    /// The standard library is built from its source.
    build_std: bool,
    /// A rustc whose sysroot has that source.
    rustc: Option<PathBuf>,
}

/// The distribution's package with the standard library's source, for toolchains of exactly its version that
/// cannot get their own.
const RUST_SRC: Pinned = Pinned {
    file: "rust-src_1.95.0+dfsg1-2~bpo13+1_all.deb",
    sha256: "7b76db5b880a77f9e52975d2baa6209d2f76d2c9c2789515c3088cb960e2c83b",
    sha1: "97a84b17703ee4e5c190399eef16694be7a3aec2",
    pool: "pool/main/r/rustc",
    size: 45_097_356,
};
const RUST_SRC_VERSION: &str = "1.95.0";

/// What has to be installed before the guests' programs can be built: where rustup adds no musl target, a cross compiler links
/// them.
pub fn needs() -> Vec<Need> {
    let other = std::env::consts::ARCH != "aarch64";
    if other && !has_std("aarch64-unknown-linux-musl") { vec![Need::KernelArm64] } else { Vec::new() }
}

/// The first way of these that this toolchain can go: musl with its std; the machine's own gnu target, static;
/// musl, when rustup can add it; the standard library built from its source.
fn guest_target(step: &Step, arch: &str, args: &SourceArgs) -> Result<Way> {
    let ready = |target: String| Way { target, build_std: false, rustc: None };
    let musl = format!("{arch}-unknown-linux-musl");
    let gnu = format!("{arch}-unknown-linux-gnu");
    if has_std(&musl) {
        return Ok(ready(musl));
    }
    let linker = format!("{arch}-linux-gnu-gcc");
    if std::env::consts::ARCH == arch && has_std(&gnu) && on_path(&linker) {
        return Ok(ready(gnu));
    }
    if on_path("rustup")
        && step.run(Command::new("rustup").args(["target", "add", &musl])).is_ok()
        && has_std(&musl)
    {
        return Ok(ready(musl));
    }
    if !has_std_source() && on_path("rustup") {
        let _ = step.run(Command::new("rustup").args(["component", "add", "rust-src"]));
    }
    if arch == "aarch64" {
        // The cross compiler and its static C library are the kernel's too.
        packages::ensure(&[Need::KernelArm64], args.yes)?;
    }
    if has_std_source() {
        return Ok(Way { target: gnu, build_std: true, rustc: None });
    }
    let version = rustc_version()?;
    if version == RUST_SRC_VERSION {
        let rustc = rustc_with_source(step, args)?;
        return Ok(Way { target: gnu, build_std: true, rustc: Some(rustc) });
    }
    Err(advice(
        format!("this Rust toolchain ({version}) cannot build programs for {arch}"),
        format!("rustup target add {musl}\nor install rust-src of exactly the same version as rustc"),
    ))
}

/// The library's source, for callers that want it before it is needed; none where this toolchain cannot use it.
pub fn download(args: &SourceArgs) -> Result<Option<PathBuf>> {
    if rustc_version()? != RUST_SRC_VERSION {
        return Ok(None);
    }
    fetch::pinned(&RUST_SRC, args.sources.as_deref()).map(Some)
}

fn rustc_version() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("running rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().nth(1).unwrap_or("unknown").to_owned())
}

/// A rustc whose sysroot is the toolchain's own, by links, with the packaged source added.
fn rustc_with_source(step: &Step, args: &SourceArgs) -> Result<PathBuf> {
    let entry = place::cache()?.join("rust-src").join(RUST_SRC_VERSION);
    let rustc = entry.join("rustc");
    let deb = fetch::pinned(&RUST_SRC, args.sources.as_deref())?;
    // The toolchain may have moved since: the links are made anew every time.
    let _ = std::fs::remove_dir_all(entry.join("sysroot"));
    let unpacked = entry.join("unpacked");
    if !place::is_complete(&entry) {
        fetch::unpack_package(step, &deb, &unpacked)?;
        place::complete(&entry, RUST_SRC_VERSION)?;
    }
    let own = sysroot()?;
    let made = entry.join("sysroot");
    link_all(&own, &made, &["lib"])?;
    link_all(&own.join("lib"), &made.join("lib"), &["rustlib"])?;
    link_all(&own.join("lib/rustlib"), &made.join("lib/rustlib"), &["src"])?;
    let source = made.join("lib/rustlib/src");
    place::make_dir(&source)?;
    std::os::unix::fs::symlink(
        unpacked.join(format!("usr/src/rustc-{RUST_SRC_VERSION}")),
        source.join("rust"),
    )?;
    let script =
        format!("#!/bin/sh\nexec '{}/bin/rustc' --sysroot '{}' \"$@\"\n", own.display(), made.display());
    std::fs::write(&rustc, script)?;
    step.run(Command::new("chmod").arg("+x").arg(&rustc))?;
    Ok(rustc)
}

/// Links to everything in `from`, but for `except`.
pub fn link_all(from: &Path, to: &Path, except: &[&str]) -> Result<()> {
    place::make_dir(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        if except.iter().all(|name| entry.file_name() != *name) {
            std::os::unix::fs::symlink(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
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
