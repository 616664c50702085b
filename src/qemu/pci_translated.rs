// SPDX-License-Identifier: GPL-2.0-or-later
//! Accesses of an endpoint at addresses that ATS has translated (`PCIe §10.2.1`: AT is 10b).

use core::ffi::c_void;
use core::sync::atomic::{Ordering, fence};

use qemu_sys as sys;

use super::bql::RcuGuard;
use super::pci::PciDevice;
use super::pci_dma::DmaError;
use super::qom::ObjectLike;
use super::request::Request;
use super::shared_ram;

/// `PCI_AT_TRANSLATED` of QEMU's `hw/pci/pci.h`: the AT field of a translated request.
const ADDRESS_TRANSLATED: u32 = 1;

impl PciDevice {
    /// Reads at a translated address.
    pub fn translated_read(&self, addr: u64, buf: &mut [u8]) -> Result<(), DmaError> {
        // SAFETY: a buffer that may be written.
        unsafe { self.translated(addr, buf.as_mut_ptr().cast(), buf.len(), false) }
    }

    /// Writes at a translated address.
    pub fn translated_write(&self, addr: u64, buf: &[u8]) -> Result<(), DmaError> {
        // SAFETY: a write only reads the buffer.
        unsafe { self.translated(addr, buf.as_ptr().cast_mut().cast(), buf.len(), true) }
    }

    /// Replaces the `size`-byte little-endian word (4 or 8) at a translated address by `desired` if it is
    /// `expected`, atomically. Returns what was there. Guest RAM only, naturally aligned.
    pub fn translated_compare_exchange(
        &self,
        addr: u64,
        size: u32,
        expected: u64,
        desired: u64,
    ) -> Result<u64, DmaError> {
        let space = self.translated_space()?;
        let size = u64::from(size);
        let mut len = size;
        let _request = Request::begin();
        let _rcu = RcuGuard::new();
        fence(Ordering::SeqCst);
        // SAFETY: an address space of a live device, a place for the length.
        let host =
            unsafe { sys::address_space_map(space, addr, &mut len, true, self.translated_attributes()) };
        if host.is_null() {
            return Err(DmaError::NoMemory);
        }
        let mut offset = 0;
        // SAFETY: an address that may be in guest RAM or not.
        let is_ram = !unsafe { sys::memory_region_from_host(host, &mut offset) }.is_null();
        let aligned = host.addr() as u64 & (size - 1) == 0;
        let found = (is_ram && aligned && len >= size).then(|| {
            let at = host.cast::<u8>();
            // SAFETY: guest RAM, mapped for that many bytes, aligned.
            unsafe {
                if size == 4 {
                    let (expected, desired) = (expected as u32, desired as u32);
                    let result = shared_ram::compare_exchange_u32(at, expected.to_le(), desired.to_le());
                    u64::from(u32::from_le(result.unwrap_or_else(|found| found)))
                } else {
                    let result = shared_ram::compare_exchange_u64(at, expected.to_le(), desired.to_le());
                    u64::from_le(result.unwrap_or_else(|found| found))
                }
            }
        });
        let touched = if found.is_some() { size } else { 0 };
        // SAFETY: what `address_space_map` gave.
        unsafe { sys::address_space_unmap(space, host, len, true, touched) };
        found.ok_or(DmaError::NoMemory)
    }

    fn translated_attributes(&self) -> sys::MemTxAttrs {
        let mut attrs = sys::MemTxAttrs::default();
        // SAFETY: `translated_space` has just found the device realized, so it is on its bus.
        attrs.set_requester_id(u32::from(unsafe { sys::pci_requester_id(self.as_ptr()) }));
        attrs.set_address_type(ADDRESS_TRANSLATED);
        attrs
    }

    fn translated_space(&self) -> Result<*mut sys::AddressSpace, DmaError> {
        if !self.is_bus_master() {
            return Err(DmaError::NotEnabled);
        }
        // SAFETY: part of the device, there while it is realized.
        Ok(unsafe { &raw mut (*self.as_ptr()).bus_master_as })
    }

    /// # Safety
    /// `buf` is valid for `len` bytes, to be written if the access reads memory.
    unsafe fn translated(
        &self,
        addr: u64,
        buf: *mut c_void,
        len: usize,
        write: bool,
    ) -> Result<(), DmaError> {
        let space = self.translated_space()?;
        let _request = Request::begin();
        fence(Ordering::SeqCst);
        // SAFETY: an address space of a live device; the buffer is the caller's promise.
        let result = unsafe {
            sys::address_space_rw(space, addr, self.translated_attributes(), buf, len as u64, write)
        };
        if result == sys::MEMTX_OK { Ok(()) } else { Err(DmaError::NoMemory) }
    }
}
