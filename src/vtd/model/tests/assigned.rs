// SPDX-License-Identifier: GPL-2.0-or-later
//! Assigned devices, from the registers to the calls of a host and back.

use std::sync::Arc;

use super::*;
use crate::nested::fake::{Call, Failure, FakeHost};
use crate::nested::{Capabilities, Config, Cookie, Error, HostEvent, HostFault, Response, VtdCapabilities};
use crate::vtd::spec::registers::iqei;
use crate::vtd::testing::{Function, PasidEntry, SID, Tables, TestGuest, pasid_first};

const PASID: u32 = 5;
const DID: u16 = 7;

fn features() -> Features {
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

struct Scene {
    guest: TestGuest,
    function: Function,
    tables: Tables,
    vtd: Vtd,
    host: Arc<FakeHost>,
    tail: u64,
}

impl Scene {
    /// A guest whose unit is on, and whose device has a PASID bound.
    fn new() -> Self {
        let f = Features::default();
        let capabilities =
            VtdCapabilities { cap: f.cap(), ecap: f.ecap(), pasid_bits: 20, writable_stage2_only: false };
        let host = FakeHost::new(Capabilities::Vtd(capabilities));
        let guest = TestGuest::new();
        let function = guest.function(SID);
        let tables = guest.first_stage(4);
        let mut scene = Self { guest, function, tables, vtd: Vtd::new(features(), 256), host, tail: 0 };
        scene.vtd.set_listeners(false);
        scene.vtd.assign(&scene.guest.mem, scene.host.device(1, SID)).unwrap();
        assert_eq!(scene.host.bound(1, None), Some(Config::Bypass));
        scene.write(reg::FECTL + 4, FAULT_MSI.1);
        scene.write(reg::FECTL + 8, FAULT_MSI.0 as u32);
        scene.write(reg::FECTL, 0);
        scene.write64(reg::IQA, QUEUE | 1 << 11 | 1);
        scene.write(reg::GCMD, 1 << 26);
        scene.write64(reg::RTADDR, scene.guest.scalable_root().rtaddr);
        scene.write(reg::GCMD, 1 << 26 | 1 << 30);
        scene.write(reg::PECTL + 4, PAGE_MSI.1);
        scene.write(reg::PECTL + 8, PAGE_MSI.0 as u32);
        scene.write(reg::PECTL, 0);
        scene.write64(reg::PQA, PAGE_QUEUE);
        scene.write(reg::GCMD, 1 << 26 | 1 << 31);
        assert_eq!(scene.host.bound(1, None), Some(Config::Abort));
        scene.guest.set_pasid(scene.function, PASID, &pasid_first(&scene.tables, DID));
        scene.submit(&[pasid_cache(), wait(1)]);
        assert!(matches!(scene.bound(), Some(Config::FirstStage(_))));
        scene.host.calls();
        scene
    }

    /// A write, and the bottom halves that it asks for.
    fn write(&self, offset: u64, value: u32) -> Vec<Effect> {
        let mut effects = self.vtd.mmio_write(&self.guest.mem, offset, value.into(), 4).0;
        while self.vtd.needs_run() {
            effects.extend(self.vtd.run_pending(&self.guest.mem).0);
        }
        effects
    }

    fn write64(&self, offset: u64, value: u64) -> Vec<Effect> {
        self.vtd.mmio_write(&self.guest.mem, offset, value, 8).0
    }

    fn read(&self, offset: u64) -> u32 {
        self.vtd.mmio_read(offset, 4) as u32
    }

    fn submit(&mut self, descriptors: &[[u64; 4]]) -> Vec<Effect> {
        for descriptor in descriptors {
            self.guest.mem.put_all(QUEUE + self.tail, descriptor);
            self.tail = (self.tail + 32) % 8192;
        }
        self.write(reg::IQT, self.tail as u32)
    }

    fn run(&self) -> Vec<Effect> {
        self.vtd.run_pending(&self.guest.mem).0
    }

    fn bound(&self) -> Option<Config> {
        self.host.bound(1, Some(PASID))
    }

    fn fault(&self, group: u32, cookie: u64) {
        self.host.fault(HostFault {
            device: DeviceId(1),
            pasid: Some(PASID),
            group,
            addr: 0x7000_0000,
            access: Access { write: true, ..Access::default() },
            last: true,
            cookie: Cookie(cookie),
        });
    }

    /// How many invalidations the calls since the last time had.
    fn batches(&self) -> Vec<usize> {
        let sizes = |call: &Call| if let Call::Invalidate(batch) = call { Some(batch.len()) } else { None };
        self.host.calls().iter().filter_map(sizes).collect()
    }
}

fn pasid_cache() -> [u64; 4] {
    [u64::from(PASID) << 32 | u64::from(DID) << 16 | 1 << 4 | 7, 0, 0, 0]
}

fn piotlb(page: u64) -> [u64; 4] {
    [u64::from(PASID) << 32 | u64::from(DID) << 16 | 3 << 4 | 6, page << 12, 0, 0]
}

fn device_tlb(page: u64) -> [u64; 4] {
    [u64::from(PASID) << 32 | u64::from(SID) << 16 | 8, page << 12, 0, 0]
}

fn response(group: u64, code: u64) -> [u64; 4] {
    [u64::from(PASID) << 32 | u64::from(SID) << 16 | code << 12 | 1 << 4 | 9, group << 3, 0, 0]
}

fn io_error() -> Error {
    Error::Failed { call: "IOMMU_HWPT_INVALIDATE", errno: libc::EIO }
}

#[test]
fn a_wait_descriptor_is_one_call() {
    let mut scene = Scene::new();
    let mut all: Vec<_> = (0..100).flat_map(|page| [piotlb(page), device_tlb(page)]).collect();
    all.push(wait(9));
    // In two writes of the tail, with nothing in between that looks.
    scene.submit(&all[..120]);
    assert_eq!(scene.batches(), [] as [usize; 0]);
    assert_eq!(scene.submit(&all[120..]), [status(9)], "no endpoint of this machine is asked");
    assert_eq!(scene.batches(), [100], "with the device's own cache");
    scene.submit(&[piotlb(3)]);
    assert_eq!(scene.read(reg::IQH), scene.tail as u32);
    assert_eq!(scene.batches(), [1], "a look at the head is enough");
    assert_eq!((scene.vtd.stats().nested.calls, scene.vtd.stats().nested.invalidations), (2, 101));
}

#[test]
fn a_descriptor_that_fails_at_the_host_is_in_error_where_it_is() {
    let mut scene = Scene::new();
    let start = scene.tail;
    scene.host.fail(Failure::Invalidate(2, io_error()));
    let effects = scene.submit(&[piotlb(1), piotlb(2), piotlb(3), piotlb(4), wait(9)]);
    assert_eq!(effects, [msi(FAULT_MSI)]);
    assert_eq!(u64::from(scene.read(reg::IQH)), start + 64);
    assert_eq!(scene.read(reg::FSTS) & 1 << 4, 1 << 4);
    assert_eq!(u64::from(scene.read(0xb0) & 0xf), iqei::NONE);
    scene.batches();
    // Software puts something harmless in its place, as Linux does, and clears the error.
    scene.guest.mem.put_all(QUEUE + start + 64, &wait(8));
    assert_eq!(scene.write(reg::FSTS, 1 << 4), [status(8), status(9)]);
    assert_eq!(scene.batches(), [1]);
}

#[test]
fn pasids_come_and_go_with_pasid_cache_invalidations() {
    let mut scene = Scene::new();
    scene.guest.set_pasid(scene.function, PASID, &PasidEntry::default());
    assert!(scene.bound().is_some(), "not before it is told");
    scene.submit(&[pasid_cache(), wait(1)]);
    assert_eq!(scene.bound(), None);
    scene.guest.set_pasid(scene.function, PASID, &pasid_first(&scene.tables, DID));
    scene.submit(&[pasid_cache(), wait(1)]);
    assert!(scene.bound().is_some());
    scene.write(reg::GCMD, 1 << 26);
    assert_eq!((scene.bound(), scene.host.bound(1, None)), (None, Some(Config::Bypass)));
    scene.write(reg::GCMD, 1 << 26 | 1 << 31);
    assert!(scene.bound().is_some());
    // By register, without the queue: everything that the domain has.
    scene.host.calls();
    scene.write(reg::GCMD, 1 << 31);
    scene.write64(0xf8, 1 << 63 | 1 << 60);
    assert!(matches!(scene.host.calls()[..], [Call::Invalidate(_)]));
    scene.vtd.reset();
    assert_eq!((scene.bound(), scene.host.bound(1, None)), (None, Some(Config::Bypass)));
    scene.vtd.unassign(DeviceId(1));
    assert_eq!(scene.host.bindings(), 0);
}

#[test]
fn a_fault_is_a_page_request_and_the_response_its_answer() {
    let mut scene = Scene::new();
    scene.fault(3, 70);
    assert_eq!(scene.run(), [msi(PAGE_MSI)]);
    assert_eq!(scene.guest.mem.get(PAGE_QUEUE), u64::from(PASID) << 32 | u64::from(SID) << 16 | 1 << 8 | 1);
    assert_eq!(scene.guest.mem.get(PAGE_QUEUE + 8), 0x7000_0000 | 3 << 3 | 1 << 2 | 1 << 1);
    assert_eq!(scene.submit(&[response(2, 0), response(3, 0), wait(1)]), [status(1)]);
    assert_eq!(scene.host.calls(), [Call::Respond(Cookie(70), Response::Success)]);
    scene.fault(4, 71);
    scene.run();
    scene.submit(&[response(4, 1), response(4, 1)]);
    assert_eq!(scene.host.calls(), [Call::Respond(Cookie(71), Response::Invalid)]);
    let stats = scene.vtd.stats();
    assert_eq!((stats.nested.faults, stats.nested.responses, stats.page_requests), (2, 2, 2));
}

#[test]
fn a_full_queue_and_lost_requests_are_an_overflow() {
    let mut scene = Scene::new();
    // 128 entries, one of which stays empty.
    for group in 0..130 {
        scene.fault(group, 100 + u64::from(group));
    }
    scene.run();
    assert_eq!(scene.read(reg::PRS) & 2, 2);
    assert_eq!(scene.host.open(), 130, "those beyond wait for software to make room");
    scene.write64(reg::PQH, scene.vtd.mmio_read(reg::PQT, 8));
    scene.write(reg::PRS, 3);
    // Success without having been looked at: the device asks again.
    assert_eq!(scene.host.open(), 127);
    let answered = scene.host.calls();
    assert!(answered.contains(&Call::Respond(Cookie(229), Response::Success)));
    assert_eq!(scene.read(reg::PRS), 0);
    scene.host.event(HostEvent::Lost(1));
    assert_eq!(scene.run(), [msi(PAGE_MSI)]);
    assert_eq!((scene.read(reg::PRS) & 2, scene.vtd.stats().nested.lost), (2, 1));
    // Groups of a PASID that goes are closed, and a late response harmless.
    scene.guest.set_pasid(scene.function, PASID, &PasidEntry::default());
    scene.submit(&[pasid_cache(), wait(1)]);
    assert_eq!(scene.host.open(), 0);
    scene.host.calls();
    scene.submit(&[response(0, 0), wait(1)]);
    assert_eq!(scene.host.calls(), []);
}

/// Directory entries of a table of 2^20 PASIDs.
const DIRECTORY: usize = 1 << 14;

fn iotlb_domain() -> [u64; 4] {
    [u64::from(DID) << 16 | 2 << 4 | 2, 0, 0, 0]
}

fn every_pasid() -> [u64; 4] {
    [3 << 4 | 7, 0, 0, 0]
}

impl Scene {
    /// As many PASIDs as a device may have, and the queue's head at 0.
    fn crowded() -> Self {
        let mut scene = Self::new();
        scene.crowd(scene.function);
        scene.submit(&[every_pasid(), wait(1)]);
        assert_eq!(scene.host.bindings(), nested::vtd::PASIDS + 1);
        scene.restart_queue();
        scene.host.calls();
        scene
    }

    /// Every directory entry of the device names one table with 64 entries.
    fn crowd(&self, function: Function) {
        for pasid in 0..64 {
            self.guest.set_pasid(function, pasid, &pasid_first(&self.tables, DID));
        }
        let leaf = self.guest.mem.get(function.directory);
        self.guest.mem.put_all(function.directory, &[leaf; DIRECTORY]);
    }

    /// The guest switches the queue off, and on again with the tail at 0. No bottom half runs.
    fn restart_queue(&mut self) {
        self.vtd.mmio_write(&self.guest.mem, reg::GCMD, 1 << 31, 4);
        self.vtd.mmio_write(&self.guest.mem, reg::IQT, 0, 4);
        self.vtd.mmio_write(&self.guest.mem, reg::GCMD, 1 << 31 | 1 << 26, 4);
        self.tail = 0;
    }

    /// Descriptors are given, and no bottom half runs.
    fn give(&mut self, descriptors: &[[u64; 4]]) -> Vec<Effect> {
        for descriptor in descriptors {
            self.guest.mem.put_all(QUEUE + self.tail, descriptor);
            self.tail = (self.tail + 32) % 8192;
        }
        self.vtd.mmio_write(&self.guest.mem, reg::IQT, self.tail, 4).0
    }
}

#[test]
fn a_queue_that_was_switched_off_resumes_no_descriptor_in_the_middle() {
    let all = nested::vtd::PASIDS + 1;
    // Translations of a domain.
    let mut scene = Scene::crowded();
    assert_eq!(scene.give(&[iotlb_domain(), wait(2)]), []);
    let first: usize = scene.batches().iter().sum();
    assert!((1..all).contains(&first), "{first}");
    scene.restart_queue();
    // What waited was forwarded before the queue went off.
    scene.batches();
    assert_eq!(scene.submit(&[iotlb_domain(), wait(3)]), [status(3)]);
    assert_eq!(scene.batches().iter().sum::<usize>(), all);
    // Tables: an entry that the first walk is past changes while the queue is off.
    let mut scene = Scene::crowded();
    assert_eq!(scene.give(&[every_pasid(), wait(2)]), []);
    scene.restart_queue();
    let other = scene.guest.first_stage(4);
    scene.guest.set_pasid(scene.function, PASID, &pasid_first(&other, DID));
    assert_eq!(scene.submit(&[every_pasid(), wait(3)]), [status(3)]);
    let Some(Config::FirstStage(bound)) = scene.bound() else { panic!("{:?}", scene.bound()) };
    assert_eq!(bound.table, other.root);
}

#[test]
fn a_descriptor_in_error_is_done_as_a_whole_when_it_is_given_again() {
    let all = nested::vtd::PASIDS + 1;
    // A host fails at a part of it; the rest of that part was not tried.
    let mut scene = Scene::crowded();
    scene.host.fail(Failure::Invalidate(2, io_error()));
    assert_eq!(scene.submit(&[iotlb_domain(), wait(2)]), [msi(FAULT_MSI)]);
    assert_eq!((scene.read(reg::IQH), scene.read(reg::FSTS) & 1 << 4), (0, 1 << 4));
    scene.batches();
    assert_eq!(scene.write(reg::FSTS, 1 << 4), [status(2)]);
    assert_eq!(scene.batches().iter().sum::<usize>(), all);
    // Software replaces it by what cannot be, and puts it back.
    let mut scene = Scene::crowded();
    assert_eq!(scene.give(&[iotlb_domain(), wait(2)]), []);
    scene.guest.mem.put_all(QUEUE, &[0xf; 4]);
    assert_eq!(scene.run(), [msi(FAULT_MSI)]);
    scene.guest.mem.put_all(QUEUE, &iotlb_domain());
    scene.vtd.mmio_write(&scene.guest.mem, reg::FECTL, 0, 4);
    scene.batches();
    assert_eq!(scene.write(reg::FSTS, 1 << 4), [status(2)]);
    assert_eq!(scene.batches().iter().sum::<usize>(), all);
}

#[test]
fn a_device_that_is_plugged_into_a_running_guest_is_bound_without_another_register_write() {
    let mut scene = Scene::new();
    let other = scene.guest.function(SID + 8);
    scene.crowd(other);
    scene.vtd.assign(&scene.guest.mem, scene.host.device(2, SID + 8)).unwrap();
    let mut runs = 0;
    while scene.vtd.needs_run() {
        scene.run();
        runs += 1;
    }
    assert!(runs > 1, "{runs}");
    assert!(scene.host.bound(2, Some(4000)).is_some());
    assert_eq!(scene.submit(&[wait(5)]), [status(5)]);
}
