// SPDX-License-Identifier: GPL-2.0-or-later
//! The address translation cache (`PCIe §10.1.1`): what ATS answered and no invalidation has taken back.

use super::port::AtsTranslation;
use crate::iommu::Access;

/// Entries of the cache.
pub const ENTRIES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    pasid: Option<u32>,
    privileged: bool,
    translation: AtsTranslation,
}

/// A small, fully associative cache with round-robin replacement.
#[derive(Clone, Debug)]
pub struct TranslationCache {
    entries: [Option<Entry>; ENTRIES],
    victim: usize,
}

impl Default for TranslationCache {
    fn default() -> Self {
        Self { entries: [None; ENTRIES], victim: 0 }
    }
}

impl AtsTranslation {
    /// Whether it allows `access`.
    #[must_use]
    pub fn allows(&self, access: Access) -> bool {
        (!access.read || access.exec || self.read)
            && (!access.write || self.write)
            && (!access.exec || self.exec)
    }

    /// The translated address of `addr`, when it is covered.
    #[must_use]
    pub fn output_of(&self, addr: u64) -> Option<u64> {
        (addr & !self.mask == self.input & !self.mask)
            .then_some((self.output & !self.mask) | (addr & self.mask))
    }
}

impl TranslationCache {
    /// The translated address of an access, if the cache has it with enough permission.
    #[must_use]
    pub fn lookup(&self, pasid: Option<u32>, addr: u64, access: Access) -> Option<u64> {
        self.entries
            .iter()
            .flatten()
            .filter(|entry| entry.pasid == pasid && entry.privileged == access.privileged)
            .filter(|entry| entry.translation.allows(access))
            .find_map(|entry| entry.translation.output_of(addr))
    }

    /// Keeps an answer.
    pub fn insert(&mut self, pasid: Option<u32>, privileged: bool, translation: AtsTranslation) {
        let new = Entry { pasid, privileged, translation };
        // What the new answer covers, the old one of the same space may no longer say.
        for slot in &mut self.entries {
            if slot.is_some_and(|old| {
                old.pasid == pasid
                    && old.privileged == privileged
                    && overlaps(&old.translation, translation.input, translation.mask)
            }) {
                *slot = None;
            }
        }
        if let Some(slot) = self.entries.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(new);
        } else if let Some(slot) = self.entries.get_mut(self.victim) {
            *slot = Some(new);
            self.victim = self.victim.wrapping_add(1) % ENTRIES;
        }
    }

    /// Forgets what overlaps `addr & !mask ..= addr | mask` of `pasid`.
    pub fn invalidate(&mut self, pasid: Option<u32>, addr: u64, mask: u64) {
        for slot in &mut self.entries {
            if slot.is_some_and(|entry| entry.pasid == pasid && overlaps(&entry.translation, addr, mask)) {
                *slot = None;
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries = [None; ENTRIES];
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
}

fn overlaps(translation: &AtsTranslation, addr: u64, mask: u64) -> bool {
    let wider = translation.mask | mask;
    translation.input & !wider == addr & !wider
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Access = Access { read: true, write: false, exec: false, privileged: false };
    const WRITE: Access = Access { read: false, write: true, exec: false, privileged: false };

    fn page(input: u64, output: u64) -> AtsTranslation {
        AtsTranslation { input, output, mask: 0xfff, read: true, write: false, exec: false }
    }

    #[test]
    fn map_use_invalidate() {
        let mut cache = TranslationCache::default();
        cache.insert(Some(1), false, page(0x1000, 0x8000));
        assert_eq!(cache.lookup(Some(1), 0x1234, READ), Some(0x8234));
        assert_eq!(cache.lookup(Some(1), 0x1234, WRITE), None);
        assert_eq!(cache.lookup(Some(2), 0x1234, READ), None);
        assert_eq!(cache.lookup(None, 0x1234, READ), None);
        assert_eq!(cache.lookup(Some(1), 0x1234, Access { privileged: true, ..READ }), None);
        assert_eq!(cache.lookup(Some(1), 0x1234, Access { exec: true, ..READ }), None);

        cache.invalidate(Some(1), 0x2000, 0xfff);
        cache.invalidate(Some(2), 0x1000, 0xfff);
        cache.invalidate(None, 0, u64::MAX);
        assert_eq!(cache.lookup(Some(1), 0x1234, READ), Some(0x8234));
        cache.invalidate(Some(1), 0x0, 0xffff);
        assert_eq!(cache.lookup(Some(1), 0x1234, READ), None);
    }

    #[test]
    fn a_page_inside_a_block_takes_the_block() {
        let mut cache = TranslationCache::default();
        cache.insert(None, false, AtsTranslation { mask: 0x1f_ffff, ..page(0x20_0000, 0x40_0000) });
        assert_eq!(cache.lookup(None, 0x21_2345, READ), Some(0x41_2345));
        cache.invalidate(None, 0x21_0000, 0xfff);
        assert!(cache.is_empty());
    }

    #[test]
    fn a_new_answer_replaces_the_old_one() {
        let mut cache = TranslationCache::default();
        cache.insert(None, false, page(0x1000, 0x8000));
        cache.insert(None, false, AtsTranslation { write: true, ..page(0x1000, 0x9000) });
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.lookup(None, 0x1000, READ), Some(0x9000));
        for index in 0..200 {
            cache.insert(None, false, page(0x10_0000 + index * 0x1000, 0));
        }
        assert_eq!(cache.len(), ENTRIES);
    }
}
