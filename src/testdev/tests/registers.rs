// SPDX-License-Identifier: GPL-2.0-or-later
//! Registers, interrupts, and what a saved state may say.

use super::*;
use crate::testdev::state::LoadError;

#[test]
fn identity() {
    let mut rig = Rig::new();
    assert_eq!(rig.read(0), 0x5356_4154);
    assert_eq!(rig.read(4), 0x0001_0001);
    let caps = 4 | 20 << 8 | 1 << 13 | 1 << 14 | 1 << 16 | 1 << 17 | 128 << 20;
    assert_eq!(rig.read(8), caps);
    rig.device.set_can_wait(true);
    assert_eq!(rig.read(8), caps | 1 << 15);
    let none = Rig::with(Config { pasid_bits: 0, engines: 1, pri: false, ..Config::default() });
    assert_eq!(none.read(8), 1 | 1 << 13 | 128 << 20, "no flags without PASID");
    rig.write(0x20, 0xdead_beef);
    assert_eq!(rig.read(0x20), 0xdead_beef);
}

#[test]
fn ring_registers_are_locked_while_running() {
    let mut rig = Rig::new();
    let ring = engine(0, 0x08);
    rig.write64(ring, 0x1000);
    assert_eq!(rig.device.read(ring, 8), RING);
    assert!(rig.device.write(ring, 0x1000, 8, &mut rig.port).mistake.is_some());
    rig.write(engine(0, 0x00), 0);
    rig.write(ring, 0x1234_56ff);
    rig.write(ring + 4, 0xabcd);
    assert_eq!(rig.device.read(ring, 8), 0xabcd_1234_56c0);
    assert_eq!(rig.read(ring + 4), 0xabcd);
    rig.write(engine(0, 0x10), 13);
    assert_eq!(rig.read(engine(0, 0x10)), 4);
    rig.write(engine(0, 0x30), 1);
    assert_eq!(rig.read(engine(0, 0x30)), 4096);
    rig.write(engine(0, 0x30), !0);
    assert_eq!(rig.read(engine(0, 0x30)), 1 << 20);
    rig.write(engine(0, 0x20), 3);
    assert_eq!(rig.read(engine(0, 0x20)), 0);
}

#[test]
fn pasids_keep_to_their_width() {
    let mut rig = Rig::with(Config { pasid_bits: 8, ..Config::default() });
    rig.write(engine(0, 0x00), 0);
    rig.write(engine(0, 0x14), 1 << 31 | 256);
    assert_eq!(rig.read(engine(0, 0x14)), 0);
    rig.write(engine(0, 0x14), 1 << 31 | 255);
    assert_eq!(rig.read(engine(0, 0x14)), 1 << 31 | 255);
}

#[test]
fn one_message_for_a_bit_that_comes_up() {
    let mut rig = Rig::new();
    let nop = descriptor(Opcode::Nop, 0, 0, 0);
    rig.complete(nop);
    assert_eq!(rig.read(0x10), 0, "only on demand");
    let loud = Descriptor { control: nop.control.with_interrupt(1), ..nop };
    rig.complete(loud);
    assert_eq!(rig.read(0x10), 1);
    assert!(!rig.device.take_interrupt(), "masked");
    rig.write(0x14, 1);
    assert!(rig.device.take_interrupt(), "unmasked");
    rig.complete(loud);
    assert!(!rig.device.take_interrupt(), "the bit is up already");
    rig.write(0x10, 1);
    assert_eq!(rig.read(0x10), 0);
    rig.complete(loud);
    assert!(rig.device.take_interrupt());
}

#[test]
fn disabled_engines_rest() {
    let mut rig = Rig::new();
    rig.write(0x0c, 0);
    let index = rig.offer(0, descriptor(Opcode::Nop, 0, 0, 0));
    rig.run();
    assert_eq!(rig.record(0, index), None);
    rig.write(0x0c, 1);
    rig.run();
    assert_eq!(rig.record(0, index).unwrap().status, 1);
}

#[test]
fn state_of_another_device() {
    let state = Device::new(Config::default()).save();
    let mut other = Device::new(Config { pasid_bits: 8, ..Config::default() });
    let error = other.load(&state).unwrap_err();
    assert_eq!(error, LoadError::Property { name: "pasid-bits", saved: 20, here: 8 });
    let mut device = Device::new(Config::default());
    assert_eq!(device.load(&state[..state.len() - 1]), Err(LoadError::Size));
    let mut long = state.clone();
    long.push(0);
    assert_eq!(device.load(&long), Err(LoadError::Size));
    assert_eq!(device.load(&[9, 0, 0, 0]), Err(LoadError::Version(9)));
}

#[test]
fn a_damaged_state_does_no_harm() {
    let mut rig = Rig::new();
    rig.port.set(SPACE, DST, Behaviour::Stall);
    let copy = descriptor(Opcode::Copy, SRC, DST, 8192);
    rig.offer(0, copy);
    rig.run();
    let state = rig.device.save();
    // Ends before the lists and buffers, whose content is free.
    for at in 0..state.len().min(640) {
        for value in [0, 1, 0x80, 0xff] {
            let mut damaged = state.clone();
            damaged[at] = value;
            if rig.device.load(&damaged).is_ok() {
                rig.port.waiting.clear();
                for (pasid, tag) in rig.device.waiting().collect::<Vec<_>>() {
                    let request = Request { pasid, addr: 0, access: Default::default(), tag };
                    rig.port.waiting.insert(tag, request);
                    rig.answer(tag, true);
                }
                let _ = rig.device.tick(&mut rig.port);
            }
        }
    }
}
