// SPDX-License-Identifier: GPL-2.0-or-later
//! What ends, and what fails.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use qemu_iommu::nested::iommufd::context::{Context, Object, Table};
use qemu_iommu::nested::iommufd::uapi::hwpt;
use qemu_iommu::nested::iommufd::{Attachment, VfioDevice};
use qemu_iommu::nested::{Config, Error, FaultRouting, Iommufd};
use sva_guest::ensure;
use sva_guest::memory::{Mapping, page_size};
use sva_guest::report::{CheckResult, Report, Stop};

use crate::tables::POOL;
use crate::vmm::{PASID, Vmm, WINDOW, node, said};

/// Pages that stage 2 takes away.
pub fn stage_2() -> CheckResult {
    let vmm = Vmm::new()?;
    let bound = vmm.bind(FaultRouting::Refused)?;
    let mut engine = vmm.engine(&[&bound.plain])?;
    let all = |engine: &mut crate::vmm::Engine<'_>| -> Result<_, Stop> {
        Ok((engine.sees(None, WINDOW)?, engine.sees(Some(PASID), WINDOW)?))
    };
    let seen = all(&mut engine)?;
    ensure!(seen == (Some(0), Some(1)), "at first {seen:?} is seen");
    let len = page_size() as u64;
    vmm.host.unmap(Vmm::data(1), len).map_err(said)?;
    let seen = all(&mut engine)?;
    ensure!(seen == (Some(0), None), "page 1 was taken away, and {seen:?} is seen");
    let twice = vmm.host.unmap(Vmm::data(1), len);
    ensure!(matches!(twice, Err(Error::Failed { errno: libc::ENOENT, .. })), "taken away twice: {twice:?}");
    // Other memory in its place.
    vmm.show(vmm.page(5), Vmm::data(1), true)?;
    let seen = all(&mut engine)?;
    ensure!(seen == (Some(0), Some(5)), "page 5 is in its place, and {seen:?} is seen");
    if !vmm.arm() {
        return Ok(Report::new("taken away, another page in its place: each seen at once by stage 1's user"));
    }
    vmm.host.unmap(Vmm::data(1), len).map_err(said)?;
    vmm.show(vmm.page(1), Vmm::data(1), false)?;
    let (seen, written) = (all(&mut engine)?, engine.writes(Some(PASID), WINDOW, 1)?);
    ensure!(
        (seen, written) == ((Some(0), Some(1)), false),
        "read-only: {seen:?} is seen, written: {written}"
    );
    Ok(Report::new("taken away, another page in its place, read-only: each seen at once by stage 1's user"))
}

/// A reset with everything bound.
pub fn reset() -> CheckResult {
    let vmm = Vmm::new()?;
    let bound = vmm.bind(FaultRouting::Refused)?;
    {
        let mut engine = vmm.engine(&[&bound.plain])?;
        let seen = engine.sees(Some(PASID), WINDOW)?;
        ensure!(seen == Some(1), "before the reset {seen:?} is seen");
        vmm.vfio.reset()?;
    }
    // The reset has switched bus mastering off.
    let vmm = vmm.driven_anew()?;
    let mut engine = vmm.engine(&[&bound.plain])?;
    let seen = (engine.sees(None, WINDOW)?, engine.sees(Some(PASID), WINDOW)?);
    ensure!(seen == (Some(0), Some(1)), "after the reset {seen:?} is seen");
    vmm.aim(&bound.tagged, 2);
    vmm.invalidate(&[vmm.changed(&bound, Some(PASID))])?;
    let seen = engine.sees(Some(PASID), WINDOW)?;
    ensure!(seen == Some(2), "after the reset and an invalidation {seen:?} is seen");
    Ok(Report::new("what was bound holds after a reset, and is invalidated as before"))
}

/// Bindings, the device's files and the host go in every order, and the next one finds the device free.
pub fn orders() -> CheckResult {
    let mut rounds = 0;
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let vmm = Vmm::new()?;
        let bound = vmm.bind(FaultRouting::Refused)?;
        let seen = vmm.engine(&[&bound.plain])?.sees(Some(PASID), WINDOW)?;
        ensure!(seen == Some(1), "round {rounds}: {seen:?} is seen");
        let Vmm { iommufd, host, vfio, device, tables, .. } = vmm;
        let (mut bindings, mut files, mut hosts) =
            (Some(bound.bindings), Some((vfio, device)), Some((iommufd, host)));
        for what in order {
            match what {
                0 => drop(bindings.take()),
                1 => drop(files.take()),
                _ => drop(hosts.take()),
            }
        }
        drop(tables);
        rounds += 1;
    }
    Ok(Report::new(format!("{rounds} orders, and the device is free again after each")))
}

/// What somebody else, such as QEMU's VFIO, has made.
struct Elsewhere {
    context: Arc<Context>,
    ioas: Object,
    parent: Object,
    vfio: Arc<VfioDevice>,
    function: sva_guest::pci::Function,
}

impl Elsewhere {
    fn new() -> Result<Self, Stop> {
        let (function, node) = node(0)?;
        let context = Context::open()?;
        let vfio = Arc::new(VfioDevice::open(Path::new(&node), &context)?);
        let ioas = context.ioas()?;
        let pasid = if sva_guest::kernel::machine() == "aarch64" { 0 } else { hwpt::PASID };
        let parent = context.table(&Table {
            flags: hwpt::NEST_PARENT | pasid,
            device: vfio.id(),
            parent: ioas.id(),
            faults: None,
        })?;
        vfio.attach(None, parent.id())?;
        Ok(Self { context, ioas, parent, vfio, function })
    }

    fn show(&self, memory: &Mapping, at: u64) -> Result<(), Stop> {
        Ok(self.context.map(self.ioas.id(), at, memory.address(), memory.len() as u64, true)?)
    }

    fn vmm(&self, attachment: Box<dyn Attachment>) -> Result<Vmm, Stop> {
        let iommufd: OwnedFd = self.context.fd().try_clone_to_owned()?;
        let host = Iommufd::embedded(iommufd);
        let id = host.add_device(self.vfio.id(), self.parent.id(), attachment).map_err(said)?;
        let vmm = Vmm::of(Arc::new(host), id, Arc::clone(&self.vfio), &self.function)?;
        self.show(vmm.tables.memory(), POOL)?;
        for (n, page) in vmm.pages().iter().enumerate() {
            self.show(page, Vmm::data(n))?;
        }
        Ok(vmm)
    }

    fn tools(&self) -> Result<[Mapping; 2], Stop> {
        let tools = [Mapping::anonymous(page_size())?, Mapping::anonymous(page_size())?];
        for tool in &tools {
            tool.set(0, page_size(), 0);
            self.show(tool, tool.address())?;
        }
        Ok(tools)
    }
}

/// Nothing is this library's but the first stage.
pub fn embedded() -> CheckResult {
    let elsewhere = Elsewhere::new()?;
    let vmm = elsewhere.vmm(Box::new(Arc::clone(&elsewhere.vfio)))?;
    let mapped = vmm.host.map(0x40_0000_0000, vmm.page(0).address(), page_size() as u64, true);
    ensure!(mapped == Err(Error::Stage2NotOurs), "stage 2 is somebody else's: {mapped:?}");
    let bound = vmm.bind(FaultRouting::Refused)?;
    let mut engine = vmm.engine_with(elsewhere.tools()?, &[&bound.plain]);
    let seen = (engine.sees(None, WINDOW)?, engine.sees(Some(PASID), WINDOW)?);
    ensure!(seen == (Some(0), Some(1)), "bound, {seen:?} is seen");
    vmm.aim(&bound.tagged, 2);
    vmm.invalidate(&[vmm.changed(&bound, Some(PASID))])?;
    let seen = engine.sees(Some(PASID), WINDOW)?;
    ensure!(seen == Some(2), "invalidated, {seen:?} is seen");
    drop(bound);
    vmm.iommufd.remove_device(vmm.id).map_err(said)?;
    engine.recover();
    let seen = (engine.sees(None, Vmm::data(3))?, engine.sees(None, WINDOW)?);
    ensure!(seen == (Some(3), None), "given back, {seen:?} is seen: it is to be as it was");
    Ok(Report::new("bound and invalidated under somebody else's stage 2, and given back as it was"))
}

/// An attachment that fails when it is told to.
struct Failing {
    vfio: Arc<VfioDevice>,
    /// The `errno` of the next attachment, or 0.
    next: Arc<AtomicU32>,
}

impl Attachment for Failing {
    fn attach(&self, pasid: Option<u32>, table: u32) -> io::Result<()> {
        match self.next.swap(0, Ordering::Relaxed) {
            0 => self.vfio.attach(pasid, table),
            errno => Err(io::Error::from_raw_os_error(errno.cast_signed())),
        }
    }

    fn detach(&self, pasid: Option<u32>) -> io::Result<()> {
        self.vfio.detach(pasid)
    }
}

/// The old table holds, and the new one leaves nothing behind.
pub fn attach_fails() -> CheckResult {
    let elsewhere = Elsewhere::new()?;
    let next = Arc::new(AtomicU32::new(0));
    let vmm =
        elsewhere.vmm(Box::new(Failing { vfio: Arc::clone(&elsewhere.vfio), next: Arc::clone(&next) }))?;
    let mut bound = vmm.bind(FaultRouting::Refused)?;
    let other = vmm.space(50, 4);
    let mut engine = vmm.engine_with(elsewhere.tools()?, &[&bound.plain]);
    let mut failures = 0;
    for errno in [libc::ENOMEM, libc::EIO] {
        let Some(binding) = bound.bindings.last_mut() else { return Err("nothing is bound".into()) };
        let old = *binding.config();
        next.store(errno.cast_unsigned(), Ordering::Relaxed);
        let config = if vmm.arm() { Config::Abort } else { Vmm::first_stage(&other) };
        let result = binding.replace(config, FaultRouting::Refused);
        ensure!(
            matches!(result, Err(Error::Failed { errno: e, .. }) if e == errno),
            "an attachment that fails: {result:?}"
        );
        ensure!(*binding.config() == old, "the binding says {:?}", binding.config());
        let seen = engine.sees(Some(PASID), WINDOW)?;
        ensure!(seen == Some(1), "after errno {errno}, {seen:?} is seen");
        vmm.aim(&bound.tagged, 2);
        vmm.invalidate(&[vmm.changed(&bound, Some(PASID))])?;
        let seen = engine.sees(Some(PASID), WINDOW)?;
        ensure!(seen == Some(2), "after errno {errno} and an invalidation, {seen:?} is seen");
        vmm.aim(&bound.tagged, 1);
        vmm.invalidate(&[vmm.changed(&bound, Some(PASID))])?;
        failures += 1;
    }
    // What cannot be bound at first is not bound.
    drop(bound);
    next.store(libc::ENOMEM.cast_unsigned(), Ordering::Relaxed);
    let result = vmm.bind_one(None, Config::Bypass, FaultRouting::Refused);
    ensure!(result.is_err(), "an attachment that fails binds");
    let _bound = vmm.bind_one(None, Config::Bypass, FaultRouting::Refused)?;
    engine.recover();
    let seen = engine.sees(None, Vmm::data(3))?;
    ensure!(seen == Some(3), "bound at the second try, {seen:?} is seen");
    Ok(Report::new(format!(
        "{failures} replacements and a binding fail; the old one holds and can be invalidated"
    )))
}

/// Closes a descriptor behind the back of the one who has it. What comes back puts something else in its place in the end, so
/// that the owner closes no stranger's.
struct Closed(i32);

impl Closed {
    fn behind(fd: i32) -> Self {
        // SAFETY: the owner only finds out by errors, which is what the check is about.
        unsafe { libc::close(fd) };
        Self(fd)
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        if let Ok(null) = File::open("/dev/null") {
            // SAFETY: the number is free, or was taken by nobody else in this process.
            unsafe { libc::dup2(null.as_raw_fd(), self.0) };
        }
    }
}

/// The device goes while it is bound.
pub fn device_gone() -> CheckResult {
    let vmm = Vmm::new()?;
    let second =
        node(1).ok().map(|(_, node)| vmm.iommufd.assign(Path::new(&node))).transpose().map_err(said)?;
    let mut bound = vmm.bind(FaultRouting::Refused)?;
    let invalidation = vmm.changed(&bound, Some(PASID));
    let Vmm { iommufd, host, id, vfio, device, tables, .. } = vmm;
    // Its registers and this process's other descriptor of it.
    drop(device);
    let closed = Closed::behind(vfio.file().as_raw_fd());
    let Some(binding) = bound.bindings.last_mut() else { return Err("nothing is bound".into()) };
    let (config, calls) = (*binding.config(), iommufd.context().invalidation_calls());
    let gone = Err(Error::DeviceGone(id));
    let result = binding.replace(config, FaultRouting::Refused);
    ensure!(result == gone, "replacing: {result:?}");
    let result = host.bind(id, Some(900), &config, FaultRouting::Refused).map(drop);
    ensure!(result.is_err(), "binding: {result:?}");
    // An invalidation finds nothing to do, or says that it cannot be done; the guest waits for nobody.
    let result = host.invalidate(&[invalidation]);
    ensure!(iommufd.context().invalidation_calls() > calls, "the kernel was not asked");
    drop(bound);
    let unbound = host.bind(id, None, &Config::Bypass, FaultRouting::Refused).map(drop);
    ensure!(unbound == gone, "binding what is gone: {unbound:?}");
    if let Some((other, _)) = &second {
        let other = host.bind(*other, None, &Config::Bypass, FaultRouting::Refused).map_err(said)?;
        host.unbind(other).map_err(said)?;
    }
    iommufd.remove_device(id).map_err(said)?;
    ensure!(host.capabilities(id) == Err(Error::UnknownDevice(id)), "the device is still known");
    drop((closed, tables));
    let said = result.map_or_else(|e| e.to_string(), |()| "done".into());
    Ok(Report::new(format!(
        "replacing and binding say so, bindings end, another device works; an invalidation: {said}"
    )))
}

/// The iommufd and its queues go.
pub fn closed() -> CheckResult {
    let vmm = Vmm::new()?;
    let mut bound = vmm.bind(FaultRouting::Queued).or_else(|_| vmm.bind_again())?;
    let mut told = Vec::new();
    let mut closed = Vec::new();
    if let Some(fd) = vmm.host.fault_fd() {
        closed.push(Closed::behind(fd.as_raw_fd()));
        let result = vmm.host.next_fault();
        ensure!(matches!(result, Err(Error::Closed(_))), "no fault queue any more: {result:?}");
        told.push("fault queue");
    }
    if let Some(fd) = vmm.host.event_fd() {
        closed.push(Closed::behind(fd.as_raw_fd()));
        let result = vmm.host.next_event();
        ensure!(matches!(result, Err(Error::Closed(_))), "no event queue any more: {result:?}");
        told.push("event queue");
    }
    {
        // Without the queues all else works.
        let mut engine = vmm.engine(&[&bound.plain])?;
        vmm.aim(&bound.tagged, 2);
        vmm.invalidate(&[vmm.changed(&bound, Some(PASID))])?;
        let seen = engine.sees(Some(PASID), WINDOW)?;
        ensure!(seen == Some(2), "without its queues the device sees {seen:?}");
    }
    closed.push(Closed::behind(vmm.iommufd.context().fd().as_raw_fd()));
    let Some(binding) = bound.bindings.last_mut() else { return Err("nothing is bound".into()) };
    let config = *binding.config();
    let result = binding.replace(config, FaultRouting::Refused);
    ensure!(result == Err(Error::Closed("iommufd")), "replacing without an iommufd: {result:?}");
    ensure!(*binding.config() == config, "the binding says {:?}", binding.config());
    let batch = [vmm.changed(&bound, Some(PASID)); 3];
    let result = vmm.host.invalidate(&batch);
    ensure!(
        result.as_ref().is_err_and(|p| p.done == 0 && p.error == Error::Closed("iommufd")),
        "invalidating without an iommufd: {result:?}"
    );
    told.push("iommufd");
    drop(bound);
    drop(closed);
    Ok(Report::new(format!(
        "closed behind its back: {}; each call says so, and what is bound ends",
        told.join(", ")
    )))
}
