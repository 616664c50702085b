// SPDX-License-Identifier: GPL-2.0-or-later
//! Page request groups in flight (`PCIe §10.4`).

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

/// The groups that were sent and not answered.
///
/// A group that an engine has given up stays here until its response, so that its index is not used twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageGroups {
    words: [u64; (GROUPS / 64) as usize],
    next: u16,
}

fn split(group: u16) -> (usize, u64) {
    (usize::from(group >> 6), 1u64.wrapping_shl(u32::from(group & 63)))
}

impl PageGroups {
    /// Groups outstanding.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.words.iter().fold(0, |sum, word| sum.saturating_add(word.count_ones()))
    }

    /// Whether another group may be sent when `allowance` may be outstanding.
    #[must_use]
    pub fn has_credit(&self, allowance: u32) -> bool {
        self.count() < allowance.min(u32::from(GROUPS))
    }

    /// Takes a free index, if there is credit.
    pub fn begin(&mut self, allowance: u32) -> Option<u16> {
        if !self.has_credit(allowance) {
            return None;
        }
        for _ in 0..GROUPS {
            let group = self.next % GROUPS;
            self.next = self.next.wrapping_add(1) % GROUPS;
            let (index, bit) = split(group);
            if let Some(word) = self.words.get_mut(index)
                && *word & bit == 0
            {
                *word |= bit;
                return Some(group);
            }
        }
        None
    }

    /// A response to `group` came, or it was not sent at all; whether it was outstanding.
    pub fn end(&mut self, group: u16) -> bool {
        let (index, bit) = split(group);
        match self.words.get_mut(index) {
            Some(word) if *word & bit != 0 => {
                *word &= !bit;
                true
            }
            _ => false,
        }
    }

    /// Whether `group` is outstanding.
    #[must_use]
    pub fn contains(&self, group: u16) -> bool {
        let (index, bit) = split(group);
        self.words.get(index).is_some_and(|word| word & bit != 0)
    }

    /// The set as words, and the next index to try: the form it travels in.
    #[must_use]
    pub fn parts(&self) -> ([u64; (GROUPS / 64) as usize], u16) {
        (self.words, self.next)
    }

    /// The reverse of [`parts`](Self::parts).
    #[must_use]
    pub fn from_parts(words: [u64; (GROUPS / 64) as usize], next: u16) -> Self {
        Self { words, next: next % GROUPS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_not_used_twice() {
        let mut groups = PageGroups::default();
        let mut seen = std::collections::HashSet::new();
        while let Some(group) = groups.begin(u32::MAX) {
            assert!(seen.insert(group));
        }
        assert_eq!(seen.len(), usize::from(GROUPS));
        assert!(groups.end(77));
        assert!(!groups.end(77));
        assert_eq!(groups.begin(u32::MAX), Some(77));
    }

    #[test]
    fn credit() {
        let mut groups = PageGroups::default();
        assert_eq!(groups.begin(0), None);
        let first = groups.begin(2).unwrap();
        groups.begin(2).unwrap();
        assert_eq!(groups.begin(2), None);
        groups.end(first);
        assert!(groups.begin(2).is_some());
        assert!(!groups.end(GROUPS), "no such group");
    }
}
