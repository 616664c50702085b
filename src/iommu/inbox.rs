// SPDX-License-Identifier: GPL-2.0-or-later
//! What threads without the BQL have to report, until a bottom half takes it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::fifo::Fifo;
use super::model::lock;

/// A list of reports. It is bounded, and what does not fit is counted as lost. Reports that an endpoint waits for an answer
/// to are never lost: there are no more of them than endpoints have requests under way.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    ordinary: Fifo<T>,
    awaited: VecDeque<T>,
    capacity: usize,
    lost: u64,
}

impl<T: Copy> Inbox<T> {
    /// Room for that many reports that no endpoint waits for an answer to.
    pub fn new(ordinary: usize) -> Self {
        Self { ordinary: Fifo::new(ordinary), awaited: VecDeque::new(), capacity: ordinary, lost: 0 }
    }

    /// How many reports there can be by now.
    pub fn most(&self) -> usize {
        self.capacity.saturating_add(self.awaited.len())
    }

    /// Takes a report in. `false`: there is no room.
    pub fn push(&mut self, report: T) -> bool {
        let fits = self.ordinary.push(report);
        self.lost = self.lost.saturating_add((!fits).into());
        fits
    }

    /// Takes a report in that an endpoint waits for an answer to.
    pub fn push_awaited(&mut self, report: T) {
        self.awaited.push_back(report);
    }

    /// The next report; first those that are waited for.
    pub fn pop(&mut self) -> Option<T> {
        self.awaited.pop_front().or_else(|| self.ordinary.pop())
    }

    /// How many were lost since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Forgets those that nobody waits for any more. How many there were.
    pub fn cancel(&mut self, given_up: impl Fn(&T) -> bool) -> u64 {
        let before = self.awaited.len();
        self.awaited.retain(|report| !given_up(report));
        u64::try_from(before.saturating_sub(self.awaited.len())).unwrap_or(0)
    }

    /// All reports, in the order of [`pop`](Self::pop).
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.awaited.iter().copied().chain(self.ordinary.iter())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.ordinary.clear();
        self.awaited.clear();
        self.lost = 0;
    }
}

/// An [`Inbox`] that threads share. Whether something came is known without its lock, for mostly nothing did.
#[derive(Debug)]
pub(crate) struct SharedInbox<T> {
    list: Mutex<Inbox<T>>,
    unread: AtomicBool,
}

impl<T: Copy> SharedInbox<T> {
    /// Room for that many reports that no endpoint waits for an answer to.
    pub fn new(ordinary: usize) -> Self {
        Self { list: Mutex::new(Inbox::new(ordinary)), unread: AtomicBool::new(false) }
    }

    /// The list, to look at it or to take away from it.
    pub fn lock(&self) -> MutexGuard<'_, Inbox<T>> {
        lock(&self.list)
    }

    /// Puts into the list. An access does that before it ends, so that who saw it end finds it.
    pub fn report<R>(&self, put: impl FnOnce(&mut Inbox<T>) -> R) -> R {
        let result = put(&mut self.lock());
        self.unread.store(true, Ordering::SeqCst);
        result
    }

    /// Takes what has come, if anything has, without the lock while a report is looked at. It ends with as many as fit,
    /// for others go on reporting. How many were lost.
    pub fn drain(&self, mut take: impl FnMut(T)) -> u64 {
        let has_come = self.unread.load(Ordering::SeqCst) && self.unread.swap(false, Ordering::SeqCst);
        if !has_come {
            return 0;
        }
        let most = self.lock().most();
        for _ in 0..most {
            let Some(report) = self.lock().pop() else { break };
            take(report);
        }
        let mut list = self.lock();
        if list.iter().next().is_some() {
            self.unread.store(true, Ordering::SeqCst);
        }
        list.take_lost()
    }
}

#[test]
fn what_came_is_told_once() {
    let inbox = SharedInbox::new(2);
    let drain = || {
        let mut taken = Vec::new();
        let lost = inbox.drain(|report| taken.push(report));
        (taken, lost)
    };
    assert_eq!(drain(), (vec![], 0));
    assert_eq!([1, 2, 3].map(|report| inbox.report(|inbox| inbox.push(report))), [true, true, false]);
    assert_eq!(drain(), (vec![1, 2], 1));
    assert_eq!(drain(), (vec![], 0));
}

#[test]
fn what_comes_meanwhile_is_left_for_the_next_time() {
    let inbox = SharedInbox::new(1);
    let mut taken = Vec::new();
    inbox.report(|inbox| inbox.push(1));
    for _ in 0..2 {
        inbox.drain(|report| {
            taken.push(report);
            inbox.report(|inbox| inbox.push(report + 1));
        });
    }
    assert_eq!(taken, [1, 2]);
}

#[test]
fn it_is_bounded_and_awaited_reports_are_never_lost() {
    let mut inbox = Inbox::new(3);
    assert!((1..=3).all(|report| inbox.push(report)));
    assert!(!inbox.push(4));
    inbox.push_awaited(11);
    inbox.push_awaited(12);
    assert_eq!((inbox.most(), inbox.take_lost(), inbox.take_lost()), (5, 1, 0));
    assert_eq!(inbox.iter().collect::<Vec<_>>(), [11, 12, 1, 2, 3]);
    assert_eq!(inbox.cancel(|report| *report == 11 || *report == 1), 1, "the other is no awaited one");
    assert_eq!((inbox.pop(), inbox.pop()), (Some(12), Some(1)));
    (0..10_000).for_each(|report| inbox.push_awaited(report));
    assert_eq!((inbox.iter().count(), inbox.take_lost()), (10_002, 0));
    inbox.clear();
    assert_eq!(inbox.pop(), None);
}
