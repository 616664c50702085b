// SPDX-License-Identifier: GPL-2.0-or-later
//! A host's IOMMU inside the process: it walks a guest's tables by itself, through a stage 2 that it was told.
//!
//! It answers as Linux does, and is harsher than hardware: what it may cache it caches, without bounds, and it forgets
//! nothing but by an invalidation, by another binding where Linux invalidates for that, and by
//! [`unmap`](Host::unmap). Whoever forgets to pass an invalidation on sees the old translation for ever. Every call is
//! [written down](SoftwareHost::take_calls); calls can be made to [fail](SoftwareHost::fail), devices be
//! [taken away](SoftwareHost::remove_device), queues [closed](SoftwareHost::close), events and faults made up.
//!
//! Endpoints ask with [`translate`](SoftwareHost::translate). An access that may wait, and whose fault is queued, waits: its
//! [`Answer`] comes when somebody responds, or when its binding ends.
//!
//! | module     | what it holds                                                       |
//! |------------|---------------------------------------------------------------------|
//! | `stage2`   | what was mapped, and the guest's memory seen through it             |
//! | `cache`    | pages and pointers to tables, without bounds                        |
//! | `smmuv3`   | what the host's SMMUv3 makes of a CD table                          |
//! | `vtd`      | what the host's VT-d unit makes of a first-stage table              |
//! | `faults`   | the fault queue, the event queue, answers for endpoints             |
//! | `log`      | calls made, failures to come                                        |
//! | `host`     | the trait                                                           |
//! | `signal`   | a file descriptor that is readable while a queue has something      |
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

mod cache;
mod faults;
mod host;
mod log;
mod signal;
mod smmuv3;
mod stage2;
#[cfg(all(test, not(loom)))]
pub(crate) mod tests;
mod vtd;

use std::io;
use std::sync::{Mutex, MutexGuard};

pub use self::faults::Answer;
use self::faults::{Events, Faults, NewFault};
use self::log::Log;
pub use self::log::{Call, Failure, Record};
use self::signal::Signal;
use self::smmuv3::FirstStageAnswer;
pub use self::stage2::HostMemory;
use self::stage2::{Stage2, Through};
use super::host::{BindingId, Config, Cookie, DeviceId, FaultRouting, HostEvent};
use crate::iommu::model::lock;
use crate::iommu::narrow::ones;
use crate::iommu::{Access, DmaRequest, Permissions, SubstreamId, Translation};
use crate::smmuv3::event;
use crate::smmuv3::fault::FaultAction;

/// What a device can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceOptions {
    /// Bits of PASIDs.
    pub pasid_bits: u8,
    /// Its accesses can wait: it stalls, or makes page requests.
    pub waits: bool,
    /// It asks for translations and keeps them, where the guest allows it. SMMUv3 only: Linux invalidates what devices
    /// behind a VT-d unit keep together with the unit's own.
    pub ats: bool,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        Self { pasid_bits: 20, waits: true, ats: false }
    }
}

/// What became of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It may proceed, at an address of the host's memory.
    Translated(Translation),
    /// It is aborted. What there was to report is in the event queue.
    Aborted,
    /// It waits for an [`Answer`].
    Waiting,
}

/// Which of a host's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Of faults that wait for an answer.
    Faults,
    /// Of events.
    Events,
}

/// What is cached, and what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Pages of first stages.
    pub pages: usize,
    /// CDs; none on VT-d.
    pub contexts: usize,
    /// Groups of faults that nobody answered yet.
    pub faults: usize,
    /// Bindings.
    pub bindings: usize,
}

/// A host's IOMMU inside the process.
#[derive(Debug)]
pub struct SoftwareHost {
    state: Mutex<State>,
    fault_signal: Signal,
    /// Linux reports no events of VT-d units.
    event_signal: Option<Signal>,
}

/// The IOMMU proper.
#[derive(Debug)]
enum Unit {
    Smmuv3(smmuv3::Unit),
    Vtd(vtd::Unit),
}

#[derive(Clone, Copy, Debug)]
struct Device {
    id: DeviceId,
    options: DeviceOptions,
    virtual_id: Option<u64>,
    gone: bool,
}

/// A binding.
#[derive(Clone, Copy, Debug)]
struct Bound {
    id: BindingId,
    device: DeviceId,
    pasid: Option<SubstreamId>,
    config: Config,
    faults: FaultRouting,
}

struct State {
    memory: HostMemory,
    stage2: Stage2,
    unit: Unit,
    devices: Vec<Device>,
    bindings: Vec<Bound>,
    next_binding: u32,
    faults: Faults,
    events: Events,
    log: Log,
}

impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("State").field("bindings", &self.bindings).finish_non_exhaustive()
    }
}

impl SoftwareHost {
    /// Events that its queue has room for.
    pub const EVENTS: usize = 64;

    /// A host with an SMMUv3. `memory` is what its addresses are of.
    ///
    /// # Errors
    /// There are no file descriptors left.
    pub fn smmuv3(memory: HostMemory, features: crate::smmuv3::features::Features) -> io::Result<Self> {
        let events = Some(Signal::new()?);
        Self::new(memory, Unit::Smmuv3(smmuv3::Unit::new(features)), events)
    }

    /// A host with a VT-d unit.
    ///
    /// # Errors
    /// There are no file descriptors left.
    pub fn vtd(memory: HostMemory, features: crate::vtd::features::Features) -> io::Result<Self> {
        Self::new(memory, Unit::Vtd(vtd::Unit::new(features)), None)
    }

    fn new(memory: HostMemory, unit: Unit, event_signal: Option<Signal>) -> io::Result<Self> {
        let state = State {
            memory,
            stage2: Stage2::default(),
            unit,
            devices: Vec::new(),
            bindings: Vec::new(),
            next_binding: 0,
            faults: Faults::default(),
            events: Events::new(Self::EVENTS),
            log: Log::default(),
        };
        Ok(Self { state: Mutex::new(state), fault_signal: Signal::new()?, event_signal })
    }

    /// Gives it a device; one of that number is replaced.
    pub fn add_device(&self, id: DeviceId, options: DeviceOptions) {
        let mut state = self.lock();
        state.devices.retain(|d| d.id != id);
        state.devices.push(Device { id, options, virtual_id: None, gone: false });
    }

    /// The device is unplugged: its faults are refused, its accesses abort, and calls that name it fail. What it is bound
    /// to can be ended only.
    pub fn remove_device(&self, id: DeviceId) {
        let mut state = self.lock();
        let state = &mut *state;
        for device in state.devices.iter_mut().filter(|d| d.id == id) {
            (device.gone, device.virtual_id) = (true, None);
        }
        let bindings = &state.bindings;
        state.faults.refuse(|binding| bindings.iter().any(|b| b.id == binding && b.device == id));
        self.signal(state);
    }

    /// A queue's file descriptor is closed: what waits is refused, and reading fails from now on.
    pub fn close(&self, queue: Queue) {
        let mut state = self.lock();
        match queue {
            Queue::Faults => {
                state.faults.refuse(|_| true);
                state.faults.closed = true;
            }
            Queue::Events => state.events.closed = true,
        }
        self.signal(&mut state);
    }

    /// An access of an endpoint. `req.stream` does not count; `req.tag` names it if it can wait.
    #[must_use]
    pub fn translate(&self, device: DeviceId, req: &DmaRequest) -> Outcome {
        let mut state = self.lock();
        let outcome = state.translate(device, req);
        self.signal(&mut state);
        outcome
    }

    /// The answers to accesses that waited.
    #[must_use]
    pub fn take_answers(&self) -> Vec<Answer> {
        self.lock().faults.take_answers()
    }

    /// The endpoint gives up what it waits with. Faults stay open: nobody tells those who resolve them.
    pub fn cancel(&self, device: DeviceId) {
        self.lock().faults.cancel(device);
    }

    /// The calls since the last time.
    #[must_use]
    pub fn take_calls(&self) -> Vec<Record> {
        self.lock().log.take()
    }

    /// Lets a call fail, the one after `ahead` others. A call that ends a binding ends it all the same.
    pub fn fail(&self, ahead: u64, failure: Failure) {
        self.lock().log.fail(ahead, failure);
    }

    /// Queues an event that nothing caused.
    pub fn inject_event(&self, event: HostEvent) {
        let mut state = self.lock();
        state.events.push(event);
        self.signal(&mut state);
    }

    /// Queues a group of faults that nobody waits with. `None`: what is bound there does not queue them, or nothing is.
    pub fn inject_faults(
        &self,
        device: DeviceId,
        pasid: Option<SubstreamId>,
        faults: &[(u64, Access)],
    ) -> Option<Cookie> {
        let mut state = self.lock();
        let bound = state.binding_of(device, pasid)?;
        if bound.faults != FaultRouting::Queued || state.faults.closed || faults.is_empty() {
            return None;
        }
        let of = |(addr, access): &(u64, Access)| NewFault {
            binding: bound.id,
            device,
            pasid,
            addr: *addr,
            access: *access,
            tag: None,
        };
        let faults: Vec<NewFault> = faults.iter().map(of).collect();
        let cookie = state.faults.open_group(&faults);
        self.signal(&mut state);
        Some(cookie)
    }

    /// What is cached, and what waits.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        let state = self.lock();
        let (contexts, pages) = match &state.unit {
            Unit::Smmuv3(unit) => unit.cached(),
            Unit::Vtd(unit) => (0, unit.cached()),
        };
        Occupancy { pages, contexts, faults: state.faults.waiting(), bindings: state.bindings.len() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Makes the file descriptors say what the queues have.
    fn signal(&self, state: &mut State) {
        let (faults, events) = (&mut state.faults, &mut state.events);
        // A closed one is readable: reading says so.
        let readable = faults.readable() || faults.closed;
        self.fault_signal.set(&mut faults.signalled, readable);
        if let Some(signal) = &self.event_signal {
            let readable = events.readable() || events.closed;
            signal.set(&mut events.signalled, readable);
        }
    }
}

impl State {
    fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.iter().find(|d| d.id == id)
    }

    /// What a request belongs to. An SMMUv3 has one table for all of a stream's; a host's VT-d unit has its entry for
    /// requests without PASID at PASID 0.
    fn binding_of(&self, device: DeviceId, pasid: Option<SubstreamId>) -> Option<Bound> {
        let pasid = self.slot(pasid);
        self.bindings.iter().find(|b| b.device == device && self.slot(b.pasid) == pasid).copied()
    }

    fn slot(&self, pasid: Option<SubstreamId>) -> Option<SubstreamId> {
        match self.unit {
            Unit::Smmuv3(_) => None,
            Unit::Vtd(_) => pasid.filter(|pasid| *pasid != 0),
        }
    }

    fn translate(&mut self, id: DeviceId, req: &DmaRequest) -> Outcome {
        let Some(device) = self.device(id).copied().filter(|d| !d.gone) else { return Outcome::Aborted };
        let bound = self.binding_of(id, req.substream);
        match self.unit {
            Unit::Smmuv3(_) => self.translate_smmuv3(&device, bound, req),
            Unit::Vtd(_) => self.translate_vtd(&device, bound, req),
        }
    }

    fn translate_smmuv3(&mut self, device: &Device, bound: Option<Bound>, req: &DmaRequest) -> Outcome {
        let Unit::Smmuv3(unit) = &mut self.unit else { return Outcome::Aborted };
        let config = bound.as_ref().map(|b| &b.config);
        let asks = device.options.ats && smmuv3::Unit::allows_ats(config);
        if let Some(known) = unit.atc_find(device.id, req).filter(|_| asks) {
            return Outcome::Translated(known);
        }
        let guest = Through { memory: &self.memory, stage2: &self.stage2 };
        let fault = match unit.translate(&guest, smmuv3::Unit::ste(config), device.id, req) {
            Ok(first) => {
                let outcome = self.second_stage(&first, req);
                if let (Outcome::Translated(translation), true, Unit::Smmuv3(unit)) =
                    (outcome, asks, &mut self.unit)
                {
                    unit.atc_keep(device.id, req, translation);
                }
                return outcome;
            }
            Err(fault) => fault,
        };
        let stalls = fault.action == FaultAction::Stall && device.options.waits && req.tag.is_some();
        match bound {
            Some(bound) if stalls => self.wait(&bound, req),
            // Without a name Linux knows of nobody to tell.
            Some(_) if fault.record && smmuv3::is_guests(fault.kind) => {
                if let Some(virtual_id) = device.virtual_id.filter(|_| !self.events.closed) {
                    let record = event::encode(&smmuv3::renamed(&fault, virtual_id));
                    self.events.push(HostEvent::Smmuv3(record));
                }
                Outcome::Aborted
            }
            _ => Outcome::Aborted,
        }
    }

    fn translate_vtd(&mut self, device: &Device, bound: Option<Bound>, req: &DmaRequest) -> Outcome {
        let Unit::Vtd(unit) = &mut self.unit else { return Outcome::Aborted };
        let (bound, first) = match bound {
            Some(Bound { config: Config::Abort | Config::CdTable { .. }, .. }) => return Outcome::Aborted,
            Some(Bound { config: Config::Bypass, .. }) => return self.second_stage(&untranslated(req), req),
            Some(bound @ Bound { config: Config::FirstStage(first), .. }) => (bound, first),
            None if self.slot(req.substream).is_none() => return self.second_stage(&untranslated(req), req),
            // The host's own PASID table has nothing there.
            None => return Outcome::Aborted,
        };
        let guest = Through { memory: &self.memory, stage2: &self.stage2 };
        match unit.translate(&guest, bound.id, &first, req) {
            Ok(first) => self.second_stage(&first, req),
            Err(fault) if fault.reason.is_recoverable() && device.options.waits && req.tag.is_some() => {
                self.wait(&bound, req)
            }
            Err(_) => Outcome::Aborted,
        }
    }

    /// An access that could wait.
    fn wait(&mut self, bound: &Bound, req: &DmaRequest) -> Outcome {
        if bound.faults != FaultRouting::Queued || self.faults.closed {
            // Linux refuses what nobody reads.
            return Outcome::Aborted;
        }
        let _ = self.faults.open(NewFault {
            binding: bound.id,
            device: bound.device,
            pasid: req.substream,
            addr: req.addr,
            access: req.access,
            tag: req.tag,
        });
        Outcome::Waiting
    }

    fn second_stage(&self, first: &FirstStageAnswer, req: &DmaRequest) -> Outcome {
        let place = self.stage2.find(first.addr).filter(|place| place.writable || !req.access.write);
        let Some(place) = place else { return Outcome::Aborted };
        Outcome::Translated(Translation {
            addr: place.host,
            page_mask: ones(first.log2size.min(place.log2size).into()),
            perm: Permissions { write: first.perm.write && place.writable, ..first.perm },
        })
    }

    /// What Linux does for every binding that ends or changes.
    fn replaced(&mut self, device: DeviceId, old: Option<&Bound>, new: Option<&Bound>) {
        let config = |bound: Option<&Bound>| bound.map(|b| b.config);
        match &mut self.unit {
            Unit::Smmuv3(unit) => unit.replaced(device, config(old).as_ref(), config(new).as_ref()),
            Unit::Vtd(unit) => {
                if let Some(old) = old {
                    unit.replaced(old.id);
                }
            }
        }
        if let Some(old) = old {
            self.faults.refuse(|binding| binding == old.id);
        }
    }
}

/// An address that no first stage translates.
fn untranslated(req: &DmaRequest) -> FirstStageAnswer {
    FirstStageAnswer {
        addr: req.addr,
        log2size: 52,
        perm: Permissions { read: true, write: true, exec: true },
    }
}
