// SPDX-License-Identifier: GPL-2.0-or-later
//! Memory regions that translate: what the masters of an IOMMU see.

use core::alloc::Layout;
use core::ffi::{CStr, c_int, c_void};
use core::mem::{offset_of, size_of};
use core::ops::Deref;
use core::ptr::{self, NonNull};

use qemu_sys as sys;

use super::bql;
use super::error::report;
use super::memory::{AddressSpace, MemoryAttributes, MemoryRegion, allocate_zeroed, index, release};
use super::qom::{Object, ObjectLike};
use super::{Error, Result};

/// The access that a translation is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionAccess {
    /// Nothing: the answer should have every permission of the page, and no fault is recorded.
    Probe,
    /// A read.
    Read,
    /// A write.
    Write,
    /// Both.
    ReadWrite,
}

/// The answer to a translation request, and what a notification says is gone.
#[derive(Clone, Copy)]
pub struct TlbEntry {
    /// Where the memory is.
    pub target: &'static AddressSpace,
    /// First input address of the page.
    pub iova: u64,
    /// First output address of the page.
    pub translated: u64,
    /// Size of the page minus one, a power of two minus one.
    pub mask: u64,
    /// Reads are allowed. Neither reads nor writes: the access fails.
    pub read: bool,
    /// Writes are allowed.
    pub write: bool,
    /// Instruction fetches are allowed; only ATS looks at it, and at the next three.
    pub exec: bool,
    /// The permissions are those of privileged requests.
    pub privileged: bool,
    /// The translation holds for every PASID.
    pub global: bool,
    /// Only untranslated requests reach the page.
    pub untranslated_only: bool,
    /// The address space, in notifications; `None` for requests without PASID.
    pub pasid: Option<u32>,
}

impl TlbEntry {
    /// No access at the page of `iova`.
    pub fn denied(iova: u64) -> Self {
        Self {
            target: AddressSpace::memory(),
            iova: iova & !0xfff,
            translated: 0,
            mask: 0xfff,
            read: false,
            write: false,
            exec: false,
            privileged: false,
            global: false,
            untranslated_only: false,
            pasid: None,
        }
    }

    pub(super) fn raw(&self) -> sys::IOMMUTLBEntry {
        let mut perm = sys::IOMMUAccessFlags::IOMMU_NONE;
        if self.read {
            perm |= sys::IOMMUAccessFlags::IOMMU_RO;
        }
        if self.write {
            perm |= sys::IOMMUAccessFlags::IOMMU_WO;
        }
        for (set, flag) in [
            (self.exec, sys::IOMMUAccessFlags::IOMMU_EXEC),
            (self.privileged, sys::IOMMUAccessFlags::IOMMU_PRIV),
            (self.global, sys::IOMMUAccessFlags::IOMMU_GLOBAL),
            (self.untranslated_only, sys::IOMMUAccessFlags::IOMMU_UNTRANSLATED_ONLY),
        ] {
            if set {
                perm |= flag;
            }
        }
        sys::IOMMUTLBEntry {
            target_as: self.target.as_ptr(),
            iova: self.iova,
            translated_addr: self.translated,
            addr_mask: self.mask,
            perm,
            pasid: self.pasid.unwrap_or(sys::PCI_NO_PASID),
        }
    }
}

/// What somebody outside the model wants to be told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotifierFlags {
    /// Mappings that go away (vhost).
    pub unmap: bool,
    /// Mappings that appear (VFIO).
    pub map: bool,
    /// Device-TLB invalidations (vhost with ATS).
    pub device_unmap: bool,
}

impl NotifierFlags {
    fn from_raw(raw: sys::IOMMUNotifierFlag) -> Self {
        let has = |flag: sys::IOMMUNotifierFlag| raw.0 & flag.0 != 0;
        Self {
            unmap: has(sys::IOMMUNotifierFlag::IOMMU_NOTIFIER_UNMAP),
            map: has(sys::IOMMUNotifierFlag::IOMMU_NOTIFIER_MAP),
            device_unmap: has(sys::IOMMUNotifierFlag::IOMMU_NOTIFIER_DEVIOTLB_UNMAP),
        }
    }
}

/// A kind of translating region. Implement it for what one region knows: its model and its requester.
pub trait IommuRegionImpl: Sized + Send + Sync + 'static {
    /// QOM type of the region.
    const TYPE_NAME: &'static CStr;

    /// Translates one access. Called on any thread, with or without the BQL, inside an RCU read section;
    /// it must not block, raise an interrupt or call another device.
    fn translate(region: &IommuRegion<Self>, addr: u64, access: RegionAccess, index: usize) -> TlbEntry;

    /// Which of the region's translations an access with these attributes uses.
    fn attributes_to_index(_region: &IommuRegion<Self>, _attrs: MemoryAttributes) -> usize {
        0
    }

    /// How many translations the region has.
    fn indexes(_region: &IommuRegion<Self>) -> usize {
        1
    }

    /// Smallest page, in bytes.
    fn min_page_size(_region: &IommuRegion<Self>) -> u64 {
        4096
    }

    /// Somebody wants notifications, or no longer. An error refuses, with the reason.
    fn notifiers_changed(
        _region: &IommuRegion<Self>,
        _old: NotifierFlags,
        _new: NotifierFlags,
    ) -> Result<()> {
        Ok(())
    }

    /// Whether a new listener for mappings is told of those that exist, by translating every page once.
    const REPLAY: bool = false;
}

/// A translating region with its data.
#[repr(C)]
pub struct IommuRegion<T> {
    raw: core::cell::UnsafeCell<sys::IOMMUMemoryRegion>,
    inner: T,
}

// SAFETY: the data is `Sync`, the region is QEMU's with its own rules.
unsafe impl<T: Sync> Sync for IommuRegion<T> {}

impl<T> Deref for IommuRegion<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: IommuRegionImpl> IommuRegion<T> {
    /// The region as a memory region: the root of an address space, or part of one.
    pub fn region(&self) -> &MemoryRegion {
        // SAFETY: a translating region begins with a memory region.
        unsafe { MemoryRegion::from_ptr(self.raw.get().cast()) }
    }

    /// Whom the region's notifications reach now.
    pub fn notifiers(&self) -> NotifierFlags {
        // SAFETY: a word that changes under the BQL and is read here as QEMU reads it.
        NotifierFlags::from_raw(unsafe { (*self.raw.get()).iommu_notify_flags })
    }

    /// Tells everybody who asked that the translations in `entry`'s range are gone. Needs the BQL. The
    /// range must be a power of two in size and aligned.
    pub fn notify_unmap(&self, index_: usize, entry: &TlbEntry) {
        self.notify(sys::IOMMUNotifierFlag::IOMMU_NOTIFIER_UNMAP, index_, entry);
    }

    /// As [`Self::notify_unmap`], for those who keep translations like a device with ATS does.
    pub fn notify_device_unmap(&self, index_: usize, entry: &TlbEntry) {
        self.notify(sys::IOMMUNotifierFlag::IOMMU_NOTIFIER_DEVIOTLB_UNMAP, index_, entry);
    }

    fn notify(&self, type_: sys::IOMMUNotifierFlag, index_: usize, entry: &TlbEntry) {
        bql::assert_locked();
        let mut entry = entry.raw();
        entry.perm = sys::IOMMUAccessFlags::IOMMU_NONE;
        // SAFETY: a live region, under the BQL; the index is one of the region's.
        unsafe {
            sys::memory_region_notify_iommu(
                self.raw.get(),
                index(index_),
                sys::IOMMUTLBEvent { type_, entry },
            );
        }
    }
}

/// A translating region of a device of ours. Keep it in the device's state.
pub struct OwnedIommuRegion<T: IommuRegionImpl>(NonNull<IommuRegion<T>>);

// SAFETY: the data is `Send` and `Sync`, the region is QEMU's with its own rules.
unsafe impl<T: IommuRegionImpl> Send for OwnedIommuRegion<T> {}
// SAFETY: as above.
unsafe impl<T: IommuRegionImpl> Sync for OwnedIommuRegion<T> {}

impl<T: IommuRegionImpl> OwnedIommuRegion<T> {
    /// A region over all 64-bit addresses. Needs the BQL, and [`register`] before.
    pub fn new(owner: &Object, name: &str, inner: T) -> Self {
        bql::assert_locked();
        let raw = allocate_zeroed(Layout::new::<IommuRegion<T>>()).cast::<IommuRegion<T>>();
        // SAFETY: fresh memory of the right layout. The data comes first: QEMU may call back at once.
        unsafe { (&raw mut (*raw.as_ptr()).inner).write(inner) };
        let name = super::c_string(name);
        // SAFETY: QEMU initialises the type's instance size, which is that of the C structure alone.
        unsafe {
            sys::memory_region_init_iommu(
                raw.as_ptr().cast(),
                size_of::<sys::IOMMUMemoryRegion>(),
                T::TYPE_NAME.as_ptr(),
                owner.as_ptr(),
                name.as_ptr(),
                u64::MAX,
            );
        }
        Self(raw)
    }
}

impl<T: IommuRegionImpl> Deref for OwnedIommuRegion<T> {
    type Target = IommuRegion<T>;

    fn deref(&self) -> &IommuRegion<T> {
        // SAFETY: initialised by `new`, freed in `drop` only.
        unsafe { self.0.as_ref() }
    }
}

impl<T: IommuRegionImpl> Drop for OwnedIommuRegion<T> {
    fn drop(&mut self) {
        // SAFETY: begins with an object that QEMU finalizes when the count reaches zero.
        if unsafe { self.0.cast::<sys::Object>().as_ref() }.ref_ == 0 {
            // SAFETY: written by `new`; nobody can reach it any more.
            unsafe { ptr::drop_in_place(&raw mut (*self.0.as_ptr()).inner) };
        }
        // SAFETY: allocated by `new` with this layout.
        unsafe { release(self.0.cast(), Layout::new::<IommuRegion<T>>()) };
    }
}

/// Registers the region's QOM type. Once, before the first region is made.
pub fn register<T: IommuRegionImpl>() {
    const { assert!(offset_of!(IommuRegion<T>, raw) == 0) };
    let info = sys::TypeInfo {
        name: T::TYPE_NAME.as_ptr(),
        parent: sys::TYPE_IOMMU_MEMORY_REGION.as_ptr().cast(),
        instance_size: size_of::<sys::IOMMUMemoryRegion>(),
        class_init: Some(class_init::<T>),
        ..sys::TypeInfo::default()
    };
    // SAFETY: QEMU copies the names; the callback matches the type.
    unsafe { sys::type_register_static(&info) };
}

unsafe extern "C" fn class_init<T: IommuRegionImpl>(class: *mut sys::ObjectClass, _data: *const c_void) {
    // SAFETY: the class of a type derived from `iommu-memory-region`, under construction.
    let class = unsafe { &mut *class.cast::<sys::IOMMUMemoryRegionClass>() };
    class.translate = Some(translate::<T>);
    class.attrs_to_index = Some(attrs_to_index::<T>);
    class.num_indexes = Some(num_indexes::<T>);
    class.get_min_page_size = Some(min_page_size::<T>);
    class.notify_flag_changed = Some(flag_changed::<T>);
    if !T::REPLAY {
        class.replay = Some(replay_nothing);
    }
}

/// # Safety
/// `raw` is a region of `T`'s QOM type, which only `OwnedIommuRegion::new` makes.
unsafe fn from_raw<'a, T: IommuRegionImpl>(raw: *mut sys::IOMMUMemoryRegion) -> &'a IommuRegion<T> {
    // SAFETY: the caller's promise.
    unsafe { &*raw.cast() }
}

unsafe extern "C" fn translate<T: IommuRegionImpl>(
    raw: *mut sys::IOMMUMemoryRegion,
    addr: sys::hwaddr,
    flags: sys::IOMMUAccessFlags,
    index: c_int,
) -> sys::IOMMUTLBEntry {
    let has = |flag: sys::IOMMUAccessFlags| flags.0 & flag.0 != 0;
    let access = match (has(sys::IOMMUAccessFlags::IOMMU_RO), has(sys::IOMMUAccessFlags::IOMMU_WO)) {
        (false, false) => RegionAccess::Probe,
        (true, false) => RegionAccess::Read,
        (false, true) => RegionAccess::Write,
        (true, true) => RegionAccess::ReadWrite,
    };
    // SAFETY: called on a region of this class.
    T::translate(unsafe { from_raw(raw) }, addr, access, usize::try_from(index).unwrap_or(0)).raw()
}

unsafe extern "C" fn attrs_to_index<T: IommuRegionImpl>(
    raw: *mut sys::IOMMUMemoryRegion,
    attrs: sys::MemTxAttrs,
) -> c_int {
    // SAFETY: called on a region of this class.
    index(T::attributes_to_index(unsafe { from_raw(raw) }, MemoryAttributes::from_raw(attrs)))
}

unsafe extern "C" fn num_indexes<T: IommuRegionImpl>(raw: *mut sys::IOMMUMemoryRegion) -> c_int {
    // SAFETY: called on a region of this class.
    index(T::indexes(unsafe { from_raw(raw) }))
}

unsafe extern "C" fn min_page_size<T: IommuRegionImpl>(raw: *mut sys::IOMMUMemoryRegion) -> u64 {
    // SAFETY: called on a region of this class.
    T::min_page_size(unsafe { from_raw(raw) })
}

unsafe extern "C" fn flag_changed<T: IommuRegionImpl>(
    raw: *mut sys::IOMMUMemoryRegion,
    old: sys::IOMMUNotifierFlag,
    new: sys::IOMMUNotifierFlag,
    errp: *mut *mut sys::Error,
) -> c_int {
    let changed = || -> Result<(), Error> {
        // SAFETY: called on a region of this class.
        T::notifiers_changed(
            unsafe { from_raw(raw) },
            NotifierFlags::from_raw(old),
            NotifierFlags::from_raw(new),
        )
    };
    // SAFETY: `errp` is QEMU's.
    if unsafe { report(errp, changed) } { 0 } else { -libc::EINVAL }
}

unsafe extern "C" fn replay_nothing(_raw: *mut sys::IOMMUMemoryRegion, _notifier: *mut sys::IOMMUNotifier) {}
