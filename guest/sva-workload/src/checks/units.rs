// SPDX-License-Identifier: GPL-2.0-or-later
//! Several IOMMUs in one machine: one process, every function that can be bound, and why the others cannot.

use sva_guest::device::{Descriptor, Device, Ring, Status};
use sva_guest::memory::{Mapping, page_size};

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, Expect, PATIENCE, describe, small_pages};

/// Binds this process to every function, and says of each what it got: `faults` (page faults are resolved), `touched`
/// (touched memory alone) or `refused` with the reason. All that are bound share a PASID, and none keeps a page that
/// is gone. The host knows which unit a function is behind, and judges.
pub fn every_function(context: &Context) -> CheckResult {
    const LEN: usize = 1 << 20;
    small_pages();
    let page = page_size();
    let source = Mapping::anonymous(LEN)?;
    let target = Mapping::anonymous(LEN)?;
    let shared = Mapping::remote(page)?;
    shared.set(0, page, 1);
    let mut words = Vec::new();
    let mut bound: Vec<Device> = Vec::new();
    for (n, function) in context.functions.iter().enumerate() {
        let name = function.bdf.trim_start_matches("0000:");
        let device = match Device::open(function) {
            Ok(device) => device,
            Err(why) => {
                words.push(format!("{name} refused: {why}"));
                continue;
            }
        };
        source.scramble(0, LEN, n as u64);
        target.set(0, LEN, 0);
        let mut ring = Ring::new(&device, 0)?;
        ring.ok(&Descriptor::copy(source.address(), target.address(), LEN))?;
        ensure!(target.scrambled(0, LEN, n as u64).is_none(), "{name}: the copy differs");
        ring.ok(&Descriptor::crc32c(shared.address(), page))?;
        let fresh = Mapping::anonymous(page)?;
        let outcome = ring.run(&Descriptor::fill(fresh.address(), page, 0x0102_0304_0506_0708), PATIENCE)?;
        words.push(match outcome.status {
            Status::Ok => format!("{name} faults"),
            Status::Fault | Status::Halted => format!("{name} touched"),
            _ => return Err(format!("{name}: untouched memory ended with {}", describe(&outcome)).into()),
        });
        ring.recover();
        drop(ring);
        bound.push(device);
    }
    let Some(first) = bound.first() else {
        return Err(Stop::Fail(format!("no function could be bound: {}", words.join("; "))));
    };
    for device in &bound {
        ensure!(device.pasid == first.pasid, "PASID {} beside {} in one process", device.pasid, first.pasid);
    }
    let at = shared.unmap();
    for device in &bound {
        Ring::new(device, 0)?.refused(&Descriptor::copy(at, target.address(), page), at, page)?;
    }
    Ok(Report::new(format!("PASID {}: {}", first.pasid, words.join("; "))))
}
