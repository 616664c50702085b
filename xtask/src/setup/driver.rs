// SPDX-License-Identifier: GPL-2.0-or-later
//! The reference driver (`guest/driver`): a module for the guest's kernel, and its build against other kernels'
//! headers.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{initramfs, kernel, packages, patched};
use crate::advice::{advice, coded, exit};
use crate::cli::MachineArgs;
use crate::place::{self, Key};
use crate::ui::Step;

/// The module's file.
pub const MODULE: &str = "sva_testdev.ko";

/// The sources.
pub fn sources() -> Result<Vec<PathBuf>> {
    let mut files = place::files_below(&place::root().join("guest/driver"), &[])?;
    files.retain(|f| {
        let name = f.file_name().unwrap_or_default().to_string_lossy().into_owned();
        matches!(name.as_str(), "Kbuild" | "Makefile") || name.ends_with(".c") || name.ends_with(".h")
    });
    Ok(files)
}

/// The key of what is built from the sources.
pub fn key() -> Result<Key> {
    let mut key = Key::default();
    for file in sources()? {
        key = key.file(&file)?;
    }
    Ok(key)
}

/// Copies the sources to where objects may lie beside them.
pub fn copy_to(dir: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(dir);
    place::make_dir(dir)?;
    for file in sources()? {
        let name = file.file_name().context("a source without a name")?;
        fs::copy(&file, dir.join(name)).with_context(|| format!("copying {}", file.display()))?;
    }
    Ok(())
}

/// The initramfs with the module in it, made for the machine's kernel.
pub fn initrd(args: &MachineArgs, initrd: &Path) -> Result<PathBuf> {
    let build = match (&args.source.kernel, &args.source.kdir) {
        (Some(image), _) => {
            return Err(coded(
                exit::USAGE,
                format!(
                    "--driver sva-testdev with --kernel {}: a module needs the kernel's tree",
                    image.display()
                ),
                "give the tree with --kdir instead of the image, or neither",
            ));
        }
        (_, Some(dir)) => dir.clone(),
        _ if args.patched_kernel() => patched::ensure(&args.source, args.model, args.page_size)?,
        _ => kernel::build_dir(&args.source, args.model, args.page_size)?,
    };
    let whose = match &args.source.kdir {
        // A user's tree changes under us: what it was built to tells.
        Some(dir) => place::sha256(&dir.join(kernel::image_in(args.model)))?,
        None => build.display().to_string(),
    };
    let key =
        key()?.text("kernel", &whose).text("release", "its own").text("initrd", &place::sha256(initrd)?);
    let entry = place::cache()?.join("driver").join(format!("{}-{}", args.model.target(), key.name()));
    let file = entry.join("initramfs.cpio");
    if place::is_complete(&entry) {
        return Ok(file);
    }
    let _lock = place::lock("driver")?;
    if place::is_complete(&entry) {
        return Ok(file);
    }
    let module = module(args, &build, &entry.join("build"))?;
    let content = fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
    initramfs::extended(initrd, &[(MODULE, &content)], &file)?;
    place::complete(&entry, "")?;
    place::prune(&place::cache()?.join("driver"), 8);
    Ok(file)
}

/// Builds the module against a kernel's build directory.
fn module(args: &MachineArgs, build: &Path, dir: &Path) -> Result<PathBuf> {
    packages::ensure(&[kernel::toolchain(args.model)], args.source.yes)?;
    copy_to(dir)?;
    let step = Step::begin("driver sva_testdev.ko", "driver")?;
    let own = args.source.kdir.is_none();
    // The kernel takes modules of its own release only, which preparing a tree would set anew.
    let local = format!("LOCALVERSION={}", if args.patched_kernel() { patched::SUFFIX } else { "" });
    if own {
        step.run(kernel::make_in(build, args.model).arg(&local).arg("modules_prepare"))?;
    }
    let mut make = kernel::make_in(build, args.model);
    if own {
        make.arg(&local);
    }
    make.arg(format!("M={}", dir.display())).arg("W=1");
    let symbols = build.join("vmlinux.symvers");
    if !build.join("Module.symvers").is_file() && symbols.is_file() {
        // What `make modules` would have collected, where only the image was built.
        make.arg(format!("KBUILD_EXTRA_SYMBOLS={}", symbols.display()));
    }
    step.run(make.arg("modules")).map_err(|e| match &args.source.kdir {
        Some(dir) => advice(
            format!("{e:#}"),
            format!(
                "prepare the tree for modules: make -C {} ARCH={} modules_prepare",
                dir.display(),
                args.model.kernel_arch()
            ),
        ),
        None => e,
    })?;
    step.finish("for the guest's kernel");
    Ok(dir.join(MODULE))
}
