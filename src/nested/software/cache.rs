// SPDX-License-Identifier: GPL-2.0-or-later
//! What an IOMMU may keep of first-stage tables, without bounds: pages, and descriptors that point to tables.
//!
//! Nothing leaves for want of room or with time, so that a forgotten invalidation always shows.

use core::cell::RefCell;

use crate::iommu::narrow::ones;

/// Whose translations they are: an ASID, or a binding.
pub(super) type Tag = u32;

/// A page or block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub tag: Tag,
    /// It holds for every tag.
    pub global: bool,
    /// First input address.
    pub base: u64,
    pub log2size: u8,
    pub level: u8,
    pub granule_log2: u8,
    /// Guest-physical address of its first byte.
    pub output: u64,
    /// As the architecture's walk has them.
    pub perms: u16,
}

/// A descriptor that points to a table.
#[derive(Clone, Copy, Debug)]
struct Table {
    tag: Tag,
    shift: u32,
    base: u64,
    granule_log2: u8,
    descriptor: u64,
}

/// What an invalidation by address names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub first: u64,
    pub last: u64,
    /// Pages of another granule need not go, and therefore stay.
    pub granule_log2: Option<u8>,
    /// Pages of another level likewise.
    pub level: Option<u8>,
    /// Pointers to tables likewise.
    pub leaf: bool,
}

impl Span {
    fn covers(&self, base: u64, log2size: u32, granule_log2: u8) -> bool {
        base <= self.last
            && self.first <= base | ones(log2size)
            && self.granule_log2.is_none_or(|g| g == granule_log2)
    }
}

/// The cache of one IOMMU.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pages: Vec<Page>,
    /// Walks read and write it.
    tables: RefCell<Vec<Table>>,
}

impl Cache {
    /// The page that holds an address.
    pub fn page(&self, tag: Tag, addr: u64) -> Option<Page> {
        let holds = |p: &&Page| (p.global || p.tag == tag) && addr & !ones(p.log2size.into()) == p.base;
        self.pages.iter().find(holds).copied()
    }

    /// Keeps a page, in place of an older one for the same addresses.
    pub fn insert(&mut self, page: Page) {
        self.pages.retain(|p| (p.tag, p.base, p.log2size) != (page.tag, page.base, page.log2size));
        self.pages.push(page);
    }

    /// The pointers to tables of one tag.
    pub fn tables(&self, tag: Tag, granule_log2: u8) -> Tables<'_> {
        Tables { cache: self, tag, granule_log2 }
    }

    /// Forgets everything.
    pub fn forget_all(&mut self) {
        self.pages.clear();
        self.tables.get_mut().clear();
    }

    /// Forgets what has the tag, but for what is global.
    pub fn forget_tag(&mut self, tag: Tag) {
        self.pages.retain(|p| p.global || p.tag != tag);
        self.tables.get_mut().retain(|t| t.tag != tag);
    }

    /// Forgets a range of one tag, or of all; what is global in any case.
    pub fn forget_span(&mut self, tag: Option<Tag>, span: &Span) {
        self.pages.retain(|p| {
            !(span.covers(p.base, p.log2size.into(), p.granule_log2)
                && span.level.is_none_or(|level| level == p.level)
                && (p.global || tag.is_none_or(|tag| tag == p.tag)))
        });
        if !span.leaf {
            self.tables.get_mut().retain(|t| {
                !(span.covers(t.base, t.shift, t.granule_log2) && tag.is_none_or(|tag| tag == t.tag))
            });
        }
    }

    /// How many pages are kept.
    pub fn len(&self) -> usize {
        self.pages.len()
    }
}

/// The pointers to tables, as one walk uses them.
pub(super) struct Tables<'a> {
    cache: &'a Cache,
    tag: Tag,
    granule_log2: u8,
}

impl Tables<'_> {
    /// The descriptor by which `input` reaches the table below those of `1 << shift` bytes.
    pub fn find(&self, shift: u32, input: u64) -> Option<u64> {
        let tables = self.cache.tables.try_borrow().ok()?;
        let base = input & !ones(shift);
        tables.iter().find(|t| (t.tag, t.shift, t.base) == (self.tag, shift, base)).map(|t| t.descriptor)
    }

    /// That descriptor was used.
    pub fn keep(&self, shift: u32, input: u64, descriptor: u64) {
        let Ok(mut tables) = self.cache.tables.try_borrow_mut() else { return };
        let base = input & !ones(shift);
        tables.retain(|t| (t.tag, t.shift, t.base) != (self.tag, shift, base));
        tables.push(Table { tag: self.tag, shift, base, granule_log2: self.granule_log2, descriptor });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(tag: Tag, base: u64, global: bool) -> Page {
        Page { tag, global, base, log2size: 12, level: 3, granule_log2: 12, output: base, perms: 0 }
    }

    fn span(first: u64, last: u64) -> Span {
        Span { first, last, granule_log2: None, level: None, leaf: false }
    }

    fn cache() -> Cache {
        let mut cache = Cache::default();
        for tag in [1, 2] {
            cache.insert(page(tag, 0x1000, false));
            cache.insert(page(tag, 0x2000, false));
        }
        cache.insert(page(1, 0x9000, true));
        cache.tables(1, 12).keep(21, 0x1234, 0x77);
        cache
    }

    #[test]
    fn what_is_named_goes_and_nothing_else() {
        let mut c = cache();
        c.forget_span(Some(1), &span(0x1fff, 0x1fff));
        assert!(c.page(1, 0x1008).is_none() && c.page(1, 0x2000).is_some() && c.page(2, 0x1000).is_some());
        assert!(c.tables(1, 12).find(21, 0).is_none());

        let mut c = cache();
        c.forget_span(None, &Span { leaf: true, ..span(0, 0x1000) });
        assert!(c.page(1, 0x1000).is_none() && c.page(2, 0x1000).is_none() && c.page(2, 0x2000).is_some());
        assert_eq!(c.tables(1, 12).find(21, 0x1f_ffff), Some(0x77));

        let mut c = cache();
        c.forget_span(Some(2), &span(0, u64::MAX));
        assert!(c.page(2, 0x9000).is_none(), "global pages go with any tag");
        assert!(c.page(1, 0x1000).is_some());

        let mut c = cache();
        c.forget_tag(1);
        assert!(c.page(1, 0x1000).is_none() && c.page(2, 0x9000).is_some() && c.page(2, 0x1000).is_some());

        let mut c = cache();
        for other in [
            Span { level: Some(2), ..span(0, u64::MAX) },
            Span { granule_log2: Some(16), ..span(0, u64::MAX) },
        ] {
            c.forget_span(None, &Span { leaf: true, ..other });
        }
        assert_eq!(c.len(), 5, "of another level or granule");
        c.forget_all();
        assert_eq!((c.len(), c.tables(1, 12).find(21, 0)), (0, None));
    }

    #[test]
    fn a_page_takes_its_own_place() {
        let mut c = cache();
        c.insert(Page { output: 0x5000, ..page(1, 0x1000, false) });
        assert_eq!((c.len(), c.page(1, 0x1abc).map(|p| p.output)), (5, Some(0x5000)));
    }
}
