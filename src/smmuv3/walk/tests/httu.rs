// SPDX-License-Identifier: GPL-2.0-or-later
//! Hardware update of access flag and dirty state, and lost races.

use super::*;

#[test]
fn access_flag() {
    // HA, AFFD: outcome and AF afterwards.
    for (ha, affd, ok, af) in [(0, 0, false, 0), (0, 1, true, 0), (1, 0, true, 1), (1, 1, true, 1)] {
        let s = Space::with_page(user_rw().with_af(0)).edit(|c| c.with_ha(ha).with_affd(affd));
        let (result, updates) = s.watch(VA, READ);
        assert_eq!(result.is_ok(), ok);
        assert_eq!(s.pte(), user_rw().with_af(af).with_valid(1).with_table(1).with_addr_47_12(PA >> 12));
        match result {
            Ok(_) => assert_eq!(updates, Updates { accessed: af == 1, dirtied: false }),
            Err(fault) => assert_eq!(fault.kind, FaultKind::AccessFlag),
        }
    }
    // No update for an access that is refused, none for one that needs none.
    let s = Space::with_page(user_ro().with_af(0)).edit(|c| c.with_ha(1));
    assert_eq!(s.kind(VA, WRITE), Err(FaultKind::Permission));
    assert_eq!((s.guest.mem.updates(), s.pte().af()), (0, 0));
    assert!(s.walk(VA, READ).is_ok() && s.walk(VA, READ).is_ok());
    assert_eq!(s.guest.mem.updates(), 1);
}

#[test]
fn access_flag_of_blocks() {
    let s = Space::new(12, 48).edit(|c| c.with_ha(1));
    s.guest.map(&s.tables, VA, 0x4000_0000, 2, user_rw().with_af(0));
    assert!(s.walk(VA, READ).is_ok());
    let pte = Pte::from(s.guest.mem.get(s.guest.pte_addr(&s.tables, VA, 2)));
    assert_eq!((pte.af(), pte.table()), (1, 0));
}

#[test]
fn dirty_state() {
    // HA, HD, DBM: may one write?
    for (ha, hd, dbm) in [(0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 0), (1, 1, 1)] {
        let s = Space::with_page(user_ro().with_dbm(dbm)).edit(|c| c.with_ha(ha).with_hd(hd));
        let writable = ha & hd & dbm == 1;
        // A read changes nothing and grants no write.
        let m = s.walk(VA, READ).unwrap();
        assert_eq!(m.perms.is_clean(), writable);
        let granted = check(m.perms, &s.f, &s.context(), READ).unwrap();
        assert_eq!(granted, Permissions { read: true, write: false, exec: false });
        let refusal = check(m.perms, &s.f, &s.context(), WRITE).unwrap_err();
        assert_eq!(refusal, if writable { Refusal::Clean } else { Refusal::Permission(Stage::First) });
        assert_eq!(s.pte().ap2(), 1);
        // A write makes it dirty.
        for access in [WRITE, ATOMIC] {
            let s =
                Space::with_page(user_ro().with_dbm(dbm).with_af(1 - ha)).edit(|c| c.with_ha(ha).with_hd(hd));
            let (result, updates) = s.watch(VA, access);
            match result {
                Ok(m) if writable => {
                    assert_eq!(updates, Updates { accessed: true, dirtied: true });
                    assert!(!m.perms.is_clean());
                    assert!(check(m.perms, &s.f, &s.context(), WRITE).unwrap().write);
                    assert_eq!((s.pte().ap2(), s.pte().dbm(), s.pte().af()), (0, 1, 1));
                    assert_eq!(s.guest.mem.updates(), 1);
                }
                Err(fault) if !writable => {
                    assert_eq!(fault.kind, FaultKind::Permission);
                    assert_eq!(s.guest.mem.updates(), 0);
                }
                other => panic!("HA {ha} HD {hd} DBM {dbm}: {other:?}"),
            }
        }
    }
}

#[test]
fn table_attributes_make_clean_pages_read_only() {
    let s = Space::with_page(user_clean()).edit(|c| c.with_ha(1).with_hd(1));
    let at = s.guest.pte_addr(&s.tables, VA, 1);
    let table = Pte::from(s.guest.mem.get(at));
    s.guest.mem.put(at, table.with_aptable1(1).bits());
    assert_eq!(s.kind(VA, WRITE), Err(FaultKind::Permission));
    assert!(!s.walk(VA, READ).unwrap().perms.is_clean());
    assert_eq!(s.pte().ap2(), 1);
}

#[test]
fn lost_races_are_judged_again() {
    let new = || Space::with_page(user_clean().with_af(0)).edit(|c| c.with_ha(1).with_hd(1));
    // Somebody else sets the access flag.
    let s = new();
    s.guest.mem.race(s.pte_addr(), s.pte().with_af(1).bits());
    assert_eq!(s.watch(VA, READ).1, Updates::default());
    let s = new();
    s.guest.mem.race(s.pte_addr(), s.pte().with_af(1).bits());
    assert_eq!(s.watch(VA, WRITE).1, Updates { accessed: false, dirtied: true });
    // The page goes away, becomes read-only, or another one.
    let s = new();
    s.guest.mem.race(s.pte_addr(), 0);
    assert_eq!(s.kind(VA, WRITE), Err(FaultKind::Translation));
    assert_eq!(s.guest.mem.get(s.pte_addr()), 0);
    let s = new();
    s.guest.mem.race(s.pte_addr(), s.pte().with_dbm(0).bits());
    assert_eq!(s.kind(VA, WRITE), Err(FaultKind::Permission));
    let s = new();
    s.guest.mem.race(s.pte_addr(), s.pte().with_addr_47_12(0x77).bits());
    assert_eq!(s.kind(VA, WRITE), Ok(0x7_7000));
    assert_eq!((s.pte().ap2(), s.pte().addr_47_12()), (0, 0x77));
    // A block becomes a table.
    let s = Space::new(12, 48).edit(|c| c.with_ha(1));
    s.guest.map(&s.tables, VA, 0x4000_0000, 2, user_rw().with_af(0));
    let at = s.guest.pte_addr(&s.tables, VA, 2);
    let table = s.guest.alloc(0x1000);
    s.guest.mem.put(table + 8 * (VA >> 12 & 0x1ff), user_rw().with_valid(1).with_table(1).bits() | PA);
    s.guest.mem.race(at, Pte::default().with_valid(1).with_table(1).with_addr_47_12(table >> 12).bits());
    assert_eq!(s.kind(VA, READ), Ok(PA));
}

#[test]
fn races_that_never_end_are_given_up() {
    let s = Space::with_page(user_rw().with_af(0)).edit(|c| c.with_ha(1));
    for i in 0..100 {
        s.guest.mem.race(s.pte_addr(), s.pte().with_addr_47_12(i).bits());
    }
    let fault = s.walk(VA, READ).unwrap_err();
    assert_eq!((fault.kind, fault.fetch_addr), (FaultKind::WalkAbort, s.pte_addr()));
}
