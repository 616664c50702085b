// SPDX-License-Identifier: GPL-2.0-or-later
//! A request's way through the unit: tables, IOTLB, walk (`VTD §3.4`), translation requests (`VTD §4.1`), and what
//! invalidations do to it (`VTD §6.5`).
//!
//! Any thread may translate, at any time, without waiting for another. Each attempt begins by noting the moment in
//! the order of invalidations, and takes nothing from the caches that is newer. If an invalidation begins while
//! tables are being read, the attempt is repeated, a few times; then its answer is that of a hardware walk that the
//! invalidation overlapped, and is not cached. Nothing that is not present is ever cached.
//!
//! First-stage pages are cached by domain-id and PASID, second-stage pages by domain-id alone: devices of a domain
//! share them (`VTD §6.2.4`). Nested pages have numbers of their own, for an invalidation of the second stage's
//! addresses cannot tell which of them it concerns and takes all of the domain.

mod by_input;
mod invalidate;
mod structures;

pub use invalidate::Invalidation;

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use self::by_input::Domains;
use self::structures::Structures;
use super::config::{self, Action, CONTEXT_WORDS, Context, RequestKind, RootTable};
use super::fault::{Fault, FaultReason};
use super::features::Features;
use super::interrupt_range;
use super::walk::{self, Mapping, PagePerms, Refusal};
use crate::iommu::context_cache::ContextCache;
use crate::iommu::iotlb::{CachedPage, Iotlb, Tag};
use crate::iommu::micro_tlb::MicroTlb;
use crate::iommu::narrow::{low8, ones};
use crate::iommu::sequence::{Moment, Sequence};
use crate::iommu::translator::{CurrentTables, Lookup, Origin, TranslatorCounters, counter};
pub use crate::iommu::translator::{Translate, TranslatorStats};
use crate::iommu::{Access, AtsTranslation, DmaRequest, GuestMemory, Permissions, Translation};

/// Default of the property `iotlb-size`: pages.
pub const DEFAULT_IOTLB_ENTRIES: usize = 4096;
/// Pairs of source-id and PASID.
const CONTEXT_ENTRIES: usize = 512;
/// Entries of the structure cache.
const STRUCTURE_ENTRIES: usize = 1024;
/// A number for every domain-id, for its first-stage and for its nested pages.
const DOMAIN_STAMPS_LOG2: u32 = 18;
const SPACE_STAMPS_LOG2: u32 = 16;
/// In a tag's domain: nested pages.
const NESTED: u32 = 1 << 16;
/// In a tag's domain: first-stage pages.
const FIRST: u32 = 1 << 17;
/// A tag's space: second-stage pages, whatever the PASID. Its stamp is shared with a PASID that is rarely used.
const NO_SPACE: u32 = 1 << 20 | 0xffff;
/// Log2 of what a translation request is told at most where everything passes through.
const PASS_THROUGH_LOG2: u8 = 21;
/// Of a cached page's attributes, above its permissions: not every address of the page may be answered with all of it, for
/// interrupts are among them ([`Mapping::touches_interrupts`]). It is walked anew.
const TOUCHES_INTERRUPTS: u32 = 1 << 8;
/// The PASID under which is cached what the context entry says of translated requests. No request has it.
const TRANSLATED: u32 = u32::MAX;

/// Where the register says that the root table is.
pub type TableSource<'a> = dyn CurrentTables<RootTable> + 'a;

impl CurrentTables<RootTable> for RootTable {
    fn tables(&self) -> RootTable {
        *self
    }
}

/// What translates for a unit.
pub trait Engine: Translate<Tables = RootTable, Fault = Fault, Invalidation = Invalidation> {
    /// Whether a translated request or a page request is let through by the tables. The IOTLB is not asked.
    ///
    /// # Errors
    /// The fault, to be recorded as it says.
    fn check(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
        kind: RequestKind,
    ) -> Result<(), Fault>;

    /// Whether there are pages of a domain that caches outside know by other addresses than a page-selective invalidation of
    /// the domain names: those of first stages and nested ones, which it takes all (`VTD §6.5.2.3`).
    fn has_pages_of_first_stages(&self, did: u16) -> bool;

    /// Log2 of the largest page that was answered in parts, for interrupts are among it; 0: there was none. An invalidation
    /// of a page may name one part only.
    fn largest_page_in_parts(&self) -> u8;
}

/// A unit's translation: tables, caches, and the order of their invalidation.
#[derive(Debug)]
pub struct Translator {
    features: Features,
    sequence: Sequence,
    latest: MicroTlb,
    /// There have been nested pages; until then no invalidation looks for them.
    nested: AtomicBool,
    /// Domains of which there have been first-stage or nested pages since all of theirs was invalidated.
    by_input: Domains,
    /// Log2 of the largest page that was answered in parts since all pages were invalidated.
    in_parts: AtomicU8,
    contexts: ContextCache<CONTEXT_WORDS>,
    iotlb: Iotlb,
    /// The structure cache, if there is one.
    structures: Option<Iotlb>,
    counters: TranslatorCounters,
}

/// One attempt's answer, and where it comes from.
struct Answer {
    result: Result<Found, Fault>,
    origin: Origin,
}

/// A page with the context it was found by; `None`: everything passes through.
#[derive(Clone, Copy)]
struct Found {
    context: Context,
    page: Option<Mapping>,
}

/// What the IOTLB knows.
enum Cached {
    Hit(Mapping),
    /// A page that does not allow the access. It is read again: software that allows more owes no invalidation.
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
            latest: MicroTlb::new(),
            nested: AtomicBool::new(false),
            by_input: Domains::new(),
            in_parts: AtomicU8::new(0),
            contexts: ContextCache::new(CONTEXT_ENTRIES, features.adversarial),
            iotlb: iotlb(iotlb_entries, features.adversarial),
            structures: features.adversarial.then(|| iotlb(STRUCTURE_ENTRIES, true)),
            counters: TranslatorCounters::new(),
            features,
        }
    }

    /// The answer that the caches have, if it is a translation: what nearly every request takes.
    fn quick(&self, req: &DmaRequest, now: Moment) -> Option<Translation> {
        let context = Context::from_words(self.contexts.lookup(now, req.stream, req.substream)?);
        if context.action() == Action::PassThrough || context.refuses(req.access).is_some() {
            return None;
        }
        match self.cached(&context, req, now) {
            Cached::Hit(page) => Some(translation(req, &context, &page)),
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
        let found = self.find(mem, tables, req, RequestKind::Untranslated)?;
        match found.page {
            Some(page) => Ok(translation(req, &found.context, &page)),
            None => self.pass_through(req, &found.context),
        }
    }

    /// The page of a request, counted.
    fn find(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
        kind: RequestKind,
    ) -> Result<Found, Fault> {
        let answer = self.attempts(mem, tables, req, kind);
        self.counters.answered(answer.origin, answer.result.is_err());
        answer.result
    }

    /// Attempts until no invalidation overlaps, or it is enough.
    fn attempts(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
        kind: RequestKind,
    ) -> Answer {
        self.sequence
            .settle(|now| self.attempt(mem, tables, req, kind, now), || self.counters.count(counter::RETRIES))
    }

    /// The context, and whether it was cached; the fault likewise.
    fn context(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
        kind: RequestKind,
        now: Moment,
    ) -> Result<(Context, bool), (Fault, bool)> {
        let substream = if kind == RequestKind::Translated { Some(TRANSLATED) } else { req.substream };
        if let Some(words) = self.contexts.lookup(now, req.stream, substream) {
            let context = Context::from_words(words);
            return match context.refuses_kind(kind) {
                None => Ok((context, true)),
                Some(reason) => Err((context.fault(reason, req), true)),
            };
        }
        let context = config::lookup(mem, &self.features, &tables.tables(), req, kind)
            .map_err(|fault| (fault, false))?;
        let pair = (req.stream, substream);
        let _ = self.contexts.insert(&self.sequence, now, pair, context.to_words());
        Ok((context, false))
    }

    fn attempt(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
        kind: RequestKind,
        now: Moment,
    ) -> Answer {
        let (context, config_hit) = match self.context(mem, tables, req, kind, now) {
            Ok(found) => found,
            Err((fault, config_hit)) => {
                let origin = Origin { config_hit, iotlb: Lookup::Unused };
                return Answer { result: Err(fault), origin };
            }
        };
        let unused = Origin { config_hit, iotlb: Lookup::Unused };
        if let Some(reason) = context.refuses(req.access) {
            return Answer { result: Err(context.fault(reason, req)), origin: unused };
        }
        // Interrupts are not translated, and a translation request for their addresses needs no table.
        let interrupt = req.substream.is_none() && interrupt_range::contains(req.addr);
        if interrupt && kind == RequestKind::Untranslated {
            // It is no request for memory. Who asks takes interrupts out before; one that does not gets nothing.
            let fault = Fault { record: false, ..context.fault(context.interrupt_reason(), req) };
            return Answer { result: Err(fault), origin: unused };
        }
        if context.action() == Action::PassThrough || interrupt {
            return Answer { result: Ok(Found { context, page: None }), origin: unused };
        }
        let (page, iotlb) = match self.cached(&context, req, now) {
            Cached::Hit(page) => (Ok(page), Lookup::Hit),
            Cached::Forbidden => (self.walk(mem, &context, req, now, false), Lookup::Miss),
            Cached::Miss => (self.walk(mem, &context, req, now, true), Lookup::Miss),
        };
        let result = page.map(|page| Found { context, page: Some(page) });
        Answer { result, origin: Origin { config_hit, iotlb } }
    }

    /// What the IOTLB knows about a request.
    #[inline(always)]
    fn cached(&self, context: &Context, req: &DmaRequest, now: Moment) -> Cached {
        let Some(page) = self.iotlb.lookup(now, tag(context), req.addr) else { return Cached::Miss };
        if page.attributes & TOUCHES_INTERRUPTS != 0 {
            return Cached::Miss;
        }
        let perms = PagePerms::from_bits(low8(page.attributes.into()));
        match walk::refuses(perms, context, context.effective_access(req.access)) {
            None => Cached::Hit(Mapping { addr: page.output, log2size: page.log2size, perms }),
            Some(Refusal::Forbidden(_)) => Cached::Forbidden,
            Some(Refusal::Clean) => Cached::Miss,
        }
    }

    fn walk(
        &self,
        mem: &dyn GuestMemory,
        context: &Context,
        req: &DmaRequest,
        now: Moment,
        use_structures: bool,
    ) -> Result<Mapping, Fault> {
        self.counters.count(counter::WALKS);
        if context.action() == Action::Nested && !self.nested.load(Ordering::Relaxed) {
            // Before anything is entered: who enters after an invalidation has begun sees that it has, or it sees this.
            self.nested.store(true, Ordering::Relaxed);
        }
        if context.action() != Action::SecondStage {
            self.by_input.insert(context.domain());
        }
        let (result, updates) = match self.structures.as_ref().filter(|_| use_structures) {
            None => walk::walk(mem, &(), &self.features, context, req),
            Some(cache) => {
                let structures = Structures { cache, sequence: &self.sequence, now, context };
                walk::walk(mem, &structures, &self.features, context, req)
            }
        };
        self.counters.updated(updates.accessed, updates.dirtied);
        let mapping = result?;
        let mark = if mapping.touches_interrupts(req.addr) {
            // Caches outside ask without PASID. What a process maps is nothing to them.
            if req.substream.is_none() {
                self.in_parts.fetch_max(mapping.log2size, Ordering::Relaxed);
            }
            TOUCHES_INTERRUPTS
        } else {
            0
        };
        let page = CachedPage {
            input: req.addr & !ones(mapping.log2size.into()),
            output: mapping.addr,
            log2size: mapping.log2size,
            global: false,
            kind: 0,
            attributes: u32::from(mapping.perms.bits()) | mark,
        };
        let _ = self.iotlb.insert(&self.sequence, now, tag(context), &page);
        Ok(mapping.beside_interrupts(req))
    }

    /// The address itself, unless it exceeds physical addresses or is an interrupt's. Requests without PASID for interrupts
    /// do not come here.
    fn pass_through(&self, req: &DmaRequest, context: &Context) -> Result<Translation, Fault> {
        let host_bits = self.features.host_bits();
        let log2size = interrupt_range::log2_beside(req.addr, host_bits);
        let reason = if req.addr & !ones(host_bits.into()) != 0 {
            if context.is_scalable() {
                FaultReason::ScalableBeyondWidth
            } else {
                FaultReason::AddressBeyondWidth
            }
        } else if log2size == 0 {
            context.interrupt_reason()
        } else {
            return Ok(Translation {
                addr: req.addr,
                page_mask: ones(log2size.into()),
                perm: Permissions { read: true, write: true, exec: true },
            });
        };
        self.counters.count(counter::FAULTS);
        Err(context.fault(reason, req))
    }

    /// Nothing that was answered of pages is good any more.
    fn no_pages_are_left(&self) {
        self.by_input.clear();
        self.in_parts.store(0, Ordering::Relaxed);
    }

    /// The IOTLB, and the structure cache if there is one.
    fn page_caches(&self) -> impl Iterator<Item = &Iotlb> {
        core::iter::once(&self.iotlb).chain(&self.structures)
    }

    /// What the unit can do.
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }
}

impl Translate for Translator {
    type Tables = RootTable;
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
        // §4.1.2: a unit without supervisor requests answers privileged ones with no permission.
        let beyond = req.access.privileged && req.substream.is_some() && !self.features.supervisor_requests;
        let none = AtsTranslation { privileged: beyond, ..AtsTranslation::NONE };
        // Whether there is a page comes first, then what may be done with it.
        let privileged = req.access.privileged && !beyond;
        let bare = Access { read: false, write: false, exec: false, privileged };
        let found =
            match self.find(mem, tables, &DmaRequest { access: bare, ..*req }, RequestKind::Translation) {
                Ok(_) if beyond => return Ok(none),
                Ok(found) => found,
                Err(fault) if fault.reason.is_recoverable() => return Ok(none),
                Err(fault) => return Err(Fault { request: *req, ..fault }),
            };
        if req.substream.is_none() && interrupt_range::contains(req.addr) {
            // Interrupts go by untranslated writes.
            return Ok(AtsTranslation {
                addr: req.addr & !ones(AtsTranslation::PAGE_LOG2.into()),
                write: true,
                untranslated_only: true,
                ..AtsTranslation::NONE
            });
        }
        // Without the flag's support every request is one to write.
        let wants_write = req.access.write || !self.features.no_write;
        let Some(mut page) = found.page else {
            let whole = self.pass_through(req, &found.context)?;
            let log2size = interrupt_range::log2_beside(req.addr, PASS_THROUGH_LOG2);
            return Ok(AtsTranslation {
                addr: whole.addr & !ones(log2size.into()),
                log2size,
                read: true,
                write: wants_write,
                exec: req.access.exec && self.features.execute_requests,
                privileged: req.access.privileged,
                ..AtsTranslation::NONE
            });
        };
        let context = found.context;
        let privileged = context.effective_access(bare).privileged;
        // What is wanting may be wanting in the cache only, and a clean page becomes dirty by asking.
        let write = Access { write: true, ..bare };
        let fetch = Access { exec: true, ..bare };
        for (wanted, access) in [(req.access.exec, fetch), (wants_write, write)] {
            let refused = walk::refuses(page.perms, &context, context.effective_access(access)).is_some();
            if wanted && refused {
                let again = DmaRequest { access, ..*req };
                let again = self.attempts(mem, tables, &again, RequestKind::Translation);
                if let Ok(Found { page: Some(better), .. }) = again.result {
                    page = better;
                }
            }
        }
        let allowed = page.perms.permissions(&context, privileged);
        let (read, write) = (allowed.read, allowed.write && wants_write);
        if !read && !write {
            return Ok(AtsTranslation::NONE);
        }
        // Without execute requests a page of a second stage would be executable for want of anything that forbids it.
        let may_execute =
            req.access.exec && self.features.execute_requests && context.refuses(fetch).is_none();
        Ok(AtsTranslation {
            addr: page.addr,
            log2size: page.log2size,
            read,
            write,
            exec: may_execute && allowed.exec,
            // Only a first stage tells them apart; what others allow they allow to all.
            privileged: req.access.privileged && req.substream.is_some(),
            ..AtsTranslation::NONE
        })
    }

    fn invalidate(&self, what: &Invalidation) {
        self.counters.count(counter::INVALIDATIONS);
        self.sequence.invalidate(|at| self.forget(what, at));
    }

    fn reset(&self) {
        self.sequence.invalidate(|at| {
            self.contexts.invalidate_all(at);
            self.page_caches().for_each(|cache| cache.invalidate_all(at));
            self.no_pages_are_left();
        });
    }

    fn stats(&self) -> TranslatorStats {
        self.counters.stats()
    }
}

impl Engine for Translator {
    fn check(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
        kind: RequestKind,
    ) -> Result<(), Fault> {
        if kind == RequestKind::Page {
            // Its answer does not depend on the PASID table, so it is not cached with what does.
            return config::check_page_request(mem, &self.features, &tables.tables(), req);
        }
        let now = self.sequence.now();
        let (context, _) = self.context(mem, tables, req, kind, now).map_err(|(fault, _)| fault)?;
        if interrupt_range::contains(req.addr) {
            return Err(context.fault(context.interrupt_reason(), req));
        }
        Ok(())
    }

    fn has_pages_of_first_stages(&self, did: u16) -> bool {
        self.by_input.contains(did)
    }

    fn largest_page_in_parts(&self) -> u8 {
        self.in_parts.load(Ordering::Relaxed)
    }
}

/// An IOTLB where nested pages' domains have numbers of their own.
fn iotlb(entries: usize, exact: bool) -> Iotlb {
    Iotlb::with_stamps(entries, exact, DOMAIN_STAMPS_LOG2, SPACE_STAMPS_LOG2)
}

/// Under which number a context's pages are cached.
fn tag(context: &Context) -> Tag {
    let domain = u32::from(context.domain());
    match context.action() {
        Action::FirstStage => Tag { domain: domain | FIRST, space: context.pasid() },
        Action::Nested => Tag { domain: domain | NESTED, space: context.pasid() },
        Action::SecondStage | Action::PassThrough => Tag { domain, space: NO_SPACE },
    }
}

fn translation(req: &DmaRequest, context: &Context, page: &Mapping) -> Translation {
    let page_mask = ones(page.log2size.into());
    let privileged = context.effective_access(req.access).privileged;
    let mut perm = page.perms.permissions(context, privileged);
    // A page may say that it can be executed; whether such requests are served at all is the PASID table entry's.
    perm.exec &= context.refuses(Access { exec: true, write: false, ..req.access }).is_none();
    Translation { addr: page.addr | (req.addr & page_mask), page_mask, perm }
}

#[cfg(all(test, not(loom)))]
mod tests;
