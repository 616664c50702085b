// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest's RAM for table walks and queues: [`GuestMemory`] over an address space.

use core::ffi::c_void;
use core::sync::atomic::Ordering;

use qemu_sys as sys;

use super::bql::RcuGuard;
use super::memory::{AddressSpace, MemoryAttributes, RegionKind};
use super::ram_map::RamMap;
use super::shared_ram;
use crate::iommu::memory::{GuestMemory, MemoryError, read_pairs};

/// RAM of an address space. Registers of devices are refused, so that no walk can run into another
/// device's callbacks, block on the BQL, or come back into the model that walks.
#[derive(Clone, Copy)]
pub struct GuestRam {
    space: &'static AddressSpace,
    map: &'static RamMap,
}

const RAM_ONLY: MemoryAttributes =
    MemoryAttributes { ram_only: true, requester: None, secure: false, translated: false };

impl GuestRam {
    /// The RAM that `space` shows. Needs the BQL.
    pub fn new(space: &'static AddressSpace) -> Self {
        Self { space, map: RamMap::follow(space) }
    }

    /// The first and the last address of the piece of writable RAM that `addr` is in, if it is one of the large ones.
    pub fn piece(&self, addr: u64) -> Option<(u64, u64)> {
        self.map.piece(addr)
    }

    /// The host address of guest-physical `addr`, and how many of `len` bytes follow it there. `None` if
    /// it is not RAM, or read-only and `write` is set. Valid until the read section ends.
    #[inline]
    fn host(&self, rcu: &RcuGuard, addr: u64, len: u64, write: bool) -> Option<(*mut u8, u64)> {
        self.map.find(rcu, addr, len).or_else(|| self.ask(rcu, addr, len, write))
    }

    /// [`host`](Self::host) as QEMU knows it.
    #[cold]
    fn ask(&self, _rcu: &RcuGuard, addr: u64, len: u64, write: bool) -> Option<(*mut u8, u64)> {
        let space = self.space.as_ptr();
        // SAFETY: QEMU publishes the pointer by an atomic store; the view stays valid in the read section.
        let view = unsafe {
            core::sync::atomic::AtomicPtr::from_ptr(&raw mut (*space).current_map).load(Ordering::Acquire)
        };
        let (mut offset, mut available) = (0, len);
        // SAFETY: a view protected by RCU, and places for two results.
        let region = unsafe {
            sys::flatview_translate(view, addr, &mut offset, &mut available, write, RAM_ONLY.raw())
        };
        // SAFETY: never null: unassigned addresses have a region of their own, which is not RAM.
        let kind = unsafe { RegionKind::of(region) };
        if !kind.ram || kind.ram_device || (write && (kind.readonly || kind.rom_device)) || available == 0 {
            return None;
        }
        // SAFETY: a RAM region; `offset` is within it.
        let base = unsafe { sys::memory_region_get_ram_ptr(region) }.cast::<u8>();
        // `offset` is below the region's size, which fits the host's address space.
        Some((base.wrapping_add(usize::try_from(offset).ok()?), available.min(len)))
    }

    /// Whether every byte of the range is RAM.
    fn check(&self, rcu: &RcuGuard, mut addr: u64, mut len: u64, write: bool) -> Result<(), MemoryError> {
        while len > 0 {
            let (_, run) = self.host(rcu, addr, len, write).ok_or(MemoryError { addr })?;
            addr = addr.wrapping_add(run);
            len -= run;
        }
        Ok(())
    }
}

impl GuestMemory for GuestRam {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
        let rcu = RcuGuard::new();
        let (mut addr, mut rest) = (addr, buf);
        while !rest.is_empty() {
            let (host, run) = self.host(&rcu, addr, rest.len() as u64, false).ok_or(MemoryError { addr })?;
            let (now, later) = rest.split_at_mut(usize::try_from(run).unwrap_or(rest.len()).min(rest.len()));
            // SAFETY: `host` is valid for `run` bytes inside the read section.
            unsafe { shared_ram::copy(host, now) };
            rest = later;
            addr = addr.wrapping_add(run);
        }
        core::sync::atomic::fence(Ordering::Acquire);
        Ok(())
    }

    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
        let rcu = RcuGuard::new();
        self.check(&rcu, addr, buf.len() as u64, true)?;
        // QEMU's own path marks the pages dirty and drops translated code. It may still refuse.
        self.space.write(addr, buf, RAM_ONLY).map_err(|_| MemoryError { addr })
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        let rcu = RcuGuard::new();
        match self.host(&rcu, addr, 8, false) {
            Some((host, 8..)) if host.addr().is_multiple_of(8) => {
                // SAFETY: aligned RAM, valid inside the read section.
                Ok(u64::from_le(unsafe { shared_ram::read_u64(host) }))
            }
            _ => Err(MemoryError { addr }),
        }
    }

    fn read_structure(&self, addr: u64, words: &mut [u64]) -> Result<(), MemoryError> {
        let rcu = RcuGuard::new();
        let size = (words.len() as u64).saturating_mul(8);
        match self.host(&rcu, addr, size, false) {
            Some((host, run)) if run >= size && host.addr().is_multiple_of(8) => {
                read_pairs(words, |offset| {
                    let at = host.wrapping_add(usize::try_from(offset).unwrap_or(0));
                    // SAFETY: an aligned word of `size` bytes of RAM, valid inside the read section.
                    Ok(u64::from_le(unsafe { shared_ram::read_u64(at) }))
                })
            }
            _ => read_pairs(words, |offset| self.read_u64(addr.wrapping_add(offset))),
        }
    }

    fn compare_exchange_u64(
        &self,
        addr: u64,
        current: u64,
        new: u64,
    ) -> Result<Result<(), u64>, MemoryError> {
        self.with_mapped(addr, 8, |host| {
            // SAFETY: eight aligned bytes of RAM, which stay mapped during the call.
            let result =
                unsafe { shared_ram::compare_exchange_u64(host.cast(), current.to_le(), new.to_le()) };
            (result.is_ok(), result.map(|_| ()).map_err(u64::from_le))
        })
    }
}

impl GuestRam {
    /// Runs `f` on the host address of `size` bytes of writable RAM, aligned to their size, and marks them
    /// dirty if `f` says that it changed them.
    fn with_mapped<R>(
        &self,
        addr: u64,
        size: u64,
        f: impl FnOnce(*mut c_void) -> (bool, R),
    ) -> Result<R, MemoryError> {
        let refused = MemoryError { addr };
        let aligned = |host: usize| host as u64 & (size - 1) == 0;
        let rcu = RcuGuard::new();
        match self.host(&rcu, addr, size, true) {
            Some((host, run)) if run >= size && aligned(host.addr()) => {}
            _ => return Err(refused),
        }
        let mut len = size;
        // SAFETY: an initialised address space; the range was RAM just now, so nothing is bounced unless
        // the map changed in between, which the next check sees.
        let host =
            unsafe { sys::address_space_map(self.space.as_ptr(), addr, &mut len, true, RAM_ONLY.raw()) };
        if host.is_null() {
            return Err(refused);
        }
        let usable = len >= size && aligned(host.addr()) && is_ram(host);
        let result = usable.then(|| f(host));
        let accessed = if matches!(result, Some((true, _))) { size } else { 0 };
        // SAFETY: what `address_space_map` gave, given back once.
        unsafe { sys::address_space_unmap(self.space.as_ptr(), host, len, true, accessed) };
        result.map(|(_, result)| result).ok_or(refused)
    }
}

/// Whether a mapped address is the guest's RAM and not a bounce buffer.
fn is_ram(host: *mut c_void) -> bool {
    let mut offset = 0;
    // SAFETY: looks the address up, does not access it. Called inside a read section.
    !unsafe { sys::memory_region_from_host(host, &mut offset) }.is_null()
}
