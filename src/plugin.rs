// SPDX-License-Identifier: GPL-2.0-or-later
//! What this library brings into QEMU when it is loaded with `-device-plugin`; how, is in `qemu/loader.rs`.

use core::ffi::CStr;

/// What registers device types. Each returns whether this QEMU has what its type needs.
pub const REGISTER: &[fn() -> bool] = &[
    crate::smmuv3::device::register,
    crate::vtd::device::register,
    crate::testdev::device::register,
    crate::bench::device::register,
];

/// Under `replace=on`: the type that a command line names, and the one that it gets.
pub const REPLACE: &[(&CStr, &CStr)] =
    &[(c"arm-smmuv3", c"arm-smmuv3-rs-compat"), (c"intel-iommu", c"intel-iommu-rs-compat")];
