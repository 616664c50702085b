// SPDX-License-Identifier: GPL-2.0-or-later
//! CD table lookup and the validity of CDs.

use super::{StreamContext, StreamWorld, align_down, config_fault, read_context, second};
use crate::iommu::narrow::ones;
use crate::iommu::{DmaRequest, GuestMemory};
use crate::smmuv3::fault::{Fault, FaultKind};
use crate::smmuv3::features::{Features, Httu, StallModel};
use crate::smmuv3::spec::cd::{CD_BYTES, L1CD_BYTES, L1Cd};
use crate::smmuv3::spec::ste::s1fmt;

/// Reads CD `index` of the `2^log2_contexts` that the STE points to (`IHI0070 §5.2`, `S1Fmt`; `§5.3`).
pub(super) fn fetch(
    mem: &dyn GuestMemory,
    f: &Features,
    context: &StreamContext,
    log2_contexts: u64,
    index: u32,
    req: &DmaRequest,
) -> Result<[u64; 4], Fault> {
    let pointer = context.ste0().s1contextptr() << 6;
    let log2 = u32::try_from(log2_contexts).unwrap_or(0);
    let index = u64::from(index);
    // Log2 of the CDs in a leaf; the bits of the pointers that a table's size makes RES0 are taken as zero.
    let (leaf_log2, l2_align) = match context.ste0().s1fmt() {
        s1fmt::LEAF_4K if log2 != 0 => (6, 12),
        s1fmt::LEAF_64K if log2 != 0 => (10, 16),
        _ => {
            let addr = align_down(pointer, log2.saturating_add(6)).wrapping_add(index.wrapping_mul(CD_BYTES));
            return read_context(mem, f, context, addr, req);
        }
    };
    let l1_align = log2.saturating_sub(leaf_log2).saturating_add(3).max(6);
    let l1_addr = align_down(pointer, l1_align).wrapping_add((index >> leaf_log2).wrapping_mul(L1CD_BYTES));
    let [l1] = read_context(mem, f, context, l1_addr, req)?;
    let l1 = L1Cd::from(l1);
    let l2 = l1.l2ptr() << 12;
    if l1.v() == 0 || !f.oas.contains(l2) {
        // The event names the CD that was wanted, for a transaction without SubstreamID CD 0.
        return Err(Fault {
            substream: Some(req.substream.unwrap_or(0)),
            ..config_fault(FaultKind::BadSubstreamId, req)
        });
    }
    let in_leaf = index & !(u64::MAX << leaf_log2);
    let addr = align_down(l2, l2_align).wrapping_add(in_leaf.wrapping_mul(CD_BYTES));
    read_context(mem, f, context, addr, req)
}

/// Whether a CD is invalid or ILLEGAL for what this SMMU can do and its STE allows (`IHI0070 §5.4.2`).
pub(super) fn is_illegal(f: &Features, context: &StreamContext) -> bool {
    let cd = context.cd0();
    if cd.v() == 0 || cd.aa64() == 0 {
        return true;
    }
    let stall = cd.s() != 0;
    let stall_illegal = match f.stall {
        StallModel::On => stall && context.ste1().s1stalld() != 0,
        StallModel::Off => stall,
        StallModel::Force => !stall,
    };
    let termination_illegal = cd.a() == 0 && !f.raz_wi;
    let regions = [false, true].map(|upper| context.region(upper));
    let endian_illegal = cd.endi() != 0 && !f.big_endian && regions.iter().any(|region| region.enabled);
    let httu_illegal = match f.httu {
        Httu::None => cd.ha() != 0 || cd.hd() != 0,
        Httu::Access => cd.hd() != 0,
        Httu::Dirty => false,
    };
    let asid_illegal = !f.asid16 && cd.asid() > 0xff && context.world() != StreamWorld::El2;
    stall_illegal
        || termination_illegal
        || endian_illegal
        || httu_illegal
        || asid_illegal
        || regions.iter().any(|region| region.is_illegal(f, context))
}

/// Half of the input address space, with what its table is made of: `TTB0` and its fields, or `TTB1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Walks are enabled (`EPD` is 0).
    pub enabled: bool,
    /// `TxSZ`.
    pub size: u32,
    /// Log2 of the granule in bytes: 12, 14, 16, or 0 for a reserved `TG`.
    pub granule_log2: u32,
    /// Address of the starting-level table, as written.
    pub table: u64,
    /// The top byte of input addresses is ignored.
    pub top_byte_ignore: bool,
    /// Attributes in table descriptors are ignored.
    pub table_attrs_disabled: bool,
}

impl StreamContext {
    /// What the CD says about the lower (`TTB0`) or upper (`TTB1`) half of the input address space. EL2 has the lower one
    /// alone, always.
    #[must_use]
    pub fn region(&self, upper: bool) -> Region {
        let (cd0, cd1, cd2) = (self.cd0(), self.cd1(), self.cd2());
        let el2 = self.world() == StreamWorld::El2;
        if upper {
            Region {
                enabled: cd0.epd1() == 0 && !el2,
                size: u32::try_from(cd0.t1sz()).unwrap_or(0),
                granule_log2: match cd0.tg1() {
                    0b01 => 14,
                    0b10 => 12,
                    0b11 => 16,
                    _ => 0,
                },
                table: cd2.ttb1() << 4,
                top_byte_ignore: cd0.tbi1() != 0,
                table_attrs_disabled: cd2.had1() != 0,
            }
        } else {
            Region {
                enabled: cd0.epd0() == 0 || el2,
                size: u32::try_from(cd0.t0sz()).unwrap_or(0),
                granule_log2: match cd0.tg0() {
                    0b00 => 12,
                    0b01 => 16,
                    0b10 => 14,
                    _ => 0,
                },
                table: cd1.ttb0() << 4,
                top_byte_ignore: cd0.tbi0() != 0,
                table_attrs_disabled: cd1.had0() != 0,
            }
        }
    }
}

impl Region {
    /// Whether an address of this half has no more bits than the table: those above are copies of bit 55, all but the top
    /// byte where that is ignored (`IHI0070 §3.4.1`).
    #[must_use]
    pub fn contains(&self, va: u64) -> bool {
        let top = if self.top_byte_ignore { 56 } else { 64 };
        let sign = if va >> 55 & 1 != 0 { u64::MAX } else { 0 };
        (va ^ sign) & ones(top) & !ones(64u32.saturating_sub(self.size)) == 0
    }

    /// Nothing of a disabled region is checked (`IHI0070 §5.4.1.1`).
    fn is_illegal(&self, f: &Features, context: &StreamContext) -> bool {
        if !self.enabled {
            return false;
        }
        let smallest = if f.va52 && self.granule_log2 == 16 { 12 } else { 16 };
        let table_beyond_48_bits = self.granule_log2 != 16 && self.table >> 48 != 0;
        !f.supports_granule(self.granule_log2)
            || !(smallest..=second::largest_size(f, self.granule_log2)).contains(&self.size)
            || !context.output_size(f).contains(self.table)
            || table_beyond_48_bits
    }
}
