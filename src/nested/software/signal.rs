// SPDX-License-Identifier: GPL-2.0-or-later
//! A file descriptor that is readable while a queue has something.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::{AsFd, BorrowedFd};

/// A pipe with at most one byte in it: neither side ever waits.
#[derive(Debug)]
pub(super) struct Signal {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Signal {
    /// Not readable.
    pub fn new() -> std::io::Result<Self> {
        let (reader, writer) = pipe()?;
        Ok(Self { reader, writer })
    }

    /// Makes it readable or not; `was` is what was last made of it.
    pub fn set(&self, was: &mut bool, readable: bool) {
        if *was == readable {
            return;
        }
        let done =
            if readable { (&self.writer).write(&[1]).is_ok() } else { (&self.reader).read(&mut [0]).is_ok() };
        if done {
            *was = readable;
        }
    }

    /// To be waited for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
