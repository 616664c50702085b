// SPDX-License-Identifier: GPL-2.0-or-later
//! Page requests: their descriptors, the queue and its overflow, answers of software and of the unit.

use anyhow::{Result, ensure};

use super::Scene;
use crate::scenario::vtd::entry::{self, PasidEntry, first};
use crate::scenario::vtd::register::{self, page_status};
use crate::scenario::vtd::{PAGE_QUEUE, Response, Rig, Setup, reason};
use crate::scenario::{Capability, Descriptor, Engine, FaultMode, Tree, cause, counter, place};

pub(super) const SCENES: &[Scene] = &[
    Scene::new("page-request-without-pasid", |rig| asks(rig, None)),
    Scene::new("page-request-with-pasid", |rig| asks(rig, Some(9))),
    Scene::new("page-request-attributes", attributes),
    Scene::new("page-request-event", event),
    Scene::new("page-responses-without-pasid", |rig| answers(rig, None)),
    Scene::new("page-responses-with-pasid", |rig| answers(rig, Some(9))),
    Scene::new("page-request-groups", groups),
    Scene::new("page-queue-overflow", overflow),
    Scene::new("page-queue-overflow-in-a-group", overflow_in_a_group),
    Scene::new("page-queue-wraps", wraps),
    Scene::new("page-requests-off", off),
    Scene::new("page-queue-nowhere", nowhere),
];

const A: u64 = place::DATA;
const HERE: u64 = 0x7f12_3456_7000;
/// What the messages of events are written to.
const MESSAGES: u64 = place::DATA + 0x7000;

/// Everything that page requests need, with a first stage for PASID 9; engine 0 asks for translations and pages.
fn begin(rig: &mut Rig) -> Result<(Engine, Tree)> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid, Capability::Ats, Capability::Pri])?;
    let tree = rig.first_stage(4)?;
    rig.set_pasid(9, PasidEntry::first_stage(&tree).with(entry::SRE | entry::ERE))?;
    rig.enable(Setup::default())?;
    Ok((rig.engine(0).mode(FaultMode::AtsPri), tree))
}

/// Maps a page for requests with PASID or without.
fn map(rig: &mut Rig, tree: &mut Tree, pasid: Option<u32>, address: u64, leaf: u64) -> Result<()> {
    if pasid.is_some() { rig.set(tree, address, 0, leaf) } else { rig.map(address, leaf) }
}

/// `VTD §7.4`: a page request is in the queue as it was asked, and the endpoint goes on when it is answered.
fn asks(rig: &mut Rig, pasid: Option<u32>) -> Result<String> {
    let (mut engine, mut tree) = begin(rig)?;
    for (n, write) in [false, true].into_iter().enumerate() {
        let page = HERE + 0x1000 * n as u64;
        let work = if write { Descriptor::store(page + 0x88, 0x77) } else { Descriptor::load(page + 0x88) };
        engine.submit(&mut rig.qtest, Descriptor { pasid, ..work })?;
        let request = rig.wait_page_request()?;
        ensure!(request.pasid() == pasid && request.source() == rig.endpoint().source, "{request:x?}");
        ensure!(request.address() == page && request.last(), "{request:x?}");
        ensure!(request.access() == (!write, write), "asked for another access: {request:x?}");
        ensure!(request.0[2..] == [0, 0], "private data: {request:x?}");
        ensure!(engine.is_waiting(&mut rig.qtest)?, "the engine does not wait");
        map(rig, &mut tree, pasid, page, A | first::PAGE)?;
        rig.respond(&request, Response::Success)?;
        let done = engine.wait(&mut rig.qtest)?;
        ensure!(done.is_ok(), "{done:?}, faults {:x?}", rig.faults()?);
    }
    ensure!(rig.qtest.readq(A + 0x88)? == 0x77, "not written");
    // No fault is recorded for what a page request can bring (VTD §7.4).
    rig.expect_no_fault()?;
    let (asked, answered) = (rig.stat("page-requests")?, rig.stat("page-responses")?);
    ensure!((asked, answered) == (2, 2), "{asked} requests, {answered} responses");
    Ok("read and write, asked and answered".into())
}

/// `VTD §7.4.1.1`: privilege and execution of requests with PASID.
fn attributes(rig: &mut Rig) -> Result<String> {
    let (mut engine, mut tree) = begin(rig)?;
    for (n, (privileged, execute)) in [(true, false), (false, true), (true, true)].into_iter().enumerate() {
        let page = HERE + 0x1000 * n as u64;
        let work = Descriptor { privileged, execute, ..Descriptor::load(page).pasid(9) };
        engine.submit(&mut rig.qtest, work)?;
        let request = rig.wait_page_request()?;
        ensure!((request.privileged(), request.executes()) == (privileged, execute), "{request:x?}");
        ensure!(request.access() == (true, false), "execution comes with a read: {request:x?}");
        rig.set(&mut tree, page, 0, A | first::PAGE)?;
        rig.respond(&request, Response::Success)?;
        ensure!(engine.wait(&mut rig.qtest)?.is_ok(), "not finished");
    }
    Ok("privileged, execute and both".into())
}

/// `VTD §11.4.11.4`, `§11.4.11.5`: one message when `PRS` gets its first bit; masked, it waits.
fn event(rig: &mut Rig) -> Result<String> {
    let (mut engine, _) = begin(rig)?;
    let address = u32::try_from(MESSAGES)?;
    rig.write(register::PECTL + 4, 0x1234)?;
    rig.write(register::PECTL + 8, address)?;
    ensure!(rig.read(register::PECTL)? == 1 << 31, "PECTL after reset");
    engine.submit(&mut rig.qtest, Descriptor::load(HERE))?;
    let request = rig.wait_page_request()?;
    ensure!(rig.read(register::PRS)? == page_status::PPR, "PRS");
    ensure!(rig.read(register::PECTL)? == 0b11 << 30, "masked, the message is pending");
    ensure!(rig.qtest.readl(MESSAGES)? == 0, "a message in spite of the mask");
    rig.write(register::PECTL, 0)?;
    ensure!(rig.qtest.readl(MESSAGES)? == 0x1234, "no message when unmasked");
    ensure!(rig.read(register::PECTL)? == 0, "still pending");
    // With PPR still set a second request sends none.
    rig.qtest.writel(MESSAGES, 0)?;
    let mut other = rig.engine(1).mode(FaultMode::AtsPri);
    other.submit(&mut rig.qtest, Descriptor::load(HERE + 0x1000))?;
    let second = rig.wait_page_request()?;
    ensure!(rig.qtest.readl(MESSAGES)? == 0, "a message although PPR was set");
    rig.write(register::PRS, page_status::PPR)?;
    ensure!(rig.read(register::PRS)? == 0, "PPR was not cleared");
    for request in [request, second] {
        rig.respond(&request, Response::Invalid)?;
    }
    let mut third = rig.engine(2).mode(FaultMode::AtsPri);
    third.submit(&mut rig.qtest, Descriptor::load(HERE + 0x2000))?;
    rig.wait_page_request()?;
    ensure!(rig.qtest.readl(MESSAGES)? == 0x1234, "no message for the first request after PPR was cleared");
    Ok("one message a 0 to 1, masked and unmasked".into())
}

/// `VTD §7.5.1`, `PCIe §10.4.2.1`: SUCCESS, INVALID and FAILURE reach the endpoint as themselves.
fn answers(rig: &mut Rig, pasid: Option<u32>) -> Result<String> {
    let (mut engine, mut tree) = begin(rig)?;
    let work = Descriptor { pasid, ..Descriptor::load(HERE) };
    let rearm = |rig: &mut Rig| rig.qtest.writel(rig.endpoint().bar + 0x1c, 0b11 << 30);
    for (code, expected) in
        [(Response::Invalid, cause::PAGE_INVALID), (Response::Failure, cause::PAGE_FAILURE)]
    {
        engine.submit(&mut rig.qtest, work)?;
        let request = rig.wait_page_request()?;
        rig.respond(&request, code)?;
        let done = engine.wait(&mut rig.qtest)?;
        ensure!(
            (done.status, done.cause, done.fault_address) == (3, expected, HERE),
            "{code:?} came as {done:?}"
        );
        let failed = rig.endpoint().page_request_status(&mut rig.qtest)? & 1;
        ensure!(
            failed == u32::from(code == Response::Failure),
            "Response Failure is {failed} after {code:?}"
        );
        rearm(rig)?;
    }
    // Response Failure is RW1C, and while it is set nothing is asked for (PCIe §10.5.2.3).
    rig.endpoint().clear_page_failure(&mut rig.qtest)?;
    engine.submit(&mut rig.qtest, work)?;
    let request = rig.wait_page_request()?;
    map(rig, &mut tree, pasid, HERE, A | first::PAGE)?;
    rig.respond(&request, Response::Success)?;
    let done = engine.wait(&mut rig.qtest)?;
    ensure!(done.is_ok(), "SUCCESS came as {done:?}");
    let counts = (rig.stat("page-responses")?, rig.stat("page-responses-refused")?);
    ensure!(counts == (3, 2), "the unit counted {counts:?}");
    Ok("INVALID, FAILURE and SUCCESS came as themselves".into())
}

/// `PRI_SEND`: the last of its group, and a read.
const LAST: u32 = 1 << 9;
const READ: u32 = 1 << 10;

/// `PCIe §10.4.1`: requests of a group are queued one by one, the last one marked, and one answer is for all of them. A Stop
/// Marker is queued like a request that asks for nothing, and never answered.
fn groups(rig: &mut Rig) -> Result<String> {
    let (_, _) = begin(rig)?;
    let endpoint = rig.endpoint();
    for pasid in [None, Some(9)] {
        for (n, fields) in [7 | READ, 7 | READ, 7 | READ | LAST].into_iter().enumerate() {
            endpoint.send_page_request(&mut rig.qtest, pasid, HERE + 0x1000 * n as u64, fields)?;
        }
        let mut last = None;
        for n in 0..3 {
            let request = rig.wait_page_request()?;
            ensure!(request.address() == HERE + 0x1000 * n && request.group() == 7, "{request:x?}");
            ensure!(request.pasid() == pasid && request.last() == (n == 2), "{request:x?}");
            last = Some(request);
        }
        let before = endpoint.counter(&mut rig.qtest, counter::PAGE_RESPONSES)?;
        if let Some(request) = last {
            rig.respond(&request, Response::Success)?;
        }
        let after = endpoint.counter(&mut rig.qtest, counter::PAGE_RESPONSES)?;
        ensure!(after == before + 1, "{} responses for one group", after - before);
    }
    let answered = rig.stat("auto-responses")?;
    endpoint.send_page_request(&mut rig.qtest, Some(9), 0, LAST)?;
    let marker = rig.wait_page_request()?;
    ensure!(marker.pasid() == Some(9) && marker.access() == (false, false) && marker.last(), "{marker:x?}");
    // Nor is it when nobody will see it.
    rig.change(Setup { page_requests: false, ..Setup::default() })?;
    endpoint.send_page_request(&mut rig.qtest, Some(9), 0, LAST)?;
    rig.settle()?;
    rig.expect_fault(reason::PAGE_REQUEST_DISABLED)?;
    ensure!(rig.stat("auto-responses")? == answered, "a stop marker was answered");
    let unexpected = endpoint.counter(&mut rig.qtest, counter::PAGE_RESPONSES_UNEXPECTED)?;
    ensure!(unexpected == 0, "{unexpected} responses that nobody waits for");
    Ok("three requests and one answer, twice; two stop markers and none".into())
}

/// `VTD §7.4`: a group that finds the queue full is answered once, for its last request.
fn overflow_in_a_group(rig: &mut Rig) -> Result<String> {
    let (_, _) = begin(rig)?;
    let endpoint = rig.endpoint();
    // One free slot: the first request of the group is queued.
    rig.write64(register::PQH, 64)?;
    for (n, fields) in [5 | READ, 5 | READ, 5 | READ | LAST].into_iter().enumerate() {
        endpoint.send_page_request(&mut rig.qtest, Some(9), HERE + 0x1000 * n as u64, fields)?;
    }
    rig.settle()?;
    ensure!(rig.read(register::PRS)? == page_status::PRO | page_status::PPR, "PRS");
    ensure!(rig.stat("page-request-overflows")? == 2, "two found no room");
    ensure!(
        endpoint.counter(&mut rig.qtest, counter::PAGE_RESPONSES)? == 0,
        "answered before PRO was cleared"
    );
    rig.write64(register::PQH, 0)?;
    let request = rig.wait_page_request()?;
    ensure!(request.group() == 5 && !request.last(), "{request:x?}");
    rig.write(register::PRS, page_status::PRO | page_status::PPR)?;
    rig.settle()?;
    let counts = (rig.stat("auto-responses")?, endpoint.counter(&mut rig.qtest, counter::PAGE_RESPONSES)?);
    ensure!(counts == (1, 1), "automatic responses, and those that arrived: {counts:?}");
    // A drain has nothing left to do, and software goes on.
    rig.submit(crate::scenario::vtd::descriptor::wait_drained(place::DATA + 0x7000, 3))?;
    ensure!(rig.qtest.readl(place::DATA + 0x7000)? == 3, "no status");
    Ok("one of three queued, one automatic response for the group".into())
}

/// `VTD §7.4`, `§11.4.11.4`: a request that finds the queue full sets `PRO`, and while that is set none is queued. The unit
/// answers those groups with success, here once software has cleared `PRO`: they are asked for again, and nothing is lost.
fn overflow(rig: &mut Rig) -> Result<String> {
    let (_, mut tree) = begin(rig)?;
    // One free slot.
    rig.write64(register::PQH, 64)?;
    let mut engines: Vec<_> = (0..4).map(|n| rig.engine(n).mode(FaultMode::AtsPri)).collect();
    for (n, engine) in engines.iter_mut().enumerate() {
        let page = HERE + 0x1000 * n as u64;
        engine.submit(&mut rig.qtest, Descriptor::store(page, 0x40 + n as u64).pasid(9))?;
    }
    rig.settle()?;
    let status = rig.read(register::PRS)?;
    ensure!(status == page_status::PRO | page_status::PPR, "PRS is {status:#x}");
    ensure!(rig.read64(register::PQT)? == 32, "PQT is {:#x}", rig.read64(register::PQT)?);
    // Room alone does not end it.
    rig.write64(register::PQH, 32)?;
    rig.settle()?;
    ensure!(rig.read64(register::PQT)? == 32, "queued in spite of PRO");
    let counts =
        (rig.stat("page-requests")?, rig.stat("page-request-overflows")?, rig.stat("auto-responses")?);
    ensure!(counts == (1, 3, 0), "queued, overflowed, answered: {counts:?}");
    // Software serves what was queued, then clears PRO.
    rig.write64(register::PQH, 0)?;
    let mut serve = |rig: &mut Rig| -> Result<()> {
        let request = rig.wait_page_request()?;
        rig.set(&mut tree, request.address(), 0, A | first::PAGE)?;
        rig.respond(&request, Response::Success)
    };
    serve(rig)?;
    ensure!(engines[0].wait(&mut rig.qtest)?.is_ok(), "the queued one was not served");
    rig.write(register::PRS, page_status::PRO | page_status::PPR)?;
    for _ in 0..3 {
        serve(rig)?;
    }
    for (n, engine) in engines.iter_mut().enumerate() {
        let done = engine.wait(&mut rig.qtest)?;
        ensure!(done.is_ok(), "engine {n}: {done:?}");
    }
    ensure!(rig.read(register::PRS)? & page_status::PRO == 0, "PRO again");
    ensure!(rig.stat("auto-responses")? == 3, "automatic responses");
    let endpoint = rig.endpoint();
    let sent = endpoint.counter(&mut rig.qtest, counter::PAGE_REQUESTS)?;
    let answered = endpoint.counter(&mut rig.qtest, counter::PAGE_RESPONSES)?;
    ensure!((sent, answered) == (7, 7), "{sent} requests, {answered} responses");
    Ok("PRO set by the second of four, three automatic responses when it was cleared, all four served".into())
}

/// `VTD §7.4.1`: the tail goes round, at a size of one page and of two.
fn wraps(rig: &mut Rig) -> Result<String> {
    let (mut engine, mut tree) = begin(rig)?;
    for log2 in [0u64, 1] {
        let size = 4096 << log2;
        rig.set_page_queue(log2)?;
        rig.write64(register::PQH, size - 32)?;
        rig.write64(register::PQT, size - 32)?;
        for n in 0..3 {
            let page = HERE + 0x1000 * (n + 8 * log2);
            engine.submit(&mut rig.qtest, Descriptor::load(page).pasid(9))?;
            let request = rig.wait_page_request()?;
            ensure!(request.address() == page, "{request:x?}");
            rig.set(&mut tree, page, 0, A | first::PAGE)?;
            rig.respond(&request, Response::Success)?;
            ensure!(engine.wait(&mut rig.qtest)?.is_ok(), "not finished");
        }
        let tail = rig.read64(register::PQT)?;
        ensure!(tail == 64, "PQT is {tail:#x}");
    }
    Ok("one page and two".into())
}

/// `VTD §9.4`, `§7.1`: with `PRE = 0` a page request is SCT.8, and its group is answered by the unit. Without translation
/// nobody answers but the unit either.
fn off(rig: &mut Rig) -> Result<String> {
    let (mut engine, _) = begin(rig)?;
    rig.change(Setup { page_requests: false, ..Setup::default() })?;
    let work = Descriptor::load(HERE).pasid(9);
    let done = rig.must_fail(&mut engine, work)?;
    ensure!(done.cause == cause::PAGE_INVALID, "{done:?}");
    let fault = rig.expect_fault(reason::PAGE_REQUEST_DISABLED)?;
    ensure!(fault.kind() == 1 && fault.pasid() == Some(9) && fault.address() == HERE, "{fault:x?}");
    ensure!(rig.read64(register::PQT)? == 0, "it was queued");
    let automatic = rig.stat("auto-responses")?;
    ensure!(automatic == 1, "{automatic} automatic responses");
    Ok("SCT.8, answered INVALID by the unit".into())
}

/// A queue that is not in memory, or in registers: the group is answered with failure, and nothing is written there.
fn nowhere(rig: &mut Rig) -> Result<String> {
    let (mut engine, mut tree) = begin(rig)?;
    let unit = crate::scenario::vtd::UNIT;
    for base in [0xf_ffff_f000, unit] {
        rig.write64(register::PQA, base)?;
        let done = rig.must_fail(&mut engine, Descriptor::load(HERE).pasid(9))?;
        ensure!(done.cause == cause::PAGE_FAILURE, "{done:?}");
        let endpoint = rig.endpoint();
        endpoint.clear_page_failure(&mut rig.qtest)?;
        rig.qtest.writel(endpoint.bar + 0x1c, 0b11 << 30)?;
    }
    rig.write64(register::PQA, PAGE_QUEUE)?;
    rig.write64(register::PQH, 0)?;
    rig.write64(register::PQT, 0)?;
    engine.submit(&mut rig.qtest, Descriptor::load(HERE).pasid(9))?;
    let request = rig.wait_page_request()?;
    rig.set(&mut tree, HERE, 0, A | first::PAGE)?;
    rig.respond(&request, Response::Success)?;
    ensure!(engine.wait(&mut rig.qtest)?.is_ok(), "not finished with a queue in memory");
    Ok("answered FAILURE; with a queue in memory it works".into())
}
