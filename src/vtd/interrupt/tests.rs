// SPDX-License-Identifier: GPL-2.0-or-later
//! Every rule of interrupt remapping, with its fault reason.

use super::*;
use crate::iommu::testing::TestMemory;
use crate::vtd::leniency::Leniency;

const TABLE: u64 = 0x1000_0000;

/// A table of 512 entries.
pub(super) fn gate(extended: bool) -> InterruptGate {
    let gate = InterruptGate::default().with_enabled(1).with_table(TABLE >> 12).with_size(8);
    gate.with_extended(extended.into())
}

/// Without posted interrupts.
fn plain() -> Features {
    Features { posted_interrupts: false, ..Features::default() }
}

pub(super) fn addr(number: u64) -> u64 {
    0xfee0_0010 | (number & 0x7fff) << 5 | (number >> 15) << 2
}

pub(super) fn memory(entry: [u64; 2]) -> TestMemory {
    let mem = TestMemory::new();
    mem.put_all(TABLE + 16 * 7, &entry);
    mem
}

/// What becomes of a request for entry 7 of source 0x1234.
fn through(entry: [u64; 2], extended: bool) -> Result<Remapped, FaultReason> {
    remap(&memory(entry), &(), &plain(), gate(extended), 0x1234.into(), (addr(7), 0)).map_err(|blocked| {
        assert_eq!((blocked.entry, blocked.record), (7, true));
        blocked.reason
    })
}

#[test]
fn every_field_of_an_entry() {
    let entry = [0x0000_4500 << 32 | 0xa5 << 16 | 0xf << 8 | 5 << 5 | 0b1_1101, 0];
    let expected = Interrupt {
        vector: 0xa5,
        delivery_mode: 5,
        level: true,
        logical: true,
        redirection_hint: true,
        destination: 0x45,
    };
    assert_eq!(through(entry, false), Ok(Remapped::Interrupt(expected)));
    assert_eq!(expected.message(), (0xfee4_500c, 0xc5a5));
    let entry = [0x8765_4321 << 32 | 0x31 << 16 | 1, 0];
    let Ok(Remapped::Interrupt(interrupt)) = through(entry, true) else { panic!() };
    assert_eq!(interrupt.destination, 0x8765_4321);
    assert_eq!(interrupt.message(), (0x8765_4300_fee2_1000, 0x31));
}

#[test]
fn reserved_fields_and_values() {
    let good = [0x31 << 16 | 1, 0];
    assert!(through(good, false).is_ok());
    let low_bits = (12..=15).chain(24..=39).chain(48..64).map(|bit| [good[0] | 1 << bit, 0]);
    let high_bits = (20..64).map(|bit| [good[0], 1 << bit]);
    let values = [[good[0] | 3 << 5, 0], [good[0] | 6 << 5, 0], [good[0], 3 << 18]];
    for entry in low_bits.chain(high_bits).chain(values) {
        assert_eq!(through(entry, false), Err(FaultReason::IrteReserved), "{entry:x?}");
    }
    assert!(through([good[0] | 0xffff_ffff << 32, 0], true).is_ok());
}

#[test]
fn sources() {
    let verified = |qualifier: u64, sid: u64| through([1, 1 << 18 | qualifier << 16 | sid], false).is_ok();
    for (qualifier, ignored) in [(0, 0), (1, 0b100), (2, 0b110), (3, 0b111)] {
        for bit in 0..16u64 {
            let other = 0x1234 ^ 1 << bit;
            assert_eq!(verified(qualifier, other), 1 << bit & ignored != 0, "{qualifier} {bit}");
        }
        assert!(verified(qualifier, 0x1234));
    }
    for (first, last, within) in [
        (0x12, 0x12, true),
        (0, 0x12, true),
        (0x12, 0xff, true),
        (0x13, 0xff, false),
        (0, 0x11, false),
        (0x13, 0x11, false),
    ] {
        let entry = [1, 2 << 18 | first << 8 | last];
        let expected = if within { None } else { Some(FaultReason::InterruptSource) };
        assert_eq!(through(entry, false).err(), expected, "{first:#x} {last:#x}");
    }
}

#[test]
fn requests_that_cannot_be() {
    let mem = memory([1, 0]);
    let fault = |addr, data| {
        remap(&mem, &(), &plain(), gate(true), 0x1234.into(), (addr, data))
            .map_err(|blocked| (blocked.reason, blocked.entry))
    };
    assert_eq!(fault(addr(512), 0), Err((FaultReason::InterruptIndex, 512)));
    assert_eq!(fault(addr(0xffff), 0), Err((FaultReason::InterruptIndex, 0xffff)));
    assert_eq!(fault(addr(500) | 8, 12), Err((FaultReason::InterruptIndex, 512)));
    assert_eq!(fault(addr(0xffff) | 8, 0xffff), Err((FaultReason::InterruptIndex, 0xfffe)));
    assert_eq!(fault(addr(7) | 8, 0x1_0000), Err((FaultReason::InterruptReserved, 7)));
    assert!(fault(addr(7), 0x1_0000).is_ok(), "without subhandle the datum is the IOAPIC's");
    assert!(fault(addr(5) | 8, 2).is_ok());
    assert_eq!(fault(addr(8), 0), Err((FaultReason::IrteNotPresent, 8)));
    assert_eq!(fault(0xfed0_0010, 0), Err((FaultReason::InterruptReserved, 0)));
    mem.hole(TABLE..TABLE + 4096);
    assert_eq!(fault(addr(7), 0), Err((FaultReason::IrteAccess, 7)));
    // Present or not, the entry says whether its faults are recorded.
    let mem = memory([0b10, 0]);
    let blocked = remap(&mem, &(), &plain(), gate(true), 0x1234.into(), (addr(7), 0)).unwrap_err();
    assert_eq!((blocked.reason, blocked.record), (FaultReason::IrteNotPresent, false));
}

#[test]
fn the_largest_table() {
    let mem = TestMemory::new();
    mem.put(TABLE + 16 * 0xffff, 1);
    let through =
        |size, number| remap(&mem, &(), &plain(), gate(true).with_size(size), 0.into(), (addr(number), 0));
    assert!(through(15, 0xffff).is_ok());
    let blocked = through(0, 2).unwrap_err();
    assert_eq!(blocked.reason, FaultReason::InterruptIndex);
}

/// What QEMU's own model does not look at, each thing alone (docs/replace.md).
#[test]
fn leniencies() {
    let only = |leniency| Features { leniency, ..plain() };
    let strict = only(Leniency::default());
    let all = only(Leniency::all());
    let outcome = |f: &Features, entry, source, request| {
        remap(&memory(entry), &(), f, gate(false), source, request).map_err(|blocked| blocked.reason)
    };
    let request = (addr(7), 0);
    let (function, ioapic) = (Source::from(0x1234), Source { id: 0xff00, ioapic: true });

    let for_another = [0x31 << 16 | 1, 1 << 18 | 0x20];
    let lenient = only(Leniency { ioapic_source: true, ..Leniency::default() });
    assert_eq!(outcome(&strict, for_another, ioapic, request), Err(FaultReason::InterruptSource));
    assert!(outcome(&lenient, for_another, ioapic, request).is_ok());
    assert_eq!(outcome(&lenient, for_another, function, request), Err(FaultReason::InterruptSource));

    let lenient = only(Leniency { irte_values: true, ..Leniency::default() });
    for bits in [1 << 32, 1 << 63, 1 << 15, 3 << 5, 6 << 5] {
        let entry = [0x31 << 16 | 1 | bits, 0];
        assert_eq!(outcome(&strict, entry, function, request), Err(FaultReason::IrteReserved), "{bits:#x}");
        assert!(outcome(&lenient, entry, function, request).is_ok(), "{bits:#x}");
    }
    // The destination is in bits 15:8, whatever is beside.
    let entry = [0xdead_45ef << 32 | 0x31 << 16 | 1, 0];
    let Ok(Remapped::Interrupt(interrupt)) = outcome(&lenient, entry, function, request) else { panic!() };
    assert_eq!(interrupt.destination, 0x45);
    for entry in [[1 | 1 << 12, 0], [1 | 1 << 24, 0], [1, 1 << 20]] {
        assert_eq!(outcome(&all, entry, function, request), Err(FaultReason::IrteReserved), "{entry:x?}");
    }

    let lenient = only(Leniency { compatibility_format: true, ..Leniency::default() });
    let plain_request = (0xfee0_1004, 0x4021);
    let compatibility = Err(FaultReason::CompatibilityInterrupt);
    assert_eq!(outcome(&strict, [0, 0], function, plain_request), compatibility);
    assert_eq!(outcome(&lenient, [0, 0], function, plain_request), Ok(Remapped::Passed));
}
