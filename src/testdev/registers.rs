// SPDX-License-Identifier: GPL-2.0-or-later
//! The registers of BAR0: addresses and layouts, as `docs/sva-testdev.md` has them.

use super::counters::Counters;
use crate::layout;

/// Size of BAR0: the largest page of a guest, so that a process maps it alone.
pub const BAR_SIZE: u64 = 0x1_0000;
/// ID register: "SVAT".
pub const ID: u32 = 0x5356_4154;
/// VERSION register: 1.0.
pub const VERSION: u32 = 0x0001_0000;
/// Most engines a device may have.
pub const MAX_ENGINES: u8 = 16;
/// RING_SIZE's largest value.
pub const MAX_RING_LOG2: u32 = 12;
/// BURST's smallest value.
pub const MIN_BURST: u32 = 4096;
/// BURST's largest value.
pub const MAX_BURST: u32 = 1 << 20;
/// BURST's reset value.
pub const RESET_BURST: u32 = 1 << 16;

layout! {
    /// CAPS: what this device can do.
    pub struct Caps(u32) {
        /// Number of engines.
        7:0 engines with_engines,
        /// PASID width in bits, 0 without PASID.
        12:8 pasid_bits with_pasid_bits,
        /// ATS.
        13:13 ats with_ats,
        /// PRI.
        14:14 pri with_pri,
        /// Accesses can wait for the IOMMU.
        15:15 wait with_wait,
        /// The execute flag is supported.
        16:16 exec with_exec,
        /// The privileged flag is supported.
        17:17 privileged with_privileged,
        /// Largest scatter list.
        27:20 list_entries with_list_entries,
    }

    /// CTRL.
    pub struct Control(u32) {
        /// Engines run.
        0:0 enable with_enable,
        /// Write 1: reset everything.
        1:1 reset with_reset,
    }

    /// CANCEL and REARM.
    pub struct PasidCommand(u32) {
        /// The PASID.
        19:0 pasid with_pasid,
        /// CANCEL: requests without PASID, instead of a PASID.
        29:29 no_pasid with_no_pasid,
        /// All, instead of one PASID.
        30:30 all with_all,
        /// Do it.
        31:31 go with_go,
    }

    /// An engine's CTRL.
    pub struct EngineControl(u32) {
        /// The engine takes descriptors.
        0:0 run with_run,
    }

    /// An engine's STATUS.
    pub struct EngineStatus(u32) {
        /// Running.
        0:0 running with_running,
        /// Waiting for the IOMMU.
        1:1 waiting with_waiting,
        /// Halted by an error.
        2:2 halted with_halted,
        /// The last cause.
        15:8 cause with_cause,
    }

    /// RING_PASID.
    pub struct RingPasid(u32) {
        /// The PASID.
        19:0 pasid with_pasid,
        /// The ring is in that PASID.
        31:31 valid with_valid,
    }
}

impl RingPasid {
    /// The address space of the ring.
    #[must_use]
    pub fn space(self) -> Option<u32> {
        (self.valid() != 0).then_some(self.pasid())
    }
}

/// INT_STATUS: a CANCEL has finished.
pub const INT_CANCEL: u32 = 1 << 31;

/// INT_STATUS bit of an engine.
#[must_use]
pub fn int_engine(engine: u8) -> u32 {
    1u32.checked_shl(u32::from(engine)).unwrap_or(0)
}

/// What an engine does about a page fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum FaultMode {
    /// Untranslated requests; wait when the IOMMU says so.
    #[default]
    Wait = 0,
    /// Ask for a translation; request the page when there is none.
    AtsPri = 1,
    /// Untranslated requests; fail at the first fault.
    Report = 2,
}

impl FaultMode {
    /// The mode of a FAULT_MODE value.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            0 => Some(Self::Wait),
            1 => Some(Self::AtsPri),
            2 => Some(Self::Report),
            _ => None,
        }
    }
}

/// Why an access or a descriptor failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// Nothing failed.
    #[default]
    None = 0,
    /// The IOMMU refused the access.
    Refused = 1,
    /// A stalled access was aborted.
    Aborted = 2,
    /// A page request was answered INVALID.
    PageInvalid = 3,
    /// A page request was answered FAILURE, or got no answer.
    PageFailure = 4,
    /// Memory error behind the IOMMU.
    Memory = 5,
    /// Bus mastering is off.
    BusMasterOff = 6,
    /// PASID not enabled.
    PasidDisabled = 7,
    /// Malformed descriptor.
    BadDescriptor = 8,
    /// The PASID is halted.
    PasidHalted = 9,
    /// Cancelled.
    Cancelled = 10,
    /// The IOMMU in front cannot do what the fault mode asks.
    Unsupported = 11,
}

impl Cause {
    /// The cause of a number.
    #[must_use]
    pub fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::None,
            1 => Self::Refused,
            2 => Self::Aborted,
            3 => Self::PageInvalid,
            4 => Self::PageFailure,
            5 => Self::Memory,
            6 => Self::BusMasterOff,
            7 => Self::PasidDisabled,
            8 => Self::BadDescriptor,
            9 => Self::PasidHalted,
            10 => Self::Cancelled,
            11 => Self::Unsupported,
            _ => return None,
        })
    }

    /// Whether the PASID of an access that ends so is halted.
    #[must_use]
    pub fn halts_pasid(self) -> bool {
        matches!(self, Self::Aborted | Self::PageInvalid)
    }
}

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
    /// A register of an engine.
    Engine(u8, EngineRegister),
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
    use super::*;

    #[test]
    fn addresses() {
        use Part::{High, Low, Whole};
        assert_eq!(Register::decode(0, 4), Some((Register::Id, Whole)));
        assert_eq!(Register::decode(0, 8), None);
        assert_eq!(Register::decode(2, 2), None);
        assert_eq!(Register::decode(0x178, 8), Some((Register::Counter(15), Whole)));
        assert_eq!(Register::decode(0x17c, 4), Some((Register::Counter(15), High)));
        assert_eq!(Register::decode(0x180, 8), None);
        let engine = |n, register, part| Some((Register::Engine(n, register), part));
        assert_eq!(Register::decode(0x1000, 4), engine(0, EngineRegister::Control, Whole));
        assert_eq!(Register::decode(0x1f34, 4), engine(15, EngineRegister::Reset, Whole));
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

    #[test]
    fn causes_round_trip() {
        for bits in 0..=255 {
            if let Some(cause) = Cause::from_bits(bits) {
                assert_eq!(cause as u8, bits);
            } else {
                assert!(bits > 11);
            }
        }
    }
}
