// SPDX-License-Identifier: GPL-2.0-or-later
//! Interrupt addresses (`VTD §3.14`): no request with PASID reaches them, and no answer covers one.

use super::*;

/// The last address before the range, and the first after it.
const BELOW: u64 = 0xfedf_ffff;
const ABOVE: u64 = 0xfef0_0000;
const INSIDE: [u64; 3] = [0xfee0_0000, 0xfee0_1234, 0xfeef_ffff];

fn covers_interrupts(addr: u64, mask: u64) -> bool {
    addr & !mask < ABOVE && addr | mask > BELOW
}

/// A rig whose PASID (1: first stage, 2: second, 3: nested) has a page of `1 << shift` bytes that leads to interrupts, among
/// others. With it, the distance from where a page leads to its address.
fn leading_there(pasid: u32, shift: u32, adversarial: bool) -> (Rig, u64) {
    let rig = Rig::new(adversarial);
    let (first, second) = (rig.guest.first_stage(4), rig.guest.second_stage(4));
    let base = INSIDE[0] & !ones(shift);
    let va = 0x40_0000_0000;
    match pasid {
        1 => {
            rig.guest.set_pasid(rig.function, 1, &pasid_first(&first, 5));
            rig.guest.map(&first, va, base, shift, user_rw());
        }
        2 => {
            rig.guest.set_pasid(rig.function, 2, &pasid_second(&second, 5));
            rig.guest.map(&second, va, base, shift, ss_rw());
        }
        _ => {
            rig.guest.set_pasid(rig.function, 3, &pasid_nested(&first, &second, 5));
            // Tables are found one to one, pages a terabyte above.
            rig.guest.map(&second, 0, 0, 30, ss_rw());
            rig.guest.map(&second, 0x100_0000_0000, base, shift, ss_rw());
            rig.guest.map(&first, va, 0x100_0000_0000, shift, user_rw());
        }
    }
    (rig, va - base)
}

#[test]
fn pages_that_lead_to_interrupts() {
    for adversarial in [false, true] {
        for (pasid, shift) in [1, 2, 3].into_iter().flat_map(|pasid| [21, 30].map(|shift| (pasid, shift))) {
            let (rig, distance) = leading_there(pasid, shift, adversarial);
            let ask = |to: u64, access| rig.ask(Some(pasid), to.wrapping_add(distance), access);
            // Cold, by a neighbour's entry, and by its own.
            for _ in 0..2 {
                for addr in INSIDE {
                    for access in [READ, WRITE] {
                        let fault = ask(addr, access).unwrap_err();
                        assert_eq!(
                            (fault.reason, fault.record),
                            (FaultReason::ScalableInterruptAddress, true)
                        );
                    }
                }
                let first = INSIDE[0] & !ones(shift);
                let near: &[u64] = if shift == 30 { &[first, BELOW, ABOVE] } else { &[ABOVE] };
                for addr in near {
                    for access in [READ, WRITE] {
                        let found = ask(*addr, access).unwrap();
                        assert_eq!(found.addr, *addr);
                        assert!(
                            !covers_interrupts(*addr, found.page_mask),
                            "{addr:#x} {:#x}",
                            found.page_mask
                        );
                        assert!(found.page_mask >= 0xfff);
                    }
                }
            }
            // Caches outside the model ask without PASID: what a process maps does not widen what they are told.
            assert_eq!(rig.unit.largest_page_in_parts(), 0);
            let ats = |to: u64| {
                let req = request(Some(pasid), to.wrapping_add(distance), WRITE);
                rig.unit.ats_translate(&rig.guest.mem, &rig.root, &req)
            };
            assert_eq!(ats(INSIDE[1]).unwrap_err().reason, FaultReason::ScalableInterruptAddress);
            let found = ats(ABOVE).unwrap();
            assert!(found.write && !covers_interrupts(found.addr, ones(found.log2size.into())), "{found:?}");
        }
    }
}

#[test]
fn what_passes_through() {
    let rig = Rig::new(false);
    for pasid in [0, 3] {
        rig.guest.set_pasid(rig.function, pasid, &pasid_pass_through(7));
    }
    for pasid in [None, Some(3)] {
        for addr in [0, 0x1000, 0x9000_0000, BELOW - 7, BELOW, ABOVE, 0xffff_ffff, 1 << 32, ones(48)] {
            let found = rig.ask(pasid, addr, WRITE).unwrap();
            assert_eq!(found.addr, addr);
            assert!(!covers_interrupts(addr, found.page_mask), "{addr:#x} {:#x}", found.page_mask);
            let req = request(pasid, addr, WRITE);
            let told = rig.unit.ats_translate(&rig.guest.mem, &rig.root, &req).unwrap();
            assert!(told.write && told.log2size >= 12 && told.log2size <= 21);
            assert_eq!(told.addr, addr & !ones(told.log2size.into()));
            assert!(!covers_interrupts(told.addr, ones(told.log2size.into())), "{told:?}");
        }
    }
    let ats = |pasid, addr| rig.unit.ats_translate(&rig.guest.mem, &rig.root, &request(pasid, addr, WRITE));
    for addr in INSIDE {
        let fault = rig.ask(Some(3), addr, WRITE).unwrap_err();
        assert_eq!((fault.reason, fault.record), (FaultReason::ScalableInterruptAddress, true));
        assert_eq!(ats(Some(3), addr).unwrap_err().reason, FaultReason::ScalableInterruptAddress);
        // Without PASID it is an interrupt, which is not asked for here, and no fault.
        assert!(!rig.ask(None, addr, WRITE).unwrap_err().record);
        let told = ats(None, addr).unwrap();
        assert!(told.untranslated_only && told.write && !told.read);
    }
}

/// The addresses of requests without PASID are interrupts, whatever the tables say of them.
#[test]
fn pages_at_the_addresses_of_interrupts() {
    for shift in [12, 21, 30] {
        let rig = Rig::new(false);
        let second = rig.guest.second_stage(4);
        for pasid in [0, 1] {
            rig.guest.set_pasid(rig.function, pasid, &pasid_second(&second, 5));
        }
        let base = INSIDE[1] & !ones(shift);
        rig.guest.map(&second, base, 0x40_0000_0000, shift, ss_rw());
        for _ in 0..2 {
            for addr in [INSIDE[1], INSIDE[0] | 0x1000] {
                if addr & !ones(shift) != base {
                    continue;
                }
                // With PASID they are addresses like any other: those of the address space.
                assert_eq!(rig.read(1, addr), Ok(0x40_0000_0000 + addr - base));
                assert!(rig.ask(Some(1), addr, READ).unwrap().page_mask == ones(shift));
                assert!(rig.ask(None, addr, READ).is_err());
            }
            if shift > 20 {
                let found = rig.ask(None, ABOVE, READ).unwrap();
                assert_eq!(found.addr, 0x40_0000_0000 + ABOVE - base);
                assert!(!covers_interrupts(ABOVE, found.page_mask), "{:#x}", found.page_mask);
                let parts = rig.unit.largest_page_in_parts();
                assert_eq!(parts, shift as u8, "one address of it invalidates all of it");
                rig.unit.invalidate(&Invalidation::IotlbGlobal);
                assert_eq!(rig.unit.largest_page_in_parts(), 0);
                // The page is in the IOTLB by a request with PASID, and is walked anew for one without.
                assert!(rig.ask(Some(1), ABOVE, READ).is_ok());
                assert_eq!(rig.unit.largest_page_in_parts(), 0);
                assert!(rig.ask(None, ABOVE, READ).is_ok());
                assert_eq!(rig.unit.largest_page_in_parts(), shift as u8);
            }
        }
    }
}
