// SPDX-License-Identifier: GPL-2.0-or-later
//! A function behind two stages: iommufd translates what a stage 1 of this process's own making puts out.
//!
//! Context descriptor and tables are as `IHI0070 §5.4` and the Arm ARM have them, 4 KiB pages and 48 bits. They lie in
//! memory that the second stage shows at [`POOL`]; other memory has intermediate addresses of the caller's choice.

use std::cell::Cell;

use super::{Assigned, Refused, ask, failed, halves};
use crate::device::Device;
use crate::memory::Mapping;
use crate::pci::Function;

mod request {
    pub const INVALIDATE: libc::Ioctl = 0x3b8d;
    pub const VIOMMU_ALLOC: libc::Ioctl = 0x3b90;
    pub const VDEVICE_ALLOC: libc::Ioctl = 0x3b91;
}

/// `IOMMU_HWPT_ALLOC_NEST_PARENT`
const NEST_PARENT: u32 = 1;
/// `IOMMU_VIOMMU_TYPE_ARM_SMMUV3`
const VIRTUAL_SMMU: u32 = 1;
/// `IOMMU_HWPT_DATA_ARM_SMMUV3`
const STREAM_TABLE_ENTRY: u32 = 2;
/// `IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3`
const COMMANDS: u32 = 1;
/// The function's StreamID as commands name it.
const STREAM: u64 = 0x5a;
/// Where the context descriptor and the tables are, for stage 1.
pub const POOL: u64 = 0x1_0000_0000;
const POOL_SIZE: usize = 1 << 20;
/// Size of a page and of a table.
pub const PAGE: u64 = 4096;
/// Access flag, inner shareable, `AP[1]`, not global.
const LEAF: u64 = 1 << 10 | 3 << 8 | 1 << 6 | 1 << 11 | 0b11;
/// `AP[2]`
const READ_ONLY: u64 = 1 << 7;

/// A function, its two stages, and who answers for them.
#[derive(Debug)]
pub struct Nested {
    assigned: Assigned,
    virtual_smmu: u32,
    pool: Mapping,
    /// How much of the pool is in use.
    used: Cell<usize>,
}

impl Nested {
    /// Takes `function`, which no process may be bound to. Stage 1 maps nothing yet, for ASID `asid`.
    ///
    /// # Errors
    /// What is missing, or what failed.
    pub fn new(function: &Function, asid: u16) -> Result<Self, Refused> {
        let assigned = Assigned::take(function)?;
        let parent = match assigned.allocate(NEST_PARENT, assigned.space, None) {
            Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                return Err(Refused::Cannot("the IOMMU does not nest".into()));
            }
            result => result.map_err(failed("IOMMU_HWPT_ALLOC of a parent"))?,
        };
        // size, flags, type, dev_id, hwpt_id, out_viommu_id, data_len, -, data_uptr
        let mut virtual_smmu = [0, 0, VIRTUAL_SMMU, assigned.device_id, parent, 0, 0, 0, 0, 0];
        match ask(&assigned.iommufd, request::VIOMMU_ALLOC, &mut virtual_smmu) {
            Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                return Err(Refused::Cannot("the IOMMU's driver gives out no virtual SMMU".into()));
            }
            result => result.map_err(failed("IOMMU_VIOMMU_ALLOC"))?,
        }
        let virtual_smmu = virtual_smmu[5];
        let [low, high] = halves(STREAM);
        // size, viommu_id, dev_id, out_vdevice_id, virt_id
        let mut device = [0, virtual_smmu, assigned.device_id, 0, low, high];
        ask(&assigned.iommufd, request::VDEVICE_ALLOC, &mut device).map_err(failed("IOMMU_VDEVICE_ALLOC"))?;
        let pool = Mapping::aligned(POOL_SIZE, POOL_SIZE).map_err(failed("memory for tables"))?;
        pool.set(0, POOL_SIZE, 0);
        let nested = Self { assigned, virtual_smmu, pool, used: Cell::new(2 * PAGE as usize) };
        nested.show(&nested.pool, POOL, true).map_err(Refused::Failed)?;
        nested.describe(asid, nested.root(0));
        // V, Config = stage 1; CDs in write-back memory, inner shareable.
        let entry = [1 | 0b101 << 1 | POOL, 1 << 2 | 1 << 4 | 3 << 6];
        let tables = nested
            .assigned
            .allocate(0, virtual_smmu, Some((STREAM_TABLE_ENTRY, &entry)))
            .map_err(failed("IOMMU_HWPT_ALLOC of a nested stage 1"))?;
        nested.assigned.attach(tables)?;
        Ok(nested)
    }

    /// The function, ready to be driven.
    ///
    /// # Errors
    /// What failed.
    pub fn device(&self, function: &Function) -> Result<Device, String> {
        self.assigned.device(function)
    }

    /// Stage 2: shows memory at an intermediate address.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn show(&self, memory: &Mapping, at: u64, writable: bool) -> Result<(), String> {
        self.assigned.map_at(memory, at, writable)
    }

    /// Writes the context descriptor: lower half alone, 48 bits in and out, faults recorded and aborted.
    pub fn describe(&self, asid: u16, root: u64) {
        let attributes = 1 << 8 | 1 << 10 | 3 << 12;
        let word = 16
            | attributes
            | 1 << 30
            | 1 << 31
            | 5 << 32
            | 1 << 41
            | 1 << 45
            | 1 << 46
            | u64::from(asid) << 48;
        self.pool.store(8, root.to_le());
        self.pool.store(24, 0xffu64.to_le());
        self.pool.store(0, word.to_le());
    }

    /// The `n`th table to begin with, which is there from the start for 0 and made for others.
    pub fn root(&self, n: usize) -> u64 {
        if n == 0 { POOL + PAGE } else { self.table() }
    }

    fn table(&self) -> u64 {
        let at = self.used.get();
        assert!(at + PAGE as usize <= POOL_SIZE, "too many tables");
        self.used.set(at + PAGE as usize);
        POOL + at as u64
    }

    /// Stage 1: the descriptor of the page at `address`, below `root`.
    fn place(&self, root: u64, address: u64) -> usize {
        let mut table = root;
        for level in 0..3 {
            let at = (table - POOL + 8 * (address >> (39 - 9 * level) & 0x1ff)) as usize;
            let descriptor = u64::from_le(self.pool.load(at));
            table = if descriptor == 0 {
                let new = self.table();
                self.pool.store(at, (new | 0b11).to_le());
                new
            } else {
                descriptor & 0x0000_ffff_ffff_f000
            };
        }
        (table - POOL + 8 * (address >> 12 & 0x1ff)) as usize
    }

    /// Stage 1: `len` bytes at `address` are at the intermediate address `to`.
    pub fn map(&self, root: u64, address: u64, to: u64, len: u64, writable: bool) {
        let rights = if writable { 0 } else { READ_ONLY };
        for offset in (0..len).step_by(PAGE as usize) {
            self.pool.store(self.place(root, address + offset), ((to + offset) | LEAF | rights).to_le());
        }
    }

    /// Stage 1: the page at `address` is gone.
    pub fn unmap(&self, root: u64, address: u64) {
        self.pool.store(self.place(root, address), 0);
    }

    /// Has commands carried out: `CMD_TLBI_NH_*` for the tables, `CMD_CFGI_CD` for the descriptor (`IHI0070 §4`).
    ///
    /// # Errors
    /// What the kernel says.
    pub fn command(&self, command: [u64; 2]) -> Result<(), String> {
        let commands = [command.map(u64::to_le)];
        let [low, high] = halves(commands.as_ptr().expose_provenance() as u64);
        // size, hwpt_id, data_uptr, data_type, entry_len, entry_num, -
        let mut invalidate = [0, self.virtual_smmu, low, high, COMMANDS, 16, 1, 0];
        ask(&self.assigned.iommufd, request::INVALIDATE, &mut invalidate)
            .map_err(|e| format!("IOMMU_HWPT_INVALIDATE of {command:#x?}: {e}"))?;
        if invalidate[6] == 1 { Ok(()) } else { Err(format!("{command:#x?} was not carried out")) }
    }

    /// `CMD_TLBI_NH_VA`
    ///
    /// # Errors
    /// What the kernel says.
    pub fn forget(&self, asid: u16, address: u64) -> Result<(), String> {
        self.command([0x12 | u64::from(asid) << 48, address & !(PAGE - 1) | 1])
    }

    /// `CMD_CFGI_CD`
    ///
    /// # Errors
    /// What the kernel says.
    pub fn forget_context(&self) -> Result<(), String> {
        self.command([0x05 | STREAM << 32, 1])
    }
}
