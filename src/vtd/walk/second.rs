// SPDX-License-Identifier: GPL-2.0-or-later
//! Second-stage translation (`VTD §3.7`): of legacy mode, of scalable mode, and of what a first stage puts out.

use super::{
    ADDRESS, MAX_RESTARTS, Mapping, PAGE_LOG2, PagePerms, STRIDE, Stage, Update, Walk, entry_address,
    top_shift,
};
use crate::iommu::narrow::{low8, ones};
use crate::vtd::config::beyond_host;
use crate::vtd::spec::pte::SecondStage;

/// Why there is no second-stage translation. What the reason is called depends on what was translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecondFault {
    /// The address is beyond the address width.
    BeyondWidth,
    /// An entry of the uppermost table could not be read.
    RootAccess,
    /// An entry of another table could not be read.
    Access,
    /// An entry allows neither reads nor writes.
    NotPresent,
    /// Reserved bits of an entry.
    Reserved,
    /// Reads are not allowed.
    Read,
    /// Writes are not allowed.
    Write,
    /// A flag is to be set, and page walks are not coherent.
    NoSnoop,
    /// A flag could not be set.
    Update,
}

/// An entry on the way.
#[derive(Clone, Copy, Default)]
struct Step {
    at: u64,
    entry: u64,
    shift: u32,
    /// From the structure cache: its flags were set when it got there.
    cached: bool,
}

impl Walk<'_> {
    /// Translates an address for an access that reads, writes, or both; neither asks whether it is mapped. The page's
    /// permissions are those of the second stage alone.
    pub(super) fn second_stage(&self, addr: u64, read: bool, write: bool) -> Result<Mapping, SecondFault> {
        for _ in 0..MAX_RESTARTS {
            if let Some(page) = self.second_stage_once(addr, read, write)? {
                return Ok(page);
            }
        }
        Err(SecondFault::Update)
    }

    /// `None`: an entry changed under the walk.
    fn second_stage_once(&self, addr: u64, read: bool, write: bool) -> Result<Option<Mapping>, SecondFault> {
        let (root, levels) = self.context.second_stage();
        let top = top_shift(levels);
        if addr & !ones(top.saturating_add(STRIDE)) != 0 {
            return Err(SecondFault::BeyondWidth);
        }
        let mut steps = [Step::default(); 5];
        let mut perms = PagePerms::ALL;
        let mut table = root;
        let mut shift = top;
        let mut page = Step::default();
        for step in steps.iter_mut().take(levels.into()) {
            let at = entry_address(table, addr, shift);
            let cached = if shift > PAGE_LOG2 { self.cache.cached(Stage::Second, shift, addr) } else { None };
            let entry = match cached {
                Some(entry) => entry,
                None => self
                    .mem
                    .read_u64(at)
                    .map_err(|_| if shift == top { SecondFault::RootAccess } else { SecondFault::Access })?,
            };
            *step = Step { at, entry, shift, cached: cached.is_some() };
            page = *step;
            let pte = SecondStage::from(entry);
            if pte.r() == 0 && pte.w() == 0 {
                return Err(SecondFault::NotPresent);
            }
            if self.second_stage_reserved(pte, shift) {
                return Err(SecondFault::Reserved);
            }
            perms = perms.through_second(pte.r() != 0, pte.w() != 0);
            if is_page(pte, shift) {
                break;
            }
            table = entry & ADDRESS;
            shift = shift.saturating_sub(STRIDE);
        }
        if write && !perms.allows_second_write() {
            return Err(SecondFault::Write);
        }
        if read && !perms.allows_second_read() {
            return Err(SecondFault::Read);
        }
        if self.flags {
            for step in steps.iter().filter(|step| step.shift >= page.shift && !step.cached) {
                if !self.mark_second(step, write && step.shift == page.shift)? {
                    return Ok(None);
                }
            }
            if SecondStage::from(page.entry).d() == 0 && !write {
                perms = perms.cleaned();
            }
        }
        for step in steps.iter().filter(|step| step.shift > page.shift) {
            self.cache.remember(Stage::Second, step.shift, addr, step.entry);
        }
        let base = page.entry & ADDRESS & !ones(page.shift);
        Ok(Some(Mapping { addr: base, log2size: low8(page.shift.into()), perms }))
    }

    /// Sets the flags of an entry; `false` if it is another by now.
    fn mark_second(&self, step: &Step, dirty: bool) -> Result<bool, SecondFault> {
        let pte = SecondStage::from(step.entry);
        let dirties = dirty && pte.d() == 0;
        let mut wanted = pte.with_a(1);
        if dirties {
            wanted = wanted.with_d(1);
        }
        if wanted == pte {
            return Ok(true);
        }
        if !self.context.walks_snoop(self.f) {
            return Err(SecondFault::NoSnoop);
        }
        match self.update(step.at, pte.bits(), wanted.bits(), dirties) {
            Update::Done => Ok(true),
            Update::Lost => Ok(false),
            Update::Failed => Err(SecondFault::Update),
        }
    }

    /// `SNP` is a flag and no reserved bit.
    fn snoops(&self) -> bool {
        self.f.snoop_control || self.f.leniency.scalable_entries && self.context.is_scalable()
    }

    fn second_stage_reserved(&self, pte: SecondStage, shift: u32) -> bool {
        let page = is_page(pte, shift);
        let below = if page && shift > PAGE_LOG2 { ones(shift) & !ones(PAGE_LOG2) } else { 0 };
        (shift > TOP_PAGE && pte.ps() != 0)
            || (pte.snp() != 0 && !(page && self.snoops()))
            || pte.bits() & below != 0
            || beyond_host(self.f, pte.bits() & ADDRESS)
    }
}

/// Log2 of the largest page.
const TOP_PAGE: u32 = 30;

fn is_page(pte: SecondStage, shift: u32) -> bool {
    shift == PAGE_LOG2 || (pte.ps() != 0 && shift <= TOP_PAGE)
}
