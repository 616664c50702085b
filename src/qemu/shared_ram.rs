// SPDX-License-Identifier: GPL-2.0-or-later
//! Accesses to RAM that vCPUs and other threads write at the same time. All of them are atomic and of one size, eight bytes,
//! naturally aligned: in Rust's terms atomic accesses of several sizes to the same memory race with each other. What is
//! smaller or not aligned is cut out of the words that it lies in; those lie in the same host page.

use core::sync::atomic::{AtomicU64, Ordering};

const WORD: usize = size_of::<u64>();

/// The word that an address lies in, and where in it.
///
/// # Safety
/// The address is in a page of memory that stays mapped for `'a` and that Rust code accesses by this module alone.
unsafe fn word<'a>(at: *mut u8) -> (&'a AtomicU64, usize) {
    let offset = at.addr() % WORD;
    // SAFETY: aligned; in the same page, for pages are multiples of a word.
    (unsafe { AtomicU64::from_ptr(at.wrapping_sub(offset).cast()) }, offset)
}

/// Copies to memory of one's own. Words that are aligned are read in one piece.
///
/// # Safety
/// As [`word`], for all of `to.len()` bytes from `from`.
#[inline]
pub(super) unsafe fn copy(from: *mut u8, to: &mut [u8]) {
    if !from.addr().is_multiple_of(WORD) {
        // SAFETY: the caller's promise.
        return unsafe { copy_parts(from, to) };
    }
    let (words, rest) = to.as_chunks_mut::<WORD>();
    let mut at = from;
    for bytes in words {
        // SAFETY: the caller's promise.
        *bytes = unsafe { word(at) }.0.load(Ordering::Relaxed).to_ne_bytes();
        at = at.wrapping_add(WORD);
    }
    if !rest.is_empty() {
        // SAFETY: the caller's promise.
        unsafe { copy_parts(at, rest) };
    }
}

/// [`copy`] where words are cut.
///
/// # Safety
/// As [`copy`].
unsafe fn copy_parts(mut from: *mut u8, mut to: &mut [u8]) {
    while !to.is_empty() {
        // SAFETY: the caller's promise.
        let (word, offset) = unsafe { word(from) };
        let bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        let n = (WORD - offset).min(to.len());
        let (now, later) = to.split_at_mut(n);
        now.copy_from_slice(&bytes[offset..offset + n]);
        from = from.wrapping_add(n);
        to = later;
    }
}

/// Reads an aligned word, as memory has it.
///
/// # Safety
/// As [`word`], and the address is a multiple of 8.
pub(super) unsafe fn read_u64(from: *mut u8) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { word(from) }.0.load(Ordering::Acquire)
}

/// Replaces an aligned word, as memory has it, if it is `current`; else says what it is.
///
/// # Safety
/// As [`read_u64`].
pub(super) unsafe fn compare_exchange_u64(at: *mut u8, current: u64, new: u64) -> Result<u64, u64> {
    // SAFETY: the caller's promise.
    unsafe { word(at) }.0.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
}

/// [`compare_exchange_u64`] of half a word. What is written to the other half meanwhile stays.
///
/// # Safety
/// As [`word`], and the address is a multiple of 4.
pub(super) unsafe fn compare_exchange_u32(at: *mut u8, current: u32, new: u32) -> Result<u32, u32> {
    // SAFETY: the caller's promise.
    let (word, offset) = unsafe { word(at) };
    let mut whole = word.load(Ordering::SeqCst);
    loop {
        let mut bytes = whole.to_ne_bytes();
        let half = &mut bytes[offset..offset + size_of::<u32>()];
        let found = u32::from_ne_bytes([half[0], half[1], half[2], half[3]]);
        if found != current {
            return Err(found);
        }
        half.copy_from_slice(&new.to_ne_bytes());
        match word.compare_exchange(whole, u64::from_ne_bytes(bytes), Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return Ok(found),
            Err(now) => whole = now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Vec<u64> {
        (0..8u64)
            .map(|n| u64::from_ne_bytes(core::array::from_fn(|byte| (n * 8) as u8 + byte as u8)))
            .collect()
    }

    #[test]
    fn every_range_is_copied_byte_for_byte() {
        let mut memory = memory();
        let base = memory.as_mut_ptr().cast::<u8>();
        for first in 0..24 {
            for len in 0..40 {
                let mut to = vec![0xff; len];
                // SAFETY: within the vector.
                unsafe { copy(base.wrapping_add(first), &mut to) };
                assert!(
                    to.iter().zip(first..).all(|(byte, n)| usize::from(*byte) == n),
                    "{first} {len} {to:?}"
                );
            }
        }
    }

    #[test]
    fn half_a_word_is_replaced_by_itself() {
        for at in [0, 4] {
            let mut memory = memory();
            let base = memory.as_mut_ptr().cast::<u8>().wrapping_add(at);
            let found = u32::from_ne_bytes(core::array::from_fn(|byte| at as u8 + byte as u8));
            // SAFETY: within the vector.
            unsafe {
                assert_eq!(compare_exchange_u32(base, !found, 7), Err(found));
                assert_eq!(compare_exchange_u32(base, found, 7), Ok(found));
                assert_eq!(compare_exchange_u32(base, found, 8), Err(7));
                let word = base.wrapping_sub(at);
                let whole = read_u64(word);
                assert_eq!(compare_exchange_u64(word, !whole, 0), Err(whole));
                assert_eq!(compare_exchange_u64(word, whole, whole), Ok(whole));
            }
            let bytes = memory[0].to_ne_bytes();
            assert_eq!(bytes[at..at + 4], 7u32.to_ne_bytes());
            let other = 4 - at;
            assert!(bytes[other..other + 4].iter().zip(other..).all(|(byte, n)| usize::from(*byte) == n));
        }
    }

    /// Two threads add to the halves of one word, and a third one reads all of it: nothing is lost.
    #[test]
    fn the_other_half_stays() {
        const TURNS: u32 = 2000;
        let memory = AtomicU64::new(0);
        let base = memory.as_ptr().cast::<u8>();
        std::thread::scope(|scope| {
            for half in [0, 4] {
                let at = base.wrapping_add(half).expose_provenance();
                scope.spawn(move || {
                    for n in 0..TURNS {
                        let at = core::ptr::with_exposed_provenance_mut(at);
                        // SAFETY: half of the word above.
                        let result = unsafe { compare_exchange_u32(at, n, n + 1) };
                        assert_eq!(result, Ok(n));
                    }
                });
            }
        });
        let halves = memory.load(Ordering::SeqCst).to_ne_bytes();
        assert_eq!(halves[..4], TURNS.to_ne_bytes());
        assert_eq!(halves[4..], TURNS.to_ne_bytes());
    }
}
