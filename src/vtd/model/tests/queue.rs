// SPDX-License-Identifier: GPL-2.0-or-later
//! The invalidation queue.

use super::*;

const FSTS_IQE: u32 = 1 << 4;
const FSTS_ICE: u32 = 1 << 5;
const FSTS_ITE: u32 = 1 << 6;

#[test]
#[cfg(not(feature = "mutation-drop-tlbi"))]
fn a_batch() {
    let mut rig = Rig::new();
    let effects = rig.submit(&[pasid_page(3, 0x7000), pasid_iotlb(4), wait(2)]);
    assert_eq!(effects, [unmap(0x7000, 0xfff), Effect::UNMAP_ALL, status(2)]);
    assert!(rig.is_drained());
    let expected = [
        Invalidation::PasidIotlbPages { did: 1, pasid: 3, addr: 0x7000, address_mask: 0, leaf: false },
        Invalidation::PasidIotlbAll { did: 1, pasid: 4 },
    ];
    assert_eq!(rig.invalidations(), expected);
    let stats = rig.vtd.stats();
    assert_eq!((stats.descriptors, stats.waits), (3, 1));
}

#[test]
fn around_the_end_of_the_queue() {
    let mut rig = Rig::new();
    for n in 0..1000u32 {
        assert_eq!(rig.submit(&[wait(n), wait(n + 1), wait(n + 2)]).len(), 3);
    }
    assert!(rig.is_drained());
    assert_eq!(rig.vtd.stats().descriptors, 3000);
}

#[test]
fn narrow_descriptors() {
    let rig = Rig::new();
    rig.write(reg::GCMD, 1 << 31);
    rig.write64(reg::IQA, QUEUE);
    rig.write64(reg::IQT, 0);
    rig.write(reg::GCMD, 1 << 31 | 1 << 26);
    // Context cache global, IOTLB global, wait.
    rig.mem.put_all(QUEUE, &[1 << 4 | 1, 0, 1 << 4 | 2, 0, 9 << 32 | 1 << 5 | 5, STATUS]);
    assert_eq!(rig.write64(reg::IQT, 48), [Effect::UNMAP_ALL, status(9)]);
    assert_eq!(rig.read64(reg::IQH), 48);
    assert_eq!(rig.invalidations(), [Invalidation::ContextGlobal, Invalidation::IotlbGlobal]);
    // What has a PASID needs 256 bits.
    rig.mem.put_all(QUEUE + 48, &pasid_iotlb(1)[..2]);
    assert_eq!(rig.write64(reg::IQT, 64), [msi(FAULT_MSI)]);
    assert_eq!((rig.read(reg::FSTS), rig.read64(reg::IQERCD)), (FSTS_IQE, 5));
}

#[test]
fn a_wait_is_for_accesses_in_flight() {
    let mut rig = Rig::new();
    let old = rig.begin(0x1000);
    assert_eq!(rig.submit(&[pasid_iotlb(3), wait(1)]), [Effect::UNMAP_ALL]);
    let new = rig.begin(0x1000);
    assert_eq!(rig.run(), []);
    assert!(!rig.is_drained());
    assert!(rig.vtd.end(old));
    assert_eq!(rig.run(), [status(1)]);
    assert!(rig.is_drained());
    assert!(!rig.vtd.end(new));
}

#[test]
fn a_wait_is_for_endpoints() {
    let mut rig = Rig::new();
    let effects = rig.submit(&[pasid_page(3, 0x7000), device_page(0x18, 3, 0x7000), wait(1), wait(2)]);
    assert_eq!(effects, [unmap(0x7000, 0xfff), ask_page(0, 0x18, 3, 0x7000)]);
    assert_eq!(rig.run(), []);
    assert_eq!(rig.read64(reg::IQH), 64);
    assert_eq!(rig.vtd.device_tlb_done(&rig.mem, 0x18, 0).0, [status(1), status(2)]);
    assert!(rig.is_drained());
    assert_eq!(rig.read(reg::FSTS), 0);
}

#[test]
fn several_endpoints_answer_in_any_order() {
    let mut rig = Rig::new();
    let effects = rig.submit(&[
        device_page(0x18, 3, 0x1000),
        device_page(0x20, 4, 0x2000),
        // The whole address space: Linux's `QI_DEV_IOTLB_SIZE` with every address bit but the highest.
        [0x28 << 32 | 3, 0x7fff_ffff_ffff_f001, 0, 0],
        wait(1),
    ]);
    let everything = Effect::AtsInvalidate {
        itag: 2,
        stream: 0x28,
        substream: None,
        global: false,
        addr: 0,
        mask: u64::MAX,
    };
    assert_eq!(effects, [ask_page(0, 0x18, 3, 0x1000), ask_page(1, 0x20, 4, 0x2000), everything]);
    assert_eq!(rig.vtd.device_tlb_done(&rig.mem, 0x28, 2).0, []);
    assert_eq!(rig.vtd.device_tlb_done(&rig.mem, 0x18, 0).0, []);
    assert_eq!(rig.vtd.device_tlb_done(&rig.mem, 0x20, 1).0, [status(1)]);
    assert_eq!(rig.vtd.stats().device_tlb_invalidations, 3);
}

#[test]
fn an_answer_to_nothing() {
    let mut rig = Rig::new();
    rig.submit(&[device_page(0x18, 3, 0x1000)]);
    assert_eq!(rig.vtd.device_tlb_done(&rig.mem, 0x20, 0).0, [msi(FAULT_MSI)], "another endpoint's");
    assert_eq!((rig.read(reg::FSTS), rig.read64(reg::IQERCD)), (FSTS_ICE, 0x20 << 48));
    // It does not stop the queue, nor is the same error signalled twice.
    assert_eq!(rig.vtd.device_tlb_done(&rig.mem, 0x18, 99).0, []);
    assert_eq!(rig.submit(&[wait(1)]), []);
    assert_eq!(rig.vtd.device_tlb_done(&rig.mem, 0x18, 0).0, [status(1)]);
    rig.write(reg::FSTS, FSTS_ICE);
    assert_eq!(rig.read(reg::FSTS), 0);
    // Answers to questions of before a reset are late, not wrong.
    rig.submit(&[device_page(0x18, 3, 0x1000)]);
    rig.vtd.reset();
    assert_eq!(rig.vtd.device_tlb_done(&rig.mem, 0x18, 1).0, []);
    assert_eq!(rig.read(reg::FSTS), 0);
}

#[test]
fn an_endpoint_that_does_not_answer() {
    let mut rig = Rig::new();
    rig.submit(&[device_page(0x18, 3, 0x1000), wait(1)]);
    rig.submit(&[wait(2)]);
    assert_eq!(rig.vtd.device_tlb_late(&rig.mem, 0).0, [msi(FAULT_MSI)]);
    assert_eq!((rig.read(reg::FSTS), rig.read64(reg::IQERCD)), (FSTS_ITE, 0x18 << 32));
    // The wait is aborted: consumed without a status. Nothing goes on before software has seen it.
    assert_eq!(rig.read64(reg::IQH), 64);
    assert_eq!(rig.submit(&[wait(3)]), []);
    assert_eq!(rig.run(), []);
    assert_eq!(rig.write(reg::FSTS, FSTS_ITE), [status(2), status(3)]);
    assert!(rig.is_drained());
    assert_eq!(rig.vtd.device_tlb_late(&rig.mem, 0).0, [], "once");
    assert_eq!(rig.vtd.device_tlb_late(&rig.mem, 77).0, [], "nobody waits");
}

#[test]
fn too_many_unanswered_invalidations_stop_the_queue() {
    let rig = Rig::new();
    rig.write(reg::GCMD, 1 << 31);
    rig.write64(reg::IQA, QUEUE | 0x800 | 3);
    rig.write64(reg::IQT, 0);
    rig.write(reg::GCMD, 1 << 31 | 1 << 26);
    let count = AtsInvalidations::MOST as u64 + 1;
    for n in 0..count {
        rig.mem.put_all(QUEUE + 32 * n, &device_page(0x18, 3, 0x1000));
    }
    assert_eq!(rig.write64(reg::IQT, 32 * count).len(), AtsInvalidations::MOST);
    assert_eq!(rig.run(), []);
    assert_eq!(rig.vtd.device_tlb_done(&rig.mem, 0x18, 5).0, [ask_page(256, 0x18, 3, 0x1000)]);
}

#[test]
fn interrupt_on_completion() {
    let mut rig = Rig::new();
    let with_interrupt = [1 << 4 | 5, 0, 0, 0];
    assert_eq!(rig.submit(&[with_interrupt]), [msi(QUEUE_MSI)]);
    assert_eq!(rig.read(reg::ICS), 1);
    assert_eq!(rig.submit(&[with_interrupt]), [], "one that is not acknowledged tells of both");
    rig.write(reg::ICS, 1);
    rig.write(reg::IECTL, 1 << 31);
    assert_eq!(rig.submit(&[with_interrupt]), []);
    assert_eq!(rig.read(reg::IECTL), 0b11 << 30, "masked: kept");
    assert_eq!(rig.write(reg::IECTL, 0), [msi(QUEUE_MSI)]);
    assert_eq!(rig.read(reg::IECTL), 0);
    rig.write(reg::ICS, 1);
    rig.write(reg::IECTL, 1 << 31);
    rig.submit(&[with_interrupt]);
    rig.write(reg::ICS, 1);
    assert_eq!((rig.read(reg::IECTL), rig.write(reg::IECTL, 0)), (1 << 31, vec![]), "dealt with before");
}

#[test]
fn errors_stop_the_queue_and_mending_resumes_it() {
    let mut rig = Rig::new();
    for (descriptor, reason) in [([0xf, 0, 0, 0], 3), ([2 << 4 | 2, 0xf80, 0, 0], 4), ([2, 0, 0, 0], 4)] {
        let at = rig.tail;
        assert_eq!(rig.submit(&[descriptor, wait(1)]), [msi(FAULT_MSI)]);
        assert_eq!((rig.read(reg::FSTS), rig.read64(reg::IQERCD)), (FSTS_IQE, reason));
        assert_eq!(rig.read64(reg::IQH), at, "at the descriptor in error");
        assert_eq!((rig.kick(), rig.run()), (vec![], vec![]));
        // As Linux does: something harmless takes its place.
        rig.mem.put_all(QUEUE + at, &wait(7));
        assert_eq!(rig.write(reg::FSTS, FSTS_IQE), [status(7), status(1)]);
        assert_eq!(rig.read(reg::FSTS), 0);
    }
}

#[test]
fn tails_that_cannot_be() {
    for tail in [0x1000, 0x10, 0x7_ffe0] {
        let rig = Rig::new();
        assert_eq!(rig.write64(reg::IQT, tail), [msi(FAULT_MSI)], "{tail:#x}");
        assert_eq!((rig.read(reg::FSTS), rig.read64(reg::IQERCD)), (FSTS_IQE, 1));
    }
    let rig = Rig::new();
    rig.mem.hole(QUEUE..QUEUE + 4096);
    assert_eq!(rig.write64(reg::IQT, 32), [msi(FAULT_MSI)]);
    assert_eq!((rig.read(reg::FSTS), rig.read64(reg::IQERCD)), (FSTS_IQE, 2));
}

#[test]
fn page_responses_reach_the_endpoint_as_themselves() {
    let mut rig = Rig::new();
    let response = |pasid: u64, code: u64, group: u64| {
        [pasid << 32 | 0x18 << 16 | code << 12 | 1 << 4 | 9, group << 3, 0xdead, 0xbeef]
    };
    let effects = rig.submit(&[
        response(3, 0, 0x1ff),
        response(4, 1, 2),
        response(5, 0xf, 3),
        [0x20 << 16 | 1 << 12 | 9, 4 << 3, 0, 0],
    ]);
    let answer = |stream, substream, group, code| Effect::PageResponse { stream, substream, group, code };
    let expected = [
        answer(0x18, Some(3), 0x1ff, PageResponseCode::Success),
        answer(0x18, Some(4), 2, PageResponseCode::Invalid),
        answer(0x18, Some(5), 3, PageResponseCode::Failure),
        answer(0x20, None, 4, PageResponseCode::Invalid),
    ];
    assert_eq!(effects, expected);
    assert_eq!(rig.vtd.stats().page_responses, 4);
}

/// Caches outside know pages by the addresses of requests, which of nested pages are not the second stage's: of a domain
/// that has such pages they forget everything (`VTD §6.5.2.3`).
#[test]
fn second_stage_pages_are_told_outside() {
    let page = |did: u64, addr: u64, mask: u64| [did << 16 | 3 << 4 | 2, addr | mask, 0, 0];
    for (mask, size) in [(0, 0xfff), (1, 0x1fff), (9, 0x1f_ffff), (52, u64::MAX)] {
        for leaf in [0, 1 << 6] {
            let mut rig = Rig::new();
            let named = unmap(0x7000 & !size, size);
            let effects = rig.submit(&[page(1, 0x7000 | leaf, mask), wait(1)]);
            assert_eq!(effects, [named.clone(), status(1)], "by the addresses of requests");
            lock(&rig.vtd.engine.first_stages).insert(1);
            assert_eq!(rig.submit(&[page(1, 0x7000 | leaf, mask), wait(2)]), [Effect::UNMAP_ALL, status(2)]);
            assert_eq!(
                rig.submit(&[page(2, 0x7000 | leaf, mask), wait(3)]),
                [named, status(3)],
                "another domain"
            );
        }
    }
}

/// A page with interrupts in it is answered in parts, and software may name any of them.
#[test]
fn parts_of_a_page_are_told_as_a_whole() {
    for descriptor in [[1 << 16 | 3 << 4 | 2, 0xfef0_1000, 0, 0], pasid_page(3, 0xfef0_1000)] {
        let mut rig = Rig::new();
        assert_eq!(rig.submit(&[descriptor]), [unmap(0xfef0_1000, 0xfff)]);
        *lock(&rig.vtd.engine.in_parts) = 21;
        assert_eq!(rig.submit(&[descriptor]), [unmap(0xfee0_0000, 0x1f_ffff)]);
    }
}

/// A status address that cannot be is an error of its descriptor, and nothing is written anywhere.
#[test]
fn a_status_beyond_memory() {
    for addr in [1 << 48 | STATUS, 1 << 63, 0xfee0_1000] {
        let mut rig = Rig::new();
        let effects = rig.submit(&[[7 << 32 | 1 << 5 | 5, addr, 0, 0], wait(1)]);
        assert_eq!(effects, [msi(FAULT_MSI)], "{addr:#x}");
        assert_eq!((rig.read(reg::FSTS), rig.read64(reg::IQERCD), rig.read64(reg::IQH)), (FSTS_IQE, 4, 0));
    }
}

#[test]
fn interrupt_entries() {
    let mut rig = Rig::new();
    let effects = rig.submit(&[[4, 0, 0, 0], [0x1234 << 32 | 3 << 27 | 1 << 4 | 4, 0, 0, 0]]);
    assert_eq!(effects, [EVERY_INTERRUPT, Effect::IecNotify { global: false, index: 0x1234, mask: 3 }]);
}

#[test]
fn adversarial_units_are_late_and_reorder() {
    let mut rig = Rig::with(Features { adversarial: true, ..Features::default() });
    assert_eq!(rig.submit(&[pasid_iotlb(1), pasid_iotlb(2)]), []);
    assert_eq!(rig.invalidations(), []);
    assert_eq!(rig.submit(&[wait(1)]), []);
    assert!(rig.vtd.needs_run() && !rig.vtd.needs_run());
    assert_eq!(rig.run(), [Effect::UNMAP_ALL, status(1)]);
    let all = |pasid| Invalidation::PasidIotlbAll { did: 1, pasid };
    assert_eq!(rig.invalidations(), [all(2), all(1)]);
    // Endpoints are not told before: what they ask for anew is not from before.
    rig.submit(&[pasid_iotlb(3), device_page(0x18, 3, 0)]);
    assert_eq!(rig.invalidations().len(), 3);
    const { assert!(DEFERRED < 10_000 && DESCRIPTORS_AT_ONCE >= 128) };
}

#[test]
fn the_mutation_acknowledges_and_does_nothing() {
    let mut rig = Rig::new();
    rig.submit(&[pasid_page(3, 0x7000), wait(2)]);
    assert!(rig.is_drained());
    assert_eq!(rig.invalidations().is_empty(), cfg!(feature = "mutation-drop-tlbi"));
}

/// An endpoint that is reset, or unplugged, has forgotten its translations: it owes no answer, and no wait descriptor waits
/// for one. What it had said before arrives late, and is no answer to nothing.
#[test]
fn an_endpoint_that_leaves_has_answered() {
    let mut rig = Rig::new();
    rig.submit(&[device_page(0x18, 3, 0x1000), device_page(0x20, 3, 0x1000), wait(1)]);
    rig.vtd.cancel(0x18, Some(Some(3)), None);
    rig.vtd.cancel(0x18, None, Some(1));
    assert_eq!(rig.vtd.device_tlb_done(&rig.mem, 0x20, 1).0, []);
    rig.vtd.cancel(0x18, None, None);
    assert!(rig.vtd.needs_run());
    assert_eq!(rig.run(), [status(1)]);
    assert_eq!(rig.vtd.device_tlb_done(&rig.mem, 0x18, 0).0, []);
    assert_eq!(rig.vtd.device_tlb_late(&rig.mem, 0).0, []);
    assert_eq!((rig.read(reg::FSTS), rig.is_drained()), (0, true));
}
