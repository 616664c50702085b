// SPDX-License-Identifier: GPL-2.0-or-later
use super::*;
use crate::smmuv3::leniency::Leniency;

fn decode(first: u64, second: u64) -> Result<Command, Illegal> {
    Command::decode(&Features::default(), false, [first, second])
}

const SID: u64 = 0x1234 << 32;
const EL1: Regime = Regime::El1 { vmid: 0 };

fn in_vm(vmid: u16) -> Regime {
    Regime::El1 { vmid }
}

/// Every opcode that the default features make legal, with what it decodes to from otherwise empty words.
fn legal() -> Vec<(u8, Command)> {
    use Command::{Configuration, Nothing, StallTerm, Sync, Translations};
    vec![
        (op::PREFETCH_CONFIG, Nothing),
        (op::PREFETCH_ADDR, Nothing),
        (op::CFGI_STE, Configuration(Invalidation::Ste { sid: 0 })),
        (op::CFGI_STE_RANGE, Configuration(Invalidation::SteRange { first: 0, last: 1 })),
        (op::CFGI_CD, Configuration(Invalidation::Cd { sid: 0, ssid: 0 })),
        (op::CFGI_CD_ALL, Configuration(Invalidation::CdAll { sid: 0 })),
        (op::TLBI_NH_ALL, Translations(Invalidation::FirstStage { regime: EL1 })),
        (op::TLBI_NH_ASID, Translations(Invalidation::Asid { regime: EL1, asid: 0 })),
        (op::TLBI_NH_VA, va(Some(0), 0, 4096, None, None)),
        (op::TLBI_NH_VAA, va(None, 0, 4096, None, None)),
        (op::TLBI_S12_VMALL, Translations(Invalidation::Vmid { vmid: 0 })),
        (op::TLBI_S2_IPA, ipa(0, 0, 4096, None, None)),
        (op::TLBI_NSNH_ALL, Translations(Invalidation::NsnhAll)),
        (op::ATC_INV, Command::AtsInvalidate(atc_inv(0, None, 0, 0xfff))),
        (
            op::PRI_RESP,
            Command::PageResponse { stream: 0, substream: None, group: 0, code: PageResponseCode::Failure },
        ),
        (op::RESUME, Command::Resume { stream: 0, stag: 0, action: Resume::Terminate }),
        (op::STALL_TERM, StallTerm { stream: 0 }),
        (op::SYNC, Sync(Signal::None)),
    ]
}

fn atc_inv(stream: u32, substream: Option<u32>, addr: u64, mask: u64) -> AtsInvalidation {
    AtsInvalidation { stream, substream, global: false, addr, mask }
}

fn va(asid: Option<u16>, addr: u64, size: u64, granule_log2: Option<u8>, level: Option<u8>) -> Command {
    let pages = Pages { addr, size, granule_log2, level, leaf: false };
    Command::Translations(Invalidation::Va { regime: EL1, asid, pages })
}

fn ipa(vmid: u16, addr: u64, size: u64, granule_log2: Option<u8>, level: Option<u8>) -> Command {
    let pages = Pages { addr, size, granule_log2, level, leaf: false };
    Command::Translations(Invalidation::Ipa { vmid, pages })
}

#[test]
fn every_opcode() {
    let legal = legal();
    for opcode in 0..=0xffu8 {
        let expected = legal.iter().find(|row| row.0 == opcode).map(|row| row.1);
        assert_eq!(decode(opcode.into(), 0).ok(), expected, "opcode {opcode:#04x}");
    }
    // All bits of both words set: what is illegal stays so, and nothing panics.
    for opcode in 0..=0xffu64 {
        let result = decode(!0xff | opcode, u64::MAX);
        if !legal.iter().any(|row| u64::from(row.0) == opcode) {
            assert!(result.is_err(), "opcode {opcode:#04x}");
        }
    }
}

#[test]
fn reserved_bits_are_ignored() {
    // Per opcode: the bits of both words that mean something.
    let meaning = |opcode: u8| match opcode {
        op::PREFETCH_CONFIG | op::PREFETCH_ADDR => (u64::MAX, u64::MAX),
        op::CFGI_STE => (0xffff_ffff_0000_04ff, 1),
        op::CFGI_STE_RANGE => (0xffff_ffff_0000_04ff, 0x1f),
        op::CFGI_CD => (0xffff_ffff_ffff_f4ff, 1),
        op::CFGI_CD_ALL | op::STALL_TERM => (0xffff_ffff_0000_04ff, 0),
        op::ATC_INV => (0xffff_ffff_ffff_fcff, 0xffff_ffff_ffff_f03f),
        op::PRI_RESP => (0xffff_ffff_ffff_fcff, 0x31ff),
        op::TLBI_NSNH_ALL => (0xff, 0),
        op::TLBI_NH_ALL | op::TLBI_S12_VMALL => (0x0000_ffff_0000_00ff, 0),
        op::TLBI_NH_ASID => (0xffff_ffff_0000_00ff, 0),
        op::TLBI_NH_VA => (0xffff_ffff_03f1_f0ff, 0xffff_ffff_ffff_ff01),
        op::TLBI_NH_VAA => (0x0000_ffff_03f1_f0ff, 0xffff_ffff_ffff_ff01),
        // §4.1.6: bits above 55 of an IPA are taken as zero.
        op::TLBI_S2_IPA => (0x0000_ffff_03f1_f0ff, 0x00ff_ffff_ffff_ff01),
        op::RESUME => (0xffff_ffff_0000_34ff, 0xffff),
        op::SYNC => (0xffff_ffff_0fc0_30ff, 0x00ff_ffff_ffff_fffc),
        _ => unreachable!(),
    };
    for (opcode, command) in legal() {
        let (first, second) = meaning(opcode);
        assert_eq!(decode(u64::from(opcode) | !first, !second), Ok(command), "opcode {opcode:#04x}");
    }
}

#[test]
fn ssec_is_illegal_where_there_is_a_stream() {
    for (opcode, command) in legal() {
        let streams = matches!(
            opcode,
            op::PREFETCH_CONFIG..=op::CFGI_CD_ALL | op::ATC_INV | op::PRI_RESP | op::RESUME | op::STALL_TERM
        );
        let first = u64::from(opcode) | 1 << 10;
        let expected = if streams { Err(Illegal(first)) } else { Ok(command) };
        assert_eq!(decode(first, 0), expected, "opcode {opcode:#04x}");
    }
}

#[test]
fn configuration() {
    let conf = |what| Ok(Command::Configuration(what));
    assert_eq!(decode(SID | 0x03, 1), conf(Invalidation::Ste { sid: 0x1234 }));
    assert_eq!(decode(SID | 0x04, 3), conf(Invalidation::SteRange { first: 0x1230, last: 0x123f }));
    assert_eq!(decode(SID | 0x04, 30), conf(Invalidation::SteRange { first: 0, last: 0x7fff_ffff }));
    assert_eq!(decode(SID | 0x04, 31), conf(Invalidation::All));
    assert_eq!(decode(SID | 0xabcde << 12 | 0x05, 0), conf(Invalidation::Cd { sid: 0x1234, ssid: 0xabcde }));
    assert_eq!(decode(SID | 0x06, 0), conf(Invalidation::CdAll { sid: 0x1234 }));
}

#[test]
fn translations() {
    let tags = 0xbeef << 48 | 0x77 << 32;
    let vm = in_vm(0x77);
    let just = |what| Ok(Command::Translations(what));
    assert_eq!(decode(tags | 0x10, 0), just(Invalidation::FirstStage { regime: vm }));
    assert_eq!(decode(tags | 0x11, 0), just(Invalidation::Asid { regime: vm, asid: 0xbeef }));
    assert_eq!(decode(tags | 0x28, 0), just(Invalidation::Vmid { vmid: 0x77 }));
    assert_eq!(decode(tags | 0x30, 0), just(Invalidation::NsnhAll));
    let addr = 0xffff_8000_1234_5000u64;
    let single = Pages { addr, size: 4096, granule_log2: None, level: None, leaf: false };
    for (tail, granule_log2) in [(0, None), (1, None), (1 | 1 << 10 | 3 << 8, Some(12))] {
        let level = granule_log2.map(|_| 3);
        let pages = Pages { granule_log2, level, leaf: tail & 1 != 0, ..single };
        let of = |asid| just(Invalidation::Va { regime: vm, asid, pages });
        assert_eq!(decode(tags | 0x12, addr | tail), of(Some(0xbeef)));
        assert_eq!(decode(tags | 0x13, addr | tail), of(None));
        let ipa = Pages { addr: pages.addr & 0x00ff_ffff_ffff_ffff, ..pages };
        assert_eq!(decode(tags | 0x2a, addr | tail), just(Invalidation::Ipa { vmid: 0x77, pages: ipa }));
    }
    // Without TG the other range fields are RES0.
    assert_eq!(decode(0x12 | 31 << 12 | 3 << 20, addr | 3 << 8), Ok(va(Some(0), addr, 4096, None, None)));
}

#[test]
fn a_stage_that_is_not_there_has_no_commands() {
    let tags = 0xbeef << 48 | 0x77 << 32;
    let one = Features { stage2: false, ..Features::default() };
    let asid = Command::Translations(Invalidation::Asid { regime: EL1, asid: 0xbeef });
    assert_eq!(
        Command::decode(&one, false, [tags | 0x11, 0]),
        Ok(asid),
        "the VMID is ignored without stage 2"
    );
    let two = Features { stage1: false, ..Features::default() };
    for opcode in [0x10, 0x11, 0x12, 0x13] {
        assert!(Command::decode(&one, false, [tags | opcode, 0]).is_ok());
        assert!(Command::decode(&two, false, [tags | opcode, 0]).is_err(), "opcode {opcode:#x}");
    }
    for opcode in [0x28, 0x2a] {
        assert!(Command::decode(&one, false, [tags | opcode, 0]).is_err(), "opcode {opcode:#x}");
        assert!(Command::decode(&two, false, [tags | opcode, 0]).is_ok());
    }
    for f in [one, two] {
        assert_eq!(Command::decode(&f, false, [0x30, 0]), Ok(Command::Translations(Invalidation::NsnhAll)));
    }
}

#[test]
fn ranges() {
    let range = |num: u64, scale: u64, tg: u64, ttl: u64| {
        decode(0x12 | num << 12 | scale << 20, 0x1_0000 | tg << 10 | ttl << 8)
    };
    let ok = |size, log2, level| Ok(va(Some(0), 0x1_0000, size, Some(log2), level));
    assert_eq!(range(0, 0, 1, 3), ok(4096, 12, Some(3)));
    assert_eq!(range(4, 2, 1, 0), ok(5 << 14, 12, None));
    assert_eq!(range(31, 4, 2, 2), ok(32 << 18, 14, Some(2)));
    assert_eq!(range(1, 0, 3, 0), ok(2 << 16, 16, None));
    // NUM = SCALE = TTL = 0 is Reserved, with any granule, ASID and VMID.
    for opcode in [0x12, 0x13, 0x2a] {
        let tags = 0xffff_ffff << 32;
        let f = Features { asid16: false, vmid16: false, ..Features::default() };
        assert!(Command::decode(&f, false, [tags | opcode, 0x1_0000 | 1 << 10]).is_err());
    }
    for tg in 1..=3 {
        assert!(range(0, 0, tg, 0).is_err());
        assert!(range(1, 0, tg, 0).is_ok());
        assert!(range(0, 1, tg, 0).is_ok());
    }
    // Level 1 of 16 KiB tables is Reserved, treated as no level.
    assert!(range(0, 0, 2, 1).is_err());
    assert_eq!(range(1, 0, 2, 1), ok(2 << 14, 14, None));
    assert_eq!(range(0, 0, 1, 1), ok(4096, 12, Some(1)));
    // Too large to say.
    assert_eq!(range(31, 63, 3, 0), ok(u64::MAX, 16, None));
    assert_eq!(range(0, 51, 1, 0), ok(1 << 63, 12, None));
    assert_eq!(range(1, 51, 1, 0), ok(u64::MAX, 12, None));

    let plain = Features { range_invalidation: false, ..Features::default() };
    assert_eq!(
        Command::decode(&plain, false, [0x12, 0x1_0000 | 1 << 10]),
        Ok(va(Some(0), 0x1_0000, 4096, None, None)),
        "without IDR3.RIL the fields are RES0"
    );
}

#[test]
fn short_asids() {
    let f = Features { asid16: false, ..Features::default() };
    let asid = |asid: u64, opcode: u64| Command::decode(&f, false, [asid << 48 | opcode, 0x1000]);
    assert_eq!(asid(0xff, 0x11), Ok(Command::Translations(Invalidation::Asid { regime: EL1, asid: 0xff })));
    assert_eq!(asid(0x100, 0x11), Ok(Command::Nothing));
    assert_eq!(asid(0x100, 0x12), Ok(Command::Nothing));
}

#[test]
fn short_vmids() {
    let f = Features { vmid16: false, ..Features::default() };
    let vmid = |vmid: u64, opcode: u64| Command::decode(&f, false, [vmid << 32 | opcode, 0x1000]);
    for opcode in [0x10, 0x11, 0x12, 0x13, 0x28, 0x2a] {
        assert_ne!(vmid(0xff, opcode), Ok(Command::Nothing));
        assert_eq!(vmid(0x100, opcode), Ok(Command::Nothing), "opcode {opcode:#x}");
    }
}

#[test]
fn stalls() {
    let resume = |bits: u64| decode(SID | 0x44 | bits << 12, 0xffff_0000_0000_beef);
    let ok = |action| Ok(Command::Resume { stream: 0x1234, stag: 0xbeef, action });
    assert_eq!(resume(0b00), ok(Resume::Terminate));
    assert_eq!(resume(0b01), ok(Resume::Retry));
    assert_eq!(resume(0b10), ok(Resume::Abort));
    assert_eq!(resume(0b11), ok(Resume::Retry), "Ab is ignored for a retry");
    assert_eq!(decode(SID | 0x45, 0), Ok(Command::StallTerm { stream: 0x1234 }));
    let off = Features { stall: StallModel::Off, ..Features::default() };
    assert!(Command::decode(&off, false, [0x44, 0]).is_err());
    assert!(Command::decode(&off, false, [0x45, 0]).is_err());
    let force = Features { stall: StallModel::Force, ..Features::default() };
    assert!(Command::decode(&force, false, [0x44, 0]).is_ok());
}

#[test]
fn sync() {
    let sync = |cs: u64| decode(0xcafe_f00d << 32 | cs << 12 | 0x46, 0x00ab_cdef_0123_4567);
    let irq = |msi_addr| Ok(Command::Sync(Signal::Irq { msi_addr, msi_data: 0xcafe_f00d }));
    assert_eq!(sync(0), Ok(Command::Sync(Signal::None)));
    assert_eq!(sync(1), irq(0x00ab_cdef_0123_4564));
    assert_eq!(sync(2), Ok(Command::Sync(Signal::Sev)));
    assert!(sync(3).is_err());
    let wired = Features { msi: false, ..Features::default() };
    assert_eq!(Command::decode(&wired, false, [0xcafe_f00d << 32 | 1 << 12 | 0x46, 0x1000]), irq(0));
}

/// `IHI0070 §4.4.2.7` to `§4.4.2.10`.
#[test]
fn el2() {
    let f = Features { hyp: true, ..Features::default() };
    let tags = 0xbeef_0077 << 32;
    let addr = 0x1234_5000u64;
    let pages = Pages { addr, size: 4096, granule_log2: None, level: None, leaf: true };
    let regime = Regime::El2;
    let just = |what| Ok(Command::Translations(what));
    for e2h in [false, true] {
        let decode = |opcode: u64, second| Command::decode(&f, e2h, [tags | opcode, second]);
        assert_eq!(decode(0x20, 0), just(Invalidation::FirstStage { regime }));
        assert_eq!(decode(0x21, 0), just(Invalidation::Asid { regime, asid: 0xbeef }));
        let asid = e2h.then_some(0xbeef);
        assert_eq!(decode(0x22, addr | 1), just(Invalidation::Va { regime, asid, pages }));
        assert_eq!(decode(0x23, addr | 1), just(Invalidation::Va { regime, asid: None, pages }));
        assert!(decode(0x22, addr | 1 << 10).is_err() && decode(0x23, addr | 1 << 10).is_err());
        for opcode in [0x18, 0x1a] {
            assert!(decode(opcode, 0).is_err(), "EL3 is the Secure queue's");
        }
    }
    let short = Features { asid16: false, ..f };
    assert_eq!(Command::decode(&short, true, [tags | 0x21, 0]), Ok(Command::Nothing));
    assert_eq!(Command::decode(&short, true, [tags | 0x22, addr]), Ok(Command::Nothing));
    assert!(matches!(Command::decode(&short, false, [tags | 0x22, addr]), Ok(Command::Translations(_))));
}

#[test]
fn invalidations_of_endpoints() {
    let decoded = |first: u64, second: u64| decode(SID | first | u64::from(op::ATC_INV), second);
    let is = |substream, addr, mask| Ok(Command::AtsInvalidate(atc_inv(0x1234, substream, addr, mask)));
    assert_eq!(decoded(0, 0x5000), is(None, 0x5000, 0xfff));
    assert_eq!(decoded(0xabcde << 12 | 1 << 11, 0x1234_5000 | 4), is(Some(0xabcde), 0x1234_0000, 0xffff));
    let global = AtsInvalidation { global: true, ..atc_inv(0x1234, Some(0xabcde), 0, u64::MAX) };
    assert_eq!(decoded(0xabcde << 12 | 0b101 << 9, 52), Ok(Command::AtsInvalidate(global)));
    assert_eq!(decoded(0xabcde << 12 | 1 << 9, 52), is(None, 0, u64::MAX), "no SSV, no PASID");
    assert_eq!(decoded(0, u64::MAX << 12 | 51), is(None, 1 << 63, u64::MAX >> 1));
    for size in 53..64 {
        assert!(decoded(0, size).is_err(), "size {size}");
    }
    let words = [SID | 7 << 12 | 1 << 11 | u64::from(op::ATC_INV), 0x5000];
    let plain = Features { ssid_bits: 0, ..Features::default() };
    assert_eq!(Command::decode(&plain, false, words), is(None, 0x5000, 0xfff), "a system without PASIDs");
    let none = Features { ats: false, pri: false, ..Features::default() };
    assert!(Command::decode(&none, false, words).is_err());
}

#[test]
fn answers_to_page_requests() {
    let decoded = |first: u64, second: u64| decode(SID | first | u64::from(op::PRI_RESP), second);
    for (resp, code) in [
        (op::PRI_RESP_FAILURE, PageResponseCode::Failure),
        (op::PRI_RESP_INVALID, PageResponseCode::Invalid),
        (op::PRI_RESP_SUCCESS, PageResponseCode::Success),
    ] {
        let is = |substream| Ok(Command::PageResponse { stream: 0x1234, substream, group: 0x1ff, code });
        assert_eq!(decoded(0xabcde << 12 | 1 << 11, resp << 12 | 0x1ff), is(Some(0xabcde)));
        assert_eq!(decoded(0xabcde << 12, resp << 12 | 0x1ff), is(None));
    }
    assert!(decoded(0, 3 << 12).is_err(), "a reserved answer");
    let none = Features { pri: false, ..Features::default() };
    assert!(Command::decode(&none, false, [u64::from(op::PRI_RESP), 0]).is_err());
}

/// Every command of what is not there is illegal, and of what is there none is (`IHI0070 §4.3` to `§4.7`).
#[test]
fn commands_of_what_is_not_there() {
    let all = Features { hyp: true, ..Features::default() };
    let no_pri = Features { pri: false, ..all };
    let no_ats = Features { ats: false, ats_split: false, pri: false, ..all };
    let no_stage_1 = Features { stage1: false, hyp: false, ssid_bits: 0, ats_split: false, ..all };
    let no_stage_2 = Features { stage2: false, ats_split: false, ..all };
    let no_el2 = Features { hyp: false, ..all };
    let no_stalls = Features { stall: StallModel::Off, ..all };
    let no_substreams = Features { ssid_bits: 0, ..all };
    let el2 = [op::TLBI_EL2_ALL, op::TLBI_EL2_ASID, op::TLBI_EL2_VA, op::TLBI_EL2_VAA];
    let first = [op::TLBI_NH_ALL, op::TLBI_NH_ASID, op::TLBI_NH_VA, op::TLBI_NH_VAA];
    let of_first = [&[op::CFGI_CD, op::CFGI_CD_ALL], &first[..], &el2].concat();
    let cases: [(Features, &[u8]); 8] = [
        (all, &[]),
        (no_substreams, &[]),
        (no_pri, &[op::PRI_RESP]),
        (no_ats, &[op::ATC_INV, op::PRI_RESP]),
        (no_stage_1, &of_first),
        (no_stage_2, &[op::TLBI_S12_VMALL, op::TLBI_S2_IPA]),
        (no_el2, &el2),
        (no_stalls, &[op::RESUME, op::STALL_TERM]),
    ];
    let known = legal().into_iter().map(|row| row.0).chain(el2).collect::<Vec<_>>();
    for (f, absent) in cases {
        f.validate().unwrap();
        for opcode in &known {
            let result = Command::decode(&f, false, [u64::from(*opcode), 0]);
            assert_eq!(result.is_err(), absent.contains(opcode), "opcode {opcode:#04x} of {f:?}");
        }
    }
}

/// §4.1.6: bits above 55 of an IPA are taken as zero, of ranges too; those of a VA count.
#[test]
fn high_bits_of_an_ipa() {
    for words in
        [[0, 0x4000_0000], [17 << 12, 0x4000_0000 | 1 << 10], [3 << 20, 0x4000_0000 | 2 << 10 | 3 << 8]]
    {
        let [first, second] = words;
        let decoded = |opcode: u8, high: u64| decode(first | u64::from(opcode), second | high);
        assert_eq!(decoded(op::TLBI_S2_IPA, 0xff << 56), decoded(op::TLBI_S2_IPA, 0));
        assert!(decoded(op::TLBI_S2_IPA, 0).is_ok());
        assert_ne!(decoded(op::TLBI_S2_IPA, 1 << 55), decoded(op::TLBI_S2_IPA, 0));
        assert_ne!(decoded(op::TLBI_NH_VA, 0xff << 56), decoded(op::TLBI_NH_VA, 0));
    }
}

/// What QEMU's own model passes over (docs/replace.md), and what it refuses, too.
#[test]
fn lenient_commands() {
    let poor =
        Features { leniency: Leniency { commands: true, ..Leniency::default() }, ..Features::compat() };
    let strict = Features { leniency: Leniency::default(), ..poor };
    let passed = [
        op::TLBI_EL3_ALL,
        op::TLBI_EL3_VA,
        op::TLBI_EL2_ALL,
        op::TLBI_EL2_ASID,
        op::TLBI_EL2_VA,
        op::TLBI_EL2_VAA,
        op::ATC_INV,
        op::PRI_RESP,
        op::RESUME,
        op::STALL_TERM,
    ];
    for opcode in 0..=u8::MAX {
        let words = [u64::from(opcode), 0];
        let (lenient, refused) =
            (Command::decode(&poor, false, words), Command::decode(&strict, false, words));
        if passed.contains(&opcode) {
            assert_eq!(lenient, Ok(Command::Nothing), "{opcode:#x}");
            assert!(refused.is_err(), "{opcode:#x}");
        } else {
            assert_eq!(lenient, refused, "{opcode:#x}");
        }
    }
    // A range of nothing is a granule.
    let words = [u64::from(op::TLBI_NH_VA), 0x5000 | 1 << 10];
    assert!(Command::decode(&strict, false, words).is_err());
    assert_eq!(Command::decode(&poor, false, words), Ok(va(Some(0), 0x5000, 4096, Some(12), None)));
    // What is there is done.
    let rich = Features { leniency: Leniency::all(), hyp: true, ..Features::default() };
    for opcode in [op::TLBI_EL2_ALL, op::ATC_INV, op::RESUME, op::STALL_TERM] {
        let done = Command::decode(&rich, false, [u64::from(opcode), 0]);
        assert!(done.is_ok_and(|command| command != Command::Nothing), "{opcode:#x}");
    }
}
