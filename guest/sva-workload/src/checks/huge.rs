// SPDX-License-Identifier: GPL-2.0-or-later
//! Huge pages: as large as the kernel maps them, and taken apart under the device.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use sva_guest::device::{Descriptor, Ring};
use sva_guest::kernel;
use sva_guest::memory::{Mapping, page_map, page_size};

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, Expect, bytes};

const HUGE: usize = 2 << 20;
const THP: &str = "/sys/kernel/mm/transparent_hugepage";
const MADV_COLLAPSE: i32 = 25;

/// Frames of a 2 MiB range lie one behind the other and begin at a 2 MiB boundary.
fn is_huge(address: u64) -> Result<bool, Stop> {
    let count = HUGE / page_size();
    let map = page_map(address, count)?;
    let first = map[0].frame();
    Ok(first.is_multiple_of(count as u64)
        && map.iter().zip(first..).all(|(p, frame)| p.present() && p.frame() == frame))
}

/// First touch by the device brings in a huge page; a hole splits it; a collapse under DMA makes it whole again.
pub fn thp(context: &Context) -> CheckResult {
    const COUNT: usize = 4;
    let page = page_size();
    if !fs::exists(THP)? {
        return Err(Stop::Skip("this kernel has no transparent huge pages".into()));
    }
    // with 64 KiB pages the PMD's size is 512 MiB; 2 MiB is then a size of its own
    let own = format!("{THP}/hugepages-2048kB/enabled");
    let pmd: usize = kernel::text(&format!("{THP}/hpage_pmd_size")).and_then(|t| t.parse().ok()).unwrap_or(0);
    if fs::exists(&own)? {
        fs::write(&own, "madvise")?;
    } else if pmd != HUGE {
        return Err(Stop::Skip(format!("no transparent huge pages of 2 MiB here (PMD size {pmd})")));
    }
    fs::write(format!("{THP}/enabled"), "madvise")?;
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let area = Mapping::aligned(COUNT * HUGE, HUGE)?;
    area.advise(0, area.len(), libc::MADV_HUGEPAGE)?;
    let before = device.page_faults();
    ring.ok(&Descriptor::fill(area.address(), area.len(), 0x4141_4141_4141_4141))?;
    let faults = device.page_faults() - before;
    let mut huge = 0;
    for n in 0..COUNT {
        huge += usize::from(is_huge(area.at(n * HUGE))?);
    }
    if huge == 0 {
        return Err(Stop::Skip(format!(
            "the kernel had no huge page to give ({faults} faults for {COUNT} × 2 MiB)"
        )));
    }
    let most = (huge + (COUNT - huge) * (HUGE / page)) as u64;
    ensure!(faults <= most, "{huge} of {COUNT} huge pages, but {faults} faults");
    ensure!(area.first_other(0, area.len(), 0x41).is_none(), "the fill is not complete");

    // a hole in the middle of each: the rest stays, the hole is new memory
    let target = Mapping::anonymous(HUGE)?;
    target.set(0, HUGE, 0xee);
    for n in 0..COUNT {
        let hole = n * HUGE + HUGE / 2;
        area.advise(hole, page, libc::MADV_DONTNEED)?;
        ring.ok(&Descriptor::copy(area.at(n * HUGE), target.address(), HUGE))?;
        ensure!(
            target.first_other(HUGE / 2, page, 0).is_none(),
            "a hole in a huge page still shows old data"
        );
        ensure!(target.first_other(0, HUGE / 2, 0x41).is_none(), "splitting a huge page lost data");
        let rest = HUGE / 2 + page;
        ensure!(target.first_other(rest, HUGE - rest, 0x41).is_none(), "splitting a huge page lost data");
    }
    let collapsed = if pmd == HUGE { collapse(&mut ring, &area, COUNT)? } else { 0 };
    let total = device.page_faults() - before;
    Ok(Report::new(format!(
        "{huge} of {COUNT} huge pages by {faults} faults, all split, {collapsed} collapsed under DMA"
    ))
    .stalls(total))
}

/// The device writes all the time while the kernel copies small pages into a huge one.
fn collapse(ring: &mut Ring<'_>, area: &Mapping, count: usize) -> Result<usize, Stop> {
    let page = page_size();
    let stop = AtomicBool::new(false);
    let (rounds, collapsed) = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            let mut round = 0u64;
            while !stop.load(Ordering::Relaxed) || round == 0 {
                round += 1;
                for n in 0..count {
                    let mut number = (round as usize * 7) % (HUGE / page);
                    // The page in the middle is given back by the other thread, and what was written goes with it.
                    if number == HUGE / 2 / page {
                        number += 1;
                    }
                    let offset = n * HUGE + number * page;
                    ring.ok(&Descriptor::fill(area.at(offset), 64, round))?;
                    let got = area.load(offset + 56);
                    if got != round {
                        return Err(format!(
                            "collapse: the device wrote {round} at {offset:#x}, memory holds {got}"
                        ));
                    }
                }
            }
            Ok(round)
        });
        let mut collapsed = 0;
        for _ in 0..5 {
            for n in 0..count {
                collapsed += usize::from(area.advise(n * HUGE, HUGE, MADV_COLLAPSE).is_ok());
                // and apart again
                let _ = area.advise(n * HUGE + HUGE / 2, page, libc::MADV_DONTNEED);
            }
        }
        stop.store(true, Ordering::Relaxed);
        let rounds = traffic.join().unwrap_or_else(|_| Err("the traffic's thread died".into()));
        (rounds, collapsed)
    });
    rounds?;
    Ok(collapsed)
}

/// Pages of hugetlbfs's pool, by the device's first touch, and given back to the pool afterwards.
pub fn hugetlb(context: &Context) -> CheckResult {
    const COUNT: usize = 4;
    let pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
    if !fs::exists(pool)? {
        return Err(Stop::Skip("no hugetlb pages of 2 MiB in this kernel".into()));
    }
    fs::write(pool, COUNT.to_string())?;
    let got: usize = kernel::text(pool).and_then(|t| t.parse().ok()).unwrap_or(0);
    if got < COUNT {
        fs::write(pool, "0")?;
        return Err(Stop::Skip(format!("the kernel found {got} of {COUNT} hugetlb pages")));
    }
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let flags = libc::MAP_HUGETLB | (21 << libc::MAP_HUGE_SHIFT);
    let area = Mapping::anonymous_with(COUNT * HUGE, libc::PROT_READ | libc::PROT_WRITE, flags)?;
    let before = device.page_faults();
    ring.ok(&Descriptor::fill(area.address(), area.len(), 0x4242_4242_4242_4242))?;
    let faults = device.page_faults() - before;
    ensure!(faults == COUNT as u64, "{COUNT} hugetlb pages by {faults} faults");
    ensure!(area.first_other(0, area.len(), 0x42).is_none(), "the fill is not complete");
    for n in 0..COUNT {
        ensure!(is_huge(area.at(n * HUGE))?, "page {n} is not huge");
    }
    let target = Mapping::anonymous(HUGE)?;
    area.scramble(HUGE, HUGE, 11);
    ring.ok(&Descriptor::copy(area.at(HUGE), target.address(), HUGE))?;
    ensure!(target.scrambled(0, HUGE, 11).is_none(), "a copy out of a hugetlb page differs");
    // given back: the next access fails
    let address = area.unmap();
    ring.refused(&Descriptor::fill(address, 64, 0), address, 64)?;
    fs::write(pool, "0")?;
    let total = device.page_faults() - before;
    Ok(Report::new(format!("{COUNT} × {} by {faults} faults", bytes(HUGE))).stalls(total).aborts(1))
}
