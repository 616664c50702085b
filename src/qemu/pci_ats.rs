// SPDX-License-Identifier: GPL-2.0-or-later
//! ATS and PRI from an endpoint's side: translations that it asks for and keeps, pages that it asks for.

use core::ffi::c_int;
use core::mem::offset_of;
use core::ptr::{self, NonNull};

use qemu_sys as sys;

use super::bql;
use super::pci::PciDevice;
use super::pci_dma::DmaClient;
use super::pci_iommu::{PciDmaRequest, raw_pasid};
use super::qom::{Object, ObjectLike, Qom};

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

/// What the IOMMU in front of a function does for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IommuServices {
    /// It translates requests with PASIDs, and lets them wait.
    pub waits: bool,
    /// It answers translation requests, and tells of invalidations.
    pub ats: bool,
    /// It bears privileged translation requests; QEMU's own model aborts on them.
    pub privileged_ats: bool,
}

/// An endpoint that keeps translations and makes page requests, and is told of what becomes of them. Both can come
/// from inside an access to the IOMMU's registers: note it, and go on in a bottom half.
pub trait AtsClient: DmaClient {
    /// The page request group `group` of this address space is answered.
    fn page_response(this: &Qom<Self>, pasid: Option<u32>, group: u16, response: PageResponse);

    /// Translations of `addr & !mask ..= addr | mask` are no longer valid, and the IOMMU takes no answer: from those
    /// that do not use [`DmaClient::ats_invalidate`].
    fn translations_gone(this: &Qom<Self>, pasid: Option<u32>, addr: u64, mask: u64);
}

/// An endpoint's ear for one address space: page responses, and invalidations by notifier. Keep it in the
/// endpoint's state; drop it before the endpoint is unrealized. Needs the BQL.
pub struct AtsListener<T: AtsClient>(NonNull<Notifiers<T>>);

/// What is registered with the IOMMU. QEMU keeps pointers to it.
#[repr(C)]
struct Notifiers<T: AtsClient> {
    // First, so that its address is that of the structure.
    pages: sys::IOMMUPRINotifier,
    invalidations: sys::IOMMUNotifier,
    /// Null once the listener is gone.
    device: *const Qom<T>,
    pasid: Option<u32>,
}

// SAFETY: made, used and dropped under the BQL.
unsafe impl<T: AtsClient> Send for AtsListener<T> {}

impl<T: AtsClient> AtsListener<T> {
    /// Listens. Software must have enabled PASID, if there is one. `None` without an IOMMU.
    pub fn register(device: &Qom<T>, pasid: Option<u32>) -> Option<Self> {
        const { assert!(offset_of!(Notifiers<T>, pages) == 0) };
        bql::assert_locked();
        let operations = device.parent().iommu_operations()?;
        let invalidations = sys::IOMMUNotifier {
            notify: Some(invalidated::<T>),
            notifier_flags: sys::IOMMUNotifierFlag::IOMMU_NOTIFIER_DEVIOTLB_UNMAP,
            end: u64::MAX,
            ..Default::default()
        };
        let pages = sys::IOMMUPRINotifier { notify: Some(page_response::<T>) };
        let notifiers = Notifiers { pages, invalidations, device: ptr::from_ref(device), pasid };
        let listener = Self(NonNull::from(Box::leak(Box::new(notifiers))));
        let raw = listener.0.as_ptr();
        let (pci, pasid) = (device.parent().as_ptr(), raw_pasid(pasid));
        // SAFETY: a live device; notifiers that stay in place until they are unregistered.
        unsafe {
            (*raw).invalidations.opaque = raw.cast();
            // An IOMMU that has neither tells by other means, or has nothing to tell.
            if operations.register_iotlb_notifier.is_some() {
                sys::pci_iommu_register_iotlb_notifier(pci, pasid, &raw mut (*raw).invalidations);
            }
            if operations.pri_register_notifier.is_some() {
                sys::pci_pri_register_notifier(pci, pasid, raw.cast());
            }
        }
        Some(listener)
    }
}

impl<T: AtsClient> Drop for AtsListener<T> {
    fn drop(&mut self) {
        bql::assert_locked();
        let raw = self.0.as_ptr();
        // SAFETY: `register` made it from a device that is still there.
        let (device, pasid) = unsafe { (&*(*raw).device, (*raw).pasid) };
        let pci = device.parent();
        if !pci.is_present() {
            // Without a bus nothing can be unregistered, and an IOMMU may still have the address: what it tells it is
            // not heard.
            // SAFETY: as above; notifiers are called under the BQL.
            unsafe { (*raw).device = ptr::null() };
            return;
        }
        // QEMU unregisters only for PASIDs that are enabled, and software may have disabled them meanwhile.
        // SAFETY: fixed when the device is realized.
        let capability = unsafe { (*pci.as_ptr()).exp.pasid_cap };
        let control = (capability != 0).then(|| {
            let offset = capability + sys::PCI_PASID_CTRL as u16;
            (offset, pci.config::<2>(offset))
        });
        if let Some((offset, [low, high])) = control {
            pci.set_config(offset, [low | sys::PCI_PASID_CTRL_ENABLE as u8, high]);
        }
        let has_iotlb_notifier =
            pci.iommu_operations().is_some_and(|operations| operations.unregister_iotlb_notifier.is_some());
        // SAFETY: a live device and what was registered. Without a registration both do nothing.
        unsafe {
            if has_iotlb_notifier {
                sys::pci_iommu_unregister_iotlb_notifier(
                    pci.as_ptr(),
                    raw_pasid(pasid),
                    &raw mut (*raw).invalidations,
                );
            }
            sys::pci_pri_unregister_notifier(pci.as_ptr(), raw_pasid(pasid));
        }
        if let Some((offset, value)) = control {
            pci.set_config(offset, value);
        }
        // SAFETY: nobody has the address any more.
        drop(unsafe { Box::from_raw(raw) });
    }
}

unsafe extern "C" fn invalidated<T: AtsClient>(
    notifier: *mut sys::IOMMUNotifier,
    entry: *mut sys::IOMMUTLBEntry,
) {
    // SAFETY: the context that `register` stored, and QEMU's entry; the device outlives its notifiers.
    let (device, pasid, entry) = unsafe {
        let notifiers = &*(*notifier).opaque.cast::<Notifiers<T>>();
        (notifiers.device.as_ref(), notifiers.pasid, &*entry)
    };
    let Some(device) = device else { return };
    T::translations_gone(device, pasid, entry.iova, entry.addr_mask);
}

unsafe extern "C" fn page_response<T: AtsClient>(
    notifier: *mut sys::IOMMUPRINotifier,
    response: *mut sys::IOMMUPRIResponse,
) {
    // SAFETY: the first member of what `register` made, and QEMU's response; the device outlives its notifiers.
    let (device, pasid, raw) = unsafe {
        let notifiers = &*notifier.cast::<Notifiers<T>>();
        (notifiers.device.as_ref(), notifiers.pasid, &*response)
    };
    let Some(device) = device else { return };
    let response = match raw.response_code {
        sys::IOMMUPRIResponseCode_IOMMU_PRI_RESP_SUCCESS => PageResponse::Success,
        sys::IOMMUPRIResponseCode_IOMMU_PRI_RESP_INVALID_REQUEST => PageResponse::InvalidRequest,
        _ => PageResponse::Failure,
    };
    T::page_response(device, pasid, raw.prgi, response);
}

/// The answer to a translation request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtsAnswer {
    /// Translated address of the page that was asked for.
    pub translated: u64,
    /// Size of the translated range minus one, a power of two minus one and at least `0xfff`.
    pub mask: u64,
    /// Reads are allowed.
    pub read: bool,
    /// Writes are allowed.
    pub write: bool,
    /// Instruction fetches are allowed.
    pub exec: bool,
    /// The permissions are those of privileged requests; otherwise they are those of the others.
    pub privileged: bool,
    /// It holds for every PASID.
    pub global: bool,
    /// The page is reached by untranslated requests only (`U`); the translated address means nothing.
    pub untranslated_only: bool,
}

impl PciDevice {
    /// The operations of the IOMMU in front; `None` once the function has left its bus.
    fn iommu_operations(&self) -> Option<sys::PCIIOMMUOps> {
        if !self.is_present() {
            return None;
        }
        let (mut iommu_bus, mut bus, mut devfn) = (ptr::null_mut(), ptr::null_mut(), 0);
        // SAFETY: a live device on a bus, and places for the results.
        unsafe {
            sys::pci_device_get_iommu_bus_devfn(self.as_ptr(), &mut iommu_bus, &mut bus, &mut devfn);
            iommu_bus.as_ref()?.iommu_ops.as_ref().copied()
        }
    }

    /// What the IOMMU in front does for this function; nothing where there is none.
    pub fn iommu_services(&self) -> IommuServices {
        let Some(operations) = self.iommu_operations() else { return IommuServices::default() };
        let ours = operations.dma_translate.is_some();
        let ats = operations.ats_request_translation.is_some() && (ours || bears_iotlb_notifiers());
        IommuServices { waits: ours && operations.dma_cancel.is_some(), ats, privileged_ats: ours }
    }

    /// Asks for the translation from the request's address (bits 63:2) to the end of its page, with its PASID,
    /// privilege, execute flag, and No Write if it does not write. `Ok(None)`: there is no translation. The answer
    /// need not allow the request.
    pub fn ats_translate(&self, request: &PciDmaRequest) -> Result<Option<AtsAnswer>, AtsError> {
        const PAGE: u64 = 0x1000;
        let mut entry = sys::IOMMUTLBEntry::default();
        let mut errors = 0;
        // SAFETY: a live device, one place for a result, one for a count.
        let count = unsafe {
            sys::pci_ats_request_translation(
                self.as_ptr(),
                raw_pasid(request.pasid),
                request.privileged,
                request.exec,
                request.addr & !3,
                (PAGE - (request.addr & (PAGE - 1) & !3)) as usize,
                !request.write,
                &mut entry,
                1,
                &mut errors,
            )
        };
        match count {
            1 => {}
            n if n == -(libc::EPERM as isize) => return Err(AtsError::NotEnabled),
            n if n == -(libc::ENODEV as isize) => return Err(AtsError::Unsupported),
            _ => return Ok(None),
        }
        let allows = |flag: sys::IOMMUAccessFlags| entry.perm.0 & flag.0 != 0;
        let (read, write, exec) = (
            allows(sys::IOMMUAccessFlags::IOMMU_RO),
            allows(sys::IOMMUAccessFlags::IOMMU_WO),
            allows(sys::IOMMUAccessFlags::IOMMU_EXEC),
        );
        let mask = entry.addr_mask | (PAGE - 1);
        let usable = (read || write || exec) && mask & mask.wrapping_add(1) == 0;
        Ok(usable.then_some(AtsAnswer {
            translated: entry.translated_addr,
            mask,
            read,
            write,
            exec,
            privileged: allows(sys::IOMMUAccessFlags::IOMMU_PRIV),
            global: allows(sys::IOMMUAccessFlags::IOMMU_GLOBAL),
            untranslated_only: allows(sys::IOMMUAccessFlags::IOMMU_UNTRANSLATED_ONLY),
        }))
    }

    /// Asks for the page at the request's address (bits 63:2), as one request of a group, the last one or not. After
    /// that [`AtsClient::page_response`] follows, with this group number (0–511), if there is an [`AtsListener`] for the
    /// address space. A last one with a PASID that neither reads nor writes is a Stop Marker, which has no response.
    pub fn page_request(&self, request: &PciDmaRequest, group: u16, last: bool) -> Result<(), AtsError> {
        // SAFETY: a live device.
        let errno = unsafe {
            sys::pci_pri_request_page(
                self.as_ptr(),
                raw_pasid(request.pasid),
                request.privileged,
                request.exec,
                request.addr & !3,
                last,
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

/// Whether the machine's IOMMU may be asked to tell of device-TLB invalidations: QEMU's own VT-d ends QEMU on such a
/// notifier if it was not set up for device TLBs.
fn bears_iotlb_notifiers() -> bool {
    // SAFETY: returns null or an object that exists as long as the machine.
    let x86 = unsafe { sys::object_resolve_path_type(c"".as_ptr(), c"x86-iommu".as_ptr(), ptr::null_mut()) };
    // SAFETY: a live object, checked.
    x86.is_null() || unsafe { Object::from_ptr(x86) }.property_bool(c"device-iotlb").unwrap_or(false)
}
