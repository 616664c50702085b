// SPDX-License-Identifier: GPL-2.0-or-later
//! What the translators of the models have in common: what models ask of them, where the registers say that the tables are,
//! and what is counted.

use super::counters::Counters;
use super::{AtsTranslation, DmaRequest, GuestMemory, Translation};

/// What translates. A model is generic in it so that tests of the one need not set up the other.
pub trait Translate: Send + Sync {
    /// Where the tables are.
    type Tables;
    /// What becomes of a request that is refused.
    type Fault;
    /// What software invalidates.
    type Invalidation;

    /// Translates one untranslated request.
    ///
    /// # Errors
    /// The fault, to be recorded, stalled or dropped as it says.
    fn translate(
        &self,
        mem: &dyn GuestMemory,
        tables: &(dyn CurrentTables<Self::Tables> + '_),
        req: &DmaRequest,
    ) -> Result<Translation, Self::Fault>;

    /// The answer, if the caches have it and it is a translation. It is that of a moment during the call.
    fn cached_translation(&self, _req: &DmaRequest) -> Option<Translation> {
        None
    }

    /// Answers a translation request. `req.access` says what for: writes unless the no-write flag is set, and whether
    /// execute and privileged permissions are asked for. Permissions that are not there are not a fault. Where writes are
    /// granted the page is made dirty at once, for no write through the endpoint's own cache will be seen.
    ///
    /// # Errors
    /// The fault, where no page request could mend it: the completion says so, and it is recorded as it says. Recoverable
    /// faults are an answer without permissions.
    fn ats_translate(
        &self,
        mem: &dyn GuestMemory,
        tables: &(dyn CurrentTables<Self::Tables> + '_),
        req: &DmaRequest,
    ) -> Result<AtsTranslation, Self::Fault>;

    /// Does what an invalidation asks for. Once this has returned, no translation that begins finds what was named; those
    /// under way may, until they end.
    fn invalidate(&self, what: &Self::Invalidation);

    /// Forgets everything. The counters go on.
    fn reset(&self);

    /// The counters.
    fn stats(&self) -> TranslatorStats;
}

/// Where the registers say that the tables are.
///
/// Asked anew in each attempt that reads tables. What was sampled before the attempt began could be what was there before
/// an invalidation that the attempt does not see, and its entries would be cached after it: so let this read the
/// registers, unless they cannot change meanwhile.
pub trait CurrentTables<T> {
    /// Where the tables are, now.
    fn tables(&self) -> T;
}

impl<T, F: Fn() -> T> CurrentTables<T> for F {
    fn tables(&self) -> T {
        self()
    }
}

/// Counters since the model was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TranslatorStats {
    /// Requests, translation requests too.
    pub translations: u64,
    /// Answered from the IOTLB.
    pub iotlb_hits: u64,
    /// Looked for in the IOTLB in vain, or found without the permission that the request needs.
    pub iotlb_misses: u64,
    /// Configurations found in the cache.
    pub config_hits: u64,
    /// Configurations read from memory.
    pub config_misses: u64,
    /// Table walks, repeated ones too.
    pub walks: u64,
    /// Requests that faulted, translation requests that a page request could help too.
    pub faults: u64,
    /// Attempts that an invalidation overlapped.
    pub retries: u64,
    /// Access flags set.
    pub access_flag_updates: u64,
    /// Pages made dirty.
    pub dirty_updates: u64,
    /// Invalidations done in the caches.
    pub invalidations: u64,
}

impl TranslatorStats {
    /// What is for the outside, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("translations", self.translations),
            ("iotlb-hits", self.iotlb_hits),
            ("iotlb-misses", self.iotlb_misses),
            ("config-hits", self.config_hits),
            ("config-misses", self.config_misses),
            ("walks", self.walks),
            ("faults", self.faults),
            ("access-flag-updates", self.access_flag_updates),
            ("dirty-updates", self.dirty_updates),
            ("invalidations", self.invalidations),
        ]
        .into_iter()
    }
}

/// What can be counted, as an index.
pub(crate) mod counter {
    /// IOTLB hits with a cached configuration: the one counter on that path.
    pub const QUICK: usize = 0;
    pub const SLOW: usize = 1;
    pub const SLOW_HITS: usize = 2;
    pub const IOTLB_MISSES: usize = 3;
    pub const CONFIG_MISSES: usize = 4;
    pub const WALKS: usize = 5;
    pub const FAULTS: usize = 6;
    pub const RETRIES: usize = 7;
    pub const ACCESS_FLAGS: usize = 8;
    pub const DIRTY: usize = 9;
    pub const INVALIDATIONS: usize = 10;
    pub const COUNT: usize = 11;
}

/// The counters of a translator.
pub(crate) type TranslatorCounters = Counters<{ counter::COUNT }>;

/// Where an answer comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// The configuration was cached.
    pub config_hit: bool,
    /// What the IOTLB had to do with it.
    pub iotlb: Lookup,
}

/// What the IOTLB had to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// It was not asked.
    Unused,
    /// It knew.
    Hit,
    /// It did not know.
    Miss,
}

impl TranslatorCounters {
    /// Counts an answer that did not come by the quick path.
    pub(crate) fn answered(&self, origin: Origin, is_fault: bool) {
        self.count(counter::SLOW);
        match origin.iotlb {
            Lookup::Hit => self.count(counter::SLOW_HITS),
            Lookup::Miss => self.count(counter::IOTLB_MISSES),
            Lookup::Unused => {}
        }
        if !origin.config_hit {
            self.count(counter::CONFIG_MISSES);
        }
        if is_fault {
            self.count(counter::FAULTS);
        }
    }

    /// Counts what a walk changed.
    pub(crate) fn updated(&self, accessed: bool, dirtied: bool) {
        if accessed {
            self.count(counter::ACCESS_FLAGS);
        }
        if dirtied {
            self.count(counter::DIRTY);
        }
    }

    /// A reading.
    pub(crate) fn stats(&self) -> TranslatorStats {
        let [
            quick,
            slow,
            slow_hits,
            iotlb_misses,
            config_misses,
            walks,
            faults,
            retries,
            access_flag_updates,
            dirty_updates,
            invalidations,
        ] = self.read();
        let translations = quick.saturating_add(slow);
        TranslatorStats {
            translations,
            iotlb_hits: quick.saturating_add(slow_hits),
            iotlb_misses,
            config_hits: translations.saturating_sub(config_misses),
            config_misses,
            walks,
            faults,
            retries,
            access_flag_updates,
            dirty_updates,
            invalidations,
        }
    }
}

#[test]
fn quick_hits_are_hits_of_both_caches() {
    let counters = TranslatorCounters::new();
    counters.count(counter::QUICK);
    counters.answered(Origin { config_hit: true, iotlb: Lookup::Hit }, false);
    counters.answered(Origin { config_hit: false, iotlb: Lookup::Miss }, true);
    counters.answered(Origin { config_hit: true, iotlb: Lookup::Unused }, true);
    let stats = counters.stats();
    assert_eq!((stats.translations, stats.iotlb_hits, stats.iotlb_misses), (4, 2, 1));
    assert_eq!((stats.config_hits, stats.config_misses, stats.faults), (3, 1, 2));
}
