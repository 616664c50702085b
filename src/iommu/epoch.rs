// SPDX-License-Identifier: GPL-2.0-or-later
//! Accesses in flight: what a CMD_SYNC waits for (`IHI0070 §4.7.3`), and an invalidation wait descriptor (`VTD §6.5.2.8`).
//!
//! An access is in flight from before its translation reads the first cache or table until the endpoint has moved the data
//! and says so. Two counters take turns: accesses count in the current one, and whoever waits makes the other one
//! current and waits until the first is empty. Accesses that begin meanwhile are not waited for, so that a busy endpoint
//! cannot hold a waiter up.

use crate::iommu::planted::{self, Defect};
use crate::iommu::sync::{AtomicU64, Ordering, fence, fence_after_update};

/// Two counters and whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    turn: AtomicU64,
    active: [AtomicU64; 2],
    /// 1: the waiter has made its counter the other one.
    flipped: AtomicU64,
    /// 1: somebody waits.
    waiting: AtomicU64,
}

impl Epochs {
    fn counter(&self, turn: u64) -> &AtomicU64 {
        let [even, odd] = &self.active;
        if turn & 1 == 0 { even } else { odd }
    }

    fn leave(&self, turn: u64) -> bool {
        let before =
            self.counter(turn).fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
        // The two are sequentially consistent, of which loom knows only the fences.
        #[cfg(loom)]
        fence(Ordering::SeqCst);
        before == Ok(1) && self.waiting.load(Ordering::SeqCst) != 0
    }

    /// An access begins. Returns its epoch, for [`end`](Self::end).
    ///
    /// The turn may have changed meanwhile. Then this one counts among the old, and a waiter that need not would wait for
    /// it: no harm, as every waiter sees both counters empty.
    pub fn begin(&self) -> u64 {
        let turn = self.turn.load(Ordering::SeqCst);
        self.counter(turn).fetch_add(1, Ordering::SeqCst);
        // Caches and tables are read after this, and a waiter reads the counter after it invalidated.
        if !planted::is(Defect::BeginsUnordered) {
            fence_after_update();
        }
        turn
    }

    /// The access of that epoch has ended. `true`: somebody waits, and may have nothing more to wait for.
    pub fn end(&self, epoch: u64) -> bool {
        self.leave(epoch)
    }

    /// Whether every access that began before the first call of a series has ended. After `false`, calls go on as one
    /// series until `true`. One waiter at a time.
    pub fn quiesced(&self) -> bool {
        // Nobody at all is in flight, which is what is usually found. The caller has invalidated: who begins after these
        // two looks sees that, and who began before is in one of them.
        fence(Ordering::SeqCst);
        if self.flipped.load(Ordering::SeqCst) == 0
            && self
                .active
                .iter()
                .skip(usize::from(planted::is(Defect::WaitsForHalf)))
                .all(|active| active.load(Ordering::SeqCst) == 0)
        {
            self.abandon();
            return true;
        }
        self.waiting.store(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let mut turn = self.turn.load(Ordering::SeqCst);
        if self.flipped.load(Ordering::SeqCst) == 0 {
            // Those that counted late, and what an abandoned series left behind, come first.
            if self.counter(turn.wrapping_add(1)).load(Ordering::SeqCst) != 0 {
                return false;
            }
            turn = turn.wrapping_add(1);
            self.turn.store(turn, Ordering::SeqCst);
            self.flipped.store(1, Ordering::SeqCst);
            fence(Ordering::SeqCst);
        }
        if self.counter(turn.wrapping_sub(1)).load(Ordering::SeqCst) != 0 {
            return false;
        }
        self.abandon();
        true
    }

    /// The waiter gives up; a later one starts a series of its own.
    pub fn abandon(&self) {
        for word in [&self.flipped, &self.waiting] {
            // Only waiters write here, and mostly there is nothing to write.
            if word.load(Ordering::SeqCst) != 0 {
                word.store(0, Ordering::SeqCst);
            }
        }
    }

    /// Number of accesses in flight.
    #[cfg(test)]
    pub fn in_flight(&self) -> u64 {
        let [even, odd] = &self.active;
        even.load(Ordering::SeqCst).wrapping_add(odd.load(Ordering::SeqCst))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn waits_for_the_old_and_not_for_the_new() {
        let epochs = Epochs::default();
        assert!(epochs.quiesced());
        let old = epochs.begin();
        assert!(!epochs.quiesced());
        let new = epochs.begin();
        assert_ne!(old, new);
        assert!(!epochs.quiesced());
        assert!(epochs.end(old), "the last old one wakes the waiter");
        assert!(epochs.quiesced());
        assert!(!epochs.end(new), "nobody waits");
        assert_eq!(epochs.in_flight(), 0);
        assert!(!epochs.end(new), "an end too many is ignored");
        assert_eq!(epochs.in_flight(), 0);
    }

    #[test]
    fn an_abandoned_series_is_not_forgotten() {
        let epochs = Epochs::default();
        let first = epochs.begin();
        assert!(!epochs.quiesced());
        epochs.abandon();
        let second = epochs.begin();
        assert!(!epochs.quiesced());
        assert!(epochs.end(first));
        assert!(!epochs.quiesced(), "the second began before this series ended");
        assert!(epochs.end(second));
        assert!(epochs.quiesced());
    }

    #[test]
    fn threads() {
        let epochs = Epochs::default();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let epoch = epochs.begin();
                        epochs.end(epoch);
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..1_000 {
                    while !epochs.quiesced() {
                        std::hint::spin_loop();
                    }
                }
            });
        });
        assert_eq!(epochs.in_flight(), 0);
    }
}

/// Every interleaving: `RUSTFLAGS="--cfg loom" cargo test --release --lib loom`.
#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::super::planted::planting::finds;
    use super::*;

    /// Devices use a page while their caches have it; a driver takes it out of the caches, waits, and reuses it, one page
    /// after the other. `uses` are the pages that the devices use, and `tries` how often the driver asks.
    fn no_page_is_reused_under_a_device(uses: &'static [usize], pages: usize, tries: usize) {
        loom::model(move || {
            let words = || (0..pages).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
            let shared = Arc::new((Epochs::default(), words(), words()));
            let threads: Vec<_> = uses
                .iter()
                .map(|page| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        let (epochs, uncached, reused) = &*shared;
                        let epoch = epochs.begin();
                        if uncached[*page].load(Ordering::Acquire) == 0 {
                            assert_eq!(reused[*page].load(Ordering::Relaxed), 0, "used after the SYNC");
                        }
                        epochs.end(epoch)
                    })
                })
                .collect();
            let (epochs, uncached, reused) = &*shared;
            let mut done = true;
            for page in 0..pages {
                uncached[page].store(1, Ordering::Release);
                done = (0..tries).any(|_| epochs.quiesced());
                if !done {
                    break;
                }
                reused[page].store(1, Ordering::Relaxed);
            }
            let mut called = false;
            for thread in threads {
                called |= thread.join().unwrap();
            }
            // Nobody is left waiting without having been called.
            assert!(done || called);
            assert!(done || epochs.quiesced());
        });
    }

    #[test]
    fn one_after_the_other() {
        no_page_is_reused_under_a_device(&[1], 2, 2);
    }

    #[test]
    fn one_after_the_other_finds_an_access_out_of_order() {
        finds("iommu::epoch::loom_tests::one_after_the_other", Defect::BeginsUnordered);
    }

    #[test]
    fn two_devices() {
        no_page_is_reused_under_a_device(&[0, 1], 2, 1);
    }

    #[test]
    fn two_devices_finds_a_waiter_that_does_not_wait() {
        finds("iommu::epoch::loom_tests::two_devices", Defect::WaitsForHalf);
    }
}
