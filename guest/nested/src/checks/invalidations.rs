// SPDX-License-Identifier: GPL-2.0-or-later
//! What is cached until it is invalidated.

use qemu_iommu::nested::{Config, Error, FaultRouting, Invalidation};
use qemu_iommu::smmuv3::spec::ste::Ste1;
use sva_guest::device::FaultMode;
use sva_guest::ensure;
use sva_guest::report::{CheckResult, Report, Stop};

use crate::tables::WithoutPasid;
use crate::vmm::{
    Bound, PASID, STREAM, Vmm, WINDOW, atc_inv, cfgi_cd, said, skip, tlbi_all, tlbi_asid, tlbi_va,
};

/// A way to invalidate, of the space with PASID.
type Way = (&'static str, fn(&Bound) -> Invalidation);

const ARM: &[Way] = &[
    ("TLBI_NH_VA", |bound| tlbi_va(bound.tagged.asid, WINDOW)),
    ("TLBI_NH_ASID", |bound| tlbi_asid(bound.tagged.asid)),
    ("TLBI_NH_ALL", |_| tlbi_all()),
    ("TLBI_NSNH_ALL", |_| Invalidation::Smmuv3([0x30, 0])),
    ("TLBI_NH_VAA", |_| Invalidation::Smmuv3([0x13, WINDOW | 1])),
];
const INTEL: &[Way] = &[
    ("one page", |bound| pages(bound, WINDOW, 1, true)),
    ("64 pages around", |bound| pages(bound, WINDOW & !0x3_ffff, 64, false)),
    ("everything", |bound| pages(bound, 0, u64::MAX, false)),
];

fn pages(bound: &Bound, addr: u64, pages: u64, leaf: bool) -> Invalidation {
    Invalidation::FirstStage { binding: bound.bindings[1].id(), addr, pages, leaf }
}

/// The old page is seen until the invalidation, and the new one after it.
pub fn stale() -> CheckResult {
    let vmm = Vmm::new()?;
    let bound = vmm.bind(FaultRouting::Refused)?;
    let mut engine = vmm.engine(&[&bound.plain])?;
    let see = |engine: &mut crate::vmm::Engine<'_>, what: &str, wanted: usize| -> Result<(), Stop> {
        let seen = engine.sees(Some(PASID), WINDOW)?;
        ensure!(seen == Some(wanted), "{what}: page {seen:?} is seen, not {wanted}");
        Ok(())
    };
    let mut now = 1;
    let mut names = Vec::new();
    for (name, way) in if vmm.arm() { ARM } else { INTEL } {
        see(&mut engine, name, now)?;
        let next = if now == 1 { 2 } else { 1 };
        vmm.aim(&bound.tagged, next);
        see(&mut engine, &format!("before {name}"), now)?;
        // What is told of others changes nothing.
        vmm.invalidate(&[vmm.changed(&bound, None)])?;
        see(&mut engine, &format!("after another space's, before {name}"), now)?;
        vmm.invalidate(&[way(&bound)])?;
        see(&mut engine, &format!("after {name}"), next)?;
        now = next;
        names.push(*name);
    }
    if vmm.arm() {
        // A CD: another table for the PASID.
        let other = vmm.space(30, 4);
        vmm.tables.write_cd(&bound.table, PASID, other.asid, other.root, false);
        see(&mut engine, "before CFGI_CD", now)?;
        vmm.invalidate(&[cfgi_cd(STREAM, PASID)])?;
        see(&mut engine, "after CFGI_CD", 4)?;
        vmm.tables.write_cd(&bound.table, PASID, bound.tagged.asid, bound.tagged.root, false);
        see(&mut engine, "before CFGI_CD_ALL", 4)?;
        vmm.invalidate(&[Invalidation::Smmuv3([0x06 | STREAM << 32, 31])])?;
        see(&mut engine, "after CFGI_CD_ALL", now)?;
        names.extend(["CFGI_CD", "CFGI_CD_ALL"]);
    }
    Ok(Report::new(format!("old before, new after: {}", names.join(", "))))
}

/// The third of five is bad: two were done, and really, and the rest was not.
pub fn partial() -> CheckResult {
    let vmm = Vmm::new()?;
    let bound = vmm.bind(FaultRouting::Refused)?;
    let mut engine = vmm.engine(&[&bound.plain])?;
    let look = |engine: &mut crate::vmm::Engine<'_>| -> Result<_, Stop> {
        Ok((engine.sees(None, WINDOW)?, engine.sees(Some(PASID), WINDOW)?))
    };
    let before = look(&mut engine)?;
    ensure!(before == (Some(0), Some(1)), "at first {before:?} is seen");
    vmm.aim(&bound.plain, 2);
    vmm.aim(&bound.tagged, 3);
    let (bad, errno) = if vmm.arm() {
        // CMD_RESUME is not for a VMM to send.
        (Invalidation::Smmuv3([0x44 | STREAM << 32, 0]), libc::EIO)
    } else {
        (pages(&bound, WINDOW + 1, 1, true), libc::EINVAL)
    };
    let (first, last) = (vmm.changed(&bound, None), vmm.changed(&bound, Some(PASID)));
    let (filler, calls) = (vmm.changed(&bound, None), vmm.iommufd.context().invalidation_calls());
    let result = vmm.host.invalidate(&[first, filler, bad, last, last]);
    let Err(partial) = result else { return Err("a batch with a bad entry was done".into()) };
    ensure!(
        partial.done == 2 && matches!(partial.error, Error::Failed { errno: e, .. } if e == errno),
        "of five with a bad third: {partial}"
    );
    let calls = vmm.iommufd.context().invalidation_calls() - calls;
    let between = look(&mut engine)?;
    ensure!(
        between == (Some(2), Some(1)),
        "after two of five {between:?} is seen: what was before the bad one is to be new, the rest old"
    );
    vmm.invalidate(&[last])?;
    let after = look(&mut engine)?;
    ensure!(after == (Some(2), Some(3)), "after the rest {after:?} is seen");
    // Bad from the start, and of a binding that is none.
    let result = vmm.host.invalidate(&[bad, last]);
    ensure!(result.as_ref().is_err_and(|p| p.done == 0), "a batch that begins with a bad entry: {result:?}");
    Ok(Report::new(format!(
        "errno {errno} at entry 2 of 5: the two before are done, those behind are not ({calls} calls)"
    )))
}

/// The device keeps translations of both stages itself, by ATS.
pub fn device_caches() -> CheckResult {
    let vmm = Vmm::new()?;
    let mut bound = vmm.bind(FaultRouting::Refused)?;
    if let (true, Some(binding)) = (vmm.arm(), bound.bindings.first_mut()) {
        // EATS: the guest has enabled ATS.
        let [word0, word1] = bound.table.ste(WithoutPasid::Cd0);
        let config = Config::CdTable { ste: [word0, Ste1::from(word1).with_eats(1).bits()] };
        binding.replace(config, FaultRouting::Refused).map_err(said)?;
    }
    let mut engine = vmm.engine(&[&bound.plain])?;
    let device = engine.ring.device();
    let mine = || device.cached().into_iter().filter(|kept| kept.pasid == Some(PASID)).count();
    let mut rounds = 0;
    for (old, new) in [(1, 2), (2, 4), (4, 1)] {
        engine.ring.set_mode(FaultMode::AtsPri);
        let seen = engine.sees(Some(PASID), WINDOW)?;
        ensure!(seen == Some(old), "page {seen:?} is seen, not {old}");
        ensure!(mine() > 0, "the device keeps no translation");
        vmm.aim(&bound.tagged, new);
        if vmm.arm() {
            vmm.invalidate(&[vmm.changed(&bound, Some(PASID))])?;
        }
        let seen = engine.sees(Some(PASID), WINDOW)?;
        ensure!(seen == Some(old), "before the device's own is invalidated page {seen:?} is seen, not {old}");
        vmm.invalidate(&[if vmm.arm() { atc_inv(STREAM, PASID) } else { vmm.changed(&bound, Some(PASID)) }])?;
        ensure!(mine() == 0, "the device keeps {} translations", mine());
        let seen = engine.sees(Some(PASID), WINDOW)?;
        ensure!(seen == Some(new), "afterwards page {seen:?} is seen, not {new}");
        rounds += 1;
    }
    let by = if vmm.arm() { "the guest's ATC_INV" } else { "the invalidation of the page" };
    Ok(Report::new(format!("{rounds} changes: the device keeps the old translation until {by}")))
}

/// Names of devices in commands.
pub fn names() -> CheckResult {
    let vmm = Vmm::new()?;
    let bound = vmm.bind(FaultRouting::Refused)?;
    let unknown = STREAM + 1;
    let mut refused = 0;
    for command in
        [cfgi_cd(unknown, PASID), atc_inv(unknown, PASID), Invalidation::Smmuv3([0x06 | unknown << 32, 31])]
    {
        let result = vmm.host.invalidate(&[tlbi_all(), command]);
        let eio = |p: &qemu_iommu::nested::PartialInvalidation| {
            p.done == 1 && matches!(p.error, Error::Failed { errno: libc::EIO, .. })
        };
        ensure!(result.as_ref().is_err_and(eio), "a command for StreamID {unknown:#x}: {result:?}");
        refused += 1;
    }
    vmm.invalidate(&[cfgi_cd(STREAM, PASID)])?;
    let again = vmm.host.add_virtual_device(vmm.id, unknown);
    ensure!(matches!(again, Err(Error::Failed { errno: libc::EEXIST, .. })), "a second name: {again:?}");
    // Another device cannot have it, and has its own.
    let second = match crate::vmm::node(1) {
        Ok((_, node)) => vmm.iommufd.assign(std::path::Path::new(&node)).map_err(said)?,
        Err(_) => return skip("there is one function only"),
    };
    let same = vmm.host.add_virtual_device(second.0, STREAM);
    ensure!(matches!(same, Err(Error::Failed { errno: libc::EEXIST, .. })), "the name twice: {same:?}");
    vmm.host.add_virtual_device(second.0, unknown).map_err(said)?;
    vmm.invalidate(&[cfgi_cd(unknown, PASID), cfgi_cd(STREAM, PASID)])?;
    vmm.host.remove_virtual_device(second.0).map_err(said)?;
    let result = vmm.host.invalidate(&[cfgi_cd(unknown, PASID)]);
    ensure!(result.is_err(), "a name that was taken back is still known");
    drop(bound);
    Ok(Report::new(format!(
        "{refused} commands for an unknown StreamID refused with EIO at entry 1; names of two devices kept apart"
    )))
}
