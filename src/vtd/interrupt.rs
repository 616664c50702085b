// SPDX-License-Identifier: GPL-2.0-or-later
//! Interrupt remapping (`VTD §5.1`) and posting (`VTD §5.2`).
//!
//! Entries are read each time, but by an adversarial unit: nothing else is cached that could be out of date.

mod cache;
mod posted;

pub use self::cache::{CachedEntries, EntryCache};
pub use self::posted::Posting;
use super::fault::FaultReason;
use super::features::Features;
use super::registers::InterruptGate;
use super::spec::irte::{ENTRY_SIZE, Irte0, Irte1, MsiAddress, MsiData};
use crate::iommu::narrow::{low8, low16, low32};
use crate::iommu::{GuestMemory, MemoryError};

/// An interrupt, as the entry describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// Vector.
    pub vector: u8,
    /// Delivery mode: 0 fixed, 1 lowest priority, 2 SMI, 4 NMI, 5 INIT, 7 ExtINT.
    pub delivery_mode: u8,
    /// Level triggered.
    pub level: bool,
    /// The destination is logical.
    pub logical: bool,
    /// Redirection hint.
    pub redirection_hint: bool,
    /// APIC-ID: 8 bits, in extended mode 32.
    pub destination: u32,
}

impl Interrupt {
    /// As a message: address and datum. The destination's bits 31:8 are in bits 63:40 of the address, where QEMU and KVM
    /// look for them.
    #[must_use]
    pub fn message(&self) -> (u64, u32) {
        let destination = u64::from(self.destination);
        let addr = 0xfee0_0000
            | (destination & 0xff) << 12
            | (destination & 0xffff_ff00) << 32
            | u64::from(self.redirection_hint) << 3
            | u64::from(self.logical) << 2;
        // A level-triggered one is asserted.
        let level = if self.level { 0b11 << 14 } else { 0 };
        (addr, u32::from(self.vector) | u32::from(self.delivery_mode) << 8 | level)
    }
}

/// Who sent an interrupt request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its source-id.
    pub id: u16,
    /// It is the IOAPIC.
    pub ioapic: bool,
}

impl From<u16> for Source {
    /// A PCI function.
    fn from(id: u16) -> Self {
        Self { id, ioapic: false }
    }
}

/// What becomes of an interrupt request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remapped {
    /// It goes on as it is.
    Passed,
    /// It becomes another one.
    Interrupt(Interrupt),
    /// It is to be noted in memory, and somebody may have to be told.
    Posted(Posting),
}

/// Why an interrupt request was blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Why.
    pub reason: FaultReason,
    /// Number of the entry; 0 if there is none.
    pub entry: u16,
    /// Whether it is recorded: not under the entry's `FPD`.
    pub record: bool,
}

impl Blocked {
    fn new(reason: FaultReason, entry: u16) -> Self {
        Self { reason, entry, record: true }
    }
}

/// Remaps the interrupt request that a write of `data` to `addr` by `source` is. Nothing is posted yet.
///
/// # Errors
/// It is blocked.
pub fn remap(
    mem: &dyn GuestMemory,
    cache: &dyn EntryCache,
    f: &Features,
    gate: InterruptGate,
    source: Source,
    (addr, data): (u64, u32),
) -> Result<Remapped, Blocked> {
    if gate.enabled() == 0 {
        return Ok(Remapped::Passed);
    }
    let request = MsiAddress::from(addr);
    if addr >> 32 != 0 || request.head() != 0xfee {
        return Err(Blocked::new(FaultReason::InterruptReserved, 0));
    }
    if request.format() == 0 {
        // §5.1.2.1: in extended mode they are always blocked.
        let passes = gate.compatibility() != 0 && gate.extended() == 0;
        return if passes || f.leniency.compatibility_format {
            Ok(Remapped::Passed)
        } else {
            Err(Blocked::new(FaultReason::CompatibilityInterrupt, 0))
        };
    }
    let mut number = low32(request.handle_low() | request.handle_high() << 15);
    if request.shv() != 0 {
        let data = MsiData::from(data);
        if data.reserved() != 0 {
            return Err(Blocked::new(FaultReason::InterruptReserved, low16(number.into())));
        }
        number = number.saturating_add(data.subhandle());
    }
    let entry = low16(number.into());
    if number >= 2u32.wrapping_shl(low32(gate.size())) {
        return Err(Blocked::new(FaultReason::InterruptIndex, entry));
    }
    let (low, high) = match cache.cached(number) {
        Some([low, high]) => (low.into(), high.into()),
        None => {
            let at = gate.table().wrapping_shl(12).wrapping_add(u64::from(number).wrapping_mul(ENTRY_SIZE));
            read_entry(mem, at).map_err(|_| Blocked::new(FaultReason::IrteAccess, entry))?
        }
    };
    let record = low.fpd() == 0;
    let blocked = |reason| Err(Blocked { reason, entry, record });
    if low.p() == 0 {
        return blocked(FaultReason::IrteNotPresent);
    }
    let extended = gate.extended() != 0;
    let posting = if f.posted_interrupts && low.im() != 0 {
        match Posting::from_entry(f, low.bits(), high.bits(), extended) {
            Some(posting) => Some(Posting { entry, record, ..posting }),
            None => return blocked(FaultReason::IrteReserved),
        }
    } else {
        None
    };
    if high.svt() == 3 || posting.is_none() && has_reserved(f, low, high, extended) {
        return blocked(FaultReason::IrteReserved);
    }
    // What cannot be is not kept: software may mend it without a word.
    cache.remember(number, [low.bits(), high.bits()]);
    let unverified = source.ioapic && f.leniency.ioapic_source;
    if !unverified && !is_source(high, source.id) {
        return blocked(FaultReason::InterruptSource);
    }
    if let Some(posting) = posting {
        return Ok(Remapped::Posted(posting));
    }
    let destination = low32(low.dst());
    Ok(Remapped::Interrupt(Interrupt {
        vector: low8(low.vector()),
        delivery_mode: low8(low.dlm()),
        level: low.tm() != 0,
        logical: low.dm() != 0,
        redirection_hint: low.rh() != 0,
        destination: if extended { destination } else { destination >> 8 & 0xff },
    }))
}

/// Both halves as they were at one time: software replaces entries in use by one 128-bit store.
fn read_entry(mem: &dyn GuestMemory, at: u64) -> Result<(Irte0, Irte1), MemoryError> {
    let mut low = mem.read_u64(at)?;
    let mut high = mem.read_u64(at.wrapping_add(8))?;
    // Whoever stores faster than this gets what he deserves.
    for _ in 0..4 {
        let again = mem.read_u64(at)?;
        if again == low {
            break;
        }
        low = again;
        high = mem.read_u64(at.wrapping_add(8))?;
    }
    Ok((low.into(), high.into()))
}

/// Reserved fields and values of an entry for remapped interrupts (`VTD §9.10`). `IM` is one without `CAP.PI`.
fn has_reserved(f: &Features, low: Irte0, high: Irte1, extended: bool) -> bool {
    let destination = if extended { 0 } else { low.dst() & !0xff00 };
    let values = destination != 0 || low.im() != 0 || matches!(low.dlm(), 3 | 6);
    low.reserved_31_24() != 0
        || low.reserved_14_12() != 0
        || high.reserved() != 0
        || values && !f.leniency.irte_values
}

/// Whether the entry is for this requester.
fn is_source(entry: Irte1, source: u16) -> bool {
    let wanted = low16(entry.sid());
    match entry.svt() {
        0 => true,
        1 => {
            let ignored = match entry.sq() {
                0 => 0,
                1 => 0b100,
                2 => 0b110,
                _ => 0b111,
            };
            (source ^ wanted) & !ignored == 0
        }
        _ => (wanted >> 8..=wanted & 0xff).contains(&(source >> 8)),
    }
}

#[cfg(test)]
mod tests;
