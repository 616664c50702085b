// SPDX-License-Identifier: GPL-2.0-or-later
//! What both architectures keep of an assigned device, and of the invalidations that wait to be forwarded.

use std::fmt;
use std::sync::Arc;

use super::error::{Error, PartialInvalidation};
use super::host::{Cookie, DeviceId, Host, HostEvent, HostFault, Invalidation, Response};
use super::work::{STEP, Work};
use crate::iommu::log_limit::HOST_ERRORS;
use crate::iommu::memory::MemoryError;
use crate::iommu::{GuestMemory, StreamId};

/// What the guest calls a device at the moment: it numbers the buses, and may do so anew.
pub type StreamName = Box<dyn Fn() -> StreamId + Send>;

/// A device that was given to a guest, with the host's IOMMU in front of it.
pub struct Assignment {
    /// The host. Devices behind the same one share an [`Arc`].
    pub host: Arc<dyn Host>,
    /// The host's number of it.
    pub device: DeviceId,
    /// The guest's.
    pub stream: StreamName,
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assignment").field("device", &self.device).finish_non_exhaustive()
    }
}

/// How much was forwarded to hosts, and came from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NestedStats {
    /// Bindings made and replaced.
    pub binds: u64,
    /// Configurations of the guest that no host can have, or that a host failed at. The device is aborted instead.
    pub refused: u64,
    /// Invalidations handed to hosts.
    pub invalidations: u64,
    /// Calls that did so.
    pub calls: u64,
    /// Faults that waited for the guest.
    pub faults: u64,
    /// Its answers.
    pub responses: u64,
    /// Events passed on.
    pub events: u64,
    /// Events that a host lost.
    pub lost: u64,
}

impl NestedStats {
    /// Every counter by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("nested-binds", self.binds),
            ("nested-refused", self.refused),
            ("nested-invalidations", self.invalidations),
            ("nested-calls", self.calls),
            ("nested-faults", self.faults),
            ("nested-responses", self.responses),
            ("nested-events", self.events),
            ("nested-lost", self.lost),
        ]
        .into_iter()
    }
}

/// Most invalidations that wait for a SYNC or a wait descriptor; one more, and all are forwarded.
pub const BATCH: usize = 1024;
/// Most faults, and most events, that are taken from a host at a time.
pub const FAULTS_AT_ONCE: usize = 256;

/// No memory: for what reads none.
pub(super) struct NoMemory;

impl GuestMemory for NoMemory {
    fn read(&self, addr: u64, _buf: &mut [u8]) -> core::result::Result<(), MemoryError> {
        Err(MemoryError { addr })
    }

    fn write(&self, addr: u64, _buf: &[u8]) -> core::result::Result<(), MemoryError> {
        Err(MemoryError { addr })
    }

    fn read_u64(&self, addr: u64) -> core::result::Result<u64, MemoryError> {
        Err(MemoryError { addr })
    }

    fn compare_exchange_u64(
        &self,
        addr: u64,
        _current: u64,
        _new: u64,
    ) -> core::result::Result<core::result::Result<(), u64>, MemoryError> {
        Err(MemoryError { addr })
    }
}

/// An invalidation that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// Where in the guest's queue it is.
    pub position: u32,
    /// Whose; `None`: of every device of the host.
    pub device: Option<DeviceId>,
    /// A device's own cache is all that it concerns.
    pub device_cache: bool,
    /// What.
    pub what: Invalidation,
}

/// An invalidation was not done. The guest has to hear of it, and what is behind it in the queue was not tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the invalidation at {position:#x} of the guest's queue: {error}")]
pub struct NotForwarded {
    /// Where in the guest's queue it is.
    pub position: u32,
    /// Why.
    pub error: Error,
}

/// What came of forwarding a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// Devices that turned out to be gone.
    pub gone: Vec<DeviceId>,
    /// What the guest called them.
    pub streams: Vec<StreamId>,
    /// A device did not do an invalidation of its own cache.
    pub device_cache_failed: bool,
}

/// Hands a batch to a host: in one call, and one more for each device that is gone, or whose own cache failed. What else
/// concerns such a device's cache is left out: the guest has to give it again.
fn forward(
    host: &dyn Host,
    mut batch: Vec<Waiting>,
    stats: &mut NestedStats,
    work: &mut Work,
    device_cache_failed: &mut bool,
) -> Result<Forwarded, NotForwarded> {
    let mut forwarded = Forwarded::default();
    while !batch.is_empty() {
        let what: Vec<Invalidation> = batch.iter().map(|waiting| waiting.what).collect();
        stats.calls = stats.calls.saturating_add(1);
        work.spend_calls(1);
        let Err(PartialInvalidation { done, error }) = host.invalidate(&what) else {
            stats.invalidations = stats.invalidations.saturating_add(count(what.len()));
            break;
        };
        stats.invalidations = stats.invalidations.saturating_add(count(done));
        let Some(failed) = batch.get(done).copied() else {
            // All were done, and what failed is none of them.
            let position = batch.last().map_or(0, |waiting| waiting.position);
            return Err(NotForwarded { position, error });
        };
        // Linux knows the name of a device that is gone no longer, and says no more than that.
        let gone =
            failed.device.filter(|device| host.capabilities(*device) == Err(Error::DeviceGone(*device)));
        match gone.map_or(error, Error::DeviceGone) {
            // What is gone caches nothing.
            Error::DeviceGone(device) if !forwarded.gone.contains(&device) => {
                forwarded.gone.push(device);
                let stays = |waiting: &Waiting| waiting.device != Some(device);
                batch = batch.into_iter().skip(done).filter(stays).collect();
            }
            error if failed.device_cache => {
                log::warn!(target: HOST_ERRORS, "an invalidation of a device's own translation cache failed: {error}");
                *device_cache_failed = true;
                let stays = |waiting: &Waiting| !waiting.device_cache || waiting.device != failed.device;
                batch = batch.into_iter().skip(done.saturating_add(1)).filter(stays).collect();
            }
            error => return Err(NotForwarded { position: failed.position, error }),
        }
    }
    Ok(forwarded)
}

/// A device that was given to a guest: `D` is what its architecture keeps of it.
#[derive(Debug)]
pub struct Device<D> {
    /// Tells it from every other one that was ever here.
    pub(super) serial: u64,
    /// What the guest called it when it was asked last.
    pub(super) sid: StreamId,
    pub(super) own: D,
    pub(super) assignment: Assignment,
}

/// The assigned devices behind one IOMMU of a guest: `G` is what the guest's registers say.
#[derive(Debug)]
pub struct Assigned<G, D> {
    pub(super) guest: G,
    pub(super) devices: Vec<Device<D>>,
    pub(super) batch: Vec<Waiting>,
    pub(super) stats: NestedStats,
    pub(super) work: Work,
    last_serial: u64,
    /// A device did not do an invalidation of its own cache, and no [`Assigned::flush`] could say so yet.
    device_cache_failed: bool,
}

impl<G, D> Assigned<G, D> {
    pub(super) fn none(guest: G) -> Self {
        Self {
            guest,
            devices: Vec::new(),
            batch: Vec::new(),
            stats: NestedStats::default(),
            work: Work::new(),
            last_serial: 0,
            device_cache_failed: false,
        }
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.last_serial = self.last_serial.saturating_add(1);
        self.last_serial
    }

    /// Whether there is room for one more thing in this register write, or this run of a bottom half. `false`: it was enough,
    /// and the next one goes on.
    pub fn may_go_on(&mut self) -> bool {
        self.work.has(STEP)
    }

    /// A call to a host is about to be made for something that is not forwarded by this.
    pub fn count_call(&mut self) {
        self.work.spend_calls(1);
    }

    /// No device is assigned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Whether that stream is an assigned device's.
    #[must_use]
    pub fn contains(&self, sid: StreamId) -> bool {
        self.of_stream(sid).is_some()
    }

    /// How much was forwarded.
    #[must_use]
    pub fn stats(&self) -> NestedStats {
        self.stats
    }

    pub(super) fn of_stream(&self, sid: StreamId) -> Option<&Device<D>> {
        self.devices.iter().find(|device| device.sid == sid)
    }

    /// Lets a device go: what it had bound ends, and nothing waits for it any more. Its stream, if it was one of these.
    pub fn remove(&mut self, device: DeviceId) -> Option<StreamId> {
        let at = self.devices.iter().position(|known| known.assignment.device == device)?;
        self.batch.retain(|waiting| waiting.device != Some(device));
        Some(self.devices.swap_remove(at).sid)
    }

    /// Invalidations wait, or what became of one.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.batch.is_empty() || self.device_cache_failed
    }

    /// Hands everything that waits to the hosts, what is of no device to each of them, and returns when it is done. Devices
    /// that are gone are let go; whether a device's own cache failed is for the guest's SYNC to report.
    ///
    /// # Errors
    /// The first that was not done. It and all behind it are to be given again; a device's cache that failed before it is
    /// reported then.
    pub fn flush(&mut self) -> Result<Forwarded, NotForwarded> {
        let batch = std::mem::take(&mut self.batch);
        let mut all = Forwarded::default();
        let mut failures = Vec::new();
        for host in self.hosts() {
            let is_behind = |device| {
                let mut known = self.devices.iter().map(|known| &known.assignment);
                known.any(|known| known.device == device && is_same(&known.host, &host))
            };
            let mine = batch.iter().filter(|waiting| waiting.device.is_none_or(is_behind)).copied().collect();
            match forward(host.as_ref(), mine, &mut self.stats, &mut self.work, &mut self.device_cache_failed)
            {
                Ok(new) => all.gone.extend(new.gone),
                Err(failed) => failures.push(failed),
            }
        }
        // Queues go round: which of two positions is the earlier one, only the batch says.
        let place =
            |failed: &NotForwarded| batch.iter().position(|waiting| waiting.position == failed.position);
        if let Some(first) = failures.into_iter().min_by_key(place) {
            return Err(first);
        }
        all.device_cache_failed = std::mem::take(&mut self.device_cache_failed);
        all.streams = all.gone.iter().filter_map(|device| self.remove(*device)).collect();
        Ok(all)
    }

    /// Faults that hosts have, as many as are taken at a time. Those of a device that was let go in the meantime are answered.
    pub(super) fn faults(&self) -> Vec<(Arc<dyn Host>, HostFault)> {
        let is_known = |(host, fault): &(Arc<dyn Host>, HostFault)| {
            let known = self.devices.iter().any(|device| device.assignment.device == fault.device);
            if !known {
                answer(host.as_ref(), fault.cookie, Response::Invalid);
            }
            known
        };
        let mut faults = self.take("faults", |host| host.next_fault());
        faults.retain(is_known);
        faults
    }

    /// Events that hosts have, as many as are taken at a time.
    pub(super) fn host_events(&self) -> Vec<HostEvent> {
        self.take("events", |host| host.next_event()).into_iter().map(|(_, event)| event).collect()
    }

    fn take<T>(
        &self,
        what: &str,
        next: impl Fn(&dyn Host) -> super::error::Result<Option<T>>,
    ) -> Vec<(Arc<dyn Host>, T)> {
        let mut taken = Vec::new();
        for host in self.hosts() {
            for _ in 0..FAULTS_AT_ONCE {
                match next(host.as_ref()) {
                    Ok(Some(one)) => taken.push((Arc::clone(&host), one)),
                    Ok(None) => break,
                    Err(error) => {
                        log::warn!(target: HOST_ERRORS, "{what} of assigned devices cannot be read: {error}");
                        break;
                    }
                }
            }
        }
        taken
    }

    /// The hosts, each once.
    fn hosts(&self) -> Vec<Arc<dyn Host>> {
        let mut hosts: Vec<Arc<dyn Host>> = Vec::new();
        for Device { assignment, .. } in &self.devices {
            if !hosts.iter().any(|host| is_same(host, &assignment.host)) {
                hosts.push(Arc::clone(&assignment.host));
            }
        }
        hosts
    }
}

fn is_same(a: &Arc<dyn Host>, b: &Arc<dyn Host>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

/// Answers a fault. The guest's answer may come after the host's own.
pub(super) fn answer(host: &dyn Host, cookie: Cookie, response: Response) {
    match host.respond(cookie, response) {
        Ok(()) => {}
        Err(Error::UnknownCookie(_)) => log::debug!("an answer to fault {:#x} comes too late", cookie.0),
        Err(error) => log::warn!(target: HOST_ERRORS, "fault {:#x} cannot be answered: {error}", cookie.0),
    }
}

pub(super) fn count(entries: usize) -> u64 {
    u64::try_from(entries).unwrap_or(u64::MAX)
}
