// SPDX-License-Identifier: GPL-2.0-or-later
//! Event counters that threads add to without passing a cache line back and forth.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const SHARDS: usize = 16;

#[derive(Debug)]
#[repr(align(64))]
struct Shard<const N: usize>([AtomicU64; N]);

/// `N` counters. A reading is not a snapshot: it may miss additions that are being made meanwhile.
#[derive(Debug)]
pub struct Counters<const N: usize>([Shard<N>; SHARDS]);

static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Threads take the shards in turn, when they first count something.
fn shard_of_this_thread() -> usize {
    SHARD
        .try_with(|shard| {
            if shard.get() == usize::MAX {
                shard.set(NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARDS);
            }
            shard.get()
        })
        .unwrap_or(0)
}

impl<const N: usize> Counters<N> {
    /// All zero.
    #[must_use]
    pub fn new() -> Self {
        Self(core::array::from_fn(|_| Shard(core::array::from_fn(|_| AtomicU64::new(0)))))
    }

    /// Adds one to a counter; numbers beyond `N` are ignored.
    pub fn count(&self, counter: usize) {
        if let Some(counter) = self.0.get(shard_of_this_thread()).and_then(|shard| shard.0.get(counter)) {
            counter.fetch_add(1, Ordering::Relaxed);
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
