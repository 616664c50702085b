// SPDX-License-Identifier: GPL-2.0-or-later
//! Posted interrupts (`VTD §5.2.3`): a vector is noted in a descriptor in memory, and its owner is told if need be.

use super::{Blocked, Interrupt};
use crate::iommu::narrow::{low8, low32, ones};
use crate::iommu::{GuestMemory, MemoryError};
use crate::vtd::fault::FaultReason;
use crate::vtd::features::Features;
use crate::vtd::spec::irte::{POSTED_REQUESTS, POSTED_SIZE, Posted0, Posted1, PostedControl};

/// How often a word that changes under our hands is tried again: every try but the last was spoiled by somebody else's
/// success, and a guest that does this for ever must not hold us up.
const TRIES: u32 = 1000;

/// What an entry for posted interrupts asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Guest-physical address of the posted interrupt descriptor, aligned to its size.
    pub descriptor: u64,
    /// The vector to note.
    pub vector: u8,
    /// Notify although software asked not to be.
    pub urgent: bool,
    /// Destinations have 32 bits.
    pub extended: bool,
    /// Number of the entry.
    pub entry: u16,
    /// Whether faults are recorded.
    pub record: bool,
}

impl Posting {
    /// From an entry's two words; `None` if it has a reserved bit (`VTD §9.11`), and an address beyond the host's width
    /// is one.
    pub(super) fn from_entry(f: &Features, low: u64, high: u64, extended: bool) -> Option<Self> {
        let (low, high) = (Posted0::from(low), Posted1::from(high));
        let descriptor = low.pda_low() << 6 | high.pda_high() << 32;
        let reserved = low.reserved_7_2() | low.reserved_13_12() | low.reserved_37_24() | high.reserved();
        if reserved != 0 || descriptor & !ones(f.host_bits().into()) != 0 {
            return None;
        }
        let (vector, urgent) = (low8(low.vector()), low.urg() != 0);
        Some(Self { descriptor, vector, urgent, extended, entry: 0, record: true })
    }

    /// Notes the vector. The notification to send, if one is due.
    ///
    /// The vector comes first and then "outstanding", each by compare-and-exchange: whoever clears "outstanding" and looks
    /// at the vectors afterwards misses none.
    ///
    /// # Errors
    /// The descriptor is not in memory, or has reserved bits set; then it is as it was.
    pub fn post(&self, mem: &dyn GuestMemory) -> Result<Option<Interrupt>, Blocked> {
        let blocked = |reason| Blocked { reason, entry: self.entry, record: self.record };
        let inaccessible = |_| blocked(FaultReason::PostedDescriptorAccess);
        let control_at = self.descriptor.wrapping_add(POSTED_REQUESTS);
        for offset in (POSTED_REQUESTS..POSTED_SIZE).step_by(8).skip(1) {
            if mem.read_u64(self.descriptor.wrapping_add(offset)).map_err(inaccessible)? != 0 {
                return Err(blocked(FaultReason::PostedDescriptorReserved));
            }
        }
        if self.has_reserved(mem.read_u64(control_at).map_err(inaccessible)?.into()) {
            return Err(blocked(FaultReason::PostedDescriptorReserved));
        }
        let (word, bit) = (u64::from(self.vector >> 6), 1u64.wrapping_shl((self.vector & 63).into()));
        let word_at = self.descriptor.wrapping_add(word.wrapping_mul(8));
        update(mem, word_at, |requests| (requests & bit == 0).then_some(requests | bit))
            .map_err(inaccessible)?;
        let notify = |control: u64| {
            let control = PostedControl::from(control);
            (control.on() == 0 && (self.urgent || control.sn() == 0)).then(|| control.with_on(1).bits())
        };
        let control = update(mem, control_at, notify).map_err(inaccessible)?;
        Ok(control.map(|control| {
            let control = PostedControl::from(control);
            let destination = low32(control.ndst());
            Interrupt {
                vector: low8(control.nv()),
                delivery_mode: 0,
                level: false,
                logical: false,
                redirection_hint: false,
                destination: if self.extended { destination } else { destination >> 8 & 0xff },
            }
        }))
    }

    fn has_reserved(&self, control: PostedControl) -> bool {
        let destination = if self.extended { 0 } else { control.ndst() & !0xff00 };
        control.reserved_15_2() | control.reserved_31_24() | destination != 0
    }
}

/// Replaces a word by what `change` makes of it, until nobody interfered. The new value; `None` if it was not changed.
fn update(
    mem: &dyn GuestMemory,
    at: u64,
    change: impl Fn(u64) -> Option<u64>,
) -> Result<Option<u64>, MemoryError> {
    let mut known = mem.read_u64(at)?;
    for _ in 0..TRIES {
        let Some(new) = change(known) else { return Ok(None) };
        match mem.compare_exchange_u64(at, known, new)? {
            Ok(()) => return Ok(Some(new)),
            Err(found) => known = found,
        }
    }
    Err(MemoryError { addr: at })
}

#[cfg(test)]
mod tests;
