// SPDX-License-Identifier: GPL-2.0-or-later
//! A file descriptor that is readable while a queue has something.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// Two connected sockets with at most one byte between them. Neither side ever waits, even if somebody outside takes the
/// byte.
#[derive(Debug)]
pub(super) struct Signal {
    reader: UnixStream,
    writer: UnixStream,
}

impl Signal {
    /// Not readable.
    pub fn new() -> std::io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self { reader, writer })
    }

    /// Makes it readable or not; `was` is what was last made of it.
    pub fn set(&self, was: &mut bool, readable: bool) {
        if *was == readable {
            return;
        }
        let result = if readable { (&self.writer).write(&[1]) } else { (&self.reader).read(&mut [0]) };
        match result {
            // Taken by somebody else, it is gone as well.
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => *was = readable,
        }
    }

    /// To be waited for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits() {
        let signal = Signal::new().unwrap();
        let mut was = false;
        let taken = |signal: &Signal| (&signal.reader).read(&mut [0]).is_ok();
        signal.set(&mut was, true);
        signal.set(&mut was, true);
        assert!(taken(&signal) && !taken(&signal));
        // There is nothing left to take.
        signal.set(&mut was, false);
        assert!(!was);
        signal.set(&mut was, true);
        signal.set(&mut was, false);
        assert!(!taken(&signal));
    }
}
