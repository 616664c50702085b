// SPDX-License-Identifier: GPL-2.0-or-later
//! Endpoints that do what an invalidation asks for, and never say that they have (`VTD §6.5.2.10`).

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::guest::{self, Options};
use crate::scenario::vtd::register::{self, fault_status};
use crate::scenario::vtd::{Rig, Setup, descriptor};
use crate::scenario::{Capability, place};
use crate::setup;
use crate::tests::boots::good;
use crate::tests::{Runner, Verdict, plain_vtd};
use crate::vm::Console;

/// `device-tlb-timeout`.
const PATIENCE_MS: u64 = 400;

/// The scenes.
pub fn run(runner: &mut Runner) {
    runner.test("hostile/vtd-silent-endpoint", by_hand);
    runner.test("hostile/vtd-silent-endpoint-linux", |r, dir| linux(r, &dir));
}

fn answers(rig: &mut Rig, value: bool) -> Result<()> {
    let path = "/machine/peripheral/ep0";
    let arguments = json!({"path": path, "property": "x-answer-invalidations", "value": value});
    rig.qtest.qmp.execute("qom-set", arguments)?;
    Ok(())
}

/// The wait descriptor behind an invalidation that is not answered is aborted in time, and the queue stands still until
/// software has seen the error.
fn by_hand(runner: &Runner, dir: std::path::PathBuf) -> Result<Verdict> {
    let mut args = plain_vtd(&runner.source);
    args.iommu.push(format!("device-tlb-timeout={PATIENCE_MS}"));
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start(&args, &parts, &dir, "machine")?;
    rig.map_identity(1)?;
    rig.enable_capabilities(&[Capability::Ats])?;
    rig.enable(Setup::default())?;
    let source = rig.endpoint().source;
    rig.submit(descriptor::device_tlb_all(source))?;
    rig.wait()?;

    answers(&mut rig, false)?;
    let (first, second) = (place::DATA, place::DATA + 8);
    rig.push(descriptor::device_tlb_all(source))?;
    rig.push(descriptor::wait(first, 1))?;
    let behind = rig.read64(register::IQT)?;
    rig.qtest.step(PATIENCE_MS * 900_000)?;
    let (head, status) = (rig.read64(register::IQH)?, rig.read(register::FSTS)?);
    ensure!(head != behind && status == 0, "IQH {head:#x}, FSTS {status:#x} before the time is up");
    rig.qtest.step(PATIENCE_MS * 300_000)?;
    let (status, record) = (rig.read(register::FSTS)?, rig.read64(register::IQERCD)?);
    ensure!(
        status == fault_status::ITE && record >> 32 & 0xffff == source,
        "FSTS {status:#x}, IQERCD {record:#x}; expected ITE by source-id {source:#x}"
    );
    ensure!(rig.read64(register::IQH)? == behind, "the wait descriptor was not aborted");

    answers(&mut rig, true)?;
    rig.push(descriptor::wait(second, 2))?;
    rig.settle()?;
    ensure!(rig.read64(register::IQH)? == behind, "a descriptor was fetched although ITE is set");
    rig.write(register::FSTS, fault_status::ITE)?;
    rig.settle()?;
    let words = (rig.qtest.readl(first)?, rig.qtest.readl(second)?);
    ensure!(words == (0, 2), "the two wait descriptors wrote {words:?}, expected (0, 2)");
    rig.submit(descriptor::device_tlb_all(source))?;
    rig.wait()?;
    let late = rig.stat("device-tlb-timeouts")?;
    ensure!(late == 1, "{late} invalidations were given up");
    Ok(Verdict::Pass("ITE with the source-id, the wait aborted, and on".into()))
}

/// Linux repeats what was not answered, and goes on when it is.
fn linux(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let mut args = plain_vtd(&runner.source);
    args.iommu.push(format!("device-tlb-timeout={PATIENCE_MS}"));
    let parts = setup::parts_for(&args)?;
    let mut options = Options::in_dir(dir);
    options.silent_from = Some("munmap".into());
    let run = "bind-and-pasid,copy-malloc,munmap,kernel-clean";
    let machine = crate::demo::machine(&args, parts, Console::File(options.console.clone()), run);
    let outcome = guest::run(machine, &options, &mut |_, _| {})?;
    good(&outcome, dir)?;
    let given_up = outcome.given_up.context("the check munmap was not made")?;
    ensure!(given_up > 0, "no invalidation was given up");
    let log = std::fs::read_to_string(dir.join("console.log"))?;
    ensure!(
        log.contains("Invalidation Time-out Error (ITE) cleared"),
        "the kernel does not say that it has seen the error"
    );
    Ok(Verdict::Pass(format!("{given_up} invalidations given up; {}", outcome.summary())))
}
