// SPDX-License-Identifier: GPL-2.0-or-later
//! An open `/dev/iommu` and the objects in it, each of which is destroyed when it is dropped.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ioctl::{self, Payload};
use super::queues::{EventQueue, FaultQueue};
use super::uapi;

/// Entries of one `IOMMU_HWPT_INVALIDATE`. The kernel copies them to memory that is contiguous: as much as it finds without
/// trouble, and more than a driver puts before a CMD_SYNC.
pub const ENTRIES_A_CALL: usize = 2048;

/// An iommufd.
#[derive(Debug)]
pub struct Context {
    fd: OwnedFd,
    invalidations: AtomicU64,
}

/// An object of an iommufd; it is destroyed when this is dropped.
#[derive(Debug)]
pub struct Object {
    context: Arc<Context>,
    id: u32,
}

impl Object {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let mut destroy = uapi::Destroy { id: self.id, ..uapi::Destroy::default() };
        if let Err(e) = ioctl::call(self.context.fd(), &uapi::DESTROY, &mut destroy) {
            log::debug!("iommufd: destroying object {}: {e}", self.id);
        }
    }
}

/// What `IOMMU_GET_HW_INFO` says.
#[derive(Clone, Copy, Debug)]
pub struct HardwareInfo {
    /// [`uapi::hw_info`]
    pub kind: u32,
    /// Width of the device's PASIDs in bits.
    pub pasid_bits: u8,
    /// `enum iommufd_hw_capabilities`
    pub capabilities: u64,
    /// What the driver tells, zero behind its end.
    pub data: [u8; 64],
}

/// What a table is to be.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// [`uapi::hwpt`]
    pub flags: u32,
    /// The device whose IOMMU has it.
    pub device: u32,
    /// An IOAS, a nesting parent, or a vIOMMU.
    pub parent: u32,
    /// Takes faults that can be mended.
    pub faults: Option<&'a FaultQueue>,
}

impl Context {
    /// Opens `/dev/iommu`.
    ///
    /// # Errors
    /// It is not there (`CONFIG_IOMMUFD`), or not for this process.
    pub fn open() -> io::Result<Arc<Self>> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/iommu")?;
        Ok(Self::of(file.into()))
    }

    /// One that somebody else has opened.
    #[must_use]
    pub fn of(fd: OwnedFd) -> Arc<Self> {
        Arc::new(Self { fd, invalidations: AtomicU64::new(0) })
    }

    /// Its descriptor.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// How many calls of [`invalidate`](Self::invalidate) went to the kernel.
    #[must_use]
    pub fn invalidation_calls(&self) -> u64 {
        self.invalidations.load(Ordering::Relaxed)
    }

    /// Has `id` destroyed when the value is dropped.
    #[must_use]
    pub fn object(self: &Arc<Self>, id: u32) -> Object {
        Object { context: Arc::clone(self), id }
    }

    /// A new address space.
    ///
    /// # Errors
    /// The kernel's.
    pub fn ioas(self: &Arc<Self>) -> io::Result<Object> {
        let mut alloc = uapi::IoasAlloc::default();
        ioctl::call(self.fd(), &uapi::IOAS_ALLOC, &mut alloc)?;
        Ok(self.object(alloc.out_ioas_id))
    }

    /// Maps this process's memory at `address` for devices, at `iova`. Devices write to it behind the compiler's back: it is
    /// for memory that is only accessed as such.
    ///
    /// # Errors
    /// The kernel's.
    pub fn map(&self, ioas: u32, iova: u64, address: u64, len: u64, writable: bool) -> io::Result<()> {
        let write = if writable { uapi::map::WRITEABLE } else { 0 };
        let mut map = uapi::IoasMap {
            flags: uapi::map::FIXED_IOVA | uapi::map::READABLE | write,
            ioas_id: ioas,
            user_va: address,
            length: len,
            iova,
            ..uapi::IoasMap::default()
        };
        ioctl::call(self.fd(), &uapi::IOAS_MAP, &mut map)
    }

    /// Unmaps whole mappings.
    ///
    /// # Errors
    /// The kernel's.
    pub fn unmap(&self, ioas: u32, iova: u64, len: u64) -> io::Result<()> {
        let mut unmap = uapi::IoasUnmap { ioas_id: ioas, iova, length: len, ..uapi::IoasUnmap::default() };
        ioctl::call(self.fd(), &uapi::IOAS_UNMAP, &mut unmap)
    }

    /// What is in front of a device.
    ///
    /// # Errors
    /// The kernel's.
    pub fn hardware_info(&self, device: u32) -> io::Result<HardwareInfo> {
        let mut data = [0u8; 64];
        let mut info = uapi::HwInfo { dev_id: device, ..uapi::HwInfo::default() };
        ioctl::call_with(self.fd(), &uapi::GET_HW_INFO, &mut info, &mut data)?;
        Ok(HardwareInfo {
            kind: info.data_type,
            pasid_bits: info.out_max_pasid_log2,
            capabilities: info.out_capabilities,
            data,
        })
    }

    /// A table for an address space (a nesting parent with its flag), without data for the driver.
    ///
    /// # Errors
    /// The kernel's.
    pub fn table(self: &Arc<Self>, table: &Table<'_>) -> io::Result<Object> {
        let mut alloc = Self::table_alloc(table);
        ioctl::call(self.fd(), &uapi::HWPT_ALLOC, &mut alloc)?;
        Ok(self.object(alloc.out_hwpt_id))
    }

    /// A table with data for the driver, such as a nested one.
    ///
    /// # Errors
    /// The kernel's.
    pub fn table_with<P: Payload>(
        self: &Arc<Self>,
        table: &Table<'_>,
        kind: u32,
        data: P,
    ) -> io::Result<Object> {
        let mut alloc = Self::table_alloc(table);
        alloc.data_type = kind;
        ioctl::call_with(self.fd(), &uapi::HWPT_ALLOC, &mut alloc, &mut [data])?;
        Ok(self.object(alloc.out_hwpt_id))
    }

    fn table_alloc(table: &Table<'_>) -> uapi::HwptAlloc {
        let routed = if table.faults.is_some() { uapi::hwpt::FAULT_ID_VALID } else { 0 };
        uapi::HwptAlloc {
            flags: table.flags | routed,
            dev_id: table.device,
            pt_id: table.parent,
            fault_id: table.faults.map_or(0, FaultQueue::id),
            ..uapi::HwptAlloc::default()
        }
    }

    /// A vIOMMU on a nesting parent, without data for the driver.
    ///
    /// # Errors
    /// The kernel's.
    pub fn viommu(self: &Arc<Self>, kind: u32, device: u32, parent: u32) -> io::Result<Object> {
        let mut alloc =
            uapi::ViommuAlloc { kind, dev_id: device, hwpt_id: parent, ..uapi::ViommuAlloc::default() };
        ioctl::call(self.fd(), &uapi::VIOMMU_ALLOC, &mut alloc)?;
        Ok(self.object(alloc.out_viommu_id))
    }

    /// A device's name in a vIOMMU.
    ///
    /// # Errors
    /// The kernel's.
    pub fn vdevice(self: &Arc<Self>, viommu: u32, device: u32, virtual_id: u64) -> io::Result<Object> {
        let mut alloc = uapi::VdeviceAlloc {
            viommu_id: viommu,
            dev_id: device,
            virt_id: virtual_id,
            ..uapi::VdeviceAlloc::default()
        };
        ioctl::call(self.fd(), &uapi::VDEVICE_ALLOC, &mut alloc)?;
        Ok(self.object(alloc.out_vdevice_id))
    }

    /// A queue of faults that can be mended.
    ///
    /// # Errors
    /// The kernel's.
    pub fn fault_queue(self: &Arc<Self>) -> io::Result<FaultQueue> {
        let (id, fd) = ioctl::fault_queue(self.fd())?;
        Ok(FaultQueue::new(fd, Some(self.object(id))))
    }

    /// A queue of a vIOMMU's events, of `SIZE` bytes each.
    ///
    /// # Errors
    /// The kernel's.
    pub fn event_queue<const SIZE: usize>(
        self: &Arc<Self>,
        viommu: u32,
        kind: u32,
        depth: u32,
    ) -> io::Result<EventQueue<SIZE>> {
        let (id, fd) = ioctl::event_queue(self.fd(), viommu, kind, depth)?;
        Ok(EventQueue::new(fd, Some(self.object(id))))
    }

    /// Carries out invalidations in their order: of a nested table, or of a vIOMMU. One call for [`ENTRIES_A_CALL`].
    ///
    /// # Errors
    /// How many were carried out, and why not more.
    pub fn invalidate<P: Payload>(
        &self,
        target: u32,
        kind: u32,
        entries: &mut [P],
    ) -> Result<(), (usize, io::Error)> {
        let mut done = 0usize;
        for part in entries.chunks_mut(ENTRIES_A_CALL) {
            let mut invalidate =
                uapi::HwptInvalidate { hwpt_id: target, data_type: kind, ..uapi::HwptInvalidate::default() };
            self.invalidations.fetch_add(1, Ordering::Relaxed);
            let result = ioctl::call_with(self.fd(), &uapi::HWPT_INVALIDATE, &mut invalidate, part);
            let carried_out = usize::try_from(invalidate.entry_num).unwrap_or(usize::MAX).min(part.len());
            match result {
                Ok(()) if carried_out == part.len() => done = done.saturating_add(carried_out),
                Ok(()) => return Err((done.saturating_add(carried_out), errno(libc::EIO))),
                // The kernel answers with a number only when it looked at the entries.
                Err(e) if carried_out == part.len() => return Err((done, e)),
                Err(e) => return Err((done.saturating_add(carried_out), e)),
            }
        }
        Ok(())
    }
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}
