// SPDX-License-Identifier: GPL-2.0-or-later
//! Layouts of the registers of BAR0, as `docs/sva-testdev.md` has them.

use crate::layout;

/// Size of BAR0: the largest page of a guest, so that a process maps it alone.
pub const BAR_SIZE: u64 = 0x1_0000;
/// ID register: "SVAT".
pub const ID: u32 = 0x5356_4154;
/// VERSION register: 1.1.
pub const VERSION: u32 = 0x0001_0001;
/// Most engines a device may have.
pub const MAX_ENGINES: u8 = 16;
/// RING_SIZE's largest value.
pub const MAX_RING_LOG2: u32 = 12;
/// Most pages that one page fault requests.
pub const MAX_PREFETCH: u32 = 32;
/// BURST's smallest value.
pub const MIN_BURST: u32 = 4096;
/// BURST's largest value.
pub const MAX_BURST: u32 = 1 << 20;
/// BURST's reset value.
pub const RESET_BURST: u32 = 1 << 16;

layout! {
    /// CAPS: what this device can do.
    pub struct Caps(u32) {
        /// Number of engines.
        7:0 engines with_engines,
        /// PASID width in bits, 0 without PASID.
        12:8 pasid_bits with_pasid_bits,
        /// ATS.
        13:13 ats with_ats,
        /// PRI.
        14:14 pri with_pri,
        /// Accesses can wait for the IOMMU.
        15:15 wait with_wait,
        /// The execute flag is supported.
        16:16 exec with_exec,
        /// The privileged flag is supported.
        17:17 privileged with_privileged,
        /// Largest scatter list.
        27:20 list_entries with_list_entries,
    }

    /// CTRL.
    pub struct Control(u32) {
        /// Engines run.
        0:0 enable with_enable,
        /// Write 1: reset everything.
        1:1 reset with_reset,
    }

    /// CANCEL and REARM.
    pub struct PasidCommand(u32) {
        /// The PASID.
        19:0 pasid with_pasid,
        /// CANCEL: a Stop Marker follows.
        28:28 stop_marker with_stop_marker,
        /// CANCEL: requests without PASID, instead of a PASID.
        29:29 no_pasid with_no_pasid,
        /// All, instead of one PASID.
        30:30 all with_all,
        /// Do it.
        31:31 go with_go,
    }

    /// An engine's CTRL.
    pub struct EngineControl(u32) {
        /// The engine takes descriptors.
        0:0 run with_run,
    }

    /// An engine's STATUS.
    pub struct EngineStatus(u32) {
        /// Running.
        0:0 running with_running,
        /// Waiting for the IOMMU.
        1:1 waiting with_waiting,
        /// Halted by an error.
        2:2 halted with_halted,
        /// The last cause.
        15:8 cause with_cause,
    }

    /// RING_PASID and PRI_PASID: an address space.
    pub struct RingPasid(u32) {
        /// The PASID.
        19:0 pasid with_pasid,
        /// It is that of a PASID; otherwise that of requests without one.
        31:31 valid with_valid,
    }

    /// An engine's PREFETCH.
    pub struct Prefetch(u32) {
        /// Pages that a page fault requests at once.
        7:0 pages with_pages,
        /// Each in a group of its own.
        31:31 split with_split,
    }

    /// ATC_FLAGS: what the entry that was looked at is.
    pub struct AtcFlags(u32) {
        /// There is one.
        0:0 valid with_valid,
        /// It belongs to a PASID.
        1:1 pasid_valid with_pasid_valid,
        /// Reads are allowed.
        2:2 read with_read,
        /// Writes are allowed.
        3:3 write with_write,
        /// Instruction fetches are allowed.
        4:4 exec with_exec,
        /// It serves privileged accesses alone.
        5:5 privileged with_privileged,
        /// It serves every PASID.
        6:6 global with_global,
        /// Its addresses are reached by untranslated requests only.
        7:7 untranslated_only with_untranslated_only,
    }

    /// PRI_SEND: a page request by hand.
    pub struct PriSend(u32) {
        /// Its page request group index.
        8:0 group with_group,
        /// The last of its group.
        9:9 last with_last,
        /// Read access is requested.
        10:10 read with_read,
        /// Write access is requested.
        11:11 write with_write,
        /// Execute Requested.
        12:12 exec with_exec,
        /// Privileged Mode Requested.
        13:13 privileged with_privileged,
        /// Whatever is outstanding already.
        14:14 force with_force,
        /// Do it.
        31:31 go with_go,
    }

    /// PRI_RESULT: the state of a page request group index.
    pub struct PriResult(u32) {
        /// The last response to it, as it is in the message.
        3:0 response with_response,
        /// There has been one since it was used last.
        8:8 answered with_answered,
        /// It is in use.
        9:9 outstanding with_outstanding,
        /// Its last request was sent.
        10:10 complete with_complete,
        /// Requests in it.
        31:16 requests with_requests,
    }

    /// PRI_OUTSTANDING.
    pub struct PriOutstanding(u32) {
        /// Page requests without response.
        15:0 requests with_requests,
        /// Page request groups without response.
        31:16 groups with_groups,
    }
}

/// What became of a PRI_SEND.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum SendStatus {
    /// There was none.
    #[default]
    None = 0,
    /// The request is on its way.
    Sent = 1,
    /// As many are outstanding as software allows.
    NoCredit = 2,
    /// The index waits for its response, or its group is another PASID's.
    IndexInUse = 3,
    /// Page requests are not enabled, or stopped by a Response Failure.
    Off = 4,
    /// Bus mastering is off, or PASID, Execute or Privileged Mode requests are not enabled.
    NotEnabled = 5,
    /// The IOMMU refused it.
    Refused = 6,
    /// The IOMMU in front takes no page requests.
    Unsupported = 7,
    /// The device has no such PASID or flag.
    Malformed = 8,
}

impl SendStatus {
    /// The status of a number.
    #[must_use]
    pub fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::None,
            1 => Self::Sent,
            2 => Self::NoCredit,
            3 => Self::IndexInUse,
            4 => Self::Off,
            5 => Self::NotEnabled,
            6 => Self::Refused,
            7 => Self::Unsupported,
            8 => Self::Malformed,
            _ => return None,
        })
    }
}

impl Prefetch {
    /// What a write of these bits sets: 1 to [`MAX_PREFETCH`] pages.
    #[must_use]
    pub fn sane(self) -> Self {
        Self::default().with_pages(self.pages().clamp(1, MAX_PREFETCH)).with_split(self.split())
    }
}

impl RingPasid {
    /// Whether it is an address space of a device with PASIDs of that width, with nothing else set.
    #[must_use]
    pub fn fits(self, bits: u8) -> bool {
        self.valid() == 0 || bits != 0 && u64::from(self.pasid()) >> bits == 0
    }

    /// Without reserved bits.
    #[must_use]
    pub fn sane(self) -> Self {
        Self::default().with_pasid(self.pasid()).with_valid(self.valid())
    }

    /// The address space that it names.
    #[must_use]
    pub fn space(self) -> Option<u32> {
        (self.valid() != 0).then_some(self.pasid())
    }
}

/// INT_STATUS: a CANCEL has finished.
pub const INT_CANCEL: u32 = 1 << 31;

/// INT_STATUS bit of an engine.
#[must_use]
pub fn int_engine(engine: u8) -> u32 {
    1u32.checked_shl(u32::from(engine)).unwrap_or(0)
}

/// What an engine does about a page fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum FaultMode {
    /// Untranslated requests; wait when the IOMMU says so.
    #[default]
    Wait = 0,
    /// Ask for a translation; request the page when there is none.
    AtsPri = 1,
    /// Untranslated requests; fail at the first fault.
    Report = 2,
}

impl FaultMode {
    /// The mode of a FAULT_MODE value.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            0 => Some(Self::Wait),
            1 => Some(Self::AtsPri),
            2 => Some(Self::Report),
            _ => None,
        }
    }
}

/// Why an access or a descriptor failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// Nothing failed.
    #[default]
    None = 0,
    /// The IOMMU refused the access.
    Refused = 1,
    /// A stalled access was aborted.
    Aborted = 2,
    /// A page request was answered INVALID.
    PageInvalid = 3,
    /// A page request was answered FAILURE, or got no answer.
    PageFailure = 4,
    /// Memory error behind the IOMMU.
    Memory = 5,
    /// Bus mastering is off.
    BusMasterOff = 6,
    /// PASID not enabled.
    PasidDisabled = 7,
    /// Malformed descriptor.
    BadDescriptor = 8,
    /// The PASID is halted.
    PasidHalted = 9,
    /// Cancelled.
    Cancelled = 10,
    /// The IOMMU in front cannot do what the fault mode asks.
    Unsupported = 11,
}

impl Cause {
    /// The cause of a number.
    #[must_use]
    pub fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::None,
            1 => Self::Refused,
            2 => Self::Aborted,
            3 => Self::PageInvalid,
            4 => Self::PageFailure,
            5 => Self::Memory,
            6 => Self::BusMasterOff,
            7 => Self::PasidDisabled,
            8 => Self::BadDescriptor,
            9 => Self::PasidHalted,
            10 => Self::Cancelled,
            11 => Self::Unsupported,
            _ => return None,
        })
    }

    /// Whether the PASID of an access that ends so is halted.
    #[must_use]
    pub fn halts_pasid(self) -> bool {
        matches!(self, Self::Aborted | Self::PageInvalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_round_trip() {
        for bits in 0..=255 {
            match SendStatus::from_bits(bits) {
                Some(status) => assert_eq!(status as u8, bits),
                None => assert!(bits > 8),
            }
        }
    }

    #[test]
    fn causes_round_trip() {
        for bits in 0..=255 {
            if let Some(cause) = Cause::from_bits(bits) {
                assert_eq!(cause as u8, bits);
            } else {
                assert!(bits > 11);
            }
        }
    }
}
