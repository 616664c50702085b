// SPDX-License-Identifier: GPL-2.0-or-later
//! What a host refuses, and what fails.

use super::host::{BindingId, DeviceId};

/// The result of what a host was asked.
pub type Result<T> = core::result::Result<T, Error>;

/// Why a host did not do what it was asked. After any of them the host is as it was before the call, unless the call's
/// documentation says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The guest asks for more than the host has.
    #[error("{what} {value:#x} is more than this host can do: {limit}")]
    Unsupported {
        /// The field or the property.
        what: &'static str,
        /// What it was.
        value: u64,
        /// What the host can do, in words, and the way out if there is one.
        limit: String,
    },
    /// A system call, or what stands for one, failed.
    #[error("{call}: {}", describe(*.errno))]
    Failed {
        /// Which.
        call: &'static str,
        /// The host's `errno`.
        errno: i32,
    },
    /// The device was taken away.
    #[error("device {} is gone", .0.0)]
    DeviceGone(DeviceId),
    /// No such device was given to this host.
    #[error("no device {} belongs to this host", .0.0)]
    UnknownDevice(DeviceId),
    /// No such binding exists, or not any more.
    #[error("binding {} does not exist", .0.0)]
    UnknownBinding(BindingId),
    /// Nothing waits for this answer: it was given already, or the fault went away with its binding.
    #[error("no fault waits for an answer with cookie {0:#x}")]
    UnknownCookie(u64),
    /// A file descriptor that the host needs was closed.
    #[error("the host's {0} was closed")]
    Closed(&'static str),
    /// The stage 2 belongs to somebody else (VFIO), who maps and unmaps.
    #[error("stage 2 is kept by the program that assigned the device, and not to be mapped by this one")]
    Stage2NotOurs,
    /// What came from the kernel or from the guest is malformed.
    #[error("{0}")]
    Malformed(String),
}

fn describe(errno: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(errno)
}

/// An array of invalidations of which not all were done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalidation {done} of the batch: {error}")]
pub struct PartialInvalidation {
    /// As many were done, from the first on. The one at this index failed; none behind it was tried.
    pub done: usize,
    /// Why.
    pub error: Error,
}
