// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest's PASID table, bound as a whole: what `bind_pasid_table` of 2018 was to be, for a program that models no IOMMU of a
//! guest's but knows where the table is.
//!
//! On Arm it is one binding, and the host's SMMU walks the table. On VT-d each entry that is present is bound by itself, and
//! [`sync`](BoundPasidTable::sync) is to be called where the guest invalidates its PASID cache.

use std::fmt;
use std::sync::Arc;

use super::binding::Binding;
use super::error::{Error, Result};
use super::host::{BindingId, Capabilities, Config, DeviceId, FaultRouting, Host, VtdCapabilities};
use super::pasid_table::GuestPasidTable;
use super::sorted::SortedMap;
use super::vtd::{Refusal, Space, space};
use crate::iommu::{GuestMemory, SubstreamId};
use crate::vtd::config::PasidTable;
use crate::vtd::features::Features;
use crate::vtd::spec::capability::{Cap, Ecap};

/// An entry that is not bound as the guest has it. Requests that need it are refused.
pub type NotBound = (Option<SubstreamId>, Refusal);

/// A bound table. Dropping it ends every binding of it.
pub struct BoundPasidTable {
    host: Arc<dyn Host>,
    device: DeviceId,
    faults: FaultRouting,
    /// Requests without PASID; with a CD table all of them.
    whole: Binding,
    entries: Option<Entries>,
}

/// VT-d's entries.
#[derive(Debug)]
struct Entries {
    table: PasidTable,
    capabilities: VtdCapabilities,
    bound: SortedMap<SubstreamId, Binding>,
}

impl BoundPasidTable {
    /// Binds a table, and says which of its entries were left out. For a CD table the device has to have its
    /// [name](Host::add_virtual_device).
    ///
    /// # Errors
    /// It is of another architecture than the host, or the host fails; then nothing is bound.
    pub fn new(
        host: &Arc<dyn Host>,
        device: DeviceId,
        table: GuestPasidTable,
        mem: &dyn GuestMemory,
        faults: FaultRouting,
    ) -> Result<(Self, Vec<NotBound>)> {
        let entries = match (host.capabilities(device)?, table.whole()) {
            (Capabilities::Smmuv3(_), Some(config)) => {
                let whole = Binding::new(host, device, None, config, faults)?;
                return Ok((
                    Self { host: Arc::clone(host), device, faults, whole, entries: None },
                    Vec::new(),
                ));
            }
            (Capabilities::Vtd(capabilities), None) => {
                Entries { table: table.try_into()?, capabilities, bound: SortedMap::new() }
            }
            (Capabilities::Smmuv3(_), None) | (Capabilities::Vtd(_), Some(_)) => {
                return Err(Error::Malformed("a PASID table of another architecture than the host's".into()));
            }
        };
        let whole = Binding::new(host, device, None, Config::Abort, FaultRouting::Refused)?;
        let mut bound = Self { host: Arc::clone(host), device, faults, whole, entries: Some(entries) };
        let left_out = bound.sync(mem, None);
        Ok((bound, left_out))
    }

    /// The guest has changed an entry, or any (`None`), and invalidates its PASID cache. Says which are left out now. What a
    /// host's hardware walks needs no such thing, and nothing is done.
    pub fn sync(&mut self, mem: &dyn GuestMemory, pasid: Option<SubstreamId>) -> Vec<NotBound> {
        let Some(entries) = &mut self.entries else { return Vec::new() };
        let (table, features) = (entries.table, features(&entries.capabilities));
        let look = |pasid| space(mem, &features, &table, 0, pasid, &entries.capabilities);
        let mut left_out = Vec::new();
        if pasid.is_none_or(|pasid| pasid == table.rid_pasid) {
            let Space { config, refused, .. } = look(table.rid_pasid);
            left_out.extend(refused.map(|refusal| (None, refusal)));
            let config = config.unwrap_or(Config::Abort);
            let faults = routing(&config, self.faults);
            if config != *self.whole.config()
                && let Err(error) = self.whole.replace(config, faults)
            {
                left_out.push((None, Refusal::Host(error)));
                if let Err(error) = self.whole.replace(Config::Abort, FaultRouting::Refused) {
                    left_out.push((None, Refusal::Host(error)));
                }
            }
        }
        // PASID 0 of a host is what requests without PASID have.
        let mut candidates: Vec<SubstreamId> = match pasid {
            Some(pasid) => vec![pasid],
            None => entries.bound.keys().copied().collect(),
        };
        if pasid.is_none() {
            table.for_each_present(mem, &features, |pasid| {
                if !entries.bound.contains_key(&pasid) {
                    candidates.push(pasid);
                }
                candidates.len() < super::vtd::PASIDS
            });
        }
        for pasid in candidates.into_iter().filter(|pasid| *pasid != 0) {
            let Space { config, refused, .. } = look(pasid);
            left_out.extend(refused.map(|refusal| (Some(pasid), refusal)));
            let Some(config) = config else {
                drop(entries.bound.remove(&pasid));
                continue;
            };
            let faults = routing(&config, self.faults);
            let done = match entries.bound.get_mut(&pasid) {
                Some(known) if config == *known.config() => Ok(()),
                Some(known) => known.replace(config, faults),
                None => Binding::new(&self.host, self.device, Some(pasid), config, faults).map(|binding| {
                    let _ = entries.bound.insert(pasid, binding);
                }),
            };
            if let Err(error) = done {
                // Nothing of what the guest has taken back.
                drop(entries.bound.remove(&pasid));
                left_out.push((Some(pasid), Refusal::Host(error)));
            }
        }
        left_out
    }

    /// The binding of an address space, for invalidations: of requests without PASID, and with a CD table of all.
    #[must_use]
    pub fn binding(&self, pasid: Option<SubstreamId>) -> Option<BindingId> {
        match (&self.entries, pasid) {
            (Some(entries), Some(pasid)) => entries.bound.get(&pasid).map(Binding::id),
            _ => Some(self.whole.id()),
        }
    }
}

impl fmt::Debug for BoundPasidTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundPasidTable")
            .field("whole", &self.whole)
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}

/// Only what a first stage lacks can be asked for.
fn routing(config: &Config, faults: FaultRouting) -> FaultRouting {
    if matches!(config, Config::FirstStage(_)) { faults } else { FaultRouting::Refused }
}

/// A unit that can what the host's can, as far as its entries tell.
fn features(host: &VtdCapabilities) -> Features {
    let (cap, ecap) = (Cap::from(host.cap), Ecap::from(host.ecap));
    Features {
        pasid_bits: host.pasid_bits,
        fs5lp: cap.fs5lp() != 0,
        fs1gp: cap.fs1gp() != 0,
        supervisor_requests: ecap.srs() != 0,
        extended_accessed: ecap.eafs() != 0,
        ..Features::default()
    }
}
