// SPDX-License-Identifier: GPL-2.0-or-later
//! First-stage tables in the host's hands.

use super::*;
use crate::nested::{Capabilities, Error, FirstStage};
use crate::vtd::features::Features;
use crate::vtd::testing::*;

const VA: u64 = 0x1234_5000;
const PA: u64 = 0x8000_0000;

pub(super) struct Rig {
    pub guest: Arc<TestGuest>,
    pub host: SoftwareHost,
    pub tables: Tables,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(DeviceOptions::default())
    }

    fn with(options: DeviceOptions) -> Self {
        let guest = Arc::new(TestGuest::new());
        let host = SoftwareHost::vtd(Arc::new(Shifted(guest.clone())), Features::default()).unwrap();
        host.add_device(DEVICE, options);
        map_ram(&host);
        let tables = guest.first_stage(4);
        guest.map(&tables, VA, PA, 12, user_rw());
        Self { guest, host, tables }
    }

    pub fn first(tables: &Tables) -> FirstStage {
        FirstStage {
            table: tables.root,
            address_bits: if tables.levels == 5 { 57 } else { 48 },
            supervisor_requests: false,
            write_protect: false,
            extended_accessed: false,
        }
    }

    pub fn bind(&self, pasid: Option<u32>, tables: &Tables, faults: FaultRouting) -> BindingId {
        self.host.bind(DEVICE, pasid, &Config::FirstStage(Self::first(tables)), faults).unwrap()
    }

    pub fn at(&self, pasid: Option<u32>, va: u64) -> Option<u64> {
        guest_address(self.host.translate(DEVICE, &request(pasid, va, READ)))
    }

    fn other(&self, to: u64) -> Tables {
        let tables = self.guest.first_stage(4);
        self.guest.map(&tables, VA, to, 12, user_rw());
        tables
    }

    fn send(&self, binding: BindingId, addr: u64, pages: u64, leaf: bool) -> crate::nested::Result<()> {
        self.host.invalidate(&[Invalidation::FirstStage { binding, addr, pages, leaf }]).map_err(|p| p.error)
    }
}

#[test]
fn a_device_starts_with_stage_2_and_pasids_with_nothing() {
    let rig = Rig::new();
    assert_eq!(rig.at(None, 0x8000_1234), Some(0x8000_1234));
    assert_eq!(rig.at(None, RAM.end), None, "beyond stage 2");
    assert_eq!(rig.at(Some(5), 0x8000_1234), None);
    assert!(rig.host.event_fd().is_none(), "Linux reports no events of VT-d units");
}

#[test]
fn each_pasid_has_what_it_is_bound_to() {
    let rig = Rig::new();
    let (five, six) = (rig.other(PA + 0x5000), rig.other(PA + 0x6000));
    let five = rig.bind(Some(5), &five, FaultRouting::Refused);
    rig.bind(Some(6), &six, FaultRouting::Refused);
    rig.bind(None, &rig.tables, FaultRouting::Refused);
    let seven = rig.host.bind(DEVICE, Some(7), &Config::Bypass, FaultRouting::Refused).unwrap();
    let all = |rig: &Rig| [None, Some(5), Some(6), Some(7)].map(|pasid| rig.at(pasid, VA));
    assert_eq!(all(&rig), [Some(PA), Some(PA + 0x5000), Some(PA + 0x6000), Some(VA)]);
    rig.host.replace(seven, &Config::Abort, FaultRouting::Refused).unwrap();
    rig.host.unbind(five).unwrap();
    assert_eq!(all(&rig), [Some(PA), None, Some(PA + 0x6000), None]);
    // Linux keeps what requests without PASID use at PASID 0.
    assert_eq!(rig.at(Some(0), VA), Some(PA));
    let again = rig.host.bind(DEVICE, Some(0), &Config::Bypass, FaultRouting::Refused);
    assert_eq!(failed(again), libc::EBUSY);
}

#[test]
fn what_linux_refuses_is_refused_and_nothing_changed() {
    let rig = Rig::with(DeviceOptions { pasid_bits: 8, waits: false, ..DeviceOptions::default() });
    let first = Rig::first(&rig.tables);
    let bind = |pasid, first, faults| rig.host.bind(DEVICE, pasid, &Config::FirstStage(first), faults);
    let refused = FaultRouting::Refused;
    assert_eq!(failed(bind(None, FirstStage { address_bits: 39, ..first }, refused)), libc::EINVAL);
    assert_eq!(failed(bind(Some(256), first, refused)), libc::EINVAL);
    assert_eq!(failed(bind(Some(5), first, FaultRouting::Queued)), libc::ENODEV, "no page requests");
    let table = Config::CdTable { ste: [1, 0] };
    assert!(is_unsupported(&rig.host.bind(DEVICE, None, &table, refused)));
    assert_eq!(rig.host.occupancy().bindings, 0);
    bind(Some(255), first, refused).unwrap();

    let poor = Features {
        fs5lp: false,
        supervisor_requests: false,
        extended_accessed: false,
        ..Features::default()
    };
    let host = SoftwareHost::vtd(Arc::new(Shifted(rig.guest.clone())), poor).unwrap();
    host.add_device(DEVICE, DeviceOptions::default());
    for more in [
        FirstStage { address_bits: 57, ..first },
        FirstStage { supervisor_requests: true, ..first },
        FirstStage { extended_accessed: true, ..first },
    ] {
        let refused = host.bind(DEVICE, Some(1), &Config::FirstStage(more), FaultRouting::Refused);
        assert_eq!(failed(refused), libc::EINVAL);
    }
    host.bind(DEVICE, Some(1), &Config::FirstStage(first), FaultRouting::Refused).unwrap();
}

#[test]
fn pages_stay_until_they_are_invalidated() {
    let rig = Rig::new();
    let id = rig.bind(Some(5), &rig.tables, FaultRouting::Refused);
    let other = rig.bind(Some(6), &rig.tables, FaultRouting::Refused);
    assert_eq!((rig.at(Some(5), VA), rig.at(Some(6), VA)), (Some(PA), Some(PA)));
    rig.guest.map(&rig.tables, VA, PA + 0x1000, 12, user_rw());
    for (binding, addr, pages) in [(id, VA - 0x1000, 1), (id, VA + 0x1000, 4), (other, VA, 1), (id, VA, 0)] {
        rig.send(binding, addr, pages, false).unwrap();
        assert_eq!(rig.at(Some(5), VA), Some(PA), "{addr:#x} {pages}");
    }
    rig.send(id, VA - 0x1000, 2, true).unwrap();
    assert_eq!(rig.at(Some(5), VA), Some(PA + 0x1000));
    rig.guest.map(&rig.tables, VA, PA + 0x2000, 12, user_rw());
    rig.send(id, 0, u64::MAX, false).unwrap();
    assert_eq!(rig.at(Some(5), VA), Some(PA + 0x2000));
    for (addr, pages) in [(0x800, 1), (0x1000, u64::MAX)] {
        assert_eq!(failed(rig.send(id, addr, pages, false)), libc::EINVAL);
    }
    let gone = BindingId(99);
    assert_eq!(rig.send(gone, 0, 1, false), Err(Error::UnknownBinding(gone)));
}

#[test]
fn a_table_stays_where_leaves_alone_are_invalidated() {
    for leaf in [true, false] {
        let rig = Rig::new();
        let id = rig.bind(Some(5), &rig.tables, FaultRouting::Refused);
        assert_eq!(rig.at(Some(5), VA), Some(PA));
        let new = rig.guest.page();
        let at = rig.guest.entry(&rig.tables, VA, 21);
        rig.guest.mem.put(at, new | user_rw());
        rig.guest.map(&rig.tables, VA, PA + 0x7000, 12, user_rw());
        rig.send(id, VA, 1, leaf).unwrap();
        assert_eq!(rig.at(Some(5), VA), Some(if leaf { PA } else { PA + 0x7000 }));
    }
}

#[test]
fn another_table_begins_without_the_old_ones_pages() {
    let rig = Rig::new();
    let id = rig.bind(Some(5), &rig.tables, FaultRouting::Refused);
    assert_eq!(rig.at(Some(5), VA), Some(PA));
    let other = rig.other(PA + 0x3000);
    rig.host.replace(id, &Config::FirstStage(Rig::first(&other)), FaultRouting::Refused).unwrap();
    assert_eq!(rig.at(Some(5), VA), Some(PA + 0x3000));
    rig.guest.map(&other, VA, PA + 0x4000, 12, user_rw());
    rig.host.unbind(id).unwrap();
    rig.bind(Some(5), &other, FaultRouting::Refused);
    assert_eq!(rig.at(Some(5), VA), Some(PA + 0x4000));
}

#[test]
fn permissions_and_flags_are_the_tables() {
    let rig = Rig::new();
    rig.guest.map(&rig.tables, VA + 0x1000, PA, 12, user_ro());
    rig.guest.map(&rig.tables, VA + 0x2000, PA, 12, kernel_rw());
    let id = rig.bind(Some(5), &rig.tables, FaultRouting::Refused);
    let ask = |va, access| guest_address(rig.host.translate(DEVICE, &request(Some(5), va, access))).is_some();
    assert!(ask(VA, WRITE) && ask(VA + 0x1000, READ));
    assert!(!ask(VA + 0x1000, WRITE) && !ask(VA + 0x2000, READ) && !ask(VA, EXEC));
    assert!(!ask(VA + 0x2000, privileged(READ)), "SRE is 0");
    let first = FirstStage { supervisor_requests: true, ..Rig::first(&rig.tables) };
    rig.host.replace(id, &Config::FirstStage(first), FaultRouting::Refused).unwrap();
    assert!(ask(VA + 0x2000, privileged(READ)) && ask(VA + 0x1000, privileged(WRITE)));
    let first = FirstStage { write_protect: true, ..first };
    rig.host.replace(id, &Config::FirstStage(first), FaultRouting::Refused).unwrap();
    assert!(!ask(VA + 0x1000, privileged(WRITE)));
    // More permissions need no invalidation.
    rig.guest.map(&rig.tables, VA + 0x1000, PA, 12, user_rw());
    assert!(ask(VA + 0x1000, WRITE));
}

#[test]
fn a_mapping_that_is_taken_away_is_out_of_reach() {
    let rig = Rig::new();
    rig.host.unmap(RAM.start, RAM.end - RAM.start).unwrap();
    rig.host.map(RAM.start, RAM.start + SHIFT, PA - RAM.start, true).unwrap();
    rig.host.map(PA, PA + SHIFT, 0x1000, true).unwrap();
    rig.bind(Some(5), &rig.tables, FaultRouting::Queued);
    assert_eq!(rig.at(Some(5), VA), Some(PA));
    rig.host.unmap(PA, 0x1000).unwrap();
    assert_eq!(rig.at(Some(5), VA), None);
    assert_eq!(rig.host.next_fault(), Ok(None), "stage 2 is the host's own affair");
}

#[test]
fn a_host_says_what_it_can_do() {
    let rig = Rig::with(DeviceOptions { pasid_bits: 9, ..DeviceOptions::default() });
    let f = Features::default();
    let Capabilities::Vtd(caps) = rig.host.capabilities(DEVICE).unwrap() else { panic!() };
    assert_eq!((caps.cap, caps.ecap, caps.pasid_bits), (f.cap(), f.ecap(), 9));
}
