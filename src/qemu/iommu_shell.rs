// SPDX-License-Identifier: GPL-2.0-or-later
//! The device shell around an IOMMU model: what is the same for every one of them. It copies in, calls the model, and
//! carries out the effects that the model returned; it runs what was put off, comes to rest with the machine, and travels.
//! The PCI side is in [`function`].

mod assigned;
pub mod function;
mod kept;

use core::ffi::CStr;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};

use self::assigned::AssignedDevices;
use self::function::{BusAddress, Listeners, Notice, Ports};
use super::device::{Reset, ResetKind};
use super::error::{Error, Result};
use super::guest_memory::GuestRam;
use super::host_iommu::Wishes;
use super::iommu_region::TlbEntry;
use super::main_loop::{self, BottomHalf, RunStateWatch, Timer};
use super::memory::{AddressSpace, MemoryRegion, OwnedRegion, RegionOps};
use super::pci::PciBus;
use super::pci_iommu::{DmaTranslation, PciDmaRequest, Requester};
use super::qom::{DeviceImpl, Qom};
use super::request;
use super::vmstate::Migrate;
use crate::iommu::deadlines::Deadlines;
use crate::iommu::model::lock;
use crate::iommu::outside::{Outside, largest_within};
use crate::iommu::turn::Turn;
use crate::iommu::{DmaRequest, Effect, Effects, Model, Outcome, StreamId, SubstreamId, Translation, undone};

/// Rounds after which a machine that stops takes the rest along in its state: more than a full command queue takes.
const FLUSHES: u32 = 256;
/// Largest page that is reported where input and output are the same.
const BYPASS_MASK: u64 = (1 << 30) - 1;
/// The smallest answer to those who keep answers.
const PAGE_MASK: u64 = 0xfff;
/// So many answers that caches outside keep are looked at in one register write, whatever a guest has written: two functions'
/// as many as vhost keeps. Beyond that caches are told to forget everything, which costs nothing to find out.
const QUESTIONS_AT_ONCE: usize = 4096;
/// The epoch of accesses that were not translated.
const NO_EPOCH: u64 = u64::MAX;

/// An IOMMU as a QOM device: what sets one apart from others.
pub trait IommuDevice: DeviceImpl {
    /// Registers, queues, translation.
    type Model: Model + 'static;

    /// What messages call it.
    const NAME: &'static str;
    /// What its memory regions are called.
    const REGION_NAME: &'static str;
    /// Name of the QOM type of its translating regions.
    const REGION_TYPE_NAME: &'static CStr;
    /// Whether endpoints may ask for translations and pages.
    const ATS: bool;

    /// What the shell keeps.
    fn shell(&self) -> &Shell<Self::Model>;

    /// The root bus of the functions that it translates for, once it is known.
    fn root_bus(this: &Qom<Self>) -> Option<&PciBus>;

    /// Carries out an effect that is not for an endpoint. Under the BQL, with no lock held.
    fn carry_out(this: &Qom<Self>, core: &Core<Self::Model>, effect: Effect);

    /// Milliseconds in which endpoints have to say that they have forgotten what they were asked to; 0: any time.
    fn invalidation_timeout(_this: &Qom<Self>) -> u32 {
        0
    }

    /// The smallest page, in bytes.
    fn min_page_size(_model: &Self::Model) -> u64 {
        0x1000
    }

    /// What a function's requests without PASID reach, by way of its translating region. Once for each function.
    fn function_space(
        _this: &Qom<Self>,
        _source: BusAddress,
        region: &'static MemoryRegion,
        name: &str,
    ) -> &'static AddressSpace {
        AddressSpace::leak(region, name)
    }

    /// Whether a host's IOMMU translates for assigned devices.
    fn nests(_this: &Qom<Self>) -> bool {
        false
    }

    /// Whether it may do so now.
    ///
    /// # Errors
    /// A property says otherwise.
    fn may_assign(_this: &Qom<Self>) -> Result<()> {
        Ok(())
    }

    /// What VFIO is to prepare for that.
    fn wishes(_this: &Qom<Self>) -> Wishes {
        Wishes::default()
    }

    /// Whether assigned devices share what they reach, and so the host's stage 2.
    const ONE_STAGE_2: bool = false;

    /// Whether message-signalled interrupts of assigned devices go to [`doorbell`](Self::doorbell), whatever the guest maps
    /// it by.
    const HAS_DOORBELL: bool = false;

    /// That address.
    fn doorbell(_this: &Qom<Self>) -> u64 {
        0
    }

    /// A request that is not for translation, with what it reaches.
    fn untranslated(
        _core: &Core<Self::Model>,
        _from: &Requester<'_>,
        _request: &PciDmaRequest,
    ) -> Option<TlbEntry> {
        None
    }
}

/// What the shell keeps of a device.
pub struct Shell<M> {
    registers: OnceLock<OwnedRegion>,
    core: OnceLock<Arc<Core<M>>>,
    work: Arc<OnceLock<BottomHalf>>,
    timer: Arc<OnceLock<Timer>>,
    watch: OnceLock<RunStateWatch>,
}

/// What a device and its regions share.
pub struct Core<M> {
    /// Registers, queues, translation.
    pub model: M,
    /// What tables and queues are in.
    pub ram: GuestRam,
    /// What translated requests reach.
    pub space: &'static AddressSpace,
    work: Arc<OnceLock<BottomHalf>>,
    /// Goes off when an endpoint owes the answer to an invalidation for too long.
    timer: Arc<OnceLock<Timer>>,
    deadlines: Mutex<Deadlines>,
    /// Effects that are still to be carried out, in order.
    effects: Mutex<VecDeque<Effect>>,
    /// There are some.
    in_line: AtomicBool,
    /// What is for endpoints, in order: for the bottom half, or for whoever stops the machine.
    answers: Mutex<VecDeque<Effect>>,
    /// The machine does not run (yet): the bottom half waits until it does.
    rests: AtomicBool,
    /// Endpoints are being told something, and what they answer at once is carried out then. Under the BQL.
    tells: AtomicBool,
    /// What caches outside were answered: those that are told of unmapped addresses, and those that are told what a device
    /// with ATS is told.
    outside: [Outside; 2],
    /// How many answers may still be compared with what is there now, before a register write, or a run of the bottom half, is
    /// over. Under the BQL.
    questions: AtomicUsize,
    ports: Mutex<Ports>,
    listeners: Mutex<Listeners>,
    assigned: Mutex<AssignedDevices>,
}

/// An endpoint is told by the bottom half, or when the access by which software spoke is done; not from inside a translation.
fn is_for_endpoint(effect: &Effect) -> bool {
    matches!(effect, Effect::Resolved { .. } | Effect::PageResponse { .. } | Effect::AtsInvalidate { .. })
}

impl<M: Model> Core<M> {
    fn schedule(&self) {
        if let Some(work) = self.work.get() {
            work.schedule();
        }
    }

    /// A register write, or a run of the bottom half, begins.
    fn begin(&self) {
        self.questions.store(QUESTIONS_AT_ONCE, Ordering::Relaxed);
    }

    /// Whether there is still time to look what became of so many answers, which it takes.
    fn may_ask(&self, questions: usize) -> bool {
        let left = self.questions.load(Ordering::Relaxed).checked_sub(questions);
        self.questions.store(left.unwrap_or(0), Ordering::Relaxed);
        left.is_some()
    }

    fn schedule_if_needed(&self) {
        if self.model.needs_run() {
            self.schedule();
        }
    }

    /// Takes effects in, behind those that are there already. The bottom half tells endpoints.
    pub fn accept(&self, effects: Effects) {
        if self.take_in(effects) {
            self.schedule();
        }
    }

    /// Takes effects in, behind those that are there already. Whether some are for endpoints, to which [`deliver`] brings
    /// them.
    fn take_in(&self, effects: Effects) -> bool {
        let mut for_endpoints = false;
        for effect in effects.0 {
            if is_for_endpoint(&effect) {
                lock(&self.answers).push_back(effect);
                for_endpoints = true;
            } else {
                lock(&self.effects).push_back(effect);
                self.in_line.store(true, Ordering::SeqCst);
            }
        }
        for_endpoints
    }

    /// The only effect, if it is not for an endpoint and nothing is before it: then it need not stand in line.
    fn alone(&self, effects: &mut Effects) -> Option<Effect> {
        let is_alone = effects.0.len() == 1
            && !effects.0.iter().any(is_for_endpoint)
            && !self.in_line.load(Ordering::SeqCst);
        is_alone.then(|| effects.0.pop()).flatten()
    }

    /// The same from inside an access: no device is called back here.
    pub fn put_off(&self, effects: Effects) {
        if !effects.0.is_empty() {
            self.accept(effects);
            self.schedule();
        }
        self.schedule_if_needed();
    }

    fn has_work(&self) -> bool {
        !lock(&self.effects).is_empty() || !lock(&self.answers).is_empty()
    }

    fn forget_work(&self) {
        lock(&self.effects).clear();
        lock(&self.answers).clear();
        lock(&self.deadlines).clear();
    }

    /// Asks an endpoint to forget something. It may answer at once, and must before its deadline.
    fn ask(&self, itag: u32, stream: StreamId, invalidate: impl FnOnce()) {
        lock(&self.deadlines).asked(itag, stream, main_loop::now());
        invalidate();
        self.arm();
    }

    fn answered(&self, stream: StreamId, itag: u32) {
        lock(&self.deadlines).answered(itag);
        let effects = self.model.device_tlb_done(&self.ram, stream, itag);
        if self.tells.load(Ordering::Relaxed) {
            self.take_in(effects);
        } else {
            self.put_off(effects);
        }
    }

    fn arm(&self) {
        let next = lock(&self.deadlines).next();
        if let (Some(timer), Some(next)) = (self.timer.get(), next)
            && !timer.is_armed()
        {
            timer.arm(next);
        }
    }

    fn translate(&self, req: &DmaRequest, under_bql: bool) -> Outcome {
        let (outcome, effects) = self.model.translate(&self.ram, req, under_bql);
        self.put_off(effects);
        outcome
    }

    fn end(&self, epoch: u64) {
        if epoch != NO_EPOCH && self.model.end(epoch) {
            self.schedule();
        }
    }

    fn entry(&self, addr: u64, translation: &Translation) -> TlbEntry {
        let mask = if translation.page_mask == u64::MAX { BYPASS_MASK } else { translation.page_mask };
        self.entry_of(addr, translation, mask)
    }

    fn entry_of(&self, addr: u64, translation: &Translation, mask: u64) -> TlbEntry {
        TlbEntry {
            target: self.space,
            iova: addr & !mask,
            translated: translation.addr & !mask,
            mask,
            read: translation.perm.read,
            write: translation.perm.write,
            exec: translation.perm.exec,
            ..TlbEntry::denied(addr)
        }
    }

    /// The same for those who may keep it. vhost looks the beginning of the answer up in its list of RAM, and takes no more
    /// of the answer than follows there: all of it has to be in one piece of RAM, or else it is a page.
    fn kept_entry(&self, addr: u64, translation: &Translation) -> TlbEntry {
        if self.model.is_alias(addr) {
            self.outside.iter().for_each(|outside| outside.answers_alias(addr));
        }
        let whole = translation.page_mask;
        if whole <= PAGE_MASK {
            return self.entry_of(addr, translation, whole);
        }
        let mask = match self.ram.piece(translation.addr) {
            Some((first, last)) => {
                largest_within(translation.addr, whole.min(BYPASS_MASK), first, last).max(PAGE_MASK)
            }
            None => PAGE_MASK,
        };
        // All of what is not translated ends at once.
        if mask < whole && self.model.is_page(translation) {
            self.outside.iter().for_each(|outside| outside.answers_part(whole));
        }
        self.entry_of(addr, translation, mask)
    }

    /// Tells those who listen that a range is gone, or gone from device-TLBs: of a stream, or of all.
    pub fn notify(
        &self,
        stream: Option<StreamId>,
        pasid: Option<SubstreamId>,
        addr: u64,
        mask: u64,
        device_tlb: bool,
    ) {
        let [unmapped, device] = &self.outside;
        let outside = if device_tlb { device } else { unmapped };
        let notice = Notice {
            stream,
            pasid,
            ranges: &outside.ranges(addr, mask),
            everything: mask == u64::MAX,
            device_tlb,
        };
        let ports: Vec<_> = lock(&self.ports).values().copied().collect();
        let mut is_kept = false;
        for port in ports {
            is_kept |= port.notify(&notice);
        }
        if notice.everything && !is_kept {
            outside.forget();
        }
    }
}

impl<M: Model> Shell<M> {
    /// That of a device that is not realized.
    #[must_use]
    pub fn new() -> Self {
        Self {
            registers: OnceLock::new(),
            core: OnceLock::new(),
            work: Arc::default(),
            timer: Arc::default(),
            watch: OnceLock::new(),
        }
    }

    /// What is shared, once the device is realized.
    pub fn core(&self) -> Option<&Arc<Core<M>>> {
        self.core.get()
    }

    /// The model, once the device is realized.
    pub fn model(&self) -> Option<&M> {
        self.core.get().map(|core| &core.model)
    }

    /// The device comes into being, with tables in `space`. What is shared, and the register region.
    pub fn realize<'a, D: IommuDevice<Model = M>>(
        &'a self,
        this: &Qom<D>,
        model: M,
        space: &'static AddressSpace,
    ) -> (&'a Arc<Core<M>>, &'a OwnedRegion) {
        // Until somebody listens.
        model.set_listeners(false);
        let core = self.core.get_or_init(|| {
            Arc::new(Core {
                model,
                ram: GuestRam::new(space),
                space,
                work: Arc::clone(&self.work),
                timer: Arc::clone(&self.timer),
                deadlines: Mutex::new(Deadlines::new(D::invalidation_timeout(this))),
                effects: Mutex::default(),
                in_line: AtomicBool::new(false),
                answers: Mutex::default(),
                rests: AtomicBool::new(true),
                tells: AtomicBool::new(false),
                outside: Default::default(),
                questions: AtomicUsize::new(0),
                ports: Mutex::new(BTreeMap::new()),
                listeners: Mutex::new(BTreeMap::new()),
                assigned: Mutex::default(),
            })
        });
        let _ = self.work.set(BottomHalf::new(this, run));
        let _ = self.timer.set(Timer::new(this, time_out));
        let _ = self.watch.set(RunStateWatch::new(this, run_state_changed));
        let registers = self
            .registers
            .get_or_init(|| OwnedRegion::io::<Registers<D>>(this, D::REGION_NAME, M::REGION_SIZE));
        (core, registers)
    }
}

impl<M: Model> Default for Shell<M> {
    fn default() -> Self {
        Self::new()
    }
}

/// The number of entries that the property `iotlb-size` names.
///
/// # Errors
/// It is not a number of entries.
pub fn iotlb_entries(entries: u32) -> Result<usize> {
    if !entries.is_power_of_two() || !(64..=1 << 20).contains(&entries) {
        return Err(Error::new(format!(
            "property 'iotlb-size' is {entries}, but must be a power of two from 64 to 1048576; 4096 is a good one"
        )));
    }
    Ok(usize::try_from(entries)?)
}

/// Carries out what is there, in order, but for what is for endpoints. What that sets in motion may come back here, and
/// then does the rest.
fn carry_out<D: IommuDevice>(this: &Qom<D>, core: &Core<D::Model>) {
    loop {
        let effect = {
            let mut effects = lock(&core.effects);
            let first = effects.pop_front();
            core.in_line.store(!effects.is_empty(), Ordering::SeqCst);
            first
        };
        let Some(effect) = effect else { break };
        D::carry_out(this, core, effect);
    }
}

/// Tells endpoints what there is for them by now, [so much at most](crate::iommu::turn::TOLD_AT_ONCE); not what they set in motion by asking again. Who calls this sees to what
/// they answered. Nothing from inside a request of an endpoint, which may be the one to be told: the bottom half does it
/// then. (A write of an endpoint can come to the unit's own registers, and one to a device that stops the machine comes
/// here too.)
fn deliver<D: IommuDevice>(this: &Qom<D>, core: &Core<D::Model>) {
    if request::is_being_made() {
        core.schedule();
        return;
    }
    let told = core.tells.swap(true, Ordering::Relaxed);
    let mut turn = Turn::new(&core.answers);
    while let Some(answer) = turn.take() {
        turn.instead(&function::deliver(this, core, answer));
    }
    core.tells.store(told, Ordering::Relaxed);
}

/// Tells endpoints what a register write of software's has for them, so that neither waits for the main loop, and carries out
/// what they answer.
fn deliver_at_once<D: IommuDevice>(this: &Qom<D>, core: &Core<D::Model>) {
    if !core.rests.load(Ordering::Relaxed) {
        deliver(this, core);
        carry_out(this, core);
    }
    if core.has_work() {
        core.schedule();
    }
}

/// The bottom half. It rests while the machine does: then state is being saved, or is still coming in, and the memory it
/// belongs to may be on its way already.
fn run<D: IommuDevice>(this: &Qom<D>) {
    let Some(core) = this.shell().core() else { return };
    if !core.rests.load(Ordering::Relaxed) {
        work(this, core);
        if core.has_work() {
            core.schedule();
        }
        core.schedule_if_needed();
    }
}

/// What is due.
fn work<D: IommuDevice>(this: &Qom<D>, core: &Core<D::Model>) {
    core.begin();
    carry_out(this, core);
    deliver(this, core);
    core.take_in(core.model.run_pending(&core.ram));
    carry_out(this, core);
    deliver(this, core);
    carry_out(this, core);
}

/// Endpoints may be late with their answers.
fn time_out<D: IommuDevice>(this: &Qom<D>) {
    let Some(core) = this.shell().core() else { return };
    let late = lock(&core.deadlines).take_late(main_loop::now());
    for itag in late {
        log::warn!(
            target: "guest_errors",
            "{}: an endpoint did not answer an invalidation in {} ms",
            D::NAME,
            D::invalidation_timeout(this)
        );
        core.accept(core.model.device_tlb_late(&core.ram, itag));
    }
    carry_out(this, core);
    core.schedule_if_needed();
    core.arm();
}

fn run_state_changed<D: IommuDevice>(this: &Qom<D>, running: bool) {
    let Some(core) = this.shell().core() else { return };
    core.rests.store(!running, Ordering::Relaxed);
    if running {
        core.schedule();
        return;
    }
    // What is owed to memory, interrupt controllers and endpoints is theirs before anything is saved.
    core.accept(core.model.rest());
    for _ in 0..FLUSHES {
        work(this, core);
        if !core.has_work() && !core.model.needs_run() {
            break;
        }
    }
}

/// The register region's callbacks.
enum Registers<D> {
    #[expect(dead_code, reason = "the type names callbacks and has no values")]
    Never(core::convert::Infallible, PhantomData<D>),
}

impl<D: IommuDevice> RegionOps for Registers<D> {
    type Device = D;
    const ACCESS_SIZES: core::ops::RangeInclusive<u32> = 4..=8;
    const IMPL_SIZES: core::ops::RangeInclusive<u32> = 4..=8;

    fn read(this: &Qom<D>, offset: u64, size: u32) -> u64 {
        let Some(core) = this.shell().core() else { return 0 };
        let value = core.model.mmio_read(offset, size);
        core.schedule_if_needed();
        value
    }

    fn write(this: &Qom<D>, offset: u64, value: u64, size: u32) {
        let Some(core) = this.shell().core() else { return };
        core.begin();
        written(this, core, core.model.mmio_write(&core.ram, offset, value, size));
    }
}

/// What a register write set in motion.
pub fn written<D: IommuDevice>(this: &Qom<D>, core: &Core<D::Model>, mut effects: Effects) {
    if !effects.0.is_empty() {
        match core.alone(&mut effects) {
            Some(effect) => D::carry_out(this, core, effect),
            None => {
                let for_endpoints = core.take_in(effects);
                carry_out(this, core);
                if for_endpoints {
                    deliver_at_once(this, core);
                }
            }
        }
    }
    core.schedule_if_needed();
}

impl<D: IommuDevice> Reset for D {
    /// In the last phase: endpoints have been quiet since an earlier one.
    fn exit(this: &Qom<Self>, _kind: ResetKind) {
        if let Some(core) = this.shell().core() {
            core.forget_work();
            core.model.reset();
            // Those that keep translations are reset as well.
            core.outside.iter().for_each(Outside::forget);
        }
    }
}

impl<D: IommuDevice> Migrate for D {
    /// 2: with effects that are not carried out yet.
    const VERSION: u32 = 2;
    const BEFORE_PCI: bool = true;

    fn save(this: &Qom<Self>) -> Result<Vec<u8>> {
        let Some(core) = this.shell().core() else { return Ok(Vec::new()) };
        // Memory has been saved by now, and must stay as it is. Endpoints come after this.
        for _ in 0..FLUSHES {
            deliver(this, core);
            if lock(&core.answers).is_empty() {
                break;
            }
        }
        if !lock(&core.answers).is_empty() {
            return Err(Error::new(format!("{}: endpoints have not taken all of their answers", D::NAME)));
        }
        let mut words = undone::save(lock(&core.effects).iter());
        words.extend(core.model.save_words());
        Ok(words.iter().flat_map(|word| word.to_le_bytes()).collect())
    }

    fn load(this: &Qom<Self>, state: &[u8]) -> Result<()> {
        let (words, rest) = state.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(Error::new(format!("a state of {} bytes is not a number of words", state.len())));
        }
        let words: Vec<u64> = words.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let Some(core) = this.shell().core() else { return Err(Error::new("the device is not realized")) };
        // Endpoints come after this, and work when the machine runs.
        let (effects, words) = undone::load(&words)?;
        core.model.load_words(words)?;
        core.forget_work();
        // Carried out when the machine runs.
        core.accept(Effects(effects));
        Ok(())
    }
}

/// The property `stats`.
pub fn stats<D: IommuDevice>(this: &Qom<D>) -> String {
    this.shell().model().map(Model::stats_json).unwrap_or_default()
}

/// An access that is not translated: it reaches `entry`, and nobody waits for it.
fn not_translated(entry: TlbEntry) -> DmaTranslation {
    DmaTranslation::Translated(entry, NO_EPOCH)
}
