// SPDX-License-Identifier: GPL-2.0-or-later
//! `test soak`: whole demos and the rows of every suite that boots guests, in random order, beside two busy loops, for as long
//! as was asked. On demand only. What was run and what failed goes to a ledger in the tree, [`LEDGER`].

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;

use super::boots::{demo_in, good};
use super::{
    Runner, Verdict, controls, driver, interrupts, matrix, plain_machine, plain_vtd, snapshot, units,
};
use crate::cli::{MachineArgs, SourceArgs};
use crate::place;

/// Where runs and failures are written down.
const LEDGER: &str = "docs/soak-ledger.md";
/// How it begins.
const HEAD: &str = "# Soak ledger

Every run of `cargo xtask test soak` adds a chapter: how often each test passed beside two busy loops, and what failed. A failure
keeps its line; the person who finds its cause writes it below.
";
/// Busy loops beside the guests.
const LOOPS: usize = 2;
/// Longest time of a whole demo: the machine is busy.
const DEMO_SECONDS: u64 = 600;

type Rows = fn(&mut Runner);
type Plain = fn(&SourceArgs) -> MachineArgs;

/// The suites that boot guests, but for those that are other programs' (Avocado, `cargo test`).
const SUITES: &[(&str, Rows)] = &[
    ("matrix", matrix::run),
    ("units", units::run),
    ("interrupts", interrupts::run),
    ("snapshot", snapshot::run),
    ("controls", controls::run),
    ("driver", driver::run),
];

/// Whole demos.
const DEMOS: &[(&str, Plain)] = &[("soak/demo-smmuv3", plain_machine), ("soak/demo-vtd", plain_vtd)];

/// What a time and an order are asked of.
pub struct Plan {
    /// No test begins later.
    pub time: Duration,
    /// Of the order.
    pub seed: u64,
}

impl Plan {
    /// A plan with this seed, or one that differs from run to run.
    pub fn new(minutes: u64, seed: Option<u64>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { time: Duration::from_secs(60 * minutes), seed: seed.unwrap_or(u64::from(now.subsec_nanos())) }
    }
}

/// SplitMix64: the same order for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ z >> 31) % bound.max(1) as u64).unwrap_or(0)
    }
}

/// Things that are taken out in random order, all of them before any is taken again.
struct Bag<T> {
    all: Vec<T>,
    left: Vec<T>,
}

impl<T: Clone> Bag<T> {
    fn new(all: Vec<T>) -> Self {
        Self { all, left: Vec::new() }
    }

    fn take(&mut self, random: &mut Random) -> Option<T> {
        if self.left.is_empty() {
            self.left.clone_from(&self.all);
        }
        (!self.left.is_empty()).then(|| self.left.swap_remove(random.below(self.left.len())))
    }
}

/// Computes for nothing while it lives.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn new() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..LOOPS {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut sum = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    sum = (0..1_000_000u64).fold(sum, |sum, n| black_box(sum.wrapping_add(n)));
                }
            });
        }
        Self(stop)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The suite.
pub fn run(runner: &mut Runner, plan: &Plan) {
    println!("seed {}: the same order with --seed {}", plan.seed, plan.seed);
    let mut bags: Vec<(&str, Bag<String>)> = vec![("demo", Bag::new(demos(runner)))];
    for (suite, rows) in SUITES {
        let names = runner.names(*rows);
        bags.push((suite, Bag::new(names)));
    }
    bags.retain(|(_, bag)| !bag.all.is_empty());
    // As many demos as rows of all suites: that is what everybody runs.
    let demos = if bags.first().is_some_and(|(name, _)| *name == "demo") { bags.len().max(2) - 2 } else { 0 };
    let mut turns = Bag::new((0..bags.len()).chain(std::iter::repeat_n(0, demos)).collect());
    let mut random = Random(plan.seed);
    let busy = Busy::new();
    let started = Instant::now();
    let first = runner.entries.len();
    let ledger = place::root().join(LEDGER);
    let (before, commit, stamp) =
        (fs::read_to_string(&ledger).unwrap_or_else(|_| HEAD.into()), commit(), place::utc_stamp());
    let mut written = Ok(());
    while started.elapsed() < plan.time {
        let Some(turn) = turns.take(&mut random) else { break };
        let Some(name) = bags.get_mut(turn).and_then(|(_, bag)| bag.take(&mut random)) else { break };
        one(runner, &name);
        // After each test: a run that is interrupted is in the ledger as far as it came.
        let results: Vec<(String, Option<String>)> = runner
            .entries
            .iter()
            .skip(first)
            .filter(|entry| entry.status != "skipped")
            .map(|entry| (entry.name.clone(), (entry.status == "failed").then(|| entry.detail.clone())))
            .collect();
        let seconds = started.elapsed().as_secs();
        let chapter = chapter(&stamp, plan.seed, seconds, &commit, &results);
        written = fs::write(&ledger, format!("{before}{chapter}"))
            .with_context(|| format!("writing {}", ledger.display()));
    }
    drop(busy);
    let runs = runner.entries.len() - first;
    runner.test("soak/ledger", |_, _| {
        written?;
        Ok(Verdict::Pass(format!("{runs} runs are in {LEDGER}")))
    });
}

fn demos(runner: &Runner) -> Vec<String> {
    DEMOS.iter().map(|(name, _)| (*name).to_owned()).filter(|name| runner.wants(name)).collect()
}

/// Runs the one test of this name.
fn one(runner: &mut Runner, name: &str) {
    if let Some((_, machine)) = DEMOS.iter().find(|(demo, _)| *demo == name) {
        runner.test(name, |r, dir| good(&demo_in(&machine(&r.source), "all", &dir, DEMO_SECONDS)?, &dir));
        return;
    }
    let suite = name.split('/').next();
    if let Some((_, rows)) = SUITES.iter().find(|(name, _)| suite == Some(name)) {
        runner.only_this(name, *rows);
    }
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(place::root()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(head) = git(&["rev-parse", "--short", "HEAD"]) else { return "no commit".into() };
    // The ledger's own changes are no change of what was run.
    let changed = git(&["status", "--porcelain", "--", ".", &format!(":!{LEDGER}")]);
    if changed.is_none_or(|changed| changed.is_empty()) { head } else { format!("{head} with changes") }
}

/// What a run adds to the ledger: how often each test passed, and each failure in a line of its own.
fn chapter(
    stamp: &str,
    seed: u64,
    seconds: u64,
    commit: &str,
    results: &[(String, Option<String>)],
) -> String {
    let mut passed: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in results.iter().filter(|(_, failure)| failure.is_none()) {
        *passed.entry(name).or_default() += 1;
    }
    let counts: Vec<String> = passed.iter().map(|(name, times)| format!("{name} ×{times}")).collect();
    let failures = results.iter().filter_map(|(name, failure)| Some((name, failure.as_ref()?)));
    let mut text = format!(
        "\n## {stamp}, {} min, seed {seed}, at {commit}\n\npassed: {}\n",
        seconds.div_ceil(60),
        if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
    );
    for (name, failure) in failures {
        let words: Vec<&str> =
            failure.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('|')).collect();
        let words = words.join("; ");
        text.push_str(&format!("\nFAILED {name}: {}\n", words.chars().take(600).collect::<String>()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bag_gives_all_before_it_gives_any_again_and_a_seed_an_order() {
        let draw = |seed| {
            let (mut bag, mut random) = (Bag::new((0..10).collect()), Random(seed));
            (0..30).filter_map(|_| bag.take(&mut random)).collect::<Vec<usize>>()
        };
        let order = draw(1);
        for round in order.chunks(10) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert_eq!(round, (0..10).collect::<Vec<_>>());
        }
        assert_eq!(order, draw(1));
        assert_ne!(order, draw(2));
        assert_eq!(Bag::<usize>::new(Vec::new()).take(&mut Random(0)), None);
    }

    #[test]
    fn the_ledger_counts_what_passed_and_says_what_failed() {
        let results = [
            ("soak/demo-vtd".to_owned(), None),
            ("matrix/vtd".to_owned(), Some("1 check failed\nnetwork: no frame\n  | console".to_owned())),
            ("soak/demo-vtd".to_owned(), None),
        ];
        assert_eq!(
            chapter("20261201-170000", 7, 61, "abc", &results),
            "\n## 20261201-170000, 2 min, seed 7, at abc\n\npassed: soak/demo-vtd ×2\n\
             \nFAILED matrix/vtd: 1 check failed; network: no frame\n"
        );
    }
}
