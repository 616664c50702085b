// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest's physical memory, as table walks and queues see it.

/// A guest-physical access that did not reach RAM.
///
/// Table walks and queues never touch device registers: an address outside RAM is an external abort
/// (`IHI0070 §3.12`), and so a model can be called back by no device in the middle of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("guest-physical address {addr:#x} is not RAM")]
pub struct MemoryError {
    /// First byte of the access that failed.
    pub addr: u64,
}

/// Guest-physical memory. All multi-byte values are little-endian.
///
/// Calls may come from any thread, with or without the BQL; an implementation must not block on it.
pub trait GuestMemory {
    /// Reads `buf.len()` bytes at `addr`.
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError>;

    /// Writes `buf` at `addr`.
    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError>;

    /// Reads one 64-bit word, single-copy atomic. `addr` must be 8-byte aligned; callers that take it
    /// from the guest align it first.
    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError>;

    /// Replaces the 64-bit word at `addr` (8-byte aligned) by `new` if it is `current`, atomically with
    /// respect to every vCPU, and marks the page dirty for migration. The outer error is the memory's,
    /// the inner one carries the value that was found instead.
    fn compare_exchange_u64(&self, addr: u64, current: u64, new: u64)
    -> Result<Result<(), u64>, MemoryError>;

    /// Reads the first words of a configuration structure, each like [`read_u64`](Self::read_u64). One access, for those
    /// who count them apart from those to translation tables.
    fn read_structure(&self, addr: u64, words: &mut [u64]) -> Result<(), MemoryError> {
        let mut at = addr;
        for word in words {
            *word = self.read_u64(at)?;
            at = at.wrapping_add(8);
        }
        Ok(())
    }
}
