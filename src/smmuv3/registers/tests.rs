// SPDX-License-Identifier: GPL-2.0-or-later
use super::*;
use crate::smmuv3::features::AddressSize;

/// Words that software can write: offset, reset value, bits that take.
const WRITABLE: &[(&str, u64, u32, u32)] = &[
    ("CR0", 0x20, 0, 0x1df),
    ("CR1", 0x28, 0, 0xfff),
    ("CR2", 0x2c, 0, 0xa),
    ("GBPA", 0x44, 0x1000, 0x001f_3f1f),
    ("IRQ_CTRL", 0x50, 0, 0x7),
    ("GERRORN", 0x64, 0, 0x1fd),
    ("GERROR_IRQ_CFG0 low", 0x68, 0, 0xffff_fffc),
    ("GERROR_IRQ_CFG0 high", 0x6c, 0, 0xffff),
    ("GERROR_IRQ_CFG1", 0x70, 0, 0xffff_ffff),
    ("GERROR_IRQ_CFG2", 0x74, 0, 0x3f),
    ("STRTAB_BASE low", 0x80, 0, 0xffff_ffc0),
    ("STRTAB_BASE high", 0x84, 0, 0x4000_ffff),
    ("STRTAB_BASE_CFG", 0x88, 0, 0x3_07ff),
    ("CMDQ_BASE low", 0x90, 0, 0xffff_ffff),
    ("CMDQ_BASE high", 0x94, 0, 0x4000_ffff),
    ("CMDQ_PROD", 0x98, 0, 0xf_ffff),
    ("EVENTQ_BASE low", 0xa0, 0, 0xffff_ffff),
    ("EVENTQ_BASE high", 0xa4, 0, 0x4000_ffff),
    ("EVENTQ_CONS", 0x1_00ac, 0, 0x800f_ffff),
    ("EVENTQ_IRQ_CFG0 low", 0xb0, 0, 0xffff_fffc),
    ("EVENTQ_IRQ_CFG0 high", 0xb4, 0, 0xffff),
    ("EVENTQ_IRQ_CFG1", 0xb8, 0, 0xffff_ffff),
    ("EVENTQ_IRQ_CFG2", 0xbc, 0, 0x3f),
    ("PRIQ_BASE low", 0xc0, 0, 0xffff_ffff),
    ("PRIQ_BASE high", 0xc4, 0, 0x4000_ffff),
    ("PRIQ_CONS", 0x1_00cc, 0, 0x800f_ffff),
    ("PRIQ_IRQ_CFG0 low", 0xd0, 0, 0xffff_fffc),
    ("PRIQ_IRQ_CFG0 high", 0xd4, 0, 0xffff),
    ("PRIQ_IRQ_CFG1", 0xd8, 0, 0xffff_ffff),
    ("PRIQ_IRQ_CFG2", 0xdc, 0, 0x8000_003f),
];

/// Words that cannot be written, those whose writability is tested apart, and aliases.
const OTHERS: &[u64] = &[
    0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c, 0x24, 0x54, 0x60, 0x9c, 0xa8, 0xac, 0x1_00a8, 0xc8, 0xcc,
    0x1_00c8,
];

/// 48-bit addresses, everything on.
fn features() -> Features {
    Features { oas: AddressSize::Bits48, ..Features::default() }
}

fn fresh() -> (Features, Registers) {
    (features(), Registers::reset())
}

#[test]
fn reset_and_writable_bits() {
    let f = features();
    for (name, offset, reset, mask) in WRITABLE {
        let mut r = Registers::reset();
        assert_eq!(r.read32(&f, *offset), *reset, "{name} after reset");
        r.write32(&f, *offset, u32::MAX);
        assert_eq!(r.read32(&f, *offset), *mask, "{name} after ones");
        r.write32(&f, *offset, if *offset == GBPA { 1 << 31 } else { 0 });
        assert_eq!(r.read32(&f, *offset), 0, "{name} after zeros");
    }
}

#[test]
fn everything_else_is_res0() {
    let f = features();
    let known: std::collections::HashSet<u64> =
        WRITABLE.iter().map(|row| row.1).chain(OTHERS.iter().copied()).collect();
    let mut r = Registers::reset();
    for offset in (0..REGION_SIZE).step_by(4).filter(|offset| !known.contains(offset)) {
        r.write32(&f, offset, u32::MAX);
        if !(ID_REGS..ID_REGS_END).contains(&offset) {
            assert_eq!(r.read32(&f, offset), 0, "{offset:#x}");
        }
    }
    assert_eq!(r, Registers::reset(), "GATOS, MPAM and the like take nothing");
}

#[test]
fn identification_is_constant() {
    let f = features();
    let mut r = Registers::reset();
    let read = |r: &Registers, offset| r.read32(&f, offset);
    let before: Vec<_> =
        (0..0x20).step_by(4).chain(0xfd0..0x1000).map(|offset| read(&r, offset & !3)).collect();
    for offset in (0..0x20).step_by(4).chain((0xfd0..0x1000).step_by(4)) {
        r.write32(&f, offset, u32::MAX);
    }
    let after: Vec<_> =
        (0..0x20).step_by(4).chain(0xfd0..0x1000).map(|offset| read(&r, offset & !3)).collect();
    assert_eq!(before, after);
    assert_eq!(
        [read(&r, IDR0), read(&r, IDR1), read(&r, IDR3), read(&r, IDR5), read(&r, AIDR)],
        [f.idr0(), f.idr1(), f.idr3(), f.idr5(), f.aidr()]
    );
    let cidr = [0xff0, 0xff4, 0xff8, 0xffc].map(|offset| read(&r, offset));
    assert_eq!(cidr, [0x0d, 0xf0, 0x05, 0xb1]);
    assert_eq!(read(&r, 0xfe8) & 8, 8, "JEDEC");
}

#[test]
fn acknowledgements_follow_at_once_and_are_read_only() {
    let (f, mut r) = fresh();
    assert_eq!(r.write32(&f, reg::CR0, 0xffff_ffff), Written::Enables(Cr0::default()));
    r.write32(&f, IRQ_CTRL, 0xffff_ffff);
    assert_eq!((r.read32(&f, CR0ACK), r.read32(&f, IRQ_CTRLACK)), (0x1df, 0x7));
    r.write32(&f, CR0ACK, 0);
    r.write32(&f, IRQ_CTRLACK, 0);
    r.write32(&f, GERROR, 0xffff_ffff);
    r.write32(&f, STATUSR, 0xffff_ffff);
    assert_eq!((r.read32(&f, CR0ACK), r.read32(&f, IRQ_CTRLACK)), (0x1df, 0x7));
    assert_eq!((r.read32(&f, GERROR), r.read32(&f, STATUSR)), (0, 0));
}

/// Writes ones to words that are Guarded: nothing may change while the guard is on.
fn guarded(guard: (u64, u32), offsets: &[u64]) {
    let (f, mut r) = fresh();
    r.write32(&f, guard.0, guard.1);
    let before = r;
    for offset in offsets {
        r.write32(&f, *offset, u32::MAX);
        assert_eq!(r, before, "{offset:#x} while {guard:x?}");
    }
    r.write32(&f, guard.0, 0);
    for offset in offsets {
        r.write32(&f, *offset, u32::MAX);
        assert_ne!(r.read32(&f, *offset), 0, "{offset:#x} without {guard:x?}");
    }
}

#[test]
fn guards() {
    guarded((reg::CR0, 1), &[CR2, STRTAB_BASE, 0x84, STRTAB_BASE_CFG]);
    guarded((reg::CR0, 8), &[CMDQ_BASE, 0x94, CMDQ_CONS]);
    guarded((reg::CR0, 4), &[EVENTQ_BASE, 0xa4, EVENTQ_PROD]);
    guarded((IRQ_CTRL, 1), &[GERROR_IRQ_CFG0, 0x6c, GERROR_IRQ_CFG1, GERROR_IRQ_CFG2]);
    guarded((IRQ_CTRL, 4), &[EVENTQ_IRQ_CFG0, 0xb4, EVENTQ_IRQ_CFG1, EVENTQ_IRQ_CFG2]);
    // CR1 by field.
    for (cr0, mask) in [(1, 0x03f), (4, 0xfc0), (8, 0xfc0), (0xd, 0)] {
        let (f, mut r) = fresh();
        r.write32(&f, reg::CR0, cr0);
        r.write32(&f, CR1, u32::MAX);
        assert_eq!(r.read32(&f, CR1), mask, "CR0 {cr0:#x}");
    }
}

#[test]
fn gbpa_needs_update() {
    let (f, mut r) = fresh();
    r.write32(&f, GBPA, 1 << 20);
    assert_eq!(r.read32(&f, GBPA), 0x1000, "without Update the write is ignored");
    r.write32(&f, GBPA, 1 << 31 | 1 << 20);
    assert_eq!(r.read32(&f, GBPA), 1 << 20, "Update reads as done");
    assert_eq!(r.gate().abort(), 1);
}

#[test]
fn indexes_read_by_queue_size() {
    for log2size in 0..=19u32 {
        let (f, mut r) = fresh();
        let mask = (2 << log2size) - 1;
        r.write32(&f, CMDQ_BASE, log2size);
        r.write32(&f, CMDQ_CONS, u32::MAX);
        assert_eq!(r.read32(&f, CMDQ_CONS), mask, "RD above the wrap flag is RAZ, ERR not writable");
        r.write32(&f, EVENTQ_BASE, log2size);
        r.write32(&f, EVENTQ_PROD, u32::MAX);
        assert_eq!(r.read32(&f, EVENTQ_PROD), mask | 1 << 31);
        assert_eq!(r.read32(&f, EVENTQ_PROD_ALIAS), mask | 1 << 31);
    }
    let small = Features { cmdq_log2: 7, evtq_log2: 7, ..features() };
    let mut r = Registers::reset();
    r.write32(&small, CMDQ_BASE, 19);
    assert_eq!(r.read32(&small, CMDQ_BASE), 19, "reads back as written");
    assert_eq!(r.cmdq(&small).entries(), 128, "and is capped in use");
}

#[test]
fn alias_of_the_event_queue() {
    let (f, mut r) = fresh();
    assert_eq!(r.write32(&f, EVENTQ_CONS_ALIAS, 5), Written::Events);
    assert_eq!(r.read32(&f, EVENTQ_CONS), 5);
    r.write32(&f, EVENTQ_PROD_ALIAS, 7);
    assert_eq!(r.read32(&f, EVENTQ_PROD), 1, "a queue of one entry has one bit");
}

#[test]
fn features_decide_what_exists() {
    let f = Features { msi: false, two_level_streams: false, oas: AddressSize::Bits32, ..features() };
    let mut r = Registers::reset();
    for offset in [0x68, 0x6c, 0x70, 0x74, 0xb0, 0xb4, 0xb8, 0xbc] {
        r.write32(&f, offset, u32::MAX);
        assert_eq!(r.read32(&f, offset), 0, "{offset:#x} without MSIs");
    }
    for (offset, mask) in [(0x64, 0x10d), (0x84, 0x4000_0000), (0x88, 0x3f), (0x94, 0x4000_0000)] {
        r.write32(&f, offset, u32::MAX);
        assert_eq!(r.read32(&f, offset), mask, "{offset:#x}");
    }
}

#[test]
fn gate_is_one_word() {
    let (f, mut r) = fresh();
    r.write32(&f, STRTAB_BASE, 0x1234_5640);
    r.write32(&f, 0x84, 0xabc);
    r.write32(&f, STRTAB_BASE_CFG, 1 << 16 | 8 << 6 | 16);
    r.write32(&f, CR2, 2);
    r.write32(&f, reg::CR0, 1);
    let gate = Gate::from(r.gate().bits());
    assert_eq!((gate.enabled(), gate.abort()), (1, 0));
    assert_eq!(
        gate.table(),
        StreamTable {
            base: 0xabc_1234_5640,
            log2size: 16,
            split: 8,
            two_level: true,
            record_bad_stream: true,
            e2h: false,
            check_ats: false
        }
    );
    let el2 = Features { hyp: true, ..f };
    for cr2 in [0b01, 0b11] {
        r.cr0 = 0;
        r.write32(&el2, CR2, cr2);
        assert!(r.gate().table().e2h && r.read32(&el2, CR2) == cr2);
        r.write32(&f, CR2, cr2);
        assert!(!r.gate().table().e2h, "without EL2 there is no such bit");
    }
    for (format, two_level) in [(0, false), (1, true), (2, false), (3, false)] {
        r.strtab_base_cfg = format << 16;
        assert_eq!(r.gate().table().two_level, two_level, "FMT {format}");
    }
}
