// SPDX-License-Identifier: GPL-2.0-or-later
//! Faults that wait for an answer, and reports that get lost.

use super::smmuv3::{Rig as Arm, waiting};
use super::vtd::Rig as Vtd;
use super::*;
use crate::nested::Error;
use crate::nested::host::{HostFault, Response};
use crate::smmuv3::spec::cd::Cd0;
use crate::smmuv3::testing::{READ, WRITE, cd, edit_cd};

const VA: u64 = 0x5678_9000;

/// A process whose missing pages stall.
fn stalling() -> Arm {
    let rig = Arm::new();
    rig.set_cd(1, &edit_cd(cd(&rig.tables, 5), |c: Cd0| c.with_s(1)));
    rig
}

fn open(host: &SoftwareHost) -> HostFault {
    host.next_fault().unwrap().expect("a fault")
}

#[test]
fn a_stall_waits_and_is_tried_again() {
    let rig = stalling();
    rig.bound(FaultRouting::Queued);
    let req = waiting(1, VA + 8, WRITE, 42);
    let fd = rig.host.fault_fd().unwrap();
    assert!(!readable(fd));
    assert_eq!(rig.host.translate(DEVICE, &req), Outcome::Waiting);
    assert_eq!(rig.host.translate(DEVICE, &req), Outcome::Waiting, "the same once more");
    assert!(readable(fd));
    let fault = open(&rig.host);
    assert_eq!((fault.device, fault.pasid, fault.addr, fault.access), (DEVICE, Some(1), VA + 8, WRITE));
    assert!(fault.last);
    assert_eq!((rig.host.next_fault(), readable(fd)), (Ok(None), false));
    rig.map(VA, 0x8000_0000);
    assert_eq!(rig.host.take_answers(), []);
    rig.host.respond(fault.cookie, Response::Success).unwrap();
    let again = Answer { device: DEVICE, pasid: Some(1), tag: 42, response: Response::Success };
    assert_eq!(rig.host.take_answers(), [again]);
    assert_eq!(guest_address(rig.host.translate(DEVICE, &req)), Some(0x8000_0008));
    assert_eq!(rig.host.next_event(), Ok(None), "a stall is no event");
}

#[test]
fn a_page_request_waits_and_is_tried_again() {
    let rig = Vtd::new();
    rig.bind(Some(5), &rig.tables, FaultRouting::Queued);
    let req = waiting(5, VA, WRITE, 43);
    assert_eq!(rig.host.translate(DEVICE, &req), Outcome::Waiting);
    let fault = open(&rig.host);
    assert_eq!((fault.pasid, fault.addr, fault.access), (Some(5), VA, WRITE));
    rig.host.respond(fault.cookie, Response::Success).unwrap();
    assert_eq!(rig.host.translate(DEVICE, &req), Outcome::Waiting, "still not there");
    let fault = open(&rig.host);
    rig.guest.map(&rig.tables, VA, 0x8000_0000, 12, crate::vtd::testing::user_rw());
    rig.host.respond(fault.cookie, Response::Success).unwrap();
    assert_eq!(guest_address(rig.host.translate(DEVICE, &req)), Some(0x8000_0000));
}

#[test]
fn only_who_can_wait_waits() {
    let rig = stalling();
    let id = rig.bound(FaultRouting::Queued);
    assert_eq!(rig.ask(Some(1), VA, READ), Outcome::Aborted, "nobody waits with it");
    assert!(matches!(rig.host.next_event(), Ok(Some(HostEvent::Smmuv3(_)))), "and so it is an event");
    let config = *rig.host.lock().bindings.first().map(|b| &b.config).unwrap();
    rig.host.replace(id, &config, FaultRouting::Refused).unwrap();
    assert_eq!(rig.host.translate(DEVICE, &waiting(1, VA, READ, 1)), Outcome::Aborted, "refused at once");
    assert_eq!((rig.host.next_fault(), rig.host.next_event()), (Ok(None), Ok(None)));
}

#[test]
fn an_answer_counts_once_and_only_for_what_was_read() {
    let rig = stalling();
    rig.bound(FaultRouting::Queued);
    let _ = rig.host.translate(DEVICE, &waiting(1, VA, READ, 1));
    let unknown = |cookie: Cookie| Err(Error::UnknownCookie(cookie.0));
    assert_eq!(rig.host.respond(Cookie(1), Response::Success), unknown(Cookie(1)), "not read yet");
    let fault = open(&rig.host);
    let other = Cookie(fault.cookie.0 + 1);
    assert_eq!(rig.host.respond(other, Response::Success), unknown(other));
    rig.host.respond(fault.cookie, Response::Invalid).unwrap();
    assert_eq!(rig.host.respond(fault.cookie, Response::Success), unknown(fault.cookie));
    let [answer] = rig.host.take_answers()[..] else { panic!("one answer") };
    assert_eq!(answer.response, Response::Invalid);
}

#[test]
fn faults_end_with_their_binding() {
    for how in ["unbind", "replace", "unplug", "close"] {
        for read in [false, true] {
            let rig = stalling();
            let id = rig.bound(FaultRouting::Queued);
            let _ = rig.host.translate(DEVICE, &waiting(1, VA, READ, 7));
            let cookie = read.then(|| open(&rig.host).cookie);
            match how {
                "unbind" => rig.host.unbind(id).unwrap(),
                "replace" => rig.host.replace(id, &Config::Abort, FaultRouting::Queued).unwrap(),
                "unplug" => rig.host.remove_device(DEVICE),
                _ => rig.host.close(Queue::Faults),
            }
            let answers = rig.host.take_answers();
            assert_eq!(answers.len(), 1, "{how}, read: {read}");
            assert_eq!((answers[0].tag, answers[0].response), (7, Response::Invalid));
            assert_eq!(rig.host.occupancy().faults, 0);
            if how != "close" {
                assert_eq!(rig.host.next_fault(), Ok(None));
            }
            if let Some(cookie) = cookie {
                assert!(rig.host.respond(cookie, Response::Success).is_err());
            }
        }
    }
}

#[test]
fn one_answer_is_for_a_whole_group() {
    let rig = Vtd::new();
    rig.bind(Some(5), &rig.tables, FaultRouting::Queued);
    rig.bind(Some(6), &rig.tables, FaultRouting::Refused);
    let pages = [(VA, READ), (VA + 0x1000, WRITE), (VA + 0x5000, READ)];
    assert_eq!(rig.host.inject_faults(DEVICE, Some(6), &pages), None);
    assert_eq!(rig.host.inject_faults(DEVICE, Some(9), &pages), None);
    let cookie = rig.host.inject_faults(DEVICE, Some(5), &pages).unwrap();
    let next = |last: bool, addr| {
        let fault = open(&rig.host);
        assert_eq!((fault.last, fault.addr, fault.cookie), (last, addr, cookie));
        fault.group
    };
    let groups = [next(false, VA), next(false, VA + 0x1000)];
    assert!(rig.host.respond(cookie, Response::Success).is_err(), "the last was not read");
    let group = next(true, VA + 0x5000);
    assert_eq!(groups, [group; 2]);
    rig.host.respond(cookie, Response::Success).unwrap();
    assert_eq!(rig.host.take_answers(), [], "nobody waited");
    assert_ne!(rig.host.inject_faults(DEVICE, Some(5), &pages), Some(cookie));
}

#[test]
fn an_endpoint_that_gave_up_hears_nothing() {
    let rig = stalling();
    rig.bound(FaultRouting::Queued);
    let _ = rig.host.translate(DEVICE, &waiting(1, VA, READ, 7));
    rig.host.cancel(DEVICE);
    let fault = open(&rig.host);
    rig.host.respond(fault.cookie, Response::Success).unwrap();
    assert_eq!(rig.host.take_answers(), []);
}

#[test]
fn lost_events_are_counted_in_their_place() {
    let rig = Arm::new();
    rig.bound(FaultRouting::Refused);
    let fd = rig.host.event_fd().unwrap();
    let more = 5;
    for _ in 0..SoftwareHost::EVENTS + more {
        let _ = rig.ask(Some(1), VA, READ);
    }
    assert!(readable(fd));
    for _ in 0..SoftwareHost::EVENTS {
        assert!(matches!(rig.host.next_event(), Ok(Some(HostEvent::Smmuv3(_)))));
    }
    let _ = rig.ask(Some(1), VA, READ);
    rig.host.inject_event(HostEvent::Lost(3));
    let next = || rig.host.next_event().unwrap();
    assert_eq!(next(), Some(HostEvent::Lost(more as u32)));
    assert!(matches!(next(), Some(HostEvent::Smmuv3(_))));
    assert_eq!((next(), next()), (Some(HostEvent::Lost(3)), None));
    assert!(!readable(fd));
}
