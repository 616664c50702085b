// SPDX-License-Identifier: GPL-2.0-or-later
//! The SMMUv3: what UEFI and older Linux do, and QEMU's own model lets them.

use anyhow::Result;

use super::Scene;
use crate::scenario::smmuv3::{Context, Leaf, Rig, page};
use crate::scenario::{Descriptor, Finding, place};
use crate::tests::{Runner, plain_machine};

const SCENES: &[Scene<Rig>] = &[
    Scene { name: "commands-for-el2", properties: &[], leniency: Some("lenient-commands"), play: for_el2 },
    Scene {
        name: "commands-for-others",
        properties: &[],
        leniency: Some("lenient-commands"),
        play: for_others,
    },
    Scene { name: "range-of-nothing", properties: &[], leniency: Some("lenient-commands"), play: no_range },
    Scene { name: "privileged-page", properties: &[], leniency: Some("lenient-privilege"), play: privileged },
];

/// The scenes.
pub fn run(runner: &mut Runner) {
    for scene in SCENES {
        runner.test(&format!("compat/smmuv3-{}", scene.name), |r, dir| {
            scene.run(&plain_machine(&r.source), Rig::start, &dir)
        });
    }
}

/// Commands that have to be consumed without an error, each with its name.
fn consumed(rig: &mut Rig, commands: &[(&str, [u64; 2])]) -> Result<Finding> {
    rig.enable(Context::default())?;
    let mut refused = Vec::new();
    for (name, words) in commands {
        if let Some(error) = rig.give(*words)? {
            refused.push(format!("{name} (error {error})"));
        }
    }
    // CMD_SYNC.
    rig.command([0x46, 0])?;
    let seen = if refused.is_empty() {
        format!("{} commands consumed", commands.len())
    } else {
        format!("refused: {}", refused.join(", "))
    };
    Ok(Finding { correct: refused.is_empty(), seen })
}

/// A UEFI driver invalidates EL2's translations after NSNH's, without a look at `IDR0.Hyp`.
fn for_el2(rig: &mut Rig) -> Result<Finding> {
    consumed(
        rig,
        &[
            ("TLBI_NSNH_ALL", [0x30, 0]),
            ("TLBI_EL2_ALL", [0x20, 0]),
            ("TLBI_EL2_ASID", [0x21 | 1 << 48, 0]),
            ("TLBI_EL2_VA", [0x22, place::DATA]),
            ("TLBI_EL2_VAA", [0x23, place::DATA]),
        ],
    )
}

/// The same for EL3, ATS, page requests and stalls.
fn for_others(rig: &mut Rig) -> Result<Finding> {
    let stream = rig.endpoint.source << 32;
    consumed(
        rig,
        &[
            ("TLBI_EL3_ALL", [0x18, 0]),
            ("TLBI_EL3_VA", [0x1a, place::DATA]),
            ("ATC_INV", [0x40 | stream, place::DATA]),
            ("PRI_RESP", [0x41 | stream, 0]),
            ("RESUME", [0x44 | 1 << 12 | stream, 1]),
            ("STALL_TERM", [0x45 | stream, 0]),
        ],
    )
}

/// Older Linux, for a process's address space: `TG`, but neither `NUM`, `SCALE` nor `TTL`.
fn no_range(rig: &mut Rig) -> Result<Finding> {
    consumed(rig, &[("TLBI_NH_VA", [0x12 | 1 << 48, place::DATA | 1 << 10])])
}

/// `AP[1]` is 0 for software that takes a device's accesses for the kernel's.
fn privileged(rig: &mut Rig) -> Result<Finding> {
    let here = place::DATA + 0x10_0000;
    rig.map_identity(1)?;
    rig.map(here, Leaf { output: place::DATA, attributes: page::PRIVILEGED, table: 0 })?;
    rig.enable(Context::default())?;
    let mut engine = rig.engine(0);
    let done = rig.run(&mut engine, Descriptor::store(here, 0x1234))?;
    let event = rig.event()?.map(|event| event.number());
    Ok(Finding {
        correct: done.is_ok() && rig.qtest.readq(place::DATA)? == 0x1234,
        seen: format!("a store ends with cause {}, event {event:x?}", done.cause),
    })
}
