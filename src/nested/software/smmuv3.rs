// SPDX-License-Identifier: GPL-2.0-or-later
//! The host's IOMMU as an SMMUv3: what Linux lets a guest's STE say, CD tables and first stages of guests, and what the
//! commands that Linux passes on make it forget.

use super::cache::{Cache, Page, Span, Tables};
use crate::iommu::narrow::{low8, low32, ones};
use crate::iommu::{AtsInvalidation, DmaRequest, GuestMemory, Permissions, SubstreamId, Translation};
use crate::nested::host::{Capabilities, Config, DeviceId, Smmuv3Capabilities};
use crate::smmuv3::command::Command;
use crate::smmuv3::config::{self, StreamAction, StreamContext};
use crate::smmuv3::fault::{Fault, FaultKind};
use crate::smmuv3::features::Features;
use crate::smmuv3::spec::command as op;
use crate::smmuv3::spec::ste::{Ste0, Ste1, config as ste_config, eats};
use crate::smmuv3::translate::{Invalidation, Pages};
use crate::smmuv3::walk::{self, Refusal, Stage, TableCache};

/// A first stage's answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstStageAnswer {
    /// Guest-physical.
    pub addr: u64,
    /// Of the page around it.
    pub log2size: u8,
    pub perm: Permissions,
}

/// What an endpoint keeps of translations that it asked for.
#[derive(Clone, Copy, Debug)]
struct AtcEntry {
    device: DeviceId,
    pasid: Option<SubstreamId>,
    privileged: bool,
    base: u64,
    translation: Translation,
}

/// The SMMU.
#[derive(Debug)]
pub(super) struct Unit {
    features: Features,
    /// The same, as a first stage sees it: stage 2 is another part's.
    first: Features,
    contexts: Vec<(DeviceId, Option<SubstreamId>, StreamContext)>,
    cache: Cache,
    atc: Vec<AtcEntry>,
}

impl Unit {
    pub fn new(features: Features) -> Self {
        let first = Features { stage2: false, hyp: false, ..features };
        Self { features, first, contexts: Vec::new(), cache: Cache::default(), atc: Vec::new() }
    }

    pub fn capabilities(&self, pasid_bits: u8) -> Capabilities {
        let f = &self.features;
        Capabilities::Smmuv3(Smmuv3Capabilities {
            idr: [f.idr0(), f.idr1(), f.idr2(), f.idr3(), f.idr4(), f.idr5()],
            iidr: f.iidr(),
            aidr: f.aidr(),
            pasid_bits: pasid_bits.min(f.ssid_bits),
        })
    }

    /// Whether Linux would take it; the error is an `errno`.
    pub fn check(pasid: Option<SubstreamId>, config: &Config, has_virtual_id: bool) -> Result<(), i32> {
        if pasid.is_some() || matches!(config, Config::FirstStage(_)) {
            return Err(libc::EOPNOTSUPP);
        }
        let Config::CdTable { ste: [first, second] } = *config else { return Ok(()) };
        let (ste0, ste1) = (Ste0::from(first), Ste1::from(second));
        if ste0.v() == 0 {
            return Ok(());
        }
        if first & !STE0_ALLOWED != 0 || second & !STE1_ALLOWED != 0 {
            return Err(libc::EIO);
        }
        if !matches!(ste0.config(), ste_config::ABORT | ste_config::BYPASS | ste_config::S1) {
            return Err(libc::EIO);
        }
        if !matches!(ste1.eats(), eats::NONE | eats::FULL) {
            return Err(libc::EIO);
        }
        // Invalidations and events need the guest's name of the stream.
        if ste0.config() == ste_config::S1 && !has_virtual_id { Err(libc::ENOENT) } else { Ok(()) }
    }

    /// The STE that a configuration becomes, of the first stage alone. Nothing bound: the guest's addresses are physical
    /// to it.
    pub fn ste(config: Option<&Config>) -> [u64; 4] {
        let simple = |config| [Ste0::default().with_v(1).with_config(config).bits(), 0, 0, 0];
        match config {
            Some(Config::CdTable { ste: [first, second] }) if Ste0::from(*first).v() != 0 => {
                [*first, Ste1::from(*second).with_eats(0).bits(), 0, 0]
            }
            Some(Config::Abort | Config::CdTable { .. } | Config::FirstStage(_)) => simple(ste_config::ABORT),
            Some(Config::Bypass) | None => simple(ste_config::BYPASS),
        }
    }

    /// Whether endpoints may ask for translations.
    pub fn allows_ats(config: Option<&Config>) -> bool {
        matches!(config, Some(Config::CdTable { ste: [first, second] })
            if Ste0::from(*first).v() != 0 && Ste0::from(*first).config() == ste_config::S1
                && Ste1::from(*second).eats() == eats::FULL)
    }

    /// A stream has another STE. Linux writes and invalidates it where a word differs; it never invalidates what address
    /// spaces left behind, for that is the guest's to do.
    pub fn replaced(&mut self, device: DeviceId, old: Option<&Config>, new: Option<&Config>) {
        if Self::ste(old) != Self::ste(new) {
            self.contexts.retain(|(of, ..)| *of != device);
        }
        self.atc.retain(|entry| entry.device != device);
    }

    /// Stage 2 lost a mapping.
    pub fn unmapped(&mut self) {
        self.cache.forget_all();
        self.atc.clear();
    }

    /// The first stage of one request, `ste` being what its stream has.
    pub fn translate(
        &mut self,
        mem: &dyn GuestMemory,
        ste: [u64; 4],
        device: DeviceId,
        req: &DmaRequest,
    ) -> Result<FirstStageAnswer, Fault> {
        let known =
            self.contexts.iter().find(|(of, ssid, _)| (*of, *ssid) == (device, req.substream)).map(|c| c.2);
        let context = match known {
            Some(context) => context,
            None => {
                let context = config::lookup_known(mem, &self.first, ste, req)?;
                self.contexts.push((device, req.substream, context));
                context
            }
        };
        match context.action() {
            StreamAction::Abort => Err(config::silent_abort(req)),
            StreamAction::Bypass => config::bypass(&self.first, &context, req).map(|t| FirstStageAnswer {
                addr: t.addr,
                log2size: low8(self.first.oas.bits().into()),
                perm: t.perm,
            }),
            _ => self.page(mem, &context, req),
        }
    }

    fn page(
        &mut self,
        mem: &dyn GuestMemory,
        context: &StreamContext,
        req: &DmaRequest,
    ) -> Result<FirstStageAnswer, Fault> {
        let f = &self.first;
        let tag = u32::from(context.asid());
        let region = context.region(is_upper(req.addr));
        let addr = if region.top_byte_ignore { canonical(req.addr) } else { req.addr };
        let answer = |output: u64, log2size: u8, perm| FirstStageAnswer {
            addr: output | addr & ones(log2size.into()),
            log2size,
            perm,
        };
        if let Some(page) = self.cache.page(tag, addr) {
            match walk::check(walk::PagePerms::from_bits(page.perms), f, context, req.access) {
                Ok(perm) => return Ok(answer(page.output, page.log2size, perm)),
                // The page is taken at its word: who allows more has to invalidate.
                Err(Refusal::Permission(_)) => {
                    return Err(walk::translation_fault(FaultKind::Permission, f, context, req));
                }
                Err(Refusal::Clean) => {}
            }
        }
        let tables = self.cache.tables(tag, low8(region.granule_log2.into()));
        let mapping = walk::walk(mem, &tables, f, context, req).0?;
        self.cache.insert(Page {
            tag,
            global: mapping.global,
            base: addr & !ones(mapping.log2size.into()),
            log2size: mapping.log2size,
            level: mapping.level,
            granule_log2: mapping.granule_log2,
            output: mapping.addr,
            perms: mapping.perms.bits(),
        });
        let privileged = context.checked_access(f, req.access).privileged;
        Ok(answer(mapping.addr, mapping.log2size, mapping.perms.permissions(privileged)))
    }

    /// One command of a guest, as Linux passes it on; `device` finds who has a virtual StreamID.
    ///
    /// # Errors
    /// An `errno`: not a command for guests, or a stream that is nobody's.
    pub fn invalidate(
        &mut self,
        [first, second]: [u64; 2],
        device: impl Fn(u32) -> Option<DeviceId>,
    ) -> Result<(), i32> {
        let opcode = low8(first);
        let of_stream = matches!(opcode, op::CFGI_CD | op::CFGI_CD_ALL | op::ATC_INV);
        let of_tlb = matches!(opcode, op::TLBI_NSNH_ALL | op::TLBI_NH_ALL..=op::TLBI_NH_VAA);
        let stream = low32(first >> 32);
        let owner = match (of_stream, of_tlb) {
            (true, _) => Some(device(stream).ok_or(libc::EIO)?),
            (_, true) => None,
            _ => return Err(libc::EIO),
        };
        // Linux skips what the SMMU calls illegal.
        let Ok(command) = Command::decode(&self.first, false, [first, second]) else { return Ok(()) };
        match command {
            Command::Configuration(Invalidation::Cd { ssid, .. }) => self.contexts.retain(|(of, has, _)| {
                // Transactions without SubstreamID may use CD 0.
                Some(*of) != owner || !(*has == Some(ssid) || (ssid == 0 && has.is_none()))
            }),
            Command::Configuration(_) => self.contexts.retain(|(of, ..)| Some(*of) != owner),
            Command::Translations(Invalidation::Asid { asid, .. }) => self.cache.forget_tag(asid.into()),
            Command::Translations(Invalidation::Va { asid, pages, .. }) => {
                self.cache.forget_span(asid.map(u32::from), &span(&pages));
            }
            Command::Translations(_) => self.cache.forget_all(),
            Command::AtsInvalidate(what) => self.forget_atc(owner, &what),
            _ => {}
        }
        Ok(())
    }

    fn forget_atc(&mut self, device: Option<DeviceId>, what: &AtsInvalidation) {
        self.atc.retain(|entry| {
            let overlaps =
                entry.base <= what.addr | what.mask && what.addr <= entry.base | entry.translation.page_mask;
            Some(entry.device) != device || entry.pasid != what.substream || !overlaps
        });
    }

    /// What an endpoint's own cache knows.
    pub fn atc_find(&self, device: DeviceId, req: &DmaRequest) -> Option<Translation> {
        let key = (device, req.substream, req.access.privileged);
        let entry = self.atc.iter().find(|e| {
            (e.device, e.pasid, e.privileged) == key && req.addr & !e.translation.page_mask == e.base
        })?;
        let (access, perm) = (req.access, entry.translation.perm);
        let allowed = (perm.write || !access.write)
            && (perm.exec || !access.exec)
            && (perm.read || access.exec || !access.read);
        let at = entry.translation;
        allowed.then_some(Translation {
            addr: at.addr & !at.page_mask | req.addr & at.page_mask,
            page_mask: at.page_mask,
            perm,
        })
    }

    /// An endpoint keeps an answer.
    pub fn atc_keep(&mut self, device: DeviceId, req: &DmaRequest, translation: Translation) {
        let (pasid, privileged) = (req.substream, req.access.privileged);
        let base = req.addr & !translation.page_mask;
        self.atc.retain(|e| (e.device, e.pasid, e.privileged, e.base) != (device, pasid, privileged, base));
        self.atc.push(AtcEntry { device, pasid, privileged, base, translation });
    }

    /// How many CDs and pages are kept.
    pub fn cached(&self) -> (usize, usize) {
        (self.contexts.len(), self.cache.len())
    }
}

/// What a guest chooses of an STE's first word: `V`, `Config`, `S1Fmt`, `S1ContextPtr`, `S1CDMax`.
const STE0_ALLOWED: u64 = 1 | 0b111 << 1 | 0b11 << 4 | (ones_const(56) & !ones_const(6)) | 0b1_1111 << 59;
/// What it chooses of the second: `S1DSS`, `S1CIR`, `S1COR`, `S1CSH`, `S1STALLD`, `EATS`.
const STE1_ALLOWED: u64 = 0xff | 1 << 27 | 0b11 << 28;

const fn ones_const(count: u32) -> u64 {
    u64::MAX >> (64u32.saturating_sub(count))
}

/// Which events Linux hands to guests (`IHI0070 §7.3`); of stage 2 it hands on none.
pub(super) const fn is_guests(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::BadSte
            | FaultKind::StreamDisabled
            | FaultKind::BadSubstreamId
            | FaultKind::BadCd
            | FaultKind::Translation
            | FaultKind::AddressSize
            | FaultKind::AccessFlag
            | FaultKind::Permission
    )
}

impl TableCache for Tables<'_> {
    fn cached(&self, stage: Stage, shift: u32, input: u64) -> Option<u64> {
        if stage == Stage::First { self.find(shift, canonical(input)) } else { None }
    }

    fn remember(&self, stage: Stage, shift: u32, input: u64, descriptor: u64) {
        if stage == Stage::First {
            self.keep(shift, canonical(input), descriptor);
        }
    }
}

fn span(pages: &Pages) -> Span {
    let first = canonical(pages.addr);
    Span {
        first,
        last: first.saturating_add(pages.size.saturating_sub(1)),
        granule_log2: pages.granule_log2,
        level: pages.level,
        leaf: pages.leaf,
    }
}

/// Bit 55 chooses the table (`IHI0070 §3.4.1`).
const fn is_upper(addr: u64) -> bool {
    addr & 1 << 55 != 0
}

/// The address with a top byte that says no more than bit 55.
const fn canonical(addr: u64) -> u64 {
    const TOP: u64 = 0xff << 56;
    if is_upper(addr) { addr | TOP } else { addr & !TOP }
}

/// The StreamID that a fault's record is to show.
pub(super) fn renamed(fault: &Fault, virtual_id: u64) -> Fault {
    Fault { request: DmaRequest { stream: low32(virtual_id), ..fault.request }, ..*fault }
}

#[test]
fn the_bits_that_are_a_guests() {
    let (all0, all1) = (Ste0::from(STE0_ALLOWED), Ste1::from(STE1_ALLOWED));
    assert_eq!(all0.bits(), 0xf8ff_ffff_ffff_fff0 | 0xf);
    assert_eq!((all1.s1dss(), all1.eats(), all1.s1stalld(), all1.strw()), (3, 3, 1, 0));
    assert_eq!(all1.bits() & 0xffff, 0xff);
}
