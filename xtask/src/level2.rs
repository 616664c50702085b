// SPDX-License-Identifier: GPL-2.0-or-later
//! `demo nested`: a guest of a guest shares its processes' memory with a device, behind two SMMUs of ours.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::advice::exit;
use crate::cli::{MachineArgs, NestedDemoCmd};
use crate::demo::shown;
use crate::guest::{self, Options};
use crate::report::Table;
use crate::setup::level2::{self as parts, inside};
use crate::vm::{Console, Machine};
use crate::{place, setup};

/// The endpoints' functions in the outer guest, and their slots in the inner one.
const FUNCTIONS: &[(&str, &str)] =
    &[("0000:00:04.0", "0x4"), ("0000:01:00.0", "0x5"), ("0000:00:03.0", "0x3")];

/// The machine of the outer guest.
fn outer(cmd: &NestedDemoCmd) -> MachineArgs {
    let mut args = MachineArgs::default_of(cmd.source.clone());
    args.el2 = true;
    // A VHE host with 48 bits of address.
    args.cpu = "neoverse-n1".into();
    args.endpoints = 1;
    args.memory = "3G".into();
    // Linux makes no legal STE for a nested endpoint that stalls and has ATS.
    args.iommu = vec!["ats=off".into()];
    args.qemu_opts.clone_from(&cmd.qemu_opts);
    args
}

/// QEMU's command line in the outer guest.
fn inner(cmd: &NestedDemoCmd) -> Vec<String> {
    let mut words: Vec<String> =
        [inside::QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
            .map(str::to_owned)
            .to_vec();
    let mut add = |more: &[&str]| words.extend(more.iter().map(|word| (*word).to_owned()));
    add(&["-machine", "virt,gic-version=3", "-accel", "kvm", "-cpu", "host", "-smp", "1", "-m", "1G"]);
    add(&["-device-plugin", inside::PLUGIN, "-object", "iommufd,id=iommufd0"]);
    // Nothing tells the inner guest which functions can stall: its SMMU makes all of them.
    add(&["-device", "arm-smmuv3-rs,primary-bus=pcie.0,id=smmu0,accel=on,stage=1,ats=off,stall=force"]);
    add(&["-chardev", "serial,id=control,path=PORT(qemu-iommu)"]);
    add(&[
        "-device",
        "virtio-serial-pci,id=control-bus,bus=pcie.0,addr=0x1,disable-legacy=on,iommu_platform=on",
    ]);
    add(&["-device", "virtserialport,bus=control-bus.0,chardev=control,name=qemu-iommu"]);
    for (host, addr) in FUNCTIONS {
        add(&["-device", &format!("vfio-pci,host={host},iommufd=iommufd0,bus=pcie.0,addr={addr}")]);
    }
    add(&["-chardev", "serial,id=console,path=PORT(level2)", "-serial", "chardev:console"]);
    // ACPI: the window of the host's MSIs is described by it alone.
    add(&["-bios", inside::FIRMWARE, "-kernel", inside::KERNEL, "-initrd", inside::INITRD]);
    let mut append: Vec<String> =
        ["console=ttyAMA0 panic=-1 sva.spare=0000:00:03.0 sva.seconds=400", &format!("sva.run={}", cmd.run)]
            .map(str::to_owned)
            .to_vec();
    append.extend(cmd.append.iter().cloned());
    add(&["-append", &append.join(" ")]);
    words
}

/// The command.
pub fn command(cmd: &NestedDemoCmd) -> Result<u8> {
    let args = outer(cmd);
    let mut built = setup::parts_for(&args)?;
    let dir = place::results("nested")?;
    let initrd = dir.join("initramfs.cpio");
    parts::initrd(&cmd.source, &inner(cmd), &initrd)?;
    built.initrd = initrd.clone();
    let mut options = Options::in_dir(&dir);
    options.timeout = Duration::from_secs(cmd.timeout);
    // The longest check answers 16,384 page faults, milliseconds each.
    options.silence = Duration::from_secs(450);
    options.verbose = cmd.verbose;
    let console = dir.join("console-level2.log");
    let mut machine = Machine::new(args, built, Console::File(options.console.clone()));
    machine.init.push("sva.level2".into());
    machine.level2 = Some(console.clone());
    let table =
        Table::begin("A guest of a guest shares its memory with a device behind arm-smmuv3-rs, twice");
    let outcome = guest::run(machine, &options, &mut |name, row| match row {
        None => table.running(name),
        Some(row) => table.row(row),
    })?;
    table.end(&outcome);
    if !outcome.is_good() {
        last_lines("outer", &options.console);
        last_lines("inner", &console);
    }
    let _ = fs::remove_file(&initrd);
    println!("  console logs: {} (outer), {} (inner)", shown(&options.console), shown(&console));
    if let Some(file) = &cmd.json {
        let value = outcome.to_json("arm-smmuv3-rs");
        fs::write(file, format!("{value:#}\n")).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(if outcome.is_good() { exit::PASS } else { outcome.code })
}

fn last_lines(whose: &str, console: &Path) {
    println!("\n  the last lines of the {whose} guest's console:");
    for line in place::tail(console, 30) {
        println!("    {line}");
    }
}
