// SPDX-License-Identifier: GPL-2.0-or-later
//! A binding that ends when it is dropped.

use std::fmt;
use std::sync::Arc;

use super::error::Result;
use super::host::{BindingId, Config, DeviceId, FaultRouting, Host};
use crate::iommu::SubstreamId;
use crate::iommu::log_limit::HOST_ERRORS;

/// What a device, or one of its PASIDs, is bound to, for as long as this lives.
pub struct Binding {
    host: Arc<dyn Host>,
    id: BindingId,
    device: DeviceId,
    pasid: Option<SubstreamId>,
    config: Config,
}

impl Binding {
    /// Binds.
    ///
    /// # Errors
    /// See [`Host::bind`].
    pub fn new(
        host: &Arc<dyn Host>,
        device: DeviceId,
        pasid: Option<SubstreamId>,
        config: Config,
        faults: FaultRouting,
    ) -> Result<Self> {
        let id = host.bind(device, pasid, &config, faults)?;
        Ok(Self { host: Arc::clone(host), id, device, pasid, config })
    }

    /// Binds to something else, without a moment in between.
    ///
    /// # Errors
    /// See [`Host::replace`]; then the old configuration holds, and [`config`](Self::config) says so.
    pub fn replace(&mut self, config: Config, faults: FaultRouting) -> Result<()> {
        self.host.replace(self.id, &config, faults)?;
        self.config = config;
        Ok(())
    }

    /// The host's name of it.
    #[must_use]
    pub fn id(&self) -> BindingId {
        self.id
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The PASID; `None` for the device itself.
    #[must_use]
    pub fn pasid(&self) -> Option<SubstreamId> {
        self.pasid
    }

    /// What holds now.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        if let Err(e) = self.host.unbind(self.id) {
            log::warn!(target: HOST_ERRORS, "device {}: unbinding: {e}", self.device.0);
        }
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding")
            .field("id", &self.id)
            .field("device", &self.device)
            .field("pasid", &self.pasid)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
