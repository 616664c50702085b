// SPDX-License-Identifier: GPL-2.0-or-later
//! Fault recording and fault events.

use super::*;

const PPF: u32 = 1 << 1;
const PFO: u32 = 1 << 0;

fn request_of(stream: u32, addr: u64) -> DmaRequest {
    DmaRequest { stream, ..request(addr) }
}

/// A fault of a requester of that number.
fn fault_of(rig: &Rig, stream: u32) -> Vec<Effect> {
    let (outcome, effects) = rig.vtd.translate(&rig.mem, &request_of(stream, 0x7000), true);
    assert_eq!(outcome, Outcome::Aborted);
    effects.0
}

fn clear(rig: &Rig, number: u64) -> Vec<Effect> {
    rig.write(0x22c + 16 * number, 1 << 31)
}

#[test]
fn one_fault() {
    let rig = Rig::new();
    assert_eq!(rig.translate(0x1234_5678), (Outcome::Aborted, vec![msi(FAULT_MSI)]));
    assert_eq!(rig.read(reg::FSTS), PPF);
    // F, read (T1), PASID 3, reason 71h, PP, source 18h.
    let high = 1 << 63 | 1 << 62 | 3 << 40 | 0x71 << 32 | 1 << 31 | 0x18;
    assert_eq!(rig.record(0), [0x1234_5000, high]);
    // Nothing but F can be written, and only by 1.
    rig.write64(0x220, 0);
    rig.write64(0x228, 0);
    assert_eq!(rig.record(0), [0x1234_5000, high]);
    rig.write(reg::FSTS, u32::MAX);
    assert_eq!(rig.read(reg::FSTS), PPF, "PPF follows the records");
    clear(&rig, 0);
    assert_eq!((rig.record(0)[1], rig.read(reg::FSTS)), (high & !(1 << 63), 0));
    assert_eq!(rig.vtd.stats().fault_records, 1);
}

#[test]
fn not_recorded() {
    let rig = Rig::new();
    rig.fault(FaultReason::FirstStageNotPresent, false);
    assert_eq!(rig.translate(0x1000), (Outcome::Aborted, vec![]));
    assert_eq!((rig.read(reg::FSTS), rig.record(0)), (0, [0, 0]));
}

#[test]
fn registers_fill_in_turn_and_overflow() {
    let rig = Rig::new();
    assert_eq!(fault_of(&rig, 1), [msi(FAULT_MSI)]);
    for stream in 2..=8 {
        assert_eq!(fault_of(&rig, stream), [], "one message until there is none left");
    }
    assert_eq!(rig.read(reg::FSTS), PPF);
    assert_eq!(fault_of(&rig, 9), []);
    assert_eq!(rig.read(reg::FSTS), PPF | PFO);
    // Software takes them all, but while the overflow flag is set nothing new comes in.
    for number in 0..8 {
        assert_eq!(rig.record(number)[1] & 0xffff, number + 1);
        clear(&rig, number);
    }
    assert_eq!(rig.read(reg::FSTS), PFO);
    assert_eq!(fault_of(&rig, 10), []);
    assert_eq!(rig.read(reg::FSTS), PFO);
    rig.write(reg::FSTS, PFO);
    assert_eq!(fault_of(&rig, 11), [msi(FAULT_MSI)]);
    assert_eq!(rig.read(reg::FSTS), PPF, "FRI 0: it goes on where it was");
    assert_eq!(rig.record(0)[1] & 0xffff, 11);
    let stats = rig.vtd.stats();
    assert_eq!((stats.fault_records, stats.faults_dropped), (9, 2));
}

#[test]
fn the_index_is_of_the_first() {
    let rig = Rig::new();
    for stream in 1..=3 {
        fault_of(&rig, stream);
    }
    for number in 0..3 {
        clear(&rig, number);
    }
    assert_eq!(fault_of(&rig, 4), [msi(FAULT_MSI)]);
    assert_eq!(rig.read(reg::FSTS), 3 << 8 | PPF);
    fault_of(&rig, 5);
    assert_eq!(rig.read(reg::FSTS), 3 << 8 | PPF);
}

#[test]
fn a_storm_of_one_requester_leaves_room_for_others() {
    let rig = Rig::new();
    for page in 0..100 {
        rig.translate(page << 12);
    }
    fault_of(&rig, 9);
    assert_eq!(rig.read(reg::FSTS), PPF);
    assert_eq!((rig.record(0)[1] & 0xffff, rig.record(1)[1] & 0xffff), (0x18, 9));
    // Another reason is another fault.
    rig.fault(FaultReason::ScalableWrite, true);
    rig.translate(0);
    assert_eq!(rig.record(2)[1] >> 32 & 0xff, 0x85);
    assert_eq!(rig.vtd.stats().faults_dropped, 99);
}

#[test]
fn masked_messages_are_kept() {
    let rig = Rig::new();
    rig.write(reg::FECTL, 1 << 31);
    assert_eq!(fault_of(&rig, 1), []);
    assert_eq!(rig.read(reg::FECTL), 0b11 << 30);
    assert_eq!(rig.write(reg::FECTL, 0), [msi(FAULT_MSI)]);
    assert_eq!(rig.write(reg::FECTL, 0), [], "once");
    // Dealt with before software unmasks: dropped.
    clear(&rig, 0);
    rig.write(reg::FECTL, 1 << 31);
    fault_of(&rig, 2);
    clear(&rig, 1);
    assert_eq!(rig.read(reg::FECTL), 1 << 31);
    assert_eq!(rig.write(reg::FECTL, 0), []);
}

#[test]
fn messages_of_a_unit_with_extended_interrupts_have_64_bit_addresses() {
    let rig = Rig::new();
    rig.write(reg::FECTL + 0xc, 0x1234_5600);
    assert_eq!(fault_of(&rig, 1), [msi((0x1234_5600_fee0_1000, 0x31))]);
    let rig = Rig::with(Features { eim: false, ..Features::default() });
    rig.write(reg::FECTL + 0xc, 0x1234_5600);
    assert_eq!(fault_of(&rig, 1), [msi(FAULT_MSI)]);
}

#[test]
fn other_threads_report_by_the_inbox() {
    let rig = Rig::new();
    let (outcome, effects) = rig.vtd.translate(&rig.mem, &request(0x5000), false);
    assert_eq!((outcome, effects.0.len()), (Outcome::Aborted, 0));
    assert_eq!(rig.read(reg::FSTS), 0);
    assert!(rig.vtd.needs_run());
    assert_eq!(rig.run(), [msi(FAULT_MSI)]);
    assert_eq!((rig.read(reg::FSTS), rig.record(0)[0]), (PPF, 0x5000));
    // A wait comes after the faults of what ended before it.
    clear(&rig, 0);
    let mut rig = rig;
    let _ = rig.vtd.translate(&rig.mem, &request(0x6000), false);
    assert_eq!(rig.submit(&[wait(1)]), [msi(FAULT_MSI), status(1)]);
    // What does not fit is an overflow.
    clear(&rig, 1);
    for page in 0..INBOX + 1 {
        let _ = rig.vtd.translate(&rig.mem, &request((page as u64) << 12), false);
    }
    rig.run();
    assert_eq!(rig.read(reg::FSTS) & 0xff, PPF | PFO);
}
