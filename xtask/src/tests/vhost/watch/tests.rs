// SPDX-License-Identifier: GPL-2.0-or-later

use super::*;

/// One region of 64 KiB at 0x7000_0000 in QEMU.
fn state() -> (State, File) {
    let path = std::env::temp_dir().join(format!("qemu-iommu-watch-{:?}", std::thread::current().id()));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file.set_len(1 << 16).unwrap();
    let region = Region { size: 1 << 16, address: 0x7000_0000, offset: 0, file: file.try_clone().unwrap() };
    (State { regions: vec![region], ..State::default() }, file)
}

fn page(n: u64) -> Entry {
    Entry { size: 0x1000, address: 0x7000_0000 + n * 0x1000 }
}

#[test]
fn what_is_right_is_no_problem() {
    let (mut state, _) = state();
    state.missing.push((0x5008, 0));
    state.update(0x5000, page(1));
    state.update(0x5000, page(1));
    assert!(state.missing.is_empty());
    state.invalidate(0x5000, 0x1000, true);
    state.update(0x5000, page(2));
    state.invalidate(0, 1 << 63, true);
    state.invalidate(1 << 63, 1 << 63, true);
    assert!(state.problems.is_empty() && state.entries.is_empty(), "{:?}", state.problems);
    assert_eq!((state.counts.updates, state.counts.invalidations, state.counts.halves), (3, 3, 2));
}

/// What a fault is reported as, and how it is made.
type Fault = (&'static str, fn(&mut State));

#[test]
fn every_fault_is_one() {
    let faults: &[Fault] = &[
        ("invalidation: 0x0, 0x0 bytes", |state| state.invalidate(0, 0, true)),
        ("invalidation: 0x8000000000000000", |state| state.invalidate(1 << 63, (1 << 63) + 1, true)),
        ("QEMU does not wait", |state| state.invalidate(0x5000, 0x1000, false)),
        ("in no region", |state| state.update(0x5000, Entry { size: 0x2000, ..page(15) })),
        ("in no region", |state| state.update(0x5000, Entry { size: 0, ..page(0) })),
        ("never taken back", |state| {
            state.update(0x5000, page(1));
            state.update(0x5000, page(2));
        }),
        ("never taken back", |state| {
            state.update(0x4000, Entry { size: 0x2000, ..page(0) });
            state.update(0x5000, page(0));
        }),
        ("is missing since", |state| {
            state.missing.push((0x9000, 0));
            (0..=PATIENCE).for_each(|_| state.update(0x5000, page(1)));
        }),
    ];
    for (words, fault) in faults {
        let (mut state, _) = state();
        fault(&mut state);
        assert!(
            state.problems.iter().any(|problem| problem.contains(words)),
            "{words}: {:?}",
            state.problems
        );
    }
}

#[test]
fn a_page_that_is_written_after_it_was_forgotten_is_noticed() {
    let (mut state, file) = state();
    state.stays(&[page(3)]);
    assert!(state.problems.is_empty() && state.counts.looked_at == 0x1000);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0u64.. {
                file.write_all_at(&n.to_le_bytes(), 0x3100).unwrap();
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
            }
        });
        while state.problems.is_empty() {
            state.stays(&[page(2), page(3)]);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(state.problems[0].contains("0x70003000"), "{:?}", state.problems);
}
