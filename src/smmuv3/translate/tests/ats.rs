// SPDX-License-Identifier: GPL-2.0-or-later
//! Translation requests.

use super::*;
use crate::iommu::AtsTranslation;
use crate::smmuv3::spec::pte::Pte;
use crate::smmuv3::spec::ste::{Ste1, eats, instcfg};

const NO_WRITE: Access = READ;
const READ_WRITE: Access = Access { read: true, ..WRITE };

/// A rig whose stream may ask for translations.
fn rig(adversarial: bool) -> Rig {
    let rig = Rig::new(adversarial);
    stream(&rig, |ste1| ste1);
    rig
}

fn stream(rig: &Rig, change: impl Fn(Ste1) -> Ste1) {
    let ste = ste_stage1(rig.contexts.base, 8, s1fmt::LINEAR, s1dss::SSID0);
    rig.guest.set_ste(&rig.streams, SID, &edit_ste1(ste, |ste1| change(ste1.with_eats(eats::FULL))));
    rig.smmu.invalidate(&Invalidation::All);
}

impl Rig {
    fn ats(&self, ssid: Option<u32>, addr: u64, access: Access) -> Result<AtsTranslation, FaultKind> {
        let req = request(SID, ssid, addr, access);
        self.smmu.ats_translate(&self.guest.mem, &self.streams, &req).map_err(|fault| fault.kind)
    }
}

fn answer(addr: u64, log2size: u8, read: bool, write: bool) -> AtsTranslation {
    AtsTranslation { addr, log2size, read, write, ..AtsTranslation::NONE }
}

#[test]
fn pages_and_blocks() {
    for (level, log2size) in [(3, 12), (2, 21), (1, 30)] {
        for adversarial in [false, true] {
            let rig = rig(adversarial);
            let tables = rig.process(1, 5);
            let base = VA & !size_mask(log2size);
            rig.guest.map(&tables, base, 1 << 40, level, user_rw());
            let page = answer(1 << 40, log2size, true, false);
            assert_eq!(rig.ats(Some(1), VA, NO_WRITE), Ok(page));
            assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(AtsTranslation { write: true, ..page }));
            let reads = rig.guest.mem.reads();
            assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(AtsTranslation { write: true, ..page }));
            assert_eq!(rig.guest.mem.reads(), reads, "from the IOTLB");
            assert_eq!(
                rig.read(1, VA),
                Ok(1 << 40 | (VA & size_mask(log2size))),
                "shared with ordinary requests"
            );
        }
    }
}

/// `IHI0070 §13.7`: asking is using. A request that will not write leaves a clean page clean.
#[test]
fn flags_are_set_by_asking() {
    let rig = rig(false);
    let tables = rig.process(1, 5);
    rig.guest.set_cd(&rig.contexts, 1, &edit_cd(cd(&tables, 5), |cd| cd.with_ha(1).with_hd(1)));
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_clean().with_af(0));
    let pte = || Pte::from(rig.guest.mem.get(rig.guest.pte_addr(&tables, VA, 3)));
    assert_eq!(rig.ats(Some(1), VA, NO_WRITE), Ok(answer(0x9000_0000, 12, true, false)));
    assert_eq!((pte().af(), pte().ap2()), (1, 1));
    assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(answer(0x9000_0000, 12, true, true)));
    assert_eq!(pte().ap2(), 0, "dirty");
}

#[test]
fn nothing_there_is_no_fault_and_is_not_kept() {
    let rig = rig(false);
    let tables = rig.process(1, 5);
    let none = Ok(AtsTranslation::NONE);
    assert_eq!(rig.ats(Some(1), VA, READ_WRITE), none);
    assert_eq!(rig.ats(Some(1), 1 << 50, READ_WRITE), none);
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw().with_af(0));
    assert_eq!(rig.ats(Some(1), VA, READ_WRITE), none, "access flag");
    rig.guest.set_cd(&rig.contexts, 1, &edit_cd(cd(&tables, 5), |cd| cd.with_ips(0)));
    rig.smmu.invalidate(&Invalidation::All);
    rig.guest.map(&tables, VA, 1 << 40, 3, user_rw());
    assert_eq!(rig.ats(Some(1), VA, READ_WRITE), none, "address size");
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_ro());
    assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(answer(0x9000_0000, 12, true, false)), "part of it");
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
    assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(answer(0x9000_0000, 12, true, true)), "no TLBI is due");
}

#[test]
fn what_no_page_request_could_mend() {
    let rig = rig(false);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
    assert_eq!(rig.ats(Some(9), VA, READ_WRITE), Err(FaultKind::BadCd));
    assert_eq!(rig.ats(Some(1 << 8), VA, READ_WRITE), Err(FaultKind::BadSubstreamId));
    assert_eq!(rig.ats(Some(0), VA, READ_WRITE), Err(FaultKind::StreamDisabled));
    let table = Pte::from(rig.guest.mem.get(rig.guest.pte_addr(&tables, VA, 2))).bits() & 0xffff_ffff_f000;
    rig.guest.mem.hole(table..table + 0x1000);
    assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Err(FaultKind::WalkAbort));
}

/// `IHI0070 §3.9.1.2`: what the stream says of ATS comes before everything else, cached or not.
#[test]
fn streams_that_may_not_ask() {
    let rig = rig(false);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
    let check = |expected| {
        rig.smmu.invalidate(&Invalidation::All);
        assert_eq!(rig.ats(Some(1), VA, NO_WRITE).err(), expected, "not cached");
        let _ = rig.read(1, VA);
        assert_eq!(rig.ats(Some(1), VA, NO_WRITE).err(), expected, "cached");
    };
    check(None);
    for (value, expected) in [
        (eats::NONE, Some(FaultKind::BadAtsRequest)),
        (eats::SPLIT, Some(FaultKind::BadSte)),
        (3, Some(FaultKind::BadAtsRequest)),
    ] {
        stream(&rig, |ste1| ste1.with_eats(value));
        check(expected);
    }
    rig.guest.set_ste(&rig.streams, SID, &edit_ste1(ste_bypass(), |ste1| ste1.with_eats(eats::FULL)));
    check(Some(FaultKind::BadAtsRequest));
    rig.guest.set_ste(&rig.streams, SID, &ste_abort());
    check(Some(FaultKind::StreamDisabled));
    // Without ATS the field means nothing.
    let plain = Rig::with_features(Features { ats: false, pri: false, ..Features::default() });
    let tables = plain.process(1, 5);
    plain.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
    let ste = ste_stage1(plain.contexts.base, 8, s1fmt::LINEAR, s1dss::SSID0);
    plain.guest.set_ste(&plain.streams, SID, &edit_ste1(ste, |ste1| ste1.with_eats(eats::SPLIT)));
    assert_eq!(plain.read(1, VA), Ok(0x9000_0000));
}

#[test]
fn a_skipped_stage_is_an_identity() {
    let rig = rig(false);
    let ste = ste_stage1(rig.contexts.base, 8, s1fmt::LINEAR, s1dss::BYPASS);
    rig.guest.set_ste(&rig.streams, SID, &edit_ste1(ste, |ste1| ste1.with_eats(eats::FULL)));
    for _ in 0..2 {
        assert_eq!(rig.ats(None, 0x1234_5678, READ_WRITE), Ok(answer(0x1220_0000, 21, true, true)));
        assert_eq!(rig.ats(None, 1 << 48, READ_WRITE), Ok(AtsTranslation::NONE));
        assert_eq!(rig.ask(None, 0x1234_5678, WRITE).unwrap().addr, 0x1234_5678);
    }
}

#[test]
fn privilege_and_execution() {
    let rig = rig(false);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_ro().with_uxn(0).with_pxn(1));
    let exec = Access { exec: true, ..READ };
    let page = answer(0x9000_0000, 12, true, false);
    assert_eq!(rig.ats(Some(1), VA, READ), Ok(page), "not asked for");
    assert_eq!(rig.ats(Some(1), VA, exec), Ok(AtsTranslation { exec: true, ..page }));
    let privileged = Access { privileged: true, ..exec };
    assert_eq!(rig.ats(Some(1), VA, privileged), Ok(AtsTranslation { privileged: true, ..page }));
    // STE.INSTCFG: reads are fetches, or fetches are reads.
    stream(&rig, |ste1| ste1.with_instcfg(instcfg::INSTRUCTION));
    assert_eq!(rig.ats(Some(1), VA, READ), Ok(page));
    assert_eq!(rig.ats(Some(1), VA, privileged), Ok(AtsTranslation::NONE));
    stream(&rig, |ste1| ste1.with_instcfg(instcfg::DATA));
    let fetch = AtsTranslation { privileged: true, exec: true, ..page };
    assert_eq!(rig.ats(Some(1), VA, privileged), Ok(fetch));
    // Without a PASID neither attribute means anything.
    stream(&rig, |ste1| ste1);
    rig.guest.set_cd(&rig.contexts, 0, &cd(&tables, 5));
    assert_eq!(rig.ats(None, VA, privileged), Ok(page));
}

#[test]
fn invalidation_reaches_answers() {
    for adversarial in [false, true] {
        let rig = rig(adversarial);
        let tables = rig.process(1, 5);
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(answer(0x9000_0000, 12, true, true)));
        rig.guest.map(&tables, VA, 0xa000_0000, 3, user_ro());
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(answer(0x9000_0000, 12, true, true)), "still old");
        rig.smmu.invalidate(&va(Some(5), VA));
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(answer(0xa000_0000, 12, true, false)));
    }
}

/// `IHI0070 §7.3.1`: `STE.MEV` is of every event that comes after the STE.
#[test]
fn events_that_may_be_merged() {
    let rig = rig(false);
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_ro());
    for mev in [0, 1] {
        let merges = |result: Result<(), Fault>, kind| {
            let fault = result.unwrap_err();
            assert_eq!((fault.kind, fault.merge), (kind, mev != 0));
        };
        stream(&rig, |ste1| ste1.with_mev(mev));
        for _ in 0..2 {
            merges(rig.ask(Some(1), VA, WRITE).map(|_| ()), FaultKind::Permission);
            merges(rig.ask(Some(1), VA + 0x1000, READ).map(|_| ()), FaultKind::Translation);
        }
        merges(rig.ask(Some(1 << 8), VA, READ).map(|_| ()), FaultKind::BadSubstreamId);
        merges(rig.ask(Some(9), VA, READ).map(|_| ()), FaultKind::BadCd);
        let ste = ste_stage1(rig.contexts.base, 8, s1fmt::LINEAR, s1dss::SSID0);
        rig.guest.set_ste(&rig.streams, SID, &edit_ste1(ste, |ste1| ste1.with_mev(mev)));
        rig.smmu.invalidate(&Invalidation::All);
        let req = request(SID, None, VA, READ);
        let (mem, streams) = (&rig.guest.mem, &rig.streams);
        merges(rig.smmu.ats_translate(mem, streams, &req).map(|_| ()), FaultKind::BadAtsRequest);
        merges(rig.smmu.translated(mem, streams, &req).map(|_| ()), FaultKind::TranslationForbidden);
        rig.guest.set_ste(&rig.streams, SID, &edit_ste1(ste_bypass(), |ste1| ste1.with_mev(mev)));
        rig.smmu.invalidate(&Invalidation::All);
        merges(rig.ask(None, 1 << 50, READ).map(|_| ()), FaultKind::AddressSize);
    }
}

/// No answer is about less than the smallest granule, which is what software makes of the endpoint's smallest translation
/// unit: neither pages nor refusals, of either stage.
#[test]
fn no_answer_is_smaller_than_the_smallest_granule() {
    for (gran4k, gran16k, gran64k, smallest) in [
        (true, true, true, 12u8),
        (true, false, false, 12),
        (false, true, true, 14),
        (false, true, false, 14),
        (false, false, true, 16),
    ] {
        let f = Features { gran4k, gran16k, gran64k, va52: gran64k, ..Features::default() };
        f.validate().unwrap();
        let rig = Rig::with_features(f);
        stream(&rig, |ste1| ste1);
        let tables = rig.guest.tables(smallest.into(), 48);
        rig.guest.set_cd(&rig.contexts, 1, &cd(&tables, 5));
        let none = AtsTranslation { log2size: smallest, ..AtsTranslation::NONE };
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(none), "no page");
        rig.guest.map(&tables, VA & !size_mask(smallest), 1 << 40, 3, user_rw());
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(answer(1 << 40, smallest, true, true)));
        rig.guest.map(&tables, VA & !size_mask(smallest), 1 << 40, 3, kernel_rw());
        rig.smmu.invalidate(&asid(5));
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(none), "no permission");
        assert_eq!(rig.ats(Some(1), 1 << 52, READ_WRITE), Ok(none), "beyond the tables");
        stream(&rig, |ste1| ste1.with_s1dss(s1dss::BYPASS));
        assert_eq!(rig.ats(None, 1 << 48, READ_WRITE), Ok(none), "beyond memory");
        assert!(rig.ats(None, VA, READ_WRITE).is_ok_and(|answer| answer.log2size >= smallest));
    }
}
