// SPDX-License-Identifier: GPL-2.0-or-later
//! Structures and numbers of `<linux/iommufd.h>` and, at the end, of `<linux/vfio.h>`: types, and no algorithms.
//!
//! Every structure that is an argument of an `ioctl` begins with its own size, which [`ioctl`](super::ioctl) fills in. What
//! is reserved is named so and is zero. Sizes and offsets are asserted when this is compiled.

use super::ioctl::{Request, UserPointer};

/// Asserts a structure's size and where its fields are.
macro_rules! layout {
    ($type:ty, $size:literal, $($field:ident: $offset:literal),+) => {
        const _: () = {
            assert!(size_of::<$type>() == $size);
            $(assert!(core::mem::offset_of!($type, $field) == $offset);)+
        };
    };
}

/// `IOMMU_DESTROY`
pub const DESTROY: Request<Destroy> = Request::new(0x3b80);
/// `IOMMU_IOAS_ALLOC`
pub const IOAS_ALLOC: Request<IoasAlloc> = Request::new(0x3b81);
/// `IOMMU_IOAS_MAP`
pub const IOAS_MAP: Request<IoasMap> = Request::new(0x3b85);
/// `IOMMU_IOAS_UNMAP`
pub const IOAS_UNMAP: Request<IoasUnmap> = Request::new(0x3b86);
/// `IOMMU_HWPT_ALLOC`
pub const HWPT_ALLOC: Request<HwptAlloc> = Request::new(0x3b89);
/// `IOMMU_GET_HW_INFO`
pub const GET_HW_INFO: Request<HwInfo> = Request::new(0x3b8a);
/// `IOMMU_HWPT_INVALIDATE`
pub const HWPT_INVALIDATE: Request<HwptInvalidate> = Request::new(0x3b8d);
/// `IOMMU_FAULT_QUEUE_ALLOC`
pub const FAULT_QUEUE_ALLOC: Request<FaultQueueAlloc> = Request::new(0x3b8e);
/// `IOMMU_VIOMMU_ALLOC`
pub const VIOMMU_ALLOC: Request<ViommuAlloc> = Request::new(0x3b90);
/// `IOMMU_VDEVICE_ALLOC`
pub const VDEVICE_ALLOC: Request<VdeviceAlloc> = Request::new(0x3b91);
/// `IOMMU_VEVENTQ_ALLOC`
pub const VEVENTQ_ALLOC: Request<VeventqAlloc> = Request::new(0x3b93);
/// `VFIO_DEVICE_GET_REGION_INFO`
pub const VFIO_REGION_INFO: Request<VfioRegionInfo> = Request::new(0x3b6c);
/// `VFIO_DEVICE_RESET`, which has no argument.
pub const VFIO_RESET: u16 = 0x3b6f;
/// `VFIO_DEVICE_BIND_IOMMUFD`
pub const VFIO_BIND: Request<VfioBind> = Request::new(0x3b76);
/// `VFIO_DEVICE_ATTACH_IOMMUFD_PT`
pub const VFIO_ATTACH: Request<VfioAttach> = Request::new(0x3b77);
/// `VFIO_DEVICE_DETACH_IOMMUFD_PT`
pub const VFIO_DETACH: Request<VfioDetach> = Request::new(0x3b78);

/// `struct iommu_destroy`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Destroy {
    /// Size of this structure.
    pub size: u32,
    /// Of any object.
    pub id: u32,
}
layout!(Destroy, 8, id: 4);

/// `struct iommu_ioas_alloc`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct IoasAlloc {
    /// Size of this structure.
    pub size: u32,
    /// 0
    pub flags: u32,
    /// Out.
    pub out_ioas_id: u32,
}
layout!(IoasAlloc, 12, flags: 4, out_ioas_id: 8);

/// Bits of [`IoasMap::flags`].
pub mod map {
    /// `IOMMU_IOAS_MAP_FIXED_IOVA`
    pub const FIXED_IOVA: u32 = 1 << 0;
    /// `IOMMU_IOAS_MAP_WRITEABLE`
    pub const WRITEABLE: u32 = 1 << 1;
    /// `IOMMU_IOAS_MAP_READABLE`
    pub const READABLE: u32 = 1 << 2;
}

/// `struct iommu_ioas_map`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct IoasMap {
    /// Size of this structure.
    pub size: u32,
    /// [`map`]
    pub flags: u32,
    /// Where.
    pub ioas_id: u32,
    /// 0
    pub reserved: u32,
    /// Address in this process.
    pub user_va: u64,
    /// Bytes.
    pub length: u64,
    /// In and out.
    pub iova: u64,
}
layout!(IoasMap, 40, flags: 4, ioas_id: 8, user_va: 16, length: 24, iova: 32);

/// `struct iommu_ioas_unmap`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct IoasUnmap {
    /// Size of this structure.
    pub size: u32,
    /// Where.
    pub ioas_id: u32,
    /// First address.
    pub iova: u64,
    /// Bytes; out: how many were unmapped.
    pub length: u64,
}
layout!(IoasUnmap, 24, ioas_id: 4, iova: 8, length: 16);

/// Bits of [`HwptAlloc::flags`].
pub mod hwpt {
    /// `IOMMU_HWPT_ALLOC_NEST_PARENT`
    pub const NEST_PARENT: u32 = 1 << 0;
    /// `IOMMU_HWPT_FAULT_ID_VALID`
    pub const FAULT_ID_VALID: u32 = 1 << 2;
    /// `IOMMU_HWPT_ALLOC_PASID`
    pub const PASID: u32 = 1 << 3;
    /// `IOMMU_HWPT_DATA_NONE`
    pub const DATA_NONE: u32 = 0;
    /// `IOMMU_HWPT_DATA_VTD_S1`
    pub const DATA_VTD_S1: u32 = 1;
    /// `IOMMU_HWPT_DATA_ARM_SMMUV3`
    pub const DATA_ARM_SMMUV3: u32 = 2;
}

/// `struct iommu_hwpt_alloc`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HwptAlloc {
    /// Size of this structure.
    pub size: u32,
    /// [`hwpt`]
    pub flags: u32,
    /// For this device's IOMMU.
    pub dev_id: u32,
    /// An IOAS, a nesting parent, or a vIOMMU.
    pub pt_id: u32,
    /// Out.
    pub out_hwpt_id: u32,
    /// 0
    pub reserved: u32,
    /// `enum iommu_hwpt_data_type`
    pub data_type: u32,
    /// Bytes at `data`.
    pub data_len: u32,
    /// What the driver wants to know.
    pub data: UserPointer,
    /// Counts with [`hwpt::FAULT_ID_VALID`].
    pub fault_id: u32,
    /// 0
    pub reserved2: u32,
}
layout!(HwptAlloc, 48, flags: 4, dev_id: 8, pt_id: 12, out_hwpt_id: 16, data_type: 24, data_len: 28, data: 32, fault_id: 40);

/// Bits of [`HwptVtdS1::flags`].
pub mod vtd_s1 {
    /// `IOMMU_VTD_S1_SRE`
    pub const SRE: u64 = 1 << 0;
    /// `IOMMU_VTD_S1_EAFE`
    pub const EAFE: u64 = 1 << 1;
    /// `IOMMU_VTD_S1_WPE`
    pub const WPE: u64 = 1 << 2;
}

/// `struct iommu_hwpt_vtd_s1`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HwptVtdS1 {
    /// [`vtd_s1`]
    pub flags: u64,
    /// Guest-physical.
    pub pgtbl_addr: u64,
    /// 48 or 57.
    pub addr_width: u32,
    /// 0
    pub reserved: u32,
}
layout!(HwptVtdS1, 24, pgtbl_addr: 8, addr_width: 16);

/// `struct iommu_hwpt_arm_smmuv3`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HwptArmSmmuv3 {
    /// Little-endian.
    pub ste: [u64; 2],
}
layout!(HwptArmSmmuv3, 16, ste: 0);

/// Values of [`HwInfo::data_type`].
pub mod hw_info {
    /// `IOMMU_HW_INFO_TYPE_INTEL_VTD`
    pub const INTEL_VTD: u32 = 1;
    /// `IOMMU_HW_INFO_TYPE_ARM_SMMUV3`
    pub const ARM_SMMUV3: u32 = 2;
    /// `IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17`
    pub const VTD_WRITABLE_ONLY: u32 = 1 << 0;
}

/// `struct iommu_hw_info`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HwInfo {
    /// Size of this structure.
    pub size: u32,
    /// 0
    pub flags: u32,
    /// Whose IOMMU.
    pub dev_id: u32,
    /// Bytes at `data`; out: how many the kernel has.
    pub data_len: u32,
    /// Takes what the driver tells.
    pub data: UserPointer,
    /// Out: [`hw_info`].
    pub data_type: u32,
    /// Out.
    pub out_max_pasid_log2: u8,
    /// 0
    pub reserved: [u8; 3],
    /// Out: `enum iommufd_hw_capabilities`.
    pub out_capabilities: u64,
}
layout!(HwInfo, 40, dev_id: 8, data_len: 12, data: 16, data_type: 24, out_max_pasid_log2: 28, out_capabilities: 32);

/// `struct iommu_hw_info_vtd`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HwInfoVtd {
    /// [`hw_info::VTD_WRITABLE_ONLY`]
    pub flags: u32,
    /// 0
    pub reserved: u32,
    /// `CAP_REG`
    pub cap: u64,
    /// `ECAP_REG`
    pub ecap: u64,
}
layout!(HwInfoVtd, 24, cap: 8, ecap: 16);

/// `struct iommu_hw_info_arm_smmuv3`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HwInfoArmSmmuv3 {
    /// 0
    pub flags: u32,
    /// 0
    pub reserved: u32,
    /// `SMMU_IDR0` to `SMMU_IDR5`
    pub idr: [u32; 6],
    /// `SMMU_IIDR`
    pub iidr: u32,
    /// `SMMU_AIDR`
    pub aidr: u32,
}
layout!(HwInfoArmSmmuv3, 40, idr: 8, iidr: 32, aidr: 36);

/// Values of [`HwptInvalidate::data_type`].
pub mod invalidate {
    /// `IOMMU_HWPT_INVALIDATE_DATA_VTD_S1`
    pub const VTD_S1: u32 = 0;
    /// `IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3`
    pub const ARM_SMMUV3: u32 = 1;
    /// `IOMMU_VTD_INV_FLAGS_LEAF`
    pub const VTD_LEAF: u32 = 1 << 0;
}

/// `struct iommu_hwpt_invalidate`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HwptInvalidate {
    /// Size of this structure.
    pub size: u32,
    /// A nested table, or a vIOMMU.
    pub hwpt_id: u32,
    /// The entries.
    pub data: UserPointer,
    /// [`invalidate`]
    pub data_type: u32,
    /// Bytes of one entry.
    pub entry_len: u32,
    /// How many; out: how many were carried out.
    pub entry_num: u32,
    /// 0
    pub reserved: u32,
}
layout!(HwptInvalidate, 32, hwpt_id: 4, data: 8, data_type: 16, entry_len: 20, entry_num: 24);

/// `struct iommu_hwpt_vtd_s1_invalidate`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct VtdS1Invalidate {
    /// A multiple of 4 KiB.
    pub addr: u64,
    /// Of 4 KiB; [`u64::MAX`] with address 0: everything.
    pub npages: u64,
    /// [`invalidate::VTD_LEAF`]
    pub flags: u32,
    /// 0
    pub reserved: u32,
}
layout!(VtdS1Invalidate, 24, npages: 8, flags: 16);

/// `struct iommu_viommu_arm_smmuv3_invalidate`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ArmSmmuv3Invalidate {
    /// Little-endian.
    pub cmd: [u64; 2],
}
layout!(ArmSmmuv3Invalidate, 16, cmd: 0);

/// `struct iommu_fault_alloc`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultQueueAlloc {
    /// Size of this structure.
    pub size: u32,
    /// 0
    pub flags: u32,
    /// Out.
    pub out_fault_id: u32,
    /// Out.
    pub out_fault_fd: u32,
}
layout!(FaultQueueAlloc, 16, out_fault_id: 8, out_fault_fd: 12);

/// Bits of `struct iommu_hwpt_pgfault`, which is read from a fault queue, and codes of what is written to it.
pub mod fault {
    /// `sizeof(struct iommu_hwpt_pgfault)`: flags, dev_id, pasid, grpid, perm, 0; addr, 64 bits; length, cookie.
    pub const SIZE: usize = 40;
    /// `IOMMU_PGFAULT_FLAGS_PASID_VALID`
    pub const PASID_VALID: u32 = 1 << 0;
    /// `IOMMU_PGFAULT_FLAGS_LAST_PAGE`
    pub const LAST_PAGE: u32 = 1 << 1;
    /// `IOMMU_PGFAULT_PERM_READ`
    pub const READ: u32 = 1 << 0;
    /// `IOMMU_PGFAULT_PERM_WRITE`
    pub const WRITE: u32 = 1 << 1;
    /// `IOMMU_PGFAULT_PERM_EXEC`
    pub const EXEC: u32 = 1 << 2;
    /// `IOMMU_PGFAULT_PERM_PRIV`
    pub const PRIVILEGED: u32 = 1 << 3;
    /// `IOMMUFD_PAGE_RESP_SUCCESS`
    pub const SUCCESS: u32 = 0;
    /// `IOMMUFD_PAGE_RESP_INVALID`
    pub const INVALID: u32 = 1;
}

/// `IOMMU_VIOMMU_TYPE_ARM_SMMUV3`
pub const VIOMMU_ARM_SMMUV3: u32 = 1;

/// `struct iommu_viommu_alloc`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ViommuAlloc {
    /// Size of this structure.
    pub size: u32,
    /// 0
    pub flags: u32,
    /// `enum iommu_viommu_type`
    pub kind: u32,
    /// For this device's IOMMU.
    pub dev_id: u32,
    /// The nesting parent.
    pub hwpt_id: u32,
    /// Out.
    pub out_viommu_id: u32,
    /// Bytes at `data`.
    pub data_len: u32,
    /// 0
    pub reserved: u32,
    /// What the driver wants to know.
    pub data: UserPointer,
}
layout!(ViommuAlloc, 40, kind: 8, dev_id: 12, hwpt_id: 16, out_viommu_id: 20, data_len: 24, data: 32);

/// `struct iommu_vdevice_alloc`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct VdeviceAlloc {
    /// Size of this structure.
    pub size: u32,
    /// Whose.
    pub viommu_id: u32,
    /// Which device.
    pub dev_id: u32,
    /// Out.
    pub out_vdevice_id: u32,
    /// What the guest calls it.
    pub virt_id: u64,
}
layout!(VdeviceAlloc, 24, viommu_id: 4, dev_id: 8, out_vdevice_id: 12, virt_id: 16);

/// Of what is read from an event queue.
pub mod event {
    /// `sizeof(struct iommufd_vevent_header)`: flags, sequence.
    pub const HEADER: usize = 8;
    /// `IOMMU_VEVENTQ_FLAG_LOST_EVENTS`
    pub const LOST: u32 = 1 << 0;
    /// The sequence goes on with 0 after this.
    pub const LAST_SEQUENCE: u32 = 0x7fff_ffff;
    /// `IOMMU_VEVENTQ_TYPE_ARM_SMMUV3`
    pub const ARM_SMMUV3: u32 = 1;
    /// `sizeof(struct iommu_vevent_arm_smmuv3)`
    pub const ARM_SMMUV3_SIZE: usize = 32;
}

/// `struct iommu_veventq_alloc`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct VeventqAlloc {
    /// Size of this structure.
    pub size: u32,
    /// 0
    pub flags: u32,
    /// Whose.
    pub viommu_id: u32,
    /// `enum iommu_veventq_type`
    pub kind: u32,
    /// How many events it holds, 1 to 2^19.
    pub veventq_depth: u32,
    /// Out.
    pub out_veventq_id: u32,
    /// Out.
    pub out_veventq_fd: u32,
    /// 0
    pub reserved: u32,
}
layout!(VeventqAlloc, 32, viommu_id: 8, kind: 12, veventq_depth: 16, out_veventq_id: 20, out_veventq_fd: 24);

/// `struct vfio_region_info`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct VfioRegionInfo {
    /// Size of this structure.
    pub argsz: u32,
    /// Out.
    pub flags: u32,
    /// Which: a BAR, or 7 for configuration space.
    pub index: u32,
    /// Out.
    pub cap_offset: u32,
    /// Out, in bytes.
    pub size: u64,
    /// Out, in the device's file.
    pub offset: u64,
}
layout!(VfioRegionInfo, 32, flags: 4, index: 8, size: 16, offset: 24);

/// `struct vfio_device_bind_iommufd`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct VfioBind {
    /// Size of this structure.
    pub argsz: u32,
    /// 0
    pub flags: u32,
    /// Descriptor.
    pub iommufd: i32,
    /// Out.
    pub out_devid: u32,
    /// Counts with a flag that is not used here.
    pub token: UserPointer,
}
layout!(VfioBind, 24, flags: 4, iommufd: 8, out_devid: 12, token: 16);

/// `VFIO_DEVICE_ATTACH_PASID`, `VFIO_DEVICE_DETACH_PASID`
pub const VFIO_PASID: u32 = 1 << 0;

/// `struct vfio_device_attach_iommufd_pt`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct VfioAttach {
    /// Size of this structure.
    pub argsz: u32,
    /// [`VFIO_PASID`]
    pub flags: u32,
    /// An IOAS or a table.
    pub pt_id: u32,
    /// Counts with the flag.
    pub pasid: u32,
}
layout!(VfioAttach, 16, flags: 4, pt_id: 8, pasid: 12);

/// `struct vfio_device_detach_iommufd_pt`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct VfioDetach {
    /// Size of this structure.
    pub argsz: u32,
    /// [`VFIO_PASID`]
    pub flags: u32,
    /// Counts with the flag.
    pub pasid: u32,
}
layout!(VfioDetach, 12, flags: 4, pasid: 8);
