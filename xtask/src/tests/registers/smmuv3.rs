// SPDX-License-Identifier: GPL-2.0-or-later
//! The SMMUv3 (`IHI0070`).

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::scenario::smmuv3::counters::Counter;
use crate::scenario::smmuv3::{Ats, Context, Leaf, Leaves, Response, Rig, SMMU, event};
use crate::scenario::{self, Descriptor, Engine, FaultMode, cause, place};
use crate::setup;
use crate::tests::{Runner, Verdict, plain_machine};

/// The scenes.
pub fn run(runner: &mut Runner) {
    // Linux takes 64K leaves for wide PASIDs and never 4K ones.
    runner.test("registers/context-leaves-4k", |r, dir| leaves(r, &dir, Leaves::K4, 8));
    runner.test("registers/context-leaves-64k", |r, dir| leaves(r, &dir, Leaves::K64, 11));
    runner.test("registers/page-requests", |r, dir| page_requests(r, &dir));
    runner.test("registers/automatic-responses", |r, dir| automatic_responses(r, &dir));
    runner.test("registers/ats-invalidation", |r, dir| ats_invalidation(r, &dir));
    runner.test("registers/split-stage-ats", |r, dir| split_stage_ats(r, &dir));
    runner.test("registers/ats-timeout", |r, dir| ats_timeout(r, &dir));
    runner.test("registers/counter-overflow", |r, dir| counter_overflow(r, &dir));
    runner.test("registers/counted-clock", |r, dir| counted_clock(r, &dir));
}

/// A page that is not mapped yet.
const HERE: u64 = 0x12_3456_7000;

/// A scene with ATS and PRI, in requests without PASID.
fn requests(runner: &Runner, dir: &Path, log2: u64) -> Result<(Rig, Engine)> {
    let args = plain_machine(&runner.source);
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start(&args, &parts, dir, "requests")?;
    rig.map_identity(3)?;
    rig.enable(Context::default())?;
    rig.enable_requests(log2)?;
    let mut engine = rig.engine(1).mode(FaultMode::AtsPri);
    rig.warm_up(&mut engine, Descriptor::copy(place::DATA, place::DATA + 4096, 64))?;
    Ok((rig, engine))
}

/// `IHI0070 §8`: a page request is asked, answered, and the endpoint goes on; answered with no, it does not.
fn page_requests(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let (mut rig, mut engine) = requests(runner, dir, 4)?;
    engine.submit(&mut rig.qtest, Descriptor::store(HERE + 0x88, 0x77))?;
    let request = rig.wait_page_request()?;
    ensure!(
        (request.address(), request.access(), request.pasid()) == (HERE, (false, true), None),
        "{request:x?}"
    );
    rig.map(HERE, Leaf::all(place::DATA))?;
    rig.respond(request, Response::Success)?;
    let done = engine.wait(&mut rig.qtest)?;
    ensure!(done.is_ok() && rig.qtest.readq(place::DATA + 0x88)? == 0x77, "{done:?}");
    for (n, response, expected) in
        [(1, Response::Invalid, cause::PAGE_INVALID), (2, Response::Failure, cause::PAGE_FAILURE)]
    {
        engine.submit(&mut rig.qtest, Descriptor::load(HERE + 0x1000 * n))?;
        let request = rig.wait_page_request()?;
        rig.respond(request, response)?;
        let done = engine.wait(&mut rig.qtest)?;
        ensure!(done.cause == expected, "{response:?}: {done:?}");
    }
    ensure!(rig.event()?.is_none(), "an event for what page requests are for");
    let (asked, answered) = (rig.stat("page-requests")?, rig.stat("page-responses")?);
    ensure!((asked, answered) == (3, 3), "{asked} requests, {answered} responses");
    Ok(Verdict::Pass("granted, refused, and failed".into()))
}

/// `IHI0070 §8.1`, `§8.2`: what the SMMU answers in software's place.
fn automatic_responses(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let (mut rig, mut engine) = requests(runner, dir, 0)?;
    engine.submit(&mut rig.qtest, Descriptor::load(HERE))?;
    rig.settle()?;
    let first = rig.page_request()?.context("no page request")?;
    // The queue of one is full: whoever asks is told to try again, and gets through when there is room.
    let mut other = rig.engine(2).slot(1).mode(FaultMode::AtsPri);
    for n in 0..2 {
        let at = place::RING + place::SLOT + n * 4096;
        rig.map(at, Leaf::all(at))?;
    }
    other.submit(&mut rig.qtest, Descriptor::load(HERE + 0x1000))?;
    rig.settle()?;
    let (produced, _) = rig.page_queue()?;
    ensure!(produced >> 31 == 1, "no overflow: PRIQ_PROD is {produced:#x}");
    let refused = rig.stat("auto-responses")?;
    ensure!(refused > 0, "nobody was answered");
    rig.map(HERE, Leaf::all(place::DATA))?;
    rig.map(HERE + 0x1000, Leaf::all(place::DATA))?;
    rig.consume_page_requests(produced)?;
    rig.respond(first, Response::Success)?;
    for engine in [&mut engine, &mut other] {
        let done = engine.wait(&mut rig.qtest)?;
        ensure!(done.is_ok(), "{done:?}");
    }
    // Without a queue the group fails at once.
    rig.enables(0x1d)?;
    let done = rig.run(&mut engine, Descriptor::load(HERE + 0x2000))?;
    ensure!(done.cause == cause::PAGE_FAILURE, "{done:?}");
    Ok(Verdict::Pass(format!("{refused} overflows told to ask again, one failure")))
}

/// `IHI0070 §3.9.1`, `§4.5.1`: what the endpoint holds is used until CMD_ATC_INV, and no longer.
fn ats_invalidation(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let (mut rig, mut engine) = requests(runner, dir, 4)?;
    let (old, new) = (place::DATA, place::DATA + 0x1000);
    rig.map(HERE, Leaf::all(old))?;
    let store = |rig: &mut Rig, engine: &mut Engine, word| -> Result<(u64, u64)> {
        rig.warm_up(engine, Descriptor::store(HERE, word))?;
        Ok((rig.qtest.readq(old)?, rig.qtest.readq(new)?))
    };
    rig.fill(new, 0)?;
    ensure!(store(&mut rig, &mut engine, 1)? == (1, 0), "not mapped");
    rig.map(HERE, Leaf::all(new))?;
    rig.invalidate_all()?;
    ensure!(store(&mut rig, &mut engine, 2)? == (2, 0), "the endpoint forgot by itself");
    rig.invalidate_endpoint(HERE)?;
    rig.command([0x46, 0])?;
    ensure!(store(&mut rig, &mut engine, 3)? == (2, 3), "the endpoint still has the old page");
    // A stream that may not: neither ask nor use what it has.
    rig.set_ats(None)?;
    let done = rig.run(&mut engine, Descriptor::store(HERE, 4))?;
    ensure!(!done.is_ok() && rig.qtest.readq(new)? == 3, "a translated write passed: {done:?}");
    let event = rig.wait_event()?;
    let forbidden = [event::TRANSLATION_FORBIDDEN, event::BAD_ATS_REQUEST];
    ensure!(forbidden.contains(&event.number()), "{event:x?}");
    Ok(Verdict::Pass("old until CMD_ATC_INV, new after; then forbidden".into()))
}

/// `IHI0070 §13.6.3`: the endpoint holds what stage 1 says, and what stage 2 says of that holds at once.
fn split_stage_ats(runner: &Runner, dir: &Path) -> Result<Verdict> {
    // Not in memory.
    const IPA: u64 = 0x70_0000_0000;
    let args = plain_machine(&runner.source);
    let mut rig = Rig::start(&args, &setup::scene_parts(&args)?, dir, "split")?;
    rig.map_identity(3)?;
    rig.map(HERE, Leaf::all(IPA))?;
    rig.enable(Context::default())?;
    rig.nest()?;
    let (old, new) = (place::DATA, place::DATA + 0x1000);
    rig.map_second(IPA, old, true)?;
    rig.enable_requests(4)?;
    rig.set_ats(Some(Ats::Split))?;
    let mut engine = rig.engine(1).mode(FaultMode::AtsPri);
    rig.fill(old, 0)?;
    rig.fill(new, 0)?;
    let words = |rig: &mut Rig| -> Result<(u64, u64)> { Ok((rig.qtest.readq(old)?, rig.qtest.readq(new)?)) };
    rig.warm_up(&mut engine, Descriptor::store(HERE, 1))?;
    ensure!(words(&mut rig)? == (1, 0), "not where both stages lead to: {:x?}", words(&mut rig)?);
    let asked = rig.stat("ats-requests")?;
    // The hypervisor moves the page; the endpoint hears nothing of it.
    rig.map_second(IPA, new, true)?;
    rig.warm_up(&mut engine, Descriptor::store(HERE, 2))?;
    ensure!(words(&mut rig)? == (1, 2), "stage 2 was not asked: {:x?}", words(&mut rig)?);
    rig.map_second(IPA, new, false)?;
    let refused = rig.run(&mut engine, Descriptor::store(HERE + 8, 3))?;
    ensure!(!refused.is_ok() && rig.qtest.readq(new + 8)? == 0, "a write passed: {refused:?}");
    let fault = rig.wait_event()?;
    ensure!((fault.number(), fault.address()) == (event::PERMISSION, IPA + 8), "{fault:x?}");
    ensure!(rig.stat("ats-requests")? == asked, "the endpoint asked again");
    // The guest maps the page anew, which the endpoint has to be told.
    rig.map(HERE, Leaf::all(place::DATA + 0x2000))?;
    rig.invalidate_all()?;
    rig.invalidate_endpoint(HERE)?;
    rig.command([0x46, 0])?;
    rig.warm_up(&mut engine, Descriptor::store(HERE, 4))?;
    ensure!(rig.qtest.readq(place::DATA + 0x2000)? == 4, "the endpoint still has the old page");
    Ok(Verdict::Pass(
        "stage 2 moves and closes a page that the endpoint holds; stage 1 needs CMD_ATC_INV".into(),
    ))
}

/// `IHI0070 §3.9.1.4`: an endpoint that does not answer fails the SYNC, until software has acknowledged it.
fn ats_timeout(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let (mut rig, _) = requests(runner, dir, 4)?;
    let arguments =
        json!({"path": "/machine/peripheral/ep0", "property": "x-answer-invalidations", "value": false});
    rig.qtest.qmp.execute("qom-set", arguments)?;
    rig.invalidate_endpoint(place::DATA)?;
    ensure!(rig.command([0x46, 0]).is_err(), "the SYNC did not wait");
    ensure!(rig.global_errors()? & 1 == 0, "an error before the time is up");
    // `ats-timeout` is 2 s by default.
    for _ in 0..25 {
        rig.qtest.step(100_000_000)?;
    }
    let (errors, code) = (rig.global_errors()?, rig.command_error()?);
    ensure!((errors & 1, code) == (1, 3), "GERROR {errors:#x}, CMDQ_CONS.ERR {code} after 2.5 s");
    ensure!(!rig.is_drained()?, "the SYNC was consumed");
    rig.acknowledge_errors()?;
    rig.settle()?;
    ensure!(rig.is_drained()? && rig.stat("ats-timeouts")? == 1, "not one timeout, or none that ends");
    Ok(Verdict::Pass("CERROR_ATC_INV_SYNC after 2 s, and on after GERRORN".into()))
}

/// A PASID of the last leaf of a two-level CD table works; one whose leaf is invalid is refused as the specification says,
/// and works when the leaf is there.
fn leaves(runner: &Runner, dir: &Path, leaves: Leaves, contexts_log2: u64) -> Result<Verdict> {
    let args = plain_machine(&runner.source);
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start(&args, &parts, dir, "leaves")?;
    rig.enable_pasid()?;
    rig.map_identity(3)?;
    let at = |n: u64| place::DATA + n * 4096;
    rig.fill(at(0), 0x0102_0304_0506_0708)?;
    rig.fill(at(1), 0)?;
    rig.enable(Context { leaves, contexts_log2, ..Context::default() })?;
    let mut engine = rig.engine(1);
    let last = (1u32 << contexts_log2) - 3;
    // In the leaf before the last.
    let other = last - if leaves == Leaves::K4 { 64 } else { 1024 };
    let copy = |to: u64, pasid: u32| Descriptor::copy(at(0), at(to), 4096).pasid(pasid);
    engine.submit(&mut rig.qtest, copy(1, last))?;
    let done = engine.wait(&mut rig.qtest)?;
    ensure!(done.is_ok(), "PASID {last}: {done:?}, event {:x?}", rig.event()?);
    ensure!(rig.qtest.read(at(0), 4096)? == rig.qtest.read(at(1), 4096)?, "PASID {last}: another content");

    let leaf = u64::from(other) >> if leaves == Leaves::K4 { 6 } else { 10 };
    rig.write_leaf(leaf, false)?;
    engine.submit(&mut rig.qtest, copy(2, other))?;
    let done = engine.wait(&mut rig.qtest)?;
    ensure!(!done.is_ok(), "PASID {other} works without its leaf");
    let fault = rig.wait_event()?;
    ensure!(fault.number() == event::BAD_SUBSTREAM_ID, "expected C_BAD_SUBSTREAMID: {fault:x?}");

    rig.write_leaf(leaf, true)?;
    // CMD_CFGI_ALL, CMD_SYNC: nothing was cached, but this is what software does.
    rig.command([0x04, 0x1f])?;
    rig.command([0x46, 0])?;
    engine.submit(&mut rig.qtest, copy(2, other))?;
    let done = engine.wait(&mut rig.qtest)?;
    ensure!(done.is_ok(), "PASID {other} with its leaf: {done:?}");
    Ok(Verdict::Pass(format!("PASIDs {other} and {last} of {}", 1u32 << contexts_log2)))
}

/// `IHI0070 §10.2.1`, `§10.4`: a counter that overflows says so, has all of them captured, and interrupts, by wire and by
/// message; for its StreamID alone, and in the next QEMU as in this one.
fn counter_overflow(runner: &Runner, dir: &Path) -> Result<Verdict> {
    const MESSAGE: u64 = place::DATA + 0x3000;
    let mut args = plain_machine(&runner.source);
    args.iommu.push("pmu-msi=on".into());
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start(&args, &parts, dir, "counters")?;
    rig.map_identity(3)?;
    rig.enable(Context::default())?;
    let mut engine = rig.engine(1);
    let copy = Descriptor::copy(place::DATA, place::DATA + 4096, 64);
    rig.warm_up(&mut engine, copy)?;
    // The descriptor, the data both ways, and the record.
    let each = rig.accesses_of(&mut engine, copy)?;
    ensure!(each >= 4, "a copy takes {each} accesses");
    let (stream, max) = (rig.endpoint.source, u64::MAX);
    rig.watch_counters()?;
    rig.count(0, Counter { event: 1, capture: true, stream, span: false, value: max - each + 2 })?;
    rig.count(1, Counter { event: 1, capture: false, stream: stream ^ 8, span: false, value: max })?;
    rig.count(2, Counter { event: 4, capture: false, stream: 0xffff, span: true, value: 0 })?;
    rig.counter_messages(MESSAGE, 0x77)?;
    ensure!(!rig.counter_interrupt()?, "an interrupt before anything was counted");
    rig.start_counters(0b111, 0b011)?;
    rig.warm_up(&mut engine, copy)?;
    rig.settle()?;
    let (values, captured) = (rig.counters::<3>()?, rig.captured::<3>()?);
    ensure!(values == [1, max, 0], "{each} accesses, of pages that the TLB has: {values:x?}");
    ensure!(captured == [0, max, 0], "captured when it overflowed: {captured:x?}");
    ensure!(rig.overflows()? == 0b001, "OVS is {:#x}", rig.overflows()?);
    ensure!(rig.qtest.readl(MESSAGE)? == 0x77, "no message");
    ensure!(rig.counter_interrupt()?, "no interrupt on the wire");

    // Frozen, and in another QEMU: as it was.
    rig.stop_counters()?;
    rig.warm_up(&mut engine, copy)?;
    ensure!(rig.counters::<3>()? == values, "counted while CR.E was 0");
    rig.qtest.writel(MESSAGE, 0)?;
    rig.set_counter(0, max)?;
    rig.start_counters(0b111, 0b011)?;
    let second = scenario::switch(&mut rig.qtest, scenario::machine(&args, &parts, 1), dir)?;
    let mut rig = rig.adopt(second);
    ensure!(rig.counters::<3>()? == [max, max, 0], "after the switch: {:x?}", rig.counters::<3>()?);
    rig.warm_up(&mut engine, copy)?;
    rig.settle()?;
    // Nothing was cached there: configuration and pages were read anew.
    let [mine, neighbour, tables] = rig.counters()?;
    ensure!((mine, neighbour) == (each - 1, max) && tables > 0, "{mine} and {neighbour:#x} and {tables}");
    ensure!(rig.qtest.readl(MESSAGE)? == 0x77, "no message after the switch");

    // A message to the SMMU's own registers is an abort, which the counters' own status says.
    rig.stop_counters()?;
    rig.counter_messages(SMMU + 0x20, 0)?;
    rig.set_counter(0, max)?;
    rig.start_counters(0b001, 0b001)?;
    rig.warm_up(&mut engine, copy)?;
    rig.settle()?;
    let (status, errors) = (rig.counter_status()?, rig.global_errors()?);
    ensure!((status, errors) == (1, 0), "IRQ_STATUS is {status:#x}, GERROR {errors:#x}");
    Ok(Verdict::Pass(format!("wire and message, {tables} table accesses counted, one message refused")))
}

/// `IHI0070 §10.3`, event 0: cycles of a clock that goes on without transactions, and interrupts when they are enough; in
/// another QEMU too, where nobody has looked at the counters yet.
fn counted_clock(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let args = plain_machine(&runner.source);
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start(&args, &parts, dir, "clock")?;
    rig.watch_counters()?;
    let clock = Counter { event: 0, capture: false, stream: 0x1234, span: false, value: 0 };
    rig.count(0, Counter { value: u64::MAX - 999_999, ..clock })?;
    rig.count(1, clock)?;
    rig.start_counters(0b11, 0b01)?;
    rig.qtest.step(400_000)?;
    let before = rig.counters::<2>()?;
    ensure!(before == [u64::MAX - 599_999, 400_000], "after 400 µs: {before:x?}");
    let second = scenario::switch(&mut rig.qtest, scenario::machine(&args, &parts, 1), dir)?;
    let mut rig = rig.adopt(second);
    rig.qtest.step(599_999)?;
    ensure!(!rig.counter_interrupt()?, "an interrupt before the overflow");
    rig.qtest.step(1)?;
    ensure!(rig.counter_interrupt()?, "no interrupt after a million cycles");
    rig.stop_counters()?;
    rig.qtest.step(500_000)?;
    let after = rig.counters::<2>()?;
    ensure!(
        (after, rig.overflows()?) == ([0, 1_000_000], 1),
        "stopped: {after:x?}, OVS {}",
        rig.overflows()?
    );
    Ok(Verdict::Pass("a million cycles in a millisecond, across a switch".into()))
}
