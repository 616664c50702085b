// SPDX-License-Identifier: GPL-2.0-or-later
//! What `sva-testdev` shows of its translation cache and its page requests, and how to send these by hand
//! (`docs/sva-testdev.md`, from version 1.1 on).

use crate::device::{Device, engine, register};

/// Bit 31 of PRI_PASID, PRI_SEND, CANCEL: the PASID counts; do it.
const VALID: u32 = 1 << 31;
/// Bit 28 of CANCEL: a Stop Marker follows.
const STOP_MARKER: u32 = 1 << 28;

/// A translation that the device keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Its PASID; `None` for requests without one.
    pub pasid: Option<u32>,
    /// Untranslated address.
    pub input: u64,
    /// Translated address.
    pub output: u64,
    /// Size in bytes, minus one.
    pub mask: u64,
    /// Reads are allowed.
    pub read: bool,
    /// Writes are allowed.
    pub write: bool,
    /// Instruction fetches are allowed.
    pub exec: bool,
    /// It serves privileged accesses.
    pub privileged: bool,
    /// It serves every PASID.
    pub global: bool,
}

/// A page request by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Address space; `None`: without PASID.
    pub pasid: Option<u32>,
    /// An address in the page.
    pub addr: u64,
    /// Group index, 0 to 511.
    pub group: u32,
    /// The last of its group.
    pub last: bool,
    /// Read access is requested.
    pub read: bool,
    /// Write access is requested.
    pub write: bool,
    /// Execute Requested.
    pub exec: bool,
    /// Privileged Mode Requested.
    pub privileged: bool,
    /// Send it whatever is outstanding.
    pub force: bool,
}

/// What software made of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Not used, or not answered yet.
    None,
    /// The pages are there.
    Success,
    /// There is no such page for such an access.
    Invalid,
    /// No more page requests.
    Failure,
    /// A code that the specification does not have.
    Other(u32),
}

/// PRI_STATUS: the request is on its way.
pub const SENT: u32 = 1;

impl Device {
    /// The device has the registers below.
    pub fn has_paging_registers(&self) -> bool {
        self.read32(register::VERSION) >= 0x0001_0001
    }

    /// Lets a page fault of engine `n` request up to `pages` pages, `split` in groups of their own.
    pub fn prefetch(&self, n: usize, pages: u32, split: bool) {
        self.write_engine(n, engine::PREFETCH, pages | if split { VALID } else { 0 });
    }

    /// Every translation that the device keeps.
    pub fn cached(&self) -> Vec<Cached> {
        let mut found = Vec::new();
        for index in 0..self.read32(register::ATC_ENTRIES) {
            self.write32(register::ATC_INDEX, index);
            let flags = self.read32(register::ATC_FLAGS);
            let has = |bit: u32| flags & (1 << bit) != 0;
            if !has(0) {
                continue;
            }
            found.push(Cached {
                pasid: has(1).then(|| self.read32(register::ATC_PASID)),
                input: self.read64(register::ATC_INPUT),
                output: self.read64(register::ATC_OUTPUT),
                mask: self.read64(register::ATC_MASK),
                read: has(2),
                write: has(3),
                exec: has(4),
                privileged: has(5),
                global: has(6),
            });
        }
        found
    }

    /// Empties the translation cache.
    pub fn forget_translations(&self) {
        self.write32(register::ATC_CTRL, 1);
    }

    /// Sends one page request; PRI_STATUS, [`SENT`] if it is on its way.
    pub fn send_page_request(&self, request: &PageRequest) -> u32 {
        self.write32(register::PRI_PASID, request.pasid.map_or(0, |pasid| pasid | VALID));
        self.write64(register::PRI_ADDR, request.addr);
        let flags = [
            (request.last, 9),
            (request.read, 10),
            (request.write, 11),
            (request.exec, 12),
            (request.privileged, 13),
            (request.force, 14),
        ];
        let bits = flags.iter().fold(0u32, |bits, (on, at)| bits | u32::from(*on) << at);
        self.write32(register::PRI_SEND, VALID | bits | (request.group & 0x1ff));
        self.read32(register::PRI_STATUS)
    }

    /// The last response to group `group`.
    pub fn page_response(&self, group: u32) -> Response {
        self.write32(register::PRI_GROUP, group);
        let result = self.read32(register::PRI_RESULT);
        match result & 0xf {
            _ if result & (1 << 8) == 0 => Response::None,
            0 => Response::Success,
            1 => Response::Invalid,
            15 => Response::Failure,
            other => Response::Other(other),
        }
    }

    /// Page requests without response in an address space.
    pub fn pending_page_requests(&self, pasid: Option<u32>) -> u32 {
        self.write32(register::PRI_PASID, pasid.map_or(0, |pasid| pasid | VALID));
        self.read32(register::PRI_PENDING)
    }

    /// Cancels what is in flight or queued for a PASID, and tells the IOMMU that no page request of it follows.
    pub fn stop(&self, pasid: u32) {
        self.write32(register::CANCEL, VALID | STOP_MARKER | pasid);
    }
}
