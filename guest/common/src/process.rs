// SPDX-License-Identifier: GPL-2.0-or-later
//! Children with a result, and deadlines.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::time::{Duration, Instant};

use crate::memory::check;

/// A child process that was given a function to run.
#[derive(Debug)]
pub struct Child {
    pid: libc::pid_t,
    result: File,
    reaped: bool,
}

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It handed back this text.
    Result(String),
    /// It was ended by a signal before it had a result.
    Signal(i32),
    /// It left with this code and no result.
    Exit(i32),
    /// It was still busy at the deadline and has been killed, with all its descendants in its process group.
    Late,
}

/// Two ends of a pipe: what is written to the second is read from the first.
pub fn pipe() -> io::Result<(File, File)> {
    let mut fds: [RawFd; 2] = [0; 2];
    // SAFETY: room for two descriptors, both new and ours.
    unsafe {
        check(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC))?;
        Ok((File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1])))
    }
}

/// Whether `file` has something to read (or has been closed at the other end) before `timeout` is over.
pub fn readable(file: &impl AsRawFd, timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut poll = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let millis = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one valid pollfd.
        match unsafe { libc::poll(&mut poll, 1, millis) } {
            0 => return false,
            n if n > 0 => return true,
            _ if left.is_zero() => return false,
            _ => {}
        }
    }
}

impl Child {
    /// Forks; the child runs `work` in a process group of its own (`group`) or in its parent's, hands its text to
    /// the parent, and ends. The caller has no other threads.
    pub fn spawn(group: bool, work: impl FnOnce() -> String) -> io::Result<Self> {
        let (result, mut give) = pipe()?;
        io::stdout().flush()?;
        // SAFETY: single-threaded here, so the child may do anything.
        let pid = unsafe { libc::fork() };
        check(pid)?;
        if pid == 0 {
            drop(result);
            // SAFETY: plain calls; the child must not outlive the one that waits for it.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                if group {
                    libc::setpgid(0, 0);
                }
            }
            let text = work();
            let told = give.write_all(text.as_bytes()).is_ok();
            // SAFETY: ends the child without running the parent's destructors.
            unsafe { libc::_exit(if told { 0 } else { 1 }) }
        }
        if group {
            // SAFETY: both sides set it, whichever comes first.
            unsafe { libc::setpgid(pid, pid) };
        }
        Ok(Self { pid, result, reaped: false })
    }

    /// Process number.
    pub fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// A second reference to a file that the child has open: the file stays open when the child is gone.
    pub fn borrow_file(&self, fd: RawFd) -> io::Result<File> {
        // SAFETY: plain system calls; the descriptors that come back are new and ours.
        unsafe {
            let pidfd = libc::syscall(libc::SYS_pidfd_open, self.pid, 0);
            check(i32::try_from(pidfd).unwrap_or(-1))?;
            let pidfd = File::from_raw_fd(i32::try_from(pidfd).unwrap_or(-1));
            let file = libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0);
            check(i32::try_from(file).unwrap_or(-1))?;
            Ok(File::from_raw_fd(i32::try_from(file).unwrap_or(-1)))
        }
    }

    /// Waits for the end, at most `timeout`.
    pub fn join(mut self, timeout: Duration) -> End {
        let deadline = Instant::now() + timeout;
        let mut text = Vec::new();
        let mut chunk = [0u8; 4096];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if !readable(&self.result, left) {
                self.kill_group();
                self.reap();
                return End::Late;
            }
            match self.result.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(n) => text.extend_from_slice(&chunk[..n]),
            }
        }
        let status = self.reap();
        if libc::WIFSIGNALED(status) {
            return End::Signal(libc::WTERMSIG(status));
        }
        match libc::WEXITSTATUS(status) {
            0 => End::Result(String::from_utf8_lossy(&text).into_owned()),
            code => End::Exit(code),
        }
    }

    /// Sends SIGKILL and waits until the process is gone, its memory and files with it.
    pub fn kill_now(&mut self) {
        // SAFETY: the child is ours and not yet reaped.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        self.reap();
    }

    fn kill_group(&self) {
        // SAFETY: the child and, where it leads a group, its group.
        unsafe {
            libc::kill(-self.pid, libc::SIGKILL);
            libc::kill(self.pid, libc::SIGKILL);
        }
    }

    fn reap(&mut self) -> i32 {
        let mut status = 0;
        // SAFETY: status is writable; retried when a signal comes in between.
        while unsafe { libc::waitpid(self.pid, &mut status, 0) } < 0
            && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
        self.reaped = true;
        status
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill_group();
            self.reap();
        }
    }
}

/// Reads one byte, waiting at most `timeout`; false at the end of the pipe or when nothing came.
pub fn await_byte(from: &mut File, timeout: Duration) -> bool {
    let mut byte = [0];
    readable(from, timeout) && from.read(&mut byte).is_ok_and(|n| n == 1)
}

/// Writes one byte.
pub fn send_byte(to: &mut File) -> io::Result<()> {
    to.write_all(&[1])
}

/// Makes this process and its children real-time processes: they leave a CPU to others only while they wait.
pub fn take_precedence() -> io::Result<()> {
    let priority: libc::c_int = 50;
    // SAFETY: a `struct sched_param` of the kernel's, which is one number; for this process. musl's function refuses.
    let done =
        unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_FIFO, &raw const priority) };
    check(i32::try_from(done).unwrap_or(-1))
}

/// Runs on every CPU once. A CPU that idles keeps the address space of the last process that ran there, and with it
/// that process's PASID, until something else runs.
pub fn visit_cpus() {
    // SAFETY: cpu_set_t is plain bits; the calls get its true size. CPUs that are not there are refused.
    unsafe {
        let size = size_of::<libc::cpu_set_t>();
        let mut before: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size, &mut before) != 0 {
            return;
        }
        for cpu in 0..usize::try_from(libc::CPU_SETSIZE).unwrap_or(0) {
            if libc::CPU_ISSET(cpu, &before) {
                let mut one: libc::cpu_set_t = std::mem::zeroed();
                libc::CPU_SET(cpu, &mut one);
                libc::sched_setaffinity(0, size, &one);
            }
        }
        libc::sched_setaffinity(0, size, &before);
    }
}
