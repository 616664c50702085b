// SPDX-License-Identifier: GPL-2.0-or-later
//! The SMMUv3 (`IHI0070`).

use std::path::Path;

use anyhow::{Result, ensure};

use crate::scenario::smmuv3::{Context, Leaves, Rig, event};
use crate::scenario::{Descriptor, place};
use crate::setup;
use crate::tests::{Runner, Verdict, plain_machine};

/// The scenes.
pub fn run(runner: &mut Runner) {
    // Linux takes 64K leaves for wide PASIDs and never 4K ones.
    runner.test("registers/context-leaves-4k", |r, dir| leaves(r, &dir, Leaves::K4, 8));
    runner.test("registers/context-leaves-64k", |r, dir| leaves(r, &dir, Leaves::K64, 11));
}

/// A PASID of the last leaf of a two-level CD table works; one whose leaf is invalid is refused as the specification says,
/// and works when the leaf is there.
fn leaves(runner: &Runner, dir: &Path, leaves: Leaves, contexts_log2: u64) -> Result<Verdict> {
    let args = plain_machine(&runner.source);
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start(&args, &parts, dir, "leaves")?;
    rig.enable_pasid()?;
    rig.map_identity(3)?;
    let at = |n: u64| place::DATA + n * 4096;
    rig.fill(at(0), 0x0102_0304_0506_0708)?;
    rig.fill(at(1), 0)?;
    rig.enable(Context { leaves, contexts_log2, ..Context::default() })?;
    let mut engine = rig.engine(1);
    let last = (1u32 << contexts_log2) - 3;
    // In the leaf before the last.
    let other = last - if leaves == Leaves::K4 { 64 } else { 1024 };
    let copy = |to: u64, pasid: u32| Descriptor::copy(at(0), at(to), 4096).pasid(pasid);
    engine.submit(&mut rig.qtest, copy(1, last))?;
    let done = engine.wait(&mut rig.qtest)?;
    ensure!(done.is_ok(), "PASID {last}: {done:?}, event {:x?}", rig.event()?);
    ensure!(rig.qtest.read(at(0), 4096)? == rig.qtest.read(at(1), 4096)?, "PASID {last}: another content");

    let leaf = u64::from(other) >> if leaves == Leaves::K4 { 6 } else { 10 };
    rig.write_leaf(leaf, false)?;
    engine.submit(&mut rig.qtest, copy(2, other))?;
    let done = engine.wait(&mut rig.qtest)?;
    ensure!(!done.is_ok(), "PASID {other} works without its leaf");
    let fault = rig.wait_event()?;
    ensure!(fault.number() == event::BAD_SUBSTREAM_ID, "expected C_BAD_SUBSTREAMID: {fault:x?}");

    rig.write_leaf(leaf, true)?;
    // CMD_CFGI_ALL, CMD_SYNC: nothing was cached, but this is what software does.
    rig.command([0x04, 0x1f])?;
    rig.command([0x46, 0])?;
    engine.submit(&mut rig.qtest, copy(2, other))?;
    let done = engine.wait(&mut rig.qtest)?;
    ensure!(done.is_ok(), "PASID {other} with its leaf: {done:?}");
    Ok(Verdict::Pass(format!("PASIDs {other} and {last} of {}", 1u32 << contexts_log2)))
}
