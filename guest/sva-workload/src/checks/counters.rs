// SPDX-License-Identifier: GPL-2.0-or-later
//! The IOMMU's performance counters, as `perf` reads them, beside what the device says that it did.

use std::time::{Duration, Instant};

use sva_guest::device::{Descriptor, Device, Ring, register};
use sva_guest::memory::{Mapping, page_size};
use sva_guest::perf::{Count, Pmu};

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, Expect, small_pages};

const PAGES: usize = 64;
const ROUNDS: usize = 4;

/// One event, counted by every unit: a stream's events come from the one that it is behind.
struct Event(Vec<Count>);

impl Event {
    fn open(pmus: &[Pmu], name: &str, terms: &[(&str, u64)]) -> Result<Self, String> {
        pmus.iter().map(|pmu| pmu.count(name, terms)).collect::<Result<_, _>>().map(Self)
    }

    fn value(&mut self) -> Result<u64, String> {
        self.0.iter_mut().map(Count::value).sum()
    }
}

/// What a device says that it has done.
struct Done {
    accesses: u64,
    stalls: u64,
    translation_requests: u64,
}

impl Done {
    fn read(device: &Device) -> Self {
        Self {
            accesses: device.read64(register::DMA_READS).wrapping_add(device.read64(register::DMA_WRITES)),
            stalls: device.read64(register::STALLS),
            translation_requests: device.read64(register::ATS_REQUESTS),
        }
    }

    fn since(device: &Device, before: &Self) -> Self {
        let now = Self::read(device);
        Self {
            accesses: now.accesses.wrapping_sub(before.accesses),
            stalls: now.stalls.wrapping_sub(before.stalls),
            translation_requests: now.translation_requests.wrapping_sub(before.translation_requests),
        }
    }
}

/// Counts all of `events` while `work` is done.
fn during(
    events: &[&Event],
    device: &Device,
    work: impl FnOnce() -> Result<(), String>,
) -> Result<Done, String> {
    let each =
        |act: fn(&Count) -> Result<(), String>| events.iter().flat_map(|event| &event.0).try_for_each(act);
    let before = Done::read(device);
    each(Count::start)?;
    work()?;
    each(Count::stop)?;
    Ok(Done::since(device, &before))
}

/// `0000:00:04.0` as a StreamID.
fn stream(bdf: &str) -> Option<u64> {
    let (rest, function) = bdf.rsplit_once('.')?;
    let mut parts = rest.rsplit(':');
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let (device, bus) = (number(parts.next()?)?, number(parts.next()?)?);
    Some(bus << 8 | device << 3 | number(function)?)
}

/// Cycles of the unit's clock in 20 ms and a little: one in a nanosecond of the guest's time.
fn clock(pmu: &Pmu) -> Result<u64, String> {
    let mut cycles = pmu.count("cycles", &[])?;
    let outer = Instant::now();
    cycles.start()?;
    let inner = Instant::now();
    std::thread::sleep(Duration::from_millis(20));
    let least = inner.elapsed().as_nanos() as f64;
    cycles.stop()?;
    let most = outer.elapsed().as_nanos() as f64;
    let counted = cycles.value()?;
    if (counted as f64) < least * 0.99 || counted as f64 > most * 1.01 {
        return Err(format!("{counted} cycles in between {least} and {most} ns"));
    }
    Ok(counted)
}

/// Transactions, misses and walks of one stream: as many as the device says that there were, none of its neighbour's, and
/// none when nobody counts.
pub fn counters(context: &Context) -> CheckResult {
    let pmus = Pmu::all("smmuv3_pmcg_")?;
    let Some(pmu) = pmus.first() else {
        return Err(Stop::Skip(
            "there is no smmuv3_pmcg_* among the PMUs: the firmware names no counters".into(),
        ));
    };
    small_pages();
    let device = context.device()?;
    let stream = stream(&device.function.bdf).ok_or("a function without an address")?;
    let exact = |stream: u64| [("filter_enable", 1), ("filter_span", 0), ("filter_stream_id", stream)];
    // All functions of the device: the lowest zero of the pattern is bit 2.
    let span = [("filter_enable", 1), ("filter_span", 1), ("filter_stream_id", stream & !7 | 3)];
    let open = |name: &str, terms: &[(&str, u64)]| Event::open(&pmus, name, terms);

    let mut ring = Ring::new(&device, 0)?;
    let len = PAGES * page_size();
    let (source, target) = (Mapping::anonymous(len)?, Mapping::anonymous(len)?);
    source.scramble(0, len, 5);
    target.set(0, len, 0);
    let mut copies = |rounds: usize| {
        for _ in 0..rounds {
            ring.ok(&Descriptor::copy(source.address(), target.address(), len))?;
        }
        Ok(())
    };

    let mut mine = open("transaction", &exact(stream))?;
    let mut neighbour = open("transaction", &exact(stream ^ 1))?;
    let mut all_functions = open("transaction", &span)?;
    let mut everybody = open("transaction", &[])?;
    let mut misses = open("tlb_miss", &exact(stream))?;
    let mut walks = open("trans_table_walk_access", &exact(stream))?;
    let events = [&mine, &neighbour, &all_functions, &everybody, &misses, &walks];
    let done = during(&events, &device, || copies(ROUNDS))?;
    let expected = done.accesses + done.stalls + done.translation_requests;
    let counted = mine.value()?;
    ensure!(
        done.accesses >= (2 * PAGES * ROUNDS) as u64,
        "the device says that it made {} accesses for {ROUNDS} copies of {PAGES} pages",
        done.accesses
    );
    ensure!(
        counted == expected,
        "{counted} transactions counted, and the device made {} accesses, {} of them twice, and {} translation requests",
        done.accesses,
        done.stalls,
        done.translation_requests
    );
    let (other, group, every) = (neighbour.value()?, all_functions.value()?, everybody.value()?);
    ensure!(other == 0, "{other} transactions of a function that is not there");
    ensure!(
        group == counted,
        "{group} transactions of all functions of the device, {counted} of the only one"
    );
    ensure!(every >= counted, "{every} transactions of everybody, {counted} of one function");
    let (missed, walked) = (misses.value()?, walks.value()?);
    ensure!(
        missed >= 2 * PAGES as u64 && missed <= counted && walked >= missed,
        "{missed} TLB misses and {walked} table accesses for {PAGES} pages read and {PAGES} written"
    );
    drop((neighbour, all_functions, everybody));

    // Nobody counts.
    copies(1)?;
    let after = mine.value()?;
    ensure!(after == counted, "{after} transactions, and they were {counted} when counting was stopped");

    let cycles = clock(pmu)?;

    let mut structures = open("config_struct_access", &exact(stream))?;
    let mut config_misses = open("config_cache_miss", &exact(stream))?;
    let mut requests = open("pcie_ats_trans_rq", &exact(stream)).ok();
    let mut translated = open("pcie_ats_trans_passed", &exact(stream)).ok();
    let mut events = vec![&structures, &config_misses];
    events.extend(requests.iter().chain(&translated));
    let done = during(&events, &device, || copies(1))?;
    let (structures, config_misses) = (structures.value()?, config_misses.value()?);
    ensure!(structures >= config_misses, "{config_misses} configuration misses, but {structures} accesses");
    let value = |event: &mut Option<Event>| event.as_mut().map_or(Ok(0), Event::value);
    let (requests, translated) = (value(&mut requests)?, value(&mut translated)?);
    ensure!(
        requests == done.translation_requests && translated <= done.accesses,
        "{requests} translation requests counted and {translated} translated accesses, of {} and {} made",
        done.translation_requests,
        done.accesses
    );
    Ok(Report::new(format!(
        "{}: {counted} transactions for {expected} made, none of a neighbour; {missed} TLB misses, {walked} table accesses; {cycles} clock cycles in 20 ms",
        pmu.name
    )))
}

#[cfg(test)]
mod tests {
    use super::stream;

    #[test]
    fn streams_are_bus_device_and_function() {
        assert_eq!(stream("0000:00:04.0"), Some(0x20));
        assert_eq!(stream("0000:1a:1f.7"), Some(0x1aff));
        assert_eq!(stream("nothing"), None);
    }
}
