// SPDX-License-Identifier: GPL-2.0-or-later
//! Every descriptor that Linux builds, as its macros (`QI_*`) build it, and every reserved bit.

use super::*;

fn decode(words: [u64; 4]) -> Result<Command, Illegal> {
    Command::decode(&Features::default(), true, words)
}

fn invalidates(words: [u64; 2], what: Invalidation) {
    let [first, second] = words;
    assert_eq!(decode([first, second, 0, 0]), Ok(Command::Invalidate(what)), "{first:#x} {second:#x}");
}

#[test]
fn contexts_and_pasids() {
    invalidates([1 << 4 | 1, 0], Invalidation::ContextGlobal);
    invalidates([0x55 << 16 | 2 << 4 | 1, 0], Invalidation::ContextDomain { did: 0x55 });
    let device = 3 << 48 | 0x1234 << 32 | 0x55 << 16 | 3 << 4 | 1;
    invalidates([device, 0], Invalidation::ContextDevice { sid: 0x1234, function_mask: 3 });
    invalidates([0x55 << 16 | 7, 0], Invalidation::PasidDomain { did: 0x55 });
    let one = 0xabcde << 32 | 0x55 << 16 | 1 << 4 | 7;
    invalidates([one, 0], Invalidation::Pasid { did: 0x55, pasid: 0xabcde });
    invalidates([3 << 4 | 7, 0], Invalidation::PasidGlobal);
}

#[test]
fn translations() {
    // Linux drains reads and writes.
    invalidates([0b11 << 6 | 1 << 4 | 2, 0], Invalidation::IotlbGlobal);
    invalidates([0x55 << 16 | 0b11 << 6 | 2 << 4 | 2, 0], Invalidation::IotlbDomain { did: 0x55 });
    let pages = |address_mask, leaf| Invalidation::IotlbPages { did: 0x55, addr: 0x7000, address_mask, leaf };
    for am in 0..64 {
        invalidates([0x55 << 16 | 3 << 4 | 2, 0x7000 | am], pages(am as u8, false));
        invalidates([0x55 << 16 | 3 << 4 | 2, 0x7000 | 1 << 6 | am], pages(am as u8, true));
    }
    invalidates([5 << 32 | 1 << 16 | 2 << 4 | 6, 0], Invalidation::PasidIotlbAll { did: 1, pasid: 5 });
    for am in 0..64 {
        let what = Invalidation::PasidIotlbPages {
            did: 1,
            pasid: 5,
            addr: 0xffff_ffff_8000_0000,
            address_mask: am as u8,
            leaf: true,
        };
        invalidates([5 << 32 | 1 << 16 | 3 << 4 | 6, 0xffff_ffff_8000_0000 | 1 << 6 | am], what);
    }
}

#[test]
fn device_tlbs() {
    let plain = |second, addr, mask| {
        let expected = Command::DeviceTlb(AtsInvalidation {
            stream: 0x1234,
            substream: None,
            global: false,
            addr,
            mask,
        });
        assert_eq!(decode([0x1234 << 32 | 32 << 15 | 3, second, 0, 0]), Ok(expected), "{second:#x}");
    };
    plain(0x5000, 0x5000, 0xfff);
    plain(0x5001, 0x4000, 0x3fff);
    plain(0x4001, 0x4000, 0x1fff);
    plain(0x1f_f001, 0, 0x3f_ffff);
    plain(0x7fff_ffff_ffff_f001, 0, u64::MAX);
    plain(0xffff_ffff_ffff_f001, 0, u64::MAX);
    let with_pasid = |second, addr, mask| {
        let expected = Command::DeviceTlb(AtsInvalidation {
            stream: 0x1234,
            substream: Some(0xabcde),
            global: second & 1 != 0,
            addr,
            mask,
        });
        assert_eq!(decode([0xabcde << 32 | 0x1234 << 16 | 31 << 4 | 8, second, 0, 0]), Ok(expected));
    };
    with_pasid(0x5000, 0x5000, 0xfff);
    with_pasid(0x5001, 0x5000, 0xfff);
    with_pasid(0x5000 | 1 << 11, 0x4000, 0x3fff);
    // QI_DEV_EIOTLB_SIZE with all of the address.
    with_pasid(0x7fff_ffff_ffff_f800, 0, u64::MAX);
}

#[test]
fn waits() {
    let status = Some((0x1234_5678, 2));
    for (flags, status, interrupt) in [
        (1 << 5, status, false),
        (0b11 << 5, status, false),
        (0b1011 << 4, status, true),
        (1 << 6, None, false),
    ] {
        let drain = flags & 1 << 7 != 0;
        let expected = Command::Wait(Wait { status, interrupt, drain });
        assert_eq!(decode([2 << 32 | flags | 5, 0x1234_5678, 0, 0]), Ok(expected), "{flags:#x}");
    }
    assert_eq!(decode([5, 0, 0, 0]), Err(Illegal(iqei::RESERVED)), "waits for nothing");
    let without = Features { page_requests: false, ..Features::default() };
    let drain = [1 << 7 | 1 << 5 | 5, 0, 0, 0];
    assert!(decode(drain).is_ok());
    assert_eq!(Command::decode(&without, true, drain), Err(Illegal(iqei::RESERVED)));
}

/// A status is not written to another address than the descriptor's.
#[test]
fn where_a_status_cannot_be_written() {
    for aw_bits in [39, 48, 57] {
        let f = Features { aw_bits, ..Features::default() };
        for flags in [1 << 5, 0b11 << 5, 0b11 << 4] {
            let with = |addr: u64| Command::decode(&f, true, [2 << 32 | flags | 5, addr, 0, 0]);
            for bit in 2..64 {
                let found = with(1 << bit);
                assert_eq!(
                    found.is_ok(),
                    bit < f.host_bits().into(),
                    "{aw_bits} {flags:#x} bit {bit}: {found:?}"
                );
            }
            for addr in [0xfee0_0000, 0xfeef_fffc] {
                assert_eq!(with(addr), Err(Illegal(iqei::RESERVED)), "an interrupt that nothing remaps");
            }
            assert!(with(0xfedf_fffc).is_ok() && with(0xfef0_0000).is_ok());
        }
        // Without a status there is no address.
        assert!(Command::decode(&f, true, [1 << 6 | 5, 0xfee0_0000, 0, 0]).is_ok());
    }
}

/// Bits that a legal descriptor of each type may have; setting any other is an error.
#[test]
fn every_reserved_bit() {
    let legal: [(u64, [u64; 2]); 9] = [
        (1 << 4 | 1, [0x0003_ffff_ffff_0e3f, 0]),
        (1 << 4 | 2, [0xffff_0eff, !0xf80]),
        (3, [0xfff0_ffff_001f_fe0f, !0xffe]),
        (4, [0x0000_ffff_f800_0e1f, 0]),
        (1 << 5 | 5, [0xffff_ffff_0000_0eff, 0x0000_ffff_ffff_fffc]),
        (2 << 4 | 6, [0x000f_ffff_ffff_0e3f, !0xf80]),
        (7, [0x000f_ffff_ffff_0e3f, 0]),
        (8, [0xffff_ffff_ffff_ffff, !0x7fe]),
        (9, [0x000f_ffff_ffff_fe3f, 0xffc]),
    ];
    for (first, [low, high]) in legal {
        assert!(decode([first, 0, 0, 0]).is_ok(), "{first:#x}");
        for bit in 0..64 {
            if low >> bit & 1 == 0 {
                let found = decode([first | 1 << bit, 0, 0, 0]);
                assert_eq!(found, Err(Illegal(iqei::RESERVED)), "{first:#x} bit {bit}");
            }
            let found = decode([first, 1 << bit, 0, 0]).is_ok();
            assert_eq!(found, high >> bit & 1 != 0, "{first:#x} bit {}", bit + 64);
            for rest in [[1 << bit, 0], [0, 1 << bit]] {
                let found = decode([first, 0, rest[0], rest[1]]).is_ok();
                assert_eq!(found, first & 0xf == 9, "private data: {first:#x} {rest:x?}");
            }
        }
    }
}

/// Without the capability the physical function's name is reserved.
#[test]
fn the_physical_function_of_a_virtual_one() {
    let without = Features { device_tlb_throttling: false, ..Features::default() };
    for kind in [3, 8] {
        let plain = decode([kind, 0x5000, 0, 0]).unwrap();
        for bit in (12..16).chain(52..64) {
            let words = [kind | 1 << bit, 0x5000, 0, 0];
            assert_eq!(decode(words), Ok(plain), "bit {bit} changes nothing but the throttling");
            assert_eq!(Command::decode(&without, true, words), Err(Illegal(iqei::RESERVED)), "bit {bit}");
        }
        assert_eq!(Command::decode(&without, true, [kind, 0x5000, 0, 0]), Ok(plain));
    }
}

#[test]
fn types_of_what_is_not_there() {
    let exists = |f: Features, kind: u64| {
        let flags = if kind == 5 {
            1 << 5
        } else if matches!(kind, 1 | 2) {
            1 << 4
        } else if kind == 6 {
            2 << 4
        } else {
            0
        };
        let found = Command::decode(&f, true, [flags | kind, 0, 0, 0]);
        assert!(found.is_ok() || found == Err(Illegal(iqei::TYPE)), "{kind}");
        found.is_ok()
    };
    let all = Features::default();
    let kinds = |f: Features| (0..16).filter(|kind| exists(f, *kind)).collect::<Vec<_>>();
    assert_eq!(kinds(all), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(kinds(Features { device_tlb: false, ..all }.consistent()), [1, 2, 4, 5, 6, 7]);
    assert_eq!(kinds(Features { interrupt_remapping: false, ..all }.consistent()), [1, 2, 3, 5, 6, 7, 8, 9]);
    assert_eq!(kinds(Features { scalable: false, ..all }.consistent()), [1, 2, 3, 4, 5]);
    for high in 1..8u64 {
        assert_eq!(decode([high << 9 | 1 << 4 | 1, 0, 0, 0]), Err(Illegal(iqei::TYPE)));
    }
    for kind in [6, 7, 8, 9] {
        assert_eq!(Command::decode(&all, false, [2 << 4 | kind, 0, 0, 0]), Err(Illegal(iqei::WIDTH)));
    }
}
