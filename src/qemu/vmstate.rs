// SPDX-License-Identifier: GPL-2.0-or-later
//! Migration and snapshots: a device's state travels as one block of bytes, which the device makes and
//! checks itself, after what the PCI core saves for it.

use core::any::TypeId;
use core::ffi::{CStr, c_int, c_void};
use core::mem::size_of;
use core::ptr;

use qemu_sys as sys;

use super::error::{Error, Result, report};
use super::pci::PciDevice;
use super::qom::{ClassInit, DeviceImpl, Qom};

/// Largest block that is accepted: far more than any state, far less than would hurt.
const LIMIT: u32 = 64 << 20;

/// A device whose state travels.
pub trait Migrate: DeviceImpl {
    /// Version of the block's format. Raise it with every change; `load` gets no other.
    const VERSION: u32;
    /// Whether the device must be there before the PCI functions that use it: for IOMMUs.
    const BEFORE_PCI: bool = false;
    /// Whether the device has MSI-X, whose state the core saves.
    const MSIX: bool = false;

    /// The state. The machine is stopped. An error fails the migration, and the machine can go on here.
    fn save(this: &Qom<Self>) -> Result<Vec<u8>>;

    /// Takes the state over, after checking every field of it: it may come from anybody. Properties and,
    /// for a PCI function, configuration space are already those of the source.
    fn load(this: &Qom<Self>, state: &[u8]) -> Result<()>;
}

impl<T: Migrate> ClassInit<'_, T> {
    /// Installs [`Migrate`].
    pub fn migrate(&mut self) {
        self.device_class().vmsd = describe::<T>();
    }
}

impl<T: DeviceImpl> ClassInit<'_, T> {
    /// The device cannot be migrated: QEMU says so when somebody tries.
    pub fn unmigratable(&mut self) {
        let description = sys::VMStateDescription {
            name: T::TYPE_NAME.as_ptr(),
            unmigratable: true,
            fields: Vec::leak(vec![end()]).as_ptr(),
            ..Default::default()
        };
        self.device_class().vmsd = Box::leak(Box::new(description));
    }
}

fn end() -> sys::VMStateField {
    sys::VMStateField { flags: sys::VMStateFlags::VMS_END, ..Default::default() }
}

/// QEMU's description of `T`'s state. Made once for each class and kept.
fn describe<T: Migrate>() -> *const sys::VMStateDescription {
    let part = |name: &'static CStr, vmsd| sys::VMStateField {
        name: name.as_ptr(),
        size: size_of::<sys::PCIDevice>(),
        vmsd,
        flags: sys::VMStateFlags::VMS_STRUCT,
        ..Default::default()
    };
    let mut fields = Vec::new();
    if TypeId::of::<T::Parent>() == TypeId::of::<PciDevice>() {
        fields.push(part(c"pci", &raw const sys::vmstate_pci_device));
        if T::MSIX {
            fields.push(part(c"msix", &raw const sys::vmstate_msix));
        }
    }
    let info = sys::VMStateInfo {
        name: c"rust state".as_ptr(),
        load: Some(load::<T>),
        save: Some(save::<T>),
        ..Default::default()
    };
    let version = c_int::try_from(T::VERSION).unwrap_or(c_int::MAX);
    fields.push(sys::VMStateField {
        name: c"state".as_ptr(),
        size: size_of::<Qom<T>>(),
        info: Box::leak(Box::new(info)),
        flags: sys::VMStateFlags::VMS_SINGLE,
        ..Default::default()
    });
    fields.push(end());
    let description = sys::VMStateDescription {
        name: T::TYPE_NAME.as_ptr(),
        version_id: version,
        minimum_version_id: version,
        priority: if T::BEFORE_PCI {
            sys::MigrationPriority_MIG_PRI_IOMMU
        } else {
            sys::MigrationPriority_MIG_PRI_UNINITIALIZED
        },
        fields: Vec::leak(fields).as_ptr(),
        ..Default::default()
    };
    Box::leak(Box::new(description))
}

unsafe extern "C" fn save<T: Migrate>(
    file: *mut sys::QEMUFile,
    device: *mut c_void,
    _size: usize,
    _field: *const sys::VMStateField,
    _description: *mut sys::JSONWriter,
    errp: *mut *mut sys::Error,
) -> bool {
    let save = || {
        // SAFETY: the field lies at offset 0 of an instance of this class.
        let state = T::save(unsafe { Qom::<T>::from_raw(device) })?;
        let len = u32::try_from(state.len()).ok().filter(|len| *len <= LIMIT);
        let len = len.ok_or_else(|| Error::new(format!("a state of {} bytes is too large", state.len())))?;
        // SAFETY: an open stream and a buffer of that many bytes, which QEMU copies.
        unsafe {
            sys::qemu_put_be32(file, len);
            sys::qemu_put_buffer(file, state.as_ptr(), state.len());
        }
        Ok(())
    };
    // SAFETY: QEMU's error place.
    unsafe { report(errp, save) }
}

unsafe extern "C" fn load<T: Migrate>(
    file: *mut sys::QEMUFile,
    device: *mut c_void,
    _size: usize,
    _field: *const sys::VMStateField,
    errp: *mut *mut sys::Error,
) -> bool {
    let load = || {
        // SAFETY: an open stream.
        let len = unsafe { sys::qemu_get_be32(file) };
        if len > LIMIT {
            return Err(Error::new(format!("the incoming state says it has {len} bytes, more than {LIMIT}")));
        }
        let mut state = vec![0; len as usize];
        // SAFETY: an open stream and a buffer of that many bytes.
        let got = unsafe { sys::qemu_get_buffer(file, state.as_mut_ptr(), state.len()) };
        if got != state.len() {
            return Err(Error::new(format!("the incoming state ends after {got} of {len} bytes")));
        }
        // SAFETY: the field lies at offset 0 of an instance of this class.
        T::load(unsafe { Qom::<T>::from_raw(device) }, &state)
    };
    // SAFETY: QEMU's error place.
    unsafe { report(errp, load) }
}

/// Keeps the machine from being migrated or saved, with a reason, until it is dropped. Needs the BQL.
pub struct MigrationBlocker(Box<*mut sys::Error>);

// SAFETY: made and dropped under the BQL, without methods.
unsafe impl Send for MigrationBlocker {}
// SAFETY: as above.
unsafe impl Sync for MigrationBlocker {}

impl MigrationBlocker {
    /// A blocker; an error if a migration is under way, or the user allows only machines that can migrate.
    pub fn new(reason: &str) -> Result<Self> {
        super::bql::assert_locked();
        let mut slot = Box::new(ptr::null_mut());
        // SAFETY: a place that holds null; QEMU knows the blocker by this address until it is removed.
        unsafe {
            Error::new(reason).propagate(&mut *slot);
            Error::catch(|errp| sys::migrate_add_blocker(&mut *slot, errp))?;
        }
        Ok(Self(slot))
    }
}

impl Drop for MigrationBlocker {
    fn drop(&mut self) {
        super::bql::assert_locked();
        // SAFETY: the address that `new` gave; QEMU frees the reason.
        unsafe { sys::migrate_del_blocker(&mut *self.0) };
    }
}
