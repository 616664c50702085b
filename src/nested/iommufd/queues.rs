// SPDX-License-Identifier: GPL-2.0-or-later
//! What is read from a fault queue and from an event queue. Neither read waits: an empty queue gives nothing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use super::context::Object;
use super::uapi::{event, fault};

/// Faults that a read has room for at first.
const FAULTS: usize = 64;
/// And at most: a group comes whole or not at all, and a device's groups have fewer pages than this.
const MOST_FAULTS: usize = 1 << 16;
/// Events that a read has room for.
const EVENTS: usize = 64;

/// `struct iommu_hwpt_pgfault`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFault {
    /// Whose, as iommufd numbers devices.
    pub device: u32,
    /// In which address space.
    pub pasid: Option<u32>,
    /// Page request group index, or STAG.
    pub group: u32,
    /// [`fault::READ`] and so on.
    pub access: u32,
    /// Input address.
    pub addr: u64,
    /// The last of its group.
    pub last: bool,
    /// Of the whole group.
    pub cookie: u32,
}

/// Words of 32 bits one after the other; what is missing is 0.
fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| u32::from_ne_bytes(*word)).chain(std::iter::repeat(0))
}

/// The word of 64 bits at `offset`; 0 behind the end.
pub(crate) fn long(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |word| u64::from_ne_bytes(*word))
}

/// The word of 32 bits at `offset`; 0 behind the end.
pub(crate) fn word(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |word| u32::from_ne_bytes(*word))
}

impl PageFault {
    fn parse(bytes: &[u8; fault::SIZE]) -> Self {
        let flags = word(bytes, 0);
        Self {
            device: word(bytes, 4),
            pasid: (flags & fault::PASID_VALID != 0).then(|| word(bytes, 8)),
            group: word(bytes, 12),
            access: word(bytes, 16),
            addr: long(bytes, 24),
            last: flags & fault::LAST_PAGE != 0,
            cookie: word(bytes, 36),
        }
    }
}

/// A fault queue.
#[derive(Debug)]
pub struct FaultQueue {
    // The file first: the object cannot be destroyed as long as it is open.
    file: File,
    object: Option<Object>,
}

impl FaultQueue {
    pub(crate) fn new(fd: OwnedFd, object: Option<Object>) -> Self {
        Self { file: fd.into(), object }
    }

    /// The object's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.object.as_ref().map_or(0, Object::id)
    }

    /// Its descriptor, readable when there are faults.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Faults that are there now, whole groups, oldest group first; none if there are none. There may be more.
    ///
    /// # Errors
    /// The kernel's.
    pub fn read(&self) -> io::Result<Vec<PageFault>> {
        let mut room = FAULTS;
        loop {
            let mut buffer = vec![0u8; room.saturating_mul(fault::SIZE)];
            match (&self.file).read(&mut buffer) {
                Ok(len) => {
                    let (faults, _) = buffer.get(..len).unwrap_or_default().as_chunks::<{ fault::SIZE }>();
                    return Ok(faults.iter().map(PageFault::parse).collect());
                }
                // The first group is larger than the buffer.
                Err(e) if e.raw_os_error() == Some(libc::EINVAL) && room < MOST_FAULTS => {
                    room = room.saturating_mul(4);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Answers a group, with [`fault::SUCCESS`] or [`fault::INVALID`].
    ///
    /// # Errors
    /// The kernel's; `EINVAL`: no group with this cookie waits.
    pub fn respond(&self, cookie: u32, code: u32) -> io::Result<()> {
        let mut response = [0u8; 8];
        for (to, from) in response.iter_mut().zip(cookie.to_ne_bytes().into_iter().chain(code.to_ne_bytes()))
        {
            *to = from;
        }
        match (&self.file).write(&response)? {
            8 => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }
}

/// What an event queue has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<const SIZE: usize> {
    /// An event.
    Event([u8; SIZE]),
    /// As many were lost before the next one.
    Lost(u32),
}

/// A queue of events of `SIZE` bytes each.
#[derive(Debug)]
pub struct EventQueue<const SIZE: usize> {
    // The file first, as above.
    file: File,
    _object: Option<Object>,
    /// The number that the next event has, if none is lost.
    expected: AtomicU32,
}

impl<const SIZE: usize> EventQueue<SIZE> {
    pub(crate) fn new(fd: OwnedFd, object: Option<Object>) -> Self {
        Self { file: fd.into(), _object: object, expected: AtomicU32::new(0) }
    }

    /// Its descriptor, readable when there are events.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Events that are there now, oldest first. There may be more. For one thread at a time: numbers are compared across reads.
    ///
    /// # Errors
    /// The kernel's.
    pub fn read(&self) -> io::Result<Vec<Event<SIZE>>> {
        let mut buffer = vec![0u8; event::HEADER.saturating_add(SIZE).saturating_mul(EVENTS)];
        loop {
            match (&self.file).read(&mut buffer) {
                Ok(len) => return Ok(self.parse(buffer.get(..len).unwrap_or_default())),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn parse(&self, mut bytes: &[u8]) -> Vec<Event<SIZE>> {
        let mut found = Vec::new();
        while let Some((header, rest)) = bytes.split_first_chunk::<{ event::HEADER }>() {
            let mut header = words(header);
            let (flags, sequence) = (header.next().unwrap_or(0), header.next().unwrap_or(0));
            let following = sequence.wrapping_add(1) & event::LAST_SEQUENCE;
            let expected = self.expected.swap(following, Ordering::Relaxed);
            let before = sequence.wrapping_sub(expected) & event::LAST_SEQUENCE;
            if flags & event::LOST != 0 {
                // It has the number of the last one that was lost, and stands for that one too.
                found.push(Event::Lost(before.saturating_add(1)));
                bytes = rest;
                continue;
            }
            if before > 0 {
                found.push(Event::Lost(before));
            }
            let Some((event, rest)) = rest.split_first_chunk::<SIZE>() else { break };
            found.push(Event::Event(*event));
            bytes = rest;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that gives what was written to the other end.
    fn pair() -> (File, File) {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
        ours.set_nonblocking(true).expect("it does not wait");
        (File::from(OwnedFd::from(ours)), File::from(OwnedFd::from(theirs)))
    }

    fn header(flags: u32, sequence: u32) -> Vec<u8> {
        [flags.to_ne_bytes(), sequence.to_ne_bytes()].concat()
    }

    #[test]
    fn faults_have_their_layout() {
        let (ours, mut theirs) = pair();
        let queue = FaultQueue::new(ours.into(), None);
        let mut bytes = Vec::new();
        for word in [1u32, 7, 0x12, 3, fault::READ, 0] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(0x1234_5000u64.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend(9u32.to_ne_bytes());
        let mut second = bytes.clone();
        second[0] = 2;
        bytes.extend(second);
        theirs.write_all(&bytes).expect("room in the socket");
        let faults = queue.read().expect("two faults");
        let first = PageFault {
            device: 7,
            pasid: Some(0x12),
            group: 3,
            access: fault::READ,
            addr: 0x1234_5000,
            last: false,
            cookie: 9,
        };
        assert_eq!(faults, [first, PageFault { pasid: None, last: true, ..first }]);
    }

    #[test]
    fn a_response_has_its_layout() {
        let (ours, mut theirs) = pair();
        FaultQueue::new(ours.into(), None).respond(0x0102_0304, fault::INVALID).expect("room in the socket");
        let mut bytes = [0u8; 8];
        theirs.read_exact(&mut bytes).expect("a response");
        assert_eq!(bytes[..4], 0x0102_0304u32.to_ne_bytes());
        assert_eq!(bytes[4..], 1u32.to_ne_bytes());
    }

    #[test]
    fn gaps_in_the_sequence_are_lost_events() {
        let (ours, mut theirs) = pair();
        let queue = EventQueue::<4>::new(ours.into(), None);
        let mut bytes = Vec::new();
        for (sequence, event) in [(0u32, 10u32), (1, 11), (4, 14)] {
            bytes.extend(header(0, sequence));
            bytes.extend(event.to_ne_bytes());
        }
        // Three more were lost at the end, then there is room again.
        bytes.extend(header(event::LOST, 7));
        bytes.extend(header(0, 8));
        bytes.extend(18u32.to_ne_bytes());
        theirs.write_all(&bytes).expect("room in the socket");
        let event = |n: u32| Event::Event(n.to_ne_bytes());
        assert_eq!(
            queue.read().expect("events"),
            [event(10), event(11), Event::Lost(2), event(14), Event::Lost(3), event(18)]
        );
    }

    #[test]
    fn the_sequence_wraps_around() {
        let (ours, _theirs) = pair();
        let queue = EventQueue::<4>::new(ours.into(), None);
        queue.expected.store(event::LAST_SEQUENCE, Ordering::Relaxed);
        let mut bytes = header(0, event::LAST_SEQUENCE);
        bytes.extend(1u32.to_ne_bytes());
        bytes.extend(header(0, 1));
        bytes.extend(2u32.to_ne_bytes());
        let event = |n: u32| Event::Event(n.to_ne_bytes());
        assert_eq!(queue.parse(&bytes), [event(1), Event::Lost(1), event(2)]);
    }

    #[test]
    fn what_is_cut_off_is_no_event() {
        let (ours, _theirs) = pair();
        let queue = EventQueue::<32>::new(ours.into(), None);
        let mut bytes = header(0, 0);
        bytes.extend([0u8; 31]);
        assert_eq!(queue.parse(&bytes), []);
        assert_eq!(queue.parse(&[0; 7]), []);
    }
}
