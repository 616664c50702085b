// SPDX-License-Identifier: GPL-2.0-or-later
//! Stage 1 by hand: page tables of 4 KiB pages and 48 bits, CD tables, PASID directories. They lie in memory of this
//! process that stage 2 shows at [`POOL`].

use std::cell::Cell;
use std::io;
use std::sync::atomic::Ordering;

use qemu_iommu::iommu::{GuestMemory, MemoryError};
use qemu_iommu::smmuv3::spec::cd::{Cd0, Cd1};
use qemu_iommu::smmuv3::spec::ste::{Ste0, Ste1, config};
use qemu_iommu::vtd::spec::pasid::{Pasid0, Pasid2, pgtt};
use sva_guest::memory::Mapping;

/// Guest-physical address of the tables.
pub const POOL: u64 = 0x1_0000_0000;
const POOL_SIZE: usize = 4 << 20;
/// Size of a page and of a table.
pub const PAGE: u64 = 4096;
/// Bytes of a CD, and of a PASID table entry.
const ENTRY: u64 = 64;

/// Whose format page tables have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// VMSAv8-64.
    Arm,
    /// As in IA-32e paging.
    Intel,
}

impl Format {
    fn table(self, next: u64) -> u64 {
        match self {
            Self::Arm => next | 0b11,
            // P, R/W, U/S
            Self::Intel => next | 0b111,
        }
    }

    fn leaf(self, page: u64, writable: bool) -> u64 {
        match self {
            // Access flag, inner shareable, AP[1], not global; AP[2] for reading alone.
            Self::Arm => {
                page | 1 << 10 | 3 << 8 | 1 << 6 | 1 << 11 | 0b11 | if writable { 0 } else { 1 << 7 }
            }
            // P, U/S, accessed, dirty; R/W
            Self::Intel => page | 0b101 | 1 << 5 | 1 << 6 | if writable { 0b10 } else { 0 },
        }
    }
}

/// The shape of a CD table (`S1Fmt`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One level.
    Linear,
    /// Two levels, leaves of 64 CDs.
    Leaf4K,
    /// Two levels, leaves of 1024 CDs.
    Leaf64K,
}

/// What becomes of requests without PASID (`S1DSS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutPasid {
    /// They are aborted.
    Terminate = 0,
    /// They bypass stage 1.
    Bypass = 1,
    /// They use CD 0.
    Cd0 = 2,
}

/// Tables and the memory they are in.
#[derive(Debug)]
pub struct Tables {
    memory: Mapping,
    used: Cell<u64>,
    format: Format,
}

/// A CD table, or a PASID directory.
#[derive(Clone, Copy, Debug)]
pub struct PasidTable {
    /// Guest-physical address.
    pub base: u64,
    /// Width of PASIDs.
    pub bits: u8,
    shape: Shape,
}

impl Tables {
    /// Memory for 4 MiB of tables.
    pub fn new(format: Format) -> io::Result<Self> {
        let memory = Mapping::aligned(POOL_SIZE, 1 << 16)?;
        memory.set(0, POOL_SIZE, 0);
        Ok(Self { memory, used: Cell::new(0), format })
    }

    /// The memory.
    pub fn memory(&self) -> &Mapping {
        &self.memory
    }

    fn allocate(&self, size: u64) -> u64 {
        let at = self.used.get().next_multiple_of(size);
        assert!(at + size <= POOL_SIZE as u64, "too many tables");
        self.used.set(at + size);
        POOL + at
    }

    fn inside(&self, addr: u64, len: usize) -> Result<usize, MemoryError> {
        let end = POOL + POOL_SIZE as u64 - len as u64;
        if (POOL..=end).contains(&addr) { Ok((addr - POOL) as usize) } else { Err(MemoryError { addr }) }
    }

    fn load(&self, at: u64) -> u64 {
        u64::from_le(self.memory.load((at - POOL) as usize))
    }

    fn store(&self, at: u64, value: u64) {
        self.memory.store((at - POOL) as usize, value.to_le());
    }

    /// A page table that maps nothing.
    pub fn root(&self) -> u64 {
        self.allocate(PAGE)
    }

    /// Where the descriptor of the page at `address` is.
    fn place(&self, root: u64, address: u64) -> u64 {
        let mut table = root;
        for level in 0..3 {
            let at = table + 8 * (address >> (39 - 9 * level) & 0x1ff);
            let descriptor = self.load(at);
            table = if descriptor == 0 {
                let next = self.root();
                self.store(at, self.format.table(next));
                next
            } else {
                descriptor & 0x0000_ffff_ffff_f000
            };
        }
        table + 8 * (address >> 12 & 0x1ff)
    }

    /// `len` bytes at `address` are at guest-physical `to`.
    pub fn map(&self, root: u64, address: u64, to: u64, len: u64, writable: bool) {
        for offset in (0..len).step_by(PAGE as usize) {
            let at = self.place(root, address + offset);
            self.store(at, self.format.leaf(to + offset, writable));
        }
    }

    /// An empty CD table or PASID directory.
    pub fn pasid_table(&self, shape: Shape, bits: u8) -> PasidTable {
        let bytes = match (self.format, shape) {
            (Format::Arm, Shape::Linear) => ENTRY << bits,
            (Format::Arm, Shape::Leaf4K) => 8 << bits.saturating_sub(6),
            (Format::Arm, Shape::Leaf64K) => 8 << bits.saturating_sub(10),
            (Format::Intel, _) => 8 << bits.saturating_sub(6),
        };
        PasidTable { base: self.allocate(bytes.next_power_of_two().max(PAGE)), bits, shape }
    }

    /// Where a PASID's entry is; its leaf is made if there is none.
    fn entry(&self, table: &PasidTable, pasid: u32) -> u64 {
        let leaf_bits = match (self.format, table.shape) {
            (Format::Arm, Shape::Linear) => return table.base + ENTRY * u64::from(pasid),
            (Format::Arm, Shape::Leaf64K) => 10,
            (Format::Arm, Shape::Leaf4K) | (Format::Intel, _) => 6,
        };
        let at = table.base + 8 * u64::from(pasid >> leaf_bits);
        // Valid or present, and the address, are at the same places in both formats.
        let mut upper = self.load(at);
        if upper == 0 {
            upper = self.allocate(ENTRY << leaf_bits) | 1;
            self.store(at, upper);
        }
        (upper & !0xfff) + ENTRY * u64::from(pasid & ((1 << leaf_bits) - 1))
    }

    /// Writes a CD: lower half alone, 48 bits in and out. Faults are aborted and recorded, or stalled.
    pub fn write_cd(&self, table: &PasidTable, pasid: u32, asid: u16, root: u64, stall: bool) {
        let word = Cd0::from(0)
            .with_t0sz(16)
            .with_ir0(1)
            .with_or0(1)
            .with_sh0(3)
            .with_epd1(1)
            .with_v(1)
            .with_ips(5)
            .with_aa64(1)
            .with_s(stall.into())
            .with_r(1)
            .with_a(1)
            .with_asid(asid.into());
        let at = self.entry(table, pasid);
        self.store(at + 8, Cd1::from(0).with_ttb0(root >> 4).bits());
        self.store(at + 24, 0xff);
        self.store(at, word.bits());
    }

    /// Writes a scalable-mode PASID table entry: first stage, 4 levels; without a root, pass-through.
    pub fn write_pasid(&self, table: &PasidTable, pasid: u32, root: Option<u64>) {
        let at = self.entry(table, pasid);
        let kind = if root.is_some() { pgtt::FIRST_STAGE } else { pgtt::PASS_THROUGH };
        self.store(at + 16, Pasid2::from(0).with_fsptptr(root.unwrap_or(0) >> 12).bits());
        self.store(at + 8, 1);
        self.store(at, Pasid0::from(0).with_p(1).with_aw(2).with_pgtt(kind).bits());
    }

    /// Makes a PASID's entry not valid.
    pub fn clear(&self, table: &PasidTable, pasid: u32) {
        let at = self.entry(table, pasid);
        self.store(at, 0);
    }
}

/// What the library walks.
impl GuestMemory for Tables {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
        let at = self.inside(addr, buf.len())?;
        buf.copy_from_slice(&self.memory.bytes(at, buf.len()));
        Ok(())
    }

    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
        self.memory.write(self.inside(addr, buf.len())?, buf);
        Ok(())
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        self.inside(addr, 8).map(|at| u64::from_le(self.memory.load(at)))
    }

    fn compare_exchange_u64(
        &self,
        addr: u64,
        current: u64,
        new: u64,
    ) -> Result<Result<(), u64>, MemoryError> {
        let word = self.memory.atomic(self.inside(addr, 8)?);
        let result = word.compare_exchange(current.to_le(), new.to_le(), Ordering::SeqCst, Ordering::SeqCst);
        Ok(result.map(drop).map_err(u64::from_le))
    }
}

impl PasidTable {
    /// The guest's bits of the stream's entry.
    pub fn ste(&self, without: WithoutPasid) -> [u64; 2] {
        let format = match self.shape {
            Shape::Linear => 0,
            Shape::Leaf4K => 1,
            Shape::Leaf64K => 2,
        };
        let word0 = Ste0::from(0)
            .with_v(1)
            .with_config(config::S1)
            .with_s1fmt(format)
            .with_s1contextptr(self.base >> 6)
            .with_s1cdmax(self.bits.into());
        // CDs in write-back memory, inner shareable.
        let word1 = Ste1::from(0).with_s1dss(without as u64).with_s1cir(1).with_s1cor(1).with_s1csh(3);
        [word0.bits(), word1.bits()]
    }
}
