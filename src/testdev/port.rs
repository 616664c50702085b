// SPDX-License-Identifier: GPL-2.0-or-later
//! The PCIe port as the engines see it: how their requests leave the device.

use crate::iommu::Access;

/// A memory request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The address space; `None` for a request without PASID.
    pub pasid: Option<u32>,
    /// First byte.
    pub addr: u64,
    /// What it does there.
    pub access: Access,
    /// Names the request if the IOMMU makes it wait; 0: it cannot wait.
    pub tag: u64,
}

/// Why a request was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortError {
    /// It waits: [`Device::resolved`](super::Device::resolved) will be called with its tag.
    InProgress,
    /// The IOMMU refused it.
    Refused,
    /// It was translated, and what is there is no memory or answered with an error.
    Memory,
    /// Bus mastering is off.
    BusMasterOff,
    /// The PASID capability is not enabled, or does not allow the request's privilege or execute flag.
    PasidDisabled,
    /// The IOMMU in front has no way to do this.
    Unsupported,
}

/// Size of an atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 32 bits.
    Four,
    /// 64 bits.
    Eight,
}

impl Width {
    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u32 {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

/// The answer to an ATS translation request (`PCIe §10.2.3`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtsTranslation {
    /// First untranslated address that it covers.
    pub input: u64,
    /// The translated address of that.
    pub output: u64,
    /// Size minus one, a power of two minus one and at least `0xfff`.
    pub mask: u64,
    /// Reads are allowed.
    pub read: bool,
    /// Writes are allowed.
    pub write: bool,
    /// Instruction fetches are allowed.
    pub exec: bool,
    /// The permissions are for privileged accesses; otherwise they are for the others.
    pub privileged: bool,
    /// It holds for every PASID.
    pub global: bool,
    /// The range is reached by untranslated requests only (`U`); there is no translated address.
    pub untranslated_only: bool,
}

/// How an access goes on once its address has been asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// By a request with this translated address.
    Translated(u64),
    /// By a request with its own address, for the IOMMU to deal with.
    Untranslated,
}

/// A device-TLB invalidation: translations of `addr & !mask ..= addr | mask` are no longer valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Invalidation {
    /// The address space.
    pub pasid: Option<u32>,
    /// Every address space instead.
    pub all_pasids: bool,
    /// An address of the range.
    pub addr: u64,
    /// Its size minus one.
    pub mask: u64,
}

/// How requests leave the device. No request crosses a 4 KiB boundary; calls come under the BQL, from
/// [`Device::tick`](super::Device::tick) and from register writes that cancel.
pub trait Port {
    /// The guest's clock, in nanoseconds.
    fn now(&self) -> u64;

    /// Reads memory through the IOMMU.
    fn read(&mut self, request: &Request, buf: &mut [u8]) -> Result<(), PortError>;

    /// Writes memory through the IOMMU. Writes become visible in the order of the calls.
    fn write(&mut self, request: &Request, buf: &[u8]) -> Result<(), PortError>;

    /// Atomic compare-and-swap through the IOMMU; returns the value found.
    fn compare_exchange(
        &mut self,
        request: &Request,
        width: Width,
        expected: u64,
        desired: u64,
    ) -> Result<u64, PortError>;

    /// Gives up the waiting request `tag`: from here on there is no answer to it.
    fn cancel(&mut self, pasid: Option<u32>, tag: u64);

    /// An invalidation that came in while the device was at work, as the effect of its own accesses. Asked
    /// before each use of a translation; taking one says that the device has let go of the one before.
    fn take_invalidation(&mut self) -> Option<Invalidation>;

    /// Sends an ATS translation request. `Ok(None)`: there is no translation.
    fn translate(&mut self, request: &Request) -> Result<Option<AtsTranslation>, PortError>;

    /// Reads at a translated address.
    fn read_translated(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), PortError>;

    /// Writes at a translated address.
    fn write_translated(&mut self, addr: u64, buf: &[u8]) -> Result<(), PortError>;

    /// Atomic compare-and-swap at a translated address; returns the value found.
    fn compare_exchange_translated(
        &mut self,
        addr: u64,
        width: Width,
        expected: u64,
        desired: u64,
    ) -> Result<u64, PortError>;

    /// How many page requests may be outstanding; 0 when PRI is off.
    fn page_request_allowance(&self) -> u32;

    /// Sends a PRI page request of a group, the last one or not. A last one that asks for neither read nor write is
    /// a Stop Marker, which has no response; for others,
    /// [`Device::page_response`](super::Device::page_response) is called with `group` later.
    fn page_request(&mut self, request: &Request, group: u16, last: bool) -> Result<(), PortError>;
}
