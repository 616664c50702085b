// SPDX-License-Identifier: GPL-2.0-or-later
//! Page requests of endpoints, and their way into the page request queue (`VTD §7.4`).

use super::registers::{EventKind, Registers};
use super::spec::page_request::{PAGE_REQUEST, Request0, Request1};
use super::spec::registers::Prs;
use crate::iommu::{Access, DmaRequest, GuestMemory, StreamId, SubstreamId};

/// One page request message (`PCIe §10.4.1`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// The endpoint: its source-id.
    pub stream: StreamId,
    /// The address space.
    pub substream: Option<SubstreamId>,
    /// Address of the page.
    pub addr: u64,
    /// What is asked for.
    pub access: Access,
    /// Page request group index: 0 to 511.
    pub group: u16,
    /// It is the last of its group.
    pub last: bool,
    /// Comes back with the response; of integrated endpoints only.
    pub private_data: Option<[u64; 2]>,
}

impl PageRequest {
    /// It asks for nothing and says that no more requests of this PASID follow (`PCIe §10.4.1.2`). It is never answered.
    #[must_use]
    pub fn is_stop_marker(&self) -> bool {
        self.substream.is_some() && self.last && !self.access.read && !self.access.write
    }

    /// What the tables are asked.
    #[must_use]
    pub fn request(&self) -> DmaRequest {
        DmaRequest {
            stream: self.stream,
            substream: self.substream,
            addr: self.addr,
            access: self.access,
            tag: None,
        }
    }

    /// The descriptor.
    #[must_use]
    pub fn descriptor(&self) -> [u64; 4] {
        let first = Request0::default()
            .with_kind(PAGE_REQUEST)
            .with_pasid_present(self.substream.is_some().into())
            .with_pdp(self.private_data.is_some().into())
            .with_rid(self.stream.into())
            .with_pasid(self.substream.unwrap_or(0).into())
            .with_exec(self.access.exec.into())
            .with_privileged(self.access.privileged.into());
        let second = Request1::default()
            .with_read(self.access.read.into())
            .with_write(self.access.write.into())
            .with_lpig(self.last.into())
            .with_group(self.group.into())
            .with_addr(self.addr >> 12);
        let [third, fourth] = self.private_data.unwrap_or_default();
        [first.bits(), second.bits(), third, fourth]
    }
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
    /// Appends a page request. With it, the message to send, if any.
    pub fn queue_page_request(
        &mut self,
        mem: &dyn GuestMemory,
        request: &PageRequest,
    ) -> (Queued, Option<(u64, u32)>) {
        let before = Prs::from(self.prs);
        if before.pro() != 0 {
            return (Queued::Overflow, None);
        }
        let ring = self.page_queue();
        if ring.is_full(self.pqh, self.pqt) {
            self.prs = before.with_pro(1).bits();
            return (Queued::Overflow, self.signal_page(before));
        }
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(request.descriptor()) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        if mem.write(ring.entry(self.pqt), &bytes).is_err() {
            return (Queued::Inaccessible, None);
        }
        self.pqt = ring.next(self.pqt);
        self.prs = before.with_ppr(1).bits();
        (Queued::Queued, self.signal_page(before))
    }

    /// Something is newly set in `PRS`; `before` it was this (`VTD §11.4.11.5`).
    fn signal_page(&mut self, before: Prs) -> Option<(u64, u32)> {
        if before.bits() == 0 { self.signal(EventKind::Page) } else { None }
    }
}
