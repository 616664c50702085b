// SPDX-License-Identifier: GPL-2.0-or-later
//! What a board asks an SMMUv3, whichever model it is: the QOM interface `arm-smmuv3-interface`.

use core::ffi::CStr;

use qemu_sys as sys;

use super::dl;
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
    /// A host's SMMU translates for assigned devices. Under KVM the board sets the property `msi-gpa`, and reserves the addresses
    /// of their interrupts in its firmware tables. Asked for before the device is realized, too.
    pub accel: bool,
}

/// A device that is an SMMUv3.
pub trait ArmSmmuv3: DeviceImpl {
    /// The facts. Asked after the device is realized; before, for [`SmmuInfo::accel`].
    fn info(this: &Qom<Self>) -> SmmuInfo;
}

/// Whether KVM runs the guest.
pub(super) fn kvm_enabled() -> bool {
    // SAFETY: where there is such a symbol it is a `bool`, set when the accelerator was chosen.
    dl::symbol(c"kvm_allowed").is_some_and(|allowed| unsafe { allowed.cast::<bool>().read() })
}

impl<T: ArmSmmuv3> ClassInit<'_, T> {
    /// Installs [`ArmSmmuv3`]; [`ARM_SMMUV3_INTERFACE`] must be among the type's interfaces.
    pub fn arm_smmuv3(&mut self) {
        unsafe extern "C" fn get_info<T: ArmSmmuv3>(object: *mut sys::Object, info: *mut sys::ArmSMMUv3Info) {
            // SAFETY: called on an instance of this class, with a place for the answer.
            unsafe {
                let SmmuInfo { ats, pri, httu, pmcg, accel } = T::info(Qom::from_raw(object.cast()));
                // Boards refuse it without KVM, where they could do nothing for it.
                *info = sys::ArmSMMUv3Info { ats, pri, accel: accel && kvm_enabled(), httu, pmcg };
            }
        }
        // SAFETY: this is the interface's class structure.
        let class = unsafe { self.interface::<sys::ArmSMMUv3InterfaceClass>(ARM_SMMUV3_INTERFACE) };
        if let Some(class) = class {
            class.get_info = Some(get_info::<T>);
        }
    }
}
