// SPDX-License-Identifier: GPL-2.0-or-later
//! What a VT-d unit that a guest sees may offer in front of an assigned device: no more than the host's, for it is the host's
//! that does it.

use crate::nested::error::{Error, Result};
use crate::nested::host::VtdCapabilities;
use crate::vtd::features::Features;
use crate::vtd::spec::capability::{Cap, Ecap};

/// Checks the guest's unit against the host's.
///
/// # Errors
/// The first property that promises more than the host has.
pub fn check(f: &Features, host: &VtdCapabilities) -> Result<()> {
    let (cap, ecap) = (Cap::from(host.cap), Ecap::from(host.ecap));
    let needs = |what, wanted: bool, has: u64, way_out: &str| {
        if !wanted || has != 0 {
            return Ok(());
        }
        let limit = format!("its VT-d unit lacks it; {way_out}");
        Err(Error::Unsupported { what, value: 1, limit })
    };
    let without = "assign the device without a virtual IOMMU";
    needs("scalable mode (ECAP.SMTS)", true, ecap.smts(), without)?;
    needs("nested translation (ECAP.NEST)", true, ecap.nest(), without)?;
    needs("second-stage translation (ECAP.SSTS)", true, ecap.ssts(), without)?;
    needs("property 'fsts'", f.first_stage, ecap.fsts(), without)?;
    needs("property 'fs5lp'", f.fs5lp, cap.fs5lp(), "set fs5lp=off")?;
    needs("property 'fs1gp'", f.first_stage && f.fs1gp, cap.fs1gp(), "set fs1gp=off")?;
    let most = if ecap.pasid() == 0 { 0 } else { ecap.pss().saturating_add(1) };
    if u64::from(f.pasid_bits) > most {
        return Err(Error::Unsupported {
            what: "property 'pasid-bits'",
            value: f.pasid_bits.into(),
            limit: format!("0 to {most}; set pasid-bits={most}"),
        });
    }
    needs("property 'device-iotlb'", f.device_tlb, ecap.dt(), "set device-iotlb=off")?;
    needs("property 'svm'", f.page_requests, ecap.prs() & ecap.pds(), "set svm=off")?;
    needs(
        "property 'supervisor-requests'",
        f.supervisor_requests,
        ecap.srs(),
        "set supervisor-requests=off",
    )?;
    needs("property 'eafs'", f.extended_accessed, ecap.eafs(), "set eafs=off")?;
    needs("coherent page walks (ECAP.SMPWCS)", f.coherent && f.scalable, ecap.smpwcs(), without)?;
    // What a host binds does not say these.
    needs("property 'execute-requests'", f.execute_requests, 0, "set execute-requests=off")?;
    needs("property 'rid-priv'", f.rid_priv, 0, "set rid-priv=off")?;
    Ok(())
}
