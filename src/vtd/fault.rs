// SPDX-License-Identifier: GPL-2.0-or-later
//! A fault as a value: why a request was not translated or remapped, enough to fill one fault recording register.

use crate::iommu::DmaRequest;

/// What kind of request it was (`AT` of a TLP, and the message types).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestKind {
    /// An access with an untranslated address.
    #[default]
    Untranslated,
    /// A translation request of an endpoint's ATC.
    Translation,
    /// An access with an address that ATS translated.
    Translated,
    /// A page request.
    Page,
}

/// Why; the numbers of `VTD §7.1.3` and `§5.1.4.1`. `LGN`, `SCT` and so on are the specification's names of the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// LRT.2: root entry not present.
    RootNotPresent = 0x01,
    /// LCT.2: context entry not present.
    ContextNotPresent = 0x02,
    /// LCT.4: context entry programmed invalidly.
    ContextInvalid = 0x03,
    /// LGN.1: input address above the guest address width.
    AddressBeyondWidth = 0x04,
    /// LGN.2: no write permission.
    Write = 0x05,
    /// LGN.3: no read permission.
    Read = 0x06,
    /// LSL.1: a paging entry could not be read.
    PagingEntryAccess = 0x07,
    /// LRT.1: the root entry could not be read.
    RootAccess = 0x08,
    /// LCT.1: the context entry could not be read.
    ContextAccess = 0x09,
    /// LRT.3: reserved field of a root entry.
    RootReserved = 0x0a,
    /// LCT.3: reserved field of a context entry.
    ContextReserved = 0x0b,
    /// LSL.2: reserved field of a paging entry.
    PagingEntryReserved = 0x0c,
    /// LCT.5: translation type forbids translation requests or translated requests.
    TranslationType = 0x0d,
    /// LGN.4: interrupt address range.
    InterruptAddress = 0x0e,
    /// RTA.1: the root table address is not programmed to be used (abort-DMA mode).
    RootTableAddress = 0x10,

    /// Reserved field of a remappable interrupt request.
    InterruptRequestReserved = 0x20,
    /// Interrupt index beyond the table.
    InterruptIndex = 0x21,
    /// Interrupt remapping table entry not present.
    InterruptNotPresent = 0x22,
    /// Interrupt remapping table entry could not be read.
    InterruptAccess = 0x23,
    /// Reserved field of an interrupt remapping table entry.
    InterruptEntryReserved = 0x24,
    /// Compatibility format interrupts are blocked.
    InterruptCompatibility = 0x25,
    /// The requester is not the one that the entry is for.
    InterruptSource = 0x26,

    /// RTA.2: reserved root table type, or reserved bits of the root table address.
    RootTableReserved = 0x30,
    /// RTA.3: a request with PASID in legacy mode.
    LegacyPasid = 0x31,
    /// RTA.4: a page request in legacy mode.
    LegacyPageRequest = 0x32,
    /// SRT.1: the root entry could not be read.
    ScalableRootAccess = 0x38,
    /// SRT.2: root entry not present.
    ScalableRootNotPresent = 0x39,
    /// SRT.3: reserved field of a root entry.
    ScalableRootReserved = 0x3a,
    /// SCT.1: the context entry could not be read.
    ScalableContextAccess = 0x40,
    /// SCT.2: context entry not present.
    ScalableContextNotPresent = 0x41,
    /// SCT.3: reserved field of a context entry.
    ScalableContextReserved = 0x42,
    /// SCT.4: context entry programmed invalidly.
    ScalableContextInvalid = 0x43,
    /// SCT.5: translation requests and translated requests are not enabled (DTE).
    DeviceTlbDisabled = 0x44,
    /// SCT.6: PASIDs are not enabled (PASIDE).
    PasidDisabled = 0x45,
    /// SCT.7: PASID beyond the directory.
    PasidBeyondDirectory = 0x46,
    /// SCT.8: page requests are not enabled (PRE).
    PageRequestsDisabled = 0x47,
    /// SCT.9: RID_PASID.
    RidPasid = 0x48,
    /// SPD.1: the PASID directory entry could not be read.
    DirectoryAccess = 0x50,
    /// SPD.2: PASID directory entry not present.
    DirectoryNotPresent = 0x51,
    /// SPD.3: reserved field of a PASID directory entry.
    DirectoryReserved = 0x52,
    /// SPT.1: the PASID table entry could not be read.
    PasidAccess = 0x58,
    /// SPT.2: PASID table entry not present.
    PasidNotPresent = 0x59,
    /// SPT.3: reserved field of a PASID table entry.
    PasidReserved = 0x5a,
    /// SPT.4: PASID table entry programmed invalidly.
    PasidInvalid = 0x5b,
    /// SPT.5: execute requests are not enabled (ERE).
    ExecuteDisabled = 0x5c,
    /// SPT.6: supervisor requests are not enabled (SRE).
    SupervisorDisabled = 0x5d,
    /// SFS.1: a first-stage entry could not be read.
    FirstStageAccess = 0x70,
    /// SFS.2: first-stage entry not present.
    FirstStageNotPresent = 0x71,
    /// SFS.3: reserved field of a first-stage entry.
    FirstStageReserved = 0x72,
    /// SFS.4: the first entry of the first stage could not be read.
    FirstStagePointer = 0x73,
    /// SFS.5: nested, the address of a first-stage entry is beyond the second stage.
    NestedEntryAddress = 0x74,
    /// SFS.6: nested, the first-stage table may not be read.
    NestedTableRead = 0x75,
    /// SFS.7: nested, a first-stage entry may not be read.
    NestedEntryRead = 0x76,
    /// SFS.8: nested, a first-stage entry may not be written (accessed and dirty bits).
    NestedEntryWrite = 0x77,
    /// SSS.1: a second-stage entry could not be read.
    SecondStageAccess = 0x78,
    /// SSS.2: second-stage entry without permission.
    SecondStageNotPresent = 0x79,
    /// SSS.3: reserved field of a second-stage entry.
    SecondStageReserved = 0x7a,
    /// SSS.4: the first entry of the second stage could not be read.
    SecondStagePointer = 0x7b,
    /// SSS.5: accessed or dirty bit to be set where that is not possible.
    SecondStageUpdate = 0x7c,
    /// SGN.1: address not canonical.
    NotCanonical = 0x80,
    /// SGN.2: a user request to a supervisor page.
    Privilege = 0x81,
    /// SGN.3: an instruction fetch from a page that forbids it.
    Execute = 0x82,
    /// SGN.4: input address beyond the hardware's width.
    AddressBeyondHardware = 0x83,
    /// SGN.5: input address of the second stage beyond its width.
    AddressBeyondSecondStage = 0x84,
    /// SGN.6: no write permission.
    ScalableWrite = 0x85,
    /// SGN.7: no read permission.
    ScalableRead = 0x86,
    /// SGN.8: interrupt address range.
    ScalableInterruptAddress = 0x87,
    /// SFS.9: accessed or dirty bit to be set where that is not possible.
    FirstStageUpdate = 0x90,
    /// SFS.10: accessed or dirty bit could not be set.
    FirstStageUpdateFailed = 0x91,
}

/// One request's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Why.
    pub reason: Reason,
    /// The request that it befell.
    pub request: DmaRequest,
    /// What kind of request it was.
    pub kind: RequestKind,
    /// Whether it is recorded: not if it is recoverable, and qualified ones not under `FPD` (`VTD §7.2.1`).
    pub record: bool,
}
