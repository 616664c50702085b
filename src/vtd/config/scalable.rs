// SPDX-License-Identifier: GPL-2.0-or-later
//! Scalable mode: root entry, context entry, PASID directory and PASID table (`VTD §3.4.3`).

use super::{
    Context, PasidTable, RequestKind, Seek, Summary, beyond_host, bus_and_function, fault, read_words,
};
use crate::iommu::narrow::{low8, low32, ones};
use crate::iommu::{Access, DmaRequest, GuestMemory, StreamId, SubstreamId};
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
    if kind == RequestKind::Translated {
        // The PASID was the translation request's.
        return Ok(context);
    }

    let room = room(entry0);
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

/// Log2 of the PASIDs that a directory has room for.
fn room(entry0: ScalableContext0) -> u32 {
    low32(entry0.pdts()).saturating_add(7).saturating_add(TABLE_LOG2)
}

pub(super) fn pasid_table(
    mem: &dyn GuestMemory,
    f: &Features,
    base: u64,
    req: &DmaRequest,
) -> Result<PasidTable, Fault> {
    let (entry0, entry1) = context_entry(mem, f, base, req)?;
    Ok(PasidTable {
        directory: entry0.pasiddirptr() << 12,
        pasid_bits: low8(u64::from(room(entry0).min(20))),
        rid_pasid: low32(entry1.rid_pasid()),
        with_pasid: entry0.paside() != 0,
        page_requests: entry0.pre() != 0,
    })
}

pub(super) fn for_each_present(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &PasidTable,
    mut visit: impl FnMut(SubstreamId) -> bool,
) {
    let mut from = 0;
    loop {
        match next_present(mem, f, table, from, SubstreamId::MAX, u32::MAX) {
            Seek::Found(pasid) if visit(pasid) => from = pasid.saturating_add(1),
            Seek::Stopped(pasid) => from = pasid,
            Seek::Found(_) | Seek::End => return,
        }
    }
}

pub(super) fn next_present(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &PasidTable,
    from: SubstreamId,
    end: SubstreamId,
    reads: u32,
) -> Seek {
    let end = end.min(low32(ones(u32::from(table.pasid_bits.min(20)))).saturating_add(1));
    let leaf = low32(ones(TABLE_LOG2));
    let mut pasid = from;
    let mut left = reads;
    // The leaf table of the directory entry that was read last.
    let mut known = None;
    while pasid < end {
        let index = pasid >> TABLE_LOG2;
        let leaf_table = match known {
            _ if left == 0 => return Seek::Stopped(pasid),
            Some((of, leaf_table)) if of == index => leaf_table,
            // Its entries come next, and finding none of them would be in vain.
            _ if left < 2 => return Seek::Stopped(pasid),
            _ => {
                left = left.saturating_sub(1);
                let at = table.directory.wrapping_add(u64::from(index).wrapping_mul(DIRECTORY_BYTES));
                let leaf_table = read_words(mem, f, at)
                    .map(|[entry]| PasidDirectory::from(entry))
                    .filter(|entry| entry.p() != 0)
                    .map(|entry| entry.smptblptr() << 12);
                known = Some((index, leaf_table));
                leaf_table
            }
        };
        let Some(at) = leaf_table else {
            pasid = (pasid | leaf).saturating_add(1);
            continue;
        };
        left = left.saturating_sub(1);
        let at = at.wrapping_add(u64::from(pasid & leaf).wrapping_mul(PASID_BYTES));
        if read_words(mem, f, at).is_some_and(|[entry]| Pasid0::from(entry).p() != 0) {
            return Seek::Found(pasid);
        }
        pasid = pasid.saturating_add(1);
    }
    Seek::End
}

pub(super) fn table_entry(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &PasidTable,
    stream: StreamId,
    pasid: SubstreamId,
) -> Result<Context, Fault> {
    let req = DmaRequest { stream, substream: Some(pasid), addr: 0, access: Access::default(), tag: None };
    if u64::from(pasid) > ones(table.pasid_bits.into()) {
        return Err(fault(FaultReason::PasidTooLarge, false, &req));
    }
    let context = ScalableContext0::default().with_pasiddirptr(table.directory >> 12);
    let (entry, fpd) = pasid_entry(mem, f, context, pasid.into(), &req)?;
    let summary = Summary::default().with_scalable(1).with_fpd(fpd.into()).with_has_pasid(1);
    Ok(Context { summary: summary.with_pasid(pasid.into()).bits(), entry })
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
    let unsupported = third != 0
        || fourth != 0
        || (entry0.dte() != 0 && !f.device_tlb)
        || (entry0.paside() != 0 && f.pasid_bits == 0)
        || (entry0.pre() != 0 && !f.page_requests)
        || (entry1.rid_pasid() != 0 && !f.rid_pasid)
        || (entry1.rid_priv() != 0 && !f.rid_priv);
    let reserved = entry0.reserved() != 0
        || entry1.reserved() != 0
        || beyond_host(f, entry0.pasiddirptr() << 12)
        || unsupported && !f.leniency.scalable_entries;
    if reserved {
        Err(qualified(FaultReason::ScalableContextReserved))
    } else if unsupported {
        Ok(without_unsupported(f, entry0, entry1))
    } else {
        Ok((entry0, entry1))
    }
}

/// The entry without what it asks for and is not there.
fn without_unsupported(
    f: &Features,
    entry0: ScalableContext0,
    entry1: ScalableContext1,
) -> (ScalableContext0, ScalableContext1) {
    let only = |there: bool, field: u64| if there { field } else { 0 };
    let entry0 = entry0
        .with_dte(only(f.device_tlb, entry0.dte()))
        .with_paside(only(f.pasid_bits != 0, entry0.paside()))
        .with_pre(only(f.page_requests, entry0.pre()));
    let entry1 = entry1
        .with_rid_pasid(only(f.rid_pasid, entry1.rid_pasid()))
        .with_rid_priv(only(f.rid_priv, entry1.rid_priv()));
    (entry0, entry1)
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
    let reserved = rest != [0; 5] || has_reserved(f, entry0, middle.into(), high.into());
    if reserved && !f.leniency.scalable_entries || is_out_of_reach(f, entry0, high.into()) {
        return Err(fault(FaultReason::PasidReserved, fpd, req));
    }
    if is_invalid(f, entry0, high.into()) {
        return Err(fault(FaultReason::PasidInvalid, fpd, req));
    }
    let (low, high) = if reserved { without_reserved(f, entry0, high.into()) } else { (low, high) };
    Ok(([low, middle, high], fpd))
}

/// The words of an entry without flags for what is not there.
fn without_reserved(f: &Features, entry0: Pasid0, entry2: Pasid2) -> (u64, u64) {
    let only = |there: bool, field: u64| if there { field } else { 0 };
    let entry0 = entry0.with_ssade(only(f.second_stage_dirty, entry0.ssade()));
    let entry2 = entry2
        .with_sre(only(f.supervisor_requests, entry2.sre()))
        .with_ere(only(f.execute_requests, entry2.ere()))
        .with_eafe(only(f.extended_accessed, entry2.eafe()));
    (entry0.bits(), entry2.bits())
}

/// Reserved bits, those among them whose capability is off. What a translation type has no use for is ignored; so are
/// memory types.
fn has_reserved(f: &Features, entry0: Pasid0, entry1: Pasid1, entry2: Pasid2) -> bool {
    entry0.reserved() != 0
        || entry1.reserved() != 0
        || entry2.reserved() != 0
        || (entry0.ssade() != 0 && !f.second_stage_dirty)
        || (entry1.pwsnp() != 0 && !f.coherent)
        || (entry1.pgsnp() != 0 && !f.snoop_control)
        || (entry2.sre() != 0 && !f.supervisor_requests)
        || (entry2.ere() != 0 && !f.execute_requests)
        || (entry2.eafe() != 0 && !f.extended_accessed)
}

/// Reserved bits of a table's address: those beyond the host address width.
fn is_out_of_reach(f: &Features, entry0: Pasid0, entry2: Pasid2) -> bool {
    let (first, second) = stages(entry0);
    (second && beyond_host(f, entry0.ssptptr() << 12))
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
