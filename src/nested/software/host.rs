// SPDX-License-Identifier: GPL-2.0-or-later
//! The trait, with the answers that Linux gives.

use std::os::fd::BorrowedFd;

use super::log::Call;
use super::{Bound, Device, Queue, SoftwareHost, State, Unit, smmuv3};
use crate::iommu::SubstreamId;
use crate::iommu::narrow::low32;
use crate::nested::error::{Error, PartialInvalidation, Result};
use crate::nested::host::{
    BindingId, Capabilities, Config, Cookie, DeviceId, FaultRouting, Host, HostEvent, HostFault,
    Invalidation, Response,
};

/// The system call that stands behind each of the trait's.
mod call {
    pub const CAPABILITIES: &str = "IOMMU_GET_HW_INFO";
    pub const MAP: &str = "IOMMU_IOAS_MAP";
    pub const UNMAP: &str = "IOMMU_IOAS_UNMAP";
    pub const ADD_VIRTUAL: &str = "IOMMU_VDEVICE_ALLOC";
    pub const REMOVE_VIRTUAL: &str = "IOMMU_DESTROY";
    pub const BIND: &str = "IOMMU_HWPT_ALLOC";
    pub const UNBIND: &str = "VFIO_DEVICE_DETACH_IOMMUFD_PT";
    pub const INVALIDATE: &str = "IOMMU_HWPT_INVALIDATE";
    pub const READ_FAULT: &str = "read of the fault queue";
    pub const READ_EVENT: &str = "read of the event queue";
    pub const RESPOND: &str = "write to the fault queue";
}

fn failed<T>(call: &'static str, errno: i32) -> Result<T> {
    Err(Error::Failed { call, errno })
}

impl SoftwareHost {
    /// One call: it fails as it was told to, or does what it does; then it is written down.
    fn call<T>(
        &self,
        what: Call,
        name: &'static str,
        body: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        let mut state = self.lock();
        let result = match state.log.begin() {
            Some(failure) => Err(failure.error(name)),
            None => body(&mut state),
        };
        state.log.end(what, result.as_ref().err().cloned(), 0);
        self.signal(&mut state);
        result
    }
}

impl State {
    fn present(&self, id: DeviceId) -> Result<&Device> {
        let device = self.device(id).ok_or(Error::UnknownDevice(id))?;
        if device.gone { Err(Error::DeviceGone(id)) } else { Ok(device) }
    }

    fn virtual_device(&self, virtual_id: u64) -> Option<DeviceId> {
        self.devices.iter().find(|d| d.virtual_id == Some(virtual_id)).map(|d| d.id)
    }

    fn check(
        &self,
        id: DeviceId,
        pasid: Option<SubstreamId>,
        config: &Config,
        faults: FaultRouting,
    ) -> Result<()> {
        let device = self.present(id)?;
        let wide = |pasid: SubstreamId| u64::from(pasid) >> device.options.pasid_bits.min(20) != 0;
        if pasid.is_some_and(wide) {
            return failed(call::BIND, libc::EINVAL);
        }
        let refused =
            |what, limit: &str| Err(Error::Unsupported { what, value: id.0.into(), limit: limit.into() });
        match (&self.unit, config) {
            (Unit::Smmuv3(_), _) if pasid.is_some() => {
                return refused("a binding of a PASID of device", "an SMMUv3 walks the CD table by itself");
            }
            (Unit::Smmuv3(_), Config::FirstStage(_)) => {
                return refused(
                    "a first-stage table for device",
                    "the host has an SMMUv3, which binds CD tables",
                );
            }
            (Unit::Vtd(_), Config::CdTable { .. }) => {
                return refused(
                    "a CD table for device",
                    "the host has a VT-d, which binds first-stage tables",
                );
            }
            (Unit::Smmuv3(_), Config::CdTable { .. }) if device.virtual_id.is_none() => {
                return refused(
                    "a CD table for a device without StreamID: device",
                    "its StreamID is to be told before",
                );
            }
            _ => {}
        }
        let checked = match &self.unit {
            Unit::Smmuv3(_) => smmuv3::Unit::check(pasid, config, device.virtual_id.is_some()),
            // Linux wants page requests enabled where they are to be queued; on Arm it takes what cannot stall as it is.
            Unit::Vtd(_) if faults == FaultRouting::Queued && !device.options.waits => Err(libc::ENODEV),
            Unit::Vtd(unit) => unit.check(config),
        };
        checked.or_else(|errno| failed(call::BIND, errno))
    }

    fn bound(&self, id: BindingId) -> Result<Bound> {
        self.bindings.iter().find(|b| b.id == id).copied().ok_or(Error::UnknownBinding(id))
    }

    fn end(&mut self, id: BindingId) -> Result<()> {
        let bound = self.bound(id)?;
        self.bindings.retain(|b| b.id != id);
        self.replaced(bound.device, Some(&bound), None);
        Ok(())
    }

    fn invalidate_one(&mut self, what: &Invalidation) -> Result<()> {
        let done = match (*what, &mut self.unit) {
            (Invalidation::Smmuv3(command), Unit::Smmuv3(unit)) => {
                let devices = &self.devices;
                let named =
                    |stream: u32| devices.iter().find(|d| d.virtual_id == Some(stream.into())).map(|d| d.id);
                unit.invalidate(command, named)
            }
            (Invalidation::FirstStage { binding, addr, pages, leaf }, Unit::Vtd(unit)) => {
                let bound = self.bindings.iter().find(|b| b.id == binding);
                match bound.map(|b| b.config) {
                    None => return Err(Error::UnknownBinding(binding)),
                    Some(Config::FirstStage(_)) => unit.invalidate(binding, addr, pages, leaf),
                    // Without a first-stage table nothing of it is cached.
                    Some(_) => Ok(()),
                }
            }
            _ => Err(libc::EINVAL),
        };
        done.or_else(|errno| failed(call::INVALIDATE, errno))
    }
}

impl Host for SoftwareHost {
    fn capabilities(&self, device: DeviceId) -> Result<Capabilities> {
        self.call(Call::Capabilities { device }, call::CAPABILITIES, |state| {
            let pasid_bits = state.present(device)?.options.pasid_bits;
            Ok(match &state.unit {
                Unit::Smmuv3(unit) => unit.capabilities(pasid_bits),
                Unit::Vtd(unit) => unit.capabilities(pasid_bits),
            })
        })
    }

    fn map(&self, gpa: u64, host: u64, len: u64, writable: bool) -> Result<()> {
        self.call(Call::Map { gpa, host, len, writable }, call::MAP, |state| {
            state.stage2.map(gpa, host, len, writable).or_else(|errno| failed(call::MAP, errno))
        })
    }

    fn unmap(&self, gpa: u64, len: u64) -> Result<()> {
        self.call(Call::Unmap { gpa, len }, call::UNMAP, |state| {
            state.stage2.unmap(gpa, len).or_else(|errno| failed(call::UNMAP, errno))?;
            match &mut state.unit {
                Unit::Smmuv3(unit) => unit.unmapped(),
                Unit::Vtd(unit) => unit.unmapped(),
            }
            Ok(())
        })
    }

    fn add_virtual_device(&self, device: DeviceId, virtual_id: u64) -> Result<()> {
        self.call(Call::AddVirtualDevice { device, virtual_id }, call::ADD_VIRTUAL, |state| {
            let has_one = state.present(device)?.virtual_id.is_some();
            if has_one || state.virtual_device(virtual_id).is_some() {
                return failed(call::ADD_VIRTUAL, libc::EEXIST);
            }
            // Streams have 32 bits.
            if matches!(state.unit, Unit::Smmuv3(_)) && u64::from(low32(virtual_id)) != virtual_id {
                return failed(call::ADD_VIRTUAL, libc::EINVAL);
            }
            state.devices.iter_mut().filter(|d| d.id == device).for_each(|d| d.virtual_id = Some(virtual_id));
            Ok(())
        })
    }

    fn remove_virtual_device(&self, device: DeviceId) -> Result<()> {
        self.call(Call::RemoveVirtualDevice { device }, call::REMOVE_VIRTUAL, |state| {
            if state.present(device)?.virtual_id.is_none() {
                return failed(call::REMOVE_VIRTUAL, libc::ENOENT);
            }
            state.devices.iter_mut().filter(|d| d.id == device).for_each(|d| d.virtual_id = None);
            Ok(())
        })
    }

    fn bind(
        &self,
        device: DeviceId,
        pasid: Option<SubstreamId>,
        config: &Config,
        faults: FaultRouting,
    ) -> Result<BindingId> {
        self.call(Call::Bind { device, pasid, config: *config, faults }, call::BIND, |state| {
            state.check(device, pasid, config, faults)?;
            if state.binding_of(device, pasid).is_some() {
                return failed(call::BIND, libc::EBUSY);
            }
            state.next_binding = state.next_binding.wrapping_add(1);
            let id = BindingId(state.next_binding);
            let bound = Bound { id, device, pasid, config: *config, faults };
            state.bindings.push(bound);
            state.replaced(device, None, Some(&bound));
            Ok(id)
        })
    }

    fn replace(&self, binding: BindingId, config: &Config, faults: FaultRouting) -> Result<()> {
        self.call(Call::Replace { binding, config: *config, faults }, call::BIND, |state| {
            let old = state.bound(binding)?;
            state.check(old.device, old.pasid, config, faults)?;
            let new = Bound { config: *config, faults, ..old };
            state.bindings.iter_mut().filter(|b| b.id == binding).for_each(|b| *b = new);
            state.replaced(old.device, Some(&old), Some(&new));
            Ok(())
        })
    }

    fn unbind(&self, binding: BindingId) -> Result<()> {
        let mut state = self.lock();
        let failure = state.log.begin();
        let gone = state.bound(binding).and_then(|b| state.present(b.device).map(|_| ())).err();
        let ended = state.end(binding);
        let result = match (failure, gone) {
            (Some(failure), _) => Err(failure.error(call::UNBIND)),
            (None, Some(gone)) => Err(gone),
            (None, None) => ended,
        };
        state.log.end(Call::Unbind { binding }, result.as_ref().err().cloned(), 0);
        self.signal(&mut state);
        result
    }

    fn invalidate(&self, batch: &[Invalidation]) -> core::result::Result<(), PartialInvalidation> {
        let mut state = self.lock();
        let failure = state.log.begin().map(|f| f.partial(call::INVALIDATE, batch.len()));
        let room = failure.as_ref().map_or(batch.len(), |f| f.done);
        let mut result = failure.map_or(Ok(()), Err);
        for (done, what) in batch.iter().take(room).enumerate() {
            if let Err(error) = state.invalidate_one(what) {
                result = Err(PartialInvalidation { done, error });
                break;
            }
        }
        let done = result.as_ref().err().map_or(batch.len(), |p| p.done);
        let error = result.as_ref().err().map(|p| p.error.clone());
        state.log.end(Call::Invalidate { batch: batch.to_vec() }, error, done);
        self.signal(&mut state);
        result
    }

    fn next_fault(&self) -> Result<Option<HostFault>> {
        if !self.has(Queue::Faults)? {
            return Ok(None);
        }
        self.call(Call::NextFault, call::READ_FAULT, |state| Ok(state.faults.next()))
    }

    fn respond(&self, cookie: Cookie, response: Response) -> Result<()> {
        self.call(Call::Respond { cookie, response }, call::RESPOND, |state| {
            if state.faults.closed {
                return Err(Error::Closed("fault queue"));
            }
            if state.faults.respond(cookie, response) { Ok(()) } else { Err(Error::UnknownCookie(cookie.0)) }
        })
    }

    fn next_event(&self) -> Result<Option<HostEvent>> {
        if !self.has(Queue::Events)? {
            return Ok(None);
        }
        self.call(Call::NextEvent, call::READ_EVENT, |state| Ok(state.events.next()))
    }

    fn fault_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.fault_signal.fd())
    }

    fn event_fd(&self) -> Option<BorrowedFd<'_>> {
        self.event_signal.as_ref().map(super::signal::Signal::fd)
    }
}

impl SoftwareHost {
    /// Whether a queue has something.
    fn has(&self, queue: Queue) -> Result<bool> {
        let state = self.lock();
        let (closed, readable, name) = match queue {
            Queue::Faults => (state.faults.closed, state.faults.readable(), "fault queue"),
            Queue::Events => (state.events.closed, state.events.readable(), "event queue"),
        };
        if closed { Err(Error::Closed(name)) } else { Ok(readable) }
    }
}
