// SPDX-License-Identifier: GPL-2.0-or-later
//! The PCI functions to drive, how they are bound to `uio_pci_sva`, and why that may not work.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::kernel;

/// Vendor and device ID of `sva-testdev`.
pub const DEFAULT_ID: (u16, u16) = (0x1234, 0x53a0);

/// The driver that binds processes.
pub const SHARING: &str = "uio_pci_sva";
/// The driver that hands a function to user space with page tables of its own.
pub const ASSIGNING: &str = "vfio-pci";

const DRIVER: &str = "/sys/bus/pci/drivers/uio_pci_sva";
const DEVICES: &str = "/sys/bus/pci/devices";

/// What becomes of an access to a page that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Faults {
    /// The IOMMU holds the access back until the kernel has mapped the page (SMMUv3 stall).
    Stall,
    /// The endpoint asks for a translation and requests the page (ATS and PRI).
    PageRequest,
    /// It fails, for this reason.
    Fatal(String),
}

/// An optional ability of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Its configuration space has no such capability.
    Absent,
    /// It is there, and the kernel has not enabled it.
    Off,
    /// The kernel has enabled it.
    On,
}

/// One function of the device under test.
#[derive(Clone, Debug)]
pub struct Function {
    /// `0000:00:04.0`
    pub bdf: String,
    /// `uio0`, when it is bound to `uio_pci_sva`.
    pub uio: Option<String>,
    /// `sva-testdev0`, when the reference driver has it.
    pub driver: Option<String>,
    /// Max PASID Width of its PASID capability; 0 without one.
    pub pasid_bits: u8,
    /// ATS (translation requests).
    pub ats: Ability,
    /// PRI (page requests).
    pub pri: Ability,
    /// What becomes of page faults.
    pub faults: Faults,
}

/// The wanted IDs: `sva.pciid=vvvv:dddd` on the kernel's command line, or the device's own.
pub fn wanted_id() -> (u16, u16) {
    kernel::parameter("sva.pciid").and_then(|text| parse_id(&text)).unwrap_or(DEFAULT_ID)
}

/// Reads `vvvv:dddd`, both hexadecimal.
pub fn parse_id(text: &str) -> Option<(u16, u16)> {
    let (vendor, device) = text.split_once(':')?;
    Some((u16::from_str_radix(vendor, 16).ok()?, u16::from_str_radix(device, 16).ok()?))
}

fn hex_file(path: &str) -> Option<u16> {
    u16::from_str_radix(kernel::text(path)?.trim_start_matches("0x"), 16).ok()
}

/// Functions with the wanted IDs in order of their address, at most `sva.devices=` of them; without the [`spare`] one.
pub fn functions() -> Vec<Function> {
    let mut names = all();
    if let Some(spare) = kernel::parameter("sva.spare") {
        names.retain(|bdf| *bdf != spare);
    }
    if let Some(limit) = kernel::parameter("sva.devices").and_then(|n| n.parse().ok()) {
        names.truncate(limit);
    }
    let words = kernel::smmu_features(&kernel::log());
    names.iter().map(|bdf| examine(bdf, &words)).collect()
}

/// The function that no process is bound to: `sva.spare=0000:00:03.0`. `uio_pci_sva` of Linux 7.2 cannot be taken off a function
/// (it leaves its interrupt allocated, and the kernel does not survive that), so what goes to another driver never has that one.
pub fn spare() -> Option<Function> {
    let spare = kernel::parameter("sva.spare")?;
    let words = kernel::smmu_features(&kernel::log());
    all().iter().find(|bdf| **bdf == spare).map(|bdf| examine(bdf, &words))
}

/// Addresses of all functions with the wanted IDs.
fn all() -> Vec<String> {
    let wanted = wanted_id();
    let mut names: Vec<String> = fs::read_dir(DEVICES)
        .map(|dir| dir.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    names.retain(|bdf| {
        let id = |file| hex_file(&format!("{DEVICES}/{bdf}/{file}"));
        id("vendor") == Some(wanted.0) && id("device") == Some(wanted.1)
    });
    names.sort();
    names
}

fn examine(bdf: &str, smmu: &[u32]) -> Function {
    let config = fs::read(format!("{DEVICES}/{bdf}/config")).unwrap_or_default();
    let pasid_bits =
        extended_capability(&config, 0x1b).and_then(|at| config.get(at + 5)).map_or(0, |high| high & 0x1f);
    let ats = ability(&config, 0x0f, (7, 0x80));
    let pri = ability(&config, 0x13, (4, 0x01));
    let may_stall =
        Path::new(&format!("{DEVICES}/{bdf}/of_node/dma-can-stall")).exists() || may_stall_by_acpi(bdf);
    let node = |class: &str| {
        fs::read_dir(format!("{DEVICES}/{bdf}/{class}"))
            .ok()
            .and_then(|mut dir| dir.next()?.ok())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
    };
    let faults = judge_faults(smmu, may_stall, ats, pri);
    let (uio, driver) = (node("uio"), node("misc"));
    Function { bdf: bdf.to_owned(), uio, driver, pasid_bits, ats, pri, faults }
}

/// The same under ACPI: the function's device object has the property among its `_DSD`. The kernel keeps these to itself,
/// so what can be seen is that there is an object, and that the tables speak of the property.
fn may_stall_by_acpi(bdf: &str) -> bool {
    let property = b"dma-can-stall";
    Path::new(&format!("{DEVICES}/{bdf}/firmware_node")).exists()
        && fs::read("/sys/firmware/acpi/tables/DSDT")
            .is_ok_and(|table| table.windows(property.len()).any(|bytes| bytes == property))
}

/// Whether an extended capability is there, and whether its bit `(byte, mask)` says that it is enabled.
fn ability(config: &[u8], id: u16, (byte, mask): (usize, u8)) -> Ability {
    match extended_capability(config, id) {
        None => Ability::Absent,
        Some(at) if config.get(at + byte).is_some_and(|value| value & mask != 0) => Ability::On,
        Some(_) => Ability::Off,
    }
}

/// Lets a function request pages behind the kernel's back, as an IOMMU's driver would.
pub fn enable_page_requests(function: &Function) -> std::io::Result<()> {
    let path = format!("{DEVICES}/{}/config", function.bdf);
    let config = fs::read(&path)?;
    let pri = extended_capability(&config, 0x13)
        .ok_or_else(|| std::io::Error::other("the function has no page request capability"))?;
    let file = fs::OpenOptions::new().write(true).open(&path)?;
    // Outstanding Page Request Allocation, then Enable.
    file.write_all_at(&32u32.to_le_bytes(), pri as u64 + 12)?;
    file.write_all_at(&1u16.to_le_bytes(), pri as u64 + 4)
}

fn judge_faults(smmu: &[u32], may_stall: bool, ats: Ability, pri: Ability) -> Faults {
    if (ats, pri) == (Ability::On, Ability::On) {
        return Faults::PageRequest;
    }
    let Some(features) = smmu.first() else {
        return Faults::Fatal(match (ats, pri) {
            (Ability::On, Ability::Absent) => "the endpoint has no PRI capability".into(),
            (Ability::On, _) => "the endpoint's PRI is not enabled: the IOMMU takes no page requests".into(),
            _ => "no IOMMU that resolves page faults: the endpoint's ATS is not enabled".into(),
        });
    };
    if features & kernel::SMMU_STALL_FORCE != 0 || (features & kernel::SMMU_STALLS != 0 && may_stall) {
        Faults::Stall
    } else if features & kernel::SMMU_STALLS != 0 {
        Faults::Fatal("the firmware does not say dma-can-stall of this endpoint".into())
    } else {
        Faults::Fatal(format!("the SMMU does not stall (features {features:#010x})"))
    }
}

/// Offset of an extended capability in 4 KiB of configuration space.
fn extended_capability(config: &[u8], id: u16) -> Option<usize> {
    let mut at = 0x100usize;
    for _ in 0..64 {
        let word = config.get(at..at + 4)?;
        let header = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        if header == 0 {
            return None;
        }
        if header & 0xffff == u32::from(id) {
            return Some(at);
        }
        at = (header >> 20) as usize & 0xffc;
        if at < 0x100 {
            return None;
        }
    }
    None
}

/// Binds every wanted function to `uio_pci_sva`. One line a function that did not work.
pub fn bind_all() -> Vec<String> {
    let mut complaints = Vec::new();
    let found = functions();
    if found.is_empty() {
        let (vendor, device) = wanted_id();
        complaints.push(format!("no PCI function {vendor:04x}:{device:04x} in this machine"));
        return complaints;
    }
    if !Path::new(DRIVER).exists() {
        complaints.push(why_no_driver());
        return complaints;
    }
    for function in found.iter().filter(|f| f.uio.is_none()) {
        if let Err(complaint) = bind(&function.bdf) {
            complaints.push(complaint);
        }
    }
    complaints
}

fn why_no_driver() -> String {
    format!(
        "{DRIVER} is missing: this kernel ({}) was built without CONFIG_UIO_PCI_GENERIC_SVA (Linux 6.19 and later, \
         needs CONFIG_UIO and CONFIG_IOMMU_SVA{}), or it is a module that is not loaded",
        kernel::release(),
        if kernel::machine() == "aarch64" {
            " by CONFIG_ARM_SMMU_V3_SVA"
        } else {
            " by CONFIG_INTEL_IOMMU_SVM"
        },
    )
}

fn bind(bdf: &str) -> Result<(), String> {
    rebind(bdf, SHARING)?;
    let node = appears(&format!("{DEVICES}/{bdf}/uio"), "/dev");
    node.map(|_| ()).ok_or_else(|| format!("{bdf}: uio_pci_sva did not take it{}", hints(bdf)))
}

/// The first range that firmware wants mapped to itself for this function, as Linux writes it; none: whoever has the
/// function may map what it likes.
pub fn identity_mapped(bdf: &str) -> Option<String> {
    let regions = kernel::text(&format!("{DEVICES}/{bdf}/iommu_group/reserved_regions"))?;
    regions.lines().find_map(|line| {
        let (range, kind) = line.rsplit_once(' ')?;
        (kind == "direct").then(|| range.replacen(' ', "-", 1))
    })
}

/// Gives the [`spare`] function to [`ASSIGNING`]. The path of its character device.
///
/// # Errors
/// Why the kernel did not do it.
pub fn assign(bdf: &str) -> Result<String, String> {
    let driver = fs::read_link(format!("{DEVICES}/{bdf}/driver"));
    if !driver.is_ok_and(|driver| driver.ends_with(ASSIGNING)) {
        rebind(bdf, ASSIGNING)?;
    }
    appears(&format!("{DEVICES}/{bdf}/vfio-dev"), "/dev/vfio/devices")
        .ok_or_else(|| format!("{bdf}: {ASSIGNING} did not take it{}", hints(bdf)))
}

fn rebind(bdf: &str, driver: &str) -> Result<(), String> {
    let dir = format!("{DEVICES}/{bdf}");
    if Path::new(&format!("{dir}/driver")).exists() {
        fs::write(format!("{dir}/driver/unbind"), bdf)
            .map_err(|e| format!("{bdf}: taking its driver away: {e}"))?;
    }
    fs::write(format!("{dir}/driver_override"), driver)
        .map_err(|e| format!("{bdf}: driver_override: {e}"))?;
    fs::write("/sys/bus/pci/drivers_probe", bdf).map_err(|e| format!("{bdf}: drivers_probe: {e}"))
}

/// Waits for a driver's class device in `class` and its node in `dev`.
fn appears(class: &str, dev: &str) -> Option<String> {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        if let Some(entry) = fs::read_dir(class).ok().and_then(|mut d| d.next()?.ok()) {
            let node = Path::new(dev).join(entry.file_name());
            if node.exists() {
                return Some(node.to_string_lossy().into_owned());
            }
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn hints(bdf: &str) -> String {
    let log = kernel::log();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| {
            line.contains(bdf) && (line.contains("fail") || line.contains("Fail") || line.contains("BAR"))
        })
        .collect();
    let last = &lines[lines.len().saturating_sub(3)..];
    if last.is_empty() { String::new() } else { format!("; the kernel said: {}", last.join(" | ")) }
}

/// Why a process could not be bound to `function`, in words that name the way out.
pub fn why_no_bind(function: &Function) -> String {
    let log = kernel::log();
    let mut reasons = Vec::new();
    if kernel::parameter("sva.driver").is_some() {
        if function.driver.is_none() {
            reasons.push(format!("{} has no driver{}", function.bdf, hints(&function.bdf)));
        }
    } else if !Path::new(DRIVER).exists() {
        reasons.push(why_no_driver());
    } else if function.uio.is_none() {
        reasons.push(format!("{} is not bound to uio_pci_sva{}", function.bdf, hints(&function.bdf)));
    }
    if !Path::new(&format!("{DEVICES}/{}/iommu_group", function.bdf)).exists() {
        reasons.push(format!("{} is in no IOMMU group: no IOMMU in front of it", function.bdf));
    }
    if function.pasid_bits == 0 {
        reasons.push(format!("{} has no PASID capability", function.bdf));
    }
    if kernel::machine() != "aarch64" && function.ats != Ability::On {
        reasons.push(format!(
            "{}: {}; VT-d shares a process's memory only with functions that have ATS",
            function.bdf,
            if function.ats == Ability::Absent {
                "it has no ATS capability"
            } else {
                "its ATS is not enabled (the IOMMU knows no device-TLBs, or its PASID capability is missing)"
            },
        ));
    }
    if kernel::machine() != "aarch64" {
        reasons.extend(vtd_lacks());
    }
    if kernel::machine() == "aarch64" {
        let words = kernel::smmu_features(&log);
        if words.is_empty() {
            reasons.push("the kernel found no SMMUv3".into());
        }
        for features in words.iter().filter(|f| **f & kernel::SMMU_SVA == 0) {
            reasons.push(format!(
                "the SMMU's features {features:#010x} lack SVA (bit 17): it wants coherent table walks, ASID16, the \
                 kernel's page size as a granule, and an output size no smaller than the CPU's"
            ));
        }
    }
    let speaks = |line: &&str| {
        let line = line.to_lowercase();
        line.contains("pasid") && !line.contains("command line:")
    };
    if let Some(line) = log.lines().rev().find(speaks) {
        reasons.push(format!("the kernel's last word on PASIDs: {}", line.trim()));
    }
    if reasons.is_empty() {
        reasons.push("the IOMMU driver refused (SubstreamID width 0, or no free PASID)".into());
    }
    reasons.join("; ")
}

/// What Linux wants of a VT-d unit for SVA and its capability registers do not have.
fn vtd_lacks() -> Option<String> {
    let register = |name: &str| {
        let text = kernel::text(&format!("/sys/class/iommu/dmar0/intel-iommu/{name}"))?;
        u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
    };
    let Some((cap, ecap)) = register("cap").zip(register("ecap")) else {
        return Some("the kernel found no VT-d".into());
    };
    let flags = kernel::text("/proc/cpuinfo").unwrap_or_default();
    let cpu = |flag: &str| flags.split_whitespace().any(|word| word == flag);
    let wanted = [
        (ecap, 43, "ECAP.SMTS, scalable mode", true),
        (ecap, 40, "ECAP.PASID", true),
        (ecap, 47, "ECAP.FSTS, first-stage translation", true),
        (ecap, 48, "ECAP.SMPWCS, coherent page walks", true),
        (cap, 60, "CAP.FS5LP, as the CPU has 5-level paging", cpu("la57")),
        (cap, 56, "CAP.FS1GP, as the CPU has 1 GiB pages", cpu("pdpe1gb")),
    ];
    let lacks: Vec<&str> = wanted
        .iter()
        .filter(|(value, bit, _, wanted)| *wanted && value >> bit & 1 == 0)
        .map(|(_, _, name, _)| *name)
        .collect();
    (!lacks.is_empty()).then(|| format!("VT-d lacks what Linux wants for SVA: {}", lacks.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::Ability::{Absent, Off, On};
    use super::{Faults, ability, extended_capability, judge_faults, parse_id};

    #[test]
    fn who_resolves_faults() {
        let judge = |smmu: &[u32], may_stall| judge_faults(smmu, may_stall, On, Off);
        assert_eq!(judge(&[1 << 11], true), Faults::Stall);
        assert_eq!(judge(&[1 << 11 | 1 << 13], false), Faults::Stall);
        assert!(matches!(judge(&[1 << 11], false), Faults::Fatal(_)));
        assert!(matches!(judge(&[0], true), Faults::Fatal(_)));
        assert_eq!(judge_faults(&[], false, On, On), Faults::PageRequest);
        assert_eq!(judge_faults(&[0], false, On, On), Faults::PageRequest);
        for (ats, pri) in [(Absent, Absent), (Off, Off), (On, Absent), (On, Off)] {
            assert!(matches!(judge_faults(&[], false, ats, pri), Faults::Fatal(_)));
        }
    }

    #[test]
    fn ids() {
        assert_eq!(parse_id("19e5:a250"), Some((0x19e5, 0xa250)));
        assert_eq!(parse_id("19e5"), None);
    }

    #[test]
    fn capabilities_are_chained() {
        let mut config = vec![0u8; 4096];
        config[0x100..0x104].copy_from_slice(&0x1401_000fu32.to_le_bytes());
        config[0x140..0x144].copy_from_slice(&0x0001_001bu32.to_le_bytes());
        assert_eq!(extended_capability(&config, 0x0f), Some(0x100));
        assert_eq!(extended_capability(&config, 0x1b), Some(0x140));
        assert_eq!(extended_capability(&config, 0x13), None);
        assert_eq!(ability(&config, 0x13, (4, 1)), Absent);
        assert_eq!(ability(&config, 0x0f, (7, 0x80)), Off);
        config[0x107] = 0x80;
        assert_eq!(ability(&config, 0x0f, (7, 0x80)), On);
    }
}
