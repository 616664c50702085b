// SPDX-License-Identifier: GPL-2.0-or-later
//! Scenes for qtest: a machine whose IOMMU, tables and endpoint are driven by hand.
//!
//! What both architectures share is here: the machine, where things lie in its memory, the endpoint and the way tables
//! grow. A rig in [`smmuv3`] or [`vtd`] drives the IOMMU. Bit positions stand here a second time on purpose: the
//! models are judged from outside, by the specifications' words (`IHI0070`, `VTD`, `PCIe`, `docs/sva-testdev.md`),
//! and not by their own constants.

pub mod consumer;
mod endpoint;
mod function;
pub mod smmuv3;
mod tree;
pub mod vtd;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

pub use endpoint::{Completion, Descriptor, Engine, FaultMode, cause};
pub use function::{Capability, Function, Port, counter};
pub use tree::{Format, Pages, Tree};

use crate::cli::{MachineArgs, Model};
use crate::qtest::Qtest;
use crate::vm::{Console, Machine, Parts};

/// Guest memory that the scenes of both architectures use; memory reaches from `0x4000_0000` to `0x6000_0000` in both
/// machines. The rigs have their own structures below [`TABLES`](place::TABLES).
pub mod place {
    /// Translation tables grow from here.
    pub const TABLES: u64 = 0x4110_0000;
    /// Descriptor rings, each followed by its completion records: see [`SLOT`].
    pub const RING: u64 = 0x4200_0000;
    /// From one engine's ring to the next one's.
    pub const SLOT: u64 = 0x2000;
    /// Engines that may have a ring at the same time.
    pub const SLOTS: u64 = 8;
    /// Data of the scenes.
    pub const DATA: u64 = 0x4210_0000;
}

/// What a model did in a scene.
pub struct Finding {
    /// As the specification asks.
    pub correct: bool,
    /// What was seen.
    pub seen: String,
}

/// A defect of a C model as a scene: id, what the specification asks for, and the play with a rig `R`.
pub struct Defect<R> {
    /// As in the list of defects.
    pub id: &'static str,
    /// What has to happen.
    pub rule: &'static str,
    /// Plays it.
    pub play: fn(&mut R) -> Result<Finding>,
}

/// A machine for a scene, with so many endpoints on the root bus, and one behind a root port.
pub fn machine(args: &MachineArgs, parts: &Parts, endpoints: u8) -> Machine {
    let mut args = args.clone();
    args.endpoints = endpoints;
    args.memory = memory(args.model).into();
    Machine::new(args, parts.clone(), Console::Stdout)
}

/// As much as it takes to reach [`place::DATA`] in both machines: Arm's memory begins at 1 GiB, a PC's at 0.
fn memory(model: Model) -> &'static str {
    match model {
        Model::Smmuv3 => "512M",
        Model::Vtd => "1536M",
    }
}

/// Fills a page of memory with 8-byte words.
pub fn fill(q: &mut Qtest, at: u64, word: u64) -> Result<()> {
    let bytes: Vec<u8> = word.to_le_bytes().iter().copied().cycle().take(4096).collect();
    q.write(at, &bytes).with_context(|| format!("filling {at:#x}"))
}

/// Saves a machine's state and restores it in a new QEMU, which goes on where the first one was.
pub fn switch(q: &mut Qtest, mut machine: Machine, dir: &Path) -> Result<Qtest> {
    let file = dir.join("state");
    q.qmp.execute("stop", json!({}))?;
    q.qmp.execute("migrate", json!({"uri": format!("file:{}", file.display())}))?;
    q.qmp.wait_migrated(Duration::from_secs(60))?;
    machine.incoming = Some(file.clone());
    let mut second = Qtest::start(machine, dir, "target")?;
    second
        .qmp
        .wait_state("paused", Duration::from_secs(60))
        .or_else(|_| second.qmp.wait_state("prelaunch", Duration::from_secs(1)))?;
    second.qmp.execute("cont", json!({}))?;
    let _ = std::fs::remove_file(&file);
    Ok(second)
}
