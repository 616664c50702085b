// SPDX-License-Identifier: GPL-2.0-or-later
//! A transaction's way through the SMMU: configuration, IOTLB, walk (`IHI0070 §3.3`), and what the
//! invalidation commands do to it (`IHI0070 §4.3`, `§4.4`).
//!
//! Pages in which stage 1 has a part are cached by VMID and ASID, whole: what an input address maps to in the end. Pages
//! of stage 2 by itself are cached by VMID, under numbers of their own (`IHI0070 §3.17`).
//!
//! Any thread may translate, at any time, without waiting for another. Each attempt begins by noting the
//! moment in the order of invalidations, and takes nothing from the caches that is newer: a configuration
//! read before an address space changed hands never meets the new owner's pages. If an invalidation begins
//! while tables are being read, the attempt is repeated, a few times; then its answer is that of a hardware
//! walk that the invalidation overlapped, and is not cached.

mod ats;
mod fragments;
mod invalidate;
mod tables;

pub use invalidate::{Invalidation, Pages, Regime};

use self::fragments::Fragments;
use self::tables::WalkedTables;
use super::config::{self, CONTEXT_WORDS, StreamAction, StreamContext, StreamTable, StreamWorld};
use super::fault::{Fault, FaultKind};
use super::features::Features;
use super::walk::{self, Mapping, PagePerms, Refusal, Stage};
use crate::iommu::context_cache::ContextCache;
use crate::iommu::iotlb::{CachedPage, GLOBAL_SET, Iotlb, Tag};
use crate::iommu::micro_tlb::MicroTlb;
use crate::iommu::narrow::low16;
use crate::iommu::sequence::{Moment, Sequence};
use crate::iommu::translator::{CurrentTables, Lookup, Origin, TranslatorCounters, counter};
pub use crate::iommu::translator::{Translate, TranslatorStats};
use crate::iommu::{AtsTranslation, DmaRequest, GuestMemory, Translation};

/// Default of the property `iotlb-size`: pages and blocks.
pub const DEFAULT_IOTLB_ENTRIES: usize = 4096;
/// Pairs of StreamID and SubstreamID.
const CONTEXT_ENTRIES: usize = 512;
/// Table descriptors of the walk cache.
const TABLE_ENTRIES: usize = 1024;
/// A number for every VMID, another for its stage 2 by itself, and one for EL2.
const DOMAIN_STAMPS_LOG2: u32 = 18;
const SPACE_STAMPS_LOG2: u32 = 16;
/// In a tag's domain: pages of stage 2 by itself.
const STAGE_2: u32 = 1 << 16;
/// A tag's domain: pages of EL2.
const EL2: u32 = 1 << 17;
/// In a page's attributes, beside its permissions: it is a part of a larger page or block of stage 1.
const PART: u32 = 1 << 31;
/// A tag's space: EL2 where it has no ASIDs.
const NO_ASID: u32 = 1 << 16;

/// Where the registers say that the stream table is. `None`: translation is off, and no table may be read
/// (`IHI0070 §6.3.9.6`). Let [`Engine::tables_changed`] follow where they change.
pub type TableSource<'a> = dyn CurrentTables<Option<StreamTable>> + 'a;

impl CurrentTables<Option<StreamTable>> for StreamTable {
    fn tables(&self) -> Option<StreamTable> {
        Some(*self)
    }
}

/// What translates for an SMMU.
pub trait Engine:
    Translate<Tables = Option<StreamTable>, Fault = Fault, Invalidation = Invalidation>
{
    /// Lets a translated transaction pass where `CR0.ATSCHK` asks for more than its size: as the stream's STE says, and
    /// with split-stage ATS through stage 2. It is taken for unprivileged data without a SubstreamID (`IDR3.PASIDTT` is 0).
    ///
    /// # Errors
    /// The fault, which aborts. Of an address beyond the output size nobody hears, unless stage 2 is to translate it
    /// (`IHI0070 §3.9.1.1`).
    fn translated(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<Translation, Fault>;

    /// What a [`CurrentTables`] says has changed: what is being read from the old table is not cached any more. What
    /// is cached stays (`IHI0070 §6.3.9.6`).
    fn tables_changed(&self);

    /// How many low bits of an input address do not count in what caches outside are told of stage 1's commands by address:
    /// those of the largest page or block of stage 1 that was entered in parts.
    fn ignored_bits(&self) -> u32;

    /// Whether caches outside have to forget everything with the next of these commands, so that those bits count again.
    fn owes_everything(&self) -> bool {
        false
    }

    /// They are told to.
    fn outside_forgets(&self) {}
}

/// An SMMU's translation: tables, caches, and the order of their invalidation.
#[derive(Debug)]
pub struct Translator {
    features: Features,
    sequence: Sequence,
    latest: MicroTlb,
    contexts: ContextCache<CONTEXT_WORDS>,
    iotlb: Iotlb,
    /// The walk cache, if there is one.
    tables: Option<Iotlb>,
    fragments: Fragments,
    counters: TranslatorCounters,
}

/// One attempt's answer, and where it comes from.
struct Answer<T = Translation> {
    result: Result<T, Fault>,
    origin: Origin,
}

/// What the IOTLB knows.
enum Cached {
    Hit(Translation),
    /// A page that does not allow the access. It is read again, so that a guest that allows more sees no
    /// spurious fault; an adversarial SMMU takes the entry at its word.
    Forbidden(Stage, PagePerms),
    /// No page, or a clean one that is to be written: a walk makes it dirty.
    Miss,
}

impl Translator {
    /// Empty caches. `iotlb_entries` is rounded up to a power of two.
    #[must_use]
    pub fn new(features: Features, iotlb_entries: usize) -> Self {
        Self {
            sequence: Sequence::new(),
            latest: MicroTlb::new(),
            contexts: ContextCache::new(CONTEXT_ENTRIES, features.adversarial),
            iotlb: iotlb(iotlb_entries, features.adversarial),
            tables: features.adversarial.then(|| iotlb(TABLE_ENTRIES, true)),
            fragments: Fragments::default(),
            counters: TranslatorCounters::new(),
            features,
        }
    }

    /// The answer that the caches have, if it is a translation: what nearly every request takes.
    fn quick(&self, req: &DmaRequest, now: Moment) -> Option<Translation> {
        let context = StreamContext::from_words(self.contexts.lookup(now, req.stream, req.substream)?);
        if !context.action().translates() {
            return None;
        }
        match self.cached(&context, req, now) {
            Cached::Hit(translation) => Some(translation),
            Cached::Forbidden(..) | Cached::Miss => None,
        }
    }

    #[cold]
    #[inline(never)]
    fn slow(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<Translation, Fault> {
        let answer = self
            .sequence
            .settle(|now| self.attempt(mem, tables, req, now), || self.counters.count(counter::RETRIES));
        self.counters.answered(answer.origin, answer.result.is_err());
        answer.result
    }

    fn attempt(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
        now: Moment,
    ) -> Answer {
        let (context, config_hit) = match self.contexts.lookup(now, req.stream, req.substream) {
            Some(words) => (StreamContext::from_words(words), true),
            None => {
                let found = match tables.tables() {
                    Some(table) => config::lookup_stream(mem, &self.features, &table, req),
                    None => Err(config::silent_abort(req)),
                };
                match found {
                    Ok(context) => {
                        let pair = (req.stream, req.substream);
                        let _ = self.contexts.insert(&self.sequence, now, pair, context.to_words());
                        (context, false)
                    }
                    Err(fault) => {
                        let origin = Origin { config_hit: false, iotlb: Lookup::Unused };
                        return Answer { result: Err(fault), origin };
                    }
                }
            }
        };
        let (result, iotlb) = self.by_context(mem, &context, req, now);
        Answer { result, origin: Origin { config_hit, iotlb } }
    }

    /// What becomes of a request whose configuration is known.
    fn by_context(
        &self,
        mem: &dyn GuestMemory,
        context: &StreamContext,
        req: &DmaRequest,
        now: Moment,
    ) -> (Result<Translation, Fault>, Lookup) {
        match context.action() {
            StreamAction::Abort => (Err(config::silent_abort(req)), Lookup::Unused),
            StreamAction::Bypass => (config::bypass(&self.features, context, req), Lookup::Unused),
            action => match (self.cached(context, req, now), action) {
                (Cached::Hit(translation), _) => (Ok(translation), Lookup::Hit),
                (Cached::Forbidden(Stage::First, _), _) if self.features.adversarial => {
                    let kind = FaultKind::Permission;
                    (Err(walk::translation_fault(kind, &self.features, context, req)), Lookup::Hit)
                }
                (Cached::Forbidden(Stage::Second, perms), StreamAction::SecondStage)
                    if self.features.adversarial =>
                {
                    let kind = FaultKind::Permission;
                    let mut fault = walk::second_stage_fault(kind, &self.features, context, req, req.addr);
                    let checked = context.checked_access(&self.features, req.access);
                    fault.request.access = perms.refused(req.access, checked);
                    (Err(fault), Lookup::Hit)
                }
                // What stage 2 refuses under stage 1 has an IPA, which is not cached.
                (Cached::Forbidden(..) | Cached::Miss, _) => {
                    (self.walk(mem, context, req, now), Lookup::Miss)
                }
            },
        }
    }

    /// What the IOTLB knows about an address.
    ///
    /// `CD.EPD` stops walks, and what is cached may be used all the same: the adversarial SMMU does.
    #[inline(always)]
    fn cached_page(
        &self,
        context: &StreamContext,
        addr: u64,
        now: Moment,
    ) -> Option<(CachedPage, PagePerms)> {
        let (addr, region) = if context.action().has_first_stage() {
            let region = context.region(is_upper(addr));
            if !region.enabled && !self.features.adversarial {
                return None;
            }
            (if region.top_byte_ignore { canonical(addr) } else { addr }, Some(region))
        } else {
            (addr, None)
        };
        let page = self.iotlb.lookup(now, tag(context), addr)?;
        // A global page of a larger address space is none of a smaller one, even for an SMMU that caches all that it may: what
        // it has of TxSZ it has with the CD (§3.4, §5.4).
        if page.global && region.is_some_and(|region| region.enabled && !region.contains(addr)) {
            return None;
        }
        Some((page, PagePerms::from_bits(low16(page.attributes.into()))))
    }

    /// What the IOTLB knows about a request.
    #[inline(always)]
    fn cached(&self, context: &StreamContext, req: &DmaRequest, now: Moment) -> Cached {
        let Some((page, perms)) = self.cached_page(context, req.addr, now) else { return Cached::Miss };
        match walk::check(perms, &self.features, context, req.access) {
            Ok(perm) => Cached::Hit(translation(req.addr, page.output, page.log2size, perm)),
            Err(Refusal::Permission(stage)) => Cached::Forbidden(stage, perms),
            Err(Refusal::Clean) => Cached::Miss,
        }
    }

    fn walk(
        &self,
        mem: &dyn GuestMemory,
        context: &StreamContext,
        req: &DmaRequest,
        now: Moment,
    ) -> Result<Translation, Fault> {
        let mapping = self.walk_page(mem, context, req, now, &|_| true)?;
        let privileged = context.checked_access(&self.features, req.access).privileged;
        let allowed = mapping.perms.permissions(privileged);
        let perm = context.granted(&self.features, req.access, allowed);
        Ok(translation(req.addr, mapping.addr, mapping.log2size, perm))
    }

    /// Walks the tables, [if](walk::walk_if) stage 1 is `useful`, and keeps what was found.
    fn walk_page(
        &self,
        mem: &dyn GuestMemory,
        context: &StreamContext,
        req: &DmaRequest,
        now: Moment,
        useful: &dyn Fn(PagePerms) -> bool,
    ) -> Result<Mapping, Fault> {
        self.counters.count(counter::WALKS);
        let (result, updates) = match &self.tables {
            None => walk::walk_if(mem, &(), &self.features, context, req, useful),
            Some(cache) => {
                let tables = WalkedTables { cache, sequence: &self.sequence, now, context };
                walk::walk_if(mem, &tables, &self.features, context, req, useful)
            }
        };
        self.counters.updated(updates.accessed, updates.dirtied);
        let mapping = result?;
        let is_part = mapping.leaf_log2size != mapping.log2size;
        if is_part {
            self.fragments.enter(mapping.leaf_log2size);
        }
        let page = CachedPage {
            input: input(context, req.addr) & !size_mask(mapping.log2size),
            output: mapping.addr,
            log2size: mapping.log2size,
            global: mapping.global,
            kind: kind(&mapping),
            attributes: u32::from(mapping.perms.bits()) | if is_part { PART } else { 0 },
        };
        let _ = self.iotlb.insert(&self.sequence, now, tag(context), &page);
        Ok(mapping)
    }

    /// The IOTLB, and the walk cache if there is one.
    fn translation_caches(&self) -> impl Iterator<Item = &Iotlb> {
        core::iter::once(&self.iotlb).chain(&self.tables)
    }

    /// What the SMMU can do.
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }
}

impl Translate for Translator {
    type Tables = Option<StreamTable>;
    type Fault = Fault;
    type Invalidation = Invalidation;

    // Into the model: what is not cached is called from there.
    #[inline(always)]
    fn translate(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<Translation, Fault> {
        match self.cached_translation(req) {
            Some(translation) => Ok(translation),
            None => self.slow(mem, tables, req),
        }
    }

    #[inline]
    fn cached_translation(&self, req: &DmaRequest) -> Option<Translation> {
        let translation = self.latest.find_or(&self.sequence, req, |now| self.quick(req, now))?;
        self.counters.count(counter::QUICK);
        Some(translation)
    }

    fn ats_translate(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<AtsTranslation, Fault> {
        self.ats_answer(mem, tables, req)
    }

    fn invalidate(&self, what: &Invalidation) {
        self.counters.count(counter::INVALIDATIONS);
        let parts = match what {
            // Pages of EL2 have no second stage.
            Invalidation::NsnhAll => self.fragments.take(),
            // One that forgets no more than it is told to keeps them.
            Invalidation::Va { .. } if !self.features.adversarial => self.fragments.take_now_and_then(),
            _ => 0,
        };
        self.sequence.invalidate(|at| self.forget(what, parts, at));
    }

    fn reset(&self) {
        self.fragments.reset();
        self.sequence.invalidate(|at| {
            self.contexts.invalidate_all(at);
            self.translation_caches().for_each(|cache| cache.invalidate_all(at));
        });
    }

    fn stats(&self) -> TranslatorStats {
        self.counters.stats()
    }
}

impl Engine for Translator {
    fn translated(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<Translation, Fault> {
        self.translated_answer(mem, tables, req)
    }

    fn tables_changed(&self) {
        self.sequence.invalidate(|_| ());
    }

    fn ignored_bits(&self) -> u32 {
        self.fragments.bits_outside()
    }

    fn owes_everything(&self) -> bool {
        self.fragments.are_outside_alone()
    }

    fn outside_forgets(&self) {
        self.fragments.outside_forgets();
    }
}

/// An IOTLB where every domain has a number of its own.
fn iotlb(entries: usize, exact: bool) -> Iotlb {
    Iotlb::with_stamps(entries, exact, DOMAIN_STAMPS_LOG2, SPACE_STAMPS_LOG2)
}

/// Under which number a stream's pages are cached.
#[inline(always)]
fn tag(context: &StreamContext) -> Tag {
    let vmid = u32::from(context.vmid());
    // §3.17.1, CD.ASET: global pages are those of one set of ASIDs.
    let set = if context.cd0().aset() == 0 { 0 } else { GLOBAL_SET };
    let space = u32::from(context.asid()) | set;
    match (context.action(), context.world()) {
        (StreamAction::SecondStage, _) => Tag { domain: vmid | STAGE_2, space: 0 },
        (_, StreamWorld::El1) => Tag { domain: vmid, space },
        (_, StreamWorld::El2) => Tag { domain: EL2, space: NO_ASID },
        (_, StreamWorld::El2Host) => Tag { domain: EL2, space },
    }
}

/// The input address as it is cached.
fn input(context: &StreamContext, addr: u64) -> u64 {
    if context.action().has_first_stage() { canonical(addr) } else { addr }
}

fn translation(addr: u64, output: u64, log2size: u8, perm: crate::iommu::Permissions) -> Translation {
    let page_mask = size_mask(log2size);
    Translation { addr: output | (addr & page_mask), page_mask, perm }
}

fn size_mask(log2size: u8) -> u64 {
    1u64.checked_shl(u32::from(log2size)).unwrap_or(0).wrapping_sub(1)
}

/// Bit 55 chooses the table (`IHI0070 §3.4.1`).
fn is_upper(addr: u64) -> bool {
    addr & 1 << 55 != 0
}

/// Whether the top byte of an address is more than copies of bit 55 (`IHI0070 §3.4.1`): what stage 1 may ignore.
#[must_use]
pub fn has_tag(addr: u64) -> bool {
    canonical(addr) != addr
}

/// The address with a top byte that says no more than bit 55. Every address that a walk can translate is
/// either like this or has its top byte ignored.
pub(super) fn canonical(addr: u64) -> u64 {
    const TOP: u64 = 0xff << 56;
    if is_upper(addr) { addr | TOP } else { addr & !TOP }
}

/// What `TG` and `TTL` select by: granule in bits `3:2`, level in bits `1:0`.
fn kind(mapping: &Mapping) -> u8 {
    granule_kind(mapping.granule_log2) | (mapping.level & 3)
}

fn granule_kind(granule_log2: u8) -> u8 {
    match granule_log2 {
        14 => 1 << 2,
        16 => 2 << 2,
        _ => 0,
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
