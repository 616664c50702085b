// SPDX-License-Identifier: GPL-2.0-or-later
//! What is cached of stage 2, and which commands forget it.

use super::*;
use crate::smmuv3::spec::pte::S2Pte;
use crate::smmuv3::spec::ste::Ste2;

/// A stream with both stages.
const NESTED: u32 = SID;
/// A stream with stage 2 alone, of the same virtual machine.
const ALONE: u32 = SID + 1;
/// A stream of another virtual machine.
const OTHER: u32 = SID + 2;
const VMID: u16 = 7;
const IPA: u64 = 0x9_0000_0000;
const PA: u64 = 0x5_0000_0000;
const NEW: u64 = 0x6_0000_0000;

struct Vm {
    rig: Rig,
    first: Tables,
    second: Tables,
}

impl Vm {
    fn new(adversarial: bool) -> Self {
        let rig = Rig::new(adversarial);
        let first = rig.process(1, 5);
        let second = rig.guest.tables(12, 48);
        rig.guest.map(&first, VA, IPA, 3, user_rw());
        let vm = Self { rig, first, second };
        vm.map(IPA, PA, s2_rw());
        vm.map_tables();
        for (sid, vmid) in [(NESTED, VMID), (OTHER, VMID + 1)] {
            let ste = ste_stage1(vm.rig.contexts.base, 8, s1fmt::LINEAR, s1dss::BYPASS);
            vm.set_ste(sid, &with_stage2(ste, &vm.second, vmid));
        }
        vm.set_ste(ALONE, &with_stage2(Default::default(), &vm.second, VMID));
        vm
    }

    fn set_ste(&self, sid: u32, ste: &Ste) {
        self.rig.guest.set_ste(&self.rig.streams, sid, ste);
        self.rig.smmu.invalidate(&Invalidation::Ste { sid });
    }

    fn map_tables(&self) {
        self.rig.guest.map_memory(&self.second, 3, s2_rw());
    }

    fn map(&self, ipa: u64, pa: u64, attrs: S2Pte) {
        self.rig.guest.map2(&self.second, ipa, pa, 3, attrs);
    }

    fn ask(&self, sid: u32, addr: u64, access: Access) -> Result<Translation, Fault> {
        let ssid = (sid != ALONE && addr < IPA).then_some(1);
        self.rig.smmu.translate(&self.rig.guest.mem, &self.rig.streams, &request(sid, ssid, addr, access))
    }

    fn read(&self, sid: u32, addr: u64) -> Result<u64, FaultKind> {
        self.ask(sid, addr, READ).map(|t| t.addr).map_err(|fault| fault.kind)
    }

    fn forget(&self, what: Invalidation) {
        self.rig.smmu.invalidate(&what);
    }
}

fn page(addr: u64) -> Pages {
    Pages { addr, size: 4096, granule_log2: None, level: None, leaf: false }
}

fn ipa(vmid: u16, addr: u64) -> Invalidation {
    Invalidation::Ipa { vmid, pages: page(addr) }
}

fn regime(vmid: u16) -> Regime {
    Regime::El1 { vmid }
}

#[test]
fn pages_of_stage_2_alone() {
    let range = |size, granule_log2, level| Invalidation::Ipa {
        vmid: VMID,
        pages: Pages { size, granule_log2: Some(granule_log2), level, ..page(IPA) },
    };
    let named = [
        ipa(VMID, IPA),
        Invalidation::Ipa { vmid: VMID, pages: Pages { leaf: true, ..page(IPA) } },
        range(1 << 20, 12, None),
        range(4096, 12, Some(3)),
        Invalidation::Vmid { vmid: VMID },
        Invalidation::NsnhAll,
    ];
    let others = [
        ipa(VMID, IPA + 0x1000),
        ipa(VMID + 1, IPA),
        range(4096, 12, Some(2)),
        range(1 << 16, 16, None),
        va_of(VMID, None, page(IPA)),
        Invalidation::Asid { regime: regime(VMID), asid: 0 },
        Invalidation::FirstStage { regime: regime(VMID) },
        Invalidation::FirstStage { regime: Regime::El2 },
        Invalidation::Vmid { vmid: VMID + 1 },
        Invalidation::All,
    ];
    for adversarial in [false, true] {
        for what in named {
            let vm = Vm::new(adversarial);
            assert_eq!(vm.read(ALONE, IPA + 0x123), Ok(PA + 0x123));
            vm.map(IPA, NEW, s2_rw());
            assert_eq!(vm.read(ALONE, IPA), Ok(PA), "{what:?}");
            vm.forget(what);
            assert_eq!(vm.read(ALONE, IPA), Ok(NEW), "{what:?}");
        }
    }
    for what in others {
        let vm = Vm::new(true);
        assert_eq!(vm.read(ALONE, IPA), Ok(PA));
        vm.map(IPA, NEW, s2_rw());
        vm.forget(what);
        assert_eq!(vm.read(ALONE, IPA), Ok(PA), "{what:?}");
    }
}

#[test]
fn pages_of_both_stages() {
    let named = [
        va_of(VMID, Some(5), page(VA)),
        va_of(VMID, None, page(VA)),
        Invalidation::Asid { regime: regime(VMID), asid: 5 },
        Invalidation::FirstStage { regime: regime(VMID) },
        Invalidation::Vmid { vmid: VMID },
        Invalidation::NsnhAll,
    ];
    let others = [
        va_of(VMID, Some(6), page(VA)),
        va_of(VMID + 1, None, page(VA)),
        va_of(0, Some(5), page(VA)),
        Invalidation::Asid { regime: regime(0), asid: 5 },
        Invalidation::FirstStage { regime: regime(VMID + 1) },
        // §4.4.3.1: not required, and so a driver must not rely on it.
        ipa(VMID, IPA),
    ];
    for adversarial in [false, true] {
        for what in named {
            let vm = Vm::new(adversarial);
            assert_eq!(vm.read(NESTED, VA), Ok(PA));
            vm.map(IPA, NEW, s2_rw());
            vm.forget(ipa(VMID, IPA));
            vm.forget(what);
            assert_eq!(vm.read(NESTED, VA), Ok(NEW), "{what:?}");
        }
    }
    for what in others {
        let vm = Vm::new(true);
        assert_eq!(vm.read(NESTED, VA), Ok(PA));
        vm.map(IPA, NEW, s2_rw());
        vm.forget(what);
        assert_eq!(vm.read(NESTED, VA), Ok(PA), "{what:?}");
    }
}

#[test]
fn machines_and_stages_do_not_mix() {
    let vm = Vm::new(false);
    // An input address that is an intermediate address as well.
    assert_eq!(vm.read(NESTED, VA), Ok(PA));
    vm.map(VA, NEW, s2_rw());
    assert_eq!(vm.read(ALONE, VA), Ok(NEW));
    assert_eq!(vm.read(NESTED, VA), Ok(PA));
    // The same ASID and address in another machine.
    let walks = vm.rig.smmu.stats().walks;
    assert_eq!(vm.read(OTHER, VA), Ok(PA));
    assert_eq!(vm.rig.smmu.stats().walks, walks + 1);
    // Stage 1 bypassed by S1DSS shares the pages of stage 2 alone.
    vm.map(IPA + 0x1000, NEW, s2_rw());
    assert_eq!(vm.read(ALONE, IPA + 0x1000), Ok(NEW));
    let walks = vm.rig.smmu.stats().walks;
    assert_eq!(vm.read(NESTED, IPA + 0x1000), Ok(NEW));
    assert_eq!(vm.rig.smmu.stats().walks, walks);
    assert_eq!(vm.read(OTHER, IPA + 0x1000), Ok(NEW));
    assert_eq!(vm.rig.smmu.stats().walks, walks + 1);
}

/// Stage 2 cuts a block of stage 1 up. Whoever names one address of it names all of it.
#[test]
fn parts_of_a_block_go_together() {
    for adversarial in [false, true] {
        for (pages, asid) in [
            (page(VA), Some(5)),
            (page(VA), None),
            (Pages { granule_log2: Some(12), level: Some(2), ..page(VA & !0x1f_ffff) }, Some(5)),
        ] {
            let vm = Vm::new(adversarial);
            let block = VA & !0x1f_ffff;
            // Another table, for the page that is there stands in the block's way.
            vm.rig.guest.map(&vm.first, block, IPA, 2, user_rw());
            let parts = [0u64, 0x3000, 0x1f_f000];
            for offset in parts {
                vm.map(IPA + offset, PA + offset, s2_rw());
                let t = vm.ask(NESTED, block + offset, READ).unwrap();
                assert_eq!((t.addr, t.page_mask), (PA + offset, 0xfff));
            }
            vm.rig.guest.map(&vm.first, block, NEW, 2, user_rw());
            for offset in parts {
                vm.map(NEW + offset, NEW + offset, s2_rw());
            }
            assert_eq!(vm.read(NESTED, block), Ok(PA));
            vm.forget(va_of(VMID, asid, pages));
            for offset in parts {
                assert_eq!(vm.read(NESTED, block + offset), Ok(NEW + offset), "{pages:?}");
            }
        }
    }
}

#[test]
fn refusals_of_stage_2() {
    for adversarial in [false, true] {
        // Alone: an adversarial SMMU takes the entry at its word, and the fault is the one that a walk gives.
        let vm = Vm::new(adversarial);
        vm.map(IPA, PA, s2_ro());
        let walked = vm.ask(ALONE, IPA + 0x10, WRITE).unwrap_err();
        assert_eq!(vm.read(ALONE, IPA), Ok(PA));
        assert_eq!(vm.ask(ALONE, IPA + 0x10, WRITE).unwrap_err(), walked);
        assert_eq!((walked.kind, walked.stage2, walked.ipa), (FaultKind::Permission, true, IPA + 0x10));
        vm.map(IPA, PA, s2_rw());
        assert_eq!(vm.ask(ALONE, IPA, WRITE).is_ok(), !adversarial);
        // Nested: the IPA is not cached, so it is found again.
        let vm = Vm::new(adversarial);
        vm.map(IPA, PA, s2_ro());
        assert!(!vm.ask(NESTED, VA, READ).unwrap().perm.write);
        let fault = vm.ask(NESTED, VA + 0x10, WRITE).unwrap_err();
        assert_eq!((fault.kind, fault.stage2, fault.ipa), (FaultKind::Permission, true, IPA + 0x10));
    }
}

#[test]
fn the_first_write_makes_both_stages_dirty() {
    let vm = Vm::new(false);
    let with_httu = |cd: Cd0| cd.with_ha(1).with_hd(1);
    vm.rig.guest.set_cd(&vm.rig.contexts, 1, &edit_cd(cd(&vm.first, 5), with_httu));
    let ste = with_stage2(ste_stage1(vm.rig.contexts.base, 8, s1fmt::LINEAR, 0), &vm.second, VMID);
    vm.set_ste(NESTED, &edit_ste2(ste, |s: Ste2| s.with_s2ha(1).with_s2hd(1)));
    vm.rig.guest.map(&vm.first, VA, IPA, 3, user_clean());
    vm.map(IPA, PA, s2_clean());
    assert!(!vm.ask(NESTED, VA, READ).unwrap().perm.write);
    assert_eq!(vm.rig.guest.mem.updates(), 0);
    assert!(vm.ask(NESTED, VA, WRITE).unwrap().perm.write);
    assert_eq!(vm.rig.guest.mem.updates(), 2);
    let walks = vm.rig.smmu.stats().walks;
    assert!(vm.ask(NESTED, VA, WRITE).is_ok() && vm.ask(NESTED, VA, READ).unwrap().perm.write);
    assert_eq!((vm.rig.smmu.stats().walks, vm.rig.guest.mem.updates()), (walks, 2));
}

#[test]
fn tables_of_stage_2_stay_until_they_are_invalidated_in_an_adversarial_smmu() {
    for adversarial in [false, true] {
        for level in [0u32, 1, 2] {
            for sid in [ALONE, NESTED] {
                let vm = Vm::new(adversarial);
                let addr = if sid == ALONE { IPA } else { VA };
                let spare = vm.rig.guest.tables(12, 48);
                vm.rig.guest.map2(&spare, IPA, NEW, 3, s2_rw());
                vm.rig.guest.map_memory(&spare, 3, s2_rw());
                assert_eq!(vm.read(sid, addr), Ok(PA));
                let other = vm.rig.guest.mem.get(vm.rig.guest.pte_addr(&spare, IPA, level));
                vm.rig.guest.mem.put(vm.rig.guest.pte_addr(&vm.second, IPA, level), other);
                let leaves = Invalidation::Ipa { vmid: VMID, pages: Pages { leaf: true, ..page(IPA) } };
                vm.forget(leaves);
                vm.forget(va_of(VMID, None, Pages { leaf: true, ..page(VA) }));
                let old = if adversarial { PA } else { NEW };
                assert_eq!(vm.read(sid, addr), Ok(old), "level {level}");
                vm.forget(ipa(VMID, IPA));
                vm.forget(va_of(VMID, None, page(VA)));
                assert_eq!(vm.read(sid, addr), Ok(NEW), "level {level}");
            }
        }
    }
}

/// §13.1.1: an atomic that stage 2 refuses for want of read permission alone is recorded as a read, also where the page is
/// writable-clean; every other refused atomic as a write.
#[test]
fn a_refused_atomic_is_recorded_as_what_it_lacks() {
    use crate::smmuv3::testing::ATOMIC;
    for (stage, adversarial, cached) in [NESTED, ALONE].into_iter().flat_map(|stage| {
        [(stage, false, false), (stage, true, false), (stage, false, true), (stage, true, true)]
    }) {
        let vm = Vm::new(adversarial);
        let with_dbm = |ste2: Ste2| ste2.with_s2ha(1).with_s2hd(1);
        let addr = if stage == ALONE { IPA } else { VA };
        let ste = ste_stage1(vm.rig.contexts.base, 8, s1fmt::LINEAR, s1dss::BYPASS);
        vm.set_ste(NESTED, &edit_ste2(with_stage2(ste, &vm.second, VMID), with_dbm));
        vm.set_ste(ALONE, &edit_ste2(with_stage2(Default::default(), &vm.second, VMID), with_dbm));
        for (page, rnw) in [
            (s2_rw().with_s2ap0(0), 1),
            (s2_clean().with_s2ap0(0), 1),
            (s2_ro(), 0),
            (s2_ro().with_s2ap0(0), 0),
        ] {
            vm.map(IPA, PA, page);
            vm.forget(Invalidation::Vmid { vmid: VMID });
            if cached {
                // Whichever is allowed puts the page into the caches.
                let _ = (vm.ask(stage, addr, READ), vm.ask(stage, addr, WRITE));
            }
            let fault = vm.ask(stage, addr, ATOMIC).unwrap_err();
            assert_eq!((fault.kind, fault.stage2), (FaultKind::Permission, true));
            let record = crate::smmuv3::event::encode(&fault);
            assert_eq!(record[1] >> 35 & 1, rnw, "{page:?} {stage} {adversarial} {cached}");
        }
    }
    // Stage 1 has no page that may be written and not read.
    let rig = Rig::new(false);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, IPA, 3, user_ro());
    let fault = rig.ask(Some(1), VA, ATOMIC).unwrap_err();
    assert_eq!(crate::smmuv3::event::encode(&fault)[1] >> 35 & 1, 0);
}

/// A block of stage 1 that stage 2 cuts up: whatever names a part of it names all of it. That comes to an end, in the caches
/// and in what caches outside are told, and after a reset; whatever is entered in parts anew is found again.
#[test]
fn blocks_in_parts_do_not_coarsen_commands_for_ever() {
    for adversarial in [false, true] {
        let vm = Vm::new(adversarial);
        let block = 3u64 << 30;
        vm.rig.guest.map(&vm.first, block, 1 << 35, 1, user_rw());
        let parts = [0, 5, 0x3_ffff].map(|n: u64| n << 12);
        for part in parts {
            vm.map((1 << 35) + part, PA + part, s2_rw());
        }
        vm.map(IPA + 0x1000, PA + 0x1000, s2_rw());
        vm.rig.guest.map(&vm.first, VA + 0x1000, IPA + 0x1000, 3, user_rw());
        let smmu = &vm.rig.smmu;
        let is_outside = |bits| assert_eq!((smmu.ignored_bits(), smmu.owes_everything()), (bits, false));
        let va_7 = |addr| va_of(VMID, Some(5), page(addr));
        let enter = || parts.map(|part| assert_eq!(vm.read(NESTED, block + part), Ok(PA + part)));
        is_outside(0);
        for round in 0..3 {
            enter();
            is_outside(30);
            // The guest replaces the block, and invalidates by one address of it.
            vm.rig.guest.unmap(&vm.first, block, 1);
            vm.forget(va_7(block + 0x7000));
            for part in parts {
                assert_eq!(vm.read(NESTED, block + part), Err(FaultKind::Translation), "round {round}");
            }
            vm.rig.guest.map(&vm.first, block, 1 << 35, 1, user_rw());
            enter();
            for _ in 0..200 {
                vm.forget(va_7(VA + 0x1000));
            }
            if adversarial {
                is_outside(30);
                continue;
            }
            assert!(smmu.owes_everything(), "parts are gone, and caches outside do not know");
            smmu.outside_forgets();
            is_outside(0);
            // A command takes what it names again, and no more.
            vm.read(NESTED, VA).unwrap();
            let walks = smmu.stats().walks;
            vm.forget(va_7(VA + 0x1000));
            vm.read(NESTED, VA).unwrap();
            assert_eq!(smmu.stats().walks, walks);
        }
        enter();
        smmu.outside_forgets();
        is_outside(30);
        smmu.reset();
        is_outside(0);
        enter();
        vm.forget(Invalidation::NsnhAll);
        assert!(smmu.owes_everything());
    }
}
