// SPDX-License-Identifier: GPL-2.0-or-later
use super::*;

#[test]
fn wraps_at_every_size() {
    for log2size in 0..=19u32 {
        let mut rig = Rig::with(Features::default(), log2size, 2);
        // The interesting part is around the wrap: start just before it.
        let start = (1u32 << log2size) - 1;
        for wrap in [0, 1u32 << log2size] {
            rig.write(reg::CR0, 0);
            rig.prod = start | wrap;
            rig.write(reg::CMDQ_CONS, rig.prod);
            rig.write(reg::CMDQ_PROD, rig.prod);
            rig.write(reg::CR0, 8);
            let before = rig.smmu.stats().commands;
            for n in 1..=5 {
                rig.command(tlbi_asid(n));
                assert!(rig.is_drained(), "size {log2size}");
                assert_eq!(rig.smmu.stats().commands - before, u64::from(n));
            }
        }
    }
}

#[test]
fn a_full_queue_is_worked_off_in_parts() {
    let mut rig = Rig::with(Features::default(), 13, 2);
    let entries = 1 << 13;
    for _ in 0..entries {
        rig.put([op::PREFETCH_CONFIG.into(), 0]);
    }
    rig.kick();
    assert_eq!(rig.smmu.stats().commands, u64::from(COMMANDS_AT_ONCE));
    assert!(rig.smmu.needs_run() && !rig.smmu.needs_run());
    rig.run();
    assert!(rig.is_drained() && !rig.smmu.needs_run());
    assert_eq!(rig.smmu.stats().commands, entries);
}

#[test]
fn not_before_the_queue_is_on() {
    let mut rig = Rig::new(4);
    rig.write(reg::CR0, 5);
    rig.command(cfgi_all());
    assert!(rig.invalidations().is_empty());
    rig.write(reg::CR0, 0xd);
    assert_eq!(rig.invalidations().len(), 1, "enabling is enough to start");
}

#[test]
#[cfg(not(feature = "mutation-drop-tlbi"))]
fn invalidations_reach_the_caches_and_the_outside() {
    let mut rig = Rig::new(6);
    let unmap = |stream, addr, mask| Effect::UnmapNotify { stream, substream: None, addr, mask };
    let ste = StreamCommand0::default().with_stream_id(7).with_opcode(op::CFGI_STE.into()).bits();
    assert_eq!(rig.command([ste, 1]), [unmap(Some(7), 0, u64::MAX)]);
    let cd = StreamCommand0::default().with_stream_id(7).with_substream_id(5).with_opcode(op::CFGI_CD.into());
    assert_eq!(rig.command([cd.bits(), 1]), []);
    let va = TlbiCommand0::default().with_opcode(op::TLBI_NH_VA.into()).with_asid(9);
    assert_eq!(rig.command([va.bits(), 0x1234_5000]), [unmap(None, 0x1234_5000, 0xfff)]);
    let range = va.with_num(2).bits();
    assert_eq!(rig.command([range, 0x7000 | 1 << 10]), [unmap(None, 0x7000, 0x2fff)]);
    // The top byte of an address says no more than bit 55.
    assert_eq!(rig.command([va.bits(), 0x5500_0000_1234_5000]), [unmap(None, 0x1234_5000, 0xfff)]);
    assert_eq!(rig.command([va.bits(), 0x0080_0000_1234_5000]), [unmap(None, 0xff80_0000_1234_5000, 0xfff)]);
    rig.put(cfgi_all());
    rig.put(tlbi_asid(1));
    rig.put(tlbi_asid(2));
    assert_eq!(rig.kick(), [unmap(None, 0, u64::MAX)], "one notice serves all");
    assert_eq!(rig.invalidations().len(), 9);
}

#[test]
fn an_illegal_command_stops_the_queue_until_gerrorn() {
    let mut rig = Rig::new(4);
    rig.put(cfgi_all());
    rig.put([0xff, 0]);
    rig.put(cfgi_all());
    let effects = rig.kick();
    assert_eq!(effects[1..], [pulse(reg::IRQ_GERROR), msi(GERROR_MSI)], "after the notice of the first");
    assert_eq!((rig.error(), rig.read(reg::CMDQ_CONS) & 0xf_ffff), (CERROR_ILL, 1));
    assert_eq!((rig.read(reg::GERROR), rig.read(reg::GERRORN)), (1, 0));
    assert_eq!(rig.invalidations().len(), 1);
    // More PROD writes do not help, nor does switching the queue off and on.
    assert_eq!(rig.kick(), []);
    rig.write(reg::CR0, 5);
    rig.write(reg::CR0, 0xd);
    assert_eq!(rig.read(reg::CMDQ_CONS) & 0xf_ffff, 1);
    // Linux makes the bad one a SYNC and acknowledges; PROD is not written.
    rig.mem.put_all(CMDQ + 16, &sync());
    rig.write(reg::GERRORN, 1);
    assert!(rig.is_drained());
    assert_eq!(rig.invalidations().len(), 2);
    // The next error toggles the flag back.
    rig.command([0xfe, 0]);
    assert_eq!((rig.read(reg::GERROR), rig.read(reg::GERRORN)), (0, 1));
    assert_eq!(rig.error(), CERROR_ILL);
    // §7.1: PROD may be moved back as far as CONS meanwhile.
    rig.prod = 3;
    rig.write(reg::CMDQ_PROD, 3);
    rig.write(reg::GERRORN, 0);
    assert!(rig.is_drained());
}

#[test]
fn a_fetch_abort_stops_the_queue() {
    let mut rig = Rig::new(4);
    rig.mem.hole(CMDQ..CMDQ + 16);
    rig.prod = 1;
    assert_eq!(rig.kick(), [pulse(reg::IRQ_GERROR), msi(GERROR_MSI)]);
    assert_eq!((rig.error(), rig.read(reg::CMDQ_CONS) & 0xf_ffff), (CERROR_ABT, 0));
    // Without interrupts the error is the same.
    rig.write(reg::IRQ_CTRL, 0);
    assert_eq!(rig.write(reg::GERRORN, 1), []);
    assert_eq!(rig.read(reg::GERROR), 0);
}

#[test]
fn sync_signals() {
    let mut rig = Rig::new(4);
    assert_eq!(rig.command(sync()), []);
    let irq = pulse(reg::IRQ_SYNC);
    assert_eq!(rig.command(sync_msi(0x8_0000, 0x55)), [irq.clone(), msi((0x8_0000, 0x55))]);
    assert_eq!(rig.command(sync_msi(0, 0x55)), [irq], "no address, no MSI");
    assert_eq!(rig.command(sync_sev()), [Effect::SendEvent]);
    assert_eq!(rig.smmu.stats().syncs, 4);
    // The address is cut to the output size.
    let effects = rig.command(sync_msi(0x00ff_0000_0000_1000, 1));
    assert_eq!(effects[1], msi((0x1000, 1)));
    let mut wired = Rig::with(Features { msi: false, ..Features::default() }, 4, 2);
    assert_eq!(wired.command(sync_msi(0x8_0000, 0x55)), [pulse(reg::IRQ_SYNC)]);
    let reserved = Sync0::default().with_opcode(op::SYNC.into()).with_cs(3).bits();
    rig.command([reserved, 0]);
    assert_eq!(rig.error(), CERROR_ILL);
}

/// §4.7.3, SIG_SEV: who sleeps in WFE until a SYNC is complete is woken when it is, and not before.
#[test]
fn a_sync_wakes_who_sleeps_until_it_is_complete() {
    for adversarial in [false, true] {
        let mut rig = Rig::with(Features { adversarial, ..Features::default() }, 6, 6);
        rig.map(0x1000);
        let Outcome::Translated { epoch, .. } = rig.translate(0x1000, None).0 else { panic!() };
        let mut effects = rig.command(sync_sev());
        while rig.smmu.needs_run() {
            effects.extend(rig.run());
        }
        assert_eq!(effects, []);
        assert!(!rig.is_drained());
        assert!(rig.smmu.end(epoch));
        assert_eq!(rig.run(), [Effect::SendEvent]);
        assert!(rig.is_drained());
        assert_eq!(rig.run(), [], "once");
    }
}

/// Several SYNCs that complete together send one event, and one that fails sends none.
#[test]
fn one_event_serves_all_that_completes_at_once() {
    let mut rig = Rig::new(6);
    (0..3).for_each(|_| rig.put(sync_sev()));
    assert_eq!(rig.kick(), [Effect::SendEvent]);
    rig.put([0xff, 0]);
    rig.put(sync_sev());
    assert!(!rig.kick().contains(&Effect::SendEvent));
}

/// §4.1.2, IDR0.SEV: software that found the queue full sleeps until there is room.
#[test]
fn a_queue_that_was_full_wakes_who_waits_for_room() {
    for log2size in 0..8u32 {
        let mut rig = Rig::with(Features::default(), log2size, 4);
        let entries = 1 << log2size;
        (1..entries).for_each(|_| rig.put([op::PREFETCH_CONFIG.into(), 0]));
        assert_eq!(rig.kick(), [], "size {log2size}: it was not full");
        (0..entries).for_each(|_| rig.put([op::PREFETCH_CONFIG.into(), 0]));
        assert_eq!(rig.kick(), [Effect::SendEvent], "size {log2size}");
    }
    // A SYNC at its head that has to wait keeps it full.
    let mut rig = Rig::new(2);
    rig.map(0x1000);
    let Outcome::Translated { epoch, .. } = rig.translate(0x1000, None).0 else { panic!() };
    rig.put(sync());
    (0..3).for_each(|_| rig.put([op::PREFETCH_CONFIG.into(), 0]));
    assert_eq!(rig.kick(), []);
    assert!(rig.smmu.end(epoch));
    assert_eq!(rig.run(), [Effect::SendEvent]);
    // So does an error, until software has acknowledged it.
    let mut rig = Rig::new(2);
    rig.put([0xff, 0]);
    (0..3).for_each(|_| rig.put([op::PREFETCH_CONFIG.into(), 0]));
    assert!(!rig.kick().contains(&Effect::SendEvent));
    rig.mem.put_all(CMDQ, &sync());
    assert_eq!(rig.write(reg::GERRORN, 1), [Effect::SendEvent]);
}

/// Where no event can be sent, `IDR0.SEV` is 0 and none is.
#[test]
fn without_events_no_cpu_is_woken() {
    let features = Features { sev: false, ..Features::default() };
    assert_eq!(features.idr0() >> 14 & 1, 0);
    assert_eq!(Features::default().idr0() >> 14 & 1, 1);
    let mut rig = Rig::with(features, 2, 2);
    assert_eq!(rig.command(sync_sev()), []);
    (0..4).for_each(|_| rig.put(sync_sev()));
    assert_eq!(rig.kick(), []);
    assert_eq!(rig.smmu.stats().syncs, 5);
}

#[test]
fn a_sync_waits_for_accesses_in_flight() {
    let mut rig = Rig::new(4);
    rig.map(0x1000);
    let Outcome::Translated { epoch: first, .. } = rig.translate(0x1000, None).0 else { panic!() };
    let Outcome::Translated { epoch: second, .. } = rig.translate(0x1000, None).0 else { panic!() };
    rig.put(cfgi_all());
    rig.put(sync_msi(0x8_0000, 0));
    rig.put(cfgi_all());
    let effects = rig.kick();
    assert!(!effects.contains(&msi((0x8_0000, 0))), "{effects:?}");
    assert_eq!(rig.read(reg::CMDQ_CONS), 1, "the SYNC is not consumed");
    assert_eq!(rig.invalidations().len(), 1, "what follows has not begun (§4.7.3)");
    // Accesses that began since do not matter, and more kicks neither.
    let Outcome::Translated { epoch: later, .. } = rig.translate(0x1000, None).0 else { panic!() };
    assert_eq!(rig.kick(), []);
    assert!(!rig.smmu.end(first));
    assert_eq!(rig.run(), []);
    assert!(rig.smmu.end(second), "the last one asks for a run");
    let effects = rig.run();
    assert!(effects.contains(&msi((0x8_0000, 0))), "{effects:?}");
    assert!(rig.is_drained());
    assert_eq!(rig.invalidations().len(), 2);
    assert!(!rig.smmu.end(later));
}

#[test]
fn a_waiting_sync_survives_being_switched_off() {
    let mut rig = Rig::new(4);
    rig.map(0x1000);
    let Outcome::Translated { epoch, .. } = rig.translate(0x1000, None).0 else { panic!() };
    rig.command(sync());
    rig.write(reg::CR0, 5);
    assert_eq!(rig.read(reg::CMDQ_CONS), 0);
    rig.write(reg::CR0, 0xd);
    assert!(!rig.is_drained());
    let _ = rig.smmu.end(epoch);
    rig.run();
    assert!(rig.is_drained());
}

#[test]
fn adversarial_is_late_and_reordered() {
    let features = Features { adversarial: true, ..Features::default() };
    let mut rig = Rig::with(features, 4, 2);
    let cd_all = |sid: u64| [StreamCommand0::default().with_opcode(6).with_stream_id(sid).bits(), 0];
    rig.put(cd_all(1));
    rig.put(cd_all(2));
    assert_eq!(rig.kick(), []);
    assert!(rig.is_drained(), "consumed");
    assert!(rig.invalidations().is_empty(), "but not done");
    assert_eq!(rig.command(sync_msi(0x8_0000, 7)), []);
    assert!(!rig.is_drained() && rig.smmu.needs_run());
    assert!(rig.invalidations().is_empty());
    let effects = rig.run();
    assert_eq!(effects.last(), Some(&msi((0x8_0000, 7))));
    assert_eq!(effects.len(), 4, "with the notices of both, and the wire");
    assert!(rig.is_drained());
    assert_eq!(rig.invalidations(), [Invalidation::CdAll { sid: 2 }, Invalidation::CdAll { sid: 1 }]);
    // A queue without a SYNC holds back only so many.
    let mut rig = Rig::with(features, 14, 2);
    for _ in 0..DEFERRED + 1 {
        rig.put(cfgi_all());
    }
    rig.kick();
    rig.run();
    assert_eq!(rig.invalidations().len(), DEFERRED);
}

#[test]
fn software_that_acknowledges_what_is_not_there() {
    // CONSTRAINED UNPREDICTABLE; here an error is active exactly while the registers differ.
    let mut rig = Rig::new(4);
    rig.write(reg::GERRORN, 1);
    rig.command(cfgi_all());
    assert!(!rig.is_drained());
    rig.write(reg::GERRORN, 0);
    assert!(rig.is_drained());
}

#[test]
fn msi_aborts() {
    let rig = Rig::new(4);
    let aborted = |(addr, data)| rig.smmu.msi_aborted(addr, data).0;
    let gerror = [pulse(reg::IRQ_GERROR), msi(GERROR_MSI)];
    assert_eq!(aborted((0xdead_0000, 0)), gerror);
    assert_eq!(rig.read(reg::GERROR), 1 << 4);
    assert_eq!(aborted((0xdead_0000, 0)), [], "active already");
    assert_eq!(aborted(EVENT_MSI), gerror);
    assert_eq!(aborted(GERROR_MSI), [], "no interrupt about the interrupt");
    assert_eq!(rig.read(reg::GERROR), 1 << 4 | 1 << 5 | 1 << 7);
}

#[test]
fn the_mutation_acknowledges_and_does_nothing() {
    let mut rig = Rig::new(4);
    let va = TlbiCommand0::default().with_opcode(op::TLBI_NH_VA.into()).with_asid(1);
    rig.put([va.bits(), 0x1000]);
    rig.put(sync());
    rig.kick();
    assert!(rig.is_drained());
    assert_eq!(rig.invalidations().is_empty(), cfg!(feature = "mutation-drop-tlbi"));
}

/// `IHI0070 §3.17.6`.
#[test]
#[cfg(not(feature = "mutation-drop-tlbi"))]
fn vmid_wildcards() {
    let command = |opcode: u8, vmid: u64| {
        [TlbiCommand0::default().with_opcode(opcode.into()).with_vmid(vmid).bits(), 0x1000]
    };
    for (vmw, group) in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16), (5, 1), (7, 1)] {
        let mut rig = Rig::new(6);
        rig.write(reg::CR0, 0xd | vmw << 6);
        for opcode in [
            op::TLBI_NH_ALL,
            op::TLBI_NH_ASID,
            op::TLBI_NH_VA,
            op::TLBI_NH_VAA,
            op::TLBI_S12_VMALL,
            op::TLBI_S2_IPA,
        ] {
            let before = rig.invalidations().len();
            rig.command(command(opcode, 0x1235));
            let mut vmids: Vec<u16> = rig.invalidations()[before..]
                .iter()
                .map(|what| what.clone().vmid_mut().copied().unwrap())
                .collect();
            vmids.sort_unstable();
            let first = 0x1235 & !(group - 1);
            assert_eq!(vmids, (first..first + group).collect::<Vec<_>>(), "VMW {vmw}, opcode {opcode:#x}");
        }
        let before = rig.invalidations().len();
        rig.command(command(op::TLBI_NSNH_ALL, 0));
        assert_eq!(rig.invalidations().len(), before + 1, "what names no VMID is done once");
    }
    // Without stage 2 there are no such bits.
    let mut rig = Rig::with(Features { stage2: false, ..Features::default() }, 6, 6);
    rig.write(reg::CR0, 0xd | 4 << 6);
    assert_eq!(rig.read(reg::CR0ACK), 0xd);
    rig.command(command(op::TLBI_NH_ALL, 0x1235));
    assert_eq!(rig.invalidations().len(), 1);
}

/// The C model's defect S8: caches outside heard nothing of `TLBI_NH_ALL` where there was a stage 2.
#[test]
#[cfg(not(feature = "mutation-drop-tlbi"))]
fn the_outside_hears_of_every_stage() {
    let mut rig = Rig::new(6);
    let everything = Effect::UnmapNotify { stream: None, substream: None, addr: 0, mask: u64::MAX };
    for opcode in [op::TLBI_NH_ALL, op::TLBI_S12_VMALL, op::TLBI_NSNH_ALL] {
        assert_eq!(rig.command([opcode.into(), 0]), std::slice::from_ref(&everything), "opcode {opcode:#x}");
    }
    let page = Effect::UnmapNotify { stream: None, substream: None, addr: 0x5000, mask: 0xfff };
    assert_eq!(rig.command([op::TLBI_S2_IPA.into(), 0x5000]), [page]);
    // Where stage 2 cuts pages of stage 1 up, a command by address concerns all of such a page.
    rig.smmu.engine.ignored_bits.store(21, Ordering::Relaxed);
    let block = Effect::UnmapNotify { stream: None, substream: None, addr: 0x20_0000, mask: 0x1f_ffff };
    assert_eq!(rig.command([op::TLBI_NH_VAA.into(), 0x20_5000]), [block]);
    let page = Effect::UnmapNotify { stream: None, substream: None, addr: 0x20_5000, mask: 0xfff };
    assert_eq!(rig.command([op::TLBI_S2_IPA.into(), 0x20_5000]), [page]);
}
