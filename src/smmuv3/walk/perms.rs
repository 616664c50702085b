// SPDX-License-Identifier: GPL-2.0-or-later
//! Stage 1 permissions (EL1&0, direct permission scheme: Arm ARM §D8.4; `IHI0070 §13.4.1`), for walks and for cache
//! hits alike.

use super::TableLimits;
use crate::iommu::{Access, Permissions};
use crate::smmuv3::config::StreamContext;
use crate::smmuv3::features::Features;
use crate::smmuv3::spec::pte::Pte;

/// Everything stage 1 says about who may do what with a page: what `AP`, `PXN`, `UXN`, the table attributes above
/// them and `CD.{WXN,PAN,HD}` leave. Seven bits, so that it can be cached whole.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PagePerms(u8);

impl PagePerms {
    const PRIVILEGED_READ: u8 = 1 << 0;
    const PRIVILEGED_WRITE: u8 = 1 << 1;
    const PRIVILEGED_EXEC: u8 = 1 << 2;
    const READ: u8 = 1 << 3;
    const WRITE: u8 = 1 << 4;
    const EXEC: u8 = 1 << 5;
    const CLEAN: u8 = 1 << 6;

    /// As a byte, for a cache entry.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The inverse of [`bits`](Self::bits).
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x7f)
    }

    /// Writable, but the descriptor does not say dirty yet: a write has to walk, to set it.
    #[must_use]
    pub const fn is_clean(self) -> bool {
        self.0 & Self::CLEAN != 0
    }

    /// The same page once its descriptor says dirty.
    #[must_use]
    pub const fn dirtied(self) -> Self {
        Self(self.0 & !Self::CLEAN)
    }

    /// What is allowed to privileged or unprivileged requests without another walk.
    #[must_use]
    pub const fn permissions(self, privileged: bool) -> Permissions {
        let bits = if privileged { self.0 } else { self.0 >> 3 };
        Permissions {
            read: bits & Self::PRIVILEGED_READ != 0,
            write: bits & Self::PRIVILEGED_WRITE != 0 && !self.is_clean(),
            exec: bits & Self::PRIVILEGED_EXEC != 0,
        }
    }
}

impl core::fmt::Debug for PagePerms {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let bit = |bit: u8, name: char| if self.0 & bit != 0 { name } else { '-' };
        write!(
            f,
            "priv={}{}{} user={}{}{}{}",
            bit(Self::PRIVILEGED_READ, 'r'),
            bit(Self::PRIVILEGED_WRITE, 'w'),
            bit(Self::PRIVILEGED_EXEC, 'x'),
            bit(Self::READ, 'r'),
            bit(Self::WRITE, 'w'),
            bit(Self::EXEC, 'x'),
            if self.is_clean() { " clean" } else { "" },
        )
    }
}

/// Why a page cannot serve an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is forbidden: `F_PERMISSION`.
    Permission,
    /// It is a write to a writable-clean page: walk, so that the descriptor says dirty.
    Clean,
}

/// Judges an access to a page, cached or just walked, and says what else that page may be used for by requests of
/// the same privilege.
///
/// # Errors
/// The [`Refusal`]. Of a cached page, [`Refusal::Permission`] may be out of date only as far as the guest owes an
/// invalidation, so it can be reported as it stands.
pub fn check(
    perms: PagePerms,
    f: &Features,
    context: &StreamContext,
    access: Access,
) -> Result<Permissions, Refusal> {
    let access = context.effective_access(f, access);
    match refuses(perms, access) {
        Some(refusal) => Err(refusal),
        None => Ok(perms.permissions(access.privileged)),
    }
}

/// [`check`] of an access that is already [effective](StreamContext::effective_access).
pub(super) fn refuses(perms: PagePerms, access: Access) -> Option<Refusal> {
    let allowed = perms.dirtied().permissions(access.privileged);
    let denied = (access.write && !allowed.write)
        || (access.exec && !allowed.exec)
        || (access.read && !access.exec && !allowed.read);
    if denied {
        Some(Refusal::Permission)
    } else if access.write && perms.is_clean() {
        Some(Refusal::Clean)
    } else {
        None
    }
}

/// The permissions of a page or block.
///
/// With dirty state update, a descriptor with `DBM` counts as writable (`AP[2]` as 0) in everything that follows
/// from it; where table attributes make it read-only it is just that (`IHI0070 §3.13.3.1`).
pub(super) fn of_leaf(
    pte: Pte,
    update_dirty: bool,
    limits: TableLimits,
    context: &StreamContext,
) -> PagePerms {
    let cd = context.cd0();
    let (wxn, pan) = (cd.wxn() != 0, cd.pan() != 0);
    let modifiable = update_dirty && pte.dbm() != 0;
    let writable = (pte.ap2() == 0 || modifiable) && !limits.read_only;
    let clean = writable && pte.ap2() != 0;

    let read = pte.ap1() != 0 && !limits.no_unprivileged;
    let write = read && writable;
    let no_exec = pte.uxn() != 0 || limits.no_unprivileged_exec || (wxn && write);
    // What EL0 may write, EL1 may not execute.
    let no_privileged_exec = pte.pxn() != 0 || limits.no_privileged_exec || write || (wxn && writable);
    // PAN is about data; execution is not affected.
    let privileged_data = !(pan && read);

    let bit = |on: bool, bit: u8| if on { bit } else { 0 };
    PagePerms(
        bit(privileged_data, PagePerms::PRIVILEGED_READ)
            | bit(privileged_data && writable, PagePerms::PRIVILEGED_WRITE)
            | bit(!no_privileged_exec, PagePerms::PRIVILEGED_EXEC)
            | bit(read, PagePerms::READ)
            | bit(write, PagePerms::WRITE)
            | bit(!no_exec, PagePerms::EXEC)
            | bit(clean, PagePerms::CLEAN),
    )
}
