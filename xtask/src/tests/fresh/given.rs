// SPDX-License-Identifier: GPL-2.0-or-later
//! Sources that the user gives: each is a build of its own, known by its content.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use super::super::messages::this_program;
use super::super::{Runner, Verdict};
use crate::cli::{Model, PageSize};
use crate::place;
use crate::setup::qemu;

/// The rows.
pub fn run(runner: &mut Runner) {
    runner.test("fresh/linux-src", linux);
    runner.test("fresh/qemu-src-of-another-series", other_series);
    if runner.more {
        runner.test("fresh/qemu-src-of-a-neighbour", neighbour);
    }
}

/// As much of Linux as the set-up has to do with: it takes the configuration as it is asked for, and makes a file with an
/// image's magic number.
const LINUX: &str = r#"VERSION = 7
PATCHLEVEL = 2
SUBLEVEL = 99
EXTRAVERSION =

allnoconfig:
	mkdir -p $(O)
	awk '/^CONFIG_/ { at = index($$0, "="); name[substr($$0, 1, at - 1)] = substr($$0, at + 1) } \
	     END { for (n in name) if (name[n] != "n") print n "=" name[n] }' $(KCONFIG_ALLCONFIG) >$(O)/.config
Image:
	mkdir -p $(O)/arch/arm64/boot
	head -c 56 /dev/zero >$(O)/arch/arm64/boot/Image
	printf 'ARM\144' >>$(O)/arch/arm64/boot/Image
	cat $(CURDIR)/content >>$(O)/arch/arm64/boot/Image
"#;

fn linux(runner: &Runner, dir: PathBuf) -> Result<Verdict> {
    let parts = runner.parts(Model::Smmuv3, PageSize::K4)?;
    let cache = dir.join("cache");
    let tree = dir.join("linux-7.2.99");
    let write = |content: &str| {
        place::make_dir(&tree)?;
        fs::write(tree.join("Makefile"), LINUX)?;
        fs::write(tree.join("content"), content).context("writing a source")
    };
    let set_up = |source: &Path| -> Result<Output> {
        let mut c = this_program(&runner.source);
        for variable in ["QEMU_IOMMU_QEMU_SRC", "QEMU_IOMMU_LINUX_SRC", "QEMU_IOMMU_KERNEL"] {
            c.env_remove(variable);
        }
        c.args(["setup", "smmuv3", "--yes", "--qemu-build"]).arg(parts.qemu.parent().unwrap_or(&cache));
        c.arg("--plugin").arg(&parts.plugin).arg("--initrd").arg(&parts.initrd);
        c.arg("--linux-src").arg(source).env("QEMU_IOMMU_CACHE", &cache);
        let output = c.output().context("starting this program")?;
        fs::write(dir.join("output"), [output.stdout.as_slice(), &output.stderr].concat())?;
        Ok(output)
    };
    let image = |source: &Path, content: &str| -> Result<PathBuf> {
        let output = set_up(source)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let line =
            text.lines().find_map(|l| l.trim().strip_prefix("kernel ")).context("no kernel was named")?;
        let image = PathBuf::from(line.trim());
        ensure!(image.starts_with(&cache), "{} is not a build of its own", image.display());
        let made = fs::read(&image).with_context(|| format!("reading {}", image.display()))?;
        ensure!(made.ends_with(content.as_bytes()), "{} was made of another source", image.display());
        Ok(image)
    };
    write("one")?;
    let first = image(&tree, "one")?;
    let entries = cache.join("kernel");
    let version = fs::read_dir(&entries)?.next().context("no entry")??.path();
    ensure!(fs::read_to_string(place::stamp(&version))? == "7.2.99", "the release is not named");
    write("another")?;
    let second = image(&tree, "another")?;
    ensure!(first != second, "what was built of one source passes for what is built of another");
    write("one")?;
    ensure!(image(&tree, "one")? == first, "the same content was built twice");
    let tarball = dir.join("linux-7.2.99.tar.xz");
    let packed =
        Command::new("tar").arg("cJf").arg(&tarball).arg("-C").arg(&dir).arg("linux-7.2.99").status()?;
    ensure!(packed.success(), "tar ended with {packed}");
    image(&tarball, "one")?;
    fs::remove_file(tree.join("Makefile"))?;
    let refused = set_up(&tree)?;
    ensure!(refused.status.code() == Some(3), "a tree that is no Linux: {}", refused.status);
    let _ = fs::remove_dir_all(&cache);
    Ok(Verdict::Pass("7.2.99: two trees and a tarball, three kernels".into()))
}

/// Another series has other internals, and is refused before anything is built.
fn other_series(runner: &Runner, dir: PathBuf) -> Result<Verdict> {
    let tree = dir.join("qemu");
    fs::create_dir_all(&tree)?;
    fs::write(tree.join("VERSION"), "11.2.0\n")?;
    let mut c = this_program(&runner.source);
    c.env_remove("QEMU_IOMMU_QEMU_BUILD").args(["setup", "smmuv3", "--qemu-src"]).arg(&tree);
    let output = c.output().context("starting this program")?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(3), "it ended with {}: {text}", output.status);
    for word in ["11.2.0", qemu::VERSION, "way out", "11.1.x"] {
        ensure!(text.contains(word), "the error lacks {word:?}: {text}");
    }
    Ok(Verdict::Pass("11.2.0".into()))
}

/// A tree of the release that calls itself a later one, and has one structure more. What a compiler would take minutes for is
/// replaced: its `configure` takes over a finished build's headers, and its emulators are scripts that say the version.
fn neighbour(runner: &Runner, dir: PathBuf) -> Result<Verdict> {
    const VERSION: &str = "11.1.99";
    let real = qemu::ensure(&runner.source, Model::Smmuv3)?;
    let release = qemu::download(&runner.source)?;
    let tree = dir.join("qemu");
    place::make_dir(&tree)?;
    let unpacked = Command::new("tar")
        .arg("xf")
        .arg(&release)
        .arg("-C")
        .arg(&tree)
        .arg("--strip-components=1")
        .status()?;
    ensure!(unpacked.success(), "tar ended with {unpacked}");
    fs::write(tree.join("VERSION"), format!("{VERSION}\n"))?;
    let build = real.build.display();
    super::script(
        &tree.join("configure"),
        &format!(
            "set -e\n(cd '{build}' && find . -name '*.h' -print0 | tar cf - --null -T -) | tar xf -\n\
             sed -i 's/\"{}\"/\"{VERSION}\"/' config-host.h\n\
             for target in aarch64 x86_64; do\n\
             printf '#!/bin/sh\\necho \"QEMU emulator version {VERSION}\"; echo -device-plugin\\n' >qemu-system-$target\n\
             chmod +x qemu-system-$target\ndone",
            qemu::VERSION
        ),
    )?;
    let bin = dir.join("bin");
    place::make_dir(&bin)?;
    super::script(&bin.join("ninja"), "exit 0")?;
    let path = std::env::join_paths(
        std::iter::once(bin).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )?;
    let cache = dir.join("cache");
    let parts = runner.parts(Model::Smmuv3, PageSize::K4)?;
    let mut c = this_program(&runner.source);
    for variable in
        ["QEMU_IOMMU_QEMU_BUILD", "QEMU_IOMMU_PLUGIN", "QEMU_IOMMU_QEMU_SRC", "QEMU_IOMMU_LINUX_SRC"]
    {
        c.env_remove(variable);
    }
    c.args(["setup", "smmuv3", "--yes", "--qemu-src"]).arg(&tree).arg("--initrd").arg(&parts.initrd);
    c.arg("--kernel").arg(&parts.kernel).env("QEMU_IOMMU_CACHE", &cache).env("PATH", path);
    let output = c.output().context("starting this program")?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    fs::write(dir.join("output"), [output.stdout.as_slice(), &output.stderr].concat())?;
    ensure!(output.status.success(), "{text}");
    let untested = text.lines().filter(|l| l.contains(VERSION) && l.contains("untested")).count();
    ensure!(untested == 1, "{untested} lines say that it is untested: {text}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let plugin =
        said.lines().find_map(|l| l.trim().strip_prefix("plugin ")).context("no plugin was named")?.trim();
    let bytes = fs::read(plugin)?;
    let stamped = bytes.windows(VERSION.len()).any(|w| w == VERSION.as_bytes());
    ensure!(stamped, "{plugin} does not know {VERSION}");
    for large in [&cache, &tree] {
        let _ = fs::remove_dir_all(large);
    }
    Ok(Verdict::Pass(format!("{VERSION}: patched, bindings made anew, plugin built")))
}
