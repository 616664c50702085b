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

    /// Reads the first words of a configuration structure: [pairs](read_pairs), and a last word by itself like
    /// [`read_u64`](Self::read_u64). `addr` must be aligned to the pairs. One access, for those who count them apart from
    /// those to translation tables.
    fn read_structure(&self, addr: u64, words: &mut [u64]) -> Result<(), MemoryError> {
        read_pairs(words, |offset| self.read_u64(addr.wrapping_add(offset)))
    }
}

/// How often a pair of words is read that changes meanwhile.
const PAIR_READS: u32 = 4;

/// Reads words two by two so that a change of both by one 16-byte store is seen whole: the lower one, the upper one, and
/// the lower one again until it is the same. `read` is given the offset of a word in bytes.
///
/// Where PEs have FEAT_LSE2, structures are fetched by 128 bits, single-copy atomic (`IHI0070 §3.21.3`), and two fields that
/// lie in one such span may be changed together while the structure is valid. Software that changes a pair without end gets
/// words that are each of some moment.
#[inline]
pub(crate) fn read_pairs(
    words: &mut [u64],
    mut read: impl FnMut(u64) -> Result<u64, MemoryError>,
) -> Result<(), MemoryError> {
    let mut at = 0u64;
    for pair in words.chunks_mut(2) {
        match pair {
            [low, high] => {
                let second = at.wrapping_add(8);
                *low = read(at)?;
                for _ in 0..PAIR_READS {
                    *high = read(second)?;
                    let again = read(at)?;
                    if again == *low {
                        break;
                    }
                    *low = again;
                }
            }
            rest => {
                for word in rest {
                    *word = read(at)?;
                }
            }
        }
        at = at.wrapping_add(16);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    /// One 16-byte store before any of the reads: both words are the old ones or the new ones.
    #[test]
    fn a_pair_that_changes_once_is_seen_whole() {
        for (count, change) in
            [2usize, 3, 4, 8].into_iter().flat_map(|count| (0..20).map(move |n| (count, n)))
        {
            // Software may write what was there before.
            for new in [[7, 8], [1, 8], [7, 2]] {
                let mut memory = [1u64, 2].repeat(4);
                let mut reads = 0;
                let mut words = vec![0; count];
                read_pairs(&mut words, |offset| {
                    if reads == change {
                        memory = new.repeat(4);
                    }
                    reads += 1;
                    Ok(memory[offset as usize / 8])
                })
                .unwrap();
                for pair in words.chunks(2) {
                    let whole = |of: [u64; 2]| pair == &of[..pair.len()];
                    assert!(
                        whole([1, 2]) || whole(new),
                        "{count} words, store before read {change}: {words:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn it_ends_and_says_what_is_no_memory() {
        let reads = Cell::new(0u64);
        let next = |_| {
            reads.set(reads.get() + 1);
            Ok(reads.get())
        };
        read_pairs(&mut [0; 4], next).unwrap();
        assert_eq!(reads.get(), 2 * (1 + 2 * u64::from(PAIR_READS)));
        for hole in [0, 8, 16] {
            let read = |at| if at == hole { Err(MemoryError { addr: at }) } else { Ok(0) };
            assert_eq!(read_pairs(&mut [0; 3], read), Err(MemoryError { addr: hole }));
        }
    }
}
