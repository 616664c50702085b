// SPDX-License-Identifier: GPL-2.0-or-later
//! Address spaces side by side.

use qemu_iommu::nested::{Binding, Config, Error, FaultRouting};
use sva_guest::ensure;
use sva_guest::report::{CheckResult, Report, Stop};

use crate::vmm::{PASID, Vmm, WINDOW, said};

/// One address with and without PASID.
pub fn with_and_without() -> CheckResult {
    let vmm = Vmm::new()?;
    let bound = vmm.bind(FaultRouting::Refused)?;
    let mut engine = vmm.engine(&[&bound.plain])?;
    for round in 0..8 {
        let seen = (engine.sees(None, WINDOW)?, engine.sees(Some(PASID), WINDOW)?);
        ensure!(seen == (Some(0), Some(1)), "round {round}: without and with PASID {seen:?} is seen");
    }
    ensure!(engine.writes(Some(PASID), WINDOW + 2048, 0x99)?, "a write with PASID is refused");
    ensure!(vmm.page(1).first_other(2048, 64, 0x99).is_none(), "a write with PASID went elsewhere");
    ensure!(vmm.page(0).first_other(0, 4096, Vmm::byte(0)).is_none(), "page 0 was written");
    let other = engine.sees(Some(PASID + 1), WINDOW)?;
    ensure!(other.is_none(), "another PASID sees {other:?}");
    Ok(Report::new(format!(
        "at {WINDOW:#x}: page 0 without PASID, page 1 with PASID {PASID}, nothing with PASID {}",
        PASID + 1
    )))
}

/// PASIDs of VT-d, each for itself.
pub fn apart() -> CheckResult {
    let vmm = Vmm::new()?;
    let refused = FaultRouting::Refused;
    let spaces: Vec<_> = (0..4).map(|n| vmm.space(0, n)).collect();
    let mut engine = vmm.engine(&[&spaces[0]])?;
    let bind = |pasid, n: usize| vmm.bind_one(pasid, Vmm::first_stage(&spaces[n]), refused);
    let mut look = |what: &str, wanted: [Option<usize>; 4]| -> Result<(), Stop> {
        let mut seen = [None; 4];
        for (n, pasid) in [None, Some(5), Some(6), Some(700)].into_iter().enumerate() {
            seen[n] = engine.sees(pasid, WINDOW)?;
        }
        ensure!(seen == wanted, "{what}: without, 5, 6, 700 see {seen:?}, not {wanted:?}");
        Ok(())
    };
    let device = bind(None, 0)?;
    look("the device alone", [Some(0), None, None, None])?;
    let mut five = bind(Some(5), 1)?;
    look("and PASID 5", [Some(0), Some(1), None, None])?;
    let six = bind(Some(6), 2)?;
    let far = bind(Some(700), 1)?;
    look("and PASIDs 6 and 700", [Some(0), Some(1), Some(2), Some(1)])?;
    five.replace(Vmm::first_stage(&spaces[3]), refused).map_err(said)?;
    look("5 replaced", [Some(0), Some(3), Some(2), Some(1)])?;
    let second = Binding::new(&vmm.host, vmm.id, Some(6), Config::Abort, refused).map(drop);
    ensure!(matches!(second, Err(Error::Failed { errno: libc::EBUSY, .. })), "6 once more: {second:?}");
    drop(six);
    look("6 detached", [Some(0), Some(3), None, Some(1)])?;
    five.replace(Config::Abort, refused).map_err(said)?;
    look("5 aborts", [Some(0), None, None, Some(1)])?;
    five.replace(Vmm::first_stage(&spaces[2]), refused).map_err(said)?;
    drop(far);
    look("5 again, 700 detached", [Some(0), Some(2), None, None])?;
    // Pass-through: guest-physical addresses.
    five.replace(Config::Bypass, refused).map_err(said)?;
    let through = (engine.sees(Some(5), Vmm::data(1))?, engine.sees(Some(5), WINDOW)?);
    ensure!(through == (Some(1), None), "passed through, PASID 5 sees {through:?}");
    let too_wide =
        Binding::new(&vmm.host, vmm.id, Some(1 << 20), Vmm::first_stage(&spaces[0]), refused).map(drop);
    ensure!(too_wide.is_err(), "a PASID of 21 bits is bound");
    drop((device, five));
    Ok(Report::new(
        "8 states of 3 PASIDs and the device; pass-through; a second binding and a PASID of 21 bits refused",
    ))
}
