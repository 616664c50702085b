// SPDX-License-Identifier: GPL-2.0-or-later
//! Translation requests in which stage 2 has a part, and split-stage ATS with its translated transactions
//! (`IHI0070 §13.6.3`).

use super::*;
use crate::iommu::AtsTranslation;
use crate::smmuv3::fault::FaultClass;
use crate::smmuv3::features::Httu;
use crate::smmuv3::spec::pte::{Pte, S2Pte};
use crate::smmuv3::spec::ste::{Ste1, Ste2, eats, instcfg};

/// A stream with both stages.
const NESTED: u32 = SID;
/// A stream with stage 2 alone, of the same virtual machine.
const ALONE: u32 = SID + 1;
const VMID: u16 = 7;
const IPA: u64 = 0x9_4000_0000;
const PA: u64 = 0x5_4000_0000;
const READ_WRITE: Access = Access { read: true, ..WRITE };
const NONE: Result<AtsTranslation, FaultKind> = Ok(AtsTranslation::NONE);

struct Vm {
    rig: Rig,
    first: Tables,
    second: Tables,
}

impl Vm {
    fn new(features: Features) -> Self {
        let rig = Rig::with_features(features);
        let first = rig.process(1, 5);
        let second = rig.guest.tables(12, 48);
        let vm = Self { rig, first, second };
        // Stage 1's tables lie below its own.
        vm.rig.guest.unmap(&vm.first, VA, 3);
        vm.map_tables();
        vm.streams(eats::FULL, |ste1| ste1, |ste2| ste2);
        vm
    }

    /// What both streams are like; that of stage 2 alone has all of ATS, always.
    fn streams(&self, eats: u64, one: impl Fn(Ste1) -> Ste1, two: impl Fn(Ste2) -> Ste2) {
        let ste = ste_stage1(self.rig.contexts.base, 8, s1fmt::LINEAR, s1dss::BYPASS);
        for (sid, ste, eats) in [(NESTED, ste, eats), (ALONE, Ste::default(), eats::FULL)] {
            let ste = with_stage2(ste, &self.second, VMID);
            let ste = edit_ste2(edit_ste1(ste, |ste1| one(ste1.with_eats(eats))), &two);
            self.rig.guest.set_ste(&self.rig.streams, sid, &ste);
        }
        self.forget();
    }

    fn forget(&self) {
        self.rig.smmu.invalidate(&Invalidation::All);
        self.rig.smmu.invalidate(&Invalidation::NsnhAll);
    }

    fn map_tables(&self) {
        self.rig.guest.map_memory(&self.second, 3, s2_rw());
    }

    /// Both stages' leaves on the way from [`VA`].
    fn map(&self, (level, first): (u32, Pte), (level2, second): (u32, S2Pte)) {
        self.rig.guest.map(&self.first, VA, IPA, level, first);
        self.rig.guest.map2(
            &self.second,
            IPA | VA & size_mask(self.first.shift(level) as u8),
            PA,
            level2,
            second,
        );
        self.map_tables();
        self.forget();
    }

    fn map_pages(&self, first: Pte, second: S2Pte) {
        self.map((3, first), (3, second));
    }

    fn ats_of(&self, req: &DmaRequest) -> Result<AtsTranslation, FaultKind> {
        let answer = self.rig.smmu.ats_translate(&self.rig.guest.mem, &self.rig.streams, req);
        answer.map_err(|fault| fault.kind)
    }

    fn ats(&self, access: Access) -> Result<AtsTranslation, FaultKind> {
        self.ats_of(&request(NESTED, Some(1), VA, access))
    }

    fn alone(&self, access: Access) -> Result<AtsTranslation, FaultKind> {
        self.ats_of(&request(ALONE, None, IPA, access))
    }

    fn translated(&self, addr: u64, access: Access) -> Result<Translation, Fault> {
        let req = request(NESTED, None, addr, access);
        self.rig.smmu.translated(&self.rig.guest.mem, &self.rig.streams, &req)
    }

    fn passes(&self, addr: u64, access: Access) -> Result<u64, FaultKind> {
        self.translated(addr, access).map(|t| t.addr).map_err(|fault| fault.kind)
    }
}

fn answer(addr: u64, log2size: u8, read: bool, write: bool) -> AtsTranslation {
    AtsTranslation { addr, log2size, read, write, ..AtsTranslation::NONE }
}

fn both() -> [Features; 2] {
    [false, true].map(|adversarial| Features { adversarial, ..Features::default() })
}

#[test]
fn the_smaller_page_and_one_address_or_the_other() {
    for f in both() {
        for (level, level2) in [(3, 3), (2, 3), (3, 2), (2, 2), (1, 2), (2, 1)] {
            let vm = Vm::new(f);
            vm.map((level, user_rw()), (level2, s2_rw()));
            let (log1, log2) = (vm.first.shift(level) as u8, vm.second.shift(level2) as u8);
            let log2size = log1.min(log2);
            let ipa = IPA & !size_mask(log1) | VA & size_mask(log1);
            let pa = PA & !size_mask(log2) | ipa & size_mask(log2);
            for (eats, addr) in [(eats::FULL, pa), (eats::SPLIT, ipa)] {
                vm.streams(eats, |ste1| ste1, |ste2| ste2);
                let expected = answer(addr & !size_mask(log2size), log2size, true, true);
                for _ in 0..2 {
                    assert_eq!(vm.ats(READ_WRITE), Ok(expected), "levels {level} {level2}");
                    assert_eq!(vm.rig.read(1, VA), Ok(pa), "shared with ordinary requests");
                    let passed = vm.passes(expected.addr | VA & size_mask(log2size), WRITE);
                    assert_eq!(passed, Ok(pa), "and where they come out");
                }
            }
            let page = answer(PA & !size_mask(log2), log2, true, true);
            for _ in 0..2 {
                assert_eq!(vm.ats_of(&request(ALONE, None, ipa, READ_WRITE)), Ok(page));
            }
        }
    }
}

/// `IHI0070 §13.7.1`: what both stages allow, to the privilege of the request.
#[test]
fn permissions_are_what_both_stages_allow() {
    let exec = |access| Access { exec: true, ..access };
    let first = || user_rw().with_uxn(0).with_pxn(0);
    let (rx, ro) = (user_ro().with_uxn(0).with_pxn(0), user_ro());
    // XN[1:0]: 0b01 is for the unprivileged, 0b11 for the privileged.
    let xn = |bits: u64| s2_rw().with_xn1(bits >> 1).with_xn0(bits & 1);
    let rows = [
        // Stage 1, stage 2, request, and what of read, write, execute.
        (first(), s2_rw(), READ_WRITE, [true, true, false]),
        (first(), s2_rw(), READ, [true, false, false]),
        (first(), s2_ro(), READ_WRITE, [true, false, false]),
        (ro, s2_rw(), READ_WRITE, [true, false, false]),
        (first(), s2_ro().with_s2ap0(0).with_s2ap1(1), READ_WRITE, [false, true, false]),
        (first(), s2_ro().with_s2ap0(0).with_s2ap1(1), READ, [false, false, false]),
        (first(), s2_ro().with_s2ap0(0), READ_WRITE, [false, false, false]),
        (rx, s2_rw(), exec(READ), [true, false, true]),
        (ro, s2_rw(), exec(READ), [true, false, false]),
        (rx, xn(0b10), exec(READ), [true, false, false]),
        (rx, xn(0b01), exec(READ), [true, false, true]),
        (rx, xn(0b01), privileged(exec(READ)), [true, false, false]),
        (rx, xn(0b11), exec(READ), [true, false, false]),
        (rx, xn(0b11), privileged(exec(READ)), [true, false, true]),
        (kernel_rw(), s2_rw(), READ_WRITE, [false, false, false]),
        (kernel_rw(), s2_ro(), privileged(READ_WRITE), [true, false, false]),
        (user_rw().with_ng(0), s2_rw(), READ_WRITE, [true, true, false]),
    ];
    for f in both() {
        let vm = Vm::new(f);
        for (n, (first, second, access, [read, write, exec])) in rows.into_iter().enumerate() {
            vm.map_pages(first, second);
            for (eats, addr) in [(eats::FULL, PA), (eats::SPLIT, IPA)] {
                vm.streams(eats, |ste1| ste1, |ste2| ste2);
                let expected = if read || write {
                    let found = answer(addr, 12, read, write);
                    AtsTranslation { exec, privileged: access.privileged, ..found }
                } else {
                    AtsTranslation::NONE
                };
                // Never global: there is a PASID.
                assert_eq!(vm.ats(access), Ok(expected), "row {n}");
                assert_eq!(vm.ats(access), Ok(expected), "row {n}, cached");
            }
        }
        // Without stage 1, and without a PASID, only reads and writes.
        vm.streams(eats::FULL, |ste1| ste1, |ste2| ste2);
        for (second, expected) in [
            (s2_rw(), answer(PA, 12, true, true)),
            (s2_ro(), answer(PA, 12, true, false)),
            (xn(0b01), answer(PA, 12, true, true)),
            (s2_ro().with_s2ap0(0), AtsTranslation::NONE),
        ] {
            vm.map_pages(user_rw(), second);
            assert_eq!(vm.alone(privileged(exec(READ_WRITE))), Ok(expected));
            assert_eq!(vm.ats_of(&request(NESTED, None, IPA, READ_WRITE)), Ok(expected), "S1DSS");
        }
        assert_eq!(vm.ats_of(&request(ALONE, Some(1), IPA, READ)), Err(FaultKind::BadSubstreamId));
    }
}

/// `IHI0070 §3.9.1.2`: what ordinary requests would fault with is an answer without permissions, wherever stage 2 faults.
#[test]
fn a_fault_of_stage_2_is_no_mapping() {
    let vm = Vm::new(Features::default());
    let memory = |addr: u64| addr & !0xfff;
    let leaf = memory(vm.rig.guest.pte_addr(&vm.first, VA, 3));
    let context = memory(vm.rig.guest.cd_addr(&vm.rig.contexts, 1));
    for eats in [eats::FULL, eats::SPLIT] {
        vm.streams(eats, |ste1| ste1, |ste2| ste2);
        for second in [S2Pte::default(), s2_rw().with_af(0), s2_ro().with_s2ap0(0)] {
            vm.map_pages(user_rw(), second);
            if second == S2Pte::default() {
                vm.rig.guest.unmap(&vm.second, IPA, 3);
            }
            assert_eq!(vm.ats(READ_WRITE), NONE, "{second:?}");
            assert_eq!(vm.alone(READ_WRITE), NONE, "{second:?}");
        }
        vm.map_pages(user_rw(), s2_rw());
        vm.streams(eats, |ste1| ste1, |ste2| ste2.with_s2ps(0));
        assert_eq!(vm.alone(READ), NONE, "address size");
        vm.streams(eats, |ste1| ste1, |ste2| ste2);
        // Of a table of stage 1, and of the CD: not there, and not to be read.
        for place in [leaf, context] {
            for second in [None, Some(s2_ro().with_s2ap0(0))] {
                vm.map_pages(user_rw(), s2_rw());
                match second {
                    None => vm.rig.guest.unmap(&vm.second, place, 3),
                    Some(attrs) => vm.rig.guest.map2(&vm.second, place, place, 3, attrs),
                }
                assert_eq!(vm.ats(READ_WRITE), NONE, "{place:#x} {second:?}");
            }
        }
        vm.map_pages(user_rw(), s2_rw());
        assert!(vm.ats(READ_WRITE).unwrap().write, "no TLBI is due");
        assert_eq!(vm.alone(READ_WRITE), Ok(answer(PA, 12, true, true)));
    }
}

/// `IHI0070 §3.9.1.2`: where stage 1 gives nothing stage 2 is not asked, and its errors stay unseen.
#[test]
fn what_stage_1_does_not_give_stage_2_is_not_asked_for() {
    for eats in [eats::FULL, eats::SPLIT] {
        let vm = Vm::new(Features::default());
        vm.streams(eats, |ste1| ste1, |ste2| ste2.with_s2ha(1));
        vm.map_pages(kernel_rw(), s2_rw().with_af(0));
        let at = vm.rig.guest.pte_addr(&vm.second, IPA, 3);
        assert_eq!(vm.ats(READ_WRITE), NONE);
        assert_eq!(S2Pte::from(vm.rig.guest.mem.get(at)).af(), 0, "nobody used it");
        assert!(vm.ats(privileged(READ)).unwrap().read);
        assert_eq!(S2Pte::from(vm.rig.guest.mem.get(at)).af(), 1);
        vm.forget();
        vm.rig.guest.mem.hole(at & !0xfff..at | 0xfff);
        assert_eq!(vm.ats(READ_WRITE), NONE);
        assert_eq!(vm.ats(privileged(READ)), Err(FaultKind::WalkAbort));
        // What executes and no more is nothing, unless reads are fetches.
        let vm = Vm::new(Features::default());
        vm.map_pages(kernel_rw().with_uxn(0), s2_rw());
        vm.streams(eats, |ste1| ste1, |ste2| ste2);
        let exec = Access { exec: true, ..READ };
        assert_eq!(vm.ats(exec), NONE);
        vm.streams(eats, |ste1| ste1.with_instcfg(instcfg::INSTRUCTION), |ste2| ste2);
        let found = vm.ats(exec).unwrap();
        assert!(found.read && found.exec && !found.write);
    }
}

/// `IHI0070 §13.7`: asking is using, in both stages.
#[test]
fn flags_of_both_stages_are_set_by_asking() {
    for eats in [eats::FULL, eats::SPLIT] {
        let vm = Vm::new(Features { httu: Httu::Dirty, ..Features::default() });
        let flags = |ste2: Ste2| ste2.with_s2ha(1).with_s2hd(1);
        vm.streams(eats, |ste1| ste1, flags);
        vm.rig.guest.set_cd(&vm.rig.contexts, 1, &edit_cd(cd(&vm.first, 5), |cd| cd.with_ha(1).with_hd(1)));
        vm.map_pages(user_clean().with_af(0), s2_clean().with_af(0));
        let pte = || Pte::from(vm.rig.guest.mem.get(vm.rig.guest.pte_addr(&vm.first, VA, 3)));
        let pte2 = || S2Pte::from(vm.rig.guest.mem.get(vm.rig.guest.pte_addr(&vm.second, IPA, 3)));
        let found = vm.ats(READ).unwrap();
        assert!(found.read && !found.write);
        assert_eq!((pte().af(), pte2().af()), (1, 1));
        assert_eq!((pte().ap2(), pte2().s2ap1()), (1, 0), "no write is meant");
        let found = vm.ats(READ_WRITE).unwrap();
        assert!(found.read && found.write);
        assert_eq!((pte().ap2(), pte2().s2ap1()), (0, 1), "dirty");
    }
}

#[test]
fn translated_transactions_of_split_stage_ats_undergo_stage_2() {
    for f in both() {
        let vm = Vm::new(f);
        vm.streams(eats::SPLIT, |ste1| ste1, |ste2| ste2);
        vm.map_pages(user_rw(), s2_ro());
        assert_eq!(vm.passes(IPA + 0x123, READ), Ok(PA + 0x123));
        let reads = vm.rig.guest.mem.reads();
        assert_eq!(vm.passes(IPA + 0x456, READ), Ok(PA + 0x456));
        assert_eq!(vm.rig.guest.mem.reads(), reads, "both caches have it");
        // Shared with a stream of stage 2 alone.
        assert_eq!(vm.rig.smmu.stats().walks, 1);
        assert!(vm.alone(READ).unwrap().read);
        assert_eq!(vm.rig.smmu.stats().walks, 1);

        let fault = vm.translated(IPA + 0x123, WRITE).unwrap_err();
        assert_eq!((fault.kind, fault.stage2, fault.class), (FaultKind::Permission, true, FaultClass::Input));
        assert_eq!((fault.request.addr, fault.ipa), (IPA + 0x123, IPA + 0x123));
        assert_eq!((fault.action, fault.record, fault.substream), (FaultAction::Abort, true, None));
        assert_eq!(vm.translated(IPA + 0x1000, READ).unwrap_err().kind, FaultKind::Translation);
        let far = vm.translated(1 << 48, READ).unwrap_err();
        assert_eq!((far.kind, far.stage2, far.record), (FaultKind::AddressSize, false, true), "of the input");

        // Old until a command names it: the page, and what the STE says.
        vm.rig.guest.map2(&vm.second, IPA, PA + 0x1000, 3, s2_rw());
        assert_eq!(vm.passes(IPA, READ), Ok(PA));
        let pages = Pages { addr: IPA, size: 4096, granule_log2: None, level: None, leaf: false };
        vm.rig.smmu.invalidate(&va_of(VMID, None, pages));
        assert_eq!(vm.passes(IPA, READ), Ok(PA), "stage 1 has no part in it");
        vm.rig.smmu.invalidate(&Invalidation::Ipa { vmid: VMID, pages });
        assert_eq!(vm.passes(IPA, WRITE), Ok(PA + 0x1000));
        vm.streams(eats::SPLIT, |ste1| ste1, |ste2| ste2.with_s2r(0));
        assert!(!vm.translated(IPA + 0x1000, READ).unwrap_err().record);
        let ste = vm.rig.guest.ste_addr(&vm.rig.streams, NESTED) + 8;
        vm.rig.guest.mem.put(ste, Ste1::from(vm.rig.guest.mem.get(ste)).with_eats(eats::FULL).bits());
        vm.rig.smmu.invalidate(&Invalidation::Cd { sid: NESTED, ssid: 1 });
        assert_eq!(vm.passes(IPA, READ), Ok(PA + 0x1000), "no CD");
        vm.rig.smmu.invalidate(&Invalidation::Ste { sid: NESTED });
        assert_eq!(vm.passes(IPA, READ), Ok(IPA));
        let silent = vm.translated(1 << 48, READ).unwrap_err();
        assert!(!silent.record, "§3.9.1.1");
    }
}

/// `IHI0070 §3.9.1.3`, `§13.7`: unprivileged data, as `STE.PRIVCFG` and `STE.INSTCFG` override it.
#[test]
fn attributes_of_translated_transactions() {
    let vm = Vm::new(Features::default());
    let fetch = Access { exec: true, privileged: true, ..READ };
    vm.map_pages(user_rw(), s2_rw().with_xn1(1).with_xn0(1));
    vm.streams(eats::SPLIT, |ste1| ste1, |ste2| ste2);
    assert_eq!(vm.passes(IPA, fetch), Ok(PA), "not what the request says");
    vm.streams(eats::SPLIT, |ste1| ste1.with_instcfg(instcfg::INSTRUCTION), |ste2| ste2);
    let fault = vm.translated(IPA, READ).unwrap_err();
    assert_eq!((fault.kind, fault.instruction, fault.privileged), (FaultKind::Permission, true, false));
    // XN 0b11: the privileged may.
    let privileged = |ste1: Ste1| ste1.with_instcfg(instcfg::INSTRUCTION).with_privcfg(0b11);
    vm.streams(eats::SPLIT, privileged, |ste2| ste2);
    assert_eq!(vm.passes(IPA, READ), Ok(PA));
}

/// `IHI0070 §13.6.5`: without a PASID stage 1 is skipped, and every address is its own intermediate one.
#[test]
fn split_stage_ats_that_skips_stage_1() {
    for f in both() {
        let vm = Vm::new(f);
        vm.streams(eats::SPLIT, |ste1| ste1, |ste2| ste2);
        for (level, second) in [(3, s2_rw()), (2, s2_ro())] {
            vm.map((3, user_rw()), (level, second));
            let log2size = vm.second.shift(level) as u8;
            let req = request(NESTED, None, IPA + 0x345, READ_WRITE);
            let page = answer(IPA & !size_mask(log2size), log2size, true, level == 3);
            for _ in 0..2 {
                assert_eq!(vm.ats_of(&req), Ok(page));
            }
            assert_eq!(
                vm.passes(IPA + 0x345, READ),
                Ok(PA & !size_mask(log2size) | (IPA + 0x345) & size_mask(log2size))
            );
        }
        assert_eq!(vm.ats_of(&request(NESTED, None, 1 << 48, READ)), NONE);
    }
}

/// `IHI0070 §5.2`, `EATS`: where split-stage ATS may be.
#[test]
fn where_split_stage_ats_may_be() {
    let split = |vm: &Vm, change: &dyn Fn(Ste) -> Ste| {
        let ste = ste_stage1(vm.rig.contexts.base, 8, s1fmt::LINEAR, s1dss::BYPASS);
        let ste = edit_ste1(change(ste), |ste1| ste1.with_eats(eats::SPLIT));
        vm.rig.guest.set_ste(&vm.rig.streams, NESTED, &ste);
        vm.forget();
        let ordinary = vm.rig.ask(Some(1), VA, READ).map(|t| t.addr).map_err(|fault| fault.kind);
        (ordinary, vm.ats(READ).map(|found| found.addr), vm.passes(IPA, READ))
    };
    let vm = Vm::new(Features::default());
    vm.map_pages(user_rw(), s2_rw());
    let illegal = || (Err(FaultKind::BadSte), Err(FaultKind::BadSte), Err(FaultKind::BadSte));
    let nested = |ste| with_stage2(ste, &vm.second, VMID);
    assert_eq!(split(&vm, &nested), (Ok(PA), Ok(IPA), Ok(PA)));
    assert_eq!(split(&vm, &|ste| ste), illegal(), "stage 1 alone");
    assert_eq!(split(&vm, &|_| nested(Ste::default())), illegal(), "stage 2 alone");
    assert_eq!(split(&vm, &|ste| edit_ste2(nested(ste), |ste2| ste2.with_s2s(1))), illegal());
    // Bypass has no ATS, and the field no meaning.
    let (_, ats, translated) = split(&vm, &|_| ste_bypass());
    assert_eq!((ats, translated), (Err(FaultKind::BadAtsRequest), Err(FaultKind::TranslationForbidden)));
    assert_eq!(vm.rig.ask(None, IPA, READ).map(|t| t.addr), Ok(IPA));
    // Without CR0.ATSCHK it is no ATS, and no error.
    let mut vm = vm;
    vm.rig.streams.check_ats = false;
    let nested = |ste| with_stage2(ste, &vm.second, VMID);
    assert_eq!(
        split(&vm, &nested),
        (Ok(PA), Err(FaultKind::BadAtsRequest), Err(FaultKind::TranslationForbidden))
    );
    // IDR0.NS1ATS.
    let without = Vm::new(Features { ats_split: false, ..Features::default() });
    without.map_pages(user_rw(), s2_rw());
    let nested = |ste| with_stage2(ste, &without.second, VMID);
    assert_eq!(split(&without, &nested), illegal());
}

#[test]
fn invalidation_reaches_answers_of_both_stages() {
    for f in both() {
        for eats in [eats::FULL, eats::SPLIT] {
            let vm = Vm::new(f);
            vm.streams(eats, |ste1| ste1, |ste2| ste2);
            vm.map_pages(user_rw(), s2_rw());
            let page = vm.ats(READ_WRITE).unwrap();
            vm.rig.guest.map(&vm.first, VA, IPA + 0x1000, 3, user_ro());
            vm.rig.guest.map2(&vm.second, IPA + 0x1000, PA + 0x1000, 3, s2_rw());
            vm.rig.smmu.invalidate(&Invalidation::Vmid { vmid: VMID });
            let read_only = answer(page.addr + 0x1000, 12, true, false);
            assert_eq!(vm.ats(READ_WRITE), Ok(read_only));
        }
    }
}
