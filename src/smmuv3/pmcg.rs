// SPDX-License-Identifier: GPL-2.0-or-later
//! The Performance Monitor Counter Group (`IHI0070 §10`): its registers, and what they count.
//!
//! One group for all StreamIDs, whose counters have a filter each, and which can count every architected event. Events are
//! told by whoever sees them, some at a time ([`Tally`]); an overflow leaves its interrupt [due](Pmcg::take_due), for
//! counting happens on any thread, and interrupts do not. The clock is the guest's time, at 1 GHz: its cycles are counted
//! when somebody looks ([`advance`](Pmcg::advance)), and when they overflow ([`alarm`](Pmcg::alarm)).

#[cfg(test)]
mod tests;

use super::features::Features;
use super::registers::{half, masks, merge_half};
use super::spec::pmcg::{self as reg, *};
use crate::iommu::StreamId;
use crate::iommu::narrow::{low32, ones};
use crate::iommu::state::{LoadError, Reader, limit, limit32, pair};

/// Counters of the group, 64 bits each.
pub const COUNTERS: usize = 8;
/// A bit for each counter.
const ALL: u32 = 0xff;
/// Architected events there are, 0 to 7.
const EVENTS: usize = 8;
/// Bits of `EVTYPERn`: no secure state, no MPAM.
const EVTYPER_BITS: u32 = 0xa000_ffff;

/// What happened, and how often, on behalf of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; EVENTS]);

impl Tally {
    /// Adds occurrences of an event.
    pub fn add(&mut self, event: u16, count: u64) {
        if let Some(total) = self.0.get_mut(usize::from(event)) {
            *total = total.wrapping_add(count);
        }
    }

    fn get(&self, event: u32) -> u64 {
        usize::try_from(event).ok().and_then(|event| self.0.get(event)).copied().unwrap_or(0)
    }
}

/// One counter with what it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// `EVCNTRn`.
    pub value: u64,
    /// `SVRn`.
    pub shadow: u64,
    /// `EVTYPERn`.
    pub evtyper: u32,
    /// `SMRn`.
    pub smr: u32,
}

impl Counter {
    /// Whether events of a stream pass the filter (`IHI0070 §10.4`). With a span, the bits up to the lowest zero do not
    /// matter: with all ones, none does.
    fn matches(&self, stream: StreamId, implemented: u32) -> bool {
        let span = Evtyper::from(self.evtyper).filter_sid_span() != 0;
        let ignored = if span { self.smr ^ self.smr.wrapping_add(1) } else { 0 };
        (stream ^ self.smr) & implemented & !ignored == 0
    }
}

/// Values of all registers that are not constant. What is Reserved is never set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pmcg {
    /// The counters.
    pub counters: [Counter; COUNTERS],
    /// `CNTEN`, a bit for each counter.
    pub cnten: u32,
    /// `INTEN`.
    pub inten: u32,
    /// `OVS`.
    pub ovs: u32,
    /// `CR`.
    pub cr: u32,
    /// `IRQ_CTRL`.
    pub irq_ctrl: u32,
    /// `IRQ_CFG0`.
    pub irq_cfg0: u64,
    /// `IRQ_CFG1`.
    pub irq_cfg1: u32,
    /// `IRQ_CFG2`.
    pub irq_cfg2: u32,
    /// `IRQ_STATUS`.
    pub irq_status: u32,
    /// An overflow is to be signalled.
    pub due: bool,
    /// Up to when clock cycles have been counted: nanoseconds of the guest's time.
    pub since: u64,
}

/// A register of the group, as an offset finds it.
enum Place {
    Counter(usize, Array),
    Other,
}

/// The arrays, one entry for each counter.
enum Array {
    Evcntr,
    Svr,
    Evtyper,
    Smr,
}

impl Place {
    fn of(offset: u64) -> Self {
        let within = |base: u64, log2: u32| {
            let index = offset.checked_sub(base)?.checked_shr(log2)?;
            usize::try_from(index).ok().filter(|index| *index < COUNTERS)
        };
        [(EVCNTR, 3, Array::Evcntr), (SVR, 3, Array::Svr), (EVTYPER, 2, Array::Evtyper), (SMR, 2, Array::Smr)]
            .into_iter()
            .find_map(|(base, log2, array)| within(base, log2).map(|index| Self::Counter(index, array)))
            .unwrap_or(Self::Other)
    }
}

/// The bit of each counter.
fn bits() -> impl Iterator<Item = u32> {
    (0..u32::BITS).map(|n| 1u32.wrapping_shl(n))
}

/// `SMMU_PMCG_CFGR`; 0 without a group.
#[must_use]
pub fn cfgr(f: &Features) -> u32 {
    if !f.pmu {
        return 0;
    }
    let cfgr = Cfgr::default().with_size(63).with_nctr(7).with_capture(1).with_reloc_ctrs(1);
    cfgr.with_msi(f.pmu_msi.into()).bits()
}

/// `SMMU_PMCG_CEID0`: what can be counted.
fn ceid(f: &Features) -> u64 {
    if f.ats { 0b1111_1111 } else { 0b0011_1111 }
}

/// The bits of a StreamID.
fn stream_bits(f: &Features) -> u32 {
    low32(ones(f.sid_bits.into()))
}

/// Bits of the MSI registers: none without MSIs.
fn msi_bits(f: &Features) -> (u64, u32, u32) {
    if f.pmu_msi { (f.oas.mask() & !0x3, u32::MAX, masks::IRQ_CFG2) } else { (0, 0, 0) }
}

impl Pmcg {
    /// Reads the 32-bit word at `offset`, which must be a multiple of 4. What is not defined reads as 0.
    fn read32(&self, f: &Features, offset: u64) -> u32 {
        let high = offset & 4 != 0;
        match Place::of(offset) {
            Place::Counter(index, array) => {
                let Some(counter) = self.counters.get(index) else { return 0 };
                match array {
                    Array::Evcntr => half(counter.value, high),
                    Array::Svr => half(counter.shadow, high),
                    Array::Evtyper => counter.evtyper,
                    Array::Smr => counter.smr,
                }
            }
            Place::Other => match offset {
                CNTENSET | CNTENCLR => self.cnten,
                INTENSET | INTENCLR => self.inten,
                OVSCLR | OVSSET => self.ovs,
                CFGR => cfgr(f),
                reg::CR => self.cr,
                IIDR => f.iidr(),
                CEID0 => low32(ceid(f)),
                IRQ_CTRL | IRQ_CTRLACK => self.irq_ctrl,
                IRQ_CFG0 | 0xe5c => half(self.irq_cfg0, high),
                IRQ_CFG1 => self.irq_cfg1,
                IRQ_CFG2 => self.irq_cfg2,
                IRQ_STATUS => self.irq_status,
                AIDR => f.aidr(),
                // Architect Arm, present, revision 0, an SMMU's counters.
                PMDEVARCH => 0x4770_2a56,
                // Performance monitor, of an SMMU.
                PMDEVTYPE => 0x56,
                // CIDR1.CLASS: a CoreSight component.
                0xff4 => 0x90,
                0xfd0..0x1000 => super::registers::id_register(offset),
                _ => 0,
            },
        }
    }

    /// Writes the 32-bit word at `offset`, which must be a multiple of 4. What cannot be written is ignored.
    fn write32(&mut self, f: &Features, offset: u64, value: u32) {
        let high = offset & 4 != 0;
        let bits = value & ALL;
        let (cfg0, cfg1, cfg2) = msi_bits(f);
        match Place::of(offset) {
            Place::Counter(index, array) => {
                let Some(counter) = self.counters.get_mut(index) else { return };
                match array {
                    Array::Evcntr => counter.value = merge_half(counter.value, high, value, u64::MAX),
                    Array::Evtyper => counter.evtyper = value & EVTYPER_BITS,
                    Array::Smr => counter.smr = value & stream_bits(f),
                    Array::Svr => {}
                }
            }
            Place::Other => match offset {
                CNTENSET => self.cnten |= bits,
                CNTENCLR => self.cnten &= !bits,
                INTENSET => self.inten |= bits,
                INTENCLR => self.inten &= !bits,
                OVSCLR => self.ovs &= !bits,
                // Software that sets a bit is neither interrupted nor captured for: that is up to us.
                OVSSET => self.ovs |= bits,
                CAPR if value & 1 != 0 => self.capture(),
                reg::CR => self.cr = value & 1,
                IRQ_CTRL => {
                    if self.irq_ctrl == 0 && value & 1 != 0 {
                        self.irq_status = 0;
                    }
                    self.irq_ctrl = value & 1;
                }
                IRQ_CFG0 | 0xe5c if self.irq_ctrl == 0 => {
                    self.irq_cfg0 = merge_half(self.irq_cfg0, high, value, cfg0);
                }
                IRQ_CFG1 if self.irq_ctrl == 0 => self.irq_cfg1 = value & cfg1,
                IRQ_CFG2 if self.irq_ctrl == 0 => self.irq_cfg2 = value & cfg2,
                _ => {}
            },
        }
    }

    /// Reads a word or doubleword, at once. Other accesses read as 0.
    #[must_use]
    pub fn read(&self, f: &Features, offset: u64, size: u32) -> u64 {
        if !is_access(offset, size) {
            return 0;
        }
        let low = self.read32(f, offset).into();
        if size == 4 { low } else { low | u64::from(self.read32(f, offset | 4)).wrapping_shl(32) }
    }

    /// Writes a word or doubleword, at once. Other accesses are ignored.
    pub fn write(&mut self, f: &Features, offset: u64, value: u64, size: u32) {
        if !is_access(offset, size) {
            return;
        }
        self.write32(f, offset, low32(value));
        if size == 8 {
            self.write32(f, offset | 4, low32(value >> 32));
        }
    }

    /// Whether some counter counts what transactions do.
    #[must_use]
    pub fn counts(&self) -> bool {
        let events = u32::from(event::TRANSACTION)..=u32::from(event::ATS_TRANSLATED);
        self.enabled().any(|(_, counter)| events.contains(&Evtyper::from(counter.evtyper).event()))
    }

    /// The counters that count, each with its bit.
    fn enabled(&self) -> impl Iterator<Item = (u32, &Counter)> {
        let enabled = if self.cr == 0 { 0 } else { self.cnten };
        bits().zip(&self.counters).filter(move |(bit, _)| enabled & bit != 0)
    }

    /// Counts the clock's cycles up to `now`. `true`: there is an interrupt to be taken.
    pub fn advance(&mut self, f: &Features, now: u64) -> bool {
        let mut tally = Tally::default();
        tally.add(event::CYCLE, now.saturating_sub(self.since));
        self.since = now;
        // Cycles are nobody's in particular.
        self.count(f, 0, &tally)
    }

    /// When the clock makes a counter overflow that somebody wants to hear of, if it does: in the guest's time.
    #[must_use]
    pub fn alarm(&self) -> Option<u64> {
        self.enabled()
            .filter_map(|(bit, counter)| {
                let evtyper = Evtyper::from(counter.evtyper);
                let is_heard = (self.inten & bit != 0 && self.irq_ctrl != 0) || evtyper.ovfcap() != 0;
                let counts_cycles = evtyper.event() == u32::from(event::CYCLE);
                // From 0 it is a while: 584 years.
                let left = (is_heard && counts_cycles && counter.value != 0)
                    .then(|| counter.value.wrapping_neg())?;
                self.since.checked_add(left)
            })
            .min()
    }

    fn capture(&mut self) {
        for counter in &mut self.counters {
            counter.shadow = counter.value;
        }
    }

    /// Counts what happened on behalf of a stream. `true`: there is an interrupt to be taken.
    pub fn count(&mut self, f: &Features, stream: StreamId, tally: &Tally) -> bool {
        if self.cr == 0 {
            return false;
        }
        let mut captures = false;
        for (bit, counter) in bits().zip(&mut self.counters) {
            let evtyper = Evtyper::from(counter.evtyper);
            let count = tally.get(evtyper.event());
            let matches =
                evtyper.event() == u32::from(event::CYCLE) || counter.matches(stream, stream_bits(f));
            if self.cnten & bit == 0 || count == 0 || !matches {
                continue;
            }
            let (value, overflows) = counter.value.overflowing_add(count);
            counter.value = value;
            if overflows {
                self.ovs |= bit;
                captures |= evtyper.ovfcap() != 0;
                self.due |= self.inten & bit != 0 && self.irq_ctrl != 0;
            }
        }
        if captures {
            self.capture();
        }
        self.due
    }

    /// Whether an overflow is to be signalled, which whoever asks does: no more once the interrupt has been switched off
    /// (`IHI0070 §10.5.2.19`).
    pub fn take_due(&mut self) -> bool {
        core::mem::take(&mut self.due) && self.irq_ctrl != 0
    }

    /// The MSI of an overflow, if there is one: address and datum.
    #[must_use]
    pub fn msi(&self) -> Option<(u64, u32)> {
        (self.irq_cfg0 != 0).then_some((self.irq_cfg0, self.irq_cfg1))
    }

    /// An MSI to that address could not be written. Whether it was one of this group's.
    pub fn msi_aborted(&mut self, addr: u64, data: u32) -> bool {
        let is_ours = self.msi() == Some((addr, data));
        if is_ours {
            self.irq_status = 1;
        }
        is_ours
    }

    /// Checks that no register has a bit that the group of an SMMU with these features does not have.
    ///
    /// # Errors
    /// The first such register, with its value.
    pub fn check(&self, f: &Features) -> Result<(), LoadError> {
        let Self {
            counters,
            cnten,
            inten,
            ovs,
            cr,
            irq_ctrl,
            irq_cfg0,
            irq_cfg1,
            irq_cfg2,
            irq_status,
            due,
            since: _,
        } = *self;
        if !f.pmu && *self != Self::default() {
            return Err(LoadError::Field { field: "counters, which are not there", value: 1 });
        }
        for Counter { value: _, shadow: _, evtyper, smr } in counters {
            limit32("PMCG_EVTYPER", evtyper, EVTYPER_BITS)?;
            limit32("PMCG_SMR", smr, stream_bits(f))?;
        }
        limit32("PMCG_CNTEN", cnten, ALL)?;
        limit32("PMCG_INTEN", inten, ALL)?;
        limit32("PMCG_OVS", ovs, ALL)?;
        limit32("PMCG_CR", cr, 1)?;
        limit32("PMCG_IRQ_CTRL", irq_ctrl, 1)?;
        let (cfg0, cfg1, cfg2) = msi_bits(f);
        limit("PMCG_IRQ_CFG0", irq_cfg0, cfg0)?;
        limit32("PMCG_IRQ_CFG1", irq_cfg1, cfg1)?;
        limit32("PMCG_IRQ_CFG2", irq_cfg2, cfg2)?;
        limit32("PMCG_IRQ_STATUS", irq_status, u32::from(f.pmu_msi))?;
        limit32("due interrupt of the counters", due.into(), irq_ctrl)
    }

    /// As words, for a migration stream.
    pub fn put(&self, words: &mut Vec<u64>) {
        let Self {
            counters,
            cnten,
            inten,
            ovs,
            cr,
            irq_ctrl,
            irq_cfg0,
            irq_cfg1,
            irq_cfg2,
            irq_status,
            due,
            since,
        } = *self;
        for Counter { value, shadow, evtyper, smr } in counters {
            words.extend([value, shadow, pair(evtyper, smr)]);
        }
        words.extend([
            pair(cnten, inten),
            pair(ovs, cr),
            pair(irq_ctrl, irq_status),
            irq_cfg0,
            pair(irq_cfg1, irq_cfg2),
            due.into(),
            since,
        ]);
    }

    /// From words. What they mean is checked by [`check`](Self::check).
    pub(crate) fn take(reader: &mut Reader<'_>) -> Result<Self, LoadError> {
        let field = "counters";
        let mut counters = [Counter::default(); COUNTERS];
        for counter in &mut counters {
            let [value, shadow] = reader.array(field)?;
            let (evtyper, smr) = reader.two(field)?;
            *counter = Counter { value, shadow, evtyper, smr };
        }
        let (cnten, inten) = reader.two(field)?;
        let (ovs, cr) = reader.two(field)?;
        let (irq_ctrl, irq_status) = reader.two(field)?;
        let irq_cfg0 = reader.word(field)?;
        let (irq_cfg1, irq_cfg2) = reader.two(field)?;
        let due = reader.flag(field)?;
        let since = reader.word(field)?;
        Ok(Self {
            counters,
            cnten,
            inten,
            ovs,
            cr,
            irq_ctrl,
            irq_cfg0,
            irq_cfg1,
            irq_cfg2,
            irq_status,
            due,
            since,
        })
    }
}

/// An access that registers support, within one of the pages.
fn is_access(offset: u64, size: u32) -> bool {
    offset & !PAGE_1 < PAGE_SIZE
        && offset < REGION_SIZE
        && matches!(size, 4 | 8)
        && offset.checked_rem(size.into()) == Some(0)
}
