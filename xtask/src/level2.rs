// SPDX-License-Identifier: GPL-2.0-or-later
//! `demo nested`: a guest of a guest shares its processes' memory with a device, behind two IOMMUs of ours.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cli::{MachineArgs, Model, NestedDemoCmd};
use crate::demo::{self, shown};
use crate::guest::{self, Options, Outcome};
use crate::report::Table;
use crate::setup::level2::{self as parts, inside};
use crate::vm::{Console, Machine};
use crate::{place, setup};

/// The endpoints' functions in the outer guest, and their slots in the inner one.
const FUNCTIONS: &[(&str, &str)] =
    &[("0000:00:04.0", "0x4"), ("0000:01:00.0", "0x5"), ("0000:00:03.0", "0x3")];

/// What differs between the architectures.
struct Machines {
    /// The outer CPU, if not the usual one.
    cpu: Option<&'static str>,
    /// The outer guest's kernel starts at EL2.
    el2: bool,
    /// The outer IOMMU's properties.
    iommu: &'static [&'static str],
    /// Words for the outer kernel's command line.
    outer_append: &'static [&'static str],
    /// The inner machine.
    inner: &'static [&'static str],
    /// The inner IOMMU.
    inner_iommu: &'static str,
    /// The inner kernel's command line.
    append: &'static str,
}

const SMMUV3: Machines = Machines {
    // A VHE host with 48 bits of address.
    cpu: Some("neoverse-n1"),
    el2: true,
    // Linux makes no legal STE for a nested endpoint that stalls and has ATS.
    iommu: &["ats=off"],
    outer_append: &[],
    // ACPI: the window of the host's MSIs is described by it alone.
    inner: &["-machine", "virt,gic-version=3", "-bios", "QEMU_EFI.fd"],
    // Nothing tells the inner guest which functions can stall: its SMMU makes all of them.
    inner_iommu: "arm-smmuv3-rs,primary-bus=pcie.0,id=smmu0,accel=on,stage=1,ats=off,stall=force",
    append: "console=ttyAMA0",
};

const VTD: Machines = Machines {
    // KVM is AMD's here: it is SVM that TCG has.
    cpu: None,
    el2: false,
    iommu: &[],
    // KVM keeps the frequency of the TSC that Linux measured first, which a busy host puts wrong by some thousandths. If the
    // measurement that follows differs from it by more than this, KVM takes the TSC of its guests for one that does not move,
    // and their timers never end. Linux accepts a second measurement within a hundredth.
    outer_append: &["kvm.tsc_tolerance_ppm=20000"],
    inner: &["-machine", "q35,kernel-irqchip=split"],
    inner_iommu: "intel-iommu-rs,id=smmu0,accel=on",
    // A host's unit tells nobody of faults that are no page requests.
    append: "console=ttyS0 intel_iommu=on,sm_on no_timer_check tsc=reliable sva.skip=fault-reported",
};

fn machines(model: Model) -> &'static Machines {
    match model {
        Model::Smmuv3 => &SMMUV3,
        Model::Vtd => &VTD,
    }
}

/// The machine of the outer guest.
fn outer(cmd: &NestedDemoCmd, model: Model) -> MachineArgs {
    let machines = machines(model);
    let mut args = MachineArgs { model, ..MachineArgs::default_of(cmd.source.clone()) };
    args.el2 = machines.el2;
    if let Some(cpu) = machines.cpu {
        args.cpu = cpu.into();
    }
    args.endpoints = 1;
    args.memory = "3G".into();
    args.append = machines.outer_append.iter().map(|&word| word.to_owned()).collect();
    args.iommu = machines.iommu.iter().map(|&property| property.to_owned()).collect();
    args.qemu_opts.clone_from(&cmd.qemu_opts);
    args
}

/// QEMU's command line in the outer guest.
fn inner(cmd: &NestedDemoCmd, model: Model) -> Vec<String> {
    let machines = machines(model);
    let mut words: Vec<String> =
        [inside::QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
            .map(str::to_owned)
            .to_vec();
    let mut add = |more: &[&str]| words.extend(more.iter().map(|word| (*word).to_owned()));
    add(&["-L", inside::FIRMWARE]);
    add(machines.inner);
    add(&["-accel", "kvm", "-cpu", "host", "-smp", "1", "-m", "1G"]);
    add(&["-device-plugin", inside::PLUGIN, "-object", "iommufd,id=iommufd0"]);
    add(&["-device", machines.inner_iommu]);
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
    add(&["-kernel", inside::KERNEL, "-initrd", inside::INITRD]);
    let mut append: Vec<String> =
        [machines.append, "panic=-1 sva.spare=0000:00:03.0 sva.seconds=400", &format!("sva.run={}", cmd.run)]
            .map(str::to_owned)
            .to_vec();
    append.extend(cmd.append.iter().cloned());
    add(&["-append", &append.join(" ")]);
    words
}

/// The command.
pub fn command(cmd: &NestedDemoCmd) -> Result<u8> {
    let models = cmd.model.map_or_else(|| vec![Model::Smmuv3, Model::Vtd], |model| vec![model]);
    let machines: Vec<MachineArgs> = models.into_iter().map(|model| outer(cmd, model)).collect();
    let started = Instant::now();
    let mut runs = Vec::new();
    for args in &machines {
        runs.push((args, one(cmd, args)?));
    }
    demo::conclude(&runs, cmd.json.as_deref(), started)
}

/// One machine with a machine inside.
fn one(cmd: &NestedDemoCmd, args: &MachineArgs) -> Result<Outcome> {
    let mut built = setup::parts_for(args)?;
    let dir = place::results(&format!("nested-{}", args.model.name()))?;
    let initrd = dir.join("initramfs.cpio");
    parts::initrd(&cmd.source, args.model, &built, &inner(cmd, args.model), &initrd)?;
    built.initrd = initrd.clone();
    let mut options = Options::in_dir(&dir);
    options.timeout = Duration::from_secs(cmd.timeout);
    // The longest check answers 16,384 page faults, milliseconds each.
    options.silence = Duration::from_secs(450);
    options.verbose = cmd.verbose;
    let console = dir.join("console-level2.log");
    let mut machine = Machine::new(args.clone(), built, Console::File(options.console.clone()));
    machine.init.push("sva.level2".into());
    machine.level2 = Some(console.clone());
    let table = Table::begin(&format!(
        "A guest of a guest shares its memory with a device behind {}, twice",
        demo::model_name(args)
    ));
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
    Ok(outcome)
}

fn last_lines(whose: &str, console: &Path) {
    println!("\n  the last lines of the {whose} guest's console:");
    for line in place::tail(console, 30) {
        println!("    {line}");
    }
}
