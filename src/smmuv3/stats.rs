// SPDX-License-Identifier: GPL-2.0-or-later
//! What is counted, for the outside: the QOM property `stats`.

use crate::iommu::stats::stats;
pub(crate) use crate::iommu::stats::{add, add_alone};

stats! {
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
    /// `CMD_SYNC` completed.
    syncs "syncs",
}
