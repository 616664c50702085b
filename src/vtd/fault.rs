// SPDX-License-Identifier: GPL-2.0-or-later
//! A fault as a value: what went wrong with one request, enough to write exactly one fault record.

use crate::iommu::DmaRequest;

/// Why a request was blocked: the encodings of `VTD §7.1` and appendix A, with the names of the conditions there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FaultReason {
    /// LRT.2: the root entry is not present.
    RootNotPresent = 0x01,
    /// LCT.2: the context entry is not present.
    ContextNotPresent = 0x02,
    /// LCT.4: the context entry asks for what there is not.
    ContextInvalid = 0x03,
    /// LGN.1: the address is beyond the address width.
    AddressBeyondWidth = 0x04,
    /// LGN.2: no write permission.
    Write = 0x05,
    /// LGN.3: no read permission.
    Read = 0x06,
    /// LSS.1: a paging entry could not be read.
    PagingEntryAccess = 0x07,
    /// LRT.1: the root entry could not be read.
    RootAccess = 0x08,
    /// LCT.1: the context entry could not be read.
    ContextAccess = 0x09,
    /// LRT.3: reserved bits of the root entry.
    RootReserved = 0x0a,
    /// LCT.3: reserved bits of the context entry.
    ContextReserved = 0x0b,
    /// LSS.2: reserved bits of a paging entry.
    PagingEntryReserved = 0x0c,
    /// LCT.5: the translation type blocks the request.
    TranslationType = 0x0d,
    /// LGN.4: the address is an interrupt's.
    InterruptAddress = 0x0e,

    /// Reserved bits of a remappable interrupt request.
    InterruptReserved = 0x20,
    /// The interrupt index is beyond the table.
    InterruptIndex = 0x21,
    /// The interrupt remapping table entry is not present.
    IrteNotPresent = 0x22,
    /// The interrupt remapping table entry could not be read.
    IrteAccess = 0x23,
    /// Reserved bits of the interrupt remapping table entry.
    IrteReserved = 0x24,
    /// An interrupt request in compatibility format while that is blocked.
    CompatibilityInterrupt = 0x25,
    /// The interrupt remapping table entry is for another source.
    InterruptSource = 0x26,
    /// The posted interrupt descriptor could not be accessed.
    PostedDescriptorAccess = 0x27,
    /// Reserved bits of the posted interrupt descriptor.
    PostedDescriptorReserved = 0x28,

    /// RTA.1: the root table address register asks for what there is not.
    RootTable = 0x30,
    /// RTA.2: a request with PASID in legacy mode.
    PasidInLegacyMode = 0x31,
    /// RTA.3: a page request in legacy mode.
    PageRequestInLegacyMode = 0x32,
    /// RTA.4: a request in abort-DMA mode.
    AbortDma = 0x33,
    /// SRT.1: the root entry could not be read.
    ScalableRootAccess = 0x38,
    /// SRT.2: the root entry is not present.
    ScalableRootNotPresent = 0x39,
    /// SRT.3: reserved bits of the root entry.
    ScalableRootReserved = 0x3a,
    /// SCT.1: the context entry could not be read.
    ScalableContextAccess = 0x40,
    /// SCT.2: the context entry is not present.
    ScalableContextNotPresent = 0x41,
    /// SCT.3: reserved bits of the context entry.
    ScalableContextReserved = 0x42,
    /// SCT.4: the context entry asks for what there is not.
    ScalableContextInvalid = 0x43,
    /// SCT.5: a translation request or translated request, with `DTE` 0.
    DeviceTlbDisabled = 0x44,
    /// SCT.6: a request with PASID, with `PASIDE` 0.
    PasidDisabled = 0x45,
    /// SCT.7: the PASID is beyond the directory.
    PasidTooLarge = 0x46,
    /// SCT.8: a page request, with `PRE` 0.
    PageRequestDisabled = 0x47,
    /// SCT.9: `RID_PASID` is beyond the directory.
    RidPasid = 0x48,
    /// SPD.1: the PASID directory entry could not be read.
    DirectoryAccess = 0x50,
    /// SPD.2: the PASID directory entry is not present.
    DirectoryNotPresent = 0x51,
    /// SPD.3: reserved bits of the PASID directory entry.
    DirectoryReserved = 0x52,
    /// SPT.1: the PASID table entry could not be read.
    PasidAccess = 0x58,
    /// SPT.2: the PASID table entry is not present.
    PasidNotPresent = 0x59,
    /// SPT.3: reserved bits of the PASID table entry.
    PasidReserved = 0x5a,
    /// SPT.4: the PASID table entry asks for what there is not.
    PasidInvalid = 0x5b,
    /// SPT.5: an execute request, with `ERE` 0.
    ExecuteDisabled = 0x5c,
    /// SPT.6: a privileged request, with `SRE` 0.
    SupervisorDisabled = 0x5d,
    /// SFS.1: a first-stage paging entry could not be read.
    FirstStageAccess = 0x70,
    /// SFS.2: a first-stage paging entry is not present.
    FirstStageNotPresent = 0x71,
    /// SFS.3: reserved bits of a first-stage paging entry.
    FirstStageReserved = 0x72,
    /// SFS.4: an entry of the first-stage table that `FSPTPTR` points to could not be read.
    FirstStageRootAccess = 0x73,
    /// SFS.5: nested, the address of a first-stage entry is beyond the second stage's address width.
    FirstStageBeyondWidth = 0x74,
    /// SFS.6: nested, the table that `FSPTPTR` points to may not be read.
    FirstStageRootRead = 0x75,
    /// SFS.7: nested, a first-stage entry may not be read.
    FirstStageRead = 0x76,
    /// SFS.8: nested, a first-stage entry may not be written to keep its flags.
    FirstStageWrite = 0x77,
    /// SSS.1: a second-stage paging entry could not be read.
    SecondStageAccess = 0x78,
    /// SSS.2: a second-stage paging entry allows nothing.
    SecondStageNotPresent = 0x79,
    /// SSS.3: reserved bits of a second-stage paging entry.
    SecondStageReserved = 0x7a,
    /// SSS.4: an entry of the second-stage table that `SSPTPTR` points to could not be read.
    SecondStageRootAccess = 0x7b,
    /// SSS.5: a second-stage flag is to be set, with `PWSNP` 0.
    SecondStageNoSnoop = 0x7c,
    /// SSS.6: a second-stage flag could not be set.
    SecondStageUpdate = 0x7d,
    /// SGN.1: the address is not canonical.
    NotCanonical = 0x80,
    /// SGN.2: a user request to a supervisor page.
    UserSupervisor = 0x81,
    /// SGN.3: no execute permission.
    Execute = 0x82,
    /// SGN.4: the address is beyond the address width.
    ScalableBeyondWidth = 0x83,
    /// SGN.5: nested, the first stage's output is beyond the second stage's address width.
    SecondStageBeyondWidth = 0x84,
    /// SGN.6: no write permission.
    ScalableWrite = 0x85,
    /// SGN.7: no read permission.
    ScalableRead = 0x86,
    /// SGN.8: the address is an interrupt's.
    ScalableInterruptAddress = 0x87,
    /// SFS.9: a first-stage flag is to be set, with `PWSNP` 0.
    FirstStageNoSnoop = 0x90,
    /// SFS.10: a first-stage flag could not be set.
    FirstStageUpdate = 0x91,
}

impl FaultReason {
    /// The encoding.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether `FPD` of the tables can keep it from being recorded: it arises once a context entry is known
    /// (`VTD §7.2.1`).
    #[must_use]
    pub const fn is_qualified(self) -> bool {
        !matches!(
            self,
            Self::RootAccess
                | Self::RootNotPresent
                | Self::RootReserved
                | Self::ContextAccess
                | Self::RootTable
                | Self::PasidInLegacyMode
                | Self::PageRequestInLegacyMode
                | Self::AbortDma
                | Self::ScalableRootAccess
                | Self::ScalableRootNotPresent
                | Self::ScalableRootReserved
                | Self::ScalableContextAccess
                | Self::DirectoryAccess
                | Self::PasidAccess
        )
    }

    /// Whether a translation request that meets it is answered with success and no permissions, and nothing is
    /// recorded: the endpoint may ask software by a page request (`VTD §7.4`).
    #[must_use]
    pub const fn is_recoverable(self) -> bool {
        matches!(
            self,
            Self::Write
                | Self::Read
                | Self::DirectoryNotPresent
                | Self::PasidNotPresent
                | Self::FirstStageAccess
                | Self::FirstStageNotPresent
                | Self::FirstStageReserved
                | Self::FirstStageRootAccess
                | Self::FirstStageBeyondWidth
                | Self::FirstStageRootRead
                | Self::FirstStageRead
                | Self::FirstStageWrite
                | Self::SecondStageNotPresent
                | Self::NotCanonical
                | Self::UserSupervisor
                | Self::Execute
                | Self::SecondStageBeyondWidth
                | Self::ScalableWrite
                | Self::ScalableRead
        )
    }
}

/// One request's fault. The request is aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Why.
    pub reason: FaultReason,
    /// The request it befell. Its PASID is what the record reports: none where `RID_PASID` served.
    pub request: DmaRequest,
    /// Whether it is recorded, as far as `FPD` decides it.
    pub record: bool,
}
