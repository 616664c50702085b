// SPDX-License-Identifier: GPL-2.0-or-later
//! Translation requests.

use super::*;

const NO_WRITE: Access = READ;
const READ_WRITE: Access = Access { read: true, ..WRITE };

impl Rig {
    fn ats(&self, pasid: Option<u32>, addr: u64, access: Access) -> Result<AtsTranslation, Fault> {
        self.unit.ats_translate(&self.guest.mem, &self.root, &request(pasid, addr, access))
    }
}

fn answer(addr: u64, log2size: u8, read: bool, write: bool) -> AtsTranslation {
    AtsTranslation { addr, log2size, read, write, ..AtsTranslation::NONE }
}

#[test]
fn pages_of_every_size() {
    for shift in [12, 21, 30] {
        let rig = Rig::new(false);
        let tables = rig.process(1, 5);
        let leaf = rig.guest.map(&tables, VA & !ones(shift), 0x40_0000_0000, shift, user_rw());
        let log2size = low8(shift.into());
        let page = answer(0x40_0000_0000, log2size, true, false);
        assert_eq!(rig.ats(Some(1), VA, NO_WRITE), Ok(page));
        assert_eq!(rig.guest.mem.get(leaf) & (A | D), A);
        // The device will write without asking again: dirty now.
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(AtsTranslation { write: true, ..page }));
        assert_eq!(rig.guest.mem.get(leaf) & (A | D), A | D);
        let reads = rig.guest.mem.reads();
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(AtsTranslation { write: true, ..page }));
        assert_eq!(rig.guest.mem.reads(), reads);
    }
}

#[test]
fn nothing_there_is_no_fault_and_is_not_kept() {
    for adversarial in [false, true] {
        let rig = Rig::new(adversarial);
        let none = Ok(AtsTranslation::NONE);
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), none);
        let tables = rig.process(1, 5);
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), none);
        rig.guest.map(&tables, VA, 0x9000_0000, 12, kernel_rw());
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), none);
        assert_eq!(rig.ats(Some(1), 1 << 62, READ_WRITE), none);
        // A page fault later: read-only, and after another, writable. No invalidation is due for either.
        rig.guest.map(&tables, VA, 0x9000_0000, 12, user_ro());
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(answer(0x9000_0000, 12, true, false)));
        rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
        assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(answer(0x9000_0000, 12, true, true)));
    }
}

#[test]
fn faults_that_nobody_can_mend() {
    let rig = Rig::new(false);
    let reason = |pasid, access| rig.ats(pasid, VA, access).unwrap_err().reason;
    let tables = rig.process(1, 5);
    rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
    assert_eq!(reason(Some(1), privileged(READ)), FaultReason::SupervisorDisabled);
    let none = ScalableContext1::default();
    rig.guest.set_context(rig.function, rig.guest.context0(rig.function).with_dte(0), none);
    // The entry is cached, with the flag as it was.
    assert!(rig.ats(Some(1), VA, READ).unwrap().read);
    rig.unit.invalidate(&Invalidation::ContextDevice { sid: SID as u16, function_mask: 0 });
    assert_eq!(reason(Some(1), READ), FaultReason::DeviceTlbDisabled);
    // Untranslated requests go on, and cache the entry; that does not let translation requests in.
    assert_eq!(rig.read(1, VA), Ok(0x9000_0000));
    assert_eq!(reason(Some(1), READ), FaultReason::DeviceTlbDisabled);
    let check = |kind| rig.unit.check(&rig.guest.mem, &rig.root, &request(Some(1), VA, READ), kind);
    assert_eq!(check(RequestKind::Translated).unwrap_err().reason, FaultReason::DeviceTlbDisabled);
    assert_eq!(check(RequestKind::Page), Ok(()));
    rig.guest.set_context(rig.function, rig.guest.context0(rig.function).with_pre(0), none);
    rig.unit.invalidate(&Invalidation::ContextGlobal);
    assert_eq!(check(RequestKind::Translated), Ok(()));
    assert_eq!(check(RequestKind::Page).unwrap_err().reason, FaultReason::PageRequestDisabled);
    rig.guest.mem.put(rig.function.context, 0);
    rig.unit.invalidate(&Invalidation::ContextGlobal);
    assert_eq!(reason(Some(1), READ), FaultReason::ScalableContextNotPresent);
}

#[test]
fn privileged_and_execute_permissions_only_if_asked_for() {
    let rig = Rig::new(false);
    let tables = rig.process(1, 5);
    let entry = pasid_first(&tables, 5);
    let bind = |change: u64| {
        rig.guest.set_pasid(rig.function, 1, &PasidEntry(entry.0, entry.1, (entry.2.bits() | change).into()));
        rig.unit.invalidate(&Invalidation::Pasid { did: 5, pasid: 1 });
    };
    rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
    let page = answer(0x9000_0000, 12, true, true);
    let exec = Access { exec: true, ..READ_WRITE };
    // ERE is 0: no fault, no permission.
    assert_eq!(rig.ats(Some(1), VA, exec), Ok(page));
    bind(0b10);
    assert_eq!(rig.ats(Some(1), VA, exec), Ok(AtsTranslation { exec: true, ..page }));
    assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(page));
    // NXE and XD.
    bind(0b10_0010);
    rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw() | 1 << 63);
    rig.unit.invalidate(&Invalidation::IotlbGlobal);
    assert_eq!(rig.ats(Some(1), VA, exec), Ok(page));
    // Allowed later, without an invalidation.
    rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
    assert_eq!(rig.ats(Some(1), VA, exec), Ok(AtsTranslation { exec: true, ..page }));
    bind(0b1);
    assert_eq!(rig.ats(Some(1), VA, privileged(READ_WRITE)), Ok(AtsTranslation { privileged: true, ..page }));
}

/// Where the unit has no supervisor requests, privileged ones are forced to have no permission, and `PRIV` says whose
/// (`VTD §4.1.2`). Where it has no execute requests, no page is executable.
#[test]
fn without_supervisor_or_execute_requests() {
    let exec = Access { exec: true, ..READ_WRITE };
    let without_supervisor = Features { supervisor_requests: false, ..Features::default() };
    let without_both = Features { execute_requests: false, ..without_supervisor };
    for f in [without_supervisor, without_both] {
        let rig = Rig::with_features(f);
        let tables = rig.process(1, 5);
        let second = rig.guest.second_stage(4);
        rig.guest.set_pasid(rig.function, 2, &pasid_second(&second, 6));
        rig.guest.set_pasid(rig.function, 3, &pasid_pass_through(7));
        rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw() | A | D);
        rig.guest.map(&second, VA, 0x9000_0000, 12, ss_rw());
        let forced = Ok(AtsTranslation { privileged: true, ..AtsTranslation::NONE });
        // There, and not there; of every translation type, and of none.
        for pasid in 1..5 {
            for addr in [VA, VA + 0x1000] {
                for access in [READ, READ_WRITE, exec] {
                    let found = rig.ats(Some(pasid), addr, privileged(access));
                    assert_eq!(found, forced, "PASID {pasid} at {addr:#x}, {access:?}");
                }
            }
        }
        // What no page request could mend is a fault all the same.
        rig.guest.set_context(
            rig.function,
            rig.guest.context0(rig.function).with_dte(0),
            ScalableContext1::default(),
        );
        rig.unit.invalidate(&Invalidation::ContextGlobal);
        assert_eq!(
            rig.ats(Some(1), VA, privileged(READ)).unwrap_err().reason,
            FaultReason::DeviceTlbDisabled
        );
    }
    let rig = Rig::with_features(Features { execute_requests: false, ..Features::default() });
    let tables = rig.process(1, 5);
    let second = rig.guest.second_stage(4);
    rig.guest.set_pasid(rig.function, 2, &pasid_second(&second, 6));
    rig.guest.set_pasid(rig.function, 3, &pasid_pass_through(7));
    rig.guest.map(&tables, VA, VA, 12, user_rw() | A | D);
    rig.guest.map(&second, VA, VA, 12, ss_rw());
    for pasid in 1..4 {
        let found = rig.ats(Some(pasid), VA, exec).unwrap();
        assert!(found.read && found.write && !found.exec, "PASID {pasid}: {found:?}");
    }
}

#[test]
fn a_unit_without_the_no_write_flag_takes_every_request_for_a_write() {
    let rig = Rig::with_features(Features { no_write: false, ..Features::default() });
    let tables = rig.process(1, 5);
    let leaf = rig.guest.map(&tables, VA, 0x9000_0000, 12, user_rw());
    assert_eq!(rig.ats(Some(1), VA, NO_WRITE), Ok(answer(0x9000_0000, 12, true, true)));
    assert_eq!(rig.guest.mem.get(leaf) & D, D);
}

#[test]
fn without_pasid() {
    let rig = Rig::new(false);
    let second = rig.guest.second_stage(4);
    rig.guest.set_pasid(rig.function, 0, &pasid_second(&second, 5));
    rig.guest.map(&second, VA & !0x1f_ffff, 0x40_0000_0000, 21, ss_ro());
    assert_eq!(rig.ats(None, VA, READ_WRITE), Ok(answer(0x40_0000_0000, 21, true, false)));
    rig.guest.map(&second, 0x5000_0000, 0x41_0000_0000, 12, ss_wo());
    assert_eq!(rig.ats(None, 0x5000_0000, READ_WRITE), Ok(answer(0x41_0000_0000, 12, false, true)));
    // Permissions are those of requests to write only, then.
    assert_eq!(rig.ats(None, 0x5000_0000, NO_WRITE), Ok(AtsTranslation::NONE));
    let interrupt = AtsTranslation { untranslated_only: true, ..answer(0xfee0_0000, 12, false, true) };
    assert_eq!(rig.ats(None, 0xfee0_0004, READ_WRITE), Ok(interrupt));
    rig.guest.set_pasid(rig.function, 0, &pasid_pass_through(5));
    rig.unit.invalidate(&Invalidation::PasidGlobal);
    assert_eq!(rig.ats(None, 0x1234_5678, READ_WRITE), Ok(answer(0x1220_0000, 21, true, true)));
    assert_eq!(rig.ats(None, 0xfee0_0004, READ_WRITE), Ok(interrupt));
    assert_eq!(rig.ats(None, 1 << 50, READ).unwrap_err().reason, FaultReason::ScalableBeyondWidth);
}

#[test]
fn nested_answers_are_of_both_stages() {
    let (rig, _, second) = nested(false);
    assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(answer(0x9000_0000, 12, true, true)));
    rig.guest.map(&second, 0x5000_0000, 0x9000_0000, 12, ss_ro());
    rig.unit.invalidate(&second_pages(5, 0x5000_0000, 0));
    assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(answer(0x9000_0000, 12, true, false)));
    rig.guest.map(&second, 0x5000_0000, 0, 12, 0);
    rig.unit.invalidate(&second_pages(5, 0x5000_0000, 0));
    assert_eq!(rig.ats(Some(1), VA, READ_WRITE), Ok(AtsTranslation::NONE));
}
