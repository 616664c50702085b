// SPDX-License-Identifier: GPL-2.0-or-later
//! What the SMMUv3 needs to be measured: stage 1 with 4 KiB pages, one address space for all requesters.

use anyhow::Result;

use super::rig::{Address, Queue, Setup, place};
use super::scenarios::Command;
use crate::qtest::Qtest;
use crate::scenario::smmuv3::{SMMU, register, switch_on};

/// Where `virt` has its memory.
pub const RAM: u64 = 0x4000_0000;
const QUEUE_LOG2: u64 = 12;
const ASID: u64 = 1;
const STREAMS_LOG2: u64 = 8;
/// `CD.T0SZ` of 48 bits, `CD.TG0` of 4 KiB.
const T0SZ: u64 = 16;

/// Table descriptor and page descriptor of VMSAv8-64: read and write for all, accessed, not global.
pub fn entry(output: u64, leaf: bool) -> u64 {
    let (valid, af, shareable, all, not_global) = (0b11, 1 << 10, 0b11 << 8, 0b01 << 6, 1 << 11);
    if leaf { output | valid | af | shareable | all | not_global } else { output | valid }
}

/// Tables, queues and registers. `root` is the translation table.
pub fn enable(q: &mut Qtest, setup: &Setup) -> Result<Queue> {
    let at = |offset: u64| RAM + offset;
    let contexts_log2 = if setup.pasids { 4 } else { 0 };
    q.memset(at(place::REQUESTERS), 64 << STREAMS_LOG2, 0)?;
    for devfn in &setup.requesters {
        // V, Config = stage 1; S1DSS = SSID0, SHCFG = incoming.
        let ste = at(place::REQUESTERS) + 64 * devfn;
        q.writeq(ste + 8, 0b10 | 0b01 << 44)?;
        q.writeq(ste, 1 | 0b101 << 1 | at(place::SPACES) | contexts_log2 << 59)?;
    }
    for n in 0..1u64 << contexts_log2 {
        let (epd1, v, ips_44, aa64, r, a, aset) =
            (1 << 30, 1 << 31, 0b100 << 32, 1 << 41, 1 << 45, 1 << 46, 1 << 47);
        let cd = at(place::SPACES) + 64 * n;
        q.writeq(cd + 8, at(place::TABLES))?;
        q.writeq(cd + 24, 0xff)?;
        q.writeq(cd, T0SZ | epd1 | v | ips_44 | aa64 | r | a | aset | (ASID + n) << 48)?;
    }
    let streams = (at(place::REQUESTERS), STREAMS_LOG2);
    switch_on(q, streams, at(place::QUEUE) | QUEUE_LOG2, at(place::EVENTS) | 7)?;
    Ok(Queue {
        base: at(place::QUEUE),
        entry_bytes: 16,
        entries: 1 << QUEUE_LOG2,
        doorbell: SMMU + register::CMDQ_PROD,
        head: SMMU + register::CMDQ_CONS,
        step: 1,
        mask: (2 << QUEUE_LOG2) - 1,
        next: 0,
    })
}

/// A command, `IHI0070 §4`.
pub fn command(command: Command) -> Vec<u64> {
    let asid = ASID << 48;
    let words = match command {
        // As Linux does where there are ranges (IDR3.RIL): NUM = 0, TTL = 3, TG = 4K, leaf.
        Command::Page(Address(addr)) => [0x12 | asid, addr | 1 | 0b11 << 8 | 0b01 << 10],
        // And without: neither TTL nor TG.
        Command::PlainPage(Address(addr)) => [0x12 | asid, addr | 1],
        // NUM = pages - 1.
        Command::Range(Address(addr), pages) => {
            [0x12 | asid | (pages - 1) << 12, addr | 1 | 0b11 << 8 | 0b01 << 10]
        }
        Command::OtherSpace => [0x11 | 77 << 48, 0],
        Command::OtherDomain => [0x10 | 5 << 32, 0],
        Command::All => [0x30, 0],
        // CMD_CFGI_ALL.
        Command::Configuration => [0x04, 0x1f],
        Command::Sync => [0x46, 0],
    };
    words.to_vec()
}
