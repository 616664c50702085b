// SPDX-License-Identifier: GPL-2.0-or-later
//! Wake-up events for Arm CPUs that wait by `WFE`.

use core::ffi::c_void;
use core::mem::transmute;
use std::sync::OnceLock;

use super::dl;

/// What emulators of Arm CPUs export with this project's patches.
#[derive(Clone, Copy)]
struct Functions {
    can_send: unsafe extern "C" fn() -> bool,
    send: unsafe extern "C" fn(),
}

static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();

/// Looks for them, once.
pub(super) fn find() {
    let _ = functions();
}

fn functions() -> Option<Functions> {
    *FUNCTIONS.get_or_init(|| {
        let can_send = dl::symbol(c"arm_can_send_event")?;
        let send = dl::symbol(c"arm_send_event_all_cpus")?;
        // SAFETY: QEMU's functions of these names have these signatures.
        unsafe {
            Some(Functions {
                can_send: transmute::<*mut c_void, unsafe extern "C" fn() -> bool>(can_send),
                send: transmute::<*mut c_void, unsafe extern "C" fn()>(send),
            })
        }
    })
}

/// Whether this QEMU can send an event to the CPUs that it runs; for when the machine has its accelerator. With KVM it
/// cannot: the event registers are the host's then.
pub fn available() -> bool {
    // SAFETY: reads which accelerator is in use.
    functions().is_some_and(|functions| unsafe { (functions.can_send)() })
}

/// Sends an event to all CPUs, as the instruction `SEV` does. Needs the BQL.
pub fn send_event() {
    super::bql::assert_locked();
    if let Some(functions) = functions() {
        // SAFETY: under the BQL.
        unsafe { (functions.send)() };
    }
}
