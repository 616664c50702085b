// SPDX-License-Identifier: GPL-2.0-or-later
//! Fault mode 1: translations from the cache or from the IOMMU (ATS), pages from software (PRI).

use super::access::{Initiator, Shared, Trouble, Wait};
use super::add_wrapping;
use super::counters::bump;
use super::port::{AtsTranslation, Invalidation, Port, PortError, Request, Route};
use super::pri::{GROUPS, Group};
use super::registers::{Cause, PriSend, SendStatus};
use super::{PAGE_SIZE, offset_in_page};
use crate::iommu::Access;

/// Page requests that one access makes before it gives up. Each waits for software's answer, so this
/// bounds no work; it ends a conversation in which software says "done" and never is.
const MAX_ATTEMPTS: u8 = 255;
/// Translation requests in a row whose answer is invalid when it arrives.
const MAX_OVERTAKEN: u32 = 16;

impl Shared {
    /// Forgets translations.
    pub fn invalidate(&mut self, invalidation: &Invalidation) {
        let counters = &mut self.counters;
        bump(&mut counters.invalidations);
        let taken = self.cache.invalidate(invalidation);
        counters.atc_invalidated = counters.atc_invalidated.wrapping_add(taken);
    }

    /// How an access reaches memory, or what it has to wait for.
    pub(super) fn translate(
        &mut self,
        port: &mut dyn Port,
        from: &Initiator,
        request: &Request,
    ) -> Result<Route, Trouble> {
        while let Some(invalidation) = port.take_invalidation() {
            self.invalidate(&invalidation);
        }
        if let Some(route) = self.cache.lookup(request.pasid, request.addr, request.access) {
            bump(&mut self.counters.atc_hits);
            return Ok(route);
        }
        bump(&mut self.counters.atc_misses);
        match self.ask(port, request).map_err(|error| Trouble::Fail(error.into()))? {
            Some(route) => Ok(route),
            None => Err(self.request_page(port, from, request)),
        }
    }

    /// Sends a translation request and keeps the answer; the access's route, if it is one for this access.
    fn ask(&mut self, port: &mut dyn Port, request: &Request) -> Result<Option<Route>, PortError> {
        for _ in 0..MAX_OVERTAKEN {
            let answer = port.translate(request)?;
            bump(&mut self.counters.ats_requests);
            // An invalidation that came while the request was on its way may be about the answer, which must then
            // be neither used nor kept (PCIe §10.3.7).
            let mut overtaken = false;
            while let Some(invalidation) = port.take_invalidation() {
                self.invalidate(&invalidation);
                overtaken |= answer.is_some_and(|answer| invalidation.takes(request.pasid, &answer));
            }
            if overtaken {
                continue;
            }
            if let Some(translation) = answer
                && translation.allows(request.access)
                && let Some(route) = translation.route_of(request.addr)
            {
                self.cache.insert(request.pasid, translation);
                return Ok(Some(route));
            }
            bump(&mut self.counters.ats_failed);
            return Ok(None);
        }
        Err(PortError::Refused)
    }

    /// Requests the page of an access, and pages that it will come to.
    fn request_page(&mut self, port: &mut dyn Port, from: &Initiator, request: &Request) -> Trouble {
        let allowance = port.page_request_allowance();
        if allowance == 0 {
            return Trouble::Fail(Cause::Unsupported);
        }
        if from.attempts == MAX_ATTEMPTS {
            return Trouble::Fail(Cause::PageFailure);
        }
        let page = request.addr & !(PAGE_SIZE.wrapping_sub(1));
        if let Some(group) = self.groups.sent_ahead(from.engine, request.pasid, page, request.access) {
            return Trouble::Wait(Wait::PageGroup(group));
        }
        let credit = self.groups.credit(allowance);
        if credit == 0 {
            return Trouble::Wait(Wait::Credit);
        }
        let next = self.missing_pages(port, from, request, credit.saturating_sub(1));
        let split = from.ahead.prefetch.split() != 0;
        let others = if split { &[] } else { next.as_slice() };
        let first = match self.send_group(port, request, others, None) {
            Ok(group) => group,
            Err(cause) => return Trouble::Fail(cause),
        };
        if split {
            for addr in next {
                // What fails ahead of its time is found out in time.
                let _ = self.send_group(port, &Request { addr, ..*request }, &[], Some(from.engine));
            }
        }
        Trouble::Wait(Wait::PageGroup(first))
    }

    /// At most `most` pages after that of `request` which the engine will come to, and which are not there for it.
    fn missing_pages(
        &mut self,
        port: &mut dyn Port,
        from: &Initiator,
        request: &Request,
        most: u32,
    ) -> Vec<u64> {
        let mut missing = Vec::new();
        let page = request.addr & !(PAGE_SIZE.wrapping_sub(1));
        let reach = from.ahead.reach.saturating_add(offset_in_page(request.addr));
        for number in 1..u64::from(from.ahead.prefetch.pages()) {
            let offset = number.wrapping_mul(PAGE_SIZE);
            if offset >= reach || missing.len() >= usize::try_from(most).unwrap_or(0) {
                break;
            }
            let ahead = Request { addr: add_wrapping(page, offset), ..*request };
            if self.cache.lookup(ahead.pasid, ahead.addr, ahead.access).is_some()
                || self.groups.sent_ahead(from.engine, ahead.pasid, ahead.addr, ahead.access).is_some()
            {
                continue;
            }
            match self.ask(port, &ahead) {
                Ok(Some(_)) => {}
                Ok(None) => missing.push(ahead.addr),
                Err(_) => break,
            }
        }
        missing
    }

    /// Sends one group: the page of `request`, then the `others`.
    fn send_group(
        &mut self,
        port: &mut dyn Port,
        request: &Request,
        others: &[u64],
        ahead_of: Option<u8>,
    ) -> Result<u16, Cause> {
        let group = Group {
            pasid: request.pasid,
            addr: request.addr & !(PAGE_SIZE.wrapping_sub(1)),
            access: request.access,
            requests: 1,
            complete: others.is_empty(),
            ahead_of,
        };
        let Some(index) = self.groups.begin(group) else { return Err(Cause::PageFailure) };
        let mut sent = port.page_request(request, index, others.is_empty());
        for (number, addr) in (1usize..).zip(others) {
            if sent.is_ok() {
                bump(&mut self.counters.page_requests);
                let last = number == others.len();
                self.groups.add_request(index, last);
                sent = port.page_request(&Request { addr: *addr, ..*request }, index, last);
            }
        }
        match sent {
            Ok(()) => {
                bump(&mut self.counters.page_requests);
                bump(&mut self.counters.page_groups);
                Ok(index)
            }
            Err(error) => {
                self.groups.end(index, None);
                Err(match error {
                    PortError::InProgress | PortError::Refused | PortError::Memory => Cause::PageFailure,
                    other => other.into(),
                })
            }
        }
    }

    /// PRI_SEND: one page request with chosen fields.
    pub(super) fn send_by_hand(
        &mut self,
        port: &mut dyn Port,
        pasid: Option<u32>,
        addr: u64,
        send: PriSend,
    ) -> SendStatus {
        let access = Access {
            read: send.read() != 0,
            write: send.write() != 0,
            exec: send.exec() != 0,
            privileged: send.privileged() != 0,
        };
        let has_flags = access.exec || access.privileged;
        let limits = &self.limits;
        if has_flags && pasid.is_none()
            || access.exec && !limits.exec
            || access.privileged && !limits.privileged
        {
            return SendStatus::Malformed;
        }
        let allowance = port.page_request_allowance();
        if allowance == 0 {
            return SendStatus::Off;
        }
        let (last, force) = (send.last() != 0, send.force() != 0);
        let request = Request { pasid, addr, access, tag: 0 };
        let index = u16::try_from(send.group()).unwrap_or(0);
        if pasid.is_some() && last && !access.read && !access.write {
            let sent = port.page_request(&request, index, true);
            if sent.is_ok() {
                bump(&mut self.counters.stop_markers);
            }
            return send_status(sent);
        }
        let open = self.groups.get(index);
        if open.is_some_and(|group| group.complete || group.pasid != pasid) && !force {
            return SendStatus::IndexInUse;
        }
        if self.groups.credit(allowance) == 0 && !force {
            return SendStatus::NoCredit;
        }
        let full = open.is_some_and(|group| group.requests == u16::MAX);
        if full || index >= GROUPS {
            return SendStatus::NoCredit;
        }
        let sent = port.page_request(&request, index, last);
        if sent.is_ok() {
            let group = Group { pasid, addr, access, requests: 1, complete: last, ahead_of: None };
            if !self.groups.begin_at(index, group) {
                self.groups.add_request(index, last);
            }
            bump(&mut self.counters.page_requests);
            if last {
                bump(&mut self.counters.page_groups);
            }
        }
        send_status(sent)
    }

    /// Tells the IOMMU that no page request of `pasid` comes after this (`PCIe §10.4.1.2`); `false`: it was not sent.
    pub(super) fn send_stop_marker(&mut self, port: &mut dyn Port, pasid: u32) -> bool {
        if port.page_request_allowance() == 0 {
            return false;
        }
        let request = Request { pasid: Some(pasid), addr: 0, access: Access::default(), tag: 0 };
        let sent = port.page_request(&request, 0, true).is_ok();
        if sent {
            bump(&mut self.counters.stop_markers);
        }
        sent
    }
}

fn send_status(sent: Result<(), PortError>) -> SendStatus {
    match sent {
        Ok(()) => SendStatus::Sent,
        Err(PortError::InProgress | PortError::Refused | PortError::Memory) => SendStatus::Refused,
        Err(PortError::BusMasterOff | PortError::PasidDisabled) => SendStatus::NotEnabled,
        Err(PortError::Unsupported) => SendStatus::Unsupported,
    }
}

impl AtsTranslation {
    /// Whether it allows `access`. Permissions are of privileged accesses or of the others, as it says, whatever was asked
    /// for.
    #[must_use]
    pub fn allows(&self, access: Access) -> bool {
        self.privileged == access.privileged
            && (!access.read || access.exec || self.read)
            && (!access.write || self.write)
            && (!access.exec || self.exec)
    }

    /// How an access to `addr` goes on, when it is covered.
    #[must_use]
    pub fn route_of(&self, addr: u64) -> Option<Route> {
        (addr & !self.mask == self.input & !self.mask).then_some(if self.untranslated_only {
            Route::Untranslated
        } else {
            Route::Translated((self.output & !self.mask) | (addr & self.mask))
        })
    }
}
