// SPDX-License-Identifier: GPL-2.0-or-later
//! What the unit tells software: fault records (`VTD §11.4.7.6`) and page requests (`VTD §7.4.1.1`).

/// A fault recording register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub [u64; 2]);

/// Fault reasons (`VTD §7.1`, appendix A).
pub mod reason {
    /// LGN.2: no write permission.
    pub const WRITE: u64 = 0x05;
    /// LRT.2: the root entry is not present.
    pub const ROOT_NOT_PRESENT: u64 = 0x01;
    /// LCT.2: the context entry is not present.
    pub const CONTEXT_NOT_PRESENT: u64 = 0x02;
    /// LRT.1: the root entry could not be read.
    pub const ROOT_ACCESS: u64 = 0x08;
    /// LSS.1: a paging entry could not be read.
    pub const PAGING_ENTRY_ACCESS: u64 = 0x07;
    /// The interrupt remapping table entry is not present.
    pub const IRTE_NOT_PRESENT: u64 = 0x22;
    /// Reserved bits of the interrupt remapping table entry.
    pub const IRTE_RESERVED: u64 = 0x24;
    /// An interrupt request in compatibility format while that is blocked.
    pub const COMPATIBILITY_INTERRUPT: u64 = 0x25;
    /// The interrupt remapping table entry is for another source.
    pub const INTERRUPT_SOURCE: u64 = 0x26;
    /// Reserved bits of the posted interrupt descriptor.
    pub const POSTED_DESCRIPTOR_RESERVED: u64 = 0x28;
    /// RTA.1: the table mode is none.
    pub const ROOT_TABLE: u64 = 0x30;
    /// RTA.2: a request with PASID in legacy mode.
    pub const PASID_IN_LEGACY_MODE: u64 = 0x31;
    /// RTA.4: abort-DMA mode.
    pub const ABORT_DMA: u64 = 0x33;
    /// SCT.6: a request with PASID, with `PASIDE` 0.
    pub const PASID_DISABLED: u64 = 0x45;
    /// SCT.7: the PASID is beyond the directory.
    pub const PASID_TOO_LARGE: u64 = 0x46;
    /// SCT.8: a page request, with `PRE` 0.
    pub const PAGE_REQUEST_DISABLED: u64 = 0x47;
    /// SRT.1: the root entry could not be read.
    pub const SCALABLE_ROOT_ACCESS: u64 = 0x38;
    /// SPD.2: the PASID directory entry is not present.
    pub const DIRECTORY_NOT_PRESENT: u64 = 0x51;
    /// SPT.3: reserved bits of the PASID table entry.
    pub const PASID_RESERVED: u64 = 0x5a;
    /// SPT.5: an execute request, with `ERE` 0.
    pub const EXECUTE_DISABLED: u64 = 0x5c;
    /// SPT.6: a privileged request, with `SRE` 0.
    pub const SUPERVISOR_DISABLED: u64 = 0x5d;
    /// SFS.1: a first-stage paging entry could not be read.
    pub const FIRST_STAGE_ACCESS: u64 = 0x70;
    /// SFS.2: a first-stage paging entry is not present.
    pub const FIRST_STAGE_NOT_PRESENT: u64 = 0x71;
    /// SFS.4: an entry of the first-stage table that `FSPTPTR` points to could not be read.
    pub const FIRST_STAGE_ROOT_ACCESS: u64 = 0x73;
    /// SSS.2: a second-stage paging entry allows nothing.
    pub const SECOND_STAGE_NOT_PRESENT: u64 = 0x79;
    /// SGN.1: the address is not canonical.
    pub const NOT_CANONICAL: u64 = 0x80;
    /// SGN.2: a user request to a supervisor page.
    pub const USER_SUPERVISOR: u64 = 0x81;
    /// SGN.3: no execute permission.
    pub const EXECUTE: u64 = 0x82;
    /// SGN.6: no write permission.
    pub const SCALABLE_WRITE: u64 = 0x85;
}

impl Fault {
    /// The reason.
    pub fn reason(self) -> u64 {
        self.0[1] >> 32 & 0xff
    }

    /// Address of the page.
    pub fn address(self) -> u64 {
        self.0[0] & !0xfff
    }

    /// The PASID, if there was one.
    pub fn pasid(self) -> Option<u32> {
        (self.0[1] >> 31 & 1 != 0).then(|| u32::try_from(self.0[1] >> 40 & 0xf_ffff).unwrap_or(0))
    }

    /// Type: 0 write, 1 page request, 2 read, 3 atomic.
    pub fn kind(self) -> u64 {
        (self.0[1] >> 62 & 1) << 1 | self.0[1] >> 28 & 1
    }

    /// The requester.
    pub fn source(self) -> u64 {
        self.0[1] & 0xffff
    }
}

/// A descriptor of the page request queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest(pub [u64; 4]);

impl PageRequest {
    /// Type.
    pub fn kind(self) -> u64 {
        self.0[0] & 0xff
    }

    /// The PASID, if there is one.
    pub fn pasid(self) -> Option<u32> {
        (self.0[0] >> 8 & 1 != 0).then(|| u32::try_from(self.0[0] >> 32 & 0xf_ffff).unwrap_or(0))
    }

    /// The requester.
    pub fn source(self) -> u64 {
        self.0[0] >> 16 & 0xffff
    }

    /// Whether execution is asked for.
    pub fn executes(self) -> bool {
        self.0[0] >> 52 & 1 != 0
    }

    /// Whether privileged mode is asked for.
    pub fn privileged(self) -> bool {
        self.0[0] >> 53 & 1 != 0
    }

    /// Address of the page.
    pub fn address(self) -> u64 {
        self.0[1] & !0xfff
    }

    /// Page request group index.
    pub fn group(self) -> u64 {
        self.0[1] >> 3 & 0x1ff
    }

    /// Whether it is the last of its group.
    pub fn last(self) -> bool {
        self.0[1] >> 2 & 1 != 0
    }

    /// Reads and writes that are asked for.
    pub fn access(self) -> (bool, bool) {
        (self.0[1] & 1 != 0, self.0[1] >> 1 & 1 != 0)
    }
}
