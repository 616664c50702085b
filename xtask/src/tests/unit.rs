// SPDX-License-Identifier: GPL-2.0-or-later
//! `cargo test`, test by test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use super::{Runner, Verdict};
use crate::cli::Suite;
use crate::place;
use crate::setup::rust;
use crate::ui::Step;

/// Every crate's tests, on this machine; without those of nested translation if their own suite runs them.
pub fn run(runner: &mut Runner) {
    let root = place::root();
    let mut arguments = vec!["--workspace", "--lib", "--bins", "--tests"];
    if runner.wants_suite(Suite::Nested) {
        arguments.extend(["--", "--skip", "nested::tier0"]);
    }
    cargo_test(runner, "unit", &root, &arguments, &[]);
    cargo_test(runner, "doc", &root, &["--package", "qemu-iommu", "--doc"], &[]);
    let guest = root.join("guest");
    if guest.join("Cargo.toml").is_file() {
        cargo_test(runner, "guest", &guest, &["--workspace"], &[]);
    }
    // The cache protocol under every interleaving that loom can make.
    if std::fs::read_to_string(root.join("Cargo.toml")).is_ok_and(|t| t.contains("loom")) {
        let environment = [("RUSTFLAGS", "--cfg loom"), ("LOOM_MAX_PREEMPTIONS", "3")];
        cargo_test(
            runner,
            "loom",
            &root,
            &["--package", "qemu-iommu", "--lib", "--release", "loom"],
            &environment,
        );
    }
}

/// Runs one `cargo test` and takes down each of its tests.
pub(super) fn cargo_test(
    runner: &mut Runner,
    prefix: &str,
    dir: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) {
    if !runner.wants(prefix) && runner.wants("boots/") {
        // `--only` names something else entirely.
        return;
    }
    let log = runner.dir.join(format!("{}.log", prefix.replace('/', "-")));
    let started = Instant::now();
    match spawn(runner, prefix, dir, arguments, environment, &log) {
        Ok(0) => runner.record(
            &format!("{prefix}/all"),
            Err(anyhow::anyhow!("no test was run; log: {}", log.display())),
            started.elapsed().as_secs_f32(),
        ),
        Ok(_) => {}
        Err(e) => runner.record(&format!("{prefix}/all"), Err(e), started.elapsed().as_secs_f32()),
    }
}

/// What a test is called. Part of another suite, it is by that one's rules.
fn row(prefix: &str, test: &str) -> String {
    match prefix.split_once('/') {
        None => format!("{prefix}/{test}"),
        Some((suite, _)) => {
            let ours = test.strip_prefix(&format!("{suite}::")).unwrap_or(test).replace("tests::", "");
            format!("{prefix}/{}", ours.trim_start_matches("tier0::").replace("::", "/"))
        }
    }
}

/// How many arguments are cargo's; those behind `--` are the tests'.
fn own_arguments(arguments: &[&str]) -> usize {
    arguments.iter().position(|argument| *argument == "--").unwrap_or(arguments.len())
}

fn spawn(
    runner: &mut Runner,
    prefix: &str,
    dir: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    log: &Path,
) -> Result<usize> {
    let mut target = rust::target_dir()?;
    if dir != place::root() {
        target = target.join("guest-tests");
    } else if environment.iter().any(|(name, _)| *name == "RUSTFLAGS") {
        // Other flags would throw away what the usual builds share.
        target = target.join(prefix);
    }
    let cargo = || {
        let mut command: Command = rust::cargo();
        command
            .arg("test")
            .env("CARGO_TARGET_DIR", &target)
            .envs(environment.iter().copied())
            .current_dir(dir);
        command
    };
    // Tests in documentation are compiled when they run.
    if prefix != "doc" {
        let (own, of_the_tests) = arguments.split_at(own_arguments(arguments));
        let step = Step::begin(&format!("tests to run: {prefix}"), "tests")?;
        step.run(cargo().args(own).arg("--no-run").args(of_the_tests))?;
        step.finish("compiled");
    }
    let mut command = cargo();
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(log.with_extension("build.log"))?);
    let mut child = command.spawn()?;
    let mut text = String::new();
    let mut count = 0;
    let mut last = Instant::now();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            text.push_str(&line);
            text.push('\n');
            let Some((name, verdict)) = line.strip_prefix("test ").and_then(|l| l.split_once(" ... ")) else {
                continue;
            };
            let name = row(prefix, name.trim_end_matches(" - should panic"));
            let result = match verdict.split(',').next().unwrap_or_default() {
                "ok" => Ok(Verdict::Pass(String::new())),
                "ignored" => Ok(Verdict::Skip("ignored".into())),
                _ => Err(anyhow::anyhow!("log: {}", log.display())),
            };
            count += 1;
            runner.record(&name, result, last.elapsed().as_secs_f32());
            last = Instant::now();
        }
    }
    std::fs::write(log, &text)?;
    let status = child.wait()?;
    if !status.success() && !text.contains("FAILED") {
        let tail = place::tail(&log.with_extension("build.log"), 12).join("\n");
        bail!("cargo test ended with {status}\n{tail}");
    }
    Ok(count)
}

#[test]
fn tests_are_called_by_their_suite() {
    assert_eq!(row("unit", "nested::tier0::vtd::tests::a"), "unit/nested::tier0::vtd::tests::a");
    assert_eq!(row("nested/tier0", "nested::tier0::vtd::tests::a"), "nested/tier0/vtd/a");
    assert_eq!(row("nested/tier0", "nested::software::tests::vtd::a"), "nested/tier0/software/vtd/a");
}
