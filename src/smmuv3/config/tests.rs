// SPDX-License-Identifier: GPL-2.0-or-later
mod second;

use proptest::prelude::*;

use super::*;
use crate::smmuv3::features::{Httu, StallModel};
use crate::smmuv3::spec::ste::{L1Std, s1fmt};
use crate::smmuv3::testing::*;

const SID: u32 = 0x20;

/// One stream with 16 CDs, of which 0 and 3 are there, and 4K page tables.
struct Setup {
    guest: TestGuest,
    f: Features,
    table: StreamTable,
    contexts: Contexts,
    tables: Tables,
}

impl Setup {
    fn new() -> Self {
        let guest = TestGuest::new();
        let table = guest.linear_streams(8);
        let contexts = guest.contexts(4, s1fmt::LINEAR);
        let tables = guest.tables(12, 48);
        guest.set_ste(&table, SID, &ste_stage1(contexts.base, 4, s1fmt::LINEAR, s1dss::TERMINATE));
        for ssid in [0, 3] {
            guest.set_cd(&contexts, ssid, &cd(&tables, 7));
        }
        Self { guest, f: Features::default(), table, contexts, tables }
    }

    fn ask(&self, ssid: Option<u32>) -> Result<StreamContext, Fault> {
        lookup_stream(&self.guest.mem, &self.f, &self.table, &request(SID, ssid, 0x1000, READ))
    }

    fn kind(&self, ssid: Option<u32>) -> Result<StreamAction, FaultKind> {
        self.ask(ssid).map(|context| context.action()).map_err(|fault| {
            assert_eq!((fault.action, fault.stage2), (FaultAction::Abort, false));
            assert!(fault.record, "{fault:?}");
            fault.kind
        })
    }

    fn ste(&self, ste: &Ste) {
        self.guest.set_ste(&self.table, SID, ste);
    }

    fn ste_with(&self, s1dss: u64) -> Ste {
        ste_stage1(self.contexts.base, 4, s1fmt::LINEAR, s1dss)
    }

    fn with_cd(&self, change: impl Fn(Cd) -> Cd) -> Result<StreamAction, FaultKind> {
        self.guest.set_cd(&self.contexts, 3, &change(cd(&self.tables, 7)));
        self.kind(Some(3))
    }
}

#[test]
fn a_valid_stream_translates() {
    let s = Setup::new();
    let context = s.ask(Some(3)).unwrap();
    assert_eq!(context.action(), StreamAction::FirstStage);
    assert_eq!((context.asid(), context.vmid()), (7, 0));
    assert_eq!(context.region(false).table, s.tables.root);
    assert!(!context.region(true).enabled);
    assert_eq!(StreamContext::from_words(context.to_words()), context);
    // STE and CD: two pairs of words each, the lower one twice.
    assert_eq!(s.guest.mem.reads(), 12);
}

#[test]
fn stream_ids_beyond_the_table() {
    let mut s = Setup::new();
    let ask = |s: &Setup, sid| {
        lookup_stream(&s.guest.mem, &s.f, &s.table, &request(sid, Some(3), 0, READ)).unwrap_err()
    };
    assert_eq!(ask(&s, 0x100).kind, FaultKind::BadStreamId);
    assert!(ask(&s, u32::MAX).record);
    s.table.record_bad_stream = false;
    assert!(!ask(&s, 0x100).record);
    // A table configured larger than StreamIDs are: IDR1.SIDSIZE limits, the base stays aligned to the table.
    s.table = StreamTable { log2size: 63, ..s.table };
    s.f.sid_bits = 4;
    assert_eq!(ask(&s, 16).kind, FaultKind::BadStreamId);
    s.table.base = 0x1234_5678_9abc;
    assert_eq!(ask(&s, 1).kind, FaultKind::BadSte);
    s.guest.mem.hole(0x40..0x80);
    assert_eq!(ask(&s, 1).fetch_addr, 0x40);
}

#[test]
fn the_base_is_aligned_to_the_table() {
    let mut s = Setup::new();
    s.table.base |= 0x3fc0;
    assert_eq!(s.kind(Some(3)), Ok(StreamAction::FirstStage));
}

#[test]
fn two_level_stream_tables() {
    for split in [6, 8, 10] {
        let mut s = Setup::new();
        s.table = s.guest.two_level_streams(16, split);
        let ste = s.ste_with(s1dss::TERMINATE);
        let ask = |s: &Setup, sid| {
            let req = request(sid, Some(3), 0, READ);
            lookup_stream(&s.guest.mem, &s.f, &s.table, &req).map_err(|fault| (fault.kind, fault.fetch_addr))
        };
        let last = 0xffff;
        assert_eq!(ask(&s, last), Err((FaultKind::BadStreamId, 0)), "no leaf");
        s.guest.set_ste(&s.table, last, &ste);
        assert!(ask(&s, last).is_ok());
        assert_eq!(ask(&s, last - 1), Err((FaultKind::BadSte, 0)), "an STE of zeros");

        let l1_addr = s.table.base + 8 * u64::from(last >> split);
        let l1 = L1Std::from(s.guest.mem.get(l1_addr));
        for (span, ok) in [(0, false), (u64::from(split) + 2, false), (12, false), (31, false), (1, false)] {
            s.guest.mem.put(l1_addr, l1.with_span(span).bits());
            assert_eq!(ask(&s, last).is_ok(), ok, "split {split} span {span}");
            assert_eq!(ask(&s, last).unwrap_err().0, FaultKind::BadStreamId);
        }
        // A shorter leaf holds the lower StreamIDs only.
        s.guest.mem.put(l1_addr, l1.with_span(2).bits());
        let first = (last >> split) << split;
        s.guest.set_ste(&s.table, first + 1, &ste);
        assert!(ask(&s, first + 1).is_ok());
        assert_eq!(ask(&s, first + 2), Err((FaultKind::BadStreamId, 0)));
        // The leaf's address is aligned to its span.
        s.guest.mem.put(l1_addr, l1.with_span(2).with_l2ptr(l1.l2ptr() | 1).bits());
        assert!(ask(&s, first + 1).is_ok());

        s.guest.mem.hole(l1_addr..l1_addr + 8);
        assert_eq!(ask(&s, last), Err((FaultKind::SteFetch, l1_addr)));
        // An SMMU without two-level tables takes the same register as a linear table.
        s.f.two_level_streams = false;
        assert_ne!(ask(&s, last), Err((FaultKind::SteFetch, l1_addr)));
    }
}

#[test]
fn reserved_splits_behave_as_6() {
    let mut s = Setup::new();
    s.table = s.guest.two_level_streams(16, 6);
    s.guest.set_ste(&s.table, SID, &s.ste_with(s1dss::TERMINATE));
    for split in [0, 7, 9, 11, 31] {
        s.table.split = split;
        assert_eq!(s.kind(Some(3)), Ok(StreamAction::FirstStage), "split {split}");
    }
}

#[test]
fn a_two_level_table_smaller_than_a_leaf() {
    let mut s = Setup::new();
    s.table = s.guest.two_level_streams(6, 8);
    s.guest.set_ste(&s.table, SID, &s.ste_with(s1dss::TERMINATE));
    assert_eq!(s.kind(Some(3)), Ok(StreamAction::FirstStage));
    let req = request(0x40, Some(3), 0, READ);
    let fault = lookup_stream(&s.guest.mem, &s.f, &s.table, &req).unwrap_err();
    assert_eq!(fault.kind, FaultKind::BadStreamId);
}

#[test]
fn ste_fetch_failures_name_the_address() {
    let s = Setup::new();
    let at = s.guest.ste_addr(&s.table, SID);
    s.guest.mem.hole(at..at + 64);
    let fault = s.ask(Some(3)).unwrap_err();
    assert_eq!((fault.kind, fault.fetch_addr, fault.record), (FaultKind::SteFetch, at, true));
    // Beyond the output address size there is nothing to read, whatever the machine has there.
    let table = StreamTable { base: 1 << 48, ..s.table };
    let fault = lookup_stream(&s.guest.mem, &s.f, &table, &request(0, None, 0, READ)).unwrap_err();
    assert_eq!((fault.kind, fault.fetch_addr), (FaultKind::SteFetch, 1 << 48));
}

#[test]
fn configs() {
    use FaultKind::{BadSte, BadSubstreamId};
    use StreamAction::{Abort, Bypass, FirstStage};
    let s = Setup::new();
    let valid = s.ste_with(s1dss::TERMINATE);
    for (config, with_ssid, without) in [
        (0b000, Ok(Abort), Ok(Abort)),
        (0b001, Ok(Abort), Ok(Abort)),
        (0b010, Ok(Abort), Ok(Abort)),
        (0b011, Ok(Abort), Ok(Abort)),
        (0b100, Err(BadSubstreamId), Ok(Bypass)),
        (0b101, Ok(FirstStage), Err(FaultKind::StreamDisabled)),
        (0b110, Err(BadSte), Err(BadSte)),
        (0b111, Err(BadSte), Err(BadSte)),
    ] {
        let mut ste = valid;
        ste[0] = Ste0::from(ste[0]).with_config(config).bits();
        s.ste(&ste);
        assert_eq!((s.kind(Some(3)), s.kind(None)), (with_ssid, without), "Config {config:#b}");
        ste[0] = Ste0::from(ste[0]).with_v(0).bits();
        s.ste(&ste);
        assert_eq!((s.kind(Some(3)), s.kind(None)), (Err(BadSte), Err(BadSte)), "V=0, Config {config:#b}");
    }
}

#[test]
fn illegal_stes() {
    type Set = fn(&mut Features);
    type Change = fn(Ste0, Ste1) -> (Ste0, Ste1);
    let off = |f: &mut Features| f.stall = StallModel::Off;
    let force = |f: &mut Features| f.stall = StallModel::Force;
    let rows: &[(&str, Set, Change, bool)] = &[
        ("S1CDMax at SSIDSIZE", |f| f.ssid_bits = 4, |a, b| (a, b), true),
        ("S1CDMax beyond SSIDSIZE", |f| f.ssid_bits = 3, |a, b| (a, b), false),
        ("S1Fmt with CD2L=0", |f| f.two_level_contexts = false, |a, b| (a.with_s1fmt(1), b), false),
        ("S1Fmt with CD2L=0", |f| f.two_level_contexts = false, |a, b| (a.with_s1fmt(2), b), false),
        ("reserved S1Fmt is linear", |f| f.two_level_contexts = false, |a, b| (a.with_s1fmt(3), b), true),
        ("S1STALLD", |_| (), |a, b| (a, b.with_s1stalld(1)), true),
        ("S1STALLD, no stall", off, |a, b| (a, b.with_s1stalld(1)), false),
        ("S1STALLD, stall forced", force, |a, b| (a, b.with_s1stalld(1)), false),
        ("S1ContextPtr beyond OAS", |_| (), |a, b| (a.with_s1contextptr(1 << 42), b), false),
        ("EATS without ATS", |f| f.ats = false, |a, b| (a, b.with_eats(2)), true),
        ("EATS", |_| (), |a, b| (a, b.with_eats(1)), true),
        ("split-stage EATS without stage 2", |_| (), |a, b| (a, b.with_eats(2)), false),
        ("reserved EATS is none", |_| (), |a, b| (a, b.with_eats(3)), true),
        ("STRW without EL2", |_| (), |a, b| (a, b.with_strw(3)), true),
        ("reserved attributes", |_| (), |a, b| (a, b.with_privcfg(1).with_instcfg(1).with_shcfg(1)), true),
    ];
    for (name, features, change, legal) in rows {
        let mut s = Setup::new();
        features(&mut s.f);
        let mut ste = s.ste_with(s1dss::TERMINATE);
        let (a, b) = change(Ste0::from(ste[0]), Ste1::from(ste[1]));
        (ste[0], ste[1]) = (a.bits(), b.bits());
        s.ste(&ste);
        assert_eq!(s.kind(Some(3)) != Err(FaultKind::BadSte), *legal, "{name}");
    }
}

#[test]
fn default_substreams() {
    use FaultKind::StreamDisabled;
    use StreamAction::{Bypass, FirstStage};
    let s = Setup::new();
    for (s1dss, none, zero) in [
        (s1dss::TERMINATE, Err(StreamDisabled), Ok(FirstStage)),
        (s1dss::BYPASS, Ok(Bypass), Ok(FirstStage)),
        (s1dss::SSID0, Ok(FirstStage), Err(StreamDisabled)),
        (3, Err(StreamDisabled), Ok(FirstStage)),
    ] {
        s.ste(&s.ste_with(s1dss));
        assert_eq!((s.kind(None), s.kind(Some(0))), (none, zero), "S1DSS {s1dss}");
        assert_eq!(s.kind(Some(3)), Ok(FirstStage));
    }
    // A bypass by S1DSS reads no CD.
    s.ste(&s.ste_with(s1dss::BYPASS));
    let before = s.guest.mem.reads();
    s.ask(None).unwrap();
    assert_eq!(s.guest.mem.reads() - before, 6);
    // Substitution of substream 0 does not show in events.
    s.ste(&s.ste_with(s1dss::SSID0));
    s.guest.set_cd(&s.contexts, 0, &[0; 8]);
    let fault = s.ask(None).unwrap_err();
    assert_eq!((fault.kind, fault.substream), (FaultKind::BadCd, None));
}

#[test]
fn substreams_out_of_bounds() {
    let mut s = Setup::new();
    assert_eq!(s.kind(Some(15)), Err(FaultKind::BadCd), "within the table, but empty");
    assert_eq!(s.kind(Some(16)), Err(FaultKind::BadSubstreamId));
    assert_eq!(s.kind(Some(u32::MAX)), Err(FaultKind::BadSubstreamId));
    // Substreams disabled: one CD for requests without, whatever S1Fmt and S1DSS say.
    for (fmt, s1dss) in [(0, 0), (1, 1), (2, 2), (3, 3)] {
        s.ste(&ste_stage1(s.contexts.base, 0, fmt, s1dss));
        assert_eq!(s.kind(None), Ok(StreamAction::FirstStage));
        assert_eq!(s.kind(Some(0)), Err(FaultKind::BadSubstreamId));
    }
    // Substreams unsupported: S1CDMax is ignored.
    s.f.ssid_bits = 0;
    s.ste(&ste_stage1(s.contexts.base, 31, 1, 0));
    assert_eq!(s.kind(None), Ok(StreamAction::FirstStage));
    assert_eq!(s.kind(Some(3)), Err(FaultKind::BadSubstreamId));
}

#[test]
fn two_level_context_tables() {
    for (fmt, leaf_log2) in [(s1fmt::LEAF_4K, 6), (s1fmt::LEAF_64K, 10)] {
        let mut s = Setup::new();
        s.contexts = s.guest.contexts(20, fmt);
        s.ste(&ste_stage1(s.contexts.base, 20, fmt, s1dss::SSID0));
        for ssid in [0, 1, 0xf_ffff, 0x1_2345] {
            assert_eq!(
                s.kind(Some(ssid).filter(|id| *id != 0)),
                Err(if ssid == 1 { FaultKind::BadCd } else { FaultKind::BadSubstreamId })
            );
            s.guest.set_cd(&s.contexts, ssid, &cd(&s.tables, 100));
            let context = s.ask(Some(ssid).filter(|id| *id != 0)).unwrap();
            assert_eq!(context.asid(), 100);
        }
        assert_eq!(s.kind(Some(0x10_0000)), Err(FaultKind::BadSubstreamId));

        let ssid = 0x1_2345;
        let l1_addr = s.contexts.base + 8 * u64::from(ssid >> leaf_log2);
        let l1 = crate::smmuv3::spec::cd::L1Cd::from(s.guest.mem.get(l1_addr));
        // L2Ptr out of range, and L1CD.V=0.
        for bad in [l1.with_l2ptr(1 << 36), l1.with_v(0)] {
            s.guest.mem.put(l1_addr, bad.bits());
            assert_eq!(s.kind(Some(ssid)), Err(FaultKind::BadSubstreamId));
        }
        s.guest.mem.put(l1_addr, l1.bits());
        let at = s.guest.cd_addr(&s.contexts, ssid);
        s.guest.mem.hole(at..at + 8);
        let fault = s.ask(Some(ssid)).unwrap_err();
        assert_eq!((fault.kind, fault.fetch_addr), (FaultKind::CdFetch, at));
        s.guest.mem.hole(l1_addr..l1_addr + 8);
        let fault = s.ask(Some(ssid)).unwrap_err();
        assert_eq!((fault.kind, fault.fetch_addr), (FaultKind::CdFetch, l1_addr));
        // For requests without SubstreamID the event names CD 0.
        s.guest.mem.put(s.contexts.base, 0);
        let fault = s.ask(None).unwrap_err();
        assert_eq!((fault.kind, fault.substream), (FaultKind::BadSubstreamId, Some(0)));
    }
}

#[test]
fn a_two_level_context_table_with_one_leaf() {
    for (fmt, max) in [(s1fmt::LEAF_4K, 6), (s1fmt::LEAF_64K, 10)] {
        for log2 in [1, max] {
            let mut s = Setup::new();
            s.contexts = s.guest.contexts(log2, fmt);
            s.ste(&ste_stage1(s.contexts.base, log2.into(), fmt, 0));
            let last = (1 << log2) - 1;
            s.guest.set_cd(&s.contexts, last, &cd(&s.tables, 9));
            assert_eq!(s.ask(Some(last)).unwrap().asid(), 9);
            assert_eq!(s.kind(Some(last + 1)), Err(FaultKind::BadSubstreamId));
        }
    }
}

#[test]
fn illegal_cds() {
    type Set = fn(&mut Features);
    type Change = fn(Cd0) -> Cd0;
    let none: Set = |_| ();
    let off: Set = |f| f.stall = StallModel::Off;
    let force: Set = |f| f.stall = StallModel::Force;
    let rows: &[(&str, Set, Change, bool)] = &[
        ("as Linux writes it", none, |c| c, true),
        ("V=0", none, |c| c.with_v(0), false),
        ("VMSAv8-32", none, |c| c.with_aa64(0), false),
        ("A=0 with TERM_MODEL=1", none, |c| c.with_a(0), false),
        ("A=0 with TERM_MODEL=0", |f| f.raz_wi = true, |c| c.with_a(0), true),
        ("S=1", none, |c| c.with_s(1), true),
        ("S=1, no stall", off, |c| c.with_s(1), false),
        ("S=1, stall forced", force, |c| c.with_s(1), true),
        ("S=0, stall forced", force, |c| c, false),
        ("big-endian", none, |c| c.with_endi(1), true),
        ("big-endian, little only", |f| f.big_endian = false, |c| c.with_endi(1), false),
        (
            "big-endian, little only, but no tables",
            |f| f.big_endian = false,
            |c| c.with_endi(1).with_epd0(1),
            true,
        ),
        ("HA and HD", none, |c| c.with_ha(1).with_hd(1), true),
        ("HA only", |f| f.httu = Httu::Access, |c| c.with_ha(1), true),
        ("HD without dirty state", |f| f.httu = Httu::Access, |c| c.with_ha(1).with_hd(1), false),
        ("HA without HTTU", |f| f.httu = Httu::None, |c| c.with_ha(1), false),
        ("HD without HTTU", |f| f.httu = Httu::None, |c| c.with_hd(1), false),
        ("16-bit ASID", none, |c| c.with_asid(0x100), true),
        ("16-bit ASID, 8 bits only", |f| f.asid16 = false, |c| c.with_asid(0x100), false),
        ("T0SZ 39, no small tables", |f| f.small_tables = false, |c| c.with_t0sz(39), true),
        ("T0SZ 40, no small tables", |f| f.small_tables = false, |c| c.with_t0sz(40), false),
        ("T0SZ 48", none, |c| c.with_t0sz(48), true),
        ("T0SZ 49", none, |c| c.with_t0sz(49), false),
        ("T0SZ 47 with 64K", none, |c| c.with_t0sz(47).with_tg0(1), true),
        ("T0SZ 48 with 64K", none, |c| c.with_t0sz(48).with_tg0(1), false),
        ("T0SZ 15", none, |c| c.with_t0sz(15), false),
        ("T0SZ 12 with 64K and VAX", none, |c| c.with_t0sz(12).with_tg0(1), true),
        ("T0SZ 11 with 64K and VAX", none, |c| c.with_t0sz(11).with_tg0(1), false),
        ("T0SZ 12 with 64K, no VAX", |f| f.va52 = false, |c| c.with_t0sz(12).with_tg0(1), false),
        ("TG0 16K", none, |c| c.with_tg0(2), true),
        ("TG0 16K, not there", |f| f.gran16k = false, |c| c.with_tg0(2), false),
        ("TG0 4K, not there", |f| f.gran4k = false, |c| c, false),
        ("TG0 64K, not there", |f| f.gran64k = false, |c| c.with_tg0(1), false),
        ("TG0 reserved", none, |c| c.with_tg0(3), false),
        ("EPD0 ignores T0SZ and TG0", none, |c| c.with_epd0(1).with_t0sz(0).with_tg0(3), true),
        ("EPD1 ignores T1SZ and TG1", none, |c| c.with_t1sz(63).with_tg1(0), true),
        ("TG1 reserved", none, |c| c.with_epd1(0).with_t1sz(16).with_tg1(0), false),
        ("TG1 16K", none, |c| c.with_epd1(0).with_t1sz(16).with_tg1(1), true),
        ("T1SZ 12 with 64K and VAX", none, |c| c.with_epd1(0).with_t1sz(12).with_tg1(3), true),
        ("T1SZ 12 with 4K", none, |c| c.with_epd1(0).with_t1sz(12).with_tg1(2), false),
        ("IPS above OAS is capped", none, |c| c.with_ips(6), true),
        ("reserved IPS is capped", none, |c| c.with_ips(7), true),
        ("IPS below the table's address", none, |c| c.with_ips(0), true),
        ("as Linux releases it", none, |c| c.with_epd0(1).with_s(0).with_r(0), true),
    ];
    for (name, features, change, legal) in rows {
        let mut s = Setup::new();
        features(&mut s.f);
        let result = s.with_cd(|cd| edit_cd(cd, change));
        let expected = if *legal { Ok(StreamAction::FirstStage) } else { Err(FaultKind::BadCd) };
        assert_eq!(result, expected, "{name}");
    }
}

#[test]
fn tables_out_of_range_make_the_cd_illegal() {
    let mut s = Setup::new();
    s.f.oas = AddressSize::Bits52;
    let ask = |s: &Setup, ips, tg0, ttb0: u64| {
        s.with_cd(|mut cd| {
            cd[1] = Cd1::from(cd[1]).with_ttb0(ttb0 >> 4).bits();
            edit_cd(cd, |c| c.with_ips(ips).with_tg0(tg0))
        })
        .is_ok()
    };
    assert!(ask(&s, 0, 0, 0xffff_f000));
    assert!(!ask(&s, 0, 0, 1 << 32));
    assert!(ask(&s, 6, 1, 1 << 51), "52 bits with 64K");
    assert!(!ask(&s, 6, 0, 1 << 51), "48 bits with 4K");
    assert!(!ask(&s, 6, 2, 1 << 51), "48 bits with 16K");
    assert!(!ask(&s, 7, 1, 1 << 52));
    s.f.oas = AddressSize::Bits40;
    assert!(!ask(&s, 6, 1, 1 << 40), "capped to OAS");
    // TTB1 is checked too, if enabled.
    let upper = |enabled: u64| {
        s.with_cd(|mut cd| {
            cd[2] = Cd2::default().with_ttb1(u64::MAX).bits();
            edit_cd(cd, |c| c.with_epd1(1 - enabled).with_t1sz(16).with_tg1(2))
        })
    };
    assert_eq!(upper(1), Err(FaultKind::BadCd));
    assert_eq!(upper(0), Ok(StreamAction::FirstStage));
}

#[test]
fn stall_disabled_streams_refuse_cds_that_stall() {
    let s = Setup::new();
    s.ste(&edit_ste1(s.ste_with(0), |ste1| ste1.with_s1stalld(1)));
    assert_eq!(s.with_cd(|cd| edit_cd(cd, |c| c.with_s(1))), Err(FaultKind::BadCd));
    assert_eq!(s.with_cd(|cd| cd), Ok(StreamAction::FirstStage));
}

#[test]
fn bypass_is_one_to_one_within_the_output_size() {
    let s = Setup::new();
    s.ste(&ste_bypass());
    let context = s.ask(None).unwrap();
    let at = |addr| bypass(&s.f, &context, &request(SID, None, addr, WRITE));
    let top = (1 << 48) - 1;
    let translation = at(top).unwrap();
    assert_eq!((translation.addr, translation.page_mask), (top, top));
    let fault = at(top + 1).unwrap_err();
    assert_eq!((fault.kind, fault.action, fault.record), (FaultKind::AddressSize, FaultAction::Abort, true));
    assert_eq!(fault.class, FaultClass::Input);
    assert!(!silent_abort(&request(SID, None, 0, READ)).record);
}

#[test]
fn attribute_overrides() {
    let s = Setup::new();
    let context = |privcfg, instcfg| StreamContext {
        ste: [0, Ste1::default().with_privcfg(privcfg).with_instcfg(instcfg).bits(), 0, 0],
        cd: [0; 4],
    };
    let check = |privcfg, instcfg, access, expected| {
        assert_eq!(context(privcfg, instcfg).effective_access(&s.f, access), expected, "{privcfg} {instcfg}");
    };
    for reserved_or_incoming in [0, 1] {
        check(reserved_or_incoming, reserved_or_incoming, READ, READ);
        check(reserved_or_incoming, reserved_or_incoming, privileged(FETCH), privileged(FETCH));
    }
    check(2, 0, privileged(READ), READ);
    check(3, 0, READ, privileged(READ));
    check(0, 3, READ, FETCH);
    check(0, 2, FETCH, READ);
    check(0, 2, Access { read: false, ..FETCH }, READ);
    // Writes and atomics are data, whatever anybody says.
    check(0, 3, WRITE, WRITE);
    check(0, 3, ATOMIC, ATOMIC);
    check(0, 0, Access { exec: true, ..WRITE }, WRITE);
    // A probe asks nothing.
    check(0, 3, Access::default(), Access::default());
    let off = Features { attr_perms_override: false, ..s.f };
    assert_eq!(context(3, 3).effective_access(&off, READ), READ);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// Whatever stands in the tables: no panic, a bounded number of reads, and a context only if all of it is valid.
    #[test]
    fn arbitrary_tables(
        table in (any::<u64>(), any::<u8>(), any::<u8>(), any::<bool>()),
        sid in any::<u32>(),
        ssid in proptest::option::of(any::<u32>()),
        words in proptest::collection::vec(any::<u64>(), 64),
        (adversarial_ste, adversarial_cd, e2h, check_ats) in any::<(bool, bool, bool, bool)>(),
        ssid_bits in 0u8..=20,
        stall in prop_oneof![Just(StallModel::Off), Just(StallModel::On), Just(StallModel::Force)],
    ) {
        let f = Features { ssid_bits, stall, hyp: e2h, ..Features::default() };
        let memory = Noise { words, ste: adversarial_ste, cd: adversarial_cd, reads: 0.into() };
        let (base, log2size, split, two_level) = table;
        let table = StreamTable { base, log2size, split, two_level, record_bad_stream: true, e2h, check_ats };
        let result = lookup_stream(&memory, &f, &table, &request(sid, ssid, 0, READ));
        prop_assert!(memory.reads.load(std::sync::atomic::Ordering::Relaxed) <= 10);
        if let Ok(context) = result {
            prop_assert_eq!(context.ste0().v(), 1);
            if context.action() == StreamAction::FirstStage {
                prop_assert_eq!(context.cd0().v(), 1);
                prop_assert!(!context::is_illegal(&f, &context));
            }
        }
    }
}

/// Memory of which every word is a pseudo-random function of its address, optionally nudged towards validity.
#[derive(Debug)]
struct Noise {
    words: Vec<u64>,
    ste: bool,
    cd: bool,
    reads: std::sync::atomic::AtomicU64,
}

impl GuestMemory for Noise {
    fn read(&self, _: u64, _: &mut [u8]) -> Result<(), crate::iommu::MemoryError> {
        unreachable!("tables are read word by word")
    }

    fn write(&self, _: u64, _: &[u8]) -> Result<(), crate::iommu::MemoryError> {
        unreachable!("tables are not written")
    }

    fn read_u64(&self, addr: u64) -> Result<u64, crate::iommu::MemoryError> {
        assert_eq!(addr % 8, 0);
        let count = self.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let word = self.words[(addr >> 3) as usize % self.words.len()];
        Ok(match (addr & 0x38, count) {
            // Mostly the STE, then mostly the CD.
            (0, 0) if self.ste => Ste0::from(word).with_v(1).with_config(5).with_s1cdmax(word & 15).bits(),
            (0, 4..) if self.cd => Cd0::from(word).with_v(1).with_aa64(1).with_endi(0).with_a(1).bits(),
            _ => word,
        })
    }

    fn compare_exchange_u64(
        &self,
        _: u64,
        _: u64,
        _: u64,
    ) -> Result<Result<(), u64>, crate::iommu::MemoryError> {
        unreachable!("tables are not written")
    }
}
