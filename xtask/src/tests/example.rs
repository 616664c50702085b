// SPDX-License-Identifier: GPL-2.0-or-later
//! `examples/`: devices in libraries of their own, beside ours, behind the SMMUv3.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{Runner, Verdict, plain_machine};
use crate::cli::Model;
use crate::place;
use crate::scenario::place as at;
use crate::scenario::smmuv3::{self, Context, Leaf, Rig, SMMU};
use crate::setup::{self, qemu, rust};
use crate::ui::Step;

const IDENTITY: u32 = 0x5acc_1234;
const PASID: u32 = 1;
const PAGE: u64 = 4096;
/// Where the SMMU's registers are mapped.
const REGISTERS: u64 = 0x7000_0000;
/// More virtual time than it takes.
const TURNS: u32 = 200;

/// Registers, as its source has them.
pub mod register {
    pub const ADDR: u64 = 0x00;
    pub const LENGTH: u64 = 0x08;
    pub const PASID: u64 = 0x0c;
    pub const GO: u64 = 0x10;
    pub const STATUS: u64 = 0x14;
    pub const SUM: u64 = 0x18;
    pub const NOTIFY_ADDR: u64 = 0x20;
    pub const NOTIFY: u64 = 0x28;
    pub const CALLED: u64 = 0x2c;
}

/// STATUS.
mod status {
    pub const BUSY: u32 = 1;
    pub const DONE: u32 = 2;
    pub const REFUSED: u32 = 3;
}

/// What an accelerator of the examples is written in.
#[derive(Clone, Copy)]
pub enum Language {
    /// `examples/accelerator`, with this project's crate.
    Rust,
    /// `examples/accelerator-c`, with QEMU's headers alone.
    C,
}

impl Language {
    /// Its type of device.
    pub fn device(self) -> &'static str {
        match self {
            Self::Rust => "sum-accelerator",
            Self::C => "sum-accelerator-c",
        }
    }
}

/// Where QEMU's headers are not at hand.
pub fn without_source() -> Verdict {
    Verdict::Skip("the source of the given QEMU is not known: name it with --qemu-src".into())
}

/// Builds `lib<name>.so` of the C sources in a directory, from QEMU's headers.
pub fn make(runner: &Runner, sources: &Path, name: &str) -> Result<Option<PathBuf>> {
    let qemu = qemu::ensure(&runner.source, Model::Smmuv3)?;
    let given = runner.source.qemu_src.clone().filter(|given| given.is_dir());
    let Some(source) = qemu.source.or(given) else { return Ok(None) };
    let out = rust::target_dir()?.join("example/c");
    place::make_dir(&out)?;
    let library = out.join(format!("lib{name}.so"));
    let step = Step::begin(&format!("lib{name}.so"), "example")?;
    let mut c = Command::new("make");
    c.arg("-B")
        .arg("-C")
        .arg(place::root().join("examples/accelerator-c"))
        .arg(format!("VPATH={}", sources.display()))
        .arg(format!("QEMU_SRC={}", source.display()))
        .arg(format!("QEMU_BUILD={}", qemu.build.display()))
        .arg(format!("OUT={}", out.display()))
        .arg(&library);
    step.run(&mut c)?;
    step.finish("built");
    Ok(Some(library))
}

/// Builds the library.
pub fn library(language: Language, runner: &Runner) -> Result<Option<PathBuf>> {
    if matches!(language, Language::C) {
        return make(runner, &place::root().join("examples/accelerator-c"), "accelerator-c");
    }
    let target = rust::target_dir()?.join("example");
    let step = Step::begin("examples/accelerator", "example")?;
    let mut c = rust::cargo();
    c.args(["build", "--locked"])
        .current_dir(place::root().join("examples/accelerator"))
        .env("CARGO_TARGET_DIR", &target);
    step.run(&mut c)?;
    step.finish("built");
    Ok(Some(target.join("debug/libaccelerator.so")))
}

/// Reads by PASID, waits for a page that software maps, and for one that it refuses. What the accelerator itself writes to
/// the SMMU's registers, software's answers among it, does not call it back before that write is over.
pub fn accelerator(runner: &Runner, dir: &Path, language: Language) -> Result<Verdict> {
    let mut args = plain_machine(&runner.source);
    let Some(library) = library(language, runner)? else {
        return Ok(Verdict::Skip(
            "the source of the given QEMU is not known: name it with --qemu-src".into(),
        ));
    };
    args.qemu_opts.push(format!("-device-plugin {}", library.display()));
    args.qemu_opts.push(format!("-device {},bus=pcie.0,addr=4,pasid-bits=4", language.device()));
    let parts = setup::scene_parts(&args)?;
    let mut rig = Rig::start_other(&args, &parts, dir, "accelerator", IDENTITY)?;
    rig.map(at::DATA, Leaf::all(at::DATA))?;
    rig.enable(Context { stall: true, contexts_log2: 1, ..Context::default() })?;
    rig.enable_pasid()?;
    rig.fill(at::DATA, 3)?;
    rig.fill(at::DATA + PAGE, 4)?;

    rig.add_up(at::DATA + PAGE / 2, 6144)?;
    let event = rig.wait_event()?;
    ensure!(event.stalled() && event.address() == at::DATA + PAGE, "{event:x?}");
    ensure!(rig.status()? == status::BUSY, "STATUS is {} while it waits", rig.status()?);
    rig.map(at::DATA + PAGE, Leaf::all(at::DATA + PAGE))?;
    rig.resume(event.stag())?;
    ensure!(rig.ended()? == status::DONE, "STATUS is {} after a retry", rig.status()?);
    let bar = rig.endpoint.bar;
    let (sum, expected) = (rig.qtest.readq(bar + register::SUM)?, 256 * 3 + 512 * 4);
    ensure!(sum == expected, "the sum is {sum}, not {expected}");

    rig.add_up(at::DATA + 2 * PAGE, 8)?;
    let event = rig.wait_event()?;
    rig.abort(event.stag())?;
    ensure!(rig.ended()? == status::REFUSED, "STATUS is {} after an abort", rig.status()?);
    ensure!(rig.called()? == 2, "two answers, and CALLED is {:#x}", rig.called()?);

    // The SMMU's registers, where the accelerator reaches them.
    rig.map(REGISTERS, Leaf::all(SMMU))?;
    for (page, retry) in [(2, true), (3, false)] {
        let page = at::DATA + page * PAGE;
        rig.add_up(page, 8)?;
        let event = rig.wait_event()?;
        let answer = if retry {
            rig.map(page, Leaf::all(page))?;
            smmuv3::retry(event.stag())
        } else {
            smmuv3::terminate(event.stag())
        };
        let produced = rig.lay(answer)?;
        rig.notify(REGISTERS + smmuv3::register::CMDQ_PROD, produced)?;
        let expected = if retry { status::DONE } else { status::REFUSED };
        ensure!(rig.ended()? == expected, "STATUS is {}, retry: {retry}", rig.status()?);
    }
    ensure!(
        rig.called()? == 4,
        "CALLED is {:#x}: bit 31 says that an answer came from inside a request of the accelerator's own",
        rig.called()?
    );

    rig.add_up(at::DATA, 0)?;
    ensure!(rig.ended()? == status::DONE, "STATUS is {} after nothing", rig.status()?);
    Ok(Verdict::Pass(format!(
        "{sum} by PASID, across a stall that was resumed; one that was aborted; two whose answers it sent itself"
    )))
}

impl Rig {
    fn add_up(&mut self, addr: u64, length: u32) -> Result<()> {
        let bar = self.endpoint.bar;
        self.qtest.writeq(bar + register::ADDR, addr)?;
        self.qtest.writel(bar + register::LENGTH, length)?;
        self.qtest.writel(bar + register::PASID, 1 << 31 | PASID)?;
        self.qtest.writel(bar + register::GO, 1)
    }

    /// The accelerator writes a word.
    fn notify(&mut self, addr: u64, value: u32) -> Result<()> {
        let bar = self.endpoint.bar;
        self.qtest.writeq(bar + register::NOTIFY_ADDR, addr)?;
        self.qtest.writel(bar + register::NOTIFY, value)
    }

    fn called(&mut self) -> Result<u32> {
        self.qtest.readl(self.endpoint.bar + register::CALLED)
    }

    fn status(&mut self) -> Result<u32> {
        self.qtest.readl(self.endpoint.bar + register::STATUS)
    }

    /// STATUS, when it is busy no more.
    fn ended(&mut self) -> Result<u32> {
        for _ in 0..TURNS {
            let status = self.status()?;
            if status != status::BUSY {
                return Ok(status);
            }
            self.qtest.step(100_000)?;
        }
        self.status().context("it is busy for good")
    }
}
