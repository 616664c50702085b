// SPDX-License-Identifier: GPL-2.0-or-later
//! What a device is bound to.

use qemu_iommu::nested::{
    Binding, BoundPasidTable, Config, Error, FaultRouting, GuestPasidTable, PasidTableConfig,
};
use sva_guest::ensure;
use sva_guest::report::{CheckResult, Report, Stop};

use crate::tables::{Shape, WithoutPasid};
use crate::vmm::{PASID, STREAM, Vmm, WINDOW, cfgi_cd, said, tlbi_all};

/// A guest-physical address where nothing is.
const NOWHERE: u64 = 0x3_0000_0000;

/// Nothing is bound: the device sees guest-physical memory.
pub fn parent_only() -> CheckResult {
    let vmm = Vmm::new()?;
    let mut engine = vmm.engine(&[])?;
    for n in 0..4 {
        let sees = engine.sees(None, Vmm::data(n))?;
        ensure!(sees == Some(n), "page {n} is seen as {sees:?}");
    }
    ensure!(engine.writes(None, Vmm::data(0), 0x77)?, "a write is refused");
    ensure!(vmm.page(0).first_other(0, 64, 0x77).is_none(), "a write went elsewhere");
    let last = vmm.pages().len() - 1;
    let read_only = vmm.host.map(NOWHERE, vmm.page(0).address(), 4096, false);
    let kept = if vmm.arm() {
        ensure!(!engine.writes(None, Vmm::data(last), 0x77)?, "a read-only page is written");
        "writes to a read-only page"
    } else {
        ensure!(
            matches!(read_only, Err(Error::Unsupported { .. })),
            "a read-only page is shown: {read_only:?}"
        );
        "to show a page for reading alone"
    };
    let _ = vmm.host.unmap(NOWHERE, 4096);
    ensure!(engine.sees(None, NOWHERE)?.is_none(), "something is seen where nothing is");
    ensure!(engine.sees(Some(PASID), Vmm::data(1))?.is_none(), "a PASID sees what no PASID is bound to");
    Ok(Report::new(format!("4 pages seen, one written; refused: {kept}, a hole, a PASID")))
}

/// Abort, bypass and translation, each in place of each other.
pub fn configurations() -> CheckResult {
    let vmm = Vmm::new()?;
    let (space, other) = (vmm.space(7, 1), vmm.space(9, 2));
    let mut engine = vmm.engine(&[&space, &other])?;
    let refused = FaultRouting::Refused;
    let table = vmm.tables.pasid_table(Shape::Linear, 4);
    vmm.tables.write_cd(&table, 0, space.asid, space.root, false);
    let translate = |space| {
        if vmm.arm() {
            Config::CdTable { ste: table.ste(WithoutPasid::Cd0) }
        } else {
            Vmm::first_stage(space)
        }
    };
    // What is seen at the window, where only stage 1 has something, and at page 0's guest-physical address.
    let mut look = |what: &str, window: Option<usize>, direct: Option<usize>| -> Result<(), Stop> {
        engine.recover();
        let seen = (engine.sees(None, WINDOW)?, engine.sees(None, Vmm::data(0))?);
        ensure!(seen == (window, direct), "{what}: the device sees {seen:?}, not {:?}", (window, direct));
        Ok(())
    };
    // As the SMMU's GBPA says before its guest enables it: no device has a name yet.
    let mut binding = vmm.bind_one(None, Config::Abort, refused)?;
    look("abort", None, None)?;
    binding.replace(Config::Bypass, refused).map_err(said)?;
    look("bypass", None, Some(0))?;
    if vmm.arm() {
        let unnamed = binding.replace(translate(&space), refused);
        ensure!(unnamed.is_err(), "a device without a name has a CD table");
        look("bypass, after a refusal", None, Some(0))?;
    }
    vmm.name()?;
    binding.replace(translate(&space), refused).map_err(said)?;
    look("translation", Some(1), None)?;
    if vmm.arm() {
        vmm.tables.write_cd(&table, 0, other.asid, other.root, false);
        vmm.invalidate(&[cfgi_cd(STREAM, 0)])?;
    }
    binding.replace(translate(&other), refused).map_err(said)?;
    look("another translation", Some(2), None)?;
    binding.replace(Config::Abort, refused).map_err(said)?;
    look("abort after translation", None, None)?;
    binding.replace(translate(&other), refused).map_err(said)?;
    look("translation after abort", Some(2), None)?;
    binding.replace(Config::Bypass, refused).map_err(said)?;
    look("bypass after translation", None, Some(0))?;
    let wrong = if vmm.arm() {
        binding.replace(Vmm::first_stage(&space), refused)
    } else {
        binding.replace(Config::CdTable { ste: table.ste(WithoutPasid::Cd0) }, refused)
    };
    ensure!(
        matches!(wrong, Err(Error::Unsupported { .. })),
        "the other architecture's configuration: {wrong:?}"
    );
    look("bypass, after the other architecture's", None, Some(0))?;
    let second = Binding::new(&vmm.host, vmm.id, None, Config::Bypass, refused).map(drop);
    ensure!(
        matches!(second, Err(Error::Failed { errno: libc::EBUSY, .. })),
        "a second binding of the device: {second:?}"
    );
    binding.replace(Config::Abort, refused).map_err(said)?;
    drop(binding);
    look("nothing bound any more", None, Some(0))?;
    Ok(Report::new("12 states, each told by what the device sees; 3 refusals leave what held"))
}

/// CD tables in every shape.
pub fn cd_tables() -> CheckResult {
    let mut vmm = Vmm::new()?;
    vmm.name()?;
    let refused = FaultRouting::Refused;
    let spaces: Vec<_> = (0..4).map(|n| vmm.space(20 + n as u16, n)).collect();
    // The ring has a PASID here, so that requests without one can be refused.
    (vmm.device.plain, vmm.device.pasid) = (false, 1);
    let mut binding = vmm.bind_one(None, Config::Abort, refused)?;
    let ways = [
        (Shape::Linear, 4u8, vec![1u32, 2, 15]),
        (Shape::Leaf4K, 10, vec![1, 63, 64, 1023]),
        (Shape::Leaf64K, 12, vec![1, 1023, 1024, 4095]),
    ];
    let mut seen = 0;
    for (shape, bits, pasids) in ways {
        let table = vmm.tables.pasid_table(shape, bits);
        vmm.tables.write_cd(&table, 0, spaces[0].asid, spaces[0].root, false);
        for (n, pasid) in pasids.iter().enumerate() {
            let space = &spaces[n % 3 + 1];
            vmm.tables.write_cd(&table, *pasid, space.asid, space.root, false);
        }
        for (without, expected) in [
            (WithoutPasid::Terminate, (None, None)),
            (WithoutPasid::Bypass, (None, Some(3))),
            (WithoutPasid::Cd0, (Some(0), None)),
        ] {
            binding.replace(Config::CdTable { ste: table.ste(without) }, refused).map_err(said)?;
            let mut engine = vmm.engine(&spaces.iter().collect::<Vec<_>>())?;
            vmm.invalidate(&[tlbi_all()])?;
            engine.recover();
            for (n, pasid) in pasids.iter().enumerate() {
                let sees = engine.sees(Some(*pasid), WINDOW)?;
                ensure!(sees == Some(n % 3 + 1), "{shape:?}: PASID {pasid} sees {sees:?}");
                seen += 1;
            }
            let none = (engine.sees(None, WINDOW)?, engine.sees(None, Vmm::data(3))?);
            ensure!(none == expected, "{shape:?}, {without:?}: without PASID {none:?} is seen");
            let absent = engine.sees(Some(pasids[0] + 4), WINDOW)?;
            ensure!(absent.is_none(), "{shape:?}: a PASID without a CD sees {absent:?}");
            let beyond = engine.sees(Some(1 << bits), WINDOW)?;
            ensure!(beyond.is_none(), "{shape:?}: a PASID beyond the table sees {beyond:?}");
        }
    }
    // One CD and no PASIDs.
    let table = vmm.tables.pasid_table(Shape::Linear, 0);
    vmm.tables.write_cd(&table, 0, spaces[2].asid, spaces[2].root, false);
    binding.replace(Config::CdTable { ste: table.ste(WithoutPasid::Terminate) }, refused).map_err(said)?;
    vmm.device.plain = true;
    let mut engine = vmm.engine(&[&spaces[2]])?;
    engine.recover();
    let one = (engine.sees(None, WINDOW)?, engine.sees(Some(1), WINDOW)?);
    ensure!(one == (Some(2), None), "with one CD {one:?} is seen");
    Ok(Report::new(format!(
        "linear, 64 and 1024 CDs a leaf, each with S1DSS 0, 1, 2: {seen} PASIDs see theirs; S1CDMax 0"
    )))
}

/// A guest's PASID directory: entries of several leaves, changed and cleared between two walks.
pub fn pasid_directory() -> CheckResult {
    let vmm = Vmm::new()?;
    let table = vmm.tables.pasid_table(Shape::Linear, 10);
    let spaces: Vec<_> = (0..4).map(|n| vmm.space(0, n)).collect();
    let pasids = [1u32, 63, 64, 1023];
    vmm.tables.write_pasid(&table, 0, Some(spaces[0].root));
    for (n, pasid) in pasids.iter().enumerate() {
        vmm.tables.write_pasid(&table, *pasid, Some(spaces[n % 3 + 1].root));
    }
    let guest = GuestPasidTable::Vtd { directory: table.base, pasid_bits: table.bits, rid_pasid: 0 };
    ensure!(guest.whole().is_none(), "a VT-d binds a directory as a whole");
    let (mut kept, left_out) =
        BoundPasidTable::new(&vmm.host, vmm.id, guest, &vmm.tables, FaultRouting::Refused).map_err(said)?;
    ensure!(left_out.is_empty(), "not bound: {left_out:?}");
    let mut engine = vmm.engine(&[&spaces[0]])?;
    let mut look = |what: &str, wanted: [Option<usize>; 5]| -> Result<(), Stop> {
        let mut seen = [None; 5];
        let who = [None].into_iter().chain(pasids.iter().map(|pasid| Some(*pasid)));
        for (seen, pasid) in seen.iter_mut().zip(who) {
            *seen = engine.sees(pasid, WINDOW)?;
        }
        ensure!(
            seen == wanted,
            "{what}: without PASID and with {pasids:?} {seen:?} are seen, not {wanted:?}"
        );
        Ok(())
    };
    look("as bound", [Some(0), Some(1), Some(2), Some(3), Some(1)])?;
    vmm.tables.write_pasid(&table, 63, Some(spaces[3].root));
    vmm.tables.clear(&table, 64);
    vmm.tables.write_pasid(&table, 1023, None);
    look("changed and not walked yet", [Some(0), Some(1), Some(2), Some(3), Some(1)])?;
    let left_out = kept.sync(&vmm.tables, None);
    ensure!(left_out.is_empty(), "not bound at the second walk: {left_out:?}");
    look("walked again", [Some(0), Some(1), Some(3), None, None])?;
    let through = vmm.engine(&[&spaces[0]])?.sees(Some(1023), Vmm::data(2))?;
    ensure!(through == Some(2), "passed through, PASID 1023 sees {through:?}");
    vmm.tables.write_pasid(&table, 64, Some(spaces[0].root));
    let left_out = kept.sync(&vmm.tables, Some(64));
    ensure!(left_out.is_empty(), "not bound by its number: {left_out:?}");
    let again = vmm.engine(&[&spaces[0]])?.sees(Some(64), WINDOW)?;
    ensure!(again == Some(0), "present again, PASID 64 sees {again:?}");
    drop(kept);
    Ok(Report::new(
        "5 entries in 3 leaves bound; one replaced, one dropped, one passed through at the second walk; one again by its number",
    ))
}

/// The structure of 2018, on both.
pub fn table_of_2018() -> CheckResult {
    let mut vmm = Vmm::new()?;
    vmm.name()?;
    let capabilities = vmm.host.capabilities(vmm.id).map_err(said)?;
    let table = vmm.tables.pasid_table(Shape::Linear, 7);
    let config = PasidTableConfig::new(table.base, table.bits);
    config.validate(&capabilities).map_err(said)?;
    let mut refused = 0;
    for wrong in [
        PasidTableConfig { version: 2, ..config },
        PasidTableConfig { bytes: 8, ..config },
        PasidTableConfig { base_ptr: table.base + 8, ..config },
        PasidTableConfig { pasid_bits: 21, ..config },
    ] {
        ensure!(wrong.validate(&capabilities).is_err(), "{wrong:x?} is accepted");
        refused += 1;
    }
    let spaces = [vmm.space(40, 1), vmm.space(41, 2)];
    // PASID 0 is in no use: whatever has a PASID has another one.
    (vmm.device.plain, vmm.device.pasid) = (false, 1);
    for (pasid, space) in [(1, &spaces[0]), (100, &spaces[1])] {
        if vmm.arm() {
            vmm.tables.write_cd(&table, pasid, space.asid, space.root, false);
        } else {
            vmm.tables.write_pasid(&table, pasid, Some(space.root));
        }
    }
    // What the structure does not say, an SMMUv3 has to be told.
    let guest = if vmm.arm() { config.smmuv3(0, WithoutPasid::Terminate as u64) } else { config.vtd() };
    let (bound, left_out) =
        BoundPasidTable::new(&vmm.host, vmm.id, guest, &vmm.tables, FaultRouting::Refused).map_err(said)?;
    ensure!(left_out.iter().all(|(pasid, _)| pasid.is_none()), "not bound: {left_out:?}");
    let mut engine = vmm.engine(&[&spaces[0]])?;
    let mut seen = Vec::new();
    for pasid in [1, 2, 100, 127] {
        seen.push(engine.sees(Some(pasid), WINDOW)?);
    }
    ensure!(seen == [Some(1), None, Some(2), None], "PASIDs 1, 2, 100, 127 see {seen:?}");
    // unbind_pasid_table
    drop(bound);
    let after = engine.sees(Some(100), WINDOW)?;
    ensure!(after.is_none(), "unbound, PASID 100 sees {after:?}");
    Ok(Report::new(format!(
        "{} bytes, {} bits of PASID: PASIDs 1 and 100 see theirs, others nothing; {refused} wrong ones refused; unbound",
        config.bytes, config.pasid_bits
    )))
}
