// SPDX-License-Identifier: GPL-2.0-or-later
//! A device behind both stages, and what it sees: the VMM's part and the guest's, in one process.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qemu_iommu::nested::iommufd::VfioDevice;
use qemu_iommu::nested::{
    Binding, Capabilities, Config, DeviceId, Error, FaultRouting, FirstStage, Host, HostEvent, HostFault,
    Invalidation, Iommufd,
};
use sva_guest::crc32c::crc32c;
use sva_guest::device::{Descriptor, Device, FaultMode, Outcome, Ring, Status, register};
use sva_guest::memory::{Mapping, page_size};
use sva_guest::pci::{self, Function};
use sva_guest::report::Stop;

use crate::tables::{Format, POOL, PasidTable, Shape, Tables, WithoutPasid};

/// Longest wait for one operation.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// What the guest calls the device.
pub const STREAM: u64 = 0x5a;
/// Guest-physical address of the first page with contents; the others follow.
const DATA: u64 = 0x2_0000_0000;
/// How many there are.
pub const PAGES: usize = 8;
/// The address at which the device looks.
pub const WINDOW: u64 = 0x12_3456_0000;
/// PASIDs that bindings of [`Vmm::bind`] have.
pub const PASID: u32 = 3;
/// `VFIO_PCI_CONFIG_REGION_INDEX`
const CONFIG_REGION: u32 = 7;

/// What a check that cannot be made here says.
pub fn skip<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Skip(why.into()))
}

/// The functions to take, in order of their addresses.
pub fn functions() -> Vec<Function> {
    pci::functions()
}

/// Gives a function to VFIO.
pub fn node(n: usize) -> Result<(Function, String), Stop> {
    let function = functions().into_iter().nth(n).ok_or_else(|| Stop::Skip(format!("no function {n}")))?;
    let node = pci::assign(&function.bdf).map_err(Stop::Fail)?;
    Ok((function, node))
}

/// One device, both of its stages.
pub struct Vmm {
    /// The host.
    pub iommufd: Arc<Iommufd>,
    /// The same, as a trait.
    pub host: Arc<dyn Host>,
    /// The device, as the host numbers it.
    pub id: DeviceId,
    /// Its file.
    pub vfio: Arc<VfioDevice>,
    /// Its registers.
    pub device: Device,
    /// Stage 1.
    pub tables: Tables,
    /// Pages with contents: page `n` is full of [`Vmm::byte`].
    pages: Vec<Mapping>,
}

/// An address space of stage 1.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// Its page table.
    pub root: u64,
    /// Its tag (Arm).
    pub asid: u16,
}

/// A device bound with one address space for requests without PASID and one for [`PASID`].
pub struct Bound {
    /// What the bindings are: one on Arm; on VT-d the device's and the PASID's.
    pub bindings: Vec<Binding>,
    /// Without PASID.
    pub plain: Space,
    /// With [`PASID`].
    pub tagged: Space,
    /// The guest's own table.
    pub table: PasidTable,
}

impl Vmm {
    /// Takes the first function.
    pub fn new() -> Result<Self, Stop> {
        Self::with(Iommufd::open().map_err(said)?)
    }

    /// Takes the first function for a host that is there.
    pub fn with(iommufd: Iommufd) -> Result<Self, Stop> {
        let (function, node) = node(0)?;
        let (id, vfio) = iommufd.assign(Path::new(&node)).map_err(said)?;
        let vmm = Self::of(Arc::new(iommufd), id, vfio, &function)?;
        vmm.show(vmm.tables.memory(), POOL, true)?;
        for (n, page) in vmm.pages.iter().enumerate() {
            // The last one is for reading alone, whatever stage 1 says: on Arm, since a stage 2 of VT-d under which nests
            // something is writable everywhere (Linux 7.2).
            vmm.show(page, Self::data(n), !vmm.arm() || n + 1 != PAGES)?;
        }
        Ok(vmm)
    }

    /// A device that somebody has taken.
    pub fn of(
        iommufd: Arc<Iommufd>,
        id: DeviceId,
        vfio: Arc<VfioDevice>,
        function: &Function,
    ) -> Result<Self, Stop> {
        let format = match iommufd.capabilities(id).map_err(said)? {
            Capabilities::Smmuv3(_) => Format::Arm,
            Capabilities::Vtd(_) => Format::Intel,
        };
        let device = drive(&vfio, function)?;
        let tables = Tables::new(format)?;
        let pages = (0..PAGES).map(|_| Mapping::anonymous(page_size())).collect::<Result<Vec<_>, _>>()?;
        let host: Arc<dyn Host> = iommufd.clone();
        let vmm = Self { iommufd, host, id, vfio, device, tables, pages };
        (0..PAGES).for_each(|n| vmm.refill(n));
        Ok(vmm)
    }

    /// The same with the device's registers set up again.
    pub fn driven_anew(self) -> Result<Self, Stop> {
        let device = drive(&self.vfio, &self.device.function)?;
        Ok(Self { device, ..self })
    }

    /// What page `n` is full of.
    pub fn byte(n: usize) -> u8 {
        0x10 + n as u8
    }

    /// Where page `n` is for stage 1.
    pub fn data(n: usize) -> u64 {
        DATA + (n * 16 * page_size()) as u64
    }

    /// Page `n`.
    pub fn page(&self, n: usize) -> &Mapping {
        &self.pages[n]
    }

    /// Every page with contents.
    pub fn pages(&self) -> &[Mapping] {
        &self.pages
    }

    /// Fills page `n` again.
    pub fn refill(&self, n: usize) {
        self.pages[n].set(0, page_size(), Self::byte(n));
    }

    /// Whether the host is an SMMUv3.
    pub fn arm(&self) -> bool {
        matches!(self.host.capabilities(self.id), Ok(Capabilities::Smmuv3(_)))
    }

    /// Stage 2: shows memory.
    pub fn show(&self, memory: &Mapping, at: u64, writable: bool) -> Result<(), Stop> {
        self.host.map(at, memory.address(), memory.len() as u64, writable).map_err(said)
    }

    /// A fresh address space with page `n` at [`WINDOW`].
    pub fn space(&self, asid: u16, n: usize) -> Space {
        let space = Space { root: self.tables.root(), asid };
        self.aim(&space, n);
        space
    }

    /// Changes what [`WINDOW`] is, and tells nobody.
    pub fn aim(&self, space: &Space, n: usize) {
        self.tables.map(space.root, WINDOW, Self::data(n), 4096, true);
    }

    /// A first stage of VT-d.
    pub fn first_stage(space: &Space) -> Config {
        Config::FirstStage(FirstStage {
            table: space.root,
            address_bits: 48,
            supervisor_requests: false,
            write_protect: false,
            extended_accessed: false,
        })
    }

    /// Tells what the guest calls the device.
    pub fn name(&self) -> Result<(), Stop> {
        self.host.add_virtual_device(self.id, STREAM).map_err(said)
    }

    /// Binds the device with address spaces of pages 0 (without PASID) and 1 (with [`PASID`]).
    pub fn bind(&self, faults: FaultRouting) -> Result<Bound, Stop> {
        self.name()?;
        let (plain, tagged) = (self.space(7, 0), self.space(8, 1));
        let table = self.tables.pasid_table(Shape::Linear, 6);
        let mut bindings = Vec::new();
        if self.arm() {
            let stall = faults == FaultRouting::Queued;
            self.tables.write_cd(&table, 0, plain.asid, plain.root, stall);
            self.tables.write_cd(&table, PASID, tagged.asid, tagged.root, stall);
            bindings.push(self.bind_one(
                None,
                Config::CdTable { ste: table.ste(WithoutPasid::Cd0) },
                faults,
            )?);
        } else {
            bindings.push(self.bind_one(None, Self::first_stage(&plain), faults)?);
            bindings.push(self.bind_one(Some(PASID), Self::first_stage(&tagged), faults)?);
        }
        Ok(Bound { bindings, plain, tagged, table })
    }

    /// [`bind`](Self::bind) where the device has a name already, and its faults do not wait.
    pub fn bind_again(&self) -> Result<Bound, Stop> {
        self.host.remove_virtual_device(self.id).map_err(said)?;
        self.bind(FaultRouting::Refused)
    }

    /// One binding.
    pub fn bind_one(
        &self,
        pasid: Option<u32>,
        config: Config,
        faults: FaultRouting,
    ) -> Result<Binding, Stop> {
        Binding::new(&self.host, self.id, pasid, config, faults).map_err(said)
    }

    /// What tells the host that [`WINDOW`] has changed in one of the spaces.
    pub fn changed(&self, bound: &Bound, pasid: Option<u32>) -> Invalidation {
        if self.arm() {
            let asid = if pasid.is_some() { bound.tagged.asid } else { bound.plain.asid };
            tlbi_va(asid, WINDOW)
        } else {
            let at = usize::from(pasid.is_some());
            Invalidation::FirstStage { binding: bound.bindings[at].id(), addr: WINDOW, pages: 1, leaf: true }
        }
    }

    /// Carries out invalidations, all of them.
    pub fn invalidate(&self, batch: &[Invalidation]) -> Result<(), Stop> {
        self.host.invalidate(batch).map_err(|e| Stop::Fail(e.to_string()))
    }

    /// An engine whose ring and records are at the same addresses for this process, for stage 2, and for stage 1 of `spaces`.
    pub fn engine(&self, spaces: &[&Space]) -> Result<Engine<'_>, Stop> {
        // Stage 2 keeps them: no two engines have theirs at the same address.
        let tools = [Mapping::remote(page_size())?, Mapping::remote(page_size())?];
        for tool in &tools {
            tool.set(0, page_size(), 0);
            self.show(tool, tool.address(), true)?;
        }
        Ok(self.engine_with(tools, spaces))
    }

    /// The same with memory that stage 2 shows already.
    pub fn engine_with(&self, tools: [Mapping; 2], spaces: &[&Space]) -> Engine<'_> {
        for tool in &tools {
            for space in spaces {
                let at = tool.address();
                self.tables.map(space.root, at, at, page_size() as u64, true);
            }
        }
        let [memory, records] = tools;
        let base = memory.address();
        let mut ring = Ring::place(&self.device, 0, 6, memory, records, base);
        ring.set_mode(FaultMode::Report);
        ring.start();
        Engine { ring }
    }

    /// Waits for a fault that is to be answered.
    pub fn fault(&self) -> Result<HostFault, Stop> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(fault) = self.host.next_fault().map_err(said)? {
                return Ok(fault);
            }
            if Instant::now() > deadline {
                return Err("no fault came".into());
            }
            if let Some(fd) = self.host.fault_fd() {
                sva_guest::process::readable(&fd, Duration::from_millis(200));
            }
        }
    }

    /// Waits for an event.
    pub fn event(&self) -> Result<HostEvent, Stop> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.host.next_event().map_err(said)? {
                return Ok(event);
            }
            if Instant::now() > deadline {
                return Err("no event came".into());
            }
            if let Some(fd) = self.host.event_fd() {
                sva_guest::process::readable(&fd, Duration::from_millis(200));
            }
        }
    }
}

/// A refusal as a failure.
pub fn said(error: Error) -> Stop {
    Stop::Fail(error.to_string())
}

/// `CMD_TLBI_NH_VA` of one leaf.
pub fn tlbi_va(asid: u16, address: u64) -> Invalidation {
    Invalidation::Smmuv3([0x12 | u64::from(asid) << 48, address & !0xfff | 1])
}

/// `CMD_TLBI_NH_ASID`
pub fn tlbi_asid(asid: u16) -> Invalidation {
    Invalidation::Smmuv3([0x11 | u64::from(asid) << 48, 0])
}

/// `CMD_TLBI_NH_ALL`
pub fn tlbi_all() -> Invalidation {
    Invalidation::Smmuv3([0x10, 0])
}

/// `CMD_CFGI_CD`
pub fn cfgi_cd(stream: u64, pasid: u32) -> Invalidation {
    Invalidation::Smmuv3([0x05 | u64::from(pasid) << 12 | stream << 32, 1])
}

/// `CMD_ATC_INV` of everything of a PASID
pub fn atc_inv(stream: u64, pasid: u32) -> Invalidation {
    Invalidation::Smmuv3([0x40 | 1 << 11 | u64::from(pasid) << 12 | stream << 32, 52])
}

/// The registers of a function in VFIO's hands, which masters the bus from now on.
pub fn drive(vfio: &VfioDevice, function: &Function) -> Result<Device, Stop> {
    /// Command register: memory and bus master.
    const COMMAND: (u64, u16) = (4, 0b110);
    let (config, _) = vfio.region(CONFIG_REGION)?;
    vfio.file().write_all_at(&COMMAND.1.to_le_bytes(), config + COMMAND.0)?;
    let (offset, size) = vfio.region(0)?;
    let len = usize::try_from(size).unwrap_or(0).min(0x10000.max(page_size()));
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let offset = i64::try_from(offset).unwrap_or(0);
    let registers = Mapping::of_file(vfio.file(), len, protection, true, offset)?;
    Ok(Device::assigned(vfio.file().try_clone()?, registers, function)?)
}

/// An engine of the device.
pub struct Engine<'d> {
    /// Its ring.
    pub ring: Ring<'d>,
}

impl Engine<'_> {
    /// One operation, whatever its end; the engine is ready for the next one.
    pub fn run(&mut self, d: &Descriptor) -> Result<Outcome, Stop> {
        let outcome = self.ring.run(d, PATIENCE)?;
        if !matches!(outcome.status, Status::Ok | Status::Mismatch) {
            self.recover();
        }
        Ok(outcome)
    }

    /// Arms everything and begins with an empty ring.
    pub fn recover(&mut self) {
        self.ring.device().write32(register::REARM, 3 << 30);
        self.ring.recover();
    }

    /// Which page the device reads at `address`; `None`: it is refused.
    pub fn sees(&mut self, pasid: Option<u32>, address: u64) -> Result<Option<usize>, Stop> {
        let outcome = self.run(&Descriptor::crc32c(address, 64).in_pasid(pasid))?;
        match outcome.status {
            Status::Ok => {
                let is = |n: &usize| u64::from(crc32c(&[Vmm::byte(*n); 64])) == outcome.result;
                match (0..PAGES).find(is) {
                    Some(n) => Ok(Some(n)),
                    None => Err(format!("at {address:#x} the device reads none of the pages").into()),
                }
            }
            Status::Fault | Status::Halted => Ok(None),
            _ => Err(format!("a read at {address:#x} ended with {outcome:?}").into()),
        }
    }

    /// Whether the device can write at `address`.
    pub fn writes(&mut self, pasid: Option<u32>, address: u64, byte: u8) -> Result<bool, Stop> {
        let pattern = u64::from_ne_bytes([byte; 8]);
        let outcome = self.run(&Descriptor::fill(address, 64, pattern).in_pasid(pasid))?;
        match outcome.status {
            Status::Ok => Ok(true),
            Status::Fault | Status::Halted => Ok(false),
            _ => Err(format!("a write at {address:#x} ended with {outcome:?}").into()),
        }
    }
}
