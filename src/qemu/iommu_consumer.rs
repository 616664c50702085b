// SPDX-License-Identifier: GPL-2.0-or-later
//! Translations as a device sees them that keeps what it was told until it hears otherwise, as QEMU's vhost does.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    /// Of what it has heard since it asked last: the largest size minus one.
    widest: AtomicU64,
    /// The address that it asked for last.
    asked: AtomicU64,
    /// What it has heard since covers that address.
    forgotten: AtomicBool,
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
        if !function.is_present() {
            return Err(Error::new("the function has been unplugged"));
        }
        // SAFETY: a device on its bus; its address space and that one's root live as long as its bus.
        let root = unsafe { (*sys::pci_device_iommu_address_space(function.as_ptr())).root };
        // SAFETY: as above.
        let region = unsafe { translating(root) }
            .ok_or_else(|| Error::new("no IOMMU region is in front of this function"))?;
        let raw = sys::IOMMUNotifier {
            notify: Some(heard),
            notifier_flags: sys::IOMMUNotifierFlag::IOMMU_NOTIFIER_UNMAP,
            end: u64::MAX,
            ..Default::default()
        };
        let notifier = Box::into_raw(Box::new(Notifier {
            raw,
            heard: AtomicU64::new(0),
            widest: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            forgotten: AtomicBool::new(true),
        }));
        // SAFETY: an IOMMU region, and a notifier that stays where it is until `drop`.
        let taken = Error::catch(|error| unsafe {
            sys::memory_region_register_iommu_notifier(region, notifier.cast(), error)
        });
        if let Err(e) = taken {
            // SAFETY: QEMU did not take it.
            drop(unsafe { Box::from_raw(notifier) });
            return Err(e);
        }
        Ok(Self { region: region.cast(), notifier })
    }

    /// Asks where `addr` goes, without making an access.
    pub fn ask(&self, addr: u64, write: bool) -> Option<Told> {
        bql::assert_locked();
        // SAFETY: lives until `drop`.
        let notifier = unsafe { &*self.notifier };
        notifier.asked.store(addr, Ordering::Relaxed);
        notifier.widest.store(0, Ordering::Relaxed);
        notifier.forgotten.store(false, Ordering::Relaxed);
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

    /// Of what it was told to forget since it asked last: the largest size minus one.
    pub fn widest(&self) -> u64 {
        // SAFETY: lives until `drop`.
        unsafe { (*self.notifier).widest.load(Ordering::Relaxed) }
    }

    /// Whether it was told to forget the address that it asked for last.
    pub fn has_forgotten(&self) -> bool {
        // SAFETY: lives until `drop`.
        unsafe { (*self.notifier).forgotten.load(Ordering::Relaxed) }
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

/// The region that translates: the root of an address space, or one of those directly below it.
///
/// # Safety
/// A live region, under the BQL.
unsafe fn translating(root: *mut sys::MemoryRegion) -> Option<*mut sys::MemoryRegion> {
    // SAFETY: the caller's promise; QEMU keeps a region's list of others in order under the BQL.
    unsafe {
        let mut region = root;
        let mut next = (*root).subregions.tqh_first;
        while !(*region).is_iommu {
            region = next;
            if region.is_null() {
                return None;
            }
            next = (*region).subregions_link.tqe_next;
        }
        Some(region)
    }
}

unsafe extern "C" fn heard(notifier: *mut sys::IOMMUNotifier, entry: *mut sys::IOMMUTLBEntry) {
    // SAFETY: ours, registered in `new`; QEMU writes the first field alone, under the BQL, which this has.
    let notifier = unsafe { &*notifier.cast::<Notifier>() };
    // SAFETY: QEMU's, during the call.
    let (addr, mask) = unsafe { ((*entry).iova, (*entry).addr_mask) };
    notifier.heard.fetch_add(1, Ordering::Relaxed);
    notifier.widest.fetch_max(mask, Ordering::Relaxed);
    // As vhost's caches reckon: a size of 2^64 is 0 to them, and takes nothing away.
    if notifier.asked.load(Ordering::Relaxed).wrapping_sub(addr) < mask.wrapping_add(1) {
        notifier.forgotten.store(true, Ordering::Relaxed);
    }
}
