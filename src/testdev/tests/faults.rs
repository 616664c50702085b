// SPDX-License-Identifier: GPL-2.0-or-later
//! Page faults at every step of a descriptor, in modes 0 and 2, and what an abort does.

use super::*;
use crate::testdev::port::PortError;

/// A descriptor that has every step: lists on both sides.
fn everything(rig: &mut Rig) -> (Descriptor, Vec<u8>) {
    let data = pattern(3 * 4096);
    rig.port.poke(SPACE, SRC, &data);
    rig.port.poke(SPACE, 0x40_0000, &list(&[(SRC, 3 * 4096)]));
    rig.port.poke(SPACE, 0x41_0000, &list(&[(DST, 4096), (DST + 4096, 2 * 4096)]));
    let copy = descriptor(Opcode::Copy, 0x40_0000, 0x41_0000, 0);
    let control = copy.control.with_src_list(1).with_dst_list(1);
    (Descriptor { control, target: copy.target.with_list_entries(1), ..copy }, data)
}

/// Lists of one and of two entries must have the same count: pads the first.
fn two_entries(rig: &mut Rig, descriptor: Descriptor) -> Descriptor {
    rig.port.poke(SPACE, 0x40_0000, &list(&[(SRC, 3 * 4096), (0, 0)]));
    Descriptor { target: descriptor.target.with_list_entries(2), ..descriptor }
}

const STEPS: [(Option<u32>, u64); 7] = [
    (None, RING),
    (SPACE, 0x40_0000),
    (SPACE, 0x41_0000),
    (SPACE, SRC + 4096),
    (SPACE, DST),
    (SPACE, DST + 2 * 4096),
    (None, RECORDS),
];

#[test]
fn a_stall_at_any_step_is_waited_out() {
    for migrate in [false, true] {
        for (space, addr) in STEPS {
            let mut rig = Rig::new();
            let (descriptor, data) = everything(&mut rig);
            let descriptor = two_entries(&mut rig, descriptor);
            let index = rig.offer(0, descriptor);
            rig.port.set(space, addr, Behaviour::Stall);
            rig.run();
            assert_eq!(rig.status(0) & 7, 3, "running and waiting at {addr:#x}");
            assert_eq!(rig.record(0, index), None);
            let tag = rig.port.only_waiting();
            rig.run();
            assert_eq!(rig.port.only_waiting(), tag, "waits quietly");
            if migrate {
                rig.migrate(Config::default());
                assert_eq!(rig.device.waiting().collect::<Vec<_>>(), [(space, tag)]);
            }
            // Told to try again too early: it waits again, under a new name.
            rig.answer(tag, true);
            rig.run();
            let again = rig.port.only_waiting();
            assert_ne!(again, tag);
            rig.port.clear(space, addr);
            rig.answer(again, true);
            rig.run();
            let done = rig.record(0, index).unwrap();
            assert_eq!((done.status, done.bytes), (1, 3 * 4096), "{addr:#x}");
            assert_eq!(rig.port.peek(SPACE, DST, 3 * 4096), data);
            let counters = rig.device.counters();
            assert_eq!((counters.stalls, counters.resumed, counters.faults), (2, 2, 0));
            rig.check_counters();
        }
    }
}

#[test]
fn a_fault_a_page() {
    let mut rig = Rig::new();
    let data = pattern(64 * 4096);
    rig.port.poke(SPACE, SRC, &data);
    for page in 0..64 {
        rig.port.set(SPACE, DST + page * PAGE, Behaviour::Stall);
    }
    rig.offer(0, descriptor(Opcode::Copy, SRC, DST, 64 * 4096));
    for page in 0..64 {
        rig.run();
        let tag = rig.port.only_waiting();
        assert_eq!(rig.port.waiting[&tag].addr, DST + page * PAGE);
        rig.port.clear(SPACE, DST + page * PAGE);
        rig.answer(tag, true);
    }
    rig.run();
    assert_eq!(rig.port.peek(SPACE, DST, data.len()), data);
    assert_eq!(rig.device.counters().stalls, 64);
    assert_eq!(rig.device.counters().dma_reads, 1 + 64, "what was read is not read again");
}

#[test]
fn an_abort_in_the_data_completes_with_what_was_done() {
    for (addr, bytes) in [(SRC + 4096, 4096), (DST, 0), (DST + 2 * 4096, 8192)] {
        let mut rig = Rig::new();
        rig.port.set(SPACE, addr, Behaviour::Stall);
        let index = rig.offer(0, descriptor(Opcode::Copy, SRC, DST, 3 * 4096));
        let later = rig.offer(0, descriptor(Opcode::Fill, 0, DST, 4096));
        rig.run();
        let tag = rig.port.only_waiting();
        rig.answer(tag, false);
        rig.run();
        let cause = Cause::Aborted as u32;
        let expected = Done { status: 3, cause, result: 0, fault_addr: addr, bytes };
        assert_eq!(rig.record(0, index), Some(expected));
        assert_eq!(rig.read(0x24), 1, "one PASID is halted");
        let expected =
            Done { status: 3, cause: Cause::PasidHalted as u32, result: 0, fault_addr: 0, bytes: 0 };
        assert_eq!(rig.record(0, later), Some(expected));
        assert_eq!(rig.status(0) & 7, 1, "the engine lives on");
        let counters = *rig.device.counters();
        assert_eq!((counters.aborted, counters.faults), (1, 1));
        rig.check_counters();

        rig.port.clear(SPACE, addr);
        rig.write(0x1c, PASID | 1 << 31);
        assert_eq!(rig.read(0x24), 0);
        assert_eq!(rig.complete(descriptor(Opcode::Copy, SRC, DST, 3 * 4096)).status, 1);
    }
}

#[test]
fn an_abort_of_a_list_fetch() {
    let mut rig = Rig::new();
    let (descriptor, _) = everything(&mut rig);
    rig.port.set(SPACE, 0x41_0000, Behaviour::Stall);
    let index = rig.offer(0, descriptor);
    rig.run();
    rig.answer(rig.port.only_waiting(), false);
    rig.run();
    let done = rig.record(0, index).unwrap();
    assert_eq!((done.status, done.cause, done.fault_addr), (3, 2, 0x41_0000));
}

#[test]
fn an_abort_of_the_ring_halts_the_engine() {
    let mut rig = Rig::new();
    rig.write(0x14, 1);
    rig.port.set(None, RING, Behaviour::Stall);
    rig.offer(0, descriptor(Opcode::Nop, 0, 0, 0));
    rig.run();
    rig.answer(rig.port.only_waiting(), false);
    rig.run();
    assert_eq!(rig.status(0), 4 | 2 << 8);
    assert_eq!(rig.read(engine(0, 0x24)), 2);
    assert_eq!(rig.device.read(engine(0, 0x28), 8), RING);
    assert_eq!(rig.head(0), 0);
    assert_eq!(rig.read(0x24), 0, "no PASID, none halted");
    assert_eq!(rig.read(0x10), 1, "the halt is signalled");
    assert!(rig.device.take_interrupt());
    // Started again, it takes the same descriptor.
    rig.port.clear(None, RING);
    rig.write(engine(0, 0x00), 1);
    rig.run();
    assert_eq!(rig.record(0, 0).unwrap().status, 1);
    assert_eq!(rig.status(0) & 7, 1);
}

#[test]
fn an_abort_of_a_record_halts_the_engine_past_the_descriptor() {
    let mut rig = Rig::new();
    rig.port.set(None, RECORDS, Behaviour::Stall);
    rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.run();
    rig.answer(rig.port.only_waiting(), false);
    rig.run();
    assert_eq!(rig.status(0) & 7, 4);
    assert_eq!(rig.head(0), 1, "what is done is not done twice");
    assert_eq!(rig.record(0, 0), None);
}

#[test]
fn an_abort_reaches_every_engine_of_the_pasid() {
    let mut rig = Rig::new();
    rig.start(1, None);
    rig.start(2, SPACE);
    rig.start(3, None);
    for number in 0..3u64 {
        rig.port.set(SPACE, DST + number * PAGE, Behaviour::Stall);
        rig.offer(number, descriptor(Opcode::Fill, 0, DST + number * PAGE, 8));
    }
    let other = Descriptor { target: Target::from(6), ..descriptor(Opcode::Fill, 0, DST, 8) };
    rig.port.set(Some(6), DST, Behaviour::Stall);
    rig.offer(3, other);
    rig.run();
    assert_eq!(rig.port.waiting.len(), 4);
    let first = *rig.port.waiting.iter().find(|(_, request)| request.addr == DST + PAGE).unwrap().0;
    rig.answer(first, false);
    rig.check_counters();
    assert_eq!(rig.port.waiting.len(), 1, "the other PASID still waits");
    let writes = rig.device.counters().dma_writes;
    rig.run();
    assert_eq!(rig.record(1, 0).unwrap().cause, 2);
    let done = rig.record(0, 0).unwrap();
    assert_eq!((done.status, done.cause, done.fault_addr), (3, 9, DST));
    assert_eq!(rig.status(2), 4 | 9 << 8, "its ring is in the PASID");
    assert_eq!(rig.record(2, 0), None);
    assert_eq!(rig.device.counters().dma_writes, writes + 4, "two records and nothing else");
    assert_eq!(rig.status(3) & 7, 3);
}

#[test]
fn an_abort_with_the_ring_in_the_pasid_says_what_happened() {
    let mut rig = Rig::new();
    rig.start(0, SPACE);
    rig.port.set(SPACE, DST, Behaviour::Stall);
    rig.offer(0, descriptor(Opcode::Fill, 0, DST, 8));
    rig.run();
    rig.answer(rig.port.only_waiting(), false);
    rig.run();
    assert_eq!(rig.status(0), 4 | 2 << 8);
    assert_eq!(rig.device.read(engine(0, 0x28), 8), DST);
    assert_eq!(rig.record(0, 0), None);
    // Started without REARM it halts again.
    rig.write(engine(0, 0x00), 1);
    rig.offer(0, descriptor(Opcode::Nop, 0, 0, 0));
    rig.run();
    assert_eq!(rig.status(0), 4 | 9 << 8);
}

#[test]
fn report_mode_fails_at_once() {
    let mut rig = Rig::new();
    rig.write(engine(0, 0x20), 2);
    rig.port.set(SPACE, DST + 4096, Behaviour::Stall);
    let done = rig.complete(descriptor(Opcode::Fill, 0, DST, 8192));
    assert_eq!(done, Done { status: 3, cause: 1, result: 0, fault_addr: DST + 4096, bytes: 4096 });
    assert_eq!(rig.device.counters().stalls, 0);
    assert_eq!(rig.read(0x24), 0, "nothing is halted");
    assert_eq!(rig.read(engine(0, 0x24)), 1);
    assert_eq!(rig.device.read(engine(0, 0x28), 8), DST + 4096);
}

#[test]
fn causes_of_port_errors() {
    for (error, cause) in [
        (PortError::Refused, 1),
        (PortError::Memory, 5),
        (PortError::BusMasterOff, 6),
        (PortError::PasidDisabled, 7),
        (PortError::Unsupported, 11),
    ] {
        let mut rig = Rig::new();
        rig.port.set(SPACE, DST, Behaviour::Error(error));
        let done = rig.complete(descriptor(Opcode::Fill, 0, DST, 8));
        assert_eq!((done.status, done.cause), (3, cause), "{error:?}");
        assert_eq!(rig.read(0x24), 0);
    }
}

#[test]
fn malformed_descriptors() {
    let mut rig = Rig::new();
    let done =
        rig.complete(Descriptor { control: control(Opcode::Nop).with_opcode(99), ..Default::default() });
    assert_eq!((done.status, done.cause), (5, 8));
    assert_eq!(rig.complete(descriptor(Opcode::Copy, SRC, u64::MAX - 3, 8)).status, 5);
    assert_eq!(rig.status(0), 1 | 8 << 8, "the engine goes on");
    // Where no record can be written, it halts.
    rig.offer_as_is(0, Descriptor { completion: 4, ..Default::default() });
    rig.run();
    assert_eq!(rig.status(0), 4 | 8 << 8);
    assert_eq!(rig.head(0), 2);
}

#[test]
fn a_tail_beyond_the_ring() {
    let mut rig = Rig::new();
    rig.write(engine(0, 0x1c), 17);
    rig.run();
    assert_eq!(rig.status(0), 4 | 8 << 8);
    assert_eq!(rig.device.counters().descriptors, 0);
}
