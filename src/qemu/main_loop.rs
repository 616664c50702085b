// SPDX-License-Identifier: GPL-2.0-or-later
//! Work for later: bottom halves, timers, and what follows when the machine stops or continues.
//!
//! All callbacks run in the main loop under the BQL. They belong to a device and end when dropped, which
//! needs the BQL; keep them in the device's state. That lives on for a moment after the device is unrealized:
//! cancel bottom halves and timers there.

use core::ffi::{c_int, c_void};
use core::mem::zeroed;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use std::os::fd::{AsRawFd, BorrowedFd};

use qemu_sys as sys;

use super::bql;
use super::qom::{DeviceImpl, Object, ObjectLike, Qom};

/// What a callback's context points to: the device and the function, with the type forgotten.
struct Callback {
    device: *mut c_void,
    call: *const (),
    enter: unsafe fn(*mut c_void, *const (), bool),
}

impl Callback {
    fn boxed<T: DeviceImpl>(device: &Qom<T>, call: fn(&Qom<T>)) -> NonNull<Self> {
        unsafe fn enter<T: DeviceImpl>(device: *mut c_void, call: *const (), _flag: bool) {
            // SAFETY: `boxed` stored a function of this type and an instance of `T`, which holds the
            // callback's handle and so outlives it.
            unsafe { core::mem::transmute::<*const (), fn(&Qom<T>)>(call)(Qom::from_raw(device)) };
        }
        Self::leak(Self { device: device.as_opaque(), call: call as *const (), enter: enter::<T> })
    }

    fn boxed_flag<T: DeviceImpl>(device: &Qom<T>, call: fn(&Qom<T>, bool)) -> NonNull<Self> {
        unsafe fn enter<T: DeviceImpl>(device: *mut c_void, call: *const (), flag: bool) {
            // SAFETY: as above.
            unsafe {
                core::mem::transmute::<*const (), fn(&Qom<T>, bool)>(call)(Qom::from_raw(device), flag);
            }
        }
        Self::leak(Self { device: device.as_opaque(), call: call as *const (), enter: enter::<T> })
    }

    fn leak(self) -> NonNull<Self> {
        NonNull::from(Box::leak(Box::new(self)))
    }

    /// # Safety
    /// `opaque` came from `leak` and has not been freed.
    unsafe fn run(opaque: *mut c_void, flag: bool) {
        // SAFETY: the caller's promise. Copied out first: the callback may drop its own handle.
        let Self { device, call, enter } = unsafe { opaque.cast::<Self>().read() };
        let object = device.cast::<sys::Object>();
        // SAFETY: stored together by `boxed`; a device is an object. What the call does may unplug the device, and it goes on
        // after that.
        unsafe {
            sys::object_ref(object.cast());
            enter(device, call, flag);
            sys::object_unref(object.cast());
        }
    }

    /// # Safety
    /// As for `run`; not used after this.
    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: made by `leak`.
        drop(unsafe { Box::from_raw(this.as_ptr()) });
    }
}

/// Keeps a device that is unplugged until no one else refers to it, and gives the last reference back under the BQL. An
/// iothread whose transfer to a BAR of the device ends after the unplug would give it back without, and QEMU ends where a
/// memory region goes without the BQL. Needs the BQL.
pub(super) fn keep_until_alone(object: &Object) {
    /// Until a thread looks again, in nanoseconds of the host's clock.
    const PAUSE: i64 = 10_000_000;
    struct Kept {
        timer: sys::QEMUTimer,
        object: *mut sys::Object,
    }
    unsafe extern "C" fn look(opaque: *mut c_void) {
        let kept = opaque.cast::<Kept>();
        // SAFETY: made below, and used by one timer, which is not armed now. None takes a new reference to an unplugged device
        // who has none.
        unsafe {
            let object = (*kept).object;
            if AtomicU32::from_ptr(&raw mut (*object).ref_).load(Ordering::Acquire) > 1 {
                let now = sys::qemu_clock_get_ns(sys::QEMUClockType_QEMU_CLOCK_REALTIME);
                sys::timer_mod_ns(&raw mut (*kept).timer, now.saturating_add(PAUSE));
                return;
            }
            sys::timer_deinit(&raw mut (*kept).timer);
            drop(Box::from_raw(kept));
            sys::object_unref(object.cast());
        }
    }
    bql::assert_locked();
    // SAFETY: zeros are what QEMU expects of a timer before the initialisation.
    let timer = unsafe { zeroed::<sys::QEMUTimer>() };
    let kept = Box::into_raw(Box::new(Kept { timer, object: object.as_ptr() }));
    // SAFETY: a live object; memory that stays until `look` frees it.
    unsafe {
        sys::object_ref(object.as_ptr().cast());
        sys::timer_init_full(
            &raw mut (*kept).timer,
            core::ptr::null_mut(),
            sys::QEMUClockType_QEMU_CLOCK_REALTIME,
            1,
            0,
            Some(look),
            kept.cast(),
        );
        later(look, kept.cast());
    }
}

/// A call that is to be made once, and its bottom half.
struct Later {
    raw: *mut sys::QEMUBH,
    call: unsafe extern "C" fn(*mut c_void),
    opaque: *mut c_void,
}

/// Has the main loop call this, once, soon, under the BQL. Any thread, with or without the BQL.
///
/// # Safety
/// `call` may be called with `opaque` then.
pub(super) unsafe fn later(call: unsafe extern "C" fn(*mut c_void), opaque: *mut c_void) {
    unsafe extern "C" fn now(opaque: *mut c_void) {
        // SAFETY: made below; the bottom half runs once. The promise is that of who asked for the call.
        unsafe {
            let Later { raw, call, opaque } = *Box::from_raw(opaque.cast::<Later>());
            call(opaque);
            sys::qemu_bh_delete(raw);
        }
    }
    let later = Box::into_raw(Box::new(Later { raw: core::ptr::null_mut(), call, opaque }));
    // SAFETY: a name that stays; no other thread has the box before the bottom half is scheduled.
    unsafe {
        let raw = sys::qemu_bh_new_full(Some(now), later.cast(), c"later".as_ptr(), core::ptr::null_mut());
        (*later).raw = raw;
        sys::qemu_bh_schedule(raw);
    }
}

unsafe extern "C" fn run(opaque: *mut c_void) {
    // SAFETY: the context that the handle registered; unregistered before it is freed.
    unsafe { Callback::run(opaque, false) };
}

/// Work that any thread can ask for and that the main loop does once, soon.
pub struct BottomHalf {
    raw: NonNull<sys::QEMUBH>,
    callback: NonNull<Callback>,
}

// SAFETY: scheduling is thread-safe; the rest needs the BQL.
unsafe impl Send for BottomHalf {}
// SAFETY: as above.
unsafe impl Sync for BottomHalf {}

impl BottomHalf {
    /// A bottom half of `device`. While it runs, the device's registers refuse accesses that the work
    /// itself causes, as they do while a register access runs. Needs the BQL.
    pub fn new<T: DeviceImpl>(device: &Qom<T>, call: fn(&Qom<T>)) -> Self {
        bql::assert_locked();
        let callback = Callback::boxed(device, call);
        // SAFETY: the guard lies in the device, which outlives the bottom half.
        let raw = unsafe {
            let guard = &raw mut (*device.device().as_ptr()).mem_reentrancy_guard;
            sys::qemu_bh_new_full(Some(run), callback.as_ptr().cast(), T::TYPE_NAME.as_ptr(), guard)
        };
        // QEMU aborts rather than return null.
        Self { raw: unwrap(raw), callback }
    }

    /// Asks for the work. Any thread, with or without the BQL; asking twice before it runs is asking once.
    pub fn schedule(&self) {
        // SAFETY: a live bottom half; thread-safe.
        unsafe { sys::qemu_bh_schedule(self.raw.as_ptr()) };
    }

    /// Takes the request back, if the work has not begun.
    pub fn cancel(&self) {
        // SAFETY: as above.
        unsafe { sys::qemu_bh_cancel(self.raw.as_ptr()) };
    }
}

impl Drop for BottomHalf {
    fn drop(&mut self) {
        bql::assert_locked();
        // SAFETY: deleted once, under the BQL, so the callback does not run any more.
        unsafe {
            sys::qemu_bh_delete(self.raw.as_ptr());
            Callback::free(self.callback);
        }
    }
}

/// A timer on the guest's clock: it stands still while the machine is stopped.
pub struct Timer {
    raw: NonNull<sys::QEMUTimer>,
    callback: NonNull<Callback>,
}

// SAFETY: arming is thread-safe; the rest needs the BQL.
unsafe impl Send for Timer {}
// SAFETY: as above.
unsafe impl Sync for Timer {}

impl Timer {
    /// A timer of `device`, not armed. Needs the BQL.
    pub fn new<T: DeviceImpl>(device: &Qom<T>, call: fn(&Qom<T>)) -> Self {
        bql::assert_locked();
        let callback = Callback::boxed(device, call);
        // SAFETY: zeros are what QEMU expects before the initialisation.
        let raw = NonNull::from(Box::leak(Box::new(unsafe { zeroed::<sys::QEMUTimer>() })));
        // SAFETY: memory that stays in place until `drop`; a null group is the main loop's.
        unsafe {
            sys::timer_init_full(
                raw.as_ptr(),
                core::ptr::null_mut(),
                sys::QEMUClockType_QEMU_CLOCK_VIRTUAL,
                1,
                0,
                Some(run),
                callback.as_ptr().cast(),
            );
        }
        Self { raw, callback }
    }

    /// Arms the timer for `deadline` in nanoseconds of [`now`]'s clock.
    pub fn arm(&self, deadline: u64) {
        // SAFETY: an initialised timer.
        unsafe { sys::timer_mod_ns(self.raw.as_ptr(), i64::try_from(deadline).unwrap_or(i64::MAX)) };
    }

    /// Disarms the timer.
    pub fn cancel(&self) {
        // SAFETY: as above.
        unsafe { sys::timer_del(self.raw.as_ptr()) };
    }

    /// Whether the timer is armed.
    pub fn is_armed(&self) -> bool {
        // SAFETY: as above.
        unsafe { sys::timer_pending(self.raw.as_ptr()) }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        bql::assert_locked();
        // SAFETY: disarmed under the BQL, so the callback does not run any more; freed once.
        unsafe {
            sys::timer_del(self.raw.as_ptr());
            sys::timer_deinit(self.raw.as_ptr());
            drop(Box::from_raw(self.raw.as_ptr()));
            Callback::free(self.callback);
        }
    }
}

/// Calls a device when a file descriptor is readable, again and again until it is not.
pub struct FdWatch {
    fd: c_int,
    callback: NonNull<Callback>,
}

// SAFETY: made and dropped under the BQL, without methods.
unsafe impl Send for FdWatch {}
// SAFETY: as above.
unsafe impl Sync for FdWatch {}

impl FdWatch {
    /// Watches a descriptor that stays open until this is dropped. Needs the BQL.
    pub fn new<T: DeviceImpl>(device: &Qom<T>, fd: BorrowedFd<'_>, call: fn(&Qom<T>)) -> Self {
        bql::assert_locked();
        let callback = Callback::boxed(device, call);
        let fd = fd.as_raw_fd();
        // SAFETY: the callback's context lives until the descriptor is no longer watched.
        unsafe { sys::qemu_set_fd_handler(fd, Some(run), None, callback.as_ptr().cast()) };
        Self { fd, callback }
    }
}

impl Drop for FdWatch {
    fn drop(&mut self) {
        bql::assert_locked();
        // SAFETY: under the BQL, so the callback does not run any more.
        unsafe {
            sys::qemu_set_fd_handler(self.fd, None, None, core::ptr::null_mut());
            Callback::free(self.callback);
        }
    }
}

/// The guest's clock in nanoseconds.
pub fn now() -> u64 {
    // SAFETY: no preconditions.
    let ns = unsafe { sys::qemu_clock_get_ns(sys::QEMUClockType_QEMU_CLOCK_VIRTUAL) };
    u64::try_from(ns).unwrap_or(0)
}

/// Tells a device when the machine stops and continues.
pub struct RunStateWatch {
    raw: NonNull<sys::VMChangeStateEntry>,
    callback: NonNull<Callback>,
}

// SAFETY: made and dropped under the BQL, without methods.
unsafe impl Send for RunStateWatch {}
// SAFETY: as above.
unsafe impl Sync for RunStateWatch {}

impl RunStateWatch {
    /// Calls `call(device, running)` at every change, under the BQL. When it returns from `false`, the
    /// device must be quiet: nothing may change memory or device state until `true`. Needs the BQL.
    pub fn new<T: DeviceImpl>(device: &Qom<T>, call: fn(&Qom<T>, bool)) -> Self {
        unsafe extern "C" fn changed(opaque: *mut c_void, running: bool, _state: sys::RunState) {
            // SAFETY: the context that `new` registered; unregistered before it is freed.
            unsafe { Callback::run(opaque, running) };
        }
        bql::assert_locked();
        let callback = Callback::boxed_flag(device, call);
        // SAFETY: the callback matches, its context lives until it is unregistered.
        let raw = unsafe { sys::qemu_add_vm_change_state_handler(Some(changed), callback.as_ptr().cast()) };
        Self { raw: unwrap(raw), callback }
    }
}

impl Drop for RunStateWatch {
    fn drop(&mut self) {
        bql::assert_locked();
        // SAFETY: unregistered once, under the BQL.
        unsafe {
            sys::qemu_del_vm_change_state_handler(self.raw.as_ptr());
            Callback::free(self.callback);
        }
    }
}

/// Whether the machine runs.
pub fn is_running() -> bool {
    // SAFETY: reads a global.
    unsafe { sys::runstate_is_running() }
}

/// Keeps the log level in step with `-d`, which can change while the machine is stopped.
pub(crate) fn watch_log_level() {
    unsafe extern "C" fn changed(_opaque: *mut c_void, _running: bool, _state: sys::RunState) {
        super::log::refresh_level();
    }
    // SAFETY: the callback needs no context and stays for good.
    unsafe { sys::qemu_add_vm_change_state_handler(Some(changed), core::ptr::null_mut()) };
}

fn unwrap<T>(raw: *mut T) -> NonNull<T> {
    let Some(raw) = NonNull::new(raw) else { unreachable!("QEMU ends rather than return null") };
    raw
}
