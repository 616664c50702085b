// SPDX-License-Identifier: GPL-2.0-or-later
//! Raw bindings to the parts of QEMU that device models need; nothing else.
//!
//! The files beside this one are made by bindgen (`build.rs` says how) for the QEMU version that
//! [`QEMU_VERSION`] names. Layouts differ between versions and build options: whoever loads code that was
//! built against these bindings compares them with the running QEMU's first.
#![no_std]

#[allow(missing_docs, non_camel_case_types, non_snake_case, non_upper_case_globals)]
#[allow(clippy::all, clippy::undocumented_unsafe_blocks)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}
pub use bindings::*;

pub mod layout;

/// Field positions and register offsets of the Arm SMMUv3 as QEMU's own model has them, a second opinion
/// for layout tests. `R_<reg>_<field>_{SHIFT,LENGTH,MASK}` and `A_<reg>`, all within 32-bit words.
#[allow(missing_docs, non_upper_case_globals)]
pub mod oracle_smmuv3 {
    #[cfg(not(feature = "bindgen"))]
    include!("oracle_smmuv3.rs");
    #[cfg(feature = "bindgen")]
    include!(concat!(env!("OUT_DIR"), "/oracle_smmuv3.rs"));
}

#[cfg(all(test, feature = "bindgen"))]
mod tests {
    extern crate std;

    use core::ffi::CStr;

    unsafe extern "C" {
        static qemu_sys_c_layout: crate::QemuDevicePluginLayout;
        static qemu_sys_c_layout_len: usize;
    }

    /// What libclang made of the headers is what the C compiler makes of them.
    #[test]
    fn layouts_agree_with_the_c_compiler() {
        // SAFETY: a table of that many elements, defined by shim.c.
        let table =
            unsafe { core::slice::from_raw_parts(&raw const qemu_sys_c_layout, qemu_sys_c_layout_len) };
        for entry in table {
            // SAFETY: string literals.
            let name = unsafe { CStr::from_ptr(entry.name) }.to_str().unwrap_or("?");
            let ours = crate::layout::LAYOUT.iter().find(|(known, _)| *known == name);
            assert_eq!(ours.map(|(_, size)| *size), Some(entry.size), "{name}");
        }
        assert_eq!(table.len(), crate::layout::LAYOUT.len());
    }
}
