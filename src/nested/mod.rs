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
//! | [`error`]       | what a host refuses, and what fails                                                |
//!
//! No QEMU type is in here: a stand-alone program uses it as a library (`default-features = false`).

pub mod binding;
pub mod error;
pub mod host;
pub mod pasid_table;

pub use binding::Binding;
pub use error::{Error, PartialInvalidation, Result};
pub use host::{
    BindingId, Capabilities, Config, Cookie, DeviceId, FaultRouting, FirstStage, Host, HostEvent, HostFault,
    Invalidation, Response, Smmuv3Capabilities, VtdCapabilities,
};
pub use pasid_table::{GuestPasidTable, PasidTableConfig};
