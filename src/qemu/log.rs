// SPDX-License-Identifier: GPL-2.0-or-later
//! The `log` crate's records in QEMU's log.
//!
//! | record                                     | where it goes                                          |
//! |--------------------------------------------|--------------------------------------------------------|
//! | target [`GUEST_ERRORS`], any level         | `-d guest_errors`, rate-limited                        |
//! | target [`UNIMP`], any level                | `-d unimp`, rate-limited                               |
//! | `error!`, `warn!`                          | QEMU's error and warning reports                       |
//! | `info!`, `debug!`, `trace!`                | with `-d trace:…` (any pattern), unlimited             |

use core::ffi::c_uint;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::Instant;

use log::{Level, LevelFilter, Log, Metadata, Record};
use qemu_sys as sys;

/// Log target of what a guest does wrong.
pub const GUEST_ERRORS: &str = "guest_errors";
/// Log target of what a guest wants and the model lacks.
pub const UNIMP: &str = "unimp";

/// Lines a second of each rate-limited target.
const LINES_PER_SECOND: u32 = 50;

/// QEMU's `-d` bits.
fn enabled_bits() -> c_uint {
    // SAFETY: a global that QEMU writes with plain stores and reads everywhere without a lock; an aligned
    // 32-bit word, read atomically here.
    unsafe { AtomicU32::from_ptr(&raw mut sys::qemu_loglevel) }.load(Ordering::Relaxed)
}

/// Whether trace records go anywhere: one load, for hot paths that would compute what they log.
pub fn tracing() -> bool {
    enabled_bits() & sys::LOG_TRACE != 0
}

/// Reads the `-d` setting anew, so that disabled records cost one comparison. Called when the machine
/// starts or continues; records are checked against the setting itself as well.
pub fn refresh_level() {
    let bits = enabled_bits();
    log::set_max_level(if bits & sys::LOG_TRACE != 0 {
        LevelFilter::Trace
    } else if bits & (sys::LOG_GUEST_ERROR | sys::LOG_UNIMP) != 0 {
        LevelFilter::Debug
    } else {
        LevelFilter::Warn
    });
}

/// How many lines a target may still print in this second.
struct RateLimit {
    second: AtomicU64,
    lines: AtomicU32,
}

enum Verdict {
    Print,
    PrintLast,
    Drop,
}

impl RateLimit {
    const fn new() -> Self {
        Self { second: AtomicU64::new(0), lines: AtomicU32::new(0) }
    }

    /// Threads may race for the last line of a second; a line more or less does not matter.
    fn check(&self, second: u64) -> Verdict {
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.lines.store(0, Ordering::Relaxed);
        }
        match self.lines.fetch_add(1, Ordering::Relaxed).saturating_add(1) {
            n if n < LINES_PER_SECOND => Verdict::Print,
            LINES_PER_SECOND => Verdict::PrintLast,
            _ => {
                self.lines.fetch_sub(1, Ordering::Relaxed);
                Verdict::Drop
            }
        }
    }
}

struct QemuLog {
    guest_errors: RateLimit,
    unimp: RateLimit,
    start: OnceLock<Instant>,
}

static LOGGER: QemuLog =
    QemuLog { guest_errors: RateLimit::new(), unimp: RateLimit::new(), start: OnceLock::new() };

impl QemuLog {
    fn limit(&self, target: &str) -> Option<(&RateLimit, c_uint)> {
        match target {
            GUEST_ERRORS => Some((&self.guest_errors, sys::LOG_GUEST_ERROR)),
            UNIMP => Some((&self.unimp, sys::LOG_UNIMP)),
            _ => None,
        }
    }
}

impl Log for QemuLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match self.limit(metadata.target()) {
            Some((_, bit)) => enabled_bits() & bit != 0,
            None => metadata.level() <= Level::Warn || tracing(),
        }
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut note = "";
        if let Some((limit, _)) = self.limit(record.target()) {
            let second = self.start.get_or_init(Instant::now).elapsed().as_secs();
            match limit.check(second) {
                Verdict::Print => {}
                Verdict::PrintLast => note = " (more of these in this second are not shown)",
                Verdict::Drop => return,
            }
            print(&format!("{}{note}", record.args()));
            return;
        }
        let text = super::c_string(&record.args().to_string());
        match record.level() {
            // SAFETY: the format takes one C string.
            Level::Error => unsafe { sys::error_report(c"%s".as_ptr(), text.as_ptr()) },
            // SAFETY: as above.
            Level::Warn => unsafe { sys::warn_report(c"%s".as_ptr(), text.as_ptr()) },
            _ => print(&format!("{}: {}", record.target(), record.args())),
        }
    }

    fn flush(&self) {}
}

fn print(line: &str) {
    let text = super::c_string(line);
    // SAFETY: the format takes one C string.
    unsafe { sys::qemu_log(c"%s\n".as_ptr(), text.as_ptr()) };
}

/// Makes QEMU's log the one that the `log` crate writes to.
pub fn install() {
    // Fails only if a logger is there already, which is then this one: a plugin is loaded once.
    let _ = log::set_logger(&LOGGER);
    // Until the machine starts, `-d` may not have been read yet.
    log::set_max_level(LevelFilter::Trace);
}
