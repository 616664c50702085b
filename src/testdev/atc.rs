// SPDX-License-Identifier: GPL-2.0-or-later
//! The address translation cache (`PCIe §10.1.1`): what ATS answered and no invalidation has taken back.

use super::port::{AtsTranslation, Invalidation, Route};
use crate::iommu::Access;

/// Most entries that a cache may have.
pub const MAX_ENTRIES: u16 = 1024;

/// A translation, and for whom it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address space that it was asked for.
    pub pasid: Option<u32>,
    /// What was answered. Both addresses are multiples of its size.
    pub translation: AtsTranslation,
}

impl Entry {
    /// Whether it serves requests of `pasid`.
    fn serves(&self, pasid: Option<u32>) -> bool {
        self.pasid == pasid || self.translation.global && pasid.is_some()
    }

    /// Whether software that says this is gone may mean the entry. A global one is everybody's.
    fn is_hit_by(&self, invalidation: &Invalidation) -> bool {
        (invalidation.all_pasids || self.serves(invalidation.pasid))
            && overlaps(&self.translation, invalidation.addr, invalidation.mask)
    }
}

/// A small, fully associative cache with round-robin replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslationCache {
    entries: Box<[Option<Entry>]>,
    victim: u16,
}

impl Invalidation {
    /// Whether it takes an answer that was on its way to `pasid`.
    #[must_use]
    pub fn takes(&self, pasid: Option<u32>, translation: &AtsTranslation) -> bool {
        Entry { pasid, translation: *translation }.is_hit_by(self)
    }
}

impl TranslationCache {
    /// A cache of so many entries, at most [`MAX_ENTRIES`]; none: it never holds anything.
    #[must_use]
    pub fn new(entries: u16) -> Self {
        let entries = vec![None; usize::from(entries.min(MAX_ENTRIES))].into_boxed_slice();
        Self { entries, victim: 0 }
    }

    /// How many entries there are.
    #[must_use]
    pub fn capacity(&self) -> u16 {
        u16::try_from(self.entries.len()).unwrap_or(MAX_ENTRIES)
    }

    /// How an access goes on, if the cache has its address with enough permission.
    #[must_use]
    pub fn lookup(&self, pasid: Option<u32>, addr: u64, access: Access) -> Option<Route> {
        self.entries
            .iter()
            .flatten()
            .filter(|entry| entry.serves(pasid) && entry.translation.allows(access))
            .find_map(|entry| entry.translation.route_of(addr))
    }

    /// Keeps an answer.
    pub fn insert(&mut self, pasid: Option<u32>, answer: AtsTranslation) {
        let mask = answer.mask;
        let translation = AtsTranslation {
            input: answer.input & !mask,
            output: answer.output & !mask,
            // Requests without PASID have nothing to share.
            global: answer.global && pasid.is_some(),
            ..answer
        };
        let new = Entry { pasid, translation };
        // What the new answer covers, the old one of the same space may no longer say.
        for slot in &mut self.entries {
            if slot.is_some_and(|old| {
                old.pasid == pasid
                    && old.translation.privileged == answer.privileged
                    && overlaps(&old.translation, translation.input, mask)
            }) {
                *slot = None;
            }
        }
        let capacity = self.capacity();
        if let Some(slot) = self.entries.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(new);
        } else if let Some(slot) = self.entries.get_mut(usize::from(self.victim)) {
            *slot = Some(new);
            self.victim = self.victim.wrapping_add(1).checked_rem(capacity).unwrap_or(0);
        }
    }

    /// Forgets what an invalidation takes; how many entries that were.
    pub fn invalidate(&mut self, invalidation: &Invalidation) -> u64 {
        let mut taken = 0u64;
        for slot in &mut self.entries {
            if slot.is_some_and(|entry| entry.is_hit_by(invalidation)) {
                *slot = None;
                taken = taken.saturating_add(1);
            }
        }
        taken
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.fill(None);
    }

    /// Entries in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.iter().flatten().count()
    }

    /// Whether nothing is cached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry at an index.
    #[must_use]
    pub fn get(&self, index: u16) -> Option<Entry> {
        self.entries.get(usize::from(index)).copied().flatten()
    }

    /// The entries in use, with their indices.
    pub fn used(&self) -> impl Iterator<Item = (u16, Entry)> + '_ {
        (0u16..).zip(self.entries.iter()).filter_map(|(index, entry)| Some((index, (*entry)?)))
    }

    /// The entry that is replaced next.
    #[must_use]
    pub fn victim(&self) -> u16 {
        self.victim
    }

    /// Sets the entry that is replaced next; `false` when there is no such entry.
    pub fn set_victim(&mut self, victim: u16) -> bool {
        self.victim = victim;
        victim < self.capacity().max(1)
    }

    /// Sets one entry of a loaded state; `false` when there is no such entry, or it is in use already.
    pub fn set_entry(&mut self, index: u16, entry: Entry) -> bool {
        match self.entries.get_mut(usize::from(index)) {
            Some(slot) if slot.is_none() => {
                *slot = Some(entry);
                true
            }
            _ => false,
        }
    }
}

/// Whether a range of `mask` + 1 bytes, rounded up to a power of two, touches a translation.
fn overlaps(translation: &AtsTranslation, addr: u64, mask: u64) -> bool {
    let smear = u64::MAX.checked_shr(mask.leading_zeros()).unwrap_or(0);
    let wider = translation.mask | smear;
    translation.input & !wider == addr & !wider
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Access = Access { read: true, write: false, exec: false, privileged: false };
    const WRITE: Access = Access { read: false, write: true, exec: false, privileged: false };

    fn page(input: u64, output: u64) -> AtsTranslation {
        AtsTranslation {
            input,
            output,
            mask: 0xfff,
            read: true,
            write: false,
            exec: false,
            privileged: false,
            global: false,
            untranslated_only: false,
        }
    }

    fn to(addr: u64) -> Option<Route> {
        Some(Route::Translated(addr))
    }

    fn gone(pasid: Option<u32>, addr: u64, mask: u64) -> Invalidation {
        Invalidation { pasid, all_pasids: false, addr, mask }
    }

    #[test]
    fn map_use_invalidate() {
        let mut cache = TranslationCache::new(64);
        cache.insert(Some(1), page(0x1000, 0x8000));
        assert_eq!(cache.lookup(Some(1), 0x1234, READ), to(0x8234));
        assert_eq!(cache.lookup(Some(1), 0x1234, WRITE), None);
        assert_eq!(cache.lookup(Some(2), 0x1234, READ), None);
        assert_eq!(cache.lookup(None, 0x1234, READ), None);
        assert_eq!(cache.lookup(Some(1), 0x1234, Access { privileged: true, ..READ }), None);
        assert_eq!(cache.lookup(Some(1), 0x1234, Access { exec: true, ..READ }), None);

        assert_eq!(cache.invalidate(&gone(Some(1), 0x2000, 0xfff)), 0);
        assert_eq!(cache.invalidate(&gone(Some(2), 0x1000, 0xfff)), 0);
        assert_eq!(cache.invalidate(&gone(None, 0, u64::MAX)), 0);
        assert_eq!(cache.lookup(Some(1), 0x1234, READ), to(0x8234));
        assert_eq!(cache.invalidate(&gone(Some(1), 0x0, 0xffff)), 1);
        assert_eq!(cache.lookup(Some(1), 0x1234, READ), None);
    }

    #[test]
    fn a_page_inside_a_block_takes_the_block() {
        let mut cache = TranslationCache::new(64);
        cache.insert(None, AtsTranslation { mask: 0x1f_ffff, ..page(0x23_0000, 0x45_0000) });
        assert_eq!(cache.lookup(None, 0x21_2345, READ), to(0x41_2345));
        let kept = cache.get(0).unwrap().translation;
        assert_eq!((kept.input, kept.output), (0x20_0000, 0x40_0000));
        assert_eq!(cache.invalidate(&gone(None, 0x40_0000, 0xfff)), 0, "the block after it");
        cache.invalidate(&gone(None, 0x21_0000, 0xfff));
        assert!(cache.is_empty());
    }

    #[test]
    fn ranges_are_exact() {
        let mut cache = TranslationCache::new(64);
        for n in 0..8 {
            cache.insert(Some(1), page(n * 0x1000, 0x10_0000));
        }
        assert_eq!(cache.invalidate(&gone(Some(1), 0x3000, 0x1fff)), 2, "2 and 3");
        let left: Vec<u64> = cache.used().map(|(_, entry)| entry.translation.input >> 12).collect();
        assert_eq!(left, [0, 1, 4, 5, 6, 7]);
        assert_eq!(cache.invalidate(&gone(Some(1), 0x5000, u64::MAX)), 6);
    }

    #[test]
    fn global_is_everybodys() {
        let mut cache = TranslationCache::new(64);
        let global = AtsTranslation { global: true, ..page(0x1000, 0x8000) };
        cache.insert(Some(1), global);
        assert_eq!(cache.lookup(Some(2), 0x1000, READ), to(0x8000));
        assert_eq!(cache.lookup(None, 0x1000, READ), None, "but for requests without PASID");
        assert_eq!(cache.invalidate(&gone(Some(2), 0x1000, 0xfff)), 1);
        cache.insert(None, global);
        assert_eq!(cache.lookup(Some(2), 0x1000, READ), None);
        for pasid in 0..4 {
            cache.insert(Some(pasid), page(0x1000, 0x8000));
        }
        let all = Invalidation { all_pasids: true, ..gone(None, 0x1000, 0xfff) };
        assert_eq!(cache.invalidate(&all), 5);
    }

    #[test]
    fn a_new_answer_replaces_the_old_one() {
        let mut cache = TranslationCache::new(64);
        cache.insert(None, page(0x1000, 0x8000));
        cache.insert(None, AtsTranslation { write: true, ..page(0x1000, 0x9000) });
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.lookup(None, 0x1000, READ), to(0x9000));
        for index in 0..200 {
            cache.insert(None, page(0x10_0000 + index * 0x1000, 0));
        }
        assert_eq!(cache.len(), 64);
        assert_eq!(cache.lookup(None, 0x10_0000 + 199 * 0x1000, READ), to(0));
    }

    #[test]
    fn permissions_are_for_those_that_the_answer_says() {
        let privileged = Access { privileged: true, ..READ };
        let mut cache = TranslationCache::new(64);
        cache.insert(Some(1), AtsTranslation { privileged: true, ..page(0x1000, 0x8000) });
        assert_eq!(cache.lookup(Some(1), 0x1000, READ), None);
        assert_eq!(cache.lookup(Some(1), 0x1000, privileged), to(0x8000));
        // Beside it, and not in its place.
        cache.insert(Some(1), page(0x1000, 0x9000));
        assert_eq!(cache.lookup(Some(1), 0x1000, READ), to(0x9000));
        assert_eq!(cache.lookup(Some(1), 0x1000, privileged), to(0x8000));
    }

    #[test]
    fn what_only_untranslated_requests_reach() {
        let mut cache = TranslationCache::new(64);
        cache.insert(None, AtsTranslation { untranslated_only: true, ..page(0x1000, 0) });
        assert_eq!(cache.lookup(None, 0x1234, READ), Some(Route::Untranslated));
        assert_eq!(cache.lookup(None, 0x1234, WRITE), None, "no permission is no permission");
        assert_eq!(cache.lookup(None, 0x2000, READ), None);
        assert_eq!(cache.invalidate(&gone(None, 0x1000, 0xfff)), 1);
    }

    #[test]
    fn sizes() {
        let mut none = TranslationCache::new(0);
        none.insert(None, page(0x1000, 0x8000));
        assert_eq!((none.len(), none.lookup(None, 0x1000, READ)), (0, None));
        let mut one = TranslationCache::new(1);
        one.insert(None, page(0x1000, 0x8000));
        one.insert(None, page(0x2000, 0x9000));
        assert_eq!(one.lookup(None, 0x1000, READ), None);
        assert_eq!(one.lookup(None, 0x2000, READ), to(0x9000));
        assert_eq!(TranslationCache::new(u16::MAX).capacity(), MAX_ENTRIES);
    }
}
