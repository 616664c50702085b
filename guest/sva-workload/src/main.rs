// SPDX-License-Identifier: GPL-2.0-or-later
//! Checks, from inside a guest, that a device and a process share one address space.
//!
//! Every check runs in a process of its own, with its own PASID; a crash or a wait without end is a FAIL line. When
//! the host listens (see [`sva_guest::host`]) it confirms from the models' counters what each check claims.

mod checks;
mod runner;
mod session;

use std::process::ExitCode;

use lexopt::prelude::*;
use sva_guest::{ensure, report};

const USAGE: &str = "\
sva-workload: checks of shared virtual addressing with sva-testdev

  --list            names the checks and says what they do
  --only NAME,NAME  runs these; names of groups stand for their checks
  --also NAME,NAME  runs these beside the others
  --skip NAME,NAME  leaves these out
  --seconds N       longest time of one check (120)
  --repeat N        runs all of that so many times over (1)
  --real-time       as real-time processes: no worker of the kernel takes a CPU from a check
  --json            results as JSON lines on standard output
";

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    only: Option<Vec<String>>,
    also: Vec<String>,
    skip: Vec<String>,
    seconds: u64,
    repeat: u32,
    real_time: bool,
    json: bool,
}

fn names(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match checks::GROUPS.iter().find(|(group, _)| *group == name) {
            Some((_, members)) => names.extend(members.iter().map(|member| (*member).to_owned())),
            None => names.push(name.to_owned()),
        }
    }
    names
}

fn parse() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        only: None,
        also: Vec::new(),
        skip: Vec::new(),
        seconds: 120,
        repeat: 1,
        real_time: false,
        json: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("list") => {
                for check in checks::ALL {
                    println!("{:24} {}", check.name, check.about);
                }
                for (group, members) in checks::GROUPS {
                    println!("{group:24} group: {}", members.join(", "));
                }
                return Ok(None);
            }
            Long("only") => options.only = Some(names(&parser.value()?.string()?)),
            Long("also") => options.also = names(&parser.value()?.string()?),
            Long("skip") => options.skip = names(&parser.value()?.string()?),
            Long("seconds") => options.seconds = parser.value()?.parse()?,
            Long("repeat") => options.repeat = parser.value()?.parse()?,
            Long("real-time") => options.real_time = true,
            Long("json") => options.json = true,
            Short('h') | Long("help") => {
                print!("{USAGE}");
                return Ok(None);
            }
            other => return Err(other.unexpected()),
        }
    }
    for name in options.only.iter().flatten().chain(&options.also).chain(&options.skip) {
        if !checks::ALL.iter().any(|check| check.name == name) {
            return Err(format!("no check is named {name}; --list names them").into());
        }
    }
    Ok(Some(options))
}

fn main() -> ExitCode {
    match parse() {
        Ok(Some(options)) => runner::run(&options),
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sva-workload: {error}");
            ExitCode::from(2)
        }
    }
}
