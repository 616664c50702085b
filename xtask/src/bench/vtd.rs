// SPDX-License-Identifier: GPL-2.0-or-later
//! What VT-d needs to be measured: scalable mode with a first stage, or legacy mode; 4 levels, 4 KiB pages, one domain for
//! all requesters.

use anyhow::{Result, ensure};

use super::rig::{Address, Mode, Queue, Setup, place};
use super::scenarios::Command;
use crate::qtest::Qtest;
use crate::scenario::vtd::{UNIT, command as gcmd, register};

/// Where a PC has its memory.
pub const RAM: u64 = 0;
const DOMAIN: u64 = 7;
const ENTRIES: u64 = 1 << 12;

/// Table entry and page entry, `VTD §9.7`, `§9.10`: first stage for user mode, accessed and dirty; second stage.
pub fn entry(output: u64, leaf: bool, mode: Mode) -> u64 {
    match mode {
        Mode::Legacy => output | 0b11,
        Mode::FirstStage => output | 0b111 | 1 << 5 | if leaf { 1 << 6 } else { 0 },
    }
}

fn entry_bytes(mode: Mode) -> u64 {
    if mode == Mode::Legacy { 16 } else { 32 }
}

/// Tables, queue and registers.
pub fn enable(q: &mut Qtest, setup: &Setup) -> Result<Queue> {
    let at = |offset: u64| RAM + offset;
    let present = 1;
    let (root, contexts) = (at(place::REQUESTERS), at(place::REQUESTERS) + 0x1000);
    q.memset(root, 0x2000, 0)?;
    q.writeq(root, contexts | present)?;
    let legacy = setup.mode == Mode::Legacy;
    for devfn in &setup.requesters {
        if legacy {
            // TT = 00; AW = 4 levels, DID.
            q.writeq(contexts + 16 * devfn + 8, 0b010 | DOMAIN << 8)?;
            q.writeq(contexts + 16 * devfn, at(place::TABLES) | present)?;
        } else {
            // PASIDE; PDTS = 0; RID_PASID = 0.
            q.writeq(contexts + 32 * devfn, at(place::SPACES) | 1 << 3 | present)?;
        }
    }
    if !legacy {
        let table = at(place::SPACES) + 0x1000;
        q.memset(at(place::SPACES), 0x2000, 0)?;
        q.writeq(at(place::SPACES), table | present)?;
        for pasid in 0..8 {
            // FSPTPTR, 4 levels; DID; PGTT = first stage, AW = 4 levels as Linux says too.
            let entry = table + 64 * pasid;
            q.writeq(entry + 16, at(place::TABLES))?;
            q.writeq(entry + 8, DOMAIN)?;
            q.writeq(entry, 0b001 << 6 | 0b010 << 2 | present)?;
        }
    }
    let (srtp, te, qie) = (gcmd::SRTP, gcmd::TE, gcmd::QIE);
    // TTM = scalable.
    q.writeq(UNIT + register::RTADDR, root | if legacy { 0 } else { 1 << 10 })?;
    q.writel(UNIT + register::GCMD, srtp)?;
    q.writeq(UNIT + register::IQT, 0)?;
    // DW, and the size in pages.
    let size = (ENTRIES * entry_bytes(setup.mode) / 4096).trailing_zeros();
    q.writeq(UNIT + register::IQA, at(place::QUEUE) | u64::from(size) | if legacy { 0 } else { 1 << 11 })?;
    q.writel(UNIT + register::GCMD, qie)?;
    q.writel(UNIT + register::GCMD, qie | te)?;
    let status = q.readl(UNIT + register::GSTS)?;
    ensure!(status & (qie | te) == qie | te, "VT-d is not enabled: GSTS {status:#x}");
    let entry_bytes = entry_bytes(setup.mode);
    Ok(Queue {
        base: at(place::QUEUE),
        entry_bytes,
        entries: ENTRIES,
        doorbell: UNIT + register::IQT,
        head: UNIT + register::IQH,
        step: entry_bytes,
        mask: ENTRIES * entry_bytes - 1,
        next: 0,
    })
}

/// A descriptor, `VTD §6.5.2`.
pub fn command(command: Command, mode: Mode) -> Vec<u64> {
    let (iotlb, pasid_iotlb) = (0x2, 0x6);
    let domain = DOMAIN << 16;
    let drain = 0b11 << 6;
    let pages = |Address(addr): Address, log2: u64| match mode {
        // Page-selective within the domain; or within the PASID. Leaf entries only.
        Mode::Legacy => [iotlb | 0b11 << 4 | drain | domain, addr | 1 << 6 | log2],
        Mode::FirstStage => [pasid_iotlb | 0b11 << 4 | domain, addr | 1 << 6 | log2],
    };
    let words = match command {
        Command::Page(addr) | Command::PlainPage(addr) => pages(addr, 0),
        Command::Range(addr, count) => pages(addr, u64::from(count.trailing_zeros())),
        Command::OtherSpace if mode == Mode::FirstStage => [pasid_iotlb | 0b10 << 4 | domain | 5 << 32, 0],
        Command::OtherSpace | Command::OtherDomain => [iotlb | 0b10 << 4 | drain | 77 << 16, 0],
        Command::All => [iotlb | 0b01 << 4 | drain, 0],
        // Context entries, which a global IOTLB invalidation follows.
        Command::Configuration => [0x1 | 0b01 << 4, 0],
        // Wait with a status write.
        Command::Sync => [0x5 | 1 << 5 | 1 << 32, RAM + place::STATUS],
    };
    let mut words = words.to_vec();
    words.resize(usize::try_from(entry_bytes(mode)).unwrap_or(16) / 8, 0);
    words
}
