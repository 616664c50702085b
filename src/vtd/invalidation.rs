// SPDX-License-Identifier: GPL-2.0-or-later
//! What software asks to be forgotten: invalidation descriptors and registers, decoded.

/// One invalidation of the caches for translation (`VTD §6.5.2`). Domain-ids are 16 bits, PASIDs 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// Every context entry, and PASID entries with them.
    ContextGlobal,
    /// Context entries of a domain.
    ContextDomain {
        /// Domain-id.
        domain: u16,
    },
    /// Context entries of a requester.
    ContextDevice {
        /// Domain-id that the entry was cached under.
        domain: u16,
        /// Source-id.
        source: u16,
        /// Number of low function bits of the source-id that do not matter: 0 to 3.
        function_mask: u8,
    },
    /// Every PASID entry.
    PasidGlobal,
    /// PASID entries of a domain.
    PasidDomain {
        /// Domain-id.
        domain: u16,
    },
    /// PASID entries of one PASID in a domain, of every requester.
    PasidSelective {
        /// Domain-id.
        domain: u16,
        /// PASID.
        pasid: u32,
    },
    /// Every translation, of first and second stage and nested.
    IotlbGlobal,
    /// Translations of a domain.
    IotlbDomain {
        /// Domain-id.
        domain: u16,
    },
    /// Translations of a range in a domain: of second stage and pass-through; nested and first-stage ones of the whole
    /// domain may go with them.
    IotlbPages {
        /// Domain-id.
        domain: u16,
        /// First input address, aligned to the size.
        addr: u64,
        /// Size of the range minus one; `u64::MAX` for everything.
        mask: u64,
        /// Only leaf entries have changed (`IH`).
        leaf: bool,
    },
    /// Translations of a PASID in a domain, the global ones among them too.
    PasidIotlb {
        /// Domain-id.
        domain: u16,
        /// PASID.
        pasid: u32,
    },
    /// Translations of a range of a PASID in a domain.
    PasidIotlbPages {
        /// Domain-id.
        domain: u16,
        /// PASID.
        pasid: u32,
        /// First input address, aligned to the size.
        addr: u64,
        /// Size of the range minus one; `u64::MAX` for everything.
        mask: u64,
        /// Only leaf entries have changed (`IH`).
        leaf: bool,
    },
}
