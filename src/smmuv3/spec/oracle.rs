// SPDX-License-Identifier: GPL-2.0-or-later
//! A second opinion on every field that QEMU's own SMMUv3 knows: its `REG32` and `FIELD` constants, which bindgen
//! wrote to `qemu-sys/src/oracle_smmuv3.rs`, against the layouts declared here.

use std::collections::{BTreeMap, BTreeSet};

use super::{cd, id, ste};
use crate::iommu::layout::Field;

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
