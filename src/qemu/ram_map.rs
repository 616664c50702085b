// SPDX-License-Identifier: GPL-2.0-or-later
//! Where the guest's RAM is in this process: the large pieces of an address space, so that a table walk need not ask
//! QEMU for every descriptor.
//!
//! QEMU tells of every change of the memory map under the BQL: that it begins, all that is there afterwards, and that it
//! is over. From its beginning to its end nobody finds anything here, and asks QEMU. What a reader finds is mapped until
//! the reader's RCU section ends: the map was not changing when it looked, and QEMU frees nothing of an old map before
//! all sections that began earlier have ended.

use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering, fence};
use std::sync::{Mutex, PoisonError};

use qemu_sys as sys;

use super::bql::{self, RcuGuard};
use super::memory::{AddressSpace, RegionKind, allocate_zeroed};

/// As many pieces as are kept; the largest ones. A machine has two or three.
const WINDOWS: usize = 8;
/// Pieces that are collected while the map changes.
const MOST: usize = 256;

/// A piece of writable RAM.
#[derive(Clone, Copy)]
struct Piece {
    first: u64,
    size: u64,
    host: *mut u8,
}

// SAFETY: only an address, which whoever uses it must know to be mapped.
unsafe impl Send for Piece {}

#[derive(Default)]
struct Window {
    first: AtomicU64,
    /// 0: none, and none after it.
    size: AtomicU64,
    host: AtomicPtr<u8>,
}

/// The pieces of one address space.
#[repr(C)]
pub(super) struct RamMap {
    listener: UnsafeCell<sys::MemoryListener>,
    /// Odd while the map changes.
    version: AtomicU64,
    windows: [Window; WINDOWS],
    /// What has been told of since the change began.
    told: Mutex<Vec<Piece>>,
}

// SAFETY: the listener is QEMU's, which uses it under the BQL; all else is `Sync`.
unsafe impl Sync for RamMap {}

impl RamMap {
    /// The map of an address space, for good. Needs the BQL.
    pub(super) fn follow(space: &'static AddressSpace) -> &'static Self {
        bql::assert_locked();
        const { assert!(offset_of!(RamMap, listener) == 0) };
        // SAFETY: null functions, null pointers and zeros are what QEMU expects of a listener without them.
        let zeroed: sys::MemoryListener = unsafe { core::mem::zeroed() };
        let listener = sys::MemoryListener {
            begin: Some(begin),
            commit: Some(commit),
            region_add: Some(add),
            region_nop: Some(add),
            name: c"qemu-iommu-ram".as_ptr(),
            ..zeroed
        };
        let map = Self {
            listener: UnsafeCell::new(listener),
            version: AtomicU64::new(0),
            windows: Default::default(),
            told: Mutex::default(),
        };
        let raw = allocate_zeroed(core::alloc::Layout::new::<Self>()).cast::<Self>();
        // SAFETY: fresh memory of the right layout, which stays.
        let map: &'static Self = unsafe {
            raw.write(map);
            raw.as_ref()
        };
        // SAFETY: both live as long as the process; under the BQL. It tells of what is there at once.
        unsafe { sys::memory_listener_register(map.listener.get(), space.as_ptr()) };
        map
    }

    /// The host address of guest-physical `addr`, and how many of `len` bytes follow it there. `None`: ask QEMU. Valid
    /// until the read section ends.
    #[inline]
    pub(super) fn find(&self, _rcu: &RcuGuard, addr: u64, len: u64) -> Option<(*mut u8, u64)> {
        let version = self.version.load(Ordering::Acquire);
        for window in &self.windows {
            let size = window.size.load(Ordering::Relaxed);
            if size == 0 {
                return None;
            }
            let offset = addr.wrapping_sub(window.first.load(Ordering::Relaxed));
            if offset < size {
                let host = window.host.load(Ordering::Relaxed);
                fence(Ordering::Acquire);
                if version & 1 != 0 || self.version.load(Ordering::Relaxed) != version {
                    return None;
                }
                let host = host.wrapping_add(usize::try_from(offset).ok()?);
                return Some((host, len.min(size - offset)));
            }
        }
        None
    }

    /// The first and the last address of the piece that `addr` is in. `None`: none of the large ones, or they change now.
    pub(super) fn piece(&self, addr: u64) -> Option<(u64, u64)> {
        let version = self.version.load(Ordering::Acquire);
        for window in &self.windows {
            let size = window.size.load(Ordering::Relaxed);
            let first = window.first.load(Ordering::Relaxed);
            if addr.wrapping_sub(first) < size {
                fence(Ordering::Acquire);
                let is_stable = version & 1 == 0 && self.version.load(Ordering::Relaxed) == version;
                return is_stable.then_some((first, first.saturating_add(size - 1)));
            }
        }
        None
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Vec<Piece>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self) {
        self.told().clear();
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version | 1, Ordering::SeqCst);
        // Before the first window is written, and before QEMU takes the old map away.
        fence(Ordering::SeqCst);
    }

    fn has_changed(&self) {
        let mut pieces = core::mem::take(&mut *self.told());
        pieces.sort_by_key(|piece| core::cmp::Reverse(piece.size));
        pieces.resize(WINDOWS, Piece { first: 0, size: 0, host: ptr::null_mut() });
        for (window, piece) in self.windows.iter().zip(pieces) {
            window.first.store(piece.first, Ordering::Relaxed);
            window.size.store(piece.size, Ordering::Relaxed);
            window.host.store(piece.host, Ordering::Relaxed);
        }
        let version = self.version.load(Ordering::Relaxed);
        self.version.store((version | 1).wrapping_add(1), Ordering::Release);
    }
}

/// # Safety
/// `listener` is that of a `RamMap`.
unsafe fn map<'a>(listener: *mut sys::MemoryListener) -> &'a RamMap {
    // SAFETY: the caller's promise: a map begins with its listener, and lives as long as the process.
    unsafe { &*listener.cast() }
}

unsafe extern "C" fn begin(listener: *mut sys::MemoryListener) {
    // SAFETY: registered by `follow`.
    unsafe { map(listener) }.changes();
}

unsafe extern "C" fn commit(listener: *mut sys::MemoryListener) {
    // SAFETY: registered by `follow`.
    unsafe { map(listener) }.has_changed();
}

/// What is there, new or as before.
unsafe extern "C" fn add(listener: *mut sys::MemoryListener, section: *mut sys::MemoryRegionSection) {
    // SAFETY: registered by `follow`; a section that is copied, and whose region lives during the call.
    let (map, section) = unsafe { (map(listener), section.read()) };
    // SAFETY: as above.
    let kind = unsafe { RegionKind::of(section.mr) };
    if !kind.ram || kind.ram_device || kind.rom_device || kind.readonly || section.readonly {
        return;
    }
    let (Ok(size), Ok(offset)) = (u64::try_from(section.size), usize::try_from(section.offset_within_region))
    else {
        return;
    };
    // SAFETY: a RAM region.
    let host = unsafe { sys::memory_region_get_ram_ptr(section.mr) }.cast::<u8>();
    let mut told = map.told();
    if told.len() < MOST && !host.is_null() {
        told.push(Piece {
            first: section.offset_within_address_space,
            size,
            host: host.wrapping_add(offset),
        });
    }
}
