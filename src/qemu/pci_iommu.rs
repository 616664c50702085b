// SPDX-License-Identifier: GPL-2.0-or-later
//! An IOMMU as the PCI buses see it.

use core::ffi::{c_int, c_void};
use core::mem::zeroed;
use core::ptr::NonNull;
use core::slice;

use qemu_sys as sys;

use super::bql;
use super::error::{Error, Result, report};
use super::host_iommu::{self, IommufdDevice, Wishes};
use super::iommu_region::TlbEntry;
use super::memory::AddressSpace;
use super::pci::{PciBus, PciDevice};
use super::pci_ats::PageResponse;
use super::qom::{DeviceImpl, ObjectLike, Qom};

/// A memory request of a PCI function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciDmaRequest {
    /// The address space; `None` for a request without PASID.
    pub pasid: Option<u32>,
    /// The request reads.
    pub read: bool,
    /// The request writes.
    pub write: bool,
    /// Execute Requested.
    pub exec: bool,
    /// Privileged Mode Requested.
    pub privileged: bool,
    /// Untranslated address.
    pub addr: u64,
    /// Names the request if it may wait, not zero. `None`: it cannot wait.
    pub tag: Option<u64>,
}

impl PciDmaRequest {
    pub(super) fn raw(&self) -> sys::PCIDMAReq {
        sys::PCIDMAReq {
            pasid: raw_pasid(self.pasid),
            read: self.read,
            write: self.write,
            exec: self.exec,
            priv_: self.privileged,
            addr: self.addr,
            tag: self.tag.unwrap_or(0),
        }
    }

    fn from_raw(raw: &sys::PCIDMAReq) -> Self {
        Self {
            pasid: pasid(raw.pasid),
            read: raw.read,
            write: raw.write,
            exec: raw.exec,
            privileged: raw.priv_,
            addr: raw.addr,
            tag: (raw.tag != 0).then_some(raw.tag),
        }
    }
}

pub(super) fn raw_pasid(pasid: Option<u32>) -> u32 {
    pasid.unwrap_or(sys::PCI_NO_PASID)
}

pub(super) fn pasid(raw: u32) -> Option<u32> {
    (raw != sys::PCI_NO_PASID).then_some(raw)
}

/// Which address spaces of a function something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pasids {
    /// All of them, and requests without PASID.
    Any,
    /// One; `None` for requests without PASID.
    One(Option<u32>),
}

impl Pasids {
    pub(super) fn raw(self) -> u32 {
        match self {
            Self::Any => sys::PCI_ANY_PASID,
            Self::One(pasid) => raw_pasid(pasid),
        }
    }

    pub(super) fn from_raw(raw: u32) -> Self {
        if raw == sys::PCI_ANY_PASID { Self::Any } else { Self::One(pasid(raw)) }
    }
}

/// The answer to [`PciIommu::dma_translate`].
pub enum DmaTranslation {
    /// The page, and what [`PciIommu::dma_end`] is told when the access is over.
    Translated(TlbEntry, u64),
    /// The request is aborted.
    Aborted,
    /// The request waits; its endpoint hears of it through [`PciDevice::dma_resolved`]. Only for
    /// requests that have a tag.
    Waiting,
}

/// Who makes a request: the function, and the bus and number that the IOMMU knows it by.
#[derive(Clone, Copy)]
pub struct Requester<'a> {
    /// The bus, possibly of an alias.
    pub bus: &'a PciBus,
    /// Device and function number, possibly of an alias.
    pub devfn: u8,
    /// The function itself.
    pub device: &'a PciDevice,
}

/// A device that translates for PCI buses. See `PCIIOMMUOps` in QEMU's `hw/pci/pci.h`.
pub trait PciIommu: DeviceImpl {
    /// What the requests of this function without PASID reach. Called under the BQL, once for a function
    /// or more often; always the same answer.
    fn address_space(this: &Qom<Self>, bus: &PciBus, devfn: u8) -> &'static AddressSpace;

    /// Translates one request. Any thread, with or without the BQL, inside an RCU read section; must not block.
    fn dma_translate(this: &Qom<Self>, from: Requester<'_>, request: &PciDmaRequest) -> DmaTranslation;

    /// The access that `dma_translate` allowed with this epoch is over. As for `dma_translate`.
    fn dma_end(this: &Qom<Self>, epoch: u64);

    /// The function gives waiting requests up: one by its tag, or all of these address spaces. The
    /// endpoint hears nothing more of them. Under the BQL.
    fn dma_cancel(this: &Qom<Self>, from: Requester<'_>, pasids: Pasids, tag: Option<u64>);

    /// After migration: the requests that the function waits with, as PASID and tag. An error, naming
    /// what differs, if this side does not know the same ones. Under the BQL.
    fn dma_restore(this: &Qom<Self>, from: Requester<'_>, waiting: &[(Option<u32>, u64)]) -> Result<()>;

    /// The function completed the ATS invalidation `itag`. Under the BQL, possibly from inside
    /// [`PciDevice::ats_invalidate`].
    fn ats_invalidated(_this: &Qom<Self>, _from: Requester<'_>, _itag: u32) {}

    /// Whether the three operations below exist.
    const ATS: bool = false;

    /// Answers an ATS translation request. The answer's permissions say what is allowed; none at all is an
    /// answer as well. Under the BQL.
    fn ats_translate(
        _this: &Qom<Self>,
        _bus: &PciBus,
        _devfn: u8,
        _request: &AtsRequest,
    ) -> core::result::Result<TlbEntry, AtsRefusal> {
        Err(AtsRefusal::Unsupported)
    }

    /// Takes a page request. An error if the group is answered with failure without software's knowledge: nobody
    /// is told any more. Under the BQL.
    fn page_request(_this: &Qom<Self>, _bus: &PciBus, _devfn: u8, _request: &PageRequest) -> Result<()> {
        Err(Error::new("this IOMMU takes no page requests"))
    }

    /// Who is told of the answers to page requests of this address space; `None`: nobody any more. Under the BQL.
    fn page_listener(
        _this: &Qom<Self>,
        _bus: &PciBus,
        _devfn: u8,
        _pasid: Option<u32>,
        _listener: Option<PageListener>,
    ) {
    }
}

/// An IOMMU that can have a host's translate for assigned devices.
pub trait Nesting: PciIommu {
    /// Whether it does; decided before it is given to a bus.
    fn nests(this: &Qom<Self>) -> bool;

    /// Whether a function may be in front of it. Under the BQL.
    fn admits(this: &Qom<Self>, bus: &PciBus, devfn: u8) -> Result<()>;

    /// VFIO hands over a device of the host's. Under the BQL.
    fn assign(this: &Qom<Self>, bus: &PciBus, devfn: u8, device: &IommufdDevice) -> Result<()>;

    /// It takes the device back. Under the BQL.
    fn unassign(this: &Qom<Self>, bus: &PciBus, devfn: u8);

    /// What VFIO is to prepare.
    fn wishes(this: &Qom<Self>) -> Wishes;

    /// Whether message-signalled interrupts of assigned devices go to one address, whatever the guest maps it by.
    const HAS_DOORBELL: bool = false;

    /// That address.
    fn doorbell(_this: &Qom<Self>) -> u64 {
        0
    }
}

/// Why a translation request has no answer (`PCIe §10.2.3`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtsRefusal {
    /// Unsupported request: the function must not make such requests.
    Unsupported,
    /// Completer abort: this one cannot be answered.
    Aborted,
}

/// An ATS translation request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtsRequest {
    /// The address space; `None` for a request without PASID.
    pub pasid: Option<u32>,
    /// Privileged Mode Requested.
    pub privileged: bool,
    /// Execute Requested.
    pub exec: bool,
    /// Untranslated address.
    pub addr: u64,
    /// Bytes that translations are asked for, by this request and its siblings.
    pub length: u64,
    /// The translation need not allow writes.
    pub no_write: bool,
}

/// A page request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The address space; `None` for a request without PASID.
    pub pasid: Option<u32>,
    /// Privileged Mode Requested.
    pub privileged: bool,
    /// Execute Requested.
    pub exec: bool,
    /// Untranslated address.
    pub addr: u64,
    /// The last request of its group.
    pub last: bool,
    /// Number of the group: 0 to 511.
    pub group: u16,
    /// The page is to be readable.
    pub read: bool,
    /// The page is to be writable.
    pub write: bool,
}

/// Somebody who waits for answers to page requests. It may be used until another one, or none, is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageListener(NonNull<sys::IOMMUPRINotifier>);

// SAFETY: used under the BQL only, which `answer` checks.
unsafe impl Send for PageListener {}
// SAFETY: as above.
unsafe impl Sync for PageListener {}

impl PageListener {
    /// Tells it how a group ended. From a bottom half, under the BQL, without any lock of the model's.
    pub fn answer(self, group: u16, response: PageResponse) {
        bql::assert_locked();
        let mut raw = sys::IOMMUPRIResponse {
            response_code: match response {
                PageResponse::Success => sys::IOMMUPRIResponseCode_IOMMU_PRI_RESP_SUCCESS,
                PageResponse::InvalidRequest => sys::IOMMUPRIResponseCode_IOMMU_PRI_RESP_INVALID_REQUEST,
                PageResponse::Failure => sys::IOMMUPRIResponseCode_IOMMU_PRI_RESP_FAILURE,
            },
            prgi: group,
        };
        // SAFETY: a notifier that is registered now: whoever unregisters it takes this listener away first.
        unsafe {
            if let Some(notify) = (*self.0.as_ptr()).notify {
                notify(self.0.as_ptr(), &mut raw);
            }
        }
    }
}

/// The table that QEMU keeps a pointer to.
pub(super) struct OpsTable<T>(core::marker::PhantomData<T>);

impl<T: Nesting> OpsTable<T> {
    /// The table for an IOMMU that nests or not.
    pub(super) fn of(iommu: &Qom<T>) -> &'static sys::PCIIOMMUOps {
        if T::nests(iommu) { Self::NESTING } else { Self::OPS }
    }

    const NESTING: &'static sys::PCIIOMMUOps = &{
        let mut ops = *Self::OPS;
        ops.supports_address_space = Some(supports_address_space::<T>);
        ops.set_iommu_device = Some(set_iommu_device::<T>);
        ops.unset_iommu_device = Some(unset_iommu_device::<T>);
        ops.get_viommu_flags = Some(get_viommu_flags::<T>);
        ops.get_host_iommu_quirks = Some(get_host_iommu_quirks);
        if T::HAS_DOORBELL {
            ops.get_msi_direct_gpa = Some(get_msi_direct_gpa::<T>);
        }
        ops
    };
}

impl<T: PciIommu> OpsTable<T> {
    const OPS: &'static sys::PCIIOMMUOps = &{
        // SAFETY: null functions are what an absent operation is in C.
        let mut ops: sys::PCIIOMMUOps = unsafe { zeroed() };
        ops.get_address_space = Some(get_address_space::<T>);
        ops.dma_translate = Some(dma_translate::<T>);
        ops.dma_end = Some(dma_end::<T>);
        ops.dma_cancel = Some(dma_cancel::<T>);
        ops.dma_restore = Some(dma_restore::<T>);
        ops.ats_inv_done = Some(ats_inv_done::<T>);
        if T::ATS {
            ops.ats_request_translation = Some(ats_request_translation::<T>);
            ops.pri_request_page = Some(pri_request_page::<T>);
            ops.pri_register_notifier = Some(pri_register_notifier::<T>);
            ops.pri_unregister_notifier = Some(pri_unregister_notifier::<T>);
        }
        ops
    };
}

impl PciBus {
    /// Makes `iommu` translate for this bus and all buses below it. Needs the BQL, before the machine runs.
    pub fn set_iommu<T: Nesting>(&self, iommu: &Qom<T>) {
        bql::assert_locked();
        // SAFETY: a live bus, a static table, and a device that lives as long as the bus: IOMMUs are not
        // hot-unplugged.
        unsafe { sys::pci_setup_iommu(self.as_ptr(), OpsTable::<T>::of(iommu), iommu.as_opaque()) };
    }

    /// As [`Self::set_iommu`], for machines that may have an IOMMU on several root buses.
    pub fn set_iommu_per_bus<T: Nesting>(&self, iommu: &Qom<T>) -> Result<()> {
        bql::assert_locked();
        let done = Error::catch(|errp| {
            // SAFETY: as above, with a place for an error.
            unsafe {
                sys::pci_setup_iommu_per_bus(self.as_ptr(), OpsTable::<T>::of(iommu), iommu.as_opaque(), errp)
            }
        })?;
        if done { Ok(()) } else { Err(Error::new("the PCI bus has an IOMMU already")) }
    }
}

/// # Safety
/// Pointers as QEMU passes them to the operations: a live bus and a live device.
unsafe fn requester<'a>(bus: *mut sys::PCIBus, devfn: c_int, device: *mut sys::PCIDevice) -> Requester<'a> {
    // SAFETY: the caller's promise.
    unsafe {
        Requester {
            bus: PciBus::from_ptr(bus),
            devfn: (devfn & 0xff) as u8,
            device: PciDevice::from_ptr(device),
        }
    }
}

// Below: `opaque` is the device that `set_iommu` was given, which lives as long as the bus.

unsafe extern "C" fn get_address_space<T: PciIommu>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
) -> *mut sys::AddressSpace {
    // SAFETY: see above.
    let (this, bus) = unsafe { (Qom::<T>::from_raw(opaque), PciBus::from_ptr(bus)) };
    T::address_space(this, bus, (devfn & 0xff) as u8).as_ptr()
}

unsafe extern "C" fn supports_address_space<T: Nesting>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
    errp: *mut *mut sys::Error,
) -> bool {
    // SAFETY: see above; QEMU's error place.
    unsafe {
        report(errp, || T::admits(Qom::<T>::from_raw(opaque), PciBus::from_ptr(bus), (devfn & 0xff) as u8))
    }
}

unsafe extern "C" fn set_iommu_device<T: Nesting>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
    device: *mut sys::HostIOMMUDevice,
    errp: *mut *mut sys::Error,
) -> bool {
    let devfn = (devfn & 0xff) as u8;
    // SAFETY: see above; a live device of the host's; QEMU's error place.
    unsafe {
        report(errp, || match IommufdDevice::from_host(device) {
            Some(device) => T::assign(Qom::<T>::from_raw(opaque), PciBus::from_ptr(bus), devfn, device),
            None => Err(Error::new(
                "property 'accel' of the IOMMU is on, which needs assigned devices of an iommufd: give vfio-pci an iommufd",
            )),
        })
    }
}

unsafe extern "C" fn unset_iommu_device<T: Nesting>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
) {
    // SAFETY: see above.
    unsafe { T::unassign(Qom::<T>::from_raw(opaque), PciBus::from_ptr(bus), (devfn & 0xff) as u8) };
}

unsafe extern "C" fn get_viommu_flags<T: Nesting>(opaque: *mut c_void) -> u64 {
    // SAFETY: see above.
    T::wishes(unsafe { Qom::<T>::from_raw(opaque) }).flags()
}

unsafe extern "C" fn get_host_iommu_quirks(kind: u32, info: *mut c_void, size: u32) -> u64 {
    host_iommu::quirks(kind, info, size)
}

unsafe extern "C" fn get_msi_direct_gpa<T: Nesting>(
    _bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    _devfn: c_int,
) -> u64 {
    // SAFETY: see above.
    T::doorbell(unsafe { Qom::<T>::from_raw(opaque) })
}

unsafe extern "C" fn dma_translate<T: PciIommu>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
    device: *mut sys::PCIDevice,
    request: *const sys::PCIDMAReq,
    entry: *mut sys::IOMMUTLBEntry,
    epoch: *mut u64,
) -> c_int {
    // SAFETY: see above; the request and the two results are valid for the call.
    let (this, from, request) = unsafe {
        (Qom::<T>::from_raw(opaque), requester(bus, devfn, device), PciDmaRequest::from_raw(&*request))
    };
    match T::dma_translate(this, from, &request) {
        DmaTranslation::Translated(translation, ends) => {
            // SAFETY: see above.
            unsafe {
                *entry = translation.raw();
                *epoch = ends;
            }
            0
        }
        DmaTranslation::Waiting if request.tag.is_some() => -libc::EINPROGRESS,
        DmaTranslation::Waiting | DmaTranslation::Aborted => -libc::EFAULT,
    }
}

unsafe extern "C" fn dma_end<T: PciIommu>(
    _bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    _devfn: c_int,
    epoch: u64,
) {
    // SAFETY: see above.
    T::dma_end(unsafe { Qom::from_raw(opaque) }, epoch);
}

unsafe extern "C" fn dma_cancel<T: PciIommu>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
    device: *mut sys::PCIDevice,
    pasid: u32,
    tag: u64,
) {
    // SAFETY: see above.
    let (this, from) = unsafe { (Qom::<T>::from_raw(opaque), requester(bus, devfn, device)) };
    T::dma_cancel(this, from, Pasids::from_raw(pasid), (tag != 0).then_some(tag));
}

unsafe extern "C" fn dma_restore<T: PciIommu>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
    device: *mut sys::PCIDevice,
    tags: *const u64,
    pasids: *const u32,
    n: usize,
    errp: *mut *mut sys::Error,
) -> bool {
    let waiting: Vec<(Option<u32>, u64)> = if n == 0 {
        Vec::new()
    } else {
        // SAFETY: `n` elements each.
        let (tags, pasids) = unsafe { (slice::from_raw_parts(tags, n), slice::from_raw_parts(pasids, n)) };
        pasids.iter().map(|raw| pasid(*raw)).zip(tags.iter().copied()).collect()
    };
    // SAFETY: see above; QEMU's error place.
    unsafe {
        report(errp, || T::dma_restore(Qom::<T>::from_raw(opaque), requester(bus, devfn, device), &waiting))
    }
}

unsafe extern "C" fn ats_inv_done<T: PciIommu>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
    device: *mut sys::PCIDevice,
    itag: u32,
) {
    // SAFETY: see above.
    let (this, from) = unsafe { (Qom::<T>::from_raw(opaque), requester(bus, devfn, device)) };
    T::ats_invalidated(this, from, itag);
}

unsafe extern "C" fn ats_request_translation<T: PciIommu>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
    raw_pasid: u32,
    privileged: bool,
    exec: bool,
    addr: sys::hwaddr,
    length: usize,
    no_write: bool,
    results: *mut sys::IOMMUTLBEntry,
    room: usize,
    errors: *mut u32,
) -> isize {
    // SAFETY: see above.
    let (this, bus) = unsafe { (Qom::<T>::from_raw(opaque), PciBus::from_ptr(bus)) };
    let (mut count, mut failed) = (0, 0);
    let mut request =
        AtsRequest { pasid: pasid(raw_pasid), privileged, exec, addr, length: length as u64, no_write };
    let last = addr.saturating_add((length as u64).saturating_sub(1));
    let mut done = false;
    while !done && count < room {
        let answer = match T::ats_translate(this, bus, (devfn & 0xff) as u8, &request) {
            Ok(answer) => answer,
            Err(AtsRefusal::Unsupported) => return -(libc::ENODEV as isize),
            Err(AtsRefusal::Aborted) => return -(libc::EIO as isize),
        };
        if !answer.read || !no_write && !answer.write || exec && !answer.exec {
            failed += 1;
        }
        // SAFETY: an array with that much room.
        unsafe { *results.add(count) = answer.raw() };
        count += 1;
        let end = request.addr | answer.mask;
        done = end >= last;
        request.addr = end.wrapping_add(1);
    }
    // SAFETY: QEMU's place for the count.
    unsafe { *errors = failed };
    if done { isize::try_from(count).unwrap_or(isize::MAX) } else { -(libc::ENOMEM as isize) }
}

unsafe extern "C" fn pri_request_page<T: PciIommu>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
    raw_pasid: u32,
    privileged: bool,
    exec: bool,
    addr: sys::hwaddr,
    last: bool,
    group: u16,
    read: bool,
    write: bool,
) -> c_int {
    // SAFETY: see above.
    let (this, bus) = unsafe { (Qom::<T>::from_raw(opaque), PciBus::from_ptr(bus)) };
    let request = PageRequest { pasid: pasid(raw_pasid), privileged, exec, addr, last, group, read, write };
    match T::page_request(this, bus, (devfn & 0xff) as u8, &request) {
        Ok(()) => 0,
        Err(error) => {
            log::debug!(target: "guest_errors", "page request at {addr:#x} refused: {error}");
            -libc::EPERM
        }
    }
}

unsafe extern "C" fn pri_register_notifier<T: PciIommu>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
    raw_pasid: u32,
    notifier: *mut sys::IOMMUPRINotifier,
) {
    // SAFETY: see above.
    let (this, bus) = unsafe { (Qom::<T>::from_raw(opaque), PciBus::from_ptr(bus)) };
    let listener = NonNull::new(notifier).map(PageListener);
    T::page_listener(this, bus, (devfn & 0xff) as u8, pasid(raw_pasid), listener);
}

unsafe extern "C" fn pri_unregister_notifier<T: PciIommu>(
    bus: *mut sys::PCIBus,
    opaque: *mut c_void,
    devfn: c_int,
    raw_pasid: u32,
) {
    // SAFETY: see above.
    let (this, bus) = unsafe { (Qom::<T>::from_raw(opaque), PciBus::from_ptr(bus)) };
    T::page_listener(this, bus, (devfn & 0xff) as u8, pasid(raw_pasid), None);
}

impl PciDevice {
    /// For IOMMUs: a request of this function waits no longer. `retry`: it should ask again; otherwise it
    /// is aborted. From a bottom half, under the BQL, without any lock of the model's.
    pub fn dma_resolved(&self, tag: u64, retry: bool) {
        bql::assert_locked();
        // SAFETY: a live device, under the BQL.
        unsafe { sys::pci_dma_resolved(self.as_ptr(), tag, retry) };
    }

    /// For IOMMUs: sends the function an ATS Invalidate Request for `mask` + 1 bytes at `addr`. As for
    /// [`Self::dma_resolved`].
    pub fn ats_invalidate(&self, itag: u32, pasids: Pasids, addr: u64, mask: u64) {
        bql::assert_locked();
        // SAFETY: as above.
        unsafe { sys::pci_ats_inv(self.as_ptr(), itag, pasids.raw(), addr, mask) };
    }
}
