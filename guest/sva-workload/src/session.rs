// SPDX-License-Identifier: GPL-2.0-or-later
//! What checks stand on: the machine's functions, a bound device, and operations with one expectation each.

use std::time::Duration;

use sva_guest::device::{Descriptor, Device, Outcome, Ring, Status};
use sva_guest::pci::Function;

use crate::report::Stop;

/// Longest wait for one operation. A fault storm under emulation takes its time; a dead device is noticed sooner by
/// [`Context::device`].
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What every check is given.
#[derive(Debug)]
pub struct Context {
    /// Functions of the device under test, in order of their addresses.
    pub functions: Vec<Function>,
    /// Longest time of one check.
    pub limit: Duration,
}

impl Context {
    /// Binds this process to the first function and sees that the device is alive.
    pub fn device(&self) -> Result<Device, Stop> {
        self.device_at(0)
    }

    /// Binds this process to function `n`.
    pub fn device_at(&self, n: usize) -> Result<Device, Stop> {
        let function = self.functions.get(n).ok_or_else(|| Stop::Skip(format!("no function {n}")))?;
        let device = Device::open(function)?;
        let mut ring = Ring::new(&device, 0)?;
        let outcome = ring.run(&Descriptor::nop(), Duration::from_secs(5))?;
        if outcome.status != Status::Ok {
            return Err(format!("a NOP ended with {}", describe(&outcome)).into());
        }
        drop(ring);
        Ok(device)
    }
}

/// An outcome in words.
pub fn describe(outcome: &Outcome) -> String {
    let cause = match outcome.cause {
        0 => "no cause",
        1 => "refused by the IOMMU",
        2 => "stalled access aborted",
        3 => "page request answered INVALID",
        4 => "page request failed",
        5 => "memory error",
        6 => "bus mastering off",
        7 => "PASID not enabled",
        8 => "malformed descriptor",
        9 => "PASID halted",
        10 => "cancelled",
        11 => "IOMMU cannot do it",
        _ => "unknown cause",
    };
    format!("{:?}, {cause}, address {:#x}, {} bytes done", outcome.status, outcome.address, outcome.bytes)
}

/// Operations with an expectation.
pub trait Expect {
    /// The operation must succeed.
    fn ok(&mut self, d: &Descriptor) -> Result<Outcome, String>;
    /// The operation must be refused, at an address in `[at, at + len)`; the engine is ready again afterwards.
    fn refused(&mut self, d: &Descriptor, at: u64, len: usize) -> Result<Outcome, String>;
}

impl Expect for Ring<'_> {
    fn ok(&mut self, d: &Descriptor) -> Result<Outcome, String> {
        let outcome = self.run(d, PATIENCE)?;
        if outcome.status == Status::Ok {
            Ok(outcome)
        } else {
            Err(format!("{:?} of {} bytes ended with {}", d.opcode, d.len, describe(&outcome)))
        }
    }

    fn refused(&mut self, d: &Descriptor, at: u64, len: usize) -> Result<Outcome, String> {
        let outcome = self.run(d, PATIENCE)?;
        // what the kernel refuses it answers with INVALID, never with FAILURE; 11: there was nobody to ask for the page
        let fault =
            matches!(outcome.status, Status::Fault | Status::Halted) && matches!(outcome.cause, 1..=3 | 11);
        let result = if !fault {
            Err(format!("{:?} should have been refused but ended with {}", d.opcode, describe(&outcome)))
        } else if !(at..at + len as u64).contains(&outcome.address) {
            Err(format!("{:?} was refused at {:#x}, expected {at:#x} (+{len:#x})", d.opcode, outcome.address))
        } else {
            Ok(outcome)
        };
        self.recover();
        result
    }
}

/// Keeps transparent huge pages away from this process, so that a fault is a page.
pub fn small_pages() {
    const PR_SET_THP_DISABLE: i32 = 41;
    // SAFETY: a flag of this process.
    unsafe { libc::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

/// Bytes with a unit.
pub fn bytes(n: usize) -> String {
    match n {
        n if n >= 1 << 20 && n.is_multiple_of(1 << 20) => format!("{} MiB", n >> 20),
        n if n >= 1 << 10 && n.is_multiple_of(1 << 10) => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}

/// Rate in MB/s.
pub fn rate(bytes: usize, took: Duration) -> String {
    format!("{:.0} MB/s", bytes as f64 / took.as_secs_f64().max(1e-9) / 1e6)
}
