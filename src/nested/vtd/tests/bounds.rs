// SPDX-License-Identifier: GPL-2.0-or-later
//! What a register write does is bounded, whatever the guest's tables say.

use super::*;
use crate::nested::work::{HOST_CALL, STEP, WORK_AT_ONCE};

/// Directory entries of a table of 2^20 PASIDs.
const DIRECTORY: u64 = 1 << 14;

impl Scene {
    /// Every directory entry names this table.
    fn repeat(&self, leaf: u64) {
        let words: Vec<u64> = (0..DIRECTORY).map(|_| leaf | 1).collect();
        self.guest.mem.put_all(self.function.directory, &words);
    }

    /// Every PASID of 2^20 is a first-stage one, by one table of 64 entries.
    fn fill_directory(&self) {
        let entry = self.first();
        for pasid in 0..64 {
            self.guest.set_pasid(self.function, pasid, &entry);
        }
        self.repeat(self.guest.mem.get(self.function.directory) & !0xfff);
    }

    /// Gives an invalidation until it is done. The reads of each turn, and the calls to the host.
    fn turns(&mut self, what: Invalidation) -> Vec<(u64, usize)> {
        let mut turns = Vec::new();
        loop {
            let before = self.guest.mem.reads();
            let progress = self.devices.invalidated(&self.guest.mem, &what, 0).unwrap();
            turns.push((self.guest.mem.reads() - before, self.host.calls().len()));
            if progress == Progress::Done {
                return turns;
            }
        }
    }

    fn assert_bounded(turns: &[(u64, usize)]) {
        let (most, slack) = (u64::from(WORK_AT_ONCE), u64::from(STEP));
        for (reads, calls) in turns {
            assert!(
                reads + *calls as u64 * u64::from(HOST_CALL) <= most + slack,
                "{reads} reads, {calls} calls"
            );
            assert!(*reads <= most, "{reads} reads in one register write");
        }
        // None of them stops before it has done what a turn may: the first has what was left of one, the last what was left to do.
        let inner = turns.len().saturating_sub(1);
        for (reads, calls) in turns.iter().take(inner).skip(1) {
            assert!(
                reads + *calls as u64 * u64::from(HOST_CALL) > most - 2 * slack,
                "{reads} reads, {calls} calls"
            );
        }
    }
}

#[test]
fn a_directory_of_a_million_empty_entries_is_read_in_turns() {
    let mut scene = Scene::enabled();
    let leaf = scene.guest.page();
    scene.repeat(leaf);
    let turns = scene.turns(Invalidation::PasidGlobal);
    Scene::assert_bounded(&turns);
    let reads: u64 = turns.iter().map(|(reads, _)| reads).sum();
    // Each entry once, each directory entry once and once more for each turn, and the way to the directory.
    let least = (1 << 20) + DIRECTORY - 1;
    assert!((least..least + 2 * turns.len() as u64 + u64::from(STEP)).contains(&reads), "{reads}");
    assert!(turns.len() > 256);
    // Directory entries that are not present cost a read for 64 PASIDs.
    scene.guest.mem.put_all(scene.function.directory, &[0; DIRECTORY as usize]);
    let turns = scene.turns(Invalidation::PasidGlobal);
    Scene::assert_bounded(&turns);
    assert!((5..=6).contains(&turns.len()), "{turns:?}");
}

#[test]
fn every_pasid_present_and_then_none() {
    let mut scene = Scene::enabled();
    scene.fill_directory();
    let turns = scene.turns(Invalidation::PasidGlobal);
    Scene::assert_bounded(&turns);
    assert_eq!(scene.host.bindings(), PASIDS + 1);
    let bound: usize = turns.iter().map(|(_, calls)| calls).sum();
    assert_eq!(bound, PASIDS + 1);
    assert_eq!(scene.devices.stats().refused, 1, "said once, not a million times");
    // A domain's invalidation concerns all of them, and is taken in in turns.
    let mut forwarded = 0;
    for what in [Invalidation::IotlbGlobal, Invalidation::IotlbDomain { did: DID }] {
        loop {
            match scene.devices.collect(&what, 0) {
                Progress::Done => break,
                Progress::Full => {}
                Progress::Later => continue,
            }
            assert!(scene.devices.batch.len() <= super::super::super::assigned::BATCH + 1);
            for call in scene.flushed() {
                let Call::Invalidate(batch) = call else { panic!("{call:?}") };
                forwarded += batch.len();
            }
        }
    }
    for call in scene.flushed() {
        let Call::Invalidate(batch) = call else { panic!("{call:?}") };
        forwarded += batch.len();
    }
    assert_eq!(forwarded, 2 * (PASIDS + 1), "each once for each of the two");
    // The table is taken away.
    scene.guest.mem.put_all(scene.function.directory, &[0; DIRECTORY as usize]);
    let turns = scene.turns(Invalidation::PasidGlobal);
    Scene::assert_bounded(&turns);
    assert_eq!(scene.host.bindings(), 1);
}

#[test]
fn translation_is_switched_on_and_off_in_turns_and_a_reset_is_complete() {
    let mut scene = Scene::new();
    scene.fill_directory();
    let root = scene.guest.scalable_root();
    scene.devices.set_state(&scene.guest.mem, VtdState::On(root));
    assert!(scene.devices.is_behind());
    assert!(scene.host.bindings() < PASIDS);
    // Nothing of the queue is carried out before that.
    let what = Invalidation::PasidDomain { did: DID + 1 };
    let before = scene.guest.mem.reads();
    assert_eq!(scene.devices.invalidated(&scene.guest.mem, &what, 7), Ok(Progress::Later));
    assert!(scene.guest.mem.reads() - before <= u64::from(WORK_AT_ONCE));
    while scene.devices.proceed(&scene.guest.mem) != Progress::Done {}
    assert_eq!((scene.host.bindings(), scene.devices.is_behind()), (PASIDS + 1, false));
    scene.devices.set_state(&scene.guest.mem, VtdState::Off);
    assert!(scene.devices.is_behind() && scene.host.bindings() > PASIDS / 2);
    scene.devices.reset();
    assert_eq!((scene.host.bindings(), scene.devices.is_behind(), scene.rid()), (1, false, Config::Bypass));
}

#[test]
fn what_happens_between_two_turns() {
    let present = |scene: &Scene| {
        let entry = scene.first();
        for pasid in 0..64 {
            scene.guest.set_pasid(scene.function, pasid, &entry);
        }
        let leaf = scene.guest.mem.get(scene.function.directory) & !0xfff;
        scene.repeat(leaf);
    };
    let all = Invalidation::PasidGlobal;
    // The device is unplugged.
    let mut scene = Scene::enabled();
    present(&scene);
    assert_eq!(scene.devices.invalidated(&scene.guest.mem, &all, 0), Ok(Progress::Later));
    assert_eq!(scene.devices.remove(DeviceId(1)), Some(SID));
    assert_eq!(scene.devices.invalidated(&scene.guest.mem, &all, 0), Ok(Progress::Done));
    assert_eq!(scene.host.bindings(), 0);
    // Another one is plugged; it is walked by itself, and the descriptor begins anew.
    let mut scene = Scene::enabled();
    present(&scene);
    assert_eq!(scene.devices.invalidated(&scene.guest.mem, &all, 0), Ok(Progress::Later));
    let other = scene.guest.function(OTHER);
    scene.guest.set_pasid(other, 6, &scene.first());
    scene.devices.add(&scene.guest.mem, scene.host.device(2, OTHER)).unwrap();
    while scene.devices.invalidated(&scene.guest.mem, &all, 0) != Ok(Progress::Done) {}
    assert_eq!(scene.host.bindings(), PASIDS + 1 + 2);
    // The tables are taken away, and another descriptor stands in its place.
    let mut scene = Scene::enabled();
    present(&scene);
    assert_eq!(scene.devices.invalidated(&scene.guest.mem, &all, 0), Ok(Progress::Later));
    scene.guest.mem.put_all(scene.function.directory, &[0; DIRECTORY as usize]);
    let domain = Invalidation::PasidDomain { did: DID };
    while scene.devices.invalidated(&scene.guest.mem, &domain, 0) != Ok(Progress::Done) {}
    assert_eq!(scene.host.bindings(), 1);
}

#[test]
fn a_register_invalidates_every_address_space_in_turns() {
    let mut scene = Scene::enabled();
    scene.fill_directory();
    scene.turns(Invalidation::PasidGlobal);
    scene.devices.invalidated_by_register(&scene.guest.mem, &Invalidation::IotlbGlobal);
    assert!(scene.devices.is_behind());
    let mut turns = 1;
    while scene.devices.proceed(&scene.guest.mem) != Progress::Done {
        turns += 1;
    }
    let forwarded: usize = scene
        .host
        .calls()
        .iter()
        .map(|call| if let Call::Invalidate(batch) = call { batch.len() } else { 0 })
        .sum();
    assert_eq!(forwarded, PASIDS + 1);
    assert!((1..=3).contains(&turns), "{turns}");
}

#[test]
fn a_register_request_that_is_repeated_begins_anew() {
    let mut scene = Scene::enabled();
    scene.fill_directory();
    scene.turns(Invalidation::PasidGlobal);
    let forwarded = |scene: &Scene| -> usize {
        let sizes = |call| if let Call::Invalidate(batch) = call { batch.len() } else { 0 };
        scene.host.calls().into_iter().map(sizes).sum()
    };
    let global = Invalidation::IotlbGlobal;
    scene.devices.invalidated_by_register(&scene.guest.mem, &global);
    let first = forwarded(&scene);
    assert!(scene.devices.is_behind() && first > 0);
    scene.devices.invalidated_by_register(&scene.guest.mem, &global);
    settle(&mut scene.devices, &scene.guest.mem);
    // What waited of the first one may be among them.
    assert!(forwarded(&scene) > PASIDS, "{first} of the first one");
    // One that failed is over, and a descriptor at the queue's start is another.
    scene
        .host
        .fail(Failure::Invalidate(2, Error::Failed { call: "IOMMU_HWPT_INVALIDATE", errno: libc::EIO }));
    scene.devices.invalidated_by_register(&scene.guest.mem, &global);
    settle(&mut scene.devices, &scene.guest.mem);
    scene.host.calls();
    let mut all = 0;
    while scene.devices.collect(&global, 0) != Progress::Done {
        scene.devices.flush().unwrap();
        all += forwarded(&scene);
    }
    scene.devices.flush().unwrap();
    assert_eq!(all + forwarded(&scene), PASIDS + 1);
}

#[test]
fn another_device_that_fails_does_not_remove_the_one_that_is_plugged() {
    let error = || Error::Failed { call: "IOMMU_HWPT_ALLOC", errno: libc::EIO };
    // The host fails to bind the first device and to abort it, and the device's directory takes several turns.
    let under_way = || {
        let mut scene = Scene::new();
        let entry = scene.first();
        scene.guest.set_pasid(scene.function, 0, &entry);
        let root = scene.guest.scalable_root();
        scene.host.fail(Failure::Replace(error()));
        scene.host.fail(Failure::Replace(error()));
        scene.devices.set_state(&scene.guest.mem, VtdState::On(root));
        assert!(scene.devices.is_behind());
        scene
    };
    let mut scene = under_way();
    let mut turns = 1;
    while scene.devices.proceed(&scene.guest.mem) != Progress::Done {
        turns += 1;
    }
    // The walk ends in the turn in which another device is plugged.
    let mut scene = under_way();
    for _ in 1..turns {
        assert_eq!(scene.devices.proceed(&scene.guest.mem), Progress::Later);
    }
    assert_eq!(scene.devices.add(&scene.guest.mem, scene.host.device(2, OTHER)), Ok(()));
    assert!(!scene.devices.is_behind());
    assert_eq!(scene.host.bound(2, None), Some(Config::Abort));
    // Its own failure takes it out again.
    assert_eq!(scene.devices.remove(DeviceId(2)), Some(OTHER));
    let other = scene.guest.function(OTHER);
    let small = scene.guest.context0(other).with_pdts(0);
    scene.guest.set_context(other, small, ScalableContext1::default());
    scene.guest.set_pasid(other, 0, &scene.first());
    scene.host.fail(Failure::Replace(error()));
    scene.host.fail(Failure::Replace(error()));
    assert_eq!(scene.devices.add(&scene.guest.mem, scene.host.device(2, OTHER)), Err(error()));
    assert_eq!((scene.devices.devices.len(), scene.host.bound(2, None)), (1, None));
}

#[test]
fn a_search_stops_where_it_was_enough() {
    use crate::vtd::config::Seek;
    let scene = Scene::enabled();
    scene.guest.set_pasid(scene.function, 70, &scene.first());
    let table = PasidTable {
        directory: scene.function.directory,
        pasid_bits: 20,
        rid_pasid: 0,
        with_pasid: true,
        page_requests: true,
    };
    let f = guest_features();
    let seek = |from, end, reads| table.next_present(&scene.guest.mem, &f, from, end, reads);
    let before = scene.guest.mem.reads();
    assert_eq!(seek(1, u32::MAX, 9), Seek::Found(70));
    // One directory entry for 64 PASIDs that are not there, one for those that are, and seven entries.
    assert_eq!(scene.guest.mem.reads() - before, 9);
    assert_eq!(seek(1, u32::MAX, 8), Seek::Stopped(70));
    assert_eq!(seek(70, u32::MAX, 2), Seek::Found(70));
    assert_eq!(seek(70, u32::MAX, 1), Seek::Stopped(70));
    assert_eq!(seek(1, u32::MAX, 0), Seek::Stopped(1));
    assert_eq!(seek(1, 70, u32::MAX), Seek::End);
    assert_eq!(seek(71, u32::MAX, u32::MAX), Seek::End);
    assert_eq!(seek(u32::MAX, u32::MAX, u32::MAX), Seek::End);
}
