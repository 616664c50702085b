// SPDX-License-Identifier: GPL-2.0-or-later
//! One side of a descriptor: a contiguous range or a scatter list, and the place reached in it.

use super::{PAGE_SIZE, add_wrapping, offset_in_page};

/// Most entries a scatter list may have.
pub const MAX_ENTRIES: usize = 128;
/// Bytes of one entry: address and length, 64 bits each.
pub const ENTRY_SIZE: usize = 16;
/// Bytes of the longest list.
pub const MAX_LIST_SIZE: usize = MAX_ENTRIES * ENTRY_SIZE;
/// Most bytes that one descriptor covers: 1 GiB.
pub const MAX_LENGTH: u64 = 1 << 30;

/// A scatter list or range that no descriptor may have: too long, or past the end of the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRange;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    addr: u64,
    length: u64,
}

impl Segment {
    fn new(addr: u64, length: u64) -> Result<Self, BadRange> {
        let fits =
            length <= MAX_LENGTH && (length == 0 || addr.checked_add(length.saturating_sub(1)).is_some());
        if fits { Ok(Self { addr, length }) } else { Err(BadRange) }
    }
}

/// The segments of one side and how far they are done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    segments: Vec<Segment>,
    index: usize,
    offset: u64,
    total: u64,
}

impl Cursor {
    /// The range of `length` bytes at `addr`.
    pub fn contiguous(addr: u64, length: u64) -> Result<Self, BadRange> {
        let segment = Segment::new(addr, length)?;
        let mut cursor = Self { segments: vec![segment], total: length, ..Self::default() };
        cursor.skip_finished();
        Ok(cursor)
    }

    /// The ranges that the bytes of a scatter list name. Entries of length 0 are allowed and skipped.
    pub fn list(bytes: &[u8]) -> Result<Self, BadRange> {
        if bytes.len() > MAX_LIST_SIZE {
            return Err(BadRange);
        }
        let mut segments = Vec::with_capacity(MAX_ENTRIES);
        let mut total = 0u64;
        for entry in bytes.as_chunks::<ENTRY_SIZE>().0 {
            let (addr, length) = split_entry(entry);
            segments.push(Segment::new(addr, length)?);
            total = total.saturating_add(length);
        }
        if total > MAX_LENGTH {
            return Err(BadRange);
        }
        let mut cursor = Self { segments, total, ..Self::default() };
        cursor.skip_finished();
        Ok(cursor)
    }

    /// Bytes of all segments together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The address reached, and how many bytes from there on lie in one segment and one page. Zero bytes
    /// at the end.
    #[must_use]
    pub fn here(&self) -> (u64, u64) {
        let Some(segment) = self.segments.get(self.index) else { return (0, 0) };
        let addr = add_wrapping(segment.addr, self.offset);
        let in_page = PAGE_SIZE.saturating_sub(offset_in_page(addr));
        (addr, segment.length.saturating_sub(self.offset).min(in_page))
    }

    /// Bytes from the address reached to the end of its segment.
    #[must_use]
    pub fn segment_left(&self) -> u64 {
        self.segments.get(self.index).map_or(0, |segment| segment.length.saturating_sub(self.offset))
    }

    /// Moves on by `count` bytes, at most to the end.
    pub fn advance(&mut self, mut count: u64) {
        while let Some(segment) = self.segments.get(self.index) {
            let left = segment.length.saturating_sub(self.offset);
            if count < left {
                self.offset = self.offset.saturating_add(count);
                return;
            }
            count = count.saturating_sub(left);
            self.index = self.index.saturating_add(1);
            self.offset = 0;
        }
    }

    fn skip_finished(&mut self) {
        self.advance(0);
    }
}

fn split_entry(entry: &[u8; ENTRY_SIZE]) -> (u64, u64) {
    let [a0, a1, a2, a3, a4, a5, a6, a7, l0, l1, l2, l3, l4, l5, l6, l7] = *entry;
    (
        u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]),
        u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u64, u64)]) -> Vec<u8> {
        entries
            .iter()
            .flat_map(|(addr, length)| [addr.to_le_bytes(), length.to_le_bytes()])
            .flatten()
            .collect()
    }

    #[test]
    fn stops_at_page_and_segment_ends() {
        let mut cursor = Cursor::contiguous(0x1ff0, 0x20).unwrap();
        assert_eq!(cursor.here(), (0x1ff0, 0x10));
        cursor.advance(0x10);
        assert_eq!(cursor.here(), (0x2000, 0x10));
        cursor.advance(0x10);
        assert_eq!(cursor.here().1, 0);
        cursor.advance(1);
        assert_eq!(cursor.here().1, 0);
    }

    #[test]
    fn empty_entries_are_skipped() {
        let mut cursor = Cursor::list(&list(&[(1, 0), (0x5000, 3), (2, 0), (0x7000, 2), (3, 0)])).unwrap();
        assert_eq!(cursor.total(), 5);
        assert_eq!(cursor.here(), (0x5000, 3));
        cursor.advance(2);
        assert_eq!(cursor.here(), (0x5002, 1));
        cursor.advance(1);
        assert_eq!(cursor.here(), (0x7000, 2));
        cursor.advance(2);
        assert_eq!(cursor.here().1, 0);
    }

    #[test]
    fn limits() {
        assert!(Cursor::contiguous(u64::MAX, 1).is_ok());
        assert!(Cursor::contiguous(u64::MAX, 2).is_err());
        assert!(Cursor::contiguous(u64::MAX, 0).is_ok());
        assert!(Cursor::contiguous(0, MAX_LENGTH).is_ok());
        assert!(Cursor::contiguous(0, MAX_LENGTH + 1).is_err());
        assert!(Cursor::list(&list(&[(0, MAX_LENGTH), (0, 1)])).is_err());
        assert!(Cursor::list(&list(&[(0, u64::MAX), (0, 1)])).is_err());
        assert!(Cursor::list(&list(&[(0, 1); MAX_ENTRIES])).is_ok());
        assert!(Cursor::list(&list(&[(0, 1); MAX_ENTRIES + 1])).is_err());
    }
}
