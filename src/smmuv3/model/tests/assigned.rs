// SPDX-License-Identifier: GPL-2.0-or-later
//! Assigned devices, from the registers to the calls of a host and back.

use std::sync::Arc;

use super::*;
use crate::nested::fake::{Call, Failure, FakeHost};
use crate::nested::{
    Capabilities, Config, Cookie, Error, HostEvent, HostFault, Invalidation as Forward, Response,
    Smmuv3Capabilities,
};
use crate::smmuv3::spec::command::{AtcInv0, AtcInv1, CERROR_ATC_INV_SYNC};
use crate::smmuv3::spec::registers::CmdqCons;
use crate::smmuv3::spec::ste::eats;
use crate::smmuv3::testing::{TestGuest, edit_ste1, ste_abort, ste_bypass, ste_stage1};

/// The assigned device's stream. The rig's endpoint is stream 8.
const SID: u32 = 5;

struct Scene {
    rig: Rig<Translator>,
    host: Arc<FakeHost>,
    guest: TestGuest,
    streams: StreamTable,
}

fn features() -> Features {
    Features { stage2: false, va52: false, ..Features::default() }
}

impl Scene {
    /// A guest whose SMMU is on, and whose device is bound to stage 1.
    fn new() -> Self {
        let f = Features { stage2: true, ..features() };
        let capabilities = Smmuv3Capabilities {
            idr: [f.idr0(), f.idr1(), f.idr2(), f.idr3(), f.idr4(), f.idr5()],
            iidr: 0,
            aidr: 1,
            pasid_bits: 20,
        };
        let host = FakeHost::new(Capabilities::Smmuv3(capabilities));
        let mut guest = TestGuest::new();
        let streams = guest.linear_streams(4);
        guest.set_ste(&streams, SID, &stage1());
        let smmu = Smmu::new(features(), 64);
        smmu.set_listeners(false);
        let mut rig = Rig { mem: TestMemory::new(), smmu, log2size: 8, prod: 0, cons: 0 };
        std::mem::swap(&mut rig.mem, &mut guest.mem);
        rig.write64(reg::STRTAB_BASE, streams.base);
        rig.write(reg::STRTAB_BASE_CFG, streams.log2size.into());
        rig.smmu.assign(&rig.mem, host.device(1, SID)).unwrap();
        assert_eq!(host.bound(1, None), Some(Config::Bypass));
        rig.start(8);
        assert!(matches!(host.bound(1, None), Some(Config::CdTable { .. })));
        host.calls();
        Self { rig, host, guest, streams }
    }

    fn set_ste(&mut self, ste: &crate::smmuv3::testing::Ste) {
        let at = self.guest.ste_addr(&self.streams, SID);
        self.rig.mem.put_all(at, ste);
    }

    /// What there is besides messages.
    fn besides_messages(mut effects: Vec<Effect>) -> Vec<Effect> {
        effects.retain(|effect| !matches!(effect, Effect::WriteMsi { .. }));
        effects
    }

    /// Commands in one write of `CMDQ_PROD`.
    fn give(&mut self, commands: &[[u64; 2]]) -> Vec<Effect> {
        for command in commands {
            self.put(*command);
        }
        self.go()
    }

    fn put(&mut self, command: [u64; 2]) {
        let slots = (1 << self.rig.log2size) - 1;
        self.rig.mem.put_all(CMDQ + 16 * u64::from(self.rig.prod & slots), &command);
        self.rig.prod = self.rig.prod.wrapping_add(1) & (slots << 1 | 1);
    }

    fn go(&self) -> Vec<Effect> {
        Self::besides_messages(self.rig.write(reg::CMDQ_PROD, self.rig.prod))
    }

    fn cons(&self) -> CmdqCons {
        self.rig.read(reg::CMDQ_CONS).into()
    }

    fn run(&self) -> Vec<Effect> {
        Self::besides_messages(self.rig.smmu.run_pending(&self.rig.mem).0)
    }

    /// Software has dealt with the error.
    fn acknowledge(&self) -> Vec<Effect> {
        self.rig.write(reg::GERRORN, self.rig.read(reg::GERROR))
    }

    fn record(&self, index: u64) -> Record {
        [0, 8, 16, 24].map(|at| self.rig.mem.get(EVENTQ + 32 * index + at))
    }

    fn fault(&self, cookie: u64) {
        self.host.fault(HostFault {
            device: DeviceId(1),
            pasid: Some(3),
            group: 1,
            addr: 0x7000_0000,
            access: Access { read: true, ..Access::default() },
            last: true,
            cookie: Cookie(cookie),
        });
    }
}

fn stage1() -> crate::smmuv3::testing::Ste {
    edit_ste1(ste_stage1(0x5000_0000, 10, 0, 2), |ste| ste.with_eats(eats::FULL))
}

fn tlbi(page: u64) -> [u64; 2] {
    [TlbiCommand0::default().with_opcode(op::TLBI_NH_VA.into()).with_asid(1).bits(), page << 12]
}

fn atc() -> [u64; 2] {
    [
        AtcInv0::default().with_opcode(op::ATC_INV.into()).with_stream_id(SID.into()).bits(),
        AtcInv1::default().with_size(52).bits(),
    ]
}

fn cfgi_ste() -> [u64; 2] {
    [StreamCommand0::default().with_opcode(op::CFGI_STE.into()).with_stream_id(SID.into()).bits(), 1]
}

fn forwarded(commands: &[[u64; 2]]) -> Call {
    Call::Invalidate(commands.iter().map(|command| Forward::Smmuv3(*command)).collect())
}

fn io_error() -> Error {
    Error::Failed { call: "IOMMU_HWPT_INVALIDATE", errno: libc::EIO }
}

#[test]
fn a_sync_is_one_call_over_many_writes_of_prod() {
    let mut scene = Scene::new();
    // 511 pages in batches of 64, as Linux gives them without range invalidation.
    let all: Vec<_> = (0..511).map(tlbi).collect();
    scene.rig.log2size = 8;
    for batch in all.chunks(64) {
        if scene.rig.prod & 0xff >= 192 {
            // It looks whether there is room.
            scene.cons();
        }
        scene.give(batch);
    }
    scene.give(&[atc(), sync()]);
    let calls = scene.host.calls();
    let given: usize =
        calls.iter().map(|call| if let Call::Invalidate(batch) = call { batch.len() } else { 0 }).sum();
    assert_eq!(given, 512);
    // One for the SYNC, and one each time that software looked.
    assert_eq!(calls.len(), 3);
    assert_eq!(scene.rig.smmu.stats().nested.calls, 3);
    assert_eq!(scene.cons().rd(), scene.rig.prod);
}

#[test]
fn nothing_is_forwarded_before_a_sync_or_a_look_at_the_queue() {
    let mut scene = Scene::new();
    scene.give(&[tlbi(1), tlbi(2)]);
    assert_eq!(scene.host.calls(), []);
    assert_eq!(scene.cons().rd(), 2);
    assert_eq!(scene.host.calls(), [forwarded(&[tlbi(1), tlbi(2)])]);
    scene.give(&[tlbi(3), sync()]);
    assert_eq!(scene.host.calls(), [forwarded(&[tlbi(3)])]);
    // Before translation is switched off, too.
    scene.give(&[tlbi(4)]);
    scene.rig.write(reg::CR0, 0xc);
    let calls = scene.host.calls();
    assert_eq!(calls[0], forwarded(&[tlbi(4)]));
    assert!(matches!(calls[1..], [Call::Replace(_, Config::Bypass), Call::Unname(_)]));
}

#[test]
fn a_command_that_fails_at_the_host_is_in_error_where_it_is() {
    let mut scene = Scene::new();
    scene.rig.write(reg::IRQ_CTRL, 1);
    for page in 1..=4 {
        scene.put(tlbi(page));
    }
    scene.put(sync());
    scene.host.fail(Failure::Invalidate(2, io_error()));
    assert_eq!(scene.go(), [pulse(reg::IRQ_GERROR)]);
    assert_eq!((scene.cons().rd(), scene.cons().err()), (2, CERROR_ILL));
    assert_eq!(scene.rig.smmu.stats().syncs, 0);
    scene.host.calls();
    // Software puts a SYNC in its place, as Linux does, and the queue goes on behind it.
    scene.rig.mem.put_all(CMDQ + 32, &sync());
    scene.acknowledge();
    assert_eq!(scene.host.calls(), [forwarded(&[tlbi(4)])]);
    assert_eq!((scene.cons().rd(), scene.rig.smmu.stats().syncs), (5, 2));
    // The same command again.
    scene.host.fail(Failure::Invalidate(0, io_error()));
    scene.give(&[tlbi(9), sync()]);
    assert_eq!(scene.cons().rd(), 5);
    scene.host.calls();
    scene.acknowledge();
    assert_eq!(scene.host.calls(), [forwarded(&[tlbi(9)])]);
    assert_eq!(scene.cons().rd(), 7);
}

#[test]
fn a_failure_that_a_look_at_the_queue_finds_is_told_by_interrupt_afterwards() {
    let mut scene = Scene::new();
    scene.rig.write(reg::IRQ_CTRL, 1);
    scene.host.fail(Failure::Invalidate(1, io_error()));
    scene.give(&[tlbi(1), tlbi(2), tlbi(3)]);
    assert_eq!((scene.cons().rd(), scene.cons().err()), (1, CERROR_ILL));
    assert!(scene.rig.smmu.needs_run());
    assert_eq!(scene.run(), [pulse(reg::IRQ_GERROR)]);
}

#[test]
fn an_endpoint_that_does_not_answer_is_the_syncs_error() {
    let mut scene = Scene::new();
    scene.host.fail(Failure::Invalidate(
        1,
        Error::Failed { call: "IOMMU_HWPT_INVALIDATE", errno: libc::ETIMEDOUT },
    ));
    scene.give(&[tlbi(1), atc(), tlbi(2), sync()]);
    assert_eq!((scene.cons().rd(), scene.cons().err()), (3, CERROR_ATC_INV_SYNC));
    assert_eq!(scene.host.calls(), [forwarded(&[tlbi(1), atc(), tlbi(2)]), forwarded(&[tlbi(2)])]);
    scene.acknowledge();
    assert_eq!((scene.cons().rd(), scene.rig.smmu.stats().syncs), (4, 1));
}

#[test]
fn a_device_that_is_gone_is_let_go_and_the_sync_completes() {
    let mut scene = Scene::new();
    scene.fault(1);
    scene.run();
    scene.host.fail(Failure::Invalidate(0, Error::DeviceGone(DeviceId(1))));
    scene.give(&[atc(), sync()]);
    assert_eq!(scene.cons().rd(), 2);
    assert_eq!(scene.host.bindings(), 0);
    let stag = Event1::from(scene.record(0)[1]).stag() as u16;
    assert_eq!(scene.give(&[retry(SID, stag), tlbi(1), sync()]), [], "the late answer is harmless");
    assert_eq!(scene.rig.smmu.stats().syncs, 2);
}

#[test]
fn a_changed_ste_is_bound_before_its_command_counts_as_consumed() {
    let mut scene = Scene::new();
    scene.set_ste(&ste_bypass());
    assert!(matches!(scene.host.bound(1, None), Some(Config::CdTable { .. })), "not before it is told");
    scene.give(&[cfgi_ste(), sync()]);
    assert_eq!(scene.host.bound(1, None), Some(Config::Bypass));
    scene.set_ste(&ste_abort());
    let no_memory = || Failure::Bind(Error::Failed { call: "IOMMU_HWPT_ALLOC", errno: libc::ENOMEM });
    scene.host.fail(no_memory());
    scene.host.fail(no_memory());
    scene.give(&[cfgi_ste(), sync()]);
    assert_eq!((scene.cons().rd(), scene.cons().err()), (2, CERROR_ILL));
    assert_eq!(scene.host.bound(1, None), Some(Config::Bypass), "the old one holds");
    scene.acknowledge();
    assert_eq!((scene.cons().rd(), scene.host.bound(1, None)), (4, Some(Config::Abort)));
}

#[test]
fn a_fault_is_a_stall_event_and_its_resume_the_answer() {
    for (answer, response, counted) in
        [(retry(SID, 0), Response::Success, [1, 0]), (resume(SID, 0, 0, 1), Response::Invalid, [0, 1])]
    {
        let mut scene = Scene::new();
        scene.rig.write(reg::IRQ_CTRL, 4);
        scene.fault(77);
        assert_eq!(scene.run(), [pulse(reg::IRQ_EVENTQ)]);
        let [first, second, third, _] = scene.record(0);
        let (head, tail) = (Event0::from(first), Event1::from(second));
        assert_eq!((head.event(), head.stream_id(), head.substream_id()), (0x10, SID.into(), 3));
        assert_eq!((tail.stall(), tail.rnw(), third), (1, 1, 0x7000_0000));
        assert_eq!(scene.host.calls(), []);
        let stag = tail.stag();
        // Of another stream: an answer to nothing.
        scene.give(&[retry(8, stag as u16)]);
        assert_eq!(scene.host.calls(), []);
        assert_eq!(scene.give(&[[answer[0], stag], sync()]), []);
        assert_eq!(scene.host.calls(), [Call::Respond(Cookie(77), response)]);
        let stats = scene.rig.smmu.stats();
        assert_eq!([stats.resumed_retry, stats.resumed_abort], counted);
        assert_eq!((stats.nested.faults, stats.nested.responses, stats.stalls), (1, 1, 1));
        scene.give(&[[answer[0], stag]]);
        assert_eq!(scene.host.calls(), [], "answered once");
    }
}

#[test]
fn stalls_end_with_stall_term_with_the_ste_and_with_the_smmu() {
    let mut scene = Scene::new();
    scene.fault(1);
    scene.run();
    let term = StreamCommand0::default().with_opcode(op::STALL_TERM.into()).with_stream_id(SID.into()).bits();
    scene.give(&[[term, 0], sync()]);
    assert_eq!(scene.host.calls(), [Call::Respond(Cookie(1), Response::Invalid)]);

    scene.fault(2);
    scene.run();
    scene.set_ste(&ste_abort());
    scene.give(&[cfgi_ste(), sync()]);
    assert_eq!((scene.host.open(), scene.rig.smmu.stats().stalls_cancelled), (0, 1));
    scene.host.calls();
    let stag = Event1::from(scene.record(1)[1]).stag() as u16;
    scene.give(&[retry(SID, stag), sync()]);
    assert_eq!(scene.host.calls(), [], "the host has answered already");

    scene.set_ste(&stage1());
    scene.give(&[cfgi_ste(), sync()]);
    scene.fault(3);
    scene.run();
    scene.rig.write(reg::CR0, 0xc);
    assert_eq!((scene.host.open(), scene.host.bound(1, None)), (0, Some(Config::Bypass)));
    // Without translation there is nobody to ask.
    scene.fault(4);
    scene.host.calls();
    assert_eq!(scene.run(), []);
    assert_eq!(scene.host.calls(), [Call::Respond(Cookie(4), Response::Invalid)]);
}

#[test]
fn stalls_survive_a_full_event_queue_and_lost_events_are_an_overflow() {
    let scene = Scene::new();
    let size = 1 << 8;
    for cookie in 0..size + 3 {
        scene.fault(cookie);
    }
    // As many as are taken at a time, twice.
    scene.run();
    scene.run();
    assert_eq!(scene.host.open() as u64, size + 3);
    let overflowed = |scene: &Scene| {
        let prod = scene.rig.read(reg::EVENTQ_PROD);
        let cons = scene.rig.read(reg::EVENTQ_CONS);
        (prod ^ cons) >> 31 != 0
    };
    assert!(!overflowed(&scene), "no stall is lost");
    scene.host.event(HostEvent::Lost(5));
    scene.run();
    assert!(overflowed(&scene));
    assert_eq!((scene.rig.smmu.stats().events_dropped, scene.rig.smmu.stats().nested.lost), (5, 5));
}

#[test]
fn events_of_the_host_are_recorded() {
    let scene = Scene::new();
    let record = [Event0::default().with_event(0x0a).with_stream_id(SID.into()).bits(), 0, 0, 0];
    scene.host.event(HostEvent::Smmuv3(record));
    scene.run();
    assert_eq!(scene.record(0), record);
}

#[test]
fn a_stranger_and_an_assigned_device_each_get_their_own() {
    let mut scene = Scene::new();
    // Invalidations of the endpoint's own cache go to the endpoint.
    let of_endpoint = [AtcInv0::from(atc()[0]).with_stream_id(8).bits(), atc()[1]];
    let effects = scene.give(&[of_endpoint, atc()]);
    assert!(matches!(effects[..], [Effect::AtsInvalidate { stream: 8, .. }]), "{effects:?}");
    scene.cons();
    assert_eq!(scene.host.calls(), [forwarded(&[atc()])]);
}

#[test]
fn reset_and_removal_leave_nothing() {
    let mut scene = Scene::new();
    scene.fault(1);
    scene.run();
    scene.give(&[tlbi(1)]);
    scene.host.calls();
    scene.rig.smmu.reset();
    assert_eq!((scene.host.bound(1, None), scene.host.open()), (Some(Config::Bypass), 0));
    assert!(scene.host.calls().iter().all(|call| !matches!(call, Call::Invalidate(_))));
    scene.rig.smmu.unassign(DeviceId(1));
    assert_eq!(scene.host.bindings(), 0);
    // And one that the SMMU offers too much for does not come in.
    let poor = FakeHost::new(Capabilities::Smmuv3(Smmuv3Capabilities {
        idr: [0; 6],
        iidr: 0,
        aidr: 0,
        pasid_bits: 0,
    }));
    assert!(scene.rig.smmu.assign(&scene.rig.mem, poor.device(2, SID)).is_err());
}
