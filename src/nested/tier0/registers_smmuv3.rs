// SPDX-License-Identifier: GPL-2.0-or-later
//! The whole way, from a guest's registers and queues: two functions of a guest have the same STE, a host translates for one
//! and the model for the other. Whatever the guest does, both see the same, and so does the guest.

use std::sync::Arc;

use proptest::prelude::*;

use super::nothing;
use super::smmuv3::{SID, cfgi_cd, cfgi_ste, tlbi};
use crate::iommu::{Access, DmaRequest, Effect, Model, Outcome as Emulated};
use crate::nested::assigned::Assignment;
use crate::nested::host::Response;
use crate::nested::software::tests::{DEVICE, RAM, SHIFT, Shifted, map_ram};
use crate::nested::software::{Call, DeviceOptions, Failure, Outcome, SoftwareHost};
use crate::smmuv3::config::StreamTable;
use crate::smmuv3::features::Features;
use crate::smmuv3::model::Smmu;
use crate::smmuv3::spec::command::{self as op, Resume0, Resume1, StreamCommand0, Sync0};
use crate::smmuv3::spec::event::{Event0, Event1};
use crate::smmuv3::spec::registers as reg;
use crate::smmuv3::spec::ste::{s1dss, s1fmt};
use crate::smmuv3::testing::*;

/// The function that the model translates for.
const TWIN: u32 = SID + 1;
const LOG2: u32 = 10;
const VA: u64 = 0x1_2345_6000;
const PA: u64 = 0x8000_0000;
const PROCESSES: usize = 3;
const PAGES: u64 = 5;

/// A guest, by its registers.
struct Machine {
    guest: Arc<TestGuest>,
    smmu: Smmu,
    host: Arc<SoftwareHost>,
    streams: StreamTable,
    contexts: Contexts,
    tables: [Tables; PROCESSES],
    queue: u64,
    events: u64,
    prod: u32,
    cons: u32,
}

impl Machine {
    fn new() -> Self {
        let guest = Arc::new(TestGuest::new());
        let host = SoftwareHost::smmuv3(Arc::new(Shifted(Arc::clone(&guest))), Features::default()).unwrap();
        let host = Arc::new(host);
        host.add_device(DEVICE, DeviceOptions::default());
        map_ram(&host);
        let features = Features { stage2: false, va52: false, ..Features::default() };
        let machine = Self {
            smmu: Smmu::new(features, 256),
            streams: guest.linear_streams(6),
            contexts: guest.contexts(4, s1fmt::LINEAR),
            tables: [(); PROCESSES].map(|()| guest.tables(12, 48)),
            queue: guest.alloc(16 << LOG2),
            events: guest.alloc(32 << LOG2),
            prod: 0,
            cons: 0,
            host,
            guest,
        };
        let assignment =
            Assignment { host: nothing(Arc::clone(&machine.host)), device: DEVICE, stream: Box::new(|| SID) };
        machine.smmu.assign(&machine.guest.mem, assignment).unwrap();
        machine.set_ste(&machine.stage1(s1dss::SSID0));
        for (register, value) in [
            (reg::CMDQ_BASE, machine.queue | u64::from(LOG2)),
            (reg::EVENTQ_BASE, machine.events | u64::from(LOG2)),
            (reg::STRTAB_BASE, machine.streams.base),
        ] {
            let _ = machine.smmu.mmio_write(&machine.guest.mem, register, value, 8);
        }
        machine.write(reg::STRTAB_BASE_CFG, machine.streams.log2size.into());
        machine.write(reg::CR2, 2);
        machine.write(reg::CR0, 0b1101);
        let _ = machine.host.take_calls();
        machine
    }

    fn stage1(&self, dss: u64) -> Ste {
        ste_stage1(self.contexts.base, 4, self.contexts.fmt, dss)
    }

    fn write(&self, register: u64, value: u32) -> Vec<Effect> {
        self.smmu.mmio_write(&self.guest.mem, register, value.into(), 4).0
    }

    fn read(&self, register: u64) -> u32 {
        self.smmu.read32(register)
    }

    fn set_ste(&self, ste: &Ste) {
        for sid in [SID, TWIN] {
            self.guest.set_ste(&self.streams, sid, ste);
        }
    }

    /// Commands and a SYNC, in one write of `CMDQ_PROD`.
    fn give(&mut self, commands: &[[u64; 2]]) -> Vec<Effect> {
        let sync = [Sync0::default().with_opcode(op::SYNC.into()).bits(), 0];
        for command in commands.iter().copied().chain([sync]) {
            let slot = u64::from(self.prod) & ((1 << LOG2) - 1);
            self.guest.mem.put_all(self.queue + 16 * slot, &command);
            self.prod = (self.prod + 1) & ((2 << LOG2) - 1);
        }
        let mut effects = self.write(reg::CMDQ_PROD, self.prod);
        while self.smmu.needs_run() {
            effects.extend(self.smmu.run_pending(&self.guest.mem).0);
        }
        effects
    }

    /// And they are done.
    fn send(&mut self, commands: &[[u64; 2]]) -> Vec<Effect> {
        let effects = self.give(commands);
        assert_eq!(self.read(reg::CMDQ_CONS), self.prod);
        effects
    }

    /// Both functions' commands.
    fn of_both(&mut self, command: [u64; 2]) {
        let [first, second] = command;
        let twin = StreamCommand0::from(first).with_stream_id(TWIN.into()).bits();
        self.send(&[command, [twin, second]]);
    }

    /// The events that came, of the twin and of the device.
    fn events(&mut self) -> [Vec<[u64; 4]>; 2] {
        let _ = self.smmu.run_pending(&self.guest.mem);
        let mut all = [vec![], vec![]];
        while self.read(reg::EVENTQ_PROD) & 0xf_ffff != self.cons {
            let at = self.events + 32 * (u64::from(self.cons) & ((1 << LOG2) - 1));
            let record = [0, 8, 16, 24].map(|offset| self.guest.mem.get(at + offset));
            self.cons = (self.cons + 1) & ((2 << LOG2) - 1);
            let stream = Event0::from(record[0]).stream_id();
            assert!(stream == u64::from(SID) || stream == u64::from(TWIN), "{record:x?}");
            all[usize::from(stream == u64::from(SID))].push(record);
        }
        self.write(reg::EVENTQ_CONS, self.cons);
        all
    }

    fn emulate(&self, req: &DmaRequest) -> Emulated {
        let req = DmaRequest { stream: TWIN, ..*req };
        let (outcome, _) = self.smmu.translate(&self.guest.mem, &req, true);
        if let Emulated::Translated { epoch, .. } = outcome {
            let _ = self.smmu.end(epoch);
        }
        outcome
    }

    /// An access of each. `true`: both wait.
    fn compare(&self, req: &DmaRequest) -> bool {
        let (there, here) = (self.emulate(req), self.host.translate(DEVICE, req));
        match (there, here) {
            (Emulated::Translated { translation: there, .. }, here) if !RAM.contains(&there.addr) => {
                assert_eq!(here, Outcome::Aborted, "{req:?}");
                false
            }
            (Emulated::Translated { translation: there, .. }, Outcome::Translated(here)) => {
                assert_eq!((here.addr - SHIFT, here.perm), (there.addr, there.perm), "{req:?}");
                false
            }
            (Emulated::Aborted, Outcome::Aborted) => false,
            (Emulated::Waiting, Outcome::Waiting) => true,
            _ => panic!("{req:?}: {there:?}, {here:?}"),
        }
    }

    /// An access of each, the events of both, and if both wait the guest's answer to both.
    fn access(&mut self, req: &DmaRequest, answer: Answer) {
        let waits = self.compare(req);
        let [twins, devices] = self.events();
        let anonymous = |records: &[[u64; 4]]| -> Vec<_> {
            let plain = |r: &[u64; 4]| {
                let (first, second) = (Event0::from(r[0]).with_stream_id(0), Event1::from(r[1]));
                if second.stall() == 0 {
                    return [first.bits(), r[1], r[2], r[3]];
                }
                // A host does not say why it stalls: a translation fault it is.
                [first.with_event(0x10).bits(), second.with_stag(0).bits(), r[2], r[3]]
            };
            records.iter().map(plain).collect()
        };
        assert_eq!(anonymous(&devices), anonymous(&twins), "{req:?}");
        if !waits {
            return;
        }
        if let Answer::Mapped = answer {
            // A page that allowed less may be cached.
            self.guest.map(&self.tables[0], req.addr, PA, 3, user_rw());
            self.send(&[tlbi(op::TLBI_NH_VA, 1, req.addr)]);
        }
        let retry = !matches!(answer, Answer::Aborted);
        let resume = |sid: u32, records: &[[u64; 4]]| {
            let first = Resume0::default()
                .with_opcode(op::RESUME.into())
                .with_stream_id(sid.into())
                .with_action(retry.into())
                .with_abort(1);
            [first.bits(), Resume1::default().with_stag(Event1::from(records[0][1]).stag()).bits()]
        };
        let effects = self.send(&[resume(SID, &devices), resume(TWIN, &twins)]);
        let resolved =
            Effect::Resolved { stream: TWIN, substream: req.substream, tag: req.tag.unwrap(), retry };
        assert!(effects.contains(&resolved), "{effects:?}");
        assert!(!effects.iter().any(|e| matches!(e, Effect::Resolved { stream: SID, .. })), "{effects:?}");
        let answers = self.host.take_answers();
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].tag, answers[0].response == Response::Success), (req.tag.unwrap(), retry));
        if retry && self.compare(req) {
            // Still not there.
            let _ = self.events();
            self.set_ste(&ste_abort());
            self.of_both(cfgi_ste());
            let answers = self.host.take_answers();
            assert_eq!(answers.len(), 1);
            assert_eq!(answers[0].response, Response::Invalid, "its STE went");
            self.set_ste(&self.stage1(s1dss::SSID0));
            self.of_both(cfgi_ste());
            self.smmu.cancel(TWIN, None, None);
        }
    }
}

/// What a guest makes of a stall.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Mapped,
    NotMapped,
    Aborted,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Page(usize, u64, u8),
    Bind(u32, Option<usize>, bool),
    Stream(u8),
    Use { ssid: Option<u32>, page: u64, write: bool, answer: Answer },
    Off(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let ssid = prop_oneof![1 => Just(None), 6 => (1..4u32).prop_map(Some)];
    let answer = prop_oneof![Just(Answer::Mapped), Just(Answer::NotMapped), Just(Answer::Aborted)];
    prop_oneof![
        20 => (ssid, 0..PAGES, any::<bool>(), answer)
            .prop_map(|(ssid, page, write, answer)| Step::Use { ssid, page, write, answer }),
        8 => (0..PROCESSES, 0..PAGES, 0..6u8).prop_map(|(process, page, to)| Step::Page(process, page, to)),
        3 => (1..4u32, prop::option::weighted(0.8, 0..PROCESSES), any::<bool>())
            .prop_map(|(ssid, to, stall)| Step::Bind(ssid, to, stall)),
        1 => (0..8u8).prop_map(Step::Stream),
        1 => any::<bool>().prop_map(Step::Off),
    ]
}

fn play(steps: &[(Step, u8)]) {
    let mut machine = Machine::new();
    for (n, (step, how)) in steps.iter().enumerate() {
        let address = |page: u64| VA + page * 0x1000;
        match *step {
            Step::Page(process, page, to) => {
                let tables = machine.tables[process];
                let attributes = if to == 1 { user_ro() } else { user_rw() };
                match to {
                    0 => machine.guest.unmap(&tables, address(page), 3),
                    to => {
                        machine.guest.map(&tables, address(page), PA + u64::from(to) * 0x1000, 3, attributes)
                    }
                }
                let asid = 1 + process as u16;
                machine.send(&[match how % 3 {
                    0 => tlbi(op::TLBI_NH_ASID, asid, 0),
                    1 => tlbi(op::TLBI_NH_VAA, 0, address(page)),
                    _ => tlbi(op::TLBI_NH_VA, asid, address(page)),
                }]);
            }
            Step::Bind(ssid, process, stall) => {
                let new = process.map_or_else(Cd::default, |p| {
                    // What stalls has the process whose pages the answers map.
                    let p = if stall { 0 } else { p };
                    edit_cd(cd(&machine.tables[p], 1 + p as u16), |cd| cd.with_s(stall.into()))
                });
                machine.guest.set_cd(&machine.contexts, ssid, &new);
                machine.of_both(cfgi_cd(ssid));
            }
            Step::Stream(kind) => {
                machine.set_ste(&match kind {
                    0 => ste_abort(),
                    1 => ste_bypass(),
                    n => machine.stage1([s1dss::TERMINATE, s1dss::BYPASS, s1dss::SSID0][usize::from(n) % 3]),
                });
                machine.of_both(cfgi_ste());
            }
            Step::Off(abort) => {
                machine.write(reg::CR0, 0b1100);
                machine.write(reg::GBPA, 1 << 31 | u32::from(abort) << 20);
                let access = Access { read: true, ..Access::default() };
                machine.compare(&request(SID, None, PA, access));
                machine.write(reg::CR0, 0b1101);
            }
            Step::Use { ssid, page, write, answer } => {
                let access = Access { read: !write, write, ..Access::default() };
                // Whoever cannot wait has a stall recorded by the model, and by no host.
                let req = DmaRequest { tag: Some(n as u64), ..request(SID, ssid, address(page) + 8, access) };
                machine.access(&req, answer);
            }
        }
    }
    assert_eq!(machine.host.occupancy().faults, 0);
}

#[test]
fn a_sync_in_the_queue_is_one_call() {
    let mut machine = Machine::new();
    let commands: Vec<_> = (0..511).map(|n| tlbi(op::TLBI_NH_VA, 1, VA + n * 0x1000)).collect();
    machine.send(&commands);
    let calls = machine.host.take_calls();
    let [call] = &calls[..] else { panic!("{} calls", calls.len()) };
    assert!(matches!(&call.call, Call::Invalidate { batch } if batch.len() == 511));
    // Commands that are no host's business are no call.
    machine.send(&[[op::PREFETCH_CONFIG.into(), 0]]);
    assert_eq!(machine.host.take_calls(), []);
}

#[test]
fn an_error_of_the_host_is_where_cons_points() {
    let mut machine = Machine::new();
    machine.guest.set_cd(&machine.contexts, 1, &cd(&machine.tables[0], 1));
    let pages = [VA, VA + 0x1000, VA + 0x2000];
    let read = |va| request(SID, Some(1), va, READ);
    for pa in [PA, PA + 0x1000] {
        pages.iter().for_each(|va| machine.guest.map(&machine.tables[0], *va, pa, 3, user_rw()));
        if pa == PA {
            pages.iter().for_each(|va| assert!(!machine.compare(&read(*va))));
        }
    }
    let before = machine.prod;
    machine.host.fail(0, Failure::Entry { at: 1, errno: libc::EIO });
    machine.give(&pages.map(|va| tlbi(op::TLBI_NH_VA, 1, va)));
    let cons = machine.read(reg::CMDQ_CONS);
    assert_eq!((cons & 0xf_ffff, cons >> 24), (before + 1, u32::from(op::CERROR_ILL as u8)));
    let at = |va| match machine.host.translate(DEVICE, &read(va)) {
        Outcome::Translated(t) => t.addr - SHIFT,
        other => panic!("{other:?}"),
    };
    assert_eq!(pages.map(at), [PA + 0x1000, PA, PA]);
    // The guest acknowledges, and the rest is done.
    machine.write(reg::GERRORN, machine.read(reg::GERROR));
    while machine.smmu.needs_run() {
        let _ = machine.smmu.run_pending(&machine.guest.mem);
    }
    assert_eq!(machine.read(reg::CMDQ_CONS) & 0xf_ffff, machine.prod);
    pages.iter().for_each(|va| assert!(!machine.compare(&read(*va))));
}

#[test]
fn lost_events_are_an_overflow() {
    let mut machine = Machine::new();
    machine.guest.set_cd(&machine.contexts, 1, &cd(&machine.tables[0], 1));
    for _ in 0..=SoftwareHost::EVENTS {
        assert_eq!(machine.host.translate(DEVICE, &request(SID, Some(1), VA, READ)), Outcome::Aborted);
    }
    let [_, devices] = machine.events();
    assert_eq!(devices.len(), SoftwareHost::EVENTS);
    assert_eq!(machine.read(reg::EVENTQ_PROD) >> 31, 1, "OVFLG");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_device_and_its_twin_see_the_same(steps in prop::collection::vec((step(), any::<u8>()), 1..120)) {
        play(&steps);
    }
}
