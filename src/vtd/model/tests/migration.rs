// SPDX-License-Identifier: GPL-2.0-or-later
//! Saving, loading, and states that are not ours.

use super::*;

fn busy() -> Rig {
    let mut rig = Rig::new();
    let _ = rig.vtd.translate(&rig.mem, &request(0x1000), true);
    let _ = rig.vtd.translate(&rig.mem, &request(0x2000), false);
    rig.submit(&[device_page(0x18, 3, 0x7000), [0x20 << 32 | 3, 0x7fff_ffff_ffff_f001, 0, 0], wait(5)]);
    // Left for after the load: a fault of another thread.
    let _ = rig.vtd.translate(&rig.mem, &DmaRequest { stream: 0x99, ..request(0x3000) }, false);
    let request = PageRequest { stream: 0x18, substream: Some(3), last: true, ..PageRequest::default() };
    let _ = rig.vtd.page_request(&rig.mem, &request);
    rig.write64(reg::IRTA, INTERRUPTS | 0x807);
    rig.write(reg::GCMD, 1 << 31 | 1 << 26 | 1 << 25 | 1 << 24);
    rig
}

#[test]
fn there_and_back() {
    let rig = busy();
    let _ = rig.vtd.translate(&rig.mem, &DmaRequest { stream: 0x98, ..request(0x3000) }, false);
    let saved = rig.vtd.save();
    let words = saved.to_words();
    assert_eq!(SavedState::from_words(&words), Ok(saved.clone()));
    let there = Vtd::with_engine(Features::default(), Script::default());
    there.load(&saved).unwrap();
    assert_eq!(there.save().registers, saved.registers);
    for offset in (0..0x1000).step_by(4) {
        assert_eq!(there.mmio_read(offset, 4), rig.vtd.mmio_read(offset, 4), "{offset:#x}");
    }
    // Endpoints are asked again, and their answers complete the wait descriptor.
    assert!(there.needs_run());
    let effects = there.run_pending(&rig.mem).0;
    let everything = Effect::AtsInvalidate {
        itag: 1,
        stream: 0x20,
        substream: None,
        global: false,
        addr: 0,
        mask: u64::MAX,
    };
    assert_eq!(effects, [ask_page(0, 0x18, 3, 0x7000), everything]);
    assert_eq!(there.mmio_read(0x248, 4) & 0xffff, 0x98, "the fault that was on its way");
    assert_eq!(there.device_tlb_done(&rig.mem, 0x18, 0).0, []);
    assert_eq!(there.device_tlb_done(&rig.mem, 0x20, 1).0, [status(5)]);
    assert_eq!(there.run_pending(&rig.mem).0, [], "once");
}

#[test]
fn reset_forgets() {
    let rig = busy();
    rig.vtd.reset();
    let fresh = Vtd::with_engine(Features::default(), Script::default());
    assert_eq!(rig.vtd.save(), fresh.save());
    assert_eq!(rig.vtd.gate().enabled(), 0);
    assert_eq!(rig.vtd.interrupt_gate().enabled(), 0);
}

#[test]
fn of_another_unit() {
    let saved = busy().vtd.save();
    let other = Vtd::with_engine(Features { caching_mode: true, ..Features::default() }, Script::default());
    let error = other.load(&saved).unwrap_err();
    assert!(matches!(error, LoadError::Identification { register: "CAP", .. }), "{error}");
    assert!(matches!(SavedState::from_words(&[]), Err(LoadError::Version { found: 0, .. })));
}

/// Every word of a good state, bent: it loads or is refused, and what it loaded as runs.
#[test]
fn hostile_words() {
    let rig = busy();
    let words = rig.vtd.save().to_words();
    let mut refused = 0;
    for at in 0..words.len() {
        for bend in [0, u64::MAX, 1 << 63, 0xffff_ffff, 0x8000_0000, 0x8000_0000_0000_0010, 7] {
            let mut words = words.clone();
            words[at] ^= bend;
            let vtd = Vtd::with_engine(Features::default(), Script::default());
            let Ok(saved) = SavedState::from_words(&words) else {
                refused += 1;
                continue;
            };
            if vtd.load(&saved).is_err() {
                refused += 1;
                continue;
            }
            vtd.run_pending(&rig.mem);
            let _ = vtd.translate(&rig.mem, &request(0x1000), true);
            vtd.mmio_write(&rig.mem, reg::FSTS, u64::MAX, 4);
            for itag in 0..4 {
                vtd.device_tlb_late(&rig.mem, itag);
            }
            vtd.run_pending(&rig.mem);
        }
    }
    assert!(refused > words.len(), "{refused}");
    for len in 0..words.len() {
        assert!(SavedState::from_words(&words[..len]).is_err(), "{len}");
    }
    let mut longer = words.clone();
    longer.push(0);
    assert_eq!(SavedState::from_words(&longer), Err(LoadError::Trailing { count: 1 }));
}
