// SPDX-License-Identifier: GPL-2.0-or-later
//! A machine without a CPU, with two `iommu-bench` functions behind an IOMMU that translates.

use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::scenarios::{Command, Operation, Run};
use super::{smmuv3, vtd};
use crate::cli::{Implementation, MachineArgs, Model};
use crate::qtest::Qtest;
use crate::scenario::{Capability, Function};
use crate::vm::{Console, Machine, Parts};

/// Where things are in guest memory, from its start.
pub mod place {
    /// Stream table; root table and context table.
    pub const REQUESTERS: u64 = 0x0200_0000;
    /// CDs; PASID directory and table.
    pub const SPACES: u64 = 0x0202_0000;
    /// What wait descriptors write to.
    pub const STATUS: u64 = 0x0203_0000;
    /// Event queue.
    pub const EVENTS: u64 = 0x0204_0000;
    /// Command queue, invalidation queue.
    pub const QUEUE: u64 = 0x0210_0000;
    /// Translation tables.
    pub const TABLES: u64 = 0x0220_0000;
    /// Data.
    pub const DATA: u64 = 0x0800_0000;
}

/// First input address; nothing is there in physical memory.
pub const BASE: u64 = 0x40_0000_0000;
/// Pages that are mapped from there.
pub const PAGES: u64 = 16384;
/// Pages that nothing is mapped to, and whose invalidation takes nothing away.
pub const UNMAPPED: u64 = BASE + (1 << 36);
/// Pages of data, which all mapped pages share in turn.
const DATA_PAGES: u64 = 1024;
/// Vendor and device of `iommu-bench`.
const IDENTITY: u32 = 0x53b0_1234;
/// How many there are.
const FUNCTIONS: u8 = 2;

/// An input address.
#[derive(Clone, Copy, Debug)]
pub struct Address(pub u64);

/// What the IOMMU's tables say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// SMMUv3 stage 1; VT-d scalable mode, first stage.
    FirstStage,
    /// VT-d legacy mode: second stage.
    Legacy,
}

/// What an architecture's tables are made for.
pub struct Setup {
    /// Which tables.
    pub mode: Mode,
    /// Who translates by them: device and function.
    pub requesters: Vec<u64>,
    /// Several address spaces, by PASID.
    pub pasids: bool,
}

/// A queue of commands, and how far it has come.
pub struct Queue {
    /// Physical address.
    pub base: u64,
    /// Bytes of a command.
    pub entry_bytes: u64,
    /// Commands.
    pub entries: u64,
    /// The register that says how far software has come.
    pub doorbell: u64,
    /// The register that says how far the IOMMU has come.
    pub head: u64,
    /// What a command adds to them.
    pub step: u64,
    /// What they wrap at.
    pub mask: u64,
    /// Number of the next command, of all so far.
    pub next: u64,
}

/// What one measurement found.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Nanoseconds an access.
    pub access: f64,
    /// Nanoseconds a command.
    pub command: f64,
    /// Nanoseconds a round, with its commands and accesses.
    pub round: f64,
}

/// Registers of `iommu-bench`.
mod register {
    pub const START: u64 = 0x00;
    pub const FIRST: u64 = 0x08;
    pub const ACCESS_NS: u64 = 0x80;
    pub const DOORBELL_NS: u64 = 0x88;
    pub const ERRORS: u64 = 0x90;
    pub const LATE: u64 = 0x98;
    pub const SUM: u64 = 0xa0;
}

/// The registers that are written before a measurement, in their order from [`register::FIRST`].
type Written = [u64; 14];

/// One machine with one implementation.
pub struct Rig {
    qtest: Qtest,
    functions: Vec<Function>,
    model: Model,
    mode: Mode,
    queue: Queue,
    /// What the queue is full of, and from which command on.
    program: Option<(Vec<Command>, bool)>,
    written: [Written; FUNCTIONS as usize],
}

fn ram(model: Model) -> u64 {
    match model {
        Model::Smmuv3 => smmuv3::RAM,
        Model::Vtd => vtd::RAM,
    }
}

impl Rig {
    /// Starts QEMU and sets everything up.
    pub fn start(args: &MachineArgs, mode: Mode, parts: &Parts, dir: &Path) -> Result<Self> {
        let mut args = args.clone();
        args.endpoints = 0;
        args.memory = "512M".into();
        let name = match args.implementation {
            Implementation::C => "c",
            Implementation::Rust => "rust",
        };
        let mut machine = Machine::new(args.clone(), parts.clone(), Console::Stdout);
        machine.benches = FUNCTIONS;
        let mut q = Qtest::start(machine, dir, &format!("{}-{mode:?}-{name}", args.model.name()))?;
        let functions = (0..u64::from(FUNCTIONS))
            .map(|n| {
                let function = Function::start_other(&mut q, args.model, n, IDENTITY)?;
                function.enable(&mut q, Capability::Pasid)?;
                Ok(function)
            })
            .collect::<Result<Vec<_>>>()?;
        map(&mut q, args.model, mode)?;
        let setup = Setup {
            mode,
            requesters: functions.iter().map(|function| function.source).collect(),
            pasids: args.implementation == Implementation::Rust && mode == Mode::FirstStage,
        };
        let queue = match args.model {
            Model::Smmuv3 => smmuv3::enable(&mut q, &setup)?,
            Model::Vtd => vtd::enable(&mut q, &setup)?,
        };
        let never = [u64::MAX; 14];
        let mut rig = Self {
            qtest: q,
            functions,
            model: args.model,
            mode,
            queue,
            program: None,
            written: [never; FUNCTIONS as usize],
        };
        rig.check()?;
        Ok(rig)
    }

    /// Every page of the data has to arrive at the right place, or there is nothing to measure.
    fn check(&mut self) -> Result<()> {
        for device in 0..self.functions.len() {
            let read = Run {
                operation: Operation::Read,
                device,
                places: PAGES,
                burst: PAGES,
                size: 8,
                ..Run::default()
            };
            self.run(&read)?;
            let at = self.functions[device].bar + register::SUM;
            let sum = self.qtest.readq(at)?;
            // Each page of data begins with its number, from 1.
            let expected = DATA_PAGES * (DATA_PAGES + 1) / 2 * (PAGES / DATA_PAGES);
            ensure!(
                sum == expected,
                "function {device} reads other data than it should: {sum} for {expected}"
            );
        }
        Ok(())
    }

    fn words(&self, command: Command) -> Vec<u64> {
        match self.model {
            Model::Smmuv3 => smmuv3::command(command),
            Model::Vtd => vtd::command(command, self.mode),
        }
    }

    /// Fills the queue with a program's commands again and again, from the next one on.
    fn load(&mut self, program: &[Command], advance: bool) -> Result<()> {
        if self.program.as_ref().is_some_and(|(loaded, advances)| loaded == program && *advances == advance) {
            return Ok(());
        }
        let mut bytes = vec![0u8; usize::try_from(self.queue.entries * self.queue.entry_bytes)?];
        let entry_bytes = usize::try_from(self.queue.entry_bytes)?;
        for n in 0..self.queue.entries {
            let round = n / program.len() as u64;
            let command = program[usize::try_from(n % program.len() as u64)?];
            let command = if advance { command.advanced(round % Run::PLACES) } else { command };
            let slot = usize::try_from((self.queue.next + n) % self.queue.entries)?;
            for (k, word) in self.words(command).iter().enumerate() {
                let at = slot * entry_bytes + 8 * k;
                bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
            }
        }
        for (n, chunk) in bytes.chunks(1 << 14).enumerate() {
            self.qtest.write(self.queue.base + ((n as u64) << 14), chunk)?;
        }
        self.program = Some((program.to_vec(), advance));
        Ok(())
    }

    /// One measurement.
    pub fn run(&mut self, run: &Run) -> Result<Sample> {
        let commands = run.program.len() as u64;
        let queue = &self.queue;
        if commands > 0 {
            let turn = commands * if run.advance { Run::PLACES } else { 1 };
            ensure!(
                queue.entries.is_multiple_of(turn) && (run.rounds * commands).is_multiple_of(turn),
                "{commands} commands do not go evenly into {} or {} rounds",
                queue.entries,
                run.rounds
            );
            self.load(&run.program, run.advance)?;
        }
        let queue = &self.queue;
        let written: Written = [
            BASE,
            4096,
            run.places,
            u64::from(run.random),
            run.size,
            run.rounds,
            run.burst,
            run.threads,
            run.pasid,
            if commands > 0 { queue.doorbell } else { 0 },
            (queue.next * queue.step) & queue.mask,
            commands * queue.step,
            queue.mask,
            queue.head,
        ];
        let bar = self.functions[run.device].bar;
        for (n, value) in written.iter().enumerate() {
            if self.written[run.device][n] != *value {
                self.qtest.writeq(bar + register::FIRST + 8 * n as u64, *value)?;
                self.written[run.device][n] = *value;
            }
        }
        let operation = match run.operation {
            Operation::Translate => 1,
            Operation::Read => 2,
            Operation::ReadPasid => 3,
        };
        self.qtest.writeq(bar + register::START, operation)?;
        self.queue.next += run.rounds * commands;
        // VALUE has advanced by itself.
        self.written[run.device][10] = (self.queue.next * self.queue.step) & self.queue.mask;
        let (errors, late) =
            (self.qtest.readq(bar + register::ERRORS)?, self.qtest.readq(bar + register::LATE)?);
        if errors != 0 || late != 0 {
            bail!("{errors} accesses failed and {late} commands were not done at once: {run:?}");
        }
        let access = self.qtest.readq(bar + register::ACCESS_NS)? as f64;
        let doorbell = self.qtest.readq(bar + register::DOORBELL_NS)? as f64;
        let rounds = run.rounds as f64;
        Ok(Sample {
            access: access / (rounds * (run.burst * run.threads).max(1) as f64),
            command: doorbell / (rounds * commands.max(1) as f64),
            round: (access + doorbell) / rounds,
        })
    }
}

/// Four levels of tables for [`PAGES`] from [`BASE`], and the data.
fn map(q: &mut Qtest, model: Model, mode: Mode) -> Result<()> {
    let ram = ram(model);
    let entry = |output: u64, leaf: bool| match model {
        Model::Smmuv3 => smmuv3::entry(output, leaf),
        Model::Vtd => vtd::entry(output, leaf, mode),
    };
    let tables = ram + place::TABLES;
    q.memset(tables, 0x3000, 0)?;
    q.writeq(tables + 8 * (BASE >> 39 & 0x1ff), entry(tables + 0x1000, false))?;
    q.writeq(tables + 0x1000 + 8 * (BASE >> 30 & 0x1ff), entry(tables + 0x2000, false))?;
    for leaf in 0..PAGES / 512 {
        let table = tables + 0x3000 + 0x1000 * leaf;
        q.writeq(tables + 0x2000 + 8 * leaf, entry(table, false))?;
        let bytes: Vec<u8> = (0..512)
            .map(|n| (512 * leaf + n) % DATA_PAGES)
            .flat_map(|page| entry(ram + place::DATA + 4096 * page, true).to_le_bytes())
            .collect();
        q.write(table, &bytes)?;
    }
    for page in 0..DATA_PAGES {
        q.writeq(ram + place::DATA + 4096 * page, page + 1)?;
    }
    Ok(())
}
