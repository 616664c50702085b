// SPDX-License-Identifier: GPL-2.0-or-later
//! Assigned devices: VFIO has them, a host's IOMMU translates for them, and the model tells it what the guest programs.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::function::{BusAddress, key};
use super::{Core, IommuDevice, carry_out};
use crate::iommu::model::lock;
use crate::iommu::{Model, SubstreamId};
use crate::nested::iommufd::{Attachment, Iommufd};
use crate::nested::{Assignment, DeviceId, Host};
use crate::qemu::bql;
use crate::qemu::error::{Error, Result};
use crate::qemu::host_iommu::{Assigned, IommufdDevice, Wishes};
use crate::qemu::log::HOST_ERRORS;
use crate::qemu::main_loop::FdWatch;
use crate::qemu::memory::{AddressSpace, MemoryRegion, OwnedRegion};
use crate::qemu::pci::PciBus;
use crate::qemu::pci_iommu::Nesting;
use crate::qemu::qom::{ObjectRef, Qom};
use crate::qemu::vmstate::MigrationBlocker;

/// What a shell keeps of assigned devices.
#[derive(Default)]
pub(super) struct AssignedDevices {
    hosts: Vec<Shared>,
    devices: BTreeMap<(usize, u8), Held>,
    spaces: BTreeMap<(usize, u8), &'static AddressSpace>,
}

/// A host's IOMMU, of the devices that share an iommufd and a stage 2.
struct Shared {
    name: (usize, u32),
    /// Before the host, whose descriptors are closed when the last reference to it goes: fields are dropped in order.
    watches: Vec<FdWatch>,
    host: Arc<Iommufd>,
}

/// One device.
struct Held {
    device: DeviceId,
    host: (usize, u32),
    _blocker: MigrationBlocker,
}

/// QEMU's VFIO attaches the device.
struct ByVfio(ObjectRef<IommufdDevice>);

impl Attachment for ByVfio {
    fn attach(&self, pasid: Option<SubstreamId>, table: u32) -> io::Result<()> {
        self.0.attach(pasid.unwrap_or(0), table)
    }

    fn detach(&self, pasid: Option<SubstreamId>) -> io::Result<()> {
        self.0.detach(pasid.unwrap_or(0))
    }
}

/// What an assigned function reaches: memory as it is, for which the host's IOMMU has a stage 2. `None`: the function is no
/// such one.
pub(super) fn space<D: IommuDevice>(
    this: &Qom<D>,
    core: &Core<D::Model>,
    source: BusAddress,
) -> Option<&'static AddressSpace> {
    if !D::nests(this) || assigned(source.bus, source.devfn) != Assigned::Iommufd {
        return None;
    }
    let (key, name) = if D::ONE_STAGE_2 {
        ((0, 0), format!("{}-assigned", D::REGION_NAME))
    } else {
        let name = format!("{}-assigned-{:02x}.{:x}", D::REGION_NAME, source.devfn >> 3, source.devfn & 7);
        (key(source.bus, source.devfn), name)
    };
    if let Some(space) = lock(&core.assigned).spaces.get(&key) {
        return Some(space);
    }
    let memory = MemoryRegion::system();
    // For good, like every address space of an IOMMU.
    let alias = Box::leak(Box::new(OwnedRegion::alias(this.object(), &name, memory, 0, memory.size())));
    let space = D::function_space(this, source, alias, &name);
    lock(&core.assigned).spaces.insert(key, space);
    Some(space)
}

fn assigned(bus: &PciBus, devfn: u8) -> Assigned {
    bus.find_device(bus.number(), devfn).map_or(Assigned::No, |device| device.assigned())
}

/// A host has something to read.
fn heard<D: IommuDevice>(this: &Qom<D>) {
    let Some(core) = this.shell().core() else { return };
    core.accept(core.model.run_pending(&core.ram));
    carry_out(this, core);
    core.schedule_if_needed();
}

impl<D: IommuDevice> Nesting for D {
    fn nests(this: &Qom<Self>) -> bool {
        D::nests(this)
    }

    fn admits(_this: &Qom<Self>, bus: &PciBus, devfn: u8) -> Result<()> {
        match assigned(bus, devfn) {
            Assigned::No | Assigned::Iommufd => Ok(()),
            Assigned::Legacy => Err(Error::new(format!(
                "{}: property 'accel' is on, which needs assigned devices of an iommufd: add -object iommufd,id=iommufd0 \
                 and give vfio-pci iommufd=iommufd0",
                D::NAME
            ))),
        }
    }

    fn assign(this: &Qom<Self>, bus: &PciBus, devfn: u8, device: &IommufdDevice) -> Result<()> {
        bql::assert_locked();
        let Some(core) = this.shell().core() else { return Err(Error::new("the IOMMU is not realized")) };
        D::may_assign(this)?;
        let blocker = MigrationBlocker::new(&format!("{} with an assigned device", D::NAME))?;
        let name = (device.backend(), device.parent());
        let known =
            lock(&core.assigned).hosts.iter().find(|shared| shared.name == name).map(|s| Arc::clone(&s.host));
        let host = match known {
            Some(host) => host,
            None => Arc::new(Iommufd::embedded(device.iommufd()?)),
        };
        let id = host.add_device(device.id(), device.parent(), Box::new(ByVfio(device.keep())))?;
        // SAFETY: the function is below the bus, and is taken out before it goes.
        let source = unsafe { BusAddress::new(bus, devfn) };
        let as_host: Arc<dyn Host> = Arc::<Iommufd>::clone(&host);
        let assignment = Assignment { host: as_host, device: id, stream: Box::new(move || source.stream()) };
        if let Err(error) = core.model.assign(&core.ram, assignment) {
            let _ = host.remove_device(id);
            return Err(Error::from(error).context(format!("{}: the host's IOMMU", D::NAME)));
        }
        let mut assigned = lock(&core.assigned);
        if !assigned.hosts.iter().any(|shared| shared.name == name) {
            let fds = [host.fault_fd(), host.event_fd()];
            let watches = fds.into_iter().flatten().map(|fd| FdWatch::new(this, fd, heard::<D>)).collect();
            assigned.hosts.push(Shared { name, host, watches });
        }
        assigned.devices.insert(key(bus, devfn), Held { device: id, host: name, _blocker: blocker });
        drop(assigned);
        core.schedule_if_needed();
        Ok(())
    }

    fn unassign(this: &Qom<Self>, bus: &PciBus, devfn: u8) {
        bql::assert_locked();
        let Some(core) = this.shell().core() else { return };
        let Some(held) = lock(&core.assigned).devices.remove(&key(bus, devfn)) else { return };
        core.accept(core.model.unassign(held.device));
        let mut assigned = lock(&core.assigned);
        let last = !assigned.devices.values().any(|other| other.host == held.host);
        if let Some(at) = assigned.hosts.iter().position(|shared| shared.name == held.host)
            && let Some(shared) = assigned.hosts.get_mut(at)
        {
            if let Err(error) = shared.host.remove_device(held.device) {
                log::warn!(target: HOST_ERRORS, "{}: {error}", D::NAME);
            }
            if last {
                shared.watches.clear();
                assigned.hosts.swap_remove(at);
            }
        }
        drop(assigned);
        core.schedule_if_needed();
    }

    fn wishes(this: &Qom<Self>) -> Wishes {
        D::wishes(this)
    }

    const HAS_DOORBELL: bool = D::HAS_DOORBELL;

    fn doorbell(this: &Qom<Self>) -> u64 {
        D::doorbell(this)
    }
}
