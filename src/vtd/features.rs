// SPDX-License-Identifier: GPL-2.0-or-later
//! What one unit can do: everything its properties decide, and the capability registers that say so.

#[cfg(test)]
mod tests;

use super::leniency::Leniency;
use super::spec::capability::{Cap, Ecap};

/// Where the fault recording registers begin; a multiple of 16.
pub const FAULT_RECORD_OFFSET: u64 = 0x220;
/// Where the IOTLB registers begin; a multiple of 16.
pub const IOTLB_OFFSET: u64 = 0xf0;
/// The most address bits that any table entry holds.
const ENTRY_BITS: u8 = 52;

/// Everything that the properties decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Bits of addresses that the second stage translates: 39, 48 or 57.
    pub aw_bits: u8,
    /// Scalable mode.
    pub scalable: bool,
    /// First-stage translation.
    pub first_stage: bool,
    /// Second-stage translation in scalable mode; legacy mode always has it.
    pub second_stage: bool,
    /// Nested translation.
    pub nested: bool,
    /// Pass-through.
    pub pass_through: bool,
    /// First-stage 5-level paging.
    pub fs5lp: bool,
    /// First-stage 1 GiB pages.
    pub fs1gp: bool,
    /// Bits of PASIDs, 0 to 20; 0: no PASIDs.
    pub pasid_bits: u8,
    /// Device-TLBs: translation requests, translated requests and their invalidation.
    pub device_tlb: bool,
    /// Their invalidations may name the physical function of a virtual one (`PFSID`), by which a unit that throttles them
    /// counts what is under way. This one takes them up to a number in all.
    pub device_tlb_throttling: bool,
    /// Page requests, and draining them.
    pub page_requests: bool,
    /// Supervisor requests.
    pub supervisor_requests: bool,
    /// Execute requests.
    pub execute_requests: bool,
    /// The no-write flag of translation requests.
    pub no_write: bool,
    /// Extended accessed flags in the first stage.
    pub extended_accessed: bool,
    /// Accessed and dirty flags in the second stage, in scalable mode.
    pub second_stage_dirty: bool,
    /// `RID_PASID` of context entries.
    pub rid_pasid: bool,
    /// `RID_PRIV` of context entries.
    pub rid_priv: bool,
    /// Abort-DMA mode.
    pub abort_dma: bool,
    /// Accesses to tables are coherent: `C` and, in scalable mode, `SMPWCS`. Without it software writes its tables back
    /// before the unit reads them, and no PASID's walks snoop (`PWSNP` is reserved), so that flags of entries are never set:
    /// what needs one set is a fault (SFS.9, SSS.5).
    pub coherent: bool,
    /// Snoop control. Without effect here, for everything is coherent.
    pub snoop_control: bool,
    /// Caching mode: software is to invalidate on making entries present, too. Nothing not present is ever cached;
    /// this is for shadowing by others.
    pub caching_mode: bool,
    /// Interrupt remapping.
    pub interrupt_remapping: bool,
    /// 32-bit APIC-IDs.
    pub eim: bool,
    /// Posted interrupts.
    pub posted_interrupts: bool,
    /// Setting the interrupt remapping table's pointer forgets what was cached of the old table. It does so in any case.
    pub forgets_interrupts: bool,
    /// Fault recording registers, 1 to 222: more do not fit the register page.
    pub fault_records: u16,
    /// Largest address mask that is advertised; any is understood.
    pub max_address_mask: u8,
    /// Cache all that may be cached, and forget no more than asked.
    pub adversarial: bool,
    /// Page requests that are taken before the queue counts as full, however large it is; 0: as many as fit.
    pub page_request_limit: u16,
    /// DMA remapping; without it the unit remaps interrupts alone.
    pub dma_translation: bool,
    /// `CAP.ZLR`. Requests of no bytes do not come up in QEMU.
    pub zero_length_reads: bool,
    /// What passes although the specification refuses it.
    pub leniency: Leniency,
}

impl Default for Features {
    /// The rich defaults of `intel-iommu-rs`.
    fn default() -> Self {
        Self {
            aw_bits: 48,
            scalable: true,
            first_stage: true,
            second_stage: true,
            nested: true,
            pass_through: true,
            fs5lp: true,
            fs1gp: true,
            pasid_bits: 20,
            device_tlb: true,
            device_tlb_throttling: true,
            page_requests: true,
            supervisor_requests: true,
            execute_requests: true,
            no_write: true,
            extended_accessed: true,
            second_stage_dirty: true,
            rid_pasid: true,
            rid_priv: true,
            abort_dma: true,
            coherent: true,
            snoop_control: true,
            caching_mode: false,
            interrupt_remapping: true,
            eim: true,
            posted_interrupts: true,
            forgets_interrupts: true,
            fault_records: 8,
            // 12 + 52 bits: the whole address space in one invalidation.
            max_address_mask: 52,
            adversarial: false,
            page_request_limit: 0,
            dma_translation: true,
            zero_length_reads: true,
            leniency: Leniency::default(),
        }
    }
}

/// A combination of properties that cannot be, with the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// A number is none of the choices.
    #[error("property '{property}' is {value}, but must be {choices}; {way_out}")]
    Choice {
        /// Property name.
        property: &'static str,
        /// What it was set to.
        value: u64,
        /// What there is to choose from.
        choices: &'static str,
        /// What to do.
        way_out: &'static str,
    },
    /// Two properties contradict each other.
    #[error("property '{property}' is on, which needs {needs}; {way_out}")]
    Needs {
        /// Property name.
        property: &'static str,
        /// What is missing.
        needs: &'static str,
        /// What to do.
        way_out: &'static str,
    },
}

impl Features {
    /// What QEMU's own `intel-iommu` does by default: legacy mode only, interrupt remapping as the board decides.
    #[must_use]
    pub fn compat() -> Self {
        Self {
            scalable: false,
            first_stage: false,
            second_stage: false,
            nested: false,
            fs5lp: false,
            pasid_bits: 0,
            device_tlb: false,
            device_tlb_throttling: false,
            page_requests: false,
            supervisor_requests: false,
            execute_requests: false,
            no_write: false,
            extended_accessed: false,
            second_stage_dirty: false,
            rid_pasid: false,
            rid_priv: false,
            abort_dma: false,
            coherent: false,
            snoop_control: false,
            posted_interrupts: false,
            forgets_interrupts: false,
            max_address_mask: 18,
            fault_records: 1,
            zero_length_reads: false,
            leniency: Leniency::all(),
            ..Self::default()
        }
    }

    /// Checks every property and combination.
    ///
    /// # Errors
    /// The first violation found.
    pub fn validate(&self) -> Result<(), FeatureError> {
        let choice = |property, value, choices, way_out| {
            Err(FeatureError::Choice { property, value, choices, way_out })
        };
        if !matches!(self.aw_bits, 39 | 48 | 57) {
            return choice("aw-bits", self.aw_bits.into(), "39, 48 or 57", "Linux wants 48");
        }
        if self.pasid_bits > 20 {
            return choice("pasid-bits", self.pasid_bits.into(), "from 0 to 20", "20 serves every PASID");
        }
        if !(1..=222).contains(&self.fault_records) {
            return choice("fault-records", self.fault_records.into(), "from 1 to 222", "8 is usual");
        }
        if self.max_address_mask > 63 {
            return choice("mamv", self.max_address_mask.into(), "from 0 to 63", "52 covers every address");
        }
        let scalable = (self.scalable, "scalable-mode", "set scalable-mode=on");
        let first = (self.first_stage, "fsts", "set fsts=on");
        let second = (self.second_stage, "ssts", "set ssts=on");
        let pasids = (self.pasid_bits != 0, "pasid-bits from 1 to 20", "set pasid-bits=20");
        let device_tlb = (self.device_tlb, "device-iotlb", "set device-iotlb=on");
        let remapping = (self.interrupt_remapping, "intremap", "set intremap=on");
        let rules = [
            (self.first_stage, "fsts", scalable),
            (self.second_stage, "ssts", scalable),
            (self.pasid_bits != 0, "pasid-bits", scalable),
            (self.rid_pasid, "rid-pasid", scalable),
            (self.rid_priv, "rid-priv", scalable),
            (self.abort_dma, "abort-dma", scalable),
            (self.fs5lp, "fs5lp", first),
            (self.supervisor_requests, "supervisor-requests", first),
            (self.execute_requests, "execute-requests", first),
            (self.extended_accessed, "eafs", first),
            (self.nested, "nested", first),
            (self.nested, "nested", second),
            (self.second_stage_dirty, "ssads", second),
            (self.supervisor_requests, "supervisor-requests", pasids),
            (self.execute_requests, "execute-requests", pasids),
            (self.page_requests, "svm", device_tlb),
            (self.page_requests, "svm", scalable),
            (self.page_requests, "svm", (self.dma_translation, "dma-translation", "set dma-translation=on")),
            (self.no_write, "no-write", device_tlb),
            (self.device_tlb_throttling, "device-tlb-throttling", device_tlb),
            (self.forgets_interrupts, "esirtps", remapping),
            (self.eim, "eim", remapping),
            (self.posted_interrupts, "posted-interrupts", remapping),
        ];
        for (on, property, (there, needs, way_out)) in rules {
            if on && !there {
                return Err(FeatureError::Needs { property, needs, way_out });
            }
        }
        if self.scalable && !self.first_stage && !self.second_stage {
            return Err(FeatureError::Needs {
                property: "scalable-mode",
                needs: "fsts or ssts",
                way_out: "set one of them on, or scalable-mode=off",
            });
        }
        Ok(())
    }

    /// Switches off what cannot be without something that is off, so that switching one property off needs no second.
    #[must_use]
    pub fn consistent(mut self) -> Self {
        self.scalable &= self.dma_translation;
        self.first_stage &= self.scalable;
        self.second_stage &= self.scalable;
        if !self.scalable {
            self.pasid_bits = 0;
        }
        self.rid_pasid &= self.scalable;
        self.rid_priv &= self.scalable;
        self.abort_dma &= self.scalable;
        self.nested &= self.first_stage && self.second_stage;
        self.fs5lp &= self.first_stage;
        self.extended_accessed &= self.first_stage;
        self.supervisor_requests &= self.first_stage && self.pasid_bits != 0;
        self.execute_requests &= self.first_stage && self.pasid_bits != 0;
        self.second_stage_dirty &= self.second_stage;
        self.page_requests &= self.device_tlb && self.scalable;
        self.no_write &= self.device_tlb;
        self.device_tlb_throttling &= self.device_tlb;
        self.forgets_interrupts &= self.interrupt_remapping;
        self.eim &= self.interrupt_remapping;
        self.posted_interrupts &= self.interrupt_remapping;
        self
    }

    /// What a host's unit can do for assigned devices: the second stage is its own, and it is told of entries where software
    /// invalidates, which software then has to do for new ones, too.
    #[must_use]
    pub fn for_assigned_devices(self) -> Self {
        Self {
            second_stage: false,
            nested: false,
            second_stage_dirty: false,
            execute_requests: false,
            rid_priv: false,
            caching_mode: true,
            ..self
        }
    }

    /// Checks that nothing is offered that assigned devices cannot have.
    ///
    /// # Errors
    /// The first violation found.
    pub fn validate_for_assigned_devices(&self) -> Result<(), FeatureError> {
        let rules = [
            (!self.scalable, "scalable-mode=on", "set scalable-mode=on"),
            (!self.first_stage, "fsts=on", "set fsts=on"),
            (self.second_stage, "ssts=off", "leave ssts out"),
            (self.nested, "nested=off", "leave nested out"),
            (self.execute_requests, "execute-requests=off", "leave execute-requests out"),
            (self.rid_priv, "rid-priv=off", "leave rid-priv out"),
            (!self.caching_mode, "caching-mode=on", "set caching-mode=on"),
        ];
        match rules.into_iter().find(|(violated, ..)| *violated) {
            None => Ok(()),
            Some((_, needs, way_out)) => Err(FeatureError::Needs { property: "accel", needs, way_out }),
        }
    }

    /// Bits of physical addresses: no entry has more than 52.
    #[must_use]
    pub const fn host_bits(&self) -> u8 {
        if self.aw_bits < ENTRY_BITS { self.aw_bits } else { ENTRY_BITS }
    }

    /// Bits of the addresses that a second stage with this `AW` translates, if it is supported.
    #[must_use]
    pub const fn second_stage_bits(&self, aw: u64) -> Option<u8> {
        let bits = match aw {
            1 => 39,
            2 => 48,
            3 => 57,
            _ => return None,
        };
        if bits <= self.aw_bits && self.dma_translation { Some(bits) } else { None }
    }

    /// `VER_REG`, `VTD §11.4.1`: version 1.0, as QEMU's own model says.
    #[must_use]
    pub const fn version(&self) -> u32 {
        0x10
    }

    /// `CAP_REG`.
    #[must_use]
    pub fn cap(&self) -> u64 {
        let sagaw = match self.aw_bits {
            39 => 0b0010,
            48 => 0b0110,
            _ => 0b1110,
        };
        // None: software leaves DMA remapping alone (`VTD §11.4.2`).
        let sagaw = if self.dma_translation { sagaw } else { 0 };
        Cap::default()
            .with_nd(6)
            .with_cm(self.caching_mode.into())
            .with_sagaw(sagaw)
            .with_mgaw(u64::from(self.aw_bits).saturating_sub(1))
            .with_zlr(self.zero_length_reads.into())
            .with_fro(FAULT_RECORD_OFFSET >> 4)
            .with_sslps(0b11)
            .with_psi(1)
            .with_nfr(u64::from(self.fault_records).saturating_sub(1))
            .with_mamv(self.max_address_mask.into())
            .with_dwd(1)
            .with_drd(1)
            .with_fs1gp((self.first_stage && self.fs1gp).into())
            .with_pi(self.posted_interrupts.into())
            .with_fs5lp(self.fs5lp.into())
            .with_esirtps(self.forgets_interrupts.into())
            .with_esrtps(1)
            .bits()
    }

    /// QEMU's own model says `SRS` where it has the second stage alone, to which privilege means nothing. Linux sets `SRE`
    /// of PASID table entries by it.
    fn supervisor_in_name(&self) -> bool {
        self.leniency.scalable_entries && self.scalable && !self.first_stage
    }

    /// `ECAP_REG`.
    #[must_use]
    pub fn ecap(&self) -> u64 {
        Ecap::default()
            .with_c(self.coherent.into())
            .with_qi(1)
            .with_dt(self.device_tlb.into())
            .with_ir(self.interrupt_remapping.into())
            .with_eim(self.eim.into())
            .with_pt(self.pass_through.into())
            .with_sc(self.snoop_control.into())
            .with_iro(IOTLB_OFFSET >> 4)
            .with_mhmv(if self.interrupt_remapping { 15 } else { 0 })
            .with_nest(self.nested.into())
            .with_prs(self.page_requests.into())
            .with_ers(self.execute_requests.into())
            .with_srs((self.supervisor_requests || self.supervisor_in_name()).into())
            .with_nwfs(self.no_write.into())
            .with_eafs(self.extended_accessed.into())
            .with_pss(u64::from(self.pasid_bits).saturating_sub(1))
            .with_pasid((self.pasid_bits != 0).into())
            .with_dit(self.device_tlb_throttling.into())
            .with_pds(self.page_requests.into())
            .with_smts(self.scalable.into())
            .with_ssads(self.second_stage_dirty.into())
            .with_ssts(self.second_stage.into())
            .with_fsts(self.first_stage.into())
            .with_smpwcs((self.coherent && self.scalable).into())
            .with_rps(self.rid_pasid.into())
            .with_adms(self.abort_dma.into())
            .with_rprivs(self.rid_priv.into())
            .bits()
    }
}
