// SPDX-License-Identifier: GPL-2.0-or-later
//! Guest memory for unit tests: sparse, shared between threads, with holes, and with scripted races. And what random
//! histories of guests are about.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::memory::{GuestMemory, MemoryError};

/// Tells those who wait for a thread that it panicked: they would wait for ever.
pub(crate) struct Alarm<'a>(pub &'a std::sync::atomic::AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
}

/// Sparse RAM that reads as zero where nothing was written.
///
/// Everything below `2^52` is RAM but for the [holes](TestMemory::hole).
#[derive(Debug, Default)]
pub struct TestMemory {
    inner: Mutex<Inner>,
    reads: AtomicU64,
    updates: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    words: HashMap<u64, u64>,
    holes: Vec<Range<u64>>,
    races: Vec<(u64, u64)>,
}

impl Inner {
    fn check(&self, addr: u64, len: u64) -> Result<(), MemoryError> {
        let end = addr.checked_add(len).ok_or(MemoryError { addr })?;
        let hole = self.holes.iter().any(|h| addr < h.end && h.start < end);
        if end > 1 << 52 || hole { Err(MemoryError { addr }) } else { Ok(()) }
    }

    fn word(&self, addr: u64) -> u64 {
        self.words.get(&addr).copied().unwrap_or(0)
    }
}

impl TestMemory {
    /// All of memory is zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accesses that touch `range` fail from now on.
    pub fn hole(&self, range: Range<u64>) {
        self.inner.lock().unwrap().holes.push(range);
    }

    /// Stores one aligned 64-bit word.
    pub fn put(&self, addr: u64, value: u64) {
        assert_eq!(addr % 8, 0);
        self.inner.lock().unwrap().words.insert(addr, value);
    }

    /// Stores consecutive 64-bit words.
    pub fn put_all(&self, addr: u64, values: &[u64]) {
        for (i, value) in values.iter().enumerate() {
            self.put(addr + 8 * i as u64, *value);
        }
    }

    /// Loads one aligned 64-bit word.
    pub fn get(&self, addr: u64) -> u64 {
        assert_eq!(addr % 8, 0);
        self.inner.lock().unwrap().word(addr)
    }

    /// Just before the next compare-and-exchange of the word at `addr`, somebody else stores `value` there.
    /// Several calls for one address take effect one after the other.
    pub fn race(&self, addr: u64, value: u64) {
        self.inner.lock().unwrap().races.push((addr, value));
    }

    /// How many reads were made so far through [`GuestMemory`].
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// How many compare-and-exchanges succeeded so far.
    pub fn updates(&self) -> u64 {
        self.updates.load(Ordering::Relaxed)
    }
}

impl GuestMemory for TestMemory {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let inner = self.inner.lock().unwrap();
        inner.check(addr, buf.len() as u64)?;
        for (i, byte) in buf.iter_mut().enumerate() {
            let at = addr + i as u64;
            *byte = inner.word(at & !7).to_le_bytes()[(at & 7) as usize];
        }
        Ok(())
    }

    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
        let mut inner = self.inner.lock().unwrap();
        inner.check(addr, buf.len() as u64)?;
        for (i, byte) in buf.iter().enumerate() {
            let at = addr + i as u64;
            let mut bytes = inner.word(at & !7).to_le_bytes();
            bytes[(at & 7) as usize] = *byte;
            inner.words.insert(at & !7, u64::from_le_bytes(bytes));
        }
        Ok(())
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        assert_eq!(addr % 8, 0, "unaligned table access at {addr:#x}");
        self.reads.fetch_add(1, Ordering::Relaxed);
        let inner = self.inner.lock().unwrap();
        inner.check(addr, 8)?;
        Ok(inner.word(addr))
    }

    fn compare_exchange_u64(
        &self,
        addr: u64,
        current: u64,
        new: u64,
    ) -> Result<Result<(), u64>, MemoryError> {
        assert_eq!(addr % 8, 0, "unaligned table access at {addr:#x}");
        let mut inner = self.inner.lock().unwrap();
        inner.check(addr, 8)?;
        if let Some(at) = inner.races.iter().position(|race| race.0 == addr) {
            let (_, value) = inner.races.remove(at);
            inner.words.insert(addr, value);
        }
        let found = inner.word(addr);
        if found != current {
            return Ok(Err(found));
        }
        inner.words.insert(addr, new);
        self.updates.fetch_add(1, Ordering::Relaxed);
        Ok(Ok(()))
    }
}

#[test]
fn words_bytes_holes_and_races() {
    let memory = TestMemory::new();
    memory.write(0x1003, &[1, 2, 3, 4, 5, 6]).unwrap();
    let mut bytes = [0; 8];
    memory.read(0x1002, &mut bytes).unwrap();
    assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 0]);
    assert_eq!(memory.read_u64(0x1000).unwrap(), 0x0504_0302_0100_0000);
    memory.hole(0x2000..0x3000);
    assert_eq!(memory.read(0x1ff9, &mut bytes), Err(MemoryError { addr: 0x1ff9 }));
    assert!(memory.read_u64(0x3000).is_ok());
    memory.race(0x4000, 7);
    assert_eq!(memory.compare_exchange_u64(0x4000, 0, 1), Ok(Err(7)));
    assert_eq!(memory.compare_exchange_u64(0x4000, 7, 1), Ok(Ok(())));
    assert_eq!((memory.get(0x4000), memory.updates()), (1, 1));
}

/// What random histories of guests of either architecture are about: six pages of some processes.
#[cfg(not(loom))]
pub(crate) mod histories {
    use core::ops::Range;

    use proptest::prelude::*;

    use crate::iommu::Access;

    /// Pages that accesses and changes are about.
    pub const PAGES: u64 = 6;

    /// Two large pages and four small ones; every other one is in the same 64 KiB.
    pub fn address(page: u64) -> u64 {
        if is_large(page) { 0x4000_0000 + (page << 21) } else { 0x1_0000 + page * 0x8000 }
    }

    /// It is one of 2 MiB.
    pub fn is_large(page: u64) -> bool {
        page < 2
    }

    /// A page's entry, and which of eight places it leads to.
    #[derive(Clone, Copy, Debug)]
    pub enum Leaf {
        Unmapped,
        ReadOnly(u8),
        ReadWrite(u8),
        Kernel(u8),
    }

    pub fn leaf() -> impl Strategy<Value = Leaf> {
        (0..5u8, 0..8u8).prop_map(|(kind, to)| match kind {
            0 => Leaf::Unmapped,
            1 => Leaf::ReadOnly(to),
            2 => Leaf::Kernel(to),
            _ => Leaf::ReadWrite(to),
        })
    }

    /// Where a page of a process leads.
    pub fn target(process: u64, to: u8) -> u64 {
        0x1_0000_0000 + process * 0x1000_0000 + u64::from(to) * 0x20_0000
    }

    /// A device reads or writes.
    #[derive(Clone, Copy, Debug)]
    pub struct Use {
        pub pasid: Option<u32>,
        pub page: u64,
        pub access: Access,
    }

    impl Use {
        pub fn addr(&self) -> u64 {
            address(self.page) + 0x10
        }
    }

    pub fn uses(pasids: Range<u32>) -> impl Strategy<Value = Use> {
        let pasid = prop_oneof![1 => Just(None), 6 => pasids.prop_map(Some)];
        (pasid, 0..PAGES, any::<bool>(), any::<bool>()).prop_map(|(pasid, page, write, privileged)| Use {
            pasid,
            page,
            access: Access { read: !write, write, exec: false, privileged },
        })
    }
}
