// SPDX-License-Identifier: GPL-2.0-or-later
//! `test`: the suites, a named line for each test, and the closing line `N passed, N failed`.

mod avocado;
mod bench;
mod boots;
mod budget;
mod compat;
mod conformance;
mod controls;
mod defects;
mod driver;
mod endpoint;
mod event;
mod example;
mod fresh;
mod hostile;
mod interrupts;
mod leaving;
mod lint;
mod matrix;
mod messages;
mod nested;
mod qtests;
mod registers;
mod snapshot;
mod soak;
mod unit;
mod units;
mod vhost;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use console::style;
use serde_json::json;

use crate::advice::exit;
use crate::cli::{MachineArgs, Model, PageSize, SourceArgs, Suite, TestCmd};
use crate::setup::packages::Need;
use crate::vm::Parts;
use crate::{demo, place, setup, ui};

/// What became of a test that did not fail.
pub enum Verdict {
    /// It passed; a figure.
    Pass(String),
    /// It could not be made here, and why.
    Skip(String),
}

/// A passed test without a figure.
pub fn pass() -> Result<Verdict> {
    Ok(Verdict::Pass(String::new()))
}

struct Entry {
    name: String,
    status: &'static str,
    detail: String,
    seconds: f32,
}

/// Which of a suite's tests run, of those that `--only` lets through.
#[derive(Debug, PartialEq, Eq)]
enum Pick {
    All,
    /// The one of this name.
    This(String),
    /// None: their names are asked for.
    Names(Vec<String>),
}

/// Runs tests and keeps the score.
pub struct Runner {
    entries: Vec<Entry>,
    suites: Vec<Suite>,
    only: Option<String>,
    pick: Pick,
    /// Where logs go.
    pub dir: PathBuf,
    /// Where parts come from.
    pub source: SourceArgs,
    /// Whether the rare ones run too.
    pub more: bool,
    /// `--json`.
    pub json: Option<PathBuf>,
}

impl Runner {
    /// Runs one test. Its log directory is created and handed to it.
    pub fn test(&mut self, name: &str, body: impl FnOnce(&Self, PathBuf) -> Result<Verdict>) {
        if !self.wants(name) {
            return;
        }
        match &mut self.pick {
            Pick::All => {}
            Pick::This(wanted) if wanted == name => {}
            Pick::This(_) => return,
            Pick::Names(names) => return names.push(name.to_owned()),
        }
        let log = name.replace(['/', ' '], "-");
        let mut dir = self.dir.join(&log);
        // A test that runs again has logs of its own.
        for time in 2.. {
            if !dir.exists() {
                break;
            }
            dir = self.dir.join(format!("{log}.{time}"));
        }
        let _ = fs::create_dir_all(&dir);
        let started = Instant::now();
        let pulse = ui::Pulse::of_test(name);
        let result = body(self, dir);
        drop(pulse);
        let seconds = started.elapsed().as_secs_f32();
        self.record(name, result, seconds);
    }

    /// Whether a suite runs.
    fn wants_suite(&self, suite: Suite) -> bool {
        self.suites.iter().any(|wanted| [suite, Suite::All].contains(wanted))
    }

    /// Whether a suite is the only one that was asked for.
    fn runs_alone(&self, suite: Suite) -> bool {
        self.suites == [suite]
    }

    /// Whether `--only` lets this test through.
    pub fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }

    /// The names of a suite's tests, of which none is run.
    fn names(&mut self, suite: fn(&mut Self)) -> Vec<String> {
        let before = std::mem::replace(&mut self.pick, Pick::Names(Vec::new()));
        suite(self);
        match std::mem::replace(&mut self.pick, before) {
            Pick::Names(names) => names,
            _ => Vec::new(),
        }
    }

    /// Runs one test of a suite.
    fn only_this(&mut self, name: &str, suite: fn(&mut Self)) {
        let before = std::mem::replace(&mut self.pick, Pick::This(name.to_owned()));
        suite(self);
        self.pick = before;
    }

    /// Takes down a result that came about elsewhere.
    pub fn record(&mut self, name: &str, result: Result<Verdict>, seconds: f32) {
        let (status, mark, detail) = match result {
            Ok(Verdict::Pass(detail)) => ("passed", style("ok  ").green(), detail),
            Ok(Verdict::Skip(detail)) => ("skipped", style("skip").yellow(), detail),
            Err(e) => ("failed", style("FAIL").red().bold(), format!("{e:#}")),
        };
        let mut lines = detail.lines();
        println!("{mark}  {name:<44} {:>6.1} s  {}", seconds, lines.next().unwrap_or_default());
        for line in lines {
            println!("          {line}");
        }
        self.entries.push(Entry { name: name.to_owned(), status, detail, seconds });
    }

    /// The parts of a machine; made on first use, from the cache after that.
    pub fn parts(&self, model: Model, page_size: PageSize) -> Result<Parts> {
        setup::parts(&self.source, model, page_size)
    }

    fn count(&self, status: &str) -> usize {
        self.entries.iter().filter(|e| e.status == status).count()
    }
}

/// A machine as `demo` without options has it.
pub fn plain_machine(source: &SourceArgs) -> MachineArgs {
    use clap::Parser;
    // The defaults stand in one place: the command line's definition.
    let cli = crate::cli::Cli::parse_from(["qemu-iommu", "command-line"]);
    let crate::cli::Cmd::CommandLine(cmd) = cli.command else { unreachable!("parsed as command-line") };
    MachineArgs { source: source.clone(), ..cmd.machine }
}

/// The plain machine with the other architecture's IOMMU. A kernel image that was given is of one architecture; the
/// other's comes from the cache.
pub fn plain_vtd(source: &SourceArgs) -> MachineArgs {
    let mut args = MachineArgs { model: Model::Vtd, ..plain_machine(source) };
    if args.source.kernel.as_ref().is_some_and(|image| setup::kernel::check_image(image, Model::Vtd).is_err())
    {
        args.source.kernel = None;
    }
    args.source.kdir = None;
    args
}

/// A suite, how many minutes of a whole test command it may take where everything is built, and what runs it.
struct Row {
    suite: Suite,
    minutes: f32,
    run: fn(&mut Runner),
}

const fn row(suite: Suite, minutes: f32, run: fn(&mut Runner)) -> Row {
    Row { suite, minutes, run }
}

/// The suites in the order in which they run.
const SUITES: &[Row] = &[
    row(Suite::Lint, 2.0, lint::run),
    row(Suite::Unit, 5.0, unit::run),
    row(Suite::Fresh, 2.0, fresh::run),
    row(Suite::Nested, 3.0, nested::run),
    row(Suite::QemuQtests, 0.5, qtests::run),
    row(Suite::Boots, 1.5, boots::run),
    row(Suite::Matrix, 8.0, matrix::run),
    row(Suite::Units, 1.0, units::run),
    row(Suite::Vhost, 2.0, vhost::run),
    row(Suite::Interrupts, 1.0, interrupts::run),
    row(Suite::Registers, 0.5, registers::run),
    row(Suite::Endpoint, 0.5, endpoint::run),
    row(Suite::Compat, 0.5, compat::run),
    row(Suite::Conformance, 0.5, conformance::run),
    row(Suite::Bench, 0.5, bench::run),
    row(Suite::Snapshot, 1.0, snapshot::run),
    row(Suite::Hostile, 0.5, hostile::run),
    row(Suite::Controls, 2.0, controls::run),
    row(Suite::Defects, 0.5, defects::run),
    row(Suite::Driver, 2.0, driver::run),
    row(Suite::Avocado, 3.0, avocado::run),
    row(Suite::Messages, 0.5, messages::run),
];

/// Suites that start no QEMU.
const WITHOUT_QEMU: &[Suite] = &[Suite::Lint, Suite::Unit];

/// What suites need whatever is in the cache: a QEMU that was built before needs its libraries to start, and the C examples
/// are compiled with the headers of the same packages.
fn standing_needs(wanted: &[Suite]) -> Vec<Need> {
    let any = |suites: &[Suite]| suites.iter().any(|suite| wanted.contains(suite));
    let mut needs = Vec::new();
    if wanted.iter().any(|suite| !WITHOUT_QEMU.contains(suite)) {
        needs.extend([Need::Qemu, Need::FirmwareX86]);
    }
    if any(&[Suite::Matrix, Suite::Units]) {
        needs.push(Need::FirmwareArm);
    }
    // The first assembles a program of its own; the second's toolchains have no target of the guest's.
    if any(&[Suite::Interrupts, Suite::Fresh]) {
        needs.push(Need::KernelArm64);
    }
    // Their kernels and modules are compiled from what is not in the cache of a first run.
    if any(&[Suite::Matrix, Suite::Driver]) {
        needs.push(setup::kernel::toolchain(Model::Smmuv3));
    }
    if any(&[Suite::Driver]) {
        needs.push(setup::kernel::toolchain(Model::Vtd));
    }
    if any(&[Suite::Avocado]) {
        needs.push(Need::Avocado);
    }
    if any(&[Suite::Vhost]) {
        needs.push(Need::Testpmd);
    }
    needs
}

/// What the packages are for that any wanted suite will ask for: it is better to fail for want of one now than in half an hour.
fn needs(runner: &Runner) -> Result<Vec<Need>> {
    let source = &runner.source;
    let soaks = runner.suites.contains(&Suite::Soak);
    let wanted: Vec<Suite> =
        SUITES.iter().map(|row| row.suite).filter(|suite| soaks || runner.wants_suite(*suite)).collect();
    let mut needs = standing_needs(&wanted);
    if wanted.iter().any(|suite| !WITHOUT_QEMU.contains(suite)) {
        needs.extend(setup::qemu::needs(source)?);
    }
    if wanted.iter().any(|suite| boots_guests(*suite)) {
        for model in [Model::Smmuv3, Model::Vtd] {
            needs.extend(setup::kernel::needs(source, model, PageSize::K4)?);
        }
        needs.extend(setup::rust::needs());
    }
    Ok(needs)
}

/// `test`: returns the exit code.
pub fn command(cmd: &TestCmd) -> Result<u8> {
    let started = Instant::now();
    let mut runner = Runner {
        entries: Vec::new(),
        suites: cmd.suites.clone(),
        only: cmd.only.clone(),
        pick: Pick::All,
        dir: place::results("test")?,
        source: cmd.source.clone(),
        more: cmd.more,
        json: cmd.json.clone(),
    };
    if cmd.only.is_none() {
        setup::packages::ensure(&needs(&runner)?, cmd.source.yes)?;
        setup::packages::all_asked();
    }
    for Row { suite, minutes, run } in SUITES {
        if !runner.wants_suite(*suite) {
            continue;
        }
        // CI on a clean clone: what can be missing is made before the first guest boots, under its own name.
        if boots_guests(*suite) && !runner.entries.iter().any(|e| e.name == SET_UP) {
            runner.test(SET_UP, |r, _| {
                let parts = r.parts(Model::Smmuv3, PageSize::K4)?;
                Ok(Verdict::Pass(demo::shown(&parts.plugin)))
            });
        }
        let clock = budget::Clock::start();
        run(&mut runner);
        budget::check(&mut runner, *suite, *minutes, &clock);
    }
    // Never part of all: it takes as long as it is told to, and writes to the tree.
    if runner.suites.contains(&Suite::Soak) {
        soak::run(&mut runner, &soak::Plan::new(cmd.minutes, cmd.seed));
    }
    let late = setup::packages::asked_late();
    if !late.is_empty() {
        let e = anyhow::anyhow!("a suite asked for {} in its midst: tell `needs` of it", late.join(", "));
        runner.record("packages-at-the-beginning", Err(e), 0.0);
    }
    finish(&runner, started)
}

/// The name of the test that makes what guests are booted with.
const SET_UP: &str = "setup/smmuv3";

/// Whether a suite boots guests. The others come before the first of these, or need QEMU and the plugin alone.
fn boots_guests(suite: Suite) -> bool {
    !matches!(
        suite,
        Suite::All
            | Suite::Lint
            | Suite::Unit
            | Suite::Registers
            | Suite::Endpoint
            | Suite::Compat
            | Suite::Conformance
            | Suite::Bench
            | Suite::Hostile
            | Suite::Defects
    )
}

fn finish(runner: &Runner, started: Instant) -> Result<u8> {
    let (passed, failed, skipped) = (runner.count("passed"), runner.count("failed"), runner.count("skipped"));
    let seconds = started.elapsed().as_secs_f32();
    let result = json!({
        "passed": passed,
        "failed": failed,
        "skipped": skipped,
        "seconds": (f64::from(seconds) * 10.0).round() / 10.0,
        "tests": runner.entries.iter().map(|e| json!({
            "name": e.name,
            "status": e.status,
            "detail": e.detail,
            "seconds": (f64::from(e.seconds) * 10.0).round() / 10.0,
        })).collect::<Vec<_>>(),
    });
    let text = format!("{result:#}\n");
    let _ = fs::write(runner.dir.join("result.json"), &text);
    if let Some(file) = runner.json.as_ref().filter(|_| !runner.runs_alone(Suite::Defects)) {
        fs::write(file, &text).with_context(|| format!("writing {}", file.display()))?;
    }
    println!("\nlogs: {}   {seconds:.0} s", demo::shown(&runner.dir));
    for entry in runner.entries.iter().filter(|e| e.status == "failed") {
        println!("failed: {}", entry.name);
    }
    let skipped = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    println!("{passed} passed, {failed} failed{skipped}");
    Ok(if failed == 0 && passed > 0 { exit::PASS } else { exit::FAIL })
}

#[test]
fn packages_hang_on_suites_and_not_on_the_cache() {
    for Row { suite, .. } in SUITES.iter().filter(|row| !WITHOUT_QEMU.contains(&row.suite)) {
        assert!(standing_needs(&[*suite]).contains(&Need::Qemu), "{suite:?} starts QEMU");
    }
    assert!(standing_needs(WITHOUT_QEMU).is_empty());
    assert!(standing_needs(&[Suite::Interrupts]).contains(&Need::KernelArm64));
}
