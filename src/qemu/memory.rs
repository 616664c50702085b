// SPDX-License-Identifier: GPL-2.0-or-later
//! Memory regions and address spaces.

use core::alloc::Layout;
use core::ffi::{c_int, c_uint, c_void};
use core::marker::PhantomData;
use core::mem::zeroed;
use core::ops::Deref;
use core::ptr::NonNull;

use qemu_sys as sys;

use super::bql;
use super::qom::{DeviceImpl, Object, ObjectLike, Qom, object_wrappers};

object_wrappers! {
    /// A memory region.
    MemoryRegion(sys::MemoryRegion) = c"memory-region";
}

/// Register accesses of one region. A marker type without values names the callbacks, since a device can
/// have several regions.
pub trait RegionOps: 'static {
    /// The device.
    type Device: DeviceImpl;

    /// Sizes in bytes that the guest may access with. Others are refused like a bus error.
    const ACCESS_SIZES: core::ops::RangeInclusive<u32> = 1..=8;
    /// Sizes in bytes that `read` and `write` are called with; others are split or widened by QEMU.
    const IMPL_SIZES: core::ops::RangeInclusive<u32> = 1..=8;
    /// Whether accesses that are not aligned to their size reach the device.
    const UNALIGNED: bool = false;

    /// Reads `size` bytes at `offset`, little-endian, under the BQL.
    fn read(device: &Qom<Self::Device>, offset: u64, size: u32) -> u64;

    /// Writes `size` bytes at `offset`, little-endian, under the BQL.
    fn write(device: &Qom<Self::Device>, offset: u64, value: u64, size: u32);
}

unsafe extern "C" fn read<O: RegionOps>(opaque: *mut c_void, offset: sys::hwaddr, size: c_uint) -> u64 {
    // SAFETY: the region was made with the device as context, and the device owns the region.
    O::read(unsafe { Qom::from_raw(opaque) }, offset, size)
}

unsafe extern "C" fn write<O: RegionOps>(opaque: *mut c_void, offset: sys::hwaddr, value: u64, size: c_uint) {
    super::log::refresh_level();
    // SAFETY: as for `read`.
    O::write(unsafe { Qom::from_raw(opaque) }, offset, value, size);
}

/// The table that QEMU keeps a pointer to.
struct OpsTable<O>(PhantomData<O>);

impl<O: RegionOps> OpsTable<O> {
    const OPS: &'static sys::MemoryRegionOps = &{
        // SAFETY: null functions and zeros are what an absent member is in C.
        let mut ops: sys::MemoryRegionOps = unsafe { zeroed() };
        ops.read = Some(read::<O>);
        ops.write = Some(write::<O>);
        ops.endianness = sys::device_endian_DEVICE_LITTLE_ENDIAN;
        ops.valid.min_access_size = *O::ACCESS_SIZES.start();
        ops.valid.max_access_size = *O::ACCESS_SIZES.end();
        ops.valid.unaligned = O::UNALIGNED;
        ops.impl_.min_access_size = *O::IMPL_SIZES.start();
        ops.impl_.max_access_size = *O::IMPL_SIZES.end();
        ops.impl_.unaligned = O::UNALIGNED;
        ops
    };
}

/// A target of memory transactions where it matters who makes them.
pub trait BusRegion: Send + Sync + 'static {
    /// Sizes in bytes of accesses; others are refused like a bus error.
    const SIZES: core::ops::RangeInclusive<u32>;

    /// Reads `size` bytes at `offset`, little-endian, under the BQL. `None`: a bus error.
    fn read(&self, offset: u64, size: u32, attrs: MemoryAttributes) -> Option<u64>;

    /// Writes `size` bytes at `offset`, little-endian, under the BQL. `false`: a bus error.
    fn write(&self, offset: u64, value: u64, size: u32, attrs: MemoryAttributes) -> bool;
}

unsafe extern "C" fn bus_read<R: BusRegion>(
    opaque: *mut c_void,
    offset: sys::hwaddr,
    data: *mut u64,
    size: c_uint,
    attrs: sys::MemTxAttrs,
) -> sys::MemTxResult {
    // SAFETY: the region was made with a static target as context.
    match unsafe { &*opaque.cast::<R>() }.read(offset, size, MemoryAttributes::from_raw(attrs)) {
        Some(value) => {
            // SAFETY: QEMU's place for the result.
            unsafe { *data = value };
            sys::MEMTX_OK
        }
        None => sys::MEMTX_ERROR,
    }
}

unsafe extern "C" fn bus_write<R: BusRegion>(
    opaque: *mut c_void,
    offset: sys::hwaddr,
    value: u64,
    size: c_uint,
    attrs: sys::MemTxAttrs,
) -> sys::MemTxResult {
    // SAFETY: as for `bus_read`.
    let target = unsafe { &*opaque.cast::<R>() };
    if target.write(offset, value, size, MemoryAttributes::from_raw(attrs)) {
        sys::MEMTX_OK
    } else {
        sys::MEMTX_ERROR
    }
}

/// The table that QEMU keeps a pointer to.
struct BusOpsTable<R>(PhantomData<R>);

impl<R: BusRegion> BusOpsTable<R> {
    const OPS: &'static sys::MemoryRegionOps = &{
        // SAFETY: null functions and zeros are what an absent member is in C.
        let mut ops: sys::MemoryRegionOps = unsafe { zeroed() };
        ops.read_with_attrs = Some(bus_read::<R>);
        ops.write_with_attrs = Some(bus_write::<R>);
        ops.endianness = sys::device_endian_DEVICE_LITTLE_ENDIAN;
        ops.valid.min_access_size = *R::SIZES.start();
        ops.valid.max_access_size = *R::SIZES.end();
        ops.impl_.min_access_size = *R::SIZES.start();
        ops.impl_.max_access_size = *R::SIZES.end();
        ops
    };
}

impl MemoryRegion {
    /// The whole system memory of the machine.
    pub fn system() -> &'static Self {
        // SAFETY: the region exists from QEMU's start to its end.
        unsafe { Self::from_ptr(sys::get_system_memory()) }
    }

    /// Puts `child` at `offset` of this container. The highest priority wins where children overlap.
    /// Needs the BQL.
    pub fn add_subregion(&self, offset: u64, child: &Self, priority: i32) {
        bql::assert_locked();
        // SAFETY: two live regions, under the BQL.
        unsafe {
            sys::memory_region_add_subregion_overlap(self.as_ptr(), offset, child.as_ptr(), priority);
        }
    }

    /// Shows or hides the region. Needs the BQL.
    pub fn set_enabled(&self, enabled: bool) {
        bql::assert_locked();
        // SAFETY: a live region, under the BQL.
        unsafe { sys::memory_region_set_enabled(self.as_ptr(), enabled) };
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        // SAFETY: a live region.
        unsafe { sys::memory_region_size(self.as_ptr()) }
    }
}

/// What a region of QEMU's is, as it was just now: other threads write the flags.
#[derive(Clone, Copy)]
pub(super) struct RegionKind {
    pub ram: bool,
    pub ram_device: bool,
    pub rom_device: bool,
    pub readonly: bool,
}

impl RegionKind {
    /// # Safety
    /// A live region.
    pub(super) unsafe fn of(region: *mut sys::MemoryRegion) -> Self {
        let flag = |flag: *mut bool| {
            // SAFETY: a byte of a live region, which QEMU stores in one piece. No reference to the whole is made.
            unsafe { core::sync::atomic::AtomicBool::from_ptr(flag) }
                .load(core::sync::atomic::Ordering::Relaxed)
        };
        // SAFETY: the caller's promise.
        unsafe {
            Self {
                ram: flag(&raw mut (*region).ram),
                ram_device: flag(&raw mut (*region).ram_device),
                rom_device: flag(&raw mut (*region).rom_device),
                readonly: flag(&raw mut (*region).readonly),
            }
        }
    }
}

/// A memory region of a device of ours. Keep it in the device's state: the region refers to the device,
/// and QEMU takes it down before the device's state is dropped.
pub struct OwnedRegion(NonNull<sys::MemoryRegion>);

// SAFETY: a pointer to a structure with its own locking, see `MemoryRegion`.
unsafe impl Send for OwnedRegion {}
// SAFETY: as above.
unsafe impl Sync for OwnedRegion {}

impl OwnedRegion {
    /// Memory for a region, at an address that does not change.
    fn allocate() -> NonNull<sys::MemoryRegion> {
        bql::assert_locked();
        allocate_zeroed(Layout::new::<sys::MemoryRegion>()).cast()
    }

    /// A region of registers of `device`, `size` bytes long. Needs the BQL.
    pub fn io<O: RegionOps>(device: &Qom<O::Device>, name: &str, size: u64) -> Self {
        let raw = Self::allocate();
        let name = super::c_string(name);
        // SAFETY: fresh memory; the table is static; the owner keeps the region alive, and the region
        // is taken down before the owner goes.
        unsafe {
            sys::memory_region_init_io(
                raw.as_ptr(),
                device.object().as_ptr(),
                OpsTable::<O>::OPS,
                device.as_opaque(),
                name.as_ptr(),
                size,
            );
        }
        Self(raw)
    }

    /// A region of `size` bytes whose accesses go to `target`. Needs the BQL.
    pub fn bus<R: BusRegion>(owner: &Object, target: &'static R, name: &str, size: u64) -> Self {
        let raw = Self::allocate();
        let name = super::c_string(name);
        // SAFETY: fresh memory; table and context are static; the owner keeps the region alive.
        unsafe {
            sys::memory_region_init_io(
                raw.as_ptr(),
                owner.as_ptr(),
                BusOpsTable::<R>::OPS,
                core::ptr::from_ref(target).cast_mut().cast(),
                name.as_ptr(),
                size,
            );
        }
        Self(raw)
    }

    /// An empty container of `size` bytes; `u64::MAX` means 2^64. Needs the BQL.
    pub fn container(owner: &Object, name: &str, size: u64) -> Self {
        let raw = Self::allocate();
        let name = super::c_string(name);
        // SAFETY: as above.
        unsafe { sys::memory_region_init(raw.as_ptr(), owner.as_ptr(), name.as_ptr(), size) };
        Self(raw)
    }

    /// A window on `size` bytes of `target`, from `offset`. Needs the BQL.
    pub fn alias(owner: &Object, name: &str, target: &MemoryRegion, offset: u64, size: u64) -> Self {
        let raw = Self::allocate();
        let name = super::c_string(name);
        // SAFETY: as above; the alias takes a reference to its target.
        unsafe {
            sys::memory_region_init_alias(
                raw.as_ptr(),
                owner.as_ptr(),
                name.as_ptr(),
                target.as_ptr(),
                offset,
                size,
            );
        }
        Self(raw)
    }
}

impl Deref for OwnedRegion {
    type Target = MemoryRegion;

    fn deref(&self) -> &MemoryRegion {
        // SAFETY: initialised, and at this address until dropped.
        unsafe { MemoryRegion::from_ptr(self.0.as_ptr()) }
    }
}

impl Drop for OwnedRegion {
    fn drop(&mut self) {
        // SAFETY: `io` and the others allocated it with this layout.
        unsafe { release(self.0.cast(), Layout::new::<sys::MemoryRegion>()) };
    }
}

/// Zeroed memory for a structure of QEMU.
pub(super) fn allocate_zeroed(layout: Layout) -> NonNull<u8> {
    // SAFETY: none of the structures has size zero.
    let raw = unsafe { std::alloc::alloc_zeroed(layout) };
    NonNull::new(raw).unwrap_or_else(|| std::alloc::handle_alloc_error(layout))
}

/// Frees an object in memory of ours, unless somebody still refers to it: then it is leaked.
///
/// # Safety
/// `raw` is an object that was initialised in place, in memory from [`allocate_zeroed`] with this layout.
pub(super) unsafe fn release(raw: NonNull<u8>, layout: Layout) {
    // SAFETY: begins with an object; QEMU finalizes it when the count is zero and does not touch it after.
    let references = unsafe {
        core::sync::atomic::AtomicU32::from_ptr(&raw mut (*raw.cast::<sys::Object>().as_ptr()).ref_)
            .load(core::sync::atomic::Ordering::Acquire)
    };
    if references == 0 {
        // SAFETY: the caller's promise.
        unsafe { std::alloc::dealloc(raw.as_ptr(), layout) };
    } else {
        log::debug!(target: "qemu_iommu::qemu", "a memory region outlives its device");
    }
}

/// What a device sees as memory.
#[repr(transparent)]
pub struct AddressSpace(core::cell::UnsafeCell<sys::AddressSpace>);

// SAFETY: QEMU's address spaces are read under RCU by any thread.
unsafe impl Sync for AddressSpace {}
// SAFETY: as above.
unsafe impl Send for AddressSpace {}

impl AddressSpace {
    /// Guest-physical memory as the CPUs see it.
    pub fn memory() -> &'static Self {
        // SAFETY: exists from QEMU's start to its end; transparent wrapper.
        unsafe { &*(&raw const sys::address_space_memory).cast() }
    }

    /// An address space for good. `root` is kept alive. Needs the BQL.
    ///
    /// There is no way to take it down: users of an address space of an IOMMU keep pointers to it.
    pub fn leak(root: &MemoryRegion, name: &str) -> &'static Self {
        bql::assert_locked();
        let raw = allocate_zeroed(Layout::new::<sys::AddressSpace>()).cast::<sys::AddressSpace>();
        let name = super::c_string(name);
        // SAFETY: zeroed memory that stays; a live region; QEMU copies the name.
        unsafe { sys::address_space_init(raw.as_ptr(), root.as_ptr(), name.as_ptr()) };
        // SAFETY: initialised, never freed, transparent wrapper.
        unsafe { raw.cast::<Self>().as_ref() }
    }

    /// A reference from a pointer that QEMU gave.
    ///
    /// # Safety
    /// `raw` is an initialised address space that lives for `'a`.
    pub unsafe fn from_ptr<'a>(raw: *mut sys::AddressSpace) -> &'a Self {
        // SAFETY: the caller's promise; transparent wrapper.
        unsafe { &*raw.cast() }
    }

    /// The C structure's address.
    pub fn as_ptr(&self) -> *mut sys::AddressSpace {
        self.0.get()
    }

    /// Where the access of one byte at `addr` ends up: an offset in the region there, and how many bytes follow it. It is
    /// what QEMU finds out before it moves data, and is only good for measuring that. `None`: nothing is there.
    pub fn translates_to(&self, _rcu: &bql::RcuGuard, addr: u64, write: bool) -> Option<(u64, u64)> {
        // SAFETY: QEMU publishes the pointer by an atomic store; the view stays valid in the read section.
        let view = unsafe {
            core::sync::atomic::AtomicPtr::from_ptr(&raw mut (*self.as_ptr()).current_map)
                .load(core::sync::atomic::Ordering::Acquire)
        };
        let (mut offset, mut len) = (0, 4096);
        let attrs = MemoryAttributes::default().raw();
        // SAFETY: a view protected by RCU, and places for two results.
        let region = unsafe { sys::flatview_translate(view, addr, &mut offset, &mut len, write, attrs) };
        // SAFETY: never null; unassigned addresses have a region of their own.
        let kind = unsafe { RegionKind::of(region) };
        (kind.ram || kind.rom_device).then_some((offset, len))
    }

    /// Reads memory or registers at `addr`. Runs other devices' callbacks if it is not RAM, so no lock
    /// may be held. Like a PCI device's DMA, ordered after earlier accesses.
    pub fn read(&self, addr: u64, buf: &mut [u8], attrs: MemoryAttributes) -> Result<(), sys::MemTxResult> {
        core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
        // SAFETY: an initialised address space and a buffer of that many bytes.
        let result = unsafe {
            sys::address_space_read_full(
                self.as_ptr(),
                addr,
                attrs.raw(),
                buf.as_mut_ptr().cast(),
                buf.len() as sys::hwaddr,
            )
        };
        if result == sys::MEMTX_OK { Ok(()) } else { Err(result) }
    }

    /// Writes memory or registers at `addr`. As for [`Self::read`].
    pub fn write(&self, addr: u64, buf: &[u8], attrs: MemoryAttributes) -> Result<(), sys::MemTxResult> {
        core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
        // SAFETY: an initialised address space and a buffer of that many bytes.
        let result = unsafe {
            sys::address_space_write(
                self.as_ptr(),
                addr,
                attrs.raw(),
                buf.as_ptr().cast(),
                buf.len() as sys::hwaddr,
            )
        };
        if result == sys::MEMTX_OK { Ok(()) } else { Err(result) }
    }

    /// Writes a 32-bit little-endian word: a message-signalled interrupt. As for [`Self::read`].
    pub fn write_u32(&self, addr: u64, value: u32, attrs: MemoryAttributes) -> Result<(), sys::MemTxResult> {
        core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
        let mut result = sys::MEMTX_OK;
        // SAFETY: an initialised address space and a place for the result.
        unsafe { sys::address_space_stl_le(self.as_ptr(), addr, value, attrs.raw(), &mut result) };
        if result == sys::MEMTX_OK { Ok(()) } else { Err(result) }
    }
}

/// `PCI_AT_TRANSLATED` of QEMU's `hw/pci/pci.h`: the AT field of a translated request.
const ADDRESS_TRANSLATED: c_uint = 1;

/// Attributes of a memory transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryAttributes {
    /// The transaction must end in RAM; registers refuse it.
    pub ram_only: bool,
    /// Who asks, for interrupt controllers that look at it; `None` leaves all attributes unspecified.
    pub requester: Option<u16>,
    /// A secure access.
    pub secure: bool,
    /// The address comes from an ATS translation.
    pub translated: bool,
}

impl MemoryAttributes {
    pub(super) fn raw(self) -> sys::MemTxAttrs {
        let mut raw = sys::MemTxAttrs::default();
        if self == Self::default() {
            raw.unspecified = true;
            return raw;
        }
        raw.set_memory(c_uint::from(self.ram_only));
        raw.set_secure(c_uint::from(self.secure));
        raw.set_requester_id(c_uint::from(self.requester.unwrap_or(0)));
        raw.set_address_type(if self.translated { ADDRESS_TRANSLATED } else { 0 });
        raw
    }

    pub(super) fn from_raw(raw: sys::MemTxAttrs) -> Self {
        Self {
            ram_only: raw.memory() != 0,
            requester: (!raw.unspecified).then_some(raw.requester_id() as u16),
            secure: raw.secure() != 0,
            translated: raw.address_type() == ADDRESS_TRANSLATED,
        }
    }
}

/// QEMU's `int` for a small index.
pub(super) fn index(value: usize) -> c_int {
    c_int::try_from(value).unwrap_or(c_int::MAX)
}
