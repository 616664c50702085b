// SPDX-License-Identifier: GPL-2.0-or-later
//! The `log` crate's records in QEMU's log.
//!
//! | record                               | where it goes                                                |
//! |--------------------------------------|--------------------------------------------------------------|
//! | target [`GUEST_ERRORS`], any level   | `-d guest_errors`, rate-limited                              |
//! | target [`UNIMP`], any level          | `-d unimp`, rate-limited                                     |
//! | `error!`, `warn!`                    | QEMU's error and warning reports                             |
//! | `info!`, `debug!`, `trace!`          | the trace event of their module: `-d trace:qemu_iommu_*`     |
//!
//! The trace events are QEMU's: `-d trace:PATTERN`, `trace-event NAME on` in the monitor, `info trace-events`.
//! A record that nobody wants costs one comparison. The setting is looked at when the machine stops or
//! continues and at every register write, so `trace-event` takes effect at the next of these.

use core::ffi::{CStr, c_uint};
use core::ptr;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use log::{Level, LevelFilter, Log, Metadata, Record};
use once_cell::sync::OnceCell;
use qemu_sys as sys;

/// Log target of what a guest does wrong.
pub const GUEST_ERRORS: &str = "guest_errors";
/// Log target of what a guest wants and the model lacks.
pub const UNIMP: &str = "unimp";

/// Lines a second of each rate-limited target.
const LINES_PER_SECOND: u32 = 50;

/// A trace event for the records of one module.
struct Event {
    name: &'static CStr,
    /// What the records' targets begin with.
    target: &'static str,
    /// Whether it is on. QEMU writes it.
    state: AtomicU16,
}

impl Event {
    const fn new(name: &'static CStr, target: &'static str) -> Self {
        Self { name, target, state: AtomicU16::new(0) }
    }

    fn is_on(&self) -> bool {
        self.state.load(Ordering::Relaxed) != 0
    }
}

/// The last one takes what no other does.
static EVENTS: [Event; 5] = [
    Event::new(c"qemu_iommu_smmuv3", "qemu_iommu::smmuv3"),
    Event::new(c"qemu_iommu_vtd", "qemu_iommu::vtd"),
    Event::new(c"qemu_iommu_nested", "qemu_iommu::nested"),
    Event::new(c"qemu_iommu_testdev", "qemu_iommu::testdev"),
    Event::new(c"qemu_iommu_core", ""),
];

/// Makes the trace events known to QEMU. Once.
fn register_events() {
    let mut events: Vec<*mut sys::TraceEvent> = EVENTS
        .iter()
        .map(|event| {
            let raw = sys::TraceEvent {
                id: 0,
                name: event.name.as_ptr(),
                sstate: true,
                dstate: event.state.as_ptr(),
            };
            ptr::from_mut(Box::leak(Box::new(raw)))
        })
        .collect();
    events.push(ptr::null_mut());
    // SAFETY: a list of events that ends in null; list and events live until the end of the process.
    unsafe { sys::trace_event_register_group(events.leak().as_mut_ptr()) };
}

/// QEMU's `-d` bits.
fn enabled_bits() -> c_uint {
    // SAFETY: a global that QEMU writes with plain stores and reads everywhere without a lock; an aligned
    // 32-bit word, read atomically here.
    unsafe { AtomicU32::from_ptr(&raw mut sys::qemu_loglevel) }.load(Ordering::Relaxed)
}

/// Reads the settings anew, so that records that nobody wants are dropped before they are made.
pub fn refresh_level() {
    log::set_max_level(if EVENTS.iter().any(Event::is_on) {
        LevelFilter::Trace
    } else if enabled_bits() & (sys::LOG_GUEST_ERROR | sys::LOG_UNIMP) != 0 {
        LevelFilter::Debug
    } else {
        LevelFilter::Warn
    });
}

/// The trace event that a record with this target belongs to.
fn event(target: &str) -> Option<&'static Event> {
    EVENTS.iter().find(|event| target.starts_with(event.target))
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
    start: OnceCell<Instant>,
}

static LOGGER: QemuLog =
    QemuLog { guest_errors: RateLimit::new(), unimp: RateLimit::new(), start: OnceCell::new() };

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
            None => metadata.level() <= Level::Warn || event(metadata.target()).is_some_and(Event::is_on),
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
            _ => {
                let name = event(record.target()).map_or("", |event| event.name.to_str().unwrap_or(""));
                print(&format!("{name} {}", record.args()));
            }
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
    if log::set_logger(&LOGGER).is_ok() {
        register_events();
    }
    // QEMU reads `-d` after it loads plugins.
    log::set_max_level(LevelFilter::Trace);
}
