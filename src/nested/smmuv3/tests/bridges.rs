// SPDX-License-Identifier: GPL-2.0-or-later
//! Devices behind bridges: their buses have no number at power-on and after a reset, and the guest may number them anew.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// Function 0 of device 0 of as many buses: StreamID 0 until the guest numbers the bus.
struct Bridges {
    guest: TestGuest,
    table: StreamTable,
    host: Arc<FakeHost>,
    streams: AssignedStreams,
    secondary: Vec<Arc<AtomicU32>>,
}

impl Bridges {
    fn new(numbers: &[u32]) -> Self {
        let guest = TestGuest::new();
        let table = guest.linear_streams(12);
        for sid in [0x100, 0x200, 0x300] {
            guest.set_ste(&table, sid, &of(sid));
        }
        guest.set_ste(&table, 0, &ste_abort());
        let host = FakeHost::new(Capabilities::Smmuv3(able()));
        let streams = AssignedStreams::new(guest_features());
        let mut scene = Self { guest, table, host, streams, secondary: Vec::new() };
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
        self.streams.add(&self.guest.mem, assignment).unwrap();
    }

    fn number(&self, numbers: &[u32]) {
        for (bus, number) in self.secondary.iter().zip(numbers) {
            bus.store(*number, Ordering::Relaxed);
        }
    }

    fn on(&mut self) -> Vec<StreamId> {
        self.streams.set_state(&self.guest.mem, SmmuState::On(self.table))
    }

    fn changed(&mut self, sid: StreamId) -> Vec<StreamId> {
        let which = Streams { first: sid, last: sid };
        self.streams.configuration_changed(&self.guest.mem, which, 0).unwrap()
    }

    /// What each device is bound to, and its name.
    fn devices(&self) -> Vec<(Config, Option<u64>)> {
        let numbers = 1..=u32::try_from(self.secondary.len()).unwrap();
        numbers.filter_map(|n| Some((self.host.bound(n, None)?, self.host.name(n)))).collect()
    }
}

/// A table of its own for each stream.
fn of(sid: StreamId) -> Ste {
    ste_stage1(0x5000_0000 + u64::from(sid) * 0x1000, 10, s1fmt::LEAF_64K, 2)
}

fn bound_as(sid: StreamId) -> (Config, Option<u64>) {
    let words = of(sid);
    let config = Config::CdTable { ste: [words[0], words[1]] };
    (config, Some(sid.into()))
}

const BYPASS: (Config, Option<u64>) = (Config::Bypass, None);

#[test]
fn any_number_of_devices_is_taken_in_before_the_buses_have_numbers() {
    let mut scene = Bridges::new(&[0, 0, 0]);
    assert_eq!(scene.devices(), [BYPASS; 3]);
    scene.number(&[1, 2, 3]);
    scene.on();
    assert_eq!(scene.devices(), [bound_as(0x100), bound_as(0x200), bound_as(0x300)]);
}

#[test]
fn a_reset_takes_every_table_and_every_name_away() {
    for after in [[1, 2], [2, 1], [3, 1]] {
        let mut scene = Bridges::new(&[1, 2]);
        scene.on();
        assert_eq!(scene.devices(), [bound_as(0x100), bound_as(0x200)]);
        // Bridges lose their numbers before the SMMU is reset.
        scene.number(&[0, 0]);
        scene.streams.reset();
        assert_eq!(scene.devices(), [BYPASS; 2]);
        scene.number(&after);
        scene.on();
        assert_eq!(scene.devices(), after.map(|bus| bound_as(bus << 8)));
    }
}

#[test]
fn a_number_that_changes_while_a_table_is_bound() {
    let mut scene = Bridges::new(&[1, 2]);
    scene.on();
    scene.host.calls();
    scene.number(&[3, 2]);
    // What changed is another stream's entry: the device is found all the same.
    assert_eq!(scene.changed(0x999), [0x100, 0x300], "stalls by the old number and by the new one are over");
    let one = DeviceId(1);
    assert_eq!(
        scene.host.calls(),
        [
            Call::Replace(BINDING, Config::Abort),
            Call::Unname(one),
            Call::Name(one, 0x300),
            Call::Replace(BINDING, bound_as(0x300).0)
        ],
        "the host never has a table under an old name, nor one without a name"
    );
    assert_eq!(scene.devices(), [bound_as(0x300), bound_as(0x200)]);
    assert!(scene.streams.collect(of_stream(op::CFGI_CD, 0x300), 1));
    assert!(scene.streams.collect(of_stream(op::CFGI_CD, 0x100), 2));
    scene.streams.flush().unwrap();
    assert_eq!(scene.host.calls(), [raw(&[of_stream(op::CFGI_CD, 0x300)])], "the old name is no name");
}

#[test]
fn two_devices_exchange_their_numbers() {
    let mut scene = Bridges::new(&[1, 2]);
    scene.on();
    scene.number(&[2, 1]);
    scene.changed(0x100);
    assert_eq!(scene.devices(), [bound_as(0x200), bound_as(0x100)]);
    // Round three of them, each into the place of one that still has it.
    let mut scene = Bridges::new(&[1, 2, 3]);
    scene.on();
    scene.number(&[2, 3, 1]);
    scene.changed(0);
    assert_eq!(scene.devices(), [bound_as(0x200), bound_as(0x300), bound_as(0x100)]);
}

#[test]
fn of_two_devices_with_one_number_the_first_is_translated_and_the_other_aborted() {
    let mut scene = Bridges::new(&[1, 1]);
    scene.on();
    let aborted = (Config::Abort, None);
    assert_eq!(scene.devices(), [bound_as(0x100), aborted]);
    let refused = scene.streams.stats().refused;
    assert_eq!(refused, 1);
    // The first gets another number. Nothing names the second, which waits for the name.
    scene.number(&[3, 1]);
    scene.changed(0x300);
    assert_eq!(scene.devices(), [bound_as(0x300), bound_as(0x100)]);
    // And back: the name is the second's now.
    scene.number(&[1, 1]);
    scene.changed(0x100);
    assert_eq!(scene.devices(), [aborted, bound_as(0x100)]);
    assert_eq!(scene.streams.stats().refused, refused + 1);
}

#[test]
fn a_device_that_is_unplugged_leaves_its_name_to_the_next() {
    let mut scene = Bridges::new(&[1, 1]);
    scene.on();
    assert_eq!(scene.streams.remove(DeviceId(1)), Some(0x100));
    assert_eq!((scene.host.name(1), scene.host.bound(1, None)), (None, None));
    scene.changed(0x999);
    assert_eq!(scene.devices(), [bound_as(0x100)]);
    // A third is plugged into the first one's slot while the second has its name, and one beside it.
    scene.plug(1);
    scene.plug(2);
    assert_eq!(scene.devices(), [bound_as(0x100), (Config::Abort, None), bound_as(0x200)]);
    // The holder of a name that another one waits for goes.
    assert_eq!(scene.streams.remove(DeviceId(2)), Some(0x100));
    scene.changed(0x100);
    assert_eq!(scene.devices(), [bound_as(0x100), bound_as(0x200)]);
}

#[test]
fn a_name_that_the_host_refuses_costs_the_table_and_is_asked_for_again() {
    let mut scene = Bridges::new(&[1]);
    // Something else in the same virtual machine has the name.
    let host: Arc<dyn Host> = scene.host.clone();
    host.add_virtual_device(DeviceId(9), 0x100).unwrap();
    scene.on();
    assert_eq!(scene.devices(), [(Config::Abort, None)]);
    host.remove_virtual_device(DeviceId(9)).unwrap();
    scene.changed(0x100);
    assert_eq!(scene.devices(), [bound_as(0x100)]);
}

#[test]
fn a_reset_does_without_names_that_the_host_refuses() {
    let mut scene = Bridges::new(&[1, 2]);
    scene.on();
    scene.number(&[0, 0]);
    // The first call that binds fails, as under memory pressure: the device is aborted instead, never left as it is.
    scene.host.fail(Failure::Bind(Error::Failed { call: "IOMMU_HWPT_ALLOC", errno: libc::ENOMEM }));
    scene.streams.reset();
    for (config, _) in scene.devices() {
        assert!(!matches!(config, Config::CdTable { .. }), "the old guest's table is bound");
    }
}

#[test]
fn a_stream_that_passes_has_its_name_for_its_events() {
    let mut scene = Bridges::new(&[1, 0]);
    scene.guest.set_ste(&scene.table, 0x100, &ste_bypass());
    scene.on();
    assert_eq!(scene.devices(), [(Config::Bypass, Some(0x100)), (Config::Abort, Some(0))]);
    scene.streams.set_state(&scene.guest.mem, SmmuState::Off { abort: false });
    assert_eq!(scene.devices(), [BYPASS; 2]);
}
