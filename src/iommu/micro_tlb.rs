// SPDX-License-Identifier: GPL-2.0-or-later
//! The micro-TLB: finished answers to the latest requests, good until the next invalidation of whatever kind.
//!
//! It stands before configuration cache and IOTLB, and only remembers what these two said: for one requester, one page and
//! one kind of access, where the page is and what is allowed there. An entry is valid at the moment it was made at and no
//! other, so nothing ever has to be removed from it: an invalidation moves time on. While an invalidation is on its way
//! through the caches, nothing is entered. Where invalidations are rare, a hit costs one cache line; where they are
//! frequent, the caches behind it answer.

use super::narrow::{low8, ones};
use super::planted::{self, Defect};
use super::request::{DmaRequest, Permissions, Translation};
use super::sequence::{Moment, Sequence, low_bits};
use super::sync::{AtomicU64, Ordering, fence};

/// Log2 of the number of entries: 64 KiB in all.
const ENTRIES_LOG2: u32 = 10;
const LOCKED: u64 = 1;

// The second word of a key: the page in 63:12, the access, and below
const VALID: u64 = 1 << 4;
const PAGE: u64 = !0xfff;

#[derive(Debug)]
#[cfg_attr(not(loom), repr(align(64)))]
struct Entry {
    /// Bit 0: somebody writes. Another version than before: somebody wrote.
    version: AtomicU64,
    key: [AtomicU64; 2],
    birth: AtomicU64,
    value: AtomicU64,
}

/// The table: one place for each request, which the latest one has.
#[derive(Debug)]
pub(crate) struct MicroTlb(Box<[Entry]>);

impl MicroTlb {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self::with_entries(ENTRIES_LOG2)
    }

    pub(crate) fn with_entries(log2: u32) -> Self {
        let zero = || AtomicU64::new(0);
        let entry = |_| Entry { version: zero(), key: [zero(), zero()], birth: zero(), value: zero() };
        Self((0..1u64.wrapping_shl(log2)).map(entry).collect())
    }

    fn entry(&self, [requester, page]: [u64; 2]) -> Option<&Entry> {
        // Neighbouring pages lie side by side; requesters are spread.
        let spread = requester.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        self.0.get(low_bits((page >> 12) ^ spread) & self.0.len().wrapping_sub(1))
    }

    /// The answer to this request, if it was entered and no invalidation has begun before `now` since.
    #[inline(always)]
    pub(crate) fn find(&self, now: Moment, req: &DmaRequest) -> Option<Translation> {
        let wanted = key(req);
        let entry = self.entry(wanted)?;
        let before = entry.version.load(Ordering::Acquire);
        let found = entry.key.each_ref().map(|word| word.load(Ordering::Relaxed));
        let (birth, value) = (entry.birth.load(Ordering::Relaxed), entry.value.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let same = entry.version.load(Ordering::Relaxed) == before && before & LOCKED == 0
            || planted::is(Defect::ReadsTorn);
        (same && found == wanted && birth == now.bits()).then(|| unpack(req, value))
    }

    /// The answer to a request, or that of the caches behind this, which is entered.
    #[inline(always)]
    pub(crate) fn find_or(
        &self,
        sequence: &Sequence,
        req: &DmaRequest,
        behind: impl FnOnce(Moment) -> Option<Translation>,
    ) -> Option<Translation> {
        let now = sequence.now();
        if let Some(translation) = self.find(now, req) {
            return Some(translation);
        }
        // While an invalidation is under way the caches may still say what it is about to take away.
        let at_rest = sequence.is_at_rest(now) || planted::is(Defect::EntersUnderWay);
        let translation = behind(now)?;
        if at_rest {
            self.enter(now, req, &translation);
        }
        Some(translation)
    }

    /// Enters an answer that was true at `now`, when the sequence [was at rest](super::sequence::Sequence::is_at_rest). Not
    /// if somebody else writes there.
    #[inline]
    pub(crate) fn enter(&self, now: Moment, req: &DmaRequest, translation: &Translation) {
        let key = key(req);
        let (Some(entry), Some(value)) = (self.entry(key), pack(translation)) else { return };
        let before = entry.version.load(Ordering::Relaxed);
        let locked = before | LOCKED;
        if before & LOCKED != 0
            || entry.version.compare_exchange(before, locked, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            return;
        }
        // A reader that sees one of the stores to come also sees the lock.
        fence(Ordering::Release);
        for (word, value) in entry.key.iter().zip(key) {
            word.store(value, Ordering::Relaxed);
        }
        entry.birth.store(now.bits(), Ordering::Relaxed);
        entry.value.store(value, Ordering::Relaxed);
        entry.version.store(before.wrapping_add(2), Ordering::Release);
    }
}

/// What a request is found by: requester and address space; page and access.
#[inline(always)]
fn key(req: &DmaRequest) -> [u64; 2] {
    // 32 bits of StreamID; a mark, and a SubstreamID of 20 bits.
    let space = req.substream.map_or(0, |substream| u64::from(substream) | 1 << 31);
    let access = req.access;
    let access = u64::from(access.read)
        | u64::from(access.write) << 1
        | u64::from(access.exec) << 2
        | u64::from(access.privileged) << 3;
    [(u64::from(req.stream) << 32) | space, (req.addr & PAGE) | VALID | access]
}

/// A translation as one word: the page's 4 KiB around the address in 63:12, log2 of its size in 8:3, permissions in 2:0.
/// `None`: it does not fit, as without translation.
#[inline(always)]
fn pack(translation: &Translation) -> Option<u64> {
    let log2size = u64::from(translation.page_mask.trailing_ones());
    if !(12..64).contains(&log2size) {
        return None;
    }
    let perm = translation.perm;
    let perm = u64::from(perm.read) | u64::from(perm.write) << 1 | u64::from(perm.exec) << 2;
    Some((translation.addr & PAGE) | log2size << 3 | perm)
}

#[inline(always)]
fn unpack(req: &DmaRequest, value: u64) -> Translation {
    Translation {
        addr: (value & PAGE) | (req.addr & !PAGE),
        page_mask: ones(u32::from(low8((value >> 3) & 0x3f))),
        perm: Permissions { read: value & 1 != 0, write: value & 2 != 0, exec: value & 4 != 0 },
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::super::request::Access;
    use super::*;

    fn request() -> impl Strategy<Value = DmaRequest> {
        let substream = prop_oneof![Just(None), (0u32..3).prop_map(Some), Just(Some(0xf_ffff))];
        let addr = (0u64..4, 0u64..0x1000).prop_map(|(page, offset)| (page << 12) | offset | 0xff << 56);
        let stream = prop_oneof![0u32..3, Just(u32::MAX)];
        (stream, substream, addr, any::<[bool; 4]>()).prop_map(
            |(stream, substream, addr, [read, write, exec, privileged])| DmaRequest {
                stream,
                substream,
                addr,
                access: Access { read, write, exec, privileged },
                tag: None,
            },
        )
    }

    fn translation() -> impl Strategy<Value = Translation> {
        (any::<u64>(), 12u32..64, any::<[bool; 3]>()).prop_map(|(addr, log2, [read, write, exec])| {
            Translation { addr, page_mask: (1 << log2) - 1, perm: Permissions { read, write, exec } }
        })
    }

    proptest! {
        /// What is found is what was entered for the same requester, page and access at the same moment.
        #[test]
        fn nothing_but_what_was_entered(
            history in proptest::collection::vec((request(), translation(), any::<bool>()), 1..60),
            asked in request(),
        ) {
            let (tlb, sequence) = (MicroTlb::with_entries(2), Sequence::new());
            let mut entered = Vec::new();
            for (req, translation, invalidates) in history {
                if invalidates {
                    let _ = sequence.advance();
                    entered.clear();
                }
                tlb.enter(sequence.now(), &req, &translation);
                prop_assert_eq!(
                    tlb.find(sequence.now(), &req),
                    Some(Translation { addr: (translation.addr & PAGE) | (req.addr & !PAGE), ..translation })
                );
                entered.push((req, translation));
            }
            if let Some(found) = tlb.find(sequence.now(), &asked) {
                let same = |(req, _): &&(DmaRequest, Translation)| {
                    let page = DmaRequest { addr: req.addr & PAGE, ..*req };
                    page == DmaRequest { addr: asked.addr & PAGE, ..asked }
                };
                let (_, latest) = entered.iter().rev().find(same).expect("entered since the last invalidation");
                prop_assert_eq!(found.addr & PAGE, latest.addr & PAGE);
                prop_assert_eq!((found.page_mask, found.perm), (latest.page_mask, latest.perm));
            }
        }
    }

    #[test]
    fn what_passes_untranslated_is_not_entered() {
        let (tlb, sequence) = (MicroTlb::new(), Sequence::new());
        let req =
            DmaRequest { stream: 1, substream: None, addr: 0x5000, access: Access::default(), tag: None };
        let everything = Permissions { read: true, write: true, exec: true };
        tlb.enter(sequence.now(), &req, &Translation { addr: 0x5000, page_mask: u64::MAX, perm: everything });
        assert_eq!(tlb.find(sequence.now(), &req), None);
    }
}

/// Every interleaving: `RUSTFLAGS="--cfg loom" cargo test --release --lib loom`.
#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::super::planted::planting::finds;
    use super::super::request::Access;
    use super::*;

    fn request(page: u64) -> DmaRequest {
        let access = Access { read: true, ..Access::default() };
        DmaRequest { stream: 1, substream: None, addr: page << 12, access, tag: None }
    }

    fn answer(page: u64) -> Translation {
        let perm = Permissions { read: true, ..Permissions::default() };
        Translation { addr: page << 20, page_mask: 0xfff, perm }
    }

    /// Two requests share a place: a request that finds something finds a whole answer of its own.
    #[test]
    fn no_entry_is_torn() {
        loom::model(|| {
            let shared = Arc::new((MicroTlb::with_entries(0), Sequence::new()));
            let (tlb, sequence) = &*shared;
            tlb.enter(sequence.now(), &request(1), &answer(1));
            let other = Arc::clone(&shared);
            let thread = thread::spawn(move || {
                let (tlb, sequence) = &*other;
                tlb.enter(sequence.now(), &request(2), &answer(2));
            });
            for page in [1, 2] {
                if let Some(found) = tlb.find(sequence.now(), &request(page)) {
                    assert_eq!(found, answer(page));
                }
            }
            thread.join().unwrap();
            assert_eq!(tlb.find(sequence.now(), &request(2)), Some(answer(2)));
        });
    }

    #[test]
    fn no_entry_is_torn_finds_a_torn_one() {
        finds("iommu::micro_tlb::loom_tests::no_entry_is_torn", Defect::ReadsTorn);
    }

    /// A page is invalidated: a request that comes afterwards does not find it, though one that found it in the cache behind,
    /// where it goes a little later than the moment moves on, may enter it late.
    #[test]
    fn what_was_invalidated_is_not_found() {
        loom::model(|| {
            let cached = AtomicU64::new(1);
            let shared = Arc::new((MicroTlb::with_entries(0), Sequence::new(), cached));
            let other = Arc::clone(&shared);
            let thread = thread::spawn(move || {
                let (tlb, sequence, cached) = &*other;
                let behind = |_| (cached.load(Ordering::Relaxed) == 1).then(|| answer(1));
                let _ = tlb.find_or(sequence, &request(1), behind);
            });
            let (tlb, sequence, cached) = &*shared;
            sequence.invalidate(|_| cached.store(0, Ordering::Relaxed));
            assert_eq!(tlb.find(sequence.now(), &request(1)), None);
            thread.join().unwrap();
            assert_eq!(tlb.find(sequence.now(), &request(1)), None);
        });
    }

    #[test]
    fn what_was_invalidated_is_not_found_finds_a_late_entry() {
        finds("iommu::micro_tlb::loom_tests::what_was_invalidated_is_not_found", Defect::EntersUnderWay);
    }
}
