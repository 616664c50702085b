// SPDX-License-Identifier: GPL-2.0-or-later
//! Entries of the unit's tables, by the specification's bit positions (`VTD §9`).

use crate::scenario::Tree;

/// A PASID table entry (`VTD §9.6`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasidEntry(pub [u64; 8]);

const PRESENT: u64 = 1;
/// Fault processing disable.
const FPD: u64 = 1 << 1;
/// `SSADE`: second-stage accessed and dirty flags.
const SSADE: u64 = 1 << 9;
/// `SRE`: supervisor requests are served.
pub const SRE: u64 = 1 << 0;
/// `ERE`: execute requests are served.
pub const ERE: u64 = 1 << 1;
/// `WPE`: supervisor requests obey `R/W`.
pub const WPE: u64 = 1 << 4;
/// `NXE`: `XD` forbids execution.
pub const NXE: u64 = 1 << 5;
/// `EAFE`: extended accessed flags.
pub const EAFE: u64 = 1 << 7;

impl PasidEntry {
    fn new(pgtt: u64) -> Self {
        let mut words = [0; 8];
        words[0] = PRESENT | pgtt << 6;
        Self(words).domain(1)
    }

    /// First stage. The second stage's address width is filled in as drivers do, for models that look at it.
    pub fn first_stage(tree: &Tree) -> Self {
        Self::new(1).with_first(tree).width(2)
    }

    /// Second stage.
    pub fn second_stage(tree: &Tree) -> Self {
        Self::new(2).with_second(tree)
    }

    /// First stage nested on second stage.
    pub fn nested(first: &Tree, second: &Tree) -> Self {
        Self::new(3).with_first(first).with_second(second)
    }

    /// Pass-through.
    pub fn pass_through() -> Self {
        Self::new(4).width(2)
    }

    fn with_first(mut self, tree: &Tree) -> Self {
        self.0[2] |= tree.root | if tree.levels == 5 { 1 << 2 } else { 0 };
        self
    }

    fn with_second(mut self, tree: &Tree) -> Self {
        self.0[0] |= tree.root;
        self.width(u64::from(tree.levels) - 2)
    }

    /// `AW`: 1, 2, 3 for 39, 48, 57 bits.
    pub fn width(mut self, aw: u64) -> Self {
        self.0[0] = self.0[0] & !(0b111 << 2) | aw << 2;
        self
    }

    /// Domain-id.
    pub fn domain(mut self, did: u64) -> Self {
        self.0[1] = self.0[1] & !0xffff | did;
        self
    }

    /// Bits of the third word: see [`SRE`] and so on.
    pub fn with(mut self, bits: u64) -> Self {
        self.0[2] |= bits;
        self
    }

    /// `SSADE`.
    pub fn keeping_second_flags(mut self) -> Self {
        self.0[0] |= SSADE;
        self
    }

    /// `FPD`.
    pub fn faults_disabled(mut self) -> Self {
        self.0[0] |= FPD;
        self
    }

    /// `PWSNP`: page walks snoop, so that they may set flags.
    pub(super) fn snooping(mut self, snoops: bool) -> Self {
        self.0[1] |= u64::from(snoops) << 23;
        self
    }
}

/// First-stage paging entries (`VTD §9.7`).
pub mod first {
    use crate::scenario::Format;

    /// Present.
    pub const P: u64 = 1 << 0;
    /// Writes are allowed.
    pub const RW: u64 = 1 << 1;
    /// User requests are allowed.
    pub const US: u64 = 1 << 2;
    /// Accessed.
    pub const A: u64 = 1 << 5;
    /// Dirty.
    pub const D: u64 = 1 << 6;
    /// A page, above the last level.
    pub const PS: u64 = 1 << 7;
    /// Extended accessed.
    pub const EA: u64 = 1 << 10;
    /// Execute disable.
    pub const XD: u64 = 1 << 63;
    /// A page for everybody, with both flags set already.
    pub const PAGE: u64 = P | RW | US | A | D;
    /// Tables.
    pub const FORMAT: Format = Format { present: P, table: P | RW | US | A };
}

/// Second-stage paging entries (`VTD §9.8`).
pub mod second {
    use crate::scenario::Format;

    /// Reads are allowed.
    pub const R: u64 = 1 << 0;
    /// Writes are allowed.
    pub const W: u64 = 1 << 1;
    /// A page, above the last level.
    pub const PS: u64 = 1 << 7;
    /// Accessed.
    pub const A: u64 = 1 << 8;
    /// Dirty.
    pub const D: u64 = 1 << 9;
    /// A page for reads and writes.
    pub const PAGE: u64 = R | W;
    /// Tables.
    pub const FORMAT: Format = Format { present: R, table: R | W };
}
