// SPDX-License-Identifier: GPL-2.0-or-later
//! The whole way, from a guest's registers and queues: two functions of a guest share a PASID directory, a host translates for
//! one and the model for the other. Whatever the guest does, both see the same, and so does the guest.

use std::sync::Arc;

use proptest::prelude::*;

use super::nothing;
use super::vtd::{DID, PA, VA};
use crate::iommu::{Access, DmaRequest, Effect, Model, Outcome as Emulated, PageRequest, PageResponseCode};
use crate::nested::assigned::Assignment;
use crate::nested::host::Response;
use crate::nested::software::tests::{DEVICE, RAM, SHIFT, Shifted, map_ram};
use crate::nested::software::{Call, DeviceOptions, Outcome, SoftwareHost};
use crate::vtd::features::Features;
use crate::vtd::model::Vtd;
use crate::vtd::spec::context::ScalableContext1;
use crate::vtd::spec::page_request::{Request0, Request1};
use crate::vtd::spec::registers as reg;
use crate::vtd::testing::*;

/// The function that the model translates for.
const TWIN: u32 = SID + 1;
const PROCESSES: usize = 3;
const PAGES: u64 = 5;

/// A guest, by its registers.
struct Machine {
    guest: Arc<TestGuest>,
    vtd: Vtd,
    host: Arc<SoftwareHost>,
    function: Function,
    tables: [Tables; PROCESSES],
    queue: u64,
    requests: u64,
    tail: u64,
    head: u64,
    group: u16,
}

impl Machine {
    fn new() -> Self {
        let guest = Arc::new(TestGuest::new());
        let host = SoftwareHost::vtd(Arc::new(Shifted(Arc::clone(&guest))), Features::default()).unwrap();
        let host = Arc::new(host);
        host.add_device(DEVICE, DeviceOptions::default());
        map_ram(&host);
        let features = Features {
            second_stage: false,
            nested: false,
            second_stage_dirty: false,
            execute_requests: false,
            rid_priv: false,
            caching_mode: true,
            ..Features::default()
        };
        let (function, twin) = (guest.function(SID), guest.function(TWIN));
        let entry0 = guest.context0(function).with_pdts(0);
        for of in [function, twin] {
            guest.set_context(of, entry0, ScalableContext1::default());
        }
        let machine = Self {
            vtd: Vtd::new(features, 256),
            tables: [(); PROCESSES].map(|()| guest.first_stage(4)),
            queue: guest.page(),
            requests: guest.page(),
            tail: 0,
            head: 0,
            group: 0,
            function,
            host,
            guest,
        };
        let assignment =
            Assignment { host: nothing(Arc::clone(&machine.host)), device: DEVICE, stream: Box::new(|| SID) };
        machine.vtd.assign(&machine.guest.mem, assignment).unwrap();
        machine.write64(reg::IQA, machine.queue | 1 << 11);
        machine.write64(reg::PQA, machine.requests);
        machine.write(reg::GCMD, 1 << 26);
        machine.write64(reg::RTADDR, machine.guest.scalable_root().rtaddr);
        machine.write(reg::GCMD, 1 << 26 | 1 << 30);
        machine.write(reg::GCMD, 1 << 26 | 1 << 31);
        let _ = machine.host.take_calls();
        machine
    }

    fn write(&self, register: u64, value: u32) {
        let _ = self.vtd.mmio_write(&self.guest.mem, register, value.into(), 4);
        while self.vtd.needs_run() {
            let _ = self.vtd.run_pending(&self.guest.mem);
        }
    }

    fn write64(&self, register: u64, value: u64) {
        let _ = self.vtd.mmio_write(&self.guest.mem, register, value, 8);
    }

    /// Descriptors and a wait, in one write of `IQT`.
    fn send(&mut self, descriptors: &[[u64; 2]]) -> Vec<Effect> {
        let mut effects = Vec::new();
        // A page has room for 128.
        let wait = [1 << 32 | 1 << 5 | 5, self.queue + 0x1000_0000];
        for [first, second] in descriptors.iter().copied().chain([wait]) {
            self.guest.mem.put_all(self.queue + self.tail, &[first, second, 0, 0]);
            self.tail = (self.tail + 32) % 4096;
        }
        effects.extend(self.vtd.mmio_write(&self.guest.mem, reg::IQT, self.tail, 4).0);
        while self.vtd.needs_run() {
            effects.extend(self.vtd.run_pending(&self.guest.mem).0);
        }
        assert_eq!(self.vtd.mmio_read(reg::IQH, 8), self.tail);
        effects
    }

    fn set_pasid(&mut self, pasid: u32, entry: &PasidEntry) {
        self.guest.set_pasid(self.function, pasid, entry);
        self.send(&[pasid_cache(pasid), all_of(pasid)]);
    }

    /// The page requests that came: requester, and the rest without group.
    fn page_requests(&mut self) -> Vec<(u32, u16, [u64; 2])> {
        let _ = self.vtd.run_pending(&self.guest.mem);
        let mut all = Vec::new();
        while self.vtd.mmio_read(reg::PQT, 8) != self.head {
            let [first, second] = [0, 8].map(|at| self.guest.mem.get(self.requests + self.head + at));
            self.head = (self.head + 32) % 4096;
            let (head, tail) = (Request0::from(first), Request1::from(second));
            let plain = [head.with_rid(0).bits(), tail.with_group(0).bits()];
            all.push((head.rid() as u32, tail.group() as u16, plain));
        }
        self.write64(reg::PQH, self.head);
        self.write(reg::PRS, 1);
        all
    }

    /// An access of each. `true`: the device waits.
    fn compare(&self, req: &DmaRequest) -> bool {
        let twin = DmaRequest { stream: TWIN, ..*req };
        let (there, _) = self.vtd.translate(&self.guest.mem, &twin, true);
        if let Emulated::Translated { epoch, .. } = there {
            let _ = self.vtd.end(epoch);
        }
        let here = self.host.translate(DEVICE, req);
        match (there, here) {
            (Emulated::Translated { translation: there, .. }, here) if !RAM.contains(&there.addr) => {
                assert_eq!(here, Outcome::Aborted, "{req:?}");
                false
            }
            (Emulated::Translated { translation: there, .. }, Outcome::Translated(here)) => {
                assert_eq!((here.addr - SHIFT, here.perm.read), (there.addr, there.perm.read), "{req:?}");
                false
            }
            (Emulated::Aborted, Outcome::Aborted) => false,
            (Emulated::Aborted, Outcome::Waiting) if req.tag.is_some() => true,
            _ => panic!("{req:?}: {there:?}, {here:?}"),
        }
    }

    /// An access of each; where the device asks for the page, the twin asks too, and the guest answers both.
    fn access(&mut self, req: &DmaRequest, process: Option<usize>, code: u64) {
        if !self.compare(req) {
            assert_eq!(self.page_requests(), [], "{req:?}");
            return;
        }
        self.group = (self.group + 1) & 0x1ff;
        let twins = PageRequest {
            stream: TWIN,
            substream: req.substream,
            addr: req.addr & !0xfff,
            access: req.access,
            group: self.group,
            last: true,
            private_data: None,
        };
        let _ = self.vtd.page_request(&self.guest.mem, &twins);
        let mut requests = self.page_requests();
        requests.sort_unstable_by_key(|(rid, ..)| *rid);
        let [(SID, group, device), (TWIN, _, twin)] = requests[..] else { panic!("{requests:x?}") };
        assert_eq!(device, twin, "{req:?}");
        if code == 0
            && let Some(process) = process
        {
            self.guest.map(&self.tables[process], req.addr & !0xfff, PA, 12, user_rw());
        }
        let pasid = req.substream.map_or(0, |pasid| u64::from(pasid) << 32 | 1 << 4);
        let response = |rid: u32, group: u16| {
            [pasid | u64::from(rid) << 16 | code << 12 | 9, u64::from(group) << 3 | 1 << 2]
        };
        let effects = self.send(&[response(SID, group), response(TWIN, self.group)]);
        let [answer] = self.host.take_answers()[..] else { panic!("one answer") };
        assert_eq!((answer.tag, answer.response == Response::Success), (req.tag.unwrap(), code == 0));
        let of = |e: &Effect| match *e {
            Effect::PageResponse { stream, code, .. } => Some((stream, code == PageResponseCode::Success)),
            _ => None,
        };
        assert_eq!(effects.iter().filter_map(of).collect::<Vec<_>>(), [(TWIN, code == 0)]);
        // What came of it, without another page request.
        self.compare(&DmaRequest { tag: None, ..*req });
    }
}

fn pasid_cache(pasid: u32) -> [u64; 2] {
    [u64::from(pasid) << 32 | u64::from(DID) << 16 | 1 << 4 | 7, 0]
}

fn all_of(pasid: u32) -> [u64; 2] {
    [u64::from(pasid) << 32 | u64::from(DID) << 16 | 2 << 4 | 6, 0]
}

fn page_of(pasid: u32, addr: u64) -> [u64; 2] {
    [u64::from(pasid) << 32 | u64::from(DID) << 16 | 3 << 4 | 6, addr]
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Page(usize, u64, u8),
    Bind(u32, Option<usize>),
    Use { pasid: Option<u32>, page: u64, write: bool, tag: bool, code: u64 },
    Off,
}

fn step() -> impl Strategy<Value = Step> {
    let pasid = prop_oneof![1 => Just(None), 6 => (1..4u32).prop_map(Some)];
    let code = prop_oneof![2 => Just(0u64), 1 => Just(1), 1 => Just(15)];
    prop_oneof![
        20 => (pasid, 0..PAGES, any::<bool>(), any::<bool>(), code)
            .prop_map(|(pasid, page, write, tag, code)| Step::Use { pasid, page, write, tag, code }),
        8 => (0..PROCESSES, 0..PAGES, 0..6u8).prop_map(|(process, page, to)| Step::Page(process, page, to)),
        3 => (0..4u32, prop::option::weighted(0.8, 0..PROCESSES)).prop_map(|(pasid, to)| Step::Bind(pasid, to)),
        1 => Just(Step::Off),
    ]
}

fn play(steps: &[(Step, u8)]) {
    let mut machine = Machine::new();
    // PASID 0 is what requests without PASID use.
    let mut bound: [Option<usize>; 4] = [None; 4];
    for (n, (step, how)) in steps.iter().enumerate() {
        let address = |page: u64| VA + page * 0x1000;
        match *step {
            Step::Page(process, page, to) => {
                let tables = machine.tables[process];
                let (at, flags) = (address(page), if to == 1 { user_ro() } else { user_rw() });
                match to {
                    0 => machine.guest.mem.put(machine.guest.entry(&tables, at, 12), 0),
                    to => drop(machine.guest.map(&tables, at, PA + u64::from(to) * 0x1000, 12, flags)),
                }
                let one = |pasid| if how % 2 == 0 { page_of(pasid, at) } else { all_of(pasid) };
                machine.send(&[0, 1, 2, 3].map(one));
            }
            Step::Bind(pasid, process) => {
                bound[pasid as usize] = process;
                let entry = |p: usize| pasid_first(&machine.tables[p], DID);
                machine.set_pasid(pasid, &process.map_or_else(PasidEntry::default, entry));
            }
            Step::Off => {
                machine.write(reg::GCMD, 1 << 26);
                machine.compare(&request(None, PA, READ));
                machine.write(reg::GCMD, 1 << 26 | 1 << 31);
                machine.send(&[[3 << 4 | 7, 0], [1 << 4 | 2, 0]]);
            }
            Step::Use { pasid, page, write, tag, code } => {
                let access = Access { read: !write, write, ..Access::default() };
                let process = bound[pasid.unwrap_or(0) as usize];
                // Who has no entry at a host has nobody who waits.
                let tag = (tag && process.is_some()).then_some(n as u64);
                machine.access(
                    &DmaRequest { tag, ..request(pasid, address(page) + 8, access) },
                    process,
                    code,
                );
            }
        }
    }
    assert_eq!(machine.host.occupancy().faults, 0);
}

#[test]
fn a_wait_in_the_queue_is_one_call() {
    let mut machine = Machine::new();
    machine.set_pasid(1, &pasid_first(&machine.tables[0], DID));
    let _ = machine.host.take_calls();
    let descriptors: Vec<_> = (0..100).map(|n| page_of(1, VA + n * 0x1000)).collect();
    machine.send(&descriptors);
    let calls = machine.host.take_calls();
    let [call] = &calls[..] else { panic!("{} calls", calls.len()) };
    assert!(matches!(&call.call, Call::Invalidate { batch } if batch.len() == 100));
    machine.send(&[]);
    assert_eq!(machine.host.take_calls(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_device_and_its_twin_see_the_same(steps in prop::collection::vec((step(), any::<u8>()), 1..120)) {
        play(&steps);
    }
}
