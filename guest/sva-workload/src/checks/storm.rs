// SPDX-License-Identifier: GPL-2.0-or-later
//! Page faults by the thousand, from every function at once, while their processes unmap, fork and die.

use std::fs::File;
use std::time::{Duration, Instant};

use sva_guest::device::{Descriptor, Device, Ring, Status, register};
use sva_guest::memory::{Mapping, page_size};
use sva_guest::pci::Function;
use sva_guest::process::{Child, End, await_byte, pipe, send_byte};

use crate::ensure;
use crate::report::{CheckResult, Report};
use crate::session::{Context, PATIENCE, describe, small_pages};

/// Faults that the survivors must have met before the storm is over.
const WANTED: u64 = 10_000;
/// Functions that take part.
const FUNCTIONS: usize = 4;
const PAGES: usize = 192;
const ROUNDS: u64 = 3;

/// What a page that the device fills may hold: the pattern, or zeros where it was replaced meanwhile.
fn look(area: &Mapping, pattern: u64) -> Result<usize, String> {
    let mut filled = 0;
    for at in (0..area.len()).step_by(8) {
        match area.load(at) {
            0 => {}
            got if got == pattern => filled += 1,
            got => return Err(format!("{got:#x} at {at}, where {pattern:#x} or nothing was to be")),
        }
    }
    Ok(filled)
}

/// A grandchild that writes to everything it inherited: the parent's pages are copied under the device.
fn fork_and_write(areas: &[Mapping]) -> Result<(), String> {
    let child = Child::spawn(false, || {
        for area in areas {
            for at in (0..area.len()).step_by(page_size()) {
                area.store(at, 0xbad);
            }
        }
        String::new()
    })
    .map_err(|e| format!("fork: {e}"))?;
    match child.join(Duration::from_secs(20)) {
        End::Result(_) => Ok(()),
        other => Err(format!("a grandchild ended with {other:?}")),
    }
}

/// Fills on every engine, into memory that is thrown away, shared with a child and written meanwhile. The faults.
fn process(function: &Function, number: u64, tell: &mut File) -> Result<u64, String> {
    small_pages();
    let device = Device::open(function)?;
    let before = device.page_faults();
    let engines = device.caps.engines();
    let mut rings: Vec<Ring<'_>> = (0..engines).map(|n| Ring::new(&device, n)).collect::<Result<_, _>>()?;
    let page = page_size();
    for round in 0..ROUNDS {
        let areas: Vec<Mapping> = (0..engines)
            .map(|_| Mapping::anonymous(PAGES * page))
            .collect::<Result<_, _>>()
            .map_err(|e| e.to_string())?;
        let pattern = |n: usize| 0x5700_0000_0000_0001 | (number << 32) | (round << 16) | ((n as u64) << 8);
        let tickets: Vec<u32> = rings
            .iter_mut()
            .zip(&areas)
            .enumerate()
            .map(|(n, (ring, area))| ring.submit(&Descriptor::fill(area.address(), area.len(), pattern(n))))
            .collect();
        if round == 0 {
            send_byte(tell).map_err(|e| e.to_string())?;
        }
        let deadline = Instant::now() + PATIENCE;
        let mut step = 0usize;
        while rings.iter().zip(&tickets).any(|(ring, ticket)| ring.poll(*ticket).is_none()) {
            if Instant::now() > deadline {
                return Err(format!("TIMEOUT: process {number} waits for its fills in round {round}"));
            }
            let area = &areas[step % engines];
            let at = (step * 7 + step / 3) % (PAGES - 8);
            area.renew(at * page, 8 * page).map_err(|e| e.to_string())?;
            if step % 8 == 5 {
                fork_and_write(&areas)?;
            }
            step += 1;
        }
        let mut filled = 0;
        for (n, (ring, ticket)) in rings.iter().zip(&tickets).enumerate() {
            let outcome = ring.wait(*ticket, Duration::from_secs(1))?;
            if outcome.status != Status::Ok {
                return Err(format!("process {number}, engine {n}: {}", describe(&outcome)));
            }
            filled += look(&areas[n], pattern(n))?;
        }
        if filled == 0 {
            return Err(format!("process {number}: nothing was filled in round {round}"));
        }
    }
    // and memory that is gone for good while the device is at it
    let area = Mapping::anonymous(PAGES * page).map_err(|e| e.to_string())?;
    let (address, len) = (area.address(), area.len());
    let ticket = rings[0].submit(&Descriptor::fill(address, len, 1));
    std::thread::sleep(Duration::from_micros(300 + number * 97));
    drop(area);
    let outcome = rings[0].wait(ticket, PATIENCE)?;
    // the ring is in the PASID that an abort halts
    if !matches!(outcome.status, Status::Ok | Status::Fault | Status::Halted) {
        return Err(format!(
            "process {number}: a fill of what is unmapped ended with {}",
            describe(&outcome)
        ));
    }
    rings[0].recover();
    Ok(device.page_faults() - before)
}

/// Waves of processes, one a function; in each some are killed in mid-storm.
pub fn storm(context: &Context) -> CheckResult {
    const WAVES: u64 = 60;
    let functions = &context.functions[..context.functions.len().min(FUNCTIONS)];
    let (mut faults, mut killed, mut survived, mut waves) = (0, 0, 0, 0);
    let begin = Instant::now();
    while faults < WANTED && waves < WAVES {
        let mut children = Vec::new();
        for (n, function) in functions.iter().enumerate() {
            let number = waves * 16 + n as u64;
            let (hear, mut tell) = pipe()?;
            let child = Child::spawn(false, move || {
                process(function, number, &mut tell).map_or_else(|e| e, |faults| format!("good {faults}"))
            })?;
            children.push((child, hear));
        }
        for (n, (mut child, mut hear)) in children.into_iter().enumerate() {
            // another one each time, and sometimes none
            if n as u64 == waves % 5 && await_byte(&mut hear, PATIENCE) {
                std::thread::sleep(Duration::from_micros(waves * 731 % 9000));
                child.kill_now();
                killed += 1;
                continue;
            }
            match child.join(Duration::from_secs(90)) {
                End::Result(text) => match text.strip_prefix("good ").and_then(|f| f.parse::<u64>().ok()) {
                    Some(n) => faults += n,
                    None => return Err(text.into()),
                },
                other => return Err(format!("a process ended with {other:?}").into()),
            }
            survived += 1;
        }
        waves += 1;
    }
    let took = begin.elapsed();
    ensure!(faults >= WANTED, "{faults} page faults in {waves} waves, {WANTED} were to be");
    ensure!(killed > 0, "nobody was killed");
    // each request has its one response, those of the dead too
    let mut requests = 0;
    for function in functions {
        let device = Device::open_untouched(function)?;
        let deadline = Instant::now() + Duration::from_secs(5);
        let read = |offset| device.read64(offset);
        loop {
            let asked = (read(register::PAGE_REQUESTS), read(register::PAGE_RESPONSES));
            let held = read(register::STALLS);
            let let_go = read(register::RESUMED) + read(register::ABORTED) + read(register::CANCELLED);
            if asked.0 == asked.1 && held <= let_go {
                requests += asked.0 + held;
                break;
            }
            ensure!(
                Instant::now() < deadline,
                "{}: {} page requests and {} responses, {held} stalls and {let_go} ends",
                function.bdf,
                asked.0,
                asked.1
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(Report::new(format!(
        "{faults} page faults of {survived} processes on {} functions, {killed} killed, {requests} in all, each answered \
         once, {} µs a fault",
        functions.len(),
        took.as_micros() / u128::from(faults.max(1))
    ))
    .stalls(WANTED)
    .aborts(0))
}
