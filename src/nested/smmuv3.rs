// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest's SMMUv3 in front of assigned devices: what its driver programs becomes calls to hosts, and what hosts report
//! becomes events.
//!
//! Whoever models the SMMU tells [`AssignedStreams`] of `CR0.SMMUEN`, `GBPA` and the stream table
//! ([`set_state`](AssignedStreams::set_state)), of changed STEs ([`configuration_changed`](AssignedStreams::configuration_changed)),
//! and of every invalidation ([`collect`](AssignedStreams::collect)), which wait for the SYNC that completes them
//! ([`flush`](AssignedStreams::flush)): one call to the host for as many as the guest gave. A command counts as consumed when
//! it was collected, but the guest must not see so before the batch was flushed; then an error is reported at the very
//! command that failed.

mod capabilities;
mod ste;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use self::capabilities::check;
pub use self::ste::{Refusal, config_of};
use super::assigned::{Assigned, Assignment, BATCH, Device, NoMemory, NotForwarded, Waiting, answer, count};
use super::binding::Binding;
use super::error::{Error, Result};
use super::host::{
    Capabilities, Config, Cookie, DeviceId, FaultRouting, Host, HostEvent, HostFault, Invalidation, Response,
    Smmuv3Capabilities,
};
use super::work::{Counted, STEP};
use crate::iommu::log_limit::{GUEST_ERRORS, HOST_ERRORS};
use crate::iommu::narrow::{low8, low32};
use crate::iommu::{DmaRequest, GuestMemory, StreamId};
use crate::smmuv3::config::StreamTable;
use crate::smmuv3::event::{self, Record, Waiter};
use crate::smmuv3::fault::{Fault, FaultAction, FaultClass, FaultKind};
use crate::smmuv3::features::{Features, StallModel};
use crate::smmuv3::spec::command::{self as op, StreamCommand0, TlbiCommand0};
use crate::smmuv3::spec::event::{Event0, Event1};
use crate::smmuv3::spec::ste::{Ste1, eats};

/// What the guest's registers say of all streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmmuState {
    /// `CR0.SMMUEN` is 0: `GBPA.ABORT` decides.
    Off {
        /// It aborts.
        abort: bool,
    },
    /// The stream table decides.
    On(StreamTable),
}

/// Which STEs have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    /// First StreamID.
    pub first: StreamId,
    /// Last StreamID.
    pub last: StreamId,
}

/// A stall of an assigned device, to be given a STAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestStall {
    /// The record, without `Stall` and `STAG`.
    pub record: Record,
    /// Who waits; its tag is for [`AssignedStreams::respond`].
    pub waiter: Waiter,
}

/// What a host reported, for the event queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestEvent {
    /// A record.
    Record(Record),
    /// As many were lost at least.
    Lost(u32),
}

/// The assigned devices behind one SMMU of a guest.
pub type AssignedStreams = Assigned<GuestSmmu, Stream>;

/// What is particular to one of the devices. The binding ends before the name.
#[derive(Debug)]
pub struct Stream {
    capabilities: Smmuv3Capabilities,
    binding: Binding,
    /// There while the stream table decides, whose StreamIDs are these names.
    name: Option<Name>,
    /// Another device has its name.
    waits_for_name: bool,
}

/// What came of binding streams anew.
#[derive(Debug, Default)]
struct Installed {
    /// Those whose binding was replaced: the host has answered their open stalls.
    replaced: Vec<StreamId>,
    /// The last failure that left an old binding.
    failed: Option<Error>,
}

/// The guest's SMMU.
#[derive(Debug)]
pub struct GuestSmmu {
    features: Features,
    state: SmmuState,
    /// Where in its queue the last command was.
    position: u32,
}

impl AssignedStreams {
    /// None yet, behind an SMMU of such features after reset.
    #[must_use]
    pub fn new(features: Features) -> Self {
        Self::none(GuestSmmu { features, state: SmmuState::Off { abort: false }, position: 0 })
    }

    /// Takes a device in, and binds it as the guest's SMMU says now.
    ///
    /// # Errors
    /// The SMMU offers more than the host has, or the host fails. The device is not taken in then.
    pub fn add(&mut self, mem: &dyn GuestMemory, assignment: Assignment) -> Result<()> {
        let Assignment { host, device, stream } = &assignment;
        let Capabilities::Smmuv3(capabilities) = host.capabilities(*device)? else {
            return Err(Error::Malformed(
                "the host's IOMMU is not an SMMUv3; assign the device behind intel-iommu".into(),
            ));
        };
        check(&self.guest.features, &capabilities)?;
        // Devices behind bridges that have no bus number yet share this number, and a name has to be one device's alone. So
        // none is taken before the stream table decides.
        let sid = stream();
        let waits_for_name = self.gives_names() && self.is_taken(sid);
        let name =
            if self.gives_names() && !waits_for_name { Some(Name::new(host, *device, sid)?) } else { None };
        let config = match self.wanted(mem, sid, &capabilities) {
            (Config::CdTable { .. }, _) if waits_for_name => Config::Abort,
            (config, _) => config,
        };
        let binding = Binding::new(host, *device, None, config, self.routing())?;
        self.stats.binds = self.stats.binds.saturating_add(1);
        let own = Stream { capabilities, binding, name, waits_for_name };
        let serial = self.next_serial();
        self.devices.push(Device { serial, sid, own, assignment });
        Ok(())
    }

    /// The registers say something else. Returns the streams whose open stalls the host has answered by that.
    pub fn set_state(&mut self, mem: &dyn GuestMemory, state: SmmuState) -> Vec<StreamId> {
        self.guest.state = state;
        let all = Streams { first: 0, last: StreamId::MAX };
        let Installed { replaced, failed } = self.install(mem, all);
        if let Some(error) = failed {
            log::error!(target: HOST_ERRORS, "an assigned device keeps its old translation: {error}");
        }
        replaced
    }

    /// STEs have changed (`CMD_CFGI_STE`, `CMD_CFGI_STE_RANGE`, `CMD_CFGI_ALL`). Invalidations that wait are for the caller to
    /// flush before. Returns the streams whose open stalls the host has answered by that.
    ///
    /// # Errors
    /// A device keeps its old translation, as the host fails even to abort it.
    pub fn configuration_changed(
        &mut self,
        mem: &dyn GuestMemory,
        which: Streams,
        position: u32,
    ) -> core::result::Result<Vec<StreamId>, NotForwarded> {
        self.guest.position = position;
        let Installed { replaced, failed } = self.install(mem, which);
        match failed {
            None => Ok(replaced),
            Some(error) => Err(NotForwarded { position, error }),
        }
    }

    /// Takes an invalidation in, if it is one that concerns an assigned device. `false`: there are too many already; flush,
    /// and give it again.
    pub fn collect(&mut self, [first, second]: [u64; 2], position: u32) -> bool {
        let head = StreamCommand0::from(first);
        let sid = low32(head.stream_id());
        let named = || self.devices.iter().find(|device| device.own.is_named(sid));
        let opcode = low8(head.opcode());
        let command = [first, second];
        let (command, device) = match opcode {
            op::TLBI_NH_ALL..=op::TLBI_NH_VAA | op::TLBI_NSNH_ALL => (command, None),
            // The guest's own stage 2, which no assigned device has: what it tagged of stage 1 goes with all of that.
            op::TLBI_S12_VMALL => {
                ([TlbiCommand0::default().with_opcode(op::TLBI_NH_ALL.into()).bits(), 0], None)
            }
            op::CFGI_CD | op::CFGI_CD_ALL => match named() {
                Some(stream) => (command, Some(stream.assignment.device)),
                None => return true,
            },
            // A device that may not ask for translations has none, and would not answer.
            op::ATC_INV => match named() {
                Some(stream) if has_ats(stream.own.binding.config()) => {
                    (command, Some(stream.assignment.device))
                }
                _ => return true,
            },
            _ => return true,
        };
        if self.devices.is_empty() {
            return true;
        }
        if self.batch.len() >= BATCH {
            return false;
        }
        self.guest.position = position;
        self.work.spend(1);
        let device_cache = opcode == op::ATC_INV;
        self.batch.push(Waiting { position, device, device_cache, what: Invalidation::Smmuv3(command) });
        true
    }

    /// Faults of assigned devices that wait, as many as are taken at a time.
    pub fn stalls(&mut self) -> Vec<GuestStall> {
        let mut stalls = Vec::new();
        for (_, fault) in self.faults() {
            let device = self.devices.iter().find(|device| device.assignment.device == fault.device);
            // The answer to the last of a group is that to all of them, which then ask again.
            stalls.extend(device.filter(|_| fault.last).map(|device| stall_of(device.sid, &fault)));
        }
        self.stats.faults = self.stats.faults.saturating_add(count(stalls.len()));
        stalls
    }

    /// What hosts have reported, as much as is taken at a time.
    pub fn events(&mut self) -> Vec<GuestEvent> {
        let mut events = Vec::new();
        for event in self.host_events() {
            match event {
                HostEvent::Smmuv3(record) => {
                    if let Some(record) = self.event(record) {
                        self.stats.events = self.stats.events.saturating_add(1);
                        events.push(GuestEvent::Record(record));
                    }
                }
                HostEvent::Lost(count) => {
                    self.stats.lost = self.stats.lost.saturating_add(count.into());
                    events.push(GuestEvent::Lost(count));
                }
            }
        }
        events
    }

    /// A record names one of these streams. A stall that is reported this way has been ended already.
    fn event(&self, [first, second, third, fourth]: Record) -> Option<Record> {
        let sid = low32(Event0::from(first).stream_id());
        let second = Event1::from(second).with_stall(0).with_stag(0).bits();
        self.contains(sid).then_some([first, second, third, fourth])
    }

    /// The guest has answered a stall, or it cannot be answered any more: by its [`Waiter`].
    pub fn respond(&mut self, sid: StreamId, tag: u64, response: Response) {
        self.stats.responses = self.stats.responses.saturating_add(1);
        // Of two devices that the guest calls the same, the one with the name has a table to stall by.
        let named = self.devices.iter().find(|device| device.own.is_named(sid));
        if let Some(stream) = named.or_else(|| self.of_stream(sid)) {
            answer(stream.assignment.host.as_ref(), Cookie(tag), response);
        }
    }

    /// Whether there is room for changed STEs in this register write, or this run of a bottom half. `false`: it was enough, and
    /// the next one goes on.
    pub fn may_configure(&mut self) -> bool {
        let devices = u32::try_from(self.devices.len()).unwrap_or(u32::MAX);
        self.work.has(devices.saturating_mul(STEP))
    }

    /// Everything as after reset. Nothing that waited is done, for everything is bound anew.
    pub fn reset(&mut self) {
        self.batch.clear();
        self.set_state(&NoMemory, SmmuState::Off { abort: false });
    }

    fn routing(&self) -> FaultRouting {
        if self.guest.features.stall == StallModel::Off {
            FaultRouting::Refused
        } else {
            FaultRouting::Queued
        }
    }

    /// What a stream is to be bound to, and whether that is what the guest asks for.
    fn wanted(&self, mem: &dyn GuestMemory, sid: StreamId, have: &Smmuv3Capabilities) -> (Config, bool) {
        match self.guest.state {
            SmmuState::Off { abort: true } => (Config::Abort, true),
            SmmuState::Off { abort: false } => (Config::Bypass, true),
            SmmuState::On(table) => match config_of(mem, &self.guest.features, &table, sid, have) {
                Ok(config) => (config, true),
                Err(refusal) => {
                    log::warn!(target: GUEST_ERRORS, "stream {sid:#x}, an assigned device's, is aborted: {refusal}");
                    (Config::Abort, false)
                }
            },
        }
    }

    /// Devices have names while the stream table decides.
    fn gives_names(&self) -> bool {
        matches!(self.guest.state, SmmuState::On(_))
    }

    /// A device has that name. It is the guest's, so it is one device's alone whatever host the device has.
    fn is_taken(&self, sid: StreamId) -> bool {
        self.devices.iter().any(|device| device.own.is_named(sid))
    }

    /// Binds streams anew: those named, those that the guest numbers otherwise than before, and those that wait for a name.
    fn install(&mut self, mem: &dyn GuestMemory, which: Streams) -> Installed {
        let mut installed = Installed::default();
        let mut due = Vec::new();
        // First every old name is given back: the guest may have exchanged two numbers.
        for at in 0..self.devices.len() {
            let routing = self.routing();
            let Some(device) = self.devices.get_mut(at) else { break };
            let sid = (device.assignment.stream)();
            let is_renamed = sid != device.sid;
            if is_renamed {
                installed.replaced.push(device.sid);
                device.sid = sid;
                if let Err(error) = device.give_name_back(routing) {
                    installed.failed = Some(error);
                }
            }
            if is_renamed || device.own.waits_for_name || (which.first..=which.last).contains(&sid) {
                due.push(at);
            }
        }
        let mem = Counted::new(mem);
        let calls = self.stats.binds;
        for at in due {
            self.install_one(&mem, at, &mut installed);
        }
        self.work.spend(mem.reads());
        // A binding, and the name before it.
        let calls = self.stats.binds.saturating_sub(calls).saturating_mul(2);
        self.work.spend_calls(usize::try_from(calls).unwrap_or(usize::MAX));
        installed
    }

    fn install_one(&mut self, mem: &dyn GuestMemory, at: usize, installed: &mut Installed) {
        let (routing, position) = (self.routing(), self.guest.position);
        let Some(device) = self.devices.get(at) else { return };
        let sid = device.sid;
        let (mut config, as_asked) = self.wanted(mem, sid, &device.own.capabilities);
        let mut refused = !as_asked;
        let gives_names = self.gives_names();
        let needs_name = gives_names && !device.own.is_named(sid);
        let waits_for_name = needs_name && self.is_taken(sid);
        let Some(device) = self.devices.get_mut(at) else { return };
        device.own.waits_for_name = waits_for_name;
        let named = if needs_name && !waits_for_name { device.take_name(routing) } else { Ok(()) };
        // Without a name the host binds no CD table. What needs none is bound all the same.
        if has_table(&config) && (waits_for_name || named.is_err()) {
            (config, refused) = (Config::Abort, true);
            match named {
                Ok(()) => {
                    log::warn!(target: GUEST_ERRORS, "stream {sid:#x} is two assigned devices': one of them is aborted");
                }
                Err(error) => {
                    log::error!(target: HOST_ERRORS, "stream {sid:#x}, an assigned device's, is aborted: {error}");
                }
            }
        }
        if refused {
            self.stats.refused = self.stats.refused.saturating_add(1);
        }
        if config != *device.own.binding.config() {
            installed.replaced.push(sid);
            self.stats.binds = self.stats.binds.saturating_add(1);
            if let Err(error) = device.own.binding.replace(config, routing) {
                self.stats.refused = self.stats.refused.saturating_add(1);
                log::error!(target: HOST_ERRORS, "stream {sid:#x}, an assigned device's, is aborted: {error}");
                if let Err(error) = device.own.binding.replace(Config::Abort, routing) {
                    installed.failed = Some(error);
                }
            }
        } else if has_table(&config) {
            // The table may hold other CDs than before (`IHI0070 §4.3.1`).
            self.batch.push(device.all_contexts(position));
        }
        if !gives_names && !has_table(device.own.binding.config()) {
            device.own.name = None;
        }
    }
}

impl Stream {
    /// The host knows the device by that name.
    fn is_named(&self, sid: StreamId) -> bool {
        self.name.as_ref().is_some_and(|name| name.sid == sid)
    }
}

impl Device<Stream> {
    /// Gives the name back. A CD table that is bound by it is aborted before.
    fn give_name_back(&mut self, routing: FaultRouting) -> Result<()> {
        if self.own.name.is_some() && has_table(self.own.binding.config()) {
            self.own.binding.replace(Config::Abort, routing)?;
        }
        self.own.name = None;
        Ok(())
    }

    /// Takes the guest's number of it as its name, in place of one that could not be given back.
    fn take_name(&mut self, routing: FaultRouting) -> Result<()> {
        self.give_name_back(routing)?;
        self.own.name = Some(Name::new(&self.assignment.host, self.assignment.device, self.sid)?);
        Ok(())
    }

    /// `CMD_CFGI_CD_ALL`.
    fn all_contexts(&self, position: u32) -> Waiting {
        let head =
            StreamCommand0::default().with_opcode(op::CFGI_CD_ALL.into()).with_stream_id(self.sid.into());
        Waiting {
            position,
            device: Some(self.assignment.device),
            device_cache: false,
            what: Invalidation::Smmuv3([head.bits(), 0]),
        }
    }
}

/// The event of a fault. Which table lacked the page the host does not say: it is a translation fault of the input address.
fn stall_of(sid: StreamId, fault: &HostFault) -> GuestStall {
    let tag = Some(fault.cookie.0);
    let request =
        DmaRequest { stream: sid, substream: fault.pasid, addr: fault.addr, access: fault.access, tag };
    let record = event::encode(&Fault {
        kind: FaultKind::Translation,
        request,
        substream: fault.pasid,
        class: FaultClass::Input,
        stage2: false,
        ipa: 0,
        fetch_addr: 0,
        span: 0,
        table_read: false,
        action: FaultAction::Stall,
        record: true,
        merge: false,
        privileged: fault.access.privileged,
        instruction: fault.access.exec && !fault.access.write,
    });
    GuestStall { record, waiter: Waiter { stream: sid, substream: fault.pasid, tag } }
}

/// A device's name at its host, for as long as this lives.
struct Name {
    host: Arc<dyn Host>,
    device: DeviceId,
    sid: StreamId,
}

impl Name {
    fn new(host: &Arc<dyn Host>, device: DeviceId, sid: StreamId) -> Result<Self> {
        host.add_virtual_device(device, sid.into())?;
        Ok(Self { host: Arc::clone(host), device, sid })
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if let Err(error) = self.host.remove_virtual_device(self.device) {
            log::debug!("device {}: its virtual device: {error}", self.device.0);
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Name").field("device", &self.device).field("sid", &self.sid).finish_non_exhaustive()
    }
}

fn has_table(config: &Config) -> bool {
    matches!(config, Config::CdTable { .. })
}

fn has_ats(config: &Config) -> bool {
    matches!(config, Config::CdTable { ste: [_, second] } if Ste1::from(*second).eats() == eats::FULL)
}
