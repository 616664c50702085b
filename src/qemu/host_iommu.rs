// SPDX-License-Identifier: GPL-2.0-or-later
//! A device that VFIO has from the host, with the host's IOMMU in front of it: `HostIOMMUDevice` and iommufd.

use core::ffi::{CStr, c_void};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use qemu_sys as sys;

use super::bql;
use super::dl;
use super::error::{Error, Result};
use super::log::HOST_ERRORS;
use super::pci::PciDevice;
use super::qom::{ObjectLike, ObjectRef, object_wrappers};

object_wrappers! {
    /// A device of the host's, in an iommufd.
    IommufdDevice(sys::HostIOMMUDeviceIOMMUFD) = c"host-iommu-device-iommufd";
}

/// What VFIO is to prepare for an IOMMU of the guest's that has the host's translate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// PASIDs of the device are offered to the guest.
    pub pasids: bool,
    /// PASIDs are attached one by one.
    pub attaches_pasids: bool,
    /// Page requests of the device reach the guest, and the guest's answers the device.
    pub page_requests: bool,
}

impl Wishes {
    /// `enum viommu_flags`.
    pub(super) fn flags(self) -> u64 {
        const WANT_NESTING_PARENT: u64 = 1 << 0;
        const PASID_SUPPORTED: u64 = 1 << 1;
        const WANT_PASID_ATTACH: u64 = 1 << 3;
        // Of a patch: QEMU without it shows the guest the host's capability.
        const PRI_SUPPORTED: u64 = 1 << 4;
        let mut flags = WANT_NESTING_PARENT;
        if self.pasids {
            flags |= PASID_SUPPORTED;
        }
        if self.attaches_pasids {
            flags |= WANT_PASID_ATTACH;
        }
        if self.page_requests {
            flags |= PRI_SUPPORTED;
        }
        flags
    }
}

/// `HOST_IOMMU_QUIRK_NESTING_PARENT_BYPASS_RO`, by the hardware information of a VT-d unit: mappings of a nesting parent must be
/// writable (erratum SPR17).
pub(super) fn quirks(kind: u32, info: *const c_void, size: u32) -> u64 {
    const KIND_VTD: u32 = 1;
    const WRITABLE_ONLY: u32 = 1 << 0;
    if kind != KIND_VTD || info.is_null() || size < 4 {
        return 0;
    }
    // SAFETY: `struct iommu_hw_info_vtd` begins with its flags; there are as many bytes as QEMU says.
    let flags = unsafe { info.cast::<u32>().read_unaligned() };
    u64::from(flags & WRITABLE_ONLY)
}

type Attach = unsafe extern "C" fn(*mut sys::HostIOMMUDeviceIOMMUFD, u32, u32, *mut *mut sys::Error) -> bool;
type Detach = unsafe extern "C" fn(*mut sys::HostIOMMUDeviceIOMMUFD, u32, *mut *mut sys::Error) -> bool;

const ATTACH: &CStr = c"host_iommu_device_iommufd_attach_hwpt";
const DETACH: &CStr = c"host_iommu_device_iommufd_detach_hwpt";

impl IommufdDevice {
    /// The device that VFIO hands to an IOMMU, if iommufd has it.
    ///
    /// # Safety
    /// A live `HostIOMMUDevice`, which lives for `'a`.
    pub(super) unsafe fn from_host<'a>(raw: *mut sys::HostIOMMUDevice) -> Option<&'a Self> {
        // SAFETY: the caller's promise; QEMU checks the type.
        unsafe {
            let cast = sys::object_dynamic_cast(raw.cast(), Self::TYPE_NAME.as_ptr());
            (!cast.is_null()).then(|| Self::from_ptr(cast.cast()))
        }
    }

    /// The device's number in the iommufd.
    pub fn id(&self) -> u32 {
        // SAFETY: a live object; the number does not change.
        unsafe { (*self.as_ptr()).devid }
    }

    /// The table that VFIO attached it to: with [`Wishes`], a nesting parent.
    pub fn parent(&self) -> u32 {
        // SAFETY: as above, under the BQL.
        unsafe { (*self.as_ptr()).hwpt_id }
    }

    /// Names the iommufd: the same for devices that share it.
    pub fn backend(&self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.as_ptr()).iommufd }.addr()
    }

    /// A duplicate of the iommufd.
    pub fn iommufd(&self) -> Result<OwnedFd> {
        // SAFETY: the backend lives as long as the device, and is connected while it has devices.
        let fd = unsafe {
            let backend = (*self.as_ptr()).iommufd;
            if backend.is_null() || (*backend).fd < 0 {
                return Err(Error::new("the iommufd of the assigned device is not open"));
            }
            BorrowedFd::borrow_raw((*backend).fd)
        };
        Ok(fd.try_clone_to_owned()?)
    }

    /// Attaches the device (PASID 0), or a PASID of it, to a table of the iommufd. Under the BQL.
    pub fn attach(&self, pasid: u32, table: u32) -> io::Result<()> {
        let Some(function) = dl::symbol(ATTACH) else { return Err(unsupported()) };
        self.call(|device, errp| {
            // SAFETY: QEMU's function of this name has this signature; a live object, a place for an error.
            unsafe { core::mem::transmute::<*mut c_void, Attach>(function)(device, pasid, table, errp) }
        })
    }

    /// Detaches it. Under the BQL.
    pub fn detach(&self, pasid: u32) -> io::Result<()> {
        let Some(function) = dl::symbol(DETACH) else { return Err(unsupported()) };
        self.call(|device, errp| {
            // SAFETY: as above.
            unsafe { core::mem::transmute::<*mut c_void, Detach>(function)(device, pasid, errp) }
        })
    }

    fn call(
        &self,
        f: impl FnOnce(*mut sys::HostIOMMUDeviceIOMMUFD, *mut *mut sys::Error) -> bool,
    ) -> io::Result<()> {
        bql::assert_locked();
        let mut errno = 0;
        let done = Error::catch(|errp| {
            let done = f(self.as_ptr(), errp);
            // What the system call left: QEMU makes the message from it at once.
            errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
            done
        });
        match done {
            Ok(true) => Ok(()),
            Ok(false) => Err(io::Error::from_raw_os_error(errno)),
            Err(error) => {
                log::warn!(target: HOST_ERRORS, "{error}");
                Err(io::Error::from_raw_os_error(if errno == 0 { libc::EIO } else { errno }))
            }
        }
    }

    /// A reference that keeps the device.
    pub fn keep(&self) -> ObjectRef<Self> {
        ObjectRef::new(self)
    }
}

fn unsupported() -> io::Error {
    io::Error::from_raw_os_error(libc::EOPNOTSUPP)
}

/// How VFIO has a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// It does not.
    No,
    /// With an iommufd.
    Iommufd,
    /// Without.
    Legacy,
}

impl PciDevice {
    /// Whether VFIO has the function, and how.
    pub fn assigned(&self) -> Assigned {
        // SAFETY: a live object and a type name.
        let is_vfio =
            !unsafe { sys::object_dynamic_cast(self.object().as_ptr(), c"vfio-pci".as_ptr()) }.is_null();
        if !is_vfio {
            return Assigned::No;
        }
        let link = Error::catch(|errp| {
            // SAFETY: a live object, a property's name, a place for an error.
            unsafe { sys::object_property_get_link(self.object().as_ptr(), c"iommufd".as_ptr(), errp) }
        });
        match link {
            Ok(link) if !link.is_null() => Assigned::Iommufd,
            _ => Assigned::Legacy,
        }
    }
}
