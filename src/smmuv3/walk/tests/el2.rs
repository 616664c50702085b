// SPDX-License-Identifier: GPL-2.0-or-later
//! The worlds of EL2 (`IHI0070 §3.3.3`, `§3.17.5`, `§13.4.1`).

use super::*;
use crate::smmuv3::config::StreamTable;
use crate::smmuv3::config::{StreamWorld, lookup_stream};
use crate::smmuv3::spec::ste::s1fmt;

const SID: u32 = 3;

/// A stream of EL2, its one CD, and tables.
struct Host {
    guest: TestGuest,
    f: Features,
    streams: StreamTable,
    contexts: Contexts,
    lower: Tables,
    upper: Tables,
}

impl Host {
    fn new(e2h: bool) -> Self {
        let guest = TestGuest::new();
        let streams = StreamTable { e2h, ..guest.linear_streams(4) };
        let contexts = guest.contexts(0, s1fmt::LINEAR);
        let (lower, upper) = (guest.tables(12, 48), guest.tables(12, 48));
        let f = Features { hyp: true, ..Features::default() };
        let host = Self { guest, f, streams, contexts, lower, upper };
        host.use_strw(0b10);
        host.use_cd(|cd| cd);
        host
    }

    fn use_strw(&self, strw: u64) {
        let ste = ste_stage1(self.contexts.base, 0, s1fmt::LINEAR, 0);
        let ste = edit_ste2(edit_ste1(ste, |s| s.with_strw(strw)), |s| s.with_s2vmid(9));
        self.guest.set_ste(&self.streams, SID, &ste);
    }

    fn use_cd(&self, change: impl Fn(Cd) -> Cd) {
        self.guest.set_cd(&self.contexts, 0, &change(with_upper(cd(&self.lower, 0x55), &self.upper)));
    }

    fn context(&self) -> Result<StreamContext, FaultKind> {
        let req = request(SID, None, 0, READ);
        lookup_stream(&self.guest.mem, &self.f, &self.streams, &req).map_err(|fault| fault.kind)
    }

    fn walk(&self, va: u64, access: Access) -> Result<Mapping, FaultKind> {
        let context = self.context()?;
        walk(&self.guest.mem, &(), &self.f, &context, &request(SID, None, va, access)).0.map_err(|f| f.kind)
    }

    fn map(&self, attrs: Pte) {
        self.guest.map(&self.lower, VA, PA, 3, attrs);
    }
}

#[test]
fn which_world() {
    for (e2h, strw, expected) in [
        (false, 0b00, Ok(StreamWorld::El1)),
        (true, 0b00, Ok(StreamWorld::El1)),
        (false, 0b10, Ok(StreamWorld::El2)),
        (true, 0b10, Ok(StreamWorld::El2Host)),
        (false, 0b01, Err(FaultKind::BadSte)),
        (true, 0b11, Err(FaultKind::BadSte)),
    ] {
        let mut h = Host::new(e2h);
        h.use_strw(strw);
        assert_eq!(h.context().map(|c| c.world()), expected, "{e2h} {strw}");
        if let Ok(context) = h.context() {
            assert_eq!(context.vmid(), if strw == 0 { 9 } else { 0 }, "EL2 has no VMIDs");
        }
        // Without EL2, STRW is RES0; with stage 2 and without stage 1 it is IGNORED.
        let second = with_stage2(edit_ste1(Ste::default(), |s| s.with_strw(strw)), &h.lower, 1);
        h.guest.set_ste(&h.streams, SID, &second);
        assert_eq!(h.context().map(|c| c.world()), Ok(StreamWorld::El1));
        let bypass = edit_ste1(ste_bypass(), |s| s.with_strw(strw));
        h.guest.set_ste(&h.streams, SID, &bypass);
        assert!(h.context().is_ok());
        h.f.hyp = false;
        h.use_strw(strw);
        assert_eq!(h.context().map(|c| c.world()), Ok(StreamWorld::El1));
    }
    // VMIDs are not looked at where there are none.
    let mut h = Host::new(false);
    h.f.vmid16 = false;
    let ste = edit_ste1(ste_stage1(h.contexts.base, 0, s1fmt::LINEAR, 0), |s| s.with_strw(0b10));
    h.guest.set_ste(&h.streams, SID, &edit_ste2(ste, |s| s.with_s2vmid(0x100)));
    assert!(h.context().is_ok());
}

#[test]
fn el2_has_one_table() {
    for e2h in [false, true] {
        let mut h = Host::new(e2h);
        h.f.big_endian = false;
        h.map(user_rw());
        h.guest.map(&h.upper, VA, PA, 3, user_rw());
        let high = VA | 0xffff << 48;
        assert!(h.walk(VA, READ).is_ok());
        assert_eq!(h.walk(high, READ).is_ok(), e2h);
        assert_eq!(h.walk(VA | 1 << 55, READ).err(), Some(FaultKind::Translation));
        // What belongs to the upper one, and EPD0, are not looked at; the host's are.
        for change in [
            |c: Cd0| c.with_t1sz(0),
            |c: Cd0| c.with_tg1(0),
            |c: Cd0| c.with_epd0(1),
            |c: Cd0| c.with_epd0(1).with_epd1(1),
        ] {
            h.use_cd(|cd| edit_cd(cd, change));
            assert_eq!(h.walk(VA, READ).is_ok(), !e2h);
        }
        h.use_cd(|mut cd| {
            cd[2] = Cd2::default().with_ttb1(u64::MAX).bits();
            cd
        });
        assert_eq!(h.walk(VA, READ).is_ok(), !e2h);
        h.use_cd(|cd| edit_cd(cd, |c| c.with_epd0(1).with_epd1(1).with_endi(1)));
        assert_eq!(h.context().is_ok(), e2h, "tables that are not walked have no endianness");
    }
}

#[test]
fn el2_has_no_asids_and_no_users() {
    let mut h = Host::new(false);
    h.f.asid16 = false;
    h.use_cd(|cd| edit_cd(cd, |c| c.with_asid(0x100)));
    h.map(user_rw().with_ng(0));
    assert!(!h.walk(VA, READ).unwrap().global);
    // AP[1], PXN, PAN mean nothing; UXN is XN; the event still says unprivileged.
    h.use_cd(|cd| edit_cd(cd, |c| c.with_pan(1)));
    h.map(kernel_rw().with_pxn(1).with_uxn(0));
    for access in [READ, WRITE, FETCH, privileged(READ), privileged(WRITE), privileged(FETCH)] {
        let m = h.walk(VA, access).unwrap_or_else(|e| panic!("{access:?}: {e:?}"));
        let granted = check(m.perms, &h.f, &h.context().unwrap(), access).unwrap();
        assert_eq!(granted, Permissions { read: true, write: true, exec: true });
    }
    h.map(user_ro().with_pxn(0).with_uxn(1));
    for access in [WRITE, FETCH, privileged(WRITE), privileged(FETCH)] {
        assert_eq!(h.walk(VA, access).err(), Some(FaultKind::Permission), "{access:?}");
    }
    let context = h.context().unwrap();
    let req = request(SID, None, VA, WRITE);
    let fault = walk(&h.guest.mem, &(), &h.f, &context, &req).0.unwrap_err();
    assert!(!fault.privileged);
    // Writable and executable; table attributes.
    h.use_cd(|cd| edit_cd(cd, |c| c.with_wxn(1)));
    h.map(user_rw().with_uxn(0));
    assert_eq!(h.walk(VA, FETCH).err(), Some(FaultKind::Permission));
    h.use_cd(|cd| cd);
    for (change, allowed) in [
        ((|t: Pte| t.with_aptable0(1).with_pxntable(1)) as fn(Pte) -> Pte, (true, true)),
        (|t| t.with_aptable1(1), (false, true)),
        (|t| t.with_uxntable(1), (true, false)),
    ] {
        let h = Host::new(false);
        h.map(user_rw().with_uxn(0));
        let at = h.guest.pte_addr(&h.lower, VA, 1);
        h.guest.mem.put(at, change(Pte::from(h.guest.mem.get(at))).bits());
        assert_eq!((h.walk(VA, WRITE).is_ok(), h.walk(VA, FETCH).is_ok()), allowed);
    }
    // The host's EL2 is like EL1.
    let h = Host::new(true);
    h.map(kernel_rw());
    assert_eq!(h.walk(VA, READ).err(), Some(FaultKind::Permission));
    assert!(h.walk(VA, privileged(READ)).is_ok());
}

#[test]
fn el2_updates_descriptors() {
    let h = Host::new(false);
    h.use_cd(|cd| edit_cd(cd, |c| c.with_ha(1).with_hd(1)));
    h.map(user_clean().with_af(0));
    assert!(h.walk(VA, READ).unwrap().perms.is_clean());
    assert!(!h.walk(VA, WRITE).unwrap().perms.is_clean());
    let pte = Pte::from(h.guest.mem.get(h.guest.pte_addr(&h.lower, VA, 3)));
    assert_eq!((pte.af(), pte.ap2()), (1, 0));
}
