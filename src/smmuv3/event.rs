// SPDX-License-Identifier: GPL-2.0-or-later
//! From a fault to its event record (`IHI0070 §7.3`), and the way there for threads without the BQL.

use super::fault::{Fault, FaultKind};
use super::spec::event::{AtsRequest1, Event0, Event1, Event2, Event3};
use crate::iommu::{StreamId, SubstreamId};

/// A record as it stands in the event queue, word by word.
pub type Record = [u64; 4];

/// Who waits for the outcome of a stalled transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waiter {
    /// The endpoint.
    pub stream: StreamId,
    /// The address space that the request named, which is not always the one that the record names.
    pub substream: Option<SubstreamId>,
    /// The request's name. `None`: nobody waits, as the transaction was aborted already (ordinary masters) or
    /// was given up.
    pub tag: Option<u64>,
}

/// An event on its way to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The record, without `Stall` and `STAG`.
    pub record: Record,
    /// It may be merged with others alike; a stall's never is.
    pub merge: bool,
    /// Set for a stall.
    pub stall: Option<Waiter>,
}

/// The bytes of a record in memory.
#[must_use]
pub fn bytes(record: &Record) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(record) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// Whether two records, neither of which is a stall's, may be one: all that their descriptions name is the same, but for
/// the place within a page where they say so (`IHI0070 §7.3.1`).
#[must_use]
pub fn is_alike(a: &Record, b: &Record) -> bool {
    const PAGED: [FaultKind; 7] = [
        FaultKind::TranslationForbidden,
        FaultKind::WalkAbort,
        FaultKind::Translation,
        FaultKind::AddressSize,
        FaultKind::AccessFlag,
        FaultKind::Permission,
        FaultKind::TlbConflict,
    ];
    let number = Event0::from(a[0]).event();
    let within = if PAGED.iter().any(|kind| u64::from(*kind as u8) == number) { 0xfff } else { 0 };
    a[0] == b[0] && a[1] == b[1] && (a[2] ^ b[2]) & !within == 0 && a[3] == b[3]
}

/// The record of a stalled transaction.
#[must_use]
pub fn with_stag(record: &Record, stag: u16) -> Record {
    let [first, second, third, fourth] = *record;
    [first, Event1::from(second).with_stall(1).with_stag(stag.into()).bits(), third, fourth]
}

/// The record of a fault, without `Stall` and `STAG`. Fields that the record's description does not have stay zero.
#[must_use]
pub fn encode(fault: &Fault) -> Record {
    use FaultKind as K;
    let (address, access, addresses) = match fault.kind {
        K::BadStreamId
        | K::SteFetch
        | K::BadSte
        | K::StreamDisabled
        | K::BadSubstreamId
        | K::CdFetch
        | K::BadCd
        | K::ConfigConflict => (false, false, false),
        // What was asked for has a place of its own.
        K::BadAtsRequest => (true, false, false),
        K::TranslationForbidden => (true, true, false),
        K::UnsupportedTransaction => (true, true, false),
        K::WalkAbort | K::Translation | K::AddressSize | K::AccessFlag | K::Permission | K::TlbConflict => {
            (true, true, true)
        }
    };
    let substream = match fault.kind {
        // Its SubstreamID is always valid, and SSV is not among its fields (§7.3.9).
        K::BadSubstreamId => fault.substream.or(fault.request.substream),
        _ => fault.substream,
    };
    let ssv = substream.is_some() && fault.kind != K::BadSubstreamId;
    let first = Event0::default()
        .with_event(u64::from(fault.kind as u8))
        .with_ssv(ssv.into())
        .with_substream_id(substream.unwrap_or(0).into())
        .with_stream_id(fault.request.stream.into());
    let mut second = Event1::default();
    if access {
        // What both reads and writes is a write. Instruction writes do not exist: InD is 0 where RnW is (§7.3.13).
        let write = fault.request.access.write;
        second = second.with_rnw((!write).into());
        if fault.kind != K::TranslationForbidden {
            second = second.with_pnu(fault.privileged.into()).with_ind((fault.instruction && !write).into());
        }
    }
    if addresses {
        second = second.with_s2(fault.stage2.into()).with_class(u64::from(fault.class as u8));
        // Valid with class TT alone (§7.3.16).
        if fault.kind == K::Permission {
            second = second.with_ttrnw(fault.table_read.into());
        }
    }
    let input = match fault.kind {
        _ if !address => 0,
        // Bits 63:12 (§7.3.6).
        K::BadAtsRequest => fault.request.addr & !0xfff,
        _ => fault.request.addr,
    };
    let third = Event2::default().with_input_addr(input);
    let fourth = match fault.kind {
        K::SteFetch | K::CdFetch | K::WalkAbort => Event3::default().with_fetch_addr(fault.fetch_addr >> 3),
        _ if addresses && fault.stage2 => Event3::default().with_ipa(fault.ipa >> 12),
        _ => Event3::default(),
    };
    let second = if fault.kind == K::BadAtsRequest { asked(fault).bits() } else { second.bits() };
    [first.bits(), second, third.bits(), fourth.bits()]
}

/// What a translation request asked for. Every one is for reads (`IHI0070 §7.3.6`).
fn asked(fault: &Fault) -> AtsRequest1 {
    let access = fault.request.access;
    AtsRequest1::default()
        .with_read(1)
        .with_write(access.write.into())
        .with_exec(access.exec.into())
        .with_privileged(access.privileged.into())
        .with_span(fault.span.into())
}

/// Events from threads that do not hold the BQL; stalls wait for an answer.
pub(crate) type Inbox = crate::iommu::inbox::Inbox<Report>;
/// The same, shared by threads.
pub(crate) type SharedInbox = crate::iommu::inbox::SharedInbox<Report>;

/// How many ordinary events can wait for a bottom half.
pub(crate) const INBOX_EVENTS: usize = 1024;

impl Report {
    /// Puts the report in. `false`: there is no room.
    pub(crate) fn enter(self, inbox: &mut Inbox) -> bool {
        if self.stall.is_some_and(|waiter| waiter.tag.is_some()) {
            inbox.push_awaited(self);
            return true;
        }
        inbox.push(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::{FaultAction, FaultClass};
    use super::*;
    use crate::iommu::{Access, DmaRequest};

    fn fault(kind: FaultKind) -> Fault {
        Fault {
            kind,
            request: DmaRequest {
                stream: 0x1234_5678,
                substream: Some(0xabcde),
                addr: 0xdead_beef_1234_5678,
                access: Access { read: true, write: false, exec: true, privileged: true },
                tag: Some(1),
            },
            substream: Some(0xabcde),
            class: FaultClass::Input,
            stage2: false,
            ipa: 0x000f_ffff_ffff_f000,
            fetch_addr: 0x000f_0000_1234_5678,
            span: 0,
            table_read: false,
            action: FaultAction::Abort,
            record: true,
            merge: false,
            privileged: true,
            instruction: true,
        }
    }

    const BASE: u64 = 0x1234_5678_abcd_e800;
    const ADDR: u64 = 0xdead_beef_1234_5678;

    #[test]
    fn records_without_address() {
        for (kind, first, last) in [
            (FaultKind::BadStreamId, BASE | 0x02, 0),
            (FaultKind::SteFetch, BASE | 0x03, 0x000f_0000_1234_5678),
            (FaultKind::BadSte, BASE | 0x04, 0),
            (FaultKind::StreamDisabled, BASE | 0x06, 0),
            (FaultKind::BadSubstreamId, (BASE & !0x800) | 0x08, 0),
            (FaultKind::CdFetch, BASE | 0x09, 0x000f_0000_1234_5678),
            (FaultKind::BadCd, BASE | 0x0a, 0),
            (FaultKind::ConfigConflict, BASE | 0x21, 0),
        ] {
            assert_eq!(encode(&fault(kind)), [first, 0, 0, last], "{kind:?}");
        }
    }

    #[test]
    fn records_with_address() {
        // RnW 35, InD 34, PnU 33, class 41:40.
        let access = 0b111 << 33 | 2 << 40;
        for (kind, number) in [
            (FaultKind::Translation, 0x10),
            (FaultKind::AddressSize, 0x11),
            (FaultKind::AccessFlag, 0x12),
            (FaultKind::Permission, 0x13),
            (FaultKind::TlbConflict, 0x20),
        ] {
            assert_eq!(encode(&fault(kind)), [BASE | number, access, ADDR, 0], "{kind:?}");
        }
        assert_eq!(encode(&fault(FaultKind::UnsupportedTransaction)), [BASE | 0x01, 0b111 << 33, ADDR, 0]);
        assert_eq!(encode(&fault(FaultKind::TranslationForbidden)), [BASE | 0x07, 1 << 35, ADDR, 0]);
        let walk = Fault { class: FaultClass::TableDescriptor, ..fault(FaultKind::WalkAbort) };
        assert_eq!(encode(&walk), [BASE | 0x0b, 0b111 << 33 | 1 << 40, ADDR, 0x000f_0000_1234_5678]);
    }

    #[test]
    fn a_translation_request_that_is_not_allowed() {
        let asked = Fault { span: 3, ..fault(FaultKind::BadAtsRequest) };
        // R 95, X 93, PRIV 92, Span 67:64; InputAddr without its low bits.
        assert_eq!(encode(&asked), [BASE | 0x05, 0b1011 << 28 | 3, ADDR & !0xfff, 0]);
        let mut plain = Fault { substream: None, span: 1, ..asked };
        plain.request.access = Access { read: true, write: true, ..Access::default() };
        assert_eq!(encode(&plain), [BASE & !0xffff_ffff | 0x05, 0b1100 << 28 | 1, ADDR & !0xfff, 0]);
    }

    #[test]
    fn attributes() {
        let mut f = fault(FaultKind::Permission);
        f.request.access.write = true;
        assert_eq!(encode(&f)[1], 1 << 33 | 2 << 40, "a write is no instruction fetch");
        f.stage2 = true;
        f.class = FaultClass::Cd;
        f.substream = None;
        f.privileged = false;
        let record = encode(&f);
        assert_eq!(record, [0x1234_5678_0000_0013, 1 << 39, ADDR, 0x000f_ffff_ffff_f000]);
        let of_table = Fault { class: FaultClass::TableDescriptor, table_read: true, ..f };
        assert_eq!(encode(&of_table)[1], 1 << 39 | 1 << 40 | 1 << 44);
        assert_eq!(encode(&Fault { kind: FaultKind::AccessFlag, ..of_table })[1], 1 << 39 | 1 << 40);
        let stalled = with_stag(&record, 0xbeef);
        assert_eq!(stalled[1], 1 << 39 | 1 << 31 | 0xbeef);
        assert_eq!(bytes(&stalled)[..9], [0x13, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 0xef]);
    }
}
