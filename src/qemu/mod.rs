// SPDX-License-Identifier: GPL-2.0-or-later
//! Safe wrappers over QEMU's C API: what a device model needs, and no more.
//!
//! A device is a Rust structure (its state), a table of [`properties`] and a few trait implementations:
//! [`DeviceImpl`], and as it needs them [`RegionOps`], [`Reset`], [`Migrate`], [`DmaClient`], [`AtsClient`].
//! [`device_plugin`](crate::device_plugin) makes the library that has it loadable. `examples/accelerator` is a whole
//! one in a file: a PCIe function that reads a process's memory by PASID and waits for its page faults.
//!
//! Rules that hold everywhere:
//! - Callbacks get `&Qom<T>`, which is `&T` with the properties and the parent. No callback keeps a lock
//!   while it calls into QEMU. Lock order: BQL, then the device's own lock.
//! - What needs the BQL says so and checks it. Translation runs on any thread and never blocks.
//! - A panic ends QEMU (`panic = "abort"`): none crosses into C.

pub mod arm_events;
pub mod bql;
pub mod device;
pub mod dl;
pub mod error;
pub mod guest_memory;
pub mod host_iommu;
pub mod iommu_consumer;
pub mod iommu_region;
pub mod iommu_shell;
pub mod loader;
pub mod log;
pub mod main_loop;
pub mod memory;
pub mod pci;
pub mod pci_ats;
pub mod pci_dma;
pub mod pci_iommu;
pub mod pci_translated;
pub mod property;
pub mod qom;
mod ram_map;
mod request;
mod shared_ram;
pub mod smmuv3_interface;
pub mod sysbus;
pub mod vmstate;
pub mod x86_iommu;

pub use crate::__qemu_properties as properties;
pub use bql::{BqlGuard, RcuGuard};
pub use device::{Reset, ResetKind};
pub use error::{Error, Result};
pub use guest_memory::GuestRam;
pub use iommu_consumer::{IommuConsumer, Told};
pub use iommu_region::{
    IommuRegion, IommuRegionImpl, NotifierFlags, OwnedIommuRegion, RegionAccess, TlbEntry,
};
pub use main_loop::{BottomHalf, RunStateWatch, Timer};
pub use memory::{AddressSpace, BusRegion, MemoryAttributes, MemoryRegion, OwnedRegion, RegionOps};
pub use pci::{Bar, ConfigWrite, PCIE_DEVICE, PciBus, PciDevice, PciIds};
pub use pci_ats::{AtsAnswer, AtsClient, AtsError, AtsListener, IommuServices, PageResponse};
pub use pci_dma::{DmaClient, DmaError};
pub use pci_iommu::{
    AtsRequest, DmaTranslation, PageListener, PageRequest, Pasids, PciDmaRequest, PciIommu, Requester,
};
pub use property::{Link, OasMode, OnOffAuto, Property, SsidSizeMode, Switch, Text, Word};
pub use qom::{ClassInit, Device, DeviceImpl, Object, ObjectLike, ObjectRef, Qom};
pub use smmuv3_interface::{ARM_SMMUV3_INTERFACE, ArmSmmuv3, SmmuInfo};
pub use sysbus::{IrqLine, SysBusDevice};
pub use vmstate::{Migrate, MigrationBlocker};
pub use x86_iommu::{INTEL_IOMMU_INTERFACE, IntelIommu, IntelIommuInfo, MsiMessage, X86Iommu};

/// A C string of `text`, up to its first NUL if it has one.
fn c_string(text: &str) -> std::ffi::CString {
    let end = text.find('\0').unwrap_or(text.len());
    std::ffi::CString::new(&text[..end]).unwrap_or_default()
}
