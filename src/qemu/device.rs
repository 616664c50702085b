// SPDX-License-Identifier: GPL-2.0-or-later
//! What all devices have: reset in three phases, and the name that messages use.

use core::ffi::CStr;

use qemu_sys as sys;

use super::qom::{ClassInit, Device, DeviceImpl, ObjectLike, Qom};

/// Why a device is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetKind {
    /// Power-on, a guest's reset, a function-level reset.
    Cold,
    /// A snapshot is about to be loaded.
    SnapshotLoad,
    /// The machine wakes up.
    Wakeup,
    /// Something that this version of QEMU calls otherwise.
    Other,
}

/// A device that is reset. All phases run under the BQL. `enter` of every device in the tree comes before
/// any `hold`, `hold` before any `exit`.
pub trait Reset: DeviceImpl {
    /// Resets the device's own state, without effect on others.
    fn enter(_this: &Qom<Self>, _kind: ResetKind) {}
    /// Takes outputs to their reset state.
    fn hold(_this: &Qom<Self>, _kind: ResetKind) {}
    /// Leaves reset. An IOMMU resets here: devices that write through it are quiet by then.
    fn exit(_this: &Qom<Self>, _kind: ResetKind) {}
}

impl Device {
    /// The user's name for the device, or its path: for messages.
    pub fn name(&self) -> String {
        // SAFETY: a C string or null, which does not change once the device is there.
        let id = unsafe { (*self.as_ptr()).id };
        if id.is_null() {
            return self.object().path();
        }
        // SAFETY: as above.
        unsafe { CStr::from_ptr(id) }.to_string_lossy().into_owned()
    }

    /// Whether the device has come into being and not gone.
    pub fn is_realized(&self) -> bool {
        // SAFETY: a flag that QEMU stores atomically.
        unsafe { core::sync::atomic::AtomicBool::from_ptr(&raw mut (*self.as_ptr()).realized) }
            .load(core::sync::atomic::Ordering::Acquire)
    }
}

impl<T: Reset> ClassInit<'_, T> {
    /// Installs [`Reset`].
    pub fn reset(&mut self) {
        // SAFETY: every device class implements this interface.
        let class = unsafe {
            self.interface::<sys::ResettableClass>(CStr::from_ptr(
                sys::TYPE_RESETTABLE_INTERFACE.as_ptr().cast(),
            ))
        };
        if let Some(class) = class {
            class.phases.enter = Some(enter::<T>);
            class.phases.hold = Some(hold::<T>);
            class.phases.exit = Some(exit::<T>);
        }
    }
}

fn kind(raw: sys::ResetType) -> ResetKind {
    match raw {
        sys::ResetType_RESET_TYPE_COLD => ResetKind::Cold,
        sys::ResetType_RESET_TYPE_SNAPSHOT_LOAD => ResetKind::SnapshotLoad,
        sys::ResetType_RESET_TYPE_WAKEUP => ResetKind::Wakeup,
        _ => ResetKind::Other,
    }
}

/// The phases of the parent class of `T`.
fn parent_phases<T: DeviceImpl>() -> Option<sys::ResettablePhases> {
    // SAFETY: the parent type exists, or `T` would not be registered; it is a device and so resettable.
    unsafe {
        let parent = sys::object_class_by_name(T::PARENT_NAME.as_ptr());
        let class = sys::object_class_dynamic_cast(parent, sys::TYPE_RESETTABLE_INTERFACE.as_ptr().cast());
        class.cast::<sys::ResettableClass>().as_ref().map(|class| class.phases)
    }
}

unsafe extern "C" fn enter<T: Reset>(object: *mut sys::Object, type_: sys::ResetType) {
    if let Some(parent) = parent_phases::<T>().and_then(|phases| phases.enter) {
        // SAFETY: the parent's phase, with QEMU's arguments.
        unsafe { parent(object, type_) };
    }
    // SAFETY: called on an instance of this class.
    T::enter(unsafe { Qom::from_raw(object.cast()) }, kind(type_));
}

unsafe extern "C" fn hold<T: Reset>(object: *mut sys::Object, type_: sys::ResetType) {
    if let Some(parent) = parent_phases::<T>().and_then(|phases| phases.hold) {
        // SAFETY: as above.
        unsafe { parent(object, type_) };
    }
    // SAFETY: called on an instance of this class.
    T::hold(unsafe { Qom::from_raw(object.cast()) }, kind(type_));
}

unsafe extern "C" fn exit<T: Reset>(object: *mut sys::Object, type_: sys::ResetType) {
    if let Some(parent) = parent_phases::<T>().and_then(|phases| phases.exit) {
        // SAFETY: as above.
        unsafe { parent(object, type_) };
    }
    // SAFETY: called on an instance of this class.
    T::exit(unsafe { Qom::from_raw(object.cast()) }, kind(type_));
}
