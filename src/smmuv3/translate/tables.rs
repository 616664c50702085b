// SPDX-License-Identifier: GPL-2.0-or-later
//! The walk cache: descriptors that point to tables, as a TLB may keep them until an invalidation that is not
//! for leaves only (`IHI0070 §3.17`, `§4.4`).
//!
//! Only an adversarial SMMU has one. It shows a driver that frees a table and invalidates its pages, but not
//! the table.

use core::cell::Cell;

use crate::iommu::iotlb::{CachedPage, Iotlb, Tag};
use crate::iommu::sequence::{Moment, Sequence};
use crate::iommu::{GuestMemory, MemoryError};
use crate::smmuv3::config::Region;
use crate::smmuv3::spec::pte::Pte;

/// Guest memory as one walk sees it, which reads one descriptor a level, from the top: those of tables come
/// from the cache if it has them.
pub(super) struct WalkMemory<'a> {
    pub mem: &'a dyn GuestMemory,
    pub cache: &'a Iotlb,
    pub sequence: &'a Sequence,
    /// When the translation began.
    pub now: Moment,
    pub tag: Tag,
    /// The canonical input address.
    pub addr: u64,
    pub kind: u8,
    pub granule_log2: u32,
    /// Log2 of what the next descriptor maps; the granule's at the last level.
    pub shift: Cell<u32>,
}

/// Log2 of what a descriptor of the first level maps.
pub(super) fn first_shift(region: &Region) -> u32 {
    let granule = region.granule_log2;
    let stride = granule.saturating_sub(3).max(1);
    let resolved = 64u32.saturating_sub(region.size).saturating_sub(granule);
    let levels = resolved.div_ceil(stride).clamp(1, 4);
    granule.saturating_add(stride.saturating_mul(levels.saturating_sub(1)))
}

impl GuestMemory for WalkMemory<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
        self.mem.read(addr, buf)
    }

    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
        self.mem.write(addr, buf)
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        let shift = self.shift.get();
        self.shift.set(shift.saturating_sub(self.granule_log2.saturating_sub(3)));
        if shift <= self.granule_log2 {
            return self.mem.read_u64(addr);
        }
        let log2size = u8::try_from(shift).unwrap_or(0);
        if let Some(entry) = self.cache.lookup_size(self.now, self.tag, self.addr, log2size, false) {
            return Ok(entry.output);
        }
        let descriptor = self.mem.read_u64(addr)?;
        let pte = Pte::from(descriptor);
        if pte.valid() != 0 && pte.table() != 0 {
            let entry = CachedPage {
                input: self.addr,
                output: descriptor,
                log2size,
                global: false,
                kind: self.kind,
                attributes: 0,
            };
            let _ = self.cache.insert(self.sequence, self.now, self.tag, &entry);
        }
        Ok(descriptor)
    }

    fn compare_exchange_u64(
        &self,
        addr: u64,
        current: u64,
        new: u64,
    ) -> Result<Result<(), u64>, MemoryError> {
        self.mem.compare_exchange_u64(addr, current, new)
    }
}
