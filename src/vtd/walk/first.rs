// SPDX-License-Identifier: GPL-2.0-or-later
//! First-stage translation (`VTD §3.6`), by itself or nested on the second stage (`VTD §3.8`).

use super::{
    ADDRESS, MAX_RESTARTS, Mapping, PAGE_LOG2, PagePerms, Refusal, STRIDE, SecondFault, Stage, Update, Walk,
    entry_address, refuses, top_shift,
};
use crate::iommu::narrow::{low8, ones};
use crate::vtd::config::{Action, beyond_host};
use crate::vtd::fault::FaultReason;
use crate::vtd::spec::pte::FirstStage;

/// Log2 of the largest page, if there are such.
const GIGABYTE_LOG2: u32 = 30;

/// An entry on the way.
#[derive(Clone, Copy, Default)]
struct Step {
    /// Where it lies: nested, an address for the second stage.
    at: u64,
    entry: u64,
    shift: u32,
    /// From the structure cache: its flags were set when it got there.
    cached: bool,
}

impl Walk<'_> {
    pub(super) fn first_stage(&self, addr: u64) -> Result<Mapping, FaultReason> {
        for _ in 0..MAX_RESTARTS {
            if let Some(page) = self.first_stage_once(addr)? {
                return Ok(page);
            }
        }
        Err(FaultReason::FirstStageUpdate)
    }

    fn is_nested(&self) -> bool {
        self.context.action() == Action::Nested
    }

    /// `None`: an entry changed under the walk.
    fn first_stage_once(&self, addr: u64) -> Result<Option<Mapping>, FaultReason> {
        let (root, levels) = self.context.first_stage();
        let top = top_shift(levels);
        if !is_canonical(addr, top.saturating_add(STRIDE)) {
            return Err(FaultReason::NotCanonical);
        }
        let mut steps = [Step::default(); 5];
        let mut perms = PagePerms::ALL;
        let mut table = root;
        let mut shift = top;
        let mut page = Step::default();
        for step in steps.iter_mut().take(levels.into()) {
            let at = entry_address(table, addr, shift);
            let cached = if shift > PAGE_LOG2 { self.cache.cached(Stage::First, shift, addr) } else { None };
            let entry = match cached {
                Some(entry) => entry,
                None => self.read_first(at, shift == top)?,
            };
            *step = Step { at, entry, shift, cached: cached.is_some() };
            page = *step;
            let pte = FirstStage::from(entry);
            if pte.p() == 0 {
                return Err(FaultReason::FirstStageNotPresent);
            }
            if self.first_stage_reserved(pte, shift) {
                return Err(FaultReason::FirstStageReserved);
            }
            perms = perms.through_first(pte.us() != 0, pte.rw() != 0, pte.xd() != 0);
            if self.is_page(pte, shift) {
                break;
            }
            table = entry & ADDRESS;
            shift = shift.saturating_sub(STRIDE);
        }
        if let Some(Refusal::Forbidden(reason)) = refuses(perms, self.context, self.access) {
            return Err(reason);
        }
        let mut mapping = self.output(&page, perms, addr)?;
        for step in steps.iter().filter(|step| step.shift >= page.shift && !step.cached) {
            if !self.mark_first(step, self.access.write && step.shift == page.shift)? {
                return Ok(None);
            }
        }
        if FirstStage::from(page.entry).d() == 0 && !self.access.write {
            mapping.perms = mapping.perms.cleaned();
        }
        for step in steps.iter().filter(|step| step.shift > page.shift) {
            self.cache.remember(Stage::First, step.shift, addr, step.entry);
        }
        Ok(Some(mapping))
    }

    /// What the page maps to in the end, allowed and no interrupt.
    fn output(&self, page: &Step, perms: PagePerms, addr: u64) -> Result<Mapping, FaultReason> {
        let base = page.entry & ADDRESS & !ones(page.shift);
        let first = Mapping { addr: base, log2size: low8(page.shift.into()), perms };
        let mapping = if self.is_nested() {
            let intermediate = base | (addr & ones(page.shift));
            let second = self
                .second_stage(intermediate, self.access.read, self.access.write)
                .map_err(|fault| self.scalable_reason(fault))?;
            let log2size = second.log2size.min(first.log2size);
            let within = intermediate & ones(second.log2size.into()) & !ones(log2size.into());
            Mapping { addr: second.addr | within, log2size, perms: perms.meet(second.perms) }
        } else {
            first
        };
        self.check_output(mapping.addr, mapping.log2size.into(), addr)?;
        Ok(mapping)
    }

    fn read_first(&self, at: u64, is_root: bool) -> Result<u64, FaultReason> {
        let host = if self.is_nested() { self.table_address(at, is_root, false)? } else { at };
        self.mem.read_u64(host).map_err(|_| {
            if is_root { FaultReason::FirstStageRootAccess } else { FaultReason::FirstStageAccess }
        })
    }

    /// Where an entry of a nested first stage lies, to be read or written.
    fn table_address(&self, at: u64, is_root: bool, write: bool) -> Result<u64, FaultReason> {
        let page = self.second_stage(at, true, write).map_err(|fault| match fault {
            SecondFault::BeyondWidth => FaultReason::FirstStageBeyondWidth,
            SecondFault::Read if is_root => FaultReason::FirstStageRootRead,
            SecondFault::Read => FaultReason::FirstStageRead,
            SecondFault::Write => FaultReason::FirstStageWrite,
            other => self.scalable_reason(other),
        })?;
        Ok(page.addr | (at & ones(page.log2size.into())))
    }

    /// Sets the flags of an entry; `false` if it is another by now.
    fn mark_first(&self, step: &Step, dirty: bool) -> Result<bool, FaultReason> {
        let pte = FirstStage::from(step.entry);
        let dirties = dirty && pte.d() == 0;
        let mut wanted = pte.with_a(1);
        if self.context.keeps_extended_accessed() {
            wanted = wanted.with_ea(1);
        }
        if dirties {
            wanted = wanted.with_d(1);
        }
        if wanted == pte {
            return Ok(true);
        }
        if !self.context.walks_snoop(self.f) {
            return Err(FaultReason::FirstStageNoSnoop);
        }
        let host = if self.is_nested() { self.table_address(step.at, false, true)? } else { step.at };
        match self.update(host, pte.bits(), wanted.bits(), dirties) {
            Update::Done => Ok(true),
            Update::Lost => Ok(false),
            Update::Failed => Err(FaultReason::FirstStageUpdate),
        }
    }

    fn is_page(&self, pte: FirstStage, shift: u32) -> bool {
        shift == PAGE_LOG2 || (pte.ps() != 0 && shift <= self.largest_page())
    }

    fn largest_page(&self) -> u32 {
        if self.f.fs1gp { GIGABYTE_LOG2 } else { GIGABYTE_LOG2.saturating_sub(STRIDE) }
    }

    fn first_stage_reserved(&self, pte: FirstStage, shift: u32) -> bool {
        let page = self.is_page(pte, shift);
        // Bit 12 of a large page is its memory type's.
        let below =
            if page && shift > PAGE_LOG2 { ones(shift) & !ones(PAGE_LOG2.saturating_add(1)) } else { 0 };
        (shift > self.largest_page() && pte.ps() != 0)
            || pte.bits() & below != 0
            // Nested, what is beyond the address width is for the second stage to say.
            || (!self.is_nested() && beyond_host(self.f, pte.bits() & ADDRESS))
    }
}

/// Whether the bits above the lowest `bits` are copies of the highest of these.
fn is_canonical(addr: u64, bits: u32) -> bool {
    let high = addr & !ones(bits.saturating_sub(1));
    high == 0 || high == !ones(bits.saturating_sub(1))
}
