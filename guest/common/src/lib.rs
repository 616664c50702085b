// SPDX-License-Identifier: GPL-2.0-or-later
//! What `init`, `sva-workload` and `sva-nested` share.
//!
//! * [`pci`]: the functions to drive, how they are bound to `uio_pci_sva`, and why that may not work
//! * [`device`]: registers, rings, descriptors of `sva-testdev` (`docs/sva-testdev.md`)
//! * [`driver`]: the reference driver's system calls (`guest/driver`)
//! * [`memory`]: mappings whose bytes a device changes
//! * [`paging`]: its translation cache and page requests, seen and sent by hand
//! * [`process`]: children with a result, deadlines
//! * [`kernel`]: what the running kernel says about itself
//! * [`perf`]: performance counters that are no CPU's
//! * [`iommufd`]: functions with page tables of this process's making
//! * [`report`]: what a check hands back
//! * [`host`]: the line to the host that confirms checks from outside

pub mod crc32c;
pub mod device;
pub mod driver;
pub mod host;
pub mod iommufd;
pub mod kernel;
pub mod memory;
pub mod paging;
pub mod pci;
pub mod perf;
pub mod process;
pub mod report;
