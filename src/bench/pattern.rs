// SPDX-License-Identifier: GPL-2.0-or-later
//! The addresses that a measurement accesses.

/// Addresses without end.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    base: u64,
    stride: u64,
    places: u64,
    next: u64,
    /// State of the generator; 0: in order.
    random: u64,
}

impl Pattern {
    /// `places` places from `base`, `stride` bytes apart, in order or at random. Equal seeds give equal addresses.
    #[must_use]
    pub const fn new(base: u64, stride: u64, places: u64, random: bool, seed: u64) -> Self {
        let random = if random { seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 } else { 0 };
        Self { base, stride, places: if places == 0 { 1 } else { places }, next: 0, random }
    }
}

impl Iterator for Pattern {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let place = if self.random == 0 {
            let place = self.next;
            self.next = if place.wrapping_add(1) >= self.places { 0 } else { place.wrapping_add(1) };
            place
        } else {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            // The upper half of the product: evenly spread, without a division.
            let product = u128::from(self.random).wrapping_mul(u128::from(self.places));
            u64::try_from(product >> 64).unwrap_or(0)
        };
        Some(self.base.wrapping_add(place.wrapping_mul(self.stride)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order() {
        let addresses: Vec<u64> = Pattern::new(0x1000, 0x100, 3, false, 1).take(7).collect();
        assert_eq!(addresses, [0x1000, 0x1100, 0x1200, 0x1000, 0x1100, 0x1200, 0x1000]);
        assert_eq!(Pattern::new(5, 1, 0, false, 1).take(2).collect::<Vec<_>>(), [5, 5]);
    }

    #[test]
    fn at_random() {
        let pattern = Pattern::new(0x1000, 0x100, 16, true, 0);
        let mut seen = [0u32; 16];
        for address in pattern.take(16_000) {
            assert!((0x1000..0x2000).contains(&address) && address.is_multiple_of(0x100));
            seen[((address - 0x1000) / 0x100) as usize] += 1;
        }
        assert!(seen.iter().all(|n| (800..1200).contains(n)), "{seen:?}");
    }
}
