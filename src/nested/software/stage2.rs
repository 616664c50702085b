// SPDX-License-Identifier: GPL-2.0-or-later
//! Stage 2 as a list of what was mapped, and the guest's memory as it looks through it.

use std::sync::Arc;

use crate::iommu::narrow::ones;
use crate::iommu::{GuestMemory, MemoryError};

/// Memory that the host's addresses are of.
pub type HostMemory = Arc<dyn GuestMemory + Send + Sync>;

/// What mappings are made of, in bytes.
const PAGE: u64 = 4096;

/// A piece of guest-physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Region {
    gpa: u64,
    host: u64,
    len: u64,
    writable: bool,
}

impl Region {
    fn end(&self) -> u64 {
        self.gpa.saturating_add(self.len)
    }
}

/// Where a guest-physical address ends up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The host's address of it.
    pub host: u64,
    /// As many bytes are mapped together from there on.
    pub left: u64,
    /// It may be written.
    pub writable: bool,
    /// The largest log2 of an aligned block around it that is mapped as one, 12 or more.
    pub log2size: u8,
}

/// The mappings.
#[derive(Debug, Default)]
pub(super) struct Stage2 {
    regions: Vec<Region>,
}

impl Stage2 {
    /// Adds a mapping; the error is an `errno`.
    pub fn map(&mut self, gpa: u64, host: u64, len: u64, writable: bool) -> Result<(), i32> {
        let end = end(gpa, len)?;
        if !host.is_multiple_of(PAGE) {
            return Err(libc::EINVAL);
        }
        host.checked_add(len).ok_or(libc::EOVERFLOW)?;
        if self.regions.iter().any(|r| r.gpa < end && gpa < r.end()) {
            return Err(libc::EEXIST);
        }
        self.regions.push(Region { gpa, host, len, writable });
        Ok(())
    }

    /// Takes every mapping in the range away. Like iommufd it takes none in two, and finds at least one.
    pub fn unmap(&mut self, gpa: u64, len: u64) -> Result<(), i32> {
        let end = end(gpa, len)?;
        let touched = |r: &Region| r.gpa < end && gpa < r.end();
        let inside = |r: &Region| gpa <= r.gpa && r.end() <= end;
        let mut found = self.regions.iter().filter(|r| touched(r)).peekable();
        if found.peek().is_none() || !found.all(inside) {
            return Err(libc::ENOENT);
        }
        self.regions.retain(|r| !touched(r));
        Ok(())
    }

    /// Finds an address.
    pub fn find(&self, gpa: u64) -> Option<Place> {
        let region = self.regions.iter().find(|r| r.gpa <= gpa && gpa < r.end())?;
        let offset = gpa.wrapping_sub(region.gpa);
        let host = region.host.wrapping_add(offset);
        let mut log2size = 12u8;
        for larger in 13u8..=52 {
            let mask = ones(larger.into());
            let first = gpa & !mask;
            let aligned = (gpa ^ host) & mask == 0;
            if !aligned || first < region.gpa || first.saturating_add(mask) >= region.end() {
                break;
            }
            log2size = larger;
        }
        Some(Place { host, left: region.len.wrapping_sub(offset), writable: region.writable, log2size })
    }
}

/// The end of a range of whole pages.
fn end(gpa: u64, len: u64) -> Result<u64, i32> {
    if len == 0 || !gpa.is_multiple_of(PAGE) || !len.is_multiple_of(PAGE) {
        return Err(libc::EINVAL);
    }
    gpa.checked_add(len).ok_or(libc::EOVERFLOW)
}

/// The guest's memory: what stage 2 shows of the host's.
pub(super) struct Through<'a> {
    pub memory: &'a HostMemory,
    pub stage2: &'a Stage2,
}

impl Through<'_> {
    fn place(&self, addr: u64, write: bool) -> Result<Place, MemoryError> {
        self.stage2.find(addr).filter(|place| place.writable || !write).ok_or(MemoryError { addr })
    }

    /// The host's address of an aligned word.
    fn word(&self, addr: u64, write: bool) -> Result<u64, MemoryError> {
        if !addr.is_multiple_of(8) {
            return Err(MemoryError { addr });
        }
        self.place(addr, write).map(|place| place.host)
    }

    /// How many of `len` bytes lie together at a place.
    fn together(place: &Place, len: usize) -> usize {
        usize::try_from(place.left).unwrap_or(usize::MAX).min(len)
    }
}

impl GuestMemory for Through<'_> {
    fn read(&self, mut addr: u64, mut buf: &mut [u8]) -> Result<(), MemoryError> {
        while !buf.is_empty() {
            let place = self.place(addr, false)?;
            let (now, rest) =
                buf.split_at_mut_checked(Self::together(&place, buf.len())).ok_or(MemoryError { addr })?;
            self.memory.read(place.host, now)?;
            addr = addr.wrapping_add(u64::try_from(now.len()).unwrap_or(0));
            buf = rest;
        }
        Ok(())
    }

    fn write(&self, mut addr: u64, mut buf: &[u8]) -> Result<(), MemoryError> {
        while !buf.is_empty() {
            let place = self.place(addr, true)?;
            let (now, rest) =
                buf.split_at_checked(Self::together(&place, buf.len())).ok_or(MemoryError { addr })?;
            self.memory.write(place.host, now)?;
            addr = addr.wrapping_add(u64::try_from(now.len()).unwrap_or(0));
            buf = rest;
        }
        Ok(())
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        self.memory.read_u64(self.word(addr, false)?)
    }

    fn compare_exchange_u64(
        &self,
        addr: u64,
        current: u64,
        new: u64,
    ) -> Result<Result<(), u64>, MemoryError> {
        self.memory.compare_exchange_u64(self.word(addr, true)?, current, new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iommu::testing::TestMemory;

    #[test]
    fn mappings_do_not_overlap_and_are_not_split() {
        let mut s2 = Stage2::default();
        assert_eq!(s2.map(0x1000, 0x8000, 0x2000, true), Ok(()));
        assert_eq!(s2.map(0x2000, 0x2_0000, 0x1000, true), Err(libc::EEXIST));
        assert_eq!(s2.map(0x3000, 0x2_0000, 0x1000, false), Ok(()));
        for (gpa, host, len) in [(0x800, 0, 0x1000), (0x5000, 8, 0x1000), (0x5000, 0, 0x10), (0x5000, 0, 0)] {
            assert_eq!(s2.map(gpa, host, len, true), Err(libc::EINVAL));
        }
        assert_eq!(s2.map(!0xfff, 0, 0x2000, true), Err(libc::EOVERFLOW));
        assert_eq!(s2.unmap(0x2000, 0x1000), Err(libc::ENOENT), "half of a mapping");
        assert_eq!(s2.unmap(0x5000, 0x1000), Err(libc::ENOENT), "nothing is there");
        assert_eq!(s2.unmap(0, 0x10_0000), Ok(()));
        assert_eq!(s2.find(0x1000), None);
    }

    #[test]
    fn places_say_how_far_they_reach() {
        let mut s2 = Stage2::default();
        s2.map(0x40_0000, 0x1_0040_0000, 0x60_0000, true).unwrap();
        let place = s2.find(0x40_1008).unwrap();
        assert_eq!((place.host, place.left, place.log2size), (0x1_0040_1008, 0x5f_eff8, 22));
        assert_eq!(s2.find(0x80_0000).unwrap().log2size, 21, "the end of the mapping is in the way");
        s2.map(0x1000_0000, 0x3000, 0x10_0000, false).unwrap();
        assert_eq!(s2.find(0x1000_0000).unwrap().log2size, 12, "guest and host are not aligned alike");
    }

    #[test]
    fn reads_cross_from_one_mapping_to_the_next() {
        let memory = Arc::new(TestMemory::new());
        let host: HostMemory = memory.clone();
        let mut s2 = Stage2::default();
        s2.map(0x1000, 0x9000, 0x1000, true).unwrap();
        s2.map(0x2000, 0x4000, 0x1000, false).unwrap();
        let guest = Through { memory: &host, stage2: &s2 };
        memory.put(0x9ff8, 0x1122_3344_5566_7788);
        memory.put(0x4000, 0x99aa);
        let mut bytes = [0; 4];
        guest.read(0x1ffe, &mut bytes).unwrap();
        assert_eq!(bytes, [0x22, 0x11, 0xaa, 0x99]);
        assert_eq!(guest.write(0x1ffe, &bytes), Err(MemoryError { addr: 0x2000 }), "read-only");
        assert_eq!(guest.read_u64(0x1ff8), Ok(0x1122_3344_5566_7788));
        assert_eq!(guest.compare_exchange_u64(0x2000, 0x99aa, 1), Err(MemoryError { addr: 0x2000 }));
        assert_eq!(guest.compare_exchange_u64(0x1ff8, 0x1122_3344_5566_7788, 1), Ok(Ok(())));
        assert!(guest.read_u64(0x3000).is_err() && guest.read_u64(0x1004).is_err());
    }
}
