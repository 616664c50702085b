// SPDX-License-Identifier: GPL-2.0-or-later
//! The `log` crate's records in QEMU's log.
//!
//! | record                               | where it goes                                                |
//! |--------------------------------------|--------------------------------------------------------------|
//! | target [`GUEST_ERRORS`], any level   | `-d guest_errors`, rate-limited                              |
//! | target [`UNIMP`], any level          | `-d unimp`, rate-limited                                     |
//! | target [`HOST_ERRORS`]               | QEMU's error and warning reports, rate-limited               |
//! | other `error!`, `warn!`              | QEMU's error and warning reports                             |
//! | `info!`, `debug!`, `trace!`          | the trace event of their module: `-d trace:qemu_iommu_*`     |
//!
//! The trace events are QEMU's: `-d trace:PATTERN`, `trace-event NAME on` in the monitor, `info trace-events`.
//! A record that nobody wants costs one comparison. The setting is looked at when the machine stops or
//! continues and at every register write, so `trace-event` takes effect at the next of these.

use core::ffi::{CStr, c_uint};
use core::ptr;
use core::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Instant;

use log::{Level, LevelFilter, Log, Metadata, Record};
use once_cell::sync::OnceCell;
use qemu_sys as sys;

pub use crate::iommu::log_limit::{GUEST_ERRORS, HOST_ERRORS, UNIMP};
use crate::iommu::log_limit::{RateLimit, Verdict};

/// Lines a second of what is shown to those who ask for it.
const LINES_PER_SECOND: u32 = 50;
/// Lines a minute of what is shown without being asked for: it may end in a log file that nothing rotates.
const HOST_LINES_PER_MINUTE: u32 = 10;

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

struct QemuLog {
    guest_errors: RateLimit,
    unimp: RateLimit,
    host_errors: RateLimit,
    start: OnceCell<Instant>,
}

static LOGGER: QemuLog = QemuLog {
    guest_errors: RateLimit::new(LINES_PER_SECOND, 1),
    unimp: RateLimit::new(LINES_PER_SECOND, 1),
    host_errors: RateLimit::new(HOST_LINES_PER_MINUTE, 60),
    start: OnceCell::new(),
};

impl QemuLog {
    /// What limits a target, and QEMU's `-d` bit by which its records are asked for.
    fn limit(&self, target: &str) -> Option<(&RateLimit, Option<c_uint>)> {
        match target {
            GUEST_ERRORS => Some((&self.guest_errors, Some(sys::LOG_GUEST_ERROR))),
            UNIMP => Some((&self.unimp, Some(sys::LOG_UNIMP))),
            HOST_ERRORS => Some((&self.host_errors, None)),
            _ => None,
        }
    }
}

impl Log for QemuLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match self.limit(metadata.target()) {
            Some((_, Some(bit))) => enabled_bits() & bit != 0,
            Some((_, None)) => metadata.level() <= Level::Warn,
            None => metadata.level() <= Level::Warn || event(metadata.target()).is_some_and(Event::is_on),
        }
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut line = record.args().to_string();
        if let Some((limit, bit)) = self.limit(record.target()) {
            let second = self.start.get_or_init(Instant::now).elapsed().as_secs();
            match limit.check(second) {
                Verdict::Print { dropped: 0 } => {}
                Verdict::Print { dropped } => {
                    line = format!("({dropped} lines of this kind before this one are not shown) {line}");
                }
                Verdict::PrintLast => line.push_str(" (more of these are not shown for a while)"),
                Verdict::Drop => return,
            }
            if bit.is_some() {
                print(&line);
                return;
            }
        }
        let text = super::c_string(&line);
        match record.level() {
            // SAFETY: the format takes one C string.
            Level::Error => unsafe { sys::error_report(c"%s".as_ptr(), text.as_ptr()) },
            // SAFETY: as above.
            Level::Warn => unsafe { sys::warn_report(c"%s".as_ptr(), text.as_ptr()) },
            _ => {
                let name = event(record.target()).map_or("", |event| event.name.to_str().unwrap_or(""));
                print(&format!("{name} {line}"));
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
