// SPDX-License-Identifier: GPL-2.0-or-later
//! Symbols that exist in some of QEMU's binaries only.

use core::ffi::{CStr, c_void};

/// The address of a function or variable of the running program, or `None` if it has no such symbol.
pub fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name is a C string, the handle the documented one for the default search order.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}
