// SPDX-License-Identifier: GPL-2.0-or-later
//! The QOM type `sva-testdev`: the model on QEMU's PCI API.
//!
//! Registers are handled where they are accessed; all else happens in a bottom half while the machine
//! runs. The model is taken out of its place while it is at work, so that no lock is held when its
//! accesses reach other devices: what these tell it meanwhile waits in an inbox.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::atc::MAX_ENTRIES;
use super::pri::GROUPS;
use super::registers::{BAR_SIZE, MAX_ENGINES};
use super::{Config, Device, Invalidation, PAGE_SIZE, PageResponse};
use crate::qemu::log::GUEST_ERRORS;
use crate::qemu::{
    AtsClient, AtsListener, Bar, BottomHalf, ClassInit, ConfigWrite, DeviceImpl, DmaClient, Error, Migrate,
    ObjectRef, OwnedRegion, PCIE_DEVICE, Pasids, PciBus, PciDevice, PciIds, Qom, RegionOps, Reset, ResetKind,
    Result, RunStateWatch, Timer, main_loop, properties, qom,
};

mod port;

use port::PciPort;

const VENDOR: u16 = 0x1234;
const DEVICE: u16 = 0x53a0;
const REVISION: u8 = 0x01;
const CLASS: u16 = 0x1200;

/// Between two ticks, so that vCPUs that wait for the BQL get it.
const PAUSE_NS: u64 = 10_000;
/// PASIDs with listeners from which on those that are not needed are taken back, between two ticks. A tick adds
/// some ten thousand at most: one a step.
const MANY_CLIENTS: usize = 4096;
/// What waits for the model at most; more responses than groups are mistakes.
const MAX_INBOX: usize = 4096;

/// Register offsets in the capabilities (`PCIe §7.8`, `PCIe §10.5`).
const ATS_CTRL: u16 = 6;
const PASID_CTRL: u16 = 6;
const PRI_CTRL: u16 = 4;
const PRI_STATUS: u16 = 6;
const PRI_CTRL_RESET: u16 = 1 << 1;
const PRI_STATUS_FAILURE: u16 = 1 << 0;
const PRI_STATUS_UNEXPECTED: u16 = 1 << 1;
const PRI_STATUS_STOPPED: u16 = 1 << 8;

properties! {
    /// Properties of `sva-testdev`.
    pub struct TestDevProperties {
        /// Number of engines.
        pub engines: u8 = 4, c"engines", c"number of DMA engines (1-16)";
        /// Width of PASIDs.
        pub pasid_bits: u8 = 20, c"pasid-bits", c"width of PASIDs (0-20; 0: no PASID capability)";
        /// ATS capability.
        pub ats: bool = true, c"ats", c"Address Translation Services capability";
        /// PRI capability.
        pub pri: bool = true, c"pri", c"Page Request capability";
        /// Execute flag.
        pub exec: bool = true, c"exec", c"requests may be instruction fetches";
        /// Privileged flag.
        pub privileged: bool = true, c"priv", c"requests may be privileged";
        /// For the board's device tree.
        pub dma_can_stall: bool = true, c"dma-can-stall", c"the device tree says that requests may be stalled";
        /// Page requests at a time.
        pub page_requests: u32 = 32, c"page-requests", c"outstanding page requests (1-512)";
        /// Size of the translation cache.
        pub atc_entries: u16 = 64, c"atc-entries", c"entries of the translation cache (0-1024; 0: none)";
        /// Page Aligned Request in the ATS capability.
        pub page_aligned: bool = true, c"x-ats-page-aligned", c"ATS: untranslated addresses are page-aligned";
        /// Global Invalidate Supported in the ATS capability.
        pub global: bool = false, c"x-ats-global", c"ATS: translations may be shared by all PASIDs";
        /// PRG Response PASID Required in the Page Request capability.
        pub response_pasid: bool = true, c"x-pri-response-pasid", c"page responses carry their PASID";
        /// For negative tests.
        pub engines_off: bool = false, c"x-engines-off", c"accept descriptors and do nothing";
        /// PCI identity.
        pub vendor: u16 = VENDOR, c"x-pci-vendor-id", c"vendor ID in configuration space";
        /// PCI identity.
        pub device: u16 = DEVICE, c"x-pci-device-id", c"device ID in configuration space";
        /// PCI identity.
        pub revision: u8 = REVISION, c"x-pci-revision", c"revision ID in configuration space";
    }
}

/// Offsets of the capabilities in configuration space.
#[derive(Clone, Copy, Default)]
struct Capabilities {
    ats: Option<u16>,
    pasid: Option<u16>,
    pri: Option<u16>,
}

/// What other devices tell this one.
enum Event {
    Resolved { tag: u64, retry: bool },
    Response { group: u16, pasid: Option<u32>, response: PageResponse },
    Invalidation { invalidation: Invalidation, itag: Option<u32> },
}

/// The state of an `sva-testdev`.
pub struct TestDev {
    /// Empty before `realize`, after `unrealize`, and while the model is at work.
    model: Mutex<Option<Device>>,
    /// After `unrealize`: QEMU has freed parts of the device, though the object may live a while.
    gone: AtomicBool,
    /// Completions of invalidations are sent.
    answers_invalidations: AtomicBool,
    /// A reset came while the model was at work, as the effect of its own accesses.
    reset_due: AtomicBool,
    capabilities: OnceLock<Capabilities>,
    inbox: Mutex<VecDeque<Event>>,
    /// An invalidation found no room in the inbox.
    inbox_overflowed: AtomicBool,
    clients: Mutex<BTreeMap<Option<u32>, AtsListener<TestDev>>>,
    registers: OnceLock<OwnedRegion>,
    msix: OnceLock<OwnedRegion>,
    work: OnceLock<BottomHalf>,
    pause: OnceLock<Timer>,
    watch: OnceLock<RunStateWatch>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers the type.
pub fn register() -> bool {
    qom::register::<TestDev>()
}

impl DeviceImpl for TestDev {
    type Parent = PciDevice;
    type Properties = TestDevProperties;
    const TYPE_NAME: &'static CStr = c"sva-testdev";
    const DESCRIPTION: &'static CStr = c"DMA engines with PASID, ATS and PRI, for Shared Virtual Addressing";
    const INTERFACES: &'static [&'static CStr] = &[PCIE_DEVICE];

    fn new() -> Self {
        Self {
            model: Mutex::default(),
            gone: AtomicBool::new(false),
            answers_invalidations: AtomicBool::new(true),
            reset_due: AtomicBool::new(false),
            capabilities: OnceLock::new(),
            inbox: Mutex::default(),
            inbox_overflowed: AtomicBool::new(false),
            clients: Mutex::default(),
            registers: OnceLock::new(),
            msix: OnceLock::new(),
            work: OnceLock::new(),
            pause: OnceLock::new(),
            watch: OnceLock::new(),
        }
    }

    fn realize(this: &Qom<Self>) -> Result<()> {
        let config = this.check_properties()?;
        let pci = this.parent();
        pci.set_config(0, this.properties().vendor.get().to_le_bytes());
        pci.set_config(2, this.properties().device.get().to_le_bytes());
        pci.set_config(8, [this.properties().revision.get()]);
        pci.add_express_endpoint(0)?;
        pci.add_function_level_reset();
        this.add_extended_capabilities(&config)?;
        let registers =
            this.registers.get_or_init(|| OwnedRegion::io::<Registers>(this, "sva-testdev", BAR_SIZE));
        pci.register_bar(0, Bar::Memory32, registers);
        let msix =
            this.msix.get_or_init(|| OwnedRegion::container(this.object(), "sva-testdev-msix", PAGE_SIZE));
        pci.add_msix(1, msix, 2, 0, 0x800)?;
        pci.register_bar(2, Bar::Memory32, msix);
        this.work.get_or_init(|| BottomHalf::new(this, Qom::<Self>::run));
        this.pause.get_or_init(|| Timer::new(this, Qom::<Self>::kick));
        this.watch.get_or_init(|| {
            RunStateWatch::new(this, |this, running| {
                if running {
                    this.kick();
                }
            })
        });
        this.register_dma_client();
        let mut model = Device::new(config);
        model.set_can_wait(this.parent().iommu_services().waits);
        *lock(&this.model) = Some(model);
        this.gone.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn unrealize(this: &Qom<Self>) {
        this.with_model(|model, port| model.unplug(port));
        this.gone.store(true, Ordering::Relaxed);
        *lock(&this.model) = None;
        lock(&this.inbox).clear();
        this.forget_clients();
        if let Some(pause) = this.pause.get() {
            pause.cancel();
        }
        if let Some(work) = this.work.get() {
            work.cancel();
        }
        this.parent().unregister_dma_client();
    }

    fn class_init(class: &mut ClassInit<'_, Self>) {
        class.pci_ids(PciIds { vendor: VENDOR, device: DEVICE, revision: REVISION, class: CLASS });
        class.string_property(c"stats", c"counters, as a JSON object", |this| {
            lock(&this.model).as_ref().map_or_else(|| "{}".into(), |model| model.counters().to_json())
        });
        class.switch_property(
            c"x-answer-invalidations",
            c"invalidations are completed; off: their translations are dropped and nothing is said, ever",
            |this| this.answers_invalidations.load(Ordering::Relaxed),
            |this, value| this.answers_invalidations.store(value, Ordering::Relaxed),
        );
        class.reset();
        class.migrate();
        class.config_write();
    }
}

fn out_of_range(name: &str, value: impl std::fmt::Display, range: &str) -> Error {
    Error::new(format!("{name}={value} is out of range: use {range}"))
}

impl Qom<TestDev> {
    fn check_properties(&self) -> Result<Config> {
        let properties = self.properties();
        let engines = properties.engines.get();
        if !(1..=MAX_ENGINES).contains(&engines) {
            return Err(out_of_range("engines", engines, "1 to 16"));
        }
        let pasid_bits = properties.pasid_bits.get();
        if pasid_bits > 20 {
            return Err(out_of_range("pasid-bits", pasid_bits, "0 (no PASID) to 20"));
        }
        let page_requests = properties.page_requests.get();
        if !(1..=u32::from(GROUPS)).contains(&page_requests) {
            return Err(out_of_range("page-requests", page_requests, "1 to 512"));
        }
        let atc_entries = properties.atc_entries.get();
        if atc_entries > MAX_ENTRIES {
            return Err(out_of_range("atc-entries", atc_entries, "0 (no cache) to 1024"));
        }
        let vendor = properties.vendor.get();
        if matches!(vendor, 0 | 0xffff) {
            return Err(out_of_range("x-pci-vendor-id", format!("{vendor:#06x}"), "0x0001 to 0xfffe"));
        }
        let (ats, pri) = (properties.ats.get(), properties.pri.get());
        if pri && !ats {
            return Err(Error::new("pri=on needs ats=on: set ats=on, or pri=off as well"));
        }
        if !self.parent().bus().is_some_and(PciBus::is_express) {
            return Err(Error::new(
                "sva-testdev is a PCI Express function and its bus is not PCI Express: put it on pcie.0, or behind \
                 a pcie-root-port with bus=ID",
            ));
        }
        Ok(Config {
            engines,
            pasid_bits,
            ats,
            pri,
            exec: properties.exec.get(),
            privileged: properties.privileged.get(),
            engines_off: properties.engines_off.get(),
            atc_entries,
            response_pasid: properties.response_pasid.get(),
        })
    }

    fn add_extended_capabilities(&self, config: &Config) -> Result<()> {
        let pci = self.parent();
        // The first one has to be at the start of the extended space.
        let mut end = 0x100;
        let mut place = |present: bool, size: u16| {
            let offset = end;
            end += if present { size } else { 0 };
            present.then_some(offset)
        };
        let capabilities = Capabilities {
            ats: place(config.ats, 8),
            pasid: place(config.pasid_bits != 0, 8),
            pri: place(config.pri, 16),
        };
        if let Some(offset) = capabilities.ats {
            pci.add_ats(offset, self.properties().page_aligned.get(), self.properties().global.get());
        }
        if let Some(offset) = capabilities.pasid {
            pci.add_pasid(offset, config.pasid_bits, config.exec, config.privileged);
        }
        if let Some(offset) = capabilities.pri {
            let response_pasid = config.pasid_bits != 0 && config.response_pasid;
            pci.add_pri(offset, self.properties().page_requests.get(), response_pasid);
        }
        // A function of a multifunction device that lacks it might reach another one around the IOMMU: such
        // functions get no PASIDs from Linux.
        if pci.is_multifunction() {
            pci.add_acs(end)?;
        }
        let _ = self.capabilities.set(capabilities);
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.get().copied().unwrap_or_default()
    }

    /// Takes the model out of its place, lets `f` work on it, and puts it back. `None` when it is not
    /// there: the device is not realized, or at work further up the stack.
    fn with_model<R>(&self, f: impl FnOnce(&mut Device, &mut PciPort<'_>) -> R) -> Option<R> {
        let mut model = lock(&self.model).take()?;
        // An access may reach the register that unplugs this very device.
        let _alive = ObjectRef::new(self.parent());
        let mut port = PciPort::new(self);
        port.empty_inbox(&mut model);
        let result = f(&mut model, &mut port);
        if self.is_gone() {
            return Some(result);
        }
        if self.reset_due.swap(false, Ordering::Relaxed) {
            model.reset(&mut port);
            lock(&self.inbox).clear();
        }
        port.empty_inbox(&mut model);
        let pri_status = port.pri_status();
        model.count_unanswered(port.unanswered());
        if model.is_interrupt_due() {
            self.kick();
        }
        self.update_pri_status(pri_status, model.page_groups_outstanding());
        *lock(&self.model) = Some(model);
        Some(result)
    }

    /// An access of the device's own may have unplugged it: configuration space, bus and address space are no more.
    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Something came from another device: now, or as soon as the model is back.
    fn deliver(&self, event: Event) {
        let mut inbox = lock(&self.inbox);
        // There are no more answers than requests that wait, and none may be lost.
        if inbox.len() < MAX_INBOX || matches!(event, Event::Resolved { .. }) {
            inbox.push_back(event);
        } else {
            // An invalidation that cannot be told of one by one takes everything, and is never completed.
            if let Event::Invalidation { .. } = event {
                self.inbox_overflowed.store(true, Ordering::Relaxed);
            }
            log::debug!(target: GUEST_ERRORS, "{}: too many messages at once", self.device().name());
        }
        drop(inbox);
        self.with_model(|_, _| ());
        self.kick();
    }

    fn kick(&self) {
        if let Some(work) = self.work.get() {
            work.schedule();
        }
    }

    /// The bottom half.
    fn run(&self) {
        if !main_loop::is_running() {
            return;
        }
        // It may be unplugged by what it does here.
        let _alive = ObjectRef::new(self.parent());
        let done = self.with_model(|model, port| {
            let tick = model.tick(port);
            (tick, model.take_interrupt())
        });
        let Some((tick, interrupt)) = done else { return };
        if self.is_gone() {
            return;
        }
        if lock(&self.clients).len() > MANY_CLIENTS {
            self.forget_idle_clients();
        }
        if interrupt {
            self.parent().msix_notify(0);
        }
        let next = if tick.more { Some(main_loop::now().saturating_add(PAUSE_NS)) } else { tick.at };
        if let Some(next) = next
            && !self.is_gone()
            && let Some(pause) = self.pause.get()
        {
            pause.arm(next);
        }
    }

    /// Sets bits of the Page Request Status register, and Stopped as it is.
    fn update_pri_status(&self, set: u16, outstanding: u32) {
        let Some(cap) = self.capabilities().pri else { return };
        let pci = self.parent();
        let mut status = (pci.config_u16(cap + PRI_STATUS) | set) & !PRI_STATUS_STOPPED;
        if !pci.is_pri_enabled() && outstanding == 0 {
            status |= PRI_STATUS_STOPPED;
        }
        pci.set_config(cap + PRI_STATUS, status.to_le_bytes());
    }

    /// Makes the IOMMU tell of invalidations and page responses of a PASID.
    fn add_client(&self, pasid: Option<u32>) -> bool {
        if lock(&self.clients).contains_key(&pasid) {
            return true;
        }
        let Some(client) = AtsListener::register(self, pasid) else { return false };
        lock(&self.clients).insert(pasid, client);
        true
    }

    /// Takes back the listeners of PASIDs without a page request that is out or a translation that is cached.
    fn forget_idle_clients(&self) {
        let needed: Option<BTreeSet<Option<u32>>> = lock(&self.model)
            .as_ref()
            .map(|model| model.page_requesters().chain(model.cached_spaces()).collect());
        let Some(needed) = needed else { return };
        let (kept, idle) = std::mem::take(&mut *lock(&self.clients))
            .into_iter()
            .partition(|(pasid, _)| needed.contains(pasid));
        *lock(&self.clients) = kept;
        let idle: BTreeMap<_, _> = idle;
        drop(idle);
    }

    /// Takes back what [`Self::add_client`] did, and forgets the translations that depend on it.
    fn forget_clients(&self) {
        drop(std::mem::take(&mut *lock(&self.clients)));
        if let Some(model) = lock(&self.model).as_mut() {
            model.forget_translations();
        }
    }
}

/// The registers' BAR.
enum Registers {}

impl RegionOps for Registers {
    type Device = TestDev;

    fn read(device: &Qom<TestDev>, offset: u64, size: u32) -> u64 {
        lock(&device.model).as_ref().map_or(0, |model| model.read(offset, size))
    }

    fn write(device: &Qom<TestDev>, offset: u64, value: u64, size: u32) {
        let Some(written) = device.with_model(|model, port| model.write(offset, value, size, port)) else {
            return;
        };
        if let Some(mistake) = written.mistake {
            log::debug!(target: GUEST_ERRORS, "{}: offset {offset:#x}: {mistake}", device.device().name());
        }
        if written.kick {
            device.kick();
        }
    }
}

impl Reset for TestDev {
    fn hold(this: &Qom<Self>, _kind: ResetKind) {
        let at_work = this.with_model(|model, port| model.reset(port)).is_none();
        this.reset_due.store(at_work, Ordering::Relaxed);
        lock(&this.inbox).clear();
        // While the PASIDs are still enabled: others do not get unregistered.
        this.forget_clients();
        let can_wait = this.parent().iommu_services().waits;
        if let Some(model) = lock(&this.model).as_mut() {
            model.set_can_wait(can_wait);
        }
        this.parent().reset_ats_pasid_pri();
    }
}

impl ConfigWrite for TestDev {
    fn config_written(this: &Qom<Self>, offset: u32, value: u32, len: u32) {
        let pci = this.parent();
        pci.handle_function_level_reset(offset, value, len);
        let touches = |cap: Option<u16>, register: u16| {
            cap.is_some_and(|cap| {
                let start = u32::from(cap + register);
                offset < start + 2 && start < offset.saturating_add(len)
            })
        };
        let Capabilities { ats, pasid, pri } = this.capabilities();
        if touches(ats, ATS_CTRL) && !pci.is_ats_enabled() || touches(pasid, PASID_CTRL) {
            this.with_model(|model, _| model.forget_translations());
        }
        if let Some(cap) = pri
            && touches(pri, PRI_CTRL)
        {
            let control = pci.config_u16(cap + PRI_CTRL);
            pci.set_config(cap + PRI_CTRL, (control & !PRI_CTRL_RESET).to_le_bytes());
            // Only a function that may not send page requests resets what it knows of them.
            if control & PRI_CTRL_RESET != 0 && !pci.is_pri_enabled() {
                this.with_model(|model, port| model.page_requests_lost(port));
            }
        }
        // Bus mastering, and all of the above, may let engines go on; Stopped follows as well.
        this.with_model(|_, _| ());
        this.kick();
    }
}

impl DmaClient for TestDev {
    fn resolved(this: &Qom<Self>, tag: u64, retry: bool) {
        // The model may be at work: an access of its own can reach a device that lets the main loop run.
        this.deliver(Event::Resolved { tag, retry });
    }

    fn ats_invalidate(this: &Qom<Self>, itag: u32, pasids: Pasids, addr: u64, mask: u64) {
        let (pasid, all_pasids) = match pasids {
            Pasids::One(pasid) => (pasid, false),
            Pasids::Any => (None, true),
        };
        let invalidation = Invalidation { pasid, all_pasids, addr, mask };
        this.deliver(Event::Invalidation { invalidation, itag: Some(itag) });
    }
}

impl AtsClient for TestDev {
    fn page_response(this: &Qom<Self>, pasid: Option<u32>, group: u16, response: crate::qemu::PageResponse) {
        let response = match response {
            crate::qemu::PageResponse::Success => PageResponse::Success,
            crate::qemu::PageResponse::InvalidRequest => PageResponse::Invalid,
            crate::qemu::PageResponse::Failure => PageResponse::Failure,
        };
        this.deliver(Event::Response { group, pasid, response });
    }

    fn translations_gone(this: &Qom<Self>, pasid: Option<u32>, addr: u64, mask: u64) {
        let invalidation = Invalidation { pasid, all_pasids: false, addr, mask };
        this.deliver(Event::Invalidation { invalidation, itag: None });
    }
}

impl Migrate for TestDev {
    const VERSION: u32 = 3;
    const MSIX: bool = true;

    fn save(this: &Qom<Self>) -> Result<Vec<u8>> {
        this.with_model(|model, _| model.save())
            .ok_or_else(|| Error::new("sva-testdev cannot be saved while it is at work: try again"))
    }

    fn load(this: &Qom<Self>, state: &[u8]) -> Result<()> {
        let loaded = this.with_model(|model, _| {
            model.load(state)?;
            let waiting: Vec<_> = model.waiting().collect();
            let requesters: Vec<_> = model.page_requesters().collect();
            let cached: Vec<_> = model.cached_spaces().collect();
            Ok::<_, Error>((waiting, requesters, cached))
        });
        let (waiting, requesters, cached) =
            loaded.unwrap_or_else(|| Err(Error::new("sva-testdev cannot be loaded while it is at work")))?;
        for pasid in requesters {
            if !this.add_client(pasid) {
                return Err(Error::new(
                    "sva-testdev waits for page responses, and the IOMMU here sends none: use the same IOMMU",
                ));
            }
        }
        if !cached.into_iter().all(|pasid| this.add_client(pasid)) {
            // Nobody would take them back.
            this.with_model(|model, _| model.forget_translations());
        }
        this.parent().dma_restore(&waiting)
    }
}
