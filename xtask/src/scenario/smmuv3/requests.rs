// SPDX-License-Identifier: GPL-2.0-or-later
//! ATS and PRI of the rig (`IHI0070 §3.9`, `§8`).

use anyhow::{Result, bail};

use super::{Ats, Rig, SMMU, STREAM, STREAM_TABLE, register};
use crate::scenario::Capability;

/// PRI queue.
const REQUESTS: u64 = 0x4105_0000;

/// Registers of the PRI queue, `IHI0070 §6.3.33`, `§6.3.97`.
mod priq {
    pub const BASE: u64 = 0xc0;
    pub const PROD: u64 = 0x1_00c8;
    pub const CONS: u64 = 0x1_00cc;
}

/// `CMD_PRI_RESP.Resp`.
#[derive(Clone, Copy, Debug)]
pub enum Response {
    /// The function may not ask for pages.
    Failure = 0,
    /// There is no such page.
    Invalid = 1,
    /// The page is there.
    Success = 2,
}

/// A record of the PRI queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest(pub [u64; 2]);

impl PageRequest {
    /// The page's address.
    pub fn address(self) -> u64 {
        self.0[1] & !0xfff
    }

    /// Whether it is to be read, and written.
    pub fn access(self) -> (bool, bool) {
        (self.0[0] >> 60 & 1 != 0, self.0[0] >> 61 & 1 != 0)
    }

    /// The address space.
    pub fn pasid(self) -> Option<u64> {
        (self.0[0] >> 63 != 0).then_some(self.0[0] >> 32 & 0xf_ffff)
    }
}

impl Rig {
    /// Allows the endpoint's stream ATS, gives the SMMU a PRI queue of `2^log2` entries, and enables all of it in the
    /// endpoint. After [`Rig::enable`].
    pub fn enable_requests(&mut self, log2: u64) -> Result<()> {
        let q = &mut self.qtest;
        let ste1 = STREAM_TABLE + 64 * STREAM + 8;
        // PPAR.
        let word = q.readq(ste1)? | 1 << 18;
        q.writeq(ste1, word)?;
        q.writeq(SMMU + priq::BASE, REQUESTS | log2)?;
        q.writel(SMMU + priq::PROD, 0)?;
        q.writel(SMMU + priq::CONS, 0)?;
        // ATSCHK, PRIQEN besides the others.
        q.writel(SMMU + register::CR0, 0x1f)?;
        self.set_ats(Some(Ats::Full))?;
        for capability in [Capability::Ats, Capability::Pri] {
            self.endpoint.enable(&mut self.qtest, capability)?;
        }
        Ok(())
    }

    /// Whether every command was consumed.
    pub fn is_drained(&mut self) -> Result<bool> {
        Ok(self.qtest.readl(SMMU + register::CMDQ_CONS)? & 0xf_ffff == self.command)
    }

    /// `CMDQ_CONS.ERR`.
    pub fn command_error(&mut self) -> Result<u32> {
        Ok(self.qtest.readl(SMMU + register::CMDQ_CONS)? >> 24 & 0x7f)
    }

    /// The next page request, if there is one; it stays in the queue. Of a queue that has not wrapped yet.
    pub fn page_request(&mut self) -> Result<Option<PageRequest>> {
        let (produced, consumed) = self.page_queue()?;
        if produced & 0xf_ffff == consumed & 0xf_ffff {
            return Ok(None);
        }
        let at = REQUESTS + 16 * u64::from(consumed & 0xf_ffff);
        Ok(Some(PageRequest([self.qtest.readq(at)?, self.qtest.readq(at + 8)?])))
    }

    /// `PRIQ_PROD` and `PRIQ_CONS`.
    pub fn page_queue(&mut self) -> Result<(u32, u32)> {
        Ok((self.qtest.readl(SMMU + priq::PROD)?, self.qtest.readl(SMMU + priq::CONS)?))
    }

    /// Writes `PRIQ_CONS`.
    pub fn consume_page_requests(&mut self, consumed: u32) -> Result<()> {
        self.qtest.writel(SMMU + priq::CONS, consumed)
    }

    /// A page request that has to come, within some virtual time; it is consumed.
    pub fn wait_page_request(&mut self) -> Result<PageRequest> {
        for _ in 0..200 {
            if let Some(request) = self.page_request()? {
                let (_, consumed) = self.page_queue()?;
                self.consume_page_requests(consumed + 1)?;
                return Ok(request);
            }
            self.qtest.step(100_000)?;
        }
        bail!("no page request came")
    }

    /// `CMD_PRI_RESP`.
    pub fn respond(&mut self, request: PageRequest, response: Response) -> Result<()> {
        let [head, tail] = request.0;
        let tagged = if head >> 63 != 0 { 1 << 11 | (head >> 32 & 0xf_ffff) << 12 } else { 0 };
        self.command([0x41 | tagged | (head & 0xffff_ffff) << 32, tail & 0x1ff | (response as u64) << 12])
    }

    /// `CMD_ATC_INV` of one page, for requests without PASID.
    pub fn invalidate_endpoint(&mut self, address: u64) -> Result<()> {
        self.command([0x40 | STREAM << 32, address])
    }

    /// Enables of the queues and of translation.
    pub fn enables(&mut self, value: u32) -> Result<()> {
        self.qtest.writel(SMMU + register::CR0, value)
    }

    /// Acknowledges every global error.
    pub fn acknowledge_errors(&mut self) -> Result<()> {
        let errors = self.global_errors()?;
        self.qtest.writel(SMMU + register::GERROR + 4, errors)
    }

    /// A counter of the SMMU.
    pub fn stat(&mut self, name: &str) -> Result<u64> {
        let stats = self.qtest.qmp.stats(&crate::vm::iommu_path(0))?;
        stats.get(name).copied().ok_or_else(|| anyhow::anyhow!("the SMMU has no counter {name}"))
    }
}
