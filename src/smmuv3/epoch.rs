// SPDX-License-Identifier: GPL-2.0-or-later
//! Accesses in flight: what a CMD_SYNC waits for (`IHI0070 §4.7.3`).
//!
//! An access is in flight from before its translation reads the first cache or table until the endpoint has moved the data
//! and says so. Two counters take turns: accesses count in the current one, and whoever waits makes the other one
//! current and waits until the first is empty. Accesses that begin meanwhile are not waited for, so that a busy endpoint
//! cannot hold a SYNC up.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// Two counters and whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    turn: AtomicU64,
    active: [AtomicU64; 2],
    flipped: AtomicBool,
    waiting: AtomicBool,
}

impl Epochs {
    fn counter(&self, turn: u64) -> &AtomicU64 {
        let [even, odd] = &self.active;
        if turn & 1 == 0 { even } else { odd }
    }

    fn leave(&self, turn: u64) -> bool {
        let before =
            self.counter(turn).fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
        before == Ok(1) && self.waiting.load(Ordering::SeqCst)
    }

    /// An access begins. Returns its epoch, for [`end`](Self::end), and whether somebody who waits should look again.
    pub fn begin(&self) -> (u64, bool) {
        let mut look = false;
        loop {
            let turn = self.turn.load(Ordering::SeqCst);
            self.counter(turn).fetch_add(1, Ordering::SeqCst);
            // Caches and tables are read after this, and a waiter reads the counter after it invalidated.
            fence(Ordering::SeqCst);
            if self.turn.load(Ordering::SeqCst) == turn {
                return (turn, look);
            }
            look |= self.leave(turn);
        }
    }

    /// The access of that epoch has ended. `true`: somebody waits, and may have nothing more to wait for.
    pub fn end(&self, epoch: u64) -> bool {
        self.leave(epoch)
    }

    /// Whether every access that began before the first call of a series has ended. After `false`, calls go on as one
    /// series until `true`. One waiter at a time.
    pub fn quiesced(&self) -> bool {
        self.waiting.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let mut turn = self.turn.load(Ordering::SeqCst);
        if !self.flipped.load(Ordering::SeqCst) {
            // What an abandoned series left behind comes first.
            if self.counter(turn.wrapping_add(1)).load(Ordering::SeqCst) != 0 {
                return false;
            }
            turn = turn.wrapping_add(1);
            self.turn.store(turn, Ordering::SeqCst);
            self.flipped.store(true, Ordering::SeqCst);
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
        self.flipped.store(false, Ordering::SeqCst);
        self.waiting.store(false, Ordering::SeqCst);
    }

    /// Number of accesses in flight.
    #[cfg(test)]
    pub fn in_flight(&self) -> u64 {
        let [even, odd] = &self.active;
        even.load(Ordering::SeqCst).wrapping_add(odd.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_the_old_and_not_for_the_new() {
        let epochs = Epochs::default();
        assert!(epochs.quiesced());
        let (old, _) = epochs.begin();
        assert!(!epochs.quiesced());
        let (new, _) = epochs.begin();
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
        let (first, _) = epochs.begin();
        assert!(!epochs.quiesced());
        epochs.abandon();
        let (second, _) = epochs.begin();
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
                        let (epoch, _) = epochs.begin();
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
