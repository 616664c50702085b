// SPDX-License-Identifier: GPL-2.0-or-later
//! A device's memory request and what translation made of it.

/// The requester as the IOMMU numbers it: StreamID on Arm, source-id on VT-d (bus `15:8`, devfn `7:0`).
pub type StreamId = u32;
/// SubstreamID on Arm, PASID on PCIe and VT-d: 20 bits.
pub type SubstreamId = u32;

/// How a request touches memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The request reads. A request that neither reads nor writes asks only whether the page is mapped.
    pub read: bool,
    /// The request writes. Read and write together is an atomic.
    pub write: bool,
    /// An instruction fetch (PASID TLP prefix: Execute Requested).
    pub exec: bool,
    /// A privileged access (PASID TLP prefix: Privileged Mode Requested).
    pub privileged: bool,
}

/// One memory request of an endpoint, before translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaRequest {
    /// Who asks.
    pub stream: StreamId,
    /// In which address space; `None` for a request without a PASID prefix.
    pub substream: Option<SubstreamId>,
    /// Input address.
    pub addr: u64,
    /// What it does there.
    pub access: Access,
    /// The request's name among those of its endpoint, when the endpoint can wait for an answer.
    /// `None` for ordinary masters, which never stall.
    pub tag: Option<u64>,
}

impl DmaRequest {
    /// The request with what it is entitled to: privileged and execute attributes come with a PASID (`PCIe §6.20.2.3`,
    /// `§6.20.2.4`), and without one it is for unprivileged data.
    #[must_use]
    pub fn with_attributes_of_pasid(self) -> Self {
        let tagged = self.substream.is_some();
        let Access { exec, privileged, .. } = self.access;
        let access = Access { exec: exec && tagged, privileged: privileged && tagged, ..self.access };
        Self { access, ..self }
    }
}

/// What a translated page may be used for, by the requests that a translation is cached for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Data reads.
    pub read: bool,
    /// Data writes.
    pub write: bool,
    /// Instruction fetches.
    pub exec: bool,
}

/// A successful translation of one page or block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Output address of the request's first byte.
    pub addr: u64,
    /// Size of the page or block minus one: `addr & !page_mask` is its output base. `u64::MAX` where
    /// the whole input range maps one to one (bypass).
    pub page_mask: u64,
    /// What is allowed there, for the privilege that was asked with.
    pub perm: Permissions,
}

impl Translation {
    /// Of what is not translated: everything is where it is, and allowed.
    #[must_use]
    pub fn one_to_one(addr: u64) -> Self {
        let perm = Permissions { read: true, write: true, exec: true };
        Self { addr, page_mask: u64::MAX, perm }
    }
}
