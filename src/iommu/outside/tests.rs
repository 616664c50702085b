// SPDX-License-Identifier: GPL-2.0-or-later

use proptest::prelude::*;

use super::*;

fn range(addr: u64, mask: u64) -> Range {
    Range { addr, mask }
}

const LOWER: Range = Range { addr: 0, mask: u64::MAX >> 1 };
const UPPER: Range = Range { addr: 1 << 63, mask: u64::MAX >> 1 };

#[test]
fn everything_is_two_halves() {
    let outside = Outside::default();
    assert_eq!(outside.ranges(0, u64::MAX), [LOWER, UPPER]);
    // All but a page at one end does not fit in less either.
    assert_eq!(outside.ranges(0x1000, u64::MAX - 0x1000), [LOWER, UPPER]);
}

#[test]
fn a_page_stays_a_page() {
    let outside = Outside::default();
    assert_eq!(outside.ranges(0x1234_5000, 0xfff), [range(0x1234_5000, 0xfff)]);
    assert_eq!(outside.ranges(0x20_0000, 0x1f_ffff), [range(0x20_0000, 0x1f_ffff)]);
    // Three pages around a large boundary do not become all addresses below twice that boundary.
    assert_eq!(outside.ranges(0x7fff_f000, 0x2fff), [range(0x7fff_f000, 0xfff), range(0x8000_0000, 0x1fff)]);
}

/// Ends of page ranges of every size.
fn ends() -> impl Strategy<Value = (u64, u64)> {
    (any::<u64>(), 0..64u32, any::<u64>(), 0..64u32).prop_map(|(first, shift, size, narrow)| {
        let first = first >> shift & !0xfff;
        (first, first.saturating_add(size >> narrow) | 0xfff)
    })
}

proptest! {
    #[test]
    fn ranges_cover_what_was_invalidated_are_aligned_and_never_twice_as_large((first, last) in ends()) {
        let ranges = Outside::default().ranges(first, last - first);
        prop_assert!(ranges.len() <= 2, "{ranges:x?}");
        let mut next = ranges[0].addr;
        prop_assert!(next <= first);
        for Range { addr, mask } in &ranges {
            prop_assert!(*mask != u64::MAX && (mask + 1).is_power_of_two() && addr & mask == 0, "{ranges:x?}");
            prop_assert_eq!(*addr, next, "no gap and no overlap");
            prop_assert!(u128::from(*mask) < 2 * (u128::from(last - first) + 1), "{:x?}", ranges);
            next = addr.wrapping_add(mask + 1);
        }
        prop_assert!(next.wrapping_sub(1) >= last, "{ranges:x?}");
    }

    #[test]
    fn an_answer_is_the_largest_that_fits((first, last) in ends(), at: u64, log2size in 0..64u32) {
        let addr = first + at % (last - first).max(1);
        let mask = ones(log2size);
        let got = largest_within(addr, mask, first, last);
        prop_assert!(got <= mask && addr & !got >= first && addr | got <= last);
        let larger = got << 1 | 1;
        prop_assert!(got == mask || addr & !larger < first || addr | larger > last, "{larger:#x} fits too");
    }
}

#[test]
fn an_alias_is_told_beside_the_page() {
    let outside = Outside::default();
    outside.answers_alias(0x5500_0000_1234_5678);
    outside.answers_alias(0x0100_0000_0000_0000);
    let page = |top: u64| range(top << 56 | 0x1234_5000, 0xfff);
    assert_eq!(outside.ranges(0x1234_5000, 0xfff), [page(0), page(1), page(0x55)]);
    // An invalidation of everything does not yet say that nothing is kept.
    assert_eq!(outside.ranges(0, u64::MAX), [LOWER, UPPER]);
    assert_eq!(outside.ranges(0x1234_5000, 0xfff).len(), 3);
    // What is wider than a top byte has no alias that is narrower.
    assert_eq!(outside.ranges(0, (1 << 57) - 1), [LOWER, UPPER]);
    outside.forget();
    assert_eq!(outside.ranges(0x1234_5000, 0xfff), [page(0)]);
}

#[test]
fn more_aliases_than_are_told_one_by_one_are_everything() {
    let outside = Outside::default();
    for top in 1..=16u64 {
        outside.answers_alias(top << 56);
    }
    assert_eq!(outside.ranges(0x5000, 0xfff).len(), 17);
    outside.answers_alias(0xfe << 56);
    assert_eq!(outside.ranges(0x5000, 0xfff), [LOWER, UPPER]);
}

#[test]
fn all_parts_of_a_page_are_told() {
    let outside = Outside::default();
    outside.answers_part(0x1f_ffff);
    assert_eq!(outside.ranges(0x20_5000, 0xfff), [range(0x20_0000, 0x1f_ffff)]);
    outside.answers_part(0xffff);
    assert_eq!(outside.ranges(0x20_5000, 0xfff), [range(0x20_0000, 0x1f_ffff)]);
    outside.forget();
    assert_eq!(outside.ranges(0x20_5000, 0xfff), [range(0x20_5000, 0xfff)]);
}

#[test]
fn an_answer_lies_in_one_section() {
    const GIB: u64 = (1 << 30) - 1;
    // Low memory of a PC, where 1 GiB around an address begins with another piece of RAM.
    assert_eq!(largest_within(0x123_4000, GIB, 0x10_0000, 0x7fff_ffff), 0xff_ffff);
    assert_eq!(largest_within(0x4000_1000, GIB, 0x10_0000, 0x7fff_ffff), GIB);
    assert_eq!(largest_within(0x9_f000, GIB, 0, 0x9_ffff), 0x1_ffff);
    assert_eq!(largest_within(0x9_f000, 0xfff, 0, 0x9_ffff), 0xfff);
    assert_eq!(largest_within(0x7_0000, u64::MAX, 0, u64::MAX), u64::MAX);
}
