// SPDX-License-Identifier: GPL-2.0-or-later
//! Arithmetic of the circular queues in memory (`VTD §6.5.2`, `§7.4.1`): offsets in bytes, one entry always free.

use crate::iommu::narrow::low32;

/// A queue's place, its size and the size of its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    base: u64,
    bytes: u64,
    entry_size: u64,
}

impl Ring {
    /// A queue of `2^log2pages` pages (0 to 7).
    #[must_use]
    pub fn new(base: u64, log2pages: u64, entry_size: u64) -> Self {
        Self { base, bytes: 4096u64.wrapping_shl(low32(log2pages & 7)), entry_size }
    }

    /// Size of an entry in bytes.
    #[must_use]
    pub fn entry_size(self) -> u64 {
        self.entry_size
    }

    /// Whether an offset is that of an entry.
    #[must_use]
    pub fn contains(self, offset: u64) -> bool {
        offset < self.bytes && offset.checked_rem(self.entry_size) == Some(0)
    }

    /// The offset of an entry, of any number.
    #[must_use]
    fn wrap(self, offset: u64) -> u64 {
        offset & self.bytes.wrapping_sub(1) & !self.entry_size.wrapping_sub(1)
    }

    /// The offset after `offset`.
    #[must_use]
    pub fn next(self, offset: u64) -> u64 {
        self.wrap(offset.wrapping_add(self.entry_size))
    }

    /// Number of entries from `head` to before `tail`.
    #[must_use]
    pub fn used(self, head: u64, tail: u64) -> u64 {
        self.wrap(tail.wrapping_sub(self.wrap(head))).checked_div(self.entry_size).unwrap_or(0)
    }

    /// No room for another entry at `tail`.
    #[must_use]
    pub fn is_full(self, head: u64, tail: u64) -> bool {
        self.next(tail) == self.wrap(head)
    }

    /// Guest-physical address of the entry at `offset`.
    #[must_use]
    pub fn entry(self, offset: u64) -> u64 {
        self.base.wrapping_add(self.wrap(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_at_every_size() {
        for log2pages in 0..=7 {
            for entry_size in [16, 32] {
                let ring = Ring::new(0x10_0000, log2pages, entry_size);
                let entries = (4096 << log2pages) / entry_size;
                for start in [0, entries / 2, entries - 1] {
                    let head = start * entry_size;
                    let mut tail = head;
                    for used in 0..entries - 1 {
                        assert_eq!(ring.used(head, tail), used);
                        assert!(!ring.is_full(head, tail) && ring.contains(tail));
                        tail = ring.next(tail);
                    }
                    assert!(ring.is_full(head, tail));
                    assert_eq!(ring.entry(tail), 0x10_0000 + (start + entries - 1) % entries * entry_size);
                }
                assert!(!ring.contains(entries * entry_size) && !ring.contains(8));
            }
        }
        assert!(!Ring::new(0, 0, 32).contains(16), "half a 256-bit descriptor");
    }
}
