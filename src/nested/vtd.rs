// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest's VT-d unit in front of assigned devices.
//!
//! A host's PASID table entries hold its second stage, so the guest's table cannot be given to it as it is. [`AssignedDevices`]
//! keeps the host's in its place: it walks the guest's tables where the guest invalidates what may have been cached of them
//! ([`invalidated`](AssignedDevices::invalidated)), and binds what it finds, address space by address space. For that the
//! guest has to invalidate where it makes entries present, too: `CAP.CM` is to be 1.
//!
//! Both may be as large as the guest's tables. What is beyond [`WORK_AT_ONCE`](super::work::WORK_AT_ONCE) says
//! [`Later`](Progress::Later), and goes on where it stopped when it is given again.
//!
//! Invalidations of translations wait for the wait descriptor that completes them ([`flush`](AssignedDevices::flush)): one
//! call to the host for as many as the guest gave.

mod capabilities;
mod collect;
mod entry;
#[cfg(test)]
mod tests;
mod walk;

pub use self::capabilities::check;
use self::collect::Collecting;
pub use self::entry::{Refusal, Space, space};
use self::walk::{Cause, Scope, Walk};
use super::assigned::{Assigned, Assignment, Device, NoMemory, NotForwarded, answer, count};
use super::binding::Binding;
use super::error::{Error, Result};
use super::host::{
    Capabilities, Config, Cookie, FaultRouting, Host, HostEvent, HostFault, Response, VtdCapabilities,
};
use super::sorted::SortedMap;
use super::work::Progress;
use crate::iommu::log_limit::HOST_ERRORS;
use crate::iommu::narrow::low16;
use crate::iommu::{GuestMemory, PageRequest, PageResponseCode, StreamId, SubstreamId};
use crate::vtd::config::RootTable;
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
    /// The guest numbers it otherwise than before, and no walk has looked at all of it since.
    is_renamed: bool,
    /// Groups that were asked for by an old number, for which no answer can come.
    given_up: Vec<(Option<SubstreamId>, Cookie)>,
}

/// The guest's unit.
#[derive(Debug)]
pub struct GuestUnit {
    features: Features,
    state: VtdState,
    /// Tables that are being read, and address spaces that are bound anew.
    walk: Option<Walk>,
    /// An invalidation that was taken in in part.
    collecting: Option<Collecting>,
    /// An invalidation that a register asked for, and that is not taken in as a whole.
    by_register: Option<Invalidation>,
}

impl AssignedDevices {
    /// None yet, behind a unit of such features after reset.
    #[must_use]
    pub fn new(features: Features) -> Self {
        Self::none(GuestUnit {
            features,
            state: VtdState::Off,
            walk: None,
            collecting: None,
            by_register: None,
        })
    }

    /// Takes a device in, and binds it as the guest's unit says now. What is left of that, [`is_behind`](Self::is_behind) says.
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
            is_renamed: false,
            given_up: Vec::new(),
        };
        let serial = self.next_serial();
        self.devices.push(Device { serial, sid, own, assignment });
        let before = match self.guest.walk.take() {
            Some(walk) if walk.cause() == Cause::Registers => walk,
            _ => Walk::new(Cause::Registers),
        };
        self.guest.walk = Some(before.with(serial, Scope::All));
        match self.advance(mem).1 {
            Some(failed) if failed.serial == serial => {
                self.devices.retain(|device| device.serial != serial);
                Err(failed.error)
            }
            Some(failed) => {
                failed.log();
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The registers say something else (`GSTS.TES`, the root table pointer). Until [`is_behind`](Self::is_behind) says that
    /// all is bound so, [`proceed`](Self::proceed) is to be called.
    pub fn set_state(&mut self, mem: &dyn GuestMemory, state: VtdState) {
        self.guest.state = state;
        self.start(Cause::Registers, Scope::All, |_| true);
        self.proceed(mem);
    }

    /// What registers ask for is not all done yet.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.walks_for_registers() || self.guest.by_register.is_some()
    }

    fn walks_for_registers(&self) -> bool {
        self.guest.walk.as_ref().is_some_and(|walk| walk.cause() == Cause::Registers)
    }

    /// What a descriptor began is given up: the guest has stopped the queue, or the queue is in error, and may change its tables
    /// before it gives the same descriptor again, which has to be done as a whole then.
    pub fn abandon(&mut self) {
        self.guest.collecting = None;
        if !self.walks_for_registers() {
            self.guest.walk = None;
        }
    }

    /// Goes on with what registers ask for.
    pub fn proceed(&mut self, mem: &dyn GuestMemory) -> Progress {
        if self.walks_for_registers() {
            let (progress, failed) = self.advance(mem);
            if let Some(failed) = failed {
                failed.log();
            }
            if progress != Progress::Done {
                return progress;
            }
        }
        while let Some(what) = self.guest.by_register {
            let collected = self.collect(&what, 0);
            if collected == Progress::Later {
                return collected;
            }
            let flushed = self.flush();
            if let Err(failed) = &flushed {
                log::error!(target: HOST_ERRORS, "VT-d: by register: {failed}");
            }
            if collected == Progress::Done || flushed.is_err() {
                self.guest.by_register = None;
                self.guest.collecting = None;
            }
        }
        Progress::Done
    }

    /// The guest has invalidated what may be cached of its root, context and PASID tables; any other invalidation is nothing
    /// to this. Invalidations that wait are for the caller to flush before. After [`Later`](Progress::Later) it is to be given
    /// again.
    ///
    /// # Errors
    /// A device keeps an old translation, as the host fails even to abort it.
    pub fn invalidated(
        &mut self,
        mem: &dyn GuestMemory,
        what: &Invalidation,
        position: u32,
    ) -> core::result::Result<Progress, NotForwarded> {
        if self.is_behind() && self.proceed(mem) == Progress::Later {
            return Ok(Progress::Later);
        }
        let cause = Cause::Descriptor(*what, position);
        if self.guest.walk.as_ref().is_none_or(|walk| walk.cause() != cause) && !self.start_for(cause, what) {
            return Ok(Progress::Done);
        }
        match self.advance(mem) {
            (progress, None) => Ok(progress),
            (_, Some(failed)) => Err(NotForwarded { position, error: failed.error }),
        }
    }

    /// The same for what a register asks for: see [`set_state`](Self::set_state).
    pub fn invalidated_by_register(&mut self, mem: &dyn GuestMemory, what: &Invalidation) {
        // What is under way may be about other address spaces, and is past some of those that this one is about.
        self.abandon();
        self.guest.by_register =
            Some(if self.guest.by_register.is_some() { Invalidation::IotlbGlobal } else { *what });
        if self.walks_for_registers() {
            self.start(Cause::Registers, Scope::All, |_| true);
        } else {
            self.start_for(Cause::Registers, what);
        }
        self.proceed(mem);
    }

    /// Begins with the tables that an invalidation is about. `false`: it is about none.
    fn start_for(&mut self, cause: Cause, what: &Invalidation) -> bool {
        match *what {
            Invalidation::All
            | Invalidation::ContextGlobal
            | Invalidation::ContextDomain { .. }
            | Invalidation::PasidGlobal => self.start(cause, Scope::All, |_| true),
            Invalidation::ContextDevice { sid, function_mask } => {
                // The mask takes bits 2:0 of the function number out, from bit 2 down (`VTD §6.5.2.1`).
                let ignored = match function_mask & 0b11 {
                    0 => 0,
                    1 => 0b100,
                    2 => 0b110,
                    _ => 0b111u16,
                };
                self.start(cause, Scope::All, |stream| low16(stream.into()) | ignored == sid | ignored)
            }
            Invalidation::PasidDomain { did } => self.start(cause, Scope::Domain(did), |_| true),
            Invalidation::Pasid { did, pasid } => self.start(cause, Scope::Pasid(did, pasid), |_| true),
            Invalidation::IotlbGlobal
            | Invalidation::IotlbDomain { .. }
            | Invalidation::IotlbPages { .. }
            | Invalidation::PasidIotlbAll { .. }
            | Invalidation::PasidIotlbPages { .. } => false,
        }
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
        let response = match code {
            PageResponseCode::Success => Response::Success,
            // A host has no other way to refuse.
            PageResponseCode::Invalid | PageResponseCode::Failure => Response::Invalid,
        };
        // Two devices may have one number, if the guest gave one to two buses.
        for device in self.devices.iter_mut().filter(|device| device.sid == sid) {
            let Some(cookie) = device.own.open.remove(&(pasid, group)) else { continue };
            self.stats.responses = self.stats.responses.saturating_add(1);
            answer(device.assignment.host.as_ref(), cookie, response);
        }
    }

    /// Page request groups that wait for the guest.
    #[must_use]
    pub fn open_groups(&self) -> usize {
        self.devices.iter().map(|device| device.own.open.len()).sum()
    }

    /// Everything as after reset. Nothing that waited is done, for everything is bound anew.
    pub fn reset(&mut self) {
        self.batch.clear();
        self.guest.collecting = None;
        self.guest.by_register = None;
        self.set_state(&NoMemory, VtdState::Off);
        // Here nothing waits for a bottom half: what the old guest had bound ends now.
        while self.proceed(&NoMemory) != Progress::Done {}
    }
}
