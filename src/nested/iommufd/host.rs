// SPDX-License-Identifier: GPL-2.0-or-later
//! [`Iommufd`]: the host trait by `/dev/iommu`.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use once_cell::race::OnceBox;

use super::context::{Context, Object, Table};
use super::faults::Faults;
use super::list::{Fifo, List};
use super::queues::{Event, EventQueue, FaultQueue, long};
use super::tables::{self, Attached};
use super::uapi::{self, event, fault};
use super::vfio::{Attachment, VfioDevice};
use super::{failed, failed_for};
use crate::iommu::SubstreamId;
use crate::nested::error::{Error, PartialInvalidation, Result};
use crate::nested::host::{
    BindingId, Capabilities, Config, Cookie, DeviceId, FaultRouting, Host, HostEvent, HostFault,
    Invalidation, Response,
};

/// Events that the kernel keeps until they are read, if nothing else is asked for.
const EVENTS: u32 = 1024;

/// A host's IOMMU behind `/dev/iommu`.
///
/// Per device the kernel answers faults of a binding that goes away; a cookie that a guest still has is then
/// [`UnknownCookie`](Error::UnknownCookie), never somebody else's fault. Where the kernel stops in the middle of a batch of an
/// SMMUv3's commands, those before are sent again, since Linux 7.2 counts commands as done that it has only looked at.
pub struct Iommufd {
    // Dropped in this order, after `drop` has attached the devices to what they were attached to at first.
    state: Mutex<State>,
    viommu: OnceBox<Viommu>,
    fault_queue: Option<FaultQueue>,
    own: Option<Own>,
    context: Arc<Context>,
    event_depth: u32,
}

/// What a stand-alone program has made by itself.
struct Own {
    parent: OnceBox<Object>,
    ioas: Object,
}

/// The SMMUv3 that the guest's stands on.
struct Viommu {
    events: Option<EventQueue<{ event::ARM_SMMUV3_SIZE }>>,
    abort: Object,
    bypass: Object,
    object: Object,
    /// The nesting parent that it is made of.
    parent: u32,
}

#[derive(Default)]
struct State {
    devices: List<DeviceId, Assigned>,
    bindings: List<BindingId, Bound>,
    last_binding: u32,
    faults: Faults,
    events: Fifo<HostEvent>,
}

struct Assigned {
    attachment: Box<dyn Attachment>,
    capabilities: Capabilities,
    /// What it is attached to when nothing is bound.
    parent: u32,
    name: Option<Name>,
}

/// What the guest calls a device.
struct Name {
    virtual_id: u64,
    _object: Option<Object>,
}

struct Bound {
    device: DeviceId,
    pasid: Option<SubstreamId>,
    attached: Attached,
}

impl State {
    fn device(&self, device: DeviceId) -> Result<&Assigned> {
        self.devices.get(device).ok_or(Error::UnknownDevice(device))
    }

    /// Whose a fault is: of the PASID's binding, or of the device's, with a table of PASIDs.
    fn binding_of(&self, device: DeviceId, pasid: Option<SubstreamId>) -> Option<BindingId> {
        let of = |pasid| {
            let mut all = self.bindings.iter();
            all.find(|(_, b)| b.device == device && b.pasid == pasid).map(|(id, _)| id)
        };
        of(pasid).or_else(|| of(None))
    }
}

impl Iommufd {
    /// For a program that does everything by itself: opens `/dev/iommu`, with a stage 2 that shows nothing yet.
    ///
    /// # Errors
    /// There is no iommufd, or not for this process.
    pub fn open() -> Result<Self> {
        let context = Context::open().map_err(|e| failed("opening /dev/iommu", &e))?;
        let ioas = context.ioas().map_err(|e| failed("IOMMU_IOAS_ALLOC", &e))?;
        Ok(Self::new(context, Some(Own { parent: OnceBox::new(), ioas })))
    }

    /// For a program in which something else has the iommufd, keeps stage 2 and attaches devices. `iommufd` is a duplicate of
    /// its descriptor.
    #[must_use]
    pub fn embedded(iommufd: OwnedFd) -> Self {
        Self::new(Context::of(iommufd), None)
    }

    fn new(context: Arc<Context>, own: Option<Own>) -> Self {
        // A kernel before 6.11 has none.
        let fault_queue = context
            .fault_queue()
            .inspect_err(|e| log::info!("the host's kernel gives out no fault queue: {e}"))
            .ok();
        Self {
            state: Mutex::default(),
            viommu: OnceBox::new(),
            fault_queue,
            own,
            context,
            event_depth: EVENTS,
        }
    }

    /// Changes how many events the kernel keeps until they are read, 1 to 2^19. To be done before the first device is there.
    #[must_use]
    pub fn with_event_depth(mut self, depth: u32) -> Self {
        self.event_depth = depth;
        self
    }

    /// The iommufd.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Takes a device by its node `/dev/vfio/devices/vfio*` ([`open`](Self::open)). Its files are there to drive it.
    ///
    /// # Errors
    /// VFIO or the IOMMU does not give it out, or cannot nest.
    pub fn assign(&self, node: &Path) -> Result<(DeviceId, Arc<VfioDevice>)> {
        let Some(own) = &self.own else { return Err(Error::Stage2NotOurs) };
        let device = Arc::new(
            VfioDevice::open(node, &self.context).map_err(|e| failed("VFIO_DEVICE_BIND_IOMMUFD", &e))?,
        );
        let id = DeviceId(device.id());
        let capabilities = self.hardware(id)?;
        let parent = match own.parent.get() {
            Some(parent) => parent.id(),
            None => {
                let made = self.parent(own.ioas.id(), id, &capabilities)?;
                let parent = made.id();
                let _ = own.parent.set(Box::new(made));
                parent
            }
        };
        device.attach(None, parent).map_err(|e| failed("VFIO_DEVICE_ATTACH_IOMMUFD_PT", &e))?;
        self.insert(id, parent, capabilities, Box::new(Arc::clone(&device)))?;
        Ok((id, device))
    }

    /// Takes a device that is bound to the iommufd and attached to a nesting parent ([`embedded`](Self::embedded)).
    /// VT-d: a parent with room for PASIDs, if the device has them.
    ///
    /// # Errors
    /// The IOMMU cannot nest, or the device is behind another one.
    pub fn add_device(&self, device: u32, parent: u32, attachment: Box<dyn Attachment>) -> Result<DeviceId> {
        let id = DeviceId(device);
        let capabilities = self.hardware(id)?;
        self.insert(id, parent, capabilities, attachment)?;
        Ok(id)
    }

    /// Gives a device back, attached to its nesting parent as at first. Its bindings are to be dropped before; those that were
    /// not end here.
    ///
    /// # Errors
    /// There is no such device.
    pub fn remove_device(&self, device: DeviceId) -> Result<()> {
        let mut state = self.state();
        state.device(device)?;
        let bound: Vec<BindingId> =
            state.bindings.iter().filter(|(_, b)| b.device == device).map(|(id, _)| id).collect();
        for binding in bound {
            if let Err(e) = Self::end(&mut state, binding) {
                log::debug!("device {}: unbinding: {e}", device.0);
            }
        }
        if let Some(removed) = state.devices.remove(device)
            && self.own.is_some()
            && let Err(e) = removed.attachment.detach(None)
        {
            log::debug!("device {}: detaching: {e}", device.0);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hardware(&self, device: DeviceId) -> Result<Capabilities> {
        let info =
            self.context.hardware_info(device.0).map_err(|e| failed_for(device, "IOMMU_GET_HW_INFO", &e))?;
        tables::capabilities(&info)
    }

    fn parent(&self, ioas: u32, device: DeviceId, capabilities: &Capabilities) -> Result<Object> {
        let pasids = match capabilities {
            Capabilities::Vtd(vtd) if vtd.pasid_bits > 0 => uapi::hwpt::PASID,
            _ => 0,
        };
        let table =
            Table { flags: uapi::hwpt::NEST_PARENT | pasids, device: device.0, parent: ioas, faults: None };
        self.context.table(&table).map_err(|e| match e.raw_os_error() {
            Some(libc::EOPNOTSUPP) => cannot_nest(capabilities),
            _ => failed_for(device, "IOMMU_HWPT_ALLOC of a nesting parent", &e),
        })
    }

    fn insert(
        &self,
        device: DeviceId,
        parent: u32,
        capabilities: Capabilities,
        attachment: Box<dyn Attachment>,
    ) -> Result<()> {
        if let Capabilities::Smmuv3(_) = capabilities {
            if self.viommu.get().is_none() {
                let made = self.make_viommu(device, parent, &capabilities)?;
                let _ = self.viommu.set(Box::new(made));
            }
            if self.viommu.get().is_none_or(|viommu| viommu.parent != parent) {
                return Err(Error::Unsupported {
                    what: "a second nesting parent",
                    value: parent.into(),
                    limit: "all devices of a guest's SMMUv3 have one: put this one behind another SMMUv3"
                        .into(),
                });
            }
        }
        self.state().devices.insert(device, Assigned { attachment, capabilities, parent, name: None });
        Ok(())
    }

    fn make_viommu(&self, device: DeviceId, parent: u32, capabilities: &Capabilities) -> Result<Viommu> {
        let object = self.context.viommu(uapi::VIOMMU_ARM_SMMUV3, device.0, parent).map_err(|e| {
            match e.raw_os_error() {
                Some(libc::EOPNOTSUPP) => cannot_nest(capabilities),
                _ => failed_for(device, "IOMMU_VIOMMU_ALLOC", &e),
            }
        })?;
        let table = Table { flags: 0, device: device.0, parent: object.id(), faults: None };
        let without = |abort| {
            self.context
                .table_with(&table, uapi::hwpt::DATA_ARM_SMMUV3, tables::stream_without_table(abort))
                .map_err(|e| failed_for(device, "IOMMU_HWPT_ALLOC of a stream without table", &e))
        };
        let (abort, bypass) = (without(true)?, without(false)?);
        // A kernel before 6.15 has none.
        let events = self
            .context
            .event_queue(object.id(), event::ARM_SMMUV3, self.event_depth)
            .inspect_err(|e| log::info!("the host's kernel gives out no event queue: {e}"))
            .ok();
        Ok(Viommu { events, abort, bypass, object, parent })
    }

    /// The fault queue, where it is wanted.
    fn routed(&self, faults: FaultRouting) -> Result<Option<&FaultQueue>> {
        match (faults, &self.fault_queue) {
            (FaultRouting::Refused, _) => Ok(None),
            (FaultRouting::Queued, Some(queue)) => Ok(Some(queue)),
            (FaultRouting::Queued, None) => Err(Error::Unsupported {
                what: "faults to be answered: fault queues",
                value: 0,
                limit: "the host's kernel gives out none (Linux 6.11 does)".into(),
            }),
        }
    }

    /// The table for a configuration.
    fn make(
        &self,
        id: DeviceId,
        device: &Assigned,
        pasid: Option<SubstreamId>,
        config: &Config,
        faults: FaultRouting,
    ) -> Result<Attached> {
        tables::belongs(config, &device.capabilities)?;
        let Capabilities::Smmuv3(_) = device.capabilities else {
            return match config {
                Config::Abort => Ok(Attached::Nothing),
                Config::FirstStage(first) => {
                    let pasids = match device.capabilities {
                        Capabilities::Vtd(vtd) if vtd.pasid_bits > 0 => uapi::hwpt::PASID,
                        _ => 0,
                    };
                    let faults = self.routed(faults)?;
                    let table = Table { flags: pasids, device: id.0, parent: device.parent, faults };
                    self.context
                        .table_with(&table, uapi::hwpt::DATA_VTD_S1, tables::first_stage(first))
                        .map(Attached::Own)
                        .map_err(|e| failed_for(id, "IOMMU_HWPT_ALLOC of a first-stage table", &e))
                }
                Config::Bypass | Config::CdTable { .. } => Ok(Attached::Shared(device.parent)),
            };
        };
        if let Some(pasid) = pasid {
            return Err(Error::Unsupported {
                what: "binding of PASID",
                value: pasid.into(),
                limit: "an SMMUv3 walks the CD table by itself: bind the device".into(),
            });
        }
        let Some(viommu) = self.viommu.get() else { return Err(Error::UnknownDevice(id)) };
        match config {
            Config::Abort => Ok(Attached::Shared(viommu.abort.id())),
            Config::Bypass | Config::FirstStage(_) => Ok(Attached::Shared(viommu.bypass.id())),
            Config::CdTable { ste } => {
                if device.name.is_none() {
                    return Err(Error::Unsupported {
                        what: "a CD table for a device without StreamID: device",
                        value: id.0.into(),
                        limit: "the device's StreamID is to be told before".into(),
                    });
                }
                let faults = self.routed(faults)?;
                let table = Table { flags: 0, device: id.0, parent: viommu.object.id(), faults };
                self.context
                    .table_with(&table, uapi::hwpt::DATA_ARM_SMMUV3, tables::stream(*ste))
                    .map(Attached::Own)
                    .map_err(|e| failed_for(id, "IOMMU_HWPT_ALLOC of a CD table", &e))
            }
        }
    }

    /// Ends a binding.
    fn end(state: &mut State, binding: BindingId) -> Result<()> {
        let Some(bound) = state.bindings.remove(binding) else {
            return Err(Error::UnknownBinding(binding));
        };
        let result = match (state.devices.get(bound.device), bound.pasid) {
            (None, _) => Ok(()),
            (Some(device), None) => device.attachment.attach(None, device.parent).inspect_err(|_| {
                // What translates no more is to be reached no more.
                let _ = device.attachment.detach(None);
            }),
            (Some(_), Some(_)) if bound.attached.id().is_none() => Ok(()),
            (Some(device), pasid) => device.attachment.detach(pasid),
        };
        state.faults.forget(binding);
        // `bound` goes here, and its table with it, which nothing is attached to any more.
        result.map_err(|e| failed_to_attach(bound.device, FaultRouting::Refused, &e))
    }

    /// Commands of an SMMUv3.
    fn command(&self, batch: &[Invalidation]) -> core::result::Result<usize, (usize, Error)> {
        let mut commands = tables::commands(batch);
        let call = "IOMMU_HWPT_INVALIDATE of a vIOMMU";
        let Some(viommu) = self.viommu.get() else {
            return Err((0, Error::Failed { call, errno: libc::ENODEV }));
        };
        let target = viommu.object.id();
        match self.context.invalidate(target, uapi::invalidate::ARM_SMMUV3, &mut commands) {
            Ok(()) => Ok(commands.len()),
            Err((done, e)) => {
                // The kernel has looked at these, and may not have sent them to the SMMU. Once more does no harm.
                if let Some(before) = commands.get_mut(..done)
                    && !before.is_empty()
                    && let Err((_, e)) = self.context.invalidate(target, uapi::invalidate::ARM_SMMUV3, before)
                {
                    return Err((0, failed(call, &e)));
                }
                Err((done, failed(call, &e)))
            }
        }
    }

    /// Pages of one first-stage table, as many invalidations as follow each other.
    fn flush(
        &self,
        state: &State,
        binding: BindingId,
        batch: &[Invalidation],
    ) -> core::result::Result<usize, (usize, Error)> {
        let mut entries: Vec<uapi::VtdS1Invalidate> = batch
            .iter()
            .map_while(|entry| match entry {
                Invalidation::FirstStage { binding: of, addr, pages, leaf } if *of == binding => {
                    Some(tables::pages(*addr, *pages, *leaf))
                }
                _ => None,
            })
            .collect();
        let Some(bound) = state.bindings.get(binding) else {
            return Err((0, Error::UnknownBinding(binding)));
        };
        let Attached::Own(table) = &bound.attached else {
            // Without a first-stage table nothing of it is cached.
            return Ok(entries.len());
        };
        match self.context.invalidate(table.id(), uapi::invalidate::VTD_S1, &mut entries) {
            Ok(()) => Ok(entries.len()),
            Err((done, e)) => Err((done, failed("IOMMU_HWPT_INVALIDATE of a first-stage table", &e))),
        }
    }
}

/// What a host lacks that does not nest.
fn cannot_nest(capabilities: &Capabilities) -> Error {
    match capabilities {
        Capabilities::Smmuv3(smmu) => Error::Unsupported {
            what: "nested translation on an SMMUv3 with SMMU_IDR0",
            value: smmu.idr.first().copied().unwrap_or(0).into(),
            limit: "it wants both stages (bits 1:0), and SMMU_IDR3.FWB (bit 8) or firmware that calls the devices' \
                    memory accesses coherent"
                .into(),
        },
        Capabilities::Vtd(vtd) => Error::Unsupported {
            what: "nested translation on a VT-d with ECAP_REG",
            value: vtd.ecap,
            limit: "it wants scalable mode (bit 43, and the kernel's intel_iommu=sm_on) and NEST (bit 26)".into(),
        },
    }
}

/// Why a device could not be attached.
fn failed_to_attach(device: DeviceId, faults: FaultRouting, error: &io::Error) -> Error {
    match (error.raw_os_error(), faults) {
        (Some(libc::ENODEV), FaultRouting::Queued) => Error::Unsupported {
            what: "faults to be answered, of device",
            value: device.0.into(),
            limit: "the host's IOMMU takes no page requests of it (ATS and PRI are to be enabled)".into(),
        },
        (Some(libc::EBADF | libc::ENODEV), _) => Error::DeviceGone(device),
        _ => failed("VFIO_DEVICE_ATTACH_IOMMUFD_PT", error),
    }
}

impl Host for Iommufd {
    fn capabilities(&self, device: DeviceId) -> Result<Capabilities> {
        Ok(self.state().device(device)?.capabilities)
    }

    fn map(&self, gpa: u64, host: u64, len: u64, writable: bool) -> Result<()> {
        let own = self.own.as_ref().ok_or(Error::Stage2NotOurs)?;
        let writable_only = |(_, device): (DeviceId, &Assigned)| matches!(device.capabilities, Capabilities::Vtd(vtd) if vtd.writable_stage2_only);
        self.context.map(own.ioas.id(), gpa, host, len, writable).map_err(|e| match e.raw_os_error() {
            Some(libc::EINVAL) if !writable && self.state().devices.iter().any(writable_only) => {
                Error::Unsupported {
                    what: "memory for reading alone, at",
                    value: gpa,
                    limit: "Linux keeps a VT-d's stage 2 writable where something nests in it: show it writable, or not"
                        .into(),
                }
            }
            _ => failed("IOMMU_IOAS_MAP", &e),
        })
    }

    fn unmap(&self, gpa: u64, len: u64) -> Result<()> {
        let own = self.own.as_ref().ok_or(Error::Stage2NotOurs)?;
        self.context.unmap(own.ioas.id(), gpa, len).map_err(|e| failed("IOMMU_IOAS_UNMAP", &e))
    }

    fn add_virtual_device(&self, device: DeviceId, virtual_id: u64) -> Result<()> {
        let mut state = self.state();
        let call = "IOMMU_VDEVICE_ALLOC";
        let taken =
            state.devices.iter().any(|(_, d)| d.name.as_ref().is_some_and(|n| n.virtual_id == virtual_id));
        if taken || state.device(device)?.name.is_some() {
            return Err(Error::Failed { call, errno: libc::EEXIST });
        }
        let object = match self.viommu.get() {
            Some(viommu) => Some(
                self.context
                    .vdevice(viommu.object.id(), device.0, virtual_id)
                    .map_err(|e| failed_for(device, call, &e))?,
            ),
            None => None,
        };
        if let Some(device) = state.devices.get_mut(device) {
            device.name = Some(Name { virtual_id, _object: object });
        }
        Ok(())
    }

    fn remove_virtual_device(&self, device: DeviceId) -> Result<()> {
        let mut state = self.state();
        state.device(device)?;
        match state.devices.get_mut(device).and_then(|device| device.name.take()) {
            Some(_) => Ok(()),
            None => Err(Error::Failed { call: "IOMMU_DESTROY of a vDEVICE", errno: libc::ENOENT }),
        }
    }

    fn bind(
        &self,
        device: DeviceId,
        pasid: Option<SubstreamId>,
        config: &Config,
        faults: FaultRouting,
    ) -> Result<BindingId> {
        let mut state = self.state();
        let assigned = state.device(device)?;
        if state.bindings.iter().any(|(_, b)| b.device == device && b.pasid == pasid) {
            return Err(Error::Failed { call: "binding", errno: libc::EBUSY });
        }
        let attached = self.make(device, assigned, pasid, config, faults)?;
        match (attached.id(), pasid) {
            (Some(table), _) => assigned.attachment.attach(pasid, table),
            (None, None) => assigned.attachment.detach(None),
            // A PASID that nothing is attached to.
            (None, Some(_)) => Ok(()),
        }
        .map_err(|e| failed_to_attach(device, faults, &e))?;
        state.last_binding = state.last_binding.wrapping_add(1);
        let id = BindingId(state.last_binding);
        state.bindings.insert(id, Bound { device, pasid, attached });
        Ok(id)
    }

    fn replace(&self, binding: BindingId, config: &Config, faults: FaultRouting) -> Result<()> {
        let mut state = self.state();
        let bound = state.bindings.get(binding).ok_or(Error::UnknownBinding(binding))?;
        let (device, pasid) = (bound.device, bound.pasid);
        let assigned = state.device(device)?;
        let attached = self.make(device, assigned, pasid, config, faults)?;
        match (attached.id(), bound.attached.id()) {
            (Some(table), _) => assigned.attachment.attach(pasid, table),
            (None, Some(_)) => assigned.attachment.detach(pasid),
            (None, None) => Ok(()),
        }
        .map_err(|e| failed_to_attach(device, faults, &e))?;
        state.faults.forget(binding);
        if let Some(bound) = state.bindings.get_mut(binding) {
            // The old table goes here; nothing is attached to it any more.
            bound.attached = attached;
        }
        Ok(())
    }

    fn unbind(&self, binding: BindingId) -> Result<()> {
        Self::end(&mut self.state(), binding)
    }

    fn invalidate(&self, batch: &[Invalidation]) -> core::result::Result<(), PartialInvalidation> {
        let state = self.state();
        let mut done = 0usize;
        while let Some((first, rest)) = batch.get(done..).and_then(|rest| Some((rest.first()?, rest))) {
            let result = match first {
                Invalidation::Smmuv3(_) => self.command(rest),
                Invalidation::FirstStage { binding, .. } => self.flush(&state, *binding, rest),
            };
            match result {
                Ok(count) => done = done.saturating_add(count),
                Err((count, error)) => {
                    return Err(PartialInvalidation { done: done.saturating_add(count), error });
                }
            }
        }
        Ok(())
    }

    fn next_fault(&self) -> Result<Option<HostFault>> {
        let mut state = self.state();
        if let Some(fault) = state.faults.pop() {
            return Ok(Some(fault));
        }
        let Some(queue) = &self.fault_queue else { return Ok(None) };
        let read = queue.read().map_err(|e| match e.raw_os_error() {
            Some(libc::EBADF) => Error::Closed("fault queue"),
            _ => failed("reading the fault queue", &e),
        })?;
        let mut faults = std::mem::take(&mut state.faults);
        faults.take(&read, |device, pasid| state.binding_of(device, pasid));
        state.faults = faults;
        Ok(state.faults.pop())
    }

    fn respond(&self, cookie: Cookie, response: Response) -> Result<()> {
        let mut state = self.state();
        let unknown = Error::UnknownCookie(cookie.0);
        let (Some(kernel), Some(queue)) = (state.faults.kernel(cookie), &self.fault_queue) else {
            return Err(unknown);
        };
        let code = match response {
            Response::Success => fault::SUCCESS,
            Response::Invalid => fault::INVALID,
        };
        match queue.respond(kernel, code) {
            Ok(()) => {
                state.faults.close(cookie);
                Ok(())
            }
            // The kernel has answered it, without our doing.
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => {
                state.faults.close(cookie);
                Err(unknown)
            }
            Err(e) if e.raw_os_error() == Some(libc::EBADF) => Err(Error::Closed("fault queue")),
            Err(e) => Err(failed("writing to the fault queue", &e)),
        }
    }

    fn next_event(&self) -> Result<Option<HostEvent>> {
        let mut state = self.state();
        if let Some(event) = state.events.pop() {
            return Ok(Some(event));
        }
        let Some(queue) = self.viommu.get().and_then(|viommu| viommu.events.as_ref()) else {
            return Ok(None);
        };
        let read = queue.read().map_err(|e| match e.raw_os_error() {
            Some(libc::EBADF) => Error::Closed("event queue"),
            _ => failed("reading the event queue", &e),
        })?;
        for event in read {
            state.events.push(match event {
                Event::Event(record) => {
                    HostEvent::Smmuv3([0, 8, 16, 24].map(|at| u64::from_le(long(&record, at))))
                }
                Event::Lost(count) => HostEvent::Lost(count),
            });
        }
        Ok(state.events.pop())
    }

    fn fault_fd(&self) -> Option<BorrowedFd<'_>> {
        self.fault_queue.as_ref().map(FaultQueue::fd)
    }

    fn event_fd(&self) -> Option<BorrowedFd<'_>> {
        self.viommu.get().and_then(|viommu| viommu.events.as_ref()).map(EventQueue::fd)
    }
}

impl Drop for Iommufd {
    fn drop(&mut self) {
        let devices: Vec<DeviceId> = self.state().devices.iter().map(|(id, _)| id).collect();
        for device in devices {
            if let Err(e) = self.remove_device(device) {
                log::debug!("device {}: giving it back: {e}", device.0);
            }
        }
    }
}

impl std::fmt::Debug for Iommufd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Iommufd").field("context", &self.context).finish_non_exhaustive()
    }
}
