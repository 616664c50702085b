// SPDX-License-Identifier: GPL-2.0-or-later
//! A second opinion on every field that QEMU's own SMMUv3 knows: its `REG32` and `FIELD` constants, which bindgen
//! wrote to `qemu-sys/src/oracle_smmuv3.rs`, against the layouts declared here.

use std::collections::{BTreeMap, BTreeSet};

use super::{cd, command, event, id, page_request, registers, ste};
use crate::iommu::layout::Field;
use crate::smmuv3::fault::FaultKind;

const QEMU: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/qemu-sys/src/oracle_smmuv3.rs");

/// QEMU's constants by name.
fn constants() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(QEMU).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.strip_suffix(';')?.split_once(": u64 = "))
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

/// QEMU's fields of one 32-bit register or word: name, highest bit, lowest bit.
fn qemu_fields(register: &str) -> Vec<(String, u32, u32)> {
    let constants = constants();
    let prefix = format!("R_{register}_");
    let field = |(name, shift): (&String, &u64)| {
        let field = name.strip_prefix(&prefix)?.strip_suffix("_SHIFT")?;
        let length = constants[&format!("{prefix}{field}_LENGTH")];
        Some((field.into(), (shift + length - 1) as u32, *shift as u32))
    };
    constants.iter().filter_map(field).collect()
}

/// Names that QEMU chose differently.
fn our_name(qemu: &str) -> String {
    match qemu {
        "VALID" => "v".into(),
        "TSZ0" => "t0sz".into(),
        "TSZ1" => "t1sz".into(),
        "AARCH64" => "aa64".into(),
        "CTXPTR_LO" | "CTXPTR_HI" => "s1contextptr".into(),
        "S2TTB_LO" | "S2TTB_HI" => "s2ttb".into(),
        "TTB0_LO" | "TTB0_HI" => "ttb0".into(),
        "TTB1_LO" | "TTB1_HI" => "ttb1".into(),
        "STLEVEL" => "st_level".into(),
        "PRI_IRQEN" => "priq_irqen".into(),
        "MSI_SFM_ERR" => "sfm_err".into(),
        "FMT" => "format".into(),
        other => other.to_lowercase(),
    }
}

/// Compares one word of ours with QEMU's register or, for a 64-bit word, with its two halves. Every field of QEMU's
/// must be one of ours, at the same bits.
fn compare(ours: &[Field], registers: &[&str]) -> usize {
    let mut bits: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let mut compared = 0;
    for (half, register) in registers.iter().enumerate() {
        for (field, hi, lo) in qemu_fields(register) {
            // CD.TBI is one field of two bits in QEMU.
            if (*register, field.as_str()) == ("CD_1", "TBI") {
                for (i, name) in ["tbi0", "tbi1"].into_iter().enumerate() {
                    bits.entry(name.into()).or_default().insert(32 + lo + i as u32);
                }
                continue;
            }
            let range = lo + 32 * half as u32..=hi + 32 * half as u32;
            bits.entry(our_name(&field)).or_default().extend(range);
        }
    }
    for (name, theirs) in bits {
        // This model has no PRI queue yet.
        if name.ends_with("priq_abt_err") {
            continue;
        }
        let field = ours.iter().find(|field| field.0 == name);
        let (_, hi, lo) = field.unwrap_or_else(|| panic!("{registers:?}: no field {name}"));
        let mut theirs = theirs;
        if matches!(name.as_str(), "ttb0" | "ttb1" | "s2ttb") {
            // Bits 55:52 of table addresses came with 128-bit descriptors.
            theirs.extend(52..=55);
        }
        assert_eq!(theirs, (*lo..=*hi).collect(), "{registers:?}: {name}");
        compared += 1;
    }
    compared
}

#[test]
fn stream_table_entries() {
    assert_eq!(compare(ste::Ste0::FIELDS, &["STE_0", "STE_1"]), 5);
    assert_eq!(compare(ste::Ste1::FIELDS, &["STE_2", "STE_3"]), 3);
    assert_eq!(compare(ste::Ste2::FIELDS, &["STE_4", "STE_5"]), 12);
    assert_eq!(compare(ste::Ste3::FIELDS, &["STE_6", "STE_7"]), 1);
}

#[test]
fn context_descriptors() {
    assert_eq!(compare(cd::Cd0::FIELDS, &["CD_0", "CD_1"]), 19);
    assert_eq!(compare(cd::Cd1::FIELDS, &["CD_2", "CD_3"]), 3);
    assert_eq!(compare(cd::Cd2::FIELDS, &["CD_4", "CD_5"]), 3);
}

#[test]
fn identification_registers() {
    assert!(compare(id::Idr0::FIELDS, &["IDR0"]) >= 24);
    assert!(compare(id::Idr1::FIELDS, &["IDR1"]) >= 11);
    assert!(compare(id::Idr3::FIELDS, &["IDR3"]) >= 11);
    assert!(compare(id::Idr5::FIELDS, &["IDR5"]) >= 6);
}

#[test]
fn registers() {
    assert_eq!(compare(registers::Cr0::FIELDS, &["CR0"]), 3);
    assert_eq!(compare(registers::Gbpa::FIELDS, &["GBPA"]), 2);
    assert_eq!(compare(registers::IrqCtrl::FIELDS, &["IRQ_CTRL"]), 3);
    assert_eq!(compare(registers::Gerror::FIELDS, &["GERROR"]), 6);
    assert_eq!(compare(registers::StrtabBaseCfg::FIELDS, &["STRTAB_BASE_CFG"]), 3);
    assert_eq!(compare(registers::CmdqCons::FIELDS, &["CMDQ_CONS"]), 1);
}

#[test]
fn register_offsets() {
    use registers as r;
    let constants = constants();
    for (name, ours) in [
        ("IDR0", r::IDR0),
        ("IDR1", r::IDR1),
        ("IDR2", r::IDR2),
        ("IDR3", r::IDR3),
        ("IDR4", r::IDR4),
        ("IDR5", r::IDR5),
        ("IIDR", r::IIDR),
        ("AIDR", r::AIDR),
        ("CR0", r::CR0),
        ("CR0ACK", r::CR0ACK),
        ("CR1", r::CR1),
        ("CR2", r::CR2),
        ("STATUSR", r::STATUSR),
        ("GBPA", r::GBPA),
        ("IRQ_CTRL", r::IRQ_CTRL),
        ("IRQ_CTRL_ACK", r::IRQ_CTRLACK),
        ("GERROR", r::GERROR),
        ("GERRORN", r::GERRORN),
        ("GERROR_IRQ_CFG0", r::GERROR_IRQ_CFG0),
        ("GERROR_IRQ_CFG1", r::GERROR_IRQ_CFG1),
        ("GERROR_IRQ_CFG2", r::GERROR_IRQ_CFG2),
        ("STRTAB_BASE", r::STRTAB_BASE),
        ("STRTAB_BASE_CFG", r::STRTAB_BASE_CFG),
        ("CMDQ_BASE", r::CMDQ_BASE),
        ("CMDQ_PROD", r::CMDQ_PROD),
        ("CMDQ_CONS", r::CMDQ_CONS),
        ("EVENTQ_BASE", r::EVENTQ_BASE),
        // Guests use the one in page 1; QEMU's model takes both pages for one.
        ("EVENTQ_PROD", r::EVENTQ_PROD - r::PAGE_1),
        ("EVENTQ_CONS", r::EVENTQ_CONS - r::PAGE_1),
        ("EVENTQ_IRQ_CFG0", r::EVENTQ_IRQ_CFG0),
        ("EVENTQ_IRQ_CFG1", r::EVENTQ_IRQ_CFG1),
        ("EVENTQ_IRQ_CFG2", r::EVENTQ_IRQ_CFG2),
        ("IDREGS", r::ID_REGS),
    ] {
        assert_eq!(constants[&format!("A_{name}")], ours, "{name}");
    }
}

/// QEMU's model has no PRI queue: the addresses are those that Linux 7.2 uses.
#[test]
fn page_request_registers_as_the_guest_driver_has_them() {
    use registers as r;
    for (linux, ours) in [
        (0xc0, r::PRIQ_BASE),
        (0xc8, r::PRIQ_PROD - r::PAGE_1),
        (0xcc, r::PRIQ_CONS - r::PAGE_1),
        (0xd0, r::PRIQ_IRQ_CFG0),
        (0xd8, r::PRIQ_IRQ_CFG1),
        (0xdc, r::PRIQ_IRQ_CFG2),
    ] {
        assert_eq!(linux, ours);
    }
    let answers = [command::PRI_RESP_FAILURE, command::PRI_RESP_INVALID, command::PRI_RESP_SUCCESS];
    assert_eq!((answers, command::CERROR_ATC_INV_SYNC, command::ATC_INV_SIZE_ALL), ([0, 1, 2], 3, 52));
}

#[test]
fn opcodes() {
    let constants = constants();
    for (name, ours) in [
        ("PREFETCH_CONFIG", command::PREFETCH_CONFIG),
        ("PREFETCH_ADDR", command::PREFETCH_ADDR),
        ("CFGI_STE", command::CFGI_STE),
        ("CFGI_STE_RANGE", command::CFGI_STE_RANGE),
        ("CFGI_CD", command::CFGI_CD),
        ("CFGI_CD_ALL", command::CFGI_CD_ALL),
        ("TLBI_NH_ALL", command::TLBI_NH_ALL),
        ("TLBI_NH_ASID", command::TLBI_NH_ASID),
        ("TLBI_NH_VA", command::TLBI_NH_VA),
        ("TLBI_NH_VAA", command::TLBI_NH_VAA),
        ("TLBI_EL3_ALL", command::TLBI_EL3_ALL),
        ("TLBI_EL3_VA", command::TLBI_EL3_VA),
        ("TLBI_EL2_ALL", command::TLBI_EL2_ALL),
        ("TLBI_EL2_ASID", command::TLBI_EL2_ASID),
        ("TLBI_EL2_VA", command::TLBI_EL2_VA),
        ("TLBI_EL2_VAA", command::TLBI_EL2_VAA),
        ("TLBI_S12_VMALL", command::TLBI_S12_VMALL),
        ("TLBI_S2_IPA", command::TLBI_S2_IPA),
        ("TLBI_NSNH_ALL", command::TLBI_NSNH_ALL),
        ("ATC_INV", command::ATC_INV),
        ("PRI_RESP", command::PRI_RESP),
        ("RESUME", command::RESUME),
        ("STALL_TERM", command::STALL_TERM),
        ("SYNC", command::SYNC),
    ] {
        assert_eq!(constants[&format!("SMMU_CMD_{name}")], u64::from(ours), "{name}");
    }
    assert_eq!(constants["CMD_SYNC_SIG_NONE"], command::SYNC_SIG_NONE);
    assert_eq!(constants["CMD_SYNC_SIG_IRQ"], command::SYNC_SIG_IRQ);
    assert_eq!(constants["CMD_SYNC_SIG_SEV"], command::SYNC_SIG_SEV);
}

#[test]
fn event_numbers() {
    let constants = constants();
    for (name, ours) in [
        ("F_UUT", FaultKind::UnsupportedTransaction),
        ("C_BAD_STREAMID", FaultKind::BadStreamId),
        ("F_STE_FETCH", FaultKind::SteFetch),
        ("C_BAD_STE", FaultKind::BadSte),
        ("F_BAD_ATS_TREQ", FaultKind::BadAtsRequest),
        ("F_STREAM_DISABLED", FaultKind::StreamDisabled),
        ("F_TRANS_FORBIDDEN", FaultKind::TranslationForbidden),
        ("C_BAD_SUBSTREAMID", FaultKind::BadSubstreamId),
        ("F_CD_FETCH", FaultKind::CdFetch),
        ("C_BAD_CD", FaultKind::BadCd),
        ("F_WALK_EABT", FaultKind::WalkAbort),
        ("F_TRANSLATION", FaultKind::Translation),
        ("F_ACCESS", FaultKind::AccessFlag),
        ("F_PERMISSION", FaultKind::Permission),
        ("F_TLB_CONFLICT", FaultKind::TlbConflict),
        ("F_CFG_CONFLICT", FaultKind::ConfigConflict),
    ] {
        assert_eq!(constants[&format!("SMMU_EVT_{name}")], ours as u64, "{name}");
    }
    assert_eq!(FaultKind::AddressSize as u64, FaultKind::Translation as u64 + 1);
}

/// QEMU takes commands and events apart without named constants, and ignores some fields of structures. There the
/// opinion is the guest driver's: bit positions as Linux 7.2 has them.
#[test]
fn fields_as_the_guest_driver_has_them() {
    let rows: &[(&str, &[Field], &[Field])] = &[
        (
            "prefetch and CFGI, first word",
            command::StreamCommand0::FIELDS,
            &[("opcode", 7, 0), ("ssv", 11, 11), ("substream_id", 31, 12), ("stream_id", 63, 32)],
        ),
        ("CFGI, second word", command::CfgiCommand1::FIELDS, &[("leaf", 0, 0), ("range", 4, 0)]),
        (
            "TLBI, first word",
            command::TlbiCommand0::FIELDS,
            &[("opcode", 7, 0), ("num", 16, 12), ("vmid", 47, 32), ("asid", 63, 48)],
        ),
        (
            "TLBI, second word",
            command::TlbiCommand1::FIELDS,
            &[("leaf", 0, 0), ("ttl", 9, 8), ("tg", 11, 10), ("addr", 63, 12)],
        ),
        (
            "RESUME, first word",
            command::Resume0::FIELDS,
            &[("opcode", 7, 0), ("action", 12, 12), ("abort", 13, 13), ("stream_id", 63, 32)],
        ),
        ("RESUME, second word", command::Resume1::FIELDS, &[("stag", 15, 0)]),
        (
            "SYNC, first word",
            command::Sync0::FIELDS,
            &[("opcode", 7, 0), ("cs", 13, 12), ("msh", 23, 22), ("msi_attr", 27, 24), ("msi_data", 63, 32)],
        ),
        (
            "ATC_INV, first word",
            command::AtcInv0::FIELDS,
            &[
                ("opcode", 7, 0),
                ("global", 9, 9),
                ("ssv", 11, 11),
                ("substream_id", 31, 12),
                ("stream_id", 63, 32),
            ],
        ),
        ("ATC_INV, second word", command::AtcInv1::FIELDS, &[("size", 5, 0), ("addr", 63, 12)]),
        ("PRI_RESP, second word", command::PriResp1::FIELDS, &[("group", 8, 0), ("resp", 13, 12)]),
        (
            "page request bits 63:0",
            page_request::Request0::FIELDS,
            &[
                ("stream_id", 31, 0),
                ("substream_id", 51, 32),
                ("privileged", 58, 58),
                ("exec", 59, 59),
                ("read", 60, 60),
                ("write", 61, 61),
                ("last", 62, 62),
                ("ssv", 63, 63),
            ],
        ),
        ("page request bits 127:64", page_request::Request1::FIELDS, &[("group", 8, 0), ("addr", 63, 12)]),
        ("CR0", registers::Cr0::FIELDS, &[("priqen", 1, 1), ("atschk", 4, 4)]),
        ("IRQ_CTRL", registers::IrqCtrl::FIELDS, &[("priq_irqen", 1, 1)]),
        (
            "event bits 63:0",
            event::Event0::FIELDS,
            &[("event", 7, 0), ("ssv", 11, 11), ("substream_id", 31, 12), ("stream_id", 63, 32)],
        ),
        (
            "event bits 127:64",
            event::Event1::FIELDS,
            &[
                ("stag", 15, 0),
                ("stall", 31, 31),
                ("pnu", 33, 33),
                ("ind", 34, 34),
                ("rnw", 35, 35),
                ("s2", 39, 39),
                ("class", 41, 40),
                ("ttrnw", 44, 44),
            ],
        ),
        ("event bits 191:128", event::Event2::FIELDS, &[("input_addr", 63, 0)]),
        (
            "STE bits 127:64",
            ste::Ste1::FIELDS,
            &[
                ("s1dss", 1, 0),
                ("s1cir", 3, 2),
                ("s1cor", 5, 4),
                ("s1csh", 7, 6),
                ("mev", 19, 19),
                ("eats", 29, 28),
                ("s2fwb", 25, 25),
                ("shcfg", 45, 44),
            ],
        ),
        ("L1STD", ste::L1Std::FIELDS, &[("span", 4, 0)]),
        ("L1CD", cd::L1Cd::FIELDS, &[("v", 0, 0)]),
        (
            "CD bits 63:0",
            cd::Cd0::FIELDS,
            &[("ir0", 9, 8), ("or0", 11, 10), ("sh0", 13, 12), ("tbi0", 38, 38), ("aset", 47, 47)],
        ),
        ("CD bits 127:64", cd::Cd1::FIELDS, &[("haft", 3, 3)]),
    ];
    for (word, ours, theirs) in rows {
        for field in *theirs {
            assert!(ours.contains(field), "{word}: {field:?} is not among {ours:?}");
        }
    }
}

/// Fields do not overlap, and lie within their word.
#[test]
fn fields_are_disjoint() {
    let words: &[(&str, &[Field])] = &[
        ("Ste0", ste::Ste0::FIELDS),
        ("Ste1", ste::Ste1::FIELDS),
        ("Ste2", ste::Ste2::FIELDS),
        ("Ste3", ste::Ste3::FIELDS),
        ("Ste4", ste::Ste4::FIELDS),
        ("Ste5", ste::Ste5::FIELDS),
        ("Ste6", ste::Ste6::FIELDS),
        ("Ste7", ste::Ste7::FIELDS),
        ("L1Std", ste::L1Std::FIELDS),
        ("Cd0", cd::Cd0::FIELDS),
        ("Cd1", cd::Cd1::FIELDS),
        ("Cd2", cd::Cd2::FIELDS),
        ("Cd3", cd::Cd3::FIELDS),
        ("Cd4", cd::Cd4::FIELDS),
        ("Cd5", cd::Cd5::FIELDS),
        ("Cd6", cd::Cd6::FIELDS),
        ("Cd7", cd::Cd7::FIELDS),
        ("L1Cd", cd::L1Cd::FIELDS),
        ("Idr0", id::Idr0::FIELDS),
        ("Idr1", id::Idr1::FIELDS),
        ("Idr3", id::Idr3::FIELDS),
        ("Idr5", id::Idr5::FIELDS),
        ("Cr0", registers::Cr0::FIELDS),
        ("Cr1", registers::Cr1::FIELDS),
        ("Cr2", registers::Cr2::FIELDS),
        ("Gbpa", registers::Gbpa::FIELDS),
        ("IrqCtrl", registers::IrqCtrl::FIELDS),
        ("Gerror", registers::Gerror::FIELDS),
        ("StrtabBaseCfg", registers::StrtabBaseCfg::FIELDS),
        ("StreamCommand0", command::StreamCommand0::FIELDS),
        ("TlbiCommand0", command::TlbiCommand0::FIELDS),
        ("TlbiCommand1", command::TlbiCommand1::FIELDS),
        ("Resume0", command::Resume0::FIELDS),
        ("Sync0", command::Sync0::FIELDS),
        ("AtcInv0", command::AtcInv0::FIELDS),
        ("AtcInv1", command::AtcInv1::FIELDS),
        ("PriResp1", command::PriResp1::FIELDS),
        ("Request0", page_request::Request0::FIELDS),
        ("Request1", page_request::Request1::FIELDS),
        ("PriqProd", registers::PriqProd::FIELDS),
        ("PriqCons", registers::PriqCons::FIELDS),
        ("PriqIrqCfg2", registers::PriqIrqCfg2::FIELDS),
        ("Event0", event::Event0::FIELDS),
        ("Event1", event::Event1::FIELDS),
        ("AtsRequest1", event::AtsRequest1::FIELDS),
    ];
    for (word, fields) in words {
        let mut taken = 0u64;
        for (name, hi, lo) in *fields {
            let mask = u64::MAX >> (63 - (hi - lo)) << lo;
            assert_eq!(taken & mask, 0, "{word}.{name}");
            taken |= mask;
        }
    }
}
