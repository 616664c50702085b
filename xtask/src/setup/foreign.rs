// SPDX-License-Identifier: GPL-2.0-or-later
//! The distribution's packages for another architecture, beside the system: nothing is installed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::apt::Archive;
use super::fetch;
use crate::place;
use crate::ui::Step;

/// Downloads packages with apt's own machinery, and lists of its own, and unpacks them into `to`: from the archives that apt
/// is configured with, else from the archive of all versions.
pub fn unpack(step: &Step, arch: &str, names: &[&str], to: &Path) -> Result<()> {
    let mut result = Ok(());
    for archive in Archive::all() {
        result = unpack_from(step, &archive, arch, names, to);
        match &result {
            Ok(()) => break,
            Err(e) => step.note(&format!("{}: {e:#}", archive.name())),
        }
    }
    result
}

/// The same from one archive.
pub fn unpack_from(step: &Step, archive: &Archive, arch: &str, names: &[&str], to: &Path) -> Result<()> {
    let debian = if arch == "aarch64" { "arm64" } else { "amd64" };
    let work = to.with_extension("apt");
    let _ = fs::remove_dir_all(&work);
    let _ = fs::remove_dir_all(to);
    let packages = work.join("packages");
    place::make_dir(&packages)?;
    fs::write(work.join("status"), "").with_context(|| format!("writing below {}", work.display()))?;
    let options = archive.options(&work)?;
    let apt = || {
        let mut c = Command::new("apt-get");
        c.args(&options);
        for option in [
            format!("APT::Architecture={debian}"),
            format!("APT::Architectures={debian}"),
            format!("Dir::State::status={}", work.join("status").display()),
        ] {
            c.arg("-o").arg(option);
        }
        c.arg("-q").current_dir(&packages);
        c
    };
    if let Err(e) = step.run(apt().arg("update")) {
        // One of several archives may be gone; what the others have may do.
        step.note(&format!("{e:#}"));
    }
    step.run(apt().arg("download").args(names.iter().map(|name| format!("{name}:{debian}"))))?;
    for package in place::files_below(&packages, &[])? {
        fetch::unpack_package(step, &package, to)?;
    }
    let _ = fs::remove_dir_all(&work);
    Ok(())
}
