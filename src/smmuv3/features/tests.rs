// SPDX-License-Identifier: GPL-2.0-or-later
use super::*;

#[test]
fn defaults_are_valid_and_say_what_they_can() {
    let f = Features::default();
    f.validate().unwrap();
    // S2P, S1P, AArch64, COHACC, HTTU 2, ATS, ASID16, MSI, SEV, PRI, VMW, VMID16, CD2L, both endiannesses, ATSRECERR,
    // stall and terminate, abort only, two levels.
    assert_eq!(f.idr0(), 0x0c8f_749b);
    assert_eq!(f.idr1(), (1 << 26) | (19 << 21) | (19 << 16) | (19 << 11) | (20 << 6) | 16);
    // NS1ATS says what is not there.
    assert_eq!(Features { ats_split: false, ..f }.idr0(), 0x0c8f_7c9b);
    let plain = Features { ats: false, ats_split: false, pri: false, ..f };
    assert_eq!((plain.idr0(), plain.idr1()), (0x0c0e_709b, f.idr1() & !(0x1f << 11)));
    // HAD, XNX, FWB, STT, RIL, BBML 2.
    assert_eq!(f.idr3(), 0x1714);
    assert_eq!(f.idr5(), (256 << 16) | (1 << 10) | (7 << 4) | 5);
    assert_eq!((f.idr2(), f.idr4(), f.iidr()), (0, 0, 0));
}

/// SMMUv3.2 where everything is there that it makes mandatory, else SMMUv3.1; nothing of SMMUv3.3.
#[test]
fn version() {
    let f = Features { hyp: true, ..Features::default() };
    f.validate().unwrap();
    assert_eq!(f.aidr(), 2);
    for less in [
        Features { hyp: false, ..f },
        Features { range_invalidation: false, ..f },
        Features { bbml: 0, ..f },
        Features { fwb: false, ..f },
        Features { xnx: false, ..f },
        Features { stage2: false, hyp: false, ats_split: false, ..f },
        Features::compat(),
    ] {
        less.validate().unwrap();
        assert_eq!(less.aidr(), 1, "{less:?}");
    }
    assert_eq!(Features { bbml: 1, ..f }.aidr(), 2);
    // E0PD, PTWNNC, and what came with SMMUv3.4.
    assert_eq!(f.idr3() >> 13, 0);
}

#[test]
fn compat_is_the_c_model() {
    let f = Features::compat();
    f.validate().unwrap();
    // Without stage 2, there are no VMIDs.
    assert_eq!(f.idr0(), 0x0d44_101a & !(1 << 18));
    assert_eq!(f.idr1(), 0x0273_0010);
    assert_eq!(f.idr3(), 0x0000_1404);
    assert_eq!(f.idr5(), 0x0000_0074);
    // With both, every bit is the C model's.
    let mut nested = f;
    nested.parse_stage("nested").unwrap();
    nested.validate().unwrap();
    assert_eq!([nested.idr0(), nested.idr1(), nested.idr3()], [0x0d44_101b, 0x0273_0010, 0x1414]);
    assert_eq!(nested.idr5(), 0x0000_0074);
    // Stage 1 has ASIDs and hierarchical attributes.
    let mut second = f;
    second.parse_stage("2").unwrap();
    second.validate().unwrap();
    assert_eq!(second.idr0(), 0x0d44_1019 & !(1 << 12));
    assert_eq!(second.idr3(), 0x0000_1410);
}

#[test]
fn impossible_combinations_name_property_range_and_way_out() {
    let bad = |change: fn(&mut Features)| {
        let mut f = Features::default();
        change(&mut f);
        f.validate().unwrap_err().to_string()
    };
    assert_eq!(
        bad(|f| f.ssid_bits = 21),
        "property 'ssidsize' is 21, but must be from 0 to 20; 20 serves every PASID, 0 switches substreams off"
    );
    assert!(bad(|f| f.stall_max = 0).contains("'stall-max' is 0, but must be from 1 to 65535"));
    assert!(bad(|f| f.gran64k = false).contains("'vax' is on, which needs the 64k granule"));
    assert!(
        bad(|f| {
            f.va52 = false;
            f.gran64k = false;
            f.oas = AddressSize::Bits52;
        })
        .contains("'oas' is 52, which needs the 64k granule; add 64k")
    );
    assert!(
        bad(|f| {
            f.va52 = false;
            (f.gran4k, f.gran16k, f.gran64k) = (false, false, false);
        })
        .contains("'granules'")
    );
    assert!(
        bad(|f| f.stage1 = false)
            .contains("'ssidsize' is more than 0, which needs stage 1; set stage=nested")
    );
    assert!(bad(|f| f.cmdq_log2 = 20).contains("'cmdq-log2'"));
    assert!(
        bad(|f| (f.pmu, f.pmu_msi) = (false, true))
            .contains("'pmu-msi' is on, which needs counters to overflow; set pmu=on")
    );
    assert!(
        bad(|f| {
            f.hyp = true;
            f.stage1 = false;
            f.ssid_bits = 0;
        })
        .contains("'hyp' is on, which needs stage 1")
    );
    assert_eq!(
        bad(|f| f.ats = false),
        "property 'pri' is on, which needs ats=on, by which endpoints use the pages; set ats=on, or pri=off"
    );
    assert_eq!(
        bad(|f| f.stage2 = false),
        "property 'ats-split' is on, which needs ats=on, and both stages of translation; set ats=on and stage=nested, or \
         ats-split=off"
    );
    assert!(bad(|f| f.priq_log2 = 20).contains("'priq-log2'"));
}

#[test]
fn words_of_properties() {
    assert_eq!(AddressSize::parse("auto"), Ok(None));
    assert_eq!(AddressSize::parse("44"), Ok(Some(AddressSize::Bits44)));
    assert_eq!(StallModel::parse("force"), Ok(StallModel::Force));
    assert_eq!(Httu::parse("access"), Ok(Httu::Access));
    let mut f = Features::default();
    f.parse_granules("64k,4k").unwrap();
    assert_eq!((f.gran4k, f.gran16k, f.gran64k), (true, false, true));
    f.parse_st_level("linear").unwrap();
    assert!(!f.two_level_streams);
    f.parse_stage("2").unwrap();
    assert_eq!((f.stage1, f.stage2), (false, true));
    f.parse_stage("1").unwrap();
    assert_eq!((f.stage1, f.stage2), (true, false));
    for error in [
        f.parse_stage("3").unwrap_err(),
        AddressSize::parse("45").unwrap_err(),
        StallModel::parse("yes").unwrap_err(),
        Httu::parse("both").unwrap_err(),
        f.parse_granules("4k,2m").unwrap_err(),
        f.parse_st_level("3").unwrap_err(),
    ] {
        assert!(matches!(error, FeatureError::Choice { .. }));
    }
    assert_eq!(
        StallModel::parse("yes").unwrap_err().to_string(),
        "property 'stall' is 'yes', but must be off, on or force; on lets the guest choose"
    );
    f.parse_granules("").unwrap();
    assert!(f.validate().unwrap_err().to_string().contains("'granules' is empty"));
}

#[test]
fn nothing_is_advertised_that_is_off() {
    let mut f = Features { ssid_bits: 0, ..Features::default() };
    assert_eq!(Idr0::from(f.idr0()).cd2l(), 0);
    f.stall = StallModel::Off;
    assert_eq!(Idr5::from(f.idr5()).stall_max(), 0);
    assert_eq!(Idr0::from(f.idr0()).stall_model(), 1);
    f.stall = StallModel::Force;
    assert_eq!(Idr0::from(f.idr0()).stall_model(), 2);
    f.hyp = true;
    assert_eq!(Idr0::from(f.idr0()).hyp(), 1);
    f.raz_wi = true;
    assert_eq!(Idr0::from(f.idr0()).term_model(), 0);
    // Of one stage alone NS1ATS is RES0 (`IHI0070 §6.3.1`).
    (f.ats_split, f.stage2) = (false, false);
    assert_eq!((Idr0::from(f.idr0()).ats(), Idr0::from(f.idr0()).ns1ats()), (1, 0));
}

#[test]
fn address_sizes() {
    for (encoding, size) in AddressSize::ALL.into_iter().enumerate() {
        assert_eq!(size.encoding() as usize, encoding);
        assert_eq!(AddressSize::from_encoding(encoding as u64), size);
        assert_eq!(AddressSize::from_bits(size.bits()), Some(size));
        assert!(size.contains((1 << size.bits()) - 1) && !size.contains(1 << size.bits()));
    }
    assert_eq!(AddressSize::from_encoding(7), AddressSize::Bits52);
    assert_eq!(AddressSize::from_bits(41), None);
}
