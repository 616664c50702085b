// SPDX-License-Identifier: GPL-2.0-or-later
//! The QOM type `sva-testdev`: the model on QEMU's PCI API.
//!
//! Registers are handled where they are accessed; all else happens in a bottom half while the machine
//! runs. The model is taken out of its place while it is at work, so that no lock is held when its
//! accesses reach other devices: what these tell it meanwhile waits in an inbox.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::zeroed;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use qemu_sys as sys;

use super::pri::GROUPS;
use super::registers::{BAR_SIZE, MAX_ENGINES};
use super::{
    AtsTranslation, Config, Device, Invalidation, PAGE_SIZE, PageResponse, Port, PortError, Request, Width,
};
use crate::iommu::Access;
use crate::qemu::log::GUEST_ERRORS;
use crate::qemu::{
    Bar, BottomHalf, ClassInit, ConfigWrite, DeviceImpl, DmaClient, DmaError, Error, Migrate, Object,
    ObjectLike, ObjectRef, OwnedRegion, PCIE_DEVICE, Pasids, PciDevice, PciDmaRequest, PciIds, Qom, RcuGuard,
    RegionOps, Reset, ResetKind, Result, RunStateWatch, Timer, main_loop, properties, qom,
};

const VENDOR: u16 = 0x1234;
const DEVICE: u16 = 0x53a0;
const REVISION: u8 = 0x01;
const CLASS: u16 = 0x1200;

/// `PCI_AT_TRANSLATED` of QEMU's `hw/pci/pci.h`: the AT field of a translated request.
const ADDRESS_TRANSLATED: u32 = 1;
/// Between two ticks, so that vCPUs that wait for the BQL get it.
const PAUSE_NS: u64 = 10_000;
/// PASIDs with notifiers from which on they are registered anew, when no page request is out.
const MANY_CLIENTS: usize = 64;
/// PASIDs with notifiers at most.
const MAX_CLIENTS: usize = 4096;
/// What waits for the model at most; more responses than groups are mistakes.
const MAX_INBOX: usize = 4096;

/// Register offsets in the capabilities (`PCIe §7.8`, `PCIe §10.5`).
const ATS_CTRL: u16 = 6;
const PASID_CTRL: u16 = 6;
const PRI_CTRL: u16 = 4;
const PRI_STATUS: u16 = 6;
const PRI_ALLOC: u16 = 12;
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
    Response { group: u16, response: PageResponse },
    Invalidation { invalidation: Invalidation, itag: Option<u32> },
}

/// The state of an `sva-testdev`.
pub struct TestDev {
    /// Empty before `realize`, after `unrealize`, and while the model is at work.
    model: Mutex<Option<Device>>,
    /// After `unrealize`: QEMU has freed parts of the device, though the object may live a while.
    gone: AtomicBool,
    /// A reset came while the model was at work, as the effect of its own accesses.
    reset_due: AtomicBool,
    capabilities: OnceLock<Capabilities>,
    inbox: Mutex<VecDeque<Event>>,
    clients: Mutex<BTreeMap<Option<u32>, Client>>,
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
            reset_due: AtomicBool::new(false),
            capabilities: OnceLock::new(),
            inbox: Mutex::default(),
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
        model.set_can_wait(this.iommu().is_some_and(|iommu| iommu.can_wait()));
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
        let vendor = properties.vendor.get();
        if matches!(vendor, 0 | 0xffff) {
            return Err(out_of_range("x-pci-vendor-id", format!("{vendor:#06x}"), "0x0001 to 0xfffe"));
        }
        let (ats, pri) = (properties.ats.get(), properties.pri.get());
        if pri && !ats {
            return Err(Error::new("pri=on needs ats=on: set ats=on, or pri=off as well"));
        }
        // SAFETY: a device that is being plugged sits on a PCI bus.
        let express = self.parent().bus().is_some_and(|bus| unsafe {
            (*bus.as_ptr()).flags.0 & sys::PCIBusFlags_PCI_BUS_EXTENDED_CONFIG_SPACE.0 != 0
        });
        if !express {
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
            pci.add_ats(offset, true);
        }
        if let Some(offset) = capabilities.pasid {
            pci.add_pasid(offset, config.pasid_bits, config.exec, config.privileged);
        }
        if let Some(offset) = capabilities.pri {
            pci.add_pri(offset, self.properties().page_requests.get(), config.pasid_bits != 0);
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
        let mut port = PciPort { device: self, letting_go: None, pri_status: 0 };
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
        let pri_status = port.pri_status;
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
            (tick.more, model.take_interrupt(), model.page_groups_outstanding())
        });
        let Some((more, interrupt, outstanding)) = done else { return };
        if self.is_gone() {
            return;
        }
        if outstanding == 0 && lock(&self.clients).len() > MANY_CLIENTS {
            self.forget_clients();
        }
        if interrupt {
            self.parent().msix_notify(0);
        }
        if more
            && !self.is_gone()
            && let Some(pause) = self.pause.get()
        {
            pause.arm(main_loop::now().saturating_add(PAUSE_NS));
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
        let clients = lock(&self.clients);
        if clients.contains_key(&pasid) {
            return true;
        }
        if clients.len() >= MAX_CLIENTS {
            return false;
        }
        drop(clients);
        let Some(client) = Client::register(self, pasid) else { return false };
        lock(&self.clients).insert(pasid, client);
        true
    }

    /// Takes back what [`Self::add_client`] did, and forgets the translations that depend on it.
    fn forget_clients(&self) {
        drop(std::mem::take(&mut *lock(&self.clients)));
        if let Some(model) = lock(&self.model).as_mut() {
            model.forget_translations();
        }
    }

    /// The IOMMU in front.
    fn iommu(&self) -> Option<Iommu> {
        let (mut iommu_bus, mut bus, mut devfn) = (ptr::null_mut(), ptr::null_mut(), 0);
        // SAFETY: a live device on a bus, and places for the results.
        unsafe {
            sys::pci_device_get_iommu_bus_devfn(self.parent().as_ptr(), &mut iommu_bus, &mut bus, &mut devfn);
            iommu_bus.as_ref()?.iommu_ops.as_ref().map(|ops| Iommu(*ops))
        }
    }
}

/// What the IOMMU in front can do.
struct Iommu(sys::PCIIOMMUOps);

impl Iommu {
    /// It translates requests with PASIDs and lets them wait.
    fn can_wait(&self) -> bool {
        self.0.dma_translate.is_some() && self.0.dma_cancel.is_some()
    }

    /// It answers translation requests, and a notifier for invalidations may be registered. QEMU's own
    /// model ends QEMU on a notifier if it was not set up for device TLBs.
    fn has_ats(&self) -> bool {
        if self.0.ats_request_translation.is_none() {
            return false;
        }
        if self.0.dma_translate.is_some() {
            return true;
        }
        // SAFETY: returns null or an object that exists as long as the machine.
        let x86 = unsafe { object_resolve_path_type(c"".as_ptr(), c"x86-iommu".as_ptr(), ptr::null_mut()) };
        // SAFETY: a live object, checked.
        x86.is_null() || unsafe { Object::from_ptr(x86) }.property_bool(c"device-iotlb").unwrap_or(false)
    }

    /// It bears privileged translation requests; QEMU's own model aborts on them.
    fn has_privileged_ats(&self) -> bool {
        self.0.dma_translate.is_some()
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
        let can_wait = this.iommu().is_some_and(|iommu| iommu.can_wait());
        if let Some(model) = lock(&this.model).as_mut() {
            model.set_can_wait(can_wait);
        }
        let pci = this.parent();
        let Capabilities { ats, pasid, pri } = this.capabilities();
        if let Some(cap) = ats {
            pci.set_config(cap + ATS_CTRL, [0; 2]);
        }
        if let Some(cap) = pasid {
            pci.set_config(cap + PASID_CTRL, [0; 2]);
        }
        if let Some(cap) = pri {
            let status = pci.config_u16(cap + PRI_STATUS) & !(PRI_STATUS_FAILURE | PRI_STATUS_UNEXPECTED);
            pci.set_config(cap + PRI_CTRL, [0; 2]);
            pci.set_config(cap + PRI_ALLOC, [0; 4]);
            pci.set_config(cap + PRI_STATUS, (status | PRI_STATUS_STOPPED).to_le_bytes());
        }
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

    fn ats_invalidate(this: &Qom<Self>, itag: u32, pasid: Option<u32>, addr: u64, mask: u64) {
        let invalidation = Invalidation { pasid, addr, mask };
        this.deliver(Event::Invalidation { invalidation, itag: Some(itag) });
    }
}

impl Migrate for TestDev {
    const VERSION: u32 = 1;
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
            Ok::<_, Error>((waiting, requesters))
        });
        let (waiting, requesters) =
            loaded.unwrap_or_else(|| Err(Error::new("sva-testdev cannot be loaded while it is at work")))?;
        for pasid in requesters {
            if !this.add_client(pasid) {
                return Err(Error::new(
                    "sva-testdev waits for page responses, and the IOMMU here sends none: use the same IOMMU",
                ));
            }
        }
        this.parent().dma_restore(&waiting)
    }
}

/// The PCI function as the engines' port.
struct PciPort<'a> {
    device: &'a Qom<TestDev>,
    /// The invalidation that is complete when the access in hand is.
    letting_go: Option<u32>,
    /// Bits of the Page Request Status register to be set.
    pri_status: u16,
}

fn raw_pasid(pasid: Option<u32>) -> u32 {
    pasid.unwrap_or(sys::PCI_NO_PASID)
}

impl PciPort<'_> {
    fn pci(&self) -> &PciDevice {
        self.device.parent()
    }

    /// Tells the model what others had to say; in order.
    fn empty_inbox(&mut self, model: &mut Device) {
        loop {
            let event = lock(&self.device.inbox).pop_front();
            match event {
                None => break,
                Some(Event::Resolved { tag, retry }) => {
                    let _ = model.resolved(tag, retry, self);
                }
                Some(Event::Invalidation { invalidation, itag }) => {
                    self.let_go();
                    model.invalidate(&invalidation);
                    self.letting_go = itag;
                }
                Some(Event::Response { group, response }) => {
                    if !model.page_response(group, response, self) {
                        self.pri_status |= PRI_STATUS_UNEXPECTED;
                    }
                    if response == PageResponse::Failure {
                        // The function is to expect no more of them (PCIe §10.4.2.2).
                        self.pri_status |= PRI_STATUS_FAILURE;
                        model.page_requests_lost(self);
                    }
                }
            }
        }
        self.let_go();
    }

    fn let_go(&mut self) {
        if let Some(itag) = self.letting_go.take()
            && !self.device.is_gone()
        {
            self.pci().ats_invalidation_done(itag);
        }
    }

    /// What the PCI core is asked; nothing once the device has left.
    fn request(&self, request: &Request) -> Result<PciDmaRequest, PortError> {
        self.check_plugged()?;
        let Access { read, write, exec, privileged } = request.access;
        let tag = (request.tag != 0).then_some(request.tag);
        Ok(PciDmaRequest { pasid: request.pasid, read, write, exec, privileged, addr: request.addr, tag })
    }

    fn check_plugged(&self) -> Result<(), PortError> {
        if self.device.is_gone() { Err(PortError::BusMasterOff) } else { Ok(()) }
    }

    fn error(&self, error: DmaError) -> PortError {
        match error {
            DmaError::Waiting => PortError::InProgress,
            DmaError::Aborted | DmaError::Invalid => PortError::Refused,
            DmaError::NoMemory => PortError::Memory,
            DmaError::NotEnabled => self.not_enabled(),
            DmaError::Unsupported => PortError::Unsupported,
        }
    }

    fn not_enabled(&self) -> PortError {
        if !self.device.is_gone() && self.pci().is_bus_master() {
            PortError::PasidDisabled
        } else {
            PortError::BusMasterOff
        }
    }

    fn translated_attributes(&self) -> sys::MemTxAttrs {
        let mut attrs = sys::MemTxAttrs::default();
        attrs.set_requester_id(u32::from(self.pci().requester_id()));
        attrs.set_address_type(ADDRESS_TRANSLATED);
        attrs
    }

    fn bus_master(&self) -> Result<*mut sys::AddressSpace, PortError> {
        self.check_plugged()?;
        if self.pci().is_bus_master() {
            Ok(self.pci().bus_master_space().as_ptr())
        } else {
            Err(PortError::BusMasterOff)
        }
    }

    /// # Safety
    /// `buf` is valid for `len` bytes, to be written if the access reads memory.
    unsafe fn translated(
        &mut self,
        addr: u64,
        buf: *mut c_void,
        len: usize,
        write: bool,
    ) -> Result<(), PortError> {
        let space = self.bus_master()?;
        fence(Ordering::SeqCst);
        // SAFETY: an address space of a live device; the buffer is the caller's promise.
        let result = unsafe {
            sys::address_space_rw(space, addr, self.translated_attributes(), buf, len as u64, write)
        };
        if result == sys::MEMTX_OK { Ok(()) } else { Err(PortError::Memory) }
    }
}

impl Port for PciPort<'_> {
    fn read(&mut self, request: &Request, buf: &mut [u8]) -> Result<(), PortError> {
        let (_, result) = self.pci().dma_read(&self.request(request)?, buf);
        result.map_err(|error| self.error(error))
    }

    fn write(&mut self, request: &Request, buf: &[u8]) -> Result<(), PortError> {
        let (_, result) = self.pci().dma_write(&self.request(request)?, buf);
        result.map_err(|error| self.error(error))
    }

    fn compare_exchange(
        &mut self,
        request: &Request,
        width: Width,
        expected: u64,
        desired: u64,
    ) -> Result<u64, PortError> {
        let result =
            self.pci().dma_compare_exchange(&self.request(request)?, width.bytes(), expected, desired);
        result.map_err(|error| self.error(error))
    }

    fn cancel(&mut self, pasid: Option<u32>, tag: u64) {
        if !self.device.is_gone() {
            self.pci().dma_cancel(Pasids::One(pasid), Some(tag));
        }
    }

    fn take_invalidation(&mut self) -> Option<Invalidation> {
        self.let_go();
        let mut inbox = lock(&self.device.inbox);
        let at = inbox.iter().position(|event| matches!(event, Event::Invalidation { .. }))?;
        let Some(Event::Invalidation { invalidation, itag }) = inbox.remove(at) else { return None };
        self.letting_go = itag;
        Some(invalidation)
    }

    fn translate(&mut self, request: &Request) -> Result<Option<AtsTranslation>, PortError> {
        self.check_plugged()?;
        let Request { pasid, addr, access, .. } = *request;
        let pci = self.pci();
        if !pci.is_bus_master() || pasid.is_some() && !pci.is_pasid_enabled() {
            return Err(self.not_enabled());
        }
        let iommu = self.device.iommu().filter(Iommu::has_ats).ok_or(PortError::Unsupported)?;
        if !pci.is_ats_enabled()
            || access.privileged && !iommu.has_privileged_ats()
            || !self.device.add_client(pasid)
        {
            return Err(PortError::Unsupported);
        }
        // SAFETY: zeros are an answer that allows nothing.
        let mut entry: sys::IOMMUTLBEntry = unsafe { zeroed() };
        let mut errors = 0;
        let input = addr & !(PAGE_SIZE - 1);
        // SAFETY: a live device, room for one answer, and a place for the number of errors.
        let answers = unsafe {
            sys::pci_ats_request_translation(
                pci.as_ptr(),
                raw_pasid(pasid),
                access.privileged,
                access.exec,
                input,
                PAGE_SIZE as usize,
                !access.write,
                &mut entry,
                1,
                &mut errors,
            )
        };
        match answers {
            1 => {}
            n if n == -(libc::EPERM as isize) => return Err(PortError::PasidDisabled),
            n if n == -(libc::ENODEV as isize) => return Err(PortError::Unsupported),
            _ => return Ok(None),
        }
        let allows = |flag: sys::IOMMUAccessFlags| entry.perm.0 & flag.0 != 0;
        if allows(sys::IOMMUAccessFlags::IOMMU_UNTRANSLATED_ONLY) {
            return Err(PortError::Unsupported);
        }
        let (read, write, exec) = (
            allows(sys::IOMMUAccessFlags::IOMMU_RO),
            allows(sys::IOMMUAccessFlags::IOMMU_WO),
            allows(sys::IOMMUAccessFlags::IOMMU_EXEC),
        );
        let mask = entry.addr_mask | (PAGE_SIZE - 1);
        let usable = (read || write || exec) && mask & mask.wrapping_add(1) == 0;
        let output = entry.translated_addr;
        Ok(usable.then_some(AtsTranslation { input, output, mask, read, write, exec }))
    }

    fn read_translated(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), PortError> {
        // SAFETY: a buffer that may be written.
        unsafe { self.translated(addr, buf.as_mut_ptr().cast(), buf.len(), false) }
    }

    fn write_translated(&mut self, addr: u64, buf: &[u8]) -> Result<(), PortError> {
        // SAFETY: a write only reads the buffer.
        unsafe { self.translated(addr, buf.as_ptr().cast_mut().cast(), buf.len(), true) }
    }

    fn compare_exchange_translated(
        &mut self,
        addr: u64,
        width: Width,
        expected: u64,
        desired: u64,
    ) -> Result<u64, PortError> {
        let space = self.bus_master()?;
        let size = u64::from(width.bytes());
        let mut len = size;
        let _rcu = RcuGuard::new();
        fence(Ordering::SeqCst);
        // SAFETY: an address space of a live device, a place for the length.
        let host =
            unsafe { sys::address_space_map(space, addr, &mut len, true, self.translated_attributes()) };
        if host.is_null() {
            return Err(PortError::Memory);
        }
        let mut offset = 0;
        // SAFETY: an address that may be in guest RAM or not.
        let is_ram = !unsafe { sys::memory_region_from_host(host, &mut offset) }.is_null();
        let aligned = host.addr() as u64 & (size - 1) == 0;
        let found = (is_ram && aligned && len >= size).then(|| match width {
            // SAFETY: guest RAM, mapped for that many bytes, aligned; shared with vCPUs, so atomics only.
            Width::Four => u64::from(u32::from_le(compare_exchange_u32(
                unsafe { AtomicU32::from_ptr(host.cast()) },
                (expected as u32).to_le(),
                (desired as u32).to_le(),
            ))),
            Width::Eight => u64::from_le(
                // SAFETY: as above.
                match unsafe { AtomicU64::from_ptr(host.cast()) }.compare_exchange(
                    expected.to_le(),
                    desired.to_le(),
                    Ordering::SeqCst,
                    Ordering::SeqCst,
                ) {
                    Ok(found) | Err(found) => found,
                },
            ),
        });
        let touched = if found.is_some() { size } else { 0 };
        // SAFETY: what `address_space_map` gave.
        unsafe { sys::address_space_unmap(space, host, len, true, touched) };
        found.ok_or(PortError::Memory)
    }

    fn page_request_allowance(&self) -> u32 {
        if self.device.is_gone() {
            return 0;
        }
        let Some(cap) = self.device.capabilities().pri else { return 0 };
        let pci = self.pci();
        let status = pci.config_u16(cap + PRI_STATUS) | self.pri_status;
        if !pci.is_pri_enabled() || status & PRI_STATUS_FAILURE != 0 {
            return 0;
        }
        pci.config_u32(cap + PRI_ALLOC).min(self.device.properties().page_requests.get())
    }

    fn page_request(&mut self, request: &Request, group: u16) -> Result<(), PortError> {
        self.check_plugged()?;
        let Request { pasid, addr, access, .. } = *request;
        if !self.device.add_client(pasid) {
            return Err(PortError::Unsupported);
        }
        // SAFETY: a live device.
        let result = unsafe {
            sys::pci_pri_request_page(
                self.pci().as_ptr(),
                raw_pasid(pasid),
                access.privileged,
                access.exec,
                addr & !(PAGE_SIZE - 1),
                true,
                group,
                access.read,
                access.write,
            )
        };
        match result {
            0 => Ok(()),
            n if n == -libc::ENODEV => Err(PortError::Unsupported),
            _ => Err(PortError::Refused),
        }
    }
}

fn compare_exchange_u32(word: &AtomicU32, expected: u32, desired: u32) -> u32 {
    match word.compare_exchange(expected, desired, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(found) | Err(found) => found,
    }
}

/// What is registered with the IOMMU for one PASID. QEMU keeps pointers to it.
#[repr(C)]
struct Notifiers {
    // First, so that its address is that of the structure.
    pages: sys::IOMMUPRINotifier,
    invalidations: sys::IOMMUNotifier,
    device: *const Qom<TestDev>,
    pasid: Option<u32>,
}

/// Registered [`Notifiers`]; dropping it unregisters them, which needs the BQL.
struct Client(NonNull<Notifiers>);

// SAFETY: made, used and dropped under the BQL.
unsafe impl Send for Client {}

impl Client {
    fn register(device: &Qom<TestDev>, pasid: Option<u32>) -> Option<Self> {
        let iommu = device.iommu()?;
        // SAFETY: zeros are what absent functions and an unlinked list node are in C.
        let mut invalidations: sys::IOMMUNotifier = unsafe { zeroed() };
        invalidations.notify = Some(invalidated);
        invalidations.notifier_flags = sys::IOMMUNotifierFlag::IOMMU_NOTIFIER_DEVIOTLB_UNMAP;
        invalidations.end = u64::MAX;
        let pages = sys::IOMMUPRINotifier { notify: Some(page_response) };
        let notifiers = Notifiers { pages, invalidations, device: ptr::from_ref(device), pasid };
        let client = Self(NonNull::from(Box::leak(Box::new(notifiers))));
        let raw = client.0.as_ptr();
        let pci = device.parent().as_ptr();
        let pasid = raw_pasid(pasid);
        // SAFETY: a live device; notifiers that stay in place until they are unregistered.
        unsafe {
            (*raw).invalidations.opaque = raw.cast();
            // An IOMMU that has neither tells by other means, or has nothing to tell.
            if iommu.0.register_iotlb_notifier.is_some() {
                pci_iommu_register_iotlb_notifier(pci, pasid, &raw mut (*raw).invalidations);
            }
            if iommu.0.pri_register_notifier.is_some() {
                sys::pci_pri_register_notifier(pci, pasid, raw.cast());
            }
        }
        Some(client)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let raw = self.0.as_ptr();
        // SAFETY: `register` made it from a device that is still there.
        let (device, pasid) = unsafe { (&*(*raw).device, (*raw).pasid) };
        let pci = device.parent();
        let control =
            device.capabilities().pasid.map(|cap| (cap + PASID_CTRL, pci.config::<2>(cap + PASID_CTRL)));
        // QEMU unregisters only for PASIDs that are enabled, and software may have disabled them meanwhile.
        if let Some((offset, [low, high])) = control {
            pci.set_config(offset, [low | 1, high]);
        }
        // SAFETY: a live device and what was registered. Without a registration both do nothing.
        unsafe {
            if device.iommu().is_some_and(|iommu| iommu.0.unregister_iotlb_notifier.is_some()) {
                pci_iommu_unregister_iotlb_notifier(
                    pci.as_ptr(),
                    raw_pasid(pasid),
                    &raw mut (*raw).invalidations,
                );
            }
            sys::pci_pri_unregister_notifier(pci.as_ptr(), raw_pasid(pasid));
        }
        if let Some((offset, value)) = control {
            pci.set_config(offset, value);
        }
        // SAFETY: nobody has the address any more.
        drop(unsafe { Box::from_raw(raw) });
    }
}

unsafe extern "C" fn invalidated(notifier: *mut sys::IOMMUNotifier, entry: *mut sys::IOMMUTLBEntry) {
    // SAFETY: the context that `register` stored, and QEMU's entry.
    let (notifiers, entry) = unsafe { (&*(*notifier).opaque.cast::<Notifiers>(), &*entry) };
    let invalidation = Invalidation { pasid: notifiers.pasid, addr: entry.iova, mask: entry.addr_mask };
    // SAFETY: the device outlives its notifiers.
    unsafe { &*notifiers.device }.deliver(Event::Invalidation { invalidation, itag: None });
}

unsafe extern "C" fn page_response(
    notifier: *mut sys::IOMMUPRINotifier,
    response: *mut sys::IOMMUPRIResponse,
) {
    // SAFETY: the first member of what `register` made, and QEMU's response.
    let (notifiers, raw) = unsafe { (&*notifier.cast::<Notifiers>(), &*response) };
    let response = match raw.response_code {
        sys::IOMMUPRIResponseCode_IOMMU_PRI_RESP_SUCCESS => PageResponse::Success,
        sys::IOMMUPRIResponseCode_IOMMU_PRI_RESP_INVALID_REQUEST => PageResponse::Invalid,
        _ => PageResponse::Failure,
    };
    // SAFETY: the device outlives its notifiers.
    unsafe { &*notifiers.device }.deliver(Event::Response { group: raw.prgi, response });
}

// Not among the bindings yet.
unsafe extern "C" {
    fn object_resolve_path_type(
        path: *const c_char,
        type_name: *const c_char,
        ambiguous: *mut bool,
    ) -> *mut sys::Object;
    fn pci_iommu_register_iotlb_notifier(
        dev: *mut sys::PCIDevice,
        pasid: u32,
        notifier: *mut sys::IOMMUNotifier,
    ) -> c_int;
    fn pci_iommu_unregister_iotlb_notifier(
        dev: *mut sys::PCIDevice,
        pasid: u32,
        notifier: *mut sys::IOMMUNotifier,
    ) -> c_int;
}
