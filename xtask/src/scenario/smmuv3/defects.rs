// SPDX-License-Identifier: GPL-2.0-or-later
//! Defects of QEMU's C model of the SMMUv3, each as a scene that both models are put through.
//!
//! A scene says whether the model behaved as the specification asks, and what was seen.

use anyhow::{Result, bail};

use super::{Context, Leaf, Rig, consumer, event, page};
use crate::scenario::{Defect, Descriptor, Finding, place};

/// Defects that running shows.
pub const SHOWN: &[Defect<Rig>] = &[
    Defect {
        id: "S2",
        rule: "CD.TBI[1] alone decides about the top byte of upper-range addresses (IHI0070 §5.4)",
        play: top_byte,
    },
    Defect {
        id: "S3",
        rule: "an unprivileged read of a page for privileged accesses is F_PERMISSION, hit or miss (IHI0070 §3.3)",
        play: privileged_page,
    },
    Defect {
        id: "S4",
        rule: "APTable's limits hold on an IOTLB hit as on a walk (IHI0070 §3.4)",
        play: table_permission,
    },
    Defect {
        id: "S6",
        rule: "a stream table entry with STE.S2AA64 = 0, where there are no VMSAv8-32 tables, is C_BAD_STE (IHI0070 §5.2.2)",
        play: narrow_tables,
    },
    Defect {
        id: "S7",
        rule: "an event that finds the queue full toggles EVENTQ_PROD.OVFLG, and is no global error (IHI0070 §7.4)",
        play: event_overflow,
    },
    Defect {
        id: "S9",
        rule: "with CR2.RECINVSID = 0 a StreamID outside the table records nothing (IHI0070 §6.3.12)",
        play: bad_stream,
    },
];

/// Defects that a device sees which keeps translations, as vhost does.
pub const CONSUMED: &[Defect<Rig>] = &[
    Defect {
        id: "S5",
        rule: "what may be done with a page is what both stages allow (IHI0070 §3.3.1)",
        play: consumer::permissions,
    },
    Defect {
        id: "S8",
        rule: "CMD_TLBI_NH_ALL takes every translation of stage 1 back, whoever keeps it (IHI0070 §4.4.2)",
        play: consumer::invalidation,
    },
];

/// Defects that are races: id, what the C model does, why ours cannot.
pub const EXCLUDED: &[(&str, &str, &str)] = &[
    (
        "S1",
        "not run: smmuv3_translate() reads cached_entry after it has dropped the lock, a use after free when another thread flushes",
        "excluded: a lookup copies the entry's words out of a fixed-size table and re-checks its sequence; no pointer into the cache leaves it, nothing is freed",
    ),
    (
        "S10",
        "not run: get_pte() and the STE and CD reads are byte-wise copies, so a concurrent guest update can be seen half",
        "excluded: the guest memory trait reads descriptors as single 64-bit atomic loads, and has no other way to read one",
    ),
];

const UPPER: u64 = 0xffff_8000_1234_5000;
const A: u64 = place::DATA;
const B: u64 = place::DATA + 0x1000;

fn copy(source: u64, destination: u64) -> Descriptor {
    Descriptor::copy(source, destination, 64)
}

/// An event's number in words.
fn named(number: Option<u64>) -> String {
    match number {
        None => "no event".into(),
        Some(event::BAD_STREAM_ID) => "C_BAD_STREAMID".into(),
        Some(event::BAD_STE) => "C_BAD_STE".into(),
        Some(event::TRANSLATION) => "F_TRANSLATION".into(),
        Some(event::PERMISSION) => "F_PERMISSION".into(),
        Some(other) => format!("event {other:#x}"),
    }
}

/// An upper-range address with another top byte, with `TBI` on for that range alone and for the other alone.
fn top_byte(rig: &mut Rig) -> Result<Finding> {
    rig.map_identity(2)?;
    rig.map(UPPER, Leaf::all(A))?;
    rig.fill(A, 0x1111)?;
    let tagged = UPPER & 0x00ff_ffff_ffff_ffff | 0xab << 56;
    let mut engine = rig.engine(0);
    rig.enable(Context { tbi: 0b10, ..Context::default() })?;
    rig.warm_up(&mut engine, copy(A, B))?;
    rig.warm_up(&mut engine, copy(UPPER, B))?;
    let upper = rig.run(&mut engine, copy(tagged, B))?.is_ok();
    rig.change(Context { tbi: 0b01, ..Context::default() })?;
    rig.warm_up(&mut engine, copy(UPPER, B))?;
    let lower = rig.run(&mut engine, copy(tagged, B))?.is_ok();
    let words = |done: bool| if done { "goes through" } else { "faults" };
    Ok(Finding {
        correct: upper && !lower,
        seen: format!("a tagged upper address with TBI=0b10 {}, with 0b01 {}", words(upper), words(lower)),
    })
}

fn privileged_page(rig: &mut Rig) -> Result<Finding> {
    rig.map_identity(2)?;
    let secret = A + 0x10_0000;
    rig.map(secret, Leaf { output: A, attributes: page::PRIVILEGED, table: 0 })?;
    rig.fill(A, 0x005e_c7e7)?;
    rig.enable(Context::default())?;
    let mut engine = rig.engine(0);
    rig.warm_up(&mut engine, copy(B + 64, B + 128))?;
    let cold = rig.run(&mut engine, copy(secret, B))?.is_ok();
    let warm = rig.run(&mut engine, copy(secret, B))?.is_ok();
    let got = rig.qtest.readq(B)?;
    let number = rig.event()?.map(super::Event::number);
    Ok(Finding {
        correct: !cold && !warm && got == 0 && number == Some(event::PERMISSION),
        seen: if cold || warm {
            format!("the device read {got:#x}")
        } else {
            format!("refused twice, {}", named(number))
        },
    })
}

fn table_permission(rig: &mut Rig) -> Result<Finding> {
    rig.map_identity(2)?;
    // In another 2 MiB than everything else, so that its level 2 descriptor is its own.
    let limited = 0x5000_0000;
    rig.map(limited, Leaf { output: A, attributes: page::ALL, table: page::TABLE_READ_ONLY })?;
    rig.fill(A, 0x1111)?;
    rig.fill(B, 0x2222)?;
    rig.enable(Context::default())?;
    let mut engine = rig.engine(0);
    rig.warm_up(&mut engine, copy(limited, B + 64))?;
    let written = rig.run(&mut engine, copy(B, limited))?.is_ok();
    let got = rig.qtest.readq(A)?;
    let number = rig.event()?.map(super::Event::number);
    Ok(Finding {
        correct: !written && got == 0x1111 && number == Some(event::PERMISSION),
        seen: if got == 0x1111 {
            format!("a write after a read was refused, {}", named(number))
        } else {
            format!("a write after a read reached memory, {}", named(number))
        },
    })
}

fn narrow_tables(rig: &mut Rig) -> Result<Finding> {
    rig.map_identity(2)?;
    rig.enable(Context::default())?;
    let mut engine = rig.engine(0);
    rig.warm_up(&mut engine, copy(A, B))?;
    // S2T0SZ 24, S2SL0 1, S2PS 44 bits; S2AA64 0.
    rig.change_to_stage_2(24 << 32 | 1 << 38 | 4 << 48, place::TABLES)?;
    match rig.run(&mut engine, copy(A, B)) {
        Ok(done) if done.is_ok() => bail!("a stream without valid tables was translated"),
        Ok(_) => {}
        Err(e) if format!("{e:#}").contains("QEMU left") => {
            return Ok(Finding { correct: false, seen: "QEMU ended".into() });
        }
        Err(e) => return Err(e),
    }
    rig.settle()?;
    let number = rig.event()?.map(super::Event::number);
    Ok(Finding { correct: number == Some(event::BAD_STE), seen: format!("aborted, {}", named(number)) })
}

fn event_overflow(rig: &mut Rig) -> Result<Finding> {
    rig.map_identity(2)?;
    rig.enable(Context { events_log2: 0, ..Context::default() })?;
    let mut engine = rig.engine(0);
    rig.warm_up(&mut engine, copy(A, B))?;
    for n in 0..2u64 {
        if rig.run(&mut engine, copy(0x6000_0000 + n * 4096, B))?.is_ok() {
            bail!("a copy from an unmapped page went through");
        }
    }
    rig.settle()?;
    let (produced, errors) = (rig.events_produced()?, rig.global_errors()?);
    Ok(Finding {
        correct: produced == 0x8000_0001 && errors == 0,
        seen: format!("EVENTQ_PROD {produced:#x}, GERROR {errors:#x}"),
    })
}

fn bad_stream(rig: &mut Rig) -> Result<Finding> {
    rig.map_identity(2)?;
    // Eight streams, and the endpoint is number 32.
    rig.enable(Context { streams_log2: 3, ..Context::default() })?;
    let mut engine = rig.engine(0);
    let done = rig.run(&mut engine, copy(A, B))?;
    if done.is_ok() {
        bail!("a stream outside the table was translated");
    }
    rig.settle()?;
    let number = rig.event()?.map(super::Event::number);
    Ok(Finding { correct: number.is_none(), seen: format!("aborted, {}", named(number)) })
}
