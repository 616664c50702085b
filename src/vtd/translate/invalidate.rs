// SPDX-License-Identifier: GPL-2.0-or-later
//! What invalidation descriptors and registers name, and what the caches forget for it (`VTD §6.5.2`).

use core::sync::atomic::Ordering;

use super::{FIRST, NESTED, NO_SPACE, Translator};
use crate::iommu::StreamId;
use crate::iommu::iotlb::{Span, Tag};
use crate::iommu::narrow::ones;
use crate::iommu::sequence::Moment;
use crate::vtd::config::Context;

/// What an invalidation names. Numbers are as in the descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// Everything: the root table pointer was set (`CAP_REG.ESRTPS`).
    All,
    /// Context cache, global.
    ContextGlobal,
    /// Context cache, domain-selective. Scalable mode context entries have no domain-id, and all go.
    ContextDomain {
        /// Domain-id.
        did: u16,
    },
    /// Context cache, device-selective.
    ContextDevice {
        /// Source-id.
        sid: u16,
        /// `FM`: that many of the function number's bits 2:0 do not count, from bit 2 down.
        function_mask: u8,
    },
    /// PASID cache, global.
    PasidGlobal,
    /// PASID cache, every PASID of a domain.
    PasidDomain {
        /// Domain-id.
        did: u16,
    },
    /// PASID cache, one PASID of a domain, of every device.
    Pasid {
        /// Domain-id.
        did: u16,
        /// PASID.
        pasid: u32,
    },
    /// IOTLB, global.
    IotlbGlobal,
    /// IOTLB, domain-selective.
    IotlbDomain {
        /// Domain-id.
        did: u16,
    },
    /// IOTLB, page-selective within a domain: second-stage pages by their addresses, first-stage and nested pages all.
    IotlbPages {
        /// Domain-id.
        did: u16,
        /// An address of the range; bits below its size do not count.
        addr: u64,
        /// `AM`: log2 of the pages of 4 KiB; any.
        address_mask: u8,
        /// `IH`: entries that point to tables need not go.
        leaf: bool,
    },
    /// PASID-based IOTLB, all of a PASID within a domain.
    PasidIotlbAll {
        /// Domain-id.
        did: u16,
        /// PASID.
        pasid: u32,
    },
    /// PASID-based IOTLB, page-selective within a PASID.
    PasidIotlbPages {
        /// Domain-id.
        did: u16,
        /// PASID.
        pasid: u32,
        /// An address of the range; bits below its size do not count.
        addr: u64,
        /// `AM`: log2 of the pages of 4 KiB; any.
        address_mask: u8,
        /// `IH`: entries that point to tables need not go.
        leaf: bool,
    },
}

impl Translator {
    pub(super) fn forget(&self, what: &Invalidation, at: Moment) {
        match *what {
            Invalidation::All => {
                self.contexts.invalidate_all(at);
                self.page_caches().for_each(|cache| cache.invalidate_all(at));
                self.no_pages_are_left();
            }
            Invalidation::ContextGlobal | Invalidation::PasidGlobal => self.contexts.invalidate_all(at),
            Invalidation::ContextDomain { did } => self.contexts.invalidate_matching(at, |_, _, words| {
                let context = Context::from_words(words);
                context.is_scalable() || context.domain() == did
            }),
            Invalidation::ContextDevice { sid, function_mask } => {
                let wild = match function_mask & 0b11 {
                    0 => 0,
                    1 => 0b100,
                    2 => 0b110,
                    _ => 0b111,
                };
                let sid = StreamId::from(sid);
                self.contexts.invalidate_matching(at, |stream, _, _| stream | wild == sid | wild);
            }
            Invalidation::PasidDomain { did } => self.contexts.invalidate_matching(at, |_, _, words| {
                let context = Context::from_words(words);
                context.is_scalable() && context.domain() == did
            }),
            Invalidation::Pasid { did, pasid } => self.contexts.invalidate_matching(at, |_, _, words| {
                let context = Context::from_words(words);
                context.is_scalable() && context.domain() == did && context.pasid() == pasid
            }),
            Invalidation::IotlbGlobal => {
                self.page_caches().for_each(|cache| cache.invalidate_all(at));
                self.no_pages_are_left();
            }
            Invalidation::IotlbDomain { did } => {
                self.by_input.remove(did);
                let did = u32::from(did);
                for cache in self.page_caches() {
                    cache.invalidate_domain(at, did);
                    cache.invalidate_domain(at, did | FIRST);
                    cache.invalidate_domain(at, did | NESTED);
                }
            }
            Invalidation::IotlbPages { did, addr, address_mask, leaf } => {
                let did = u32::from(did);
                let span = span(addr, address_mask);
                self.iotlb.invalidate_span(at, did, Some(NO_SPACE), &span);
                self.iotlb.invalidate_domain(at, did | FIRST);
                self.iotlb.invalidate_domain(at, did | NESTED);
                if let Some(structures) = self.structures.as_ref().filter(|_| !leaf) {
                    structures.invalidate_span(at, did, Some(NO_SPACE), &span);
                    structures.invalidate_domain(at, did | FIRST);
                    structures.invalidate_domain(at, did | NESTED);
                }
            }
            Invalidation::PasidIotlbAll { did, pasid } => {
                let did = u32::from(did);
                for cache in self.page_caches() {
                    cache.invalidate_space(at, Tag { domain: did | FIRST, space: pasid });
                    cache.invalidate_space(at, Tag { domain: did | NESTED, space: pasid });
                }
            }
            Invalidation::PasidIotlbPages { did, pasid, addr, address_mask, leaf } => {
                let did = u32::from(did);
                let span = span(addr, address_mask);
                let structures = self.structures.iter().filter(|_| !leaf);
                for cache in core::iter::once(&self.iotlb).chain(structures) {
                    cache.invalidate_span(at, did | FIRST, Some(pasid), &span);
                    if self.nested.load(Ordering::Relaxed) {
                        cache.invalidate_span(at, did | NESTED, Some(pasid), &span);
                    }
                }
            }
        }
    }
}

/// The addresses that an address and its mask name.
fn span(addr: u64, address_mask: u8) -> Span {
    let mask = ones(u32::from(address_mask).saturating_add(12));
    Span::new(addr & !mask, addr | mask)
}
