// SPDX-License-Identifier: GPL-2.0-or-later
//! Random histories: against a naive memory, and against the rules.

use proptest::prelude::*;

use super::*;

const SOURCE_PAGES: u64 = 8;
const LIST_SRC: u64 = 0x40_0000;
const LIST_DST: u64 = 0x41_0000;

#[derive(Clone, Debug)]
struct Job {
    opcode: Opcode,
    src: Vec<(u64, u64)>,
    dst: Vec<(u64, u64)>,
    operand0: u64,
    operand1: u64,
}

fn segments(base: u64, cuts: &[u64], total: u64, gap: u64) -> Vec<(u64, u64)> {
    let mut left = total;
    let mut addr = base;
    let mut out = Vec::new();
    for cut in cuts {
        let length = (*cut).min(left);
        out.push((addr, length));
        addr += length + gap;
        left -= length;
    }
    out.push((addr, left));
    out
}

fn job() -> impl Strategy<Value = Job> {
    let opcode = prop_oneof![
        Just(Opcode::Nop),
        Just(Opcode::Copy),
        Just(Opcode::Fill),
        Just(Opcode::Compare),
        Just(Opcode::Crc32c),
        Just(Opcode::CompareAndSwap),
    ];
    let cuts = prop::collection::vec(0..3000u64, 0..4);
    (opcode, 0..5000u64, 0..12_000u64, cuts.clone(), cuts, 0..300u64, any::<u64>(), any::<u64>()).prop_map(
        |(opcode, offset, total, cuts_a, cuts_b, gap, operand0, operand1)| {
            let mut job = Job {
                opcode,
                src: segments(SRC + offset, &cuts_a, total, gap),
                dst: segments(DST + offset / 3, &cuts_b, total, gap + 1),
                // Often the value that is there.
                operand0: if gap % 2 == 0 { 0 } else { operand0 },
                operand1,
            };
            if opcode == Opcode::CompareAndSwap {
                let size = if gap % 3 == 0 { 4 } else { 8 };
                job.dst = vec![(DST + (offset & !7), size)];
            }
            job
        },
    )
}

/// The same work on the memory, byte by byte; RESULT, BYTES and STATUS.
fn naive(job: &Job, port: &mut FakePort) -> (u64, u64, u32) {
    let flat = |side: &[(u64, u64)]| -> Vec<u64> {
        side.iter().flat_map(|(addr, length)| *addr..addr + length).collect()
    };
    let (src, dst) = (flat(&job.src), flat(&job.dst));
    let total = src.len().max(dst.len()) as u64;
    match job.opcode {
        Opcode::Nop => (0, 0, 1),
        Opcode::Copy => {
            for (from, to) in src.iter().zip(&dst) {
                let byte = port.peek(SPACE, *from, 1);
                port.poke(SPACE, *to, &byte);
            }
            (0, total, 1)
        }
        Opcode::Fill => {
            for (to, byte) in dst.iter().zip(job.operand0.to_le_bytes().iter().cycle()) {
                port.poke(SPACE, *to, &[*byte]);
            }
            (0, dst.len() as u64, 1)
        }
        Opcode::Compare => {
            let differs = |(a, b): (&u64, &u64)| port.peek(SPACE, *a, 1) != port.peek(SPACE, *b, 1);
            match src.iter().zip(&dst).position(differs) {
                Some(at) => (at as u64, at as u64, 2),
                None => (u64::MAX, total, 1),
            }
        }
        Opcode::Crc32c => {
            let data: Vec<u8> = src.iter().flat_map(|addr| port.peek(SPACE, *addr, 1)).collect();
            (u64::from(crc32c::crc32c(&data)), src.len() as u64, 1)
        }
        Opcode::CompareAndSwap => {
            let (addr, size) = job.dst[0];
            let mut word = [0; 8];
            word[..size as usize].copy_from_slice(&port.peek(SPACE, addr, size as usize));
            let found = u64::from_le_bytes(word);
            let mask = if size == 4 { 0xffff_ffff } else { u64::MAX };
            if found != job.operand0 & mask {
                return (found, 0, 2);
            }
            port.poke(SPACE, addr, &job.operand1.to_le_bytes()[..size as usize]);
            (found, size, 1)
        }
    }
}

fn offer(rig: &mut Rig, number: u64, job: &Job, src_list: bool, dst_list: bool) -> u32 {
    // Lists are read when the descriptor is; each has its own.
    let slot = (number * 16 + u64::from(rig.tails[number as usize] % 16)) * 256;
    let total: u64 = job.src.iter().chain(&job.dst).map(|(_, length)| length).sum::<u64>() / 2;
    let has_src = job.opcode.has_source();
    let has_dst = job.opcode.has_destination() && job.opcode != Opcode::CompareAndSwap;
    let src_list = has_src && (src_list || job.src.len() > 1);
    let dst_list = has_dst && (dst_list || job.dst.len() > 1);
    let entries = job.src.len().max(job.dst.len());
    let mut padded = |base: u64, side: &[(u64, u64)]| {
        let mut side = side.to_vec();
        side.resize(entries, (0, 0));
        rig.port.poke(SPACE, base + slot, &list(&side));
        base + slot
    };
    let src = if src_list { padded(LIST_SRC, &job.src) } else { job.src[0].0 };
    let dst = if dst_list { padded(LIST_DST, &job.dst) } else { job.dst[0].0 };
    let length = if job.opcode == Opcode::CompareAndSwap { job.dst[0].1 } else { total };
    let base = descriptor(job.opcode, src, dst, length);
    let control = base.control.with_src_list(u32::from(src_list)).with_dst_list(u32::from(dst_list));
    let target = base.target.with_list_entries(entries as u32);
    let (operand0, operand1) = (job.operand0, job.operand1);
    rig.offer(number, Descriptor { control, target, operand0, operand1, ..base })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever faults on the way and whenever the device migrates, the memory ends up as if nothing had.
    #[test]
    fn as_a_naive_memory(
        jobs in prop::collection::vec((job(), any::<bool>(), any::<bool>()), 1..8),
        faulty in prop::collection::hash_set(0..24u64, 0..12),
        mode in 0..2u32,
        prefetch in prop_oneof![Just(1u32), Just(4), Just(0x8000_0004)],
        atc_entries in prop_oneof![Just(0u16), Just(3), Just(64)],
        allowance in 1..6u32,
        migrate in any::<u16>(),
        burst in prop_oneof![Just(4096u32), Just(65536)],
    ) {
        let config = Config { atc_entries, ..Config::default() };
        let mut rig = Rig::with(config);
        rig.port.allowance = allowance;
        rig.write(engine(0, 0x20), mode);
        rig.write(engine(0, 0x30), burst);
        rig.write(engine(0, 0x38), prefetch);
        rig.port.poke(SPACE, SRC, &pattern((SOURCE_PAGES * PAGE) as usize));
        rig.port.poke(SPACE, DST, &pattern(5000));
        for (n, page) in faulty.iter().enumerate() {
            let addr = match page {
                0..8 => SRC + page * PAGE,
                8..16 => DST + (page - 8) * PAGE,
                16 => LIST_SRC,
                17 => LIST_DST,
                _ => continue,
            };
            let behaviour = if n % 3 == 0 { Behaviour::ReadOnly } else { Behaviour::Stall };
            rig.port.set(SPACE, addr, behaviour);
        }
        let mut expected = rig.port.clone();
        let offered: Vec<_> =
            jobs.iter().map(|(job, a, b)| offer(&mut rig, 0, job, *a, *b)).collect();
        let results: Vec<_> = jobs.iter().map(|(job, ..)| naive(job, &mut expected)).collect();
        for round in 0..2000u32 {
            let more = rig.tick();
            if (u32::from(migrate) >> (round % 16)) & 1 != 0 {
                rig.migrate(config);
            }
            if let Some((_, request)) = rig.port.waiting.first_key_value() {
                let (tag, addr) = (request.tag, request.addr);
                rig.port.clear(SPACE, addr);
                rig.answer(tag, true);
            } else if let Some(requests) = rig.port.page_requests.values().next().cloned() {
                requests.iter().for_each(|request| rig.port.clear(SPACE, request.addr));
                rig.respond(PageResponse::Success);
            } else if !more {
                break;
            }
        }
        rig.check_counters();
        for ((index, (result, bytes, status)), job) in offered.iter().zip(results).zip(&jobs) {
            let done = rig.record(0, *index);
            prop_assert_eq!(
                done, Some(Done { status, cause: 0, result, fault_addr: 0, bytes }), "{:?}", job);
        }
        let length = (SOURCE_PAGES * PAGE) as usize;
        prop_assert!(rig.port.peek(SPACE, DST, length) == expected.peek(SPACE, DST, length));
    }
}

#[derive(Clone, Debug)]
enum Deed {
    Write(u64, u32),
    Offer(u64, Job, u32),
    Garbage(u64, [u64; 8]),
    Tick,
    Answer(usize, bool),
    Respond(u8),
    Page(u64, bool),
    Invalidate(u64, u64),
    Overtake(u64),
    Send(u32, u64, u32),
    Migrate,
    Lost,
}

fn deed() -> impl Strategy<Value = Deed> {
    let register = prop_oneof![
        Just(0x0cu64),
        Just(0x10),
        Just(0x14),
        Just(0x18),
        Just(0x1c),
        (0x80..0x9au64).prop_map(|register| register * 4),
        (0..4u64, 0..16u64).prop_map(|(number, register)| engine(number, register * 4)),
    ];
    let value = prop_oneof![
        0..4u32,
        Just(0x8000_0005u32),
        Just(0x8000_0006),
        Just(0xc000_0000),
        Just(0xa000_0000),
        Just(0x9000_0005),
        any::<u32>(),
    ];
    prop_oneof![
        2 => (register, value).prop_map(|(register, value)| Deed::Write(register, value)),
        4 => (0..4u64, job(), 4..8u32).prop_map(|(number, job, pasid)| Deed::Offer(number, job, pasid)),
        1 => (0..4u64, any::<[u64; 8]>()).prop_map(|(number, words)| Deed::Garbage(number, words)),
        6 => Just(Deed::Tick),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, retry)| Deed::Answer(which, retry)),
        2 => (0..3u8).prop_map(Deed::Respond),
        3 => (0..16u64, any::<bool>()).prop_map(|(page, there)| Deed::Page(page, there)),
        2 => (0..16u64, 0..4u64).prop_map(|(page, size)| Deed::Invalidate(page, size)),
        1 => (0..16u64).prop_map(Deed::Overtake),
        2 => (0..8u32, 0..16u64, any::<u32>()).prop_map(|(pasid, page, bits)| Deed::Send(pasid, page, bits)),
        1 => Just(Deed::Migrate),
        1 => Just(Deed::Lost),
    ]
}

fn page_addr(page: u64) -> u64 {
    if page < 8 { SRC + page * PAGE } else { DST + (page - 8) * PAGE }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever software does: both sides agree on what waits, a halted PASID sees no access, and the state
    /// survives a migration at any time.
    #[test]
    fn rules_hold(deeds in prop::collection::vec(deed(), 1..150)) {
        let mut rig = Rig::new();
        for number in 0..4 {
            let ring = if number == 3 { SPACE } else { None };
            rig.start(number, ring);
            rig.write(engine(number, 0x20), u32::from(number >= 2));
            rig.write(engine(number, 0x38), if number == 2 { 0x8000_0003 } else { 4 });
        }
        for deed in deeds {
            rig.port.log.clear();
            match deed {
                // By hand, software may send what it should not.
                Deed::Write(offset, value) => {
                    rig.port.forced = true;
                    rig.write(offset, value);
                    rig.port.forced = false;
                }
                Deed::Send(pasid, page, bits) => {
                    rig.write(0x248, if pasid < 4 { 0 } else { pasid | 1 << 31 });
                    rig.write64(0x240, page_addr(page));
                    rig.port.forced = true;
                    // Indices that engines use too.
                    rig.write(0x24c, (bits & 0x7e03) | 1 << 31);
                    rig.port.forced = false;
                }
                Deed::Offer(number, job, pasid) => {
                    let index = offer(&mut rig, number, &job, false, false);
                    let slot = Rig::ring_of(number) + u64::from(index % 16) * 64;
                    let space = rig.ring_space(number);
                    let bytes: [u8; 64] = rig.port.peek(space, slot, 64).try_into().unwrap();
                    let mut descriptor = Descriptor::from_bytes(&bytes);
                    descriptor.target = descriptor.target.with_pasid(pasid);
                    rig.port.poke(space, slot, &descriptor.to_bytes());
                }
                Deed::Garbage(number, words) => {
                    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                    let mut descriptor = Descriptor::from_bytes(&bytes.try_into().unwrap());
                    descriptor.control = DescriptorControl::from(descriptor.control.bits() & 0x3f07);
                    descriptor.src &= 0xffff_fff8;
                    descriptor.dst &= 0xffff_fff8;
                    descriptor.length &= 0xffff;
                    descriptor.completion &= 0xffff_fff8;
                    rig.offer_as_is(number, descriptor);
                }
                Deed::Tick => drop(rig.tick()),
                Deed::Answer(which, retry) => {
                    let tags: Vec<u64> = rig.port.waiting.keys().copied().collect();
                    if !tags.is_empty() {
                        rig.answer(tags[which % tags.len()], retry);
                    }
                }
                Deed::Respond(how) if !rig.port.page_requests.is_empty() => rig.respond(match how {
                    0 => PageResponse::Success,
                    1 => PageResponse::Invalid,
                    _ => PageResponse::Failure,
                }),
                Deed::Respond(_) => {}
                Deed::Page(page, there) => for pasid in 4..8 {
                    if there {
                        rig.port.clear(Some(pasid), page_addr(page));
                    } else {
                        rig.port.set(Some(pasid), page_addr(page), Behaviour::Stall);
                    }
                },
                Deed::Invalidate(page, size) => {
                    let (addr, mask) = (page_addr(page), (PAGE << size) - 1);
                    rig.device.invalidate(&Invalidation { pasid: SPACE, addr, mask, ..Default::default() });
                    for (_, entry) in rig.device.shared.cache.used() {
                        let input = entry.translation.input;
                        prop_assert!(entry.pasid != SPACE || input & !mask != addr & !mask);
                    }
                }
                Deed::Overtake(page) => rig.port.overtaking.push(Invalidation {
                    pasid: SPACE,
                    addr: page_addr(page),
                    mask: 0xfff,
                    ..Default::default()
                }),
                Deed::Migrate => rig.migrate(Config::default()),
                Deed::Lost => {
                    rig.port.page_requests.clear();
                    rig.port.open_groups.clear();
                    rig.device.page_requests_lost(&mut rig.port);
                }
            }
            rig.check_counters();
            prop_assert_eq!(
                rig.device.page_groups_outstanding() as usize, rig.port.page_requests.len());
            let requests: usize = rig.port.page_requests.values().map(Vec::len).sum();
            prop_assert_eq!(rig.device.shared.groups.requests() as usize, requests);
            // A PASID that is halted after the deed was either halted in it, by its last access, or saw none.
            for (pasid, _) in rig.device.waiting() {
                prop_assert!(pasid.is_none_or(|pasid| !rig.device.shared.halted.contains(pasid)));
            }
        }
        // From here on, a halted PASID sees nothing at all.
        rig.port.log.clear();
        rig.port.behaviour.clear();
        for tag in rig.port.waiting.keys().copied().collect::<Vec<_>>() {
            rig.answer(tag, true);
        }
        rig.run();
        for (request, _) in &rig.port.log {
            prop_assert!(request.pasid.is_none_or(|pasid| !rig.device.shared.halted.contains(pasid)));
        }
    }
}
