// SPDX-License-Identifier: GPL-2.0-or-later
//! Every opcode, with and without scatter lists.

use super::*;

const OK: u32 = 1;
const MISMATCH: u32 = 2;

#[test]
fn nop_gives_a_record_and_the_cookie() {
    let mut rig = Rig::new();
    let done = rig.complete(descriptor(Opcode::Nop, 0, 0, u64::MAX));
    assert_eq!(done, Done { status: OK, cause: 0, result: 0, fault_addr: 0, bytes: 0 });
    assert_eq!(rig.port.peek(None, Rig::record_addr(0, 0) + 0x18, 8), 0xc00c1eu64.to_le_bytes());
    assert_eq!(rig.head(0), 1);
    assert_eq!(rig.device.counters().completions, 1);
    // STATUS is written by itself, last.
    let (last, length) = rig.port.log.last().unwrap();
    assert_eq!((last.addr, *length), (Rig::record_addr(0, 0) + 0x24, 4));
}

#[test]
fn copy_across_pages_at_odd_addresses() {
    let mut rig = Rig::new();
    let data = pattern(20_000);
    rig.port.poke(SPACE, SRC + 123, &data);
    let done = rig.complete(descriptor(Opcode::Copy, SRC + 123, DST + 4000, 20_000));
    assert_eq!(done, Done { status: OK, cause: 0, result: 0, fault_addr: 0, bytes: 20_000 });
    assert_eq!(rig.port.peek(SPACE, DST + 4000, 20_000), data);
    assert_eq!(rig.port.peek(SPACE, DST + 3999, 1), [0]);
    assert_eq!(rig.port.peek(SPACE, DST + 24_000, 1), [0]);
    assert_eq!(rig.port.peek(None, DST + 4000, 1), [0], "nothing outside the PASID");
}

#[test]
fn empty_ranges_are_done_at_once() {
    let mut rig = Rig::new();
    assert_eq!(rig.complete(descriptor(Opcode::Copy, SRC, DST, 0)).status, OK);
    assert_eq!(rig.complete(descriptor(Opcode::Compare, SRC, DST, 0)).result, u64::MAX);
    assert_eq!(rig.complete(descriptor(Opcode::Crc32c, SRC, DST, 0)).result, 0);
}

#[test]
fn fill_keeps_the_pattern_in_step() {
    let mut rig = Rig::new();
    let fill = Descriptor { operand0: 0x0807_0605_0403_0201, ..descriptor(Opcode::Fill, 0, DST + 4093, 13) };
    assert_eq!(rig.complete(fill).bytes, 13);
    assert_eq!(rig.port.peek(SPACE, DST + 4093, 13), [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5]);
}

#[test]
fn compare_finds_the_first_difference() {
    let mut rig = Rig::new();
    let data = pattern(10_000);
    rig.port.poke(SPACE, SRC + 1, &data);
    rig.port.poke(SPACE, DST + 2, &data);
    let compare = descriptor(Opcode::Compare, SRC + 1, DST + 2, 10_000);
    let same = rig.complete(compare);
    assert_eq!((same.status, same.result, same.bytes), (OK, u64::MAX, 10_000));
    rig.port.poke(SPACE, DST + 2 + 7777, &[!data[7777]]);
    let differs = rig.complete(compare);
    assert_eq!((differs.status, differs.result, differs.bytes), (MISMATCH, 7777, 7777));
}

#[test]
fn crc32c() {
    let mut rig = Rig::new();
    // The check value of the CRC catalogue, and a vector of RFC 3720 B.4.
    rig.port.poke(SPACE, SRC + 4092, b"123456789");
    assert_eq!(rig.complete(descriptor(Opcode::Crc32c, SRC + 4092, 0, 9)).result, 0xe306_9283);
    rig.port.poke(SPACE, SRC + 4080, &[0; 32]);
    assert_eq!(rig.complete(descriptor(Opcode::Crc32c, SRC + 4080, 0, 32)).result, 0x8a91_36aa);
}

#[test]
fn compare_and_swap() {
    let mut rig = Rig::new();
    rig.port.poke(SPACE, DST, &[1, 2, 3, 4, 5, 6, 7, 8]);
    let wide = Descriptor {
        operand0: 0x0807_0605_0403_0201,
        operand1: 0x1111_1111_1111_1111,
        ..descriptor(Opcode::CompareAndSwap, 0, DST, 8)
    };
    let done = rig.complete(wide);
    assert_eq!((done.status, done.result, done.bytes), (OK, 0x0807_0605_0403_0201, 8));
    let done = rig.complete(wide);
    assert_eq!((done.status, done.result, done.bytes), (MISMATCH, 0x1111_1111_1111_1111, 0));
    // 32 bits: the upper halves of the operands do not count.
    let narrow = Descriptor {
        operand0: 0xffff_ffff_1111_1111,
        operand1: 0xffff_ffff_2222_2222,
        ..descriptor(Opcode::CompareAndSwap, 0, DST + 4, 4)
    };
    let done = rig.complete(narrow);
    assert_eq!((done.status, done.result, done.bytes), (OK, 0x1111_1111, 4));
    assert_eq!(rig.port.peek(SPACE, DST, 8), 0x2222_2222_1111_1111u64.to_le_bytes());
}

#[test]
fn lists_on_either_side_and_both() {
    let mut rig = Rig::new();
    let data = pattern(6000);
    let (src_list, dst_list) = (0x40_0ff8, 0x41_0000);
    rig.port.poke(SPACE, SRC, &data[..5000]);
    rig.port.poke(SPACE, SRC + 0x8000, &data[5000..]);
    rig.port.poke(SPACE, src_list, &list(&[(SRC, 5000), (0, 0), (SRC + 0x8000, 1000)]));
    rig.port.poke(SPACE, dst_list, &list(&[(DST + 1, 1), (DST + 0x3000, 4999), (DST + 0x6000, 1000)]));
    let base = descriptor(Opcode::Copy, src_list, DST + 0x10000, 1);
    let entries = Target::from(PASID).with_list_entries(3);

    let gather = Descriptor { control: base.control.with_src_list(1), target: entries, ..base };
    assert_eq!(rig.complete(gather).bytes, 6000);
    assert_eq!(rig.port.peek(SPACE, DST + 0x10000, 6000), data);

    let both = Descriptor { control: gather.control.with_dst_list(1), dst: dst_list, ..gather };
    assert_eq!(rig.complete(both).bytes, 6000);
    assert_eq!(rig.port.peek(SPACE, DST + 1, 1), data[..1]);
    assert_eq!(rig.port.peek(SPACE, DST + 0x3000, 4999), data[1..5000]);
    assert_eq!(rig.port.peek(SPACE, DST + 0x6000, 1000), data[5000..]);

    let crc = Descriptor { control: control(Opcode::Crc32c).with_src_list(1), ..gather };
    assert_eq!(rig.complete(crc).result, u64::from(crc32c::crc32c(&data)));

    let compare =
        Descriptor { control: control(Opcode::Compare).with_dst_list(1), src: DST + 0x10000, ..both };
    assert_eq!(rig.complete(compare).result, u64::MAX);

    let fill = Descriptor { control: control(Opcode::Fill).with_dst_list(1), operand0: !0, ..both };
    assert_eq!(rig.complete(fill).bytes, 6000);
    assert_eq!(rig.port.peek(SPACE, DST + 0x6000, 1000), vec![0xff; 1000]);
}

#[test]
fn totals_of_two_lists_must_agree() {
    let mut rig = Rig::new();
    rig.port.poke(SPACE, 0x40_0000, &list(&[(SRC, 5000)]));
    rig.port.poke(SPACE, 0x41_0000, &list(&[(DST, 5001)]));
    let copy = descriptor(Opcode::Copy, 0x40_0000, 0x41_0000, 0);
    let control = copy.control.with_src_list(1).with_dst_list(1);
    let done = rig.complete(Descriptor { control, target: copy.target.with_list_entries(1), ..copy });
    assert_eq!((done.status, done.cause, done.bytes), (5, Cause::BadDescriptor as u32, 0));
}

#[test]
fn flags_reach_the_port() {
    let mut rig = Rig::new();
    let copy = descriptor(Opcode::Copy, SRC, DST, 4);
    rig.complete(Descriptor { control: copy.control.with_privileged(1).with_execute(1), ..copy });
    let access = |addr: u64| rig.port.log.iter().find(|(r, _)| r.addr == addr).unwrap().0.access;
    assert!(access(SRC).privileged && access(SRC).exec);
    assert!(access(DST).privileged && !access(DST).exec);
    assert!(!access(RING).privileged && !access(RING).exec);
}

#[test]
fn no_pasid_means_none() {
    let mut rig = Rig::new();
    rig.port.poke(None, SRC, b"plain");
    let copy = descriptor(Opcode::Copy, SRC, DST, 5);
    rig.complete(Descriptor { control: copy.control.with_pasid_valid(0), ..copy });
    assert_eq!(rig.port.peek(None, DST, 5), b"plain");
    assert!(rig.port.log.iter().all(|(request, _)| request.pasid.is_none()));
}

#[test]
fn the_ring_wraps_and_may_be_in_a_pasid() {
    let mut rig = Rig::new();
    rig.start(0, Some(9));
    for i in 0..40u32 {
        let fill =
            Descriptor { operand0: u64::from(i), ..descriptor(Opcode::Fill, 0, DST + 8 * u64::from(i), 8) };
        assert_eq!(rig.complete(fill).status, OK);
    }
    assert_eq!(rig.head(0), 40);
    assert_eq!(rig.port.peek(SPACE, DST + 8 * 39, 1), [39]);
    assert!(rig.port.log.iter().all(|(request, _)| request.pasid.is_some()));
}

#[test]
fn a_record_may_cross_a_page() {
    let mut rig = Rig::new();
    let completion = 0x50_0ff0;
    rig.offer_as_is(0, Descriptor { completion, ..descriptor(Opcode::Nop, 0, 0, 0) });
    rig.run();
    assert_eq!(rig.port.peek(None, completion + 0x24, 4), OK.to_le_bytes());
    assert_eq!(rig.port.peek(None, completion + 0x18, 4), 0xc00c1eu32.to_le_bytes());
    assert_eq!(rig.device.counters().dma_writes, 3);
}

#[test]
fn a_tick_moves_no_more_than_burst() {
    let mut rig = Rig::new();
    rig.write(engine(0, 0x30), 4096);
    rig.port.poke(SPACE, SRC, &pattern(100_000));
    rig.offer(0, descriptor(Opcode::Copy, SRC + 17, DST + 33, 90_000));
    let mut ticks = 0;
    loop {
        let before = rig.device.counters().bytes_written;
        let more = rig.device.tick(&mut rig.port).more;
        assert!(rig.device.counters().bytes_written - before <= 4096 + 40);
        ticks += 1;
        if !more {
            break;
        }
    }
    assert!(ticks >= 90_000 / 4096, "{ticks}");
    assert_eq!(rig.record(0, 0).unwrap().bytes, 90_000);
}

#[test]
fn a_tick_takes_bounded_steps_over_tiny_pieces() {
    let mut rig = Rig::new();
    let entries: Vec<_> = (0..128u64).map(|i| (DST + 2 * i, 1)).collect();
    rig.port.poke(SPACE, 0x41_0000, &list(&entries));
    let fill = descriptor(Opcode::Fill, 0, 0x41_0000, 0);
    let fill = Descriptor {
        control: fill.control.with_dst_list(1),
        target: fill.target.with_list_entries(128),
        ..fill
    };
    for _ in 0..16 {
        rig.offer(0, fill);
    }
    assert!(rig.device.tick(&mut rig.port).more);
    assert!(rig.port.log.len() <= 1024);
    rig.run();
    assert_eq!(rig.head(0), 16);
}

#[test]
fn engines_share_a_tick() {
    let mut rig = Rig::new();
    for number in 0..4 {
        rig.start(number, None);
        rig.offer(number, descriptor(Opcode::Copy, SRC, DST + number * 0x100_0000, 1 << 20));
    }
    assert!(rig.device.tick(&mut rig.port).more);
    for number in 0..4 {
        let at = DST + number * 0x100_0000;
        assert!(rig.port.log.iter().any(|(request, _)| request.addr == at), "engine {number}");
    }
    rig.run();
    assert!((0..4).all(|number| rig.record(number, 0).unwrap().bytes == 1 << 20));
}

#[test]
fn engines_off() {
    let mut rig = Rig::with(Config { engines_off: true, ..Config::default() });
    rig.offer(0, descriptor(Opcode::Nop, 0, 0, 0));
    rig.run();
    assert_eq!(rig.status(0) & 1, 1);
    assert_eq!((rig.head(0), rig.record(0, 0)), (0, None));
}
