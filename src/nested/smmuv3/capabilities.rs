// SPDX-License-Identifier: GPL-2.0-or-later
//! What an SMMU that a guest sees may offer in front of an assigned device: no more than the host's, for it is the host's that
//! does it.

use crate::nested::error::{Error, Result};
use crate::nested::host::Smmuv3Capabilities;
use crate::smmuv3::features::{AddressSize, Features, Httu, StallModel};
use crate::smmuv3::spec::id::{Idr0, Idr1, Idr3, Idr5};

/// Checks the guest's SMMU against the host's.
///
/// # Errors
/// The first property that promises more than the host has.
pub fn check(f: &Features, host: &Smmuv3Capabilities) -> Result<()> {
    let [idr0, idr1, _, idr3, _, idr5] = host.idr;
    let (idr0, idr1, idr3, idr5) = (Idr0::from(idr0), Idr1::from(idr1), Idr3::from(idr3), Idr5::from(idr5));
    let at_most = |what, value: u64, most: u64, way_out: String| {
        if value <= most { Ok(()) } else { Err(Error::Unsupported { what, value, limit: way_out }) }
    };
    let needs = |what, wanted: bool, has: u32, way_out: &str| {
        at_most(what, wanted.into(), has.into(), format!("its SMMU lacks it; {way_out}"))
    };

    let both = u64::from(idr0.s1p() & idr0.s2p());
    at_most(
        "nested translation",
        1,
        both,
        "its SMMU has one stage; assign the device without a virtual SMMU".into(),
    )?;
    at_most(
        "property 'ssidsize'",
        f.ssid_bits.into(),
        idr1.ssidsize().into(),
        format!("0 to {0}; set ssidsize={0}", idr1.ssidsize()),
    )?;
    let oas = AddressSize::from_encoding(idr5.oas().into());
    at_most(
        "property 'oas'",
        f.oas.bits().into(),
        oas.bits().into(),
        format!("32 to {0}; set oas={0}", oas.bits()),
    )?;
    needs("property 'granules' with 4k", f.gran4k, idr5.gran4k(), "leave 4k out of granules")?;
    needs("property 'granules' with 16k", f.gran16k, idr5.gran16k(), "leave 16k out of granules")?;
    needs("property 'granules' with 64k", f.gran64k, idr5.gran64k(), "leave 64k out of granules")?;
    needs("property 'vax'", f.va52, u32::from(idr5.vax() == 1), "set vax=off")?;
    needs(
        "two-level CD tables (IDR0.CD2L)",
        f.two_level_contexts && f.ssid_bits != 0,
        idr0.cd2l(),
        "set cd2l=off",
    )?;
    needs("16-bit ASIDs (IDR0.ASID16)", f.asid16, idr0.asid16(), "assign the device without a virtual SMMU")?;
    needs("property 'ril'", f.range_invalidation, idr3.ril(), "set ril=off")?;
    needs("property 'ats'", f.ats, idr0.ats(), "set ats=off,pri=off")?;
    needs("small translation tables (IDR3.STT)", f.small_tables, idr3.stt(), "set stt=off")?;
    let mixed = u32::from(idr0.ttendian() == 0);
    needs("big-endian translation tables (IDR0.TTENDIAN)", f.big_endian, mixed, "set big-endian=off")?;
    needs(
        "hierarchical attribute disable (IDR3.HAD)",
        f.stage1,
        idr3.had(),
        "assign the device without a virtual SMMU",
    )?;
    needs(
        "CD.A=0 (IDR0.TERM_MODEL)",
        f.raz_wi,
        u32::from(idr0.term_model() == 0),
        "assign the device without a virtual SMMU",
    )?;
    at_most(
        "property 'bbml'",
        f.bbml.into(),
        idr3.bbml().into(),
        format!("0 to {0}; set bbml={0}", idr3.bbml()),
    )?;
    let (httu, name) = match idr0.httu() {
        0 => (Httu::None, "off"),
        1 => (Httu::Access, "access"),
        _ => (Httu::Dirty, "dirty"),
    };
    let number = |httu| match httu {
        Httu::None => 0,
        Httu::Access => 1,
        Httu::Dirty => 2,
    };
    at_most(
        "property 'httu' (0 off, 1 access, 2 dirty)",
        number(f.httu),
        number(httu),
        format!("set httu={name}"),
    )?;
    let stalls = match (f.stall, idr0.stall_model()) {
        (StallModel::Off, 2) => Some("its SMMU stalls whatever CD.S says; set stall=force"),
        (StallModel::On | StallModel::Force, 1) => Some("its SMMU does not stall; set stall=off"),
        (StallModel::On, 2) => Some("its SMMU stalls whatever CD.S says; set stall=force"),
        _ => None,
    };
    let model = match f.stall {
        StallModel::On => 0,
        StallModel::Off => 1,
        StallModel::Force => 2,
    };
    match stalls {
        None => Ok(()),
        Some(way_out) => Err(Error::Unsupported {
            what: "property 'stall' (0 on, 1 off, 2 force)",
            value: model,
            limit: way_out.into(),
        }),
    }
}
