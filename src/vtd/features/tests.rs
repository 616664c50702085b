// SPDX-License-Identifier: GPL-2.0-or-later
//! The capability registers say what the properties decide.

use super::*;

fn bit(word: u64, bit: u32) -> bool {
    word >> bit & 1 == 1
}

#[test]
fn what_linux_wants_for_sva() {
    let f = Features::default();
    f.validate().unwrap();
    let (cap, ecap) = (f.cap(), f.ecap());
    // C, QI, DT, IR, EIM, PT, SC, NEST, PRS, SRS, EAFS, PASID, DIT, PDS, SMTS, SLADS, SLTS, FLTS, SMPWC.
    for n in [0, 1, 2, 3, 4, 6, 7, 26, 29, 31, 34, 40, 41, 42, 43, 45, 46, 47, 48] {
        assert!(bit(ecap, n), "ECAP bit {n}");
    }
    // Broken PASID of early hardware; nothing that is not there: MTS, VCS, PMS.
    for n in [28, 25, 44, 51] {
        assert!(!bit(ecap, n), "ECAP bit {n}");
    }
    assert_eq!(ecap >> 35 & 0x1f, 19);
    assert_eq!((ecap >> 8 & 0x3ff) * 16, IOTLB_OFFSET);
    // FL1GP, FL5LP, PSI, ZLR, ESRTPS, ESIRTPS, drains, PI.
    for n in [56, 60, 39, 22, 63, 62, 54, 55, 59] {
        assert!(bit(cap, n), "CAP bit {n}");
    }
    // AFL, RWBF, PLMR, PHMR, CM, ECMDS.
    for n in [3, 4, 5, 6, 7, 61] {
        assert!(!bit(cap, n), "CAP bit {n}");
    }
    assert_eq!((cap & 7, cap >> 8 & 0x1f, cap >> 16 & 0x3f), (6, 0b0110, 47));
    assert_eq!(((cap >> 24 & 0x3ff) * 16, (cap >> 40 & 0xff) + 1), (FAULT_RECORD_OFFSET, 8));
    assert_eq!((cap >> 34 & 0xf, cap >> 48 & 0x3f), (3, 52));
}

#[test]
fn legacy_only() {
    let f = Features::compat();
    f.validate().unwrap();
    let scalable = [25, 26, 29, 30, 31, 34, 40, 42, 43, 45, 46, 47, 48, 49, 52, 53];
    for n in scalable {
        assert!(!bit(f.ecap(), n), "ECAP bit {n}");
    }
    assert_eq!(f.ecap() >> 35 & 0x1f, 0);
    assert!(!bit(f.cap(), 56) && !bit(f.cap(), 59) && !bit(f.cap(), 60) && !bit(f.cap(), 62));
    assert!(!bit(f.ecap(), 41) && !bit(f.ecap(), 0));
}

#[test]
fn address_widths() {
    for (aw_bits, sagaw, host) in [(39, 0b0010, 39), (48, 0b0110, 48), (57, 0b1110, 52)] {
        let f = Features { aw_bits, ..Features::default() };
        f.validate().unwrap();
        assert_eq!(f.cap() >> 8 & 0x1f, sagaw);
        assert_eq!((f.cap() >> 16 & 0x3f) + 1, u64::from(aw_bits));
        assert_eq!(f.host_bits(), host);
    }
    assert!(Features { aw_bits: 47, ..Features::default() }.validate().is_err());
}

#[test]
fn each_capability_alone() {
    let full = Features::default();
    let off: [fn(&mut Features); 13] = [
        |f| f.scalable = false,
        |f| f.first_stage = false,
        |f| f.second_stage = false,
        |f| f.nested = false,
        |f| f.pass_through = false,
        |f| f.fs5lp = false,
        |f| f.pasid_bits = 0,
        |f| f.device_tlb = false,
        |f| f.page_requests = false,
        |f| f.supervisor_requests = false,
        |f| f.second_stage_dirty = false,
        |f| f.interrupt_remapping = false,
        |f| f.coherent = false,
    ];
    for switch in off {
        let mut f = full;
        switch(&mut f);
        // Whatever depends on it goes along.
        assert_eq!(f.consistent().validate(), Ok(()), "{f:?}");
    }
    let f = Features { coherent: false, ..full };
    assert!(!bit(f.ecap(), 0) && !bit(f.ecap(), 48), "C, SMPWCS");
    let f = Features { device_tlb: false, ..full };
    let error = f.validate().unwrap_err().to_string();
    assert_eq!(error, "property 'svm' is on, which needs device-iotlb; set device-iotlb=on");
    let f = Features { pasid_bits: 21, ..full };
    let error = f.validate().unwrap_err().to_string();
    assert_eq!(error, "property 'pasid-bits' is 21, but must be from 0 to 20; 20 serves every PASID");
    assert!(Features { first_stage: false, second_stage: false, ..full }.consistent().validate().is_err());
}

#[test]
fn without_dma_translation() {
    let f = Features { dma_translation: false, ..Features::default() }.consistent();
    f.validate().unwrap();
    assert!(!f.scalable && f.interrupt_remapping);
    assert_eq!((f.cap() >> 8 & 0x1f, f.second_stage_bits(2)), (0, None));
    let asked = Features { page_requests: true, device_tlb: true, scalable: true, first_stage: true, ..f };
    let error = asked.validate().unwrap_err().to_string();
    assert_eq!(error, "property 'svm' is on, which needs dma-translation; set dma-translation=on");
}
