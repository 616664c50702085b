// SPDX-License-Identifier: GPL-2.0-or-later
//! What a guest may try, and QEMU has to live through: by qtest, register by register.

mod silence;
mod smmuv3;
mod vtd;

use super::Runner;

/// The suite.
pub fn run(runner: &mut Runner) {
    smmuv3::run(runner);
    vtd::run(runner);
    silence::run(runner);
}
