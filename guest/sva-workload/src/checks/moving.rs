// SPDX-License-Identifier: GPL-2.0-or-later
//! The kernel moves, shares and swaps pages while the device works on them.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sva_guest::device::{Descriptor, Ring, Status};
use sva_guest::kernel;
use sva_guest::memory::{Mapping, check, page_map, page_size};
use sva_guest::process::{Child, End, await_byte, pipe, send_byte};

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, Expect, PATIENCE, bytes, describe, small_pages};

/// Keeps writing to `pages` with the device and looks at every write, while `meanwhile` runs. Rounds of traffic.
fn under_dma<R>(
    ring: &mut Ring<'_>,
    area: &Mapping,
    pages: &[usize],
    meanwhile: impl FnOnce() -> Result<R, Stop>,
) -> Result<(R, u64), Stop> {
    const BATCH: usize = 32;
    let page = page_size();
    let stop = AtomicBool::new(false);
    let (result, rounds) = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            let mut round = 0u64;
            while !stop.load(Ordering::Relaxed) || round == 0 {
                round += 1;
                for batch in pages.chunks(BATCH) {
                    let write = |n: &usize| ring.queue(&Descriptor::fill(area.at(n * page), 64, round));
                    let tickets: Vec<u32> = batch.iter().map(write).collect();
                    ring.ring_bell();
                    for ticket in tickets {
                        let outcome = ring.wait(ticket, PATIENCE)?;
                        if outcome.status != Status::Ok {
                            return Err(format!("round {round}: a write ended with {}", describe(&outcome)));
                        }
                    }
                    for n in batch {
                        let got = (area.load(n * page), area.load(n * page + 56));
                        if got != (round, round) {
                            return Err(format!(
                                "round {round}: page {n} holds {got:?}: the device wrote elsewhere"
                            ));
                        }
                    }
                }
            }
            Ok::<u64, String>(round)
        });
        let result = meanwhile();
        stop.store(true, Ordering::Relaxed);
        (result, traffic.join().unwrap_or_else(|_| Err("the traffic's thread died".into())))
    });
    Ok((result?, rounds?))
}

/// What the CPU wrote behind the device's 64 bytes of each page is still there.
fn intact(area: &Mapping, pages: &[usize], seed: u64) -> Result<(), String> {
    let page = page_size();
    match pages.iter().find(|n| area.scrambled(**n * page + 64, page - 64, seed + **n as u64).is_some()) {
        Some(n) => Err(format!("page {n} lost its contents")),
        None => Ok(()),
    }
}

fn prepare(area: &Mapping, pages: &[usize], seed: u64) {
    let page = page_size();
    for n in pages {
        area.store(n * page, 0);
        area.scramble(n * page + 64, page - 64, seed + *n as u64);
    }
}

/// Between NUMA nodes where there are two; else by compaction of memory that was made full of holes.
pub fn migrate(context: &Context) -> CheckResult {
    small_pages();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let before = device.page_faults();
    let report = if fs::exists("/sys/devices/system/node/node1")? {
        between_nodes(&mut ring)?
    } else {
        compacted(&mut ring)?
    };
    let met = device.page_faults() - before;
    // Pages that compaction moves may all be back before the device comes.
    Ok(if met > 0 && matches!(device.function.faults, sva_guest::pci::Faults::Stall) {
        report.stalls(met)
    } else {
        report
    })
}

fn between_nodes(ring: &mut Ring<'_>) -> Result<Report, Stop> {
    const PAGES: usize = 256;
    const ROUNDS: usize = 20;
    let page = page_size();
    let area = Mapping::anonymous(PAGES * page)?;
    let all: Vec<usize> = (0..PAGES).collect();
    prepare(&area, &all, 1);
    let (moved, rounds) = under_dma(ring, &area, &all, || {
        let mut moved = 0;
        for round in 0..ROUNDS {
            let at: Vec<u64> = all.iter().map(|n| area.at(n * page)).collect();
            let nodes = vec![(round % 2) as i32; PAGES];
            let mut status = vec![0i32; PAGES];
            const MPOL_MF_MOVE: i32 = 2;
            let frames = page_map(area.address(), PAGES)?;
            // SAFETY: three arrays of PAGES entries each.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_move_pages,
                    0,
                    PAGES,
                    at.as_ptr(),
                    nodes.as_ptr(),
                    status.as_mut_ptr(),
                    MPOL_MF_MOVE,
                )
            };
            ensure!(result >= 0, "move_pages: {}", io::Error::last_os_error());
            let now = page_map(area.address(), PAGES)?;
            moved += frames.iter().zip(&now).filter(|(a, b)| a.frame() != b.frame()).count();
        }
        Ok(moved)
    })?;
    intact(&area, &all, 1)?;
    ensure!(moved > PAGES, "move_pages moved {moved} pages in {ROUNDS} rounds");
    Ok(Report::new(format!("{moved} moves between two nodes under {rounds} × {PAGES} writes")))
}

fn compacted(ring: &mut Ring<'_>) -> Result<Report, Stop> {
    let page = page_size();
    let knobs = ["/proc/sys/vm/compact_memory", "/sys/devices/system/node/node0/compact"];
    let Some(knob) = knobs.into_iter().find(|path| fs::exists(path).unwrap_or(false)) else {
        return Err(Stop::Skip("one NUMA node, and a kernel without compaction".into()));
    };
    // a quarter of the free memory, then every other page given back
    let free = kernel::meminfo("MemFree").unwrap_or(0) as usize * 1024;
    let count = (free / 4).min(192 << 20) / page / 2 * 2;
    let area = Mapping::anonymous(count * page)?;
    area.advise(0, area.len(), libc::MADV_NOHUGEPAGE)?;
    area.set(0, area.len(), 1);
    let kept: Vec<usize> = (0..count).step_by(2).collect();
    for n in &kept {
        area.advise((n + 1) * page, page, libc::MADV_DONTNEED)?;
    }
    prepare(&area, &kept, 2);
    // the device works on some of them, all over the range
    let some: Vec<usize> = kept.iter().copied().step_by((kept.len() / 128).max(1)).collect();
    let before = page_map(area.address(), count)?;
    let (passes, rounds) = under_dma(ring, &area, &some, || {
        let begin = Instant::now();
        let mut passes = 0;
        while passes < 3 || (passes < 20 && begin.elapsed() < Duration::from_secs(2)) {
            fs::write(knob, "1")?;
            passes += 1;
        }
        Ok(passes)
    })?;
    let after = page_map(area.address(), count)?;
    let changed = |n: &&usize| before[**n].frame() != after[**n].frame();
    let (moved, used) = (kept.iter().filter(changed).count(), some.iter().filter(changed).count());
    intact(&area, &kept, 2)?;
    if used == 0 {
        return Err(Stop::Skip(format!(
            "compaction moved none of the device's {} pages ({moved} of {}); give the machine two NUMA nodes",
            some.len(),
            kept.len()
        )));
    }
    Ok(Report::new(format!(
        "{moved} pages moved by {passes} compactions, {used} of them under {rounds} × {} writes",
        some.len()
    )))
}

/// Swap on zram for as long as this lives.
struct Swap;

const ZRAM: &str = "/sys/block/zram0";

impl Swap {
    fn on(size: usize) -> Result<Self, Stop> {
        if !fs::exists(ZRAM)? {
            return Err(Stop::Skip("no zram in this kernel".into()));
        }
        // SAFETY: a C string; fails when it was not on.
        unsafe { libc::swapoff(c"/dev/zram0".as_ptr()) };
        fs::write(format!("{ZRAM}/reset"), "1")?;
        fs::write(format!("{ZRAM}/disksize"), size.to_string())?;
        let page = page_size();
        let mut header = vec![0u8; page];
        header[1024..1028].copy_from_slice(&1u32.to_le_bytes());
        header[1028..1032].copy_from_slice(&((size / page - 1) as u32).to_le_bytes());
        header[page - 10..].copy_from_slice(b"SWAPSPACE2");
        let mut disk = fs::File::options().write(true).open("/dev/zram0")?;
        disk.write_all_at(&header, 0)?;
        disk.flush()?;
        disk.sync_all()?;
        // SAFETY: a C string.
        check(unsafe { libc::swapon(c"/dev/zram0".as_ptr(), 0) })
            .map_err(|e| Stop::Fail(format!("swapon /dev/zram0: {e}")))?;
        Ok(Self)
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        // SAFETY: a C string.
        unsafe { libc::swapoff(c"/dev/zram0".as_ptr()) };
        let _ = fs::write(format!("{ZRAM}/reset"), "1");
    }
}

fn page_out(area: &Mapping) -> io::Result<usize> {
    let pages = area.len() / page_size();
    let mut out = 0;
    for _ in 0..20 {
        area.advise(0, area.len(), libc::MADV_PAGEOUT)?;
        out = page_map(area.address(), pages)?.iter().filter(|p| p.swapped()).count();
        if out * 10 >= pages * 9 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(out)
}

/// Pages go to swap; the device's accesses bring them back; then both at once.
pub fn swap(context: &Context) -> CheckResult {
    const PAGES: usize = 512;
    const ROUNDS: usize = 20;
    small_pages();
    let page = page_size();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let area = Mapping::anonymous(PAGES * page)?;
    let target = Mapping::anonymous(PAGES * page)?;
    target.set(0, target.len(), 0);
    let swap = Swap::on(4 * PAGES * page)?;
    let start = device.page_faults();

    area.scramble(0, area.len(), 12);
    ring.ok(&Descriptor::crc32c(area.address(), area.len()))?; // the device knows every page
    let out = page_out(&area)?;
    ensure!(out > PAGES / 2, "only {out} of {PAGES} pages went to swap");
    let before = device.page_faults();
    ring.ok(&Descriptor::copy(area.address(), target.address(), area.len()))?;
    let faults = device.page_faults() - before;
    ensure!(faults >= out as u64, "{out} pages were in swap, and the device met {faults} faults");
    ensure!(target.scrambled(0, target.len(), 12).is_none(), "what came back from swap differs");

    let all: Vec<usize> = (0..PAGES).collect();
    prepare(&area, &all, 13);
    let (outs, rounds) = under_dma(&mut ring, &area, &all, || {
        let mut outs = 0;
        for _ in 0..ROUNDS {
            area.advise(0, area.len(), libc::MADV_PAGEOUT)?;
            outs += page_map(area.address(), PAGES)?.iter().filter(|p| p.swapped()).count();
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(outs)
    })?;
    intact(&area, &all, 13)?;
    ensure!(outs > 0, "nothing went to swap under DMA");
    drop(swap);
    intact(&area, &all, 13)?;
    let total = device.page_faults() - start;
    Ok(Report::new(format!(
        "{out} of {PAGES} pages out and in by {faults} faults, then {outs} under {rounds} × {PAGES} writes"
    ))
    .stalls(total))
}

const KSM: &str = "/sys/kernel/mm/ksm";

/// Equal pages are merged; a device write to one of them unshares it and leaves the others as they are.
pub fn ksm(context: &Context) -> CheckResult {
    const PAGES: usize = 64;
    if !fs::exists(KSM)? {
        return Err(Stop::Skip("no KSM in this kernel".into()));
    }
    let page = page_size();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let (a, b) = (Mapping::anonymous(PAGES * page)?, Mapping::anonymous(PAGES * page)?);
    let len = a.len();
    for area in [&a, &b] {
        area.advise(0, len, libc::MADV_NOHUGEPAGE)?;
        for n in 0..PAGES {
            area.scramble(n * page, page, n as u64);
        }
        // the device knows the pages, writable, before they are merged
        ring.ok(&Descriptor::fill(area.address(), 8, area.load(0)))?;
        ring.ok(&Descriptor::crc32c(area.address(), len))?;
        area.advise(0, len, libc::MADV_MERGEABLE)?;
    }
    let set = |file: &str, value: &str| fs::write(format!("{KSM}/{file}"), value);
    set("pages_to_scan", "2000")?;
    set("sleep_millisecs", "1")?;
    set("run", "1")?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut merged = 0;
    while merged < PAGES && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
        let (x, y) = (page_map(a.address(), PAGES)?, page_map(b.address(), PAGES)?);
        merged = x.iter().zip(&y).filter(|(x, y)| x.present() && x.frame() == y.frame()).count();
    }
    set("run", "0")?;
    if merged == 0 {
        return Err(Stop::Skip("KSM merged nothing within 10 s".into()));
    }
    let before = device.page_faults();
    ring.ok(&Descriptor::fill(a.address(), len, 0x4b4b_4b4b_4b4b_4b4b))?;
    let faults = device.page_faults() - before;
    ensure!(faults >= merged as u64, "{merged} merged pages were written with {faults} faults");
    ensure!(a.first_other(0, len, 0x4b).is_none(), "the device's write is not complete");
    for n in 0..PAGES {
        ensure!(b.scrambled(n * page, page, n as u64).is_none(), "page {n} of the other mapping was changed");
    }
    set("run", "2")?;
    set("run", "0")?;
    Ok(Report::new(format!("{merged} of {PAGES} pages merged, unshared by {faults} faults")).stalls(faults))
}

/// Parent and child share pages until one of them, or the device, writes.
pub fn fork_cow(context: &Context) -> CheckResult {
    const PAGES: usize = 64;
    small_pages();
    let page = page_size();
    let len = PAGES * page;
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let area = Mapping::anonymous(len)?;
    let target = Mapping::anonymous(len)?;
    target.set(0, len, 0);
    area.set(0, len, 0x11);
    // the device knows every page as writable
    ring.ok(&Descriptor::fill(area.address(), len, 0x1111_1111_1111_1111))?;
    let ((mut ready, mut say_ready), (mut go, mut say_go)) = (pipe()?, pipe()?);
    let start = device.page_faults();
    let child = Child::spawn(false, || {
        let wait = Duration::from_secs(30);
        // first this process's own writes, to the upper half
        area.set(len / 2, len / 2, 0x22);
        let _ = send_byte(&mut say_ready);
        if !await_byte(&mut go, wait) {
            return "the parent did not answer".into();
        }
        // then what the device did in the parent must not be here
        if area.first_other(0, len / 2, 0x11).is_some() {
            return "the child sees what the device wrote for its parent".into();
        }
        if area.first_other(len / 2, len / 2, 0x22).is_some() {
            return "the child's own writes are lost".into();
        }
        "good".into()
    })?;
    ensure!(await_byte(&mut ready, Duration::from_secs(30)), "the child does not answer");
    // the device reads the parent's memory: nothing of the child's
    ring.ok(&Descriptor::copy(area.address(), target.address(), len))?;
    ensure!(target.first_other(0, len, 0x11).is_none(), "the device sees what the child wrote");
    let before = device.page_faults();
    ring.ok(&Descriptor::fill(area.address(), len, 0x3333_3333_3333_3333))?;
    let faults = device.page_faults() - before;
    // the lower half is still shared with the child; the upper half is the parent's alone again
    ensure!(faults >= (PAGES / 2) as u64, "{} shared pages were written with {faults} faults", PAGES / 2);
    ensure!(area.first_other(0, len, 0x33).is_none(), "the device's write is not complete");
    send_byte(&mut say_go)?;
    match child.join(Duration::from_secs(30)) {
        End::Result(text) if text == "good" => {}
        End::Result(text) => return Err(text.into()),
        other => return Err(format!("the child ended with {other:?}").into()),
    }
    ensure!(area.first_other(0, len, 0x33).is_none(), "the parent's memory changed");
    let total = device.page_faults() - start;
    Ok(Report::new(format!("{} in both, {faults} pages copied for the device", bytes(len))).stalls(total))
}
