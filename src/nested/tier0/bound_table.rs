// SPDX-License-Identifier: GPL-2.0-or-later
//! The structure of 2018, bound on both architectures.

use std::sync::Arc;

use crate::iommu::testing::TestMemory;
use crate::nested::host::{DeviceId, FaultRouting, Host, Invalidation};
use crate::nested::software::tests::{DEVICE, SHIFT, Shifted, map_ram};
use crate::nested::software::{DeviceOptions, Failure, Outcome, SoftwareHost};
use crate::nested::{BoundPasidTable, Error, PasidTableConfig};
use crate::smmuv3::spec::ste::{s1dss, s1fmt};
use crate::{smmuv3, vtd};

const VA: u64 = 0x1234_5000;
const PA: u64 = 0x8000_0000;

fn at(host: &SoftwareHost, pasid: Option<u32>) -> Option<u64> {
    match host.translate(DEVICE, &vtd::testing::request(pasid, VA, vtd::testing::READ)) {
        Outcome::Translated(t) => Some(t.addr - SHIFT),
        _ => None,
    }
}

fn bind(
    host: &Arc<SoftwareHost>,
    config: &PasidTableConfig,
    mem: &TestMemory,
) -> crate::nested::Result<BoundPasidTable> {
    let shared: Arc<dyn Host> = Arc::<SoftwareHost>::clone(host);
    let table = config.table(&shared.capabilities(DEVICE)?, s1fmt::LEAF_4K, s1dss::SSID0)?;
    let (bound, left_out) = BoundPasidTable::new(&shared, DEVICE, table, mem, FaultRouting::Queued)?;
    assert_eq!(left_out, []);
    Ok(bound)
}

#[test]
fn a_cd_table_is_one_binding() {
    use smmuv3::testing::*;
    let guest = Arc::new(TestGuest::new());
    let features = smmuv3::features::Features::default();
    let host = Arc::new(SoftwareHost::smmuv3(Arc::new(Shifted(Arc::clone(&guest))), features).unwrap());
    host.add_device(DEVICE, DeviceOptions { pasid_bits: 10, ..DeviceOptions::default() });
    map_ram(&host);
    let contexts = guest.contexts(10, s1fmt::LEAF_4K);
    let tables = guest.tables(12, 48);
    guest.map(&tables, VA, PA, 3, user_rw());
    for ssid in [0, 1, 1023] {
        guest.set_cd(&contexts, ssid, &cd(&tables, 5));
    }
    let config = PasidTableConfig::new(contexts.base, 10);
    assert!(bind(&host, &config, &guest.mem).is_err(), "the device has no name yet");
    host.add_virtual_device(DEVICE, 0x18).unwrap();
    let bound = bind(&host, &config, &guest.mem).unwrap();
    for (pasid, there) in
        [(None, true), (Some(1), true), (Some(1023), true), (Some(2), false), (Some(1024), false)]
    {
        assert_eq!(at(&host, pasid), there.then_some(PA), "{pasid:?}");
    }
    assert_eq!(bound.binding(Some(1)), bound.binding(None));
    drop(bound);
    assert_eq!((host.occupancy().bindings, at(&host, Some(1))), (0, None));
    let wide = PasidTableConfig::new(contexts.base, 11);
    assert!(matches!(bind(&host, &wide, &guest.mem), Err(Error::Unsupported { .. })));
}

#[test]
fn a_pasid_directory_is_a_binding_an_entry() {
    use vtd::testing::*;
    let guest = Arc::new(TestGuest::new());
    let features = vtd::features::Features::default();
    let host = Arc::new(SoftwareHost::vtd(Arc::new(Shifted(Arc::clone(&guest))), features).unwrap());
    host.add_device(DEVICE, DeviceOptions { pasid_bits: 12, ..DeviceOptions::default() });
    map_ram(&host);
    let function = guest.function(SID);
    let process = |pa| {
        let tables = guest.first_stage(4);
        guest.map(&tables, VA, pa, 12, user_rw());
        tables
    };
    let (first, second) = (process(PA), process(PA + 0x1000));
    guest.set_pasid(function, 0, &pasid_first(&first, 1));
    guest.set_pasid(function, 5, &pasid_first(&second, 1));
    guest.set_pasid(function, 70, &pasid_pass_through(1));
    let mut bound = bind(&host, &PasidTableConfig::new(function.directory, 12), &guest.mem).unwrap();
    let all = |host: &SoftwareHost| [None, Some(5), Some(70), Some(9)].map(|pasid| at(host, pasid));
    assert_eq!(all(&host), [Some(PA), Some(PA + 0x1000), Some(VA), None]);
    // One entry comes, one goes, one changes; nothing happens before the guest says so.
    guest.set_pasid(function, 9, &pasid_first(&first, 1));
    guest.set_pasid(function, 70, &PasidEntry::default());
    guest.set_pasid(function, 0, &pasid_pass_through(1));
    assert_eq!(all(&host), [Some(PA), Some(PA + 0x1000), Some(VA), None]);
    assert_eq!(bound.sync(&guest.mem, Some(9)), []);
    assert_eq!(all(&host), [Some(PA), Some(PA + 0x1000), Some(VA), Some(PA)]);
    assert_eq!(bound.sync(&guest.mem, None), []);
    assert_eq!(all(&host), [Some(VA), Some(PA + 0x1000), None, Some(PA)]);
    // Pages are invalidated by binding.
    guest.map(&second, VA, PA + 0x2000, 12, user_rw());
    let binding = bound.binding(Some(5)).unwrap();
    host.invalidate(&[Invalidation::FirstStage { binding, addr: VA, pages: 1, leaf: true }]).unwrap();
    assert_eq!(at(&host, Some(5)), Some(PA + 0x2000));
    // What cannot be bound is left out, and said.
    guest.set_pasid(function, 5, &pasid_nested(&first, &guest.second_stage(4), 1));
    let left_out = bound.sync(&guest.mem, Some(5));
    assert_eq!((left_out.len(), left_out[0].0, at(&host, Some(5))), (1, Some(5), None));
    guest.set_pasid(function, 9, &pasid_first(&second, 1));
    host.fail(0, Failure::Errno(libc::ENOMEM));
    assert_eq!(bound.sync(&guest.mem, Some(9)).len(), 1);
    assert_eq!((at(&host, Some(9)), bound.binding(Some(9))), (None, None), "not the old one");
    drop(bound);
    assert_eq!(host.occupancy().bindings, 0);
}

#[test]
fn a_table_is_of_its_architecture() {
    let guest = Arc::new(vtd::testing::TestGuest::new());
    let host = SoftwareHost::vtd(Arc::new(Shifted(Arc::clone(&guest))), vtd::features::Features::default());
    let host = Arc::new(host.unwrap());
    host.add_device(DEVICE, DeviceOptions::default());
    let shared: Arc<dyn Host> = host;
    let table = PasidTableConfig::new(0, 8).smmuv3(0, 0);
    let bound = BoundPasidTable::new(&shared, DEVICE, table, &guest.mem, FaultRouting::Refused);
    assert!(matches!(bound, Err(Error::Malformed(_))));
    let other = DeviceId(99);
    let bound = BoundPasidTable::new(&shared, other, table, &guest.mem, FaultRouting::Refused);
    assert!(matches!(bound, Err(Error::UnknownDevice(device)) if device == other));
}
