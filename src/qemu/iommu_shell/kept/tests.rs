// SPDX-License-Identifier: GPL-2.0-or-later

use super::*;
use crate::iommu::request::Permissions;

const PAGE: u64 = 0xfff;

fn to(addr: u64, page_mask: u64) -> Translation {
    Translation { addr, page_mask, perm: Permissions { read: true, write: true, exec: true } }
}

fn range(addr: u64, mask: u64) -> Range {
    Range { addr, mask }
}

fn kept(pages: &[u64]) -> Kept {
    let mut kept = Kept::default();
    for iova in pages {
        kept.answered(*iova, PAGE, &to(0x4000_0000 + iova, PAGE));
    }
    kept
}

fn same(iova: u64) -> Option<Translation> {
    Some(to(0x4000_0000 + iova, PAGE))
}

#[test]
fn what_stays_is_not_told() {
    let mut kept = kept(&[0x1000, 0x2000, 0x5000]);
    assert_eq!(kept.changed(same), Some(vec![]));
    // There is nothing between them.
    let run = vec![range(0x1000, PAGE), range(0x2000, 0x1fff), range(0x4000, 0x1fff)];
    assert_eq!(kept.changed(|_| None), Some(run));
    assert!(kept.is_empty());
}

#[test]
fn a_range_ends_before_what_stays() {
    let mut kept = kept(&[0x1000, 0x2000, 0x3000, 0x8000]);
    let told = kept.changed(|iova| if iova == 0x2000 { same(iova) } else { None });
    assert_eq!(
        told,
        Some(vec![range(0x1000, PAGE), range(0x3000, PAGE), range(0x4000, 0x3fff), range(0x8000, PAGE)])
    );
    assert_eq!(kept.changed(same), Some(vec![]));
    assert!(!kept.is_empty());
}

#[test]
fn every_difference_is_one() {
    let mut other = to(0x4000_1000, PAGE);
    other.perm.write = false;
    for now in [None, Some(to(0x5000_1000, PAGE)), Some(other), Some(to(0x4000_1000, 0x7ff))] {
        let mut kept = kept(&[0x1000]);
        assert_eq!(kept.changed(|_| now), Some(vec![range(0x1000, PAGE)]), "{now:?}");
    }
    let mut kept = kept(&[0x1000]);
    assert_eq!(kept.changed(|_| Some(to(0x4000_1000, u64::MAX))), Some(vec![]), "a larger page is the same");
}

#[test]
fn what_was_told_is_not_kept() {
    let mut kept = kept(&[0x1000, 0x2000, 0x3000]);
    kept.told(&[range(0x2000, PAGE)]);
    assert_eq!(kept.changed(|_| None), Some(vec![range(0x1000, PAGE), range(0x2000, 0x1fff)]));
    kept.answered(0x20_0000, 0x1f_ffff, &to(0x20_0000, 0x1f_ffff));
    kept.told(&[range(0x21_5000, PAGE)]);
    assert!(kept.is_empty(), "an answer that overlaps goes as a whole");
}

#[test]
fn too_much_is_everything() {
    let mut kept = Kept::default();
    for n in 0..=MOST as u64 {
        kept.answered(n << 12, PAGE, &to(n << 12, PAGE));
    }
    assert_eq!(kept.changed(|iova| Some(to(iova, PAGE))), None);
    assert!(kept.is_empty());
    for n in 0..2 * RANGES as u64 + 2 {
        kept.answered(n << 12, PAGE, &to(n << 12, PAGE));
    }
    let every_second = |iova: u64| (iova >> 12 & 1 != 0).then(|| to(iova, PAGE));
    assert_eq!(kept.changed(every_second), None);
    assert!(kept.is_empty());
}

#[test]
fn a_run_is_made_up_exactly() {
    let made = |first, last| {
        let mut ranges = Vec::new();
        push(Some((first, last)), &mut ranges);
        ranges
    };
    assert_eq!(made(0, u64::MAX), [range(0, u64::MAX >> 1), range(1 << 63, u64::MAX >> 1)]);
    assert_eq!(made(0x1000, 0x3fff), [range(0x1000, PAGE), range(0x2000, 0x1fff)]);
    assert_eq!(made(u64::MAX - PAGE, u64::MAX), [range(u64::MAX - PAGE, PAGE)]);
}

/// vhost listens to the other kind of notice, with what its backend has from before.
#[test]
fn another_kind_of_notice_takes_over() {
    let (mut unmapped, mut device) = (kept(&[0x1000]), Kept::default());
    device.take_over(core::mem::take(&mut unmapped));
    assert!(unmapped.is_empty());
    assert_eq!(device.changed(|_| None), Some(vec![range(0x1000, PAGE)]));
    // Both know of something: neither is the whole.
    let mut device = kept(&[0x5000]);
    device.take_over(kept(&[0x1000]));
    assert_eq!(device.changed(same), None);
    assert!(device.is_empty());
}
