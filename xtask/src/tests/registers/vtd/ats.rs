// SPDX-License-Identifier: GPL-2.0-or-later
//! Answers to translation requests, as an endpoint with a cache of its own sees them.

use anyhow::{Result, ensure};

use super::Scene;
use crate::scenario::vtd::entry::{self, PasidEntry, first, second};
use crate::scenario::vtd::{Response, Rig, Setup, descriptor, reason};
use crate::scenario::{Capability, Descriptor, Engine, FaultMode, Tree, cause, counter, place};

pub(super) const SCENES: &[Scene] = &[
    Scene::new("ats-sizes", sizes),
    Scene::new("ats-permissions", permissions),
    Scene::new("ats-no-write", no_write),
    Scene::new("ats-not-global", not_global),
    Scene::new("ats-invalidation", invalidation),
    Scene::new("ats-off", off),
];

const A: u64 = place::DATA;
const B: u64 = place::DATA + 0x1000;
const HERE: u64 = 0x7f12_3456_7000;

/// Engine 0 asks for translations; PASID 9 has a first stage. Rings and records are in the endpoint's cache already.
fn begin(rig: &mut Rig) -> Result<(Engine, Tree)> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid, Capability::Ats, Capability::Pri])?;
    let tree = rig.first_stage(4)?;
    rig.set_pasid(9, PasidEntry::first_stage(&tree).with(entry::SRE | entry::ERE | entry::NXE))?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0).mode(FaultMode::AtsPri);
    rig.must(&mut engine, Descriptor::copy(A, B, 8))?;
    Ok((engine, tree))
}

/// Translation requests that some work took.
fn asked(rig: &mut Rig, work: impl FnOnce(&mut Rig) -> Result<()>) -> Result<u64> {
    let endpoint = rig.endpoint();
    let before = endpoint.counter(&mut rig.qtest, counter::ATS_REQUESTS)?;
    work(rig)?;
    Ok(endpoint.counter(&mut rig.qtest, counter::ATS_REQUESTS)? - before)
}

/// `PCIe §10.2.3`, `VTD §4.1`: one answer covers the whole page, large ones too; of nested ones the smaller.
fn sizes(rig: &mut Rig) -> Result<String> {
    let (mut engine, mut tree) = begin(rig)?;
    let mut below = rig.second_stage(4)?;
    let (two_mib, one_gib) = (A & !0x1f_ffff, A & !0x3fff_ffff);
    rig.set(&mut tree, 0x6000_0000, 1, two_mib | first::PAGE | first::PS)?;
    rig.set(&mut tree, 0x1_8000_0000, 2, one_gib | first::PAGE | first::PS)?;
    rig.set(&mut tree, HERE, 0, A | first::PAGE)?;
    rig.set(&mut tree, HERE + 0x1000, 0, B | first::PAGE)?;
    rig.set(&mut below, one_gib, 2, one_gib | second::PAGE | second::PS)?;
    rig.set_pasid(10, PasidEntry::nested(&tree, &below).domain(2).with(entry::NXE))?;
    for pasid in [9, 10] {
        for (base, length, expected) in
            [(HERE, 0x2000, 2), (0x6000_0000, 0x8_0000, 1), (0x1_8000_0000, 0x8_0000, 1)]
        {
            let work = Descriptor { length, ..Descriptor::load(base).pasid(pasid) };
            let count = asked(rig, |rig| rig.must(&mut engine, work))?;
            ensure!(count == expected, "PASID {pasid}, {base:#x}: {count} translation requests");
        }
    }
    Ok("one request a page of 4 KiB, 2 MiB and 1 GiB, nested ones too".into())
}

/// `VTD §4.1`: what is granted is what the tables grant to that requester; the rest is not a fault, but asks for a page.
fn permissions(rig: &mut Rig) -> Result<String> {
    let (mut engine, mut tree) = begin(rig)?;
    let pages = [
        (HERE, first::PAGE & !first::RW),
        (HERE + 0x1000, first::PAGE & !first::US),
        (HERE + 0x2000, first::PAGE | first::XD),
    ];
    for (page, bits) in pages {
        rig.set(&mut tree, page, 0, A | bits)?;
    }
    let load = |n: u64| Descriptor::load(HERE + 0x1000 * n).pasid(9);
    let store = |n: u64| Descriptor::store(HERE + 0x1000 * n, 1).pasid(9);
    for work in [load(0), load(1).privileged(), store(1).privileged(), load(2), store(2), load(0).execute()] {
        rig.must(&mut engine, work)?;
    }
    for work in [store(0), load(1), load(2).execute()] {
        engine.submit(&mut rig.qtest, work)?;
        let request = rig.wait_page_request()?;
        ensure!(request.address() == work.source | work.destination, "{request:x?}");
        rig.respond(&request, Response::Invalid)?;
        let done = engine.wait(&mut rig.qtest)?;
        ensure!(done.cause == cause::PAGE_INVALID, "{done:?}");
        rig.qtest.writel(rig.endpoint().bar + 0x1c, 0b11 << 30)?;
    }
    rig.expect_no_fault()?;
    let failed = rig.endpoint().counter(&mut rig.qtest, counter::ATS_FAILED)?;
    ensure!(failed == 3, "{failed} translation requests without what was asked for");
    Ok("six granted, three asked for by page requests, no fault recorded".into())
}

/// `PCIe §10.2.2`, `VTD §3.6.2`: a request that will not write leaves the page clean; one that will makes it dirty at
/// once.
fn no_write(rig: &mut Rig) -> Result<String> {
    let (mut engine, mut tree) = begin(rig)?;
    rig.set(&mut tree, HERE, 0, A | first::P | first::RW | first::US)?;
    let count = asked(rig, |rig| rig.must(&mut engine, Descriptor::load(HERE).pasid(9)))?;
    let entry = rig.get(&mut tree, HERE, 0)?;
    ensure!(count == 1 && entry & (first::A | first::D) == first::A, "{count} requests, entry {entry:#x}");
    // What was granted for reading is not for writing: it is asked for again.
    let count = asked(rig, |rig| rig.must(&mut engine, Descriptor::store(HERE, 7).pasid(9)))?;
    let entry = rig.get(&mut tree, HERE, 0)?;
    ensure!(count == 1 && entry & first::D != 0, "{count} requests, entry {entry:#x}");
    let count = asked(rig, |rig| rig.must(&mut engine, Descriptor::store(HERE + 8, 7).pasid(9)))?;
    ensure!(count == 0, "{count} requests for what is cached");
    Ok("clean after a read, dirty after a write, asked for twice".into())
}

/// `VTD §4.1.2`: no answer is global; each PASID asks for itself.
fn not_global(rig: &mut Rig) -> Result<String> {
    let (mut engine, mut tree) = begin(rig)?;
    // Bit 8 says "global" to CPUs.
    rig.set(&mut tree, HERE, 0, A | first::PAGE | 1 << 8)?;
    rig.set_pasid(10, PasidEntry::first_stage(&tree))?;
    for pasid in [9, 10] {
        let count = asked(rig, |rig| rig.must(&mut engine, Descriptor::load(HERE).pasid(pasid)))?;
        ensure!(count == 1, "PASID {pasid}: {count} requests");
    }
    Ok("each PASID asked".into())
}

/// `VTD §6.5.2.5`, `§6.5.2.6`: a wait that follows a device-TLB invalidation completes when the endpoint has forgotten;
/// other PASIDs and pages stay.
fn invalidation(rig: &mut Rig) -> Result<String> {
    let (mut engine, mut tree) = begin(rig)?;
    let source = rig.endpoint().source;
    rig.set(&mut tree, HERE, 0, A | first::PAGE)?;
    rig.set(&mut tree, HERE + 0x1000, 0, A | first::PAGE)?;
    let store = |n: u64, value| Descriptor::store(HERE + 0x1000 * n, value).pasid(9);
    rig.must(&mut engine, store(0, 1))?;
    rig.must(&mut engine, store(1, 1))?;
    rig.set(&mut tree, HERE, 0, B | first::PAGE)?;
    rig.submit(descriptor::pasid_iotlb_page(1, 9, HERE))?;
    rig.wait()?;
    // The endpoint's own translation is still the old one: only a device-TLB invalidation ends it.
    let count = asked(rig, |rig| rig.must(&mut engine, store(0, 2)))?;
    ensure!(count == 0 && rig.qtest.readq(A)? == 2, "the endpoint has forgotten by itself");
    rig.submit(descriptor::pasid_device_tlb_page(source, 9, HERE))?;
    rig.wait()?;
    let count = asked(rig, |rig| rig.must(&mut engine, store(0, 3)))?;
    ensure!(count == 1 && (rig.qtest.readq(A)?, rig.qtest.readq(B)?) == (2, 3), "the old page was written");
    let count = asked(rig, |rig| rig.must(&mut engine, store(1, 4)))?;
    ensure!(count == 0, "another page was forgotten, too");

    // Requests without PASID: a page, and everything.
    rig.map(HERE, A | first::PAGE)?;
    rig.must(&mut engine, Descriptor::store(HERE, 5))?;
    rig.submit(descriptor::device_tlb_page(source, HERE))?;
    rig.wait()?;
    let count = asked(rig, |rig| rig.must(&mut engine, Descriptor::store(HERE, 6)))?;
    ensure!(count == 1, "{count} requests after the invalidation of a page");
    rig.submit(descriptor::device_tlb_all(source))?;
    rig.wait()?;
    let count = asked(rig, |rig| rig.must(&mut engine, Descriptor::store(HERE, 7)))?;
    // The ring, the record, and the page.
    ensure!(count == 3, "{count} requests after the invalidation of everything");
    let count = asked(rig, |rig| rig.must(&mut engine, store(1, 8)))?;
    ensure!(count == 0, "an invalidation without PASID took a PASID's translation");
    let seen = rig.endpoint().counter(&mut rig.qtest, counter::INVALIDATIONS)?;
    ensure!(seen == 3, "the endpoint saw {seen} invalidations");
    Ok("three invalidations, each took what it named".into())
}

/// `VTD §9.4`: with `DTE = 0` translation requests and translated requests are SCT.5.
fn off(rig: &mut Rig) -> Result<String> {
    let (mut engine, mut tree) = begin(rig)?;
    rig.set(&mut tree, HERE, 0, A | first::PAGE)?;
    rig.change(Setup { device_tlb: false, ..Setup::default() })?;
    // The ring's translation is still in the endpoint's cache.
    rig.must_fail(&mut engine, Descriptor::load(HERE))?;
    let fault = rig.expect_fault(reason::DEVICE_TLB_DISABLED)?;
    ensure!(fault.address_type() == 2 && fault.address() == place::RING, "no translated request: {fault:x?}");
    rig.submit(descriptor::device_tlb_all(rig.endpoint().source))?;
    rig.wait()?;
    // A translation request that is unsupported is no reason to ask for the page.
    let done = rig.must_fail(&mut rig.engine(1).mode(FaultMode::AtsPri), Descriptor::load(HERE))?;
    ensure!(done.cause == cause::REFUSED || done.cause == cause::UNSUPPORTED, "{done:?}");
    let fault = rig.expect_fault(reason::DEVICE_TLB_DISABLED)?;
    ensure!(fault.address_type() == 1, "no translation request: {fault:x?}");
    // Untranslated requests are none of it.
    rig.must(&mut rig.engine(2), Descriptor::load(HERE).pasid(9))?;
    rig.expect_no_fault()?;
    Ok("SCT.5 for translated and translation requests; untranslated ones work".into())
}
