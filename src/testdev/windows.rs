// SPDX-License-Identifier: GPL-2.0-or-later
//! The registers through which software looks into the translation cache, and sends page requests by hand.

use super::access::Shared;
use super::atc::Entry;
use super::map::{AtcRegister, Part, PriRegister};
use super::model::{Written, mistake};
use super::port::Port;
use super::pri::{GROUPS, Slot};
use super::registers::{AtcFlags, PriOutstanding, PriResult, PriSend, RingPasid, SendStatus};

/// What these registers hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// ATC_INDEX.
    pub atc_index: u16,
    /// What was there when ATC_INDEX was written.
    pub atc_entry: Option<Entry>,
    /// PRI_ADDR.
    pub pri_addr: u64,
    /// PRI_PASID.
    pub pri_pasid: RingPasid,
    /// PRI_STATUS.
    pub pri_status: SendStatus,
    /// PRI_GROUP.
    pub pri_group: u16,
}

impl Windows {
    /// Reads a register of the cache's window.
    #[must_use]
    pub fn read_atc(&self, register: AtcRegister, shared: &Shared) -> u64 {
        let translation = self.atc_entry.map(|entry| entry.translation);
        match register {
            AtcRegister::Entries => u64::from(shared.cache.capacity()),
            AtcRegister::Used => u64::try_from(shared.cache.len()).unwrap_or(0),
            AtcRegister::Index => u64::from(self.atc_index),
            AtcRegister::Flags => u64::from(self.atc_entry.map_or(AtcFlags::default(), flags).bits()),
            AtcRegister::Input => translation.map_or(0, |translation| translation.input),
            AtcRegister::Output => translation.map_or(0, |translation| translation.output),
            AtcRegister::Mask => translation.map_or(0, |translation| translation.mask),
            AtcRegister::Pasid => u64::from(self.atc_entry.and_then(|entry| entry.pasid).unwrap_or(0)),
            AtcRegister::Control => 0,
        }
    }

    /// Writes a register of the cache's window.
    pub fn write_atc(&mut self, register: AtcRegister, word: u32, shared: &mut Shared) -> Written {
        match register {
            AtcRegister::Index => match u16::try_from(word) {
                Ok(index) if index < shared.cache.capacity() => {
                    self.atc_index = index;
                    self.atc_entry = shared.cache.get(index);
                }
                _ => return mistake("ATC_INDEX outside the cache"),
            },
            AtcRegister::Control => {
                if word & 1 != 0 {
                    shared.cache.clear();
                }
            }
            _ => return mistake("write to a read-only register"),
        }
        Written::default()
    }

    /// Reads a register for page requests.
    #[must_use]
    pub fn read_pri(&self, register: PriRegister, shared: &Shared) -> u64 {
        let groups = &shared.groups;
        match register {
            PriRegister::Addr => self.pri_addr,
            PriRegister::Pasid => u64::from(self.pri_pasid.bits()),
            PriRegister::Send => 0,
            PriRegister::Status => u64::from(self.pri_status as u8),
            PriRegister::Group => u64::from(self.pri_group),
            PriRegister::Result => u64::from(result(groups.slot(self.pri_group)).bits()),
            PriRegister::Outstanding => {
                let outstanding = PriOutstanding::default().with_requests(groups.requests().min(0xffff));
                u64::from(outstanding.with_groups(groups.groups()).bits())
            }
            PriRegister::Pending => u64::from(groups.pending(self.pri_pasid.space())),
        }
    }

    /// Writes a register for page requests.
    pub fn write_pri(
        &mut self,
        register: PriRegister,
        part: Part,
        value: u64,
        shared: &mut Shared,
        port: &mut dyn Port,
    ) -> Written {
        let word = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
        match register {
            PriRegister::Addr => self.pri_addr = part.replace(self.pri_addr, value) & !0xfff,
            PriRegister::Pasid if RingPasid::from(word).fits(shared.limits.pasid_bits) => {
                self.pri_pasid = RingPasid::from(word).sane();
            }
            PriRegister::Pasid => return mistake("PRI_PASID wider than the device's PASIDs"),
            PriRegister::Send => {
                let send = PriSend::from(word);
                if send.go() != 0 {
                    self.pri_status = shared.send_by_hand(port, self.pri_pasid.space(), self.pri_addr, send);
                }
            }
            PriRegister::Group => match u16::try_from(word) {
                Ok(group) if group < GROUPS => self.pri_group = group,
                _ => return mistake("PRI_GROUP above 511"),
            },
            PriRegister::Status | PriRegister::Result | PriRegister::Outstanding | PriRegister::Pending => {
                return mistake("write to a read-only register");
            }
        }
        Written::default()
    }
}

fn flags(entry: Entry) -> AtcFlags {
    let translation = entry.translation;
    AtcFlags::default()
        .with_valid(1)
        .with_pasid_valid(u32::from(entry.pasid.is_some()))
        .with_read(u32::from(translation.read))
        .with_write(u32::from(translation.write))
        .with_exec(u32::from(translation.exec))
        .with_privileged(u32::from(translation.privileged))
        .with_global(u32::from(translation.global))
        .with_untranslated_only(u32::from(translation.untranslated_only))
}

fn result(slot: Slot) -> PriResult {
    match slot {
        Slot::Unused => PriResult::default(),
        Slot::Answered(response) => PriResult::default().with_answered(1).with_response(response.code()),
        Slot::Outstanding(group) => PriResult::default()
            .with_outstanding(1)
            .with_complete(u32::from(group.complete))
            .with_requests(u32::from(group.requests)),
    }
}
