// SPDX-License-Identifier: GPL-2.0-or-later
//! Faults that somebody waits for, events, and the answers on their way to endpoints.

use std::collections::VecDeque;

use crate::iommu::{Access, SubstreamId};
use crate::nested::host::{BindingId, Cookie, DeviceId, HostEvent, HostFault, Response};

/// An access that waited, and its answer: with [`Response::Success`] the endpoint tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whose.
    pub device: DeviceId,
    /// In which address space.
    pub pasid: Option<SubstreamId>,
    /// The request's name.
    pub tag: u64,
    /// What to do.
    pub response: Response,
}

/// A group of faults, which one answer is for.
#[derive(Clone, Debug)]
struct Group {
    binding: BindingId,
    cookie: Cookie,
    /// The request that waits; `None` for one that was made up.
    tag: Option<u64>,
    faults: VecDeque<HostFault>,
    /// All of them were read: only now an answer can name it.
    read: bool,
}

/// A fault that nobody reported yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewFault {
    pub binding: BindingId,
    pub device: DeviceId,
    pub pasid: Option<SubstreamId>,
    pub addr: u64,
    pub access: Access,
    pub tag: Option<u64>,
}

/// The fault queue.
#[derive(Debug, Default)]
pub(super) struct Faults {
    groups: Vec<Group>,
    answers: Vec<Answer>,
    next_cookie: u64,
    next_group: u32,
    pub closed: bool,
    /// What [`Signal::set`](super::signal::Signal::set) was told last.
    pub signalled: bool,
}

impl Faults {
    /// A group of one fault. The same request's again is no new one.
    pub fn open(&mut self, fault: NewFault) -> Cookie {
        let waits = |g: &&Group| {
            fault.tag.is_some()
                && g.tag == fault.tag
                && g.faults.iter().all(|f| (f.device, f.pasid) == (fault.device, fault.pasid))
                && g.binding == fault.binding
        };
        if let Some(known) = self.groups.iter().find(waits) {
            return known.cookie;
        }
        self.open_group(&[fault])
    }

    /// A group of several; an empty one is none.
    pub fn open_group(&mut self, faults: &[NewFault]) -> Cookie {
        self.next_cookie = self.next_cookie.wrapping_add(1);
        self.next_group = self.next_group.wrapping_add(1) & 0x1ff;
        let cookie = Cookie(self.next_cookie);
        let Some(first) = faults.first() else { return cookie };
        let count = faults.len();
        let faults_of = faults.iter().enumerate().map(|(n, f)| HostFault {
            device: f.device,
            pasid: f.pasid,
            group: self.next_group,
            addr: f.addr,
            access: f.access,
            last: n.saturating_add(1) == count,
            cookie,
        });
        self.groups.push(Group {
            binding: first.binding,
            cookie,
            tag: first.tag,
            faults: faults_of.collect(),
            read: false,
        });
        cookie
    }

    /// The next fault to be read.
    pub fn next(&mut self) -> Option<HostFault> {
        let group = self.groups.iter_mut().find(|g| !g.read)?;
        let fault = group.faults.pop_front()?;
        group.read = group.faults.is_empty();
        // The last one stays, so that the group knows whose it is.
        if group.read {
            group.faults.push_back(fault);
        }
        Some(fault)
    }

    /// Answers a group that was read. `false`: there is none.
    pub fn respond(&mut self, cookie: Cookie, response: Response) -> bool {
        let Some(at) = self.groups.iter().position(|g| g.read && g.cookie == cookie) else { return false };
        let group = self.groups.swap_remove(at);
        self.answer(&group, response);
        true
    }

    /// Refuses all that `ended` says, read or not.
    pub fn refuse(&mut self, ended: impl Fn(BindingId) -> bool) {
        let (over, open) = core::mem::take(&mut self.groups).into_iter().partition(|g| ended(g.binding));
        self.groups = open;
        let over: Vec<Group> = over;
        over.iter().for_each(|group| self.answer(group, Response::Invalid));
    }

    /// The endpoint gave its requests up.
    pub fn cancel(&mut self, device: DeviceId) {
        let of = |g: &Group| g.faults.iter().any(|f| f.device == device);
        self.groups.iter_mut().filter(|g| of(g)).for_each(|g| g.tag = None);
    }

    fn answer(&mut self, group: &Group, response: Response) {
        let (Some(tag), Some(fault)) = (group.tag, group.faults.front()) else { return };
        self.answers.push(Answer { device: fault.device, pasid: fault.pasid, tag, response });
    }

    /// The answers for endpoints so far.
    pub fn take_answers(&mut self) -> Vec<Answer> {
        core::mem::take(&mut self.answers)
    }

    /// Whether there is something to be read.
    pub fn readable(&self) -> bool {
        self.groups.iter().any(|g| !g.read)
    }

    /// Groups that wait for an answer.
    pub fn waiting(&self) -> usize {
        self.groups.len()
    }
}

/// The event queue.
#[derive(Debug)]
pub(super) struct Events {
    queue: VecDeque<HostEvent>,
    depth: usize,
    pub closed: bool,
    pub signalled: bool,
}

impl Events {
    pub fn new(depth: usize) -> Self {
        Self { queue: VecDeque::new(), depth, closed: false, signalled: false }
    }

    /// Queues an event, or counts it as lost.
    pub fn push(&mut self, event: HostEvent) {
        let lost = match event {
            HostEvent::Lost(count) => count,
            _ if self.queue.len() < self.depth => return self.queue.push_back(event),
            _ => 1,
        };
        match self.queue.back_mut() {
            Some(HostEvent::Lost(before)) => *before = before.saturating_add(lost),
            _ => self.queue.push_back(HostEvent::Lost(lost)),
        }
    }

    /// The next one to be read.
    pub fn next(&mut self) -> Option<HostEvent> {
        self.queue.pop_front()
    }

    pub fn readable(&self) -> bool {
        !self.queue.is_empty()
    }
}
