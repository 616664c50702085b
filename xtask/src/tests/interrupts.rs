// SPDX-License-Identifier: GPL-2.0-or-later
//! VT-d's interrupts: what Linux makes of them with and without x2APIC, and by qtest what Linux never does. The event by which an
//! SMMUv3 wakes CPUs.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::boots::{demo_in, good};
use super::{Runner, Verdict, event, plain_vtd};
use crate::cli::MachineArgs;
use crate::guest::Outcome;
use crate::scenario::vtd::entry::PasidEntry;
use crate::scenario::vtd::interrupt::{Entry, POSTED, remappable};
use crate::scenario::vtd::{Rig, Setup, command, reason};
use crate::scenario::{Capability, Descriptor, Engine, FaultMode, counter, place};
use crate::setup;

/// Rounds of the guest's check `interrupt`.
const ROUNDS: u64 = 10;

/// The suite.
pub fn run(runner: &mut Runner) {
    runner.test("interrupts/msi-x", |r, dir| msix(&mut rig(r, &dir, &[], 1)?));
    runner.test("interrupts/forged-requester", |r, dir| forged(&mut rig(r, &dir, &[], 2)?));
    runner.test("interrupts/compatibility-format", |r, dir| compatibility(&mut rig(r, &dir, &[], 1)?));
    runner.test("interrupts/ats", |r, dir| by_ats(&mut rig(r, &dir, &[], 2)?));
    runner.test("interrupts/posted", |r, dir| posted(&mut rig(r, &dir, &[], 1)?));
    runner.test("interrupts/not-posted", |r, dir| {
        not_posted(&mut rig(r, &dir, &["posted-interrupts=off"], 1)?)
    });
    runner.test("interrupts/entry-cache", |r, dir| entry_cache(&mut rig(r, &dir, &["x-adversarial=on"], 1)?));

    runner.test("interrupts/arm-event-of-a-sync", |r, dir| event::wakes(r, &dir));

    runner.test("interrupts/linux-x2apic", |r, dir| {
        let outcome = linux(r, &dir, |m| m.iommu.extend(["intremap=on".into(), "eim=on".into()]))?;
        says(&dir, "Enabled IRQ remapping in x2apic mode")?;
        remapped(&outcome)
    });
    runner.test("interrupts/linux-x2apic-adversarial", |r, dir| {
        let outcome = linux(r, &dir, |m| m.adversarial = true)?;
        says(&dir, "Enabled IRQ remapping in x2apic mode")?;
        remapped(&outcome)
    });
    runner.test("interrupts/linux-xapic", |r, dir| {
        let outcome = linux(r, &dir, |m| m.iommu.push("eim=off".into()))?;
        says(&dir, "Enabled IRQ remapping in xapic mode")?;
        remapped(&outcome)
    });
    runner.test("interrupts/linux-cpu-without-x2apic", |r, dir| {
        let outcome = linux(r, &dir, |m| m.cpu = "max,x2apic=off".into())?;
        says(&dir, "Enabled IRQ remapping in xapic mode")?;
        remapped(&outcome)
    });
    runner.test("interrupts/linux-posted", |r, dir| {
        let outcome = linux(r, &dir, |m| m.append.push("intremap=posted_msi".into()))?;
        let (posted, notified) =
            (counted(&outcome, "interrupts-posted")?, counted(&outcome, "posted-notifications")?);
        ensure!(posted >= ROUNDS, "{ROUNDS} interrupts by MSI-X, and {posted} were posted");
        ensure!(
            (1..=posted).contains(&notified),
            "{posted} interrupts were posted, {notified} notifications sent"
        );
        Ok(Verdict::Pass(format!(
            "{posted} interrupts posted, {notified} notifications; {}",
            outcome.summary()
        )))
    });
    runner.test("interrupts/linux-without-remapping", |r, dir| {
        let outcome = linux(r, &dir, |m| m.iommu.push("intremap=off".into()))?;
        ensure!(says(&dir, "Enabled IRQ remapping").is_err(), "Linux remaps what cannot be remapped");
        let counted = counted(&outcome, "interrupts-remapped")?;
        ensure!(counted == 0, "{counted} interrupts were remapped");
        Ok(Verdict::Pass(outcome.summary()))
    });
}

// By hand.

/// A unit with those properties that translates and remaps, in extended mode.
fn rig(runner: &Runner, dir: &Path, properties: &[&str], endpoints: u8) -> Result<Rig> {
    let mut args = plain_vtd(&runner.source);
    args.iommu.extend(properties.iter().map(|p| (*p).to_owned()));
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start_with(&args, &parts, dir, "scene", endpoints)?;
    rig.map_identity(1)?;
    rig.enable(Setup::default())?;
    rig.enable_remapping(true)?;
    Ok(rig)
}

/// Fails unless the CPU got these vectors, all told.
fn expect(rig: &mut Rig, vectors: &[u64]) -> Result<()> {
    let found = rig.vectors()?;
    ensure!(found == vectors, "the CPU has vectors {found:x?}, expected {vectors:x?}");
    Ok(())
}

/// A message of the first endpoint that is blocked for that reason. The endpoint need not hear of it: writes have no answer.
fn blocked(rig: &mut Rig, engine: &mut Engine, address: u64, why: u64, entry: u64) -> Result<()> {
    let _ = rig.run(engine, Descriptor::message(address, 0x41))?;
    let fault = rig.expect_fault(why)?;
    let (source, info) = (rig.endpoint().source, entry << 48);
    ensure!(fault.0[0] == info && fault.source() == source, "expected entry {entry}: {fault:x?}");
    Ok(())
}

/// The endpoint's own MSI-X through an entry that is for it alone.
fn msix(rig: &mut Rig) -> Result<Verdict> {
    let endpoint = rig.endpoint();
    endpoint.enable_msix(&mut rig.qtest, remappable(5), 0)?;
    rig.set_interrupt(5, Entry::vector(0x51).for_source(endpoint.source))?;
    let mut engine = rig.engine(0);
    rig.must(&mut engine, Descriptor::load(place::DATA).interrupt())?;
    rig.settle()?;
    expect(rig, &[0x51])?;
    // Without an invalidation: nothing but an adversarial unit keeps entries.
    rig.set_interrupt(5, Entry::vector(0x61).for_source(endpoint.source))?;
    rig.qtest.writel(endpoint.bar + 0x10, u32::MAX)?;
    rig.must(&mut engine, Descriptor::load(place::DATA).interrupt())?;
    rig.settle()?;
    expect(rig, &[0x51, 0x61])?;
    rig.expect_no_fault()?;
    let remapped = rig.stat("interrupts-remapped")?;
    ensure!(remapped == 2, "{remapped} interrupts were remapped, expected 2");
    blocked(rig, &mut engine, remappable(6), reason::IRTE_NOT_PRESENT, 6)?;
    Ok(Verdict::Pass("two vectors, one after a change of the entry".into()))
}

/// An endpoint writes what another one would: the entry is not for it (`VTD §5.1.3`, SVT and SID).
fn forged(rig: &mut Rig) -> Result<Verdict> {
    let [owner, forger] = [rig.endpoints[0], rig.endpoints[1]];
    rig.set_interrupt(5, Entry::vector(0x51).for_source(owner.source))?;
    let mut engine = forger.engine(1).slot(1);
    let _ = rig.run(&mut engine, Descriptor::message(remappable(5), 0))?;
    let fault = rig.expect_fault(reason::INTERRUPT_SOURCE)?;
    ensure!(
        fault.0[0] == 5 << 48 && fault.source() == forger.source,
        "expected entry 5 and source-id {:#x}: {fault:x?}",
        forger.source
    );
    expect(rig, &[])?;
    let counts = (rig.stat("interrupts-blocked")?, rig.stat("interrupts-remapped")?);
    ensure!(counts == (1, 0), "blocked and remapped: {counts:?}");
    let mut engine = rig.engine(0);
    rig.must(&mut engine, Descriptor::message(remappable(5), 0))?;
    expect(rig, &[0x51])?;
    Ok(Verdict::Pass("refused with reason 26h and its source-id; the owner's arrives".into()))
}

/// An endpoint with a translation cache asks for an interrupt's address, and is told that untranslated requests alone reach it:
/// its message is remapped like any other (`VTD §3.14`, `§4.1.2`). One with PASID is not.
fn by_ats(rig: &mut Rig) -> Result<Verdict> {
    rig.enable_capabilities(&[Capability::Pasid, Capability::Ats, Capability::Pri])?;
    let source = rig.endpoint().source;
    rig.set_interrupt(5, Entry::vector(0x51).for_source(source))?;
    let tree = rig.first_stage(4)?;
    rig.set_pasid(9, PasidEntry::first_stage(&tree))?;
    let mut engine = rig.engine(0).mode(FaultMode::AtsPri);
    rig.must(&mut engine, Descriptor::message(remappable(5), 0))?;
    expect(rig, &[0x51])?;
    // From the endpoint's cache, ring and completion record as well.
    let before = rig.endpoint().counter(&mut rig.qtest, counter::ATS_REQUESTS)?;
    rig.must(&mut engine, Descriptor::message(remappable(5), 0))?;
    let asked = rig.endpoint().counter(&mut rig.qtest, counter::ATS_REQUESTS)? - before;
    ensure!(before > 0 && asked == 0, "{asked} translation requests for what is cached");
    let remapped = rig.stat("interrupts-remapped")?;
    ensure!(remapped == 2, "{remapped} interrupts were remapped, expected 2");
    // An entry that is another function's stays so.
    rig.set_interrupt(5, Entry::vector(0x61).for_source(rig.endpoints[1].source))?;
    blocked(rig, &mut engine, remappable(5), reason::INTERRUPT_SOURCE, 5)?;
    expect(rig, &[0x51])?;
    rig.expect_no_fault()?;
    Ok(Verdict::Pass("untranslated requests, remapped for their source".into()))
}

/// Blocked unless CFI lets it pass, and in extended mode even then (`VTD §5.1.2.1`).
fn compatibility(rig: &mut Rig) -> Result<Verdict> {
    let plain = 0xfee0_0000;
    let mut engine = rig.engine(1);
    blocked(rig, &mut engine, plain, reason::COMPATIBILITY_INTERRUPT, 0)?;
    rig.command(command::CFI)?;
    blocked(rig, &mut engine, plain, reason::COMPATIBILITY_INTERRUPT, 0)?;
    rig.disable(command::CFI | command::IRE)?;
    rig.enable_remapping(false)?;
    blocked(rig, &mut engine, plain, reason::COMPATIBILITY_INTERRUPT, 0)?;
    expect(rig, &[])?;
    rig.command(command::CFI)?;
    rig.must(&mut engine, Descriptor::message(plain, 0x42))?;
    expect(rig, &[0x42])?;
    rig.disable(command::CFI | command::IRE)?;
    rig.must(&mut engine, Descriptor::message(plain, 0x43))?;
    expect(rig, &[0x42, 0x43])?;
    rig.expect_no_fault()?;
    Ok(Verdict::Pass("blocked three ways, passed with CFI and without remapping".into()))
}

/// Vectors are noted, and their owner is notified once until it has looked (`VTD §5.2.3`).
fn posted(rig: &mut Rig) -> Result<Verdict> {
    const NOTIFICATION: u64 = 0xf2;
    let (outstanding, suppressed) = (1, 1 << 1);
    let endpoint = rig.endpoint();
    rig.set_interrupt(5, Entry::posted(0x51).for_source(endpoint.source))?;
    rig.set_interrupt(6, Entry::posted(0xa2).for_source(endpoint.source))?;
    rig.set_interrupt(7, Entry::posted(0x13).urgent())?;
    let control = NOTIFICATION << 16;
    rig.qtest.memset(POSTED, 64, 0)?;
    rig.qtest.writeq(POSTED + 32, control)?;
    let words =
        |rig: &mut Rig| -> Result<Vec<u64>> { (0..5).map(|n| rig.qtest.readq(POSTED + 8 * n)).collect() };
    let mut engine = rig.engine(0);
    let post = |rig: &mut Rig, engine: &mut Engine, number| {
        rig.must(engine, Descriptor::message(remappable(number), 0))
    };

    post(rig, &mut engine, 5)?;
    let found = words(rig)?;
    ensure!(found == [0, 1 << 0x11, 0, 0, control | outstanding], "the descriptor is {found:x?}");
    expect(rig, &[NOTIFICATION])?;
    post(rig, &mut engine, 6)?;
    let found = words(rig)?;
    ensure!(found == [0, 1 << 0x11, 1 << 0x22, 0, control | outstanding], "the descriptor is {found:x?}");
    let counts = (rig.stat("interrupts-posted")?, rig.stat("posted-notifications")?);
    ensure!(counts == (2, 1), "posted and notified: {counts:?}, expected (2, 1)");

    // Software has looked, and does not want to hear of more, but for urgent ones.
    rig.qtest.writeq(POSTED + 32, control | suppressed)?;
    post(rig, &mut engine, 5)?;
    ensure!(words(rig)?[4] == control | suppressed, "a notification although SN is set");
    post(rig, &mut engine, 7)?;
    let found = words(rig)?;
    ensure!(
        found == [1 << 0x13, 1 << 0x11, 1 << 0x22, 0, control | suppressed | outstanding],
        "the descriptor is {found:x?}"
    );
    let counts = (rig.stat("interrupts-posted")?, rig.stat("posted-notifications")?);
    ensure!(counts == (4, 2), "posted and notified: {counts:?}, expected (4, 2)");
    rig.expect_no_fault()?;

    rig.qtest.writeq(POSTED + 40, 1)?;
    blocked(rig, &mut engine, remappable(5), reason::POSTED_DESCRIPTOR_RESERVED, 5)?;
    expect(rig, &[NOTIFICATION])?;
    Ok(Verdict::Pass("4 posted, 2 notified, a malformed descriptor is reported".into()))
}

/// Without `CAP.PI`, `IM` is a reserved bit.
fn not_posted(rig: &mut Rig) -> Result<Verdict> {
    ensure!(rig.cap >> 59 & 1 == 0, "CAP.PI is set: CAP is {:#x}", rig.cap);
    rig.set_interrupt(5, Entry::posted(0x51))?;
    let mut engine = rig.engine(0);
    blocked(rig, &mut engine, remappable(5), reason::IRTE_RESERVED, 5)?;
    let posted = rig.qtest.readq(POSTED + 8)?;
    ensure!(posted == 0, "a vector was noted: {posted:#x}");
    expect(rig, &[])?;
    Ok(Verdict::Pass("refused as malformed".into()))
}

/// An adversarial unit goes by what an entry was, until it is told.
fn entry_cache(rig: &mut Rig) -> Result<Verdict> {
    rig.set_interrupt(5, Entry::vector(0x51))?;
    let mut engine = rig.engine(0);
    let message = Descriptor::message(remappable(5), 0);
    rig.must(&mut engine, message)?;
    expect(rig, &[0x51])?;
    rig.set_interrupt(5, Entry::vector(0x61))?;
    rig.must(&mut engine, message)?;
    expect(rig, &[0x51])?;
    rig.invalidate_interrupt(4)?;
    rig.must(&mut engine, message)?;
    expect(rig, &[0x51])?;
    rig.invalidate_interrupt(5)?;
    rig.must(&mut engine, message)?;
    expect(rig, &[0x51, 0x61])?;
    Ok(Verdict::Pass("the old entry until its invalidation".into()))
}

// With Linux.

/// A boot with four CPUs and the checks that live on interrupts.
fn linux(runner: &Runner, dir: &Path, change: impl FnOnce(&mut MachineArgs)) -> Result<Outcome> {
    let mut args = plain_vtd(&runner.source);
    args.cpus = 4;
    change(&mut args);
    let outcome = demo_in(&args, "bind-and-pasid,copy-malloc,first-touch,interrupt,kernel-clean", dir, 120)?;
    good(&outcome, dir)?;
    ensure!(outcome.rows.iter().any(|row| row.name == "interrupt"), "the check `interrupt` was not made");
    says(dir, "Brought up 1 node, 4 CPUs")?;
    Ok(outcome)
}

/// Fails unless the kernel's log has these words.
fn says(dir: &Path, words: &str) -> Result<()> {
    let log = std::fs::read(dir.join("console.log")).context("reading the console log")?;
    let log = String::from_utf8_lossy(&log);
    if !log.contains(words) {
        bail!("the kernel does not say {words:?}; log: {}", dir.join("console.log").display());
    }
    Ok(())
}

/// What was counted while endpoints' interrupts were waited for.
fn counted(outcome: &Outcome, counter: &str) -> Result<u64> {
    let row = outcome.rows.iter().find(|row| row.name == "interrupt").context("no check `interrupt`")?;
    row.counted.get(counter).copied().with_context(|| format!("the unit has no counter {counter}"))
}

/// The endpoint's interrupts went through the table, and none was refused.
fn remapped(outcome: &Outcome) -> Result<Verdict> {
    let (remapped, blocked) =
        (counted(outcome, "interrupts-remapped")?, counted(outcome, "interrupts-blocked")?);
    ensure!(remapped >= ROUNDS, "{ROUNDS} interrupts by MSI-X, and {remapped} were remapped");
    ensure!(blocked == 0, "{blocked} interrupts were blocked");
    Ok(Verdict::Pass(format!("{remapped} interrupts remapped; {}", outcome.summary())))
}
