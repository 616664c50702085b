// SPDX-License-Identifier: GPL-2.0-or-later
//! The invalidation queue: both widths of descriptors, errors and recovery, waits.

use anyhow::{Result, ensure};

use super::Scene;
use crate::scenario::vtd::entry::second;
use crate::scenario::vtd::register::{self, command, fault_status};
use crate::scenario::vtd::{Mode, QUEUE, Rig, Setup, UNIT, descriptor, reason};
use crate::scenario::{Descriptor, place};

pub(super) const SCENES: &[Scene] = &[
    Scene::new("queue-narrow", narrow),
    Scene::new("queue-errors", errors),
    Scene::new("queue-nowhere", nowhere),
    Scene::new("queue-wraps", wraps),
    Scene::new("queue-wait-interrupt", interrupt),
    Scene::new("queue-off-and-on", off_and_on),
];

const A: u64 = place::DATA;
const B: u64 = place::DATA + 0x1000;
const HERE: u64 = 0x7f12_3456_7000;
const MESSAGES: u64 = place::DATA + 0x7000;

/// `IQERCD.IQEI` (`VTD §11.4.9.9`).
mod information {
    pub const TAIL: u64 = 1;
    pub const FETCH: u64 = 2;
    pub const TYPE: u64 = 3;
    pub const RESERVED: u64 = 4;
    pub const WIDTH: u64 = 5;
}

/// `VTD §6.5.2`: in legacy mode 128-bit descriptors invalidate contexts and pages.
fn narrow(rig: &mut Rig) -> Result<String> {
    rig.map_identity(2)?;
    let mut below = rig.second;
    rig.set(&mut below, HERE, 0, A | second::PAGE)?;
    rig.enable(Setup { mode: Mode::Legacy, wide: false, ..Setup::default() })?;
    let mut engine = rig.engine(0);
    rig.must(&mut engine, Descriptor::store(HERE, 1))?;
    rig.set(&mut below, HERE, 0, B | second::PAGE)?;
    rig.submit(descriptor::iotlb_page(1, HERE))?;
    rig.wait()?;
    rig.must(&mut engine, Descriptor::store(HERE, 2))?;
    ensure!((rig.qtest.readq(A)?, rig.qtest.readq(B)?) == (1, 2), "the old page was written");
    rig.set(&mut below, HERE, 0, 0)?;
    rig.submit(descriptor::IOTLB_GLOBAL)?;
    rig.wait()?;
    rig.must_fail(&mut engine, Descriptor::store(HERE, 3))?;
    rig.expect_fault(reason::WRITE)?;
    Ok("context, IOTLB and wait descriptors of 128 bits".into())
}

/// Waits for `FSTS.IQE`, whose information must be this; the head has to stay.
fn expect_error(rig: &mut Rig, expected: u64, head: u64) -> Result<()> {
    rig.settle()?;
    let status = rig.read(register::FSTS)?;
    ensure!(status & fault_status::IQE != 0, "no IQE: FSTS {status:#x}");
    let information = rig.read64(register::IQERCD)? & 0xf;
    ensure!(information == expected, "IQEI is {information}, expected {expected}");
    let at = rig.read64(register::IQH)?;
    ensure!(at == head, "IQH is {at:#x}, expected {head:#x}");
    Ok(())
}

/// `VTD §6.5.2.10`: a descriptor that cannot be stops the queue at it. Software puts another in its place and clears
/// `IQE`: the queue goes on.
fn errors(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable(Setup::default())?;
    rig.write(register::FECTL + 4, 0x5151)?;
    rig.write(register::FECTL + 8, u32::try_from(MESSAGES)?)?;
    rig.write(register::FECTL, 0)?;
    let cases = [
        ([0x5, 0, 0, 0], information::RESERVED, "a wait that waits for nothing"),
        ([0xf, 0, 0, 0], information::TYPE, "an unknown type"),
        ([0x0, 0, 0, 0], information::TYPE, "type 0"),
        ([0x5 | 1 << 9, 0, 0, 0], information::TYPE, "an unknown type in the upper type field"),
        ([0x1 | 1 << 4, 1, 0, 0], information::RESERVED, "a reserved bit"),
        ([0x2, 0, 0, 0], information::RESERVED, "a granularity that is none"),
        ([0x2 | 1 << 4, 0, 0, 1], information::RESERVED, "a reserved bit of the upper half"),
    ];
    for (words, expected, what) in cases {
        let head = rig.read64(register::IQH)?;
        rig.qtest.writel(MESSAGES, 0)?;
        rig.push(words)?;
        // Behind it, so that something is left to go on with.
        rig.push(descriptor::IOTLB_GLOBAL)?;
        expect_error(rig, expected, head).map_err(|e| e.context(what))?;
        ensure!(rig.qtest.readl(MESSAGES)? == 0x5151, "{what}: no fault event");
        // A harmless one in its place.
        for (n, word) in descriptor::CONTEXT_GLOBAL.into_iter().enumerate() {
            rig.qtest.writeq(QUEUE + head + 8 * n as u64, word)?;
        }
        ensure!(rig.read64(register::IQH)? == head, "{what}: went on before IQE was cleared");
        rig.write(register::FSTS, fault_status::IQE)?;
        rig.wait().map_err(|e| e.context(what))?;
        ensure!(rig.read(register::FSTS)? == 0, "{what}: FSTS after recovery");
    }
    // A tail between two 256-bit descriptors, and one outside the queue.
    for tail in [16, 0x1000] {
        let head = rig.read64(register::IQH)?;
        let good = rig.read64(register::IQT)?;
        rig.write64(register::IQT, if tail == 16 { good + 16 } else { tail })?;
        expect_error(rig, information::TAIL, head)?;
        rig.write64(register::IQT, good)?;
        rig.write(register::FSTS, fault_status::IQE)?;
        rig.wait()?;
    }
    // PASIDs need 256 bits.
    rig.start_queue(false)?;
    rig.push(descriptor::PASID_GLOBAL)?;
    expect_error(rig, information::WIDTH, 0)?;
    rig.write(register::FSTS, fault_status::IQE)?;
    rig.start_queue(true)?;
    rig.write(register::FSTS, fault_status::IQE)?;
    rig.invalidate_all()?;
    Ok(format!("{} bad descriptors, two bad tails, a bad width; the queue went on each time", cases.len()))
}

/// `VTD §6.5.2.10`: a queue that is not in memory is a fetch error.
fn nowhere(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable(Setup::default())?;
    for base in [0xf_ffff_f000, UNIT] {
        rig.disable(command::QIE)?;
        rig.write64(register::IQT, 0)?;
        rig.write64(register::IQA, base | 1 << 11)?;
        rig.command(command::QIE)?;
        rig.write64(register::IQT, 32)?;
        expect_error(rig, information::FETCH, 0)?;
        rig.disable(command::QIE)?;
        rig.write(register::FSTS, fault_status::IQE)?;
    }
    rig.start_queue(true)?;
    rig.invalidate_all()?;
    Ok("a fetch error; with a queue in memory it works".into())
}

/// `VTD §6.5.2`: the tail goes round, for either width.
fn wraps(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable(Setup::default())?;
    for (wide, size) in [(true, 32), (false, 16)] {
        rig.start_queue(wide)?;
        for _ in 0..4096 / size + 3 {
            rig.push(descriptor::IOTLB_GLOBAL)?;
        }
        rig.wait()?;
        let head = rig.read64(register::IQH)?;
        ensure!(head == 4 * size, "IQH is {head:#x}");
    }
    Ok("128 and 256 bits".into())
}

/// `VTD §6.5.2.9`, `§11.4.9.4`: a wait with an interrupt sets `ICS.IWC` and sends one message; masked, it waits.
fn interrupt(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable(Setup::default())?;
    rig.write(register::IECTL + 4, 0x6161)?;
    rig.write(register::IECTL + 8, u32::try_from(MESSAGES)?)?;
    rig.submit(descriptor::WAIT_INTERRUPT)?;
    ensure!(rig.read(register::ICS)? == 1, "ICS.IWC");
    ensure!(rig.read(register::IECTL)? == 0b11 << 30, "masked, the message is pending");
    rig.write(register::IECTL, 0)?;
    ensure!(rig.qtest.readl(MESSAGES)? == 0x6161, "no message when unmasked");
    rig.qtest.writel(MESSAGES, 0)?;
    rig.submit(descriptor::WAIT_INTERRUPT)?;
    ensure!(rig.qtest.readl(MESSAGES)? == 0, "a message although IWC was set");
    rig.write(register::ICS, 1)?;
    ensure!(rig.read(register::ICS)? == 0, "IWC was not cleared");
    rig.submit(descriptor::WAIT_INTERRUPT)?;
    ensure!(rig.qtest.readl(MESSAGES)? == 0x6161, "no message after IWC was cleared");
    Ok("one message a 0 to 1, masked and unmasked".into())
}

/// `VTD §11.4.9.1`: the head is 0 while the queue is off, and its place changes only then.
fn off_and_on(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable(Setup::default())?;
    rig.invalidate_all()?;
    let place = rig.read64(register::IQA)?;
    rig.write64(register::IQA, 0x4105_0000)?;
    ensure!(rig.read64(register::IQA)? == place, "IQA changed while in use");
    rig.disable(command::QIE)?;
    ensure!(rig.read64(register::IQH)? == 0, "IQH while off");
    rig.write64(register::IQT, 32)?;
    rig.settle()?;
    ensure!(rig.read64(register::IQH)? == 0, "descriptors are fetched while off");
    rig.start_queue(true)?;
    rig.invalidate_all()?;
    Ok("off, moved, on".into())
}
