// SPDX-License-Identifier: GPL-2.0-or-later
//! The reference driver's interface (`guest/driver/sva_testdev.h`): operations by system call, many processes a
//! function, and the function as a whole for one process that claims it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::{Duration, Instant};

use crate::device::{Descriptor, Outcome, Status};
use crate::memory::check;

/// Name of the module, as `/proc/modules` has it.
pub const MODULE: &str = "sva_testdev";
/// Where the initramfs has it.
pub const MODULE_FILE: &str = "/sva_testdev.ko";

const fn request(write: bool, read: bool, number: u32, size: usize) -> u32 {
    const MAGIC: u32 = 0xb5;
    ((read as u32) << 31) | ((write as u32) << 30) | ((size as u32) << 16) | (MAGIC << 8) | number
}

#[repr(C)]
#[derive(Default)]
struct Info {
    pasid: u32,
    caps: u32,
    fault_mode: u32,
    contexts: u32,
}

#[repr(C)]
#[derive(Default)]
struct Submit {
    opcode: u32,
    flags: u32,
    entries: u32,
    ticket: u32,
    src: u64,
    dst: u64,
    length: u64,
    operand0: u64,
    operand1: u64,
}

#[repr(C)]
#[derive(Default)]
struct Wait {
    ticket: u32,
    timeout_ms: u32,
    status: u32,
    cause: u32,
    result: u64,
    fault_addr: u64,
    bytes: u64,
}

#[repr(C)]
struct EventFd {
    fd: i32,
    event: u32,
}

#[repr(C)]
#[derive(Default)]
struct Kernel {
    length: u32,
    pasid: u32,
    bytes: u64,
}

const INFO: u32 = request(false, true, 0, size_of::<Info>());
const SUBMIT: u32 = request(true, true, 1, size_of::<Submit>());
const WAIT: u32 = request(true, true, 2, size_of::<Wait>());
const REARM: u32 = request(false, false, 3, 0);
const EVENTFD: u32 = request(true, false, 4, size_of::<EventFd>());
const CLAIM: u32 = request(false, false, 5, 0);
const KERNEL: u32 = request(true, true, 6, size_of::<Kernel>());

const EVENT_FAULT: u32 = 0;
const EVENT_INTERRUPT: u32 = 1;

/// Who resolves page faults, as the driver sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// The IOMMU holds accesses back.
    Stall,
    /// Page requests.
    PageRequests,
    /// The driver.
    Driver,
}

/// A page fault that came to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Address.
    pub address: u64,
    /// Whether the operation went on.
    pub resolved: bool,
    /// Faults before this one that were not kept.
    pub lost: u32,
}

/// This process, bound to a function.
#[derive(Debug)]
pub struct Context {
    file: File,
    /// Its PASID.
    pub pasid: u32,
    /// The CAPS register.
    pub caps: u32,
    /// Who resolves page faults.
    pub resolver: Resolver,
}

impl Context {
    /// Opens `/dev/NAME`.
    pub fn open(name: &str) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(format!("/dev/{name}"))?;
        let mut info = Info::default();
        control(&file, INFO, &mut info)?;
        let resolver = match info.fault_mode {
            0 => Resolver::Stall,
            1 => Resolver::PageRequests,
            _ => Resolver::Driver,
        };
        Ok(Self { file, pasid: info.pasid, caps: info.caps, resolver })
    }

    /// Processes that have the function open.
    pub fn contexts(&self) -> io::Result<u32> {
        let mut info = Info::default();
        control(&self.file, INFO, &mut info)?;
        Ok(info.contexts)
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Takes the function for this process alone: BAR0 can be mapped then.
    pub fn claim(&self) -> io::Result<()> {
        control(&self.file, CLAIM, &mut ())
    }

    /// Hands an operation to the driver.
    pub fn submit(&self, d: &Descriptor) -> io::Result<u32> {
        let mut arg = Submit {
            opcode: d.opcode as u32,
            flags: d.flags,
            entries: d.entries,
            ticket: 0,
            src: d.src,
            dst: d.dst,
            length: d.len,
            operand0: d.operand0,
            operand1: d.operand1,
        };
        control(&self.file, SUBMIT, &mut arg)?;
        Ok(arg.ticket)
    }

    /// Waits for its end.
    pub fn wait(&self, ticket: u32, timeout: Duration) -> io::Result<Outcome> {
        let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        let mut arg = Wait { ticket, timeout_ms: millis, ..Wait::default() };
        control(&self.file, WAIT, &mut arg)?;
        Ok(Outcome {
            status: match arg.status {
                1 => Status::Ok,
                2 => Status::Mismatch,
                3 => Status::Fault,
                4 => Status::Cancelled,
                5 => Status::BadDescriptor,
                other => Status::Unknown(other),
            },
            cause: arg.cause,
            address: arg.fault_addr,
            bytes: arg.bytes,
            result: arg.result,
        })
    }

    /// One operation from begin to end.
    pub fn run(&self, d: &Descriptor, timeout: Duration) -> io::Result<Outcome> {
        let ticket = self.submit(d)?;
        self.wait(ticket, timeout)
    }

    /// Lets this process's PASID work again after an abort.
    pub fn rearm(&self) -> io::Result<()> {
        control(&self.file, REARM, &mut ())
    }

    /// A file that becomes readable when a fault can be read.
    pub fn fault_event(&self) -> io::Result<File> {
        self.event(EVENT_FAULT)
    }

    /// A file that becomes readable with each interrupt of a claimed function.
    pub fn interrupt_event(&self) -> io::Result<File> {
        self.event(EVENT_INTERRUPT)
    }

    fn event(&self, event: u32) -> io::Result<File> {
        // SAFETY: a new descriptor, ours.
        let file = unsafe {
            let fd = libc::eventfd(0, libc::EFD_CLOEXEC);
            check(fd)?;
            File::from_raw_fd(fd)
        };
        control(&self.file, EVENTFD, &mut EventFd { fd: file.as_raw_fd(), event })?;
        Ok(file)
    }

    /// The next fault that came to the driver; waits for one.
    pub fn fault(&self) -> io::Result<Fault> {
        let mut bytes = [0u8; 24];
        (&self.file).read_exact(&mut bytes)?;
        let word = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Ok(Fault {
            address: u64::from(word(0)) | (u64::from(word(4)) << 32),
            resolved: word(16) & 2 != 0,
            lost: word(20),
        })
    }

    /// Has the kernel copy `length` bytes of its own with its own PASID: that PASID, and the bytes.
    pub fn kernel_copy(&self, length: u32) -> io::Result<(u32, u64)> {
        let mut arg = Kernel { length, ..Kernel::default() };
        control(&self.file, KERNEL, &mut arg)?;
        Ok((arg.pasid, arg.bytes))
    }
}

fn control<T>(file: &File, request: u32, argument: &mut T) -> io::Result<()> {
    // C libraries disagree about the width of a request; what counts are its 32 bits.
    #[allow(clippy::cast_lossless, clippy::cast_possible_wrap)]
    let request = request as libc::Ioctl;
    // SAFETY: the request's number has the size of its structure.
    check(unsafe { libc::ioctl(file.as_raw_fd(), request, std::ptr::from_mut(argument)) })
}

/// Opens while the last owner's file is still being closed.
pub fn open_patiently(name: &str) -> io::Result<Context> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match Context::open(name) {
            Err(e)
                if matches!(e.raw_os_error(), Some(libc::EBUSY | libc::ENOSPC))
                    && Instant::now() < deadline =>
            {
                crate::process::visit_cpus();
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

/// Loads the module. The functions that nobody drives are its own then.
pub fn load(parameters: &str) -> Result<(), String> {
    let module = File::open(MODULE_FILE).map_err(|e| format!("{MODULE_FILE}: {e}"))?;
    let parameters =
        std::ffi::CString::new(parameters).map_err(|_| "module parameters with a zero byte".to_owned())?;
    // SAFETY: an open file and a C string.
    let code = unsafe { libc::syscall(libc::SYS_finit_module, module.as_raw_fd(), parameters.as_ptr(), 0) };
    if code == 0 { Ok(()) } else { Err(format!("loading {MODULE_FILE}: {}", io::Error::last_os_error())) }
}

#[cfg(test)]
mod tests {
    use super::{CLAIM, EVENTFD, INFO, KERNEL, SUBMIT, WAIT};

    /// As the C compiler makes them of `sva_testdev.h`.
    #[test]
    fn request_numbers() {
        assert_eq!(INFO, 0x8010_b500);
        assert_eq!(SUBMIT, 0xc038_b501);
        assert_eq!(WAIT, 0xc028_b502);
        assert_eq!(EVENTFD, 0x4008_b504);
        assert_eq!(CLAIM, 0x0000_b505);
        assert_eq!(KERNEL, 0xc010_b506);
    }
}
