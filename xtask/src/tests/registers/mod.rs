// SPDX-License-Identifier: GPL-2.0-or-later
//! What no Linux does and the specification has: by registers and tables alone, without a kernel.

mod smmuv3;
mod vtd;

use super::Runner;

/// The suite.
pub fn run(runner: &mut Runner) {
    smmuv3::run(runner);
    vtd::run(runner);
}
