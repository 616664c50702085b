// SPDX-License-Identifier: GPL-2.0-or-later
//! Page request groups in flight (`PCIe §10.4`).

use crate::iommu::Access;

/// Number of page request group indices: 9 bits.
pub const GROUPS: u16 = 512;

/// What software made of a page request group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageResponse {
    /// The page is there: ask for the translation again.
    Success,
    /// There is no such page for this access.
    Invalid,
    /// The page request interface failed; the function may send no more.
    Failure,
}

impl PageResponse {
    /// The Response Code of the message (`PCIe §10.4.2.1`).
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Success => 0b0000,
            Self::Invalid => 0b0001,
            Self::Failure => 0b1111,
        }
    }

    /// The reverse of [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        [Self::Success, Self::Invalid, Self::Failure].into_iter().find(|response| response.code() == code)
    }
}

/// A group that waits for its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Address space of its requests.
    pub pasid: Option<u32>,
    /// The page of its first request.
    pub addr: u64,
    /// The access that its first request asks for.
    pub access: Access,
    /// How many requests it has.
    pub requests: u16,
    /// Its last request is sent.
    pub complete: bool,
    /// The engine that sent it for a page that it will come to.
    pub ahead_of: Option<u8>,
}

/// A page request group index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slot {
    /// Not used since the last reset.
    #[default]
    Unused,
    /// Free, and the last response to it.
    Answered(PageResponse),
    /// In use.
    Outstanding(Group),
}

/// All page request group indices.
///
/// A group that an engine has given up stays outstanding until its response, so that its index is not used twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageGroups {
    slots: Box<[Slot]>,
    next: u16,
    groups: u32,
    requests: u32,
}

impl Default for PageGroups {
    fn default() -> Self {
        let slots = vec![Slot::Unused; usize::from(GROUPS)].into_boxed_slice();
        Self { slots, next: 0, groups: 0, requests: 0 }
    }
}

impl PageGroups {
    /// Groups without response.
    #[must_use]
    pub fn groups(&self) -> u32 {
        self.groups
    }

    /// Requests without response.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// How many more requests may be sent when `allowance` may be outstanding.
    #[must_use]
    pub fn credit(&self, allowance: u32) -> u32 {
        allowance.min(u32::from(GROUPS)).saturating_sub(self.requests)
    }

    /// Opens a group at a free index.
    pub fn begin(&mut self, group: Group) -> Option<u16> {
        for _ in 0..GROUPS {
            let index = self.next % GROUPS;
            self.next = self.next.wrapping_add(1) % GROUPS;
            if self.begin_at(index, group) {
                return Some(index);
            }
        }
        None
    }

    /// Opens a group at `index`, if that is free.
    pub fn begin_at(&mut self, index: u16, group: Group) -> bool {
        match self.slots.get_mut(usize::from(index)) {
            Some(slot) if !matches!(slot, Slot::Outstanding(_)) => {
                *slot = Slot::Outstanding(group);
                self.groups = self.groups.saturating_add(1);
                self.requests = self.requests.saturating_add(group.requests.into());
                true
            }
            _ => false,
        }
    }

    /// Another request of the outstanding group at `index`; `false` when it has as many as it can.
    pub fn add_request(&mut self, index: u16, last: bool) -> bool {
        let Some(Slot::Outstanding(group)) = self.slots.get_mut(usize::from(index)) else { return false };
        let Some(requests) = group.requests.checked_add(1) else { return false };
        group.requests = requests;
        group.complete |= last;
        self.requests = self.requests.saturating_add(1);
        true
    }

    /// A response to the group at `index` came, or `None`: it was not sent at all. What was outstanding there.
    pub fn end(&mut self, index: u16, response: Option<PageResponse>) -> Option<Group> {
        let slot = self.slots.get_mut(usize::from(index))?;
        let Slot::Outstanding(group) = *slot else { return None };
        *slot = response.map_or(Slot::Unused, Slot::Answered);
        self.groups = self.groups.saturating_sub(1);
        self.requests = self.requests.saturating_sub(group.requests.into());
        Some(group)
    }

    /// The state of an index.
    #[must_use]
    pub fn slot(&self, index: u16) -> Slot {
        self.slots.get(usize::from(index)).copied().unwrap_or_default()
    }

    /// The group that waits for its response at `index`.
    #[must_use]
    pub fn get(&self, index: u16) -> Option<Group> {
        match self.slot(index) {
            Slot::Outstanding(group) => Some(group),
            _ => None,
        }
    }

    /// Every outstanding group and its index.
    pub fn outstanding(&self) -> impl Iterator<Item = (u16, Group)> + '_ {
        (0..GROUPS).zip(self.slots.iter()).filter_map(|(index, slot)| match slot {
            Slot::Outstanding(group) => Some((index, *group)),
            _ => None,
        })
    }

    /// The group that `engine` has sent ahead for that page and access.
    #[must_use]
    pub fn sent_ahead(&self, engine: u8, pasid: Option<u32>, addr: u64, access: Access) -> Option<u16> {
        if self.groups == 0 {
            return None;
        }
        self.outstanding()
            .find(|(_, group)| {
                group.ahead_of == Some(engine)
                    && group.pasid == pasid
                    && group.addr == addr
                    && group.access == access
            })
            .map(|(index, _)| index)
    }

    /// Requests of one address space without response.
    #[must_use]
    pub fn pending(&self, pasid: Option<u32>) -> u32 {
        self.outstanding()
            .filter(|(_, group)| group.pasid == pasid)
            .fold(0, |sum, (_, group)| sum.saturating_add(group.requests.into()))
    }

    /// Nobody waits for the responses to groups of this kind any more.
    pub fn disown(&mut self, which: impl Fn(&Group) -> bool) {
        if self.groups == 0 {
            return;
        }
        for slot in &mut self.slots {
            if let Slot::Outstanding(group) = slot
                && which(group)
            {
                group.ahead_of = None;
            }
        }
    }

    /// No outstanding group will get a response.
    pub fn lose_all(&mut self) {
        for slot in &mut self.slots {
            if let Slot::Outstanding(_) = slot {
                *slot = Slot::Unused;
            }
        }
        self.groups = 0;
        self.requests = 0;
    }

    /// Forgets what the responses were.
    pub fn forget_answers(&mut self) {
        for slot in &mut self.slots {
            if let Slot::Answered(_) = slot {
                *slot = Slot::Unused;
            }
        }
    }

    /// The index that is tried next.
    #[must_use]
    pub fn next(&self) -> u16 {
        self.next
    }

    /// Every index that is not unused: the form it travels in, with [`next`](Self::next).
    pub fn used_slots(&self) -> impl Iterator<Item = (u16, Slot)> + '_ {
        (0..GROUPS).zip(self.slots.iter().copied()).filter(|(_, slot)| *slot != Slot::Unused)
    }

    /// No index in use, `next` to be tried first.
    #[must_use]
    pub fn starting_at(next: u16) -> Self {
        Self { next: next % GROUPS, ..Self::default() }
    }

    /// Sets one index of a loaded state; `false` when there is no such index, or it is set already.
    pub fn set_slot(&mut self, index: u16, slot: Slot) -> bool {
        if self.slot(index) != Slot::Unused || slot == Slot::Unused {
            return false;
        }
        match slot {
            Slot::Outstanding(group) => self.begin_at(index, group),
            _ => match self.slots.get_mut(usize::from(index)) {
                Some(place) => {
                    *place = slot;
                    true
                }
                None => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(requests: u16) -> Group {
        Group {
            pasid: Some(1),
            addr: 0x1000,
            access: Access::default(),
            requests,
            complete: true,
            ahead_of: None,
        }
    }

    #[test]
    fn an_index_is_not_used_twice() {
        let mut groups = PageGroups::default();
        let mut seen = std::collections::HashSet::new();
        while let Some(index) = groups.begin(group(1)) {
            assert!(seen.insert(index));
        }
        assert_eq!((seen.len(), groups.groups()), (usize::from(GROUPS), 512));
        assert!(!groups.begin_at(77, group(1)));
        assert_eq!(groups.end(77, Some(PageResponse::Invalid)), Some(group(1)));
        assert_eq!(groups.slot(77), Slot::Answered(PageResponse::Invalid));
        assert_eq!(groups.end(77, None), None);
        assert_eq!(groups.begin(group(1)), Some(77));
    }

    #[test]
    fn credit_is_in_requests() {
        let mut groups = PageGroups::default();
        assert_eq!(groups.credit(0), 0);
        let first = groups.begin(group(3)).unwrap();
        assert_eq!(groups.credit(5), 2);
        assert!(groups.add_request(first, true));
        assert_eq!((groups.credit(5), groups.requests(), groups.pending(Some(1))), (1, 4, 4));
        groups.end(first, None);
        assert_eq!((groups.credit(u32::MAX), groups.pending(Some(1))), (512, 0));
        assert_eq!(groups.end(GROUPS, None), None, "no such group");
        assert!(!groups.begin_at(GROUPS, group(1)));
    }

    #[test]
    fn codes_round_trip() {
        for code in 0..16 {
            assert!(PageResponse::from_code(code).is_none_or(|response| response.code() == code));
        }
        assert_eq!(PageResponse::from_code(15), Some(PageResponse::Failure));
    }
}
