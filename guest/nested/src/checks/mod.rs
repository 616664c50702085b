// SPDX-License-Identifier: GPL-2.0-or-later
//! The checks, in the order in which they run.

mod batches;
mod conformance;
mod ends;
mod events;
mod faults;
mod invalidations;
mod pasids;
mod streams;

use sva_guest::report::CheckResult;

use crate::mock;

/// One check.
#[derive(Debug)]
pub struct Check {
    /// Its name in every report.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// Only on this machine (`uname -m`).
    pub on: Option<&'static str>,
    /// The check itself; runs in a process of its own.
    pub run: fn() -> CheckResult,
}

const ARM: Option<&str> = Some("aarch64");
const INTEL: Option<&str> = Some("x86_64");

const fn both(name: &'static str, about: &'static str, run: fn() -> CheckResult) -> Check {
    Check { name, about, on: None, run }
}

const fn only(
    on: Option<&'static str>,
    name: &'static str,
    about: &'static str,
    run: fn() -> CheckResult,
) -> Check {
    Check { name, about, on, run }
}

/// Where the endpoint has ATS.
pub const DEVICE_CACHES: &str = "device-caches";

/// Every check.
pub const ALL: &[Check] = &[
    both("mock-marshalling", "structures to the kernel and back, by its mock device", mock::marshalling),
    both("mock-nested-tables", "nested tables, and the cache of each", mock::nested_tables),
    both("mock-partial", "an array of invalidations that fails in the middle", mock::partial),
    both("mock-faults", "a fault queue: read, answered once, given up with its table", mock::faults),
    both("mock-events", "an event queue: order, and what was lost", mock::events),
    both("mock-pasids", "PASIDs attached, replaced, detached; ENOMEM leaves the old table", mock::pasids),
    both("conformance", "what every host keeps to about devices, names and bindings", conformance::rules),
    both("parent-only", "stage 2 alone: guest-physical addresses", streams::parent_only),
    both(
        "abort-bypass-translate",
        "every configuration in place of every other, before the device has a name too",
        streams::configurations,
    ),
    only(
        ARM,
        "cd-tables",
        "CD tables in every shape, without PASIDs, and what becomes of requests without one",
        streams::cd_tables,
    ),
    only(
        INTEL,
        "pasid-directory",
        "a guest's PASID directory, bound by walking it, and walked again",
        streams::pasid_directory,
    ),
    both("table-of-2018", "bind_pasid_table as it was proposed in 2018", streams::table_of_2018),
    both("pasid-and-none", "one address, with and without PASID", pasids::with_and_without),
    only(INTEL, "pasids-apart", "PASIDs attached, replaced, detached, each for itself", pasids::apart),
    both(
        "stale-until-invalidated",
        "a changed page is the old one until it is invalidated, then the new one",
        invalidations::stale,
    ),
    both(DEVICE_CACHES, "translations that the device keeps by ATS", invalidations::device_caches),
    both("partial-batch", "a batch that fails in the middle was done up to there", invalidations::partial),
    only(ARM, "virtual-stream-ids", "commands name devices as the guest does", invalidations::names),
    both("batched", "as many invalidations in one call, by count and by time", batches::batched),
    only(ARM, "events", "F_TRANSLATION, C_BAD_CD, C_BAD_SUBSTREAMID, and what was lost", events::events),
    only(INTEL, "events-none", "VT-d's faults do not come to a VMM", events::none),
    both("faults", "faults that wait: mended, refused", faults::answered),
    both("fault-after-unbind", "faults that are open when a binding ends", faults::given_up),
    both("stage-2-unmap", "what stage 2 takes away is not reached any more", ends::stage_2),
    both("reset", "a reset with everything bound", ends::reset),
    both("orders-of-the-end", "bindings, device and host dropped in every order", ends::orders),
    both("embedded", "somebody else's iommufd, stage 2 and device", ends::embedded),
    both("attach-fails", "a table that cannot be attached leaves the old one", ends::attach_fails),
    both("device-gone", "the device's file is closed while bound", ends::device_gone),
    both("descriptors-closed", "the iommufd and its queues are closed", ends::closed),
];
