// SPDX-License-Identifier: GPL-2.0-or-later
//! What is cached of EL2, and which commands forget it (`IHI0070 §3.17.5`, `§4.4.2`).

use super::*;

const EL1: Regime = Regime::El1 { vmid: 0 };

/// A rig whose stream belongs to EL2, with one address space, ASID 5.
fn host(e2h: bool, adversarial: bool) -> (Rig, Tables) {
    let mut rig = Rig::with_features(Features { hyp: true, adversarial, ..Features::default() });
    rig.streams.e2h = e2h;
    let ste = ste_stage1(rig.contexts.base, 8, s1fmt::LINEAR, s1dss::SSID0);
    rig.guest.set_ste(&rig.streams, SID, &edit_ste1(ste, |s| s.with_strw(0b10)));
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
    (rig, tables)
}

fn el2_va(asid: Option<u16>, addr: u64) -> Invalidation {
    let pages = Pages { addr, size: 4096, granule_log2: None, level: None, leaf: false };
    Invalidation::Va { regime: Regime::El2, asid, pages }
}

#[test]
fn pages_of_el2() {
    let el2 = Regime::El2;
    // What is named without E2H, with it, and by neither.
    let always = [el2_va(None, VA), Invalidation::FirstStage { regime: el2 }];
    let host_only = [el2_va(Some(5), VA), Invalidation::Asid { regime: el2, asid: 5 }];
    let never = [
        el2_va(None, VA + 0x1000),
        el2_va(Some(6), VA),
        Invalidation::Asid { regime: el2, asid: 6 },
        va_of(0, None, Pages { addr: VA, size: 4096, granule_log2: None, level: None, leaf: false }),
        Invalidation::Asid { regime: EL1, asid: 5 },
        Invalidation::FirstStage { regime: EL1 },
        Invalidation::Vmid { vmid: 0 },
        Invalidation::NsnhAll,
    ];
    for e2h in [false, true] {
        let forgets = |what: Invalidation, adversarial: bool| {
            let (rig, tables) = host(e2h, adversarial);
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            rig.guest.map(&tables, VA, 0xa000_0000, 3, user_rw());
            assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
            rig.smmu.invalidate(&what);
            rig.read(1, VA) == Ok(0xa000_0000)
        };
        for adversarial in [false, true] {
            assert!(always.iter().all(|what| forgets(*what, adversarial)), "E2H {e2h}");
            if e2h {
                assert!(host_only.iter().all(|what| forgets(*what, adversarial)));
            }
        }
        for what in never {
            assert!(!forgets(what, true), "E2H {e2h}: {what:?}");
        }
    }
}

#[test]
fn worlds_do_not_mix() {
    let (rig, _) = host(true, false);
    assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    // The same tables and ASID, seen by EL1.
    let ste = ste_stage1(rig.contexts.base, 8, s1fmt::LINEAR, s1dss::SSID0);
    rig.guest.set_ste(&rig.streams, SID, &ste);
    rig.smmu.invalidate(&Invalidation::Ste { sid: SID });
    let walks = rig.smmu.stats().walks;
    assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    assert_eq!(rig.smmu.stats().walks, walks + 1);
    // At EL2 substreams do not tell address spaces apart.
    let (rig, tables) = host(false, false);
    rig.guest.set_cd(&rig.contexts, 2, &cd(&tables, 6));
    assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    let walks = rig.smmu.stats().walks;
    assert_eq!(rig.read(2, VA), Ok(0x9000_0000));
    assert_eq!(rig.smmu.stats().walks, walks);
}

#[test]
fn el2_forgets_nothing_of_el1_in_an_adversarial_smmu() {
    for what in [
        el2_va(None, VA),
        Invalidation::FirstStage { regime: Regime::El2 },
        Invalidation::Asid { regime: Regime::El2, asid: 5 },
    ] {
        let rig = Rig::with_features(Features { hyp: true, adversarial: true, ..Features::default() });
        let tables = rig.process(1, 5);
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
        rig.guest.map(&tables, VA, 0xa000_0000, 3, user_rw());
        rig.smmu.invalidate(&what);
        assert_eq!(rig.read(1, VA), Ok(0x9000_0000), "{what:?}");
    }
}
