// SPDX-License-Identifier: GPL-2.0-or-later
//! From a guest's root, context and PASID table entries to what a host binds.

use super::super::error::Error;
use super::super::host::{Config, FaultRouting, FirstStage, VtdCapabilities};
use super::super::pasid_table::GuestPasidTable;
use crate::iommu::{Access, DmaRequest, GuestMemory, StreamId, SubstreamId};
use crate::vtd::config::{self, Action, Context, PasidTable, RequestKind, RootTable};
use crate::vtd::fault::FaultReason;
use crate::vtd::features::Features;
use crate::vtd::spec::capability::{Cap, Ecap};

/// Why the guest's entry is not bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The unit itself would not take it.
    #[error("its tables: {0:?}")]
    Fault(FaultReason),
    /// No host can do it, or this one cannot.
    #[error("{0}")]
    Host(Error),
}

/// What an address space of a device is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// What to bind; `None`: nothing, every request is refused.
    pub config: Option<Config>,
    /// Domain-id and PASID by which invalidations name it.
    pub tag: Option<(u16, SubstreamId)>,
    /// Who answers its page requests.
    pub routing: FaultRouting,
    /// Why it is not what the guest asks for.
    pub refused: Option<Refusal>,
}

impl TryFrom<GuestPasidTable> for PasidTable {
    type Error = Error;

    /// A table that was given by itself, without the context entry that would name it: requests with PASID and page requests
    /// are served.
    fn try_from(table: GuestPasidTable) -> Result<Self, Error> {
        match table {
            GuestPasidTable::Vtd { directory, pasid_bits, rid_pasid } => {
                Ok(Self { directory, pasid_bits, rid_pasid, with_pasid: true, page_requests: true })
            }
            GuestPasidTable::Smmuv3 { .. } => {
                Err(Error::Malformed("a CD table is bound as a whole, to an SMMUv3".into()))
            }
        }
    }
}

/// What the registers and the context entry say of a device.
pub(super) struct View {
    /// Requests without PASID, where it is not the PASID table's to say.
    rid: Option<Space>,
    /// The PASID table.
    pub table: Option<PasidTable>,
}

/// Looks at a device's context entry.
pub(super) fn view(mem: &dyn GuestMemory, f: &Features, root: Option<RootTable>, sid: StreamId) -> View {
    let request = DmaRequest { stream: sid, substream: None, addr: 0, access: Access::default(), tag: None };
    let passes = Space { config: Some(Config::Bypass), ..Space::default() };
    let Some(root) = root else { return View { rid: Some(passes), table: None } };
    match config::pasid_table(mem, f, &root, &request) {
        Ok(Some(table)) => View { rid: None, table: Some(table) },
        // Legacy mode.
        Ok(None) => {
            let found = config::lookup(mem, f, &root, &request, RequestKind::Untranslated);
            let rid = match found {
                Ok(context) if context.action() == Action::PassThrough => passes,
                Ok(_) => refused(Error::Unsupported {
                    what: "context entry TT",
                    value: 0,
                    limit: "pass-through (2), as the second stage in front of an assigned device is the host's own; a \
                            guest in scalable mode translates by the first stage"
                        .into(),
                }),
                Err(fault) => faulty(fault.reason),
            };
            View { rid: Some(rid), table: None }
        }
        Err(fault) => View { rid: Some(faulty(fault.reason)), table: None },
    }
}

impl View {
    /// Requests without PASID.
    pub(super) fn rid(
        &self,
        mem: &dyn GuestMemory,
        f: &Features,
        sid: StreamId,
        host: &VtdCapabilities,
    ) -> Space {
        match (&self.rid, &self.table) {
            (Some(space), _) => space.clone(),
            (None, Some(table)) => space(mem, f, table, sid, table.rid_pasid, host),
            (None, None) => Space::default(),
        }
    }
}

/// What a PASID table entry asks for (`VTD §9.6`).
///
/// | `PGTT` | of the guest              | bound                                           |
/// |--------|---------------------------|-------------------------------------------------|
/// | `001b` | first stage               | [`Config::FirstStage`], under the host's second |
/// | `010b` | second stage              | refused                                         |
/// | `011b` | first under second stage  | refused                                         |
/// | `100b` | pass-through              | [`Config::Bypass`]: the host's stage is left    |
///
/// A second stage of the guest's would be the third stage: the host has two, and its own is one of them.
#[must_use]
pub fn space(
    mem: &dyn GuestMemory,
    f: &Features,
    table: &PasidTable,
    sid: StreamId,
    pasid: SubstreamId,
    host: &VtdCapabilities,
) -> Space {
    let context = match table.entry(mem, f, sid, pasid) {
        Ok(context) => context,
        Err(fault)
            if fault.reason == FaultReason::PasidNotPresent
                || fault.reason == FaultReason::DirectoryNotPresent =>
        {
            return Space::default();
        }
        Err(fault) => return faulty(fault.reason),
    };
    let tag = Some((context.domain(), pasid));
    let space = match context.action() {
        Action::PassThrough => Space { config: Some(Config::Bypass), ..Space::default() },
        Action::FirstStage => match first_stage(&context, host) {
            Ok(first) => Space {
                config: Some(Config::FirstStage(first)),
                routing: if table.page_requests { FaultRouting::Queued } else { FaultRouting::Refused },
                ..Space::default()
            },
            Err(error) => refused(error),
        },
        action @ (Action::SecondStage | Action::Nested) => refused(Error::Unsupported {
            what: "PASID table entry PGTT",
            value: if action == Action::Nested { 3 } else { 2 },
            limit: "1 (first stage) or 4 (pass-through), as the second stage in front of an assigned device is the \
                    host's own; ssts=off keeps the guest from trying"
                .into(),
        }),
    };
    Space { tag, ..space }
}

/// Checks what the host would not take, or never see.
fn first_stage(context: &Context, host: &VtdCapabilities) -> Result<FirstStage, Error> {
    let (cap, ecap) = (Cap::from(host.cap), Ecap::from(host.ecap));
    let first = context.first_stage_binding();
    let needs = |what, asked: bool, has: u64, limit: &str| {
        if asked && has == 0 {
            Err(Error::Unsupported { what, value: 1, limit: limit.into() })
        } else {
            Ok(())
        }
    };
    needs(
        "PASID table entry FSPM",
        first.address_bits == 57,
        cap.fs5lp(),
        "0, 4-level paging; set fs5lp=off",
    )?;
    needs("PASID table entry SRE", first.supervisor_requests, ecap.srs(), "0; set supervisor-requests=off")?;
    needs("PASID table entry EAFE", first.extended_accessed, ecap.eafs(), "0; set eafs=off")?;
    needs(
        "PASID table entry ERE",
        context.executes(),
        0,
        "0, as a host binds it not; set execute-requests=off",
    )?;
    Ok(first)
}

fn refused(error: Error) -> Space {
    Space { refused: Some(Refusal::Host(error)), ..Space::default() }
}

fn faulty(reason: FaultReason) -> Space {
    Space { refused: Some(Refusal::Fault(reason)), ..Space::default() }
}
