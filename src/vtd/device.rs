// SPDX-License-Identifier: GPL-2.0-or-later
//! The QOM shell of VT-d: properties in, registers, translations, page requests and interrupts through, effects
//! out.
//!
//! Two types share it. `intel-iommu-rs` is rich; `intel-iommu-rs-compat` has the defaults of QEMU's own
//! `intel-iommu`, and is what `-device-plugin FILE,replace=on` puts in its place.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::features::Features;
use super::model::{AtsOutcome, InterruptOutcome, Outcome, Vtd};
use super::page_request;
use super::state::SavedState;
use crate::iommu::{
    Access, DmaRequest, Effect, Effects, PageResponseCode, StreamId, SubstreamId, Translation,
};
use crate::qemu::property::Default as PropertyDefault;
use crate::qemu::{
    AddressSpace, AtsRequest, BottomHalf, BusRegion, ClassInit, DeviceImpl, DmaTranslation, Error, GuestRam,
    INTEL_IOMMU_INTERFACE, IntelIommu, IommuRegion, IommuRegionImpl, MemoryAttributes, MemoryRegion, Migrate,
    MsiMessage, NotifierFlags, ObjectLike, OnOffAuto, OwnedIommuRegion, OwnedRegion, PageListener,
    PageRequest, PageResponse, Pasids, PciBus, PciDevice, PciDmaRequest, PciIommu, Property, Qom,
    RegionAccess, RegionOps, Requester, Reset, ResetKind, Result, RunStateWatch, TlbEntry, X86Iommu, bql,
    iommu_region, properties, qom, x86_iommu,
};

properties! {
    /// What a user or a board sets, besides `intremap`, `device-iotlb` and `dma-translation`, which every IOMMU of
    /// a PC has.
    pub struct VtdProperties {
        /// See `Features::aw_bits`.
        pub aw_bits: u8 = 48, c"aw-bits", c"bits of second-stage addresses: 39, 48 or 57";
        /// See `Features::scalable`.
        pub scalable: OnOffAuto = OnOffAuto::Auto, c"scalable-mode", c"scalable mode";
        /// See `Features::first_stage`.
        pub fsts: OnOffAuto = OnOffAuto::Auto, c"fsts", c"first-stage translation";
        /// See `Features::second_stage`.
        pub ssts: OnOffAuto = OnOffAuto::Auto, c"ssts", c"second-stage translation in scalable mode";
        /// See `Features::nested`.
        pub nested: OnOffAuto = OnOffAuto::Auto, c"nested", c"nested translation";
        /// See `Features::pass_through`.
        pub pass_through: OnOffAuto = OnOffAuto::Auto, c"pass-through", c"pass-through translation";
        /// See `Features::fs5lp`.
        pub fs5lp: OnOffAuto = OnOffAuto::Auto, c"fs5lp", c"first-stage 5-level paging";
        /// See `Features::fs1gp`.
        pub fs1gp: OnOffAuto = OnOffAuto::Auto, c"fs1gp", c"first-stage 1 GiB pages";
        /// See `Features::pasid_bits`.
        pub pasid_bits: u8 = 20, c"pasid-bits", c"bits of PASIDs: 0 to 20";
        /// See `Features::page_requests`.
        pub svm: OnOffAuto = OnOffAuto::Auto, c"svm", c"page requests";
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
        /// See `Features::snoop_control`.
        pub snoop_control: OnOffAuto = OnOffAuto::Auto, c"snoop-control", c"snoop control";
        /// See `Features::caching_mode`.
        pub caching_mode: OnOffAuto = OnOffAuto::Auto, c"caching-mode", c"caching mode";
        /// See `Features::eim`.
        pub eim: OnOffAuto = OnOffAuto::Auto, c"eim", c"32-bit APIC-IDs";
        /// See `Features::fault_records`.
        pub fault_records: u16 = 8, c"fault-records", c"fault recording registers (1-222)";
        /// Entries of the IOTLB.
        pub iotlb_size: u32 = 4096, c"iotlb-size", c"entries of the translation cache, a power of two (64-1048576)";
        /// See `Features::adversarial`.
        pub adversarial: bool = false, c"x-adversarial", c"cache all that may be cached, finish as late as allowed";
        /// Present for command lines and machine versions of QEMU's own model.
        pub version: u32 = 0, c"version", c"without effect";
        /// Present for machine versions of QEMU's own model: bit 62 of table entries is never a reserved one here.
        pub stale_tm: bool = false, c"stale-tm", c"without effect";
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
    const DEFAULTS: &'static [(&'static CStr, PropertyDefault)] =
        &[(c"pasid-bits", PropertyDefault::Unsigned(0))];
    const DEVICE_IOTLB: bool = false;

    fn features() -> Features {
        // What QEMU's own says without KVM.
        Features { no_write: true, eim: false, ..Features::compat() }
    }
}

/// Where q35 has the registers.
const REGISTERS: u64 = qemu_sys::Q35_HOST_BRIDGE_IOMMU_ADDR as u64;
/// Bytes of the register region.
const REGISTERS_SIZE: u64 = 0x1000;
/// Where interrupt requests go, `VTD §3.14`.
const INTERRUPTS: u64 = 0xfee0_0000;
/// Bytes of the interrupt address range.
const INTERRUPTS_SIZE: u64 = 0x10_0000;
/// The source-id that q35's DMAR table gives to the IOAPIC: bus 0xff, device and function 0.
const IOAPIC: StreamId = 0xff00;
/// Largest page that is reported where input and output are the same.
const BYPASS_MASK: u64 = (1 << 30) - 1;
/// The epoch of accesses that were not translated.
const NO_EPOCH: u64 = u64::MAX;
/// Index of the translations for untranslated requests.
const UNTRANSLATED: usize = 0;
/// Index of the translations for translated requests.
const TRANSLATED: usize = 1;
/// Rounds after which a machine that stops takes the rest along in its state.
const FLUSHES: u32 = 256;

/// A device of either type.
pub struct VtdDevice<V: Variant> {
    registers: OnceLock<OwnedRegion>,
    core: OnceLock<Arc<Core>>,
    work: Arc<OnceLock<BottomHalf>>,
    watch: OnceLock<RunStateWatch>,
    variant: PhantomData<V>,
}

/// Who waits for answers to page requests: by bus, function and PASID.
type Listeners = BTreeMap<(usize, u8, Option<SubstreamId>), PageListener>;

/// What the device, its translating regions and interrupt windows share.
struct Core {
    vtd: Vtd,
    ram: GuestRam,
    space: &'static AddressSpace,
    work: Arc<OnceLock<BottomHalf>>,
    /// Effects that are still to be carried out, in order.
    effects: Mutex<VecDeque<Effect>>,
    /// What is for endpoints, in order: for the bottom half, or for whoever stops the machine.
    answers: Mutex<VecDeque<Answer>>,
    /// The machine does not run (yet): the bottom half waits until it does.
    rests: AtomicBool,
    /// The bus that every function is on or below. Known before the machine runs.
    root: OnceLock<&'static PciBus>,
    ports: Mutex<BTreeMap<(usize, u8), Port>>,
    listeners: Mutex<Listeners>,
}

/// What an endpoint is to be told.
#[derive(Clone, Copy)]
enum Answer {
    Page { stream: StreamId, pasid: Option<SubstreamId>, group: u16, response: PageResponse },
    Invalidate { itag: u32, stream: StreamId, pasid: Option<SubstreamId>, addr: u64, mask: u64 },
}

/// Sends a range to those who listen to a function's address space, if it has that source-id: as gone, or as gone from
/// device-TLBs.
type Notify = &'static (dyn Fn(Option<StreamId>, &TlbEntry, bool) + Send + Sync);

/// What one function reaches, and its region's notifications. Ports stay when their bus goes; a later bus at the same
/// address takes them over.
#[derive(Clone, Copy)]
struct Port {
    space: &'static AddressSpace,
    notify: Notify,
}

/// A function, by its place below the root bus: its source-id changes when software numbers the buses.
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
        stream(self.bus, self.devfn)
    }

    fn key(self) -> (usize, u8) {
        (self.bus.as_ptr().addr(), self.devfn)
    }
}

fn stream(bus: &PciBus, devfn: u8) -> StreamId {
    (u32::from(bus.number()) << 8) | u32::from(devfn)
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
        if self.vtd.needs_run() {
            self.schedule();
        }
    }

    /// Takes effects in, behind those that are there already.
    fn accept(&self, effects: Effects) {
        for effect in effects.0 {
            let answer = match effect {
                Effect::PageResponse { stream, substream, group, code } => {
                    let response = match code {
                        PageResponseCode::Success => PageResponse::Success,
                        PageResponseCode::Invalid => PageResponse::InvalidRequest,
                        PageResponseCode::Failure => PageResponse::Failure,
                    };
                    Answer::Page { stream, pasid: substream, group, response }
                }
                Effect::AtsInvalidate { itag, stream, substream, addr, mask } => {
                    Answer::Invalidate { itag, stream, pasid: substream, addr, mask }
                }
                other => {
                    lock(&self.effects).push_back(other);
                    continue;
                }
            };
            lock(&self.answers).push_back(answer);
            self.schedule();
        }
    }

    /// The same from inside an access: no device is called back here.
    fn put_off(&self, effects: Effects) {
        if !effects.0.is_empty() {
            self.accept(effects);
            self.schedule();
        }
        self.schedule_if_needed();
    }

    fn has_work(&self) -> bool {
        !lock(&self.effects).is_empty() || !lock(&self.answers).is_empty()
    }

    fn translate(&self, req: &DmaRequest, under_bql: bool) -> Outcome {
        let (outcome, effects) = self.vtd.translate(&self.ram, req, under_bql);
        self.put_off(effects);
        outcome
    }

    fn end(&self, epoch: u64) {
        if epoch != NO_EPOCH && self.vtd.end(epoch) {
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

    /// Tells those who listen that a range is gone, or gone from device-TLBs.
    fn notify(
        &self,
        stream: Option<StreamId>,
        pasid: Option<SubstreamId>,
        addr: u64,
        mask: u64,
        device_tlb: bool,
    ) {
        let ports: Vec<Port> = lock(&self.ports).values().copied().collect();
        let mut entry = TlbEntry::denied(0);
        (entry.iova, entry.mask, entry.target, entry.pasid) = (addr & !mask, mask, self.space, pasid);
        for port in ports {
            (port.notify)(stream, &entry, device_tlb);
        }
    }

    /// The function with that source-id, now.
    fn device(&self, stream: StreamId) -> Option<&PciDevice> {
        self.root.get()?.find_device(((stream >> 8) & 0xff) as u8, (stream & 0xff) as u8)
    }

    fn deliver(&self, answer: Answer) {
        match answer {
            Answer::Page { stream, pasid, group, response } => {
                let listener = self.device(stream).and_then(|device| {
                    let bus = device.bus()?.as_ptr().addr();
                    lock(&self.listeners).get(&(bus, (stream & 0xff) as u8, pasid)).copied()
                });
                match listener {
                    Some(listener) => listener.answer(group, response),
                    None => log::warn!(
                        target: "guest_errors",
                        "VT-d: nobody waits for the answer to page request group {group} of source-id {stream:#x}"
                    ),
                }
            }
            Answer::Invalidate { itag, stream, pasid, addr, mask } => {
                self.notify(Some(stream), pasid, addr, mask, true);
                match self.device(stream) {
                    Some(device) => device.ats_invalidate(itag, pasid, addr, mask),
                    None => self.put_off(self.vtd.device_tlb_done(&self.ram, stream, itag)),
                }
            }
        }
    }

    /// An interrupt request from a function or from the IOAPIC.
    fn interrupt(&self, message: MsiMessage, source: StreamId, report: bool) -> Option<MsiMessage> {
        let source = (source & 0xffff) as u16;
        let message = (message.addr, message.data);
        let (outcome, effects) =
            self.vtd.remap_interrupt(&self.ram, source, message, report, bql::is_locked());
        self.put_off(effects);
        match outcome {
            InterruptOutcome::Deliver(addr, data) => Some(MsiMessage { addr, data }),
            InterruptOutcome::Blocked => None,
        }
    }
}

/// A property that may leave a feature as it is, what it is set to, and the feature.
type Switch<'a> = (&'a Property<OnOffAuto>, fn(&mut Features) -> &mut bool);

impl<V: Variant> VtdDevice<V> {
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
                Effect::WriteMsi { addr, data } if addr & 0xfff0_0000 == INTERRUPTS => {
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
                // There are no wired interrupts and no requests that wait; the rest is among the answers.
                Effect::PulseIrq { .. }
                | Effect::Resolved { .. }
                | Effect::PageResponse { .. }
                | Effect::AtsInvalidate { .. } => {}
            }
        }
    }

    /// Tells endpoints what there is for them by now; not what they set in motion by asking again.
    fn deliver(core: &Core) {
        let count = lock(&core.answers).len();
        for _ in 0..count {
            let answer = lock(&core.answers).pop_front();
            let Some(answer) = answer else { break };
            core.deliver(answer);
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
        Self::deliver(core);
        core.accept(core.vtd.run_pending(&core.ram));
        Self::carry_out(this, core);
        Self::deliver(core);
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
            if !core.has_work() && !core.vtd.needs_run() {
                break;
            }
        }
    }

    fn switches(p: &VtdProperties) -> [Switch<'_>; 19] {
        [
            (&p.scalable, |f| &mut f.scalable),
            (&p.fsts, |f| &mut f.first_stage),
            (&p.ssts, |f| &mut f.second_stage),
            (&p.nested, |f| &mut f.nested),
            (&p.pass_through, |f| &mut f.pass_through),
            (&p.fs5lp, |f| &mut f.fs5lp),
            (&p.fs1gp, |f| &mut f.fs1gp),
            (&p.svm, |f| &mut f.page_requests),
            (&p.srs, |f| &mut f.supervisor_requests),
            (&p.ers, |f| &mut f.execute_requests),
            (&p.nwfs, |f| &mut f.no_write),
            (&p.eafs, |f| &mut f.extended_accessed),
            (&p.ssads, |f| &mut f.second_stage_dirty),
            (&p.rid_pasid, |f| &mut f.rid_pasid),
            (&p.rid_priv, |f| &mut f.rid_priv),
            (&p.abort_dma, |f| &mut f.abort_dma),
            (&p.snoop_control, |f| &mut f.snoop_control),
            (&p.caching_mode, |f| &mut f.caching_mode),
            (&p.eim, |f| &mut f.eim),
        ]
    }

    fn features(this: &Qom<Self>) -> Result<Features> {
        let p = this.properties();
        if !this.parent().translates_dma() {
            return Err(Error::new(
                "property 'dma-translation' is off, but must be on: this model has no unit that only remaps interrupts",
            ));
        }
        let apply = |f: &mut Features| {
            for (property, feature) in Self::switches(p) {
                if let Some(value) = choice(property) {
                    *feature(f) = value;
                }
            }
        };
        let mut f = V::features();
        f.aw_bits = p.aw_bits.get();
        f.pasid_bits = p.pasid_bits.get();
        f.fault_records = p.fault_records.get();
        f.adversarial = p.adversarial.get();
        f.device_tlb = this.parent().has_device_iotlb();
        f.interrupt_remapping = this.parent().remaps_interrupts();
        apply(&mut f);
        // A unit without first stage has the second one, in scalable mode too.
        if f.scalable && !f.first_stage && choice(&p.ssts).is_none() {
            f.second_stage = true;
        }
        f = f.consistent();
        // What was asked for explicitly is there or is an error.
        apply(&mut f);
        f.validate()?;
        Ok(f)
    }
}

/// What the user wants, if anything.
fn choice(property: &Property<OnOffAuto>) -> Option<bool> {
    match property.get() {
        OnOffAuto::On => Some(true),
        OnOffAuto::Off => Some(false),
        OnOffAuto::Auto => None,
    }
}

impl<V: Variant> DeviceImpl for VtdDevice<V> {
    type Parent = X86Iommu;
    type Properties = VtdProperties;

    const TYPE_NAME: &'static CStr = V::TYPE_NAME;
    const DESCRIPTION: &'static CStr = V::DESCRIPTION;
    const INTERFACES: &'static [&'static CStr] = &[INTEL_IOMMU_INTERFACE];
    const HOTPLUGGABLE: bool = false;
    const DEFAULTS: &'static [(&'static CStr, PropertyDefault)] = V::DEFAULTS;

    fn new() -> Self {
        Self {
            registers: OnceLock::new(),
            core: OnceLock::new(),
            work: Arc::default(),
            watch: OnceLock::new(),
            variant: PhantomData,
        }
    }

    fn instance_init(this: &Qom<Self>) {
        this.parent().set_default_device_iotlb(V::DEVICE_IOTLB);
    }

    fn realize(this: &Qom<Self>) -> Result<()> {
        let features = Self::features(this)?;
        let entries = this.properties().iotlb_size.get();
        if !entries.is_power_of_two() || !(64..=1 << 20).contains(&entries) {
            return Err(Error::new(format!(
                "property 'iotlb-size' is {entries}, but must be a power of two from 64 to 1048576; 4096 is a good one"
            )));
        }
        let space = AddressSpace::memory();
        let core = Arc::new(Core {
            vtd: Vtd::new(features, usize::try_from(entries)?),
            ram: GuestRam::new(space),
            space,
            work: Arc::clone(&this.work),
            effects: Mutex::default(),
            answers: Mutex::default(),
            rests: AtomicBool::new(true),
            root: OnceLock::new(),
            ports: Mutex::default(),
            listeners: Mutex::default(),
        });
        let _ = this.core.set(Arc::clone(&core));
        let _ = this.work.set(BottomHalf::new(this, Self::run));
        let _ = this.watch.set(RunStateWatch::new(this, Self::run_state_changed));
        let registers = this
            .registers
            .get_or_init(|| OwnedRegion::io::<Registers<V>>(this, "intel-iommu-rs", REGISTERS_SIZE));
        MemoryRegion::system().add_subregion(REGISTERS, registers, 0);
        x86_iommu::setup(this, ioapic_space(this, core));
        Ok(())
    }

    fn class_init(class: &mut ClassInit<'_, Self>) {
        class.string_property(c"stats", c"counters, as a JSON object", |this| {
            this.core().map(|core| core.vtd.stats().json()).unwrap_or_default()
        });
        class.intel_iommu();
        class.reset();
        class.migrate();
    }
}

/// What the IOAPIC writes to: interrupts, and nothing else.
fn ioapic_space<V: Variant>(this: &Qom<VtdDevice<V>>, core: Arc<Core>) -> &'static AddressSpace {
    let window = Box::leak(Box::new(InterruptWindow { core, source: Source::Ioapic }));
    let root = OwnedRegion::container(this.object(), "vtd-ioapic", u64::MAX);
    let region = OwnedRegion::bus(this.object(), window, "vtd-ioapic-interrupts", INTERRUPTS_SIZE);
    let (root, region) = (Box::leak(Box::new(root)), Box::leak(Box::new(region)));
    root.add_subregion(INTERRUPTS, region, 0);
    AddressSpace::leak(root, "vtd-ioapic")
}

/// The register region's callbacks.
enum Registers<V> {
    #[expect(dead_code, reason = "the type names callbacks and has no values")]
    Never(core::convert::Infallible, PhantomData<V>),
}

impl<V: Variant> RegionOps for Registers<V> {
    type Device = VtdDevice<V>;
    const ACCESS_SIZES: core::ops::RangeInclusive<u32> = 4..=8;
    const IMPL_SIZES: core::ops::RangeInclusive<u32> = 4..=8;

    fn read(this: &Qom<VtdDevice<V>>, offset: u64, size: u32) -> u64 {
        this.core().map_or(0, |core| core.vtd.mmio_read(offset, size))
    }

    fn write(this: &Qom<VtdDevice<V>>, offset: u64, value: u64, size: u32) {
        let Some(core) = this.core() else { return };
        core.accept(core.vtd.mmio_write(&core.ram, offset, value, size));
        VtdDevice::carry_out(this, core);
        core.schedule_if_needed();
    }
}

impl<V: Variant> Reset for VtdDevice<V> {
    /// In the last phase: endpoints have been quiet since an earlier one.
    fn exit(this: &Qom<Self>, _kind: ResetKind) {
        if let Some(core) = this.core() {
            lock(&core.effects).clear();
            lock(&core.answers).clear();
            core.vtd.reset();
        }
    }
}

impl<V: Variant> Migrate for VtdDevice<V> {
    const VERSION: u32 = 1;
    const BEFORE_PCI: bool = true;

    fn save(this: &Qom<Self>) -> Result<Vec<u8>> {
        // Memory has been saved by now, and must stay as it is. Endpoints come after this.
        if let Some(core) = this.core() {
            Self::deliver(core);
        }
        let state = this.core().map(|core| core.vtd.save().to_words()).unwrap_or_default();
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
        core.vtd.load(&SavedState::from_words(&words)?)?;
        lock(&core.effects).clear();
        lock(&core.answers).clear();
        Ok(())
    }
}

impl<V: Variant> IntelIommu for VtdDevice<V> {
    fn address_width(this: &Qom<Self>) -> u8 {
        this.core().map_or(0, |core| core.vtd.features().aw_bits)
    }

    fn remap_interrupt(this: &Qom<Self>, message: MsiMessage, source: Option<u16>) -> Option<MsiMessage> {
        let core = this.core()?;
        // Without a source it is the IOAPIC's.
        core.interrupt(message, source.map_or(IOAPIC, u32::from), false)
    }
}

impl<V: Variant> PciIommu for VtdDevice<V> {
    const ATS: bool = true;

    fn address_space(this: &Qom<Self>, bus: &PciBus, devfn: u8) -> &'static AddressSpace {
        let Some(core) = this.core.get() else { return AddressSpace::memory() };
        bql::assert_locked();
        // SAFETY: functions below the bus are the only ones to use the region, and go before it does.
        let source = unsafe { BusAddress::new(bus, devfn) };
        if source.bus.is_first_root() {
            let _ = core.root.set(source.bus);
        }
        if let Some(port) = lock(&core.ports).get(&source.key()) {
            return port.space;
        }
        let name = format!("vtd-{:02x}.{:x}", devfn >> 3, devfn & 7);
        let region = SourceRegion::<V> { core: Arc::clone(core), source, variant: PhantomData };
        // All of it for good, like the address space: users of an IOMMU's address spaces keep pointers to them.
        let region: &'static OwnedIommuRegion<SourceRegion<V>> =
            Box::leak(Box::new(OwnedIommuRegion::new(this.object(), &name, region)));
        let window =
            Box::leak(Box::new(InterruptWindow { core: Arc::clone(core), source: Source::Function(source) }));
        let window = OwnedRegion::bus(this.object(), window, "vtd-interrupts", INTERRUPTS_SIZE);
        let root = Box::leak(Box::new(OwnedRegion::container(this.object(), &name, u64::MAX)));
        root.add_subregion(0, region.region(), 0);
        root.add_subregion(INTERRUPTS, Box::leak(Box::new(window)), 1);
        let space = AddressSpace::leak(root, &name);
        let notify =
            Box::leak(Box::new(move |stream: Option<StreamId>, entry: &TlbEntry, device_tlb: bool| {
                let notifiers = region.notifiers();
                // Who listens is below the bus; without anybody there may be no bus any more.
                let listens = if device_tlb { notifiers.device_unmap } else { notifiers.unmap };
                if !listens || stream.is_some_and(|stream| stream != source.stream()) {
                    return;
                }
                if device_tlb {
                    region.notify_device_unmap(UNTRANSLATED, entry);
                } else {
                    region.notify_unmap(UNTRANSLATED, entry);
                }
            }));
        lock(&core.ports).insert(source.key(), Port { space, notify });
        space
    }

    fn dma_translate(this: &Qom<Self>, from: Requester<'_>, request: &PciDmaRequest) -> DmaTranslation {
        let Some(core) = this.core() else { return DmaTranslation::Aborted };
        if request.pasid.is_none() && request.addr & !(INTERRUPTS_SIZE - 1) == INTERRUPTS {
            return interrupt_entry(core, &from, request.addr);
        }
        let req = DmaRequest {
            stream: stream(from.bus, from.devfn),
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
        }
    }

    fn dma_end(this: &Qom<Self>, epoch: u64) {
        if let Some(core) = this.core() {
            core.end(epoch);
        }
    }

    /// No request ever waits here: endpoints wait for answers to their page requests.
    fn dma_cancel(_this: &Qom<Self>, _from: Requester<'_>, _pasids: Pasids, _tag: Option<u64>) {}

    fn dma_restore(_this: &Qom<Self>, from: Requester<'_>, waiting: &[(Option<u32>, u64)]) -> Result<()> {
        if waiting.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!(
            "source-id {:#x}: the endpoint waits with {} requests, which VT-d never has: the incoming state is damaged, \
             or of another machine",
            stream(from.bus, from.devfn),
            waiting.len()
        )))
    }

    fn ats_invalidated(this: &Qom<Self>, from: Requester<'_>, itag: u32) {
        if let Some(core) = this.core() {
            let stream = stream(from.bus, from.devfn);
            core.put_off(core.vtd.device_tlb_done(&core.ram, stream, itag));
        }
    }

    fn ats_translate(this: &Qom<Self>, bus: &PciBus, devfn: u8, request: &AtsRequest) -> Option<TlbEntry> {
        let core = this.core()?;
        let req = DmaRequest {
            stream: stream(bus, devfn),
            substream: request.pasid,
            addr: request.addr,
            access: Access {
                read: true,
                write: !request.no_write,
                exec: request.exec,
                privileged: request.privileged,
            },
            tag: None,
        };
        let (outcome, effects) = core.vtd.ats(&core.ram, &req, bql::is_locked());
        core.put_off(effects);
        let AtsOutcome::Success(answer) = outcome else { return None };
        let mask = 1u64.checked_shl(answer.log2size.into()).map_or(u64::MAX, |size| size.wrapping_sub(1));
        Some(TlbEntry {
            target: core.space,
            iova: req.addr & !mask,
            translated: answer.addr & !mask,
            mask,
            read: answer.read,
            write: answer.write,
            exec: answer.exec,
            pasid: request.pasid,
        })
    }

    fn page_request(this: &Qom<Self>, bus: &PciBus, devfn: u8, request: &PageRequest) -> Result<()> {
        let Some(core) = this.core() else { return Err(Error::new("the device is not realized")) };
        let effects = core.vtd.page_request(
            &core.ram,
            &page_request::PageRequest {
                stream: stream(bus, devfn),
                substream: request.pasid,
                addr: request.addr,
                access: Access {
                    read: request.read,
                    write: request.write,
                    exec: request.exec,
                    privileged: request.privileged,
                },
                last: request.last,
                group: request.group,
                private_data: None,
            },
        );
        core.accept(effects);
        Self::carry_out(this, core);
        core.schedule_if_needed();
        Ok(())
    }

    fn page_listener(
        this: &Qom<Self>,
        bus: &PciBus,
        devfn: u8,
        pasid: Option<u32>,
        listener: Option<PageListener>,
    ) {
        let Some(core) = this.core() else { return };
        let key = (bus.as_ptr().addr(), devfn, pasid);
        let mut listeners = lock(&core.listeners);
        match listener {
            Some(listener) => listeners.insert(key, listener),
            None => listeners.remove(&key),
        };
    }
}

/// An access to the interrupt range goes to the function's own interrupt window.
fn interrupt_entry(core: &Core, from: &Requester<'_>, addr: u64) -> DmaTranslation {
    let key = (from.bus.as_ptr().addr(), from.devfn);
    let Some(port) = lock(&core.ports).get(&key).copied() else { return DmaTranslation::Aborted };
    let mask = INTERRUPTS_SIZE - 1;
    let entry = TlbEntry {
        target: port.space,
        iova: addr & !mask,
        translated: addr & !mask,
        mask,
        read: true,
        write: true,
        exec: false,
        pasid: None,
    };
    DmaTranslation::Translated(entry, NO_EPOCH)
}

/// Whose interrupts come through a window.
enum Source {
    Function(BusAddress),
    Ioapic,
}

/// The interrupt address range as one source sees it.
struct InterruptWindow {
    core: Arc<Core>,
    source: Source,
}

impl BusRegion for InterruptWindow {
    const SIZES: core::ops::RangeInclusive<u32> = 4..=4;

    /// Interrupt requests are writes, `VTD §3.14`.
    fn read(&self, _offset: u64, _size: u32, _attrs: MemoryAttributes) -> Option<u64> {
        None
    }

    fn write(&self, offset: u64, value: u64, _size: u32, attrs: MemoryAttributes) -> bool {
        let source = match &self.source {
            Source::Function(source) => source.stream(),
            Source::Ioapic => IOAPIC,
        };
        let message = MsiMessage { addr: INTERRUPTS | offset, data: (value & 0xffff_ffff) as u32 };
        // An interrupt request is never a translated one.
        if attrs.translated {
            return false;
        }
        match self.core.interrupt(message, source, true) {
            Some(message) => {
                x86_iommu::send_msi(message);
                true
            }
            None => false,
        }
    }
}

/// What one function sees: a translating region.
struct SourceRegion<V> {
    core: Arc<Core>,
    source: BusAddress,
    variant: PhantomData<V>,
}

impl<V: Variant> IommuRegionImpl for SourceRegion<V> {
    const TYPE_NAME: &'static CStr = V::REGION_TYPE_NAME;

    /// Ordinary masters, and translated requests of endpoints with ATS: QEMU's core makes the access after this
    /// returns.
    fn translate(region: &IommuRegion<Self>, addr: u64, access: RegionAccess, index: usize) -> TlbEntry {
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
        let core = &region.core;
        // Never with effects: nothing may be called back from here.
        let outcome = if index == TRANSLATED {
            let (outcome, effects) = core.vtd.translated(&core.ram, &req, false);
            core.put_off(effects);
            outcome
        } else {
            core.translate(&req, false)
        };
        match outcome {
            Outcome::Translated { translation, epoch } => {
                core.end(epoch);
                core.entry(addr, &translation)
            }
            Outcome::Aborted => TlbEntry::denied(addr),
        }
    }

    fn attributes_to_index(_region: &IommuRegion<Self>, attrs: MemoryAttributes) -> usize {
        if attrs.translated { TRANSLATED } else { UNTRANSLATED }
    }

    fn indexes(_region: &IommuRegion<Self>) -> usize {
        2
    }

    fn notifiers_changed(region: &IommuRegion<Self>, _old: NotifierFlags, new: NotifierFlags) -> Result<()> {
        let source = region.source.stream();
        if new.map {
            return Err(Error::new(format!(
                "source-id {source:#x}: this device wants to be told of every mapping (VFIO does), which this VT-d cannot do"
            )));
        }
        // `device_unmap`: vhost wants that as soon as a guest switches on ATS in a virtio function, and ends QEMU if it
        // is refused. Without device-iotlb no guest does.
        Ok(())
    }
}

/// Registers the types, if this QEMU has machines that can use them.
pub fn register() -> bool {
    if !qom::type_exists(INTEL_IOMMU_INTERFACE) || !qom::type_exists(X86Iommu::TYPE_NAME) {
        return false;
    }
    iommu_region::register::<SourceRegion<Rich>>();
    iommu_region::register::<SourceRegion<Compat>>();
    qom::register::<VtdDevice<Rich>>() && qom::register::<VtdDevice<Compat>>()
}
