// SPDX-License-Identifier: GPL-2.0-or-later
//! Saved and restored with stalls or page requests open: what waits in the first QEMU is finished in the second.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use super::boots::good;
use super::{Runner, Verdict, plain_machine, plain_vtd};
use crate::cli::{MachineArgs, Model};
use crate::guest::{self, Options, Switch};
use crate::qtest::Qtest;
use crate::scenario::smmuv3::{Context, Leaf, Rig, event};
use crate::scenario::{self, Capability, Descriptor, FaultMode, place, vtd};
use crate::setup;
use crate::vm::Console;

/// The suite.
pub fn run(runner: &mut Runner) {
    runner.test("snapshot/registers-stall-without-pasid", |r, dir| by_hand(r, &dir, None));
    runner.test("snapshot/registers-stall-with-pasid", |r, dir| by_hand(r, &dir, Some(3)));
    runner.test("snapshot/vtd-registers-page-requests", |r, dir| vtd_by_hand(r, &dir));
    for (name, args, device) in [
        ("smmuv3", plain_machine(&runner.source), "arm-smmuv3-rs"),
        ("vtd", plain_vtd(&runner.source), "intel-iommu-rs"),
    ] {
        runner.test(&format!("snapshot/{name}-of-another-version"), |_, dir| {
            another_version(&args, device, &dir)
        });
    }
    for check in ["first-touch", "copy-sizes"] {
        runner.test(&format!("snapshot/guest-in-{check}"), |r, dir| in_guest(r, Model::Smmuv3, check, &dir));
        runner.test(&format!("snapshot/vtd-guest-in-{check}"), |r, dir| in_guest(r, Model::Vtd, check, &dir));
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

/// By qtest: two endpoints wait for three answers of software, a fourth request has found the queue full, a fault is recorded
/// and its message held back; save and restore. The registers are the same, and everything is finished in the second
/// QEMU.
fn vtd_by_hand(runner: &Runner, dir: &Path) -> Result<Verdict> {
    use vtd::entry::{PasidEntry, first};
    use vtd::register::{self, page_status};

    const HERE: u64 = 0x7f12_3456_7000;
    const MESSAGES: u64 = place::DATA + 0x7000;
    let args = plain_vtd(&runner.source);
    let parts = setup::scene_parts(&args)?;
    let mut rig = vtd::Rig::start_with(&args, &parts, dir, "source", 2)?;
    rig.map_identity(4)?;
    rig.enable_capabilities(&[Capability::Pasid, Capability::Ats, Capability::Pri])?;
    let mut tree = rig.first_stage(4)?;
    rig.set(&mut tree, place::DATA, 0, place::DATA | first::PAGE)?;
    rig.set_pasid(9, PasidEntry::first_stage(&tree))?;
    rig.enable(vtd::Setup::default())?;
    let pattern = 0x0123_4567_89ab_cdef;
    rig.fill(place::DATA, pattern)?;
    let (one, other) = (rig.endpoints[0], rig.endpoints[1]);
    let copy = |n: u64| Descriptor::copy(place::DATA, HERE + 0x1000 * n, 4096);
    let mut waiting = vec![
        (one.engine(0).slot(0).mode(FaultMode::AtsPri), copy(0)),
        (one.engine(1).slot(1).mode(FaultMode::AtsPri), copy(1).pasid(9)),
        (other.engine(0).slot(2).mode(FaultMode::AtsPri), copy(2).pasid(9)),
    ];
    let mut requests = Vec::new();
    for (engine, work) in &mut waiting {
        engine.submit(&mut rig.qtest, *work)?;
        let request = rig.wait_page_request()?;
        ensure!(request.address() == work.destination && request.pasid() == work.pasid, "{request:x?}");
        requests.push(request);
    }
    rig.write(register::FECTL + 4, 0x77)?;
    rig.write(register::FECTL + 8, u32::try_from(MESSAGES)?)?;
    rig.must_fail(&mut one.engine(2).slot(3), Descriptor::load(HERE).pasid(0x1234))?;
    let faults = rig.faults()?;
    ensure!(faults.len() == 1, "{faults:x?}");
    // A fourth one finds the queue full.
    let head = rig.read64(register::PQH)?;
    rig.write64(register::PQH, head + 32)?;
    let mut late = one.engine(3).slot(4).mode(FaultMode::AtsPri);
    late.submit(&mut rig.qtest, Descriptor::store(HERE + 0x5000, pattern).pasid(9))?;
    rig.settle()?;
    ensure!(rig.read(register::PRS)? == page_status::PPR | page_status::PRO, "PRS");
    rig.write64(register::PQH, head)?;

    let before = registers(&mut rig)?;
    let second = scenario::switch(&mut rig.qtest, scenario::machine(&args, &parts, 2), dir)?;
    let mut rig = rig.adopt(second);
    let after = registers(&mut rig)?;
    ensure!(before == after, "registers before {before:x?}, after {after:x?}");
    ensure!(rig.faults()? == faults, "another fault record: {:x?}", rig.faults()?);
    rig.write(register::FECTL, 0)?;
    rig.settle()?;
    ensure!(rig.qtest.readl(MESSAGES)? == 0x77, "the message of the recorded fault did not come");
    rig.clear_faults()?;

    ensure!(late.is_waiting(&mut rig.qtest)?, "what found the queue full does not wait after the switch");
    rig.write(register::PRS, page_status::PPR | page_status::PRO)?;
    let request = rig.wait_page_request()?;
    let page = place::DATA + 0x6000;
    rig.set(&mut tree, request.address(), 0, page | first::PAGE)?;
    rig.respond(&request, vtd::Response::Success)?;
    ensure!(late.wait(&mut rig.qtest)?.is_ok(), "what found the queue full was not served");
    ensure!(rig.qtest.readq(page)? == pattern, "not written");

    for (n, (engine, _)) in waiting.iter_mut().enumerate() {
        ensure!(engine.is_waiting(&mut rig.qtest)?, "engine {n} does not wait after the switch");
        ensure!(engine.poll(&mut rig.qtest)?.is_none(), "engine {n} ended without its page");
    }
    for (n, ((engine, work), request)) in waiting.iter_mut().zip(&requests).enumerate() {
        let page = place::DATA + 0x1000 * (n as u64 + 1);
        rig.fill(page, 0)?;
        if work.pasid.is_some() {
            rig.set(&mut tree, work.destination, 0, page | first::PAGE)?;
        } else {
            rig.map(work.destination, page | first::PAGE)?;
        }
        rig.respond(request, vtd::Response::Success)?;
        let done = engine.wait(&mut rig.qtest).context("after the answer in the second QEMU")?;
        ensure!(done.is_ok() && done.bytes == 4096, "engine {n} ended with {done:?}");
        let (want, got) = (rig.qtest.read(place::DATA, 4096)?, rig.qtest.read(page, 4096)?);
        ensure!(want == got, "the page has another content");
    }
    // A device-TLB invalidation finds the endpoint, and a new page request its way.
    rig.submit(vtd::descriptor::device_tlb_all(one.source))?;
    rig.invalidate_all()?;
    let (engine, _) = &mut waiting[1];
    engine.submit(&mut rig.qtest, copy(3).pasid(9))?;
    let request = rig.wait_page_request()?;
    rig.set(&mut tree, HERE + 0x3000, 0, (place::DATA + 0x1000) | first::PAGE)?;
    rig.respond(&request, vtd::Response::Success)?;
    ensure!(engine.wait(&mut rig.qtest)?.is_ok(), "a page request after the switch");
    Ok(Verdict::Pass(
        "three page request groups open before, one before a full queue, all answered after; registers and fault as they were".into(),
    ))
}

/// Registers that have to travel.
fn registers(rig: &mut vtd::Rig) -> Result<Vec<u64>> {
    use vtd::register::{FSTS, GSTS, ICS, IECTL, IQA, IQH, IQT, PECTL, PQA, PQH, PQT, PRS, RTADDR};
    let mut values = Vec::new();
    for register in [RTADDR, IQH, IQT, IQA, PQH, PQT, PQA] {
        values.push(rig.read64(register)?);
    }
    for register in [GSTS, FSTS, ICS, PRS, vtd::register::FECTL, IECTL, PECTL] {
        values.push(rig.read(register)?.into());
    }
    Ok(values)
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

/// A state whose version is not the model's is refused, by both numbers; the same state is taken with its own.
fn another_version(args: &MachineArgs, device: &str, dir: &Path) -> Result<Verdict> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let parts = setup::scene_parts(args)?;
    let file = dir.join("state");
    let mut source = Qtest::start(scenario::machine(args, &parts, 0), dir, "source")?;
    source.qmp.execute("stop", json!({}))?;
    source.qmp.execute("migrate", json!({"uri": format!("file:{}", file.display())}))?;
    source.qmp.wait_migrated(PATIENCE)?;
    drop(source);

    let mut state = fs::read(&file)?;
    // A section's head: the device's name, instance and version, four bytes each, big-endian.
    let name = state.windows(device.len()).position(|part| part == device.as_bytes());
    let at = name.context("the device is not in the state")? + device.len() + 4;
    let version = state.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let version = version.context("the state ends with the device's name")?;
    for forged in [version, version - 1, version + 1] {
        state[at..at + 4].copy_from_slice(&forged.to_be_bytes());
        fs::write(&file, &state)?;
        let mut machine = scenario::machine(args, &parts, 0);
        machine.incoming = Some(file.clone());
        let side = format!("target-{forged}");
        let loaded = Qtest::start(machine, dir, &side).and_then(|mut q| {
            q.qmp
                .wait_state("paused", PATIENCE)
                .or_else(|_| q.qmp.wait_state("prelaunch", Duration::from_secs(1)))
        });
        let said = fs::read_to_string(dir.join(format!("{side}.qemu.log"))).unwrap_or_default();
        if forged == version {
            loaded.context("the state as it was")?;
        } else {
            ensure!(loaded.is_err(), "version {forged} was taken for {version}");
            ensure!(said.contains("version") && said.contains(device), "{said}");
        }
    }
    let _ = fs::remove_file(&file);
    Ok(Verdict::Pass(format!("version {version}; {} and {} are refused", version - 1, version + 1)))
}
