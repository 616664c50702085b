// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest's PASID table in the hands of a host's IOMMU.
//!
//! A device that a guest was given translates in two stages: the host's IOMMU walks the guest's own first-stage tables
//! under a second stage that the guest does not see. What the guest programmed into its IOMMU (a model of this crate, or any
//! other) is told to the host by the calls of [`Host`], and what the host's IOMMU reports goes back to the guest.
//!
//! | module          | what it holds                                                                      |
//! |-----------------|------------------------------------------------------------------------------------|
//! | [`host`]        | the trait: capabilities, stage 2, virtual devices, bindings, invalidations, faults |
//! | [`binding`]     | a binding that ends when it is dropped                                             |
//! | [`pasid_table`] | "bind this guest PASID table", for both architectures; the structure of 2018       |
//! | [`bound_table`] | such a table bound as a whole, by a program that models no IOMMU                   |
//! | [`assigned`]    | devices that were given to a guest, and invalidations on their way to the host     |
//! | [`smmuv3`]      | a guest's SMMUv3 in front of them: STEs, invalidations, stalls, events             |
//! | [`vtd`]         | a guest's VT-d unit in front of them: PASID tables, invalidations, page requests   |
//! | [`software`]    | a host inside the process                                                          |
//! | [`conformance`] | what every host keeps to                                                          |
//! | [`work`]        | how much is done at once, whatever a guest's structures say                        |
//! | [`error`]       | what a host refuses, and what fails                                                |
//! | [`iommufd`]     | the host that is Linux's                                                           |
//!
//! No QEMU type is in here: a stand-alone program uses it as a library (`default-features = false`).

pub mod assigned;
pub mod binding;
pub mod bound_table;
pub mod conformance;
pub mod error;
#[cfg(test)]
pub(crate) mod fake;
pub mod host;
pub mod iommufd;
pub mod pasid_table;
pub mod smmuv3;
pub mod software;
mod sorted;
#[cfg(all(test, not(loom)))]
mod tier0;
pub mod vtd;
pub mod work;

pub use assigned::{Assignment, Forwarded, NestedStats, NotForwarded};
pub use binding::Binding;
pub use bound_table::BoundPasidTable;
pub use error::{Error, PartialInvalidation, Result};
pub use host::{
    BindingId, Capabilities, Config, Cookie, DeviceId, FaultRouting, FirstStage, Host, HostEvent, HostFault,
    Invalidation, Response, Smmuv3Capabilities, VtdCapabilities,
};
pub use iommufd::Iommufd;
pub use pasid_table::{GuestPasidTable, PasidTableConfig};
pub use software::SoftwareHost;
pub use work::Progress;
