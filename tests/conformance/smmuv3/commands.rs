// SPDX-License-Identifier: GPL-2.0-or-later
//! Commands (`IHI0070 §4`): which are there, what is reserved in them, what is refused.

use anyhow::{Result, ensure};

use super::Ids;
use crate::scenario::smmuv3::Rig;

/// `CERROR_ILL`, `IHI0070 §7.1`.
const ILLEGAL: u32 = 1;

/// A command.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// Where it is described.
    pub clause: &'static str,
    /// A legal one.
    words: [u64; 2],
    /// Bits of the two words that are RES0.
    reserved: [u64; 2],
    /// Encodings that the specification calls ILLEGAL or Reserved, as bits to toggle, and what they are.
    refused: &'static [([u64; 2], &'static str)],
    /// Whether this SMMU has it.
    exists: fn(Ids) -> bool,
}

const STREAM: u64 = 0x20 << 32;
const ALWAYS: fn(Ids) -> bool = |_| true;
/// `SSec` in the Non-secure queue, `§4.1.6`.
const SSEC: ([u64; 2], &str) = ([1 << 10, 0], "SSec = 1");
/// `TG` = 4 KiB with `NUM`, `SCALE` and `TTL` all zero, `§4.4.1.1`.
const NOT_A_RANGE: ([u64; 2], &str) = ([0, 1 << 10], "TG without NUM, SCALE and TTL");

const fn command(
    name: &'static str,
    clause: &'static str,
    words: [u64; 2],
    reserved: [u64; 2],
    exists: fn(Ids) -> bool,
) -> Command {
    Command { name, clause, words, reserved, refused: &[], exists }
}

const fn refusing(command: Command, refused: &'static [([u64; 2], &'static str)]) -> Command {
    Command { refused, ..command }
}

/// Bits `high` down to `low`.
const fn bits(high: u32, low: u32) -> u64 {
    (u64::MAX >> (63 - high)) & (u64::MAX << low)
}

/// All commands of the Non-secure queue. RES0 bits are those of every variant of the command: what another feature gives
/// a meaning is left out.
pub const COMMANDS: &[Command] = &[
    refusing(command("PREFETCH_CONFIG", "§4.2.1", [0x01 | STREAM, 0], [bits(9, 8), 0], ALWAYS), &[SSEC]),
    refusing(command("PREFETCH_ADDR", "§4.2.2", [0x02 | STREAM, 0], [bits(8, 8), 0], ALWAYS), &[SSEC]),
    refusing(
        command("CFGI_STE", "§4.3.1", [0x03 | STREAM, 1], [bits(31, 11) | bits(9, 8), bits(63, 1)], ALWAYS),
        &[SSEC],
    ),
    refusing(
        command(
            "CFGI_STE_RANGE",
            "§4.3.2",
            [0x04 | STREAM, 3],
            [bits(31, 11) | bits(9, 8), bits(63, 5)],
            ALWAYS,
        ),
        &[SSEC],
    ),
    refusing(
        command("CFGI_CD", "§4.3.3", [0x05 | STREAM, 1], [bits(11, 11) | bits(9, 8), bits(63, 1)], ALWAYS),
        &[SSEC],
    ),
    refusing(
        command(
            "CFGI_CD_ALL",
            "§4.3.4",
            [0x06 | STREAM, 0],
            [bits(31, 11) | bits(9, 8), bits(63, 0)],
            ALWAYS,
        ),
        &[SSEC],
    ),
    refusing(
        command("CFGI_ALL", "§4.3.6", [0x04, 31], [bits(31, 11) | bits(9, 8), bits(63, 5)], ALWAYS),
        &[SSEC],
    ),
    command("TLBI_NH_ALL", "§4.4.2.1", [0x10, 0], [bits(63, 48) | bits(31, 8), bits(63, 0)], ALWAYS),
    command("TLBI_NH_ASID", "§4.4.2.2", [0x11 | 1 << 48, 0], [bits(31, 8), bits(63, 0)], ALWAYS),
    refusing(
        command(
            "TLBI_NH_VA",
            "§4.4.2.4",
            [0x12 | 1 << 48, 0x1000],
            [bits(31, 26) | bits(19, 17) | bits(11, 8), bits(7, 1)],
            ALWAYS,
        ),
        &[NOT_A_RANGE],
    ),
    refusing(
        command(
            "TLBI_NH_VAA",
            "§4.4.2.3",
            [0x13, 0x1000],
            [bits(63, 48) | bits(31, 26) | bits(19, 17) | bits(11, 8), bits(7, 1)],
            ALWAYS,
        ),
        &[NOT_A_RANGE],
    ),
    command("TLBI_EL2_ALL", "§4.4.2.7", [0x20, 0], [bits(63, 8), bits(63, 0)], |ids| ids.hyp()),
    command("TLBI_EL2_ASID", "§4.4.2.10", [0x21 | 1 << 48, 0], [bits(47, 8), bits(63, 0)], |ids| ids.hyp()),
    command(
        "TLBI_EL2_VA",
        "§4.4.2.8",
        [0x22 | 1 << 48, 0x1000],
        [bits(47, 26) | bits(19, 17) | bits(11, 8), bits(7, 1)],
        |ids| ids.hyp(),
    ),
    command(
        "TLBI_EL2_VAA",
        "§4.4.2.9",
        [0x23, 0x1000],
        [bits(63, 26) | bits(19, 17) | bits(11, 8), bits(7, 1)],
        |ids| ids.hyp(),
    ),
    command("TLBI_S12_VMALL", "§4.4.3.2", [0x28, 0], [bits(63, 48) | bits(31, 8), bits(63, 0)], |ids| {
        ids.stage2()
    }),
    command(
        "TLBI_S2_IPA",
        "§4.4.3.1",
        [0x2a, 0x1000],
        [bits(63, 48) | bits(31, 26) | bits(19, 17) | bits(11, 8), bits(7, 1)],
        |ids| ids.stage2(),
    ),
    command("TLBI_NSNH_ALL", "§4.4.4.1", [0x30, 0], [bits(63, 8), bits(63, 0)], ALWAYS),
    refusing(
        command("ATC_INV", "§4.5.1", [0x40 | STREAM, 0x1000], [bits(8, 8), bits(11, 6)], |ids| ids.ats()),
        &[SSEC],
    ),
    refusing(
        command("PRI_RESP", "§4.5.2", [0x41 | STREAM, 0], [bits(9, 8), bits(63, 14) | bits(11, 9)], |ids| {
            ids.pri()
        }),
        &[SSEC, ([0, 0b11 << 12], "Resp = 0b11")],
    ),
    refusing(
        command(
            "RESUME",
            "§4.7.1",
            [0x44 | 1 << 12 | STREAM, 0xffff],
            [bits(31, 14) | bits(11, 11) | bits(9, 8), bits(63, 16)],
            |ids| ids.stalls(),
        ),
        &[SSEC],
    ),
    refusing(
        command(
            "STALL_TERM",
            "§4.7.2",
            [0x45 | STREAM, 0],
            [bits(31, 11) | bits(9, 8), bits(63, 0)],
            |ids| ids.stalls(),
        ),
        &[SSEC],
    ),
    refusing(
        command("SYNC", "§4.7.3", [0x46, 0], [bits(31, 28) | bits(21, 14) | bits(11, 8), bits(1, 0)], ALWAYS),
        &[([0b11 << 12, 0], "CS = 0b11")],
    ),
];

/// Opcodes that the Non-secure queue of an SMMU without Secure state, MPAM, DPT and VMS has not: Reserved, or another queue's.
pub const OTHERS: &[u64] = &[
    0x00, 0x07, 0x08, 0x0f, 0x14, 0x18, 0x1a, 0x1b, 0x24, 0x29, 0x2b, 0x31, 0x3f, 0x42, 0x43, 0x47, 0x50,
    0x55, 0x58, 0x5a, 0x60, 0x70, 0x73, 0x80, 0xff,
];

/// One command: there or refused, with every reserved bit, with every refused encoding.
pub fn play(rig: &mut Rig, command: &Command) -> Result<String> {
    let ids = Ids::read(&mut rig.qtest)?;
    let clause = command.clause;
    if !(command.exists)(ids) {
        let error = rig.give(command.words)?;
        ensure!(error == Some(ILLEGAL), "this SMMU has it not, and it ended with {error:?} ({clause})");
        return Ok("not there: CERROR_ILL".into());
    }
    ensure!(rig.give(command.words)?.is_none(), "a legal one is refused ({clause})");
    let mut ignored = 0u32;
    for word in 0..2 {
        for bit in (0..64).filter(|bit| command.reserved[word] >> bit & 1 != 0) {
            let mut words = command.words;
            words[word] ^= 1 << bit;
            let error = rig.give(words)?;
            ensure!(
                error.is_none(),
                "reserved bit {bit} of word {word} set: error {error:?} ({clause}, §4.1.5)"
            );
            ignored = ignored.saturating_add(1);
        }
    }
    for (toggle, what) in command.refused {
        if *what == NOT_A_RANGE.1 && !ids.ranges() {
            continue;
        }
        let words = [command.words[0] ^ toggle[0], command.words[1] ^ toggle[1]];
        let error = rig.give(words)?;
        ensure!(error == Some(ILLEGAL), "{what}: it ended with {error:?}, expected CERROR_ILL ({clause})");
    }
    let refused: Vec<&str> = command.refused.iter().map(|(_, what)| *what).collect();
    let refused =
        if refused.is_empty() { String::new() } else { format!("; refused: {}", refused.join(", ")) };
    Ok(format!("{ignored} reserved bits ignored{refused}"))
}

/// Reserved opcodes are refused, and the queue goes on after each.
pub fn play_others(rig: &mut Rig) -> Result<String> {
    for opcode in OTHERS {
        let error = rig.give([*opcode, 0])?;
        ensure!(
            error == Some(ILLEGAL),
            "opcode {opcode:#04x} ended with {error:?}, expected CERROR_ILL (§4.1.1)"
        );
        ensure!(rig.give([0x46, 0])?.is_none(), "a SYNC after opcode {opcode:#04x} is refused (§7.1)");
    }
    Ok(format!("{} opcodes refused", OTHERS.len()))
}
