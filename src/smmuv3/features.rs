// SPDX-License-Identifier: GPL-2.0-or-later
//! What one SMMU can do: everything its properties decide, and the identification registers that say so.

#[cfg(test)]
mod tests;

use super::leniency::Leniency;
use super::spec::id::{Idr0, Idr1, Idr3, Idr5};

/// Size of physical addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressSize {
    /// 32 bits.
    Bits32,
    /// 36 bits.
    Bits36,
    /// 40 bits.
    Bits40,
    /// 42 bits.
    Bits42,
    /// 44 bits.
    Bits44,
    /// 48 bits.
    Bits48,
    /// 52 bits.
    Bits52,
}

impl AddressSize {
    /// All sizes, ascending; the index is the encoding in `IDR5.OAS` and `CD.IPS`.
    pub const ALL: [Self; 7] =
        [Self::Bits32, Self::Bits36, Self::Bits40, Self::Bits42, Self::Bits44, Self::Bits48, Self::Bits52];

    /// Number of address bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Bits32 => 32,
            Self::Bits36 => 36,
            Self::Bits40 => 40,
            Self::Bits42 => 42,
            Self::Bits44 => 44,
            Self::Bits48 => 48,
            Self::Bits52 => 52,
        }
    }

    /// Encoding in `IDR5.OAS` and `CD.IPS`.
    #[must_use]
    pub const fn encoding(self) -> u32 {
        match self {
            Self::Bits32 => 0,
            Self::Bits36 => 1,
            Self::Bits40 => 2,
            Self::Bits42 => 3,
            Self::Bits44 => 4,
            Self::Bits48 => 5,
            Self::Bits52 => 6,
        }
    }

    /// The size that an encoding stands for; the reserved `0b111` behaves as 52 bits (`IHI0070 §5.4`, `CD.IPS`).
    #[must_use]
    pub const fn from_encoding(encoding: u64) -> Self {
        match encoding {
            0 => Self::Bits32,
            1 => Self::Bits36,
            2 => Self::Bits40,
            3 => Self::Bits42,
            4 => Self::Bits44,
            5 => Self::Bits48,
            _ => Self::Bits52,
        }
    }

    /// The size of that many bits, if there is one.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.bits() == bits)
    }

    /// Whether `addr` needs no more bits than that.
    #[must_use]
    pub const fn contains(self, addr: u64) -> bool {
        addr & !self.mask() == 0
    }

    /// The highest address.
    #[must_use]
    pub const fn mask(self) -> u64 {
        u64::MAX >> (u64::BITS.saturating_sub(self.bits()))
    }
}

/// Which fault models there are (`IDR0.STALL_MODEL`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StallModel {
    /// Faults terminate.
    Off,
    /// `CD.S` chooses.
    #[default]
    On,
    /// Faults stall.
    Force,
}

/// Hardware translation table update (`IDR0.HTTU`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Httu {
    /// None.
    None,
    /// The access flag.
    Access,
    /// The access flag and dirty state.
    #[default]
    Dirty,
}

/// Everything that the properties decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Bits of SubstreamIDs, 0 to 20; 0: no substreams.
    pub ssid_bits: u8,
    /// Bits of StreamIDs, 0 to 32.
    pub sid_bits: u8,
    /// Stage 1.
    pub stage1: bool,
    /// Stage 2.
    pub stage2: bool,
    /// Size of physical addresses, and with stage 2 of intermediate ones.
    pub oas: AddressSize,
    /// 4 KiB granule.
    pub gran4k: bool,
    /// 16 KiB granule.
    pub gran16k: bool,
    /// 64 KiB granule.
    pub gran64k: bool,
    /// 52-bit input addresses, with the 64 KiB granule.
    pub va52: bool,
    /// Fault models.
    pub stall: StallModel,
    /// Hardware translation table update.
    pub httu: Httu,
    /// Two-level stream tables.
    pub two_level_streams: bool,
    /// Two-level CD tables.
    pub two_level_contexts: bool,
    /// Range invalidation and level hints.
    pub range_invalidation: bool,
    /// Message-signalled interrupts.
    pub msi: bool,
    /// Wake-up events for `CMD_SYNC` and for a command queue that is not full any more.
    pub sev: bool,
    /// Records of events are merged where streams allow it.
    pub event_merging: bool,
    /// Translation requests of endpoints are served.
    pub ats: bool,
    /// Translation requests may be answered by stage 1 alone, for translated transactions to go through stage 2. Needs
    /// `ats` and both stages.
    pub ats_split: bool,
    /// Page requests of endpoints are taken. Needs `ats`.
    pub pri: bool,
    /// Streams of EL2.
    pub hyp: bool,
    /// 16-bit ASIDs.
    pub asid16: bool,
    /// 16-bit VMIDs, with stage 2.
    pub vmid16: bool,
    /// VMID wildcards for invalidations, with stage 2.
    pub vmid_wildcards: bool,
    /// Stage 2 execute-never by privilege.
    pub xnx: bool,
    /// `STE.S2FWB`: memory types of stage 2 in the encoding that forces them.
    pub fwb: bool,
    /// Tables for less than 25 bits of input address.
    pub small_tables: bool,
    /// Big-endian translation tables as well as little-endian ones.
    pub big_endian: bool,
    /// `STE.PRIVCFG`, `STE.INSTCFG` and their like in `GBPA` have effect.
    pub attr_perms_override: bool,
    /// `CD.A = 0` is allowed: terminated transactions read as zero and write nothing, without an abort.
    pub raz_wi: bool,
    /// Break-before-make level, 0 to 2.
    pub bbml: u8,
    /// How many transactions can be stalled, at least 1.
    pub stall_max: u16,
    /// Log2 of the largest command queue, 0 to 19. Linux wants at least 7.
    pub cmdq_log2: u8,
    /// Log2 of the largest event queue, 0 to 19.
    pub evtq_log2: u8,
    /// Log2 of the largest PRI queue, 0 to 19.
    pub priq_log2: u8,
    /// The SMMU's accesses are coherent with PEs.
    pub coherent: bool,
    /// There is a performance monitor counter group.
    pub pmu: bool,
    /// Its overflow interrupt can be an MSI. Needs `pmu`.
    pub pmu_msi: bool,
    /// Cache all that may be cached, and forget no more than asked.
    pub adversarial: bool,
    /// What passes although the specification refuses it.
    pub leniency: Leniency,
}

impl Default for Features {
    /// The rich defaults of `arm-smmuv3-rs`.
    fn default() -> Self {
        Self {
            ssid_bits: 20,
            sid_bits: 16,
            stage1: true,
            stage2: true,
            oas: AddressSize::Bits48,
            gran4k: true,
            gran16k: true,
            gran64k: true,
            va52: true,
            stall: StallModel::On,
            httu: Httu::Dirty,
            two_level_streams: true,
            two_level_contexts: true,
            range_invalidation: true,
            msi: true,
            sev: true,
            event_merging: true,
            ats: true,
            ats_split: true,
            pri: true,
            hyp: false,
            asid16: true,
            vmid16: true,
            vmid_wildcards: true,
            xnx: true,
            fwb: true,
            small_tables: true,
            big_endian: true,
            attr_perms_override: true,
            raz_wi: false,
            bbml: 2,
            stall_max: 256,
            cmdq_log2: 19,
            evtq_log2: 19,
            priq_log2: 19,
            coherent: true,
            pmu: true,
            // A board has to give the group a DeviceID; virt describes the wired interrupt.
            pmu_msi: false,
            adversarial: false,
            leniency: Leniency::default(),
        }
    }
}

/// A combination of properties that cannot be, with the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// A number is outside its range.
    #[error("property '{property}' is {value}, but must be from {min} to {max}; {way_out}")]
    Range {
        /// Property name.
        property: &'static str,
        /// What it was set to.
        value: u64,
        /// Lowest allowed.
        min: u64,
        /// Highest allowed.
        max: u64,
        /// What to do.
        way_out: &'static str,
    },
    /// A word is none of the choices.
    #[error("property '{property}' is '{value}', but must be {choices}; {way_out}")]
    Choice {
        /// Property name.
        property: &'static str,
        /// What it was set to.
        value: String,
        /// What there is to choose from.
        choices: &'static str,
        /// What to do.
        way_out: &'static str,
    },
    /// Two properties contradict each other.
    #[error("property '{property}' is {value}, which needs {needs}; {way_out}")]
    Needs {
        /// Property name.
        property: &'static str,
        /// What it was set to.
        value: &'static str,
        /// What is missing.
        needs: &'static str,
        /// What to do.
        way_out: &'static str,
    },
}

fn range(
    property: &'static str,
    value: u64,
    min: u64,
    max: u64,
    way_out: &'static str,
) -> Result<(), FeatureError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(FeatureError::Range { property, value, min, max, way_out })
    }
}

fn choice<T>(
    property: &'static str,
    value: &str,
    choices: &'static str,
    way_out: &'static str,
) -> Result<T, FeatureError> {
    Err(FeatureError::Choice { property, value: value.into(), choices, way_out })
}

impl AddressSize {
    /// Property `oas`; `None` stands for `auto`, the size of the CPUs' physical addresses.
    ///
    /// # Errors
    /// For any other word.
    pub fn parse(value: &str) -> Result<Option<Self>, FeatureError> {
        if value == "auto" {
            return Ok(None);
        }
        match value.parse().ok().and_then(Self::from_bits) {
            Some(size) => Ok(Some(size)),
            None => choice(
                "oas",
                value,
                "auto, 32, 36, 40, 42, 44, 48 or 52",
                "auto takes the CPUs' physical address size, which Linux wants for SVA",
            ),
        }
    }
}

impl StallModel {
    /// Property `stall`.
    ///
    /// # Errors
    /// For any other word.
    pub fn parse(value: &str) -> Result<Self, FeatureError> {
        match value {
            "off" => Ok(Self::Off),
            "on" => Ok(Self::On),
            "force" => Ok(Self::Force),
            _ => choice("stall", value, "off, on or force", "on lets the guest choose"),
        }
    }
}

impl Httu {
    /// Property `httu`.
    ///
    /// # Errors
    /// For any other word.
    pub fn parse(value: &str) -> Result<Self, FeatureError> {
        match value {
            "off" => Ok(Self::None),
            "access" => Ok(Self::Access),
            "dirty" => Ok(Self::Dirty),
            _ => choice("httu", value, "off, access or dirty", "dirty does both, if the guest enables it"),
        }
    }
}

impl Features {
    /// Property `granules`: names joined by commas.
    ///
    /// # Errors
    /// For any other word. That there is none at all is for [`validate`](Self::validate) to say.
    pub fn parse_granules(&mut self, value: &str) -> Result<(), FeatureError> {
        let (mut gran4k, mut gran16k, mut gran64k) = (false, false, false);
        for granule in value.split(',').filter(|granule| !granule.is_empty()) {
            match granule {
                "4k" => gran4k = true,
                "16k" => gran16k = true,
                "64k" => gran64k = true,
                _ => {
                    return choice(
                        "granules",
                        value,
                        "of 4k, 16k and 64k, joined by commas",
                        "leave it out for all three",
                    );
                }
            }
        }
        (self.gran4k, self.gran16k, self.gran64k) = (gran4k, gran16k, gran64k);
        Ok(())
    }

    /// Property `st-level`.
    ///
    /// # Errors
    /// For any other word.
    pub fn parse_st_level(&mut self, value: &str) -> Result<(), FeatureError> {
        self.two_level_streams = match value {
            "linear" => false,
            "2-level" => true,
            _ => return choice("st-level", value, "linear or 2-level", "2-level allows linear tables too"),
        };
        Ok(())
    }

    /// Property `stage`.
    ///
    /// # Errors
    /// For any other word.
    pub fn parse_stage(&mut self, value: &str) -> Result<(), FeatureError> {
        (self.stage1, self.stage2) = match value {
            "1" => (true, false),
            "2" => (false, true),
            "nested" => (true, true),
            _ => {
                return choice(
                    "stage",
                    value,
                    "1, 2 or nested",
                    "nested has both stages, for the guest to choose",
                );
            }
        };
        Ok(())
    }

    /// What QEMU's own `arm-smmuv3` does by default: stage 1 alone, no substreams, no stall, no table updates,
    /// neither ATS nor PRI, 44-bit output.
    #[must_use]
    pub fn compat() -> Self {
        Self {
            ssid_bits: 0,
            stage2: false,
            oas: AddressSize::Bits44,
            va52: false,
            stall: StallModel::Off,
            httu: Httu::None,
            two_level_contexts: false,
            msi: false,
            sev: false,
            vmid_wildcards: false,
            fwb: false,
            small_tables: false,
            big_endian: false,
            event_merging: false,
            ats: false,
            ats_split: false,
            pri: false,
            attr_perms_override: false,
            pmu: false,
            leniency: Leniency::all(),
            ..Self::default()
        }
    }

    /// Checks every property and combination.
    ///
    /// # Errors
    /// The first violation found.
    pub fn validate(&self) -> Result<(), FeatureError> {
        range("ssidsize", self.ssid_bits.into(), 0, 20, "20 serves every PASID, 0 switches substreams off")?;
        range("sidsize", self.sid_bits.into(), 0, 32, "16 serves one PCI segment")?;
        range("bbml", self.bbml.into(), 0, 2, "2 lets software change page sizes in place")?;
        range("cmdq-log2", self.cmdq_log2.into(), 0, 19, "Linux needs at least 7")?;
        range("evtq-log2", self.evtq_log2.into(), 0, 19, "19 is the architecture's limit")?;
        range("priq-log2", self.priq_log2.into(), 0, 19, "19 is the architecture's limit")?;
        if self.stall != StallModel::Off {
            range(
                "stall-max",
                self.stall_max.into(),
                1,
                0xffff,
                "use stall=off for an SMMU that cannot stall",
            )?;
        }
        let needs =
            |property, value, needs, way_out| Err(FeatureError::Needs { property, value, needs, way_out });
        if !(self.gran4k || self.gran16k || self.gran64k) {
            return needs(
                "granules",
                "empty",
                "at least one of 4k, 16k and 64k",
                "leave it out for all three",
            );
        }
        if self.va52 && !self.gran64k {
            return needs("vax", "on", "the 64k granule", "add 64k to granules, or set vax=off");
        }
        if self.oas == AddressSize::Bits52 && !self.gran64k {
            return needs("oas", "52", "the 64k granule", "add 64k to granules, or set oas=48");
        }
        if self.ssid_bits != 0 && !self.stage1 {
            return needs("ssidsize", "more than 0", "stage 1", "set stage=nested, or ssidsize=0");
        }
        if self.hyp && !self.stage1 {
            return needs("hyp", "on", "stage 1", "set stage=nested, or hyp=off");
        }
        if self.pri && !self.ats {
            return needs("pri", "on", "ats=on, by which endpoints use the pages", "set ats=on, or pri=off");
        }
        if self.pmu_msi && !self.pmu {
            return needs("pmu-msi", "on", "counters to overflow", "set pmu=on, or pmu-msi=off");
        }
        if self.ats_split && !self.can_split_ats() {
            return needs(
                "ats-split",
                "on",
                "ats=on, and both stages of translation",
                "set ats=on and stage=nested, or ats-split=off",
            );
        }
        Ok(())
    }

    /// Log2 of the smallest granule: the smallest translation unit of ATS (`IHI0070 §3.9.1`).
    #[must_use]
    pub const fn smallest_granule_log2(&self) -> u32 {
        if self.gran4k {
            12
        } else if self.gran16k {
            14
        } else {
            16
        }
    }

    /// Whether there can be split-stage ATS.
    #[must_use]
    pub const fn can_split_ats(&self) -> bool {
        self.ats && self.stage1 && self.stage2
    }

    /// Whether pages of `1 << log2` bytes are a supported granule.
    #[must_use]
    pub const fn supports_granule(&self, log2: u32) -> bool {
        match log2 {
            12 => self.gran4k,
            14 => self.gran16k,
            16 => self.gran64k,
            _ => false,
        }
    }

    /// `SMMU_IDR0`, `IHI0070 §6.3.1`.
    #[must_use]
    pub fn idr0(&self) -> u32 {
        Idr0::default()
            .with_s1p(self.stage1.into())
            .with_s2p(self.stage2.into())
            .with_ttf(0b10)
            .with_cohacc(self.coherent.into())
            .with_httu(match self.httu {
                Httu::None => 0,
                Httu::Access => 1,
                Httu::Dirty => 2,
            })
            .with_hyp(self.hyp.into())
            .with_ats(self.ats.into())
            // Says what is not there, of two stages alone.
            .with_ns1ats((self.can_split_ats() && !self.ats_split).into())
            .with_asid16((self.stage1 && self.asid16).into())
            .with_vmid16((self.stage2 && self.vmid16).into())
            .with_vmw((self.stage2 && self.vmid_wildcards).into())
            .with_msi(self.msi.into())
            .with_sev(self.sev.into())
            .with_pri(self.pri.into())
            .with_cd2l((self.two_level_contexts && self.ssid_bits != 0).into())
            .with_ttendian(if self.big_endian { 0b00 } else { 0b10 })
            .with_atsrecerr(self.ats.into())
            .with_stall_model(match self.stall {
                StallModel::On => 0,
                StallModel::Off => 1,
                StallModel::Force => 2,
            })
            .with_term_model((!self.raz_wi).into())
            .with_st_level(self.two_level_streams.into())
            .bits()
    }

    /// `SMMU_IDR1`, `IHI0070 §6.3.2`.
    #[must_use]
    pub fn idr1(&self) -> u32 {
        Idr1::default()
            .with_sidsize(self.sid_bits.into())
            .with_ssidsize(self.ssid_bits.into())
            .with_priqs(if self.pri { self.priq_log2.into() } else { 0 })
            .with_eventqs(self.evtq_log2.into())
            .with_cmdqs(self.cmdq_log2.into())
            .with_attr_perms_ovr(self.attr_perms_override.into())
            .bits()
    }

    /// `SMMU_IDR2`, `IHI0070 §6.3.3`: no VATOS page.
    #[must_use]
    pub fn idr2(&self) -> u32 {
        0
    }

    /// `SMMU_IDR3`, `IHI0070 §6.3.4`.
    #[must_use]
    pub fn idr3(&self) -> u32 {
        Idr3::default()
            .with_had(self.stage1.into())
            .with_xnx((self.stage2 && self.xnx).into())
            .with_fwb((self.stage2 && self.fwb).into())
            .with_stt(self.small_tables.into())
            .with_ril(self.range_invalidation.into())
            .with_bbml(self.bbml.into())
            .bits()
    }

    /// `SMMU_IDR4`, `IHI0070 §6.3.5`: nothing implementation defined.
    #[must_use]
    pub fn idr4(&self) -> u32 {
        0
    }

    /// `SMMU_IDR5`, `IHI0070 §6.3.6`.
    #[must_use]
    pub fn idr5(&self) -> u32 {
        let stall_max = if self.stall == StallModel::Off { 0 } else { self.stall_max };
        Idr5::default()
            .with_oas(self.oas.encoding())
            .with_gran4k(self.gran4k.into())
            .with_gran16k(self.gran16k.into())
            .with_gran64k(self.gran64k.into())
            .with_vax(self.va52.into())
            .with_stall_max(stall_max.into())
            .bits()
    }

    /// `SMMU_IIDR`, `IHI0070 §6.3.7`: no implementer, so that no driver applies another implementation's errata.
    #[must_use]
    pub fn iidr(&self) -> u32 {
        0
    }

    /// `SMMU_AIDR`, `IHI0070 §6.3.8`: SMMUv3.2, or where a property takes away what that has, SMMUv3.1.
    #[must_use]
    pub fn aidr(&self) -> u32 {
        if self.is_version_2() { 2 } else { 1 }
    }

    /// Whether everything is there that SMMUv3.2 makes mandatory:
    ///
    /// - `IDR3.RIL`, ranges and level hints (§4.4.1.1, §6.3.4);
    /// - `IDR3.BBML` of 1 or 2 (§3.21.1.1, §6.3.4);
    /// - `IDR3.FWB` (§6.3.4);
    /// - `IDR0.Hyp` where there are both stages (§6.3.1);
    /// - writes to Guarded registers are ignored while what guards them is on: `STRTAB_*`, `CMDQ_BASE`, `CMDQ_CONS`,
    ///   `EVENTQ_BASE`, `EVENTQ_PROD`, the PRI queue's, `*_IRQ_CFGn`, `CR1`, `CR2` (§6.3.11, §6.3.12, §6.3.24 to §6.3.38),
    ///   and `GBPA` without `Update` (§6.3.14): [`Registers::write32`](super::registers::Registers::write32), always;
    /// - from SMMUv3.1, `IDR3.HAD` and `IDR3.XNX` (§6.3.4).
    ///
    /// Secure EL2, MPAM and small tables are optional. Of SMMUv3.3 there is nothing: `IDR3.E0PD` and `IDR3.PTWNNC` are 0,
    /// which that version would set.
    fn is_version_2(&self) -> bool {
        let idr3 = Idr3::from(self.idr3());
        let both = self.stage1 && self.stage2;
        idr3.ril() != 0
            && idr3.bbml() != 0
            && idr3.fwb() != 0
            && (self.hyp || !both)
            && (idr3.xnx() != 0 || !self.stage2)
    }
}
