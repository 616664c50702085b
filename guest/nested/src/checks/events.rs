// SPDX-License-Identifier: GPL-2.0-or-later
//! What the host's IOMMU reports.

use qemu_iommu::nested::{FaultRouting, HostEvent, Iommufd};
use sva_guest::ensure;
use sva_guest::report::{CheckResult, Report, Stop};

use crate::vmm::{PASID, STREAM, Vmm, WINDOW, cfgi_cd, said};

/// Room in the event queue.
const DEPTH: u32 = 4;
const LOST: u32 = 6;

/// `IHI0070 §7.3`
mod code {
    pub const C_BAD_SUBSTREAMID: u64 = 0x08;
    pub const C_BAD_CD: u64 = 0x0a;
    pub const F_TRANSLATION: u64 = 0x10;
}

/// Code, StreamID, PASID, address of a record. Its `SSV` is not in `C_BAD_SUBSTREAMID`, which always has one.
fn record(event: HostEvent) -> Result<(u64, u64, Option<u64>, u64), Stop> {
    let HostEvent::Smmuv3([low, _, address, _]) = event else {
        return Err(format!("{event:x?} where a record was to come").into());
    };
    let code = low & 0xff;
    let pasid = (code == code::C_BAD_SUBSTREAMID || low >> 11 & 1 != 0).then_some(low >> 12 & 0xf_ffff);
    Ok((code, low >> 32, pasid, address))
}

/// Records of an SMMUv3, with the guest's StreamID in them.
pub fn events() -> CheckResult {
    let vmm = Vmm::with(Iommufd::open().map_err(said)?.with_event_depth(DEPTH))?;
    let bound = vmm.bind(FaultRouting::Refused)?;
    let mut engine = vmm.engine(&[&bound.plain])?;
    let hole = WINDOW + 0x10_0000;
    let tagged = Some(u64::from(PASID));

    ensure!(engine.sees(Some(PASID), hole)?.is_none(), "a page that stage 1 does not have is seen");
    let seen = record(vmm.event()?)?;
    let wanted = (code::F_TRANSLATION, STREAM, tagged, hole);
    ensure!(seen == wanted, "a missing page: {seen:x?}, not {wanted:x?}");

    vmm.tables.clear(&bound.table, PASID + 1);
    ensure!(engine.sees(Some(PASID + 1), WINDOW)?.is_none(), "a CD that is not valid is used");
    let seen = record(vmm.event()?)?;
    let wanted = (code::C_BAD_CD, STREAM, Some(u64::from(PASID + 1)));
    ensure!((seen.0, seen.1, seen.2) == wanted, "a CD that is not valid: {seen:x?}, not {wanted:x?}");

    let beyond = 1 << bound.table.bits;
    ensure!(engine.sees(Some(beyond), WINDOW)?.is_none(), "a PASID beyond the table is used");
    let seen = record(vmm.event()?)?;
    let wanted = (code::C_BAD_SUBSTREAMID, STREAM, Some(u64::from(beyond)));
    ensure!((seen.0, seen.1, seen.2) == wanted, "a PASID beyond the table: {seen:x?}, not {wanted:x?}");

    // More than the queue holds, at an address each, so that none is merged with another.
    for n in 0..DEPTH + LOST {
        ensure!(
            engine.sees(Some(PASID), hole + u64::from(n + 1) * 4096)?.is_none(),
            "a page that stage 1 does not have is seen"
        );
    }
    // The last one has come to the queue when a change of the tables has been told.
    vmm.invalidate(&[cfgi_cd(STREAM, PASID)])?;
    std::thread::sleep(std::time::Duration::from_millis(50));
    let mut kept = 0;
    let lost = loop {
        match vmm.event()? {
            HostEvent::Lost(count) => break count,
            event => {
                let seen = record(event)?;
                let wanted = (code::F_TRANSLATION, STREAM, tagged, hole + (kept + 1) * 4096);
                ensure!(seen == wanted, "kept event {kept}: {seen:x?}, not {wanted:x?}");
                kept += 1;
            }
        }
    };
    ensure!(
        (kept, lost) == (u64::from(DEPTH), LOST),
        "of {} events {kept} were kept and {lost} lost",
        DEPTH + LOST
    );
    ensure!(vmm.host.next_event().map_err(said)?.is_none(), "there is one more event");
    Ok(Report::new(format!(
        "F_TRANSLATION, C_BAD_CD, C_BAD_SUBSTREAMID of StreamID {STREAM:#x}; {lost} of {} counted as lost",
        DEPTH + LOST
    )))
}

/// VT-d: the kernel has no event queue, and a fault says so in its log alone.
pub fn none() -> CheckResult {
    let vmm = Vmm::new()?;
    let bound = vmm.bind(FaultRouting::Refused)?;
    let mut engine = vmm.engine(&[&bound.plain])?;
    ensure!(vmm.host.event_fd().is_none(), "there is an event queue");
    ensure!(engine.sees(Some(PASID), WINDOW + 0x10_0000)?.is_none(), "a missing page is seen");
    ensure!(vmm.host.next_event().map_err(said)?.is_none(), "there is an event");
    Ok(Report::new("no descriptor, and none comes: Linux 7.2 has no vIOMMU of VT-d"))
}
