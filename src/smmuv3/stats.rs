// SPDX-License-Identifier: GPL-2.0-or-later
//! What is counted, for the outside: the QOM property `stats`.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! stats {
    ($($(#[$meta:meta])* $field:ident $name:literal),* $(,)?) => {
        /// Counters since the model was made; a reset does not clear them.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$meta])* pub $field: u64,)*
        }

        impl Stats {
            /// Every counter by name.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$(($name, self.$field)),*].into_iter()
            }
        }
    };
}

stats! {
    /// Requests while the SMMU was enabled.
    translations "translations",
    /// Answered from the IOTLB.
    iotlb_hits "iotlb-hits",
    /// Not in the IOTLB.
    iotlb_misses "iotlb-misses",
    /// Configuration found in the cache.
    config_hits "config-hits",
    /// Configuration read from memory.
    config_misses "config-misses",
    /// Table walks.
    walks "walks",
    /// Requests that faulted.
    faults "faults",
    /// Records written to the event queue.
    events "events",
    /// Records that were discarded: queue full, disabled or in error.
    events_dropped "events-dropped",
    /// Stall records written to the event queue. Each ends in one of the next four.
    stalls "stalls",
    /// Stalls answered by retry.
    resumed_retry "resumed-retry",
    /// Stalls answered by abort.
    resumed_abort "resumed-abort",
    /// Stalls answered by terminate.
    resumed_terminate "resumed-terminate",
    /// Recorded stalls ended by `CMD_STALL_TERM` or by switching the SMMU off.
    stall_terms "stall-terms",
    /// Stalled requests that their endpoint gave up.
    stalls_cancelled "stalls-cancelled",
    /// Commands consumed.
    commands "commands",
    /// Invalidations done in the caches.
    invalidations "invalidations",
    /// `CMD_SYNC` completed.
    syncs "syncs",
    /// Access flags set in tables.
    access_flag_updates "access-flag-updates",
    /// Pages made dirty in tables.
    dirty_updates "dirty-updates",
}

impl Stats {
    /// One JSON object, names as keys.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (name, value) in self.iter() {
            if json.len() > 1 {
                json.push(',');
            }
            json.push('"');
            json.push_str(name);
            json.push_str("\":");
            json.push_str(&value.to_string());
        }
        json.push('}');
        json
    }
}

/// The counters that the model itself keeps; the translator has its own.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub events: AtomicU64,
    pub events_dropped: AtomicU64,
    pub stalls: AtomicU64,
    pub resumed_retry: AtomicU64,
    pub resumed_abort: AtomicU64,
    pub resumed_terminate: AtomicU64,
    pub stall_terms: AtomicU64,
    pub stalls_cancelled: AtomicU64,
    pub commands: AtomicU64,
    pub syncs: AtomicU64,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// Reads a counter.
pub(crate) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[test]
fn json() {
    let json = Stats { stalls: 3, ..Stats::default() }.to_json();
    assert!(json.starts_with("{\"translations\":0,\"iotlb-hits\":0,"), "{json}");
    assert!(json.contains("\"stalls\":3,\"resumed-retry\":0,"), "{json}");
    assert!(json.ends_with("\"dirty-updates\":0}"), "{json}");
}
