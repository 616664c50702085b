// SPDX-License-Identifier: GPL-2.0-or-later
//! A transaction's way through the SMMU: configuration, IOTLB, walk (`IHI0070 §3.3`), and what the
//! invalidation commands do to it (`IHI0070 §4.3`, `§4.4`).
//!
//! Any thread may translate, at any time, without waiting for another. Each attempt begins by noting the
//! moment in the order of invalidations, and takes nothing from the caches that is newer: a configuration
//! read before an address space changed hands never meets the new owner's pages. If an invalidation begins
//! while tables are being read, the attempt is repeated, a few times; then its answer is that of a hardware
//! walk that the invalidation overlapped, and is not cached.

mod tables;

use core::cell::Cell;

use self::tables::WalkMemory;
use super::config::{self, CONTEXT_WORDS, StreamAction, StreamContext, StreamTable};
use super::fault::{Fault, FaultKind};
use super::features::Features;
use super::walk::{self, Mapping, PagePerms, Refusal};
use crate::iommu::context_cache::ContextCache;
use crate::iommu::iotlb::{CachedPage, Iotlb, Span, Tag};
use crate::iommu::sequence::{Moment, Sequence};
pub use crate::iommu::translator::TranslatorStats;
use crate::iommu::translator::{CurrentTables, Lookup, Origin, TranslatorCounters, counter};
use crate::iommu::{DmaRequest, GuestMemory, StreamId, SubstreamId, Translation};

/// Default of the property `iotlb-size`: pages and blocks.
pub const DEFAULT_IOTLB_ENTRIES: usize = 4096;
/// Pairs of StreamID and SubstreamID.
const CONTEXT_ENTRIES: usize = 512;
/// Table descriptors of the walk cache.
const TABLE_ENTRIES: usize = 1024;

/// What an invalidation command names. Numbers are as in the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// `CMD_CFGI_ALL`: every configuration.
    All,
    /// `CMD_CFGI_STE`: a stream's, with all its CDs. `leaf` says nothing to a cache without level 1 entries.
    Ste {
        /// StreamID.
        sid: StreamId,
    },
    /// `CMD_CFGI_STE_RANGE`: the streams `first..=last`.
    SteRange {
        /// First StreamID.
        first: StreamId,
        /// Last StreamID.
        last: StreamId,
    },
    /// `CMD_CFGI_CD`: one CD of a stream.
    Cd {
        /// StreamID.
        sid: StreamId,
        /// SubstreamID.
        ssid: SubstreamId,
    },
    /// `CMD_CFGI_CD_ALL`: all CDs of a stream.
    CdAll {
        /// StreamID.
        sid: StreamId,
    },
    /// `CMD_TLBI_NH_ASID`: an address space, without its global pages.
    Asid {
        /// VMID.
        vmid: u16,
        /// ASID.
        asid: u16,
    },
    /// `CMD_TLBI_NH_ALL`, `CMD_TLBI_S12_VMALL`: a virtual machine.
    Vmid {
        /// VMID.
        vmid: u16,
    },
    /// `CMD_TLBI_NH_VA`, and without ASID `CMD_TLBI_NH_VAA`: what translates an address of a range.
    Va {
        /// VMID.
        vmid: u16,
        /// ASID; global pages go as well.
        asid: Option<u16>,
        /// First input address.
        addr: u64,
        /// Bytes: 4096 without a range, else `(NUM + 1) << (SCALE + log2 of the granule)`.
        size: u64,
        /// Log2 of the granule that `TG` names, 12, 14 or 16. Pages of another granule need not go.
        granule_log2: Option<u8>,
        /// The level that `TTL` names. Pages of another level need not go.
        level: Option<u8>,
        /// Tables above the pages need not go.
        leaf: bool,
    },
    /// `CMD_TLBI_NSNH_ALL` and every other command that drops all translations.
    NsnhAll,
}

/// Where the registers say that the stream table is. `None`: translation is off, and no table may be read
/// (`IHI0070 §6.3.9.6`). Let [`Translator::tables_changed`] follow where they change.
pub type TableSource<'a> = dyn CurrentTables<Option<StreamTable>> + 'a;

impl CurrentTables<Option<StreamTable>> for StreamTable {
    fn tables(&self) -> Option<StreamTable> {
        Some(*self)
    }
}

/// An SMMU's translation: tables, caches, and the order of their invalidation.
#[derive(Debug)]
pub struct Translator {
    features: Features,
    sequence: Sequence,
    contexts: ContextCache<CONTEXT_WORDS>,
    iotlb: Iotlb,
    /// The walk cache, if there is one.
    tables: Option<Iotlb>,
    counters: TranslatorCounters,
}

/// One attempt's answer, and where it comes from.
struct Answer {
    result: Result<Translation, Fault>,
    origin: Origin,
}

/// What the IOTLB knows.
enum Cached {
    Hit(Translation),
    /// A page that does not allow the access. It is read again, so that a guest that allows more sees no
    /// spurious fault; an adversarial SMMU takes the entry at its word.
    Forbidden,
    /// No page, or a clean one that is to be written: a walk makes it dirty.
    Miss,
}

impl Translator {
    /// Empty caches. `iotlb_entries` is rounded up to a power of two.
    #[must_use]
    pub fn new(features: Features, iotlb_entries: usize) -> Self {
        Self {
            sequence: Sequence::new(),
            contexts: ContextCache::new(CONTEXT_ENTRIES, features.adversarial),
            iotlb: Iotlb::new(iotlb_entries, features.adversarial),
            tables: features.adversarial.then(|| Iotlb::new(TABLE_ENTRIES, true)),
            counters: TranslatorCounters::new(),
            features,
        }
    }

    /// Translates one request.
    ///
    /// # Errors
    /// The fault, to be recorded, stalled or dropped as it says. Where there was no table, an abort that nobody
    /// hears of.
    pub fn translate(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<Translation, Fault> {
        if let Some(translation) = self.quick(req) {
            self.counters.count(counter::QUICK);
            return Ok(translation);
        }
        self.slow(mem, tables, req)
    }

    /// The answer that the caches have, if it is a translation: what nearly every request takes.
    #[inline(always)]
    fn quick(&self, req: &DmaRequest) -> Option<Translation> {
        let now = self.sequence.now();
        let context = StreamContext::from_words(self.contexts.lookup(now, req.stream, req.substream)?);
        if context.action() != StreamAction::Translate {
            return None;
        }
        match self.cached(&context, req, now) {
            Cached::Hit(translation) => Some(translation),
            Cached::Forbidden | Cached::Miss => None,
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
        let (result, iotlb) = match context.action() {
            StreamAction::Abort => (Err(config::silent_abort(req)), Lookup::Unused),
            StreamAction::Bypass => (config::bypass(&self.features, &context, req), Lookup::Unused),
            StreamAction::Translate => match self.cached(&context, req, now) {
                Cached::Hit(translation) => (Ok(translation), Lookup::Hit),
                Cached::Forbidden if self.features.adversarial => {
                    let kind = FaultKind::Permission;
                    (Err(walk::translation_fault(kind, &self.features, &context, req)), Lookup::Hit)
                }
                Cached::Forbidden | Cached::Miss => (self.walk(mem, &context, req, now), Lookup::Miss),
            },
        };
        Answer { result, origin: Origin { config_hit, iotlb } }
    }

    /// What the IOTLB knows about a request.
    ///
    /// `CD.EPD` stops walks, and what is cached may be used all the same: the adversarial SMMU does.
    #[inline(always)]
    fn cached(&self, context: &StreamContext, req: &DmaRequest, now: Moment) -> Cached {
        let f = &self.features;
        let region = context.region(is_upper(req.addr));
        if !region.enabled && !f.adversarial {
            return Cached::Miss;
        }
        let addr = if region.top_byte_ignore { canonical(req.addr) } else { req.addr };
        let Some(page) = self.iotlb.lookup(now, tag(context), addr) else { return Cached::Miss };
        let perms = PagePerms::from_bits(u8::try_from(page.attributes & 0xff).unwrap_or(0));
        match walk::check(perms, f, context, req.access) {
            Ok(perm) => Cached::Hit(translation(req.addr, page.output, page.log2size, perm)),
            Err(Refusal::Permission) => Cached::Forbidden,
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
        self.counters.count(counter::WALKS);
        let mapping = self.walk_tables(mem, context, req, now)?;
        self.counters.updated(mapping.updates.accessed, mapping.updates.dirtied);
        let page = CachedPage {
            input: canonical(req.addr) & !size_mask(mapping.log2size),
            output: mapping.addr,
            log2size: mapping.log2size,
            global: mapping.global,
            kind: kind(&mapping),
            attributes: u32::from(mapping.perms.bits()),
        };
        let _ = self.iotlb.insert(&self.sequence, now, tag(context), &page);
        let privileged = context.effective_access(&self.features, req.access).privileged;
        Ok(translation(req.addr, mapping.addr, mapping.log2size, mapping.perms.permissions(privileged)))
    }

    fn walk_tables(
        &self,
        mem: &dyn GuestMemory,
        context: &StreamContext,
        req: &DmaRequest,
        now: Moment,
    ) -> Result<Mapping, Fault> {
        let Some(cache) = &self.tables else {
            return walk::walk_stage1(mem, &self.features, context, req);
        };
        let region = context.region(is_upper(req.addr));
        let mem = WalkMemory {
            mem,
            cache,
            sequence: &self.sequence,
            now,
            tag: tag(context),
            addr: canonical(req.addr),
            kind: granule_kind(u8::try_from(region.granule_log2).unwrap_or(0)),
            granule_log2: region.granule_log2,
            shift: Cell::new(tables::first_shift(&region)),
        };
        walk::walk_stage1(&mem, &self.features, context, req)
    }

    /// Does what an invalidation command asks for. Once this has returned, no translation that begins finds
    /// what was named; those under way may, until they end.
    pub fn invalidate(&self, what: &Invalidation) {
        self.counters.count(counter::INVALIDATIONS);
        let at = self.sequence.advance();
        match *what {
            Invalidation::All => self.contexts.invalidate_all(at),
            Invalidation::Ste { sid } | Invalidation::CdAll { sid } => {
                self.contexts.invalidate_stream(at, sid)
            }
            Invalidation::SteRange { first, last } => self.contexts.invalidate_streams(at, first, last),
            Invalidation::Cd { sid, ssid } => {
                self.contexts.invalidate_pair(at, sid, Some(ssid));
                if ssid == 0 {
                    // Transactions without SubstreamID may use CD 0.
                    self.contexts.invalidate_pair(at, sid, None);
                }
            }
            Invalidation::Asid { vmid, asid } => {
                let tag = Tag { domain: u32::from(vmid), space: u32::from(asid) };
                self.translation_caches().for_each(|cache| cache.invalidate_space(at, tag));
            }
            Invalidation::Vmid { vmid } => {
                self.translation_caches().for_each(|cache| cache.invalidate_domain(at, u32::from(vmid)));
            }
            Invalidation::Va { vmid, asid, addr, size, granule_log2, level, leaf } => {
                let first = canonical(addr);
                let mut span = Span::new(first, first.saturating_add(size.saturating_sub(1)));
                if self.features.adversarial {
                    span.kinds = kinds(granule_log2, level);
                }
                self.iotlb.invalidate_span(at, u32::from(vmid), asid.map(u32::from), &span);
                if let Some(tables) = self.tables.as_ref().filter(|_| !leaf) {
                    span.kinds = kinds(granule_log2, None);
                    tables.invalidate_span(at, u32::from(vmid), asid.map(u32::from), &span);
                }
            }
            Invalidation::NsnhAll => self.translation_caches().for_each(|cache| cache.invalidate_all(at)),
        }
    }

    /// What a [`CurrentTables`] says has changed: what is being read from the old table is not cached any more. What
    /// is cached stays (`IHI0070 §6.3.9.6`).
    pub fn tables_changed(&self) {
        let _ = self.sequence.advance();
    }

    /// Forgets everything. The counters go on.
    pub fn reset(&self) {
        let at = self.sequence.advance();
        self.contexts.invalidate_all(at);
        self.translation_caches().for_each(|cache| cache.invalidate_all(at));
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

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> TranslatorStats {
        self.counters.stats()
    }
}

fn tag(context: &StreamContext) -> Tag {
    Tag { domain: u32::from(context.vmid()), space: u32::from(context.asid()) }
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
fn canonical(addr: u64) -> u64 {
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

/// The kinds that an invalidation with these hints must take.
fn kinds(granule_log2: Option<u8>, level: Option<u8>) -> u16 {
    let granules = match granule_log2 {
        None => u16::MAX,
        Some(14) => 0x00f0,
        Some(16) => 0x0f00,
        Some(_) => 0x000f,
    };
    let levels = match level {
        Some(1) => 0x2222,
        Some(2) => 0x4444,
        Some(3) => 0x8888,
        _ => u16::MAX,
    };
    granules & levels
}

#[cfg(all(test, not(loom)))]
mod tests;
