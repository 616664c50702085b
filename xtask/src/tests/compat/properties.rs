// SPDX-License-Identifier: GPL-2.0-or-later
//! Properties: ours are those of QEMU's own models by name, type, default, and what they can be set to.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};

use crate::cli::Model;
use crate::place::SocketDir;
use crate::qmp::Qmp;
use crate::session::{self, Listener};
use crate::setup::{packages, qemu, rust};
use crate::tests::{Runner, Verdict};

/// One of QEMU's own models, and what its device is made with.
struct Subject {
    model: Model,
    /// Its type.
    name: &'static str,
    /// The type in its place.
    ours: &'static str,
    machine: &'static str,
    /// What `-device` needs in any case.
    needed: &'static [(&'static str, &'static str)],
    /// Properties, as JSON, as management software gives them; each a device of its own.
    forms: &'static [&'static str],
    /// Registers that say what it can do: address and number of 32-bit words.
    registers: (u64, u64),
    /// Bits of these, by word, that may differ.
    differ: &'static [(usize, u32)],
}

const VTD: Subject = Subject {
    model: Model::Vtd,
    name: "intel-iommu",
    ours: "intel-iommu-rs-compat",
    machine: "q35,kernel-irqchip=split",
    needed: &[],
    forms: &[
        r#"{}"#,
        r#"{"caching-mode":true,"snoop-control":true,"stale-tm":true}"#,
        r#"{"caching-mode":false,"snoop-control":false,"stale-tm":false,"fs1gp":false,"fsts":false,"svm":false}"#,
        r#"{"scalable-mode":true,"device-iotlb":false,"dma-translation":true,"pasid-bits":16}"#,
        r#"{"scalable-mode":true,"fsts":true,"fs1gp":false,"device-iotlb":true}"#,
        r#"{"scalable-mode":true,"fsts":true,"device-iotlb":true,"pasid-bits":20,"svm":true}"#,
        r#"{"scalable-mode":false,"dma-translation":false,"eim":"off","intremap":"on"}"#,
        r#"{"eim":"on","intremap":"on","aw-bits":39}"#,
        r#"{"eim":"auto","intremap":"off","version":1}"#,
        r#"{"caching-mode":"on"}"#,
    ],
    // VER, CAP, ECAP.
    registers: (0xfed9_0000, 6),
    differ: &[],
};

const SMMUV3: Subject = Subject {
    model: Model::Smmuv3,
    name: "arm-smmuv3",
    ours: "arm-smmuv3-rs-compat",
    machine: "virt,gic-version=3,highmem=off",
    needed: &[("primary-bus", "pcie.0")],
    forms: &[
        r#"{}"#,
        r#"{"stage":"1","identifier":3,"accel":false,"msi-gpa":4096,"bus_num":1}"#,
        r#"{"stage":"2","ril":"on","ats":"off","oas":"44","ssidsize":"0","cmdqv":"off"}"#,
        r#"{"stage":"nested","ril":"auto","ats":"auto","oas":"auto","ssidsize":"auto","cmdqv":"auto"}"#,
        r#"{"oas":44}"#,
        r#"{"cmdqv":"on"}"#,
    ],
    // IDR0 to AIDR.
    registers: (0x0c00_0000, 8),
    // IDR0.VMID16 without stage 2, and IDR0.ASID16 and IDR3.HAD without stage 1, say nothing.
    differ: &[(0, 1 << 18 | 1 << 12), (3, 1 << 2)],
};

/// The comparisons.
pub fn run(runner: &mut Runner) {
    for subject in [VTD, SMMUV3] {
        let model = subject.model.name();
        runner.test(&format!("compat/{model}-properties"), |r, dir| class(r, &subject, &dir));
        runner.test(&format!("compat/{model}-devices"), |r, dir| devices(r, &subject, &dir));
    }
}

/// A QEMU that has not begun to run its machine, and its end.
struct Asked {
    child: Child,
    qmp: Qmp,
    _sockets: SocketDir,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// With `device`, its properties as JSON; `None`: QEMU refuses them.
fn start(
    r: &Runner,
    subject: &Subject,
    replace: bool,
    device: Option<&str>,
    log: &Path,
) -> Result<Option<Asked>> {
    if subject.model == Model::Vtd {
        packages::ensure(&[packages::Need::FirmwareX86], r.source.yes)?;
    }
    let qemu = qemu::ensure(&r.source, subject.model)?;
    let sockets = SocketDir::new()?;
    let listener = Listener::new(sockets.path("qmp"))?;
    let mut words = vec![qemu.system(subject.model).display().to_string()];
    let mut add = |more: &[&str]| words.extend(more.iter().map(|word| (*word).to_owned()));
    add(&["-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-S"]);
    add(&["-machine", subject.machine]);
    for dir in crate::vm::FIRMWARE_DIRS_X86.into_iter().filter(|_| subject.model == Model::Vtd) {
        add(&["-L", dir]);
    }
    if replace {
        add(&["-device-plugin", &format!("{},replace=on", rust::plugin(&r.source)?.display())]);
    }
    if let Some(device) = device {
        let mut object: Map<String, Value> = serde_json::from_str(device)?;
        object.insert("driver".into(), json!(subject.name));
        object.insert("id".into(), json!("unit"));
        for (name, value) in subject.needed {
            object.insert((*name).into(), json!(value));
        }
        add(&["-device", &Value::Object(object).to_string()]);
    }
    let chardev = format!("socket,id=qmp,path={}", listener.path.display());
    add(&["-chardev", &chardev, "-object", "monitor-qmp,id=qmp0,chardev=qmp"]);
    let mut child = session::spawn(&words, log)?;
    let answer = listener.accept(&mut child, log).and_then(Qmp::new);
    match answer {
        Ok(qmp) => Ok(Some(Asked { child, qmp, _sockets: sockets })),
        Err(error) => {
            let refused = has_ended(&mut child)?;
            let _ = child.kill();
            let _ = child.wait();
            if refused { Ok(None) } else { Err(error) }
        }
    }
}

/// QEMU has ended, or does within a moment, and says that it would not.
fn has_ended(child: &mut Child) -> Result<bool> {
    for _ in 0..200 {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code() == Some(1));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(false)
}

impl Asked {
    /// What a class's properties are: by name, what QEMU says of each but its description.
    fn properties(&mut self, command: &str, class: &str) -> Result<Map<String, Value>> {
        let list = self.qmp.execute(command, json!({ "typename": class }))?;
        let mut found = Map::new();
        for property in list.as_array().into_iter().flatten() {
            let mut said = property.clone();
            if let Some(said) = said.as_object_mut() {
                said.remove("description");
            }
            found.insert(property["name"].as_str().unwrap_or_default().to_owned(), said);
        }
        ensure!(!found.is_empty(), "{command} of {class} says {list}");
        Ok(found)
    }

    /// What the device's properties are, of these names.
    fn values(&mut self, names: &[String]) -> Result<Vec<(String, Value)>> {
        let path = "/machine/peripheral/unit";
        let get = |name: &String| Ok((name.clone(), self.qmp.get(path, name)?));
        names.iter().map(get).collect()
    }

    /// The registers that say what the device can do.
    fn registers(&mut self, subject: &Subject) -> Result<Vec<u32>> {
        let (at, count) = subject.registers;
        (0..count)
            .map(|n| {
                // One by one: QEMU's own SMMUv3 reads as 0 by 64 bits.
                let command = json!({"command-line": format!("xp /1wx {:#x}", at + 4 * n)});
                let text = self.qmp.execute("human-monitor-command", command)?;
                let text = text.as_str().context("xp says nothing")?;
                let word = text.split_whitespace().find_map(|word| word.strip_prefix("0x"));
                u32::from_str_radix(word.unwrap_or_default(), 16).with_context(|| format!("xp says {text}"))
            })
            .collect()
    }
}

/// Every property of the C type is one of ours, of the same type and default; by each of QEMU's commands.
fn class(r: &Runner, subject: &Subject, dir: &Path) -> Result<Verdict> {
    let started = start(r, subject, true, None, &dir.join("qemu.log"))?;
    let mut qemu = started.context("QEMU ends at once")?;
    let mut count = 0;
    let mut wrong = Vec::new();
    for command in ["device-list-properties", "qom-list-properties"] {
        let ours = qemu.properties(command, subject.ours)?;
        for (name, c) in qemu.properties(command, subject.name)? {
            count += 1;
            match ours.get(&name) {
                None => wrong.push(format!("{command}: {name} is missing")),
                Some(found) if *found != c => wrong.push(format!("{command}: {found}, and not {c}")),
                Some(_) => {}
            }
        }
    }
    ensure!(wrong.is_empty(), "{} properties differ:\n{}", wrong.len(), wrong.join("\n"));
    Ok(Verdict::Pass(format!("{count} answers are those of {}", subject.name)))
}

/// Devices are made of the same properties, which read back the same, and can do the same.
fn devices(r: &Runner, subject: &Subject, dir: &Path) -> Result<Verdict> {
    let mut names: Vec<String> = Vec::new();
    let mut made = 0;
    let mut wrong = Vec::new();
    for (n, form) in subject.forms.iter().enumerate() {
        let c = start(r, subject, false, Some(form), &dir.join(format!("{n}-c.log")))?;
        let ours = start(r, subject, true, Some(form), &dir.join(format!("{n}-ours.log")))?;
        let (mut c, mut ours) = match (c, ours) {
            (Some(c), Some(ours)) => (c, ours),
            (None, None) => continue,
            (Some(_), None) => {
                wrong.push(format!("{form} is refused"));
                continue;
            }
            (None, Some(_)) => {
                wrong.push(format!("{form} is not refused"));
                continue;
            }
        };
        made += 1;
        if names.is_empty() {
            names =
                c.properties("device-list-properties", subject.name)?.into_iter().map(|(n, _)| n).collect();
        }
        for ((name, c), (_, ours)) in c.values(&names)?.into_iter().zip(ours.values(&names)?) {
            if c != ours {
                wrong.push(format!("{form}: {name} reads {ours}, and not {c}"));
            }
        }
        for (n, (c, ours)) in c.registers(subject)?.into_iter().zip(ours.registers(subject)?).enumerate() {
            let may_differ = subject.differ.iter().find(|(word, _)| *word == n).map_or(0, |(_, bits)| *bits);
            if (c ^ ours) & !may_differ != 0 {
                wrong.push(format!("{form}: register word {n} is {ours:#x}, and not {c:#x}"));
            }
        }
    }
    if made == 0 {
        bail!("QEMU's own model refuses everything");
    }
    ensure!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    Ok(Verdict::Pass(format!("{} devices, {made} made and the others refused by both", subject.forms.len())))
}
