// SPDX-License-Identifier: GPL-2.0-or-later
//! `sva-testdev` as a driver sees it: registers, rings, descriptors (`docs/sva-testdev.md`).
//!
//! Opening a function binds the calling process to it: the kernel gives the process a PASID and the device works
//! on the process's own addresses. One process a function at a time. The device is never reset here, so that the
//! counters that the host watches only grow.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::driver;
use crate::kernel;
use crate::memory::{Mapping, page_size};
use crate::pci::{self, Faults, Function};
use crate::process::{readable, visit_cpus};

/// How long the kernel may take for a page fault.
const LONGEST_FAULT: Duration = Duration::from_secs(5);

/// What ID reads.
pub const MAGIC: u32 = 0x5356_4154;

/// Device register offsets.
pub mod register {
    #![allow(missing_docs)]
    pub const ID: usize = 0x000;
    pub const VERSION: usize = 0x004;
    pub const CAPS: usize = 0x008;
    pub const INT_STATUS: usize = 0x010;
    pub const INT_MASK: usize = 0x014;
    pub const CANCEL: usize = 0x018;
    pub const REARM: usize = 0x01c;
    pub const IOVA_HALTED: usize = 0x024;
    pub const DMA_READS: usize = 0x100;
    pub const DMA_WRITES: usize = 0x108;
    pub const BYTES_WRITTEN: usize = 0x118;
    pub const STALLS: usize = 0x120;
    pub const RESUMED: usize = 0x128;
    pub const ABORTED: usize = 0x130;
    pub const CANCELLED: usize = 0x138;
    pub const ATS_REQUESTS: usize = 0x140;
    pub const PAGE_REQUESTS: usize = 0x150;
    pub const PAGE_RESPONSES: usize = 0x158;
    pub const FAULTS: usize = 0x170;
    pub const INVALIDATIONS: usize = 0x178;
    pub const ATC_HITS: usize = 0x180;
    pub const ATC_MISSES: usize = 0x188;
    pub const ATC_INVALIDATED: usize = 0x190;
    pub const INVALIDATIONS_UNANSWERED: usize = 0x198;
    pub const PAGE_RESPONSES_SUCCESS: usize = 0x1a0;
    pub const PAGE_RESPONSES_INVALID: usize = 0x1a8;
    pub const PAGE_RESPONSES_FAILURE: usize = 0x1b0;
    pub const PAGE_RESPONSES_UNEXPECTED: usize = 0x1b8;
    pub const STOP_MARKERS: usize = 0x1c0;
    pub const PAGE_GROUPS: usize = 0x1c8;
    pub const ATC_ENTRIES: usize = 0x200;
    pub const ATC_USED: usize = 0x204;
    pub const ATC_INDEX: usize = 0x208;
    pub const ATC_FLAGS: usize = 0x20c;
    pub const ATC_INPUT: usize = 0x210;
    pub const ATC_OUTPUT: usize = 0x218;
    pub const ATC_MASK: usize = 0x220;
    pub const ATC_PASID: usize = 0x228;
    pub const ATC_CTRL: usize = 0x22c;
    pub const PRI_ADDR: usize = 0x240;
    pub const PRI_PASID: usize = 0x248;
    pub const PRI_SEND: usize = 0x24c;
    pub const PRI_STATUS: usize = 0x250;
    pub const PRI_GROUP: usize = 0x254;
    pub const PRI_RESULT: usize = 0x258;
    pub const PRI_OUTSTANDING: usize = 0x25c;
    pub const PRI_PENDING: usize = 0x260;
}

/// Engine register offsets, from the engine's first.
pub mod engine {
    #![allow(missing_docs)]
    pub const CTRL: usize = 0x00;
    pub const STATUS: usize = 0x04;
    pub const RING_BASE: usize = 0x08;
    pub const RING_SIZE: usize = 0x10;
    pub const RING_PASID: usize = 0x14;
    pub const HEAD: usize = 0x18;
    pub const TAIL: usize = 0x1c;
    pub const FAULT_MODE: usize = 0x20;
    pub const FAULT_CAUSE: usize = 0x24;
    pub const FAULT_ADDR: usize = 0x28;
    pub const BURST: usize = 0x30;
    pub const RESET: usize = 0x34;
    pub const PREFETCH: usize = 0x38;
}

/// Bit 31 of CANCEL, REARM, RING_PASID: the PASID field counts.
const VALID: u32 = 1 << 31;
/// Bit 30 of CANCEL and REARM: everything.
const EVERYTHING: u32 = 1 << 30;

/// What an engine does about a page that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultMode {
    /// Wait while the IOMMU holds the access back.
    Wait = 0,
    /// Ask for a translation, request the page when there is none.
    AtsPri = 1,
    /// Fail at the first fault.
    Report = 2,
}

/// What CAPS says.
#[derive(Clone, Copy, Debug)]
pub struct Caps(pub u32);

impl Caps {
    /// Number of engines.
    pub fn engines(self) -> usize {
        (self.0 & 0xff) as usize
    }
    /// PASID width in bits.
    pub fn pasid_bits(self) -> u32 {
        (self.0 >> 8) & 0x1f
    }
    /// The EXECUTE flag works.
    pub fn execute(self) -> bool {
        self.0 & (1 << 16) != 0
    }
    /// The PRIVILEGED flag works.
    pub fn privileged(self) -> bool {
        self.0 & (1 << 17) != 0
    }
    /// Most entries of a scatter list.
    pub fn list(self) -> usize {
        ((self.0 >> 20) & 0xff) as usize
    }
}

/// What binds a process to a function.
#[derive(Debug)]
enum Transport {
    /// `uio_pci_sva`: one process a function, the kernel stops nothing.
    Uio(File),
    /// The reference driver, with the function claimed; its interrupts, and how many came so far.
    Driver(driver::Context, File, AtomicU32),
    /// VFIO: page tables of this process's making, no PASIDs.
    Assigned(File),
}

/// BAR0 of a function, whose driver's file this is.
fn map_registers(file: &File, prot: i32) -> io::Result<Mapping> {
    Mapping::of_file(file, 0x10000.max(page_size()), prot, true, 0)
}

fn register_at(registers: &Mapping, offset: usize, width: usize) -> *mut u8 {
    assert!(offset + width <= registers.len() && offset.is_multiple_of(width));
    registers.at(offset) as *mut u8
}

fn read32(registers: &Mapping, offset: usize) -> u32 {
    // SAFETY: inside BAR0, aligned.
    let value = unsafe { ptr::read_volatile(register_at(registers, offset, 4).cast::<u32>()) };
    barrier();
    u32::from_le(value)
}

/// The offset of a register of engine `n`.
fn of_engine(n: usize, offset: usize) -> usize {
    0x1000 + 0x100 * n + offset
}

/// A function that this process is bound to, until dropped.
#[derive(Debug)]
pub struct Device {
    transport: Transport,
    registers: Mapping,
    /// The function.
    pub function: Function,
    /// PASID that the kernel gave this process; 0 where requests have none.
    pub pasid: u32,
    /// Requests carry no PASID: the function is this process's by other means ([`Device::assigned`]).
    pub plain: bool,
    /// What the device can do.
    pub caps: Caps,
    failed: u64,
}

impl Device {
    /// Binds this process to `function` and leaves the device's engines as they are.
    pub fn open_untouched(function: &Function) -> Result<Self, String> {
        let (transport, pasid) = match (&function.driver, &function.uio) {
            (Some(name), _) => claim(name),
            (None, Some(name)) => bind(name, function),
            (None, None) => return Err(pci::why_no_bind(function)),
        }
        .map_err(|e| {
            format!("binding this process to {}: {e}; {}", function.bdf, pci::why_no_bind(function))
        })?;
        let file = match &transport {
            Transport::Uio(file) | Transport::Assigned(file) => file,
            Transport::Driver(context, ..) => context.file(),
        };
        let registers = map_registers(file, libc::PROT_READ | libc::PROT_WRITE)
            .map_err(|e| format!("mapping BAR0 of {}: {e}", function.bdf))?;
        Self::begin(transport, registers, function, Some(pasid))
    }

    /// A function whose registers were mapped from `file` by VFIO: its requests have no PASID, and the addresses that they
    /// have a meaning for are those that were mapped for it.
    pub fn assigned(file: File, registers: Mapping, function: &Function) -> Result<Self, String> {
        let device = Self::begin(Transport::Assigned(file), registers, function, None)?;
        device.settle();
        Ok(device)
    }

    fn begin(
        transport: Transport,
        registers: Mapping,
        function: &Function,
        pasid: Option<u32>,
    ) -> Result<Self, String> {
        let mut device = Self {
            transport,
            registers,
            function: function.clone(),
            pasid: pasid.unwrap_or(0),
            plain: pasid.is_none(),
            caps: Caps(0),
            failed: 0,
        };
        let id = device.read32(register::ID);
        if id != MAGIC {
            return Err(format!("{}: ID reads {id:#010x}, not {MAGIC:#010x}", function.bdf));
        }
        device.caps = Caps(device.read32(register::CAPS));
        device.failed = device.failures();
        Ok(device)
    }

    /// Binds this process to `function` and puts every engine to rest.
    pub fn open(function: &Function) -> Result<Self, String> {
        let device = Self::open_untouched(function)?;
        device.settle();
        Ok(device)
    }

    /// Cancels everything, resets every engine, arms every PASID.
    pub fn settle(&self) {
        self.write32(register::CANCEL, VALID | EVERYTHING);
        for n in 0..self.caps.engines() {
            self.write_engine(n, engine::CTRL, 0);
            self.write_engine(n, engine::RESET, 1);
        }
        self.write32(register::REARM, VALID | EVERYTHING);
        self.write32(register::INT_MASK, 0);
        self.write32(register::INT_STATUS, u32::MAX);
    }

    fn register(&self, offset: usize, width: usize) -> *mut u8 {
        register_at(&self.registers, offset, width)
    }

    /// Reads a 32-bit register.
    pub fn read32(&self, offset: usize) -> u32 {
        read32(&self.registers, offset)
    }

    /// Writes a 32-bit register after everything before it.
    pub fn write32(&self, offset: usize, value: u32) {
        barrier();
        // SAFETY: inside BAR0, aligned.
        unsafe { ptr::write_volatile(self.register(offset, 4).cast::<u32>(), value.to_le()) }
    }

    /// Reads a 64-bit register.
    pub fn read64(&self, offset: usize) -> u64 {
        // SAFETY: inside BAR0, aligned.
        let value = unsafe { ptr::read_volatile(self.register(offset, 8).cast::<u64>()) };
        barrier();
        u64::from_le(value)
    }

    /// Writes a 64-bit register after everything before it.
    pub fn write64(&self, offset: usize, value: u64) {
        barrier();
        // SAFETY: inside BAR0, aligned.
        unsafe { ptr::write_volatile(self.register(offset, 8).cast::<u64>(), value.to_le()) }
    }

    /// Reads a 32-bit register of engine `n`.
    pub fn read_engine(&self, n: usize, offset: usize) -> u32 {
        self.read32(of_engine(n, offset))
    }

    /// Writes a 32-bit register of engine `n`.
    pub fn write_engine(&self, n: usize, offset: usize, value: u32) {
        self.write32(of_engine(n, offset), value);
    }

    /// Lets a halted PASID work again.
    pub fn rearm(&self, pasid: u32) {
        self.write32(register::REARM, VALID | pasid);
    }

    /// Cancels what is in flight or queued for a PASID; false when it is not over after a second.
    pub fn cancel(&self, pasid: u32) -> bool {
        self.write32(register::CANCEL, VALID | pasid);
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.read32(register::CANCEL) & VALID != 0 {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }

    /// Page faults that the device has met: accesses held back, or pages requested.
    pub fn page_faults(&self) -> u64 {
        self.read64(register::STALLS) + self.read64(register::PAGE_REQUESTS)
    }

    fn failures(&self) -> u64 {
        self.read64(register::FAULTS) + self.read64(register::CANCELLED)
    }

    /// Held-back accesses that were given up.
    pub fn aborts(&self) -> u64 {
        self.read64(register::ABORTED)
    }

    /// How many accesses the function has made so far.
    pub fn moved(&self) -> u64 {
        self.read64(register::DMA_READS).wrapping_add(self.read64(register::DMA_WRITES))
    }

    /// Waits for the function's interrupt; the kernel's count of them, or `None` after `timeout`.
    pub fn interrupt(&self, timeout: Duration) -> Option<u32> {
        match &self.transport {
            Transport::Uio(file) => {
                if !readable(file, timeout) {
                    return None;
                }
                let mut count = [0u8; 4];
                let mut file = file;
                file.read_exact(&mut count).ok()?;
                Some(u32::from_ne_bytes(count))
            }
            Transport::Assigned(_) => None,
            Transport::Driver(_, event, count) => {
                if !readable(event, timeout) {
                    return None;
                }
                let mut more = [0u8; 8];
                let mut event = event;
                event.read_exact(&mut more).ok()?;
                let more = u64::from_ne_bytes(more) as u32;
                Some(count.fetch_add(more, Ordering::Relaxed).wrapping_add(more))
            }
        }
    }

    /// Descriptor of the open file, for `poll` elsewhere.
    pub fn raw_fd(&self) -> i32 {
        match &self.transport {
            Transport::Uio(file) | Transport::Assigned(file) => file.as_raw_fd(),
            Transport::Driver(context, ..) => context.file().as_raw_fd(),
        }
    }

    /// The fault mode that the machine's IOMMU can serve.
    pub fn fault_mode(&self) -> FaultMode {
        match self.function.faults {
            Faults::PageRequest if !self.plain => FaultMode::AtsPri,
            Faults::PageRequest | Faults::Stall | Faults::Fatal(_) => FaultMode::Wait,
        }
    }

    /// The address space of this process's requests: its PASID, if they have one.
    pub fn space(&self) -> Option<u32> {
        (!self.plain).then_some(self.pasid)
    }
}

impl Drop for Device {
    /// Unbinds. `uio_pci_sva` does so without stopping the device or waiting for page faults, and Linux 7.2 frees those
    /// that it is still working on (`iopf_queue_remove_device`): the device stops before its file is closed. A page fault
    /// that was cancelled leaves the kernel at work on what no engine waits for, and is waited for as well. The reference
    /// driver sees to all of it.
    fn drop(&mut self) {
        if !matches!(self.transport, Transport::Uio(_)) {
            return;
        }
        for n in 0..self.caps.engines() {
            self.write_engine(n, engine::CTRL, 0);
        }
        let deadline = Instant::now() + LONGEST_FAULT;
        while self.read32(register::PRI_OUTSTANDING) != 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.failures() != self.failed {
            kernel::has_handled_faults(LONGEST_FAULT);
        }
    }
}

/// Binds by the reference driver, and takes the function for this process alone.
fn claim(name: &str) -> std::io::Result<(Transport, u32)> {
    let context = driver::open_patiently(name)?;
    context.claim()?;
    let event = context.interrupt_event()?;
    let pasid = context.pasid;
    Ok((Transport::Driver(context, event, AtomicU32::new(0)), pasid))
}

/// Binds by `uio_pci_sva`.
fn bind(name: &str, function: &Function) -> std::io::Result<(Transport, u32)> {
    let file = open_patiently(&format!("/dev/{name}"))?;
    let pasid = kernel::text(&format!("/sys/bus/pci/devices/{}/pasid", function.bdf))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| std::io::Error::other("its pasid attribute cannot be read"))?;
    Ok((Transport::Uio(file), pasid))
}

/// A PASID is free again some time after its last owner has ended: with few PASIDs there may be none at first. The
/// driver says EINVAL whatever the reason.
fn open_patiently(path: &str) -> std::io::Result<File> {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && Instant::now() < deadline => {
                visit_cpus();
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

/// Orders memory against device registers, both ways.
fn barrier() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a barrier.
    unsafe {
        std::arch::asm!("dsb sy", options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "aarch64"))]
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

/// Operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Opcode {
    /// Nothing.
    Nop = 0,
    /// Source to destination.
    Copy = 1,
    /// An 8-byte pattern to the destination.
    Fill = 2,
    /// Source against destination.
    Compare = 3,
    /// Checksum of the source.
    Crc32c = 4,
    /// Atomic compare and swap at the destination.
    Cas = 5,
}

/// The source's reads are privileged.
pub const PRIVILEGED: u32 = 1 << 9;
/// The source's reads are instruction fetches.
pub const EXECUTE: u32 = 1 << 10;
/// Interrupt on completion.
pub const INTERRUPT: u32 = 1 << 11;
/// `src` names a scatter list.
pub const SRC_LIST: u32 = 1 << 12;
/// `dst` names a scatter list.
pub const DST_LIST: u32 = 1 << 13;

/// An operation for an engine.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// What to do.
    pub opcode: Opcode,
    /// [`PRIVILEGED`] and so on.
    pub flags: u32,
    /// PASID of source and destination: the process's own unless said otherwise; `Some(None)`: no PASID.
    pub pasid: Option<Option<u32>>,
    /// Entries of scatter lists.
    pub entries: u32,
    /// Source address.
    pub src: u64,
    /// Destination address.
    pub dst: u64,
    /// Bytes.
    pub len: u64,
    /// FILL: pattern; CAS: expected.
    pub operand0: u64,
    /// CAS: new value.
    pub operand1: u64,
}

impl Descriptor {
    const fn new(opcode: Opcode, src: u64, dst: u64, len: u64) -> Self {
        Self { opcode, flags: 0, pasid: None, entries: 0, src, dst, len, operand0: 0, operand1: 0 }
    }
    /// Does nothing and says so.
    pub const fn nop() -> Self {
        Self::new(Opcode::Nop, 0, 0, 0)
    }
    /// `len` bytes from `src` to `dst`.
    pub const fn copy(src: u64, dst: u64, len: usize) -> Self {
        Self::new(Opcode::Copy, src, dst, len as u64)
    }
    /// `len` bytes of the 8-byte `pattern` to `dst`.
    pub const fn fill(dst: u64, len: usize, pattern: u64) -> Self {
        let mut it = Self::new(Opcode::Fill, 0, dst, len as u64);
        it.operand0 = pattern;
        it
    }
    /// Compares `len` bytes.
    pub const fn compare(src: u64, dst: u64, len: usize) -> Self {
        Self::new(Opcode::Compare, src, dst, len as u64)
    }
    /// CRC-32C of `len` bytes.
    pub const fn crc32c(src: u64, len: usize) -> Self {
        Self::new(Opcode::Crc32c, src, 0, len as u64)
    }
    /// Atomic compare and swap of `len` (4 or 8) bytes.
    pub const fn cas(dst: u64, len: usize, expected: u64, new: u64) -> Self {
        let mut it = Self::new(Opcode::Cas, 0, dst, len as u64);
        it.operand0 = expected;
        it.operand1 = new;
        it
    }
    /// With flags.
    pub const fn with(mut self, flags: u32) -> Self {
        self.flags |= flags;
        self
    }
    /// With another PASID, or none.
    pub const fn in_pasid(mut self, pasid: Option<u32>) -> Self {
        self.pasid = Some(pasid);
        self
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok,
    /// COMPARE found a difference, CAS another value.
    Mismatch,
    /// An access failed.
    Fault,
    /// Cancelled.
    Cancelled,
    /// The device did not understand.
    BadDescriptor,
    /// The engine halted and wrote no completion record; cause and address are the engine's.
    Halted,
    /// A completion record with this status, which is none.
    Unknown(u32),
}

/// A completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Why, as `docs/sva-testdev.md` numbers causes.
    pub cause: u32,
    /// First address that failed.
    pub address: u64,
    /// Bytes done.
    pub bytes: u64,
    /// CRC32C: checksum; CAS: value found; COMPARE: offset of the difference.
    pub result: u64,
}

/// A function as somebody sees it who has a file of another process's that is bound to it.
#[derive(Debug)]
pub struct Onlooker(Mapping);

impl Onlooker {
    /// Maps its registers.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(file: &File) -> io::Result<Self> {
        Ok(Self(map_registers(file, libc::PROT_READ)?))
    }

    /// Whether no engine works or waits any more and every page request has its response, at last after `timeout`.
    pub fn sees_rest(&self, timeout: Duration) -> bool {
        const AT_WORK: u32 = 0b11; // running, waiting
        let deadline = Instant::now() + timeout;
        let engines = Caps(read32(&self.0, register::CAPS)).engines();
        loop {
            if (0..engines).all(|n| read32(&self.0, of_engine(n, engine::STATUS)) & AT_WORK == 0)
                && read32(&self.0, register::PRI_OUTSTANDING) == 0
            {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

const RECORD: usize = 64;
/// Of a sleep between two looks at a completion record.
const SHORTEST_SLEEP: Duration = Duration::from_micros(30);
const LONGEST_SLEEP: Duration = Duration::from_micros(500);

/// A ring of descriptors in this process's memory, and the engine that works on it.
#[derive(Debug)]
pub struct Ring<'d> {
    device: &'d Device,
    engine: usize,
    memory: Mapping,
    records: Mapping,
    base: u64,
    log2: u32,
    tail: u32,
    mode: FaultMode,
}

impl<'d> Ring<'d> {
    /// A ring of 64 descriptors for engine `n`, its memory touched.
    pub fn new(device: &'d Device, n: usize) -> Result<Self, String> {
        Self::with_size(device, n, 6)
    }

    /// A ring of 2^`log2` descriptors, at most 2^12.
    pub fn with_size(device: &'d Device, n: usize, log2: u32) -> Result<Self, String> {
        let size = 64usize << log2;
        // at addresses of its own, so that an IOMMU that forgets to forget fails the check and not its tools
        let memory = Mapping::remote(size).map_err(|e| format!("memory for a ring: {e}"))?;
        let records = Mapping::remote(RECORD << log2).map_err(|e| format!("memory for records: {e}"))?;
        memory.set(0, size, 0);
        records.set(0, RECORD << log2, 0);
        let base = memory.address();
        let ring = Self::place(device, n, log2, memory, records, base);
        ring.start();
        Ok(ring)
    }

    /// A ring in memory of the caller's choice; `base` is where the device finds `memory`. Not started.
    pub fn place(
        device: &'d Device,
        n: usize,
        log2: u32,
        memory: Mapping,
        records: Mapping,
        base: u64,
    ) -> Self {
        Self { device, engine: n, memory, records, base, log2, tail: 0, mode: device.fault_mode() }
    }

    /// Shows the ring to the engine and lets it run.
    pub fn start(&self) {
        let (d, n) = (self.device, self.engine);
        d.write_engine(n, engine::CTRL, 0);
        d.write_engine(n, engine::RESET, 1);
        d.write64(of_engine(n, engine::RING_BASE), self.base);
        d.write_engine(n, engine::RING_SIZE, self.log2);
        d.write_engine(n, engine::RING_PASID, d.space().map_or(0, |pasid| VALID | pasid));
        d.write_engine(n, engine::FAULT_MODE, self.mode as u32);
        d.write_engine(n, engine::CTRL, 1);
    }

    /// Sets what the engine does about faults.
    pub fn set_mode(&mut self, mode: FaultMode) {
        self.mode = mode;
        self.device.write_engine(self.engine, engine::FAULT_MODE, mode as u32);
    }

    /// The device.
    pub fn device(&self) -> &'d Device {
        self.device
    }

    /// Number of the engine.
    pub fn engine(&self) -> usize {
        self.engine
    }

    /// Descriptors that fit.
    pub fn capacity(&self) -> u32 {
        1 << self.log2
    }

    /// Where completion records are written.
    pub fn record_address(&self, ticket: u32) -> u64 {
        self.records.at(self.slot(ticket) * RECORD)
    }

    /// Where the device finds the ring.
    pub fn base(&self) -> u64 {
        self.base
    }

    fn slot(&self, ticket: u32) -> usize {
        (ticket & (self.capacity() - 1)) as usize
    }

    /// Writes a descriptor without telling the engine. The caller leaves no more than the ring's size unfinished.
    pub fn queue(&mut self, d: &Descriptor) -> u32 {
        let ticket = self.tail;
        let slot = self.slot(ticket);
        self.records.set(slot * RECORD, RECORD, 0);
        let pasid = d.pasid.unwrap_or(self.device.space());
        let control = d.opcode as u32 | d.flags | if pasid.is_some() { 1 << 8 } else { 0 };
        let target = pasid.unwrap_or(0) | (d.entries << 20);
        let words = [
            u64::from(control) | (u64::from(target) << 32),
            d.src,
            d.dst,
            d.len,
            d.operand0,
            d.operand1,
            self.records.at(slot * RECORD),
            u64::from(ticket),
        ];
        for (i, word) in words.into_iter().enumerate() {
            self.memory.store(slot * 64 + i * 8, word.to_le());
        }
        self.tail = self.tail.wrapping_add(1);
        ticket
    }

    /// Tells the engine how far the ring goes.
    pub fn ring_bell(&self) {
        self.device.write_engine(self.engine, engine::TAIL, self.tail);
    }

    /// Queues one descriptor and tells the engine.
    pub fn submit(&mut self, d: &Descriptor) -> u32 {
        let ticket = self.queue(d);
        self.ring_bell();
        ticket
    }

    fn record(&self, ticket: u32) -> Option<Outcome> {
        let at = self.slot(ticket) * RECORD;
        let last = u64::from_le(self.records.load(at + 0x20));
        let status = (last >> 32) as u32;
        if status == 0 {
            return None;
        }
        std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
        let word = |offset| u64::from_le(self.records.load(at + offset));
        Some(Outcome {
            status: match status {
                1 => Status::Ok,
                2 => Status::Mismatch,
                3 => Status::Fault,
                4 => Status::Cancelled,
                5 => Status::BadDescriptor,
                other => Status::Unknown(other),
            },
            cause: u64::from_le(self.records.load(at + 0x20)) as u32,
            address: word(0x08),
            bytes: word(0x10),
            result: word(0x00),
        })
    }

    fn halted(&self) -> Option<Outcome> {
        let status = self.device.read_engine(self.engine, engine::STATUS);
        (status & 4 != 0).then(|| Outcome {
            status: Status::Halted,
            cause: self.device.read_engine(self.engine, engine::FAULT_CAUSE),
            address: self.device.read64(of_engine(self.engine, engine::FAULT_ADDR)),
            bytes: 0,
            result: 0,
        })
    }

    /// The completion of a descriptor, if it is there.
    pub fn poll(&self, ticket: u32) -> Option<Outcome> {
        self.record(ticket)
    }

    /// Waits for the completion of a descriptor, or for the engine to halt. An error after `timeout`, if the function has
    /// moved nothing in its second half: on a busy host many megabytes with a fault for every page take long, and no
    /// single fault does.
    pub fn wait(&self, ticket: u32, timeout: Duration) -> Result<Outcome, String> {
        let mut begin = Instant::now();
        let mut moved = None;
        let mut turn = 0u32;
        loop {
            if let Some(outcome) = self.record(ticket) {
                return Ok(outcome);
            }
            turn += 1;
            if turn < 100 {
                std::hint::spin_loop();
                continue;
            }
            if turn.is_multiple_of(64)
                && let Some(halted) = self.halted()
            {
                // a record that was written just before the engine halted is the better answer
                return Ok(self.record(ticket).unwrap_or(halted));
            }
            if moved.is_none() && begin.elapsed() > timeout / 2 {
                moved = Some(self.device.moved());
            }
            if begin.elapsed() > timeout {
                if moved == Some(self.device.moved()) {
                    return Err(self.lament(ticket, timeout));
                }
                (begin, moved) = (Instant::now(), None);
            }
            // Each sleep is a timer and a wake-up of the machine's, which the device's own work waits behind: as fine as
            // what has passed already asks for, no finer.
            std::thread::sleep((begin.elapsed() / 16).clamp(SHORTEST_SLEEP, LONGEST_SLEEP));
        }
    }

    fn lament(&self, ticket: u32, timeout: Duration) -> String {
        let read = |offset| self.device.read_engine(self.engine, offset);
        let status = read(engine::STATUS);
        format!(
            "TIMEOUT: no completion of descriptor {ticket} within {} s: engine {} {}{}, head {} tail {}, last cause {}",
            timeout.as_secs(),
            self.engine,
            if status & 1 != 0 { "runs" } else { "stands" },
            if status & 2 != 0 { " and waits for the IOMMU" } else { "" },
            read(engine::HEAD),
            read(engine::TAIL),
            (status >> 8) & 0xff,
        )
    }

    /// One operation from begin to end, whatever the end.
    pub fn run(&mut self, d: &Descriptor, timeout: Duration) -> Result<Outcome, String> {
        let ticket = self.submit(d);
        self.wait(ticket, timeout)
    }

    /// After an abort: arms the PASID again and starts the engine on an empty ring.
    pub fn recover(&mut self) {
        self.device.write_engine(self.engine, engine::CTRL, 0);
        if let Some(pasid) = self.device.space() {
            self.device.rearm(pasid);
        }
        self.tail = 0;
        self.records.set(0, RECORD << self.log2, 0);
        self.start();
    }
}

impl Drop for Ring<'_> {
    /// Stops the engine, so that it does not look at the ring's memory when that is something else.
    fn drop(&mut self) {
        self.device.write_engine(self.engine, engine::CTRL, 0);
        self.device.write_engine(self.engine, engine::RESET, 1);
    }
}

/// A scatter list in this process's memory.
pub fn scatter_list(parts: &[(u64, usize)]) -> Result<Mapping, String> {
    let memory = Mapping::anonymous(page_size()).map_err(|e| format!("memory for a scatter list: {e}"))?;
    for (i, (address, len)) in parts.iter().enumerate() {
        memory.store(i * 16, address.to_le());
        memory.store(i * 16 + 8, (*len as u64).to_le());
    }
    Ok(memory)
}
