// SPDX-License-Identifier: GPL-2.0-or-later
use super::*;

fn features() -> Features {
    Features { pmu_msi: true, ..Features::default() }
}

/// Registers that software can write: offset, width, bits that take.
const WRITABLE: &[(u64, u32, u64)] = &[
    (EVCNTR, 8, u64::MAX),
    (EVCNTR + 56, 8, u64::MAX),
    (EVTYPER, 4, 0xa000_ffff),
    (EVTYPER + 28, 4, 0xa000_ffff),
    (SMR, 4, 0xffff),
    (SMR + 28, 4, 0xffff),
    (CNTENSET, 8, 0xff),
    (INTENSET, 8, 0xff),
    (OVSSET, 8, 0xff),
    (reg::CR, 4, 1),
    (IRQ_CTRL, 4, 1),
    (IRQ_CFG0, 8, 0xffff_ffff_fffc),
    (IRQ_CFG1, 4, 0xffff_ffff),
    (IRQ_CFG2, 4, 0x3f),
];

#[test]
fn what_can_be_written_and_what_cannot() {
    let f = features();
    for (offset, size, bits) in WRITABLE {
        let mut p = Pmcg::default();
        assert_eq!(p.read(&f, *offset, *size), 0, "{offset:#x} after reset");
        p.write(&f, *offset, u64::MAX, *size);
        assert_eq!(p.read(&f, *offset, *size), *bits, "{offset:#x}");
        if *size == 8 {
            let mut halves = Pmcg::default();
            halves.write(&f, *offset, u64::MAX, 4);
            assert_eq!(halves.read(&f, *offset, 8), *bits & 0xffff_ffff);
            halves.write(&f, *offset + 4, u64::MAX, 4);
            assert_eq!(halves.read(&f, *offset + 4, 4), *bits >> 32);
        }
    }
    let written = |offset: u64| {
        WRITABLE.iter().any(|(at, size, _)| (*at..*at + u64::from(*size)).contains(&offset))
            || [(EVCNTR, 64), (EVTYPER, 32), (SMR, 32), (CNTENCLR, 8), (INTENCLR, 8), (OVSCLR, 8), (CAPR, 4)]
                .iter()
                .any(|(at, len)| (*at..*at + len).contains(&offset))
            || offset == IRQ_CTRLACK
    };
    for offset in (0..REGION_SIZE).step_by(4).filter(|offset| !written(*offset)) {
        let mut p = Pmcg::default();
        let before = p.read(&f, offset, 4);
        p.write(&f, offset, u64::MAX, 4);
        assert_eq!((p.read(&f, offset, 4), p), (before, Pmcg::default()), "{offset:#x}");
    }
}

#[test]
fn identification() {
    let f = features();
    let read = |f: &Features, offset| Pmcg::default().read(f, offset, 4);
    // 8 counters of 64 bits, page 1, MSI, capture, a filter each.
    assert_eq!(read(&f, CFGR), 0x0070_3f07);
    assert_eq!(read(&Features::default(), CFGR), 0x0050_3f07);
    assert_eq!((read(&f, CEID0), read(&f, CEID0 + 4), read(&f, CEID0 + 8)), (0xff, 0, 0));
    assert_eq!(read(&Features { ats: false, pri: false, ..f }, CEID0), 0x3f);
    assert_eq!((read(&f, AIDR), read(&f, IIDR)), (u64::from(f.aidr()), 0));
    assert_eq!(
        [PMDEVARCH, PMDEVTYPE, 0xff0, 0xff4, 0xff8, 0xffc].map(|offset| read(&f, offset)),
        [0x4770_2a56, 0x56, 0x0d, 0x90, 0x05, 0xb1]
    );
    // Relocated to page 1.
    let mut p = Pmcg::default();
    p.write(&f, EVCNTR, 7, 8);
    p.write(&f, OVSSET, 1, 8);
    assert_eq!((p.read(&f, 0, 8), p.read(&f, OVSSET - PAGE_1, 8)), (0, 0));
}

#[test]
fn sets_and_clears_are_of_one_bitmap() {
    let f = features();
    for (set, clear) in [(CNTENSET, CNTENCLR), (INTENSET, INTENCLR), (OVSSET, OVSCLR)] {
        let mut p = Pmcg::default();
        p.write(&f, set, 0x0f, 8);
        p.write(&f, set, 0x30, 4);
        p.write(&f, clear, 0x11, 8);
        assert_eq!((p.read(&f, set, 8), p.read(&f, clear, 8)), (0x2e, 0x2e), "{set:#x}");
        // Clearing is not setting.
        p.write(&f, clear, 0, 8);
        assert_eq!(p.read(&f, set, 4), 0x2e);
    }
}

#[test]
fn accesses_of_other_sizes_and_places_do_nothing() {
    let f = features();
    for (offset, size) in
        [(2, 4), (CNTENSET, 2), (CNTENSET + 4, 8), (EVCNTR, 16), (REGION_SIZE, 4), (u64::MAX, 8)]
    {
        let mut p = Pmcg::default();
        p.write(&f, offset, u64::MAX, size);
        assert_eq!((p.read(&f, offset, size), p), (0, Pmcg::default()), "{size} at {offset:#x}");
    }
    // Between the pages there is nothing.
    for offset in [PAGE_SIZE, PAGE_1 - 8, PAGE_1 + PAGE_SIZE, PAGE_1 + 0x4000] {
        assert_eq!(Pmcg::default().read(&f, offset, 8), 0);
    }
}

/// A group whose counter 0 counts `event` with a filter.
fn counting(event: u16, span: bool, smr: u32) -> Pmcg {
    let f = features();
    let mut p = Pmcg::default();
    p.write(&f, EVTYPER, u64::from(event) | u64::from(span) << 29, 4);
    p.write(&f, SMR, smr.into(), 4);
    p.write(&f, CNTENSET, 1, 8);
    p.write(&f, reg::CR, 1, 4);
    p
}

fn tally(event: u16, count: u64) -> Tally {
    let mut tally = Tally::default();
    tally.add(event, count);
    tally
}

#[test]
fn filters_as_the_specification_shows_them() {
    let cases: &[(bool, u32, &[u32], &[u32])] = &[
        (false, 0x20, &[0x20], &[0x21, 0x120, 0]),
        // Spans: everything up to the lowest zero.
        (true, 0b0111, &[0b0000, 0b1111, 0b1000], &[0b1_0000]),
        (true, 0b0110, &[0b0110, 0b0111], &[0b0101, 0b1000]),
        (true, 0xbdff, &[0xbc00, 0xbfff], &[0xb800, 0xc000]),
        // Every stream, by either encoding.
        (true, 0x7fff, &[0, 0xffff, 0x8000], &[]),
        (true, u32::MAX, &[0, 0xffff, 0x8000], &[]),
        // An exact match of the highest one is no span.
        (false, u32::MAX, &[0xffff], &[0xfffe, 0x7fff]),
    ];
    let f = features();
    for (span, smr, inside, outside) in cases {
        for (stream, counted) in inside.iter().map(|s| (s, 1)).chain(outside.iter().map(|s| (s, 0))) {
            let mut p = counting(event::TRANSACTION, *span, *smr);
            p.count(&f, *stream, &tally(event::TRANSACTION, 1));
            assert_eq!(p.counters[0].value, counted, "{stream:#x} with {smr:#x}, span {span}");
        }
    }
    // A group of more StreamID bits.
    let wide = Features { sid_bits: 32, ..f };
    let mut p = counting(event::TRANSACTION, true, 0);
    p.write(&wide, SMR, u64::from(u32::MAX), 4);
    p.count(&wide, 0xdead_beef, &tally(event::TRANSACTION, 1));
    assert_eq!(p.counters[0].value, 1);
}

#[test]
fn events_are_counted_by_who_wants_them() {
    let f = features();
    let mut p = Pmcg::default();
    for (n, event) in (0..8u64).zip([1, 2, 4, 4, 0, 0x81, 0x104, 7]) {
        p.write(&f, EVTYPER + 4 * n, event | 1 << 29, 4);
        p.write(&f, SMR + 4 * n, u64::MAX, 4);
    }
    let mut all = Tally::default();
    for event in 0..0x200 {
        all.add(event, u64::from(event) + 10);
    }
    all.0[0] = 0;
    p.write(&f, CNTENSET, 0xf7, 8);
    p.count(&f, 8, &all);
    assert!(!p.counts() && p.counters.iter().all(|counter| counter.value == 0), "CR.E is 0");
    p.write(&f, reg::CR, 1, 4);
    assert!(p.counts());
    p.count(&f, 8, &all);
    assert_eq!(p.counters.map(|counter| counter.value), [11, 12, 14, 0, 0, 0, 0, 17]);
    p.write(&f, CNTENCLR, u64::MAX, 8);
    assert!(!p.counts());
}

#[test]
fn an_overflow_is_kept_captured_and_signalled() {
    let f = features();
    let mut p = counting(event::TABLE_ACCESS, true, u32::MAX);
    let once = tally(event::TABLE_ACCESS, 4);
    p.write(&f, EVCNTR, u64::MAX - 3, 8);
    p.write(&f, EVCNTR + 8, 77, 8);
    // Neither interrupt nor capture asked for.
    assert!(!p.count(&f, 8, &once));
    assert_eq!((p.counters[0].value, p.ovs, p.counters[1].shadow), (0, 1, 0));
    // It goes on, and overflows again whatever OVS says; this time with both.
    p.write(&f, EVTYPER, u64::from(event::TABLE_ACCESS) | 1 << 29 | 1 << 31, 4);
    p.write(&f, INTENSET, 1, 8);
    p.write(&f, IRQ_CTRL, 1, 4);
    p.write(&f, EVCNTR, u64::MAX, 8);
    assert!(p.count(&f, 8, &once));
    assert_eq!((p.counters[0].value, p.counters[0].shadow, p.counters[1].shadow), (3, 3, 77));
    assert!(p.take_due() && !p.take_due());
    // INTEN of another counter does not count.
    p.write(&f, INTENCLR, 1, 8);
    p.write(&f, INTENSET, 2, 8);
    p.write(&f, EVCNTR, u64::MAX, 8);
    assert!(!p.count(&f, 8, &once) && p.ovs == 1);
    // Captured by hand.
    p.write(&f, CAPR, 2, 4);
    assert_eq!(p.counters[0].shadow, 3);
    p.write(&f, EVCNTR, 0x1_0000_0002, 8);
    p.write(&f, CAPR, 1, 4);
    assert_eq!((p.read(&f, SVR, 8), p.read(&f, SVR + 4, 4), p.read(&f, CAPR, 4)), (0x1_0000_0002, 1, 0));
}

#[test]
fn the_msi_is_closed_while_it_is_on() {
    let f = features();
    let mut p = Pmcg::default();
    assert_eq!(p.msi(), None);
    p.write(&f, IRQ_CFG0, 0x808_0043, 8);
    p.write(&f, IRQ_CFG1, 5, 4);
    p.write(&f, IRQ_CTRL, 1, 4);
    for (offset, size) in [(IRQ_CFG0, 8), (IRQ_CFG1, 4), (IRQ_CFG2, 4)] {
        let before = p.read(&f, offset, size);
        p.write(&f, offset, u64::MAX, size);
        assert_eq!(p.read(&f, offset, size), before, "{offset:#x}");
    }
    assert_eq!(p.msi(), Some((0x808_0040, 5)));
    assert!(!p.msi_aborted(0x808_0040, 6) && p.read(&f, IRQ_STATUS, 4) == 0);
    assert!(p.msi_aborted(0x808_0040, 5) && p.read(&f, IRQ_STATUS, 4) == 1);
    // Only from 0 to 1.
    p.write(&f, IRQ_CTRL, 1, 4);
    p.write(&f, IRQ_CTRL, 0, 4);
    assert_eq!(p.read(&f, IRQ_STATUS, 4), 1);
    p.write(&f, IRQ_CTRL, 1, 4);
    assert_eq!(p.read(&f, IRQ_STATUS, 4), 0);
    // Without MSIs there are no such registers.
    let wired = Features::default();
    let mut p = Pmcg::default();
    for offset in [IRQ_CFG0, IRQ_CFG0 + 4, IRQ_CFG1, IRQ_CFG2] {
        p.write(&wired, offset, u64::MAX, 4);
    }
    assert_eq!(p, Pmcg::default());
}

#[test]
fn states_travel_and_are_not_believed() {
    let f = features();
    let mut p = Pmcg::default();
    for (n, (offset, size, _)) in WRITABLE.iter().enumerate() {
        p.write(&f, *offset, 0x1357_9bdf_0246_8ace ^ n as u64, *size);
    }
    p.counters[3].shadow = 9;
    (p.irq_ctrl, p.due, p.irq_status, p.since) = (1, true, 1, 77);
    p.check(&f).unwrap();
    let mut words = vec![1];
    p.put(&mut words);
    let mut reader = Reader::new(&words, 1).unwrap();
    assert_eq!(Pmcg::take(&mut reader), Ok(p));
    reader.end().unwrap();
    assert!(Pmcg::take(&mut Reader::new(&words[..words.len() - 1], 1).unwrap()).is_err());
    let bad: &[fn(&mut Pmcg)] = &[
        |p| p.counters[7].evtyper = 1 << 30,
        |p| p.counters[0].smr = 0x1_0000,
        |p| p.cnten = 0x100,
        |p| p.inten = 0x100,
        |p| p.ovs = 0x100,
        |p| p.cr = 2,
        |p| p.irq_ctrl = 2,
        |p| p.irq_cfg0 = 1,
        |p| p.irq_cfg2 = 0x40,
        |p| p.irq_status = 2,
        |p| p.irq_ctrl = 0,
    ];
    for (n, spoil) in bad.iter().enumerate() {
        let mut other = p;
        spoil(&mut other);
        assert!(other.check(&f).is_err(), "{n}");
    }
    let without = Features { pmu: false, pmu_msi: false, ..f };
    Pmcg::default().check(&without).unwrap();
    assert!(Pmcg { cr: 1, ..Pmcg::default() }.check(&without).is_err());
    assert_eq!(cfgr(&without), 0);
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    /// Places of registers, of holes between them, and of nothing.
    fn offsets() -> impl Strategy<Value = u64> {
        prop_oneof![
            (0..PAGE_SIZE).prop_map(|offset| offset & !3),
            (PAGE_1..PAGE_1 + PAGE_SIZE).prop_map(|offset| offset & !3),
            prop_oneof![
                Just(CNTENSET),
                Just(reg::CR),
                Just(IRQ_CTRL),
                Just(INTENSET),
                Just(OVSCLR),
                Just(CAPR)
            ],
            (0..8u64).prop_map(|n| EVCNTR + 8 * n),
            (0..8u64).prop_map(|n| EVTYPER + 4 * n),
            any::<u64>(),
        ]
    }

    proptest! {
        /// Whatever is written and counted, the state is one that could be loaded.
        #[test]
        fn no_write_makes_an_impossible_state(
            msi: bool,
            steps in prop::collection::vec((offsets(), any::<u64>(), any::<bool>(), any::<[u64; 8]>()), 1..60),
        ) {
            let f = Features { pmu_msi: msi, ..Features::default() };
            let mut p = Pmcg::default();
            for (offset, value, wide, events) in steps {
                let size = if wide { 8 } else { 4 };
                let before = p;
                p.write(&f, offset, value, size);
                let _ = p.read(&f, offset, size);
                if offset >= REGION_SIZE {
                    prop_assert_eq!(p, before);
                }
                // As the model does it: what is due is signalled before the next write.
                p.count(&f, value as u32, &Tally(events));
                prop_assert!(p.check(&f).is_ok(), "{:?}", p);
                p.take_due();
            }
        }
    }
}
