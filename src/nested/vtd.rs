// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest's VT-d unit in front of assigned devices.
//!
//! A host's PASID table entries hold its second stage, so the guest's table cannot be given to it as it is. [`AssignedDevices`]
//! keeps the host's in its place: it walks the guest's tables where the guest invalidates what may have been cached of them
//! ([`invalidated`](AssignedDevices::invalidated)), and binds what it finds, address space by address space. For that the
//! guest has to invalidate where it makes entries present, too: `CAP.CM` is to be 1.
//!
//! Invalidations of translations wait for the wait descriptor that completes them ([`flush`](AssignedDevices::flush)): one
//! call to the host for as many as the guest gave.

mod capabilities;
mod entry;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::capabilities::check;
pub use self::entry::{Refusal, Space, space};
use super::assigned::{Assigned, Assignment, BATCH, Device, NoMemory, NotForwarded, Waiting, answer, count};
use super::binding::Binding;
use super::error::{Error, Result};
use super::host::{
    BindingId, Capabilities, Config, Cookie, DeviceId, FaultRouting, Host, HostEvent, HostFault,
    Invalidation as HostInvalidation, Response, VtdCapabilities,
};
use super::sorted::SortedMap;
use crate::iommu::narrow::{low16, ones};
use crate::iommu::{AtsInvalidation, GuestMemory, PageRequest, PageResponseCode, StreamId, SubstreamId};
use crate::vtd::config::{PasidTable, RootTable};
use crate::vtd::features::Features;
use crate::vtd::translate::Invalidation;

/// What the guest's registers say of all devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VtdState {
    /// `GSTS.TES` is 0: everything passes.
    Off,
    /// The tables decide.
    On(RootTable),
}

/// Most PASIDs that a device has bound at a time; what is beyond is refused.
pub const PASIDS: usize = 4096;
/// As many of the invalidations that wait are looked at for one that does what a device-TLB invalidation asks for.
const LOOK_BACK: usize = 64;

/// One address space of a device.
#[derive(Debug)]
struct Bound {
    binding: Binding,
    /// Domain-id and PASID by which invalidations name it; `None`: by none.
    tag: Option<(u16, SubstreamId)>,
    routing: FaultRouting,
}

/// The assigned devices behind a VT-d unit of a guest.
pub type AssignedDevices = Assigned<GuestUnit, Spaces>;

/// What is particular to one of the devices.
#[derive(Debug)]
pub struct Spaces {
    capabilities: VtdCapabilities,
    /// The host has refused to pass page requests of it on.
    no_page_requests: bool,
    pasids: SortedMap<SubstreamId, Bound>,
    /// Requests without PASID.
    rid: Bound,
    /// Page request groups that wait for the guest.
    open: SortedMap<(Option<SubstreamId>, u16), Cookie>,
}

/// The guest's unit.
#[derive(Debug)]
pub struct GuestUnit {
    features: Features,
    state: VtdState,
}

/// Which address spaces are looked at anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    All,
    Domain(u16),
    Pasid(u16, SubstreamId),
}

impl Scope {
    fn covers(self, tag: Option<(u16, SubstreamId)>) -> bool {
        match self {
            Self::All => true,
            Self::Domain(did) => tag.is_some_and(|(d, _)| d == did),
            Self::Pasid(did, pasid) => tag == Some((did, pasid)),
        }
    }
}

impl AssignedDevices {
    /// None yet, behind a unit of such features after reset.
    #[must_use]
    pub fn new(features: Features) -> Self {
        Self::none(GuestUnit { features, state: VtdState::Off })
    }

    /// Takes a device in, and binds it as the guest's unit says now.
    ///
    /// # Errors
    /// The unit offers more than the host has, or the host fails. The device is not taken in then.
    pub fn add(&mut self, mem: &dyn GuestMemory, assignment: Assignment) -> Result<()> {
        let Assignment { host, device, stream } = &assignment;
        let Capabilities::Vtd(capabilities) = host.capabilities(*device)? else {
            return Err(Error::Malformed(
                "the host's IOMMU is not a VT-d unit; assign the device behind arm-smmuv3".into(),
            ));
        };
        check(&self.guest.features, &capabilities)?;
        let sid = stream();
        // Nothing passes before the guest's tables have been read.
        let config = if self.guest.state == VtdState::Off { Config::Bypass } else { Config::Abort };
        let binding = Binding::new(host, *device, None, config, FaultRouting::Refused)?;
        self.stats.binds = self.stats.binds.saturating_add(1);
        let rid = Bound { binding, tag: None, routing: FaultRouting::Refused };
        let own = Spaces {
            capabilities,
            no_page_requests: false,
            pasids: SortedMap::new(),
            rid,
            open: SortedMap::new(),
        };
        self.devices.push(Device { sid, own, assignment });
        let last = self.devices.len().saturating_sub(1);
        let failed = self.sync(mem, Scope::All, |at, _| at == last);
        match failed {
            None => Ok(()),
            Some(error) => {
                self.devices.truncate(last);
                Err(error)
            }
        }
    }

    /// The registers say something else (`GSTS.TES`, the root table pointer).
    pub fn set_state(&mut self, mem: &dyn GuestMemory, state: VtdState) {
        self.guest.state = state;
        if let Some(error) = self.sync(mem, Scope::All, |_, _| true) {
            log::error!("an assigned device keeps its old translation: {error}");
        }
    }

    /// The guest has invalidated what may be cached of its root, context and PASID tables; any other invalidation is nothing
    /// to this. Invalidations that wait are for the caller to flush before.
    ///
    /// # Errors
    /// A device keeps an old translation, as the host fails even to abort it.
    pub fn invalidated(
        &mut self,
        mem: &dyn GuestMemory,
        what: &Invalidation,
        position: u32,
    ) -> core::result::Result<(), NotForwarded> {
        let failed = match *what {
            Invalidation::All
            | Invalidation::ContextGlobal
            | Invalidation::ContextDomain { .. }
            | Invalidation::PasidGlobal => self.sync(mem, Scope::All, |_, _| true),
            Invalidation::ContextDevice { sid, function_mask } => {
                // The mask takes bits 2:0 of the function number out, from bit 2 down (`VTD §6.5.2.1`).
                let ignored = match function_mask & 0b11 {
                    0 => 0,
                    1 => 0b100,
                    2 => 0b110,
                    _ => 0b111u16,
                };
                self.sync(mem, Scope::All, |_, stream| low16(stream.into()) | ignored == sid | ignored)
            }
            Invalidation::PasidDomain { did } => self.sync(mem, Scope::Domain(did), |_, _| true),
            Invalidation::Pasid { did, pasid } => self.sync(mem, Scope::Pasid(did, pasid), |_, _| true),
            Invalidation::IotlbGlobal
            | Invalidation::IotlbDomain { .. }
            | Invalidation::IotlbPages { .. }
            | Invalidation::PasidIotlbAll { .. }
            | Invalidation::PasidIotlbPages { .. } => None,
        };
        match failed {
            None => Ok(()),
            Some(error) => Err(NotForwarded { position, error }),
        }
    }

    /// Takes an invalidation of translations in, if it concerns an assigned device. `false`: there are too many already;
    /// flush, and give it again.
    pub fn collect(&mut self, what: &Invalidation, position: u32) -> bool {
        let everything = (0, u64::MAX, false);
        let (concerned, (addr, pages, leaf)): (Scope, _) = match *what {
            Invalidation::IotlbGlobal => (Scope::All, everything),
            // Pages of a second stage by address; of a first stage under it, all (`VTD §6.5.2.3`).
            Invalidation::IotlbDomain { did } | Invalidation::IotlbPages { did, .. } => {
                (Scope::Domain(did), everything)
            }
            Invalidation::PasidIotlbAll { did, pasid } => (Scope::Pasid(did, pasid), everything),
            Invalidation::PasidIotlbPages { did, pasid, addr, address_mask, leaf } => (
                Scope::Pasid(did, pasid),
                range(addr, ones(u32::from(address_mask).saturating_add(12)), leaf),
            ),
            _ => return true,
        };
        if self.batch.len() >= BATCH {
            return false;
        }
        let mut found = Vec::new();
        for device in &self.devices {
            let spaces = std::iter::once(&device.own.rid).chain(device.own.pasids.values());
            for bound in spaces.filter(|bound| concerned.covers(bound.tag) && bound.has_table()) {
                found.push((device.assignment.device, bound.binding.id()));
            }
        }
        for (device, binding) in found {
            self.wait_for(position, device, HostInvalidation::FirstStage { binding, addr, pages, leaf });
        }
        true
    }

    /// Takes an invalidation of an assigned device's own translation cache in. A host does that with the invalidation of the
    /// translations, so it is only forwarded where no such one waits. `false`: as for [`collect`](Self::collect).
    pub fn collect_device_tlb(&mut self, what: &AtsInvalidation, position: u32) -> bool {
        let Some(device) = self.of_stream(what.stream) else { return true };
        let (addr, pages, leaf) = range(what.addr, what.mask, true);
        let id = device.assignment.device;
        let concerned: Vec<&Bound> = match what.substream {
            None => vec![&device.own.rid],
            Some(_) if what.global => device.own.pasids.values().collect(),
            Some(pasid) => device.own.pasids.get(&pasid).into_iter().collect(),
        };
        let is_done = |binding| {
            self.batch.iter().rev().take(LOOK_BACK).any(|waiting| covers(&waiting.what, binding, addr, pages))
        };
        let left: Vec<BindingId> = concerned
            .into_iter()
            .filter(|bound| bound.has_table() && !is_done(bound.binding.id()))
            .map(|bound| bound.binding.id())
            .collect();
        if !left.is_empty() && self.batch.len() >= BATCH {
            return false;
        }
        for binding in left {
            self.wait_for(position, id, HostInvalidation::FirstStage { binding, addr, pages, leaf });
        }
        true
    }

    fn wait_for(&mut self, position: u32, device: DeviceId, what: HostInvalidation) {
        self.batch.push(Waiting { position, device: Some(device), device_cache: false, what });
    }

    /// Page requests of assigned devices that wait, as many as are taken at a time.
    pub fn page_requests(&mut self) -> Vec<PageRequest> {
        let faults = self.faults();
        let requests: Vec<_> =
            faults.iter().filter_map(|(host, fault)| self.page_request(host.as_ref(), fault)).collect();
        self.stats.faults = self.stats.faults.saturating_add(count(requests.len()));
        requests
    }

    fn page_request(&mut self, host: &dyn Host, fault: &HostFault) -> Option<PageRequest> {
        let device = self.devices.iter_mut().find(|device| device.assignment.device == fault.device)?;
        let stream = device.sid;
        let group = low16(fault.group.into()) & 0x1ff;
        if fault.last
            && let Some(older) = device.own.open.insert((fault.pasid, group), fault.cookie)
        {
            // A device that uses an index again has given the first group up.
            answer(host, older, Response::Invalid);
        }
        Some(PageRequest {
            stream,
            substream: fault.pasid,
            addr: fault.addr & !0xfff,
            access: fault.access,
            group,
            last: fault.last,
            private_data: None,
        })
    }

    /// How many page requests hosts have lost, at least.
    pub fn lost(&mut self) -> u32 {
        let mut lost = 0u32;
        for event in self.host_events() {
            match event {
                HostEvent::Lost(count) => lost = lost.saturating_add(count),
                // Of another architecture.
                HostEvent::Smmuv3(_) => {}
            }
        }
        self.stats.lost = self.stats.lost.saturating_add(lost.into());
        lost
    }

    /// The guest has answered a page request group, or the unit in its place. An answer to nothing has no effect.
    pub fn respond(&mut self, sid: StreamId, pasid: Option<SubstreamId>, group: u16, code: PageResponseCode) {
        let Some(device) = self.of_stream_mut(sid) else { return };
        let Some(cookie) = device.own.open.remove(&(pasid, group)) else { return };
        let host = Arc::clone(&device.assignment.host);
        self.stats.responses = self.stats.responses.saturating_add(1);
        let response = match code {
            PageResponseCode::Success => Response::Success,
            // A host has no other way to refuse.
            PageResponseCode::Invalid | PageResponseCode::Failure => Response::Invalid,
        };
        answer(host.as_ref(), cookie, response);
    }

    /// Page request groups that wait for the guest.
    #[must_use]
    pub fn open_groups(&self) -> usize {
        self.devices.iter().map(|device| device.own.open.len()).sum()
    }

    /// Everything as after reset. Nothing that waited is done, for everything is bound anew.
    pub fn reset(&mut self) {
        self.batch.clear();
        self.set_state(&NoMemory, VtdState::Off);
    }

    /// Looks address spaces of some devices up, and binds them as the tables say now. The last failure that left an old
    /// binding.
    fn sync(
        &mut self,
        mem: &dyn GuestMemory,
        scope: Scope,
        concerned: impl Fn(usize, StreamId) -> bool,
    ) -> Option<Error> {
        let mut failed = None;
        let mut devices = std::mem::take(&mut self.devices);
        for (at, device) in devices.iter_mut().enumerate() {
            let sid = (device.assignment.stream)();
            let scope = if sid == device.sid { scope } else { Scope::All };
            if sid != device.sid {
                device.own.open = SortedMap::new();
                device.sid = sid;
            } else if !concerned(at, sid) {
                continue;
            }
            let mut changed = Vec::new();
            if let Some(error) = self.sync_device(mem, device, scope, &mut changed) {
                failed = Some(error);
            }
            for (pasid, binding) in changed {
                // The host has answered what was open, and forgotten what was cached.
                device.own.open.retain(|(of, _), _| *of != pasid);
                self.batch.retain(|waiting| !is_of(&waiting.what, binding));
            }
        }
        self.devices = devices;
        failed
    }

    fn sync_device(
        &mut self,
        mem: &dyn GuestMemory,
        device: &mut Device<Spaces>,
        scope: Scope,
        changed: &mut Vec<(Option<SubstreamId>, BindingId)>,
    ) -> Option<Error> {
        let f = self.guest.features;
        let root = match self.guest.state {
            VtdState::Off => None,
            VtdState::On(root) => Some(root),
        };
        let view = entry::view(mem, &f, root, device.sid);
        let mut failed = None;
        let space = view.rid(mem, &f, device.sid, &device.own.capabilities);
        if scope.covers(device.own.rid.tag) || scope.covers(space.tag) {
            failed = self.bind_rid(device, &space, changed);
        }
        let table = view.table.filter(|table| table.with_pasid);
        for pasid in candidates(mem, &f, table.as_ref(), &device.own.pasids, scope) {
            let space = match &table {
                Some(table) => entry::space(mem, &f, table, device.sid, pasid, &device.own.capabilities),
                None => Space::default(),
            };
            let known = device.own.pasids.get(&pasid).and_then(|bound| bound.tag);
            if (scope.covers(known) || scope.covers(space.tag))
                && let Some(error) = self.bind_pasid(device, pasid, &space, changed)
            {
                failed = Some(error);
            }
        }
        failed
    }

    fn bind_rid(
        &mut self,
        device: &mut Device<Spaces>,
        space: &Space,
        changed: &mut Vec<(Option<SubstreamId>, BindingId)>,
    ) -> Option<Error> {
        self.note(device.sid, None, space);
        let config = space.config.unwrap_or(Config::Abort);
        let mut routing = device.routing(space);
        let rid = &mut device.own.rid;
        rid.tag = space.tag;
        if (config, routing) == (*rid.binding.config(), rid.routing) {
            return None;
        }
        changed.push((None, rid.binding.id()));
        self.stats.binds = self.stats.binds.saturating_add(1);
        let mut result = rid.binding.replace(config, routing);
        if takes_no_page_requests(&result, routing) {
            device.own.no_page_requests = true;
            routing = FaultRouting::Refused;
            result = rid.binding.replace(config, routing);
        }
        rid.routing = routing;
        let error = result.err()?;
        self.stats.refused = self.stats.refused.saturating_add(1);
        log::error!("source {:#x}, an assigned device's, is aborted: {error}", device.sid);
        rid.tag = None;
        rid.routing = FaultRouting::Refused;
        rid.binding.replace(Config::Abort, FaultRouting::Refused).err()
    }

    fn bind_pasid(
        &mut self,
        device: &mut Device<Spaces>,
        pasid: SubstreamId,
        space: &Space,
        changed: &mut Vec<(Option<SubstreamId>, BindingId)>,
    ) -> Option<Error> {
        self.note(device.sid, Some(pasid), space);
        let Some(config) = space.config else {
            if let Some(bound) = device.own.pasids.remove(&pasid) {
                changed.push((Some(pasid), bound.binding.id()));
            }
            return None;
        };
        let (sid, routing) = (device.sid, device.routing(space));
        if let Some(bound) = device.own.pasids.get_mut(&pasid) {
            bound.tag = space.tag;
            if (config, routing) == (*bound.binding.config(), bound.routing) {
                return None;
            }
            changed.push((Some(pasid), bound.binding.id()));
        }
        let mut result = Self::try_pasid(device, pasid, (config, space.tag), routing);
        if takes_no_page_requests(&result, routing) {
            device.own.no_page_requests = true;
            result = Self::try_pasid(device, pasid, (config, space.tag), FaultRouting::Refused);
        }
        self.stats.binds = self.stats.binds.saturating_add(1);
        if let Err(error) = result {
            self.stats.refused = self.stats.refused.saturating_add(1);
            // What the guest asks too much of it may ask often.
            let target =
                if matches!(error, Error::Unsupported { .. }) { "guest_errors" } else { module_path!() };
            log::error!(target: target, "source {sid:#x}, an assigned device's: PASID {pasid:#x} is not bound: {error}");
            device.own.pasids.remove(&pasid);
        }
        None
    }

    fn try_pasid(
        device: &mut Device<Spaces>,
        pasid: SubstreamId,
        (config, tag): (Config, Option<(u16, SubstreamId)>),
        routing: FaultRouting,
    ) -> Result<()> {
        let is_full = device.own.pasids.len() >= PASIDS;
        match device.own.pasids.get_mut(&pasid) {
            Some(bound) => {
                bound.binding.replace(config, routing)?;
                bound.routing = routing;
                Ok(())
            }
            None if is_full => Err(Error::Unsupported {
                what: "PASIDs bound at a time",
                value: u64::try_from(PASIDS).unwrap_or(u64::MAX).saturating_add(1),
                limit: format!("{PASIDS} for a device; unbind some"),
            }),
            None => {
                let Assignment { host, device: id, .. } = &device.assignment;
                let binding = Binding::new(host, *id, Some(pasid), config, routing)?;
                device.own.pasids.insert(pasid, Bound { binding, tag, routing });
                Ok(())
            }
        }
    }

    /// Something that no host can do is said where it is found.
    fn note(&mut self, sid: StreamId, pasid: Option<SubstreamId>, space: &Space) {
        let Some(refusal) = &space.refused else { return };
        self.stats.refused = self.stats.refused.saturating_add(1);
        match pasid {
            None => {
                log::warn!(target: "guest_errors", "source {sid:#x}, an assigned device's, is aborted: {refusal}")
            }
            Some(pasid) => {
                log::warn!(target: "guest_errors", "source {sid:#x}, an assigned device's: PASID {pasid:#x} is not bound: {refusal}");
            }
        }
    }
}

impl Device<Spaces> {
    /// Who answers page requests of an address space: the guest, if it enabled them and the host passes them on.
    fn routing(&self, space: &Space) -> FaultRouting {
        if self.own.no_page_requests { FaultRouting::Refused } else { space.routing }
    }
}

/// Linux says so of a device whose page requests its host does not take: a guest enables what it finds in the tables' formats, and
/// the device has its address spaces all the same.
fn takes_no_page_requests(result: &Result<()>, routing: FaultRouting) -> bool {
    let refused = matches!(
        result,
        Err(Error::DeviceGone(_) | Error::Failed { errno: libc::ENODEV | libc::EOPNOTSUPP, .. })
    );
    refused && routing == FaultRouting::Queued
}

impl Bound {
    fn has_table(&self) -> bool {
        matches!(self.binding.config(), Config::FirstStage(_))
    }
}

/// The PASIDs that may have changed: those that are bound and those that are present.
fn candidates(
    mem: &dyn GuestMemory,
    f: &Features,
    table: Option<&PasidTable>,
    bound: &SortedMap<SubstreamId, Bound>,
    scope: Scope,
) -> Vec<SubstreamId> {
    // PASID 0 of a host is that of requests without PASID.
    if let Scope::Pasid(_, pasid) = scope {
        return if pasid == 0 { Vec::new() } else { vec![pasid] };
    }
    let mut all: Vec<SubstreamId> = bound.keys().copied().collect();
    let mut room = PASIDS;
    if let Some(table) = table {
        table.for_each_present(mem, f, |pasid| {
            if pasid != 0 && !bound.contains_key(&pasid) {
                all.push(pasid);
                room = room.saturating_sub(1);
            }
            room != 0
        });
    }
    all
}

/// First address, pages of 4 KiB and whether only leaves are concerned, of a range with the size mask + 1.
fn range(addr: u64, mask: u64, leaf: bool) -> (u64, u64, bool) {
    match (mask >> 12).checked_add(1) {
        Some(pages) if mask != u64::MAX => (addr & !mask, pages, leaf),
        _ => (0, u64::MAX, false),
    }
}

fn is_of(what: &HostInvalidation, of: BindingId) -> bool {
    matches!(what, HostInvalidation::FirstStage { binding, .. } if *binding == of)
}

/// Whether an invalidation does what one of that binding and range would.
fn covers(what: &HostInvalidation, of: BindingId, addr: u64, pages: u64) -> bool {
    let HostInvalidation::FirstStage { binding, addr: first, pages: count, .. } = *what else { return false };
    let end = |addr: u64, pages: u64| u128::from(addr).saturating_add(u128::from(pages) << 12);
    binding == of
        && (count == u64::MAX
            || (first <= addr && end(addr, pages) <= end(first, count) && pages != u64::MAX))
}
