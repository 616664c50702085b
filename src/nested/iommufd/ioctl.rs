// SPDX-License-Identifier: GPL-2.0-or-later
//! System calls with structures: the only `unsafe` of nested translation.
//!
//! A request's number and its argument's type belong together ([`Request`]), and addresses in arguments come from slices
//! that live through the call ([`UserPointer`]), so that what is left for callers cannot go wrong.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::uapi;

/// A request's number, and the type of its argument.
#[derive(Debug)]
pub struct Request<T> {
    number: u16,
    argument: PhantomData<fn(&mut T)>,
}

impl<T> Request<T> {
    /// `_IO(type, number)`, which has no room for more than 16 bits. The kernel is to read and to write no more than the
    /// `T`, which says its size, and what a [`UserPointer`] in it names.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self { number, argument: PhantomData }
    }
}

/// The argument of a request.
///
/// # Safety
/// `repr(C)` without padding, made of integers alone, and its first field is its size.
pub unsafe trait Argument {
    /// The first field.
    fn size(&mut self) -> &mut u32;
}

/// Plain data that an argument refers to.
///
/// # Safety
/// Made of integers alone, without padding.
pub unsafe trait Payload: Copy {}

/// An argument that refers to other data.
pub trait Referring: Argument {
    /// The address.
    fn data(&mut self) -> &mut UserPointer;
    /// Takes the number of elements and the bytes of each.
    fn count(&mut self, elements: u32, each: u32);
}

/// An address of this process that the kernel reads or writes. Only a call makes one that is not zero.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default)]
pub struct UserPointer(u64);

macro_rules! arguments {
    ($($type:ident: $size:ident),+ $(,)?) => {
        $(
            // SAFETY: repr(C), integers alone, no padding (the assertions in `uapi` place every field), the size first.
            unsafe impl Argument for uapi::$type {
                fn size(&mut self) -> &mut u32 {
                    &mut self.$size
                }
            }
        )+
    };
}
arguments!(
    Destroy: size,
    IoasAlloc: size,
    IoasMap: size,
    IoasUnmap: size,
    HwptAlloc: size,
    HwInfo: size,
    HwptInvalidate: size,
    FaultQueueAlloc: size,
    ViommuAlloc: size,
    VdeviceAlloc: size,
    VeventqAlloc: size,
    VfioRegionInfo: argsz,
    VfioBind: argsz,
    VfioAttach: argsz,
    VfioDetach: argsz,
);

macro_rules! payloads {
    ($($type:ty),+ $(,)?) => {
        $(
            // SAFETY: integers alone, no padding.
            unsafe impl Payload for $type {}
        )+
    };
}
payloads!(
    u8,
    uapi::HwptVtdS1,
    uapi::HwptArmSmmuv3,
    uapi::HwInfoVtd,
    uapi::HwInfoArmSmmuv3,
    uapi::VtdS1Invalidate,
    uapi::ArmSmmuv3Invalidate,
);

macro_rules! referring {
    ($($type:ident),+) => {
        $(
            impl Referring for uapi::$type {
                fn data(&mut self) -> &mut UserPointer {
                    &mut self.data
                }
                fn count(&mut self, elements: u32, each: u32) {
                    self.data_len = elements.saturating_mul(each);
                }
            }
        )+
    };
}
referring!(HwptAlloc, HwInfo, ViommuAlloc);

impl Referring for uapi::HwptInvalidate {
    fn data(&mut self) -> &mut UserPointer {
        &mut self.data
    }
    fn count(&mut self, elements: u32, each: u32) {
        self.entry_num = elements;
        self.entry_len = each;
    }
}

fn size_of_it<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)
}

/// One request.
///
/// # Errors
/// The kernel's.
pub fn call<T: Argument>(fd: BorrowedFd<'_>, request: &Request<T>, argument: &mut T) -> io::Result<()> {
    *argument.size() = size_of_it::<T>();
    loop {
        // SAFETY: the argument is as large as it says and may hold any integers; addresses in it are those of a slice that
        // the caller of this module borrows, or 0. What IOAS_MAP is given, the kernel checks against this process's memory.
        let result =
            unsafe { libc::ioctl(fd.as_raw_fd(), request.number.into(), std::ptr::from_mut(argument)) };
        if result >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// One request with data, which the kernel may write too.
///
/// # Errors
/// The kernel's.
pub fn call_with<T: Referring, P: Payload>(
    fd: BorrowedFd<'_>,
    request: &Request<T>,
    argument: &mut T,
    data: &mut [P],
) -> io::Result<()> {
    let elements = u32::try_from(data.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    argument.count(elements, size_of_it::<P>());
    *argument.data() = UserPointer(data.as_mut_ptr().expose_provenance() as u64);
    let result = call(fd, request, argument);
    // The slice is the caller's again.
    *argument.data() = UserPointer(0);
    result
}

/// A request without an argument.
///
/// # Errors
/// The kernel's.
pub fn call_plain(fd: BorrowedFd<'_>, number: u16) -> io::Result<()> {
    // SAFETY: the kernel looks at no argument.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), number.into(), 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes a descriptor over that the kernel has just opened for this process.
fn adopt(fd: u32) -> io::Result<OwnedFd> {
    let fd = i32::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: it is new, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A new fault queue: its id and its file.
///
/// # Errors
/// The kernel's.
pub fn fault_queue(fd: BorrowedFd<'_>) -> io::Result<(u32, OwnedFd)> {
    let mut alloc = uapi::FaultQueueAlloc::default();
    call(fd, &uapi::FAULT_QUEUE_ALLOC, &mut alloc)?;
    Ok((alloc.out_fault_id, adopt(alloc.out_fault_fd)?))
}

/// A new event queue of a vIOMMU: its id and its file.
///
/// # Errors
/// The kernel's.
pub fn event_queue(fd: BorrowedFd<'_>, viommu: u32, kind: u32, depth: u32) -> io::Result<(u32, OwnedFd)> {
    let mut alloc =
        uapi::VeventqAlloc { viommu_id: viommu, kind, veventq_depth: depth, ..uapi::VeventqAlloc::default() };
    call(fd, &uapi::VEVENTQ_ALLOC, &mut alloc)?;
    Ok((alloc.out_veventq_id, adopt(alloc.out_veventq_fd)?))
}
