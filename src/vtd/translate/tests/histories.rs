// SPDX-License-Identifier: GPL-2.0-or-later
//! Random histories of a guest, against translation without caches.

use proptest::prelude::*;

use super::*;
use crate::iommu::testing::histories::{Leaf, PAGES, Use, address, is_large, leaf, target, uses};
use crate::vtd::spec::context::ScalableContext0;

const PASIDS: u32 = 4;
/// PASIDs 0 and 1 are of first stages, 2 of a second stage, 3 nested on that.
const SECOND: u32 = 2;
const NESTED_PASID: u32 = 3;

/// Translation that caches nothing.
fn uncached(rig: &Rig, req: &DmaRequest) -> Result<Translation, Fault> {
    let f = rig.unit.features();
    let mem = &rig.guest.mem;
    let context = config::lookup(mem, f, &rig.root, req, RequestKind::Untranslated)?;
    if let Some(reason) = context.refuses(req.access) {
        return Err(context.fault(reason, req));
    }
    if context.action() == Action::PassThrough {
        return rig.unit.pass_through(req, &context);
    }
    let page = walk::walk(mem, &(), f, &context, req).0?;
    Ok(translation(req, &context, &page))
}

/// Answers are alike, but for a write permission that waits for a dirty flag.
fn alike(cached: &Result<Translation, Fault>, other: &Result<Translation, Fault>) -> bool {
    match (cached, other) {
        (Ok(cached), Ok(other)) => {
            (cached.addr, cached.page_mask) == (other.addr, other.page_mask)
                && (cached.perm.read, cached.perm.exec) == (other.perm.read, other.perm.exec)
        }
        (cached, other) => cached == other,
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A page of a first stage (0 or 1, or 3: the nested one) changes.
    Page(u32, u64, Leaf),
    /// A page of the second stage changes.
    Second(u64, Leaf),
    /// A PASID is bound anew, or goes.
    Bind(u32, bool),
    /// A device reads or writes, or asks whether it may.
    Use(Use, RequestKind),
    /// Device-TLBs, PASIDs and page requests of the function are switched on or off.
    Switch(bool, bool, bool),
    /// An invalidation that nobody needs.
    Idle(Invalidation),
}

fn invalidation() -> impl Strategy<Value = Invalidation> {
    prop_oneof![
        Just(Invalidation::ContextGlobal),
        Just(Invalidation::PasidGlobal),
        (0..PASIDS).prop_map(|pasid| Invalidation::Pasid { did: did(pasid), pasid }),
        (0..PASIDS).prop_map(|pasid| Invalidation::IotlbDomain { did: did(pasid) }),
        (0..PASIDS, 0..PAGES).prop_map(|(pasid, page)| pages(did(pasid), pasid, address(page), 0)),
        (0..PAGES).prop_map(|page| second_pages(did(SECOND), address(page), 0)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let first = prop::sample::select(vec![0, 1, NESTED_PASID]);
    let kinds = prop_oneof![
        4 => Just(RequestKind::Untranslated),
        3 => Just(RequestKind::Translation),
        1 => Just(RequestKind::Translated),
        1 => Just(RequestKind::Page),
    ];
    prop_oneof![
        30 => (uses(0..PASIDS), kinds).prop_map(|(of, kind)| Step::Use(of, kind)),
        2 => prop::array::uniform3(prop::bool::weighted(0.7)).prop_map(|[dte, paside, pre]| Step::Switch(dte, paside, pre)),
        10 => (first, 0..PAGES, leaf()).prop_map(|(pasid, page, leaf)| Step::Page(pasid, page, leaf)),
        5 => (0..PAGES, leaf()).prop_map(|(page, leaf)| Step::Second(page, leaf)),
        3 => (0..PASIDS, prop::bool::weighted(0.8)).prop_map(|(pasid, there)| Step::Bind(pasid, there)),
        2 => invalidation().prop_map(Step::Idle),
    ]
}

/// What a unit may do without, each by itself or with others.
fn features() -> impl Strategy<Value = Features> {
    let off: [fn(&mut Features); 16] = [
        |f| f.first_stage = false,
        |f| f.second_stage = false,
        |f| f.nested = false,
        |f| f.pasid_bits = 0,
        |f| f.device_tlb = false,
        |f| f.page_requests = false,
        |f| f.supervisor_requests = false,
        |f| f.execute_requests = false,
        |f| f.no_write = false,
        |f| f.extended_accessed = false,
        |f| f.second_stage_dirty = false,
        |f| f.rid_pasid = false,
        |f| f.rid_priv = false,
        |f| f.coherent = false,
        |f| f.snoop_control = false,
        |f| f.aw_bits = 39,
    ];
    let some = prop_oneof![
        3 => Just(Vec::new()),
        4 => prop::sample::subsequence(off.to_vec(), 1),
        2 => prop::sample::subsequence(off.to_vec(), 0..5),
    ];
    some.prop_map(|some| {
        let mut f = Features::default();
        for off in some {
            off(&mut f);
        }
        // A unit has one stage at least.
        f.second_stage |= !f.first_stage;
        f.consistent()
    })
}

/// PASIDs 0 and 1 have a domain each; the second stage and what is nested on it share one.
fn did(pasid: u32) -> u16 {
    [5, 6, 7, 7][pasid as usize]
}

fn shift(page: u64) -> u32 {
    if is_large(page) { 21 } else { 12 }
}

struct World {
    rig: Rig,
    /// First stages of PASIDs 0, 1 and 3.
    first: [Tables; 3],
    second: Tables,
    /// What each page has been since it was invalidated last: all of it may be cached.
    past: Vec<Vec<Leaf>>,
}

impl World {
    fn new(features: Features) -> Self {
        let rig = Rig::with_features(features);
        let first = [(); 3].map(|()| rig.guest.first_stage(4));
        let second = rig.guest.second_stage(if features.aw_bits == 39 { 3 } else { 4 });
        let past = vec![vec![Leaf::Unmapped]; PASIDS as usize * PAGES as usize];
        let world = Self { rig, first, second, past };
        // Tables lie in the first gigabyte of the intermediate space, and so do the addresses that are used.
        for page in 0..0x80u64 {
            world.rig.guest.map(
                &world.second,
                0x20_0000 + (page << 21),
                0x20_0000 + (page << 21),
                21,
                ss_rw(),
            );
        }
        for page in 0x100..0x200u64 {
            world.rig.guest.map(&world.second, page << 12, page << 12, 12, ss_rw());
        }
        (0..PASIDS).for_each(|pasid| world.bind(pasid, true));
        world.switch(true, true, true);
        world
    }

    fn tables(&self, pasid: u32) -> &Tables {
        match pasid {
            SECOND => &self.second,
            NESTED_PASID => &self.first[2],
            n => &self.first[n as usize],
        }
    }

    fn past(&mut self, pasid: u32, page: u64) -> &mut Vec<Leaf> {
        &mut self.past[pasid as usize * PAGES as usize + page as usize]
    }

    fn put(&self, pasid: u32, page: u64, leaf: Leaf) {
        let to = |n: u8| match pasid {
            // What is nested leads to the second stage's pages.
            NESTED_PASID => address(u64::from(n) % 2 + if is_large(page) { 0 } else { 2 + u64::from(n) % 2 }),
            _ => target(pasid.into(), n),
        };
        let second = pasid == SECOND;
        let (flags, output) = match leaf {
            Leaf::Unmapped => (0, 0),
            Leaf::ReadOnly(n) => (if second { ss_ro() } else { user_ro() }, to(n)),
            Leaf::ReadWrite(n) => (if second { ss_rw() } else { user_rw() }, to(n)),
            Leaf::Kernel(n) => (if second { ss_rw() } else { kernel_rw() }, to(n)),
        };
        let at = self.rig.guest.entry(self.tables(pasid), address(page), shift(page));
        let large = if flags != 0 && is_large(page) { 1 << 7 } else { 0 };
        // Where walks do not snoop, the unit sets no flag: software sets them all.
        let ready = if flags != 0 && !second && !self.f().coherent { A | D } else { 0 };
        self.rig.guest.mem.put(at, output | flags | large | ready);
        if !second && !self.f().coherent {
            for above in [39, 30, 21].into_iter().filter(|above| *above > shift(page)) {
                let at = self.rig.guest.entry(self.tables(pasid), address(page), above);
                self.rig.guest.mem.put(at, self.rig.guest.mem.get(at) | A);
            }
        }
    }

    fn f(&self) -> &Features {
        self.rig.unit.features()
    }

    /// What the function may do, as far as the unit has it.
    fn switch(&self, dte: bool, paside: bool, pre: bool) {
        let f = self.f();
        let entry0: ScalableContext0 = self
            .rig
            .guest
            .context0(self.rig.function)
            .with_dte((dte && f.device_tlb).into())
            .with_paside((paside && f.pasid_bits != 0).into())
            .with_pre((pre && f.page_requests).into());
        self.rig.guest.set_context(self.rig.function, entry0, ScalableContext1::default());
        self.rig.unit.invalidate(&Invalidation::ContextDevice { sid: SID as u16, function_mask: 0 });
    }

    fn bind(&self, pasid: u32, there: bool) {
        let entry = match pasid {
            SECOND => pasid_second(&self.second, did(pasid)),
            NESTED_PASID => pasid_nested(&self.first[2], &self.second, did(pasid)),
            n => pasid_first(&self.first[n as usize], did(pasid)),
        };
        let f = self.f();
        let flag = |there: bool| u64::from(there);
        let entry1 = entry.1.with_pwsnp(flag(f.coherent));
        let mut entry2 = entry.2;
        if pasid == 1 {
            let (sre, ere) = (flag(f.supervisor_requests), flag(f.execute_requests));
            entry2 = entry2.with_sre(sre).with_ere(ere).with_eafe(flag(f.extended_accessed && f.coherent));
        }
        let flags = flag(f.second_stage_dirty && f.coherent && pasid == NESTED_PASID);
        let entry0 = if there { entry.0.with_ssade(flags) } else { Default::default() };
        self.rig.guest.set_pasid(self.rig.function, pasid, &PasidEntry(entry0, entry1, entry2));
        self.rig.unit.invalidate(&Invalidation::Pasid { did: did(pasid), pasid });
    }
}

fn use_of(of: &Use) -> DmaRequest {
    request(of.pasid, of.addr(), of.access)
}

/// What any kind of request is answered, by a unit that may have cached something or by one that has not.
fn answer(
    world: &World,
    unit: &Translator,
    req: &DmaRequest,
    kind: RequestKind,
) -> Result<AtsTranslation, Fault> {
    let (mem, root) = (&world.rig.guest.mem, &world.rig.root);
    match kind {
        RequestKind::Translation => unit.ats_translate(mem, root, req),
        other => unit.check(mem, root, req, other).map(|()| AtsTranslation::NONE),
    }
}

/// The guest invalidates what it changes, by one descriptor or another: nobody can tell that there are caches.
fn diligent(features: Features, steps: &[(Step, u8)]) {
    let world = World::new(features);
    let rig = &world.rig;
    let fresh = Translator::new(features, 64);
    for (n, (step, how)) in steps.iter().enumerate() {
        match step {
            Step::Page(pasid, page, leaf) => {
                world.put(*pasid, *page, *leaf);
                let (pasid, did) = (*pasid, did(*pasid));
                let address_mask = if is_large(*page) { 9 } else { 0 };
                rig.unit.invalidate(&match how % 6 {
                    0 => Invalidation::PasidIotlbAll { did, pasid },
                    1 => Invalidation::IotlbGlobal,
                    2 => Invalidation::IotlbDomain { did },
                    3 => pages(did, pasid, 0, 40),
                    4 => Invalidation::PasidIotlbPages {
                        did,
                        pasid,
                        addr: address(*page),
                        address_mask,
                        leaf: true,
                    },
                    _ => pages(did, pasid, address(*page), address_mask),
                });
            }
            Step::Second(page, leaf) => {
                world.put(SECOND, *page, *leaf);
                let did = did(SECOND);
                rig.unit.invalidate(&match how % 4 {
                    0 => Invalidation::IotlbGlobal,
                    1 => Invalidation::IotlbDomain { did },
                    2 => second_pages(did, 0, 30),
                    _ => second_pages(did, address(*page), if is_large(*page) { 9 } else { 0 }),
                });
            }
            Step::Bind(pasid, there) => world.bind(*pasid, *there),
            Step::Idle(what) => rig.unit.invalidate(what),
            Step::Switch(dte, paside, pre) => world.switch(*dte, *paside, *pre),
            Step::Use(of, kind) if *kind != RequestKind::Untranslated => {
                let req = use_of(of);
                // Permission to execute is asked for, too.
                let access = Access { exec: of.page % 2 == 1, ..req.access };
                let req = DmaRequest { access, ..req }.with_attributes_of_pasid();
                let cached = answer(&world, &rig.unit, &req, *kind);
                fresh.reset();
                assert_eq!(cached, answer(&world, &fresh, &req, *kind), "step {n}");
            }
            Step::Use(of, _) => {
                let req = use_of(of);
                let cached = rig.unit.translate(&rig.guest.mem, &rig.root, &req);
                let pasid = of.pasid.unwrap_or(0);
                if of.access.write && cached.is_ok() && pasid != SECOND {
                    let leaf = rig.guest.entry(world.tables(pasid), address(of.page), shift(of.page));
                    assert_eq!(rig.guest.mem.get(leaf) & (A | D), A | D, "step {n}: a write without a trace");
                }
                let now = uncached(rig, &req);
                assert!(alike(&cached, &now), "step {n}: {cached:?} {now:?}");
            }
        }
    }
}

/// The guest changes pages of first stages and invalidates later, or never: every answer is what the tables say, or said
/// since the last invalidation, and no missing page comes from the past.
fn lazy(features: Features, steps: &[(Step, u8)]) {
    let mut world = World::new(features);
    let fresh = Translator::new(features, 64);
    for (n, (step, how)) in steps.iter().enumerate() {
        match step {
            Step::Page(NESTED_PASID, ..) | Step::Second(..) => {}
            Step::Page(pasid, page, leaf) => {
                world.put(*pasid, *page, *leaf);
                let past = world.past(*pasid, *page);
                past.push(*leaf);
                if how % 4 == 0 {
                    *past = vec![*leaf];
                    world.rig.unit.invalidate(&pages(did(*pasid), *pasid, address(*page), 0));
                }
            }
            Step::Bind(pasid, there) => world.bind(*pasid, *there),
            Step::Idle(what) => world.rig.unit.invalidate(what),
            Step::Switch(dte, paside, pre) => world.switch(*dte, *paside, *pre),
            // What an endpoint is told and keeps is as old as what is cached; who asks the context entry alone has no past.
            Step::Use(_, RequestKind::Translation) => {}
            Step::Use(of, kind) if *kind != RequestKind::Untranslated => {
                let req = use_of(of);
                let cached = answer(&world, &world.rig.unit, &req, *kind);
                fresh.reset();
                assert_eq!(cached, answer(&world, &fresh, &req, *kind), "step {n}");
            }
            Step::Use(of, _) => {
                let req = use_of(of);
                let cached = world.rig.unit.translate(&world.rig.guest.mem, &world.rig.root, &req);
                let now = uncached(&world.rig, &req);
                let pasid = of.pasid.unwrap_or(0);
                let at = world.rig.guest.entry(world.tables(pasid), address(of.page), shift(of.page));
                let present = world.rig.guest.mem.get(at);
                let mut allowed = vec![now];
                for leaf in world.past(pasid, of.page).clone() {
                    world.put(pasid, of.page, leaf);
                    // A fault is never of the past.
                    allowed.extend(Some(uncached(&world.rig, &req)).filter(Result::is_ok));
                }
                world.rig.guest.mem.put(at, present);
                assert!(allowed.iter().any(|a| alike(&cached, a)), "step {n}: {cached:?} not of {allowed:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn caches_do_not_show(f in features(), steps in prop::collection::vec((step(), any::<u8>()), 1..150)) {
        diligent(f, &steps);
        diligent(Features { adversarial: true, ..f }, &steps);
    }

    #[test]
    fn an_answer_is_the_old_one_or_the_new_one(
        f in features(),
        steps in prop::collection::vec((step(), any::<u8>()), 1..150),
    ) {
        lazy(f, &steps);
        lazy(Features { adversarial: true, ..f }, &steps);
    }
}
