// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest's PASID table in a host's hands, tier by tier.

mod vmm;

use super::{Runner, unit};
use crate::place;

/// The suite.
pub fn run(runner: &mut Runner) {
    tier0(runner);
    vmm::run(runner);
}

/// The host inside the process and the layer above it, by `cargo test`: every access as full emulation of the same tables
/// has it, every mutation caught.
fn tier0(runner: &mut Runner) {
    const PREFIX: &str = "nested/tier0";
    if runner.wants(PREFIX) {
        let arguments = ["--package", "qemu-iommu", "--lib", "nested::", "--", "--skip", "walk::"];
        unit::cargo_test(runner, PREFIX, &place::root(), &arguments, &[]);
    }
}
