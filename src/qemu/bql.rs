// SPDX-License-Identifier: GPL-2.0-or-later
//! The big QEMU lock and RCU read sections.
//!
//! Lock order: BQL, then a model's own lock. Code that holds a model's lock never takes the BQL.

use core::ffi::{c_int, c_void};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};

use qemu_sys as sys;

/// Whether this thread holds the BQL.
pub fn is_locked() -> bool {
    // SAFETY: reads a thread-local variable.
    unsafe { sys::bql_locked() }
}

/// Ends QEMU if this thread does not hold the BQL: what comes next would corrupt its state.
#[track_caller]
pub fn assert_locked() {
    assert!(is_locked(), "called without the BQL");
}

/// Holds the BQL, unless the thread held it before.
#[must_use]
pub struct BqlGuard {
    taken: bool,
    // Unlocking belongs to the thread that locked.
    _thread: PhantomData<*mut ()>,
}

impl BqlGuard {
    /// Waits for the BQL if this thread does not hold it yet. Never call it with a model's lock held.
    #[track_caller]
    pub fn lock() -> Self {
        let taken = !is_locked();
        if taken {
            // SAFETY: not held by this thread; the file name is a C string.
            unsafe { sys::bql_lock_impl(c"qemu-iommu".as_ptr(), line!() as c_int) };
        }
        Self { taken, _thread: PhantomData }
    }
}

impl Drop for BqlGuard {
    fn drop(&mut self) {
        if self.taken {
            // SAFETY: taken by `lock` on this thread.
            unsafe { sys::bql_unlock() };
        }
    }
}

/// An RCU read section: the guest's memory map and host addresses of its RAM stay valid in it. Sections
/// nest; threads that QEMU did not make must have called [`register_thread`], and QEMU ends where one has not.
#[must_use]
pub struct RcuGuard {
    reader: *mut sys::rcu_reader_data,
}

impl RcuGuard {
    /// Enters a read section.
    pub fn new() -> Self {
        // SAFETY: returns this thread's own record, which lives as long as the thread.
        let reader = unsafe { sys::get_ptr_rcu_reader() };
        // SAFETY: `depth` is used by this thread only.
        let depth = unsafe { &mut (*reader).depth };
        *depth = depth.wrapping_add(1);
        if *depth == 1 {
            // SAFETY: this thread's record.
            if unsafe { !is_registered(reader) } {
                // SAFETY: as above.
                unsafe { must_be_registered(reader) };
            }
            // SAFETY: QEMU's writer reads and writes both words atomically; they are aligned longs.
            let (global, own) = unsafe {
                (AtomicU64::from_ptr(&raw mut sys::rcu_gp_ctr), AtomicU64::from_ptr(&raw mut (*reader).ctr))
            };
            own.store(global.load(Ordering::Relaxed), Ordering::Relaxed);
            // The counter is visible before the first protected pointer is read.
            fence(Ordering::SeqCst);
        }
        Self { reader }
    }
}

/// Whether a thread's record is in a list of the threads that RCU waits for.
///
/// # Safety
/// A thread's record.
#[inline]
unsafe fn is_registered(reader: *mut sys::rcu_reader_data) -> bool {
    // SAFETY: a pointer within the record, which QEMU stores in one piece: null in no list.
    let previous = unsafe { AtomicPtr::from_ptr((&raw mut (*reader).node.le_prev).cast::<*mut c_void>()) };
    !previous.load(Ordering::Relaxed).is_null()
}

/// A writer that waits moves records from one list to another, one statement after the other, and the record of this
/// thread may have been between them. Otherwise RCU would not wait for the section that begins here.
///
/// # Safety
/// As [`is_registered`].
#[cold]
unsafe fn must_be_registered(reader: *mut sys::rcu_reader_data) {
    for _ in 0..1000 {
        std::thread::sleep(core::time::Duration::from_millis(1));
        // SAFETY: the caller's promise.
        if unsafe { is_registered(reader) } {
            return;
        }
    }
    unreachable!("an RCU read section on a thread that has not called bql::register_thread()");
}

impl Default for RcuGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for RcuGuard {
    fn drop(&mut self) {
        // SAFETY: this thread's record, as in `new`; the guard does not leave the thread.
        let depth = unsafe { &mut (*self.reader).depth };
        *depth = depth.wrapping_sub(1);
        if *depth > 0 {
            return;
        }
        // SAFETY: as in `new`; `waiting` is a byte that the writer accesses atomically.
        let (own, waiting) = unsafe {
            (
                AtomicU64::from_ptr(&raw mut (*self.reader).ctr),
                AtomicBool::from_ptr(&raw mut (*self.reader).waiting),
            )
        };
        own.store(0, Ordering::Release);
        fence(Ordering::SeqCst);
        if waiting.load(Ordering::Relaxed) {
            waiting.store(false, Ordering::Relaxed);
            // SAFETY: the event that a waiting writer sleeps on, initialised when QEMU started.
            unsafe { sys::qemu_event_set(&raw mut sys::rcu_gp_event) };
        }
    }
}

/// Makes RCU read sections possible on a thread that Rust code started.
pub fn register_thread() {
    // SAFETY: registers the calling thread; no argument.
    unsafe { sys::rcu_register_thread() }
}

/// Undoes [`register_thread`], before the thread ends.
pub fn unregister_thread() {
    // SAFETY: as above.
    unsafe { sys::rcu_unregister_thread() }
}
