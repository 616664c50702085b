// SPDX-License-Identifier: GPL-2.0-or-later
//! What is measured.

use super::rig::{Address, BASE, Mode, UNMAPPED};
use crate::cli::Model;

/// What the function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Translates, and moves no data.
    Translate,
    /// Reads.
    Read,
    /// Reads with a PASID.
    ReadPasid,
}

/// A command, on either architecture.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// One page.
    Page(Address),
    /// One page; where there are range commands, without using them.
    PlainPage(Address),
    /// That many pages, a power of two.
    Range(Address, u64),
    /// An ASID or PASID that is not in use.
    OtherSpace,
    /// A VMID or domain-id that is not in use.
    OtherDomain,
    /// All translations.
    All,
    /// All configuration.
    Configuration,
    /// CMD_SYNC, wait descriptor.
    Sync,
}

impl Command {
    /// The same, some pages further.
    pub fn advanced(self, pages: u64) -> Self {
        let on = |Address(addr): Address| Address(addr + 4096 * pages);
        match self {
            Self::Page(addr) => Self::Page(on(addr)),
            Self::PlainPage(addr) => Self::PlainPage(on(addr)),
            Self::Range(addr, pages) => Self::Range(on(addr), pages),
            other => other,
        }
    }
}

impl PartialEq for Command {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

/// One measurement: rounds of commands, if there are any, each followed by a burst of accesses.
#[derive(Clone, Debug)]
pub struct Run {
    /// What an access is.
    pub operation: Operation,
    /// Which function makes it.
    pub device: usize,
    /// Pages that are accessed.
    pub places: u64,
    /// At random, or one after the other.
    pub random: bool,
    /// Bytes of an access.
    pub size: u64,
    /// Rounds.
    pub rounds: u64,
    /// Accesses a round.
    pub burst: u64,
    /// Threads that make them at the same time.
    pub threads: u64,
    /// The PASID.
    pub pasid: u64,
    /// Commands a round: a power of two of them.
    pub program: Vec<Command>,
    /// Each round's commands are a page further than those before, of [`Run::PLACES`].
    pub advance: bool,
}

impl Run {
    /// Pages of a run whose commands advance.
    pub const PLACES: u64 = 64;
}

impl Default for Run {
    fn default() -> Self {
        Self {
            operation: Operation::Translate,
            device: 0,
            places: Self::PLACES,
            random: false,
            size: 8,
            rounds: 1,
            burst: 0,
            threads: 1,
            pasid: 0,
            program: Vec::new(),
            advance: false,
        }
    }
}

/// Which of a sample's figures counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Nanoseconds an access.
    Access,
    /// Nanoseconds a command.
    Command,
    /// Nanoseconds a round.
    Round,
}

/// A scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// One line about it.
    pub about: &'static str,
    /// What is done before each measurement.
    pub before: Vec<Run>,
    /// The measurement.
    pub run: Run,
    /// What counts.
    pub figure: Figure,
    /// QEMU's C model cannot do it.
    pub only_rust: bool,
}

/// `Figure`'s unit.
pub const UNIT: &str = "ns";

fn scenario(name: impl Into<String>, about: &'static str, figure: Figure, run: Run) -> Scenario {
    Scenario { name: name.into(), about, before: Vec::new(), run, figure, only_rust: false }
}

/// Brings pages into the IOTLB.
fn fill(places: u64) -> Run {
    Run { places, burst: places, ..Run::default() }
}

/// 63 commands of a kind and a SYNC.
fn batch(command: Command) -> Vec<Command> {
    let mut program = vec![command; 63];
    program.push(Command::Sync);
    program
}

/// The pages of a full IOTLB: more than either model holds.
const FULL: u64 = 4096;

/// All scenarios of an architecture.
pub fn scenarios(model: Model, mode: Mode) -> Vec<Scenario> {
    let mut all = Vec::new();
    translations(&mut all);
    invalidations(&mut all, model, mode);
    if mode == Mode::FirstStage {
        let pasid = Run { operation: Operation::ReadPasid, pasid: 1, burst: 10_000, ..Run::default() };
        let mut ours = vec![
            scenario("pasid-read-8", "8 bytes with a PASID, 64 pages", Figure::Access, pasid.clone()),
            scenario(
                "pasid-read-4k",
                "4 KiB with a PASID, 64 pages",
                Figure::Access,
                Run { size: 4096, burst: 4096, ..pasid.clone() },
            ),
            scenario(
                "pasid-miss",
                "8 bytes with a PASID, after all was invalidated",
                Figure::Access,
                Run {
                    rounds: 8,
                    burst: 200,
                    places: 200,
                    program: vec![Command::All, Command::Sync],
                    ..pasid
                },
            ),
        ];
        ours.iter_mut().for_each(|s| s.only_rust = true);
        all.extend(ours);
    }
    if mode == Mode::Legacy {
        all.iter_mut().for_each(|s| s.name.insert_str(0, "legacy/"));
    }
    all
}

fn translations(all: &mut Vec<Scenario>) {
    let hits = |places: u64| Run { places, burst: 20_000, ..Run::default() };
    all.push(scenario("hit-1", "the same page again and again", Figure::Access, hits(1)));
    all.push(scenario("hit-64", "64 pages in turn", Figure::Access, hits(64)));
    all.push(scenario(
        "hit-64-threads",
        "64 pages in turn, by two threads at once",
        Figure::Access,
        Run { threads: 2, ..hits(64) },
    ));
    for random in [false, true] {
        for places in [128, 512, 2048, 8192, 16384] {
            let order = if random { "random" } else { "cyclic" };
            all.push(scenario(
                format!("{order}-{places}"),
                "a working set of so many pages, in turn or at random",
                Figure::Access,
                Run { places, random, burst: places.max(4096), ..Run::default() },
            ));
        }
    }
    let miss = Run {
        places: 200,
        rounds: 8,
        burst: 200,
        program: vec![Command::All, Command::Sync],
        ..Run::default()
    };
    all.push(scenario("miss", "200 pages after all was invalidated", Figure::Access, miss.clone()));
    all.push(scenario(
        "first",
        "one page after all was invalidated, configuration too",
        Figure::Access,
        Run {
            places: 1,
            burst: 1,
            rounds: 64,
            program: vec![Command::Configuration, Command::All, Command::Sync, Command::Sync],
            ..miss.clone()
        },
    ));
    let mut shared = scenario(
        "shared",
        "200 pages that another function of the domain used before",
        Figure::Access,
        Run { device: 1, places: 200, burst: 200, ..Run::default() },
    );
    shared.before = vec![Run { rounds: 1, ..miss }];
    all.push(shared);
    let read = |size, burst| Run { operation: Operation::Read, size, burst, ..Run::default() };
    all.push(scenario("read-8", "DMA of 8 bytes, 64 pages", Figure::Access, read(8, 10_000)));
    all.push(scenario("read-4k", "DMA of 4 KiB, 64 pages", Figure::Access, read(4096, 4096)));
    all.push(scenario(
        "read-64k",
        "DMA of 64 KiB: 16 pages",
        Figure::Access,
        Run { places: 48, ..read(65536, 256) },
    ));
}

fn invalidations(all: &mut Vec<Scenario>, model: Model, mode: Mode) {
    let absent = Address(UNMAPPED);
    let mut kinds = vec![
        ("page", "invalidation of a page that is not there, in batches of 63", Command::Page(absent)),
        ("range-64", "invalidation of 64 pages that are not there", Command::Range(absent, 64)),
        ("space", "invalidation of an ASID or PASID that is not in use", Command::OtherSpace),
        ("domain", "invalidation of a VMID or domain that is not in use", Command::OtherDomain),
    ];
    if model == Model::Smmuv3 {
        kinds.push(("plain-page", "the same without range commands", Command::PlainPage(absent)));
    }
    if mode == Mode::Legacy {
        // Domains are all that there is.
        kinds.retain(|(name, ..)| *name != "space");
    }
    for (name, about, command) in kinds {
        for (occupancy, places) in [("200", 200), ("full", FULL)] {
            let mut one = scenario(
                format!("inval-{name}-{occupancy}"),
                about,
                Figure::Command,
                Run { rounds: 16, program: batch(command), ..Run::default() },
            );
            one.before = vec![fill(places)];
            all.push(one);
        }
    }
    all.push(scenario(
        "inval-all-200",
        "invalidation of everything with 200 pages there, and its SYNC",
        Figure::Command,
        Run {
            places: 200,
            burst: 200,
            rounds: 8,
            program: vec![Command::All, Command::Sync],
            ..Run::default()
        },
    ));
    all.push(scenario(
        "sync",
        "a SYNC by itself, or a wait descriptor",
        Figure::Command,
        Run { rounds: 4096, program: vec![Command::Sync], ..Run::default() },
    ));
    for (occupancy, places) in [("64", 64), ("full", FULL)] {
        let mut cycle = scenario(
            format!("unmap-{occupancy}"),
            "a page's life with strict invalidation: used, invalidated, SYNC",
            Figure::Round,
            Run {
                rounds: 256,
                burst: 1,
                program: vec![Command::Page(Address(BASE)), Command::Sync],
                advance: true,
                ..Run::default()
            },
        );
        cycle.before = vec![fill(places)];
        all.push(cycle);
    }
}
