// SPDX-License-Identifier: GPL-2.0-or-later
//! What is C: the reference driver and the kernel's patches. They are in the kernel's style, they compile without a
//! warning, against older kernels too, and the demo passes with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::boots::{demo_in, good};
use super::{Runner, Verdict, plain_machine};
use crate::cli::{Driver, Faults, MachineArgs, SourceArgs};
use crate::place;
use crate::setup::{driver, kernel, packages, patched};
use crate::ui::Step;

/// Kernel series whose headers the distribution may have packages of.
const SERIES: &[&str] = &["6.1", "6.6", "6.12"];

/// The suite.
pub fn run(runner: &mut Runner) {
    runner.test("driver/style", |r, _| driver_style(&r.source));
    runner.test("driver/patches-style", |r, dir| patches_style(&r.source, &dir));
    runner.test("driver/many-processes", |r, dir| {
        let mut args = plain_machine(&r.source);
        args.driver = Driver::SvaTestdev;
        if let Some(why) = no_tree(&args) {
            return Ok(Verdict::Skip(why));
        }
        let checks = "bind-and-pasid,copy-malloc,interrupt,first-touch,kill-mid-fault,many-devices,many-processes,kernel-pasid";
        good(&demo_in(&args, checks, &dir, 300)?, &dir)
    });
    runner.test("driver/own-faults", |r, dir| {
        let mut args = plain_machine(&r.source);
        args.driver = Driver::SvaTestdev;
        if let Some(why) = no_tree(&args) {
            return Ok(Verdict::Skip(why));
        }
        // Neither stalls nor page requests: what is resolved, the driver resolves.
        args.endpoint.push("dma-can-stall=off".into());
        good(&demo_in(&args, "many-processes,driver-faults", &dir, 300)?, &dir)
    });
    runner.test("driver/mended-kernel", |r, dir| {
        let mut args = plain_machine(&r.source);
        if args.source.kernel.is_some() || args.source.kdir.is_some() {
            return Ok(Verdict::Skip("the kernel was given".into()));
        }
        let build = patched::ensure(&args.source, args.model, args.page_size)?;
        // The patches' first three are for stalls as well.
        args.source.kernel = Some(kernel::image_of(&build, args.model));
        good(&demo_in(&args, "first-touch,kill-mid-dma,kill-mid-fault", &dir, 300)?, &dir)
    });
    runner.test("driver/page-requests", |r, dir| {
        let mut args = plain_machine(&r.source);
        if args.source.kernel.is_some() || args.source.kdir.is_some() {
            return Ok(Verdict::Skip("the kernel was given".into()));
        }
        args.faults = Faults::Pri;
        good(
            &demo_in(
                &args,
                "bind-and-pasid,first-touch,munmap,kill-mid-dma,kill-mid-fault,pri-storm",
                &dir,
                400,
            )?,
            &dir,
        )
    });
    runner.test("driver/unmodified-kernel-denies", |r, dir| {
        let mut args = plain_machine(&r.source);
        args.iommu.extend(["ats=on".to_owned(), "pri=on".to_owned()]);
        args.endpoint.push("dma-can-stall=off".into());
        good(&demo_in(&args, "page-request-denied", &dir, 120)?, &dir)
    });
    if runner.more {
        for series in SERIES {
            runner.test(&format!("driver/linux-{series}"), |r, dir| against(&r.source, series, &dir));
        }
        runner.test("driver/demo", |r, dir| {
            let args = MachineArgs { driver: Driver::SvaTestdev, ..plain_machine(&r.source) };
            good(&demo_in(&args, "all", &dir, 600)?, &dir)
        });
    }
}

/// Why the driver cannot be built for the kernel that was given.
fn no_tree(args: &MachineArgs) -> Option<String> {
    args.source.kernel.as_ref().map(|_| "a kernel image was given, and a module needs the tree".to_owned())
}

fn checkpatch(tree: &Path, arguments: &[&str], files: &[PathBuf]) -> Result<()> {
    let output = Command::new("perl")
        .arg(tree.join("scripts/checkpatch.pl"))
        .args(["--strict", "--terse", "--no-summary", "--show-types"])
        .args(arguments)
        .args(files)
        .current_dir(tree)
        .output()
        .context("running checkpatch.pl")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found: Vec<&str> = text
        .lines()
        .filter(|l| l.contains("ERROR:") || l.contains("WARNING:") || l.contains("CHECK:"))
        .collect();
    if !found.is_empty() {
        bail!("{}", found.join("\n"));
    }
    if !output.status.success() {
        bail!("checkpatch.pl ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn driver_style(source: &SourceArgs) -> Result<Verdict> {
    let tree = kernel::source(source)?;
    let mut files = driver::sources()?;
    files.retain(|f| f.extension().is_some_and(|e| e == "c" || e == "h"));
    checkpatch(&tree, &["--file"], &files)?;
    Ok(Verdict::Pass(format!("{} files, checkpatch --strict", files.len())))
}

/// Each patch by checkpatch; and the series applies to the release as `git am` would apply it.
fn patches_style(source: &SourceArgs, dir: &Path) -> Result<Verdict> {
    let tree = kernel::source(source)?;
    let series = patched::series()?;
    checkpatch(&tree, &["--no-signoff"], &series)?;
    // `git apply` is as strict as `git am`, and wants no history of the kernel's tree: only the touched files.
    for patch in &series {
        for name in patched::touched(&fs::read_to_string(patch)?) {
            let file = dir.join(&name);
            if !file.is_file() {
                place::make_dir(file.parent().context("a file without a directory")?)?;
                fs::copy(tree.join(&name), &file).with_context(|| format!("copying {name}"))?;
            }
        }
        let output = Command::new("git")
            .arg("apply")
            .arg(patch)
            .current_dir(dir)
            .env("GIT_DIR", "/dev/null")
            .output()?;
        if !output.status.success() {
            bail!("{}: {}", patch.display(), String::from_utf8_lossy(&output.stderr));
        }
    }
    Ok(Verdict::Pass(format!("{} patches, checkpatch --strict --no-signoff, git apply", series.len())))
}

/// Compiles the driver against the distribution's headers of a kernel series.
fn against(source: &SourceArgs, series: &str, dir: &Path) -> Result<Verdict> {
    let Some(headers) = headers(source, series)? else {
        return Ok(Verdict::Skip(format!("no package linux-headers-{series}.* that apt knows")));
    };
    let work = dir.join("build");
    driver::copy_to(&work)?;
    let output = Command::new("make")
        .arg("-C")
        .arg(&headers)
        .arg(format!("M={}", work.display()))
        // BTF wants the kernel's own image.
        .args(["W=1", "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"])
        .output()
        .context("running make")?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    fs::write(dir.join("build.log"), &text)?;
    let warnings: Vec<&str> =
        text.lines().filter(|l| l.contains("warning:") || l.contains("error:")).collect();
    if !output.status.success() || !warnings.is_empty() {
        bail!(
            "{}\n{}",
            headers.display(),
            if warnings.is_empty() { text.trim_end() } else { "" }.to_owned() + &warnings.join("\n")
        );
    }
    let name = headers.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Verdict::Pass(format!("{name}, W=1")))
}

/// The unpacked headers of a series, as its package for this machine's architecture has them.
fn headers(source: &SourceArgs, series: &str) -> Result<Option<PathBuf>> {
    packages::ensure(&[packages::Need::Kernel], source.yes)?;
    let debian = if std::env::consts::ARCH == "x86_64" { "amd64" } else { "arm64" };
    let Some(flavour) = newest(&format!("linux-headers-{series}."), &format!("-{debian}"))? else {
        return Ok(None);
    };
    let entry = place::cache()?.join("headers").join(&flavour);
    let root = entry.join("root");
    let tree = root.join("usr/src").join(&flavour);
    if place::is_complete(&entry) {
        return Ok(Some(tree));
    }
    let _lock = place::lock("headers")?;
    let step = Step::begin(&format!("headers of Linux {series}"), "headers")?;
    let _ = fs::remove_dir_all(&entry);
    place::make_dir(&root)?;
    let common = flavour.replace(&format!("-{debian}"), "-common");
    // kbuild's programs come with a package of the version, or before 6.12 of the series.
    let version = flavour.trim_start_matches("linux-headers-").trim_end_matches(&format!("-{debian}"));
    let own = format!("linux-kbuild-{version}");
    let kbuild = if newest(&own, "")?.is_some() { own } else { format!("linux-kbuild-{series}") };
    step.run(
        Command::new("apt-get").args(["-q", "download", &flavour, &common, &kbuild]).current_dir(&entry),
    )?;
    for package in place::files_below(&entry, &["root"])? {
        if package.extension().is_some_and(|e| e == "deb") {
            step.run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&root))?;
            fs::remove_file(&package)?;
        }
    }
    // The packages expect to be installed at the root.
    let makefile = tree.join("Makefile");
    let text = fs::read_to_string(&makefile).with_context(|| format!("reading {}", makefile.display()))?;
    fs::write(&makefile, text.replace("include /usr/src", &format!("include {}/usr/src", root.display())))?;
    place::complete(&entry, "")?;
    step.finish(&flavour);
    Ok(Some(tree))
}

/// The newest package that apt knows by such a name, without variants (`cloud`, `rt`).
fn newest(begin: &str, end: &str) -> Result<Option<String>> {
    let output = Command::new("apt-cache").args(["pkgnames", begin]).output().context("running apt-cache")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut names: Vec<&str> =
        text.lines().filter(|n| n.ends_with(end) && !n.contains("-cloud-") && !n.contains("-rt-")).collect();
    names.sort_by_key(|n| numbers(n));
    Ok(names.last().map(|n| (*n).to_owned()))
}

/// The numbers in a name, to sort versions by.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_numbers() {
        assert!(numbers("linux-headers-6.12.9-amd64") < numbers("linux-headers-6.12.10-amd64"));
    }
}
