// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest's tables, for unit tests.

use std::sync::atomic::{AtomicU64, Ordering};

use super::config::RootTable;
use super::spec::context::{Context0, Context1, ScalableContext0, ScalableContext1};
use super::spec::pasid::{Pasid0, Pasid1, Pasid2, PasidDirectory, pgtt};
use super::spec::pte::{FirstStage, SecondStage};
use super::spec::root::Root;
use crate::iommu::testing::TestMemory;
use crate::iommu::{Access, DmaRequest};

pub const SID: u32 = 0x0118;
pub const READ: Access = Access { read: true, write: false, exec: false, privileged: false };
pub const WRITE: Access = Access { read: false, write: true, exec: false, privileged: false };
pub const NOTHING: Access = Access { read: false, write: false, exec: false, privileged: false };
pub const EXEC: Access = Access { read: true, write: false, exec: true, privileged: false };

pub fn privileged(access: Access) -> Access {
    Access { privileged: true, ..access }
}

pub fn request(pasid: Option<u32>, addr: u64, access: Access) -> DmaRequest {
    DmaRequest { stream: SID, substream: pasid, addr, access, tag: None }
}

/// Paging tables of one stage.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    pub root: u64,
    pub levels: u32,
    second: bool,
    /// What pointers to these tables exceed their place in memory by.
    pub offset: u64,
}

pub fn user_rw() -> u64 {
    FirstStage::default().with_p(1).with_rw(1).with_us(1).bits()
}

pub fn user_ro() -> u64 {
    FirstStage::default().with_p(1).with_us(1).bits()
}

pub fn kernel_rw() -> u64 {
    FirstStage::default().with_p(1).with_rw(1).bits()
}

pub fn kernel_ro() -> u64 {
    FirstStage::default().with_p(1).bits()
}

pub fn ss_rw() -> u64 {
    SecondStage::default().with_r(1).with_w(1).bits()
}

pub fn ss_ro() -> u64 {
    SecondStage::default().with_r(1).bits()
}

pub fn ss_wo() -> u64 {
    SecondStage::default().with_w(1).bits()
}

/// The tables of one function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its context entry.
    pub context: u64,
    /// Its PASID directory.
    pub directory: u64,
}

pub struct TestGuest {
    pub mem: TestMemory,
    next: AtomicU64,
    pub root: u64,
}

impl TestGuest {
    pub fn new() -> Self {
        let guest = Self { mem: TestMemory::new(), next: AtomicU64::new(0x10_0000), root: 0 };
        let root = guest.page();
        Self { root, ..guest }
    }

    pub fn page(&self) -> u64 {
        self.next.fetch_add(0x1000, Ordering::Relaxed)
    }

    /// First page that was not given away.
    pub fn top(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    pub fn scalable_root(&self) -> RootTable {
        RootTable { rtaddr: self.root | 0b01 << 10 }
    }

    pub fn legacy_root(&self) -> RootTable {
        RootTable { rtaddr: self.root }
    }

    /// The context table of a function, made if it is missing.
    fn contexts(&self, at: u64) -> u64 {
        let root = Root::from(self.mem.get(at));
        if root.p() != 0 {
            return root.ctp() << 12;
        }
        let contexts = self.page();
        self.mem.put(at, Root::default().with_p(1).with_ctp(contexts >> 12).bits());
        contexts
    }

    /// A scalable mode context entry that allows everything, with an empty directory for 20-bit PASIDs.
    pub fn function(&self, sid: u32) -> Function {
        let (bus, devfn) = (u64::from(sid >> 8), u64::from(sid & 0xff));
        let contexts = self.contexts(self.root + bus * 16 + (devfn >> 7) * 8);
        let context = contexts + (devfn & 0x7f) * 32;
        let directory = self.page();
        // 2^14 entries take 32 pages.
        self.next.fetch_add(31 << 12, Ordering::Relaxed);
        let function = Function { context, directory };
        self.mem.put_all(context, &[self.context0(function).bits(), 0, 0, 0]);
        function
    }

    pub fn context0(&self, function: Function) -> ScalableContext0 {
        ScalableContext0::default()
            .with_p(1)
            .with_dte(1)
            .with_paside(1)
            .with_pre(1)
            .with_pdts(7)
            .with_pasiddirptr(function.directory >> 12)
    }

    pub fn set_context(&self, function: Function, entry0: ScalableContext0, entry1: ScalableContext1) {
        self.mem.put_all(function.context, &[entry0.bits(), entry1.bits(), 0, 0]);
    }

    pub fn set_legacy_context(&self, sid: u32, entry0: Context0, entry1: Context1) -> u64 {
        let (bus, devfn) = (u64::from(sid >> 8), u64::from(sid & 0xff));
        let at = self.contexts(self.root + bus * 16) + devfn * 16;
        self.mem.put_all(at, &[entry0.bits(), entry1.bits()]);
        at
    }

    pub fn directory_entry(&self, function: Function, pasid: u32) -> u64 {
        function.directory + u64::from(pasid >> 6) * 8
    }

    /// Where a PASID's table entry is; its table is made if it is missing.
    pub fn pasid_entry(&self, function: Function, pasid: u32) -> u64 {
        let at = self.directory_entry(function, pasid);
        let mut directory = PasidDirectory::from(self.mem.get(at));
        if directory.p() == 0 {
            directory = directory.with_p(1).with_smptblptr(self.page() >> 12);
            self.mem.put(at, directory.bits());
        }
        (directory.smptblptr() << 12) + u64::from(pasid & 63) * 64
    }

    pub fn set_pasid(&self, function: Function, pasid: u32, entry: &PasidEntry) {
        let at = self.pasid_entry(function, pasid);
        // The present bit comes last.
        self.mem.put(at, 0);
        self.mem.put_all(at + 8, &[entry.1.bits(), entry.2.bits(), 0, 0, 0, 0, 0]);
        self.mem.put(at, entry.0.bits());
    }

    pub fn first_stage(&self, levels: u32) -> Tables {
        Tables { root: self.page(), levels, second: false, offset: 0 }
    }

    /// First-stage tables that are found through a second stage, `offset` above where they are.
    pub fn nested(&self, levels: u32, offset: u64) -> Tables {
        Tables { offset, ..self.first_stage(levels) }
    }

    pub fn second_stage(&self, levels: u32) -> Tables {
        Tables { root: self.page(), levels, second: true, offset: 0 }
    }

    /// Where the entry for `addr` that maps `1 << shift` bytes is; the tables above it are made.
    pub fn entry(&self, tables: &Tables, addr: u64, shift: u32) -> u64 {
        let mut table = tables.root;
        let mut at_shift = 12 + 9 * (tables.levels - 1);
        loop {
            let at = table + (addr >> at_shift & 0x1ff) * 8;
            if at_shift == shift {
                return at;
            }
            let mut pte = self.mem.get(at);
            if pte & 1 == 0 {
                let flags = if tables.second { ss_rw() } else { user_rw() };
                pte = (self.page() + tables.offset) | flags;
                self.mem.put(at, pte);
            }
            table = (pte & 0x000f_ffff_ffff_f000) - tables.offset;
            at_shift -= 9;
        }
    }

    /// Maps one page, and says where its entry is.
    pub fn map(&self, tables: &Tables, addr: u64, to: u64, shift: u32, flags: u64) -> u64 {
        let at = self.entry(tables, addr, shift);
        let large = if shift > 12 { 1 << 7 } else { 0 };
        self.mem.put(at, to | flags | large);
        at
    }
}

/// Bits 191:0 of a PASID table entry.
#[derive(Clone, Copy, Debug, Default)]
pub struct PasidEntry(pub Pasid0, pub Pasid1, pub Pasid2);

fn pasid(kind: u64, did: u16) -> PasidEntry {
    PasidEntry(
        Pasid0::default().with_p(1).with_pgtt(kind).with_aw(2),
        Pasid1::default().with_did(did.into()).with_pwsnp(1),
        Pasid2::default(),
    )
}

pub fn pasid_first(tables: &Tables, did: u16) -> PasidEntry {
    let PasidEntry(entry0, entry1, entry2) = pasid(pgtt::FIRST_STAGE, did);
    let fspm = u64::from(tables.levels == 5);
    PasidEntry(entry0, entry1, entry2.with_fsptptr((tables.root + tables.offset) >> 12).with_fspm(fspm))
}

pub fn pasid_second(tables: &Tables, did: u16) -> PasidEntry {
    let PasidEntry(entry0, entry1, entry2) = pasid(pgtt::SECOND_STAGE, did);
    let aw = u64::from(tables.levels) - 2;
    PasidEntry(entry0.with_ssptptr(tables.root >> 12).with_aw(aw), entry1, entry2)
}

pub fn pasid_nested(first: &Tables, second: &Tables, did: u16) -> PasidEntry {
    let (first, second) = (pasid_first(first, did), pasid_second(second, did));
    PasidEntry(second.0.with_pgtt(pgtt::NESTED), second.1, first.2)
}

pub fn pasid_pass_through(did: u16) -> PasidEntry {
    pasid(pgtt::PASS_THROUGH, did)
}
