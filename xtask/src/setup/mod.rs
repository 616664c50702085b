// SPDX-License-Identifier: GPL-2.0-or-later
//! The set-up: each part is taken from the cache, or made, or its absence explained.

pub mod apt;
pub mod driver;
pub mod fetch;
pub mod foreign;
pub mod initramfs;
pub mod kernel;
pub mod level2;
pub mod packages;
pub mod patched;
pub mod qemu;
pub mod rust;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use crate::cli::{Driver, Firmware, MachineArgs, Model, PageSize, SetupCmd, SourceArgs};
use crate::vm::Parts;

/// All parts of a machine; makes what is missing. Only what `model` and `page_size` ask for.
pub fn parts(args: &SourceArgs, model: Model, page_size: PageSize) -> Result<Parts> {
    let mut needs = qemu::needs(args)?;
    needs.extend(kernel::needs(args, model, page_size)?);
    if model == Model::Vtd {
        needs.push(packages::Need::FirmwareX86);
    }
    packages::ensure(&needs, args.yes)?;
    let qemu = qemu::ensure(args, model)?;
    let plugin = rust::plugin(args)?;
    let kernel = kernel::ensure(args, model, page_size)?;
    let initrd = initramfs::ensure(args, model)?;
    Ok(Parts { qemu: qemu.system(model), plugin, kernel, initrd })
}

/// The same for a machine as the user described it: with the patched kernel and the driver if it asks for them.
pub fn parts_for(args: &MachineArgs) -> Result<Parts> {
    if args.firmware == Firmware::Acpi {
        packages::ensure(&[packages::Need::FirmwareArm], args.source.yes)?;
    }
    let mut parts = parts(&args.source, args.model, args.page_size)?;
    if args.patched_kernel() && args.source.kernel.is_none() && args.source.kdir.is_none() {
        let build = patched::ensure(&args.source, args.model, args.page_size)?;
        parts.kernel = kernel::image_of(&build, args.model);
    }
    if args.driver == Driver::SvaTestdev {
        parts.initrd = driver::initrd(args, &parts.initrd)?;
    }
    Ok(parts)
}

/// Parts of a machine whose CPUs do not run: QEMU and the plugin alone.
pub fn scene_parts(args: &MachineArgs) -> Result<Parts> {
    let mut needs = qemu::needs(&args.source)?;
    if args.model == Model::Vtd {
        needs.push(packages::Need::FirmwareX86);
    }
    packages::ensure(&needs, args.source.yes)?;
    let qemu = qemu::ensure(&args.source, args.model)?;
    let plugin = rust::plugin(&args.source)?;
    Ok(Parts { qemu: qemu.system(args.model), plugin, kernel: PathBuf::new(), initrd: PathBuf::new() })
}

/// `setup`
pub fn command(cmd: &SetupCmd) -> Result<()> {
    let started = Instant::now();
    if cmd.download_only {
        return download(cmd);
    }
    let models = cmd.model.map_or_else(|| vec![Model::Smmuv3, Model::Vtd], |m| vec![m]);
    for model in models {
        let parts = parts(&cmd.source, model, cmd.page_size)?;
        println!("{}:", model.name());
        println!("  qemu      {}", parts.qemu.display());
        println!("  plugin    {}", parts.plugin.display());
        println!("  kernel    {}", parts.kernel.display());
        println!("  initramfs {}", parts.initrd.display());
    }
    println!("ready in {:.1} s", started.elapsed().as_secs_f32());
    Ok(())
}

/// `setup --download-only`: the pinned files that the set-up would get over the network. Debian packages, crates and what QEMU's
/// build takes from the Python index are not among them.
fn download(cmd: &SetupCmd) -> Result<()> {
    let args = &cmd.source;
    let mut files = Vec::new();
    if args.qemu_src.is_none() && args.qemu_build.is_none() {
        files.push(qemu::download(args)?);
    }
    if args.linux_src.is_none() && args.kernel.is_none() && args.kdir.is_none() {
        files.push(kernel::download(args)?);
    }
    files.extend(rust::download(args)?);
    for model in cmd.model.map_or_else(|| vec![Model::Smmuv3, Model::Vtd], |m| vec![m]) {
        files.push(initramfs::download(args, model)?);
    }
    for file in files {
        println!("{}", file.display());
    }
    Ok(())
}
