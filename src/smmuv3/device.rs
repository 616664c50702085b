// SPDX-License-Identifier: GPL-2.0-or-later
//! The QOM shell of the SMMUv3: properties in, registers and translation through, effects out.
//!
//! Two types share it. `arm-smmuv3-rs` is rich; `arm-smmuv3-rs-compat` has the defaults of QEMU's own
//! `arm-smmuv3`, and is what `-device-plugin FILE,replace=on` puts in its place.

use core::ffi::{CStr, c_int, c_uint, c_void};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::features::{AddressSize, Features, Httu, StallModel};
use super::model::{Outcome, Smmu};
use super::state::SavedState;
use super::translate;
use crate::iommu::{Access, DmaRequest, Effect, Effects, StreamId, SubstreamId, Translation};
use crate::qemu::{
    ARM_SMMUV3_INTERFACE, AddressSpace, ArmSmmuv3, BottomHalf, ClassInit, DeviceImpl, DmaTranslation, Error,
    GuestRam, IommuRegion, IommuRegionImpl, IrqLine, Link, MemoryAttributes, MemoryRegion, Migrate,
    NotifierFlags, ObjectLike, OnOffAuto, OwnedIommuRegion, OwnedRegion, Pasids, PciBus, PciDmaRequest,
    PciIommu, Qom, RegionAccess, RegionOps, Requester, Reset, ResetKind, Result, RunStateWatch, SmmuInfo,
    SysBusDevice, Text, TlbEntry, bql, dl, iommu_region, properties, qom,
};

properties! {
    /// What a user or a board sets.
    pub struct SmmuProperties {
        /// See `Features::ssid_bits`.
        pub ssidsize: Text = (), c"ssidsize", c"bits of SubstreamIDs (PASIDs): auto, or 0 to 20";
        /// See `Features::oas`.
        pub oas: Text = (), c"oas", c"output address size in bits: auto (that of the CPUs), 32, 36, 40, 42, 44, 48, 52";
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
        pub sev: OnOffAuto = OnOffAuto::Auto, c"sev", c"wake-up events at the end of CMD_SYNC";
        /// See `Features::two_level_contexts`.
        pub cd2l: OnOffAuto = OnOffAuto::Auto, c"cd2l", c"2-level CD tables";
        /// See `Features::va52`.
        pub vax: OnOffAuto = OnOffAuto::Auto, c"vax", c"52-bit input addresses with 64 KiB pages";
        /// See `Features::stall_max`.
        pub stall_max: u16 = 256, c"stall-max", c"most stalled transactions at a time (1-65535)";
        /// Entries of the IOTLB.
        pub iotlb_size: u32 = 4096, c"iotlb-size", c"entries of the translation cache, a power of two (64-1048576)";
        /// See `Features::adversarial`.
        pub adversarial: bool = false, c"x-adversarial", c"cache all that may be cached, finish as late as allowed";
        /// Present for command lines of QEMU's own model; ATS is not there yet.
        pub ats: OnOffAuto = OnOffAuto::Auto, c"ats", c"ATS: off or auto (off)";
        /// Present for command lines of QEMU's own model.
        pub stage: Text = (), c"stage", c"stages of translation: 1";
        /// Present for command lines of QEMU's own model.
        pub accel: bool = false, c"accel", c"translation by a host SMMU: off";
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

/// What sets the two types apart.
pub trait Variant: Send + Sync + 'static {
    /// Name of the QOM type.
    const TYPE_NAME: &'static CStr;
    /// Name of the type of its translating regions.
    const REGION_TYPE_NAME: &'static CStr;
    /// For `-device help`.
    const DESCRIPTION: &'static CStr;
    /// Whether `oas=auto` follows the CPUs.
    const OAS_FOLLOWS_CPU: bool;
    /// Features where no property says otherwise.
    fn features() -> Features;
}

/// `arm-smmuv3-rs`.
pub struct Rich;

impl Variant for Rich {
    const TYPE_NAME: &'static CStr = c"arm-smmuv3-rs";
    const REGION_TYPE_NAME: &'static CStr = c"arm-smmuv3-rs-iommu-memory-region";
    const DESCRIPTION: &'static CStr = c"Arm SMMUv3 with substreams and stall";
    const OAS_FOLLOWS_CPU: bool = true;

    fn features() -> Features {
        Features::default()
    }
}

/// `arm-smmuv3-rs-compat`.
pub struct Compat;

impl Variant for Compat {
    const TYPE_NAME: &'static CStr = c"arm-smmuv3-rs-compat";
    const REGION_TYPE_NAME: &'static CStr = c"arm-smmuv3-rs-compat-iommu-memory-region";
    const DESCRIPTION: &'static CStr = c"Arm SMMUv3 with the defaults of arm-smmuv3";
    const OAS_FOLLOWS_CPU: bool = false;

    fn features() -> Features {
        Features::compat()
    }
}

/// Interrupt outputs, in the boards' order.
const IRQS: usize = 4;
/// Bytes of the register region: two pages of 64 KiB (`IHI0070 §6.1`).
const REGION_SIZE: u64 = 0x2_0000;
/// Rounds after which a machine that stops takes the rest along in its state: more than a full command queue takes.
const FLUSHES: u32 = 256;
/// Largest page that is reported where input and output are the same.
const BYPASS_MASK: u64 = (1 << 30) - 1;

/// A device of either type.
pub struct SmmuDevice<V: Variant> {
    registers: OnceLock<OwnedRegion>,
    irqs: [IrqLine; IRQS],
    core: OnceLock<Arc<Core>>,
    work: Arc<OnceLock<BottomHalf>>,
    watch: OnceLock<RunStateWatch>,
    variant: PhantomData<V>,
}

/// What the device and its translating regions share.
struct Core {
    smmu: Smmu,
    ram: GuestRam,
    space: &'static AddressSpace,
    work: Arc<OnceLock<BottomHalf>>,
    /// Effects that are still to be carried out, in order.
    effects: Mutex<VecDeque<Effect>>,
    /// Answers to endpoints: for the bottom half, or for whoever stops the machine.
    answers: Mutex<VecDeque<Answer>>,
    /// The machine does not run (yet): the bottom half waits until it does.
    rests: AtomicBool,
    /// Addresses whose top byte is ignored have been translated for caches outside, which know them by that byte, and
    /// no invalidation names it.
    tagged: AtomicBool,
    ports: Mutex<BTreeMap<(usize, u8), Port>>,
}

/// A request that waits no longer.
#[derive(Clone, Copy)]
struct Answer {
    stream: StreamId,
    substream: Option<SubstreamId>,
    tag: u64,
    retry: bool,
}

/// What one function reaches, and its region's notifications. Ports stay when their bus goes; a later bus at the same
/// address takes them over.
#[derive(Clone, Copy)]
struct Port {
    space: &'static AddressSpace,
    /// Of a stream, or of all.
    notify: &'static (dyn Fn(Option<StreamId>, &TlbEntry) + Send + Sync),
}

/// A function, by its place below the root bus: its StreamID changes when software numbers the buses.
#[derive(Clone, Copy)]
struct BusAddress {
    bus: &'static PciBus,
    devfn: u8,
}

impl BusAddress {
    /// # Safety
    /// The bus must live as long as anybody translates with the result.
    unsafe fn new(bus: &PciBus, devfn: u8) -> Self {
        // SAFETY: the caller's promise.
        Self { bus: unsafe { PciBus::from_ptr(bus.as_ptr()) }, devfn }
    }

    fn stream(self) -> StreamId {
        (u32::from(self.bus.number()) << 8) | u32::from(self.devfn)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    fn schedule(&self) {
        if let Some(work) = self.work.get() {
            work.schedule();
        }
    }

    fn schedule_if_needed(&self) {
        if self.smmu.needs_run() {
            self.schedule();
        }
    }

    /// Takes effects in, behind those that are there already.
    fn accept(&self, effects: Effects) {
        for effect in effects.0 {
            match effect {
                Effect::Resolved { stream, substream, tag, retry } => {
                    lock(&self.answers).push_back(Answer { stream, substream, tag, retry });
                    self.schedule();
                }
                other => lock(&self.effects).push_back(other),
            }
        }
    }

    fn has_work(&self) -> bool {
        !lock(&self.effects).is_empty() || !lock(&self.answers).is_empty()
    }

    fn translate(&self, req: &DmaRequest, under_bql: bool) -> Outcome {
        let (outcome, effects) = self.smmu.translate(&self.ram, req, under_bql);
        if !effects.0.is_empty() {
            self.accept(effects);
            // Not from inside an access: no device is called back here.
            self.schedule();
        }
        self.schedule_if_needed();
        outcome
    }

    fn end(&self, epoch: u64) {
        if self.smmu.end(epoch) {
            self.schedule();
        }
    }

    fn entry(&self, addr: u64, translation: &Translation) -> TlbEntry {
        let mask = if translation.page_mask == u64::MAX { BYPASS_MASK } else { translation.page_mask };
        TlbEntry {
            target: self.space,
            iova: addr & !mask,
            translated: translation.addr & !mask,
            mask,
            read: translation.perm.read,
            write: translation.perm.write,
            exec: translation.perm.exec,
            pasid: None,
        }
    }

    fn notify(&self, stream: Option<StreamId>, addr: u64, mask: u64) {
        let mask = if self.tagged.load(Ordering::SeqCst) { u64::MAX } else { mask };
        let ports: Vec<Port> = lock(&self.ports).values().copied().collect();
        let mut entry = TlbEntry::denied(0);
        (entry.iova, entry.mask, entry.target) = (addr & !mask, mask, self.space);
        for port in ports {
            (port.notify)(stream, &entry);
        }
    }
}

impl<V: Variant> SmmuDevice<V> {
    fn core(&self) -> Option<&Core> {
        self.core.get().map(|core| &**core)
    }

    /// Carries out what is there, in order, but for answers to endpoints. What that sets in motion may come back here,
    /// and then does the rest.
    fn carry_out(this: &Qom<Self>, core: &Core) {
        loop {
            let effect = lock(&core.effects).pop_front();
            let Some(effect) = effect else { break };
            match effect {
                Effect::PulseIrq { line } => {
                    if let Some(irq) = this.irqs.get(line) {
                        irq.pulse();
                    }
                }
                Effect::WriteMsi { addr, data } => {
                    if core.space.write_u32(addr, data, MemoryAttributes::default()).is_err() {
                        log::warn!(target: "guest_errors", "SMMUv3: MSI to {addr:#x} failed");
                        core.accept(core.smmu.msi_aborted(addr, data));
                    }
                }
                // Among the answers.
                Effect::Resolved { .. } => {}
                Effect::UnmapNotify { stream, addr, mask, .. } => core.notify(stream, addr, mask),
                // Nothing that an SMMU without ATS asks for.
                Effect::WriteMemory { .. }
                | Effect::PageResponse { .. }
                | Effect::AtsInvalidate { .. }
                | Effect::IecNotify { .. } => {}
            }
        }
    }

    /// Tells endpoints what has been decided by now; not what they set in motion by asking again.
    fn deliver(this: &Qom<Self>, core: &Core) {
        let count = lock(&core.answers).len();
        for _ in 0..count {
            let answer = lock(&core.answers).pop_front();
            let Some(Answer { stream, tag, retry, .. }) = answer else { break };
            Self::answer(this, stream, tag, retry);
        }
    }

    fn answer(this: &Qom<Self>, stream: StreamId, tag: u64, retry: bool) {
        let (bus, devfn) = (((stream >> 8) & 0xff) as u8, (stream & 0xff) as u8);
        let root = this.properties().primary_bus.get();
        match root.and_then(|root| root.find_device(bus, devfn)) {
            Some(device) => device.dma_resolved(tag, retry),
            None => log::warn!(target: "guest_errors", "SMMUv3: stream {stream:#x} left before its answer"),
        }
    }

    /// The bottom half. It rests while the machine does: then state is being saved, or is still coming in, and the
    /// memory it belongs to may be on its way already.
    fn run(this: &Qom<Self>) {
        let Some(core) = this.core() else { return };
        if !core.rests.load(Ordering::Relaxed) {
            Self::work(this, core);
            if core.has_work() {
                core.schedule();
            }
            core.schedule_if_needed();
        }
    }

    /// What is due.
    fn work(this: &Qom<Self>, core: &Core) {
        Self::carry_out(this, core);
        Self::deliver(this, core);
        core.accept(core.smmu.run_pending(&core.ram));
        Self::carry_out(this, core);
        Self::deliver(this, core);
    }

    fn run_state_changed(this: &Qom<Self>, running: bool) {
        let Some(core) = this.core() else { return };
        core.rests.store(!running, Ordering::Relaxed);
        if running {
            core.schedule();
            return;
        }
        // What is owed to memory, interrupt controllers and endpoints is theirs before anything is saved.
        for _ in 0..FLUSHES {
            Self::work(this, core);
            if !core.has_work() && !core.smmu.needs_run() {
                break;
            }
        }
    }

    fn features(this: &Qom<Self>) -> Result<Features> {
        let p = this.properties();
        let mut f = V::features();
        if let Some(value) = p.ssidsize.get().filter(|value| *value != "auto") {
            f.ssid_bits = value.parse::<u8>().ok().filter(|bits| *bits <= 20).ok_or_else(|| {
                Error::new(format!(
                    "property 'ssidsize' is '{value}', but must be auto or from 0 to 20; 20 serves every PASID, \
                     0 switches substreams off"
                ))
            })?;
        }
        let oas = p.oas.get().map(AddressSize::parse).transpose()?.flatten();
        match oas {
            Some(oas) => f.oas = oas,
            None if V::OAS_FOLLOWS_CPU => {
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
        f.sev = p.sev.get().unwrap_or(f.sev);
        f.two_level_contexts = p.cd2l.get().unwrap_or(f.two_level_contexts && f.ssid_bits > 0);
        // 52-bit input addresses exist with the 64 KiB granule only, and 52-bit output.
        f.va52 = p.vax.get().unwrap_or(f.va52 && f.gran64k && f.oas == AddressSize::Bits52);
        f.stall_max = p.stall_max.get();
        f.adversarial = p.adversarial.get();
        if p.ats.get() == OnOffAuto::On {
            return Err(Error::new(
                "property 'ats' is on, but must be off or auto: this model has no ATS yet",
            ));
        }
        if p.accel.get() {
            return Err(Error::new(
                "property 'accel' is on, but must be off: this model translates by itself",
            ));
        }
        match p.stage.get() {
            None | Some("1") => {}
            // Machines set it for their own SMMU, whatever the user wants.
            Some("nested") => {
                log::warn!(target: "unimp", "SMMUv3: stage=nested gives stage 1 alone: there is no stage 2 yet");
            }
            Some(other) => {
                return Err(Error::new(format!(
                    "property 'stage' is '{other}', but must be 1: this model has no stage 2 yet"
                )));
            }
        }
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
    type Properties = SmmuProperties;

    const TYPE_NAME: &'static CStr = V::TYPE_NAME;
    const DESCRIPTION: &'static CStr = V::DESCRIPTION;
    const INTERFACES: &'static [&'static CStr] = &[ARM_SMMUV3_INTERFACE];
    const HOTPLUGGABLE: bool = false;

    fn new() -> Self {
        Self {
            registers: OnceLock::new(),
            irqs: Default::default(),
            core: OnceLock::new(),
            work: Arc::default(),
            watch: OnceLock::new(),
            variant: PhantomData,
        }
    }

    fn realize(this: &Qom<Self>) -> Result<()> {
        let p = this.properties();
        let features = Self::features(this)?;
        let entries = p.iotlb_size.get();
        if !entries.is_power_of_two() || !(64..=1 << 20).contains(&entries) {
            return Err(Error::new(format!(
                "property 'iotlb-size' is {entries}, but must be a power of two from 64 to 1048576; 4096 is a good one"
            )));
        }
        let Some(bus) = p.primary_bus.get() else {
            return Err(Error::new("property 'primary-bus' is not set: name a PCI root bus, pcie.0 for one"));
        };
        let memory = p.memory.get().map(|memory| AddressSpace::leak(memory, "arm-smmuv3-rs"));
        let space = memory.unwrap_or_else(AddressSpace::memory);
        let core = Core {
            smmu: Smmu::new(features, usize::try_from(entries)?),
            ram: GuestRam::new(space),
            space,
            work: Arc::clone(&this.work),
            effects: Mutex::default(),
            answers: Mutex::default(),
            rests: AtomicBool::new(true),
            tagged: AtomicBool::new(false),
            ports: Mutex::default(),
        };
        if p.per_bus.get() {
            bus.set_iommu_per_bus(this)?;
        } else {
            bus.set_iommu(this);
        }
        let _ = this.core.set(Arc::new(core));
        let _ = this.work.set(BottomHalf::new(this, Self::run));
        let _ = this.watch.set(RunStateWatch::new(this, Self::run_state_changed));
        let registers = this
            .registers
            .get_or_init(|| OwnedRegion::io::<Registers<V>>(this, "arm-smmuv3-rs", REGION_SIZE));
        this.parent().init_mmio(registers);
        for irq in &this.irqs {
            this.parent().init_irq(irq);
        }
        Ok(())
    }

    fn class_init(class: &mut ClassInit<'_, Self>) {
        class.string_property(c"stats", c"counters, as a JSON object", |this| {
            this.core().map(|core| core.smmu.stats().json()).unwrap_or_default()
        });
        class.arm_smmuv3();
        class.reset();
        class.migrate();
    }
}

/// The register region's callbacks.
enum Registers<V> {
    #[expect(dead_code, reason = "the type names callbacks and has no values")]
    Never(core::convert::Infallible, PhantomData<V>),
}

impl<V: Variant> RegionOps for Registers<V> {
    type Device = SmmuDevice<V>;
    const ACCESS_SIZES: core::ops::RangeInclusive<u32> = 4..=8;
    const IMPL_SIZES: core::ops::RangeInclusive<u32> = 4..=8;

    fn read(this: &Qom<SmmuDevice<V>>, offset: u64, size: u32) -> u64 {
        this.core().map_or(0, |core| core.smmu.mmio_read(offset, size))
    }

    fn write(this: &Qom<SmmuDevice<V>>, offset: u64, value: u64, size: u32) {
        let Some(core) = this.core() else { return };
        core.accept(core.smmu.mmio_write(&core.ram, offset, value, size));
        SmmuDevice::carry_out(this, core);
        core.schedule_if_needed();
    }
}

impl<V: Variant> Reset for SmmuDevice<V> {
    /// In the last phase: endpoints have been quiet since an earlier one.
    fn exit(this: &Qom<Self>, _kind: ResetKind) {
        if let Some(core) = this.core() {
            lock(&core.effects).clear();
            lock(&core.answers).clear();
            core.smmu.reset();
        }
    }
}

impl<V: Variant> Migrate for SmmuDevice<V> {
    const VERSION: u32 = 1;
    const BEFORE_PCI: bool = true;

    fn save(this: &Qom<Self>) -> Result<Vec<u8>> {
        // Memory has been saved by now, and must stay as it is. Endpoints come after this.
        if let Some(core) = this.core() {
            Self::deliver(this, core);
        }
        let state = this.core().map(|core| core.smmu.save().to_words()).unwrap_or_default();
        Ok(state.iter().flat_map(|word| word.to_le_bytes()).collect())
    }

    fn load(this: &Qom<Self>, state: &[u8]) -> Result<()> {
        let chunks = state.chunks_exact(8);
        if !chunks.remainder().is_empty() {
            return Err(Error::new(format!("a state of {} bytes is not a number of words", state.len())));
        }
        let words: Vec<u64> =
            chunks.filter_map(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes).collect();
        let Some(core) = this.core() else { return Err(Error::new("the device is not realized")) };
        // Endpoints come after this, and work when the machine runs.
        core.smmu.load(&SavedState::from_words(&words)?)?;
        lock(&core.effects).clear();
        lock(&core.answers).clear();
        Ok(())
    }
}

impl<V: Variant> ArmSmmuv3 for SmmuDevice<V> {
    fn info(this: &Qom<Self>) -> SmmuInfo {
        let httu = this.core().map_or(Httu::None, |core| core.smmu.features().httu);
        let httu = match httu {
            Httu::None => 0,
            Httu::Access => 1,
            Httu::Dirty => 2,
        };
        SmmuInfo { ats: false, pri: false, httu }
    }
}

impl<V: Variant> PciIommu for SmmuDevice<V> {
    fn address_space(this: &Qom<Self>, bus: &PciBus, devfn: u8) -> &'static AddressSpace {
        let Some(core) = this.core.get() else { return AddressSpace::memory() };
        bql::assert_locked();
        let key = (bus.as_ptr().addr(), devfn);
        if let Some(port) = lock(&core.ports).get(&key) {
            return port.space;
        }
        // SAFETY: functions below the bus are the only ones to use the region, and go before it does.
        let source = unsafe { BusAddress::new(bus, devfn) };
        let name = format!("arm-smmuv3-rs-{:02x}.{:x}", devfn >> 3, devfn & 7);
        let region = StreamRegion::<V> { core: Arc::clone(core), source, variant: PhantomData };
        // For good, like the address space: users of an IOMMU's address spaces keep pointers to them.
        let region: &'static OwnedIommuRegion<StreamRegion<V>> =
            Box::leak(Box::new(OwnedIommuRegion::new(this.object(), &name, region)));
        let space = AddressSpace::leak(region.region(), &name);
        let notify = Box::leak(Box::new(move |stream: Option<StreamId>, entry: &TlbEntry| {
            let notifiers = region.notifiers();
            // Who listens is below the bus; without anybody there may be no bus any more.
            if !(notifiers.unmap || notifiers.device_unmap)
                || stream.is_some_and(|stream| stream != source.stream())
            {
                return;
            }
            if notifiers.unmap {
                region.notify_unmap(0, entry);
            }
            if notifiers.device_unmap {
                region.notify_device_unmap(0, entry);
            }
        }));
        lock(&core.ports).insert(key, Port { space, notify });
        space
    }

    fn dma_translate(this: &Qom<Self>, from: Requester<'_>, request: &PciDmaRequest) -> DmaTranslation {
        let Some(core) = this.core() else { return DmaTranslation::Aborted };
        let req = DmaRequest {
            stream: stream(&from),
            substream: request.pasid,
            addr: request.addr,
            access: Access {
                read: request.read,
                write: request.write,
                exec: request.exec,
                privileged: request.privileged,
            },
            tag: request.tag,
        };
        match core.translate(&req, bql::is_locked()) {
            Outcome::Translated { translation, epoch } => {
                let mut entry = core.entry(req.addr, &translation);
                entry.pasid = request.pasid;
                DmaTranslation::Translated(entry, epoch)
            }
            Outcome::Aborted => DmaTranslation::Aborted,
            Outcome::Waiting => DmaTranslation::Waiting,
        }
    }

    fn dma_end(this: &Qom<Self>, epoch: u64) {
        if let Some(core) = this.core() {
            core.end(epoch);
        }
    }

    fn dma_cancel(this: &Qom<Self>, from: Requester<'_>, pasids: Pasids, tag: Option<u64>) {
        let Some(core) = this.core() else { return };
        let stream = stream(&from);
        let substream = match pasids {
            Pasids::Any => None,
            Pasids::One(pasid) => Some(pasid),
        };
        // Answers that are on their way are not to arrive any more either.
        lock(&core.answers).retain(|answer| {
            answer.stream != stream
                || substream.is_some_and(|substream| substream != answer.substream)
                || tag.is_some_and(|tag| tag != answer.tag)
        });
        core.smmu.cancel(stream, substream, tag);
        core.schedule_if_needed();
    }

    fn dma_restore(this: &Qom<Self>, from: Requester<'_>, waiting: &[(Option<u32>, u64)]) -> Result<()> {
        let Some(core) = this.core() else { return Err(Error::new("the SMMU is not realized")) };
        let stream = stream(&from);
        let mut here = core.smmu.pending(stream);
        let mut there = waiting.to_vec();
        here.sort_unstable();
        there.sort_unstable();
        let missing = |of: &[(Option<u32>, u64)], among: &[(Option<u32>, u64)]| {
            let names: Vec<String> = of
                .iter()
                .filter(|request| !among.contains(request))
                .map(|(pasid, tag)| match pasid {
                    Some(pasid) => format!("tag {tag:#x} of PASID {pasid:#x}"),
                    None => format!("tag {tag:#x} without PASID"),
                })
                .collect();
            names.join(", ")
        };
        if here == there {
            return Ok(());
        }
        Err(Error::new(format!(
            "stream {stream:#x}: the SMMU and the endpoint disagree on the requests that wait; only the SMMU has \
             [{}], only the endpoint has [{}]: the incoming state is damaged, or of another machine",
            missing(&here, &there),
            missing(&there, &here)
        )))
    }
}

fn stream(from: &Requester<'_>) -> StreamId {
    // SAFETY: the bus is that of a request under way.
    unsafe { BusAddress::new(from.bus, from.devfn) }.stream()
}

/// What one function sees: a translating region.
struct StreamRegion<V> {
    core: Arc<Core>,
    source: BusAddress,
    variant: PhantomData<V>,
}

impl<V: Variant> IommuRegionImpl for StreamRegion<V> {
    const TYPE_NAME: &'static CStr = V::REGION_TYPE_NAME;

    /// Ordinary masters: they cannot wait, and QEMU's core makes the access after this returns.
    fn translate(region: &IommuRegion<Self>, addr: u64, access: RegionAccess, _index: usize) -> TlbEntry {
        let (read, write) = match access {
            RegionAccess::Probe => return TlbEntry::denied(addr),
            RegionAccess::Read => (true, false),
            RegionAccess::Write => (false, true),
            RegionAccess::ReadWrite => (true, true),
        };
        let req = DmaRequest {
            stream: region.source.stream(),
            substream: None,
            addr,
            access: Access { read, write, exec: false, privileged: false },
            tag: None,
        };
        if translate::has_tag(addr) {
            region.core.tagged.store(true, Ordering::SeqCst);
        }
        // Never with effects: nothing may be called back from here.
        match region.core.translate(&req, false) {
            Outcome::Translated { translation, epoch } => {
                region.core.end(epoch);
                region.core.entry(addr, &translation)
            }
            Outcome::Aborted | Outcome::Waiting => TlbEntry::denied(addr),
        }
    }

    fn min_page_size(region: &IommuRegion<Self>) -> u64 {
        let f = region.core.smmu.features();
        if f.gran4k {
            0x1000
        } else if f.gran16k {
            0x4000
        } else {
            0x1_0000
        }
    }

    fn notifiers_changed(region: &IommuRegion<Self>, _old: NotifierFlags, new: NotifierFlags) -> Result<()> {
        if new.map {
            return Err(Error::new(format!(
                "stream {:#x}: this device wants to be told of every mapping (VFIO does), which this SMMU cannot do",
                region.source.stream()
            )));
        }
        // `device_unmap`: vhost wants that as soon as a guest switches on ATS in a virtio function, and ends QEMU if it
        // is refused. It is told what listeners for `unmap` are.
        Ok(())
    }
}

/// Registers the types, if this QEMU has machines that can use them.
pub fn register() -> bool {
    if !qom::type_exists(ARM_SMMUV3_INTERFACE) {
        return false;
    }
    iommu_region::register::<StreamRegion<Rich>>();
    iommu_region::register::<StreamRegion<Compat>>();
    qom::register::<SmmuDevice<Rich>>() && qom::register::<SmmuDevice<Compat>>()
}
