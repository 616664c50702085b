// SPDX-License-Identifier: GPL-2.0-or-later
//! What translations and invalidations cost: `cargo bench --bench iotlb --no-default-features`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use qemu_iommu::iommu::iotlb::{CachedPage, Iotlb, Span, Tag};
use qemu_iommu::iommu::sequence::Sequence;
use qemu_iommu::iommu::{Access, DmaRequest, GuestMemory, MemoryError};
use qemu_iommu::smmuv3::config::StreamTable;
use qemu_iommu::smmuv3::features::Features;
use qemu_iommu::smmuv3::spec::cd::{Cd0, Cd1};
use qemu_iommu::smmuv3::spec::pte::Pte;
use qemu_iommu::smmuv3::spec::ste::{Ste0, config};
use qemu_iommu::smmuv3::translate::{Invalidation, Pages, Regime, Translate, Translator};

const TAG: Tag = Tag { domain: 0, space: 1 };
const PAGES: u64 = 1024;

/// Guest memory without page faults or holes, from address 0.
struct Ram(Vec<u64>);

impl Ram {
    fn put(&mut self, addr: u64, words: &[u64]) {
        let first = (addr / 8) as usize;
        self.0[first..first + words.len()].copy_from_slice(words);
    }
}

impl GuestMemory for Ram {
    fn read(&self, addr: u64, _: &mut [u8]) -> Result<(), MemoryError> {
        Err(MemoryError { addr })
    }

    fn write(&self, addr: u64, _: &[u8]) -> Result<(), MemoryError> {
        Err(MemoryError { addr })
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        self.0.get((addr / 8) as usize).copied().ok_or(MemoryError { addr })
    }

    fn compare_exchange_u64(&self, addr: u64, _: u64, _: u64) -> Result<Result<(), u64>, MemoryError> {
        Err(MemoryError { addr })
    }
}

/// One stream with one CD, and tables of four levels for 4 MiB of 4 KiB pages at address 0.
fn guest() -> (Ram, StreamTable) {
    const CD: u64 = 0x1000;
    const TABLES: u64 = 0x2000;
    let mut ram = Ram(vec![0; 0x1_0000 / 8]);
    ram.put(0, &[Ste0::default().with_v(1).with_config(config::S1).with_s1contextptr(CD >> 6).bits()]);
    let cd = Cd0::default().with_t0sz(16).with_epd1(1).with_v(1).with_ips(5).with_aa64(1).with_r(1).with_a(1);
    ram.put(CD, &[cd.with_asid(1).bits(), Cd1::default().with_ttb0(TABLES >> 4).bits()]);
    let table = |to: u64| Pte::default().with_valid(1).with_table(1).with_addr_47_12(to >> 12).bits();
    for level in 0..2 {
        ram.put(TABLES + level * 0x1000, &[table(TABLES + (level + 1) * 0x1000)]);
    }
    ram.put(TABLES + 0x2000, &[table(TABLES + 0x3000), table(TABLES + 0x4000)]);
    for page in 0..PAGES {
        let pte = Pte::from(table(0x1000_0000 + page * 0x1000)).with_ap1(1).with_af(1).with_ng(1);
        ram.put(TABLES + 0x3000 + page * 8, &[pte.bits()]);
    }
    (ram, StreamTable { base: 0, log2size: 1, ..StreamTable::default() })
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Nanoseconds of the fastest of some runs.
fn measure(name: &str, per_run: u64, mut run: impl FnMut()) {
    let best = (0..7).map(|_| time(&mut run)).min().unwrap_or_default();
    println!("{name:<58} {:>9.1} ns", best.as_nanos() as f64 / per_run as f64);
}

fn time(run: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

fn page(number: u64) -> CachedPage {
    CachedPage {
        input: number << 12,
        output: number << 12,
        log2size: 12,
        global: false,
        kind: 3,
        attributes: 0,
    }
}

fn iotlb(exact: bool) {
    let (iotlb, sequence) = (Iotlb::new(4096, exact), Sequence::new());
    let fill = |tag, range: std::ops::Range<u64>| {
        range.for_each(|n| {
            iotlb.insert(&sequence, sequence.now(), tag, &page(n));
        });
    };
    let name = if exact { "exact" } else { "default" };
    fill(TAG, 0..PAGES);
    let mut state = 1;
    measure(&format!("{name}: hit, {PAGES} random pages"), 1_000_000, || {
        for _ in 0..1_000_000 {
            black_box(iotlb.lookup(sequence.now(), TAG, (random(&mut state) % PAGES) << 12));
        }
    });
    measure(&format!("{name}: fill"), 4096, || fill(TAG, 0..4096));
    let full = || (0..8).for_each(|space| fill(Tag { space, ..TAG }, 0..512));
    full();
    measure(&format!("{name}: invalidate an address space, IOTLB full"), 1000, || {
        (0..1000).for_each(|_| iotlb.invalidate_space(sequence.advance(), Tag { space: 99, ..TAG }));
    });
    for pages in [1, 16, 256, 1 << 20] {
        let span = Span::new(0x4000_0000, 0x4000_0000 + (pages << 12) - 1);
        measure(&format!("{name}: invalidate {pages} absent pages"), 100, || {
            (0..100).for_each(|_| iotlb.invalidate_span(sequence.advance(), 0, Some(99), &span));
        });
    }
}

fn translator() {
    let (ram, streams) = guest();
    let smmu = Translator::new(Features::default(), 4096);
    let access = Access { read: true, ..Access::default() };
    let ask = |addr| {
        let req = DmaRequest { stream: 0, substream: None, addr, access, tag: None };
        smmu.translate(&ram, &streams, &req).expect("mapped")
    };
    measure("translate: cold, configuration cached, four levels", PAGES, || {
        smmu.invalidate(&Invalidation::Asid { regime: Regime::El1 { vmid: 0 }, asid: 1 });
        (0..PAGES).for_each(|n| {
            black_box(ask(n << 12));
        });
    });
    for threads in [1, 2, 4] {
        const ROUNDS: u64 = 1_000_000;
        let run = || {
            std::thread::scope(|scope| {
                for seed in 1..=threads {
                    scope.spawn(move || {
                        let mut state = seed;
                        (0..ROUNDS).for_each(|_| {
                            black_box(ask((random(&mut state) % PAGES) << 12));
                        });
                    });
                }
            });
        };
        measure(&format!("translate: hit, {threads} threads, per translation of all"), ROUNDS * threads, run);
    }
    measure("translate: CMD_TLBI_NH_VA and miss", PAGES, || {
        (0..PAGES).for_each(|n| {
            let addr = n << 12;
            let pages = Pages { addr, size: 4096, granule_log2: None, level: None, leaf: true };
            let page = Invalidation::Va { regime: Regime::El1 { vmid: 0 }, asid: Some(1), pages };
            smmu.invalidate(&page);
            black_box(ask(addr));
        });
    });
}

fn main() {
    iotlb(false);
    iotlb(true);
    translator();
}
