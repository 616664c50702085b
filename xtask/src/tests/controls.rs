// SPDX-License-Identifier: GPL-2.0-or-later
//! Negative controls: a demo that cannot fail proves nothing.

use anyhow::{Result, bail};

use super::boots::{demo_in, demo_with};
use super::{Runner, Verdict, plain_machine, plain_vtd};
use crate::cli::{Implementation, MachineArgs, SourceArgs};
use crate::guest::{Outcome, Status};
use crate::setup::{self, rust};

/// Passes when the demo failed, on `wanted`, and `spared` passed.
fn fails_on(outcome: &Outcome, wanted: &[&str], spared: &[&str]) -> Result<Verdict> {
    let failed = outcome.failed();
    if outcome.is_good() {
        bail!("the demo passed, and had to fail on {}", wanted.join(" or "));
    }
    let Some(hit) = failed.iter().find(|f| wanted.contains(f)) else {
        bail!("the demo failed, but not on {}: {}", wanted.join(" or "), outcome.summary());
    };
    for name in spared {
        if !outcome.rows.iter().any(|r| r.name == *name && r.status == Status::Pass) {
            bail!("{name} had to pass: {}", outcome.summary());
        }
    }
    let why = outcome.rows.iter().find(|r| r.name == *hit).map_or("", |r| r.detail.as_str());
    Ok(Verdict::Pass(format!("fails on {hit}: {}", why.lines().next().unwrap_or_default())))
}

/// The suite.
pub fn run(runner: &mut Runner) {
    for (prefix, plain) in [("", plain_machine as Plain), ("vtd-", plain_vtd)] {
        architecture(runner, prefix, plain);
    }
}

type Plain = fn(&SourceArgs) -> MachineArgs;

fn architecture(runner: &mut Runner, prefix: &str, plain: Plain) {
    runner.test(&format!("controls/{prefix}c-model"), |r, dir| {
        let mut args = plain(&r.source);
        args.implementation = Implementation::C;
        fails_on(&demo_in(&args, "bind-and-pasid,copy-malloc", &dir, 120)?, &["bind-and-pasid"], &[])
    });
    runner.test(&format!("controls/{prefix}engines-off"), |r, dir| {
        let mut args = plain(&r.source);
        args.endpoint.push("x-engines-off=on".into());
        fails_on(
            &demo_in(&args, "bind-and-pasid,copy-malloc", &dir, 180)?,
            &["copy-malloc"],
            &["bind-and-pasid"],
        )
    });
    runner.test(&format!("controls/{prefix}dropped-tlb-invalidations"), |r, dir| {
        let args = plain(&r.source);
        let mut parts = setup::parts_for(&args)?;
        parts.plugin = rust::plugin_with(&r.source, &["mutation-drop-tlbi"])?;
        // The first check of a run: nothing older than its own mappings can be stale. Interrupts are translated as
        // well, so the line to the host may be dead; the console then tells.
        let outcome = demo_with(&args, parts, "munmap", &dir, 120)?;
        fails_on(&outcome, &["munmap"], &["kernel-clean"])
    });
    runner.test(&format!("controls/{prefix}no-disks"), |r, dir| {
        // Checks that were named and have nothing to look at have failed, not passed.
        let outcome = demo_in(&plain(&r.source), "ordinary-io", &dir, 60)?;
        fails_on(&outcome, &["virtio-disk"], &["kernel-clean"])
    });
}
