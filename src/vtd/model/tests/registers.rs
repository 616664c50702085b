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

const RTPS: u32 = 1 << 30;
const TES: u32 = 1 << 31;
const QIES: u32 = 1 << 26;
const IRES: u32 = 1 << 25;
const IRTPS: u32 = 1 << 24;

/// `GSTS` tells of a new root table, and that translation is on or off, when accesses by what was before are over
/// (`VTD §11.4.4.1`, `CAP.ESRTPS`).
#[test]
fn a_command_is_done_when_accesses_by_the_old_tables_are_over() {
    let status = |rig: &Rig| rig.read(reg::GSTS) & (TES | RTPS);
    // A new root table; twice; with an access in between.
    let rig = Rig::new();
    let old = rig.begin(0x1000);
    rig.write64(reg::RTADDR, 0x1234_5000 | 0x400);
    rig.write(reg::GCMD, TES | RTPS | QIES);
    assert_eq!(status(&rig), TES, "an access by the old table is in flight");
    let by_second = rig.begin(0x1000);
    rig.write64(reg::RTADDR, 0x1235_5000 | 0x400);
    rig.write(reg::GCMD, TES | RTPS | QIES);
    assert!(rig.vtd.end(old), "software waits");
    rig.run();
    assert_eq!(status(&rig), TES, "one by the second table is");
    let by_third = rig.begin(0x1000);
    assert!(rig.vtd.end(by_second));
    rig.run();
    assert_eq!(status(&rig), TES | RTPS, "one by the new table does not matter");
    assert!(!rig.vtd.end(by_third));
    // Off, and on again before that is done; software that polls runs nothing.
    let old = rig.begin(0x1000);
    assert_eq!(rig.write(reg::GCMD, QIES), [Effect::UNMAP_ALL], "caches outside hear at once");
    assert_eq!(status(&rig), TES | RTPS);
    let plain = DmaRequest { substream: None, ..request(0x1000) };
    let Outcome::Translated { epoch: by_none, .. } = rig.vtd.translate(&rig.mem, &plain, true).0 else {
        panic!("not translated means one to one")
    };
    let _ = rig.vtd.end(old);
    assert_eq!(status(&rig), RTPS);
    rig.write(reg::GCMD, TES | QIES);
    assert_eq!(status(&rig), RTPS, "an access that nothing translates is in flight");
    let _ = rig.vtd.end(by_none);
    assert_eq!(status(&rig), TES | RTPS);
    // Nothing in flight: done when the write is.
    rig.write(reg::GCMD, QIES);
    assert_eq!(status(&rig), RTPS);
}

/// Invalidations by register, wait descriptors and commands wait for accesses beside each other.
#[test]
fn everything_that_waits_for_accesses_is_done() {
    let mut rig = Rig::new();
    let old = rig.begin(0x1000);
    assert_eq!(rig.submit(&[wait(1)]), []);
    rig.write(reg::GCMD, TES | RTPS | QIES);
    let later = rig.begin(0x1000);
    assert_eq!(rig.submit(&[wait(2)]), []);
    let _ = rig.vtd.end(later);
    assert_eq!((rig.run(), rig.read(reg::GSTS) & RTPS), (vec![], 0), "the old one is in flight");
    let _ = rig.vtd.end(old);
    assert_eq!((rig.run(), rig.read(reg::GSTS) & RTPS), (vec![status(1), status(2)], RTPS));
    let old = rig.begin(0x1000);
    rig.write(reg::GCMD, TES);
    rig.write64(reg::CCMD, 1 << 63 | 1 << 61);
    rig.write(reg::GCMD, TES | RTPS);
    assert_eq!((rig.read(reg::CCMD + 4) >> 31, rig.read(reg::GSTS) & RTPS), (1, 0));
    let _ = rig.vtd.end(old);
    rig.run();
    assert_eq!((rig.read(reg::CCMD + 4) >> 31, rig.read(reg::GSTS) & RTPS), (0, RTPS));
    // A reset and a load wait for nothing.
    let old = rig.begin(0x1000);
    rig.write(reg::GCMD, RTPS);
    let saved = rig.vtd.save();
    rig.vtd.reset();
    assert_eq!(rig.read(reg::GSTS), 0);
    rig.vtd.load(&saved).unwrap();
    assert_eq!(rig.read(reg::GSTS), RTPS);
    let _ = rig.vtd.end(old);
}

/// Memory whose interrupt remapping table is replaced while an entry of it is being read.
struct Replaced<'a> {
    rig: &'a Rig,
    command: u32,
    seen: std::cell::Cell<Option<u32>>,
}

impl GuestMemory for Replaced<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), crate::iommu::MemoryError> {
        self.rig.mem.read(addr, buf)
    }

    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), crate::iommu::MemoryError> {
        self.rig.mem.write(addr, buf)
    }

    fn read_u64(&self, addr: u64) -> Result<u64, crate::iommu::MemoryError> {
        if self.seen.get().is_none() {
            self.rig.write(reg::GCMD, self.command);
            self.seen.set(Some(self.rig.read(reg::GSTS)));
        }
        self.rig.mem.read_u64(addr)
    }

    fn compare_exchange_u64(
        &self,
        addr: u64,
        current: u64,
        new: u64,
    ) -> Result<Result<(), u64>, crate::iommu::MemoryError> {
        self.rig.mem.compare_exchange_u64(addr, current, new)
    }
}

/// `IRTPS` and `IRES` tell when no interrupt is being remapped as before, and no entry of the old table is used then
/// (`CAP.ESIRTPS`).
#[test]
fn interrupts_by_the_old_table_are_over() {
    for adversarial in [false, true] {
        let rig = Rig::with(Features { adversarial, ..Features::default() });
        let set = |table: u64, vector: u64| rig.mem.put_all(table, &[vector << 16 | 1, 0]);
        set(INTERRUPTS, 0x41);
        set(INTERRUPTS + 0x1000, 0x42);
        rig.write64(reg::IRTA, INTERRUPTS);
        rig.write(reg::GCMD, TES | QIES | IRTPS);
        rig.write(reg::GCMD, TES | QIES | IRES);
        assert_eq!(rig.read(reg::GSTS) & (IRES | IRTPS), IRES | IRTPS);
        let remap = |mem: &dyn GuestMemory| match rig
            .vtd
            .remap_interrupt(mem, 0x18, (0xfee0_0010, 0), true, true)
            .0
        {
            InterruptOutcome::Deliver(_, data) => data & 0xff,
            other => panic!("{other:?}"),
        };
        let during = |command| {
            let mem = Replaced { rig: &rig, command, seen: std::cell::Cell::new(None) };
            (remap(&mem), mem.seen.get().map(|status| status & (IRES | IRTPS)))
        };
        rig.write64(reg::IRTA, INTERRUPTS + 0x1000);
        assert_eq!(during(TES | QIES | IRES | IRTPS), (0x41, Some(IRES)), "by the old table");
        assert_eq!(rig.read(reg::GSTS) & (IRES | IRTPS), IRES | IRTPS);
        // ESIRTPS: software invalidates nothing.
        assert_eq!(remap(&rig.mem), 0x42);
        if !adversarial {
            assert_eq!(
                during(TES | QIES),
                (0x42, Some(IRES | IRTPS)),
                "off, but for the one that is under way"
            );
            assert_eq!(rig.read(reg::GSTS) & (IRES | IRTPS), IRTPS);
        }
        assert_eq!(rig.vtd.epochs.in_flight(), 0);
    }
}
