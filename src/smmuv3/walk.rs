// SPDX-License-Identifier: GPL-2.0-or-later
//! Stage 1 translation table walks (VMSAv8-64), with hardware update of the access flag and dirty state.

mod perms;
#[cfg(test)]
mod tests;

pub use perms::{PagePerms, Refusal, check};

use super::config::{Region, StreamContext};
use super::fault::{Fault, FaultAction, FaultClass, FaultKind};
use super::features::{AddressSize, Features};
use super::spec::pte::{PTE_BYTES, Pte};
use crate::iommu::{Access, DmaRequest, GuestMemory};

/// How often one walk tries to update descriptors that others change under it.
const MAX_UPDATES: u32 = 64;

/// One translated page or block, complete enough to be cached and to answer any later access to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Output address of the page's or block's first byte.
    pub addr: u64,
    /// Log2 of its size in bytes: 12 to 42.
    pub log2size: u8,
    /// Level of the descriptor: 1 to 3.
    pub level: u8,
    /// Log2 of the granule: 12, 14, 16.
    pub granule_log2: u8,
    /// It holds for every ASID.
    pub global: bool,
    /// What it may be used for.
    pub perms: PagePerms,
    /// Memory attributes, of `CD.MAIR`.
    pub mair: u8,
    /// Descriptor updates made.
    pub updates: Updates,
}

/// What hardware update wrote during one walk, for the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Updates {
    /// The access flag was set.
    pub accessed: bool,
    /// The page was made writable.
    pub dirtied: bool,
}

/// Translates `req.addr` by the tables of `context`, whose [action](StreamContext::action) is to translate.
///
/// At most four descriptors are read and [`MAX_UPDATES`] updates tried.
///
/// # Errors
/// `F_TRANSLATION`, `F_ADDR_SIZE`, `F_ACCESS`, `F_PERMISSION`, with what `CD.{A,R,S}` says about them; `F_WALK_EABT`.
pub fn walk_stage1(
    mem: &dyn GuestMemory,
    f: &Features,
    context: &StreamContext,
    req: &DmaRequest,
) -> Result<Mapping, Fault> {
    let walk = Walk { mem, f, context, access: context.effective_access(f, req.access), req };
    walk.run()
}

/// The fault of a stage 1 translation: what happens next is up to `CD.{A,R,S}` (`IHI0070 §5.5`).
///
/// For the IOTLB's use too, with the [refusal](Refusal::Permission) of a hit.
#[must_use]
pub fn translation_fault(kind: FaultKind, f: &Features, context: &StreamContext, req: &DmaRequest) -> Fault {
    let cd = context.cd0();
    let stall = cd.s() != 0;
    let action = if stall {
        FaultAction::Stall
    } else if cd.a() != 0 {
        FaultAction::Abort
    } else {
        FaultAction::ReadZeroWriteIgnored
    };
    let access = context.effective_access(f, req.access);
    Fault {
        kind,
        request: *req,
        substream: req.substream,
        class: FaultClass::Input,
        stage2: false,
        ipa: 0,
        fetch_addr: 0,
        action,
        record: stall || cd.r() != 0,
        privileged: access.privileged,
        instruction: access.exec,
    }
}

struct Walk<'a> {
    mem: &'a dyn GuestMemory,
    f: &'a Features,
    context: &'a StreamContext,
    access: Access,
    req: &'a DmaRequest,
}

/// What table descriptors take away from everything below them.
#[derive(Clone, Copy, Default)]
struct TableLimits {
    no_unprivileged: bool,
    read_only: bool,
    no_privileged_exec: bool,
    no_unprivileged_exec: bool,
}

impl Walk<'_> {
    fn fault(&self, kind: FaultKind) -> Fault {
        translation_fault(kind, self.f, self.context, self.req)
    }

    /// `F_WALK_EABT`: always recorded, never stalled; its class differs from the other stage 1 faults'
    /// (`IHI0070 §7.3.12`).
    fn external_abort(&self, fetch_addr: u64) -> Fault {
        Fault {
            class: FaultClass::TableDescriptor,
            fetch_addr,
            action: FaultAction::Abort,
            record: true,
            ..self.fault(FaultKind::WalkAbort)
        }
    }

    fn run(&self) -> Result<Mapping, Fault> {
        let va = self.req.addr;
        let region = self.context.region(va >> 55 & 1 != 0);
        let input_bits = 64u32.saturating_sub(region.size);
        // A reserved or absent granule is refused with the CD; here it only keeps the arithmetic sound.
        let granule_absent = !self.f.supports_granule(region.granule_log2);
        if !region.enabled || granule_absent || !in_range(va, &region, input_bits) {
            return Err(self.fault(FaultKind::Translation));
        }
        // Bits that one level resolves, and the level to start from.
        let granule = region.granule_log2;
        let stride = granule.saturating_sub(3);
        let resolved = input_bits.saturating_sub(granule);
        let levels = resolved.div_ceil(stride.max(1)).clamp(1, 4);
        let output_size = self.context.output_size(self.f);

        let mut level = 4u32.saturating_sub(levels);
        let mut shift = granule.saturating_add(stride.saturating_mul(levels.saturating_sub(1)));
        let mut index_bits = input_bits.saturating_sub(shift);
        let mut table = starting_table(&region, index_bits, output_size);
        let mut limits = TableLimits::default();
        let mut updates = Updates::default();
        let mut tries = 0u32;

        loop {
            let index = va.checked_shr(shift).unwrap_or(0) & low_bits(index_bits);
            let at = table | index.wrapping_mul(PTE_BYTES);
            let mut pte = Pte::from(self.mem.read_u64(at).map_err(|_| self.external_abort(at))?);
            // Where an update loses a race, the descriptor that won is judged from the start.
            let next = loop {
                match self.judge(pte, level, shift, granule, output_size, limits)? {
                    Verdict::Table(next) => break next,
                    Verdict::Leaf { mapping, wanted } => {
                        if wanted == pte {
                            return Ok(Mapping { updates, ..mapping });
                        }
                        tries = tries.saturating_add(1);
                        if tries > MAX_UPDATES {
                            return Err(self.external_abort(at));
                        }
                        match self.mem.compare_exchange_u64(at, pte.bits(), wanted.bits()) {
                            Ok(Ok(())) => {
                                updates =
                                    Updates { accessed: pte.af() == 0, dirtied: pte.ap2() != wanted.ap2() };
                                return Ok(Mapping { updates, ..mapping });
                            }
                            Ok(Err(found)) => pte = Pte::from(found),
                            Err(_) => return Err(self.external_abort(at)),
                        }
                    }
                }
            };
            if !region.table_attrs_disabled {
                limits.no_unprivileged |= pte.aptable0() != 0;
                limits.read_only |= pte.aptable1() != 0;
                limits.no_privileged_exec |= pte.pxntable() != 0;
                limits.no_unprivileged_exec |= pte.uxntable() != 0;
            }
            table = next;
            level = level.saturating_add(1);
            shift = shift.saturating_sub(stride);
            index_bits = stride;
        }
    }

    /// What one descriptor means for this access.
    fn judge(
        &self,
        pte: Pte,
        level: u32,
        shift: u32,
        granule: u32,
        output_size: AddressSize,
        limits: TableLimits,
    ) -> Result<Verdict, Fault> {
        if pte.valid() == 0 {
            return Err(self.fault(FaultKind::Translation));
        }
        let is_table = pte.table() != 0 && level < 3;
        let is_leaf = (level < 3) == (pte.table() == 0) && self.leaf_allowed(level, granule);
        if !(is_table || is_leaf) {
            return Err(self.fault(FaultKind::Translation));
        }
        let addr = self.output_address(pte, granule, if is_table { granule } else { shift });
        if !output_size.contains(addr) {
            return Err(self.fault(FaultKind::AddressSize));
        }
        if is_table {
            return Ok(Verdict::Table(addr));
        }

        let cd = self.context.cd0();
        let update_access = cd.ha() != 0;
        let update_dirty = update_access && cd.hd() != 0;
        let mut wanted = pte;
        if pte.af() == 0 {
            if update_access {
                wanted = wanted.with_af(1);
            } else if cd.affd() == 0 {
                return Err(self.fault(FaultKind::AccessFlag));
            }
        }
        let mut perms = perms::of_leaf(pte, update_dirty, limits, self.context);
        match perms::refuses(perms, self.access) {
            None => {}
            Some(Refusal::Permission) => return Err(self.fault(FaultKind::Permission)),
            Some(Refusal::Clean) => {
                wanted = wanted.with_ap2(0);
                perms = perms.dirtied();
            }
        }
        let mapping = Mapping {
            addr,
            log2size: u8::try_from(shift).unwrap_or(0),
            level: u8::try_from(level).unwrap_or(3),
            granule_log2: u8::try_from(granule).unwrap_or(0),
            global: pte.ng() == 0,
            perms,
            mair: self.mair(pte.attrindx()),
            updates: Updates::default(),
        };
        Ok(Verdict::Leaf { mapping, wanted })
    }

    /// Blocks: 4K at levels 1 and 2, 16K and 64K at level 2, 64K at level 1 where addresses have 52 bits.
    fn leaf_allowed(&self, level: u32, granule: u32) -> bool {
        match level {
            3 | 2 => true,
            1 => granule == 12 || (granule == 16 && self.f.oas == AddressSize::Bits52),
            _ => false,
        }
    }

    /// The address in a descriptor, down to bit `low`.
    fn output_address(&self, pte: Pte, granule: u32, low: u32) -> u64 {
        let mut addr = pte.bits() & (low_bits(48) & !low_bits(low));
        if granule == 16 && self.f.oas == AddressSize::Bits52 {
            addr |= pte.addr_51_48() << 48;
        }
        addr
    }

    fn mair(&self, index: u64) -> u8 {
        let bytes = self.context.cd3().bits().to_le_bytes();
        usize::try_from(index).ok().and_then(|index| bytes.get(index).copied()).unwrap_or(0)
    }
}

enum Verdict {
    /// Address of the next table.
    Table(u64),
    /// The end, once the descriptor in memory is `wanted`.
    Leaf { mapping: Mapping, wanted: Pte },
}

/// Whether the bits above the input size are copies of bit 55, all but the top byte where that is ignored
/// (`IHI0070 §3.4.1`).
fn in_range(va: u64, region: &Region, input_bits: u32) -> bool {
    let top = if region.top_byte_ignore { 56 } else { 64 };
    let sign = if va >> 55 & 1 != 0 { u64::MAX } else { 0 };
    (va ^ sign) & low_bits(top) & !low_bits(input_bits) == 0
}

/// The starting table is aligned to its size, and to 64 bytes where output addresses have 52 bits
/// (`IHI0070 §5.4`, `TTB0`).
fn starting_table(region: &Region, index_bits: u32, output_size: AddressSize) -> u64 {
    let align = index_bits.saturating_add(3);
    let align = if output_size == AddressSize::Bits52 { align.max(6) } else { align };
    region.table & !low_bits(align)
}

/// The lowest `count` bits set.
const fn low_bits(count: u32) -> u64 {
    match u64::MAX.checked_shl(count) {
        Some(high) => !high,
        None => u64::MAX,
    }
}
