// SPDX-License-Identifier: GPL-2.0-or-later
//! System bus devices: registers at an address that the board chooses, interrupt outputs.

use core::cell::UnsafeCell;
use core::ptr;

use qemu_sys as sys;

use super::bql;
use super::error::report;
use super::main_loop;
use super::memory::MemoryRegion;
use super::qom::{DeviceImpl, ObjectLike, Parent, Qom, object_wrappers};

object_wrappers! {
    /// A system bus device: the parent of devices that a board maps.
    SysBusDevice(sys::SysBusDevice) = c"sys-bus-device";
}

// SAFETY: the class of a system bus device begins with `DeviceClass`; realize has its signature.
unsafe impl Parent for SysBusDevice {
    type Class = sys::SysBusDeviceClass;

    unsafe fn install<T: DeviceImpl<Parent = Self>>(class: *mut Self::Class) {
        // SAFETY: the caller's promise.
        let class = unsafe { &mut (*class).parent_class };
        class.realize = Some(realize::<T>);
        class.unrealize = Some(unrealize::<T>);
    }
}

unsafe extern "C" fn realize<T: DeviceImpl<Parent = SysBusDevice>>(
    device: *mut sys::DeviceState,
    errp: *mut *mut sys::Error,
) {
    // SAFETY: called on an instance of this class, with QEMU's error place.
    unsafe { report(errp, || T::realize(Qom::from_raw(device.cast()))) };
}

unsafe extern "C" fn unrealize<T: DeviceImpl<Parent = SysBusDevice>>(device: *mut sys::DeviceState) {
    // SAFETY: called on an instance of this class.
    let this = unsafe { Qom::<T>::from_raw(device.cast()) };
    T::unrealize(this);
    main_loop::keep_until_alone(this.object());
}

impl SysBusDevice {
    /// Offers a region to the board, in the order of the calls. Needs the BQL.
    pub fn init_mmio(&self, region: &MemoryRegion) {
        bql::assert_locked();
        // SAFETY: live device and region.
        unsafe { sys::sysbus_init_mmio(self.as_ptr(), region.as_ptr()) };
    }

    /// Offers interrupt outputs to the board, in the order of the calls. Needs the BQL; the outputs sit
    /// in the device's state.
    pub fn init_irq(&self, line: &IrqLine) {
        bql::assert_locked();
        // SAFETY: a live device; the board stores into `line`, which lives as long as the device's state.
        unsafe { sys::sysbus_init_irq(self.as_ptr(), line.0.get()) };
    }
}

/// An interrupt output, unconnected until the board connects it. A field of a device's state.
pub struct IrqLine(UnsafeCell<sys::qemu_irq>);

// SAFETY: the board writes it while the machine is built; after that it is only read.
unsafe impl Sync for IrqLine {}
// SAFETY: as above.
unsafe impl Send for IrqLine {}

impl Default for IrqLine {
    fn default() -> Self {
        Self(UnsafeCell::new(ptr::null_mut()))
    }
}

impl IrqLine {
    /// Drives the output. Needs the BQL; holds no lock of the device's, since the interrupt controller runs.
    pub fn set(&self, level: bool) {
        bql::assert_locked();
        // SAFETY: null or a live interrupt; under the BQL.
        unsafe { sys::qemu_set_irq(*self.0.get(), i32::from(level)) };
    }

    /// An edge: high, then low. As for [`Self::set`].
    pub fn pulse(&self) {
        self.set(true);
        self.set(false);
    }

    /// Whether the board connected it.
    pub fn is_connected(&self) -> bool {
        // SAFETY: read as QEMU reads it.
        !unsafe { *self.0.get() }.is_null()
    }
}
