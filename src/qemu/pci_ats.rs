// SPDX-License-Identifier: GPL-2.0-or-later
//! ATS and PRI from an endpoint's side: translations that it asks for and keeps, pages that it asks for.

use core::ffi::c_int;
use core::mem::offset_of;
use core::ptr::NonNull;

use qemu_sys as sys;

use super::bql;
use super::iommu_region::TlbEntry;
use super::memory::AddressSpace;
use super::pci::PciDevice;
use super::pci_iommu::{PciDmaRequest, pasid, raw_pasid};
use super::qom::{DeviceImpl, ObjectLike, ObjectRef, Qom};

/// Why an ATS or PRI request was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AtsError {
    /// Software has not enabled it, or the endpoint is no bus master.
    #[error("software has not enabled this kind of request")]
    NotEnabled,
    /// The IOMMU does not offer it.
    #[error("the IOMMU does not offer this service")]
    Unsupported,
    /// The IOMMU refused it; the number is the positive errno of QEMU's.
    #[error("the IOMMU refused the request (errno {0})")]
    Refused(i32),
}

impl AtsError {
    fn from_errno(errno: c_int) -> Self {
        match -errno {
            libc::EPERM => Self::NotEnabled,
            libc::ENODEV => Self::Unsupported,
            other => Self::Refused(other),
        }
    }
}

/// How a page request ended. PCIe §10.4.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageResponse {
    /// The pages are there; ask for the translation again.
    Success,
    /// There is no such page, or not with these permissions.
    InvalidRequest,
    /// Page requests of this function are at an end.
    Failure,
}

/// An endpoint that makes page requests.
pub trait PriClient: DeviceImpl<Parent = PciDevice> {
    /// The page request group `group` of this address space is answered. Can come from inside an access
    /// to the IOMMU's registers: note it, and go on in a bottom half.
    fn page_response(this: &Qom<Self>, pasid: Option<u32>, group: u16, response: PageResponse);
}

/// An endpoint's ear for the page responses of one address space. Keep it in the endpoint's state; drop
/// it before the endpoint is unrealized. Needs the BQL.
pub struct PriNotifier {
    raw: NonNull<Record>,
    device: ObjectRef<PciDevice>,
}

/// What the notifier's address leads to.
#[repr(C)]
struct Record {
    raw: sys::IOMMUPRINotifier,
    device: *mut core::ffi::c_void,
    pasid: u32,
}

// SAFETY: made and dropped under the BQL, without methods.
unsafe impl Send for PriNotifier {}
// SAFETY: as above.
unsafe impl Sync for PriNotifier {}

impl PriNotifier {
    /// Listens. Software must have enabled PASID, if there is one.
    pub fn register<T: PriClient>(device: &Qom<T>, pasid_: Option<u32>) -> Result<Self, AtsError> {
        unsafe extern "C" fn notify<T: PriClient>(
            notifier: *mut sys::IOMMUPRINotifier,
            response: *mut sys::IOMMUPRIResponse,
        ) {
            const { assert!(offset_of!(Record, raw) == 0) };
            // SAFETY: the notifier is the first member of a record, which lives while it is registered;
            // the device holds the record.
            let (this, pasid_, response) = unsafe {
                let record = notifier.cast::<Record>();
                (Qom::<T>::from_raw((*record).device), (*record).pasid, *response)
            };
            let code = match response.response_code {
                sys::IOMMUPRIResponseCode_IOMMU_PRI_RESP_SUCCESS => PageResponse::Success,
                sys::IOMMUPRIResponseCode_IOMMU_PRI_RESP_INVALID_REQUEST => PageResponse::InvalidRequest,
                _ => PageResponse::Failure,
            };
            T::page_response(this, pasid(pasid_), response.prgi, code);
        }
        bql::assert_locked();
        let record = Record {
            raw: sys::IOMMUPRINotifier { notify: Some(notify::<T>) },
            device: device.as_opaque(),
            pasid: raw_pasid(pasid_),
        };
        let raw = NonNull::from(Box::leak(Box::new(record)));
        // SAFETY: a live device and a record that stays until it is unregistered.
        let errno = unsafe {
            sys::pci_pri_register_notifier(device.parent().as_ptr(), raw_pasid(pasid_), raw.as_ptr().cast())
        };
        if errno < 0 {
            // SAFETY: leaked above, and not registered.
            drop(unsafe { Box::from_raw(raw.as_ptr()) });
            return Err(AtsError::from_errno(errno));
        }
        Ok(Self { raw, device: ObjectRef::new(device.parent()) })
    }
}

impl Drop for PriNotifier {
    fn drop(&mut self) {
        bql::assert_locked();
        // SAFETY: registered by `register`, once.
        unsafe {
            sys::pci_pri_unregister_notifier(self.device.as_ptr(), (*self.raw.as_ptr()).pasid);
            drop(Box::from_raw(self.raw.as_ptr()));
        }
    }
}

impl PciDevice {
    /// Asks for the translation of the page at the request's address. `Ok(None)`: there is none that
    /// allows a read. A request that does not write asks for a translation that need not allow writes.
    pub fn ats_translate(&self, request: &PciDmaRequest) -> Result<Option<TlbEntry>, AtsError> {
        let mut entry = sys::IOMMUTLBEntry::default();
        let mut errors = 0;
        // SAFETY: a live device, one place for a result, one for a count.
        let count = unsafe {
            sys::pci_ats_request_translation(
                self.as_ptr(),
                raw_pasid(request.pasid),
                request.privileged,
                request.exec,
                request.addr & !0xfff,
                0x1000,
                !request.write,
                &mut entry,
                1,
                &mut errors,
            )
        };
        if count < 0 {
            return Err(AtsError::from_errno(c_int::try_from(count).unwrap_or(-libc::EIO)));
        }
        let read = entry.perm.0 & sys::IOMMUAccessFlags::IOMMU_RO.0 != 0;
        let write = entry.perm.0 & sys::IOMMUAccessFlags::IOMMU_WO.0 != 0;
        if count == 0 || errors != 0 || !(read || write) || entry.target_as.is_null() {
            return Ok(None);
        }
        Ok(Some(TlbEntry {
            // SAFETY: an address space that an IOMMU translates to lives as long as the machine.
            target: unsafe { AddressSpace::from_ptr(entry.target_as) },
            iova: entry.iova,
            translated: entry.translated_addr,
            mask: entry.addr_mask,
            read,
            write,
            exec: entry.perm.0 & sys::IOMMUAccessFlags::IOMMU_EXEC.0 != 0,
            pasid: request.pasid,
        }))
    }

    /// Asks for the page at the request's address, as a group of its own: [`PriClient::page_response`]
    /// follows, with this group number (0–511).
    pub fn page_request(&self, request: &PciDmaRequest, group: u16) -> Result<(), AtsError> {
        // SAFETY: a live device.
        let errno = unsafe {
            sys::pci_pri_request_page(
                self.as_ptr(),
                raw_pasid(request.pasid),
                request.privileged,
                request.exec,
                request.addr & !0xfff,
                true,
                group,
                request.read,
                request.write,
            )
        };
        if errno < 0 { Err(AtsError::from_errno(errno)) } else { Ok(()) }
    }

    /// How many page requests software allows at a time; 0 while they are disabled.
    pub fn page_request_allowance(&self) -> u32 {
        if !self.is_pri_enabled() {
            return 0;
        }
        // SAFETY: a live device with the capability.
        unsafe { sys::pcie_pri_get_req_alloc(self.as_ptr()) }
    }
}
