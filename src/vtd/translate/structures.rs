// SPDX-License-Identifier: GPL-2.0-or-later
//! The paging-structure caches: entries that point to tables, as a unit may keep them until an invalidation that is
//! not for leaves only (`VTD §6.2.5`, invalidation hint).
//!
//! Only an adversarial unit has them. They show a driver that frees a table and invalidates its pages, but not the
//! table.

use super::{NO_SPACE, tag};
use crate::iommu::iotlb::{CachedPage, Iotlb, Tag};
use crate::iommu::narrow::{low8, ones};
use crate::iommu::sequence::{Moment, Sequence};
use crate::vtd::config::Context;
use crate::vtd::walk::{Stage, StructureCache};

/// The cache, as one walk sees it.
pub(super) struct Structures<'a> {
    pub cache: &'a Iotlb,
    pub sequence: &'a Sequence,
    /// When the translation began.
    pub now: Moment,
    pub context: &'a Context,
}

impl Structures<'_> {
    fn tag(&self, stage: Stage) -> Tag {
        match stage {
            Stage::First => tag(self.context),
            Stage::Second => Tag { domain: self.context.domain().into(), space: NO_SPACE },
        }
    }
}

impl StructureCache for Structures<'_> {
    fn cached(&self, stage: Stage, shift: u32, input: u64) -> Option<u64> {
        let log2size = low8(shift.into());
        let entry = self.cache.lookup_size(self.now, self.tag(stage), input, log2size, false)?;
        Some(entry.output)
    }

    fn remember(&self, stage: Stage, shift: u32, input: u64, entry: u64) {
        let entry = CachedPage {
            input: input & !ones(shift),
            output: entry,
            log2size: low8(shift.into()),
            global: false,
            kind: 0,
            attributes: 0,
        };
        let _ = self.cache.insert(self.sequence, self.now, self.tag(stage), &entry);
    }
}
