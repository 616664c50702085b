// SPDX-License-Identifier: GPL-2.0-or-later
//! Binding, and every operation of the device on memory that is there.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sva_guest::crc32c::crc32c as checksum;
use sva_guest::device::{
    DST_LIST, Descriptor, Device, INTERRUPT, Ring, SRC_LIST, Status, register, scatter_list,
};
use sva_guest::memory::Mapping;

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, Expect, PATIENCE, bytes, describe, rate};

/// The process is bound, and what PASID it got agrees with what device and configuration space say.
pub fn bind_and_pasid(context: &Context) -> CheckResult {
    let device = Device::open(context.functions.first().ok_or("no function")?)?;
    let function = &device.function;
    let (pasid, bits) = (device.pasid, function.pasid_bits);
    ensure!(pasid != 0, "the kernel gave PASID 0, which is not a process's");
    ensure!(pasid < 1 << bits, "PASID {pasid} does not fit into {bits} bits");
    ensure!(
        device.caps.pasid_bits() == u32::from(bits),
        "CAPS says {} PASID bits, the PCI capability {bits}",
        device.caps.pasid_bits()
    );
    Ok(Report::new(format!(
        "{}, PASID {pasid} of {bits} bits, {} engines",
        function.bdf,
        device.caps.engines()
    )))
}

fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(31) ^ (i >> 8) ^ seed.wrapping_mul(97)) as u8).collect()
}

/// Copies between `Vec`s, that is `malloc`, with guard bytes around the destination.
pub fn copy_malloc(context: &Context) -> CheckResult {
    const GUARD: usize = 64;
    const SIZES: [usize; 10] = [1, 7, 8, 63, 4095, 4096, 4097, 65535, 65537, 300_001];
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let mut total = 0;
    let begin = Instant::now();
    for (round, size) in SIZES.into_iter().enumerate() {
        let source = pattern(size + round, round);
        let mut target = vec![0xeeu8; size + 2 * GUARD + round];
        // exposed as addresses: from here to the completion only the device looks
        let from = source.as_ptr().expose_provenance() as u64 + round as u64;
        let to = target.as_mut_ptr().expose_provenance() as u64 + (GUARD + round) as u64;
        let outcome = ring.ok(&Descriptor::copy(from, to, size))?;
        let target = std::hint::black_box(target);
        ensure!(outcome.bytes == size as u64, "{} bytes done of {size}", outcome.bytes);
        ensure!(target[GUARD + round..][..size] == source[round..], "a copy of {size} bytes differs");
        let before = target[..GUARD + round].iter().all(|b| *b == 0xee);
        let after = target[GUARD + round + size..].iter().all(|b| *b == 0xee);
        ensure!(before && after, "a copy of {size} bytes wrote outside its destination");
        total += size;
    }
    Ok(Report::new(format!(
        "{} copies of malloc memory, {total} bytes, {}",
        SIZES.len(),
        rate(total, begin.elapsed())
    )))
}

/// Fills, and looks at what is around.
pub fn fill(context: &Context) -> CheckResult {
    const WORD: u64 = 0x1122_3344_5566_7788;
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let area = Mapping::anonymous(1 << 20)?;
    for (offset, len) in [(8usize, 8usize), (4088, 16), (4096, 4096), (8, 300_000), (65528, 131_080)] {
        area.set(0, area.len(), 0xee);
        ring.ok(&Descriptor::fill(area.at(offset), len, WORD))?;
        for at in (0..len).step_by(8) {
            let got = area.load(offset + at);
            ensure!(got == WORD, "{got:#x} at {at} of a fill of {len} bytes");
        }
        ensure!(
            area.first_other(0, offset, 0xee).is_none(),
            "a fill of {len} bytes wrote before its destination"
        );
        let end = offset + len;
        ensure!(
            area.first_other(end, area.len() - end, 0xee).is_none(),
            "a fill of {len} bytes wrote behind its destination"
        );
    }
    Ok(Report::new("5 fills, 8 bytes to 293 KiB"))
}

/// Equal buffers are equal, and of two differences the first is found.
pub fn compare(context: &Context) -> CheckResult {
    const LEN: usize = 256 << 10;
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let (a, b) = (Mapping::anonymous(LEN)?, Mapping::anonymous(LEN)?);
    a.scramble(0, LEN, 1);
    b.scramble(0, LEN, 1);
    let outcome = ring.ok(&Descriptor::compare(a.address(), b.address(), LEN))?;
    ensure!(outcome.result == u64::MAX, "equal buffers, but RESULT is {:#x}", outcome.result);
    let places = [0usize, 1, 4095, 4096, 100_001, LEN - 1];
    for place in places {
        let was = b.bytes(place, 1)[0];
        b.set(place, 1, !was);
        let outcome = ring.run(&Descriptor::compare(a.address(), b.address(), LEN), PATIENCE)?;
        ensure!(
            outcome.status == Status::Mismatch && outcome.result == place as u64,
            "difference at {place}, but: {}, RESULT {}",
            describe(&outcome),
            outcome.result
        );
        b.set(place, 1, was);
    }
    Ok(Report::new(format!("{} and {} differences found", bytes(LEN), places.len())))
}

/// The device's checksums are the CPU's.
pub fn crc32c(context: &Context) -> CheckResult {
    const LEN: usize = 1 << 20;
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let area = Mapping::anonymous(LEN)?;
    area.write(0, b"123456789");
    let outcome = ring.ok(&Descriptor::crc32c(area.address(), 9))?;
    ensure!(outcome.result == 0xe306_9283, "the check value is {:#x}, not 0xe3069283", outcome.result);
    area.scramble(0, LEN, 7);
    let mut total = 0;
    for (offset, len) in [(0usize, 1usize), (3, 4097), (4095, 2), (17, 333_333), (0, LEN)] {
        let expected = area.view(offset, len, checksum);
        let outcome = ring.ok(&Descriptor::crc32c(area.at(offset), len))?;
        ensure!(
            outcome.result == u64::from(expected),
            "CRC of {len} bytes is {:#x}, not {expected:#x}",
            outcome.result
        );
        total += len;
    }
    Ok(Report::new(format!("6 checksums over {total} bytes")))
}

/// CPU and device count in one word, 8 and 4 bytes wide; nothing is lost.
pub fn cas(context: &Context) -> CheckResult {
    const COUNTS: u64 = 200;
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    let area = Mapping::anonymous(4096)?;
    area.set(0, 4096, 0);
    let mut races = 0;
    for width in [8usize, 4] {
        let offset = 64 * width;
        let by_cpu = count_together(&mut ring, &area, offset, width, COUNTS, &mut races)?;
        let total = area.load(offset) & if width == 8 { u64::MAX } else { u64::from(u32::MAX) };
        ensure!(
            total == by_cpu + COUNTS,
            "{width} bytes: {by_cpu} by the CPU and {COUNTS} by the device make {total}"
        );
        ensure!(width == 8 || area.load(offset) >> 32 == 0, "a 4-byte CAS changed its neighbour");
    }
    Ok(Report::new(format!(
        "2 × {COUNTS} counts by the device beside the CPU's, {races} races lost and tried again"
    )))
}

fn count_together(
    ring: &mut Ring<'_>,
    area: &Mapping,
    offset: usize,
    width: usize,
    counts: u64,
    races: &mut u64,
) -> Result<u64, String> {
    let stop = AtomicBool::new(false);
    let by_cpu = AtomicU64::new(0);
    let word = area.atomic(offset);
    // SAFETY: the low half of the word on a little-endian machine; atomic on both sides.
    let half = unsafe { AtomicU32::from_ptr(area.at(offset) as *mut u32) };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                if width == 8 {
                    word.fetch_add(1, Ordering::SeqCst);
                } else {
                    half.fetch_add(1, Ordering::SeqCst);
                }
                by_cpu.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_micros(50));
            }
        });
        let mut work = || {
            let mut done = 0;
            let mut expected = 0;
            for _ in 0..100 * counts {
                let d = Descriptor::cas(area.at(offset), width, expected, expected.wrapping_add(1));
                let outcome = ring.run(&d, PATIENCE)?;
                match outcome.status {
                    Status::Ok => {
                        done += 1;
                        expected = expected.wrapping_add(1);
                    }
                    Status::Mismatch => {
                        *races += 1;
                        expected = outcome.result;
                    }
                    _ => return Err(format!("a CAS ended with {}", describe(&outcome))),
                }
                if done == counts {
                    return Ok(());
                }
            }
            Err(format!("only {done} of {counts} counts got through in {} attempts", 100 * counts))
        };
        let result = work();
        stop.store(true, Ordering::Relaxed);
        result
    })?;
    Ok(by_cpu.load(Ordering::Relaxed))
}

/// Lists on one side and on both.
pub fn scatter_gather(context: &Context) -> CheckResult {
    const PARTS: usize = 13;
    let device = context.device()?;
    let parts = PARTS.min(device.caps.list());
    ensure!(parts > 1, "CAPS says lists have {} entries", device.caps.list());
    let mut ring = Ring::new(&device, 0)?;
    let (field, flat, back) =
        (Mapping::anonymous(1 << 20)?, Mapping::anonymous(1 << 20)?, Mapping::anonymous(1 << 20)?);
    for area in [&field, &flat, &back] {
        area.set(0, area.len(), 0xee);
    }
    field.scramble(0, field.len(), 3);
    // parts of odd lengths at odd places, in an order that is not the addresses'
    let places: Vec<(usize, usize)> =
        (0..parts).map(|i| (((i * 5) % PARTS) * 70_001 + i, 1 + i * 1003)).collect();
    let total: usize = places.iter().map(|(_, len)| len).sum();
    let list = |area: &Mapping| {
        scatter_list(&places.iter().map(|(at, len)| (area.at(*at), *len)).collect::<Vec<_>>())
    };
    let (sources, targets) = (list(&field)?, list(&back)?);
    let entries = parts as u32;

    let mut gather = Descriptor::copy(sources.address(), flat.address(), total).with(SRC_LIST);
    gather.entries = entries;
    ring.ok(&gather)?;
    let expected: Vec<u8> = places.iter().flat_map(|(at, len)| field.bytes(*at, *len)).collect();
    ensure!(flat.bytes(0, total) == expected, "what was gathered differs");
    ensure!(flat.first_other(total, 4096, 0xee).is_none(), "gathering wrote beyond the total length");

    let mut scatter = Descriptor::copy(flat.address(), targets.address(), total).with(DST_LIST);
    scatter.entries = entries;
    ring.ok(&scatter)?;
    let same =
        |area: &Mapping| places.iter().all(|(at, len)| area.bytes(*at, *len) == field.bytes(*at, *len));
    ensure!(same(&back), "what was scattered differs");
    let written: usize = back.view(0, back.len(), |all| all.iter().filter(|b| **b != 0xee).count());
    ensure!(written <= total, "scattering wrote {written} bytes, not {total}");

    back.set(0, back.len(), 0xee);
    let mut both = Descriptor::copy(sources.address(), targets.address(), total).with(SRC_LIST | DST_LIST);
    both.entries = entries;
    ring.ok(&both)?;
    ensure!(same(&back), "list to list differs");
    Ok(Report::new(format!("lists of {parts} parts, {total} bytes, three ways")))
}

/// The interrupt arrives at the process that reads its UIO file, once a completion that asks for one.
pub fn interrupt(context: &Context) -> CheckResult {
    const ROUNDS: u32 = 10;
    let device = context.device()?;
    let mut ring = Ring::new(&device, 0)?;
    device.write32(register::INT_STATUS, u32::MAX);
    device.write32(register::INT_MASK, 1);
    while device.interrupt(Duration::ZERO).is_some() {}
    let mut last = None;
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        ring.ok(&Descriptor::nop())?;
        ensure!(
            device.interrupt(Duration::ZERO).is_none(),
            "an interrupt in round {round} that nobody asked for"
        );
        let begin = Instant::now();
        let ticket = ring.submit(&Descriptor::nop().with(INTERRUPT));
        let Some(count) = device.interrupt(Duration::from_secs(5)) else {
            return Err(Stop::Fail(format!(
                "no interrupt within 5 s in round {round}; INT_STATUS {:#x}",
                device.read32(register::INT_STATUS)
            )));
        };
        slowest = slowest.max(begin.elapsed());
        ring.wait(ticket, PATIENCE)?;
        let status = device.read32(register::INT_STATUS);
        ensure!(status & 1 != 0, "INT_STATUS is {status:#x} after the interrupt");
        device.write32(register::INT_STATUS, 1);
        ensure!(device.read32(register::INT_STATUS) & 1 == 0, "INT_STATUS does not clear");
        ensure!(
            last.is_none_or(|last: u32| count == last.wrapping_add(1)),
            "the count went from {last:?} to {count}"
        );
        last = Some(count);
    }
    device.write32(register::INT_MASK, 0);
    Ok(Report::new(format!("{ROUNDS} MSI-X interrupts, slowest {} µs", slowest.as_micros())))
}

/// Every engine copies its own memory at the same time.
pub fn engines(context: &Context) -> CheckResult {
    const LEN: usize = 1 << 20;
    const ROUNDS: usize = 4;
    let device = context.device()?;
    let count = device.caps.engines();
    let begin = Instant::now();
    let mut lanes = Vec::new();
    for n in 0..count {
        let (from, to) = (Mapping::anonymous(LEN)?, Mapping::anonymous(LEN)?);
        from.scramble(0, LEN, n as u64);
        to.set(0, LEN, 0);
        lanes.push((lane(&device, n)?, from, to));
    }
    let mut tickets = Vec::new();
    for (ring, from, to) in &mut lanes {
        for _ in 0..ROUNDS {
            tickets.push(ring.queue(&Descriptor::copy(from.address(), to.address(), LEN)));
        }
    }
    for (ring, _, _) in &lanes {
        ring.ring_bell();
    }
    let mut ticket = tickets.into_iter();
    for (n, (ring, _, to)) in lanes.iter().enumerate() {
        for ticket in ticket.by_ref().take(ROUNDS) {
            let outcome = ring.wait(ticket, PATIENCE)?;
            ensure!(outcome.status == Status::Ok, "engine {n}: {}", describe(&outcome));
        }
        if let Some(at) = to.scrambled(0, LEN, n as u64) {
            return Err(format!("engine {n}'s copy differs at {at}").into());
        }
    }
    let total = count * ROUNDS * LEN;
    Ok(Report::new(format!("{count} engines, {} together, {}", bytes(total), rate(total, begin.elapsed()))))
}

fn lane(device: &Device, n: usize) -> Result<Ring<'_>, String> {
    Ring::new(device, n)
}
