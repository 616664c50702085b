// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest with an SMMUv3 and a device that a host translates for.

use std::sync::Arc;

use super::Between;
use crate::iommu::{Access, DmaRequest};
use crate::nested::assigned::{Assignment, Forwarded, NotForwarded};
use crate::nested::host::{Host, Response};
use crate::nested::smmuv3::{AssignedStreams, GuestEvent, GuestStall, SmmuState, Streams};
use crate::nested::software::tests::{DEVICE, RAM, SHIFT, Shifted, map_ram};
use crate::nested::software::{Answer, Call, DeviceOptions, Failure, Outcome, SoftwareHost};
use crate::smmuv3::command::Command;
use crate::smmuv3::config::StreamTable;
use crate::smmuv3::event;
use crate::smmuv3::fault::{Fault, FaultAction};
use crate::smmuv3::features::Features;
use crate::smmuv3::spec::command::{
    self as op, AtcInv0, AtcInv1, CfgiCommand1, StreamCommand0, TlbiCommand0, TlbiCommand1,
};
use crate::smmuv3::spec::ste::{s1dss, s1fmt};
use crate::smmuv3::testing::*;
use crate::smmuv3::translate::{Invalidation, Translate, Translator};

pub(super) const SID: u32 = 0x18;
pub(super) const VA: u64 = 0x1_2345_6000;
pub(super) const PA: u64 = 0x8000_0000;
pub(super) const ASID: u16 = 5;
const PAGE: u64 = 0x1000;

/// The guest, its emulated SMMU, and the host.
pub(super) struct Vm {
    pub guest: Arc<TestGuest>,
    pub streams: StreamTable,
    pub contexts: Contexts,
    /// Of the process behind SubstreamID 1.
    pub tables: Tables,
    pub emulated: Translator,
    pub host: Arc<SoftwareHost>,
    pub assigned: AssignedStreams,
    /// Of the next command.
    pub position: u32,
}

/// What a guest is offered: no stage 2.
fn features() -> Features {
    Features { stage2: false, va52: false, ..Features::default() }
}

impl Vm {
    /// The SMMU is off, and the device assigned.
    pub fn off(between: Between<'_>, options: DeviceOptions) -> Self {
        let guest = Arc::new(TestGuest::new());
        let memory = Arc::new(Shifted(Arc::clone(&guest)));
        let host = Arc::new(SoftwareHost::smmuv3(memory, Features::default()).unwrap());
        host.add_device(DEVICE, options);
        map_ram(&host);
        let streams = guest.linear_streams(6);
        let contexts = guest.contexts(4, s1fmt::LINEAR);
        let tables = guest.tables(12, 48);
        let mut assigned = AssignedStreams::new(features());
        let shared: Arc<dyn Host> = between(Arc::clone(&host));
        let assignment = Assignment { host: shared, device: DEVICE, stream: Box::new(|| SID) };
        assigned.add(&guest.mem, assignment).unwrap();
        let emulated = Translator::new(features(), 256);
        Self { guest, streams, contexts, tables, emulated, host, assigned, position: 0x40 }
    }

    /// On, with a page of the process behind SubstreamID 1.
    pub fn new(between: Between<'_>) -> Self {
        Self::with(between, DeviceOptions::default(), |ste| ste)
    }

    pub fn with(between: Between<'_>, options: DeviceOptions, edit: impl Fn(Ste) -> Ste) -> Self {
        let mut vm = Self::off(between, options);
        vm.map(VA, PA);
        vm.set_cd(1, &cd(&vm.tables, ASID));
        vm.guest.set_ste(&vm.streams, SID, &edit(vm.stage1(s1dss::SSID0)));
        vm.on();
        let _ = vm.host.take_calls();
        vm
    }

    pub fn on(&mut self) {
        let _ = self.assigned.set_state(&self.guest.mem, SmmuState::On(self.streams));
        self.sync().unwrap();
    }

    pub fn stage1(&self, dss: u64) -> Ste {
        ste_stage1(self.contexts.base, 4, self.contexts.fmt, dss)
    }

    pub fn set_cd(&self, ssid: u32, cd: &Cd) {
        self.guest.set_cd(&self.contexts, ssid, cd);
    }

    pub fn map(&self, va: u64, pa: u64) {
        self.guest.map(&self.tables, va, pa, 3, user_rw());
    }

    /// The guest writes a command.
    pub fn command(&mut self, command: [u64; 2]) -> Result<(), NotForwarded> {
        let position = self.position;
        self.position += 1;
        let decoded = Command::decode(&features(), false, command).unwrap();
        if let Command::Configuration(what) | Command::Translations(what) = &decoded {
            self.emulated.invalidate(what);
        }
        let changed = match decoded {
            Command::Configuration(Invalidation::Ste { sid }) => Some((sid, sid)),
            Command::Configuration(Invalidation::SteRange { first, last }) => Some((first, last)),
            Command::Configuration(Invalidation::All) => Some((0, u32::MAX)),
            _ => None,
        };
        if let Some((first, last)) = changed {
            self.assigned.flush()?;
            let which = Streams { first, last };
            let _ = self.assigned.configuration_changed(&self.guest.mem, which, position)?;
        } else if !self.assigned.collect(command, position) {
            self.assigned.flush()?;
            assert!(self.assigned.collect(command, position));
        }
        Ok(())
    }

    /// And a SYNC.
    pub fn sync(&mut self) -> Result<Forwarded, NotForwarded> {
        self.position += 1;
        self.assigned.flush()
    }

    /// Commands and a SYNC.
    pub fn send(&mut self, commands: &[[u64; 2]]) {
        for command in commands {
            self.command(*command).unwrap();
        }
        self.sync().unwrap();
    }

    /// The stream has another STE.
    pub fn set_ste(&mut self, ste: &Ste) {
        self.guest.set_ste(&self.streams, SID, ste);
        self.send(&[cfgi_ste()]);
    }

    pub fn emulate(&self, req: &DmaRequest) -> Result<crate::iommu::Translation, Fault> {
        self.emulated.translate(&self.guest.mem, &self.streams, req)
    }

    /// An access ends alike in both.
    pub fn check(&mut self, ssid: Option<u32>, va: u64, access: Access) {
        self.check_request(&request(SID, ssid, va, access));
    }

    pub fn check_request(&mut self, req: &DmaRequest) {
        let emulated = self.emulate(req);
        let outcome = self.host.translate(DEVICE, req);
        let events = self.assigned.events();
        let what = format!("{:?} {:#x} {:?}", req.substream, req.addr, req.access);
        match emulated {
            // Emulation does not look whether there is memory.
            Ok(there) if !RAM.contains(&there.addr) => assert_eq!(outcome, Outcome::Aborted, "{what}"),
            Ok(there) => {
                let Outcome::Translated(here) = outcome else { panic!("{what}: {outcome:?}, not {there:?}") };
                assert_eq!((here.addr - SHIFT, here.perm), (there.addr, there.perm), "{what}");
                assert_eq!(events, [], "{what}");
            }
            Err(fault) if fault.action == FaultAction::Stall && req.tag.is_some() => {
                assert_eq!((outcome, events), (Outcome::Waiting, vec![]), "{what}");
            }
            Err(fault) => {
                assert_eq!(outcome, Outcome::Aborted, "{what}: {fault:?}");
                let record = fault.record.then(|| GuestEvent::Record(event::encode(&fault)));
                assert_eq!(events, Vec::from_iter(record), "{what}: {fault:?}");
            }
        }
    }

    pub fn read(&mut self, va: u64) {
        self.check(Some(1), va, READ);
    }

    /// Where a read ends up in the host.
    pub fn at(&self, ssid: Option<u32>, va: u64) -> Option<u64> {
        match self.host.translate(DEVICE, &request(SID, ssid, va, READ)) {
            Outcome::Translated(t) => Some(t.addr - SHIFT),
            _ => None,
        }
    }

    /// Another process, with one page.
    pub fn process(&self, va: u64, pa: u64) -> Tables {
        let tables = self.guest.tables(12, 48);
        self.guest.map(&tables, va, pa, 3, user_rw());
        tables
    }
}

pub(super) fn tlbi(opcode: u8, asid: u16, va: u64) -> [u64; 2] {
    [
        TlbiCommand0::default().with_opcode(opcode.into()).with_asid(asid.into()).bits(),
        TlbiCommand1::default().with_addr(va >> 12).bits(),
    ]
}

pub(super) fn cfgi_ste() -> [u64; 2] {
    let head = StreamCommand0::default().with_opcode(op::CFGI_STE.into()).with_stream_id(SID.into());
    [head.bits(), CfgiCommand1::default().with_leaf(1).bits()]
}

pub(super) fn cfgi_cd(ssid: u32) -> [u64; 2] {
    let head = StreamCommand0::default().with_opcode(op::CFGI_CD.into()).with_stream_id(SID.into());
    [head.with_substream_id(ssid.into()).bits(), CfgiCommand1::default().with_leaf(1).bits()]
}

fn atc_inv(ssid: u32, va: u64) -> [u64; 2] {
    let head = AtcInv0::default().with_opcode(op::ATC_INV.into()).with_stream_id(SID.into());
    [head.with_ssv(1).with_substream_id(ssid.into()).bits(), AtcInv1::default().with_addr(va >> 12).bits()]
}

/// So that the host has it from before.
fn used(between: Between<'_>) -> Vm {
    let mut vm = Vm::new(between);
    vm.read(VA);
    vm
}

pub(super) fn a_page_changes(between: Between<'_>) {
    let mut vm = used(between);
    vm.map(VA, PA + PAGE);
    vm.send(&[tlbi(op::TLBI_NH_VA, ASID, VA)]);
    vm.read(VA);
}

pub(super) fn a_page_of_every_address_space_changes(between: Between<'_>) {
    let mut vm = used(between);
    vm.set_cd(2, &cd(&vm.tables, ASID + 1));
    vm.check(Some(2), VA, READ);
    vm.map(VA, PA + PAGE);
    vm.send(&[tlbi(op::TLBI_NH_VAA, 0, VA)]);
    vm.read(VA);
    vm.check(Some(2), VA, READ);
}

pub(super) fn an_address_space_changes(between: Between<'_>) {
    let mut vm = used(between);
    vm.map(VA, PA + PAGE);
    vm.send(&[tlbi(op::TLBI_NH_ASID, ASID, 0)]);
    vm.read(VA);
}

pub(super) fn everything_changes(between: Between<'_>) {
    let mut vm = used(between);
    vm.map(VA, PA + PAGE);
    vm.send(&[tlbi(op::TLBI_NH_ALL, 0, 0)]);
    vm.read(VA);
    vm.map(VA, PA + 2 * PAGE);
    vm.send(&[tlbi(op::TLBI_NSNH_ALL, 0, 0)]);
    vm.read(VA);
}

pub(super) fn many_pages_change(between: Between<'_>) {
    let mut vm = Vm::new(between);
    let pages: Vec<u64> = (0..20).map(|n| VA + n * PAGE).collect();
    for pa in [PA, PA + 0x10_0000] {
        pages.iter().for_each(|va| vm.map(*va, pa + (va & 0xf_f000)));
        let commands: Vec<_> = pages.iter().map(|va| tlbi(op::TLBI_NH_VA, ASID, *va)).collect();
        vm.send(&commands);
        pages.iter().for_each(|va| vm.read(*va));
    }
}

pub(super) fn a_range_changes(between: Between<'_>) {
    let mut vm = Vm::new(between);
    for pa in [PA, PA + 0x10_0000] {
        (0..4).for_each(|n| vm.map(VA + n * PAGE, pa + n * PAGE));
        let [first, second] = tlbi(op::TLBI_NH_VA, ASID, VA);
        let (head, tail) = (TlbiCommand0::from(first).with_num(3), TlbiCommand1::from(second));
        vm.send(&[[head.bits(), tail.with_tg(1).with_ttl(3).with_leaf(1).bits()]]);
        (0..4).for_each(|n| vm.read(VA + n * PAGE));
    }
}

pub(super) fn a_table_changes(between: Between<'_>) {
    let mut vm = used(between);
    let table = vm.guest.alloc(4096);
    vm.guest.mem.put(vm.guest.pte_addr(&vm.tables, VA, 2), table | 0b11);
    vm.map(VA, PA + PAGE);
    vm.send(&[tlbi(op::TLBI_NH_VA, ASID, VA)]);
    vm.read(VA);
}

pub(super) fn a_cd_changes(between: Between<'_>) {
    let mut vm = used(between);
    vm.set_cd(1, &cd(&vm.process(VA, PA + PAGE), ASID + 1));
    vm.send(&[cfgi_cd(1)]);
    vm.read(VA);
    // And is taken away.
    vm.set_cd(1, &Cd::default());
    vm.send(&[cfgi_cd(1), tlbi(op::TLBI_NH_ASID, ASID + 1, 0)]);
    vm.read(VA);
}

pub(super) fn a_cd_table_changes_behind_its_ste(between: Between<'_>) {
    let mut vm = used(between);
    vm.set_cd(1, &cd(&vm.process(VA, PA + PAGE), ASID + 1));
    let ste = vm.stage1(s1dss::SSID0);
    vm.set_ste(&ste);
    vm.read(VA);
}

pub(super) fn an_ste_changes(between: Between<'_>) {
    let mut vm = used(between);
    let other = vm.guest.contexts(4, s1fmt::LINEAR);
    let process = vm.process(VA, PA + PAGE);
    vm.guest.set_cd(&other, 1, &cd(&process, ASID + 1));
    let stes = [
        ste_stage1(other.base, 4, other.fmt, s1dss::BYPASS),
        ste_bypass(),
        ste_abort(),
        vm.stage1(s1dss::TERMINATE),
        // What the host has no words for, and what is no STE.
        Ste::default(),
        vm.stage1(s1dss::SSID0),
    ];
    for ste in stes {
        vm.set_ste(&ste);
        if ste == Ste::default() {
            // The emulated one records that it is none; a host that aborts records nothing.
            assert_eq!(vm.at(Some(1), VA), None);
            assert_eq!(vm.assigned.events(), []);
            continue;
        }
        for ssid in [None, Some(1), Some(2)] {
            vm.check(ssid, VA, READ);
            vm.check(ssid, PA, READ);
        }
    }
}

pub(super) fn requests_without_pasid(between: Between<'_>) {
    for dss in [s1dss::TERMINATE, s1dss::BYPASS, s1dss::SSID0] {
        let mut vm = Vm::new(between);
        vm.set_cd(0, &cd(&vm.process(VA, PA + PAGE), ASID + 1));
        let ste = vm.stage1(dss);
        vm.set_ste(&ste);
        for ssid in [None, Some(0), Some(1)] {
            vm.check(ssid, VA, READ);
            vm.check(ssid, PA, WRITE);
        }
    }
}

pub(super) fn cd_tables_of_every_shape(between: Between<'_>) {
    for (fmt, log2) in [(s1fmt::LINEAR, 0), (s1fmt::LINEAR, 4), (s1fmt::LEAF_4K, 8), (s1fmt::LEAF_64K, 12)] {
        let mut vm = Vm::new(between);
        let contexts = vm.guest.contexts(log2, fmt);
        let last = (1u32 << log2) - 1;
        for ssid in [0, last] {
            vm.guest.set_cd(&contexts, ssid, &cd(&vm.tables, ASID));
        }
        vm.set_ste(&ste_stage1(contexts.base, log2.into(), fmt, s1dss::SSID0));
        for ssid in [None, Some(0), Some(1), Some(last), Some(last + 1)] {
            vm.check(ssid, VA, READ);
        }
    }
}

pub(super) fn the_registers_decide(between: Between<'_>) {
    let mut vm = Vm::off(between, DeviceOptions::default());
    vm.guest.set_ste(&vm.streams, SID, &ste_abort());
    let mut to = |state, ends: Option<u64>| {
        let _ = vm.assigned.set_state(&vm.guest.mem, state);
        vm.sync().unwrap();
        assert_eq!(vm.at(None, PA), ends, "{state:?}");
    };
    to(SmmuState::Off { abort: true }, None);
    to(SmmuState::Off { abort: false }, Some(PA));
    let table = vm.streams;
    let mut to = |state, ends: Option<u64>| {
        let _ = vm.assigned.set_state(&vm.guest.mem, state);
        assert_eq!(vm.at(None, PA), ends, "{state:?}");
    };
    to(SmmuState::On(table), None);
    to(SmmuState::Off { abort: false }, Some(PA));
}

pub(super) fn an_endpoint_keeps_translations(between: Between<'_>) {
    let options = DeviceOptions { ats: true, ..DeviceOptions::default() };
    let mut vm = Vm::with(between, options, |ste| edit_ste1(ste, |ste| ste.with_eats(1)));
    vm.read(VA);
    vm.map(VA, PA + PAGE);
    vm.send(&[tlbi(op::TLBI_NH_VA, ASID, VA), atc_inv(1, VA)]);
    vm.read(VA);
}

pub(super) fn a_device_is_let_go(between: Between<'_>) {
    let mut vm = used(between);
    assert_eq!(vm.assigned.remove(DEVICE), Some(SID));
    assert_eq!(vm.host.occupancy().bindings, 0);
    assert_eq!((vm.at(Some(1), VA), vm.at(None, VA)), (None, Some(VA)), "stage 2 is left");
    assert_eq!(vm.assigned.events(), []);
}

pub(super) fn a_sync_is_one_call(between: Between<'_>) {
    let mut vm = used(between);
    let _ = vm.host.take_calls();
    let commands: Vec<_> = (0..511).map(|n| tlbi(op::TLBI_NH_VA, ASID, VA + n * PAGE)).collect();
    vm.send(&commands);
    let calls = vm.host.take_calls();
    let batches = calls.iter().filter_map(|record| match &record.call {
        Call::Invalidate { batch } => Some(batch.len()),
        _ => None,
    });
    assert_eq!(batches.collect::<Vec<_>>(), [511]);
    // Nothing to do is no call.
    vm.sync().unwrap();
    assert_eq!(vm.host.take_calls(), []);
}

/// The host fails at an entry of a batch.
pub(super) fn an_error_is_its_commands(between: Between<'_>) {
    for at in 0..3 {
        let mut vm = Vm::new(between);
        let pages = [VA, VA + PAGE, VA + 2 * PAGE];
        pages.iter().for_each(|va| vm.map(*va, PA));
        pages.iter().for_each(|va| vm.read(*va));
        pages.iter().for_each(|va| vm.map(*va, PA + PAGE));
        let first = vm.position;
        for va in pages {
            vm.command(tlbi(op::TLBI_NH_VA, ASID, va)).unwrap();
        }
        vm.host.fail(0, Failure::Entry { at, errno: libc::EIO });
        let error = vm.sync().unwrap_err();
        assert_eq!(error.position, first + at as u32);
        for (n, va) in pages.into_iter().enumerate() {
            let now = if n < at { PA + PAGE } else { PA };
            assert_eq!(vm.at(Some(1), va), Some(now), "page {n} after an error at {at}");
        }
        // The guest mends it, and gives the rest again.
        vm.position = error.position;
        for va in &pages[at..] {
            vm.command(tlbi(op::TLBI_NH_VA, ASID, *va)).unwrap();
        }
        vm.sync().unwrap();
        pages.iter().for_each(|va| vm.read(*va));
    }
}

/// A process whose missing pages stall.
pub(super) fn stalling(between: Between<'_>) -> Vm {
    let mut vm = Vm::new(between);
    vm.set_cd(1, &edit_cd(cd(&vm.tables, ASID), |cd| cd.with_s(1)));
    vm.send(&[cfgi_cd(1)]);
    vm
}

pub(super) fn wait(vm: &mut Vm, va: u64, tag: u64) -> DmaRequest {
    let req = DmaRequest { tag: Some(tag), ..request(SID, Some(1), va, WRITE) };
    vm.check_request(&req);
    req
}

pub(super) fn stalls_are_answered(between: Between<'_>) {
    let mut vm = stalling(between);
    let pages = [VA + PAGE, VA + 2 * PAGE, VA + 3 * PAGE];
    let requests: Vec<_> = pages.iter().zip(1..).map(|(va, tag)| wait(&mut vm, *va, tag)).collect();
    let stalls: Vec<GuestStall> = vm.assigned.stalls();
    let records: Vec<_> = requests.iter().map(|req| event::encode(&vm.emulate(req).unwrap_err())).collect();
    assert_eq!(stalls.iter().map(|stall| stall.record).collect::<Vec<_>>(), records);
    let answer = |tag, response| Answer { device: DEVICE, pasid: Some(1), tag, response };
    for (n, response) in [(1, Response::Success), (0, Response::Invalid), (2, Response::Success)] {
        vm.map(pages[n], PA + PAGE);
        let waiter = stalls[n].waiter;
        vm.assigned.respond(waiter.stream, waiter.tag.unwrap(), response);
        assert_eq!(vm.host.take_answers(), [answer(n as u64 + 1, response)]);
        vm.check_request(&requests[n]);
    }
    assert_eq!(vm.host.occupancy().faults, 0);
}

pub(super) fn faults_are_events(between: Between<'_>) {
    let mut vm = Vm::new(between);
    vm.guest.map(&vm.tables, VA + PAGE, PA, 3, user_ro());
    vm.set_cd(3, &edit_cd(cd(&vm.tables, ASID), |cd| cd.with_v(0)));
    vm.set_cd(4, &edit_cd(cd(&vm.tables, ASID), |cd| cd.with_r(0)));
    vm.check(Some(1), VA + 2 * PAGE, READ);
    vm.check(Some(1), VA + PAGE, WRITE);
    vm.check(Some(3), VA, READ);
    vm.check(Some(4), VA + 2 * PAGE, READ);
    vm.check(Some(16), VA, READ);
    vm.check(Some(0), VA, READ);
}

pub(super) fn lost_events_are_told(between: Between<'_>) {
    let mut vm = Vm::new(between);
    for _ in 0..SoftwareHost::EVENTS + 5 {
        assert_eq!(vm.at(Some(1), VA + PAGE), None);
    }
    let events = vm.assigned.events();
    assert_eq!(events.len(), SoftwareHost::EVENTS + 1);
    assert_eq!(events.last(), Some(&GuestEvent::Lost(5)));
    vm.read(VA + PAGE);
}

/// Memory of the guest's that goes, with the device bound.
pub(super) fn memory_is_taken_away(between: Between<'_>) {
    let mut vm = used(between);
    vm.host.unmap(RAM.start, RAM.end - RAM.start).unwrap();
    assert_eq!(vm.at(Some(1), VA), None);
    map_ram(&vm.host);
    vm.read(VA);
}

mod tests {
    super::super::scenes! {
        a_page_changes
        a_page_of_every_address_space_changes
        an_address_space_changes
        everything_changes
        many_pages_change
        a_range_changes
        a_table_changes
        a_cd_changes
        a_cd_table_changes_behind_its_ste
        an_ste_changes
        requests_without_pasid
        cd_tables_of_every_shape
        the_registers_decide
        an_endpoint_keeps_translations
        a_device_is_let_go
        a_sync_is_one_call
        an_error_is_its_commands
        stalls_are_answered
        faults_are_events
        lost_events_are_told
        memory_is_taken_away
    }
}
