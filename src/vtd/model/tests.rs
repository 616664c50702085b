// SPDX-License-Identifier: GPL-2.0-or-later
//! The model, driven through its registers and queues, with an engine that answers as it is told.

use std::collections::HashSet;

use super::super::fault::FaultReason;
use super::super::spec::registers as reg;
use super::super::translate::{TableSource, Translate, TranslatorStats};
use super::queue::{DEFERRED, DESCRIPTORS_AT_ONCE};
use super::*;
use crate::iommu::testing::TestMemory;
use crate::iommu::{Access, AtsTranslation, PageResponseCode, Permissions, StreamId};

mod assigned;
mod faults;
mod guest;
mod interrupts;
mod isolation;
mod linux;
mod migration;
mod outside;
mod page_requests;
mod queue;
mod registers;

/// Maps what is in `mapped`, page by page, one to one; everything else faults as `fault` says.
#[derive(Debug)]
pub(super) struct Script {
    pub mapped: Mutex<HashSet<u64>>,
    pub fault: Mutex<(FaultReason, bool)>,
    /// What page requests and translated requests meet.
    pub refusal: Mutex<Option<FaultReason>>,
    pub invalidations: Mutex<Vec<Invalidation>>,
    pub tables: Mutex<Vec<RootTable>>,
    /// Domains with pages of first stages.
    pub first_stages: Mutex<HashSet<u16>>,
    /// Largest page answered in parts.
    pub in_parts: Mutex<u8>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            mapped: Mutex::default(),
            fault: Mutex::new((FaultReason::FirstStageNotPresent, true)),
            refusal: Mutex::default(),
            invalidations: Mutex::default(),
            tables: Mutex::default(),
            first_stages: Mutex::default(),
            in_parts: Mutex::default(),
        }
    }
}

impl Translate for Script {
    type Tables = RootTable;
    type Fault = Fault;
    type Invalidation = Invalidation;

    fn translate(
        &self,
        _: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<Translation, Fault> {
        lock(&self.tables).push(tables.tables());
        if lock(&self.mapped).contains(&(req.addr >> 12)) {
            let perm = Permissions { read: true, write: true, exec: false };
            return Ok(Translation { addr: req.addr, page_mask: 0xfff, perm });
        }
        let (reason, record) = *lock(&self.fault);
        Err(Fault { reason, request: *req, record })
    }

    fn ats_translate(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<AtsTranslation, Fault> {
        match self.translate(mem, tables, req) {
            Ok(found) => Ok(AtsTranslation {
                addr: found.addr & !0xfff,
                log2size: 12,
                read: true,
                write: true,
                ..AtsTranslation::default()
            }),
            Err(fault) if fault.reason.is_recoverable() => Ok(AtsTranslation::default()),
            Err(fault) => Err(fault),
        }
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
    fn check(
        &self,
        _: &dyn GuestMemory,
        _: &TableSource<'_>,
        req: &DmaRequest,
        _: RequestKind,
    ) -> Result<(), Fault> {
        match *lock(&self.refusal) {
            Some(reason) => Err(Fault { reason, request: *req, record: true }),
            None => Ok(()),
        }
    }

    fn has_pages_of_first_stages(&self, did: u16) -> bool {
        lock(&self.first_stages).contains(&did)
    }

    fn largest_page_in_parts(&self) -> u8 {
        *lock(&self.in_parts)
    }
}

pub(super) const QUEUE: u64 = 0x4000_0000;
pub(super) const PAGE_QUEUE: u64 = 0x5000_0000;
pub(super) const ROOT: u64 = 0x6000_0000;
pub(super) const INTERRUPTS: u64 = 0x7000_0000;
pub(super) const FAULT_MSI: (u64, u32) = (0xfee0_1000, 0x31);
pub(super) const QUEUE_MSI: (u64, u32) = (0xfee0_2000, 0x32);
pub(super) const PAGE_MSI: (u64, u32) = (0xfee0_3000, 0x33);
/// Where the wait descriptors of [`wait`] write.
pub(super) const STATUS: u64 = 0x8000_0000;

/// A driver in miniature: scalable mode, 256-bit descriptors in one page, everything enabled.
pub(super) struct Rig {
    pub mem: TestMemory,
    pub vtd: Vtd<Script>,
    pub tail: u64,
}

pub(super) fn msi((addr, data): (u64, u32)) -> Effect {
    Effect::WriteMsi { addr, data }
}

pub(super) fn status(data: u32) -> Effect {
    Effect::WriteMemory { addr: STATUS, data }
}

pub(super) fn ask_page(itag: u32, stream: StreamId, pasid: u32, addr: u64) -> Effect {
    Effect::AtsInvalidate { itag, stream, substream: Some(pasid), global: false, addr, mask: 0xfff }
}

pub(super) fn unmap(addr: u64, mask: u64) -> Effect {
    Effect::UnmapNotify { stream: None, substream: None, addr, mask }
}

// Descriptors, as Linux writes them.

/// `SW`, with that status.
pub(super) fn wait(data: u32) -> [u64; 4] {
    [u64::from(data) << 32 | 1 << 5 | 5, STATUS, 0, 0]
}

/// All of a PASID in domain 1.
pub(super) fn pasid_iotlb(pasid: u64) -> [u64; 4] {
    [pasid << 32 | 1 << 16 | 2 << 4 | 6, 0, 0, 0]
}

/// One page of a PASID in domain 1.
pub(super) fn pasid_page(pasid: u64, addr: u64) -> [u64; 4] {
    [pasid << 32 | 1 << 16 | 3 << 4 | 6, addr, 0, 0]
}

/// One page of a PASID in an endpoint.
pub(super) fn device_page(source: u64, pasid: u64, addr: u64) -> [u64; 4] {
    [pasid << 32 | source << 16 | 8, addr, 0, 0]
}

pub(super) fn request(addr: u64) -> DmaRequest {
    let access = Access { read: true, ..Access::default() };
    DmaRequest { stream: 0x18, substream: Some(3), addr, access, tag: None }
}

impl Rig {
    pub fn new() -> Self {
        Self::with(Features::default())
    }

    pub fn with(features: Features) -> Self {
        let rig =
            Self { mem: TestMemory::new(), vtd: Vtd::with_engine(features, Script::default()), tail: 0 };
        rig.write64(reg::IQT, 0);
        rig.write64(reg::IQA, QUEUE | if features.scalable { 0x800 } else { 0 });
        rig.write64(reg::PQA, PAGE_QUEUE);
        for (at, (addr, data)) in [(reg::FECTL, FAULT_MSI), (reg::IECTL, QUEUE_MSI), (reg::PECTL, PAGE_MSI)] {
            rig.write(at + 4, data);
            rig.write(at + 8, addr as u32);
            rig.write(at, 0);
        }
        rig.write64(reg::RTADDR, ROOT | if features.scalable { 0x400 } else { 0 });
        rig.write(reg::GCMD, 1 << 30);
        rig.write(reg::GCMD, 1 << 26);
        rig.write(reg::GCMD, 1 << 31 | 1 << 26);
        lock(&rig.vtd.engine.invalidations).clear();
        rig
    }

    pub fn map(&self, addr: u64) {
        lock(&self.vtd.engine.mapped).insert(addr >> 12);
    }

    pub fn fault(&self, reason: FaultReason, record: bool) {
        *lock(&self.vtd.engine.fault) = (reason, record);
    }

    pub fn refuse(&self, reason: FaultReason) {
        *lock(&self.vtd.engine.refusal) = Some(reason);
    }

    pub fn invalidations(&self) -> Vec<Invalidation> {
        lock(&self.vtd.engine.invalidations).clone()
    }

    pub fn write(&self, offset: u64, value: u32) -> Vec<Effect> {
        self.vtd.mmio_write(&self.mem, offset, value.into(), 4).0
    }

    pub fn write64(&self, offset: u64, value: u64) -> Vec<Effect> {
        self.vtd.mmio_write(&self.mem, offset, value, 8).0
    }

    pub fn read(&self, offset: u64) -> u32 {
        self.vtd.mmio_read(offset, 4) as u32
    }

    pub fn read64(&self, offset: u64) -> u64 {
        self.vtd.mmio_read(offset, 8)
    }

    /// Puts a descriptor in the queue without telling.
    pub fn put(&mut self, descriptor: [u64; 4]) {
        self.mem.put_all(QUEUE + self.tail, &descriptor);
        self.tail = (self.tail + 32) % 4096;
    }

    pub fn kick(&self) -> Vec<Effect> {
        self.write64(reg::IQT, self.tail)
    }

    pub fn submit(&mut self, descriptors: &[[u64; 4]]) -> Vec<Effect> {
        for descriptor in descriptors {
            self.put(*descriptor);
        }
        self.kick()
    }

    pub fn run(&self) -> Vec<Effect> {
        self.vtd.run_pending(&self.mem).0
    }

    pub fn is_drained(&self) -> bool {
        self.read64(reg::IQH) == self.tail
    }

    pub fn translate(&self, addr: u64) -> (Outcome, Vec<Effect>) {
        let (outcome, effects) = self.vtd.translate(&self.mem, &request(addr), true);
        (outcome, effects.0)
    }

    /// An access that has begun; its epoch.
    pub fn begin(&self, addr: u64) -> u64 {
        self.map(addr);
        match self.translate(addr).0 {
            Outcome::Translated { epoch, .. } => epoch,
            Outcome::Aborted | Outcome::Waiting => panic!("aborted"),
        }
    }

    pub fn record(&self, number: u64) -> [u64; 2] {
        [self.read64(0x220 + 16 * number), self.read64(0x228 + 16 * number)]
    }
}

#[test]
fn accesses_of_other_shapes_do_nothing() {
    let rig = Rig::new();
    for (offset, size) in [(0, 1), (0, 2), (2, 4), (4, 8), (0x1000, 4), (0xffc, 8), (0, 16), (0, 0)] {
        assert_eq!(rig.vtd.mmio_read(offset, size), 0, "{offset:#x} {size}");
        assert!(rig.vtd.mmio_write(&rig.mem, offset, u64::MAX, size).0.is_empty());
    }
    let f = Features::default();
    assert_eq!((rig.read64(reg::CAP), rig.read64(reg::ECAP)), (f.cap(), f.ecap()));
    assert_eq!(rig.read(reg::VER), 0x10);
}

#[test]
fn disabled_means_one_to_one() {
    let rig = Rig::new();
    assert_eq!(rig.write(reg::GCMD, 1 << 26), [Effect::UNMAP_ALL]);
    let plain = DmaRequest { substream: None, ..request(0x1234_5678) };
    let (outcome, effects) = rig.vtd.translate(&rig.mem, &plain, true);
    let Outcome::Translated { translation, epoch } = outcome else { panic!("{outcome:?}") };
    assert_eq!((translation.addr, translation.page_mask, effects.0.len()), (0x1234_5678, 0x7fff_ffff, 0));
    assert!(!rig.vtd.end(epoch));
    // Nothing gives an address space or a device's cache a meaning.
    assert_eq!(rig.translate(0x1000), (Outcome::Aborted, vec![]));
    assert_eq!(rig.vtd.ats(&rig.mem, &request(0x1000), 0x1000, true).0, AtsOutcome::Unsupported);
    assert_eq!(rig.vtd.translated(&rig.mem, &request(0x1000), true).0, Outcome::Aborted);
    assert_eq!(rig.vtd.epochs.in_flight(), 0);
}

#[test]
fn the_root_table_counts_when_it_is_taken_over() {
    let rig = Rig::new();
    rig.write64(reg::RTADDR, 0x1234_5000 | 0xc00);
    rig.translate(0x1000);
    assert_eq!(lock(&rig.vtd.engine.tables).pop(), Some(RootTable { rtaddr: ROOT | 0x400 }));
    let effects = rig.write(reg::GCMD, 1 << 31 | 1 << 30 | 1 << 26);
    assert_eq!(effects, [Effect::UNMAP_ALL]);
    assert_eq!(rig.invalidations(), [Invalidation::All], "CAP.ESRTPS");
    rig.translate(0x1000);
    assert_eq!(lock(&rig.vtd.engine.tables).pop(), Some(RootTable { rtaddr: 0x1234_5000 | 0xc00 }));
    assert_eq!(rig.read(reg::GSTS), 1 << 31 | 1 << 30 | 1 << 26);
}

#[test]
fn translation_requests() {
    let rig = Rig::new();
    rig.map(0x5000);
    let (outcome, _) = rig.vtd.ats(&rig.mem, &request(0x5123), 0x1000, true);
    let AtsOutcome::Success(found) = outcome else { panic!("{outcome:?}") };
    assert_eq!((found.addr, found.read, found.write), (0x5000, true, true));
    let (outcome, effects) = rig.vtd.ats(&rig.mem, &request(0x6000), 0x1000, true);
    assert!(matches!(outcome, AtsOutcome::Success(found) if !found.read && !found.write));
    assert!(effects.0.is_empty(), "recoverable: not recorded");
    rig.fault(FaultReason::DeviceTlbDisabled, true);
    let (outcome, effects) = rig.vtd.ats(&rig.mem, &request(0x6000), 0x1000, true);
    assert_eq!((outcome, effects.0), (AtsOutcome::Unsupported, vec![msi(FAULT_MSI)]));
    assert_eq!(rig.record(0)[1] >> 60 & 0b11, 1, "AT");
    let stats = rig.vtd.stats();
    assert_eq!((stats.ats_requests, stats.ats_failed, stats.fault_records), (3, 2, 1));
    assert_eq!(rig.vtd.epochs.in_flight(), 0);
}

#[test]
fn translated_requests() {
    let rig = Rig::new();
    let (outcome, _) = rig.vtd.translated(&rig.mem, &request(0x5123), true);
    let Outcome::Translated { translation, epoch } = outcome else { panic!("{outcome:?}") };
    assert_eq!(translation.addr, 0x5123);
    assert!(!rig.vtd.end(epoch));
    rig.refuse(FaultReason::DeviceTlbDisabled);
    let (outcome, effects) = rig.vtd.translated(&rig.mem, &request(0x5123), true);
    assert_eq!((outcome, effects.0), (Outcome::Aborted, vec![msi(FAULT_MSI)]));
    assert_eq!(rig.record(0)[1] >> 60 & 0b11, 2, "AT");
}
