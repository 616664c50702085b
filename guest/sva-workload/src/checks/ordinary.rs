// SPDX-License-Identifier: GPL-2.0-or-later
//! Ordinary masters, which know nothing of PASIDs: disks and an entropy source whose every byte is checked.
//!
//! The host fills the first [`HOSTS`] bytes of a disk before the machine starts, and looks at the rest when it has ended.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use sva_guest::kernel;
use sva_guest::memory::{Mapping, mix};

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::bytes;

/// What the host has written, from the beginning of a disk.
const HOSTS: usize = 4 << 20;
/// What this guest writes after it.
const OURS: usize = 12 << 20;
/// Seeds of the two parts' words.
const SEEDS: (u64, u64) = (0x6000_0000_0000, 0x7000_0000_0000);
/// Threads that read and write side by side.
const THREADS: usize = 4;
/// Sizes of requests: one page, odd numbers of sectors, several pages, as much as a request takes.
const SIZES: [usize; 6] = [4096, 512, 12288, 65536, 7 * 512, 1 << 20];

/// Where a device is and what its DMA addresses mean.
#[derive(Clone, Debug)]
pub struct Place {
    /// `0000:00:1e.0`
    pub bdf: String,
    /// `DMA`, `DMA-FQ` or `identity`; empty without an IOMMU.
    pub domain: String,
}

impl Place {
    /// The PCI function above a device in sysfs.
    pub fn of(device: &Path) -> Option<Self> {
        let whole = fs::canonicalize(device).ok()?;
        let function =
            whole.ancestors().find(|dir| dir.join("vendor").exists() && dir.join("config").exists())?;
        let kind = function.join("iommu_group/type");
        Some(Self {
            bdf: function.file_name()?.to_string_lossy().into_owned(),
            domain: kernel::text(&kind.to_string_lossy()).unwrap_or_default(),
        })
    }

    /// A claim that the IOMMU has translated so many requests, where it translates this device's.
    pub fn claim(&self, report: Report, translations: u64) -> Report {
        if self.domain.starts_with("DMA") { report.at_least("translations", translations) } else { report }
    }

    /// In words.
    pub fn words(&self) -> String {
        let domain = match self.domain.as_str() {
            "" => "no domain",
            "DMA" => "strict domain",
            "DMA-FQ" => "lazy domain",
            "identity" => "identity domain",
            other => other,
        };
        format!("{}, {domain}, {}", self.bdf, tables())
    }
}

/// What the IOMMU's driver has set up, from the registers that it shows: VT-d's mode, and which stage it prefers.
pub fn tables() -> String {
    if kernel::machine() == "aarch64" {
        // Linux takes stage 1 for its own domains where there is one.
        let stage_1 = kernel::smmu_features(&kernel::log()).iter().all(|f| f & kernel::SMMU_STAGE_1 != 0);
        return if stage_1 { "stage 1".into() } else { "stage 2".into() };
    }
    let Some(root) = kernel::text("/sys/kernel/debug/iommu/intel/iommu_regset").and_then(|all| {
        let line = all.lines().find(|line| line.trim_start().starts_with("RTADDR"))?.to_owned();
        let value = line.split_whitespace().last()?.trim_start_matches("0x").to_owned();
        u64::from_str_radix(&value, 16).ok()
    }) else {
        return "no VT-d".into();
    };
    if root >> 10 & 3 == 0 {
        return "legacy mode".into();
    }
    let ecap = kernel::text("/sys/class/iommu/dmar0/intel-iommu/ecap")
        .and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok())
        .unwrap_or(0);
    if ecap >> 47 & 1 != 0 {
        "scalable mode, first stage".into()
    } else {
        "scalable mode, second stage".into()
    }
}

/// The disk whose name in `/sys/block` begins so.
fn disk(prefix: &str) -> Result<(String, Place), Stop> {
    let mut names: Vec<String> = fs::read_dir("/sys/block")?
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    let name = names.first().ok_or_else(|| format!("no disk {prefix}* in this machine"))?;
    let place = Place::of(Path::new(&format!("/sys/block/{name}/device")))
        .ok_or_else(|| format!("{name} is behind no PCI function"))?;
    Ok((name.clone(), place))
}

/// A virtio disk.
pub fn virtio_disk(_: &crate::session::Context) -> CheckResult {
    whole_disk("vd")
}

/// An NVMe disk.
pub fn nvme_disk(_: &crate::session::Context) -> CheckResult {
    whole_disk("nvme")
}

fn whole_disk(prefix: &str) -> CheckResult {
    let (name, place) = disk(prefix)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_DIRECT)
        .open(format!("/dev/{name}"))
        .map_err(|e| format!("/dev/{name}: {e}"))?;
    // what the host wrote
    in_threads(|n| part(&file, 0, HOSTS, n, SEEDS.0, false))?;
    // and what the host will look at; then the same over again, so that every address is another's
    let mut requests = 0;
    for seed in [SEEDS.1 ^ 1, SEEDS.1] {
        requests += in_threads(|n| part(&file, HOSTS, OURS, n, seed, true))?;
        requests += in_threads(|n| part(&file, HOSTS, OURS, (n + 1) % THREADS, seed, false))?;
    }
    let report = Report::new(format!(
        "{name} at {}: {} of the host's and 2 × {} of ours by {requests} requests",
        place.words(),
        bytes(HOSTS),
        bytes(OURS)
    ));
    Ok(place.claim(report, requests))
}

/// Runs the same in several threads; the sum of their numbers.
fn in_threads(work: impl Fn(usize) -> Result<u64, String> + Sync) -> Result<u64, String> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || work(n))).collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|_| Err("a thread died".into()))).sum()
    })
}

/// Writes, or reads and compares, one thread's share, in requests of different sizes, each in another place of memory.
fn part(file: &File, from: usize, len: usize, number: usize, seed: u64, write: bool) -> Result<u64, String> {
    let share = len / THREADS;
    let begin = from + number * share;
    let buffer = Mapping::anonymous(16 << 20).map_err(|e| e.to_string())?;
    let (mut at, mut requests) = (begin, 0u64);
    while at < begin + share {
        let size = SIZES[(requests as usize + number) % SIZES.len()].min(begin + share - at);
        let place = (mix(seed ^ at as u64) as usize % ((buffer.len() - size) / 512)) * 512;
        let first = seed + (at / 8) as u64;
        if write {
            buffer.scramble(place, size, first);
            let done = buffer.view(place, size, |data| file.write_all_at(data, at as u64));
            done.map_err(|e| format!("writing {size} bytes at {at}: {e}"))?;
        } else {
            buffer.set(place, size, 0xee);
            read_at(file, &buffer, place, size, at)
                .map_err(|e| format!("reading {size} bytes at {at}: {e}"))?;
            if let Some(other) = buffer.scrambled(place, size, first) {
                return Err(format!(
                    "{size} bytes read at {at} differ at {other}: {:#x}",
                    buffer.load(place + other)
                ));
            }
        }
        at += size;
        requests += 1;
    }
    Ok(requests)
}

fn read_at(file: &File, buffer: &Mapping, place: usize, size: usize, at: usize) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;
    let mut done = 0;
    while done < size {
        let to = buffer.at(place + done) as *mut libc::c_void;
        let offset = libc::off_t::try_from(at + done).unwrap_or(libc::off_t::MAX);
        // SAFETY: the range is inside the mapping (`at` looked), and nobody else uses it.
        let n = unsafe { libc::pread(file.as_raw_fd(), to, size - done, offset) };
        match usize::try_from(n) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => done += n,
            Err(_) => return Err(std::io::Error::last_os_error()),
        }
    }
    Ok(())
}

/// Random numbers from the host: two blocks of them, both full and not the same.
pub fn entropy(_: &crate::session::Context) -> CheckResult {
    const LEN: usize = 64 << 10;
    let place = fs::read_dir("/sys/class/misc/hw_random")
        .ok()
        .and_then(|_| fs::read_dir("/sys/bus/virtio/drivers/virtio_rng").ok())
        .and_then(|dir| dir.flatten().find(|e| e.file_name().to_string_lossy().starts_with("virtio")))
        .and_then(|e| Place::of(&e.path()))
        .ok_or("no virtio-rng in this machine")?;
    let mut source = File::open("/dev/hwrng")?;
    let mut blocks = [vec![0u8; LEN], vec![0u8; LEN]];
    for block in &mut blocks {
        source.read_exact(block).map_err(|e| format!("/dev/hwrng: {e}"))?;
        let holes = block.chunks_exact(64).filter(|c| c.iter().all(|b| *b == c[0])).count();
        ensure!(holes == 0, "{holes} pieces of 64 bytes hold one value only: they were not written");
    }
    ensure!(blocks[0] != blocks[1], "the same random numbers twice");
    let report = Report::new(format!("virtio-rng at {}: 2 × {}", place.words(), bytes(LEN)));
    Ok(place.claim(report, 2))
}
