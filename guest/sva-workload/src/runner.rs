// SPDX-License-Identifier: GPL-2.0-or-later
//! Runs checks one after another, each in a process of its own, and tells the host.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use sva_guest::host::Host;
use sva_guest::kernel;
use sva_guest::pci::{self, Faults};
use sva_guest::process::{Child, End, take_precedence};

use crate::checks::{ALL, Check, Needs};
use crate::report::{Verdict, encode};
use crate::session::Context;
use crate::{Options, checks};

/// Timeouts in a row after which the device counts as dead and the rest is skipped.
const DEAD: usize = 3;

struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
    timeouts: usize,
    unbound: bool,
}

/// Runs what `options` name. Success only when nothing failed and something passed.
pub fn run(options: &Options) -> ExitCode {
    let functions = pci::functions();
    let mut host = Host::connect();
    host.hello(&functions);
    let context = Context { functions, limit: Duration::from_secs(options.seconds) };
    if options.real_time
        && let Err(error) = take_precedence()
    {
        println!("no real-time process: {error}");
        return ExitCode::FAILURE;
    }
    let begin = Instant::now();
    let mut tally = Tally { passed: 0, failed: 0, skipped: 0, timeouts: 0, unbound: false };
    let resolves = context.functions.first().is_some_and(|f| !matches!(f.faults, Faults::Fatal(_)));
    let wanted: Vec<&Check> = ALL.iter().filter(|check| wanted(check, options, resolves)).collect();
    for check in (0..options.repeat).flat_map(|_| &wanted) {
        host.begin(check.name);
        let started = Instant::now();
        let verdict = judge(check, &context, &tally);
        count(&mut tally, check, &verdict);
        show(check, &verdict, started.elapsed(), options.json);
        host.end(check.name, &verdict.status, &verdict.detail, &verdict.claims);
    }
    let Tally { passed, failed, skipped, .. } = tally;
    host.done(passed, failed, skipped);
    println!("{passed} passed, {failed} failed, {skipped} skipped in {:.1} s", begin.elapsed().as_secs_f64());
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn wanted(check: &Check, options: &Options, resolves: bool) -> bool {
    let named = |list: &[String]| list.iter().any(|name| name == check.name);
    // whatever is asked for, the kernel must have come through it unharmed
    let wanted = match options.only.as_deref() {
        Some(only) => named(only) || check.name == checks::LAST,
        None if check.needs == Needs::NoFaults => !resolves,
        None => {
            !checks::ON_REQUEST.contains(&check.name)
                && (kernel::parameter("sva.driver").is_some() || !checks::OF_DRIVER.contains(&check.name))
        }
    };
    (wanted || named(&options.also)) && !named(&options.skip)
}

fn judge(check: &Check, context: &Context, tally: &Tally) -> Verdict {
    if check.needs != Needs::Nothing {
        if tally.unbound && check.needs != Needs::Device {
            return Verdict::skip(format!("no process can be bound, see {}", checks::FIRST));
        }
        if tally.timeouts >= DEAD {
            return Verdict::skip("the device does not answer any more");
        }
        let Some(first) = context.functions.first() else {
            return match check.needs {
                Needs::Device => Verdict::fail("no sva-testdev function in this machine"),
                _ => Verdict::skip("no sva-testdev function in this machine"),
            };
        };
        if check.needs == Needs::Faults
            && let Faults::Fatal(reason) = &first.faults
        {
            return Verdict::skip(format!("page faults are not resolved here: {reason}"));
        }
    }
    let child = Child::spawn(true, || encode(&(check.run)(context)));
    match child.map(|child| child.join(context.limit)) {
        Ok(End::Result(line)) => Verdict::decode(&line),
        Ok(End::Signal(signal)) => Verdict::fail(format!("the check's process was ended by signal {signal}")),
        Ok(End::Exit(code)) => Verdict::fail(format!("the check's process left with {code} and no result")),
        Ok(End::Late) => Verdict::fail(format!("TIMEOUT: no result within {} s", context.limit.as_secs())),
        Err(error) => Verdict::fail(format!("fork: {error}")),
    }
}

fn count(tally: &mut Tally, check: &Check, verdict: &Verdict) {
    match verdict.status.as_str() {
        "PASS" => tally.passed += 1,
        "SKIP" => tally.skipped += 1,
        _ => tally.failed += 1,
    }
    if verdict.status == "FAIL" {
        if check.name == checks::FIRST && !verdict.detail.contains("TIMEOUT") {
            tally.unbound = true;
        }
        if verdict.detail.contains("TIMEOUT") {
            tally.timeouts += 1;
        }
    } else if verdict.status == "PASS" && check.needs != Needs::Nothing {
        tally.timeouts = 0;
    }
}

fn show(check: &Check, verdict: &Verdict, took: Duration, as_json: bool) {
    if as_json {
        println!(
            "{}",
            json!({"name": check.name, "status": verdict.status, "detail": verdict.detail,
                   "claims": verdict.claims, "seconds": took.as_secs_f64()})
        );
    } else {
        println!("{}  {:26} {} [{:.2} s]", verdict.status, check.name, verdict.detail, took.as_secs_f64());
    }
}
