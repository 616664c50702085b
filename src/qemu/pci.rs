// SPDX-License-Identifier: GPL-2.0-or-later
//! PCI functions: configuration space, capabilities, BARs, MSI-X.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicBool, Ordering};

use qemu_sys as sys;

use super::bql;
use super::error::{Error, Result, report};
use super::main_loop;
use super::memory::{AddressSpace, MemoryRegion};
use super::qom::{ClassInit, DeviceImpl, ObjectLike, Parent, Qom, object_wrappers};

object_wrappers! {
    /// A PCI function.
    PciDevice(sys::PCIDevice) = c"pci-device";
    /// A PCI bus.
    PciBus(sys::PCIBus) = c"PCI";
}

/// `PCI_ATS_CAP`, Global Invalidate Supported (PCIe §10.5.1.2).
const ATS_GLOBAL_INVALIDATE: u16 = 1 << 6;

/// Why a function that has left gets no new capability.
const GONE: &str = "the function has been unplugged";

/// Interface that a PCI Express function names in `DeviceImpl::INTERFACES`.
pub const PCIE_DEVICE: &CStr = c"pci-express-device";
/// Interface that a conventional PCI function names in `DeviceImpl::INTERFACES`.
pub const CONVENTIONAL_PCI_DEVICE: &CStr = c"conventional-pci-device";

// SAFETY: the class of a PCI function begins with `DeviceClass`; the callbacks have its signatures.
unsafe impl Parent for PciDevice {
    type Class = sys::PCIDeviceClass;

    unsafe fn install<T: DeviceImpl<Parent = Self>>(class: *mut Self::Class) {
        // SAFETY: the caller's promise.
        let class = unsafe { &mut *class };
        class.realize = Some(realize::<T>);
        class.exit = Some(exit::<T>);
    }
}

unsafe extern "C" fn realize<T: DeviceImpl<Parent = PciDevice>>(
    device: *mut sys::PCIDevice,
    errp: *mut *mut sys::Error,
) {
    // SAFETY: called on an instance of this class.
    let this = unsafe { Qom::<T>::from_raw(device.cast()) };
    // SAFETY: QEMU's error place.
    if !unsafe { report(errp, || T::realize(this)) } {
        this.parent().remove_capabilities();
    }
}

unsafe extern "C" fn exit<T: DeviceImpl<Parent = PciDevice>>(device: *mut sys::PCIDevice) {
    // SAFETY: called on an instance of this class.
    let this = unsafe { Qom::<T>::from_raw(device.cast()) };
    T::unrealize(this);
    this.parent().remove_capabilities();
    main_loop::keep_until_alone(this.object());
}

/// What a function says it is.
#[derive(Clone, Copy, Debug)]
pub struct PciIds {
    /// Vendor ID.
    pub vendor: u16,
    /// Device ID.
    pub device: u16,
    /// Revision ID.
    pub revision: u8,
    /// Class code, without the programming interface.
    pub class: u16,
}

/// A PCI function that looks at writes to its configuration space.
pub trait ConfigWrite: DeviceImpl<Parent = PciDevice> {
    /// `len` bytes of `value` were written at `offset`, and the registers already have their new contents.
    /// Under the BQL.
    fn config_written(this: &Qom<Self>, offset: u32, value: u32, len: u32);
}

impl<T: DeviceImpl<Parent = PciDevice>> ClassInit<'_, T> {
    /// Vendor, device, revision and class.
    pub fn pci_ids(&mut self, ids: PciIds) {
        let class = self.parent_class();
        class.vendor_id = ids.vendor;
        class.device_id = ids.device;
        class.revision = ids.revision;
        class.class_id = ids.class;
    }
}

impl<T: ConfigWrite> ClassInit<'_, T> {
    /// Installs [`ConfigWrite`].
    pub fn config_write(&mut self) {
        unsafe extern "C" fn write<T: ConfigWrite>(
            device: *mut sys::PCIDevice,
            offset: u32,
            value: u32,
            len: c_int,
        ) {
            // SAFETY: called on an instance of this class, with a checked offset and length.
            let this = unsafe {
                sys::pci_default_write_config(device, offset, value, len);
                Qom::<T>::from_raw(device.cast())
            };
            T::config_written(this, offset, value, u32::try_from(len).unwrap_or(0));
        }
        self.parent_class().config_write = Some(write::<T>);
    }
}

/// What a BAR is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// 32-bit addresses, not prefetchable.
    Memory32,
    /// 64-bit addresses, not prefetchable; takes the next BAR too.
    Memory64,
    /// 64-bit addresses, prefetchable; takes the next BAR too.
    Prefetchable64,
}

impl PciDevice {
    fn raw(&self) -> *mut sys::PCIDevice {
        self.as_ptr()
    }

    /// Bytes of configuration space.
    fn config_size(&self) -> usize {
        // SAFETY: a word that is fixed when the device is realized.
        let present = unsafe { (*self.raw()).cap_present };
        if present & sys::QEMU_PCI_CAP_EXPRESS.0 != 0 {
            sys::PCIE_CONFIG_SPACE_SIZE as usize
        } else {
            sys::PCI_CONFIG_SPACE_SIZE as usize
        }
    }

    /// Whether the function has come into being and not begun to leave. Any thread.
    fn is_realized(&self) -> bool {
        // SAFETY: the function begins with its device; a flag that QEMU stores atomically.
        unsafe { AtomicBool::from_ptr(&raw mut (*self.raw()).qdev.realized) }.load(Ordering::Acquire)
    }

    /// Whether the function has a configuration space and a place on its bus. QEMU frees both when the function is
    /// unplugged, which may happen inside an access that the function itself makes.
    pub(super) fn is_present(&self) -> bool {
        self.is_realized() || self.is_between()
    }

    /// In `realize` and `unrealize`, and in the reset of a function that is plugged in, the device is not realized, and
    /// its bus knows it all the same. The bus changes under the BQL alone.
    #[cold]
    fn is_between(&self) -> bool {
        let raw = self.raw();
        // SAFETY: a word of a live object, and under the BQL a live PCI bus; each is read by itself.
        unsafe {
            let bus = (&raw const (*raw).qdev.parent_bus).read().cast::<sys::PCIBus>();
            let number = usize::from(self.devfn());
            bql::is_locked() && !bus.is_null() && (&raw const (*bus).devices[number]).read() == raw
        }
    }

    /// For methods that change a function under the BQL: whether it is there.
    fn may_change(&self) -> bool {
        bql::assert_locked();
        self.is_present()
    }

    /// Bytes of one of the arrays of configuration space; `None` once the function has left.
    fn config_bytes<const N: usize>(&self, array: *const *mut u8, offset: u16) -> Option<*mut [u8; N]> {
        if !self.may_change() {
            return None;
        }
        // SAFETY: a member of a live device.
        let array = unsafe { array.read() };
        assert!(!array.is_null() && usize::from(offset) + N <= self.config_size(), "configuration space");
        Some(array.wrapping_add(usize::from(offset)).cast())
    }

    /// `N` little-endian bytes of configuration space; zeros once the function has left. Needs the BQL.
    pub fn config<const N: usize>(&self, offset: u16) -> [u8; N] {
        // SAFETY: a live device.
        let array = unsafe { &raw const (*self.raw()).config };
        // SAFETY: in bounds, and the array is there: checked.
        self.config_bytes(array, offset).map_or([0; N], |bytes| unsafe { *bytes })
    }

    /// A 16-bit register.
    pub fn config_u16(&self, offset: u16) -> u16 {
        u16::from_le_bytes(self.config(offset))
    }

    /// A 32-bit register.
    pub fn config_u32(&self, offset: u16) -> u32 {
        u32::from_le_bytes(self.config(offset))
    }

    /// Sets bytes of configuration space, whatever the guest may write there; nothing once the function has left. Needs
    /// the BQL.
    pub fn set_config<const N: usize>(&self, offset: u16, value: [u8; N]) {
        // SAFETY: a live device.
        let array = unsafe { &raw const (*self.raw()).config };
        if let Some(bytes) = self.config_bytes(array, offset) {
            // SAFETY: as for `config`; all other writers hold the BQL too.
            unsafe { *bytes = value };
        }
    }

    /// Sets which bits the guest may write.
    pub fn set_config_writable<const N: usize>(&self, offset: u16, mask: [u8; N]) {
        // SAFETY: a live device.
        let array = unsafe { &raw const (*self.raw()).wmask };
        if let Some(bytes) = self.config_bytes(array, offset) {
            // SAFETY: as for `set_config`; this array has the same size.
            unsafe { *bytes = mask };
        }
    }

    /// Sets which bits the guest clears by writing ones.
    pub fn set_config_write_one_clears<const N: usize>(&self, offset: u16, mask: [u8; N]) {
        // SAFETY: a live device.
        let array = unsafe { &raw const (*self.raw()).w1cmask };
        if let Some(bytes) = self.config_bytes(array, offset) {
            // SAFETY: as above.
            unsafe { *bytes = mask };
        }
    }

    /// Offset of an extended capability, or `None`.
    pub fn find_extended_capability(&self, id: u16) -> Option<u16> {
        if !self.is_present() {
            return None;
        }
        // SAFETY: a live device.
        let offset = unsafe { sys::pcie_find_capability(self.raw(), id) };
        (offset != 0).then_some(offset)
    }

    /// Device and function number on its bus: `7:3` device, `2:0` function.
    pub fn devfn(&self) -> u8 {
        // SAFETY: fixed when the device is realized.
        (unsafe { (*self.raw()).devfn } & 0xff) as u8
    }

    /// Bus, device and function number that the function's requests carry; 0 once it has left.
    pub fn requester_id(&self) -> u16 {
        if !self.is_present() {
            return 0;
        }
        // SAFETY: a live device on its bus, checked.
        unsafe { sys::pci_requester_id(self.raw()) }
    }

    /// The bus that the device sits on.
    pub fn bus(&self) -> Option<&PciBus> {
        // SAFETY: set when the device is plugged; a PCI function sits on a PCI bus.
        unsafe {
            let bus = (*self.raw()).qdev.parent_bus;
            (!bus.is_null()).then(|| PciBus::from_ptr(bus.cast()))
        }
    }

    /// Whether the function belongs to a multifunction device.
    pub fn is_multifunction(&self) -> bool {
        // SAFETY: fixed when the device is realized.
        let present = unsafe { (*self.raw()).cap_present };
        present & sys::QEMU_PCI_CAP_MULTIFUNCTION.0 != 0 || self.devfn() & 7 != 0
    }

    /// Whether software allows the function to issue requests, and the function has not left.
    pub fn is_bus_master(&self) -> bool {
        // SAFETY: a flag that configuration writes set; read here as QEMU reads it.
        self.is_realized() && unsafe { (*self.raw()).is_master }
    }

    /// What the function's requests without PASID reach: translated, and empty while it is no bus master. `None` for a
    /// function that is not realized: ask again after an access that may have unplugged it.
    pub fn bus_master_space(&self) -> Option<&AddressSpace> {
        // SAFETY: part of the device, there while it is realized.
        self.is_realized().then(|| unsafe { AddressSpace::from_ptr(&raw mut (*self.raw()).bus_master_as) })
    }

    // ---- building a function; from `realize`, under the BQL. Nothing happens once the function has left ----

    /// Makes `region` the BAR `number`.
    pub fn register_bar(&self, number: u8, kind: Bar, region: &MemoryRegion) {
        if !self.may_change() {
            return;
        }
        let attributes = match kind {
            Bar::Memory32 => 0,
            Bar::Memory64 => sys::PCI_BASE_ADDRESS_MEM_TYPE_64,
            Bar::Prefetchable64 => sys::PCI_BASE_ADDRESS_MEM_TYPE_64 | sys::PCI_BASE_ADDRESS_MEM_PREFETCH,
        };
        // SAFETY: live device and region; QEMU asserts the number and the size.
        unsafe { sys::pci_register_bar(self.raw(), c_int::from(number), attributes as u8, region.as_ptr()) };
    }

    /// The PCI Express capability of an endpoint, at `offset` (0: anywhere).
    pub fn add_express_endpoint(&self, offset: u8) -> Result<()> {
        if !self.may_change() {
            return Err(Error::new(GONE));
        }
        // SAFETY: a live device that is being realized.
        let result = unsafe { sys::pcie_endpoint_cap_init(self.raw(), offset) };
        if result < 0 {
            return Err(Error::new("there is no room for the PCI Express capability"));
        }
        Ok(())
    }

    /// Function-level reset, as part of the PCI Express capability.
    pub fn add_function_level_reset(&self) {
        if !self.may_change() {
            return;
        }
        // SAFETY: a live device that is being realized.
        unsafe { sys::pcie_cap_flr_init(self.raw()) };
    }

    /// To be called from [`ConfigWrite`] by a function that has function-level reset.
    pub fn handle_function_level_reset(&self, offset: u32, value: u32, len: u32) {
        if !self.may_change() {
            return;
        }
        // SAFETY: a live device.
        unsafe {
            sys::pcie_cap_flr_write_config(self.raw(), offset, value, super::memory::index(len as usize))
        };
    }

    /// The ATS capability, at `offset` of the extended space: Page Aligned Request, Global Invalidate Supported.
    pub fn add_ats(&self, offset: u16, page_aligned: bool, global_invalidate: bool) {
        if !self.may_change() {
            return;
        }
        // SAFETY: a live device that is being realized; QEMU asserts the offset.
        unsafe { sys::pcie_ats_init(self.raw(), offset, page_aligned) };
        if global_invalidate {
            let capability = offset + sys::PCI_ATS_CAP as u16;
            let bits = self.config_u16(capability) | ATS_GLOBAL_INVALIDATE;
            self.set_config(capability, bits.to_le_bytes());
        }
    }

    /// The PASID capability: `width` bits (1–20).
    pub fn add_pasid(&self, offset: u16, width: u8, exec: bool, privileged: bool) {
        if !self.may_change() {
            return;
        }
        // SAFETY: as above.
        unsafe { sys::pcie_pasid_init(self.raw(), offset, width, exec, privileged) };
    }

    /// The Page Request capability, for `outstanding` requests at a time.
    pub fn add_pri(&self, offset: u16, outstanding: u32, response_pasid_required: bool) {
        if !self.may_change() {
            return;
        }
        // SAFETY: as above.
        unsafe { sys::pcie_pri_init(self.raw(), offset, outstanding, response_pasid_required) };
        // Stopped and its like change while the machine runs: an incoming state need not have them as a reset does.
        let status = usize::from(offset) + sys::PCI_PRI_STATUS as usize;
        let changes = sys::PCI_PRI_STATUS_STOPPED | sys::PCI_PRI_STATUS_RF | sys::PCI_PRI_STATUS_UPRGI;
        for (n, mask) in (changes as u16).to_le_bytes().into_iter().enumerate() {
            // SAFETY: a live device; the capability lies within its configuration space.
            unsafe { *(*self.raw()).cmask.add(status + n) &= !mask };
        }
    }

    /// The Access Control Services capability, which a function of a single-function device must not have.
    pub fn add_acs(&self, offset: u16) -> Result<()> {
        if !self.may_change() {
            return Err(Error::new(GONE));
        }
        if !self.is_multifunction() {
            return Err(Error::new("ACS needs a multifunction device: set multifunction=on"));
        }
        // SAFETY: as above; what QEMU asserts was just checked.
        unsafe { sys::pcie_acs_init(self.raw(), offset) };
        Ok(())
    }

    /// The Alternative Routing-ID capability.
    pub fn add_ari(&self, offset: u16) {
        if !self.may_change() {
            return;
        }
        // SAFETY: as above.
        unsafe { sys::pcie_ari_init(self.raw(), offset) };
    }

    /// An extended capability with a body of `size` bytes in all, zero but for its header.
    pub fn add_extended_capability(&self, id: u16, version: u8, offset: u16, size: u16) {
        if !self.may_change() {
            return;
        }
        // SAFETY: as above.
        unsafe { sys::pcie_add_capability(self.raw(), id, version, offset, size) };
    }

    /// MSI-X with `vectors` vectors; table and pending bits at these offsets of `region`, which is BAR
    /// `bar`. Goes away by itself with the device.
    pub fn add_msix(
        &self,
        vectors: u16,
        region: &MemoryRegion,
        bar: u8,
        table_offset: u32,
        pending_offset: u32,
    ) -> Result<()> {
        if !self.may_change() {
            return Err(Error::new(GONE));
        }
        let result = Error::catch(|errp| {
            // SAFETY: live device and region, place for an error; QEMU checks the numbers.
            let result = unsafe {
                sys::msix_init(
                    self.raw(),
                    u32::from(vectors),
                    region.as_ptr(),
                    bar,
                    table_offset,
                    region.as_ptr(),
                    bar,
                    pending_offset,
                    0,
                    errp,
                )
            };
            if result >= 0 {
                for vector in 0..vectors {
                    // SAFETY: one of the vectors that exist now.
                    unsafe { sys::msix_vector_use(self.raw(), u32::from(vector)) };
                }
            }
            result
        })?;
        if result < 0 {
            return Err(Error::new("MSI-X cannot be set up"));
        }
        Ok(())
    }

    /// Undoes what capabilities have outside configuration space.
    fn remove_capabilities(&self) {
        // SAFETY: a device that is going away, under the BQL. The regions that hold table and pending
        // bits are those that `add_msix` named.
        unsafe {
            let raw = self.raw();
            if (*raw).cap_present & sys::QEMU_PCI_CAP_MSIX.0 != 0 {
                let table = (*raw).msix_table_mmio.container;
                let pending = (*raw).msix_pba_mmio.container;
                sys::msix_uninit(raw, table, pending);
            }
            if (*raw).exp.exp_cap != 0 {
                sys::pcie_cap_exit(raw);
            }
        }
    }

    /// Whether the ATS capability, if there is one, has Global Invalidate Supported.
    pub fn has_ats_global_invalidate(&self) -> bool {
        // SAFETY: an offset that is fixed when the device is realized.
        let ats = unsafe { (*self.raw()).exp.ats_cap };
        ats != 0 && self.config_u16(ats + sys::PCI_ATS_CAP as u16) & ATS_GLOBAL_INVALIDATE != 0
    }

    /// Takes the control registers of the ATS, PASID and Page Request capabilities to their reset values,
    /// which QEMU leaves to the device. PCIe §10.5.
    pub fn reset_ats_pasid_pri(&self) {
        // SAFETY: offsets that are fixed when the device is realized.
        let (ats, pasid, pri) = unsafe {
            let express = &raw const (*self.raw()).exp;
            ((*express).ats_cap, (*express).pasid_cap, (*express).pri_cap)
        };
        if ats != 0 {
            self.set_config(ats + sys::PCI_ATS_CTRL as u16, [0; 2]);
        }
        if pasid != 0 {
            self.set_config(pasid + sys::PCI_PASID_CTRL as u16, [0; 2]);
        }
        if pri != 0 {
            self.set_config(pri + sys::PCI_PRI_CTRL as u16, [0; 2]);
            let status = self.config_u16(pri + sys::PCI_PRI_STATUS as u16);
            let kept = status & sys::PCI_PRI_STATUS_PASID as u16;
            let stopped = kept | sys::PCI_PRI_STATUS_STOPPED as u16;
            self.set_config(pri + sys::PCI_PRI_STATUS as u16, stopped.to_le_bytes());
            self.set_config(pri + sys::PCI_PRI_ALLOC_REQ as u16, [0; 4]);
        }
    }

    // ---- what software has switched on: nothing once the function has left ----

    /// Raises an MSI-X interrupt, or marks it pending while masked. Needs the BQL and no lock of the
    /// device's; the message goes through the IOMMU. Nothing for a vector that does not exist.
    pub fn msix_notify(&self, vector: u16) {
        if !self.may_change() {
            return;
        }
        // SAFETY: a live device; how many vectors it has now, which QEMU asserts.
        unsafe {
            if c_int::from(vector) < (*self.raw()).msix_entries_nr {
                sys::msix_notify(self.raw(), u32::from(vector));
            }
        }
    }

    /// Whether software enabled MSI-X.
    pub fn is_msix_enabled(&self) -> bool {
        // SAFETY: a live device.
        self.is_present() && unsafe { sys::msix_enabled(self.raw()) != 0 }
    }

    /// Whether software enabled PASID.
    pub fn is_pasid_enabled(&self) -> bool {
        // SAFETY: a live device; false without the capability.
        self.is_present() && unsafe { sys::pcie_pasid_enabled(self.raw()) }
    }

    /// Whether software enabled PASID requests that fetch instructions.
    pub fn is_pasid_exec_enabled(&self) -> bool {
        // SAFETY: as above.
        self.is_present() && unsafe { sys::pcie_pasid_exec_enabled(self.raw()) }
    }

    /// Whether software enabled privileged PASID requests.
    pub fn is_pasid_privileged_enabled(&self) -> bool {
        // SAFETY: as above.
        self.is_present() && unsafe { sys::pcie_pasid_priv_enabled(self.raw()) }
    }

    /// Whether software enabled ATS.
    pub fn is_ats_enabled(&self) -> bool {
        // SAFETY: as above.
        self.is_present() && unsafe { sys::pcie_ats_enabled(self.raw()) }
    }

    /// Whether software enabled page requests.
    pub fn is_pri_enabled(&self) -> bool {
        // SAFETY: as above.
        self.is_present() && unsafe { sys::pcie_pri_enabled(self.raw()) }
    }
}

impl PciBus {
    /// The bus number that software gave, 0 for a root bus. It changes when software renumbers: ask when
    /// it is needed. Any thread.
    pub fn number(&self) -> u8 {
        // SAFETY: a live bus; reads one byte of its bridge's configuration space.
        (unsafe { sys::pci_bus_num(self.as_ptr()) } & 0xff) as u8
    }

    /// Whether this is the bus of the machine's first host bridge; those of others hang below it.
    pub fn is_first_root(&self) -> bool {
        // SAFETY: a live bus; the pointer does not change once the bus is there.
        unsafe { (*self.as_ptr()).parent_dev.is_null() }
    }

    /// Whether functions on this bus have the extended configuration space of PCI Express.
    pub fn is_express(&self) -> bool {
        // SAFETY: a live bus; the flags do not change once the bus is there.
        let flags = unsafe { (*self.as_ptr()).flags };
        flags.0 & sys::PCIBusFlags_PCI_BUS_EXTENDED_CONFIG_SPACE.0 != 0
    }

    /// The function at this address behind this bus, now. Needs the BQL.
    pub fn find_device(&self, bus: u8, devfn: u8) -> Option<&PciDevice> {
        bql::assert_locked();
        // SAFETY: a live bus.
        let device = unsafe { sys::pci_find_device(self.as_ptr(), c_int::from(bus), devfn) };
        // SAFETY: a live device, which goes away under the BQL only.
        (!device.is_null()).then(|| unsafe { PciDevice::from_ptr(device) })
    }
}
