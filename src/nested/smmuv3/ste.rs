// SPDX-License-Identifier: GPL-2.0-or-later
//! From a guest's STE to what a host binds.

use super::super::error::Error;
use super::super::host::{Config, Smmuv3Capabilities};
use crate::iommu::{Access, DmaRequest, GuestMemory, StreamId};
use crate::smmuv3::config::{self, StreamAction, StreamContext, StreamTable, StreamWorld};
use crate::smmuv3::fault::FaultKind;
use crate::smmuv3::features::Features;
use crate::smmuv3::spec::id::{Idr0, Idr1};
use crate::smmuv3::spec::ste::{Ste0, Ste1, config as ste_config, eats, s1fmt};

/// Why the guest's STE is not bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The SMMU itself would not take it.
    #[error("its STE is {0:?}")]
    Fault(FaultKind),
    /// No host can do it, or this one cannot.
    #[error("{0}")]
    Host(Error),
}

/// What the STE of a stream asks for.
///
/// | `Config` | of the guest                  | bound                                             |
/// |----------|-------------------------------|---------------------------------------------------|
/// | `0b0xx`  | abort                         | [`Config::Abort`]                                 |
/// | `0b100`  | both stages bypass            | [`Config::Bypass`]: the host's stage 2 is left    |
/// | `0b101`  | stage 1 translates            | [`Config::CdTable`], under the host's stage 2     |
/// | `0b110`  | stage 2 translates            | refused                                           |
/// | `0b111`  | stage 1 under stage 2         | refused                                           |
///
/// A stage 2 of the guest's would be the third stage: the host has two, and its own is one of them.
///
/// # Errors
/// There is nothing that could be bound; the device is to be aborted.
pub fn config_of(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &StreamTable,
    sid: StreamId,
    host: &Smmuv3Capabilities,
) -> Result<Config, Refusal> {
    let request = DmaRequest { stream: sid, substream: None, addr: 0, access: Access::default(), tag: None };
    let context = config::lookup_ste(mem, f, table, &request).map_err(|fault| Refusal::Fault(fault.kind))?;
    match context.action() {
        StreamAction::Abort => Ok(Config::Abort),
        StreamAction::Bypass => Ok(Config::Bypass),
        StreamAction::FirstStage => {
            expressible(f, &context, host).map_err(Refusal::Host)?;
            Ok(Config::CdTable { ste: cd_table(f, &context) })
        }
        StreamAction::SecondStage | StreamAction::Nested => Err(Refusal::Host(Error::Unsupported {
            what: "STE.Config",
            value: context.ste0().config(),
            limit: "stage 2 in front of an assigned device is the host's own; 0b101 translates by stage 1, and stage=1 \
                    keeps the guest from trying"
                .into(),
        })),
    }
}

/// Checks what the host would find illegal, or never see.
fn expressible(f: &Features, context: &StreamContext, host: &Smmuv3Capabilities) -> Result<(), Error> {
    let unsupported = |what, value, limit: String| Err(Error::Unsupported { what, value, limit });
    let [idr0, idr1, ..] = host.idr;
    let (ste0, ste1) = (context.ste0(), context.ste1());
    if context.world() != StreamWorld::El1 {
        return unsupported(
            "STE.STRW",
            ste1.strw(),
            "0, for an assigned device is translated as EL1's; set hyp=off".into(),
        );
    }
    if f.ssid_bits != 0 {
        let most = u64::from(Idr1::from(idr1).ssidsize());
        if ste0.s1cdmax() > most {
            return unsupported("STE.S1CDMax", ste0.s1cdmax(), format!("0 to {most}; set ssidsize={most}"));
        }
        let two_level = matches!(ste0.s1fmt(), s1fmt::LEAF_4K | s1fmt::LEAF_64K);
        if ste0.s1cdmax() != 0 && two_level && Idr0::from(idr0).cd2l() == 0 {
            return unsupported(
                "STE.S1Fmt",
                ste0.s1fmt(),
                "0, as its CD tables are linear; set cd2l=off".into(),
            );
        }
    }
    if f.ats && ste1.eats() != eats::NONE && Idr0::from(idr0).ats() == 0 {
        return unsupported("STE.EATS", ste1.eats(), "0, as it has no ATS; set ats=off".into());
    }
    if f.attr_perms_override && (ste1.privcfg() > 1 || ste1.instcfg() > 1) {
        return unsupported(
            "STE.PRIVCFG and INSTCFG",
            ste1.instcfg() << 2 | ste1.privcfg(),
            "0, as a host binds neither".into(),
        );
    }
    Ok(())
}

/// The bits of an STE that are the guest's to choose.
fn cd_table(f: &Features, context: &StreamContext) -> [u64; 2] {
    let (ste0, ste1) = (context.ste0(), context.ste1());
    // Without substreams these are ignored, and the host has substreams.
    let (format, log2) = if f.ssid_bits == 0 { (0, 0) } else { (ste0.s1fmt(), ste0.s1cdmax()) };
    let eats = if f.ats { ste1.eats() } else { eats::NONE };
    let low = Ste0::default()
        .with_v(1)
        .with_config(ste_config::S1)
        .with_s1fmt(format)
        .with_s1contextptr(ste0.s1contextptr())
        .with_s1cdmax(log2);
    let high = Ste1::default()
        .with_s1dss(ste1.s1dss())
        .with_s1cir(ste1.s1cir())
        .with_s1cor(ste1.s1cor())
        .with_s1csh(ste1.s1csh())
        .with_s1stalld(ste1.s1stalld())
        .with_eats(eats);
    [low.bits(), high.bits()]
}
