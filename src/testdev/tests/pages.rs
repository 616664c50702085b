// SPDX-License-Identifier: GPL-2.0-or-later
//! Page requests: several at once, by hand, and the end of a PASID's.

use super::*;
use crate::testdev::port::PortError;
use crate::testdev::registers::{PriOutstanding, PriResult, SendStatus};

const PREFETCH: u64 = 0x38;
const SPLIT: u32 = 1 << 31;
const SEND: u64 = 0x24c;
const GO: u32 = 1 << 31;
const LAST: u32 = 1 << 9;
const READ: u32 = 1 << 10;
const WRITE: u32 = 1 << 11;
const EXEC: u32 = 1 << 12;
const FORCE: u32 = 1 << 14;

fn rig() -> Rig {
    let mut rig = Rig::new();
    for number in 0..4 {
        rig.write(engine(number, 0x20), 1);
    }
    rig
}

/// The destination's first `pages` pages are not there.
fn absent(pages: u64) -> Rig {
    let mut rig = rig();
    (0..pages).for_each(|page| rig.port.set(SPACE, DST + page * PAGE, Behaviour::Stall));
    rig
}

fn sent(rig: &Rig) -> Vec<Vec<u64>> {
    rig.port
        .page_requests
        .values()
        .map(|requests| requests.iter().map(|request| (request.addr - DST) / PAGE).collect())
        .collect()
}

/// Answers every group that is out, and lets its pages appear.
fn serve(rig: &mut Rig) {
    while let Some((_, requests)) = rig.port.page_requests.first_key_value() {
        let pages: Vec<u64> = requests.iter().map(|request| request.addr).collect();
        pages.into_iter().for_each(|addr| rig.port.clear(SPACE, addr));
        rig.respond(PageResponse::Success);
    }
    rig.run();
}

fn send(rig: &mut Rig, pasid: Option<u32>, addr: u64, bits: u32) -> u32 {
    rig.write(0x248, pasid.map_or(0, |pasid| pasid | 1 << 31));
    rig.write64(0x240, addr);
    rig.write(SEND, GO | bits);
    rig.read(0x250)
}

fn result(rig: &mut Rig, group: u32) -> PriResult {
    rig.write(0x254, group);
    PriResult::from(rig.read(0x258))
}

#[test]
fn one_page_at_a_time_after_reset() {
    let mut rig = absent(8);
    assert_eq!(rig.read(engine(0, PREFETCH)), 1);
    rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8 * PAGE));
    rig.run();
    assert_eq!(sent(&rig), [[0]]);
    rig.write(engine(0, PREFETCH), 0);
    assert_eq!(rig.read(engine(0, PREFETCH)), 1);
    rig.write(engine(0, PREFETCH), SPLIT | 200);
    assert_eq!(rig.read(engine(0, PREFETCH)), SPLIT | 32);
}

#[test]
fn a_group_of_several_requests() {
    for migrate in [false, true] {
        let mut rig = absent(8);
        // One that is there needs no request, and one that is read-only does.
        rig.port.clear(SPACE, DST + 2 * PAGE);
        rig.port.set(SPACE, DST + 3 * PAGE, Behaviour::ReadOnly);
        rig.write(engine(0, PREFETCH), 5);
        let index = rig.offer(0, descriptor(Opcode::Fill, 0, DST + 8, 6 * PAGE));
        rig.run();
        assert_eq!(sent(&rig), [vec![0, 1, 3, 4]], "addresses of pages, the first as it was accessed");
        assert!(rig.port.open_groups.is_empty(), "LPIG on the last");
        assert!(rig.port.page_requests.values().flatten().all(|request| request.access.write));
        if migrate {
            rig.migrate(Config::default());
        }
        serve(&mut rig);
        // The rest: the seventh page is the last one touched.
        assert_eq!(sent(&rig), [vec![5, 6]]);
        serve(&mut rig);
        assert_eq!(rig.record(0, index).unwrap().bytes, 6 * PAGE);
        let counters = *rig.device.counters();
        assert_eq!((counters.page_requests, counters.page_groups, counters.page_responses), (6, 2, 2));
    }
}

#[test]
fn several_groups_at_once() {
    let mut rig = absent(4);
    rig.write(engine(0, PREFETCH), SPLIT | 4);
    let index = rig.offer(0, descriptor(Opcode::Fill, 0, DST, 4 * PAGE));
    rig.run();
    assert_eq!(sent(&rig), [[0], [1], [2], [3]]);
    rig.port.clear(SPACE, DST);
    rig.respond(PageResponse::Success);
    rig.run();
    assert_eq!(rig.status(0) & 2, 2, "waits for the second group");
    assert_eq!(rig.device.counters().page_requests, 4, "and does not ask again");
    rig.migrate(Config::default());
    // Answers in another order.
    for group in [3, 1, 2] {
        let request = rig.port.page_requests.remove(&group).unwrap()[0];
        rig.port.clear(SPACE, request.addr);
        assert!(rig.device.page_response(group, SPACE, PageResponse::Success, &mut rig.port));
        rig.run();
    }
    assert_eq!(rig.record(0, index).unwrap().bytes, 4 * PAGE);
    assert_eq!(rig.device.counters().page_requests, 4);
}

#[test]
fn a_page_ahead_that_is_refused_counts_when_it_is_reached() {
    let mut rig = absent(2);
    rig.write(engine(0, PREFETCH), SPLIT | 2);
    let index = rig.offer(0, descriptor(Opcode::Fill, 0, DST, 2 * PAGE));
    rig.run();
    let (group, _) = rig.port.page_requests.pop_last().unwrap();
    assert!(rig.device.page_response(group, SPACE, PageResponse::Invalid, &mut rig.port));
    assert_eq!(rig.read(0x24), 0, "nobody has accessed it yet");
    rig.port.clear(SPACE, DST);
    rig.respond(PageResponse::Success);
    rig.run();
    assert_eq!(sent(&rig), [[1]], "asked for again");
    rig.respond(PageResponse::Invalid);
    rig.run();
    let done = rig.record(0, index).unwrap();
    assert_eq!((done.cause, done.bytes, done.fault_addr), (3, PAGE, DST + PAGE));
    let counters = rig.device.counters();
    assert_eq!((counters.responses_success, counters.responses_invalid), (1, 2));
}

#[test]
fn what_was_sent_ahead_is_nothing_to_the_next_owner() {
    let mut rig = absent(4);
    rig.write(engine(0, PREFETCH), SPLIT | 4);
    rig.offer(0, descriptor(Opcode::Fill, 0, DST, 4 * PAGE));
    rig.run();
    rig.write(0x18, GO | PASID);
    rig.write(0x1c, GO | PASID);
    let index = rig.offer(0, descriptor(Opcode::Fill, 0, DST + PAGE, 8));
    rig.run();
    assert_eq!(rig.port.page_requests.len(), 5, "a request of its own");
    // The old ones end in an error.
    for group in 0..4 {
        rig.port.page_requests.remove(&group);
        assert!(rig.device.page_response(group, SPACE, PageResponse::Invalid, &mut rig.port));
    }
    assert_eq!(rig.read(0x24), 0);
    serve(&mut rig);
    assert_eq!(rig.record(0, index).unwrap().status, 1);
}

#[test]
fn a_group_keeps_to_the_allowance() {
    for split in [0, SPLIT] {
        let mut rig = absent(8);
        rig.port.allowance = 3;
        rig.write(engine(0, PREFETCH), split | 8);
        rig.write(engine(1, PREFETCH), split | 8);
        rig.start(1, None);
        let index = rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8 * PAGE));
        rig.offer(1, descriptor(Opcode::Fill, 0, DST + 4 * PAGE, PAGE));
        rig.run();
        assert_eq!(sent(&rig).concat(), [0, 1, 2]);
        assert_eq!(rig.status(1) & 2, 2, "waits for leave");
        for _ in 0..4 {
            serve(&mut rig);
        }
        assert_eq!(rig.record(0, index).unwrap().bytes, 8 * PAGE);
        assert_eq!(rig.record(1, 0).unwrap().status, 1);
    }
}

#[test]
fn a_group_that_the_iommu_refuses_midway_fails_the_access() {
    let mut rig = absent(4);
    rig.write(engine(0, PREFETCH), 4);
    rig.port.page_request_error = Some(PortError::Refused);
    assert_eq!(rig.complete(descriptor(Opcode::Fill, 0, DST, 8)).cause, 4);
    assert_eq!(rig.device.page_groups_outstanding(), 0);
}

#[test]
fn prefetch_reads_ahead_within_a_segment() {
    let mut rig = absent(8);
    rig.port.poke(SPACE, 0x40_0000, &list(&[(DST, 2 * PAGE), (DST + 4 * PAGE, PAGE)]));
    let crc = descriptor(Opcode::Crc32c, 0x40_0000, 0, 0);
    let (control, target) = (crc.control.with_src_list(1), crc.target.with_list_entries(2));
    rig.write(engine(0, PREFETCH), 8);
    rig.offer(0, Descriptor { control, target, ..crc });
    rig.run();
    assert_eq!(sent(&rig), [vec![0, 1]]);
    assert!(rig.port.page_requests.values().flatten().all(|request| !request.access.write));
}

#[test]
fn responses_by_hand_read_back_as_they_are() {
    for (response, code) in
        [(PageResponse::Success, 0), (PageResponse::Invalid, 1), (PageResponse::Failure, 15)]
    {
        let mut rig = rig();
        assert_eq!(rig.read(0x250), SendStatus::None as u32);
        assert_eq!(send(&mut rig, SPACE, DST + 0x123, 7 | READ), SendStatus::Sent as u32);
        let state = result(&mut rig, 7);
        assert_eq!((state.outstanding(), state.complete(), state.requests()), (1, 0, 1));
        assert_eq!(send(&mut rig, SPACE, DST + PAGE, 7 | WRITE | LAST | EXEC), SendStatus::Sent as u32);
        let requests = rig.port.page_requests[&7].clone();
        assert_eq!(requests.iter().map(|request| request.addr).collect::<Vec<_>>(), [DST, DST + PAGE]);
        assert!(requests[1].access.exec && requests[1].access.write && !requests[1].access.read);
        assert_eq!(send(&mut rig, SPACE, DST, 7 | READ), SendStatus::IndexInUse as u32);
        let outstanding = PriOutstanding::from(rig.read(0x25c));
        assert_eq!((outstanding.requests(), outstanding.groups(), rig.read(0x260)), (2, 1, 2));
        rig.migrate(Config::default());
        rig.respond(response);
        let state = result(&mut rig, 7);
        assert_eq!((state.answered(), state.outstanding(), state.response()), (1, 0, code));
        assert_eq!((rig.read(0x25c), rig.read(0x260), rig.read(0x24)), (0, 0, 0));
        assert_eq!(send(&mut rig, SPACE, DST, 7 | READ | LAST), SendStatus::Sent as u32, "used again");
        assert_eq!(result(&mut rig, 7).answered(), 0);
    }
}

#[test]
fn sends_that_do_not_go() {
    let mut rig = rig();
    rig.port.allowance = 1;
    assert_eq!(send(&mut rig, None, DST, 1 | READ | LAST), SendStatus::Sent as u32);
    assert_eq!(send(&mut rig, None, DST, 2 | READ | LAST), SendStatus::NoCredit as u32);
    assert_eq!(send(&mut rig, None, DST, 2 | READ | LAST | EXEC), SendStatus::Malformed as u32);
    rig.port.forced = true;
    assert_eq!(send(&mut rig, None, DST, 2 | READ | LAST | FORCE), SendStatus::Sent as u32);
    assert_eq!(send(&mut rig, SPACE, DST, 1 | READ | LAST | FORCE), SendStatus::Sent as u32);
    assert_eq!(rig.device.counters().page_requests, 3);
    rig.port.allowance = 0;
    assert_eq!(send(&mut rig, SPACE, DST, 3 | READ | LAST | FORCE), SendStatus::Off as u32);
    rig.port.allowance = 9;
    for (error, status) in [
        (PortError::Refused, SendStatus::Refused),
        (PortError::PasidDisabled, SendStatus::NotEnabled),
        (PortError::Unsupported, SendStatus::Unsupported),
    ] {
        rig.port.page_request_error = Some(error);
        assert_eq!(send(&mut rig, SPACE, DST, 3 | READ | LAST), status as u32);
        assert_eq!(result(&mut rig, 3), PriResult::default());
    }
    rig.write(SEND, READ | LAST);
    assert_eq!(rig.device.counters().page_requests, 3, "without GO");

    let mut plain = Rig::with(Config { pasid_bits: 8, exec: false, ..Config::default() });
    assert_eq!(send(&mut plain, Some(255), 0, READ | EXEC), SendStatus::Malformed as u32);
    assert!(plain.device.write(0x248, 1 << 31 | 256, 4, &mut plain.port).mistake.is_some());
    assert!(plain.device.write(0x254, 512, 4, &mut plain.port).mistake.is_some());
    assert!(plain.device.write(0x258, 0, 4, &mut plain.port).mistake.is_some());
}

#[test]
fn a_response_for_another_pasid_is_nobodys() {
    for (response_pasid, with_another, without) in [(true, false, false), (false, false, true)] {
        let mut rig = Rig::with(Config { response_pasid, ..Config::default() });
        send(&mut rig, SPACE, DST, 1 | READ | LAST);
        let success = PageResponse::Success;
        assert_eq!(rig.device.page_response(1, Some(6), success, &mut rig.port), with_another);
        assert_eq!(rig.device.page_response(1, None, success, &mut rig.port), without);
        assert_eq!(rig.device.page_response(1, SPACE, success, &mut rig.port), !without);
        assert_eq!(rig.device.counters().responses_unexpected, 2);
        assert_eq!(rig.device.counters().page_responses, 1);
    }
}

#[test]
fn stop_markers() {
    let mut rig = absent(1);
    rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.run();
    rig.write(0x18, GO | 6);
    assert!(rig.port.stop_markers.is_empty());
    rig.write(0x18, GO | 1 << 28 | PASID);
    assert_eq!(rig.port.stop_markers, [PASID]);
    rig.write(0x248, 1 << 31 | PASID);
    assert_eq!(rig.read(0x260), 1, "the stale group still gets its response");
    rig.respond(PageResponse::Success);
    assert_eq!((rig.read(0x260), rig.device.counters().stop_markers), (0, 1));
    assert_eq!(send(&mut rig, SPACE, 0, LAST), SendStatus::Sent as u32);
    assert_eq!(rig.port.stop_markers, [PASID; 2]);
    assert_eq!(rig.device.page_groups_outstanding(), 0, "has no response");
    rig.port.allowance = 0;
    rig.write(0x18, GO | 1 << 28 | PASID);
    assert_eq!(rig.device.counters().stop_markers, 2, "page requests are off");
}

#[test]
fn reset_keeps_groups_and_forgets_answers() {
    let mut rig = rig();
    send(&mut rig, SPACE, DST, 1 | READ | LAST);
    rig.respond(PageResponse::Invalid);
    send(&mut rig, SPACE, DST, 2 | READ | LAST);
    rig.write(0x0c, 2);
    assert_eq!((rig.read(0x240), rig.read(0x248), rig.read(0x250)), (0, 0, 0));
    assert_eq!(result(&mut rig, 1), PriResult::default());
    assert_eq!(result(&mut rig, 2).outstanding(), 1, "its response is still to come");
    rig.device.page_requests_lost(&mut rig.port);
    assert_eq!(result(&mut rig, 2), PriResult::default());
    send(&mut rig, SPACE, DST, 3 | READ | LAST);
    rig.device.reset(&mut rig.port);
    assert_eq!(rig.read(0x25c), 0);
}

#[test]
fn more_halted_pasids_than_there_are_processes() {
    let mut rig = Rig::new();
    for pasid in 0..1000 {
        rig.write(0x18, GO | (pasid * 1048));
    }
    assert_eq!(rig.read(0x24), 1000);
    rig.migrate(Config::default());
    assert_eq!(rig.read(0x24), 1000);
    rig.write(0x1c, GO | (1048 * 999));
    assert_eq!(rig.read(0x24), 999);
    let fill = descriptor(Opcode::Fill, 0, DST, 8);
    for (pasid, cause) in [(1048 * 999, 0), (1048 * 998, 9), (1, 0)] {
        assert_eq!(rig.complete(Descriptor { target: Target::from(pasid), ..fill }).cause, cause);
    }
}
