// SPDX-License-Identifier: GPL-2.0-or-later
//! Random histories with a cache outside, as vhost has one: it asks without PASID, keeps what it is told for as long as no
//! notice takes it, and is never behind the tables once a wait descriptor has completed.

use proptest::prelude::*;

use super::*;
use crate::iommu::narrow::ones;
use crate::vtd::testing::{
    Function, READ, SID, Tables, TestGuest, pasid_first, pasid_nested, pasid_second, request, ss_rw, user_rw,
};

const DOMAIN: u64 = 7;
const PAGES: u64 = 6;

/// How requests without PASID are translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    First,
    Second,
    Nested,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The cache asks for a page.
    Use(u64, u64),
    /// A page of the first stage leads elsewhere, or nowhere, and is invalidated in one of the ways that there are.
    First(u64, Option<u64>, u8),
    /// The same of the second stage.
    Second(u64, Option<u64>, u8),
    /// Requests are translated in another way.
    Bind(Kind),
}

/// Input addresses: large pages, and small ones.
fn address(page: u64) -> (u64, u32) {
    match page {
        0 => (0x4000_0000, 21),
        1 => (0x5000_0000, 21),
        // Requests for some of these addresses are interrupts.
        2 => (0xc000_0000, 30),
        n => (0x1000_0000 + (n << 12), 12),
    }
}

/// Where pages of the first stage lead: input addresses of the second one.
fn intermediate(page: u64, to: u64) -> u64 {
    0x100_0000_0000 + (page << 34) + (to << 30)
}

fn output(page: u64, to: u64) -> u64 {
    // Half of this page are interrupts.
    if (page, to) == (1, 0) { 0xfee0_0000 } else { 0x200_0000_0000 + (page << 34) + (to << 31) }
}

fn steps() -> impl Strategy<Value = Step> {
    let to = || prop::option::weighted(0.8, 0..3u64);
    let kinds = prop::sample::select(vec![Kind::First, Kind::Second, Kind::Nested]);
    prop_oneof![
        8 => (0..PAGES, 0..0x4000_0000u64).prop_map(|(page, offset)| Step::Use(page, offset)),
        4 => (0..PAGES, to(), any::<u8>()).prop_map(|(page, to, how)| Step::First(page, to, how)),
        4 => (0..PAGES, to(), any::<u8>()).prop_map(|(page, to, how)| Step::Second(page, to, how)),
        1 => kinds.prop_map(Step::Bind),
    ]
}

/// What the cache keeps: input address, output address, size minus one.
type Kept = (u64, u64, u64);

struct World {
    guest: TestGuest,
    function: Function,
    first: Tables,
    second: Tables,
    kind: Kind,
    vtd: Vtd,
    tail: u64,
    waits: u32,
    kept: Vec<Kept>,
    /// A unit that remembers nothing from one check to the next.
    fresh: Translator,
}

impl World {
    fn new(kind: Kind, adversarial: bool) -> Self {
        let guest = TestGuest::new();
        let function = guest.function(SID);
        let (first, second) = (guest.first_stage(4), guest.second_stage(4));
        // Tables are found one to one.
        guest.map(&second, 0, 0, 30, ss_rw());
        let vtd = Vtd::new(Features { adversarial, ..Features::default() }, 256);
        let fresh = Translator::new(Features::default(), 64);
        let (tail, waits, kept) = (0, 0, Vec::new());
        let world = Self { guest, function, first, second, kind, vtd, tail, waits, kept, fresh };
        world.bind();
        let mem = &world.guest.mem;
        let root = world.guest.scalable_root().rtaddr;
        for (at, value) in [(reg::RTADDR, root), (reg::IQA, QUEUE | 0x800)] {
            world.vtd.mmio_write(mem, at, value, 8);
        }
        for command in [1 << 30, 1 << 26, 1 << 31 | 1 << 26] {
            world.vtd.mmio_write(mem, reg::GCMD, command, 4);
        }
        world
    }

    fn bind(&self) {
        let entry = match self.kind {
            Kind::First => pasid_first(&self.first, DOMAIN as u16),
            Kind::Second => pasid_second(&self.second, DOMAIN as u16),
            Kind::Nested => pasid_nested(&self.first, &self.second, DOMAIN as u16),
        };
        self.guest.set_pasid(self.function, 0, &entry);
    }

    /// Submits a descriptor and waits until it is done. The cache obeys notices as they come.
    fn invalidate(&mut self, descriptor: [u64; 4]) {
        self.waits += 1;
        for words in [descriptor, wait(self.waits)] {
            self.guest.mem.put_all(QUEUE + self.tail, &words);
            self.tail = (self.tail + 32) % 4096;
        }
        let mut effects = self.vtd.mmio_write(&self.guest.mem, reg::IQT, self.tail, 8).0;
        while self.vtd.needs_run() {
            effects.append(&mut self.vtd.run_pending(&self.guest.mem).0);
        }
        assert_eq!(effects.last(), Some(&status(self.waits)), "{effects:?}");
        for effect in effects {
            if let Effect::UnmapNotify { addr, mask, .. } = effect {
                let (first, last) = (addr, addr.saturating_add(mask));
                self.kept.retain(|(from, _, size)| *from > last || from | size < first);
            }
        }
    }

    fn change(&mut self, second: bool, page: u64, to: Option<u64>, how: u8) {
        let (input, shift) = address(page);
        let tables = if second { self.second } else { self.first };
        // All places where the first stage may lead have pages of their own in the second one.
        let inputs: Vec<u64> = match (second, self.kind) {
            (false, _) | (true, Kind::Second) => vec![input],
            (true, _) => (0..3).map(|to| intermediate(page, to)).collect(),
        };
        let flags = if second { ss_rw() } else { user_rw() };
        for input in &inputs {
            let at = self.guest.entry(&tables, *input, shift);
            let target = to.map(|to| {
                if second || self.kind == Kind::First { output(page, to) } else { intermediate(page, to) }
            });
            let large = if shift > 12 { 1 << 7 } else { 0 };
            self.guest.mem.put(at, target.map_or(0, |target| target | flags | large));
        }
        let mask = u64::from(shift - 12);
        match how % 5 {
            0 => self.invalidate([1 << 4 | 2, 0, 0, 0]),
            1 => self.invalidate([DOMAIN << 16 | 2 << 4 | 2, 0, 0, 0]),
            // One address of a page is enough.
            2 | 3 if second => {
                for input in inputs {
                    let anywhere = input | u64::from(how) << 12 & ones(shift);
                    self.invalidate([DOMAIN << 16 | 3 << 4 | 2, anywhere & !0xfff, 0, 0]);
                }
            }
            _ if second => {
                for input in inputs {
                    self.invalidate([DOMAIN << 16 | 3 << 4 | 2, input | mask, 0, 0]);
                }
            }
            2 => self.invalidate([DOMAIN << 16 | 2 << 4 | 6, 0, 0, 0]),
            3 => self.invalidate([DOMAIN << 16 | 3 << 4 | 6, input | 1 << 6 | mask, 0, 0]),
            _ => self.invalidate([DOMAIN << 16 | 3 << 4 | 6, input | mask, 0, 0]),
        }
    }

    fn ask(&self, addr: u64) -> Option<Translation> {
        match self.vtd.translate(&self.guest.mem, &request(None, addr, READ), true).0 {
            Outcome::Translated { translation, epoch } => {
                let _ = self.vtd.end(epoch);
                Some(translation)
            }
            _ => None,
        }
    }

    /// A unit without any memory says the same of everything that is kept, at its first and its last address.
    fn check(&self) {
        let root = self.guest.scalable_root();
        self.fresh.reset();
        for (from, to, size) in &self.kept {
            for offset in [0, *size] {
                let req = request(None, from + offset, READ);
                let now = self.fresh.translate(&self.guest.mem, &root, &req).map(|found| found.addr);
                assert_eq!(now.ok(), Some(to + offset), "{from:#x} {size:#x} of {:?}", self.kind);
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Use(page, offset) => {
                let (input, shift) = address(page);
                let addr = input + (offset & ones(shift));
                if let Some(found) = self.ask(addr) {
                    let mask = found.page_mask;
                    self.kept.push((addr & !mask, found.addr & !mask, mask));
                }
            }
            Step::First(page, to, how) => self.change(false, page, to, how),
            Step::Second(page, to, how) => self.change(true, page, to, how),
            Step::Bind(kind) => {
                self.kind = kind;
                self.bind();
                // PASID cache and IOTLB of the domain, as software does it.
                self.invalidate([DOMAIN << 16 | 7, 0, 0, 0]);
                self.invalidate([DOMAIN << 16 | 2 << 4 | 2, 0, 0, 0]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cache_outside_is_never_behind(
        kind in prop::sample::select(vec![Kind::First, Kind::Second, Kind::Nested]),
        steps in prop::collection::vec(steps(), 1..60),
        adversarial: bool,
    ) {
        let mut world = World::new(kind, adversarial);
        // Something to begin with.
        for page in 0..PAGES {
            world.change(true, page, Some(page % 3), 1);
            world.change(false, page, Some(page % 3), 1);
        }
        for step in steps {
            world.step(step);
            world.check();
        }
        prop_assert_eq!(world.vtd.epochs.in_flight(), 0);
    }
}
