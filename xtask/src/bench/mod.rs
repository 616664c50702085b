// SPDX-License-Identifier: GPL-2.0-or-later
//! `bench`: what translations and invalidations cost in our models and in QEMU's own, side by side.
//!
//! Both run in the same QEMU, each in a machine without a CPU, and are asked in turns. The function `iommu-bench` measures
//! inside QEMU, so nothing of this program's is in the figures. Machines are noisy: a scenario's ratio is the median of
//! the ratios of neighbouring measurements, and one that looks bad is measured again before anybody hears of it.

mod rig;
mod scenarios;
mod smmuv3;
mod vtd;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use console::style;
use serde_json::{Value, json};

use crate::advice::exit;
use crate::cli::{BenchCmd, Implementation, MachineArgs, Model, SourceArgs};
use crate::{place, setup, tests};

use rig::{Mode, Rig};
use scenarios::{Figure, Scenario, UNIT, scenarios};

/// Slower than QEMU's model by more than this, and it is no noise.
const MARGIN: f64 = 1.25;
/// Measurements of a scenario with `--quick`, on either side.
pub const QUICK: usize = 11;
/// Measurements without it.
pub const THOROUGH: usize = 51;
/// Measurements of a scenario that did not look good at first, and how often.
const AGAIN: usize = 41;
const ATTEMPTS: u32 = 2;

/// Scenarios in which ours may be slower, by how much, and why.
const EXCEPTIONS: &[(&str, f64, &str)] = &[("x86_64/sync", 1.6, WAITS), ("x86_64/legacy/sync", 1.6, WAITS)];
/// Some 50 ns, whatever the host: the faster that runs QEMU's model, the larger is their share.
const WAITS: &str = "looks for accesses in flight, and writes the status without its lock";

/// One scenario's figures.
pub struct Row {
    /// The architecture, as QEMU calls it.
    pub arch: &'static str,
    /// The scenario.
    pub scenario: Scenario,
    /// Medians: QEMU's model and ours.
    pub medians: [Option<f64>; 2],
    /// Ours by QEMU's: the median of the pairs.
    pub ratio: Option<f64>,
    /// The same of the fastest measurement of either.
    best: Option<f64>,
    /// Pairs.
    pub n: usize,
}

impl Row {
    /// Ours is slower than it may be. A neighbour on the machine can spoil medians or a lucky moment, and seldom both.
    pub fn is_slower(&self) -> bool {
        let margin = self.exception().map_or(MARGIN, |(margin, _)| margin);
        let slower = |ratio: Option<f64>| ratio.is_some_and(|ratio| ratio > margin);
        slower(self.ratio) && slower(self.best)
    }

    /// By how much more it may be slower, and why.
    fn exception(&self) -> Option<(f64, &'static str)> {
        let name = format!("{}/{}", self.arch, self.scenario.name);
        EXCEPTIONS.iter().find(|(exception, ..)| *exception == name).map(|(_, margin, why)| (*margin, *why))
    }

    fn to_json(&self) -> Vec<Value> {
        ["c", "rust"]
            .iter()
            .zip(self.medians)
            .filter_map(|(name, median)| {
                Some(json!({
                    "scenario": self.scenario.name,
                    "arch": self.arch,
                    "impl": name,
                    "median": (median? * 10.0).round() / 10.0,
                    "unit": UNIT,
                    "n": self.n,
                }))
            })
            .collect()
    }

    /// For a person.
    pub fn line(&self) -> String {
        let number = |median: Option<f64>| median.map_or("—".to_owned(), |ns| format!("{ns:.0}"));
        let ratio = match self.ratio {
            Some(ratio) if ratio <= 1.0 => format!("{:.1}× faster", 1.0 / ratio),
            Some(ratio) => format!("{ratio:.2}× slower"),
            None => String::new(),
        };
        let ratio = if self.is_slower() { style(ratio).red() } else { style(ratio).green() };
        format!(
            "  {:<24} {:>9} {:>9}  {:>13}   {}",
            self.scenario.name,
            number(self.medians[0]),
            number(self.medians[1]),
            ratio,
            style(self.exception().map_or(self.scenario.about, |(_, why)| why)).dim()
        )
        .trim_end()
        .to_owned()
    }
}

/// The middle; sorts.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some((values.get(middle - 1)? + upper) / 2.0) }
}

/// One figure of a scenario on one machine.
fn figure(rig: &mut Rig, scenario: &Scenario) -> Result<f64> {
    for run in &scenario.before {
        rig.run(run)?;
    }
    let sample = rig.run(&scenario.run)?;
    Ok(match scenario.figure {
        Figure::Access => sample.access,
        Figure::Command => sample.command,
        Figure::Round => sample.round,
    })
}

/// Measures in turns: QEMU's, ours, ours, QEMU's, and so on.
fn measure(rigs: &mut [Rig; 2], arch: &'static str, scenario: &Scenario, n: usize) -> Result<Row> {
    let mut figures = [Vec::new(), Vec::new()];
    let mut ratios = Vec::new();
    // The first round brings everything into the caches, the host's too.
    for round in 0..=n {
        let mut pair = [None; 2];
        for turn in 0..2 {
            let side = (turn + round) % 2;
            if side == 0 && scenario.only_rust {
                continue;
            }
            let figure = figure(&mut rigs[side], scenario).with_context(|| {
                format!("{arch}: {} of {}", scenario.name, ["QEMU's model", "ours"][side])
            })?;
            pair[side] = Some(figure);
        }
        if round == 0 {
            continue;
        }
        for side in 0..2 {
            figures[side].extend(pair[side]);
        }
        if let [Some(c), Some(rust)] = pair {
            ratios.push(rust / c.max(0.1));
        }
    }
    let [c, rust] = &mut figures;
    let medians = [median(c), median(rust)];
    Ok(Row {
        arch,
        scenario: scenario.clone(),
        medians,
        ratio: median(&mut ratios),
        // Both are sorted by now.
        best: c.first().zip(rust.first()).map(|(c, rust)| rust / c.max(0.1)),
        n,
    })
}

/// What is measured.
pub struct Selection<'a> {
    /// The architecture; `None`: both.
    pub model: Option<Model>,
    /// Scenarios whose name contains it.
    pub only: Option<&'a str>,
    /// Measurements a scenario.
    pub n: usize,
}

/// Measures and tells each row as it comes.
pub fn run(
    source: &SourceArgs,
    selection: &Selection<'_>,
    dir: &Path,
    tell: &mut dyn FnMut(&Row),
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (model, mode) in
        [(Model::Smmuv3, Mode::FirstStage), (Model::Vtd, Mode::FirstStage), (Model::Vtd, Mode::Legacy)]
    {
        if selection.model.is_some_and(|wanted| wanted != model) {
            continue;
        }
        let mut wanted = scenarios(model, mode);
        wanted.retain(|s| selection.only.is_none_or(|only| s.name.contains(only)));
        if wanted.is_empty() {
            continue;
        }
        let args = |implementation| MachineArgs {
            model,
            implementation,
            // Its tables have 3 levels otherwise, and ours 4.
            iommu: match (model, implementation) {
                (Model::Vtd, Implementation::C) => vec!["aw-bits=48".into()],
                _ => Vec::new(),
            },
            ..tests::plain_machine(source)
        };
        let parts = setup::scene_parts(&args(Implementation::Rust))?;
        setup::qemu::check_optimised(&parts.qemu)?;
        let mut rigs = [
            Rig::start(&args(Implementation::C), mode, &parts, dir)?,
            Rig::start(&args(Implementation::Rust), mode, &parts, dir)?,
        ];
        for scenario in &wanted {
            let mut row = measure(&mut rigs, model.target(), scenario, selection.n)?;
            for _ in 0..ATTEMPTS {
                if !row.is_slower() {
                    break;
                }
                row = measure(&mut rigs, model.target(), scenario, selection.n.max(AGAIN))?;
            }
            tell(&row);
            rows.push(row);
        }
    }
    Ok(rows)
}

/// `bench`: returns the exit code.
pub fn command(cmd: &BenchCmd) -> Result<u8> {
    let dir = place::results("bench")?;
    let selection = Selection {
        model: cmd.model,
        only: cmd.only.as_deref(),
        n: if cmd.quick { QUICK } else { THOROUGH },
    };
    let mut arch = "";
    let rows = run(&cmd.source, &selection, &dir, &mut |row| {
        if row.arch != arch {
            arch = row.arch;
            println!("\n{}\n", style(format!("{arch}, nanoseconds, medians of {}", row.n)).bold());
            println!("  {}", style(format!("{:<24} {:>9} {:>9}", "scenario", "QEMU's", "ours")).dim());
        }
        println!("{}", row.line());
    })?;
    let json: Vec<Value> = rows.iter().flat_map(Row::to_json).collect();
    let text = format!("{:#}\n", Value::from(json));
    fs::write(dir.join("result.json"), &text)?;
    if let Some(file) = &cmd.json {
        fs::write(file, &text).with_context(|| format!("writing {}", file.display()))?;
    }
    let slower = rows.iter().filter(|row| row.is_slower()).count();
    let compared = rows.iter().filter(|row| row.ratio.is_some()).count();
    println!("\n{compared} scenarios compared, ours slower in {slower}");
    Ok(if slower == 0 && !rows.is_empty() { exit::PASS } else { exit::FAIL })
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn names_are_unique() {
        for (model, mode) in
            [(Model::Smmuv3, Mode::FirstStage), (Model::Vtd, Mode::FirstStage), (Model::Vtd, Mode::Legacy)]
        {
            let mut names: Vec<String> = scenarios(model, mode).into_iter().map(|s| s.name).collect();
            let all = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }
}
