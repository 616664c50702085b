// SPDX-License-Identifier: GPL-2.0-or-later
//! Descriptors, which software puts into a ring, and completion records, which it gets back.

use super::copy;
use super::registers::Cause;
use super::scatter::{ENTRY_SIZE, MAX_ENTRIES, MAX_LENGTH};
use crate::layout;

/// Bytes of a descriptor.
pub const DESCRIPTOR_SIZE: usize = 64;
/// Bytes of a completion record.
pub const RECORD_SIZE: usize = 40;
/// Offset of STATUS in a completion record; what is before it is written first.
pub const RECORD_STATUS: usize = 0x24;

layout! {
    /// CONTROL of a descriptor.
    pub struct DescriptorControl(u32) {
        /// What to do.
        7:0 opcode with_opcode,
        /// Source and destination are in a PASID.
        8:8 pasid_valid with_pasid_valid,
        /// Requests are privileged.
        9:9 privileged with_privileged,
        /// Reads of the source are instruction fetches.
        10:10 execute with_execute,
        /// Interrupt on completion.
        11:11 interrupt with_interrupt,
        /// `src` names a scatter list.
        12:12 src_list with_src_list,
        /// `dst` names a scatter list.
        13:13 dst_list with_dst_list,
        /// Must be zero.
        31:14 reserved with_reserved,
    }

    /// TARGET of a descriptor.
    pub struct Target(u32) {
        /// PASID of source and destination.
        19:0 pasid with_pasid,
        /// Entries of the scatter lists.
        31:20 list_entries with_list_entries,
    }
}

/// A descriptor as it lies in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// Opcode and flags.
    pub control: DescriptorControl,
    /// PASID and list length.
    pub target: Target,
    /// Source address.
    pub src: u64,
    /// Destination address.
    pub dst: u64,
    /// Bytes.
    pub length: u64,
    /// FILL: pattern; CAS: expected value.
    pub operand0: u64,
    /// CAS: new value.
    pub operand1: u64,
    /// Address of the completion record; 0: none.
    pub completion: u64,
    /// Returned in the completion record.
    pub cookie: u64,
}

impl Descriptor {
    /// Takes a descriptor from memory.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; DESCRIPTOR_SIZE]) -> Self {
        let mut words = [0u64; DESCRIPTOR_SIZE / 8];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let [first, src, dst, length, operand0, operand1, completion, cookie] = words;
        Self {
            control: DescriptorControl::from(low_half(first)),
            target: Target::from(low_half(first >> 32)),
            src,
            dst,
            length,
            operand0,
            operand1,
            completion,
            cookie,
        }
    }

    /// The descriptor as it lies in memory.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; DESCRIPTOR_SIZE] {
        let first = u64::from(self.control.bits()) | (u64::from(self.target.bits()) << 32);
        let words = [
            first,
            self.src,
            self.dst,
            self.length,
            self.operand0,
            self.operand1,
            self.completion,
            self.cookie,
        ];
        let mut bytes = [0; DESCRIPTOR_SIZE];
        for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes
    }

    /// The address space of source, destination and lists.
    #[must_use]
    pub fn space(&self) -> Option<u32> {
        (self.control.pasid_valid() != 0).then_some(self.target.pasid())
    }

    /// Bytes of each scatter list.
    #[must_use]
    pub fn list_size(&self) -> u64 {
        u64::from(self.target.list_entries()).saturating_mul(ENTRY_SIZE as u64)
    }

    /// What a descriptor asks for, when it is well-formed as far as it itself tells.
    pub fn validate(&self, limits: &Limits) -> Result<Opcode, Malformed> {
        let opcode = Opcode::from_bits(self.control.opcode()).ok_or(Malformed::Opcode)?;
        let control = self.control;
        let (src_list, dst_list) = (control.src_list() != 0, control.dst_list() != 0);
        if control.reserved() != 0 {
            return Err(Malformed::Reserved);
        }
        if control.pasid_valid() != 0 {
            if u64::from(self.target.pasid()) >> limits.pasid_bits != 0 || limits.pasid_bits == 0 {
                return Err(Malformed::Pasid);
            }
        } else if control.privileged() != 0 || control.execute() != 0 {
            return Err(Malformed::Flags);
        }
        if control.privileged() != 0 && !limits.privileged || control.execute() != 0 && !limits.exec {
            return Err(Malformed::Flags);
        }
        if src_list && !opcode.has_source() || dst_list && !opcode.has_destination_list() {
            return Err(Malformed::List);
        }
        if src_list || dst_list {
            let entries = usize::try_from(self.target.list_entries()).unwrap_or(usize::MAX);
            let aligned = |used: bool, addr: u64| !used || addr.trailing_zeros() >= 3;
            let fits = |used: bool, addr: u64| {
                !used || addr.checked_add(self.list_size().saturating_sub(1)).is_some()
            };
            if entries == 0
                || entries > MAX_ENTRIES
                || !(aligned(src_list, self.src) && aligned(dst_list, self.dst))
                || !(fits(src_list, self.src) && fits(dst_list, self.dst))
            {
                return Err(Malformed::List);
            }
        }
        let length_fits = match opcode {
            Opcode::Nop => true,
            Opcode::CompareAndSwap => {
                matches!(self.length, 4 | 8) && self.dst & self.length.saturating_sub(1) == 0
            }
            _ => self.length <= MAX_LENGTH,
        };
        if !length_fits {
            return Err(Malformed::Length);
        }
        Ok(opcode)
    }
}

fn low_half(word: u64) -> u32 {
    let [a, b, c, d, ..] = word.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// What a descriptor may ask for on a given device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Width of PASIDs, 0 to 20.
    pub pasid_bits: u8,
    /// The execute flag is supported.
    pub exec: bool,
    /// The privileged flag is supported.
    pub privileged: bool,
}

/// What is wrong with a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// No such opcode.
    Opcode,
    /// Reserved bits are set.
    Reserved,
    /// The PASID is wider than the device's.
    Pasid,
    /// Privileged or execute flag without PASID, or not supported.
    Flags,
    /// A scatter list where the opcode takes none, of a bad length, or not 8-byte aligned.
    List,
    /// Length or alignment.
    Length,
}

/// What a descriptor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// Nothing.
    Nop = 0,
    /// Copies source to destination.
    Copy = 1,
    /// Repeats an 8-byte pattern over the destination.
    Fill = 2,
    /// Reads both and finds the first difference.
    Compare = 3,
    /// CRC-32C of the source.
    Crc32c = 4,
    /// Atomic compare-and-swap at the destination.
    CompareAndSwap = 5,
}

impl Opcode {
    /// The opcode of a number.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        Some(match bits {
            0 => Self::Nop,
            1 => Self::Copy,
            2 => Self::Fill,
            3 => Self::Compare,
            4 => Self::Crc32c,
            5 => Self::CompareAndSwap,
            _ => return None,
        })
    }

    /// Whether it reads a source.
    #[must_use]
    pub fn has_source(self) -> bool {
        matches!(self, Self::Copy | Self::Compare | Self::Crc32c)
    }

    /// Whether it has a destination.
    #[must_use]
    pub fn has_destination(self) -> bool {
        matches!(self, Self::Copy | Self::Fill | Self::Compare | Self::CompareAndSwap)
    }

    fn has_destination_list(self) -> bool {
        matches!(self, Self::Copy | Self::Fill | Self::Compare)
    }
}

/// How a descriptor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Done.
    Ok = 1,
    /// COMPARE found a difference, CAS another value.
    Mismatch = 2,
    /// An access failed.
    Fault = 3,
    /// Cancelled.
    Cancelled = 4,
    /// The descriptor is malformed.
    BadDescriptor = 5,
}

impl Status {
    /// The status of a number.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        Some(match bits {
            1 => Self::Ok,
            2 => Self::Mismatch,
            3 => Self::Fault,
            4 => Self::Cancelled,
            5 => Self::BadDescriptor,
            _ => return None,
        })
    }
}

/// A completion record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Result of the operation.
    pub result: u64,
    /// First address that failed.
    pub fault_addr: u64,
    /// Bytes done before the end.
    pub bytes: u64,
    /// Of the descriptor.
    pub cookie: u64,
    /// Why it failed.
    pub cause: Cause,
    /// How it ended.
    pub status: Status,
}

impl Record {
    /// The record as it lies in memory.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; RECORD_SIZE] {
        let last = u64::from(self.cause as u8) | (u64::from(self.status as u32) << 32);
        let mut bytes = [0; RECORD_SIZE];
        let words = [self.result, self.fault_addr, self.bytes, self.cookie, last];
        for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            copy(to, &word.to_le_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { pasid_bits: 8, exec: true, privileged: true };

    fn control(opcode: Opcode) -> DescriptorControl {
        DescriptorControl::default().with_opcode(opcode as u32)
    }

    #[test]
    fn bytes_and_back() {
        let bytes: [u8; 64] = std::array::from_fn(|i| i as u8);
        let descriptor = Descriptor::from_bytes(&bytes);
        assert_eq!(descriptor.control.bits(), 0x0302_0100);
        assert_eq!(descriptor.target.bits(), 0x0706_0504);
        assert_eq!(descriptor.cookie, 0x3f3e_3d3c_3b3a_3938);
        assert_eq!(descriptor.to_bytes(), bytes);
    }

    #[test]
    fn record_layout() {
        let record = Record {
            result: 1,
            fault_addr: 2,
            bytes: 3,
            cookie: 4,
            cause: Cause::Aborted,
            status: Status::Fault,
        };
        let bytes = record.to_bytes();
        assert_eq!(bytes[0x18..0x20], 4u64.to_le_bytes());
        assert_eq!(bytes[0x20..0x24], 2u32.to_le_bytes());
        assert_eq!(bytes[RECORD_STATUS..], 3u32.to_le_bytes());
    }

    #[test]
    fn what_is_refused() {
        let ok = Descriptor { control: control(Opcode::Copy), length: 8, ..Descriptor::default() };
        assert_eq!(ok.validate(&LIMITS), Ok(Opcode::Copy));
        let refused = |descriptor: Descriptor, why| assert_eq!(descriptor.validate(&LIMITS), Err(why));
        refused(Descriptor { control: ok.control.with_opcode(6), ..ok }, Malformed::Opcode);
        refused(Descriptor { control: ok.control.with_reserved(1), ..ok }, Malformed::Reserved);
        let pasid = ok.control.with_pasid_valid(1);
        refused(Descriptor { control: pasid, target: Target::from(256), ..ok }, Malformed::Pasid);
        assert!(Descriptor { control: pasid, target: Target::from(255), ..ok }.validate(&LIMITS).is_ok());
        let none = Limits { pasid_bits: 0, ..LIMITS };
        assert_eq!(Descriptor { control: pasid, ..ok }.validate(&none), Err(Malformed::Pasid));
        refused(Descriptor { control: ok.control.with_privileged(1), ..ok }, Malformed::Flags);
        refused(Descriptor { control: ok.control.with_execute(1), ..ok }, Malformed::Flags);
        let plain = Limits { exec: false, privileged: false, ..LIMITS };
        let exec = Descriptor { control: pasid.with_execute(1), ..ok };
        assert!(exec.validate(&LIMITS).is_ok());
        assert_eq!(exec.validate(&plain), Err(Malformed::Flags));
        refused(Descriptor { length: MAX_LENGTH + 1, ..ok }, Malformed::Length);

        let list = Descriptor {
            control: ok.control.with_src_list(1),
            target: Target::default().with_list_entries(1),
            ..ok
        };
        assert!(list.validate(&LIMITS).is_ok());
        refused(Descriptor { target: Target::default(), ..list }, Malformed::List);
        refused(Descriptor { target: Target::default().with_list_entries(129), ..list }, Malformed::List);
        refused(Descriptor { src: 4, ..list }, Malformed::List);
        refused(Descriptor { src: u64::MAX - 7, ..list }, Malformed::List);
        refused(Descriptor { control: control(Opcode::Fill).with_src_list(1), ..list }, Malformed::List);
        refused(Descriptor { control: control(Opcode::Crc32c).with_dst_list(1), ..list }, Malformed::List);

        let cas = Descriptor { control: control(Opcode::CompareAndSwap), length: 8, dst: 8, ..ok };
        assert!(cas.validate(&LIMITS).is_ok());
        refused(Descriptor { dst: 4, ..cas }, Malformed::Length);
        refused(Descriptor { length: 2, ..cas }, Malformed::Length);
        refused(Descriptor { control: cas.control.with_dst_list(1), ..cas }, Malformed::List);
    }
}
