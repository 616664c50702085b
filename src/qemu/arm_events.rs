// SPDX-License-Identifier: GPL-2.0-or-later
//! Wake-up events for Arm CPUs that wait by `WFE`.

use core::ffi::{CStr, c_void};

use super::dl;
use super::smmuv3_interface::kvm_enabled;

/// Exported by the emulators of Arm CPUs with this project's patches.
const SEND: &CStr = c"arm_send_event_all_cpus";

/// Whether this QEMU can send an event to the CPUs that it runs. With KVM it cannot: `WFE` is the host's then.
pub fn available() -> bool {
    dl::symbol(SEND).is_some() && !kvm_enabled()
}

/// Sends an event to all CPUs, as the instruction `SEV` does. Under the BQL.
pub fn send_event() {
    type Send = unsafe extern "C" fn();
    if let Some(send) = dl::symbol(SEND) {
        // SAFETY: QEMU's function of this name has this signature.
        unsafe { core::mem::transmute::<*mut c_void, Send>(send)() }
    }
}
