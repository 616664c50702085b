// SPDX-License-Identifier: GPL-2.0-or-later
//! Table modes, both stages and their nesting, accessed and dirty flags.

use anyhow::{Result, ensure};

use super::Scene;
use crate::scenario::vtd::entry::{self, PasidEntry, first, second};
use crate::scenario::vtd::{Mode, Rig, Setup, descriptor, reason};
use crate::scenario::{Capability, Descriptor, place};

pub(super) const SCENES: &[Scene] = &[
    Scene::new("abort-dma", abort_dma),
    Scene::new("table-modes", table_modes),
    Scene::new("first-stage-sizes", first_stage_sizes),
    Scene::new("first-stage-flags", first_stage_flags),
    Scene::new("first-stage-permissions", first_stage_permissions),
    Scene::new("second-stage-flags", second_stage_flags),
    Scene::new("nested-without-pasid", |rig| nested(rig, None)),
    Scene::new("nested-with-pasid", |rig| nested(rig, Some(5))),
    Scene::new("pass-through", pass_through),
    Scene::new("cached-until-invalidated", cached_until_invalidated),
];

const A: u64 = place::DATA;
const B: u64 = place::DATA + 0x1000;
/// An address that the first stage gives another meaning.
const HERE: u64 = 0x7f12_3456_7000;
/// Nothing is mapped here.
const NOWHERE: u64 = 0x7f00_0000_0000;

/// `VTD §11.4.5`: with `TTM = 11b` every request is blocked, with PASID and without, and the fault is RTA.4; another
/// root table pointer ends it.
fn abort_dma(rig: &mut Rig) -> Result<String> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    rig.enable(Setup { mode: Mode::AbortDma, ..Setup::default() })?;
    let mut engine = rig.engine(0);
    let halted = rig.must_fail(&mut engine, Descriptor::store(A, 0x1234))?;
    ensure!(halted.status == 0, "the ring was read: {halted:?}");
    ensure!(rig.qtest.readq(A)? == 0, "memory was written");
    rig.expect_fault(reason::ABORT_DMA)?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(1);
    rig.must(&mut engine, Descriptor::store(A, 0x1234))?;
    rig.expect_no_fault()?;
    Ok("blocked with RTA.4; scalable mode afterwards works".into())
}

/// `VTD §3.4`, `§7.1`: the reserved table mode is RTA.1, a request with PASID in legacy mode RTA.2; legacy second-stage
/// translation works.
fn table_modes(rig: &mut Rig) -> Result<String> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    rig.enable(Setup { mode: Mode::Reserved, ..Setup::default() })?;
    rig.must_fail(&mut rig.engine(0), Descriptor::load(A))?;
    rig.expect_fault(reason::ROOT_TABLE)?;

    rig.enable(Setup { mode: Mode::Legacy, wide: false, ..Setup::default() })?;
    let mut engine = rig.engine(1);
    rig.fill(A, 0x55)?;
    rig.must(&mut engine, Descriptor::copy(A, B, 4096))?;
    ensure!(rig.qtest.read(A, 4096)? == rig.qtest.read(B, 4096)?, "another content");
    rig.must_fail(&mut engine, Descriptor::load(A).pasid(1))?;
    let fault = rig.expect_fault(reason::PASID_IN_LEGACY_MODE)?;
    ensure!(fault.pasid() == Some(1), "{fault:x?}");
    Ok("RTA.1 for the reserved mode, RTA.2 for a PASID in legacy mode".into())
}

/// `VTD §3.6`: 4 and 5 levels, pages of 4 KiB, 2 MiB and 1 GiB, addresses at the limits; what is not canonical is SGN.1.
fn first_stage_sizes(rig: &mut Rig) -> Result<String> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    rig.enable(Setup::default())?;
    rig.qtest.writeq(A + 8, 0x1122_3344)?;
    let mut engine = rig.engine(0);
    for (pasid, levels) in [(1u32, 4), (2, 5)] {
        let mut tree = rig.first_stage(levels)?;
        let top = 1u64 << (12 + 9 * levels - 1);
        let highest = !0xfff & !(top - 1);
        let mut inputs = Vec::new();
        for (level, input) in [(0, top - 0x1000), (0, highest), (1, 0x6000_0000), (2, 0x1_8000_0000)] {
            let size = 0x1000u64 << (9 * level);
            let large = if level == 0 { 0 } else { first::PS };
            rig.set(&mut tree, input, level, A & !(size - 1) | first::PAGE | large)?;
            inputs.push(input + (A & (size - 1)));
        }
        rig.set_pasid(pasid, PasidEntry::first_stage(&tree))?;
        for input in inputs {
            rig.qtest.writeq(B, 0)?;
            rig.map(B, B | first::PAGE)?;
            // What was read is seen in memory: written through the same page.
            rig.must(&mut engine, Descriptor::copy(input + 8, input + 16, 8).pasid(pasid))?;
            ensure!(rig.qtest.readq(A + 16)? == 0x1122_3344, "{input:#x} is another page");
            rig.qtest.writeq(A + 16, 0)?;
        }
        rig.must_fail(&mut engine, Descriptor::load(top).pasid(pasid))?;
        let fault = rig.expect_fault(reason::NOT_CANONICAL)?;
        ensure!(fault.address() == top && fault.pasid() == Some(pasid), "{fault:x?}");
    }
    Ok("4 and 5 levels, 4 KiB to 1 GiB, canonical limits".into())
}

/// `VTD §3.6.2`: accessed in every entry on the way, dirty in the page's by writes alone; extended accessed with `EAFE`.
/// A refused access makes nothing dirty.
fn first_stage_flags(rig: &mut Rig) -> Result<String> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    let mut tree = rig.first_stage(4)?;
    let bare = first::P | first::RW | first::US;
    let both = first::A | first::D;
    // Each page under tables of its own, whose flags are cleared.
    let page = |n: u64| 0x0012_3456_7000 + (n << 39);
    for n in 0..4 {
        rig.set(&mut tree, page(n), 0, A | if n == 3 { first::P | first::US } else { bare })?;
        for level in 1..4 {
            let table = rig.get(&mut tree, page(n), level)?;
            rig.set(&mut tree, page(n), level, table & !both)?;
        }
    }
    rig.set_pasid(1, PasidEntry::first_stage(&tree))?;
    rig.set_pasid(2, PasidEntry::first_stage(&tree).domain(2).with(entry::EAFE))?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    let mut look = |rig: &mut Rig, n: u64, what: &str, leaf: u64, tables: u64| -> Result<()> {
        for level in 0..4 {
            let got = rig.get(&mut tree, page(n), level)? & (both | first::EA);
            let want = if level == 0 { leaf } else { tables };
            ensure!(got == want, "{what}: level {level} has flags {got:#x}, expected {want:#x}");
        }
        Ok(())
    };
    rig.must(&mut engine, Descriptor::load(page(0)).pasid(1))?;
    look(rig, 0, "a read", first::A, first::A)?;
    rig.must(&mut engine, Descriptor::store(page(0), 1).pasid(1))?;
    look(rig, 0, "a write after it", both, first::A)?;
    rig.must(&mut engine, Descriptor::store(page(1), 1).pasid(1))?;
    look(rig, 1, "a write", both, first::A)?;
    rig.must(&mut engine, Descriptor::compare_and_swap(page(2), 1, 2).pasid(2))?;
    look(rig, 2, "an atomic access with EAFE", both | first::EA, first::A | first::EA)?;
    rig.must_fail(&mut engine, Descriptor::store(page(3), 1).pasid(1))?;
    rig.expect_fault(reason::SCALABLE_WRITE)?;
    ensure!(rig.get(&mut tree, page(3), 0)? & first::D == 0, "a refused write made its page dirty");
    Ok("read, write, atomic and refused accesses".into())
}

/// `VTD §3.6.1`: `U/S`, `R/W`, `XD`, and what `SRE`, `ERE`, `WPE` and `NXE` make of them.
fn first_stage_permissions(rig: &mut Rig) -> Result<String> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    let mut tree = rig.first_stage(4)?;
    let (supervisor, read_only, no_execute) = (HERE, HERE + 0x1000, HERE + 0x2000);
    rig.set(&mut tree, supervisor, 0, A | first::PAGE & !first::US)?;
    rig.set(&mut tree, read_only, 0, A | first::PAGE & !first::RW)?;
    rig.set(&mut tree, no_execute, 0, A | first::PAGE | first::XD)?;
    let plain = PasidEntry::first_stage(&tree);
    rig.set_pasid(1, plain)?;
    rig.set_pasid(2, plain.with(entry::SRE | entry::ERE | entry::NXE))?;
    rig.set_pasid(3, plain.with(entry::SRE | entry::ERE | entry::WPE))?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    let load = Descriptor::load;
    let store = |address| Descriptor::store(address, 1);
    let refused = [
        (load(supervisor).pasid(1), reason::USER_SUPERVISOR),
        (load(supervisor).pasid(1).privileged(), reason::SUPERVISOR_DISABLED),
        (load(read_only).pasid(1).execute(), reason::EXECUTE_DISABLED),
        (store(read_only).pasid(1), reason::SCALABLE_WRITE),
        (load(no_execute).pasid(2).execute(), reason::EXECUTE),
        (store(read_only).pasid(3).privileged(), reason::SCALABLE_WRITE),
    ];
    for (work, reason) in refused {
        rig.must_fail(&mut engine, work)?;
        let fault = rig.expect_fault(reason)?;
        ensure!(fault.pasid() == work.pasid, "{fault:x?}");
    }
    let allowed = [
        load(supervisor).pasid(2).privileged(),
        store(supervisor).pasid(2).privileged(),
        load(read_only).pasid(2).execute(),
        store(read_only).pasid(2).privileged(),
        load(no_execute).pasid(3).execute(),
    ];
    for work in allowed {
        rig.must(&mut engine, work)?;
    }
    rig.expect_no_fault()?;
    Ok("six refused for their reason, five allowed".into())
}

/// `VTD §3.7.2`: second-stage flags with `SSADE`, and none without.
fn second_stage_flags(rig: &mut Rig) -> Result<String> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    let mut tree = rig.second_stage(4)?;
    for (n, flags) in [second::PAGE; 3].into_iter().enumerate() {
        rig.set(&mut tree, HERE + 0x1000 * n as u64, 0, A | flags)?;
    }
    let both = second::A | second::D;
    rig.set_pasid(1, PasidEntry::second_stage(&tree))?;
    rig.set_pasid(2, PasidEntry::second_stage(&tree).domain(2).keeping_second_flags())?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    rig.must(&mut engine, Descriptor::store(HERE, 1).pasid(1))?;
    ensure!(rig.get(&mut tree, HERE, 0)? & both == 0, "flags without SSADE");
    rig.must(&mut engine, Descriptor::load(HERE + 0x1000).pasid(2))?;
    ensure!(rig.get(&mut tree, HERE + 0x1000, 0)? & both == second::A, "a read");
    rig.must(&mut engine, Descriptor::store(HERE + 0x1000, 1).pasid(2))?;
    ensure!(rig.get(&mut tree, HERE + 0x1000, 0)? & both == both, "a write after it");
    rig.must(&mut engine, Descriptor::store(HERE + 0x2000, 1).pasid(2))?;
    ensure!(rig.get(&mut tree, HERE + 0x2000, 0)? & both == both, "a write");
    for level in 1..4 {
        ensure!(rig.get(&mut tree, HERE, level)? & both == second::A, "level {level}");
    }
    rig.must_fail(&mut engine, Descriptor::load(NOWHERE).pasid(2))?;
    rig.expect_fault(reason::SECOND_STAGE_NOT_PRESENT)?;
    Ok("with SSADE accessed and dirty, without neither".into())
}

/// `VTD §3.8`: what the first stage puts out goes through the second, and so do its tables' addresses, with flags of
/// their own.
fn nested(rig: &mut Rig, pasid: Option<u32>) -> Result<String> {
    rig.map_identity(2)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    // The second stage: everything one to one, but for one page, and with flags.
    let mut below = rig.second_stage(4)?;
    let tables = place::TABLES & !0x1f_ffff;
    for n in 0..0x10 {
        let at = tables + 0x20_0000 * n;
        if at != place::DATA & !0x1f_ffff && at != tables {
            rig.set(&mut below, at, 1, at | second::PAGE | second::PS)?;
        }
    }
    for area in [tables, place::DATA & !0x1f_ffff] {
        for n in 0..512 {
            let at = area + 0x1000 * n;
            if at < place::DATA + 0x8000 {
                rig.set(&mut below, at, 0, at | second::PAGE)?;
            }
        }
    }
    // The first stage's HERE is `gone` to the second, which has B there.
    let gone = place::DATA + 0xf_0000;
    rig.set(&mut below, gone, 0, B | second::PAGE)?;
    let mut above = rig.first;
    rig.set(&mut above, HERE, 0, gone | first::P | first::RW | first::US)?;
    let entry = PasidEntry::nested(&above, &below).keeping_second_flags();
    rig.set_pasid(0, entry)?;
    if let Some(pasid) = pasid {
        rig.set_pasid(pasid, entry)?;
    }
    rig.enable(Setup::default())?;
    rig.fill(A, 0x6e65_7374)?;
    let mut engine = rig.engine(0);
    let work = |work: Descriptor| Descriptor { pasid, ..work };
    rig.must(&mut engine, work(Descriptor::copy(A, HERE, 4096)))?;
    ensure!(rig.qtest.read(A, 4096)? == rig.qtest.read(B, 4096)?, "another content");
    let both = second::A | second::D;
    ensure!(
        rig.get(&mut above, HERE, 0)? & (first::A | first::D) == first::A | first::D,
        "first-stage flags"
    );
    ensure!(rig.get(&mut below, gone, 0)? & both == both, "second-stage flags of the page");
    // Flags were written into the first stage's uppermost table: that is a write to its page, too.
    let root = above.root;
    ensure!(rig.get(&mut below, root, 0)? & second::A != 0, "second-stage flags of the root table");
    rig.expect_no_fault()?;

    rig.set(&mut below, gone, 0, 0)?;
    rig.invalidate_all()?;
    rig.must_fail(&mut engine, work(Descriptor::store(HERE, 1)))?;
    let fault = rig.expect_fault(reason::SECOND_STAGE_NOT_PRESENT)?;
    ensure!(fault.address() == HERE && fault.pasid() == pasid, "{fault:x?}");
    rig.must_fail(&mut engine, work(Descriptor::store(NOWHERE, 1)))?;
    let fault = rig.expect_fault(reason::FIRST_STAGE_NOT_PRESENT)?;
    ensure!(fault.address() == NOWHERE && fault.pasid() == pasid, "{fault:x?}");
    Ok("both stages, flags of both, faults of both".into())
}

/// `VTD §9.6`: with `PGTT = 100b` an address is what it says, with PASID and without, but for those beyond the address
/// width and interrupts'.
fn pass_through(rig: &mut Rig) -> Result<String> {
    rig.map_identity(1)?;
    rig.enable_capabilities(&[Capability::Pasid])?;
    for pasid in [0, 1] {
        rig.set_pasid(pasid, PasidEntry::pass_through())?;
    }
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    for (n, work) in [Descriptor::store(A, 1), Descriptor::store(A, 2).pasid(1)].into_iter().enumerate() {
        rig.must(&mut engine, work)?;
        ensure!(rig.qtest.readq(A)? == n as u64 + 1, "not written");
    }
    rig.must_fail(&mut engine, Descriptor::load(1 << 60).pasid(1))?;
    rig.expect_fault(reason::SCALABLE_BEYOND_WIDTH)?;
    Ok("with PASID and without; SGN.4 beyond the address width".into())
}

/// `VTD §6.1`, `§6.5.2.4`: a translation may stay in use until it is invalidated, and no longer.
fn cached_until_invalidated(rig: &mut Rig) -> Result<String> {
    rig.map_identity(3)?;
    rig.map(HERE, A | first::PAGE)?;
    rig.enable(Setup::default())?;
    let mut engine = rig.engine(0);
    rig.must(&mut engine, Descriptor::store(HERE, 1))?;
    rig.map(HERE, B | first::PAGE)?;
    // Another page's invalidation is none of this one's, and this one's ends it.
    rig.submit(descriptor::pasid_iotlb_page(1, 0, HERE))?;
    rig.wait()?;
    rig.must(&mut engine, Descriptor::store(HERE, 2))?;
    let (a, b) = (rig.qtest.readq(A)?, rig.qtest.readq(B)?);
    ensure!((a, b) == (1, 2), "after the invalidation the pages hold {a} and {b}");
    rig.map(HERE, 0)?;
    rig.submit(descriptor::pasid_iotlb_page(1, 0, HERE))?;
    rig.wait()?;
    rig.must_fail(&mut engine, Descriptor::store(HERE, 3))?;
    rig.expect_fault(reason::FIRST_STAGE_NOT_PRESENT)?;
    // Nothing that is not present is cached: mapping it needs no invalidation.
    rig.map(HERE, A | first::PAGE)?;
    rig.must(&mut engine, Descriptor::store(HERE, 4))?;
    ensure!(rig.qtest.readq(A)? == 4, "not written");
    Ok("new page after the invalidation, nothing after unmapping".into())
}
