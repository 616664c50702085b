// SPDX-License-Identifier: GPL-2.0-or-later
//! Permissions (direct permission scheme: Arm ARM §D8.4; `IHI0070 §13.4.1`, `§13.4.3`), for walks and for cache hits
//! alike.

use super::Stage;
use super::first::TableLimits;
use crate::iommu::{Access, Permissions};
use crate::smmuv3::config::{StreamContext, StreamWorld};
use crate::smmuv3::features::Features;
use crate::smmuv3::spec::pte::{Pte, S2Pte};

/// Everything that the tables say about who may do what with a page: of stage 1, what `AP`, `PXN`, `UXN`, the table
/// attributes above them and `CD.{WXN,PAN,HD}` leave; of stage 2, `S2AP`, `XN` and `STE.S2HD`. Seven bits, and the same
/// seven of stage 1 alone, so that it can be cached whole.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PagePerms(u16);

impl PagePerms {
    const PRIVILEGED_READ: u16 = 1 << 0;
    const PRIVILEGED_WRITE: u16 = 1 << 1;
    const PRIVILEGED_EXEC: u16 = 1 << 2;
    const READ: u16 = 1 << 3;
    const WRITE: u16 = 1 << 4;
    const EXEC: u16 = 1 << 5;
    const CLEAN: u16 = 1 << 6;
    /// What no stage 1 at all allows.
    pub(super) const ALL: Self = Self::of_stage(0x3f);
    /// Where stage 1's own begin.
    const FIRST: u32 = 8;

    /// As a number, for a cache entry.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The inverse of [`bits`](Self::bits).
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & 0x7f7f)
    }

    /// The permissions of one stage alone.
    const fn of_stage(bits: u16) -> Self {
        Self(bits | bits << Self::FIRST)
    }

    /// What stage 1 says by itself.
    #[must_use]
    const fn first(self) -> Self {
        Self::of_stage(self.0 >> Self::FIRST)
    }

    /// What `self`, of stage 1, and stage 2 both allow.
    #[must_use]
    pub const fn meet(self, second: Self) -> Self {
        let both = self.0 & second.0 & !Self::CLEAN;
        let writes = both & (Self::PRIVILEGED_WRITE | Self::WRITE) != 0;
        let clean = if writes { (self.0 | second.0) & Self::CLEAN } else { 0 };
        Self(both & 0x7f | clean | self.0 & 0x7f00)
    }

    /// The permissions of a stage 2 page or block (Arm ARM §D8.4.2; `IHI0070 §3.13.3.1`). Without `IDR3.XNX` privilege
    /// makes no difference.
    #[must_use]
    pub(super) const fn of_second(pte: S2Pte, update_dirty: bool, xnx: bool) -> Self {
        let modifiable = update_dirty && pte.dbm() != 0;
        let mut bits = 0;
        if pte.s2ap0() != 0 {
            bits |= Self::PRIVILEGED_READ | Self::READ;
        }
        if pte.s2ap1() != 0 || modifiable {
            bits |= Self::PRIVILEGED_WRITE | Self::WRITE;
        }
        if pte.s2ap1() == 0 && modifiable {
            bits |= Self::CLEAN;
        }
        if pte.xn1() == 0 {
            bits |= Self::EXEC;
        }
        let no_privileged_exec = if xnx { pte.xn1() ^ pte.xn0() } else { pte.xn1() };
        if no_privileged_exec == 0 {
            bits |= Self::PRIVILEGED_EXEC;
        }
        Self::of_stage(bits)
    }

    /// Writable, but the descriptor does not say dirty yet: a write has to walk, to set it.
    #[must_use]
    pub const fn is_clean(self) -> bool {
        self.0 & Self::CLEAN != 0
    }

    /// The same page once its descriptor says dirty.
    #[must_use]
    pub const fn dirtied(self) -> Self {
        Self(self.0 & !(Self::CLEAN | Self::CLEAN << Self::FIRST))
    }

    /// A refused request as its record shows it: an atomic that may write and may not read is refused as a read
    /// (`IHI0070 §13.1.1`). A writable-clean page may be written.
    #[must_use]
    pub(in super::super) const fn refused(self, access: Access, checked: Access) -> Access {
        let allowed = self.dirtied().permissions(checked.privileged);
        let only_reads = checked.read && checked.write && allowed.write && !allowed.read;
        Access { write: access.write && !only_reads, ..access }
    }

    const fn denies(self, access: Access) -> bool {
        let allowed = self.dirtied().permissions(access.privileged);
        (access.write && !allowed.write)
            || (access.exec && !allowed.exec)
            || (access.read && !access.exec && !allowed.read)
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
        let bit = |bit: u16, name: char| if self.0 & bit != 0 { name } else { '-' };
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
    /// It is forbidden by that stage: `F_PERMISSION`.
    Permission(Stage),
    /// It is a write to a writable-clean page: walk, so that the descriptor says dirty.
    Clean,
}

/// Judges an access to a page, cached or just walked, and says what else that page may be used for by requests of
/// the same privilege.
///
/// # Errors
/// The [`Refusal`], of stage 1 if both refuse. Of a cached page, [`Refusal::Permission`] may be out of date only as far as the guest owes an
/// invalidation, so it can be reported as it stands.
pub fn check(
    perms: PagePerms,
    f: &Features,
    context: &StreamContext,
    access: Access,
) -> Result<Permissions, Refusal> {
    let checked = context.checked_access(f, access);
    match refuses(perms, checked) {
        Some(refusal) => Err(refusal),
        None => Ok(context.granted(f, access, perms.permissions(checked.privileged))),
    }
}

/// [`check`] of an access that is [to be checked](StreamContext::checked_access) as it is.
pub(super) fn refuses(perms: PagePerms, access: Access) -> Option<Refusal> {
    if perms.denies(access) {
        let stage = if perms.first().denies(access) { Stage::First } else { Stage::Second };
        Some(Refusal::Permission(stage))
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
    f: &Features,
    pte: Pte,
    update_dirty: bool,
    limits: TableLimits,
    context: &StreamContext,
) -> PagePerms {
    if context.world() == StreamWorld::El2 {
        return of_el2_leaf(pte, update_dirty, limits, context);
    }
    let cd = context.cd0();
    let (wxn, pan) = (cd.wxn() != 0, cd.pan() != 0);
    let modifiable = update_dirty && pte.dbm() != 0;
    let writable = (pte.ap2() == 0 || modifiable) && !limits.read_only;
    let clean = writable && pte.ap2() != 0;

    let read = pte.ap1() != 0 && !limits.no_unprivileged || f.leniency.privilege;
    let write = read && writable;
    let no_exec = pte.uxn() != 0 || limits.no_unprivileged_exec || (wxn && write);
    // What EL0 may write, EL1 may not execute.
    let no_privileged_exec = pte.pxn() != 0 || limits.no_privileged_exec || write || (wxn && writable);
    // PAN is about data; execution is not affected.
    let privileged_data = !(pan && read);

    let bit = |on: bool, bit: u16| if on { bit } else { 0 };
    PagePerms::of_stage(
        bit(privileged_data, PagePerms::PRIVILEGED_READ)
            | bit(privileged_data && writable, PagePerms::PRIVILEGED_WRITE)
            | bit(!no_privileged_exec, PagePerms::PRIVILEGED_EXEC)
            | bit(read, PagePerms::READ)
            | bit(write, PagePerms::WRITE)
            | bit(!no_exec, PagePerms::EXEC)
            | bit(clean, PagePerms::CLEAN),
    )
}

/// [`of_leaf`] at EL2, where `AP[1]`, `PXN` and their like in tables mean nothing and `UXN` is `XN` (`IHI0070 §13.4.1`;
/// Arm ARM §D8.4). Privilege makes no difference.
fn of_el2_leaf(pte: Pte, update_dirty: bool, limits: TableLimits, context: &StreamContext) -> PagePerms {
    let modifiable = update_dirty && pte.dbm() != 0;
    let writable = (pte.ap2() == 0 || modifiable) && !limits.read_only;
    let clean = writable && pte.ap2() != 0;
    let no_exec = pte.uxn() != 0 || limits.no_unprivileged_exec || (context.cd0().wxn() != 0 && writable);
    let bit = |on: bool, bit: u16| if on { bit } else { 0 };
    PagePerms::of_stage(
        PagePerms::PRIVILEGED_READ
            | PagePerms::READ
            | bit(writable, PagePerms::PRIVILEGED_WRITE | PagePerms::WRITE)
            | bit(!no_exec, PagePerms::PRIVILEGED_EXEC | PagePerms::EXEC)
            | bit(clean, PagePerms::CLEAN),
    )
}
