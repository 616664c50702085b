// SPDX-License-Identifier: GPL-2.0-or-later
//! The interrupt entry cache (`VTD §6.1`), which only an adversarial unit has: it shows software that changes an entry
//! and does not invalidate it.

use crate::iommu::context_cache::ContextCache;
use crate::iommu::sequence::{Moment, Sequence};

/// Entries. They are few compared with a table, as in hardware.
const ENTRIES: usize = 256;
/// Words of an entry.
const WORDS: usize = 2;
/// Log2 of the largest table.
const TABLE_LOG2: u32 = 16;

/// What remapping asks of a cache. `()` is none.
pub trait EntryCache {
    /// The words of an entry.
    fn cached(&self, number: u32) -> Option<[u64; 2]>;
    /// The words of an entry that is present and well-formed.
    fn remember(&self, number: u32, words: [u64; 2]);
}

impl EntryCache for () {
    fn cached(&self, _number: u32) -> Option<[u64; 2]> {
        None
    }

    fn remember(&self, _number: u32, _words: [u64; 2]) {}
}

/// A cache that forgets what an invalidation names, and nothing else: a table that is moved does not count
/// (`CAP.ESIRTPS` is 0).
#[derive(Debug)]
pub struct CachedEntries {
    sequence: Sequence,
    entries: ContextCache<WORDS>,
}

/// The cache as one request sees it.
pub struct AtMoment<'a> {
    cache: &'a CachedEntries,
    now: Moment,
}

impl Default for CachedEntries {
    /// An empty cache.
    fn default() -> Self {
        Self { sequence: Sequence::new(), entries: ContextCache::with_stamps(ENTRIES, true, TABLE_LOG2) }
    }
}

impl CachedEntries {
    /// For a request that begins now: it has not looked at registers or memory yet.
    #[must_use]
    pub fn now(&self) -> AtMoment<'_> {
        AtMoment { cache: self, now: self.sequence.now() }
    }

    /// Forgets every entry.
    pub fn invalidate_all(&self) {
        self.entries.invalidate_all(self.sequence.advance());
    }

    /// Forgets the 2^`mask` entries around `index`.
    pub fn invalidate(&self, index: u32, mask: u32) {
        let wild = 1u32.checked_shl(mask).map_or(u32::MAX, |size| size.wrapping_sub(1));
        self.entries.invalidate_streams(self.sequence.advance(), index & !wild, index | wild);
    }
}

impl EntryCache for AtMoment<'_> {
    fn cached(&self, number: u32) -> Option<[u64; 2]> {
        self.cache.entries.lookup(self.now, number, None)
    }

    fn remember(&self, number: u32, words: [u64; 2]) {
        let _ = self.cache.entries.insert(&self.cache.sequence, self.now, (number, None), words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_is_named() {
        let cache = CachedEntries::default();
        let holds = |number| cache.now().cached(number).is_some();
        for number in 0..16 {
            cache.now().remember(number, [number.into(), 7]);
        }
        assert_eq!(cache.now().cached(5), Some([5, 7]));
        cache.invalidate(5, 0);
        assert!(holds(4) && !holds(5) && holds(6));
        cache.invalidate(10, 2);
        assert!(holds(7) && (8..12).all(|number| !holds(number)) && holds(12));
        cache.invalidate(0, 31);
        assert!((0..16).all(|number| !holds(number)));
        cache.now().remember(3, [1, 1]);
        cache.invalidate_all();
        assert!(!holds(3));
    }

    #[test]
    fn what_was_read_before_an_invalidation_is_not_kept() {
        let cache = CachedEntries::default();
        let early = cache.now();
        cache.invalidate(3, 0);
        early.remember(3, [1, 1]);
        assert!(cache.now().cached(3).is_none());
    }
}
