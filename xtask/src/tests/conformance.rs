// SPDX-License-Identifier: GPL-2.0-or-later
//! The cases of `tests/conformance`, each a row; one QEMU serves all registers, one all commands, one each event.

#[path = "../../../tests/conformance/mod.rs"]
mod cases;

use anyhow::Result;

use self::cases::smmuv3::{commands, counters, events, registers, requests};
use super::{Runner, Verdict, plain_machine};
use crate::scenario::smmuv3::{Context, Rig};
use crate::setup;

/// The suite.
pub fn run(runner: &mut Runner) {
    let dir = runner.dir.join("conformance");
    let _ = std::fs::create_dir_all(&dir);
    let start = |r: &Runner, name: &str| -> Result<Rig> {
        let mut args = plain_machine(&r.source);
        // Off by default, for boards have to describe it.
        args.iommu.push("pmu-msi=on".into());
        Rig::start(&args, &setup::scene_parts(&args)?, &dir, name)
    };
    let mut scene: Option<Rig> = None;
    for register in registers::REGISTERS.iter().chain(counters::REGISTERS) {
        runner.test(&format!("conformance/reset/{}", register.name), |r, _| {
            let rig = open(&mut scene, || start(r, "registers"))?;
            registers::at_reset(&mut rig.qtest, register)?;
            Ok(Verdict::Pass(format!("IHI0070 {}", register.clause)))
        });
    }
    for register in registers::REGISTERS.iter().chain(counters::REGISTERS) {
        runner.test(&format!("conformance/register/{}", register.name), |r, _| {
            let rig = open(&mut scene, || start(r, "registers"))?;
            let seen = registers::writes(&mut rig.qtest, register)?;
            Ok(Verdict::Pass(format!("{seen}; IHI0070 {}", register.clause)))
        });
    }
    scene = None;
    for command in commands::COMMANDS {
        runner.test(&format!("conformance/command/{}", command.name), |r, _| {
            let rig = open(&mut scene, || enabled(start(r, "commands")?))?;
            let seen = commands::play(rig, command)?;
            Ok(Verdict::Pass(format!("{seen}; IHI0070 {}", command.clause)))
        });
    }
    runner.test("conformance/command/reserved-opcodes", |r, _| {
        let rig = open(&mut scene, || enabled(start(r, "commands")?))?;
        Ok(Verdict::Pass(commands::play_others(rig)?))
    });
    drop(scene);
    for event in events::EVENTS {
        runner.test(&format!("conformance/event/{}", event.name), |r, _| {
            let mut rig = start(r, event.name)?;
            let seen = events::play(&mut rig, event)?;
            Ok(Verdict::Pass(format!("{seen}; IHI0070 {}", event.clause)))
        });
    }
    runner.test("conformance/event/merging", |r, _| {
        Ok(Verdict::Pass(events::merging(&mut start(r, "merging")?)?))
    });
    for request in requests::REQUESTS {
        runner.test(&format!("conformance/event/{}", request.name), |r, _| {
            let mut rig = start(r, request.name)?;
            let seen = requests::play(&mut rig, request)?;
            Ok(Verdict::Pass(format!("{seen}; IHI0070 {}", request.clause)))
        });
    }
}

/// The scene, made for the first case that wants it.
fn open(scene: &mut Option<Rig>, start: impl FnOnce() -> Result<Rig>) -> Result<&mut Rig> {
    let rig = match scene.take() {
        Some(rig) => rig,
        None => start()?,
    };
    Ok(scene.insert(rig))
}

fn enabled(mut rig: Rig) -> Result<Rig> {
    rig.map_identity(2)?;
    rig.enable(Context::default())?;
    Ok(rig)
}
