// SPDX-License-Identifier: GPL-2.0-or-later
//! What is counted, for the outside: the QOM property `stats`.

use std::sync::atomic::AtomicU64;

use crate::iommu::stats::stats;
pub(crate) use crate::iommu::stats::{add, add_alone, get};

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
    /// Events without a record of their own: the last one in the queue is theirs as well.
    events_merged "events-merged",
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
    /// Page requests put in the PRI queue, stop markers included.
    page_requests "page-requests",
    /// Page responses of software.
    page_responses "page-responses",
    /// Of those, the ones that say no.
    page_responses_refused "page-responses-refused",
    /// Page requests that found no room in the queue.
    page_request_overflows "page-request-overflows",
    /// Page request groups that the SMMU itself answered.
    auto_responses "auto-responses",
    /// Translation requests.
    ats_requests "ats-requests",
    /// Translation requests without an answer that allows something.
    ats_failed "ats-failed",
    /// Invalidations sent to endpoints.
    ats_invalidations "ats-invalidations",
    /// Of those, the ones that were not answered in time.
    ats_timeouts "ats-timeouts",
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
    /// Bindings made and replaced at hosts, for assigned devices.
    nested_binds "nested-binds",
    /// Configurations of assigned devices that no host can have, or that a host failed at.
    nested_refused "nested-refused",
    /// Invalidations handed to hosts.
    nested_invalidations "nested-invalidations",
    /// Calls that did so.
    nested_calls "nested-calls",
    /// Faults of assigned devices that waited for software.
    nested_faults "nested-faults",
    /// Answers given to hosts.
    nested_responses "nested-responses",
    /// Events of hosts passed on.
    nested_events "nested-events",
    /// Events that hosts lost.
    nested_lost "nested-lost",
}

/// The counters that the model itself keeps; the translator has its own.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub events: AtomicU64,
    pub events_dropped: AtomicU64,
    pub events_merged: AtomicU64,
    pub stalls: AtomicU64,
    pub resumed_retry: AtomicU64,
    pub resumed_abort: AtomicU64,
    pub resumed_terminate: AtomicU64,
    pub stall_terms: AtomicU64,
    pub stalls_cancelled: AtomicU64,
    pub page_requests: AtomicU64,
    pub page_responses: AtomicU64,
    pub page_responses_refused: AtomicU64,
    pub page_request_overflows: AtomicU64,
    pub auto_responses: AtomicU64,
    pub ats_requests: AtomicU64,
    pub ats_failed: AtomicU64,
    pub ats_invalidations: AtomicU64,
    pub ats_timeouts: AtomicU64,
    pub commands: AtomicU64,
    pub syncs: AtomicU64,
}
