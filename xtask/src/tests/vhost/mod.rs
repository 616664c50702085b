// SPDX-License-Identifier: GPL-2.0-or-later
//! vhost: devices whose work another program does, which keeps translations until it is told to forget them.

mod frames;
mod message;
mod notices;
mod testpmd;
mod watch;

use super::{Runner, Verdict};

/// The suite.
pub fn run(runner: &mut Runner) {
    notices::run(runner);
    frames::run(runner);
    runner.test("vhost/vhost-net", |_, _| {
        // QEMU has it. In the kernel it translates as here, by the same messages.
        Ok(Verdict::Skip(
            "the guests' kernels are built without CONFIG_VHOST_NET, so none can be asked in one".into(),
        ))
    });
}
