// SPDX-License-Identifier: GPL-2.0-or-later
//! A host that does nothing and notes everything, for unit tests. It is as strict as Linux about devices, names, bindings
//! and how long they live: [`conformance`](super::conformance).

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::BorrowedFd;
use std::sync::Mutex;

use super::assigned::Assignment;
use super::error::{Error, PartialInvalidation, Result};
use super::host::{
    BindingId, Capabilities, Config, Cookie, DeviceId, FaultRouting, Host, HostEvent, HostFault,
    Invalidation, Response,
};
use crate::iommu::narrow::low8;
use crate::iommu::{StreamId, SubstreamId};
use crate::smmuv3::spec::command as op;
use std::sync::Arc;

/// One call, as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    Name(DeviceId, u64),
    Unname(DeviceId),
    Bind(BindingId, DeviceId, Option<SubstreamId>, Config, FaultRouting),
    Replace(BindingId, Config),
    Unbind(BindingId),
    Invalidate(Vec<Invalidation>),
    Respond(Cookie, Response),
}

#[derive(Default)]
struct Inner {
    calls: Vec<Call>,
    bindings: BTreeMap<BindingId, (DeviceId, Option<SubstreamId>, Config)>,
    next: u32,
    names: BTreeMap<DeviceId, u64>,
    faults: VecDeque<HostFault>,
    open: Vec<HostFault>,
    events: VecDeque<HostEvent>,
    /// What the next calls that bind or invalidate do.
    failures: VecDeque<Failure>,
}

/// A failure to come.
#[derive(Clone, Debug)]
pub enum Failure {
    /// Of the next call that binds.
    Bind(Error),
    /// Of the next call that binds to something else.
    Replace(Error),
    /// Of the next batch, after as many.
    Invalidate(usize, Error),
}

/// The host.
pub struct FakeHost {
    capabilities: Capabilities,
    inner: Mutex<Inner>,
}

impl FakeHost {
    /// Devices of these numbers belong to it.
    pub const DEVICES: core::ops::RangeInclusive<u32> = 1..=15;

    pub fn new(capabilities: Capabilities) -> Arc<Self> {
        Arc::new(Self { capabilities, inner: Mutex::default() })
    }

    /// A device of it, under a name that stays.
    pub fn device(self: &Arc<Self>, device: u32, stream: StreamId) -> Assignment {
        let host: Arc<dyn Host> = Arc::<Self>::clone(self);
        Assignment { host, device: DeviceId(device), stream: Box::new(move || stream) }
    }

    /// The calls since the last time.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.inner.lock().unwrap().calls)
    }

    /// What a device, or a PASID of it, is bound to.
    pub fn bound(&self, device: u32, pasid: Option<SubstreamId>) -> Option<Config> {
        let inner = self.inner.lock().unwrap();
        let mut found = inner.bindings.values().filter(|(d, p, _)| (*d, *p) == (DeviceId(device), pasid));
        let config = found.next().map(|(_, _, config)| *config);
        assert_eq!(found.next(), None, "two bindings of one address space");
        config
    }

    /// What the guest calls a device.
    pub fn name(&self, device: u32) -> Option<u64> {
        self.inner.lock().unwrap().names.get(&DeviceId(device)).copied()
    }

    /// How many bindings there are.
    pub fn bindings(&self) -> usize {
        self.inner.lock().unwrap().bindings.len()
    }

    pub fn fail(&self, failure: Failure) {
        self.inner.lock().unwrap().failures.push_back(failure);
    }

    pub fn fault(&self, fault: HostFault) {
        self.inner.lock().unwrap().faults.push_back(fault);
    }

    pub fn event(&self, event: HostEvent) {
        self.inner.lock().unwrap().events.push_back(event);
    }

    /// Faults that nobody has answered.
    pub fn open(&self) -> usize {
        self.inner.lock().unwrap().open.len()
    }
}

impl Inner {
    fn failure(&mut self) -> Result<()> {
        if let Some(Failure::Bind(error)) = self.failures.front().cloned() {
            self.failures.pop_front();
            return Err(error);
        }
        Ok(())
    }

    fn known(device: DeviceId) -> Result<()> {
        if FakeHost::DEVICES.contains(&device.0) { Ok(()) } else { Err(Error::UnknownDevice(device)) }
    }

    /// What Linux takes of a device, in its state.
    fn check(
        &self,
        capabilities: &Capabilities,
        device: DeviceId,
        pasid: Option<SubstreamId>,
        config: &Config,
    ) -> Result<()> {
        Self::known(device)?;
        let unsupported =
            |what| Err(Error::Unsupported { what, value: device.0.into(), limit: String::new() });
        match (capabilities, config) {
            (Capabilities::Smmuv3(_), _) if pasid.is_some() => unsupported("binding of PASID"),
            (Capabilities::Smmuv3(_), Config::FirstStage(_)) => unsupported("a first-stage table"),
            (Capabilities::Vtd(_), Config::CdTable { .. }) => unsupported("a CD table"),
            (Capabilities::Smmuv3(_), Config::CdTable { .. }) if !self.names.contains_key(&device) => {
                unsupported("a CD table for a device without StreamID: device")
            }
            _ => Ok(()),
        }
    }

    /// Whether an invalidation can be done.
    fn check_invalidation(&self, what: &Invalidation, capabilities: &Capabilities) -> Result<()> {
        let failed = |errno| Err(Error::Failed { call: "IOMMU_HWPT_INVALIDATE", errno });
        match (what, capabilities) {
            (Invalidation::Smmuv3([first, _]), Capabilities::Smmuv3(_)) => {
                let opcode = low8(*first);
                let names = matches!(opcode, op::CFGI_CD | op::CFGI_CD_ALL | op::ATC_INV);
                if names && !self.names.values().any(|name| *name == first >> 32) {
                    return failed(libc::EIO);
                }
                Ok(())
            }
            (Invalidation::FirstStage { binding, .. }, Capabilities::Vtd(_)) => {
                if self.bindings.contains_key(binding) {
                    Ok(())
                } else {
                    Err(Error::UnknownBinding(*binding))
                }
            }
            (Invalidation::FirstStage { binding, .. }, Capabilities::Smmuv3(_)) => {
                Err(Error::UnknownBinding(*binding))
            }
            (Invalidation::Smmuv3(_), Capabilities::Vtd(_)) => failed(libc::ENODEV),
        }
    }

    fn end_faults(&mut self, device: DeviceId, pasid: Option<SubstreamId>) {
        self.open.retain(|fault| fault.device != device || pasid.is_some() && fault.pasid != pasid);
    }
}

impl Host for FakeHost {
    fn capabilities(&self, device: DeviceId) -> Result<Capabilities> {
        Inner::known(device)?;
        Ok(self.capabilities)
    }

    fn map(&self, _gpa: u64, _host: u64, _len: u64, _writable: bool) -> Result<()> {
        Err(Error::Stage2NotOurs)
    }

    fn unmap(&self, _gpa: u64, _len: u64) -> Result<()> {
        Err(Error::Stage2NotOurs)
    }

    fn add_virtual_device(&self, device: DeviceId, virtual_id: u64) -> Result<()> {
        let mut inner = self.inner.lock().unwrap();
        Inner::known(device)?;
        if inner.names.contains_key(&device) || inner.names.values().any(|name| *name == virtual_id) {
            return Err(Error::Failed { call: "IOMMU_VDEVICE_ALLOC", errno: libc::EEXIST });
        }
        inner.names.insert(device, virtual_id);
        inner.calls.push(Call::Name(device, virtual_id));
        Ok(())
    }

    fn remove_virtual_device(&self, device: DeviceId) -> Result<()> {
        let mut inner = self.inner.lock().unwrap();
        Inner::known(device)?;
        if inner.names.remove(&device).is_none() {
            return Err(Error::Failed { call: "IOMMU_DESTROY of a vDEVICE", errno: libc::ENOENT });
        }
        inner.calls.push(Call::Unname(device));
        Ok(())
    }

    fn bind(
        &self,
        device: DeviceId,
        pasid: Option<SubstreamId>,
        config: &Config,
        faults: FaultRouting,
    ) -> Result<BindingId> {
        let mut inner = self.inner.lock().unwrap();
        inner.failure()?;
        inner.check(&self.capabilities, device, pasid, config)?;
        if inner.bindings.values().any(|(d, p, _)| (*d, *p) == (device, pasid)) {
            return Err(Error::Failed { call: "binding", errno: libc::EBUSY });
        }
        inner.next += 1;
        let id = BindingId(inner.next);
        inner.calls.push(Call::Bind(id, device, pasid, *config, faults));
        inner.bindings.insert(id, (device, pasid, *config));
        Ok(id)
    }

    fn replace(&self, binding: BindingId, config: &Config, _faults: FaultRouting) -> Result<()> {
        let mut inner = self.inner.lock().unwrap();
        inner.failure()?;
        if let Some(Failure::Replace(error)) = inner.failures.front().cloned() {
            inner.failures.pop_front();
            return Err(error);
        }
        let Some((device, pasid, _)) = inner.bindings.get(&binding).copied() else {
            return Err(Error::UnknownBinding(binding));
        };
        inner.check(&self.capabilities, device, pasid, config)?;
        let Some(bound) = inner.bindings.get_mut(&binding) else {
            return Err(Error::UnknownBinding(binding));
        };
        bound.2 = *config;
        inner.end_faults(device, pasid);
        inner.calls.push(Call::Replace(binding, *config));
        Ok(())
    }

    fn unbind(&self, binding: BindingId) -> Result<()> {
        let mut inner = self.inner.lock().unwrap();
        let Some((device, pasid, _)) = inner.bindings.remove(&binding) else {
            return Err(Error::UnknownBinding(binding));
        };
        inner.end_faults(device, pasid);
        inner.calls.push(Call::Unbind(binding));
        Ok(())
    }

    fn invalidate(&self, batch: &[Invalidation]) -> core::result::Result<(), PartialInvalidation> {
        let mut inner = self.inner.lock().unwrap();
        inner.calls.push(Call::Invalidate(batch.to_vec()));
        if let Some(Failure::Invalidate(done, error)) = inner.failures.front().cloned() {
            inner.failures.pop_front();
            return Err(PartialInvalidation { done, error });
        }
        for (done, what) in batch.iter().enumerate() {
            inner
                .check_invalidation(what, &self.capabilities)
                .map_err(|error| PartialInvalidation { done, error })?;
        }
        Ok(())
    }

    fn next_fault(&self) -> Result<Option<HostFault>> {
        let mut inner = self.inner.lock().unwrap();
        let fault = inner.faults.pop_front();
        inner.open.extend(fault);
        Ok(fault)
    }

    fn respond(&self, cookie: Cookie, response: Response) -> Result<()> {
        let mut inner = self.inner.lock().unwrap();
        inner.calls.push(Call::Respond(cookie, response));
        let before = inner.open.len();
        inner.open.retain(|fault| fault.cookie != cookie);
        if inner.open.len() == before { Err(Error::UnknownCookie(cookie.0)) } else { Ok(()) }
    }

    fn next_event(&self) -> Result<Option<HostEvent>> {
        Ok(self.inner.lock().unwrap().events.pop_front())
    }

    fn fault_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn event_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
