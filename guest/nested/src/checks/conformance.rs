// SPDX-License-Identifier: GPL-2.0-or-later
//! The rules that hosts inside a process are held to, with Linux.

use std::path::Path;

use qemu_iommu::nested::conformance::{self, Rig};
use sva_guest::report::{CheckResult, Report, Stop};

use crate::vmm::{Vmm, functions, node, said};

/// Every rule, twice: what one of them leaves behind, the second time finds.
pub fn rules() -> CheckResult {
    let vmm = Vmm::new()?;
    let other = match functions().len() {
        0 | 1 => None,
        _ => {
            let (_, path) = node(1)?;
            Some(vmm.iommufd.assign(Path::new(&path)).map_err(said)?)
        }
    };
    let rig = Rig {
        host: vmm.host.as_ref(),
        device: vmm.id,
        other: other.as_ref().map(|(id, _)| *id),
        table: vmm.tables.root(),
    };
    let mut held = Vec::new();
    for _ in 0..2 {
        held = conformance::check(&rig).map_err(Stop::Fail)?;
    }
    let devices = if other.is_some() { "two devices" } else { "one device" };
    Ok(Report::new(format!("{} rules, with {devices}", held.len())))
}
