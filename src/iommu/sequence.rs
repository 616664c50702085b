// SPDX-License-Identifier: GPL-2.0-or-later
//! The order of invalidations, by which every cache of a model decides what is still true.
//!
//! One counter, advanced at the start of every invalidation. A cache entry remembers its *birth*: the counter
//! before the first table was read for it. Invalidating many entries at once is one store: a *stamp* that says
//! "what was born before this moment is dead". Invalidating single entries removes them from their set, and
//! then a fill that began earlier must not put them back: it publishes only if the counter still is what it
//! was at the entry's birth, and looks at it under the lock of the set.
//!
//! Why that is enough: the guest changes a table before it asks for the invalidation. A fill that sees the
//! counter advanced therefore sees the new table as well. A fill that does not see it holds the set's lock
//! before the invalidation does, so the invalidation finds what it published.

use super::planted::{self, Defect};
use super::sync::{AtomicU64, Ordering, fence, fence_after_update};

/// A point in the order of invalidations; later is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }
}

/// How many invalidations have begun, and how many of them are done. 64 bits do not wrap.
#[derive(Debug)]
#[cfg_attr(not(loom), repr(align(64)))]
pub struct Sequence {
    begun: AtomicU64,
    done: AtomicU64,
}

impl Sequence {
    /// A counter before the first invalidation.
    #[must_use]
    pub fn new() -> Self {
        Self { begun: AtomicU64::new(1), done: AtomicU64::new(1) }
    }

    /// The present moment. What the caller reads from guest memory afterwards is at least as new as
    /// everything the guest had written when it asked for the invalidations up to this moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment(self.begun.load(Ordering::Acquire))
    }

    /// Begins an invalidation. What was born before the moment returned may be stale.
    ///
    /// The fence is one half of a pair with [`stands_at`](Self::stands_at): of an invalidation that advances
    /// and then looks into a set, and a fill that locks the set and then looks at the counter, at least one
    /// sees the other.
    #[must_use = "the moment is what the caches are stamped with"]
    pub fn advance(&self) -> Moment {
        let before = self.begun.fetch_add(1, Ordering::SeqCst);
        fence_after_update();
        Moment(before.wrapping_add(1))
    }

    /// An invalidation that [`advance`](Self::advance) began has reached every cache.
    pub fn finish(&self) {
        self.done.fetch_add(1, Ordering::Release);
    }

    /// An invalidation from its beginning to its end: `forget` stamps the caches with its moment.
    pub(crate) fn invalidate(&self, forget: impl FnOnce(Moment)) {
        forget(self.advance());
        self.finish();
    }

    /// Whether every invalidation that had begun at `now` was done by then: what the caches say from here on is free of
    /// everything that was invalidated up to that moment.
    #[must_use]
    pub fn is_at_rest(&self, now: Moment) -> bool {
        self.done.load(Ordering::Acquire) == now.0
    }

    /// Whether no invalidation has begun since `birth`.
    #[must_use]
    pub fn stands_at(&self, birth: Moment) -> bool {
        fence(Ordering::SeqCst);
        self.begun.load(Ordering::Acquire) == birth.0
    }
}

/// Attempts, before an answer is taken that an invalidation overlapped.
const ATTEMPTS: u32 = 4;

impl Sequence {
    /// The first answer of `attempt` that no invalidation overlaps, or else one of a few: it is that of a hardware walk
    /// that the invalidation overlapped, and was not cached. `repeated` hears of attempts in vain.
    #[inline]
    pub(crate) fn settle<T>(&self, mut attempt: impl FnMut(Moment) -> T, repeated: impl Fn()) -> T {
        for _ in 1..ATTEMPTS {
            let now = self.now();
            let answer = attempt(now);
            if self.stands_at(now) {
                return answer;
            }
            repeated();
        }
        attempt(self.now())
    }
}

impl Default for Sequence {
    fn default() -> Self {
        Self::new()
    }
}

/// "Dead, if born before": the moment of the last invalidation of some kind.
#[derive(Debug)]
pub(crate) struct Stamp(AtomicU64);

impl Stamp {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn raise(&self, at: Moment) {
        if planted::is(Defect::ForgetsStamp) {
            return;
        }
        self.0.fetch_max(at.0, Ordering::AcqRel);
    }

    pub(crate) fn spares(&self, birth: Moment) -> bool {
        birth.0 >= self.0.load(Ordering::Acquire)
    }
}

/// Stamps by number; numbers beyond the table share, which invalidates more and never less.
#[derive(Debug)]
pub(crate) struct Stamps(Box<[Stamp]>);

impl Stamps {
    /// `1 << log2` stamps.
    pub(crate) fn new(log2: u32) -> Self {
        Self((0..1u64.wrapping_shl(log2)).map(|_| Stamp::new()).collect())
    }

    fn stamp(&self, number: u64) -> Option<&Stamp> {
        let mask = self.0.len().wrapping_sub(1);
        // The mask keeps what the conversion may not: only low bits count.
        self.0.get(low_bits(number) & mask)
    }

    /// Whether `number` has a stamp of its own.
    pub(crate) fn is_exact(&self, number: u64) -> bool {
        usize::try_from(number).is_ok_and(|n| n < self.0.len())
    }

    pub(crate) fn raise(&self, number: u64, at: Moment) {
        if let Some(stamp) = self.stamp(number) {
            stamp.raise(at);
        }
    }

    pub(crate) fn spares(&self, number: u64, birth: Moment) -> bool {
        self.stamp(number).is_some_and(|stamp| stamp.spares(birth))
    }
}

/// The low 32 bits as an index that is going to be masked.
pub(crate) fn low_bits(value: u64) -> usize {
    usize::try_from(value & 0xffff_ffff).unwrap_or(0)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_kills_what_is_older() {
        let sequence = Sequence::new();
        let stamp = Stamp::new();
        let early = sequence.now();
        assert!(stamp.spares(early) && sequence.stands_at(early));
        stamp.raise(sequence.advance());
        let late = sequence.now();
        assert!(!stamp.spares(early) && stamp.spares(late));
        assert!(!sequence.stands_at(early) && sequence.stands_at(late));
    }

    #[test]
    fn an_answer_is_settled_or_the_last_of_a_few() {
        let sequence = Sequence::new();
        let repeated = core::cell::Cell::new(0);
        let settle = |storm: u32| {
            let mut attempts = 0;
            let answer = sequence.settle(
                |_| {
                    attempts += 1;
                    if attempts <= storm {
                        let _ = sequence.advance();
                    }
                    attempts
                },
                || repeated.set(repeated.get() + 1),
            );
            (answer, repeated.take())
        };
        assert_eq!((settle(0), settle(2), settle(9)), ((1, 0), (3, 2), (4, 3)));
    }

    #[test]
    fn a_stamp_never_goes_back() {
        let sequence = Sequence::new();
        let first = sequence.advance();
        let second = sequence.advance();
        let stamp = Stamp::new();
        stamp.raise(second);
        stamp.raise(first);
        assert!(!stamp.spares(first) && stamp.spares(second));
    }

    #[test]
    fn numbers_beyond_the_table_share_a_stamp() {
        let sequence = Sequence::new();
        let stamps = Stamps::new(2);
        let early = sequence.now();
        stamps.raise(5, sequence.advance());
        assert!(!stamps.spares(1, early) && stamps.spares(2, early));
        assert!(stamps.is_exact(3) && !stamps.is_exact(4));
    }
}
