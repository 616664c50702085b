// SPDX-License-Identifier: GPL-2.0-or-later
mod bridges;

use super::*;
use crate::iommu::Access;
use crate::nested::assigned::Forwarded;
use crate::nested::fake::{Call, Failure, FakeHost};
use crate::nested::host::BindingId;
use crate::smmuv3::features::{AddressSize, Httu};
use crate::smmuv3::spec::command::{AtcInv0, AtcInv1, TlbiCommand1};
use crate::smmuv3::spec::id::{Idr0, Idr1, Idr3, Idr5};
use crate::smmuv3::spec::ste::{Ste0, config as ste_config, s1fmt};
use crate::smmuv3::testing::{
    Ste, TestGuest, edit_ste1, s2_rw, ste_abort, ste_bypass, ste_stage1, with_stage2,
};

const SID: StreamId = 0x10;
const OTHER: StreamId = 0x18;
const BINDING: BindingId = BindingId(1);

/// What a guest with an assigned device is offered.
fn guest_features() -> Features {
    Features { stage2: false, va52: false, hyp: false, ..Features::default() }
}

/// A host that can all of that, and nest.
fn able() -> Smmuv3Capabilities {
    let f = Features { stage2: true, ..guest_features() };
    Smmuv3Capabilities {
        idr: [f.idr0(), f.idr1(), f.idr2(), f.idr3(), f.idr4(), f.idr5()],
        iidr: f.iidr(),
        aidr: f.aidr(),
        pasid_bits: 20,
    }
}

struct Scene {
    guest: TestGuest,
    table: StreamTable,
    host: Arc<FakeHost>,
    streams: AssignedStreams,
}

impl Scene {
    fn new() -> Self {
        Self::with(guest_features())
    }

    fn with(features: Features) -> Self {
        let guest = TestGuest::new();
        let table = guest.linear_streams(8);
        let host = FakeHost::new(Capabilities::Smmuv3(able()));
        let mut streams = AssignedStreams::new(features);
        streams.add(&guest.mem, host.device(1, SID)).unwrap();
        host.calls();
        Self { guest, table, host, streams }
    }

    fn enable(&mut self) -> Vec<StreamId> {
        self.streams.set_state(&self.guest.mem, SmmuState::On(self.table))
    }

    fn set(&mut self, sid: StreamId, ste: &Ste) -> Vec<StreamId> {
        self.guest.set_ste(&self.table, sid, ste);
        self.changed(sid, sid).unwrap()
    }

    fn changed(
        &mut self,
        first: StreamId,
        last: StreamId,
    ) -> core::result::Result<Vec<StreamId>, NotForwarded> {
        self.streams.configuration_changed(&self.guest.mem, Streams { first, last }, 0)
    }

    /// On, with stage 1.
    fn translating() -> Self {
        let mut scene = Self::new();
        scene.enable();
        scene.set(SID, &edit_ste1(stage1(), |ste| ste.with_eats(eats::FULL)));
        scene.host.calls();
        scene
    }

    fn bound(&self) -> Config {
        self.host.bound(1, None).unwrap()
    }
}

fn stage1() -> Ste {
    ste_stage1(0x5000_0000, 10, s1fmt::LEAF_64K, 2)
}

fn tlbi(opcode: u8, page: u64) -> [u64; 2] {
    [
        TlbiCommand0::default().with_opcode(opcode.into()).with_asid(7).bits(),
        TlbiCommand1::default().with_addr(page).bits(),
    ]
}

fn of_stream(opcode: u8, sid: StreamId) -> [u64; 2] {
    [StreamCommand0::default().with_opcode(opcode.into()).with_stream_id(sid.into()).bits(), 0]
}

fn atc(sid: StreamId) -> [u64; 2] {
    [
        AtcInv0::default().with_opcode(op::ATC_INV.into()).with_stream_id(sid.into()).bits(),
        AtcInv1::default().with_size(52).bits(),
    ]
}

fn raw(commands: &[[u64; 2]]) -> Call {
    Call::Invalidate(commands.iter().map(|command| Invalidation::Smmuv3(*command)).collect())
}

fn io_error() -> Error {
    Error::Failed { call: "IOMMU_HWPT_INVALIDATE", errno: libc::EIO }
}

#[test]
fn a_device_is_named_and_bound_as_the_registers_say() {
    let guest = TestGuest::new();
    let host = FakeHost::new(Capabilities::Smmuv3(able()));
    let mut streams = AssignedStreams::new(guest_features());
    streams.set_state(&guest.mem, SmmuState::Off { abort: true });
    streams.add(&guest.mem, host.device(1, SID)).unwrap();
    assert_eq!(host.calls(), [Call::Bind(BINDING, DeviceId(1), None, Config::Abort, FaultRouting::Queued)]);
    assert_eq!(streams.set_state(&guest.mem, SmmuState::Off { abort: false }), [SID]);
    assert_eq!(host.bound(1, None), Some(Config::Bypass));
    assert_eq!(host.calls(), [Call::Replace(BINDING, Config::Bypass)], "no name before an STE is installed");
    let table = guest.linear_streams(8);
    guest.set_ste(&table, SID, &stage1());
    streams.set_state(&guest.mem, SmmuState::On(table));
    assert_eq!(host.calls().first(), Some(&Call::Name(DeviceId(1), SID.into())));
    assert_eq!(streams.remove(DeviceId(1)), Some(SID));
    assert_eq!(host.bindings(), 0);
    assert_eq!(host.calls().last(), Some(&Call::Unname(DeviceId(1))));
}

#[test]
fn every_configuration_of_the_two_stages() {
    let mut scene = Scene::with(Features { stage2: true, ..guest_features() });
    scene.enable();
    // No valid STE yet.
    assert_eq!(scene.bound(), Config::Abort);
    let tables = scene.guest.tables(12, 40);
    scene.guest.map2(&tables, 0, 0, 3, s2_rw());
    let mut reserved = ste_abort();
    reserved[0] = Ste0::from(reserved[0]).with_config(0b011).bits();
    let translate = Config::CdTable {
        ste: [
            Ste0::default()
                .with_v(1)
                .with_config(ste_config::S1)
                .with_s1fmt(s1fmt::LEAF_64K)
                .with_s1contextptr(0x5000_0000 >> 6)
                .with_s1cdmax(10)
                .bits(),
            Ste1::default().with_s1dss(2).with_s1cir(1).with_s1cor(1).with_s1csh(3).bits(),
        ],
    };
    for (ste, config, refused) in [
        (ste_abort(), Config::Abort, 0),
        (reserved, Config::Abort, 0),
        (ste_bypass(), Config::Bypass, 0),
        (stage1(), translate, 0),
        // Stage 2 alone and under stage 1: the host's own is there already.
        (with_stage2(ste_bypass(), &tables, 1), Config::Abort, 1),
        (stage1(), translate, 0),
        (with_stage2(stage1(), &tables, 1), Config::Abort, 1),
        // Not valid.
        (Ste::default(), Config::Abort, 1),
    ] {
        let before = scene.streams.stats().refused;
        scene.set(SID, &ste);
        assert_eq!(scene.bound(), config, "{ste:x?}");
        assert_eq!(scene.streams.stats().refused - before, refused, "{ste:x?}");
    }
}

#[test]
fn a_stage_2_of_the_guest_is_refused_with_the_reason() {
    let guest = TestGuest::new();
    let table = guest.linear_streams(8);
    let tables = guest.tables(12, 40);
    let f = Features { stage2: true, ..guest_features() };
    for (ste, value) in [(ste_bypass(), 0b110), (stage1(), 0b111)] {
        guest.set_ste(&table, SID, &with_stage2(ste, &tables, 1));
        let refusal = config_of(&guest.mem, &f, &table, SID, &able()).unwrap_err();
        assert!(
            matches!(&refusal, Refusal::Host(Error::Unsupported { what: "STE.Config", value: v, .. }) if *v == value)
        );
        assert!(refusal.to_string().contains("stage=1"), "{refusal}");
    }
}

#[test]
fn only_what_is_the_guests_to_choose_reaches_the_host() {
    let mut scene = Scene::new();
    scene.enable();
    let ste = edit_ste1(stage1(), |ste| {
        ste.with_eats(eats::FULL).with_s1stalld(1).with_shcfg(1).with_ppar(1).with_cont(3).with_mev(1)
    });
    scene.set(SID, &ste);
    let Config::CdTable { ste: [_, high] } = scene.bound() else { panic!("{:?}", scene.bound()) };
    let expected = Ste1::default()
        .with_s1dss(2)
        .with_s1cir(1)
        .with_s1cor(1)
        .with_s1csh(3)
        .with_s1stalld(1)
        .with_eats(eats::FULL);
    assert_eq!(high, expected.bits());
    // Without substreams their fields are ignored; the host would heed them.
    let f = Features { ssid_bits: 0, ats: false, pri: false, ..guest_features() };
    let config = config_of(&scene.guest.mem, &f, &scene.table, SID, &able());
    let Ok(Config::CdTable { ste: [low, high] }) = config else { panic!("{config:?}") };
    assert_eq!((Ste0::from(low).s1cdmax(), Ste0::from(low).s1fmt(), Ste1::from(high).eats()), (0, 0, 0));
}

#[test]
fn an_ste_beyond_the_host_is_refused_by_field() {
    let guest = TestGuest::new();
    let table = guest.linear_streams(8);
    let f = guest_features();
    let host = able();
    let mut small = host;
    small.idr[1] = Idr1::from(small.idr[1]).with_ssidsize(9).bits();
    let mut linear = host;
    linear.idr[0] = Idr0::from(linear.idr[0]).with_cd2l(0).bits();
    let mut without_ats = host;
    without_ats.idr[0] = Idr0::from(without_ats.idr[0]).with_ats(0).bits();
    let overridden = edit_ste1(stage1(), |ste| ste.with_privcfg(2));
    let translated = edit_ste1(stage1(), |ste| ste.with_eats(eats::FULL));
    for (ste, host, what) in [
        (stage1(), small, "STE.S1CDMax"),
        (stage1(), linear, "STE.S1Fmt"),
        (translated, without_ats, "STE.EATS"),
        (overridden, host, "STE.PRIVCFG and INSTCFG"),
    ] {
        guest.set_ste(&table, SID, &ste);
        let refusal = config_of(&guest.mem, &f, &table, SID, &host).unwrap_err();
        assert!(
            matches!(&refusal, Refusal::Host(Error::Unsupported { what: w, .. }) if *w == what),
            "{refusal}"
        );
    }
}

#[test]
fn a_guest_that_is_offered_more_than_the_host_has_is_refused_by_property() {
    type Change = fn(&mut Smmuv3Capabilities);
    let lacks: [(&str, Change); 13] = [
        ("nested translation", |c| c.idr[0] = Idr0::from(c.idr[0]).with_s2p(0).bits()),
        ("ssidsize", |c| c.idr[1] = Idr1::from(c.idr[1]).with_ssidsize(10).bits()),
        ("oas", |c| c.idr[5] = Idr5::from(c.idr[5]).with_oas(AddressSize::Bits44.encoding()).bits()),
        ("16k", |c| c.idr[5] = Idr5::from(c.idr[5]).with_gran16k(0).bits()),
        ("CD2L", |c| c.idr[0] = Idr0::from(c.idr[0]).with_cd2l(0).bits()),
        ("ASID16", |c| c.idr[0] = Idr0::from(c.idr[0]).with_asid16(0).bits()),
        ("ril", |c| c.idr[3] = Idr3::from(c.idr[3]).with_ril(0).bits()),
        ("ats", |c| c.idr[0] = Idr0::from(c.idr[0]).with_ats(0).bits()),
        ("stt=off", |c| c.idr[3] = Idr3::from(c.idr[3]).with_stt(0).bits()),
        ("big-endian=off", |c| c.idr[0] = Idr0::from(c.idr[0]).with_ttendian(2).bits()),
        ("bbml=1", |c| c.idr[3] = Idr3::from(c.idr[3]).with_bbml(1).bits()),
        ("httu=access", |c| c.idr[0] = Idr0::from(c.idr[0]).with_httu(1).bits()),
        ("stall=off", |c| c.idr[0] = Idr0::from(c.idr[0]).with_stall_model(1).bits()),
    ];
    assert_eq!(check(&guest_features(), &able()), Ok(()));
    for (named, change) in lacks {
        let mut host = able();
        change(&mut host);
        let refusal = check(&guest_features(), &host).expect_err(named).to_string();
        assert!(refusal.contains(named), "{refusal}");
        // And the device is not taken in.
        let fake = FakeHost::new(Capabilities::Smmuv3(host));
        let mut streams = AssignedStreams::new(guest_features());
        assert!(streams.add(&TestGuest::new().mem, fake.device(1, SID)).is_err());
        assert!(streams.is_empty() && fake.calls().is_empty(), "{named}");
    }
    let forced = Smmuv3Capabilities {
        idr: {
            let mut idr = able().idr;
            idr[0] = Idr0::from(idr[0]).with_stall_model(2).bits();
            idr
        },
        ..able()
    };
    for stall in [StallModel::Off, StallModel::On] {
        let f = Features { stall, ..guest_features() };
        assert!(check(&f, &forced).unwrap_err().to_string().contains("stall=force"));
    }
    assert_eq!(
        check(&Features { stall: StallModel::Force, httu: Httu::None, ..guest_features() }, &forced),
        Ok(())
    );
}

#[test]
fn a_sync_is_one_call_however_many_invalidations_it_completes() {
    let mut scene = Scene::translating();
    let commands: Vec<_> = (0..511).map(|page| tlbi(op::TLBI_NH_VA, page)).collect();
    for (position, command) in (0..).zip(&commands) {
        assert!(scene.streams.collect(*command, position));
    }
    assert!(scene.streams.collect(atc(SID), 511));
    assert_eq!(scene.host.calls(), []);
    assert!(scene.streams.is_waiting());
    assert_eq!(scene.streams.flush(), Ok(Forwarded::default()));
    let all: Vec<_> = commands.into_iter().chain([atc(SID)]).collect();
    assert_eq!(scene.host.calls(), [raw(&all)]);
    assert!(!scene.streams.is_waiting());
    assert_eq!((scene.streams.stats().calls, scene.streams.stats().invalidations), (1, 512));
}

#[test]
fn a_batch_has_a_bound() {
    let mut scene = Scene::translating();
    for page in 0..1024 {
        assert!(scene.streams.collect(tlbi(op::TLBI_NH_VA, page), 0));
    }
    assert!(!scene.streams.collect(tlbi(op::TLBI_NH_VA, 1024), 0));
    scene.streams.flush().unwrap();
    assert!(scene.streams.collect(tlbi(op::TLBI_NH_VA, 1024), 0));
}

#[test]
fn what_concerns_no_assigned_device_stays_in_the_guest() {
    let mut scene = Scene::translating();
    for command in [
        of_stream(op::CFGI_CD, OTHER),
        of_stream(op::CFGI_CD_ALL, OTHER),
        atc(OTHER),
        of_stream(op::PREFETCH_CONFIG, SID),
        tlbi(op::TLBI_EL2_ALL, 0),
        tlbi(op::TLBI_S2_IPA, 0),
    ] {
        assert!(scene.streams.collect(command, 0));
        assert!(!scene.streams.is_waiting(), "{command:x?}");
    }
    for command in [of_stream(op::CFGI_CD, SID), of_stream(op::CFGI_CD_ALL, SID), tlbi(op::TLBI_NSNH_ALL, 0)]
    {
        scene.streams.collect(command, 0);
        scene.streams.flush().unwrap();
        assert_eq!(scene.host.calls(), [raw(&[command])]);
    }
    // An endpoint that the STE denies ATS holds nothing, and would not answer.
    scene.set(SID, &stage1());
    scene.streams.collect(atc(SID), 0);
    assert!(!scene.streams.is_waiting());
}

#[test]
fn the_command_that_failed_is_named_and_those_behind_it_were_not_tried() {
    let mut scene = Scene::translating();
    for position in 0..5 {
        scene.streams.collect(tlbi(op::TLBI_NH_VA, position.into()), 100 + position);
    }
    scene.host.fail(Failure::Invalidate(3, io_error()));
    assert_eq!(scene.streams.flush(), Err(NotForwarded { position: 103, error: io_error() }));
    assert_eq!((scene.host.calls().len(), scene.streams.stats().invalidations), (1, 3));
    assert!(!scene.streams.is_waiting(), "they are to be given again");
}

#[test]
fn of_two_hosts_failures_the_earlier_one_is_named_where_the_queue_wraps() {
    let mut scene = Scene::translating();
    let second = FakeHost::new(Capabilities::Smmuv3(able()));
    scene.streams.add(&scene.guest.mem, second.device(2, OTHER)).unwrap();
    // The last entry of 256 with the wrap flag set, and the first one without.
    scene.streams.collect(of_stream(op::CFGI_CD, SID), 0x1ff);
    scene.streams.collect(of_stream(op::CFGI_CD, OTHER), 0);
    for host in [&scene.host, &second] {
        host.fail(Failure::Invalidate(0, io_error()));
    }
    assert_eq!(scene.streams.flush(), Err(NotForwarded { position: 0x1ff, error: io_error() }));
}

#[test]
fn an_endpoint_that_fails_does_not_keep_the_rest_from_being_done() {
    let mut scene = Scene::translating();
    let commands = [tlbi(op::TLBI_NH_VA, 1), atc(SID), tlbi(op::TLBI_NH_VA, 2)];
    for command in commands {
        scene.streams.collect(command, 0);
    }
    scene.host.fail(Failure::Invalidate(
        1,
        Error::Failed { call: "IOMMU_HWPT_INVALIDATE", errno: libc::ETIMEDOUT },
    ));
    let forwarded = scene.streams.flush().unwrap();
    assert!(forwarded.device_cache_failed && forwarded.gone.is_empty());
    assert_eq!(scene.host.calls(), [raw(&commands), raw(&commands[2..])]);
}

#[test]
fn an_endpoint_that_failed_is_reported_after_a_later_command_that_failed_too() {
    let mut scene = Scene::translating();
    for (position, command) in [atc(SID), tlbi(op::TLBI_NH_VA, 1)].into_iter().enumerate() {
        scene.streams.collect(command, position as u32);
    }
    let timed_out = Error::Failed { call: "IOMMU_HWPT_INVALIDATE", errno: libc::ETIMEDOUT };
    scene.host.fail(Failure::Invalidate(0, timed_out));
    scene.host.fail(Failure::Invalidate(0, io_error()));
    assert_eq!(scene.streams.flush(), Err(NotForwarded { position: 1, error: io_error() }));
    assert!(scene.streams.is_waiting());
    scene.streams.collect(tlbi(op::TLBI_NH_VA, 1), 1);
    assert!(scene.streams.flush().unwrap().device_cache_failed);
    assert!(!scene.streams.is_waiting() && !scene.streams.flush().unwrap().device_cache_failed);
}

#[test]
fn a_device_that_is_gone_is_let_go_and_the_others_are_served() {
    let mut scene = Scene::translating();
    scene.streams.add(&scene.guest.mem, scene.host.device(2, OTHER)).unwrap();
    scene.host.calls();
    let commands = [of_stream(op::CFGI_CD, SID), tlbi(op::TLBI_NH_ASID, 0), of_stream(op::CFGI_CD, OTHER)];
    for command in commands {
        scene.streams.collect(command, 0);
    }
    scene.host.fail(Failure::Invalidate(0, Error::DeviceGone(DeviceId(1))));
    assert_eq!(scene.streams.flush().unwrap().gone, [DeviceId(1)]);
    assert_eq!(scene.host.calls()[..2], [raw(&commands), raw(&commands[1..])]);
    assert!(!scene.streams.contains(SID) && scene.streams.contains(OTHER));
    assert_eq!(scene.host.bound(1, None), None);
}

#[test]
fn a_changed_ste_replaces_the_binding_and_the_same_one_only_its_cds() {
    let mut scene = Scene::translating();
    let ste = edit_ste1(stage1(), |ste| ste.with_eats(eats::FULL));
    assert_eq!(scene.set(SID, &ste), []);
    assert_eq!(scene.host.calls(), []);
    scene.streams.flush().unwrap();
    assert_eq!(scene.host.calls(), [raw(&[of_stream(op::CFGI_CD_ALL, SID)])]);
    assert_eq!(scene.set(SID, &ste_stage1(0x6000_0000, 5, s1fmt::LINEAR, 0)), [SID]);
    assert!(matches!(scene.host.calls()[..], [Call::Replace(BINDING, Config::CdTable { .. })]));
    // What is not in the range has not changed.
    scene.guest.set_ste(&scene.table, SID, &ste_bypass());
    assert_eq!(scene.changed(0, SID - 1), Ok(vec![]));
    assert_eq!(scene.changed(SID, SID), Ok(vec![SID]));
}

#[test]
fn a_host_that_cannot_bind_leaves_the_device_aborted_or_says_so() {
    let mut scene = Scene::translating();
    scene.guest.set_ste(&scene.table, SID, &ste_bypass());
    let no_memory = || Error::Failed { call: "IOMMU_HWPT_ALLOC", errno: libc::ENOMEM };
    scene.host.fail(Failure::Bind(no_memory()));
    assert_eq!(scene.changed(0, StreamId::MAX), Ok(vec![SID]));
    assert_eq!(scene.bound(), Config::Abort);
    scene.set(SID, &stage1());
    scene.host.fail(Failure::Bind(no_memory()));
    scene.host.fail(Failure::Bind(no_memory()));
    scene.guest.set_ste(&scene.table, SID, &ste_bypass());
    let failed = scene.streams.configuration_changed(&scene.guest.mem, Streams { first: 0, last: SID }, 7);
    assert_eq!(failed, Err(NotForwarded { position: 7, error: no_memory() }));
    assert!(matches!(scene.bound(), Config::CdTable { .. }));
}

#[test]
fn two_streams_have_bindings_of_their_own_and_share_invalidations() {
    let mut scene = Scene::translating();
    scene.streams.add(&scene.guest.mem, scene.host.device(2, OTHER)).unwrap();
    scene.set(OTHER, &ste_bypass());
    assert!(matches!(scene.host.bound(1, None), Some(Config::CdTable { .. })));
    assert_eq!(scene.host.bound(2, None), Some(Config::Bypass));
    scene.host.calls();
    scene.streams.collect(tlbi(op::TLBI_NH_ALL, 0), 0);
    scene.streams.flush().unwrap();
    assert_eq!(scene.host.calls(), [raw(&[tlbi(op::TLBI_NH_ALL, 0)])], "once for a host");

    let second = FakeHost::new(Capabilities::Smmuv3(able()));
    scene.streams.add(&scene.guest.mem, second.device(1, 0x20)).unwrap();
    second.calls();
    scene.streams.collect(tlbi(op::TLBI_NH_ALL, 0), 0);
    scene.streams.collect(of_stream(op::CFGI_CD, OTHER), 1);
    scene.streams.flush().unwrap();
    assert_eq!(scene.host.calls(), [raw(&[tlbi(op::TLBI_NH_ALL, 0), of_stream(op::CFGI_CD, OTHER)])]);
    assert_eq!(second.calls(), [raw(&[tlbi(op::TLBI_NH_ALL, 0)])]);
}

#[test]
fn buses_that_are_numbered_anew_name_devices_anew() {
    let guest = TestGuest::new();
    let table = guest.linear_streams(10);
    let host = FakeHost::new(Capabilities::Smmuv3(able()));
    let mut streams = AssignedStreams::new(guest_features());
    let sid = Arc::new(std::sync::atomic::AtomicU32::new(SID));
    let now = Arc::clone(&sid);
    let assignment = Assignment {
        stream: Box::new(move || now.load(std::sync::atomic::Ordering::Relaxed)),
        ..host.device(1, 0)
    };
    streams.add(&guest.mem, assignment).unwrap();
    sid.store(0x110, std::sync::atomic::Ordering::Relaxed);
    guest.set_ste(&table, 0x110, &stage1());
    host.calls();
    streams.set_state(&guest.mem, SmmuState::On(table));
    assert_eq!(host.calls().first(), Some(&Call::Name(DeviceId(1), 0x110)));
    assert!(streams.contains(0x110) && !streams.contains(SID));
    assert!(matches!(host.bound(1, None), Some(Config::CdTable { .. })));
}

fn fault(device: u32, cookie: u64) -> HostFault {
    HostFault {
        device: DeviceId(device),
        pasid: Some(3),
        group: 9,
        addr: 0xdead_b000,
        access: Access { write: true, ..Access::default() },
        last: true,
        cookie: Cookie(cookie),
    }
}

#[test]
fn a_fault_is_a_stall_of_its_stream_and_its_answer_goes_back() {
    let mut scene = Scene::translating();
    scene.host.fault(fault(1, 77));
    let stalls = scene.streams.stalls();
    let [GuestStall { record, waiter }] = stalls[..] else { panic!("{stalls:?}") };
    assert_eq!(waiter, Waiter { stream: SID, substream: Some(3), tag: Some(77) });
    let head = Event0::from(record[0]);
    assert_eq!((head.event(), head.stream_id(), head.ssv(), head.substream_id()), (0x10, SID.into(), 1, 3));
    assert_eq!((Event1::from(record[1]).rnw(), record[2]), (0, 0xdead_b000));
    assert_eq!(scene.host.open(), 1);
    scene.streams.respond(SID, 77, Response::Success);
    assert_eq!(scene.host.calls(), [Call::Respond(Cookie(77), Response::Success)]);
    assert_eq!(scene.host.open(), 0);
    // Nobody's.
    scene.host.fault(fault(5, 78));
    assert_eq!(scene.streams.stalls(), []);
    assert_eq!(scene.host.calls(), [Call::Respond(Cookie(78), Response::Invalid)]);
}

#[test]
fn a_late_answer_to_a_fault_that_went_with_its_binding_is_harmless() {
    let mut scene = Scene::translating();
    scene.host.fault(fault(1, 77));
    scene.streams.stalls();
    assert_eq!(scene.set(SID, &ste_abort()), [SID], "the caller forgets its stalls");
    assert_eq!(scene.host.open(), 0);
    scene.streams.respond(SID, 77, Response::Success);
    scene.streams.remove(DeviceId(1));
    scene.host.calls();
    scene.streams.respond(SID, 77, Response::Success);
    assert_eq!(scene.host.calls(), []);
}

#[test]
fn events_of_these_streams_are_passed_on_and_losses_told() {
    let mut scene = Scene::translating();
    let record =
        |sid: StreamId| [Event0::default().with_event(0x10).with_stream_id(sid.into()).bits(), 0, 0x1000, 0];
    let mut stalled = record(SID);
    stalled[1] = Event1::default().with_stall(1).with_stag(5).with_rnw(1).bits();
    for event in [
        HostEvent::Smmuv3(record(SID)),
        HostEvent::Lost(3),
        HostEvent::Smmuv3(record(OTHER)),
        HostEvent::Smmuv3(stalled),
    ] {
        scene.host.event(event);
    }
    let mut ended = record(SID);
    ended[1] = Event1::default().with_rnw(1).bits();
    assert_eq!(
        scene.streams.events(),
        [GuestEvent::Record(record(SID)), GuestEvent::Lost(3), GuestEvent::Record(ended)]
    );
    assert_eq!((scene.streams.stats().events, scene.streams.stats().lost), (2, 3));
}

#[test]
fn a_reset_bypasses() {
    let mut scene = Scene::translating();
    scene.streams.collect(tlbi(op::TLBI_NH_ALL, 0), 0);
    scene.streams.reset();
    assert_eq!(scene.bound(), Config::Bypass);
    assert!(!scene.streams.is_waiting());
}
