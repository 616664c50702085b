// SPDX-License-Identifier: GPL-2.0-or-later
//! Domains of which first-stage or nested pages have been handed out: caches outside know these by addresses that a
//! page-selective invalidation of the domain does not name.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Words of a bit for each domain-id.
const WORDS: usize = 1 << 10;

/// A set of domain-ids. Walks enter a domain before what they found is cached or answered; an invalidation of all of the
/// domain's pages takes it out.
#[derive(Debug)]
pub(super) struct Domains {
    words: Box<[AtomicU64]>,
    /// There has been one since the set was emptied, which is not worth while otherwise.
    any: AtomicBool,
}

impl Domains {
    pub fn new() -> Self {
        Self {
            words: core::iter::repeat_with(|| AtomicU64::new(0)).take(WORDS).collect(),
            any: AtomicBool::new(false),
        }
    }

    fn word(&self, did: u16) -> Option<(&AtomicU64, u64)> {
        Some((self.words.get(usize::from(did >> 6))?, 1u64.wrapping_shl(u32::from(did & 0x3f))))
    }

    pub fn insert(&self, did: u16) {
        if let Some((word, bit)) = self.word(did)
            && word.load(Ordering::Relaxed) & bit == 0
        {
            word.fetch_or(bit, Ordering::Relaxed);
            self.any.store(true, Ordering::Release);
        }
    }

    pub fn contains(&self, did: u16) -> bool {
        self.word(did).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    pub fn remove(&self, did: u16) {
        if self.contains(did)
            && let Some((word, bit)) = self.word(did)
        {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    pub fn clear(&self) {
        if self.any.swap(false, Ordering::Acquire) {
            self.words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        }
    }
}

#[test]
fn a_set_of_every_domain() {
    let domains = Domains::new();
    for did in [0, 63, 64, 0xffff] {
        assert!(!domains.contains(did));
        domains.insert(did);
        assert!(domains.contains(did));
    }
    domains.remove(63);
    domains.remove(1);
    assert!(!domains.contains(63) && domains.contains(64));
    domains.clear();
    assert!(!domains.contains(0) && !domains.contains(0xffff));
    domains.insert(7);
    domains.clear();
    assert!(!domains.contains(7));
}
