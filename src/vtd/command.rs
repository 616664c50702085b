// SPDX-License-Identifier: GPL-2.0-or-later
//! What a descriptor of the invalidation queue asks for, or why it cannot be (`VTD §6.5.2`, `§7.5.1`).

use super::config::beyond_host;
use super::features::Features;
use super::interrupt_range;
use super::spec::descriptor::{
    Context0, Descriptor0, DeviceTlb0, DeviceTlb1, Interrupt0, Iotlb0, IotlbAddress1, PageResponse0,
    PageResponse1, Pasid0, PasidDeviceTlb0, PasidDeviceTlb1, PasidIotlb0, Wait0, Wait1, kind,
};
use super::spec::registers::iqei;
use super::translate::Invalidation;
use crate::iommu::narrow::{low8, low16, low32, ones};
use crate::iommu::{AtsInvalidation, PageResponseCode};

/// A descriptor, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Invalidations of the caches for translation.
    Invalidate(Invalidation),
    /// Invalidations of an endpoint's cache.
    DeviceTlb(AtsInvalidation),
    /// Interrupt entry cache invalidation.
    Interrupts(Interrupts),
    /// Invalidation wait.
    Wait(Wait),
    /// Page group response.
    PageResponse {
        /// Requester.
        source: u16,
        /// PASID of the group.
        pasid: Option<u32>,
        /// Its index.
        group: u16,
        /// The answer.
        code: PageResponseCode,
    },
}

/// Which interrupt remapping table entries have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupts {
    /// Every one.
    pub global: bool,
    /// One of them.
    pub index: u32,
    /// log2 of their number; they are aligned to it.
    pub mask: u32,
}

/// A wait descriptor. Descriptors are done in order, which makes every wait a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Address and datum of the status write.
    pub status: Option<(u64, u32)>,
    /// An interrupt is asked for.
    pub interrupt: bool,
    /// Page requests are to be drained.
    pub drain: bool,
}

/// The descriptor cannot be: `IQERCD.IQEI`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid descriptor (IQEI {0})")]
pub struct Illegal(pub u64);

/// Descriptors that address spaces brought have 256 bits only.
const WIDE: [u8; 4] = [kind::PASID_IOTLB, kind::PASID, kind::PASID_DEVICE_TLB, kind::PAGE_RESPONSE];

// Reserved bits of the first and second words.
const CONTEXT: [u64; 2] = [0xfffc_0000_0000_f1c0, u64::MAX];
const PASID: [u64; 2] = [0xfff0_0000_0000_f1c0, u64::MAX];
const IOTLB: [u64; 2] = [0xffff_ffff_0000_f100, 0xf80];
const PASID_IOTLB: [u64; 2] = [0xfff0_0000_0000_f1c0, 0xf80];
const DEVICE_TLB: [u64; 2] = [0x000f_0000_ffe0_01f0, 0xffe];
const PASID_DEVICE_TLB: [u64; 2] = [0, 0x7fe];
/// `PFSID` of both, reserved where `ECAP.DIT` is 0.
const PFSID: u64 = 0xfff0_0000_0000_f000;
const INTERRUPT: [u64; 2] = [0xffff_0000_07ff_f1e0, u64::MAX];
const WAIT: [u64; 2] = [0xffff_f100, 0b11];
const WAIT_DRAIN: u64 = 1 << 7;
// The flags for private data and the last request are of older revisions, and software may still set them.
const PAGE_RESPONSE: [u64; 2] = [0xfff0_0000_0000_01c0, 0xffff_ffff_ffff_f003];

impl Command {
    /// Decodes one descriptor; of 128-bit ones the upper half is zero.
    ///
    /// # Errors
    /// The descriptor raises `FSTS.IQE`.
    pub fn decode(f: &Features, wide: bool, words: [u64; 4]) -> Result<Self, Illegal> {
        let [first, second, rest @ ..] = words;
        let head = Descriptor0::from(first);
        let kind = low8(head.type_high() << 4 | head.type_low());
        let exists = match kind {
            kind::CONTEXT | kind::IOTLB | kind::WAIT => true,
            kind::DEVICE_TLB => f.device_tlb,
            kind::INTERRUPT => f.interrupt_remapping,
            kind::PASID_IOTLB | kind::PASID => f.scalable,
            kind::PASID_DEVICE_TLB => f.scalable && f.device_tlb,
            kind::PAGE_RESPONSE => f.page_requests,
            _ => false,
        };
        if !exists {
            return Err(Illegal(iqei::TYPE));
        }
        if !wide && WIDE.contains(&kind) {
            return Err(Illegal(iqei::WIDTH));
        }
        let mut reserved = match kind {
            kind::CONTEXT => CONTEXT,
            kind::IOTLB => IOTLB,
            kind::DEVICE_TLB => DEVICE_TLB,
            kind::INTERRUPT => INTERRUPT,
            kind::WAIT => WAIT,
            kind::PASID_IOTLB => PASID_IOTLB,
            kind::PASID => PASID,
            kind::PASID_DEVICE_TLB => PASID_DEVICE_TLB,
            _ => PAGE_RESPONSE,
        };
        if kind == kind::WAIT && !f.page_requests {
            let [low, _] = &mut reserved;
            *low |= WAIT_DRAIN;
        }
        if matches!(kind, kind::DEVICE_TLB | kind::PASID_DEVICE_TLB) && !f.device_tlb_throttling {
            let [low, _] = &mut reserved;
            *low |= PFSID;
        }
        let [low, high] = reserved;
        // Private data is in the upper half of a page group response.
        if first & low | second & high != 0 || kind != kind::PAGE_RESPONSE && rest != [0; 2] {
            return Err(Illegal(iqei::RESERVED));
        }
        let what = match kind {
            kind::CONTEXT => {
                let head = Context0::from(first);
                context(head.granularity(), low16(head.did()), low16(head.sid()), low8(head.fm()))
            }
            kind::IOTLB => {
                let head = Iotlb0::from(first);
                iotlb(head.granularity(), low16(head.did()), second.into())
            }
            kind::PASID_IOTLB => pasid_iotlb(first.into(), second.into()),
            kind::PASID => pasid(first.into()),
            kind::DEVICE_TLB => {
                let (head, tail) = (DeviceTlb0::from(first), DeviceTlb1::from(second));
                let (addr, mask) = sized(tail.addr().wrapping_shl(12), tail.s() != 0);
                return Ok(Self::DeviceTlb(AtsInvalidation {
                    stream: low16(head.sid()).into(),
                    substream: None,
                    global: false,
                    addr,
                    mask,
                }));
            }
            kind::PASID_DEVICE_TLB => {
                let (head, tail) = (PasidDeviceTlb0::from(first), PasidDeviceTlb1::from(second));
                let (addr, mask) = sized(tail.addr().wrapping_shl(12), tail.s() != 0);
                let pasid = Some(low32(head.pasid()));
                return Ok(Self::DeviceTlb(AtsInvalidation {
                    stream: low16(head.sid()).into(),
                    substream: pasid,
                    global: tail.g() != 0,
                    addr,
                    mask,
                }));
            }
            kind::INTERRUPT => {
                let head = Interrupt0::from(first);
                return Ok(Self::Interrupts(Interrupts {
                    global: head.granularity() == 0,
                    index: low32(head.index()),
                    mask: low32(head.im()),
                }));
            }
            kind::WAIT => return wait(f, first.into(), second.into()).map(Self::Wait),
            _ => {
                let (head, tail) = (PageResponse0::from(first), PageResponse1::from(second));
                return Ok(Self::PageResponse {
                    source: low16(head.rid()),
                    pasid: (head.pasid_present() != 0).then_some(low32(head.pasid())),
                    group: low16(tail.group()),
                    // Every other code is a failure to the endpoint (PCIe §10.4.2.1).
                    code: match head.code() {
                        0 => PageResponseCode::Success,
                        1 => PageResponseCode::Invalid,
                        _ => PageResponseCode::Failure,
                    },
                });
            }
        };
        what.map(Self::Invalidate).ok_or(Illegal(iqei::RESERVED))
    }
}

/// The granularities of context-cache invalidations, which the register has, too.
pub(super) fn context(granularity: u64, did: u16, sid: u16, function_mask: u8) -> Option<Invalidation> {
    match granularity {
        1 => Some(Invalidation::ContextGlobal),
        2 => Some(Invalidation::ContextDomain { did }),
        3 => Some(Invalidation::ContextDevice { sid, function_mask }),
        _ => None,
    }
}

fn pasid(head: Pasid0) -> Option<Invalidation> {
    let did = low16(head.did());
    match head.granularity() {
        0 => Some(Invalidation::PasidDomain { did }),
        1 => Some(Invalidation::Pasid { did, pasid: low32(head.pasid()) }),
        3 => Some(Invalidation::PasidGlobal),
        _ => None,
    }
}

/// The granularities of IOTLB invalidations, which the register has, too. Larger address masks than `CAP.MAMV` are
/// understood as well: Linux sends them.
pub(super) fn iotlb(granularity: u64, did: u16, tail: IotlbAddress1) -> Option<Invalidation> {
    match granularity {
        1 => Some(Invalidation::IotlbGlobal),
        2 => Some(Invalidation::IotlbDomain { did }),
        3 => Some(Invalidation::IotlbPages {
            did,
            addr: tail.addr().wrapping_shl(12),
            address_mask: low8(tail.am()),
            leaf: tail.ih() != 0,
        }),
        _ => None,
    }
}

fn pasid_iotlb(head: PasidIotlb0, tail: IotlbAddress1) -> Option<Invalidation> {
    let (did, pasid) = (low16(head.did()), low32(head.pasid()));
    match head.granularity() {
        2 => Some(Invalidation::PasidIotlbAll { did, pasid }),
        3 => Some(Invalidation::PasidIotlbPages {
            did,
            pasid,
            addr: tail.addr().wrapping_shl(12),
            address_mask: low8(tail.am()),
            leaf: tail.ih() != 0,
        }),
        _ => None,
    }
}

/// The range of a device-TLB invalidation: a page, or by the lowest zero bit of the address (`PCIe §10.3.1`).
fn sized(addr: u64, larger: bool) -> (u64, u64) {
    if !larger {
        return (addr, 0xfff);
    }
    let mask = ones((addr | 0xfff).trailing_ones().saturating_add(1));
    (addr & !mask, mask)
}

/// A status address beyond physical ones has reserved bits. What becomes of one in the interrupt range is undefined
/// (`VTD §6.5.2.8`): refused, for an interrupt that nothing remaps is not to come of it.
fn wait(f: &Features, head: Wait0, tail: Wait1) -> Result<Wait, Illegal> {
    let addr = tail.addr().wrapping_shl(2);
    let asks_nothing = head.sw() == 0 && head.interrupt() == 0 && head.fence() == 0 && head.pd() == 0;
    if asks_nothing || head.sw() != 0 && (beyond_host(f, addr) || interrupt_range::contains(addr)) {
        return Err(Illegal(iqei::RESERVED));
    }
    let status = (head.sw() != 0).then_some((addr, low32(head.status())));
    Ok(Wait { status, interrupt: head.interrupt() != 0, drain: head.pd() != 0 })
}

#[cfg(test)]
mod tests;
