// SPDX-License-Identifier: GPL-2.0-or-later
//! The interrupt address range in QEMU's memory tree (`VTD §3.14`): one window for every function, by which the unit knows
//! who sent an interrupt, and one for the IOAPIC.

use std::sync::Arc;

use super::interrupt::Source as Sender;
use super::model::{InterruptOutcome, Vtd};
use crate::iommu::narrow::{low16, low32};
use crate::qemu::iommu_shell::Core;
use crate::qemu::iommu_shell::function::BusAddress;
use crate::qemu::{
    AddressSpace, BusRegion, MemoryAttributes, MemoryRegion, MsiMessage, Object, OwnedRegion, TlbEntry, bql,
    x86_iommu,
};

/// Where interrupt requests go.
const BASE: u64 = 0xfee0_0000;
/// Bytes of the range.
const SIZE: u64 = 0x10_0000;
/// The source-id that q35's DMAR table gives to the IOAPIC: bus 0xff, device and function 0.
const IOAPIC: Sender = Sender { id: 0xff00, ioapic: true };

/// Whether the address of a message is an interrupt's; its upper half is part of the destination.
pub fn is_message(addr: u64) -> bool {
    contains(addr & 0xffff_ffff)
}

/// Whether an access is an interrupt request.
pub fn contains(addr: u64) -> bool {
    addr & !(SIZE - 1) == BASE
}

/// The message that an interrupt request becomes each time, if it does. Without a source it is the IOAPIC's.
pub fn remapped(core: &Core<Vtd>, message: MsiMessage, source: Option<u16>) -> Option<MsiMessage> {
    match remap(core, message, source.map_or(IOAPIC, Sender::from), false) {
        InterruptOutcome::Deliver(addr, data) => Some(MsiMessage { addr, data }),
        InterruptOutcome::Posted | InterruptOutcome::Blocked => None,
    }
}

fn remap(core: &Core<Vtd>, message: MsiMessage, source: Sender, report: bool) -> InterruptOutcome {
    let message = (message.addr, message.data);
    let (outcome, effects) = core.model.remap_interrupt(&core.ram, source, message, report, bql::is_locked());
    core.put_off(effects);
    outcome
}

/// What the IOAPIC writes to: interrupts, and nothing else.
pub fn ioapic_space(owner: &Object, core: &Arc<Core<Vtd>>) -> &'static AddressSpace {
    let name = "intel-iommu-rs-ioapic";
    let root = Box::leak(Box::new(OwnedRegion::container(owner, name, u64::MAX)));
    root.add_subregion(BASE, window(owner, core, Source::Ioapic), 0);
    AddressSpace::leak(root, name)
}

/// What a function reaches: its translating region, and interrupts before it.
pub fn function_space(
    owner: &Object,
    core: &Arc<Core<Vtd>>,
    source: BusAddress,
    region: &'static MemoryRegion,
    name: &str,
) -> &'static AddressSpace {
    let root = Box::leak(Box::new(OwnedRegion::container(owner, name, u64::MAX)));
    root.add_subregion(0, region, 0);
    root.add_subregion(BASE, window(owner, core, Source::Function(source)), 1);
    AddressSpace::leak(root, name)
}

/// For good: users of an IOMMU's address spaces keep pointers to them.
fn window(owner: &Object, core: &Arc<Core<Vtd>>, source: Source) -> &'static OwnedRegion {
    let window = Box::leak(Box::new(InterruptWindow { core: Arc::clone(core), source }));
    Box::leak(Box::new(OwnedRegion::bus(owner, window, "intel-iommu-rs-interrupts", SIZE)))
}

/// The window as a tagged request reaches it.
pub fn entry(space: &'static AddressSpace, addr: u64) -> TlbEntry {
    let mask = SIZE - 1;
    TlbEntry {
        target: space,
        iova: addr & !mask,
        translated: addr & !mask,
        mask,
        read: true,
        write: true,
        ..TlbEntry::denied(addr)
    }
}

/// Whose interrupts come through a window.
enum Source {
    Function(BusAddress),
    Ioapic,
}

impl Source {
    fn sender(&self) -> Sender {
        match self {
            Self::Function(source) => low16(source.stream().into()).into(),
            Self::Ioapic => IOAPIC,
        }
    }
}

/// The range as one source sees it.
struct InterruptWindow {
    core: Arc<Core<Vtd>>,
    source: Source,
}

impl BusRegion for InterruptWindow {
    const SIZES: core::ops::RangeInclusive<u32> = 4..=4;

    /// Interrupt requests are writes, `VTD §3.14`.
    fn read(&self, _offset: u64, _size: u32, _attrs: MemoryAttributes) -> Option<u64> {
        None
    }

    fn write(&self, offset: u64, value: u64, _size: u32, attrs: MemoryAttributes) -> bool {
        let message = MsiMessage { addr: BASE | offset, data: low32(value) };
        // An interrupt request is never a translated one.
        if attrs.translated {
            return false;
        }
        match remap(&self.core, message, self.source.sender(), true) {
            InterruptOutcome::Deliver(addr, data) => {
                x86_iommu::send_msi(MsiMessage { addr, data });
                true
            }
            InterruptOutcome::Posted => true,
            InterruptOutcome::Blocked => false,
        }
    }
}
