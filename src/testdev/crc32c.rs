// SPDX-License-Identifier: GPL-2.0-or-later
//! CRC-32C (Castagnoli), as iSCSI and NVMe use it: reflected, polynomial `0x1edc6f41`, starting from and
//! finished with all-ones.

const REFLECTED: u32 = 0x82f6_3b78;

/// What one byte contributes, for each value of it.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const TABLE: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut i: u32 = 0;
    while i < 256 {
        let mut value = i;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 != 0 { (value >> 1) ^ REFLECTED } else { value >> 1 };
            bit += 1;
        }
        table[i as usize] = value;
        i += 1;
    }
    table
};

/// A running checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crc32c(u32);

impl Default for Crc32c {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Crc32c {
    /// Takes up a checksum whose [`value`](Self::value) so far was `value`.
    #[must_use]
    pub fn resume(value: u32) -> Self {
        Self(!value)
    }

    /// Adds `data`.
    pub fn update(&mut self, data: &[u8]) {
        for byte in data {
            let [low, ..] = self.0.to_le_bytes();
            let entry = TABLE.get(usize::from(low ^ byte)).copied().unwrap_or(0);
            self.0 = entry ^ (self.0 >> 8);
        }
    }

    /// The checksum of all that was added.
    #[must_use]
    pub fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Crc32c;

    fn crc(data: &[u8]) -> u32 {
        let mut crc = Crc32c::default();
        crc.update(data);
        crc.value()
    }

    #[test]
    fn vectors_of_rfc_3720() {
        assert_eq!(crc(b""), 0);
        assert_eq!(crc(b"123456789"), 0xe306_9283);
        assert_eq!(crc(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn pieces_make_the_whole() {
        let mut first = Crc32c::default();
        first.update(b"12345");
        let mut second = Crc32c::resume(first.value());
        second.update(b"6789");
        assert_eq!(second.value(), crc(b"123456789"));
    }
}
