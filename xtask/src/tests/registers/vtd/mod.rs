// SPDX-License-Identifier: GPL-2.0-or-later
//! VT-d (`VTD`).

mod ats;
mod faults;
mod page_requests;
mod pasids;
mod queue;
mod translation;

use anyhow::Result;

use crate::cli::MachineArgs;
use crate::scenario::vtd::Rig;
use crate::setup;
use crate::tests::{Runner, Verdict, plain_vtd};

/// A scene: its name, what differs from the plain machine, how many endpoints it has, and the play, which returns what
/// was seen.
struct Scene {
    name: &'static str,
    change: fn(&mut MachineArgs),
    endpoints: u8,
    play: fn(&mut Rig) -> Result<String>,
}

impl Scene {
    /// A scene in the plain machine with one endpoint.
    const fn new(name: &'static str, play: fn(&mut Rig) -> Result<String>) -> Self {
        Self { name, change: |_| (), endpoints: 1, play }
    }
}

/// The scenes.
pub fn run(runner: &mut Runner) {
    let all = [
        translation::SCENES,
        ats::SCENES,
        pasids::SCENES,
        page_requests::SCENES,
        faults::SCENES,
        queue::SCENES,
    ];
    for scene in all.into_iter().flatten() {
        runner.test(&format!("registers/vtd-{}", scene.name), |r, dir| {
            let mut args = plain_vtd(&r.source);
            (scene.change)(&mut args);
            let parts = setup::scene_parts(&args)?;
            let mut rig = Rig::start_with(&args, &parts, &dir, "machine", scene.endpoints)?;
            (scene.play)(&mut rig).map(Verdict::Pass)
        });
    }
}
