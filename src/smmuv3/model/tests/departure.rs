// SPDX-License-Identifier: GPL-2.0-or-later
//! Endpoints that are reset or go away while something of theirs is open.

use super::*;

fn atc_inv(stream: u64) -> [u64; 2] {
    [u64::from(op::ATC_INV) | stream << 32, 0x1000]
}

/// An endpoint that is reset, or unplugged, has forgotten its translations: it owes no answer to an invalidation, and no SYNC
/// waits for one.
#[test]
fn an_endpoint_that_leaves_has_answered() {
    for adversarial in [false, true] {
        let mut rig = Rig::with(Features { adversarial, ..Features::default() }, 4, 4);
        let effects = rig.command(atc_inv(8));
        let [Effect::AtsInvalidate { stream: 8, itag, .. }] = effects[..] else { panic!("{effects:?}") };
        let [Effect::AtsInvalidate { stream: 9, itag: other, .. }] = rig.command(atc_inv(9))[..] else {
            panic!()
        };
        rig.command(sync_msi(0x8_0000, 1));
        while rig.smmu.needs_run() {
            rig.run();
        }
        // Requests of one address space, or of one tag, are given up by endpoints that stay.
        rig.smmu.cancel(8, Some(None), None);
        rig.smmu.cancel(8, None, Some(1));
        assert_eq!(rig.run(), []);
        assert!(!rig.is_drained(), "the SYNC waits for both");
        rig.smmu.cancel(8, None, None);
        rig.run();
        assert!(!rig.is_drained(), "the SYNC waits for the one that stays");
        assert_eq!(
            rig.smmu.device_tlb_late(&rig.mem, itag).0,
            [],
            "an endpoint that owes nothing is not late"
        );
        let effects = rig.smmu.device_tlb_done(&rig.mem, 9, other).0;
        assert_eq!(effects, [pulse(reg::IRQ_SYNC), msi((0x8_0000, 1))]);
        assert!(rig.is_drained());
        // What the endpoint said before it left arrives late.
        assert_eq!(rig.smmu.device_tlb_done(&rig.mem, 8, itag).0, []);
        assert_eq!(rig.error(), 0);
    }
}

/// As many invalidations as there can be, and more in the queue behind them.
#[test]
fn an_endpoint_that_leaves_makes_room() {
    let most = AtsInvalidations::MOST;
    let mut rig = Rig::new(10);
    (0..most + 3).for_each(|_| rig.put(atc_inv(8)));
    rig.put(atc_inv(9));
    assert_eq!(rig.kick().len(), most);
    rig.smmu.cancel(8, None, None);
    assert!(rig.smmu.needs_run());
    let asked = rig.run();
    assert_eq!(asked.len(), 4, "software asks an endpoint that has begun anew: {asked:?}");
    // A migration in between asks those anew that have not answered, and no others.
    rig.smmu.cancel(8, None, None);
    let saved = rig.smmu.save();
    assert_eq!(saved.unanswered.len(), 1);
}
