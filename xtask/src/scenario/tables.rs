// SPDX-License-Identifier: GPL-2.0-or-later
//! VMSAv8-64 translation tables in guest memory: 4K granule, 48 bits, both ranges.

use anyhow::{Context, Result};

use crate::qtest::Qtest;

/// Attributes of a page descriptor.
pub mod page {
    /// AP[2:1] = 0b01: reads and writes for all.
    pub const ALL: u64 = 0b01 << 6;
    /// AP[2:1] = 0b00: for privileged accesses only.
    pub const PRIVILEGED: u64 = 0b00 << 6;
    /// `APTable[1]`: no writes below this table descriptor.
    pub const TABLE_READ_ONLY: u64 = 1 << 62;
}

/// What one page maps to.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// Output address.
    pub output: u64,
    /// Bits from [`page`].
    pub attributes: u64,
    /// Bits of the level 2 table descriptor above it.
    pub table: u64,
}

impl Leaf {
    /// A page that everybody may read and write.
    pub fn all(output: u64) -> Self {
        Self { output, attributes: page::ALL, table: 0 }
    }
}

const VALID_TABLE: u64 = 0b11;
const ACCESSED: u64 = 1 << 10;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// Both ranges' tables and where the next one goes.
pub struct Tables {
    next: u64,
    roots: [u64; 2],
    cleared: bool,
}

impl Tables {
    /// Empty tables that grow from `base`.
    pub fn new(base: u64) -> Self {
        Self { next: base + 0x2000, roots: [base, base + 0x1000], cleared: false }
    }

    /// `TTB0`.
    pub fn lower(&self) -> u64 {
        self.roots[0]
    }

    /// `TTB1`.
    pub fn upper(&self) -> u64 {
        self.roots[1]
    }

    /// Maps the page of `address`; bit 55 chooses the range, the top byte is not looked at.
    pub fn map(&mut self, qtest: &mut Qtest, address: u64, leaf: Leaf) -> Result<()> {
        if !self.cleared {
            qtest.memset(self.roots[0], 0x2000, 0)?;
            self.cleared = true;
        }
        let mut table = self.roots[usize::from(address >> 55 & 1 != 0)];
        for level in 0..3u32 {
            let at = table + 8 * (address >> (39 - 9 * level) & 0x1ff);
            let descriptor = qtest.readq(at)?;
            let bits = if level == 2 { leaf.table } else { 0 };
            if descriptor & 1 == 0 {
                let new = self.next;
                self.next = self.next.checked_add(0x1000).context("out of table memory")?;
                qtest.memset(new, 0x1000, 0)?;
                qtest.writeq(at, new | VALID_TABLE | bits)?;
                table = new;
            } else {
                if bits != 0 {
                    qtest.writeq(at, descriptor | bits)?;
                }
                table = descriptor & ADDRESS;
            }
        }
        let at = table + 8 * (address >> 12 & 0x1ff);
        qtest.writeq(at, leaf.output | leaf.attributes | ACCESSED | INNER_SHAREABLE | VALID_TABLE)
    }
}
