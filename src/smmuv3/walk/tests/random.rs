// SPDX-License-Identifier: GPL-2.0-or-later
//! Random tables of both stages, against translation by lists.

use super::*;
use crate::smmuv3::spec::ste::Ste0;

/// A page or block, as whoever mapped it remembers it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    input: u64,
    log2size: u32,
    output: u64,
    read: bool,
    write: bool,
}

/// What one list makes of an address.
fn translate(list: &[Entry], input: u64, write: bool) -> Result<u64, FaultKind> {
    let entry = list.iter().find(|e| input & !ones(e.log2size) == e.input).ok_or(FaultKind::Translation)?;
    let allowed = if write { entry.write } else { entry.read };
    if allowed { Ok(entry.output | input & ones(entry.log2size)) } else { Err(FaultKind::Permission) }
}

/// A page to be: which of a stage's sizes, where to, and what for.
fn pages() -> impl Strategy<Value = Vec<(u8, u64, bool, bool)>> {
    prop::collection::vec((any::<u8>(), any::<u64>(), any::<bool>(), any::<bool>()), 1..6)
}

fn granule() -> impl Strategy<Value = u32> {
    prop_oneof![Just(12u32), Just(14), Just(16)]
}

/// A level that has pages or blocks of that granule.
fn level(granule: u32, choice: u8) -> u32 {
    let least = if granule == 12 { 1 } else { 2 };
    least + u32::from(choice) % (4 - least)
}

struct World {
    guest: TestGuest,
    first: Tables,
    second: Tables,
    first_list: Vec<Entry>,
    second_list: Vec<Entry>,
}

/// Places of intermediate pages: each has 64 GiB to itself.
fn ipa_slot(n: usize) -> u64 {
    (n as u64 + 1) << 36
}

/// Places of input pages: each has 4 TiB to itself.
fn va_slot(n: usize) -> u64 {
    (n as u64 + 1) << 42
}

fn world(
    granules: (u32, u32),
    saved: bool,
    first: &[(u8, u64, bool, bool)],
    second: &[(u8, u64, bool, bool)],
) -> World {
    let guest = TestGuest::new();
    let first_tables = guest.tables(granules.0, 48);
    // One level less where sixteen tables are enough for 43 bits.
    let second_tables = match (granules.1, saved) {
        (12, true) => guest.concatenated_tables(12, 43, 1),
        (14, true) => guest.concatenated_tables(14, 48, 1),
        (granule, _) => guest.tables(granule, 46),
    };
    let mut w =
        World { guest, first: first_tables, second: second_tables, first_list: vec![], second_list: vec![] };
    for (n, (choice, to, read, write)) in second.iter().enumerate() {
        let level = level(granules.1, *choice);
        let log2size = w.second.shift(level);
        let (input, output) = (ipa_slot(n), to & ones(48) & !ones(log2size));
        let attrs = s2_rw().with_s2ap0((*read).into()).with_s2ap1((*write).into());
        w.guest.map2(&w.second, input, output, level, attrs);
        w.second_list.push(Entry { input, log2size, output, read: *read, write: *write });
    }
    for (n, (choice, to, read, write)) in first.iter().enumerate() {
        let level = level(granules.0, *choice);
        let log2size = w.first.shift(level);
        // Near the start of an intermediate page, more often than not within it.
        let slot = (*choice as usize / 4) % (second.len() + 1);
        let output = (ipa_slot(slot) + (to & 0x7fff_ffff)) & !ones(log2size);
        let attrs = if *write { user_rw() } else { user_ro() }.with_ap1(u64::from(*read || *write));
        w.guest.map(&w.first, va_slot(n), output, level, attrs);
        w.first_list.push(Entry {
            input: va_slot(n),
            log2size,
            output,
            read: *read || *write,
            write: *write,
        });
    }
    w.guest.map_memory(&w.second, 3, s2_ro());
    w
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn as_the_lists_say(
        granules in (granule(), granule()),
        saved in any::<bool>(),
        first in pages(),
        second in pages(),
        asks in prop::collection::vec((any::<u8>(), any::<u64>(), any::<bool>()), 1..24),
    ) {
        let w = world(granules, saved, &first, &second);
        let f = Features { oas: AddressSize::Bits48, ..Features::default() };
        let nested = with_stage2(ste_stage1(0, 0, 0, 0), &w.second, 1);
        let [a, b, c, d, ..] = nested;
        let [e, g, h, i, ..] = cd(&w.first, 1);
        let context = |config| StreamContext {
            ste: [Ste0::from(a).with_config(config).bits(), b, c, d],
            cd: [e, g, h, i],
        };
        for (slot, offset, write) in asks {
            let access = if write { WRITE } else { READ };
            let offset = offset >> (offset & 63) & 0x7_ffff_ffff;
            let va = va_slot(usize::from(slot) % (first.len() + 1)) + offset;
            let ipa = ipa_slot(usize::from(slot) % (second.len() + 1)) + offset;
            let by_first = translate(&w.first_list, va, write);
            let rows = [
                (config::S1, va, by_first.map_err(|kind| (kind, false))),
                (config::S2, ipa, translate(&w.second_list, ipa, write).map_err(|kind| (kind, true))),
                (config::NESTED, va, by_first.map_err(|kind| (kind, false)).and_then(|ipa| {
                    translate(&w.second_list, ipa, write).map_err(|kind| (kind, true))
                })),
            ];
            for (config, addr, expected) in rows {
                let context = context(config);
                let req = request(1, None, addr, access);
                let (result, updates) = walk(&w.guest.mem, &(), &f, &context, &req);
                prop_assert_eq!(updates, Updates::default());
                let seen = result.map(|m| m.addr | addr & ones(m.log2size.into())).map_err(|f| (f.kind, f.stage2));
                prop_assert_eq!(seen, expected, "{:#x} {:#x}", config, addr);
                // The whole of the page is as the lists have it, and what it allows others too.
                if let Ok(m) = result {
                    let last = addr | ones(m.log2size.into());
                    let (again, _) = walk(&w.guest.mem, &(), &f, &context, &request(1, None, last, access));
                    prop_assert_eq!(again.map(|m| m.addr), Ok(m.addr));
                    let other = if write { READ } else { WRITE };
                    let (walked, _) = walk(&w.guest.mem, &(), &f, &context, &request(1, None, addr, other));
                    prop_assert_eq!(check(m.perms, &f, &context, other).is_ok(), walked.is_ok());
                }
            }
        }
    }

    /// Whatever stands in STE, CD and descriptors: no panic, and bounded reads.
    #[test]
    fn arbitrary_words(
        ste in any::<[u64; 4]>(),
        cd in any::<[u64; 4]>(),
        addr in any::<u64>(),
        words in prop::collection::vec(any::<u64>(), 61),
        keep_valid in any::<bool>(),
        plausible in any::<bool>(),
        hostile in any::<bool>(),
        config in 4u64..8,
        access in permissions::any_access(),
        shift in 0u32..64,
        oas in 0u64..8,
    ) {
        let mut ste = ste;
        ste[0] = Ste0::from(ste[0]).with_config(config).bits();
        let mut cd = cd;
        if plausible {
            let second = crate::smmuv3::spec::ste::Ste2::from(ste[2]);
            ste[2] = second.with_s2tg(second.s2tg() % 3).with_s2t0sz(16 + second.s2t0sz() % 24).bits();
            cd[0] = Cd0::from(cd[0]).with_epd0(0).with_t0sz(16).with_tg0(0).with_tbi0(1).bits();
        }
        let f = Features { oas: AddressSize::from_encoding(oas), ..Features::default() };
        let memory = Noise { words, keep_valid, hostile, reads: 0.into(), updates: 0.into() };
        let context = StreamContext { ste, cd };
        let req = request(0, None, addr >> shift, access);
        let (result, _) = walk(&memory, &(), &f, &context, &req);
        // Four levels of stage 1, each found by stage 2, perhaps twice an update; then the page.
        let walks = 5 + u64::from(MAX_UPDATES) + 1;
        prop_assert!(memory.reads.load(Ordering::Relaxed) <= 4 * walks + 4);
        prop_assert!(memory.updates.load(Ordering::Relaxed) <= u64::from(MAX_UPDATES) * (walks + 1));
        if let Ok(m) = result {
            prop_assert!(f.oas.contains(m.addr));
            prop_assert_eq!(m.addr & ones(m.log2size.into()), 0);
            prop_assert!(check(m.perms, &f, &context, access).is_ok());
        }
    }
}
