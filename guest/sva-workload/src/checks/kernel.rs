// SPDX-License-Identifier: GPL-2.0-or-later
//! The kernel came through it unharmed.

use sva_guest::kernel::{alarms, log, modules, taint};

use crate::ensure;
use crate::report::{CheckResult, Report};
use crate::session::Context;

/// No warning or oops in the kernel's log, no taint, no loaded module.
pub fn clean(_: &Context) -> CheckResult {
    let log = log();
    let alarms = alarms(&log);
    ensure!(alarms.is_empty(), "{} alarms in the kernel's log, the first: {}", alarms.len(), alarms[0]);
    let taint = taint();
    ensure!(taint.is_none_or(|taint| taint == 0), "the kernel is tainted: {:#x}", taint.unwrap_or(0));
    let modules = modules();
    ensure!(modules.is_empty(), "modules are loaded: {}", modules.join(" "));
    let taint = if taint.is_some() { "taint 0" } else { "taint unknown (no CONFIG_PROC_SYSCTL)" };
    Ok(Report::new(format!("{taint}, no module, no warning in {} lines of log", log.lines().count())))
}
