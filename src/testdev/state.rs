// SPDX-License-Identifier: GPL-2.0-or-later
//! The device in the form in which it migrates: a sequence of little-endian numbers.
//!
//! Every structure is taken apart exhaustively, so that a new field does not compile until somebody has
//! decided about it. Loading believes nothing: each value is checked for the range that the running device
//! keeps it in.

use super::access::{Shared, Wait};
use super::descriptor::{DESCRIPTOR_SIZE, Descriptor, Opcode, Status};
use super::engine::Engine;
use super::model::{Config, Device};
use super::registers::{Cause, FaultMode, MAX_BURST, MAX_RING_LOG2, MIN_BURST, Prefetch, RingPasid};
use super::work::{Outcome, Phase, Work};
use super::{PAGE_SIZE, copy};
use shared::{load_shared, load_windows, save_shared, save_windows};

mod shared;

/// Version of the form.
const VERSION: u32 = 3;

/// Why a state cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There is less of it than there must be, or more.
    #[error("the saved state of sva-testdev has the wrong size")]
    Size,
    /// It is in another form.
    #[error("the saved state of sva-testdev is in form {0}, this device reads form {VERSION}")]
    Version(u32),
    /// It is from a device with other properties.
    #[error(
        "property {name} of sva-testdev was {saved} when its state was saved and is {here} here; use the same value"
    )]
    Property {
        /// The property.
        name: &'static str,
        /// Where the state comes from.
        saved: u32,
        /// Here.
        here: u32,
    },
    /// A value that no device can have.
    #[error("the saved state of sva-testdev has an impossible {0}")]
    Invalid(&'static str),
}

struct Writer(Vec<u8>);

impl Writer {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(LoadError::Size)?;
        self.0 = rest;
        Ok(*first)
    }

    fn fill(&mut self, buf: &mut [u8]) -> Result<(), LoadError> {
        let (first, rest) = self.0.split_at_checked(buf.len()).ok_or(LoadError::Size)?;
        copy(buf, first);
        self.0 = rest;
        Ok(())
    }

    fn u8(&mut self) -> Result<u8, LoadError> {
        self.array().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, LoadError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, LoadError> {
        self.array().map(u64::from_le_bytes)
    }

    fn bool(&mut self, what: &'static str) -> Result<bool, LoadError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(LoadError::Invalid(what)),
        }
    }

    /// An address space that the device can have.
    fn address_space(&mut self, shared: &Shared, what: &'static str) -> Result<RingPasid, LoadError> {
        let space = RingPasid::from(self.u32()?);
        check(space == space.sane() && space.fits(shared.limits.pasid_bits), what)?;
        Ok(space)
    }

    fn same(&mut self, name: &'static str, here: u32) -> Result<(), LoadError> {
        let saved = self.u32()?;
        if saved == here { Ok(()) } else { Err(LoadError::Property { name, saved, here }) }
    }
}

fn check(valid: bool, what: &'static str) -> Result<(), LoadError> {
    if valid { Ok(()) } else { Err(LoadError::Invalid(what)) }
}

impl Device {
    /// The whole state, waiting requests with their tags included.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
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
        let mut to = Writer(Vec::new());
        to.u32(VERSION);
        for (_, value) in properties(config) {
            to.u32(value);
        }
        to.u8(u8::from(*enable));
        to.u32(*int_status);
        to.u32(*int_mask);
        to.u32(*scratch);
        to.u8(*turn);
        to.u8(u8::from(*interrupt));
        save_shared(shared, &mut to);
        save_windows(windows, &mut to);
        for engine in engines {
            save_engine(engine, &mut to);
        }
        to.0
    }

    /// Takes over a state that [`save`](Self::save) made. On an error the device is as it was.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        let mut from = Reader(bytes);
        let version = from.u32()?;
        if version != VERSION {
            return Err(LoadError::Version(version));
        }
        for (name, here) in properties(&self.config) {
            from.same(name, here)?;
        }
        let enable = from.bool("CTRL")?;
        let int_status = from.u32()?;
        let int_mask = from.u32()?;
        let scratch = from.u32()?;
        let turn = from.u8()?;
        check(turn < self.config.engines, "turn")?;
        let interrupt = from.bool("interrupt state")?;
        let shared = load_shared(&self.config, self.shared.limits, &mut from)?;
        let windows = load_windows(&shared, &mut from)?;
        let mut engines = Vec::with_capacity(self.engines.len());
        for number in 0..self.config.engines {
            engines.push(load_engine(number, &shared, &mut from)?);
        }
        check_waits(&engines, &shared)?;
        if !from.0.is_empty() {
            return Err(LoadError::Size);
        }
        *self = Self {
            config: self.config,
            can_wait: self.can_wait,
            enable,
            int_status,
            int_mask,
            scratch,
            turn,
            interrupt,
            windows,
            engines,
            shared,
        };
        Ok(())
    }
}

fn properties(config: &Config) -> [(&'static str, u32); 8] {
    // Engines that are switched off hold the same state.
    let Config {
        engines,
        pasid_bits,
        ats,
        pri,
        exec,
        privileged,
        engines_off: _,
        atc_entries,
        response_pasid,
    } = *config;
    [
        ("engines", u32::from(engines)),
        ("pasid-bits", u32::from(pasid_bits)),
        ("ats", u32::from(ats)),
        ("pri", u32::from(pri)),
        ("exec", u32::from(exec)),
        ("priv", u32::from(privileged)),
        ("atc-entries", u32::from(atc_entries)),
        ("x-pri-response-pasid", u32::from(response_pasid)),
    ]
}

fn save_engine(engine: &Engine, to: &mut Writer) {
    let Engine {
        number: _,
        run,
        halted,
        mode,
        ring_base,
        ring_log2,
        ring_pasid,
        head,
        tail,
        cause,
        fault_addr,
        burst,
        prefetch,
        cancel_any,
        cancel_plain,
        wait,
        wait_addr,
        attempts,
        work,
    } = engine;
    to.u8(u8::from(*run));
    to.u8(u8::from(*halted));
    to.u8(*mode as u8);
    to.u64(*ring_base);
    to.u32(*ring_log2);
    to.u32(ring_pasid.bits());
    to.u32(*head);
    to.u32(*tail);
    to.u8(*cause as u8);
    to.u64(*fault_addr);
    to.u32(*burst);
    to.u32(prefetch.bits());
    to.u32(*cancel_any);
    to.u32(*cancel_plain);
    let (kind, name) = match *wait {
        // A pause is short, and ends with the switch.
        None | Some(Wait::Pause { .. }) => (0, 0),
        // The PASID is that of the phase.
        Some(Wait::Iommu { tag, pasid: _ }) => (1, tag),
        Some(Wait::PageGroup(group)) => (2, u64::from(group)),
        Some(Wait::Credit) => (3, 0),
    };
    to.u8(kind);
    to.u64(name);
    to.u64(*wait_addr);
    to.u8(*attempts);
    save_work(work, to);
}

fn load_engine(number: u8, shared: &Shared, from: &mut Reader<'_>) -> Result<Engine, LoadError> {
    let mut engine = Engine::new(number);
    engine.run = from.bool("engine CTRL")?;
    engine.halted = from.bool("engine STATUS")?;
    engine.mode = FaultMode::from_bits(u32::from(from.u8()?)).ok_or(LoadError::Invalid("FAULT_MODE"))?;
    engine.ring_base = from.u64()?;
    check(engine.ring_base & 63 == 0, "RING_BASE")?;
    engine.ring_log2 = from.u32()?;
    check(engine.ring_log2 <= MAX_RING_LOG2, "RING_SIZE")?;
    engine.ring_pasid = from.address_space(shared, "RING_PASID")?;
    engine.head = from.u32()?;
    engine.tail = from.u32()?;
    engine.cause = Cause::from_bits(from.u8()?).ok_or(LoadError::Invalid("FAULT_CAUSE"))?;
    engine.fault_addr = from.u64()?;
    engine.burst = from.u32()?;
    check((MIN_BURST..=MAX_BURST).contains(&engine.burst), "BURST")?;
    engine.prefetch = Prefetch::from(from.u32()?);
    check(engine.prefetch == engine.prefetch.sane(), "PREFETCH")?;
    engine.cancel_any = from.u32()?;
    engine.cancel_plain = from.u32()?;
    let most = 1 << MAX_RING_LOG2;
    check(engine.cancel_any <= most && engine.cancel_plain <= most, "CANCEL")?;
    let (kind, name) = (from.u8()?, from.u64()?);
    engine.wait_addr = from.u64()?;
    engine.attempts = from.u8()?;
    engine.work = load_work(shared, from)?;
    engine.wait = match kind {
        0 => None,
        1 => Some(Wait::Iommu { tag: name, pasid: engine.space() }),
        2 => Some(Wait::PageGroup(u16::try_from(name).map_err(|_| LoadError::Invalid("page request"))?)),
        3 => Some(Wait::Credit),
        _ => return Err(LoadError::Invalid("waiting request")),
    };
    check(engine.run || engine.wait.is_none() && engine.work.phase == Phase::Fetch, "waiting request")?;
    Ok(engine)
}

fn check_waits(engines: &[Engine], shared: &Shared) -> Result<(), LoadError> {
    let waits = |engine: &Engine| engine.wait.filter(|wait| *wait != Wait::Credit);
    for (index, engine) in engines.iter().enumerate() {
        let Some(wait) = waits(engine) else { continue };
        let known = match wait {
            Wait::Iommu { tag, .. } => tag != 0 && tag <= shared.last_tag,
            Wait::PageGroup(group) => {
                shared.groups.get(group).is_some_and(|group| group.pasid == engine.space())
            }
            Wait::Credit | Wait::Pause { .. } => true,
        };
        let same_name = |other: &Engine| match (waits(other), wait) {
            (Some(Wait::Iommu { tag: other, .. }), Wait::Iommu { tag, .. }) => other == tag,
            (Some(Wait::PageGroup(other)), Wait::PageGroup(group)) => other == group,
            _ => false,
        };
        let twice = engines.iter().skip(index.saturating_add(1)).any(same_name);
        check(known && !twice, "waiting request")?;
    }
    Ok(())
}

fn save_work(work: &Work, to: &mut Writer) {
    let Work {
        phase,
        descriptor,
        opcode,
        moved,
        // Follow from the descriptor, the lists and what is done.
        src: _,
        dst: _,
        total: _,
        done,
        chunk,
        result,
        outcome,
        src_list,
        dst_list,
        buffer,
    } = work;
    to.u8(*phase as u8);
    if *phase == Phase::Fetch {
        return;
    }
    to.bytes(&descriptor.to_bytes());
    to.u8(*opcode as u8);
    to.u32(*moved);
    to.u64(*done);
    to.u32(*chunk);
    to.u64(*result);
    match outcome {
        None => to.u32(0),
        Some(Outcome { status, cause, fault_addr }) => {
            to.u32(*status as u32);
            to.u8(*cause as u8);
            to.u64(*fault_addr);
        }
    }
    to.bytes(src_list.as_slice());
    to.bytes(dst_list.as_slice());
    to.bytes(buffer.as_slice());
}

fn load_work(shared: &Shared, from: &mut Reader<'_>) -> Result<Work, LoadError> {
    let mut work = Work::default();
    let phase = Phase::from_bits(from.u8()?).ok_or(LoadError::Invalid("phase"))?;
    if phase == Phase::Fetch {
        return Ok(work);
    }
    work.phase = phase;
    work.descriptor = Descriptor::from_bytes(&from.array::<DESCRIPTOR_SIZE>()?);
    work.opcode = Opcode::from_bits(u32::from(from.u8()?)).ok_or(LoadError::Invalid("opcode"))?;
    work.moved = from.u32()?;
    work.done = from.u64()?;
    work.chunk = from.u32()?;
    work.result = from.u64()?;
    work.outcome = match from.u32()? {
        0 => None,
        status => Some(Outcome {
            status: Status::from_bits(status).ok_or(LoadError::Invalid("completion STATUS"))?,
            cause: Cause::from_bits(from.u8()?).ok_or(LoadError::Invalid("completion CAUSE"))?,
            fault_addr: from.u64()?,
        }),
    };
    from.fill(work.src_list.as_mut_slice())?;
    from.fill(work.dst_list.as_mut_slice())?;
    from.fill(work.buffer.as_mut_slice())?;
    check_work(&mut work, shared)?;
    Ok(work)
}

fn check_work(work: &mut Work, shared: &Shared) -> Result<(), LoadError> {
    let completion = work.descriptor.completion;
    let record = super::descriptor::RECORD_SIZE as u64;
    check(completion & 7 == 0 && completion.checked_add(record).is_some(), "completion address")?;
    let moved = u64::from(work.moved);
    if work.phase.is_ring() {
        // The record is all that is left to do, whatever the descriptor was.
        check(completion != 0 && work.outcome.is_some() && moved < record, "completion record")?;
        return Ok(());
    }
    check(work.outcome.is_none(), "completion record")?;
    let opcode = work.descriptor.validate(&shared.limits);
    check(opcode == Ok(work.opcode), "descriptor")?;
    let control = work.descriptor.control;
    let list_phase = match work.phase {
        Phase::SourceList => Some(control.src_list() != 0),
        Phase::DestinationList => Some(control.dst_list() != 0),
        _ => None,
    };
    if let Some(has_list) = list_phase {
        return check(has_list && moved < work.descriptor.list_size() && work.chunk == 0, "scatter list");
    }
    check(moved == 0 && work.set_up_ranges().is_ok(), "scatter list")?;
    check(work.done < work.total, "progress")?;
    work.src.advance(work.done);
    work.dst.advance(work.done);
    let chunk = u64::from(work.chunk);
    check(chunk <= work.piece_limit().min(PAGE_SIZE), "piece in hand")?;
    let needs_source = work.opcode.has_source();
    check(needs_source || work.phase == Phase::Destination, "phase")?;
    check(work.phase == Phase::Source || work.opcode.has_destination(), "phase")?;
    // A destination that follows a source has a piece in hand.
    check(work.phase == Phase::Source || !needs_source || chunk != 0, "piece in hand")
}
