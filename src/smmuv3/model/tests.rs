// SPDX-License-Identifier: GPL-2.0-or-later
//! The model, driven through its registers and queues, with an engine that answers as it is told.

use std::collections::HashSet;
use std::sync::atomic::AtomicU32;

use super::super::config::{self, StreamTable};
use super::super::event::Record;
use super::super::fault::{FaultClass, FaultKind};
use super::super::spec::command::{
    self as op, CERROR_ABT, CERROR_ILL, CfgiCommand1, Resume0, Resume1, StreamCommand0, Sync0, Sync1,
    TlbiCommand0,
};
use super::super::spec::event::{Event0, Event1};
use super::super::spec::registers as reg;
use super::super::translate::{TableSource, Translate, TranslatorStats};
use super::commands::{COMMANDS_AT_ONCE, DEFERRED};
use super::*;
use crate::iommu::testing::TestMemory;
use crate::iommu::{Access, AtsTranslation, Permissions};

mod assigned;
mod commands;
mod counting;
mod departure;
mod events;
mod guest;
mod linux;
mod migration;
mod requests;
mod stalls;
mod switching;

/// Maps what is in `mapped`, page by page, one to one; everything else faults as `fault` says.
#[derive(Debug)]
pub(super) struct Script {
    pub mapped: Mutex<HashSet<u64>>,
    pub fault: Mutex<(FaultKind, FaultAction, bool)>,
    /// `STE.MEV`.
    pub merge: AtomicBool,
    pub invalidations: Mutex<Vec<Invalidation>>,
    pub ignored_bits: AtomicU32,
    pub tables: Mutex<Vec<StreamTable>>,
    pub changes: AtomicU64,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            mapped: Mutex::default(),
            fault: Mutex::new((FaultKind::Translation, FaultAction::Abort, true)),
            merge: AtomicBool::new(false),
            invalidations: Mutex::default(),
            ignored_bits: AtomicU32::new(0),
            tables: Mutex::default(),
            changes: AtomicU64::new(0),
        }
    }
}

impl Script {
    fn scripted(&self, req: &DmaRequest) -> Fault {
        let (kind, action, record) = *lock(&self.fault);
        Fault {
            kind,
            request: *req,
            substream: req.substream,
            class: FaultClass::Input,
            stage2: false,
            ipa: 0,
            fetch_addr: 0,
            span: 0,
            table_read: false,
            action,
            record,
            merge: self.merge.load(Ordering::Relaxed),
            privileged: req.access.privileged,
            instruction: req.access.exec,
        }
    }
}

impl Translate for Script {
    type Tables = Option<StreamTable>;
    type Fault = Fault;
    type Invalidation = Invalidation;

    fn translate(
        &self,
        _: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<Translation, Fault> {
        let table = tables.tables();
        lock(&self.tables).extend(table);
        if lock(&self.mapped).contains(&(req.addr >> 12)) {
            let perm = Permissions { read: true, write: true, exec: false };
            return Ok(Translation { addr: req.addr, page_mask: 0xfff, perm });
        }
        Err(self.scripted(req))
    }

    fn ats_translate(
        &self,
        _: &dyn GuestMemory,
        _: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<AtsTranslation, Fault> {
        if lock(&self.mapped).contains(&(req.addr >> 12)) {
            let addr = req.addr & !0xfff;
            return Ok(AtsTranslation { addr, read: true, write: true, ..AtsTranslation::NONE });
        }
        Err(self.scripted(req))
    }

    fn invalidate(&self, what: &Invalidation) {
        lock(&self.invalidations).push(*what);
    }

    fn reset(&self) {
        lock(&self.invalidations).clear();
    }

    fn stats(&self) -> TranslatorStats {
        TranslatorStats::default()
    }
}

impl Engine for Script {
    fn translated(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<Translation, Fault> {
        let table = tables.tables().ok_or_else(|| self.scripted(req))?;
        config::lookup_translated(mem, &Features::default(), &table, req)?;
        Ok(Translation::one_to_one(req.addr))
    }

    fn tables_changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    fn ignored_bits(&self) -> u32 {
        self.ignored_bits.load(Ordering::Relaxed)
    }
}

pub(super) const CMDQ: u64 = 0x4000_0000;
pub(super) const EVENTQ: u64 = 0x5000_0000;
pub(super) const EVENT_MSI: (u64, u32) = (0x808_0040, 0x11);
pub(super) const GERROR_MSI: (u64, u32) = (0x808_0044, 0x22);

/// A driver in miniature.
pub(super) struct Rig<E: Engine = Script> {
    pub mem: TestMemory,
    pub smmu: Smmu<E>,
    pub log2size: u32,
    pub prod: u32,
    pub cons: u32,
}

pub(super) fn pulse(line: usize) -> Effect {
    Effect::PulseIrq { line }
}

pub(super) fn msi((addr, data): (u64, u32)) -> Effect {
    Effect::WriteMsi { addr, data }
}

pub(super) fn resolved(stream: u32, tag: u64, retry: bool) -> Effect {
    Effect::Resolved { stream, substream: Some(3), tag, retry }
}

pub(super) fn sync() -> [u64; 2] {
    [Sync0::default().with_opcode(op::SYNC.into()).bits(), 0]
}

pub(super) fn sync_msi(addr: u64, data: u32) -> [u64; 2] {
    let first = Sync0::default().with_opcode(op::SYNC.into()).with_cs(1).with_msi_data(data.into());
    [first.bits(), Sync1::default().with_msi_addr(addr >> 2).bits()]
}

pub(super) fn sync_sev() -> [u64; 2] {
    [Sync0::default().with_opcode(op::SYNC.into()).with_cs(2).bits(), 0]
}

pub(super) fn cfgi_all() -> [u64; 2] {
    let first = StreamCommand0::default().with_opcode(op::CFGI_STE_RANGE.into());
    [first.bits(), CfgiCommand1::default().with_range(31).bits()]
}

pub(super) fn tlbi_asid(asid: u16) -> [u64; 2] {
    [TlbiCommand0::default().with_opcode(op::TLBI_NH_ASID.into()).with_asid(asid.into()).bits(), 0]
}

pub(super) fn resume(stream: u32, stag: u16, action: u64, abort: u64) -> [u64; 2] {
    let first = Resume0::default()
        .with_opcode(op::RESUME.into())
        .with_stream_id(stream.into())
        .with_action(action)
        .with_abort(abort);
    [first.bits(), Resume1::default().with_stag(stag.into()).bits()]
}

pub(super) fn retry(stream: u32, stag: u16) -> [u64; 2] {
    resume(stream, stag, 1, 0)
}

pub(super) fn stall_term(stream: u32) -> [u64; 2] {
    let first = StreamCommand0::default().with_opcode(op::STALL_TERM.into()).with_stream_id(stream.into());
    [first.bits(), 0]
}

pub(super) fn request(addr: u64, tag: Option<u64>) -> DmaRequest {
    let access = Access { read: true, ..Access::default() };
    DmaRequest { stream: 8, substream: Some(3), addr, access, tag }
}

impl Rig {
    /// Queues of `2^log2size` entries, everything enabled, interrupts too.
    pub fn new(log2size: u32) -> Self {
        Self::with(Features::default(), log2size, log2size)
    }

    pub fn with(features: Features, log2size: u32, event_log2size: u32) -> Self {
        let rig = Self {
            mem: TestMemory::new(),
            smmu: Smmu::with_engine(features, Script::default()),
            log2size,
            prod: 0,
            cons: 0,
        };
        rig.start(event_log2size);
        rig
    }

    /// What faults do from now on.
    pub fn faults(&self, kind: FaultKind, action: FaultAction, record: bool) {
        *lock(&self.smmu.engine.fault) = (kind, action, record);
    }

    pub fn stalling() -> Self {
        let rig = Self::new(6);
        rig.faults(FaultKind::Translation, FaultAction::Stall, true);
        rig
    }

    pub fn map(&self, addr: u64) {
        lock(&self.smmu.engine.mapped).insert(addr >> 12);
    }

    pub fn invalidations(&self) -> Vec<Invalidation> {
        lock(&self.smmu.engine.invalidations).clone()
    }
}

impl<E: Engine> Rig<E> {
    pub fn start(&self, event_log2size: u32) {
        self.write64(reg::CMDQ_BASE, CMDQ | u64::from(self.log2size));
        self.write(reg::CMDQ_PROD, 0);
        self.write(reg::CMDQ_CONS, 0);
        self.write64(reg::EVENTQ_BASE, EVENTQ | u64::from(event_log2size));
        self.write(reg::EVENTQ_PROD, 0);
        self.write(reg::EVENTQ_CONS, 0);
        self.write64(reg::EVENTQ_IRQ_CFG0, EVENT_MSI.0);
        self.write(reg::EVENTQ_IRQ_CFG1, EVENT_MSI.1);
        self.write64(reg::GERROR_IRQ_CFG0, GERROR_MSI.0);
        self.write(reg::GERROR_IRQ_CFG1, GERROR_MSI.1);
        self.write(reg::IRQ_CTRL, 5);
        self.write(reg::CR2, 2);
        self.write(reg::CR0, 0xd);
    }

    pub fn write(&self, offset: u64, value: u32) -> Vec<Effect> {
        self.smmu.mmio_write(&self.mem, offset, value.into(), 4).0
    }

    pub fn write64(&self, offset: u64, value: u64) -> Vec<Effect> {
        self.smmu.mmio_write(&self.mem, offset, value, 8).0
    }

    pub fn read(&self, offset: u64) -> u32 {
        self.smmu.mmio_read(offset, 4) as u32
    }

    /// Puts a command in the queue without telling.
    pub fn put(&mut self, command: [u64; 2]) {
        let index = self.prod & ((1 << self.log2size) - 1);
        self.mem.put_all(CMDQ + 16 * u64::from(index), &command);
        self.prod = (self.prod + 1) & ((2 << self.log2size) - 1);
    }

    pub fn kick(&self) -> Vec<Effect> {
        self.write(reg::CMDQ_PROD, self.prod)
    }

    pub fn command(&mut self, command: [u64; 2]) -> Vec<Effect> {
        self.put(command);
        self.kick()
    }

    pub fn run(&self) -> Vec<Effect> {
        self.smmu.run_pending(&self.mem).0
    }

    pub fn is_drained(&self) -> bool {
        self.read(reg::CMDQ_CONS) & 0xf_ffff == self.prod
    }

    pub fn error(&self) -> u32 {
        self.read(reg::CMDQ_CONS) >> 24
    }

    /// Consumes one event.
    pub fn event(&mut self) -> Option<Record> {
        let log2size = self.read(reg::EVENTQ_BASE) & 0x1f;
        if self.read(reg::EVENTQ_PROD) & 0xf_ffff == self.cons {
            return None;
        }
        let at = EVENTQ + 32 * u64::from(self.cons & ((1 << log2size) - 1));
        let record = [0, 8, 16, 24].map(|offset| self.mem.get(at + offset));
        self.cons = (self.cons + 1) & ((2 << log2size) - 1);
        Some(record)
    }

    /// Tells that events were consumed.
    pub fn acknowledge_events(&self) -> Vec<Effect> {
        let overflow = self.read(reg::EVENTQ_PROD) & 1 << 31;
        self.write(reg::EVENTQ_CONS, self.cons | overflow)
    }

    pub fn translate(&self, addr: u64, tag: Option<u64>) -> (Outcome, Vec<Effect>) {
        let (outcome, effects) = self.smmu.translate(&self.mem, &request(addr, tag), true);
        (outcome, effects.0)
    }

    pub fn translate_unlocked(&self, addr: u64, tag: Option<u64>) -> Outcome {
        let (outcome, effects) = self.smmu.translate(&self.mem, &request(addr, tag), false);
        assert!(effects.0.is_empty(), "no effects without the BQL");
        outcome
    }

    /// A stalling request under the BQL; returns the STAG of its record.
    pub fn stall(&mut self, addr: u64, tag: u64) -> u16 {
        assert_eq!(self.translate(addr, Some(tag)).0, Outcome::Waiting);
        let record = self.event().expect("a stall record");
        let second = Event1::from(record[1]);
        assert_eq!((Event0::from(record[0]).event(), second.stall()), (0x10, 1));
        second.stag() as u16
    }
}

#[test]
fn accesses_of_other_shapes_do_nothing() {
    let rig = Rig::new(4);
    for (offset, size) in [(0, 1), (0, 2), (2, 4), (4, 8), (0x2_0000, 4), (0x1_fffc, 8), (0, 16), (0, 0)] {
        assert_eq!(rig.smmu.mmio_read(offset, size), 0, "{offset:#x} {size}");
        assert!(rig.smmu.mmio_write(&rig.mem, offset, u64::MAX, size).0.is_empty());
    }
    let f = Features::default();
    assert_eq!(rig.smmu.mmio_read(0, 8), u64::from(f.idr0()) | u64::from(f.idr1()) << 32);
    rig.write(reg::CR0, 0);
    rig.write64(reg::CMDQ_BASE, 0x0000_0012_3456_0007);
    assert_eq!(rig.smmu.mmio_read(reg::CMDQ_BASE, 8), 0x0000_0012_3456_0007);
    assert_eq!((rig.read(reg::CMDQ_BASE), rig.read(reg::CMDQ_BASE + 4)), (0x3456_0007, 0x12));
    rig.write64(reg::CMDQ_PROD, 5 << 32 | 6);
    assert_eq!((rig.read(reg::CMDQ_PROD), rig.read(reg::CMDQ_CONS)), (6, 5));
}

#[test]
fn disabled_means_bypass_or_abort() {
    let rig = Rig::new(4);
    rig.write(reg::CR0, 0);
    let (outcome, _) = rig.translate(0x1234_5678, None);
    let Outcome::Translated { translation, epoch } = outcome else { panic!("{outcome:?}") };
    assert_eq!((translation.addr, translation.page_mask), (0x1234_5678, u64::MAX));
    assert!(translation.perm.read && translation.perm.write && translation.perm.exec);
    assert!(!rig.smmu.end(epoch));
    rig.write(reg::GBPA, 1 << 31 | 1 << 20);
    assert_eq!(rig.translate(0x1234_5678, Some(1)), (Outcome::Aborted, vec![]));
    assert_eq!(rig.smmu.epochs.in_flight(), 0);
    rig.write(reg::CR0, 1);
    rig.map(0x1234_5000);
    assert!(
        matches!(rig.translate(0x1234_5678, None).0, Outcome::Translated { .. }),
        "GBPA is for SMMUEN = 0"
    );
}

#[test]
fn translation_sees_the_registers() {
    let rig = Rig::new(4);
    rig.write(reg::CR0, 0);
    rig.write64(reg::STRTAB_BASE, 0x4000_0000_1240_0000);
    rig.write(reg::STRTAB_BASE_CFG, 1 << 16 | 8 << 6 | 16);
    rig.write(reg::CR2, 0);
    rig.write(reg::CR0, 0xd);
    rig.translate(0x1000, None);
    let expected = StreamTable {
        base: 0x1240_0000,
        log2size: 16,
        split: 8,
        two_level: true,
        record_bad_stream: false,
        e2h: false,
        check_ats: false,
    };
    assert_eq!(lock(&rig.smmu.engine.tables).last(), Some(&expected));
}

#[test]
fn statistics() {
    let mut rig = Rig::stalling();
    rig.command(tlbi_asid(1));
    rig.command(sync());
    let stag = rig.stall(0x1000, 1);
    rig.command(resume(8, stag, 0, 1));
    let stats = rig.smmu.stats();
    assert_eq!((stats.commands, stats.syncs, stats.events, stats.stalls), (3, 1, 1, 1));
    assert_eq!((stats.resumed_abort, stats.resumed_retry, stats.stall_terms), (1, 0, 0));
    assert!(stats.json().contains("\"resumed-abort\":1"));
}
