// SPDX-License-Identifier: GPL-2.0-or-later
//! Translation requests and page requests of endpoints (`PCIe §10`), as every IOMMU sees them.

use super::request::{Access, DmaRequest, StreamId, SubstreamId};

/// The answer to a translation request (`PCIe §10.2.3`, translation completion).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtsTranslation {
    /// Translated address of the page's first byte; without permissions 0.
    pub addr: u64,
    /// Log2 of the page's size in bytes, at least 12. The page is that around the untranslated address.
    pub log2size: u8,
    /// Reads are allowed.
    pub read: bool,
    /// Writes are allowed, and the page's entries say dirty.
    pub write: bool,
    /// Instruction fetches are allowed; only if the request asked.
    pub exec: bool,
    /// The permissions are those of privileged requests; only if the request asked.
    pub privileged: bool,
    /// The translation holds for every PASID.
    pub global: bool,
    /// Only untranslated requests reach the page.
    pub untranslated_only: bool,
}

impl AtsTranslation {
    /// Log2 of the smallest page that an answer can be about.
    pub const PAGE_LOG2: u8 = 12;

    /// No translation, of a page of 4 KiB: it is to be asked for by a page request.
    pub const NONE: Self = Self {
        addr: 0,
        log2size: Self::PAGE_LOG2,
        read: false,
        write: false,
        exec: false,
        privileged: false,
        global: false,
        untranslated_only: false,
    };
}

/// What became of a translation request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtsOutcome {
    /// Success; without read and write permission a page request may bring the page.
    Success(AtsTranslation),
    /// Unsupported request: the endpoint must not ask for translations.
    Unsupported,
    /// Completer abort: what is configured for this request is in error.
    Aborted,
}

impl AtsOutcome {
    /// The endpoint may do something with it.
    #[must_use]
    pub fn allows_access(&self) -> bool {
        matches!(self, Self::Success(found) if found.read || found.write)
    }
}

/// One page request message (`PCIe §10.4.1`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// The endpoint.
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
    /// Comes back with the response; of VT-d's integrated endpoints only.
    pub private_data: Option<[u64; 2]>,
}

impl PageRequest {
    /// It asks for nothing and says that no more requests of this PASID follow (`PCIe §10.4.1.2`). It is never answered.
    #[must_use]
    pub fn is_stop_marker(&self) -> bool {
        self.substream.is_some() && self.last && !self.access.read && !self.access.write
    }

    /// It completes its group, which gets one answer (`PCIe §10.4.2`).
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.last && !self.is_stop_marker()
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
}

/// What software made of a page request group (`PCIe §10.4.2.1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageResponseCode {
    /// The pages are there: ask for the translations again.
    Success,
    /// A page of the group does not exist, or not with these permissions.
    Invalid,
    /// Page requests of this function are at an end.
    Failure,
}
