// SPDX-License-Identifier: GPL-2.0-or-later
//! A function that keeps what an IOMMU told it until it hears otherwise, as QEMU's vhost does: `iommu-bench`,
//! `Operation::Ask`.

use anyhow::Result;

use super::Function;
use crate::qtest::Qtest;

/// Vendor and device of `iommu-bench`.
pub const IDENTITY: u32 = 0x53b0_1234;

/// Its registers.
mod register {
    pub const START: u64 = 0x00;
    pub const BASE: u64 = 0x08;
    pub const TOLD: u64 = 0xa8;
    pub const HEARD: u64 = 0xb0;
    pub const TOLD_ADDRESS: u64 = 0xb8;
    pub const TOLD_MASK: u64 = 0xc0;
    pub const WIDEST: u64 = 0xc8;
    pub const FORGOTTEN: u64 = 0xd0;
}
/// `Operation::Ask`.
const ASK: u64 = 4;

/// The answer to an address.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Bit 0: reads are allowed, bit 1: writes.
    pub allowed: u64,
    /// Where the answer begins.
    pub address: u64,
    /// Its size minus one.
    pub mask: u64,
}

/// What it was told to forget.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// How often, since it listens.
    pub times: u64,
    /// The largest size minus one since it asked last.
    pub widest: u64,
    /// The address that it asked for last is among it.
    pub forgotten: bool,
}

/// Asks where an address goes, and listens from now on.
pub fn ask(q: &mut Qtest, function: &Function, address: u64) -> Result<Told> {
    q.writeq(function.bar + register::BASE, address)?;
    q.writeq(function.bar + register::START, ASK)?;
    Ok(Told {
        allowed: q.readq(function.bar + register::TOLD)?,
        address: q.readq(function.bar + register::TOLD_ADDRESS)?,
        mask: q.readq(function.bar + register::TOLD_MASK)?,
    })
}

/// What it has heard.
pub fn heard(q: &mut Qtest, function: &Function) -> Result<Heard> {
    Ok(Heard {
        times: q.readq(function.bar + register::HEARD)?,
        widest: q.readq(function.bar + register::WIDEST)?,
        forgotten: q.readq(function.bar + register::FORGOTTEN)? != 0,
    })
}
