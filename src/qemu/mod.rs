// SPDX-License-Identifier: GPL-2.0-or-later
//! Safe wrappers over QEMU's C API: what a device model needs, and no more.
//!
//! A device is a Rust structure (its state), a table of properties and a few trait implementations:
//!
//! ```ignore
//! properties! {
//!     /// Properties of the widget.
//!     pub struct WidgetProperties {
//!         /// Number of doorbells.
//!         pub doorbells: u32 = 4, c"doorbells", c"number of doorbells (1-64)";
//!     }
//! }
//!
//! pub struct Widget { bar: OnceCell<OwnedRegion>, work: OnceCell<BottomHalf>, rings: AtomicU64 }
//!
//! impl DeviceImpl for Widget {
//!     type Parent = PciDevice;
//!     type Properties = WidgetProperties;
//!     const TYPE_NAME: &'static CStr = c"widget";
//!     const DESCRIPTION: &'static CStr = c"a device with doorbells";
//!     const INTERFACES: &'static [&'static CStr] = &[PCIE_DEVICE];
//!
//!     fn new() -> Self { Self { bar: OnceCell::new(), work: OnceCell::new(), rings: AtomicU64::new(0) } }
//!
//!     fn realize(this: &Qom<Self>) -> Result<()> {
//!         let n = this.properties().doorbells.get();
//!         if !(1..=64).contains(&n) {
//!             return Err(Error::new(format!("doorbells={n} is out of range: use 1 to 64")));
//!         }
//!         this.parent().add_express_endpoint(0x80)?;
//!         let bar = this.bar.get_or_init(|| OwnedRegion::io::<Doorbells>(this, "widget", 4096));
//!         this.parent().register_bar(0, Bar::Memory64, bar);
//!         this.work.get_or_init(|| BottomHalf::new(this, |this| this.parent().msix_notify(0)));
//!         Ok(())
//!     }
//!
//!     fn class_init(class: &mut ClassInit<'_, Self>) {
//!         class.pci_ids(PciIds { vendor: 0x1b36, device: 0x1234, revision: 0, class: 0xff00 });
//!         class.uint_property(c"rings", c"rings so far", |this| this.rings.load(Ordering::Relaxed));
//!         class.reset();
//!         class.migrate();
//!     }
//! }
//! impl Reset for Widget { fn hold(this: &Qom<Self>, _: ResetKind) { this.rings.store(0, Ordering::Relaxed) } }
//! impl Migrate for Widget { /* save, load */ }
//!
//! enum Doorbells {}
//! impl RegionOps for Doorbells {
//!     type Device = Widget;
//!     fn read(_: &Qom<Widget>, _offset: u64, _size: u32) -> u64 { 0 }
//!     fn write(this: &Qom<Widget>, _offset: u64, _value: u64, _size: u32) {
//!         this.rings.fetch_add(1, Ordering::Relaxed);
//!         if let Some(work) = this.work.get() { work.schedule() }
//!     }
//! }
//!
//! pub fn register() -> bool { qom::register::<Widget>() }   // listed in plugin.rs
//! ```
//!
//! Rules that hold everywhere:
//! - Callbacks get `&Qom<T>`, which is `&T` with the properties and the parent. No callback keeps a lock
//!   while it calls into QEMU. Lock order: BQL, then the device's own lock.
//! - What needs the BQL says so and checks it. Translation runs on any thread and never blocks.
//! - A panic ends QEMU (`panic = "abort"`): none crosses into C.

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
pub use property::{Link, OnOffAuto, Property, Text};
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
