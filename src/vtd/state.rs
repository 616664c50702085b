// SPDX-License-Identifier: GPL-2.0-or-later
//! What migrates: plain values, a word format with a version, and checks of every value that comes in.

use super::command::DeviceTlb;
use super::event::{Inbox, Record};
use super::features::Features;
use super::registers::{EventRegisters, Registers, masks, record_count};
use super::spec::fault_record::Record0;
use crate::iommu::narrow::{high32, low16, low32, ones};

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
    pub unanswered: Vec<DeviceTlb>,
    /// Faults that no bottom half had taken yet.
    pub inbox: Vec<Record>,
}

/// Why a state cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not this format, or not this version of it.
    #[error(
        "VT-d state begins with {found:#018x} instead of {HEADER:#018x}: not a state, or of another version"
    )]
    Version {
        /// The first word.
        found: u64,
    },
    /// The words end too soon.
    #[error("VT-d state ends within '{field}'")]
    Truncated {
        /// What was being read.
        field: &'static str,
    },
    /// The words go on too long.
    #[error("VT-d state has {count} words too many")]
    Trailing {
        /// How many are left.
        count: usize,
    },
    /// The other unit was another one.
    #[error(
        "VT-d state has {register} {saved:#018x}, here it is {here:#018x}: give both sides the same properties"
    )]
    Identification {
        /// Register name.
        register: &'static str,
        /// Its value there.
        saved: u64,
        /// Its value here.
        here: u64,
    },
    /// A value is out of its range.
    #[error("VT-d state has an impossible '{field}': {value:#x}")]
    Field {
        /// What it is.
        field: &'static str,
        /// Its value.
        value: u64,
    },
}

/// The registers that decide what a state means.
#[must_use]
pub fn identification(f: &Features) -> [u64; 2] {
    [f.cap(), f.ecap()]
}

fn limit(field: &'static str, value: u64, mask: u64) -> Result<(), LoadError> {
    if value & !mask == 0 { Ok(()) } else { Err(LoadError::Field { field, value }) }
}

fn limit32(field: &'static str, value: u32, mask: u32) -> Result<(), LoadError> {
    limit(field, value.into(), mask.into())
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
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    if records.len() != usize::from(count) {
        return Err(LoadError::Field { field: "number of FRCD", value: number(records.len()) });
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
            if saved != here {
                return Err(LoadError::Identification { register, saved, here });
            }
        }
        check_registers(f, registers)?;
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        if unanswered.len() > super::model::OUTSTANDING {
            let value = number(unanswered.len());
            return Err(LoadError::Field { field: "number of unanswered invalidations", value });
        }
        for DeviceTlb { source: _, pasid, addr, mask } in unanswered {
            limit32("PASID of an invalidation", pasid.unwrap_or(0), 0x000f_ffff)?;
            // One bit less than a power of two, and the address aligned to it.
            if *mask < 0xfff || *mask & mask.wrapping_add(1) != 0 {
                return Err(LoadError::Field { field: "size of an invalidation", value: *mask });
            }
            limit("address of an invalidation", *addr, !*mask)?;
        }
        if number(inbox.len()) > Inbox::FAULTS.into() {
            return Err(LoadError::Field { field: "number of faults", value: number(inbox.len()) });
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
        for DeviceTlb { source, pasid, addr, mask } in unanswered {
            words.push(pair((*source).into(), pasid.is_some().into()));
            words.extend([u64::from(pasid.unwrap_or(0)), *addr, *mask]);
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
        let mut reader = Reader { words };
        let found = reader.word("header").unwrap_or(0);
        if found != HEADER {
            return Err(LoadError::Version { found });
        }
        let identification = [reader.word("identification")?, reader.word("identification")?];
        let registers = reader.registers()?;
        let unanswered = (0..reader.count("number of unanswered invalidations")?)
            .map(|_| reader.invalidation())
            .collect::<Result<_, _>>()?;
        let inbox = (0..reader.count("number of faults")?)
            .map(|_| Ok([reader.word("fault")?, reader.word("fault")?]))
            .collect::<Result<_, _>>()?;
        match reader.words.len() {
            0 => Ok(Self { identification, registers, unanswered, inbox }),
            count => Err(LoadError::Trailing { count }),
        }
    }
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn put_count(words: &mut Vec<u64>, count: usize) {
    words.push(u64::try_from(count).unwrap_or(u64::MAX));
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

/// Takes words off the front.
struct Reader<'a> {
    words: &'a [u64],
}

impl Reader<'_> {
    fn word(&mut self, field: &'static str) -> Result<u64, LoadError> {
        let (word, rest) = self.words.split_first().ok_or(LoadError::Truncated { field })?;
        self.words = rest;
        Ok(*word)
    }

    /// A number of things, each of which takes at least one word: so that no count makes us reserve memory in vain.
    fn count(&mut self, field: &'static str) -> Result<usize, LoadError> {
        let value = self.word(field)?;
        match usize::try_from(value) {
            Ok(count) if count <= self.words.len() => Ok(count),
            _ => Err(LoadError::Field { field, value }),
        }
    }

    fn two(&mut self, field: &'static str) -> Result<(u32, u32), LoadError> {
        self.word(field).map(|word| (low32(word), high32(word)))
    }

    fn event(&mut self) -> Result<EventRegisters, LoadError> {
        let (control, data) = self.two("event registers")?;
        let (addr, upper) = self.two("event registers")?;
        Ok(EventRegisters { control, data, addr, upper })
    }

    fn invalidation(&mut self) -> Result<DeviceTlb, LoadError> {
        let field = "unanswered invalidation";
        let (source, present) = self.two(field)?;
        limit32(field, source, 0xffff)?;
        limit32(field, present, 1)?;
        let pasid = self.word(field)?;
        limit(field, pasid, 0xffff_ffff)?;
        Ok(DeviceTlb {
            source: low16(source.into()),
            pasid: (present != 0).then_some(low32(pasid)),
            addr: self.word(field)?,
            mask: self.word(field)?,
        })
    }

    fn registers(&mut self) -> Result<Registers, LoadError> {
        let field = "registers";
        let (gsts, fsts) = self.two(field)?;
        let (rtaddr, root) = (self.word(field)?, self.word(field)?);
        let (ccmd, iva, iotlb) = (self.word(field)?, self.word(field)?, self.word(field)?);
        let (fault_event, invalidation_event, page_event) = (self.event()?, self.event()?, self.event()?);
        let (ics, prs) = self.two(field)?;
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
            iqh: self.word(field)?,
            iqt: self.word(field)?,
            iqa: self.word(field)?,
            iqercd: self.word(field)?,
            irta: self.word(field)?,
            interrupts: self.word(field)?,
            pqh: self.word(field)?,
            pqt: self.word(field)?,
            pqa: self.word(field)?,
            next_record: {
                let number = self.word("next FRCD")?;
                limit("next FRCD", number, 0xffff)?;
                low16(number)
            },
            records: (0..self.count("number of FRCD")?)
                .map(|_| Ok([self.word("FRCD")?, self.word("FRCD")?]))
                .collect::<Result<_, _>>()?,
        })
    }
}
