// SPDX-License-Identifier: GPL-2.0-or-later
//! `replace=on` is a drop-in: what QEMU's own models take and let pass, ours take and let pass in their place.

mod properties;
mod smmuv3;
mod vtd;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::{Runner, Verdict};
use crate::cli::{Implementation, MachineArgs};
use crate::scenario::Finding;
use crate::setup;
use crate::vm::Parts;

/// The suite.
pub fn run(runner: &mut Runner) {
    properties::run(runner);
    vtd::run(runner);
    smmuv3::run(runner);
}

/// Something that QEMU's own model lets pass, played with a rig `R`. `correct`: it passed.
struct Scene<R> {
    name: &'static str,
    /// Properties of QEMU's own model.
    properties: &'static [&'static str],
    /// The property without which ours refuses it; none where the specification lets it pass, too.
    leniency: Option<&'static str>,
    play: fn(&mut R) -> Result<Finding>,
}

/// Starts a rig.
type Start<R> = fn(&MachineArgs, &Parts, &Path, &str) -> Result<R>;

impl<R> Scene<R> {
    /// It passes with QEMU's own model and with ours in its place, and not with ours without the leniency.
    fn run(&self, machine: &MachineArgs, start: Start<R>, dir: &Path) -> Result<Verdict> {
        let mut args = machine.clone();
        args.implementation = Implementation::C;
        args.iommu.extend(self.properties.iter().map(|p| (*p).to_owned()));
        let play = |args: &MachineArgs, name: &str| -> Result<Finding> {
            let parts = setup::scene_parts(args)?;
            (self.play)(&mut start(args, &parts, dir, name)?)
        };
        let c = play(&args, "c").context("QEMU's own model")?;
        ensure!(c.correct, "QEMU's own model does not let it pass: {}", c.seen);
        args.replace = true;
        let ours = play(&args, "replaced").context("our model in its place")?;
        ensure!(ours.correct, "ours does not let it pass: {}", ours.seen);
        let Some(leniency) = self.leniency else { return Ok(Verdict::Pass(ours.seen)) };
        args.iommu.push(format!("{leniency}=off"));
        let strict = play(&args, "strict").with_context(|| format!("our model with {leniency}=off"))?;
        ensure!(!strict.correct, "it passes with {leniency}=off, too: {}", strict.seen);
        Ok(Verdict::Pass(format!("{}; with {leniency}=off: {}", ours.seen, strict.seen)))
    }
}
