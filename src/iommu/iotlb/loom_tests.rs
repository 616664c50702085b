// SPDX-License-Identifier: GPL-2.0-or-later
//! Fill against invalidation against lookup, in every order that the memory model allows.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --lib loom`

use loom::sync::Arc;
use loom::thread;

use super::super::planted::planting::finds;
use super::*;

const TAG: Tag = Tag { domain: 0, space: 1 };
const ADDR: u64 = 0x1000;

struct Rig {
    iotlb: Iotlb,
    sequence: Sequence,
    /// The guest's table: the page's output number.
    table: AtomicU64,
}

#[derive(Clone, Copy)]
enum How {
    All,
    Domain,
    Space,
    Page,
    EverySpace,
}

fn rig(exact: bool) -> Arc<Rig> {
    Arc::new(Rig {
        iotlb: Iotlb::with_stamps(4, exact, 0, 0),
        sequence: Sequence::new(),
        table: AtomicU64::new(1),
    })
}

impl Rig {
    fn lookup(&self, now: Moment) -> Option<u64> {
        self.iotlb.lookup(now, TAG, ADDR).map(|page| {
            assert_eq!(page.output >> 12, u64::from(page.attributes), "torn");
            page.output >> 12
        })
    }

    /// What `Translator` does: the cached answer, or a walk whose result is entered.
    fn translate(&self, global: bool) -> u64 {
        let now = self.sequence.now();
        self.lookup(now).unwrap_or_else(|| {
            let value = self.table.load(Ordering::Relaxed);
            let attributes = u32::try_from(value).unwrap();
            let page =
                CachedPage { input: ADDR, output: value << 12, log2size: 12, global, kind: 0, attributes };
            let _ = self.iotlb.insert(&self.sequence, now, TAG, &page);
            value
        })
    }

    /// What the guest does: change the table, then ask for the invalidation.
    fn change(&self, value: u64, how: How) {
        self.table.store(value, Ordering::Relaxed);
        let at = self.sequence.advance();
        let span = Span::new(ADDR, ADDR | 0xfff);
        match how {
            How::All => self.iotlb.invalidate_all(at),
            How::Domain => self.iotlb.invalidate_domain(at, 0),
            How::Space => self.iotlb.invalidate_space(at, TAG),
            How::Page => self.iotlb.invalidate_span(at, 0, Some(1), &span),
            How::EverySpace => self.iotlb.invalidate_span(at, 0, None, &span),
        }
    }
}

fn explore(f: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    if model.preemption_bound.is_none() {
        model.preemption_bound = Some(3);
    }
    model.check(f);
}

/// A device translates while the guest changes the page: once the invalidation is complete nobody finds
/// the old answer.
fn fill_against(how: How, exact: bool, global: bool, warm: bool) {
    explore(move || {
        let rig = rig(exact);
        if warm {
            rig.translate(global);
        }
        let device = {
            let rig = rig.clone();
            thread::spawn(move || rig.translate(global))
        };
        rig.change(2, how);
        let during = rig.lookup(rig.sequence.now());
        assert_ne!(during, Some(1), "stale after its invalidation");
        let answer = device.join().unwrap();
        assert!(answer == 1 || answer == 2);
        assert_ne!(rig.lookup(rig.sequence.now()), Some(1), "a fill brought the stale entry back");
        assert_eq!(rig.translate(global), 2);
    });
}

#[test]
fn loom_page_invalidation() {
    fill_against(How::Page, false, false, false);
    fill_against(How::Page, false, false, true);
}

#[test]
fn loom_page_invalidation_of_a_global_page() {
    fill_against(How::Page, false, true, false);
    fill_against(How::Page, false, true, true);
}

#[test]
fn loom_space_invalidation() {
    fill_against(How::Space, false, false, false);
    fill_against(How::Space, true, false, false);
}

#[test]
fn loom_domain_and_all() {
    fill_against(How::Domain, false, true, false);
    fill_against(How::All, false, false, true);
}

#[test]
fn loom_every_space() {
    fill_against(How::EverySpace, false, false, true);
    fill_against(How::EverySpace, true, false, false);
}

/// Two devices and the guest.
#[test]
fn loom_two_fills_against_an_invalidation() {
    explore(|| {
        let rig = rig(false);
        let devices = [(); 2].map(|()| {
            let rig = rig.clone();
            thread::spawn(move || rig.translate(false))
        });
        rig.change(2, How::Page);
        for device in devices {
            let answer = device.join().unwrap();
            assert!(answer == 1 || answer == 2);
        }
        assert_eq!(rig.translate(false), 2);
    });
}

/// Readers of an entry that is being replaced find it whole or not at all.
#[test]
fn loom_no_torn_reads() {
    explore(|| {
        let rig = rig(false);
        rig.translate(false);
        let reader = {
            let rig = rig.clone();
            thread::spawn(move || {
                let now = rig.sequence.now();
                rig.lookup(now)
            })
        };
        rig.change(2, How::Page);
        rig.translate(false);
        let answer = reader.join().unwrap();
        assert!(matches!(answer, None | Some(1) | Some(2)));
    });
}

/// A translation that began before an address space changed hands does not find the new owner's pages:
/// configuration `1` means the first process, and only pages marked `1` are its own.
#[test]
fn loom_an_old_configuration_never_meets_a_new_page() {
    explore(|| {
        let rig = rig(false);
        let config = Arc::new(AtomicU64::new(1));
        let device = {
            let (rig, config) = (rig.clone(), config.clone());
            thread::spawn(move || {
                let now = rig.sequence.now();
                let owner = config.load(Ordering::Relaxed);
                let page = rig.lookup(now);
                assert!(page.is_none() || page == Some(owner), "{owner} was given a page of {page:?}");
            })
        };
        // The guest takes the first process off the device, and gives its ASID to the second.
        config.store(2, Ordering::Relaxed);
        let _ = rig.sequence.advance();
        rig.change(2, How::Space);
        rig.translate(false);
        device.join().unwrap();
    });
}

// Each of them with a defect that it has to find.

#[test]
fn loom_tests_find_a_late_fill() {
    for test in
        ["page_invalidation", "page_invalidation_of_a_global_page", "two_fills_against_an_invalidation"]
    {
        finds(&format!("iommu::iotlb::loom_tests::loom_{test}"), Defect::FillsLate);
    }
}

#[test]
fn loom_tests_find_a_stamp_that_is_forgotten() {
    for test in ["space_invalidation", "domain_and_all", "every_space"] {
        finds(&format!("iommu::iotlb::loom_tests::loom_{test}"), Defect::ForgetsStamp);
    }
}

#[test]
fn loom_no_torn_reads_finds_a_torn_one() {
    finds("iommu::iotlb::loom_tests::loom_no_torn_reads", Defect::ReadsTorn);
}

#[test]
fn loom_an_old_configuration_finds_a_page_that_is_too_young() {
    finds(
        "iommu::iotlb::loom_tests::loom_an_old_configuration_never_meets_a_new_page",
        Defect::TakesTooYoung,
    );
}
