// SPDX-License-Identifier: GPL-2.0-or-later
//! What a guest can cause to be logged, and how much of it.
//!
//! A guest may do a thing that is worth a line as often as it likes. So every `warn!` and `error!` of the models names one of
//! these targets, and the logger that prints their records limits each target with a [`RateLimit`].

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Log target of what a guest does wrong.
pub const GUEST_ERRORS: &str = "guest_errors";
/// Log target of what a guest wants and the model lacks.
pub const UNIMP: &str = "unimp";
/// Log target of what a host's IOMMU fails at. It is the user's to know, and still a guest can make it fail again and again.
pub const HOST_ERRORS: &str = "host_errors";

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is printed.
    Print {
        /// As many before it were not.
        dropped: u32,
    },
    /// It is printed, as the last one for this window.
    PrintLast,
    /// It is not.
    Drop,
}

/// How many lines a target may still print in this window of time.
#[derive(Debug)]
pub struct RateLimit {
    lines: u32,
    seconds: u64,
    window: AtomicU64,
    printed: AtomicU32,
    dropped: AtomicU32,
}

impl RateLimit {
    /// At most `lines` in every `seconds`; neither is 0.
    #[must_use]
    pub const fn new(lines: u32, seconds: u64) -> Self {
        Self {
            lines,
            seconds,
            window: AtomicU64::new(0),
            printed: AtomicU32::new(0),
            dropped: AtomicU32::new(0),
        }
    }

    /// Judges one line at a time in seconds. Threads may race for the last line of a window; a line more or less does not
    /// matter.
    pub fn check(&self, second: u64) -> Verdict {
        let window = second.checked_div(self.seconds).unwrap_or(0);
        let mut dropped = 0;
        if self.window.swap(window, Ordering::Relaxed) != window {
            self.printed.store(0, Ordering::Relaxed);
            dropped = self.dropped.swap(0, Ordering::Relaxed);
        }
        let printed = self.printed.load(Ordering::Relaxed);
        if printed >= self.lines {
            let dropped = self.dropped.load(Ordering::Relaxed);
            self.dropped.store(dropped.saturating_add(1), Ordering::Relaxed);
            return Verdict::Drop;
        }
        let printed = printed.saturating_add(1);
        self.printed.store(printed, Ordering::Relaxed);
        if printed == self.lines && dropped == 0 { Verdict::PrintLast } else { Verdict::Print { dropped } }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_some_lines_in_every_window() {
        let limit = RateLimit::new(3, 10);
        let said = |second, count: u32| {
            (0..count).map(|_| limit.check(second)).filter(|v| *v != Verdict::Drop).collect::<Vec<_>>()
        };
        let first = Verdict::Print { dropped: 0 };
        assert_eq!(said(0, 1000), [first, first, Verdict::PrintLast]);
        assert_eq!(said(9, 1000), []);
        assert_eq!(said(10, 1000), [Verdict::Print { dropped: 1997 }, first, Verdict::PrintLast]);
        assert_eq!(said(1_000_000, 1), [Verdict::Print { dropped: 997 }]);
        assert_eq!(said(u64::MAX, 2), [first, first]);
    }

    #[test]
    fn one_line_a_window_tells_of_those_before_it() {
        let limit = RateLimit::new(1, 1);
        assert_eq!([limit.check(0), limit.check(0)], [Verdict::PrintLast, Verdict::Drop]);
        assert_eq!(limit.check(1), Verdict::Print { dropped: 1 });
    }
}
