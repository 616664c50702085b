// SPDX-License-Identifier: GPL-2.0-or-later
//! The host by itself: what it refuses, what it forgets and when, what it reports.

mod failures;
mod faults;
mod smmuv3;
mod vtd;

use std::sync::Arc;

use super::*;
use crate::iommu::{GuestMemory, MemoryError};
use crate::nested::host::{Host, Invalidation};

/// How much further up the host's memory lies than the guest sees it.
pub(crate) const SHIFT: u64 = 0x10_0000_0000;
/// What stage 2 shows.
pub(crate) const RAM: core::ops::Range<u64> = 0x10_0000..0x2_0000_0000;
pub(crate) const DEVICE: DeviceId = DeviceId(7);

/// A guest's memory where the host has it.
pub(crate) struct Shifted<G>(pub Arc<G>);

/// A guest in miniature, of either architecture.
pub(crate) trait HasMemory {
    fn memory(&self) -> &crate::iommu::testing::TestMemory;
}

impl HasMemory for crate::smmuv3::testing::TestGuest {
    fn memory(&self) -> &crate::iommu::testing::TestMemory {
        &self.mem
    }
}

impl HasMemory for crate::vtd::testing::TestGuest {
    fn memory(&self) -> &crate::iommu::testing::TestMemory {
        &self.mem
    }
}

impl<G: HasMemory> Shifted<G> {
    fn at(addr: u64) -> Result<u64, MemoryError> {
        addr.checked_sub(SHIFT).ok_or(MemoryError { addr })
    }
}

impl<G: HasMemory> GuestMemory for Shifted<G> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
        self.0.memory().read(Self::at(addr)?, buf)
    }

    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
        self.0.memory().write(Self::at(addr)?, buf)
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        self.0.memory().read_u64(Self::at(addr)?)
    }

    fn compare_exchange_u64(
        &self,
        addr: u64,
        current: u64,
        new: u64,
    ) -> Result<Result<(), u64>, MemoryError> {
        self.0.memory().compare_exchange_u64(Self::at(addr)?, current, new)
    }
}

/// Stage 2 shows the guest's memory.
pub(crate) fn map_ram(host: &SoftwareHost) {
    host.map(RAM.start, RAM.start + SHIFT, RAM.end - RAM.start, true).unwrap();
}

/// Where an access ended up, as the guest sees it.
pub(crate) fn guest_address(outcome: Outcome) -> Option<u64> {
    match outcome {
        Outcome::Translated(t) => Some(t.addr - SHIFT),
        _ => None,
    }
}

pub(crate) fn failed<T: core::fmt::Debug>(result: crate::nested::Result<T>) -> i32 {
    match result {
        Err(crate::nested::Error::Failed { errno, .. }) => errno,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn is_unsupported<T>(result: &crate::nested::Result<T>) -> bool {
    matches!(result, Err(crate::nested::Error::Unsupported { .. }))
}

/// Whether a file descriptor is readable, without reading it: the shell can ask that, safe Rust cannot.
pub(crate) fn readable(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    let fd = fd.try_clone_to_owned().unwrap();
    std::process::Command::new("bash").args(["-c", "read -t 0"]).stdin(fd).status().unwrap().success()
}
