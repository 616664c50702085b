// SPDX-License-Identifier: GPL-2.0-or-later
//! From a request's source-id and PASID to the context entry and PASID table entry that say what becomes of it
//! (`VTD §3.4`).

mod legacy;
mod scalable;
#[cfg(test)]
mod tests;

use super::fault::{Fault, FaultReason};
use super::features::Features;
use super::spec::context::{Context0, Context1, tt};
use super::spec::pasid::{Pasid0, Pasid1, Pasid2, pgtt};
use crate::iommu::narrow::{low8, low16, low32, ones};
use crate::iommu::{Access, DmaRequest, GuestMemory, StreamId, SubstreamId};
use crate::layout;
use crate::nested::FirstStage;

/// What the registers say about the root table, sampled once a lookup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootTable {
    /// `RTADDR_REG` as it was when the root table pointer was last set: the address in bits 63:12, `TTM` in bits 11:10.
    pub rtaddr: u64,
}

/// `RTADDR_REG.TTM`: how tables are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableMode {
    /// `00b`.
    Legacy,
    /// `01b`.
    Scalable,
    /// `11b`: every request is blocked.
    Abort,
    /// `10b`, or what this unit does not have.
    Invalid,
}

impl RootTable {
    /// Address of the root table.
    #[must_use]
    pub const fn base(self) -> u64 {
        self.rtaddr & !0xfff
    }

    /// How tables are read.
    #[must_use]
    pub const fn mode(self, f: &Features) -> TableMode {
        match self.rtaddr >> 10 & 0b11 {
            0b00 => TableMode::Legacy,
            0b01 if f.scalable => TableMode::Scalable,
            0b11 if f.abort_dma => TableMode::Abort,
            _ => TableMode::Invalid,
        }
    }
}

/// What is asked of the unit: which switches of the tables must be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A memory request with an untranslated address.
    Untranslated,
    /// A translation request (ATS).
    Translation,
    /// A memory request with an address that a translation request gave. Only the context entry counts (`VTD §4.2.3`).
    Translated,
    /// A page request. Only the context entry counts.
    Page,
}

/// What happens to untranslated requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They pass through.
    PassThrough,
    /// The first stage translates them.
    FirstStage,
    /// The second stage translates them.
    SecondStage,
    /// The first stage translates them, and the second stage its output and its tables' addresses.
    Nested,
}

layout! {
    /// What a [`Context`] holds besides table words.
    pub struct Summary(u64) {
        /// Scalable mode.
        0:0 scalable with_scalable,
        /// `FPD` of any entry on the way.
        1:1 fpd with_fpd,
        /// Translation requests and translated requests are served.
        2:2 device_tlb with_device_tlb,
        /// Page requests are served.
        3:3 page_requests with_page_requests,
        /// Requests without PASID are privileged.
        4:4 rid_priv with_rid_priv,
        /// The request has a PASID.
        5:5 has_pasid with_has_pasid,
        /// The PASID, or `RID_PASID`.
        51:32 pasid with_pasid,
    }
}

/// [`Context`] as words, for a cache entry.
pub const CONTEXT_WORDS: usize = 4;

/// The valid tables' word on one source-id and PASID. In scalable mode bits 191:0 of the PASID table entry, in legacy
/// mode the context entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    summary: u64,
    entry: [u64; 3],
}

impl Context {
    /// Words for a cache entry.
    #[must_use]
    pub const fn to_words(self) -> [u64; CONTEXT_WORDS] {
        let [a, b, c] = self.entry;
        [self.summary, a, b, c]
    }

    /// The inverse of [`to_words`](Self::to_words).
    #[must_use]
    pub const fn from_words([summary, a, b, c]: [u64; CONTEXT_WORDS]) -> Self {
        Self { summary, entry: [a, b, c] }
    }

    fn summary(&self) -> Summary {
        self.summary.into()
    }

    fn pasid0(&self) -> Pasid0 {
        self.entry[0].into()
    }

    fn pasid1(&self) -> Pasid1 {
        self.entry[1].into()
    }

    fn pasid2(&self) -> Pasid2 {
        self.entry[2].into()
    }

    fn context0(&self) -> Context0 {
        self.entry[0].into()
    }

    fn context1(&self) -> Context1 {
        self.entry[1].into()
    }

    /// It is of scalable mode.
    #[must_use]
    pub fn is_scalable(&self) -> bool {
        self.summary().scalable() != 0
    }

    /// What happens to untranslated requests.
    #[must_use]
    pub fn action(&self) -> Action {
        if self.is_scalable() {
            match self.pasid0().pgtt() {
                pgtt::FIRST_STAGE => Action::FirstStage,
                pgtt::NESTED => Action::Nested,
                pgtt::PASS_THROUGH => Action::PassThrough,
                // The others are refused before a context comes to be.
                _ => Action::SecondStage,
            }
        } else if self.context0().tt() == tt::PASS_THROUGH {
            Action::PassThrough
        } else {
            Action::SecondStage
        }
    }

    /// Domain-id.
    #[must_use]
    pub fn domain(&self) -> u16 {
        if self.is_scalable() { low16(self.pasid1().did()) } else { low16(self.context1().did()) }
    }

    /// The PASID that the tables were looked up with: the request's own, or `RID_PASID`; 0 in legacy mode.
    #[must_use]
    pub fn pasid(&self) -> u32 {
        low32(self.summary().pasid())
    }

    /// Qualified faults are not recorded.
    #[must_use]
    pub fn faults_disabled(&self) -> bool {
        self.summary().fpd() != 0
    }

    /// Translation requests and translated requests are served.
    #[must_use]
    pub fn has_device_tlb(&self) -> bool {
        self.summary().device_tlb() != 0
    }

    /// First-stage table, and its levels: 4 or 5.
    #[must_use]
    pub fn first_stage(&self) -> (u64, u8) {
        let entry = self.pasid2();
        (entry.fsptptr() << 12, if entry.fspm() == 1 { 5 } else { 4 })
    }

    /// Second-stage table, and its levels: 3 to 5.
    #[must_use]
    pub fn second_stage(&self) -> (u64, u8) {
        let (table, aw) = if self.is_scalable() {
            (self.pasid0().ssptptr(), self.pasid0().aw())
        } else {
            (self.context0().ssptptr(), self.context1().aw())
        };
        (table << 12, low8(aw).saturating_add(2))
    }

    /// Second-stage accessed and dirty flags are kept.
    #[must_use]
    pub fn keeps_second_stage_flags(&self) -> bool {
        self.is_scalable() && self.pasid0().ssade() != 0
    }

    /// Extended accessed flags are kept.
    #[must_use]
    pub fn keeps_extended_accessed(&self) -> bool {
        self.pasid2().eafe() != 0
    }

    /// Page walks of this PASID may update flags: they are coherent.
    #[must_use]
    pub fn walks_snoop(&self, f: &Features) -> bool {
        f.coherent && self.pasid1().pwsnp() != 0 || f.leniency.flag_updates
    }

    /// Supervisor requests obey `R/W` of first-stage entries.
    #[must_use]
    pub fn write_protects(&self) -> bool {
        self.pasid2().wpe() != 0
    }

    /// `XD` of first-stage entries forbids execution.
    #[must_use]
    pub fn execute_disables(&self) -> bool {
        self.pasid2().nxe() != 0
    }

    /// Supervisor requests do not execute user pages.
    #[must_use]
    pub fn supervisor_execute_prevented(&self) -> bool {
        self.pasid2().smep() != 0
    }

    /// The access as translation sees it. Writes are data; only a first stage tells privileges and instruction
    /// fetches apart, and requests without PASID have of both what the context entry gives them (`VTD §3.6.1`).
    #[must_use]
    pub fn effective_access(&self, access: Access) -> Access {
        let first_stage = matches!(self.action(), Action::FirstStage | Action::Nested);
        let summary = self.summary();
        let has_pasid = summary.has_pasid() != 0;
        let exec = has_pasid && access.exec && !access.write;
        Access {
            read: access.read || exec,
            write: access.write,
            exec: exec && first_stage,
            privileged: first_stage && if has_pasid { access.privileged } else { summary.rid_priv() != 0 },
        }
    }

    /// Whether the entry refuses the access by its kind, whatever the page.
    #[must_use]
    pub fn refuses(&self, access: Access) -> Option<FaultReason> {
        let effective = self.effective_access(access);
        if effective.exec && self.pasid2().ere() == 0 {
            Some(FaultReason::ExecuteDisabled)
        } else if effective.privileged && self.pasid2().sre() == 0 {
            Some(FaultReason::SupervisorDisabled)
        } else {
            None
        }
    }

    /// Whether requests of that kind are served at all.
    #[must_use]
    pub fn refuses_kind(&self, kind: RequestKind) -> Option<FaultReason> {
        match kind {
            RequestKind::Untranslated => None,
            RequestKind::Translation | RequestKind::Translated => {
                (!self.has_device_tlb()).then_some(if self.is_scalable() {
                    FaultReason::DeviceTlbDisabled
                } else {
                    FaultReason::TranslationType
                })
            }
            RequestKind::Page => {
                (self.summary().page_requests() == 0).then_some(FaultReason::PageRequestDisabled)
            }
        }
    }

    /// The reason why a request to an interrupt's address is blocked: LGN.4 or SGN.8.
    #[must_use]
    pub fn interrupt_reason(&self) -> FaultReason {
        if self.is_scalable() { FaultReason::ScalableInterruptAddress } else { FaultReason::InterruptAddress }
    }

    /// The first-stage table, with what of its entry concerns whoever walks it instead of this unit.
    #[must_use]
    pub fn first_stage_binding(&self) -> FirstStage {
        let entry = self.pasid2();
        FirstStage {
            table: entry.fsptptr() << 12,
            address_bits: if entry.fspm() == 1 { 57 } else { 48 },
            supervisor_requests: entry.sre() != 0,
            write_protect: entry.wpe() != 0,
            extended_accessed: entry.eafe() != 0,
        }
    }

    /// Execute requests are served.
    #[must_use]
    pub fn executes(&self) -> bool {
        self.pasid2().ere() != 0
    }

    /// The fault of a request that this context serves.
    #[must_use]
    pub fn fault(&self, reason: FaultReason, req: &DmaRequest) -> Fault {
        fault(reason, self.faults_disabled(), req)
    }
}

/// Finds what the tables say of a request: fetches and validates the root entry, the context entry and, in scalable
/// mode, the PASID directory entry and table entry.
///
/// # Errors
/// The fault, recorded as `FPD` says.
pub fn lookup(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &RootTable,
    req: &DmaRequest,
    kind: RequestKind,
) -> Result<Context, Fault> {
    let plain = |reason| Err(fault(reason, false, req));
    match table.mode(f) {
        TableMode::Invalid => plain(FaultReason::RootTable),
        TableMode::Abort => plain(FaultReason::AbortDma),
        TableMode::Legacy if kind == RequestKind::Page => plain(FaultReason::PageRequestInLegacyMode),
        TableMode::Legacy if req.substream.is_some() => plain(FaultReason::PasidInLegacyMode),
        TableMode::Legacy => legacy::lookup(mem, f, table.base(), req, kind),
        TableMode::Scalable => scalable::lookup(mem, f, table.base(), req, kind),
    }
}

/// A function's PASID table, as its scalable mode context entry names it (`VTD §9.4`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasidTable {
    /// Address of the directory.
    pub directory: u64,
    /// Log2 of the PASIDs that the directory and the unit have room for.
    pub pasid_bits: u8,
    /// The PASID of requests without PASID.
    pub rid_pasid: SubstreamId,
    /// Requests with PASID are served.
    pub with_pasid: bool,
    /// Page requests are served.
    pub page_requests: bool,
}

/// Finds a function's PASID table. `None`: the tables are not of scalable mode.
///
/// # Errors
/// There is none, or it cannot be.
pub fn pasid_table(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &RootTable,
    req: &DmaRequest,
) -> Result<Option<PasidTable>, Fault> {
    match table.mode(f) {
        TableMode::Scalable => scalable::pasid_table(mem, f, table.base(), req).map(Some),
        TableMode::Legacy => Ok(None),
        TableMode::Invalid => Err(fault(FaultReason::RootTable, false, req)),
        TableMode::Abort => Err(fault(FaultReason::AbortDma, false, req)),
    }
}

/// Where a search of a PASID table came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// This PASID's entry is present.
    Found(SubstreamId),
    /// It was enough. None before this one is present; it may be.
    Stopped(SubstreamId),
    /// None is present.
    End,
}

impl PasidTable {
    /// The PASIDs whose entries are present, in their order, until `visit` says `false`.
    ///
    /// Reads as many words as there are directory entries, and for each that is present 64 more.
    pub fn for_each_present(
        &self,
        mem: &dyn GuestMemory,
        f: &Features,
        visit: impl FnMut(SubstreamId) -> bool,
    ) {
        scalable::for_each_present(mem, f, self, visit);
    }

    /// The first PASID from `from` on and below `end` whose entry is present, found with at most so many reads of words.
    #[must_use]
    pub fn next_present(
        &self,
        mem: &dyn GuestMemory,
        f: &Features,
        from: SubstreamId,
        end: SubstreamId,
        reads: u32,
    ) -> Seek {
        scalable::next_present(mem, f, self, from, end, reads)
    }

    /// The entry of one PASID.
    ///
    /// # Errors
    /// It is not present, or cannot be.
    pub fn entry(
        &self,
        mem: &dyn GuestMemory,
        f: &Features,
        stream: StreamId,
        pasid: SubstreamId,
    ) -> Result<Context, Fault> {
        scalable::table_entry(mem, f, self, stream, pasid)
    }
}

/// Whether a page request may be queued: by root and context entry alone (`VTD §7.5.1`).
///
/// # Errors
/// The fault; the page request is answered by the unit itself.
pub fn check_page_request(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &RootTable,
    req: &DmaRequest,
) -> Result<(), Fault> {
    lookup(mem, f, table, req, RequestKind::Page).map(|_| ())
}

fn fault(reason: FaultReason, faults_disabled: bool, req: &DmaRequest) -> Fault {
    Fault { reason, request: *req, record: !(faults_disabled && reason.is_qualified()) }
}

/// Whether an address has bits that physical addresses have not.
pub(super) fn beyond_host(f: &Features, addr: u64) -> bool {
    addr & !ones(f.host_bits().into()) != 0
}

/// Bus number and the number of the function on it.
fn bus_and_function(req: &DmaRequest) -> (u64, u64) {
    (u64::from(req.stream >> 8 & 0xff), u64::from(req.stream & 0xff))
}

/// Reads a structure's first `N` words, each single-copy atomic, and again if the first changed meanwhile.
fn read_words<const N: usize>(mem: &dyn GuestMemory, f: &Features, addr: u64) -> Option<[u64; N]> {
    const ATTEMPTS: u32 = 4;
    if beyond_host(f, addr) {
        return None;
    }
    let mut words = [0; N];
    for _ in 0..ATTEMPTS {
        let mut at = addr;
        for word in &mut words {
            *word = mem.read_u64(at).ok()?;
            at = at.wrapping_add(8);
        }
        if N == 1 || mem.read_u64(addr).ok() == words.first().copied() {
            break;
        }
    }
    Some(words)
}
