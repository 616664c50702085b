// SPDX-License-Identifier: GPL-2.0-or-later
//! Counters of the kernel's performance monitoring units that are no CPU's: what `perf stat` does.

use std::fs;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::PathBuf;

use crate::kernel;

const DEVICES: &str = "/sys/bus/event_source/devices";
/// `PERF_EVENT_IOC_ENABLE`
const ENABLE: libc::Ioctl = 0x2400;
/// `PERF_EVENT_IOC_DISABLE`
const DISABLE: libc::Ioctl = 0x2401;
/// `PERF_FORMAT_TOTAL_TIME_ENABLED` and `PERF_FORMAT_TOTAL_TIME_RUNNING`
const TIMES: u64 = 3;
/// `perf_event_attr.disabled`
const BEGINS_DISABLED: u64 = 1;

/// A performance monitoring unit.
#[derive(Clone, Debug)]
pub struct Pmu {
    /// Its name.
    pub name: String,
    dir: PathBuf,
    kind: u32,
    cpu: i32,
}

impl Pmu {
    /// Those whose names begin so.
    pub fn all(prefix: &str) -> Result<Vec<Self>, String> {
        let mut names: Vec<String> = fs::read_dir(DEVICES)
            .map_err(|e| format!("{DEVICES}: {e}"))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort();
        names.into_iter().map(Self::open).collect()
    }

    fn open(name: String) -> Result<Self, String> {
        let dir = PathBuf::from(DEVICES).join(&name);
        let number = |file: &str| {
            let text = text(&dir.join(file))?;
            // Of a list of CPUs the first one.
            text.split([',', '-'])
                .next()
                .and_then(|n| n.parse().ok())
                .ok_or(format!("{name}/{file}: {text:?}"))
        };
        let (kind, cpu) = (number("type")?, number("cpumask")?);
        Ok(Self { kind: kind as u32, cpu, name, dir })
    }

    /// Names of its events.
    pub fn events(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.join("events")).into_iter().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Counts an event of its list, with further terms of its format. It is not running yet.
    pub fn count(&self, event: &str, terms: &[(&str, u64)]) -> Result<Count, String> {
        let mut config = [0; 3];
        for term in text(&self.dir.join("events").join(event))?.split(',') {
            let (name, value) = term.split_once('=').unwrap_or((term, "1"));
            let value = u64::from_str_radix(value.trim_start_matches("0x"), 16)
                .map_err(|e| format!("{}/{event}: {term:?}: {e}", self.name))?;
            self.set(&mut config, name, value)?;
        }
        for (name, value) in terms {
            self.set(&mut config, name, *value)?;
        }
        Count::open(self, config).map_err(|e| format!("{}/{event}/: {e}", self.name))
    }

    /// Puts a value where `format` has the term.
    fn set(&self, config: &mut [u64; 3], term: &str, value: u64) -> Result<(), String> {
        let format = text(&self.dir.join("format").join(term))?;
        let place = place(&format).ok_or_else(|| format!("{}/format/{term}: {format:?}", self.name))?;
        config[place.0] |= value << place.1;
        Ok(())
    }
}

fn text(path: &std::path::Path) -> Result<String, String> {
    kernel::text(&path.display().to_string()).ok_or_else(|| format!("{} cannot be read", path.display()))
}

/// Word and lowest bit of a format: `config1:0-31`, `config:3`.
fn place(format: &str) -> Option<(usize, u32)> {
    let (word, bits) = format.split_once(':')?;
    let word = match word {
        "config" => 0,
        "config1" => 1,
        "config2" => 2,
        _ => return None,
    };
    Some((word, bits.split('-').next()?.parse().ok()?))
}

/// An event that is counted.
#[derive(Debug)]
pub struct Count(File);

impl Count {
    fn open(pmu: &Pmu, config: [u64; 3]) -> std::io::Result<Self> {
        // `perf_event_attr` as far as `config2`.
        let attr: [u64; 9] = [
            u64::from(pmu.kind) | 72 << 32,
            config[0],
            0,
            0,
            TIMES,
            BEGINS_DISABLED,
            0,
            config[1],
            config[2],
        ];
        // SAFETY: the kernel reads as many bytes as the structure says that it has.
        let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, attr.as_ptr(), -1, pmu.cpu, -1, 0) };
        if fd < 0 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: a file descriptor that is ours.
        Ok(Self(unsafe { File::from_raw_fd(fd as i32) }))
    }

    fn control(&self, request: libc::Ioctl) -> Result<(), String> {
        // SAFETY: requests without an argument.
        if unsafe { libc::ioctl(self.0.as_raw_fd(), request, 0) } < 0 {
            return Err(format!("perf: {}", std::io::Error::last_os_error()));
        }
        Ok(())
    }

    /// Counts from now on.
    pub fn start(&self) -> Result<(), String> {
        self.control(ENABLE)
    }

    /// Counts no more.
    pub fn stop(&self) -> Result<(), String> {
        self.control(DISABLE)
    }

    /// The count; an error if it had to share a counter, and so has not seen everything.
    pub fn value(&mut self) -> Result<u64, String> {
        let mut bytes = [0; 24];
        self.0.read_exact(&mut bytes).map_err(|e| format!("perf: {e}"))?;
        let word = |n: usize| u64::from_le_bytes(bytes[8 * n..][..8].try_into().unwrap_or_default());
        let (value, enabled, running) = (word(0), word(1), word(2));
        if enabled != running {
            return Err(format!("perf: counted {running} ns of {enabled}"));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn formats() {
        assert_eq!(place("config:0-15"), Some((0, 0)));
        assert_eq!(place("config1:33"), Some((1, 33)));
        assert_eq!(place("config2:8-11"), Some((2, 8)));
        assert_eq!((place("config3:0"), place("config"), place("config:x")), (None, None, None));
    }
}
