// SPDX-License-Identifier: GPL-2.0-or-later
//! `iommu-bench`: a PCIe function that measures from inside QEMU what memory requests and invalidations cost behind
//! whatever IOMMU is in front of it. It uses nothing but QEMU's ordinary PCI DMA, so that every model is measured alike.
//!
//! One measurement is a number of rounds. A round writes to a doorbell, if there is one, and then makes a burst of
//! accesses; the two are timed apart. Registers are 64 bits wide:
//!
//! | offset | register  |                                                                                          |
//! |--------|-----------|------------------------------------------------------------------------------------------|
//! | 0x00   | START     | write: a [`Operation`]; measures and returns when it is done                             |
//! | 0x08   | BASE      | first address of the pattern                                                             |
//! | 0x10   | STRIDE    | bytes from one place of the pattern to the next                                          |
//! | 0x18   | PLACES    | places of the pattern                                                                    |
//! | 0x20   | RANDOM    | 1: places are taken at random; 0: one after the other                                    |
//! | 0x28   | SIZE      | bytes of an access that moves data, at most 64 KiB                                       |
//! | 0x30   | ROUNDS    | rounds                                                                                   |
//! | 0x38   | BURST     | accesses a round                                                                         |
//! | 0x40   | THREADS   | threads that access at the same time, each making all bursts; a doorbell wants one       |
//! | 0x48   | PASID     | address space of an access with PASID                                                    |
//! | 0x50   | DOORBELL  | physical address of a 32-bit register, 0: none                                           |
//! | 0x58   | VALUE     | what was written there last; advances                                                    |
//! | 0x60   | STEP      | added to VALUE before each write                                                         |
//! | 0x68   | MASK      | VALUE stays in it                                                                        |
//! | 0x70   | HEAD      | physical address of a 32-bit register that says VALUE when the doorbell's work is done   |
//! | 0x80   | ACCESS_NS | read: nanoseconds of all accesses, of the slowest thread                                 |
//! | 0x88   | DOORBELL_NS | read: nanoseconds of all doorbells                                                     |
//! | 0x90   | ERRORS    | read: accesses that failed                                                               |
//! | 0x98   | LATE      | read: doorbells whose work was not done when the write returned                          |
//! | 0xa0   | SUM       | read: sum of the first 8 bytes of every access that moved data                           |
//! | 0xa8   | TOLD      | read: what the IOMMU said of BASE at the last [`Operation::Ask`]: 0 reads, 1 writes are allowed |
//! | 0xb0   | HEARD     | read: how often it took something back since the first [`Operation::Ask`]                |

pub mod pattern;

#[cfg(all(feature = "qemu", not(test)))]
pub mod device;

/// What START is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Finds out where an access goes, and makes none.
    Translate,
    /// Reads memory.
    Read,
    /// Reads memory with the PASID.
    ReadPasid,
    /// Asks the IOMMU about BASE, for reading, as a device that keeps the answer and listens for its end. No measurement.
    Ask,
}

impl Operation {
    /// The operation of that number.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Translate),
            2 => Some(Self::Read),
            3 => Some(Self::ReadPasid),
            4 => Some(Self::Ask),
            _ => None,
        }
    }
}

/// Largest access.
pub const MAX_SIZE: u64 = 1 << 16;
/// Most accesses of one measurement, so that a slip does not hold QEMU up for good.
pub const MAX_ACCESSES: u64 = 1 << 26;
/// Most threads.
pub const MAX_THREADS: u64 = 16;
