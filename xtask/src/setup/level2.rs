// SPDX-License-Identifier: GPL-2.0-or-later
//! What a guest needs to have a guest of its own: QEMU and the plugin for aarch64, their libraries, and the inner guest's parts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::packages::{self, Need};
use super::{fetch, foreign, initramfs, kernel, qemu, rust};
use crate::advice::advice;
use crate::cli::{Model, PageSize, SourceArgs};
use crate::place::{self, Key};
use crate::ui::Step;
use crate::vm;

const ARCH: &str = "aarch64";
const PREFIX: &str = "aarch64-linux-gnu-";

/// What QEMU is built with and runs with, beside the cross compiler's C library.
const PACKAGES: &[&str] = &[
    "libglib2.0-0",
    "libglib2.0-dev",
    "libpcre2-8-0",
    "libpcre2-dev",
    "zlib1g",
    "zlib1g-dev",
    "libfdt1",
    "libfdt-dev",
    "libffi8",
    "libffi-dev",
    "libmount1",
    "libmount-dev",
    "libblkid1",
    "libblkid-dev",
    "libselinux1",
    "libselinux1-dev",
];

/// KVM runs the inner guest: no TCG, and a third of the files to compile.
const CONFIGURE: &[&str] = &[
    "--target-list=aarch64-softmmu",
    "--without-default-features",
    "--enable-system",
    "--enable-modules",
    "--disable-tcg",
    "--enable-kvm",
    "--enable-fdt=system",
    "--disable-docs",
    "--disable-install-blobs",
    "--disable-werror",
    "--enable-download",
];

/// Shared objects that programs here load, by the names they have in them.
const LIBRARIES: &[&str] = &[
    "ld-linux-aarch64.so.1",
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libfdt.so.1",
    "libglib-2.0.so.0",
    "libgmodule-2.0.so.0",
    "libpcre2-8.so.0",
];

/// Where the cross compiler has its own libraries.
const COMPILER_LIBRARIES: &str = "/usr/aarch64-linux-gnu/lib";

/// The files in the outer guest.
pub mod inside {
    /// QEMU.
    pub const QEMU: &str = "/bin/qemu-system-aarch64";
    /// The plugin.
    pub const PLUGIN: &str = "/lib/libqemu_iommu.so";
    /// The inner guest's kernel.
    pub const KERNEL: &str = "/root/Image";
    /// Its initramfs.
    pub const INITRD: &str = "/root/initramfs.cpio";
    /// Its firmware.
    pub const FIRMWARE: &str = "/root/QEMU_EFI.fd";
    /// QEMU's command line, a word a line: what init starts.
    pub const COMMAND: &str = "root/level2";
}

/// An initramfs for the outer guest, with everything inside; `command` is QEMU's command line there.
pub fn initrd(args: &SourceArgs, command: &[String], to: &Path) -> Result<()> {
    packages::ensure(&[Need::Qemu, Need::KernelArm64, Need::FirmwareArm], args.yes)?;
    let sysroot = sysroot()?;
    let qemu = qemu(args, &sysroot)?;
    let plugin = rust::plugin_for_aarch64(args)?;
    let kernel = kernel::ensure(args, Model::Smmuv3, PageSize::K4)?;
    let base = initramfs::ensure(args, Model::Smmuv3)?;
    let read = |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
    let stripped = to.with_extension("plugin");
    strip(&plugin, &stripped)?;
    let mut files = vec![
        (inside::QEMU.to_owned(), read(&qemu)?),
        (inside::PLUGIN.to_owned(), read(&stripped)?),
        (inside::KERNEL.to_owned(), read(&kernel)?),
        (inside::INITRD.to_owned(), read(&base)?),
        (inside::FIRMWARE.to_owned(), read(Path::new(vm::UEFI_ARM))?),
        (inside::COMMAND.to_owned(), command.join("\n").into_bytes()),
    ];
    for library in LIBRARIES {
        files.push((format!("lib/{library}"), read(&find(library, &sysroot)?)?));
    }
    let _ = fs::remove_file(&stripped);
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, content)| (name.trim_start_matches('/'), content.as_slice())).collect();
    initramfs::extended(&base, &files, to)
}

fn strip(from: &Path, to: &Path) -> Result<()> {
    let done = Command::new(format!("{PREFIX}strip")).arg("-o").arg(to).arg(from).status();
    match done {
        Ok(status) if status.success() => Ok(()),
        _ => Err(advice(
            format!("{PREFIX}strip failed on {}", from.display()),
            "install binutils-aarch64-linux-gnu",
        )),
    }
}

fn find(library: &str, sysroot: &Path) -> Result<PathBuf> {
    let own = [Path::new(COMPILER_LIBRARIES).join(library)];
    let places = [sysroot.join("usr/lib/aarch64-linux-gnu"), sysroot.join("lib/aarch64-linux-gnu")];
    own.into_iter().chain(places.map(|dir| dir.join(library))).find(|path| path.is_file()).ok_or_else(|| {
        advice(
            format!("{library} for {ARCH} is neither in {COMPILER_LIBRARIES} nor in {}", sysroot.display()),
            "remove that directory and try again",
        )
    })
}

/// Headers and libraries for aarch64.
fn sysroot() -> Result<PathBuf> {
    let key = Key::default().text("packages", &PACKAGES.join(" "));
    let entry = place::cache()?.join("sysroot").join(format!("{ARCH}-{}", key.name()));
    let root = entry.join("root");
    if place::is_complete(&entry) {
        return Ok(root);
    }
    let _lock = place::lock("sysroot")?;
    if !place::is_complete(&entry) {
        if !packages::on_path("apt-get") {
            return Err(advice(
                format!("QEMU for {ARCH} needs libraries for {ARCH}, and this system has no apt-get"),
                "run this on Debian or one of its children",
            ));
        }
        let step = Step::begin(&format!("libraries for {ARCH}"), "sysroot")?;
        place::make_dir(&entry)?;
        foreign::unpack(&step, ARCH, PACKAGES, &root)?;
        place::complete(&entry, &PACKAGES.join("\n"))?;
        step.finish(&format!("{} packages, beside the system", PACKAGES.len()));
    }
    Ok(root)
}

/// `qemu-system-aarch64` for aarch64.
fn qemu(args: &SourceArgs, sysroot: &Path) -> Result<PathBuf> {
    let (source, key) = qemu::source(args)?;
    let key = key.text("configure", &CONFIGURE.join(" ")).text("packages", &PACKAGES.join(" "));
    let entry = place::cache()?.join("qemu").join(format!("{ARCH}-{}", key.name()));
    let stripped = entry.join("qemu-system-aarch64");
    if place::is_complete(&entry) {
        return Ok(stripped);
    }
    let _lock = place::lock("qemu-aarch64")?;
    if place::is_complete(&entry) {
        return Ok(stripped);
    }
    let build = entry.join("build");
    place::make_dir(&build)?;
    fetch::ensure_space(&entry, 1500, "building QEMU for aarch64")?;
    let libraries = sysroot.join("usr/lib/aarch64-linux-gnu");
    if !build.join("configured").is_file() {
        let python = qemu::python()?;
        let step =
            Step::begin(&format!("QEMU {} for {ARCH}: configure", qemu::VERSION), "qemu-aarch64-configure")?;
        let include = sysroot.join("usr/include");
        let mut c = Command::new(source.join("configure"));
        c.current_dir(&build)
            .env("PKG_CONFIG", pkg_config(&entry, sysroot)?)
            .arg(format!("--python={}", python.join("bin/python3").display()))
            .arg(format!("--cross-prefix={PREFIX}"))
            .arg(format!("--extra-cflags=-I{}", include.display()))
            .arg(format!("--extra-ldflags=-L{0} -Wl,-rpath-link,{0}", libraries.display()))
            .args(CONFIGURE);
        step.run(&mut c)?;
        fs::write(build.join("configured"), "").context("writing a stamp")?;
        step.finish("KVM alone");
    }
    let step = Step::begin(&format!("QEMU {} for {ARCH}: build", qemu::VERSION), "qemu-aarch64-build")?;
    step.run(Command::new("ninja").current_dir(&build).arg("qemu-system-aarch64"))?;
    strip(&build.join("qemu-system-aarch64"), &stripped)?;
    place::complete(&entry, qemu::VERSION)?;
    step.finish("for the outer guest");
    Ok(stripped)
}

/// pkg-config that looks into the sysroot.
fn pkg_config(entry: &Path, sysroot: &Path) -> Result<PathBuf> {
    let script = entry.join("pkg-config");
    let root = sysroot.display();
    let text = format!(
        "#!/bin/sh\n\
         export PKG_CONFIG_PATH= PKG_CONFIG_SYSROOT_DIR='{root}'\n\
         export PKG_CONFIG_LIBDIR='{root}/usr/lib/aarch64-linux-gnu/pkgconfig:{root}/usr/share/pkgconfig'\n\
         exec pkg-config \"$@\"\n"
    );
    fs::write(&script, text).with_context(|| format!("writing {}", script.display()))?;
    let done = Command::new("chmod").arg("+x").arg(&script).status().context("running chmod")?;
    anyhow::ensure!(done.success(), "chmod +x {}", script.display());
    Ok(script)
}
