// SPDX-License-Identifier: GPL-2.0-or-later
//! What a cache outside is answered and told to forget, by registers and tables alone: `iommu-bench` in vhost's place.
//!
//! vhost looks the beginning of an answer up in its list of RAM, and takes what follows there. So an answer lies in one piece
//! of RAM, or the address that was asked for is not in what vhost's backend gets. A range to forget has a size that
//! fits 64 bits, and reaches every answer that the invalidated page was part of. An invalidation of everything is told as what
//! it changed, and of what is as it was nothing is told.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::qtest::Qtest;
use crate::scenario::consumer::{self, Heard};
use crate::scenario::smmuv3::{self, Context, Leaf};
use crate::scenario::vtd::{self, PasidEntry, Setup, command, descriptor, entry};
use crate::scenario::{Function, place};
use crate::setup;
use crate::tests::{Runner, Verdict, plain_machine, plain_vtd};

/// Memory of the Arm machine.
const ARM: (u64, u64) = (0x4000_0000, 0x5fff_ffff);
/// Memory of the PC below and above the hole for old devices.
const PC: [(u64, u64); 2] = [(0, 0x9_ffff), (0x10_0000, 0x5fff_ffff)];

/// The scenes.
pub fn run(runner: &mut Runner) {
    runner.test("vhost/notices-smmuv3", |r, dir| smmu(r, &dir));
    runner.test("vhost/notices-vtd", |r, dir| unit(r, &dir));
}

/// An answer has to be one to one, and as large as a piece of RAM allows: its size minus one.
fn ask(q: &mut Qtest, function: &Function, address: u64, (first, last): (u64, u64)) -> Result<u64> {
    let told = consumer::ask(q, function, address)?;
    let end = told.address | told.mask;
    ensure!(told.allowed == 0b11, "{address:#x}: {told:x?}");
    ensure!(
        (told.address..=end).contains(&address) && told.address >= first && end <= last,
        "{address:#x}: the answer is {:#x} to {end:#x}, beyond the RAM from {first:#x} to {last:#x}",
        told.address
    );
    Ok(told.mask)
}

/// It was told to forget what it asked for last, and the largest of the ranges had that size minus one.
fn forgets(q: &mut Qtest, function: &Function, what: &str, mask: u64) -> Result<u64> {
    let Heard { times, widest, forgotten } = consumer::heard(q, function)?;
    ensure!(forgotten, "{what}: not told of the address that it asked for");
    ensure!(widest == mask, "{what}: the largest range has {widest:#x} + 1 bytes, not {mask:#x} + 1");
    Ok(times)
}

/// It was not told to forget what it asked for last, and nothing else either.
fn keeps(q: &mut Qtest, function: &Function, what: &str, before: u64) -> Result<()> {
    let Heard { times, forgotten, .. } = consumer::heard(q, function)?;
    ensure!(times == before && !forgotten, "{what}: told {} ranges", times - before);
    Ok(())
}

fn smmu(runner: &Runner, dir: &Path) -> Result<Verdict> {
    const TAGGED: u64 = 0x55 << 56;
    let args = plain_machine(&runner.source);
    let mut rig = smmuv3::Rig::start_consumer(&args, &setup::scene_parts(&args)?, dir, "consumer")?;
    let function = rig.endpoint;
    // CMD_TLBI_NH_VA of one page, leaf, CMD_SYNC.
    let page = |rig: &mut smmuv3::Rig| -> Result<()> {
        rig.command([0x12 | 1 << 48, place::DATA | 1])?;
        rig.command([0x46, 0])?;
        rig.settle()
    };
    let bypass = ask(&mut rig.qtest, &function, place::DATA + 0x123, ARM)?;
    ensure!(bypass == ARM.1 - ARM.0, "without translation the answer has {bypass:#x} + 1 bytes");
    rig.map_identity(2)?;
    rig.enable(Context { tbi: 1, ..Context::default() })?;
    forgets(&mut rig.qtest, &function, "SMMUEN", bypass)?;
    let whole = ask(&mut rig.qtest, &function, place::DATA, ARM)?;
    ensure!(whole == 0xfff, "a page: {whole:#x}");
    page(&mut rig)?;
    let times = forgets(&mut rig.qtest, &function, "a page", 0xfff)?;
    // Without an answer to a tagged address there is one name for a page.
    ask(&mut rig.qtest, &function, place::DATA, ARM)?;
    page(&mut rig)?;
    let once = forgets(&mut rig.qtest, &function, "a page again", 0xfff)? - times;
    let tagged = consumer::ask(&mut rig.qtest, &function, TAGGED | place::DATA)?;
    ensure!(tagged.allowed == 0b11 && tagged.address == place::DATA, "a tagged address: {tagged:x?}");
    page(&mut rig)?;
    let times = forgets(&mut rig.qtest, &function, "a page by another top byte", 0xfff)?;
    // Everything is invalidated and is as it was, then it is not, but for a page between the two names.
    ask(&mut rig.qtest, &function, place::DATA, ARM)?;
    ask(&mut rig.qtest, &function, place::DATA + 0x1000, ARM)?;
    consumer::ask(&mut rig.qtest, &function, TAGGED | place::DATA)?;
    rig.invalidate_all()?;
    rig.settle()?;
    keeps(&mut rig.qtest, &function, "everything, unchanged", times)?;
    rig.map(place::DATA, Leaf::all(place::DATA + 0x1000))?;
    rig.invalidate_all()?;
    rig.settle()?;
    let all = forgets(&mut rig.qtest, &function, "everything", 0xfff)? - times;
    ensure!(all == 2, "a page and its alias take {all} ranges");
    // Nothing is kept any more, and the other name is not told.
    rig.map(place::DATA, Leaf::all(place::DATA))?;
    rig.map(place::DATA + 0x1000, Leaf::all(place::DATA))?;
    rig.invalidate_all()?;
    rig.settle()?;
    ask(&mut rig.qtest, &function, place::DATA, ARM)?;
    let before = consumer::heard(&mut rig.qtest, &function)?.times;
    page(&mut rig)?;
    let again = forgets(&mut rig.qtest, &function, "a page after everything", 0xfff)? - before;
    ensure!(again == once, "a page takes {again} ranges after everything was invalidated, and {once} before");
    // A tagged address that nothing translates is no answer, and changes nothing.
    rig.change(Context::default())?;
    let refused = consumer::ask(&mut rig.qtest, &function, TAGGED | place::DATA)?;
    ensure!(refused.allowed == 0, "a tagged address without TBI: {refused:x?}");
    ask(&mut rig.qtest, &function, place::DATA, ARM)?;
    let before = consumer::heard(&mut rig.qtest, &function)?.times;
    page(&mut rig)?;
    let alone = forgets(&mut rig.qtest, &function, "a page beside a refused alias", 0xfff)? - before;
    ensure!(alone == once, "a page takes {alone} ranges after a tagged address was refused");
    Ok(Verdict::Pass("answers within RAM; pages, aliases, and what changed".into()))
}

fn unit(runner: &Runner, dir: &Path) -> Result<Verdict> {
    const GIB: u64 = (1 << 30) - 1;
    let args = plain_vtd(&runner.source);
    let mut rig = vtd::Rig::start_consumer(&args, &setup::scene_parts(&args)?, dir, "consumer")?;
    let function = rig.endpoint();
    let setup = Setup { device_tlb: false, page_requests: false, ..Setup::default() };
    let everywhere = |rig: &mut vtd::Rig, what: &str| -> Result<()> {
        for (address, ram) in [(0x7_0000, PC[0]), (0x123_4567, PC[1]), (place::DATA, PC[1])] {
            let mask = ask(&mut rig.qtest, &function, address, ram)?;
            ensure!(mask > 0xfff, "{what}: the answer to {address:#x} is a page");
        }
        Ok(())
    };
    everywhere(&mut rig, "TE = 0")?;
    rig.map_identity(2)?;
    rig.enable(setup)?;
    // Between the three there is nothing that stays.
    forgets(&mut rig.qtest, &function, "TE", GIB)?;
    let whole = ask(&mut rig.qtest, &function, place::DATA, PC[1])?;
    ensure!(whole == 0xfff, "a page: {whole:#x}");
    rig.submit(descriptor::pasid_iotlb_page(1, 0, place::DATA))?;
    rig.wait()?;
    forgets(&mut rig.qtest, &function, "a page", 0xfff)?;
    // One leaf maps 1 GiB one to one: two pieces of RAM with a hole between them. Another maps what RAM ends in.
    let mut first = rig.first;
    for huge in [0, 1 << 30] {
        rig.set(&mut first, huge, 2, huge | entry::first::PAGE | entry::first::PS)?;
    }
    rig.invalidate_all()?;
    everywhere(&mut rig, "a page of 1 GiB")?;
    let part = ask(&mut rig.qtest, &function, 0x7_0000, PC[0])?;
    rig.submit(descriptor::pasid_iotlb_page(1, 0, 0x3000_0000))?;
    rig.wait()?;
    forgets(&mut rig.qtest, &function, "a page of 1 GiB by another address", GIB)?;
    rig.invalidate_all()?;
    rig.change_pasid(0, PasidEntry::pass_through())?;
    everywhere(&mut rig, "pass-through")?;
    let times = consumer::heard(&mut rig.qtest, &function)?.times;
    rig.invalidate_all()?;
    keeps(&mut rig.qtest, &function, "everything, unchanged", times)?;
    rig.disable(command::TE)?;
    keeps(&mut rig.qtest, &function, "translation off after pass-through", times)?;
    everywhere(&mut rig, "TE = 0 again")?;
    Ok(Verdict::Pass(format!(
        "answers within RAM, {part:#x} + 1 bytes in low memory; pages, parts, and what changed"
    )))
}
