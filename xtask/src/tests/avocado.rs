// SPDX-License-Identifier: GPL-2.0-or-later
//! Avocado over `tests/avocado/`, in a Python environment in the cache.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Runner, Verdict};
use crate::place;
use crate::setup::{packages, qemu};

const PIP: &[&str] = &["avocado-framework==113.0"];

/// The suite: one line for each of Avocado's tests.
pub fn run(runner: &mut Runner) {
    if !runner.wants("avocado") && runner.wants("boots/") {
        return;
    }
    let started = std::time::Instant::now();
    match job(runner) {
        Ok(tests) if !tests.is_empty() => {
            for (name, result, seconds) in tests {
                runner.record(&name, result, seconds);
            }
        }
        Ok(_) => runner.record(
            "avocado/all",
            Err(anyhow::anyhow!("avocado ran no test")),
            started.elapsed().as_secs_f32(),
        ),
        Err(e) => runner.record("avocado/all", Err(e), started.elapsed().as_secs_f32()),
    }
}

type Test = (String, Result<Verdict>, f32);

fn job(runner: &Runner) -> Result<Vec<Test>> {
    packages::ensure(&[packages::Need::Avocado], runner.source.yes)?;
    let venv = qemu::environment("avocado", PIP, "Python environment for Avocado")?;
    let dir = runner.dir.join("avocado");
    fs::create_dir_all(&dir)?;
    let mut c = super::messages::this_program(&runner.source);
    let program = c.get_program().to_owned();
    let environment: Vec<_> = c.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned()))).collect();
    c = std::process::Command::new(venv.join("bin/avocado"));
    c.args(["run", "--max-parallel-tasks", "1", "--job-results-dir"])
        .arg(&dir)
        .arg("tests/avocado")
        .envs(environment)
        .env("QEMU_IOMMU_PROGRAM", program)
        .current_dir(place::root());
    let output = c.output().context("running avocado")?;
    fs::write(dir.join("output"), [output.stdout, output.stderr].concat())?;
    let results = dir.join("latest/results.json");
    let Ok(text) = fs::read_to_string(&results) else {
        bail!("avocado wrote no results:\n{}", place::tail(&dir.join("output"), 15).join("\n"));
    };
    let value: Value = serde_json::from_str(&text)?;
    let tests = value["tests"].as_array().cloned().unwrap_or_default();
    Ok(tests
        .iter()
        .map(|t| {
            let whole = t["id"].as_str().unwrap_or_default();
            let name = whole.rsplit(':').next().unwrap_or(whole).rsplit('/').next().unwrap_or(whole);
            let result = match t["status"].as_str() {
                Some("PASS") => Ok(Verdict::Pass(String::new())),
                Some("SKIP" | "CANCEL") => {
                    Ok(Verdict::Skip(t["fail_reason"].as_str().unwrap_or_default().to_owned()))
                }
                status => Err(anyhow::anyhow!(
                    "{}: {}\nlog: {}",
                    status.unwrap_or("?"),
                    t["fail_reason"].as_str().unwrap_or_default(),
                    t["logfile"].as_str().unwrap_or_default()
                )),
            };
            let seconds = t["time_elapsed"].as_f64().unwrap_or(0.0);
            #[allow(clippy::cast_possible_truncation)]
            (format!("avocado/{name}"), result, seconds as f32)
        })
        .collect())
}
