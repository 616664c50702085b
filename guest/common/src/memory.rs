// SPDX-License-Identifier: GPL-2.0-or-later
//! Memory whose bytes a device may change at any time.
//!
//! Nothing here keeps a Rust reference into a mapping across an operation of the device: reads are volatile or
//! go through a slice that ends with the call.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

/// Size of a page of the running kernel in bytes.
pub fn page_size() -> usize {
    // SAFETY: sysconf has no preconditions.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// An `mmap`ed range, unmapped when dropped.
#[derive(Debug)]
pub struct Mapping {
    base: *mut u8,
    len: usize,
}

// SAFETY: the range belongs to the process; every access goes through raw pointers.
unsafe impl Send for Mapping {}
// SAFETY: as above; what several threads do at once is the device-like traffic this type exists for.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn map(at: u64, len: usize, prot: i32, flags: i32, fd: i32, offset: i64) -> io::Result<Self> {
        // SAFETY: mmap checks its arguments; MAP_FIXED ranges are only given by `at_fixed`'s callers, which own them.
        let base = unsafe { libc::mmap(at as *mut libc::c_void, len, prot, flags, fd, offset) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { base: base.cast(), len })
    }

    /// Private anonymous memory, read and write, untouched. `len` in bytes.
    pub fn anonymous(len: usize) -> io::Result<Self> {
        Self::anonymous_with(len, libc::PROT_READ | libc::PROT_WRITE, 0)
    }

    /// Private anonymous memory with a protection and further flags.
    pub fn anonymous_with(len: usize, prot: i32, flags: i32) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | flags;
        Self::map(0, len, prot, flags, -1, 0)
    }

    /// Private anonymous memory at an address that nothing else occupies, or replacing what is there with `replace`.
    ///
    /// # Safety
    /// With `replace` nobody may use what was mapped there.
    pub unsafe fn anonymous_at(at: u64, len: usize, replace: bool) -> io::Result<Self> {
        let how = if replace { libc::MAP_FIXED } else { libc::MAP_FIXED_NOREPLACE };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | how;
        Self::map(at, len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
    }

    /// Anonymous memory whose address is a multiple of `align` (a power of two, at least the page size).
    pub fn aligned(len: usize, align: usize) -> io::Result<Self> {
        let whole = Self::anonymous_with(len + align, libc::PROT_NONE, 0)?;
        let start = (whole.address() as usize).next_multiple_of(align);
        drop(whole);
        // SAFETY: the range was ours an instant ago; without `replace` a newcomer there is an error, not a loss.
        unsafe { Self::anonymous_at(start as u64, len, false) }
    }

    /// A file, shared or private.
    pub fn of_file(file: &File, len: usize, prot: i32, shared: bool, offset: i64) -> io::Result<Self> {
        let flags = if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        Self::map(0, len, prot, flags, file.as_raw_fd(), offset)
    }

    /// Address of the first byte.
    pub fn address(&self) -> u64 {
        self.base as u64
    }

    /// Address of the byte at `offset`.
    pub fn at(&self, offset: usize) -> u64 {
        self.pointer(offset, 0) as u64
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn pointer(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len), "outside the mapping");
        // SAFETY: the offset is inside the mapping, just checked.
        unsafe { self.base.add(offset) }
    }

    /// Reads 8 bytes in one access; `offset` a multiple of 8.
    pub fn load(&self, offset: usize) -> u64 {
        assert!(offset.is_multiple_of(8));
        // SAFETY: inside the mapping, aligned.
        unsafe { ptr::read_volatile(self.pointer(offset, 8).cast::<u64>()) }
    }

    /// Writes 8 bytes in one access; `offset` a multiple of 8.
    pub fn store(&self, offset: usize, value: u64) {
        assert!(offset.is_multiple_of(8));
        // SAFETY: inside the mapping, aligned.
        unsafe { ptr::write_volatile(self.pointer(offset, 8).cast::<u64>(), value) }
    }

    /// An atomic view of 8 bytes; `offset` a multiple of 8.
    pub fn atomic(&self, offset: usize) -> &std::sync::atomic::AtomicU64 {
        assert!(offset.is_multiple_of(8));
        // SAFETY: inside the mapping, aligned, and every concurrent access is atomic (the device's too).
        unsafe { std::sync::atomic::AtomicU64::from_ptr(self.pointer(offset, 8).cast()) }
    }

    /// Copies `data` to `offset`.
    pub fn write(&self, offset: usize, data: &[u8]) {
        // SAFETY: the target is inside the mapping; `data` is not, being a Rust slice of somebody else's memory.
        unsafe { ptr::copy(data.as_ptr(), self.pointer(offset, data.len()), data.len()) }
    }

    /// Sets `len` bytes from `offset` to `byte`.
    pub fn set(&self, offset: usize, len: usize, byte: u8) {
        // SAFETY: inside the mapping.
        unsafe { ptr::write_bytes(self.pointer(offset, len), byte, len) }
    }

    /// A copy of `len` bytes from `offset`.
    pub fn bytes(&self, offset: usize, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        // SAFETY: source inside the mapping, destination fresh.
        unsafe { ptr::copy_nonoverlapping(self.pointer(offset, len), out.as_mut_ptr(), len) };
        out
    }

    /// Calls `look` with `len` bytes from `offset`; the device is not to write them meanwhile.
    pub fn view<R>(&self, offset: usize, len: usize, look: impl FnOnce(&[u8]) -> R) -> R {
        // SAFETY: inside the mapping; the slice ends with the call.
        look(unsafe { std::slice::from_raw_parts(self.pointer(offset, len), len) })
    }

    /// Offset of the first byte from `offset` on that is not `byte`.
    pub fn first_other(&self, offset: usize, len: usize, byte: u8) -> Option<usize> {
        let word = [byte; 8];
        self.view(offset, len, |all| {
            // By words first: emulated CPUs have seconds to lose here.
            let alike = all.chunks_exact(8).take_while(|chunk| **chunk == word).count() * 8;
            all.iter().skip(alike).position(|b| *b != byte).map(|at| at + alike)
        })
        .map(|at| at + offset)
    }

    /// Makes every page present and writable, as a write to each would, in one call.
    pub fn populate(&self) -> io::Result<()> {
        const MADV_POPULATE_WRITE: i32 = 23;
        self.advise(0, self.len, MADV_POPULATE_WRITE)
    }

    /// Fills with 8-byte words that follow from `seed` and the position; `len` a multiple of 8.
    pub fn scramble(&self, offset: usize, len: usize, seed: u64) {
        for at in (0..len).step_by(8) {
            self.store(offset + at, mix(seed.wrapping_add((at / 8) as u64)));
        }
    }

    /// First offset (relative to `offset`) where [`Self::scramble`]'s words are not found.
    pub fn scrambled(&self, offset: usize, len: usize, seed: u64) -> Option<usize> {
        (0..len).step_by(8).find(|at| self.load(offset + at) != mix(seed.wrapping_add((at / 8) as u64)))
    }

    /// `madvise` on a part of the range.
    pub fn advise(&self, offset: usize, len: usize, advice: i32) -> io::Result<()> {
        // SAFETY: inside the mapping; advice that drops contents drops only what this type owns.
        check(unsafe { libc::madvise(self.pointer(offset, len).cast(), len, advice) })
    }

    /// `mprotect` on the whole range.
    pub fn protect(&self, prot: i32) -> io::Result<()> {
        // SAFETY: the whole mapping.
        check(unsafe { libc::mprotect(self.base.cast(), self.len, prot) })
    }

    /// Replaces a part by fresh anonymous memory at the same address.
    pub fn renew(&self, offset: usize, len: usize) -> io::Result<()> {
        let at = self.pointer(offset, len) as u64;
        // SAFETY: the part belongs to this mapping and nobody keeps a reference into it.
        let fresh = unsafe { Self::anonymous_at(at, len, true) }?;
        std::mem::forget(fresh);
        Ok(())
    }

    /// Unmaps now and gives the address back, so that a device may be sent there.
    pub fn unmap(self) -> u64 {
        let at = self.address();
        drop(self);
        at
    }

    /// Anonymous memory in a part of the address space where the kernel puts nothing by itself: when it is gone,
    /// nothing else takes its place by chance. No two calls in a process give the same address, and no two
    /// processes that live one after the other.
    pub fn remote(len: usize) -> io::Result<Self> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        const BASE: u64 = 1 << 44;
        const SLOT: u64 = 1 << 34;
        const SLOTS: u64 = 1 << 12;
        const STEP: u64 = 1 << 20;
        let offset = NEXT.fetch_add((len as u64).next_multiple_of(STEP) + STEP, Ordering::Relaxed) % SLOT;
        let at = BASE + u64::from(std::process::id()) % SLOTS * SLOT + offset;
        // SAFETY: without replacing, a collision is an error.
        unsafe { Self::anonymous_at(at, len, false) }
    }

    /// Moves the mapping to another address; the old range is no longer mapped.
    pub fn relocate(mut self) -> io::Result<Self> {
        let target = Self::remote(self.len)?;
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: both ranges are ours; the target's mapping is replaced.
        let moved = unsafe { libc::mremap(self.base.cast(), self.len, self.len, flags, target.base) };
        if moved == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        self.len = 0;
        Ok(target)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len != 0 {
            // SAFETY: the range is ours and nobody else's.
            unsafe { libc::munmap(self.base.cast(), self.len) };
        }
    }
}

/// SplitMix64's finalizer: a word that differs in many bits from that of any neighbour.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `-1` to the error that `errno` names.
pub fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A page's entry in `/proc/self/pagemap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageMap(pub u64);

impl PageMap {
    /// Whether the page is in memory.
    pub fn present(self) -> bool {
        self.0 >> 63 != 0
    }

    /// Whether the page is in swap.
    pub fn swapped(self) -> bool {
        (self.0 >> 62) & 1 != 0
    }

    /// Page frame number of a present page (0 without the privilege to see it).
    pub fn frame(self) -> u64 {
        if self.present() { self.0 & ((1 << 55) - 1) } else { 0 }
    }
}

/// Entries of the pages from `address` on.
pub fn page_map(address: u64, pages: usize) -> io::Result<Vec<PageMap>> {
    use std::os::unix::fs::FileExt;
    let file = File::open("/proc/self/pagemap")?;
    let mut raw = vec![0u8; pages * 8];
    file.read_exact_at(&mut raw, address / page_size() as u64 * 8)?;
    Ok(raw.chunks_exact(8).map(|e| PageMap(u64::from_le_bytes(e.try_into().unwrap_or_default()))).collect())
}

/// An anonymous file in memory of `len` bytes.
pub fn memory_file(len: usize) -> io::Result<File> {
    use std::os::fd::FromRawFd;
    // SAFETY: the name is a C string; the descriptor is new and ours.
    let file = unsafe {
        let fd = libc::memfd_create(c"sva".as_ptr(), libc::MFD_CLOEXEC);
        check(fd)?;
        File::from_raw_fd(fd)
    };
    file.set_len(len as u64)?;
    Ok(file)
}
