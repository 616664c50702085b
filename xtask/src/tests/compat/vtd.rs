// SPDX-License-Identifier: GPL-2.0-or-later
//! VT-d: what kvm-unit-tests, Xen, Windows and older Linux do, and QEMU's own model lets them.

use anyhow::{Result, ensure};

use super::Scene;
use crate::scenario::vtd::entry::{PasidEntry, SRE, first, second};
use crate::scenario::vtd::interrupt::{Entry, remappable};
use crate::scenario::vtd::{Mode, QUEUE, Rig, Setup, command, descriptor, register};
use crate::scenario::{Descriptor, Finding, place};
use crate::tests::{Runner, plain_vtd};

const SCENES: &[Scene<Rig>] = &[
    Scene { name: "ioapic-source", properties: &[], leniency: Some("lenient-ioapic"), play: ioapic_source },
    Scene {
        name: "wide-destination",
        properties: &[],
        leniency: Some("lenient-irte"),
        play: wide_destination,
    },
    Scene {
        name: "compatibility-format",
        properties: &[],
        leniency: Some("lenient-msi"),
        play: compatibility,
    },
    Scene { name: "extended-mode", properties: &["eim=off"], leniency: Some("lenient-eime"), play: extended },
    Scene {
        name: "supervisor-requests",
        properties: SECOND,
        leniency: Some("lenient-entries"),
        play: supervisor,
    },
    Scene {
        name: "context-flags",
        properties: SECOND,
        leniency: Some("lenient-entries"),
        play: context_flags,
    },
    Scene { name: "snoop-flag", properties: SECOND, leniency: Some("lenient-entries"), play: snoop_flag },
    Scene { name: "accessed-and-dirty", properties: &[], leniency: Some("lenient-flags"), play: flags },
    Scene { name: "tail-before-queue", properties: &[], leniency: None, play: tail_before_queue },
    Scene { name: "no-dma-translation", properties: NO_DMA, leniency: None, play: no_dma_translation },
];

/// Scalable mode as QEMU's own model has had it longest: second stage, no PASIDs, no device-TLBs.
const SECOND: &[&str] = &["fsts=off", "svm=off", "pasid-bits=0", "device-iotlb=off"];
const NO_DMA: &[&str] =
    &["dma-translation=off", "scalable-mode=off", "fsts=off", "svm=off", "pasid-bits=0", "device-iotlb=off"];

/// The scenes.
pub fn run(runner: &mut Runner) {
    for scene in SCENES {
        runner.test(&format!("compat/vtd-{}", scene.name), |r, dir| {
            scene.run(&plain_vtd(&r.source), Rig::start, &dir)
        });
    }
}

fn remapping(rig: &mut Rig) -> Result<crate::scenario::Engine> {
    rig.map_identity(1)?;
    rig.enable(Setup::default())?;
    rig.enable_remapping(false)?;
    Ok(rig.engine(0))
}

/// What the first CPU got, and what the unit says of it.
fn arrived(rig: &mut Rig, vector: u64) -> Result<Finding> {
    rig.settle()?;
    let vectors = rig.vectors()?;
    let reasons: Vec<u64> = rig.faults()?.iter().map(|fault| fault.reason()).collect();
    Ok(Finding {
        correct: vectors == [vector] && reasons.is_empty(),
        seen: format!("vectors {vectors:x?}, faults {reasons:x?}"),
    })
}

/// `intel-iommu` of kvm-unit-tests: the entry of a pin's interrupt is for a PCI function.
fn ioapic_source(rig: &mut Rig) -> Result<Finding> {
    const PIN: u32 = 20;
    const IOAPIC: u64 = 0xfec0_0000;
    let index = 5u32;
    remapping(rig)?;
    rig.set_interrupt(index.into(), Entry::vector(0x51).for_source(rig.endpoint().source))?;
    // Remappable format: index 14:0 in bits 63:49, format in bit 48. The upper half first: the lower one unmasks.
    for (word, value) in [(1, index << 17 | 1 << 16), (0, 0x51)] {
        rig.qtest.writel(IOAPIC, 0x10 + 2 * PIN + word)?;
        rig.qtest.writel(IOAPIC + 0x10, value)?;
    }
    rig.qtest.set_irq("/machine/q35/ioapic", PIN, true)?;
    arrived(rig, 0x51)
}

/// Xen with x2APIC: a 32-bit destination, while EIME is 0.
fn wide_destination(rig: &mut Rig) -> Result<Finding> {
    let mut engine = remapping(rig)?;
    let Entry([low, high]) = Entry::vector(0x51);
    rig.set_interrupt(5, Entry([low | 1 << 32, high]))?;
    let _ = rig.run(&mut engine, Descriptor::message(remappable(5), 0))?;
    arrived(rig, 0x51)
}

/// A device whose driver does not know of remapping.
fn compatibility(rig: &mut Rig) -> Result<Finding> {
    let mut engine = remapping(rig)?;
    let _ = rig.run(&mut engine, Descriptor::message(0xfee0_0000, 0x51))?;
    arrived(rig, 0x51)
}

/// Extended mode by software that does not look whether it is there.
fn extended(rig: &mut Rig) -> Result<Finding> {
    ensure!(rig.ecap >> 4 & 1 == 0, "ECAP.EIM is set");
    rig.write64(register::IRTA, 0x4105_0000 | 1 << 11 | 7)?;
    let irta = rig.read64(register::IRTA)?;
    Ok(Finding { correct: irta >> 11 & 1 != 0, seen: format!("IRTA reads {irta:#x}") })
}

/// A word is stored through a second stage, in scalable mode without PASIDs.
fn stored(rig: &mut Rig, entry: PasidEntry, setup: Setup) -> Result<Finding> {
    rig.set_pasid(0, entry)?;
    rig.enable(setup)?;
    let mut engine = rig.engine(0);
    rig.qtest.writeq(place::DATA, 0)?;
    let done = rig.run(&mut engine, Descriptor::store(place::DATA, 0x1234))?;
    let reasons: Vec<u64> = rig.faults()?.iter().map(|fault| fault.reason()).collect();
    Ok(Finding {
        correct: done.is_ok() && rig.qtest.readq(place::DATA)? == 0x1234,
        seen: format!("a store ends with cause {}, faults {reasons:x?}", done.cause),
    })
}

const PLAIN: Setup = Setup {
    mode: Mode::Scalable,
    directory_size: 7,
    rid_pasid: 0,
    device_tlb: false,
    pasids: false,
    page_requests: false,
    page_queue_log2: 0,
    wide: true,
};

/// Linux, before it looked at `ECAP.SRS`: `SRE` in entries that have no first stage.
fn supervisor(rig: &mut Rig) -> Result<Finding> {
    rig.map_identity(1)?;
    let entry = PasidEntry::second_stage(&rig.second.clone()).with(SRE);
    stored(rig, entry, PLAIN)
}

/// `DTE`, `PASIDE` and `PRE` of a context entry, without any of these.
fn context_flags(rig: &mut Rig) -> Result<Finding> {
    rig.map_identity(1)?;
    let entry = PasidEntry::second_stage(&rig.second.clone());
    stored(rig, entry, Setup { device_tlb: true, pasids: true, page_requests: true, ..PLAIN })
}

/// `SNP` of second-stage entries without `ECAP.SC`.
fn snoop_flag(rig: &mut Rig) -> Result<Finding> {
    const SNP: u64 = 1 << 11;
    let mut tree = rig.second_stage(4)?;
    let rings = (0..place::SLOTS * place::SLOT / 4096).map(|n| place::RING + 4096 * n);
    for at in rings.chain([place::DATA]) {
        rig.set(&mut tree, at, 0, at | second::PAGE | SNP)?;
    }
    stored(rig, PasidEntry::second_stage(&tree), PLAIN)
}

/// Without `ECAP.C` and `ECAP.SMPWCS` nothing snoops, and flags are kept all the same.
fn flags(rig: &mut Rig) -> Result<Finding> {
    let clean = place::DATA + 0x10_0000;
    rig.map_identity(1)?;
    rig.map(clean, place::DATA | first::P | first::RW | first::US)?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    let done = rig.run(&mut engine, Descriptor::store(clean, 0x1234))?;
    let entry = rig.leaf(clean)?;
    Ok(Finding {
        correct: done.is_ok() && entry & first::A != 0 && entry & first::D != 0,
        seen: format!("a store ends with cause {}, and the entry is {entry:#x}", done.cause),
    })
}

/// Windows: descriptors are there before the queue is enabled.
fn tail_before_queue(rig: &mut Rig) -> Result<Finding> {
    rig.write64(register::IQA, QUEUE | 1 << 11)?;
    rig.qtest.memset(QUEUE, 4096, 0)?;
    for (n, words) in [descriptor::CONTEXT_GLOBAL, descriptor::IOTLB_GLOBAL].into_iter().enumerate() {
        for (word, value) in words.into_iter().enumerate() {
            rig.qtest.writeq(QUEUE + 32 * n as u64 + 8 * word as u64, value)?;
        }
    }
    rig.write64(register::IQT, 64)?;
    rig.command(command::QIE)?;
    let head = rig.read64(register::IQH)?;
    Ok(Finding { correct: head == 64, seen: format!("IQH is {head} after QIE") })
}

/// A unit that remaps interrupts alone: no address width, no translation, interrupts as ever.
fn no_dma_translation(rig: &mut Rig) -> Result<Finding> {
    let sagaw = rig.cap >> 8 & 0x1f;
    rig.write(register::GCMD, command::TE)?;
    let status = rig.read(register::GSTS)?;
    rig.start_queue(false)?;
    rig.enable_remapping(false)?;
    rig.set_interrupt(5, Entry::vector(0x51))?;
    let mut engine = rig.engine(0);
    let _ = rig.run(&mut engine, Descriptor::message(remappable(5), 0))?;
    let arrived = arrived(rig, 0x51)?;
    Ok(Finding {
        correct: sagaw == 0 && status & command::TE == 0 && arrived.correct,
        seen: format!("SAGAW {sagaw}, GSTS {status:#x} after TE; {}", arrived.seen),
    })
}
