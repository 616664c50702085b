// SPDX-License-Identifier: GPL-2.0-or-later
//! The walk cache: descriptors that point to tables, as a TLB may keep them until an invalidation that is not
//! for leaves only (`IHI0070 §3.17`, `§4.4`).
//!
//! Only an adversarial SMMU has one. It shows a driver that frees a table and invalidates its pages, but not
//! the table. A descriptor of stage 1 under stage 2 is found by its input address, like the pages below it.

use super::{STAGE_2, canonical, granule_kind, is_upper, tag};
use crate::iommu::iotlb::{CachedPage, Iotlb, Tag};
use crate::iommu::narrow::{low8, ones};
use crate::iommu::sequence::{Moment, Sequence};
use crate::smmuv3::config::StreamContext;
use crate::smmuv3::walk::{Stage, TableCache};

/// The walk cache as one walk uses it.
pub(super) struct WalkedTables<'a> {
    pub cache: &'a Iotlb,
    pub sequence: &'a Sequence,
    /// When the translation began.
    pub now: Moment,
    pub context: &'a StreamContext,
}

impl WalkedTables<'_> {
    fn key(&self, stage: Stage, input: u64) -> (Tag, u64) {
        match stage {
            Stage::First => (tag(self.context), canonical(input)),
            Stage::Second => (Tag { domain: u32::from(self.context.vmid()) | STAGE_2, space: 0 }, input),
        }
    }

    fn granule_log2(&self, stage: Stage, input: u64) -> u32 {
        match stage {
            Stage::First => self.context.region(is_upper(input)).granule_log2,
            Stage::Second => self.context.second_stage().granule_log2,
        }
    }
}

impl TableCache for WalkedTables<'_> {
    fn cached(&self, stage: Stage, shift: u32, input: u64) -> Option<u64> {
        let (tag, input) = self.key(stage, input);
        let entry = self.cache.lookup_size(self.now, tag, input, low8(shift.into()), false)?;
        Some(entry.output)
    }

    fn remember(&self, stage: Stage, shift: u32, input: u64, descriptor: u64) {
        let (tag, addr) = self.key(stage, input);
        let entry = CachedPage {
            input: addr & !ones(shift),
            output: descriptor,
            log2size: low8(shift.into()),
            global: false,
            kind: granule_kind(low8(self.granule_log2(stage, input).into())),
            attributes: 0,
        };
        let _ = self.cache.insert(self.sequence, self.now, tag, &entry);
    }
}
