// SPDX-License-Identifier: GPL-2.0-or-later
//! Stalled transactions (`IHI0070 §3.12.2`): a fixed table of entries, each with its STAG, and a waiting line for
//! requests that find the table full. Those in the line are held by their endpoints, without a record: `IDR5.STALL_MAX` is
//! how many stalls software sees, and none is terminated for want of an entry. The line is as long as it needs to be:
//! a tag waits once, however often its endpoint tries again untold, and endpoints have no more requests under way than they
//! have tags.
//!
//! An entry lives from the fault until software answers: `CMD_RESUME`, `CMD_STALL_TERM`, or `SMMUEN` cleared. Its STAG
//! is the entry's number and, in the bits above, a count of how often the entry was used, so that an answer
//! that comes too late meets no other transaction. An entry whose endpoint gave the request up stays, as its STAG
//! must not be used again before software has let go of it.

use std::collections::{HashMap, VecDeque};

use super::event::{Record, Waiter};
use crate::iommu::fifo::Fifo;
use crate::iommu::narrow::{index, ones};

/// How far an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Unused.
    #[default]
    Free,
    /// Its record is not in the event queue yet.
    Unrecorded,
    /// So it is, and a SYNC has completed since: what the record says may be out of date, and the transaction is
    /// to be retried instead of recorded (`IHI0070 §4.7.3`, `§7.2.1`).
    Stale,
    /// Software has been told.
    Recorded,
}

/// One stalled transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How far it is.
    pub phase: Phase,
    /// How often the entry was used before.
    pub uses: u16,
    /// Who waits.
    pub waiter: Waiter,
    /// The record, without `Stall` and `STAG`.
    pub record: Record,
}

impl Entry {
    const FREE: Self = Self {
        phase: Phase::Free,
        uses: 0,
        waiter: Waiter { stream: 0, substream: None, tag: None },
        record: [0; 4],
    };
}

/// What became of a request that stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It waits already, with an entry or in the line: what answers the one answers the other.
    Known,
    /// It has an entry, whose record is to be written.
    Entry,
    /// It waits for an entry.
    Line,
    /// There is no room, and no access that could wait in the line; or nothing stalls.
    Refused,
}

/// The table.
#[derive(Debug)]
pub struct StallTable {
    entries: Box<[Entry]>,
    free: Fifo<u16>,
    unrecorded: Fifo<u16>,
    /// By ticket, the lowest first.
    line: VecDeque<Place>,
    /// The last ones that were taken out of the line and told to try again, by the numbers of their [`Told`]. Where one
    /// faults again before long it finds its place.
    told: VecDeque<(u64, Waiter)>,
    /// Where each request with a tag is: those with an entry, in the line, or told.
    standings: HashMap<Waiter, Standing>,
    /// How many were told in this round and were not seen since: as many free entries are for them.
    expected: usize,
    /// Counts rounds.
    round: u64,
    /// The last round of which one that was told has faulted again.
    seen: u64,
    next_ticket: u64,
    /// The next number of a [`Told`].
    next_told: u64,
    index_bits: u32,
}

/// A request's place in the line.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Counts up.
    ticket: u64,
    waiter: Waiter,
}

/// Where a request with a tag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It has an entry, or it is in the line.
    Waits,
    /// It was told to try again, and was not seen since.
    Told(Told),
}

/// A request was told to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    /// Counts up.
    number: u64,
    /// When it was.
    round: u64,
    /// Its place.
    ticket: u64,
}

impl StallTable {
    /// How many requests that were told to try again keep their place in the line.
    const TOLD: usize = 4096;
    /// How many rounds later another one must have been told, and seen again, for a place to be lost.
    const ROUNDS_KEPT: u64 = 2;

    /// A table of `capacity` entries.
    #[must_use]
    pub fn new(capacity: u16) -> Self {
        let size = usize::from(capacity);
        let mut table = Self {
            entries: vec![Entry::FREE; size].into_boxed_slice(),
            free: Fifo::new(size),
            unrecorded: Fifo::new(size),
            line: VecDeque::new(),
            told: VecDeque::new(),
            standings: HashMap::new(),
            expected: 0,
            round: 0,
            seen: 0,
            next_ticket: 0,
            next_told: 0,
            index_bits: u16::BITS.saturating_sub(capacity.saturating_sub(1).leading_zeros()),
        };
        table.clear();
        table
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.free.clear();
        self.unrecorded.clear();
        self.line.clear();
        self.told.clear();
        self.standings.clear();
        self.expected = 0;
        for (number, entry) in (0..=u16::MAX).zip(self.entries.iter_mut()) {
            *entry = Entry { uses: entry.uses, ..Entry::FREE };
            self.free.push(number);
        }
    }

    /// How many distinct values `Entry::uses` takes, minus one.
    fn uses_mask(&self) -> u16 {
        u16::try_from(ones(u16::BITS.saturating_sub(self.index_bits))).unwrap_or(u16::MAX)
    }

    fn stag(&self, number: u16, entry: &Entry) -> u16 {
        number | entry.uses.checked_shl(self.index_bits).unwrap_or(0)
    }

    fn number(&self, stag: u16) -> u16 {
        stag & u16::try_from(ones(self.index_bits)).unwrap_or(u16::MAX)
    }

    fn get(&self, number: u16) -> Option<&Entry> {
        self.entries.get(usize::from(number))
    }

    /// A transaction stalls. What can wait does not overtake those that wait already.
    pub fn admit(&mut self, waiter: Waiter, record: Record) -> Admission {
        let ticket = match self.standings.get(&waiter) {
            Some(Standing::Waits) => return Admission::Known,
            Some(&Standing::Told(told)) => {
                self.expected = self.expected.saturating_sub(1);
                self.claim(&told)
            }
            None => None,
        };
        let may_enter = ticket.is_some() || waiter.tag.is_none() || self.line.is_empty();
        let Some(number) = may_enter.then(|| self.free.pop()).flatten() else {
            if waiter.tag.is_none() || self.entries.is_empty() {
                return Admission::Refused;
            }
            self.wait(ticket, waiter);
            return Admission::Line;
        };
        if let Some(entry) = self.entries.get_mut(usize::from(number)) {
            *entry = Entry { phase: Phase::Unrecorded, waiter, record, ..*entry };
            self.unrecorded.push(number);
            self.note_waiting(waiter);
        }
        Admission::Entry
    }

    /// A request with the name of one that was told faults. The table does not see accesses that succeed, so it may be a
    /// new access, whose endpoint uses the tag again. The place is lost once a request that was told two rounds later has
    /// been seen. One round would be too soon: the retry of a request told one round later may be the faster one.
    fn claim(&mut self, told: &Told) -> Option<u64> {
        self.seen = self.seen.max(told.round);
        (self.seen.saturating_sub(told.round) < Self::ROUNDS_KEPT).then_some(told.ticket)
    }

    /// Puts a request into the line: where it was before, or at the end. `false`: it waits already.
    fn wait(&mut self, ticket: Option<u64>, waiter: Waiter) -> bool {
        match ticket {
            Some(ticket) => self.put_back(Place { ticket, waiter }),
            None => {
                self.line.push_back(Place { ticket: self.next_ticket, waiter });
                self.next_ticket = self.next_ticket.wrapping_add(1);
            }
        }
        self.note_waiting(waiter)
    }

    /// Puts one that was told where it was before. Those with lower tickets were told before it and are back: they are few
    /// and at the front, however long the line is.
    fn put_back(&mut self, place: Place) {
        let mut before = Vec::new();
        while self.line.front().is_some_and(|first| first.ticket < place.ticket) {
            before.extend(self.line.pop_front());
        }
        self.line.push_front(place);
        for place in before.into_iter().rev() {
            self.line.push_front(place);
        }
    }

    /// A request waits from now on. `false`: it does already.
    fn note_waiting(&mut self, waiter: Waiter) -> bool {
        waiter.tag.is_none() || self.standings.insert(waiter, Standing::Waits) != Some(Standing::Waits)
    }

    /// Whether an entry is free.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// The next entry whose record is to be written, with its STAG.
    #[must_use]
    pub fn next_unrecorded(&self) -> Option<(u16, Entry)> {
        let number = self.unrecorded.first()?;
        let entry = self.get(number)?;
        Some((self.stag(number, entry), *entry))
    }

    /// That entry's record has been written.
    pub fn recorded(&mut self) {
        if let Some(entry) =
            self.unrecorded.pop().and_then(|number| self.entries.get_mut(usize::from(number)))
        {
            entry.phase = Phase::Recorded;
        }
    }

    /// That entry is not to be recorded. Returns who waits.
    pub fn drop_unrecorded(&mut self) -> Option<Waiter> {
        let number = self.unrecorded.pop()?;
        self.release(number)
    }

    /// A SYNC has completed: records not yet written are out of date.
    pub fn expire(&mut self) {
        for number in self.unrecorded.iter() {
            if let Some(entry) = self.entries.get_mut(usize::from(number)) {
                entry.phase = Phase::Stale;
            }
        }
    }

    /// Frees an entry. Returns who waits for it.
    fn release(&mut self, number: u16) -> Option<Waiter> {
        let uses_mask = self.uses_mask();
        let entry = self.entries.get_mut(usize::from(number))?;
        if entry.phase == Phase::Free {
            return None;
        }
        let waiter = entry.waiter;
        *entry = Entry { uses: entry.uses.wrapping_add(1) & uses_mask, ..Entry::FREE };
        self.free.push(number);
        self.standings.remove(&waiter);
        Some(waiter)
    }

    /// Software answers a stall record. `None`: it names no recorded stall of that stream.
    pub fn resume(&mut self, stream: u32, stag: u16) -> Option<Waiter> {
        let number = self.number(stag);
        let entry = self.get(number)?;
        let matches = entry.phase == Phase::Recorded
            && entry.waiter.stream == stream
            && self.stag(number, entry) == stag;
        if matches { self.release(number) } else { None }
    }

    /// Ends all transactions of a stream, or of all, those in the line included. Calls `ended` for each, with whether
    /// its record had been written.
    pub fn terminate(&mut self, stream: Option<u32>, mut ended: impl FnMut(Waiter, bool)) {
        let concerned = |waiter: &Waiter| stream.is_none_or(|stream| stream == waiter.stream);
        for number in 0..u16::try_from(self.entries.len()).unwrap_or(u16::MAX) {
            let Some(entry) = self.get(number) else { break };
            let recorded = entry.phase == Phase::Recorded;
            if entry.phase != Phase::Free
                && concerned(&entry.waiter)
                && let Some(waiter) = self.release(number)
            {
                ended(waiter, recorded);
            }
        }
        self.forget_freed();
        self.told.retain(|(_, waiter)| !concerned(waiter));
        self.standings.retain(|waiter, _| !concerned(waiter));
        self.line.retain(|Place { waiter, .. }| {
            let concerned = concerned(waiter);
            if concerned {
                ended(*waiter, false);
            }
            !concerned
        });
    }

    /// Takes the numbers of entries that were freed out of the list of unrecorded ones.
    fn forget_freed(&mut self) {
        let entries = &self.entries;
        self.unrecorded.retain(|number| {
            entries.get(usize::from(*number)).is_some_and(|entry| entry.phase != Phase::Free)
        });
    }

    /// Requests are given up by their endpoint. What software knows of stays until it answers, the rest is forgotten.
    /// Returns how many there were.
    pub fn cancel(&mut self, given_up: impl Fn(&Waiter) -> bool) -> u64 {
        let mut count = 0u64;
        for number in 0..u16::try_from(self.entries.len()).unwrap_or(u16::MAX) {
            let Some(entry) = self.entries.get_mut(usize::from(number)) else { break };
            if entry.phase == Phase::Free || entry.waiter.tag.is_none() || !given_up(&entry.waiter) {
                continue;
            }
            count = count.saturating_add(1);
            entry.waiter.tag = None;
            if entry.phase != Phase::Recorded {
                self.release(number);
            }
        }
        self.forget_freed();
        self.told.retain(|(_, waiter)| !given_up(waiter));
        self.standings.retain(|waiter, _| !given_up(waiter));
        self.line.retain(|Place { waiter, .. }| {
            let given_up = given_up(waiter);
            count = count.saturating_add(given_up.into());
            !given_up
        });
        count
    }

    /// Who was told to try again and has not been seen by now has not faulted again, or is slow: entries are for the next
    /// ones in line.
    pub fn begin_round(&mut self) {
        self.expected = 0;
        self.round = self.round.wrapping_add(1);
        if self.line.is_empty() {
            // There is no order to be kept.
            while self.forget_told() {}
        }
    }

    /// If an entry is free that is not for one who was told before, takes the next request out of the line: it is to be
    /// retried.
    pub fn next_in_line(&mut self) -> Option<Waiter> {
        if self.expected >= self.free.len() {
            return None;
        }
        let Place { ticket, waiter } = self.line.pop_front()?;
        if self.told.len() >= Self::TOLD {
            self.forget_told();
        }
        let number = self.next_told;
        self.next_told = number.wrapping_add(1);
        self.told.push_back((number, waiter));
        self.standings.insert(waiter, Standing::Told(Told { number, round: self.round, ticket }));
        self.expected = self.expected.saturating_add(1);
        Some(waiter)
    }

    /// Forgets the first one in `told`, and its place unless it was seen since. `false`: there is none.
    fn forget_told(&mut self) -> bool {
        let Some((number, waiter)) = self.told.pop_front() else { return false };
        let standing = self.standings.get(&waiter);
        if standing.is_some_and(|standing| matches!(standing, Standing::Told(told) if told.number == number))
        {
            self.standings.remove(&waiter);
        }
        true
    }

    /// Everybody who waits.
    pub fn waiters(&self) -> impl Iterator<Item = Waiter> + '_ {
        let entries = self.entries.iter().filter(|entry| entry.phase != Phase::Free);
        entries.map(|entry| entry.waiter).chain(self.line()).filter(|waiter| waiter.tag.is_some())
    }

    /// Number of entries in use.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.entries.len().saturating_sub(self.free.len())
    }

    /// Number of requests in the line.
    #[must_use]
    pub fn line_length(&self) -> usize {
        self.line.len()
    }

    /// All entries, the free ones too.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The unrecorded entries' numbers, in the order in which they are to be recorded.
    pub fn unrecorded(&self) -> impl Iterator<Item = u16> + '_ {
        self.unrecorded.iter()
    }

    /// The waiting line, first come first.
    pub fn line(&self) -> impl Iterator<Item = Waiter> + '_ {
        self.line.iter().map(|place| place.waiter)
    }

    /// A table with that content, or `None` if it contradicts itself: more entries than there are, free ones that
    /// are not blank, use counts beyond their range, a list of unrecorded entries that does not name each of them once, a line without accesses,
    /// an access that waits twice.
    #[must_use]
    pub fn restore(capacity: u16, entries: &[Entry], unrecorded: &[u16], line: &[Waiter]) -> Option<Self> {
        let mut table = Self::new(capacity);
        let uses_mask = table.uses_mask();
        if entries.len() != table.entries.len() {
            return None;
        }
        table.free.clear();
        let mut missing = 0usize;
        for (number, (slot, entry)) in (0..=u16::MAX).zip(table.entries.iter_mut().zip(entries)) {
            if entry.uses > uses_mask {
                return None;
            }
            match entry.phase {
                Phase::Free => {
                    *slot = Entry { uses: entry.uses, ..Entry::FREE };
                    if slot != entry {
                        return None;
                    }
                    table.free.push(number);
                }
                Phase::Recorded => *slot = *entry,
                Phase::Unrecorded | Phase::Stale => {
                    *slot = *entry;
                    missing = missing.saturating_add(1);
                }
            }
        }
        if unrecorded.len() != missing {
            return None;
        }
        let mut seen = vec![false; table.entries.len()];
        for number in unrecorded {
            let entry = table.entries.get(usize::from(*number))?;
            let seen = seen.get_mut(index(u32::from(*number)))?;
            if *seen || !matches!(entry.phase, Phase::Unrecorded | Phase::Stale) {
                return None;
            }
            *seen = true;
            table.unrecorded.push(*number);
        }
        for entry in entries.iter().filter(|entry| entry.phase != Phase::Free) {
            if !table.note_waiting(entry.waiter) {
                return None;
            }
        }
        for waiter in line {
            if waiter.tag.is_none() || capacity == 0 || !table.wait(None, *waiter) {
                return None;
            }
        }
        Some(table)
    }
}

#[cfg(test)]
mod tests;
