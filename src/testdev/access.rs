// SPDX-License-Identifier: GPL-2.0-or-later
//! How one access of an engine gets to memory, in each fault mode; and what all engines share.

use super::atc::TranslationCache;
use super::counters::{Counters, bump};
use super::descriptor::Limits;
use super::halted::HaltedPasids;
use super::port::{Port, PortError, Request, Route, Width};
use super::pri::PageGroups;
use super::registers::{Cause, FaultMode, Prefetch};
use crate::iommu::Access;

/// What all engines of a device share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// What the device supports.
    pub limits: Limits,
    /// What was counted.
    pub counters: Counters,
    /// PASIDs that may not be used.
    pub halted: HaltedPasids,
    /// Translations.
    pub cache: TranslationCache,
    /// Page requests.
    pub groups: PageGroups,
    /// The last tag given out.
    pub last_tag: u64,
    /// INT_STATUS bits that are to be set.
    pub events: u32,
    /// The PASID that the last step halted: every engine must drop it.
    pub aborted: Option<Aborted>,
}

/// An access that ended so that its PASID is halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// The PASID.
    pub pasid: u32,
    /// Whose access it was.
    pub engine: u8,
    /// How it ended.
    pub cause: Cause,
    /// Its address.
    pub addr: u64,
}

/// What is known of the pages after that of an access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// PREFETCH: how many pages one page fault requests.
    pub prefetch: Prefetch,
    /// Bytes from the access's address on that will be accessed in the same way.
    pub reach: u64,
}

/// On whose behalf an access is made.
#[derive(Clone, Copy, Debug)]
pub struct Initiator {
    /// Number of the engine.
    pub engine: u8,
    /// The address space.
    pub pasid: Option<u32>,
    /// Privileged.
    pub privileged: bool,
    /// Reads are instruction fetches.
    pub exec: bool,
    /// What to do about a page fault.
    pub mode: FaultMode,
    /// Page requests that were made for this access so far.
    pub attempts: u8,
    /// The pages that it will come to next.
    pub ahead: Ahead,
}

/// What an access does. It lies within one 4 KiB page.
#[derive(Debug)]
pub enum Operation<'a> {
    /// Reads into the buffer.
    Read(&'a mut [u8]),
    /// Writes the buffer.
    Write(&'a [u8]),
    /// Compare-and-swap.
    CompareExchange {
        /// Size.
        width: Width,
        /// Value to be found.
        expected: u64,
        /// Value to be written if so.
        desired: u64,
        /// Value that was found.
        found: &'a mut u64,
    },
}

/// What an engine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The IOMMU's answer to a request.
    Iommu {
        /// Its name.
        tag: u64,
        /// Its address space.
        pasid: Option<u32>,
    },
    /// The response to a page request group.
    PageGroup(u16),
    /// Leave to send a page request.
    Credit,
    /// A moment of [`Port::now`], to ask for a page again that was granted and is not there.
    Pause {
        /// The moment.
        until: u64,
    },
}

/// Why an access is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It waits.
    Wait(Wait),
    /// It failed.
    Fail(Cause),
}

impl From<PortError> for Cause {
    fn from(error: PortError) -> Self {
        match error {
            PortError::InProgress | PortError::Refused => Self::Refused,
            PortError::Memory => Self::Memory,
            PortError::BusMasterOff => Self::BusMasterOff,
            PortError::PasidDisabled => Self::PasidDisabled,
            PortError::Unsupported => Self::Unsupported,
        }
    }
}

impl Operation<'_> {
    fn access(&self, from: &Initiator) -> Access {
        let privileged = from.privileged;
        match self {
            Self::Read(_) => Access { read: true, write: false, exec: from.exec, privileged },
            Self::Write(_) => Access { read: false, write: true, exec: false, privileged },
            Self::CompareExchange { .. } => Access { read: true, write: true, exec: false, privileged },
        }
    }

    fn untranslated(&mut self, port: &mut dyn Port, request: &Request) -> Result<(), PortError> {
        match self {
            Self::Read(buf) => port.read(request, buf),
            Self::Write(buf) => port.write(request, buf),
            Self::CompareExchange { width, expected, desired, found } => {
                **found = port.compare_exchange(request, *width, *expected, *desired)?;
                Ok(())
            }
        }
    }

    fn translated(&mut self, port: &mut dyn Port, addr: u64) -> Result<(), PortError> {
        match self {
            Self::Read(buf) => port.read_translated(addr, buf),
            Self::Write(buf) => port.write_translated(addr, buf),
            Self::CompareExchange { width, expected, desired, found } => {
                **found = port.compare_exchange_translated(addr, *width, *expected, *desired)?;
                Ok(())
            }
        }
    }

    fn count(&self, counters: &mut Counters) {
        let bytes = |len: usize| u64::try_from(len).unwrap_or(0);
        match self {
            Self::Read(buf) => {
                bump(&mut counters.dma_reads);
                counters.bytes_read = counters.bytes_read.wrapping_add(bytes(buf.len()));
            }
            Self::Write(buf) => {
                bump(&mut counters.dma_writes);
                counters.bytes_written = counters.bytes_written.wrapping_add(bytes(buf.len()));
            }
            Self::CompareExchange { width, expected, found, .. } => {
                bump(&mut counters.dma_writes);
                if **found == *expected {
                    counters.bytes_written = counters.bytes_written.wrapping_add(u64::from(width.bytes()));
                }
            }
        }
    }
}

impl Shared {
    /// The state after reset, with a translation cache of that size.
    #[must_use]
    pub fn new(limits: Limits, atc_entries: u16) -> Self {
        Self {
            limits,
            counters: Counters::default(),
            halted: HaltedPasids::default(),
            cache: TranslationCache::new(atc_entries),
            groups: PageGroups::default(),
            last_tag: 0,
            events: 0,
            aborted: None,
        }
    }

    /// Carries out one access, or says what it waits for or why it failed. The same call again is the
    /// retry of an access that waited.
    pub fn perform(
        &mut self,
        port: &mut dyn Port,
        from: &Initiator,
        addr: u64,
        mut operation: Operation<'_>,
    ) -> Result<(), Trouble> {
        if from.pasid.is_some_and(|pasid| self.halted.contains(pasid)) {
            return Err(Trouble::Fail(Cause::PasidHalted));
        }
        let mut request = Request { pasid: from.pasid, addr, access: operation.access(from), tag: 0 };
        let result = match from.mode {
            FaultMode::Wait => {
                request.tag = self.new_tag();
                operation.untranslated(port, &request)
            }
            FaultMode::Report => operation.untranslated(port, &request),
            FaultMode::AtsPri => match self.translate(port, from, &request)? {
                Route::Translated(addr) => operation.translated(port, addr),
                Route::Untranslated => operation.untranslated(port, &request),
            },
        };
        match result {
            Ok(()) => {
                operation.count(&mut self.counters);
                Ok(())
            }
            Err(PortError::InProgress) if request.tag != 0 => {
                bump(&mut self.counters.stalls);
                Err(Trouble::Wait(Wait::Iommu { tag: request.tag, pasid: request.pasid }))
            }
            Err(error) => Err(Trouble::Fail(error.into())),
        }
    }

    fn new_tag(&mut self) -> u64 {
        self.last_tag = self.last_tag.wrapping_add(1).max(1);
        self.last_tag
    }
}
