// SPDX-License-Identifier: GPL-2.0-or-later
//! Fault records of each kind of request.

use super::*;
use crate::iommu::{Access, DmaRequest};

fn fault(access: Access, substream: Option<u32>) -> Fault {
    let request = DmaRequest { stream: 0x1234, substream, addr: 0xdead_beef_1234_5678, access, tag: None };
    Fault { reason: FaultReason::ScalableWrite, request, record: true }
}

const READ: Access = Access { read: true, write: false, exec: false, privileged: false };
const WRITE: Access = Access { read: false, write: true, exec: false, privileged: false };

#[test]
fn kinds() {
    let base = 0x85 << 32 | 0x1234;
    let atomic = Access { read: true, ..WRITE };
    let nothing = Access { read: false, ..READ };
    for (kind, access, bits) in [
        (RequestKind::Untranslated, READ, 1 << 62),
        (RequestKind::Untranslated, nothing, 1 << 62),
        (RequestKind::Untranslated, WRITE, 0),
        (RequestKind::Untranslated, atomic, 1 << 62 | 1 << 28),
        (RequestKind::Translation, READ, 1 << 62 | 1 << 60),
        (RequestKind::Translated, WRITE, 2 << 60),
        (RequestKind::Page, WRITE, 1 << 60 | 1 << 28),
    ] {
        assert_eq!(
            encode(kind, &fault(access, None)),
            [0xdead_beef_1234_5000, base | bits],
            "{kind:?} {access:?}"
        );
    }
}

#[test]
fn attributes_come_with_a_pasid() {
    let access = Access { read: true, write: false, exec: true, privileged: true };
    let [_, high] = encode(RequestKind::Untranslated, &fault(access, Some(0xabcde)));
    assert_eq!(high, 1 << 62 | 0xabcde << 40 | 0x85 << 32 | 0b111 << 29 | 0x1234);
    let [_, high] = encode(RequestKind::Untranslated, &fault(access, None));
    assert_eq!(high, 1 << 62 | 0x85 << 32 | 0x1234);
}

#[test]
fn interrupts() {
    assert_eq!(
        encode_interrupt(0x1234, 0xabcd, FaultReason::InterruptSource),
        [0xabcd << 48, 0x26 << 32 | 0x1234]
    );
}
