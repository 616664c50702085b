// SPDX-License-Identifier: GPL-2.0-or-later
//! Defects of QEMU's C model of VT-d, each as a scene that both models are put through.
//!
//! The C model serves requests with PASID by translation requests alone, so what can be shown without PASID is.

use anyhow::{Result, bail, ensure};

use super::entry::{self, PasidEntry, first};
use super::interrupt::{Entry, remappable};
use super::register::{self, fault_status};
use super::{Fault, Mode, Rig, Setup, reason};
use crate::scenario::{Capability, Defect, Descriptor, FaultMode, Finding, counter, place};

/// Defects that running shows.
pub const SHOWN: &[Defect<Rig>] = &[
    Defect {
        id: "V0",
        rule: "a write through an entry that is accessed and clean makes it dirty (VTD §3.6.2)",
        play: dirty_when_accessed,
    },
    Defect {
        id: "V1",
        rule: "a write that follows a read makes the entry dirty, cached or not (VTD §3.6.2)",
        play: dirty_after_read,
    },
    Defect {
        id: "V3",
        rule: "with PASIDTE.EAFE = 1 entries are marked extended-accessed, or EAFE is refused where ECAP.EAFS = 0 (VTD §9.6)",
        play: extended_accessed,
    },
    Defect {
        id: "V4",
        rule: "a write to a cached read-only page is recorded like any other fault (VTD §7.2.1)",
        play: cached_read_only,
    },
    Defect {
        id: "V5",
        rule: "walks that are coherent are said to be: ECAP.C and ECAP.SMPWCS (VTD §11.4.3), without which Linux shares nothing",
        play: coherency,
    },
    Defect {
        id: "V6",
        rule: "the second stage's address width has no say about first-stage addresses (VTD §9.6)",
        play: width_of_the_other_stage,
    },
    Defect {
        id: "V10",
        rule: "two different faults in a row are both recorded (VTD §7.2.1, CAP.NFR)",
        play: two_faults,
    },
    Defect {
        id: "V11",
        rule: "in abort-DMA mode (RTADDR.TTM = 11b) every request is blocked (VTD §11.4.5)",
        play: abort_dma,
    },
    Defect {
        id: "V12",
        rule: "a PASID beyond the directory (PDTS) has no translation (VTD §9.4, SCT.7)",
        play: beyond_directory,
    },
    Defect {
        id: "V13",
        rule: "an entry with SVT = 10b is for buses from SID 15:8 to SID 7:0 (VTD §9.10)",
        play: range_of_buses,
    },
];

/// Defects that no scene shows: id, what the C model does, why ours cannot.
pub const EXCLUDED: &[(&str, &str, &str)] = &[
    (
        "V2",
        "not run: vtd_set_flag_in_pte() writes the entry that it read some time before, and undoes what software changed meanwhile",
        "excluded: flags are set by compare-and-exchange of the whole entry, and a walk begins again where it fails",
    ),
    (
        "V7",
        "not run: nothing keeps the PASID entry that translation uses, and helpers read it anew, some six times a miss",
        "excluded: root, context and PASID entries are read once into one value, which is cached until it is invalidated",
    ),
    (
        "V8",
        "not run: with ECAP.SRS, vtd_iommu_ats_do_translate() calls abort() on a privileged translation request, so sva-testdev makes none behind it",
        "excluded: such requests are answered by the tables (registers/vtd-ats-permissions), and nothing in the logic can abort",
    ),
    (
        "V9",
        "not run: vtd_pri_request_page() reads and writes PQT and PRS without a lock, and two requesters can take one slot",
        "excluded: registers and queues are behind one mutex, which is held from the look at the tail until it has moved",
    ),
];

const A: u64 = place::DATA;
const B: u64 = place::DATA + 0x1000;

fn begin(rig: &mut Rig) -> Result<crate::scenario::Engine> {
    rig.map_identity(2)?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    rig.must(&mut engine, Descriptor::copy(B + 64, B + 128, 8))?;
    Ok(engine)
}

fn flags(entry: u64) -> String {
    format!("A={} D={}", u64::from(entry & first::A != 0), u64::from(entry & first::D != 0))
}

fn dirty_when_accessed(rig: &mut Rig) -> Result<Finding> {
    let clean = A + 0x10_0000;
    rig.map(clean, A | first::P | first::RW | first::US | first::A)?;
    let mut engine = begin(rig)?;
    rig.must(&mut engine, Descriptor::store(clean, 0x1234))?;
    ensure!(rig.qtest.readq(A)? == 0x1234, "the write did not reach memory");
    let entry = rig.leaf(clean)?;
    Ok(Finding {
        correct: entry & first::D != 0,
        seen: format!("after a write through A=1 D=0: {}", flags(entry)),
    })
}

fn dirty_after_read(rig: &mut Rig) -> Result<Finding> {
    let clean = A + 0x10_0000;
    rig.map(clean, A | first::P | first::RW | first::US)?;
    let mut engine = begin(rig)?;
    rig.must(&mut engine, Descriptor::load(clean))?;
    let read = rig.leaf(clean)?;
    ensure!(read & first::D == 0, "a read made the entry dirty");
    rig.must(&mut engine, Descriptor::store(clean, 0x1234))?;
    ensure!(rig.qtest.readq(A)? == 0x1234, "the write did not reach memory");
    let entry = rig.leaf(clean)?;
    Ok(Finding {
        correct: entry & first::A != 0 && entry & first::D != 0,
        seen: format!("after a read {}, after a write {}", flags(read), flags(entry)),
    })
}

fn extended_accessed(rig: &mut Rig) -> Result<Finding> {
    let page = A + 0x10_0000;
    rig.map(page, A | first::P | first::RW | first::US)?;
    let mut engine = begin(rig)?;
    let has_flags = rig.ecap >> 34 & 1 != 0;
    rig.change_pasid(0, PasidEntry::first_stage(&rig.first.clone()).with(entry::EAFE))?;
    let done = rig.run(&mut engine, Descriptor::load(page))?.is_ok();
    let marked = rig.leaf(page)? & first::EA != 0;
    let reasons: Vec<u64> = rig.faults()?.into_iter().map(Fault::reason).collect();
    Ok(Finding {
        correct: if has_flags { done && marked } else { reasons == [reason::PASID_RESERVED] },
        seen: format!(
            "EAFS={}, EAFE=1: {}, EA={}",
            u64::from(has_flags),
            if done { "goes through" } else { "refused" },
            u64::from(marked)
        ),
    })
}

fn cached_read_only(rig: &mut Rig) -> Result<Finding> {
    let page = A + 0x10_0000;
    rig.map(page, A | first::P | first::US | first::A)?;
    rig.fill(A, 0x1111)?;
    let mut engine = begin(rig)?;
    rig.must(&mut engine, Descriptor::load(page))?;
    rig.must_fail(&mut engine, Descriptor::store(page, 0x2222))?;
    ensure!(rig.qtest.readq(A)? == 0x1111, "the write reached memory");
    let (faults, status) = (rig.faults()?, rig.read(register::FSTS)?);
    let reasons: Vec<u64> = faults.into_iter().map(Fault::reason).collect();
    Ok(Finding {
        correct: reasons == [reason::SCALABLE_WRITE],
        seen: format!("a write after a read was refused, FSTS {status:#x}, reasons {reasons:x?}"),
    })
}

fn coherency(rig: &mut Rig) -> Result<Finding> {
    let (coherent, scalable) = (rig.ecap & 1, rig.ecap >> 48 & 1);
    Ok(Finding {
        correct: coherent == 1 && scalable == 1,
        seen: format!("ECAP {:#x}: C={coherent}, SMPWCS={scalable}", rig.ecap),
    })
}

fn width_of_the_other_stage(rig: &mut Rig) -> Result<Finding> {
    let mut engine = begin(rig)?;
    rig.change_pasid(0, PasidEntry::first_stage(&rig.first.clone()).width(0))?;
    // Where the ring cannot be read the engine halts, which is an end as well.
    let done = rig.run(&mut engine, Descriptor::copy(A, B, 64))?.is_ok();
    let reasons: Vec<u64> = rig.faults()?.into_iter().map(Fault::reason).collect();
    Ok(Finding {
        correct: done && reasons.is_empty(),
        seen: if done { "AW=0 goes through".into() } else { format!("AW=0 faults, reasons {reasons:x?}") },
    })
}

fn two_faults(rig: &mut Rig) -> Result<Finding> {
    let page = A + 0x10_0000;
    rig.map(page, A | first::P | first::US | first::A)?;
    let mut engine = begin(rig)?;
    rig.must_fail(&mut engine, Descriptor::load(0x7000_0000))?;
    rig.must_fail(&mut engine, Descriptor::store(page, 1))?;
    let (faults, status) = (rig.faults()?, rig.read(register::FSTS)?);
    let reasons: Vec<u64> = faults.into_iter().map(Fault::reason).collect();
    Ok(Finding {
        correct: reasons == [reason::FIRST_STAGE_NOT_PRESENT, reason::SCALABLE_WRITE],
        seen: format!(
            "{} of two recorded{}",
            reasons.len(),
            if status & fault_status::PFO != 0 { ", overflow" } else { "" }
        ),
    })
}

fn abort_dma(rig: &mut Rig) -> Result<Finding> {
    rig.map_identity(2)?;
    rig.enable(Setup { mode: Mode::AbortDma, ..Setup::default() })?;
    let mut engine = rig.engine(0);
    let done = rig.run(&mut engine, Descriptor::store(A, 0x1234))?.is_ok();
    let reached = rig.qtest.readq(A)? == 0x1234;
    let reasons: Vec<u64> = rig.faults()?.into_iter().map(Fault::reason).collect();
    Ok(Finding {
        correct: !done && !reached && reasons == [reason::ABORT_DMA],
        seen: if reached {
            "a write reached memory".into()
        } else {
            format!("blocked, reasons {reasons:x?}")
        },
    })
}

fn beyond_directory(rig: &mut Rig) -> Result<Finding> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid, Capability::Ats])?;
    // 128 directory entries have room for PASIDs 0 to 8191; what lies behind them is none of the directory's.
    let beyond = 128 * 64 + 5;
    for pasid in [1, beyond] {
        rig.set_pasid(pasid, PasidEntry::first_stage(&rig.first.clone()))?;
    }
    rig.enable(Setup { directory_size: 0, ..Setup::default() })?;
    let mut engine = rig.engine(0).mode(FaultMode::AtsPri);
    rig.must(&mut engine, Descriptor::load(A).pasid(1))?;
    let done = rig.run(&mut engine, Descriptor::load(A).pasid(beyond))?;
    let asked = rig.endpoint().counter(&mut rig.qtest, counter::ATS_REQUESTS)?;
    if asked == 0 {
        bail!("no translation was asked for");
    }
    let reasons: Vec<u64> = rig.faults()?.into_iter().map(Fault::reason).collect();
    Ok(Finding {
        correct: !done.is_ok() && reasons == [reason::PASID_TOO_LARGE],
        seen: format!(
            "PASID {beyond} with PDTS=0 {}, reasons {reasons:x?}",
            if done.is_ok() { "is translated" } else { "is refused" }
        ),
    })
}

fn range_of_buses(rig: &mut Rig) -> Result<Finding> {
    rig.map_identity(1)?;
    rig.enable(Setup::default())?;
    rig.enable_remapping(false)?;
    let mut engine = rig.engine(0);
    let Entry([low, high]) = Entry::vector(0x51);
    // The endpoint is on bus 0. QEMU's own model verifies the source of MSI-X, and not of what a function writes itself.
    rig.endpoint().enable_msix(&mut rig.qtest, remappable(5), 0)?;
    let (first, last) = (0, 5);
    rig.set_interrupt(5, Entry([low, high | 2 << 18 | first << 8 | last]))?;
    rig.must(&mut engine, Descriptor::load(A).interrupt())?;
    rig.settle()?;
    let (vectors, faults) = (rig.vectors()?, rig.faults()?);
    let reasons: Vec<u64> = faults.into_iter().map(Fault::reason).collect();
    Ok(Finding {
        correct: vectors == [0x51] && reasons.is_empty(),
        seen: format!("an interrupt from bus 0 of buses 0 to 5: vectors {vectors:x?}, faults {reasons:x?}"),
    })
}
