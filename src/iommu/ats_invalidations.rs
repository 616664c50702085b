// SPDX-License-Identifier: GPL-2.0-or-later
//! Invalidations that endpoints with translation caches have been asked for, and have not answered yet
//! (`PCIe §10.3`).

use std::collections::VecDeque;

use super::effects::{Effect, Effects};
use super::request::{StreamId, SubstreamId};
use super::state::{LoadError, Reader, limit, limit32, pair};

/// What an endpoint is to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtsInvalidation {
    /// The endpoint.
    pub stream: StreamId,
    /// The address space; `None` for translations requested without PASID.
    pub substream: Option<SubstreamId>,
    /// Of every PASID besides, if the endpoint says that it can tell (`PCIe §10.3.7`, Global Invalidate).
    pub global: bool,
    /// First input address, aligned to the size.
    pub addr: u64,
    /// Size of the range minus one, one less than a power of two of at least 4096; `u64::MAX` for everything.
    pub mask: u64,
}

/// What an answer of an endpoint is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An invalidation that was waited for.
    Expected {
        /// A queue may go on that waited for room, or for the last answer. It waits for nothing in between: where each of many
        /// answers set it going, one register write would be carried out with the budget of many.
        goes_on: bool,
    },
    /// One that no command waits for any more, or that the endpoint has answered by giving everything up.
    Late,
    /// None.
    Unexpected,
}

/// The invalidations in flight.
#[derive(Debug, Default)]
pub(crate) struct AtsInvalidations {
    outstanding: Vec<(u32, AtsInvalidation)>,
    /// Of those that an endpoint [gave up](Self::give_up), the last ones: an answer may be on its way all the same.
    given_up: VecDeque<(u32, StreamId)>,
    /// Those endpoints are to be asked again, as nobody knows whether they were.
    ask_again: bool,
    next_itag: u32,
    /// Older answers are to questions of before a reset, or of before a timeout.
    first_itag: u32,
}

impl AtsInvalidations {
    /// How many there can be; then the queue they come from has to wait until an endpoint answers.
    pub const MOST: usize = 256;

    /// Whether another one can be sent.
    pub fn has_room(&self) -> bool {
        self.outstanding.len() < Self::MOST
    }

    /// Whether none is in flight.
    pub fn is_empty(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// Sends one.
    pub fn send(&mut self, what: AtsInvalidation, effects: &mut Effects) {
        let itag = self.next_itag;
        self.next_itag = itag.wrapping_add(1);
        self.outstanding.push((itag, what));
        effects.push(ask(itag, &what));
    }

    /// An endpoint has answered.
    pub fn answered(&mut self, stream: StreamId, itag: u32) -> Answer {
        let asked = |(known, what): &(u32, AtsInvalidation)| *known == itag && what.stream == stream;
        if let Some(at) = self.outstanding.iter().position(asked) {
            let was_full = !self.has_room();
            self.outstanding.remove(at);
            Answer::Expected { goes_on: was_full || self.is_empty() }
        } else if let Some(at) = self.given_up.iter().position(|known| *known == (itag, stream)) {
            self.given_up.remove(at);
            Answer::Late
        } else if is_before(itag, self.first_itag) {
            Answer::Late
        } else {
            Answer::Unexpected
        }
    }

    /// An endpoint was reset or goes away: it has forgotten its translations, which answers whatever it was asked. Whether
    /// it was asked anything.
    pub fn give_up(&mut self, stream: StreamId) -> bool {
        let before = self.outstanding.len();
        let given_up = &mut self.given_up;
        self.outstanding.retain(|(itag, what)| {
            let kept = what.stream != stream;
            if !kept {
                given_up.push_back((*itag, stream));
            }
            kept
        });
        while self.given_up.len() > Self::MOST {
            self.given_up.pop_front();
        }
        self.outstanding.len() != before
    }

    /// Nobody waits any longer for the answer to one that is still in flight. What it was about.
    pub fn timed_out(&mut self, itag: u32) -> Option<AtsInvalidation> {
        let at = self.outstanding.iter().position(|(known, _)| *known == itag)?;
        Some(self.outstanding.remove(at).1)
    }

    /// Nothing is in flight but for those, whose endpoints are to be asked anew. Answers that are still on their way are to
    /// nothing that anybody waits for.
    pub fn replace(&mut self, unanswered: &[AtsInvalidation]) {
        self.first_itag = self.next_itag;
        self.ask_again = !unanswered.is_empty();
        self.outstanding.clear();
        self.given_up.clear();
        for what in unanswered {
            self.outstanding.push((self.next_itag, *what));
            self.next_itag = self.next_itag.wrapping_add(1);
        }
    }

    /// Asks those endpoints that are to be asked anew.
    pub fn ask_again(&mut self, effects: &mut Effects) {
        if std::mem::take(&mut self.ask_again) {
            for (itag, what) in &self.outstanding {
                effects.push(ask(*itag, what));
            }
        }
    }

    /// What is in flight, to be saved.
    pub fn unanswered(&self) -> Vec<AtsInvalidation> {
        self.outstanding.iter().map(|(_, what)| *what).collect()
    }
}

fn ask(itag: u32, what: &AtsInvalidation) -> Effect {
    let AtsInvalidation { stream, substream, global, addr, mask } = *what;
    Effect::AtsInvalidate { itag, stream, substream, global, addr, mask }
}

/// Itags count up, and around.
fn is_before(itag: u32, first: u32) -> bool {
    itag.wrapping_sub(first) > u32::MAX >> 1
}

impl AtsInvalidation {
    /// As words of a saved state.
    pub(crate) fn put(&self, words: &mut Vec<u64>) {
        let Self { stream, substream, global, addr, mask } = *self;
        words.push(pair(stream, u32::from(substream.is_some()) | u32::from(global) << 1));
        words.extend([u64::from(substream.unwrap_or(0)), addr, mask]);
    }

    /// From words of a saved state.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, LoadError> {
        let field = "unanswered invalidation";
        let (stream, flags) = reader.two(field)?;
        limit32(field, flags, 3)?;
        let substream = reader.word(field)?;
        limit(field, substream, 0x000f_ffff)?;
        Ok(Self {
            stream,
            substream: (flags & 1 != 0).then_some(super::narrow::low32(substream)),
            global: flags & 2 != 0,
            addr: reader.word(field)?,
            mask: reader.word(field)?,
        })
    }

    /// Whether it can be, with StreamIDs of so many bits.
    pub(crate) fn check(&self, stream_mask: u32) -> Result<(), LoadError> {
        let Self { stream, substream, addr, mask, .. } = *self;
        limit32("requester of an invalidation", stream, stream_mask)?;
        limit32("PASID of an invalidation", substream.unwrap_or(0), 0x000f_ffff)?;
        // One bit less than a power of two, and the address aligned to it.
        if mask < 0xfff || mask & mask.wrapping_add(1) != 0 {
            return Err(LoadError::Field { field: "size of an invalidation", value: mask });
        }
        limit("address of an invalidation", addr, !mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(stream: StreamId) -> AtsInvalidation {
        AtsInvalidation { stream, substream: Some(3), global: false, addr: 0x1000, mask: 0xfff }
    }

    #[test]
    fn answers_are_told_apart() {
        let mut flight = AtsInvalidations::default();
        let mut effects = Effects::default();
        flight.send(page(8), &mut effects);
        flight.send(page(9), &mut effects);
        assert_eq!(effects.0, [ask(0, &page(8)), ask(1, &page(9))]);
        assert_eq!(flight.answered(9, 0), Answer::Unexpected, "another endpoint's");
        assert_eq!(flight.answered(8, 0), Answer::Expected { goes_on: false });
        assert_eq!(flight.answered(8, 0), Answer::Unexpected, "twice");
        assert_eq!(flight.timed_out(1), Some(page(9)));
        assert_eq!(flight.timed_out(1), None);
        assert!(flight.is_empty());
        flight.send(page(8), &mut effects);
        flight.replace(&[page(7)]);
        assert_eq!(flight.answered(8, 2), Answer::Late);
        let mut effects = Effects::default();
        flight.ask_again(&mut effects);
        flight.ask_again(&mut effects);
        assert_eq!(effects.0, [ask(3, &page(7))], "asked anew, once");
        assert_eq!(flight.unanswered(), [page(7)]);
    }

    #[test]
    fn an_endpoint_that_gives_up_has_answered() {
        let mut flight = AtsInvalidations::default();
        let mut effects = Effects::default();
        for stream in [8, 9, 8] {
            flight.send(page(stream), &mut effects);
        }
        assert!(flight.give_up(8) && !flight.give_up(8));
        assert_eq!(flight.unanswered(), [page(9)]);
        assert_eq!(flight.timed_out(0), None);
        // What it had said before arrives after all: it is no answer to nothing.
        assert_eq!(flight.answered(8, 0), Answer::Late);
        assert_eq!(flight.answered(8, 0), Answer::Unexpected, "twice");
        assert_eq!(flight.answered(9, 2), Answer::Unexpected, "another endpoint's");
        assert_eq!(flight.answered(9, 1), Answer::Expected { goes_on: true });
        for _ in 0..10 * AtsInvalidations::MOST {
            flight.send(page(8), &mut effects);
            flight.give_up(8);
        }
        assert_eq!(flight.given_up.len(), AtsInvalidations::MOST);
    }

    #[test]
    fn a_queue_goes_on_with_room_or_with_the_last_answer() {
        let mut flight = AtsInvalidations::default();
        let mut effects = Effects::default();
        while flight.has_room() {
            flight.send(page(8), &mut effects);
        }
        let goes_on: Vec<u32> = (0..)
            .take(AtsInvalidations::MOST)
            .filter(|itag| flight.answered(8, *itag) == Answer::Expected { goes_on: true })
            .collect();
        assert_eq!(goes_on, [0, u32::try_from(AtsInvalidations::MOST).unwrap() - 1]);
    }

    #[test]
    fn saved_ones_are_checked() {
        let mut words = vec![1];
        page(0x1_0008).put(&mut words);
        let mut reader = Reader::new(&words, 1).unwrap();
        let saved = AtsInvalidation::read(&mut reader).unwrap();
        assert_eq!(saved, page(0x1_0008));
        assert!(saved.check(0xffff).is_err() && saved.check(0x1_ffff).is_ok());
        assert!(AtsInvalidation { mask: 0x17ff, ..page(8) }.check(0xffff).is_err());
        assert!(AtsInvalidation { addr: 0x1800, ..page(8) }.check(0xffff).is_err());
        assert!(AtsInvalidation { mask: 0x7ff, addr: 0, ..page(8) }.check(0xffff).is_err());
    }
}
