// SPDX-License-Identifier: GPL-2.0-or-later
//! PASIDs: their bounds, and several devices on one.

use anyhow::{Result, ensure};

use super::Scene;
use crate::scenario::vtd::entry::{PasidEntry, first};
use crate::scenario::vtd::{Response, Rig, Setup, descriptor, reason};
use crate::scenario::{Capability, Descriptor, FaultMode, counter, place};

pub(super) const SCENES: &[Scene] = &[
    Scene { change: |m| m.iommu.push("pasid-bits=1".into()), ..Scene::new("pasid-bits-1", one_bit) },
    Scene { change: |m| m.pasid_bits = Some(20), ..Scene::new("pasid-bits-20", twenty_bits) },
    Scene::new("pasid-directory-bounds", directory_bounds),
    Scene::new("pasid-switches", switches),
    Scene { endpoints: 2, ..Scene::new("two-devices-one-pasid", two_devices) },
];

const A: u64 = place::DATA;
const B: u64 = place::DATA + 0x1000;
const HERE: u64 = 0x7f12_3456_7000;

/// The PASID capability's width of `ECAP.PSS` (`VTD §11.4.3`).
fn width(rig: &Rig) -> u64 {
    (rig.ecap >> 35 & 0x1f) + 1
}

/// `VTD §11.4.3`: `PSS` of 1 bit serves PASIDs 0 and 1; what an endpoint sends beyond is SCT.7.
fn one_bit(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    ensure!(width(rig) == 1, "ECAP.PSS says {} bits", width(rig));
    for pasid in 0..4 {
        rig.set_pasid(pasid, PasidEntry::first_stage(&rig.first.clone()))?;
    }
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    for pasid in 0..2 {
        rig.must(&mut engine, Descriptor::load(A).pasid(pasid))?;
    }
    for pasid in 2..4 {
        rig.must_fail(&mut engine, Descriptor::load(A).pasid(pasid))?;
        let fault = rig.expect_fault(reason::PASID_TOO_LARGE)?;
        ensure!(fault.pasid() == Some(pasid), "{fault:x?}");
    }
    Ok("0 and 1 work, 2 and 3 are refused".into())
}

/// The largest PASID there is.
fn twenty_bits(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    ensure!(width(rig) == 20, "ECAP.PSS says {} bits", width(rig));
    let largest = 0xf_ffff;
    rig.set_pasid(largest, PasidEntry::first_stage(&rig.first.clone()))?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    rig.must(&mut engine, Descriptor::load(A).pasid(largest))?;
    rig.must_fail(&mut engine, Descriptor::load(A).pasid(largest - 64))?;
    rig.expect_fault(reason::DIRECTORY_NOT_PRESENT)?;
    Ok(format!("PASID {largest:#x}"))
}

/// `VTD §9.4`: `PDTS` bounds PASIDs (SCT.7) and `reason::RID_PASID` (SCT.9).
fn directory_bounds(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    for size in [0u32, 1, 6] {
        let end = 64u32 << (size + 7);
        for pasid in [end - 1, end] {
            rig.set_pasid(pasid, PasidEntry::first_stage(&rig.first.clone()))?;
        }
    }
    rig.enable(Setup { directory_size: 0, ..Setup::default() })?;
    let mut engine = rig.engine(0);
    for size in [0u32, 1, 6] {
        let end = 64u32 << (size + 7);
        rig.change(Setup { directory_size: size.into(), ..Setup::default() })?;
        rig.must(&mut engine, Descriptor::load(A).pasid(end - 1))?;
        rig.must_fail(&mut engine, Descriptor::load(A).pasid(end))?;
        let fault = rig.expect_fault(reason::PASID_TOO_LARGE)?;
        ensure!(fault.pasid() == Some(end), "{fault:x?}");
    }
    let end = 64 << 7;
    rig.change(Setup { directory_size: 0, rid_pasid: end - 1, ..Setup::default() })?;
    rig.must(&mut engine, Descriptor::load(A))?;
    rig.change(Setup { directory_size: 0, rid_pasid: end, ..Setup::default() })?;
    rig.must_fail(&mut engine, Descriptor::load(A))?;
    let fault = rig.expect_fault(reason::RID_PASID)?;
    ensure!(fault.pasid().is_none(), "a request without PASID was reported with one: {fault:x?}");
    Ok("the last one works and the next one is refused, at 2^13, 2^14 and 2^19".into())
}

/// `VTD §9.4`: `PASIDE` off is SCT.6. `FPD` of the PASID entry keeps its faults unrecorded (`VTD §7.2.1`).
fn switches(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    let plain = PasidEntry::first_stage(&rig.first.clone());
    rig.set_pasid(1, plain)?;
    rig.set_pasid(2, plain.faults_disabled())?;
    rig.enable(Setup { pasids: false, ..Setup::default() })?;
    let mut engine = rig.engine(0);
    rig.must(&mut engine, Descriptor::load(A))?;
    rig.must_fail(&mut engine, Descriptor::load(A).pasid(1))?;
    rig.expect_fault(reason::PASID_DISABLED)?;
    rig.change(Setup::default())?;
    rig.must(&mut engine, Descriptor::load(A).pasid(1))?;
    rig.must_fail(&mut engine, Descriptor::load(HERE).pasid(1))?;
    rig.expect_fault(reason::FIRST_STAGE_NOT_PRESENT)?;
    rig.must_fail(&mut engine, Descriptor::load(HERE).pasid(2))?;
    rig.expect_no_fault()?;
    Ok("PASIDE and FPD".into())
}

/// Two functions work in one PASID: each asks for pages under its own name, one answer is for one of them, and an
/// invalidation of the PASID holds for both.
fn two_devices(rig: &mut Rig) -> Result<String> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid, Capability::Ats, Capability::Pri])?;
    let mut tree = rig.first_stage(4)?;
    rig.set_pasid(7, PasidEntry::first_stage(&tree))?;
    rig.enable(Setup::default())?;
    let endpoints = rig.endpoints.clone();
    let mut engines: Vec<_> = endpoints
        .iter()
        .enumerate()
        .map(|(n, e)| e.engine(0).slot(n as u64).mode(FaultMode::AtsPri))
        .collect();
    for (n, engine) in engines.iter_mut().enumerate() {
        engine.submit(&mut rig.qtest, Descriptor::store(HERE + 8 * n as u64, 0x10 + n as u64).pasid(7))?;
    }
    let requests = [rig.wait_page_request()?, rig.wait_page_request()?];
    for (request, endpoint) in requests.iter().zip(&endpoints) {
        ensure!(request.source() == endpoint.source && request.pasid() == Some(7), "{request:x?}");
        ensure!(request.address() == HERE, "{request:x?}");
    }
    rig.set(&mut tree, HERE, 0, A | first::PAGE)?;
    // The second one's answer is not the first one's.
    rig.respond(&requests[1], Response::Success)?;
    ensure!(engines[1].wait(&mut rig.qtest)?.is_ok(), "the second device has not finished");
    ensure!(engines[0].is_waiting(&mut rig.qtest)?, "the first device got the second one's answer");
    rig.respond(&requests[0], Response::Success)?;
    ensure!(engines[0].wait(&mut rig.qtest)?.is_ok(), "the first device has not finished");
    ensure!((rig.qtest.readq(A)?, rig.qtest.readq(A + 8)?) == (0x10, 0x11), "another content");

    // Both have the page in their caches; the page moves.
    rig.set(&mut tree, HERE, 0, B | first::PAGE)?;
    rig.submit(descriptor::pasid_iotlb_page(1, 7, HERE))?;
    for endpoint in &endpoints {
        rig.submit(descriptor::pasid_device_tlb_page(endpoint.source, 7, HERE))?;
    }
    rig.wait()?;
    for (n, engine) in engines.iter_mut().enumerate() {
        rig.must(engine, Descriptor::store(HERE + 8 * n as u64, 0x20 + n as u64).pasid(7))?;
        ensure!(endpoints[n].counter(&mut rig.qtest, counter::INVALIDATIONS)? == 1, "device {n}");
    }
    ensure!((rig.qtest.readq(B)?, rig.qtest.readq(B + 8)?) == (0x20, 0x21), "the old page was written");
    Ok("requests, answers and invalidations reach whom they name".into())
}
