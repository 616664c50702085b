// SPDX-License-Identifier: GPL-2.0-or-later
//! Page requests of endpoints, and their way into the page request queue (`VTD §7.4`).

use super::registers::{EventKind, Registers};
use super::spec::page_request::{PAGE_REQUEST, Request0, Request1};
use super::spec::registers::Prs;
use crate::iommu::{GuestMemory, PageRequest};

/// The descriptor.
#[must_use]
pub fn descriptor(request: &PageRequest) -> [u64; 4] {
    let first = Request0::default()
        .with_kind(PAGE_REQUEST)
        .with_pasid_present(request.substream.is_some().into())
        .with_pdp(request.private_data.is_some().into())
        .with_rid(request.stream.into())
        .with_pasid(request.substream.unwrap_or(0).into())
        .with_exec(request.access.exec.into())
        .with_privileged(request.access.privileged.into());
    let second = Request1::default()
        .with_read(request.access.read.into())
        .with_write(request.access.write.into())
        .with_lpig(request.last.into())
        .with_group(request.group.into())
        .with_addr(request.addr >> 12);
    let [third, fourth] = request.private_data.unwrap_or_default();
    [first.bits(), second.bits(), third, fourth]
}
/// What became of a page request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// Software will see it.
    Queued,
    /// The queue is full, or was and software has not said that it knows.
    Overflow,
    /// The queue is not in memory.
    Inaccessible,
}

impl Registers {
    /// Appends a page request; with a `limit` other than 0 the queue holds no more than that. With it, the message to send,
    /// if any.
    pub fn queue_page_request(
        &mut self,
        mem: &dyn GuestMemory,
        limit: u16,
        request: &PageRequest,
    ) -> (Queued, Option<(u64, u32)>) {
        let before = Prs::from(self.prs);
        if before.pro() != 0 {
            return (Queued::Overflow, None);
        }
        let ring = self.page_queue();
        let limited = limit != 0 && ring.used(self.pqh, self.pqt) >= u64::from(limit);
        if limited || ring.is_full(self.pqh, self.pqt) {
            self.prs = before.with_pro(1).bits();
            return (Queued::Overflow, self.signal_page(before));
        }
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(descriptor(request)) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        if mem.write(ring.entry(self.pqt), &bytes).is_err() {
            return (Queued::Inaccessible, None);
        }
        self.pqt = ring.next(self.pqt);
        self.prs = before.with_ppr(1).bits();
        (Queued::Queued, self.signal_page(before))
    }

    /// Page requests were lost on their way. With it, the message to send, if any.
    pub fn lose_page_requests(&mut self) -> Option<(u64, u32)> {
        let before = Prs::from(self.prs);
        self.prs = before.with_pro(1).bits();
        self.signal_page(before)
    }

    /// Something is newly set in `PRS`; `before` it was this (`VTD §11.4.11.5`).
    fn signal_page(&mut self, before: Prs) -> Option<(u64, u32)> {
        if before.bits() == 0 { self.signal(EventKind::Page) } else { None }
    }
}
