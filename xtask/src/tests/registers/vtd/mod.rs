// SPDX-License-Identifier: GPL-2.0-or-later
//! VT-d (`VTD`).

mod ats;
mod faults;
mod page_requests;
mod pasids;
mod queue;
mod registers;
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

    fn run(&self, runner: &mut Runner, name: String, adversarial: bool) {
        runner.test(&format!("registers/vtd-{name}"), |r, dir| {
            let mut args = plain_vtd(&r.source);
            args.adversarial = adversarial;
            (self.change)(&mut args);
            let parts = setup::scene_parts(&args)?;
            let mut rig = Rig::start_with(&args, &parts, &dir, "machine", self.endpoints)?;
            (self.play)(&mut rig).map(Verdict::Pass)
        });
    }
}

/// The scenes.
pub fn run(runner: &mut Runner) {
    let all = [
        registers::SCENES,
        translation::SCENES,
        ats::SCENES,
        pasids::SCENES,
        page_requests::SCENES,
        faults::SCENES,
        queue::SCENES,
    ];
    for scene in all.into_iter().flatten() {
        scene.run(runner, scene.name.to_owned(), false);
    }
    // Nothing in a scene may depend on how early a unit forgets and finishes.
    if runner.more {
        for scene in all.into_iter().flatten() {
            scene.run(runner, format!("adversarial-{}", scene.name), true);
        }
    }
}
