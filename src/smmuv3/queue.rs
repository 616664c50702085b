// SPDX-License-Identifier: GPL-2.0-or-later
//! Index arithmetic of the circular queues in memory (`IHI0070 §3.5.1`).

use super::spec::registers::QueueBase;
use crate::iommu::narrow::{low8, ones};

/// The largest queue: `2^19` entries (`IHI0070 §6.3.2`).
pub const MAX_LOG2SIZE: u8 = 19;

/// A queue's place and size. Read and write indexes are register values: `log2size` bits of index, and above them the wrap
/// flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    base: u64,
    log2size: u8,
    entry_size: u64,
}

impl Ring {
    /// From a `BASE` register: the size is capped at `max_log2size`, the address at `oas` (a mask of address bits), and
    /// the address is aligned to the larger of the queue's size and 32 bytes (`IHI0070 §6.3.26`).
    pub fn new(base: QueueBase, max_log2size: u8, oas: u64, entry_size: u64) -> Self {
        let log2size = low8(base.log2size()).min(max_log2size).min(MAX_LOG2SIZE);
        let bytes = entry_size.wrapping_shl(u32::from(log2size)).max(32);
        let addr = base.addr().wrapping_shl(5) & oas & !bytes.wrapping_sub(1);
        Self { base: addr, log2size, entry_size }
    }

    /// Number of entries.
    pub fn entries(self) -> u32 {
        1u32.wrapping_shl(u32::from(self.log2size))
    }

    /// The significant bits of an index register: index and wrap flag.
    pub fn pointer(self, register: u32) -> u32 {
        register & self.entries().wrapping_shl(1).wrapping_sub(1)
    }

    /// The pointer after `pointer`.
    pub fn next(self, pointer: u32) -> u32 {
        self.pointer(pointer.wrapping_add(1))
    }

    /// Number of entries between the pointers; more than [`entries`](Self::entries) if they are not consistent.
    pub fn used(self, prod: u32, cons: u32) -> u32 {
        self.pointer(prod.wrapping_sub(cons))
    }

    /// Nothing to consume.
    pub fn is_empty(self, prod: u32, cons: u32) -> bool {
        self.used(prod, cons) == 0
    }

    /// No room to produce. Inconsistent pointers count as full.
    pub fn is_full(self, prod: u32, cons: u32) -> bool {
        self.used(prod, cons) >= self.entries()
    }

    /// Guest-physical address of the entry a pointer names.
    pub fn entry(self, pointer: u32) -> u64 {
        let index = u64::from(pointer) & ones(u32::from(self.log2size));
        self.base.wrapping_add(index.wrapping_mul(self.entry_size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_at_every_size() {
        for log2size in 0..=19u8 {
            let ring = Ring::new(QueueBase::from(0x4000_0000 | u64::from(log2size)), 19, ones(48), 16);
            let entries = 1u32 << log2size;
            assert_eq!(ring.entries(), entries);
            let (mut prod, mut cons) = (0, 0);
            for round in 0..3 {
                assert!(ring.is_empty(prod, cons) && !ring.is_full(prod, cons));
                for n in 0..entries {
                    assert!(!ring.is_full(prod, cons), "size {log2size} round {round}");
                    assert_eq!(ring.entry(prod), 0x4000_0000 + u64::from(n) * 16);
                    prod = ring.next(prod);
                    assert_eq!(ring.used(prod, cons), n + 1);
                }
                assert!(ring.is_full(prod, cons) && !ring.is_empty(prod, cons));
                assert_eq!(prod ^ cons, entries, "full: same index, other wrap flag");
                cons = prod;
            }
            assert_eq!(ring.pointer(u32::MAX), 2 * entries - 1);
        }
    }

    #[test]
    fn base_is_capped_and_aligned() {
        let all = QueueBase::from(u64::MAX);
        let ring = Ring::new(all, 10, ones(44), 32);
        assert_eq!((ring.entries(), ring.entry(0)), (1024, ones(44) & !0x7fff));
        let tiny = Ring::new(QueueBase::from(0x1020), 19, ones(44), 16);
        assert_eq!((tiny.entries(), tiny.entry(0), tiny.entry(1)), (1, 0x1020, 0x1020));
    }
}
