// SPDX-License-Identifier: GPL-2.0-or-later
//! From a request's StreamID and SubstreamID to the STE and CD that say what becomes of it (`IHI0070 §3.3`).

mod context;
mod second;
mod stream_table;
#[cfg(test)]
mod tests;

pub use context::Region;
pub use second::SecondStage;

use super::fault::{Fault, FaultAction, FaultClass, FaultKind};
use super::features::{AddressSize, Features};
use super::spec::cd::{Cd0, Cd1, Cd2, Cd3};
use super::spec::ste::{Ste0, Ste1, Ste2, Ste3, config, eats, instcfg, s1dss};
use super::walk;
use crate::iommu::{Access, DmaRequest, GuestMemory, Permissions, Translation};

/// What the registers say about the stream table, sampled once a translation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamTable {
    /// `STRTAB_BASE.ADDR`, as the guest wrote it: the lookup aligns it.
    pub base: u64,
    /// `STRTAB_BASE_CFG.LOG2SIZE`, as written.
    pub log2size: u8,
    /// `STRTAB_BASE_CFG.SPLIT`; reserved values behave as 6.
    pub split: u8,
    /// `STRTAB_BASE_CFG.FMT` is 1; ignored where the SMMU has no two-level tables.
    pub two_level: bool,
    /// `CR2.RECINVSID`: `C_BAD_STREAMID` is recorded.
    pub record_bad_stream: bool,
    /// `CR2.E2H`: streams of EL2 have EL2's host regime.
    pub e2h: bool,
    /// `CR0.ATSCHK`: streams may have split-stage ATS.
    pub check_ats: bool,
}

/// Whose translations a stream has, and how they are tagged (`IHI0070 §3.3.3`, StreamWorld).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamWorld {
    /// EL1 and EL0: two tables, ASIDs, VMIDs.
    El1,
    /// EL2: one table, no ASIDs, no unprivileged accesses.
    El2,
    /// EL2 and EL0, as a host has it: two tables, ASIDs.
    El2Host,
}

/// `STE.STRW` as a [`StreamContext`] has it. In an STE, [`EL2_HOST`](strw::EL2_HOST) is Reserved.
mod strw {
    pub const EL1: u64 = 0b00;
    pub const EL2: u64 = 0b10;
    pub const EL2_HOST: u64 = 0b11;
}

/// What happens to the traffic of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamAction {
    /// Terminated, without an event.
    Abort,
    /// Passed through untranslated: see [`bypass`].
    Bypass,
    /// Translated by stage 1: see [`walk`](super::walk::walk).
    FirstStage,
    /// Translated by stage 2.
    SecondStage,
    /// Translated by stage 1 and then by stage 2, where stage 1's tables lie too.
    Nested,
}

impl StreamAction {
    /// By tables.
    #[must_use]
    pub const fn translates(self) -> bool {
        matches!(self, Self::FirstStage | Self::SecondStage | Self::Nested)
    }

    /// Stage 1 takes part: there is a CD.
    #[must_use]
    pub const fn has_first_stage(self) -> bool {
        matches!(self, Self::FirstStage | Self::Nested)
    }

    /// Stage 2 takes part.
    #[must_use]
    pub const fn has_second_stage(self) -> bool {
        matches!(self, Self::SecondStage | Self::Nested)
    }
}

/// The valid STE, and with stage 1 the valid CD, of one StreamID and SubstreamID: the words that matter, decoded by
/// getters. Stage 1 that is bypassed for this SubstreamID (`S1DSS`) is represented as an STE without stage 1, the
/// [world](StreamContext::world), for which `CR2.E2H` counts too, in `STRW`, and in `EATS` its effective value, for which
/// `CR0.ATSCHK` does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamContext {
    /// STE bits 255:0.
    pub ste: [u64; 4],
    /// CD bits 255:0; without [stage 1](StreamAction::has_first_stage) zero.
    pub cd: [u64; 4],
}

/// [`StreamContext`] as words, for a cache entry.
pub const CONTEXT_WORDS: usize = 8;

impl StreamContext {
    /// Words for a cache entry.
    #[must_use]
    pub const fn to_words(self) -> [u64; CONTEXT_WORDS] {
        let ([a, b, c, d], [e, f, g, h]) = (self.ste, self.cd);
        [a, b, c, d, e, f, g, h]
    }

    /// The inverse of [`to_words`](Self::to_words).
    #[must_use]
    pub const fn from_words([a, b, c, d, e, f, g, h]: [u64; CONTEXT_WORDS]) -> Self {
        Self { ste: [a, b, c, d], cd: [e, f, g, h] }
    }

    /// STE bits 63:0.
    #[must_use]
    pub fn ste0(&self) -> Ste0 {
        self.ste[0].into()
    }

    /// STE bits 127:64.
    #[must_use]
    pub fn ste1(&self) -> Ste1 {
        self.ste[1].into()
    }

    /// STE bits 191:128.
    #[must_use]
    pub fn ste2(&self) -> Ste2 {
        self.ste[2].into()
    }

    /// CD bits 63:0.
    #[must_use]
    pub fn cd0(&self) -> Cd0 {
        self.cd[0].into()
    }

    /// CD bits 127:64.
    #[must_use]
    pub fn cd1(&self) -> Cd1 {
        self.cd[1].into()
    }

    /// CD bits 191:128.
    #[must_use]
    pub fn cd2(&self) -> Cd2 {
        self.cd[2].into()
    }

    /// CD bits 255:192: `MAIR`.
    #[must_use]
    pub fn cd3(&self) -> Cd3 {
        self.cd[3].into()
    }

    /// What happens to the traffic.
    #[must_use]
    pub fn action(&self) -> StreamAction {
        match self.ste0().config() {
            config::BYPASS => StreamAction::Bypass,
            config::S1 => StreamAction::FirstStage,
            config::S2 => StreamAction::SecondStage,
            config::NESTED => StreamAction::Nested,
            // 0b0xx.
            _ => StreamAction::Abort,
        }
    }

    /// Whose translations these are.
    #[must_use]
    pub fn world(&self) -> StreamWorld {
        match self.ste1().strw() {
            strw::EL2 => StreamWorld::El2,
            strw::EL2_HOST => StreamWorld::El2Host,
            _ => StreamWorld::El1,
        }
    }

    /// Whether translation requests and translated transactions are served (`IHI0070 §3.9.1.2`, `§3.9.1.3`).
    ///
    /// # Errors
    /// `kind` says what they are not.
    pub fn allows_ats(&self, kind: FaultKind, req: &DmaRequest) -> Result<(), Fault> {
        match self.action() {
            StreamAction::Abort => Err(silent_abort(req)),
            _ if self.ste1().eats() == eats::NONE => {
                Err(Fault { merge: self.merges_events(), ..config_fault(kind, req) })
            }
            _ => Ok(()),
        }
    }

    /// `STE.MEV`: whether records of the stream's faults may be merged (`IHI0070 §7.3.1`).
    #[must_use]
    pub fn merges_events(&self) -> bool {
        self.ste1().mev() != 0
    }

    /// Whether answers to translation requests are intermediate addresses, which translated transactions then come with
    /// (`IHI0070 §13.6.3`).
    #[must_use]
    pub fn splits_ats(&self) -> bool {
        self.ste1().eats() == eats::SPLIT
    }

    /// `CD.ASID`, the tag of non-global translations.
    #[must_use]
    pub fn asid(&self) -> u16 {
        u16::try_from(self.cd0().asid()).unwrap_or(0)
    }

    /// `STE.S2VMID`, the tag of the virtual machine: of stage 1 by itself too (`IHI0070 §3.17`). The lookup clears it
    /// where there is no stage 2 to be had, and where the world is not EL1's.
    #[must_use]
    pub fn vmid(&self) -> u16 {
        u16::try_from(self.ste2().s2vmid()).unwrap_or(0)
    }

    /// STE bits 255:192.
    #[must_use]
    pub fn ste3(&self) -> Ste3 {
        self.ste[3].into()
    }

    /// Size of stage 1's output addresses: `CD.IPS`, capped to the output address size.
    #[must_use]
    pub fn output_size(&self, f: &Features) -> AddressSize {
        AddressSize::from_encoding(self.cd0().ips()).min(f.oas)
    }

    /// The access as permissions are checked: at EL2 everything is privileged (`IHI0070 §13.4.1`).
    #[must_use]
    pub fn checked_access(&self, f: &Features, access: Access) -> Access {
        let mut checked = self.effective_access(f, access);
        checked.privileged |= self.world() == StreamWorld::El2;
        checked
    }

    /// What requests that come marked as `access` may do with a page of these permissions, for those who keep the answer and
    /// do not ask again: reads that `STE.INSTCFG` or the request itself makes instruction fetches need the permission to
    /// execute, fetches that it makes data that to read (`IHI0070 §5.2`, `§13.1.4`). Atomics and writes are data.
    #[must_use]
    #[inline(always)]
    pub fn granted(&self, f: &Features, access: Access, allowed: Permissions) -> Permissions {
        let is_plain = self.ste1().instcfg() & instcfg::DATA == 0 && !access.exec;
        if is_plain { allowed } else { self.granted_by_kind(f, access, allowed) }
    }

    #[cold]
    fn granted_by_kind(&self, f: &Features, access: Access, allowed: Permissions) -> Permissions {
        let Permissions { read, write, exec } = allowed;
        match if f.attr_perms_override { self.ste1().instcfg() } else { 0 } {
            instcfg::DATA => Permissions { read, write, exec: read },
            // An atomic.
            instcfg::INSTRUCTION if access.write && access.read => allowed,
            instcfg::INSTRUCTION => Permissions { read: exec, write, exec },
            _ if access.exec && !access.write => Permissions { read: exec, write, exec },
            _ => allowed,
        }
    }

    /// The access as events show it: writes are data, and `STE.PRIVCFG` and `STE.INSTCFG` override
    /// (`IHI0070 §13.1.2`, `§13.1.4`).
    #[must_use]
    pub fn effective_access(&self, f: &Features, access: Access) -> Access {
        let mut effective = access;
        if f.attr_perms_override {
            match self.ste1().privcfg() {
                0b10 => effective.privileged = false,
                0b11 => effective.privileged = true,
                _ => {}
            }
            match self.ste1().instcfg() {
                0b10 => {
                    effective.read |= access.exec;
                    effective.exec = false;
                }
                // Only of reads; a request that does nothing stays so.
                0b11 => effective.exec = access.exec || access.read,
                _ => {}
            }
        }
        effective.exec &= !access.write;
        effective
    }
}

/// Finds what the tables say of a request: fetches and validates the STE and, with stage 1, the CD.
///
/// At most two reads of level 1 descriptors and [pairs](crate::iommu::GuestMemory::read_structure) of STE and CD words, and
/// stage 2 walks to find them.
///
/// # Errors
/// `C_BAD_STREAMID`, `F_STE_FETCH`, `C_BAD_STE`, `F_STREAM_DISABLED`, `C_BAD_SUBSTREAMID`, `F_CD_FETCH`, `C_BAD_CD`; with
/// stage 2 its translation faults, with class CD.
pub fn lookup_stream(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &StreamTable,
    req: &DmaRequest,
) -> Result<StreamContext, Fault> {
    let context = lookup_entry(mem, f, table, req)?;
    lookup_context(mem, f, context, req)
}

/// [`lookup_stream`] of a stream whose STE is known: nothing is read for it.
///
/// # Errors
/// Those of [`lookup_stream`] from `C_BAD_STE` on.
pub fn lookup_known(
    mem: &dyn GuestMemory,
    f: &Features,
    ste: [u64; 4],
    req: &DmaRequest,
) -> Result<StreamContext, Fault> {
    let context = judge_entry(f, &StreamTable::default(), ste, req)?;
    lookup_context(mem, f, context, req)
}

/// [`lookup_stream`] for a translation request (`IHI0070 §3.9.1.2`).
///
/// # Errors
/// Those of [`lookup_stream`], and before those of CDs `F_BAD_ATS_TREQ`.
pub fn lookup_for_ats(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &StreamTable,
    req: &DmaRequest,
) -> Result<StreamContext, Fault> {
    let context = lookup_entry(mem, f, table, req)?;
    context.allows_ats(FaultKind::BadAtsRequest, req)?;
    lookup_context(mem, f, context, req)
}

/// What the tables make of a translated transaction, which is up to the STE alone as `IDR3.PASIDTT` is 0
/// (`IHI0070 §3.9.1.3`): it bypasses, or with split-stage ATS undergoes stage 2.
///
/// # Errors
/// `C_BAD_STREAMID`, `F_STE_FETCH`, `C_BAD_STE`, `F_TRANSL_FORBIDDEN`.
pub fn lookup_translated(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &StreamTable,
    req: &DmaRequest,
) -> Result<StreamContext, Fault> {
    let mut context = lookup_entry(mem, f, table, req)?;
    context.allows_ats(FaultKind::TranslationForbidden, req)?;
    let rest = if context.splits_ats() { config::S2 } else { config::BYPASS };
    context.ste[0] = context.ste0().with_config(rest).bits();
    Ok(context)
}

/// Whether the responses that an SMMU itself gives to page requests of a stream carry the PASID (`IHI0070 §8.1`).
///
/// # Errors
/// There is no valid STE that says so.
pub fn responds_with_pasid(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &StreamTable,
    req: &DmaRequest,
) -> Result<bool, Fault> {
    lookup_entry(mem, f, table, req).map(|context| context.ste1().ppar() != 0)
}

/// The valid STE of a stream, without the CDs that it leads to.
///
/// # Errors
/// `C_BAD_STREAMID`, `F_STE_FETCH`, `C_BAD_STE`.
pub fn lookup_ste(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &StreamTable,
    req: &DmaRequest,
) -> Result<StreamContext, Fault> {
    lookup_entry(mem, f, table, req)
}

/// The valid STE.
fn lookup_entry(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &StreamTable,
    req: &DmaRequest,
) -> Result<StreamContext, Fault> {
    let ste = stream_table::fetch(mem, f, table, req)?;
    judge_entry(f, table, ste, req)
}

/// The STE, if it is valid.
fn judge_entry(
    f: &Features,
    table: &StreamTable,
    ste: [u64; 4],
    req: &DmaRequest,
) -> Result<StreamContext, Fault> {
    if stream_table::is_illegal(f, ste) {
        return Err(config_fault(FaultKind::BadSte, req));
    }
    let mut context = StreamContext { ste, cd: [0; 4] };
    let is_el2 = f.hyp && context.action() == StreamAction::FirstStage && context.ste1().strw() == strw::EL2;
    let world = match (is_el2, table.e2h) {
        (false, _) => strw::EL1,
        (true, false) => strw::EL2,
        (true, true) => strw::EL2_HOST,
    };
    let ats = match context.ste1().eats() {
        _ if !f.ats || context.action() == StreamAction::Bypass => eats::NONE,
        eats::FULL => eats::FULL,
        eats::SPLIT if table.check_ats => eats::SPLIT,
        _ => eats::NONE,
    };
    context.ste[1] = context.ste1().with_strw(world).with_eats(ats).bits();
    if !f.stage2 || is_el2 {
        context.ste[2] = context.ste2().with_s2vmid(0).bits();
    }
    Ok(context)
}

/// The rest of it, with the CD.
fn lookup_context(
    mem: &dyn GuestMemory,
    f: &Features,
    context: StreamContext,
    req: &DmaRequest,
) -> Result<StreamContext, Fault> {
    let merge = context.merges_events();
    find_context(mem, f, context, req).map_err(|fault| Fault { merge, ..fault })
}

fn find_context(
    mem: &dyn GuestMemory,
    f: &Features,
    mut context: StreamContext,
    req: &DmaRequest,
) -> Result<StreamContext, Fault> {
    match context.action() {
        StreamAction::Abort => Ok(context),
        StreamAction::Bypass | StreamAction::SecondStage if req.substream.is_some() => {
            Err(config_fault(FaultKind::BadSubstreamId, req))
        }
        StreamAction::Bypass | StreamAction::SecondStage => Ok(context),
        StreamAction::FirstStage | StreamAction::Nested => {
            let log2_contexts = if f.ssid_bits == 0 { 0 } else { context.ste0().s1cdmax() };
            let default = context.ste1().s1dss();
            let index = match req.substream {
                Some(_) if log2_contexts == 0 => return Err(config_fault(FaultKind::BadSubstreamId, req)),
                Some(ssid) if u64::from(ssid) >= 1 << log2_contexts => {
                    return Err(config_fault(FaultKind::BadSubstreamId, req));
                }
                Some(0) if default == s1dss::SSID0 => {
                    return Err(config_fault(FaultKind::StreamDisabled, req));
                }
                Some(ssid) => ssid,
                None if log2_contexts == 0 || default == s1dss::SSID0 => 0,
                None if default == s1dss::BYPASS => {
                    if context.action().has_second_stage() {
                        context.ste[0] = context.ste0().with_config(config::S2).bits();
                    } else {
                        context.ste[0] = context.ste0().with_config(config::BYPASS).bits();
                    }
                    return Ok(context);
                }
                None => return Err(config_fault(FaultKind::StreamDisabled, req)),
            };
            context.cd = context::fetch(mem, f, &context, log2_contexts, index, req)?;
            if context::is_illegal(f, &context) {
                return Err(config_fault(FaultKind::BadCd, req));
            }
            Ok(context)
        }
    }
}

/// What becomes of a request whose stream bypasses: the address itself, unless it exceeds the output address size.
///
/// # Errors
/// `F_ADDR_SIZE`, always recorded and never stalled (`IHI0070 §3.4`).
pub fn bypass(f: &Features, context: &StreamContext, req: &DmaRequest) -> Result<Translation, Fault> {
    if f.oas.contains(req.addr) {
        Ok(Translation {
            addr: req.addr,
            page_mask: f.oas.mask(),
            perm: Permissions { read: true, write: true, exec: true },
        })
    } else {
        let access = context.effective_access(f, req.access);
        Err(Fault {
            privileged: access.privileged,
            instruction: access.exec,
            merge: context.merges_events(),
            ..config_fault(FaultKind::AddressSize, req)
        })
    }
}

/// The fault of a request whose stream aborts: nothing is recorded.
#[must_use]
pub fn silent_abort(req: &DmaRequest) -> Fault {
    Fault { record: false, ..config_fault(FaultKind::StreamDisabled, req) }
}

/// A fault that does not depend on `CD.{A,R,S}`: it aborts, and is recorded.
pub(super) fn config_fault(kind: FaultKind, req: &DmaRequest) -> Fault {
    Fault {
        kind,
        request: *req,
        substream: req.substream,
        class: FaultClass::Input,
        stage2: false,
        ipa: 0,
        fetch_addr: 0,
        span: 0,
        table_read: false,
        action: FaultAction::Abort,
        record: true,
        merge: false,
        privileged: req.access.privileged,
        instruction: req.access.exec && !req.access.write,
    }
}

/// [`config_fault`] of a structure that could not be read.
fn fetch_fault(kind: FaultKind, req: &DmaRequest, fetch_addr: u64) -> Fault {
    Fault { fetch_addr, ..config_fault(kind, req) }
}

/// Reads a structure's first `N` words, each aligned pair as of one moment.
fn read_words<const N: usize>(mem: &dyn GuestMemory, f: &Features, addr: u64) -> Option<[u64; N]> {
    let mut words = [0; N];
    // It does not straddle the end of memory, for it is aligned to its size.
    if !f.oas.contains(addr) {
        return None;
    }
    mem.read_structure(addr, &mut words).ok()?;
    Some(words)
}

/// Reads the first `N` words of an L1CD or CD, where stage 2 says that it lies if there is one.
fn read_context<const N: usize>(
    mem: &dyn GuestMemory,
    f: &Features,
    context: &StreamContext,
    addr: u64,
    req: &DmaRequest,
) -> Result<[u64; N], Fault> {
    let at = if context.action().has_second_stage() {
        walk::locate_context(mem, f, context, req, addr)?
    } else {
        addr
    };
    read_words(mem, f, at).ok_or_else(|| fetch_fault(FaultKind::CdFetch, req, at))
}

/// `addr` with its low `log2` bits cleared.
const fn align_down(addr: u64, log2: u32) -> u64 {
    match u64::MAX.checked_shl(log2) {
        Some(mask) => addr & mask,
        None => 0,
    }
}
