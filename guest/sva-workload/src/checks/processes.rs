// SPDX-License-Identifier: GPL-2.0-or-later
//! Several processes, several devices, and processes that end.

use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use sva_guest::crc32c::crc32c;
use sva_guest::device::{Descriptor, Device, FaultMode, Onlooker, Ring, Status, register};
use sva_guest::kernel;
use sva_guest::memory::{Mapping, page_size};
use sva_guest::pci::{Faults, Function};
use sva_guest::process::{Child, End, await_byte, pipe, readable, send_byte, visit_cpus};

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, Expect, PATIENCE, bytes, describe, rate, small_pages};

/// Cancelling ends a storm of faults at once; after that the device writes nothing; the PASID can be armed again.
pub fn cancel(context: &Context) -> CheckResult {
    const LEN: usize = 64 << 20;
    small_pages();
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let area = Mapping::anonymous(LEN)?;
    let mut faults = 0;
    for round in 0..3u64 {
        let before = device.page_faults();
        let ticket = ring.submit(&Descriptor::fill(area.address(), LEN, 0x7000 + round));
        let deadline = Instant::now() + Duration::from_secs(10);
        while device.page_faults() < before + 20 {
            ensure!(Instant::now() < deadline, "TIMEOUT: no 20 faults within 10 s");
            if let Some(outcome) = ring.poll(ticket) {
                return Err(format!(
                    "the fill was over before it could be cancelled: {}",
                    describe(&outcome)
                )
                .into());
            }
        }
        ensure!(device.cancel(device.pasid), "CANCEL does not finish");
        let written = device.read64(register::BYTES_WRITTEN);
        let outcome = ring.wait(ticket, PATIENCE)?;
        ensure!(
            matches!(outcome.status, Status::Cancelled | Status::Halted | Status::Fault),
            "a cancelled fill ended with {}",
            describe(&outcome)
        );
        ensure!(device.read32(register::IOVA_HALTED) > 0, "the PASID is not halted after CANCEL");
        std::thread::sleep(Duration::from_millis(30));
        let later = device.read64(register::BYTES_WRITTEN);
        // what a completion record takes is no data
        ensure!(later <= written + 64, "{} bytes were written after CANCEL", later - written);
        faults += device.page_faults() - before;
        ring.recover();
        area.renew(0, LEN)?;
        ring.ok(&Descriptor::fill(area.address(), page_size(), round))?;
    }
    Ok(Report::new(format!("3 storms of {} cancelled after {faults} faults", bytes(LEN)))
        .stalls(faults)
        .aborts(0))
}

/// Where a process to be killed keeps things, so that its successor can have the same addresses.
mod place {
    pub const RING: u64 = 0x20_0000_0000;
    pub const RECORDS: u64 = 0x20_1000_0000;
    pub const SOURCE: u64 = 0x20_2000_0000;
    pub const TARGET: u64 = 0x20_4000_0000;
    /// Sixty-four times as much is a quarter of a second for the device, and tens of milliseconds for a process to fill.
    pub const LEN: usize = 2 << 20;
}

fn fixed(at: u64, len: usize) -> Result<Mapping, String> {
    // SAFETY: without replacing, a collision is an error.
    unsafe { Mapping::anonymous_at(at, len, false) }.map_err(|e| format!("memory at {at:#x}: {e}"))
}

/// How a process to be killed uses its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Victim {
    /// The memory that it has the device write is not there yet: page faults are open when it dies.
    storm: bool,
    /// What its engine does about page faults, if not what it does in every other check.
    mode: Option<FaultMode>,
    /// Its file stays open when it is gone, until its device is at rest.
    kept: bool,
}

/// Sixty-four long copies; tells its PASID and waits for the end.
fn victim(function: &Function, manner: Victim, tell: &mut File) -> Result<(), String> {
    small_pages();
    let device = Device::open(function)?;
    let page = page_size();
    let (memory, records) = (fixed(place::RING, page)?, fixed(place::RECORDS, page)?);
    memory.set(0, page, 0);
    records.set(0, page, 0);
    let (source, target) = (fixed(place::SOURCE, place::LEN)?, fixed(place::TARGET, place::LEN)?);
    source.set(0, place::LEN, 0xdd);
    if !manner.storm {
        target.set(0, place::LEN, 0);
    }
    let base = memory.address();
    let mut ring = Ring::place(&device, 0, 6, memory, records, base);
    if let Some(mode) = manner.mode {
        ring.set_mode(mode);
    }
    let (faults, written) = (device.page_faults(), device.read64(register::BYTES_WRITTEN));
    ring.start();
    for _ in 0..64 {
        ring.queue(&Descriptor::copy(source.address(), target.address(), place::LEN));
    }
    ring.ring_bell();
    let deadline = Instant::now() + Duration::from_secs(10);
    while (manner.storm && device.page_faults() < faults + 4)
        || device.read64(register::BYTES_WRITTEN) == written
    {
        if Instant::now() > deadline {
            return Err("TIMEOUT: the device does not begin".into());
        }
    }
    let words = (u64::from(device.pasid) << 32) | device.raw_fd() as u64;
    tell.write_all(&words.to_ne_bytes()).map_err(|e| e.to_string())?;
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// The same addresses in a new process with the same PASID, full of a pattern. Not one byte may change.
fn heir(function: &Function, map_first: bool) -> Result<u32, String> {
    const BYTE: u8 = 0xa5;
    small_pages();
    let page = page_size();
    let areas = || -> Result<Vec<Mapping>, String> {
        let list = [
            (place::RING, page),
            (place::RECORDS, page),
            (place::SOURCE, place::LEN),
            (place::TARGET, place::LEN),
        ];
        let areas: Vec<Mapping> = list.iter().map(|(at, len)| fixed(*at, *len)).collect::<Result<_, _>>()?;
        for area in &areas {
            area.populate().map_err(|e| format!("making pages present: {e}"))?;
            area.set(0, area.len(), BYTE);
        }
        Ok(areas)
    };
    let (device, areas) = if map_first {
        let areas = areas()?;
        (Device::open_untouched(function)?, areas)
    } else {
        let device = Device::open_untouched(function)?;
        (device, areas()?)
    };
    let written = device.read64(register::BYTES_WRITTEN);
    std::thread::sleep(Duration::from_millis(40));
    let more = device.read64(register::BYTES_WRITTEN) - written;
    for area in &areas {
        if let Some(at) = area.first_other(0, area.len(), BYTE) {
            let got = area.bytes(at, 1)[0];
            return Err(format!(
                "a dead process's device wrote {got:#x} to {:#x} of the next owner of PASID {}",
                area.at(at),
                device.pasid
            ));
        }
    }
    if more != 0 {
        return Err(format!(
            "a dead process's device wrote {more} bytes while PASID {} had a new owner",
            device.pasid
        ));
    }
    // and for its new owner the device works
    device.settle();
    let mut ring = Ring::new(&device, 0)?;
    ring.ok(&Descriptor::copy(place::SOURCE, place::TARGET, place::LEN))?;
    Ok(device.pasid)
}

fn pause(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        visit_cpus();
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Victims are killed at different moments of their DMA; each is followed by an heir that is looked at.
///
/// Linux 7.2 does not survive an unbind while page faults of the device come in (`docs/findings.md`), and `uio_pci_sva`
/// unbinds without stopping its device. So either the device cannot have any ([`FaultMode::Report`]), and the victim's file is closed by
/// its death, in the middle of the DMA; or the file is kept open until the device is at rest. The victim's address space ends
/// with it all the same, and the kernel refuses every page fault; the PASID is given up only then.
pub fn kill_mid_dma(context: &Context) -> CheckResult {
    kill(context, patient)
}

/// Every victim's file is closed by its death while page faults come: those that were open, or where a device asks for
/// pages, in every other round, those that come of the death itself. Only on request: it ends kernels (`docs/findings.md`).
pub fn kill_mid_fault(context: &Context) -> CheckResult {
    kill(context, |faults, _, round| Victim {
        storm: *faults != Faults::PageRequest || round.is_multiple_of(2),
        mode: None,
        kept: false,
    })
}

/// How the victim of a round of `kill-mid-dma` works and dies.
fn patient(faults: &Faults, forced: bool, round: usize) -> Victim {
    let storm = round.is_multiple_of(2);
    // Page requests come when the victim is gone: its pages are no more, and the device asks for them.
    let asks = *faults == Faults::PageRequest;
    // An engine that reports a missing page at once asks for none.
    let mode = (asks && round % 4 == 3).then_some(FaultMode::Report);
    // A stalled access waits only where memory was not there, or where the SMMU stalls whatever fails.
    Victim { storm, mode, kept: storm || forced || (asks && mode.is_none()) }
}

fn kill(context: &Context, manner: fn(&Faults, bool, usize) -> Victim) -> CheckResult {
    const ROUNDS: usize = 24;
    const ENOUGH: usize = 8;
    let function = context.functions.first().ok_or("no function")?;
    let forced = kernel::smmu_features(&kernel::log()).iter().any(|f| f & kernel::SMMU_STALL_FORCE != 0);
    let (mut kills, mut reused, mut storms) = (0, 0, 0u64);
    let mut grace = Duration::from_millis(40);
    for round in 0..ROUNDS {
        if reused >= ENOUGH {
            break;
        }
        kills += 1;
        pause(grace);
        let manner = manner(&function.faults, forced, round);
        storms += u64::from(manner.storm);
        let (mut hear, mut tell) = pipe()?;
        let mut doomed = Child::spawn(false, move || match victim(function, manner, &mut tell) {
            Ok(()) => String::new(),
            Err(error) => error,
        })?;
        let mut words = [0u8; 8];
        if !(readable(&hear, Duration::from_secs(20)) && hear.read_exact(&mut words).is_ok()) {
            // it ended on its own: its text says why
            return Err(match doomed.join(Duration::from_secs(1)) {
                End::Result(text) => format!("round {round}: {text}").into(),
                other => format!("round {round}: the process to be killed ended with {other:?}").into(),
            });
        }
        let words = u64::from_ne_bytes(words);
        let (pasid, fd) = ((words >> 32) as u32, words as u32 as i32);
        let kept = if manner.kept { Some(doomed.borrow_file(fd)?) } else { None };
        std::thread::sleep(Duration::from_micros((round as u64 * 397) % 3000));
        doomed.kill_now();
        if let Some(file) = &kept {
            // The reference driver shows nobody else its registers, and stops the device by itself.
            if let Ok(device) = Onlooker::new(file) {
                ensure!(
                    device.sees_rest(PATIENCE),
                    "round {round}: the device is at work for a process that is no more"
                );
            }
            ensure!(
                kernel::has_handled_faults(PATIENCE),
                "round {round}: the kernel is at work on page faults, and the device waits for none"
            );
        }
        drop(kept);
        // the kernel keeps a PASID for a grace period, and then gives out the lowest: to see it given out again, all are
        // to be back both before the victim and before its heir
        pause(grace);
        let next = Child::spawn(false, || match heir(function, round % 4 < 2) {
            Ok(pasid) => format!("pasid {pasid}"),
            Err(error) => error,
        })?;
        match next.join(Duration::from_secs(30)) {
            End::Result(text) => match text.strip_prefix("pasid ").and_then(|t| t.parse::<u32>().ok()) {
                Some(heirs) if heirs == pasid => reused += 1,
                Some(_) => grace = (grace + grace / 2).min(Duration::from_secs(1)),
                None => return Err(format!("round {round}: {text}").into()),
            },
            other => return Err(format!("round {round}: the next owner ended with {other:?}").into()),
        }
    }
    ensure!(reused > 0, "no PASID was given out again in {kills} rounds: nothing was shown");
    let report = Report::new(format!(
        "{kills} kills, PASID given out again {reused} times, 0 bytes written into its next owner"
    ));
    Ok(if function.faults == Faults::Stall { report.stalls(4 * storms).aborts(0) } else { report })
}

/// One process is bound to several devices: they share its PASID and hand data to each other.
pub fn many_devices(context: &Context) -> CheckResult {
    const LEN: usize = 1 << 20;
    let count = context.functions.len();
    if count < 2 {
        return Err(Stop::Skip("only one function in this machine".into()));
    }
    let devices: Vec<Device> = (0..count).map(|n| context.device_at(n)).collect::<Result<_, _>>()?;
    let pasid = devices[0].pasid;
    for device in &devices {
        ensure!(device.pasid == pasid, "PASID {} beside {pasid} in one process", device.pasid);
    }
    let buffers: Vec<Mapping> = (0..=count).map(|_| Mapping::anonymous(LEN)).collect::<Result<_, _>>()?;
    for buffer in &buffers {
        buffer.set(0, LEN, 0);
    }
    buffers[0].scramble(0, LEN, 21);
    for (device, pair) in devices.iter().zip(buffers.windows(2)) {
        Ring::new(device, 0)?.ok(&Descriptor::copy(pair[0].address(), pair[1].address(), LEN))?;
    }
    ensure!(buffers[count].scrambled(0, LEN, 21).is_none(), "what came out of the chain differs");
    // one of them is given up: the others go on
    let mut devices = devices;
    let gone = devices.pop().ok_or("no device")?;
    drop(gone);
    for device in &devices {
        Ring::new(device, 0)?.ok(&Descriptor::fill(buffers[0].address(), LEN, 5))?;
    }
    Ok(Report::new(format!("{count} devices in a chain, PASID {pasid} in each, one given up")))
}

/// What each of several processes does with its device: rounds of copies into untouched memory.
fn worker(function: &Function, number: u64, ready: &mut File, go: &mut File) -> Result<String, String> {
    const LEN: usize = 2 << 20;
    const ROUNDS: u64 = 6;
    small_pages();
    let device = Device::open(function)?;
    ready.write_all(&device.pasid.to_ne_bytes()).map_err(|e| e.to_string())?;
    if !await_byte(go, Duration::from_secs(20)) {
        return Err("nobody gave the sign".into());
    }
    let mut ring = Ring::new(&device, 0)?;
    let source = Mapping::anonymous(LEN).map_err(|e| e.to_string())?;
    for round in 0..ROUNDS {
        let seed = (number << 32) | (round << 16);
        let target = Mapping::anonymous(LEN).map_err(|e| e.to_string())?;
        source.scramble(0, LEN, seed);
        ring.ok(&Descriptor::copy(source.address(), target.address(), LEN))?;
        if let Some(at) = target.scrambled(0, LEN, seed) {
            return Err(format!("process {number}, round {round}: the copy differs at {at}"));
        }
        let sum = ring.ok(&Descriptor::crc32c(target.address(), LEN))?.result;
        if sum != u64::from(source.view(0, LEN, crc32c)) {
            return Err(format!("process {number}, round {round}: the checksum differs"));
        }
    }
    Ok(format!("good {}", device.page_faults()))
}

/// As many processes as there are functions and PASIDs, each with its own, all at the same addresses.
pub fn multi_process(context: &Context) -> CheckResult {
    const TOTAL: usize = 6 * (2 << 20);
    let functions = &context.functions;
    let bits = functions.iter().map(|f| f.pasid_bits).min().unwrap_or(0);
    let pasids = (1usize << bits).saturating_sub(1);
    let count = functions.len().min(pasids);
    if functions.len() < 2 {
        return Err(Stop::Skip("only one function in this machine: one process at a time".into()));
    }
    if count < 2 {
        return Err(Stop::Skip(format!(
            "a PASID width of {bits} has one PASID for processes: one at a time"
        )));
    }
    let mut workers = Vec::new();
    let mut signs = Vec::new();
    let mut owned = Vec::new();
    for (number, function) in functions.iter().take(count).enumerate() {
        let ((mut hear, mut ready), (mut go, sign)) = (pipe()?, pipe()?);
        let child = Child::spawn(false, move || {
            worker(function, number as u64, &mut ready, &mut go).unwrap_or_else(|error| error)
        })?;
        let mut pasid = [0u8; 4];
        if !(readable(&hear, Duration::from_secs(20)) && hear.read_exact(&mut pasid).is_ok()) {
            return Err(match child.join(Duration::from_secs(1)) {
                End::Result(text) => format!("process {number}: {text}").into(),
                other => format!("process {number} ended with {other:?}").into(),
            });
        }
        owned.push(u32::from_ne_bytes(pasid));
        workers.push(child);
        signs.push(sign);
    }
    for (i, pasid) in owned.iter().enumerate() {
        ensure!(!owned[..i].contains(pasid), "two processes have PASID {pasid}");
    }
    let begin = Instant::now();
    for sign in &mut signs {
        send_byte(sign)?;
    }
    for (number, child) in workers.into_iter().enumerate() {
        match child.join(context.limit) {
            End::Result(text) if text.starts_with("good") => {}
            End::Result(text) => return Err(text.into()),
            other => return Err(format!("process {number} ended with {other:?}").into()),
        }
    }
    let total = count * TOTAL;
    let pages = (total / page_size()) as u64;
    let report = Report::new(format!(
        "{count} processes, PASIDs {owned:?}, {} into untouched memory, {}",
        bytes(total),
        rate(total, begin.elapsed())
    ));
    Ok(if functions.iter().all(|f| f.faults == Faults::Stall) { report.stalls(pages) } else { report })
}

/// Memory that the kernel cannot give back, in KiB.
fn unreclaimable() -> u64 {
    ["SUnreclaim", "KernelStack", "PageTables", "Percpu", "SecPageTables"]
        .iter()
        .filter_map(|field| kernel::meminfo(field))
        .sum()
}

/// What is freed after a grace period is to be free: waits until it no longer gets less. What the kernel cannot give back
/// then, in KiB.
fn settle() -> u64 {
    let mut least = u64::MAX;
    for _ in 0..10 {
        visit_cpus();
        std::thread::sleep(Duration::from_millis(40));
        let now = unreclaimable();
        if now >= least {
            break;
        }
        least = now;
    }
    least
}

/// A process that binds, has the device complete one descriptor, and ends. Its PASID.
fn one_process(function: &Function) -> Result<u32, String> {
    let child = Child::spawn(false, || {
        let once = || -> Result<u32, String> {
            let device = Device::open(function)?;
            Ring::new(&device, 0)?.ok(&Descriptor::nop())?;
            Ok(device.pasid)
        };
        once().map_or_else(|error| error, |pasid| format!("pasid {pasid}"))
    })
    .map_err(|error| format!("fork: {error}"))?;
    match child.join(Duration::from_secs(20)) {
        End::Result(text) => text.strip_prefix("pasid ").and_then(|t| t.parse().ok()).ok_or(text),
        other => Err(format!("the process ended with {other:?}")),
    }
}

/// `count` processes that bind and end, then `count` times bound and unbound in one process. The highest PASID.
fn rounds(function: &Function, count: usize, most: u32) -> Result<u32, String> {
    let mut highest = 0;
    for round in 0..count {
        let pasid = one_process(function).map_err(|e| format!("round {round}: {e}"))?;
        if pasid > most {
            return Err(format!("round {round}: PASID {pasid}: they are lost"));
        }
        highest = highest.max(pasid);
    }
    // in a process of its own, too: a process that was bound once keeps its PASID until it ends
    let child = Child::spawn(false, || in_one_process(function, count).err().unwrap_or_default())
        .map_err(|error| format!("fork: {error}"))?;
    match child.join(Duration::from_secs(60)) {
        End::Result(text) if text.is_empty() => Ok(highest),
        End::Result(text) => Err(text),
        other => Err(format!("the process ended with {other:?}")),
    }
}

fn in_one_process(function: &Function, count: usize) -> Result<(), String> {
    let mut mine = None;
    for round in 0..count {
        let device =
            Device::open_untouched(function).map_err(|e| format!("round {round} in one process: {e}"))?;
        let pasid = *mine.get_or_insert(device.pasid);
        if device.pasid != pasid {
            return Err(format!("round {round} in one process: PASID {}, first {pasid}", device.pasid));
        }
        if round % 50 == 0 {
            device.settle();
            Ring::new(&device, 0)?.ok(&Descriptor::nop())?;
        }
    }
    Ok(())
}

/// Two blocks of five hundred rounds after some to warm up. What leaks grows in both; what only settles, does not.
pub fn bind_unbind(context: &Context) -> CheckResult {
    const WARM: usize = 50;
    const HALF: usize = 250;
    /// In KiB: a kibibyte a round. Processes that bind nothing leave slabs half full that come to a quarter of that; whatever
    /// a binding could lose holds on to its process's `mm_struct` and page tables, five times that.
    const ALLOWED: u64 = 2 * HALF as u64;
    /// PASIDs that may be on their way back at one time: those of a grace period's processes.
    const IN_FLIGHT: u32 = 100;
    let function = context.functions.first().ok_or("no function")?;
    settle();
    let first = one_process(function)?;
    let most = first + IN_FLIGHT;
    let mut highest = rounds(function, WARM, most)?;
    let mut grown = u64::MAX;
    let mut before = settle();
    let begin = Instant::now();
    for _ in 0..2 {
        highest = highest.max(rounds(function, HALF, most)?);
        let now = settle();
        grown = grown.min(now.saturating_sub(before));
        before = now;
    }
    let took = begin.elapsed();
    ensure!(grown <= ALLOWED, "{grown} KiB of kernel memory more in each of two times {} rounds", 2 * HALF);
    let mut last = one_process(function)?;
    // Those of a grace period may still be on their way back.
    for _ in 0..10 {
        if last == first {
            break;
        }
        settle();
        last = one_process(function)?;
    }
    ensure!(last == first, "PASID {last} after all, {first} before: PASIDs are lost");
    Ok(Report::new(format!(
        "{} rounds, PASIDs {first} to {highest} and back to {last}, {grown} KiB more in {}, {} µs a round",
        4 * HALF,
        2 * HALF,
        took.as_micros() / (4 * HALF) as u128
    )))
}

#[cfg(test)]
mod tests {
    use super::{FaultMode, Faults, Victim, patient};

    /// The orders that an unmodified Linux survives: a file is closed while its device is at work only where no page fault
    /// can come.
    #[test]
    fn no_file_is_closed_under_page_faults() {
        for faults in [Faults::PageRequest, Faults::Stall] {
            for forced in [false, true] {
                let manners: Vec<Victim> = (0..8).map(|round| patient(&faults, forced, round)).collect();
                for manner in manners.iter().filter(|manner| !manner.kept) {
                    assert!(!manner.storm && !forced);
                    assert!(faults == Faults::Stall || manner.mode == Some(FaultMode::Report));
                }
                assert!(manners.iter().any(|manner| manner.storm));
                assert!(forced || manners.iter().any(|manner| !manner.kept));
            }
        }
    }
}
