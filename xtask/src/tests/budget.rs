// SPDX-License-Identifier: GPL-2.0-or-later
//! How many minutes a suite may take, so that the whole test command stays within what CI allows.
//!
//! A suite's time is what it took by the clock, less what set-up built meanwhile: a first build is no fault of the suite's.

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::ValueEnum;

use super::{Runner, Verdict};
use crate::cli::Suite;
use crate::ui;

/// What suites that are still to come may take, in minutes: accelerators, tracing, fuzzing and comparison.
const RESERVED: f32 = 7.0;
/// What the whole test command may take where everything is built, in minutes.
#[cfg(test)]
const WARM: f32 = 45.0;

/// A suite that is running.
pub struct Clock {
    started: Instant,
    built: Duration,
}

impl Clock {
    /// Begins to count.
    pub fn start() -> Self {
        Self { started: Instant::now(), built: ui::built() }
    }

    /// What the suite itself has taken since.
    fn stop(&self) -> Duration {
        self.started.elapsed().saturating_sub(ui::built().saturating_sub(self.built))
    }
}

/// Takes down whether a suite kept to its share. Suites that were not run whole have none.
pub fn check(runner: &mut Runner, suite: Suite, minutes: f32, clock: &Clock) {
    if runner.only.is_some() || runner.more {
        return;
    }
    let took = clock.stop();
    let name = suite.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
    runner.record(&format!("budget/{name}"), verdict(took, minutes), took.as_secs_f32());
}

fn verdict(took: Duration, minutes: f32) -> anyhow::Result<Verdict> {
    let took = took.as_secs_f32() / 60.0;
    if took > minutes {
        bail!(
            "took {took:.1} min, and its share is {minutes} min\nmake room in the suite: \
             xtask/src/tests/mod.rs has the shares of all, which {RESERVED} min are left of"
        );
    }
    Ok(Verdict::Pass(format!("{took:.1} of {minutes} min")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::SUITES;

    #[test]
    fn the_shares_fit_into_what_a_warm_run_may_take() {
        let sum: f32 = SUITES.iter().map(|row| row.minutes).sum();
        assert!(sum + RESERVED <= WARM, "{sum} min of suites and {RESERVED} min reserved");
    }

    #[test]
    fn a_suite_over_its_share_fails() {
        assert!(verdict(Duration::from_secs(59), 1.0).is_ok());
        assert!(verdict(Duration::from_secs(61), 1.0).is_err());
    }

    #[test]
    fn every_suite_has_a_share_once() {
        for suite in Suite::value_variants() {
            let count = SUITES.iter().filter(|row| row.suite == *suite).count();
            let part = ![Suite::All, Suite::Soak].contains(suite);
            assert_eq!(count, usize::from(part), "{suite:?}");
        }
    }
}
