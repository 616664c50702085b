// SPDX-License-Identifier: GPL-2.0-or-later
//! The device meets memory that is not there yet.

use std::time::{Duration, Instant};

use sva_guest::crc32c::crc32c;
use sva_guest::device::{Descriptor, FaultMode, Ring, Status, register};
use sva_guest::memory::{Mapping, memory_file, page_map, page_size};
use sva_guest::pci::{Ability, Faults};

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, Expect, PATIENCE, bytes, describe, rate, small_pages};

/// Writes to, then reads from memory that nobody has touched: a fault a page, no more and no fewer.
pub fn first_touch(context: &Context) -> CheckResult {
    const PAGES: usize = 256;
    const WORD: u64 = 0x5a5a_1234_0000_4321;
    small_pages();
    let page = page_size();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;

    let written = Mapping::anonymous(PAGES * page)?;
    let before = device.page_faults();
    let begin = Instant::now();
    ring.ok(&Descriptor::fill(written.address(), written.len(), WORD))?;
    let took = begin.elapsed();
    let faults = device.page_faults() - before;
    ensure!(faults == PAGES as u64, "{PAGES} untouched pages were written with {faults} faults");
    let present = page_map(written.address(), PAGES)?.iter().filter(|p| p.present()).count();
    ensure!(present == PAGES, "the device has written {PAGES} pages, of which {present} are in memory");
    for at in (0..written.len()).step_by(8) {
        let got = written.load(at);
        ensure!(got == WORD, "{got:#x} at {at}");
    }

    // the zero page first, then a page of its own
    let read = Mapping::anonymous(PAGES * page)?;
    let into = Mapping::anonymous(PAGES * page)?;
    into.set(0, into.len(), 0xee);
    let before = device.page_faults();
    ring.ok(&Descriptor::copy(read.address(), into.address(), read.len()))?;
    let reads = device.page_faults() - before;
    ensure!(reads == PAGES as u64, "{PAGES} untouched pages were read with {reads} faults");
    ensure!(into.first_other(0, into.len(), 0).is_none(), "untouched memory does not read as zeros");
    let before = device.page_faults();
    ring.ok(&Descriptor::fill(read.address(), read.len(), WORD))?;
    let upgrades = device.page_faults() - before;
    ensure!(upgrades == PAGES as u64, "{PAGES} zero pages were written with {upgrades} faults");
    ensure!(read.load(0) == WORD && read.load(read.len() - 8) == WORD, "a write to a zero page is lost");

    let total = faults + reads + upgrades;
    let each = took.as_micros() / PAGES as u128;
    Ok(Report::new(format!("3 × {PAGES} pages, {total} faults, {each} µs a fault")).stalls(total))
}

/// Where nobody resolves page faults, memory that the CPU has touched works, other memory ends in an error at its address,
/// and works when the CPU has touched it.
pub fn untouched_refused(context: &Context) -> CheckResult {
    const PAGES: usize = 32;
    small_pages();
    let page = page_size();
    let device = context.device()?;
    let Faults::Fatal(reason) = device.function.faults.clone() else {
        return Err(Stop::Skip("page faults are resolved here".into()));
    };
    // with translations asked for, too, where there are some: only the page requests are missing
    let modes: &[(FaultMode, u32)] = match device.function.ats {
        Ability::On => &[(FaultMode::Wait, 1), (FaultMode::AtsPri, 11)],
        _ => &[(FaultMode::Wait, 1)],
    };
    let mut ring = Ring::new(&device, 0)?;
    let (source, sink) = (Mapping::anonymous(PAGES * page)?, Mapping::anonymous(PAGES * page)?);
    source.scramble(0, source.len(), 4);
    sink.set(0, sink.len(), 0xee);
    for (mode, cause) in modes {
        ring.set_mode(*mode);
        ring.ok(&Descriptor::copy(source.address(), sink.address(), source.len()))?;
        ensure!(sink.scrambled(0, sink.len(), 4).is_none(), "{mode:?}: a copy between touched pages differs");
        let area = Mapping::anonymous(PAGES * page)?;
        for n in 0..PAGES {
            let at = area.at(n * page);
            for d in [Descriptor::fill(at, 64, 1), Descriptor::copy(at, sink.address(), 64)] {
                ring.set_mode(*mode);
                let outcome = ring.refused(&d, at, page)?;
                ensure!(
                    outcome.cause == *cause,
                    "{mode:?}: {:?} of page {n} ended with {}",
                    d.opcode,
                    describe(&outcome)
                );
            }
        }
        let present = page_map(area.address(), PAGES)?.iter().filter(|p| p.present()).count();
        ensure!(present == 0, "{present} pages are there that nobody brought");
        ensure!(sink.scrambled(0, sink.len(), 4).is_none(), "a refused read has brought data");
        area.set(0, area.len(), 0x21);
        ring.set_mode(*mode);
        ring.ok(&Descriptor::fill(area.address(), area.len(), 0x2222_2222_2222_2222))?;
        ensure!(
            area.first_other(0, area.len(), 0x22).is_none(),
            "{mode:?}: a fill of touched pages is not complete"
        );
    }
    Ok(Report::new(format!("{} accesses refused at their addresses: {reason}", modes.len() * 2 * PAGES)))
}

/// The ring is shared memory that this process sees at one address and the device at another, untouched one;
/// completion records are in untouched memory too.
pub fn untouched_ring(context: &Context) -> CheckResult {
    small_pages();
    let page = page_size();
    let log2 = 6 + (page / 4096).trailing_zeros(); // one page of descriptors
    let device = context.device()?;
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let file = memory_file(page)?;
    let mine = Mapping::of_file(&file, page, prot, true, 0)?;
    let theirs = Mapping::of_file(&file, page, prot, true, 0)?;
    // the same for the records, but this process writes none of them
    let record_file = memory_file(page)?;
    let records = Mapping::of_file(&record_file, page, prot, true, 0)?;
    mine.set(0, page, 0);

    let source = Mapping::anonymous(4 * page)?;
    let target = Mapping::anonymous(4 * page)?;
    source.scramble(0, source.len(), 5);
    let before = device.page_faults();
    let mut ring = Ring::place(&device, 0, log2, mine, records, theirs.address());
    ring.start();
    let ticket = ring.queue(&Descriptor::copy(source.address(), target.address(), source.len()));
    let record = ring.record_address(ticket);
    // queueing clears the record: drop the page again, so that the device meets nothing
    // SAFETY: the page of the records, all of it the ring's.
    unsafe { libc::madvise(record as *mut libc::c_void, page, libc::MADV_DONTNEED) };
    ring.ring_bell();
    // polling the record would touch it: wait for the engine's head instead
    let deadline = Instant::now() + PATIENCE;
    while device.read_engine(0, sva_guest::device::engine::HEAD) == 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_micros(100));
    }
    let outcome = ring.wait(ticket, Duration::from_secs(1))?;
    ensure!(outcome.status == Status::Ok, "the copy ended with {}", describe(&outcome));
    if let Some(at) = target.scrambled(0, target.len(), 5) {
        return Err(format!("the copy differs at {at}").into());
    }
    let faults = device.page_faults() - before;
    // ring, record, four pages of the target
    ensure!(faults >= 6, "{faults} faults where ring, record and 4 pages were untouched");
    drop(ring);
    drop(theirs);
    Ok(Report::new(format!("{faults} faults: ring, record and target")).stalls(faults))
}

/// Large copies into untouched memory at an odd offset; content and checksum agree. Up to 16 MiB the device asks for a page
/// at a time; where it can ask for several, for those of the largest copy in groups.
pub fn copy_sizes(context: &Context) -> CheckResult {
    const SIZES: [usize; 6] = [64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20];
    const IN_GROUPS: usize = 64 << 20;
    const AHEAD: u32 = 16;
    const ODD: usize = 40;
    small_pages();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let mut faults = 0;
    let mut best = String::new();
    let groups = device.fault_mode() == FaultMode::AtsPri && device.has_paging_registers();
    for size in SIZES {
        let (from, to) = (Mapping::anonymous(size)?, Mapping::anonymous(size + page_size())?);
        from.populate()?;
        from.scramble(0, size, size as u64);
        let expected = from.view(0, size, crc32c);
        let before = device.page_faults();
        let in_groups = groups && size == IN_GROUPS;
        if in_groups {
            device.prefetch(0, AHEAD, false);
        }
        let begin = Instant::now();
        let ticket = ring.submit(&Descriptor::copy(from.address(), to.at(ODD), size));
        let outcome = ring.wait(ticket, 2 * PATIENCE);
        let took = begin.elapsed();
        // Whatever came of it: a reset of the engine leaves this as it is, for the checks that follow.
        if in_groups {
            device.prefetch(0, 1, false);
        }
        let outcome = outcome?;
        ensure!(outcome.status == Status::Ok, "{}: {}", bytes(size), describe(&outcome));
        let met = device.page_faults() - before;
        let pages = (ODD + size).div_ceil(page_size()) as u64;
        ensure!(met >= pages, "{} into {pages} untouched pages with {met} faults", bytes(size));
        faults += met;
        if let Some(at) = to.scrambled(ODD, size, size as u64) {
            return Err(format!("a copy of {} differs at {at}", bytes(size)).into());
        }
        let ticket = ring.submit(&Descriptor::crc32c(to.at(ODD), size));
        let outcome = ring.wait(ticket, 2 * PATIENCE)?;
        ensure!(
            outcome.status == Status::Ok && outcome.result == u64::from(expected),
            "CRC of {}: {:#x}, not {expected:#x}; {}",
            bytes(size),
            outcome.result,
            describe(&outcome)
        );
        best = format!("{} at {}", bytes(size), rate(size, took));
    }
    Ok(Report::new(format!("64 KiB to {best}, {faults} faults")).stalls(faults))
}

/// A page fault of the device asks for several pages: as one group, then as several, which the kernel answers each.
pub fn prefetch(context: &Context) -> CheckResult {
    const PAGES: usize = 256;
    const AHEAD: u32 = 8;
    const WORD: u64 = 0x0dd0_1234_5678_0ee0;
    small_pages();
    let page = page_size();
    let device = context.device()?;
    if device.fault_mode() != FaultMode::AtsPri || !device.has_paging_registers() {
        return Err(Stop::Skip("page faults are not asked for by page requests here".into()));
    }
    let mut ring = Ring::new(&device, 0)?;
    // The ring's own pages first.
    ring.ok(&Descriptor::nop())?;
    let counters = || (device.read64(register::PAGE_REQUESTS), device.read64(register::PAGE_GROUPS));
    let mut told = Vec::new();
    for split in [false, true] {
        let written = Mapping::anonymous(PAGES * page)?;
        device.prefetch(0, AHEAD, split);
        let before = counters();
        let done = ring.ok(&Descriptor::fill(written.address(), written.len(), WORD));
        device.prefetch(0, 1, false);
        done?;
        let after = counters();
        let (requests, groups) = (after.0 - before.0, after.1 - before.1);
        ensure!(requests >= PAGES as u64, "{PAGES} untouched pages were written with {requests} requests");
        // One page request for each 4 KiB: they are the device's unit, whatever the kernel's pages are.
        let least = if split { PAGES as u64 } else { PAGES as u64 / u64::from(AHEAD) };
        ensure!(groups >= least, "{requests} requests in {groups} groups");
        ensure!(split || groups < requests, "{requests} requests in {groups} groups: none has several");
        for at in (0..written.len()).step_by(8) {
            let got = written.load(at);
            ensure!(got == WORD, "{got:#x} at {at}");
        }
        told.push(format!("{requests} requests in {groups} groups"));
    }
    let pending = device.pending_page_requests(Some(device.pasid));
    ensure!(pending == 0, "{pending} page requests without response");
    let cached = device.cached();
    ensure!(
        cached.iter().any(|entry| entry.pasid == Some(device.pasid) && entry.write),
        "no translation of this process is kept: {cached:x?}"
    );
    Ok(Report::new(told.join(", ")).stalls(PAGES as u64 / 4))
}
