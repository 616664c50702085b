// SPDX-License-Identifier: GPL-2.0-or-later
//! The kernel's mock device (`CONFIG_IOMMUFD_TEST`): what its tests can be asked for, and the checks that need no IOMMU.
//!
//! Its tables are of no architecture, so these checks stand below the host: [`Context`] and queues.

use std::io;
use std::sync::Arc;

use qemu_iommu::nested::iommufd::Attachment;
use qemu_iommu::nested::iommufd::context::{Context, Object, Table};
use qemu_iommu::nested::iommufd::ioctl::{self, Argument, Payload, Request};
use qemu_iommu::nested::iommufd::queues::{Event, EventQueue, PageFault};
use qemu_iommu::nested::iommufd::uapi::{fault, hwpt};
use sva_guest::ensure;
use sva_guest::memory::{Mapping, page_size};
use sva_guest::report::{CheckResult, Report, Stop};

/// `IOMMU_TEST_CMD`
const TEST: Request<Command> = Request::new(0x3ba0);

/// `struct iommu_test_cmd`: `words` is its union of 48 bytes, `last` is behind it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Command {
    size: u32,
    op: u32,
    id: u32,
    reserved: u32,
    words: [u32; 12],
    last: u32,
    padding: u32,
}
const _: () = assert!(size_of::<Command>() == 72);

// SAFETY: repr(C), integers alone, no padding, the size first.
unsafe impl Argument for Command {
    fn size(&mut self) -> &mut u32 {
        &mut self.size
    }
}

/// Values of [`Command::op`].
mod op {
    pub const CHECK_IOTLB: u32 = 14;
    pub const TRIGGER_IOPF: u32 = 15;
    pub const CHECK_CACHE: u32 = 16;
    pub const TRIGGER_VEVENT: u32 = 17;
    pub const PASID_ATTACH: u32 = 18;
    pub const PASID_REPLACE: u32 = 19;
    pub const PASID_DETACH: u32 = 20;
    pub const PASID_CHECK: u32 = 21;
    pub const DEVICE: u32 = 12;
    pub const REPLACE: u32 = 10;
}

/// `struct iommu_hwpt_selftest`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct MockTable {
    iotlb: u32,
    kind: u32,
}

/// `struct iommu_hwpt_invalidate_selftest`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct MockInvalidate {
    flags: u32,
    iotlb: u32,
}

/// `struct iommu_viommu_invalidate_selftest`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct MockCommand {
    flags: u32,
    device: u32,
    cache: u32,
}

// SAFETY: integers alone, no padding.
unsafe impl Payload for MockTable {}
// SAFETY: as above.
unsafe impl Payload for MockInvalidate {}
// SAFETY: as above.
unsafe impl Payload for MockCommand {}

/// `IOMMU_HWPT_DATA_SELFTEST`
const DATA: u32 = 0xdead;
/// `IOMMU_HWPT_INVALIDATE_DATA_SELFTEST`, `IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST`, `IOMMU_VIOMMU_TYPE_SELFTEST`
const KIND: u32 = 0xdead_beef;
/// `IOMMU_VEVENTQ_TYPE_SELFTEST`
const EVENTS: u32 = 0xbeef_beef;
/// `IOMMU_TEST_IOTLB_DEFAULT`
const FULL: u32 = 0x0bad_beef;
/// `IOMMU_TEST_DEV_CACHE_DEFAULT`
const CACHED: u32 = 0x00ba_ddad;
/// The PASID whose second attachment the mock refuses once (`ENOMEM`).
const FAILING: u32 = 1024;

/// A mock device in an iommufd of its own.
struct Mock {
    context: Arc<Context>,
    /// The object that stands for VFIO's hold of the device.
    holder: Object,
    device: u32,
    parent: Object,
    ioas: Object,
}

impl Mock {
    fn new() -> Result<Self, Stop> {
        let context = Context::open()?;
        let ioas = context.ioas()?;
        let mut command = Command { op: op::DEVICE, id: ioas.id(), ..Command::default() };
        // MOCK_FLAGS_DEVICE_PASID
        command.words[3] = 1 << 2;
        match ioctl::call(context.fd(), &TEST, &mut command) {
            Err(e) if e.raw_os_error() == Some(libc::ENOTTY) => {
                return Err(Stop::Skip("the kernel has no mock device (CONFIG_IOMMUFD_TEST)".into()));
            }
            result => result.map_err(|e| format!("IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS: {e}"))?,
        }
        let [holder, _, device, ..] = command.words;
        let holder = context.object(holder);
        let parent = context.table(&Table {
            flags: hwpt::NEST_PARENT | hwpt::PASID,
            device,
            parent: ioas.id(),
            faults: None,
        });
        let parent = parent.map_err(|e| format!("the mock device's parent: {e}"))?;
        let mock = Self { context, holder, device, parent, ioas };
        mock.attach(None, mock.parent.id()).map_err(|e| format!("attaching the mock device: {e}"))?;
        Ok(mock)
    }

    fn ask(&self, op: u32, id: u32, words: &[u32]) -> io::Result<()> {
        let mut command = Command { op, id, ..Command::default() };
        command.words[..words.len()].copy_from_slice(words);
        ioctl::call(self.context.fd(), &TEST, &mut command)
    }

    /// A nested table whose cache is full.
    fn nested(&self, faults: Option<&qemu_iommu::nested::iommufd::queues::FaultQueue>) -> io::Result<Object> {
        let table = Table { flags: hwpt::PASID, device: self.device, parent: self.parent.id(), faults };
        self.context.table_with(&table, DATA, MockTable { iotlb: FULL, kind: 0 })
    }

    /// Whether entry `n` of a nested table's cache is still there.
    fn caches(&self, table: &Object, n: u32) -> bool {
        self.ask(op::CHECK_IOTLB, table.id(), &[n, FULL]).is_ok()
    }

    /// Whether the PASID is attached to the table; 0: to none.
    fn attached(&self, pasid: u32, table: u32) -> bool {
        self.ask(op::PASID_CHECK, self.holder.id(), &[pasid, table]).is_ok()
    }
}

impl Attachment for Mock {
    fn attach(&self, pasid: Option<u32>, table: u32) -> io::Result<()> {
        match pasid {
            None => self.ask(op::REPLACE, self.holder.id(), &[table]),
            Some(pasid) if self.attached(pasid, 0) => {
                self.ask(op::PASID_ATTACH, self.holder.id(), &[pasid, table])
            }
            Some(pasid) => self.ask(op::PASID_REPLACE, self.holder.id(), &[pasid, table]),
        }
    }

    fn detach(&self, pasid: Option<u32>) -> io::Result<()> {
        self.ask(op::PASID_DETACH, self.holder.id(), &[pasid.unwrap_or(0)])
    }
}

/// Structures go to the kernel and come back.
pub fn marshalling() -> CheckResult {
    let mock = Mock::new()?;
    let info = mock.context.hardware_info(mock.device)?;
    let register = u32::from_ne_bytes([info.data[4], info.data[5], info.data[6], info.data[7]]);
    // IOMMU_HW_INFO_TYPE_SELFTEST, IOMMU_HW_INFO_SELFTEST_REGVAL
    ensure!((info.kind, register) == (0xfeed_beef, 0xdead_beef), "IOMMU_GET_HW_INFO says {info:x?}");
    ensure!(info.pasid_bits == 20, "a mock device has PASIDs of 20 bits, not {}", info.pasid_bits);
    ensure!(info.data[8..].iter().all(|b| *b == 0), "behind the driver's data there is something");
    let memory = Mapping::anonymous(page_size())?;
    let (at, len) = (1 << 24, memory.len() as u64);
    let ioas = mock.ioas.id();
    mock.context.map(ioas, at, memory.address(), len, true)?;
    let again = mock.context.map(ioas, at, memory.address(), len, true);
    ensure!(
        again.as_ref().is_err_and(|e| e.raw_os_error() == Some(libc::EEXIST)),
        "the same again: {again:?}"
    );
    mock.context.unmap(ioas, at, len)?;
    let again = mock.context.unmap(ioas, at, len);
    ensure!(again.as_ref().is_err_and(|e| e.raw_os_error() == Some(libc::ENOENT)), "gone already: {again:?}");
    // An object that is in use stays, and one that was dropped is gone.
    let table = mock.nested(None)?;
    let id = table.id();
    drop(table);
    let gone = mock.attach(None, id);
    ensure!(gone.is_err(), "a table that was dropped can be attached");
    Ok(Report::new("hardware information, mappings, tables; an object that is dropped is destroyed"))
}

/// Nested tables: attached in place of each other, and the cache of each.
pub fn nested_tables() -> CheckResult {
    let mock = Mock::new()?;
    let (one, other) = (mock.nested(None)?, mock.nested(None)?);
    mock.attach(None, one.id())?;
    mock.attach(None, other.id())?;
    mock.context
        .invalidate(one.id(), KIND, &mut [MockInvalidate { flags: 0, iotlb: 2 }])
        .map_err(|(_, e)| e)?;
    ensure!(!mock.caches(&one, 2) && mock.caches(&one, 1), "not just the one entry went");
    ensure!(mock.caches(&other, 2), "another table's cache went too");
    mock.context
        .invalidate(other.id(), KIND, &mut [MockInvalidate { flags: 1, iotlb: 0 }])
        .map_err(|(_, e)| e)?;
    ensure!((0..4).all(|n| !mock.caches(&other, n)), "not everything went");
    mock.attach(None, mock.parent.id())?;
    let calls = mock.context.invalidation_calls();
    ensure!(calls == 2, "{calls} calls for two invalidations");
    Ok(Report::new("attached, replaced, invalidated by entry and as a whole"))
}

/// An array that fails in the middle says where.
pub fn partial() -> CheckResult {
    let mock = Mock::new()?;
    let table = mock.nested(None)?;
    let entry = |iotlb| MockInvalidate { flags: 0, iotlb };
    let result = mock.context.invalidate(table.id(), KIND, &mut [entry(0), entry(1), entry(9), entry(3)]);
    let (done, error) = result.expect_err("entry 9 does not exist");
    ensure!(
        (done, error.raw_os_error()) == (2, Some(libc::EINVAL)),
        "of four with a bad third {done} were done: {error}"
    );
    let left: Vec<u32> = (0..4).filter(|n| mock.caches(&table, *n)).collect();
    ensure!(left == [2, 3], "entries {left:?} are left");
    // The same of a vIOMMU, whose commands name devices.
    let viommu = mock.context.viommu(KIND, mock.device, mock.parent.id())?;
    let name = mock.context.vdevice(viommu.id(), mock.device, 0x77)?;
    let again = mock.context.vdevice(viommu.id(), mock.device, 0x78);
    ensure!(again.is_err(), "a device has two names");
    let command = |device, cache| MockCommand { flags: 0, device, cache };
    let mut batch = [command(0x77, 0), command(0x77, 1), command(0x99, 2), command(0x77, 3)];
    let (done, error) =
        mock.context.invalidate(viommu.id(), KIND, &mut batch).expect_err("no device has this name");
    ensure!(done == 2, "of four with an unknown third name {done} were done: {error}");
    let left: Vec<u32> =
        (0..4).filter(|n| mock.ask(op::CHECK_CACHE, mock.device, &[*n, CACHED]).is_ok()).collect();
    ensure!(left == [2, 3], "caches {left:?} are left");
    // More than goes into one call, with the bad one in the second.
    let mut many = vec![command(0x77, 0); 3000];
    many[2500].device = 0x99;
    let (done, _) =
        mock.context.invalidate(viommu.id(), KIND, &mut many).expect_err("no device has this name");
    ensure!(done == 2500, "of 3000 with a bad one at 2500 {done} were done");
    drop(name);
    Ok(Report::new("of tables: done 2 of 4; of a vIOMMU: done 2 of 4, and 2500 of 3000 in two calls"))
}

/// Faults come with what was asked, and are answered once.
pub fn faults() -> CheckResult {
    let mock = Mock::new()?;
    let queue = mock.context.fault_queue()?;
    ensure!(queue.read()?.is_empty(), "there are faults before there is one");
    let table = mock.nested(Some(&queue))?;
    mock.attach(None, table.id())?;
    // dev_id, pasid, grpid, perm, addr
    let raise = |pasid: u32, group: u32, addr: u32| {
        mock.ask(op::TRIGGER_IOPF, 0, &[mock.device, pasid, group, fault::READ | fault::WRITE, addr, 0x12])
    };
    raise(0, 5, 0x8000)?;
    ensure!(
        sva_guest::process::readable(&queue.fd(), crate::vmm::PATIENCE),
        "the descriptor is not readable"
    );
    let read = queue.read()?;
    let [first] = read.as_slice() else { return Err(format!("{read:?}").into()) };
    let expected = PageFault {
        device: mock.device,
        pasid: None,
        group: 5,
        access: fault::READ | fault::WRITE,
        addr: 0x12_0000_8000,
        last: true,
        cookie: first.cookie,
    };
    ensure!(*first == expected, "{first:?}, expected {expected:?}");
    queue.respond(first.cookie, fault::SUCCESS)?;
    let again = queue.respond(first.cookie, fault::SUCCESS);
    ensure!(
        again.as_ref().is_err_and(|e| e.raw_os_error() == Some(libc::EINVAL)),
        "a second answer: {again:?}"
    );
    // More than one read has room for at first.
    for n in 0..100 {
        raise(0, n, n << 12)?;
    }
    let mut groups = Vec::new();
    while groups.len() < 100 {
        let read = queue.read()?;
        ensure!(!read.is_empty(), "{} of 100 faults came", groups.len());
        groups.extend(read);
    }
    ensure!(groups.iter().zip(0..).all(|(fault, n)| fault.group == n), "they came in another order");
    // Those that are open go with the attachment.
    mock.attach(None, mock.parent.id())?;
    let late = queue.respond(groups[0].cookie, fault::SUCCESS);
    ensure!(late.is_err(), "an answer to a fault that the kernel has answered");
    Ok(Report::new("101 faults, one answered, 100 given up with their table"))
}

/// Events come in order, and what was lost is counted.
pub fn events() -> CheckResult {
    let mock = Mock::new()?;
    let viommu = mock.context.viommu(KIND, mock.device, mock.parent.id())?;
    let _name = mock.context.vdevice(viommu.id(), mock.device, 0x77)?;
    let queue: EventQueue<4> = mock.context.event_queue(viommu.id(), EVENTS, 3)?;
    let table = Table { flags: hwpt::PASID, device: mock.device, parent: viommu.id(), faults: None };
    let table = mock.context.table_with(&table, DATA, MockTable { iotlb: FULL, kind: 0 })?;
    mock.attach(None, table.id())?;
    ensure!(queue.read()?.is_empty(), "there are events before there is one");
    let raise = || mock.ask(op::TRIGGER_VEVENT, 0, &[mock.device]);
    let event = Event::Event(0x77u32.to_ne_bytes());
    for _ in 0..7 {
        raise()?;
    }
    let read = queue.read()?;
    ensure!(read == [event, event, event, Event::Lost(4)], "{read:x?}");
    raise()?;
    let read = queue.read()?;
    ensure!(read == [event], "after the loss: {read:x?}");
    for _ in 0..5 {
        raise()?;
    }
    let mut read = queue.read()?;
    raise()?;
    read.extend(queue.read()?);
    ensure!(read == [event, event, event, Event::Lost(2), event], "{read:x?}");
    mock.attach(None, mock.parent.id())?;
    Ok(Report::new("of 14 events in a queue of 3, 8 came and 6 were counted as lost"))
}

/// PASIDs: attached, replaced, detached; a replacement that fails leaves the old table.
pub fn pasids() -> CheckResult {
    let mock = Mock::new()?;
    let (one, other) = (mock.nested(None)?, mock.nested(None)?);
    for pasid in [5, FAILING] {
        ensure!(mock.attached(pasid, 0), "PASID {pasid} is attached before it was");
        mock.attach(Some(pasid), one.id())?;
        ensure!(mock.attached(pasid, one.id()), "PASID {pasid} is not attached");
    }
    mock.attach(Some(5), other.id())?;
    ensure!(mock.attached(5, other.id()) && mock.attached(FAILING, one.id()), "replacing one hit the other");
    let refused = mock.attach(Some(FAILING), other.id());
    ensure!(
        refused.as_ref().is_err_and(|e| e.raw_os_error() == Some(libc::ENOMEM)),
        "the mock was to refuse this: {refused:?}"
    );
    ensure!(mock.attached(FAILING, one.id()), "after ENOMEM the old table is not there any more");
    for pasid in [5, FAILING] {
        mock.detach(Some(pasid))?;
        ensure!(mock.attached(pasid, 0), "PASID {pasid} is still attached");
    }
    Ok(Report::new("two PASIDs attached, replaced, detached; after ENOMEM the old table holds"))
}
