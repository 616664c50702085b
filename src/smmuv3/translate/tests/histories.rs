// SPDX-License-Identifier: GPL-2.0-or-later
//! Random histories of a guest, against translation without caches.

use proptest::prelude::*;

use super::*;
use crate::iommu::AtsTranslation;
use crate::iommu::testing::histories::{Leaf, PAGES, Use, address, is_large, leaf, target, uses};
use crate::smmuv3::features::{Httu, StallModel};
use crate::smmuv3::spec::pte::Pte;
use crate::smmuv3::spec::ste::eats;

const SSIDS: u32 = 3;
const PROCESSES: usize = 3;
/// Pages that are global in one set of ASIDs: every process of the set has them.
const GLOBAL_PAGES: u64 = 3;
const SETS: usize = 2;

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
    /// A global page of a set of ASIDs changes, in every process of the set.
    Global(usize, u64, Leaf),
    /// The stream is translated, or bypasses, or aborts; with `PRIVCFG` and `INSTCFG`, and with ATS or without.
    Stream(u8, u64, u64, bool),
    /// A device reads, writes or fetches, or asks for a translation, or comes with one.
    Use(Use, Kind),
    /// The same with a global page.
    UseGlobal(Use, Kind),
    /// An invalidation that nobody needs.
    Idle(Invalidation),
}

/// How a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Fetch,
    /// It can wait for an answer.
    Tagged,
    Atomic,
    Ats,
    Translated,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        6 => Just(Kind::Data),
        2 => Just(Kind::Fetch),
        1 => Just(Kind::Tagged),
        1 => Just(Kind::Atomic),
        2 => Just(Kind::Ats),
        1 => Just(Kind::Translated),
    ]
}

/// What becomes of a request.
#[derive(Debug, PartialEq)]
enum Said {
    Translation(Result<Translation, Fault>),
    Ats(Result<AtsTranslation, Fault>),
}

/// Features without one thing or another; the first ones have all.
fn features(nth: usize) -> Features {
    let all = Features { hyp: true, ..Features::default() };
    let variants = [
        all,
        Features { hyp: false, ..all },
        Features { stage2: false, hyp: false, ats_split: false, ..all },
        Features { range_invalidation: false, ..all },
        Features { attr_perms_override: false, ..all },
        Features { ats: false, ats_split: false, pri: false, ..all },
        Features { ats_split: false, ..all },
        Features { pri: false, ..all },
        Features { asid16: false, vmid16: false, ..all },
        Features { vmid_wildcards: false, ..all },
        Features { httu: Httu::None, ..all },
        Features { httu: Httu::Access, ..all },
        Features { stall: StallModel::Off, ..all },
        Features { ssid_bits: 0, two_level_contexts: false, ..all },
        Features { two_level_streams: false, two_level_contexts: false, ..all },
        Features { xnx: false, fwb: false, ..all },
        Features { small_tables: false, big_endian: false, ..all },
        Features { bbml: 0, ..all },
        Features { gran16k: false, gran64k: false, va52: false, ..all },
        Features {
            event_merging: false,
            raz_wi: true,
            sev: false,
            msi: false,
            coherent: false,
            pmu: false,
            ..all
        },
        Features { ssid_bits: 8, sid_bits: 8, ..all },
        Features::compat(),
    ];
    variants[nth % variants.len()]
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
        30 => (uses(0..SSIDS), kind()).prop_map(|(of, kind)| Step::Use(of, kind)),
        6 => (uses(0..SSIDS), kind()).prop_map(|(of, kind)| Step::UseGlobal(of, kind)),
        3 => (0..SETS, 0..GLOBAL_PAGES, leaf()).prop_map(|(set, page, leaf)| Step::Global(set, page, leaf)),
        10 => (0..PROCESSES, 0..PAGES, leaf()).prop_map(|(process, page, leaf)| Step::Page(process, page, leaf)),
        4 => (0..SSIDS, prop::option::weighted(0.8, 0..PROCESSES)).prop_map(|(ssid, to)| Step::Bind(ssid, to)),
        1 => (0..8u8, 0..4u64, 0..4u64, any::<bool>())
            .prop_map(|(kind, privcfg, instcfg, ats)| Step::Stream(kind, privcfg, instcfg, ats)),
        2 => invalidation().prop_map(Step::Idle),
    ]
}

fn level(page: u64) -> u32 {
    if is_large(page) { 2 } else { 3 }
}

fn asid_of(process: usize) -> u16 {
    1 + process as u16
}

/// Which set of ASIDs a process's is of.
fn set_of(process: usize) -> usize {
    process % SETS
}

fn global_address(page: u64) -> u64 {
    0x7e00_0000 + ((page % GLOBAL_PAGES) << 12)
}

struct World {
    rig: Rig,
    tables: [Tables; PROCESSES],
    /// What each page has been since it was invalidated last: all of it may be cached.
    past: Vec<Vec<Leaf>>,
    /// It is made to forget everything before each request.
    forgetful: Translator,
}

impl World {
    fn new(features: Features) -> Self {
        let rig = Rig::with_features(features);
        let tables = [(); PROCESSES].map(|()| rig.guest.tables(12, 48));
        let past = vec![vec![Leaf::Unmapped]; PROCESSES * PAGES as usize];
        let forgetful = Translator::new(features, 64);
        let world = Self { rig, tables, past, forgetful };
        (0..SSIDS).for_each(|ssid| world.bind(ssid, Some(ssid as usize)));
        world
    }

    fn past(&mut self, process: usize, page: u64) -> &mut Vec<Leaf> {
        &mut self.past[process * PAGES as usize + page as usize]
    }

    fn put_global(&self, set: usize, page: u64, leaf: Leaf) {
        let to = |n: u8| 0x3_0000_0000 + ((set as u64) << 28) + (u64::from(n) << 12);
        for tables in
            self.tables.iter().enumerate().filter(|(n, _)| set_of(*n) == set).map(|(_, tables)| tables)
        {
            let (attributes, output) = match leaf {
                Leaf::Unmapped => {
                    self.rig.guest.unmap(tables, global_address(page), 3);
                    continue;
                }
                Leaf::ReadOnly(n) => (user_ro(), to(n)),
                Leaf::ReadWrite(n) => (user_rw(), to(n)),
                Leaf::Kernel(n) => (kernel_rw(), to(n)),
            };
            self.rig.guest.map(tables, global_address(page), output, 3, attributes.with_ng(0));
        }
    }

    /// Asks, and asks one that has no caches; and holds what those who keep the answer would do against what they may.
    fn ask(&self, of: &Use, addr: u64, kind: Kind) -> (DmaRequest, Said, Said) {
        let access = match kind {
            Kind::Fetch => Access { read: true, write: false, exec: true, ..of.access },
            Kind::Atomic => Access { read: true, write: true, ..of.access },
            Kind::Ats => Access { read: true, ..of.access },
            _ => of.access,
        };
        let tag = (kind == Kind::Tagged).then_some(7);
        let req = DmaRequest { tag, ..request(SID, of.pasid, addr, access) };
        let said = |smmu: &Translator| {
            let (mem, tables) = (&self.rig.guest.mem, &self.rig.streams);
            match kind {
                Kind::Ats => Said::Ats(smmu.ats_translate(mem, tables, &req)),
                Kind::Translated => Said::Translation(smmu.translated(mem, tables, &req)),
                _ => Said::Translation(smmu.translate(mem, tables, &req)),
            }
        };
        self.forgetful.reset();
        let fresh = said(&self.forgetful);
        let cached = said(&self.rig.smmu);
        if let (Said::Translation(Ok(answer)), false) =
            (&cached, matches!(kind, Kind::Translated | Kind::Atomic))
        {
            let privileged = req.access.privileged;
            let reads = if req.access.exec { FETCH } else { READ };
            for (may, access) in
                [(answer.perm.read, reads), (answer.perm.write, WRITE), (answer.perm.exec, FETCH)]
            {
                let access = Access { privileged, ..access };
                let allowed = uncached(&self.rig, &DmaRequest { access, ..req }).is_ok();
                // What is stale is judged elsewhere.
                assert!(may == allowed || cached != fresh, "{access:?} by the answer to {req:?}: {answer:?}");
            }
        }
        (req, cached, fresh)
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
        let cd = process.map_or_else(Default::default, |p| {
            edit_cd(cd(&self.tables[p], asid_of(p)), |cd| cd.with_aset(set_of(p) as u64))
        });
        self.rig.guest.set_cd(&self.rig.contexts, ssid, &cd);
        self.rig.smmu.invalidate(&Invalidation::Cd { sid: SID, ssid });
    }

    fn stream(&self, kind: u8, privcfg: u64, instcfg: u64, ats: bool) {
        let ste = match kind {
            0 => ste_abort(),
            1 => ste_bypass(),
            n => {
                let default = [s1dss::TERMINATE, s1dss::BYPASS, s1dss::SSID0][usize::from(n) % 3];
                ste_stage1(self.rig.contexts.base, 8, s1fmt::LINEAR, default)
            }
        };
        let eats = if ats { eats::FULL } else { eats::NONE };
        let ste = edit_ste1(ste, |ste1| ste1.with_privcfg(privcfg).with_instcfg(instcfg).with_eats(eats));
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

/// The guest invalidates what it changes, by one command or another: nobody can tell that there are caches.
fn diligent(features: Features, steps: &[(Step, u8)]) {
    let world = World::new(features);
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
            Step::Global(set, page, leaf) => {
                world.put_global(*set, *page, *leaf);
                rig.smmu.invalidate(&match how % 4 {
                    0 => Invalidation::NsnhAll,
                    1 => Invalidation::Vmid { vmid: 0 },
                    2 => va(None, global_address(*page)),
                    // Whichever ASID is named.
                    _ => va(Some(u16::from(how / 4)), global_address(*page)),
                });
            }
            Step::Stream(kind, privcfg, instcfg, ats) => world.stream(*kind, *privcfg, *instcfg, *ats),
            Step::Idle(what) => rig.smmu.invalidate(what),
            Step::Use(of, kind) | Step::UseGlobal(of, kind) => {
                let is_global = matches!(step, Step::UseGlobal(..));
                let addr = if is_global { global_address(of.page) } else { of.addr() };
                let (req, cached, fresh) = world.ask(of, addr, *kind);
                assert_eq!(cached, fresh, "step {n}: {kind:?} {req:?}");
                if !matches!(kind, Kind::Ats | Kind::Translated) {
                    assert_eq!(cached, Said::Translation(uncached(rig, &req)), "step {n}");
                }
            }
        }
    }
}

/// The guest changes pages and invalidates later, or never: every answer is what the tables say, or said
/// since the last invalidation, and no missing page comes from the past.
fn lazy(adversarial: bool, steps: &[(Step, u8)]) {
    let mut world = World::new(Features { adversarial, ..Features::default() });
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
            Step::Global(set, page, leaf) => {
                world.put_global(*set, *page, *leaf);
                world.rig.smmu.invalidate(&va(None, global_address(*page)));
            }
            Step::Stream(kind, privcfg, instcfg, ats) => world.stream(*kind, *privcfg, *instcfg, *ats),
            Step::Idle(what) => world.rig.smmu.invalidate(what),
            Step::UseGlobal(of, kind) => {
                let (req, cached, fresh) = world.ask(of, global_address(of.page), *kind);
                assert_eq!(cached, fresh, "step {n}: {kind:?} {req:?}");
            }
            // Diligent histories have them.
            Step::Use(_, Kind::Ats | Kind::Translated) => {}
            Step::Use(of, kind) => {
                let (req, cached, _) = world.ask(of, of.addr(), *kind);
                let Said::Translation(cached) = cached else { unreachable!() };
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
    fn caches_do_not_show(
        steps in prop::collection::vec((step(), any::<u8>()), 1..150),
        nth in any::<usize>(),
    ) {
        for adversarial in [false, true] {
            diligent(Features { adversarial, ..Features::default() }, &steps);
            diligent(Features { adversarial, ..features(nth) }, &steps);
        }
    }

    #[test]
    fn an_answer_is_the_old_one_or_the_new_one(steps in prop::collection::vec((step(), any::<u8>()), 1..150)) {
        lazy(false, &steps);
        lazy(true, &steps);
    }
}

#[test]
fn features_are_some_that_there_can_be() {
    (0..30).for_each(|nth| features(nth).validate().unwrap());
}
