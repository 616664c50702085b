// SPDX-License-Identifier: GPL-2.0-or-later
//! Frames by way of DPDK: a guest sends them, testpmd reads them out of its memory and writes them back into it.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::testpmd::Testpmd;
use super::watch::Watch;
use crate::cli::{MachineArgs, Model};
use crate::guest::Status;
use crate::place::SocketDir;
use crate::setup::packages::{self, Need};
use crate::tests::boots::{demo_in, good};
use crate::tests::{Runner, Verdict, plain_machine, plain_vtd};

/// Frames of the guest's check `echo`.
const FRAMES: u64 = 20_000;
/// What they may take, in seconds.
const SECONDS: f32 = 30.0;
/// Half of what DPDK keeps, and more than a queue of buffers to receive in, rings and frames under way.
const KEPT: u64 = 1024;

/// How Linux uses the IOMMU.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A translation ends before its buffer is anything else's.
    Strict,
    /// Many end together, a little later.
    Lazy,
    /// Nothing is translated.
    PassThrough,
}

impl Mode {
    fn words(self, model: Model) -> &'static str {
        match (self, model) {
            (Self::Strict, _) => "iommu.strict=1",
            (Self::Lazy, _) => "iommu.strict=0",
            (Self::PassThrough, Model::Smmuv3) => "iommu.passthrough=1",
            (Self::PassThrough, Model::Vtd) => "iommu=pt",
        }
    }

    fn domain(self) -> &'static str {
        match self {
            Self::Strict => "strict domain",
            Self::Lazy => "lazy domain",
            Self::PassThrough => "identity domain",
        }
    }
}

type Row = (&'static str, Model, Mode, bool);

/// Name, IOMMU, mode, and whether the card has ATS: then QEMU listens to what devices with ATS are told.
const ROWS: &[Row] = &[
    ("vhost/testpmd-smmuv3-strict", Model::Smmuv3, Mode::Strict, false),
    ("vhost/testpmd-smmuv3-lazy", Model::Smmuv3, Mode::Lazy, false),
    ("vhost/testpmd-smmuv3-pass-through", Model::Smmuv3, Mode::PassThrough, true),
    ("vhost/testpmd-vtd-strict", Model::Vtd, Mode::Strict, false),
    ("vhost/testpmd-vtd-strict-ats", Model::Vtd, Mode::Strict, true),
    ("vhost/testpmd-vtd-lazy", Model::Vtd, Mode::Lazy, false),
    ("vhost/testpmd-vtd-pass-through", Model::Vtd, Mode::PassThrough, false),
];
/// With `--more`.
const MORE: &[Row] = &[
    ("vhost/testpmd-smmuv3-strict-ats", Model::Smmuv3, Mode::Strict, true),
    ("vhost/testpmd-smmuv3-lazy-ats", Model::Smmuv3, Mode::Lazy, true),
    ("vhost/testpmd-vtd-lazy-ats", Model::Vtd, Mode::Lazy, true),
    ("vhost/testpmd-vtd-pass-through-ats", Model::Vtd, Mode::PassThrough, true),
];

/// The rows.
pub fn run(runner: &mut Runner) {
    let more = if runner.more { MORE } else { &[] };
    for (name, model, mode, ats) in ROWS.iter().chain(more).copied() {
        runner.test(name, |r, dir| {
            packages::ensure(&[Need::Testpmd], r.source.yes)?;
            echo(&machine(r, model, mode), mode, ats, &dir)
        });
    }
}

/// One CPU, so that nothing else runs in the guest while it waits for the IOMMU.
fn machine(runner: &Runner, model: Model, mode: Mode) -> MachineArgs {
    let mut args = match model {
        Model::Smmuv3 => plain_machine(&runner.source),
        Model::Vtd => plain_vtd(&runner.source),
    };
    (args.cpus, args.endpoints, args.memory) = (1, 0, "512M".into());
    args.append.push(mode.words(model).into());
    args
}

fn echo(machine: &MachineArgs, mode: Mode, ats: bool, dir: &Path) -> Result<Verdict> {
    let sockets = SocketDir::new()?;
    let (backend, watched) = (sockets.path("testpmd"), sockets.path("watch"));
    let testpmd = Testpmd::start(&backend, dir)?;
    let watch = Watch::start(&watched, &backend)?;
    let mut args = machine.clone();
    let ats = if ats { "on" } else { "off" };
    args.qemu_opts.push(format!(
        "-object memory-backend-memfd,id=shared,size={},share=on -machine memory-backend=shared \
         -chardev socket,id=vhost,path={} -netdev vhost-user,id=net0,chardev=vhost \
         -device virtio-net-pci,bus=pcie.0,addr=0x1d,netdev=net0,mac=52:54:00:12:34:60,romfile=,\
         disable-legacy=on,iommu_platform=on,ats={ats}",
        args.memory,
        watched.display()
    ));
    let outcome = demo_in(&args, "echo", dir, 150)?;
    let counts = watch.finish(&dir.join("watch.log"));
    let verdict =
        good(&outcome, dir).with_context(|| format!("testpmd:\n{}\nwatched: {counts:?}", testpmd.tail()));
    verdict?;
    let counts = counts?;
    let row = outcome.rows.iter().find(|row| row.name == "echo" && row.status == Status::Pass);
    let row = row.context("the guest did not send frames")?;
    ensure!(row.detail.contains(mode.domain()), "not in a {}: {}", mode.domain(), row.detail);
    ensure!(row.seconds <= SECONDS, "{} frames took {:.1} s", FRAMES, row.seconds);
    // Every frame out has an address of its own, that ended before or after the next ones.
    match mode {
        Mode::Strict => ensure!(counts.invalidations >= FRAMES && counts.looked_at > 0, "{counts:?}"),
        Mode::Lazy => ensure!(counts.updates >= FRAMES && counts.invalidations < FRAMES, "{counts:?}"),
        Mode::PassThrough => ensure!(counts.updates < KEPT, "{counts:?}"),
    }
    ensure!(counts.left <= KEPT || mode == Mode::Lazy, "{} translations are left: {counts:?}", counts.left);
    Ok(Verdict::Pass(format!(
        "{FRAMES} frames in {:.1} s; {} misses, {} updates, {} invalidations ({} halves), {} KiB untouched after them",
        row.seconds,
        counts.misses,
        counts.updates,
        counts.invalidations,
        counts.halves,
        counts.looked_at >> 10
    )))
}
