// SPDX-License-Identifier: GPL-2.0-or-later
//! Interrupt remapping by hand (`VTD §5.1`, `§5.2`): the table, requests, and what the CPU got of them.

use anyhow::{Context as _, Result};
use serde_json::json;

use super::register::{self, command};
use super::{Rig, descriptor};

/// Interrupt remapping table.
const TABLE: u64 = 0x4105_0000;
/// Log2 of its entries, minus one: `IRTA_REG.S`.
const TABLE_SIZE: u64 = 7;
/// Posted interrupt descriptor.
pub const POSTED: u64 = 0x4106_0040;

/// Interrupt remapping table entries (`VTD §9.10`, `§9.11`).
#[derive(Clone, Copy, Debug)]
pub struct Entry(pub [u64; 2]);

impl Entry {
    /// Fixed, edge, to APIC-ID 0, for every source.
    pub fn vector(vector: u64) -> Self {
        Self([1 | vector << 16, 0])
    }

    /// The vector is noted in [`POSTED`].
    pub fn posted(vector: u64) -> Self {
        Self([1 | 1 << 15 | vector << 16 | (POSTED & 0xffff_ffff) << 32, POSTED >> 32 << 32])
    }

    /// The same, urgent.
    pub fn urgent(self) -> Self {
        let Self([low, high]) = self;
        Self([low | 1 << 14, high])
    }

    /// For that source alone.
    pub fn for_source(self, source: u64) -> Self {
        let Self([low, high]) = self;
        Self([low, high | 1 << 18 | source])
    }
}

/// A message for an entry, in remappable format (`VTD §5.1.2.2`).
pub fn remappable(number: u64) -> u64 {
    0xfee0_0000 | (number & 0x7fff) << 5 | 1 << 4 | (number >> 15) << 2
}

impl Rig {
    /// Puts an empty table in place and remaps by it; in extended mode compatibility format is always blocked.
    pub fn enable_remapping(&mut self, extended: bool) -> Result<()> {
        self.qtest.memset(TABLE, 16 << (TABLE_SIZE + 1), 0)?;
        self.write64(register::IRTA, TABLE | u64::from(extended) << 11 | TABLE_SIZE)?;
        self.command(command::SIRTP)?;
        self.submit(descriptor::INTERRUPTS_GLOBAL)?;
        self.wait()?;
        self.command(command::IRE)
    }

    /// Writes an entry, and tells nobody.
    pub fn set_interrupt(&mut self, number: u64, entry: Entry) -> Result<()> {
        let at = TABLE + 16 * number;
        self.qtest.writeq(at + 8, entry.0[1])?;
        self.qtest.writeq(at, entry.0[0])
    }

    /// Interrupt entry cache invalidation of one entry.
    pub fn invalidate_interrupt(&mut self, number: u64) -> Result<()> {
        self.submit([0x4 | 1 << 4 | number << 32, 0, 0, 0])?;
        self.wait()
    }

    /// The vectors that the first CPU's APIC has been given and not served: none is served here.
    pub fn vectors(&mut self) -> Result<Vec<u64>> {
        let command = json!({"command-line": "info lapic 0"});
        let text = self.qtest.qmp.execute("human-monitor-command", command)?;
        let text = text.as_str().context("info lapic says nothing")?;
        let requests = text
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("IRR"))
            .with_context(|| format!("info lapic has no IRR:\n{text}"))?;
        // A vector is followed by (level) if it is one.
        Ok(requests.split_whitespace().filter_map(|word| word.split('(').next()?.parse().ok()).collect())
    }
}
