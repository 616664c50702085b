// SPDX-License-Identifier: GPL-2.0-or-later
//! The demo over the configurations that users have, and over those where something is missing.

use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::boots::{demo_in, good};
use super::{Runner, Verdict, plain_machine, plain_vtd};
use crate::cli::{Faults, Firmware, MachineArgs, PageSize, Stall};
use crate::guest::{Outcome, Status};

type Change = fn(&mut MachineArgs);
type Look = fn(&Outcome, &Path) -> Result<Verdict>;

/// Every check, but for [`LONG`].
const ALL: &str = "all";
/// Checks that take half of a demo's time, and whose work is the same whatever a row changes: they run in the rows of
/// [`WHOLE`] alone, and in the demo itself.
const LONG: &str = "bind-unbind-1000,copy-sizes";
/// Rows that run [`LONG`] too: what is cached and forgotten, or in how large pages, is different there.
const WHOLE: &[&str] = &["vtd", "adversarial", "vtd-adversarial", "64k-pages", "faults-pri"];
/// One of each kind, for configurations where the rest adds nothing.
const SOME: &str = "bind-and-pasid,copy-malloc,interrupt,fault-reported,first-touch,read-only-refused,fork-cow,munmap,\
    munmap-remap,mmap-file,unmapped-address,other-pasid-refused,kill-mid-dma,many-devices,many-devices-invalidate,\
    multi-process";
/// Where nobody resolves page faults.
const TOUCHED: &str = "bind-and-pasid,copy-malloc,fill,compare,crc32c,cas,scatter-gather,interrupt,engines,fault-reported,\
    untouched-refused,read-only-refused,munmap,munmap-remap,mprotect-down-up,mremap,unmapped-address,no-pasid-refused,\
    other-pasid-refused,privileged,many-devices,many-devices-invalidate";
/// Widths of PASIDs.
const PASIDS: &str = "bind-and-pasid,copy-malloc,fault-reported,first-touch,munmap,other-pasid-refused,kill-mid-dma,\
    many-devices,multi-process";
/// Ordinary masters; `--ordinary` adds their checks.
const ORDINARY: &str = "first-touch,munmap-remap,many-devices-invalidate,dirty-tracking";
/// Ordinary masters where no process can be bound.
const ORDINARY_ALONE: &str = "ordinary-io";
/// Many page requests at once.
const REQUESTS: &str = "bind-and-pasid,first-touch,ring-in-untouched-memory,fork-cow,cancel,kill-mid-dma,\
    many-devices-invalidate,multi-process";

/// A configuration.
struct Case {
    name: &'static str,
    /// Checks to run.
    run: &'static str,
    /// What differs from the plain machine.
    change: Change,
    /// What has to come of it.
    look: Look,
}

const fn passes(name: &'static str, run: &'static str, change: Change) -> Case {
    Case { name, run, change, look: good }
}

const fn case(name: &'static str, run: &'static str, change: Change, look: Look) -> Case {
    Case { name, run, change, look }
}

const SMMUV3: &[Case] = &[
    case("stall-force", ALL, |m| m.stall = Some(Stall::Force), counted),
    passes("no-stall", TOUCHED, |m| m.stall = Some(Stall::Off)),
    passes("endpoints-may-not-stall", TOUCHED, |m| m.endpoint.push("dma-can-stall=off".into())),
    case("ordinary-masters", ORDINARY, ordinary, |o, d| ordinary_in(o, d, "strict domain, stage 1")),
    case("ordinary-masters-lazy", ORDINARY, lazy, |o, d| ordinary_in(o, d, "lazy domain, stage 1")),
    case(
        "ordinary-masters-lazy-adversarial",
        ORDINARY,
        |m| {
            lazy(m);
            m.adversarial = true;
        },
        |o, d| ordinary_in(o, d, "lazy domain, stage 1"),
    ),
    case(
        "ordinary-masters-stall-force",
        ORDINARY,
        |m| {
            ordinary(m);
            m.stall = Some(Stall::Force);
        },
        |o, d| ordinary_in(o, d, "strict domain, stage 1"),
    ),
    case(
        "ordinary-masters-pass-through",
        ORDINARY,
        |m| {
            ordinary(m);
            m.append.push("iommu.passthrough=1".into());
        },
        |o, d| ordinary_in(o, d, "identity domain"),
    ),
    case(
        "ordinary-masters-stage-2",
        ORDINARY_ALONE,
        |m| {
            ordinary(m);
            m.iommu.push("stage=2".into());
        },
        |o, d| ordinary_in(o, d, "strict domain, stage 2"),
    ),
    passes("pasid-bits-1", PASIDS, |m| m.pasid_bits = Some(1)),
    passes("pasid-bits-2", PASIDS, |m| m.pasid_bits = Some(2)),
    passes("pasid-bits-8", PASIDS, |m| m.pasid_bits = Some(8)),
    passes("pasid-bits-10", PASIDS, |m| m.pasid_bits = Some(10)),
    passes("pasid-bits-11", PASIDS, |m| m.pasid_bits = Some(11)),
    passes("pasid-bits-16", PASIDS, |m| m.pasid_bits = Some(16)),
    passes("linear-stream-table", SOME, |m| m.iommu.push("st-level=linear".into())),
    passes("two-level-stream-table", SOME, |m| m.iommu.push("st-level=2-level".into())),
    passes("linear-context-table", SOME, |m| {
        // Linux takes 64K leaves where CD tables may have two levels, and one linear table where they may not.
        m.iommu.push("cd2l=off".into());
        m.pasid_bits = Some(10);
    }),
    passes("cpu-48-bit", ALL, |m| m.cpu = "neoverse-n1".into()),
    case("acpi", ALL, |m| m.firmware = Firmware::Acpi, counted),
    passes("acpi-el2", SOME, |m| {
        m.firmware = Firmware::Acpi;
        m.el2 = true;
    }),
    passes("el2", SOME, |m| m.el2 = true),
    passes("el2-nvhe", SOME, |m| {
        m.el2 = true;
        m.append.push("kvm-arm.mode=nvhe".into());
    }),
    passes("el2-adversarial", SOME, |m| {
        m.el2 = true;
        m.adversarial = true;
    }),
    passes("no-stage-2", SOME, |m| m.iommu.push("stage=1".into())),
    passes("ats-off", SOME, |m| m.iommu.push("ats=off".into())),
    passes("ats-on", SOME, |m| m.iommu.extend(["ats=on".into(), "pri=off".into()])),
    // Linux with patches/linux: faults by page requests.
    case("faults-pri", ALL, |m| m.faults = Faults::Pri, counted),
    passes("faults-pri-adversarial", SOME, |m| {
        m.faults = Faults::Pri;
        m.adversarial = true;
    }),
    passes("faults-pri-acpi", SOME, |m| {
        m.faults = Faults::Pri;
        m.firmware = Firmware::Acpi;
    }),
    passes("faults-pri-el2", SOME, |m| {
        m.faults = Faults::Pri;
        m.el2 = true;
    }),
    passes("no-httu", ALL, |m| m.iommu.push("httu=off".into())),
    passes("no-range-invalidation", SOME, |m| m.iommu.push("ril=off".into())),
    passes("adversarial", ALL, |m| m.adversarial = true),
    passes("64k-pages", ALL, |m| m.page_size = PageSize::K64),
    passes("64k-pages-adversarial", SOME, |m| {
        m.page_size = PageSize::K64;
        m.adversarial = true;
    }),
];

const VTD: &[Case] = &[
    passes("vtd", ALL, |_| ()),
    passes("vtd-4-level-tables", ALL, |m| m.cpu = "max,la57=off".into()),
    passes("vtd-adversarial", ALL, |m| m.adversarial = true),
    passes("vtd-no-interrupt-remapping", SOME, |m| m.iommu.push("intremap=off".into())),
    // Each ability alone.
    passes("vtd-no-pri", TOUCHED, |m| m.endpoint.push("pri=off".into())),
    passes("vtd-no-page-requests", TOUCHED, |m| m.iommu.push("svm=off".into())),
    case(
        "vtd-no-ats",
        "bind-and-pasid,dirty-tracking",
        |m| {
            m.endpoint.push("ats=off".into());
            m.endpoint.push("pri=off".into());
        },
        |o, d| not_bound(o, d, "it has no ATS capability"),
    ),
    case(
        "vtd-no-device-tlb",
        "bind-and-pasid,dirty-tracking",
        |m| m.iommu.push("device-iotlb=off".into()),
        |o, d| not_bound(o, d, "its ATS is not enabled"),
    ),
    case(
        "vtd-no-pasid",
        "bind-and-pasid,dirty-tracking",
        |m| m.pasid_bits = Some(0),
        |o, d| not_bound(o, d, "has no PASID capability"),
    ),
    // The queue of page requests overflows: nothing is lost for good.
    case("vtd-page-request-overflow", REQUESTS, |m| m.iommu.push("x-prq-entries=1".into()), overflowed),
    case(
        "vtd-page-request-overflow-adversarial",
        REQUESTS,
        |m| {
            m.iommu.push("x-prq-entries=3".into());
            m.adversarial = true;
        },
        overflowed,
    ),
    passes("vtd-pasid-bits-1", PASIDS, |m| m.pasid_bits = Some(1)),
    passes("vtd-pasid-bits-2", PASIDS, |m| m.pasid_bits = Some(2)),
    passes("vtd-pasid-bits-6", PASIDS, |m| m.pasid_bits = Some(6)),
    passes("vtd-pasid-bits-7", PASIDS, |m| m.pasid_bits = Some(7)),
    passes("vtd-pasid-bits-12", PASIDS, |m| m.pasid_bits = Some(12)),
    passes("vtd-pasid-bits-16", PASIDS, |m| m.pasid_bits = Some(16)),
    // How Linux may set the unit up for masters that know nothing of PASIDs.
    case("vtd-ordinary-lazy", ORDINARY, lazy, |o, d| {
        ordinary_in(o, d, "lazy domain, scalable mode, first stage")
    }),
    case(
        "vtd-ordinary-strict",
        ORDINARY,
        |m| {
            ordinary(m);
            m.append.push("iommu.strict=1".into());
        },
        |o, d| ordinary_in(o, d, "strict domain, scalable mode, first stage"),
    ),
    case(
        "vtd-ordinary-lazy-adversarial",
        ORDINARY,
        |m| {
            lazy(m);
            m.adversarial = true;
        },
        |o, d| ordinary_in(o, d, "lazy domain, scalable mode, first stage"),
    ),
    case(
        "vtd-ordinary-legacy",
        ORDINARY_ALONE,
        |m| {
            ordinary(m);
            m.iommu.push("scalable-mode=off".into());
        },
        |o, d| ordinary_in(o, d, "lazy domain, legacy mode"),
    ),
    case(
        "vtd-ordinary-legacy-by-choice",
        ORDINARY_ALONE,
        |m| {
            ordinary(m);
            m.append.push("intel_iommu=sm_off iommu.strict=1".into());
        },
        |o, d| ordinary_in(o, d, "strict domain, legacy mode"),
    ),
    case(
        "vtd-ordinary-second-stage",
        "dirty-tracking,ordinary-io",
        |m| {
            ordinary(m);
            m.iommu.push("fsts=off".into());
        },
        |o, d| ordinary_in(o, d, "lazy domain, scalable mode, second stage"),
    ),
    case(
        "vtd-ordinary-first-stage",
        "first-touch,ordinary-io",
        |m| {
            ordinary(m);
            m.iommu.push("ssts=off".into());
        },
        |o, d| ordinary_in(o, d, "lazy domain, scalable mode, first stage"),
    ),
    case(
        "vtd-ordinary-pass-through",
        SOME,
        |m| {
            ordinary(m);
            m.append.push("iommu=pt".into());
        },
        |o, d| ordinary_in(o, d, "identity domain, scalable mode"),
    ),
    case(
        "vtd-ordinary-legacy-pass-through",
        ORDINARY_ALONE,
        |m| {
            ordinary(m);
            m.iommu.push("scalable-mode=off".into());
            m.append.push("iommu=pt".into());
        },
        |o, d| ordinary_in(o, d, "identity domain, legacy mode"),
    ),
];

/// With `--more`.
const MORE: &[Case] = &[
    passes("16k-pages", ALL, |m| m.page_size = PageSize::K16),
    passes("pasid-bits-20", ALL, |m| m.pasid_bits = Some(20)),
    passes("vtd-pass-through", ALL, |m| m.append.push("iommu=pt".into())),
    passes("vtd-pasid-bits-8", ALL, |m| m.pasid_bits = Some(8)),
];

fn ordinary(m: &mut MachineArgs) {
    m.ordinary = true;
}

fn lazy(m: &mut MachineArgs) {
    m.ordinary = true;
    m.append.push("iommu.strict=0".into());
}

/// All passed, and the ordinary masters' domains and tables were of this kind.
fn ordinary_in(outcome: &Outcome, dir: &Path, kind: &str) -> Result<Verdict> {
    let verdict = good(outcome, dir)?;
    for name in ["virtio-disk", "nvme-disk", "network", "entropy"] {
        let Some(row) = outcome.rows.iter().find(|r| r.name == name && r.status == Status::Pass) else {
            bail!("{name} did not run: {}", outcome.summary());
        };
        ensure!(
            row.detail.contains(kind),
            "{name} was to be in a {kind}, but the guest says: {}",
            row.detail
        );
    }
    Ok(verdict)
}

/// Linux has refused to bind a process, the guest says why, and nothing else has happened.
fn not_bound(outcome: &Outcome, dir: &Path, why: &str) -> Result<Verdict> {
    let Some(row) = outcome.rows.iter().find(|r| r.name == "bind-and-pasid") else {
        return good(outcome, dir);
    };
    if row.status != Status::Fail || !row.detail.contains(why) || outcome.failed().len() != 1 {
        let _ = good(outcome, dir)?;
        bail!("a process was bound, and Linux had to refuse it ({why})");
    }
    if let Some(problem) = outcome.problems.first() {
        bail!("beside the refusal: {problem}\nlogs: {}", dir.display());
    }
    Ok(Verdict::Pass(format!("refused: {}", row.detail.split("; ").find(|w| w.contains(why)).unwrap_or(why))))
}

/// All passed, and the firmware told of performance counters.
fn counted(outcome: &Outcome, dir: &Path) -> Result<Verdict> {
    let verdict = good(outcome, dir)?;
    let row = outcome.rows.iter().find(|r| r.name == "performance-counters");
    match row.filter(|row| row.status == Status::Pass) {
        Some(_) => Ok(verdict),
        None => bail!("no performance counters: {}", row.map_or("not run", |row| row.detail.as_str())),
    }
}

/// All passed, and there were page requests that found no room in the queue.
fn overflowed(outcome: &Outcome, dir: &Path) -> Result<Verdict> {
    let Verdict::Pass(words) = good(outcome, dir)? else { bail!("not passed") };
    let count = |name: &str| outcome.counters.get(name).copied().unwrap_or(0);
    let (overflows, requests) = (count("page-request-overflows"), count("page-requests"));
    ensure!(overflows > 0, "the page request queue never overflowed in {requests} requests");
    Ok(Verdict::Pass(format!("{words}; {overflows} requests found no room, {requests} did")))
}

/// The suite.
pub fn run(runner: &mut Runner) {
    let more = if runner.more { MORE } else { &[] };
    for Case { name, run, change, look } in SMMUV3.iter().chain(VTD).chain(more) {
        runner.test(&format!("matrix/{name}"), |r, dir| {
            let mut args =
                if name.starts_with("vtd") { plain_vtd(&r.source) } else { plain_machine(&r.source) };
            // A kernel image that was given has one page size and need not have page requests; others are in the cache.
            if name.contains("k-pages") || name.contains("faults-pri") {
                args.source.kernel = None;
                args.source.kdir = None;
            }
            change(&mut args);
            if *run == ALL && !WHOLE.contains(name) {
                args.append.push(format!("sva.skip={LONG}"));
            }
            look(&demo_in(&args, run, &dir, 400)?, &dir)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lists_have_no_spaces() {
        let cases: Vec<&Case> = SMMUV3.iter().chain(VTD).chain(MORE).collect();
        for whole in WHOLE {
            assert!(cases.iter().any(|case| case.name == *whole && case.run == ALL), "{whole}");
        }
        for (n, case) in cases.iter().enumerate() {
            assert!(cases.iter().skip(n + 1).all(|other| other.name != case.name), "{}", case.name);
            assert!(!case.run.contains(' '), "{}", case.run);
        }
    }
}
