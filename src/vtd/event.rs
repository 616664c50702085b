// SPDX-License-Identifier: GPL-2.0-or-later
//! From a fault to its record, the recording registers, and the way there for threads without the BQL (`VTD §7.2`,
//! `§11.4.7`).

use super::config::RequestKind;
use super::fault::{Fault, FaultReason};
use super::registers::{EventKind, Registers, is_fault};
use super::spec::fault_record::{Record0, Record1};
use super::spec::registers::{EventControl, Fsts};

/// A fault as it stands in a recording register, but for `F`.
pub type Record = [u64; 2];

/// The record of a fault of a memory request, a translation request or a page request.
#[must_use]
pub fn encode(kind: RequestKind, fault: &Fault) -> Record {
    let request = &fault.request;
    let access = request.access;
    let (t1, t2) = match kind {
        RequestKind::Page => (0, 1),
        // Without write the request reads, be it zero bytes.
        _ if !access.write => (1, 0),
        _ if access.read => (1, 1),
        _ => (0, 0),
    };
    let at = match kind {
        RequestKind::Untranslated => 0,
        RequestKind::Translation | RequestKind::Page => 1,
        RequestKind::Translated => 2,
    };
    // Only requests with a PASID have the attributes that come with it.
    let has_pasid = request.substream.is_some();
    let high = Record1::default()
        .with_t1(t1)
        .with_t2(t2)
        .with_at(at)
        .with_pasid(request.substream.unwrap_or(0).into())
        .with_pasid_present(has_pasid.into())
        .with_exec((has_pasid && access.exec).into())
        .with_privileged((has_pasid && access.privileged).into())
        .with_reason(fault.reason.code().into())
        .with_sid(request.stream.into());
    [Record0::default().with_info(request.addr >> 12).bits(), high.bits()]
}

/// The record of an interrupt that was blocked.
#[must_use]
pub fn encode_interrupt(source: u16, entry: u16, reason: FaultReason) -> Record {
    let high = Record1::default().with_reason(reason.code().into()).with_sid(source.into());
    [u64::from(entry) << 48, high.bits()]
}

/// What became of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is in a recording register.
    Recorded,
    /// One like it waits in a recording register already.
    Collapsed,
    /// There is no room.
    Lost,
}

/// The recording registers, as faults see them.
impl Registers {
    /// Records a fault. With it, the message to send, if any.
    pub fn record(&mut self, record: Record) -> (Recorded, Option<(u64, u32)>) {
        let before = self.faults();
        // §7.2.1: while it is set, nothing is recorded.
        if before.pfo() != 0 {
            return (Recorded::Lost, None);
        }
        if self.records.iter().any(|known| is_fault(known) && is_alike(known, &record)) {
            return (Recorded::Collapsed, None);
        }
        let count = u16::try_from(self.records.len()).unwrap_or(u16::MAX);
        let number = self.next_record;
        let [low, high] = record;
        match self.records.get_mut(usize::from(number)) {
            Some(slot) if !is_fault(slot) => *slot = [low, Record1::from(high).with_f(1).bits()],
            _ => {
                self.fsts = Fsts::from(self.fsts).with_pfo(1).bits();
                return (Recorded::Lost, None);
            }
        }
        self.next_record = number.wrapping_add(1).checked_rem(count).unwrap_or(0);
        if before.ppf() == 0 {
            self.fsts = Fsts::from(self.fsts).with_fri(number.into()).bits();
        }
        (Recorded::Recorded, self.signal_fault(before))
    }

    /// Faults were lost on their way.
    pub fn overflow(&mut self) {
        self.fsts = Fsts::from(self.fsts).with_pfo(1).bits();
    }

    /// An error of the invalidation queue. With it, the message to send, if any.
    pub fn queue_error(&mut self, error: Fsts) -> Option<(u64, u32)> {
        let before = self.faults();
        self.fsts |= error.bits();
        self.signal_fault(before)
    }

    /// Something is newly set in `FSTS`; `before` it was this (`VTD §11.4.7.2`).
    fn signal_fault(&mut self, before: Fsts) -> Option<(u64, u32)> {
        if before.with_fri(0).bits() == 0 { self.signal(EventKind::Fault) } else { None }
    }

    /// The condition of an event has arisen: its message, or it is kept until software lets messages pass.
    pub fn signal(&mut self, kind: EventKind) -> Option<(u64, u32)> {
        let event = self.event_mut(kind);
        let control = EventControl::from(event.control);
        if control.im() != 0 {
            event.control = control.with_ip(1).bits();
            return None;
        }
        Some(event.message())
    }

    /// Software may have unmasked an event: the message that was kept.
    pub fn release(&mut self, kind: EventKind) -> Option<(u64, u32)> {
        let event = self.event_mut(kind);
        let control = EventControl::from(event.control);
        if control.im() != 0 || control.ip() == 0 {
            return None;
        }
        event.control = control.with_ip(0).bits();
        Some(event.message())
    }
}

/// The same requester, PASID, kind of request and reason: one of them tells all (`VTD §7.2.1`).
fn is_alike([_, known]: &Record, [_, new]: &Record) -> bool {
    Record1::from(*known).with_f(0).bits() == Record1::from(*new).with_f(0).bits()
}

/// Faults from threads that do not hold the BQL. What does not fit is lost.
pub(crate) type Inbox = crate::iommu::inbox::Inbox<Record>;
/// The same, shared by threads.
pub(crate) type SharedInbox = crate::iommu::inbox::SharedInbox<Record>;

/// How many faults can wait for a bottom half.
pub(crate) const INBOX: usize = 1024;

#[cfg(test)]
mod tests;
