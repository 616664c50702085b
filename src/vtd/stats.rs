// SPDX-License-Identifier: GPL-2.0-or-later
//! What is counted, for the outside: the QOM property `stats`.

use std::sync::atomic::AtomicU64;

use crate::iommu::stats::stats;
pub(crate) use crate::iommu::stats::{add, add_alone, get};

stats! {
    /// Requests while translation was enabled.
    translations "translations",
    /// Answered from the IOTLB.
    iotlb_hits "iotlb-hits",
    /// Not in the IOTLB.
    iotlb_misses "iotlb-misses",
    /// Context and PASID entry found in the cache.
    config_hits "config-hits",
    /// Context and PASID entry read from memory.
    config_misses "config-misses",
    /// Table walks.
    walks "walks",
    /// Requests that faulted.
    faults "faults",
    /// Faults put in a recording register, those of interrupts included.
    fault_records "fault-records",
    /// Faults that were not: no register was free, or one like them was there already.
    faults_dropped "faults-dropped",
    /// Page requests put in the queue, stop markers included.
    page_requests "page-requests",
    /// Page group responses of software.
    page_responses "page-responses",
    /// Of those, the ones that say no.
    page_responses_refused "page-responses-refused",
    /// Page requests that found no room in the queue.
    page_request_overflows "page-request-overflows",
    /// Page request groups that the unit itself answered.
    auto_responses "auto-responses",
    /// Translation requests.
    ats_requests "ats-requests",
    /// Translation requests without an answer that allows something.
    ats_failed "ats-failed",
    /// Invalidations sent to endpoints.
    device_tlb_invalidations "device-tlb-invalidations",
    /// Of those, the ones that no answer came to in time.
    device_tlb_timeouts "device-tlb-timeouts",
    /// Descriptors consumed.
    descriptors "descriptors",
    /// Invalidations done in the caches.
    invalidations "invalidations",
    /// Wait descriptors completed.
    waits "waits",
    /// Interrupts remapped.
    interrupts_remapped "interrupts-remapped",
    /// Interrupts noted in posted interrupt descriptors.
    interrupts_posted "interrupts-posted",
    /// Notifications sent of them.
    posted_notifications "posted-notifications",
    /// Interrupts blocked.
    interrupts_blocked "interrupts-blocked",
    /// Accessed flags set in tables.
    access_flag_updates "access-flag-updates",
    /// Dirty flags set in tables.
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
    pub fault_records: AtomicU64,
    pub faults_dropped: AtomicU64,
    pub page_requests: AtomicU64,
    pub page_responses: AtomicU64,
    pub page_responses_refused: AtomicU64,
    pub page_request_overflows: AtomicU64,
    pub auto_responses: AtomicU64,
    pub ats_requests: AtomicU64,
    pub ats_failed: AtomicU64,
    pub device_tlb_invalidations: AtomicU64,
    pub device_tlb_timeouts: AtomicU64,
    pub descriptors: AtomicU64,
    pub waits: AtomicU64,
    pub interrupts_remapped: AtomicU64,
    pub interrupts_posted: AtomicU64,
    pub posted_notifications: AtomicU64,
    pub interrupts_blocked: AtomicU64,
}
