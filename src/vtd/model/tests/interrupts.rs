// SPDX-License-Identifier: GPL-2.0-or-later
//! Interrupt remapping through the model; the rules are in `interrupt/tests.rs`.

use super::*;

const SOURCE: u16 = 0x18;

impl Rig {
    /// With a table of 256 entries, in extended mode.
    fn remapping() -> Self {
        let rig = Self::new();
        rig.start_remapping();
        rig
    }

    fn start_remapping(&self) {
        self.write64(reg::IRTA, INTERRUPTS | 0x800 | 7);
        self.write(reg::GCMD, 1 << 31 | 1 << 26 | 1 << 24);
        self.write(reg::GCMD, 1 << 31 | 1 << 26 | 1 << 25);
    }

    fn interrupt(&self, addr: u64, data: u32) -> (InterruptOutcome, Vec<Effect>) {
        let (outcome, effects) = self.vtd.remap_interrupt(&self.mem, SOURCE, (addr, data), true, true);
        (outcome, effects.0)
    }
}

/// A remappable request for an entry.
fn handle(number: u64) -> u64 {
    0xfee0_0000 | number << 5 | 1 << 4 | 1 << 3
}

#[test]
fn through_the_table() {
    let rig = Rig::remapping();
    // Vector 41h to x2APIC-ID 0x123, checked source.
    rig.mem.put_all(INTERRUPTS + 16 * 5, &[0x123 << 32 | 0x41 << 16 | 1, 1 << 18 | u64::from(SOURCE)]);
    let expected = InterruptOutcome::Deliver(0x100_fee2_3000, 0x41);
    assert_eq!(rig.interrupt(handle(5), 0), (expected, vec![]));
    assert_eq!(rig.interrupt(handle(3), 2), (expected, vec![]), "handle and subhandle");
    let (outcome, _) = rig.vtd.remap_interrupt(&rig.mem, SOURCE, (handle(5), 0), false, false);
    assert_eq!(outcome, expected);
    assert_eq!(rig.vtd.stats().interrupts_remapped, 2, "asking is not counted");
}

#[test]
fn a_forged_requester_is_refused_and_reported() {
    let rig = Rig::remapping();
    rig.mem.put_all(INTERRUPTS + 16 * 5, &[0x41 << 16 | 1, 1 << 18 | 0x20]);
    assert_eq!(rig.interrupt(handle(5), 0), (InterruptOutcome::Blocked, vec![msi(FAULT_MSI)]));
    assert_eq!(rig.record(0), [5 << 48, 1 << 63 | 0x26 << 32 | u64::from(SOURCE)]);
    rig.mem.put_all(INTERRUPTS + 16 * 6, &[0x41 << 16 | 0b11, 1 << 18 | 0x20]);
    assert_eq!(rig.interrupt(handle(6), 0), (InterruptOutcome::Blocked, vec![]), "FPD");
    let quiet = rig.vtd.remap_interrupt(&rig.mem, SOURCE, (handle(5), 0), false, true);
    assert_eq!((quiet.0, quiet.1.0), (InterruptOutcome::Blocked, vec![]));
    assert_eq!(rig.vtd.stats().interrupts_blocked, 2);
}

#[test]
fn off_and_compatibility() {
    let rig = Rig::new();
    let plain = (0xfee0_1004, 0x4021);
    let passes = (InterruptOutcome::Deliver(plain.0, plain.1), vec![]);
    assert_eq!(rig.interrupt(plain.0, plain.1), passes);
    assert_eq!(rig.interrupt(handle(5), 7).0, InterruptOutcome::Deliver(handle(5), 7), "off: not looked at");
    rig.write64(reg::IRTA, INTERRUPTS | 7);
    let held = 1 << 31 | 1 << 26;
    rig.write(reg::GCMD, held | 1 << 24);
    rig.write(reg::GCMD, held | 1 << 25);
    assert_eq!(rig.interrupt(plain.0, plain.1), (InterruptOutcome::Blocked, vec![msi(FAULT_MSI)]));
    assert_eq!(rig.record(0)[1] >> 32 & 0xff, 0x25);
    rig.write(reg::GCMD, held | 1 << 25 | 1 << 23);
    assert_eq!(rig.interrupt(plain.0, plain.1), passes);
    // In extended mode they are blocked whatever CFI says.
    rig.write64(reg::IRTA, INTERRUPTS | 0x800 | 7);
    rig.write(reg::GCMD, held | 1 << 25 | 1 << 24 | 1 << 23);
    assert_eq!(rig.interrupt(plain.0, plain.1).0, InterruptOutcome::Blocked);
}

#[test]
fn the_table_counts_when_it_is_taken_over() {
    let rig = Rig::remapping();
    rig.mem.put_all(INTERRUPTS, &[0x41 << 16 | 1, 0]);
    rig.write64(reg::IRTA, 0x1234_5000 | 7);
    assert!(matches!(rig.interrupt(handle(0), 0).0, InterruptOutcome::Deliver(..)));
    rig.write(reg::GCMD, 1 << 31 | 1 << 26 | 1 << 25 | 1 << 24);
    assert_eq!(rig.interrupt(handle(0), 0).0, InterruptOutcome::Blocked);
}

#[test]
fn posted() {
    let rig = Rig::remapping();
    let descriptor = 0x7_0000_0040;
    rig.mem.put_all(
        INTERRUPTS + 16 * 5,
        &[(descriptor & 0xffff_ffc0) << 32 | 0x41 << 16 | 1 << 15 | 1, 7 << 32 | 1 << 18 | u64::from(SOURCE)],
    );
    rig.mem.put(descriptor + 32, 3 << 32 | 0xf2 << 16);
    let (quiet, _) = rig.vtd.remap_interrupt(&rig.mem, SOURCE, (handle(5), 0), false, true);
    assert_eq!(quiet, InterruptOutcome::Blocked, "no message stands for it");
    assert_eq!(rig.mem.get(descriptor + 8), 0, "asking posts nothing");
    assert_eq!(rig.interrupt(handle(5), 0), (InterruptOutcome::Deliver(0xfee0_3000, 0xf2), vec![]));
    assert_eq!(rig.interrupt(handle(5), 0), (InterruptOutcome::Posted, vec![]));
    assert_eq!((rig.mem.get(descriptor + 8), rig.mem.get(descriptor + 32) & 1), (1 << 1, 1));
    let stats = rig.vtd.stats();
    assert_eq!((stats.interrupts_posted, stats.posted_notifications, stats.interrupts_remapped), (2, 1, 0));
    // Reserved bits of the descriptor are reported under the entry's number.
    rig.mem.put(descriptor + 40, 1);
    assert_eq!(rig.interrupt(handle(5), 0), (InterruptOutcome::Blocked, vec![msi(FAULT_MSI)]));
    assert_eq!(rig.record(0), [5 << 48, 1 << 63 | 0x28 << 32 | u64::from(SOURCE)]);
}

#[test]
fn without_posted_interrupts_such_an_entry_is_malformed() {
    let rig = Rig::with(Features { posted_interrupts: false, ..Features::default() });
    rig.start_remapping();
    rig.mem.put_all(INTERRUPTS + 16 * 5, &[0x41 << 16 | 1 << 15 | 1, 0]);
    assert_eq!(rig.interrupt(handle(5), 0).0, InterruptOutcome::Blocked);
    assert_eq!(rig.record(0)[1] >> 32 & 0xff, 0x24);
}

/// An adversarial unit goes by the entry as it was, until it is told and a wait descriptor asks.
#[test]
fn a_changed_entry_counts_after_its_invalidation() {
    for adversarial in [false, true] {
        let mut rig = Rig::with(Features { adversarial, ..Features::default() });
        rig.start_remapping();
        let set = |rig: &Rig, vector: u64| rig.mem.put_all(INTERRUPTS + 16 * 5, &[vector << 16 | 1, 0]);
        let vector = |rig: &Rig| match rig.interrupt(handle(5), 0).0 {
            InterruptOutcome::Deliver(_, data) => u64::from(data),
            other => panic!("{other:?}"),
        };
        set(&rig, 0x41);
        assert_eq!(vector(&rig), 0x41);
        set(&rig, 0x42);
        assert_eq!(vector(&rig), if adversarial { 0x41 } else { 0x42 });
        // Entry 4 and 5, and then nothing that waits for it.
        rig.submit(&[[1 << 27 | 4 << 32 | 1 << 4 | 4, 0, 0, 0]]);
        assert_eq!(vector(&rig), if adversarial { 0x41 } else { 0x42 });
        rig.submit(&[wait(1)]);
        rig.run();
        assert_eq!(vector(&rig), 0x42);
        set(&rig, 0x43);
        rig.submit(&[[4, 0, 0, 0], wait(2)]);
        rig.run();
        assert_eq!(vector(&rig), 0x43, "all of them");
    }
}
