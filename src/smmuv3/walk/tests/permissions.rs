// SPDX-License-Identifier: GPL-2.0-or-later
//! Permissions of pages, walked and cached, against a reference.

use super::*;

/// The C model's defect S4: a read's walk, then a write's hit, went past `APTable`.
#[test]
fn table_attributes_accumulate() {
    for level in 0..3 {
        for had in [0, 1] {
            let s = Space::with_page(user_rw().with_pxn(0).with_uxn(0));
            let at = s.guest.pte_addr(&s.tables, VA, level);
            let table = Pte::from(s.guest.mem.get(at));
            let with = |change: fn(Pte) -> Pte| {
                s.guest.mem.put(at, change(table).bits());
                let mut cd = s.cd;
                cd[1] = Cd1::from(cd[1]).with_had0(had).bits();
                let context = StreamContext { cd: [cd[0], cd[1], cd[2], cd[3]], ..s.context() };
                // Privileged, so that it is the table that decides.
                let req = request(1, None, VA, privileged(READ));
                walk(&s.guest.mem, &(), &s.f, &context, &req).0.unwrap().perms
            };
            let all = with(|pte| pte);
            let rights = |perms: PagePerms| {
                let (p, u) = (perms.permissions(true), perms.permissions(false));
                (p.read, p.write, p.exec, u.read, u.write, u.exec)
            };
            // EL0 may write, so EL1 may not execute.
            assert_eq!(rights(all), (true, true, false, true, true, true));
            for (change, limited) in [
                ((|pte| pte.with_aptable0(1)) as fn(Pte) -> Pte, (true, true, true, false, false, true)),
                (|pte| pte.with_aptable1(1), (true, false, true, true, false, true)),
                (|pte| pte.with_pxntable(1), (true, true, false, true, true, true)),
                (|pte| pte.with_uxntable(1), (true, true, false, true, true, false)),
            ] {
                let expected = if had == 1 { rights(all) } else { limited };
                assert_eq!(rights(with(change)), expected, "level {level} HAD {had}");
            }
        }
    }
    // HAD1 is the upper half's.
    let mut s = Space::new(12, 48);
    let upper = s.guest.tables(12, 48);
    s.cd = with_upper(s.cd, &upper);
    s.guest.map(&upper, VA, PA, 3, user_rw());
    let at = s.guest.pte_addr(&upper, VA, 2);
    s.guest.mem.put(at, Pte::from(s.guest.mem.get(at)).with_aptable1(1).bits());
    let va = VA | 0xffff << 48;
    s.cd[1] = Cd1::from(s.cd[1]).with_had0(1).bits();
    assert_eq!(s.kind(va, WRITE), Err(FaultKind::Permission));
    s.cd[2] = Cd2::from(s.cd[2]).with_had1(1).bits();
    assert_eq!(s.kind(va, WRITE), Ok(PA));
}

/// QEMU's own model looks at `AP[2]` and `APTable[1]` alone (docs/replace.md).
#[test]
fn lenient_privileges() {
    let mut s = Space::with_page(kernel_rw());
    assert_eq!(s.kind(VA, WRITE), Err(FaultKind::Permission));
    s.f.leniency.privilege = true;
    assert_eq!((s.kind(VA, READ), s.kind(VA, WRITE)), (Ok(PA), Ok(PA)));
    let mut s = Space::with_page(kernel_rw().with_ap2(1));
    s.f.leniency.privilege = true;
    assert_eq!((s.kind(VA, READ), s.kind(VA, WRITE)), (Ok(PA), Err(FaultKind::Permission)));
}

#[test]
fn a_probe_needs_a_mapping_and_no_permission() {
    let s = Space::with_page(kernel_rw());
    let m = s.walk(VA, Access::default()).unwrap();
    assert_eq!(check(m.perms, &s.f, &s.context(), Access::default()), Ok(Permissions::default()));
    assert_eq!(s.kind(0, Access::default()), Err(FaultKind::Translation));
}

#[test]
fn overrides_apply_to_permissions() {
    let mut s = Space::with_page(kernel_rw());
    assert_eq!(s.kind(VA, READ), Err(FaultKind::Permission));
    s.ste = edit_ste1(s.ste, |ste1| ste1.with_privcfg(3));
    assert_eq!(s.kind(VA, READ), Ok(PA));
    let perms = s.walk(VA, READ).unwrap().perms;
    assert!(check(perms, &s.f, &s.context(), WRITE).unwrap().write);
    s.ste = edit_ste1(s.ste, |ste1| ste1.with_instcfg(3));
    assert_eq!(s.kind(VA, READ), Err(FaultKind::Permission), "an instruction read of a page that is XN");
    assert_eq!(s.kind(VA, WRITE), Ok(PA), "writes are data");
}

/// The permissions of the Arm ARM's tables, written out case by case: (AP[2:1], privileged) to (read, write), then
/// execution.
fn reference(leaf: Pte, tables: &[Pte], cd: Cd0, had: bool, access: Access) -> bool {
    let mut ap = (leaf.ap2() << 1) | leaf.ap1();
    if cd.ha() == 1 && cd.hd() == 1 && leaf.dbm() == 1 {
        ap &= 0b01;
    }
    let (mut xn, mut pxn) = (leaf.uxn() == 1, leaf.pxn() == 1);
    if !had {
        for table in tables {
            if table.aptable0() == 1 {
                ap &= 0b10;
            }
            if table.aptable1() == 1 {
                ap |= 0b10;
            }
            xn |= table.uxntable() == 1;
            pxn |= table.pxntable() == 1;
        }
    }
    let data = |privileged: bool| match (ap, privileged) {
        (0b00, true) => (true, true),
        (0b00, false) => (false, false),
        (0b01, _) => (true, true),
        (0b10, true) => (true, false),
        (0b10, false) => (false, false),
        (0b11, _) => (true, false),
        _ => unreachable!(),
    };
    let (read, write) = data(access.privileged);
    let never = (cd.wxn() == 1 && write) || if access.privileged { pxn || data(false).1 } else { xn };
    if access.exec && !access.write {
        return !never;
    }
    if access.privileged && cd.pan() == 1 && data(false).0 && (access.read || access.write) {
        return false;
    }
    (!access.read || read) && (!access.write || write)
}

pub(super) fn any_access() -> impl Strategy<Value = Access> {
    any::<(bool, bool, bool, bool)>().prop_map(|(read, write, exec, privileged)| {
        // An instruction fetch is a read.
        Access { read: read || exec, write, exec, privileged }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Any attributes of four levels of descriptors: what a walk grants is what the reference grants; and once the
    /// page is cached by any access, every other access fares by the cached permissions as it would by a walk.
    #[test]
    fn permissions_agree_with_the_reference_and_with_cached_ones(
        leaf in any::<u64>(),
        tables in any::<[u64; 3]>(),
        controls in any::<u64>(),
        had in any::<bool>(),
        first in any_access(),
        second in any_access(),
    ) {
        let control = |bit: u32| controls >> bit & 1;
        let s = Space::with_page(Pte::from(leaf).with_af(1)).edit(|c| {
            c.with_wxn(control(0)).with_pan(control(1)).with_ha(control(2)).with_hd(control(3))
        });
        let mut s = s;
        s.cd[1] = Cd1::from(s.cd[1]).with_had0(had.into()).bits();
        let mut above = [Pte::default(); 3];
        for (level, bits) in tables.into_iter().enumerate() {
            let at = s.guest.pte_addr(&s.tables, VA, level as u32);
            above[level] = Pte::from(s.guest.mem.get(at) | bits & 0x7f << 59);
            s.guest.mem.put(at, above[level].bits());
        }
        let (leaf, cd) = (s.pte(), Cd0::from(s.cd[0]));

        let walked = s.walk(VA, first);
        prop_assert_eq!(walked.is_ok(), reference(leaf, &above, cd, had, first), "{:?}", walked);
        let Ok(mapping) = walked else {
            prop_assert_eq!(walked.unwrap_err().kind, FaultKind::Permission);
            return Ok(());
        };
        // Now the descriptor may be dirty; what is cached must say of a second access what a walk says of it.
        let again = s.walk(VA, second);
        let dirty_before = !mapping.perms.is_clean();
        match check(mapping.perms, &s.f, &s.context(), second) {
            Ok(granted) => {
                prop_assert!(again.is_ok());
                prop_assert!(!second.write || dirty_before);
                // And no wider than what a walk for each kind of access would grant.
                // What a fetch reads, it fetches.
                let reads = if second.exec && !second.write { FETCH } else { READ };
                for (bit, access) in [
                    (granted.read, reads),
                    (granted.write, WRITE),
                    (granted.exec, FETCH),
                ] {
                    let access = Access { privileged: second.privileged, ..access };
                    prop_assert!(!bit || reference(leaf, &above, cd, had, access));
                }
            }
            Err(Refusal::Permission(_)) => prop_assert_eq!(again.unwrap_err().kind, FaultKind::Permission),
            Err(Refusal::Clean) => prop_assert!(again.is_ok() && second.write && !dirty_before),
        }
        prop_assert_eq!(PagePerms::from_bits(mapping.perms.bits()), mapping.perms);
    }
}
