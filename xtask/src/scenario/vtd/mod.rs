// SPDX-License-Identifier: GPL-2.0-or-later
//! A rig with a VT-d unit (`VTD`), without a kernel: root, context and PASID tables, paging tables of both stages,
//! invalidation and page request queues, fault recording registers.

pub mod defects;
pub mod descriptor;
pub mod entry;
pub mod interrupt;
mod record;
pub mod register;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

pub use descriptor::Response;
pub use entry::PasidEntry;
pub use record::{Fault, PageRequest, reason};

pub use self::register::command;
use self::register::fault_status;
use super::{Capability, Completion, Descriptor, Engine, Function, Pages, Tree, place};
use crate::cli::{MachineArgs, Model};
use crate::qtest::Qtest;
use crate::vm::Parts;

/// The unit's registers.
pub const UNIT: u64 = 0xfed9_0000;
/// Root table.
pub const ROOT: u64 = 0x4100_0000;
/// Context tables of buses 0 and 1; in scalable mode of their devices 0 to 15.
pub const CONTEXTS: u64 = 0x4100_1000;
/// Invalidation queue.
pub const QUEUE: u64 = 0x4102_0000;
/// Page request queue.
pub const PAGE_QUEUE: u64 = 0x4103_0000;
/// What wait descriptors write to.
const STATUS: u64 = 0x4104_0000;
/// PASID directory.
pub const DIRECTORY: u64 = 0x4180_0000;
/// PASID tables grow from here.
const PASID_TABLES: u64 = 0x4184_0000;
/// What the second stage maps one to one: all memory that the scenes use.
const MEMORY: u64 = 0x4000_0000;

/// `RTADDR_REG.TTM` (`VTD §11.4.5`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Legacy.
    Legacy = 0b00,
    /// Scalable.
    Scalable = 0b01,
    /// Reserved.
    Reserved = 0b10,
    /// Every request is blocked.
    AbortDma = 0b11,
}

/// How registers and context entries are set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// `RTADDR_REG.TTM`.
    pub mode: Mode,
    /// `PDTS`: the directory has `2^(PDTS + 7)` entries.
    pub directory_size: u64,
    /// `RID_PASID`.
    pub rid_pasid: u32,
    /// `DTE`.
    pub device_tlb: bool,
    /// `PASIDE`.
    pub pasids: bool,
    /// `PRE`.
    pub page_requests: bool,
    /// Log2 of the page request queue's pages.
    pub page_queue_log2: u64,
    /// 256-bit descriptors in the invalidation queue.
    pub wide: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            mode: Mode::Scalable,
            directory_size: 7,
            rid_pasid: 0,
            device_tlb: true,
            pasids: true,
            page_requests: true,
            page_queue_log2: 0,
            wide: true,
        }
    }
}

/// The scene: a QEMU under qtest with a VT-d unit and endpoints.
pub struct Rig {
    /// The machine.
    pub qtest: Qtest,
    /// Endpoints on the root bus.
    pub endpoints: Vec<Function>,
    /// First stage of requests without PASID.
    pub first: Tree,
    /// Second stage.
    pub second: Tree,
    /// Where tables come from.
    pub pages: Pages,
    pasid_tables: BTreeMap<u32, u64>,
    pasids: BTreeSet<u32>,
    setup: Setup,
    /// `CAP_REG`.
    pub cap: u64,
    /// `ECAP_REG`.
    pub ecap: u64,
    tail: u64,
    waits: u32,
}

impl Rig {
    /// Starts QEMU and brings one endpoint's registers into reach. The unit is still off.
    pub fn start(args: &MachineArgs, parts: &Parts, dir: &Path, name: &str) -> Result<Self> {
        Self::start_with(args, parts, dir, name, 1)
    }

    /// The same with several endpoints.
    pub fn start_with(
        args: &MachineArgs,
        parts: &Parts,
        dir: &Path,
        name: &str,
        endpoints: u8,
    ) -> Result<Self> {
        let qtest = Qtest::start(super::machine(args, parts, endpoints), dir, name)?;
        Self::start_in(qtest, endpoints, super::function::IDENTITY)
    }

    /// The same with a function in the endpoint's place that keeps what the unit told it: `iommu-bench`.
    pub fn start_consumer(args: &MachineArgs, parts: &Parts, dir: &Path, name: &str) -> Result<Self> {
        let mut machine = super::machine(args, parts, 0);
        machine.benches = 1;
        Self::start_in(Qtest::start(machine, dir, name)?, 1, super::consumer::IDENTITY)
    }

    fn start_in(mut qtest: Qtest, endpoints: u8, identity: u32) -> Result<Self> {
        let (cap, ecap) = (qtest.readq(UNIT + register::CAP)?, qtest.readq(UNIT + register::ECAP)?);
        if cap == 0 || cap == u64::MAX {
            bail!("no VT-d unit at {UNIT:#x}");
        }
        let endpoints = (0..u64::from(endpoints))
            .map(|n| Function::start_other(&mut qtest, Model::Vtd, n, identity))
            .collect::<Result<Vec<_>>>()?;
        let mut pages = Pages::new(place::TABLES);
        let first = Tree::new(&mut pages, entry::first::FORMAT, 4)?;
        let second = Tree::new(&mut pages, entry::second::FORMAT, 4)?;
        Ok(Self {
            qtest,
            endpoints,
            first,
            second,
            pages,
            pasid_tables: BTreeMap::new(),
            pasids: BTreeSet::new(),
            setup: Setup::default(),
            cap,
            ecap,
            tail: 0,
            waits: 0,
        })
    }

    /// Endpoints and the unit begin anew after a reset of the machine; tables in memory are as they were.
    pub fn start_again(&mut self) -> Result<()> {
        self.tail = 0;
        let count = self.endpoints.len() as u64;
        self.endpoints =
            (0..count).map(|n| Function::start(&mut self.qtest, Model::Vtd, n)).collect::<Result<_>>()?;
        Ok(())
    }

    /// A scene restored into a new QEMU: what this side knew of queues and tables goes on.
    pub fn adopt(self, qtest: Qtest) -> Self {
        Self { qtest, ..self }
    }

    /// The first endpoint.
    pub fn endpoint(&self) -> Function {
        self.endpoints[0]
    }

    /// Switches capabilities of every endpoint on.
    pub fn enable_capabilities(&mut self, capabilities: &[Capability]) -> Result<()> {
        for endpoint in &self.endpoints {
            for capability in capabilities {
                endpoint.enable(&mut self.qtest, *capability)?;
            }
        }
        Ok(())
    }

    // Tables.

    /// Another first-stage tree, with 4 or 5 levels.
    pub fn first_stage(&mut self, levels: u32) -> Result<Tree> {
        Tree::new(&mut self.pages, entry::first::FORMAT, levels)
    }

    /// Another second-stage tree, with 3 to 5 levels.
    pub fn second_stage(&mut self, levels: u32) -> Result<Tree> {
        Tree::new(&mut self.pages, entry::second::FORMAT, levels)
    }

    /// Makes an entry of a tree.
    pub fn set(&mut self, tree: &mut Tree, address: u64, level: u32, leaf: u64) -> Result<()> {
        tree.set(&mut self.qtest, &mut self.pages, address, level, leaf)
    }

    /// An entry of a tree, as it is now.
    pub fn get(&mut self, tree: &mut Tree, address: u64, level: u32) -> Result<u64> {
        let at = tree.entry(&mut self.qtest, &mut self.pages, address, level)?;
        self.qtest.readq(at)
    }

    /// Maps a page for requests without PASID, in the first stage.
    pub fn map(&mut self, address: u64, leaf: u64) -> Result<()> {
        self.first.set(&mut self.qtest, &mut self.pages, address, 0, leaf)
    }

    /// The entry of a page in the first stage of requests without PASID.
    pub fn leaf(&mut self, address: u64) -> Result<u64> {
        let at = self.first.entry(&mut self.qtest, &mut self.pages, address, 0)?;
        self.qtest.readq(at)
    }

    /// Maps rings, completion records and `pages` pages of data, each at its own address, in the first stage of
    /// requests without PASID, and all memory in the second stage.
    pub fn map_identity(&mut self, pages: u64) -> Result<()> {
        for n in 0..place::SLOTS * place::SLOT / 4096 {
            let at = place::RING + n * 4096;
            self.map(at, at | entry::first::PAGE)?;
        }
        for n in 0..pages {
            let at = place::DATA + n * 4096;
            self.map(at, at | entry::first::PAGE)?;
        }
        let memory = MEMORY | entry::second::PAGE | entry::second::PS;
        self.second.set(&mut self.qtest, &mut self.pages, MEMORY, 2, memory)
    }

    /// Writes a PASID table entry; directory entry and table come with it.
    pub fn set_pasid(&mut self, pasid: u32, entry: PasidEntry) -> Result<()> {
        let snoops = self.ecap >> 48 & 1 != 0;
        let entry = entry.snooping(snoops);
        let q = &mut self.qtest;
        let number = pasid >> 6;
        self.pasids.insert(pasid);
        let next = PASID_TABLES + 0x1000 * self.pasid_tables.len() as u64;
        if let std::collections::btree_map::Entry::Vacant(vacant) = self.pasid_tables.entry(number) {
            vacant.insert(next);
            q.memset(next, 0x1000, 0)?;
            q.writeq(DIRECTORY + 8 * u64::from(number), next | 1)?;
        }
        let at = self.pasid_entry(pasid);
        let q = &mut self.qtest;
        // The word with the Present bit comes last.
        for (n, word) in entry.0.iter().enumerate().rev() {
            q.writeq(at + 8 * n as u64, *word)?;
        }
        Ok(())
    }

    /// Where the entry of a PASID lies that was written before.
    pub fn pasid_entry(&self, pasid: u32) -> u64 {
        self.pasid_tables.get(&(pasid >> 6)).copied().unwrap_or(PASID_TABLES) + 64 * u64::from(pasid & 0x3f)
    }

    /// The PASID table entry is another; what the unit may hold of the old one is invalidated.
    pub fn change_pasid(&mut self, pasid: u32, entry: PasidEntry) -> Result<()> {
        self.set_pasid(pasid, entry)?;
        self.invalidate_all()
    }

    // Registers.

    /// Reads a 32-bit register.
    pub fn read(&mut self, register: u64) -> Result<u32> {
        self.qtest.readl(UNIT + register)
    }

    /// Reads a 64-bit register.
    pub fn read64(&mut self, register: u64) -> Result<u64> {
        self.qtest.readq(UNIT + register)
    }

    /// Writes a 32-bit register.
    pub fn write(&mut self, register: u64, value: u32) -> Result<()> {
        self.qtest.writel(UNIT + register, value)
    }

    /// Writes a 64-bit register.
    pub fn write64(&mut self, register: u64, value: u64) -> Result<()> {
        self.qtest.writeq(UNIT + register, value)
    }

    /// Gives commands, one at a time as `VTD §11.4.4.1` wants it, each done when the status says so.
    pub fn command(&mut self, bits: u32) -> Result<()> {
        let on = self.read(register::GSTS)? & !command::ONCE;
        self.write(register::GCMD, on | bits)?;
        let status = self.read(register::GSTS)?;
        ensure!(status & bits == bits, "GCMD {bits:#x}: GSTS is {status:#x}");
        Ok(())
    }

    /// Takes enabled things back.
    pub fn disable(&mut self, bits: u32) -> Result<()> {
        let on = self.read(register::GSTS)? & !command::ONCE;
        self.write(register::GCMD, on & !bits)?;
        let status = self.read(register::GSTS)?;
        ensure!(status & bits == 0, "GCMD without {bits:#x}: GSTS is {status:#x}");
        Ok(())
    }

    /// Writes root and context tables and the queues' registers, and enables translation. Requests without PASID have
    /// the first stage [`first`](Self::first) in scalable mode, if no PASID entry was written for them before; in legacy
    /// mode the second stage [`second`](Self::second), device-TLBs included.
    pub fn enable(&mut self, setup: Setup) -> Result<()> {
        self.setup = setup;
        let q = &mut self.qtest;
        q.memset(ROOT, 0x4000, 0)?;
        self.write_contexts()?;
        if setup.mode != Mode::Legacy && !self.pasids.contains(&setup.rid_pasid) {
            self.set_pasid(setup.rid_pasid, PasidEntry::first_stage(&self.first.clone()))?;
        }
        self.write64(register::RTADDR, ROOT | (setup.mode as u64) << 10)?;
        self.command(command::SRTP)?;
        self.start_queue(setup.wide)?;
        if self.ecap >> 29 & 1 != 0 {
            self.set_page_queue(setup.page_queue_log2)?;
        }
        self.command(command::TE)
    }

    /// Puts an empty invalidation queue of one page in place and starts it.
    pub fn start_queue(&mut self, wide: bool) -> Result<()> {
        if self.read(register::GSTS)? & command::QIE != 0 {
            self.disable(command::QIE)?;
        }
        self.setup.wide = wide;
        self.tail = 0;
        self.write64(register::IQT, 0)?;
        self.write64(register::IQA, QUEUE | u64::from(wide) << 11)?;
        self.command(command::QIE)
    }

    fn write_contexts(&mut self) -> Result<()> {
        let setup = self.setup;
        let second = self.second.root;
        let q = &mut self.qtest;
        for endpoint in &self.endpoints {
            let (bus, function) = (endpoint.source >> 8, endpoint.source & 0xff);
            let contexts = CONTEXTS + 0x1000 * bus;
            q.writeq(ROOT + 16 * bus, contexts | 1)?;
            if setup.mode == Mode::Legacy {
                // Present; device-TLBs if they are there; 48 bits, domain 1.
                let tt = u64::from(setup.device_tlb && self.ecap >> 2 & 1 != 0);
                let at = contexts + 16 * function;
                q.writeq(at + 8, 2 | 1 << 8)?;
                q.writeq(at, second | tt << 2 | 1)?;
            } else {
                let flags = u64::from(setup.device_tlb) << 2
                    | u64::from(setup.pasids) << 3
                    | u64::from(setup.page_requests) << 4;
                let at = contexts + 32 * function;
                q.writeq(at + 8, setup.rid_pasid.into())?;
                q.writeq(at, DIRECTORY | setup.directory_size << 9 | flags | 1)?;
            }
        }
        Ok(())
    }

    /// Context entries are others; what the unit may hold of the old ones is invalidated.
    pub fn change(&mut self, setup: Setup) -> Result<()> {
        self.setup = Setup { wide: self.setup.wide, ..setup };
        self.write_contexts()?;
        self.invalidate_all()
    }

    // The invalidation queue.

    /// Appends a descriptor, and does not look what becomes of it.
    pub fn push(&mut self, words: [u64; 4]) -> Result<()> {
        let tail = self.lay(words)?;
        self.write64(register::IQT, tail)
    }

    /// Puts a descriptor into the queue and leaves the unit's tail alone. Where it has to go for that.
    pub fn lay(&mut self, words: [u64; 4]) -> Result<u64> {
        let size = if self.setup.wide { 32 } else { 16 };
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).take(size).collect();
        self.qtest.write(QUEUE + self.tail, &bytes)?;
        self.tail = (self.tail + size as u64) % 4096;
        Ok(self.tail)
    }

    /// Gives a descriptor to the unit; fails when it is not consumed.
    pub fn submit(&mut self, words: [u64; 4]) -> Result<()> {
        self.push(words)?;
        for _ in 0..100 {
            if self.read64(register::IQH)? == self.tail {
                return Ok(());
            }
            let status = self.read(register::FSTS)?;
            if status & 0b111_0000 != 0 {
                let record = self.read64(register::IQERCD)?;
                bail!("descriptor {words:#x?}: FSTS {status:#x}, IQERCD {record:#x}");
            }
            self.qtest.step(100_000)?;
        }
        bail!("descriptor {words:#x?} was not consumed")
    }

    /// A wait descriptor: everything before it is done when this returns.
    pub fn wait(&mut self) -> Result<()> {
        self.waits += 1;
        let number = self.waits;
        self.submit(descriptor::wait(STATUS, number))?;
        let status = self.qtest.readl(STATUS)?;
        ensure!(status == number, "a wait descriptor was consumed and wrote {status}, not {number}");
        Ok(())
    }

    /// Contexts, PASID entries and pages, all of them.
    pub fn invalidate_all(&mut self) -> Result<()> {
        self.submit(descriptor::CONTEXT_GLOBAL)?;
        if self.setup.wide {
            self.submit(descriptor::PASID_GLOBAL)?;
        }
        self.submit(descriptor::IOTLB_GLOBAL)?;
        self.wait()
    }

    // Faults.

    fn fault_registers(&self) -> (u64, u64) {
        (UNIT + 16 * (self.cap >> 24 & 0x3ff), (self.cap >> 40 & 0xff) + 1)
    }

    /// Every recorded fault, from the one that `FSTS.FRI` names on. They stay.
    pub fn faults(&mut self) -> Result<Vec<Fault>> {
        let (base, count) = self.fault_registers();
        let status = self.read(register::FSTS)?;
        let first = u64::from(status >> 8 & 0xff);
        let mut found = Vec::new();
        for n in 0..count {
            let at = base + 16 * ((first + n) % count);
            let fault = Fault([self.qtest.readq(at)?, self.qtest.readq(at + 8)?]);
            if fault.0[1] >> 63 != 0 {
                found.push(fault);
            }
        }
        ensure!((status & fault_status::PPF != 0) != found.is_empty(), "FSTS {status:#x}, {found:x?}");
        Ok(found)
    }

    /// Clears the recorded faults, and then the overflow, as software does.
    pub fn clear_faults(&mut self) -> Result<()> {
        let (base, count) = self.fault_registers();
        for n in 0..count {
            self.qtest.writel(base + 16 * n + 12, 1 << 31)?;
        }
        self.write(register::FSTS, fault_status::PFO)
    }

    /// The one fault that is recorded; it is cleared.
    pub fn fault(&mut self) -> Result<Fault> {
        let faults = self.faults()?;
        self.clear_faults()?;
        match faults[..] {
            [fault] => Ok(fault),
            _ => bail!("expected one fault: {faults:x?}"),
        }
    }

    /// Fails unless there is one fault, of that reason.
    pub fn expect_fault(&mut self, reason: u64) -> Result<Fault> {
        let fault = self.fault()?;
        ensure!(fault.reason() == reason, "expected fault reason {reason:#x}: {fault:x?}");
        Ok(fault)
    }

    /// Fails if there is a fault.
    pub fn expect_no_fault(&mut self) -> Result<()> {
        let (faults, status) = (self.faults()?, self.read(register::FSTS)?);
        ensure!(faults.is_empty() && status & 0xff == 0, "FSTS {status:#x}, faults {faults:x?}");
        Ok(())
    }

    // Page requests.

    /// The page request queue has that size from now on, and is empty.
    pub fn set_page_queue(&mut self, log2: u64) -> Result<()> {
        self.setup.page_queue_log2 = log2;
        self.write64(register::PQH, 0)?;
        self.write64(register::PQT, 0)?;
        self.write64(register::PQA, PAGE_QUEUE | log2)
    }

    /// The next page request, if there is one; it is consumed.
    pub fn page_request(&mut self) -> Result<Option<PageRequest>> {
        let (head, tail) = (self.read64(register::PQH)?, self.read64(register::PQT)?);
        if head == tail {
            return Ok(None);
        }
        let mut words = [0; 4];
        for (n, word) in words.iter_mut().enumerate() {
            *word = self.qtest.readq(PAGE_QUEUE + head + 8 * n as u64)?;
        }
        let size = 4096 << self.setup.page_queue_log2;
        self.write64(register::PQH, (head + 32) % size)?;
        Ok(Some(PageRequest(words)))
    }

    /// A page request that has to come, within some virtual time.
    pub fn wait_page_request(&mut self) -> Result<PageRequest> {
        for _ in 0..200 {
            if let Some(request) = self.page_request()? {
                ensure!(request.kind() == 1, "no page request: {request:x?}");
                return Ok(request);
            }
            self.qtest.step(100_000)?;
        }
        let faults = self.faults()?;
        bail!("no page request came; PRS {:#x}, faults {faults:x?}", self.read(register::PRS)?)
    }

    /// Answers a page request.
    pub fn respond(&mut self, request: &PageRequest, code: Response) -> Result<()> {
        self.submit(descriptor::response(request, code))?;
        self.settle()
    }

    // The endpoint.

    /// Engine `n` of the first endpoint, with ring `n`.
    pub fn engine(&self, n: u64) -> Engine {
        self.endpoint().engine(n).slot(n)
    }

    /// Engine `n` again, as if it had never worked: one that was halted, for instance.
    pub fn fresh_engine(&mut self, n: u64) -> Result<Engine> {
        self.qtest.writel(self.endpoint().bar + 0x1034 + 0x100 * n, 1)?;
        Ok(self.engine(n))
    }

    /// Runs one descriptor on an engine to its end.
    pub fn run(&mut self, engine: &mut Engine, descriptor: Descriptor) -> Result<Completion> {
        engine.submit(&mut self.qtest, descriptor)?;
        engine.wait(&mut self.qtest)
    }

    /// Work that has to be done without an error.
    pub fn must(&mut self, engine: &mut Engine, descriptor: Descriptor) -> Result<()> {
        let done = self.run(engine, descriptor)?;
        if !done.is_ok() {
            let faults = self.faults()?;
            bail!("{descriptor:x?} ended with {done:x?}, faults {faults:x?}");
        }
        Ok(())
    }

    /// Work that has to be refused.
    pub fn must_fail(&mut self, engine: &mut Engine, descriptor: Descriptor) -> Result<Completion> {
        let done = self.run(engine, descriptor)?;
        ensure!(!done.is_ok(), "{descriptor:x?} was done");
        Ok(done)
    }

    /// Lets everything that is under way come to its end.
    pub fn settle(&mut self) -> Result<()> {
        for _ in 0..5 {
            self.qtest.step(100_000)?;
        }
        Ok(())
    }

    /// A counter of the unit.
    pub fn stat(&mut self, name: &str) -> Result<u64> {
        let stats = self.qtest.qmp.stats(&crate::vm::iommu_path(0))?;
        stats.get(name).copied().with_context(|| format!("the unit has no counter {name}"))
    }

    /// Fills a page of memory with 8-byte words.
    pub fn fill(&mut self, at: u64, word: u64) -> Result<()> {
        super::fill(&mut self.qtest, at, word)
    }
}
