// SPDX-License-Identifier: GPL-2.0-or-later
//! Narrowing of words to their low parts, and shifts that cannot trap.

/// Bits 7:0.
pub(crate) fn low8(word: u64) -> u8 {
    u8::try_from(word & 0xff).unwrap_or(0)
}

/// Bits 15:0.
pub(crate) fn low16(word: u64) -> u16 {
    u16::try_from(word & 0xffff).unwrap_or(0)
}

/// Bits 31:0.
pub(crate) fn low32(word: u64) -> u32 {
    u32::try_from(word & 0xffff_ffff).unwrap_or(0)
}

/// Bits 63:32.
pub(crate) fn high32(word: u64) -> u32 {
    low32(word >> 32)
}

/// The lowest `count` bits; all of them for 64 and more.
pub(crate) fn ones(count: u32) -> u64 {
    1u64.checked_shl(count).map_or(u64::MAX, |bit| bit.wrapping_sub(1))
}

/// An index as such.
pub(crate) fn index(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[test]
fn edges() {
    let word = 0x8765_4321_fedc_ba98;
    assert_eq!(
        (low8(word), low16(word), low32(word), high32(word)),
        (0x98, 0xba98, 0xfedc_ba98, 0x8765_4321)
    );
    assert_eq!((ones(0), ones(1), ones(63), ones(64), ones(200)), (0, 1, u64::MAX >> 1, u64::MAX, u64::MAX));
}
