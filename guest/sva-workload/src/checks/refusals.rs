// SPDX-License-Identifier: GPL-2.0-or-later
//! What the device must not get.

use sva_guest::device::{Descriptor, Device, EXECUTE, FaultMode, PRIVILEGED, Ring, Status, register};
use sva_guest::kernel;
use sva_guest::memory::{Mapping, memory_file, page_size};
use sva_guest::pci::{self, Faults};

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, Expect, PATIENCE, describe};

/// An account of what was refused, for the claims.
struct Account<'d> {
    device: &'d Device,
    faults: u64,
    aborts: u64,
}

impl<'d> Account<'d> {
    fn open(device: &'d Device) -> Self {
        Self { device, faults: device.page_faults(), aborts: device.aborts() }
    }

    fn close(&self, detail: String) -> Report {
        let report = Report::new(detail);
        if self.device.function.faults != Faults::Stall {
            return report;
        }
        report.stalls(self.device.page_faults() - self.faults).aborts(self.device.aborts() - self.aborts)
    }
}

/// Read-only memory, anonymous, of a file, and of the program itself, can be read and not written.
pub fn read_only(context: &Context) -> CheckResult {
    #[repr(align(64))]
    struct Constant([u8; 64]);
    static CONSTANT: Constant = Constant([0x77; 64]);
    let page = page_size();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let account = Account::open(&device);
    let into = Mapping::anonymous(page)?;
    into.set(0, page, 0xee);

    let anonymous = Mapping::anonymous(page)?;
    anonymous.set(0, page, 0x11);
    anonymous.protect(libc::PROT_READ)?;
    let file = memory_file(page)?;
    let writable = Mapping::of_file(&file, page, libc::PROT_READ | libc::PROT_WRITE, true, 0)?;
    writable.set(0, page, 0x22);
    let shared = Mapping::of_file(&file, page, libc::PROT_READ, true, 0)?;
    ensure!(shared.load(0) != 0, "a shared file does not show what was written");
    // the CPU looks first, for machines whose IOMMU cannot wait
    ensure!(std::hint::black_box(&CONSTANT.0).iter().all(|b| *b == 0x77), "the program's constants are odd");
    let constant = CONSTANT.0.as_ptr().expose_provenance() as u64;

    let mut refused = 0;
    for (what, at, byte) in [
        ("anonymous", anonymous.address(), 0x11u8),
        ("file", shared.address(), 0x22),
        ("program", constant, 0x77),
    ] {
        ring.ok(&Descriptor::copy(at, into.address(), 64))?;
        ensure!(into.first_other(0, 64, byte).is_none(), "{what} memory was not read as it is");
        for d in [Descriptor::fill(at, 64, 0), Descriptor::cas(at, 8, u64::from_le_bytes([byte; 8]), 0)] {
            ring.refused(&d, at, 64).map_err(|e| format!("{what} memory: {e}"))?;
            refused += 1;
        }
        ring.ok(&Descriptor::copy(at, into.address(), 64))?;
        ensure!(into.first_other(0, 64, byte).is_none(), "{what} memory was changed");
    }
    ensure!(writable.first_other(0, page, 0x22).is_none(), "the file was changed");
    Ok(account.close(format!("{refused} writes refused, reads allowed")))
}

/// Addresses that nothing is mapped at, alone and at the end of a buffer.
pub fn unmapped(context: &Context) -> CheckResult {
    let page = page_size();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let account = Account::open(&device);
    let buffer = Mapping::anonymous(4 * page)?;
    buffer.set(0, 4 * page, 0x33);
    let mut errors = 0;
    let nowhere = Mapping::remote(page)?.unmap();
    for address in [0, nowhere, 0xffff_8000_0000_0000, 0x0100_0000_0000_0000, 0xffff_ffff_ffff_f000] {
        ring.refused(&Descriptor::copy(address, buffer.address(), 64), address, 64)?;
        ring.refused(&Descriptor::fill(address, 64, 0), address, 64)?;
        errors += 2;
    }
    // two pages are there, the third is not: that page is where it ends
    let edge = Mapping::remote(3 * page)?;
    edge.set(0, 3 * page, 0x44);
    let end = edge.at(2 * page);
    // SAFETY: the third page of `edge`, which nobody refers to.
    ensure!(unsafe { libc::munmap(end as *mut libc::c_void, page) } == 0, "munmap");
    ring.refused(&Descriptor::copy(edge.address(), buffer.address(), 3 * page), end, page)?;
    errors += 1;
    ensure!(buffer.first_other(0, page, 0x44).is_none(), "what could be copied before the error was not");
    ensure!(buffer.first_other(2 * page, 2 * page, 0x33).is_none(), "bytes were made up after the error");

    // and without waiting: a completion record says how far it came
    buffer.set(0, 4 * page, 0x33);
    ring.set_mode(FaultMode::Report);
    let outcome = ring.run(&Descriptor::copy(edge.address(), buffer.address(), 3 * page), PATIENCE)?;
    ensure!(
        outcome.status == Status::Fault && outcome.cause == 1 && outcome.address == end,
        "report mode: {}, expected a fault at {end:#x}",
        describe(&outcome)
    );
    ensure!(outcome.bytes == 2 * page as u64, "report mode: {} bytes done, not {}", outcome.bytes, 2 * page);
    ensure!(buffer.first_other(2 * page, 2 * page, 0x33).is_none(), "bytes were made up after the error");
    errors += 1;
    ring.set_mode(device.fault_mode());
    ring.ok(&Descriptor::copy(edge.address(), buffer.address(), 2 * page))?;
    std::mem::forget(edge); // its third page is no longer its own
    Ok(account.close(format!("{errors} clean errors, then a copy that works")))
}

/// Whether requests without PASID are not translated.
fn is_identity(device: &Device) -> bool {
    let group = format!("/sys/bus/pci/devices/{}/iommu_group/type", device.function.bdf);
    kernel::text(&group).is_some_and(|kind| kind == "identity")
}

/// The same addresses without a PASID mean nothing: the process's memory is neither read nor written.
pub fn no_pasid(context: &Context) -> CheckResult {
    let device = context.device()?;
    if is_identity(&device) {
        return Err(Stop::Skip("requests without PASID are not translated here (identity domain)".into()));
    }
    let page = page_size();
    let mut ring = Ring::new(&device, 0)?;
    let account = Account::open(&device);
    let (secret, open) = (Mapping::anonymous(page)?, Mapping::anonymous(page)?);
    secret.set(0, page, 0x55);
    open.set(0, page, 0xee);
    let copy = Descriptor::copy(secret.address(), open.address(), 64).in_pasid(None);
    ring.refused(&copy, secret.address(), 64)?;
    ring.refused(&Descriptor::fill(secret.address(), 64, 0).in_pasid(None), secret.address(), 64)?;
    ensure!(open.first_other(0, page, 0xee).is_none(), "process memory was read without a PASID");
    ensure!(secret.first_other(0, page, 0x55).is_none(), "process memory was written without a PASID");
    ring.ok(&Descriptor::copy(secret.address(), open.address(), 64))?;
    Ok(account.close("a read and a write refused".into()))
}

/// PASIDs that belong to nobody, zero among them.
pub fn other_pasid(context: &Context) -> CheckResult {
    let page = page_size();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let (memory, open) = (Mapping::anonymous(page)?, Mapping::anonymous(page)?);
    memory.set(0, page, 0x66);
    open.set(0, page, 0xee);
    let last = (1u32 << device.function.pasid_bits) - 1;
    let mut strangers = vec![0, last, last / 2 + 1, device.pasid ^ 2];
    strangers.retain(|pasid| *pasid != device.pasid && *pasid <= last);
    if kernel::machine() != "aarch64" && is_identity(&device) {
        // VT-d has requests without PASID under PASID 0, and here they pass through
        strangers.retain(|pasid| *pasid != 0);
    }
    strangers.dedup();
    for pasid in &strangers {
        let copy = Descriptor::copy(memory.address(), open.address(), 64).in_pasid(Some(*pasid));
        stranger(&mut ring, &copy, memory.address(), *pasid)?;
        // where the kernel said no to a page request, the device does not ask a second time by itself
        device.rearm(*pasid);
        let fill = Descriptor::fill(memory.address(), 64, 0).in_pasid(Some(*pasid));
        stranger(&mut ring, &fill, memory.address(), *pasid)?;
        device.rearm(*pasid);
    }
    ensure!(open.first_other(0, page, 0xee).is_none(), "memory was read with a PASID that nobody owns");
    ensure!(memory.first_other(0, page, 0x66).is_none(), "memory was written with a PASID that nobody owns");
    Ok(Report::new(format!("PASIDs {strangers:?} refused beside {}", device.pasid)))
}

/// An access with a PASID that nobody owns. To a translation request with one, an SMMU answers that it has no configuration
/// for it (cause 11), and no page is requested.
fn stranger(ring: &mut Ring<'_>, d: &Descriptor, at: u64, pasid: u32) -> Result<(), String> {
    const UNSUPPORTED: u32 = 11;
    let outcome = ring.run(d, PATIENCE)?;
    let by_ats = ring.device().function.faults == Faults::PageRequest && outcome.cause == UNSUPPORTED;
    let refused = matches!(outcome.cause, 1..=4) || by_ats;
    ring.recover();
    if matches!(outcome.status, Status::Fault | Status::Halted) && refused && outcome.address == at {
        return Ok(());
    }
    Err(format!(
        "PASID {pasid}: {:?} should have been refused but ended with {}",
        d.opcode,
        describe(&outcome)
    ))
}

fn executable(page: usize) -> Result<Mapping, String> {
    let code = Mapping::anonymous(page).map_err(|e| e.to_string())?;
    code.set(0, page, 0x88);
    code.protect(libc::PROT_READ | libc::PROT_EXEC).map_err(|e| format!("mprotect: {e}"))?;
    Ok(code)
}

/// A privileged request reads no kernel memory, writes no read-only page, and fetches no user instruction.
pub fn privileged(context: &Context) -> CheckResult {
    let page = page_size();
    let device = context.device()?;
    if !device.caps.privileged() {
        return Err(Stop::Skip("the device has no privileged flag (priv=off)".into()));
    }
    let mut ring = Ring::new(&device, 0)?;
    let into = Mapping::anonymous(page)?;
    into.set(0, page, 0xee);
    let readable = Mapping::anonymous(page)?;
    readable.set(0, page, 0x99);
    readable.protect(libc::PROT_READ)?;
    // Report: the kernel calls a privileged fault resolved that its own tables will refuse again
    ring.set_mode(FaultMode::Report);
    let mut refused = 0;
    for at in [0xffff_8000_0000_0000, 0xffff_ffff_ffff_0000u64] {
        ring.refused(&Descriptor::copy(at, into.address(), 64).with(PRIVILEGED), at, 64)?;
        refused += 1;
    }
    ring.refused(&Descriptor::fill(readable.address(), 64, 0).with(PRIVILEGED), readable.address(), 64)?;
    refused += 1;
    ensure!(readable.first_other(0, page, 0x99).is_none(), "a privileged write changed a read-only page");
    if device.caps.execute() && kernel::machine() == "aarch64" {
        let code = executable(page)?;
        let fetch = Descriptor::copy(code.address(), into.address(), 64).with(PRIVILEGED | EXECUTE);
        ring.refused(&fetch, code.address(), 64).map_err(|e| format!("fetching user code as kernel: {e}"))?;
        refused += 1;
    }
    ensure!(into.first_other(0, page, 0xee).is_none(), "a refused privileged read has brought data");
    let read = Descriptor::copy(readable.address(), into.address(), 64).with(PRIVILEGED);
    let outcome = ring.run(&read, PATIENCE)?;
    let allowed = outcome.status == Status::Ok;
    if allowed {
        ensure!(into.first_other(0, 64, 0x99).is_none(), "a privileged read brought something else");
        ensure!(
            kernel::machine() == "aarch64",
            "a privileged read of user memory must be refused (SRE is off)"
        );
    } else {
        ensure!(outcome.status == Status::Fault, "a privileged read ended with {}", describe(&outcome));
    }
    ring.set_mode(device.fault_mode());
    let tail = if allowed { "as PAN = 0 has it" } else { "refused" };
    Ok(Report::new(format!(
        "{refused} privileged requests refused; a privileged read of user memory: {tail}"
    )))
}

/// Instructions come from executable memory only.
pub fn execute(context: &Context) -> CheckResult {
    let page = page_size();
    let device = context.device()?;
    if !device.caps.execute() {
        return Err(Stop::Skip("the device has no execute flag (exec=off)".into()));
    }
    let mut ring = Ring::new(&device, 0)?;
    let account = Account::open(&device);
    let into = Mapping::anonymous(page)?;
    into.set(0, page, 0xee);
    let data = Mapping::anonymous(page)?;
    data.set(0, page, 0x77);
    let fetch = |from: u64| Descriptor::copy(from, into.address(), 64).with(EXECUTE);
    ring.refused(&fetch(data.address()), data.address(), 64)?;
    ensure!(into.first_other(0, page, 0xee).is_none(), "instructions were fetched from data");
    let code = executable(page)?;
    if kernel::machine() != "aarch64" {
        // Linux leaves execute requests disabled in VT-d's PASID table entries, and refuses page requests for them
        ring.refused(&fetch(code.address()), code.address(), 64)?;
        ensure!(into.first_other(0, page, 0xee).is_none(), "instructions were fetched");
        return Ok(account.close("2 fetches refused".into()));
    }
    ring.ok(&fetch(code.address()))?;
    ensure!(into.first_other(0, 64, 0x88).is_none(), "instructions were not fetched as they are");
    let untouched = Mapping::anonymous_with(page, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC, 0)?;
    ring.ok(&fetch(untouched.address()))?;
    code.protect(libc::PROT_READ)?;
    ring.refused(&fetch(code.address()), code.address(), 64)?;
    Ok(account.close("2 fetches refused, 2 allowed".into()))
}

/// A kernel that takes no page requests denies them: the function is told so, and asks for no more.
pub fn page_requests(context: &Context) -> CheckResult {
    let function = context.functions.first().ok_or("no function")?;
    if function.faults == Faults::PageRequest {
        return Err(Stop::Skip("this kernel takes page requests".into()));
    }
    let device = context.device()?;
    pci::enable_page_requests(function)?;
    let mut ring = Ring::new(&device, 0)?;
    let area = Mapping::anonymous(4 * page_size())?;
    let before = device.read64(register::PAGE_REQUESTS);
    ring.set_mode(FaultMode::AtsPri);
    let outcome = ring.run(&Descriptor::fill(area.address(), area.len(), 1), PATIENCE)?;
    if outcome.cause == 11 {
        return Err(Stop::Skip("the IOMMU in front takes no page requests".into()));
    }
    ensure!(
        matches!(outcome.status, Status::Fault | Status::Halted) && outcome.cause == 4,
        "a page request that is to be denied: {}",
        describe(&outcome)
    );
    let requests = device.read64(register::PAGE_REQUESTS) - before;
    ensure!(requests == 1, "{requests} page requests, where the first is denied");
    let said = kernel::log().lines().filter(|l| l.contains("unexpected PRI request")).count();
    ensure!(said > 0, "the kernel did not say that it denied a page request");
    // what is there works on
    ring.recover();
    area.set(0, area.len(), 0);
    ring.ok(&Descriptor::fill(area.address(), area.len(), 2))?;
    Ok(Report::new("one page request, denied, and the kernel said so"))
}
