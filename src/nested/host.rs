// SPDX-License-Identifier: GPL-2.0-or-later
//! The host's IOMMU, as whoever models a guest's IOMMU calls it.
//!
//! Two implementations exist: iommufd, that is Linux's, and one inside the process that walks tables by itself. All calls
//! are made by one thread at a time (in QEMU: under the BQL); none of them waits for a device or for a guest.

use std::os::fd::BorrowedFd;

use super::error::{PartialInvalidation, Result};
use crate::iommu::{Access, SubstreamId};

/// A device as the host numbers it (iommufd: `dev_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(pub u32);

/// What [`Host::bind`] made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingId(pub u32);

/// Names a fault until it is answered. No other fault of the same host has it in that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie(pub u64);

/// What a host's IOMMU can do for one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capabilities {
    /// An SMMUv3.
    Smmuv3(Smmuv3Capabilities),
    /// A VT-d unit in scalable mode.
    Vtd(VtdCapabilities),
}

/// Of an SMMUv3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smmuv3Capabilities {
    /// `SMMU_IDR0` to `SMMU_IDR5`.
    pub idr: [u32; 6],
    /// `SMMU_IIDR`.
    pub iidr: u32,
    /// `SMMU_AIDR`.
    pub aidr: u32,
    /// PASIDs of the device, in bits; 0: none.
    pub pasid_bits: u8,
}

/// Of a VT-d unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VtdCapabilities {
    /// `CAP_REG`.
    pub cap: u64,
    /// `ECAP_REG`.
    pub ecap: u64,
    /// PASIDs of the device, in bits; 0: none.
    pub pasid_bits: u8,
    /// Mappings of stage 2 are to be writable (an erratum that `IOMMU_GET_HW_INFO` tells of).
    pub writable_stage2_only: bool,
}

/// What a device, or one PASID of it, is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Config {
    /// Every request is aborted.
    Abort,
    /// The guest translates nothing: addresses are guest-physical.
    Bypass,
    /// The guest's CD table, for a whole stream: bits of STE words 0 and 1 that are the guest's to choose
    /// (`V`, `Config`, `S1Fmt`, `S1ContextPtr`, `S1CDMax`; `S1DSS`, `S1CIR`, `S1COR`, `S1CSH`, `S1STALLD`, `EATS`), all
    /// others 0. SMMUv3 only, without PASID.
    CdTable {
        /// The two words.
        ste: [u64; 2],
    },
    /// One first-stage table of the guest. VT-d only.
    FirstStage(FirstStage),
}

/// A first-stage table, as a PASID table entry of the guest has it (`VTD §9.6`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FirstStage {
    /// Guest-physical address of the topmost table.
    pub table: u64,
    /// Width of input addresses: 48 or 57 bits.
    pub address_bits: u8,
    /// `SRE`: supervisor requests are allowed.
    pub supervisor_requests: bool,
    /// `WPE`: supervisor writes respect read-only pages.
    pub write_protect: bool,
    /// `EAFE`: the extended accessed flag is set.
    pub extended_accessed: bool,
}

/// Who answers faults that could be mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaultRouting {
    /// The host does: it refuses them.
    #[default]
    Refused,
    /// They are read with [`Host::next_fault`] and answered with [`Host::respond`].
    Queued,
}

/// An invalidation of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// A command as the guest wrote it: TLBI, `CFGI_CD`, `CFGI_CD_ALL`, `ATC_INV`. StreamIDs are virtual ones; the host
    /// replaces them and the VMID.
    Smmuv3([u64; 2]),
    /// Pages of one bound first-stage table, and of the device's own TLB.
    FirstStage {
        /// Whose.
        binding: BindingId,
        /// First input address.
        addr: u64,
        /// How many pages of 4 KiB; [`u64::MAX`] with address 0: all that was cached for the table.
        pages: u64,
        /// Only leaves changed.
        leaf: bool,
    },
}

/// A fault that a device waits for, a stall or a page request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFault {
    /// Whose.
    pub device: DeviceId,
    /// In which address space.
    pub pasid: Option<SubstreamId>,
    /// Page request group index, or the host's STAG.
    pub group: u32,
    /// Input address; its low twelve bits may be lost.
    pub addr: u64,
    /// What was tried there.
    pub access: Access,
    /// The last of its group: this one's cookie answers the whole group.
    pub last: bool,
    /// What the answer is to name.
    pub cookie: Cookie,
}

/// The answer to a group of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// The pages are there now: try again.
    Success,
    /// They will not be: the accesses are aborted.
    Invalid,
}

/// What the host's IOMMU reports besides faults that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// An event record of an SMMUv3 (`IHI0070 §7.3`), with the virtual StreamID in place of the host's.
    Smmuv3([u64; 4]),
    /// As many reports were lost at least, before the next one.
    Lost(u32),
}

/// A host's IOMMU: one stage 2 (a virtual machine), and the devices in it.
///
/// **Devices** are given to it by means of its own (a constructor). Until something is bound a device has what stage 2 says.
///
/// **Bindings** are replaced without a moment in between in which neither or both hold; if the new one is refused, the old
/// one holds. To forget a binding is [`unbind`](Self::unbind)'s; [`Binding`](super::Binding) does so when it is dropped.
///
/// **Faults** that are open when their binding goes away, by replacement too, are answered [`Response::Invalid`] by the host.
pub trait Host: Send + Sync {
    /// What the IOMMU in front of `device` can do.
    ///
    /// # Errors
    /// The device is unknown or gone.
    fn capabilities(&self, device: DeviceId) -> Result<Capabilities>;

    /// Shows `len` bytes at guest-physical `gpa`: the host's memory at `host` (iommufd: an address of this process; the host
    /// inside the process: an address of its memory). All are multiples of 4 KiB.
    ///
    /// # Errors
    /// [`Stage2NotOurs`](super::Error::Stage2NotOurs); `errno`s of mapping (`EEXIST` where something is already).
    fn map(&self, gpa: u64, host: u64, len: u64, writable: bool) -> Result<()>;

    /// Takes away what [`map`](Self::map) showed in the range. When it returns no device reaches it any more.
    ///
    /// # Errors
    /// As for mapping (`ENOENT` where nothing is).
    fn unmap(&self, gpa: u64, len: u64) -> Result<()>;

    /// Tells what the guest calls a device: StreamID on Arm. To be done before a [`Config::CdTable`] is bound, and before
    /// an invalidation names it.
    ///
    /// # Errors
    /// `EEXIST` if it has a name, or the name a device.
    fn add_virtual_device(&self, device: DeviceId, virtual_id: u64) -> Result<()>;

    /// Takes the name back. What is bound stays bound.
    ///
    /// # Errors
    /// It has none (`ENOENT`).
    fn remove_virtual_device(&self, device: DeviceId) -> Result<()>;

    /// Binds a device (its requests without PASID; with a [`Config::CdTable`] all its requests), or one PASID of it.
    ///
    /// # Errors
    /// The host cannot do it, or fails; then nothing was changed. `EBUSY` where something is bound: see
    /// [`replace`](Self::replace).
    fn bind(
        &self,
        device: DeviceId,
        pasid: Option<SubstreamId>,
        config: &Config,
        faults: FaultRouting,
    ) -> Result<BindingId>;

    /// Binds the same device and PASID to something else.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind); then the old configuration holds.
    fn replace(&self, binding: BindingId, config: &Config, faults: FaultRouting) -> Result<()>;

    /// Ends a binding: a PASID then has no translation, a device what stage 2 says.
    ///
    /// # Errors
    /// It does not exist. If the host fails beyond that, the binding is gone all the same as far as it can be.
    fn unbind(&self, binding: BindingId) -> Result<()>;

    /// Carries out invalidations in their order, with as few system calls as the host's interface allows, and returns when
    /// they are complete.
    ///
    /// # Errors
    /// How far it came, and why not further.
    fn invalidate(&self, batch: &[Invalidation]) -> core::result::Result<(), PartialInvalidation>;

    /// The next fault that somebody waits for; `None` if there is none now.
    ///
    /// # Errors
    /// The queue failed or was closed.
    fn next_fault(&self) -> Result<Option<HostFault>>;

    /// Answers the group whose last fault had this cookie.
    ///
    /// # Errors
    /// [`UnknownCookie`](super::Error::UnknownCookie) if nothing waits.
    fn respond(&self, cookie: Cookie, response: Response) -> Result<()>;

    /// The next report; `None` if there is none now.
    ///
    /// # Errors
    /// The queue failed or was closed.
    fn next_event(&self) -> Result<Option<HostEvent>>;

    /// Becomes readable when [`next_fault`](Self::next_fault) has something. `None`: there are no faults of that kind.
    fn fault_fd(&self) -> Option<BorrowedFd<'_>>;

    /// Becomes readable when [`next_event`](Self::next_event) has something. `None`: this host reports nothing.
    fn event_fd(&self) -> Option<BorrowedFd<'_>>;
}
