// SPDX-License-Identifier: GPL-2.0-or-later
//! Translation tables in guest memory: pages of 512 entries, whatever the entries' format.

use anyhow::{Context as _, Result, bail};

use crate::qtest::Qtest;

/// Address bits of an entry.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Memory for tables.
pub struct Pages {
    next: u64,
}

impl Pages {
    /// From `base` on.
    pub fn new(base: u64) -> Self {
        Self { next: base }
    }

    /// The next page, not cleared.
    pub fn take(&mut self) -> Result<u64> {
        let page = self.next;
        self.next = page.checked_add(0x1000).context("out of table memory")?;
        Ok(page)
    }
}

/// What entries that point to tables look like.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// A bit that no entry without a successor has.
    pub present: u64,
    /// Bits beside the address.
    pub table: u64,
}

/// A tree of tables. Levels count from 0, where an entry maps 4 KiB.
#[derive(Clone, Copy, Debug)]
pub struct Tree {
    /// The uppermost table.
    pub root: u64,
    /// How many there are on the way to a page of 4 KiB.
    pub levels: u32,
    format: Format,
    cleared: bool,
}

impl Tree {
    /// A tree with nothing in it.
    pub fn new(pages: &mut Pages, format: Format, levels: u32) -> Result<Self> {
        Ok(Self { root: pages.take()?, levels, format, cleared: false })
    }

    /// Where the entry of `address` lies in the table of `level`; tables on the way are made.
    pub fn entry(&mut self, q: &mut Qtest, pages: &mut Pages, address: u64, level: u32) -> Result<u64> {
        if !self.cleared {
            q.memset(self.root, 0x1000, 0)?;
            self.cleared = true;
        }
        let mut table = self.root;
        for above in (level + 1..self.levels).rev() {
            let at = table + 8 * index(address, above);
            let entry = q.readq(at)?;
            if entry & self.format.present == 0 {
                let new = pages.take()?;
                q.memset(new, 0x1000, 0)?;
                q.writeq(at, new | self.format.table)?;
                table = new;
            } else {
                table = entry & ADDRESS;
            }
        }
        if level >= self.levels {
            bail!("a tree of {} levels has no level {level}", self.levels);
        }
        Ok(table + 8 * index(address, level))
    }

    /// Makes `leaf` the entry of `address` in the table of `level`.
    pub fn set(
        &mut self,
        q: &mut Qtest,
        pages: &mut Pages,
        address: u64,
        level: u32,
        leaf: u64,
    ) -> Result<()> {
        let at = self.entry(q, pages, address, level)?;
        q.writeq(at, leaf)
    }
}

fn index(address: u64, level: u32) -> u64 {
    address >> (12 + 9 * level) & 0x1ff
}
