// SPDX-License-Identifier: GPL-2.0-or-later
//! A host that does one thing wrong.
//!
//! What the layer would do wrong is done to its calls on their way to the host, and to what comes back.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

use crate::iommu::SubstreamId;
use crate::nested::error::{PartialInvalidation, Result};
use crate::nested::host::{
    BindingId, Capabilities, Config, Cookie, DeviceId, FaultRouting, FirstStage, Host, HostEvent, HostFault,
    Invalidation, Response,
};
use crate::nested::software::SoftwareHost;
use crate::smmuv3::spec::command::{StreamCommand0, TlbiCommand0, TlbiCommand1};
use crate::smmuv3::spec::event::Event0;
use crate::smmuv3::spec::ste::{Ste0, Ste1};

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    /// Commands of an opcode are not passed on.
    Drop(u8),
    /// No invalidation of VT-d is.
    DropPages,
    /// A batch is passed on without its last entry.
    CutShort,
    /// In the opposite order.
    Reverse,
    /// Entry by entry, a call each.
    OneByOne,
    /// Only the entries of the binding that the first one names.
    FirstBindingOnly,
    /// Ranges lose their last page.
    ShortenRange,
    /// VT-d's all become their first page.
    FirstPageOnly,
    /// Commands name another ASID.
    WrongAsid,
    /// Another address.
    WrongAddress,
    /// Another SubstreamID.
    WrongSubstream,
    /// Tables above the pages are left out.
    LeavesOnly,
    /// A batch that failed is said to be done.
    HideFailure,
    /// It is said to have come one entry further.
    WrongIndex,
    /// Replacements are not made.
    KeepOld,
    /// Bindings are not ended.
    KeepBound,
    /// `S1DSS` is another.
    WrongS1dss,
    /// `S1CDMax` is one less.
    WrongS1cdmax,
    /// `S1Fmt` is linear.
    WrongS1fmt,
    /// Abort is bypass.
    AbortIsBypass,
    /// Requests without PASID are not bound to what `RID_PASID` says.
    NoRidPasid,
    /// PASIDs are off by one.
    WrongPasid,
    /// First-stage tables are of four levels.
    FourLevels,
    /// Supervisor requests are not told of.
    NoSupervisor,
    /// Faults are not asked for.
    NoFaults,
    /// Faults are not passed on.
    DropFaults,
    /// Faults lose their PASID.
    FaultWithoutPasid,
    /// Answers are for the fault that came before.
    WrongCookie,
    /// Answers are the opposite.
    WrongResponse,
    /// Answers are not given.
    DropResponses,
    /// Events are not passed on.
    DropEvents,
    /// Events name another stream.
    EventOfAnother,
    /// Nobody hears of lost events.
    HideLost,
}

/// The host.
pub(super) struct Mutant {
    inner: Arc<SoftwareHost>,
    mutation: Mutation,
    cookies: Mutex<Vec<Cookie>>,
    /// The bindings of PASIDs.
    pasids: Mutex<Vec<(BindingId, SubstreamId)>>,
}

impl Mutant {
    pub fn new(inner: Arc<SoftwareHost>, mutation: Mutation) -> Self {
        Self { inner, mutation, cookies: Mutex::default(), pasids: Mutex::default() }
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == mutation
    }

    fn config(&self, pasid: Option<SubstreamId>, config: &Config) -> Config {
        use Mutation as M;
        match (self.mutation, *config) {
            (M::WrongS1dss, Config::CdTable { ste: [low, high] }) => {
                let dss = Ste1::from(high).s1dss();
                Config::CdTable { ste: [low, Ste1::from(high).with_s1dss((dss + 1) % 3).bits()] }
            }
            (M::WrongS1cdmax, Config::CdTable { ste: [low, high] }) => {
                let max = Ste0::from(low).s1cdmax().saturating_sub(1);
                Config::CdTable { ste: [Ste0::from(low).with_s1cdmax(max).bits(), high] }
            }
            (M::WrongS1fmt, Config::CdTable { ste: [low, high] }) => {
                Config::CdTable { ste: [Ste0::from(low).with_s1fmt(0).bits(), high] }
            }
            (M::AbortIsBypass, Config::Abort) => Config::Bypass,
            (M::NoRidPasid, Config::FirstStage(_)) if pasid.is_none() => Config::Bypass,
            (M::FourLevels, Config::FirstStage(first)) => {
                Config::FirstStage(FirstStage { address_bits: 48, ..first })
            }
            (M::NoSupervisor, Config::FirstStage(first)) => {
                Config::FirstStage(FirstStage { supervisor_requests: false, ..first })
            }
            (_, config) => config,
        }
    }

    fn routing(&self, faults: FaultRouting) -> FaultRouting {
        if self.is(Mutation::NoFaults) { FaultRouting::Refused } else { faults }
    }

    /// An entry of a batch as it is passed on.
    fn entry(&self, what: Invalidation) -> Option<Invalidation> {
        use Mutation as M;
        let command = |first: u64, second: u64| Some(Invalidation::Smmuv3([first, second]));
        match (self.mutation, what) {
            (M::Drop(opcode), Invalidation::Smmuv3([first, _])) if first & 0xff == opcode.into() => None,
            (M::DropPages, Invalidation::FirstStage { .. }) => None,
            // Whoever does not know what that is has nothing to invalidate of it.
            (M::NoRidPasid, Invalidation::FirstStage { binding, .. })
                if !self.pasids.lock().unwrap().iter().any(|(id, _)| *id == binding) =>
            {
                None
            }
            (M::ShortenRange, Invalidation::Smmuv3([first, second])) if is_tlbi(first) => {
                let head = TlbiCommand0::from(first);
                command(head.with_num(head.num().saturating_sub(1)).bits(), second)
            }
            (M::ShortenRange, Invalidation::FirstStage { binding, addr, pages, leaf })
                if pages != u64::MAX =>
            {
                Some(Invalidation::FirstStage { binding, addr, pages: pages - 1, leaf })
            }
            (M::FirstPageOnly, Invalidation::FirstStage { binding, addr, leaf, .. }) => {
                Some(Invalidation::FirstStage { binding, addr, pages: 1, leaf })
            }
            (M::WrongAsid, Invalidation::Smmuv3([first, second])) if is_tlbi(first) => {
                let head = TlbiCommand0::from(first);
                command(head.with_asid(head.asid() ^ 1).bits(), second)
            }
            (M::WrongAddress, Invalidation::Smmuv3([first, second])) if is_tlbi(first) => {
                let tail = TlbiCommand1::from(second);
                command(first, tail.with_addr(tail.addr() ^ 1).bits())
            }
            (M::WrongAddress, Invalidation::FirstStage { binding, addr, pages, leaf })
                if pages != u64::MAX =>
            {
                Some(Invalidation::FirstStage { binding, addr: addr + (pages << 12), pages, leaf })
            }
            (M::WrongSubstream, Invalidation::Smmuv3([first, second])) if !is_tlbi(first) => {
                let head = StreamCommand0::from(first);
                command(head.with_substream_id(head.substream_id() ^ 1).bits(), second)
            }
            (M::LeavesOnly, Invalidation::Smmuv3([first, second])) if is_tlbi(first) => {
                command(first, TlbiCommand1::from(second).with_leaf(1).bits())
            }
            (M::LeavesOnly, Invalidation::FirstStage { binding, addr, pages, .. }) => {
                Some(Invalidation::FirstStage { binding, addr, pages, leaf: true })
            }
            (_, what) => Some(what),
        }
    }
}

fn is_tlbi(first: u64) -> bool {
    (0x10..=0x30).contains(&(first & 0xff))
}

impl Host for Mutant {
    fn capabilities(&self, device: DeviceId) -> Result<Capabilities> {
        self.inner.capabilities(device)
    }

    fn map(&self, gpa: u64, host: u64, len: u64, writable: bool) -> Result<()> {
        self.inner.map(gpa, host, len, writable)
    }

    fn unmap(&self, gpa: u64, len: u64) -> Result<()> {
        self.inner.unmap(gpa, len)
    }

    fn add_virtual_device(&self, device: DeviceId, virtual_id: u64) -> Result<()> {
        self.inner.add_virtual_device(device, virtual_id)
    }

    fn remove_virtual_device(&self, device: DeviceId) -> Result<()> {
        self.inner.remove_virtual_device(device)
    }

    fn bind(
        &self,
        device: DeviceId,
        pasid: Option<SubstreamId>,
        config: &Config,
        faults: FaultRouting,
    ) -> Result<BindingId> {
        let wrong = if self.is(Mutation::WrongPasid) { pasid.map(|pasid| pasid ^ 1) } else { pasid };
        let id = self.inner.bind(device, wrong, &self.config(pasid, config), self.routing(faults))?;
        self.pasids.lock().unwrap().extend(pasid.map(|pasid| (id, pasid)));
        Ok(id)
    }

    fn replace(&self, binding: BindingId, config: &Config, faults: FaultRouting) -> Result<()> {
        if self.is(Mutation::KeepOld) {
            return Ok(());
        }
        let pasid =
            self.pasids.lock().unwrap().iter().find(|(id, _)| *id == binding).map(|(_, pasid)| *pasid);
        self.inner.replace(binding, &self.config(pasid, config), self.routing(faults))
    }

    fn unbind(&self, binding: BindingId) -> Result<()> {
        if self.is(Mutation::KeepBound) { Ok(()) } else { self.inner.unbind(binding) }
    }

    fn invalidate(&self, batch: &[Invalidation]) -> core::result::Result<(), PartialInvalidation> {
        let mut entries: Vec<Invalidation> = batch.iter().filter_map(|what| self.entry(*what)).collect();
        match self.mutation {
            Mutation::CutShort => drop(entries.pop()),
            Mutation::Reverse => entries.reverse(),
            Mutation::OneByOne => {
                for (n, entry) in entries.iter().enumerate() {
                    self.inner.invalidate(core::slice::from_ref(entry)).map_err(|mut partial| {
                        partial.done += n;
                        partial
                    })?;
                }
                return Ok(());
            }
            Mutation::FirstBindingOnly => {
                let of = |what: &Invalidation| match what {
                    Invalidation::FirstStage { binding, .. } => Some(*binding),
                    Invalidation::Smmuv3(_) => None,
                };
                let first = entries.first().and_then(of);
                entries.retain(|what| of(what) == first);
            }
            _ => {}
        }
        let result = self.inner.invalidate(&entries);
        match self.mutation {
            Mutation::HideFailure => Ok(()),
            Mutation::WrongIndex => result.map_err(|mut partial| {
                partial.done += 1;
                partial
            }),
            _ => result,
        }
    }

    fn next_fault(&self) -> Result<Option<HostFault>> {
        let fault = self.inner.next_fault()?;
        if let Some(fault) = fault {
            self.cookies.lock().unwrap().push(fault.cookie);
        }
        Ok(match self.mutation {
            Mutation::DropFaults => None,
            Mutation::FaultWithoutPasid => fault.map(|fault| HostFault { pasid: None, ..fault }),
            _ => fault,
        })
    }

    fn respond(&self, cookie: Cookie, response: Response) -> Result<()> {
        let cookies = self.cookies.lock().unwrap();
        let before = cookies.iter().rev().find(|known| **known < cookie).copied();
        match self.mutation {
            Mutation::WrongCookie => self.inner.respond(before.unwrap_or(Cookie(cookie.0 + 1)), response),
            Mutation::WrongResponse => self.inner.respond(
                cookie,
                if response == Response::Success { Response::Invalid } else { Response::Success },
            ),
            Mutation::DropResponses => Ok(()),
            _ => self.inner.respond(cookie, response),
        }
    }

    fn next_event(&self) -> Result<Option<HostEvent>> {
        let event = self.inner.next_event()?;
        Ok(match (self.mutation, event) {
            (Mutation::DropEvents, Some(HostEvent::Smmuv3(_))) => None,
            (Mutation::HideLost, Some(HostEvent::Lost(_))) => None,
            (Mutation::EventOfAnother, Some(HostEvent::Smmuv3([first, rest @ ..]))) => {
                let head = Event0::from(first);
                let [second, third, fourth] = rest;
                let first = head.with_stream_id(head.stream_id() ^ 1).bits();
                Some(HostEvent::Smmuv3([first, second, third, fourth]))
            }
            (_, event) => event,
        })
    }

    fn fault_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.fault_fd()
    }

    fn event_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.event_fd()
    }
}
