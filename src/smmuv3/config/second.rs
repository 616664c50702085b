// SPDX-License-Identifier: GPL-2.0-or-later
//! What an STE says about stage 2, and whether it can be (`IHI0070 §5.2`).

use super::StreamContext;
use crate::smmuv3::features::{AddressSize, Features, Httu, StallModel};

/// The stage 2 tables of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondStage {
    /// `S2T0SZ`: 64 less the bits of an IPA.
    pub size: u32,
    /// Log2 of the granule in bytes: 12, 14, 16, or 0 for a reserved `S2TG`.
    pub granule_log2: u32,
    /// `S2SL0`.
    pub start: u32,
    /// Address of the starting-level table or tables, as written.
    pub table: u64,
}

impl StreamContext {
    /// What the STE says about stage 2.
    #[must_use]
    pub fn second_stage(&self) -> SecondStage {
        let ste2 = self.ste2();
        SecondStage {
            size: u32::try_from(ste2.s2t0sz()).unwrap_or(0),
            granule_log2: match ste2.s2tg() {
                0b00 => 12,
                0b01 => 16,
                0b10 => 14,
                _ => 0,
            },
            start: u32::try_from(ste2.s2sl0()).unwrap_or(0),
            table: self.ste3().s2ttb() << 4,
        }
    }

    /// Size of stage 2's output addresses: `STE.S2PS`, capped to the output address size.
    #[must_use]
    pub fn second_stage_output_size(&self, f: &Features) -> AddressSize {
        AddressSize::from_encoding(self.ste2().s2ps()).min(f.oas)
    }
}

impl SecondStage {
    /// The level of the first table, if `S2SL0` names one that this granule has (Arm ARM, `VTCR_EL2.SL0`).
    #[must_use]
    pub fn start_level(&self, f: &Features) -> Option<u32> {
        let lowest = match self.granule_log2 {
            // Level 3 is the last, and comes with small tables.
            12 if self.start == 3 => return f.small_tables.then_some(3),
            12 => 2,
            _ => 3u32,
        };
        // Few physical addresses need no level more.
        let output_bits = f.oas.bits();
        let too_high = match (self.granule_log2, self.start) {
            (12, 2) | (16, 2) => output_bits < 44,
            (14, 2) => output_bits < 42,
            (14 | 16, 3) => true,
            _ => false,
        };
        if too_high { None } else { lowest.checked_sub(self.start) }
    }

    /// Whether so many bits of an IPA can be resolved from that level on: at least one by the first table, and at most
    /// four more than one table resolves, for up to sixteen tables in a row (Arm ARM §D8.2.2).
    fn is_consistent(&self, level: u32) -> bool {
        let stride = self.granule_log2.saturating_sub(3);
        let below = stride.saturating_mul(3u32.saturating_sub(level));
        let least = self.granule_log2.saturating_add(below).saturating_add(1);
        let most = least.saturating_add(stride).saturating_add(3);
        (least..=most).contains(&64u32.saturating_sub(self.size))
    }
}

/// The highest `T0SZ`, of either stage: small tables allow for fewer bits (`IHI0070 §5.2`, `S2T0SZ`; `§5.4`, `T0SZ`).
pub(super) fn largest_size(f: &Features, granule_log2: u32) -> u32 {
    match (f.small_tables, granule_log2) {
        (false, _) => 39,
        (true, 16) => 47,
        (true, _) => 48,
    }
}

/// Whether the S2 fields of an STE that uses them are ILLEGAL.
pub(super) fn is_illegal(f: &Features, context: &StreamContext) -> bool {
    let (ste2, tables) = (context.ste2(), context.second_stage());
    let format_illegal = ste2.s2aa64() == 0;
    let endian_illegal = ste2.s2endi() != 0 && !f.big_endian;
    let stall_illegal = match f.stall {
        StallModel::On => false,
        StallModel::Off => ste2.s2s() != 0,
        StallModel::Force => ste2.s2s() == 0,
    };
    let httu_illegal = match f.httu {
        Httu::None => ste2.s2ha() != 0 || ste2.s2hd() != 0,
        Httu::Access => ste2.s2hd() != 0,
        Httu::Dirty => false,
    };
    let granule = tables.granule_log2;
    let smallest = if granule == 16 { 12 } else { 16u32 }.max(64u32.saturating_sub(f.oas.bits()));
    let size_illegal = !(smallest..=largest_size(f, granule)).contains(&tables.size);
    let table_illegal = !context.second_stage_output_size(f).contains(tables.table)
        || (granule != 16 && tables.table >> 48 != 0);
    let start_illegal = !tables.start_level(f).is_some_and(|level| tables.is_consistent(level));
    format_illegal
        || endian_illegal
        || stall_illegal
        || httu_illegal
        || !f.supports_granule(granule)
        || size_illegal
        || table_illegal
        || start_illegal
}
