// SPDX-License-Identifier: GPL-2.0-or-later
//! Random first-stage tables, against a second opinion in plain integers.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Case {
    levels: u32,
    /// From the top: bits that differ from a present, user, writable entry.
    noise: Vec<u64>,
    control: u64,
    access: Access,
    fs1gp: bool,
}

/// Bits that an entry may have wrong, rarely.
fn noise() -> impl Strategy<Value = u64> {
    let bit = prop_oneof![
        4 => Just(A), 4 => Just(D), 4 => Just(EA), 3 => Just(XD), 3 => Just(1u64 << 7), 2 => Just(2), 2 => Just(4),
        1 => Just(1), 1 => (0..64u32).prop_map(|bit| 1 << bit),
    ];
    prop::collection::vec(bit, 0..5).prop_map(|bits| bits.into_iter().fold(0, |a, b| a ^ b))
}

fn case() -> impl Strategy<Value = Case> {
    let access = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(read, write, exec, privileged)| Access { read, write, exec, privileged });
    (4..=5u32, prop::collection::vec(noise(), 5), any::<u64>(), access, any::<bool>())
        .prop_map(|(levels, noise, control, access, fs1gp)| Case { levels, noise, control, access, fs1gp })
}

/// What should come of it: address, log2 of the size, and the entries afterwards.
fn opinion(case: &Case, entries: &[u64]) -> Result<(u64, u32, Vec<u64>), FaultReason> {
    let on = |bit: u32| case.control >> bit & 1 == 1;
    let (wpe, nxe, smep, eafe) = (on(4), on(5), on(6), on(7));
    let (mut user, mut writable, mut executable) = (true, true, true);
    let mut found = None;
    for (n, entry) in entries.iter().enumerate() {
        let level = case.levels - n as u32;
        if entry & 1 == 0 {
            return Err(FaultReason::FirstStageNotPresent);
        }
        let large = entry & 0x80 != 0;
        let leaf = match level {
            1 => true,
            2 => large,
            3 => large && case.fs1gp,
            _ => false,
        };
        let mut reserved = entry & 0x000f_0000_0000_0000;
        if level > 3 || (level == 3 && !case.fs1gp) {
            reserved |= entry & 0x80;
        }
        if leaf && level == 2 {
            reserved |= entry & 0x1f_e000;
        }
        if leaf && level == 3 {
            reserved |= entry & 0x3fff_e000;
        }
        if reserved != 0 {
            return Err(FaultReason::FirstStageReserved);
        }
        user &= entry & 4 != 0;
        writable &= entry & 2 != 0;
        executable &= !(nxe && entry >> 63 != 0);
        if leaf {
            found = Some((n, 12 + 9 * (level - 1)));
            break;
        }
    }
    let (last, shift) = found.unwrap();
    let Access { write, privileged, .. } = case.access;
    if !privileged && !user {
        return Err(FaultReason::UserSupervisor);
    }
    if write && !writable && (!privileged || wpe) {
        return Err(FaultReason::ScalableWrite);
    }
    if case.access.exec && !write && (!executable || (privileged && user && smep)) {
        return Err(FaultReason::Execute);
    }
    let mut after = entries.to_vec();
    for entry in &mut after[..=last] {
        *entry |= A | if eafe { EA } else { 0 };
    }
    if write {
        after[last] |= D;
    }
    let base = (entries[last] & 0x000f_ffff_ffff_f000) >> shift << shift;
    if (base | VA & ((1 << shift) - 1)) >> 20 == 0xfee {
        return Err(FaultReason::ScalableInterruptAddress);
    }
    Ok((base, shift, after))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn as_a_second_opinion_has_it(case in case()) {
        let mut rig = Rig::new(case.levels);
        rig.f.fs1gp = case.fs1gp;
        rig.bind(|entry| {
            // SRE and ERE are on; WPE, NXE, SMEP, EAFE as they come.
            Pasid2::from(entry.bits() | 0b11 | case.control & 0xf0)
        });
        rig.map(12, user_rw());
        let top = 12 + 9 * (case.levels - 1);
        let places: Vec<_> =
            (0..case.levels).map(|n| rig.guest.entry(&rig.tables, VA, top - 9 * n)).collect();
        // What noise makes of a table's address may lead to another table: only the first change of that kind counts.
        let mut entries: Vec<_> = places.iter().map(|at| rig.guest.mem.get(*at)).collect();
        for (entry, noise) in entries.iter_mut().zip(&case.noise) {
            let table = *entry & 0x0000_ffff_ffff_f000;
            *entry ^= noise;
            let leaf = *entry & 0x80 != 0;
            if !leaf {
                *entry = *entry & !0x0000_ffff_ffff_f000 | table;
            }
        }
        for (at, entry) in places.iter().zip(&entries) {
            rig.guest.mem.put(*at, *entry);
        }
        let expected = opinion(&case, &entries);
        let (result, updates) = rig.walk(VA, case.access);
        let after: Vec<_> = places.iter().map(|at| rig.guest.mem.get(*at)).collect();
        match (result, expected) {
            (Ok(page), Ok((base, shift, wanted))) => {
                prop_assert_eq!((page.addr, u32::from(page.log2size)), (base, shift));
                prop_assert_eq!(updates.accessed, entries != wanted);
                prop_assert_eq!(after, wanted);
            }
            (Err(reason), Err(expected)) => {
                prop_assert_eq!(reason, expected);
                prop_assert_eq!(after, entries);
                prop_assert_eq!(updates, Updates::default());
            }
            (result, expected) => prop_assert!(false, "{:?} {:?}", result, expected),
        }
    }
}
