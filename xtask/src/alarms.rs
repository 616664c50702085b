// SPDX-License-Identifier: GPL-2.0-or-later
//! What counts as an alarm of a guest's kernel: `guest/common/alarms.txt`, which the guest's programs and the Avocado tests
//! read as well.

use std::fmt;

const LIST: &str = include_str!("../../guest/common/alarms.txt");

/// Before each alarm that init repeats from the kernel's log.
const REPEATED: &str = "init: kernel:";

fn entries(kind: &'static str) -> impl Iterator<Item = &'static str> {
    LIST.lines().filter_map(move |line| line.strip_prefix(kind))
}

/// Whether a line of the console or of the kernel's log is an alarm.
fn is_alarm(line: &str) -> bool {
    entries("sign: ").any(|sign| line.contains(sign))
}

/// The heading in `docs/findings.md` of the defect that a line shows.
fn known(line: &str) -> Option<&'static str> {
    entries("known: ")
        .filter_map(|entry| entry.split_once(" | "))
        .find_map(|(text, heading)| line.contains(text).then_some(heading))
}

/// The alarms of one console, taken in line by line.
#[derive(Debug, Default)]
pub struct Alarms {
    /// The first lines that are alarms, as the kernel printed them.
    pub lines: Vec<String>,
    /// Alarms that init has repeated from the kernel's log, which the console need not have shown.
    repeated: Vec<String>,
    heading: Option<&'static str>,
}

impl Alarms {
    /// More lines say nothing new.
    const ENOUGH: usize = 20;

    /// Takes in a line of the console.
    pub fn take(&mut self, line: &str) {
        let (list, line) = match line.split_once(REPEATED) {
            Some((_, line)) => (&mut self.repeated, line.trim_start()),
            None => (&mut self.lines, line),
        };
        if is_alarm(line) && list.len() < Self::ENOUGH {
            list.push(line.to_owned());
        }
        self.heading = self.heading.or_else(|| known(line));
    }

    /// The first alarm, if there was any.
    pub fn first(&self) -> Option<&str> {
        self.lines.first().or(self.repeated.first()).map(String::as_str)
    }

    /// The defect that the alarms show, where it is a known one.
    pub fn known(&self) -> Option<Known> {
        self.first()?;
        self.heading.map(Known)
    }
}

/// A defect of Linux that `docs/findings.md` describes, by its heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known(&'static str);

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a known defect, docs/findings.md: {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_defect_has_its_entry() {
        let findings = include_str!("../../docs/findings.md");
        assert!(entries("known: ").count() > 0);
        for entry in entries("known: ") {
            let (text, heading) = entry.split_once(" | ").unwrap();
            assert!(!text.is_empty());
            assert!(findings.lines().any(|l| l.strip_prefix("## ") == Some(heading)), "{heading}");
        }
    }

    #[test]
    fn every_line_of_the_list_is_understood() {
        for line in LIST.lines() {
            let understood = line.is_empty()
                || line.starts_with('#')
                || line.strip_prefix("sign: ").is_some_and(|sign| !sign.trim().is_empty())
                || line.strip_prefix("known: ").is_some_and(|entry| entry.contains(" | "));
            assert!(understood, "{line}");
        }
    }

    #[test]
    fn kinds_of_alarms() {
        for line in [
            "[ 1.0] WARNING: drivers/iommu/iommu.c:1 at foo+0x10/0x20, CPU#0: init/1",
            "[ 1.0] Oops: 0002 [#1] SMP",
            "[ 1.0] Internal error: Oops: 0000000096000004 [#1]  SMP",
            "[ 1.0] WARNING: possible circular locking dependency detected",
            "[ 1.0] BUG: KASAN: slab-use-after-free in iopf_group_response+0x1c/0x90",
            "[ 1.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "[ 1.0] Kernel panic - not syncing: Fatal exception",
        ] {
            assert!(is_alarm(line), "{line}");
        }
        for line in [
            "[ 1.0] arm-smmu-v3 9050000.smmuv3: ias 48-bit, oas 48-bit",
            "[ 1.0] DMAR: [DMA Read] Request device [00:03.0] fault addr 0x2000000000",
            "init: modules loaded: none; taint 0; alarms in the kernel's log: 0",
        ] {
            assert!(!is_alarm(line), "{line}");
        }
    }

    #[test]
    fn a_known_defect_is_named_only_beside_an_alarm() {
        let mut alarms = Alarms::default();
        alarms.take("[ 1.0] RIP: 0010:iopf_group_response+0x4d/0xa0");
        assert_eq!(alarms.known(), None);
        alarms.take("init: kernel: [ 0.9] Oops: general protection fault");
        assert!(alarms.lines.is_empty());
        assert_eq!(alarms.first(), Some("[ 0.9] Oops: general protection fault"));
        assert!(alarms.known().unwrap().to_string().contains("fault queue freed"));
    }
}
