// SPDX-License-Identifier: GPL-2.0-or-later
//! Fault recording registers: overflow and recovery, collapsing, the fault event.

use anyhow::{Context as _, Result, ensure};

use super::Scene;
use crate::scenario::vtd::entry::{PasidEntry, first, second};
use crate::scenario::vtd::register::{self, fault_status};
use crate::scenario::vtd::{CONTEXTS, DIRECTORY, Fault, Mode, ROOT, Rig, Setup, reason};
use crate::scenario::{Capability, Descriptor, Engine, place};

pub(super) const SCENES: &[Scene] = &[
    Scene::new("fault-overflow", overflow),
    Scene {
        change: |m| m.iommu.push("fault-records=1".into()),
        ..Scene::new("fault-overflow-of-one", overflow_of_one)
    },
    Scene::new("fault-collapsing", collapsing),
    Scene::new("fault-event", event),
    Scene::new("fault-reasons-legacy", legacy_reasons),
    Scene::new("fault-reasons-scalable", scalable_reasons),
];

const A: u64 = place::DATA;
const HERE: u64 = 0x7f12_3456_7000;
const MESSAGES: u64 = place::DATA + 0x7000;

fn begin(rig: &mut Rig) -> Result<Engine> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    rig.enable(Setup::default())?;
    Ok(rig.engine(0))
}

/// A fault that differs from others by its PASID, whose directory entry is not there.
fn fail(rig: &mut Rig, engine: &mut Engine, pasid: u32) -> Result<()> {
    rig.must_fail(engine, Descriptor::load(HERE).pasid(pasid)).map(drop)
}

fn pasids(faults: &[Fault]) -> Vec<u32> {
    faults.iter().filter_map(|fault| fault.pasid()).collect()
}

/// `VTD §7.2.1`, `§11.4.7.1`: eight faults are recorded, the ninth sets `PFO`; while it is set nothing is recorded, and
/// afterwards recording goes on at the next register.
fn overflow(rig: &mut Rig) -> Result<String> {
    let mut engine = begin(rig)?;
    let count = u32::try_from((rig.cap >> 40 & 0xff) + 1)?;
    ensure!(count == 8, "CAP.NFR says {count} registers");
    for n in 1..=count {
        fail(rig, &mut engine, 64 * n)?;
    }
    let faults = rig.faults()?;
    ensure!(pasids(&faults) == (1..=8).map(|n| 64 * n).collect::<Vec<_>>(), "{faults:x?}");
    ensure!(faults.iter().all(|f| f.reason() == reason::DIRECTORY_NOT_PRESENT), "{faults:x?}");
    let status = rig.read(register::FSTS)?;
    ensure!(status == fault_status::PPF, "FSTS {status:#x} with all registers in use");
    fail(rig, &mut engine, 64 * 9)?;
    let status = rig.read(register::FSTS)?;
    ensure!(status == fault_status::PPF | fault_status::PFO, "FSTS {status:#x} after the ninth");
    ensure!(rig.faults()? == faults, "a record was overwritten");

    // All registers cleared, the overflow not: nothing is recorded.
    let base = 16 * (rig.cap >> 24 & 0x3ff);
    for n in 0..u64::from(count) {
        rig.write(base + 16 * n + 12, 1 << 31)?;
    }
    fail(rig, &mut engine, 64 * 10)?;
    let status = rig.read(register::FSTS)?;
    ensure!(status & 0xff == fault_status::PFO, "FSTS {status:#x}: recorded in spite of PFO");

    rig.write(register::FSTS, fault_status::PFO)?;
    for n in 11..=13 {
        fail(rig, &mut engine, 64 * n)?;
    }
    let faults = rig.faults()?;
    ensure!(pasids(&faults) == [64 * 11, 64 * 12, 64 * 13], "{faults:x?}");
    rig.clear_faults()?;
    // Round the end of the registers.
    for n in 14..=21 {
        fail(rig, &mut engine, 64 * n)?;
    }
    let faults = rig.faults()?;
    ensure!(pasids(&faults) == (14..=21).map(|n| 64 * n).collect::<Vec<_>>(), "{faults:x?}");
    Ok("8 recorded, the ninth sets PFO, recording goes on when it is cleared".into())
}

/// The same with the one register that QEMU's C model has.
fn overflow_of_one(rig: &mut Rig) -> Result<String> {
    let mut engine = begin(rig)?;
    ensure!(rig.cap >> 40 & 0xff == 0, "CAP.NFR");
    fail(rig, &mut engine, 64)?;
    fail(rig, &mut engine, 128)?;
    let status = rig.read(register::FSTS)?;
    ensure!(status == fault_status::PPF | fault_status::PFO, "FSTS {status:#x}");
    ensure!(pasids(&rig.faults()?) == [64], "another record");
    rig.clear_faults()?;
    fail(rig, &mut engine, 192)?;
    ensure!(pasids(&rig.faults()?) == [192], "not recorded after recovery");
    Ok("one recorded, the second sets PFO".into())
}

/// `VTD §7.2.1`: of the same requester, PASID, kind and reason one record is enough.
fn collapsing(rig: &mut Rig) -> Result<String> {
    let mut engine = begin(rig)?;
    for _ in 0..20 {
        fail(rig, &mut engine, 64)?;
    }
    rig.must_fail(&mut engine, Descriptor::store(HERE, 1).pasid(64))?;
    let faults = rig.faults()?;
    let kinds: Vec<u64> = faults.iter().map(|f| f.kind()).collect();
    ensure!(kinds == [2, 0], "a read and a write: {faults:x?}");
    ensure!(faults.iter().all(|f| f.address() == HERE && f.source() == rig.endpoint().source), "{faults:x?}");
    ensure!(rig.read(register::FSTS)? & fault_status::PFO == 0, "overflow");
    rig.clear_faults()?;
    fail(rig, &mut engine, 64)?;
    rig.expect_fault(reason::DIRECTORY_NOT_PRESENT)?;
    Ok("20 alike are one, a write is another".into())
}

/// `VTD §11.4.7.2`: one message when `FSTS` gets its first bit; masked, it waits, and goes away with its cause.
fn event(rig: &mut Rig) -> Result<String> {
    let mut engine = begin(rig)?;
    rig.write(register::FECTL + 4, 0x4242)?;
    rig.write(register::FECTL + 8, u32::try_from(MESSAGES)?)?;
    fail(rig, &mut engine, 64)?;
    ensure!(rig.read(register::FECTL)? == 0b11 << 30, "masked, the message is pending");
    rig.clear_faults()?;
    ensure!(rig.read(register::FECTL)? == 1 << 31, "pending although software has dealt with it");
    rig.write(register::FECTL, 0)?;
    rig.settle()?;
    ensure!(rig.qtest.readl(MESSAGES)? == 0, "a message for nothing");
    fail(rig, &mut engine, 128)?;
    rig.settle()?;
    ensure!(rig.qtest.readl(MESSAGES)? == 0x4242, "no message");
    rig.qtest.writel(MESSAGES, 0)?;
    fail(rig, &mut engine, 192)?;
    rig.settle()?;
    ensure!(rig.qtest.readl(MESSAGES)? == 0, "a second message before the first fault was dealt with");
    ensure!(rig.faults()?.len() == 2, "two are recorded");
    rig.must(&mut engine, Descriptor::load(A))?;
    Ok("one message a 0 to 1; a pending one goes with its cause".into())
}

/// One word of a table is another, some work meets it, and this is the reason.
struct Break {
    at: u64,
    word: u64,
    work: Descriptor,
    reason: u64,
}

/// Plays every case: broken, invalidated, tried, mended.
fn play(rig: &mut Rig, cases: &[Break]) -> Result<()> {
    for case in cases {
        let Break { at, word, work, reason } = *case;
        let old = rig.qtest.readq(at)?;
        rig.qtest.writeq(at, word)?;
        rig.invalidate_all()?;
        // Where the ring is hit as well its engine halts.
        let mut engine = rig.fresh_engine(0)?;
        rig.must_fail(&mut engine, work)?;
        let fault = rig.expect_fault(reason).with_context(|| format!("{word:#x} at {at:#x}"))?;
        ensure!(
            fault.address() == place::RING || fault.address() == work.source | work.destination,
            "{fault:x?}"
        );
        rig.qtest.writeq(at, old)?;
        rig.invalidate_all()?;
        let mut engine = rig.fresh_engine(0)?;
        rig.must(&mut engine, Descriptor::load(A))?;
    }
    Ok(())
}

/// Beyond every address that there is.
const BEYOND: u64 = 1 << 50;
/// Where no memory is.
const EMPTY: u64 = 0x7_0000_0000;

/// `VTD §7.1`, appendix A: the reasons of legacy mode.
fn legacy_reasons(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    let mut below = rig.second;
    rig.set(&mut below, HERE, 0, A | second::PAGE)?;
    let mut entry = |rig: &mut Rig, level| below.entry(&mut rig.qtest, &mut rig.pages, HERE, level);
    let (leaf, table) = (entry(rig, 0)?, entry(rig, 1)?);
    rig.enable(Setup { mode: Mode::Legacy, wide: false, device_tlb: false, ..Setup::default() })?;
    let context = CONTEXTS + 16 * rig.endpoint().source;
    let (root, low, high) =
        (rig.qtest.readq(ROOT)?, rig.qtest.readq(context)?, rig.qtest.readq(context + 8)?);
    let (load, store) = (Descriptor::load(HERE), Descriptor::store(HERE, 1));
    let case = |at, word, work, reason| Break { at, word, work, reason };
    let cases = [
        case(ROOT, root & !1, load, reason::ROOT_NOT_PRESENT),
        case(ROOT, root | 1 << 5, load, reason::ROOT_RESERVED),
        case(ROOT + 8, 1, load, reason::ROOT_RESERVED),
        case(ROOT, EMPTY | 1, load, reason::CONTEXT_ACCESS),
        case(context, low & !1, load, reason::CONTEXT_NOT_PRESENT),
        case(context, low | 1 << 5, load, reason::CONTEXT_RESERVED),
        case(context, low | BEYOND, load, reason::CONTEXT_RESERVED),
        case(context + 8, high | 1 << 30, load, reason::CONTEXT_RESERVED),
        // Translation type 11b, and an address width that there is not.
        case(context, low | 0b11 << 2, load, reason::CONTEXT_INVALID),
        case(context + 8, high | 0b111, load, reason::CONTEXT_INVALID),
        case(context, EMPTY | 1, load, reason::PAGING_ENTRY_ACCESS),
        case(leaf, A | second::R, store, reason::WRITE),
        case(leaf, A | second::W, load, reason::READ),
        case(leaf, 0, store, reason::WRITE),
        case(leaf, 0, load, reason::READ),
        case(leaf, A | second::PAGE | BEYOND, load, reason::PAGING_ENTRY_RESERVED),
        case(table, A | second::PAGE | second::PS, load, reason::PAGING_ENTRY_RESERVED),
        case(table, EMPTY | second::PAGE, load, reason::PAGING_ENTRY_ACCESS),
        case(leaf, 0xfee0_0000 | second::PAGE, store, reason::INTERRUPT_ADDRESS),
        case(leaf, A | second::PAGE, Descriptor::load(1 << 48), reason::BEYOND_WIDTH),
    ];
    play(rig, &cases)?;
    // The root table itself.
    rig.write64(register::RTADDR, EMPTY)?;
    rig.command(register::command::SRTP)?;
    let mut engine = rig.fresh_engine(0)?;
    rig.must_fail(&mut engine, load)?;
    rig.expect_fault(reason::ROOT_ACCESS)?;
    Ok(format!("{} broken entries", cases.len() + 1))
}

/// `VTD §7.1`, appendix A: the reasons of scalable mode.
fn scalable_reasons(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    let (mut above, mut below) = (rig.first_stage(4)?, rig.second_stage(4)?);
    rig.set(&mut above, HERE, 0, A | first::PAGE)?;
    rig.set(&mut below, HERE, 0, A | second::PAGE)?;
    let first_leaf = above.entry(&mut rig.qtest, &mut rig.pages, HERE, 0)?;
    let first_table = above.entry(&mut rig.qtest, &mut rig.pages, HERE, 1)?;
    let second_leaf = below.entry(&mut rig.qtest, &mut rig.pages, HERE, 0)?;
    let second_table = below.entry(&mut rig.qtest, &mut rig.pages, HERE, 1)?;
    // PASIDs 64 and 65 have a directory entry of their own.
    rig.set_pasid(64, PasidEntry::first_stage(&above))?;
    rig.set_pasid(65, PasidEntry::second_stage(&below).domain(2))?;
    rig.enable(Setup::default())?;
    let context = CONTEXTS + 32 * rig.endpoint().source;
    let (root, low, high) =
        (rig.qtest.readq(ROOT)?, rig.qtest.readq(context)?, rig.qtest.readq(context + 8)?);
    let (entry, other) = (rig.pasid_entry(64), rig.pasid_entry(65));
    let directory = rig.qtest.readq(DIRECTORY + 8)?;
    let word = |rig: &mut Rig, at: u64| rig.qtest.readq(at);
    let (entry0, entry1, entry2) = (word(rig, entry)?, word(rig, entry + 8)?, word(rig, entry + 16)?);
    let other0 = word(rig, other)?;
    let one = Descriptor::load(HERE).pasid(64);
    let write = Descriptor::store(HERE, 1).pasid(64);
    let two = Descriptor::load(HERE).pasid(65);
    let case = |at, word, work, reason| Break { at, word, work, reason };
    let cases = [
        case(ROOT, root & !1, one, reason::SCALABLE_ROOT_NOT_PRESENT),
        case(ROOT, root | 1 << 5, one, reason::SCALABLE_ROOT_RESERVED),
        case(ROOT, EMPTY | 1, one, reason::SCALABLE_CONTEXT_ACCESS),
        case(context, low & !1, one, reason::SCALABLE_CONTEXT_NOT_PRESENT),
        case(context, low | 1 << 5, one, reason::SCALABLE_CONTEXT_RESERVED),
        case(context + 8, high | 1 << 40, one, reason::SCALABLE_CONTEXT_RESERVED),
        case(context + 16, 1, one, reason::SCALABLE_CONTEXT_RESERVED),
        case(context, low & 0xfff | EMPTY, one, reason::DIRECTORY_ACCESS),
        case(DIRECTORY + 8, directory & !1, one, reason::DIRECTORY_NOT_PRESENT),
        case(DIRECTORY + 8, directory | 1 << 5, one, reason::DIRECTORY_RESERVED),
        case(DIRECTORY + 8, EMPTY | 1, one, reason::PASID_ACCESS),
        case(entry, entry0 & !1, one, reason::PASID_NOT_PRESENT),
        case(entry, entry0 | 1 << 10, one, reason::PASID_RESERVED),
        case(entry + 8, entry1 | 1 << 20, one, reason::PASID_RESERVED),
        case(entry + 16, entry2 | 1 << 9, one, reason::PASID_RESERVED),
        case(entry + 56, 1, one, reason::PASID_RESERVED),
        // PGTT 0 and 7, a paging mode and an address width that there are not.
        case(entry, entry0 & !(0b111 << 6), one, reason::PASID_INVALID),
        case(entry, entry0 | 0b111 << 6, one, reason::PASID_INVALID),
        case(entry + 16, entry2 | 0b10 << 2, one, reason::PASID_INVALID),
        case(other, other0 | 0b111 << 2, two, reason::PASID_INVALID),
        case(entry + 16, EMPTY, one, reason::FIRST_STAGE_ROOT_ACCESS),
        case(first_table, EMPTY | first::PAGE, one, reason::FIRST_STAGE_ACCESS),
        case(first_table, A | first::PAGE | first::PS, one, reason::FIRST_STAGE_RESERVED),
        case(first_leaf, A | first::PAGE | BEYOND, one, reason::FIRST_STAGE_RESERVED),
        case(first_leaf, 0, one, reason::FIRST_STAGE_NOT_PRESENT),
        case(first_leaf, A | first::PAGE & !first::US, one, reason::USER_SUPERVISOR),
        case(first_leaf, A | first::PAGE & !first::RW, write, reason::SCALABLE_WRITE),
        case(first_leaf, 0xfee0_0000 | first::PAGE, write, reason::SCALABLE_INTERRUPT_ADDRESS),
        case(other, EMPTY | other0 & 0xfff, two, reason::SECOND_STAGE_ROOT_ACCESS),
        case(second_table, EMPTY | second::PAGE, two, reason::SECOND_STAGE_ACCESS),
        case(second_table, A | second::PAGE | second::PS, two, reason::SECOND_STAGE_RESERVED),
        case(second_leaf, 0, two, reason::SECOND_STAGE_NOT_PRESENT),
        case(second_leaf, A | second::W, two, reason::SCALABLE_READ),
        case(other, other0, Descriptor::load(1 << 48).pasid(65), reason::SCALABLE_BEYOND_WIDTH),
    ];
    play(rig, &cases)?;
    Ok(format!("{} broken entries", cases.len()))
}
