// SPDX-License-Identifier: GPL-2.0-or-later
//! VMSAv8-64 translation tables in guest memory: 4K granule, 48 bits, both ranges.

use anyhow::Result;

use crate::qtest::Qtest;
use crate::scenario::{Format, Pages, Tree};

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

/// Both ranges' tables and where the next one goes.
pub struct Tables {
    pages: Pages,
    ranges: [Tree; 2],
}

impl Tables {
    /// Empty tables that grow from `base`.
    pub fn new(base: u64) -> Result<Self> {
        let format = Format { present: 1, table: VALID_TABLE };
        let mut pages = Pages::new(base);
        let ranges = [Tree::new(&mut pages, format, 4)?, Tree::new(&mut pages, format, 4)?];
        Ok(Self { pages, ranges })
    }

    /// `TTB0`.
    pub fn lower(&self) -> u64 {
        self.ranges[0].root
    }

    /// `TTB1`.
    pub fn upper(&self) -> u64 {
        self.ranges[1].root
    }

    /// Where the page descriptor of an address is.
    pub fn leaf(&mut self, qtest: &mut Qtest, address: u64) -> Result<u64> {
        let tree = &mut self.ranges[usize::from(address >> 55 & 1 != 0)];
        tree.entry(qtest, &mut self.pages, address, 0)
    }

    /// Maps the page of `address`; bit 55 chooses the range, the top byte is not looked at.
    pub fn map(&mut self, qtest: &mut Qtest, address: u64, leaf: Leaf) -> Result<()> {
        let tree = &mut self.ranges[usize::from(address >> 55 & 1 != 0)];
        let page = leaf.output | leaf.attributes | ACCESSED | INNER_SHAREABLE | VALID_TABLE;
        tree.set(qtest, &mut self.pages, address, 0, page)?;
        if leaf.table != 0 {
            let at = tree.entry(qtest, &mut self.pages, address, 1)?;
            let table = qtest.readq(at)?;
            qtest.writeq(at, table | leaf.table)?;
        }
        Ok(())
    }
}
