// SPDX-License-Identifier: GPL-2.0-or-later
//! Registers of the Performance Monitor Counter Group (`IHI0070 §10.5`), with page 1 and, by `pmu-msi=on`, MSIs.

use super::Ids;
use super::registers::{Guard, Kind, Register, if_counter_msi, register, wide};
use crate::scenario::smmuv3::counters::{PAGE_1, PMCG};

const IRQEN: Guard = Guard { register: PMCG + 0xe50, bit: 0 };

/// A bit for each of eight counters: written ones set here, and clear at the other offset.
const fn bitmap(clear: u64) -> Kind {
    Kind::SetClear(|_| 0xff, clear)
}

const fn evtyper(_: Ids) -> u64 {
    // OVFCAP, FILTER_SID_SPAN, EVENT; no secure state, no MPAM.
    1 << 31 | 1 << 29 | 0xffff
}

fn stream(ids: Ids) -> u64 {
    (1 << ids.streams()) - 1
}

/// All of them. Where the specification's reset value is UNKNOWN there is none.
pub const REGISTERS: &[Register] = &[
    wide("PMCG_EVCNTR0", "§10.5.2.1", PAGE_1, Kind::ReadWrite(|_| u64::MAX, None)),
    wide("PMCG_EVCNTR7", "§10.5.2.1", PAGE_1 + 0x38, Kind::ReadWrite(|_| u64::MAX, None)),
    register("PMCG_EVTYPER0", "§10.5.2.2", PMCG + 0x400, None, Kind::ReadWrite(evtyper, None)),
    register("PMCG_EVTYPER7", "§10.5.2.2", PMCG + 0x41c, None, Kind::ReadWrite(evtyper, None)),
    wide("PMCG_SVR0", "§10.5.2.3", PAGE_1 + 0x600, Kind::ReadOnly),
    register("PMCG_SMR0", "§10.5.2.4", PMCG + 0xa00, None, Kind::ReadWrite(stream, None)),
    register("PMCG_SMR7", "§10.5.2.4", PMCG + 0xa1c, None, Kind::ReadWrite(stream, None)),
    wide("PMCG_CNTENSET0", "§10.5.2.5", PMCG + 0xc00, bitmap(PMCG + 0xc20)),
    wide("PMCG_INTENSET0", "§10.5.2.7", PMCG + 0xc40, bitmap(PMCG + 0xc60)),
    wide("PMCG_OVSSET0", "§10.5.2.10", PAGE_1 + 0xcc0, bitmap(PAGE_1 + 0xc80)),
    // Write-only.
    register("PMCG_CAPR", "§10.5.2.11", PAGE_1 + 0xd88, Some(0), Kind::ReadOnly),
    // No secure state.
    register("PMCG_SCR", "§10.5.2.12", PMCG + 0xdf8, Some(0), Kind::ReadOnly),
    // Eight counters of 64 bits, a filter each, capture, MSI, page 1.
    register("PMCG_CFGR", "§10.5.2.13", PMCG + 0xe00, Some(0x0070_3f07), Kind::ReadOnly),
    register("PMCG_CR", "§10.5.2.14", PMCG + 0xe04, Some(0), Kind::ReadWrite(|_| 1, None)),
    register("PMCG_IIDR", "§10.5.2.15", PMCG + 0xe08, Some(0), Kind::ReadOnly),
    // All.
    register("PMCG_CEID0", "§10.5.2.16", PMCG + 0xe20, Some(0xff), Kind::ReadOnly),
    wide("PMCG_CEID1", "§10.5.2.17", PMCG + 0xe28, Kind::ReadOnly),
    // No Root state.
    register("PMCG_ROOTCR", "§10.5.2.18", PMCG + 0xe48, Some(0), Kind::ReadOnly),
    register("PMCG_IRQ_CTRL", "§10.5.2.19", PMCG + 0xe50, Some(0), Kind::Acknowledged(|_| 1, PMCG + 0xe54)),
    register("PMCG_IRQ_CTRLACK", "§10.5.2.20", PMCG + 0xe54, Some(0), Kind::ReadOnly),
    if_counter_msi(wide(
        "PMCG_IRQ_CFG0",
        "§10.5.2.21",
        PMCG + 0xe58,
        Kind::ReadWrite(|ids| ids.addresses() & !0x3, Some(IRQEN)),
    )),
    if_counter_msi(register(
        "PMCG_IRQ_CFG1",
        "§10.5.2.22",
        PMCG + 0xe60,
        None,
        Kind::ReadWrite(|_| 0xffff_ffff, Some(IRQEN)),
    )),
    if_counter_msi(register(
        "PMCG_IRQ_CFG2",
        "§10.5.2.23",
        PMCG + 0xe64,
        None,
        Kind::ReadWrite(|_| 0x3f, Some(IRQEN)),
    )),
    register("PMCG_IRQ_STATUS", "§10.5.2.24", PMCG + 0xe68, None, Kind::ReadOnly),
    // No MPAM.
    register("PMCG_GMPAM", "§10.5.2.25", PMCG + 0xe6c, Some(0), Kind::ReadOnly),
    // SMMUv3.2.
    register("PMCG_AIDR", "§10.5.2.26", PMCG + 0xe70, Some(2), Kind::ReadOnly),
    register("PMCG_PMDEVARCH", "§10.5.2.29", PMCG + 0xfbc, Some(0x4770_2a56), Kind::ReadOnly),
    register("PMCG_PMDEVTYPE", "§10.5.2.29", PMCG + 0xfcc, Some(0x56), Kind::ReadOnly),
    register("PMCG_CIDR1", "§10.5.2.29", PMCG + 0xff4, Some(0x90), Kind::ReadOnly),
    // Counters that are not there.
    register("PMCG_EVCNTR8", "§10.5.2.1", PAGE_1 + 0x40, Some(0), Kind::ReadOnly),
    register("PMCG_EVTYPER8", "§10.5.2.2", PMCG + 0x420, Some(0), Kind::ReadOnly),
    register("PMCG_SMR63", "§10.5.2.4", PMCG + 0xafc, Some(0), Kind::ReadOnly),
    // Relocated to page 1, and RES0 in page 0.
    register("PMCG_EVCNTR0-in-page-0", "§10.5.1", PMCG, Some(0), Kind::ReadOnly),
    register("PMCG_OVSSET0-in-page-0", "§10.5.1", PMCG + 0xcc0, Some(0), Kind::ReadOnly),
];
