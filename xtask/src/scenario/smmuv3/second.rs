// SPDX-License-Identifier: GPL-2.0-or-later
//! Stage 2 under the rig's stage 1 (`IHI0070 §5.2`): a 4K walk of 40 bits from level 0, `S2VMID` = 7.

use anyhow::{Context as _, Result};

use super::{Rig, STREAM, STREAM_TABLE};
use crate::scenario::{Format, Pages, Tree};

/// Its tables grow from here.
const TABLES: u64 = 0x4150_0000;
/// What it maps to itself, by 2 MiB: the machine's memory.
const MEMORY: core::ops::Range<u64> = 0x4000_0000..0x6000_0000;
/// `S2VMID`.
pub const VMID: u64 = 7;

const VALID: u64 = 1;
const TABLE: u64 = 1 << 1;
const NORMAL: u64 = 0b1111 << 2;
const READ: u64 = 1 << 6;
const WRITE: u64 = 1 << 7;
const SHAREABLE: u64 = 0b11 << 8;
const ACCESSED: u64 = 1 << 10;

/// Tables of stage 2.
pub struct SecondStage {
    pages: Pages,
    tree: Tree,
}

impl SecondStage {
    fn new() -> Result<Self> {
        let mut pages = Pages::new(TABLES);
        let tree = Tree::new(&mut pages, Format { present: VALID, table: VALID | TABLE }, 4)?;
        Ok(Self { pages, tree })
    }
}

/// `STE.EATS`.
#[derive(Clone, Copy, Debug)]
pub enum Ats {
    /// Answers are physical addresses.
    Full = 0b01,
    /// Answers are intermediate addresses.
    Split = 0b10,
}

impl Rig {
    /// Puts stage 2 under the stream's stage 1. It maps memory to itself. After [`Rig::enable`], before the endpoint's
    /// first access.
    pub fn nest(&mut self) -> Result<()> {
        let mut second = SecondStage::new()?;
        let q = &mut self.qtest;
        for at in MEMORY.step_by(1 << 21) {
            let block = at | VALID | NORMAL | READ | WRITE | SHAREABLE | ACCESSED;
            second.tree.set(q, &mut second.pages, at, 1, block)?;
        }
        let ste = STREAM_TABLE + 64 * STREAM;
        let (t0sz, sl0, ps, aa64, record) = (24 << 32, 0b10 << 38, 0b010 << 48, 1 << 51, 1 << 58);
        q.writeq(ste + 16, VMID | t0sz | sl0 | ps | aa64 | record)?;
        q.writeq(ste + 24, second.tree.root)?;
        // Config = both stages.
        let word = q.readq(ste)? | 0b111 << 1;
        q.writeq(ste, word)?;
        self.second = Some(second);
        Ok(())
    }

    /// Maps a page of stage 2, and invalidates what the SMMU may hold of the old one (`IHI0070 §4.4.3`).
    pub fn map_second(&mut self, ipa: u64, output: u64, writable: bool) -> Result<()> {
        let second = self.second.as_mut().context("there is no stage 2")?;
        let write = if writable { WRITE } else { 0 };
        let page = output | VALID | TABLE | NORMAL | READ | write | SHAREABLE | ACCESSED;
        second.tree.set(&mut self.qtest, &mut second.pages, ipa, 0, page)?;
        // CMD_TLBI_S2_IPA, CMD_TLBI_NH_ALL, CMD_SYNC.
        self.command([0x2a | VMID << 32, ipa])?;
        self.command([0x10 | VMID << 32, 0])?;
        self.command([0x46, 0])
    }

    /// Changes the kind of ATS that the stream has.
    pub fn set_ats(&mut self, ats: Option<Ats>) -> Result<()> {
        let ste1 = STREAM_TABLE + 64 * STREAM + 8;
        let word = self.qtest.readq(ste1)? & !(0b11 << 28) | ats.map_or(0, |ats| (ats as u64) << 28);
        self.qtest.writeq(ste1, word)?;
        // CMD_CFGI_ALL.
        self.command([0x04, 0x1f])?;
        self.invalidate_all()
    }
}
