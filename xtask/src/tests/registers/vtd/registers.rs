// SPDX-License-Identifier: GPL-2.0-or-later
//! Registers by themselves: reset values, who may write what, invalidation without a queue.

use anyhow::{Result, ensure};

use super::Scene;
use crate::scenario::vtd::entry::second;
use crate::scenario::vtd::register::{self, command};
use crate::scenario::vtd::{Mode, Rig, Setup, UNIT, reason};
use crate::scenario::{Descriptor, place};

pub(super) const SCENES: &[Scene] = &[
    Scene::new("register-values", values),
    Scene::new("register-halves", halves),
    Scene::new("register-invalidation", invalidation),
];

const A: u64 = place::DATA;
const B: u64 = place::DATA + 0x1000;
const HERE: u64 = 0x7f12_3456_7000;

/// 32-bit registers (`VTD §11.4`): offset, value after reset, the bits that keep what is written while nothing is enabled.
const WORDS: &[(u64, u32, u32)] = &[
    // VER, GCMD (reads as 0), GSTS, FSTS.
    (0x00, 0x10, 0x10),
    (0x18, 0, 0),
    (register::GSTS, 0, 0),
    (register::FSTS, 0, 0),
    // Control, data, address, upper address of the three events.
    (register::FECTL, 1 << 31, 1 << 31),
    (register::FECTL + 4, 0, 0xffff_ffff),
    (register::FECTL + 8, 0, 0xffff_fffc),
    (register::FECTL + 12, 0, 0xffff_ffff),
    (register::IECTL, 1 << 31, 1 << 31),
    (register::IECTL + 4, 0, 0xffff_ffff),
    (register::IECTL + 8, 0, 0xffff_fffc),
    (register::IECTL + 12, 0, 0xffff_ffff),
    (register::PECTL, 1 << 31, 1 << 31),
    (register::PECTL + 4, 0, 0xffff_ffff),
    (register::PECTL + 8, 0, 0xffff_fffc),
    (register::PECTL + 12, 0, 0xffff_ffff),
    (register::ICS, 0, 0),
    (register::PRS, 0, 0),
    // Reserved ones.
    (0x04, 0, 0),
    (0x30, 0, 0),
    (0x78, 0, 0),
    (0x98, 0, 0),
    (0xd8, 0, 0),
    (0xff8, 0, 0),
];

/// The same of 64 bits. Addresses have the 48 bits of `aw-bits`.
const DOUBLEWORDS: &[(u64, u64, u64)] = &[
    (register::RTADDR, 0, 0x0000_ffff_ffff_fc00),
    (register::IQH, 0, 0),
    (register::IQT, 0, 0x7_fff0),
    (register::IQA, 0, 0x0000_ffff_ffff_f807),
    (register::IQERCD, 0, 0),
    (register::IRTA, 0, 0x0000_ffff_ffff_f80f),
    (register::PQH, 0, 0x7_ffe0),
    (register::PQT, 0, 0x7_ffe0),
    (register::PQA, 0, 0x0000_ffff_ffff_f007),
];

/// `VTD §11.4`: every register's value after reset and what of it software can set; capabilities do not change.
fn values(rig: &mut Rig) -> Result<String> {
    for (register, reset, _) in WORDS {
        let value = rig.read(*register)?;
        ensure!(value == *reset, "register {register:#x} is {value:#x} after reset, expected {reset:#x}");
    }
    for (register, reset, _) in DOUBLEWORDS {
        let value = rig.read64(*register)?;
        ensure!(value == *reset, "register {register:#x} is {value:#x} after reset, expected {reset:#x}");
    }
    for (register, _, kept) in WORDS.iter().filter(|(register, ..)| *register != register::GCMD) {
        rig.write(*register, u32::MAX)?;
        let value = rig.read(*register)?;
        ensure!(value == *kept, "register {register:#x} keeps {value:#x}, expected {kept:#x}");
    }
    for (register, _, kept) in DOUBLEWORDS {
        rig.write64(*register, u64::MAX)?;
        let value = rig.read64(*register)?;
        ensure!(value == *kept, "register {register:#x} keeps {value:#x}, expected {kept:#x}");
        rig.write64(*register, 0)?;
    }
    for register in [register::CAP, register::ECAP] {
        let before = rig.read64(register)?;
        rig.write64(register, !before)?;
        ensure!(rig.read64(register)? == before, "register {register:#x} was written");
    }
    Ok(format!("{} registers", WORDS.len() + DOUBLEWORDS.len() + 2))
}

/// `VTD §11.2`: 64-bit registers may be accessed by halves; accesses that are not aligned or of other sizes do nothing.
fn halves(rig: &mut Rig) -> Result<String> {
    let value = 0x0000_1234_5678_9c00;
    rig.write(register::RTADDR, 0x5678_9c00)?;
    rig.write(register::RTADDR + 4, 0x1234)?;
    ensure!(rig.read64(register::RTADDR)? == value, "written by halves");
    let read = (rig.read(register::RTADDR)?, rig.read(register::RTADDR + 4)?);
    ensure!(read == (0x5678_9c00, 0x1234), "read by halves: {read:x?}");
    rig.qtest.write(UNIT + register::RTADDR, &[0xff])?;
    rig.qtest.write(UNIT + register::RTADDR + 2, &[0xff, 0xff])?;
    ensure!(rig.read64(register::RTADDR)? == value, "a narrow write had an effect");
    Ok("halves read and written".into())
}

/// `VTD §6.5.1`: invalidation by `CCMD` and `IOTLB` while the queue is off, and nothing done, and said so, while it is on.
fn invalidation(rig: &mut Rig) -> Result<String> {
    const CCMD: u64 = 0x28;
    const INVALIDATE: u64 = 1 << 63;
    rig.map_identity(2)?;
    let mut below = rig.second;
    rig.set(&mut below, HERE, 0, A | second::PAGE)?;
    rig.enable(Setup { mode: Mode::Legacy, wide: false, ..Setup::default() })?;
    let address = 16 * (rig.ecap >> 8 & 0x3ff);
    let iotlb = address + 8;
    // With the queue: a granularity done of 0 says that nothing was.
    rig.write64(CCMD, INVALIDATE | 1 << 61)?;
    ensure!(rig.read64(CCMD)? & (INVALIDATE | 3 << 59) == 0, "CCMD {:#x}", rig.read64(CCMD)?);
    rig.disable(command::QIE)?;

    let mut engine = rig.engine(0);
    rig.must(&mut engine, Descriptor::store(HERE, 1))?;
    rig.set(&mut below, HERE, 0, B | second::PAGE)?;
    // Page-selective within domain 1.
    rig.write64(address, HERE)?;
    rig.write64(iotlb, INVALIDATE | 3 << 60 | 1 << 32)?;
    rig.settle()?;
    let done = rig.read64(iotlb)?;
    ensure!(done & INVALIDATE == 0 && done >> 57 & 3 == 3, "IOTLB {done:#x}");
    rig.must(&mut engine, Descriptor::store(HERE, 2))?;
    ensure!((rig.qtest.readq(A)?, rig.qtest.readq(B)?) == (1, 2), "the old page was written");

    // The context entry goes away: until its invalidation it may be used, and then no longer.
    let context = crate::scenario::vtd::CONTEXTS + 16 * rig.endpoint().source;
    rig.qtest.writeq(context, 0)?;
    rig.write64(CCMD, INVALIDATE | 3 << 61 | rig.endpoint().source << 16 | 1)?;
    rig.settle()?;
    let done = rig.read64(CCMD)?;
    ensure!(done & INVALIDATE == 0 && done >> 59 & 3 == 3, "CCMD {done:#x}");
    rig.must_fail(&mut engine, Descriptor::store(HERE, 3))?;
    rig.expect_fault(reason::CONTEXT_NOT_PRESENT)?;
    Ok("a page and a device's context; refused while the queue is on".into())
}
