// SPDX-License-Identifier: GPL-2.0-or-later
//! Endpoints with ATS and PRI: what they ask, what they are told, what they must forget.

use super::super::super::spec::command::{AtcInv0, AtcInv1, CERROR_ATC_INV_SYNC, PriResp1};
use super::*;
use crate::iommu::PageResponseCode;
use crate::smmuv3::spec::ste::{Ste1, eats, s1dss, s1fmt};
use crate::smmuv3::testing::{edit_ste1, ste_abort, ste_bypass, ste_stage1};

const PRIQ: u64 = 0x6000_0000;
const PRI_MSI: (u64, u32) = (0x808_0048, 0x33);
const STREAMS: u64 = 0x7000_0000;
/// Everything on: `SMMUEN`, `PRIQEN`, `EVENTQEN`, `CMDQEN`, `ATSCHK`.
const ALL: u32 = 0x1f;
const LO: u32 = 1 << 31;
const OVFLG: u32 = 1 << 31;

/// A rig with a PRI queue of `2^log2size` entries, and room for stream 8's STE.
fn rig(log2size: u64) -> Rig {
    let rig = Rig::new(6);
    rig.write(reg::CR0, 0);
    rig.write(reg::IRQ_CTRL, 0);
    rig.write64(reg::PRIQ_BASE, PRIQ | log2size);
    rig.write64(reg::PRIQ_IRQ_CFG0, PRI_MSI.0);
    rig.write(reg::PRIQ_IRQ_CFG1, PRI_MSI.1);
    rig.write64(reg::STRTAB_BASE, STREAMS);
    rig.write(reg::STRTAB_BASE_CFG, 6);
    rig.write(reg::CR2, 0b1010);
    rig.write(reg::IRQ_CTRL, 7);
    rig.write(reg::CR0, ALL);
    rig
}

fn page(addr: u64, group: u16, last: bool) -> PageRequest {
    let access = Access { read: true, write: true, ..Access::default() };
    PageRequest { stream: 8, substream: Some(3), addr, access, group, last, private_data: None }
}

fn answered(substream: Option<u32>, group: u16, code: PageResponseCode) -> Effect {
    Effect::PageResponse { stream: 8, substream, group, code }
}

fn signalled() -> [Effect; 2] {
    [pulse(1), msi(PRI_MSI)]
}

fn atc_inv(substream: u64, addr: u64, size: u64) -> [u64; 2] {
    let first = AtcInv0::default()
        .with_opcode(op::ATC_INV.into())
        .with_stream_id(8)
        .with_ssv(1)
        .with_substream_id(substream);
    [first.bits(), AtcInv1::default().with_addr(addr >> 12).with_size(size).bits()]
}

fn pri_resp(group: u64, resp: u64) -> [u64; 2] {
    let first = StreamCommand0::default()
        .with_opcode(op::PRI_RESP.into())
        .with_stream_id(8)
        .with_ssv(1)
        .with_substream_id(3);
    [first.bits(), PriResp1::default().with_group(group).with_resp(resp).bits()]
}

fn forget(itag: u32, addr: u64, mask: u64) -> Effect {
    Effect::AtsInvalidate { itag, stream: 8, substream: Some(3), global: false, addr, mask }
}

impl Rig {
    fn ask(&self, request: &PageRequest) -> Vec<Effect> {
        self.smmu.page_request(&self.mem, request).0
    }

    fn entry(&self, number: u64) -> [u64; 2] {
        [0, 8].map(|offset| self.mem.get(PRIQ + 16 * number + offset))
    }

    fn ste(&self, ste: [u64; 8]) {
        self.mem.put_all(STREAMS + 64 * 8, &ste);
    }

    fn ste_with(&self, change: impl Fn(Ste1) -> Ste1) {
        self.ste(edit_ste1(ste_stage1(0x7100_0000, 8, s1fmt::LINEAR, s1dss::TERMINATE), change));
    }

    fn done(&self, itag: u32) -> Vec<Effect> {
        self.smmu.device_tlb_done(&self.mem, 8, itag).0
    }

    fn ats(&self, addr: u64) -> AtsOutcome {
        self.smmu.ats(&self.mem, &request(addr, None), 0x1000, true).0
    }

    fn translated(&self, addr: u64) -> Outcome {
        let req = DmaRequest { substream: None, ..request(addr, None) };
        self.smmu.translated(&self.mem, &req, true).0
    }

    fn kind(&mut self) -> Option<u64> {
        self.event().map(|record| Event0::from(record[0]).event())
    }
}

#[test]
fn a_page_request_is_a_record() {
    let rig = rig(3);
    assert_eq!(rig.ask(&page(0x1234_5678, 0x1ff, true)), signalled());
    // As Linux has it: StreamID, SubstreamID, read, write, last, SSV; group, address.
    assert_eq!(rig.entry(0), [8 | 3 << 32 | 0b1111 << 60, 0x1234_5000 | 0x1ff]);
    let access = Access { read: true, exec: true, privileged: true, write: false };
    let exotic = PageRequest { access, ..page(0x5000, 2, false) };
    assert_eq!(rig.ask(&exotic), [], "the queue was not empty");
    assert_eq!(rig.entry(1), [8 | 3 << 32 | 1 << 63 | 0b111 << 58, 0x5000 | 2]);
    assert_eq!(rig.ask(&PageRequest { substream: None, ..exotic }), []);
    assert_eq!(rig.entry(2), [8 | 1 << 60, 0x5000 | 2], "attributes come with a PASID");
    assert_eq!(rig.read(reg::PRIQ_PROD), 3);
    rig.write(reg::PRIQ_CONS, 3);
    assert_eq!(rig.ask(&page(0x6000, 3, true)), signalled());
    assert_eq!(rig.smmu.stats().page_requests, 4);
}

#[test]
fn last_only() {
    let rig = rig(1);
    rig.write(reg::IRQ_CTRL, 5);
    rig.write(reg::PRIQ_IRQ_CFG2, LO);
    rig.write(reg::IRQ_CTRL, 7);
    assert_eq!(rig.ask(&page(0x1000, 1, false)), []);
    assert_eq!(rig.ask(&page(0x2000, 1, true)), signalled());
    // Discarded because of the overflow, and signalled all the same.
    let overflow = rig.ask(&PageRequest { substream: None, ..page(0x3000, 2, true) });
    let [pulse, msi] = signalled();
    assert_eq!(overflow, [pulse, msi, answered(None, 2, PageResponseCode::Success)]);
}

#[test]
fn an_overflow_keeps_requests_out_until_it_is_acknowledged() {
    let rig = rig(1);
    rig.ste_with(|ste1| ste1.with_ppar(1));
    rig.ask(&page(0x1000, 1, true));
    rig.ask(&page(0x2000, 2, true));
    assert_eq!(rig.read(reg::PRIQ_PROD), 2);
    assert_eq!(rig.ask(&page(0x3000, 3, true)), [answered(Some(3), 3, PageResponseCode::Success)]);
    assert_eq!(rig.read(reg::PRIQ_PROD), 2 | OVFLG);
    // Room alone is not enough.
    rig.write(reg::PRIQ_CONS, 2);
    assert_eq!(rig.ask(&page(0x4000, 4, false)), [], "not the last of its group");
    assert_eq!(rig.ask(&page(0x4000, 4, true)), [answered(Some(3), 4, PageResponseCode::Success)]);
    let stop = PageRequest { access: Access::default(), ..page(0, 5, true) };
    assert_eq!(rig.ask(&stop), [], "stop markers get no answer");
    rig.write(reg::PRIQ_CONS, 2 | OVFLG);
    assert_eq!(rig.ask(&stop), signalled());
    assert_eq!(rig.read(reg::PRIQ_PROD), 3 | OVFLG);
    let stats = rig.smmu.stats();
    assert_eq!((stats.page_requests, stats.page_request_overflows, stats.auto_responses), (3, 4, 2));
}

/// `IHI0070 §8.1`: what the SMMU's own answer looks like is the STE's affair.
#[test]
fn the_pasid_of_an_automatic_response() {
    let mut rig = rig(0);
    rig.ask(&page(0x1000, 1, true));
    let ask = |rig: &mut Rig, event: Option<u64>| {
        let effects = rig.ask(&page(0x2000, 2, true));
        assert_eq!(rig.kind(), event);
        effects.into_iter().find(|effect| matches!(effect, Effect::PageResponse { .. })).unwrap()
    };
    rig.ste_with(|ste1| ste1.with_ppar(1));
    assert_eq!(ask(&mut rig, None), answered(Some(3), 2, PageResponseCode::Success));
    rig.ste_with(|ste1| ste1);
    assert_eq!(ask(&mut rig, None), answered(None, 2, PageResponseCode::Success));
    // No valid STE: CR2.REC_CFG_ATS wants to know why.
    rig.ste([0; 8]);
    assert_eq!(ask(&mut rig, Some(4)), answered(None, 2, PageResponseCode::Failure));
    rig.write(reg::CR0, ALL & !1);
    rig.write(reg::CR2, 0b10);
    rig.write(reg::CR0, ALL);
    assert_eq!(ask(&mut rig, None), answered(None, 2, PageResponseCode::Failure));
}

#[test]
fn a_queue_that_is_off_or_broken_fails_requests() {
    let rig = rig(3);
    let failure = [answered(None, 1, PageResponseCode::Failure)];
    for off in [ALL & !2, ALL & !1] {
        rig.write(reg::CR0, off);
        assert_eq!(rig.ask(&page(0x1000, 1, true)), failure);
        assert_eq!(rig.ask(&page(0x1000, 1, false)), []);
        rig.write(reg::CR0, ALL);
    }
    rig.mem.hole(PRIQ..PRIQ + 0x1000);
    let effects = rig.ask(&page(0x1000, 1, true));
    assert_eq!(effects, [pulse(3), msi(GERROR_MSI), failure[0].clone()]);
    assert_eq!((rig.read(reg::GERROR), rig.read(reg::PRIQ_PROD)), (1 << 3, 0));
    assert_eq!(rig.ask(&page(0x1000, 1, true)), failure);
    assert_eq!((rig.smmu.stats().page_requests, rig.smmu.stats().auto_responses), (0, 4));
}

#[test]
fn an_interrupt_that_goes_nowhere_is_an_error_of_its_own() {
    let rig = rig(3);
    assert_eq!(rig.smmu.msi_aborted(PRI_MSI.0, PRI_MSI.1).0, [pulse(3), msi(GERROR_MSI)]);
    assert_eq!(rig.read(reg::GERROR), 1 << 6);
}

#[test]
fn registers_are_guarded() {
    let rig = rig(3);
    rig.write64(reg::PRIQ_BASE, 0x1234_0005);
    rig.write(reg::PRIQ_PROD, 7);
    rig.write64(reg::PRIQ_IRQ_CFG0, 0x1000);
    rig.write(reg::PRIQ_IRQ_CFG1, 1);
    rig.write(reg::PRIQ_IRQ_CFG2, u32::MAX);
    assert_eq!(rig.read(reg::PRIQ_BASE), (PRIQ | 3) as u32);
    assert_eq!((rig.read(reg::PRIQ_PROD), rig.read(reg::PRIQ_IRQ_CFG1)), (0, PRI_MSI.1));
    // Guarded by PRIQEN itself, whatever SMMUEN is.
    rig.write(reg::CR0, ALL & !1);
    rig.write(reg::PRIQ_PROD, 7);
    assert_eq!(rig.read(reg::PRIQ_PROD), 0);
    rig.write(reg::CR0, ALL & !2);
    rig.write(reg::IRQ_CTRL, 5);
    rig.write64(reg::PRIQ_BASE, u64::MAX);
    rig.write(reg::PRIQ_PROD, u32::MAX);
    rig.write(reg::PRIQ_CONS, u32::MAX);
    rig.write(reg::PRIQ_IRQ_CFG2, u32::MAX);
    let f = Features::default();
    assert_eq!(rig.smmu.mmio_read(reg::PRIQ_BASE, 8), 1 << 62 | f.oas.mask());
    assert_eq!((rig.read(reg::PRIQ_PROD), rig.read(reg::PRIQ_CONS)), (0x800f_ffff, 0x800f_ffff));
    assert_eq!(rig.read(reg::PRIQ_IRQ_CFG2), 0x8000_003f);

    let without = Rig::with(Features { pri: false, ats: false, ..f }, 4, 4);
    without.write(reg::CR0, ALL);
    without.write(reg::IRQ_CTRL, 7);
    assert_eq!((without.read(reg::CR0), without.read(reg::IRQ_CTRL)), (0xd, 5));
    for offset in [0xc0, 0xc4, 0xc8, 0xcc, 0xd0, 0xd4, 0xd8, 0xdc, reg::PRIQ_PROD, reg::PRIQ_CONS] {
        without.write(offset, u32::MAX);
        assert_eq!(without.read(offset), 0, "{offset:#x}");
    }
    assert_eq!(without.ask(&page(0, 1, true)), [answered(None, 1, PageResponseCode::Failure)]);
}

#[test]
fn answers_of_software() {
    let mut rig = rig(3);
    assert_eq!(
        rig.command(pri_resp(7, op::PRI_RESP_SUCCESS)),
        [answered(Some(3), 7, PageResponseCode::Success)]
    );
    assert_eq!(
        rig.command(pri_resp(8, op::PRI_RESP_INVALID)),
        [answered(Some(3), 8, PageResponseCode::Invalid)]
    );
    assert_eq!(
        rig.command(pri_resp(9, op::PRI_RESP_FAILURE)),
        [answered(Some(3), 9, PageResponseCode::Failure)]
    );
    let stats = rig.smmu.stats();
    assert_eq!((stats.page_responses, stats.page_responses_refused, stats.auto_responses), (3, 2, 0));
    rig.write(reg::CR0, ALL & !1);
    assert_eq!(rig.command(pri_resp(7, op::PRI_RESP_SUCCESS)), [], "§6.3.9.6: ignored");
    assert_eq!(rig.command(atc_inv(3, 0, 52)), []);
    assert!(rig.is_drained());
}

#[test]
fn a_sync_waits_for_endpoints() {
    let mut rig = rig(3);
    assert_eq!(rig.command(atc_inv(3, 0x5000, 0)), [forget(0, 0x5000, 0xfff)]);
    assert_eq!(rig.command(atc_inv(3, 0x1_2345_6000, 52)), [forget(1, 0, u64::MAX)]);
    assert!(rig.is_drained(), "consumed is not complete");
    assert_eq!(rig.command(sync_msi(0x9000, 7)), []);
    assert_eq!(rig.done(1), []);
    assert_eq!(rig.smmu.device_tlb_done(&rig.mem, 9, 0).0, [], "another endpoint's");
    assert_eq!(rig.done(77), []);
    assert!(!rig.is_drained());
    assert_eq!(rig.done(0), [pulse(2), msi((0x9000, 7))]);
    assert!(rig.is_drained());
    assert_eq!(rig.smmu.stats().ats_invalidations, 2);
}

#[test]
fn an_endpoint_that_does_not_answer_fails_the_sync() {
    let mut rig = rig(3);
    rig.command(atc_inv(3, 0x5000, 0));
    rig.command(atc_inv(3, 0x6000, 0));
    assert_eq!(rig.command(sync_msi(0x9000, 7)), []);
    assert_eq!(rig.smmu.device_tlb_late(&rig.mem, 0).0, [], "there is another one");
    assert_eq!(rig.done(1), [pulse(3), msi(GERROR_MSI)]);
    assert_eq!((rig.error(), rig.read(reg::GERROR) & 1), (CERROR_ATC_INV_SYNC, 1));
    assert!(!rig.is_drained(), "the SYNC is not consumed");
    assert_eq!(rig.kick(), []);
    // Acknowledged, it begins anew, with nothing left to wait for.
    assert_eq!(rig.write(reg::GERRORN, 1), [pulse(2), msi((0x9000, 7))]);
    assert!(rig.is_drained());
    assert_eq!(rig.done(0), [], "too late");
    assert_eq!(rig.smmu.device_tlb_late(&rig.mem, 0).0, []);
    assert_eq!(rig.smmu.stats().ats_timeouts, 1);
    assert_eq!(rig.command(sync()), []);
    assert!(rig.is_drained());
}

#[test]
fn a_crowd_of_invalidations_stops_the_queue() {
    let mut rig = Rig::with(Features::default(), 10, 4);
    let most = AtsInvalidations::MOST;
    for n in 0..=most as u64 {
        rig.put(atc_inv(3, n << 12, 0));
    }
    assert_eq!(rig.kick().len(), most);
    assert_eq!(rig.done(5), [forget(most as u32, (most as u64) << 12, 0xfff)]);
    assert!(rig.is_drained());
}

#[test]
fn invalidations_travel() {
    let mut rig = rig(3);
    rig.command(atc_inv(3, 0x5000, 0));
    rig.command(atc_inv(3, 0x6000, 0));
    rig.smmu.device_tlb_late(&rig.mem, 0);
    rig.command(sync());
    rig.ask(&page(0x1000, 1, true));
    let words = rig.smmu.save().to_words();
    let other = Smmu::with_engine(Features::default(), Script::default());
    other.load_words(&words).unwrap();
    assert_eq!(other.save_words(), words);
    assert_eq!(other.mmio_read(reg::PRIQ_PROD, 4), 1);
    assert!(other.needs_run());
    assert_eq!(other.run_pending(&rig.mem).0, [forget(0, 0x6000, 0xfff)], "asked anew");
    assert_eq!(other.device_tlb_done(&rig.mem, 8, 0).0, [pulse(3), msi(GERROR_MSI)]);

    let mut saved = rig.smmu.save();
    saved.unanswered[0].mask = 0x2fff;
    assert!(other.load(&saved).is_err());
    saved.unanswered.clear();
    saved.registers.priq_prod = 1 << 30;
    assert!(other.load(&saved).unwrap_err().to_string().contains("'PRIQ_PROD'"));
    // Answers to questions of before a reset are to nothing.
    rig.smmu.reset();
    assert_eq!(rig.done(1), []);
    assert_eq!(rig.smmu.save().unanswered, []);
}

#[test]
fn answers_to_translation_requests() {
    let mut rig = rig(3);
    rig.map(0x1000);
    let page = AtsTranslation { addr: 0x1000, read: true, write: true, ..AtsTranslation::NONE };
    assert_eq!(rig.ats(0x1234), AtsOutcome::Success(page));
    for (kind, record, outcome, event) in [
        (FaultKind::BadAtsRequest, true, AtsOutcome::Unsupported, Some(5)),
        (FaultKind::BadSte, true, AtsOutcome::Aborted, Some(4)),
        (FaultKind::BadStreamId, false, AtsOutcome::Aborted, None),
        (FaultKind::StreamDisabled, true, AtsOutcome::Aborted, Some(6)),
        (FaultKind::StreamDisabled, false, AtsOutcome::Unsupported, None),
    ] {
        rig.faults(kind, FaultAction::Abort, record);
        assert_eq!(rig.ats(0x2000), outcome);
        assert_eq!(rig.kind(), event, "{kind:?}");
    }
    rig.write(reg::CR0, ALL & !1);
    rig.write(reg::CR2, 0b10);
    assert_eq!(rig.ats(0x1000), AtsOutcome::Unsupported);
    assert_eq!(rig.kind(), Some(5), "without translation");
    rig.write(reg::CR0, ALL);
    rig.faults(FaultKind::BadSte, FaultAction::Abort, true);
    assert_eq!((rig.ats(0x2000), rig.kind()), (AtsOutcome::Aborted, None), "nobody wants to know");
    let stats = rig.smmu.stats();
    assert_eq!((stats.ats_requests, stats.ats_failed), (8, 7));
}

/// `IHI0070 §7.3.6`: what was asked for, in units of the smallest granule.
#[test]
fn a_refused_translation_request_is_recorded_as_it_was() {
    for (features, length, span) in [
        (Features::default(), 8, 1),
        (Features::default(), 0x3000, 3),
        (Features::default(), 1 << 40, 15),
        (Features { gran4k: false, ..Features::default() }, 0x8000, 2),
        (Features { gran4k: false, gran16k: false, ..Features::default() }, 0x8000, 1),
    ] {
        let mut rig = Rig::with(features, 6, 4);
        let access = Access { read: true, write: true, exec: true, privileged: true };
        // Without translation; the attributes come with a PASID.
        rig.write(reg::CR0, ALL & !1);
        for (substream, head, asked) in [(Some(3), 8 << 32 | 0x3805, 0b1111), (None, 8 << 32 | 5, 0b1100)] {
            let req = DmaRequest { substream, access, ..request(0x1234_5678, None) };
            assert_eq!(rig.smmu.ats(&rig.mem, &req, length, true).0, AtsOutcome::Unsupported);
            assert_eq!(rig.event(), Some([head, asked << 28 | span, 0x1234_5000, 0]), "{length:#x}");
        }
    }
}

#[test]
fn translated_transactions() {
    let mut rig = rig(3);
    let passes =
        |outcome| matches!(outcome, Outcome::Translated { translation, .. } if translation.addr == 0x1234);
    // ATSCHK: the STE decides, with every value of EATS that there is.
    for (ste, passed, event) in [
        (
            edit_ste1(ste_stage1(0x7100_0000, 8, s1fmt::LINEAR, s1dss::TERMINATE), |s| {
                s.with_eats(eats::FULL)
            }),
            true,
            None,
        ),
        (ste_stage1(0x7100_0000, 8, s1fmt::LINEAR, s1dss::SSID0), false, Some(7)),
        (edit_ste1(ste_stage1(0, 0, s1fmt::LINEAR, 0), |s| s.with_eats(3)), false, Some(7)),
        (edit_ste1(ste_stage1(0, 0, s1fmt::LINEAR, 0), |s| s.with_eats(eats::SPLIT)), false, Some(4)),
        (edit_ste1(ste_bypass(), |s| s.with_eats(eats::FULL)), false, Some(7)),
        (edit_ste1(ste_abort(), |s| s.with_eats(eats::FULL)), false, None),
        ([0; 8], false, Some(4)),
    ] {
        rig.ste(ste);
        assert_eq!(passes(rig.translated(0x1234)), passed, "{ste:x?}");
        assert_eq!(rig.kind(), event, "{ste:x?}");
    }
    // §3.9.1.3: of an unknown stream too, although CR2.RECINVSID is clear.
    let unknown = DmaRequest { stream: 64, substream: None, ..request(0, None) };
    rig.write(reg::CR0, ALL & !1);
    rig.write(reg::CR2, 0b1000);
    rig.write(reg::CR0, ALL);
    assert_eq!(rig.smmu.translated(&rig.mem, &unknown, true).0, Outcome::Aborted);
    assert_eq!(rig.kind(), Some(2));
    // Without ATSCHK nothing is looked at but the size.
    rig.write(reg::CR0, ALL & !0x10);
    assert!(passes(rig.translated(0x1234)));
    assert_eq!((rig.translated(1 << 48), rig.kind()), (Outcome::Aborted, None));
    rig.write(reg::CR0, ALL & !1);
    assert_eq!((rig.translated(0x1234), rig.kind()), (Outcome::Aborted, Some(7)));
    // Without ATS there is no such thing.
    let plain = Rig::with(Features { ats: false, pri: false, ..Features::default() }, 4, 4);
    plain.map(0x1000);
    assert!(passes(plain.translated(0x1234)));
    assert_eq!(plain.translated(0x2000), Outcome::Aborted);
    assert_eq!(plain.ats(0x1000), AtsOutcome::Unsupported);
}
