// SPDX-License-Identifier: GPL-2.0-or-later
//! What one call for a whole batch is worth.

use std::time::{Duration, Instant};

use qemu_iommu::nested::{FaultRouting, Invalidation};
use sva_guest::ensure;
use sva_guest::report::{CheckResult, Report, Stop};

use crate::vmm::{PASID, Vmm, WINDOW, tlbi_va};

/// What Linux invalidates by address at most, page by page, before it takes everything: an unmap of a table less one.
const COMMANDS: u64 = 511;
const ROUNDS: u64 = 8;
/// And in one call, which is soon over.
const MORE_ROUNDS: u64 = 32;
/// How often all that is measured, on a machine that is too busy for it.
const ATTEMPTS: usize = 4;
/// What one call is to save at least.
const ENOUGH: f64 = 5.0;

/// As a guest without range invalidation unmaps 511 pages: so many commands before its CMD_SYNC.
pub fn batched() -> CheckResult {
    let vmm = Vmm::new()?;
    let bound = vmm.bind(FaultRouting::Refused)?;
    let mut engine = vmm.engine(&[&bound.plain])?;
    let base = WINDOW & !0x1f_ffff;
    let batch: Vec<Invalidation> = (0..COMMANDS)
        .map(|n| base + n * 4096)
        .map(|addr| match vmm.arm() {
            true => tlbi_va(bound.tagged.asid, addr),
            false => Invalidation::FirstStage { binding: bound.bindings[1].id(), addr, pages: 1, leaf: true },
        })
        .collect();
    let calls = || vmm.iommufd.context().invalidation_calls();
    // The best of some rounds each, as a busy machine makes any of them longer.
    let mut round = 0;
    let mut measure = |each: usize, rounds: u64| -> Result<(u64, Duration), Stop> {
        let (before, mut best) = (calls(), Duration::MAX);
        for _ in 0..rounds {
            // Each time it has something to do, and does it.
            let (old, new) = if round % 2 == 0 { (1, 2) } else { (2, 1) };
            round += 1;
            let seen = engine.sees(Some(PASID), WINDOW)?;
            ensure!(seen == Some(old), "round {round}: page {seen:?} is seen, not {old}");
            vmm.aim(&bound.tagged, new);
            let begin = Instant::now();
            for part in batch.chunks(each) {
                vmm.invalidate(part)?;
            }
            best = best.min(begin.elapsed());
        }
        Ok((calls() - before, best))
    };
    let (mut one, mut many, mut ratio) = (Duration::MAX, Duration::MAX, 0.0);
    for _ in 0..ATTEMPTS {
        let (one_calls, best_one) = measure(batch.len(), MORE_ROUNDS)?;
        let (many_calls, best_many) = measure(1, ROUNDS)?;
        ensure!(one_calls == MORE_ROUNDS, "{one_calls} calls for {MORE_ROUNDS} batches");
        ensure!(many_calls == ROUNDS * COMMANDS, "{many_calls} calls for {ROUNDS} times {COMMANDS}");
        (one, many) = (one.min(best_one), many.min(best_many));
        ratio = many.as_secs_f64() / one.as_secs_f64().max(1e-9);
        // VT-d's kernel waits for each entry's invalidation by itself, in a batch too.
        if ratio >= ENOUGH || !vmm.arm() {
            break;
        }
    }
    let text = format!(
        "{COMMANDS} commands: 1 call {} us, {COMMANDS} calls {} us, {ratio:.1} times as long",
        one.as_micros(),
        many.as_micros()
    );
    ensure!(!vmm.arm() || ratio >= ENOUGH, "{text}: it is to be {ENOUGH} times at least");
    Ok(Report::new(text))
}
