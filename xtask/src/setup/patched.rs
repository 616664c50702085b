// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest's kernel with `patches/linux`, built from what is there of the unmodified one: only what the patches
//! touch is compiled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{kernel, packages};
use crate::advice::advice;
use crate::cli::{Model, PageSize, SourceArgs};
use crate::place::{self, Key};
use crate::ui::Step;

/// What the patched kernel calls itself after the version, as `uname -r` says.
pub const SUFFIX: &str = "-pri";

/// The series, in order.
pub fn series() -> Result<Vec<PathBuf>> {
    let dir = place::root().join("patches/linux");
    let mut files = place::files_below(&dir, &[])?;
    files.retain(|f| f.extension().is_some_and(|e| e == "patch"));
    if files.is_empty() {
        return Err(advice(format!("{}: no patches there", dir.display()), "check out patches/linux"));
    }
    Ok(files)
}

fn entry(args: &SourceArgs, model: Model, page_size: PageSize) -> Result<PathBuf> {
    let mut key = Key::default().text("base", &kernel::entry(args, model, page_size)?.display().to_string());
    for patch in series()? {
        key = key.file(&patch)?;
    }
    let name = format!("{}-{}{SUFFIX}-{}", model.kernel_arch(), page_size.name(), key.name());
    Ok(place::cache()?.join("kernel").join(name))
}

/// The build directory of the patched kernel.
pub fn ensure(args: &SourceArgs, model: Model, page_size: PageSize) -> Result<PathBuf> {
    let entry = entry(args, model, page_size)?;
    let build = entry.join("build");
    if place::is_complete(&entry) {
        return Ok(build);
    }
    packages::ensure(&[kernel::toolchain(model)], args.yes)?;
    let base = kernel::build_dir(args, model, page_size)?;
    let _lock = place::lock(&format!("kernel-{}-{}{SUFFIX}", model.kernel_arch(), page_size.name()))?;
    if place::is_complete(&entry) {
        return Ok(build);
    }
    super::fetch::ensure_space(&place::cache()?, 1500, "building the patched kernel")?;
    let source = kernel::source(args)?;
    let patches = series()?;
    let file = format!("kernel-{}-{}{SUFFIX}", model.kernel_arch(), page_size.name());
    let version = kernel::release(args)?.version;
    let step = Step::begin(
        &format!(
            "Linux {version}{SUFFIX} {}, {} pages: build",
            model.kernel_arch(),
            page_size.name().to_uppercase()
        ),
        &file,
    )?;
    let _ = fs::remove_dir_all(&entry);
    place::make_dir(&entry)?;
    let tree = entry.join("linux");
    patched_tree(&step, &source, &tree, &patches)?;
    step.run(Command::new("cp").arg("-a").arg(&base).arg(&build))?;
    retarget(&build, &source, &tree)?;
    let mut make = kernel::make(&tree, &build, model);
    make.arg(format!("LOCALVERSION={SUFFIX}")).arg(kernel::jobs()).arg(kernel::target(model));
    step.run(&mut make)?;
    kernel::check_image(&build.join(kernel::image_in(model)), model)?;
    place::complete(&entry, &version)?;
    step.finish(&format!("{} patches on what was built", patches.len()));
    prune(&entry)?;
    Ok(build)
}

/// The source with the patches applied. Files that they do not touch are shared with the unmodified tree.
fn patched_tree(step: &Step, source: &Path, tree: &Path, patches: &[PathBuf]) -> Result<()> {
    step.run(Command::new("cp").arg("-al").arg(source).arg(tree))?;
    for patch in patches {
        for name in touched(&fs::read_to_string(patch).context("reading a patch")?) {
            // A file of its own, so that patching it in place leaves the other tree alone.
            let file = tree.join(&name);
            let content = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            fs::remove_file(&file)?;
            fs::write(&file, content)?;
        }
        step.run(
            Command::new("patch")
                .args(["-p1", "--forward", "--batch", "--no-backup-if-mismatch", "--fuzz=0", "-i"])
                .arg(patch)
                .current_dir(tree),
        )?;
    }
    Ok(())
}

/// The files that a patch changes.
pub fn touched(patch: &str) -> Vec<String> {
    patch.lines().filter_map(|l| l.strip_prefix("+++ b/")).map(|l| l.trim_end().to_owned()).collect()
}

/// Lets a copied build directory belong to another source tree: kbuild compiles anew what its recorded command does
/// not agree with, and the commands name the tree.
fn retarget(build: &Path, from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (from.display().to_string(), to.display().to_string());
    for file in place::files_below(build, &[])? {
        if file.extension().is_none_or(|e| e != "cmd") {
            continue;
        }
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        if text.contains(&from) {
            fs::write(&file, text.replace(&from, &to))?;
        }
    }
    Ok(())
}

/// A patched kernel's tree is of no use once the patches are others.
fn prune(keep: &Path) -> Result<()> {
    let dir = place::cache()?.join("kernel");
    let Some(prefix) = keep
        .file_name()
        .and_then(|n| n.to_str())
        .and_then(|n| n.rsplit_once('-'))
        .map(|(p, _)| format!("{p}-"))
    else {
        return Ok(());
    };
    let mut others: Vec<(std::time::SystemTime, PathBuf)> = fs::read_dir(&dir)?
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with(&prefix) && e.path() != keep)
        .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
        .collect();
    others.sort();
    others.pop();
    for (_, old) in others {
        let _ = fs::remove_dir_all(old);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_names_its_files() {
        let patch =
            "---\n a | 2 +-\n\ndiff --git a/x/y.c b/x/y.c\n--- a/x/y.c\n+++ b/x/y.c\n@@ -1 +1 @@\n-a\n+b\n";
        assert_eq!(touched(patch), ["x/y.c"]);
    }

    #[test]
    fn the_series_is_numbered_without_gaps() {
        for (n, file) in series().unwrap().iter().enumerate() {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(name.starts_with(&format!("{:04}-", n + 1)), "{name}");
        }
    }
}
