// SPDX-License-Identifier: GPL-2.0-or-later
//! Arm SMMUv3, `IHI0070`.

pub mod commands;
pub mod counters;
pub mod events;
pub mod registers;
pub mod requests;

use anyhow::Result;

use crate::qtest::Qtest;
use crate::scenario::smmuv3::SMMU;
use crate::scenario::smmuv3::counters::PMCG;

/// The identification registers that decide which other bits exist (`IHI0070 §6.3.1` to `§6.3.6`).
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    idr0: u32,
    idr1: u32,
    idr3: u32,
    idr5: u32,
    pmcg_cfgr: u32,
}

impl Ids {
    /// Reads them.
    pub fn read(q: &mut Qtest) -> Result<Self> {
        Ok(Self {
            idr0: q.readl(SMMU)?,
            idr1: q.readl(SMMU + 0x4)?,
            idr3: q.readl(SMMU + 0xc)?,
            idr5: q.readl(SMMU + 0x14)?,
            pmcg_cfgr: q.readl(SMMU + PMCG + 0xe00)?,
        })
    }

    fn bit(self, n: u32) -> bool {
        self.idr0 >> n & 1 != 0
    }

    /// `IDR0.S2P`.
    pub fn stage2(self) -> bool {
        self.bit(0)
    }

    /// `IDR0.BTM`.
    pub fn btm(self) -> bool {
        self.bit(5)
    }

    /// `IDR0.ATSRECERR`.
    pub fn ats_errors(self) -> bool {
        self.bit(23)
    }

    /// `IDR0.Hyp`.
    pub fn hyp(self) -> bool {
        self.bit(9)
    }

    /// `IDR0.ATS`.
    pub fn ats(self) -> bool {
        self.bit(10)
    }

    /// `IDR0.MSI`.
    pub fn msi(self) -> bool {
        self.bit(13)
    }

    /// `IDR0.PRI`.
    pub fn pri(self) -> bool {
        self.bit(16)
    }

    /// `IDR0.VMW`.
    pub fn vmw(self) -> bool {
        self.bit(17)
    }

    /// `IDR0.STALL_MODEL` is not 0b01.
    pub fn stalls(self) -> bool {
        self.idr0 >> 24 & 3 != 1
    }

    /// `IDR0.ST_LEVEL` allows two levels.
    pub fn two_level(self) -> bool {
        self.idr0 >> 27 & 3 == 1
    }

    /// `IDR1.CMDQS`, log2.
    pub fn command_queue(self) -> u32 {
        self.idr1 >> 21 & 0x1f
    }

    /// `IDR1.EVENTQS`, log2.
    pub fn event_queue(self) -> u32 {
        self.idr1 >> 16 & 0x1f
    }

    /// `IDR1.PRIQS`, log2.
    pub fn page_request_queue(self) -> u32 {
        self.idr1 >> 11 & 0x1f
    }

    /// `IDR1.SIDSIZE`.
    pub fn streams(self) -> u32 {
        self.idr1 & 0x3f
    }

    /// `PMCG_CFGR.MSI`.
    pub fn counter_msi(self) -> bool {
        self.pmcg_cfgr >> 21 & 1 != 0
    }

    /// `IDR3.RIL`.
    pub fn ranges(self) -> bool {
        self.idr3 >> 10 & 1 != 0
    }

    /// Address bits 55:0 as far as `IDR5.OAS` has them.
    pub fn addresses(self) -> u64 {
        let bits = [32, 36, 40, 42, 44, 48, 52, 56];
        (1 << bits[(self.idr5 & 7) as usize]) - 1
    }
}
