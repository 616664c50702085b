// SPDX-License-Identifier: GPL-2.0-or-later
//! Several SMMUs in one machine, each in front of a root bus of its own, alike and different.

use anyhow::{Result, ensure};

use super::boots::{demo_in, good};
use super::{Runner, Verdict, plain_machine};
use crate::cli::{Firmware, MachineArgs, PageSize, Stall};
use crate::guest::Outcome;

/// What a process gets of the functions behind a unit: the guest's words.
type Gets = &'static str;
const FAULTS: Gets = "faults";
const TOUCHED: Gets = "touched";
const REFUSED: Gets = "refused";

/// A machine, as properties of its units and what each has to give.
struct Row {
    name: &'static str,
    page_size: PageSize,
    units: &'static [(&'static [&'static str], Gets)],
}

/// Every set of granules has the kernel's page size, and no two are the same.
const ROWS: &[Row] = &[
    Row {
        name: "two-granule-sets",
        page_size: PageSize::K4,
        units: &[(&["granules=4k"], FAULTS), (&["granules=4k,,64k", "oas=48"], FAULTS)],
    },
    Row {
        name: "four-of-different-features",
        page_size: PageSize::K4,
        units: &[
            (&["granules=4k"], FAULTS),
            (&["granules=4k,,16k", "ssidsize=8"], FAULTS),
            (&["granules=4k,,64k", "stall=off"], TOUCHED),
            (&["granules=4k,,16k,,64k", "ssidsize=0"], REFUSED),
        ],
    },
    Row {
        name: "output-smaller-than-the-cpu",
        page_size: PageSize::K4,
        units: &[(&["granules=4k"], FAULTS), (&["oas=44"], REFUSED)],
    },
];

/// With `--more`: a kernel of its own.
const MORE: &[Row] = &[Row {
    name: "16k-pages-three-granule-sets",
    page_size: PageSize::K16,
    units: &[(&["granules=16k"], FAULTS), (&["granules=16k,,64k"], FAULTS), (&["granules=4k,,16k"], FAULTS)],
}];

/// The suite.
pub fn run(runner: &mut Runner) {
    runner.test("units/two-alike", |r, dir| {
        let mut args = machine(r, 2);
        args.stall = Some(Stall::Force);
        let run =
            "bind-and-pasid,first-touch,fork-cow,munmap,kill-mid-dma,many-devices,multi-process,kernel-clean";
        good(&demo_in(&args, run, &dir, 200)?, &dir)
    });
    let more = if runner.more { MORE } else { &[] };
    for row in ROWS.iter().chain(more) {
        runner.test(&format!("units/{}", row.name), |r, dir| {
            let mut args = machine(r, row.units.len());
            args.page_size = row.page_size;
            args.stall = Some(Stall::Force);
            // 48 bits of output are enough for this CPU, and need no 64K granule.
            args.cpu = "neoverse-n1".into();
            for (n, (properties, _)) in row.units.iter().enumerate() {
                args.unit.extend(properties.iter().map(|p| format!("{n}:{p}")));
            }
            let outcome = demo_in(&args, "every-function,kernel-clean", &dir, 120)?;
            good(&outcome, &dir)?;
            compare(&outcome, row.units)
        });
    }
}

fn machine(runner: &Runner, units: usize) -> MachineArgs {
    let mut args = plain_machine(&runner.source);
    args.firmware = Firmware::Acpi;
    args.units = u8::try_from(units).unwrap_or(u8::MAX);
    args.endpoints = args.units.saturating_mul(2);
    args
}

/// The guest's words, function by function: a function's bus number tells its unit.
fn compare(outcome: &Outcome, units: &[(&[&str], Gets)]) -> Result<Verdict> {
    let detail = outcome.rows.iter().find(|r| r.name == "every-function").map_or("", |r| r.detail.as_str());
    let mut seen = vec![0u32; units.len()];
    let words = detail.split_once(": ").map_or("", |(_, words)| words);
    for word in words.split("; ") {
        let Some((bus, rest)) = word.split_once(':') else { continue };
        // A reason may have semicolons as well.
        let (Ok(bus), Some((_, got))) = (u8::from_str_radix(bus, 16), rest.split_once(' ')) else { continue };
        let unit = usize::from(bus >> 4);
        let Some((_, wanted)) = units.get(unit) else { continue };
        ensure!(got.starts_with(wanted), "behind unit {unit} it has to be '{wanted}': {word}\nall: {detail}");
        ensure!(*wanted != REFUSED || got.len() > REFUSED.len() + 4, "refused without a reason: {word}");
        if let Some(count) = seen.get_mut(unit) {
            *count = count.saturating_add(1);
        }
    }
    ensure!(seen.iter().all(|n| *n > 0), "a unit has no function: {seen:?} of {detail}");
    let list: Vec<String> = units.iter().map(|(p, gets)| format!("{{{}}} {gets}", p.join(" "))).collect();
    Ok(Verdict::Pass(list.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::{Row as GuestRow, Status};

    fn outcome(detail: &str) -> Outcome {
        let row = GuestRow {
            name: "every-function".into(),
            status: Status::Pass,
            detail: detail.into(),
            outside: String::new(),
            counted: crate::qmp::Counters::new(),
            seconds: 0.0,
        };
        Outcome { rows: vec![row], ..Outcome::default() }
    }

    #[test]
    fn functions_are_judged_by_their_unit() {
        let units: &[(&[&str], Gets)] = &[(&[], FAULTS), (&[], REFUSED)];
        let good = "PASID 1: 00:04.0 faults; 01:00.0 faults; 11:00.0 refused: binding: EINVAL; no SVA";
        assert!(compare(&outcome(good), units).is_ok());
        assert!(compare(&outcome(&good.replace("01:00.0 faults", "01:00.0 touched")), units).is_err());
        assert!(compare(&outcome("PASID 1: 00:04.0 faults"), units).is_err(), "a unit is missing");
        assert!(compare(&outcome("PASID 1: 00:04.0 faults; 11:00.0 refused"), units).is_err(), "no reason");
    }
}
