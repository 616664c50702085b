// SPDX-License-Identifier: GPL-2.0-or-later
//! What the running kernel says about itself.

use std::fs;
use std::time::{Duration, Instant};

use crate::process::visit_cpus;

/// Bit of the SMMUv3 driver's feature word: the SMMU has stage 1.
pub const SMMU_STAGE_1: u32 = 1 << 9;
/// The SMMU may stall a faulting access.
pub const SMMU_STALLS: u32 = 1 << 11;
/// Every master behind the SMMU is stalled, whatever the firmware says about it.
pub const SMMU_STALL_FORCE: u32 = 1 << 13;
/// The driver found everything that SVA needs.
pub const SMMU_SVA: u32 = 1 << 17;

/// A file's text without the trailing newline, `None` where it cannot be read.
pub fn text(path: &str) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// Release of the kernel, as `uname -r` says.
pub fn release() -> String {
    // SAFETY: all zeros is a valid utsname, and uname fills it with C strings.
    unsafe {
        let mut names: libc::utsname = std::mem::zeroed();
        libc::uname(&mut names);
        std::ffi::CStr::from_ptr(names.release.as_ptr()).to_string_lossy().into_owned()
    }
}

/// Architecture of the kernel, as `uname -m` says.
pub fn machine() -> &'static str {
    std::env::consts::ARCH
}

/// The kernel's log so far (as far as its buffer reaches).
pub fn log() -> String {
    const SYSLOG_ACTION_READ_ALL: libc::c_int = 3;
    let mut buffer = vec![0u8; 1 << 20];
    // SAFETY: the buffer is valid for the length given.
    let n = unsafe { libc::klogctl(SYSLOG_ACTION_READ_ALL, buffer.as_mut_ptr().cast(), 1 << 20) };
    buffer.truncate(usize::try_from(n).unwrap_or(0));
    String::from_utf8_lossy(&buffer).into_owned()
}

/// What counts as an alarm: the one list, which the host and the Avocado tests read as well.
const ALARMS: &str = include_str!("../alarms.txt");

fn entries(kind: &'static str) -> impl Iterator<Item = &'static str> {
    ALARMS.lines().filter_map(move |line| line.strip_prefix(kind))
}

/// Lines of the kernel's log that speak of a fault of the kernel itself.
pub fn alarms(log: &str) -> Vec<String> {
    log.lines().filter(|line| entries("sign: ").any(|sign| line.contains(sign))).map(str::to_owned).collect()
}

/// The heading in `docs/findings.md` of the defect that a log with alarms shows, where it is a known one.
pub fn known_defect(log: &str) -> Option<&'static str> {
    entries("known: ")
        .filter_map(|entry| entry.split_once(" | "))
        .find_map(|(text, heading)| log.contains(text).then_some(heading))
}

/// Waits until no thread of the kernel works on page faults of devices: neither an interrupt's thread, which takes them
/// out of the IOMMU's queue, nor a worker, which resolves them. False when some still do after `timeout`.
///
/// A fault that no engine waits for any more leaves no other trace that a process could see.
pub fn has_handled_faults(timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    loop {
        // An interrupt that is pending on a CPU is taken before this process runs there.
        visit_cpus();
        // In this order: a thread that is seen asleep has woken its worker before.
        if !any_thread_works(at_interrupts) && !any_thread_works(at_page_faults) {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a line of `/proc/PID/stat` is of an interrupt's thread that runs or waits for a lock.
fn at_interrupts(name: &str, state: &str) -> bool {
    name.starts_with("irq/") && state != "S"
}

/// Whether it is of a worker that has any work: one that runs, waits for a lock, or (`+`) is amid something. Page faults
/// are resolved by workers that are bound to no CPU.
fn at_page_faults(name: &str, state: &str) -> bool {
    name.starts_with("kworker/u") && (matches!(state, "R" | "D") || name.contains('+'))
}

fn any_thread_works(works: fn(&str, &str) -> bool) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    processes.flatten().filter_map(|process| text(&format!("{}/stat", process.path().display()))).any(
        |stat| {
            let Some((_, rest)) = stat.split_once('(') else { return false };
            let Some((name, rest)) = rest.rsplit_once(')') else { return false };
            works(name, rest.split_whitespace().next().unwrap_or_default())
        },
    )
}

/// `/proc/sys/kernel/tainted`: 0 for a kernel that is as it was built. `None` without CONFIG_PROC_SYSCTL.
pub fn taint() -> Option<u64> {
    text("/proc/sys/kernel/tainted").and_then(|t| t.parse().ok())
}

/// Names of the loaded modules; none where the kernel has no module support.
pub fn modules() -> Vec<String> {
    text("/proc/modules")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// Feature words that the SMMUv3 driver printed, one an SMMU.
pub fn smmu_features(log: &str) -> Vec<u32> {
    log.lines()
        .filter(|line| line.contains("arm-smmu-v3"))
        .filter_map(|line| line.split("features 0x").nth(1))
        .filter_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
            u32::from_str_radix(&digits, 16).ok()
        })
        .collect()
}

/// Value of `name=value` on the kernel's command line, or an empty string for a bare `name`.
pub fn parameter(name: &str) -> Option<String> {
    let line = text("/proc/cmdline")?;
    line.split_whitespace().find_map(|word| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        (key == name).then(|| value.to_owned())
    })
}

/// A field of `/proc/meminfo`, in KiB.
pub fn meminfo(field: &str) -> Option<u64> {
    let all = text("/proc/meminfo")?;
    let line = all.lines().find(|line| line.split(':').next() == Some(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{alarms, at_interrupts, at_page_faults, known_defect, smmu_features};

    #[test]
    fn feature_words_are_found() {
        let log = "[    0.2] arm-smmu-v3 9050000.smmuv3: option mask 0x0\n\
                   [    0.2] arm-smmu-v3 9050000.smmuv3: oas 48-bit (features 0x00028d35)\n";
        assert_eq!(smmu_features(log), [0x0002_8d35]);
    }

    #[test]
    fn threads_at_work_are_told_from_those_that_sleep() {
        assert!(at_interrupts("irq/27-dmar0-prq", "R"));
        assert!(at_interrupts("irq/27-dmar0-prq", "D"));
        assert!(!at_interrupts("irq/27-dmar0-prq", "S"));
        assert!(at_page_faults("kworker/u8:1-iopf_queue/dmar0-iopfq", "R"));
        assert!(at_page_faults("kworker/u8:1+iopf_queue/dmar0-iopfq", "S"));
        assert!(!at_page_faults("kworker/u8:1-iopf_queue/dmar0-iopfq", "I"));
        assert!(!at_page_faults("kworker/0:1+events", "R"));
    }

    #[test]
    fn warnings_are_found() {
        let log = "[  1.0] all is well\n[  2.0] WARNING: CPU: 0 PID: 1 at foo.c:3\n";
        assert_eq!(alarms(log).len(), 1);
        assert_eq!(known_defect(log), None);
        for line in
            ["refcount_t: underflow; use-after-free.", "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks"]
        {
            assert_eq!(alarms(line).len(), 1, "{line}");
        }
    }

    #[test]
    fn a_known_defect_has_a_name() {
        let log = "[  2.0] WARNING: lib/refcount.c:28 at refcount_warn_saturate+0x5/0x9\n\
                   [  2.0]  iopf_put_dev_fault_param+0x64/0x70\n";
        assert!(known_defect(log).is_some_and(|heading| heading.contains("fault queue")));
    }
}
