// SPDX-License-Identifier: GPL-2.0-or-later
//! Checks, from inside a guest, that a device and a process share one address space.
//!
//! Every check runs in a process of its own, with its own PASID; a crash or a wait without end is a FAIL line. When
//! the host listens (see [`sva_guest::host`]) it confirms from the models' counters what each check claims.

mod checks;
mod report;
mod runner;
mod session;

use std::process::ExitCode;

use lexopt::prelude::*;

const USAGE: &str = "\
sva-workload: checks of shared virtual addressing with sva-testdev

  --list            names the checks and says what they do
  --only NAME,NAME  runs these
  --skip NAME,NAME  leaves these out
  --seconds N       longest time of one check (120)
  --json            results as JSON lines on standard output
";

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    only: Option<Vec<String>>,
    skip: Vec<String>,
    seconds: u64,
    json: bool,
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn parse() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options { only: None, skip: Vec::new(), seconds: 120, json: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("list") => {
                for check in checks::ALL {
                    println!("{:24} {}", check.name, check.about);
                }
                return Ok(None);
            }
            Long("only") => options.only = Some(names(&parser.value()?.string()?)),
            Long("skip") => options.skip = names(&parser.value()?.string()?),
            Long("seconds") => options.seconds = parser.value()?.parse()?,
            Long("json") => options.json = true,
            Short('h') | Long("help") => {
                print!("{USAGE}");
                return Ok(None);
            }
            other => return Err(other.unexpected()),
        }
    }
    for name in options.only.iter().flatten().chain(&options.skip) {
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
