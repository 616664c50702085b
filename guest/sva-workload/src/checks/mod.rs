// SPDX-License-Identifier: GPL-2.0-or-later
//! The checks, in the order in which they run.

mod counters;
mod dirty;
mod driver;
mod echo;
mod faults;
mod huge;
mod kernel;
mod mappings;
mod moving;
mod nested;
mod network;
mod operations;
mod ordinary;
mod processes;
mod refusals;
mod reported;
mod sharing;
mod storm;
mod units;

use crate::report::CheckResult;
use crate::session::Context;

/// What a check cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it always runs.
    Nothing,
    /// The device; without one it fails.
    Device,
    /// A process bound to the device.
    Bound,
    /// An IOMMU and a kernel that resolve page faults.
    Faults,
    /// A bound process, and nobody that resolves page faults; elsewhere it runs only when it is named.
    NoFaults,
}

/// One check.
#[derive(Debug)]
pub struct Check {
    /// Its name in every report.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// What it cannot do without.
    pub needs: Needs,
    /// The check itself; runs in a process of its own.
    pub run: fn(&Context) -> CheckResult,
}

/// The check whose failure means that the others cannot run.
pub const FIRST: &str = "bind-and-pasid";
/// Checks that run only when they are named.
pub const ON_REQUEST: &[&str] = &[
    "kill-mid-fault",
    "prefetch",
    "every-function",
    "pri-storm",
    "page-request-denied",
    "dirty-again",
    "virtio-disk",
    "nvme-disk",
    "network",
    "echo",
    "entropy",
];
/// Checks of the reference driver: they run where it is loaded, or when they are named.
pub const OF_DRIVER: &[&str] = &["many-processes", "kernel-pasid", "driver-faults"];
/// Names for several checks.
pub const GROUPS: &[(&str, &[&str])] =
    &[("ordinary-io", &["virtio-disk", "nvme-disk", "network", "entropy"])];
/// The check that always runs, at the end.
pub const LAST: &str = "kernel-clean";

macro_rules! checks {
    ($($name:literal, $needs:ident, $run:path, $about:literal;)*) => {
        /// All checks.
        pub const ALL: &[Check] = &[$(Check { name: $name, about: $about, needs: Needs::$needs, run: $run }),*];
    };
}

checks! {
    "bind-and-pasid", Device, operations::bind_and_pasid, "a process is bound and gets a PASID that fits";
    "copy-malloc", Bound, operations::copy_malloc, "copies between malloc buffers, byte-exact at odd sizes and offsets";
    "fill", Bound, operations::fill, "fills memory with a pattern and nothing beyond";
    "compare", Bound, operations::compare, "finds the first difference between two buffers";
    "crc32c", Bound, operations::crc32c, "checksums agree with the CPU's";
    "cas", Bound, operations::cas, "atomic counter contended by CPU and device";
    "scatter-gather", Bound, operations::scatter_gather, "gathers, scatters, and both at once";
    "interrupt", Bound, operations::interrupt, "MSI-X reaches the process";
    "engines", Bound, operations::engines, "all engines work side by side";
    "fault-reported", Bound, reported::fault_reported, "the kernel tells of refused accesses: device, PASID, address";
    "untouched-refused", NoFaults, faults::untouched_refused, "where nobody resolves page faults: a clean error, and touched memory works";
    "first-touch", Faults, faults::first_touch, "untouched memory: a page fault a page";
    "prefetch", Faults, faults::prefetch, "on request: several page requests at once, in one group and in several";
    "ring-in-untouched-memory", Faults, faults::untouched_ring, "ring and completion records fault too";
    "read-only-refused", Bound, refusals::read_only, "a device write to read-only memory is refused";
    "fork-cow", Faults, moving::fork_cow, "copy on write after fork, both ways";
    "munmap", Bound, mappings::munmap, "after munmap accesses fail and never reach the old page";
    "munmap-remap", Bound, mappings::remap, "a new mapping at an old address shows new memory at once";
    "mprotect-down-up", Bound, mappings::mprotect, "rights taken away and given back";
    "mremap", Bound, mappings::mremap, "memory moved to another address";
    "mmap-file", Faults, mappings::mmap_file, "shared and private file mappings, truncation";
    "thp", Faults, huge::thp, "transparent huge pages: fault, split, collapse under DMA";
    "hugetlb", Faults, huge::hugetlb, "hugetlb pages";
    "migrate-pages", Faults, moving::migrate, "pages change their frames under DMA";
    "swap", Faults, moving::swap, "swapped out and in under DMA";
    "ksm", Faults, moving::ksm, "merged pages are unshared by a device write";
    "copy-sizes", Faults, faults::copy_sizes, "64 KiB to 64 MiB across fault boundaries";
    "unmapped-address", Bound, refusals::unmapped, "an unmapped address ends in a clean error";
    "no-pasid-refused", Bound, refusals::no_pasid, "requests without PASID reach no process memory";
    "other-pasid-refused", Bound, refusals::other_pasid, "a PASID that nobody owns is refused";
    "privileged", Bound, refusals::privileged, "privileged requests get no more than they may";
    "execute", Faults, refusals::execute, "instruction fetches from non-executable memory are refused";
    "cancel", Faults, processes::cancel, "cancel ends a fault storm, and the PASID works again afterwards";
    "kill-mid-dma", Faults, processes::kill_mid_dma, "a process dies in mid-DMA; nothing reaches its PASID's next owner";
    "kill-mid-fault", Faults, processes::kill_mid_fault, "on request: it dies with page faults open, which Linux 7.2 on Arm may not survive";
    "many-devices", Bound, processes::many_devices, "one process, several devices, one PASID";
    "every-function", Device, units::every_function, "on request: one process and every function, whatever its IOMMU can do";
    "many-devices-invalidate", Bound, sharing::invalidation, "what the process takes away is gone on every device of its PASID";
    "multi-process", Faults, processes::multi_process, "several processes and devices at once";
    "bind-unbind-1000", Bound, processes::bind_unbind, "a thousand rounds without a leak";
    "many-processes", Device, driver::many_processes, "with the reference driver: 64 processes on one function, some killed";
    "kernel-pasid", Device, driver::kernel_pasid, "with the reference driver: DMA of the kernel with its own PASID";
    "driver-faults", Device, driver::driver_faults, "with the reference driver: page faults that come to the driver";
    "pri-storm", Faults, storm::storm, "on request: 10000 page faults on four functions while processes unmap, fork and die";
    "dirty-tracking", Device, dirty::dirty_tracking, "iommufd: the dirty flags are the pages that a device has written";
    "nested", Device, nested::nested, "iommufd: page tables of this process's own under the kernel's";
    "performance-counters", Bound, counters::counters, "perf counts what the device did, for its StreamID and no other";
    "dirty-again", Device, dirty::dirty_again, "on request: and pages written again are dirty again, which Linux 7.2 on Arm does not see";
    "virtio-disk", Nothing, ordinary::virtio_disk, "on request: checked reads and writes of a virtio disk";
    "nvme-disk", Nothing, ordinary::nvme_disk, "on request: checked reads and writes of an NVMe disk";
    "network", Nothing, network::frames, "on request: checked frames between two network cards";
    "echo", Nothing, echo::frames, "on request: checked frames that a network card's other end sends back";
    "entropy", Nothing, ordinary::entropy, "on request: random numbers of virtio-rng";
    "page-request-denied", Bound, refusals::page_requests, "on request: a kernel that takes no page requests denies one";
    "kernel-clean", Nothing, kernel::clean, "no warning, no taint, no module";
}

#[cfg(test)]
mod tests {
    use super::{ALL, FIRST, GROUPS, LAST, ON_REQUEST};

    #[test]
    fn names_are_unique_and_kebab() {
        for (i, check) in ALL.iter().enumerate() {
            assert!(check.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            assert!(ALL.iter().skip(i + 1).all(|other| other.name != check.name));
        }
        assert_eq!(ALL.first().map(|c| c.name), Some(FIRST));
        assert_eq!(ALL.last().map(|c| c.name), Some(LAST));
        for name in GROUPS.iter().flat_map(|(_, names)| *names).chain(ON_REQUEST) {
            assert!(ALL.iter().any(|check| check.name == *name), "{name}");
        }
        assert!(GROUPS.iter().all(|(group, _)| ALL.iter().all(|check| check.name != *group)));
    }
}
