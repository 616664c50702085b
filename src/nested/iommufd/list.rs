// SPDX-License-Identifier: GPL-2.0-or-later
//! A few values by their keys, and a queue, both of which cannot panic.

/// A few values by their keys.
#[derive(Debug)]
pub(super) struct List<K, V>(Vec<(K, V)>);

impl<K, V> Default for List<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + PartialEq, V> List<K, V> {
    /// The value of a key.
    pub fn get(&self, key: K) -> Option<&V> {
        self.0.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.0.iter_mut().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// Takes a value in whose key is new.
    pub fn insert(&mut self, key: K, value: V) {
        self.0.push((key, value));
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let at = self.0.iter().position(|(k, _)| *k == key)?;
        let last = self.0.pop()?;
        match self.0.get_mut(at) {
            Some(place) => Some(std::mem::replace(place, last).1),
            None => Some(last.1),
        }
    }

    /// Keeps some.
    pub fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.0.retain(|(_, value)| keep(value));
    }

    /// Every key and value.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// First in, first out.
#[derive(Debug)]
pub(super) struct Fifo<T> {
    items: Vec<T>,
    /// As many have gone out.
    gone: usize,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self { items: Vec::new(), gone: 0 }
    }
}

impl<T: Copy> Fifo<T> {
    /// One more.
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// The oldest.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.items.get(self.gone).copied();
        match item {
            Some(_) => self.gone = self.gone.saturating_add(1),
            None => {
                self.items.clear();
                self.gone = 0;
            }
        }
        item
    }

    /// Keeps some of those that have not gone out.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let mut gone = std::mem::take(&mut self.gone);
        self.items.retain(|item| {
            let still_here = gone == 0;
            gone = gone.saturating_sub(1);
            still_here && keep(item)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_key() {
        let mut list = List::default();
        for n in 0..4u32 {
            list.insert(n, n * 10);
        }
        assert_eq!((list.remove(1), list.remove(1), list.remove(3)), (Some(10), None, Some(30)));
        assert_eq!((list.get(0), list.get(2), list.get(3), list.len()), (Some(&0), Some(&20), None, 2));
        list.retain(|value| *value != 0);
        assert_eq!(list.iter().collect::<Vec<_>>(), [(2, &20)]);
    }

    #[test]
    fn in_their_order() {
        let mut fifo = Fifo::default();
        (0..5).for_each(|n| fifo.push(n));
        assert_eq!((fifo.pop(), fifo.pop()), (Some(0), Some(1)));
        fifo.retain(|n| *n != 3);
        fifo.push(5);
        assert_eq!([fifo.pop(), fifo.pop(), fifo.pop(), fifo.pop()], [Some(2), Some(4), Some(5), None]);
        fifo.push(6);
        assert_eq!((fifo.pop(), fifo.pop()), (Some(6), None));
    }
}
