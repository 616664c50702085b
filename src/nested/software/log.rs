// SPDX-License-Identifier: GPL-2.0-or-later
//! What was asked of the host, and what is to go wrong with it.

use std::collections::VecDeque;

use crate::iommu::SubstreamId;
use crate::nested::error::{Error, PartialInvalidation};
use crate::nested::host::{BindingId, Config, Cookie, DeviceId, FaultRouting, Invalidation, Response};

/// As many calls are remembered.
const LIMIT: usize = 1 << 16;

/// One call of the trait. Reading a queue that is empty is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Call {
    Capabilities { device: DeviceId },
    Map { gpa: u64, host: u64, len: u64, writable: bool },
    Unmap { gpa: u64, len: u64 },
    AddVirtualDevice { device: DeviceId, virtual_id: u64 },
    RemoveVirtualDevice { device: DeviceId },
    Bind { device: DeviceId, pasid: Option<SubstreamId>, config: Config, faults: FaultRouting },
    Replace { binding: BindingId, config: Config, faults: FaultRouting },
    Unbind { binding: BindingId },
    Invalidate { batch: Vec<Invalidation> },
    NextFault,
    Respond { cookie: Cookie, response: Response },
    NextEvent,
}

/// A call and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What was asked.
    pub call: Call,
    /// Why it failed.
    pub error: Option<Error>,
    /// Entries of a batch that were done.
    pub done: usize,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It fails with an `errno`, and nothing was done.
    Errno(i32),
    /// An invalidation fails at this entry of its batch; those before are done. Other calls fail as for
    /// [`Errno`](Self::Errno).
    Entry {
        /// Index.
        at: usize,
        /// The `errno`.
        errno: i32,
    },
}

impl Failure {
    /// The error of a call that is not an invalidation.
    pub(super) fn error(self, call: &'static str) -> Error {
        let (Self::Errno(errno) | Self::Entry { errno, .. }) = self;
        Error::Failed { call, errno }
    }

    /// The error of an invalidation, for a batch of `len` entries.
    pub(super) fn partial(self, call: &'static str, len: usize) -> PartialInvalidation {
        let done = match self {
            Self::Errno(_) => 0,
            Self::Entry { at, .. } => at.min(len),
        };
        PartialInvalidation { done, error: self.error(call) }
    }
}

/// The calls so far, and the failures to come.
#[derive(Debug, Default)]
pub(super) struct Log {
    records: VecDeque<Record>,
    /// Calls ahead of each failure.
    failures: Vec<(u64, Failure)>,
}

impl Log {
    /// A call begins: the failure that is due now, if any.
    pub fn begin(&mut self) -> Option<Failure> {
        let due = self.failures.iter().find(|(ahead, _)| *ahead == 0).map(|(_, failure)| *failure);
        self.failures.retain(|(ahead, _)| *ahead != 0);
        self.failures.iter_mut().for_each(|(ahead, _)| *ahead = ahead.saturating_sub(1));
        due
    }

    /// A call has ended.
    pub fn end(&mut self, call: Call, error: Option<Error>, done: usize) {
        if self.records.len() >= LIMIT {
            let _ = self.records.pop_front();
        }
        self.records.push_back(Record { call, error, done });
    }

    /// The calls so far, which are forgotten.
    pub fn take(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        while let Some(record) = self.records.pop_front() {
            records.push(record);
        }
        records
    }

    /// The call after `ahead` others fails.
    pub fn fail(&mut self, ahead: u64, failure: Failure) {
        self.failures.push((ahead, failure));
    }
}
