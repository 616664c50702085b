// SPDX-License-Identifier: GPL-2.0-or-later
//! Devices behind bridges: their buses have no number at power-on and after a reset, and the guest may number them anew.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

struct Bridges {
    guest: TestGuest,
    tables: Vec<Tables>,
    host: Arc<FakeHost>,
    devices: AssignedDevices,
    secondary: Vec<Arc<AtomicU32>>,
}

/// Buses that have tables.
const BUSES: [u32; 3] = [1, 2, 3];

impl Bridges {
    fn new(numbers: &[u32]) -> Self {
        let guest = TestGuest::new();
        let host = FakeHost::new(Capabilities::Vtd(able()));
        let devices = AssignedDevices::new(guest_features());
        let tables: Vec<Tables> = BUSES.iter().map(|_| guest.first_stage(4)).collect();
        for (bus, table) in BUSES.iter().zip(&tables) {
            let function = guest.function(bus << 8);
            guest.set_pasid(function, 5, &pasid_first(table, DID));
        }
        let mut scene = Self { guest, tables, host, devices, secondary: Vec::new() };
        numbers.iter().for_each(|number| scene.plug(*number));
        scene
    }

    fn plug(&mut self, number: u32) {
        let bus = Arc::new(AtomicU32::new(number));
        self.secondary.push(Arc::clone(&bus));
        let device = u32::try_from(self.secondary.len()).unwrap();
        let assignment = Assignment {
            stream: Box::new(move || bus.load(Ordering::Relaxed) << 8),
            ..self.host.device(device, 0)
        };
        self.devices.add(&self.guest.mem, assignment).unwrap();
        settle(&mut self.devices, &self.guest.mem);
    }

    fn number(&self, numbers: &[u32]) {
        for (bus, number) in self.secondary.iter().zip(numbers) {
            bus.store(*number, Ordering::Relaxed);
        }
    }

    fn on(&mut self) {
        let root = self.guest.scalable_root();
        self.devices.set_state(&self.guest.mem, VtdState::On(root));
        settle(&mut self.devices, &self.guest.mem);
    }

    fn invalidate(&mut self, what: Invalidation) {
        given(&mut self.devices, &self.guest.mem, &what, 0).unwrap();
    }

    /// What PASID 5 of each device is bound to.
    fn bound(&self) -> Vec<Option<Config>> {
        (1..=u32::try_from(self.secondary.len()).unwrap()).map(|n| self.host.bound(n, Some(5))).collect()
    }

    fn of(&self, bus: u32) -> Option<Config> {
        let at = BUSES.iter().position(|b| *b == bus)?;
        Some(table_at(self.tables[at].root))
    }

    fn of_all(&self, buses: &[u32]) -> Vec<Option<Config>> {
        buses.iter().map(|bus| self.of(*bus)).collect()
    }
}

#[test]
fn any_number_of_devices_is_taken_in_before_the_buses_have_numbers() {
    let mut scene = Bridges::new(&[0, 0, 0]);
    assert_eq!(scene.bound(), [None; 3]);
    scene.number(&[1, 2, 3]);
    scene.on();
    assert_eq!(scene.bound(), scene.of_all(&[1, 2, 3]));
}

#[test]
fn a_reset_takes_every_table_away() {
    for after in [[1, 2], [2, 1], [3, 1]] {
        let mut scene = Bridges::new(&[1, 2]);
        scene.on();
        assert_eq!(scene.bound(), scene.of_all(&[1, 2]));
        scene.number(&[0, 0]);
        scene.devices.reset();
        assert_eq!(scene.bound(), [None; 2]);
        for device in [1, 2] {
            assert_eq!(scene.host.bound(device, None), Some(Config::Bypass));
        }
        assert_eq!(scene.host.bindings(), 2);
        scene.number(&after);
        scene.on();
        assert_eq!(scene.bound(), scene.of_all(&after));
    }
}

#[test]
fn a_number_that_changes_while_tables_are_bound() {
    for what in [
        Invalidation::ContextGlobal,
        Invalidation::ContextDevice { sid: 0x300, function_mask: 0 },
        Invalidation::PasidDomain { did: DID },
        Invalidation::Pasid { did: DID, pasid: 5 },
    ] {
        let mut scene = Bridges::new(&[1, 2]);
        scene.on();
        scene.number(&[3, 1]);
        scene.invalidate(what);
        assert_eq!(scene.bound(), scene.of_all(&[3, 1]), "{what:?}");
    }
}

#[test]
fn two_devices_with_one_number_have_one_context_entry() {
    let mut scene = Bridges::new(&[1, 1]);
    scene.on();
    assert_eq!(scene.bound(), scene.of_all(&[1, 1]));
    let invalidation =
        AtsInvalidation { stream: 0x100, substream: Some(5), addr: 0x4000, mask: 0xfff, global: false };
    scene.host.calls();
    assert_eq!(scene.devices.collect_device_tlb(&invalidation, 0), Progress::Done);
    scene.devices.flush().unwrap();
    let calls = scene.host.calls();
    let [Call::Invalidate(batch)] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(batch.len(), 2, "an invalidation by that number is both devices'");
    // Each has a group of that index; one response answers both, as one on the bus would.
    for device in [1, 2] {
        scene.host.fault(fault(device, 4, true, device.into()));
    }
    assert_eq!(scene.devices.page_requests().len(), 2);
    scene.devices.respond(0x100, Some(5), 4, PageResponseCode::Success);
    assert_eq!((scene.host.open(), scene.devices.open_groups()), (0, 0));
    // One is unplugged, and the other stays.
    assert_eq!(scene.devices.remove(DeviceId(1)), Some(0x100));
    scene.invalidate(Invalidation::PasidGlobal);
    assert_eq!(scene.bound(), [None, scene.of(1)]);
}

#[test]
fn requests_by_an_old_number_are_given_up() {
    let mut scene = Bridges::new(&[1]);
    scene.on();
    scene.host.fault(fault(1, 4, true, 77));
    assert_eq!(scene.devices.page_requests().len(), 1);
    scene.number(&[2]);
    scene.invalidate(Invalidation::ContextGlobal);
    // The host answered it with the binding's end.
    assert_eq!((scene.host.open(), scene.devices.open_groups()), (0, 0));
    scene.devices.respond(0x100, Some(5), 4, PageResponseCode::Success);
    scene.devices.respond(0x200, Some(5), 4, PageResponseCode::Success);
    assert!(!scene.host.calls().iter().any(|call| matches!(call, Call::Respond(..))));
}

#[test]
fn requests_by_an_old_number_are_answered_where_the_table_stays() {
    let mut scene = Bridges::new(&[1]);
    scene.on();
    // The entry for the new number has the same table, so that no binding ends.
    let function = scene.guest.function(0x300);
    scene.guest.set_pasid(function, 5, &pasid_first(&scene.tables[0], DID));
    for group in 0..400 {
        scene.host.fault(fault(1, group, true, group.into()));
    }
    while scene.devices.open_groups() < 400 {
        scene.devices.page_requests();
    }
    scene.host.calls();
    scene.number(&[3]);
    // A call counts for many reads: these take more than a turn.
    let (mut progress, mut answers) = (Progress::Later, Vec::new());
    while progress != Progress::Done {
        progress = scene.devices.invalidated(&scene.guest.mem, &Invalidation::ContextGlobal, 0).unwrap();
        answers.push(scene.host.calls().len());
    }
    answers.retain(|calls| *calls != 0);
    assert_eq!((scene.host.open(), scene.devices.open_groups()), (0, 0));
    assert!(answers.len() > 1 && answers.iter().all(|calls| *calls <= 256), "{answers:?}");
    assert_eq!(scene.bound(), [scene.of(1)]);
    // A walk that is given up leaves none of them behind.
    scene.host.fault(fault(1, 4, true, 500));
    scene.devices.page_requests();
    scene.number(&[1]);
    assert_eq!(
        scene.devices.invalidated(&scene.guest.mem, &Invalidation::ContextGlobal, 0),
        Ok(Progress::Later)
    );
    scene.invalidate(Invalidation::ContextDevice { sid: 0x200, function_mask: 0 });
    assert_eq!((scene.host.open(), scene.devices.open_groups()), (0, 0));
    let invalid = Call::Respond(Cookie(500), Response::Invalid);
    assert_eq!(scene.host.calls().iter().filter(|call| **call == invalid).count(), 1);
}
