// SPDX-License-Identifier: GPL-2.0-or-later
//! The page request queue.

use super::*;

const PPR: u32 = 1;
const PRO: u32 = 2;
/// Entries of a queue of one page.
const ENTRIES: u64 = 128;

fn page(addr: u64, group: u16, last: bool) -> PageRequest {
    PageRequest {
        stream: 0x18,
        substream: Some(3),
        addr,
        access: Access { read: true, write: true, ..Access::default() },
        group,
        last,
        private_data: None,
    }
}

fn answered(group: u16, code: PageResponseCode) -> Effect {
    Effect::PageResponse { stream: 0x18, substream: Some(3), group, code }
}

impl Rig {
    fn ask(&self, request: &PageRequest) -> Vec<Effect> {
        self.vtd.page_request(&self.mem, request).0
    }

    fn entry(&self, number: u64) -> [u64; 4] {
        [0, 8, 16, 24].map(|offset| self.mem.get(PAGE_QUEUE + 32 * number + offset))
    }
}

#[test]
fn one_request() {
    let rig = Rig::new();
    assert_eq!(rig.ask(&page(0x1234_5678, 0x1ff, true)), [msi(PAGE_MSI)]);
    assert_eq!((rig.read(reg::PRS), rig.read64(reg::PQT)), (PPR, 32));
    // As Linux's `page_req_dsc` has it: type, PASID present, source, PASID; read, write, last, group, address.
    assert_eq!(rig.entry(0), [3 << 32 | 0x18 << 16 | 1 << 8 | 1, 0x1234_5000 | 0x1ff << 3 | 0b111, 0, 0]);
    let exotic = PageRequest {
        substream: None,
        access: Access { read: true, exec: true, privileged: true, write: false },
        private_data: Some([0x1111, 0x2222]),
        ..page(0x5000, 2, false)
    };
    assert_eq!(rig.ask(&exotic), [], "software has not seen the first yet");
    let first = 0b11 << 52 | 0x18 << 16 | 1 << 9 | 1;
    assert_eq!(rig.entry(1), [first, 0x5000 | 2 << 3 | 1, 0x1111, 0x2222]);
    rig.write(reg::PRS, PPR);
    assert_eq!(rig.ask(&page(0x6000, 3, true)), [msi(PAGE_MSI)]);
    assert_eq!(rig.vtd.stats().page_requests, 3);
}

#[test]
fn masked_messages_are_kept() {
    let rig = Rig::new();
    rig.write(reg::PECTL, 1 << 31);
    assert_eq!(rig.ask(&page(0x1000, 0, true)), []);
    assert_eq!(rig.read(reg::PECTL), 0b11 << 30);
    assert_eq!(rig.write(reg::PECTL, 0), [msi(PAGE_MSI)]);
    rig.write(reg::PECTL, 1 << 31);
    rig.write(reg::PRS, PPR);
    rig.ask(&page(0x1000, 0, true));
    rig.write(reg::PRS, PPR);
    assert_eq!(rig.write(reg::PECTL, 0), [], "dealt with before");
}

#[test]
fn a_full_queue_loses_nothing_for_good() {
    let rig = Rig::new();
    for n in 0..ENTRIES - 1 {
        rig.ask(&page(n << 12, (n % 512) as u16, true));
    }
    assert_eq!(rig.read(reg::PRS), PPR);
    // PPR has been signalled and not been seen: software will see both.
    assert_eq!(rig.ask(&page(0x1000, 9, true)), [], "asking again at once would be in vain");
    assert_eq!(rig.read(reg::PRS), PPR | PRO);
    // Before its last request a group is not answered.
    assert_eq!(rig.ask(&page(0x1000, 10, false)), []);
    // There is room again, but software has not said that it knows.
    rig.write64(reg::PQH, rig.read64(reg::PQT));
    assert_eq!(rig.write(reg::PRS, PPR), []);
    assert_eq!(rig.ask(&page(0x1000, 11, true)), []);
    let answers = [answered(9, PageResponseCode::Success), answered(11, PageResponseCode::Success)];
    assert_eq!(rig.write(reg::PRS, PRO), answers);
    assert_eq!(rig.write(reg::PRS, PRO), [], "answered twice");
    assert_eq!(rig.ask(&page(0x1000, 11, true)), [msi(PAGE_MSI)]);
    let stats = rig.vtd.stats();
    assert_eq!((stats.page_requests, stats.page_request_overflows, stats.auto_responses), (128, 3, 2));
}

/// A unit whose queue has overflowed, with one group's answer held back.
fn overflowed() -> Rig {
    let rig = Rig::new();
    for n in 0..ENTRIES - 1 {
        rig.ask(&page(n << 12, 0, true));
    }
    rig.write(reg::PRS, PPR);
    assert_eq!(rig.ask(&page(0x1000, 9, true)), [msi(PAGE_MSI)], "an overflow is signalled");
    assert_eq!(rig.read(reg::PRS), PRO);
    assert_eq!(rig.ask(&page(0x1000, 10, true)), [], "once");
    rig
}

#[test]
fn what_is_held_back_ends_with_what_it_waits_for() {
    let answers = [answered(9, PageResponseCode::Success), answered(10, PageResponseCode::Success)];
    let rig = overflowed();
    assert_eq!(rig.write(reg::GCMD, 1 << 26), answers_and(&answers, &[Effect::UNMAP_ALL]), "translation off");
    let rig = overflowed();
    assert_eq!(rig.vtd.rest().0, answers, "the machine stops");
    assert_eq!(rig.vtd.rest().0, []);
    let mut rig = overflowed();
    let drain = [4 << 32 | 1 << 7 | 1 << 5 | 5, STATUS, 0, 0];
    assert_eq!(rig.submit(&[drain]), answers_and(&answers, &[status(4)]), "drained");
    let rig = overflowed();
    rig.vtd.reset();
    assert_eq!(rig.write(reg::PRS, PRO), [], "endpoints are reset as well");
}

fn answers_and(answers: &[Effect], more: &[Effect]) -> Vec<Effect> {
    [answers, more].concat()
}

/// A group that its endpoint gave up has no answer: by beginning anew with its index, or by a reset, or by leaving.
#[test]
fn what_an_endpoint_gave_up_is_not_answered() {
    let both = [answered(9, PageResponseCode::Success), answered(10, PageResponseCode::Success)];
    let rig = overflowed();
    assert_eq!(rig.ask(&page(0x1000, 9, true)), []);
    let mut answers = rig.write(reg::PRS, PRO);
    answers.reverse();
    assert_eq!(answers, both, "each once");
    // Of another requester, or another address space, it is another group.
    for other in [
        PageRequest { stream: 0x19, ..page(0x1000, 9, true) },
        PageRequest { substream: Some(4), ..page(0x1000, 9, true) },
        PageRequest { substream: None, ..page(0x1000, 9, true) },
    ] {
        let rig = overflowed();
        rig.ask(&other);
        assert_eq!(rig.write(reg::PRS, PRO).len(), 3, "{other:?}");
    }
    for (gives_up, left) in [
        ((0x18, None, None), vec![]),
        // Requests of one address space: the endpoint goes on, and waits for the answers of its groups.
        ((0x18, Some(Some(3)), None), both.to_vec()),
        ((0x18, Some(Some(4)), None), both.to_vec()),
        ((0x18, Some(None), None), both.to_vec()),
        ((0x19, None, None), both.to_vec()),
        ((0x18, None, Some(9)), both.to_vec()),
    ] {
        let rig = overflowed();
        let (stream, substream, tag) = gives_up;
        rig.vtd.cancel(stream, substream, tag);
        assert_eq!(rig.write(reg::PRS, PRO), left, "{gives_up:?}");
    }
    // Page requests are switched off, of the address space or of another one.
    for (substream, left) in [(Some(3), vec![]), (Some(4), both.to_vec()), (None, both.to_vec())] {
        let rig = overflowed();
        rig.vtd.ends_page_requests(0x18, substream);
        assert_eq!(rig.write(reg::PRS, PRO), left, "{substream:?}");
    }
}

#[test]
fn no_more_is_held_back_than_there_is_room_for() {
    let rig = overflowed();
    let held = u32::try_from(super::super::requests::HELD).unwrap();
    for n in 2..held {
        assert_eq!(rig.ask(&PageRequest { stream: n + 0x1000, ..page(0x1000, 9, true) }), []);
    }
    assert_eq!(rig.ask(&page(0x1000, 12, true)), [answered(12, PageResponseCode::Success)]);
    assert_eq!(rig.write(reg::PRS, PRO).len(), held as usize);
}

#[test]
fn a_limit_makes_it_overflow_sooner() {
    let rig = Rig::with(Features { page_request_limit: 2, ..Features::default() });
    assert_eq!(rig.ask(&page(0x1000, 1, true)), [msi(PAGE_MSI)]);
    assert_eq!(rig.ask(&page(0x2000, 2, true)), []);
    assert_eq!(rig.ask(&page(0x3000, 3, true)), []);
    assert_eq!((rig.read(reg::PRS), rig.read64(reg::PQT)), (PPR | PRO, 64));
    rig.write64(reg::PQH, 32);
    assert_eq!(rig.write(reg::PRS, PPR | PRO), [answered(3, PageResponseCode::Success)]);
    assert_eq!(rig.ask(&page(0x3000, 3, true)), [msi(PAGE_MSI)], "one has been taken out");
}

#[test]
fn around_the_end_of_the_queue() {
    let rig = Rig::new();
    for n in 0..1000u64 {
        rig.write64(reg::PQH, rig.read64(reg::PQT));
        rig.write(reg::PRS, PPR);
        assert_eq!(rig.ask(&page(n << 12, 1, true)), [msi(PAGE_MSI)]);
        assert_eq!(rig.entry(n % ENTRIES)[1] >> 12, n);
    }
}

#[test]
fn what_the_tables_forbid_is_invalid() {
    let rig = Rig::new();
    rig.refuse(FaultReason::PageRequestDisabled);
    let effects = rig.ask(&page(0x5000, 7, true));
    assert_eq!(effects, [msi(FAULT_MSI), answered(7, PageResponseCode::Invalid)]);
    assert_eq!((rig.read(reg::PRS), rig.read64(reg::PQT)), (0, 0));
    let [low, high] = rig.record(0);
    // A page request: T1 clear, T2 set.
    assert_eq!((low, high >> 62, high >> 32 & 0xff, high >> 28 & 1), (0x5000, 0b10, 0x47, 1));
}

#[test]
fn without_anybody_to_ask_it_is_failure() {
    let rig = Rig::new();
    rig.mem.hole(PAGE_QUEUE..PAGE_QUEUE + 4096);
    assert_eq!(rig.ask(&page(0x5000, 7, true)), [answered(7, PageResponseCode::Failure)]);
    rig.write(reg::GCMD, 1 << 26);
    assert_eq!(rig.ask(&page(0x5000, 8, true)), [answered(8, PageResponseCode::Failure)]);
}

#[test]
fn stop_markers_are_queued_and_never_answered() {
    let rig = Rig::new();
    let marker = PageRequest { access: Access::default(), ..page(0, 0, true) };
    assert_eq!(rig.ask(&marker), [msi(PAGE_MSI)]);
    assert_eq!(rig.entry(0)[1], 1 << 2);
    rig.refuse(FaultReason::PageRequestDisabled);
    assert_eq!(rig.ask(&marker), [msi(FAULT_MSI)]);
    rig.write(reg::GCMD, 1 << 26);
    assert_eq!(rig.ask(&marker), []);
}

#[test]
fn a_drain_finds_every_request_in_the_queue() {
    let mut rig = Rig::new();
    rig.ask(&page(0x5000, 7, true));
    // Linux: fence and status, with page request drain.
    let drain = [4 << 32 | 1 << 7 | 1 << 6 | 1 << 5 | 5, STATUS, 0, 0];
    assert_eq!(rig.submit(&[drain]), [status(4)]);
    assert_eq!(rig.read64(reg::PQT), 32);
}

#[test]
fn without_the_feature_there_are_no_registers() {
    let rig = Rig::with(Features { page_requests: false, ..Features::default() });
    for offset in (reg::PQH..0xf0).step_by(4) {
        rig.write(offset, u32::MAX);
        assert_eq!(rig.read(offset), 0, "{offset:#x}");
    }
    assert_eq!(rig.ask(&page(0x5000, 7, true)), [answered(7, PageResponseCode::Failure)]);
}
