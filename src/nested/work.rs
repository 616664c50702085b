// SPDX-License-Identifier: GPL-2.0-or-later
//! How much is done for assigned devices at once, whatever the guest's structures say.
//!
//! A register write holds QEMU's lock while it is carried out. What it asks for may be as large as the guest's tables: a PASID
//! directory alone names a million entries. So everything that is done for assigned devices is counted, and what is beyond
//! [`WORK_AT_ONCE`] is left to a bottom half, with the queue's head where it was.

use core::cell::Cell;

use crate::iommu::{GuestMemory, MemoryError};

/// Most that is done in one register write, or in one run of a bottom half: guest reads, invalidations that are taken in, and
/// calls to hosts at [`HOST_CALL`] each.
pub const WORK_AT_ONCE: u32 = 4096;
/// What a call to a host counts for. A system call takes some microseconds, a guest read some tens of nanoseconds.
pub const HOST_CALL: u32 = 16;
/// What a step takes at most that is not divided: the tables of one device up to the entry of one PASID are at most 101 reads
/// if the guest rewrites each of them meanwhile, and what is found there is bound by at most three calls.
pub const STEP: u32 = 160;

/// How far something came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is done.
    Done,
    /// Too many invalidations wait: flush, and give it again.
    Full,
    /// It was enough for now. Give it again later, from a bottom half; it goes on where it stopped.
    Later,
}

/// What may still be done before it is enough for now.
#[derive(Debug)]
pub(super) struct Work {
    left: u32,
}

impl Work {
    pub fn new() -> Self {
        Self { left: WORK_AT_ONCE }
    }

    /// Whether there is room for so much, of which a whole turn is always enough. Where there is not, this turn ends, and the
    /// next one begins.
    pub fn has(&mut self, needed: u32) -> bool {
        if self.left >= needed.min(WORK_AT_ONCE) {
            return true;
        }
        self.left = WORK_AT_ONCE;
        false
    }

    pub fn left(&self) -> u32 {
        self.left
    }

    pub fn spend(&mut self, work: u32) {
        self.left = self.left.saturating_sub(work);
    }

    pub fn spend_calls(&mut self, calls: usize) {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        self.spend(calls.saturating_mul(HOST_CALL));
    }
}

/// Guest memory that counts what is read.
pub(super) struct Counted<'a> {
    memory: &'a dyn GuestMemory,
    reads: Cell<u32>,
}

impl<'a> Counted<'a> {
    pub fn new(memory: &'a dyn GuestMemory) -> Self {
        Self { memory, reads: Cell::new(0) }
    }

    /// How many reads there were.
    pub fn reads(&self) -> u32 {
        self.reads.get()
    }

    fn count(&self) {
        self.reads.set(self.reads.get().saturating_add(1));
    }
}

impl GuestMemory for Counted<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
        self.count();
        self.memory.read(addr, buf)
    }

    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
        self.memory.write(addr, buf)
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        self.count();
        self.memory.read_u64(addr)
    }

    fn compare_exchange_u64(
        &self,
        addr: u64,
        current: u64,
        new: u64,
    ) -> Result<Result<(), u64>, MemoryError> {
        self.count();
        self.memory.compare_exchange_u64(addr, current, new)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_once_and_the_next_one_is_whole() {
        let mut work = Work::new();
        work.spend(WORK_AT_ONCE - STEP);
        assert!(work.has(STEP));
        work.spend_calls(1);
        assert_eq!((work.has(STEP), work.left()), (false, WORK_AT_ONCE));
        // More than a turn has is a turn's work.
        assert!(work.has(u32::MAX));
        work.spend_calls(usize::MAX);
        assert!(!work.has(1) && work.has(WORK_AT_ONCE));
    }
}
