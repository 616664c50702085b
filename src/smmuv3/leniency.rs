// SPDX-License-Identifier: GPL-2.0-or-later
//! Where the SMMU lets pass what the specification refuses, because QEMU's own `arm-smmuv3` does and programs live by it.
//!
//! Under `arm-smmuv3-rs` nothing of this holds. `arm-smmuv3-rs-compat`, which `replace=on` puts in the place of QEMU's
//! model, has all of it, each by a property of its own. `docs/replace.md` names the programs.

/// What is let pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leniency {
    /// Commands for what is not there (EL2, EL3, ATS, page requests, stalls) do nothing, and a range invalidation without a
    /// range is of one granule (`IHI0070 §4.1.4`, `§4.4.1.1`: `CERROR_ILL`).
    pub commands: bool,
    /// Unprivileged requests have the access to data that privileged ones have: `AP[1]` and `APTable[0]` are not looked at
    /// (Arm ARM §D8.4).
    pub privilege: bool,
}

impl Leniency {
    /// As QEMU's own model.
    #[must_use]
    pub const fn all() -> Self {
        Self { commands: true, privilege: true }
    }
}
