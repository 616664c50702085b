// SPDX-License-Identifier: GPL-2.0-or-later
//! Tests of the whole device against a port that is a memory with a mind of its own.

use super::descriptor::{Descriptor, DescriptorControl, Opcode, Target};
use super::fake::{Behaviour, FakePort, PAGE};
use super::registers::{Cause, INT_CANCEL};
use super::*;

mod ats;
mod cache;
mod cancel;
mod faults;
mod operations;
mod pages;
mod random;
mod registers;

const RING: u64 = 0x10_0000;
const RECORDS: u64 = 0x11_0000;
const PASID: u32 = 5;
const SPACE: Option<u32> = Some(PASID);
const SRC: u64 = 0x20_0000;
const DST: u64 = 0x30_0000;

/// A device with a port; engine 0's ring has 16 descriptors at [`RING`], without PASID.
struct Rig {
    device: Device,
    port: FakePort,
    tails: [u32; 16],
}

fn engine(number: u64, offset: u64) -> u64 {
    0x1000 + 0x100 * number + offset
}

fn control(opcode: Opcode) -> DescriptorControl {
    DescriptorControl::default().with_opcode(opcode as u32).with_pasid_valid(1)
}

/// A descriptor in [`PASID`].
fn descriptor(opcode: Opcode, src: u64, dst: u64, length: u64) -> Descriptor {
    Descriptor {
        control: control(opcode),
        target: Target::from(PASID),
        src,
        dst,
        length,
        cookie: 0xc00c1e,
        ..Descriptor::default()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Done {
    status: u32,
    cause: u32,
    result: u64,
    fault_addr: u64,
    bytes: u64,
}

impl Rig {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let mut rig = Self { device: Device::new(config), port: FakePort::new(), tails: [0; 16] };
        rig.start(0, None);
        rig
    }

    fn ring_of(number: u64) -> u64 {
        RING + number * 0x1000
    }

    fn start(&mut self, number: u64, pasid: Option<u32>) {
        self.write(engine(number, 0x00), 0);
        self.write64(engine(number, 0x08), Self::ring_of(number));
        self.write(engine(number, 0x10), 4);
        self.write(engine(number, 0x14), pasid.map_or(0, |pasid| pasid | 1 << 31));
        self.write(engine(number, 0x00), 1);
    }

    fn write(&mut self, offset: u64, value: u32) {
        let _ = self.device.write(offset, u64::from(value), 4, &mut self.port);
    }

    fn write64(&mut self, offset: u64, value: u64) {
        let _ = self.device.write(offset, value, 8, &mut self.port);
    }

    fn read(&self, offset: u64) -> u32 {
        u32::try_from(self.device.read(offset, 4)).unwrap()
    }

    fn status(&self, number: u64) -> u32 {
        self.read(engine(number, 0x04))
    }

    fn head(&self, number: u64) -> u32 {
        self.read(engine(number, 0x18))
    }

    fn ring_space(&self, number: u64) -> Option<u32> {
        let pasid = self.read(engine(number, 0x14));
        (pasid >> 31 != 0).then_some(pasid & 0xf_ffff)
    }

    /// Where the record of the descriptor with that index lies.
    fn record_addr(number: u64, index: u32) -> u64 {
        RECORDS + number * 0x1000 + u64::from(index % 16) * 64
    }

    /// Offers a descriptor, with a completion record; its index.
    fn offer(&mut self, number: u64, mut descriptor: Descriptor) -> u32 {
        let index = self.tails[number as usize];
        descriptor.completion = Self::record_addr(number, index);
        self.port.poke(self.ring_space(number), descriptor.completion, &[0; 40]);
        self.offer_as_is(number, descriptor)
    }

    fn offer_as_is(&mut self, number: u64, descriptor: Descriptor) -> u32 {
        let index = self.tails[number as usize];
        let slot = Self::ring_of(number) + u64::from(index % 16) * 64;
        self.port.poke(self.ring_space(number), slot, &descriptor.to_bytes());
        self.tails[number as usize] = index.wrapping_add(1);
        self.write(engine(number, 0x1c), index.wrapping_add(1));
        index
    }

    /// Ticks until there is nothing to do.
    fn run(&mut self) {
        for _ in 0..100_000 {
            if !self.tick() {
                return;
            }
        }
        panic!("the device does not come to rest");
    }

    /// A tick; whether there is more to do, if only after a pause, which passes.
    fn tick(&mut self) -> bool {
        let tick = self.device.tick(&mut self.port);
        if let (false, Some(at)) = (tick.more, tick.at) {
            self.port.now = at;
        }
        tick.more || tick.at.is_some()
    }

    fn answer(&mut self, tag: u64, retry: bool) {
        self.port.waiting.remove(&tag).expect("not waiting");
        assert!(self.device.resolved(tag, retry, &mut self.port));
    }

    fn respond(&mut self, response: PageResponse) {
        let (group, requests) = self.port.page_requests.pop_first().expect("no page request");
        self.port.open_groups.remove(&group);
        assert!(self.device.page_response(group, requests[0].pasid, response, &mut self.port));
    }

    /// The completion record, unless it is untouched.
    fn record(&self, number: u64, index: u32) -> Option<Done> {
        let bytes = self.port.peek(self.ring_space(number), Self::record_addr(number, index), 40);
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let half = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        if bytes == [0; 40] {
            return None;
        }
        Some(Done {
            status: half(0x24),
            cause: half(0x20),
            result: word(0),
            fault_addr: word(8),
            bytes: word(16),
        })
    }

    /// Offers a descriptor to engine 0, runs, and takes its record.
    fn complete(&mut self, descriptor: Descriptor) -> Done {
        let index = self.offer(0, descriptor);
        self.run();
        self.record(0, index).expect("no completion record")
    }

    fn check_counters(&self) {
        let counters = self.device.counters();
        let waiting = self.device.waiting().count() as u64;
        assert_eq!(counters.stalls, counters.resumed + counters.aborted + counters.cancelled + waiting);
        let mine: Vec<u64> = self.device.waiting().map(|(_, tag)| tag).collect();
        let mut theirs: Vec<u64> = self.port.waiting.keys().copied().collect();
        theirs.sort_unstable();
        let mut sorted = mine.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, theirs, "both sides know the same waiting requests");
    }

    /// Moves the device into a new one by way of its saved state.
    fn migrate(&mut self, config: Config) {
        let state = self.device.save();
        let mut other = Device::new(config);
        other.load(&state).expect("own state");
        assert_eq!(other.save(), state);
        self.device = other;
    }
}

/// Bytes that repeat nowhere near.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn list(entries: &[(u64, u64)]) -> Vec<u8> {
    entries.iter().flat_map(|(addr, length)| [addr.to_le_bytes(), length.to_le_bytes()]).flatten().collect()
}
