// SPDX-License-Identifier: GPL-2.0-or-later
//! The interrupt address range `0xFEEx_xxxx` (`VTD §3.14`).
//!
//! An untranslated write to it without PASID is an interrupt request: it goes to interrupt remapping, whatever the tables
//! say of its address. No other request reaches it. A request with PASID that passes through to it, or that the tables
//! lead to it, is blocked (LGN.4, SGN.8), and so is a translated request. Those who keep answers (vhost, an endpoint's
//! cache) use them for every address that they cover. So no answer covers an address of the range.

use crate::iommu::narrow::{low8, ones};
use crate::iommu::{Permissions, Translation};

/// First address.
const FIRST: u64 = 0xfee0_0000;
/// Log2 of its size.
const LOG2SIZE: u32 = 20;

/// Whether an address is an interrupt's.
#[must_use]
pub const fn contains(addr: u64) -> bool {
    addr >> LOG2SIZE == FIRST >> LOG2SIZE
}

/// Whether the `1 << log2size` bytes around `addr`, aligned to their size, have an address of the range among them.
#[must_use]
pub fn touches(addr: u64, log2size: u8) -> bool {
    (addr ^ FIRST) & !ones(u32::from(log2size).max(LOG2SIZE)) == 0
}

/// Log2 of the largest block around `addr`, aligned to its size and of at most `1 << log2size` bytes, in which no address
/// is one of the range. 0 for an address of the range itself.
#[must_use]
pub fn log2_beside(addr: u64, log2size: u8) -> u8 {
    if contains(addr) {
        return 0;
    }
    // The highest bit in which they differ: half of the range around both is the one's, half the other's.
    let differs = 63u32.saturating_sub((addr ^ FIRST).leading_zeros());
    log2size.min(low8(differs.into()))
}

/// The answer for an address that is not translated: everything around it up to the range is where it is, and allowed.
/// `None` for an address of the range itself.
#[must_use]
pub fn one_to_one(addr: u64) -> Option<Translation> {
    let log2size = log2_beside(addr, 64);
    let perm = Permissions { read: true, write: true, exec: true };
    (log2size != 0).then(|| Translation { addr, page_mask: ones(log2size.into()), perm })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAST: u64 = 0xfeef_ffff;

    /// Addresses near the range's ends, and any.
    fn addresses() -> impl Strategy<Value = u64> {
        prop_oneof![
            (0u64..0x40_0000).prop_map(|below| FIRST - 1 - below),
            (0u64..0x40_0000).prop_map(|above| LAST + 1 + above),
            FIRST..=LAST,
            any::<u64>(),
            any::<u32>().prop_map(u64::from),
        ]
    }

    fn covers(addr: u64, log2size: u8) -> bool {
        let mask = ones(log2size.into());
        addr & !mask <= LAST && addr | mask >= FIRST
    }

    proptest! {
        #[test]
        fn the_largest_block_beside(addr in addresses(), log2size in 12u8..=64) {
            prop_assert_eq!(contains(addr), (FIRST..=LAST).contains(&addr));
            prop_assert_eq!(touches(addr, log2size), covers(addr, log2size));
            let beside = log2_beside(addr, log2size);
            if contains(addr) {
                prop_assert_eq!((beside, one_to_one(addr)), (0, None));
            } else {
                prop_assert!(beside <= log2size && !covers(addr, beside));
                prop_assert!(beside == log2size || covers(addr, beside + 1), "not the largest");
                let mask = one_to_one(addr).unwrap().page_mask;
                prop_assert_eq!(mask, ones(log2_beside(addr, 64).into()));
            }
        }
    }
}
