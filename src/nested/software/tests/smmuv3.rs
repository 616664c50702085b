// SPDX-License-Identifier: GPL-2.0-or-later
//! CD tables in the host's hands.

use super::*;
use crate::iommu::{DmaRequest, Translation};
use crate::smmuv3::config::{self, StreamAction, StreamTable};
use crate::smmuv3::features::Features;
use crate::smmuv3::spec::cd::Cd0;
use crate::smmuv3::spec::command as op;
use crate::smmuv3::spec::command::{
    AtcInv0, AtcInv1, CfgiCommand1, StreamCommand0, TlbiCommand0, TlbiCommand1,
};
use crate::smmuv3::spec::event::Event0;
use crate::smmuv3::spec::ste::{Ste0, Ste1, s1dss, s1fmt};
use crate::smmuv3::testing::*;
use crate::smmuv3::walk;

pub(super) const VSID: u32 = 0x2b;
const VA: u64 = 0x1_2345_6000;
const PA: u64 = 0x8000_0000;

/// A guest with one device in the host's hands, and the same tables behind an emulated SMMU.
pub(super) struct Rig {
    pub guest: Arc<TestGuest>,
    pub host: SoftwareHost,
    streams: StreamTable,
    contexts: Contexts,
    pub tables: Tables,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(DeviceOptions::default())
    }

    fn with(options: DeviceOptions) -> Self {
        let guest = Arc::new(TestGuest::new());
        let host = SoftwareHost::smmuv3(Arc::new(Shifted(guest.clone())), Features::default()).unwrap();
        host.add_device(DEVICE, options);
        map_ram(&host);
        let streams = guest.linear_streams(6);
        let contexts = guest.contexts(4, s1fmt::LINEAR);
        let tables = guest.tables(12, 48);
        guest.map(&tables, VA, PA, 3, user_rw());
        guest.set_cd(&contexts, 1, &cd(&tables, 5));
        Self { guest, host, streams, contexts, tables }
    }

    /// The guest's STE, in its table and bound.
    fn bind(&self, ste: &Ste, faults: FaultRouting) -> BindingId {
        self.guest.set_ste(&self.streams, VSID, ste);
        self.host.add_virtual_device(DEVICE, VSID.into()).unwrap();
        self.host.bind(DEVICE, None, &Config::CdTable { ste: [ste[0], ste[1]] }, faults).unwrap()
    }

    /// Bound to the ordinary CD table.
    pub fn bound(&self, faults: FaultRouting) -> BindingId {
        self.bind(&ste_stage1(self.contexts.base, 4, self.contexts.fmt, s1dss::BYPASS), faults)
    }

    pub fn set_cd(&self, ssid: u32, cd: &Cd) {
        self.guest.set_cd(&self.contexts, ssid, cd);
    }

    pub fn map(&self, va: u64, pa: u64) {
        self.guest.map(&self.tables, va, pa, 3, user_rw());
    }

    pub fn ask(&self, ssid: Option<u32>, va: u64, access: Access) -> Outcome {
        self.host.translate(DEVICE, &request(0, ssid, va, access))
    }

    pub fn at(&self, ssid: u32, va: u64) -> Option<u64> {
        guest_address(self.ask(Some(ssid), va, READ))
    }

    pub fn send(&self, commands: &[[u64; 2]]) {
        let batch: Vec<_> = commands.iter().map(|c| Invalidation::Smmuv3(*c)).collect();
        self.host.invalidate(&batch).unwrap();
    }

    /// What emulation makes of it, without caches.
    fn emulated(
        &self,
        ssid: Option<u32>,
        va: u64,
        access: Access,
    ) -> Result<Translation, crate::smmuv3::fault::Fault> {
        let (f, req) = (Features::default(), request(VSID, ssid, va, access));
        let context = config::lookup_stream(&self.guest.mem, &f, &self.streams, &req)?;
        match context.action() {
            StreamAction::Abort => Err(config::silent_abort(&req)),
            StreamAction::Bypass => config::bypass(&f, &context, &req),
            _ => {
                let page = walk::walk(&self.guest.mem, &(), &f, &context, &req).0?;
                let page_mask = ones(page.log2size.into());
                Ok(Translation {
                    addr: page.addr | va & page_mask,
                    page_mask,
                    perm: page.perms.permissions(access.privileged),
                })
            }
        }
    }

    /// Both agree, about events too.
    fn compare(&self, ssid: Option<u32>, va: u64, access: Access) {
        let outcome = self.ask(ssid, va, access);
        let event = self.host.next_event().unwrap();
        match self.emulated(ssid, va, access) {
            Ok(t) => {
                let Outcome::Translated(own) = outcome else {
                    panic!("{ssid:?} {va:#x}: {outcome:?}, not {t:?}")
                };
                assert_eq!((own.addr - SHIFT, own.perm), (t.addr, t.perm));
                assert!(own.page_mask <= t.page_mask);
            }
            Err(fault) => {
                assert_eq!(outcome, Outcome::Aborted, "{fault:?}");
                let record = fault.record.then(|| HostEvent::Smmuv3(event::encode(&fault)));
                assert_eq!(event, record, "{fault:?}");
            }
        }
    }
}

pub(super) fn tlbi(opcode: u8, asid: u16, va: u64) -> [u64; 2] {
    [
        TlbiCommand0::default().with_opcode(opcode.into()).with_asid(asid.into()).bits(),
        TlbiCommand1::default().with_addr(va >> 12).bits(),
    ]
}

pub(super) fn cfgi_cd(opcode: u8, sid: u32, ssid: u32) -> [u64; 2] {
    let first = StreamCommand0::default().with_opcode(opcode.into()).with_stream_id(sid.into());
    [first.with_substream_id(ssid.into()).bits(), CfgiCommand1::default().with_leaf(1).bits()]
}

fn atc_inv(ssid: u32, va: u64, size: u64) -> [u64; 2] {
    [
        AtcInv0::default()
            .with_opcode(op::ATC_INV.into())
            .with_stream_id(VSID.into())
            .with_ssv(1)
            .with_substream_id(ssid.into())
            .bits(),
        AtcInv1::default().with_addr(va >> 12).with_size(size).bits(),
    ]
}

#[test]
fn a_device_starts_with_stage_2_alone() {
    let rig = Rig::new();
    assert_eq!(guest_address(rig.ask(None, 0x8000_1234, WRITE)), Some(0x8000_1234));
    assert_eq!(rig.ask(None, RAM.end, READ), Outcome::Aborted, "beyond stage 2");
    assert_eq!(rig.ask(Some(1), 0x8000_1234, READ), Outcome::Aborted, "no substreams");
    assert_eq!(rig.host.next_event(), Ok(None));
}

#[test]
fn abort_and_bypass_need_no_virtual_device() {
    let rig = Rig::new();
    let v = Ste0::default().with_v(1);
    for (config, passes) in [(Config::Abort, false), (Config::Bypass, true)] {
        let id = rig.host.bind(DEVICE, None, &config, FaultRouting::Refused).unwrap();
        let outcome = rig.ask(None, 0x8000_0000, READ);
        assert_eq!(guest_address(outcome), passes.then_some(0x8000_0000), "{config:?}");
        rig.host.unbind(id).unwrap();
    }
    // An STE needs one, even if it has no table.
    rig.host.add_virtual_device(DEVICE, VSID.into()).unwrap();
    for (config, passes) in [
        (Config::CdTable { ste: [0, 0] }, false),
        (Config::CdTable { ste: [v.with_config(0).bits(), 0] }, false),
        (Config::CdTable { ste: [v.with_config(4).bits(), 0] }, true),
        // Nothing of an invalid STE counts.
        (Config::CdTable { ste: [0b1110, u64::MAX] }, false),
    ] {
        let id = rig.host.bind(DEVICE, None, &config, FaultRouting::Refused).unwrap();
        let outcome = rig.ask(None, 0x8000_0000, READ);
        assert_eq!(guest_address(outcome), passes.then_some(0x8000_0000), "{config:?}");
        rig.host.unbind(id).unwrap();
    }
}

#[test]
fn what_linux_refuses_is_refused_and_nothing_changed() {
    let rig = Rig::new();
    let bind = |pasid, config: Config| rig.host.bind(DEVICE, pasid, &config, FaultRouting::Refused);
    let table = |first: Ste0, second: Ste1| Config::CdTable { ste: [first.bits(), second.bits()] };
    let (first, second) = (Ste0::default().with_v(1).with_config(5), Ste1::default());
    assert!(is_unsupported(&bind(None, table(first, second))), "no virtual device yet");
    rig.host.add_virtual_device(DEVICE, VSID.into()).unwrap();
    for config in [0b001, 0b010, 0b011, 0b110, 0b111] {
        assert_eq!(failed(bind(None, table(first.with_config(config), second))), libc::EIO, "{config}");
    }
    for second in [second.with_eats(2), second.with_eats(3), second.with_strw(2), second.with_shcfg(1)] {
        assert_eq!(failed(bind(None, table(first, second))), libc::EIO, "{second:?}");
    }
    assert_eq!(failed(bind(None, Config::CdTable { ste: [first.bits() | 1 << 57, 0] })), libc::EIO);
    assert!(is_unsupported(&bind(Some(3), Config::Bypass)), "PASIDs are in the CD table");
    let native = crate::nested::FirstStage {
        table: 0,
        address_bits: 48,
        supervisor_requests: false,
        write_protect: false,
        extended_accessed: false,
    };
    assert!(is_unsupported(&bind(None, Config::FirstStage(native))));
    assert_eq!(rig.host.occupancy().bindings, 0);

    let id = bind(None, Config::Bypass).unwrap();
    assert_eq!(failed(bind(None, Config::Abort)), libc::EBUSY);
    let bad = table(first.with_config(7), second);
    assert_eq!(failed(rig.host.replace(id, &bad, FaultRouting::Refused)), libc::EIO);
    assert_eq!(guest_address(rig.ask(None, 0x8000_0000, READ)), Some(0x8000_0000), "the old one holds");
    let other = DeviceId(9);
    assert_eq!(
        rig.host.bind(other, None, &Config::Abort, FaultRouting::Refused),
        Err(crate::nested::Error::UnknownDevice(other))
    );
    assert_eq!(failed(rig.host.add_virtual_device(DEVICE, 3)), libc::EEXIST);
    rig.host.add_device(other, DeviceOptions::default());
    assert_eq!(failed(rig.host.add_virtual_device(other, VSID.into())), libc::EEXIST);
    assert_eq!(failed(rig.host.remove_virtual_device(other)), libc::ENOENT);
    rig.host.unbind(id).unwrap();
    assert_eq!(rig.host.unbind(id), Err(crate::nested::Error::UnknownBinding(id)));
}

#[test]
fn cd_tables_of_every_shape_are_as_emulated() {
    for (fmt, log2) in [
        (s1fmt::LINEAR, 0),
        (s1fmt::LINEAR, 4),
        (s1fmt::LEAF_4K, 8),
        (s1fmt::LEAF_64K, 12),
        (s1fmt::LINEAR, 21),
    ] {
        for dss in [s1dss::TERMINATE, s1dss::BYPASS, s1dss::SSID0, 3] {
            let rig = Rig::new();
            let contexts = rig.guest.contexts(log2, fmt);
            let last = (1u32 << log2) - 1;
            for ssid in [0, 1, last] {
                rig.guest.set_cd(&contexts, ssid & last, &cd(&rig.tables, 5 + ssid as u16 % 9));
            }
            rig.bind(&ste_stage1(contexts.base, log2.into(), fmt, dss), FaultRouting::Refused);
            for ssid in [None, Some(0), Some(1), Some(2), Some(last), Some(last + 1)] {
                for access in [READ, WRITE, FETCH, privileged(READ)] {
                    rig.compare(ssid, VA + 8, access);
                }
                rig.compare(ssid, VA + 0x1000, READ);
            }
        }
    }
}

#[test]
fn stage_2_limits_what_stage_1_allows() {
    let rig = Rig::new();
    rig.host.unmap(RAM.start, RAM.end - RAM.start).unwrap();
    rig.host.map(RAM.start, RAM.start + SHIFT, PA - RAM.start, true).unwrap();
    rig.host.map(PA, PA + SHIFT, 0x1000, false).unwrap();
    rig.bound(FaultRouting::Queued);
    rig.map(VA + 0x1000, PA + 0x1000);
    let Outcome::Translated(page) = rig.ask(Some(1), VA, READ) else { panic!("readable") };
    assert!(!page.perm.write && page.perm.read);
    for (va, access) in [(VA, WRITE), (VA + 0x1000, READ)] {
        assert_eq!(rig.ask(Some(1), va, access), Outcome::Aborted);
    }
    // Faults of stage 2 are the host's own affair.
    assert_eq!((rig.host.next_event(), rig.host.next_fault()), (Ok(None), Ok(None)));
}

#[test]
fn pages_stay_until_they_are_invalidated() {
    let all = |opcode| tlbi(opcode, 0, 0);
    let range = |num: u64, tg: u64, ttl: u64, leaf: u64| {
        [
            TlbiCommand0::from(tlbi(op::TLBI_NH_VA, 5, 0)[0]).with_num(num).bits(),
            TlbiCommand1::default()
                .with_addr((VA - 0x1000) >> 12)
                .with_tg(tg)
                .with_ttl(ttl)
                .with_leaf(leaf)
                .bits(),
        ]
    };
    for (command, goes) in [
        (tlbi(op::TLBI_NH_VA, 5, VA), true),
        (tlbi(op::TLBI_NH_VA, 6, VA), false),
        (tlbi(op::TLBI_NH_VA, 5, VA + 0x1000), false),
        (tlbi(op::TLBI_NH_VAA, 0, VA), true),
        (tlbi(op::TLBI_NH_ASID, 5, 0), true),
        (tlbi(op::TLBI_NH_ASID, 6, 0), false),
        (all(op::TLBI_NH_ALL), true),
        (all(op::TLBI_NSNH_ALL), true),
        (range(1, 1, 0, 1), true),
        (range(1, 1, 3, 1), true),
        (range(1, 1, 2, 1), false),
        (range(0, 1, 3, 1), false),
        (range(1, 3, 0, 1), false),
        (cfgi_cd(op::CFGI_CD, VSID, 1), false),
        (cfgi_cd(op::CFGI_CD_ALL, VSID, 0), false),
        (atc_inv(1, VA, 52), false),
    ] {
        let rig = Rig::new();
        rig.bound(FaultRouting::Refused);
        assert_eq!(rig.at(1, VA + 4), Some(PA + 4));
        rig.map(VA, PA + 0x5000);
        assert_eq!(rig.at(1, VA), Some(PA), "nothing was invalidated");
        rig.send(&[command]);
        assert_eq!(rig.at(1, VA), Some(if goes { PA + 0x5000 } else { PA }), "{command:x?}");
    }
}

#[test]
fn a_table_stays_where_leaves_alone_are_invalidated() {
    for leaf in [1, 0] {
        let rig = Rig::new();
        rig.bound(FaultRouting::Refused);
        assert_eq!(rig.at(1, VA), Some(PA));
        // The table of level 3 is another one.
        let new = rig.guest.alloc(4096);
        let at = rig.guest.pte_addr(&rig.tables, VA, 2);
        rig.guest.mem.put(at, new | 3);
        rig.map(VA, PA + 0x7000);
        let [first, second] = tlbi(op::TLBI_NH_VA, 5, VA);
        rig.send(&[[first, TlbiCommand1::from(second).with_leaf(leaf).bits()]]);
        assert_eq!(rig.at(1, VA), Some(if leaf == 1 { PA } else { PA + 0x7000 }));
    }
}

#[test]
fn global_pages_serve_every_address_space() {
    let rig = Rig::new();
    rig.bound(FaultRouting::Refused);
    rig.set_cd(2, &cd(&rig.tables, 6));
    rig.guest.map(&rig.tables, VA, PA, 3, user_rw().with_ng(0));
    assert_eq!(rig.at(1, VA), Some(PA));
    rig.map(VA, PA + 0x1000);
    rig.send(&[tlbi(op::TLBI_NH_ASID, 5, 0), tlbi(op::TLBI_NH_ASID, 6, 0)]);
    assert_eq!((rig.at(1, VA), rig.at(2, VA)), (Some(PA), Some(PA)));
    rig.send(&[tlbi(op::TLBI_NH_VA, 77, VA)]);
    assert_eq!((rig.at(1, VA), rig.at(2, VA)), (Some(PA + 0x1000), Some(PA + 0x1000)));
}

#[test]
fn cds_stay_until_they_are_invalidated() {
    let other = |rig: &Rig| {
        let tables = rig.guest.tables(12, 48);
        rig.guest.map(&tables, VA, PA + 0x9000, 3, user_rw());
        cd(&tables, 9)
    };
    for (command, goes) in [
        (cfgi_cd(op::CFGI_CD, VSID, 1), true),
        (cfgi_cd(op::CFGI_CD, VSID, 2), false),
        (cfgi_cd(op::CFGI_CD_ALL, VSID, 0), true),
        (tlbi(op::TLBI_NH_ALL, 0, 0), false),
    ] {
        let rig = Rig::new();
        rig.bound(FaultRouting::Refused);
        assert_eq!(rig.at(1, VA), Some(PA));
        rig.set_cd(1, &other(&rig));
        assert_eq!(rig.at(1, VA), Some(PA), "nothing was invalidated");
        rig.send(&[command]);
        assert_eq!(rig.at(1, VA), Some(if goes { PA + 0x9000 } else { PA }), "{command:x?}");
    }
}

#[test]
fn an_ste_that_stays_the_same_invalidates_no_cd() {
    let rig = Rig::new();
    let id = rig.bound(FaultRouting::Refused);
    let config = |dss| {
        let ste = ste_stage1(rig.contexts.base, 4, s1fmt::LINEAR, dss);
        Config::CdTable { ste: [ste[0], ste[1]] }
    };
    assert_eq!(rig.at(1, VA), Some(PA));
    let tables = rig.guest.tables(12, 48);
    rig.guest.map(&tables, VA, PA + 0x9000, 3, user_rw());
    rig.set_cd(1, &cd(&tables, 9));
    rig.host.replace(id, &config(s1dss::BYPASS), FaultRouting::Refused).unwrap();
    assert_eq!(rig.at(1, VA), Some(PA), "Linux finds nothing to write");
    rig.host.replace(id, &config(s1dss::TERMINATE), FaultRouting::Refused).unwrap();
    assert_eq!(rig.at(1, VA), Some(PA + 0x9000));
    // What the old address space left behind is for its guest to invalidate.
    rig.set_cd(1, &cd(&tables, 5));
    rig.send(&[cfgi_cd(op::CFGI_CD, VSID, 1)]);
    assert_eq!(rig.at(1, VA), Some(PA));
}

#[test]
fn a_batch_says_where_it_ended() {
    for bad in [
        cfgi_cd(op::CFGI_CD, VSID + 1, 1),
        cfgi_cd(op::CFGI_STE, VSID, 0),
        [op::SYNC.into(), 0],
        [op::RESUME.into(), 0],
        [op::TLBI_S2_IPA.into(), 0],
        [op::TLBI_S12_VMALL.into(), 0],
        [0xff, 0],
    ] {
        let rig = Rig::new();
        rig.bound(FaultRouting::Refused);
        rig.map(VA + 0x1000, PA + 0x1000);
        assert_eq!((rig.at(1, VA), rig.at(1, VA + 0x1000)), (Some(PA), Some(PA + 0x1000)));
        for page in [0, 0x1000] {
            rig.map(VA + page, PA + 0x10_0000);
        }
        let of = |va| Invalidation::Smmuv3(tlbi(op::TLBI_NH_VA, 5, va));
        let _ = rig.host.take_calls();
        let partial = rig.host.invalidate(&[of(VA), Invalidation::Smmuv3(bad), of(VA + 0x1000)]).unwrap_err();
        assert_eq!((partial.done, failed::<()>(Err(partial.error))), (1, libc::EIO), "{bad:x?}");
        assert_eq!(rig.at(1, VA), Some(PA + 0x10_0000), "done before");
        assert_eq!(rig.at(1, VA + 0x1000), Some(PA + 0x1000), "not tried");
        let [call] = &rig.host.take_calls()[..] else { panic!("one call") };
        assert_eq!(call.done, 1);
    }
}

#[test]
fn what_the_smmu_calls_illegal_is_skipped() {
    let rig = Rig::new();
    rig.bound(FaultRouting::Refused);
    // A range without a level, of one page: reserved.
    let [first, second] = tlbi(op::TLBI_NH_VA, 5, VA);
    rig.send(&[[first, TlbiCommand1::from(second).with_tg(1).bits()]]);
}

#[test]
fn an_endpoints_own_cache_forgets_what_it_is_told() {
    let rig = Rig::with(DeviceOptions { ats: true, ..DeviceOptions::default() });
    let ste = edit_ste1(ste_stage1(rig.contexts.base, 4, s1fmt::LINEAR, s1dss::BYPASS), |s| s.with_eats(1));
    let id = rig.bind(&ste, FaultRouting::Refused);
    let change = |to: u64| {
        rig.map(VA, to);
        rig.send(&[tlbi(op::TLBI_NH_ASID, 5, 0)]);
    };
    assert_eq!(rig.at(1, VA + 5), Some(PA + 5));
    change(PA + 0x1000);
    assert_eq!(rig.at(1, VA), Some(PA), "the endpoint has it still");
    for keeps in [atc_inv(2, VA, 0), atc_inv(1, VA + 0x1000, 0)] {
        rig.send(&[keeps]);
        assert_eq!(rig.at(1, VA), Some(PA), "{keeps:x?}");
    }
    rig.send(&[atc_inv(1, VA, 0)]);
    assert_eq!(rig.at(1, VA), Some(PA + 0x1000));
    change(PA);
    rig.send(&[atc_inv(1, 0, 52)]);
    assert_eq!(rig.at(1, VA), Some(PA));
    change(PA + 0x2000);
    let config = Config::CdTable { ste: [ste[0], ste[1]] };
    rig.host.replace(id, &config, FaultRouting::Refused).unwrap();
    assert_eq!(rig.at(1, VA), Some(PA + 0x2000), "Linux tells it at each attachment");
}

#[test]
fn a_mapping_that_is_taken_away_is_out_of_reach() {
    let rig = Rig::with(DeviceOptions { ats: true, ..DeviceOptions::default() });
    rig.host.unmap(RAM.start, RAM.end - RAM.start).unwrap();
    rig.host.map(RAM.start, RAM.start + SHIFT, PA - RAM.start, true).unwrap();
    rig.host.map(PA, PA + SHIFT, 0x2000, true).unwrap();
    let ste = edit_ste1(ste_stage1(rig.contexts.base, 4, s1fmt::LINEAR, s1dss::BYPASS), |s| s.with_eats(1));
    rig.bind(&ste, FaultRouting::Queued);
    assert_eq!(rig.at(1, VA), Some(PA));
    rig.host.unmap(PA, 0x2000).unwrap();
    assert_eq!(rig.at(1, VA), None);
    rig.host.map(PA, PA + SHIFT + 0x1_0000, 0x2000, true).unwrap();
    assert_eq!(rig.at(1, VA), Some(PA + 0x1_0000));
}

#[test]
fn events_are_those_of_emulation_with_the_guests_number() {
    let rig = Rig::new();
    let mut bad = cd(&rig.tables, 5);
    bad[0] = Cd0::from(bad[0]).with_v(0).bits();
    rig.set_cd(3, &bad);
    let mut quiet = cd(&rig.tables, 5);
    quiet[0] = Cd0::from(quiet[0]).with_r(0).bits();
    rig.set_cd(4, &quiet);
    rig.bound(FaultRouting::Queued);
    rig.guest.map(&rig.tables, VA + 0x2000, PA, 3, user_ro());
    for (ssid, va, access, number) in [
        (Some(1), VA + 0x1000, READ, Some(0x10)),
        (Some(1), VA + 0x2000, WRITE, Some(0x13)),
        (Some(3), VA, READ, Some(0x0a)),
        (Some(16), VA, READ, Some(0x08)),
        (Some(4), VA + 0x1000, READ, None),
    ] {
        rig.compare(ssid, va, access);
        let _ = rig.ask(ssid, va, access);
        let event = rig.host.next_event().unwrap().map(|e| match e {
            HostEvent::Smmuv3([first, ..]) => (Event0::from(first).event(), Event0::from(first).stream_id()),
            HostEvent::Lost(_) => panic!("{e:?}"),
        });
        assert_eq!(event, number.map(|n| (n, VSID.into())));
    }
    // Without the guest's name of the stream nobody could be told.
    rig.host.remove_virtual_device(DEVICE).unwrap();
    assert_eq!(rig.ask(Some(1), VA + 0x1000, READ), Outcome::Aborted);
    assert_eq!(rig.host.next_event(), Ok(None));
}

#[test]
fn a_host_says_what_it_can_do() {
    let rig = Rig::with(DeviceOptions { pasid_bits: 9, ..DeviceOptions::default() });
    let f = Features::default();
    let crate::nested::Capabilities::Smmuv3(caps) = rig.host.capabilities(DEVICE).unwrap() else { panic!() };
    assert_eq!((caps.idr[0], caps.idr[5], caps.aidr, caps.pasid_bits), (f.idr0(), f.idr5(), f.aidr(), 9));
}

/// So that [`DmaRequest`]s of endpoints that can wait are made in one place.
pub(super) fn waiting(ssid: u32, va: u64, access: Access, tag: u64) -> DmaRequest {
    DmaRequest { tag: Some(tag), ..request(0, Some(ssid), va, access) }
}
