// SPDX-License-Identifier: GPL-2.0-or-later
//! Caches outside the model (vhost's, for one): what they were answered, and the ranges that they are told to forget.
//!
//! Such a cache takes a first address and a size. A size of all 2^64 bytes does not fit its word and reads as 0, which DPDK
//! passes over and kernels have refused: no range is that large. A cache forgets the entries that overlap a range, so
//! a range has to reach every entry that came out of the page it names: those that were answered for the same page by
//! another top byte, and those that are a part of a larger page.

use core::sync::atomic::{AtomicU64, Ordering};

use super::narrow::ones;

/// The first of the top byte's bits.
const TOP_BYTE: u32 = 56;
/// Ranges for so many top bytes are told one by one; for more of them caches forget everything.
const TOP_BYTES: usize = 16;

/// An aligned power of two of addresses: the first one, and the size minus one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First address, a multiple of the size.
    pub addr: u64,
    /// Size minus one, at most 2^63 - 1.
    pub mask: u64,
}

/// What caches outside were answered that an invalidation of a page does not name.
#[derive(Debug, Default)]
pub struct Outside {
    /// Top bytes of addresses that are aliases, a bit each.
    top_bytes: [AtomicU64; 4],
    /// Sizes of pages that were answered in parts: bit n is 2^n bytes.
    parts: AtomicU64,
}

impl Outside {
    /// Before an answer to an address that invalidations name by another top byte.
    pub fn answers_alias(&self, addr: u64) {
        let byte = addr >> TOP_BYTE;
        if let Some(word) = self.top_bytes.get(usize::try_from(byte / 64).unwrap_or(0)) {
            set(word, byte & 63);
        }
    }

    /// Before an answer of a part of a page of `mask` + 1 bytes.
    pub fn answers_part(&self, mask: u64) {
        set(&self.parts, u64::from(u64::BITS.saturating_sub(mask.leading_zeros())));
    }

    /// What to tell them when `mask` + 1 bytes from `addr` are invalidated; `u64::MAX` is everything.
    pub fn ranges(&self, addr: u64, mask: u64) -> Vec<Range> {
        let mut ranges = Vec::with_capacity(2);
        if mask == u64::MAX {
            push(0, u64::MAX, &mut ranges);
            return ranges;
        }
        let parts = self.parts.load(Ordering::SeqCst);
        let least = ones(u64::BITS.saturating_sub(parts.leading_zeros()).saturating_sub(1));
        let (first, last) = (addr & !least, addr.saturating_add(mask) | least);
        let bytes: Vec<u64> = self.top_bytes().take(TOP_BYTES.saturating_add(1)).collect();
        let low = ones(TOP_BYTE);
        if bytes.is_empty() {
            push(first, last, &mut ranges);
        } else if bytes.len() > TOP_BYTES || (first ^ last) & !low != 0 {
            push(0, u64::MAX, &mut ranges);
        } else {
            push(first, last, &mut ranges);
            for byte in bytes.into_iter().filter(|byte| *byte != first >> TOP_BYTE) {
                let top = byte << TOP_BYTE;
                push(top | first & low, top | last & low, &mut ranges);
            }
        }
        ranges
    }

    /// They hold nothing: they were told so, or are reset.
    pub fn forget(&self) {
        for word in self.top_bytes.iter().chain([&self.parts]) {
            if word.load(Ordering::SeqCst) != 0 {
                word.store(0, Ordering::SeqCst);
            }
        }
    }

    fn top_bytes(&self) -> impl Iterator<Item = u64> + '_ {
        self.top_bytes.iter().zip((0u64..).step_by(64)).flat_map(|(word, base)| {
            let bits = word.load(Ordering::SeqCst);
            (0..64u64)
                .filter(move |bit| bits.wrapping_shr(u32::try_from(*bit).unwrap_or(0)) & 1 != 0)
                .map(move |bit| base | bit)
        })
    }
}

fn set(word: &AtomicU64, bit: u64) {
    let bit = 1u64.wrapping_shl(u32::try_from(bit).unwrap_or(0));
    // Rarely anything new.
    if word.load(Ordering::SeqCst) & bit == 0 {
        word.fetch_or(bit, Ordering::SeqCst);
    }
}

/// Adds the one or two ranges that hold `first` to `last`. Each is less than twice as large as what it is for.
fn push(first: u64, last: u64, ranges: &mut Vec<Range>) {
    let below = u64::BITS.saturating_sub((first ^ last).leading_zeros());
    let mask = ones(below);
    if mask != u64::MAX && first & mask == 0 && last & mask == mask {
        ranges.push(Range { addr: first, mask });
        return;
    }
    // The highest bit in which the ends differ parts them: one range ends there, and one begins.
    let middle = last & !ones(below.saturating_sub(1));
    let size = |difference: u64| ones(u64::BITS.saturating_sub(difference.leading_zeros()));
    let lower = size(middle.wrapping_sub(1).wrapping_sub(first));
    ranges.push(Range { addr: middle.wrapping_sub(1) & !lower, mask: lower });
    ranges.push(Range { addr: middle, mask: size(last.wrapping_sub(middle)) });
}

/// The largest aligned power of two around `addr`, of at most `mask` + 1 bytes, that lies within `first` to `last`; its
/// size minus one. `addr` lies there.
#[must_use]
pub fn largest_within(addr: u64, mask: u64, first: u64, last: u64) -> u64 {
    // Whether a size fits decides about the smaller ones too.
    let fits = |mask: u64| addr & !mask >= first && addr | mask <= last;
    let mut mask = mask;
    while mask != 0 && !fits(mask) {
        mask >>= 1;
    }
    mask
}

#[cfg(test)]
mod tests;
