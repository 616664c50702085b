// SPDX-License-Identifier: GPL-2.0-or-later
//! A function in the hands of this process by VFIO and iommufd: page tables of its own, without PASIDs.

mod nested;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use crate::device::Device;
use crate::memory::{Mapping, check, page_size};
use crate::pci::{self, Function};

pub use nested::{Nested, PAGE, POOL};

/// Numbers of `ioctl`s, `_IO(';', n)`.
mod request {
    pub const REGION_INFO: libc::Ioctl = 0x3b6c;
    pub const BIND: libc::Ioctl = 0x3b76;
    pub const ATTACH: libc::Ioctl = 0x3b77;
    pub const IOAS_ALLOC: libc::Ioctl = 0x3b81;
    pub const IOAS_MAP: libc::Ioctl = 0x3b85;
    pub const TABLES_ALLOC: libc::Ioctl = 0x3b89;
    pub const HARDWARE: libc::Ioctl = 0x3b8a;
    pub const DIRTY_SET: libc::Ioctl = 0x3b8b;
    pub const DIRTY_GET: libc::Ioctl = 0x3b8c;
}

/// `IOMMU_HWPT_ALLOC_DIRTY_TRACKING`
const TRACK_DIRTY: u32 = 2;
/// `IOMMU_HW_CAP_DIRTY_TRACKING`
const CAN_TRACK_DIRTY: u64 = 1;
/// `VFIO_PCI_CONFIG_REGION_INDEX`
const CONFIG_REGION: u32 = 7;
/// Command register: memory and bus master.
const COMMAND: (u64, u16) = (4, 0b110);

/// A function and the page tables that it uses.
#[derive(Debug)]
pub struct Assigned {
    iommufd: File,
    vfio: File,
    device_id: u32,
    space: u32,
    tables: u32,
}

/// Why there is none.
#[derive(Debug)]
pub enum Refused {
    /// The kernel or the machine cannot do it.
    Cannot(String),
    /// It should have worked.
    Failed(String),
}

fn failed(what: &str) -> impl Fn(io::Error) -> Refused + '_ {
    move |error| Refused::Failed(format!("{what}: {error}"))
}

/// One `ioctl` with a structure of 32-bit words that begins with its size.
fn ask<const WORDS: usize>(file: &File, request: libc::Ioctl, words: &mut [u32; WORDS]) -> io::Result<()> {
    words[0] = u32::try_from(size_of_val(words)).unwrap_or(0);
    // SAFETY: the structure has the size that it says; what the kernel writes fits in it. Addresses in it are checked by
    // the kernel against this process's mappings, and are those of mappings that the callers hold.
    check(unsafe { libc::ioctl(file.as_raw_fd(), request, words.as_mut_ptr()) })
}

fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

fn whole(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

impl Assigned {
    /// Takes `function`, which no process may be bound to, and attaches it to new, empty page tables that tell which pages were written.
    ///
    /// # Errors
    /// What is missing, or what failed.
    pub fn with_dirty_tracking(function: &Function) -> Result<Self, Refused> {
        let mut it = Self::take(function)?;
        it.tables = match it.allocate(TRACK_DIRTY, it.space, None) {
            Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) && !it.can_track()? => {
                return Err(Refused::Cannot("the IOMMU has no dirty flags".into()));
            }
            result => result.map_err(failed("IOMMU_HWPT_ALLOC with dirty tracking"))?,
        };
        it.attach(it.tables)?;
        Ok(it)
    }

    /// A function that is attached to nothing yet, and an empty address space.
    fn take(function: &Function) -> Result<Self, Refused> {
        let iommufd = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/iommu")
            .map_err(|e| Refused::Cannot(format!("/dev/iommu: {e} (CONFIG_IOMMUFD)")))?;
        if let Some(range) = pci::identity_mapped(&function.bdf) {
            return Err(Refused::Cannot(format!(
                "firmware wants {range} mapped to itself: the kernel gives out no such function"
            )));
        }
        let node = pci::assign(&function.bdf).map_err(Refused::Cannot)?;
        let vfio = OpenOptions::new().read(true).write(true).open(&node).map_err(failed(&node))?;
        let mut it = Self { iommufd, vfio, device_id: 0, space: 0, tables: 0 };
        // argsz, flags, iommufd, out_devid
        let mut bind = [0, 0, u32::try_from(it.iommufd.as_raw_fd()).unwrap_or(0), 0];
        match ask(&it.vfio, request::BIND, &mut bind) {
            Err(e) if e.raw_os_error() == Some(libc::EPERM) => {
                return Err(Refused::Cannot(
                    "the kernel gives out no function whose interrupts are not remapped".into(),
                ));
            }
            result => result.map_err(failed("VFIO_DEVICE_BIND_IOMMUFD"))?,
        }
        it.device_id = bind[3];
        // size, flags, out_ioas_id
        let mut space = [0, 0, 0];
        ask(&it.iommufd, request::IOAS_ALLOC, &mut space).map_err(failed("IOMMU_IOAS_ALLOC"))?;
        it.space = space[2];
        Ok(it)
    }

    /// Page tables for `parent`: an address space, or who answers for one; with what the IOMMU's driver wants to know.
    fn allocate(&self, flags: u32, parent: u32, data: Option<(u32, &[u64; 2])>) -> io::Result<u32> {
        // size, flags, dev_id, pt_id, out_hwpt_id, -, data_type, data_len, data_uptr, fault_id, -
        let mut tables = [0; 12];
        tables[1..4].copy_from_slice(&[flags, self.device_id, parent]);
        if let Some((kind, data)) = data {
            tables[6] = kind;
            tables[7] = u32::try_from(size_of_val(data)).unwrap_or(0);
            tables[8..10].copy_from_slice(&halves(data.as_ptr().expose_provenance() as u64));
        }
        ask(&self.iommufd, request::TABLES_ALLOC, &mut tables)?;
        Ok(tables[4])
    }

    /// Has the function use page tables.
    fn attach(&self, tables: u32) -> Result<(), Refused> {
        // argsz, flags, pt_id, pasid
        let mut attach = [0, 0, tables, 0];
        ask(&self.vfio, request::ATTACH, &mut attach).map_err(failed("VFIO_DEVICE_ATTACH_IOMMUFD_PT"))
    }

    /// What the kernel says the IOMMU can do.
    fn can_track(&self) -> Result<bool, Refused> {
        // size, flags, dev_id, data_len, data_uptr, data_type, max_pasid_log2, capabilities
        let mut info = [0; 10];
        info[2] = self.device_id;
        ask(&self.iommufd, request::HARDWARE, &mut info).map_err(failed("IOMMU_GET_HW_INFO"))?;
        Ok(whole(info[8], info[9]) & CAN_TRACK_DIRTY != 0)
    }

    fn region(&self, index: u32) -> io::Result<(u64, u64)> {
        // argsz, flags, index, cap_offset, size, offset
        let mut info = [0; 8];
        info[2] = index;
        ask(&self.vfio, request::REGION_INFO, &mut info)?;
        Ok((whole(info[4], info[5]), whole(info[6], info[7])))
    }

    /// The function, ready to be driven.
    ///
    /// # Errors
    /// What failed.
    pub fn device(&self, function: &Function) -> Result<Device, String> {
        let of = |what: &'static str| move |e: io::Error| format!("{what}: {e}");
        let (_, config) = self.region(CONFIG_REGION).map_err(of("configuration space"))?;
        self.vfio
            .write_all_at(&COMMAND.1.to_le_bytes(), config + COMMAND.0)
            .map_err(of("switching bus mastering on"))?;
        let (size, offset) = self.region(0).map_err(of("BAR 0"))?;
        let len = usize::try_from(size).unwrap_or(0).min(0x10000.max(page_size()));
        let offset = i64::try_from(offset).unwrap_or(0);
        let registers = Mapping::of_file(&self.vfio, len, libc::PROT_READ | libc::PROT_WRITE, true, offset)
            .map_err(of("mapping BAR 0"))?;
        let file = self.vfio.try_clone().map_err(of("a second descriptor"))?;
        Device::assigned(file, registers, function)
    }

    /// Makes this process's memory visible to the function, at the same addresses.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn map(&self, memory: &Mapping) -> Result<(), String> {
        self.map_at(memory, memory.address(), true)
    }

    /// The same at an address of the caller's choice.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn map_at(&self, memory: &Mapping, at: u64, writable: bool) -> Result<(), String> {
        /// FIXED_IOVA, READABLE
        const FLAGS: u32 = 5;
        /// WRITEABLE
        const WRITABLE: u32 = 2;
        let flags = if writable { FLAGS | WRITABLE } else { FLAGS };
        let [low, high] = halves(memory.address());
        let [size, more] = halves(memory.len() as u64);
        let [iova, above] = halves(at);
        // size, flags, ioas_id, -, user_va, length, iova
        let mut map = [0, flags, self.space, 0, low, high, size, more, iova, above];
        ask(&self.iommufd, request::IOAS_MAP, &mut map)
            .map_err(|e| format!("IOMMU_IOAS_MAP of {:#x} at {at:#x}: {e}", memory.address()))
    }

    /// Begins or ends telling written pages from others.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn track(&self, on: bool) -> Result<(), String> {
        // size, flags, hwpt_id, -
        let mut set = [0, u32::from(on), self.tables, 0];
        ask(&self.iommufd, request::DIRTY_SET, &mut set)
            .map_err(|e| format!("IOMMU_HWPT_SET_DIRTY_TRACKING: {e}"))
    }

    /// The numbers of the pages of `memory` that were written since they were last forgotten; with `forget` they are.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn written(&self, memory: &Mapping, forget: bool) -> Result<Vec<usize>, String> {
        let pages = memory.len() / page_size();
        let bitmap = Mapping::anonymous(pages.div_ceil(64) * 8).map_err(|e| e.to_string())?;
        bitmap.set(0, bitmap.len(), 0);
        // size, hwpt_id, flags, -, iova, length, page_size, data
        let mut get = [0; 12];
        get[1..3].copy_from_slice(&[self.tables, u32::from(!forget)]);
        let numbers = [memory.address(), memory.len() as u64, page_size() as u64, bitmap.address()];
        for (pair, number) in get[4..].chunks_exact_mut(2).zip(numbers) {
            pair.copy_from_slice(&halves(number));
        }
        ask(&self.iommufd, request::DIRTY_GET, &mut get)
            .map_err(|e| format!("IOMMU_HWPT_GET_DIRTY_BITMAP: {e}"))?;
        Ok((0..pages).filter(|n| bitmap.load(n / 64 * 8) >> (n % 64) & 1 != 0).collect())
    }
}
