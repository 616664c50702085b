// SPDX-License-Identifier: GPL-2.0-or-later
//! Permissions that are handed to those who keep an answer and use it without asking again: QEMU's core for the rest of
//! a page, vhost for as long as it is not told otherwise.

use super::*;
use crate::iommu::Permissions;

/// A page by `AP[1]`, `AP[2]`, `UXN`, `PXN`.
fn page(bits: u64) -> crate::smmuv3::spec::pte::Pte {
    let bit = |n: u64| bits >> n & 1;
    user_rw().with_ap1(bit(0)).with_ap2(bit(1)).with_uxn(bit(2)).with_pxn(bit(3))
}

/// What may be done with a page that an answer says may be read, written or executed is what a request that only reads,
/// writes or fetches, and is marked alike, would get: whatever `PRIVCFG` and `INSTCFG` make of it (`IHI0070 §5.2`,
/// `§13.1.4`), from a walk and from every cache.
#[test]
fn what_is_kept_is_what_would_be_allowed() {
    for (bits, privcfg, instcfg, adversarial) in
        (0..0x200u64).map(|n| (n & 15, n >> 4 & 3, n >> 6 & 3, n >> 8 != 0))
    {
        let rig = Rig::new(adversarial);
        let tables = rig.process(0, 5);
        rig.guest.set_cd(&rig.contexts, 1, &cd(&tables, 5));
        let ste = edit_ste1(ste_stage1(rig.contexts.base, 8, s1fmt::LINEAR, s1dss::SSID0), |ste1| {
            ste1.with_privcfg(privcfg).with_instcfg(instcfg)
        });
        rig.guest.set_ste(&rig.streams, SID, &ste);
        rig.guest.map(&tables, VA, 0x9000_0000, 3, page(bits));
        for (ssid, access, is_privileged) in [None, Some(1)]
            .into_iter()
            .flat_map(|ssid| [READ, WRITE, FETCH].map(|access| (ssid, access)))
            .flat_map(|(ssid, access)| [false, true].map(|is_privileged| (ssid, access, is_privileged)))
        {
            let marked = |access: Access| Access { privileged: is_privileged, ..access };
            let allowed = |access| rig.ask(ssid, VA, marked(access)).is_ok();
            // What reads as this request does: a fetch's reads are fetches.
            let reads = if access.exec { FETCH } else { READ };
            let expected = Permissions { read: allowed(reads), write: allowed(WRITE), exec: allowed(FETCH) };
            for source in ["caches", "a walk", "the IOTLB", "the micro-TLB"] {
                if source == "a walk" {
                    rig.smmu.invalidate(&asid(5));
                }
                let Ok(answer) = rig.ask(ssid, VA, marked(access)) else { continue };
                assert_eq!(
                    answer.perm, expected,
                    "{access:?} of page {bits:#06b}, PRIVCFG {privcfg}, INSTCFG {instcfg}, from {source}"
                );
            }
        }
    }
}

/// QEMU's core moves the bytes of a fetch as a read: so an answer to a fetch says that they may be read, where they may be
/// fetched and not read as data (`PROT_EXEC`), and no data read is let through by it.
#[test]
fn a_fetch_of_an_execute_only_page() {
    for adversarial in [false, true] {
        let rig = Rig::new(adversarial);
        let tables = rig.process(1, 5);
        rig.guest.map(&tables, VA, 0x9000_0000, 3, page(0b0010));
        for _ in 0..3 {
            let fetch = rig.ask(Some(1), VA, FETCH).unwrap();
            assert_eq!(fetch.perm, Permissions { read: true, write: false, exec: true });
            assert_eq!(rig.read(1, VA), Err(FaultKind::Permission));
        }
    }
}

/// An atomic is data, whatever `INSTCFG` makes of reads; its answer says that it may read what it may read as data.
#[test]
fn atomics_are_data() {
    for instcfg in 0..4 {
        let rig = Rig::new(false);
        let tables = rig.process(0, 5);
        let ste = ste_stage1(rig.contexts.base, 8, s1fmt::LINEAR, s1dss::SSID0);
        rig.guest.set_ste(&rig.streams, SID, &edit_ste1(ste, |ste1| ste1.with_instcfg(instcfg)));
        rig.guest.map(&tables, VA, 0x9000_0000, 3, user_rw());
        for _ in 0..3 {
            let answer = rig.ask(None, VA, ATOMIC).unwrap();
            assert!(answer.perm.read && answer.perm.write, "INSTCFG {instcfg}");
        }
    }
}
