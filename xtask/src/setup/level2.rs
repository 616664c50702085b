// SPDX-License-Identifier: GPL-2.0-or-later
//! What a guest needs to have a guest of its own: QEMU and the plugin for its architecture, their libraries, and the inner
//! guest's parts.

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
use crate::vm::{self, Parts};

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
    pub const QEMU: &str = "/bin/qemu-system";
    /// The plugin.
    pub const PLUGIN: &str = "/lib/libqemu_iommu.so";
    /// The inner guest's kernel.
    pub const KERNEL: &str = "/root/kernel";
    /// Its initramfs.
    pub const INITRD: &str = "/root/initramfs.cpio";
    /// Its firmware's directory.
    pub const FIRMWARE: &str = "/root/firmware";
    /// QEMU's command line, a word a line: what init starts.
    pub const COMMAND: &str = "/root/level2";
}

/// What a model's outer guest runs.
struct Programs {
    qemu: PathBuf,
    plugin: PathBuf,
    /// Shared objects: where programs look for them there, and where they are here.
    libraries: Vec<(String, PathBuf)>,
    firmware: Vec<PathBuf>,
    /// The prefix of its binutils.
    prefix: &'static str,
}

/// An initramfs for the outer guest, with everything inside; `outer` are that guest's own parts, `command` is QEMU's command
/// line there.
pub fn initrd(args: &SourceArgs, model: Model, outer: &Parts, command: &[String], to: &Path) -> Result<()> {
    let programs = match model {
        Model::Smmuv3 => for_aarch64(args)?,
        Model::Vtd => for_x86(outer)?,
    };
    let kernel = kernel::ensure(args, model, PageSize::K4)?;
    let base = initramfs::ensure(args, model)?;
    let read = |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
    let stripped = |file: &Path| {
        let without = to.with_extension("stripped");
        strip(programs.prefix, file, &without)?;
        let bytes = read(&without);
        let _ = fs::remove_file(&without);
        bytes
    };
    let mut files = vec![
        (inside::QEMU.to_owned(), stripped(&programs.qemu)?),
        (inside::PLUGIN.to_owned(), stripped(&programs.plugin)?),
        (inside::KERNEL.to_owned(), read(&kernel)?),
        (inside::INITRD.to_owned(), read(&base)?),
        (inside::COMMAND.to_owned(), command.join("\n").into_bytes()),
    ];
    for file in &programs.firmware {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        files.push((format!("{}/{name}", inside::FIRMWARE), read(file)?));
    }
    for (name, file) in &programs.libraries {
        files.push((name.clone(), read(file)?));
    }
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, content)| (name.trim_start_matches('/'), content.as_slice())).collect();
    initramfs::extended(&base, &files, to)
}

/// A QEMU without TCG, the plugin, and their libraries, none of them this system's.
fn for_aarch64(args: &SourceArgs) -> Result<Programs> {
    packages::ensure(&[Need::Qemu, Need::KernelArm64, Need::FirmwareArm], args.yes)?;
    let sysroot = sysroot()?;
    let libraries: Result<Vec<_>> =
        LIBRARIES.iter().map(|library| Ok((format!("/lib/{library}"), find(library, &sysroot)?))).collect();
    Ok(Programs {
        qemu: qemu(args, &sysroot)?,
        plugin: rust::plugin_for_aarch64(args)?,
        libraries: libraries?,
        firmware: vec![vm::UEFI_ARM.into()],
        prefix: PREFIX,
    })
}

/// The QEMU and the plugin that run the outer guest run the inner one, too.
fn for_x86(outer: &Parts) -> Result<Programs> {
    if std::env::consts::ARCH != "x86_64" {
        return Err(advice(
            "a guest of a guest behind VT-d takes QEMU and its libraries from this system, which is not x86_64",
            "cargo xtask demo nested smmuv3",
        ));
    }
    let firmware: Result<Vec<_>> = vm::FIRMWARE_X86
        .iter()
        .map(|name| {
            let files = vm::FIRMWARE_DIRS_X86.map(|dir| Path::new(dir).join(name));
            files.into_iter().find(|file| file.is_file()).ok_or_else(|| {
                advice(
                    format!("{name} is neither in {}", vm::FIRMWARE_DIRS_X86.join(" nor in ")),
                    "install seabios and qemu-system-data",
                )
            })
        })
        .collect();
    Ok(Programs {
        qemu: outer.qemu.clone(),
        plugin: outer.plugin.clone(),
        libraries: linked(&[&outer.qemu, &outer.plugin])?,
        firmware: firmware?,
        prefix: "",
    })
}

/// The shared objects that programs of this system load: each where it is looked for first.
fn linked(programs: &[&PathBuf]) -> Result<Vec<(String, PathBuf)>> {
    let output = Command::new("ldd").args(programs).output().context("running ldd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut found: Vec<(String, PathBuf)> = text.lines().filter_map(library).collect();
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    if !output.status.success() || found.is_empty() {
        return Err(advice(
            format!("ldd does not say which libraries {} loads", programs[0].display()),
            "leave out --qemu-build and --plugin, or name files that run here",
        ));
    }
    Ok(found)
}

/// A line of ldd's: `libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x…)`, or the program interpreter's path alone.
fn library(line: &str) -> Option<(String, PathBuf)> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    match (words.next()?, words.next()) {
        ("=>", Some(file)) if file.starts_with('/') => Some((format!("/lib/{name}"), file.into())),
        _ if name.starts_with('/') && !name.ends_with(':') => Some((name.to_owned(), name.into())),
        _ => None,
    }
}

fn strip(prefix: &str, from: &Path, to: &Path) -> Result<()> {
    let done = Command::new(format!("{prefix}strip")).arg("-o").arg(to).arg(from).status();
    match done {
        Ok(status) if status.success() => Ok(()),
        _ => Err(advice(
            format!("{prefix}strip failed on {}", from.display()),
            "install binutils (binutils-aarch64-linux-gnu for the Arm machine)",
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
    strip(PREFIX, &build.join("qemu-system-aarch64"), &stripped)?;
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

#[cfg(test)]
mod tests {
    use super::library;

    #[test]
    fn lines_of_ldd() {
        let found = |name: &str, file: &str| Some((name.to_owned(), file.into()));
        assert_eq!(
            library("\tlibz.so.1 => /lib/x/libz.so.1 (0x0f)"),
            found("/lib/libz.so.1", "/lib/x/libz.so.1")
        );
        let interpreter = "/lib64/ld-linux-x86-64.so.2";
        assert_eq!(library(&format!("\t{interpreter} (0x0f)")), found(interpreter, interpreter));
        assert_eq!(library("\tlinux-vdso.so.1 (0x0f)"), None);
        assert_eq!(library("\tlibfdt.so.1 => not found"), None);
        assert_eq!(library("/build/qemu-system-x86_64:"), None);
    }
}
