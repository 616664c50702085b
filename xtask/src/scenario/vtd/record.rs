// SPDX-License-Identifier: GPL-2.0-or-later
//! What the unit tells software: fault records (`VTD §11.4.7.6`) and page requests (`VTD §7.4.1.1`).

/// A fault recording register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub [u64; 2]);

/// Fault reasons (`VTD §7.1`, appendix A).
pub mod reason {
    /// LRT.2: the root entry is not present.
    pub const ROOT_NOT_PRESENT: u64 = 0x01;
    /// LCT.2: the context entry is not present.
    pub const CONTEXT_NOT_PRESENT: u64 = 0x02;
    /// LCT.4: the context entry asks for what there is not.
    pub const CONTEXT_INVALID: u64 = 0x03;
    /// LGN.1: the address is beyond the address width.
    pub const BEYOND_WIDTH: u64 = 0x04;
    /// LGN.2: no write permission.
    pub const WRITE: u64 = 0x05;
    /// LGN.3: no read permission.
    pub const READ: u64 = 0x06;
    /// LSS.1: a paging entry could not be read.
    pub const PAGING_ENTRY_ACCESS: u64 = 0x07;
    /// LRT.1: the root entry could not be read.
    pub const ROOT_ACCESS: u64 = 0x08;
    /// LCT.1: the context entry could not be read.
    pub const CONTEXT_ACCESS: u64 = 0x09;
    /// LRT.3: reserved bits of the root entry.
    pub const ROOT_RESERVED: u64 = 0x0a;
    /// LCT.3: reserved bits of the context entry.
    pub const CONTEXT_RESERVED: u64 = 0x0b;
    /// LSS.2: reserved bits of a paging entry.
    pub const PAGING_ENTRY_RESERVED: u64 = 0x0c;
    /// LGN.4: the address is an interrupt's.
    pub const INTERRUPT_ADDRESS: u64 = 0x0e;
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
    /// SRT.1: the root entry could not be read.
    pub const SCALABLE_ROOT_ACCESS: u64 = 0x38;
    /// SRT.2: the root entry is not present.
    pub const SCALABLE_ROOT_NOT_PRESENT: u64 = 0x39;
    /// SRT.3: reserved bits of the root entry.
    pub const SCALABLE_ROOT_RESERVED: u64 = 0x3a;
    /// SCT.1: the context entry could not be read.
    pub const SCALABLE_CONTEXT_ACCESS: u64 = 0x40;
    /// SCT.2: the context entry is not present.
    pub const SCALABLE_CONTEXT_NOT_PRESENT: u64 = 0x41;
    /// SCT.3: reserved bits of the context entry.
    pub const SCALABLE_CONTEXT_RESERVED: u64 = 0x42;
    /// SCT.5: a translation request or translated request, with `DTE` 0.
    pub const DEVICE_TLB_DISABLED: u64 = 0x44;
    /// SCT.6: a request with PASID, with `PASIDE` 0.
    pub const PASID_DISABLED: u64 = 0x45;
    /// SCT.7: the PASID is beyond the directory.
    pub const PASID_TOO_LARGE: u64 = 0x46;
    /// SCT.8: a page request, with `PRE` 0.
    pub const PAGE_REQUEST_DISABLED: u64 = 0x47;
    /// SCT.9: `RID_PASID` is beyond the directory.
    pub const RID_PASID: u64 = 0x48;
    /// SPD.1: the PASID directory entry could not be read.
    pub const DIRECTORY_ACCESS: u64 = 0x50;
    /// SPD.2: the PASID directory entry is not present.
    pub const DIRECTORY_NOT_PRESENT: u64 = 0x51;
    /// SPD.3: reserved bits of the PASID directory entry.
    pub const DIRECTORY_RESERVED: u64 = 0x52;
    /// SPT.1: the PASID table entry could not be read.
    pub const PASID_ACCESS: u64 = 0x58;
    /// SPT.2: the PASID table entry is not present.
    pub const PASID_NOT_PRESENT: u64 = 0x59;
    /// SPT.3: reserved bits of the PASID table entry.
    pub const PASID_RESERVED: u64 = 0x5a;
    /// SPT.4: the PASID table entry asks for what there is not.
    pub const PASID_INVALID: u64 = 0x5b;
    /// SPT.5: an execute request, with `ERE` 0.
    pub const EXECUTE_DISABLED: u64 = 0x5c;
    /// SPT.6: a privileged request, with `SRE` 0.
    pub const SUPERVISOR_DISABLED: u64 = 0x5d;
    /// SFS.1: a first-stage paging entry could not be read.
    pub const FIRST_STAGE_ACCESS: u64 = 0x70;
    /// SFS.2: a first-stage paging entry is not present.
    pub const FIRST_STAGE_NOT_PRESENT: u64 = 0x71;
    /// SFS.3: reserved bits of a first-stage paging entry.
    pub const FIRST_STAGE_RESERVED: u64 = 0x72;
    /// SFS.4: an entry of the first-stage table that `FSPTPTR` points to could not be read.
    pub const FIRST_STAGE_ROOT_ACCESS: u64 = 0x73;
    /// SSS.1: a second-stage paging entry could not be read.
    pub const SECOND_STAGE_ACCESS: u64 = 0x78;
    /// SSS.2: a second-stage paging entry allows nothing.
    pub const SECOND_STAGE_NOT_PRESENT: u64 = 0x79;
    /// SSS.3: reserved bits of a second-stage paging entry.
    pub const SECOND_STAGE_RESERVED: u64 = 0x7a;
    /// SSS.4: an entry of the second-stage table that `SSPTPTR` points to could not be read.
    pub const SECOND_STAGE_ROOT_ACCESS: u64 = 0x7b;
    /// SGN.1: the address is not canonical.
    pub const NOT_CANONICAL: u64 = 0x80;
    /// SGN.2: a user request to a supervisor page.
    pub const USER_SUPERVISOR: u64 = 0x81;
    /// SGN.3: no execute permission.
    pub const EXECUTE: u64 = 0x82;
    /// SGN.4: the address is beyond the address width.
    pub const SCALABLE_BEYOND_WIDTH: u64 = 0x83;
    /// SGN.6: no write permission.
    pub const SCALABLE_WRITE: u64 = 0x85;
    /// SGN.7: no read permission.
    pub const SCALABLE_READ: u64 = 0x86;
    /// SGN.8: the address is an interrupt's.
    pub const SCALABLE_INTERRUPT_ADDRESS: u64 = 0x87;
    /// SFS.10: a first-stage flag could not be set.
    pub const FIRST_STAGE_UPDATE: u64 = 0x91;
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

    /// Address type: 0 untranslated, 1 translation request, 2 translated.
    pub fn address_type(self) -> u64 {
        self.0[1] >> 60 & 0b11
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
