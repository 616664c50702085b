// SPDX-License-Identifier: GPL-2.0-or-later
//! The QOM shell of VT-d: properties in, registers, translations, page requests and interrupts through, effects
//! out.
//!
//! Two types share it. `intel-iommu-rs` is rich; `intel-iommu-rs-compat` has the defaults of QEMU's own
//! `intel-iommu`, and is what `-device-plugin FILE,replace=on` puts in its place.

use core::ffi::CStr;
use core::marker::PhantomData;
use std::sync::OnceLock;

use super::features::Features;
use super::interrupt_window;
use super::leniency::Leniency;
use super::model::Vtd;
use crate::iommu::Effect;
use crate::qemu::host_iommu::Wishes;
use crate::qemu::iommu_shell::function::{self, BusAddress};
use crate::qemu::iommu_shell::{self, Core, IommuDevice, Shell, iotlb_entries};
use crate::qemu::property::Default as PropertyDefault;
use crate::qemu::{
    AddressSpace, ClassInit, DeviceImpl, Error, INTEL_IOMMU_INTERFACE, IntelIommu, IntelIommuInfo,
    MemoryAttributes, MemoryRegion, MsiMessage, ObjectLike, OnOffAuto, PciBus, PciDmaRequest, Property, Qom,
    Requester, Result, Switch, TlbEntry, X86Iommu, properties, qom, x86_iommu,
};

properties! {
    /// What a user or a board sets, besides `intremap`, `device-iotlb` and `dma-translation`, which every IOMMU of
    /// a PC has. `S` is what switches are that QEMU's own model has, too.
    pub struct VtdProperties<S: Switch> {
        /// See `Features::aw_bits`.
        pub aw_bits: u8 = 48, c"aw-bits", c"bits of second-stage addresses: 39, 48 or 57";
        /// See `Features::scalable`.
        pub scalable: S = S::UNSET, c"scalable-mode", c"scalable mode";
        /// See `Features::first_stage`.
        pub fsts: S = S::UNSET, c"fsts", c"first-stage translation";
        /// See `Features::second_stage`.
        pub ssts: OnOffAuto = OnOffAuto::Auto, c"ssts", c"second-stage translation in scalable mode";
        /// See `Features::nested`.
        pub nested: OnOffAuto = OnOffAuto::Auto, c"nested", c"nested translation";
        /// See `Features::pass_through`.
        pub pass_through: OnOffAuto = OnOffAuto::Auto, c"pass-through", c"pass-through translation";
        /// See `Features::fs5lp`.
        pub fs5lp: OnOffAuto = OnOffAuto::Auto, c"fs5lp", c"first-stage 5-level paging";
        /// See `Features::fs1gp`.
        pub fs1gp: S = S::UNSET, c"fs1gp", c"first-stage 1 GiB pages";
        /// See `Features::pasid_bits`.
        pub pasid_bits: u8 = 20, c"pasid-bits", c"bits of PASIDs: 0 to 20";
        /// See `Features::page_requests`.
        pub svm: S = S::UNSET, c"svm", c"page requests";
        /// See `Features::supervisor_requests`.
        pub srs: OnOffAuto = OnOffAuto::Auto, c"supervisor-requests", c"supervisor requests";
        /// See `Features::execute_requests`.
        pub ers: OnOffAuto = OnOffAuto::Auto, c"execute-requests", c"execute requests";
        /// See `Features::no_write`.
        pub nwfs: OnOffAuto = OnOffAuto::Auto, c"no-write", c"the no-write flag of translation requests";
        /// See `Features::extended_accessed`.
        pub eafs: OnOffAuto = OnOffAuto::Auto, c"eafs", c"extended accessed flags in the first stage";
        /// See `Features::second_stage_dirty`.
        pub ssads: OnOffAuto = OnOffAuto::Auto, c"ssads", c"accessed and dirty flags in the second stage";
        /// See `Features::rid_pasid`.
        pub rid_pasid: OnOffAuto = OnOffAuto::Auto, c"rid-pasid", c"RID_PASID of context entries";
        /// See `Features::rid_priv`.
        pub rid_priv: OnOffAuto = OnOffAuto::Auto, c"rid-priv", c"RID_PRIV of context entries";
        /// See `Features::abort_dma`.
        pub abort_dma: OnOffAuto = OnOffAuto::Auto, c"abort-dma", c"abort-DMA mode";
        /// See `Features::coherent`.
        pub coherent: OnOffAuto = OnOffAuto::Auto, c"coherent", c"accesses to tables are coherent (C, SMPWCS)";
        /// See `Features::device_tlb_throttling`.
        pub device_tlb_throttling: OnOffAuto = OnOffAuto::Auto, c"device-tlb-throttling", c"device-TLB invalidations name a physical function (DIT)";
        /// See `Features::forgets_interrupts`.
        pub esirtps: OnOffAuto = OnOffAuto::Auto, c"esirtps", c"a new interrupt remapping table pointer forgets the old table's entries (ESIRTPS)";
        /// See `Features::snoop_control`.
        pub snoop_control: S = S::UNSET, c"snoop-control", c"snoop control";
        /// See `Features::caching_mode`.
        pub caching_mode: S = S::UNSET, c"caching-mode", c"caching mode";
        /// See `Features::eim`.
        pub eim: OnOffAuto = OnOffAuto::Auto, c"eim", c"32-bit APIC-IDs";
        /// See `Features::posted_interrupts`.
        pub posted_interrupts: OnOffAuto = OnOffAuto::Auto, c"posted-interrupts", c"posted interrupts";
        /// See `Features::fault_records`.
        pub fault_records: u16 = 8, c"fault-records", c"fault recording registers (1-222)";
        /// See `Deadlines`.
        pub device_tlb_timeout: u32 = 2000, c"device-tlb-timeout", c"milliseconds in which endpoints have to answer an invalidation; 0: any time";
        /// Entries of the IOTLB.
        pub iotlb_size: u32 = 4096, c"iotlb-size", c"entries of the translation cache, a power of two (64-1048576)";
        /// See `Features::adversarial`.
        pub adversarial: bool = false, c"x-adversarial", c"cache all that may be cached, finish as late as allowed";
        /// See `Features::page_request_limit`.
        pub page_request_limit: u16 = 0, c"x-prq-entries", c"page requests taken before the queue overflows (0: as many as fit)";
        /// A host's VT-d unit translates for assigned devices.
        pub accel: OnOffAuto = OnOffAuto::Auto, c"accel", c"a host's VT-d unit translates for assigned devices (vfio-pci with iommufd)";
        /// Present for command lines and machine versions of QEMU's own model.
        pub version: u32 = 0, c"version", c"without effect";
        /// Present for machine versions of QEMU's own model: bit 62 of table entries is never a reserved one here.
        pub stale_tm: bool = false, c"stale-tm", c"without effect";
        /// See `Leniency::ioapic_source`.
        pub lenient_ioapic: bool = false, c"lenient-ioapic", c"the source of the IOAPIC's interrupts is not verified";
        /// See `Leniency::irte_values`.
        pub lenient_irte: bool = false, c"lenient-irte", c"reserved values in interrupt remapping table entries pass";
        /// See `Leniency::compatibility_format`.
        pub lenient_msi: bool = false, c"lenient-msi", c"interrupts in compatibility format pass, whatever CFIS and EIME";
        /// See `Leniency::extended_mode`.
        pub lenient_eime: bool = false, c"lenient-eime", c"software may set IRTA.EIME without ECAP.EIM";
        /// See `Leniency::scalable_entries`.
        pub lenient_entries: bool = false, c"lenient-entries", c"reserved bits of scalable mode entries pass";
        /// See `Leniency::flag_updates`.
        pub lenient_flags: bool = false, c"lenient-flags", c"incoherent page walks set accessed and dirty flags";
    }
}

/// What sets the two types apart.
pub trait Variant: Send + Sync + 'static {
    /// Name of the QOM type.
    const TYPE_NAME: &'static CStr;
    /// Name of the type of its translating regions.
    const REGION_TYPE_NAME: &'static CStr;
    /// For `-device help`.
    const DESCRIPTION: &'static CStr;
    /// Defaults that differ from the table's.
    const DEFAULTS: &'static [(&'static CStr, PropertyDefault)];
    /// Default of `device-iotlb`.
    const DEVICE_IOTLB: bool;
    /// With `device-iotlb`, the DMAR table names the endpoints that it is for.
    const SATC: bool;
    /// `accel=auto`: as QEMU's own model, on where there is a first stage.
    const ACCEL_BY_FSTS: bool;
    /// `no-write=auto`: as QEMU's own model, on where there are page requests.
    const NO_WRITE_BY_SVM: bool;
    /// What switches are that QEMU's own model has, too.
    type Switch: Switch;
    /// Features where no property says otherwise.
    fn features() -> Features;
}

/// `intel-iommu-rs`.
pub struct Rich;

impl Variant for Rich {
    const TYPE_NAME: &'static CStr = c"intel-iommu-rs";
    const REGION_TYPE_NAME: &'static CStr = c"intel-iommu-rs-iommu-memory-region";
    const DESCRIPTION: &'static CStr = c"Intel VT-d with scalable mode, PASIDs and page requests";
    const DEFAULTS: &'static [(&'static CStr, PropertyDefault)] = &[];
    const DEVICE_IOTLB: bool = true;
    const SATC: bool = true;
    const ACCEL_BY_FSTS: bool = false;
    const NO_WRITE_BY_SVM: bool = false;
    type Switch = OnOffAuto;

    fn features() -> Features {
        Features::default()
    }
}

/// `intel-iommu-rs-compat`.
pub struct Compat;

impl Variant for Compat {
    const TYPE_NAME: &'static CStr = c"intel-iommu-rs-compat";
    const REGION_TYPE_NAME: &'static CStr = c"intel-iommu-rs-compat-iommu-memory-region";
    const DESCRIPTION: &'static CStr = c"Intel VT-d with the defaults of intel-iommu";
    const DEFAULTS: &'static [(&'static CStr, PropertyDefault)] = &[
        (c"pasid-bits", PropertyDefault::Unsigned(0)),
        (c"device-tlb-timeout", PropertyDefault::Unsigned(0)),
        (c"fault-records", PropertyDefault::Unsigned(1)),
        (c"fs1gp", PropertyDefault::Bool(true)),
        (c"lenient-ioapic", PropertyDefault::Bool(true)),
        (c"lenient-irte", PropertyDefault::Bool(true)),
        (c"lenient-msi", PropertyDefault::Bool(true)),
        (c"lenient-eime", PropertyDefault::Bool(true)),
        (c"lenient-entries", PropertyDefault::Bool(true)),
        (c"lenient-flags", PropertyDefault::Bool(true)),
    ];
    const DEVICE_IOTLB: bool = false;
    const SATC: bool = false;
    const ACCEL_BY_FSTS: bool = true;
    const NO_WRITE_BY_SVM: bool = true;
    /// Management software gives them as JSON's booleans.
    type Switch = bool;

    fn features() -> Features {
        // What QEMU's own says without KVM.
        Features { eim: false, ..Features::compat() }
    }
}

/// Where q35 has the registers.
const REGISTERS: u64 = qemu_sys::Q35_HOST_BRIDGE_IOMMU_ADDR as u64;

/// A device of either type.
pub struct VtdDevice<V: Variant> {
    shell: Shell<Vtd>,
    /// The bus that every function is on or below. Known before the machine runs.
    root: OnceLock<&'static PciBus>,
    variant: PhantomData<V>,
}

/// What a property says of a feature, if it does not leave it as it is, and the feature.
type Choice = (Option<bool>, fn(&mut Features) -> &mut bool);

impl<V: Variant> VtdDevice<V> {
    fn choices(p: &VtdProperties<V::Switch>) -> [Choice; 23] {
        [
            (V::Switch::choice(&p.scalable), |f| &mut f.scalable),
            (V::Switch::choice(&p.fsts), |f| &mut f.first_stage),
            (choice(&p.ssts), |f| &mut f.second_stage),
            (choice(&p.nested), |f| &mut f.nested),
            (choice(&p.pass_through), |f| &mut f.pass_through),
            (choice(&p.fs5lp), |f| &mut f.fs5lp),
            (V::Switch::choice(&p.fs1gp), |f| &mut f.fs1gp),
            (V::Switch::choice(&p.svm), |f| &mut f.page_requests),
            (choice(&p.srs), |f| &mut f.supervisor_requests),
            (choice(&p.ers), |f| &mut f.execute_requests),
            (choice(&p.nwfs), |f| &mut f.no_write),
            (choice(&p.eafs), |f| &mut f.extended_accessed),
            (choice(&p.ssads), |f| &mut f.second_stage_dirty),
            (choice(&p.rid_pasid), |f| &mut f.rid_pasid),
            (choice(&p.rid_priv), |f| &mut f.rid_priv),
            (choice(&p.abort_dma), |f| &mut f.abort_dma),
            (choice(&p.coherent), |f| &mut f.coherent),
            (choice(&p.device_tlb_throttling), |f| &mut f.device_tlb_throttling),
            (choice(&p.esirtps), |f| &mut f.forgets_interrupts),
            (V::Switch::choice(&p.snoop_control), |f| &mut f.snoop_control),
            (V::Switch::choice(&p.caching_mode), |f| &mut f.caching_mode),
            (choice(&p.eim), |f| &mut f.eim),
            (choice(&p.posted_interrupts), |f| &mut f.posted_interrupts),
        ]
    }

    fn leniency(p: &VtdProperties<V::Switch>) -> Leniency {
        Leniency {
            ioapic_source: p.lenient_ioapic.get(),
            irte_values: p.lenient_irte.get(),
            compatibility_format: p.lenient_msi.get(),
            extended_mode: p.lenient_eime.get(),
            scalable_entries: p.lenient_entries.get(),
            flag_updates: p.lenient_flags.get(),
        }
    }

    fn features(this: &Qom<Self>) -> Result<Features> {
        let p = this.properties();
        let apply = |f: &mut Features| {
            for (choice, feature) in Self::choices(p) {
                if let Some(value) = choice {
                    *feature(f) = value;
                }
            }
        };
        let mut f = V::features();
        f.aw_bits = p.aw_bits.get();
        f.pasid_bits = p.pasid_bits.get();
        f.fault_records = p.fault_records.get();
        f.adversarial = p.adversarial.get();
        f.page_request_limit = p.page_request_limit.get();
        f.device_tlb = this.parent().has_device_iotlb();
        f.interrupt_remapping = this.parent().remaps_interrupts();
        f.dma_translation = this.parent().translates_dma();
        f.leniency = Self::leniency(p);
        let accel = choice(&p.accel) == Some(true);
        if accel {
            f = f.for_assigned_devices();
        }
        apply(&mut f);
        // A unit without first stage has the second one, in scalable mode too.
        if f.scalable && !f.first_stage && choice(&p.ssts).is_none() {
            f.second_stage = true;
        }
        if V::NO_WRITE_BY_SVM {
            f.no_write = f.page_requests;
        }
        f = f.consistent();
        // What was asked for explicitly is there or is an error.
        apply(&mut f);
        f.validate()?;
        if accel {
            f.validate_for_assigned_devices()?;
        }
        // QEMU's own model says what became of `auto`.
        p.eim.settle(f.eim);
        Ok(f)
    }
}

/// What the user wants, if anything.
fn choice(property: &Property<OnOffAuto>) -> Option<bool> {
    OnOffAuto::choice(property)
}

impl<V: Variant> DeviceImpl for VtdDevice<V> {
    type Parent = X86Iommu;
    type Properties = VtdProperties<V::Switch>;

    const TYPE_NAME: &'static CStr = V::TYPE_NAME;
    const DESCRIPTION: &'static CStr = V::DESCRIPTION;
    const INTERFACES: &'static [&'static CStr] = &[INTEL_IOMMU_INTERFACE];
    const HOTPLUGGABLE: bool = false;
    const DEFAULTS: &'static [(&'static CStr, PropertyDefault)] = V::DEFAULTS;

    fn new() -> Self {
        Self { shell: Shell::new(), root: OnceLock::new(), variant: PhantomData }
    }

    fn instance_init(this: &Qom<Self>) {
        this.parent().set_default_device_iotlb(V::DEVICE_IOTLB);
    }

    fn realize(this: &Qom<Self>) -> Result<()> {
        let features = Self::features(this)?;
        let entries = iotlb_entries(this.properties().iotlb_size.get())?;
        let (core, registers) = this.shell.realize(this, Vtd::new(features, entries), AddressSpace::memory());
        MemoryRegion::system().add_subregion(REGISTERS, registers, 0);
        x86_iommu::setup(this, interrupt_window::ioapic_space(this.object(), core));
        Ok(())
    }

    fn class_init(class: &mut ClassInit<'_, Self>) {
        class.string_property(c"stats", c"counters, as a JSON object", iommu_shell::stats);
        class.intel_iommu();
        class.reset();
        class.migrate();
    }
}

impl<V: Variant> IommuDevice for VtdDevice<V> {
    type Model = Vtd;

    const NAME: &'static str = "VT-d";
    const REGION_NAME: &'static str = "intel-iommu-rs";
    const REGION_TYPE_NAME: &'static CStr = V::REGION_TYPE_NAME;
    const ATS: bool = true;

    fn shell(&self) -> &Shell<Vtd> {
        &self.shell
    }

    fn root_bus(this: &Qom<Self>) -> Option<&PciBus> {
        this.root.get().copied()
    }

    fn invalidation_timeout(this: &Qom<Self>) -> u32 {
        this.properties().device_tlb_timeout.get()
    }

    fn carry_out(this: &Qom<Self>, core: &Core<Vtd>, effect: Effect) {
        match effect {
            Effect::WriteMsi { addr, data } if interrupt_window::is_message(addr) => {
                x86_iommu::send_msi(MsiMessage { addr, data });
            }
            Effect::WriteMsi { addr, data } | Effect::WriteMemory { addr, data } => {
                if core.space.write_u32(addr, data, MemoryAttributes::default()).is_err() {
                    log::warn!(target: "guest_errors", "VT-d: write of {data:#x} to {addr:#x} failed");
                }
            }
            Effect::UnmapNotify { stream, substream, addr, mask } => {
                core.notify(stream, substream, addr, mask, false);
            }
            Effect::IecNotify { global, index, mask } => {
                this.parent().notify_interrupt_entries(global, index, mask);
            }
            // Nothing that VT-d asks for; the rest is for endpoints.
            Effect::PulseIrq { .. }
            | Effect::Resolved { .. }
            | Effect::PageResponse { .. }
            | Effect::AtsInvalidate { .. }
            | Effect::SendEvent => {}
        }
    }

    fn function_space(
        this: &Qom<Self>,
        source: BusAddress,
        region: &'static MemoryRegion,
        name: &str,
    ) -> &'static AddressSpace {
        if source.bus.is_first_root() {
            let _ = this.root.set(source.bus);
        }
        match this.shell.core() {
            Some(core) => interrupt_window::function_space(this.object(), core, source, region, name),
            None => AddressSpace::leak(region, name),
        }
    }

    fn nests(this: &Qom<Self>) -> bool {
        let p = this.properties();
        let by_fsts = V::ACCEL_BY_FSTS && V::Switch::choice(&p.fsts) == Some(true);
        choice(&p.accel).unwrap_or(by_fsts)
    }

    fn may_assign(this: &Qom<Self>) -> Result<()> {
        if this.shell.model().is_some_and(|model| model.features().caching_mode) {
            return Ok(());
        }
        Err(Error::new(
            "property 'caching-mode' is off, but must be on in front of an assigned device, so that the guest tells of new \
             PASID table entries; set caching-mode=on",
        ))
    }

    fn wishes(this: &Qom<Self>) -> Wishes {
        let features = this.shell.model().map(Vtd::features);
        let pasids = features.is_some_and(|features| features.pasid_bits != 0);
        let page_requests = features.is_some_and(|features| features.page_requests);
        Wishes { pasids, attaches_pasids: pasids, page_requests }
    }

    /// An access to the interrupt range goes to the function's own interrupt window.
    fn untranslated(core: &Core<Vtd>, from: &Requester<'_>, request: &PciDmaRequest) -> Option<TlbEntry> {
        if request.pasid.is_some() || !interrupt_window::contains(request.addr) {
            return None;
        }
        core.function_space(from).map(|space| interrupt_window::entry(space, request.addr))
    }
}

impl<V: Variant> IntelIommu for VtdDevice<V> {
    fn info(this: &Qom<Self>) -> IntelIommuInfo {
        let address_width = this.shell.model().map_or(0, |model| model.features().aw_bits);
        IntelIommuInfo { address_width, satc: V::SATC }
    }

    fn remap_interrupt(this: &Qom<Self>, message: MsiMessage, source: Option<u16>) -> Option<MsiMessage> {
        interrupt_window::remapped(this.shell.core()?, message, source)
    }
}

/// Registers the types, if this QEMU has machines that can use them.
pub fn register() -> bool {
    if !qom::type_exists(INTEL_IOMMU_INTERFACE) || !qom::type_exists(X86Iommu::TYPE_NAME) {
        return false;
    }
    function::register::<VtdDevice<Rich>>();
    function::register::<VtdDevice<Compat>>();
    qom::register::<VtdDevice<Rich>>() && qom::register::<VtdDevice<Compat>>()
}
