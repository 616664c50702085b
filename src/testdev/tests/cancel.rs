// SPDX-License-Identifier: GPL-2.0-or-later
//! CANCEL, REARM, stop and reset.

use super::*;

const GO: u32 = 1 << 31;
const ALL: u32 = 1 << 30;
const NO_PASID: u32 = 1 << 29;

fn waiting_rig(space: Option<u32>) -> (Rig, u32) {
    let mut rig = Rig::new();
    rig.port.set(space, DST + PAGE, Behaviour::Stall);
    let fill = descriptor(Opcode::Fill, 0, DST, 2 * PAGE);
    let fill = match space {
        Some(pasid) => Descriptor { target: Target::from(pasid), ..fill },
        None => Descriptor { control: fill.control.with_pasid_valid(0), ..fill },
    };
    let index = rig.offer(0, Descriptor { operand0: !0, ..fill });
    rig.run();
    rig.port.only_waiting();
    (rig, index)
}

#[test]
fn cancel_of_a_pasid() {
    let (mut rig, index) = waiting_rig(SPACE);
    let queued = rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.write(0x14, 1 << 31);
    rig.write(0x18, GO | PASID);
    assert_eq!(rig.read(0x18), 0);
    assert!(rig.port.waiting.is_empty(), "cancelled when the write returns");
    assert_eq!(rig.read(0x10), INT_CANCEL);
    assert!(rig.device.take_interrupt());
    assert!(!rig.device.take_interrupt());
    rig.port.clear(SPACE, DST + PAGE);
    rig.run();
    let done = rig.record(0, index).unwrap();
    assert_eq!(done, Done { status: 4, cause: 10, result: 0, fault_addr: DST + PAGE, bytes: PAGE });
    let done = rig.record(0, queued).unwrap();
    assert_eq!((done.status, done.cause), (3, 9));
    assert_eq!(rig.port.peek(SPACE, DST + PAGE, 1), [0], "not a byte more");
    assert_eq!(rig.device.counters().cancelled, 1);
    assert_eq!(rig.read(0x24), 1);
    rig.check_counters();
    rig.write(0x1c, GO | ALL);
    assert_eq!(rig.read(0x24), 0);
    assert_eq!(rig.complete(descriptor(Opcode::Fill, 0, DST, 8)).status, 1);
}

#[test]
fn an_answer_after_the_cancel_is_nobodys() {
    let (mut rig, _) = waiting_rig(SPACE);
    let tag = rig.port.only_waiting();
    rig.write(0x18, GO | PASID);
    assert!(!rig.device.resolved(tag, true, &mut rig.port));
    assert!(!rig.device.resolved(tag, false, &mut rig.port));
    assert_eq!(rig.device.counters().resumed, 0);
}

#[test]
fn cancel_of_another_pasid_touches_nothing() {
    let (mut rig, _) = waiting_rig(SPACE);
    rig.write(0x18, GO | 6);
    rig.write(0x18, GO | NO_PASID);
    rig.write(0x18, PASID);
    assert_eq!(rig.port.waiting.len(), 1);
}

#[test]
fn cancel_of_a_ring_in_the_pasid() {
    let mut rig = Rig::new();
    rig.start(0, SPACE);
    rig.port.set(SPACE, DST, Behaviour::Stall);
    rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.run();
    rig.write(0x18, GO | PASID);
    rig.run();
    assert_eq!(rig.status(0), 4 | 10 << 8);
    assert_eq!(rig.record(0, 0), None);
    assert_eq!(rig.device.counters().dma_writes, 0);
}

#[test]
fn cancel_of_everything() {
    let (mut rig, index) = waiting_rig(SPACE);
    let queued = rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.write(0x18, GO | ALL);
    let after = rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.run();
    assert_eq!(rig.record(0, index).unwrap().status, 4);
    assert_eq!(rig.record(0, queued).unwrap().status, 4, "offered before");
    assert_eq!(rig.record(0, after).unwrap().status, 1, "offered after");
    assert_eq!(rig.read(0x24), 0, "no PASID is halted");
    rig.check_counters();
}

#[test]
fn cancel_of_everything_takes_a_waiting_ring() {
    let mut rig = Rig::new();
    rig.port.set(None, RING, Behaviour::Stall);
    rig.offer(0, descriptor(Opcode::Nop, 0, 0, 0));
    rig.run();
    rig.write(0x18, GO | ALL);
    assert_eq!(rig.status(0), 4 | 10 << 8);
    rig.check_counters();
}

#[test]
fn cancel_of_requests_without_pasid() {
    let (mut rig, index) = waiting_rig(None);
    let with = rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    let plain = descriptor(Opcode::Fill, 0, DST, 8);
    let without = rig.offer(0, Descriptor { control: plain.control.with_pasid_valid(0), ..plain });
    rig.write(0x18, GO | NO_PASID);
    assert!(rig.port.waiting.is_empty());
    rig.run();
    assert_eq!(rig.record(0, index).unwrap().status, 4);
    assert_eq!(rig.record(0, with).unwrap().status, 1);
    assert_eq!(rig.record(0, without).unwrap().status, 4);
}

#[test]
fn stop_gives_up_the_descriptor_and_run_takes_it_again() {
    let (mut rig, index) = waiting_rig(SPACE);
    rig.write(engine(0, 0x00), 0);
    assert_eq!(rig.status(0), 0);
    rig.check_counters();
    rig.run();
    assert_eq!((rig.record(0, index), rig.head(0)), (None, 0));
    rig.port.clear(SPACE, DST + PAGE);
    rig.write(engine(0, 0x00), 1);
    rig.run();
    assert_eq!(rig.record(0, index).unwrap().bytes, 2 * PAGE);
}

#[test]
fn engine_reset() {
    let (mut rig, _) = waiting_rig(SPACE);
    rig.write(engine(0, 0x34), 1);
    assert_eq!((rig.status(0), rig.head(0), rig.read(engine(0, 0x1c))), (0, 0, 0));
    assert_eq!(rig.device.read(engine(0, 0x08), 8), RING, "the ring stays");
    rig.check_counters();
}

#[test]
fn device_reset() {
    let (mut rig, _) = waiting_rig(SPACE);
    rig.write(0x14, !0);
    rig.write(0x18, GO | 77);
    rig.write(0x0c, 2);
    assert!(rig.port.waiting.is_empty());
    assert!(rig.port.cancelled.len() == 1);
    let mut fresh = Device::new(Config::default());
    fresh.shared.last_tag = rig.device.shared.last_tag;
    assert_eq!(rig.device.save(), fresh.save());
    assert_eq!(rig.read(0x0c), 1);
    rig.check_counters();
}

#[test]
fn a_killed_pasid_writes_nothing_into_its_next_owner() {
    let mut rig = Rig::new();
    rig.start(1, None);
    for page in 0..64 {
        rig.port.set(SPACE, DST + page * PAGE, Behaviour::Stall);
    }
    for number in 0..2 {
        for _ in 0..8 {
            let copy = descriptor(Opcode::Fill, 0, DST, 64 * PAGE);
            rig.offer(number, Descriptor { operand0: !0, ..copy });
        }
    }
    // Some pages in, the process dies: its fault is answered with an abort.
    for page in 0..5 {
        rig.run();
        rig.port.clear(SPACE, DST + page * PAGE);
        let tags: Vec<u64> = rig.port.waiting.keys().copied().collect();
        for tag in tags {
            rig.answer(tag, true);
        }
    }
    rig.run();
    let tag = *rig.port.waiting.keys().next().unwrap();
    rig.answer(tag, false);
    // The next owner's memory, all of it there.
    rig.port.behaviour.clear();
    rig.port.memory.retain(|(pasid, _), _| *pasid != SPACE);
    rig.port.log.clear();
    rig.run();
    assert!(rig.port.log.iter().all(|(request, _)| request.pasid != SPACE));
    assert!(rig.port.memory.keys().all(|(pasid, _)| *pasid != SPACE));
    assert_eq!((rig.head(0), rig.head(1)), (8, 8));
    rig.check_counters();
}
