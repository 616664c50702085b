// SPDX-License-Identifier: GPL-2.0-or-later
//! A port for tests: memory by (PASID, page), and an answer for each page that a test chooses.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::port::{AtsTranslation, Invalidation, Port, PortError, Request, Width};
use crate::iommu::Access;

pub const PAGE: u64 = 4096;

/// What happens to accesses of one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// They wait if they can; else they are refused.
    Stall,
    /// They fail.
    Error(PortError),
    /// Writes wait or are refused, reads work.
    ReadOnly,
}

#[derive(Clone, Debug, Default)]
pub struct FakePort {
    /// Bytes of each page; absent pages read as zeros.
    pub memory: BTreeMap<(Option<u32>, u64), Vec<u8>>,
    /// Pages that are not simply there.
    pub behaviour: HashMap<(Option<u32>, u64), Behaviour>,
    /// Requests that wait: tag to request.
    pub waiting: BTreeMap<u64, Request>,
    /// Page request groups out, with their requests.
    pub page_requests: BTreeMap<u16, Vec<Request>>,
    /// Of these, whose last request is still to come.
    pub open_groups: BTreeSet<u16>,
    /// Stop Markers sent.
    pub stop_markers: Vec<u32>,
    /// Why page requests fail.
    pub page_request_error: Option<PortError>,
    pub allowance: u32,
    /// Software breaks the rules on purpose.
    pub forced: bool,
    pub ats: bool,
    /// All accesses that were carried out, with their length.
    pub log: Vec<(Request, usize)>,
    pub cancelled: Vec<u64>,
    /// Arrive with the next access in the ATS mode.
    pub invalidations: Vec<Invalidation>,
    /// Arrive while a translation request is on its way, one each.
    pub overtaking: Vec<Invalidation>,
    /// Size minus one of translations, if it is not that of a page.
    pub large: u64,
    /// Translations hold for every PASID.
    pub global: bool,
    /// A page that is reached by untranslated requests only.
    pub untranslated_only: Option<u64>,
    /// Answers to privileged requests are for the others.
    pub unprivileged: bool,
    /// The guest's clock.
    pub now: u64,
}

impl FakePort {
    pub fn new() -> Self {
        Self { allowance: 32, ats: true, ..Self::default() }
    }

    pub fn peek(&self, pasid: Option<u32>, addr: u64, length: usize) -> Vec<u8> {
        (addr..addr + length as u64)
            .map(|a| self.memory.get(&(pasid, a / PAGE)).map_or(0, |page| page[(a % PAGE) as usize]))
            .collect()
    }

    pub fn poke(&mut self, pasid: Option<u32>, addr: u64, bytes: &[u8]) {
        for (a, byte) in (addr..).zip(bytes) {
            let page = self.memory.entry((pasid, a / PAGE)).or_insert_with(|| vec![0; PAGE as usize]);
            page[(a % PAGE) as usize] = *byte;
        }
    }

    pub fn set(&mut self, pasid: Option<u32>, addr: u64, behaviour: Behaviour) {
        self.behaviour.insert((pasid, addr / PAGE), behaviour);
    }

    pub fn clear(&mut self, pasid: Option<u32>, addr: u64) {
        self.behaviour.remove(&(pasid, addr / PAGE));
    }

    /// The tag of the only request that waits.
    pub fn only_waiting(&self) -> u64 {
        assert_eq!(self.waiting.len(), 1, "{:?}", self.waiting);
        *self.waiting.keys().next().unwrap()
    }

    fn admit(&mut self, request: &Request, length: usize) -> Result<(), PortError> {
        assert!(length > 0 && request.addr / PAGE == (request.addr + (length as u64 - 1)) / PAGE);
        let result = match self.behaviour.get(&(request.pasid, request.addr / PAGE)) {
            None => Ok(()),
            Some(Behaviour::ReadOnly) if !request.access.write => Ok(()),
            Some(Behaviour::Error(error)) => Err(*error),
            Some(_) if request.tag != 0 => Err(PortError::InProgress),
            Some(_) => Err(PortError::Refused),
        };
        match result {
            Ok(()) => self.log.push((*request, length)),
            Err(PortError::InProgress) => {
                assert!(self.waiting.insert(request.tag, *request).is_none(), "tag used twice");
            }
            Err(_) => {}
        }
        result
    }

    /// Translated addresses of the fake: PASID + 1 in the upper half, so that a mix-up shows.
    fn output(pasid: Option<u32>, addr: u64) -> u64 {
        assert!(addr < 1 << 32);
        (u64::from(pasid.map_or(0, |pasid| pasid + 1)) << 32) | addr
    }

    fn input(addr: u64) -> (Option<u32>, u64) {
        (((addr >> 32) as u32).checked_sub(1), addr & 0xffff_ffff)
    }

    fn swap(&mut self, pasid: Option<u32>, addr: u64, width: Width, expected: u64, desired: u64) -> u64 {
        let size = width.bytes() as usize;
        let mut word = [0; 8];
        word[..size].copy_from_slice(&self.peek(pasid, addr, size));
        let found = u64::from_le_bytes(word);
        if found == expected {
            self.poke(pasid, addr, &desired.to_le_bytes()[..size]);
        }
        found
    }
}

impl Port for FakePort {
    fn now(&self) -> u64 {
        self.now
    }

    fn read(&mut self, request: &Request, buf: &mut [u8]) -> Result<(), PortError> {
        assert!(request.access.read && !request.access.write);
        self.admit(request, buf.len())?;
        buf.copy_from_slice(&self.peek(request.pasid, request.addr, buf.len()));
        Ok(())
    }

    fn write(&mut self, request: &Request, buf: &[u8]) -> Result<(), PortError> {
        assert!(request.access.write && !request.access.read);
        self.admit(request, buf.len())?;
        self.poke(request.pasid, request.addr, buf);
        Ok(())
    }

    fn compare_exchange(
        &mut self,
        request: &Request,
        width: Width,
        expected: u64,
        desired: u64,
    ) -> Result<u64, PortError> {
        assert!(request.access.write && request.access.read);
        self.admit(request, width.bytes() as usize)?;
        Ok(self.swap(request.pasid, request.addr, width, expected, desired))
    }

    fn cancel(&mut self, pasid: Option<u32>, tag: u64) {
        let request = self.waiting.remove(&tag).expect("cancelled what does not wait");
        assert_eq!(request.pasid, pasid);
        self.cancelled.push(tag);
    }

    fn take_invalidation(&mut self) -> Option<Invalidation> {
        self.invalidations.pop()
    }

    fn translate(&mut self, request: &Request) -> Result<Option<AtsTranslation>, PortError> {
        if !self.ats {
            return Err(PortError::Unsupported);
        }
        self.invalidations.extend(self.overtaking.pop());
        let input = request.addr & !(PAGE - 1);
        let mask = self.large | (PAGE - 1);
        let answer = |write| {
            let output = Self::output(request.pasid, input);
            let untranslated_only = self.untranslated_only == Some(request.addr / PAGE);
            Some(AtsTranslation {
                input,
                output: if untranslated_only { 0 } else { output },
                mask,
                read: true,
                write,
                exec: true,
                privileged: request.access.privileged && !self.unprivileged,
                global: self.global,
                untranslated_only,
            })
        };
        match self.behaviour.get(&(request.pasid, request.addr / PAGE)) {
            None => Ok(answer(true)),
            Some(Behaviour::ReadOnly) => Ok(answer(false)),
            Some(_) => Ok(None),
        }
    }

    fn read_translated(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), PortError> {
        let (pasid, addr) = Self::input(addr);
        let access = Access { read: true, ..Access::default() };
        self.log.push((Request { pasid, addr, access, tag: 0 }, buf.len()));
        buf.copy_from_slice(&self.peek(pasid, addr, buf.len()));
        Ok(())
    }

    fn write_translated(&mut self, addr: u64, buf: &[u8]) -> Result<(), PortError> {
        let (pasid, addr) = Self::input(addr);
        let access = Access { write: true, ..Access::default() };
        self.log.push((Request { pasid, addr, access, tag: 0 }, buf.len()));
        self.poke(pasid, addr, buf);
        Ok(())
    }

    fn compare_exchange_translated(
        &mut self,
        addr: u64,
        width: Width,
        expected: u64,
        desired: u64,
    ) -> Result<u64, PortError> {
        let (pasid, addr) = Self::input(addr);
        Ok(self.swap(pasid, addr, width, expected, desired))
    }

    fn page_request_allowance(&self) -> u32 {
        self.allowance
    }

    fn page_request(&mut self, request: &Request, group: u16, last: bool) -> Result<(), PortError> {
        if let Some(error) = self.page_request_error {
            return Err(error);
        }
        let Access { read, write, .. } = request.access;
        if let Some(pasid) = request.pasid
            && last
            && !read
            && !write
        {
            self.stop_markers.push(pasid);
            return Ok(());
        }
        let open = self.open_groups.contains(&group);
        let requests = self.page_requests.entry(group).or_default();
        assert!(requests.is_empty() || open || self.forced, "group used twice");
        requests.push(*request);
        if last {
            self.open_groups.remove(&group);
        } else {
            self.open_groups.insert(group);
        }
        let out: usize = self.page_requests.values().map(Vec::len).sum();
        assert!(out <= self.allowance as usize || self.forced);
        Ok(())
    }
}
