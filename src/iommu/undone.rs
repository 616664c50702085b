// SPDX-License-Identifier: GPL-2.0-or-later
//! Effects that came up after the machine stopped, for a device that still had a transfer under way. Guest memory and
//! interrupt controllers may have been saved by then: they travel with the model's state, and the machine that goes on
//! carries them out.
//!
//! What is for caches outside a model does not travel: where the state is loaded, they are empty.

use super::effects::Effect;
use super::state::{LoadError, Reader, limit, pair, put_count};

/// First word: "UNDONE", and the version of this format.
const HEADER: u64 = 0x454e_4f44_4e55_0001;

/// Kinds of effects, in the low half of an effect's first word; a datum in the high one. The second word is an address.
const PULSE_IRQ: u32 = 0;
const WRITE_MSI: u32 = 1;
const WRITE_MEMORY: u32 = 2;
const SEND_EVENT: u32 = 3;

/// More outputs than any model has.
const LINES: u64 = 0xf;

/// The words in front of the model's own.
#[must_use]
pub fn save<'a>(effects: impl Iterator<Item = &'a Effect>) -> Vec<u64> {
    let saved: Vec<[u64; 2]> = effects.filter_map(words).collect();
    let mut words = vec![HEADER];
    put_count(&mut words, saved.len());
    words.extend(saved.into_iter().flatten());
    words
}

fn words(effect: &Effect) -> Option<[u64; 2]> {
    match *effect {
        Effect::PulseIrq { line } => {
            u32::try_from(line).ok().map(|line| [pair(PULSE_IRQ, line), 0])
        }
        Effect::WriteMsi { addr, data } => Some([pair(WRITE_MSI, data), addr]),
        Effect::WriteMemory { addr, data } => Some([pair(WRITE_MEMORY, data), addr]),
        Effect::SendEvent => Some([pair(SEND_EVENT, 0), 0]),
        Effect::UnmapNotify { .. }
        | Effect::IecNotify { .. }
        // Endpoints are told before they are saved.
        | Effect::Resolved { .. }
        | Effect::PageResponse { .. }
        | Effect::AtsInvalidate { .. } => None,
    }
}

/// What [`save`] wrote, and the words after it.
///
/// # Errors
/// What in it cannot be.
pub fn load(words: &[u64]) -> Result<(Vec<Effect>, &[u64]), LoadError> {
    let mut reader = Reader::new(words, HEADER)?;
    let effects = reader.list("effects", |reader| {
        let (kind, data) = reader.two("effect")?;
        let addr = reader.word("effect")?;
        match kind {
            PULSE_IRQ => {
                limit("interrupt output", data.into(), LINES)?;
                limit("interrupt output", addr, 0)?;
                Ok(Effect::PulseIrq { line: usize::try_from(data).unwrap_or(0) })
            }
            WRITE_MSI => limit("message address", addr, !3).map(|()| Effect::WriteMsi { addr, data }),
            WRITE_MEMORY => limit("status address", addr, !3).map(|()| Effect::WriteMemory { addr, data }),
            SEND_EVENT if data == 0 && addr == 0 => Ok(Effect::SendEvent),
            _ => Err(LoadError::Field { field: "effect", value: kind.into() }),
        }
    })?;
    Ok((effects, reader.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_memory_and_interrupts_travels_in_order() {
        let effects = [
            Effect::WriteMemory { addr: 0x1_0000_0004, data: 7 },
            Effect::UNMAP_ALL,
            Effect::PulseIrq { line: 3 },
            Effect::SendEvent,
            Effect::WriteMsi { addr: 0xfee0_0000, data: u32::MAX },
            Effect::IecNotify { global: true, index: 0, mask: 0 },
        ];
        let mut words = save(effects.iter());
        words.extend([11, 12]);
        let (loaded, rest) = load(&words).unwrap();
        let [memory, _, pulse, event, message, _] = effects;
        assert_eq!(loaded, [memory, pulse, event, message]);
        assert_eq!(rest, [11, 12]);
        assert_eq!(load(&save([].iter())), Ok((Vec::new(), &[][..])));
    }

    #[test]
    fn nothing_is_believed() {
        let refused = |words: &[u64]| load(words).is_err();
        assert!(refused(&[]));
        assert!(refused(&[HEADER + 1, 0]), "another version");
        assert!(refused(&[HEADER, 1]), "cut off");
        assert!(refused(&[HEADER, 1, 0]), "cut off");
        assert!(refused(&[HEADER, u64::MAX, 0, 0]), "a count without words");
        assert!(refused(&[HEADER, 1, pair(4, 0), 0]), "an unknown kind");
        assert!(refused(&[HEADER, 1, pair(PULSE_IRQ, 16), 0]), "an output that no model has");
        assert!(refused(&[HEADER, 1, pair(WRITE_MSI, 0), 2]), "not aligned");
        assert!(refused(&[HEADER, 1, pair(WRITE_MEMORY, 0), 1]), "not aligned");
        assert!(refused(&[HEADER, 1, pair(SEND_EVENT, 1), 0]), "an event with a datum");
    }
}
