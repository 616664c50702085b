// SPDX-License-Identifier: GPL-2.0-or-later
//! A configuration as a table of the kernel's.

use super::context::{HardwareInfo, Object};
use super::queues::{long, word};
use super::uapi;
use crate::nested::error::{Error, Result};
use crate::nested::host::{
    Capabilities, Config, FirstStage, Invalidation, Smmuv3Capabilities, VtdCapabilities,
};
use crate::smmuv3::spec::ste::{Ste0, config};

/// What a binding is attached to.
#[derive(Debug)]
pub enum Attached {
    /// A table of its own.
    Own(Object),
    /// One that others use as well.
    Shared(u32),
    /// Nothing: requests are aborted.
    Nothing,
}

impl Attached {
    /// The table's number.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        match self {
            Self::Own(object) => Some(object.id()),
            Self::Shared(id) => Some(*id),
            Self::Nothing => None,
        }
    }
}

/// What the kernel tells of an IOMMU.
///
/// # Errors
/// It is one whose guest tables are not known here.
pub fn capabilities(info: &HardwareInfo) -> Result<Capabilities> {
    let data = info.data.as_slice();
    match info.kind {
        uapi::hw_info::ARM_SMMUV3 => {
            let register = |n: usize| word(data, n.saturating_mul(4).saturating_add(8));
            Ok(Capabilities::Smmuv3(Smmuv3Capabilities {
                idr: [register(0), register(1), register(2), register(3), register(4), register(5)],
                iidr: register(6),
                aidr: register(7),
                pasid_bits: info.pasid_bits,
            }))
        }
        uapi::hw_info::INTEL_VTD => Ok(Capabilities::Vtd(VtdCapabilities {
            cap: long(data, 8),
            ecap: long(data, 16),
            pasid_bits: info.pasid_bits,
            writable_stage2_only: word(data, 0) & uapi::hw_info::VTD_WRITABLE_ONLY != 0,
        })),
        kind => Err(Error::Unsupported {
            what: "the host's IOMMU, of type",
            value: kind.into(),
            limit: "SMMUv3 (2) and VT-d (1) are known; or the kernel tells nothing of it".into(),
        }),
    }
}

/// The entry of a stream that has no CD table.
#[must_use]
pub fn stream_without_table(abort: bool) -> uapi::HwptArmSmmuv3 {
    let how = if abort { config::ABORT } else { config::BYPASS };
    stream([Ste0::from(0).with_v(1).with_config(how).bits(), 0])
}

/// The entry of a stream.
#[must_use]
pub fn stream(ste: [u64; 2]) -> uapi::HwptArmSmmuv3 {
    uapi::HwptArmSmmuv3 { ste: ste.map(u64::to_le) }
}

/// A first-stage table.
#[must_use]
pub fn first_stage(table: &FirstStage) -> uapi::HwptVtdS1 {
    let flag = |on: bool, bit: u64| if on { bit } else { 0 };
    uapi::HwptVtdS1 {
        flags: flag(table.supervisor_requests, uapi::vtd_s1::SRE)
            | flag(table.write_protect, uapi::vtd_s1::WPE)
            | flag(table.extended_accessed, uapi::vtd_s1::EAFE),
        pgtbl_addr: table.table,
        addr_width: table.address_bits.into(),
        reserved: 0,
    }
}

/// Refuses a configuration of the other architecture.
///
/// # Errors
/// It is one.
pub fn belongs(config: &Config, capabilities: &Capabilities) -> Result<()> {
    let refuse = |what, value, limit: &str| Err(Error::Unsupported { what, value, limit: limit.into() });
    match (config, capabilities) {
        (Config::CdTable { ste: [word, _] }, Capabilities::Vtd(_)) => {
            refuse("a CD table, STE word 0", *word, "the host has a VT-d, which binds first-stage tables")
        }
        (Config::FirstStage(first), Capabilities::Smmuv3(_)) => {
            refuse("a first-stage table at", first.table, "the host has an SMMUv3, which binds CD tables")
        }
        _ => Ok(()),
    }
}

/// Invalidations of an SMMUv3, as the kernel takes them.
#[must_use]
pub fn commands(batch: &[Invalidation]) -> Vec<uapi::ArmSmmuv3Invalidate> {
    batch
        .iter()
        .map_while(|entry| match entry {
            Invalidation::Smmuv3(cmd) => Some(uapi::ArmSmmuv3Invalidate { cmd: cmd.map(u64::to_le) }),
            Invalidation::FirstStage { .. } => None,
        })
        .collect()
}

/// Pages of a first-stage table, as the kernel takes them.
#[must_use]
pub fn pages(addr: u64, pages: u64, leaf: bool) -> uapi::VtdS1Invalidate {
    uapi::VtdS1Invalidate {
        addr,
        npages: pages,
        flags: if leaf { uapi::invalidate::VTD_LEAF } else { 0 },
        reserved: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nested::BindingId;

    #[test]
    fn what_the_kernel_tells_of_each() {
        let mut info = HardwareInfo { kind: 1, pasid_bits: 20, capabilities: 0, data: [0; 64] };
        info.data[0] = 1;
        info.data[8] = 0x11;
        info.data[16] = 0x22;
        let told = capabilities(&info).expect("a VT-d");
        assert_eq!(
            told,
            Capabilities::Vtd(VtdCapabilities {
                cap: 0x11,
                ecap: 0x22,
                pasid_bits: 20,
                writable_stage2_only: true
            })
        );
        let words: Vec<u8> = (0u32..16).flat_map(|n| (n * 3).to_ne_bytes()).collect();
        info = HardwareInfo { kind: 2, data: words.try_into().expect("64 bytes"), ..info };
        let Ok(Capabilities::Smmuv3(smmu)) = capabilities(&info) else { panic!("an SMMUv3") };
        assert_eq!((smmu.idr, smmu.iidr, smmu.aidr), ([6, 9, 12, 15, 18, 21], 24, 27));
        info.kind = 4;
        assert!(capabilities(&info).expect_err("an AMD IOMMU").to_string().contains("0x4"));
    }

    #[test]
    fn entries_without_a_table() {
        assert_eq!(stream_without_table(true).ste, [1u64.to_le(), 0]);
        assert_eq!(stream_without_table(false).ste, [0b1001u64.to_le(), 0]);
    }

    #[test]
    fn commands_up_to_the_other_architectures() {
        let first = Invalidation::FirstStage { binding: BindingId(1), addr: 0, pages: 1, leaf: false };
        let batch = [Invalidation::Smmuv3([1, 2]), Invalidation::Smmuv3([3, 4]), first];
        assert_eq!(commands(&batch).len(), 2);
        assert_eq!(commands(&batch[2..]).len(), 0);
    }
}
