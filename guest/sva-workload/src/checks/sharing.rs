// SPDX-License-Identifier: GPL-2.0-or-later
//! One process and its PASID on several devices at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sva_guest::device::{Descriptor, Device, Ring};
use sva_guest::memory::{Mapping, page_size};
use sva_guest::pci::Faults;

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, Expect, small_pages};

const ROUNDS: u64 = 48;

/// Every device has the page in its own cache and in the IOMMU's; then the page is another, read-only, or gone, and every
/// device must know.
pub fn invalidation(context: &Context) -> CheckResult {
    let count = context.functions.len();
    if count < 2 {
        return Err(Stop::Skip("only one function in this machine".into()));
    }
    small_pages();
    let page = page_size();
    let devices: Vec<Device> = (0..count).map(|n| context.device_at(n)).collect::<Result<_, _>>()?;
    let pasid = devices[0].pasid;
    for device in &devices {
        ensure!(device.pasid == pasid, "PASID {} beside {pasid} in one process", device.pasid);
    }
    let aborts: u64 = devices.iter().map(Device::aborts).sum();
    let faults: u64 = devices.iter().map(Device::page_faults).sum();
    let mut rings: Vec<Ring<'_>> = devices.iter().map(|d| Ring::new(d, 0)).collect::<Result<_, _>>()?;
    let targets: Vec<Mapping> = (0..count).map(|_| Mapping::anonymous(page)).collect::<Result<_, _>>()?;
    for target in &targets {
        target.set(0, page, 0);
    }
    let spot = Mapping::remote(page)?;
    for round in 1..=ROUNDS {
        let byte = round as u8;
        spot.renew(0, page)?;
        spot.set(0, page, byte);
        for (n, (ring, target)) in rings.iter_mut().zip(&targets).enumerate() {
            ring.ok(&Descriptor::copy(spot.address(), target.address(), page))?;
            ensure!(
                target.first_other(0, page, byte).is_none(),
                "round {round}: device {n} read an older page"
            );
        }
        for (n, ring) in rings.iter_mut().enumerate() {
            let word = round << 32 | n as u64;
            ring.ok(&Descriptor::fill(spot.address(), page, word))?;
            ensure!(
                spot.load(0) == word && spot.load(page - 8) == word,
                "round {round}: device {n} wrote elsewhere"
            );
        }
        if round % 8 != 0 {
            continue;
        }
        spot.protect(libc::PROT_READ)?;
        let word = spot.load(0);
        for (n, ring) in rings.iter_mut().enumerate() {
            ring.refused(&Descriptor::fill(spot.address(), page, 0), spot.address(), page)
                .map_err(|e| format!("round {round}, device {n}, read-only: {e}"))?;
        }
        ensure!(
            spot.load(0) == word && spot.load(page - 8) == word,
            "round {round}: a read-only page was written"
        );
        spot.protect(libc::PROT_READ | libc::PROT_WRITE)?;
    }
    let warm = if matches!(devices[0].function.faults, Faults::Fatal(_)) {
        0
    } else {
        under_dma(&mut rings, &targets, &spot)?
    };
    let at = spot.unmap();
    for (n, (ring, target)) in rings.iter_mut().zip(&targets).enumerate() {
        target.set(0, page, 0xee);
        ring.refused(&Descriptor::copy(at, target.address(), page), at, page)
            .map_err(|e| format!("device {n}, unmapped: {e}"))?;
        ensure!(target.first_other(0, page, 0xee).is_none(), "device {n} read a page that was unmapped");
    }
    drop(rings);
    let report = Report::new(format!(
        "{count} devices on PASID {pasid}: {ROUNDS} remaps, then {ROUNDS} under {warm} copies, none saw an old page"
    ));
    if devices.iter().any(|d| d.function.faults != Faults::Stall) {
        return Ok(report);
    }
    let met = devices.iter().map(Device::page_faults).sum::<u64>() - faults;
    Ok(report.stalls(met).aborts(devices.iter().map(Device::aborts).sum::<u64>() - aborts))
}

/// All devices but the first read the page all the time, each in a thread of its own; the first is asked after every remap.
fn under_dma(rings: &mut [Ring<'_>], targets: &[Mapping], spot: &Mapping) -> Result<u64, Stop> {
    let page = page_size();
    let stop = AtomicBool::new(false);
    let copies = AtomicU64::new(0);
    let (first, others) = rings.split_first_mut().ok_or("no device")?;
    std::thread::scope(|scope| {
        let traffic: Vec<_> = others
            .iter_mut()
            .zip(targets.iter().skip(1))
            .map(|(ring, target)| {
                let (stop, copies) = (&stop, &copies);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        ring.ok(&Descriptor::copy(spot.address(), target.address(), page))?;
                        copies.fetch_add(1, Ordering::Relaxed);
                    }
                    // what comes after the last remap sees the last page
                    ring.ok(&Descriptor::copy(spot.address(), target.address(), page))?;
                    Ok::<(), String>(())
                })
            })
            .collect();
        let mut work = || -> Result<(), String> {
            for round in 1..=ROUNDS {
                spot.renew(0, page).map_err(|e| e.to_string())?;
                spot.set(0, page, round as u8);
                first.ok(&Descriptor::copy(spot.address(), targets[0].address(), page))?;
                if targets[0].first_other(0, page, round as u8).is_some() {
                    return Err(format!("round {round} under DMA: the first device read an older page"));
                }
            }
            Ok(())
        };
        let result = work();
        stop.store(true, Ordering::Relaxed);
        for thread in traffic {
            thread.join().unwrap_or_else(|_| Err("the traffic's thread died".into()))?;
        }
        result
    })?;
    for (n, target) in targets.iter().enumerate() {
        ensure!(
            target.first_other(0, page, ROUNDS as u8).is_none(),
            "device {n} read an older page after the last remap under DMA"
        );
    }
    Ok(copies.load(Ordering::Relaxed))
}
