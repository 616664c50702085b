// SPDX-License-Identifier: GPL-2.0-or-later
//! Legacy mode: root entry and context entry (`VTD §3.4.2`).

use super::{Context, RequestKind, Summary, beyond_host, bus_and_function, fault, read_words};
use crate::iommu::{DmaRequest, GuestMemory};
use crate::vtd::fault::{Fault, FaultReason};
use crate::vtd::features::Features;
use crate::vtd::spec::context::{Context0, Context1, LEGACY_BYTES, tt};
use crate::vtd::spec::root::{ROOT_BYTES, Root};

pub(super) fn lookup(
    mem: &dyn GuestMemory,
    f: &Features,
    base: u64,
    req: &DmaRequest,
    kind: RequestKind,
) -> Result<Context, Fault> {
    let (bus, function) = bus_and_function(req);
    let plain = |reason| fault(reason, false, req);
    let at = base.wrapping_add(bus.wrapping_mul(ROOT_BYTES));
    let [low, high] = read_words(mem, f, at).ok_or_else(|| plain(FaultReason::RootAccess))?;
    let root = Root::from(low);
    if root.p() == 0 {
        return Err(plain(FaultReason::RootNotPresent));
    }
    let contexts = root.ctp() << 12;
    if high != 0 || root.reserved() != 0 || beyond_host(f, contexts) {
        return Err(plain(FaultReason::RootReserved));
    }

    let at = contexts.wrapping_add(function.wrapping_mul(LEGACY_BYTES));
    let [low, high] = read_words(mem, f, at).ok_or_else(|| plain(FaultReason::ContextAccess))?;
    let (entry0, entry1) = (Context0::from(low), Context1::from(high));
    let qualified = |reason| fault(reason, entry0.fpd() != 0, req);
    if entry0.p() == 0 {
        return Err(qualified(FaultReason::ContextNotPresent));
    }
    let table = entry0.ssptptr() << 12;
    if entry0.reserved() != 0
        || entry1.reserved_71() != 0
        || entry1.reserved() != 0
        || (entry0.tt() != tt::PASS_THROUGH && beyond_host(f, table))
    {
        return Err(qualified(FaultReason::ContextReserved));
    }
    let translates = match entry0.tt() {
        tt::UNTRANSLATED => true,
        tt::ALL if f.device_tlb => true,
        tt::PASS_THROUGH if f.pass_through => false,
        _ => return Err(qualified(FaultReason::ContextInvalid)),
    };
    if translates && f.second_stage_bits(entry1.aw()).is_none() {
        return Err(qualified(FaultReason::ContextInvalid));
    }
    let summary = Summary::default().with_fpd(entry0.fpd()).with_device_tlb((entry0.tt() == tt::ALL).into());
    let context = Context { summary: summary.bits(), entry: [low, high, 0] };
    match context.refuses_kind(kind) {
        None => Ok(context),
        Some(reason) => Err(qualified(reason)),
    }
}
