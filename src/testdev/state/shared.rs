// SPDX-License-Identifier: GPL-2.0-or-later
//! What is not an engine's: counters, halted PASIDs, page request groups, translations, and the windows onto them.

use super::super::access::Shared;
use super::super::atc::Entry;
use super::super::counters::Counters;
use super::super::descriptor::Limits;
use super::super::model::Config;
use super::super::port::AtsTranslation;
use super::super::pri::{GROUPS, Group, PageGroups, PageResponse, Slot};
use super::super::registers::{RingPasid, SendStatus};
use super::super::windows::Windows;
use super::super::{PAGE_SIZE, offset_in_page};
use super::{LoadError, Reader, Writer, check};
use crate::iommu::Access;

fn space_word(pasid: Option<u32>) -> u32 {
    pasid.map_or(RingPasid::default(), |pasid| RingPasid::default().with_pasid(pasid).with_valid(1)).bits()
}

/// Bits of up to eight flags, the first one lowest.
fn flag_bits<const N: usize>(flags: [bool; N]) -> u8 {
    flags.iter().rev().fold(0, |bits, flag| bits.wrapping_shl(1) | u8::from(*flag))
}

/// The reverse; `None` when a bit beyond them is set.
fn split_flags<const N: usize>(mut bits: u8) -> Option<[bool; N]> {
    let mut flags = [false; N];
    for flag in &mut flags {
        *flag = bits & 1 != 0;
        bits >>= 1;
    }
    (bits == 0).then_some(flags)
}

pub(super) fn save_shared(shared: &Shared, to: &mut Writer) {
    // Events and the aborted PASID are settled before any call returns.
    let Shared { limits: _, counters, halted, cache, groups, last_tag, events: _, aborted: _ } = shared;
    counters.values().iter().for_each(|value| to.u64(*value));
    to.u64(*last_tag);
    to.u32(u32::try_from(halted.words().count()).unwrap_or(0));
    for (index, word) in halted.words() {
        to.u32(index);
        to.u64(word);
    }
    to.u32(u32::from(groups.next()));
    to.u32(u32::try_from(groups.used_slots().count()).unwrap_or(0));
    for (index, slot) in groups.used_slots() {
        to.u32(u32::from(index));
        save_slot(slot, to);
    }
    to.u32(u32::from(cache.victim()));
    to.u32(u32::try_from(cache.used().count()).unwrap_or(0));
    for (index, entry) in cache.used() {
        to.u32(u32::from(index));
        save_entry(&entry, to);
    }
}

pub(super) fn load_shared(
    config: &Config,
    limits: Limits,
    from: &mut Reader<'_>,
) -> Result<Shared, LoadError> {
    let mut shared = Shared::new(limits, config.atc_entries);
    let mut values = [0; Counters::COUNT];
    for value in &mut values {
        *value = from.u64()?;
    }
    shared.counters = Counters::from_values(values);
    shared.last_tag = from.u64()?;
    for _ in 0..from.u32()? {
        let (index, word) = (from.u32()?, from.u64()?);
        check(word != 0 && shared.halted.set_word(index, word), "set of halted PASIDs")?;
    }
    let next = u16::try_from(from.u32()?).ok().filter(|next| *next < GROUPS);
    shared.groups = PageGroups::starting_at(next.ok_or(LoadError::Invalid("page request group index"))?);
    for _ in 0..from.u32()? {
        let index = u16::try_from(from.u32()?).unwrap_or(GROUPS);
        let slot = load_slot(config, &shared, from)?;
        check(shared.groups.set_slot(index, slot), "page request group index")?;
    }
    let victim = u16::try_from(from.u32()?).unwrap_or(u16::MAX);
    check(shared.cache.set_victim(victim), "translation cache index")?;
    for _ in 0..from.u32()? {
        let index = u16::try_from(from.u32()?).unwrap_or(u16::MAX);
        let entry = load_entry(&shared, from)?;
        check(shared.cache.set_entry(index, entry), "translation cache index")?;
    }
    Ok(shared)
}

fn save_slot(slot: Slot, to: &mut Writer) {
    match slot {
        Slot::Unused => to.u8(0),
        Slot::Answered(response) => {
            to.u8(1);
            to.u32(response.code());
        }
        Slot::Outstanding(group) => {
            let Group { pasid, addr, access, requests, complete, ahead_of } = group;
            let Access { read, write, exec, privileged } = access;
            to.u8(2);
            to.u32(space_word(pasid));
            to.u64(addr);
            to.u8(flag_bits([read, write, exec, privileged, complete]));
            to.u32(u32::from(requests));
            // Engines are numbered from 0.
            to.u8(ahead_of.map_or(0, |engine| engine.saturating_add(1)));
        }
    }
}

fn load_slot(config: &Config, shared: &Shared, from: &mut Reader<'_>) -> Result<Slot, LoadError> {
    const WHAT: &str = "page request group";
    match from.u8()? {
        1 => PageResponse::from_code(from.u32()?).map(Slot::Answered).ok_or(LoadError::Invalid(WHAT)),
        2 => {
            let pasid = from.address_space(shared, WHAT)?.space();
            let addr = from.u64()?;
            let flags = split_flags(from.u8()?).ok_or(LoadError::Invalid(WHAT))?;
            let [read, write, exec, privileged, complete] = flags;
            let requests = u16::try_from(from.u32()?).unwrap_or(0);
            let ahead_of = from.u8()?.checked_sub(1);
            check(requests != 0 && offset_in_page(addr) == 0, WHAT)?;
            check(ahead_of.is_none_or(|engine| engine < config.engines), WHAT)?;
            let access = Access { read, write, exec, privileged };
            Ok(Slot::Outstanding(Group { pasid, addr, access, requests, complete, ahead_of }))
        }
        _ => Err(LoadError::Invalid(WHAT)),
    }
}

fn save_entry(entry: &Entry, to: &mut Writer) {
    let Entry { pasid, translation } = *entry;
    let AtsTranslation { input, output, mask, read, write, exec, privileged, global, untranslated_only } =
        translation;
    to.u32(space_word(pasid));
    to.u8(flag_bits([privileged, read, write, exec, global, untranslated_only]));
    to.u64(input);
    to.u64(output);
    to.u64(mask);
}

fn load_entry(shared: &Shared, from: &mut Reader<'_>) -> Result<Entry, LoadError> {
    const WHAT: &str = "translation";
    let pasid = from.address_space(shared, WHAT)?.space();
    let flags = split_flags(from.u8()?).ok_or(LoadError::Invalid(WHAT))?;
    let [privileged, read, write, exec, global, untranslated_only] = flags;
    let (input, output, mask) = (from.u64()?, from.u64()?, from.u64()?);
    let size_is_sane = mask >= PAGE_SIZE.saturating_sub(1) && mask & mask.wrapping_add(1) == 0;
    check(size_is_sane && input & mask == 0 && output & mask == 0, WHAT)?;
    check((read || write || exec) && (!global && !privileged || pasid.is_some()), WHAT)?;
    check(!untranslated_only || output == 0, WHAT)?;
    let translation =
        AtsTranslation { input, output, mask, read, write, exec, privileged, global, untranslated_only };
    Ok(Entry { pasid, translation })
}

pub(super) fn save_windows(windows: &Windows, to: &mut Writer) {
    let Windows { atc_index, atc_entry, pri_addr, pri_pasid, pri_status, pri_group } = windows;
    to.u32(u32::from(*atc_index));
    to.u8(u8::from(atc_entry.is_some()));
    if let Some(entry) = atc_entry {
        save_entry(entry, to);
    }
    to.u64(*pri_addr);
    to.u32(pri_pasid.bits());
    to.u8(*pri_status as u8);
    to.u32(u32::from(*pri_group));
}

pub(super) fn load_windows(shared: &Shared, from: &mut Reader<'_>) -> Result<Windows, LoadError> {
    let atc_index = u16::try_from(from.u32()?).unwrap_or(u16::MAX);
    check(atc_index < shared.cache.capacity().max(1), "ATC_INDEX")?;
    let atc_entry = if from.bool("ATC_FLAGS")? { Some(load_entry(shared, from)?) } else { None };
    let pri_addr = from.u64()?;
    check(offset_in_page(pri_addr) == 0, "PRI_ADDR")?;
    let pri_pasid = from.address_space(shared, "PRI_PASID")?;
    let pri_status = SendStatus::from_bits(from.u8()?).ok_or(LoadError::Invalid("PRI_STATUS"))?;
    let pri_group = u16::try_from(from.u32()?).unwrap_or(GROUPS);
    check(pri_group < GROUPS, "PRI_GROUP")?;
    Ok(Windows { atc_index, atc_entry, pri_addr, pri_pasid, pri_status, pri_group })
}
