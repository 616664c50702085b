// SPDX-License-Identifier: GPL-2.0-or-later
//! A bounded first-in first-out list that allocates once.

/// At most as many elements as it was made for, oldest first.
#[derive(Debug)]
pub(crate) struct Fifo<T> {
    slots: Box<[Option<T>]>,
    head: usize,
    len: usize,
}

impl<T: Copy> Fifo<T> {
    /// Room for `capacity` elements.
    pub fn new(capacity: usize) -> Self {
        Self { slots: vec![None; capacity].into_boxed_slice(), head: 0, len: 0 }
    }

    fn slot(&self, nth: usize) -> usize {
        let at = self.head.wrapping_add(nth);
        if at < self.slots.len() { at } else { at.wrapping_sub(self.slots.len()) }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends `value`; `false` if there is no room.
    pub fn push(&mut self, value: T) -> bool {
        if self.len >= self.slots.len() {
            return false;
        }
        let at = self.slot(self.len);
        match self.slots.get_mut(at) {
            Some(slot) => *slot = Some(value),
            None => return false,
        }
        self.len = self.len.saturating_add(1);
        true
    }

    /// Takes the oldest element.
    pub fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let at = self.head;
        self.head = self.slot(1);
        self.len = self.len.saturating_sub(1);
        self.slots.get_mut(at)?.take()
    }

    /// The oldest element.
    pub fn first(&self) -> Option<T> {
        if self.len == 0 { None } else { self.slots.get(self.head).copied().flatten() }
    }

    /// All elements, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        (0..self.len).filter_map(|nth| self.slots.get(self.slot(nth)).copied().flatten())
    }

    /// Keeps the elements for which `keep` says so, in order.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        for _ in 0..self.len {
            if let Some(value) = self.pop()
                && keep(&value)
            {
                self.push(value);
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        while self.pop().is_some() {}
    }
}

#[test]
fn wraps_refuses_and_retains() {
    let mut fifo = Fifo::new(3);
    for round in 0..5 {
        assert!(fifo.push(round) && fifo.push(round + 10) && fifo.push(round + 20));
        assert!(!fifo.push(99));
        assert_eq!((fifo.len(), fifo.first()), (3, Some(round)));
        fifo.retain(|value| *value != round + 10);
        assert_eq!(fifo.iter().collect::<Vec<_>>(), [round, round + 20]);
        assert_eq!((fifo.pop(), fifo.pop(), fifo.pop()), (Some(round), Some(round + 20), None));
    }
    let mut none = Fifo::new(0);
    assert!(!none.push(1) && none.is_empty() && none.pop().is_none());
}
