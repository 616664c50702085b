// SPDX-License-Identifier: GPL-2.0-or-later
//! Driving `sva-testdev` by hand: `docs/sva-testdev.md`.

use anyhow::{Result, bail};

use super::place;
use crate::qtest::Qtest;

/// Opcodes of descriptors.
pub mod opcode {
    /// Source to destination.
    pub const COPY: u32 = 1;
    /// Pattern to destination.
    pub const FILL: u32 = 2;
    /// Checksum of the source: reads alone.
    pub const CRC32C: u32 = 4;
    /// Compare-and-swap at destination.
    pub const CAS: u32 = 5;
}

/// Causes of completion records.
pub mod cause {
    /// The IOMMU refused the access.
    pub const REFUSED: u32 = 1;
    /// A page request was answered INVALID.
    pub const PAGE_INVALID: u32 = 3;
    /// A page request was answered FAILURE.
    pub const PAGE_FAILURE: u32 = 4;
    /// The IOMMU in front cannot do what the fault mode asks.
    pub const UNSUPPORTED: u32 = 11;
}

/// `FAULT_MODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultMode {
    /// Wait when the IOMMU says so.
    Wait = 0,
    /// Ask for translations, and for pages.
    AtsPri = 1,
    /// Fail at the first fault.
    Report = 2,
}

/// `DESCRIPTOR.CONTROL.PASID_VALID`.
const PASID_VALID: u32 = 1 << 8;
const PRIVILEGED: u32 = 1 << 9;
const EXECUTE: u32 = 1 << 10;
const INTERRUPT: u32 = 1 << 11;
/// `CTRL.RUN`.
const RUN: u32 = 1;
const RING_LOG2: u32 = 4;

/// One piece of work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Descriptor {
    /// See [`opcode`].
    pub opcode: u32,
    /// Source address.
    pub source: u64,
    /// Destination address.
    pub destination: u64,
    /// Bytes.
    pub length: u64,
    /// Pattern of a fill; what a compare-and-swap expects.
    pub pattern: u64,
    /// What a compare-and-swap writes.
    pub new: u64,
    /// PASID of source and destination.
    pub pasid: Option<u32>,
    /// Privileged accesses; with a PASID only.
    pub privileged: bool,
    /// The source is fetched as instructions; with a PASID only.
    pub execute: bool,
    /// Its completion raises the engine's bit of `INT_STATUS`.
    pub interrupt: bool,
}

impl Descriptor {
    /// A copy.
    pub fn copy(source: u64, destination: u64, length: u64) -> Self {
        Self { opcode: opcode::COPY, source, destination, length, ..Self::default() }
    }

    /// Writes alone: eight bytes of a pattern.
    pub fn store(destination: u64, pattern: u64) -> Self {
        Self { opcode: opcode::FILL, destination, length: 8, pattern, ..Self::default() }
    }

    /// Reads alone, of eight bytes.
    pub fn load(source: u64) -> Self {
        Self { opcode: opcode::CRC32C, source, length: 8, ..Self::default() }
    }

    /// An interrupt request as any function may forge one: a write of `data` to an interrupt address.
    pub fn message(address: u64, data: u32) -> Self {
        Self { length: 4, ..Self::store(address, data.into()) }
    }

    /// The same, with an interrupt at the end.
    pub fn interrupt(self) -> Self {
        Self { interrupt: true, ..self }
    }

    /// A compare-and-swap of eight bytes.
    pub fn compare_and_swap(destination: u64, pattern: u64, new: u64) -> Self {
        Self { opcode: opcode::CAS, new, ..Self::store(destination, pattern) }
    }

    fn words(&self, record: u64, cookie: u32) -> [u64; 8] {
        let mut control = self.opcode;
        let flags = [
            (self.pasid.is_some(), PASID_VALID),
            (self.privileged, PRIVILEGED),
            (self.execute, EXECUTE),
            (self.interrupt, INTERRUPT),
        ];
        for (on, bit) in flags {
            control |= if on { bit } else { 0 };
        }
        [
            u64::from(control) | u64::from(self.pasid.unwrap_or(0)) << 32,
            self.source,
            self.destination,
            self.length,
            self.pattern,
            self.new,
            record,
            u64::from(cookie),
        ]
    }

    /// The same in a PASID.
    pub fn pasid(self, pasid: u32) -> Self {
        Self { pasid: Some(pasid), ..self }
    }

    /// The same by privileged accesses.
    pub fn privileged(self) -> Self {
        Self { privileged: true, ..self }
    }

    /// The same, with instruction fetches.
    pub fn execute(self) -> Self {
        Self { execute: true, ..self }
    }
}

/// What the endpoint wrote at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// 1 OK, 2 MISMATCH, 3 FAULT, 4 CANCELLED, 5 BAD_DESCRIPTOR; 0: no record came (the engine halted).
    pub status: u32,
    /// Why: see [`cause`].
    pub cause: u32,
    /// Bytes done.
    pub bytes: u64,
    /// First address that failed.
    pub fault_address: u64,
}

impl Completion {
    /// Whether the work was done.
    pub fn is_ok(self) -> bool {
        self.status == 1
    }
}

/// An engine with its ring at [`place::RING`], in requests without PASID.
pub struct Engine {
    registers: u64,
    ring: u64,
    tail: u32,
    started: bool,
    mode: FaultMode,
}

impl Engine {
    /// Engine `n` of the endpoint whose registers are at `bar`, failing at the first fault.
    pub fn new(bar: u64, n: u64) -> Self {
        Self {
            registers: bar + 0x1000 + 0x100 * n,
            ring: place::RING,
            tail: 0,
            started: false,
            mode: FaultMode::Report,
        }
    }

    /// The engine does that about faults.
    pub fn mode(mut self, mode: FaultMode) -> Self {
        self.mode = mode;
        self
    }

    /// The engine has the ring of that number, so that several may work at a time.
    pub fn slot(mut self, n: u64) -> Self {
        self.ring = place::RING + place::SLOT * n;
        self
    }

    fn record(&self) -> u64 {
        self.ring + 0x1000 + 64 * u64::from(self.tail.wrapping_sub(1) % (1 << RING_LOG2))
    }

    /// Offers a descriptor.
    pub fn submit(&mut self, q: &mut Qtest, d: Descriptor) -> Result<()> {
        self.submit_all(q, &[d])
    }

    /// Offers several descriptors at once, fewer than the ring has.
    pub fn submit_all(&mut self, q: &mut Qtest, descriptors: &[Descriptor]) -> Result<()> {
        if !self.started {
            q.writeq(self.registers + 0x08, self.ring)?;
            q.writel(self.registers + 0x10, RING_LOG2)?;
            q.writel(self.registers + 0x14, 0)?;
            q.writel(self.registers + 0x20, self.mode as u32)?;
            q.writel(self.registers, RUN)?;
            self.started = true;
        }
        for d in descriptors {
            let slot = self.ring + 64 * u64::from(self.tail % (1 << RING_LOG2));
            self.tail = self.tail.wrapping_add(1);
            q.memset(self.record(), 40, 0)?;
            let words = d.words(self.record(), self.tail);
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            q.write(slot, &bytes)?;
        }
        q.writel(self.registers + 0x1c, self.tail)
    }

    /// The last descriptor's completion record, if it has come.
    pub fn poll(&mut self, q: &mut Qtest) -> Result<Option<Completion>> {
        let at = self.record();
        let status = q.readl(at + 0x24)?;
        if status == 0 {
            let state = q.readl(self.registers + 0x04)?;
            if state & 1 << 2 != 0 {
                let fault_address = q.readq(self.registers + 0x28)?;
                return Ok(Some(Completion { status: 0, cause: state >> 8 & 0xff, bytes: 0, fault_address }));
            }
            return Ok(None);
        }
        Ok(Some(Completion {
            status,
            cause: q.readl(at + 0x20)?,
            bytes: q.readq(at + 0x10)?,
            fault_address: q.readq(at + 0x08)?,
        }))
    }

    /// Waits for the last descriptor's end.
    pub fn wait(&mut self, q: &mut Qtest) -> Result<Completion> {
        for _ in 0..500 {
            if let Some(done) = self.poll(q)? {
                return Ok(done);
            }
            q.step(100_000)?;
        }
        bail!("the endpoint did not finish; its state is {:#x}", q.readl(self.registers + 0x04)?)
    }

    /// Whether the engine waits for the IOMMU.
    pub fn is_waiting(&mut self, q: &mut Qtest) -> Result<bool> {
        Ok(q.readl(self.registers + 0x04)? & 1 << 1 != 0)
    }
}
