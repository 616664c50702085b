// SPDX-License-Identifier: GPL-2.0-or-later
//! Fault mode 1: translations from ATS, pages from PRI.

use super::*;
use crate::testdev::port::PortError;

fn rig() -> Rig {
    let mut rig = Rig::new();
    for number in 0..4 {
        rig.write(engine(number, 0x20), 1);
    }
    rig
}

#[test]
fn translations_are_cached_until_invalidated() {
    let mut rig = rig();
    rig.port.poke(SPACE, SRC, b"data");
    let copy = descriptor(Opcode::Copy, SRC, DST, 4);
    rig.complete(copy);
    assert_eq!(rig.port.peek(SPACE, DST, 4), b"data");
    let requests = rig.device.counters().ats_requests;
    assert_eq!(requests, 4, "ring, source, destination, records");
    rig.complete(copy);
    assert_eq!(rig.device.counters().ats_requests, requests);
    rig.device.invalidate(&Invalidation { pasid: SPACE, addr: DST, mask: 0xfff, ..Default::default() });
    rig.complete(copy);
    assert_eq!(rig.device.counters().ats_requests, requests + 1);
    assert_eq!(rig.device.counters().invalidations, 1);
    rig.device.forget_translations();
    rig.complete(copy);
    assert_eq!(rig.device.counters().ats_requests, requests + 5);
}

#[test]
fn invalidated_and_changed_is_used_no_more() {
    let mut rig = rig();
    rig.complete(descriptor(Opcode::Fill, 0, DST, 8));
    rig.device.invalidate(&Invalidation { pasid: SPACE, addr: DST, mask: 0xfff, ..Default::default() });
    rig.port.set(SPACE, DST, Behaviour::Stall);
    rig.offer(0, Descriptor { operand0: !0, ..descriptor(Opcode::Fill, 0, DST, 8) });
    rig.run();
    assert_eq!(rig.port.peek(SPACE, DST, 8), [0; 8]);
    assert_eq!(rig.port.page_requests.len(), 1);
}

#[test]
fn an_invalidation_in_the_middle_counts_from_the_next_access() {
    let mut rig = rig();
    let fill = descriptor(Opcode::Fill, 0, DST, 8);
    rig.complete(fill);
    rig.port.invalidations.push(Invalidation { pasid: SPACE, addr: DST, mask: 0xfff, ..Default::default() });
    let requests = rig.device.counters().ats_requests;
    rig.complete(fill);
    assert_eq!(rig.device.counters().ats_requests, requests + 1);
    assert_eq!(rig.device.counters().invalidations, 1);
}

#[test]
fn a_page_request_and_its_answers() {
    for migrate in [false, true] {
        for (response, status, cause) in [
            (PageResponse::Success, 1, 0),
            (PageResponse::Invalid, 3, Cause::PageInvalid as u32),
            (PageResponse::Failure, 3, Cause::PageFailure as u32),
        ] {
            let mut rig = rig();
            rig.port.set(SPACE, DST + PAGE, Behaviour::Stall);
            let index = rig.offer(0, descriptor(Opcode::Fill, 0, DST, 2 * PAGE));
            rig.run();
            assert_eq!(rig.status(0) & 7, 3);
            let request = rig.port.page_requests.values().next().unwrap()[0];
            assert_eq!((request.pasid, request.addr), (SPACE, DST + PAGE));
            assert!(request.access.write && !request.access.read);
            if migrate {
                rig.migrate(Config::default());
            }
            rig.port.clear(SPACE, DST + PAGE);
            rig.respond(response);
            rig.run();
            let done = rig.record(0, index).unwrap();
            assert_eq!((done.status, done.cause), (status, cause));
            assert_eq!(rig.read(0x24), u32::from(response == PageResponse::Invalid));
            let counters = *rig.device.counters();
            assert_eq!((counters.page_requests, counters.page_responses), (1, 1));
            assert_eq!((counters.ats_failed, counters.stalls), (1, 0));
        }
    }
}

#[test]
fn a_page_that_is_there_to_read_is_requested_to_write() {
    let mut rig = rig();
    rig.port.set(SPACE, DST, Behaviour::ReadOnly);
    assert_eq!(rig.complete(descriptor(Opcode::Crc32c, DST, 0, 8)).status, 1);
    rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.run();
    assert_eq!(rig.port.page_requests.len(), 1);
    rig.port.clear(SPACE, DST);
    rig.respond(PageResponse::Success);
    rig.run();
    assert_eq!(rig.record(0, 1).unwrap().status, 1);
}

#[test]
fn success_without_a_page_ends_some_time() {
    let mut rig = rig();
    rig.port.set(SPACE, DST, Behaviour::Stall);
    let index = rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.run();
    while !rig.port.page_requests.is_empty() {
        rig.respond(PageResponse::Success);
        rig.run();
    }
    assert_eq!(rig.record(0, index).unwrap().cause, Cause::PageFailure as u32);
    assert_eq!(rig.device.counters().page_requests, 255);
    // 10 pauses from 10 us to 5.12 ms, 244 of 10 ms.
    assert_eq!(rig.port.now, 2_450_230_000);
}

#[test]
fn a_page_that_stays_away_is_asked_for_after_a_pause() {
    let mut rig = rig();
    rig.port.set(SPACE, DST, Behaviour::Stall);
    let index = rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.run();
    rig.respond(PageResponse::Success);
    rig.run();
    assert_eq!((rig.port.now, rig.port.page_requests.len()), (0, 1), "the first time at once");
    rig.respond(PageResponse::Success);
    for now in [0, 9_999] {
        rig.port.now = now;
        let tick = rig.device.tick(&mut rig.port);
        assert_eq!(tick, Tick { more: false, at: Some(10_000) });
        assert_eq!((rig.port.page_requests.len(), rig.status(0) & 2), (0, 2), "it waits");
    }
    rig.port.now = 10_000;
    rig.run();
    assert_eq!(rig.port.page_requests.len(), 1);
    // A switch ends the pause, and not the count.
    rig.respond(PageResponse::Success);
    rig.migrate(Config::default());
    rig.run();
    rig.respond(PageResponse::Success);
    assert_eq!(rig.device.tick(&mut rig.port).at, Some(10_000 + 40_000));
    rig.port.clear(SPACE, DST);
    rig.run();
    assert_eq!(rig.record(0, index).unwrap().status, 1);
}

#[test]
fn page_requests_keep_to_their_allowance() {
    let mut rig = rig();
    rig.port.allowance = 2;
    for number in 0..4 {
        rig.start(number, None);
        rig.port.set(SPACE, DST + number * PAGE, Behaviour::Stall);
        rig.offer(number, descriptor(Opcode::Fill, 0, DST + number * PAGE, 8));
    }
    rig.run();
    assert_eq!(rig.port.page_requests.len(), 2);
    assert!((0..4).all(|number| rig.status(number) & 2 != 0));
    rig.port.behaviour.clear();
    for _ in 0..2 {
        rig.respond(PageResponse::Success);
    }
    rig.run();
    assert!((0..4).all(|number| rig.record(number, 0).unwrap().status == 1));
}

#[test]
fn a_given_up_group_is_not_used_again_before_its_response() {
    let mut rig = rig();
    rig.port.set(SPACE, DST, Behaviour::Stall);
    rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.run();
    rig.write(0x18, 1 << 31 | PASID);
    rig.run();
    assert_eq!(rig.record(0, 0).unwrap().status, 4);
    assert_eq!(rig.device.page_groups_outstanding(), 1);
    rig.respond(PageResponse::Success);
    assert_eq!(rig.device.page_groups_outstanding(), 0);
    assert!(!rig.device.page_response(0, SPACE, PageResponse::Success, &mut rig.port), "twice");
}

#[test]
fn lost_page_requests_fail() {
    let mut rig = rig();
    rig.port.set(SPACE, DST, Behaviour::Stall);
    rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.run();
    rig.device.page_requests_lost(&mut rig.port);
    rig.run();
    assert_eq!(rig.record(0, 0).unwrap().cause, Cause::PageFailure as u32);
    assert_eq!(rig.device.page_groups_outstanding(), 0);
}

#[test]
fn without_ats_or_pri_the_mode_is_refused() {
    let mut rig = rig();
    rig.port.ats = false;
    rig.offer(0, descriptor(Opcode::Nop, 0, 0, 0));
    rig.run();
    assert_eq!(rig.status(0), 4 | 11 << 8);
    assert_eq!(rig.device.counters().ats_requests, 0);

    let mut rig = self::rig();
    rig.port.allowance = 0;
    rig.port.set(SPACE, DST, Behaviour::Error(PortError::Refused));
    assert_eq!(rig.complete(descriptor(Opcode::Fill, 0, DST, 8)).cause, 11);
}

#[test]
fn compare_and_swap_at_a_translated_address() {
    let mut rig = rig();
    let cas = Descriptor { operand1: 7, ..descriptor(Opcode::CompareAndSwap, 0, DST, 8) };
    assert_eq!(rig.complete(cas).status, 1);
    assert_eq!(rig.port.peek(SPACE, DST, 1), [7]);
}

/// What an answer says is reached by untranslated requests is: from the cache, too, and after a migration.
#[test]
fn untranslated_requests_where_the_answer_says_so() {
    for migrate in [false, true] {
        let mut rig = rig();
        rig.port.untranslated_only = Some(DST / PAGE);
        rig.complete(descriptor(Opcode::Fill, 0, DST, 8));
        assert_eq!(rig.port.peek(SPACE, DST, 8), [0; 8]);
        if migrate {
            rig.migrate(Config::default());
        }
        let requests = rig.device.counters().ats_requests;
        let fill = Descriptor { operand0: !0, ..descriptor(Opcode::Fill, 0, DST + 8, 8) };
        assert_eq!(rig.complete(fill).status, 1);
        assert_eq!(rig.port.peek(SPACE, DST + 8, 8), [0xff; 8]);
        assert_eq!(rig.device.counters().ats_requests, requests, "it is cached");
        // The IOMMU has its say about each of them.
        rig.port.set(SPACE, DST, Behaviour::Error(PortError::Refused));
        assert_eq!(rig.complete(fill).cause, Cause::Refused as u32);
        assert_eq!(rig.device.counters().page_requests, 0);
    }
}

/// Permissions for the others are none for a privileged access: its page is asked for.
#[test]
fn an_answer_for_the_others_is_none_for_privileged_accesses() {
    let mut rig = rig();
    rig.port.unprivileged = true;
    let mut fill = descriptor(Opcode::Fill, 0, DST, 8);
    fill.control = fill.control.with_privileged(1);
    rig.offer(0, fill);
    rig.run();
    let requests: Vec<_> = rig.port.page_requests.values().flatten().collect();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].access.privileged && requests[0].access.write);
}
