// SPDX-License-Identifier: GPL-2.0-or-later
use super::*;

fn fill(cache: &SetCache<1>, sequence: &Sequence, index: u64, key: u64, value: u64) -> bool {
    cache.publish(index, [key, 1], (sequence, sequence.now()), [value], |_, _| false)
}

fn get(cache: &SetCache<1>, index: u64, key: u64) -> Option<u64> {
    cache.find(index, [key, 1]).map(|(_, [value])| value)
}

#[test]
fn sizes_are_rounded_up_to_whole_sets() {
    for (entries, sets) in [(0, 1), (1, 1), (4, 1), (5, 2), (4096, 1024), (4097, 2048)] {
        assert_eq!(SetCache::<1>::new(entries).sets(), sets);
    }
}

#[test]
fn one_entry_per_key() {
    let (cache, sequence) = (SetCache::new(4), Sequence::new());
    assert!(fill(&cache, &sequence, 0, 7, 1) && fill(&cache, &sequence, 0, 7, 2));
    assert_eq!(get(&cache, 0, 7), Some(2));
    let _ = sequence.advance();
    assert!(cache.remove(0, |key, _| key == [7, 1]));
    assert_eq!(get(&cache, 0, 7), None);
}

#[test]
fn a_full_set_evicts_one_entry_and_not_one_in_use() {
    let (cache, sequence) = (SetCache::new(4), Sequence::new());
    for key in 0..5 {
        assert!(fill(&cache, &sequence, 0, key, key));
    }
    assert_eq!((0..5).filter(|key| get(&cache, 0, *key).is_some()).count(), 4);
    assert_eq!(get(&cache, 0, 4), Some(4));

    // Key 4 is used between fills, and survives as many newcomers as come.
    for key in 5..50 {
        assert!(fill(&cache, &sequence, 0, key, key));
        assert_eq!(get(&cache, 0, 4), Some(4), "after {key}");
    }
}

#[test]
fn the_dead_are_evicted_first() {
    let (cache, sequence) = (SetCache::new(4), Sequence::new());
    for key in 0..4 {
        assert!(fill(&cache, &sequence, 0, key, key));
    }
    assert!(cache.publish(0, [9, 1], (&sequence, sequence.now()), [9], |key, _| key == [2, 1]));
    for (key, value) in [(0, Some(0)), (1, Some(1)), (2, None), (3, Some(3)), (9, Some(9))] {
        assert_eq!(get(&cache, 0, key), value);
    }
}

#[test]
fn a_fill_that_an_invalidation_overtook_publishes_nothing() {
    let (cache, sequence) = (SetCache::<1>::new(4), Sequence::new());
    let birth = sequence.now();
    let _ = sequence.advance();
    assert!(!cache.publish(0, [1, 1], (&sequence, birth), [1], |_, _| false));
    assert_eq!(get(&cache, 0, 1), None);
    // The lock is free again.
    assert!(fill(&cache, &sequence, 0, 1, 1));
}

#[test]
fn nobody_waits_for_a_locked_set() {
    let (cache, sequence) = (SetCache::new(4), Sequence::new());
    assert!(fill(&cache, &sequence, 0, 1, 1));
    let guard = cache.set(0).unwrap().try_lock().unwrap();
    assert_eq!(get(&cache, 0, 1), None);
    assert!(!fill(&cache, &sequence, 0, 2, 2));
    assert!(!cache.remove(0, |_, _| true));
    drop(guard);
    assert_eq!(get(&cache, 0, 1), Some(1));
}
