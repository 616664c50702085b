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
    _name: Name,
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
        let sid = stream();
        let name = Name::new(host, *device, sid)?;
        let (config, _) = self.wanted(mem, sid, &capabilities);
        let binding = Binding::new(host, *device, None, config, self.routing())?;
        self.stats.binds = self.stats.binds.saturating_add(1);
        self.devices.push(Device { sid, own: Stream { capabilities, binding, _name: name }, assignment });
        Ok(())
    }

    /// The registers say something else. Returns the streams whose open stalls the host has answered by that.
    pub fn set_state(&mut self, mem: &dyn GuestMemory, state: SmmuState) -> Vec<StreamId> {
        self.guest.state = state;
        let all = Streams { first: 0, last: StreamId::MAX };
        let (changed, failed) = self.install(mem, all);
        if let Some(error) = failed {
            log::error!("an assigned device keeps its old translation: {error}");
        }
        changed
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
        let (changed, failed) = self.install(mem, which);
        match failed {
            None => Ok(changed),
            Some(error) => Err(NotForwarded { position, error }),
        }
    }

    /// Takes an invalidation in, if it is one that concerns an assigned device. `false`: there are too many already; flush,
    /// and give it again.
    pub fn collect(&mut self, [first, second]: [u64; 2], position: u32) -> bool {
        let head = StreamCommand0::from(first);
        let sid = low32(head.stream_id());
        let named = || self.of_stream(sid);
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

    /// The guest has answered a stall, or nobody can: by its [`Waiter`].
    pub fn respond(&mut self, sid: StreamId, tag: u64, response: Response) {
        self.stats.responses = self.stats.responses.saturating_add(1);
        if let Some(stream) = self.of_stream(sid) {
            answer(stream.assignment.host.as_ref(), Cookie(tag), response);
        }
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
                    log::warn!(target: "guest_errors", "stream {sid:#x}, an assigned device's, is aborted: {refusal}");
                    (Config::Abort, false)
                }
            },
        }
    }

    /// Binds streams anew. Those whose binding was replaced, and the last failure that left an old one.
    fn install(&mut self, mem: &dyn GuestMemory, which: Streams) -> (Vec<StreamId>, Option<Error>) {
        let routing = self.routing();
        let (mut replaced, mut failed) = (Vec::new(), None);
        let mut devices = std::mem::take(&mut self.devices);
        for stream in &mut devices {
            let is_renamed = match stream.rename() {
                Ok(renamed) => renamed,
                Err(error) => {
                    failed = Some(error);
                    continue;
                }
            };
            if !is_renamed && !(which.first..=which.last).contains(&stream.sid) {
                continue;
            }
            let (config, as_asked) = self.wanted(mem, stream.sid, &stream.own.capabilities);
            if !as_asked {
                self.stats.refused = self.stats.refused.saturating_add(1);
            }
            if config == *stream.own.binding.config() {
                // The table may hold other CDs than before (`IHI0070 §4.3.1`).
                if matches!(config, Config::CdTable { .. }) {
                    self.batch.push(stream.all_contexts(self.guest.position));
                }
                continue;
            }
            replaced.push(stream.sid);
            self.stats.binds = self.stats.binds.saturating_add(1);
            let Err(error) = stream.own.binding.replace(config, routing) else { continue };
            self.stats.refused = self.stats.refused.saturating_add(1);
            log::error!("stream {:#x}, an assigned device's, is aborted: {error}", stream.sid);
            if let Err(error) = stream.own.binding.replace(Config::Abort, routing) {
                failed = Some(error);
            }
        }
        self.devices = devices;
        (replaced, failed)
    }
}

impl Device<Stream> {
    /// Asks for the guest's number of it. Whether it has changed.
    fn rename(&mut self) -> Result<bool> {
        let Assignment { host, device, stream } = &self.assignment;
        let sid = stream();
        if sid == self.sid {
            return Ok(false);
        }
        host.remove_virtual_device(*device)?;
        host.add_virtual_device(*device, sid.into())?;
        self.sid = sid;
        Ok(true)
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
}

impl Name {
    fn new(host: &Arc<dyn Host>, device: DeviceId, sid: StreamId) -> Result<Self> {
        host.add_virtual_device(device, sid.into())?;
        Ok(Self { host: Arc::clone(host), device })
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
        f.debug_tuple("Name").field(&self.device).finish()
    }
}

fn has_ats(config: &Config) -> bool {
    matches!(config, Config::CdTable { ste: [_, second] } if Ste1::from(*second).eats() == eats::FULL)
}
