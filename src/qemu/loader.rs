// SPDX-License-Identifier: GPL-2.0-or-later
//! How QEMU loads this library: the entry point of `-device-plugin`, and the checks that the two fit each other.

use core::ffi::{CStr, c_char};
use core::slice;

use qemu_sys as sys;

use super::{Error, Result, arm_events, log, main_loop, qom};

pub use sys::{Error as RawError, QemuDevicePluginInfo};

/// The command that builds a QEMU and a plugin that fit each other.
const WAY_OUT: &str = "build both from one checkout with `cargo xtask setup`, or the plugin for this QEMU with \
                       `QEMU_SRC=its-source QEMU_BUILD=its-build cargo build --release --features bindgen`";

/// What a library brings into QEMU.
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    /// What registers its device types. Each returns whether this QEMU has what its type needs.
    pub register: &'static [fn() -> bool],
    /// Under `replace=on`: the type that a command line names, and the one that it gets.
    pub replace: &'static [(&'static CStr, &'static CStr)],
}

/// Makes a library (`crate-type = ["cdylib"]`) loadable by `-device-plugin`: exports the entry point, for a constant
/// [`Plugin`]. Once in a library. One that depends on this crate takes it without its own entry point
/// (`default-features = false, features = ["qemu"]`).
#[macro_export]
macro_rules! device_plugin {
    ($plugin:expr) => {
        /// Called by QEMU once, after it has loaded this library.
        ///
        /// # Safety
        /// As [`load`]($crate::qemu::loader::load).
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn qemu_device_plugin_init(
            info: *const $crate::qemu::loader::QemuDevicePluginInfo,
            errp: *mut *mut $crate::qemu::loader::RawError,
        ) -> bool {
            const PLUGIN: $crate::qemu::loader::Plugin = $plugin;
            // SAFETY: QEMU's promise to a plugin.
            unsafe { $crate::qemu::loader::load(&PLUGIN, info, errp) }
        }
    };
}

/// What the entry point does. See QEMU's `qemu/device-plugin.h`.
///
/// # Safety
/// `info` is valid until the end of the process, `errp` is QEMU's place for an error.
pub unsafe fn load(plugin: &Plugin, info: *const QemuDevicePluginInfo, errp: *mut *mut RawError) -> bool {
    // SAFETY: the caller's promise. `abi` is the first member in every version.
    let result = unsafe { (*info).abi } == sys::QEMU_DEVICE_PLUGIN_ABI;
    let result = if result {
        // SAFETY: the structure has the layout that its ABI number says.
        start(plugin, unsafe { &*info })
    } else {
        // SAFETY: as above.
        let abi = unsafe { (*info).abi };
        Err(Error::new(format!(
            "this QEMU's interface for device plugins is version {abi}, the plugin was built for {}: {WAY_OUT}",
            sys::QEMU_DEVICE_PLUGIN_ABI
        )))
    };
    match result {
        Ok(()) => true,
        Err(error) => {
            // SAFETY: the caller's promise.
            unsafe { error.propagate(errp) };
            false
        }
    }
}

fn start(plugin: &Plugin, info: &QemuDevicePluginInfo) -> Result<()> {
    check_build(info)?;
    check_layout(info)?;
    arm_events::find();
    log::install();
    main_loop::watch_log_level();
    for register in plugin.register {
        register();
    }
    if info.replace {
        for (from, to) in plugin.replace {
            if qom::type_exists(to) {
                // SAFETY: two C strings, which QEMU copies.
                unsafe { sys::qdev_replace_type(from.as_ptr(), to.as_ptr()) };
            }
        }
    }
    Ok(())
}

/// The build that this library was made for: that of the headers that its bindings were made from.
fn check_build(info: &QemuDevicePluginInfo) -> Result<()> {
    let (version, stamp) = (text(info.version), text(info.stamp));
    let (built, built_stamp) = (text(sys::QEMU_VERSION.as_ptr().cast()), text(sys::QEMU_STAMP.as_ptr()));
    if (&version, &stamp) == (&built, &built_stamp) {
        return Ok(());
    }
    Err(Error::new(format!(
        "this is QEMU {version} with stamp {stamp}, the plugin was built for QEMU {built} with stamp {built_stamp}: \
         {WAY_OUT}"
    )))
}

/// Each side has the same facts about structures that they share, and each fact is the same on both sides.
fn check_layout(info: &QemuDevicePluginInfo) -> Result<()> {
    // SAFETY: an array of that many elements, valid until the end of the process.
    let running = unsafe { slice::from_raw_parts(info.layout, info.nr_layout) };
    let running: Vec<(String, usize)> = running.iter().map(|entry| (text(entry.name), entry.size)).collect();
    let differs = |what: String| {
        Err(Error::new(format!(
            "this QEMU {} was built otherwise than the one that the plugin knows: {what}: {WAY_OUT}",
            text(info.version)
        )))
    };
    for (name, built) in sys::layout::LAYOUT {
        match running.iter().find(|(known, _)| known == name) {
            Some((_, here)) if here == built => {}
            Some((_, here)) => return differs(format!("{name} is {here} here, {built} there")),
            None => return differs(format!("{name} is {built} there, and not known here")),
        }
    }
    for (name, here) in &running {
        if !sys::layout::LAYOUT.iter().any(|(known, _)| known == name) {
            return differs(format!("{name} is {here} here, and not known there"));
        }
    }
    Ok(())
}

/// A C string of QEMU's.
fn text(raw: *const c_char) -> String {
    if raw.is_null() {
        return String::new();
    }
    // SAFETY: QEMU's strings end in NUL.
    unsafe { CStr::from_ptr(raw) }.to_string_lossy().into_owned()
}
