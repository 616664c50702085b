// SPDX-License-Identifier: GPL-2.0-or-later
//! The walk over the guest's tables: what they say of each address space is bound in place of what they said before.
//!
//! A guest decides how large its tables are, so a walk is done in turns. It stops between two address spaces, and goes on
//! there.

use super::super::assigned::{Assignment, Device, answer};
use super::super::binding::Binding;
use super::super::error::{Error, Result};
use super::super::host::{BindingId, Config, FaultRouting, Invalidation as HostInvalidation, Response};
use super::super::work::{Counted, Progress, STEP};
use super::entry::{self, Space};
use super::{AssignedDevices, Bound, PASIDS, Spaces, VtdState};
use crate::iommu::log_limit::{GUEST_ERRORS, HOST_ERRORS};
use crate::iommu::{GuestMemory, StreamId, SubstreamId};
use crate::vtd::config::{PasidTable, Seek};
use crate::vtd::translate::Invalidation;

/// Which address spaces are looked at anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Domain(u16),
    Pasid(u16, SubstreamId),
}

impl Scope {
    pub(super) fn covers(self, tag: Option<(u16, SubstreamId)>) -> bool {
        match self {
            Self::All => true,
            Self::Domain(did) => tag.is_some_and(|(d, _)| d == did),
            Self::Pasid(did, pasid) => tag == Some((did, pasid)),
        }
    }
}

/// Why the tables are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Registers say something else, or there is another device.
    Registers,
    /// The descriptor at this place of the queue.
    Descriptor(Invalidation, u32),
}

/// A walk that has begun.
#[derive(Debug)]
pub(super) struct Walk {
    cause: Cause,
    /// The devices to be looked at, by their serial numbers, and what of each.
    devices: Vec<(u64, Scope)>,
    /// How many of them are done.
    done: usize,
    inside: Option<Inside>,
    /// The last failure that left an old binding.
    failed: Option<Failed>,
}

/// A device keeps its old translation.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) serial: u64,
    pub(super) error: Error,
}

impl Failed {
    /// For where the guest cannot be told.
    pub(super) fn log(&self) {
        log::error!(target: HOST_ERRORS, "an assigned device keeps its old translation: {}", self.error);
    }
}

/// In the middle of a device.
#[derive(Debug)]
struct Inside {
    sid: StreamId,
    table: Option<PasidTable>,
    /// The first PASID that was not looked at.
    next: SubstreamId,
    /// A present PASID was passed over because there are as many bound as can be.
    is_full: bool,
}

/// What a step led to.
enum Step {
    /// There is more of this device.
    Inside(Inside),
    /// The device is done.
    Done,
    /// It was enough for this turn.
    Later(Option<Inside>),
}

impl Walk {
    pub(super) fn new(cause: Cause) -> Self {
        Self { cause, devices: Vec::new(), done: 0, inside: None, failed: None }
    }

    pub(super) fn cause(&self) -> Cause {
        self.cause
    }

    /// One more device is to be looked at.
    pub(super) fn with(mut self, serial: u64, scope: Scope) -> Self {
        self.devices.push((serial, scope));
        self
    }
}

impl AssignedDevices {
    /// Begins a walk in place of one that was under way. Devices that the guest numbers otherwise than before are looked at
    /// as a whole. `true`: it began.
    pub(super) fn start(&mut self, cause: Cause, scope: Scope, concerned: impl Fn(StreamId) -> bool) -> bool {
        let mut walk = Walk::new(cause);
        for device in &mut self.devices {
            device.rename();
            if device.own.is_renamed || concerned(device.sid) {
                walk = walk.with(device.serial, scope);
            }
        }
        self.guest.walk = Some(walk);
        true
    }

    /// Goes on with the walk that is under way, and says at its end whether a device kept an old binding.
    pub(super) fn advance(&mut self, mem: &dyn GuestMemory) -> (Progress, Option<Failed>) {
        let Some(mut walk) = self.guest.walk.take() else { return (Progress::Done, None) };
        while let Some((serial, scope)) = walk.devices.get(walk.done).copied() {
            let Some(at) = self.devices.iter().position(|device| device.serial == serial) else {
                // It was unplugged.
                (walk.done, walk.inside) = (walk.done.saturating_add(1), None);
                continue;
            };
            let mut devices = std::mem::take(&mut self.devices);
            let step = match devices.get_mut(at) {
                Some(device) => self.step(mem, device, scope, walk.inside.take(), &mut walk.failed),
                None => Step::Done,
            };
            self.devices = devices;
            match step {
                Step::Inside(inside) => walk.inside = Some(inside),
                Step::Done => walk.done = walk.done.saturating_add(1),
                Step::Later(inside) => {
                    walk.inside = inside;
                    self.guest.walk = Some(walk);
                    return (Progress::Later, None);
                }
            }
        }
        (Progress::Done, walk.failed)
    }

    /// One step of a walk: the device itself, or one of its PASIDs.
    fn step(
        &mut self,
        mem: &dyn GuestMemory,
        device: &mut Device<Spaces>,
        scope: Scope,
        inside: Option<Inside>,
        failed: &mut Option<Failed>,
    ) -> Step {
        if !self.work.has(STEP) {
            return Step::Later(inside);
        }
        let serial = device.serial;
        let of_device = |error: Option<Error>| error.map(|error| Failed { serial, error });
        let f = self.guest.features;
        let counted = Counted::new(mem);
        let mut changed = Vec::new();
        device.rename();
        let scope = if device.own.is_renamed { Scope::All } else { scope };
        let step = match inside.filter(|inside| inside.sid == device.sid) {
            None => {
                let root = match self.guest.state {
                    VtdState::Off => None,
                    VtdState::On(root) => Some(root),
                };
                let view = entry::view(&counted, &f, root, device.sid);
                let space = view.rid(&counted, &f, device.sid, &device.own.capabilities);
                if scope.covers(device.own.rid.tag) || scope.covers(space.tag) {
                    let result = self.bind_rid(device, &space, &mut changed);
                    *failed = of_device(result).or(failed.take());
                }
                let table = view.table.filter(|table| table.with_pasid);
                // PASID 0 of a host is that of requests without PASID.
                Step::Inside(Inside { sid: device.sid, table, next: 1, is_full: false })
            }
            Some(mut inside) => match self.next_candidate(&counted, device, scope, &mut inside) {
                Seek::End if self.answer_given_up(device) => {
                    device.own.is_renamed = false;
                    Step::Done
                }
                Seek::End => Step::Later(Some(inside)),
                Seek::Stopped(next) => Step::Later(Some(Inside { next, ..inside })),
                Seek::Found(pasid) => {
                    let space = match &inside.table {
                        Some(table) => {
                            entry::space(&counted, &f, table, device.sid, pasid, &device.own.capabilities)
                        }
                        None => Space::default(),
                    };
                    let known = device.own.pasids.get(&pasid).and_then(|bound| bound.tag);
                    if scope.covers(known) || scope.covers(space.tag) {
                        let result = self.bind_pasid(device, pasid, &space, &mut changed);
                        *failed = of_device(result).or(failed.take());
                    }
                    Step::Inside(Inside { next: pasid.saturating_add(1), ..inside })
                }
            },
        };
        // A step that found nothing to do is one all the same.
        self.work.spend(counted.reads().max(1));
        for (pasid, binding) in changed {
            // The host has answered what was open, and forgotten what was cached.
            device.own.open.retain(|(of, _), _| *of != pasid);
            device.own.given_up.retain(|(of, _)| *of != pasid);
            self.batch.retain(|waiting| !is_of(&waiting.what, binding));
        }
        if let Step::Later(_) = step {
            // What is left of this turn is less than a step.
            self.work.spend(STEP);
            let _ = self.work.has(u32::MAX);
        }
        step
    }

    /// Answers groups that were asked for by an old number, as many as there is room for. `false`: some are left.
    fn answer_given_up(&mut self, device: &mut Device<Spaces>) -> bool {
        let host = device.assignment.host.as_ref();
        while !device.own.given_up.is_empty() {
            if !self.work.has(STEP) {
                return false;
            }
            self.work.spend_calls(1);
            if let Some((_, cookie)) = device.own.given_up.pop() {
                answer(host, cookie, Response::Invalid);
            }
        }
        true
    }

    /// The next PASID that may have changed: one that is bound, or one that is present.
    fn next_candidate(
        &mut self,
        mem: &dyn GuestMemory,
        device: &Device<Spaces>,
        scope: Scope,
        inside: &mut Inside,
    ) -> Seek {
        let bound = &device.own.pasids;
        let found = |pasid: Option<SubstreamId>| pasid.map_or(Seek::End, Seek::Found);
        if let Scope::Pasid(_, pasid) = scope {
            return found(Some(pasid).filter(|pasid| *pasid >= inside.next));
        }
        let known = bound.next_key(inside.next);
        let Some(table) = &inside.table else { return found(known) };
        let f = &self.guest.features;
        // Room is left for what is to be done with it.
        let reads = self.work.left().saturating_sub(STEP);
        match table.next_present(mem, f, inside.next, known.unwrap_or(SubstreamId::MAX), reads) {
            Seek::End => found(known),
            Seek::Found(pasid) if bound.len() >= PASIDS => {
                if !inside.is_full {
                    // Once for all of them.
                    inside.is_full = true;
                    self.stats.refused = self.stats.refused.saturating_add(1);
                    log::warn!(
                        target: GUEST_ERRORS,
                        "source {:#x}, an assigned device's: PASID {pasid:#x} and others are not bound: {PASIDS} are",
                        device.sid
                    );
                }
                found(known)
            }
            other => other,
        }
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
        self.work.spend_calls(1);
        self.stats.binds = self.stats.binds.saturating_add(1);
        let mut result = rid.binding.replace(config, routing);
        if takes_no_page_requests(&result, routing) {
            device.own.no_page_requests = true;
            routing = FaultRouting::Refused;
            self.work.spend_calls(1);
            result = rid.binding.replace(config, routing);
        }
        rid.routing = routing;
        let error = result.err()?;
        self.stats.refused = self.stats.refused.saturating_add(1);
        log::error!(target: HOST_ERRORS, "source {:#x}, an assigned device's, is aborted: {error}", device.sid);
        self.work.spend_calls(1);
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
                self.work.spend_calls(1);
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
        self.work.spend_calls(1);
        let mut result = Self::try_pasid(device, pasid, (config, space.tag), routing);
        if takes_no_page_requests(&result, routing) {
            device.own.no_page_requests = true;
            self.work.spend_calls(1);
            result = Self::try_pasid(device, pasid, (config, space.tag), FaultRouting::Refused);
        }
        self.stats.binds = self.stats.binds.saturating_add(1);
        if let Err(error) = result {
            self.stats.refused = self.stats.refused.saturating_add(1);
            if matches!(error, Error::Unsupported { .. }) {
                log::warn!(target: GUEST_ERRORS, "source {sid:#x}, an assigned device's: PASID {pasid:#x} is not bound: {error}");
            } else {
                log::error!(target: HOST_ERRORS, "source {sid:#x}, an assigned device's: PASID {pasid:#x} is not bound: {error}");
            }
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
                log::warn!(target: GUEST_ERRORS, "source {sid:#x}, an assigned device's, is aborted: {refusal}")
            }
            Some(pasid) => {
                log::warn!(target: GUEST_ERRORS, "source {sid:#x}, an assigned device's: PASID {pasid:#x} is not bound: {refusal}");
            }
        }
    }
}

impl Device<Spaces> {
    /// Asks for the guest's number of it. Where it has changed, the guest's answers to what was asked by the old one find
    /// nothing: the walk that is to look at the whole device refuses what no end of a binding has answered.
    fn rename(&mut self) {
        let sid = (self.assignment.stream)();
        if sid == self.sid {
            return;
        }
        let Spaces { open, given_up, is_renamed, .. } = &mut self.own;
        given_up.extend(open.drain().map(|((pasid, _), cookie)| (pasid, cookie)));
        *is_renamed = true;
        self.sid = sid;
    }

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
    pub(super) fn has_table(&self) -> bool {
        matches!(self.binding.config(), Config::FirstStage(_))
    }
}

fn is_of(what: &HostInvalidation, of: BindingId) -> bool {
    matches!(what, HostInvalidation::FirstStage { binding, .. } if *binding == of)
}
