// SPDX-License-Identifier: GPL-2.0-or-later
//! Stage 2 translation: of input addresses, of what stage 1 puts out, and of the places where stage 1's tables and
//! context descriptors lie.

use super::{
    ByteOrder, Fault, FaultAction, FaultClass, FaultKind, Leaf, MAX_UPDATES, PagePerms, Position, Refusal,
    Stage, Update, Updates, Walk, perms, second_stage_fault,
};
use crate::iommu::Access;
use crate::iommu::narrow::ones;
use crate::smmuv3::spec::pte::S2Pte;

/// What an IPA is translated for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purpose {
    class: FaultClass,
    access: Access,
}

impl Purpose {
    /// Fetching an L1CD or CD.
    pub(super) const CONTEXT: Self = Self {
        class: FaultClass::Cd,
        access: Access { read: true, write: false, exec: false, privileged: true },
    };

    /// Reading a stage 1 descriptor, or updating it.
    pub(super) const fn table(write: bool) -> Self {
        let access = Access { read: !write, write, exec: false, privileged: true };
        Self { class: FaultClass::TableDescriptor, access }
    }

    /// The transaction itself.
    pub(super) const fn input(access: Access) -> Self {
        Self { class: FaultClass::Input, access }
    }
}

enum Verdict {
    /// Address of the next table.
    Table(u64),
    /// The end, once the descriptor in memory is `wanted`.
    Leaf { leaf: Leaf, wanted: S2Pte },
}

impl Walk<'_> {
    fn second_fault(&self, kind: FaultKind, ipa: u64, purpose: Purpose) -> Fault {
        Fault {
            class: purpose.class,
            table_read: purpose.class == FaultClass::TableDescriptor && !purpose.access.write,
            ..second_stage_fault(kind, self.f, self.context, self.req, ipa)
        }
    }

    /// `F_WALK_EABT`: always recorded, never stalled (`IHI0070 §7.3.12`).
    fn second_abort(&self, fetch_addr: u64, ipa: u64, purpose: Purpose) -> Fault {
        Fault {
            fetch_addr,
            action: FaultAction::Abort,
            record: true,
            ..self.second_fault(FaultKind::WalkAbort, ipa, purpose)
        }
    }

    /// Translates an IPA.
    pub(super) fn second_stage(&self, ipa: u64, purpose: Purpose) -> Result<Leaf, Fault> {
        let tables = self.context.second_stage();
        let granule = tables.granule_log2;
        let input_bits = 64u32.saturating_sub(tables.size);
        // A start level that does not fit is refused with the STE; here it only keeps the arithmetic sound.
        let level = tables.start_level(self.f).filter(|_| self.f.supports_granule(granule));
        let Some(level) = level.filter(|_| ipa & !ones(input_bits) == 0) else {
            return Err(self.second_fault(FaultKind::Translation, ipa, purpose));
        };
        let output_size = self.context.second_stage_output_size(self.f);
        let mut position = Position::start(tables.table, granule, level, input_bits, output_size);
        let order = ByteOrder::new(self.context.ste2().s2endi());
        let mut tries = 0u32;
        loop {
            let at = position.descriptor(ipa);
            let cached =
                if position.level < 3 { self.cache.cached(Stage::Second, position.shift, ipa) } else { None };
            let mut pte = S2Pte::from(match cached {
                Some(descriptor) => descriptor,
                None => self.read(at, order).map_err(|_| self.second_abort(at, ipa, purpose))?,
            });
            let next = loop {
                match self.judge_second(pte, &position, granule, ipa, purpose)? {
                    Verdict::Table(next) => break next,
                    Verdict::Leaf { leaf, wanted } => {
                        if wanted == pte {
                            return Ok(leaf);
                        }
                        tries = tries.saturating_add(1);
                        if tries > MAX_UPDATES {
                            return Err(self.second_abort(at, ipa, purpose));
                        }
                        let updates =
                            Updates { accessed: pte.af() == 0, dirtied: pte.s2ap1() != wanted.s2ap1() };
                        match self.update(at, order, pte.bits(), wanted.bits(), updates) {
                            Update::Done => return Ok(leaf),
                            Update::Lost(found) => pte = S2Pte::from(found),
                            Update::Failed => return Err(self.second_abort(at, ipa, purpose)),
                        }
                    }
                }
            };
            self.cache.remember(Stage::Second, position.shift, ipa, pte.bits());
            position = position.next(next, granule);
        }
    }

    /// What one descriptor means for this purpose.
    fn judge_second(
        &self,
        pte: S2Pte,
        position: &Position,
        granule: u32,
        ipa: u64,
        purpose: Purpose,
    ) -> Result<Verdict, Fault> {
        let fault = |kind| Err(self.second_fault(kind, ipa, purpose));
        let Position { level, shift, .. } = *position;
        let is_table = pte.table() != 0 && level < 3;
        let is_leaf = (level < 3) == (pte.table() == 0) && self.leaf_allowed(level, granule);
        if pte.valid() == 0 || !(is_table || is_leaf) {
            return fault(FaultKind::Translation);
        }
        let addr = self.output_address(pte.bits(), granule, if is_table { granule } else { shift });
        if !self.context.second_stage_output_size(self.f).contains(addr) {
            return fault(FaultKind::AddressSize);
        }
        if is_table {
            return Ok(Verdict::Table(addr));
        }
        let ste = self.context.ste2();
        let update_access = ste.s2ha() != 0;
        let update_dirty = update_access && ste.s2hd() != 0;
        let mut wanted = pte;
        if pte.af() == 0 {
            if update_access {
                wanted = wanted.with_af(1);
            } else if ste.s2affd() == 0 {
                return fault(FaultKind::AccessFlag);
            }
        }
        if purpose.class != FaultClass::Input && ste.s2ptw() != 0 && self.is_device_memory(pte) {
            return fault(FaultKind::Permission);
        }
        let mut perms = PagePerms::of_second(pte, update_dirty, self.f.xnx);
        match perms::refuses(perms, purpose.access) {
            None => {}
            Some(Refusal::Permission(_)) => {
                let mut fault = self.second_fault(FaultKind::Permission, ipa, purpose);
                if purpose.class == FaultClass::Input {
                    fault.request.access = perms.refused(self.req.access, purpose.access);
                }
                return Err(fault);
            }
            Some(Refusal::Clean) => {
                wanted = wanted.with_s2ap1(1);
                perms = perms.dirtied();
            }
        }
        let leaf = Leaf { addr, shift, level, granule, global: false, perms, mair: 0 };
        Ok(Verdict::Leaf { leaf, wanted })
    }

    /// Any Device type: `MemAttr[3:2]` is zero, or with `S2FWB` `MemAttr[2]`.
    fn is_device_memory(&self, pte: S2Pte) -> bool {
        let normal = if self.f.fwb && self.context.ste1().s2fwb() != 0 { 0b0100 } else { 0b1100 };
        pte.memattr() & normal == 0
    }
}
