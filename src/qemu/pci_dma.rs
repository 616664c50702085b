// SPDX-License-Identifier: GPL-2.0-or-later
//! Memory requests of an endpoint that can carry a PASID and can wait.

use core::ffi::{c_int, c_void};
use core::ptr;

use qemu_sys as sys;

use super::bql;
use super::error::{Error, Result};
use super::pci::PciDevice;
use super::pci_iommu::{Pasids, PciDmaRequest, raw_pasid};
use super::qom::{DeviceImpl, ObjectLike, Qom};

/// Why a request did not finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DmaError {
    /// The request waits for the IOMMU; [`DmaClient::resolved`] follows, with its tag.
    #[error("the request waits for the IOMMU")]
    Waiting,
    /// The IOMMU aborted the request.
    #[error("the IOMMU aborted the request")]
    Aborted,
    /// No memory at the translated address, or the access failed there.
    #[error("there is no memory at the translated address")]
    NoMemory,
    /// Software has not enabled bus mastering, or the PASID, privileged or execute requests.
    #[error("software has not enabled this kind of request")]
    NotEnabled,
    /// No IOMMU that knows of PASIDs.
    #[error("there is no IOMMU that knows of PASIDs")]
    Unsupported,
    /// Not a request that PCI Express can express.
    #[error("the request makes no sense")]
    Invalid,
}

impl DmaError {
    fn from_errno(errno: c_int) -> core::result::Result<(), Self> {
        match -errno {
            0 => Ok(()),
            libc::EINPROGRESS => Err(Self::Waiting),
            libc::EFAULT => Err(Self::Aborted),
            libc::EPERM => Err(Self::NotEnabled),
            libc::EOPNOTSUPP => Err(Self::Unsupported),
            libc::EINVAL => Err(Self::Invalid),
            _ => Err(Self::NoMemory),
        }
    }
}

/// An endpoint that is told about its waiting requests. Called under the BQL, from the main loop or from an access by
/// which software speaks to the IOMMU: never from inside a request of an endpoint, or an access to its registers. The IOMMU
/// is at work meanwhile; requests are for later, in a bottom half.
pub trait DmaClient: DeviceImpl<Parent = PciDevice> {
    /// The request `tag` waits no longer: ask again, or give it up if not `retry`.
    fn resolved(this: &Qom<Self>, tag: u64, retry: bool);

    /// The IOMMU takes back translations that the endpoint got by ATS. Answer with
    /// [`PciDevice::ats_invalidation_done`] when none of them is in use any more.
    fn ats_invalidate(this: &Qom<Self>, itag: u32, _pasids: Pasids, _addr: u64, _mask: u64) {
        this.parent().ats_invalidation_done(itag);
    }
}

struct OpsTable<T>(core::marker::PhantomData<T>);

impl<T: DmaClient> OpsTable<T> {
    const OPS: &'static sys::PCIDMAClientOps =
        &sys::PCIDMAClientOps { resolved: Some(resolved::<T>), ats_inv: Some(ats_inv::<T>) };
}

unsafe extern "C" fn resolved<T: DmaClient>(opaque: *mut c_void, tag: u64, retry: bool) {
    // SAFETY: the device that registered; it is forgotten when it is unrealized.
    T::resolved(unsafe { Qom::from_raw(opaque) }, tag, retry);
}

unsafe extern "C" fn ats_inv<T: DmaClient>(opaque: *mut c_void, itag: u32, raw: u32, addr: u64, mask: u64) {
    // SAFETY: as above.
    T::ats_invalidate(unsafe { Qom::from_raw(opaque) }, itag, Pasids::from_raw(raw), addr, mask);
}

impl<T: DmaClient> Qom<T> {
    /// Registers the endpoint with the PCI core: from `realize`. Undone by itself.
    pub fn register_dma_client(&self) {
        bql::assert_locked();
        // SAFETY: a static table; the core forgets the client when the device is unrealized.
        unsafe { sys::pci_dma_set_client(self.parent().as_ptr(), OpsTable::<T>::OPS, self.as_opaque()) };
    }
}

impl PciDevice {
    /// Reads memory. Returns how many bytes are in `buf`, and why not all. Any thread; data never moves
    /// after this returns.
    pub fn dma_read(
        &self,
        request: &PciDmaRequest,
        buf: &mut [u8],
    ) -> (usize, core::result::Result<(), DmaError>) {
        let request = PciDmaRequest { read: true, write: false, ..*request };
        // SAFETY: a buffer that may be written.
        unsafe { self.dma(&request, buf.as_mut_ptr().cast(), buf.len()) }
    }

    /// Writes memory. Returns how many bytes of `buf` are there, and why not all. As for [`Self::dma_read`].
    pub fn dma_write(
        &self,
        request: &PciDmaRequest,
        buf: &[u8],
    ) -> (usize, core::result::Result<(), DmaError>) {
        let request = PciDmaRequest { read: false, write: true, ..*request };
        // SAFETY: a write only reads the buffer.
        unsafe { self.dma(&request, buf.as_ptr().cast_mut().cast(), buf.len()) }
    }

    /// # Safety
    /// `buf` is valid for `len` bytes: for writes if the request reads memory, for reads otherwise.
    unsafe fn dma(
        &self,
        request: &PciDmaRequest,
        buf: *mut c_void,
        len: usize,
    ) -> (usize, core::result::Result<(), DmaError>) {
        let raw = request.raw();
        let mut done = 0;
        // SAFETY: a live device; the buffer is the caller's promise.
        let errno = unsafe { sys::pci_dma_rw_pasid(self.as_ptr(), &raw, buf, len, &mut done) };
        (done, DmaError::from_errno(errno))
    }

    /// Replaces the `size`-byte little-endian word (4 or 8) at the request's address by `desired` if it is
    /// `expected`, atomically. Returns what was there.
    pub fn dma_compare_exchange(
        &self,
        request: &PciDmaRequest,
        size: u32,
        expected: u64,
        desired: u64,
    ) -> core::result::Result<u64, DmaError> {
        let raw = PciDmaRequest { read: true, write: true, ..*request }.raw();
        let mut found = 0;
        // SAFETY: a live device and a place for the result.
        let errno =
            unsafe { sys::pci_dma_cmpxchg_pasid(self.as_ptr(), &raw, size, expected, desired, &mut found) };
        DmaError::from_errno(errno).map(|()| found)
    }

    /// Gives up waiting requests: one by its tag, or all of these address spaces. Needs the BQL.
    pub fn dma_cancel(&self, pasids: Pasids, tag: Option<u64>) {
        bql::assert_locked();
        // SAFETY: a live device, under the BQL.
        unsafe { sys::pci_dma_cancel(self.as_ptr(), pasids.raw(), tag.unwrap_or(0)) };
    }

    /// After migration: tells the IOMMU which requests the function waits with, as PASID and tag; an
    /// error if it knows others. To be called with an empty list too. Needs the BQL.
    pub fn dma_restore(&self, waiting: &[(Option<u32>, u64)]) -> Result<()> {
        bql::assert_locked();
        let tags: Vec<u64> = waiting.iter().map(|(_, tag)| *tag).collect();
        let pasids: Vec<u32> = waiting.iter().map(|(pasid, _)| raw_pasid(*pasid)).collect();
        let agreed = Error::catch(|errp| {
            // SAFETY: a live device, arrays of that many elements, a place for an error.
            unsafe { sys::pci_dma_restore(self.as_ptr(), tags.as_ptr(), pasids.as_ptr(), tags.len(), errp) }
        })?;
        if agreed { Ok(()) } else { Err(Error::new("the IOMMU does not know the device's waiting requests")) }
    }

    /// Completes the ATS invalidation `itag`. Needs the BQL.
    pub fn ats_invalidation_done(&self, itag: u32) {
        bql::assert_locked();
        // SAFETY: a live device, under the BQL.
        unsafe { sys::pci_ats_inv_done(self.as_ptr(), itag) };
    }

    /// Takes the endpoint off the PCI core before it is unrealized: waiting requests are cancelled.
    pub fn unregister_dma_client(&self) {
        bql::assert_locked();
        // SAFETY: a live device; null unregisters.
        unsafe { sys::pci_dma_set_client(self.as_ptr(), ptr::null(), ptr::null_mut()) };
    }
}
