// SPDX-License-Identifier: GPL-2.0-or-later
//! Translation table walks (VMSAv8-64): stage 1, stage 2, and stage 1 nested on stage 2, with hardware update of access
//! flags and dirty state (`IHI0070 §3.3`, `§3.4`, `§3.13`).

mod first;
mod perms;
mod second;
#[cfg(test)]
mod tests;

use core::cell::Cell;

pub use perms::{PagePerms, Refusal, check};

use self::second::Purpose;
use super::config::{StreamAction, StreamContext};
use super::fault::{Fault, FaultAction, FaultClass, FaultKind};
use super::features::{AddressSize, Features};
use super::spec::pte::PTE_BYTES;
use crate::iommu::narrow::{low8, ones};
use crate::iommu::{Access, DmaRequest, GuestMemory, MemoryError};

/// How often one walk of one stage tries to update a descriptor that others change under it.
const MAX_UPDATES: u32 = 64;

/// One translated page or block, complete enough to be cached and to answer any later access to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Output address of the page's or block's first byte.
    pub addr: u64,
    /// What stage 1 makes of it; the input address where stage 1 bypasses.
    pub intermediate: u64,
    /// Log2 of its size in bytes, the smaller of both stages': 12 to 42.
    pub log2size: u8,
    /// Level of the descriptor that invalidations name, 0 to 3: that of stage 1 unless it bypasses.
    pub level: u8,
    /// Log2 of that descriptor's granule: 12, 14, 16.
    pub granule_log2: u8,
    /// Log2 of what that descriptor maps. More than [`log2size`](Self::log2size) where stage 2 has smaller pages.
    pub leaf_log2size: u8,
    /// It holds for every ASID.
    pub global: bool,
    /// What it may be used for.
    pub perms: PagePerms,
    /// Stage 1 memory attributes, of `CD.MAIR`; 0 where stage 1 bypasses.
    pub mair: u8,
}

/// What hardware update wrote during one walk, for the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Updates {
    /// An access flag was set.
    pub accessed: bool,
    /// A page was made writable.
    pub dirtied: bool,
}

/// Which tables a descriptor is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Stage 1 tables.
    First,
    /// Stage 2 tables.
    Second,
}

/// Descriptors that point to tables, as an SMMU may keep them.
pub trait TableCache {
    /// The descriptor by which `input` reaches the table below those of `1 << shift` bytes.
    fn cached(&self, stage: Stage, shift: u32, input: u64) -> Option<u64>;
    /// That descriptor was used.
    fn remember(&self, stage: Stage, shift: u32, input: u64, descriptor: u64);
}

/// No walk cache.
impl TableCache for () {
    fn cached(&self, _: Stage, _: u32, _: u64) -> Option<u64> {
        None
    }

    fn remember(&self, _: Stage, _: u32, _: u64, _: u64) {}
}

/// Translates `req.addr` by the tables of `context`, whose [action](StreamContext::action) is to translate, and says
/// what was written, whether it succeeds or not.
///
/// At most four descriptors of a stage are read for each address that goes through it: 24 if nested.
///
/// # Errors
/// `F_TRANSLATION`, `F_ADDR_SIZE`, `F_ACCESS`, `F_PERMISSION`, with what the stage's `A`, `R`, `S` say about them;
/// `F_WALK_EABT`.
pub fn walk(
    mem: &dyn GuestMemory,
    cache: &dyn TableCache,
    f: &Features,
    context: &StreamContext,
    req: &DmaRequest,
) -> (Result<Mapping, Fault>, Updates) {
    walk_if(mem, cache, f, context, req, &|_| true)
}

/// [`walk`], unless stage 1 by itself leaves permissions that are not `useful`: stage 2 is then not asked, and nothing of it
/// is seen (`IHI0070 §3.9.1.2`).
///
/// # Errors
/// Those of [`walk`]; `F_PERMISSION` of stage 1 for what is not useful.
pub fn walk_if(
    mem: &dyn GuestMemory,
    cache: &dyn TableCache,
    f: &Features,
    context: &StreamContext,
    req: &DmaRequest,
    useful: &dyn Fn(PagePerms) -> bool,
) -> (Result<Mapping, Fault>, Updates) {
    let walk = Walk::new(mem, cache, f, context, req);
    (walk.run(useful), walk.updates.get())
}

/// Where the L1CD or CD at `ipa` lies, of a stream with stage 2.
///
/// # Errors
/// Those of stage 2, with class CD.
pub fn locate_context(
    mem: &dyn GuestMemory,
    f: &Features,
    context: &StreamContext,
    req: &DmaRequest,
    ipa: u64,
) -> Result<u64, Fault> {
    let page = Walk::new(mem, &(), f, context, req).second_stage(ipa, Purpose::CONTEXT)?;
    Ok(page.output(ipa))
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
        span: 0,
        table_read: false,
        action,
        record: stall || cd.r() != 0,
        merge: context.merges_events(),
        privileged: access.privileged,
        instruction: access.exec,
    }
}

/// The fault of a stage 2 translation of `ipa`: it stalls or aborts as `STE.{S2R,S2S}` say (`IHI0070 §5.5`).
///
/// For the IOTLB's use too.
#[must_use]
pub fn second_stage_fault(
    kind: FaultKind,
    f: &Features,
    context: &StreamContext,
    req: &DmaRequest,
    ipa: u64,
) -> Fault {
    let ste = context.ste2();
    let stall = ste.s2s() != 0;
    Fault {
        stage2: true,
        ipa,
        action: if stall { FaultAction::Stall } else { FaultAction::Abort },
        record: stall || ste.s2r() != 0,
        ..translation_fault(kind, f, context, req)
    }
}

struct Walk<'a> {
    mem: &'a dyn GuestMemory,
    cache: &'a dyn TableCache,
    f: &'a Features,
    context: &'a StreamContext,
    /// The access as permissions are checked.
    access: Access,
    req: &'a DmaRequest,
    updates: Cell<Updates>,
}

/// A page or block of one stage.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    addr: u64,
    shift: u32,
    level: u32,
    granule: u32,
    global: bool,
    perms: PagePerms,
    mair: u8,
}

impl Leaf {
    /// Where an input address in the page ends up.
    fn output(&self, input: u64) -> u64 {
        self.addr | input & ones(self.shift)
    }

    fn mapping(&self, intermediate: u64) -> Mapping {
        let log2size = low8(self.shift.into());
        Mapping {
            addr: self.addr,
            intermediate: intermediate & !ones(self.shift),
            log2size,
            level: low8(self.level.into()),
            granule_log2: low8(self.granule.into()),
            leaf_log2size: log2size,
            global: self.global,
            perms: self.perms,
            mair: self.mair,
        }
    }
}

/// How a stage's descriptors lie in memory (`CD.ENDI`, `STE.S2ENDI`).
#[derive(Clone, Copy, Debug)]
enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    fn new(endi: u64) -> Self {
        if endi == 0 { Self::Little } else { Self::Big }
    }

    /// From memory, or to memory.
    fn convert(self, word: u64) -> u64 {
        match self {
            Self::Little => word,
            Self::Big => word.swap_bytes(),
        }
    }
}

/// How an attempt to update a descriptor ended.
enum Update {
    Done,
    /// The descriptor is this one by now.
    Lost(u64),
    /// Memory failed.
    Failed,
}

impl<'a> Walk<'a> {
    fn new(
        mem: &'a dyn GuestMemory,
        cache: &'a dyn TableCache,
        f: &'a Features,
        context: &'a StreamContext,
        req: &'a DmaRequest,
    ) -> Self {
        let access = context.checked_access(f, req.access);
        Self { mem, cache, f, context, access, req, updates: Cell::default() }
    }

    fn run(&self, useful: &dyn Fn(PagePerms) -> bool) -> Result<Mapping, Fault> {
        match self.context.action() {
            StreamAction::SecondStage => self.second_stage_only(),
            StreamAction::Nested => self.nested(useful),
            _ => self.first_stage().map(|leaf| leaf.mapping(leaf.addr)),
        }
    }

    /// The input address is an IPA. It may have more bits than there are (`IHI0070 §3.4`).
    fn second_stage_only(&self) -> Result<Mapping, Fault> {
        let ipa = self.req.addr;
        if !self.f.oas.contains(ipa) {
            let fault = translation_fault(FaultKind::AddressSize, self.f, self.context, self.req);
            return Err(Fault { action: FaultAction::Abort, record: true, ..fault });
        }
        let leaf = self.second_stage(ipa, Purpose::input(self.access))?;
        Ok(Mapping { perms: PagePerms::ALL.meet(leaf.perms), ..leaf.mapping(ipa) })
    }

    fn nested(&self, useful: &dyn Fn(PagePerms) -> bool) -> Result<Mapping, Fault> {
        let first = self.first_stage()?;
        if !useful(first.perms) {
            return Err(translation_fault(FaultKind::Permission, self.f, self.context, self.req));
        }
        let ipa = first.output(self.req.addr);
        let second = self.second_stage(ipa, Purpose::input(self.access))?;
        let shift = first.shift.min(second.shift);
        Ok(Mapping {
            addr: second.output(ipa) & !ones(shift),
            intermediate: ipa & !ones(shift),
            log2size: low8(shift.into()),
            perms: first.perms.meet(second.perms),
            ..first.mapping(ipa)
        })
    }

    /// Reads the descriptor at an address of memory.
    fn read(&self, at: u64, order: ByteOrder) -> Result<u64, MemoryError> {
        self.mem.read_u64(at).map(|word| order.convert(word))
    }

    /// Replaces it by one with more flags.
    fn update(&self, at: u64, order: ByteOrder, found: u64, wanted: u64, updates: Updates) -> Update {
        match self.mem.compare_exchange_u64(at, order.convert(found), order.convert(wanted)) {
            Ok(Ok(())) => {
                let before = self.updates.get();
                self.updates.set(Updates {
                    accessed: before.accessed | updates.accessed,
                    dirtied: before.dirtied | updates.dirtied,
                });
                Update::Done
            }
            Ok(Err(found)) => Update::Lost(order.convert(found)),
            Err(_) => Update::Failed,
        }
    }

    /// Whether a descriptor of `level` may map a page or block: 4K at levels 1 to 3, 16K and 64K at levels 2 and 3, 64K
    /// at level 1 where addresses have 52 bits.
    fn leaf_allowed(&self, level: u32, granule: u32) -> bool {
        match level {
            3 | 2 => true,
            1 => granule == 12 || (granule == 16 && self.f.oas == AddressSize::Bits52),
            _ => false,
        }
    }

    /// The address in a descriptor, down to bit `low`.
    fn output_address(&self, descriptor: u64, granule: u32, low: u32) -> u64 {
        let mut addr = descriptor & (ones(48) & !ones(low));
        if granule == 16 && self.f.oas == AddressSize::Bits52 {
            addr |= (descriptor >> 12 & 0xf) << 48;
        }
        addr
    }
}

/// Where a walk has got to: a table, and which bits of the address choose its descriptor.
#[derive(Clone, Copy, Debug)]
struct Position {
    level: u32,
    /// Log2 of what a descriptor maps.
    shift: u32,
    index_bits: u32,
    table: u64,
}

impl Position {
    /// The first table, which is aligned to its size, and to 64 bytes where descriptors have 52-bit addresses
    /// (`IHI0070 §5.2`, `S2TTB`; `§5.4`, `TTB0`). Editions up to F.b say that of 64K granules alone, as the CPU's
    /// architecture does; later ones leave the granule out. Linux with 16K pages has first tables of 16 bytes, and says
    /// that addresses have as many bits as the CPU's.
    fn start(table: u64, granule: u32, level: u32, input_bits: u32, output_size: AddressSize) -> Self {
        let shift = shift_of(granule, level);
        let index_bits = input_bits.saturating_sub(shift);
        let align = index_bits.saturating_add(3);
        let wide = granule == 16 && output_size == AddressSize::Bits52;
        let align = if wide { align.max(6) } else { align };
        Self { level, shift, index_bits, table: table & !ones(align) }
    }

    /// Where the descriptor for `input` lies.
    fn descriptor(&self, input: u64) -> u64 {
        let index = input.checked_shr(self.shift).unwrap_or(0) & ones(self.index_bits);
        self.table | index.wrapping_mul(PTE_BYTES)
    }

    /// The table below.
    fn next(&self, table: u64, granule: u32) -> Self {
        let index_bits = granule.saturating_sub(3);
        Self {
            level: self.level.saturating_add(1),
            shift: self.shift.saturating_sub(index_bits),
            index_bits,
            table,
        }
    }
}

/// Log2 of what a descriptor of `level` maps.
fn shift_of(granule: u32, level: u32) -> u32 {
    let below = 3u32.saturating_sub(level);
    granule.saturating_add(granule.saturating_sub(3).saturating_mul(below))
}
