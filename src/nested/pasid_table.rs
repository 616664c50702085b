// SPDX-License-Identifier: GPL-2.0-or-later
//! "Bind this guest PASID table", for both architectures.
//!
//! On Arm that is one binding of a stream to a CD table, which the host's SMMU walks by itself. A VT-d unit in scalable mode
//! cannot do it: its PASID entries hold the host's second stage, and so the guest's directory is walked, each entry bound by
//! itself, and this repeated where the guest invalidates its PASID cache.

use super::error::{Error, Result};
use super::host::{Capabilities, Config};
use crate::iommu::SubstreamId;
use crate::smmuv3::spec::ste::{Ste0, Ste1, config};

/// Version of [`PasidTableConfig`].
pub const PASID_TABLE_CONFIG_VERSION: u32 = 1;

/// Log2 of the entries that one PASID directory entry of VT-d covers (`VTD §9.5`).
const LEAF_BITS: u8 = 6;

/// A guest's PASID table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestPasidTable {
    /// A CD table: the bits of STE words 0 and 1 that [`Config::CdTable`] takes.
    Smmuv3 {
        /// The two words.
        ste: [u64; 2],
    },
    /// A PASID directory in scalable mode.
    Vtd {
        /// Its guest-physical address, a multiple of 4 KiB.
        directory: u64,
        /// PASIDs from `2^pasid_bits` on are beyond it (`PDTS`).
        pasid_bits: u8,
        /// The PASID of requests without PASID (`RID_PASID`).
        rid_pasid: SubstreamId,
    },
}

/// `struct pasid_table_config` of the API that was proposed for Linux in 2018: the same four fields.
///
/// It was made for a table that the hardware walks by itself, and says less than an SMMUv3 wants to know; what it lacks is an
/// argument of [`smmuv3`](Self::smmuv3).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasidTableConfig {
    /// [`PASID_TABLE_CONFIG_VERSION`].
    pub version: u32,
    /// Size of this structure, or of a later and longer one, in bytes.
    pub bytes: u32,
    /// Guest-physical address of the table.
    pub base_ptr: u64,
    /// Width of PASIDs, 1 to 20 bits.
    pub pasid_bits: u8,
}

impl PasidTableConfig {
    /// A configuration of this version.
    #[must_use]
    pub fn new(base_ptr: u64, pasid_bits: u8) -> Self {
        Self {
            version: PASID_TABLE_CONFIG_VERSION,
            bytes: u32::try_from(size_of::<Self>()).unwrap_or(u32::MAX),
            base_ptr,
            pasid_bits,
        }
    }

    /// Checks it against a host.
    ///
    /// # Errors
    /// The version, the size, the address's alignment (64 bytes on Arm, 4 KiB on VT-d) or the width is not one the host takes.
    pub fn validate(&self, capabilities: &Capabilities) -> Result<()> {
        let unsupported = |what, value, limit: String| Err(Error::Unsupported { what, value, limit });
        if self.version != PASID_TABLE_CONFIG_VERSION {
            return unsupported(
                "pasid_table_config.version",
                self.version.into(),
                format!("version {PASID_TABLE_CONFIG_VERSION} alone is known"),
            );
        }
        let size = Self::new(0, 0).bytes;
        if self.bytes < size {
            return unsupported(
                "pasid_table_config.bytes",
                self.bytes.into(),
                format!("the structure has {size} bytes at least"),
            );
        }
        let (align, have) = match capabilities {
            Capabilities::Smmuv3(c) => (64, c.pasid_bits),
            Capabilities::Vtd(c) => (4096, c.pasid_bits),
        };
        if !self.base_ptr.is_multiple_of(align) {
            return unsupported(
                "pasid_table_config.base_ptr",
                self.base_ptr,
                format!("a table is aligned to {align} bytes"),
            );
        }
        if self.pasid_bits == 0 || self.pasid_bits > have {
            return unsupported(
                "pasid_table_config.pasid_bits",
                self.pasid_bits.into(),
                format!("1 to {have} bits, which is what the device behind it has"),
            );
        }
        Ok(())
    }

    /// The table that it means to a host, with `s1fmt` and `s1dss` as for [`smmuv3`](Self::smmuv3).
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn table(&self, capabilities: &Capabilities, s1fmt: u64, s1dss: u64) -> Result<GuestPasidTable> {
        self.validate(capabilities)?;
        Ok(match capabilities {
            Capabilities::Smmuv3(_) => self.smmuv3(s1fmt, s1dss),
            Capabilities::Vtd(_) => self.vtd(),
        })
    }

    /// The CD table, with what the structure does not say: `S1Fmt` (`IHI0070 §5.2`) and `S1DSS`.
    #[must_use]
    pub fn smmuv3(&self, s1fmt: u64, s1dss: u64) -> GuestPasidTable {
        let word0 = Ste0::from(0)
            .with_v(1)
            .with_config(config::S1)
            .with_s1fmt(s1fmt)
            .with_s1contextptr(self.base_ptr >> 6)
            .with_s1cdmax(self.pasid_bits.into());
        GuestPasidTable::Smmuv3 { ste: [word0.bits(), Ste1::from(0).with_s1dss(s1dss).bits()] }
    }

    /// The PASID directory; requests without PASID use PASID 0.
    #[must_use]
    pub fn vtd(&self) -> GuestPasidTable {
        // A directory has one entry at least, and its size goes in whole entries.
        GuestPasidTable::Vtd {
            directory: self.base_ptr,
            pasid_bits: self.pasid_bits.max(LEAF_BITS),
            rid_pasid: 0,
        }
    }
}

impl GuestPasidTable {
    /// The one binding that stands for the whole table, where the host's IOMMU can walk it.
    #[must_use]
    pub fn whole(&self) -> Option<Config> {
        match self {
            Self::Smmuv3 { ste } => Some(Config::CdTable { ste: *ste }),
            Self::Vtd { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nested::{Smmuv3Capabilities, VtdCapabilities};

    fn arm() -> Capabilities {
        Capabilities::Smmuv3(Smmuv3Capabilities { idr: [0; 6], iidr: 0, aidr: 0, pasid_bits: 16 })
    }

    fn vtd() -> Capabilities {
        Capabilities::Vtd(VtdCapabilities { cap: 0, ecap: 0, pasid_bits: 20, writable_stage2_only: false })
    }

    #[test]
    fn the_structure_of_2018_has_its_layout() {
        assert_eq!(size_of::<PasidTableConfig>(), 24);
        assert_eq!(std::mem::offset_of!(PasidTableConfig, base_ptr), 8);
        assert_eq!(std::mem::offset_of!(PasidTableConfig, pasid_bits), 16);
    }

    #[test]
    fn what_a_host_cannot_do_is_named() {
        for (config, host, named) in [
            (PasidTableConfig { version: 2, ..PasidTableConfig::new(0, 8) }, arm(), "version"),
            (PasidTableConfig { bytes: 16, ..PasidTableConfig::new(0, 8) }, arm(), "bytes"),
            (PasidTableConfig::new(32, 8), arm(), "base_ptr"),
            (PasidTableConfig::new(64, 8), vtd(), "base_ptr"),
            (PasidTableConfig::new(0, 17), arm(), "pasid_bits"),
            (PasidTableConfig::new(0, 0), vtd(), "pasid_bits"),
        ] {
            let refused = config.validate(&host).expect_err("more than the host can do").to_string();
            assert!(refused.contains(named), "{refused}");
        }
        assert_eq!(PasidTableConfig::new(64, 16).validate(&arm()), Ok(()));
        assert_eq!(PasidTableConfig::new(4096, 20).validate(&vtd()), Ok(()));
        let longer = PasidTableConfig { bytes: 64, ..PasidTableConfig::new(4096, 20) };
        assert_eq!(longer.validate(&vtd()), Ok(()), "a later, longer structure");
    }

    #[test]
    fn a_table_of_either_architecture() {
        let table = PasidTableConfig::new(0x1234_5000, 10).smmuv3(1, 2);
        let Some(Config::CdTable { ste: [low, high] }) = table.whole() else { panic!("{table:?}") };
        let low = Ste0::from(low);
        assert_eq!((low.v(), low.config(), low.s1fmt(), low.s1cdmax()), (1, config::S1, 1, 10));
        assert_eq!((low.s1contextptr() << 6, Ste1::from(high).s1dss()), (0x1234_5000, 2));
        assert_eq!(
            PasidTableConfig::new(0x1000, 3).vtd(),
            GuestPasidTable::Vtd { directory: 0x1000, pasid_bits: 6, rid_pasid: 0 }
        );
    }
}
