// SPDX-License-Identifier: GPL-2.0-or-later
//! The register file (`VTD §11.4`): which bits exist, who may write them when, what reads back.

use super::config::RootTable;
use super::features::{FAULT_RECORD_OFFSET, Features, IOTLB_OFFSET};
use super::queue::Ring;
use super::spec::fault_record::Record1;
use super::spec::page_request;
use super::spec::registers::{self as reg, *};
use crate::iommu::narrow::{high32, index, low32, ones};
use crate::layout;

/// Past the last fault recording register that fits the register page.
const MAX_RECORDS: u16 = 222;

/// What a register write set in motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Nothing beyond the register's own value.
    Value,
    /// `GCMD`, with what was written.
    Command(Global),
    /// `CCMD`: invalidate contexts.
    Contexts,
    /// `IOTLB`: invalidate translations.
    Translations,
    /// `IQT`: there may be descriptors.
    Descriptors,
    /// `FSTS`: errors may have been acknowledged.
    Errors,
    /// A control register of an event: its message may be due.
    Control(EventKind),
    /// `PRS`: an overflow may have been acknowledged.
    PageStatus,
}

/// The three events that are signalled by messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Faults and errors of the invalidation queue.
    Fault,
    /// Wait descriptors.
    Invalidation,
    /// Page requests.
    Page,
}

/// The registers of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRegisters {
    /// `*CTL`.
    pub control: u32,
    /// `*DATA`.
    pub data: u32,
    /// `*ADDR`.
    pub addr: u32,
    /// `*UADDR`.
    pub upper: u32,
}

impl EventRegisters {
    /// `IM` is set: nothing is sent before software has said where to (`VTD §11.4.7.2`).
    fn reset() -> Self {
        Self { control: EventControl::default().with_im(1).bits(), data: 0, addr: 0, upper: 0 }
    }

    fn read(&self, word: u64) -> u32 {
        match word {
            0 => self.control,
            1 => self.data,
            2 => self.addr,
            _ => self.upper,
        }
    }

    fn write(&mut self, f: &Features, word: u64, value: u32) {
        match word {
            0 => self.control = merge(self.control, value, masks::EVENT_CONTROL),
            1 => self.data = value,
            2 => self.addr = value & masks::EVENT_ADDR,
            _ => self.upper = value & masks::event_upper(f),
        }
    }

    /// Address and datum of the message.
    #[must_use]
    pub fn message(&self) -> (u64, u32) {
        (u64::from(self.addr) | u64::from(self.upper) << 32, self.data)
    }
}

layout! {
    /// All that translation reads of the registers, in one word, so that one atomic load is one consistent sample.
    pub struct Gate(u64) {
        /// `RTADDR` bits 63:10, as taken over by `SRTP`.
        63:10 root with_root,
        /// `GSTS.TES`.
        0:0 enabled with_enabled,
    }

    /// The same for interrupt remapping.
    pub struct InterruptGate(u64) {
        /// `IRTA` bits 63:12, as taken over by `SIRTP`.
        63:12 table with_table,
        /// `IRTA.EIME`.
        11:11 extended with_extended,
        /// `GSTS.CFIS`.
        5:5 compatibility with_compatibility,
        /// `GSTS.IRES`.
        4:4 enabled with_enabled,
        /// `IRTA.S`.
        3:0 size with_size,
    }
}

impl Gate {
    /// The root table.
    #[must_use]
    pub fn table(self) -> RootTable {
        RootTable { rtaddr: self.root().wrapping_shl(10) }
    }
}

/// Values of all registers that are not constant. What is Reserved is never set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    /// `GSTS`.
    pub gsts: u32,
    /// `RTADDR`, as written.
    pub rtaddr: u64,
    /// `RTADDR`, as taken over.
    pub root: u64,
    /// `CCMD`.
    pub ccmd: u64,
    /// `IVA`.
    pub iva: u64,
    /// `IOTLB`.
    pub iotlb: u64,
    /// `FSTS`, without `PPF`.
    pub fsts: u32,
    /// Fault events.
    pub fault_event: EventRegisters,
    /// Invalidation completion events.
    pub invalidation_event: EventRegisters,
    /// Page request events.
    pub page_event: EventRegisters,
    /// `FRCD`.
    pub records: Vec<[u64; 2]>,
    /// The recording register that is next.
    pub next_record: u16,
    /// `IQH`.
    pub iqh: u64,
    /// `IQT`.
    pub iqt: u64,
    /// `IQA`.
    pub iqa: u64,
    /// `ICS`.
    pub ics: u32,
    /// `IQERCD`.
    pub iqercd: u64,
    /// `IRTA`, as written.
    pub irta: u64,
    /// `IRTA`, as taken over.
    pub interrupts: u64,
    /// `PQH`.
    pub pqh: u64,
    /// `PQT`.
    pub pqt: u64,
    /// `PQA`.
    pub pqa: u64,
    /// `PRS`.
    pub prs: u32,
}

/// Bits that exist in a register of a unit with these features; the others are reserved and read as 0.
pub mod masks {
    use super::{Features, ones};

    /// `FSTS`, without `PPF`.
    pub const FSTS: u32 = 0xff71;
    /// `FSTS`, what software clears.
    pub const FSTS_CLEAR: u32 = 0x71;
    /// `*CTL`, what software writes.
    pub const EVENT_CONTROL: u32 = 1 << 31;
    /// `*ADDR`.
    pub const EVENT_ADDR: u32 = !0b11;
    /// `CCMD`.
    pub const CCMD: u64 = 0xf800_0003_ffff_ffff;
    /// `IOTLB`.
    pub const IOTLB: u64 = 0xb603_ffff_0000_0000;
    /// `IVA`.
    pub const IVA: u64 = !0xf80;
    /// `IQH`, `IQT`.
    pub const IQ_OFFSET: u64 = 0x7_fff0;
    /// `PQH`, `PQT`.
    pub const PQ_OFFSET: u64 = 0x7_ffe0;
    /// `PRS`.
    pub const PRS: u32 = 0b11;
    /// `IQERCD`.
    pub const IQERCD: u64 = 0xffff_ffff_0000_000f;

    /// High word of `FRCD`.
    pub const RECORD_HIGH: u64 = 0xffff_ffff_0000_ffff | 0xf000_0000;

    /// `GSTS`.
    #[must_use]
    pub fn gsts(f: &Features) -> u32 {
        if f.interrupt_remapping { 0xc780_0000 } else { 0xc400_0000 }
    }

    fn pages(f: &Features) -> u64 {
        ones(u32::from(f.host_bits())) & !0xfff
    }

    /// `RTADDR`.
    #[must_use]
    pub fn rtaddr(f: &Features) -> u64 {
        pages(f) | if f.scalable { 0xc00 } else { 0 }
    }

    /// `*UADDR`.
    #[must_use]
    pub fn event_upper(f: &Features) -> u32 {
        if f.eim { u32::MAX } else { 0 }
    }

    /// `IQA`.
    #[must_use]
    pub fn iqa(f: &Features) -> u64 {
        pages(f) | 0x7 | if f.scalable { 0x800 } else { 0 }
    }

    /// `IRTA`.
    #[must_use]
    pub fn irta(f: &Features) -> u64 {
        if !f.interrupt_remapping {
            return 0;
        }
        pages(f) | 0xf | if f.eim || f.leniency.extended_mode { 0x800 } else { 0 }
    }

    /// `PQA`.
    #[must_use]
    pub fn pqa(f: &Features) -> u64 {
        if f.page_requests { pages(f) | 0x7 } else { 0 }
    }
}

/// Replaces the bits of `old` under `mask`.
fn merge(old: u32, value: u32, mask: u32) -> u32 {
    old & !mask | value & mask
}

/// Replaces one half of a 64-bit register, as far as `mask` allows.
fn merge_half(old: u64, high: bool, value: u32, mask: u64) -> u64 {
    let (shift, half) = if high { (32, 0xffff_ffff_0000_0000) } else { (0, 0xffff_ffff) };
    old & !half | u64::from(value).wrapping_shl(shift) & half & mask
}

fn half(register: u64, high: bool) -> u32 {
    if high { high32(register) } else { low32(register) }
}

/// How many fault recording registers there are.
#[must_use]
pub fn record_count(f: &Features) -> u16 {
    f.fault_records.clamp(1, MAX_RECORDS)
}

impl Registers {
    /// Reset values.
    #[must_use]
    pub fn reset(f: &Features) -> Self {
        Self {
            gsts: 0,
            rtaddr: 0,
            root: 0,
            ccmd: 0,
            iva: 0,
            iotlb: 0,
            fsts: 0,
            fault_event: EventRegisters::reset(),
            invalidation_event: EventRegisters::reset(),
            page_event: EventRegisters::reset(),
            records: vec![[0; 2]; usize::from(record_count(f))],
            next_record: 0,
            iqh: 0,
            iqt: 0,
            iqa: 0,
            ics: 0,
            iqercd: 0,
            irta: 0,
            interrupts: 0,
            pqh: 0,
            pqt: 0,
            pqa: 0,
            prs: 0,
        }
    }

    /// `GSTS` by field.
    #[must_use]
    pub fn status(&self) -> Global {
        self.gsts.into()
    }

    /// `FSTS` by field, with `PPF`.
    #[must_use]
    pub fn faults(&self) -> Fsts {
        let pending = self.records.iter().any(is_fault);
        Fsts::from(self.fsts).with_ppf(pending.into())
    }

    /// The registers of an event.
    #[must_use]
    pub fn event(&self, kind: EventKind) -> &EventRegisters {
        match kind {
            EventKind::Fault => &self.fault_event,
            EventKind::Invalidation => &self.invalidation_event,
            EventKind::Page => &self.page_event,
        }
    }

    /// The registers of an event, to change.
    pub fn event_mut(&mut self, kind: EventKind) -> &mut EventRegisters {
        match kind {
            EventKind::Fault => &mut self.fault_event,
            EventKind::Invalidation => &mut self.invalidation_event,
            EventKind::Page => &mut self.page_event,
        }
    }

    /// The invalidation queue.
    #[must_use]
    pub fn invalidation_queue(&self) -> Ring {
        let iqa = Iqa::from(self.iqa);
        let entry_size = if iqa.dw() != 0 { 32 } else { 16 };
        Ring::new(iqa.addr().wrapping_shl(12), iqa.qs(), entry_size)
    }

    /// The page request queue.
    #[must_use]
    pub fn page_queue(&self) -> Ring {
        let pqa = Pqa::from(self.pqa);
        Ring::new(pqa.addr().wrapping_shl(12), pqa.pqs(), page_request::ENTRY_SIZE)
    }

    /// The sample for translation.
    #[must_use]
    pub fn gate(&self) -> Gate {
        Gate::default().with_root(self.root >> 10).with_enabled(self.status().te().into())
    }

    /// The sample for interrupt remapping.
    #[must_use]
    pub fn interrupt_gate(&self) -> InterruptGate {
        let irta = Irta::from(self.interrupts);
        InterruptGate::default()
            .with_table(irta.addr())
            .with_extended(irta.eime())
            .with_size(irta.size())
            .with_enabled(self.status().ire().into())
            .with_compatibility(self.status().cfi().into())
    }

    /// Drops the message of an event that software has dealt with before it was sent.
    pub fn settle(&mut self, kind: EventKind) {
        let pending = match kind {
            EventKind::Fault => self.faults().with_fri(0).bits() != 0,
            EventKind::Invalidation => self.ics != 0,
            EventKind::Page => self.prs != 0,
        };
        if !pending {
            let event = self.event_mut(kind);
            event.control = EventControl::from(event.control).with_ip(0).bits();
        }
    }

    /// Reads the 32-bit word at `offset`, which must be a multiple of 4. What is not defined reads as 0.
    #[must_use]
    pub fn read32(&self, f: &Features, offset: u64) -> u32 {
        let high = offset & 4 != 0;
        match offset {
            VER => f.version(),
            CAP | 0x0c => half(f.cap(), high),
            reg::ECAP | 0x14 => half(f.ecap(), high),
            GSTS => self.gsts,
            RTADDR | 0x24 => half(self.rtaddr, high),
            CCMD | 0x2c => half(self.ccmd, high),
            FSTS => self.faults().bits(),
            FECTL..=0x44 => self.fault_event.read(offset.wrapping_sub(FECTL) >> 2),
            IQH | 0x84 => half(self.iqh, high),
            IQT | 0x8c => half(self.iqt, high),
            IQA | 0x94 => half(self.iqa, high),
            ICS => self.ics,
            IECTL..=0xac => self.invalidation_event.read(offset.wrapping_sub(IECTL) >> 2),
            IQERCD | 0xb4 => half(self.iqercd, high),
            IRTA | 0xbc => half(self.irta, high),
            PQH | 0xc4 if f.page_requests => half(self.pqh, high),
            PQT | 0xcc if f.page_requests => half(self.pqt, high),
            PQA | 0xd4 if f.page_requests => half(self.pqa, high),
            PRS if f.page_requests => self.prs,
            PECTL..=0xec if f.page_requests => self.page_event.read(offset.wrapping_sub(PECTL) >> 2),
            _ => match (offset.checked_sub(IOTLB_OFFSET), self.record_at(offset)) {
                // IVA is write-only.
                (Some(IOTLB | 0xc), _) => half(self.iotlb, high),
                (_, Some((number, word))) => {
                    let record = self.records.get(number).copied().unwrap_or_default();
                    let [low, top] = record;
                    half(if word < 2 { low } else { top }, high)
                }
                _ => 0,
            },
        }
    }

    /// The fault recording register at `offset`: its number, and which of its four 32-bit words.
    fn record_at(&self, offset: u64) -> Option<(usize, u64)> {
        let inside = offset.checked_sub(FAULT_RECORD_OFFSET)?;
        let number = index(low32(inside / FRCD_SIZE));
        (number < self.records.len()).then_some((number, (inside % FRCD_SIZE) >> 2))
    }

    /// Writes the 32-bit word at `offset`, which must be a multiple of 4. What is not defined or read-only ignores it.
    pub fn write32(&mut self, f: &Features, offset: u64, value: u32) -> Written {
        let high = offset & 4 != 0;
        match offset {
            GCMD => return Written::Command(value.into()),
            RTADDR | 0x24 => self.rtaddr = merge_half(self.rtaddr, high, value, masks::rtaddr(f)),
            // Not to be touched while it is at work.
            CCMD | 0x2c if Ccmd::from(self.ccmd).icc() == 0 => {
                let caig = Ccmd::from(self.ccmd).caig();
                self.ccmd =
                    Ccmd::from(merge_half(self.ccmd, high, value, masks::CCMD)).with_caig(caig).bits();
                if Ccmd::from(self.ccmd).icc() != 0 {
                    return Written::Contexts;
                }
            }
            FSTS => {
                self.fsts &= !(value & masks::FSTS_CLEAR);
                self.settle(EventKind::Fault);
                return Written::Errors;
            }
            FECTL..=0x44 => {
                self.fault_event.write(f, offset.wrapping_sub(FECTL) >> 2, value);
                return Written::Control(EventKind::Fault);
            }
            IQT | 0x8c => {
                self.iqt = merge_half(self.iqt, high, value, masks::IQ_OFFSET);
                // The upper half of a doubleword is nothing.
                if !high {
                    return Written::Descriptors;
                }
            }
            // In use: not to be moved.
            IQA | 0x94 if self.status().qie() == 0 => {
                self.iqa = merge_half(self.iqa, high, value, masks::iqa(f));
            }
            ICS => {
                self.ics &= !(value & 1);
                self.settle(EventKind::Invalidation);
            }
            IECTL..=0xac => {
                self.invalidation_event.write(f, offset.wrapping_sub(IECTL) >> 2, value);
                return Written::Control(EventKind::Invalidation);
            }
            IRTA | 0xbc => self.irta = merge_half(self.irta, high, value, masks::irta(f)),
            _ if f.page_requests && (PQH..0xf0).contains(&offset) => {
                return self.write_page_queue(f, offset, value);
            }
            _ => return self.write_movable(offset, value),
        }
        Written::Value
    }

    fn write_page_queue(&mut self, f: &Features, offset: u64, value: u32) -> Written {
        let high = offset & 4 != 0;
        match offset {
            PQH | 0xc4 => self.pqh = merge_half(self.pqh, high, value, masks::PQ_OFFSET),
            PQT | 0xcc => self.pqt = merge_half(self.pqt, high, value, masks::PQ_OFFSET),
            PQA | 0xd4 => self.pqa = merge_half(self.pqa, high, value, masks::pqa(f)),
            PRS => {
                self.prs &= !(value & masks::PRS);
                self.settle(EventKind::Page);
                return Written::PageStatus;
            }
            PECTL..=0xec => {
                self.page_event.write(f, offset.wrapping_sub(PECTL) >> 2, value);
                return Written::Control(EventKind::Page);
            }
            _ => {}
        }
        Written::Value
    }

    /// The registers whose place the capability registers tell.
    fn write_movable(&mut self, offset: u64, value: u32) -> Written {
        let high = offset & 4 != 0;
        match offset.checked_sub(IOTLB_OFFSET) {
            Some(IVA | 0x4) => self.iva = merge_half(self.iva, high, value, masks::IVA),
            Some(IOTLB | 0xc) if reg::Iotlb::from(self.iotlb).ivt() == 0 => {
                let iaig = reg::Iotlb::from(self.iotlb).iaig();
                let merged = merge_half(self.iotlb, high, value, masks::IOTLB);
                self.iotlb = reg::Iotlb::from(merged).with_iaig(iaig).bits();
                if reg::Iotlb::from(self.iotlb).ivt() != 0 {
                    return Written::Translations;
                }
            }
            _ => {
                if let Some((number, 3)) = self.record_at(offset)
                    && value & 1 << 31 != 0
                    && let Some([_, top]) = self.records.get_mut(number)
                {
                    *top = Record1::from(*top).with_f(0).bits();
                    self.settle(EventKind::Fault);
                }
            }
        }
        Written::Value
    }
}

/// Whether a fault recording register holds a fault.
#[must_use]
pub fn is_fault([_, top]: &[u64; 2]) -> bool {
    Record1::from(*top).f() != 0
}
