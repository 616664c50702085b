// SPDX-License-Identifier: GPL-2.0-or-later
//! What is counted, for the outside: the QOM property `stats`.

use crate::iommu::stats::stats;
pub(crate) use crate::iommu::stats::{add, add_alone};

stats! {
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
}
