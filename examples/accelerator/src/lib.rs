// SPDX-License-Identifier: GPL-2.0-or-later
//! `sum-accelerator`: a PCIe function that adds up 64-bit words of a process's memory.
//!
//! | offset | register | bits | | |
//! |---|---|---|---|---|
//! | 0x00 | ADDR   | 64 | RW | where the words are, a multiple of 8 |
//! | 0x08 | LENGTH | 32 | RW | bytes, a multiple of 8 |
//! | 0x0c | PASID  | 32 | RW | bits 19:0, and bit 31: the requests have one |
//! | 0x10 | GO     | 32 | WO | begins |
//! | 0x14 | STATUS | 32 | RO | 0 idle, 1 busy, 2 done, 3 refused by the IOMMU, 4 failed otherwise |
//! | 0x18 | SUM    | 64 | RO | the sum, when done |
//! | 0x20 | NOTIFY_ADDR | 64 | RW | where notices go, by the same PASID: registers of another device, perhaps |
//! | 0x28 | NOTIFY | 32 | WO | sends one, of this value |
//! | 0x2c | CALLED | 32 | RO | how often [`DmaClient::resolved`] was called; bit 31: once from inside a request, which must not be |
//!
//! While it is busy, writes are ignored, but for the last three. Registers are handled where they are accessed, all else in a bottom half. A
//! request that the IOMMU holds back, for a page fault that software resolves, does not block anybody: it ends at once
//! with [`DmaError::Waiting`], and is made again when [`DmaClient::resolved`] says so.

use core::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use qemu_iommu::qemu::loader::Plugin;
use qemu_iommu::qemu::{
    Bar, BottomHalf, ClassInit, DeviceImpl, DmaClient, DmaError, Error, OwnedRegion, PCIE_DEVICE, Pasids,
    PciDevice, PciDmaRequest, PciIds, Qom, RegionOps, Reset, ResetKind, Result, properties, qom,
};

qemu_iommu::device_plugin!(Plugin { register: &[qom::register::<Accelerator>], replace: &[] });

const IDS: PciIds = PciIds { vendor: 0x1234, device: 0x5acc, revision: 1, class: 0x1200 };
/// Where the PASID capability is: the first extended one.
const PASID_CAPABILITY: u16 = 0x100;
const PAGE: usize = 4096;
/// Names the one request that may wait.
const TAG: u64 = 1;

properties! {
    /// Properties of `sum-accelerator`.
    pub struct Properties {
        /// Width of PASIDs.
        pub pasid_bits: u8 = 16, c"pasid-bits", c"width of PASIDs (1-20)";
        /// For the device tree of Arm's machine: its driver may let requests of this function stall.
        pub dma_can_stall: bool = true, c"dma-can-stall", c"the device tree says that requests may be stalled";
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Status {
    #[default]
    Idle,
    Busy,
    Done,
    Refused,
    Failed,
}

#[derive(Clone, Copy, Default)]
struct Registers {
    addr: u64,
    length: u32,
    pasid: u32,
    status: Status,
    sum: u64,
    /// Bytes that are added already.
    done: u32,
    notify_addr: u64,
    notify: u32,
    called: u32,
}

/// The state of a `sum-accelerator`.
pub struct Accelerator {
    registers: Mutex<Registers>,
    bar: OnceLock<OwnedRegion>,
    work: OnceLock<BottomHalf>,
    notify: OnceLock<BottomHalf>,
    in_request: AtomicBool,
}

impl DeviceImpl for Accelerator {
    type Parent = PciDevice;
    type Properties = Properties;
    const TYPE_NAME: &'static CStr = c"sum-accelerator";
    const DESCRIPTION: &'static CStr = c"adds up words of a process's memory";
    const INTERFACES: &'static [&'static CStr] = &[PCIE_DEVICE];

    fn new() -> Self {
        Self {
            registers: Mutex::default(),
            bar: OnceLock::new(),
            work: OnceLock::new(),
            notify: OnceLock::new(),
            in_request: AtomicBool::new(false),
        }
    }

    fn realize(this: &Qom<Self>) -> Result<()> {
        let width = this.properties().pasid_bits.get();
        if !(1..=20).contains(&width) {
            return Err(Error::new(format!("pasid-bits={width} is out of range: use 1 to 20")));
        }
        let pci = this.parent();
        pci.add_express_endpoint(0)?;
        pci.add_pasid(PASID_CAPABILITY, width, false, false);
        let bar = this.bar.get_or_init(|| OwnedRegion::io::<Bar0>(this, "sum-accelerator", PAGE as u64));
        pci.register_bar(0, Bar::Memory32, bar);
        this.work.get_or_init(|| BottomHalf::new(this, Self::add_up));
        this.notify.get_or_init(|| BottomHalf::new(this, Self::send_notice));
        this.register_dma_client();
        Ok(())
    }

    fn unrealize(this: &Qom<Self>) {
        for work in [&this.work, &this.notify].into_iter().filter_map(OnceLock::get) {
            work.cancel();
        }
        this.parent().unregister_dma_client();
    }

    fn class_init(class: &mut ClassInit<'_, Self>) {
        class.pci_ids(IDS);
        class.reset();
        class.unmigratable();
    }
}

impl Accelerator {
    fn lock(&self) -> MutexGuard<'_, Registers> {
        self.registers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule(&self) {
        if let Some(work) = self.work.get() {
            work.schedule();
        }
    }

    /// The bottom half: a page, and the next one in the next turn. No lock is held while a request is under way.
    fn add_up(this: &Qom<Self>) {
        let job = *this.lock();
        if job.status != Status::Busy {
            return;
        }
        let addr = job.addr.wrapping_add(u64::from(job.done));
        let room = PAGE - (addr as usize % PAGE);
        let length = room.min((job.length - job.done) as usize);
        let mut page = [0; PAGE];
        let request = job.request(addr, Some(TAG));
        this.in_request.store(true, Ordering::Relaxed);
        let (_, result) = this.parent().dma_read(&request, &mut page[..length]);
        this.in_request.store(false, Ordering::Relaxed);
        let mut registers = this.lock();
        match result {
            Ok(()) => {
                let words = page[..length].chunks_exact(8).flat_map(<[u8; 8]>::try_from);
                registers.sum = words.map(u64::from_le_bytes).fold(registers.sum, u64::wrapping_add);
                registers.done += length as u32;
                if registers.done == registers.length {
                    registers.status = Status::Done;
                } else {
                    drop(registers);
                    this.schedule();
                }
            }
            Err(DmaError::Waiting) => {}
            Err(DmaError::Aborted) => registers.status = Status::Refused,
            Err(_) => registers.status = Status::Failed,
        }
    }

    /// The other bottom half.
    fn send_notice(this: &Qom<Self>) {
        let job = *this.lock();
        this.in_request.store(true, Ordering::Relaxed);
        // Not one that waits: software has the page of a device's registers mapped.
        let _ = this.parent().dma_write(&job.request(job.notify_addr, None), &job.notify.to_le_bytes());
        this.in_request.store(false, Ordering::Relaxed);
    }
}

impl Registers {
    fn request(&self, addr: u64, tag: Option<u64>) -> PciDmaRequest {
        PciDmaRequest {
            pasid: (self.pasid >> 31 != 0).then_some(self.pasid & 0xf_ffff),
            read: false,
            write: false,
            exec: false,
            privileged: false,
            addr,
            tag,
        }
    }
}

impl DmaClient for Accelerator {
    fn resolved(this: &Qom<Self>, _tag: u64, retry: bool) {
        let inside = u32::from(this.in_request.load(Ordering::Relaxed)) << 31;
        {
            let mut registers = this.lock();
            registers.called = (registers.called + 1) | inside;
        }
        if retry {
            this.schedule();
        } else {
            this.lock().status = Status::Refused;
        }
    }
}

impl Reset for Accelerator {
    fn hold(this: &Qom<Self>, _kind: ResetKind) {
        this.parent().dma_cancel(Pasids::Any, None);
        for work in [&this.work, &this.notify].into_iter().filter_map(OnceLock::get) {
            work.cancel();
        }
        *this.lock() = Registers::default();
    }
}

/// The registers' BAR.
enum Bar0 {}

impl RegionOps for Bar0 {
    type Device = Accelerator;
    const ACCESS_SIZES: core::ops::RangeInclusive<u32> = 4..=8;
    const IMPL_SIZES: core::ops::RangeInclusive<u32> = 4..=4;

    fn read(device: &Qom<Accelerator>, offset: u64, _size: u32) -> u64 {
        let registers = device.lock();
        match offset {
            0x00 => registers.addr & 0xffff_ffff,
            0x04 => registers.addr >> 32,
            0x08 => registers.length.into(),
            0x0c => registers.pasid.into(),
            0x14 => registers.status as u64,
            0x18 => registers.sum & 0xffff_ffff,
            0x1c => registers.sum >> 32,
            0x20 => registers.notify_addr & 0xffff_ffff,
            0x24 => registers.notify_addr >> 32,
            0x2c => registers.called.into(),
            _ => 0,
        }
    }

    fn write(device: &Qom<Accelerator>, offset: u64, value: u64, _size: u32) {
        let mut registers = device.lock();
        let word = value as u32;
        match offset {
            0x20 => registers.notify_addr = registers.notify_addr >> 32 << 32 | u64::from(word),
            0x24 => registers.notify_addr = registers.notify_addr & 0xffff_ffff | u64::from(word) << 32,
            0x28 => {
                registers.notify = word;
                drop(registers);
                if let Some(notify) = device.notify.get() {
                    notify.schedule();
                }
                return;
            }
            _ => {}
        }
        if registers.status == Status::Busy {
            return;
        }
        match offset {
            0x00 => registers.addr = registers.addr >> 32 << 32 | u64::from(word & !7),
            0x04 => registers.addr = registers.addr & 0xffff_ffff | u64::from(word) << 32,
            0x08 => registers.length = word & !7,
            0x0c => registers.pasid = word & (1 << 31 | 0xf_ffff),
            0x10 => {
                (registers.sum, registers.done, registers.status) = (0, 0, Status::Busy);
                drop(registers);
                device.schedule();
            }
            _ => {}
        }
    }
}
