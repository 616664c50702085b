// SPDX-License-Identifier: GPL-2.0-or-later
//! The host's IOMMU as a VT-d unit in scalable mode: its PASID table is the host's own, and each entry that a guest has a
//! part in is nested translation.

use super::cache::{Cache, Page, Span, Tables};
use super::smmuv3::FirstStageAnswer;
use crate::iommu::narrow::{low8, ones};
use crate::iommu::{Access, DmaRequest, GuestMemory, Permissions};
use crate::nested::host::{BindingId, Capabilities, Config, FirstStage, VtdCapabilities};
use crate::vtd::config::{Context, Summary};
use crate::vtd::fault::{Fault, FaultReason};
use crate::vtd::features::Features;
use crate::vtd::interrupt_range;
use crate::vtd::spec::pasid::{Pasid0, Pasid1, Pasid2, pgtt};
use crate::vtd::walk::{self, PagePerms, Stage, StructureCache};

/// The unit.
#[derive(Debug)]
pub(super) struct Unit {
    features: Features,
    /// Tagged by binding: each has a domain-id of its own.
    cache: Cache,
}

impl Unit {
    pub fn new(features: Features) -> Self {
        Self { features, cache: Cache::default() }
    }

    pub fn capabilities(&self, pasid_bits: u8) -> Capabilities {
        Capabilities::Vtd(VtdCapabilities {
            cap: self.features.cap(),
            ecap: self.features.ecap(),
            pasid_bits: pasid_bits.min(self.features.pasid_bits),
            writable_stage2_only: false,
        })
    }

    /// Whether Linux would take it; the error is an `errno`.
    pub fn check(&self, config: &Config) -> Result<(), i32> {
        let first = match config {
            Config::Abort | Config::Bypass => return Ok(()),
            Config::CdTable { .. } => return Err(libc::EOPNOTSUPP),
            Config::FirstStage(first) => first,
        };
        let f = &self.features;
        if !f.nested {
            return Err(libc::EOPNOTSUPP);
        }
        let width = first.address_bits == 48 || (first.address_bits == 57 && f.fs5lp);
        let flags = (f.supervisor_requests || !first.supervisor_requests)
            && (f.extended_accessed || !first.extended_accessed);
        if width && flags { Ok(()) } else { Err(libc::EINVAL) }
    }

    /// A binding ended, or is another: Linux tears the entry down with all that was cached for it.
    pub fn replaced(&mut self, binding: BindingId) {
        self.cache.forget_tag(binding.0);
    }

    /// Stage 2 lost a mapping.
    pub fn unmapped(&mut self) {
        self.cache.forget_all();
    }

    /// The first stage of one request.
    pub fn translate(
        &mut self,
        mem: &dyn GuestMemory,
        binding: BindingId,
        first: &FirstStage,
        req: &DmaRequest,
    ) -> Result<FirstStageAnswer, Fault> {
        let f = &self.features;
        let context = context(first, req);
        if let Some(reason) = context.refuses(req.access) {
            return Err(context.fault(reason, req));
        }
        if let Some(page) = self.cache.page(binding.0, req.addr) {
            let perms = PagePerms::from_bits(low8(page.perms.into()));
            let at = page.output | req.addr & ones(page.log2size.into());
            if interrupt_range::contains(at) {
                return Err(context.fault(FaultReason::ScalableInterruptAddress, req));
            }
            // What is forbidden is read again: software that allows more owes no invalidation (`VTD §6.5.3.3`).
            if walk::refuses(perms, &context, context.effective_access(req.access)).is_none() {
                return Ok(answer(req, &context, page.output, page.log2size, perms));
            }
        }
        let structures = self.cache.tables(binding.0, 12);
        let mapping = walk::walk(mem, &structures, f, &context, req).0?;
        self.cache.insert(Page {
            tag: binding.0,
            global: false,
            base: req.addr & !ones(mapping.log2size.into()),
            log2size: mapping.log2size,
            level: 0,
            granule_log2: 12,
            output: mapping.addr,
            perms: mapping.perms.bits().into(),
        });
        Ok(answer(req, &context, mapping.addr, mapping.log2size, mapping.perms))
    }

    /// Pages of a binding.
    ///
    /// # Errors
    /// An `errno`.
    pub fn invalidate(&mut self, binding: BindingId, addr: u64, pages: u64, leaf: bool) -> Result<(), i32> {
        if !addr.is_multiple_of(4096) || (pages == u64::MAX && addr != 0) {
            return Err(libc::EINVAL);
        }
        let bytes = pages.saturating_mul(4096);
        let last = addr.saturating_add(bytes.saturating_sub(1));
        if bytes != 0 {
            let span = Span { first: addr, last, granule_log2: None, level: None, leaf };
            self.cache.forget_span(Some(binding.0), &span);
        }
        Ok(())
    }

    /// How many pages are kept.
    pub fn cached(&self) -> usize {
        self.cache.len()
    }
}

/// The host's PASID table entry, without its second stage.
fn context(first: &FirstStage, req: &DmaRequest) -> Context {
    let flag = u64::from;
    let summary = Summary::default()
        .with_scalable(1)
        .with_has_pasid(req.substream.is_some().into())
        .with_pasid(req.substream.unwrap_or(0).into());
    let entry0 = Pasid0::default().with_p(1).with_pgtt(pgtt::FIRST_STAGE);
    let entry1 = Pasid1::default().with_did(1).with_pwsnp(1);
    let entry2 = Pasid2::default()
        .with_fsptptr(first.table >> 12)
        .with_fspm(flag(first.address_bits == 57))
        .with_sre(flag(first.supervisor_requests))
        .with_wpe(flag(first.supervisor_requests && first.write_protect))
        .with_eafe(flag(first.extended_accessed));
    Context::from_words([summary.bits(), entry0.bits(), entry1.bits(), entry2.bits()])
}

fn answer(
    req: &DmaRequest,
    context: &Context,
    output: u64,
    log2size: u8,
    perms: PagePerms,
) -> FirstStageAnswer {
    let privileged = context.effective_access(req.access).privileged;
    let mut perm: Permissions = perms.permissions(context, privileged);
    perm.exec &= context.refuses(Access { exec: true, write: false, ..req.access }).is_none();
    FirstStageAnswer { addr: output | req.addr & ones(log2size.into()), log2size, perm }
}

impl StructureCache for Tables<'_> {
    fn cached(&self, stage: Stage, shift: u32, input: u64) -> Option<u64> {
        if stage == Stage::First { self.find(shift, input) } else { None }
    }

    fn remember(&self, stage: Stage, shift: u32, input: u64, entry: u64) {
        if stage == Stage::First {
            self.keep(shift, input, entry);
        }
    }
}
