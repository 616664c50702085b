// SPDX-License-Identifier: GPL-2.0-or-later
//! Nothing is slower than with QEMU's own models, but for what [`bench`] names with its reason.

use std::path::Path;

use anyhow::{Result, bail};

use super::{Runner, Verdict};
use crate::bench::{self, QUICK, Row, Selection};
use crate::cli::Model;

/// The suite.
pub fn run(runner: &mut Runner) {
    for model in [Model::Smmuv3, Model::Vtd] {
        runner.test(&format!("bench/{}", model.name()), |r, dir| no_slower(r, model, &dir));
    }
}

fn no_slower(runner: &Runner, model: Model, dir: &Path) -> Result<Verdict> {
    let selection = Selection { model: Some(model), only: None, n: QUICK };
    let rows = bench::run(&runner.source, &selection, dir, &mut |_| {})?;
    let slower: Vec<String> = rows.iter().filter(|row| row.is_slower()).map(Row::line).collect();
    if !slower.is_empty() {
        bail!("slower than QEMU's own model (nanoseconds: QEMU's, ours):\n{}", slower.join("\n"));
    }
    let mut ratios: Vec<f64> = rows.iter().filter_map(|row| row.ratio).collect();
    let middle = bench::median(&mut ratios).unwrap_or(1.0);
    Ok(Verdict::Pass(format!("{} scenarios, {:.1}× as fast in the middle", ratios.len(), 1.0 / middle)))
}
