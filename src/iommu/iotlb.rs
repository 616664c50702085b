// SPDX-License-Identifier: GPL-2.0-or-later
//! The IOTLB: translations of pages and blocks, shared by every device of an address space.
//!
//! An entry belongs to a domain (VMID on Arm, domain-id on VT-d) and, unless it is global, to an address space
//! of that domain (ASID, PASID). Every size is entered as it is in the tables; a lookup probes the sizes that
//! occur. Invalidating an address space, a domain or everything is one store whatever the IOTLB holds; page
//! and range invalidations probe the sets concerned, and give way to the address space's stamp where that
//! would be more work than the misses it saves.
//!
//! An *exact* IOTLB removes what an invalidation names and nothing else, at the price of looking through all
//! of the table for large ranges. It is for finding a driver's missing invalidations.

use super::planted::{self, Defect};
use super::sequence::{Moment, Sequence, Stamp, Stamps};
use super::set_cache::{Key, SetCache, WAYS};
use super::sync::{AtomicU64, Ordering};

/// Smallest page: 4 KiB.
pub const MIN_LOG2SIZE: u8 = 12;
/// A range that needs more probes than this is not invalidated page by page.
const MAX_PROBES: u64 = 512;
const SPACE_STAMPS_LOG2: u32 = 16;
const DOMAIN_STAMPS_LOG2: u32 = 16;

// The second word of a key: input address `63:12`, and below it
const VALID: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 6;
const SIZE: u64 = 0x3f;
const PAGE: u64 = !0xfff;

/// In [`Tag::space`]: whose global entries those of the address space are. Entries of it that are not global do not know.
pub const GLOBAL_SET: u32 = 1 << 31;

/// An address space as the IOTLB knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// VMID, domain-id.
    pub domain: u32,
    /// ASID, PASID. Where a domain has two sets of address spaces that do not share global entries, [`GLOBAL_SET`] says which.
    pub space: u32,
}

/// A cached translation of one page or block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachedPage {
    /// Input address of its first byte.
    pub input: u64,
    /// Output address of its first byte.
    pub output: u64,
    /// Its size: 12 to 63.
    pub log2size: u8,
    /// Holds in every address space of its domain, or of one of its [sets](GLOBAL_SET).
    pub global: bool,
    /// What the model's invalidations may select by (level and granule): 0 to 15.
    pub kind: u8,
    /// Permissions and attributes; the model's own.
    pub attributes: u32,
}

/// What a page or range invalidation covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First input address.
    pub first: u64,
    /// Last input address.
    pub last: u64,
    /// A bit for each [`CachedPage::kind`] that must go; others may stay.
    pub kinds: u16,
}

impl Span {
    /// Every kind of entry that translates an address of `first..=last`.
    #[must_use]
    pub fn new(first: u64, last: u64) -> Self {
        Self { first, last, kinds: u16::MAX }
    }

    fn takes_kind(&self, kind: u8) -> bool {
        u32::from(self.kinds).wrapping_shr(u32::from(kind)) & 1 != 0
    }
}

/// The table with its stamps.
#[derive(Debug)]
pub struct Iotlb {
    table: SetCache<2>,
    /// log2 of the number of sets.
    index_bits: u32,
    /// Bit n: entries of `2^n` bytes have been entered, for one address space.
    sizes: AtomicU64,
    /// The same, for global entries.
    global_sizes: AtomicU64,
    all: Stamp,
    globals: Stamp,
    domains: Stamps,
    spaces: Stamps,
    exact: bool,
}

impl Iotlb {
    /// Room for about `entries` pages.
    #[must_use]
    pub fn new(entries: usize, exact: bool) -> Self {
        Self::with_stamps(entries, exact, DOMAIN_STAMPS_LOG2, SPACE_STAMPS_LOG2)
    }

    pub(crate) fn with_stamps(entries: usize, exact: bool, domains_log2: u32, spaces_log2: u32) -> Self {
        let table = SetCache::new(entries);
        Self {
            index_bits: table.sets().trailing_zeros(),
            table,
            sizes: AtomicU64::new(0),
            global_sizes: AtomicU64::new(0),
            all: Stamp::new(),
            globals: Stamp::new(),
            domains: Stamps::new(domains_log2),
            spaces: Stamps::new(spaces_log2),
            exact,
        }
    }

    /// How many pages there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.table.sets().saturating_mul(WAYS)
    }

    /// The translation of `addr`, if it is cached and was true at `now`, the moment when the caller began the
    /// translation. What is newer may not fit the configuration that the caller found.
    #[must_use]
    #[inline]
    pub fn lookup(&self, now: Moment, tag: Tag, addr: u64) -> Option<CachedPage> {
        let local = self.sizes.load(Ordering::Relaxed);
        let global = self.global_sizes.load(Ordering::Relaxed);
        for log2size in bits(local | global) {
            let found =
                if has(local, log2size) { self.lookup_size(now, tag, addr, log2size, false) } else { None };
            if found.is_some() {
                return found;
            }
            let found =
                if has(global, log2size) { self.lookup_size(now, tag, addr, log2size, true) } else { None };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// [`lookup`](Self::lookup) among entries of one size, global ones or others.
    #[must_use]
    #[inline(always)]
    pub fn lookup_size(
        &self,
        now: Moment,
        tag: Tag,
        addr: u64,
        log2size: u8,
        global: bool,
    ) -> Option<CachedPage> {
        let key = key(tag, addr, log2size, global);
        let (birth, value) = self.table.find(self.index(key), key)?;
        ((birth <= now || planted::is(Defect::TakesTooYoung)) && self.is_alive(key, birth))
            .then(|| unpack(key, value))
    }

    /// Enters a translation whose tables were read after `birth`. `false` if it did not, which is always
    /// right: an invalidation has begun since, or the set was being written to.
    pub fn insert(&self, sequence: &Sequence, birth: Moment, tag: Tag, page: &CachedPage) -> bool {
        if !(MIN_LOG2SIZE..64).contains(&page.log2size) || page.kind > 15 {
            return false;
        }
        let sizes = if page.global { &self.global_sizes } else { &self.sizes };
        let bit = size_bit(page.log2size);
        if sizes.load(Ordering::Relaxed) & bit == 0 {
            sizes.fetch_or(bit, Ordering::Relaxed);
        }
        let key = key(tag, page.input, page.log2size, page.global);
        let value = [page.output, (u64::from(page.kind) << 32) | u64::from(page.attributes)];
        self.table
            .publish(self.index(key), key, (sequence, birth), value, |key, birth| !self.is_alive(key, birth))
    }

    /// Forgets everything.
    pub fn invalidate_all(&self, at: Moment) {
        self.all.raise(at);
    }

    /// Forgets everything whose tag is `doomed`; an IOTLB that is not exact, everything.
    pub fn invalidate_matching(&self, at: Moment, doomed: impl Fn(Tag) -> bool) {
        if self.exact && self.table.remove_everywhere(|key, _| doomed(tag_of(key))) {
            return;
        }
        self.all.raise(at);
    }

    /// Removes the entries with any of these attributes. `false`: another thread writes, and there may be some left.
    pub fn remove_attributed(&self, attributes: u32) -> bool {
        self.table.remove_everywhere(|key, value| unpack(key, value).attributes & attributes != 0)
    }

    /// Forgets everything of a domain, global entries too.
    pub fn invalidate_domain(&self, at: Moment, domain: u32) {
        let by_stamp = !self.exact || self.domains.is_exact(u64::from(domain));
        if !by_stamp && self.table.remove_everywhere(|key, _| tag_of(key).domain == domain) {
            return;
        }
        self.domains.raise(u64::from(domain), at);
    }

    /// Forgets everything of an address space; global entries stay.
    pub fn invalidate_space(&self, at: Moment, tag: Tag) {
        let doomed = |key: Key, _| tag_of(key) == tag && !is_global(key);
        if self.exact && self.table.remove_everywhere(doomed) {
            return;
        }
        self.spaces.raise(space_number(tag), at);
    }

    /// Forgets what translates an address in `span` for an address space of `domain`, or, with `None`, for
    /// any; global entries of the domain too.
    pub fn invalidate_span(&self, at: Moment, domain: u32, space: Option<u32>, span: &Span) {
        let sizes = self.sizes.load(Ordering::Acquire);
        let global_sizes = self.global_sizes.load(Ordering::Acquire);
        let probes = |sizes| bits(sizes).map(|s| span.pages(s)).fold(0u64, u64::saturating_add);
        let global_tags = [0, GLOBAL_SET].map(|space| Tag { domain, space });
        let all_probes = probes(sizes).saturating_add(probes(global_sizes).saturating_mul(2));
        let limit = if self.exact { u64::try_from(self.table.sets()).unwrap_or(0) } else { MAX_PROBES };

        if let Some(space) = space
            && all_probes <= limit
        {
            let tag = Tag { domain, space };
            if !self.remove_pages(tag, span, sizes, false) {
                self.spaces.raise(space_number(tag), at);
            }
            for tag in global_tags {
                if !self.remove_pages(tag, span, global_sizes, true) {
                    self.globals.raise(at);
                }
            }
            return;
        }
        if self.exact && self.remove_span_everywhere(domain, space, span) {
            return;
        }
        match space {
            None => self.domains.raise(u64::from(domain), at),
            Some(space) => {
                self.spaces.raise(space_number(Tag { domain, space }), at);
                if global_sizes != 0 {
                    self.globals.raise(at);
                }
            }
        }
    }

    fn remove_pages(&self, tag: Tag, span: &Span, sizes: u64, global: bool) -> bool {
        let mut complete = true;
        for log2size in bits(sizes) {
            for number in 0..span.pages(log2size) {
                let offset = number.wrapping_shl(u32::from(log2size));
                let key = key(tag, span.first.wrapping_add(offset), log2size, global);
                complete &= self.table.remove(self.index(key), |found, value| {
                    found == key && span.takes_kind(unpack(key, value).kind)
                });
            }
        }
        complete
    }

    fn remove_span_everywhere(&self, domain: u32, space: Option<u32>, span: &Span) -> bool {
        self.table.remove_everywhere(|key, value| {
            let tag = tag_of(key);
            let page = unpack(key, value);
            tag.domain == domain
                && (page.global || space.is_none_or(|space| space == tag.space))
                && span.takes_kind(page.kind)
                && page.input <= span.last
                && page.input | mask(page.log2size) >= span.first
        })
    }

    fn is_alive(&self, key: Key, birth: Moment) -> bool {
        let tag = tag_of(key);
        let space = || {
            if is_global(key) {
                self.globals.spares(birth)
            } else {
                self.spaces.spares(space_number(tag), birth)
            }
        };
        self.all.spares(birth) && self.domains.spares(u64::from(tag.domain), birth) && space()
    }

    /// Neighbouring pages of one address space lie in neighbouring sets, so that a ring of pages fills all
    /// sets evenly; address spaces and sizes are spread.
    fn index(&self, [tag, page]: Key) -> u64 {
        let number = page.wrapping_shr(u32::from(size_of_key(page)));
        let spread = (tag ^ ((page & (SIZE | GLOBAL)) << 48)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        number ^ number.wrapping_shr(self.index_bits) ^ spread
    }
}

impl Span {
    /// How many pages of that size the span touches.
    fn pages(&self, log2size: u8) -> u64 {
        let shift = u32::from(log2size);
        let first = self.first.wrapping_shr(shift);
        let last = self.last.wrapping_shr(shift);
        if self.first > self.last { 0 } else { last.wrapping_sub(first).saturating_add(1) }
    }
}

fn key(tag: Tag, addr: u64, log2size: u8, global: bool) -> Key {
    let space = if global { tag.space & GLOBAL_SET } else { tag.space & !GLOBAL_SET };
    let page = addr & !mask(log2size) & PAGE;
    let global = if global { GLOBAL } else { 0 };
    [(u64::from(tag.domain) << 32) | u64::from(space), page | VALID | global | (u64::from(log2size) & SIZE)]
}

fn unpack(key: Key, [output, rest]: [u64; 2]) -> CachedPage {
    let [_, page] = key;
    CachedPage {
        input: page & PAGE,
        output,
        log2size: size_of_key(page),
        global: is_global(key),
        kind: byte(rest >> 32),
        attributes: u32::try_from(rest & 0xffff_ffff).unwrap_or(0),
    }
}

fn tag_of([tag, _]: Key) -> Tag {
    let half = |bits: u64| u32::try_from(bits & 0xffff_ffff).unwrap_or(0);
    Tag { domain: half(tag >> 32), space: half(tag) }
}

fn is_global([_, page]: Key) -> bool {
    page & GLOBAL != 0
}

fn size_of_key(page: u64) -> u8 {
    byte(page & SIZE)
}

fn byte(value: u64) -> u8 {
    u8::try_from(value & 0xff).unwrap_or(0)
}

/// Address spaces of the domains in use get different stamps where the numbers allow it.
fn space_number(tag: Tag) -> u64 {
    u64::from(tag.space) ^ u64::from(tag.domain).wrapping_mul(0x9e37_79b1)
}

fn mask(log2size: u8) -> u64 {
    size_bit(log2size).wrapping_sub(1)
}

fn size_bit(log2size: u8) -> u64 {
    1u64.wrapping_shl(u32::from(log2size))
}

fn has(sizes: u64, log2size: u8) -> bool {
    sizes & size_bit(log2size) != 0
}

/// The numbers of the bits that are set, ascending.
fn bits(mut set: u64) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let lowest = (set != 0).then(|| byte(u64::from(set.trailing_zeros())))?;
        set &= set.wrapping_sub(1);
        Some(lowest)
    })
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_tests;
