// SPDX-License-Identifier: GPL-2.0-or-later
//! The kernel tells by the IOMMU's dirty flags which pages a device has written.

use sva_guest::device::{Descriptor, Device, Ring};
use sva_guest::iommufd::{Assigned, Refused};
use sva_guest::kernel;
use sva_guest::memory::{Mapping, mix, page_size};
use sva_guest::pci;

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, Expect, small_pages};

const PAGES: usize = 256;
const ROUNDS: u64 = 12;

/// A function without PASIDs, page tables of iommufd's: what GET_DIRTY_BITMAP says is what the device has written.
///
/// On Arm no page is written again after it was forgotten: Linux 7.2 invalidates no translation when it clears dirty flags there
/// (`docs/findings.md`), and an SMMU that has one goes on believing that the page is dirty. [`dirty_again`] shows it.
pub fn dirty_tracking(_: &Context) -> CheckResult {
    with_device(kernel::machine() != "aarch64")
}

/// As [`dirty_tracking`], and on Arm too every page is written once more after it was forgotten.
pub fn dirty_again(_: &Context) -> CheckResult {
    with_device(true)
}

fn with_device(again: bool) -> CheckResult {
    let function = pci::spare().ok_or_else(|| Stop::Skip("no function is spared from processes".into()))?;
    small_pages();
    let assigned = Assigned::with_dirty_tracking(&function).map_err(|refused| match refused {
        Refused::Cannot(why) => Stop::Skip(why),
        Refused::Failed(why) => Stop::Fail(why),
    })?;
    let device = assigned.device(&function)?;
    track(&assigned, &device, again)
}

fn mapped(assigned: &Assigned, len: usize) -> Result<Mapping, String> {
    let memory = Mapping::anonymous(len).map_err(|e| e.to_string())?;
    memory.set(0, len, 0);
    assigned.map(&memory)?;
    Ok(memory)
}

/// What a round writes: pages by chance, in pieces of a few bytes, across a border, whole, and by compare-and-swap.
fn scribble(ring: &mut Ring<'_>, area: &Mapping, round: u64) -> Result<Vec<usize>, String> {
    let page = page_size();
    let mut pages = Vec::new();
    for n in 0..8 + round {
        let at = (mix(round << 32 | n) % (PAGES as u64 - 1)) as usize;
        match n % 4 {
            0 => ring.ok(&Descriptor::fill(area.at(at * page + 64), 8, round))?,
            1 => ring.ok(&Descriptor::fill(area.at(at * page), page, round))?,
            2 => ring.ok(&Descriptor::cas(area.at(at * page + 128), 8, area.load(at * page + 128), round))?,
            _ => {
                pages.push(at + 1);
                ring.ok(&Descriptor::fill(area.at((at + 1) * page - 8), 16, round))?
            }
        };
        pages.push(at);
    }
    pages.sort_unstable();
    pages.dedup();
    Ok(pages)
}

fn track(assigned: &Assigned, device: &Device, again: bool) -> CheckResult {
    let page = page_size();
    // ring and records are written too, somewhere else
    let tools = (mapped(assigned, page)?, mapped(assigned, page)?);
    let base = tools.0.address();
    let mut ring = Ring::place(device, 0, 6, tools.0, tools.1, base);
    ring.start();
    let mut total = 0;
    let mut areas = Vec::new();
    for round in 1..=ROUNDS {
        // a page's first write is another matter than its second: every round has pages of its own
        let (area, sink) = (mapped(assigned, PAGES * page)?, mapped(assigned, PAGES * page)?);
        assigned.track(true)?;
        // writes before the beginning are nobody's business
        assigned.written(&area, true)?;
        let clean = assigned.written(&area, true)?;
        ensure!(clean.is_empty(), "round {round}: pages {clean:?} are dirty though nobody has written any");
        ring.ok(&Descriptor::copy(area.address(), sink.address(), PAGES * page))?;
        ring.ok(&Descriptor::crc32c(area.address(), PAGES * page))?;
        let read = assigned.written(&area, false)?;
        ensure!(read.is_empty(), "round {round}: pages {read:?} are dirty by reads");
        let sunk = assigned.written(&sink, true)?;
        ensure!(
            sunk.len() == PAGES,
            "round {round}: {PAGES} pages were written by a copy, {} are dirty",
            sunk.len()
        );
        let wrote = scribble(&mut ring, &area, round)?;
        for forget in [false, true] {
            let dirty = assigned.written(&area, forget)?;
            ensure!(dirty == wrote, "round {round}: pages {wrote:?} were written, {dirty:?} are dirty");
        }
        let after = assigned.written(&area, true)?;
        ensure!(after.is_empty(), "round {round}: pages {after:?} are dirty after they were forgotten");
        total += wrote.len() + PAGES;
        if again {
            // what the IOMMU remembers of the pages must not keep them clean
            let wrote = scribble(&mut ring, &area, round)?;
            let dirty = assigned.written(&area, true)?;
            ensure!(dirty == wrote, "round {round}: pages {wrote:?} were written again, {dirty:?} are dirty");
            total += wrote.len();
        }
        // between two times of tracking nobody is to ask
        assigned.track(false)?;
        areas.push((area, sink));
    }
    drop(ring);
    let words = if again { ", written again after that" } else { "" };
    Ok(Report::new(format!("{ROUNDS} rounds, {total} pages found dirty when written{words}, no other"))
        .at_least("dirty-updates", total as u64))
}
