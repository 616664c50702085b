// SPDX-License-Identifier: GPL-2.0-or-later
//! Faults that wait for an answer: stalls of an SMMUv3, page requests behind a VT-d.

use qemu_iommu::nested::{Error, FaultRouting, HostFault, Response};
use sva_guest::device::{Descriptor, FaultMode, Status};
use sva_guest::ensure;
use sva_guest::pci::Faults;
use sva_guest::report::{CheckResult, Report, Stop};

use crate::vmm::{Bound, Engine, PASID, PATIENCE, Vmm, WINDOW, said};

/// Pages that stage 1 does not have yet.
const HOLE: u64 = WINDOW + 0x20_0000;

/// A bound device whose faults wait.
fn begin(vmm: &Vmm) -> Result<Bound, Stop> {
    if let Faults::Fatal(why) = &vmm.device.function.faults {
        return Err(Stop::Skip(format!("no faults wait here: {why}")));
    }
    vmm.bind(FaultRouting::Queued)
}

/// Has the device wait for pages, as far as this machine lets it.
fn wait_for_pages(engine: &mut Engine<'_>) {
    let mode = match engine.ring.device().function.faults {
        Faults::PageRequest => FaultMode::AtsPri,
        _ => FaultMode::Wait,
    };
    engine.ring.set_mode(mode);
}

/// Whether a fault is the one that was to be.
fn expect(vmm: &Vmm, fault: &HostFault, at: u64, write: bool) -> Result<(), Stop> {
    ensure!(
        fault.device == vmm.id
            && fault.pasid == Some(PASID)
            && fault.addr & !0xfff == at & !0xfff
            && fault.last
            && (fault.access.write, fault.access.read) == (write, !write),
        "{fault:x?} came, where PASID {PASID} {} {at:#x}",
        if write { "writes" } else { "reads" }
    );
    Ok(())
}

/// Mended by a page, and refused.
pub fn answered() -> CheckResult {
    let vmm = Vmm::new()?;
    let bound = begin(&vmm)?;
    let mut engine = vmm.engine(&[&bound.plain])?;
    wait_for_pages(&mut engine);
    let mut mended = 0;
    for n in 0..4 {
        let at = HOLE + n * 4096;
        let page = n as usize;
        let read = Descriptor::crc32c(at, 64).in_pasid(Some(PASID));
        let ticket = engine.ring.submit(&read);
        let fault = vmm.fault()?;
        expect(&vmm, &fault, at, false)?;
        ensure!(engine.ring.poll(ticket).is_none(), "the device did not wait");
        vmm.tables.map(bound.tagged.root, at, Vmm::data(page), 4096, true);
        vmm.host.respond(fault.cookie, Response::Success).map_err(said)?;
        let done = engine.ring.wait(ticket, PATIENCE)?;
        let wanted = u64::from(sva_guest::crc32c::crc32c(&[Vmm::byte(page); 64]));
        ensure!((done.status, done.result) == (Status::Ok, wanted), "mended, the read ended with {done:?}");
        let again = vmm.host.respond(fault.cookie, Response::Success);
        ensure!(matches!(again, Err(Error::UnknownCookie(_))), "a second answer: {again:?}");
        mended += 1;
    }
    let at = HOLE + 0x10_0000;
    let ticket = engine.ring.submit(&Descriptor::fill(at, 64, 1).in_pasid(Some(PASID)));
    let fault = vmm.fault()?;
    expect(&vmm, &fault, at, true)?;
    vmm.host.respond(fault.cookie, Response::Invalid).map_err(said)?;
    let done = engine.ring.wait(ticket, PATIENCE)?;
    ensure!(matches!(done.status, Status::Fault | Status::Halted), "refused, the write ended with {done:?}");
    engine.recover();
    wait_for_pages(&mut engine);
    // And all goes on.
    let seen = engine.sees(Some(PASID), WINDOW)?;
    ensure!(seen == Some(1), "afterwards page {seen:?} is seen");
    ensure!(vmm.host.next_fault().map_err(said)?.is_none(), "there is one more fault");
    Ok(Report::new(format!("{mended} mended by a page and gone on, one refused; each answered once")))
}

/// A binding ends, or is replaced, while faults of it are open.
pub fn given_up() -> CheckResult {
    let vmm = Vmm::new()?;
    let mut bound = begin(&vmm)?;
    let mut engine = vmm.engine(&[&bound.plain])?;
    let mut late = Vec::new();
    let queued = FaultRouting::Queued;
    // Replaced: read already, and not read yet.
    for read in [true, false] {
        wait_for_pages(&mut engine);
        let ticket =
            engine.ring.submit(&Descriptor::crc32c(HOLE + u64::from(read) * 4096, 64).in_pasid(Some(PASID)));
        if read {
            late.push(vmm.fault()?.cookie);
        } else if let Some(fd) = vmm.host.fault_fd() {
            ensure!(sva_guest::process::readable(&fd, PATIENCE), "no fault comes");
        }
        let Some(binding) = bound.bindings.last_mut() else { return Err("nothing is bound".into()) };
        let config = *binding.config();
        binding.replace(config, queued).map_err(said)?;
        let done = engine.ring.wait(ticket, PATIENCE)?;
        ensure!(
            matches!(done.status, Status::Fault | Status::Halted),
            "replaced under a fault, the read ended with {done:?}"
        );
        ensure!(
            vmm.host.next_fault().map_err(said)?.is_none(),
            "a fault of what was replaced is still there"
        );
        engine.recover();
    }
    // Another fault, to which the kernel gives the same number: the late answer is not to hit it.
    wait_for_pages(&mut engine);
    let ticket = engine.ring.submit(&Descriptor::crc32c(HOLE + 0x4000, 64).in_pasid(Some(PASID)));
    let fault = vmm.fault()?;
    for cookie in &late {
        let answer = vmm.host.respond(*cookie, Response::Success);
        ensure!(matches!(answer, Err(Error::UnknownCookie(_))), "a late answer: {answer:?}");
    }
    std::thread::sleep(std::time::Duration::from_millis(20));
    ensure!(engine.ring.poll(ticket).is_none(), "a late answer hit another fault");
    // Unbound: the device's on Arm, the PASID's on VT-d.
    drop(bound.bindings.pop());
    let done = engine.ring.wait(ticket, PATIENCE)?;
    ensure!(
        matches!(done.status, Status::Fault | Status::Halted),
        "unbound under a fault, the read ended with {done:?}"
    );
    let answer = vmm.host.respond(fault.cookie, Response::Success);
    ensure!(matches!(answer, Err(Error::UnknownCookie(_))), "an answer after the end: {answer:?}");
    Ok(Report::new("three faults given up by the kernel with their binding; late answers hit nobody"))
}
