// SPDX-License-Identifier: GPL-2.0-or-later
//! A fixed-size set-associative table made of atomics: lookups take no lock, a writer locks one set.
//!
//! Each set has a version word. Its lowest bit is the writers' lock; a reader that finds it set, or finds
//! another version after reading than before, has found nothing. A miss costs a walk and is always right, so
//! nobody waits: neither a reader nor a fill. Only invalidation waits, and not for ever.

use super::planted::{self, Defect};
use super::sequence::{Moment, Sequence, low_bits};
use super::sync::{AtomicU64, Ordering, fence, spin_loop};

/// Entries a set holds.
pub(crate) const WAYS: usize = 4;
const LOCKED: u64 = 1;
const ALL_WAYS: u64 = (1 << WAYS) - 1;

/// How often an invalidation looks at a locked set before it gives up, and the caller invalidates more than
/// it wanted. A fill holds the lock for some tens of stores.
#[cfg(not(loom))]
const PATIENCE: u32 = 1 << 14;
#[cfg(loom)]
const PATIENCE: u32 = 2;

/// What an entry is found by. The second word is not zero.
pub(crate) type Key = [u64; 2];

#[derive(Debug)]
struct Entry<const V: usize> {
    key: [AtomicU64; 2],
    birth: AtomicU64,
    value: [AtomicU64; V],
}

impl<const V: usize> Entry<V> {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { key: [zero(), zero()], birth: zero(), value: core::array::from_fn(|_| zero()) }
    }

    fn key(&self) -> Key {
        let [first, second] = &self.key;
        [first.load(Ordering::Relaxed), second.load(Ordering::Relaxed)]
    }

    fn has_key(&self, key: Key) -> bool {
        let [first, second] = &self.key;
        let [wanted_first, wanted_second] = key;
        second.load(Ordering::Relaxed) == wanted_second && first.load(Ordering::Relaxed) == wanted_first
    }

    fn is_empty(&self) -> bool {
        let [_, second] = &self.key;
        second.load(Ordering::Relaxed) == 0
    }

    fn birth(&self) -> Moment {
        Moment::from_bits(self.birth.load(Ordering::Relaxed))
    }

    fn value(&self) -> [u64; V] {
        self.value.each_ref().map(|word| word.load(Ordering::Relaxed))
    }

    fn write(&self, key: Key, birth: Moment, value: [u64; V]) {
        for (word, new) in self.key.iter().zip(key) {
            word.store(new, Ordering::Relaxed);
        }
        self.birth.store(birth.bits(), Ordering::Relaxed);
        for (word, new) in self.value.iter().zip(value) {
            word.store(new, Ordering::Relaxed);
        }
    }

    fn clear(&self) {
        for word in &self.key {
            word.store(0, Ordering::Relaxed);
        }
    }
}

#[derive(Debug)]
#[cfg_attr(not(loom), repr(align(64)))]
struct Set<const V: usize> {
    /// Bit 0: locked. The rest counts changes.
    version: AtomicU64,
    /// A bit for each way that was hit since it was last passed over for eviction.
    used: AtomicU64,
    ways: [Entry<V>; WAYS],
}

/// The lock of a set, with what its version was.
struct Guard<'a, const V: usize> {
    set: &'a Set<V>,
    before: u64,
    changed: bool,
}

impl<const V: usize> Guard<'_, V> {
    /// To be called before the first store to an entry.
    fn change(&mut self) {
        if !self.changed {
            self.changed = true;
            // A reader that sees one of the stores to come also sees the lock.
            fence(Ordering::Release);
        }
    }
}

impl<const V: usize> Drop for Guard<'_, V> {
    fn drop(&mut self) {
        let step = if self.changed { 2 } else { 0 };
        self.set.version.store(self.before.wrapping_add(step), Ordering::Release);
    }
}

impl<const V: usize> Set<V> {
    fn new() -> Self {
        Self {
            version: AtomicU64::new(0),
            used: AtomicU64::new(0),
            ways: core::array::from_fn(|_| Entry::new()),
        }
    }

    fn try_lock(&self) -> Option<Guard<'_, V>> {
        let before = self.version.load(Ordering::Relaxed);
        if before & LOCKED != 0 {
            return None;
        }
        self.version.compare_exchange(before, before | LOCKED, Ordering::SeqCst, Ordering::Relaxed).ok()?;
        Some(Guard { set: self, before, changed: false })
    }

    fn lock(&self) -> Option<Guard<'_, V>> {
        for _ in 0..PATIENCE {
            if let Some(guard) = self.try_lock() {
                return Some(guard);
            }
            spin_loop();
        }
        None
    }

    /// The way that a new entry takes: one that nobody misses, else the next that was not used lately.
    fn victim(&self, before: u64, dead: impl Fn(Key, Moment) -> bool) -> usize {
        if let Some(way) = self.ways.iter().position(|e| e.is_empty() || dead(e.key(), e.birth())) {
            return way;
        }
        let used = self.used.load(Ordering::Relaxed) & ALL_WAYS;
        let hand = low_bits(before >> 1) % WAYS;
        let unused = (0..WAYS).map(|n| hand.wrapping_add(n) % WAYS).find(|way| used & bit(*way) == 0);
        unused.unwrap_or_else(|| {
            // Everybody had a first chance.
            self.used.store(0, Ordering::Relaxed);
            hand
        })
    }
}

fn bit(way: usize) -> u64 {
    if way < WAYS { 1 << way } else { 0 }
}

/// The table. `V` is the number of value words of an entry.
#[derive(Debug)]
pub(crate) struct SetCache<const V: usize> {
    sets: Box<[Set<V>]>,
}

impl<const V: usize> SetCache<V> {
    /// Room for `entries`, rounded up to a power of two that is at least one set. Nothing is allocated later.
    pub(crate) fn new(entries: usize) -> Self {
        let sets = entries.div_ceil(WAYS).max(1).checked_next_power_of_two().unwrap_or(1);
        Self { sets: (0..sets).map(|_| Set::new()).collect() }
    }

    /// How many sets there are: a power of two.
    pub(crate) fn sets(&self) -> usize {
        self.sets.len()
    }

    fn set(&self, index: u64) -> Option<&Set<V>> {
        self.sets.get(low_bits(index) & self.sets.len().wrapping_sub(1))
    }

    /// The entry with that key in the set that `index` falls into. Never waits.
    ///
    /// Inlined, as are its callers: a value that is returned through memory costs more than the lookup.
    #[inline(always)]
    pub(crate) fn find(&self, index: u64, key: Key) -> Option<(Moment, [u64; V])> {
        let set = self.set(index)?;
        let before = set.version.load(Ordering::Acquire);
        if before & LOCKED != 0 {
            return None;
        }
        let (way, entry) = set.ways.iter().enumerate().find(|(_, entry)| entry.has_key(key))?;
        let found = (entry.birth(), entry.value());
        fence(Ordering::Acquire);
        if set.version.load(Ordering::Relaxed) != before && !planted::is(Defect::ReadsTorn) {
            return None;
        }
        if set.used.load(Ordering::Relaxed) & bit(way) == 0 {
            set.used.fetch_or(bit(way), Ordering::Relaxed);
        }
        Some(found)
    }

    /// Enters what was read since `birth`, unless an invalidation has begun since, or somebody else is
    /// writing to the set. Replaces the entry with the same key, or one that is `dead`, before a live one.
    pub(crate) fn publish(
        &self,
        index: u64,
        key: Key,
        (sequence, birth): (&Sequence, Moment),
        value: [u64; V],
        dead: impl Fn(Key, Moment) -> bool,
    ) -> bool {
        let Some(set) = self.set(index) else { return false };
        let Some(mut guard) = set.try_lock() else { return false };
        if !sequence.stands_at(birth) && !planted::is(Defect::FillsLate) {
            return false;
        }
        let same = set.ways.iter().position(|entry| entry.has_key(key));
        let way = same.unwrap_or_else(|| set.victim(guard.before, dead));
        let Some(entry) = set.ways.get(way) else { return false };
        guard.change();
        entry.write(key, birth, value);
        // Only a hit earns the newcomer its second chance: a stream of pages used once pushes nobody out.
        set.used.fetch_and(!bit(way), Ordering::Relaxed);
        true
    }

    /// Removes the entries of one set that are `doomed`. `false`: somebody kept the set locked, and nothing
    /// is known about it.
    ///
    /// Must follow [`Sequence::advance`], whose fence makes the first look sufficient: a fill that it
    /// does not see, sees the sequence advanced and publishes nothing.
    pub(crate) fn remove(&self, index: u64, doomed: impl Fn(Key, [u64; V]) -> bool) -> bool {
        let Some(set) = self.set(index) else { return true };
        let doomed = |entry: &Entry<V>| !entry.is_empty() && doomed(entry.key(), entry.value());
        if set.version.load(Ordering::Acquire) & LOCKED == 0 && !set.ways.iter().any(doomed) {
            return true;
        }
        let Some(mut guard) = set.lock() else { return false };
        for entry in set.ways.iter().filter(|entry| doomed(entry)) {
            guard.change();
            entry.clear();
        }
        true
    }

    /// [`remove`](Self::remove) over the whole table; `false` if some set was locked.
    pub(crate) fn remove_everywhere(&self, doomed: impl Fn(Key, [u64; V]) -> bool) -> bool {
        let mut complete = true;
        for index in 0..self.sets.len() {
            complete &= u64::try_from(index).is_ok_and(|index| self.remove(index, &doomed));
        }
        complete
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
