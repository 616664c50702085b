// SPDX-License-Identifier: GPL-2.0-or-later
//! The QOM shell of the SMMUv3: properties in, registers and translation through, effects out.
//!
//! Two types share it. `arm-smmuv3-rs` is rich; `arm-smmuv3-rs-compat` has the defaults of QEMU's own
//! `arm-smmuv3`, and is what `-device-plugin FILE,replace=on` puts in its place.

use core::convert::Infallible;
use core::ffi::{CStr, c_int, c_uint, c_void};
use core::marker::PhantomData;
use core::ops::RangeInclusive;
use std::sync::OnceLock;

use super::features::{AddressSize, Features, Httu, StallModel};
use super::leniency::Leniency;
use super::model::Smmu;
use super::spec::pmcg::{self, IRQ_OVERFLOW};
use crate::iommu::{Effect, Effects};
use crate::qemu::host_iommu::Wishes;
use crate::qemu::iommu_shell::{self, Core, IommuDevice, Shell, function, iotlb_entries};
use crate::qemu::property::Default as PropertyDefault;
use crate::qemu::{
    ARM_SMMUV3_INTERFACE, AddressSpace, ArmSmmuv3, ClassInit, DeviceImpl, Error, IrqLine, Link,
    MemoryAttributes, MemoryRegion, OasMode, OnOffAuto, OwnedRegion, PciBus, Qom, RegionOps, Result,
    RunStateWatch, SmmuInfo, SsidSizeMode, SysBusDevice, Text, Timer, Word, arm_events, dl, main_loop,
    properties, qom,
};

properties! {
    /// What a user or a board sets.
    pub struct SmmuProperties<K: Kinds> {
        /// See `Features::ssid_bits`.
        pub ssidsize: K::SsidSize = (), c"ssidsize", c"bits of SubstreamIDs (PASIDs): auto, or 0 to 20";
        /// See `Features::oas`.
        pub oas: K::Oas = (), c"oas", c"output address size in bits: auto (that of the CPUs), 32, 36, 40, 42, 44, 48, 52";
        /// See `Features::stall`.
        pub stall: Text = (), c"stall", c"stalling of faulting transactions: off, on (the guest chooses), force";
        /// See `Features::httu`.
        pub httu: Text = (), c"httu", c"hardware table update: off, access, dirty";
        /// See `Features::two_level_streams`.
        pub st_level: Text = (), c"st-level", c"stream tables: linear, 2-level (both)";
        /// See `Features::gran4k` and its siblings.
        pub granules: Text = (), c"granules", c"translation granules: any of 4k, 16k, 64k, joined by ','";
        /// See `Features::range_invalidation`.
        pub ril: OnOffAuto = OnOffAuto::Auto, c"ril", c"range invalidation";
        /// See `Features::msi`.
        pub msi: OnOffAuto = OnOffAuto::Auto, c"msi", c"message-signalled interrupts";
        /// See `Features::sev`.
        pub sev: OnOffAuto = OnOffAuto::Auto, c"sev", c"wake-up events at the end of CMD_SYNC, and for a command queue that is not full any more: auto (if QEMU can send them), on, off";
        /// See `Features::two_level_contexts`.
        pub cd2l: OnOffAuto = OnOffAuto::Auto, c"cd2l", c"2-level CD tables";
        /// See `Features::va52`.
        pub vax: OnOffAuto = OnOffAuto::Auto, c"vax", c"52-bit input addresses with 64 KiB pages";
        /// See `Features::small_tables`.
        pub stt: OnOffAuto = OnOffAuto::Auto, c"stt", c"translation tables for less than 25 bits of input address";
        /// See `Features::big_endian`.
        pub big_endian: OnOffAuto = OnOffAuto::Auto, c"big-endian", c"big-endian translation tables too";
        /// See `Features::bbml`.
        pub bbml: u8 = 2, c"bbml", c"page sizes that change in place: levels 0 to 2 (break-before-make)";
        /// See `Features::hyp`.
        pub hyp: OnOffAuto = OnOffAuto::Auto, c"hyp", c"streams of EL2, with E2H too: auto (with both stages), on, off";
        /// See `Features::stall_max`.
        pub stall_max: u16 = 256, c"stall-max", c"most stalled transactions at a time (1-65535)";
        /// Entries of the IOTLB.
        pub iotlb_size: u32 = 4096, c"iotlb-size", c"entries of the translation cache, a power of two (64-1048576)";
        /// See `Features::adversarial`.
        pub adversarial: bool = false, c"x-adversarial", c"cache all that may be cached, finish as late as allowed";
        /// See `Features::event_merging`.
        pub event_merging: OnOffAuto = OnOffAuto::Auto, c"event-merging", c"one record for events alike, of streams that allow it (STE.MEV)";
        /// See `Features::ats`.
        pub ats: OnOffAuto = OnOffAuto::Auto, c"ats", c"translation requests of endpoints";
        /// See `Features::ats_split`.
        pub ats_split: OnOffAuto = OnOffAuto::Auto, c"ats-split", c"translation requests answered by stage 1 alone (STE.EATS = 2); auto: where ats and both stages are";
        /// Milliseconds of the guest's time.
        pub ats_timeout: u32 = 2000, c"ats-timeout", c"milliseconds in which endpoints have to answer an invalidation; 0: any time";
        /// See `Features::pri`.
        pub pri: OnOffAuto = OnOffAuto::Auto, c"pri", c"page requests of endpoints; auto: as ats";
        /// See `Features::stage1` and `Features::stage2`.
        pub stage: Text = (), c"stage", c"stages of translation: 1, 2, nested (both)";
        /// See `Features::pmu`.
        pub pmu: OnOffAuto = OnOffAuto::Auto, c"pmu", c"performance counters (PMCG)";
        /// See `Features::pmu_msi`.
        pub pmu_msi: bool = false, c"pmu-msi", c"message-signalled overflow interrupt of the counters, for boards that give them a DeviceID";
        /// A host's SMMU translates for assigned devices.
        pub accel: bool = false, c"accel", c"a host SMMU translates for assigned devices (vfio-pci with iommufd)";
        /// See `IommuDevice::doorbell`.
        pub msi_gpa: u64 = 0, c"msi-gpa", c"where message-signalled interrupts of assigned devices go; 0: the virt board's translation service";
        /// Present for command lines of QEMU's own model.
        pub cmdqv: OnOffAuto = OnOffAuto::Auto, c"cmdqv", c"command queues of a host SMMU in guests' hands: auto and off, there are none";
        /// See `Leniency::commands`.
        pub lenient_commands: bool = false, c"lenient-commands", c"commands for what is not there do nothing";
        /// See `Leniency::privilege`.
        pub lenient_privilege: bool = false, c"lenient-privilege", c"pages for privileged requests alone are for all";
        /// The bus that it translates for.
        pub primary_bus: Link<PciBus> = (), c"primary-bus", c"PCI root bus that it translates for";
        /// Where its tables and queues are.
        pub memory: Link<MemoryRegion> = (), c"memory", c"memory that it accesses (set by the board)";
        /// Not used: there is no secure state.
        pub secure_memory: Link<MemoryRegion> = (), c"secure-memory", c"secure memory (set by the board)";
        /// Whether there may be others on other root buses.
        pub per_bus: bool = false, c"smmu_per_bus", c"other root buses may have others (set by the board)";
        /// Not used.
        pub bus_num: u8 = 0, c"bus_num", c"bus number (set by the board)";
        /// For firmware tables.
        pub identifier: u8 = 0, c"identifier", c"number in firmware tables (set by the board)";
    }
}

/// What the two types' properties are that are enumerations in QEMU's own model.
pub trait Kinds: Send + Sync + 'static {
    /// `oas`.
    type Oas: Word;
    /// `ssidsize`.
    type SsidSize: Word;
}

/// What sets the two types apart.
pub trait Variant: Kinds {
    /// Name of the QOM type.
    const TYPE_NAME: &'static CStr;
    /// Name of the type of its translating regions.
    const REGION_TYPE_NAME: &'static CStr;
    /// For `-device help`.
    const DESCRIPTION: &'static CStr;
    /// Whether `oas=auto` follows the CPUs, and `hyp=auto` the stages.
    const FOLLOWS_CPU: bool;
    /// Defaults that differ from the table's.
    const DEFAULTS: &'static [(&'static CStr, PropertyDefault)];
    /// Features where no property says otherwise.
    fn features() -> Features;
}

/// `arm-smmuv3-rs`.
pub struct Rich;

impl Variant for Rich {
    const TYPE_NAME: &'static CStr = c"arm-smmuv3-rs";
    const REGION_TYPE_NAME: &'static CStr = c"arm-smmuv3-rs-iommu-memory-region";
    const DESCRIPTION: &'static CStr = c"Arm SMMUv3 with substreams, stall, ATS and page requests";
    const FOLLOWS_CPU: bool = true;
    const DEFAULTS: &'static [(&'static CStr, PropertyDefault)] = &[];

    fn features() -> Features {
        Features::default()
    }
}

/// Errors name the way out, which QEMU's enumerations do not.
impl Kinds for Rich {
    type Oas = Text;
    type SsidSize = Text;
}

/// `arm-smmuv3-rs-compat`.
pub struct Compat;

impl Kinds for Compat {
    type Oas = OasMode;
    type SsidSize = SsidSizeMode;
}

impl Variant for Compat {
    const TYPE_NAME: &'static CStr = c"arm-smmuv3-rs-compat";
    const REGION_TYPE_NAME: &'static CStr = c"arm-smmuv3-rs-compat-iommu-memory-region";
    const DESCRIPTION: &'static CStr = c"Arm SMMUv3 with the defaults of arm-smmuv3";
    const FOLLOWS_CPU: bool = false;
    const DEFAULTS: &'static [(&'static CStr, PropertyDefault)] = &[
        (c"lenient-commands", PropertyDefault::Bool(true)),
        (c"lenient-privilege", PropertyDefault::Bool(true)),
    ];

    fn features() -> Features {
        Features::compat()
    }
}

/// `GITS_TRANSLATER` of the virt board.
const DOORBELL: u64 = 0x0809_0040;

/// Interrupt outputs, in the boards' order. The last one is of the performance counters.
const IRQS: usize = IRQ_OVERFLOW + 1;
/// A device of either type.
pub struct SmmuDevice<V: Variant> {
    shell: Shell<Smmu>,
    counters: OnceLock<OwnedRegion>,
    /// Goes off when clock cycles make a counter overflow.
    alarm: OnceLock<Timer>,
    watch: OnceLock<RunStateWatch>,
    irqs: [IrqLine; IRQS],
    variant: PhantomData<V>,
}

impl<V: Variant> SmmuDevice<V> {
    fn features(this: &Qom<Self>) -> Result<Features> {
        let p = this.properties();
        let mut f = V::features();
        // An assigned device's second stage is the host's own.
        f.stage2 &= !p.accel.get();
        if let Some(value) = p.stage.get() {
            f.parse_stage(value)?;
        }
        if p.accel.get() && (f.stage2 || !f.stage1) {
            return Err(Error::new(format!(
                "property 'accel' is on, which needs stage 1 alone, but 'stage' is '{}'; set stage=1, or accel=off",
                p.stage.get().unwrap_or("1")
            )));
        }
        if !f.stage1 {
            f.ssid_bits = 0;
        }
        if let Some(value) = V::SsidSize::word(&p.ssidsize).filter(|value| *value != "auto") {
            f.ssid_bits = value.parse::<u8>().ok().filter(|bits| *bits <= 20).ok_or_else(|| {
                Error::new(format!(
                    "property 'ssidsize' is '{value}', but must be auto or from 0 to 20; 20 serves every PASID, \
                     0 switches substreams off"
                ))
            })?;
        }
        let oas = V::Oas::word(&p.oas).map(AddressSize::parse).transpose()?.flatten();
        match oas {
            Some(oas) => f.oas = oas,
            None if V::FOLLOWS_CPU => {
                if let Some(oas) = cpu_address_size() {
                    f.oas = oas;
                }
            }
            None => {}
        }
        if let Some(value) = p.stall.get() {
            f.stall = StallModel::parse(value)?;
        }
        if let Some(value) = p.httu.get() {
            f.httu = Httu::parse(value)?;
        }
        if let Some(value) = p.st_level.get() {
            f.parse_st_level(value)?;
        }
        if let Some(value) = p.granules.get() {
            f.parse_granules(value)?;
        }
        f.range_invalidation = p.ril.get().unwrap_or(f.range_invalidation);
        f.msi = p.msi.get().unwrap_or(f.msi);
        f.sev = p.sev.get().unwrap_or(f.sev && arm_events::available());
        if f.sev && !arm_events::available() {
            return Err(Error::new(
                "property 'sev' is on, which needs a QEMU that can send an event to its CPUs: one with this project's \
                 patches, and not with KVM; set sev=off, or leave it out",
            ));
        }
        f.two_level_contexts = p.cd2l.get().unwrap_or(f.two_level_contexts && f.ssid_bits > 0);
        // 52-bit input addresses exist with the 64 KiB granule only, and 52-bit output.
        f.va52 = p.vax.get().unwrap_or(f.va52 && f.gran64k && f.oas == AddressSize::Bits52);
        f.small_tables = p.stt.get().unwrap_or(f.small_tables);
        f.bbml = p.bbml.get();
        f.big_endian = p.big_endian.get().unwrap_or(f.big_endian);
        f.hyp = match p.hyp.get() {
            OnOffAuto::On => true,
            OnOffAuto::Off => false,
            // SMMUv3.2 has it wherever there are both stages (`IHI0070 §6.3.1`), whatever the CPUs have.
            OnOffAuto::Auto => V::FOLLOWS_CPU && f.stage1 && f.stage2,
        };
        if p.accel.get() && f.hyp {
            return Err(Error::new(
                "property 'accel' is on, which has no streams of EL2, but 'hyp' is on; set hyp=off, or accel=off",
            ));
        }
        if p.cmdqv.get() == OnOffAuto::On {
            return Err(Error::new(
                "property 'cmdqv' is on, but must be auto or off: this model hands no command queues of a host's SMMU to \
                 guests; set cmdqv=off",
            ));
        }
        f.stall_max = p.stall_max.get();
        f.adversarial = p.adversarial.get();
        f.event_merging = p.event_merging.get().unwrap_or(f.event_merging);
        f.ats = p.ats.get().unwrap_or(f.ats);
        f.ats_split = p.ats_split.get().unwrap_or(f.ats_split && f.can_split_ats());
        f.pri = p.pri.get().unwrap_or(f.pri && f.ats);
        // What a host's SMMU does for assigned devices nobody here could count.
        f.pmu = p.pmu.get().unwrap_or(f.pmu && !p.accel.get());
        f.pmu_msi = p.pmu_msi.get();
        f.leniency = Leniency { commands: p.lenient_commands.get(), privilege: p.lenient_privilege.get() };
        f.validate()?;
        Ok(f)
    }
}

/// The physical address size of the first CPU, in a QEMU that has Arm CPUs.
fn cpu_address_size() -> Option<AddressSize> {
    type GetCpu = unsafe extern "C" fn(c_int) -> *mut c_void;
    type AddressBits = unsafe extern "C" fn(*mut c_void) -> c_uint;
    let (get_cpu, bits) = (dl::symbol(c"qemu_get_cpu")?, dl::symbol(c"arm_pamax")?);
    // SAFETY: QEMU's functions of these names have these signatures; `arm_pamax` exists in emulators of Arm
    // CPUs only, where every CPU is one.
    let bits = unsafe {
        let cpu = core::mem::transmute::<*mut c_void, GetCpu>(get_cpu)(0);
        if cpu.is_null() {
            return None;
        }
        core::mem::transmute::<*mut c_void, AddressBits>(bits)(cpu)
    };
    AddressSize::from_bits(bits)
}

impl<V: Variant> DeviceImpl for SmmuDevice<V> {
    type Parent = SysBusDevice;
    type Properties = SmmuProperties<V>;

    const TYPE_NAME: &'static CStr = V::TYPE_NAME;
    const DESCRIPTION: &'static CStr = V::DESCRIPTION;
    const INTERFACES: &'static [&'static CStr] = &[ARM_SMMUV3_INTERFACE];
    const HOTPLUGGABLE: bool = false;
    const DEFAULTS: &'static [(&'static CStr, PropertyDefault)] = V::DEFAULTS;

    fn new() -> Self {
        Self {
            shell: Shell::new(),
            counters: OnceLock::new(),
            alarm: OnceLock::new(),
            watch: OnceLock::new(),
            irqs: Default::default(),
            variant: PhantomData,
        }
    }

    fn realize(this: &Qom<Self>) -> Result<()> {
        let p = this.properties();
        let features = Self::features(this)?;
        let entries = iotlb_entries(p.iotlb_size.get())?;
        let Some(bus) = p.primary_bus.get() else {
            return Err(Error::new("property 'primary-bus' is not set: name a PCI root bus, pcie.0 for one"));
        };
        let memory = p.memory.get().map(|memory| AddressSpace::leak(memory, "arm-smmuv3-rs"));
        let space = memory.unwrap_or_else(AddressSpace::memory);
        if p.per_bus.get() {
            bus.set_iommu_per_bus(this)?;
        } else {
            bus.set_iommu(this);
        }
        let (_, registers) = this.shell.realize(this, Smmu::new(features, entries), space);
        this.parent().init_mmio(registers);
        if features.pmu {
            let counters = this.counters.get_or_init(|| {
                OwnedRegion::io::<Counters<V>>(this, "arm-smmuv3-rs-pmcg", pmcg::REGION_SIZE)
            });
            this.parent().init_mmio(counters);
            let _ = this.alarm.set(Timer::new(this, tick));
            // The state that comes in from elsewhere may have an alarm in it.
            let _ = this.watch.set(RunStateWatch::new(this, |this, running| {
                if running {
                    tick(this);
                }
            }));
        }
        for irq in this.irqs.iter().take(if features.pmu { IRQS } else { IRQ_OVERFLOW }) {
            this.parent().init_irq(irq);
        }
        Ok(())
    }

    fn class_init(class: &mut ClassInit<'_, Self>) {
        class.string_property(c"stats", c"counters, as a JSON object", iommu_shell::stats);
        class.arm_smmuv3();
        class.reset();
        class.migrate();
    }
}

impl<V: Variant> IommuDevice for SmmuDevice<V> {
    type Model = Smmu;

    const NAME: &'static str = "SMMUv3";
    const REGION_NAME: &'static str = "arm-smmuv3-rs";
    const REGION_TYPE_NAME: &'static CStr = V::REGION_TYPE_NAME;
    const ATS: bool = true;

    fn shell(&self) -> &Shell<Smmu> {
        &self.shell
    }

    fn root_bus(this: &Qom<Self>) -> Option<&PciBus> {
        this.properties().primary_bus.get()
    }

    fn invalidation_timeout(this: &Qom<Self>) -> u32 {
        this.properties().ats_timeout.get()
    }

    fn carry_out(this: &Qom<Self>, core: &Core<Smmu>, effect: Effect) {
        match effect {
            Effect::PulseIrq { line } => {
                if let Some(irq) = this.irqs.get(line) {
                    irq.pulse();
                }
            }
            Effect::WriteMsi { addr, data } => {
                if core.space.write_u32(addr, data, MemoryAttributes::default()).is_err() {
                    log::warn!(target: "guest_errors", "SMMUv3: MSI to {addr:#x} failed");
                    core.accept(core.model.msi_aborted(addr, data));
                }
            }
            Effect::UnmapNotify { stream, substream, addr, mask } => {
                core.notify(stream, substream, addr, mask, false);
                // Those who ask for translations as they would with ATS do not depend on the guest's CMD_ATC_INV.
                core.notify(stream, substream, addr, mask, true);
            }
            Effect::SendEvent => arm_events::send_event(),
            // Nothing that an SMMU asks for; the rest is for endpoints.
            Effect::WriteMemory { .. }
            | Effect::IecNotify { .. }
            | Effect::Resolved { .. }
            | Effect::PageResponse { .. }
            | Effect::AtsInvalidate { .. } => {}
        }
    }

    fn nests(this: &Qom<Self>) -> bool {
        this.properties().accel.get()
    }

    fn wishes(this: &Qom<Self>) -> Wishes {
        let pasids = this.shell.model().is_some_and(|model| model.features().ssid_bits != 0);
        Wishes { pasids, ..Wishes::default() }
    }

    /// A virtual SMMU of the host's has one.
    const ONE_STAGE_2: bool = true;

    const HAS_DOORBELL: bool = true;

    fn doorbell(this: &Qom<Self>) -> u64 {
        match this.properties().msi_gpa.get() {
            0 => DOORBELL,
            given => given,
        }
    }

    fn min_page_size(model: &Smmu) -> u64 {
        1 << model.features().smallest_granule_log2()
    }
}

/// The callbacks of the performance counters' region.
enum Counters<V> {
    #[expect(dead_code, reason = "the type names callbacks and has no values")]
    Never(Infallible, PhantomData<V>),
}

impl<V: Variant> RegionOps for Counters<V> {
    type Device = SmmuDevice<V>;
    const ACCESS_SIZES: RangeInclusive<u32> = 4..=8;
    const IMPL_SIZES: RangeInclusive<u32> = 4..=8;

    fn read(this: &Qom<SmmuDevice<V>>, offset: u64, size: u32) -> u64 {
        let Some(core) = this.shell.core() else { return 0 };
        let value = core.model.counters_read(offset, size, main_loop::now());
        core.put_off(Effects::default());
        value
    }

    fn write(this: &Qom<SmmuDevice<V>>, offset: u64, value: u64, size: u32) {
        let Some(core) = this.shell.core() else { return };
        iommu_shell::written(this, core, core.model.counters_write(offset, value, size, main_loop::now()));
        arm(this);
    }
}

/// Sets the alarm of the clock that is counted.
fn arm<V: Variant>(this: &Qom<SmmuDevice<V>>) {
    if let (Some(model), Some(alarm)) = (this.shell.model(), this.alarm.get()) {
        match model.counters_alarm() {
            Some(at) => alarm.arm(at),
            None => alarm.cancel(),
        }
    }
}

fn tick<V: Variant>(this: &Qom<SmmuDevice<V>>) {
    if let Some(core) = this.shell.core() {
        iommu_shell::written(this, core, core.model.counters_tick(main_loop::now()));
    }
    arm(this);
}

impl<V: Variant> ArmSmmuv3 for SmmuDevice<V> {
    fn info(this: &Qom<Self>) -> SmmuInfo {
        let accel = this.properties().accel.get();
        let Some(features) = this.shell.model().map(Smmu::features) else {
            return SmmuInfo { accel, ..SmmuInfo::default() };
        };
        let httu = match features.httu {
            Httu::None => 0,
            Httu::Access => 1,
            Httu::Dirty => 2,
        };
        SmmuInfo { ats: features.ats, pri: features.pri, httu, pmcg: features.pmu, accel }
    }
}

/// Registers the types, if this QEMU has machines that can use them.
pub fn register() -> bool {
    if !qom::type_exists(ARM_SMMUV3_INTERFACE) {
        return false;
    }
    function::register::<SmmuDevice<Rich>>();
    function::register::<SmmuDevice<Compat>>();
    qom::register::<SmmuDevice<Rich>>() && qom::register::<SmmuDevice<Compat>>()
}
