// SPDX-License-Identifier: GPL-2.0-or-later
//! Messages of the vhost-user protocol, as they pass: header, payload, file descriptors.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// Requests that are looked at, from QEMU to the backend.
pub mod request {
    /// The guest's memory: regions, a descriptor each.
    pub const SET_MEM_TABLE: u32 = 5;
    /// A queue stops.
    pub const GET_VRING_BASE: u32 = 11;
    /// A socket for the backend's own requests.
    pub const SET_BACKEND_REQ_FD: u32 = 21;
    /// A translation, or the end of some.
    pub const IOTLB_MSG: u32 = 22;
}
/// From the backend to QEMU.
pub mod own_request {
    /// A translation that the backend does not have.
    pub const IOTLB_MSG: u32 = 1;
}

/// The sender waits for an answer.
const NEED_REPLY: u32 = 1 << 3;
/// As many descriptors as a message has.
const DESCRIPTORS: usize = 8;
const HEADER: usize = 12;
/// More than the largest message.
const LARGEST: usize = 1 << 16;

/// A message.
pub struct Message {
    /// What it is about.
    pub request: u32,
    flags: u32,
    /// What it says.
    pub payload: Vec<u8>,
    /// Descriptors that travel with it.
    pub descriptors: Vec<OwnedFd>,
}

impl Message {
    /// The next message; `None` when the other side is gone.
    pub fn receive(socket: &UnixStream) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        let mut descriptors = Vec::new();
        if !fill(socket, &mut header, &mut descriptors)? {
            return Ok(None);
        }
        let word = |n: usize| {
            header[4 * n..4 * n + 4].iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
        };
        let size = usize::try_from(word(2)).unwrap_or(usize::MAX);
        if size > LARGEST {
            return Err(io::Error::other(format!("a message of {size} bytes")));
        }
        let mut payload = vec![0; size];
        if !fill(socket, &mut payload, &mut descriptors)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(Self { request: word(0), flags: word(1), payload, descriptors }))
    }

    /// Passes it on.
    pub fn send(&self, socket: &UnixStream) -> io::Result<()> {
        let size = u32::try_from(self.payload.len()).map_err(io::Error::other)?;
        let mut bytes: Vec<u8> =
            [self.request, self.flags, size].iter().flat_map(|w| w.to_le_bytes()).collect();
        bytes.extend(&self.payload);
        let borrowed: Vec<_> = self.descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !borrowed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
            return Err(io::Error::other("too many descriptors"));
        }
        let mut sent = sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            sent += sendmsg(
                socket,
                &[IoSlice::new(rest)],
                &mut SendAncillaryBuffer::default(),
                SendFlags::NOSIGNAL,
            )?;
        }
        Ok(())
    }

    /// Whether an answer has to come.
    pub fn is_answered(&self) -> bool {
        self.flags & NEED_REPLY != 0
    }

    /// The 8-byte word at an offset of the payload; 0 beyond its end.
    pub fn word(&self, offset: usize) -> u64 {
        let bytes = self.payload.get(offset..).unwrap_or_default();
        bytes.iter().take(8).rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }
}

/// Reads all of `to`; `false` if the other side is gone before the first byte.
fn fill(socket: &UnixStream, to: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<bool> {
    let mut at = 0;
    while at < to.len() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let rest = to.get_mut(at..).unwrap_or_default();
        let got = match recvmsg(socket, &mut [IoSliceMut::new(rest)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(got) => got.bytes,
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(e.into()),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        match got {
            0 if at == 0 => return Ok(false),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            got => at += got,
        }
    }
    Ok(true)
}
