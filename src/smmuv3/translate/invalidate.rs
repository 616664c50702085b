// SPDX-License-Identifier: GPL-2.0-or-later
//! What the invalidation commands do to the caches (`IHI0070 §4.3`, `§4.4`).

use super::{PART, STAGE_2, Translator, canonical, granule_kind};
use crate::iommu::iotlb::{Iotlb, Span, Tag};
use crate::iommu::narrow::ones;
use crate::iommu::sequence::Moment;
use crate::iommu::{StreamId, SubstreamId};

/// Whose stage 1 translations a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// EL1 (`CMD_TLBI_NH_*`), of a virtual machine.
    El1 {
        /// VMID.
        vmid: u16,
    },
    /// EL2, with E2H or without (`CMD_TLBI_EL2_*`).
    El2,
}

/// What the commands by address name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// First input address.
    pub addr: u64,
    /// Bytes: 4096 without a range, else `(NUM + 1) << (SCALE + log2 of the granule)`.
    pub size: u64,
    /// Log2 of the granule that `TG` names, 12, 14 or 16. Pages of another granule need not go.
    pub granule_log2: Option<u8>,
    /// The level that `TTL` names. Pages of another level need not go.
    pub level: Option<u8>,
    /// Tables above the pages need not go.
    pub leaf: bool,
}

/// What an invalidation command names. Numbers are as in the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// `CMD_CFGI_ALL`: every configuration.
    All,
    /// `CMD_CFGI_STE`: a stream's, with all its CDs. `leaf` says nothing to a cache without level 1 entries.
    Ste {
        /// StreamID.
        sid: StreamId,
    },
    /// `CMD_CFGI_STE_RANGE`: the streams `first..=last`.
    SteRange {
        /// First StreamID.
        first: StreamId,
        /// Last StreamID.
        last: StreamId,
    },
    /// `CMD_CFGI_CD`: one CD of a stream.
    Cd {
        /// StreamID.
        sid: StreamId,
        /// SubstreamID.
        ssid: SubstreamId,
    },
    /// `CMD_CFGI_CD_ALL`: all CDs of a stream.
    CdAll {
        /// StreamID.
        sid: StreamId,
    },
    /// `CMD_TLBI_NH_ASID`, `CMD_TLBI_EL2_ASID`: an address space, without its global pages.
    Asid {
        /// Whose.
        regime: Regime,
        /// ASID.
        asid: u16,
    },
    /// `CMD_TLBI_NH_VA`, `CMD_TLBI_EL2_VA`, and without ASID `CMD_TLBI_NH_VAA`, `CMD_TLBI_EL2_VAA`: what translates an
    /// address of a range.
    Va {
        /// Whose.
        regime: Regime,
        /// ASID; global pages go as well.
        asid: Option<u16>,
        /// Which.
        pages: Pages,
    },
    /// `CMD_TLBI_NH_ALL`, `CMD_TLBI_EL2_ALL`: everything in which stage 1 has a part.
    FirstStage {
        /// Whose.
        regime: Regime,
    },
    /// `CMD_TLBI_S2_IPA`: what stage 2 by itself translates. Pages in which stage 1 has a part need not go.
    Ipa {
        /// VMID.
        vmid: u16,
        /// Which.
        pages: Pages,
    },
    /// `CMD_TLBI_S12_VMALL`: a virtual machine.
    Vmid {
        /// VMID.
        vmid: u16,
    },
    /// `CMD_TLBI_NSNH_ALL`: every translation but those of EL2.
    NsnhAll,
}

impl Invalidation {
    /// The same with another VMID, if it names one.
    #[must_use]
    pub fn vmid_mut(&mut self) -> Option<&mut u16> {
        match self {
            Self::Asid { regime: Regime::El1 { vmid }, .. }
            | Self::Va { regime: Regime::El1 { vmid }, .. }
            | Self::FirstStage { regime: Regime::El1 { vmid } }
            | Self::Ipa { vmid, .. }
            | Self::Vmid { vmid } => Some(vmid),
            _ => None,
        }
    }
}

impl Translator {
    /// `parts`: sizes of blocks that were entered in parts, which are to go as well.
    pub(super) fn forget(&self, what: &Invalidation, parts: u64, at: Moment) {
        match *what {
            Invalidation::All => self.contexts.invalidate_all(at),
            Invalidation::Ste { sid } | Invalidation::CdAll { sid } => {
                self.contexts.invalidate_stream(at, sid)
            }
            Invalidation::SteRange { first, last } => self.contexts.invalidate_streams(at, first, last),
            Invalidation::Cd { sid, ssid } => {
                self.contexts.invalidate_pair(at, sid, Some(ssid));
                if ssid == 0 {
                    // Transactions without SubstreamID may use CD 0.
                    self.contexts.invalidate_pair(at, sid, None);
                }
            }
            Invalidation::Asid { regime, asid } => {
                let tag = Tag { domain: regime.domain(), space: u32::from(asid) };
                self.translation_caches().for_each(|cache| cache.invalidate_space(at, tag));
            }
            Invalidation::FirstStage { regime } => {
                self.translation_caches().for_each(|cache| cache.invalidate_domain(at, regime.domain()));
            }
            Invalidation::Vmid { vmid } => {
                for cache in self.translation_caches() {
                    cache.invalidate_domain(at, u32::from(vmid));
                    cache.invalidate_domain(at, u32::from(vmid) | STAGE_2);
                }
            }
            Invalidation::Va { regime, asid, pages } => {
                let mut span = pages.span(canonical(pages.addr));
                // Where stage 2 cut a page of stage 1 up, whatever translates a part of it names all of it.
                let whole = ones(self.fragments.bits_with(parts));
                (span.first, span.last) = (span.first & !whole, span.last | whole);
                let space = asid.map(u32::from);
                self.invalidate_pages(
                    |cache, span| cache.invalidate_span(at, regime.domain(), space, span),
                    &pages,
                    span,
                );
                if parts != 0 && !self.iotlb.remove_attributed(PART) {
                    self.fragments.put_back(parts);
                }
            }
            Invalidation::Ipa { vmid, pages } => {
                let domain = u32::from(vmid) | STAGE_2;
                let span = pages.span(pages.addr);
                self.invalidate_pages(
                    |cache, span| cache.invalidate_span(at, domain, Some(0), span),
                    &pages,
                    span,
                );
            }
            Invalidation::NsnhAll => {
                let el1 = |tag: Tag| tag.domain < super::EL2;
                self.translation_caches().for_each(|cache| cache.invalidate_matching(at, el1));
            }
        }
    }

    /// From the IOTLB, and from the walk cache if that is meant too.
    fn invalidate_pages(&self, remove: impl Fn(&Iotlb, &Span), pages: &Pages, mut span: Span) {
        if self.features.adversarial {
            span.kinds = kinds(pages.granule_log2, pages.level);
        }
        remove(&self.iotlb, &span);
        if let Some(tables) = self.tables.as_ref().filter(|_| !pages.leaf) {
            span.kinds = kinds(pages.granule_log2, None);
            remove(tables, &span);
        }
    }
}

impl Regime {
    pub(super) fn domain(self) -> u32 {
        match self {
            Self::El1 { vmid } => u32::from(vmid),
            Self::El2 => super::EL2,
        }
    }
}

impl Pages {
    fn span(&self, first: u64) -> Span {
        Span::new(first, first.saturating_add(self.size.saturating_sub(1)))
    }
}

/// The kinds that an invalidation with these hints must take.
fn kinds(granule_log2: Option<u8>, level: Option<u8>) -> u16 {
    let granules = match granule_log2 {
        None => u16::MAX,
        Some(granule_log2) => 0b1111u16.wrapping_shl(u32::from(granule_kind(granule_log2))),
    };
    let levels = match level {
        Some(1) => 0x2222,
        Some(2) => 0x4444,
        Some(3) => 0x8888,
        _ => u16::MAX,
    };
    granules & levels
}
