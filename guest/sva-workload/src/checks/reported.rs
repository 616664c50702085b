// SPDX-License-Identifier: GPL-2.0-or-later
//! A driver hears of faults that nobody can mend: the kernel's words name the device, the PASID and the address.

use std::time::{Duration, Instant};

use sva_guest::device::{Descriptor, Device, FaultMode, Ring, Status};
use sva_guest::kernel;
use sva_guest::memory::{Mapping, page_size};
use sva_guest::pci::Faults;

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, PATIENCE, describe};

/// The kernel prints ten faults in five seconds, and earlier checks may have used them up.
const RATE_LIMIT: Duration = Duration::from_secs(12);

/// Addresses for one kind of fault.
const EACH: u64 = 1 << 24;

/// A fault in the kernel's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// `0000:00:04.0`
    pub device: String,
    /// The PASID; `None` for a request without one.
    pub pasid: Option<u32>,
    /// The address, where the event has one.
    pub address: Option<u64>,
}

fn after<'l>(line: &'l str, mark: &str) -> Option<&'l str> {
    let rest = line.split_once(mark)?.1;
    Some(rest.split([' ', ']']).next().unwrap_or(rest))
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Reads a line of the SMMUv3's or VT-d's driver.
pub fn parse(line: &str) -> Option<Heard> {
    if line.contains("arm-smmu-v3") && line.contains(" event: ") {
        // requests without a SubstreamID have 0 there
        let pasid = number(after(line, " ssid: ")?).and_then(|n| u32::try_from(n).ok())?;
        return Some(Heard {
            device: after(line, " client: ")?.to_owned(),
            pasid: (pasid != 0).then_some(pasid),
            address: after(line, " iova: ").and_then(number),
        });
    }
    if line.contains("DMAR: [DMA ") {
        return Some(Heard {
            device: after(line, "Request device [")?.to_owned(),
            pasid: after(line, " PASID ").and_then(number).and_then(|n| u32::try_from(n).ok()),
            address: after(line, "fault addr ").and_then(number),
        });
    }
    None
}

/// Has a device make an access that is refused, until the kernel has told about one like it; each time at another page.
fn provoke(
    ring: &mut Ring<'_>,
    what: &str,
    pasid: Option<u32>,
    first: u64,
    sink: &Mapping,
) -> Result<Heard, Stop> {
    let page = page_size() as u64;
    let bdf = ring.device().function.bdf.clone();
    let begin = Instant::now();
    let mut tried = 0;
    while begin.elapsed() < RATE_LIMIT {
        let address = first + tried * page;
        tried += 1;
        let copy = Descriptor::copy(address, sink.address(), 64).in_pasid(pasid);
        let outcome = ring.run(&copy, PATIENCE)?;
        ring.recover();
        ensure!(
            matches!(outcome.status, Status::Fault | Status::Halted) && outcome.address == address,
            "{what} at {address:#x} ended with {}",
            describe(&outcome)
        );
        if let Some(pasid) = pasid {
            ring.device().rearm(pasid);
        }
        // the driver's thread gets a moment
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(10));
            let log = kernel::log();
            let told: Vec<Heard> = log.lines().filter_map(parse).collect();
            let ours = |h: &&Heard| match h.address {
                Some(at) => at / page == address / page,
                None => h.pasid == pasid && h.device == bdf && pasid.is_some(),
            };
            if let Some(heard) = told.iter().rev().find(ours) {
                ensure!(
                    heard.device == bdf && heard.pasid == pasid,
                    "{what} at {address:#x} by {bdf}, PASID {pasid:?}: the kernel tells of {heard:x?}"
                );
                return Ok(heard.clone());
            }
        }
    }
    Err(format!("the kernel told of none of {tried} refused accesses ({what}, PASID {pasid:?})").into())
}

/// Accesses without a PASID, with this process's, and with a PASID that nobody owns.
pub fn fault_reported(context: &Context) -> CheckResult {
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let sink = Mapping::anonymous(page_size())?;
    sink.set(0, sink.len(), 0xee);
    // a fault that is told of at once, whatever else could be done about it
    ring.set_mode(FaultMode::Report);
    let hole = Mapping::remote(1 << 26)?.unmap();
    let mut told = Vec::new();
    for (n, (what, pasid)) in cases(&device).into_iter().enumerate() {
        let heard = provoke(&mut ring, what, pasid, hole + n as u64 * EACH, &sink)?;
        told.push(match heard.address {
            Some(_) => what.to_owned(),
            None => format!("{what} (no address in the event)"),
        });
    }
    ensure!(sink.first_other(0, sink.len(), 0xee).is_none(), "a refused read has brought data");
    Ok(Report::new(format!("device, PASID and address as the device has them: {}", told.join(", "))))
}

fn cases(device: &Device) -> Vec<(&'static str, Option<u32>)> {
    let mut cases = Vec::new();
    let group = format!("/sys/bus/pci/devices/{}/iommu_group/type", device.function.bdf);
    if kernel::text(&group).is_none_or(|kind| kind != "identity") {
        cases.push(("without PASID", None));
    }
    // a fault that an SMMU holds back is the page fault handler's, which tells nobody
    if device.function.faults != Faults::Stall {
        cases.push(("its own PASID", Some(device.pasid)));
    }
    // not far from its own: where an SMMU's tables do not even reach, its record has no valid flag for the PASID, and the driver
    // prints none
    let width = 1u32 << device.function.pasid_bits;
    let strangers = [16, 4, 2].map(|bit| device.pasid ^ bit);
    if let Some(pasid) = strangers.into_iter().find(|pasid| *pasid < width && *pasid != 0) {
        cases.push(("a PASID of nobody", Some(pasid)));
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::{Heard, parse};

    #[test]
    fn both_drivers_lines() {
        let smmu = "[    9.1] arm-smmu-v3 9050000.smmuv3: event: F_TRANSLATION client: 0000:00:04.0 sid: 0x20 ssid: 0x0 \
                    iova: 0x100000 ipa: 0x0";
        let heard = |pasid, address| Some(Heard { device: "0000:00:04.0".into(), pasid, address });
        assert_eq!(parse(smmu), heard(None, Some(0x10_0000)));
        let smmu = "[    9.1] arm-smmu-v3 9050000.smmuv3: event: C_BAD_CD client: 0000:00:04.0 sid: 0x20 ssid: 0xfffff";
        assert_eq!(parse(smmu), heard(Some(0xfffff), None));
        let vtd = "[    9.1] DMAR: [DMA Read PASID 0x1] Request device [0000:00:04.0] fault addr 0x100000000000 \
                   [fault reason 0x73] SM: Present bit in first-level paging entry is clear";
        assert_eq!(parse(vtd), heard(Some(1), Some(1 << 44)));
        let vtd = "[    9.1] DMAR: [DMA Write NO_PASID] Request device [0000:00:04.0] fault addr 0x2000 \
                   [fault reason 0x71] x";
        assert_eq!(parse(vtd), heard(None, Some(0x2000)));
        assert_eq!(parse("[    9.1] DMAR: Intel(R) Virtualization Technology for Directed I/O"), None);
    }
}
