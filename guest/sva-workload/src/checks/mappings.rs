// SPDX-License-Identifier: GPL-2.0-or-later
//! The process changes its address space, and the device sees exactly that.

use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sva_guest::device::{Descriptor, Device, Ring};
use sva_guest::memory::{Mapping, page_size};
use sva_guest::pci::Faults;

use crate::ensure;
use crate::report::{CheckResult, Report};
use crate::session::{Context, Expect, small_pages};

fn claim(report: Report, device: &Device, faults: u64, aborts: u64) -> Report {
    if device.function.faults != Faults::Stall {
        return report;
    }
    report.stalls(device.page_faults() - faults).aborts(device.aborts() - aborts)
}

/// The device knows the pages; then they are gone, and their frames belong to somebody else.
pub fn munmap(context: &Context) -> CheckResult {
    const PAGES: usize = 16;
    small_pages();
    let page = page_size();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let (faults, aborts) = (device.page_faults(), device.aborts());
    let target = Mapping::anonymous(page)?;
    target.set(0, page, 0xee);
    let old = Mapping::remote(PAGES * page)?;
    old.set(0, old.len(), 0x0d);
    // the device reads and writes every page, so that it could remember each
    ring.ok(&Descriptor::fill(old.address(), old.len(), 0x0d0d_0d0d_0d0d_0d0d))?;
    ring.ok(&Descriptor::crc32c(old.address(), old.len()))?;
    let address = old.unmap();
    // the frames are free: take many, likely those among them
    let heirs = Mapping::anonymous(64 * PAGES * page)?;
    heirs.set(0, heirs.len(), 0x1e);
    for n in 0..PAGES {
        let at = address + (n * page) as u64;
        ring.refused(&Descriptor::copy(at, target.address(), page), at, page)?;
        ring.refused(&Descriptor::fill(at, page, 0xdead_dead_dead_dead), at, page)?;
    }
    ensure!(target.first_other(0, page, 0xee).is_none(), "the device read a page that was unmapped");
    ensure!(
        heirs.first_other(0, heirs.len(), 0x1e).is_none(),
        "the device wrote into a page that was unmapped"
    );
    let report = Report::new(format!("{PAGES} pages, {} accesses refused, no byte moved", 2 * PAGES));
    Ok(claim(report, &device, faults, aborts))
}

/// Over and over a new page at the same address, while another engine keeps the device's memory of it warm.
pub fn remap(context: &Context) -> CheckResult {
    const ROUNDS: u64 = 200;
    small_pages();
    let page = page_size();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let spot = Mapping::anonymous(page)?;
    let target = Mapping::anonymous(page)?;
    target.set(0, page, 0);
    for round in 1..=ROUNDS {
        spot.renew(0, page)?;
        spot.set(0, page, round as u8);
        ring.ok(&Descriptor::copy(spot.address(), target.address(), page))?;
        if let Some(at) = target.first_other(0, page, round as u8) {
            let got = target.bytes(at, 1)[0];
            return Err(
                format!("round {round}: the device read {got:#x} at {at}, that is an older page").into()
            );
        }
        // and the other way: what the device writes is seen in the page that is there now
        ring.ok(&Descriptor::fill(spot.address(), page, round << 32))?;
        ensure!(spot.load(0) == round << 32, "round {round}: the device wrote somewhere else");
        ensure!(spot.load(page - 8) == round << 32, "round {round}: the device wrote only a part");
    }
    let dma = device.caps.engines() > 1 && !matches!(device.function.faults, Faults::Fatal(_));
    let warm = if dma { remap_under_dma(&device, &spot, page)? } else { 0 };
    Ok(Report::new(format!("{ROUNDS} remaps, then {ROUNDS} with {warm} copies under way, never an old byte")))
}

/// A second engine copies from the spot all the time; after each remap the first engine must see the new page.
fn remap_under_dma(device: &Device, spot: &Mapping, page: usize) -> Result<u64, String> {
    const ROUNDS: u64 = 200;
    let mut ring = Ring::new(device, 0)?;
    let mut other = Ring::new(device, 1)?;
    let sink = Mapping::anonymous(page).map_err(|e| e.to_string())?;
    let target = Mapping::anonymous(page).map_err(|e| e.to_string())?;
    sink.set(0, page, 0);
    target.set(0, page, 0);
    let stop = AtomicBool::new(false);
    let copies = AtomicU64::new(0);
    // mmap over a mapping is atomic: a fault finds the old one or the new one, never none
    std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                other.ok(&Descriptor::copy(spot.address(), sink.address(), page))?;
                copies.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), String>(())
        });
        let mut work = || {
            for round in 1..=ROUNDS {
                spot.renew(0, page).map_err(|e| e.to_string())?;
                spot.set(0, page, round as u8);
                ring.ok(&Descriptor::copy(spot.address(), target.address(), page))?;
                if target.first_other(0, page, round as u8).is_some() {
                    return Err(format!("round {round} under DMA: the device read an older page"));
                }
            }
            Ok(())
        };
        let result = work();
        stop.store(true, Ordering::Relaxed);
        let other = traffic.join().unwrap_or_else(|_| Err("the traffic's thread died".into()));
        result.and(other)
    })?;
    Ok(copies.load(Ordering::Relaxed))
}

/// Write, read only, nothing, read only, write: the device may what the process may.
pub fn mprotect(context: &Context) -> CheckResult {
    const ROUNDS: usize = 4;
    let page = page_size();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let (faults, aborts) = (device.page_faults(), device.aborts());
    let (area, target) = (Mapping::anonymous(2 * page)?, Mapping::anonymous(2 * page)?);
    target.set(0, 2 * page, 0xee);
    let (at, len) = (area.address(), 2 * page);
    let read = Descriptor::copy(at, target.address(), len);
    let (none, r, rw) = (libc::PROT_NONE, libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE);
    for round in 1..=ROUNDS as u64 {
        area.set(0, len, 0);
        ring.ok(&Descriptor::fill(at, len, round))?;
        area.protect(r)?;
        ring.refused(&Descriptor::fill(at, len, u64::MAX), at, page)?;
        ring.ok(&read)?;
        ensure!(
            target.load(0) == round && target.load(len - 8) == round,
            "a write got through to a read-only page"
        );
        area.protect(none)?;
        target.set(0, len, 0xee);
        ring.refused(&read, at, page)?;
        ensure!(target.first_other(0, len, 0xee).is_none(), "memory without any rights was read");
        area.protect(r)?;
        ring.ok(&read)?;
        ring.refused(&Descriptor::cas(at, 8, round, 0), at, 8)?;
        area.protect(rw)?;
        area.store(0, area.load(0)); // the CPU's own fault; the second page is left to the device
        if device.function.faults != Faults::Stall {
            area.store(page, area.load(page));
        }
        ring.ok(&Descriptor::fill(at, len, !round))?;
        ensure!(area.load(0) == !round && area.load(len - 8) == !round, "a write to a writable page is lost");
    }
    let report = Report::new(format!("{ROUNDS} × down and up, {} accesses refused", 3 * ROUNDS));
    Ok(claim(report, &device, faults, aborts))
}

/// Moved memory is at the new address and no longer at the old one.
pub fn mremap(context: &Context) -> CheckResult {
    const PAGES: usize = 8;
    let page = page_size();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let (faults, aborts) = (device.page_faults(), device.aborts());
    let (mut area, target) = (Mapping::remote(PAGES * page)?, Mapping::anonymous(PAGES * page)?);
    let len = area.len();
    target.set(0, len, 0);
    area.scramble(0, len, 9);
    ring.ok(&Descriptor::copy(area.address(), target.address(), len))?;
    for round in 0..4 {
        let old = area.address();
        area = area.relocate()?;
        ensure!(area.address() != old, "mremap left it where it was");
        target.set(0, len, 0xee);
        ring.refused(&Descriptor::copy(old, target.address(), len), old, page)?;
        ensure!(
            target.first_other(0, len, 0xee).is_none(),
            "round {round}: the old address still shows the memory"
        );
        ring.ok(&Descriptor::copy(area.address(), target.address(), len))?;
        ensure!(target.scrambled(0, len, 9).is_none(), "round {round}: the new address shows something else");
    }
    Ok(claim(Report::new(format!("4 moves of {PAGES} pages")), &device, faults, aborts))
}

/// Files: shared both ways, private copies, and the part that truncation took away.
pub fn mmap_file(context: &Context) -> CheckResult {
    const PAGES: usize = 64;
    let page = page_size();
    let len = PAGES * page;
    let path = std::env::temp_dir().join(format!("sva-mmap-{}", std::process::id()));
    let file = std::fs::File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    std::fs::remove_file(&path)?;
    file.write_all_at(&vec![0x31; len], 0)?;
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let (faults, aborts) = (device.page_faults(), device.aborts());
    let rw = libc::PROT_READ | libc::PROT_WRITE;
    let target = Mapping::anonymous(len)?;

    // the device reads the file through a mapping that nobody has touched, and writes it
    let shared = Mapping::of_file(&file, len, rw, true, 0)?;
    ring.ok(&Descriptor::copy(shared.address(), target.address(), len))?;
    ensure!(target.first_other(0, len, 0x31).is_none(), "the device does not read what the file says");
    ring.ok(&Descriptor::fill(shared.address(), len / 2, 0x3232_3232_3232_3232))?;
    let mut back = vec![0; len];
    file.read_exact_at(&mut back, 0)?;
    let (low, high) = back.split_at(len / 2);
    ensure!(low.iter().all(|b| *b == 0x32), "what the device wrote is not in the file");
    ensure!(high.iter().all(|b| *b == 0x31), "the device wrote more of the file than it was told");
    file.write_all_at(&[0x33; 128], 64)?;
    ring.ok(&Descriptor::copy(shared.at(64), target.address(), 128))?;
    ensure!(target.first_other(0, 128, 0x33).is_none(), "a write() is not seen by the device");

    // a private mapping: the device's writes stay in this process
    let private = Mapping::of_file(&file, len, rw, false, 0)?;
    ring.ok(&Descriptor::fill(private.address(), len, 0x3434_3434_3434_3434))?;
    file.read_exact_at(&mut back, 0)?;
    ensure!(!back.contains(&0x34), "a write to a private mapping is in the file");
    ensure!(private.first_other(0, len, 0x34).is_none(), "a write to a private mapping is lost");

    // beyond the end there is nothing any more, though it is still mapped
    file.set_len((len / 2) as u64)?;
    target.set(0, len, 0xee);
    let gone = shared.at(len / 2);
    ring.refused(&Descriptor::copy(gone, target.address(), page), gone, page)?;
    ring.refused(&Descriptor::fill(gone, page, 0), gone, page)?;
    ensure!(target.first_other(0, len, 0xee).is_none(), "truncated data was read");
    let met = device.page_faults() - faults;
    let report = Report::new(format!("{PAGES} pages shared, private, truncated; {met} faults"));
    Ok(claim(report, &device, faults, aborts))
}
