// SPDX-License-Identifier: GPL-2.0-or-later
//! Defects of QEMU's C models: they fail where a defect shows, ours pass.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Runner, Verdict, plain_machine, plain_vtd};
use crate::cli::{Implementation, MachineArgs, Suite};
use crate::scenario::{Defect, Finding, smmuv3, vtd};
use crate::setup;
use crate::vm::Parts;

/// Starts a rig.
type Start<R> = fn(&MachineArgs, &Parts, &Path, &str) -> Result<R>;

/// The suite; `--json` gets the list of rows `{id, c, rust}`.
pub fn run(runner: &mut Runner) {
    let mut rows: Vec<Value> = Vec::new();
    let mut smmu = plain_machine(&runner.source);
    smmu.iommu.push("stage=nested".into());
    shown(runner, &mut rows, &smmu, smmuv3::Rig::start, smmuv3::defects::SHOWN);
    shown(runner, &mut rows, &smmu, smmuv3::Rig::start_consumer, smmuv3::defects::CONSUMED);
    excluded(runner, &mut rows, smmuv3::defects::EXCLUDED);
    let unit = plain_vtd(&runner.source);
    shown(runner, &mut rows, &unit, vtd::Rig::start, vtd::defects::SHOWN);
    excluded(runner, &mut rows, vtd::defects::EXCLUDED);
    rows.sort_by_key(|r| {
        let id = r["id"].as_str().unwrap_or_default();
        (id.get(..1).map(str::to_owned), id.get(1..).and_then(|n| n.parse::<u32>().ok()))
    });
    let text = format!("{:#}\n", Value::Array(rows));
    let _ = fs::write(runner.dir.join("defects.json"), &text);
    if let Some(file) = runner.json.as_ref().filter(|_| runner.runs_alone(Suite::Defects))
        && let Err(e) = fs::write(file, &text)
    {
        runner.record("defects/json", Err(anyhow::anyhow!("writing {}: {e}", file.display())), 0.0);
    }
}

/// Plays every scene with both models.
fn shown<R>(
    runner: &mut Runner,
    rows: &mut Vec<Value>,
    machine: &MachineArgs,
    start: Start<R>,
    defects: &[Defect<R>],
) {
    for defect in defects {
        runner.test(&format!("defects/{}", defect.id), |_, dir| {
            let c = play(machine, start, defect, Implementation::C, &dir).context("QEMU's C model")?;
            let ours = play(machine, start, defect, Implementation::Rust, &dir).context("our model")?;
            let word = |f: &Finding| if f.correct { "pass" } else { "fail" };
            rows.push(json!({
                "id": defect.id,
                "c": word(&c),
                "rust": word(&ours),
                "rule": defect.rule,
                "c_seen": c.seen,
                "rust_seen": ours.seen,
            }));
            if !ours.correct {
                bail!("ours is wrong too: {}\nrule: {}", ours.seen, defect.rule);
            }
            if c.correct {
                bail!("the C model does not show it: {}", c.seen);
            }
            Ok(Verdict::Pass(format!("C: {}; ours: {}", c.seen, ours.seen)))
        });
    }
}

/// What no scene can show.
fn excluded(runner: &mut Runner, rows: &mut Vec<Value>, defects: &[(&str, &str, &str)]) {
    for (id, c, ours) in defects {
        runner.test(&format!("defects/{id}"), |_, _| {
            rows.push(json!({"id": id, "c": c, "rust": ours}));
            Ok(Verdict::Pass((*ours).to_owned()))
        });
    }
}

fn play<R>(
    machine: &MachineArgs,
    start: Start<R>,
    defect: &Defect<R>,
    implementation: Implementation,
    dir: &Path,
) -> Result<Finding> {
    let mut args = machine.clone();
    args.implementation = implementation;
    let name = match implementation {
        Implementation::C => "c",
        Implementation::Rust => "rust",
    };
    let parts = setup::scene_parts(&args)?;
    let mut rig = start(&args, &parts, dir, name)?;
    (defect.play)(&mut rig)
}
