// SPDX-License-Identifier: GPL-2.0-or-later
//! Invalidation descriptors (`VTD §6.5.2`, `§7.5.1`).

use super::PageRequest;

/// Context-cache invalidation, global.
pub const CONTEXT_GLOBAL: [u64; 4] = [0x1 | 1 << 4, 0, 0, 0];
/// IOTLB invalidation, global.
pub const IOTLB_GLOBAL: [u64; 4] = [0x2 | 1 << 4, 0, 0, 0];
/// PASID-cache invalidation, global.
pub const PASID_GLOBAL: [u64; 4] = [0x7 | 3 << 4, 0, 0, 0];

/// Interrupt entry cache invalidation, global.
pub const INTERRUPTS_GLOBAL: [u64; 4] = [0x4, 0, 0, 0];

/// IOTLB invalidation of a domain's page, leaf or not.
pub fn iotlb_page(did: u64, address: u64) -> [u64; 4] {
    [0x2 | 3 << 4 | did << 16, address & !0xfff, 0, 0]
}

/// PASID-based IOTLB invalidation of one page.
pub fn pasid_iotlb_page(did: u64, pasid: u32, address: u64) -> [u64; 4] {
    [0x6 | 3 << 4 | did << 16 | u64::from(pasid) << 32, address & !0xfff, 0, 0]
}

/// Device-TLB invalidation of one page.
pub fn device_tlb_page(source: u64, address: u64) -> [u64; 4] {
    [0x3 | source << 32, address & !0xfff, 0, 0]
}

/// Device-TLB invalidation of everything.
pub fn device_tlb_all(source: u64) -> [u64; 4] {
    [0x3 | source << 32, 0x7fff_ffff_ffff_f000 | 1, 0, 0]
}

/// PASID-based device-TLB invalidation of one page.
pub fn pasid_device_tlb_page(source: u64, pasid: u32, address: u64) -> [u64; 4] {
    [0x8 | source << 16 | u64::from(pasid) << 32, address & !0xfff, 0, 0]
}

/// The same of every PASID, for endpoints that can tell (`G`).
pub fn pasid_device_tlb_page_global(source: u64, pasid: u32, address: u64) -> [u64; 4] {
    let [first, second, ..] = pasid_device_tlb_page(source, pasid, address);
    [first, second | 1, 0, 0]
}

/// Invalidation wait that writes `data` to `address`.
pub fn wait(address: u64, data: u32) -> [u64; 4] {
    [0x5 | 1 << 5 | u64::from(data) << 32, address, 0, 0]
}

/// The same, with a page request drain.
pub fn wait_drained(address: u64, data: u32) -> [u64; 4] {
    [0x5 | 1 << 7 | 1 << 5 | u64::from(data) << 32, address, 0, 0]
}

/// Invalidation wait with an interrupt.
pub const WAIT_INTERRUPT: [u64; 4] = [0x5 | 1 << 4, 0, 0, 0];

/// Response codes of page groups (`PCIe §10.4.2.1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// The page is there.
    Success = 0,
    /// There is no such page.
    Invalid = 1,
    /// Something is wrong altogether.
    Failure = 0xf,
}

/// Page group response.
pub fn response(request: &PageRequest, code: Response) -> [u64; 4] {
    let pasid = request.pasid().map_or(0, |pasid| 1 << 4 | u64::from(pasid) << 32);
    [0x9 | pasid | (code as u64) << 12 | request.source() << 16, request.group() << 3, 0, 0]
}
