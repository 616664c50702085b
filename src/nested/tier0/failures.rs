// SPDX-License-Identifier: GPL-2.0-or-later
//! Hosts that fail: out of memory, an error inside a batch, a device that is gone, a descriptor that was closed, an answer
//! that comes too late. Each leaves the guest with a device that does what the guest's tables say, or nothing; and the layer
//! with what it knows to be so.

use super::nothing;
use super::smmuv3::{ASID, PA, SID, VA, Vm as Arm, cfgi_cd, cfgi_ste, stalling, tlbi, wait};
use super::vtd::{DID, PASID, Vm as Vtd, ask, pages};
use crate::nested::Error;
use crate::nested::assigned::Assignment;
use crate::nested::host::Response;
use crate::nested::smmuv3::{AssignedStreams, SmmuState};
use crate::nested::software::tests::DEVICE;
use crate::nested::software::{Call, DeviceOptions, Failure, Queue};
use crate::smmuv3::features::Features;
use crate::smmuv3::spec::command as op;
use crate::smmuv3::spec::ste::s1dss;
use crate::smmuv3::testing::{READ, WRITE, cd, ste_bypass};
use crate::vtd::testing::{PasidEntry, pasid_first, request};
use crate::vtd::translate::Invalidation;

const PAGE: u64 = 0x1000;
const ENOMEM: Failure = Failure::Errno(libc::ENOMEM);

/// What is bound, by the host's own account of the calls.
fn bindings(calls: &[crate::nested::software::Record]) -> usize {
    calls.iter().filter(|r| matches!(r.call, Call::Bind { .. } | Call::Replace { .. })).count()
}

#[test]
fn smmuv3_without_memory_aborts_and_recovers() {
    let mut vm = Arm::new(&nothing);
    vm.read(VA);
    let _ = vm.host.take_calls();
    // The STE cannot be bound; a device that keeps its old CDs would do what the guest has taken back.
    vm.guest.set_ste(&vm.streams, SID, &ste_bypass());
    vm.host.fail(0, ENOMEM);
    vm.command(cfgi_ste()).unwrap();
    vm.sync().unwrap();
    assert_eq!(bindings(&vm.host.take_calls()), 2, "one that failed, and abort");
    assert_eq!((vm.at(None, PA), vm.at(Some(1), VA)), (None, None));
    assert_eq!(vm.assigned.stats().refused, 1);
    // The same command again, with memory.
    vm.set_ste(&ste_bypass());
    vm.check(None, PA, READ);
}

#[test]
fn smmuv3_that_cannot_even_abort_says_so_at_the_command() {
    let mut vm = Arm::new(&nothing);
    vm.read(VA);
    vm.guest.set_ste(&vm.streams, SID, &ste_bypass());
    vm.host.fail(0, ENOMEM);
    vm.host.fail(1, ENOMEM);
    let position = vm.position;
    let error = vm.command(cfgi_ste()).unwrap_err();
    assert_eq!(
        (error.position, matches!(error.error, Error::Failed { errno: libc::ENOMEM, .. })),
        (position, true)
    );
    assert_eq!(vm.at(Some(1), VA), Some(PA), "the old one holds, and the guest was told");
    vm.set_ste(&ste_bypass());
    vm.check(None, PA, READ);
}

/// Whatever call fails, what was told to the guest as done is done.
#[test]
fn smmuv3_any_call_may_fail() {
    for ahead in 0..8 {
        let mut vm = Arm::new(&nothing);
        vm.read(VA);
        vm.host.fail(ahead, ENOMEM);
        let process = vm.process(VA, PA + PAGE);
        vm.set_cd(1, &cd(&process, ASID + 1));
        let other = vm.stage1(s1dss::BYPASS);
        let mut commands = vec![cfgi_cd(1), tlbi(op::TLBI_NH_ASID, ASID, 0)];
        // A guest tries again what was refused.
        while !commands.is_empty() {
            let first = vm.position;
            let done = commands.iter().try_for_each(|c| vm.command(*c)).and_then(|()| vm.sync().map(|_| ()));
            match done {
                Ok(()) => commands.clear(),
                Err(error) => drop(commands.drain(..(error.position - first) as usize)),
            }
        }
        vm.read(VA);
        vm.guest.set_ste(&vm.streams, SID, &other);
        for _ in 0..2 {
            let _ = vm.command(cfgi_ste());
            let _ = vm.sync();
        }
        let _ = vm.host.take_calls();
        if vm.assigned.stats().refused != 0 {
            assert_eq!(vm.at(Some(1), VA), Some(PA + PAGE), "bound again, {ahead}");
        }
        vm.check(None, PA, READ);
        vm.read(VA);
        assert_eq!(vm.assigned.remove(DEVICE), Some(SID));
        assert_eq!(vm.host.occupancy().bindings, 0);
    }
}

#[test]
fn smmuv3_a_device_is_not_taken_in_by_halves() {
    for (ahead, what) in [(0, "capabilities"), (1, "binding")] {
        let mut vm = Arm::off(&nothing, DeviceOptions::default());
        assert_eq!(vm.assigned.remove(DEVICE), Some(SID));
        let mut assigned =
            AssignedStreams::new(Features { stage2: false, va52: false, ..Features::default() });
        let assignment =
            || Assignment { host: nothing(vm.host.clone()), device: DEVICE, stream: Box::new(|| SID) };
        vm.host.fail(ahead, ENOMEM);
        assert!(assigned.add(&vm.guest.mem, assignment()).is_err(), "{what}");
        assert!(assigned.is_empty());
        assert_eq!(vm.host.occupancy().bindings, 0);
        // Nothing is left that would be in the way.
        assigned.add(&vm.guest.mem, assignment()).unwrap();
    }
}

#[test]
fn smmuv3_a_device_that_is_gone_is_let_go() {
    let mut vm = stalling(&nothing);
    let waiting = wait(&mut vm, VA + PAGE, 9);
    let stalls = vm.assigned.stalls();
    vm.host.remove_device(DEVICE);
    let [answer] = vm.host.take_answers()[..] else { panic!("one answer") };
    assert_eq!((answer.tag, answer.response), (9, Response::Invalid));
    // The guest does not know yet: it answers, invalidates, changes the STE. None of that is its mistake.
    vm.assigned.respond(SID, stalls[0].waiter.tag.unwrap(), Response::Success);
    vm.command(tlbi(op::TLBI_NH_ASID, ASID, 0)).unwrap();
    vm.command(cfgi_cd(1)).unwrap();
    vm.command(tlbi(op::TLBI_NH_ALL, 0, 0)).unwrap();
    let forwarded = vm.sync().unwrap();
    assert_eq!((forwarded.gone, forwarded.streams), (vec![DEVICE], vec![SID]));
    assert!(vm.assigned.is_empty());
    vm.guest.set_ste(&vm.streams, SID, &ste_bypass());
    vm.command(cfgi_ste()).unwrap();
    assert_eq!((vm.at(None, PA), vm.at(waiting.substream, VA)), (None, None));
    let _ = vm.assigned.remove(DEVICE);
    assert_eq!(vm.host.occupancy().bindings, 0);
    assert!(vm.assigned.is_empty());
}

#[test]
fn smmuv3_with_closed_descriptors_translates_on() {
    let mut vm = stalling(&nothing);
    let _ = wait(&mut vm, VA + PAGE, 9);
    vm.host.close(Queue::Faults);
    vm.host.close(Queue::Events);
    assert_eq!((vm.assigned.stalls(), vm.assigned.events()), (vec![], vec![]));
    let [answer] = vm.host.take_answers()[..] else { panic!("one answer") };
    assert_eq!(answer.response, Response::Invalid, "nobody will answer that any more");
    assert_eq!(vm.at(Some(1), VA), Some(PA));
    vm.map(VA, PA + PAGE);
    vm.send(&[tlbi(op::TLBI_NH_VA, ASID, VA)]);
    assert_eq!(vm.at(Some(1), VA), Some(PA + PAGE));
    let _ = vm.assigned.remove(DEVICE);
    assert_eq!(vm.host.occupancy().bindings, 0);
}

#[test]
fn smmuv3_a_fault_after_its_binding_is_nobodys() {
    let mut vm = stalling(&nothing);
    let _ = wait(&mut vm, VA + PAGE, 9);
    let stalls = vm.assigned.stalls();
    assert_eq!(stalls.len(), 1);
    // The guest takes the stream away before it answers.
    let streams = vm.assigned.set_state(&vm.guest.mem, SmmuState::Off { abort: true });
    assert_eq!(streams, [SID], "its stalls have been answered");
    let [answer] = vm.host.take_answers()[..] else { panic!("one answer") };
    assert_eq!(answer.response, Response::Invalid);
    vm.assigned.respond(SID, stalls[0].waiter.tag.unwrap(), Response::Success);
    assert_eq!(vm.host.take_answers(), [], "once is enough");
    // And one that nobody had read yet.
    vm.on();
    let _ = wait(&mut vm, VA + PAGE, 10);
    let _ = vm.assigned.remove(DEVICE);
    assert_eq!(vm.assigned.stalls(), []);
    let [answer] = vm.host.take_answers()[..] else { panic!("one answer") };
    assert_eq!((answer.tag, answer.response), (10, Response::Invalid));
}

#[test]
fn vtd_without_memory_aborts_and_recovers() {
    let mut vm = Vtd::new(&nothing);
    vm.read(VA_VTD);
    let process = vm.process(VA_VTD, PA + PAGE);
    vm.guest.set_pasid(vm.function, PASID, &pasid_first(&process, DID));
    vm.host.fail(0, ENOMEM);
    vm.descriptor(&Invalidation::Pasid { did: DID, pasid: PASID }).unwrap();
    vm.wait().unwrap();
    assert_eq!(vm.at(Some(PASID), VA_VTD), None, "not the old one");
    vm.set_pasid(PASID, &pasid_first(&process, DID));
    vm.read(VA_VTD);
}

#[test]
fn vtd_any_call_may_fail() {
    for ahead in 0..8 {
        let mut vm = Vtd::new(&nothing);
        vm.read(VA_VTD);
        vm.host.fail(ahead, ENOMEM);
        let process = vm.process(VA_VTD, PA + PAGE);
        vm.guest.set_pasid(vm.function, PASID, &pasid_first(&process, DID));
        vm.guest.set_pasid(vm.function, 6, &pasid_first(&process, DID));
        let both = [Invalidation::PasidDomain { did: DID }, Invalidation::IotlbDomain { did: DID }];
        for _ in 0..3 {
            let _ = both.iter().try_for_each(|what| vm.descriptor(what));
            let _ = vm.wait();
        }
        vm.read(VA_VTD);
        vm.check(Some(6), VA_VTD, READ);
        vm.guest.map(&process, VA_VTD, PA + 2 * PAGE, 12, crate::vtd::testing::user_rw());
        while vm.descriptor(&pages(PASID, VA_VTD, 0)).is_err() || vm.wait().is_err() {}
        vm.read(VA_VTD);
        for pasid in [PASID, 6] {
            vm.set_pasid(pasid, &PasidEntry::default());
            vm.check(Some(pasid), VA_VTD, WRITE);
        }
        assert_eq!(vm.assigned.remove(DEVICE), Some(crate::vtd::testing::SID));
        assert_eq!(vm.host.occupancy().bindings, 0);
    }
}

#[test]
fn vtd_a_device_that_is_gone_is_let_go() {
    let mut vm = Vtd::new(&nothing);
    vm.read(VA_VTD);
    let _ = ask(&mut vm, VA_VTD + PAGE, 9);
    let requests = vm.assigned.page_requests();
    vm.host.remove_device(DEVICE);
    let [answer] = vm.host.take_answers()[..] else { panic!("one answer") };
    assert_eq!((answer.tag, answer.response), (9, Response::Invalid));
    vm.assigned.respond(
        requests[0].stream,
        Some(PASID),
        requests[0].group,
        crate::iommu::PageResponseCode::Success,
    );
    vm.descriptor(&pages(PASID, VA_VTD, 0)).unwrap();
    vm.wait().unwrap();
    vm.guest.set_pasid(vm.function, PASID, &PasidEntry::default());
    let _ = vm.descriptor(&Invalidation::Pasid { did: DID, pasid: PASID });
    assert_eq!(vm.at(Some(PASID), VA_VTD), None);
    let _ = vm.assigned.remove(DEVICE);
    assert_eq!((vm.host.occupancy().bindings, vm.assigned.open_groups()), (0, 0));
}

#[test]
fn vtd_with_closed_descriptors_translates_on() {
    let mut vm = Vtd::new(&nothing);
    vm.read(VA_VTD);
    let _ = ask(&mut vm, VA_VTD + PAGE, 9);
    vm.host.close(Queue::Faults);
    assert_eq!(vm.assigned.page_requests(), []);
    let [answer] = vm.host.take_answers()[..] else { panic!("one answer") };
    assert_eq!(answer.response, Response::Invalid);
    vm.map(VA_VTD, PA + PAGE);
    vm.send(&[pages(PASID, VA_VTD, 0)]);
    vm.read(VA_VTD);
}

#[test]
fn vtd_a_fault_after_its_binding_is_nobodys() {
    let mut vm = Vtd::new(&nothing);
    let _ = ask(&mut vm, VA_VTD + PAGE, 9);
    let requests = vm.assigned.page_requests();
    vm.set_pasid(PASID, &PasidEntry::default());
    let [answer] = vm.host.take_answers()[..] else { panic!("one answer") };
    assert_eq!(answer.response, Response::Invalid);
    assert_eq!(vm.assigned.open_groups(), 0);
    vm.assigned.respond(
        requests[0].stream,
        Some(PASID),
        requests[0].group,
        crate::iommu::PageResponseCode::Success,
    );
    assert_eq!(vm.host.take_answers(), []);
    assert_eq!(vm.host.translate(DEVICE, &request(Some(PASID), VA_VTD, READ)), ABORTED);
}

const VA_VTD: u64 = super::vtd::VA;
const ABORTED: crate::nested::software::Outcome = crate::nested::software::Outcome::Aborted;
