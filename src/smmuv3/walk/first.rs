// SPDX-License-Identifier: GPL-2.0-or-later
//! Stage 1 translation, by itself or nested on stage 2, where every table lies at an IPA.

use super::second::Purpose;
use super::{
    ByteOrder, Fault, FaultAction, FaultClass, FaultKind, Leaf, MAX_UPDATES, Position, Refusal, Stage,
    StreamAction, Update, Updates, Walk, perms, translation_fault,
};
use crate::smmuv3::config::StreamWorld;
use crate::smmuv3::spec::pte::Pte;

/// What table descriptors take away from everything below them.
#[derive(Clone, Copy, Default)]
pub(super) struct TableLimits {
    pub no_unprivileged: bool,
    pub read_only: bool,
    pub no_privileged_exec: bool,
    pub no_unprivileged_exec: bool,
}

enum Verdict {
    /// Address of the next table.
    Table(u64),
    /// The end, once the descriptor in memory is `wanted`.
    Leaf { leaf: Leaf, wanted: Pte },
}

impl Walk<'_> {
    fn first_stage_fault(&self, kind: FaultKind) -> Fault {
        translation_fault(kind, self.f, self.context, self.req)
    }

    /// `F_WALK_EABT`: always recorded, never stalled; its class differs from the other stage 1 faults'
    /// (`IHI0070 §7.3.12`).
    fn first_stage_abort(&self, fetch_addr: u64) -> Fault {
        Fault {
            class: FaultClass::TableDescriptor,
            fetch_addr,
            action: FaultAction::Abort,
            record: true,
            ..self.first_stage_fault(FaultKind::WalkAbort)
        }
    }

    fn is_nested(&self) -> bool {
        self.context.action() == StreamAction::Nested
    }

    /// Where a descriptor lies in memory, to be read or written.
    fn locate_first(&self, at: u64, write: bool) -> Result<u64, Fault> {
        if !self.is_nested() {
            return Ok(at);
        }
        Ok(self.second_stage(at, Purpose::table(write))?.output(at))
    }

    pub(super) fn first_stage(&self) -> Result<Leaf, Fault> {
        let va = self.req.addr;
        let region = self.context.region(va >> 55 & 1 != 0);
        let input_bits = 64u32.saturating_sub(region.size);
        // A reserved or absent granule is refused with the CD; here it only keeps the arithmetic sound.
        let granule_absent = !self.f.supports_granule(region.granule_log2);
        if !region.enabled || granule_absent || !region.contains(va) {
            return Err(self.first_stage_fault(FaultKind::Translation));
        }
        let granule = region.granule_log2;
        let resolved = input_bits.saturating_sub(granule);
        let levels = resolved.div_ceil(granule.saturating_sub(3).max(1)).clamp(1, 4);
        let level = 4u32.saturating_sub(levels);
        let output_size = self.context.output_size(self.f);
        let mut position = Position::start(region.table, granule, level, input_bits, output_size);
        let order = ByteOrder::new(self.context.cd0().endi());
        let mut limits = TableLimits::default();
        let mut tries = 0u32;
        loop {
            let at = position.descriptor(va);
            let cached =
                if position.level < 3 { self.cache.cached(Stage::First, position.shift, va) } else { None };
            let mut pte = Pte::from(match cached {
                Some(descriptor) => descriptor,
                None => {
                    let host = self.locate_first(at, false)?;
                    self.read(host, order).map_err(|_| self.first_stage_abort(host))?
                }
            });
            // Where an update loses a race, the descriptor that won is judged from the start.
            let next = loop {
                match self.judge_first(pte, &position, granule, limits)? {
                    Verdict::Table(next) => break next,
                    Verdict::Leaf { leaf, wanted } => {
                        if wanted == pte {
                            return Ok(leaf);
                        }
                        // A write, which stage 2 has to allow (`IHI0070 §3.13.5`).
                        let host = self.locate_first(at, true)?;
                        tries = tries.saturating_add(1);
                        if tries > MAX_UPDATES {
                            return Err(self.first_stage_abort(host));
                        }
                        let updates = Updates { accessed: pte.af() == 0, dirtied: pte.ap2() != wanted.ap2() };
                        match self.update(host, order, pte.bits(), wanted.bits(), updates) {
                            Update::Done => return Ok(leaf),
                            Update::Lost(found) => pte = Pte::from(found),
                            Update::Failed => return Err(self.first_stage_abort(host)),
                        }
                    }
                }
            };
            self.cache.remember(Stage::First, position.shift, va, pte.bits());
            if !region.table_attrs_disabled {
                limits.no_unprivileged |= pte.aptable0() != 0;
                limits.read_only |= pte.aptable1() != 0;
                limits.no_privileged_exec |= pte.pxntable() != 0;
                limits.no_unprivileged_exec |= pte.uxntable() != 0;
            }
            position = position.next(next, granule);
        }
    }

    /// What one descriptor means for this access.
    fn judge_first(
        &self,
        pte: Pte,
        position: &Position,
        granule: u32,
        limits: TableLimits,
    ) -> Result<Verdict, Fault> {
        let Position { level, shift, .. } = *position;
        let is_table = pte.table() != 0 && level < 3;
        let is_leaf = (level < 3) == (pte.table() == 0) && self.leaf_allowed(level, granule);
        if pte.valid() == 0 || !(is_table || is_leaf) {
            return Err(self.first_stage_fault(FaultKind::Translation));
        }
        let addr = self.output_address(pte.bits(), granule, if is_table { granule } else { shift });
        if !self.context.output_size(self.f).contains(addr) {
            return Err(self.first_stage_fault(FaultKind::AddressSize));
        }
        if is_table {
            return Ok(Verdict::Table(addr));
        }
        let cd = self.context.cd0();
        let update_access = cd.ha() != 0;
        let update_dirty = update_access && cd.hd() != 0;
        let mut wanted = pte;
        if pte.af() == 0 {
            if update_access {
                wanted = wanted.with_af(1);
            } else if cd.affd() == 0 {
                return Err(self.first_stage_fault(FaultKind::AccessFlag));
            }
        }
        let mut perms = perms::of_leaf(self.f, pte, update_dirty, limits, self.context);
        match perms::refuses(perms, self.access) {
            None => {}
            Some(Refusal::Permission(_)) => return Err(self.first_stage_fault(FaultKind::Permission)),
            Some(Refusal::Clean) => {
                wanted = wanted.with_ap2(0);
                perms = perms.dirtied();
            }
        }
        // There is but one address space at EL2, which every page belongs to.
        let global = pte.ng() == 0 && self.context.world() != StreamWorld::El2;
        let leaf = Leaf { addr, shift, level, granule, global, perms, mair: self.mair(pte.attrindx()) };
        Ok(Verdict::Leaf { leaf, wanted })
    }

    fn mair(&self, index: u64) -> u8 {
        let bytes = self.context.cd3().bits().to_le_bytes();
        usize::try_from(index).ok().and_then(|index| bytes.get(index).copied()).unwrap_or(0)
    }
}
