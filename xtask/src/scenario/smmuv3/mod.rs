// SPDX-License-Identifier: GPL-2.0-or-later
//! A rig with an SMMUv3 (`IHI0070`).

mod consumer;
pub mod counters;
pub mod defects;
mod requests;
mod second;
mod tables;

use std::path::Path;

use anyhow::{Result, bail};

pub use requests::Response;
pub use second::Ats;
pub use tables::{Leaf, Tables, page};

use super::function::IDENTITY as ENDPOINT;
use super::{Capability, Completion, Descriptor, Engine, Function, consumer as keeper, place};
use crate::cli::{MachineArgs, Model};
use crate::qtest::Qtest;
use crate::vm::{Machine, Parts};

/// Registers of the SMMU, `IHI0070 §6.3`.
pub mod register {
    pub const IDR0: u64 = 0x0;
    pub const CR0: u64 = 0x20;
    pub const CR2: u64 = 0x2c;
    pub const GERROR: u64 = 0x60;
    pub const GERRORN: u64 = 0x64;
    pub const STRTAB_BASE: u64 = 0x80;
    pub const STRTAB_BASE_CFG: u64 = 0x88;
    pub const CMDQ_BASE: u64 = 0x90;
    pub const CMDQ_PROD: u64 = 0x98;
    pub const CMDQ_CONS: u64 = 0x9c;
    pub const EVENTQ_BASE: u64 = 0xa0;
    pub const EVENTQ_PROD: u64 = 0x1_00a8;
    pub const EVENTQ_CONS: u64 = 0x1_00ac;
}

/// Stream table, linear.
const STREAM_TABLE: u64 = 0x4100_0000;
/// Level 1 CD table.
const LEVEL_1: u64 = 0x4104_0000;
/// CD table, or the leaves of a two-level one side by side.
const CONTEXTS: u64 = 0x4180_0000;
/// Command queue.
const COMMANDS: u64 = 0x4102_0000;
/// Event queue.
const EVENTS: u64 = 0x4103_0000;

/// The platform bus, on which the SMMU is the only device.
pub const SMMU: u64 = 0x0c00_0000;
/// StreamID of the first endpoint on the root bus: device and function.
const STREAM: u64 = 4 << 3;

/// An event record, `IHI0070 §7.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event(pub [u64; 4]);

/// Event numbers, `IHI0070 §7.3`.
pub mod event {
    /// `C_BAD_STREAMID`.
    pub const BAD_STREAM_ID: u64 = 0x02;
    /// `C_BAD_STE`.
    pub const BAD_STE: u64 = 0x04;
    /// `F_BAD_ATS_TREQ`.
    pub const BAD_ATS_REQUEST: u64 = 0x05;
    /// `F_TRANSL_FORBIDDEN`.
    pub const TRANSLATION_FORBIDDEN: u64 = 0x07;
    /// `C_BAD_SUBSTREAMID`.
    pub const BAD_SUBSTREAM_ID: u64 = 0x08;
    /// `F_TRANSLATION`.
    pub const TRANSLATION: u64 = 0x10;
    /// `F_PERMISSION`.
    pub const PERMISSION: u64 = 0x13;
}

impl Event {
    /// The event's number.
    pub fn number(self) -> u64 {
        self.0[0] & 0xff
    }

    /// Whether the transaction waits.
    pub fn stalled(self) -> bool {
        self.0[1] >> 31 & 1 != 0
    }

    /// The waiting transaction's name.
    pub fn stag(self) -> u64 {
        self.0[1] & 0xffff
    }

    /// The address that came with the transaction.
    pub fn address(self) -> u64 {
        self.0[2]
    }
}

/// How the CD table is laid out: `STE.S1Fmt` (`IHI0070 §5.2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leaves {
    /// One linear table.
    #[default]
    Linear,
    /// Two levels, 64 CDs a leaf.
    K4,
    /// Two levels, 1024 CDs a leaf.
    K64,
}

impl Leaves {
    /// Log2 of a leaf's CDs.
    fn log2(self) -> u64 {
        match self {
            Self::Linear => 20,
            Self::K4 => 6,
            Self::K64 => 10,
        }
    }
}

/// What the stream table entry and the context descriptor say.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// `CD.TBI`: bit 0 for the lower range, bit 1 for the upper.
    pub tbi: u64,
    /// `CD.S`: faults stall.
    pub stall: bool,
    /// `STE.S1CDMax`: log2 of the number of CDs.
    pub contexts_log2: u64,
    /// `STE.S1Fmt`.
    pub leaves: Leaves,
    /// Log2 of the number of stream table entries.
    pub streams_log2: u64,
    /// Log2 of the event queue's entries.
    pub events_log2: u64,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            tbi: 0,
            stall: false,
            contexts_log2: 0,
            leaves: Leaves::Linear,
            streams_log2: 8,
            events_log2: 7,
        }
    }
}

/// `CMD_RESUME` with retry, for one stalled transaction.
pub fn retry(stag: u64) -> [u64; 2] {
    [0x44 | 1 << 12 | STREAM << 32, stag]
}

/// `CMD_RESUME` with abort, of the first endpoint on the root bus.
pub fn terminate(stag: u64) -> [u64; 2] {
    [0x44 | 1 << 13 | STREAM << 32, stag]
}

/// Tells the SMMU where a linear stream table is, and log2 of its entries, gives it two empty queues, each an address with
/// log2 of its entries, and enables it.
pub fn switch_on(
    q: &mut Qtest,
    (streams, streams_log2): (u64, u64),
    commands: u64,
    events: u64,
) -> Result<()> {
    q.writeq(SMMU + register::STRTAB_BASE, streams)?;
    q.writel(SMMU + register::STRTAB_BASE_CFG, u32::try_from(streams_log2)?)?;
    q.writeq(SMMU + register::CMDQ_BASE, commands)?;
    q.writel(SMMU + register::CMDQ_PROD, 0)?;
    q.writel(SMMU + register::CMDQ_CONS, 0)?;
    q.writeq(SMMU + register::EVENTQ_BASE, events)?;
    q.writel(SMMU + register::EVENTQ_PROD, 0)?;
    q.writel(SMMU + register::EVENTQ_CONS, 0)?;
    // RECINVSID = 0, PTM = 1.
    q.writel(SMMU + register::CR2, 1 << 2)?;
    // CMDQEN and EVENTQEN first, then SMMUEN, as drivers do.
    q.writel(SMMU + register::CR0, 1 << 3 | 1 << 2)?;
    q.writel(SMMU + register::CR0, 1 << 3 | 1 << 2 | 1)
}

const COMMANDS_LOG2: u64 = 7;

/// The scene: a QEMU under qtest with an SMMU and an endpoint.
pub struct Rig {
    /// The machine.
    pub qtest: Qtest,
    /// Its translation tables.
    pub tables: Tables,
    /// The endpoint.
    pub endpoint: Function,
    second: Option<second::SecondStage>,
    context: Context,
    command: u32,
    event: u32,
}

impl Rig {
    /// Starts QEMU and brings the endpoint's registers into reach. The SMMU is still off.
    pub fn start(args: &MachineArgs, parts: &Parts, dir: &Path, name: &str) -> Result<Self> {
        Self::start_machine(super::machine(args, parts, 1), ENDPOINT, dir, name)
    }

    /// The same with a function in the endpoint's place that keeps what the SMMU told it: `iommu-bench`.
    pub fn start_consumer(args: &MachineArgs, parts: &Parts, dir: &Path, name: &str) -> Result<Self> {
        let mut machine = super::machine(args, parts, 0);
        machine.benches = 1;
        Self::start_machine(machine, keeper::IDENTITY, dir, name)
    }

    /// The same with a function in the endpoint's place that `args` bring with them, by its vendor and device.
    pub fn start_other(
        args: &MachineArgs,
        parts: &Parts,
        dir: &Path,
        name: &str,
        identity: u32,
    ) -> Result<Self> {
        Self::start_machine(super::machine(args, parts, 0), identity, dir, name)
    }

    fn start_machine(machine: Machine, identity: u32, dir: &Path, name: &str) -> Result<Self> {
        let mut qtest = Qtest::start(machine, dir, name)?;
        if qtest.readl(SMMU + register::IDR0)? == 0 {
            bail!("no SMMU at {SMMU:#x}");
        }
        let endpoint = Function::start_other(&mut qtest, Model::Smmuv3, 0, identity)?;
        Ok(Self {
            qtest,
            tables: Tables::new(place::TABLES)?,
            endpoint,
            second: None,
            context: Context::default(),
            command: 0,
            event: 0,
        })
    }

    /// A scene restored into a new QEMU: what this side knew of queues and tables goes on.
    pub fn adopt(self, qtest: Qtest) -> Self {
        Self { qtest, ..self }
    }

    /// Enables PASIDs in the endpoint.
    pub fn enable_pasid(&mut self) -> Result<()> {
        self.endpoint.enable(&mut self.qtest, Capability::Pasid)
    }

    /// Writes tables, queues and registers for `context`, and enables the SMMU.
    pub fn enable(&mut self, context: Context) -> Result<()> {
        self.context = context;
        let q = &mut self.qtest;
        q.memset(STREAM_TABLE, 64 << context.streams_log2, 0)?;
        q.memset(CONTEXTS, 64 << context.contexts_log2, 0)?;
        let table = if context.leaves == Leaves::Linear { CONTEXTS } else { LEVEL_1 };
        // V, Config = stage 1.
        let ste0 = 1 | 0b101 << 1 | (context.leaves as u64) << 4 | table | context.contexts_log2 << 59;
        // S1DSS = SSID0, SHCFG = incoming.
        let ste1 = 0b10 | 0b01 << 44;
        let ste = STREAM_TABLE + 64 * STREAM;
        if STREAM < 1 << context.streams_log2 {
            q.writeq(ste + 8, ste1)?;
            q.writeq(ste, ste0)?;
        }
        for n in 0..1u64 << context.contexts_log2 {
            self.write_context(n)?;
        }
        if context.leaves != Leaves::Linear {
            for n in 0..1u64 << context.contexts_log2.saturating_sub(context.leaves.log2()) {
                self.write_leaf(n, true)?;
            }
        }
        let (commands, events) = (COMMANDS | COMMANDS_LOG2, EVENTS | context.events_log2);
        switch_on(&mut self.qtest, (STREAM_TABLE, context.streams_log2), commands, events)
    }

    /// Writes the context descriptors anew, and invalidates what the SMMU may hold of the old ones.
    pub fn change(&mut self, context: Context) -> Result<()> {
        self.context = context;
        for n in 0..1u64 << context.contexts_log2 {
            self.write_context(n)?;
        }
        // CMD_CFGI_ALL.
        self.command([0x04, 0x1f])?;
        self.invalidate_all()
    }

    /// Gives the endpoint's stream stage 2 alone: the third and fourth doubleword of its stream table entry
    /// (`IHI0070 §5.2`).
    pub fn change_to_stage_2(&mut self, fields: u64, table: u64) -> Result<()> {
        let ste = STREAM_TABLE + 64 * STREAM;
        self.qtest.writeq(ste + 16, fields)?;
        self.qtest.writeq(ste + 24, table)?;
        // V, Config = stage 2.
        self.qtest.writeq(ste, 1 | 0b110 << 1)?;
        // CMD_CFGI_ALL.
        self.command([0x04, 0x1f])?;
        self.invalidate_all()
    }

    /// Entry `n` of the level 1 CD table: its leaf, or invalid (`IHI0070 §5.3`).
    pub fn write_leaf(&mut self, n: u64, valid: bool) -> Result<()> {
        let leaf = CONTEXTS + ((64 * n) << self.context.leaves.log2());
        self.qtest.writeq(LEVEL_1 + 8 * n, leaf | u64::from(valid))
    }

    /// Context descriptor `n`: 48 bits in both ranges, 4K granule, ASID `n` + 1.
    fn write_context(&mut self, n: u64) -> Result<()> {
        let c = self.context;
        let t0sz = 16;
        let t1sz = 16 << 16;
        let tg1_4k = 0b10 << 22;
        let ips_44 = 0b100 << 32;
        let (v, aa64, r, a) = (1 << 31, 1 << 41, 1 << 45, 1 << 46);
        let stall = u64::from(c.stall) << 44;
        let word =
            t0sz | t1sz | tg1_4k | v | ips_44 | c.tbi << 38 | aa64 | stall | r | a | 1 << 47 | (n + 1) << 48;
        let at = CONTEXTS + 64 * n;
        let q = &mut self.qtest;
        q.writeq(at + 8, self.tables.lower())?;
        q.writeq(at + 16, self.tables.upper())?;
        // Attribute 0: normal memory, write-back.
        q.writeq(at + 24, 0xff)?;
        q.writeq(at, word)
    }

    /// Maps one page; tables are written to guest memory as they grow.
    pub fn map(&mut self, address: u64, leaf: Leaf) -> Result<()> {
        self.tables.map(&mut self.qtest, address, leaf)
    }

    /// Maps ring, completion records and `pages` pages of data, each at its own address.
    pub fn map_identity(&mut self, pages: u64) -> Result<()> {
        for n in 0..2 {
            let at = place::RING + n * 4096;
            self.map(at, Leaf::all(at))?;
        }
        for n in 0..pages {
            let at = place::DATA + n * 4096;
            self.map(at, Leaf::all(at))?;
        }
        Ok(())
    }

    /// Gives a command to the SMMU; fails when it is not consumed, or raises an error.
    pub fn command(&mut self, words: [u64; 2]) -> Result<()> {
        match self.give(words)? {
            None => Ok(()),
            Some(error) => bail!("command {words:#x?}: error {error:#x}"),
        }
    }

    /// Gives a command to the SMMU whatever becomes of it. The error that it raised, after which the queue goes on: its
    /// slot becomes a `CMD_SYNC`, and `GERRORN` acknowledges (`IHI0070 §7.1`).
    pub fn give(&mut self, words: [u64; 2]) -> Result<Option<u32>> {
        let (before, at) = (self.command, self.next_command());
        let produced = self.lay(words)?;
        self.qtest.writel(SMMU + register::CMDQ_PROD, produced)?;
        for _ in 0..100 {
            let (gerror, gerrorn) =
                (self.qtest.readl(SMMU + register::GERROR)?, self.qtest.readl(SMMU + register::GERRORN)?);
            let consumed = self.qtest.readl(SMMU + register::CMDQ_CONS)?;
            if (gerror ^ gerrorn) & 1 != 0 {
                if consumed & 0x000f_ffff != before {
                    bail!(
                        "command {words:#x?} raised an error, and CONS went on to {consumed:#x} from {before:#x}"
                    );
                }
                self.qtest.writeq(at, 0x46)?;
                self.qtest.writeq(at + 8, 0)?;
                self.qtest.writel(SMMU + register::GERRORN, gerror)?;
                for _ in 0..100 {
                    if self.qtest.readl(SMMU + register::CMDQ_CONS)? & 0x000f_ffff == self.command {
                        return Ok(Some(consumed >> 24 & 0x7f));
                    }
                    self.qtest.step(100_000)?;
                }
                bail!("after command {words:#x?} and its error the queue does not go on");
            }
            if consumed & 0x000f_ffff == self.command {
                return Ok(None);
            }
            self.qtest.step(100_000)?;
        }
        bail!("command {words:#x?} was not consumed")
    }

    /// Where the next command goes.
    fn next_command(&self) -> u64 {
        COMMANDS + 16 * (u64::from(self.command) & ((1 << COMMANDS_LOG2) - 1))
    }

    /// Puts a command into the queue and leaves `CMDQ_PROD` alone. What is to be written there for it.
    pub fn lay(&mut self, words: [u64; 2]) -> Result<u32> {
        let at = self.next_command();
        self.qtest.writeq(at, words[0])?;
        self.qtest.writeq(at + 8, words[1])?;
        self.command = (self.command + 1) & ((2 << COMMANDS_LOG2) - 1);
        Ok(self.command)
    }

    /// Writes registers that are closed while the SMMU translates.
    pub fn disabled(&mut self, write: impl FnOnce(&mut Qtest, u64) -> Result<()>) -> Result<()> {
        let q = &mut self.qtest;
        let enables = q.readl(SMMU + register::CR0)?;
        q.writel(SMMU + register::CR0, enables & !1)?;
        write(q, SMMU)?;
        q.writel(SMMU + register::CR0, enables)
    }

    /// Where the endpoint's stream table entry is.
    pub fn stream_entry(&self) -> u64 {
        STREAM_TABLE + 64 * STREAM
    }

    /// Where a context descriptor is, in a linear table or leaves side by side.
    pub fn context_entry(&self, n: u64) -> u64 {
        CONTEXTS + 64 * n
    }

    /// Where the page descriptor of an address is.
    pub fn leaf(&mut self, address: u64) -> Result<u64> {
        self.tables.leaf(&mut self.qtest, address)
    }

    /// `CMD_TLBI_NSNH_ALL`, `CMD_SYNC`.
    pub fn invalidate_all(&mut self) -> Result<()> {
        self.command([0x30, 0])?;
        self.command([0x46, 0])
    }

    /// `CMD_RESUME` with retry, for one stalled transaction.
    pub fn resume(&mut self, stag: u64) -> Result<()> {
        self.command(retry(stag))
    }

    /// `CMD_RESUME` with abort.
    pub fn abort(&mut self, stag: u64) -> Result<()> {
        self.command(terminate(stag))
    }

    /// The next event, if there is one; it is consumed.
    pub fn event(&mut self) -> Result<Option<Event>> {
        let mask = (2u32 << self.context.events_log2) - 1;
        let produced = self.qtest.readl(SMMU + register::EVENTQ_PROD)? & mask;
        if produced == self.event & mask {
            return Ok(None);
        }
        let index = u64::from(self.event) & ((1 << self.context.events_log2) - 1);
        let at = EVENTS + 32 * index;
        let mut words = [0; 4];
        for (n, word) in words.iter_mut().enumerate() {
            *word = self.qtest.readq(at + 8 * n as u64)?;
        }
        self.event = (self.event + 1) & mask;
        self.qtest.writel(SMMU + register::EVENTQ_CONS, self.event)?;
        Ok(Some(Event(words)))
    }

    /// An event that has to come, within some virtual time.
    pub fn wait_event(&mut self) -> Result<Event> {
        for _ in 0..200 {
            if let Some(event) = self.event()? {
                return Ok(event);
            }
            self.qtest.step(100_000)?;
        }
        bail!("no event came")
    }

    /// Lets everything that is under way come to its end.
    pub fn settle(&mut self) -> Result<()> {
        for _ in 0..10 {
            self.qtest.step(100_000)?;
        }
        Ok(())
    }

    /// `EVENTQ_PROD` as it is.
    pub fn events_produced(&mut self) -> Result<u32> {
        self.qtest.readl(SMMU + register::EVENTQ_PROD)
    }

    /// `GERROR` as it is.
    pub fn global_errors(&mut self) -> Result<u32> {
        self.qtest.readl(SMMU + register::GERROR)
    }

    /// An engine of the endpoint.
    pub fn engine(&mut self, n: u64) -> Engine {
        self.endpoint.engine(n)
    }

    /// Runs one descriptor on an engine to its end.
    pub fn run(&mut self, engine: &mut Engine, descriptor: Descriptor) -> Result<Completion> {
        engine.submit(&mut self.qtest, descriptor)?;
        engine.wait(&mut self.qtest)
    }

    /// A copy between mapped pages, which has to work before a scene can show anything.
    pub fn warm_up(&mut self, engine: &mut Engine, descriptor: Descriptor) -> Result<()> {
        let done = self.run(engine, descriptor)?;
        if !done.is_ok() {
            let event = self.event()?;
            bail!(
                "the scene does not work: a copy between mapped pages ended with {done:x?}, event {event:x?}"
            );
        }
        Ok(())
    }

    /// Fills a page of data with 8-byte words.
    pub fn fill(&mut self, at: u64, word: u64) -> Result<()> {
        super::fill(&mut self.qtest, at, word)
    }
}
