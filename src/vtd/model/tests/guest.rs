// SPDX-License-Identifier: GPL-2.0-or-later
//! Guests that do anything at all: nothing panics, everything ends, and nobody is answered twice.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Deed {
    Write(u64, u64, bool),
    Memory(u64, [u64; 4]),
    Translate(u64, bool),
    Ats(u64),
    Page(u64, u16, bool),
    Interrupt(u64, u32),
    Done(u32),
    Late(u32),
    Run,
    Migrate,
    Reset,
}

fn deeds() -> impl Strategy<Value = Deed> {
    let registers = prop_oneof![
        Just(reg::GCMD),
        Just(reg::RTADDR),
        Just(reg::CCMD),
        Just(reg::FSTS),
        Just(reg::FECTL),
        Just(reg::IQT),
        Just(reg::IQA),
        Just(reg::ICS),
        Just(reg::IECTL),
        Just(reg::IRTA),
        Just(reg::PQH),
        Just(reg::PQT),
        Just(reg::PQA),
        Just(reg::PRS),
        Just(reg::PECTL),
        Just(0xf0),
        Just(0xf8),
        Just(0x22c),
        (0..0x400u64).prop_map(|n| n * 4),
    ];
    let values =
        prop_oneof![any::<u64>(), 0..0x2000u64, (0..64u32).prop_map(|bit| 1 << bit), Just(0xc600_0000)];
    let addrs = prop_oneof![Just(QUEUE), Just(PAGE_QUEUE), Just(INTERRUPTS), Just(0)];
    let descriptors = ((0..16u64), any::<[u64; 4]>(), any::<bool>()).prop_map(|(kind, mut words, tame)| {
        if tame {
            words = [words[0] & 0xffff_00ff_0030 | 1 << 5 | kind, words[1] & !0xfff, 0, 0];
        }
        words[0] = words[0] & !0xf | kind;
        words
    });
    prop_oneof![
        6 => (registers, values, any::<bool>()).prop_map(|(at, value, wide)| Deed::Write(at, value, wide)),
        4 => (addrs, 0..8u64, descriptors).prop_map(|(at, n, words)| Deed::Memory(at + 32 * n, words)),
        3 => (0..16u64).prop_map(|n| Deed::Write(reg::IQT, n * 32, true)),
        2 => (any::<u64>(), any::<bool>()).prop_map(|(addr, bql)| Deed::Translate(addr, bql)),
        1 => any::<u64>().prop_map(Deed::Ats),
        2 => (any::<u64>(), 0..512u16, any::<bool>()).prop_map(|(a, g, l)| Deed::Page(a, g, l)),
        1 => (0..1u64 << 20, any::<u32>()).prop_map(|(a, d)| Deed::Interrupt(0xfee0_0000 | a, d)),
        1 => (0..8u32).prop_map(Deed::Done),
        1 => (0..8u32).prop_map(Deed::Late),
        1 => Just(Deed::Run),
        1 => Just(Deed::Migrate),
        1 => Just(Deed::Reset),
    ]
}

fn act(rig: &Rig, deed: Deed) -> Effects {
    let (vtd, mem) = (&rig.vtd, &rig.mem);
    match deed {
        Deed::Write(at, value, true) if at % 8 == 0 => vtd.mmio_write(mem, at, value, 8),
        Deed::Write(at, value, _) => vtd.mmio_write(mem, at, value, 4),
        Deed::Memory(at, words) => {
            mem.put_all(at, &words);
            Effects::default()
        }
        Deed::Translate(addr, bql) => {
            let (outcome, effects) = vtd.translate(mem, &request(addr), bql);
            if let Outcome::Translated { epoch, .. } = outcome {
                let _ = vtd.end(epoch);
            }
            effects
        }
        Deed::Ats(addr) => vtd.ats(mem, &request(addr), 0x1000, true).1,
        Deed::Page(addr, group, last) => {
            let access = Access { read: true, ..Access::default() };
            let request = PageRequest {
                stream: 0x18,
                substream: Some(3),
                addr,
                group,
                last,
                access,
                private_data: None,
            };
            let effects = vtd.page_request(mem, &request);
            let answers = effects.0.iter().filter(|e| matches!(e, Effect::PageResponse { .. })).count();
            assert!(answers <= usize::from(last));
            effects
        }
        Deed::Interrupt(addr, data) => vtd.remap_interrupt(mem, 0x18, (addr, data), true, true).1,
        Deed::Done(itag) => vtd.device_tlb_done(mem, 0x18, itag),
        Deed::Late(itag) => vtd.device_tlb_late(mem, itag),
        Deed::Run => vtd.run_pending(mem),
        Deed::Migrate => {
            let words = vtd.save().to_words();
            let saved = SavedState::from_words(&words).expect("our own words");
            vtd.load(&saved).expect("our own state");
            assert_eq!(vtd.save(), saved);
            Effects::default()
        }
        Deed::Reset => {
            vtd.reset();
            Effects::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_itags_are_new(deeds in prop::collection::vec(deeds(), 1..120), adversarial: bool) {
        let rig = Rig::with(Features { adversarial, ..Features::default() });
        let mut asked = HashSet::new();
        for deed in deeds {
            for effect in act(&rig, deed).0 {
                match effect {
                    Effect::AtsInvalidate { itag, addr, mask, .. } => {
                        prop_assert!(asked.insert(itag), "itag {} twice", itag);
                        prop_assert_eq!(addr & mask, 0);
                    }
                    Effect::WriteMemory { addr, .. } => prop_assert_eq!(addr % 4, 0),
                    Effect::PageResponse { group, .. } => prop_assert!(group < 512),
                    _ => {}
                }
            }
            // What was asked once may be asked again after a load, under a new itag.
            prop_assert_eq!(rig.vtd.epochs.in_flight(), 0);
        }
    }
}
