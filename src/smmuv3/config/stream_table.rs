// SPDX-License-Identifier: GPL-2.0-or-later
//! Stream table lookup and the validity of STEs.

use super::{
    StreamAction, StreamContext, StreamTable, align_down, config_fault, fetch_fault, read_words, second,
};
use crate::iommu::{DmaRequest, GuestMemory};
use crate::smmuv3::fault::{Fault, FaultKind};
use crate::smmuv3::features::{Features, StallModel};
use crate::smmuv3::spec::ste::{L1STD_BYTES, L1Std, STE_BYTES, Ste0, Ste1, Ste2, eats, s1fmt};

/// Finds and reads the STE of a request (`IHI0070 §3.3.1`, `§5.1`, `§6.3.24`, `§6.3.25`).
pub(super) fn fetch(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &StreamTable,
    req: &DmaRequest,
) -> Result<[u64; 4], Fault> {
    let addr = locate(mem, f, table, req)?;
    read_words(mem, f, addr).ok_or_else(|| fetch_fault(FaultKind::SteFetch, req, addr))
}

fn locate(mem: &dyn GuestMemory, f: &Features, table: &StreamTable, req: &DmaRequest) -> Result<u64, Fault> {
    let bad_stream =
        || Fault { record: table.record_bad_stream, ..config_fault(FaultKind::BadStreamId, req) };
    let sid = u64::from(req.stream);
    let log2size = u32::from(table.log2size & 0x3f);
    if sid >> log2size.min(f.sid_bits.into()).min(32) != 0 {
        return Err(bad_stream());
    }
    // The base is aligned to the table as configured, not as far as StreamIDs reach.
    if !(table.two_level && f.two_level_streams) {
        let base = align_down(table.base, log2size.saturating_add(6));
        return Ok(base.wrapping_add(sid.wrapping_mul(STE_BYTES)));
    }

    let split: u32 = match table.split {
        8 => 8,
        10 => 10,
        _ => 6,
    };
    let base = align_down(table.base, log2size.saturating_sub(split).saturating_add(3).max(6));
    let l1_addr = base.wrapping_add((sid >> split).wrapping_mul(L1STD_BYTES));
    let [l1] = read_words(mem, f, l1_addr).ok_or_else(|| fetch_fault(FaultKind::SteFetch, req, l1_addr))?;
    let l1 = L1Std::from(l1);
    let span = u32::try_from(l1.span()).unwrap_or(0);
    if span == 0 || span > split.saturating_add(1) {
        return Err(bad_stream());
    }
    let index = sid & !(u64::MAX << split);
    if index >> span.saturating_sub(1) != 0 {
        return Err(bad_stream());
    }
    let l2 = align_down(l1.l2ptr() << 6, span.saturating_add(5));
    Ok(l2.wrapping_add(index.wrapping_mul(STE_BYTES)))
}

/// Whether an STE is invalid or ILLEGAL for what this SMMU can do (`IHI0070 §5.2.2`).
///
/// Without ATS, `EATS` is ignored; `STRW` without EL2, and where stage 1 does not translate alone.
pub(super) fn is_illegal(f: &Features, ste: [u64; 4]) -> bool {
    let context = StreamContext { ste, cd: [0; 4] };
    if context.ste0().v() == 0 {
        return true;
    }
    let action = context.action();
    let first_illegal =
        action.has_first_stage() && (!f.stage1 || is_first_stage_illegal(f, context.ste0(), context.ste1()));
    let second_illegal = action.has_second_stage() && (!f.stage2 || second::is_illegal(f, &context));
    let world = if f.hyp && action == StreamAction::FirstStage { context.ste1().strw() } else { 0 };
    let world_illegal = world & 1 != 0;
    let vmid_illegal = action.translates() && world == 0 && f.stage2 && !f.vmid16 && context.vmid() > 0xff;
    // Stage 2 cannot stall an endpoint that has been told that there is a translation.
    let stalls = action.has_second_stage() && Ste2::from(ste[2]).s2s() != 0;
    let ats_illegal = match context.ste1().eats() {
        _ if !f.ats || !action.translates() => false,
        eats::SPLIT => !f.ats_split || action != StreamAction::Nested || stalls,
        eats::FULL => stalls,
        _ => false,
    };
    first_illegal || second_illegal || world_illegal || vmid_illegal || ats_illegal
}

fn is_first_stage_illegal(f: &Features, ste0: Ste0, ste1: Ste1) -> bool {
    let stall_disable = ste1.s1stalld() != 0 && f.stall != StallModel::On;
    let too_many = f.ssid_bits != 0 && ste0.s1cdmax() > f.ssid_bits.into();
    let two_level = matches!(ste0.s1fmt(), s1fmt::LEAF_4K | s1fmt::LEAF_64K);
    let no_two_level = f.ssid_bits != 0 && ste0.s1cdmax() != 0 && two_level && !f.two_level_contexts;
    // An IPA, where there is stage 2, has as many bits.
    let out_of_range = !f.oas.contains(ste0.s1contextptr() << 6);
    stall_disable || too_many || no_two_level || out_of_range
}
