// SPDX-License-Identifier: GPL-2.0-or-later
//! What paging entries say about who may do what with a page (`VTD §3.6.1`, `§3.7.1`), for walks and for cache hits
//! alike.

use crate::iommu::{Access, Permissions};
use crate::vtd::config::Context;
use crate::vtd::fault::FaultReason;

/// What all entries on the way to a page leave, before the PASID table entry has its say: it can be cached whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PagePerms(u8);

impl PagePerms {
    /// First stage: user requests are allowed.
    const USER: u8 = 1 << 0;
    /// First stage: not read-only.
    const WRITABLE: u8 = 1 << 1;
    /// First stage: `XD` somewhere.
    const EXECUTE_DISABLE: u8 = 1 << 2;
    /// Second stage: reads are allowed.
    const SECOND_READ: u8 = 1 << 3;
    /// Second stage: writes are allowed.
    const SECOND_WRITE: u8 = 1 << 4;
    /// A flag that a write must set is not set.
    const CLEAN: u8 = 1 << 5;

    /// A page that nothing forbids.
    pub(super) const ALL: Self = Self(Self::USER | Self::WRITABLE | Self::SECOND_READ | Self::SECOND_WRITE);

    /// As a byte, for a cache entry.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The inverse of [`bits`](Self::bits).
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x3f)
    }

    /// The page, as far as a first-stage entry leaves it.
    pub(super) const fn through_first(mut self, user: bool, writable: bool, execute_disable: bool) -> Self {
        if !user {
            self.0 &= !Self::USER;
        }
        if !writable {
            self.0 &= !Self::WRITABLE;
        }
        if execute_disable {
            self.0 |= Self::EXECUTE_DISABLE;
        }
        self
    }

    /// The page, as far as a second-stage entry leaves it.
    pub(super) const fn through_second(mut self, read: bool, write: bool) -> Self {
        if !read {
            self.0 &= !Self::SECOND_READ;
        }
        if !write {
            self.0 &= !Self::SECOND_WRITE;
        }
        self
    }

    /// The second stage allows reads.
    pub(super) const fn allows_second_read(self) -> bool {
        self.has(Self::SECOND_READ)
    }

    /// The second stage allows writes.
    pub(super) const fn allows_second_write(self) -> bool {
        self.has(Self::SECOND_WRITE)
    }

    /// What both leave.
    pub(super) const fn meet(self, other: Self) -> Self {
        const NEGATIVE: u8 = PagePerms::EXECUTE_DISABLE | PagePerms::CLEAN;
        Self((self.0 & other.0 & !NEGATIVE) | ((self.0 | other.0) & NEGATIVE))
    }

    /// The page, with a dirty flag that is not set.
    pub(super) const fn cleaned(self) -> Self {
        Self(self.0 | Self::CLEAN)
    }

    /// A write has to walk, to set a dirty flag.
    #[must_use]
    pub const fn is_clean(self) -> bool {
        self.0 & Self::CLEAN != 0
    }

    /// The same page once its entries say dirty.
    #[must_use]
    pub const fn dirtied(self) -> Self {
        Self(self.0 & !Self::CLEAN)
    }

    const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// What is allowed to privileged or user requests without another walk.
    #[must_use]
    pub fn permissions(self, context: &Context, privileged: bool) -> Permissions {
        let user = self.has(Self::USER);
        let reachable = privileged || user;
        let writable = self.has(Self::WRITABLE) || (privileged && !context.write_protects());
        let no_exec = (self.has(Self::EXECUTE_DISABLE) && context.execute_disables())
            || (privileged && user && context.supervisor_execute_prevented());
        let read = reachable && self.has(Self::SECOND_READ);
        Permissions {
            read,
            write: reachable && writable && self.has(Self::SECOND_WRITE) && !self.is_clean(),
            exec: read && !no_exec,
        }
    }
}

impl core::fmt::Debug for PagePerms {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let bit = |bit: u8, name: &'static str| if self.has(bit) { name } else { "-" };
        write!(
            f,
            "{}{}{} {}{}{}",
            bit(Self::USER, "u"),
            bit(Self::WRITABLE, "w"),
            bit(Self::EXECUTE_DISABLE, "xd"),
            bit(Self::SECOND_READ, "r2"),
            bit(Self::SECOND_WRITE, "w2"),
            if self.is_clean() { " clean" } else { "" },
        )
    }
}

/// Why a page cannot serve an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is forbidden.
    Forbidden(FaultReason),
    /// It is a write to a clean page: walk, so that the entries say dirty.
    Clean,
}

/// Judges an [effective](Context::effective_access) access to a page, cached or just walked.
#[must_use]
pub fn refuses(perms: PagePerms, context: &Context, access: Access) -> Option<Refusal> {
    let allowed = perms.dirtied().permissions(context, access.privileged);
    let reason = if !access.privileged && !perms.has(PagePerms::USER) {
        FaultReason::UserSupervisor
    } else if access.write && !allowed.write {
        if context.is_scalable() { FaultReason::ScalableWrite } else { FaultReason::Write }
    } else if access.read && !allowed.read {
        if context.is_scalable() { FaultReason::ScalableRead } else { FaultReason::Read }
    } else if access.exec && !allowed.exec {
        FaultReason::Execute
    } else {
        return (access.write && perms.is_clean()).then_some(Refusal::Clean);
    };
    Some(Refusal::Forbidden(reason))
}
