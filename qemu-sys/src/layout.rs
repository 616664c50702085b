// SPDX-License-Identifier: GPL-2.0-or-later
//! Sizes and offsets that code built against these bindings relies on, by the names that QEMU's
//! `-device-plugin` reports its own under.

use core::mem::{offset_of, size_of};

use crate as sys;

/// The Rust name of a C member.
macro_rules! offset {
    ($ty:ident, impl) => {
        offset_of!(sys::$ty, impl_)
    };
    ($ty:ident, ref) => {
        offset_of!(sys::$ty, ref_)
    };
    ($ty:ident, $member:tt) => {
        offset_of!(sys::$ty, $member)
    };
}

macro_rules! layout {
    ([$($size:ident)*] $($ty:ident: [$($member:tt)*];)*) => {
        /// `sizeof TYPE` and `offsetof TYPE.MEMBER`, in bytes.
        pub const LAYOUT: &[(&str, usize)] = &[
            $((concat!("sizeof ", stringify!($size)), size_of::<sys::$size>()),)*
            $($((concat!("offsetof ", stringify!($ty), ".", stringify!($member)), offset!($ty, $member)),)*)*
        ];
    };
}

layout! {
    [
        Object ObjectClass TypeInfo InterfaceInfo InterfaceClass DeviceState DeviceClass BusState Property
        PropertyInfo ResettableClass ResettablePhases MemReentrancyGuard SysBusDevice SysBusDeviceClass
        PCIDevice PCIExpressDevice PCIDeviceClass PCIBus PCIIOMMUOps IOMMUPRINotifier IOMMUPRIResponse
        PCIDMAReq PCIDMAClientOps ArmSMMUv3Info ArmSMMUv3InterfaceClass X86IOMMUState X86IOMMUClass
        IntelIOMMUInfo IntelIOMMUInterfaceClass MemoryRegion MemoryRegionOps
        IOMMUMemoryRegion IOMMUMemoryRegionClass IOMMUTLBEntry IOMMUTLBEvent IOMMUNotifier AddressSpace
        MemTxAttrs VMStateDescription VMStateField VMStateInfo QEMUTimer rcu_reader_data
        MemoryListener MemoryRegionSection MSIMessage HostIOMMUDeviceIOMMUFD TraceEvent
    ]
    TypeInfo: [interfaces];
    DeviceState: [realized mem_reentrancy_guard id parent_bus];
    DeviceClass: [categories user_creatable hotpluggable realize unrealize vmsd];
    Property: [offset defval];
    ResettableClass: [phases];
    SysBusDevice: [mmio];
    PCIDevice: [config wmask devfn bus_master_as is_master cap_present exp dma_client_ops msix_table_mmio msix_pba_mmio];
    PCIExpressDevice: [exp_cap pasid_cap pri_cap ats_cap];
    PCIDeviceClass: [realize config_write class_id];
    PCIBus: [iommu_ops iommu_opaque parent_dev];
    PCIIOMMUOps: [get_address_space ats_request_translation pri_request_page dma_translate ats_inv_done];
    PCIDMAReq: [addr tag];
    ArmSMMUv3InterfaceClass: [get_info];
    X86IOMMUState: [intr_supported dt_supported dma_translation];
    X86IOMMUClass: [realize int_remap];
    IntelIOMMUInterfaceClass: [get_info];
    MemoryRegion: [opaque ram readonly rom_device ram_device container];
    MemoryRegionOps: [read_with_attrs endianness valid impl];
    IOMMUMemoryRegion: [iommu_notify_flags];
    IOMMUMemoryRegionClass: [translate get_min_page_size notify_flag_changed replay attrs_to_index num_indexes];
    IOMMUTLBEntry: [addr_mask perm];
    IOMMUNotifier: [notifier_flags];
    VMStateDescription: [priority pre_save post_load fields subsections unmigratable];
    VMStateField: [offset info flags vmsd];
    rcu_reader_data: [ctr waiting depth node];
    MemoryListener: [commit region_add name];
    MemoryRegionSection: [mr offset_within_region readonly];
    HostIOMMUDeviceIOMMUFD: [devid];
    TraceEvent: [dstate];
    AddressSpace: [current_map];
    Object: [ref];
    VMStateInfo: [load save];
}
