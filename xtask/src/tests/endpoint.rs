// SPDX-License-Identifier: GPL-2.0-or-later
//! The endpoint's own side of ATS and page requests, by registers alone, behind a VT-d unit.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::boots::{demo_in, good};
use super::example::Language;
use super::{Runner, Verdict, example, leaving, plain_vtd};
use crate::cli::MachineArgs;
use crate::scenario::vtd::{PasidEntry, Response, Rig, Setup, descriptor, entry, register as unit};
use crate::scenario::{self, Capability, Descriptor, FaultMode, cause, counter, place};
use crate::setup;
use crate::vm::Parts;

/// Where pages are missing: beyond what [`Rig::map_identity`] maps.
const ABSENT: u64 = 0x6000_0000;
const PASID: u32 = 9;

/// Registers, `docs/sva-testdev.md`.
mod register {
    pub const CANCEL: u64 = 0x018;
    pub const REARM: u64 = 0x01c;
    pub const UNANSWERED: u64 = 0x198;
    pub const UNEXPECTED: u64 = 0x1b8;
    pub const ATC_ENTRIES: u64 = 0x200;
    pub const ATC_USED: u64 = 0x204;
    pub const ATC_INDEX: u64 = 0x208;
    pub const ATC_FLAGS: u64 = 0x20c;
    pub const ATC_INPUT: u64 = 0x210;
    pub const ATC_MASK: u64 = 0x220;
    pub const PRI_ADDR: u64 = 0x240;
    pub const PRI_PASID: u64 = 0x248;
    pub const PRI_SEND: u64 = 0x24c;
    pub const PRI_STATUS: u64 = 0x250;
    pub const PRI_GROUP: u64 = 0x254;
    pub const PRI_RESULT: u64 = 0x258;
    pub const PRI_OUTSTANDING: u64 = 0x25c;
    pub const PRI_PENDING: u64 = 0x260;
    /// Of engine 1.
    pub const PREFETCH: u64 = 0x1138;
}

const GO: u32 = 1 << 31;
const LAST: u32 = 1 << 9;
const READ: u32 = 1 << 10;
const WRITE: u32 = 1 << 11;
const EXECUTE: u32 = 1 << 12;
const FORCE: u32 = 1 << 14;
/// CANCEL: a Stop Marker follows.
const STOP_MARKER: u32 = 1 << 28;
/// PRI_STATUS.
const SENT: u32 = 1;
const NO_CREDIT: u32 = 2;
const INDEX_IN_USE: u32 = 3;
const OFF: u32 = 4;
/// PRI_RESULT.
const ANSWERED: u32 = 1 << 8;
const OUTSTANDING: u32 = 1 << 9;
const COMPLETE: u32 = 1 << 10;
/// Page Request Status (`PCIe §10.5.2.3`).
const RESPONSE_FAILURE: u32 = 1;
const UNEXPECTED_GROUP: u32 = 2;
const STOPPED: u32 = 1 << 8;
const PASID_REQUIRED: u32 = 1 << 15;
/// ATS capability (`PCIe §10.5.1.2`).
const PAGE_ALIGNED: u32 = 1 << 5;
const GLOBAL_INVALIDATE: u32 = 1 << 6;

/// `FSTS.ITE` (`VTD §11.4.9.9`).
const TIME_OUT: u32 = 1 << 6;

/// The suite.
pub fn run(runner: &mut Runner) {
    runner.test("endpoint/page-requests-by-hand", |r, dir| by_hand(r, &dir));
    runner.test("endpoint/page-request-rules", |r, dir| rules(r, &dir));
    runner.test("endpoint/prefetch-one-group", |r, dir| prefetch(r, &dir, false));
    runner.test("endpoint/prefetch-several-groups", |r, dir| prefetch(r, &dir, true));
    runner.test("endpoint/translation-cache", |r, dir| cache(r, &dir));
    runner.test("endpoint/privilege-and-execution", |r, dir| flags(r, &dir));
    runner.test("endpoint/capabilities-without", |r, dir| without(r, &dir));
    runner.test("endpoint/global-invalidation", |r, dir| global(r, &dir));
    runner.test("endpoint/unanswered-invalidation", |r, dir| unanswered(r, &dir));
    for (name, language) in [("rust", Language::Rust), ("c", Language::C)] {
        runner.test(&format!("endpoint/device-of-another-author-in-{name}"), |r, dir| {
            example::accelerator(r, &dir, language)
        });
        runner.test(&format!("endpoint/unplugs-itself-in-{name}"), |r, dir| {
            leaving::unplugs_itself(r, &dir, language)
        });
    }
    runner.test("endpoint/last-reference-elsewhere", |r, dir| leaving::last_reference(r, &dir));
    runner.test("endpoint/guest-prefetch", |r, dir| {
        good(&demo_in(&plain_vtd(&r.source), "bind-and-pasid,prefetch,kernel-clean", &dir, 120)?, &dir)
    });
}

struct Scene {
    rig: Rig,
    args: MachineArgs,
    parts: Parts,
}

/// A unit in scalable mode, one endpoint with everything on, [`PASID`] with the first stage of requests without PASID.
fn scene(runner: &Runner, dir: &Path, properties: &[&str]) -> Result<Scene> {
    let mut args = plain_vtd(&runner.source);
    args.endpoint.extend(properties.iter().map(|p| (*p).to_owned()));
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start(&args, &parts, dir, "scene")?;
    rig.map_identity(4)?;
    let entry = PasidEntry::first_stage(&rig.first.clone()).with(entry::SRE | entry::ERE | entry::NXE);
    rig.set_pasid(PASID, entry)?;
    rig.enable(Setup::default())?;
    rig.enable_capabilities(&[Capability::Pasid, Capability::Ats, Capability::Pri])?;
    Ok(Scene { rig, args, parts })
}

impl Scene {
    fn read(&mut self, register: u64) -> Result<u32> {
        let bar = self.rig.endpoint().bar;
        self.rig.qtest.readl(bar + register)
    }

    fn write(&mut self, register: u64, value: u32) -> Result<()> {
        let bar = self.rig.endpoint().bar;
        self.rig.qtest.writel(bar + register, value)
    }

    fn counter(&mut self, offset: u64) -> Result<u64> {
        let endpoint = self.rig.endpoint();
        endpoint.counter(&mut self.rig.qtest, offset)
    }

    /// Sends a page request; PRI_STATUS.
    fn send(&mut self, pasid: Option<u32>, addr: u64, bits: u32) -> Result<u32> {
        let bar = self.rig.endpoint().bar;
        self.write(register::PRI_PASID, pasid.map_or(0, |pasid| pasid | GO))?;
        self.rig.qtest.writeq(bar + register::PRI_ADDR, addr)?;
        self.write(register::PRI_SEND, GO | bits)?;
        self.read(register::PRI_STATUS)
    }

    fn result(&mut self, group: u32) -> Result<u32> {
        self.write(register::PRI_GROUP, group)?;
        self.read(register::PRI_RESULT)
    }

    /// The ATS capability register.
    fn ats_capability(&mut self) -> Result<u32> {
        let endpoint = self.rig.endpoint();
        let at = endpoint.extended(&mut self.rig.qtest, 0xf)?;
        Ok(endpoint.read(&mut self.rig.qtest, at + 4)? & 0xffff)
    }

    fn page_request_status(&mut self) -> Result<u32> {
        let endpoint = self.rig.endpoint();
        endpoint.page_request_status(&mut self.rig.qtest)
    }

    /// Input address and mask of each translation that the endpoint keeps.
    fn cached(&mut self) -> Result<Vec<(u64, u64)>> {
        let bar = self.rig.endpoint().bar;
        let mut found = Vec::new();
        for index in 0..64 {
            self.write(register::ATC_INDEX, index)?;
            if self.read(register::ATC_FLAGS)? & 1 != 0 {
                let input = self.rig.qtest.readq(bar + register::ATC_INPUT)?;
                found.push((input, self.rig.qtest.readq(bar + register::ATC_MASK)?));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Goes on in a new QEMU.
    fn switch(self, dir: &Path) -> Result<Self> {
        let Self { mut rig, args, parts } = self;
        let second = scenario::switch(&mut rig.qtest, scenario::machine(&args, &parts, 1), dir)?;
        Ok(Self { rig: rig.adopt(second), args, parts })
    }
}

/// Each response code reads back as itself, across a switch; two requests of one group, then a Response Failure.
fn by_hand(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let mut s = scene(runner, dir, &[])?;
    ensure!(s.send(Some(PASID), ABSENT, 7 | READ)? == SENT, "not sent");
    ensure!(s.send(Some(PASID), ABSENT + 0x1000, 7 | WRITE | EXECUTE | LAST)? == SENT, "not sent");
    let (first, second) = (s.rig.wait_page_request()?, s.rig.wait_page_request()?);
    ensure!(
        (first.group(), first.last(), first.access(), first.address()) == (7, false, (true, false), ABSENT),
        "the first request is {first:x?}"
    );
    ensure!(
        (second.last(), second.access(), second.executes(), second.pasid())
            == (true, (false, true), true, Some(PASID)),
        "the second request is {second:x?}"
    );
    let state = s.result(7)?;
    ensure!(state == 2 << 16 | COMPLETE | OUTSTANDING, "PRI_RESULT is {state:#x}");

    let mut s = s.switch(dir)?;
    ensure!(s.result(7)? == state, "PRI_RESULT after the switch is {:#x}", s.result(7)?);
    ensure!(s.read(register::PRI_PENDING)? == 2, "PRI_PENDING is {}", s.read(register::PRI_PENDING)?);
    s.rig.respond(&second, Response::Success)?;
    ensure!(s.result(7)? == ANSWERED, "Success reads back as {:#x}", s.result(7)?);

    ensure!(s.send(None, ABSENT, 8 | READ | LAST)? == SENT, "not sent without PASID");
    let request = s.rig.wait_page_request()?;
    s.rig.respond(&request, Response::Invalid)?;
    ensure!(s.result(8)? == ANSWERED | 1, "Invalid Request reads back as {:#x}", s.result(8)?);

    ensure!(s.send(Some(PASID), ABSENT, 9 | READ | LAST)? == SENT, "not sent");
    ensure!(s.send(Some(PASID), ABSENT, 10 | READ | LAST)? == SENT, "not sent");
    let (request, late) = (s.rig.wait_page_request()?, s.rig.wait_page_request()?);
    s.rig.respond(&request, Response::Failure)?;
    ensure!(s.result(9)? == ANSWERED | 15, "Response Failure reads back as {:#x}", s.result(9)?);
    ensure!(s.page_request_status()? & RESPONSE_FAILURE != 0, "no Response Failure in the status");
    ensure!(s.send(Some(PASID), ABSENT, 11 | READ | LAST)? == OFF, "sent after a Response Failure");
    s.rig.respond(&late, Response::Success)?;
    let status = s.page_request_status()?;
    ensure!(status & UNEXPECTED_GROUP == 0, "a late response was not ignored: {status:#x}");
    Ok(Verdict::Pass("Success, Invalid Request and Response Failure read back as themselves".into()))
}

/// The allowance that software gives, the reuse of indices, a response that nobody waits for, a Stop Marker.
fn rules(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let mut s = scene(runner, dir, &["page-requests=16"])?;
    let endpoint = s.rig.endpoint();
    let at = endpoint.extended(&mut s.rig.qtest, 0x13)?;
    ensure!(endpoint.read(&mut s.rig.qtest, at + 8)? == 16, "the capability offers another number");
    endpoint.write(&mut s.rig.qtest, at + 0xc, 2)?;
    ensure!(s.send(Some(PASID), ABSENT, 1 | READ | LAST)? == SENT, "not sent");
    ensure!(s.send(Some(PASID), ABSENT, 1 | READ | LAST)? == INDEX_IN_USE, "an index was used twice");
    ensure!(s.send(Some(PASID), ABSENT, 2 | READ | LAST)? == SENT, "not sent");
    ensure!(s.send(Some(PASID), ABSENT, 3 | READ | LAST)? == NO_CREDIT, "more than software allows");
    ensure!(s.send(Some(PASID), ABSENT, 3 | READ | LAST | FORCE)? == SENT, "not sent by force");
    ensure!(s.read(register::PRI_OUTSTANDING)? == 3 << 16 | 3, "PRI_OUTSTANDING is wrong");
    let mut requests = Vec::new();
    for _ in 0..3 {
        requests.push(s.rig.wait_page_request()?);
    }
    s.rig.respond(&requests[0], Response::Success)?;
    ensure!(s.page_request_status()? & UNEXPECTED_GROUP == 0, "the first response was not expected");
    s.rig.respond(&requests[0], Response::Success)?;
    ensure!(s.page_request_status()? & UNEXPECTED_GROUP != 0, "the second response to a group was expected");
    ensure!(s.counter(register::UNEXPECTED)? == 1, "PAGE_RESPONSES_UNEXPECTED is not 1");

    s.write(register::CANCEL, GO | STOP_MARKER | PASID)?;
    let marker = s.rig.wait_page_request()?;
    ensure!(
        marker.last() && marker.access() == (false, false) && marker.pasid() == Some(PASID),
        "no Stop Marker: {marker:x?}"
    );
    ensure!(s.read(register::PRI_PENDING)? == 2, "the groups before the Stop Marker are forgotten");
    for request in &requests[1..] {
        s.rig.respond(request, Response::Success)?;
    }
    ensure!(s.read(register::PRI_PENDING)? == 0, "responses to stale groups were not taken");

    // Off, with nothing outstanding: stopped.
    endpoint.write(&mut s.rig.qtest, at + 4, 0)?;
    ensure!(s.page_request_status()? & STOPPED != 0, "not stopped");
    ensure!(s.send(Some(PASID), ABSENT, 1 | READ | LAST | FORCE)? == OFF, "sent while page requests are off");
    Ok(Verdict::Pass("2 of 16 allowed, an index used once at a time, 1 response unexpected".into()))
}

/// One page fault asks for four pages, in a group or in groups.
fn prefetch(runner: &Runner, dir: &Path, split: bool) -> Result<Verdict> {
    let mut s = scene(runner, dir, &[])?;
    s.write(register::PREFETCH, 4 | u32::from(split) << 31)?;
    let mut engine = s.rig.engine(1).mode(FaultMode::AtsPri);
    let work = Descriptor { length: 4 * 4096, ..Descriptor::store(ABSENT, 0x1122_3344_5566_7788) };
    engine.submit(&mut s.rig.qtest, work.pasid(PASID))?;
    let mut requests = Vec::new();
    for n in 0..4 {
        let request = s.rig.wait_page_request()?;
        ensure!(request.address() == ABSENT + n * 4096, "request {n} is {request:x?}");
        ensure!(request.last() == (split || n == 3), "request {n} is {request:x?}");
        requests.push(request);
    }
    ensure!(s.rig.page_request()?.is_none(), "a fifth request");
    ensure!(s.counter(counter::PAGE_REQUESTS)? == 4, "PAGE_REQUESTS is not 4");
    ensure!(engine.poll(&mut s.rig.qtest)?.is_none(), "done without pages");
    for n in 0..4 {
        s.rig.map(ABSENT + n * 4096, (place::DATA + n * 4096) | entry::first::PAGE)?;
    }
    let answered = if split { &requests[..] } else { &requests[3..] };
    // The last one first: the engine waits for the one that it has come to.
    for request in answered.iter().rev() {
        ensure!(engine.poll(&mut s.rig.qtest)?.is_none(), "done before all groups were answered");
        s.rig.respond(request, Response::Success)?;
    }
    let done = engine.wait(&mut s.rig.qtest)?;
    ensure!(done.is_ok() && done.bytes == 4 * 4096, "{done:?}");
    ensure!(s.counter(counter::PAGE_REQUESTS)? == 4, "a page was requested again");
    let responses = s.counter(counter::PAGE_RESPONSES)?;
    ensure!(responses == if split { 4 } else { 1 }, "{responses} responses");
    ensure!(s.rig.qtest.readq(place::DATA + 0x3ff8)? == 0x1122_3344_5566_7788, "another content");

    // A page that there will never be.
    engine.submit(&mut s.rig.qtest, Descriptor::store(ABSENT + 0x10_0000, 0).pasid(PASID))?;
    let request = s.rig.wait_page_request()?;
    s.rig.respond(&request, Response::Invalid)?;
    let done = engine.wait(&mut s.rig.qtest)?;
    ensure!(done.cause == cause::PAGE_INVALID, "{done:?}");
    Ok(Verdict::Pass(format!("4 pages at once, {responses} responses")))
}

/// A large page is one entry; invalidations take what they name and nothing else; the rest survives a switch.
fn cache(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let mut s = scene(runner, dir, &[])?;
    let large = 0x8000_0000;
    let mut first = s.rig.first;
    s.rig.set(&mut first, large, 1, 0x4200_0000 | entry::first::PAGE | entry::first::PS)?;
    s.rig.first = first;
    let mut engine = s.rig.engine(1).mode(FaultMode::AtsPri);
    s.rig.must(&mut engine, Descriptor::load(large + 0x10_0000).pasid(PASID))?;
    s.rig.must(&mut engine, Descriptor::load(large + 0x1f_f000).pasid(PASID))?;
    s.rig.must(&mut engine, Descriptor::load(place::DATA).pasid(PASID))?;
    s.rig.must(&mut engine, Descriptor::load(place::DATA + 0x1000).pasid(PASID))?;
    let mine = |all: &[(u64, u64)]| -> Vec<(u64, u64)> {
        all.iter().copied().filter(|(input, _)| *input >= place::DATA).collect()
    };
    let all = s.cached()?;
    let expected = [(place::DATA, 0xfff), (place::DATA + 0x1000, 0xfff), (large, 0x1f_ffff)];
    ensure!(mine(&all) == expected, "cached are {all:x?}");
    ensure!(s.read(register::ATC_USED)? as usize == all.len(), "ATC_USED differs");

    let mut s = s.switch(dir)?;
    ensure!(s.cached()? == all, "after the switch: {:x?}", s.cached()?);
    let source = s.rig.endpoint().source;
    let asked = s.counter(counter::ATS_REQUESTS)?;
    s.rig.must(&mut engine, Descriptor::load(place::DATA).pasid(PASID))?;
    ensure!(s.counter(counter::ATS_REQUESTS)? == asked, "asked again for what is cached");
    // Another PASID's, and that of requests without one.
    s.rig.submit(descriptor::pasid_device_tlb_page(source, PASID + 1, place::DATA))?;
    s.rig.submit(descriptor::device_tlb_page(source, place::DATA))?;
    s.rig.wait()?;
    ensure!(mine(&s.cached()?) == expected, "taken by others' invalidations: {:x?}", s.cached()?);
    // A page in the middle of the large one.
    s.rig.submit(descriptor::pasid_device_tlb_page(source, PASID, large + 0x7000))?;
    s.rig.wait()?;
    ensure!(mine(&s.cached()?) == expected[..2], "left: {:x?}", s.cached()?);
    s.rig.submit(descriptor::pasid_device_tlb_page(source, PASID, place::DATA))?;
    s.rig.wait()?;
    ensure!(mine(&s.cached()?) == expected[1..2], "left: {:x?}", s.cached()?);
    Ok(Verdict::Pass("2 MiB in one entry; 2 of 4 invalidations took an entry each".into()))
}

/// An invalidation of every PASID's page is that to endpoints that say so, and of the PASID it names to others.
fn global(runner: &Runner, dir: &Path) -> Result<Verdict> {
    for supported in [false, true] {
        let property = format!("x-ats-global={}", if supported { "on" } else { "off" });
        let part = dir.join(if supported { "supported" } else { "not-supported" });
        std::fs::create_dir_all(&part)?;
        let mut s = scene(runner, &part, &[&property])?;
        let mut engine = s.rig.engine(1).mode(FaultMode::AtsPri);
        s.rig.must(&mut engine, Descriptor::load(place::DATA).pasid(PASID))?;
        s.rig.must(&mut engine, Descriptor::load(place::DATA + 0x1000).pasid(PASID))?;
        let cached = |s: &mut Scene| -> Result<Vec<u64>> {
            Ok(s.cached()?
                .into_iter()
                .map(|(input, _)| input)
                .filter(|input| *input >= place::DATA)
                .collect())
        };
        let both = [place::DATA, place::DATA + 0x1000];
        ensure!(cached(&mut s)? == both, "cached are {:x?}", s.cached()?);
        let source = s.rig.endpoint().source;
        s.rig.submit(descriptor::pasid_device_tlb_page_global(source, PASID + 1, place::DATA))?;
        s.rig.wait()?;
        let left = if supported { &both[1..] } else { &both[..] };
        ensure!(cached(&mut s)? == left, "{property}: left are {:x?}", s.cached()?);
    }
    Ok(Verdict::Pass("another PASID's entry went, where the endpoint supports it".into()))
}

/// Privilege and execution travel in translation requests and page requests, and a translation serves its privilege alone.
fn flags(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let mut s = scene(runner, dir, &[])?;
    let (supervisor, data) = (ABSENT, ABSENT + 0x1000);
    s.rig.map(supervisor, place::DATA | (entry::first::PAGE & !entry::first::US))?;
    s.rig.map(data, place::DATA | entry::first::PAGE | entry::first::XD)?;
    let mut engine = s.rig.engine(1).mode(FaultMode::AtsPri);
    s.rig.must(&mut engine, Descriptor::load(supervisor).pasid(PASID).privileged())?;
    s.rig.must(&mut engine, Descriptor::load(data).pasid(PASID))?;
    let refused = [
        (Descriptor::load(supervisor), false, false),
        (Descriptor::load(data).execute(), true, false),
        (Descriptor::load(data).privileged().execute(), true, true),
    ];
    for (work, executes, privileged) in refused {
        engine.submit(&mut s.rig.qtest, work.pasid(PASID))?;
        let request = s.rig.wait_page_request()?;
        ensure!(
            (request.executes(), request.privileged(), request.access().0) == (executes, privileged, true),
            "{work:x?} asks for {request:x?}"
        );
        s.rig.respond(&request, Response::Invalid)?;
        let done = engine.wait(&mut s.rig.qtest)?;
        ensure!(done.cause == cause::PAGE_INVALID, "{work:x?}: {done:?}");
        s.write(register::REARM, GO | PASID)?;
    }
    Ok(Verdict::Pass("2 accesses allowed, 3 refused, each asked for as it is".into()))
}

/// Without what Linux wants behind VT-d: the capabilities say so, and the endpoint does so.
fn without(runner: &Runner, dir: &Path) -> Result<Verdict> {
    let mut s = scene(runner, dir, &[])?;
    let (ats, pri) = (s.ats_capability()?, s.page_request_status()?);
    ensure!(ats & (PAGE_ALIGNED | GLOBAL_INVALIDATE) == PAGE_ALIGNED, "by default, ATS is {ats:#x}");
    ensure!(pri & PASID_REQUIRED != 0, "by default, the page request status is {pri:#x}");
    drop(s);

    let properties =
        ["x-ats-page-aligned=off", "x-ats-global=on", "x-pri-response-pasid=off", "atc-entries=2"];
    let mut s = scene(runner, dir, &properties)?;
    let (ats, pri) = (s.ats_capability()?, s.page_request_status()?);
    ensure!(ats & (PAGE_ALIGNED | GLOBAL_INVALIDATE) == GLOBAL_INVALIDATE, "ATS is {ats:#x}");
    ensure!(pri & PASID_REQUIRED == 0, "the page request status is {pri:#x}");
    ensure!(s.read(register::ATC_ENTRIES)? == 2, "another size of the cache");

    let mut engine = s.rig.engine(1).mode(FaultMode::AtsPri);
    s.rig.must(&mut engine, Descriptor::load(place::DATA + 0x808).pasid(PASID))?;
    ensure!(s.read(register::ATC_USED)? == 2, "the cache is not full");
    ensure!(s.send(Some(PASID), ABSENT, 5 | READ | LAST)? == SENT, "not sent");
    let request = s.rig.wait_page_request()?;
    let [head, rest @ ..] = descriptor::response(&request, Response::Success);
    let [group, ..] = rest;
    s.rig.submit([head & 0xffff_ffef, group, 0, 0])?;
    s.rig.settle()?;
    ensure!(s.result(5)? == ANSWERED, "a response without PASID was not taken: {:#x}", s.result(5)?);
    Ok(Verdict::Pass("unaligned addresses, a response without PASID, a cache of 2".into()))
}

/// Told not to answer, the endpoint drops the translation and keeps the unit waiting, for good.
fn unanswered(runner: &Runner, dir: &Path) -> Result<Verdict> {
    const PATH: &str = "/machine/peripheral/ep0";
    const STATUS: u64 = place::DATA + 0x2000;
    let mut s = scene(runner, dir, &[])?;
    let mut engine = s.rig.engine(1).mode(FaultMode::AtsPri);
    s.rig.must(&mut engine, Descriptor::load(place::DATA).pasid(PASID))?;
    let switch = |s: &mut Scene, value: bool| {
        let arguments = json!({"path": PATH, "property": "x-answer-invalidations", "value": value});
        s.rig.qtest.qmp.execute("qom-set", arguments).context("qom-set")
    };
    switch(&mut s, false)?;
    let source = s.rig.endpoint().source;
    s.rig.qtest.writel(STATUS, 0)?;
    s.rig.push(descriptor::pasid_device_tlb_page(source, PASID, place::DATA))?;
    s.rig.push(descriptor::wait(STATUS, 0x600d))?;
    s.rig.settle()?;
    ensure!(s.counter(register::UNANSWERED)? == 1, "not one unanswered invalidation");
    ensure!(s.cached()?.iter().all(|(input, _)| *input != place::DATA), "the translation was kept");
    ensure!(s.rig.qtest.readl(STATUS)? == 0, "the wait descriptor did not wait");
    switch(&mut s, true)?;
    s.rig.settle()?;
    ensure!(s.rig.qtest.readl(STATUS)? == 0, "what was not answered was answered later");
    ensure!(s.counter(register::UNANSWERED)? == 1, "not one unanswered invalidation");
    // `device-tlb-timeout` is 2 s by default.
    for _ in 0..25 {
        s.rig.qtest.step(100_000_000)?;
    }
    let status = s.rig.read(unit::FSTS)?;
    ensure!(status & TIME_OUT != 0, "FSTS is {status:#x} after 2.5 s");
    ensure!(s.rig.qtest.readl(STATUS)? == 0, "the wait descriptor was carried out after the time-out");
    Ok(Verdict::Pass("dropped, counted, and after 2 s the unit reports a time-out".into()))
}
