// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU's own IOMMU tests on the patched build, with its C models and with ours in their place: the same TAP as from
//! a build without our patches.
//!
//! The TAP of the unpatched build is checked in under `tests/qemu-tap/`: plan, results and groups, without the
//! lines that carry process ids and seeds.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{Runner, Verdict};
use crate::cli::Model;
use crate::place::SocketDir;
use crate::qmp::Qmp;
use crate::session::Listener;
use crate::setup::{packages, qemu, rust};
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
        for replace in [false, true] {
            let title = if replace { "-replaced" } else { "" };
            runner.test(&format!("qemu-qtests/{name}{title}"), |r, dir| {
                if *model == Model::Vtd {
                    packages::ensure(&[packages::Need::FirmwareX86], r.source.yes)?;
                }
                let qemu = qemu::ensure(&r.source, *model)?;
                let plugin = if replace { Some(rust::plugin(&r.source)?) } else { None };
                one(&qemu, *model, name, plugin.as_deref(), &dir)
            });
        }
    }
}

/// A machine with the C model on its command line, and the type that stands in for it.
fn replaced(model: Model) -> (&'static [&'static str], &'static str) {
    match model {
        Model::Smmuv3 => (&["-machine", "virt,gic-version=3,iommu=smmuv3"], "arm-smmuv3-rs-compat"),
        Model::Vtd => (&["-machine", "q35", "-device", "intel-iommu"], "intel-iommu-rs-compat"),
    }
}

/// The option that puts our models in the place of QEMU's.
fn replacing(plugin: &Path) -> String {
    format!("{},replace=on", plugin.display())
}

/// Asks a machine what its IOMMU is.
fn confirm_type(qemu: &qemu::Qemu, model: Model, plugin: &Path, dir: &Path) -> Result<&'static str> {
    let sockets = SocketDir::new()?;
    let listener = Listener::new(sockets.path("qmp"))?;
    let (machine, ours) = replaced(model);
    let mut words = vec![qemu.system(model).display().to_string()];
    let chardev = format!("socket,id=qmp,path={}", listener.path.display());
    let plugin = replacing(plugin);
    let rest = ["-nodefaults", "-display", "none", "-accel", "tcg", "-S", "-device-plugin", &plugin];
    let qmp = ["-chardev", &chardev, "-object", "monitor-qmp,id=qmp0,chardev=qmp"];
    words.extend(rest.iter().chain(machine).chain(&qmp).map(|w| (*w).to_owned()));
    if model == Model::Vtd {
        words.extend(FIRMWARE.split_whitespace().map(str::to_owned));
    }
    let log = dir.join("qemu.log");
    let mut child = session::spawn(&words, &log)?;
    let types = (|| {
        let mut qmp = Qmp::new(listener.accept(&mut child, &log)?)?;
        let mut types = Vec::new();
        for parent in ["/machine/unattached", "/machine/peripheral-anon"] {
            let children = qmp.execute("qom-list", json!({ "path": parent }))?;
            let named = children.as_array().into_iter().flatten().filter_map(|c| c["type"].as_str());
            types.extend(named.map(str::to_owned));
        }
        anyhow::Ok(types)
    })();
    let _ = child.kill();
    let _ = child.wait();
    if !types?.contains(&format!("child<{ours}>")) {
        bail!("the machine {} has no {ours}", machine.join(" "));
    }
    Ok(ours)
}

/// The lines that have to be the same.
fn essence(tap: &str) -> Vec<&str> {
    let heads = ["ok ", "not ok ", "1..", "Bail", "# Start of", "# End of"];
    tap.lines().map(str::trim_end).filter(|l| heads.iter().any(|h| l.starts_with(h))).collect()
}

/// Where x86 firmware is.
const FIRMWARE: &str = "-L /usr/share/seabios -L /usr/share/qemu -L /usr/lib/ipxe/qemu";

fn one(qemu: &qemu::Qemu, model: Model, name: &str, plugin: Option<&Path>, dir: &Path) -> Result<Verdict> {
    let ours = plugin.map(|plugin| confirm_type(qemu, model, plugin, dir)).transpose()?;
    let binary = qemu.system(model);
    let mut system = binary.display().to_string();
    if model == Model::Vtd {
        system.push(' ');
        system.push_str(FIRMWARE);
    }
    if let Some(plugin) = plugin {
        system.push_str(" -device-plugin ");
        system.push_str(&replacing(plugin));
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
    let count = now.iter().filter(|l| l.contains("ok ")).count();
    let whose = ours.map_or(String::new(), |ours| format!(", on {ours}"));
    Ok(Verdict::Pass(format!("{count} results as without the patches{whose}")))
}
