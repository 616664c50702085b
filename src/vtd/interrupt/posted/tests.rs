// SPDX-License-Identifier: GPL-2.0-or-later
//! Every field of entries and descriptors for posted interrupts, and what becomes of them when others write, too.

use super::super::tests::{addr, gate, memory};
use super::super::{Remapped, remap};
use super::*;
use crate::iommu::testing::TestMemory;

const DESCRIPTOR: u64 = 0x1_2345_6780;
const CONTROL: u64 = DESCRIPTOR + POSTED_REQUESTS;
const PRESENT: u64 = 1 | 1 << 15;

/// An entry for a vector, with that descriptor.
fn entry(vector: u64) -> [u64; 2] {
    [PRESENT | vector << 16 | (DESCRIPTOR & 0xffff_ffc0) << 32, DESCRIPTOR >> 32 << 32]
}

fn through(mem: &TestMemory, extended: bool) -> Result<Option<Interrupt>, FaultReason> {
    let f = Features::default();
    let outcome =
        remap(mem, &(), &f, gate(extended), 0x1234.into(), (addr(7), 0)).and_then(|outcome| match outcome {
            Remapped::Posted(posting) => posting.post(mem),
            other => panic!("{other:?}"),
        });
    outcome.map_err(|blocked| {
        assert_eq!((blocked.entry, blocked.record), (7, true));
        blocked.reason
    })
}

#[test]
fn a_vector_is_noted_and_its_owner_told_once() {
    for vector in [0, 63, 64, 0xa5, 255] {
        let mem = memory(entry(vector));
        mem.put(CONTROL, 0x8765_4321 << 32 | 0xf2 << 16);
        let notification = through(&mem, true).unwrap().unwrap();
        assert_eq!(notification.message(), (0x8765_4300_fee2_1000, 0xf2));
        let words: Vec<u64> = (0..4).map(|word| mem.get(DESCRIPTOR + 8 * word)).collect();
        let mut expected = vec![0; 4];
        expected[(vector / 64) as usize] = 1 << (vector % 64);
        assert_eq!(words, expected);
        assert_eq!(mem.get(CONTROL), 0x8765_4321 << 32 | 0xf2 << 16 | 1);
        assert_eq!(through(&mem, true), Ok(None), "outstanding");
    }
}

#[test]
fn eight_bit_destinations() {
    let mem = memory(entry(0x31));
    mem.put(CONTROL, 0x4500 << 32 | 0xf2 << 16);
    assert_eq!(through(&mem, false).unwrap().unwrap().message(), (0xfee4_5000, 0xf2));
    for bit in (32..40).chain(48..64) {
        mem.put(CONTROL, 1 << bit);
        assert_eq!(through(&mem, false), Err(FaultReason::PostedDescriptorReserved), "{bit}");
    }
}

#[test]
fn not_to_be_notified_but_for_urgent_ones() {
    let mem = memory(entry(0x31));
    mem.put(CONTROL, 0b10);
    assert_eq!(through(&mem, true), Ok(None));
    assert_eq!((mem.get(DESCRIPTOR), mem.get(CONTROL)), (1 << 0x31, 0b10), "noted, not outstanding");
    let [low, high] = entry(0x32);
    let mem = memory([low | 1 << 14, high]);
    mem.put(CONTROL, 0b10);
    assert!(through(&mem, true).unwrap().is_some());
    assert_eq!(mem.get(CONTROL), 0b11);
    assert_eq!(through(&mem, true), Ok(None));
}

#[test]
fn reserved_bits_of_entries() {
    let good = entry(0x31);
    let low_bits = (2..=7).chain(12..=13).chain(24..=37).map(|bit| [good[0] | 1 << bit, good[1]]);
    // 48 bits of physical address.
    let high_bits = (20..=31).chain(48..64).map(|bit| [good[0], good[1] | 1 << bit]);
    for entry in low_bits.chain(high_bits).chain([[good[0], good[1] | 3 << 18]]) {
        assert_eq!(through(&memory(entry), true), Err(FaultReason::IrteReserved), "{entry:x?}");
    }
    for bit in 8..=11 {
        assert!(through(&memory([good[0] | 1 << bit, good[1]]), true).is_ok());
    }
}

#[test]
fn descriptors_that_cannot_be() {
    for bit in (256 + 2..256 + 16).chain(256 + 24..256 + 32).chain(320..512) {
        let mem = memory(entry(0x31));
        mem.put(DESCRIPTOR + bit / 64 * 8, 1 << (bit % 64));
        assert_eq!(through(&mem, true), Err(FaultReason::PostedDescriptorReserved), "{bit}");
        assert_eq!(mem.updates(), 0, "nothing was noted");
    }
    let mem = memory(entry(0x31));
    mem.hole(DESCRIPTOR..DESCRIPTOR + 64);
    assert_eq!(through(&mem, true), Err(FaultReason::PostedDescriptorAccess));
}

#[test]
fn sources_are_verified_first() {
    let [low, high] = entry(0x31);
    let mem = memory([low, high | 1 << 18 | 0x1235]);
    assert_eq!(through(&mem, true), Err(FaultReason::InterruptSource));
    assert_eq!(mem.updates(), 0);
}

#[test]
fn others_write_at_the_same_time() {
    let mem = memory(entry(0x31));
    mem.put(CONTROL, 0xf2 << 16);
    // Another vector, and a software that moves to another CPU, which wants to hear of this.
    mem.race(DESCRIPTOR, 1 << 9);
    mem.race(CONTROL, 0x55 << 32 | 0xf3 << 16);
    assert_eq!(through(&mem, true).unwrap().unwrap().message(), (0xfee5_5000, 0xf3));
    assert_eq!(mem.get(DESCRIPTOR), 1 << 9 | 1 << 0x31);
    // Another interrupt notifies just before this one does.
    mem.put(CONTROL, 0xf2 << 16);
    mem.race(CONTROL, 0xf2 << 16 | 1);
    assert_eq!(through(&mem, true), Ok(None));
    // Nobody is waited for without end.
    mem.put(CONTROL, 0xf2 << 16);
    for n in 0..u64::from(TRIES) {
        mem.race(CONTROL, 0xf2 << 16 | (n % 2 + 1) << 32);
    }
    assert_eq!(through(&mem, true), Err(FaultReason::PostedDescriptorAccess));
}
