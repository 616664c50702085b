// SPDX-License-Identifier: GPL-2.0-or-later
//! Tiers 1 and 2: in a guest, a program plays VMM with the library, against the kernel's mock device and against our IOMMU.

use anyhow::{Result, anyhow};

use super::super::boots::good;
use super::super::{Runner, Verdict, plain_machine, plain_vtd};
use crate::cli::{MachineArgs, PageSize};
use crate::demo;
use crate::guest::{self, Options, Outcome, Status};
use crate::setup::{self, initramfs};
use crate::vm::Console;

/// The program and the word by which the guest's init runs it.
const PROGRAM: &str = "sva.program=sva-nested";

/// What is cached, and what is not any more.
const CACHES: &str =
    "cd-tables,pasid-directory,pasids-apart,stale-until-invalidated,partial-batch,stage-2-unmap";
/// What a translation cache in the device changes.
const ATS: &str = "abort-bypass-translate,pasid-and-none,device-caches,stage-2-unmap";

/// One boot an architecture, and another where a property must differ.
pub fn run(runner: &mut Runner) {
    let mut smmu = plain_machine(&runner.source);
    // Linux makes the entry of a stream that may stall, with ATS, under a nested table, an ILLEGAL one.
    smmu.iommu.push("ats=off".into());
    boot(runner, "nested/smmuv3", &smmu, "all");
    let vtd = plain_vtd(&runner.source);
    boot(runner, "nested/vtd", &vtd, "all");
    for (prefix, args) in [("nested/smmuv3-adversarial", &smmu), ("nested/vtd-adversarial", &vtd)] {
        boot(runner, prefix, &MachineArgs { adversarial: true, ..args.clone() }, CACHES);
    }
    // Pages of stage 2 that are larger than those of stage 1.
    let args = MachineArgs { page_size: PageSize::K64, ..smmu.clone() };
    boot(runner, "nested/smmuv3-64k-pages", &args, CACHES);
    // ATS instead of stalls: the device keeps translations of both stages, and the guest's ATC_INV ends them.
    let mut ats = plain_machine(&runner.source);
    ats.iommu.push("pri=off".into());
    ats.iommu.push("ats=on".into());
    ats.endpoint.push("dma-can-stall=off".into());
    boot(runner, "nested/smmuv3-ats", &ats, ATS);
}

/// Boots a machine, and takes down each of the program's checks as a test.
fn boot(runner: &mut Runner, prefix: &str, args: &MachineArgs, run: &str) {
    let run = match runner.only.as_deref() {
        Some(only) => match only.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')) {
            Some(check) => check.to_owned(),
            None if prefix.contains(only) => run.to_owned(),
            None => return,
        },
        None => run.to_owned(),
    };
    let dir = runner.dir.join(prefix.replace('/', "-"));
    let outcome = std::fs::create_dir_all(&dir).map_err(Into::into).and_then(|()| go(args, &run, &dir));
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(e) => return runner.record(&format!("{prefix}/boot"), Err(e), 0.0),
    };
    for row in &outcome.rows {
        let verdict = match row.status {
            Status::Pass => Ok(Verdict::Pass(row.detail.clone())),
            Status::Skip => Ok(Verdict::Skip(row.detail.clone())),
            Status::Fail => Err(anyhow!("{} [{}]", row.detail, row.outside)),
        };
        runner.record(&format!("{prefix}/{}", row.name), verdict, row.seconds);
    }
    let verdict = match good(&outcome, &dir) {
        // The checks that failed have said so.
        Err(_) if outcome.problems.is_empty() && !outcome.rows.is_empty() => {
            Ok(Verdict::Pass(format!("{:.1} s", outcome.seconds)))
        }
        verdict => verdict,
    };
    runner.record(&format!("{prefix}/boot"), verdict, outcome.booted);
}

fn go(args: &MachineArgs, run: &str, dir: &std::path::Path) -> Result<Outcome> {
    let mut parts = setup::parts_for(args)?;
    parts.initrd = initramfs::with_nested(&args.source, args.model, &parts.initrd)?;
    let options = Options::in_dir(dir);
    let mut machine = demo::machine(args, parts, Console::File(options.console.clone()), run);
    machine.init.push(PROGRAM.to_owned());
    guest::run(machine, &options, &mut |_, _| {})
}
