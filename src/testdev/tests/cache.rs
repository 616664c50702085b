// SPDX-License-Identifier: GPL-2.0-or-later
//! The translation cache from outside: its window, its size, and what an invalidation leaves of it.

use super::*;
use crate::testdev::registers::AtcFlags;

fn rig_with(config: Config) -> Rig {
    let mut rig = Rig::with(config);
    rig.write(engine(0, 0x20), 1);
    rig
}

fn rig() -> Rig {
    rig_with(Config::default())
}

/// Input addresses of a PASID's entries, with their flags, as the window shows them.
fn entries(rig: &mut Rig, pasid: Option<u32>) -> Vec<(u64, u64, u64, AtcFlags)> {
    let mut found = Vec::new();
    for index in 0..rig.read(0x200) {
        rig.write(0x208, index);
        let flags = AtcFlags::from(rig.read(0x20c));
        let space = (flags.pasid_valid() != 0).then_some(rig.read(0x228));
        if flags.valid() != 0 && space == pasid {
            let word = |at| rig.device.read(at, 8);
            found.push((word(0x210), word(0x218), word(0x220), flags));
        }
    }
    found.sort_by_key(|entry| entry.0);
    found
}

fn gone(pasid: Option<u32>, addr: u64, mask: u64) -> Invalidation {
    Invalidation { pasid, all_pasids: false, addr, mask }
}

#[test]
fn the_window_shows_what_is_cached() {
    let mut rig = rig();
    rig.port.set(SPACE, SRC, Behaviour::ReadOnly);
    rig.complete(descriptor(Opcode::Copy, SRC + 0x20, DST, 4));
    assert_eq!((rig.read(0x200), rig.read(0x204)), (64, 4));
    let output = u64::from(PASID + 1) << 32;
    let common = AtcFlags::default().with_valid(1).with_pasid_valid(1).with_read(1).with_exec(1);
    assert_eq!(
        entries(&mut rig, SPACE),
        [(SRC, output | SRC, 0xfff, common), (DST, output | DST, 0xfff, common.with_write(1))]
    );
    assert_eq!(entries(&mut rig, None).len(), 2, "ring and records");
    assert_eq!(rig.device.counters().atc_misses, 4);
    rig.complete(descriptor(Opcode::Copy, SRC + 0x20, DST, 4));
    let counters = *rig.device.counters();
    // Fetch, read, write, record, status.
    assert_eq!((counters.atc_misses, counters.atc_hits), (4, 6));

    rig.migrate(Config::default());
    assert_eq!(entries(&mut rig, SPACE).len(), 2, "translations travel");
    rig.write(0x22c, 1);
    assert_eq!((rig.read(0x204), entries(&mut rig, SPACE).len()), (0, 0));
}

#[test]
fn an_entry_that_was_looked_at_stays_in_the_window() {
    let mut rig = rig();
    rig.complete(descriptor(Opcode::Fill, 0, DST, 4));
    rig.write(0x208, 1);
    let shown = rig.device.read(0x210, 8);
    assert_ne!(rig.read(0x20c) & 1, 0);
    rig.write(0x22c, 1);
    assert_eq!(rig.device.read(0x210, 8), shown, "until the index is written again");
    rig.migrate(Config::default());
    assert_eq!((rig.read(0x208), rig.device.read(0x210, 8)), (1, shown));
    rig.write(0x208, 1);
    assert_eq!((rig.read(0x20c), rig.device.read(0x210, 8)), (0, 0));
    assert!(rig.device.write(0x208, 64, 4, &mut rig.port).mistake.is_some());
    assert!(rig.device.write(0x204, 0, 4, &mut rig.port).mistake.is_some());
}

#[test]
fn flags_of_the_request_select_the_entry() {
    let mut rig = rig();
    let crc = descriptor(Opcode::Crc32c, SRC, 0, 8);
    rig.complete(crc);
    rig.complete(Descriptor { control: crc.control.with_privileged(1), ..crc });
    rig.complete(Descriptor { control: crc.control.with_execute(1), ..crc });
    let kinds: Vec<u32> = entries(&mut rig, SPACE).iter().map(|entry| entry.3.privileged()).collect();
    assert_eq!(kinds, [0, 1], "one for each privilege");
    assert_eq!(rig.device.counters().ats_requests, 4);
}

#[test]
fn a_large_answer_is_one_entry() {
    let mut rig = rig();
    rig.port.large = 0x1f_ffff;
    rig.complete(descriptor(Opcode::Fill, 0, DST, 64 * PAGE));
    let base = DST & !0x1f_ffff;
    let found = entries(&mut rig, SPACE);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0, found[0].2), (base, 0x1f_ffff));
    rig.device.invalidate(&gone(SPACE, base + 0x20_0000, 0xfff));
    rig.device.invalidate(&gone(None, base, 0xfff));
    rig.device.invalidate(&gone(Some(6), base, u64::MAX));
    assert_eq!(entries(&mut rig, SPACE).len(), 1, "others' invalidations");
    rig.device.invalidate(&gone(SPACE, base + 0x5000, 0xfff));
    assert_eq!(entries(&mut rig, SPACE).len(), 0);
    let counters = rig.device.counters();
    assert_eq!((counters.invalidations, counters.atc_invalidated), (4, 1));
}

#[test]
fn global_translations_serve_every_pasid() {
    let mut rig = rig();
    rig.port.global = true;
    let fill = descriptor(Opcode::Fill, 0, DST, 8);
    rig.complete(fill);
    assert_eq!(entries(&mut rig, SPACE)[0].3.global(), 1);
    let requests = rig.device.counters().ats_requests;
    rig.complete(Descriptor { target: Target::from(6), ..fill });
    assert_eq!(rig.device.counters().ats_requests, requests);
    rig.device.invalidate(&Invalidation { all_pasids: true, ..gone(None, DST, 0xfff) });
    assert_eq!(entries(&mut rig, SPACE).len(), 0);
}

#[test]
fn an_answer_that_an_invalidation_overtakes_is_not_used() {
    let mut rig = rig();
    rig.complete(descriptor(Opcode::Nop, 0, 0, 0));
    let requests = rig.device.counters().ats_requests;
    rig.port.overtaking = vec![gone(SPACE, DST, 0xfff); 2];
    assert_eq!(rig.complete(descriptor(Opcode::Fill, 0, DST, 8)).status, 1);
    assert_eq!(rig.device.counters().ats_requests, requests + 3, "asked again after each");
    assert_eq!(entries(&mut rig, SPACE).len(), 1);

    rig.port.overtaking = vec![gone(SPACE, SRC, 0xfff)];
    rig.device.invalidate(&gone(SPACE, DST, 0xfff));
    let requests = rig.device.counters().ats_requests;
    assert_eq!(rig.complete(descriptor(Opcode::Fill, 0, DST, 8)).status, 1);
    assert_eq!(rig.device.counters().ats_requests, requests + 1, "another page's does not matter");

    rig.device.invalidate(&gone(SPACE, DST, 0xfff));
    rig.port.overtaking = vec![gone(SPACE, DST, 0xfff); 100];
    assert_eq!(rig.complete(descriptor(Opcode::Fill, 0, DST, 8)).cause, Cause::Refused as u32);
    rig.port.overtaking.clear();
    assert_eq!(entries(&mut rig, SPACE).len(), 0);
}

#[test]
fn sizes() {
    for (atc_entries, kept) in [(0, 0), (1, 1), (3, 3), (1024, 34)] {
        let config = Config { atc_entries, ..Config::default() };
        let mut rig = rig_with(config);
        let done = rig.complete(descriptor(Opcode::Fill, 0, DST, 32 * PAGE));
        assert_eq!((done.status, rig.read(0x200)), (1, u32::from(atc_entries)));
        assert_eq!(rig.read(0x204), kept);
        rig.migrate(config);
        assert_eq!(rig.read(0x204), kept);
        let state = rig.device.save();
        assert!(Device::new(Config { atc_entries: 2, ..config }).load(&state).is_err());
    }
    assert_eq!(Rig::with(Config { atc_entries: u16::MAX, ..Config::default() }).read(0x200), 1024);
}
