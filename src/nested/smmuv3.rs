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
use super::assigned::{
    Assignment, BATCH, FAULTS_AT_ONCE, Forwarded, NestedStats, NoMemory, NotForwarded, Waiting, answer,
    forward_all, hosts,
};
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

/// One of the devices.
struct Stream {
    assignment: Assignment,
    sid: StreamId,
    capabilities: Smmuv3Capabilities,
    binding: Binding,
}

/// The assigned devices behind one SMMU of a guest.
pub struct AssignedStreams {
    features: Features,
    state: SmmuState,
    streams: Vec<Stream>,
    batch: Vec<Waiting>,
    /// Where in the guest's queue the last command was.
    position: u32,
    stats: NestedStats,
}

impl AssignedStreams {
    /// None yet, behind an SMMU of such features after reset.
    #[must_use]
    pub fn new(features: Features) -> Self {
        Self {
            features,
            state: SmmuState::Off { abort: false },
            streams: Vec::new(),
            batch: Vec::new(),
            position: 0,
            stats: NestedStats::default(),
        }
    }

    /// No device is assigned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether that stream is an assigned device's.
    #[must_use]
    pub fn contains(&self, sid: StreamId) -> bool {
        self.streams.iter().any(|stream| stream.sid == sid)
    }

    /// How much was forwarded.
    #[must_use]
    pub fn stats(&self) -> NestedStats {
        self.stats
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
        check(&self.features, &capabilities)?;
        let sid = stream();
        host.add_virtual_device(*device, sid.into())?;
        let (config, _) = self.wanted(mem, sid, &capabilities);
        match Binding::new(host, *device, None, config, self.routing()) {
            Ok(binding) => {
                self.stats.binds = self.stats.binds.saturating_add(1);
                self.streams.push(Stream { sid, capabilities, binding, assignment });
                Ok(())
            }
            Err(error) => {
                forget_name(host, *device);
                Err(error)
            }
        }
    }

    /// Lets a device go: what it had bound ends. Its stream, if it was one of these.
    pub fn remove(&mut self, device: DeviceId) -> Option<StreamId> {
        let at = self.streams.iter().position(|stream| stream.assignment.device == device)?;
        let Stream { assignment, sid, binding, .. } = self.streams.swap_remove(at);
        self.batch.retain(|waiting| waiting.device != Some(device));
        drop(binding);
        forget_name(&assignment.host, device);
        Some(sid)
    }

    /// The registers say something else. Returns the streams whose open stalls the host has answered by that.
    pub fn set_state(&mut self, mem: &dyn GuestMemory, state: SmmuState) -> Vec<StreamId> {
        self.state = state;
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
        self.position = position;
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
        let named = || self.streams.iter().find(|stream| stream.sid == sid);
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
                Some(stream) if has_ats(stream.binding.config()) => (command, Some(stream.assignment.device)),
                _ => return true,
            },
            _ => return true,
        };
        if self.streams.is_empty() {
            return true;
        }
        if self.batch.len() >= BATCH {
            return false;
        }
        self.position = position;
        let device_cache = opcode == op::ATC_INV;
        self.batch.push(Waiting { position, device, device_cache, what: Invalidation::Smmuv3(command) });
        true
    }

    /// Invalidations wait.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.batch.is_empty()
    }

    /// Hands everything that waits to the hosts, and returns when it is done. Devices that are gone are let go; whether a
    /// device's own cache failed is for the SYNC to report.
    ///
    /// # Errors
    /// The first that was not done. It and all behind it are to be given again.
    pub fn flush(&mut self) -> core::result::Result<Forwarded, NotForwarded> {
        let batch = std::mem::take(&mut self.batch);
        let assignments = self.streams.iter().map(|stream| &stream.assignment);
        let mut result = forward_all(assignments, &batch, &mut self.stats);
        if let Ok(Forwarded { gone, streams, .. }) = &mut result {
            streams.extend(gone.iter().filter_map(|device| self.remove(*device)));
        }
        result
    }

    /// Faults of assigned devices that wait, as many as are taken at a time.
    pub fn stalls(&mut self) -> Vec<GuestStall> {
        let mut stalls = Vec::new();
        for host in self.hosts() {
            for _ in 0..FAULTS_AT_ONCE {
                match host.next_fault() {
                    Ok(Some(fault)) => stalls.extend(self.stall(host.as_ref(), &fault)),
                    Ok(None) => break,
                    Err(error) => {
                        log::warn!("faults of assigned devices cannot be read: {error}");
                        break;
                    }
                }
            }
        }
        self.stats.faults = self.stats.faults.saturating_add(u64::try_from(stalls.len()).unwrap_or(u64::MAX));
        stalls
    }

    fn stall(&self, host: &dyn Host, fault: &HostFault) -> Option<GuestStall> {
        let Some(stream) = self.streams.iter().find(|stream| stream.assignment.device == fault.device) else {
            // Of a device that was let go in the meantime.
            answer(host, fault.cookie, Response::Invalid);
            return None;
        };
        // The answer to the last of a group is that to all of them, which then ask again.
        fault.last.then(|| stall_of(stream.sid, fault))
    }

    /// What hosts have reported, as much as is taken at a time.
    pub fn events(&mut self) -> Vec<GuestEvent> {
        let mut events = Vec::new();
        for host in self.hosts() {
            for _ in 0..FAULTS_AT_ONCE {
                match host.next_event() {
                    Ok(Some(HostEvent::Smmuv3(record))) => {
                        if let Some(record) = self.event(record) {
                            self.stats.events = self.stats.events.saturating_add(1);
                            events.push(GuestEvent::Record(record));
                        }
                    }
                    Ok(Some(HostEvent::Lost(count))) => {
                        self.stats.lost = self.stats.lost.saturating_add(count.into());
                        events.push(GuestEvent::Lost(count));
                    }
                    Ok(None) => break,
                    Err(error) => {
                        log::warn!("events of assigned devices cannot be read: {error}");
                        break;
                    }
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
        if let Some(stream) = self.streams.iter().find(|stream| stream.sid == sid) {
            answer(stream.assignment.host.as_ref(), Cookie(tag), response);
        }
    }

    /// Everything as after reset. Nothing that waited is done, for everything is bound anew.
    pub fn reset(&mut self) {
        self.batch.clear();
        self.set_state(&NoMemory, SmmuState::Off { abort: false });
    }

    fn routing(&self) -> FaultRouting {
        if self.features.stall == StallModel::Off { FaultRouting::Refused } else { FaultRouting::Queued }
    }

    fn hosts(&self) -> Vec<Arc<dyn Host>> {
        hosts(self.streams.iter().map(|stream| &stream.assignment))
    }

    /// What a stream is to be bound to, and whether that is what the guest asks for.
    fn wanted(&self, mem: &dyn GuestMemory, sid: StreamId, have: &Smmuv3Capabilities) -> (Config, bool) {
        match self.state {
            SmmuState::Off { abort: true } => (Config::Abort, true),
            SmmuState::Off { abort: false } => (Config::Bypass, true),
            SmmuState::On(table) => match config_of(mem, &self.features, &table, sid, have) {
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
        let mut streams = std::mem::take(&mut self.streams);
        for stream in &mut streams {
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
            let (config, as_asked) = self.wanted(mem, stream.sid, &stream.capabilities);
            if !as_asked {
                self.stats.refused = self.stats.refused.saturating_add(1);
            }
            if config == *stream.binding.config() {
                // The table may hold other CDs than before (`IHI0070 §4.3.1`).
                if matches!(config, Config::CdTable { .. }) {
                    self.batch.push(stream.all_contexts(self.position));
                }
                continue;
            }
            replaced.push(stream.sid);
            self.stats.binds = self.stats.binds.saturating_add(1);
            let Err(error) = stream.binding.replace(config, routing) else { continue };
            self.stats.refused = self.stats.refused.saturating_add(1);
            log::error!("stream {:#x}, an assigned device's, is aborted: {error}", stream.sid);
            if let Err(error) = stream.binding.replace(Config::Abort, routing) {
                failed = Some(error);
            }
        }
        self.streams = streams;
        (replaced, failed)
    }
}

impl Stream {
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

impl fmt::Debug for AssignedStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams: Vec<_> = self.streams.iter().map(|stream| (stream.sid, &stream.binding)).collect();
        f.debug_struct("AssignedStreams")
            .field("state", &self.state)
            .field("streams", &streams)
            .field("batch", &self.batch)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
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

fn forget_name(host: &Arc<dyn Host>, device: DeviceId) {
    if let Err(error) = host.remove_virtual_device(device) {
        log::debug!("device {}: its virtual device: {error}", device.0);
    }
}

fn has_ats(config: &Config) -> bool {
    matches!(config, Config::CdTable { ste: [_, second] } if Ste1::from(*second).eats() == eats::FULL)
}
