// SPDX-License-Identifier: GPL-2.0-or-later
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use proptest::prelude::*;

use super::*;

const A: Tag = Tag { domain: 0, space: 1 };
const B: Tag = Tag { domain: 0, space: 2 };

struct Rig {
    iotlb: Iotlb,
    sequence: Sequence,
}

impl Rig {
    fn new(exact: bool) -> Self {
        Self { iotlb: Iotlb::new(4096, exact), sequence: Sequence::new() }
    }

    fn put(&self, tag: Tag, page: &CachedPage) {
        assert!(self.iotlb.insert(&self.sequence, self.sequence.now(), tag, page));
    }

    fn get(&self, tag: Tag, addr: u64) -> Option<CachedPage> {
        self.iotlb.lookup(self.sequence.now(), tag, addr)
    }

    fn hits(&self, tag: Tag, addr: u64) -> bool {
        self.get(tag, addr).is_some()
    }
}

fn page(input: u64, log2size: u8) -> CachedPage {
    CachedPage { input, output: input ^ 0x7_0000_0000, log2size, global: false, kind: 3, attributes: 0xabcd }
}

fn global(input: u64) -> CachedPage {
    CachedPage { global: true, ..page(input, 12) }
}

/// A small generator, so that access patterns are the same in every run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_page_comes_back_as_it_went_in() {
    let rig = Rig::new(false);
    for (n, log2size) in [12u8, 14, 16, 21, 25, 29, 30, 39, 42, 63].into_iter().enumerate() {
        let all = CachedPage {
            input: 1 << log2size,
            output: 0x000f_ffff_ffff_f000,
            log2size,
            global: n % 2 == 0,
            kind: n as u8,
            attributes: u32::MAX,
        };
        rig.put(A, &all);
        assert_eq!(rig.get(A, 1 << log2size), Some(all));
        assert_eq!(rig.get(A, (1 << log2size) | mask(log2size)), Some(all));
        assert_eq!(rig.get(Tag { domain: 1, space: 1 }, 1 << log2size), None);
        rig.iotlb.invalidate_all(rig.sequence.advance());
        assert_eq!(rig.get(A, 1 << log2size), None);
    }
}

#[test]
fn nonsense_is_not_entered() {
    let rig = Rig::new(false);
    for bad in [page(0, 11), page(0, 64), page(0, 255), CachedPage { kind: 16, ..page(0, 12) }] {
        assert!(!rig.iotlb.insert(&rig.sequence, rig.sequence.now(), A, &bad));
    }
}

#[test]
fn a_ring_of_512_pages_always_hits() {
    let rig = Rig::new(false);
    for round in 0..3 {
        for n in 0..512u64 {
            let addr = 0xffff_1234_5000 + n * 4096;
            match rig.hits(A, addr) {
                false if round == 0 => rig.put(A, &page(addr, 12)),
                hit => assert!(hit, "round {round}, page {n}"),
            }
        }
    }
}

#[test]
fn two_rings_of_1024_pages_fit_as_well() {
    let rig = Rig::new(false);
    let addr = |n: u64| 0x1_0000_0000 + n * 4096;
    for tag in [A, B] {
        (0..1024).for_each(|n| rig.put(tag, &page(addr(n), 12)));
    }
    assert!((0..1024).all(|n| rig.hits(A, addr(n)) && rig.hits(B, addr(n))));
}

#[test]
fn a_thousand_random_pages_hit_99_in_100() {
    let rig = Rig::new(false);
    let mut state = 0x1234_5678_9abc_def1;
    let pages: Vec<u64> = (0..1024).map(|_| random(&mut state) & 0xffff_ffff_f000).collect();
    pages.iter().for_each(|addr| rig.put(A, &page(*addr, 12)));
    let mut hits = 0;
    for _ in 0..100_000 {
        let addr = pages[(random(&mut state) % 1024) as usize];
        match rig.hits(A, addr) {
            true => hits += 1,
            false => rig.put(A, &page(addr, 12)),
        }
    }
    assert!(hits > 99_000, "{hits} of 100000");
}

#[test]
fn a_working_set_larger_than_the_iotlb_loses_only_its_share() {
    let rig = Rig::new(false);
    let mut state = 77;
    let mut hits = 0;
    for _ in 0..200_000 {
        let addr = (random(&mut state) % 8192) << 12;
        match rig.hits(A, addr) {
            true => hits += 1,
            false => rig.put(A, &page(addr, 12)),
        }
    }
    assert!(hits > 80_000, "{hits} of 200000: half of the pages fit");
}

#[test]
fn a_fresh_address_space_does_not_evict_one_in_use() {
    let rig = Rig::new(false);
    (0..512).for_each(|n| rig.put(A, &page(n << 12, 12)));
    for n in 0..100_000u64 {
        let _ = rig.hits(A, (n % 512) << 12);
        rig.put(B, &page((n + 1000) << 12, 12));
    }
    let left = (0..512).filter(|n| rig.hits(A, n << 12)).count();
    assert!(left > 500, "{left} of 512");
}

#[test]
fn invalidating_an_address_space_is_one_store() {
    let rig = Rig::new(false);
    (0..4096).for_each(|n| rig.put(A, &page(n << 12, 12)));
    let start = Instant::now();
    for _ in 0..10_000 {
        rig.iotlb.invalidate_space(rig.sequence.advance(), A);
    }
    // That many scans of the table take a second and more; the bound leaves room for a busy machine.
    assert!(start.elapsed().as_millis() < 200, "{:?}", start.elapsed());
    assert!((0..4096).all(|n| !rig.hits(A, n << 12)));
}

#[test]
fn address_spaces_and_domains_are_separate() {
    for exact in [false, true] {
        let rig = Rig::new(exact);
        let other = Tag { domain: 7, space: 1 };
        for tag in [A, B, other] {
            rig.put(tag, &page(0x1000, 12));
        }
        rig.put(A, &global(0x9000));
        rig.iotlb.invalidate_space(rig.sequence.advance(), A);
        assert_eq!([A, B, other].map(|tag| rig.hits(tag, 0x1000)), [false, true, true]);
        assert!(rig.hits(A, 0x9000) && rig.hits(B, 0x9000) && !rig.hits(other, 0x9000));
        rig.iotlb.invalidate_domain(rig.sequence.advance(), 0);
        assert_eq!([A, B, other].map(|tag| rig.hits(tag, 0x1000)), [false, false, true]);
        assert!(!rig.hits(B, 0x9000));
        rig.iotlb.invalidate_all(rig.sequence.advance());
        assert!(!rig.hits(other, 0x1000));
    }
}

#[test]
fn one_page_of_one_address_space() {
    for exact in [false, true] {
        let rig = Rig::new(exact);
        for tag in [A, B] {
            [0x1000, 0x2000, 0x3000].into_iter().for_each(|addr| rig.put(tag, &page(addr, 12)));
        }
        rig.put(A, &global(0x8000));
        rig.put(A, &page(0x20_0000, 21));
        let span = |addr| Span::new(addr, addr | 0xfff);
        rig.iotlb.invalidate_span(rig.sequence.advance(), 0, Some(1), &span(0x2000));
        assert_eq!([0x1000, 0x2000, 0x3000].map(|addr| rig.hits(A, addr)), [true, false, true]);
        assert_eq!([0x1000, 0x2000, 0x3000].map(|addr| rig.hits(B, addr)), [true, true, true]);
        // A block goes with any page of it, a global page with any address space's.
        rig.iotlb.invalidate_span(rig.sequence.advance(), 0, Some(1), &span(0x23_4000));
        assert!(!rig.hits(A, 0x20_0000));
        rig.iotlb.invalidate_span(rig.sequence.advance(), 0, Some(99), &span(0x8000));
        assert!(!rig.hits(A, 0x8000) && rig.hits(A, 0x1000));
    }
}

#[test]
fn every_address_space_at_once() {
    for exact in [false, true] {
        let rig = Rig::new(exact);
        let other = Tag { domain: 7, space: 1 };
        for tag in [A, B, other] {
            rig.put(tag, &page(0x1000, 12));
            rig.put(tag, &page(0x5000, 12));
        }
        rig.iotlb.invalidate_span(rig.sequence.advance(), 0, None, &Span::new(0x1000, 0x1fff));
        assert_eq!([A, B, other].map(|tag| rig.hits(tag, 0x1000)), [false, false, true]);
        assert_eq!([A, B, other].map(|tag| rig.hits(tag, 0x5000)), [exact, exact, true]);
    }
}

#[test]
fn a_small_range_spares_its_neighbours_even_when_not_exact() {
    let rig = Rig::new(false);
    (0..1024).for_each(|n| rig.put(A, &page(n << 12, 12)));
    rig.iotlb.invalidate_span(rig.sequence.advance(), 0, Some(1), &Span::new(100 << 12, (356 << 12) - 1));
    assert!((0..1024).all(|n| rig.hits(A, n << 12) != (100..356).contains(&n)));
}

#[test]
fn a_large_range_takes_all_of_it_and_if_exact_nothing_else() {
    let far = 1u64 << 40;
    for (exact, all) in [(false, false), (true, false), (false, true), (true, true)] {
        let rig = Rig::new(exact);
        let (first, last) = if all { (0, u64::MAX) } else { (0, far - 1) };
        (0..1024).for_each(|n| rig.put(A, &page(n << 21, 12)));
        rig.put(A, &page(far, 12));
        rig.put(B, &page(0x1000, 12));
        rig.put(A, &global(0x7000));
        rig.put(A, &global(far + 0x7000));
        rig.iotlb.invalidate_span(rig.sequence.advance(), 0, Some(1), &Span::new(first, last));
        assert!((0..1024).all(|n| !rig.hits(A, n << 21)) && !rig.hits(A, 0x7000));
        assert!(rig.hits(B, 0x1000));
        assert_eq!(rig.hits(A, far), exact && !all);
        assert_eq!(rig.hits(A, far + 0x7000), exact && !all);
    }
}

#[test]
fn a_hint_of_the_kind_spares_other_kinds() {
    let rig = Rig::new(true);
    rig.put(A, &page(0x1000, 12));
    rig.put(A, &CachedPage { kind: 5, ..page(0x1000, 16) });
    let span = Span { kinds: 1 << 3, ..Span::new(0x1000, 0x1fff) };
    rig.iotlb.invalidate_span(rig.sequence.advance(), 0, Some(1), &span);
    assert_eq!(rig.get(A, 0x1000).map(|p| p.log2size), Some(16));
}

#[test]
fn what_is_newer_than_the_translation_is_not_found() {
    let rig = Rig::new(false);
    let before = rig.sequence.now();
    rig.iotlb.invalidate_space(rig.sequence.advance(), A);
    rig.put(A, &page(0x1000, 12));
    assert_eq!(rig.iotlb.lookup(before, A, 0x1000), None);
    assert!(rig.hits(A, 0x1000));
}

/// One guest page per slot: 4 KiB pages of two address spaces and two domains, blocks, and global pages.
fn slot(n: u8) -> (Tag, CachedPage) {
    let domain = u32::from(n >> 5 & 1);
    let space = 1 + u32::from(n >> 4 & 1);
    let number = u64::from(n & 3);
    let page = match n >> 2 & 3 {
        0 => page(0x40_0000 + (number << 12), 12),
        1 => page(0x1000_0000 + (number << 21), 21),
        2 => CachedPage { kind: 7, ..page(0x80_0000 + (number << 16), 16) },
        _ => global(0xc0_0000 + (number << 12)),
    };
    (Tag { domain, space }, page)
}

/// What a cache without capacity limit, invalidated to the letter, would hold.
#[derive(Default)]
struct Ideal(HashMap<(u32, Option<u32>, u64), CachedPage>);

impl Ideal {
    fn key(tag: Tag, page: &CachedPage) -> (u32, Option<u32>, u64) {
        (tag.domain, (!page.global).then_some(tag.space), page.input)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Change(u8),
    Use(u8),
    All,
    Domain(u32),
    Space(Tag),
    Span(u32, Option<u32>, Span),
}

fn step() -> impl Strategy<Value = Step> {
    let tag = (0..2u32, 1..3u32).prop_map(|(domain, space)| Tag { domain, space });
    let kinds = prop_oneof![4 => Just(u16::MAX), 1 => Just(1u16 << 3), 1 => Just(1u16 << 7)];
    let span = (0..64u8, 0..64u8, kinds, prop_oneof![4 => Just(0u64), 1 => Just(0x1_0000_0000)]).prop_map(
        |(from, to, kinds, extra)| {
            let (a, b) = (slot(from).1.input, slot(to).1.input);
            Span { kinds, ..Span::new(a.min(b), (a.max(b) | 0xfff) + extra) }
        },
    );
    prop_oneof![
        20 => (0..64u8).prop_map(Step::Use),
        6 => (0..64u8).prop_map(Step::Change),
        1 => Just(Step::All),
        1 => (0..2u32).prop_map(Step::Domain),
        2 => tag.prop_map(Step::Space),
        4 => (0..2u32, prop_oneof![4 => (1..3u32).prop_map(Some), 1 => Just(None)], span)
            .prop_map(|(domain, space, span)| Step::Span(domain, space, span)),
    ]
}

fn run(exact: bool, steps: &[Step]) {
    let rig = Rig::new(exact);
    let mut ideal = Ideal::default();
    let mut tables: HashMap<(u32, Option<u32>, u64), u32> = HashMap::new();
    for (n, step) in steps.iter().enumerate() {
        let held = &mut ideal.0;
        match step {
            Step::Change(s) => {
                let (tag, page) = slot(*s);
                tables.insert(Ideal::key(tag, &page), n as u32);
            }
            Step::Use(s) => {
                let (tag, page) = slot(*s);
                let key = Ideal::key(tag, &page);
                let now = CachedPage { attributes: tables.get(&key).copied().unwrap_or(u32::MAX), ..page };
                let expected = held.get(&key).copied();
                match rig.get(tag, page.input) {
                    Some(cached) => assert_eq!(Some(cached), expected, "step {n}"),
                    None => {
                        assert!(!exact || expected.is_none(), "step {n} misses");
                        rig.put(tag, &now);
                        held.insert(key, now);
                    }
                }
            }
            Step::All => {
                rig.iotlb.invalidate_all(rig.sequence.advance());
                held.clear();
            }
            Step::Domain(domain) => {
                rig.iotlb.invalidate_domain(rig.sequence.advance(), *domain);
                held.retain(|key, _| key.0 != *domain);
            }
            Step::Space(tag) => {
                rig.iotlb.invalidate_space(rig.sequence.advance(), *tag);
                held.retain(|key, _| key.0 != tag.domain || key.1 != Some(tag.space));
            }
            Step::Span(domain, space, span) => {
                rig.iotlb.invalidate_span(rig.sequence.advance(), *domain, *space, span);
                held.retain(|key, page| {
                    let other_space = key.1.is_some() && space.is_some() && key.1 != *space;
                    let apart = page.input > span.last || page.input + mask(page.log2size) < span.first;
                    key.0 != *domain || other_space || apart || !span.takes_kind(page.kind)
                });
            }
        }
    }
}

proptest! {
    #[test]
    fn an_exact_iotlb_is_the_ideal_one(steps in prop::collection::vec(step(), 1..200)) {
        run(true, &steps);
    }

    #[test]
    fn an_iotlb_never_holds_more_than_the_ideal_one(steps in prop::collection::vec(step(), 1..200)) {
        run(false, &steps);
    }
}

/// Every page's translation is a number that grows. A device must never see a smaller one than that whose
/// invalidation was complete before it asked, nor one that was never there.
#[test]
fn threads_never_see_what_was_invalidated_before_they_asked() {
    const PAGES: u64 = 64;
    let rig = Rig { iotlb: Iotlb::new(32, false), sequence: Sequence::new() };
    let words = || (0..PAGES).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
    let (tables, complete) = (words(), words());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 1..4 {
            let (rig, tables, complete, done) = (&rig, &tables, &complete, &done);
            scope.spawn(move || {
                let mut state = seed;
                while !done.load(Ordering::Relaxed) {
                    let n = random(&mut state) % PAGES;
                    let tag = if n % 2 == 0 { A } else { B };
                    let floor = complete[n as usize].load(Ordering::Acquire);
                    let now = rig.sequence.now();
                    let value = rig.iotlb.lookup(now, tag, n << 12).map(|p| {
                        assert_eq!(u64::from(p.attributes), p.output >> 12, "torn");
                        p.output >> 12
                    });
                    let value = value.unwrap_or_else(|| {
                        let value = tables[n as usize].load(Ordering::Relaxed);
                        let found = CachedPage {
                            output: value << 12,
                            attributes: value as u32,
                            global: n % 8 == 0,
                            ..page(n << 12, 12)
                        };
                        let _ = rig.iotlb.insert(&rig.sequence, now, tag, &found);
                        value
                    });
                    assert!(value >= floor, "page {n}: {value} after the invalidation of {floor}");
                }
            });
        }
        let mut state = 99;
        for value in 1..30_000u64 {
            let n = random(&mut state) % PAGES;
            let tag = if n % 2 == 0 { A } else { B };
            tables[n as usize].store(value, Ordering::Relaxed);
            let at = rig.sequence.advance();
            match random(&mut state) % 8 {
                0 if n % 8 != 0 => rig.iotlb.invalidate_space(at, tag),
                1 => rig.iotlb.invalidate_domain(at, 0),
                2 => rig.iotlb.invalidate_all(at),
                3 => rig.iotlb.invalidate_span(
                    at,
                    0,
                    Some(tag.space),
                    &Span::new(n << 12, (n << 12) + (8 << 20)),
                ),
                _ => rig.iotlb.invalidate_span(at, 0, Some(tag.space), &Span::new(n << 12, n << 12 | 0xfff)),
            }
            complete[n as usize].store(value, Ordering::Release);
        }
        done.store(true, Ordering::Relaxed);
    });
}
