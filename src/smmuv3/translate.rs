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
use crate::iommu::counters::Counters;
use crate::iommu::iotlb::{CachedPage, Iotlb, Span, Tag};
use crate::iommu::sequence::{Moment, Sequence};
use crate::iommu::{DmaRequest, GuestMemory, StreamId, SubstreamId, Translation};

/// Default of the property `iotlb-size`: pages and blocks.
pub const DEFAULT_IOTLB_ENTRIES: usize = 4096;
/// Pairs of StreamID and SubstreamID.
const CONTEXT_ENTRIES: usize = 512;
/// Table descriptors of the walk cache.
const TABLE_ENTRIES: usize = 1024;
/// Attempts, before an answer is taken that an invalidation overlapped.
const ATTEMPTS: u32 = 4;

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

/// Counters since the model was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TranslatorStats {
    /// Requests.
    pub translations: u64,
    /// Answered from the IOTLB.
    pub iotlb_hits: u64,
    /// Looked for in the IOTLB in vain, or found without the permission that the request needs.
    pub iotlb_misses: u64,
    /// Configurations found in the cache.
    pub config_hits: u64,
    /// Configurations read from memory.
    pub config_misses: u64,
    /// Table walks, repeated ones too.
    pub walks: u64,
    /// Requests that faulted.
    pub faults: u64,
    /// Attempts that an invalidation overlapped.
    pub retries: u64,
    /// Access flags set.
    pub access_flag_updates: u64,
    /// Pages made writable by the dirty state mechanism.
    pub dirty_updates: u64,
    /// Calls of [`Translator::invalidate`].
    pub invalidations: u64,
}

/// Indices of the counters.
mod counter {
    /// IOTLB hits with a cached configuration: the one counter on that path.
    pub const QUICK: usize = 0;
    pub const SLOW: usize = 1;
    pub const SLOW_HITS: usize = 2;
    pub const IOTLB_MISSES: usize = 3;
    pub const CONFIG_MISSES: usize = 4;
    pub const WALKS: usize = 5;
    pub const FAULTS: usize = 6;
    pub const RETRIES: usize = 7;
    pub const ACCESS_FLAGS: usize = 8;
    pub const DIRTY: usize = 9;
    pub const INVALIDATIONS: usize = 10;
    pub const COUNT: usize = 11;
}

/// Where the registers say that the stream table is.
///
/// Asked anew in each attempt that reads configuration. What was sampled before the attempt began could be the
/// table before an invalidation that the attempt does not see, and its entries would be cached after it: so let
/// this read the registers, unless they cannot change meanwhile; and let [`Translator::tables_changed`] follow
/// where they do change.
pub trait TableSource {
    /// The table, as it is now. `None`: translation is off, and no table may be read (`IHI0070 §6.3.9.6`).
    fn stream_table(&self) -> Option<StreamTable>;
}

impl TableSource for StreamTable {
    fn stream_table(&self) -> Option<StreamTable> {
        Some(*self)
    }
}

impl<F: Fn() -> Option<StreamTable>> TableSource for F {
    fn stream_table(&self) -> Option<StreamTable> {
        self()
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
    counters: Counters<{ counter::COUNT }>,
}

/// One attempt's answer, and where it comes from.
struct Answer {
    result: Result<Translation, Fault>,
    config_hit: bool,
    iotlb: Source,
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

#[derive(Clone, Copy)]
enum Source {
    Unused,
    Hit,
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
            counters: Counters::new(),
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
        tables: &dyn TableSource,
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
        tables: &dyn TableSource,
        req: &DmaRequest,
    ) -> Result<Translation, Fault> {
        let mut attempts = 0u32;
        let answer = loop {
            let now = self.sequence.now();
            let answer = self.attempt(mem, tables, req, now);
            attempts = attempts.saturating_add(1);
            if attempts >= ATTEMPTS || self.sequence.stands_at(now) {
                break answer;
            }
            self.counters.count(counter::RETRIES);
        };
        self.count(&answer);
        answer.result
    }

    fn count(&self, answer: &Answer) {
        self.counters.count(counter::SLOW);
        match answer.iotlb {
            Source::Hit => self.counters.count(counter::SLOW_HITS),
            Source::Miss => self.counters.count(counter::IOTLB_MISSES),
            Source::Unused => {}
        }
        if !answer.config_hit {
            self.counters.count(counter::CONFIG_MISSES);
        }
        if answer.result.is_err() {
            self.counters.count(counter::FAULTS);
        }
    }

    fn attempt(
        &self,
        mem: &dyn GuestMemory,
        tables: &dyn TableSource,
        req: &DmaRequest,
        now: Moment,
    ) -> Answer {
        let (context, config_hit) = match self.contexts.lookup(now, req.stream, req.substream) {
            Some(words) => (StreamContext::from_words(words), true),
            None => {
                let found = match tables.stream_table() {
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
                        return Answer { result: Err(fault), config_hit: false, iotlb: Source::Unused };
                    }
                }
            }
        };
        let (result, iotlb) = match context.action() {
            StreamAction::Abort => (Err(config::silent_abort(req)), Source::Unused),
            StreamAction::Bypass => (config::bypass(&self.features, &context, req), Source::Unused),
            StreamAction::Translate => match self.cached(&context, req, now) {
                Cached::Hit(translation) => (Ok(translation), Source::Hit),
                Cached::Forbidden if self.features.adversarial => {
                    let kind = FaultKind::Permission;
                    (Err(walk::translation_fault(kind, &self.features, &context, req)), Source::Hit)
                }
                Cached::Forbidden | Cached::Miss => (self.walk(mem, &context, req, now), Source::Miss),
            },
        };
        Answer { result, config_hit, iotlb }
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
        if mapping.updates.accessed {
            self.counters.count(counter::ACCESS_FLAGS);
        }
        if mapping.updates.dirtied {
            self.counters.count(counter::DIRTY);
        }
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

    /// What a [`TableSource`] says has changed: what is being read from the old table is not cached any more. What
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
        let [
            quick,
            slow,
            slow_hits,
            iotlb_misses,
            config_misses,
            walks,
            faults,
            retries,
            access_flag_updates,
            dirty_updates,
            invalidations,
        ] = self.counters.read();
        let translations = quick.saturating_add(slow);
        TranslatorStats {
            translations,
            iotlb_hits: quick.saturating_add(slow_hits),
            iotlb_misses,
            config_hits: translations.saturating_sub(config_misses),
            config_misses,
            walks,
            faults,
            retries,
            access_flag_updates,
            dirty_updates,
            invalidations,
        }
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
