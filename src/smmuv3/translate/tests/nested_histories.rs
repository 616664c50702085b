// SPDX-License-Identifier: GPL-2.0-or-later
//! Random histories of a hypervisor and its guests, against translation without caches.

use proptest::prelude::*;

use super::histories::uncached;
use super::*;
use crate::smmuv3::spec::pte::{Pte, S2Pte};
use crate::smmuv3::spec::ste::eats;

const VMS: usize = 2;
/// A VM's nested stream, and its stream with stage 2 alone.
const STREAMS: usize = 2;
const PAGES: u64 = 4;

#[derive(Clone, Copy, Debug)]
enum Leaf {
    Unmapped,
    ReadOnly(u64),
    ReadWrite(u64),
}

#[derive(Clone, Debug)]
enum Step {
    /// A guest changes one of its pages.
    First { vm: usize, page: u64, leaf: Leaf },
    /// The hypervisor changes a page of a guest's memory.
    Second { vm: usize, page: u64, leaf: Leaf },
    /// A device reads or writes: by input address, or by intermediate address.
    Use { vm: usize, alone: bool, page: u64, offset: u64, write: bool },
    /// An invalidation that nobody needs.
    Idle(Invalidation),
}

fn leaf() -> impl Strategy<Value = Leaf> {
    (0..6u8, 0..PAGES).prop_map(|(kind, to)| match kind {
        0 => Leaf::Unmapped,
        1 | 2 => Leaf::ReadOnly(to),
        _ => Leaf::ReadWrite(to),
    })
}

fn step() -> impl Strategy<Value = Step> {
    let idle = prop_oneof![
        Just(Invalidation::All),
        (0..VMS).prop_map(|vm| Invalidation::Ipa { vmid: vmid(vm), pages: whole(ipa(0), 1 << 12) }),
        (0..VMS).prop_map(|vm| va_of(vmid(vm), Some(5), whole(va(1), 1 << 12))),
    ];
    prop_oneof![
        30 => (0..VMS, any::<bool>(), 0..PAGES, 0..4u64, any::<bool>())
            .prop_map(|(vm, alone, page, offset, write)| Step::Use { vm, alone, page, offset, write }),
        8 => (0..VMS, 0..PAGES, leaf()).prop_map(|(vm, page, leaf)| Step::First { vm, page, leaf }),
        8 => (0..VMS, 0..PAGES, leaf()).prop_map(|(vm, page, leaf)| Step::Second { vm, page, leaf }),
        1 => idle.prop_map(Step::Idle),
    ]
}

/// Two blocks and two pages of each stage, with a page where the other has a block.
fn level(first: bool, page: u64) -> u32 {
    if page.is_multiple_of(2) == first { 2 } else { 3 }
}

fn va(page: u64) -> u64 {
    0x4000_0000 + (page << 21)
}

fn ipa(page: u64) -> u64 {
    0x9_0000_0000 + (page << 21)
}

fn vmid(vm: usize) -> u16 {
    1 + vm as u16
}

fn whole(addr: u64, size: u64) -> super::Pages {
    super::Pages { addr, size, granule_log2: None, level: None, leaf: false }
}

struct World {
    rig: Rig,
    first: [Tables; VMS],
    second: [Tables; VMS],
    /// What each page of each stage has been since it was invalidated last.
    past: Vec<Vec<Leaf>>,
}

fn sid(vm: usize, alone: bool) -> u32 {
    SID + (vm * STREAMS) as u32 + u32::from(alone)
}

impl World {
    fn new(adversarial: bool) -> Self {
        let rig = Rig::new(adversarial);
        let first = [(); VMS].map(|()| rig.guest.tables(12, 48));
        let second = [(); VMS].map(|()| rig.guest.tables(12, 48));
        for vm in 0..VMS {
            let contexts = rig.guest.contexts(1, s1fmt::LINEAR);
            rig.guest.set_cd(&contexts, 0, &cd(&first[vm], 5));
            // Split-stage ATS, and full ATS.
            let stage1 = ste_stage1(contexts.base, 0, s1fmt::LINEAR, 0);
            for (alone, ste, eats) in [(false, stage1, eats::SPLIT), (true, Ste::default(), eats::FULL)] {
                let ste = with_stage2(ste, &second[vm], vmid(vm));
                let ste = edit_ste1(ste, |ste1| ste1.with_eats(eats));
                rig.guest.set_ste(&rig.streams, sid(vm, alone), &ste);
            }
        }
        let world = Self { rig, first, second, past: vec![vec![Leaf::Unmapped]; VMS * 2 * PAGES as usize] };
        for vm in 0..VMS {
            // All of stage 1's tables come to be, and then stage 2 has them where they are.
            for page in 0..PAGES {
                world.put(vm, true, page, Leaf::Unmapped);
            }
            world.rig.guest.map_memory(&world.second[vm], 2, s2_rw());
        }
        world
    }

    fn past(&mut self, vm: usize, first: bool, page: u64) -> &mut Vec<Leaf> {
        &mut self.past[(vm * 2 + usize::from(first)) * PAGES as usize + page as usize]
    }

    fn put(&self, vm: usize, first: bool, page: u64, leaf: Leaf) {
        let guest = &self.rig.guest;
        let level = level(first, page);
        if first {
            let (attrs, to): (Pte, u64) = match leaf {
                Leaf::Unmapped => return guest.unmap(&self.first[vm], va(page), level),
                Leaf::ReadOnly(to) => (user_ro(), to),
                Leaf::ReadWrite(to) => (user_rw(), to),
            };
            guest.map(&self.first[vm], va(page), ipa(to), level, attrs);
        } else {
            let (attrs, to): (S2Pte, u64) = match leaf {
                Leaf::Unmapped => return guest.unmap(&self.second[vm], ipa(page), level),
                Leaf::ReadOnly(to) => (s2_ro(), to),
                Leaf::ReadWrite(to) => (s2_rw(), to),
            };
            guest.map2(&self.second[vm], ipa(page), (vm as u64 + 1) << 40 | to << 21, level, attrs);
        }
    }
}

fn use_of(vm: usize, alone: bool, page: u64, offset: u64, write: bool) -> DmaRequest {
    let base = if alone { ipa(page) } else { va(page) };
    request(sid(vm, alone), None, base + (offset << 12) + 0x10, if write { WRITE } else { READ })
}

/// An endpoint with ATS that forgets at once gets as far as one without, and no further.
fn by_ats(rig: &Rig, req: &DmaRequest, alone: bool) {
    let by = |access| uncached(rig, &DmaRequest { access, ..*req });
    let (reads, writes) = (by(READ), by(WRITE));
    let (mem, streams) = (&rig.guest.mem, &rig.streams);
    let answer = rig.smmu.ats_translate(mem, streams, req).unwrap();
    assert_eq!((answer.read, answer.write), (reads.is_ok(), req.access.write && writes.is_ok()));
    let addr = answer.addr | req.addr & size_mask(answer.log2size);
    for (granted, access, ordinary) in [(answer.read, READ, reads), (answer.write, WRITE, writes)] {
        if granted {
            let passed = rig.smmu.translated(mem, streams, &DmaRequest { addr, access, ..*req }).unwrap();
            assert_eq!(passed.addr, ordinary.unwrap().addr);
            assert!(!alone || addr == passed.addr, "full ATS");
        }
    }
}

/// Guest and hypervisor invalidate what they change: nobody can tell that there are caches.
fn diligent(adversarial: bool, steps: &[(Step, u8)]) {
    let world = World::new(adversarial);
    let rig = &world.rig;
    for (n, (step, how)) in steps.iter().enumerate() {
        match *step {
            Step::First { vm, page, leaf } => {
                world.put(vm, true, page, leaf);
                let regime = Regime::El1 { vmid: vmid(vm) };
                let size = 1 << if level(true, page) == 2 { 21 } else { 12 };
                rig.smmu.invalidate(&match how % 6 {
                    0 => Invalidation::Asid { regime, asid: 5 },
                    1 => Invalidation::FirstStage { regime },
                    2 => Invalidation::Va {
                        regime,
                        asid: None,
                        pages: whole(va(page) + 0x3000 % size, 1 << 12),
                    },
                    3 => Invalidation::Va { regime, asid: Some(5), pages: whole(va(page), size) },
                    4 => Invalidation::Vmid { vmid: vmid(vm) },
                    _ => Invalidation::NsnhAll,
                });
            }
            Step::Second { vm, page, leaf } => {
                world.put(vm, false, page, leaf);
                let size = 1 << if level(false, page) == 2 { 21 } else { 12 };
                match how % 4 {
                    0 => rig.smmu.invalidate(&Invalidation::Vmid { vmid: vmid(vm) }),
                    1 => rig.smmu.invalidate(&Invalidation::NsnhAll),
                    how => {
                        let pages = whole(ipa(page), if how == 2 { size } else { 1 << 30 });
                        rig.smmu.invalidate(&Invalidation::Ipa { vmid: vmid(vm), pages });
                        let regime = Regime::El1 { vmid: vmid(vm) };
                        rig.smmu.invalidate(&Invalidation::FirstStage { regime });
                    }
                }
            }
            Step::Idle(what) => rig.smmu.invalidate(&what),
            Step::Use { vm, alone, page, offset, write } => {
                let req = use_of(vm, alone, page, offset, write);
                let cached = rig.smmu.translate(&rig.guest.mem, &rig.streams, &req);
                assert_eq!(cached, uncached(rig, &req), "step {n}");
                by_ats(rig, &req, alone);
            }
        }
    }
}

/// They do so later, or never: every answer is what the tables of both stages say, or said since.
fn lazy(adversarial: bool, steps: &[(Step, u8)]) {
    let mut world = World::new(adversarial);
    for (n, (step, how)) in steps.iter().enumerate() {
        match *step {
            Step::First { vm, page, leaf } => {
                world.put(vm, true, page, leaf);
                world.past(vm, true, page).push(leaf);
                if how % 4 == 0 {
                    let regime = Regime::El1 { vmid: vmid(vm) };
                    *world.past(vm, true, page) = vec![leaf];
                    world.rig.smmu.invalidate(&Invalidation::Va {
                        regime,
                        asid: None,
                        pages: whole(va(page), 1 << 12),
                    });
                }
            }
            Step::Second { vm, page, leaf } => {
                world.put(vm, false, page, leaf);
                world.past(vm, false, page).push(leaf);
                if how % 4 == 0 {
                    *world.past(vm, false, page) = vec![leaf];
                    world.rig.smmu.invalidate(&Invalidation::Vmid { vmid: vmid(vm) });
                }
            }
            Step::Idle(what) => world.rig.smmu.invalidate(&what),
            Step::Use { vm, alone, page, offset, write } => {
                let req = use_of(vm, alone, page, offset, write);
                let cached = world.rig.smmu.translate(&world.rig.guest.mem, &world.rig.streams, &req);
                let now = uncached(&world.rig, &req);
                let mut allowed = vec![now];
                let firsts = if alone { vec![Leaf::Unmapped] } else { world.past(vm, true, page).clone() };
                for first in &firsts {
                    let seconds: Vec<u64> = match *first {
                        _ if alone => vec![page],
                        Leaf::Unmapped => continue,
                        Leaf::ReadOnly(to) | Leaf::ReadWrite(to) => vec![to],
                    };
                    for target in seconds {
                        let current = *world.past(vm, false, target).last().unwrap();
                        for second in world.past(vm, false, target).clone() {
                            if !alone {
                                world.put(vm, true, page, *first);
                            }
                            world.put(vm, false, target, second);
                            match uncached(&world.rig, &req) {
                                Err(fault) if !adversarial || fault.kind != FaultKind::Permission => {}
                                answer => allowed.push(answer),
                            }
                        }
                        world.put(vm, false, target, current);
                    }
                }
                if !alone {
                    let current = *world.past(vm, true, page).last().unwrap();
                    world.put(vm, true, page, current);
                }
                assert_eq!(uncached(&world.rig, &req), now);
                assert!(allowed.contains(&cached), "step {n}: {cached:?} not of {allowed:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn caches_do_not_show(steps in prop::collection::vec((step(), any::<u8>()), 1..120)) {
        diligent(false, &steps);
        diligent(true, &steps);
    }

    #[test]
    fn an_answer_is_the_old_one_or_the_new_one(steps in prop::collection::vec((step(), any::<u8>()), 1..120)) {
        lazy(false, &steps);
        lazy(true, &steps);
    }
}
