// SPDX-License-Identifier: GPL-2.0-or-later
//! Which register is where in BAR0, as `docs/sva-testdev.md` has it.

use super::counters::Counters;
use super::registers::MAX_ENGINES;

/// One register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// ID.
    Id,
    /// VERSION.
    Version,
    /// CAPS.
    Caps,
    /// CTRL.
    Control,
    /// INT_STATUS.
    IntStatus,
    /// INT_MASK.
    IntMask,
    /// CANCEL.
    Cancel,
    /// REARM.
    Rearm,
    /// SCRATCH.
    Scratch,
    /// IOVA_HALTED.
    HaltedCount,
    /// A counter, by its number.
    Counter(usize),
    /// A register of the translation cache's window.
    Atc(AtcRegister),
    /// A register for page requests by hand.
    Pri(PriRegister),
    /// A register of an engine.
    Engine(u8, EngineRegister),
}

/// One register of the window into the translation cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtcRegister {
    /// ATC_ENTRIES.
    Entries,
    /// ATC_USED.
    Used,
    /// ATC_INDEX.
    Index,
    /// ATC_FLAGS.
    Flags,
    /// ATC_INPUT.
    Input,
    /// ATC_OUTPUT.
    Output,
    /// ATC_MASK.
    Mask,
    /// ATC_PASID.
    Pasid,
    /// ATC_CTRL.
    Control,
}

/// One register for page requests by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriRegister {
    /// PRI_ADDR.
    Addr,
    /// PRI_PASID.
    Pasid,
    /// PRI_SEND.
    Send,
    /// PRI_STATUS.
    Status,
    /// PRI_GROUP.
    Group,
    /// PRI_RESULT.
    Result,
    /// PRI_OUTSTANDING.
    Outstanding,
    /// PRI_PENDING.
    Pending,
}

/// One register of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineRegister {
    /// CTRL.
    Control,
    /// STATUS.
    Status,
    /// RING_BASE.
    RingBase,
    /// RING_SIZE.
    RingSize,
    /// RING_PASID.
    RingPasid,
    /// HEAD.
    Head,
    /// TAIL.
    Tail,
    /// FAULT_MODE.
    FaultMode,
    /// FAULT_CAUSE.
    FaultCause,
    /// FAULT_ADDR.
    FaultAddr,
    /// BURST.
    Burst,
    /// RESET.
    Reset,
    /// PREFETCH.
    Prefetch,
}

/// The part of a register that an access covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Bits 31:0 of a 64-bit register.
    Low,
    /// Bits 63:32 of a 64-bit register.
    High,
}

impl Part {
    /// What a read of this part of a register that holds `value` returns.
    #[must_use]
    pub fn of(self, value: u64) -> u64 {
        match self {
            Self::Whole => value,
            Self::Low => value & 0xffff_ffff,
            Self::High => value >> 32,
        }
    }

    /// `old` with this part replaced by `value`.
    #[must_use]
    pub fn replace(self, old: u64, value: u64) -> u64 {
        match self {
            Self::Whole => value,
            Self::Low => (old & !0xffff_ffff) | (value & 0xffff_ffff),
            Self::High => (old & 0xffff_ffff) | (value << 32),
        }
    }
}

const COUNTERS_START: u64 = 0x100;
const ATC_START: u64 = 0x200;
const PRI_START: u64 = 0x240;
const ENGINES_START: u64 = 0x1000;

impl Register {
    /// The register and the part of it at `offset`, for an access of `size` bytes; `None` where there is
    /// none, or none that takes such an access.
    #[must_use]
    pub fn decode(offset: u64, size: u32) -> Option<(Self, Part)> {
        if offset >= ENGINES_START {
            let engine = u8::try_from((offset & !ENGINES_START) >> 8).ok()?;
            if offset >> 12 != 1 || engine >= MAX_ENGINES {
                return None;
            }
            let (register, part) = EngineRegister::decode(offset & 0xff, size)?;
            return Some((Self::Engine(engine, register), part));
        }
        if offset >= PRI_START {
            let (register, part) = PriRegister::decode(offset, size)?;
            return Some((Self::Pri(register), part));
        }
        if offset >= ATC_START {
            let (register, part) = AtcRegister::decode(offset, size)?;
            return Some((Self::Atc(register), part));
        }
        if offset >= COUNTERS_START {
            let number = usize::try_from(offset.checked_sub(COUNTERS_START)? >> 3).ok()?;
            if number >= Counters::COUNT {
                return None;
            }
            return Some((Self::Counter(number), part_of_64(offset, size)?));
        }
        let register = match offset {
            0x000 => Self::Id,
            0x004 => Self::Version,
            0x008 => Self::Caps,
            0x00c => Self::Control,
            0x010 => Self::IntStatus,
            0x014 => Self::IntMask,
            0x018 => Self::Cancel,
            0x01c => Self::Rearm,
            0x020 => Self::Scratch,
            0x024 => Self::HaltedCount,
            _ => return None,
        };
        (size == 4).then_some((register, Part::Whole))
    }
}

impl AtcRegister {
    fn decode(offset: u64, size: u32) -> Option<(Self, Part)> {
        match offset & !7 {
            0x210 => return Some((Self::Input, part_of_64(offset, size)?)),
            0x218 => return Some((Self::Output, part_of_64(offset, size)?)),
            0x220 => return Some((Self::Mask, part_of_64(offset, size)?)),
            _ => {}
        }
        let register = match offset {
            0x200 => Self::Entries,
            0x204 => Self::Used,
            0x208 => Self::Index,
            0x20c => Self::Flags,
            0x228 => Self::Pasid,
            0x22c => Self::Control,
            _ => return None,
        };
        (size == 4).then_some((register, Part::Whole))
    }
}

impl PriRegister {
    fn decode(offset: u64, size: u32) -> Option<(Self, Part)> {
        if offset & !7 == 0x240 {
            return Some((Self::Addr, part_of_64(offset, size)?));
        }
        let register = match offset {
            0x248 => Self::Pasid,
            0x24c => Self::Send,
            0x250 => Self::Status,
            0x254 => Self::Group,
            0x258 => Self::Result,
            0x25c => Self::Outstanding,
            0x260 => Self::Pending,
            _ => return None,
        };
        (size == 4).then_some((register, Part::Whole))
    }
}

impl EngineRegister {
    fn decode(offset: u64, size: u32) -> Option<(Self, Part)> {
        match offset & !7 {
            0x08 => return Some((Self::RingBase, part_of_64(offset, size)?)),
            0x28 => return Some((Self::FaultAddr, part_of_64(offset, size)?)),
            _ => {}
        }
        let register = match offset {
            0x00 => Self::Control,
            0x04 => Self::Status,
            0x10 => Self::RingSize,
            0x14 => Self::RingPasid,
            0x18 => Self::Head,
            0x1c => Self::Tail,
            0x20 => Self::FaultMode,
            0x24 => Self::FaultCause,
            0x30 => Self::Burst,
            0x34 => Self::Reset,
            0x38 => Self::Prefetch,
            _ => return None,
        };
        (size == 4).then_some((register, Part::Whole))
    }
}

fn part_of_64(offset: u64, size: u32) -> Option<Part> {
    match (offset & 7, size) {
        (0, 8) => Some(Part::Whole),
        (0, 4) => Some(Part::Low),
        (4, 4) => Some(Part::High),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::registers::BAR_SIZE;
    use super::*;

    #[test]
    fn addresses() {
        use Part::{High, Low, Whole};
        assert_eq!(Register::decode(0, 4), Some((Register::Id, Whole)));
        assert_eq!(Register::decode(0, 8), None);
        assert_eq!(Register::decode(2, 2), None);
        assert_eq!(Register::decode(0x178, 8), Some((Register::Counter(15), Whole)));
        assert_eq!(Register::decode(0x17c, 4), Some((Register::Counter(15), High)));
        assert_eq!(Register::decode(0x1c8, 8), Some((Register::Counter(25), Whole)));
        assert_eq!(Register::decode(0x1d0, 8), None);
        assert_eq!(Register::decode(0x200, 4), Some((Register::Atc(AtcRegister::Entries), Whole)));
        assert_eq!(Register::decode(0x218, 8), Some((Register::Atc(AtcRegister::Output), Whole)));
        assert_eq!(Register::decode(0x224, 4), Some((Register::Atc(AtcRegister::Mask), High)));
        assert_eq!(Register::decode(0x230, 4), None);
        assert_eq!(Register::decode(0x244, 4), Some((Register::Pri(PriRegister::Addr), High)));
        assert_eq!(Register::decode(0x260, 4), Some((Register::Pri(PriRegister::Pending), Whole)));
        assert_eq!(Register::decode(0x264, 4), None);
        let engine = |n, register, part| Some((Register::Engine(n, register), part));
        assert_eq!(Register::decode(0x1000, 4), engine(0, EngineRegister::Control, Whole));
        assert_eq!(Register::decode(0x1f34, 4), engine(15, EngineRegister::Reset, Whole));
        assert_eq!(Register::decode(0x1038, 4), engine(0, EngineRegister::Prefetch, Whole));
        assert_eq!(Register::decode(0x1108, 8), engine(1, EngineRegister::RingBase, Whole));
        assert_eq!(Register::decode(0x1108, 4), engine(1, EngineRegister::RingBase, Low));
        assert_eq!(Register::decode(0x110c, 4), engine(1, EngineRegister::RingBase, High));
        assert_eq!(Register::decode(0x1228, 4), engine(2, EngineRegister::FaultAddr, Low));
        assert_eq!(Register::decode(0x2000, 4), None);
        assert_eq!(Register::decode(BAR_SIZE - 4, 4), None);
        assert_eq!(Register::decode(u64::MAX, 4), None);
    }

    #[test]
    fn halves() {
        assert_eq!(Part::Low.replace(0x1111_1111_2222_2222, 0x3333_3333), 0x1111_1111_3333_3333);
        assert_eq!(Part::High.replace(0x1111_1111_2222_2222, 0x3333_3333), 0x3333_3333_2222_2222);
        assert_eq!(Part::High.of(0x1111_1111_2222_2222), 0x1111_1111);
    }
}
