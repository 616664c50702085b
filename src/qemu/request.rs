// SPDX-License-Identifier: GPL-2.0-or-later
//! Whether this thread is inside a request of an endpoint: then no endpoint is called back. QEMU's PCI core counts, so that
//! it does not matter which library or language an endpoint is in.

use qemu_sys as sys;

/// A request that is made without the PCI core's functions for it, which count themselves.
pub(super) struct Request {
    // It is the thread's.
    _thread: core::marker::PhantomData<*mut ()>,
}

impl Request {
    /// It begins, and lasts until this is dropped.
    pub(super) fn begin() -> Self {
        // SAFETY: counts this thread's requests; undone by `drop` on the same thread.
        unsafe { sys::pci_dma_enter() };
        Self { _thread: core::marker::PhantomData }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: `begin` was on this thread.
        unsafe { sys::pci_dma_leave() };
    }
}

/// Whether this thread is inside one.
pub(super) fn is_being_made() -> bool {
    // SAFETY: reads a variable of this thread.
    unsafe { sys::pci_dma_is_under_way() }
}
