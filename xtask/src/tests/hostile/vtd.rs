// SPDX-License-Identifier: GPL-2.0-or-later
//! VT-d (`VTD`).

use anyhow::{Result, bail, ensure};
use serde_json::json;

use crate::cli::Model;
use crate::scenario::vtd::entry::{PasidEntry, first};
use crate::scenario::vtd::register::{self, command, fault_status, page_status};
use crate::scenario::vtd::{
    CONTEXTS, PAGE_QUEUE, QUEUE, ROOT, Response, Rig, Setup, UNIT, descriptor, reason,
};
use crate::scenario::{Capability, Descriptor, Engine, FaultMode, Port, cause, place};
use crate::setup;
use crate::tests::{Runner, Verdict, plain_vtd};

type Play = fn(&mut Rig) -> Result<String>;

const SCENES: &[(&str, Play)] = &[
    ("tables-in-registers", tables_in_registers),
    ("tables-in-rom", tables_in_rom),
    ("dma-to-own-registers", dma_to_registers),
    ("page-queue-in-own-bar", page_queue_in_bar),
    ("queue-feeds-itself", queue_feeds_itself),
    ("events-to-own-registers", events_to_registers),
    ("endpoint-unplugs-itself", unplugs_itself),
    ("unplugged-in-mid-fault", unplugged_in_mid_fault),
    ("reset-in-mid-everything", reset),
    ("answers-to-nobody", answers_to_nobody),
    ("answers-itself", answers_itself),
];

/// The scenes.
pub fn run(runner: &mut Runner) {
    for (name, play) in SCENES {
        runner.test(&format!("hostile/vtd-{name}"), |r, dir| {
            let args = plain_vtd(&r.source);
            let parts = setup::scene_parts(&args)?;
            let mut rig = Rig::start(&args, &parts, &dir, "machine")?;
            let seen = play(&mut rig)?;
            // Alive, by its monitor and by its registers.
            rig.qtest.qmp.execute("query-status", json!({}))?;
            ensure!(rig.read64(register::CAP)? == rig.cap, "CAP changed");
            Ok(Verdict::Pass(seen))
        });
    }
}

const A: u64 = place::DATA;
const B: u64 = place::DATA + 0x1000;
const HERE: u64 = 0x7f12_3456_7000;
/// The last 64 KiB of the firmware.
const FIRMWARE: u64 = 0xffff_0000;
const FIRMWARE_SIZE: u64 = 0x1_0000;

fn with_pages(rig: &mut Rig) -> Result<Engine> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid, Capability::Ats, Capability::Pri])?;
    rig.enable(Setup::default())?;
    Ok(rig.engine(0).mode(FaultMode::AtsPri))
}

/// Root, context, PASID and paging tables in the unit's own registers, in the endpoint's, and where nothing is: each is a
/// fault of its kind, without a read of a register.
fn tables_in_registers(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    let bar = rig.endpoint().bar;
    let places = [UNIT, bar, 0xfee0_0000, 0x7_0000_0000];
    let directory = rig.qtest.readq(CONTEXTS + 32 * rig.endpoint().source)?;
    for at in places {
        let mut tree = rig.first_stage(4)?;
        tree.root = at;
        rig.change_pasid(1, PasidEntry::first_stage(&tree))?;
        rig.must_fail(&mut engine, Descriptor::load(A).pasid(1))?;
        rig.expect_fault(reason::FIRST_STAGE_ROOT_ACCESS)?;

        let context = CONTEXTS + 32 * rig.endpoint().source;
        rig.qtest.writeq(context, directory & 0xfff | at)?;
        rig.invalidate_all()?;
        rig.must_fail(&mut engine, Descriptor::load(A).pasid(1))?;
        // The ring went first: it has no table either.
        rig.expect_fault(reason::DIRECTORY_ACCESS)?;
        rig.qtest.writeq(context, directory)?;

        rig.qtest.writeq(ROOT, at | 1)?;
        rig.invalidate_all()?;
        engine = rig.engine(1);
        rig.must_fail(&mut engine, Descriptor::load(A).pasid(1))?;
        rig.expect_fault(reason::SCALABLE_CONTEXT_ACCESS)?;
        rig.qtest.writeq(ROOT, CONTEXTS | 1)?;

        rig.write64(register::RTADDR, at | 1 << 10)?;
        rig.command(command::SRTP)?;
        engine = rig.engine(2);
        rig.must_fail(&mut engine, Descriptor::load(A).pasid(1))?;
        rig.expect_fault(reason::SCALABLE_ROOT_ACCESS)?;
        rig.write64(register::RTADDR, ROOT | 1 << 10)?;
        rig.command(command::SRTP)?;
        rig.fresh_engine(1)?;
        rig.fresh_engine(2)?;
        engine = rig.fresh_engine(0)?;
    }
    rig.must(&mut engine, Descriptor::load(A))?;
    Ok(format!("four kinds of tables in {} wrong places", places.len()))
}

/// The firmware as a table: bytes of it that happen to be an entry of a page without accessed flag, which cannot be set
/// there (SFS.10), and whatever else its bytes may be.
fn tables_in_rom(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    let bytes = rig.qtest.read(FIRMWARE, FIRMWARE_SIZE)?;
    let needed = first::P | first::US;
    let entry = bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).position(|word| {
        word & (needed | first::A) == needed && word >> 48 & 0xf == 0 && word >> 20 & 0xf_ffff != 0xfee
    });
    let Some(entry) = entry else { bail!("no page entry in the firmware's {} bytes", bytes.len()) };
    let entry = entry as u64;
    let mut tree = rig.first_stage(4)?;
    let table = FIRMWARE + entry / 512 * 4096;
    rig.set(&mut tree, HERE, 1, table | first::P | first::RW | first::US)?;
    rig.set_pasid(1, PasidEntry::first_stage(&tree))?;
    let address = (HERE & !0x1f_ffff) + entry % 512 * 4096;
    rig.must_fail(&mut engine, Descriptor::load(address).pasid(1))?;
    let fault = rig.expect_fault(reason::FIRST_STAGE_UPDATE)?;
    ensure!(fault.address() == address, "{fault:x?}");

    for page in 0..16 {
        tree.root = FIRMWARE + 4096 * page;
        rig.change_pasid(1, PasidEntry::first_stage(&tree))?;
        rig.must_fail(&mut engine, Descriptor::store(page << 39, 1).pasid(1))?;
        let fault = rig.fault()?;
        ensure!((0x70..=0x91).contains(&fault.reason()), "{fault:x?}");
    }
    ensure!(rig.qtest.read(FIRMWARE, FIRMWARE_SIZE)? == bytes, "the firmware was written");
    rig.must(&mut engine, Descriptor::load(A))?;
    Ok("SFS.10 where the flag cannot be set; 16 more walks into the firmware".into())
}

/// The unit's registers as the target of a device's writes: through its own translation a device reaches the command
/// register, the queue's tail and the fault registers, in the middle of the unit's work.
fn dma_to_registers(rig: &mut Rig) -> Result<String> {
    rig.map_identity(2)?;
    rig.map(HERE, UNIT | first::PAGE)?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    let store = |register: u64, value: u64| Descriptor::store(HERE + register, value);
    // Another tail, with nothing sensible in the queue; then everything at once.
    rig.must(&mut engine, store(register::IQT, 0xfe0))?;
    rig.settle()?;
    ensure!(rig.read(register::FSTS)? & fault_status::IQE != 0, "zeros were taken for descriptors");
    for register in (0..0x300).step_by(8).filter(|r| *r != register::GCMD) {
        let _ = rig.run(&mut engine, store(register, u64::MAX))?;
        let _ = rig.run(&mut engine, Descriptor::load(HERE + register))?;
    }
    // Translation off, by a translated write: it is the last one.
    let _ = rig.run(&mut engine, store(register::GCMD, 0))?;
    ensure!(rig.read(register::GSTS)? & command::TE == 0, "GCMD was not written");
    rig.qtest.writel(rig.endpoint().bar + 0x0c, 0b11)?;
    rig.clear_faults()?;
    rig.write(register::FSTS, u32::MAX)?;
    rig.map_identity(2)?;
    rig.enable(Setup::default())?;
    rig.must(&mut rig.engine(1), Descriptor::copy(A, B, 64))?;
    Ok("every register written by DMA; set up anew, it works".into())
}

/// The page request queue lies in the registers of the endpoint that asks, or of the unit.
fn page_queue_in_bar(rig: &mut Rig) -> Result<String> {
    let mut engine = with_pages(rig)?;
    let bar = rig.endpoint().bar;
    for base in [bar, bar + 0x1000, UNIT, 0xfee0_0000] {
        rig.write64(register::PQA, base)?;
        let done = rig.must_fail(&mut engine, Descriptor::load(HERE))?;
        ensure!(done.cause == cause::PAGE_FAILURE, "{base:#x}: {done:?}");
        rig.endpoint().clear_page_failure(&mut rig.qtest)?;
    }
    rig.set_page_queue(0)?;
    engine.submit(&mut rig.qtest, Descriptor::load(HERE))?;
    let request = rig.wait_page_request()?;
    rig.map(HERE, A | first::PAGE)?;
    rig.respond(&request, Response::Success)?;
    ensure!(engine.wait(&mut rig.qtest)?.is_ok(), "not finished");
    Ok("answered FAILURE four times, no register was written".into())
}

/// Wait descriptors whose status write moves the queue's own tail on, round and round: the machine stays usable, and the
/// queue can be switched off.
fn queue_feeds_itself(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable(Setup::default())?;
    for n in 0..128u64 {
        let next = u32::try_from((n + 2) % 128 * 32)?;
        let words = descriptor::wait(UNIT + register::IQT, next);
        for (m, word) in words.into_iter().enumerate() {
            rig.qtest.writeq(QUEUE + 32 * n + 8 * m as u64, word)?;
        }
    }
    rig.write64(register::IQT, 32)?;
    rig.settle()?;
    rig.qtest.qmp.execute("query-status", json!({}))?;
    // The same, all around, as often as it wants.
    rig.write64(register::IQT, 127 * 32)?;
    rig.settle()?;
    rig.qtest.qmp.execute("query-status", json!({}))?;
    rig.disable(command::QIE)?;
    let waits = rig.stat("waits")?;
    rig.start_queue(true)?;
    rig.invalidate_all()?;
    Ok(format!("{waits} waits, then switched off and set up anew"))
}

/// The messages of all three events aim at the unit's own registers.
fn events_to_registers(rig: &mut Rig) -> Result<String> {
    let mut engine = with_pages(rig)?;
    let target = |register: u64| u32::try_from(UNIT + register);
    for (control, register, data) in [
        (register::FECTL, register::FSTS, u32::MAX),
        (register::IECTL, register::IQT, 0x40),
        (register::PECTL, register::PRS, 0b11),
    ] {
        rig.write(control + 4, data)?;
        rig.write(control + 8, target(register)?)?;
        rig.write(control, 0)?;
    }
    for _ in 0..4 {
        rig.push(descriptor::WAIT_INTERRUPT)?;
        rig.settle()?;
        rig.write(register::ICS, 1)?;
        engine.submit(&mut rig.qtest, Descriptor::load(HERE))?;
        rig.settle()?;
        rig.qtest.writel(rig.endpoint().bar + 0x0c, 0b11)?;
        engine = rig.engine(0).mode(FaultMode::AtsPri);
        rig.push([0xf, 0, 0, 0])?;
        rig.settle()?;
        rig.write(register::FSTS, u32::MAX)?;
    }
    for control in [register::FECTL, register::IECTL, register::PECTL] {
        rig.write(control, 1 << 31)?;
    }
    rig.start_queue(true)?;
    rig.write(register::FSTS, u32::MAX)?;
    rig.invalidate_all()?;
    rig.must(&mut rig.engine(1), Descriptor::load(A))?;
    Ok("three events, four rounds; the queue works afterwards".into())
}

/// A rig whose first endpoint is the one behind the root port.
fn behind_port(rig: &mut Rig) -> Result<Port> {
    let (port, endpoint) = Port::start(&mut rig.qtest, Model::Vtd)?;
    rig.endpoints.insert(0, endpoint);
    Ok(port)
}

/// The endpoint's own DMA switches its slot off (`PCIe §6.7`): it is gone before that access returns.
fn unplugs_itself(rig: &mut Rig) -> Result<String> {
    let port = behind_port(rig)?;
    rig.map_identity(2)?;
    let (slot, off) = port.off(&mut rig.qtest)?;
    rig.map(HERE, slot & !0xfff | first::PAGE)?;
    rig.enable(Setup::default())?;
    rig.qtest.writel(A, off)?;
    let endpoint = rig.endpoint();
    let mut engine = endpoint.engine(0);
    let copies = [HERE + (slot & 0xfff), B, B];
    engine.submit_all(&mut rig.qtest, &copies.map(|to| Descriptor::copy(A, to, 4)))?;
    rig.settle()?;
    expect_gone(rig, &endpoint)?;
    ensure!(rig.qtest.readl(B)? == 0, "the endpoint went on after it had left");
    rig.invalidate_all()?;
    Ok("unplugged in the middle of its work, which ended there".into())
}

fn expect_gone(rig: &mut Rig, endpoint: &crate::scenario::Function) -> Result<()> {
    for _ in 0..20 {
        if endpoint.read(&mut rig.qtest, 0)? == u32::MAX {
            return Ok(());
        }
        rig.settle()?;
    }
    bail!("the endpoint is still there")
}

/// An endpoint leaves while its page requests are with software, and while the unit waits for nobody: the answers and
/// invalidations that come afterwards are for nobody, and the queue goes on.
fn unplugged_in_mid_fault(rig: &mut Rig) -> Result<String> {
    let port = behind_port(rig)?;
    let mut engine = with_pages(rig)?;
    let mut other = rig.engine(1).mode(FaultMode::AtsPri);
    engine.submit(&mut rig.qtest, Descriptor::load(HERE))?;
    other.submit(&mut rig.qtest, Descriptor::store(HERE + 0x1000, 1))?;
    let requests = [rig.wait_page_request()?, rig.wait_page_request()?];
    let endpoint = rig.endpoint();
    port.unplug(&mut rig.qtest)?;
    expect_gone(rig, &endpoint)?;
    rig.map(HERE, A | first::PAGE)?;
    for (request, code) in requests.iter().zip([Response::Success, Response::Failure]) {
        ensure!(request.source() == endpoint.source, "{request:x?}");
        rig.respond(request, code)?;
    }
    rig.submit(descriptor::device_tlb_all(endpoint.source))?;
    rig.invalidate_all()?;
    ensure!(rig.qtest.readq(A)? == 0, "memory was written");
    // The one on the root bus is none the worse.
    rig.must(&mut rig.endpoints[1].engine(0).slot(2), Descriptor::copy(A, B, 64))?;
    Ok("two answers and an invalidation for nobody; the queue goes on".into())
}

/// The endpoint's own DMA moves the queue's tail on, to the answer of its page request, an invalidation of what it keeps,
/// and a wait for that: it hears of them in the middle of an access, and all come to their end.
fn answers_itself(rig: &mut Rig) -> Result<String> {
    const DOOR: u64 = HERE + 0x1000;
    const TOLD: u64 = B + 0x800;
    const ROUNDS: u32 = 4;
    let mut asks = with_pages(rig)?;
    rig.map(DOOR, UNIT | first::PAGE)?;
    let source = rig.endpoint().source;
    for (round, mode) in (1..=ROUNDS).zip([FaultMode::Wait, FaultMode::AtsPri].into_iter().cycle()) {
        let page = HERE + 0x10_0000 * u64::from(round);
        asks.submit(&mut rig.qtest, Descriptor::load(page))?;
        let request = rig.wait_page_request()?;
        rig.map(page, A | first::PAGE)?;
        rig.lay(descriptor::response(&request, Response::Success))?;
        rig.lay(descriptor::device_tlb_all(source))?;
        let tail = rig.lay(descriptor::wait(TOLD, round))?;
        let mut answers = rig.fresh_engine(1)?.mode(mode);
        rig.must(&mut answers, Descriptor::store(DOOR + register::IQT, tail))?;
        let done = asks.wait(&mut rig.qtest)?;
        ensure!(done.is_ok(), "round {round}: {done:?}");
        let told = rig.qtest.readl(TOLD)?;
        ensure!(told == round, "round {round}: the wait descriptor wrote {told}");
    }
    let (sent, answered) = (rig.stat("page-requests")?, rig.stat("page-responses")?);
    ensure!(sent == u64::from(ROUNDS) && answered == sent, "{sent} requests, {answered} responses");
    Ok(format!("{ROUNDS} page requests answered by the device that sent them"))
}

/// A reset of the machine with page requests out, the queue in error, faults recorded and engines at work: everything is as
/// after power-up, and works again.
fn reset(rig: &mut Rig) -> Result<String> {
    for round in 0..3u64 {
        let mut engine = with_pages(rig)?;
        engine.submit(&mut rig.qtest, Descriptor::load(HERE + 0x10_0000))?;
        rig.wait_page_request()?;
        let mut busy = rig.engine(1);
        let long = Descriptor { length: 0x1000, ..Descriptor::copy(A, B, 0) };
        busy.submit_all(&mut rig.qtest, &[long; 8])?;
        let mut third = rig.engine(2).mode(FaultMode::AtsPri);
        third.submit(&mut rig.qtest, Descriptor::load(HERE + 0x20_0000))?;
        rig.push(descriptor::device_tlb_all(rig.endpoint().source))?;
        if round == 1 {
            rig.push([0xf, 0, 0, 0])?;
        }
        rig.qtest.qmp.execute("system_reset", json!({}))?;
        rig.settle()?;
        for (register, expected) in [
            (register::GSTS, 0),
            (register::FSTS, 0),
            (register::PRS, 0),
            (register::IQH, 0),
            (register::IQT, 0),
            (register::PQT, 0),
            (register::RTADDR, 0),
            (register::FECTL, 1 << 31),
        ] {
            let value = rig.read(register)?;
            ensure!(value == expected, "register {register:#x} is {value:#x} after the reset");
        }
        rig.start_again()?;
    }
    let mut engine = with_pages(rig)?;
    rig.must(&mut engine, Descriptor::copy(A, B, 4096))?;
    Ok("three resets; registers as after power-up, and all works".into())
}

/// Page group responses and invalidations that name functions, PASIDs and groups that nobody has.
fn answers_to_nobody(rig: &mut Rig) -> Result<String> {
    let mut engine = with_pages(rig)?;
    engine.submit(&mut rig.qtest, Descriptor::load(HERE))?;
    let request = rig.wait_page_request()?;
    ensure!(rig.read(register::PRS)? == page_status::PPR, "PRS");
    let source = rig.endpoint().source;
    for (other, group, pasid) in [
        (0xffff, request.group(), None),
        (0, request.group(), None),
        (source, request.group() + 1, None),
        (source, request.group(), Some(77u64)),
    ] {
        let pasid = pasid.map_or(0, |pasid| 1 << 4 | pasid << 32);
        rig.submit([0x9 | pasid | other << 16, group << 3, 0, 0])?;
        rig.settle()?;
        ensure!(engine.is_waiting(&mut rig.qtest)?, "an answer to somebody else was taken");
    }
    for other in [0xffff, 0, 0x10] {
        rig.submit(descriptor::device_tlb_all(other))?;
        rig.submit(descriptor::pasid_device_tlb_page(other, 0xf_ffff, HERE))?;
    }
    rig.wait()?;
    rig.map(HERE, A | first::PAGE)?;
    rig.respond(&request, Response::Success)?;
    ensure!(engine.wait(&mut rig.qtest)?.is_ok(), "not finished");
    // Answered twice, and with something else.
    rig.respond(&request, Response::Invalid)?;
    rig.write64(register::PQA, PAGE_QUEUE)?;
    rig.must(&mut engine, Descriptor::load(A))?;
    Ok("nobody was disturbed, the one who asked got its own".into())
}
