// SPDX-License-Identifier: GPL-2.0-or-later
//! The PCI functions in front of an IOMMU: what each of them reaches, what they ask, and what they are told.

use core::marker::PhantomData;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::kept::Kept;
use super::{Core, IommuDevice, assigned, carry_out, not_translated};
use crate::iommu::model::lock;
use crate::iommu::outside::Range;
use crate::iommu::{
    Access, AtsOutcome, DmaRequest, Effect, Model, Outcome, PageResponseCode, StreamId, SubstreamId,
    Translation,
};
use crate::qemu::bql;
use crate::qemu::error::{Error, Result};
use crate::qemu::iommu_region::{
    self, IommuRegion, IommuRegionImpl, NotifierFlags, OwnedIommuRegion, RegionAccess, TlbEntry,
};
use crate::qemu::memory::{AddressSpace, MemoryAttributes};
use crate::qemu::pci::{PciBus, PciDevice};
use crate::qemu::pci_ats::PageResponse;
use crate::qemu::pci_iommu::{
    AtsRefusal, AtsRequest, DmaTranslation, PageListener, PageRequest, Pasids, PciDmaRequest, PciIommu,
    Requester,
};
use crate::qemu::qom::{ObjectLike, Qom};

/// Index of the translations for untranslated requests.
const UNTRANSLATED: usize = 0;
/// Index of the translations for translated requests.
const TRANSLATED: usize = 1;

/// A function, by its place below the root bus: its StreamID changes when software numbers the buses.
#[derive(Clone, Copy)]
pub struct BusAddress {
    /// The bus.
    pub bus: &'static PciBus,
    /// Device and function number.
    pub devfn: u8,
}

impl BusAddress {
    /// # Safety
    /// The bus must live as long as anybody translates with the result.
    pub(super) unsafe fn new(bus: &PciBus, devfn: u8) -> Self {
        // SAFETY: the caller's promise.
        Self { bus: unsafe { PciBus::from_ptr(bus.as_ptr()) }, devfn }
    }

    /// Its number now.
    pub fn stream(self) -> StreamId {
        stream(self.bus, self.devfn)
    }
}

fn stream(bus: &PciBus, devfn: u8) -> StreamId {
    (u32::from(bus.number()) << 8) | u32::from(devfn)
}

pub(super) fn key(bus: &PciBus, devfn: u8) -> (usize, u8) {
    (bus.as_ptr().addr(), devfn)
}

/// What one function reaches, and its region's notifications. Ports stay when their bus goes; a later bus at the same
/// address takes them over.
#[derive(Clone, Copy)]
pub(super) struct Port {
    space: &'static AddressSpace,
    notify: &'static Notify,
}

/// What was invalidated.
pub(super) struct Notice<'a> {
    /// Of this StreamID, or of all.
    pub stream: Option<StreamId>,
    /// The address space.
    pub pasid: Option<SubstreamId>,
    /// What caches are told that do not know what they were answered.
    pub ranges: &'a [Range],
    /// All addresses.
    pub everything: bool,
    /// Gone from device-TLBs; else gone.
    pub device_tlb: bool,
}

/// Sends a notice to those who listen to a function's address space, if it is theirs. Whether they keep answers.
type Notify = dyn Fn(&Notice<'_>) -> bool + Send + Sync;

/// Ports by bus and function.
pub(super) type Ports = BTreeMap<(usize, u8), Port>;
/// Bus, function and PASID.
type ListenerKey = (usize, u8, Option<SubstreamId>);
/// Who waits for answers to page requests.
pub(super) type Listeners = BTreeMap<ListenerKey, PageListener>;

impl Port {
    pub(super) fn notify(self, notice: &Notice<'_>) -> bool {
        (self.notify)(notice)
    }
}

impl<M: Model> Core<M> {
    /// What a function's requests without PASID reach, if it was asked for.
    pub fn function_space(&self, from: &Requester<'_>) -> Option<&'static AddressSpace> {
        lock(&self.ports).get(&key(from.bus, from.devfn)).map(|port| port.space)
    }
}

/// A response without PASID is to a group of the whole function, whichever address space began it: one answer for each of the
/// function's listeners.
fn for_each_listener<M>(core: &Core<M>, bus: &PciBus, answer: &Effect) -> Vec<Effect> {
    let Effect::PageResponse { stream, group, code, .. } = *answer else { return Vec::new() };
    let (bus, devfn) = key(bus, (stream & 0xff) as u8);
    let all = (bus, devfn, None)..=(bus, devfn, Some(SubstreamId::MAX));
    let one = |substream| Effect::PageResponse { stream, substream, group, code };
    lock(&core.listeners).range(all).map(|((.., substream), _)| one(*substream)).collect()
}

/// Tells an endpoint something. What is to be told instead, if that is more than one call.
pub(super) fn deliver<D: IommuDevice>(this: &Qom<D>, core: &Core<D::Model>, answer: Effect) -> Vec<Effect> {
    match answer {
        Effect::Resolved { stream, tag, retry, .. } => match device(this, stream) {
            Some(device) => device.dma_resolved(tag, retry),
            None => {
                log::warn!(target: "guest_errors", "{}: stream {stream:#x} left before its answer", D::NAME);
            }
        },
        Effect::PageResponse { stream, substream, group, code } => {
            let bus = device(this, stream).and_then(|device| device.bus());
            let listener = bus.and_then(|bus| {
                let (bus, devfn) = key(bus, (stream & 0xff) as u8);
                lock(&core.listeners).get(&(bus, devfn, substream)).copied()
            });
            let each = match bus.filter(|_| listener.is_none() && substream.is_none()) {
                Some(bus) => for_each_listener(core, bus, &answer),
                None => Vec::new(),
            };
            match listener {
                Some(listener) => listener.answer(group, response(code)),
                None if !each.is_empty() => return each,
                None => log::warn!(
                    target: "guest_errors",
                    "{}: no listener waits for the answer to page request group {group} of stream {stream:#x}",
                    D::NAME
                ),
            }
        }
        Effect::AtsInvalidate { itag, stream, substream, global, addr, mask } => {
            core.notify(Some(stream), substream, addr, mask, true);
            match device(this, stream) {
                Some(device) => {
                    // The bit is for those that have the capability, others ignore it (`PCIe §10.3.7`).
                    let pasids = if global && device.has_ats_global_invalidate() {
                        Pasids::Any
                    } else {
                        Pasids::One(substream)
                    };
                    core.ask(itag, stream, || device.ats_invalidate(itag, pasids, addr, mask));
                }
                None => core.answered(stream, itag),
            }
        }
        // Carried out by the device itself.
        Effect::PulseIrq { .. }
        | Effect::WriteMsi { .. }
        | Effect::WriteMemory { .. }
        | Effect::UnmapNotify { .. }
        | Effect::SendEvent
        | Effect::IecNotify { .. } => {}
    }
    Vec::new()
}

/// The function with that number, now.
fn device<D: IommuDevice>(this: &Qom<D>, stream: StreamId) -> Option<&PciDevice> {
    D::root_bus(this)?.find_device(((stream >> 8) & 0xff) as u8, (stream & 0xff) as u8)
}

fn response(code: PageResponseCode) -> PageResponse {
    match code {
        PageResponseCode::Success => PageResponse::Success,
        PageResponseCode::Invalid => PageResponse::InvalidRequest,
        PageResponseCode::Failure => PageResponse::Failure,
    }
}

impl<D: IommuDevice> PciIommu for D {
    const ATS: bool = D::ATS;

    fn address_space(this: &Qom<Self>, bus: &PciBus, devfn: u8) -> &'static AddressSpace {
        let Some(core) = this.shell().core() else { return AddressSpace::memory() };
        bql::assert_locked();
        // SAFETY: functions below the bus are the only ones to use the region, and go before it does.
        let source = unsafe { BusAddress::new(bus, devfn) };
        if let Some(space) = assigned::space(this, core, source) {
            return space;
        }
        let key = key(bus, devfn);
        if let Some(port) = lock(&core.ports).get(&key) {
            return port.space;
        }
        let name = format!("{}-{:02x}.{:x}", D::REGION_NAME, devfn >> 3, devfn & 7);
        let kept = Default::default();
        let region = FunctionRegion::<D> { core: Arc::clone(core), source, kept, device: PhantomData };
        // For good, like the address space: users of an IOMMU's address spaces keep pointers to them.
        let region: &'static OwnedIommuRegion<FunctionRegion<D>> =
            Box::leak(Box::new(OwnedIommuRegion::new(this.object(), &name, region)));
        let space = D::function_space(this, source, region.region(), &name);
        let notify = Box::leak(Box::new(move |notice: &Notice<'_>| region.tell(notice)));
        lock(&core.ports).insert(key, Port { space, notify });
        space
    }

    fn dma_translate(this: &Qom<Self>, from: Requester<'_>, request: &PciDmaRequest) -> DmaTranslation {
        let Some(core) = this.shell().core() else { return DmaTranslation::Aborted };
        if let Some(entry) = D::untranslated(core, &from, request) {
            return not_translated(entry);
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
            Outcome::Waiting => DmaTranslation::Waiting,
        }
    }

    fn dma_end(this: &Qom<Self>, epoch: u64) {
        if let Some(core) = this.shell().core() {
            core.end(epoch);
        }
    }

    fn dma_cancel(this: &Qom<Self>, from: Requester<'_>, pasids: Pasids, tag: Option<u64>) {
        let Some(core) = this.shell().core() else { return };
        let stream = stream(from.bus, from.devfn);
        let substream = match pasids {
            Pasids::Any => None,
            Pasids::One(pasid) => Some(pasid),
        };
        // A device that was reset, or goes away.
        let gives_all_up = substream.is_none() && tag.is_none();
        if gives_all_up {
            lock(&core.deadlines).gave_up(stream);
        }
        // What is on its way is not to arrive any more either.
        lock(&core.answers).retain(|answer| match answer {
            Effect::PageResponse { stream: of, .. } | Effect::AtsInvalidate { stream: of, .. } => {
                !gives_all_up || *of != stream
            }
            Effect::Resolved { stream: of, substream: space, tag: name, .. } => {
                *of != stream
                    || substream.is_some_and(|substream| substream != *space)
                    || tag.is_some_and(|tag| tag != *name)
            }
            _ => true,
        });
        core.model.cancel(stream, substream, tag);
        core.schedule_if_needed();
    }

    fn dma_restore(this: &Qom<Self>, from: Requester<'_>, waiting: &[(Option<u32>, u64)]) -> Result<()> {
        let Some(core) = this.shell().core() else { return Err(Error::new("the IOMMU is not realized")) };
        let stream = stream(from.bus, from.devfn);
        let mut here = core.model.pending(stream);
        let mut there = waiting.to_vec();
        here.sort_unstable();
        there.sort_unstable();
        if here == there {
            return Ok(());
        }
        Err(Error::new(format!(
            "stream {stream:#x}: the {} and the endpoint disagree on the requests that wait; only the {} has [{}], only \
             the endpoint has [{}]: the incoming state is damaged, or of another machine",
            D::NAME,
            D::NAME,
            missing(&here, &there),
            missing(&there, &here)
        )))
    }

    fn ats_invalidated(this: &Qom<Self>, from: Requester<'_>, itag: u32) {
        if let Some(core) = this.shell().core() {
            core.answered(stream(from.bus, from.devfn), itag);
        }
    }

    fn ats_translate(
        this: &Qom<Self>,
        bus: &PciBus,
        devfn: u8,
        request: &AtsRequest,
    ) -> core::result::Result<TlbEntry, AtsRefusal> {
        let core = this.shell().core().ok_or(AtsRefusal::Unsupported)?;
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
        let (outcome, effects) = core.model.ats(&core.ram, &req, request.length, bql::is_locked());
        core.put_off(effects);
        let answer = match outcome {
            AtsOutcome::Success(answer) => answer,
            AtsOutcome::Unsupported => return Err(AtsRefusal::Unsupported),
            AtsOutcome::Aborted => return Err(AtsRefusal::Aborted),
        };
        let mask = 1u64.checked_shl(answer.log2size.into()).map_or(u64::MAX, |size| size.wrapping_sub(1));
        Ok(TlbEntry {
            target: core.space,
            iova: req.addr & !mask,
            translated: answer.addr & !mask,
            mask,
            read: answer.read,
            write: answer.write,
            exec: answer.exec,
            privileged: answer.privileged,
            global: answer.global,
            untranslated_only: answer.untranslated_only,
            pasid: request.pasid,
        })
    }

    fn page_request(this: &Qom<Self>, bus: &PciBus, devfn: u8, request: &PageRequest) -> Result<()> {
        let Some(core) = this.shell().core() else { return Err(Error::new("the IOMMU is not realized")) };
        let effects = core.model.page_request(
            &core.ram,
            &crate::iommu::PageRequest {
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
        carry_out(this, core);
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
        let Some(core) = this.shell().core() else { return };
        if listener.is_none() {
            // The next one to listen has not asked for what is still on its way.
            let gone = stream(bus, devfn);
            lock(&core.answers).retain(|answer| match answer {
                Effect::PageResponse { stream, substream, .. } => *stream != gone || *substream != pasid,
                _ => true,
            });
            core.model.ends_page_requests(gone, pasid);
        }
        let (bus, devfn) = key(bus, devfn);
        let mut listeners = lock(&core.listeners);
        match listener {
            Some(listener) => listeners.insert((bus, devfn, pasid), listener),
            None => listeners.remove(&(bus, devfn, pasid)),
        };
    }
}

/// Names the requests that only one side knows.
fn missing(of: &[(Option<u32>, u64)], among: &[(Option<u32>, u64)]) -> String {
    let names: Vec<String> = of
        .iter()
        .filter(|request| !among.contains(request))
        .map(|(pasid, tag)| match pasid {
            Some(pasid) => format!("tag {tag:#x} of PASID {pasid:#x}"),
            None => format!("tag {tag:#x} without PASID"),
        })
        .collect();
    names.join(", ")
}

/// What one function sees: a translating region.
struct FunctionRegion<D: IommuDevice> {
    core: Arc<Core<D::Model>>,
    source: BusAddress,
    /// What those were answered who listen: to unmapped addresses, and to what device-TLBs are told.
    kept: [Mutex<Kept>; 2],
    device: PhantomData<D>,
}

impl<D: IommuDevice> IommuRegion<FunctionRegion<D>> {
    /// An answer, for those who may keep it.
    fn answer(&self, addr: u64, translation: &Translation) -> TlbEntry {
        let entry = self.core.kept_entry(addr, translation);
        let notifiers = self.notifiers();
        for (kept, listens) in self.kept.iter().zip([notifiers.unmap, notifiers.device_unmap]) {
            if listens {
                lock(kept).answered(entry.iova, entry.mask, translation);
            }
        }
        entry
    }

    /// Tells those who listen. Whether they keep answers.
    fn tell(&self, notice: &Notice<'_>) -> bool {
        let notifiers = self.notifiers();
        let [unmapped, device] = &self.kept;
        // Who listens is below the bus; without anybody there may be no bus any more.
        let (listens, kept) = match notice.device_tlb {
            true => (notifiers.device_unmap, device),
            false => (notifiers.unmap, unmapped),
        };
        if !listens {
            return false;
        }
        let stream = self.source.stream();
        if notice.stream.is_some_and(|other| other != stream) {
            return !lock(kept).is_empty();
        }
        let ask = |addr: u64| {
            let access = Access { read: true, write: false, exec: false, privileged: false };
            let req = DmaRequest { stream, substream: None, addr, access, tag: None };
            self.core.model.probe(&self.core.ram, &req)
        };
        let (changed, is_kept) = {
            let mut kept = lock(kept);
            let changed = if notice.everything && self.core.may_ask(kept.questions()) {
                kept.changed(ask)
            } else {
                None
            };
            if changed.is_none() {
                kept.told(notice.ranges);
            }
            (changed, !kept.is_empty())
        };
        let mut entry = TlbEntry::denied(0);
        (entry.target, entry.pasid) = (self.core.space, notice.pasid);
        for range in changed.as_deref().unwrap_or(notice.ranges) {
            (entry.iova, entry.mask) = (range.addr, range.mask);
            if notice.device_tlb {
                self.notify_device_unmap(UNTRANSLATED, &entry);
            } else {
                self.notify_unmap(UNTRANSLATED, &entry);
            }
        }
        is_kept
    }
}

impl<D: IommuDevice> IommuRegionImpl for FunctionRegion<D> {
    const TYPE_NAME: &'static core::ffi::CStr = D::REGION_TYPE_NAME;

    /// Ordinary masters, which cannot wait, and translated requests of endpoints with ATS: QEMU's core makes the access
    /// after this returns.
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
        if index == UNTRANSLATED
            && let Some(translation) = core.model.cached_translation(&req)
        {
            return region.answer(addr, &translation);
        }
        // Never with effects: nothing may be called back from here.
        let outcome = if index == TRANSLATED {
            let (outcome, effects) = core.model.translated(&core.ram, &req, false);
            core.put_off(effects);
            outcome
        } else {
            core.translate(&req, false)
        };
        match outcome {
            Outcome::Translated { translation, epoch } => {
                core.end(epoch);
                // A translated request is made once, and nothing is kept of it.
                if index == TRANSLATED {
                    core.entry(addr, &translation)
                } else {
                    region.answer(addr, &translation)
                }
            }
            Outcome::Aborted | Outcome::Waiting => TlbEntry::denied(addr),
        }
    }

    fn attributes_to_index(_region: &IommuRegion<Self>, attrs: MemoryAttributes) -> usize {
        if D::ATS && attrs.translated { TRANSLATED } else { UNTRANSLATED }
    }

    fn indexes(_region: &IommuRegion<Self>) -> usize {
        1 + usize::from(D::ATS)
    }

    fn min_page_size(region: &IommuRegion<Self>) -> u64 {
        D::min_page_size(&region.core.model)
    }

    fn notifiers_changed(region: &IommuRegion<Self>, old: NotifierFlags, new: NotifierFlags) -> Result<()> {
        if new.map {
            return Err(Error::new(format!(
                "stream {:#x}: this device wants to be told of every mapping (VFIO does), which this {} cannot do",
                region.source.stream(),
                D::NAME
            )));
        }
        // `device_unmap`: vhost wants that as soon as a guest switches on ATS in a virtio function, and ends QEMU if it
        // is refused.
        if new.unmap || new.device_unmap {
            // From now on, for good: who stops listening is rare.
            region.core.model.set_listeners(true);
        }
        // A guest that switches ATS on or off has vhost listen to the other kind of notice, one after the other, with the
        // answers that its backend has from before.
        let [unmapped, device] = &region.kept;
        if new.device_unmap && !old.device_unmap && !new.unmap {
            lock(device).take_over(core::mem::take(&mut *lock(unmapped)));
        } else if new.unmap && !old.unmap && !new.device_unmap {
            lock(unmapped).take_over(core::mem::take(&mut *lock(device)));
        }
        Ok(())
    }
}

/// Registers the type of a device's translating regions.
pub fn register<D: IommuDevice>() {
    iommu_region::register::<FunctionRegion<D>>();
}
