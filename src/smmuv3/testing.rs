// SPDX-License-Identifier: GPL-2.0-or-later
//! A driver in miniature for unit tests: stream tables, CDs and page tables in a [`TestMemory`], filled in as Linux
//! does it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::config::StreamTable;
use super::spec::cd::{CD_BYTES, CD_WORDS, Cd0, Cd1, Cd2, Cd3, L1Cd};
use super::spec::pte::{Pte, S2Pte};
use super::spec::ste::{L1Std, STE_BYTES, STE_WORDS, Ste0, Ste1, Ste2, Ste3, config, s1fmt};
use crate::iommu::testing::TestMemory;
use crate::iommu::{Access, DmaRequest};

/// A stream table entry.
pub type Ste = [u64; STE_WORDS];
/// A context descriptor.
pub type Cd = [u64; CD_WORDS];

/// `MAIR` as Linux has it for a process: index 0 normal write-back, 1 normal non-cacheable, 2 device.
pub const MAIR: u64 = 0x0000_0000_0004_44ff;

/// Reads of unprivileged data.
pub const READ: Access = Access { read: true, write: false, exec: false, privileged: false };
/// Writes of unprivileged data.
pub const WRITE: Access = Access { read: false, write: true, exec: false, privileged: false };
/// Atomics on unprivileged data.
pub const ATOMIC: Access = Access { read: true, write: true, exec: false, privileged: false };
/// Unprivileged instruction fetches.
pub const FETCH: Access = Access { read: true, write: false, exec: true, privileged: false };

/// The same access, privileged.
pub const fn privileged(access: Access) -> Access {
    Access { privileged: true, ..access }
}

/// A request without a tag.
pub const fn request(stream: u32, substream: Option<u32>, addr: u64, access: Access) -> DmaRequest {
    DmaRequest { stream, substream, addr, access, tag: None }
}

/// A page that anybody may read and write, accessed, not global, not executable.
pub fn user_rw() -> Pte {
    Pte::default().with_ap1(1).with_af(1).with_ng(1).with_sh(3).with_pxn(1).with_uxn(1)
}

/// A page that anybody may read.
pub fn user_ro() -> Pte {
    user_rw().with_ap2(1)
}

/// A writable-clean page: read-only with `DBM`.
pub fn user_clean() -> Pte {
    user_ro().with_dbm(1)
}

/// A page for privileged reads and writes.
pub fn kernel_rw() -> Pte {
    user_rw().with_ap1(0)
}

/// A stage 2 page that may be read and written, accessed, normal memory, executable.
pub fn s2_rw() -> S2Pte {
    S2Pte::default().with_memattr(0b1111).with_s2ap0(1).with_s2ap1(1).with_af(1).with_sh(3)
}

/// A stage 2 page that may be read.
pub fn s2_ro() -> S2Pte {
    s2_rw().with_s2ap1(0)
}

/// A stage 2 page that is writable-clean.
pub fn s2_clean() -> S2Pte {
    s2_ro().with_dbm(1)
}

/// An STE that aborts.
pub fn ste_abort() -> Ste {
    let mut ste = Ste::default();
    ste[0] = Ste0::default().with_v(1).with_config(config::ABORT).bits();
    ste
}

/// An STE that bypasses.
pub fn ste_bypass() -> Ste {
    let mut ste = Ste::default();
    ste[0] = Ste0::default().with_v(1).with_config(config::BYPASS).bits();
    ste[1] = Ste1::default().with_shcfg(1).bits();
    ste
}

/// An STE with stage 1 that points to `2^log2_contexts` CDs at `contexts`, in shape `fmt` ([`s1fmt`]).
pub fn ste_stage1(contexts: u64, log2_contexts: u64, fmt: u64, s1dss: u64) -> Ste {
    let mut ste = Ste::default();
    ste[0] = Ste0::default()
        .with_v(1)
        .with_config(config::S1)
        .with_s1fmt(fmt)
        .with_s1contextptr(contexts >> 6)
        .with_s1cdmax(log2_contexts)
        .bits();
    ste[1] = Ste1::default().with_s1dss(s1dss).with_s1cir(1).with_s1cor(1).with_s1csh(3).bits();
    ste
}

/// The same STE with stage 2 by `tables`, under stage 1 if it has that, else by itself: recording, 48-bit output.
pub fn with_stage2(mut ste: Ste, tables: &Tables, vmid: u16) -> Ste {
    let stage1 = Ste0::from(ste[0]).config() == config::S1;
    ste[0] =
        Ste0::from(ste[0]).with_v(1).with_config(if stage1 { config::NESTED } else { config::S2 }).bits();
    let level = tables.root_level();
    ste[2] = Ste2::default()
        .with_s2vmid(vmid.into())
        .with_s2t0sz(u64::from(64 - tables.input_bits))
        .with_s2sl0(match (tables.granule_log2, level) {
            (12, 3) => 3,
            (12, level) => u64::from(2 - level),
            (_, level) => u64::from(3 - level),
        })
        .with_s2tg(match tables.granule_log2 {
            12 => 0,
            16 => 1,
            _ => 2,
        })
        .with_s2ps(5)
        .with_s2aa64(1)
        .with_s2r(1)
        .bits();
    ste[3] = Ste3::default().with_s2ttb(tables.root >> 4).bits();
    ste
}

/// Changes the third word of an STE.
pub fn edit_ste2(mut ste: Ste, change: impl Fn(Ste2) -> Ste2) -> Ste {
    ste[2] = change(Ste2::from(ste[2])).bits();
    ste
}

/// The CD of a process's address space: `TTB0` only, recording and aborting, 48-bit output.
pub fn cd(tables: &Tables, asid: u16) -> Cd {
    let mut cd = Cd::default();
    cd[0] = Cd0::default()
        .with_t0sz(u64::from(64 - tables.input_bits))
        .with_tg0(match tables.granule_log2 {
            12 => 0,
            16 => 1,
            _ => 2,
        })
        .with_ir0(1)
        .with_or0(1)
        .with_sh0(3)
        .with_epd1(1)
        .with_v(1)
        .with_ips(5)
        .with_aa64(1)
        .with_r(1)
        .with_a(1)
        .with_aset(1)
        .with_asid(asid.into())
        .bits();
    cd[1] = Cd1::default().with_ttb0(tables.root >> 4).bits();
    cd[3] = Cd3::from(MAIR).bits();
    cd
}

/// The same CD, its upper half translated by `tables`.
pub fn with_upper(mut cd: Cd, tables: &Tables) -> Cd {
    cd[0] = Cd0::from(cd[0])
        .with_epd1(0)
        .with_t1sz(u64::from(64 - tables.input_bits))
        .with_tg1(match tables.granule_log2 {
            12 => 2,
            16 => 3,
            _ => 1,
        })
        .bits();
    cd[2] = Cd2::from(cd[2]).with_ttb1(tables.root >> 4).bits();
    cd
}

/// Changes the first word of a CD.
pub fn edit_cd(mut cd: Cd, change: impl Fn(Cd0) -> Cd0) -> Cd {
    cd[0] = change(Cd0::from(cd[0])).bits();
    cd
}

/// Changes the second word of an STE.
pub fn edit_ste1(mut ste: Ste, change: impl Fn(Ste1) -> Ste1) -> Ste {
    ste[1] = change(Ste1::from(ste[1])).bits();
    ste
}

/// A guest with memory to hand out.
#[derive(Debug)]
pub struct TestGuest {
    /// All of it.
    pub mem: TestMemory,
    next: AtomicU64,
}

impl Default for TestGuest {
    fn default() -> Self {
        Self { mem: TestMemory::new(), next: AtomicU64::new(0x4000_0000) }
    }
}

impl TestGuest {
    /// Memory that is zero and starts at 1 GiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// `size` bytes of zeros, aligned to `size` rounded up to a power of two, and to 64 bytes.
    pub fn alloc(&self, size: u64) -> u64 {
        let align = size.next_power_of_two().max(64);
        let claim = |next: u64| Some(next.next_multiple_of(align) + size);
        let old = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim).unwrap();
        old.next_multiple_of(align)
    }

    /// An empty linear stream table of `2^log2size` entries.
    pub fn linear_streams(&self, log2size: u8) -> StreamTable {
        StreamTable {
            base: self.alloc(STE_BYTES << log2size),
            log2size,
            record_bad_stream: true,
            check_ats: true,
            ..StreamTable::default()
        }
    }

    /// An empty two-level stream table; [`set_ste`](Self::set_ste) adds leaves.
    pub fn two_level_streams(&self, log2size: u8, split: u8) -> StreamTable {
        StreamTable {
            base: self.alloc(8 << log2size.saturating_sub(split)),
            log2size,
            split,
            two_level: true,
            record_bad_stream: true,
            e2h: false,
            check_ats: true,
        }
    }

    /// Address of an STE, with whatever leaf it needs.
    pub fn ste_addr(&self, table: &StreamTable, sid: u32) -> u64 {
        let sid = u64::from(sid);
        if !table.two_level {
            return table.base + sid * STE_BYTES;
        }
        let l1 = table.base + 8 * (sid >> table.split);
        if self.mem.get(l1) == 0 {
            let leaf = self.alloc(STE_BYTES << table.split);
            let span = u64::from(table.split) + 1;
            self.mem.put(l1, L1Std::default().with_span(span).with_l2ptr(leaf >> 6).bits());
        }
        let leaf = L1Std::from(self.mem.get(l1)).l2ptr() << 6;
        leaf + (sid & ((1 << table.split) - 1)) * STE_BYTES
    }

    /// Stores an STE.
    pub fn set_ste(&self, table: &StreamTable, sid: u32, ste: &Ste) {
        self.mem.put_all(self.ste_addr(table, sid), ste);
    }

    /// An empty CD table for `2^log2` CDs in shape `fmt`.
    pub fn contexts(&self, log2: u32, fmt: u64) -> Contexts {
        let leaf = match fmt {
            s1fmt::LEAF_4K => 6,
            s1fmt::LEAF_64K => 10,
            _ => return Contexts { base: self.alloc(CD_BYTES << log2), fmt },
        };
        Contexts { base: self.alloc(8 << log2.saturating_sub(leaf)), fmt }
    }

    /// Address of a CD, with whatever leaf it needs.
    pub fn cd_addr(&self, contexts: &Contexts, ssid: u32) -> u64 {
        let leaf_log2 = match contexts.fmt {
            s1fmt::LEAF_4K => 6,
            s1fmt::LEAF_64K => 10,
            _ => return contexts.base + u64::from(ssid) * CD_BYTES,
        };
        let l1 = contexts.base + 8 * u64::from(ssid >> leaf_log2);
        if self.mem.get(l1) == 0 {
            let leaf = self.alloc(CD_BYTES << leaf_log2);
            self.mem.put(l1, L1Cd::default().with_v(1).with_l2ptr(leaf >> 12).bits());
        }
        let leaf = L1Cd::from(self.mem.get(l1)).l2ptr() << 12;
        leaf + u64::from(ssid & ((1 << leaf_log2) - 1)) * CD_BYTES
    }

    /// Stores a CD.
    pub fn set_cd(&self, contexts: &Contexts, ssid: u32, cd: &Cd) {
        self.mem.put_all(self.cd_addr(contexts, ssid), cd);
    }

    /// Empty page tables for `input_bits` of address.
    pub fn tables(&self, granule_log2: u32, input_bits: u32) -> Tables {
        self.concatenated_tables(granule_log2, input_bits, 0)
    }

    /// The same with fewer levels and a larger root.
    pub fn concatenated_tables(&self, granule_log2: u32, input_bits: u32, saved_levels: u32) -> Tables {
        let tables = Tables { root: 0, granule_log2, input_bits, saved_levels };
        let root_bits = input_bits - tables.root_shift();
        Tables { root: self.alloc(8 << root_bits), ..tables }
    }

    /// Maps the page (level 3) or block of `level` that holds `va` to `pa`, with the attributes of `attrs`.
    pub fn map(&self, tables: &Tables, va: u64, pa: u64, level: u32, attrs: Pte) {
        let shift = tables.shift(level);
        let pa = pa & !((1 << shift) - 1);
        let leaf = attrs.with_valid(1).with_table(u64::from(level == 3)).with_addr_47_12(pa >> 12);
        let leaf = if tables.granule_log2 == 16 { leaf.with_addr_51_48(pa >> 48) } else { leaf };
        self.mem.put(self.pte_addr(tables, va, level), leaf.bits());
    }

    /// [`map`](Self::map) of a stage 2 table.
    pub fn map2(&self, tables: &Tables, ipa: u64, pa: u64, level: u32, attrs: S2Pte) {
        self.map(tables, ipa, pa, level, Pte::from(attrs.bits()));
    }

    /// Maps what was allocated so far to itself in a stage 2 table, by the largest blocks of `level`.
    pub fn map_memory(&self, tables: &Tables, level: u32, attrs: S2Pte) {
        let end = self.next.load(Ordering::Relaxed);
        let mut ipa = 0x4000_0000;
        while ipa < end {
            self.map2(tables, ipa, ipa, level, attrs);
            ipa += 1 << tables.shift(level);
        }
    }

    /// Clears the descriptor of `level` that holds `va`.
    pub fn unmap(&self, tables: &Tables, va: u64, level: u32) {
        self.mem.put(self.pte_addr(tables, va, level), 0);
    }

    /// Address of the descriptor of `level` for `va`, with whatever tables it needs.
    pub fn pte_addr(&self, tables: &Tables, va: u64, level: u32) -> u64 {
        let mut at_level = tables.root_level();
        let mut table = tables.root;
        let mut bits = tables.input_bits - tables.root_shift();
        loop {
            let addr = table + 8 * (va >> tables.shift(at_level) & ((1 << bits) - 1));
            if at_level == level {
                return addr;
            }
            if self.mem.get(addr) & 1 == 0 {
                let next = self.alloc(1 << tables.granule_log2);
                let pte = Pte::default().with_valid(1).with_table(1).with_addr_47_12(next >> 12);
                self.mem.put(addr, pte.bits());
            }
            let pte = Pte::from(self.mem.get(addr));
            table = (pte.addr_47_12() << 12) & !((1 << tables.granule_log2) - 1);
            at_level += 1;
            bits = tables.granule_log2 - 3;
        }
    }
}

/// A CD table.
#[derive(Clone, Copy, Debug)]
pub struct Contexts {
    /// `S1ContextPtr`.
    pub base: u64,
    /// `S1Fmt`.
    pub fmt: u64,
}

/// A translation table.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// `TTB`.
    pub root: u64,
    /// Log2 of the granule.
    pub granule_log2: u32,
    /// Bits of input addresses.
    pub input_bits: u32,
    /// How many levels are saved by several tables of the first level that is left (stage 2 only).
    pub saved_levels: u32,
}

impl Tables {
    /// Level of the root table.
    pub fn root_level(&self) -> u32 {
        4 - (self.input_bits - self.granule_log2).div_ceil(self.granule_log2 - 3) + self.saved_levels
    }

    /// Log2 of what a descriptor of `level` maps.
    pub fn shift(&self, level: u32) -> u32 {
        self.granule_log2 + (3 - level) * (self.granule_log2 - 3)
    }

    fn root_shift(&self) -> u32 {
        self.shift(self.root_level())
    }
}
