// SPDX-License-Identifier: GPL-2.0-or-later
//! Stands between QEMU and a vhost-user backend, passes every message on, and judges what the backend is told of translations.
//!
//! An answer has to cover the address that the backend misses, and to lie in one region of the memory that the backend was
//! given. A range to forget has a size, and does not go round the end of all addresses. Nothing that the backend still has
//! may be told anew with another target. And when the backend has confirmed that it forgot a range, it does not write into the
//! pages that were there any more: the guest's only CPU waits for that confirmation meanwhile, so who writes is the backend.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::message::{Message, own_request, request};

/// Kinds of IOTLB messages (`linux/vhost_types.h`).
mod kind {
    pub const MISS: u64 = 1;
    pub const UPDATE: u64 = 2;
    pub const INVALIDATE: u64 = 3;
}
/// Pages are looked at after so many confirmations once.
const SAMPLE: u64 = 8;
/// So long.
const LOOK: Duration = Duration::from_micros(300);
/// So many bytes at most.
const LOOKED_AT: u64 = 1 << 17;
/// Updates in which a miss has to be answered.
const PATIENCE: u64 = 64;
/// Messages that are kept.
const TRACE: usize = 100;
/// Problems that are kept.
const PROBLEMS: usize = 5;

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Translations that the backend asked for.
    pub misses: u64,
    /// Translations that it was told.
    pub updates: u64,
    /// Ranges that it was told to forget.
    pub invalidations: u64,
    /// Of those, halves of all addresses.
    pub halves: u64,
    /// Bytes that were looked at after they were forgotten.
    pub looked_at: u64,
    /// Translations that it has at the end.
    pub left: u64,
}

/// A region of the guest's memory.
struct Region {
    size: u64,
    /// In QEMU.
    address: u64,
    offset: u64,
    file: File,
}

/// What the backend was told of an address.
#[derive(Clone, Copy)]
struct Entry {
    size: u64,
    address: u64,
}

#[derive(Default)]
struct State {
    regions: Vec<Region>,
    entries: BTreeMap<u64, Entry>,
    /// Addresses that the backend misses, and how many updates there had been when it said so.
    missing: Vec<(u64, u64)>,
    /// What the invalidation that is not confirmed yet takes away.
    forgetting: Vec<Entry>,
    counts: Counts,
    problems: Vec<String>,
    /// The last messages about translations.
    trace: VecDeque<String>,
}

/// The watch.
pub struct Watch {
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Listens at `path` for QEMU, and connects to the backend at `backend` when it comes.
    pub fn start(path: &Path, backend: &Path) -> Result<Self> {
        let listener =
            UnixListener::bind(path).with_context(|| format!("listening at {}", path.display()))?;
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, backend) = (Arc::clone(&state), backend.to_path_buf());
        let thread = std::thread::spawn(move || {
            let passed =
                listener.accept().and_then(|(qemu, _)| pass(&qemu, &UnixStream::connect(backend)?, &shared));
            if let Err(e) = passed {
                lock(&shared).problem(format!("the connection failed: {e}"));
            }
        });
        Ok(Self { state, thread: Some(thread) })
    }

    /// What has been seen, when QEMU has ended; the last messages go into `log`.
    pub fn finish(mut self, log: &Path) -> Result<Counts> {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let state = lock(&self.state);
        let lines: Vec<&str> = state.trace.iter().map(String::as_str).collect();
        std::fs::write(log, lines.join("\n") + "\n").with_context(|| format!("writing {}", log.display()))?;
        ensure!(state.problems.is_empty(), "the backend was told:\n{}", state.problems.join("\n"));
        Ok(Counts { left: state.entries.len() as u64, ..state.counts })
    }
}

/// Passes messages both ways until one side is gone.
fn pass(qemu: &UnixStream, backend: &UnixStream, state: &Arc<Mutex<State>>) -> io::Result<()> {
    std::thread::scope(|scope| {
        let answers = scope.spawn(|| {
            let passed = each(backend, |message| {
                let forgotten = std::mem::take(&mut lock(state).forgetting);
                if message.request == request::IOTLB_MSG && !forgotten.is_empty() {
                    lock(state).stays(&forgotten);
                }
                message.send(qemu)
            });
            let _ = qemu.shutdown(Shutdown::Both);
            passed
        });
        let requests = each(qemu, |mut message| {
            match message.request {
                request::SET_MEM_TABLE => lock(state).memory(&message)?,
                request::GET_VRING_BASE => lock(state).ends(),
                request::SET_BACKEND_REQ_FD if !message.descriptors.is_empty() => {
                    message.descriptors = own_requests(message.descriptors, state)?;
                }
                request::IOTLB_MSG => lock(state).told(&message),
                _ => {}
            }
            message.send(backend)
        });
        let _ = backend.shutdown(Shutdown::Both);
        requests.and(answers.join().unwrap_or_else(|_| Err(io::Error::other("the watch broke"))))
    })
}

/// The backend's own requests go by way of us. What it gets in place of QEMU's socket.
fn own_requests(descriptors: Vec<OwnedFd>, state: &Arc<Mutex<State>>) -> io::Result<Vec<OwnedFd>> {
    let (ours, theirs) = UnixStream::pair()?;
    let qemu = UnixStream::from(descriptors.into_iter().next().ok_or(io::ErrorKind::InvalidData)?);
    let (requests, answers) = ((ours.try_clone()?, qemu.try_clone()?), (qemu, ours));
    let state = Arc::clone(state);
    // They end with the sockets.
    std::thread::spawn(move || {
        let (from, to) = requests;
        let _ = each(&from, |message| {
            if message.request == own_request::IOTLB_MSG {
                lock(&state).asked(&message);
            }
            message.send(&to)
        });
        let _ = to.shutdown(Shutdown::Both);
    });
    std::thread::spawn(move || {
        let (from, to) = answers;
        let _ = each(&from, |message| message.send(&to));
        let _ = to.shutdown(Shutdown::Both);
    });
    Ok(vec![theirs.into()])
}

fn each(from: &UnixStream, mut work: impl FnMut(Message) -> io::Result<()>) -> io::Result<()> {
    loop {
        match Message::receive(from) {
            Ok(Some(message)) => work(message)?,
            Ok(None) => return Ok(()),
            // QEMU or the backend ended without reading all.
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(e) => return Err(e),
        }
    }
}

impl State {
    fn note(&mut self, text: String) {
        if self.trace.len() >= TRACE {
            self.trace.pop_front();
        }
        self.trace.push_back(text);
    }

    fn problem(&mut self, text: String) {
        self.note(format!("^ {text}"));
        if self.problems.len() < PROBLEMS {
            self.problems.push(text);
        }
    }

    /// `VHOST_USER_SET_MEM_TABLE`: number, padding, and of each region guest address, size, address in QEMU, offset.
    fn memory(&mut self, message: &Message) -> io::Result<()> {
        self.ends();
        self.regions.clear();
        for (n, descriptor) in message.descriptors.iter().enumerate() {
            let field = |number: usize| message.word(8 + 32 * n + 8 * number);
            self.regions.push(Region {
                size: field(1),
                address: field(2),
                offset: field(3),
                file: descriptor.try_clone()?.into(),
            });
        }
        Ok(())
    }

    /// A queue stops, or the memory changes: the backend begins anew.
    fn ends(&mut self) {
        self.entries.clear();
        self.missing.clear();
    }

    /// The backend misses a translation: first address, size, address in QEMU, access and kind.
    fn asked(&mut self, message: &Message) {
        if message.word(24) >> 8 & 0xff == kind::MISS {
            self.counts.misses += 1;
            self.note(format!("miss {:#x}", message.word(0)));
            self.missing.push((message.word(0), self.counts.updates));
        }
    }

    /// QEMU tells of translations.
    fn told(&mut self, message: &Message) {
        let (first, size, address) = (message.word(0), message.word(8), message.word(16));
        match message.word(24) >> 8 & 0xff {
            kind::UPDATE => {
                self.note(format!("update {first:#x} {size:#x} bytes at {address:#x}"));
                self.update(first, Entry { size, address });
            }
            kind::INVALIDATE => {
                self.note(format!("invalidate {first:#x} {size:#x} bytes"));
                self.invalidate(first, size, message.is_answered());
            }
            _ => {}
        }
    }

    fn update(&mut self, first: u64, entry: Entry) {
        self.counts.updates += 1;
        let Entry { size, address } = entry;
        let words = format!("update: {first:#x}, {size:#x} bytes, at {address:#x}");
        let within = |region: &Region| {
            address
                .checked_sub(region.address)
                .and_then(|at| at.checked_add(size))
                .is_some_and(|end| end <= region.size)
        };
        if size == 0 || !self.regions.iter().any(within) {
            self.problem(format!("{words}: in no region of memory"));
        }
        self.missing.retain(|(asked, _)| asked.checked_sub(first).is_none_or(|at| at >= size));
        let late = self.missing.iter().find(|(_, at)| self.counts.updates - at > PATIENCE).copied();
        if let Some((asked, _)) = late {
            self.problem(format!(
                "{words}: {asked:#x} is missing since {PATIENCE} updates, and none covers it"
            ));
            self.missing.retain(|(other, _)| *other != asked);
        }
        for (other, had) in self.overlapping(first, size) {
            // What the two have in common has to be at one place.
            if had.address.wrapping_sub(other) != address.wrapping_sub(first) {
                self.problem(format!(
                    "{words}: {other:#x}, {:#x} bytes, at {:#x} was never taken back",
                    had.size, had.address
                ));
            }
        }
        self.entries.insert(first, entry);
    }

    fn invalidate(&mut self, first: u64, size: u64, is_answered: bool) {
        self.counts.invalidations += 1;
        if size == 0 || first.checked_add(size - 1).is_none() {
            self.problem(format!("invalidation: {first:#x}, {size:#x} bytes"));
            return;
        }
        self.counts.halves += u64::from(size == 1 << 63);
        if !is_answered {
            self.problem(format!("invalidation: {first:#x}, {size:#x} bytes: QEMU does not wait for it"));
        }
        let gone = self.overlapping(first, size);
        for (first, _) in &gone {
            self.entries.remove(first);
        }
        let bytes: u64 = gone.iter().map(|(_, entry)| entry.size).sum();
        if self.counts.invalidations.is_multiple_of(SAMPLE) && bytes <= LOOKED_AT {
            self.forgetting = gone.into_iter().map(|(_, entry)| entry).collect();
        }
    }

    fn overlapping(&self, first: u64, size: u64) -> Vec<(u64, Entry)> {
        let last = first.saturating_add(size.saturating_sub(1));
        let ends = |(at, entry): &(&u64, &Entry)| at.saturating_add(entry.size.saturating_sub(1)) >= first;
        self.entries.range(..=last).filter(ends).map(|(at, entry)| (*at, *entry)).collect()
    }

    /// The backend says that it forgot these: what is there stays as it is.
    fn stays(&mut self, forgotten: &[Entry]) {
        let before = self.contents(forgotten);
        std::thread::sleep(LOOK);
        let after = self.contents(forgotten);
        self.counts.looked_at += before.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        for (entry, _) in forgotten.iter().zip(before.iter().zip(&after)).filter(|(_, (a, b))| a != b) {
            self.problem(format!(
                "invalidation: {:#x} bytes at {:#x} were written after the backend had confirmed it",
                entry.size, entry.address
            ));
        }
    }

    fn contents(&self, entries: &[Entry]) -> Vec<Vec<u8>> {
        let content = |entry: &Entry| -> Option<Vec<u8>> {
            let region = self
                .regions
                .iter()
                .find(|region| entry.address.wrapping_sub(region.address) < region.size)?;
            let mut bytes = vec![0; usize::try_from(entry.size).ok()?];
            let at = entry.address - region.address + region.offset;
            region.file.read_exact_at(&mut bytes, at).ok()?;
            Some(bytes)
        };
        entries.iter().map(|entry| content(entry).unwrap_or_default()).collect()
    }
}

#[cfg(test)]
mod tests;
