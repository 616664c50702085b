// SPDX-License-Identifier: GPL-2.0-or-later
//! No bit of a word belongs to two fields, and those whose every bit has a meaning have no gap.

use super::{capability, context, pasid, pte, root};
use crate::iommu::layout::Field;

/// The bits that fields cover, each once.
fn covered(fields: &[Field]) -> u64 {
    fields.iter().fold(0, |seen, (name, hi, lo)| {
        let bits = (u64::MAX >> (63 - (hi - lo))) << lo;
        assert_eq!(seen & bits, 0, "{name} overlaps");
        seen | bits
    })
}

#[test]
fn fields_do_not_overlap() {
    for whole in [
        root::Root::FIELDS,
        context::Context0::FIELDS,
        context::Context1::FIELDS,
        context::ScalableContext0::FIELDS,
        context::ScalableContext1::FIELDS,
        pasid::PasidDirectory::FIELDS,
        pasid::Pasid0::FIELDS,
        pasid::Pasid1::FIELDS,
        pasid::Pasid2::FIELDS,
    ] {
        assert_eq!(covered(whole), u64::MAX);
    }
    assert_eq!(covered(pte::FirstStage::FIELDS), 1 << 63 | 0x7ff);
    assert_eq!(covered(pte::SecondStage::FIELDS), 0xfff);
    let _ = covered(capability::Cap::FIELDS);
    let _ = covered(capability::Ecap::FIELDS);
}
