// SPDX-License-Identifier: GPL-2.0-or-later
//! Event counters that threads add to without passing a cache line back and forth.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Shards of one thread each, and a last one for all other threads.
const SHARDS: usize = 16;
const SHARED: usize = SHARDS - 1;

#[derive(Debug)]
#[repr(align(64))]
struct Shard<const N: usize>([AtomicU64; N]);

/// `N` counters. A reading is not a snapshot: it may miss additions that are being made meanwhile.
#[derive(Debug)]
pub struct Counters<const N: usize>([Shard<N>; SHARDS]);

/// Which shards belong to a thread: a bit each.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// A thread's shard, from when it first counts something until it ends.
struct Place(Cell<usize>);

impl Place {
    const NONE: usize = usize::MAX;

    fn shard(&self) -> usize {
        if self.0.get() == Self::NONE {
            self.0.set(take());
        }
        self.0.get()
    }
}

/// A shard that is free; else the last one.
fn take() -> usize {
    let mut taken = TAKEN.load(Ordering::Relaxed);
    loop {
        let free = usize::try_from(taken.trailing_ones()).map_or(SHARED, |free| free.min(SHARED));
        if free == SHARED {
            return SHARED;
        }
        let wanted = taken | 1usize.wrapping_shl(taken.trailing_ones());
        // What the shard's last owner counted is seen by the next.
        match TAKEN.compare_exchange_weak(taken, wanted, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return free,
            Err(now) => taken = now,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let shard = self.0.get();
        if shard < SHARED {
            TAKEN.fetch_and(!(1 << shard), Ordering::Release);
        }
    }
}

thread_local! {
    static PLACE: Place = const { Place(Cell::new(Place::NONE)) };
}

fn shard_of_this_thread() -> usize {
    PLACE.try_with(Place::shard).unwrap_or(SHARED)
}

impl<const N: usize> Counters<N> {
    /// All zero.
    #[must_use]
    pub fn new() -> Self {
        Self(core::array::from_fn(|_| Shard(core::array::from_fn(|_| AtomicU64::new(0)))))
    }

    /// Adds one to a counter; numbers beyond `N` are ignored.
    pub fn count(&self, counter: usize) {
        let shard = shard_of_this_thread();
        let Some(counter) = self.0.get(shard).and_then(|shard| shard.0.get(counter)) else { return };
        if shard == SHARED {
            counter.fetch_add(1, Ordering::Relaxed);
        } else {
            // Nobody else writes here: a third of what an atomic addition costs.
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Every counter's sum.
    #[must_use]
    pub fn read(&self) -> [u64; N] {
        let mut sums = [0u64; N];
        for shard in &self.0 {
            for (sum, counter) in sums.iter_mut().zip(&shard.0) {
                *sum = sum.wrapping_add(counter.load(Ordering::Relaxed));
            }
        }
        sums
    }
}

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_summed_up() {
        let counters = Counters::<2>::new();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..1000).for_each(|_| counters.count(1)));
            }
        });
        counters.count(2);
        assert_eq!(counters.read(), [0, 20_000]);
    }
}
