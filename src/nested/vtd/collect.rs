// SPDX-License-Identifier: GPL-2.0-or-later
//! Invalidations of translations on their way to hosts. One of a domain is an invalidation of each address space in it, so it
//! may be taken in in parts.

use super::super::assigned::{BATCH, Waiting};
use super::super::host::{BindingId, Invalidation as HostInvalidation};
use super::super::work::{Progress, STEP};
use super::{AssignedDevices, Bound};
use crate::iommu::narrow::ones;
use crate::iommu::{AtsInvalidation, StreamId, SubstreamId};
use crate::vtd::translate::Invalidation;

/// As many of the invalidations that wait are looked at for one that does what a device-TLB invalidation asks for.
const LOOK_BACK: usize = 64;

/// What was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Translations(Invalidation),
    DeviceTlb(AtsInvalidation),
}

/// An invalidation of which a part was taken in, and where to go on.
#[derive(Debug)]
pub(super) struct Collecting {
    given: Given,
    position: u32,
    next: Place,
}

/// An address space: its device's serial number and its PASID, `None` before all others.
type Place = (u64, Option<SubstreamId>);

/// Which address spaces it is about.
#[derive(Clone, Copy, Debug)]
enum Concerned {
    All,
    Domain(u16),
    /// By the tag of its entry.
    Tagged(u16, SubstreamId),
    /// Requests without PASID of a device.
    Device(StreamId),
    /// A PASID of a device, whatever domain it is in.
    Pasid(StreamId, SubstreamId),
    /// Every PASID of a device.
    Pasids(StreamId),
}

impl Concerned {
    fn stream(self) -> Option<StreamId> {
        match self {
            Self::All | Self::Domain(_) | Self::Tagged(..) => None,
            Self::Device(sid) | Self::Pasid(sid, _) | Self::Pasids(sid) => Some(sid),
        }
    }

    /// The only PASID that it can be about, besides requests without one.
    fn pasid(self) -> Option<SubstreamId> {
        match self {
            Self::Tagged(_, pasid) | Self::Pasid(_, pasid) => Some(pasid),
            Self::Device(_) => Some(0),
            Self::All | Self::Domain(_) | Self::Pasids(_) => None,
        }
    }

    fn covers(self, pasid: Option<SubstreamId>, bound: &Bound) -> bool {
        match self {
            Self::All => true,
            Self::Domain(did) => bound.tag.is_some_and(|(of, _)| of == did),
            Self::Tagged(did, pasid) => bound.tag == Some((did, pasid)),
            Self::Device(_) => pasid.is_none(),
            Self::Pasid(_, of) => pasid == Some(of),
            Self::Pasids(_) => pasid.is_some(),
        }
    }
}

impl AssignedDevices {
    /// Takes an invalidation of translations in, as far as it concerns assigned devices. If it says that it is not
    /// [done](Progress::Done), it is to be given again.
    pub fn collect(&mut self, what: &Invalidation, position: u32) -> Progress {
        let everything = (0, u64::MAX, false);
        let (concerned, range) = match *what {
            Invalidation::IotlbGlobal => (Concerned::All, everything),
            // Pages of a second stage by address; of a first stage under it, all (`VTD §6.5.2.3`).
            Invalidation::IotlbDomain { did } | Invalidation::IotlbPages { did, .. } => {
                (Concerned::Domain(did), everything)
            }
            Invalidation::PasidIotlbAll { did, pasid } => (Concerned::Tagged(did, pasid), everything),
            Invalidation::PasidIotlbPages { did, pasid, addr, address_mask, leaf } => (
                Concerned::Tagged(did, pasid),
                range(addr, ones(u32::from(address_mask).saturating_add(12)), leaf),
            ),
            _ => return Progress::Done,
        };
        self.gather(Given::Translations(*what), position, concerned, range)
    }

    /// Takes an invalidation of an assigned device's own translation cache in. A host does that with the invalidation of the
    /// translations, so it is only forwarded where no such one waits. If it says that it is not [done](Progress::Done), it is
    /// to be given again.
    pub fn collect_device_tlb(&mut self, what: &AtsInvalidation, position: u32) -> Progress {
        let concerned = match what.substream {
            None => Concerned::Device(what.stream),
            Some(_) if what.global => Concerned::Pasids(what.stream),
            Some(pasid) => Concerned::Pasid(what.stream, pasid),
        };
        self.gather(Given::DeviceTlb(*what), position, concerned, range(what.addr, what.mask, true))
    }

    fn gather(
        &mut self,
        given: Given,
        position: u32,
        concerned: Concerned,
        (addr, pages, leaf): (u64, u64, bool),
    ) -> Progress {
        let mut next = match self.guest.collecting.take() {
            Some(known) if known.given == given && known.position == position => known.next,
            _ => (0, None),
        };
        let stop = |next, progress| (Some(Collecting { given, position, next }), progress);
        let (collecting, progress) = loop {
            if !self.work.has(STEP) {
                break stop(next, Progress::Later);
            }
            if self.batch.len() >= BATCH {
                break stop(next, Progress::Full);
            }
            self.work.spend(1);
            let device = self.devices.iter().filter(|device| device.serial >= next.0);
            let Some(device) = device.min_by_key(|device| device.serial) else {
                break (None, Progress::Done);
            };
            if device.serial != next.0 {
                next = (device.serial, None);
            }
            let (serial, from) = next;
            let is_other = concerned.stream().is_some_and(|sid| sid != device.sid);
            let pasid = match from {
                _ if is_other => None,
                // Those without a PASID are looked at together with the first one.
                None => concerned.pasid().or_else(|| device.own.pasids.next_key(0)),
                Some(from) => device.own.pasids.next_key(from).filter(|_| concerned.pasid().is_none()),
            };
            let rid = Some((None, &device.own.rid)).filter(|_| from.is_none() && !is_other);
            let known = pasid.and_then(|pasid| Some((Some(pasid), device.own.pasids.get(&pasid)?)));
            let id = device.assignment.device;
            let found: Vec<BindingId> = rid
                .into_iter()
                .chain(known)
                .filter(|(pasid, bound)| concerned.covers(*pasid, bound) && bound.has_table())
                .map(|(_, bound)| bound.binding.id())
                .collect();
            let is_last = pasid.is_none() || concerned.pasid().is_some();
            next = match pasid {
                Some(pasid) if !is_last => (serial, Some(pasid.saturating_add(1))),
                _ => (serial.saturating_add(1), None),
            };
            for binding in found {
                if let Given::DeviceTlb(_) = given {
                    self.work.spend(4);
                    let mut last = self.batch.iter().rev().take(LOOK_BACK);
                    if last.any(|waiting| covers(&waiting.what, binding, addr, pages)) {
                        continue;
                    }
                }
                let what = HostInvalidation::FirstStage { binding, addr, pages, leaf };
                self.batch.push(Waiting { position, device: Some(id), device_cache: false, what });
            }
        };
        self.guest.collecting = collecting;
        progress
    }
}

/// First address, pages of 4 KiB and whether only leaves are concerned, of a range with the size mask + 1.
fn range(addr: u64, mask: u64, leaf: bool) -> (u64, u64, bool) {
    match (mask >> 12).checked_add(1) {
        Some(pages) if mask != u64::MAX => (addr & !mask, pages, leaf),
        _ => (0, u64::MAX, false),
    }
}

/// Whether an invalidation does what one of that binding and range would.
fn covers(what: &HostInvalidation, of: BindingId, addr: u64, pages: u64) -> bool {
    let HostInvalidation::FirstStage { binding, addr: first, pages: count, .. } = *what else { return false };
    let end = |addr: u64, pages: u64| u128::from(addr).saturating_add(u128::from(pages) << 12);
    binding == of
        && (count == u64::MAX
            || (first <= addr && end(addr, pages) <= end(first, count) && pages != u64::MAX))
}
