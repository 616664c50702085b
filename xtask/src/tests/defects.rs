// SPDX-License-Identifier: GPL-2.0-or-later
//! Defects of QEMU's C model: it fails where the defect shows, ours passes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Runner, Verdict, plain_machine};
use crate::cli::Implementation;
use crate::scenario::Rig;
use crate::scenario::defects::{Defect, EXCLUDED, Finding, SHOWN};

/// The suite; `--json` gets the list of rows `{id, c, rust}`.
pub fn run(runner: &mut Runner, own_file: bool) {
    let mut rows: Vec<Value> = Vec::new();
    for defect in SHOWN {
        let rows = &mut rows;
        runner.test(&format!("defects/{}", defect.id), |r, dir| {
            let c = play(r, defect, Implementation::C, &dir).context("QEMU's C model")?;
            let ours = play(r, defect, Implementation::Rust, &dir).context("arm-smmuv3-rs")?;
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
    for (id, c, ours) in EXCLUDED {
        let rows = &mut rows;
        runner.test(&format!("defects/{id}"), |_, _| {
            rows.push(json!({"id": id, "c": c, "rust": ours}));
            Ok(Verdict::Pass((*ours).to_owned()))
        });
    }
    rows.sort_by_key(|r| r["id"].as_str().and_then(|id| id.get(1..)?.parse::<u32>().ok()));
    let text = format!("{:#}\n", Value::Array(rows));
    let _ = fs::write(runner.dir.join("defects.json"), &text);
    if let Some(file) = runner.json.as_ref().filter(|_| own_file)
        && let Err(e) = fs::write(file, &text)
    {
        runner.record("defects/json", Err(anyhow::anyhow!("writing {}: {e}", file.display())), 0.0);
    }
}

fn play(runner: &Runner, defect: &Defect, implementation: Implementation, dir: &Path) -> Result<Finding> {
    let mut args = plain_machine(&runner.source);
    args.implementation = implementation;
    let parts = crate::setup::parts_for(&args)?;
    let name = match implementation {
        Implementation::C => "c",
        Implementation::Rust => "rust",
    };
    let mut rig = Rig::start(&args, &parts, dir, name)?;
    (defect.play)(&mut rig)
}
