// SPDX-License-Identifier: GPL-2.0-or-later
mod bounds;
mod bridges;

use std::sync::Arc;

use super::*;
use crate::iommu::{Access, AtsInvalidation, SubstreamId};
use crate::nested::fake::{Call, Failure, FakeHost};
use crate::nested::host::{BindingId, DeviceId, FirstStage, Invalidation as HostInvalidation};
use crate::vtd::config::PasidTable;
use crate::vtd::spec::capability::{Cap, Ecap};
use crate::vtd::spec::context::{Context0, Context1, ScalableContext1, tt};
use crate::vtd::testing::{
    Function, PasidEntry, SID, Tables, TestGuest, pasid_first, pasid_nested, pasid_pass_through, pasid_second,
};

const DID: u16 = 7;
const OTHER: StreamId = 0x0120;

/// What a guest with an assigned device is offered.
fn guest_features() -> Features {
    Features {
        second_stage: false,
        nested: false,
        second_stage_dirty: false,
        execute_requests: false,
        rid_priv: false,
        caching_mode: true,
        ..Features::default()
    }
}

fn able() -> VtdCapabilities {
    let f = Features::default();
    VtdCapabilities { cap: f.cap(), ecap: f.ecap(), pasid_bits: 20, writable_stage2_only: false }
}

struct Scene {
    guest: TestGuest,
    function: Function,
    tables: Tables,
    host: Arc<FakeHost>,
    devices: AssignedDevices,
}

impl Scene {
    fn new() -> Self {
        Self::with(guest_features())
    }

    fn with(features: Features) -> Self {
        let guest = TestGuest::new();
        let function = guest.function(SID);
        let tables = guest.first_stage(4);
        let host = FakeHost::new(Capabilities::Vtd(able()));
        let mut devices = AssignedDevices::new(features);
        devices.add(&guest.mem, host.device(1, SID)).unwrap();
        Self { guest, function, tables, host, devices }
    }

    /// On, without a PASID.
    fn enabled() -> Self {
        let mut scene = Self::new();
        scene.enable();
        scene.host.calls();
        scene
    }

    fn enable(&mut self) {
        let root = self.guest.scalable_root();
        self.devices.set_state(&self.guest.mem, VtdState::On(root));
        settle(&mut self.devices, &self.guest.mem);
    }

    fn invalidate(&mut self, what: Invalidation) {
        given(&mut self.devices, &self.guest.mem, &what, 0).unwrap();
    }

    /// Stores a PASID table entry and invalidates it, as software does in caching mode.
    fn set(&mut self, pasid: SubstreamId, entry: &PasidEntry) {
        self.guest.set_pasid(self.function, pasid, entry);
        self.invalidate(Invalidation::Pasid { did: DID, pasid });
    }

    fn first(&self) -> PasidEntry {
        pasid_first(&self.tables, DID)
    }

    fn bound(&self, pasid: SubstreamId) -> Option<Config> {
        self.host.bound(1, Some(pasid))
    }

    fn rid(&self) -> Config {
        self.host.bound(1, None).unwrap()
    }

    fn table(&self) -> Config {
        table_at(self.tables.root)
    }

    fn binding(&self, pasid: Option<SubstreamId>) -> BindingId {
        let device = &self.devices.devices[0];
        match pasid {
            None => device.own.rid.binding.id(),
            Some(pasid) => device.own.pasids[&pasid].binding.id(),
        }
    }

    fn flushed(&mut self) -> Vec<Call> {
        self.devices.flush().unwrap();
        self.host.calls()
    }
}

/// Bottom halves run until registers say what they are to.
fn settle(devices: &mut AssignedDevices, mem: &dyn GuestMemory) {
    while devices.proceed(mem) != Progress::Done {}
}

/// A descriptor is given until it is done.
fn given(
    devices: &mut AssignedDevices,
    mem: &dyn GuestMemory,
    what: &Invalidation,
    position: u32,
) -> core::result::Result<(), NotForwarded> {
    while devices.invalidated(mem, what, position)? != Progress::Done {}
    Ok(())
}

fn table_at(table: u64) -> Config {
    Config::FirstStage(FirstStage {
        table,
        address_bits: 48,
        supervisor_requests: false,
        write_protect: false,
        extended_accessed: false,
    })
}

fn pages(binding: BindingId, addr: u64, pages: u64) -> HostInvalidation {
    HostInvalidation::FirstStage { binding, addr, pages, leaf: false }
}

fn piotlb(pasid: SubstreamId, addr: u64, address_mask: u8) -> Invalidation {
    Invalidation::PasidIotlbPages { did: DID, pasid, addr, address_mask, leaf: false }
}

#[test]
fn without_translation_addresses_pass_and_with_it_the_tables_decide() {
    let mut scene = Scene::new();
    assert_eq!(scene.rid(), Config::Bypass);
    // No PASID entry yet.
    scene.enable();
    assert_eq!(scene.rid(), Config::Abort);
    let entry = scene.first();
    scene.guest.set_pasid(scene.function, 0, &entry);
    scene.guest.set_pasid(scene.function, 5, &entry);
    scene.enable();
    assert_eq!((scene.rid(), scene.bound(5)), (scene.table(), Some(scene.table())));
    scene.devices.set_state(&scene.guest.mem, VtdState::Off);
    settle(&mut scene.devices, &scene.guest.mem);
    assert_eq!((scene.rid(), scene.bound(5)), (Config::Bypass, None));
    assert_eq!(scene.devices.remove(DeviceId(1)), Some(SID));
    assert_eq!(scene.host.bindings(), 0);
}

#[test]
fn every_translation_type_of_an_entry() {
    let mut scene = Scene::with(Features { second_stage: true, nested: true, ..guest_features() });
    scene.enable();
    let second = scene.guest.second_stage(4);
    let first = scene.table();
    for (entry, config, refused) in [
        (scene.first(), Some(first), 0),
        (pasid_pass_through(DID), Some(Config::Bypass), 0),
        (pasid_second(&second, DID), None, 1),
        (pasid_pass_through(DID), Some(Config::Bypass), 0),
        (pasid_nested(&scene.tables, &second, DID), None, 1),
        (PasidEntry::default(), None, 0),
    ] {
        for pasid in [0, 9] {
            let before = scene.devices.stats().refused;
            scene.set(pasid, &entry);
            let bound = scene.host.bound(1, (pasid != 0).then_some(pasid));
            let expected = if pasid == 0 { config.or(Some(Config::Abort)) } else { config };
            assert_eq!(bound, expected, "{pasid} {entry:x?}");
            assert_eq!(scene.devices.stats().refused - before, refused, "{pasid} {entry:x?}");
        }
    }
}

#[test]
fn a_second_stage_of_the_guest_is_refused_with_the_reason() {
    let scene = Scene::with(Features { second_stage: true, nested: true, ..guest_features() });
    let f = Features { second_stage: true, nested: true, ..guest_features() };
    let second = scene.guest.second_stage(4);
    let table = PasidTable {
        directory: scene.function.directory,
        pasid_bits: 20,
        rid_pasid: 0,
        with_pasid: true,
        page_requests: true,
    };
    for (entry, value) in [(pasid_second(&second, DID), 2), (pasid_nested(&scene.tables, &second, DID), 3)] {
        scene.guest.set_pasid(scene.function, 3, &entry);
        let space = entry::space(&scene.guest.mem, &f, &table, SID, 3, &able());
        let Some(Refusal::Host(Error::Unsupported { value: v, limit, .. })) = space.refused else {
            panic!("{space:?}")
        };
        assert!(v == value && limit.contains("ssts=off"), "{limit}");
    }
}

#[test]
fn legacy_tables_pass_through_or_are_refused() {
    let mut scene = Scene::new();
    let root = scene.guest.legacy_root();
    let width = Context1::default().with_aw(2);
    let passes = Context0::default().with_p(1).with_tt(tt::PASS_THROUGH);
    for (entry, config) in
        [(passes, Config::Bypass), (passes.with_tt(tt::UNTRANSLATED).with_ssptptr(1), Config::Abort)]
    {
        // The tables of both modes are not the same.
        scene.guest.mem.put(scene.guest.root + u64::from(SID >> 8) * 16, 0);
        scene.guest.set_legacy_context(SID, entry, width);
        scene.devices.set_state(&scene.guest.mem, VtdState::On(root));
        settle(&mut scene.devices, &scene.guest.mem);
        assert_eq!(scene.rid(), config, "{entry:?}");
    }
}

#[test]
fn pasid_cache_invalidations_cover_what_they_name() {
    let mut scene = Scene::enabled();
    let (first, second) = (scene.first(), pasid_first(&scene.tables, DID + 1));
    let set_all = |scene: &Scene| {
        scene.guest.set_pasid(scene.function, 1, &first);
        scene.guest.set_pasid(scene.function, 64, &first);
        scene.guest.set_pasid(scene.function, 0xf_ffff, &second);
    };
    let clear_all = |scene: &Scene| {
        for pasid in [1, 64, 0xf_ffff] {
            scene.guest.set_pasid(scene.function, pasid, &PasidEntry::default());
        }
    };
    let is_bound = |scene: &Scene| [1, 64, 0xf_ffff].map(|pasid| scene.bound(pasid).is_some());
    for (what, covered) in [
        (Invalidation::PasidGlobal, [true; 3]),
        (Invalidation::PasidDomain { did: DID }, [true, true, false]),
        (Invalidation::PasidDomain { did: DID + 1 }, [false, false, true]),
        (Invalidation::Pasid { did: DID, pasid: 64 }, [false, true, false]),
        (Invalidation::Pasid { did: DID + 1, pasid: 64 }, [false; 3]),
        (Invalidation::ContextGlobal, [true; 3]),
        (Invalidation::ContextDevice { sid: SID as u16, function_mask: 0 }, [true; 3]),
        (Invalidation::ContextDevice { sid: SID as u16 + 1, function_mask: 0 }, [false; 3]),
        (Invalidation::ContextDevice { sid: SID as u16 + 1, function_mask: 3 }, [true; 3]),
        (Invalidation::PasidIotlbAll { did: DID, pasid: 1 }, [false; 3]),
    ] {
        set_all(&scene);
        scene.invalidate(what);
        assert_eq!(is_bound(&scene), covered, "made present: {what:?}");
        scene.invalidate(Invalidation::PasidGlobal);
        assert_eq!(is_bound(&scene), [true; 3]);
        clear_all(&scene);
        scene.invalidate(what);
        assert_eq!(is_bound(&scene), covered.map(|covered| !covered), "made not present: {what:?}");
        scene.invalidate(Invalidation::PasidGlobal);
        assert_eq!(is_bound(&scene), [false; 3]);
    }
}

#[test]
fn an_entry_that_changes_is_replaced_and_one_that_does_not_is_left() {
    let mut scene = Scene::enabled();
    scene.set(5, &scene.first());
    let binding = scene.binding(Some(5));
    scene.host.calls();
    scene.set(5, &scene.first());
    assert_eq!(scene.host.calls(), []);
    let other = scene.guest.first_stage(4);
    scene.set(5, &pasid_first(&other, DID));
    assert_eq!(scene.host.calls(), [Call::Replace(binding, table_at(other.root))]);
    // Another domain: nothing for the host, but invalidations name it by that from now on.
    scene.set(5, &pasid_first(&other, DID + 1));
    assert_eq!(scene.host.calls(), []);
    scene.devices.collect(&Invalidation::PasidIotlbAll { did: DID, pasid: 5 }, 0);
    assert!(!scene.devices.is_waiting());
    scene.devices.collect(&Invalidation::PasidIotlbAll { did: DID + 1, pasid: 5 }, 0);
    assert!(scene.devices.is_waiting());
}

#[test]
fn flags_of_an_entry_reach_the_host_or_are_refused_by_field() {
    let mut host = able();
    let scene = Scene::new();
    let flags = |change: fn(&mut PasidEntry), host: &VtdCapabilities| {
        let mut entry = scene.first();
        change(&mut entry);
        scene.guest.set_pasid(scene.function, 3, &entry);
        let table = PasidTable {
            directory: scene.function.directory,
            pasid_bits: 20,
            rid_pasid: 0,
            with_pasid: true,
            page_requests: false,
        };
        let f = Features { execute_requests: true, ..guest_features() };
        entry::space(&scene.guest.mem, &f, &table, SID, 3, host)
    };
    let all = flags(|entry| entry.2 = entry.2.with_sre(1).with_wpe(1).with_eafe(1).with_fspm(1), &host);
    let expected = FirstStage {
        table: scene.tables.root,
        address_bits: 57,
        supervisor_requests: true,
        write_protect: true,
        extended_accessed: true,
    };
    assert_eq!((all.config, all.routing), (Some(Config::FirstStage(expected)), FaultRouting::Refused));
    host.cap = Cap::from(host.cap).with_fs5lp(0).bits();
    host.ecap = Ecap::from(host.ecap).with_srs(0).with_eafs(0).bits();
    type Change = fn(&mut PasidEntry);
    let changes: [(&str, Change); 4] = [
        ("FSPM", |entry| entry.2 = entry.2.with_fspm(1)),
        ("SRE", |entry| entry.2 = entry.2.with_sre(1)),
        ("EAFE", |entry| entry.2 = entry.2.with_eafe(1)),
        ("ERE", |entry| entry.2 = entry.2.with_ere(1)),
    ];
    for (field, change) in changes {
        let space = flags(change, &host);
        assert_eq!(space.config, None);
        let refusal = space.refused.expect(field).to_string();
        assert!(refusal.contains(field) && refusal.contains("=off"), "{refusal}");
    }
}

#[test]
fn a_guest_that_is_offered_more_than_the_host_has_is_refused_by_property() {
    type Change = fn(&mut VtdCapabilities);
    let lacks: [(&str, Change); 11] = [
        ("ECAP.SMTS", |c| c.ecap = Ecap::from(c.ecap).with_smts(0).bits()),
        ("ECAP.NEST", |c| c.ecap = Ecap::from(c.ecap).with_nest(0).bits()),
        ("fsts", |c| c.ecap = Ecap::from(c.ecap).with_fsts(0).bits()),
        ("fs5lp=off", |c| c.cap = Cap::from(c.cap).with_fs5lp(0).bits()),
        ("fs1gp=off", |c| c.cap = Cap::from(c.cap).with_fs1gp(0).bits()),
        ("pasid-bits=16", |c| c.ecap = Ecap::from(c.ecap).with_pss(15).bits()),
        ("pasid-bits=0", |c| c.ecap = Ecap::from(c.ecap).with_pasid(0).bits()),
        ("device-iotlb=off", |c| c.ecap = Ecap::from(c.ecap).with_dt(0).bits()),
        ("svm=off", |c| c.ecap = Ecap::from(c.ecap).with_prs(0).bits()),
        ("supervisor-requests=off", |c| c.ecap = Ecap::from(c.ecap).with_srs(0).bits()),
        ("eafs=off", |c| c.ecap = Ecap::from(c.ecap).with_eafs(0).bits()),
    ];
    assert_eq!(check(&guest_features(), &able()), Ok(()));
    for (named, change) in lacks {
        let mut host = able();
        change(&mut host);
        let refusal = check(&guest_features(), &host).expect_err(named).to_string();
        assert!(refusal.contains(named), "{refusal}");
        let fake = FakeHost::new(Capabilities::Vtd(host));
        let mut devices = AssignedDevices::new(guest_features());
        assert!(devices.add(&TestGuest::new().mem, fake.device(1, SID)).is_err());
        assert!(devices.is_empty() && fake.calls().is_empty(), "{named}");
    }
    for (named, f) in [
        ("execute-requests=off", Features { execute_requests: true, ..guest_features() }),
        ("rid-priv=off", Features { rid_priv: true, ..guest_features() }),
    ] {
        assert!(check(&f, &able()).unwrap_err().to_string().contains(named));
    }
}

#[test]
fn requests_without_pasid_follow_rid_pasid() {
    let mut scene = Scene::enabled();
    scene.set(3, &scene.first());
    assert_eq!((scene.rid(), scene.bound(3)), (Config::Abort, Some(scene.table())));
    let context = scene.guest.context0(scene.function);
    scene.guest.set_context(scene.function, context, ScalableContext1::default().with_rid_pasid(3));
    scene.invalidate(Invalidation::ContextDevice { sid: SID as u16, function_mask: 0 });
    assert_eq!((scene.rid(), scene.bound(3)), (scene.table(), Some(scene.table())));
    // Both are invalidated by its name.
    let (rid, pasid) = (scene.binding(None), scene.binding(Some(3)));
    scene.host.calls();
    scene.devices.collect(&Invalidation::PasidIotlbAll { did: DID, pasid: 3 }, 0);
    let both = Call::Invalidate(vec![pages(rid, 0, u64::MAX), pages(pasid, 0, u64::MAX)]);
    assert_eq!(scene.flushed(), [both]);
    // And by removing it.
    scene.set(3, &PasidEntry::default());
    assert_eq!((scene.rid(), scene.bound(3)), (Config::Abort, None));
}

#[test]
fn without_pasids_in_the_context_entry_there_are_none() {
    let mut scene = Scene::enabled();
    scene.set(3, &scene.first());
    let context = scene.guest.context0(scene.function).with_paside(0);
    scene.guest.set_context(scene.function, context, ScalableContext1::default());
    scene.invalidate(Invalidation::ContextGlobal);
    assert_eq!(scene.bound(3), None);
}

#[test]
fn page_requests_are_routed_where_the_context_entry_enables_them() {
    let mut scene = Scene::enabled();
    let without = scene.guest.context0(scene.function).with_pre(0);
    scene.guest.set_context(scene.function, without, ScalableContext1::default());
    scene.invalidate(Invalidation::ContextGlobal);
    scene.set(3, &scene.first());
    let routing = |scene: &Scene| scene.devices.devices[0].own.pasids[&3].routing;
    assert_eq!(routing(&scene), FaultRouting::Refused);
    let with = scene.guest.context0(scene.function);
    scene.guest.set_context(scene.function, with, ScalableContext1::default());
    scene.host.calls();
    scene.invalidate(Invalidation::ContextGlobal);
    assert_eq!(routing(&scene), FaultRouting::Queued);
    assert_eq!(scene.host.calls(), [Call::Replace(scene.binding(Some(3)), scene.table())]);
}

#[test]
fn a_wait_descriptor_is_one_call_however_many_invalidations_it_completes() {
    let mut scene = Scene::enabled();
    scene.set(5, &scene.first());
    scene.set(6, &scene.first());
    let (five, six) = (scene.binding(Some(5)), scene.binding(Some(6)));
    scene.host.calls();
    scene.devices.collect(&piotlb(5, 0x12_3000, 0), 0);
    scene.devices.collect(&piotlb(5, 0x12_3000, 4), 1);
    scene.devices.collect(&piotlb(6, 0x12_3000, 52), 2);
    scene.devices.collect(&piotlb(8, 0x12_3000, 0), 3);
    scene.devices.collect(&Invalidation::PasidIotlbAll { did: DID, pasid: 5 }, 4);
    scene.devices.collect(&Invalidation::IotlbDomain { did: DID }, 5);
    scene.devices.collect(&Invalidation::IotlbDomain { did: DID + 1 }, 6);
    scene.devices.collect(&Invalidation::IotlbGlobal, 7);
    assert_eq!(scene.host.calls(), []);
    let everything = [pages(five, 0, u64::MAX), pages(six, 0, u64::MAX)];
    let mut all = vec![
        pages(five, 0x12_3000, 1),
        pages(five, 0x12_0000, 16),
        pages(six, 0, u64::MAX),
        pages(five, 0, u64::MAX),
    ];
    all.extend(everything.into_iter().chain(everything));
    assert_eq!(scene.flushed(), [Call::Invalidate(all)]);
}

#[test]
fn a_device_tlb_goes_with_the_translations_and_by_itself_where_they_do_not() {
    let mut scene = Scene::enabled();
    scene.set(5, &scene.first());
    let binding = scene.binding(Some(5));
    scene.host.calls();
    let device_tlb =
        |substream, addr, mask| AtsInvalidation { stream: SID, substream, addr, mask, global: false };
    scene.devices.collect(&piotlb(5, 0x4000, 2), 0);
    scene.devices.collect_device_tlb(&device_tlb(Some(5), 0x5000, 0xfff), 1);
    assert_eq!(scene.flushed(), [Call::Invalidate(vec![pages(binding, 0x4000, 4)])]);
    scene.devices.collect(&piotlb(5, 0x4000, 0), 0);
    scene.devices.collect_device_tlb(&device_tlb(Some(5), 0x4000, 0x1fff), 1);
    let alone = HostInvalidation::FirstStage { binding, addr: 0x4000, pages: 2, leaf: true };
    assert_eq!(scene.flushed(), [Call::Invalidate(vec![pages(binding, 0x4000, 1), alone])]);
    // Of every PASID.
    scene.set(6, &scene.first());
    let six = scene.binding(Some(6));
    scene.host.calls();
    scene
        .devices
        .collect_device_tlb(&AtsInvalidation { global: true, ..device_tlb(Some(5), 0, u64::MAX) }, 0);
    let all = |binding| HostInvalidation::FirstStage { binding, addr: 0, pages: u64::MAX, leaf: false };
    assert_eq!(scene.flushed(), [Call::Invalidate(vec![all(binding), all(six)])]);
    // Nothing is bound, or it is another's.
    scene.devices.collect_device_tlb(&device_tlb(Some(8), 0, u64::MAX), 0);
    scene
        .devices
        .collect_device_tlb(&AtsInvalidation { stream: OTHER, ..device_tlb(Some(5), 0, u64::MAX) }, 0);
    assert!(!scene.devices.is_waiting());
}

#[test]
fn the_descriptor_that_failed_is_named() {
    let mut scene = Scene::enabled();
    scene.set(5, &scene.first());
    for position in 0..4 {
        scene.devices.collect(&piotlb(5, 0x1000 * u64::from(position), 0), 32 * position);
    }
    let error = Error::Failed { call: "IOMMU_HWPT_INVALIDATE", errno: libc::EIO };
    scene.host.fail(Failure::Invalidate(2, error.clone()));
    assert_eq!(scene.devices.flush(), Err(NotForwarded { position: 64, error }));
}

#[test]
fn of_two_hosts_failures_the_earlier_one_is_named_where_the_queue_wraps() {
    let mut scene = Scene::enabled();
    let second = FakeHost::new(Capabilities::Vtd(able()));
    scene.set(5, &scene.first());
    let other = scene.guest.function(OTHER);
    scene.guest.set_pasid(other, 6, &scene.first());
    scene.devices.add(&scene.guest.mem, second.device(2, OTHER)).unwrap();
    settle(&mut scene.devices, &scene.guest.mem);
    // The last descriptor of a page, and the first one.
    scene.devices.collect(&piotlb(5, 0, 0), 4064);
    scene.devices.collect(&piotlb(6, 0, 0), 0);
    let error = Error::Failed { call: "IOMMU_HWPT_INVALIDATE", errno: libc::EIO };
    for host in [&scene.host, &second] {
        host.fail(Failure::Invalidate(0, error.clone()));
    }
    assert_eq!(scene.devices.flush(), Err(NotForwarded { position: 4064, error }));
}

#[test]
fn what_waits_for_a_binding_goes_with_it() {
    let mut scene = Scene::enabled();
    scene.set(5, &scene.first());
    scene.devices.collect(&piotlb(5, 0, 0), 0);
    scene.set(5, &PasidEntry::default());
    assert!(!scene.devices.is_waiting(), "the host knows no such binding any more");
}

#[test]
fn a_host_that_cannot_bind_leaves_the_pasid_without_translation() {
    let mut scene = Scene::enabled();
    let no_memory = || Error::Failed { call: "IOMMU_HWPT_ALLOC", errno: libc::ENOMEM };
    scene.host.fail(Failure::Bind(no_memory()));
    scene.set(5, &scene.first());
    assert_eq!((scene.bound(5), scene.devices.stats().refused), (None, 1));
    // The guest may try again.
    scene.set(5, &scene.first());
    assert_eq!(scene.bound(5), Some(scene.table()));
    // An old table must not stay.
    scene.host.fail(Failure::Bind(no_memory()));
    let other = scene.guest.first_stage(4);
    scene.set(5, &pasid_first(&other, DID));
    assert_eq!(scene.bound(5), None);
    // Requests without PASID are aborted, or the guest is told.
    scene.set(0, &scene.first());
    scene.host.fail(Failure::Bind(no_memory()));
    scene.set(0, &pasid_first(&other, DID));
    assert_eq!(scene.rid(), Config::Abort);
    scene.set(0, &scene.first());
    scene.host.fail(Failure::Bind(no_memory()));
    scene.host.fail(Failure::Bind(no_memory()));
    scene.guest.set_pasid(scene.function, 0, &pasid_first(&other, DID));
    let failed = given(&mut scene.devices, &scene.guest.mem, &Invalidation::PasidGlobal, 96);
    assert_eq!(failed, Err(NotForwarded { position: 96, error: no_memory() }));
}

#[test]
fn a_host_without_page_requests_binds_without_them() {
    let mut scene = Scene::enabled();
    scene.host.fail(Failure::Bind(Error::DeviceGone(DeviceId(1))));
    scene.set(5, &scene.first());
    let bind = |pasid, routing| match scene.host.calls()[..] {
        [Call::Bind(_, _, of, _, with)] => assert_eq!((of, with), (Some(pasid), routing)),
        ref calls => panic!("{calls:?}"),
    };
    bind(5, FaultRouting::Refused);
    // It is not asked again.
    scene.guest.set_pasid(scene.function, 6, &scene.first());
    given(&mut scene.devices, &scene.guest.mem, &Invalidation::Pasid { did: DID, pasid: 6 }, 0).unwrap();
    bind(6, FaultRouting::Refused);
    given(&mut scene.devices, &scene.guest.mem, &Invalidation::PasidGlobal, 0).unwrap();
    assert_eq!((scene.host.calls(), scene.devices.stats().refused), (vec![], 0));
}

#[test]
fn a_hostile_table_of_a_million_entries_has_a_bound() {
    let mut scene = Scene::enabled();
    // Every directory entry names the same table, whose entries are all present.
    let entry = scene.first();
    for pasid in 0..64 {
        scene.guest.set_pasid(scene.function, pasid, &entry);
    }
    let leaf = scene.guest.mem.get(scene.function.directory);
    for index in 0..1 << 14 {
        scene.guest.mem.put(scene.function.directory + index * 8, leaf);
    }
    scene.invalidate(Invalidation::PasidGlobal);
    assert_eq!(scene.host.bindings(), PASIDS + 1);
}

fn fault(device: u32, group: u32, last: bool, cookie: u64) -> HostFault {
    HostFault {
        device: DeviceId(device),
        pasid: Some(5),
        group,
        addr: 0x7fff_0123,
        access: Access { read: true, write: true, ..Access::default() },
        last,
        cookie: Cookie(cookie),
    }
}

#[test]
fn a_group_of_faults_is_a_group_of_page_requests_and_its_answer_goes_back() {
    let mut scene = Scene::enabled();
    scene.set(5, &scene.first());
    scene.host.calls();
    scene.host.fault(fault(1, 511, false, 40));
    scene.host.fault(fault(1, 511, true, 40));
    scene.host.fault(fault(2, 3, true, 41));
    let requests = scene.devices.page_requests();
    let expected = PageRequest {
        stream: SID,
        substream: Some(5),
        addr: 0x7fff_0000,
        access: Access { read: true, write: true, ..Access::default() },
        group: 511,
        last: false,
        private_data: None,
    };
    assert_eq!(requests, [expected, PageRequest { last: true, ..expected }]);
    assert_eq!(scene.host.calls(), [Call::Respond(Cookie(41), Response::Invalid)], "nobody's");
    // Another group, another PASID, another device: an answer to nothing.
    scene.devices.respond(SID, Some(5), 510, PageResponseCode::Success);
    scene.devices.respond(SID, None, 511, PageResponseCode::Success);
    scene.devices.respond(OTHER, Some(5), 511, PageResponseCode::Success);
    assert_eq!(scene.host.calls(), []);
    scene.devices.respond(SID, Some(5), 511, PageResponseCode::Success);
    scene.devices.respond(SID, Some(5), 511, PageResponseCode::Success);
    assert_eq!(scene.host.calls(), [Call::Respond(Cookie(40), Response::Success)]);
    for (code, group) in [(PageResponseCode::Invalid, 1), (PageResponseCode::Failure, 2)] {
        scene.host.fault(fault(1, group, true, 50 + u64::from(group)));
        scene.devices.page_requests();
        scene.devices.respond(SID, Some(5), group as u16, code);
        assert_eq!(scene.host.calls(), [Call::Respond(Cookie(50 + u64::from(group)), Response::Invalid)]);
    }
}

#[test]
fn groups_of_a_binding_that_goes_are_closed_and_late_answers_harmless() {
    let mut scene = Scene::enabled();
    scene.set(5, &scene.first());
    scene.host.fault(fault(1, 1, true, 40));
    scene.devices.page_requests();
    assert_eq!(scene.devices.open_groups(), 1);
    scene.set(5, &PasidEntry::default());
    assert_eq!((scene.devices.open_groups(), scene.host.open()), (0, 0));
    scene.host.calls();
    scene.devices.respond(SID, Some(5), 1, PageResponseCode::Success);
    assert_eq!(scene.host.calls(), []);
    // The device uses an index again before the answer: the first group was given up.
    scene.set(5, &scene.first());
    scene.host.calls();
    scene.host.fault(fault(1, 1, true, 41));
    scene.host.fault(fault(1, 1, true, 42));
    scene.devices.page_requests();
    assert_eq!(scene.host.calls(), [Call::Respond(Cookie(41), Response::Invalid)]);
    scene.devices.remove(DeviceId(1));
    assert_eq!((scene.devices.open_groups(), scene.host.open()), (0, 0));
}

#[test]
fn lost_requests_are_told() {
    let mut scene = Scene::enabled();
    scene.host.event(HostEvent::Lost(2));
    scene.host.event(HostEvent::Lost(1));
    assert_eq!((scene.devices.lost(), scene.devices.lost()), (3, 0));
}

#[test]
fn two_devices_share_a_domain_and_not_their_bindings() {
    let mut scene = Scene::enabled();
    let other = scene.guest.function(OTHER);
    scene.devices.add(&scene.guest.mem, scene.host.device(2, OTHER)).unwrap();
    settle(&mut scene.devices, &scene.guest.mem);
    assert_eq!(scene.host.bound(2, None), Some(Config::Abort));
    scene.set(5, &scene.first());
    assert_eq!(scene.host.bound(2, Some(5)), None);
    scene.guest.set_pasid(other, 5, &scene.first());
    scene.invalidate(Invalidation::Pasid { did: DID, pasid: 5 });
    let first = scene.binding(Some(5));
    let second = scene.devices.devices[1].own.pasids[&5].binding.id();
    scene.host.calls();
    scene.devices.collect(&piotlb(5, 0, 0), 0);
    assert_eq!(scene.flushed(), [Call::Invalidate(vec![pages(first, 0, 1), pages(second, 0, 1)])]);
    scene.devices.remove(DeviceId(1));
    assert_eq!(scene.host.bound(2, Some(5)), Some(scene.table()));
}

#[test]
fn the_structure_of_2018_binds_what_the_walk_binds() {
    let mut scene = Scene::enabled();
    scene.set(5, &scene.first());
    let config = crate::nested::PasidTableConfig::new(scene.function.directory, 20);
    config.validate(&Capabilities::Vtd(able())).unwrap();
    let table = PasidTable::try_from(config.vtd()).unwrap();
    let mut present = Vec::new();
    table.for_each_present(&scene.guest.mem, &guest_features(), |pasid| {
        present.push(pasid);
        true
    });
    assert_eq!(present, [5]);
    let space = entry::space(&scene.guest.mem, &guest_features(), &table, SID, 5, &able());
    assert_eq!(space.config, scene.bound(5));
}
