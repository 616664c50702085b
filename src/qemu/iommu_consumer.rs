// SPDX-License-Identifier: GPL-2.0-or-later
//! Translations as a device sees them that keeps what it was told until it hears otherwise, as QEMU's vhost does.

use core::sync::atomic::{AtomicU64, Ordering};

use qemu_sys as sys;

use super::bql;
use super::error::{Error, Result};
use super::pci::PciDevice;
use super::qom::ObjectLike;

/// What a consumer was told of one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Where it goes.
    pub translated: u64,
    /// Size of the piece minus one.
    pub mask: u64,
    /// It may be read there.
    pub read: bool,
    /// It may be written there.
    pub write: bool,
}

#[repr(C)]
struct Notifier {
    /// First, so that what QEMU has is the whole.
    raw: sys::IOMMUNotifier,
    heard: AtomicU64,
}

/// A listener to what an IOMMU takes back from one PCI function.
pub struct IommuConsumer {
    region: *mut sys::IOMMUMemoryRegion,
    /// Shared with QEMU, which links it into a list, and so behind a pointer of its own.
    notifier: *mut Notifier,
}

// SAFETY: the region outlives the function's place on its bus; the notifier is written by QEMU under the BQL alone, and
// what is read beside it is atomic.
unsafe impl Send for IommuConsumer {}
// SAFETY: as above.
unsafe impl Sync for IommuConsumer {}

impl IommuConsumer {
    /// Begins to listen, for requests of `function` without PASID.
    ///
    /// # Errors
    /// No IOMMU is in front of it, or it does not take listeners.
    pub fn new(function: &PciDevice) -> Result<Self> {
        bql::assert_locked();
        // SAFETY: a realized device; its address space and that one's root live as long as its bus.
        let root = unsafe { (*sys::pci_device_iommu_address_space(function.as_ptr())).root };
        // SAFETY: as above.
        if !unsafe { (*root).is_iommu } {
            return Err(Error::new("no IOMMU region is in front of this function"));
        }
        let raw = sys::IOMMUNotifier {
            notify: Some(heard),
            notifier_flags: sys::IOMMUNotifierFlag::IOMMU_NOTIFIER_UNMAP,
            end: u64::MAX,
            ..Default::default()
        };
        let notifier = Box::into_raw(Box::new(Notifier { raw, heard: AtomicU64::new(0) }));
        // SAFETY: an IOMMU region, and a notifier that stays where it is until `drop`.
        let taken = Error::catch(|error| unsafe {
            sys::memory_region_register_iommu_notifier(root, notifier.cast(), error)
        });
        if let Err(e) = taken {
            // SAFETY: QEMU did not take it.
            drop(unsafe { Box::from_raw(notifier) });
            return Err(e);
        }
        Ok(Self { region: root.cast(), notifier })
    }

    /// Asks where `addr` goes, without making an access.
    pub fn ask(&self, addr: u64, write: bool) -> Option<Told> {
        bql::assert_locked();
        let flag = if write { sys::IOMMUAccessFlags::IOMMU_WO } else { sys::IOMMUAccessFlags::IOMMU_RO };
        // SAFETY: a live IOMMU region: its class is that of IOMMU regions, whose `translate` is set.
        let entry = unsafe {
            let class = (*self.region.cast::<sys::Object>()).class.cast::<sys::IOMMUMemoryRegionClass>();
            let translate = (*class).translate?;
            translate(self.region, addr, flag, 0)
        };
        let allows = |flag: sys::IOMMUAccessFlags| entry.perm.0 & flag.0 != 0;
        (entry.perm.0 != 0).then_some(Told {
            translated: entry.translated_addr,
            mask: entry.addr_mask,
            read: allows(sys::IOMMUAccessFlags::IOMMU_RO),
            write: allows(sys::IOMMUAccessFlags::IOMMU_WO),
        })
    }

    /// How often it was told to forget something.
    pub fn heard(&self) -> u64 {
        // SAFETY: lives until `drop`.
        unsafe { (*self.notifier).heard.load(Ordering::Relaxed) }
    }
}

impl Drop for IommuConsumer {
    fn drop(&mut self) {
        bql::assert_locked();
        // SAFETY: registered in `new`, under the BQL.
        unsafe {
            sys::memory_region_unregister_iommu_notifier(self.region.cast(), self.notifier.cast());
            drop(Box::from_raw(self.notifier));
        }
    }
}

unsafe extern "C" fn heard(notifier: *mut sys::IOMMUNotifier, _entry: *mut sys::IOMMUTLBEntry) {
    // SAFETY: ours, registered in `new`.
    unsafe { (*notifier.cast::<Notifier>()).heard.fetch_add(1, Ordering::Relaxed) };
}
