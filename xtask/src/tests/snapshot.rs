// SPDX-License-Identifier: GPL-2.0-or-later
//! Saved and restored with a stall open: what waits in the first QEMU is finished in the second.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::boots::good;
use super::{Runner, Verdict, plain_machine, plain_vtd};
use crate::cli::Model;
use crate::guest::{self, Options, Switch};
use crate::scenario::smmuv3::{Context, Leaf, Rig, event};
use crate::scenario::{self, Descriptor, FaultMode, place};
use crate::setup;
use crate::vm::Console;

/// The suite.
pub fn run(runner: &mut Runner) {
    runner.test("snapshot/registers-stall-without-pasid", |r, dir| by_hand(r, &dir, None));
    runner.test("snapshot/registers-stall-with-pasid", |r, dir| by_hand(r, &dir, Some(3)));
    for check in ["first-touch", "copy-sizes"] {
        runner.test(&format!("snapshot/guest-in-{check}"), |r, dir| in_guest(r, Model::Smmuv3, check, &dir));
        if runner.more {
            runner.test(&format!("snapshot/vtd-guest-in-{check}"), |r, dir| {
                in_guest(r, Model::Vtd, check, &dir)
            });
        }
    }
}

/// By qtest: one copy waits for a page; save, restore, map, RESUME; it ends in the second QEMU.
fn by_hand(runner: &Runner, dir: &Path, pasid: Option<u32>) -> Result<Verdict> {
    let args = plain_machine(&runner.source);
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start(&args, &parts, dir, "source")?;
    rig.enable_pasid()?;
    rig.map_identity(2)?;
    let (from, to) = (place::DATA, 0x6000_0000);
    rig.fill(from, 0x0123_4567_89ab_cdef)?;
    rig.enable(Context { stall: true, contexts_log2: 2, ..Context::default() })?;
    let mut engine = rig.engine(1).mode(FaultMode::Wait);
    let work = Descriptor { pasid, ..Descriptor::copy(from, to, 4096) };
    engine.submit(&mut rig.qtest, work)?;
    let fault = rig.wait_event()?;
    ensure!(
        fault.number() == event::TRANSLATION && fault.stalled(),
        "expected a stalled F_TRANSLATION: {fault:x?}"
    );
    ensure!(fault.address() == to, "the fault is at {:#x}, expected {to:#x}", fault.address());
    ensure!(engine.is_waiting(&mut rig.qtest)?, "the engine does not wait");

    let second = scenario::switch(&mut rig.qtest, scenario::machine(&args, &parts, 1), dir)?;
    let mut rig = rig.adopt(second);

    ensure!(engine.is_waiting(&mut rig.qtest)?, "the engine does not wait after the switch");
    ensure!(engine.poll(&mut rig.qtest)?.is_none(), "the copy ended without its page");
    let page = place::DATA + 0x1000;
    rig.fill(page, 0)?;
    rig.map(to, Leaf::all(page))?;
    rig.resume(fault.stag())?;
    let done = engine.wait(&mut rig.qtest).context("after RESUME in the second QEMU")?;
    ensure!(done.is_ok() && done.bytes == 4096, "the copy ended with {done:?}");
    let (want, got) = (rig.qtest.read(from, 4096)?, rig.qtest.read(page, 4096)?);
    ensure!(want == got, "the page has another content");
    Ok(Verdict::Pass("stalled before, resumed after, content right".into()))
}

/// In a guest: the whole workload, switched to another QEMU while a fault of `check` waits for its answer.
fn in_guest(runner: &Runner, model: Model, check: &str, dir: &Path) -> Result<Verdict> {
    let args = match model {
        Model::Smmuv3 => plain_machine(&runner.source),
        Model::Vtd => plain_vtd(&runner.source),
    };
    let parts = setup::parts_for(&args)?;
    let mut options = Options::in_dir(dir);
    options.switch = Some(Switch { check: check.to_owned() });
    let run = format!("bind-and-pasid,{check},munmap,kernel-clean");
    let machine = crate::demo::machine(&args, parts, Console::File(options.console.clone()), &run);
    let outcome = guest::run(machine, &options, &mut |_, _| {})?;
    let Some(open) = outcome.switched else {
        let _ = good(&outcome, dir)?;
        bail!("no fault of {check} was found waiting, so nothing was switched");
    };
    good(&outcome, dir)?;
    Ok(Verdict::Pass(format!("{open} faults open at the switch; {}", outcome.summary())))
}
