// SPDX-License-Identifier: GPL-2.0-or-later
//! Every way that tables can be wrong, each with its reason.

use super::*;
use crate::vtd::leniency::Leniency;
use crate::vtd::spec::context::{ScalableContext0, ScalableContext1};
use crate::vtd::spec::pasid::PasidDirectory;
use crate::vtd::spec::root::Root;
use crate::vtd::testing::*;

const PASID: u32 = 0x1_2345;

struct Rig {
    guest: TestGuest,
    function: Function,
    f: Features,
}

impl Rig {
    /// A function with one PASID and `RID_PASID` 0, both of a first stage.
    fn new() -> Self {
        let guest = TestGuest::new();
        let function = guest.function(SID);
        let tables = guest.first_stage(4);
        guest.set_pasid(function, PASID, &pasid_first(&tables, 5));
        guest.set_pasid(function, 0, &pasid_first(&tables, 6));
        Self { guest, function, f: Features::default() }
    }

    fn ask(&self, pasid: Option<u32>, kind: RequestKind) -> Result<Context, (FaultReason, bool)> {
        let req = request(pasid, 0x1000, READ);
        lookup(&self.guest.mem, &self.f, &self.guest.scalable_root(), &req, kind)
            .map_err(|fault| (fault.reason, fault.record))
    }

    fn reason(&self, pasid: Option<u32>) -> Option<(FaultReason, bool)> {
        self.ask(pasid, RequestKind::Untranslated).err()
    }

    fn context0(&self) -> ScalableContext0 {
        self.guest.context0(self.function)
    }

    fn set(&self, entry0: ScalableContext0, entry1: ScalableContext1) {
        self.guest.set_context(self.function, entry0, entry1);
    }

    fn root_word(&self) -> u64 {
        self.guest.root + u64::from(SID >> 8) * 16
    }
}

#[test]
fn a_pasid_and_a_request_without() {
    let rig = Rig::new();
    let context = rig.ask(Some(PASID), RequestKind::Untranslated).unwrap();
    assert_eq!((context.domain(), context.pasid()), (5, PASID));
    assert_eq!(context.action(), Action::FirstStage);
    assert!(context.is_scalable() && context.has_device_tlb() && !context.faults_disabled());
    assert_eq!(Context::from_words(context.to_words()), context);
    let context = rig.ask(None, RequestKind::Untranslated).unwrap();
    assert_eq!((context.domain(), context.pasid()), (6, 0));
    rig.set(rig.context0(), ScalableContext1::default().with_rid_pasid(PASID.into()));
    let context = rig.ask(None, RequestKind::Untranslated).unwrap();
    assert_eq!((context.domain(), context.pasid()), (5, PASID));
}

#[test]
fn the_upper_half_of_a_bus_has_a_context_table_of_its_own() {
    let guest = TestGuest::new();
    let (low, high) = (guest.function(0x0218), guest.function(0x0298));
    assert_ne!(low.context & !0xfff, high.context & !0xfff);
    assert_eq!(low.context & 0xfff, high.context & 0xfff);
    guest.set_pasid(high, 0, &pasid_pass_through(9));
    let req = DmaRequest { stream: 0x0298, ..request(None, 0, READ) };
    let f = Features::default();
    let context = lookup(&guest.mem, &f, &guest.scalable_root(), &req, RequestKind::Untranslated).unwrap();
    assert_eq!((context.domain(), context.action()), (9, Action::PassThrough));
}

#[test]
fn table_modes() {
    let rig = Rig::new();
    let reason = |f: &Features, mode: u64, pasid| {
        let table = RootTable { rtaddr: rig.guest.root | mode << 10 };
        lookup(&rig.guest.mem, f, &table, &request(pasid, 0, READ), RequestKind::Untranslated)
            .err()
            .map(|fault| (fault.reason, fault.record))
    };
    let f = Features::default();
    assert_eq!(reason(&f, 0b10, None), Some((FaultReason::RootTable, true)));
    assert_eq!(reason(&f, 0b11, None), Some((FaultReason::AbortDma, true)));
    assert_eq!(reason(&f, 0b11, Some(1)), Some((FaultReason::AbortDma, true)));
    assert_eq!(reason(&f, 0b00, Some(1)), Some((FaultReason::PasidInLegacyMode, true)));
    let without = Features { abort_dma: false, scalable: false, ..f };
    assert_eq!(reason(&without, 0b11, None), Some((FaultReason::RootTable, true)));
    assert_eq!(reason(&without, 0b01, None), Some((FaultReason::RootTable, true)));
    let req = request(None, 0, READ);
    let page = lookup(&rig.guest.mem, &f, &rig.guest.legacy_root(), &req, RequestKind::Page);
    assert_eq!(page.unwrap_err().reason, FaultReason::PageRequestInLegacyMode);
}

#[test]
fn root_entries() {
    let rig = Rig::new();
    let good = Root::from(rig.guest.mem.get(rig.root_word()));
    let with = |root: Root| {
        rig.guest.mem.put(rig.root_word(), root.bits());
        rig.reason(None).map(|(reason, _)| reason)
    };
    assert_eq!(with(good.with_p(0)), Some(FaultReason::ScalableRootNotPresent));
    assert_eq!(with((good.bits() | 2).into()), Some(FaultReason::ScalableRootReserved));
    assert_eq!(with((good.bits() | 1 << 48).into()), Some(FaultReason::ScalableRootReserved));
    assert_eq!(with(good), None);
    rig.guest.mem.hole(rig.guest.root..rig.guest.root + 0x1000);
    assert_eq!(rig.reason(None), Some((FaultReason::ScalableRootAccess, true)));
}

#[test]
fn scalable_context_entries() {
    let rig = Rig::new();
    let good = rig.context0();
    let none = ScalableContext1::default();
    let with = |entry0: ScalableContext0, entry1: ScalableContext1, pasid| {
        rig.set(entry0, entry1);
        rig.reason(pasid)
    };
    let reserved = Some((FaultReason::ScalableContextReserved, true));
    let absent = FaultReason::ScalableContextNotPresent;
    assert_eq!(with(good.with_p(0), none, None), Some((absent, true)));
    assert_eq!(with(good.with_p(0).with_fpd(1), none, None), Some((absent, false)));
    assert_eq!(with((good.bits() | 1 << 5).into(), none, None), reserved);
    assert_eq!(with(good, (1 << 21).into(), None), reserved);
    assert_eq!(with((good.bits() | 1 << 50).into(), none, None), reserved);
    rig.set(good, none);
    rig.guest.mem.put(rig.function.context + 24, 1);
    assert_eq!(rig.reason(None), reserved);
    rig.set(good, none);
    assert_eq!(with(good.with_paside(0), none, Some(PASID)), Some((FaultReason::PasidDisabled, true)));
    assert_eq!(with(good.with_paside(0), none, None), None);
    // 2^13 PASIDs, up to 0x1fff.
    let small = good.with_pdts(0);
    assert_eq!(with(small, none, Some(0x2000)), Some((FaultReason::PasidTooLarge, true)));
    assert_eq!(with(small.with_fpd(1), none, Some(0x2000)), Some((FaultReason::PasidTooLarge, false)));
    assert_eq!(with(small, none, Some(0x1fff)), Some((FaultReason::DirectoryNotPresent, true)));
    assert_eq!(with(small, none.with_rid_pasid(0x2000), None), Some((FaultReason::RidPasid, true)));
    rig.guest.mem.hole(rig.function.context..rig.function.context + 8);
    assert_eq!(rig.reason(None), Some((FaultReason::ScalableContextAccess, true)));
}

#[test]
fn what_the_unit_has_not_is_reserved() {
    let mut rig = Rig::new();
    let good = rig.context0();
    let reserved = Some((FaultReason::ScalableContextReserved, true));
    rig.f = Features { device_tlb: false, ..Features::default() };
    assert_eq!(rig.reason(None), reserved);
    rig.f = Features { page_requests: false, ..Features::default() };
    assert_eq!(rig.reason(None), reserved);
    rig.f = Features { rid_pasid: false, rid_priv: false, ..Features::default() };
    assert_eq!(rig.reason(None), None);
    rig.set(good, ScalableContext1::default().with_rid_pasid(1));
    assert_eq!(rig.reason(None), reserved);
    rig.set(good, ScalableContext1::default().with_rid_priv(1));
    assert_eq!(rig.reason(None), reserved);
    rig.set(good, ScalableContext1::default());
    rig.f = Features { pasid_bits: 8, ..Features::default() };
    assert_eq!(rig.reason(Some(0x100)), Some((FaultReason::PasidTooLarge, true)));
    assert_eq!(rig.reason(Some(0xff)), Some((FaultReason::DirectoryNotPresent, true)));
}

#[test]
fn kinds_of_requests() {
    let rig = Rig::new();
    let good = rig.context0();
    let none = ScalableContext1::default();
    let disabled = Some((FaultReason::DeviceTlbDisabled, true));
    rig.set(good.with_dte(0), none);
    assert_eq!(rig.ask(Some(PASID), RequestKind::Translation).err(), disabled);
    assert_eq!(rig.ask(Some(PASID), RequestKind::Translated).err(), disabled);
    assert!(rig.ask(Some(PASID), RequestKind::Untranslated).is_ok());
    assert!(rig.ask(Some(PASID), RequestKind::Page).is_ok());
    // Page requests depend on no PASID entry.
    assert!(rig.ask(Some(77), RequestKind::Page).is_ok());
    rig.set(good.with_pre(0), none);
    assert_eq!(rig.ask(Some(PASID), RequestKind::Page).err(), Some((FaultReason::PageRequestDisabled, true)));
    assert!(rig.ask(Some(PASID), RequestKind::Translation).is_ok());
    rig.set(good.with_paside(0), none);
    assert_eq!(rig.ask(Some(PASID), RequestKind::Page).err(), Some((FaultReason::PasidDisabled, true)));
    assert!(rig.ask(None, RequestKind::Page).is_ok());
}

#[test]
fn directory_entries() {
    let rig = Rig::new();
    let at = rig.guest.directory_entry(rig.function, PASID);
    let good = PasidDirectory::from(rig.guest.mem.get(at));
    let with = |entry: PasidDirectory| {
        rig.guest.mem.put(at, entry.bits());
        rig.reason(Some(PASID))
    };
    let absent = FaultReason::DirectoryNotPresent;
    assert_eq!(with(good.with_p(0)), Some((absent, true)));
    assert_eq!(with(good.with_p(0).with_fpd(1)), Some((absent, false)));
    assert_eq!(with((good.bits() | 4).into()), Some((FaultReason::DirectoryReserved, true)));
    assert_eq!(with((good.bits() | 1 << 51).into()), Some((FaultReason::DirectoryReserved, true)));
    assert_eq!(with(good.with_fpd(1)), None);
    assert!(rig.ask(Some(PASID), RequestKind::Untranslated).unwrap().faults_disabled());
    rig.guest.mem.hole(at..at + 8);
    // An access error is reported whatever FPD says.
    rig.set(rig.context0().with_fpd(1), ScalableContext1::default());
    assert_eq!(rig.reason(Some(PASID)), Some((FaultReason::DirectoryAccess, true)));
}

#[test]
fn pasid_entries() {
    let mut rig = Rig::new();
    let (first, second) = (rig.guest.first_stage(4), rig.guest.second_stage(4));
    let good = pasid_first(&first, 5);
    let at = rig.guest.pasid_entry(rig.function, PASID);
    let with = |rig: &Rig, entry: PasidEntry| {
        rig.guest.set_pasid(rig.function, PASID, &entry);
        rig.reason(Some(PASID))
    };
    let absent = FaultReason::PasidNotPresent;
    let reserved = Some((FaultReason::PasidReserved, true));
    let invalid = Some((FaultReason::PasidInvalid, true));
    assert_eq!(with(&rig, PasidEntry(good.0.with_p(0), good.1, good.2)), Some((absent, true)));
    // What Linux leaves when a process is gone.
    let gone = PasidEntry(Pasid0::default().with_fpd(1), 0.into(), 0.into());
    assert_eq!(with(&rig, gone), Some((absent, false)));
    assert_eq!(with(&rig, PasidEntry((good.0.bits() | 1 << 10).into(), good.1, good.2)), reserved);
    assert_eq!(with(&rig, PasidEntry(good.0, (good.1.bits() | 1 << 16).into(), good.2)), reserved);
    assert_eq!(with(&rig, PasidEntry(good.0, good.1, (good.2.bits() | 1 << 8).into())), reserved);
    assert_eq!(with(&rig, PasidEntry(good.0, good.1, (good.2.bits() | 1 << 50).into())), reserved);
    assert_eq!(with(&rig, good), None);
    rig.guest.mem.put(at + 56, 1);
    assert_eq!(rig.reason(Some(PASID)), reserved);
    for kind in [0, 5, 6, 7] {
        assert_eq!(with(&rig, PasidEntry(good.0.with_pgtt(kind), good.1, good.2)), invalid);
    }
    assert_eq!(with(&rig, PasidEntry(good.0, good.1, good.2.with_fspm(1))), None);
    assert_eq!(with(&rig, PasidEntry(good.0, good.1, good.2.with_fspm(2))), invalid);
    let stage2 = pasid_second(&second, 5);
    assert_eq!(with(&rig, stage2), None);
    for (aw, expected) in [(0, invalid), (1, None), (2, None), (3, invalid), (4, invalid)] {
        assert_eq!(with(&rig, PasidEntry(stage2.0.with_aw(aw), stage2.1, stage2.2)), expected, "{aw}");
    }
    let nested = pasid_nested(&first, &second, 5);
    assert_eq!(with(&rig, nested), None);
    let pass_through = pasid_pass_through(5);
    assert_eq!(with(&rig, pass_through), None);

    let full = Features::default();
    rig.f = Features { fs5lp: false, ..full };
    assert_eq!(with(&rig, PasidEntry(good.0, good.1, good.2.with_fspm(1))), invalid);
    for (f, entry) in [
        (Features { first_stage: false, ..full }, good),
        (Features { second_stage: false, ..full }, stage2),
        (Features { nested: false, ..full }, nested),
        (Features { pass_through: false, ..full }, pasid_pass_through(5)),
    ] {
        rig.f = f;
        assert_eq!(with(&rig, entry), invalid);
    }
    for (f, entry) in [
        (Features { coherent: false, ..full }, PasidEntry(good.0, good.1.with_pwsnp(1), good.2)),
        (Features { coherent: false, ..full }, PasidEntry(stage2.0, stage2.1.with_pwsnp(1), stage2.2)),
        (Features { snoop_control: false, ..full }, PasidEntry(good.0, good.1.with_pgsnp(1), good.2)),
        (
            Features { snoop_control: false, ..full },
            PasidEntry(pass_through.0, pass_through.1.with_pgsnp(1), pass_through.2),
        ),
        (Features { supervisor_requests: false, ..full }, PasidEntry(good.0, good.1, good.2.with_sre(1))),
        (Features { execute_requests: false, ..full }, PasidEntry(good.0, good.1, good.2.with_ere(1))),
        (Features { extended_accessed: false, ..full }, PasidEntry(good.0, good.1, good.2.with_eafe(1))),
        (
            Features { second_stage_dirty: false, ..full },
            PasidEntry(stage2.0.with_ssade(1), stage2.1, stage2.2),
        ),
    ] {
        rig.f = full;
        assert_eq!(with(&rig, entry), None);
        rig.f = f;
        assert_eq!(with(&rig, entry), reserved);
    }
    // Without either they are as they have to be.
    rig.f = Features { coherent: false, snoop_control: false, ..full };
    assert_eq!(with(&rig, PasidEntry(good.0, good.1.with_pwsnp(0), good.2)), None);
    rig.f = Features { aw_bits: 57, ..full };
    assert_eq!(with(&rig, PasidEntry(stage2.0.with_aw(3), stage2.1, stage2.2)), None);
    rig.guest.mem.hole(at..at + 8);
    assert_eq!(rig.reason(Some(PASID)), Some((FaultReason::PasidAccess, true)));
}

#[test]
fn any_fpd_on_the_way_keeps_qualified_faults_quiet() {
    let rig = Rig::new();
    let entry = PasidEntry(Pasid0::default().with_fpd(1), 0.into(), 0.into());
    rig.guest.set_pasid(rig.function, 77, &entry);
    assert_eq!(rig.reason(Some(77)), Some((FaultReason::PasidNotPresent, false)));
    rig.set(rig.context0().with_fpd(1), ScalableContext1::default());
    assert_eq!(rig.reason(Some(78)), Some((FaultReason::PasidNotPresent, false)));
    assert_eq!(rig.reason(Some(1 << 12)), Some((FaultReason::DirectoryNotPresent, false)));
    assert!(rig.ask(Some(PASID), RequestKind::Untranslated).unwrap().faults_disabled());
}

#[test]
fn legacy_entries() {
    let guest = TestGuest::new();
    let tables = guest.second_stage(4);
    let good0 = Context0::default().with_p(1).with_tt(tt::ALL).with_ssptptr(tables.root >> 12);
    let good1 = Context1::default().with_aw(2).with_did(0x1234);
    let at = guest.set_legacy_context(SID, good0, good1);
    let full = Features::default();
    let ask = |f: &Features, entry0: Context0, entry1: Context1, kind| {
        guest.set_legacy_context(SID, entry0, entry1);
        lookup(&guest.mem, f, &guest.legacy_root(), &request(None, 0, READ), kind)
            .map(|context| (context.action(), context.domain()))
            .map_err(|fault| (fault.reason, fault.record))
    };
    let plain = RequestKind::Untranslated;
    let translates = Ok((Action::SecondStage, 0x1234));
    assert_eq!(ask(&full, good0, good1, plain), translates);
    assert_eq!(ask(&full, good0, good1, RequestKind::Translation), translates);
    assert_eq!(ask(&full, good0.with_tt(tt::UNTRANSLATED), good1, plain), translates);
    for kind in [RequestKind::Translation, RequestKind::Translated] {
        let blocked = Err((FaultReason::TranslationType, true));
        assert_eq!(ask(&full, good0.with_tt(tt::UNTRANSLATED), good1, kind), blocked);
        assert_eq!(ask(&full, good0.with_tt(tt::PASS_THROUGH), good1, kind), blocked);
    }
    let passes = Ok((Action::PassThrough, 0x1234));
    assert_eq!(ask(&full, good0.with_tt(tt::PASS_THROUGH), good1, plain), passes);

    let invalid = Err((FaultReason::ContextInvalid, true));
    assert_eq!(ask(&full, good0.with_tt(3), good1, plain), invalid);
    assert_eq!(ask(&full, good0, good1.with_aw(3), plain), invalid);
    assert_eq!(ask(&full, good0, good1.with_aw(0), plain), invalid);
    assert_eq!(ask(&Features { device_tlb: false, ..full }, good0, good1, plain), invalid);
    let no_pt = Features { pass_through: false, ..full };
    assert_eq!(ask(&no_pt, good0.with_tt(tt::PASS_THROUGH), good1, plain), invalid);
    let reserved = Err((FaultReason::ContextReserved, true));
    assert_eq!(ask(&full, (good0.bits() | 1 << 4).into(), good1, plain), reserved);
    assert_eq!(ask(&full, (good0.bits() | 1 << 52).into(), good1, plain), reserved);
    assert_eq!(ask(&full, good0, (good1.bits() | 1 << 7).into(), plain), reserved);
    assert_eq!(ask(&full, good0, (good1.bits() | 1 << 24).into(), plain), reserved);
    let absent = FaultReason::ContextNotPresent;
    assert_eq!(ask(&full, good0.with_p(0), good1, plain), Err((absent, true)));
    assert_eq!(ask(&full, good0.with_p(0).with_fpd(1), good1, plain), Err((absent, false)));

    let root_word = guest.root + u64::from(SID >> 8) * 16;
    let root = guest.mem.get(root_word);
    guest.mem.put(root_word + 8, 1);
    assert_eq!(ask(&full, good0, good1, plain), Err((FaultReason::RootReserved, true)));
    guest.mem.put_all(root_word, &[0, 0]);
    let req = request(None, 0, READ);
    let reason = || lookup(&guest.mem, &full, &guest.legacy_root(), &req, plain).unwrap_err().reason;
    assert_eq!(reason(), FaultReason::RootNotPresent);
    guest.mem.put(root_word, root);
    guest.mem.hole(at..at + 8);
    assert_eq!(reason(), FaultReason::ContextAccess);
    guest.mem.hole(root_word..root_word + 8);
    assert_eq!(reason(), FaultReason::RootAccess);
}

#[test]
fn privileges_and_instruction_fetches() {
    let rig = Rig::new();
    let tables = rig.guest.first_stage(4);
    let plain = pasid_first(&tables, 5);
    let with = |entry2: Pasid2| {
        rig.guest.set_pasid(rig.function, PASID, &PasidEntry(plain.0, plain.1, entry2));
        rig.ask(Some(PASID), RequestKind::Untranslated).unwrap()
    };
    let context = with(plain.2);
    assert_eq!(context.refuses(READ), None);
    assert_eq!(context.refuses(privileged(READ)), Some(FaultReason::SupervisorDisabled));
    assert_eq!(context.refuses(EXEC), Some(FaultReason::ExecuteDisabled));
    // A write is data, whatever it says.
    assert_eq!(context.refuses(Access { exec: true, ..WRITE }), None);
    assert_eq!(with(plain.2.with_sre(1)).refuses(privileged(READ)), None);
    assert_eq!(with(plain.2.with_ere(1)).refuses(EXEC), None);

    // Without PASID, both come from the tables.
    let rid = rig.ask(None, RequestKind::Untranslated).unwrap();
    assert!(!rid.effective_access(privileged(EXEC)).privileged && !rid.effective_access(EXEC).exec);
    rig.set(rig.context0(), ScalableContext1::default().with_rid_priv(1));
    let rid = rig.ask(None, RequestKind::Untranslated).unwrap();
    assert!(rid.effective_access(READ).privileged);
    assert_eq!(rid.refuses(READ), Some(FaultReason::SupervisorDisabled));
    // And a second stage knows neither.
    rig.guest.set_pasid(rig.function, PASID, &pasid_second(&rig.guest.second_stage(4), 5));
    let context = rig.ask(Some(PASID), RequestKind::Untranslated).unwrap();
    assert_eq!(context.refuses(privileged(EXEC)), None);
    assert_eq!(context.effective_access(privileged(EXEC)), READ);
}

/// QEMU's own model does not look at what is reserved for want of a capability, nor at any reserved bit of a PASID table entry
/// (docs/replace.md). What they ask for does not happen.
#[test]
fn lenient_scalable_entries() {
    let mut rig = Rig::new();
    let good = rig.context0();
    let leniency = Leniency { scalable_entries: true, ..Leniency::default() };
    let poor = Features {
        device_tlb: false,
        page_requests: false,
        pasid_bits: 0,
        rid_pasid: false,
        rid_priv: false,
        supervisor_requests: false,
        execute_requests: false,
        extended_accessed: false,
        second_stage_dirty: false,
        leniency,
        ..Features::default()
    };
    rig.f = poor;
    rig.set(good, ScalableContext1::default().with_rid_pasid(1).with_rid_priv(1));
    rig.guest.mem.put(rig.function.context + 24, 1);
    let context = rig.ask(None, RequestKind::Untranslated).unwrap();
    // Of PASID 0, and with no more privileges than before.
    assert_eq!((context.domain(), context.pasid()), (6, 0));
    assert_eq!(context.refuses(Access { privileged: true, ..READ }), None);
    assert!(!context.effective_access(READ).privileged);
    for (kind, reason) in [
        (RequestKind::Translation, FaultReason::DeviceTlbDisabled),
        (RequestKind::Page, FaultReason::PageRequestDisabled),
    ] {
        assert_eq!(rig.ask(None, kind).err(), Some((reason, true)));
    }
    assert_eq!(rig.reason(Some(PASID)), Some((FaultReason::PasidDisabled, true)));

    let second = rig.guest.second_stage(4);
    let entry = pasid_second(&second, 5);
    let flags = PasidEntry(
        entry.0.with_ssade(1),
        (entry.1.bits() | 1 << 16).into(),
        entry.2.with_sre(1).with_ere(1).with_eafe(1),
    );
    rig.guest.set_pasid(rig.function, 0, &flags);
    rig.guest.mem.put(rig.guest.pasid_entry(rig.function, 0) + 56, 1);
    let context = rig.ask(None, RequestKind::Untranslated).unwrap();
    assert_eq!(context.action(), Action::SecondStage);
    assert!(!context.keeps_second_stage_flags() && !context.keeps_extended_accessed() && !context.executes());
    // A table that cannot be reached is none.
    rig.guest.set_pasid(rig.function, 0, &PasidEntry(entry.0.with_ssptptr(1 << 38), entry.1, entry.2));
    assert_eq!(rig.reason(None), Some((FaultReason::PasidReserved, true)));
    // Bits that are reserved whatever the unit can do.
    rig.set((good.bits() | 1 << 5).into(), ScalableContext1::default());
    assert_eq!(rig.reason(None), Some((FaultReason::ScalableContextReserved, true)));
}
