// SPDX-License-Identifier: GPL-2.0-or-later
//! What a board asks an SMMUv3, whichever model it is: the QOM interface `arm-smmuv3-interface`.

use core::ffi::CStr;

use qemu_sys as sys;

use super::qom::{ClassInit, DeviceImpl, Qom};

/// Name of the interface, for `DeviceImpl::INTERFACES`. Binaries without Arm machines do not have it.
pub const ARM_SMMUV3_INTERFACE: &CStr = c"arm-smmuv3-interface";

/// Facts for firmware tables and device trees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmmuInfo {
    /// IDR0.ATS: endpoints may use ATS.
    pub ats: bool,
    /// IDR0.PRI: endpoints may use PRI.
    pub pri: bool,
    /// IDR0.HTTU: 0 none, 1 access flag, 2 access flag and dirty state.
    pub httu: u8,
    /// There is a Performance Monitor Counter Group: memory region 1, and the interrupt after GERROR's.
    pub pmcg: bool,
}

/// A device that is an SMMUv3.
pub trait ArmSmmuv3: DeviceImpl {
    /// The facts. Asked after the device is realized.
    fn info(this: &Qom<Self>) -> SmmuInfo;
}

impl<T: ArmSmmuv3> ClassInit<'_, T> {
    /// Installs [`ArmSmmuv3`]; [`ARM_SMMUV3_INTERFACE`] must be among the type's interfaces.
    pub fn arm_smmuv3(&mut self) {
        unsafe extern "C" fn get_info<T: ArmSmmuv3>(object: *mut sys::Object, info: *mut sys::ArmSMMUv3Info) {
            // SAFETY: called on an instance of this class, with a place for the answer.
            unsafe {
                let SmmuInfo { ats, pri, httu, pmcg } = T::info(Qom::from_raw(object.cast()));
                *info = sys::ArmSMMUv3Info { ats, pri, accel: false, httu, pmcg };
            }
        }
        // SAFETY: this is the interface's class structure.
        let class = unsafe { self.interface::<sys::ArmSMMUv3InterfaceClass>(ARM_SMMUV3_INTERFACE) };
        if let Some(class) = class {
            class.get_info = Some(get_info::<T>);
        }
    }
}
