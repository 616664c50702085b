// SPDX-License-Identifier: GPL-2.0-or-later
use super::*;

const NONE: Option<u32> = None;

fn filled(exact: bool, pairs: &[(u32, Option<u32>)]) -> (ContextCache<8>, Sequence) {
    let (cache, sequence) = (ContextCache::new(512, exact), Sequence::new());
    for (n, pair) in pairs.iter().enumerate() {
        assert!(cache.insert(&sequence, sequence.now(), *pair, [n as u64; 8]));
    }
    (cache, sequence)
}

fn left(
    cache: &ContextCache<8>,
    sequence: &Sequence,
    pairs: &[(u32, Option<u32>)],
) -> Vec<(u32, Option<u32>)> {
    pairs.iter().copied().filter(|(s, ss)| cache.lookup(sequence.now(), *s, *ss).is_some()).collect()
}

#[test]
fn no_substream_is_not_substream_zero() {
    let pairs = [(8, NONE), (8, Some(0)), (9, Some(0)), (8, Some(1))];
    let (cache, sequence) = filled(false, &pairs);
    for (n, (stream, substream)) in pairs.into_iter().enumerate() {
        assert_eq!(cache.lookup(sequence.now(), stream, substream), Some([n as u64; 8]));
    }
    assert_eq!(cache.lookup(sequence.now(), 9, NONE), None);
}

#[test]
fn an_invalidation_takes_what_it_names() {
    let pairs =
        [(8, NONE), (8, Some(0)), (8, Some(1)), (9, Some(1)), (0x1_0008, Some(1)), (0xffff_ffff, NONE)];
    for exact in [false, true] {
        let (cache, sequence) = filled(exact, &pairs);
        cache.invalidate_pair(sequence.advance(), 8, Some(1));
        assert_eq!(
            left(&cache, &sequence, &pairs),
            [(8, NONE), (8, Some(0)), (9, Some(1)), (0x1_0008, Some(1)), (0xffff_ffff, NONE)]
        );
        cache.invalidate_stream(sequence.advance(), 9);
        assert_eq!(
            left(&cache, &sequence, &pairs),
            [(8, NONE), (8, Some(0)), (0x1_0008, Some(1)), (0xffff_ffff, NONE)]
        );
        cache.invalidate_all(sequence.advance());
        assert_eq!(left(&cache, &sequence, &pairs), []);
    }
}

#[test]
fn streams_that_share_a_stamp_are_told_apart_when_exact() {
    let pairs = [(8, NONE), (0x1_0008, NONE)];
    for (exact, survivors) in [(false, 0), (true, 1)] {
        let (cache, sequence) = filled(exact, &pairs);
        cache.invalidate_stream(sequence.advance(), 0x1_0008);
        assert_eq!(left(&cache, &sequence, &pairs).len(), survivors);
    }
}

#[test]
fn ranges_of_streams() {
    let pairs = [(7, NONE), (8, NONE), (15, Some(3)), (16, NONE), (4096, NONE)];
    for exact in [false, true] {
        let (cache, sequence) = filled(exact, &pairs);
        cache.invalidate_streams(sequence.advance(), 8, 15);
        assert_eq!(left(&cache, &sequence, &pairs), [(7, NONE), (16, NONE), (4096, NONE)]);
        cache.invalidate_streams(sequence.advance(), 0, 1023);
        assert_eq!(left(&cache, &sequence, &pairs).contains(&(4096, NONE)), exact);
        assert!(left(&cache, &sequence, &pairs).len() <= 1);
    }
}

#[test]
fn every_pasid_of_a_busy_device_fits() {
    let pairs: Vec<_> = (0..256).map(|pasid| (0x20, Some(pasid))).collect();
    let (cache, sequence) = filled(false, &pairs);
    assert_eq!(left(&cache, &sequence, &pairs).len(), 256);
}
