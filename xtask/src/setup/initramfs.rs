// SPDX-License-Identifier: GPL-2.0-or-later
//! The initramfs: a newc archive with the guest's programs, and busybox where there is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::fetch::{self, Pinned};
use super::rust::{self, is_elf_of};
use crate::cli::{Model, SourceArgs};
use crate::place;
use crate::ui::{self, Step};

const DIRECTORIES: &[&str] = &[
    "bin", "sbin", "dev", "proc", "sys", "tmp", "run", "etc", "root", "lib", "mnt", "dev/pts", "dev/shm",
    "usr", "usr/bin",
];

/// The initramfs for a model's guest: `--initrd`, from the cache, or packed now.
pub fn ensure(args: &SourceArgs, model: Model) -> Result<PathBuf> {
    if let Some(given) = &args.initrd {
        crate::vm::must_exist(given, "the initramfs", "give an existing file with --initrd, or none")?;
        return Ok(given.clone());
    }
    let programs = rust::guest(args, model)?;
    let busybox = busybox(args, model)?;
    let mut key = rust::guest_key()?.text("arch", model.target());
    if let Some(busybox) = &busybox {
        key = key.text("busybox", &place::sha256(busybox)?);
    }
    let entry = place::cache()?.join("initramfs").join(format!("{}-{}", model.target(), key.name()));
    let file = entry.join("initramfs.cpio");
    if place::is_complete(&entry) {
        return Ok(file);
    }
    let _lock = place::lock("initramfs")?;
    let mut archive = Archive::default();
    for dir in DIRECTORIES {
        archive.directory(dir);
    }
    archive.device("dev/console", 5, 1);
    archive.device("dev/null", 1, 3);
    archive.file("init", &read(&programs.init)?);
    archive.file("bin/sva-workload", &read(&programs.workload)?);
    if let Some(busybox) = &busybox {
        archive.file("bin/busybox", &read(busybox)?);
        archive.link("bin/sh", "busybox");
    }
    place::make_dir(&entry)?;
    let tmp = entry.join("tmp");
    fs::write(&tmp, archive.finish()).with_context(|| format!("writing {}", tmp.display()))?;
    fs::rename(&tmp, &file)?;
    place::complete(&entry, "")?;
    place::prune(&place::cache()?.join("initramfs"), 16);
    Ok(file)
}

/// The same with the program that plays a VMM, for `sva.program=sva-nested`.
pub fn with_nested(args: &SourceArgs, model: Model, base: &Path) -> Result<PathBuf> {
    let program = rust::nested_program(args, model)?;
    let key = rust::nested_key()?.text("arch", model.target()).text("base", &base.display().to_string());
    let entry = place::cache()?.join("initramfs").join(format!("{}-nested-{}", model.target(), key.name()));
    let file = entry.join("initramfs.cpio");
    if place::is_complete(&entry) {
        return Ok(file);
    }
    let _lock = place::lock("initramfs")?;
    place::make_dir(&entry)?;
    let tmp = entry.join("tmp");
    extended(base, &[("bin/sva-nested", &read(&program)?)], &tmp)?;
    fs::rename(&tmp, &file)?;
    place::complete(&entry, "")?;
    place::prune(&place::cache()?.join("initramfs"), 16);
    Ok(file)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// The distribution's static busybox, by architecture.
fn package(arch: &str) -> &'static Pinned {
    match arch {
        "aarch64" => &BUSYBOX_ARM64,
        _ => &BUSYBOX_AMD64,
    }
}

const BUSYBOX_ARM64: Pinned = Pinned {
    file: "busybox-static_1.35.0-4+deb12u1+b1_arm64.deb",
    sha256: "732c9135564fc71337e0e05fb4da4d11e6c28c1834bce3e405e575afef2a52f5",
    sha1: "87bf504541e6583e6fef6ec0bc67537f53c327f2",
    pool: "pool/main/b/busybox",
    size: 822_236,
};
const BUSYBOX_AMD64: Pinned = Pinned {
    file: "busybox-static_1.35.0-4+deb12u1+b1_amd64.deb",
    sha256: "3d3fdbe91d4660c873e14b092c213fe81c1da6362daa236eb25d0171eb108744",
    sha1: "388095e72f44cefd025b869d917e45108d124655",
    pool: "pool/main/b/busybox",
    size: 928_188,
};

/// The package with busybox for a model's guest.
pub fn download(args: &SourceArgs, model: Model) -> Result<PathBuf> {
    fetch::pinned(package(model.target()), args.sources.as_deref())
}

/// A static busybox for the guest: this machine's own where the architecture is the same, else the distribution's
/// package for that architecture. Without one, the guest has no shell, and everything else works.
fn busybox(args: &SourceArgs, model: Model) -> Result<Option<PathBuf>> {
    let arch = model.target();
    if let Some(given) = std::env::var_os("QEMU_IOMMU_BUSYBOX") {
        return Ok(Some(given.into()));
    }
    for own in ["/bin/busybox", "/usr/bin/busybox"] {
        if is_elf_of(Path::new(own), arch) && is_static(Path::new(own)) {
            return Ok(Some(own.into()));
        }
    }
    let sum: String = package(arch).sha256.chars().take(16).collect();
    let entry = place::cache()?.join("busybox").join(format!("{arch}-{sum}"));
    let file = entry.join("busybox");
    if place::is_complete(&entry) {
        return Ok(Some(file));
    }
    let _lock = place::lock("busybox")?;
    if place::is_complete(&entry) {
        return Ok(Some(file));
    }
    let unpacked = download(args, model).and_then(|deb| {
        let step = Step::begin(&format!("busybox for {arch}"), "busybox")?;
        unpack_busybox(&step, &deb, &entry)?;
        place::complete(&entry, "")?;
        step.finish("the distribution's");
        Ok(())
    });
    if let Err(e) = unpacked {
        ui::info(&format!(
            "no busybox for {arch}: the guest will have no shell, which only `boot` wants ({e:#})"
        ));
        return Ok(None);
    }
    Ok(Some(file))
}

/// Takes it out of its package.
fn unpack_busybox(step: &Step, deb: &Path, entry: &Path) -> Result<()> {
    let tmp = entry.join("unpacked");
    let _ = fs::remove_dir_all(&tmp);
    fetch::unpack_package(step, deb, &tmp)?;
    let found = place::files_below(&tmp, &[])?
        .into_iter()
        .find(|f| f.file_name().is_some_and(|n| n == "busybox"))
        .context("no busybox in the package")?;
    fs::rename(found, entry.join("busybox"))?;
    let _ = fs::remove_dir_all(&tmp);
    Ok(())
}

fn is_static(path: &Path) -> bool {
    let output = Command::new("file").arg("-L").arg(path).stderr(Stdio::null()).output();
    match output {
        Ok(o) if o.status.success() => String::from_utf8_lossy(&o.stdout).contains("statically linked"),
        // Without file(1): a dynamic program names its interpreter.
        _ => fs::read(path)
            .is_ok_and(|b| !b.windows(8).take(4096).any(|w| w == b"/ld-linu" || w == b"/lib/ld-")),
    }
}

/// A cpio archive in the kernel's `newc` format (Documentation/driver-api/early-userspace/buffer-format.rst).
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn entry(&mut self, name: &str, mode: u32, rdev: (u32, u32), content: &[u8]) {
        self.entries += 1;
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            u32::try_from(content.len()).unwrap_or(u32::MAX),
            0,
            0,
            rdev.0,
            rdev.1,
            u32::try_from(name.len()).unwrap_or(0) + 1,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }

    /// A directory.
    pub fn directory(&mut self, name: &str) {
        self.entry(name, 0o040_755, (0, 0), &[]);
    }

    /// An executable file.
    pub fn file(&mut self, name: &str, content: &[u8]) {
        self.entry(name, 0o100_755, (0, 0), content);
    }

    /// A symbolic link.
    pub fn link(&mut self, name: &str, target: &str) {
        self.entry(name, 0o120_777, (0, 0), target.as_bytes());
    }

    /// A character device.
    pub fn device(&mut self, name: &str, major: u32, minor: u32) {
        self.entry(name, 0o020_600, (major, minor), &[]);
    }

    /// The archive's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }
}

/// Adds files to an initramfs, and the directory of each: the kernel takes several archives one after the other.
pub fn extended(base: &Path, files: &[(&str, &[u8])], to: &Path) -> Result<()> {
    let mut bytes = read(base)?;
    while !bytes.len().is_multiple_of(4) {
        bytes.push(0);
    }
    let mut archive = Archive::default();
    for (name, content) in files {
        if let Some((directory, _)) = name.rsplit_once('/') {
            archive.directory(directory);
        }
        archive.file(name, content);
    }
    bytes.extend(archive.finish());
    fs::write(to, bytes).with_context(|| format!("writing {}", to.display()))
}

/// For tests of the key: another name, another entry.
#[cfg(test)]
fn key_of(text: &str) -> String {
    place::Key::default().text("x", text).name()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_aligned() {
        let mut a = Archive::default();
        a.directory("bin");
        a.file("bin/x", b"12345");
        let bytes = a.finish();
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(&bytes[..6], b"070701");
        // 110 bytes of header, "bin\0", padded.
        assert_eq!(&bytes[116..122], b"070701");
        assert!(bytes.windows(10).any(|w| w == b"TRAILER!!!"));
    }

    #[test]
    fn keys_differ() {
        assert_ne!(key_of("a"), key_of("b"));
        assert_eq!(key_of("a").len(), 16);
    }
}
