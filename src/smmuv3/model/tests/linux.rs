// SPDX-License-Identifier: GPL-2.0-or-later
//! What an unmodified Linux does: its probe, its polling for SYNCs, and a page fault from end to end with real tables.

use super::*;
use crate::smmuv3::spec::cd::Cd0;
use crate::smmuv3::testing::{TestGuest, cd, edit_cd, ste_stage1, user_rw};

fn off<E: Engine>(engine: E, log2size: u32) -> Rig<E> {
    let smmu = Smmu::with_engine(Features::default(), engine);
    Rig { mem: TestMemory::new(), smmu, log2size, prod: 0, cons: 0 }
}

fn real() -> Translator {
    Translator::new(Features::default(), 64)
}

#[test]
fn probe_sequence() {
    let mut rig = off(Script::default(), 8);
    // Identification: S1P, AArch64, little-endian, no preset tables or queues, a queue for a batch of 64 and a SYNC.
    let (idr0, idr1) = (rig.read(0), rig.read(4));
    assert_eq!((idr0 >> 1 & 1, idr0 >> 2 & 3, idr0 >> 21 & 3, idr1 >> 28), (1, 2, 0, 0));
    assert!(idr1 >> 21 & 0x1f > 6);
    // Disabled, with an Update of GBPA only if it was enabled before.
    assert_eq!(rig.read(reg::CR0), 0);
    rig.write(reg::CR0, 0);
    assert_eq!(rig.read(reg::CR0ACK), 0);
    // CR1: inner shareable, write-back everything. CR2: PTM and RECINVSID, of which PTM is not there.
    rig.write(reg::CR1, 3 << 10 | 1 << 8 | 1 << 6 | 3 << 4 | 1 << 2 | 1);
    assert_eq!(rig.read(reg::CR1), 0xd75);
    rig.write(reg::CR2, 1 << 2 | 1 << 1);
    rig.write64(reg::STRTAB_BASE, 1 << 62 | 0x8000_0000);
    rig.write(reg::STRTAB_BASE_CFG, 1 << 16 | 8 << 6 | 16);
    rig.write64(reg::CMDQ_BASE, 1 << 62 | CMDQ | 8);
    rig.write(reg::CMDQ_PROD, 0);
    rig.write(reg::CMDQ_CONS, 0);
    rig.write(reg::CR0, 8);
    assert_eq!(rig.read(reg::CR0ACK), 8);
    for command in [cfgi_all(), sync(), [op::TLBI_NSNH_ALL.into(), 0], sync()] {
        rig.command(command);
    }
    assert!(rig.is_drained());
    assert_eq!(rig.invalidations()[0], Invalidation::All);
    assert_eq!(rig.smmu.stats().syncs, 2);
    rig.write64(reg::EVENTQ_BASE, 1 << 62 | EVENTQ | 7);
    rig.write(reg::EVENTQ_PROD, 0);
    rig.write(reg::EVENTQ_CONS, 0);
    rig.write(reg::CR0, 0xc);
    assert_eq!(rig.read(reg::CR0ACK), 0xc);
    // Interrupts: off, MSIs cleared, on.
    rig.write(reg::IRQ_CTRL, 0);
    assert_eq!(rig.read(reg::IRQ_CTRLACK), 0);
    rig.write64(reg::GERROR_IRQ_CFG0, 0);
    rig.write64(reg::EVENTQ_IRQ_CFG0, 0);
    rig.write64(0xd0, 0);
    rig.write(reg::IRQ_CTRL, 5);
    assert_eq!(rig.read(reg::IRQ_CTRLACK), 5);
    rig.write(reg::CR0, 0xd);
    assert_eq!(rig.read(reg::CR0ACK), 0xd);
    // A device is translated by the tables from now on, and events are told by wire alone.
    assert_eq!(rig.translate(0x1000, None).1, [pulse(reg::IRQ_EVENTQ)]);
    assert_eq!(lock(&rig.smmu.engine.tables)[0].base, 0x8000_0000);
}

#[test]
fn polling_the_slot_of_a_sync() {
    // IDR0.MSI and coherency: each SYNC writes 0 over its own first word, which Linux polls.
    let mut rig = Rig::new(4);
    for round in 0..40u64 {
        let slot = CMDQ + 16 * (round % 16);
        let effects = rig.command(sync_msi(slot, 0));
        assert_eq!(effects, [pulse(reg::IRQ_SYNC), msi((slot, 0))]);
        assert!(rig.is_drained(), "consumption is observable first");
        rig.mem.write(slot, &[0; 4]).unwrap();
    }
}

#[test]
fn a_page_fault_from_end_to_end() {
    let mut guest = TestGuest::new();
    let streams = guest.linear_streams(4);
    let contexts = guest.contexts(2, 0);
    let tables = guest.tables(12, 48);
    guest.set_ste(&streams, 8, &ste_stage1(contexts.base, 2, 0, 0));
    guest.set_cd(&contexts, 3, &edit_cd(cd(&tables, 1), |cd0| Cd0::with_s(cd0, 1)));
    let mut rig = off(real(), 6);
    std::mem::swap(&mut rig.mem, &mut guest.mem);
    rig.write64(reg::STRTAB_BASE, streams.base);
    rig.write(reg::STRTAB_BASE_CFG, streams.log2size.into());
    rig.start(6);
    let va = 0x7fff_1234_5678;
    let stag = rig.stall(va, 0x51);
    let stats = rig.smmu.stats();
    assert_eq!((stats.translator.faults, stats.stalls, stats.translator.walks), (1, 1, 1));
    // The kernel maps the page and answers; what was invalid needs no invalidation.
    std::mem::swap(&mut rig.mem, &mut guest.mem);
    guest.map(&tables, va, 0x9_8765_4000, 3, user_rw());
    std::mem::swap(&mut rig.mem, &mut guest.mem);
    assert_eq!(rig.command(retry(8, stag)), [resolved(8, 0x51, true)]);
    let (outcome, _) = rig.translate(va, Some(0x51));
    let Outcome::Translated { translation, epoch } = outcome else { panic!("{outcome:?}") };
    assert_eq!(translation.addr, 0x9_8765_4678);
    assert!(!rig.smmu.end(epoch));
    assert_eq!(rig.smmu.stats().resumed_retry, 1);
}

#[test]
fn bad_stream_ids_by_recinvsid() {
    for (cr2, events) in [(0, 0), (2, 1)] {
        let rig = off(real(), 6);
        rig.write(reg::STRTAB_BASE_CFG, 3);
        rig.start(6);
        rig.write(reg::CR0, 0);
        rig.write(reg::CR2, cr2);
        rig.write(reg::CR0, 0xd);
        assert_eq!(rig.translate(0, None).0, Outcome::Aborted, "StreamID 8 of 8");
        assert_eq!(rig.smmu.stats().events, events);
    }
}
