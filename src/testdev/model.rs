// SPDX-License-Identifier: GPL-2.0-or-later
//! The device as software sees it: its registers, and the engines behind them.
//!
//! Nothing happens in a register write but the bookkeeping: work is done in [`Device::tick`], which the
//! shell calls from the main loop while the machine runs.

use super::access::{Shared, Wait};
use super::counters::{Counters, bump};
use super::descriptor::Limits;
use super::engine::{Engine, Step};
use super::map::{EngineRegister, Part, Register};
use super::port::{Invalidation, Port};
use super::pri::PageResponse;
use super::registers::{
    Caps, Cause, Control, EngineControl, FaultMode, ID, INT_CANCEL, MAX_BURST, MAX_ENGINES, MAX_RING_LOG2,
    MIN_BURST, PasidCommand, Prefetch, RingPasid, VERSION,
};
use super::scatter::MAX_ENTRIES;
use super::windows::Windows;

/// Steps of one engine in one tick, whatever they move.
const STEPS_PER_TICK: u32 = 1024;

/// What a device has; fixed when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Number of engines, 1 to 16.
    pub engines: u8,
    /// PASID width in bits, 0 (none) to 20.
    pub pasid_bits: u8,
    /// ATS is there.
    pub ats: bool,
    /// PRI is there.
    pub pri: bool,
    /// The execute flag is there.
    pub exec: bool,
    /// The privileged flag is there.
    pub privileged: bool,
    /// Engines accept descriptors and do nothing.
    pub engines_off: bool,
    /// Entries of the translation cache, 0 to 1024.
    pub atc_entries: u16,
    /// Responses to page requests with a PASID carry that PASID.
    pub response_pasid: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            engines: 4,
            pasid_bits: 20,
            ats: true,
            pri: true,
            exec: true,
            privileged: true,
            engines_off: false,
            atc_entries: 64,
            response_pasid: true,
        }
    }
}

/// What a register write asks of the shell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Written {
    /// Call [`Device::tick`] soon.
    pub kick: bool,
    /// A mistake of the guest's, for the log.
    pub mistake: Option<&'static str>,
}

/// What a tick leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Tick {
    /// There is more to do: call again.
    pub more: bool,
    /// There will be more to do at this moment of [`Port::now`].
    pub at: Option<u64>,
}

/// The device.
#[derive(Clone, Debug)]
pub struct Device {
    pub(super) config: Config,
    /// The IOMMU in front lets requests wait.
    pub(super) can_wait: bool,
    pub(super) enable: bool,
    pub(super) int_status: u32,
    pub(super) int_mask: u32,
    pub(super) scratch: u32,
    /// The engine whose turn it is.
    pub(super) turn: u8,
    /// An interrupt message is due.
    pub(super) interrupt: bool,
    pub(super) windows: Windows,
    pub(super) engines: Vec<Engine>,
    pub(super) shared: Shared,
}

impl Device {
    /// A device after reset. Numbers in `config` are taken into their ranges.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let config = Config {
            engines: config.engines.clamp(1, MAX_ENGINES),
            pasid_bits: config.pasid_bits.min(20),
            atc_entries: config.atc_entries.min(super::atc::MAX_ENTRIES),
            ..config
        };
        let limits = Limits {
            pasid_bits: config.pasid_bits,
            exec: config.exec && config.pasid_bits != 0,
            privileged: config.privileged && config.pasid_bits != 0,
        };
        Self {
            config,
            can_wait: false,
            enable: true,
            int_status: 0,
            int_mask: 0,
            scratch: 0,
            turn: 0,
            interrupt: false,
            windows: Windows::default(),
            engines: (0..config.engines).map(Engine::new).collect(),
            shared: Shared::new(limits, config.atc_entries),
        }
    }

    /// Whether the IOMMU in front lets requests wait; shown in CAPS.
    pub fn set_can_wait(&mut self, can_wait: bool) {
        self.can_wait = can_wait;
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// The requests that wait for the IOMMU: PASID and tag.
    pub fn waiting(&self) -> impl Iterator<Item = (Option<u32>, u64)> + '_ {
        self.engines.iter().filter_map(|engine| match engine.wait {
            Some(Wait::Iommu { tag, pasid }) => Some((pasid, tag)),
            _ => None,
        })
    }

    /// Page request groups that have no response yet.
    #[must_use]
    pub fn page_groups_outstanding(&self) -> u32 {
        self.shared.groups.groups()
    }

    /// The address spaces of page requests that have no response yet.
    pub fn page_requesters(&self) -> impl Iterator<Item = Option<u32>> + '_ {
        self.shared.groups.outstanding().map(|(_, group)| group.pasid)
    }

    /// The address spaces of translations that are cached.
    pub fn cached_spaces(&self) -> impl Iterator<Item = Option<u32>> + '_ {
        self.shared.cache.used().map(|(_, entry)| entry.pasid)
    }

    /// Whether an interrupt message is due.
    #[must_use]
    pub fn is_interrupt_due(&self) -> bool {
        self.interrupt
    }

    /// Whether an interrupt message is due; asking takes it.
    #[must_use]
    pub fn take_interrupt(&mut self) -> bool {
        std::mem::take(&mut self.interrupt)
    }

    /// Reads the register at `offset`; zero where there is none.
    #[must_use]
    pub fn read(&self, offset: u64, size: u32) -> u64 {
        let Some((register, part)) = Register::decode(offset, size) else { return 0 };
        let value = match register {
            Register::Id => u64::from(ID),
            Register::Version => u64::from(VERSION),
            Register::Caps => u64::from(self.caps().bits()),
            Register::Control => u64::from(Control::default().with_enable(u32::from(self.enable)).bits()),
            Register::IntStatus => u64::from(self.int_status),
            Register::IntMask => u64::from(self.int_mask),
            Register::Cancel | Register::Rearm => 0,
            Register::Scratch => u64::from(self.scratch),
            Register::HaltedCount => u64::from(self.shared.halted.count()),
            Register::Counter(number) => self.shared.counters.values().get(number).copied().unwrap_or(0),
            Register::Atc(register) => self.windows.read_atc(register, &self.shared),
            Register::Pri(register) => self.windows.read_pri(register, &self.shared),
            Register::Engine(number, register) => {
                self.engines.get(usize::from(number)).map_or(0, |engine| read_engine(engine, register))
            }
        };
        part.of(value)
    }

    fn caps(&self) -> Caps {
        let Config { engines, pasid_bits, ats, pri, .. } = self.config;
        Caps::default()
            .with_engines(u32::from(engines))
            .with_pasid_bits(u32::from(pasid_bits))
            .with_ats(u32::from(ats))
            .with_pri(u32::from(pri))
            .with_wait(u32::from(self.can_wait))
            .with_exec(u32::from(self.shared.limits.exec))
            .with_privileged(u32::from(self.shared.limits.privileged))
            .with_list_entries(u32::try_from(MAX_ENTRIES).unwrap_or(0))
    }

    /// Writes the register at `offset`.
    pub fn write(&mut self, offset: u64, value: u64, size: u32, port: &mut dyn Port) -> Written {
        let Some((register, part)) = Register::decode(offset, size) else {
            return mistake("write to no register, or of a size that it does not take");
        };
        let word = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
        let mut written = Written::default();
        match register {
            Register::Id
            | Register::Version
            | Register::Caps
            | Register::HaltedCount
            | Register::Counter(_) => written = mistake("write to a read-only register"),
            Register::Control => {
                let control = Control::from(word);
                if control.reset() != 0 {
                    self.reset_registers(port);
                }
                self.enable = control.enable() != 0 || control.reset() != 0;
                written.kick = true;
            }
            Register::IntStatus => self.int_status &= !word,
            Register::IntMask => {
                self.interrupt |= self.int_status & word & !self.int_mask != 0;
                self.int_mask = word;
            }
            Register::Cancel => {
                self.cancel(PasidCommand::from(word), port);
                written.kick = true;
            }
            Register::Rearm => {
                let command = PasidCommand::from(word);
                if command.go() != 0 && command.all() != 0 {
                    self.shared.halted.clear();
                } else if command.go() != 0 {
                    self.shared.halted.remove(command.pasid());
                }
            }
            Register::Scratch => self.scratch = word,
            Register::Atc(register) => {
                written = self.windows.write_atc(register, word, &mut self.shared);
            }
            Register::Pri(register) => {
                written = self.windows.write_pri(register, part, value, &mut self.shared, port);
            }
            Register::Engine(number, register) => {
                if let Some(engine) = self.engines.get_mut(usize::from(number)) {
                    let shared = &mut self.shared;
                    written = write_engine(engine, register, part, value, shared, port);
                }
            }
        }
        self.settle(port);
        written
    }

    fn cancel(&mut self, command: PasidCommand, port: &mut dyn Port) {
        if command.go() == 0 {
            return;
        }
        let shared = &mut self.shared;
        if command.all() != 0 {
            self.engines.iter_mut().for_each(|engine| engine.cancel(false, shared, port));
            shared.groups.disown(|_| true);
        } else if command.no_pasid() != 0 {
            self.engines.iter_mut().for_each(|engine| engine.cancel(true, shared, port));
            shared.groups.disown(|group| group.pasid.is_none());
        } else {
            let pasid = command.pasid();
            shared.halted.insert(pasid);
            for engine in &mut self.engines {
                engine.drop_pasid(pasid, Cause::Cancelled, None, shared, port);
            }
            shared.groups.disown(|group| group.pasid == Some(pasid));
            if command.stop_marker() != 0 {
                let _ = shared.send_stop_marker(port, pasid);
            }
        }
        shared.events |= INT_CANCEL;
    }

    /// What CTRL.RESET does: every register and engine to its reset state. Responses to page requests that
    /// are still out will be taken for what they are.
    fn reset_registers(&mut self, port: &mut dyn Port) {
        let Self {
            config,
            can_wait: _,
            enable,
            int_status,
            int_mask,
            scratch,
            turn,
            interrupt,
            windows,
            engines,
            shared,
        } = self;
        for engine in engines.iter_mut() {
            engine.stop(shared, port);
        }
        *engines = (0..config.engines).map(Engine::new).collect();
        *enable = true;
        *int_status = 0;
        *int_mask = 0;
        *scratch = 0;
        *turn = 0;
        *interrupt = false;
        *windows = Windows::default();
        let (mut groups, last_tag) = (std::mem::take(&mut shared.groups), shared.last_tag);
        groups.forget_answers();
        *shared = Shared { groups, last_tag, ..Shared::new(shared.limits, config.atc_entries) };
    }

    /// A reset from outside: of the function, the bus, or the machine. Page requests are forgotten too.
    pub fn reset(&mut self, port: &mut dyn Port) {
        self.reset_registers(port);
        self.shared.groups = Default::default();
    }

    /// The device goes away: cancels whatever waits.
    pub fn unplug(&mut self, port: &mut dyn Port) {
        for engine in &mut self.engines {
            engine.stop(&mut self.shared, port);
        }
    }

    /// Gives every engine its turn, each with its BURST.
    pub fn tick(&mut self, port: &mut dyn Port) -> Tick {
        if !self.enable || self.config.engines_off {
            return Tick::default();
        }
        let now = port.now();
        let count = self.config.engines;
        for step in 0..count {
            let number = self.turn.wrapping_add(step).checked_rem(count).unwrap_or(0);
            self.run_engine(usize::from(number), now, port);
        }
        self.turn = self.turn.wrapping_add(1).checked_rem(count).unwrap_or(0);
        let credit = self.has_credit(port);
        let pauses = self.engines.iter().filter_map(|engine| match engine.wait {
            Some(Wait::Pause { until }) => Some(until),
            _ => None,
        });
        Tick { more: self.engines.iter().any(|engine| engine.is_ready(credit, now)), at: pauses.min() }
    }

    /// Whether an engine that waits for leave to send a page request should try again.
    fn has_credit(&self, port: &dyn Port) -> bool {
        let allowance = port.page_request_allowance();
        allowance == 0 || self.shared.groups.credit(allowance) != 0
    }

    fn run_engine(&mut self, number: usize, now: u64, port: &mut dyn Port) {
        let credit = self.has_credit(port);
        let Some(engine) = self.engines.get(number) else { return };
        if !engine.is_ready(credit, now) {
            return;
        }
        let mut budget = u64::from(engine.burst);
        for _ in 0..STEPS_PER_TICK {
            let Some(engine) = self.engines.get_mut(number) else { return };
            let step = engine.step(budget, &mut self.shared, port);
            self.settle(port);
            match step {
                Step::Moved(bytes) => budget = budget.saturating_sub(bytes),
                Step::Blocked => {}
            }
            let ready = self.engines.get(number).is_some_and(|engine| engine.is_ready(false, now));
            if budget == 0 || !ready {
                return;
            }
        }
    }

    /// The IOMMU's answer to a request that waits. Returns whether there is such a request, and then wants
    /// a tick.
    pub fn resolved(&mut self, tag: u64, retry: bool, port: &mut dyn Port) -> bool {
        let shared = &mut self.shared;
        let known = self.engines.iter_mut().any(|engine| engine.resolved(tag, retry, shared));
        self.settle(port);
        known
    }

    /// A page request group response, for the address space of `pasid`. Returns whether that group was outstanding,
    /// and then wants a tick.
    pub fn page_response(
        &mut self,
        group: u16,
        pasid: Option<u32>,
        response: PageResponse,
        port: &mut dyn Port,
    ) -> bool {
        let Shared { groups, counters, .. } = &mut self.shared;
        // A response without PASID is for whoever has the index.
        let known = groups
            .get(group)
            .is_some_and(|group| group.pasid == pasid || !self.config.response_pasid && pasid.is_none());
        if !known {
            bump(&mut counters.responses_unexpected);
            return false;
        }
        groups.end(group, Some(response));
        bump(&mut counters.page_responses);
        let granted = match response {
            PageResponse::Success => {
                bump(&mut counters.responses_success);
                Ok(port.now())
            }
            PageResponse::Invalid => {
                bump(&mut counters.responses_invalid);
                Err(Cause::PageInvalid)
            }
            PageResponse::Failure => {
                bump(&mut counters.responses_failure);
                Err(Cause::PageFailure)
            }
        };
        for engine in &mut self.engines {
            engine.page_response(group, granted, &mut self.shared);
        }
        self.settle(port);
        true
    }

    /// The page request interface was reset: no response will come. Wants a tick.
    pub fn page_requests_lost(&mut self, port: &mut dyn Port) {
        for engine in &mut self.engines {
            if let Some(Wait::PageGroup(group)) = engine.wait {
                engine.page_response(group, Err(Cause::PageFailure), &mut self.shared);
            }
        }
        self.shared.groups.lose_all();
        self.settle(port);
    }

    /// Invalidations whose completion the shell keeps to itself.
    pub fn count_unanswered(&mut self, count: u64) {
        let counter = &mut self.shared.counters.invalidations_unanswered;
        *counter = counter.wrapping_add(count);
    }

    /// A device-TLB invalidation. When this returns no translation of that range is in use.
    pub fn invalidate(&mut self, invalidation: &Invalidation) {
        self.shared.invalidate(invalidation);
    }

    /// Forgets all translations.
    pub fn forget_translations(&mut self) {
        self.shared.cache.clear();
    }

    /// Carries out what the last steps left for the whole device: PASIDs to halt, interrupts to raise.
    fn settle(&mut self, port: &mut dyn Port) {
        // Halting a PASID makes no access, and so halts no other.
        if let Some(aborted) = self.shared.aborted.take() {
            for engine in &mut self.engines {
                let (cause, addr) = match engine.number == aborted.engine {
                    true => (aborted.cause, Some(aborted.addr)),
                    false => (Cause::PasidHalted, None),
                };
                engine.drop_pasid(aborted.pasid, cause, addr, &mut self.shared, port);
            }
            self.shared.groups.disown(|group| group.pasid == Some(aborted.pasid));
        }
        let events = std::mem::take(&mut self.shared.events);
        self.interrupt |= events & !self.int_status & self.int_mask != 0;
        self.int_status |= events;
    }
}

pub(super) fn mistake(what: &'static str) -> Written {
    Written { kick: false, mistake: Some(what) }
}

fn read_engine(engine: &Engine, register: EngineRegister) -> u64 {
    match register {
        EngineRegister::Control => u64::from(EngineControl::default().with_run(u32::from(engine.run)).bits()),
        EngineRegister::Status => u64::from(engine.status().bits()),
        EngineRegister::RingBase => engine.ring_base,
        EngineRegister::RingSize => u64::from(engine.ring_log2),
        EngineRegister::RingPasid => u64::from(engine.ring_pasid.bits()),
        EngineRegister::Head => u64::from(engine.head),
        EngineRegister::Tail => u64::from(engine.tail),
        EngineRegister::FaultMode => u64::from(engine.mode as u8),
        EngineRegister::FaultCause => u64::from(engine.cause as u8),
        EngineRegister::FaultAddr => engine.fault_addr,
        EngineRegister::Burst => u64::from(engine.burst),
        EngineRegister::Reset => 0,
        EngineRegister::Prefetch => u64::from(engine.prefetch.bits()),
    }
}

fn write_engine(
    engine: &mut Engine,
    register: EngineRegister,
    part: Part,
    value: u64,
    shared: &mut Shared,
    port: &mut dyn Port,
) -> Written {
    let word = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    let kick = Written { kick: true, mistake: None };
    let running = engine.run;
    match register {
        EngineRegister::Control => {
            if EngineControl::from(word).run() != 0 {
                engine.start();
                return kick;
            }
            engine.stop(shared, port);
        }
        EngineRegister::Reset => {
            if word & 1 != 0 {
                engine.reset(shared, port);
            }
        }
        EngineRegister::RingBase | EngineRegister::RingSize | EngineRegister::RingPasid if running => {
            return mistake("write to a ring register of a running engine");
        }
        EngineRegister::RingBase => engine.ring_base = part.replace(engine.ring_base, value) & !63,
        EngineRegister::RingSize if word > MAX_RING_LOG2 => return mistake("RING_SIZE above 12"),
        EngineRegister::RingSize => engine.ring_log2 = word,
        EngineRegister::RingPasid => {
            let ring = RingPasid::from(word);
            if !ring.fits(shared.limits.pasid_bits) {
                return mistake("RING_PASID wider than the device's PASIDs");
            }
            engine.ring_pasid = ring.sane();
        }
        EngineRegister::Tail => {
            engine.tail = word;
            return kick;
        }
        EngineRegister::FaultMode => match FaultMode::from_bits(word) {
            Some(mode) => engine.mode = mode,
            None => return mistake("FAULT_MODE above 2"),
        },
        EngineRegister::Burst => engine.burst = word.clamp(MIN_BURST, MAX_BURST),
        EngineRegister::Prefetch => engine.prefetch = Prefetch::from(word).sane(),
        EngineRegister::Status
        | EngineRegister::Head
        | EngineRegister::FaultCause
        | EngineRegister::FaultAddr => return mistake("write to a read-only register"),
    }
    Written::default()
}
