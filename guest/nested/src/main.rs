// SPDX-License-Identifier: GPL-2.0-or-later
//! Plays a VMM's part of nested translation in one process, with `qemu_iommu::nested` as the library: CD tables and
//! first-stage tables by hand, bound through `/dev/iommu` and VFIO, and `sva-testdev` behind them.
//!
//! * [`mock`]: the kernel's mock device (`CONFIG_IOMMUFD_TEST`), for what no IOMMU is needed for
//! * [`tables`]: tables of both architectures in memory that stage 2 shows
//! * [`vmm`]: a device behind both stages, and what it sees
//! * [`checks`]: what has to hold, by name
//!
//! Every check runs in a process of its own: what it leaves behind, the kernel takes away.

mod checks;
mod mock;
mod tables;
mod vmm;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use sva_guest::host::Host;
use sva_guest::pci::{self, Ability};
use sva_guest::process::{Child, End};
use sva_guest::report::{Verdict, encode};

use checks::{ALL, Check, DEVICE_CACHES};

const USAGE: &str = "\
sva-nested: checks of nested translation through iommufd and VFIO, with sva-testdev

  --list            names the checks and says what they do
  --only NAME,NAME  runs these
  --skip NAME,NAME  leaves these out
  --seconds N       longest time of one check (60)
";

#[derive(Debug, Default)]
struct Options {
    only: Option<String>,
    skip: String,
    seconds: Option<u64>,
}

impl Options {
    fn wants(&self, check: &Check) -> bool {
        let named = |list: &str| list.split(',').any(|name| name.trim() == check.name);
        check.on.is_none_or(|machine| machine == sva_guest::kernel::machine())
            && match self.only.as_deref() {
                Some(only) => named(only),
                None => check.name != DEVICE_CACHES || has_ats(),
            }
            && !named(&self.skip)
    }
}

fn has_ats() -> bool {
    pci::functions().first().is_some_and(|function| function.ats == Ability::On)
}

fn parse() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("list") => {
                for check in ALL {
                    println!("{:26} {}", check.name, check.about);
                }
                return Ok(None);
            }
            Long("only") => options.only = Some(parser.value()?.string()?),
            Long("skip") => options.skip = parser.value()?.string()?,
            Long("seconds") => options.seconds = Some(parser.value()?.parse()?),
            Long("help") | Short('h') => {
                print!("{USAGE}");
                return Ok(None);
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn judge(check: &Check, limit: Duration) -> Verdict {
    match Child::spawn(true, || encode(&(check.run)())).map(|child| child.join(limit)) {
        Ok(End::Result(line)) => Verdict::decode(&line),
        Ok(End::Signal(signal)) => Verdict::fail(format!("the check's process was ended by signal {signal}")),
        Ok(End::Exit(code)) => Verdict::fail(format!("the check's process left with {code} and no result")),
        Ok(End::Late) => Verdict::fail(format!("TIMEOUT: no result within {} s", limit.as_secs())),
        Err(error) => Verdict::fail(format!("fork: {error}")),
    }
}

fn run(options: &Options) -> ExitCode {
    let mut host = Host::connect();
    host.hello(&pci::functions());
    let limit = Duration::from_secs(options.seconds.unwrap_or(60));
    let mut counts = [0usize; 3];
    for check in ALL.iter().filter(|check| options.wants(check)) {
        host.begin(check.name);
        let started = Instant::now();
        let verdict = judge(check, limit);
        let took = started.elapsed().as_secs_f64();
        println!("{}  {:26} {} [{took:.2} s]", verdict.status, check.name, verdict.detail);
        let at = match verdict.status.as_str() {
            "PASS" => 0,
            "SKIP" => 2,
            _ => 1,
        };
        counts[at] += 1;
        host.end(check.name, &verdict.status, &verdict.detail, &verdict.claims);
    }
    let [passed, failed, skipped] = counts;
    host.done(passed, failed, skipped);
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn main() -> ExitCode {
    match parse() {
        Ok(Some(options)) => run(&options),
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sva-nested: {error}");
            ExitCode::from(2)
        }
    }
}
