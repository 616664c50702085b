// SPDX-License-Identifier: GPL-2.0-or-later
//! Device models of the Arm SMMUv3 and of Intel VT-d for QEMU, with everything that Shared Virtual
//! Memory needs, and a PCIe endpoint that uses it.
//!
//! | module     | what it holds                                                              |
//! |------------|----------------------------------------------------------------------------|
//! | [`iommu`]  | what both models share: guest memory, requests, caches, effects            |
//! | [`smmuv3`] | the Arm SMMUv3: `spec/` (formats), logic, `device.rs` (QOM)                |
//! | [`vtd`]    | Intel VT-d, in the same shape                                              |
//! | [`nested`] | a guest's PASID table bound to a host's IOMMU, as a library too          |
//! | [`testdev`]| `sva-testdev`, the PCIe endpoint                                           |
//! | [`bench`]  | `iommu-bench`, which measures what requests cost                           |
//! | `qemu`     | safe wrappers over QEMU's API; the only `unsafe` besides the device files  |
//! | `plugin`   | the entry point that QEMU calls when it loads this library                 |

pub mod bench;
pub mod iommu;
pub mod nested;
pub mod smmuv3;
pub mod testdev;
pub mod vtd;

#[cfg(all(feature = "plugin", not(test)))]
pub mod plugin;
#[cfg(all(feature = "qemu", not(test)))]
pub mod qemu;
/// Of `qemu`, what can be tested without one.
#[cfg(test)]
#[path = "qemu/shared_ram.rs"]
mod shared_ram;
