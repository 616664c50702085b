// SPDX-License-Identifier: GPL-2.0-or-later
//! The distribution's packages for another architecture, beside the system: nothing is installed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::place;
use crate::ui::Step;

/// Downloads packages with apt's own machinery, and lists of its own, and unpacks them into `to`.
pub fn unpack(step: &Step, arch: &str, names: &[&str], to: &Path) -> Result<()> {
    let debian = if arch == "aarch64" { "arm64" } else { "amd64" };
    let work = to.with_extension("apt");
    let _ = fs::remove_dir_all(&work);
    let _ = fs::remove_dir_all(to);
    for dir in ["lists/partial", "cache/archives/partial", "etc", "packages"] {
        place::make_dir(&work.join(dir))?;
    }
    fs::write(work.join("status"), "").with_context(|| format!("writing below {}", work.display()))?;
    let packages = work.join("packages");
    let apt = || {
        let mut c = Command::new("apt-get");
        for option in [
            format!("APT::Architecture={debian}"),
            format!("APT::Architectures={debian}"),
            format!("Dir::State::Lists={}", work.join("lists").display()),
            format!("Dir::State::status={}", work.join("status").display()),
            format!("Dir::Cache={}", work.join("cache").display()),
            "APT::Sandbox::User=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false".to_owned(),
        ] {
            c.arg("-o").arg(option);
        }
        c.arg("-q").current_dir(&packages);
        c
    };
    step.run(apt().arg("update"))?;
    step.run(apt().arg("download").args(names.iter().map(|name| format!("{name}:{debian}"))))?;
    for package in place::files_below(&packages, &[])? {
        step.run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(to))?;
    }
    let _ = fs::remove_dir_all(&work);
    Ok(())
}
