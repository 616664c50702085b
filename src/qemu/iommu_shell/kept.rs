// SPDX-License-Identifier: GPL-2.0-or-later
//! What a function's cache outside was answered, so that an invalidation of everything is told as what it changed.
//!
//! Software flushes all of a domain many times a second where it unmaps lazily, and most of what is translated then stays
//! as it was: queues, buffers to receive in. A backend that is told to forget the addresses of its queues stops them, and
//! DPDK's driver begins no queue again by itself. To forget a translation and to learn the same one anew is no difference to
//! memory, so it is not told.

use std::collections::BTreeMap;

use crate::iommu::outside::Range;
use crate::iommu::request::Translation;

/// As many answers as are kept, and as vhost's own caches hold.
const MOST: usize = 2048;
/// As many ranges as an invalidation of everything is told by. More of them cost more than to forget all.
const RANGES: usize = 256;

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    mask: u64,
    target: u64,
    read: bool,
    write: bool,
}

/// The answers to one function.
#[derive(Debug, Default)]
pub struct Kept {
    answers: BTreeMap<u64, Answer>,
    /// There have been more.
    overflowed: bool,
}

impl Kept {
    /// `mask` + 1 bytes from `iova` were answered, as a part of `translation`'s page.
    pub fn answered(&mut self, iova: u64, mask: u64, translation: &Translation) {
        if self.answers.len() >= MOST && !self.answers.contains_key(&iova) {
            self.lose_track();
        }
        // Of a larger one that was here before, all is told when this one ends.
        let mask = self.answers.get(&iova).map_or(mask, |had| mask.max(had.mask));
        let answer = Answer {
            mask,
            target: translation.addr & !mask,
            read: translation.perm.read,
            write: translation.perm.write,
        };
        self.answers.insert(iova, answer);
    }

    /// These were told.
    pub fn told(&mut self, ranges: &[Range]) {
        for range in ranges {
            let last = range.addr.saturating_add(range.mask);
            while let Some((&iova, _)) = self
                .answers
                .range(..=last)
                .next_back()
                .filter(|(iova, answer)| *iova | answer.mask >= range.addr)
            {
                self.answers.remove(&iova);
            }
        }
    }

    /// A cache that was told by another kind of notice is told by this one from now on.
    pub fn take_over(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
        } else if !other.is_empty() {
            self.lose_track();
        }
    }

    /// What is kept is not known any more: the next invalidation of everything is told as that.
    fn lose_track(&mut self) {
        self.answers.clear();
        self.overflowed = true;
    }

    /// How many questions [`changed`](Self::changed) asks.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.answers.len()
    }

    /// Whether anything is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty() && !self.overflowed
    }

    /// Everything was invalidated: what has to be told, by asking where addresses go now. `None`: everything. What is not to
    /// be told stays.
    pub fn changed(&mut self, ask: impl Fn(u64) -> Option<Translation>) -> Option<Vec<Range>> {
        let is_known = !core::mem::take(&mut self.overflowed);
        let answers = core::mem::take(&mut self.answers);
        if !is_known {
            return None;
        }
        let mut ranges = Vec::new();
        // Between two answers that are to be forgotten, and none that stays, there is nothing: one range holds both.
        let mut run: Option<(u64, u64)> = None;
        for (iova, answer) in answers {
            let stays = ask(iova).is_some_and(|now| {
                now.page_mask >= answer.mask
                    && now.addr == answer.target
                    && (now.perm.read, now.perm.write) == (answer.read, answer.write)
            });
            if stays {
                push(run.take(), &mut ranges);
                self.answers.insert(iova, answer);
            } else {
                let (first, last) = run.unwrap_or((iova, 0));
                run = Some((first, last.max(iova | answer.mask)));
            }
        }
        push(run, &mut ranges);
        if ranges.len() > RANGES {
            self.answers.clear();
            return None;
        }
        Some(ranges)
    }
}

/// Adds the aligned powers of two that make up a run, and nothing beside it.
fn push(run: Option<(u64, u64)>, ranges: &mut Vec<Range>) {
    let Some((mut first, last)) = run else { return };
    loop {
        let mut mask = 0;
        // The largest that begins here and does not go beyond.
        while mask < u64::MAX >> 1 && first & (mask << 1 | 1) == 0 && first | (mask << 1 | 1) <= last {
            mask = mask << 1 | 1;
        }
        ranges.push(Range { addr: first, mask });
        match (first | mask).checked_add(1) {
            Some(next) if next <= last => first = next,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests;
