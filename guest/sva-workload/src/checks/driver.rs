// SPDX-License-Identifier: GPL-2.0-or-later
//! What only the reference driver can: many processes on one function, DMA of the kernel with a PASID of its own,
//! page faults that the driver resolves.

use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use sva_guest::crc32c::crc32c;
use sva_guest::device::{Caps, Descriptor, Outcome, Status};
use sva_guest::driver::{Context as Bound, Resolver, open_patiently};
use sva_guest::kernel;
use sva_guest::memory::{Mapping, page_size};
use sva_guest::process::{Child, End, await_byte, pipe, readable, send_byte};

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, PATIENCE, bytes, describe, rate, small_pages};

/// The first function's node, or why there is none.
fn node(context: &Context) -> Result<&str, Stop> {
    match context.functions.first().and_then(|f| f.driver.as_deref()) {
        Some(node) => Ok(node),
        None if kernel::parameter("sva.driver").is_some() => {
            Err("the driver has not taken the function".into())
        }
        None => Err(Stop::Skip("the reference driver is not loaded (--driver sva-testdev)".into())),
    }
}

fn good(bound: &Bound, d: &Descriptor) -> Result<Outcome, String> {
    let outcome = bound.run(d, PATIENCE).map_err(|e| format!("{:?}: {e}", d.opcode))?;
    if outcome.status == Status::Ok {
        Ok(outcome)
    } else {
        Err(format!("{:?} of {} bytes ended with {}", d.opcode, d.len, describe(&outcome)))
    }
}

/// What a process that lives does: rounds of copies into untouched memory, each compared and summed.
fn worker(bound: &Bound, number: u64) -> Result<usize, String> {
    const LEN: usize = 128 << 10;
    const ROUNDS: u64 = 6;
    let source = Mapping::anonymous(LEN).map_err(|e| e.to_string())?;
    let mut done = 0;
    for round in 0..ROUNDS {
        let seed = (number << 32) | (round << 16);
        let target = Mapping::anonymous(LEN).map_err(|e| e.to_string())?;
        source.scramble(0, LEN, seed);
        good(bound, &Descriptor::copy(source.address(), target.address(), LEN))?;
        if let Some(at) = target.scrambled(0, LEN, seed) {
            return Err(format!("process {number}, round {round}: the copy differs at {at}"));
        }
        let sum = good(bound, &Descriptor::crc32c(target.address(), LEN))?.result;
        if sum != u64::from(source.view(0, LEN, crc32c)) {
            return Err(format!("process {number}, round {round}: the checksum differs"));
        }
        done += LEN;
    }
    Ok(done)
}

/// What a process that is killed does: copies without end into memory that is not there.
fn doomed(bound: &Bound) -> Result<usize, String> {
    const LEN: usize = 256 << 10;
    let (source, target) = (
        Mapping::anonymous(LEN).map_err(|e| e.to_string())?,
        Mapping::anonymous(LEN).map_err(|e| e.to_string())?,
    );
    loop {
        let copy = Descriptor::copy(source.address(), target.address(), LEN);
        let tickets: Vec<u32> =
            (0..4).map(|_| bound.submit(&copy)).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
        for ticket in tickets {
            bound.wait(ticket, PATIENCE).map_err(|e| e.to_string())?;
        }
        target.renew(0, LEN).map_err(|e| e.to_string())?;
    }
}

struct Process {
    child: Child,
    sign: File,
    pasid: u32,
    dies: bool,
}

fn spawn(node: &str, number: u64, dies: bool) -> Result<Process, Stop> {
    let ((mut hear, mut tell), (mut go, sign)) = (pipe()?, pipe()?);
    let child = Child::spawn(false, move || {
        let mut work = || -> Result<usize, String> {
            small_pages();
            let bound = open_patiently(node).map_err(|e| format!("process {number}: opening: {e}"))?;
            tell.write_all(&bound.pasid.to_ne_bytes()).map_err(|e| e.to_string())?;
            if !await_byte(&mut go, Duration::from_secs(60)) {
                return Err("nobody gave the sign".into());
            }
            if dies { doomed(&bound) } else { worker(&bound, number) }
        };
        work().map_or_else(|error| error, |done| format!("good {done}"))
    })?;
    let mut pasid = [0u8; 4];
    if !(readable(&hear, Duration::from_secs(30)) && hear.read_exact(&mut pasid).is_ok()) {
        return Err(match child.join(Duration::from_secs(1)) {
            End::Result(text) => text.into(),
            other => format!("process {number} ended with {other:?}").into(),
        });
    }
    Ok(Process { child, sign, pasid: u32::from_ne_bytes(pasid), dies })
}

/// Sixty-four processes on one function, all at the same addresses, a quarter of them killed in mid-DMA.
pub fn many_processes(context: &Context) -> CheckResult {
    const WANTED: usize = 64;
    let node = node(context)?;
    let bits = context.functions.first().map_or(0, |f| f.pasid_bits);
    // One PASID more than processes at least, for this one.
    let count = WANTED.min((1usize << bits).saturating_sub(2));
    if count < 4 {
        return Err(Stop::Skip(format!("a PASID width of {bits} has too few PASIDs")));
    }
    let mut processes = Vec::new();
    for number in 0..count {
        processes.push(spawn(node, number as u64, number % 4 == 3)?);
    }
    for (i, one) in processes.iter().enumerate() {
        ensure!(
            processes[..i].iter().all(|other| other.pasid != one.pasid),
            "two processes have PASID {}",
            one.pasid
        );
    }
    let own = open_patiently(node)?;
    let bound = own.contexts()? as usize;
    ensure!(bound == count + 1, "{bound} processes are bound, {} should be", count + 1);
    let begin = Instant::now();
    for process in &mut processes {
        send_byte(&mut process.sign)?;
    }
    let (dying, living): (Vec<Process>, Vec<Process>) = processes.into_iter().partition(|p| p.dies);
    let killed = dying.len();
    for (n, mut process) in dying.into_iter().enumerate() {
        std::thread::sleep(Duration::from_micros((n as u64 * 1397) % 7000));
        process.child.kill_now();
    }
    let mut moved = 0;
    for process in living {
        match process.child.join(Duration::from_secs(90)) {
            End::Result(text) => match text.strip_prefix("good ").and_then(|n| n.parse::<usize>().ok()) {
                Some(n) => moved += n,
                None => return Err(text.into()),
            },
            other => return Err(format!("a process ended with {other:?}").into()),
        }
    }
    let took = begin.elapsed();
    // the dead ones' PASIDs are free again, and the device works for those who get them
    let mut again = spawn(node, count as u64, false)?;
    send_byte(&mut again.sign)?;
    let end = again.child.join(Duration::from_secs(60));
    ensure!(matches!(&end, End::Result(text) if text.starts_with("good")), "afterwards: {end:?}");
    let left = own.contexts()?;
    ensure!(left == 1, "{left} processes are bound after all have ended, 1 should be");
    let report = Report::new(format!(
        "{count} processes on one function, as many PASIDs, {killed} killed, {} checked, {}",
        bytes(moved),
        rate(moved, took)
    ));
    let pages = (moved / page_size()) as u64;
    Ok(if own.resolver == Resolver::Driver { report } else { report.stalls(pages).aborts(0) })
}

/// The driver attaches the kernel's own DMA domain to a PASID.
pub fn kernel_pasid(context: &Context) -> CheckResult {
    let bound = open_patiently(node(context)?)?;
    let mut total = 0;
    let mut pasid = 0;
    for length in [1, 4095, 65536, 1 << 20] {
        let (with, copied) = match bound.kernel_copy(length) {
            Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                return Err(Stop::Skip("this kernel gives no PASIDs to drivers".into()));
            }
            result => result.map_err(|e| format!("{length} bytes: {e}"))?,
        };
        ensure!(copied == u64::from(length), "{copied} of {length} bytes");
        ensure!(
            with != 0 && with != bound.pasid,
            "PASID {with} of the kernel, {} of this process",
            bound.pasid
        );
        (total, pasid) = (total + copied as usize, with);
    }
    // what is the kernel's is no process's: the same addresses, in this process's PASID, are refused
    let refused = bound.run(&Descriptor::fill(0xffff_0000, 4096, 1), PATIENCE)?;
    ensure!(refused.status == Status::Fault, "a fill of nothing ended with {}", describe(&refused));
    bound.rearm()?;
    Ok(Report::new(format!("{} copied by PASID {pasid}", bytes(total))))
}

/// Page faults that come to the driver: resolved where there is memory, and told to the process either way.
pub fn driver_faults(context: &Context) -> CheckResult {
    const PAGES: usize = 64;
    small_pages();
    let bound = open_patiently(node(context)?)?;
    if bound.resolver != Resolver::Driver {
        return Err(Stop::Skip(format!("{:?} resolves page faults here, not the driver", bound.resolver)));
    }
    let event = bound.fault_event()?;
    let page = page_size();
    let (from, to) = (Mapping::anonymous(PAGES * page)?, Mapping::anonymous(PAGES * page)?);
    from.scramble(0, from.len(), 7);
    good(&bound, &Descriptor::copy(from.address(), to.address(), to.len()))?;
    ensure!(to.scrambled(0, to.len(), 7).is_none(), "the copy differs");
    ensure!(readable(&event, Duration::from_secs(1)), "no event for the faults");
    let first = bound.fault()?;
    let inside = (to.address()..to.address() + to.len() as u64).contains(&first.address);
    ensure!(first.resolved && inside, "the first fault is {first:?}");
    // operations that cannot go on where they stopped begin anew
    let fresh = Mapping::anonymous(PAGES * page)?;
    let sum = good(&bound, &Descriptor::crc32c(fresh.address(), fresh.len()))?.result;
    ensure!(sum == u64::from(fresh.view(0, fresh.len(), crc32c)), "the checksum differs");
    let fill = Mapping::anonymous(PAGES * page)?;
    good(&bound, &Descriptor::fill(fill.at(4), fill.len() - 8, 0x0102_0304_0506_0708))?;
    for at in (4..fill.len() - 8).step_by(8) {
        let got = u64::from_le_bytes(fill.bytes(at, 8).try_into().unwrap_or_default());
        ensure!(got == 0x0102_0304_0506_0708, "the pattern is {got:#x} at {at}");
    }
    // where there is no memory, or no right to it, the process is told
    let gone = Mapping::anonymous(page)?;
    let address = gone.address();
    drop(gone);
    let outcome = bound.run(&Descriptor::fill(address, 8, 1), PATIENCE)?;
    ensure!(
        outcome.status == Status::Fault && outcome.address == address,
        "a fill of nothing ended with {}",
        describe(&outcome)
    );
    let mut faults = 1u32;
    let last = loop {
        let fault = bound.fault()?;
        faults += 1 + fault.lost;
        if !fault.resolved {
            break fault;
        }
    };
    ensure!(last.address == address, "the last fault is {last:?}");
    let engines = Caps(bound.caps).engines();
    Ok(Report::new(format!("{faults} faults seen by the process, {engines} engines, one not resolved")))
}
