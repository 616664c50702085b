// SPDX-License-Identifier: GPL-2.0-or-later
//! Until when endpoints have to say that they have forgotten what they were asked to forget (`VTD §6.5.2.10`, `IHI0070 §3.9.1.2`).

use super::request::StreamId;

/// Deadlines lie on a grid of an eighth of the patience, so that what was asked in one go is late in one go: software
/// then hears of one error, and not of one for each page.
const GRID: u64 = 8;

/// The invalidations that endpoints have been asked for and not answered, oldest first.
#[derive(Debug, Default)]
pub struct Deadlines {
    /// Nanoseconds; 0: endpoints may take as long as they like.
    patience: u64,
    open: Vec<Open>,
}

/// One invalidation.
#[derive(Clone, Copy, Debug)]
struct Open {
    itag: u32,
    stream: StreamId,
    deadline: u64,
}

impl Deadlines {
    /// Endpoints have so many milliseconds; 0: any time.
    #[must_use]
    pub fn new(milliseconds: u32) -> Self {
        Self { patience: u64::from(milliseconds).saturating_mul(1_000_000), open: Vec::new() }
    }

    /// An endpoint is asked. Times are those of the guest's clock, in nanoseconds.
    pub fn asked(&mut self, itag: u32, stream: StreamId, now: u64) {
        if self.patience != 0 {
            let step = (self.patience / GRID).max(1);
            let deadline = now.saturating_add(self.patience).checked_next_multiple_of(step);
            self.open.push(Open { itag, stream, deadline: deadline.unwrap_or(u64::MAX) });
        }
    }

    /// It has answered.
    pub fn answered(&mut self, itag: u32) {
        if let Some(at) = self.open.iter().position(|open| open.itag == itag) {
            self.open.remove(at);
        }
    }

    /// It was reset or goes away, and owes no answer any more.
    pub fn gave_up(&mut self, stream: StreamId) {
        self.open.retain(|open| open.stream != stream);
    }

    /// When the next one will be late.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.open.first().map(|open| open.deadline)
    }

    /// Those that are late; nobody waits for them any more.
    pub fn take_late(&mut self, now: u64) -> Vec<u32> {
        let open = std::mem::take(&mut self.open);
        let (late, open): (Vec<_>, Vec<_>) = open.into_iter().partition(|open| open.deadline <= now);
        self.open = open;
        late.into_iter().map(|open| open.itag).collect()
    }

    /// Nobody waits for any.
    pub fn clear(&mut self) {
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn asked_together_late_together() {
        let mut deadlines = Deadlines::new(800);
        deadlines.asked(1, 8, 40 * MS);
        deadlines.asked(2, 8, 41 * MS);
        deadlines.asked(3, 8, 60 * MS);
        deadlines.asked(4, 8, 900 * MS);
        assert_eq!(deadlines.next(), Some(900 * MS));
        deadlines.answered(2);
        assert_eq!(deadlines.take_late(899 * MS), []);
        assert_eq!(deadlines.take_late(900 * MS), [1, 3]);
        assert_eq!(deadlines.next(), Some(1700 * MS));
        deadlines.asked(5, 9, 900 * MS);
        deadlines.gave_up(8);
        assert_eq!(deadlines.take_late(1700 * MS), [5], "another endpoint's");
        deadlines.asked(6, 8, 900 * MS);
        deadlines.clear();
        assert_eq!((deadlines.next(), deadlines.take_late(u64::MAX)), (None, vec![]));
    }

    #[test]
    fn endless_patience() {
        let mut deadlines = Deadlines::new(0);
        deadlines.asked(1, 8, 5);
        assert_eq!(deadlines.next(), None);
        let mut deadlines = Deadlines::new(u32::MAX);
        deadlines.asked(1, 8, u64::MAX - 1);
        assert_eq!(deadlines.take_late(u64::MAX - 1), []);
    }
}
