// SPDX-License-Identifier: GPL-2.0-or-later
//! The descriptor that an engine has in hand, and how far it is.

use super::descriptor::{Descriptor, Opcode, RECORD_SIZE, Record, Status};
use super::registers::Cause;
use super::scatter::{BadRange, Cursor, MAX_LIST_SIZE};
use super::{PAGE_BYTES, PAGE_SIZE, index};

/// Where an engine is in a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Between descriptors.
    #[default]
    Fetch = 0,
    /// Reading the source's scatter list.
    SourceList = 1,
    /// Reading the destination's scatter list.
    DestinationList = 2,
    /// Reading a piece of the source.
    Source = 3,
    /// Reading or writing a piece of the destination.
    Destination = 4,
    /// Writing the completion record.
    Record = 5,
    /// Writing the completion record's STATUS.
    Status = 6,
}

impl Phase {
    /// The phase of a number.
    #[must_use]
    pub fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Fetch,
            1 => Self::SourceList,
            2 => Self::DestinationList,
            3 => Self::Source,
            4 => Self::Destination,
            5 => Self::Record,
            6 => Self::Status,
            _ => return None,
        })
    }

    /// Whether its accesses are to the ring's address space.
    #[must_use]
    pub fn is_ring(self) -> bool {
        matches!(self, Self::Fetch | Self::Record | Self::Status)
    }
}

/// How a descriptor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// STATUS.
    pub status: Status,
    /// CAUSE.
    pub cause: Cause,
    /// FAULT_ADDR.
    pub fault_addr: u64,
}

/// The descriptor in hand.
#[derive(Clone, Debug)]
pub struct Work {
    /// Where the engine is in it.
    pub phase: Phase,
    /// The descriptor.
    pub descriptor: Descriptor,
    /// What it does.
    pub opcode: Opcode,
    /// Bytes read of the list in hand, or bytes written of the completion record.
    pub moved: u32,
    /// Place in the source.
    pub src: Cursor,
    /// Place in the destination.
    pub dst: Cursor,
    /// Bytes of source and destination.
    pub total: u64,
    /// Bytes done.
    pub done: u64,
    /// Size of the piece in hand, 0 when none is chosen.
    pub chunk: u32,
    /// RESULT.
    pub result: u64,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The source's list.
    pub src_list: Box<[u8; MAX_LIST_SIZE]>,
    /// The destination's list.
    pub dst_list: Box<[u8; MAX_LIST_SIZE]>,
    /// The piece of the source in hand.
    pub buffer: Box<[u8; PAGE_BYTES]>,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            phase: Phase::Fetch,
            descriptor: Descriptor::default(),
            opcode: Opcode::Nop,
            moved: 0,
            src: Cursor::default(),
            dst: Cursor::default(),
            total: 0,
            done: 0,
            chunk: 0,
            result: 0,
            outcome: None,
            src_list: Box::new([0; MAX_LIST_SIZE]),
            dst_list: Box::new([0; MAX_LIST_SIZE]),
            buffer: Box::new([0; PAGE_BYTES]),
        }
    }
}

impl Work {
    /// Sets up the places in source and destination, from the start, once the lists are there.
    pub fn set_up_ranges(&mut self) -> Result<(), BadRange> {
        let descriptor = &self.descriptor;
        let size = index(descriptor.list_size());
        let list = |used: bool, bytes: &[u8]| match used.then(|| bytes.get(..size).ok_or(BadRange)) {
            Some(bytes) => Cursor::list(bytes?).map(Some),
            None => Ok(None),
        };
        let src = list(descriptor.control.src_list() != 0, self.src_list.as_slice())?;
        let dst = list(descriptor.control.dst_list() != 0, self.dst_list.as_slice())?;
        self.total = match (&src, &dst) {
            (Some(src), Some(dst)) if src.total() != dst.total() => return Err(BadRange),
            (Some(list), _) | (None, Some(list)) => list.total(),
            (None, None) if self.opcode == Opcode::Nop => 0,
            (None, None) => descriptor.length,
        };
        let contiguous = |used: bool, addr| match used {
            true => Cursor::contiguous(addr, self.total),
            false => Ok(Cursor::default()),
        };
        self.src = match src {
            Some(src) => src,
            None => contiguous(self.opcode.has_source(), descriptor.src)?,
        };
        self.dst = match dst {
            Some(dst) => dst,
            None => contiguous(self.opcode.has_destination(), descriptor.dst)?,
        };
        Ok(())
    }

    /// The most that the next piece may have: what lies in one page and one segment on either side.
    #[must_use]
    pub fn piece_limit(&self) -> u64 {
        let mut limit = self.total.saturating_sub(self.done).min(PAGE_SIZE);
        if self.opcode.has_source() {
            limit = limit.min(self.src.here().1);
        }
        if self.opcode.has_destination() {
            limit = limit.min(self.dst.here().1);
        }
        limit
    }

    /// The phase that a piece of data begins with.
    #[must_use]
    pub fn first_data_phase(&self) -> Phase {
        if self.opcode.has_source() { Phase::Source } else { Phase::Destination }
    }

    /// The completion record, once the descriptor has ended.
    #[must_use]
    pub fn record(&self) -> Option<[u8; RECORD_SIZE]> {
        let outcome = self.outcome?;
        let record = Record {
            result: self.result,
            fault_addr: outcome.fault_addr,
            bytes: self.done,
            cookie: self.descriptor.cookie,
            cause: outcome.cause,
            status: outcome.status,
        };
        Some(record.to_bytes())
    }
}
