// SPDX-License-Identifier: GPL-2.0-or-later
//! A map as a sorted list: what it does with memory cannot panic, as the standard library's tree could.

/// Keys in order, each once.
#[derive(Clone, Debug)]
pub(super) struct SortedMap<K, V>(Vec<(K, V)>);

impl<K: Ord + Copy, V> SortedMap<K, V> {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(key))
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(self.find(key).ok()?).map(|(_, value)| value)
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// What had the key before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => self.0.get_mut(at).map(|(_, old)| core::mem::replace(old, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(key).ok()?;
        Some(self.0.remove(at).1)
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| keep(key, value));
    }

    /// Everything, in order; nothing is left.
    pub fn drain(&mut self) -> impl Iterator<Item = (K, V)> {
        self.0.drain(..)
    }

    /// The first key from that one on.
    pub fn next_key(&self, from: K) -> Option<K> {
        let at = self.0.partition_point(|(key, _)| *key < from);
        self.0.get(at).map(|(key, _)| *key)
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }
}

#[cfg(test)]
impl<K: Ord + Copy, V> core::ops::Index<&K> for SortedMap<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("the key is there")
    }
}

#[test]
fn keys_are_in_order_and_each_once() {
    let mut map = SortedMap::new();
    assert_eq!([3, 1, 2, 3].map(|key| map.insert(key, key * 10)), [None, None, None, Some(30)]);
    *map.get_mut(&2).unwrap() = 7;
    assert_eq!((map.get(&2), map.get(&4), map.contains_key(&1)), (Some(&7), None, true));
    assert_eq!(map.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!([0, 1, 3, 4].map(|from| map.next_key(from)), [Some(1), Some(1), Some(3), None]);
    assert_eq!((map.remove(&1), map.remove(&1), map.len()), (Some(10), None, 2));
    map.retain(|key, _| *key == 3);
    assert_eq!((map.len(), map.get(&3)), (1, Some(&30)));
    assert_eq!(map.drain().collect::<Vec<_>>(), [(3, 30)]);
    assert_eq!(map.len(), 0);
}
