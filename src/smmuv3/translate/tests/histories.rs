// SPDX-License-Identifier: GPL-2.0-or-later
//! Random histories of a guest, against translation without caches.

use proptest::prelude::*;

use super::*;
use crate::iommu::testing::histories::{Leaf, PAGES, Use, address, is_large, leaf, target, uses};
use crate::smmuv3::spec::pte::Pte;

const SSIDS: u32 = 3;
const PROCESSES: usize = 3;

/// Translation that caches nothing.
pub(super) fn uncached(rig: &Rig, req: &DmaRequest) -> Result<Translation, Fault> {
    let f = rig.smmu.features();
    let context = config::lookup_stream(&rig.guest.mem, f, &rig.streams, req)?;
    match context.action() {
        StreamAction::Abort => Err(config::silent_abort(req)),
        StreamAction::Bypass => config::bypass(f, &context, req),
        _ => {
            let mapping = walk::walk(&rig.guest.mem, &(), f, &context, req).0?;
            let perm = walk::check(mapping.perms, f, &context, req.access).unwrap();
            Ok(translation(req.addr, mapping.addr, mapping.log2size, perm))
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A page of a process changes.
    Page(usize, u64, Leaf),
    /// A substream gets a process, or none.
    Bind(u32, Option<usize>),
    /// The stream is translated, or bypasses, or aborts.
    Stream(u8),
    /// A device reads or writes.
    Use(Use),
    /// An invalidation that nobody needs.
    Idle(Invalidation),
}

fn invalidation() -> impl Strategy<Value = Invalidation> {
    prop_oneof![
        Just(Invalidation::All),
        (0..SSIDS).prop_map(|ssid| Invalidation::Cd { sid: SID, ssid }),
        (1..4u16).prop_map(asid),
        (1..4u16, 0..PAGES).prop_map(|(asid, page)| va(Some(asid), address(page))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => uses(0..SSIDS).prop_map(Step::Use),
        10 => (0..PROCESSES, 0..PAGES, leaf()).prop_map(|(process, page, leaf)| Step::Page(process, page, leaf)),
        4 => (0..SSIDS, prop::option::weighted(0.8, 0..PROCESSES)).prop_map(|(ssid, to)| Step::Bind(ssid, to)),
        1 => (0..8u8).prop_map(Step::Stream),
        2 => invalidation().prop_map(Step::Idle),
    ]
}

fn level(page: u64) -> u32 {
    if is_large(page) { 2 } else { 3 }
}

fn asid_of(process: usize) -> u16 {
    1 + process as u16
}

struct World {
    rig: Rig,
    tables: [Tables; PROCESSES],
    /// What each page has been since it was invalidated last: all of it may be cached.
    past: Vec<Vec<Leaf>>,
}

impl World {
    fn new(adversarial: bool) -> Self {
        let rig = Rig::new(adversarial);
        let tables = [(); PROCESSES].map(|()| rig.guest.tables(12, 48));
        let past = vec![vec![Leaf::Unmapped]; PROCESSES * PAGES as usize];
        let world = Self { rig, tables, past };
        (0..SSIDS).for_each(|ssid| world.bind(ssid, Some(ssid as usize)));
        world
    }

    fn past(&mut self, process: usize, page: u64) -> &mut Vec<Leaf> {
        &mut self.past[process * PAGES as usize + page as usize]
    }

    fn put(&self, process: usize, page: u64, leaf: Leaf) {
        let tables = &self.tables[process];
        let to = |n| target(process as u64, n);
        let (attributes, output): (Pte, u64) = match leaf {
            Leaf::Unmapped => return self.rig.guest.unmap(tables, address(page), level(page)),
            Leaf::ReadOnly(n) => (user_ro(), to(n)),
            Leaf::ReadWrite(n) => (user_rw(), to(n)),
            Leaf::Kernel(n) => (kernel_rw(), to(n)),
        };
        self.rig.guest.map(tables, address(page), output, level(page), attributes);
    }

    fn bind(&self, ssid: u32, process: Option<usize>) {
        let cd = process.map_or_else(Default::default, |p| cd(&self.tables[p], asid_of(p)));
        self.rig.guest.set_cd(&self.rig.contexts, ssid, &cd);
        self.rig.smmu.invalidate(&Invalidation::Cd { sid: SID, ssid });
    }

    fn stream(&self, kind: u8) {
        let ste = match kind {
            0 => ste_abort(),
            1 => ste_bypass(),
            n => {
                let default = [s1dss::TERMINATE, s1dss::BYPASS, s1dss::SSID0][usize::from(n) % 3];
                ste_stage1(self.rig.contexts.base, 8, s1fmt::LINEAR, default)
            }
        };
        self.rig.guest.set_ste(&self.rig.streams, SID, &ste);
        self.rig.smmu.invalidate(&Invalidation::Ste { sid: SID });
    }

    /// Which process a request belongs to, by the tables as they are.
    fn process(&self, req: &DmaRequest) -> Option<usize> {
        let f = self.rig.smmu.features();
        let context = config::lookup_stream(&self.rig.guest.mem, f, &self.rig.streams, req).ok()?;
        context.action().translates().then(|| usize::from(context.asid()) - 1)
    }
}

fn use_of(of: &Use) -> DmaRequest {
    request(SID, of.pasid, of.addr(), of.access)
}

/// The guest invalidates what it changes, by one command or another: nobody can tell that there are caches.
fn diligent(adversarial: bool, steps: &[(Step, u8)]) {
    let world = World::new(adversarial);
    let rig = &world.rig;
    for (n, (step, how)) in steps.iter().enumerate() {
        match step {
            Step::Page(process, page, leaf) => {
                world.put(*process, *page, *leaf);
                let owner = asid_of(*process);
                let size = 1 << if is_large(*page) { 21 } else { 12 };
                rig.smmu.invalidate(&match how % 7 {
                    0 => asid(owner),
                    1 => Invalidation::NsnhAll,
                    2 => Invalidation::Vmid { vmid: 0 },
                    3 => va(None, address(*page)),
                    4 => range(owner, address(*page), size, Some(12), Some(level(*page) as u8)),
                    5 => range(owner, 0, 1 << 48, Some(12), None),
                    _ => va(Some(owner), address(*page)),
                });
            }
            Step::Bind(ssid, process) => world.bind(*ssid, *process),
            Step::Stream(kind) => world.stream(*kind),
            Step::Idle(what) => rig.smmu.invalidate(what),
            Step::Use(of) => {
                let req = use_of(of);
                let cached = rig.smmu.translate(&rig.guest.mem, &rig.streams, &req);
                assert_eq!(cached, uncached(rig, &req), "step {n}");
            }
        }
    }
}

/// The guest changes pages and invalidates later, or never: every answer is what the tables say, or said
/// since the last invalidation, and no missing page comes from the past.
fn lazy(adversarial: bool, steps: &[(Step, u8)]) {
    let mut world = World::new(adversarial);
    for (n, (step, how)) in steps.iter().enumerate() {
        match step {
            Step::Page(process, page, leaf) => {
                world.put(*process, *page, *leaf);
                let past = world.past(*process, *page);
                past.push(*leaf);
                if how % 4 == 0 {
                    *past = vec![*leaf];
                    world.rig.smmu.invalidate(&va(Some(asid_of(*process)), address(*page)));
                }
            }
            Step::Bind(ssid, process) => world.bind(*ssid, *process),
            Step::Stream(kind) => world.stream(*kind),
            Step::Idle(what) => world.rig.smmu.invalidate(what),
            Step::Use(of) => {
                let req = use_of(of);
                let cached = world.rig.smmu.translate(&world.rig.guest.mem, &world.rig.streams, &req);
                let now = uncached(&world.rig, &req);
                let mut allowed = vec![now];
                if let Some(process) = world.process(&req) {
                    for leaf in world.past(process, of.page).clone() {
                        world.put(process, of.page, leaf);
                        match uncached(&world.rig, &req) {
                            Err(fault) if !adversarial || fault.kind != FaultKind::Permission => {}
                            answer => allowed.push(answer),
                        }
                    }
                    assert_eq!(uncached(&world.rig, &req), now);
                }
                assert!(allowed.contains(&cached), "step {n}: {cached:?} not of {allowed:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn caches_do_not_show(steps in prop::collection::vec((step(), any::<u8>()), 1..150)) {
        diligent(false, &steps);
        diligent(true, &steps);
    }

    #[test]
    fn an_answer_is_the_old_one_or_the_new_one(steps in prop::collection::vec((step(), any::<u8>()), 1..150)) {
        lazy(false, &steps);
        lazy(true, &steps);
    }
}
