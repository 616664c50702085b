// SPDX-License-Identifier: GPL-2.0-or-later
//! Errors that a user meets: each names its cause and the way out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Runner, Verdict};
use crate::cli::SourceArgs;
use crate::place;

/// This program, with the same sources of its parts.
pub fn this_program(source: &SourceArgs) -> Command {
    let mut c = Command::new(std::env::current_exe().unwrap_or_else(|_| "qemu-iommu".into()));
    c.env("QEMU_IOMMU_ROOT", place::root());
    for (name, value) in [
        ("QEMU_IOMMU_QEMU_BUILD", &source.qemu_build),
        ("QEMU_IOMMU_PLUGIN", &source.plugin),
        ("QEMU_IOMMU_SOURCES", &source.sources),
        ("QEMU_IOMMU_KERNEL", &source.kernel),
        ("QEMU_IOMMU_QEMU_SRC", &source.qemu_src),
        ("QEMU_IOMMU_LINUX_SRC", &source.linux_src),
    ] {
        if let Some(value) = value {
            c.env(name, value);
        }
    }
    c
}

/// Runs a command that has to fail and say all of `words`.
fn says(command: &mut Command, code: &[i32], words: &[&str], dir: &Path) -> Result<Verdict> {
    let output = command.output().context("starting this program")?;
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    fs::write(dir.join("output"), &text)?;
    let got = output.status.code().unwrap_or(-1);
    if !code.contains(&got) {
        bail!("exit code {got}, expected one of {code:?}:\n{text}");
    }
    // Paths carry time stamps and names of tests, and a word found there says nothing.
    let spoken: Vec<&str> =
        text.split_whitespace().filter(|w| !w.contains("/results/") && !w.contains("/messages-")).collect();
    let spoken = spoken.join(" ");
    for word in words {
        if !spoken.contains(word) {
            bail!("the message lacks {word:?}:\n{text}");
        }
    }
    // QEMU's own words say more than ours about it.
    let line = text
        .lines()
        .find(|l| l.contains("qemu-system-aarch64: -dev"))
        .or(text.lines().find(|l| l.contains("error")));
    let line = line.unwrap_or_default().trim().trim_start_matches("error: ");
    Ok(Verdict::Pass(line.chars().take(110).collect()))
}

/// A directory in which `qemu-system-aarch64` is a script that says these things.
fn fake_qemu(dir: &Path, version: &str, help: &str) -> Result<PathBuf> {
    let build = dir.join("build");
    fs::create_dir_all(&build)?;
    let script = build.join("qemu-system-aarch64");
    fs::write(
        &script,
        format!(
            "#!/bin/sh\ncase \"$1\" in\n--version) echo 'QEMU emulator version {version}';;\n*) echo '{help}';;\nesac\n"
        ),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(build)
}

/// What a plugin of another build would have in it: in place of what, and what the refusal must name.
const FORGERIES: &[(&str, &str, &str, &[&str])] = &[
    ("another-stamp", "_3baffb59", "_3baffb58", &["stamp _3baffb59", "stamp _3baffb58", "cargo xtask setup"]),
    (
        "a-fact-that-qemu-lacks",
        "sizeof PCIIOMMUOps",
        "sizeof PCIIOMMUOpt",
        &["sizeof PCIIOMMUOpt", "not known here", "cargo xtask setup"],
    ),
    (
        // These two are alike, so that only one side's list tells.
        "a-fact-missing",
        "offsetof DeviceClass.vmsd",
        "offsetof PCIDevice.config",
        &["offsetof DeviceClass.vmsd", "not known there", "cargo xtask setup"],
    ),
    (
        "another-layout",
        "sizeof PCIDMAReq",
        "sizeof PCIDevice",
        &["sizeof PCIDevice is", "here", "there", "cargo xtask setup"],
    ),
];

/// A plugin with some of its bytes replaced by as many others.
fn forged(plugin: &Path, from: &str, to: &str, dir: &Path) -> Result<PathBuf> {
    let mut bytes = fs::read(plugin)?;
    let found: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes.get(*at..).is_some_and(|rest| rest.starts_with(from.as_bytes())))
        .collect();
    if found.is_empty() || from.len() != to.len() {
        bail!("{}: no {from:?} to replace", plugin.display());
    }
    for at in found {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    let file = dir.join("libforged.so");
    fs::write(&file, bytes)?;
    Ok(file)
}

/// Values that the models refuse: property, value, and what must be named.
const VALUES: &[(&str, &[&str])] = &[
    ("ssidsize=21", &["ssidsize", "21", "20"]),
    ("oas=33", &["oas", "33", "48"]),
    ("stall=maybe", &["stall", "maybe", "force"]),
    ("granules=8k", &["granules", "8k", "64k"]),
    ("accel=on,stage=nested", &["accel", "stage", "nested", "stage=1"]),
    ("no-such-property=1", &["no-such-property"]),
];

/// The suite.
pub fn run(runner: &mut Runner) {
    for (property, words) in VALUES {
        let name = property.split('=').next().unwrap_or_default();
        runner.test(&format!("messages/value-of-{name}"), |r, dir| {
            let mut c = this_program(&r.source);
            c.args(["demo", "smmuv3", "--iommu", property]).env("QEMU_IOMMU_RESULTS", &dir);
            says(&mut c, &[134], words, &dir)
        });
    }
    runner.test("messages/endpoint-value", |r, dir| {
        let mut c = this_program(&r.source);
        c.args(["demo", "smmuv3", "--endpoint", "pasid-bits=21"]).env("QEMU_IOMMU_RESULTS", &dir);
        says(&mut c, &[134], &["pasid-bits", "21", "20"], &dir)
    });
    runner.test("messages/vtd-accel-and-second-stage", |r, dir| {
        let mut c = this_program(&r.source);
        c.args(["demo", "vtd", "--iommu", "accel=on,ssts=on"]).env("QEMU_IOMMU_RESULTS", &dir);
        says(&mut c, &[134], &["accel", "ssts=off", "leave ssts out"], &dir)
    });
    runner.test("messages/bad-argument", |r, dir| {
        says(
            this_program(&r.source).args(["demo", "smmuv3", "--pasid-bits", "21"]),
            &[2],
            &["--pasid-bits", "21", "0..=20"],
            &dir,
        )
    });
    runner.test("messages/vtd-does-not-stall", |r, dir| {
        says(
            this_program(&r.source).args(["demo", "vtd", "--stall", "on"]),
            &[2],
            &["VT-d", "page requests", "way out"],
            &dir,
        )
    });
    runner.test("messages/nothing-to-replace", |r, dir| {
        says(
            this_program(&r.source).args(["demo", "vtd", "--replace"]),
            &[2],
            &["--replace", "--impl c", "way out"],
            &dir,
        )
    });
    runner.test("messages/vtd-faults-stall", |r, dir| {
        says(
            this_program(&r.source).args(["demo", "vtd", "--faults", "stall"]),
            &[2],
            &["--faults stall", "VT-d", "page requests", "way out"],
            &dir,
        )
    });
    runner.test("messages/faults-pri-and-forced-stall", |r, dir| {
        says(
            this_program(&r.source).args(["demo", "--faults", "pri", "--stall", "force"]),
            &[2],
            &["--faults pri", "--stall force", "way out", "--stall on"],
            &dir,
        )
    });
    runner.test("messages/missing-plugin", |r, dir| {
        let mut c = this_program(&r.source);
        says(
            c.args(["demo", "smmuv3", "--plugin", "/nonexistent/libqemu_iommu.so"]),
            &[3],
            &["/nonexistent/libqemu_iommu.so", "cargo build --release"],
            &dir,
        )
    });
    runner.test("messages/plugin-of-another-make", |r, dir| {
        // A shared object that is no plugin at all: QEMU must say which and why.
        let parts = r.parts(crate::cli::Model::Smmuv3, crate::cli::PageSize::K4)?;
        let module = parts.qemu.with_file_name("accel-qtest.so");
        let mut c = this_program(&r.source);
        c.args(["demo", "smmuv3", "--plugin"]).arg(&module).env("QEMU_IOMMU_RESULTS", &dir);
        says(&mut c, &[134], &["accel-qtest.so"], &dir)
    });
    for (name, from, to, words) in FORGERIES {
        runner.test(&format!("messages/plugin-with-{name}"), |r, dir| {
            let parts = r.parts(crate::cli::Model::Smmuv3, crate::cli::PageSize::K4)?;
            let plugin = forged(&parts.plugin, from, to, &dir)?;
            let mut c = this_program(&r.source);
            c.args(["demo", "smmuv3", "--plugin"]).arg(&plugin).env("QEMU_IOMMU_RESULTS", &dir);
            says(&mut c, &[134], words, &dir)
        });
    }
    runner.test("messages/mismatched-qemu", |r, dir| {
        let build = fake_qemu(&dir, "9.2.0", "")?;
        says(
            this_program(&r.source).args(["demo", "smmuv3", "--qemu-build"]).arg(build),
            &[3],
            &["9.2.0", "11.1.1", "cargo xtask setup"],
            &dir,
        )
    });
    runner.test("messages/unpatched-qemu", |r, dir| {
        let build = fake_qemu(&dir, "11.1.1", "usage")?;
        says(
            this_program(&r.source).args(["demo", "smmuv3", "--qemu-build"]).arg(build),
            &[3],
            &["unpatched", "-device-plugin", "cargo xtask setup"],
            &dir,
        )
    });
    runner.test("messages/kernel-without-sva", |r, dir| {
        let tree = dir.join("linux");
        fs::create_dir_all(&tree)?;
        fs::write(tree.join(".config"), "CONFIG_PCI=y\nCONFIG_ARM_SMMU_V3=y\nCONFIG_UIO=m\n")?;
        let mut c = this_program(&r.source);
        c.env_remove("QEMU_IOMMU_KERNEL").env_remove("QEMU_IOMMU_LINUX_SRC");
        c.args(["demo", "smmuv3", "--kdir"]).arg(tree);
        says(&mut c, &[3], &["CONFIG_ARM_SMMU_V3_SVA=y", "CONFIG_UIO=y (a module", "kconfig smmuv3"], &dir)
    });
    runner.test("messages/not-a-kernel", |r, dir| {
        let file = dir.join("Image");
        fs::write(&file, vec![0; 4096])?;
        says(
            this_program(&r.source)
                .env_remove("QEMU_IOMMU_LINUX_SRC")
                .args(["demo", "smmuv3", "--kernel"])
                .arg(file),
            &[3],
            &["not a kernel image for arm64", "arch/arm64/boot/Image"],
            &dir,
        )
    });
    runner.test("messages/no-network", no_network);
    runner.test("messages/full-disk", full_disk);
}

/// This program with finished QEMU and plugin, and a cache that lacks the rest.
fn with_empty_cache(runner: &Runner, cache: &Path, sources: &Path) -> Result<Command> {
    let parts = runner.parts(crate::cli::Model::Smmuv3, crate::cli::PageSize::K4)?;
    let mut c = this_program(&runner.source);
    c.args(["setup", "smmuv3", "--qemu-build"]).arg(parts.qemu.parent().unwrap_or(cache));
    c.arg("--plugin").arg(&parts.plugin).arg("--sources").arg(sources);
    c.env("QEMU_IOMMU_CACHE", cache).env_remove("QEMU_IOMMU_KERNEL").env_remove("QEMU_IOMMU_LINUX_SRC");
    Ok(c)
}

fn no_network(runner: &Runner, dir: PathBuf) -> Result<Verdict> {
    let empty = dir.join("empty");
    fs::create_dir_all(&empty)?;
    let mut c = with_empty_cache(runner, &dir.join("cache"), &empty)?;
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        c.env(name, "http://127.0.0.1:9/");
    }
    c.env_remove("no_proxy").env_remove("NO_PROXY");
    says(&mut c, &[3], &["linux-source-7.2", "tried", "--sources DIR"], &dir)
}

/// In a mount namespace of its own, so that nothing is left behind, and root is not needed where user namespaces work.
fn full_disk(runner: &Runner, dir: PathBuf) -> Result<Verdict> {
    let small = dir.join("small");
    fs::create_dir_all(&small)?;
    let quoted = crate::ui::quote(&small.display().to_string());
    let unshare = |script: &str| {
        let mut c = Command::new("unshare");
        c.args(["--mount", "--map-root-user", "sh", "-c", script]);
        c
    };
    let mount = format!("mount -t tmpfs -o size=1m tmpfs {quoted}");
    if !unshare(&mount).output().is_ok_and(|o| o.status.success()) {
        return Ok(Verdict::Skip("this machine lets nobody mount a small file system".into()));
    }
    let inner = with_empty_cache(runner, &small, &small)?;
    let mut c = unshare(&format!("{mount} && exec {}", crate::ui::shell_words(&inner)));
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => c.env(name, value),
            None => c.env_remove(name),
        };
    }
    says(&mut c, &[3], &["full", "free some space", "QEMU_IOMMU_CACHE"], &dir)
}
