// SPDX-License-Identifier: GPL-2.0-or-later
//! How many answers endpoints are told in one go, whatever a guest has written.
//!
//! Telling an endpoint is a call into its model, under QEMU's lock. One register write can bring as many answers as a command
//! queue has entries, and an answer to a page request group without PASID is for each listener of the function. So calls
//! are counted, and what is beyond [`TOLD_AT_ONCE`] is left to a bottom half, in order.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::effects::Effect;
use super::model::lock;

/// Most calls of endpoints in one register write, or in one run of a bottom half.
pub const TOLD_AT_ONCE: usize = 4096;

/// One go through a queue of answers.
#[derive(Debug)]
pub struct Turn<'a> {
    queue: &'a Mutex<VecDeque<Effect>>,
    /// Answers that were there when the turn began, and are still to be told.
    left: usize,
    /// Calls that may still be made.
    calls: usize,
}

impl<'a> Turn<'a> {
    /// Begins with what is there now: what endpoints set in motion by asking again is for the next turn.
    pub fn new(queue: &'a Mutex<VecDeque<Effect>>) -> Self {
        Self { queue, left: lock(queue).len(), calls: TOLD_AT_ONCE }
    }

    /// The next answer, for one call. `None`: all are told, or it was enough for now.
    pub fn take(&mut self) -> Option<Effect> {
        self.left = self.left.checked_sub(1)?;
        self.calls = self.calls.checked_sub(1)?;
        lock(self.queue).pop_front()
    }

    /// The last answer is for several endpoints or address spaces: one answer for each, before those behind it.
    pub fn instead(&mut self, answers: &[Effect]) {
        self.left = self.left.saturating_add(answers.len());
        let mut queue = lock(self.queue);
        for answer in answers.iter().rev() {
            queue.push_front(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ats::PageResponseCode;
    use super::*;

    fn answer(substream: Option<u32>, group: u16) -> Effect {
        Effect::PageResponse { stream: 8, substream, group, code: PageResponseCode::Success }
    }

    /// Makes turns until all is told, with `listeners` for what has no PASID; the calls of each turn.
    fn turns(queue: &Mutex<VecDeque<Effect>>, listeners: u32, mut told: impl FnMut(u32, u16)) -> Vec<usize> {
        let mut turns = Vec::new();
        while !lock(queue).is_empty() {
            let mut turn = Turn::new(queue);
            let mut calls = 0;
            while let Some(Effect::PageResponse { substream, group, .. }) = turn.take() {
                match substream {
                    Some(pasid) => {
                        calls += 1;
                        told(pasid, group);
                    }
                    None => {
                        let each: Vec<_> = (0..listeners).map(|pasid| answer(Some(pasid), group)).collect();
                        turn.instead(&each);
                    }
                }
            }
            turns.push(calls);
        }
        turns
    }

    #[test]
    fn answers_for_every_listener_are_told_in_bounded_turns_and_in_order() {
        for (answers, listeners) in [(1, 1), (1, 4096), (1, 4097), (64, 4096), (4096, 3), (4096, 0)] {
            let queue = Mutex::new((0..answers).map(|group| answer(None, group)).collect());
            let mut all = Vec::new();
            let turns = turns(&queue, listeners, |pasid, group| all.push((group, pasid)));
            assert!(turns.iter().all(|calls| *calls <= TOLD_AT_ONCE), "{turns:?}");
            let expected = (0..answers).flat_map(|group| (0..listeners).map(move |pasid| (group, pasid)));
            assert!(all.into_iter().eq(expected), "{answers} answers for {listeners} listeners");
        }
    }

    #[test]
    fn a_turn_ends_with_what_was_there_when_it_began() {
        let queue = Mutex::new(VecDeque::from([answer(Some(1), 0)]));
        let mut turn = Turn::new(&queue);
        assert_eq!(turn.take(), Some(answer(Some(1), 0)));
        // The endpoint asks again at once, and is answered.
        lock(&queue).push_back(answer(Some(1), 1));
        assert_eq!(turn.take(), None);
        assert_eq!(lock(&queue).len(), 1);
    }
}
