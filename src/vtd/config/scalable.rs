// SPDX-License-Identifier: GPL-2.0-or-later
//! Scalable mode: root entry, context entry, PASID directory and PASID table (`VTD §3.4.3`).

use super::{Context, RequestKind, Summary, beyond_host, bus_and_function, fault, read_words};
use crate::iommu::narrow::{low32, ones};
use crate::iommu::{DmaRequest, GuestMemory};
use crate::vtd::fault::{Fault, FaultReason};
use crate::vtd::features::Features;
use crate::vtd::spec::context::{SCALABLE_BYTES, ScalableContext0, ScalableContext1};
use crate::vtd::spec::pasid::{
    DIRECTORY_BYTES, PASID_BYTES, Pasid0, Pasid1, Pasid2, PasidDirectory, TABLE_LOG2, pgtt,
};
use crate::vtd::spec::root::{ROOT_BYTES, Root};

pub(super) fn lookup(
    mem: &dyn GuestMemory,
    f: &Features,
    base: u64,
    req: &DmaRequest,
    kind: RequestKind,
) -> Result<Context, Fault> {
    let (entry0, entry1) = context_entry(mem, f, base, req)?;
    let qualified = |reason| Err(fault(reason, entry0.fpd() != 0, req));
    let summary = Summary::default()
        .with_scalable(1)
        .with_fpd(entry0.fpd())
        .with_device_tlb(entry0.dte())
        .with_page_requests(entry0.pre())
        .with_rid_priv(entry1.rid_priv());
    let context = Context { summary: summary.bits(), entry: [0; 3] };
    if let Some(reason) = context.refuses_kind(kind) {
        return qualified(reason);
    }

    // Log2 of the PASIDs that the directory and this unit have room for.
    let room = low32(entry0.pdts()).saturating_add(7).saturating_add(TABLE_LOG2);
    let (pasid, too_large) = match req.substream {
        Some(_) if entry0.paside() == 0 => return qualified(FaultReason::PasidDisabled),
        Some(pasid) if u64::from(pasid) > ones(f.pasid_bits.into()) => {
            return qualified(FaultReason::PasidTooLarge);
        }
        Some(pasid) => (u64::from(pasid), FaultReason::PasidTooLarge),
        None => (entry1.rid_pasid(), FaultReason::RidPasid),
    };
    if pasid > ones(room.min(20)) {
        return qualified(too_large);
    }
    if kind == RequestKind::Page {
        return Ok(context);
    }
    let (entry, fpd) = pasid_entry(mem, f, entry0, pasid, req)?;
    let summary =
        summary.with_fpd(fpd.into()).with_has_pasid(req.substream.is_some().into()).with_pasid(pasid);
    Ok(Context { summary: summary.bits(), entry })
}

fn context_entry(
    mem: &dyn GuestMemory,
    f: &Features,
    base: u64,
    req: &DmaRequest,
) -> Result<(ScalableContext0, ScalableContext1), Fault> {
    let (bus, function) = bus_and_function(req);
    let plain = |reason| fault(reason, false, req);
    // The upper half of a bus has the second word.
    let at = base.wrapping_add(bus.wrapping_mul(ROOT_BYTES)).wrapping_add(function >> 7 << 3);
    let [root] = read_words(mem, f, at).ok_or_else(|| plain(FaultReason::ScalableRootAccess))?;
    let root = Root::from(root);
    if root.p() == 0 {
        return Err(plain(FaultReason::ScalableRootNotPresent));
    }
    let contexts = root.ctp() << 12;
    if root.reserved() != 0 || beyond_host(f, contexts) {
        return Err(plain(FaultReason::ScalableRootReserved));
    }

    let at = contexts.wrapping_add((function & 0x7f).wrapping_mul(SCALABLE_BYTES));
    let [low, high, third, fourth] =
        read_words(mem, f, at).ok_or_else(|| plain(FaultReason::ScalableContextAccess))?;
    let (entry0, entry1) = (ScalableContext0::from(low), ScalableContext1::from(high));
    let qualified = |reason| fault(reason, entry0.fpd() != 0, req);
    if entry0.p() == 0 {
        return Err(qualified(FaultReason::ScalableContextNotPresent));
    }
    let reserved = entry0.reserved() != 0
        || entry1.reserved() != 0
        || third != 0
        || fourth != 0
        || (entry0.dte() != 0 && !f.device_tlb)
        || (entry0.paside() != 0 && f.pasid_bits == 0)
        || (entry0.pre() != 0 && !f.page_requests)
        || (entry1.rid_pasid() != 0 && !f.rid_pasid)
        || (entry1.rid_priv() != 0 && !f.rid_priv)
        || beyond_host(f, entry0.pasiddirptr() << 12);
    if reserved { Err(qualified(FaultReason::ScalableContextReserved)) } else { Ok((entry0, entry1)) }
}

/// The PASID table entry's words that matter, and whether any entry on the way disables fault processing.
fn pasid_entry(
    mem: &dyn GuestMemory,
    f: &Features,
    context: ScalableContext0,
    pasid: u64,
    req: &DmaRequest,
) -> Result<([u64; 3], bool), Fault> {
    let fpd = context.fpd() != 0;
    let at = (context.pasiddirptr() << 12).wrapping_add((pasid >> TABLE_LOG2).wrapping_mul(DIRECTORY_BYTES));
    let [directory] = read_words(mem, f, at).ok_or_else(|| fault(FaultReason::DirectoryAccess, fpd, req))?;
    let directory = PasidDirectory::from(directory);
    let fpd = fpd || directory.fpd() != 0;
    if directory.p() == 0 {
        return Err(fault(FaultReason::DirectoryNotPresent, fpd, req));
    }
    let table = directory.smptblptr() << 12;
    if directory.reserved() != 0 || beyond_host(f, table) {
        return Err(fault(FaultReason::DirectoryReserved, fpd, req));
    }

    let at = table.wrapping_add((pasid & ones(TABLE_LOG2)).wrapping_mul(PASID_BYTES));
    let [low, middle, high, rest @ ..] =
        read_words::<8>(mem, f, at).ok_or_else(|| fault(FaultReason::PasidAccess, fpd, req))?;
    let entry0 = Pasid0::from(low);
    let fpd = fpd || entry0.fpd() != 0;
    if entry0.p() == 0 {
        return Err(fault(FaultReason::PasidNotPresent, fpd, req));
    }
    if rest != [0; 5] || has_reserved(f, entry0, middle.into(), high.into()) {
        return Err(fault(FaultReason::PasidReserved, fpd, req));
    }
    if is_invalid(f, entry0, high.into()) {
        return Err(fault(FaultReason::PasidInvalid, fpd, req));
    }
    Ok(([low, middle, high], fpd))
}

/// Reserved bits. What a translation type has no use for is ignored; so are snooping and memory types.
fn has_reserved(f: &Features, entry0: Pasid0, entry1: Pasid1, entry2: Pasid2) -> bool {
    let (first, second) = stages(entry0);
    entry0.reserved() != 0
        || entry1.reserved() != 0
        || entry2.reserved() != 0
        || (entry0.ssade() != 0 && !f.second_stage_dirty)
        || (entry2.sre() != 0 && !f.supervisor_requests)
        || (entry2.ere() != 0 && !f.execute_requests)
        || (entry2.eafe() != 0 && !f.extended_accessed)
        || (second && beyond_host(f, entry0.ssptptr() << 12))
        // Nested, it is an address for the second stage to judge.
        || (first && !second && beyond_host(f, entry2.fsptptr() << 12))
}

/// SPT.4: what is asked for is not there.
fn is_invalid(f: &Features, entry0: Pasid0, entry2: Pasid2) -> bool {
    let supported = match entry0.pgtt() {
        pgtt::FIRST_STAGE => f.first_stage,
        pgtt::SECOND_STAGE => f.second_stage,
        pgtt::NESTED => f.nested,
        pgtt::PASS_THROUGH => f.pass_through,
        _ => false,
    };
    let (first, second) = stages(entry0);
    let levels = match entry2.fspm() {
        0 => true,
        1 => f.fs5lp,
        _ => false,
    };
    !supported || (first && !levels) || (second && f.second_stage_bits(entry0.aw()).is_none())
}

/// Which stages a translation type uses: first, second.
fn stages(entry0: Pasid0) -> (bool, bool) {
    match entry0.pgtt() {
        pgtt::FIRST_STAGE => (true, false),
        pgtt::SECOND_STAGE => (false, true),
        pgtt::NESTED => (true, true),
        _ => (false, false),
    }
}
