// SPDX-License-Identifier: GPL-2.0-or-later
//! The kernel came through it unharmed.

use sva_guest::driver::MODULE;
use sva_guest::kernel::{self, alarms, log, modules, taint};

use crate::ensure;
use crate::report::{CheckResult, Report};
use crate::session::Context;

/// What an out-of-tree module leaves in `/proc/sys/kernel/tainted`.
const OUT_OF_TREE: u64 = 1 << 12;

/// No warning or oops in the kernel's log, no taint, no loaded module; with the reference driver exactly that one
/// module, and the taint of one that is not of the kernel's tree.
pub fn clean(_: &Context) -> CheckResult {
    let log = log();
    let alarms = alarms(&log);
    if let Some(first) = alarms.first() {
        let known = kernel::known_defect(&log)
            .map(|heading| format!("; a known defect, docs/findings.md: {heading}"))
            .unwrap_or_default();
        return Err(format!("{} alarms in the kernel's log, the first: {first}{known}", alarms.len()).into());
    }
    let with_driver = kernel::parameter("sva.driver").is_some();
    let (expected, allowed) = if with_driver { (vec![MODULE], OUT_OF_TREE) } else { (Vec::new(), 0) };
    let taint = taint();
    ensure!(taint.is_none_or(|taint| taint == allowed), "the kernel is tainted: {:#x}", taint.unwrap_or(0));
    let modules = modules();
    ensure!(
        modules == expected,
        "modules are loaded: {}; there should be {}",
        if modules.is_empty() { "none".into() } else { modules.join(" ") },
        if with_driver { MODULE } else { "none" }
    );
    let taint = match (taint, with_driver) {
        (None, _) => "taint unknown (no CONFIG_PROC_SYSCTL)",
        (_, true) => "tainted by our module alone",
        (_, false) => "taint 0",
    };
    let loaded = if with_driver { "one module" } else { "no module" };
    Ok(Report::new(format!("{taint}, {loaded}, no warning in {} lines of log", log.lines().count())))
}
