// SPDX-License-Identifier: GPL-2.0-or-later
//! The QOM type `iommu-bench`.

use core::ffi::CStr;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::pattern::Pattern;
use super::{MAX_ACCESSES, MAX_SIZE, MAX_THREADS, Operation};
use crate::qemu::{
    AddressSpace, Bar, ClassInit, DeviceImpl, IommuConsumer, MemoryAttributes, OwnedRegion, PCIE_DEVICE,
    PciDevice, PciDmaRequest, PciIds, Qom, RcuGuard, RegionOps, Result, bql, properties, qom,
};

const IDS: PciIds = PciIds { vendor: 0x1234, device: 0x53b0, revision: 1, class: 0xff00 };
const BAR_SIZE: u64 = 0x1000;
/// Where the PASID capability is.
const PASID: u16 = 0x100;

/// Register numbers: offset divided by 8.
mod register {
    pub const START: usize = 0;
    pub const BASE: usize = 1;
    pub const STRIDE: usize = 2;
    pub const PLACES: usize = 3;
    pub const RANDOM: usize = 4;
    pub const SIZE: usize = 5;
    pub const ROUNDS: usize = 6;
    pub const BURST: usize = 7;
    pub const THREADS: usize = 8;
    pub const PASID: usize = 9;
    pub const DOORBELL: usize = 10;
    pub const VALUE: usize = 11;
    pub const STEP: usize = 12;
    pub const MASK: usize = 13;
    pub const HEAD: usize = 14;
    pub const ACCESS_NS: usize = 16;
    pub const DOORBELL_NS: usize = 17;
    pub const ERRORS: usize = 18;
    pub const LATE: usize = 19;
    pub const SUM: usize = 20;
    pub const TOLD: usize = 21;
    pub const HEARD: usize = 22;
    pub const TOLD_ADDRESS: usize = 23;
    pub const TOLD_MASK: usize = 24;
    pub const WIDEST: usize = 25;
    pub const FORGOTTEN: usize = 26;
    pub const COUNT: usize = 27;
}

properties! {
    /// It has none.
    pub struct NoProperties {}
}

/// The state of an `iommu-bench`: its registers.
pub struct Bench {
    registers: [AtomicU64; register::COUNT],
    bar: OnceLock<OwnedRegion>,
    consumer: OnceLock<Option<IommuConsumer>>,
}

/// Registers the type.
pub fn register() -> bool {
    qom::register::<Bench>()
}

impl DeviceImpl for Bench {
    type Parent = PciDevice;
    type Properties = NoProperties;
    const TYPE_NAME: &'static CStr = c"iommu-bench";
    const DESCRIPTION: &'static CStr = c"measures what requests and invalidations cost behind an IOMMU";
    const INTERFACES: &'static [&'static CStr] = &[PCIE_DEVICE];
    const HOTPLUGGABLE: bool = false;

    fn new() -> Self {
        Self {
            registers: core::array::from_fn(|_| AtomicU64::new(0)),
            bar: OnceLock::new(),
            consumer: OnceLock::new(),
        }
    }

    fn realize(this: &Qom<Self>) -> Result<()> {
        let pci = this.parent();
        pci.add_express_endpoint(0)?;
        pci.add_pasid(PASID, 20, false, false);
        let bar = this.bar.get_or_init(|| OwnedRegion::io::<Registers>(this, "iommu-bench", BAR_SIZE));
        pci.register_bar(0, Bar::Memory32, bar);
        Ok(())
    }

    fn class_init(class: &mut ClassInit<'_, Self>) {
        class.pci_ids(IDS);
    }
}

enum Registers {}

fn index(offset: u64) -> usize {
    usize::try_from(offset / 8).unwrap_or(usize::MAX)
}

impl RegionOps for Registers {
    type Device = Bench;
    const ACCESS_SIZES: core::ops::RangeInclusive<u32> = 8..=8;
    const IMPL_SIZES: core::ops::RangeInclusive<u32> = 8..=8;

    fn read(device: &Qom<Bench>, offset: u64, _size: u32) -> u64 {
        let consumer = || device.consumer.get().and_then(Option::as_ref);
        match index(offset) {
            register::HEARD => return consumer().map_or(0, IommuConsumer::heard),
            register::WIDEST => return consumer().map_or(0, IommuConsumer::widest),
            register::FORGOTTEN => return consumer().map_or(0, |consumer| consumer.has_forgotten().into()),
            _ => {}
        }
        device.registers.get(index(offset)).map_or(0, |register| register.load(Ordering::Relaxed))
    }

    fn write(device: &Qom<Bench>, offset: u64, value: u64, _size: u32) {
        if index(offset) == register::START {
            device.measure(value);
        } else if let Some(register) = device.registers.get(index(offset)) {
            register.store(value, Ordering::Relaxed);
        }
    }
}

/// What one thread found.
#[derive(Clone, Copy, Default)]
struct Found {
    access: Duration,
    doorbell: Duration,
    errors: u64,
    late: u64,
    sum: u64,
}

impl Qom<Bench> {
    fn get(&self, number: usize) -> u64 {
        self.registers.get(number).map_or(0, |register| register.load(Ordering::Relaxed))
    }

    fn set(&self, number: usize, value: u64) {
        if let Some(register) = self.registers.get(number) {
            register.store(value, Ordering::Relaxed);
        }
    }

    /// Runs to its end, under the BQL: other threads must not need it, and translations do not.
    fn measure(&self, operation: u64) {
        let Some(operation) = Operation::from_number(operation) else { return };
        if operation == Operation::Ask {
            return self.ask();
        }
        let threads = self.get(register::THREADS).clamp(1, MAX_THREADS);
        let found = if threads == 1 {
            self.rounds(operation, 1)
        } else {
            let mut all = Found::default();
            std::thread::scope(|scope| {
                let workers: Vec<_> = (1..=threads)
                    .map(|seed| {
                        scope.spawn(move || {
                            bql::register_thread();
                            let found = self.rounds(operation, seed);
                            bql::unregister_thread();
                            found
                        })
                    })
                    .collect();
                for worker in workers {
                    let found = worker.join().unwrap_or_default();
                    all.access = all.access.max(found.access);
                    all.errors = all.errors.wrapping_add(found.errors);
                    all.sum = all.sum.wrapping_add(found.sum);
                }
            });
            all
        };
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.set(register::ACCESS_NS, nanoseconds(found.access));
        self.set(register::DOORBELL_NS, nanoseconds(found.doorbell));
        self.set(register::ERRORS, found.errors);
        self.set(register::LATE, found.late);
        self.set(register::SUM, found.sum);
    }

    fn ask(&self) {
        let consumer = self.consumer.get_or_init(|| match IommuConsumer::new(self.parent()) {
            Ok(consumer) => Some(consumer),
            Err(e) => {
                log::warn!(target: crate::iommu::log_limit::HOST_ERRORS, "iommu-bench: {}", e.message());
                None
            }
        });
        let told = consumer.as_ref().and_then(|consumer| consumer.ask(self.get(register::BASE), false));
        let bits = told.map_or(0, |told| u64::from(told.read) | u64::from(told.write) << 1);
        self.set(register::TOLD, bits);
        self.set(register::TOLD_ADDRESS, told.map_or(0, |told| told.translated));
        self.set(register::TOLD_MASK, told.map_or(0, |told| told.mask));
    }

    fn rounds(&self, operation: Operation, seed: u64) -> Found {
        let size = usize::try_from(self.get(register::SIZE).clamp(1, MAX_SIZE)).unwrap_or(8);
        let random = self.get(register::RANDOM) & 1 != 0;
        let (base, stride) = (self.get(register::BASE), self.get(register::STRIDE));
        let mut pattern = Pattern::new(base, stride, self.get(register::PLACES), random, seed);
        let burst = self.get(register::BURST).min(MAX_ACCESSES);
        let rounds = self.get(register::ROUNDS).min(MAX_ACCESSES / burst.max(1));
        let doorbell = Some(self.get(register::DOORBELL)).filter(|doorbell| *doorbell != 0);
        let mut buffer = vec![0u8; size.max(8)];
        let request = PciDmaRequest {
            addr: 0,
            pasid: u32::try_from(self.get(register::PASID)).ok(),
            read: true,
            write: false,
            exec: false,
            privileged: false,
            tag: None,
        };
        let mut found = Found::default();
        let Some(space) = self.parent().bus_master_space() else { return found };
        for _ in 0..rounds {
            if let Some(doorbell) = doorbell {
                let start = Instant::now();
                let done = self.ring(doorbell);
                found.doorbell += start.elapsed();
                found.late += u64::from(!done);
            }
            let start = Instant::now();
            let rcu = RcuGuard::new();
            for addr in pattern.by_ref().take(usize::try_from(burst).unwrap_or(0)) {
                let fine = match operation {
                    Operation::Translate => space.translates_to(&rcu, addr, false).is_some(),
                    Operation::Read => match buffer.get_mut(..size) {
                        Some(buffer) => space.read(addr, buffer, MemoryAttributes::default()).is_ok(),
                        None => false,
                    },
                    Operation::Ask => false,
                    Operation::ReadPasid => match buffer.get_mut(..size) {
                        Some(buffer) => {
                            self.parent().dma_read(&PciDmaRequest { addr, ..request }, buffer).1.is_ok()
                        }
                        None => false,
                    },
                };
                found.errors += u64::from(!fine);
                if let Some(word) = buffer.first_chunk() {
                    found.sum = found.sum.wrapping_add(u64::from_le_bytes(*word));
                }
            }
            found.access += start.elapsed();
        }
        found
    }

    /// Writes the doorbell. Whether its work was done when that returned.
    fn ring(&self, doorbell: u64) -> bool {
        let value =
            self.get(register::VALUE).wrapping_add(self.get(register::STEP)) & self.get(register::MASK);
        self.set(register::VALUE, value);
        let Ok(value) = u32::try_from(value) else { return false };
        let mut head = [0; 4];
        AddressSpace::memory().write_u32(doorbell, value, MemoryAttributes::default()).is_ok()
            && AddressSpace::memory()
                .read(self.get(register::HEAD), &mut head, MemoryAttributes::default())
                .is_ok()
            && u32::from_le_bytes(head) == value
    }
}
