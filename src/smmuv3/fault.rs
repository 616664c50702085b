// SPDX-License-Identifier: GPL-2.0-or-later
//! A fault as a value: what went wrong with one transaction, enough to write exactly one event record.

use crate::iommu::DmaRequest;

/// Why a transaction did not complete; the numbers of `IHI0070 §7.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FaultKind {
    /// `F_UUT`: unsupported upstream transaction.
    UnsupportedTransaction = 0x01,
    /// `C_BAD_STREAMID`: the StreamID is outside the stream table.
    BadStreamId = 0x02,
    /// `F_STE_FETCH`: reading the STE failed.
    SteFetch = 0x03,
    /// `C_BAD_STE`: STE invalid or ILLEGAL.
    BadSte = 0x04,
    /// `F_BAD_ATS_TREQ`: a translation request that the stream does not allow.
    BadAtsRequest = 0x05,
    /// `F_STREAM_DISABLED`: non-substream transaction with `S1DSS` terminate.
    StreamDisabled = 0x06,
    /// `F_TRANSL_FORBIDDEN`: a translated transaction that the stream does not allow.
    TranslationForbidden = 0x07,
    /// `C_BAD_SUBSTREAMID`: the SubstreamID is outside the CD table, or substreams are not allowed.
    BadSubstreamId = 0x08,
    /// `F_CD_FETCH`: reading the CD or L1CD failed.
    CdFetch = 0x09,
    /// `C_BAD_CD`: CD invalid or ILLEGAL.
    BadCd = 0x0a,
    /// `F_WALK_EABT`: a table access of a walk failed.
    WalkAbort = 0x0b,
    /// `F_TRANSLATION`: no mapping.
    Translation = 0x10,
    /// `F_ADDR_SIZE`: an output address beyond what is configured.
    AddressSize = 0x11,
    /// `F_ACCESS`: access flag clear.
    AccessFlag = 0x12,
    /// `F_PERMISSION`: the mapping forbids the access.
    Permission = 0x13,
    /// `F_TLB_CONFLICT`.
    TlbConflict = 0x20,
    /// `F_CFG_CONFLICT`.
    ConfigConflict = 0x21,
}

impl FaultKind {
    /// Whether a page request may mend it: a translation request then is answered without permissions, and nothing is
    /// recorded (`IHI0070 §3.9.1.2`).
    #[must_use]
    pub fn is_recoverable(self) -> bool {
        matches!(self, Self::Translation | Self::AddressSize | Self::AccessFlag | Self::Permission)
    }
}

/// What was being accessed when a translation-related fault arose (`CLASS` of the event records).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum FaultClass {
    /// A CD fetch.
    Cd = 0,
    /// A translation table descriptor fetch.
    TableDescriptor = 1,
    /// The transaction's input address.
    #[default]
    Input = 2,
}

/// What happens to the transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaultAction {
    /// Terminated with an abort.
    #[default]
    Abort,
    /// Terminated, reads as zero and writes ignored (`CD.A = 0`). Endpoints see success without data.
    ReadZeroWriteIgnored,
    /// Stalled, if the requester can wait.
    Stall,
}

/// One transaction's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The event.
    pub kind: FaultKind,
    /// The request it befell.
    pub request: DmaRequest,
    /// Whether the transaction carried a SubstreamID that counts (`SSV`), with it; differs from the request's where
    /// `S1DSS` substituted substream 0.
    pub substream: Option<u32>,
    /// What was being accessed.
    pub class: FaultClass,
    /// The fault arose in stage 2.
    pub stage2: bool,
    /// Intermediate physical address, where `stage2`; else 0.
    pub ipa: u64,
    /// Physical address of the fetch that failed (`F_STE_FETCH`, `F_CD_FETCH`, `F_WALK_EABT`); else 0.
    pub fetch_addr: u64,
    /// How many smallest translation units a translation request asked for (`F_BAD_ATS_TREQ`); else 0.
    pub span: u8,
    /// With class [`TableDescriptor`](FaultClass::TableDescriptor) in stage 2: a descriptor was read, not written.
    pub table_read: bool,
    /// What happens to the transaction (`CD.S`, `CD.A`, `STE.S2S`, stall model).
    pub action: FaultAction,
    /// Whether an event is recorded (`CD.R`, `STE.S2R`, `STE.Config`, `CR2.RECINVSID`).
    pub record: bool,
    /// Its record may be merged with others alike (`STE.MEV`).
    pub merge: bool,
    /// Privileged and instruction attributes as translation used them, after `PRIVCFG` and `INSTCFG`.
    pub privileged: bool,
    /// See `privileged`.
    pub instruction: bool,
}
