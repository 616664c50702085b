// SPDX-License-Identifier: GPL-2.0-or-later
//! The one builder of QEMU command lines.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::advice::{coded, exit};
use crate::cli::{Driver, Faults, Firmware, Implementation, MachineArgs, Model, Stall};
use crate::ordinary;

/// The built parts that a machine is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// `qemu-system-*`.
    pub qemu: PathBuf,
    /// `libqemu_iommu.so`.
    pub plugin: PathBuf,
    /// The guest's kernel image.
    pub kernel: PathBuf,
    /// The guest's initramfs.
    pub initrd: PathBuf,
}

/// Where the guest's first serial port goes.
#[derive(Clone, Debug)]
pub enum Console {
    /// The terminal, with the monitor behind Ctrl-A c, and a copy in a file.
    Terminal { log: PathBuf },
    /// A file.
    File(PathBuf),
    /// QEMU's standard output, without a monitor.
    Stdout,
}

/// Unix sockets that QEMU connects to when it starts; this program listens.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// QMP.
    pub qmp: Option<PathBuf>,
    /// The guest's virtio-serial port `qemu-iommu`.
    pub control: Option<PathBuf>,
    /// The qtest protocol; the machine then has no CPU.
    pub qtest: Option<PathBuf>,
}

/// A machine, ready to be written as a command line.
#[derive(Clone)]
pub struct Machine {
    /// What the user asked for.
    pub args: MachineArgs,
    /// What it is built from.
    pub parts: Parts,
    /// Where the console goes.
    pub console: Console,
    /// Sockets.
    pub sockets: Sockets,
    /// Words for the guest's init, `sva.…`.
    pub init: Vec<String>,
    /// Where the disks' images are, with `--ordinary`.
    pub images: PathBuf,
    /// Restore from this file instead of booting.
    pub incoming: Option<PathBuf>,
    /// Wait for gdb.
    pub gdb: bool,
    /// Number of `iommu-bench` functions.
    pub benches: u8,
    /// Where the console of the guest's own guest goes, if it has one.
    pub level2: Option<PathBuf>,
}

/// UEFI for the Arm machine.
pub const UEFI_ARM: &str = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd";
/// Where the x86 machine's firmware is.
pub const FIRMWARE_DIRS_X86: [&str; 2] = ["/usr/share/seabios", "/usr/share/qemu"];
/// What of it a machine without network cards and displays loads: BIOS, loaders of a kernel, and what KVM's interrupts ask for.
pub const FIRMWARE_X86: [&str; 4] = ["bios-256k.bin", "linuxboot_dma.bin", "pvh.bin", "kvmvapic.bin"];

/// The QOM path of a unit.
pub fn iommu_path(unit: u8) -> String {
    format!("/machine/peripheral/smmu{unit}")
}

/// Bus numbers of the root bridges of a machine with several SMMUs are this far apart.
const BUSES_A_UNIT: u8 = 0x10;

/// The endpoint that no process is bound to: its id, its slot, and the word by which a guest's init knows it.
const SPARE: (&str, &str, &str) = ("spare", "0x3", "sva.spare=0000:00:03.0");

impl Machine {
    /// A machine with its console in a file, and nothing else special.
    pub fn new(args: MachineArgs, parts: Parts, console: Console) -> Self {
        Self {
            args,
            parts,
            console,
            sockets: Sockets::default(),
            init: Vec::new(),
            images: PathBuf::new(),
            incoming: None,
            gdb: false,
            benches: 0,
            level2: None,
        }
    }

    /// The QOM paths of the IOMMUs.
    pub fn iommu_paths(&self) -> Vec<String> {
        (0..self.args.units).map(iommu_path).collect()
    }

    /// The endpoints' ids; the last one is behind the root port. None when the machine has no endpoints.
    pub fn endpoint_ids(&self) -> Vec<String> {
        match self.args.endpoints {
            0 => Vec::new(),
            direct => (0..=direct).map(|n| format!("ep{n}")).collect(),
        }
    }

    /// Every endpoint's id: those that processes are bound to, and the one that guests give to user space by VFIO. Linux's
    /// driver for the former cannot be taken off a function (docs/findings.md).
    pub fn all_endpoint_ids(&self) -> Vec<String> {
        let mut ids = self.endpoint_ids();
        if !ids.is_empty() && self.sockets.qtest.is_none() {
            ids.push(SPARE.0.to_owned());
        }
        ids
    }

    /// The whole command line, QEMU's path first.
    ///
    /// # Errors
    ///
    /// When the combination makes no sense.
    pub fn command(&self) -> Result<Vec<String>> {
        let mut c = Words(vec![self.parts.qemu.display().to_string()]);
        c.add(&["-nodefaults", "-no-user-config", "-display", "none"]);
        self.check_units()?;
        self.machine(&mut c);
        for unit in 0..self.args.units {
            self.iommu(&mut c, unit)?;
        }
        self.devices(&mut c);
        if self.args.ordinary {
            c.0.extend(ordinary::devices(&self.images));
        }
        self.consoles(&mut c);
        if self.sockets.qtest.is_none() {
            self.boot(&mut c);
        }
        if let Some(file) = &self.incoming {
            c.add(&["-incoming", &format!("file:{}", file.display())]);
        }
        if self.gdb {
            c.add(&["-s", "-S"]);
        }
        for options in &self.args.qemu_opts {
            c.0.extend(options.split_whitespace().map(str::to_owned));
        }
        Ok(c.0)
    }

    /// What one command line option does not know of the others.
    fn check_units(&self) -> Result<()> {
        let a = &self.args;
        let refuse = |cause: &str, way_out: &str| Err(coded(exit::USAGE, cause, way_out));
        if a.model == Model::Vtd && a.firmware == Firmware::Acpi {
            return refuse("--firmware: PCs have ACPI in any case", "leave it out");
        }
        if a.replace && a.implementation == Implementation::Rust {
            return refuse("--replace: it is QEMU's own model that is replaced", "add --impl c");
        }
        if a.model == Model::Vtd && a.units > 1 {
            return refuse("--units: QEMU's PC has one VT-d unit", "leave it out, or use smmuv3");
        }
        if a.units > 1 && a.firmware == Firmware::Dt {
            let cause = format!("--units {}: QEMU describes several SMMUs by ACPI alone", a.units);
            return refuse(&cause, "add --firmware acpi");
        }
        for property in &a.unit {
            let unit = property.split_once(':').and_then(|(n, _)| n.parse::<u8>().ok());
            if unit.is_none_or(|n| n >= a.units) {
                let cause =
                    format!("--unit {property}: it must be N:NAME=VALUE with N from 0 to {}", a.units - 1);
                return refuse(&cause, "name a unit that --units makes");
            }
        }
        Ok(())
    }

    /// The bus that a unit is in front of.
    fn bus(unit: u8) -> String {
        format!("pcie.{unit}")
    }

    fn machine(&self, c: &mut Words) {
        let machine = match (self.args.model, &self.sockets.qtest) {
            (Model::Smmuv3, None) if self.args.el2 => "virt,gic-version=3,virtualization=on",
            (Model::Smmuv3, None) => "virt,gic-version=3",
            // Everything below 4 GiB, at addresses that are known beforehand.
            (Model::Smmuv3, Some(_)) => "virt,gic-version=3,highmem=off",
            (Model::Vtd, _) => "q35,kernel-irqchip=split",
        };
        c.add(&["-machine", machine]);
        match &self.sockets.qtest {
            Some(socket) => {
                c.add(&[
                    "-accel",
                    "qtest",
                    "-qtest",
                    &format!("unix:{}", socket.display()),
                    "-qtest-log",
                    "/dev/null",
                ]);
            }
            None => c.add(&["-accel", "tcg"]),
        }
        // A socket each, so that CPUs of different memory nodes do not share one.
        let cpus = format!("{0},sockets={0}", self.args.cpus);
        c.add(&["-cpu", &self.args.cpu, "-smp", &cpus, "-m", &self.args.memory]);
        if self.args.model == Model::Vtd {
            for dir in FIRMWARE_DIRS_X86 {
                c.add(&["-L", dir]);
            }
        }
        // Two memory nodes, so that the guest can move pages from one to the other under DMA.
        if self.args.cpus == 2
            && self.sockets.qtest.is_none()
            && let Some(half) = half_of(&self.args.memory)
        {
            for node in 0..2 {
                c.add(&["-object", &format!("memory-backend-ram,id=ram{node},size={half}")]);
                c.add(&["-numa", &format!("node,nodeid={node},memdev=ram{node},cpus={node}")]);
            }
        }
        if self.needs_plugin() {
            let replace = if self.args.replace { ",replace=on" } else { "" };
            c.add(&["-device-plugin", &format!("{}{replace}", self.parts.plugin.display())]);
        }
    }

    /// QEMU's own model without our endpoints is QEMU as it is.
    fn needs_plugin(&self) -> bool {
        let ours = self.args.implementation == Implementation::Rust || self.args.replace;
        ours || self.args.endpoints > 0 || self.benches > 0
    }

    fn iommu(&self, c: &mut Words, unit: u8) -> Result<()> {
        let a = &self.args;
        let bus = Self::bus(unit);
        if unit > 0 {
            let number = unit.saturating_mul(BUSES_A_UNIT);
            let addr = unit.saturating_add(0x10);
            c.add(&["-device", &format!("pxb-pcie,bus=pcie.0,addr={addr:#x},id={bus},bus_nr={number}")]);
        }
        if a.model == Model::Vtd && a.stall.is_some() {
            return Err(coded(
                exit::USAGE,
                "--stall: VT-d stalls nothing",
                "leave it out: endpoints ask for pages by page requests",
            ));
        }
        if a.model == Model::Vtd && a.el2 {
            return Err(coded(exit::USAGE, "--el2: VT-d's CPUs have no EL2", "leave it out"));
        }
        self.check_faults()?;
        let mut properties: Vec<String> = Vec::new();
        let name = match (a.model, a.implementation) {
            (Model::Smmuv3, Implementation::Rust) => {
                if a.faults == Faults::Pri {
                    properties.extend(["ats=on".to_owned(), "pri=on".to_owned()]);
                }
                if let Some(stall) = a.stall {
                    properties.push(format!(
                        "stall={}",
                        match stall {
                            Stall::Off => "off",
                            Stall::On => "on",
                            Stall::Force => "force",
                        }
                    ));
                }
                if let Some(bits) = a.pasid_bits {
                    properties.push(format!("ssidsize={bits}"));
                }
                if a.adversarial {
                    properties.push("x-adversarial=on".into());
                }
                "arm-smmuv3-rs"
            }
            (Model::Smmuv3, Implementation::C) => {
                // Its property `ssidsize` and stalls want a host's SMMU below it, so they are not passed on.
                if a.adversarial {
                    return Err(coded(
                        exit::USAGE,
                        "--adversarial: QEMU's C model has no such mode",
                        "leave it out",
                    ));
                }
                "arm-smmuv3"
            }
            (Model::Vtd, Implementation::Rust) => {
                if let Some(bits) = a.pasid_bits {
                    properties.push(format!("pasid-bits={bits}"));
                }
                if a.adversarial {
                    properties.push("x-adversarial=on".into());
                }
                "intel-iommu-rs"
            }
            (Model::Vtd, Implementation::C) => {
                "intel-iommu,intremap=on,scalable-mode=on,fsts=on,device-iotlb=on,pasid-bits=20,svm=on"
            }
        };
        properties.extend(a.iommu.iter().cloned());
        let own = a.unit.iter().filter_map(|p| p.split_once(':')).filter(|(n, _)| n.parse() == Ok(unit));
        properties.extend(own.map(|(_, property)| property.to_owned()));
        let mut device = match a.model {
            Model::Smmuv3 => format!("{name},primary-bus={bus},id=smmu{unit}"),
            Model::Vtd => format!("{name},id=smmu{unit}"),
        };
        for p in properties {
            device.push(',');
            device.push_str(&p);
        }
        c.add(&["-device", &device]);
        Ok(())
    }

    /// Refuses what `--faults` cannot mean.
    fn check_faults(&self) -> Result<()> {
        let a = &self.args;
        let (what, way_out) = match (a.faults, a.model, a.implementation, a.stall) {
            (Faults::Stall, Model::Vtd, ..) => (
                "--faults stall: VT-d stalls nothing",
                "leave it out: endpoints ask for pages by page requests",
            ),
            (Faults::Pri | Faults::Stall, Model::Smmuv3, Implementation::C, _) => (
                "--faults: QEMU's own SMMUv3 resolves no page faults, it has neither stalls nor page requests",
                "leave it out, or use --impl rust",
            ),
            (Faults::Stall, Model::Smmuv3, _, Some(Stall::Off)) => (
                "--faults stall with --stall off: nothing would be stalled",
                "use --stall on or --stall force",
            ),
            (Faults::Pri, Model::Smmuv3, _, Some(Stall::Force)) => (
                "--faults pri with --stall force: the SMMU would stall every endpoint",
                "use --stall on or --stall off",
            ),
            _ => return Ok(()),
        };
        Err(coded(exit::USAGE, what, way_out))
    }

    fn devices(&self, c: &mut Words) {
        let bus = "pcie.0";
        if let Some(socket) = &self.sockets.control {
            c.add(&["-chardev", &format!("socket,id=control,path={}", socket.display())]);
            c.add(&[
                "-device",
                &format!(
                    "virtio-serial-pci,id=control-bus,bus={bus},addr=0x1,disable-legacy=on,iommu_platform=on"
                ),
            ]);
            c.add(&["-device", "virtserialport,bus=control-bus.0,chardev=control,name=qemu-iommu"]);
        }
        if let Some(file) = &self.level2 {
            c.add(&["-chardev", &format!("file,id=level2,path={}", file.display())]);
            c.add(&["-device", "virtserialport,bus=control-bus.0,chardev=level2,name=level2"]);
        }
        for n in 0..self.benches {
            let addr = n.saturating_add(4);
            c.add(&["-device", &format!("iommu-bench,bus={bus},addr={addr:#x},id=bench{n}")]);
        }
        let ids = self.endpoint_ids();
        let mut properties = self.args.endpoint.join(",");
        if let Some(bits) = self.args.pasid_bits {
            properties = format!("pasid-bits={bits},{properties}");
        }
        if self.args.patched_kernel() {
            properties = format!("dma-can-stall=off,{properties}");
        }
        let properties = properties.trim_end_matches(',');
        let comma = if properties.is_empty() { "" } else { "," };
        let Some((behind, direct)) = ids.split_last() else { return };
        for (n, id) in direct.iter().enumerate() {
            let addr = n.saturating_add(4);
            let unit = n.checked_rem(usize::from(self.args.units)).unwrap_or(0);
            // A PXB's root bus takes bridges only.
            let (bus, addr) = if unit == 0 { (bus.to_owned(), addr) } else { (format!("port{n}"), 0) };
            if unit > 0 {
                let slot = n.saturating_add(0x10);
                // Without I/O ports, which firmware would give each root bus 4 KiB of: Linux maps them by whole pages, and with
                // larger ones warns of what is mapped twice.
                c.add(&[
                    "-device",
                    &format!(
                        "pcie-root-port,bus=pcie.{unit},addr={n:#x},id={bus},chassis={slot},slot={slot},io-reserve=0"
                    ),
                ]);
            }
            c.add(&["-device", &format!("sva-testdev,bus={bus},addr={addr:#x},id={id}{comma}{properties}")]);
        }
        c.add(&["-device", &format!("pcie-root-port,bus={bus},addr=0x2,id=rp0,chassis=1,slot=1")]);
        c.add(&["-device", &format!("sva-testdev,bus=rp0,id={behind}{comma}{properties}")]);
        if self.sockets.qtest.is_none() {
            let (id, addr, _) = SPARE;
            c.add(&["-device", &format!("sva-testdev,bus={bus},addr={addr},id={id}{comma}{properties}")]);
        }
    }

    fn consoles(&self, c: &mut Words) {
        let chardev = match &self.console {
            Console::Terminal { log } => {
                format!("stdio,id=console,mux=on,signal=off,logfile={}", log.display())
            }
            Console::File(file) => format!("file,id=console,path={}", file.display()),
            Console::Stdout => "stdio,id=console,signal=on".to_owned(),
        };
        c.add(&["-chardev", &chardev, "-serial", "chardev:console"]);
        if matches!(self.console, Console::Terminal { .. }) {
            c.add(&["-object", "monitor-hmp,id=hmp0,chardev=console"]);
        }
        if let Some(socket) = &self.sockets.qmp {
            c.add(&["-chardev", &format!("socket,id=qmp,path={}", socket.display())]);
            c.add(&["-object", "monitor-qmp,id=qmp0,chardev=qmp"]);
        }
    }

    fn boot(&self, c: &mut Words) {
        c.add(&["-no-reboot"]);
        if self.args.firmware == Firmware::Acpi {
            c.add(&["-bios", UEFI_ARM]);
        }
        c.add(&["-kernel", &self.parts.kernel.display().to_string()]);
        c.add(&["-initrd", &self.parts.initrd.display().to_string()]);
        let mut append = match self.args.model {
            Model::Smmuv3 => vec!["console=ttyAMA0".to_owned()],
            // Before it calibrates anything Linux wants to see five ticks of the PIT within ten periods of what it takes for
            // a TSC of 4 GHz, and panics if it does not: on a busy host QEMU's main loop is late with them, whichever IOMMU
            // there is. Hypervisors that Linux knows of have this word implied. So they have trust in the TSC, which is one for
            // all CPUs here; without it, time is read from the HPET, each time behind the lock of every device.
            Model::Vtd => ["console=ttyS0", "intel_iommu=on,sm_on", "no_timer_check", "tsc=reliable"]
                .map(str::to_owned)
                .to_vec(),
        };
        append.push("panic=-1".to_owned());
        if self.args.driver == Driver::SvaTestdev {
            append.push("sva.driver=sva-testdev".to_owned());
        }
        append.extend(self.init.iter().cloned());
        if self.args.endpoints > 0 {
            append.push(SPARE.2.to_owned());
        }
        if self.args.ordinary {
            append.push("sva.also=ordinary-io".to_owned());
        }
        append.extend(self.args.append.iter().cloned());
        c.add(&["-append", &append.join(" ")]);
    }
}

/// The words of a command line.
struct Words(Vec<String>);

impl Words {
    fn add(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(|w| (*w).to_owned()));
    }
}

/// `2G` → `1024M`: half of a size in QEMU's notation, in MiB.
fn half_of(memory: &str) -> Option<String> {
    let (digits, unit) = memory.split_at(memory.find(|c: char| !c.is_ascii_digit()).unwrap_or(memory.len()));
    let number: u64 = digits.parse().ok()?;
    let mib = match unit {
        "" | "M" | "m" => number,
        "G" | "g" => number.checked_mul(1024)?,
        _ => return None,
    };
    (mib >= 512 && mib % 2 == 0).then(|| format!("{}M", mib / 2))
}

/// A command line for a person: one option a line.
pub fn pretty(words: &[String]) -> String {
    let mut out = String::new();
    for (n, word) in words.iter().enumerate() {
        if n > 0 {
            out.push_str(if word.starts_with('-') && word.len() > 1 { " \\\n    " } else { " " });
        }
        out.push_str(&crate::ui::quote(word));
    }
    out
}

/// A file that has to exist before QEMU is asked to open it.
///
/// # Errors
///
/// Names the file, what it is for and the way out.
pub fn must_exist(path: &Path, what: &str, way_out: &str) -> Result<()> {
    if path.is_file() {
        return Ok(());
    }
    Err(crate::advice::advice(format!("{what} {} is not there", path.display()), way_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        assert_eq!(half_of("2G").as_deref(), Some("1024M"));
        assert_eq!(half_of("4096").as_deref(), Some("2048M"));
        assert_eq!(half_of("256M"), None);
        assert_eq!(half_of("huge"), None);
    }

    #[test]
    fn options_begin_lines() {
        let words: Vec<String> = ["qemu", "-m", "2G", "-append", "a b"].map(String::from).to_vec();
        assert_eq!(pretty(&words), "qemu \\\n    -m 2G \\\n    -append 'a b'");
    }
}
