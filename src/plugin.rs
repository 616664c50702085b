// SPDX-License-Identifier: GPL-2.0-or-later
//! What this library brings into QEMU when it is loaded with `-device-plugin`; how, is in `qemu/loader.rs`.

use crate::qemu::loader::Plugin;

crate::device_plugin!(Plugin {
    register: &[
        crate::smmuv3::device::register,
        crate::vtd::device::register,
        crate::testdev::device::register,
        crate::bench::device::register,
    ],
    replace: &[(c"arm-smmuv3", c"arm-smmuv3-rs-compat"), (c"intel-iommu", c"intel-iommu-rs-compat")],
});
