// SPDX-License-Identifier: GPL-2.0-or-later
//! A device in VFIO's hands, and who attaches it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use super::context::Context;
use super::ioctl;
use super::uapi;
use crate::iommu::SubstreamId;

/// Attaches a device, or one PASID of it, to a table of an iommufd. In a program that has VFIO in another place, such as
/// QEMU, that place does it.
pub trait Attachment: Send + Sync {
    /// Attaches, in place of what was attached, without a moment in between.
    ///
    /// # Errors
    /// The kernel's; what was attached still is. `EBADF`: the device is gone.
    fn attach(&self, pasid: Option<SubstreamId>, table: u32) -> io::Result<()>;

    /// Detaches: requests are aborted from now on.
    ///
    /// # Errors
    /// The kernel's.
    fn detach(&self, pasid: Option<SubstreamId>) -> io::Result<()>;
}

/// An open `/dev/vfio/devices/vfio*` that is bound to an iommufd.
#[derive(Debug)]
pub struct VfioDevice {
    file: File,
    id: u32,
}

impl VfioDevice {
    /// Opens a device's node and binds it.
    ///
    /// # Errors
    /// The kernel's. `EPERM`: interrupts are not remapped, or translation is not coherent.
    pub fn open(node: &Path, context: &Context) -> io::Result<Self> {
        Self::bind(OpenOptions::new().read(true).write(true).open(node)?, context)
    }

    /// Binds an open one.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn bind(file: File, context: &Context) -> io::Result<Self> {
        let mut bind = uapi::VfioBind { iommufd: context.fd().as_raw_fd(), ..uapi::VfioBind::default() };
        ioctl::call(file.as_fd(), &uapi::VFIO_BIND, &mut bind)?;
        Ok(Self { file, id: bind.out_devid })
    }

    /// The number that the iommufd has given it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its file: registers and configuration space are in there, at [`region`](Self::region)s.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its descriptor.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Where in the file a region is, and how large: a BAR, or 7 for configuration space.
    ///
    /// # Errors
    /// The kernel's.
    pub fn region(&self, index: u32) -> io::Result<(u64, u64)> {
        let mut info = uapi::VfioRegionInfo { index, ..uapi::VfioRegionInfo::default() };
        ioctl::call(self.fd(), &uapi::VFIO_REGION_INFO, &mut info)?;
        Ok((info.offset, info.size))
    }

    /// Function-level reset.
    ///
    /// # Errors
    /// The kernel's.
    pub fn reset(&self) -> io::Result<()> {
        ioctl::call_plain(self.fd(), uapi::VFIO_RESET)
    }
}

impl Attachment for VfioDevice {
    fn attach(&self, pasid: Option<SubstreamId>, table: u32) -> io::Result<()> {
        let mut attach = uapi::VfioAttach {
            flags: if pasid.is_some() { uapi::VFIO_PASID } else { 0 },
            pt_id: table,
            pasid: pasid.unwrap_or(0),
            ..uapi::VfioAttach::default()
        };
        ioctl::call(self.fd(), &uapi::VFIO_ATTACH, &mut attach)
    }

    fn detach(&self, pasid: Option<SubstreamId>) -> io::Result<()> {
        let mut detach = uapi::VfioDetach {
            flags: if pasid.is_some() { uapi::VFIO_PASID } else { 0 },
            pasid: pasid.unwrap_or(0),
            ..uapi::VfioDetach::default()
        };
        ioctl::call(self.fd(), &uapi::VFIO_DETACH, &mut detach)
    }
}

impl<T: Attachment> Attachment for std::sync::Arc<T> {
    fn attach(&self, pasid: Option<SubstreamId>, table: u32) -> io::Result<()> {
        self.as_ref().attach(pasid, table)
    }

    fn detach(&self, pasid: Option<SubstreamId>) -> io::Result<()> {
        self.as_ref().detach(pasid)
    }
}
