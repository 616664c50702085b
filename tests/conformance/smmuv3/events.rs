// SPDX-License-Identifier: GPL-2.0-or-later
//! Event records (`IHI0070 §7.3`), byte for byte.

use anyhow::{Result, ensure};

use crate::scenario::smmuv3::{Context, Leaf, Rig};
use crate::scenario::{Descriptor, FaultMode, place};

/// A fault and its record.
pub struct Event {
    /// Its name, with what sets this case apart.
    pub name: &'static str,
    /// Where it is described.
    pub clause: &'static str,
    /// Makes the scene, all on but the endpoint.
    arrange: fn(&mut Rig) -> Result<()>,
    /// What the endpoint does.
    work: fn() -> Descriptor,
    /// The record. A stall's STAG is the model's to choose, and compared as 0.
    record: [u64; 4],
}

/// StreamID of the endpoint, in place.
pub(super) const SID: u64 = 0x20 << 32;
/// Where no memory is.
const NOWHERE: u64 = 0x30_0000_0000;
/// Where nothing is mapped.
pub(super) const UNMAPPED: u64 = 0x6000_0000;
const MAPPED: u64 = place::DATA + 0x8000;
const PRIVILEGED: u64 = 1 << 33;
const INSTRUCTION: u64 = 1 << 34;
pub(super) const READ: u64 = 1 << 35;
/// `CLASS`: the fault is on a translation table descriptor's fetch.
const TABLE: u64 = 0b01 << 40;
/// `CLASS`: the fault is on the input address.
pub(super) const INPUT: u64 = 0b10 << 40;
const STALL: u64 = 1 << 31;
/// The fault is stage 2's.
pub(super) const STAGE_2: u64 = 1 << 39;

/// `SSV` and `SubstreamID`: set where the transaction came with one, not where `S1DSS` gave it substream 0.
pub(super) const fn substream(n: u64) -> u64 {
    1 << 11 | n << 12
}

fn load() -> Descriptor {
    Descriptor::load(UNMAPPED + 0x18)
}

fn plain(rig: &mut Rig) -> Result<()> {
    rig.map_identity(2)?;
    rig.enable(Context { contexts_log2: 2, ..Context::default() })
}

/// `plain`, and one more page at [`MAPPED`] with these attributes instead of its own.
fn page(rig: &mut Rig, clear: u64, set: u64) -> Result<()> {
    rig.map(MAPPED, Leaf::all(MAPPED))?;
    let at = rig.leaf(MAPPED)?;
    let descriptor = rig.qtest.readq(at)?;
    rig.qtest.writeq(at, descriptor & !clear | set)?;
    plain(rig)
}

/// The stream table entry's word `n`, changed before the endpoint's first access.
pub(super) fn entry(rig: &mut Rig, n: u64, clear: u64, set: u64) -> Result<()> {
    let at = rig.stream_entry() + 8 * n;
    let word = rig.qtest.readq(at)?;
    rig.qtest.writeq(at, word & !clear | set)
}

/// The same for the first context descriptor.
fn descriptor(rig: &mut Rig, n: u64, clear: u64, set: u64) -> Result<()> {
    let at = rig.context_entry(0) + 8 * n;
    let word = rig.qtest.readq(at)?;
    rig.qtest.writeq(at, word & !clear | set)
}

/// Stage 2 alone, over the tables that stage 1 had: a 40-bit 4K walk from level 0, `S2VMID` = 7. Their `AP[2:1]` = 0b01 is read-only
/// to stage 2.
fn second(rig: &mut Rig) -> Result<()> {
    plain(rig)?;
    // Config = 0b110.
    entry(rig, 0, 0b111 << 1, 0b110 << 1)?;
    let (t0sz, sl0, ps, aa64, record) = (24 << 32, 0b10 << 38, 0b010 << 48, 1 << 51, 1 << 58);
    entry(rig, 2, u64::MAX, 7 | t0sz | sl0 | ps | aa64 | record)?;
    let table = rig.tables.lower();
    entry(rig, 3, u64::MAX, table)
}

/// Bits of an address in a descriptor.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Records of configuration errors and of faults of either stage, without ATS.
pub const EVENTS: &[Event] = &[
    Event {
        name: "C_BAD_STREAMID",
        clause: "§7.3.3",
        arrange: |rig| {
            rig.map_identity(2)?;
            rig.enable(Context { streams_log2: 3, ..Context::default() })?;
            // RECINVSID = 1: without it nothing is recorded.
            rig.disabled(|q, smmu| q.writel(smmu + 0x2c, 1 << 1))
        },
        work: load,
        record: [0x02 | SID, 0, 0, 0],
    },
    Event {
        name: "F_STE_FETCH",
        clause: "§7.3.4",
        arrange: |rig| {
            plain(rig)?;
            rig.disabled(|q, smmu| q.writeq(smmu + 0x80, NOWHERE))
        },
        work: load,
        record: [0x03 | SID, 0, 0, NOWHERE + 64 * 0x20],
    },
    Event {
        name: "C_BAD_STE",
        clause: "§7.3.5",
        arrange: |rig| {
            plain(rig)?;
            entry(rig, 0, 1, 0)
        },
        work: load,
        record: [0x04 | SID, 0, 0, 0],
    },
    Event {
        name: "F_STREAM_DISABLED",
        clause: "§7.3.7",
        arrange: |rig| {
            plain(rig)?;
            // S1DSS = 0b00: requests without a substream are terminated.
            entry(rig, 1, 0b11, 0)
        },
        work: load,
        record: [0x06 | SID, 0, 0, 0],
    },
    Event {
        name: "C_BAD_SUBSTREAMID",
        clause: "§7.3.9",
        arrange: plain,
        work: || load().pasid(5),
        record: [0x08 | SID | 5 << 12, 0, 0, 0],
    },
    Event {
        name: "F_CD_FETCH",
        clause: "§7.3.10",
        arrange: |rig| {
            plain(rig)?;
            entry(rig, 0, ADDRESS, NOWHERE)
        },
        work: load,
        record: [0x09 | SID, 0, 0, NOWHERE],
    },
    Event {
        name: "C_BAD_CD",
        clause: "§7.3.11",
        arrange: |rig| {
            plain(rig)?;
            descriptor(rig, 0, 1 << 31, 0)
        },
        work: load,
        record: [0x0a | SID, 0, 0, 0],
    },
    Event {
        name: "F_WALK_EABT",
        clause: "§7.3.12",
        arrange: |rig| {
            plain(rig)?;
            descriptor(rig, 1, ADDRESS, NOWHERE)
        },
        work: load,
        record: [0x0b | SID, READ | TABLE, place::RING, NOWHERE],
    },
    Event {
        name: "F_TRANSLATION-read",
        clause: "§7.3.13",
        arrange: plain,
        work: load,
        record: [0x10 | SID, READ | INPUT, UNMAPPED + 0x18, 0],
    },
    Event {
        name: "F_TRANSLATION-write",
        clause: "§7.3.13",
        arrange: plain,
        work: || Descriptor::store(UNMAPPED, 1),
        record: [0x10 | SID, INPUT, UNMAPPED, 0],
    },
    Event {
        name: "F_TRANSLATION-substream-privileged",
        clause: "§7.3.13",
        arrange: plain,
        work: || load().pasid(3).privileged(),
        record: [0x10 | SID | substream(3), READ | PRIVILEGED | INPUT, UNMAPPED + 0x18, 0],
    },
    Event {
        name: "F_TRANSLATION-fetch",
        clause: "§7.3.13",
        arrange: plain,
        work: || load().pasid(3).execute(),
        record: [0x10 | SID | substream(3), READ | INSTRUCTION | INPUT, UNMAPPED + 0x18, 0],
    },
    Event {
        name: "F_TRANSLATION-stalled",
        clause: "§7.3.13",
        arrange: |rig| {
            rig.map_identity(2)?;
            rig.enable(Context { contexts_log2: 2, stall: true, ..Context::default() })
        },
        work: || load().pasid(3),
        record: [0x10 | SID | substream(3), STALL | READ | INPUT, UNMAPPED + 0x18, 0],
    },
    Event {
        name: "F_ADDR_SIZE",
        clause: "§7.3.14",
        // IPS is 44 bits.
        arrange: |rig| page(rig, ADDRESS, 1 << 45),
        work: || Descriptor::load(MAPPED),
        record: [0x11 | SID, READ | INPUT, MAPPED, 0],
    },
    Event {
        name: "F_ACCESS",
        clause: "§7.3.15",
        arrange: |rig| page(rig, 1 << 10, 0),
        work: || Descriptor::load(MAPPED),
        record: [0x12 | SID, READ | INPUT, MAPPED, 0],
    },
    Event {
        name: "F_PERMISSION-write",
        clause: "§7.3.16",
        arrange: |rig| page(rig, 0, 1 << 7),
        work: || Descriptor::store(MAPPED, 1),
        record: [0x13 | SID, INPUT, MAPPED, 0],
    },
    Event {
        name: "F_PERMISSION-read",
        clause: "§7.3.16",
        // AP[1] = 0: for privileged accesses only.
        arrange: |rig| page(rig, 1 << 6, 0),
        work: || Descriptor::load(MAPPED),
        record: [0x13 | SID, READ | INPUT, MAPPED, 0],
    },
    Event {
        name: "F_TRANSLATION-stage-2",
        clause: "§7.3.13",
        arrange: second,
        work: load,
        record: [0x10 | SID, READ | STAGE_2 | INPUT, UNMAPPED + 0x18, UNMAPPED],
    },
    Event {
        name: "F_PERMISSION-stage-2",
        clause: "§7.3.16",
        arrange: second,
        work: || Descriptor::store(place::DATA, 1),
        record: [0x13 | SID, STAGE_2 | INPUT, place::DATA, place::DATA],
    },
];

/// Plays one, and compares.
pub fn play(rig: &mut Rig, event: &Event) -> Result<String> {
    rig.enable_pasid()?;
    (event.arrange)(rig)?;
    let mut engine = rig.engine(0).mode(FaultMode::Wait);
    engine.submit(&mut rig.qtest, (event.work)())?;
    let mut got = rig.wait_event()?.0;
    if event.record[1] & STALL != 0 {
        got[1] &= !0xffff;
    }
    ensure!(
        got == event.record,
        "the record is\n{got:#018x?}, expected\n{:#018x?} ({})",
        event.record,
        event.clause
    );
    Ok(format!("{:#018x} {:#018x} {:#x} {:#x}", got[0], got[1], got[2], got[3]))
}

/// `IHI0070 §7.3.1`: events alike are one record while software has not read it, of streams whose `STE.MEV` allows that.
pub fn merging(rig: &mut Rig) -> Result<String> {
    const MEV: u64 = 1 << 19;
    plain(rig)?;
    entry(rig, 1, 0, MEV)?;
    let mut engine = rig.engine(0);
    let mut fault = |rig: &mut Rig, descriptor: Descriptor, produced: u32| -> Result<()> {
        let done = rig.run(&mut engine, descriptor)?;
        let seen = rig.events_produced()?;
        ensure!(
            !done.is_ok() && seen == produced,
            "{descriptor:x?}: EVENTQ_PROD is {seen}, expected {produced}"
        );
        Ok(())
    };
    fault(rig, load(), 1)?;
    // Another place in the page.
    fault(rig, Descriptor::load(UNMAPPED + 0x800), 1)?;
    // Another access, and another page.
    fault(rig, Descriptor::store(UNMAPPED, 1), 2)?;
    fault(rig, Descriptor::load(UNMAPPED + 0x1000), 3)?;
    fault(rig, Descriptor::load(UNMAPPED + 0x1000), 3)?;
    let merged = rig.stat("events-merged")?;
    ensure!(merged == 2, "{merged} events merged, expected 2");
    // Read, it is a matter of the past.
    while rig.event()?.is_some() {}
    fault(rig, Descriptor::load(UNMAPPED + 0x1000), 4)?;
    entry(rig, 1, MEV, 0)?;
    rig.command([0x04, 0x1f])?;
    rig.invalidate_all()?;
    fault(rig, load(), 5)?;
    fault(rig, load(), 6)?;
    Ok("2 of 8 merged, by page and access, until read; none without STE.MEV".into())
}
