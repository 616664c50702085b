// SPDX-License-Identifier: GPL-2.0-or-later
//! The PASIDs that an abort or a CANCEL has halted.

/// Number of PASIDs a PCIe function can name: 20 bits (`PCIe §6.20`).
pub const PASIDS: u32 = 1 << 20;

const WORDS: usize = (PASIDS / u64::BITS) as usize;

/// A set of PASIDs of fixed size, so that a guest that halts all of them costs what one costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaltedPasids {
    words: Box<[u64]>,
    count: u32,
}

impl Default for HaltedPasids {
    fn default() -> Self {
        Self { words: vec![0; WORDS].into_boxed_slice(), count: 0 }
    }
}

fn split(pasid: u32) -> (usize, u64) {
    ((pasid >> 6) as usize, 1u64.wrapping_shl(pasid & 63))
}

impl HaltedPasids {
    /// Adds `pasid`; numbers of more than 20 bits are ignored. Returns whether it is new.
    pub fn insert(&mut self, pasid: u32) -> bool {
        let (index, bit) = split(pasid);
        match self.words.get_mut(index) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                self.count = self.count.saturating_add(1);
                true
            }
            _ => false,
        }
    }

    /// Takes `pasid` out.
    pub fn remove(&mut self, pasid: u32) {
        let (index, bit) = split(pasid);
        if let Some(word) = self.words.get_mut(index)
            && *word & bit != 0
        {
            *word &= !bit;
            self.count = self.count.saturating_sub(1);
        }
    }

    /// Whether `pasid` is halted.
    #[must_use]
    pub fn contains(&self, pasid: u32) -> bool {
        let (index, bit) = split(pasid);
        self.words.get(index).is_some_and(|word| word & bit != 0)
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        if self.count != 0 {
            self.words.fill(0);
            self.count = 0;
        }
    }

    /// How many are halted.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The non-zero words of the set with their indices: the form it travels in.
    pub fn words(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        (0u32..).zip(self.words.iter().copied()).filter(|(_, word)| *word != 0)
    }

    /// Sets one word of the set; `false` when there is no such word, or it is set already.
    pub fn set_word(&mut self, index: u32, value: u64) -> bool {
        match self.words.get_mut(index as usize) {
            Some(word) if *word == 0 => {
                *word = value;
                self.count = self.count.saturating_add(value.count_ones());
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_it_is_given() {
        let mut set = HaltedPasids::default();
        for pasid in [0, 1, 63, 64, PASIDS - 1] {
            assert!(set.insert(pasid));
            assert!(!set.insert(pasid));
            assert!(set.contains(pasid));
        }
        assert!(!set.insert(PASIDS));
        assert!(!set.contains(u32::MAX));
        assert_eq!(set.count(), 5);

        let mut copy = HaltedPasids::default();
        for (index, word) in set.words() {
            assert!(copy.set_word(index, word));
        }
        assert_eq!(copy, set);
        assert!(!copy.set_word(0, 1), "a word comes once");
        assert!(!copy.set_word(u32::MAX, 1));

        set.remove(63);
        set.remove(63);
        assert_eq!(set.count(), 4);
        set.clear();
        assert_eq!(set, HaltedPasids::default());
    }
}
