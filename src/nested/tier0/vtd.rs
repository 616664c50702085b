// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest with a VT-d unit and devices that a host translates for.

use std::sync::Arc;

use super::Between;
use crate::iommu::{Access, DmaRequest, PageRequest, PageResponseCode, Translation};
use crate::nested::assigned::{Assignment, Forwarded, NotForwarded};
use crate::nested::host::{DeviceId, Host, Response};
use crate::nested::software::tests::{DEVICE, RAM, SHIFT, Shifted, map_ram};
use crate::nested::software::{Answer, Call, DeviceOptions, Failure, Outcome, SoftwareHost};
use crate::nested::vtd::{AssignedDevices, VtdState};
use crate::nested::work::Progress;
use crate::vtd::config::RootTable;
use crate::vtd::features::Features;
use crate::vtd::spec::context::ScalableContext1;
use crate::vtd::spec::pasid::Pasid2;
use crate::vtd::testing::*;
use crate::vtd::translate::{Invalidation, Translate, Translator};

pub(super) const VA: u64 = 0x1234_5000;
pub(super) const PA: u64 = 0x8000_0000;
pub(super) const DID: u16 = 3;
pub(super) const PASID: u32 = 5;
const PAGE: u64 = 0x1000;
/// A second function.
const OTHER_SID: u32 = 0x0120;
const OTHER: DeviceId = DeviceId(8);

/// The guest, its emulated unit, and the host.
pub(super) struct Vm {
    pub guest: Arc<TestGuest>,
    pub root: RootTable,
    pub function: Function,
    /// Of the process behind [`PASID`].
    pub tables: Tables,
    pub emulated: Translator,
    pub host: Arc<SoftwareHost>,
    pub assigned: AssignedDevices,
    shared: Arc<dyn Host>,
    /// Of the next descriptor.
    pub position: u32,
}

/// What a guest is offered.
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

impl Vm {
    /// The unit is off, and the device assigned.
    pub fn off(between: Between<'_>) -> Self {
        Self::off_with(between, DeviceOptions::default())
    }

    fn off_with(between: Between<'_>, options: DeviceOptions) -> Self {
        let guest = Arc::new(TestGuest::new());
        let memory = Arc::new(Shifted(Arc::clone(&guest)));
        let host = Arc::new(SoftwareHost::vtd(memory, Features::default()).unwrap());
        host.add_device(DEVICE, options);
        map_ram(&host);
        let function = guest.function(SID);
        let tables = guest.first_stage(4);
        let mut assigned = AssignedDevices::new(features());
        let shared: Arc<dyn Host> = between(Arc::clone(&host));
        let assignment = Assignment { host: Arc::clone(&shared), device: DEVICE, stream: Box::new(|| SID) };
        assigned.add(&guest.mem, assignment).unwrap();
        let emulated = Translator::new(features(), 256);
        let root = guest.scalable_root();
        Self { guest, root, function, tables, emulated, host, assigned, shared, position: 0x80 }
    }

    /// On, with a page of the process behind [`PASID`].
    pub fn new(between: Between<'_>) -> Self {
        let mut vm = Self::off(between);
        vm.map(VA, PA);
        vm.guest.set_pasid(vm.function, PASID, &pasid_first(&vm.tables, DID));
        vm.on();
        let _ = vm.host.take_calls();
        vm
    }

    pub fn on(&mut self) {
        self.assigned.set_state(&self.guest.mem, VtdState::On(self.root));
        while self.assigned.proceed(&self.guest.mem) != Progress::Done {}
        self.wait().unwrap();
    }

    pub fn map(&self, va: u64, pa: u64) {
        self.guest.map(&self.tables, va, pa, 12, user_rw());
    }

    /// The guest writes a descriptor.
    pub fn descriptor(&mut self, what: &Invalidation) -> Result<(), NotForwarded> {
        let position = self.position;
        self.position += 1;
        self.emulated.invalidate(what);
        let of_tables = !matches!(
            what,
            Invalidation::IotlbGlobal
                | Invalidation::IotlbDomain { .. }
                | Invalidation::IotlbPages { .. }
                | Invalidation::PasidIotlbAll { .. }
                | Invalidation::PasidIotlbPages { .. }
        );
        if of_tables {
            self.assigned.flush()?;
            while self.assigned.invalidated(&self.guest.mem, what, position)? != Progress::Done {}
        } else {
            while self.assigned.collect(what, position) != Progress::Done {
                self.assigned.flush()?;
            }
        }
        Ok(())
    }

    /// And a wait descriptor.
    pub fn wait(&mut self) -> Result<Forwarded, NotForwarded> {
        self.position += 1;
        self.assigned.flush()
    }

    /// Descriptors and a wait.
    pub fn send(&mut self, descriptors: &[Invalidation]) {
        for what in descriptors {
            self.descriptor(what).unwrap();
        }
        self.wait().unwrap();
    }

    /// A PASID's entry, invalidated as software does in caching mode.
    pub fn set_pasid(&mut self, pasid: u32, entry: &PasidEntry) {
        self.guest.set_pasid(self.function, pasid, entry);
        self.send(&[
            Invalidation::Pasid { did: DID, pasid },
            Invalidation::PasidIotlbAll { did: DID, pasid },
        ]);
    }

    pub fn emulate(&self, req: &DmaRequest) -> Result<Translation, crate::vtd::fault::Fault> {
        self.emulated.translate(&self.guest.mem, &self.root, req)
    }

    /// An access ends alike in both.
    pub fn check(&mut self, pasid: Option<u32>, va: u64, access: Access) {
        self.check_request(&request(pasid, va, access));
    }

    pub fn check_request(&mut self, req: &DmaRequest) {
        let emulated = self.emulate(req);
        let outcome = self.host.translate(if req.stream == SID { DEVICE } else { OTHER }, req);
        let what = format!("{:?} {:#x} {:?}", req.substream, req.addr, req.access);
        match emulated {
            // Emulation does not look whether there is memory.
            Ok(there) if !RAM.contains(&there.addr) => assert_eq!(outcome, Outcome::Aborted, "{what}"),
            Ok(there) => {
                let Outcome::Translated(here) = outcome else { panic!("{what}: {outcome:?}, not {there:?}") };
                // What may be written besides is as old as the page in either cache: a clean page says no until it is.
                let seen = |t: Translation| (t.perm.read, t.perm.exec, t.perm.write || !req.access.write);
                assert_eq!((here.addr - SHIFT, seen(here)), (there.addr, seen(there)), "{what}");
            }
            // The PASID of nobody has no entry of the host's, and nobody to ask.
            Err(fault) if fault.reason.is_recoverable() && req.tag.is_some() => {
                assert_eq!(outcome, Outcome::Waiting, "{what}: {fault:?}");
            }
            Err(fault) => assert_eq!(outcome, Outcome::Aborted, "{what}: {fault:?}"),
        }
    }

    pub fn read(&mut self, va: u64) {
        self.check(Some(PASID), va, READ);
    }

    /// Where a read ends up in the host.
    pub fn at(&self, pasid: Option<u32>, va: u64) -> Option<u64> {
        match self.host.translate(DEVICE, &request(pasid, va, READ)) {
            Outcome::Translated(t) => Some(t.addr - SHIFT),
            _ => None,
        }
    }

    /// Another process, with one page.
    pub fn process(&self, va: u64, pa: u64) -> Tables {
        let tables = self.guest.first_stage(4);
        self.guest.map(&tables, va, pa, 12, user_rw());
        tables
    }
}

pub(super) fn pages(pasid: u32, addr: u64, address_mask: u8) -> Invalidation {
    Invalidation::PasidIotlbPages { did: DID, pasid, addr, address_mask, leaf: false }
}

fn used(between: Between<'_>) -> Vm {
    let mut vm = Vm::new(between);
    vm.read(VA);
    vm
}

pub(super) fn a_page_changes(between: Between<'_>) {
    let mut vm = used(between);
    vm.map(VA, PA + PAGE);
    vm.send(&[pages(PASID, VA, 0)]);
    vm.read(VA);
}

pub(super) fn a_range_changes(between: Between<'_>) {
    let mut vm = Vm::new(between);
    let base = VA & !0x7fff;
    for pa in [PA, PA + 0x10_0000] {
        (0..8).for_each(|n| vm.map(base + n * PAGE, pa + n * PAGE));
        vm.send(&[pages(PASID, base + 3 * PAGE, 3)]);
        (0..8).for_each(|n| vm.read(base + n * PAGE));
    }
}

pub(super) fn many_pages_change(between: Between<'_>) {
    let mut vm = Vm::new(between);
    let all: Vec<u64> = (0..20).map(|n| VA + n * PAGE).collect();
    for pa in [PA, PA + 0x10_0000] {
        all.iter().for_each(|va| vm.map(*va, pa + (va & 0xf_f000)));
        let descriptors: Vec<_> = all.iter().map(|va| pages(PASID, *va, 0)).collect();
        vm.send(&descriptors);
        all.iter().for_each(|va| vm.read(*va));
    }
}

pub(super) fn an_address_space_changes(between: Between<'_>) {
    let mut vm = used(between);
    for (n, what) in [
        Invalidation::PasidIotlbAll { did: DID, pasid: PASID },
        Invalidation::IotlbDomain { did: DID },
        Invalidation::IotlbGlobal,
        Invalidation::IotlbPages { did: DID, addr: 0, address_mask: 0, leaf: false },
    ]
    .into_iter()
    .enumerate()
    {
        vm.map(VA, PA + (n as u64 + 1) * PAGE);
        vm.send(&[what]);
        vm.read(VA);
    }
}

pub(super) fn a_table_changes(between: Between<'_>) {
    let mut vm = used(between);
    let table = vm.guest.page();
    vm.guest.mem.put(vm.guest.entry(&vm.tables, VA, 21), table | user_rw());
    vm.map(VA, PA + PAGE);
    vm.send(&[pages(PASID, VA, 0)]);
    vm.read(VA);
}

/// Two functions that share a domain and a PASID: one invalidation is for both.
pub(super) fn devices_of_a_domain(between: Between<'_>) {
    let mut vm = used(between);
    let other = vm.guest.function(OTHER_SID);
    vm.guest.set_pasid(other, PASID, &pasid_first(&vm.tables, DID));
    vm.host.add_device(OTHER, DeviceOptions::default());
    let assignment =
        Assignment { host: Arc::clone(&vm.shared), device: OTHER, stream: Box::new(|| OTHER_SID) };
    vm.assigned.add(&vm.guest.mem, assignment).unwrap();
    let of_other = DmaRequest { stream: OTHER_SID, ..request(Some(PASID), VA, READ) };
    vm.check_request(&of_other);
    vm.map(VA, PA + PAGE);
    vm.send(&[pages(PASID, VA, 0)]);
    vm.read(VA);
    vm.check_request(&of_other);
    // A PASID cache invalidation as well.
    let process = vm.process(VA, PA + 2 * PAGE);
    vm.guest.set_pasid(vm.function, PASID, &pasid_first(&process, DID));
    vm.guest.set_pasid(other, PASID, &pasid_first(&process, DID));
    vm.send(&[Invalidation::Pasid { did: DID, pasid: PASID }, pages(PASID, VA, 0)]);
    vm.read(VA);
    vm.check_request(&of_other);
}

pub(super) fn a_pasid_changes(between: Between<'_>) {
    let mut vm = used(between);
    let process = vm.process(VA, PA + PAGE);
    vm.set_pasid(PASID, &pasid_first(&process, DID));
    vm.read(VA);
    vm.set_pasid(PASID, &pasid_pass_through(DID));
    vm.read(VA);
    vm.set_pasid(PASID, &pasid_first(&vm.tables, DID));
    vm.read(VA);
}

pub(super) fn a_pasid_comes_and_goes(between: Between<'_>) {
    let mut vm = used(between);
    let process = vm.process(VA, PA + PAGE);
    for pasid in [6, 64, 0xf_ffff] {
        vm.set_pasid(pasid, &pasid_first(&process, DID));
        vm.check(Some(pasid), VA, READ);
        vm.read(VA);
        vm.set_pasid(pasid, &PasidEntry::default());
        vm.check(Some(pasid), VA, READ);
        vm.read(VA);
    }
    assert_eq!(vm.host.occupancy().bindings, 2, "requests without PASID, and one PASID");
}

/// Every kind of invalidation that says "look at the PASID table again".
pub(super) fn a_pasid_goes_by_any_invalidation(between: Between<'_>) {
    for what in [
        Invalidation::Pasid { did: DID, pasid: PASID },
        Invalidation::PasidDomain { did: DID },
        Invalidation::PasidGlobal,
        Invalidation::ContextGlobal,
        Invalidation::ContextDomain { did: DID },
        Invalidation::ContextDevice { sid: SID as u16, function_mask: 0 },
        Invalidation::ContextDevice { sid: SID as u16 | 7, function_mask: 3 },
    ] {
        let mut vm = used(between);
        vm.guest.set_pasid(vm.function, PASID, &PasidEntry::default());
        vm.send(&[what, Invalidation::IotlbGlobal]);
        vm.read(VA);
        assert_eq!(vm.at(Some(PASID), VA), None, "{what:?}");
    }
}

pub(super) fn requests_without_pasid(between: Between<'_>) {
    for rid_pasid in [0, 9] {
        let mut vm = Vm::new(between);
        let process = vm.process(VA, PA + PAGE);
        let context = vm.guest.context0(vm.function);
        vm.guest.set_context(
            vm.function,
            context,
            ScalableContext1::default().with_rid_pasid(rid_pasid.into()),
        );
        vm.guest.set_pasid(vm.function, rid_pasid, &pasid_first(&process, DID));
        vm.send(&[
            Invalidation::ContextDevice { sid: SID as u16, function_mask: 0 },
            Invalidation::PasidDomain { did: DID },
            Invalidation::IotlbDomain { did: DID },
        ]);
        vm.check(None, VA, READ);
        vm.check(Some(rid_pasid), VA, WRITE);
        vm.read(VA);
        vm.guest.map(&process, VA, PA + 2 * PAGE, 12, user_rw());
        vm.send(&[pages(rid_pasid, VA, 0)]);
        vm.check(None, VA, READ);
        vm.set_pasid(rid_pasid, &PasidEntry::default());
        vm.check(None, VA, READ);
    }
}

pub(super) fn what_an_entry_says(between: Between<'_>) {
    let mut vm = Vm::new(between);
    vm.guest.map(&vm.tables, VA, PA, 12, kernel_rw());
    vm.guest.map(&vm.tables, VA + PAGE, PA, 12, kernel_ro());
    let deep = vm.guest.first_stage(5);
    let high = 0x0056_7812_3456_7000;
    vm.guest.map(&deep, high, PA, 12, user_rw());
    let edit = |entry: PasidEntry, edit: fn(Pasid2) -> Pasid2| PasidEntry(entry.0, entry.1, edit(entry.2));
    let plain = pasid_first(&vm.tables, DID);
    for entry in [
        plain,
        edit(plain, |e| e.with_sre(1)),
        edit(plain, |e| e.with_sre(1).with_wpe(1)),
        edit(plain, |e| e.with_eafe(1)),
        pasid_first(&deep, DID),
    ] {
        vm.set_pasid(PASID, &entry);
        for va in [VA, VA + PAGE, high] {
            for access in [READ, WRITE, privileged(READ), privileged(WRITE)] {
                vm.check(Some(PASID), va, access);
            }
        }
    }
    let ea = |addr| vm.guest.mem.get(vm.guest.entry(&vm.tables, addr, 12)) >> 10 & 1;
    assert_eq!(ea(VA + 8 * PAGE), 0);
}

pub(super) fn the_register_decides(between: Between<'_>) {
    let mut vm = Vm::off(between);
    assert_eq!(vm.at(None, PA), Some(PA));
    vm.on();
    assert_eq!((vm.at(None, PA), vm.at(Some(PASID), VA)), (None, None));
    vm.map(VA, PA);
    vm.set_pasid(PASID, &pasid_first(&vm.tables, DID));
    vm.read(VA);
    vm.assigned.set_state(&vm.guest.mem, VtdState::Off);
    while vm.assigned.proceed(&vm.guest.mem) != Progress::Done {}
    assert_eq!((vm.at(None, PA), vm.at(Some(PASID), VA)), (Some(PA), None));
}

pub(super) fn a_device_is_let_go(between: Between<'_>) {
    let mut vm = used(between);
    assert_eq!(vm.assigned.remove(DEVICE), Some(SID));
    assert_eq!(vm.host.occupancy().bindings, 0);
    assert_eq!((vm.at(Some(PASID), VA), vm.at(None, VA)), (None, Some(VA)), "stage 2 is left");
}

pub(super) fn a_wait_is_one_call(between: Between<'_>) {
    let mut vm = used(between);
    let _ = vm.host.take_calls();
    let descriptors: Vec<_> = (0..511).map(|n| pages(PASID, VA + n * PAGE, 0)).collect();
    vm.send(&descriptors);
    let calls = vm.host.take_calls();
    let batches = calls.iter().filter_map(|record| match &record.call {
        Call::Invalidate { batch } => Some(batch.len()),
        _ => None,
    });
    assert_eq!(batches.collect::<Vec<_>>(), [511]);
    vm.wait().unwrap();
    assert_eq!(vm.host.take_calls(), []);
}

pub(super) fn an_error_is_its_descriptors(between: Between<'_>) {
    for at in 0..3 {
        let mut vm = Vm::new(between);
        let all = [VA, VA + PAGE, VA + 2 * PAGE];
        all.iter().for_each(|va| vm.map(*va, PA));
        all.iter().for_each(|va| vm.read(*va));
        all.iter().for_each(|va| vm.map(*va, PA + PAGE));
        let first = vm.position;
        for va in all {
            vm.descriptor(&pages(PASID, va, 0)).unwrap();
        }
        vm.host.fail(0, Failure::Entry { at, errno: libc::EIO });
        let error = vm.wait().unwrap_err();
        assert_eq!(error.position, first + at as u32);
        for (n, va) in all.into_iter().enumerate() {
            let now = if n < at { PA + PAGE } else { PA };
            assert_eq!(vm.at(Some(PASID), va), Some(now), "page {n} after an error at {at}");
        }
        for va in &all[at..] {
            vm.descriptor(&pages(PASID, *va, 0)).unwrap();
        }
        vm.wait().unwrap();
        all.iter().for_each(|va| vm.read(*va));
    }
}

/// A write that waits.
pub(super) fn ask(vm: &mut Vm, va: u64, tag: u64) -> DmaRequest {
    let req = DmaRequest { tag: Some(tag), ..request(Some(PASID), va, WRITE) };
    vm.check_request(&req);
    req
}

pub(super) fn page_requests_are_answered(between: Between<'_>) {
    let mut vm = Vm::new(between);
    let all = [VA + PAGE, VA + 2 * PAGE, VA + 3 * PAGE];
    let requests: Vec<_> = all.iter().zip(1..).map(|(va, tag)| ask(&mut vm, *va, tag)).collect();
    let seen: Vec<PageRequest> = vm.assigned.page_requests();
    assert_eq!(seen.len(), 3);
    for (seen, req) in seen.iter().zip(&requests) {
        assert_eq!((seen.stream, seen.substream, seen.addr), (SID, Some(PASID), req.addr));
        assert_eq!((seen.access, seen.last), (req.access, true));
    }
    let answer = |tag, response| Answer { device: DEVICE, pasid: Some(PASID), tag, response };
    for (n, code, response) in [
        (1, PageResponseCode::Success, Response::Success),
        (0, PageResponseCode::Invalid, Response::Invalid),
        (2, PageResponseCode::Failure, Response::Invalid),
    ] {
        vm.map(all[n], PA + PAGE);
        vm.assigned.respond(SID, Some(PASID), seen[n].group, code);
        assert_eq!(vm.host.take_answers(), [answer(n as u64 + 1, response)]);
        vm.check_request(&requests[n]);
    }
    assert_eq!((vm.host.occupancy().faults, vm.assigned.open_groups()), (0, 0));
}

/// Linux does not bind a table whose page requests nobody can make; its pages that are there serve all the same.
pub(super) fn a_device_without_page_requests(between: Between<'_>) {
    let mut vm = Vm::off_with(between, DeviceOptions { waits: false, ..DeviceOptions::default() });
    vm.on();
    vm.map(VA, PA);
    vm.set_pasid(0, &pasid_first(&vm.tables, DID));
    vm.set_pasid(PASID, &pasid_first(&vm.tables, DID));
    vm.read(VA);
    vm.check(None, VA, READ);
    vm.read(VA + PAGE);
    assert_eq!(vm.assigned.page_requests(), []);
}

mod tests {
    super::super::scenes! {
        a_device_without_page_requests
        a_page_changes
        a_range_changes
        many_pages_change
        an_address_space_changes
        a_table_changes
        devices_of_a_domain
        a_pasid_changes
        a_pasid_comes_and_goes
        a_pasid_goes_by_any_invalidation
        requests_without_pasid
        what_an_entry_says
        the_register_decides
        a_device_is_let_go
        a_wait_is_one_call
        an_error_is_its_descriptors
        page_requests_are_answered
    }
}
