// SPDX-License-Identifier: GPL-2.0-or-later
//! Event records of translation requests and translated transactions (`IHI0070 §3.9.1`), byte for byte.
//!
//! `E_PAGE_REQUEST` (`§7.3.19`) is not among them: it is a hint of a client that no PCIe function can give.

use anyhow::{Result, ensure};

use super::events::{INPUT, READ, SID, STAGE_2, UNMAPPED, entry, substream};
use crate::scenario::smmuv3::{Ats, Context, Leaf, Rig};
use crate::scenario::{Descriptor, FaultMode, place};

/// A record and what leads to it.
pub struct Request {
    /// Its name, with what sets this case apart.
    pub name: &'static str,
    /// Where it is described.
    pub clause: &'static str,
    /// What software does when ring and data are in the endpoint's translation cache.
    arrange: fn(&mut Rig) -> Result<()>,
    /// What the endpoint does then.
    work: fn() -> Descriptor,
    /// The record.
    record: [u64; 4],
}

/// What is asked for, and how much: one unit.
const READS: u64 = 1 << 31 | 1;
const WRITES: u64 = 1 << 30;
const FETCHES: u64 = 1 << 29;
const FOR_PRIVILEGED: u64 = 1 << 28;
/// A page that the endpoint holds, its intermediate address, and where it is.
const FAR: u64 = 0x6100_0000;
const IPA: u64 = 0x70_0000_0000;
const PAGE: u64 = place::DATA + 0x1000;
/// The endpoint's second descriptor, which it fetches from a page that it holds.
const DESCRIPTOR: u64 = place::RING + 64;
/// Enables with and without `CR0.ATSCHK`, and without `CR0.SMMUEN`.
const UNCHECKED: u32 = 0xf;
const OFF: u32 = 0x1e;

fn load() -> Descriptor {
    Descriptor::load(UNMAPPED + 0x18)
}

/// The stream's configuration instead of both stages' translation.
fn config(rig: &mut Rig, config: u64) -> Result<()> {
    entry(rig, 0, 0b111 << 1, config << 1)?;
    rig.set_ats(Some(Ats::Full))
}

/// `STE.V` = 0, where `CR2.REC_CFG_ATS` wants to know.
fn invalid(rig: &mut Rig) -> Result<()> {
    rig.disabled(|q, smmu| q.writel(smmu + 0x2c, 1 << 3))?;
    entry(rig, 0, 1, 0)?;
    rig.set_ats(Some(Ats::Full))
}

/// Every record that a PCIe function with ATS can cause by that.
pub const REQUESTS: &[Request] = &[
    Request {
        name: "F_BAD_ATS_TREQ-read",
        clause: "§7.3.6",
        arrange: |rig| {
            rig.enables(UNCHECKED)?;
            rig.set_ats(None)
        },
        work: load,
        record: [0x05 | SID, READS, UNMAPPED, 0],
    },
    Request {
        name: "F_BAD_ATS_TREQ-write",
        clause: "§7.3.6",
        arrange: |rig| {
            rig.enables(UNCHECKED)?;
            rig.set_ats(None)
        },
        work: || Descriptor::store(UNMAPPED + 8, 1),
        record: [0x05 | SID, READS | WRITES, UNMAPPED, 0],
    },
    Request {
        name: "F_BAD_ATS_TREQ-substream-privileged-fetch",
        clause: "§7.3.6",
        arrange: |rig| {
            rig.enables(UNCHECKED)?;
            rig.set_ats(None)
        },
        work: || load().pasid(3).privileged().execute(),
        record: [0x05 | SID | substream(3), READS | FETCHES | FOR_PRIVILEGED, UNMAPPED, 0],
    },
    Request {
        name: "F_BAD_ATS_TREQ-bypass",
        clause: "§3.9.1.2",
        arrange: |rig| {
            rig.enables(UNCHECKED)?;
            config(rig, 0b100)
        },
        work: load,
        record: [0x05 | SID, READS, UNMAPPED, 0],
    },
    Request {
        name: "F_BAD_ATS_TREQ-split-stage-unchecked",
        clause: "§5.2",
        arrange: |rig| {
            rig.enables(UNCHECKED)?;
            rig.set_ats(Some(Ats::Split))
        },
        work: load,
        record: [0x05 | SID, READS, UNMAPPED, 0],
    },
    Request {
        name: "F_BAD_ATS_TREQ-off",
        clause: "§3.9.1.2",
        arrange: |rig| {
            // CMD_ATC_INV of everything: the first thing that the endpoint needs is its descriptor.
            rig.invalidate_endpoint(52)?;
            rig.command([0x46, 0])?;
            rig.enables(OFF)
        },
        work: load,
        record: [0x05 | SID, READS, place::RING, 0],
    },
    Request {
        name: "C_BAD_STE-translation-request",
        clause: "§3.9.1.2",
        arrange: |rig| {
            rig.enables(UNCHECKED)?;
            invalid(rig)
        },
        work: load,
        record: [0x04 | SID, 0, 0, 0],
    },
    Request {
        name: "F_TRANSL_FORBIDDEN",
        clause: "§7.3.8",
        arrange: |rig| rig.set_ats(None),
        work: load,
        record: [0x07 | SID, READ, DESCRIPTOR, 0],
    },
    Request {
        name: "F_TRANSL_FORBIDDEN-bypass",
        clause: "§3.9.1.3",
        arrange: |rig| config(rig, 0b100),
        work: load,
        record: [0x07 | SID, READ, DESCRIPTOR, 0],
    },
    Request {
        name: "F_TRANSL_FORBIDDEN-off",
        clause: "§3.9.1.3",
        arrange: |rig| rig.enables(OFF),
        work: load,
        record: [0x07 | SID, READ, DESCRIPTOR, 0],
    },
    Request {
        name: "C_BAD_STE-translated",
        clause: "§3.9.1.3",
        arrange: invalid,
        work: load,
        record: [0x04 | SID, 0, 0, 0],
    },
    Request {
        name: "F_PERMISSION-split-stage",
        clause: "§13.6.3",
        arrange: |rig| rig.map_second(IPA, PAGE, false),
        work: || Descriptor::store(FAR + 8, 1),
        record: [0x13 | SID, STAGE_2 | INPUT, IPA + 8, IPA],
    },
];

/// Plays one, and compares.
pub fn play(rig: &mut Rig, request: &Request) -> Result<String> {
    rig.enable_pasid()?;
    rig.map_identity(2)?;
    rig.map(FAR, Leaf::all(IPA))?;
    rig.enable(Context { contexts_log2: 2, ..Context::default() })?;
    rig.nest()?;
    rig.map_second(IPA, PAGE, true)?;
    rig.enable_requests(4)?;
    // Intermediate addresses of memory are physical ones: it is for the page at IPA that it matters.
    rig.set_ats(Some(Ats::Split))?;
    let mut engine = rig.engine(0).mode(FaultMode::AtsPri);
    rig.warm_up(&mut engine, Descriptor::copy(place::DATA, FAR, 64))?;
    (request.arrange)(rig)?;
    engine.submit(&mut rig.qtest, (request.work)())?;
    let got = rig.wait_event()?.0;
    ensure!(
        got == request.record,
        "the record is\n{got:#018x?}, expected\n{:#018x?} ({})",
        request.record,
        request.clause
    );
    Ok(format!("{:#018x} {:#018x} {:#x} {:#x}", got[0], got[1], got[2], got[3]))
}
