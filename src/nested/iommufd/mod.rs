// SPDX-License-Identifier: GPL-2.0-or-later
//! Linux's IOMMU: `/dev/iommu`, and devices that VFIO hands out.
//!
//! | module      | what it holds                                                        |
//! |-------------|----------------------------------------------------------------------|
//! | [`uapi`]    | structures and numbers of the kernel's headers                       |
//! | [`ioctl`]   | system calls with them; the only `unsafe`                            |
//! | [`context`] | an open `/dev/iommu`, and objects that end by themselves             |
//! | [`queues`]  | what is read from fault queues and event queues                      |
//! | [`vfio`]    | a device in VFIO's hands, and who attaches it                        |
//! | [`faults`]  | faults that wait for an answer, and names for them that do not recur |
//! | [`tables`]  | a configuration as a table of the kernel's                           |
//! | `host`      | [`Iommufd`], which is the [`Host`](super::Host) made of these        |
//!
//! A stand-alone program begins with [`Iommufd::open`] and [`Iommufd::assign`]. A program in which something else has
//! opened the iommufd, made stage 2 and attached the devices (QEMU's VFIO) gives these to [`Iommufd::embedded`] and
//! [`Iommufd::add_device`].
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

pub mod context;
pub mod faults;
mod host;
pub mod ioctl;
mod list;
pub mod queues;
pub mod tables;
pub mod uapi;
pub mod vfio;

pub use host::Iommufd;
pub use vfio::{Attachment, VfioDevice};

use std::io;

use super::error::Error;
use super::host::DeviceId;

/// What a failed call means.
fn failed(call: &'static str, error: &io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EBADF) => Error::Closed("iommufd"),
        Some(errno) => Error::Failed { call, errno },
        None => Error::Malformed(format!("{call}: {error}")),
    }
}

/// What a failed call about a device means. A device that its VFIO file does not hold any more has lost its number.
fn failed_for(device: DeviceId, call: &'static str, error: &io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::ENODEV | libc::ENOENT) => Error::DeviceGone(device),
        _ => failed(call, error),
    }
}
