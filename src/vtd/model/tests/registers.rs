// SPDX-License-Identifier: GPL-2.0-or-later
//! Handshakes and invalidation by registers.

use super::*;

#[test]
fn reset_values() {
    let vtd = Vtd::with_engine(Features::default(), Script::default());
    for offset in (0x18..0x1000).step_by(4) {
        let value = vtd.mmio_read(offset, 4);
        match offset {
            reg::FECTL | reg::IECTL | reg::PECTL => assert_eq!(value, 1 << 31, "{offset:#x}"),
            _ => assert_eq!(value, 0, "{offset:#x}"),
        }
    }
}

#[test]
fn handshakes_are_complete_with_the_write() {
    let rig = Rig::new();
    let steps = [1 << 24, 1 << 25, 1 << 25 | 1 << 23, 1 << 25];
    let held = 1 << 31 | 1 << 26;
    let expected = [1 << 24, 1 << 25 | 1 << 24, 1 << 25 | 1 << 24 | 1 << 23, 1 << 25 | 1 << 24];
    for (step, expected) in steps.into_iter().zip(expected) {
        assert_eq!(rig.write(reg::GCMD, held | step), [EVERY_INTERRUPT]);
        assert_eq!(rig.read(reg::GSTS), 1 << 30 | held | expected, "{step:#x}");
    }
    // What is not there does not answer.
    rig.write(reg::GCMD, held | 1 << 25 | 1 << 29 | 1 << 28 | 1 << 27);
    assert_eq!(rig.read(reg::GSTS), 1 << 30 | held | 1 << 25 | 1 << 24);
    rig.write(reg::GCMD, 0);
    assert_eq!(rig.read(reg::GSTS), 1 << 30 | 1 << 24);
}

#[test]
fn no_interrupt_remapping_no_handshake() {
    let rig = Rig::with(Features { interrupt_remapping: false, ..Features::default() }.consistent());
    rig.write64(reg::IRTA, u64::MAX);
    assert_eq!(rig.write(reg::GCMD, 1 << 31 | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 23), []);
    assert_eq!((rig.read(reg::GSTS), rig.read64(reg::IRTA)), (1 << 31 | 1 << 30 | 1 << 26, 0));
}

#[test]
fn the_queue_cannot_be_moved_in_use() {
    let mut rig = Rig::new();
    rig.write64(reg::IQA, 0x1234_5000);
    assert_eq!(rig.read64(reg::IQA), QUEUE | 0x800);
    rig.submit(&[wait(1)]);
    assert_eq!(rig.read64(reg::IQH), 32);
    rig.write(reg::GCMD, 1 << 31);
    assert_eq!(rig.read64(reg::IQH), 0, "off: the head is 0");
    rig.write64(reg::IQA, 0x1234_5000);
    assert_eq!(rig.read64(reg::IQA), 0x1234_5000);
}

#[test]
fn by_register() {
    let rig = Rig::new();
    // With the queue on, registers do nothing, and say so.
    rig.write64(reg::CCMD, 1 << 63 | 1 << 61);
    assert_eq!(rig.read64(reg::CCMD), 1 << 61);
    rig.write64(0xf8, 1 << 63 | 1 << 60);
    assert_eq!(rig.read64(0xf8), 1 << 60);
    assert!(rig.invalidations().is_empty());

    rig.write(reg::GCMD, 1 << 31);
    assert_eq!(
        rig.write64(reg::CCMD, 1 << 63 | 3 << 61 | 1 << 32 | 0x1234 << 16 | 0x55),
        [Effect::UNMAP_ALL]
    );
    assert_eq!(rig.read64(reg::CCMD), 3 << 61 | 3 << 59 | 1 << 32 | 0x1234 << 16 | 0x55);
    rig.write64(0xf0, 0x7000 | 1 << 6 | 2);
    let effects = rig.write64(0xf8, 1 << 63 | 3 << 60 | 0x55 << 32);
    assert_eq!(effects, [unmap(0x4000, 0x3fff)]);
    assert_eq!(rig.read64(0xf8), 3 << 60 | 3 << 57 | 0x55 << 32);
    assert_eq!(rig.read64(0xf0), 0, "write-only");
    let expected = [
        Invalidation::ContextDevice { sid: 0x1234, function_mask: 1 },
        Invalidation::IotlbPages { did: 0x55, addr: 0x7000, address_mask: 2, leaf: true },
    ];
    assert_eq!(rig.invalidations(), expected);
    // Halves: the upper one sets it going.
    rig.write(reg::CCMD, 0x77);
    rig.write(reg::CCMD + 4, 1 << 31 | 2 << 29);
    assert_eq!(rig.invalidations().last(), Some(&Invalidation::ContextDomain { did: 0x77 }));
    // Granularity 0 does not exist.
    rig.write64(reg::CCMD, 1 << 63);
    assert_eq!(rig.read64(reg::CCMD), 0);
}

#[test]
fn by_register_waits_for_accesses_in_flight() {
    let rig = Rig::new();
    rig.write(reg::GCMD, 1 << 31);
    let epoch = rig.begin(0x1000);
    rig.write64(0xf8, 1 << 63 | 1 << 60);
    assert_eq!(rig.read64(0xf8) >> 63, 1);
    assert_eq!(rig.run(), []);
    assert_eq!(rig.read64(0xf8) >> 63, 1);
    assert!(rig.vtd.end(epoch));
    rig.run();
    assert_eq!(rig.read64(0xf8) >> 63, 0);
}

#[test]
fn a_queue_does_not_take_over_what_a_register_waited_for() {
    let mut rig = Rig::new();
    rig.write(reg::GCMD, 1 << 31);
    let first = rig.begin(0x1000);
    rig.write64(0xf8, 1 << 63 | 1 << 60);
    let second = rig.begin(0x1000);
    rig.write(reg::GCMD, 1 << 31 | 1 << 26);
    assert_eq!(rig.submit(&[pasid_iotlb(3), wait(7)]), [Effect::UNMAP_ALL]);
    let _ = rig.vtd.end(first);
    assert_eq!(rig.run(), [], "the second began before the invalidation");
    assert!(rig.vtd.end(second));
    assert_eq!(rig.run(), [status(7)]);
    assert_eq!(rig.read64(0xf8) >> 63, 0);
}
