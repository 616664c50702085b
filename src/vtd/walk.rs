// SPDX-License-Identifier: GPL-2.0-or-later
//! Table walks: first stage (`VTD §3.6`), second stage (`VTD §3.7`), and the first nested on the second
//! (`VTD §3.8`), with their accessed and dirty flags.

mod first;
mod perms;
mod second;
#[cfg(test)]
mod tests;

use core::cell::Cell;

pub use perms::{PagePerms, Refusal, refuses};

use self::second::SecondFault;
use super::config::{Action, Context};
use super::fault::{Fault, FaultReason};
use super::features::Features;
use super::interrupt_range;
use crate::iommu::narrow::{low8, ones};
use crate::iommu::{Access, DmaRequest, GuestMemory};

/// How often one walk starts again because others change entries under it.
const MAX_RESTARTS: u32 = 64;
/// Address bits of an entry.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Log2 of the smallest page.
const PAGE_LOG2: u32 = 12;
/// Address bits that one level resolves.
const STRIDE: u32 = 9;

/// One translated page, complete enough to be cached and to answer any later access to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Output address of its first byte.
    pub addr: u64,
    /// Log2 of its size in bytes, the smaller of both stages': 12, 21, 30.
    pub log2size: u8,
    /// What it may be used for.
    pub perms: PagePerms,
}

impl Mapping {
    /// Whether an answer to some request for the page of `addr` would cover interrupts (`VTD §3.14`): by what it leads to,
    /// or by its own addresses, which are interrupts where the request has no PASID.
    #[must_use]
    pub fn touches_interrupts(&self, addr: u64) -> bool {
        interrupt_range::touches(self.addr, self.log2size) || interrupt_range::touches(addr, self.log2size)
    }

    /// As much of the page around the request's address as one answer may cover: no interrupt is among it. The address
    /// itself is none.
    #[must_use]
    pub fn beside_interrupts(self, req: &DmaRequest) -> Self {
        let offset = req.addr & ones(self.log2size.into());
        let mut log2size = interrupt_range::log2_beside(self.addr | offset, self.log2size);
        if req.substream.is_none() {
            log2size = interrupt_range::log2_beside(req.addr, log2size);
        }
        Self { addr: self.addr | (offset & !ones(log2size.into())), log2size, ..self }
    }
}

/// What walks wrote, for the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Updates {
    /// An accessed flag was set.
    pub accessed: bool,
    /// A dirty flag was set.
    pub dirtied: bool,
}

/// Which tables an entry is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// First-stage tables.
    First,
    /// Second-stage tables.
    Second,
}

/// Entries that point to tables, as the unit may keep them (`VTD §6.2.5`).
pub trait StructureCache {
    /// The entry by which `input` reaches the table below those of `1 << shift` bytes.
    fn cached(&self, stage: Stage, shift: u32, input: u64) -> Option<u64>;
    /// That entry was used, with its accessed flag set where it has one.
    fn remember(&self, stage: Stage, shift: u32, input: u64, entry: u64);
}

/// No structure cache.
impl StructureCache for () {
    fn cached(&self, _: Stage, _: u32, _: u64) -> Option<u64> {
        None
    }

    fn remember(&self, _: Stage, _: u32, _: u64, _: u64) {}
}

/// Translates `req.addr` by the tables of `context`, whose [action](Context::action) is to translate, and says what was
/// written, whether it succeeds or not.
///
/// A walk begins again where an entry changes while its flags are being set, [`MAX_RESTARTS`] times.
///
/// # Errors
/// The fault of the paging entries, the permissions or the addresses.
pub fn walk(
    mem: &dyn GuestMemory,
    cache: &dyn StructureCache,
    f: &Features,
    context: &Context,
    req: &DmaRequest,
) -> (Result<Mapping, Fault>, Updates) {
    let walk = Walk {
        mem,
        cache,
        f,
        context,
        access: context.effective_access(req.access),
        flags: context.keeps_second_stage_flags(),
        updates: Cell::default(),
    };
    let result = walk.run(req.addr).map_err(|reason| context.fault(reason, req));
    (result, walk.updates.get())
}

struct Walk<'a> {
    mem: &'a dyn GuestMemory,
    cache: &'a dyn StructureCache,
    f: &'a Features,
    context: &'a Context,
    /// The effective access.
    access: Access,
    /// Second-stage flags are kept.
    flags: bool,
    updates: Cell<Updates>,
}

/// How an attempt to set flags ended.
enum Update {
    Done,
    /// The entry is another by now.
    Lost,
    /// Memory failed.
    Failed,
}

impl Walk<'_> {
    fn run(&self, addr: u64) -> Result<Mapping, FaultReason> {
        match self.context.action() {
            Action::FirstStage | Action::Nested => self.first_stage(addr),
            Action::SecondStage => self.second_stage_only(addr),
            Action::PassThrough => Ok(Mapping {
                addr: addr & !ones(PAGE_LOG2),
                log2size: low8(PAGE_LOG2.into()),
                perms: PagePerms::ALL,
            }),
        }
    }

    fn second_stage_only(&self, addr: u64) -> Result<Mapping, FaultReason> {
        let scalable = self.context.is_scalable();
        let reason = |fault| if scalable { self.scalable_reason(fault) } else { self.legacy_reason(fault) };
        let page = self.second_stage(addr, self.access.read, self.access.write).map_err(reason)?;
        self.check_output(page.addr, page.log2size.into(), addr)?;
        Ok(page)
    }

    /// An output address that is an interrupt's is refused.
    fn check_output(&self, page: u64, log2size: u32, addr: u64) -> Result<(), FaultReason> {
        if interrupt_range::contains(page | (addr & ones(log2size))) {
            Err(self.context.interrupt_reason())
        } else {
            Ok(())
        }
    }

    fn legacy_reason(&self, fault: SecondFault) -> FaultReason {
        match fault {
            SecondFault::BeyondWidth => FaultReason::AddressBeyondWidth,
            SecondFault::RootAccess | SecondFault::Access => FaultReason::PagingEntryAccess,
            SecondFault::Reserved => FaultReason::PagingEntryReserved,
            SecondFault::NotPresent if self.access.write => FaultReason::Write,
            SecondFault::Write => FaultReason::Write,
            // Flags are not kept in legacy mode.
            SecondFault::NotPresent | SecondFault::Read | SecondFault::NoSnoop | SecondFault::Update => {
                FaultReason::Read
            }
        }
    }

    fn scalable_reason(&self, fault: SecondFault) -> FaultReason {
        match fault {
            SecondFault::BeyondWidth if self.context.action() == Action::Nested => {
                FaultReason::SecondStageBeyondWidth
            }
            SecondFault::BeyondWidth => FaultReason::ScalableBeyondWidth,
            SecondFault::RootAccess => FaultReason::SecondStageRootAccess,
            SecondFault::Access => FaultReason::SecondStageAccess,
            SecondFault::NotPresent => FaultReason::SecondStageNotPresent,
            SecondFault::Reserved => FaultReason::SecondStageReserved,
            SecondFault::Read => FaultReason::ScalableRead,
            SecondFault::Write => FaultReason::ScalableWrite,
            SecondFault::NoSnoop => FaultReason::SecondStageNoSnoop,
            SecondFault::Update => FaultReason::SecondStageUpdate,
        }
    }

    /// Replaces an entry by one with more flags.
    fn update(&self, at: u64, entry: u64, wanted: u64, dirties: bool) -> Update {
        match self.mem.compare_exchange_u64(at, entry, wanted) {
            Ok(Ok(())) => {
                let before = self.updates.get();
                self.updates.set(Updates { accessed: true, dirtied: before.dirtied || dirties });
                Update::Done
            }
            Ok(Err(_)) => Update::Lost,
            Err(_) => Update::Failed,
        }
    }
}

/// Where the entry for `addr` lies in the table at `table` whose entries map `1 << shift` bytes.
fn entry_address(table: u64, addr: u64, shift: u32) -> u64 {
    let index = addr.checked_shr(shift).unwrap_or(0) & ones(STRIDE);
    table | index << 3
}

/// What the entries of the uppermost of `levels` tables map, as a log2.
fn top_shift(levels: u8) -> u32 {
    STRIDE.saturating_mul(u32::from(levels).saturating_sub(1)).saturating_add(PAGE_LOG2)
}
