// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU's own IOMMU tests on the patched build: the same TAP as from a build without our patches.
//!
//! The TAP of the unpatched build is checked in under `tests/qemu-tap/`: plan, results and groups, without the
//! lines that carry process ids and seeds.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{Runner, Verdict};
use crate::cli::Model;
use crate::setup::{packages, qemu};
use crate::{place, session};

const TESTS: &[(Model, &str)] = &[
    (Model::Smmuv3, "iommu-smmuv3-test"),
    (Model::Vtd, "iommu-intel-test"),
    (Model::Vtd, "iommu-intel-inv-test"),
    (Model::Vtd, "intel-iommu-test"),
];

/// The suite.
pub fn run(runner: &mut Runner) {
    for (model, name) in TESTS {
        runner.test(&format!("qemu-qtests/{name}"), |r, dir| {
            if *model == Model::Vtd {
                packages::ensure(&[packages::Need::FirmwareX86], r.source.yes)?;
            }
            let qemu = qemu::ensure(&r.source, *model)?;
            one(&qemu, *model, name, &dir)
        });
    }
}

/// The lines that have to be the same.
fn essence(tap: &str) -> Vec<&str> {
    let heads = ["ok ", "not ok ", "1..", "Bail", "# Start of", "# End of"];
    tap.lines().map(str::trim_end).filter(|l| heads.iter().any(|h| l.starts_with(h))).collect()
}

fn one(qemu: &qemu::Qemu, model: Model, name: &str, dir: &Path) -> Result<Verdict> {
    let binary = qemu.system(model);
    let mut system = binary.display().to_string();
    if model == Model::Vtd {
        system.push_str(" -L /usr/share/seabios -L /usr/share/qemu -L /usr/lib/ipxe/qemu");
    }
    let mut command = Command::new(qemu.build.join("tests/qtest").join(name));
    command
        .args(["--tap", "-k"])
        .env("QTEST_QEMU_BINARY", system)
        .current_dir(&qemu.build)
        .stdin(Stdio::null())
        .stderr(fs::File::create(dir.join("stderr.log"))?);
    session::with_modules(&mut command, &binary);
    let output = command
        .output()
        .with_context(|| format!("running {name}; is it built in {}?", qemu.build.display()))?;
    let tap = String::from_utf8_lossy(&output.stdout);
    fs::write(dir.join("tap"), tap.as_bytes())?;
    let file = place::root().join("tests/qemu-tap").join(format!("{}-{name}.tap", model.target()));
    let reference = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let (now, then) = (essence(&tap), essence(&reference));
    if now != then {
        let odd = now
            .iter()
            .zip(&then)
            .find(|(a, b)| a != b)
            .map_or("another number of lines".to_owned(), |(a, b)| format!("{a:?} instead of {b:?}"));
        bail!(
            "the TAP differs from an unpatched build's: {odd}\n{}",
            place::tail(&dir.join("stderr.log"), 5).join("\n")
        );
    }
    Ok(Verdict::Pass(format!(
        "{} results as without the patches",
        now.iter().filter(|l| l.contains("ok ")).count()
    )))
}
