// SPDX-License-Identifier: GPL-2.0-or-later
//! `SMMUEN`, `GBPA` and the stream table change while devices translate.

use super::*;
use crate::iommu::MemoryError;
use crate::smmuv3::testing::{TestGuest, ste_abort, ste_bypass};

/// What another vCPU does just before the first read of a table.
struct Overtaken<'a> {
    mem: &'a TestMemory,
    event: Mutex<Option<&'a (dyn Fn() + Sync)>>,
}

impl GuestMemory for Overtaken<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemoryError> {
        self.mem.read(addr, buf)
    }
    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemoryError> {
        self.mem.write(addr, buf)
    }
    fn read_u64(&self, addr: u64) -> Result<u64, MemoryError> {
        if let Some(event) = lock(&self.event).take() {
            event();
        }
        self.mem.read_u64(addr)
    }
    fn compare_exchange_u64(&self, addr: u64, old: u64, new: u64) -> Result<Result<(), u64>, MemoryError> {
        self.mem.compare_exchange_u64(addr, old, new)
    }
}

struct Switch {
    guest: TestGuest,
    old: StreamTable,
    new: StreamTable,
    smmu: Smmu,
}

impl Switch {
    /// Stream 8 passes by the old table, and is aborted by the new one.
    fn new(adversarial: bool) -> Self {
        let guest = TestGuest::new();
        let (old, new) = (guest.linear_streams(8), guest.linear_streams(8));
        guest.set_ste(&old, 8, &ste_bypass());
        guest.set_ste(&new, 8, &ste_abort());
        let switch =
            Self { guest, old, new, smmu: Smmu::new(Features { adversarial, ..Features::default() }, 64) };
        switch.write64(reg::CMDQ_BASE, CMDQ | 4);
        switch.write(reg::CR0, 8);
        switch.use_table(&switch.old);
        switch
    }

    fn write(&self, offset: u64, value: u32) -> Vec<Effect> {
        self.smmu.mmio_write(&self.guest.mem, offset, value.into(), 4).0
    }

    fn write64(&self, offset: u64, value: u64) {
        let _ = self.smmu.mmio_write(&self.guest.mem, offset, value, 8);
    }

    fn command(&self, command: [u64; 2]) {
        let prod = self.smmu.mmio_read(reg::CMDQ_PROD, 4) as u32;
        self.guest.mem.put_all(CMDQ + 16 * u64::from(prod & 15), &command);
        self.write(reg::CMDQ_PROD, (prod + 1) & 31);
    }

    fn use_table(&self, table: &StreamTable) {
        self.write64(reg::STRTAB_BASE, table.base);
        self.write(reg::STRTAB_BASE_CFG, table.log2size.into());
        self.write(reg::CR0, 9);
    }

    fn ask(&self, mem: &dyn GuestMemory) -> Outcome {
        let request = DmaRequest { substream: None, ..request(0x1234_5000, None) };
        let (outcome, effects) = self.smmu.translate(mem, &request, false);
        assert!(effects.0.is_empty());
        if let Outcome::Translated { epoch, .. } = outcome {
            let _ = self.smmu.end(epoch);
        }
        outcome
    }
}

/// The guest changes tables by the book, in any order of the two steps, while a device reads the old one.
#[test]
fn no_entry_of_the_old_table_survives() {
    for (adversarial, invalidates_first) in [(false, false), (false, true), (true, false), (true, true)] {
        let switch = Switch::new(adversarial);
        let event = || {
            switch.write(reg::CR0, 8);
            if invalidates_first {
                switch.command(cfgi_all());
                switch.command(sync());
            }
            switch.use_table(&switch.new);
            if !invalidates_first {
                switch.write(reg::CR0, 8);
                switch.command(cfgi_all());
                switch.command(sync());
                switch.write(reg::CR0, 9);
            }
        };
        let mem = Overtaken { mem: &switch.guest.mem, event: Mutex::new(Some(&event)) };
        let _ = switch.ask(&mem);
        assert!(lock(&mem.event).is_none());
        let _ = switch.smmu.run_pending(&switch.guest.mem);
        assert_eq!(switch.ask(&switch.guest.mem), Outcome::Aborted, "{adversarial} {invalidates_first}");
    }
}

/// §6.3.9.6: what is under way is before the change or after it, and not aborted in between.
#[test]
fn switched_off_in_the_middle() {
    let switch = Switch::new(false);
    let event = || {
        switch.write(reg::CR0, 8);
        // Half of it is written.
        switch.write(reg::STRTAB_BASE, 0);
    };
    let mem = Overtaken { mem: &switch.guest.mem, event: Mutex::new(Some(&event)) };
    assert!(matches!(switch.ask(&mem), Outcome::Translated { .. }), "as GBPA says");
    assert_eq!(switch.smmu.stats().translator.faults, 1, "no table was read");
    switch.use_table(&switch.new);
    assert_eq!(switch.ask(&switch.guest.mem), Outcome::Aborted, "nothing was cached while it was off");
}

/// §6.3.9.6: all new transactions are treated as the new value says, those of vhost too.
#[test]
fn caches_outside_hear_of_every_switch() {
    let rig = Rig::new(4);
    let everything = [Effect::UnmapNotify { stream: None, substream: None, addr: 0, mask: u64::MAX }];
    assert_eq!(rig.write(reg::CR0, 0xc), everything);
    assert_eq!(rig.write(reg::CR0, 0xc), []);
    assert_eq!(rig.write(reg::GBPA, 1 << 31 | 1 << 20), everything);
    assert_eq!(rig.write(reg::CR0, 0xd), everything);
}

/// §3.4: no event, for translation is off.
#[test]
fn bypass_ends_with_the_output_addresses() {
    let rig = Rig::new(4);
    rig.write(reg::CR0, 0xc);
    let last = rig.smmu.features().oas.mask();
    let Outcome::Translated { epoch, .. } = rig.translate(last, None).0 else { panic!("it passes") };
    assert!(!rig.smmu.end(epoch));
    assert_eq!(rig.translate(last + 1, None), (Outcome::Aborted, vec![]));
    assert_eq!(rig.smmu.epochs.in_flight(), 0);
}
