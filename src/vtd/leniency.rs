// SPDX-License-Identifier: GPL-2.0-or-later
//! Where the unit lets pass what the specification refuses, because QEMU's own `intel-iommu` does and programs live by it.
//!
//! Under `intel-iommu-rs` nothing of this holds. `intel-iommu-rs-compat`, which `replace=on` puts in the place of QEMU's
//! model, has all of it, each by a property of its own. `docs/replace.md` names the programs.

/// What is let pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leniency {
    /// The source-id of interrupts that the IOAPIC sends is not verified (`VTD §5.1.3`).
    pub ioapic_source: bool,
    /// Reserved values of interrupt remapping table entries are not looked at, but for the bits that are reserved whatever
    /// the mode: a destination outside bits 15:8 without extended mode, `IM` without posting, and delivery modes 3 and 6
    /// (`VTD §9.10`).
    pub irte_values: bool,
    /// Interrupt requests in compatibility format pass, whatever `CFIS` and `EIME` say (`VTD §5.1.2.1`).
    pub compatibility_format: bool,
    /// `IRTA.EIME` can be set without `ECAP.EIM` (`VTD §11.4.9.5`).
    pub extended_mode: bool,
    /// Reserved bits of PASID table entries, and bits of scalable mode context entries and of second-stage entries (`SNP`)
    /// that are reserved for want of a capability, are not looked at (`VTD §9.3`, `§9.6`, `§9.8`).
    pub scalable_entries: bool,
    /// Page walks set accessed and dirty flags whether they are coherent or not (`VTD §3.6.4`).
    pub flag_updates: bool,
}

impl Leniency {
    /// As QEMU's own model.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            ioapic_source: true,
            irte_values: true,
            compatibility_format: true,
            extended_mode: true,
            scalable_entries: true,
            flag_updates: true,
        }
    }
}
