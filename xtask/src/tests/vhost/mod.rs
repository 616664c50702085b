// SPDX-License-Identifier: GPL-2.0-or-later
//! vhost: devices whose work another program does, which keeps translations until it is told to forget them.

mod notices;

use super::Runner;

/// The suite.
pub fn run(runner: &mut Runner) {
    notices::run(runner);
}
