// SPDX-License-Identifier: GPL-2.0-or-later
//! What migrates: plain values, a word format with a version, and checks of every value that comes in.

use super::event::{Record, Report, Waiter};
use super::features::Features;
use super::pmcg::{self, Pmcg};
use super::registers::{Registers, masks};
use super::stall::{Entry, Phase, StallTable};
use crate::iommu::AtsInvalidation;
use crate::iommu::ats_invalidations::AtsInvalidations;
use crate::iommu::narrow::{low16, low32};
pub use crate::iommu::state::LoadError;
use crate::iommu::state::{Reader, limit, limit32, pair, put_count, same, too_many};

/// First word of the format: "SMMUv3" and the version.
const HEADER: u64 = 0x534d_4d55_7633_0004;

/// The whole state of an SMMU at rest. Caches are not in it: they are empty after a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedState {
    /// `IDR0`, `IDR1`, `IDR3`, `IDR5`, `PMCG_CFGR`: both ends must be the same kind of SMMU.
    pub identification: [u32; 5],
    /// Registers.
    pub registers: Registers,
    /// Every entry of the stall table.
    pub stalls: Vec<Entry>,
    /// Numbers of the entries without a record in the event queue, in order.
    pub unrecorded: Vec<u16>,
    /// Requests that wait for an entry, in order.
    pub line: Vec<Waiter>,
    /// Events that no bottom half had taken yet.
    pub inbox: Vec<Report>,
    /// ATS invalidations that endpoints have not answered yet.
    pub unanswered: Vec<AtsInvalidation>,
    /// One was given up, which the next SYNC has to say.
    pub invalidation_failed: bool,
    /// The last record in the event queue, if others may be merged with it.
    pub last_event: Option<Record>,
    /// The performance counters.
    pub pmcg: Pmcg,
}

/// The identification registers that decide what a state means.
#[must_use]
pub fn identification(f: &Features) -> [u32; 5] {
    [f.idr0(), f.idr1(), f.idr3(), f.idr5(), pmcg::cfgr(f)]
}

/// Checks that no register has a bit that an SMMU with these features does not have.
///
/// # Errors
/// The first such register, with its value.
pub fn check_registers(f: &Features, registers: &Registers) -> Result<(), LoadError> {
    let Registers {
        cr0,
        cr1,
        cr2,
        gbpa,
        irq_ctrl,
        gerror,
        gerrorn,
        gerror_irq_cfg0,
        gerror_irq_cfg1,
        gerror_irq_cfg2,
        strtab_base,
        strtab_base_cfg,
        cmdq_base,
        cmdq_prod,
        cmdq_cons,
        eventq_base,
        eventq_prod,
        eventq_cons,
        eventq_irq_cfg0,
        eventq_irq_cfg1,
        eventq_irq_cfg2,
        priq_base,
        priq_prod,
        priq_cons,
        priq_irq_cfg0,
        priq_irq_cfg1,
        priq_irq_cfg2,
    } = *registers;
    limit32("CR0", cr0, masks::cr0(f))?;
    limit32("CR1", cr1, masks::CR1_TABLE | masks::CR1_QUEUE)?;
    limit32("CR2", cr2, masks::cr2(f))?;
    limit32("GBPA", gbpa, masks::GBPA)?;
    limit32("IRQ_CTRL", irq_ctrl, masks::irq_ctrl(f))?;
    limit32("GERROR", gerror, masks::gerror(f))?;
    limit32("GERRORN", gerrorn, masks::gerror(f))?;
    limit("GERROR_IRQ_CFG0", gerror_irq_cfg0, masks::irq_cfg0(f))?;
    limit32("GERROR_IRQ_CFG1", gerror_irq_cfg1, masks::irq_cfg1(f))?;
    limit32("GERROR_IRQ_CFG2", gerror_irq_cfg2, masks::irq_cfg2(f))?;
    limit("STRTAB_BASE", strtab_base, masks::strtab_base(f))?;
    limit32("STRTAB_BASE_CFG", strtab_base_cfg, masks::strtab_base_cfg(f))?;
    limit("CMDQ_BASE", cmdq_base, masks::queue_base(f))?;
    limit32("CMDQ_PROD", cmdq_prod, masks::INDEX)?;
    limit32("CMDQ_CONS", cmdq_cons, masks::CMDQ_CONS)?;
    limit("EVENTQ_BASE", eventq_base, masks::queue_base(f))?;
    limit32("EVENTQ_PROD", eventq_prod, masks::OVERFLOW_INDEX)?;
    limit32("EVENTQ_CONS", eventq_cons, masks::OVERFLOW_INDEX)?;
    limit("EVENTQ_IRQ_CFG0", eventq_irq_cfg0, masks::irq_cfg0(f))?;
    limit32("EVENTQ_IRQ_CFG1", eventq_irq_cfg1, masks::irq_cfg1(f))?;
    limit32("EVENTQ_IRQ_CFG2", eventq_irq_cfg2, masks::irq_cfg2(f))?;
    // All of them are 0 without a PRI queue.
    let (all, half) = if f.pri { (u64::MAX, u32::MAX) } else { (0, 0) };
    limit("PRIQ_BASE", priq_base, masks::queue_base(f) & all)?;
    limit32("PRIQ_PROD", priq_prod, masks::OVERFLOW_INDEX & half)?;
    limit32("PRIQ_CONS", priq_cons, masks::OVERFLOW_INDEX & half)?;
    limit("PRIQ_IRQ_CFG0", priq_irq_cfg0, masks::irq_cfg0(f) & all)?;
    limit32("PRIQ_IRQ_CFG1", priq_irq_cfg1, masks::irq_cfg1(f) & half)?;
    limit32("PRIQ_IRQ_CFG2", priq_irq_cfg2, masks::priq_irq_cfg2(f) & half)
}

/// Checks who waits.
///
/// # Errors
/// A SubstreamID beyond 20 bits.
pub fn check_waiter(waiter: &Waiter) -> Result<(), LoadError> {
    let Waiter { stream: _, substream, tag: _ } = *waiter;
    limit32("SubstreamID of a stall", substream.unwrap_or(0), 0x000f_ffff)
}

impl SavedState {
    /// Checks all of it against what an SMMU with these features can hold. Returns the stall table.
    ///
    /// # Errors
    /// The first thing that cannot be.
    pub fn check(&self, f: &Features, capacity: u16) -> Result<StallTable, LoadError> {
        let Self {
            identification: saved,
            registers,
            stalls,
            unrecorded,
            line,
            inbox,
            unanswered,
            invalidation_failed: _,
            last_event: _,
            pmcg,
        } = self;
        for ((register, saved), here) in
            ["IDR0", "IDR1", "IDR3", "IDR5", "PMCG_CFGR"].into_iter().zip(*saved).zip(identification(f))
        {
            same(register, saved.into(), here.into())?;
        }
        check_registers(f, registers)?;
        pmcg.check(f)?;
        for entry in stalls {
            check_waiter(&entry.waiter)?;
        }
        for waiter in line.iter().chain(inbox.iter().filter_map(|report| report.stall.as_ref())) {
            check_waiter(waiter)?;
        }
        if unanswered.len() > AtsInvalidations::MOST {
            return Err(too_many("number of unanswered invalidations", unanswered.len()));
        }
        for what in unanswered {
            what.check(u32::MAX)?;
        }
        StallTable::restore(capacity, stalls, unrecorded, line)
            .ok_or_else(|| too_many("stall table of that many entries", stalls.len()))
    }

    /// As words, for a migration stream.
    #[must_use]
    pub fn to_words(&self) -> Vec<u64> {
        let Self {
            identification: [a, b, c, d, e],
            registers,
            stalls,
            unrecorded,
            line,
            inbox,
            unanswered,
            invalidation_failed,
            last_event,
            pmcg,
        } = self;
        let mut words = vec![HEADER, pair(*a, *b), pair(*c, *d), (*e).into()];
        put_registers(&mut words, registers);
        put_count(&mut words, stalls.len());
        for Entry { phase, uses, waiter, record } in stalls {
            let phase = match phase {
                Phase::Free => 0,
                Phase::Unrecorded => 1,
                Phase::Stale => 2,
                Phase::Recorded => 3,
            };
            words.push(pair((*uses).into(), phase));
            put_waiter(&mut words, waiter);
            words.extend_from_slice(record);
        }
        put_count(&mut words, unrecorded.len());
        words.extend(unrecorded.iter().map(|number| u64::from(*number)));
        put_count(&mut words, line.len());
        for waiter in line {
            put_waiter(&mut words, waiter);
        }
        put_count(&mut words, inbox.len());
        for Report { record, merge, stall } in inbox {
            words.extend_from_slice(record);
            words.push(u64::from(stall.is_some()) | u64::from(*merge) << 1);
            if let Some(waiter) = stall {
                put_waiter(&mut words, waiter);
            }
        }
        put_count(&mut words, unanswered.len());
        for what in unanswered {
            what.put(&mut words);
        }
        words.push((*invalidation_failed).into());
        words.push(last_event.is_some().into());
        words.extend(last_event.iter().flatten());
        pmcg.put(&mut words);
        words
    }

    /// From words. What they mean is checked by [`check`](Self::check).
    ///
    /// # Errors
    /// They are not the output of [`to_words`](Self::to_words).
    pub fn from_words(words: &[u64]) -> Result<Self, LoadError> {
        let mut reader = Reader::new(words, HEADER)?;
        let (a, b) = reader.two("identification")?;
        let (c, d) = reader.two("identification")?;
        let (e, none) = reader.two("identification")?;
        limit32("identification", none, 0)?;
        let saved = Self {
            identification: [a, b, c, d, e],
            registers: registers(&mut reader)?,
            stalls: reader.list("number of stalls", stall)?,
            unrecorded: reader.list("number of unrecorded stalls", |reader| {
                let number = reader.word("unrecorded stall")?;
                limit("unrecorded stall", number, 0xffff)?;
                Ok(low16(number))
            })?,
            line: reader.list("number of requests in line", waiter)?,
            inbox: reader.list("number of events", |reader| {
                let record = reader.array("event record")?;
                let flags = reader.word("event")?;
                limit("event", flags, 0b11)?;
                let stall = if flags & 1 != 0 { Some(waiter(reader)?) } else { None };
                Ok(Report { record, merge: flags & 2 != 0, stall })
            })?,
            unanswered: reader.list("number of unanswered invalidations", AtsInvalidation::read)?,
            invalidation_failed: reader.flag("failed invalidation")?,
            last_event: if reader.flag("last event")? { Some(reader.array("last event")?) } else { None },
            pmcg: Pmcg::take(&mut reader)?,
        };
        reader.end()?;
        Ok(saved)
    }
}

fn put_waiter(words: &mut Vec<u64>, waiter: &Waiter) {
    let Waiter { stream, substream, tag } = *waiter;
    words.push(pair(stream, u32::from(substream.is_some()) | u32::from(tag.is_some()) << 1));
    words.push(substream.unwrap_or(0).into());
    words.push(tag.unwrap_or(0));
}

fn put_registers(words: &mut Vec<u64>, registers: &Registers) {
    let Registers {
        cr0,
        cr1,
        cr2,
        gbpa,
        irq_ctrl,
        gerror,
        gerrorn,
        gerror_irq_cfg0,
        gerror_irq_cfg1,
        gerror_irq_cfg2,
        strtab_base,
        strtab_base_cfg,
        cmdq_base,
        cmdq_prod,
        cmdq_cons,
        eventq_base,
        eventq_prod,
        eventq_cons,
        eventq_irq_cfg0,
        eventq_irq_cfg1,
        eventq_irq_cfg2,
        priq_base,
        priq_prod,
        priq_cons,
        priq_irq_cfg0,
        priq_irq_cfg1,
        priq_irq_cfg2,
    } = *registers;
    words.extend([
        pair(cr0, cr1),
        pair(cr2, gbpa),
        pair(irq_ctrl, gerror),
        pair(gerrorn, gerror_irq_cfg1),
        pair(gerror_irq_cfg2, strtab_base_cfg),
        pair(cmdq_prod, cmdq_cons),
        pair(eventq_prod, eventq_cons),
        pair(eventq_irq_cfg1, eventq_irq_cfg2),
        pair(priq_prod, priq_cons),
        pair(priq_irq_cfg1, priq_irq_cfg2),
        gerror_irq_cfg0,
        strtab_base,
        cmdq_base,
        eventq_base,
        eventq_irq_cfg0,
        priq_base,
        priq_irq_cfg0,
    ]);
}

fn stall(reader: &mut Reader<'_>) -> Result<Entry, LoadError> {
    let (uses, phase) = reader.two("stall")?;
    let phase = match phase {
        0 => Phase::Free,
        1 => Phase::Unrecorded,
        2 => Phase::Stale,
        3 => Phase::Recorded,
        value => return Err(LoadError::Field { field: "phase of a stall", value: value.into() }),
    };
    limit32("uses of a stall", uses, 0xffff)?;
    let uses = low16(uses.into());
    Ok(Entry { phase, uses, waiter: waiter(reader)?, record: reader.array("event record")? })
}

fn waiter(reader: &mut Reader<'_>) -> Result<Waiter, LoadError> {
    let field = "waiting request";
    let (stream, present) = reader.two(field)?;
    limit32(field, present, 0b11)?;
    let substream = reader.word(field)?;
    limit(field, substream, 0xffff_ffff)?;
    let tag = reader.word(field)?;
    Ok(Waiter {
        stream,
        substream: (present & 1 != 0).then_some(low32(substream)),
        tag: (present & 2 != 0).then_some(tag),
    })
}

fn registers(reader: &mut Reader<'_>) -> Result<Registers, LoadError> {
    let field = "registers";
    let (cr0, cr1) = reader.two(field)?;
    let (cr2, gbpa) = reader.two(field)?;
    let (irq_ctrl, gerror) = reader.two(field)?;
    let (gerrorn, gerror_irq_cfg1) = reader.two(field)?;
    let (gerror_irq_cfg2, strtab_base_cfg) = reader.two(field)?;
    let (cmdq_prod, cmdq_cons) = reader.two(field)?;
    let (eventq_prod, eventq_cons) = reader.two(field)?;
    let (eventq_irq_cfg1, eventq_irq_cfg2) = reader.two(field)?;
    let (priq_prod, priq_cons) = reader.two(field)?;
    let (priq_irq_cfg1, priq_irq_cfg2) = reader.two(field)?;
    Ok(Registers {
        cr0,
        cr1,
        cr2,
        gbpa,
        irq_ctrl,
        gerror,
        gerrorn,
        gerror_irq_cfg0: reader.word(field)?,
        gerror_irq_cfg1,
        gerror_irq_cfg2,
        strtab_base: reader.word(field)?,
        strtab_base_cfg,
        cmdq_base: reader.word(field)?,
        cmdq_prod,
        cmdq_cons,
        eventq_base: reader.word(field)?,
        eventq_prod,
        eventq_cons,
        eventq_irq_cfg0: reader.word(field)?,
        eventq_irq_cfg1,
        eventq_irq_cfg2,
        priq_base: reader.word(field)?,
        priq_prod,
        priq_cons,
        priq_irq_cfg0: reader.word(field)?,
        priq_irq_cfg1,
        priq_irq_cfg2,
    })
}
