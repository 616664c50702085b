// SPDX-License-Identifier: GPL-2.0-or-later
//! One DMA engine: it fetches descriptors from its ring and carries them out, step by step.
//!
//! A step is at most one access, within one 4 KiB page. What the access is follows from the engine's state
//! alone, and the state moves on only when the access is done: an access that has to wait is asked for
//! again by taking the same step again.

use super::access::{Aborted, Ahead, Initiator, Operation, Shared, Trouble, Wait};
use super::counters::bump;
use super::descriptor::{DESCRIPTOR_SIZE, Descriptor, Opcode, RECORD_SIZE, RECORD_STATUS, Status};
use super::port::{Port, Width};
use super::registers::{
    Cause, EngineStatus, FaultMode, MAX_RING_LOG2, Prefetch, RESET_BURST, RingPasid, int_engine,
};
use super::work::{Outcome, Phase, Work};
use super::{PAGE_BYTES, PAGE_SIZE, add_wrapping, copy, index, offset_in_page};

/// The first pause before a page is requested again that was granted and is not there; each further one is twice as
/// long.
const FIRST_PAUSE_NS: u64 = 10_000;
/// No pause is longer: a page queue without room stays so for as long as its software takes.
const MAX_PAUSE_NS: u64 = 10_000_000;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is nothing to do, or nothing that can be done now.
    Blocked,
    /// It moved on, with so many bytes of data finished.
    Moved(u64),
}

/// A DMA engine.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Its number.
    pub number: u8,
    /// CTRL.RUN.
    pub run: bool,
    /// STATUS: halted by an error.
    pub halted: bool,
    /// FAULT_MODE.
    pub mode: FaultMode,
    /// RING_BASE.
    pub ring_base: u64,
    /// RING_SIZE.
    pub ring_log2: u32,
    /// RING_PASID.
    pub ring_pasid: RingPasid,
    /// HEAD.
    pub head: u32,
    /// TAIL.
    pub tail: u32,
    /// FAULT_CAUSE.
    pub cause: Cause,
    /// FAULT_ADDR.
    pub fault_addr: u64,
    /// BURST.
    pub burst: u32,
    /// PREFETCH.
    pub prefetch: Prefetch,
    /// How many descriptors from HEAD on are cancelled.
    pub cancel_any: u32,
    /// How many descriptors from HEAD on are cancelled if they have no PASID.
    pub cancel_plain: u32,
    /// What it waits for.
    pub wait: Option<Wait>,
    /// Address of the access that waits.
    pub wait_addr: u64,
    /// Page requests made for the access in hand.
    pub attempts: u8,
    /// The descriptor in hand.
    pub work: Work,
}

impl Engine {
    /// An engine after reset.
    #[must_use]
    pub fn new(number: u8) -> Self {
        Self {
            number,
            run: false,
            halted: false,
            mode: FaultMode::Wait,
            ring_base: 0,
            ring_log2: 0,
            ring_pasid: RingPasid::default(),
            head: 0,
            tail: 0,
            cause: Cause::None,
            fault_addr: 0,
            burst: RESET_BURST,
            prefetch: Prefetch::default().sane(),
            cancel_any: 0,
            cancel_plain: 0,
            wait: None,
            wait_addr: 0,
            attempts: 0,
            work: Work::default(),
        }
    }

    /// STATUS.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        EngineStatus::default()
            .with_running(u32::from(self.run))
            .with_waiting(u32::from(self.wait.is_some()))
            .with_halted(u32::from(self.halted))
            .with_cause(u32::from(self.cause as u8))
    }

    /// Whether a step would do something at `now`. `credit`: page requests may be sent, or fail at once.
    #[must_use]
    pub fn is_ready(&self, credit: bool, now: u64) -> bool {
        let free = match self.wait {
            None => true,
            Some(Wait::Credit) => credit,
            Some(Wait::Pause { until }) => now >= until,
            Some(_) => false,
        };
        self.run && free && (self.work.phase != Phase::Fetch || self.head != self.tail)
    }

    /// The address space of the accesses of the current phase.
    #[must_use]
    pub fn space(&self) -> Option<u32> {
        if self.work.phase.is_ring() { self.ring_pasid.space() } else { self.work.descriptor.space() }
    }

    /// CTRL.RUN is set: starts at HEAD.
    pub fn start(&mut self) {
        if !self.run {
            self.run = true;
            self.halted = false;
            self.work.phase = Phase::Fetch;
        }
    }

    /// CTRL.RUN is cleared: gives up the descriptor in hand, without completing it.
    pub fn stop(&mut self, shared: &mut Shared, port: &mut dyn Port) {
        self.give_up_wait(shared, port);
        self.disown_groups(shared);
        self.run = false;
        self.work.phase = Phase::Fetch;
    }

    /// RESET: stops, and clears HEAD, TAIL and errors.
    pub fn reset(&mut self, shared: &mut Shared, port: &mut dyn Port) {
        self.stop(shared, port);
        self.halted = false;
        self.head = 0;
        self.tail = 0;
        self.cause = Cause::None;
        self.fault_addr = 0;
        self.cancel_any = 0;
        self.cancel_plain = 0;
    }

    /// Every access of `pasid` must end: those in flight, and the ring's if it is there. `cause` says why,
    /// and `addr` where, if it is not the access in hand.
    pub fn drop_pasid(
        &mut self,
        pasid: u32,
        cause: Cause,
        addr: Option<u64>,
        shared: &mut Shared,
        port: &mut dyn Port,
    ) {
        if !self.run {
            return;
        }
        if self.ring_pasid.space() == Some(pasid) {
            let addr = addr.unwrap_or_else(|| self.current_addr());
            self.give_up_wait(shared, port);
            self.halt(cause, addr, shared);
        } else if !self.work.phase.is_ring() && self.work.descriptor.space() == Some(pasid) {
            self.drop_data(cause, shared, port);
        }
    }

    /// Every descriptor that was offered so far must end, or every one without PASID.
    pub fn cancel(&mut self, only_plain: bool, shared: &mut Shared, port: &mut dyn Port) {
        if !self.run {
            return;
        }
        let offered = self.tail.wrapping_sub(self.head).min(1 << MAX_RING_LOG2);
        if only_plain {
            self.cancel_plain = offered;
        } else {
            self.cancel_any = offered;
        }
        if only_plain && self.space().is_some() {
            return;
        }
        if !self.work.phase.is_ring() {
            self.drop_data(Cause::Cancelled, shared, port);
        } else if self.wait.is_some() {
            let addr = self.wait_addr;
            self.give_up_wait(shared, port);
            self.halt(Cause::Cancelled, addr, shared);
        }
    }

    fn drop_data(&mut self, cause: Cause, shared: &mut Shared, port: &mut dyn Port) {
        let fault_addr = self.current_addr();
        self.give_up_wait(shared, port);
        let status = if cause == Cause::Cancelled { Status::Cancelled } else { Status::Fault };
        self.finish(Outcome { status, cause, fault_addr }, shared);
    }

    fn current_addr(&self) -> u64 {
        if self.wait.is_some() { self.wait_addr } else { 0 }
    }

    /// The IOMMU's answer to a waiting request; `false` when the engine does not wait with `tag`.
    pub fn resolved(&mut self, tag: u64, retry: bool, shared: &mut Shared) -> bool {
        match self.wait {
            Some(Wait::Iommu { tag: waiting, .. }) if waiting == tag => {}
            _ => return false,
        }
        self.wait = None;
        if retry {
            bump(&mut shared.counters.resumed);
        } else {
            bump(&mut shared.counters.aborted);
            self.fail(Cause::Aborted, self.wait_addr, shared);
        }
        true
    }

    /// The response to a page request group: when it was granted, or why the access fails.
    pub fn page_response(&mut self, group: u16, granted: Result<u64, Cause>, shared: &mut Shared) {
        if self.wait != Some(Wait::PageGroup(group)) {
            return;
        }
        self.wait = None;
        match granted {
            Ok(now) => self.asks_again(now),
            Err(cause) => self.fail(cause, self.wait_addr, shared),
        }
    }

    /// A page is granted: the access asks again, at once the first time, and after a pause if that did not help. A
    /// queue without room grants everything (`IHI0070 §8.1`, `VTD §7.4`), and would be asked without end.
    fn asks_again(&mut self, now: u64) {
        if let Some(doublings) = self.attempts.checked_sub(1) {
            let pause =
                1u64.checked_shl(doublings.into()).map_or(MAX_PAUSE_NS, |n| n.saturating_mul(FIRST_PAUSE_NS));
            self.wait = Some(Wait::Pause { until: now.saturating_add(pause.min(MAX_PAUSE_NS)) });
        }
        self.attempts = self.attempts.saturating_add(1);
    }

    fn give_up_wait(&mut self, shared: &mut Shared, port: &mut dyn Port) {
        if let Some(Wait::Iommu { tag, pasid }) = self.wait.take() {
            port.cancel(pasid, tag);
            bump(&mut shared.counters.cancelled);
        }
        self.attempts = 0;
    }

    /// Takes one step. `budget`: the most bytes of data that it may finish, at least 1.
    pub fn step(&mut self, budget: u64, shared: &mut Shared, port: &mut dyn Port) -> Step {
        if matches!(self.wait, Some(Wait::Credit | Wait::Pause { .. })) {
            self.wait = None;
        }
        if !self.run || self.wait.is_some() {
            return Step::Blocked;
        }
        match self.work.phase {
            Phase::Fetch => self.fetch(shared, port),
            Phase::SourceList | Phase::DestinationList => self.read_list(shared, port),
            Phase::Source => self.read_source(budget, shared, port),
            Phase::Destination => self.access_destination(budget, shared, port),
            Phase::Record | Phase::Status => self.write_record(shared, port),
        }
    }

    fn ring_initiator(&self) -> Initiator {
        Initiator {
            engine: self.number,
            pasid: self.ring_pasid.space(),
            privileged: false,
            exec: false,
            mode: self.mode,
            attempts: self.attempts,
            ahead: Ahead::default(),
        }
    }

    /// `reach`: how many bytes from the access's address on are accessed in the same way.
    fn data_initiator(&self, exec: bool, reach: u64) -> Initiator {
        let control = self.work.descriptor.control;
        Initiator {
            engine: self.number,
            pasid: self.work.descriptor.space(),
            privileged: control.privileged() != 0,
            exec: exec && control.execute() != 0,
            mode: self.mode,
            attempts: self.attempts,
            ahead: Ahead { prefetch: self.prefetch, reach },
        }
    }

    fn fetch(&mut self, shared: &mut Shared, port: &mut dyn Port) -> Step {
        let size = 1u32.checked_shl(self.ring_log2).unwrap_or(1);
        let offered = self.tail.wrapping_sub(self.head);
        if offered == 0 {
            return Step::Blocked;
        }
        if offered > size {
            self.halt(Cause::BadDescriptor, 0, shared);
            return Step::Blocked;
        }
        let slot = u64::from(self.head & size.wrapping_sub(1));
        let addr = add_wrapping(self.ring_base, slot.wrapping_mul(DESCRIPTOR_SIZE as u64));
        let mut bytes = [0; DESCRIPTOR_SIZE];
        let result = shared.perform(port, &self.ring_initiator(), addr, Operation::Read(&mut bytes));
        if !self.is_done(result, addr, shared) {
            return Step::Blocked;
        }
        bump(&mut shared.counters.descriptors);
        self.begin(Descriptor::from_bytes(&bytes), addr, shared);
        Step::Moved(0)
    }

    fn begin(&mut self, descriptor: Descriptor, addr: u64, shared: &mut Shared) {
        let completion = descriptor.completion;
        if completion & 7 != 0 || completion.checked_add(RECORD_SIZE as u64).is_none() {
            self.halt(Cause::BadDescriptor, addr, shared);
            return;
        }
        let work = &mut self.work;
        work.descriptor = descriptor;
        work.opcode = Opcode::Nop;
        work.moved = 0;
        work.total = 0;
        work.done = 0;
        work.chunk = 0;
        work.result = 0;
        work.outcome = None;
        let Ok(opcode) = descriptor.validate(&shared.limits) else {
            self.finish_bad(shared);
            return;
        };
        work.opcode = opcode;
        if self.cancel_any != 0 || self.cancel_plain != 0 && descriptor.space().is_none() {
            let outcome = Outcome { status: Status::Cancelled, cause: Cause::Cancelled, fault_addr: 0 };
            self.finish(outcome, shared);
        } else if descriptor.space().is_some_and(|pasid| shared.halted.contains(pasid)) {
            let outcome = Outcome { status: Status::Fault, cause: Cause::PasidHalted, fault_addr: 0 };
            self.finish(outcome, shared);
        } else if descriptor.control.src_list() != 0 {
            work.phase = Phase::SourceList;
        } else if descriptor.control.dst_list() != 0 {
            work.phase = Phase::DestinationList;
        } else {
            self.begin_data(shared);
        }
    }

    fn read_list(&mut self, shared: &mut Shared, port: &mut dyn Port) -> Step {
        let reach = self.work.descriptor.list_size().saturating_sub(u64::from(self.work.moved));
        let from = self.data_initiator(false, reach);
        let work = &mut self.work;
        let (base, bytes) = match work.phase {
            Phase::SourceList => (work.descriptor.src, work.src_list.as_mut_slice()),
            _ => (work.descriptor.dst, work.dst_list.as_mut_slice()),
        };
        let moved = u64::from(work.moved);
        let addr = add_wrapping(base, moved);
        let left = work.descriptor.list_size().saturating_sub(moved);
        let length = left.min(PAGE_SIZE.saturating_sub(offset_in_page(addr)));
        let end = moved.saturating_add(length);
        let Some(buf) = bytes.get_mut(index(moved)..index(end)) else {
            self.finish_bad(shared);
            return Step::Moved(0);
        };
        let result = shared.perform(port, &from, addr, Operation::Read(buf));
        if !self.is_done(result, addr, shared) {
            return Step::Blocked;
        }
        let work = &mut self.work;
        work.moved = u32::try_from(end).unwrap_or(u32::MAX);
        if length == left {
            work.moved = 0;
            if work.phase == Phase::SourceList && work.descriptor.control.dst_list() != 0 {
                work.phase = Phase::DestinationList;
            } else {
                self.begin_data(shared);
            }
        }
        Step::Moved(0)
    }

    fn begin_data(&mut self, shared: &mut Shared) {
        if self.work.set_up_ranges().is_err() {
            self.finish_bad(shared);
            return;
        }
        if self.work.opcode == Opcode::Compare {
            self.work.result = u64::MAX;
        }
        self.next_piece(0, shared);
    }

    /// `finished` bytes more are done.
    fn next_piece(&mut self, finished: u64, shared: &mut Shared) {
        let work = &mut self.work;
        work.done = work.done.saturating_add(finished);
        work.src.advance(finished);
        work.dst.advance(finished);
        work.chunk = 0;
        work.phase = work.first_data_phase();
        if work.done >= work.total {
            self.finish(Outcome { status: Status::Ok, cause: Cause::None, fault_addr: 0 }, shared);
        }
    }

    /// Size of the piece in hand; chosen once, so that a retry asks for the same.
    fn choose_piece(&mut self, budget: u64) -> u64 {
        if self.work.chunk == 0 {
            let size = self.work.piece_limit().min(budget);
            self.work.chunk = u32::try_from(size).unwrap_or(0);
        }
        u64::from(self.work.chunk)
    }

    fn read_source(&mut self, budget: u64, shared: &mut Shared, port: &mut dyn Port) -> Step {
        let size = self.choose_piece(budget);
        let from = self.data_initiator(true, self.work.src.segment_left());
        let (addr, _) = self.work.src.here();
        let Some(buf) = self.work.buffer.get_mut(..index(size)) else { return Step::Blocked };
        let result = shared.perform(port, &from, addr, Operation::Read(buf));
        if !self.is_done(result, addr, shared) {
            return Step::Blocked;
        }
        if self.work.opcode != Opcode::Crc32c {
            self.work.phase = Phase::Destination;
            return Step::Moved(0);
        }
        let so_far = u32::try_from(self.work.result).unwrap_or(0);
        let data = self.work.buffer.get(..index(size)).unwrap_or(&[]);
        self.work.result = u64::from(crc32c::crc32c_append(so_far, data));
        self.next_piece(size, shared);
        Step::Moved(size)
    }

    fn access_destination(&mut self, budget: u64, shared: &mut Shared, port: &mut dyn Port) -> Step {
        if self.work.opcode == Opcode::CompareAndSwap {
            return self.compare_and_swap(shared, port);
        }
        let size = self.choose_piece(budget);
        let from = self.data_initiator(false, self.work.dst.segment_left());
        let (addr, _) = self.work.dst.here();
        let done = self.work.done;
        let work = &mut self.work;
        let Some(buf) = work.buffer.get_mut(..index(size)) else { return Step::Blocked };
        let mut other = [0; PAGE_BYTES];
        let operation = match work.opcode {
            Opcode::Compare => Operation::Read(other.get_mut(..index(size)).unwrap_or(&mut [])),
            Opcode::Fill => {
                let [low, ..] = done.to_le_bytes();
                let pattern = work.descriptor.operand0.rotate_right(u32::from(low & 7).wrapping_mul(8));
                for piece in buf.chunks_mut(8) {
                    copy(piece, &pattern.to_le_bytes());
                }
                Operation::Write(buf)
            }
            _ => Operation::Write(buf),
        };
        let result = shared.perform(port, &from, addr, operation);
        if !self.is_done(result, addr, shared) {
            return Step::Blocked;
        }
        if self.work.opcode == Opcode::Compare {
            let pair = self.work.buffer.iter().zip(&other).take(index(size));
            if let Some(same) = pair.into_iter().position(|(a, b)| a != b) {
                let same = u64::try_from(same).unwrap_or(0);
                self.work.done = done.saturating_add(same);
                self.work.result = self.work.done;
                let outcome = Outcome { status: Status::Mismatch, cause: Cause::None, fault_addr: 0 };
                self.finish(outcome, shared);
                return Step::Moved(same);
            }
        }
        self.next_piece(size, shared);
        Step::Moved(size)
    }

    fn compare_and_swap(&mut self, shared: &mut Shared, port: &mut dyn Port) -> Step {
        let from = self.data_initiator(false, 0);
        let descriptor = &self.work.descriptor;
        let addr = descriptor.dst;
        let (width, mask) = match descriptor.length {
            4 => (Width::Four, u64::from(u32::MAX)),
            _ => (Width::Eight, u64::MAX),
        };
        let (expected, desired) = (descriptor.operand0 & mask, descriptor.operand1 & mask);
        let mut found = 0;
        let operation = Operation::CompareExchange { width, expected, desired, found: &mut found };
        let result = shared.perform(port, &from, addr, operation);
        if !self.is_done(result, addr, shared) {
            return Step::Blocked;
        }
        self.work.result = found;
        if found == expected {
            self.next_piece(u64::from(width.bytes()), shared);
        } else {
            self.finish(Outcome { status: Status::Mismatch, cause: Cause::None, fault_addr: 0 }, shared);
        }
        Step::Moved(u64::from(width.bytes()))
    }

    fn write_record(&mut self, shared: &mut Shared, port: &mut dyn Port) -> Step {
        let moved = u64::from(self.work.moved);
        let addr = add_wrapping(self.work.descriptor.completion, moved);
        // STATUS is a write of its own, after all else.
        let part_end = if self.work.phase == Phase::Record { RECORD_STATUS } else { RECORD_SIZE } as u64;
        let in_page = PAGE_SIZE.saturating_sub(offset_in_page(addr));
        let end = part_end.min(moved.saturating_add(in_page));
        let record = self.work.record().unwrap_or([0; RECORD_SIZE]);
        let bytes = record.get(index(moved)..index(end)).unwrap_or(&[]);
        let result = shared.perform(port, &self.ring_initiator(), addr, Operation::Write(bytes));
        if !self.is_done(result, addr, shared) {
            return Step::Blocked;
        }
        self.work.moved = u32::try_from(end).unwrap_or(u32::MAX);
        if end == part_end {
            if self.work.phase == Phase::Record {
                self.work.phase = Phase::Status;
            } else {
                bump(&mut shared.counters.completions);
                self.retire(shared);
            }
        }
        Step::Moved(0)
    }

    /// Takes note of how an access went: done, waiting, or failed.
    fn is_done(&mut self, result: Result<(), Trouble>, addr: u64, shared: &mut Shared) -> bool {
        match result {
            Ok(()) => {
                self.attempts = 0;
                true
            }
            Err(Trouble::Wait(wait)) => {
                self.wait = Some(wait);
                self.wait_addr = addr;
                false
            }
            Err(Trouble::Fail(cause)) => {
                self.fail(cause, addr, shared);
                false
            }
        }
    }

    fn fail(&mut self, cause: Cause, addr: u64, shared: &mut Shared) {
        self.attempts = 0;
        if cause != Cause::PasidHalted {
            bump(&mut shared.counters.faults);
        }
        if cause.halts_pasid()
            && let Some(pasid) = self.space()
            && shared.halted.insert(pasid)
        {
            shared.aborted = Some(Aborted { pasid, engine: self.number, cause, addr });
        }
        if self.work.phase.is_ring() {
            self.halt(cause, addr, shared);
        } else {
            self.finish(Outcome { status: Status::Fault, cause, fault_addr: addr }, shared);
        }
    }

    fn finish_bad(&mut self, shared: &mut Shared) {
        let outcome = Outcome { status: Status::BadDescriptor, cause: Cause::BadDescriptor, fault_addr: 0 };
        self.finish(outcome, shared);
    }

    /// What was requested ahead is nothing to the next descriptor, which may have another process's PASID.
    fn disown_groups(&self, shared: &mut Shared) {
        let engine = Some(self.number);
        shared.groups.disown(|group| group.ahead_of == engine);
    }

    /// The descriptor in hand has ended: its completion record comes next.
    fn finish(&mut self, outcome: Outcome, shared: &mut Shared) {
        self.disown_groups(shared);
        if outcome.cause != Cause::None {
            self.cause = outcome.cause;
            self.fault_addr = outcome.fault_addr;
        }
        self.work.outcome = Some(outcome);
        self.work.moved = 0;
        if self.work.descriptor.completion == 0 {
            self.retire(shared);
        } else {
            self.work.phase = Phase::Record;
        }
    }

    fn retire(&mut self, shared: &mut Shared) {
        if self.work.descriptor.control.interrupt() != 0 {
            shared.events |= int_engine(self.number);
        }
        self.advance_head();
    }

    fn advance_head(&mut self) {
        self.head = self.head.wrapping_add(1);
        self.cancel_any = self.cancel_any.saturating_sub(1);
        self.cancel_plain = self.cancel_plain.saturating_sub(1);
        self.work.phase = Phase::Fetch;
    }

    /// An error that no completion record can tell: stops.
    fn halt(&mut self, cause: Cause, addr: u64, shared: &mut Shared) {
        if matches!(self.work.phase, Phase::Record | Phase::Status) {
            // Its work is done and must not be done again.
            self.advance_head();
        }
        self.work.phase = Phase::Fetch;
        self.run = false;
        self.halted = true;
        self.wait = None;
        self.cause = cause;
        self.fault_addr = addr;
        shared.events |= int_engine(self.number);
    }
}
