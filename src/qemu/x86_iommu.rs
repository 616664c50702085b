// SPDX-License-Identifier: GPL-2.0-or-later
//! An IOMMU of a PC: the parent type `x86-iommu`, and what q35 asks a VT-d unit through
//! `intel-iommu-interface`.
//!
//! Binaries without PCs have neither the types nor the functions, which are looked up when they are used.

use core::ffi::{CStr, c_int, c_void};
use core::mem::transmute;
use core::ptr;

use qemu_sys as sys;

use super::error::report;
use super::memory::AddressSpace;
use super::pci_iommu::{Nesting, OpsTable};
use super::qom::{ClassInit, DeviceImpl, ObjectLike, Parent, Qom, object_wrappers};
use super::{bql, dl};

/// Name of the interface, for `DeviceImpl::INTERFACES`.
pub const INTEL_IOMMU_INTERFACE: &CStr = c"intel-iommu-interface";

object_wrappers! {
    /// An IOMMU of a PC: the parent of devices that a PC takes for its IOMMU. It has the properties
    /// `intremap`, `device-iotlb` and `dma-translation`.
    X86Iommu(sys::X86IOMMUState) = c"x86-iommu";
}

// SAFETY: the class begins with that of a system bus device, which begins with `DeviceClass`; realize has its
// signature. The parent's own realize checks the machine and then calls this one.
unsafe impl Parent for X86Iommu {
    type Class = sys::X86IOMMUClass;

    unsafe fn install<T: DeviceImpl<Parent = Self>>(class: *mut Self::Class) {
        // SAFETY: the caller's promise.
        unsafe { (*class).realize = Some(realize::<T>) };
    }
}

unsafe extern "C" fn realize<T: DeviceImpl<Parent = X86Iommu>>(
    device: *mut sys::DeviceState,
    errp: *mut *mut sys::Error,
) {
    // SAFETY: called on an instance of this class, with QEMU's error place.
    unsafe { report(errp, || T::realize(Qom::from_raw(device.cast()))) };
}

/// A message-signalled interrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MsiMessage {
    /// Address: 0xfeexxxxx, and bits 31:8 of an extended destination in the upper half.
    pub addr: u64,
    /// Datum.
    pub data: u32,
}

impl MsiMessage {
    fn from_raw(raw: &sys::MSIMessage) -> Self {
        Self { addr: raw.address, data: raw.data }
    }

    fn raw(self) -> sys::MSIMessage {
        sys::MSIMessage { address: self.addr, data: self.data }
    }
}

/// Facts for the DMAR table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntelIommuInfo {
    /// The host address width in bits.
    pub address_width: u8,
    /// With `device-iotlb`, endpoints on root buses that have an address translation cache are named.
    pub satc: bool,
}

/// A device that is the VT-d unit of a PC.
pub trait IntelIommu: DeviceImpl<Parent = X86Iommu> {
    /// The facts. Asked after the device is realized.
    fn info(this: &Qom<Self>) -> IntelIommuInfo;

    /// What an interrupt becomes that somebody (KVM's routes) will deliver again and again, until
    /// [`X86Iommu::notify_interrupt_entries`] says otherwise. `None`: it is blocked.
    fn remap_interrupt(this: &Qom<Self>, message: MsiMessage, source: Option<u16>) -> Option<MsiMessage>;
}

/// `X86_IOMMU_SID_INVALID`.
const NO_SOURCE: u16 = 0xffff;

impl<T: IntelIommu> ClassInit<'_, T> {
    /// Installs [`IntelIommu`]; [`INTEL_IOMMU_INTERFACE`] must be among the type's interfaces.
    pub fn intel_iommu(&mut self) {
        unsafe extern "C" fn get_info<T: IntelIommu>(
            object: *mut sys::Object,
            info: *mut sys::IntelIOMMUInfo,
        ) {
            // SAFETY: called on an instance of this class, with a place for the answer.
            unsafe {
                let IntelIommuInfo { address_width, satc } = T::info(Qom::from_raw(object.cast()));
                *info = sys::IntelIOMMUInfo { aw_bits: address_width, satc };
            }
        }
        unsafe extern "C" fn int_remap<T: IntelIommu>(
            iommu: *mut sys::X86IOMMUState,
            from: *mut sys::MSIMessage,
            to: *mut sys::MSIMessage,
            source: u16,
        ) -> c_int {
            // SAFETY: called on an instance of this class, with a message and a place for another.
            let (this, message) = unsafe { (Qom::<T>::from_raw(iommu.cast()), MsiMessage::from_raw(&*from)) };
            match T::remap_interrupt(this, message, (source != NO_SOURCE).then_some(source)) {
                Some(message) => {
                    // SAFETY: as above.
                    unsafe { *to = message.raw() };
                    0
                }
                None => -libc::EINVAL,
            }
        }
        // SAFETY: this is the interface's class structure.
        let class = unsafe { self.interface::<sys::IntelIOMMUInterfaceClass>(INTEL_IOMMU_INTERFACE) };
        if let Some(class) = class {
            class.get_info = Some(get_info::<T>);
        }
        self.parent_class().int_remap = Some(int_remap::<T>);
    }
}

impl X86Iommu {
    /// Whether it remaps interrupts (property `intremap`). Known when `realize` is called.
    pub fn remaps_interrupts(&self) -> bool {
        // SAFETY: a live device; the property is set before it is realized.
        unsafe { (*self.as_ptr()).intr_supported == sys::OnOffAuto_ON_OFF_AUTO_ON }
    }

    /// Whether devices may use ATS (property `device-iotlb`).
    pub fn has_device_iotlb(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.as_ptr()).dt_supported }
    }

    /// Another default for the property `device-iotlb`. In `instance_init`.
    pub fn set_default_device_iotlb(&self, value: bool) {
        // SAFETY: as above, before anybody else knows the device.
        unsafe { (*self.as_ptr()).dt_supported = value };
    }

    /// Whether it translates DMA (property `dma-translation`).
    pub fn translates_dma(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.as_ptr()).dma_translation }
    }

    /// Tells everybody who keeps remapped interrupts that 2^`mask` entries from `index` on have changed, or all
    /// of them (`global`). Needs the BQL.
    pub fn notify_interrupt_entries(&self, global: bool, index: u32, mask: u32) {
        type Notify = unsafe extern "C" fn(*mut sys::X86IOMMUState, bool, u32, u32);
        bql::assert_locked();
        if let Some(notify) = dl::symbol(c"x86_iommu_iec_notify_all") {
            // SAFETY: QEMU's function of this name has this signature; a live device, under the BQL.
            unsafe { transmute::<*mut c_void, Notify>(notify)(self.as_ptr(), global, index, mask) };
        }
    }
}

/// Makes `iommu` translate for the machine's PCI devices; its IOAPIC writes interrupts to `ioapic`. From
/// `realize`, when nothing can fail any more.
pub fn setup<T: Nesting + DeviceImpl<Parent = X86Iommu>>(iommu: &Qom<T>, ioapic: &'static AddressSpace) {
    type Setup =
        unsafe extern "C" fn(*mut sys::X86IOMMUState, *const sys::PCIIOMMUOps, *mut sys::AddressSpace);
    bql::assert_locked();
    if let Some(setup) = dl::symbol(c"x86_iommu_setup") {
        let ops = ptr::from_ref(OpsTable::<T>::of(iommu));
        // SAFETY: QEMU's function of this name has this signature; a device that lives as long as the machine, a
        // static table, an address space that stays.
        unsafe { transmute::<*mut c_void, Setup>(setup)(iommu.parent().as_ptr(), ops, ioapic.as_ptr()) };
    }
}

/// Delivers an interrupt that is remapped already, or that the IOMMU itself raises. Needs the BQL, and no lock
/// of the device's.
pub fn send_msi(message: MsiMessage) {
    type Send = unsafe extern "C" fn(*mut sys::MSIMessage);
    bql::assert_locked();
    if let Some(send) = dl::symbol(c"x86_iommu_send_msi") {
        let mut raw = message.raw();
        // SAFETY: QEMU's function of this name has this signature.
        unsafe { transmute::<*mut c_void, Send>(send)(&mut raw) };
    }
}
