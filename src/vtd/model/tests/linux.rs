// SPDX-License-Identifier: GPL-2.0-or-later
//! The model with its real translator, driven as Linux 7.2 drives it.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::iommu::testing::Alarm;
use crate::vtd::interrupt_range;
use crate::vtd::testing::{SID, TestGuest, WRITE, pasid_first, request, user_ro, user_rw};

const PASID: u32 = 5;
const ADDR: u64 = 0x7f12_3456_7000;
const TO: u64 = 0x9000_0000;

struct Linux {
    guest: TestGuest,
    vtd: Vtd,
    tail: u64,
}

impl Linux {
    /// `init_dmars` and what comes before it, as far as registers go.
    fn boot() -> Self {
        let linux = Self { guest: TestGuest::new(), vtd: Vtd::new(Features::default(), 256), tail: 0 };
        let held = |status: u32| status & 0x96ff_ffff;
        // `iommu_set_irq_remapping`, `dmar_set_interrupt`, `__dmar_enable_qi`.
        linux.write(reg::FECTL, 1 << 31);
        linux.write(reg::FECTL + 4, FAULT_MSI.1);
        linux.write(reg::FECTL + 8, FAULT_MSI.0 as u32);
        linux.write(reg::FECTL + 0xc, 0);
        linux.write(reg::FECTL, 0);
        linux.write(reg::IQT, 0);
        linux.write64(reg::IQA, QUEUE | 1 << 11 | 1);
        linux.command(1 << 26, 1 << 26);
        // `iommu_set_root_entry`.
        linux.write64(reg::RTADDR, linux.guest.scalable_root().rtaddr);
        linux.command(held(linux.read(reg::GSTS)) | 1 << 30, 1 << 30);
        // `intel_iommu_enable_prq`.
        linux.write(reg::PECTL + 4, PAGE_MSI.1);
        linux.write(reg::PECTL + 8, PAGE_MSI.0 as u32);
        linux.write(reg::PECTL, 0);
        linux.write64(reg::PQH, 0);
        linux.write64(reg::PQT, 0);
        linux.write64(reg::PQA, PAGE_QUEUE | 4);
        // `iommu_enable_translation`.
        linux.command(held(linux.read(reg::GSTS)) | 1 << 31, 1 << 31);
        linux
    }

    fn write(&self, offset: u64, value: u32) -> Vec<Effect> {
        self.vtd.mmio_write(&self.guest.mem, offset, value.into(), 4).0
    }

    fn write64(&self, offset: u64, value: u64) -> Vec<Effect> {
        self.vtd.mmio_write(&self.guest.mem, offset, value, 8).0
    }

    fn read(&self, offset: u64) -> u32 {
        self.vtd.mmio_read(offset, 4) as u32
    }

    /// `IOMMU_WAIT_OP`: the machine panics unless the status follows.
    fn command(&self, value: u32, wanted: u32) {
        self.write(reg::GCMD, value);
        assert_eq!(self.read(reg::GSTS) & wanted, wanted);
    }

    /// `qi_submit_sync`.
    fn submit(&mut self, descriptors: &[[u64; 4]]) -> Vec<Effect> {
        for descriptor in descriptors.iter().chain(&[wait(2)]) {
            self.guest.mem.put_all(QUEUE + self.tail, descriptor);
            self.tail = (self.tail + 32) % 8192;
        }
        self.write(reg::IQT, self.tail as u32)
    }

    fn ats(&self) -> AtsTranslation {
        let (outcome, effects) =
            self.vtd.ats(&self.guest.mem, &request(Some(PASID), ADDR, WRITE), 0x1000, true);
        assert!(effects.0.is_empty());
        match outcome {
            AtsOutcome::Success(found) => found,
            refused => panic!("{refused:?}"),
        }
    }

    fn ask(&self, group: u16) -> Vec<Effect> {
        let request = PageRequest {
            stream: SID,
            substream: Some(PASID),
            addr: ADDR,
            access: WRITE,
            group,
            last: true,
            private_data: None,
        };
        self.vtd.page_request(&self.guest.mem, &request).0
    }
}

#[test]
fn a_fault_of_a_bound_process() {
    let mut linux = Linux::boot();
    let function = linux.guest.function(SID);
    let tables = linux.guest.first_stage(4);
    linux.guest.set_pasid(function, PASID, &pasid_first(&tables, 1));
    linux.guest.entry(&tables, ADDR, 12);
    // The endpoint has nothing, and asks.
    assert!(!linux.ats().read);
    assert_eq!(linux.ask(3), [msi(PAGE_MSI)]);
    // `prq_event_thread`: the status goes before the queue is read.
    linux.write(reg::PRS, 1);
    let (head, tail) = (linux.vtd.mmio_read(reg::PQH, 8), linux.vtd.mmio_read(reg::PQT, 8));
    assert_eq!((head, tail), (0, 32));
    let [first, second] = [0, 8].map(|at| linux.guest.mem.get(PAGE_QUEUE + at));
    assert_eq!(first, u64::from(PASID) << 32 | u64::from(SID) << 16 | 1 << 8 | 1);
    assert_eq!(second, ADDR | 3 << 3 | 1 << 2 | 1 << 1);
    let pte = linux.guest.map(&tables, ADDR, TO, 12, user_rw());
    linux.write64(reg::PQH, tail);
    let response = [u64::from(PASID) << 32 | u64::from(SID) << 16 | 1 << 4 | 9, 3 << 3, 0, 0];
    let answer = Effect::PageResponse {
        stream: SID,
        substream: Some(PASID),
        group: 3,
        code: PageResponseCode::Success,
    };
    assert_eq!(linux.submit(&[response]), [answer, status(2)]);
    let found = linux.ats();
    assert_eq!((found.addr, found.read, found.write), (TO, true, true));
    assert_eq!(linux.guest.mem.get(pte) & 0x60, 0x60, "accessed and dirty");

    // `munmap`: the page goes, then both caches forget it, then its memory is somebody else's.
    linux.guest.mem.put(pte, 0);
    let page = [u64::from(PASID) << 32 | 1 << 16 | 3 << 4 | 6, ADDR, 0, 0];
    let device = [u64::from(PASID) << 32 | u64::from(SID) << 16 | 8, ADDR, 0, 0];
    let effects = linux.submit(&[page, device]);
    let Some(Effect::AtsInvalidate { itag, addr: ADDR, mask: 0xfff, .. }) = effects.last() else {
        panic!("{effects:?}")
    };
    assert!(!effects.contains(&status(2)), "the endpoint may still use it");
    assert!(!linux.ats().read);
    assert_eq!(linux.vtd.device_tlb_done(&linux.guest.mem, SID, *itag).0, [status(2)]);

    let stats = linux.vtd.stats();
    assert_eq!((stats.page_requests, stats.page_responses, stats.auto_responses), (1, 1, 0));
    assert_eq!((stats.ats_requests, stats.ats_failed), (3, 2));
    assert_eq!((stats.device_tlb_invalidations, stats.waits, stats.translator.dirty_updates), (1, 2, 1));
    assert_eq!(linux.read(reg::FSTS), 0, "recoverable faults are not recorded");
    let json = stats.json();
    assert!(json.contains("\"page-requests\":1,\"page-responses\":1,"), "{json}");
}

#[test]
fn an_unbound_process() {
    let mut linux = Linux::boot();
    let function = linux.guest.function(SID);
    let tables = linux.guest.first_stage(4);
    linux.guest.set_pasid(function, PASID, &pasid_first(&tables, 1));
    linux.guest.map(&tables, ADDR, TO, 12, user_rw());
    let access = request(Some(PASID), ADDR, WRITE);
    let (outcome, _) = linux.vtd.translate(&linux.guest.mem, &access, true);
    let Outcome::Translated { translation, epoch } = outcome else { panic!() };
    assert_eq!(translation.addr, TO);
    // `intel_pasid_tear_down_entry`, then `intel_iommu_drain_pasid_prq`.
    let entry = linux.guest.pasid_entry(function, PASID);
    linux.guest.mem.put(entry, 0b10);
    let pasid = u64::from(PASID) << 32 | 1 << 16;
    let all = [pasid | 2 << 4 | 6, 0, 0, 0];
    linux.submit(&[[pasid | 1 << 4 | 7, 0, 0, 0], all]);
    assert!(linux.vtd.end(epoch), "the access was still in flight");
    assert_eq!(linux.vtd.run_pending(&linux.guest.mem).0, [status(2)]);
    let (outcome, effects) = linux.vtd.translate(&linux.guest.mem, &access, true);
    assert_eq!((outcome, effects.0), (Outcome::Aborted, vec![]), "FPD: Linux hears nothing of it");
    linux.guest.mem.put(entry, 0);
    linux.submit(&[[pasid | 1 << 4 | 7, 0, 0, 0]]);
    let (outcome, effects) = linux.vtd.translate(&linux.guest.mem, &access, true);
    assert_eq!((outcome, effects.0), (Outcome::Aborted, vec![msi(FAULT_MSI)]));
    assert_eq!(linux.vtd.mmio_read(0x228, 8) >> 32 & 0xff, 0x59);
}

#[test]
fn a_page_that_may_only_be_read() {
    let linux = Linux::boot();
    let function = linux.guest.function(SID);
    let tables = linux.guest.first_stage(5);
    linux.guest.set_pasid(function, PASID, &pasid_first(&tables, 1));
    let pte = linux.guest.map(&tables, ADDR, TO, 12, user_ro());
    let found = linux.ats();
    assert_eq!((found.read, found.write), (true, false));
    // Allowed meanwhile: no invalidation is owed for that.
    linux.guest.mem.put(pte, TO | user_rw());
    assert!(linux.ats().write);
    assert!(!interrupt_range::contains(ADDR));
}

#[test]
fn page_requests_without_permission_in_the_context_entry() {
    let linux = Linux::boot();
    let function = linux.guest.function(SID);
    linux.guest.set_context(function, linux.guest.context0(function).with_pre(0), 0.into());
    let answer = Effect::PageResponse {
        stream: SID,
        substream: Some(PASID),
        group: 3,
        code: PageResponseCode::Invalid,
    };
    assert_eq!(linux.ask(3), [msi(FAULT_MSI), answer]);
    assert_eq!(linux.vtd.mmio_read(0x228, 8) >> 32 & 0xff, 0x47);
}

/// Devices write to a page while the driver unmaps it, waits, and gives it to another owner: again and again.
#[test]
fn nobody_uses_a_page_after_the_wait() {
    use_and_reuse(Driver::Waits);
}

/// The same with a driver that does not wait: a device finds the page given away, and that ends the test.
#[test]
#[should_panic(expected = "a scoped thread panicked")]
fn a_driver_that_does_not_wait_is_found_out() {
    use_and_reuse(Driver::DoesNotWait);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Driver {
    Waits,
    DoesNotWait,
}

fn use_and_reuse(driver: Driver) {
    let mut linux = Linux::boot();
    let function = linux.guest.function(SID);
    let tables = linux.guest.first_stage(4);
    linux.guest.set_pasid(function, PASID, &pasid_first(&tables, 1));
    let pte = linux.guest.entry(&tables, ADDR, 12);
    let page = [u64::from(PASID) << 32 | 1 << 16 | 3 << 4 | 6, ADDR, 0, 0];
    let (gone, over, failed) = (AtomicBool::new(true), AtomicBool::new(false), AtomicBool::new(false));
    let used = AtomicU64::new(0);
    // The descriptors are the same each round: the driver only moves the tail.
    for slot in 0..256u64 {
        let descriptor = if slot % 2 == 0 { page } else { wait(2) };
        linux.guest.mem.put_all(QUEUE + slot * 32, &descriptor);
    }
    let (vtd, mem) = (&linux.vtd, &linux.guest.mem);
    let tail = &mut linux.tail;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let _alarm = Alarm(&failed);
                while !over.load(Ordering::SeqCst) {
                    let access = request(Some(PASID), ADDR, WRITE);
                    let (outcome, effects) = vtd.translate(mem, &access, false);
                    assert!(effects.0.is_empty());
                    if let Outcome::Translated { epoch, .. } = outcome {
                        assert!(!gone.load(Ordering::SeqCst), "it is somebody else's");
                        used.fetch_add(1, Ordering::SeqCst);
                        if vtd.end(epoch) {
                            vtd.pending.want();
                        }
                    }
                }
            });
        }
        let is_bad = || failed.load(Ordering::SeqCst);
        // A driver that does not wait is found out sooner or later; the other one has its rounds.
        let mut rounds = 0;
        while !is_bad() && (driver == Driver::DoesNotWait || rounds < 300) {
            rounds += 1;
            gone.store(false, Ordering::SeqCst);
            mem.put(pte, TO | user_rw());
            let before = used.load(Ordering::SeqCst);
            while used.load(Ordering::SeqCst) < before + 3 && !is_bad() {
                std::hint::spin_loop();
            }
            if driver == Driver::DoesNotWait {
                gone.store(true, Ordering::SeqCst);
            }
            mem.put(pte, 0);
            *tail = (*tail + 64) % 8192;
            let mut effects = vtd.mmio_write(mem, reg::IQT, *tail, 4);
            while !effects.0.contains(&status(2)) && !is_bad() {
                // Somebody calls.
                if vtd.needs_run() {
                    effects = vtd.run_pending(mem);
                }
            }
            gone.store(true, Ordering::SeqCst);
            vtd.run_pending(mem);
        }
        over.store(true, Ordering::SeqCst);
    });
    assert_eq!(vtd.epochs.in_flight(), 0);
    assert_eq!(vtd.stats().waits, 300);
}
