// SPDX-License-Identifier: GPL-2.0-or-later
//! Two network cards on one wire: every frame that one sends is what the other receives.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use sva_guest::memory::{check, mix};
use sva_guest::process::readable;

use super::ordinary::Place;
use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::{Context, PATIENCE};

/// For local experiments (IEEE 802).
const ETHERTYPE: u16 = 0x88b5;
pub(super) const HEAD: usize = 14;
/// Without the checksum that the card adds.
const SHORTEST: usize = 60;
const LONGEST: usize = 1514;
const FRAMES: u64 = 2000;
/// As many as the receiver's queue holds without loss.
const AT_ONCE: u64 = 32;

/// A card, up, with a socket that sees our frames only.
pub(super) struct Card {
    socket: OwnedFd,
    address: [u8; 6],
    pub(super) place: Place,
    pub(super) name: String,
}

pub(super) fn cards() -> Result<Vec<Card>, Stop> {
    let mut names: Vec<String> = fs::read_dir("/sys/class/net")?
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|name| Path::new(&format!("/sys/class/net/{name}/device")).exists())
        .collect();
    names.sort();
    let mut cards = Vec::new();
    for name in names {
        cards.push(Card::open(&name)?);
    }
    Ok(cards)
}

impl Card {
    fn open(name: &str) -> Result<Self, Stop> {
        let dir = format!("/sys/class/net/{name}");
        let read = |file: &str| sva_guest::kernel::text(&format!("{dir}/{file}")).unwrap_or_default();
        let mut address = [0; 6];
        for (byte, text) in address.iter_mut().zip(read("address").split(':')) {
            *byte = u8::from_str_radix(text, 16).map_err(|e| format!("{name}: its address: {e}"))?;
        }
        let index: i32 = read("ifindex").parse().map_err(|e| format!("{name}: its number: {e}"))?;
        let place = Place::of(Path::new(&format!("{dir}/device")))
            .ok_or_else(|| format!("{name} is behind no PCI function"))?;
        let open = || -> io::Result<OwnedFd> {
            let socket = raw_socket()?;
            // a socket that is bound while the card is down begins with an error
            bring_up(&socket, name)?;
            listen(&socket, index)?;
            await_link(&socket, name)?;
            give_up_sending(&socket)?;
            Ok(socket)
        };
        let socket = open().map_err(|e| format!("{name}: a packet socket: {e}"))?;
        Ok(Self { socket, address, place, name: name.to_owned() })
    }

    /// What the kernel has counted for this card.
    pub(super) fn counts(&self) -> String {
        let read = |file: &str| {
            sva_guest::kernel::text(&format!("/sys/class/net/{}/{file}", self.name))
                .unwrap_or_else(|| "?".into())
        };
        format!(
            "{}: carrier {}, {}, {} frames sent, {} dropped before that, {} received",
            self.name,
            read("carrier"),
            read("operstate"),
            read("statistics/tx_packets"),
            read("statistics/tx_dropped"),
            read("statistics/rx_packets")
        )
    }

    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: a buffer of the length given.
        let n = unsafe { libc::send(self.socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        match usize::try_from(n) {
            Ok(n) if n == frame.len() => Ok(()),
            Ok(n) => Err(io::Error::other(format!("{n} of {} bytes were sent", frame.len()))),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }

    /// The next frame that came from outside, if one comes in time.
    fn receive(&self, buffer: &mut [u8; 2048]) -> io::Result<Option<usize>> {
        self.receive_within(buffer, Duration::from_secs(5))
    }

    /// The same, and how long it may take.
    pub(super) fn receive_within(
        &self,
        buffer: &mut [u8; 2048],
        wait: Duration,
    ) -> io::Result<Option<usize>> {
        if !readable(&self.socket, wait) {
            return Ok(None);
        }
        // SAFETY: a buffer of the length given.
        let n = unsafe { libc::recv(self.socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        usize::try_from(n).map(Some).map_err(|_| io::Error::last_os_error())
    }
}

fn raw_socket() -> io::Result<OwnedFd> {
    // SAFETY: a plain system call; the descriptor is new and ours.
    unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        check(fd)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Our frames of one card, and no others.
fn listen(socket: &OwnedFd, index: i32) -> io::Result<()> {
    // SAFETY: plain bytes of the size given.
    unsafe {
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ETHERTYPE.to_be();
        address.sll_ifindex = index;
        let size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        check(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size))
    }
}

/// A card that takes no frames is an error after 10 s.
fn give_up_sending(socket: &OwnedFd) -> io::Result<()> {
    let time = libc::timeval { tv_sec: 10, tv_usec: 0 };
    let size = size_of::<libc::timeval>() as libc::socklen_t;
    // SAFETY: plain bytes of the size given.
    unsafe {
        check(libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDTIMEO,
            (&raw const time).cast(),
            size,
        ))
    }
}

fn bring_up(socket: &OwnedFd, name: &str) -> io::Result<()> {
    // SAFETY: `ifreq` is plain bytes, with the name cut to its size and ended by a zero.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request))?;
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw mut request))
    }
}

/// Waits until frames that are sent leave the card. A card that was brought up has its carrier when a worker has asked the
/// device for it, and its queue takes frames when another one has seen that; until then the kernel drops them, and says
/// nothing to the sender.
fn await_link(socket: &OwnedFd, name: &str) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while sva_guest::kernel::text(&format!("/sys/class/net/{name}/operstate")).as_deref() != Some("up") {
        if Instant::now() > deadline {
            return Err(io::Error::other(format!("no link within {} s", PATIENCE.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // The state is told first, and the queue opened then, both under the lock that this call takes as well.
    bring_up(socket, name)
}

/// A frame of a number: its length and every byte follow from it.
pub(super) fn frame(to: &Card, from: &Card, number: u64) -> Vec<u8> {
    let len = SHORTEST + (mix(number) % (LONGEST - SHORTEST + 1) as u64) as usize;
    let mut frame = Vec::with_capacity(len + 8);
    frame.extend(to.address);
    frame.extend(from.address);
    frame.extend(ETHERTYPE.to_be_bytes());
    frame.extend(number.to_be_bytes());
    let mut word = 0;
    while frame.len() < len {
        word += 1;
        frame.extend(mix(number << 16 | word).to_be_bytes());
    }
    frame.truncate(len);
    frame
}

/// Frames of all lengths, both ways; all arrive, in order, as they were sent.
pub fn frames(_: &Context) -> CheckResult {
    let cards = cards()?;
    let [left, right] = cards.as_slice() else {
        return Err(format!("{} network cards in this machine, expected 2 on one wire", cards.len()).into());
    };
    let mut buffer = [0; 2048];
    let mut sent = 0u64;
    for (from, to) in [(left, right), (right, left)] {
        for number in 0..FRAMES {
            let out = frame(to, from, number);
            from.send(&out).map_err(|e| format!("{}: sending frame {number}: {e}", from.name))?;
            sent += out.len() as u64;
            if (number + 1) % AT_ONCE != 0 && number + 1 != FRAMES {
                continue;
            }
            for expected in number / AT_ONCE * AT_ONCE..=number {
                let want = frame(to, from, expected);
                let Some(len) = to.receive(&mut buffer)? else {
                    return Err(format!(
                        "{}: frame {expected} did not arrive within 5 s; {}; {}",
                        to.name,
                        from.counts(),
                        to.counts()
                    )
                    .into());
                };
                let got = buffer.get(..len).unwrap_or_default();
                if got != want {
                    let at =
                        got.iter().zip(&want).position(|(a, b)| a != b).unwrap_or(got.len().min(want.len()));
                    return Err(format!(
                        "{}: frame {expected} of {} bytes arrived with {len} bytes and differs at {at}",
                        to.name,
                        want.len()
                    )
                    .into());
                }
            }
        }
    }
    ensure!(sent > FRAMES * 2 * (HEAD as u64), "nothing was sent");
    let report = Report::new(format!(
        "{} at {} and {}: 2 × {FRAMES} frames, {} KiB",
        left.name,
        left.place.words(),
        right.place.bdf,
        sent >> 10
    ));
    Ok(left.place.claim(report, FRAMES))
}
