// SPDX-License-Identifier: GPL-2.0-or-later
//! What migrates: plain values, a word format with a version, and checks of every value that comes in.

use super::event::{INBOX, Record};
use super::features::Features;
use super::registers::{EventRegisters, Registers, masks, record_count};
use super::spec::fault_record::Record0;
use crate::iommu::AtsInvalidation;
use crate::iommu::ats_invalidations::AtsInvalidations;
use crate::iommu::narrow::{low16, ones};
pub use crate::iommu::state::LoadError;
use crate::iommu::state::{Reader, limit, limit32, pair, put_count, same, too_many};

/// First word of the format: "VT-d" and the version.
const HEADER: u64 = 0x5654_2d64_0000_0001;

/// The whole state of a unit at rest. Caches are not in it: they are empty after a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedState {
    /// `CAP` and `ECAP`: both ends must be the same kind of unit.
    pub identification: [u64; 2],
    /// Registers.
    pub registers: Registers,
    /// Invalidations that endpoints have not answered yet.
    pub unanswered: Vec<AtsInvalidation>,
    /// Faults that no bottom half had taken yet.
    pub inbox: Vec<Record>,
}

/// The registers that decide what a state means.
#[must_use]
pub fn identification(f: &Features) -> [u64; 2] {
    [f.cap(), f.ecap()]
}

fn check_event(f: &Features, field: &'static str, event: &EventRegisters) -> Result<(), LoadError> {
    let EventRegisters { control, data: _, addr, upper } = *event;
    limit32(field, control, 0b11 << 30)?;
    limit32(field, addr, masks::EVENT_ADDR)?;
    limit32(field, upper, masks::event_upper(f))
}

/// Checks that no register has a bit that a unit with these features does not have.
///
/// # Errors
/// The first such register, with its value.
pub fn check_registers(f: &Features, registers: &Registers) -> Result<(), LoadError> {
    let Registers {
        gsts,
        rtaddr,
        root,
        ccmd,
        iva,
        iotlb,
        fsts,
        fault_event,
        invalidation_event,
        page_event,
        records,
        next_record,
        iqh,
        iqt,
        iqa,
        ics,
        iqercd,
        irta,
        interrupts,
        pqh,
        pqt,
        pqa,
        prs,
    } = registers;
    limit32("GSTS", *gsts, masks::gsts(f))?;
    limit("RTADDR", *rtaddr, masks::rtaddr(f))?;
    limit("RTADDR in use", *root, masks::rtaddr(f))?;
    limit("CCMD", *ccmd, masks::CCMD)?;
    limit("IVA", *iva, masks::IVA)?;
    limit("IOTLB", *iotlb, masks::IOTLB)?;
    limit32("FSTS", *fsts, masks::FSTS)?;
    check_event(f, "FECTL", fault_event)?;
    check_event(f, "IECTL", invalidation_event)?;
    check_event(f, "PECTL", page_event)?;
    let count = record_count(f);
    if records.len() != usize::from(count) {
        return Err(too_many("number of FRCD", records.len()));
    }
    for [low, high] in records {
        limit("FRCD", *low, !0xfff)?;
        limit("FRCD", *high, masks::RECORD_HIGH)?;
    }
    if *next_record >= count {
        return Err(LoadError::Field { field: "next FRCD", value: (*next_record).into() });
    }
    limit("IQH", *iqh, masks::IQ_OFFSET)?;
    limit("IQT", *iqt, masks::IQ_OFFSET)?;
    limit("IQA", *iqa, masks::iqa(f))?;
    limit32("ICS", *ics, 1)?;
    limit("IQERCD", *iqercd, masks::IQERCD)?;
    limit("IRTA", *irta, masks::irta(f))?;
    limit("IRTA in use", *interrupts, masks::irta(f))?;
    let offsets = if f.page_requests { masks::PQ_OFFSET } else { 0 };
    limit("PQH", *pqh, offsets)?;
    limit("PQT", *pqt, offsets)?;
    limit("PQA", *pqa, masks::pqa(f))?;
    limit32("PRS", *prs, if f.page_requests { masks::PRS } else { 0 })
}

impl SavedState {
    /// Checks all of it against what a unit with these features can hold.
    ///
    /// # Errors
    /// The first thing that cannot be.
    pub fn check(&self, f: &Features) -> Result<(), LoadError> {
        let Self { identification: saved, registers, unanswered, inbox } = self;
        for ((register, saved), here) in ["CAP", "ECAP"].into_iter().zip(*saved).zip(identification(f)) {
            same(register, saved, here)?;
        }
        check_registers(f, registers)?;
        if unanswered.len() > AtsInvalidations::MOST {
            return Err(too_many("number of unanswered invalidations", unanswered.len()));
        }
        for what in unanswered {
            what.check(0xffff)?;
        }
        if inbox.len() > INBOX {
            return Err(too_many("number of faults", inbox.len()));
        }
        for [low, high] in inbox {
            limit("fault", *low, Record0::default().with_info(u64::MAX).bits())?;
            limit("fault", *high, masks::RECORD_HIGH & ones(63))?;
        }
        Ok(())
    }

    /// As words, for a migration stream.
    #[must_use]
    pub fn to_words(&self) -> Vec<u64> {
        let Self { identification: [cap, ecap], registers, unanswered, inbox } = self;
        let mut words = vec![HEADER, *cap, *ecap];
        put_registers(&mut words, registers);
        put_count(&mut words, unanswered.len());
        for what in unanswered {
            what.put(&mut words);
        }
        put_count(&mut words, inbox.len());
        words.extend(inbox.iter().flatten());
        words
    }

    /// From words. What they mean is checked by [`check`](Self::check).
    ///
    /// # Errors
    /// They are not the output of [`to_words`](Self::to_words).
    pub fn from_words(words: &[u64]) -> Result<Self, LoadError> {
        let mut reader = Reader::new(words, HEADER)?;
        let saved = Self {
            identification: reader.array("identification")?,
            registers: registers(&mut reader)?,
            unanswered: reader.list("number of unanswered invalidations", AtsInvalidation::read)?,
            inbox: reader.list("number of faults", |reader| reader.array("fault"))?,
        };
        reader.end()?;
        Ok(saved)
    }
}

fn put_event(words: &mut Vec<u64>, event: &EventRegisters) {
    let EventRegisters { control, data, addr, upper } = *event;
    words.extend([pair(control, data), pair(addr, upper)]);
}

fn put_registers(words: &mut Vec<u64>, registers: &Registers) {
    let Registers {
        gsts,
        rtaddr,
        root,
        ccmd,
        iva,
        iotlb,
        fsts,
        fault_event,
        invalidation_event,
        page_event,
        records,
        next_record,
        iqh,
        iqt,
        iqa,
        ics,
        iqercd,
        irta,
        interrupts,
        pqh,
        pqt,
        pqa,
        prs,
    } = registers;
    words.extend([pair(*gsts, *fsts), *rtaddr, *root, *ccmd, *iva, *iotlb]);
    put_event(words, fault_event);
    put_event(words, invalidation_event);
    put_event(words, page_event);
    words.extend([pair(*ics, *prs), *iqh, *iqt, *iqa, *iqercd, *irta, *interrupts, *pqh, *pqt, *pqa]);
    words.push((*next_record).into());
    put_count(words, records.len());
    words.extend(records.iter().flatten());
}

fn event(reader: &mut Reader<'_>) -> Result<EventRegisters, LoadError> {
    let (control, data) = reader.two("event registers")?;
    let (addr, upper) = reader.two("event registers")?;
    Ok(EventRegisters { control, data, addr, upper })
}

fn registers(reader: &mut Reader<'_>) -> Result<Registers, LoadError> {
    let field = "registers";
    let (gsts, fsts) = reader.two(field)?;
    let (rtaddr, root) = (reader.word(field)?, reader.word(field)?);
    let (ccmd, iva, iotlb) = (reader.word(field)?, reader.word(field)?, reader.word(field)?);
    let (fault_event, invalidation_event, page_event) = (event(reader)?, event(reader)?, event(reader)?);
    let (ics, prs) = reader.two(field)?;
    Ok(Registers {
        gsts,
        rtaddr,
        root,
        ccmd,
        iva,
        iotlb,
        fsts,
        fault_event,
        invalidation_event,
        page_event,
        ics,
        prs,
        iqh: reader.word(field)?,
        iqt: reader.word(field)?,
        iqa: reader.word(field)?,
        iqercd: reader.word(field)?,
        irta: reader.word(field)?,
        interrupts: reader.word(field)?,
        pqh: reader.word(field)?,
        pqt: reader.word(field)?,
        pqa: reader.word(field)?,
        next_record: {
            let number = reader.word("next FRCD")?;
            limit("next FRCD", number, 0xffff)?;
            low16(number)
        },
        records: reader.list("number of FRCD", |reader| reader.array("FRCD"))?,
    })
}
