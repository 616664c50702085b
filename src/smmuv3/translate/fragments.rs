// SPDX-License-Identifier: GPL-2.0-or-later
//! Pages and blocks of stage 1 that were entered in parts, as stage 2 has smaller pages. A command that names any address of
//! such a block means all of its parts (`IHI0070 §4.4`), so while there are any, commands by address take as much as the
//! largest of them.
//!
//! That comes to an end: from time to time such a command removes what was entered in parts, and from then on commands
//! take what they name until a block is entered in parts again. Caches outside may still have parts, and are told to
//! forget everything before they are told single pages again.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// After so many commands that took more than they named, parts are removed.
const PATIENCE: u32 = 64;

/// Sizes of blocks that were entered in parts: bit n is `2^n` bytes.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    inside: AtomicU64,
    /// The same, since caches outside were told to forget everything.
    outside: AtomicU64,
    coarse: AtomicU32,
}

impl Fragments {
    /// A part of such a block is about to be entered: before, for what is not seen is not invalidated.
    pub fn enter(&self, leaf_log2size: u8) {
        let bit = 1u64.wrapping_shl(leaf_log2size.into());
        self.inside.fetch_or(bit, Ordering::SeqCst);
        self.outside.fetch_or(bit, Ordering::SeqCst);
    }

    /// How many low bits of an address do not count in commands: those of the largest of these sizes too.
    pub fn bits_with(&self, sizes: u64) -> u32 {
        largest(self.inside.load(Ordering::SeqCst) | sizes)
    }

    /// The same for what caches outside are told.
    pub fn bits_outside(&self) -> u32 {
        largest(self.inside.load(Ordering::SeqCst) | self.outside.load(Ordering::SeqCst))
    }

    /// Before a command by address gets its moment: the sizes whose parts it is to remove, now and then. What is entered from
    /// here on is not among them, and is not entered either if it was read before the command's moment.
    pub fn take_now_and_then(&self) -> u64 {
        if self.inside.load(Ordering::SeqCst) == 0 {
            return 0;
        }
        let before = self.coarse.fetch_add(1, Ordering::Relaxed);
        if before.wrapping_add(1).is_multiple_of(PATIENCE) { self.take() } else { 0 }
    }

    /// Before the moment of a command that removes them all.
    pub fn take(&self) -> u64 {
        self.inside.swap(0, Ordering::SeqCst)
    }

    /// They could not be removed.
    pub fn put_back(&self, sizes: u64) {
        self.inside.fetch_or(sizes, Ordering::SeqCst);
    }

    /// Only caches outside may still have parts.
    pub fn are_outside_alone(&self) -> bool {
        self.inside.load(Ordering::SeqCst) == 0 && self.outside.load(Ordering::SeqCst) != 0
    }

    /// Caches outside are told to forget everything.
    pub fn outside_forgets(&self) {
        let sizes = self.outside.swap(0, Ordering::SeqCst);
        if self.inside.load(Ordering::SeqCst) != 0 {
            // They may be answered from those.
            self.outside.fetch_or(sizes, Ordering::SeqCst);
        }
    }

    /// No address space has any.
    pub fn reset(&self) {
        self.inside.store(0, Ordering::SeqCst);
        self.outside.store(0, Ordering::SeqCst);
    }
}

fn largest(sizes: u64) -> u32 {
    u64::BITS.saturating_sub(sizes.leading_zeros()).saturating_sub(1)
}
