// SPDX-License-Identifier: GPL-2.0-or-later
//! Interrupt isolation (`VTD §3.14`): whatever tables, PASIDs, page sizes and kinds of requests are, no write arrives at an
//! interrupt address but through interrupt remapping. And what leads elsewhere is served, wherever it leads.

use proptest::prelude::*;

use super::*;
use crate::iommu::narrow::ones;
use crate::vtd::testing::{
    PasidEntry, SID, Tables, TestGuest, WRITE, pasid_first, pasid_nested, pasid_pass_through, pasid_second,
    request, ss_rw, user_rw,
};

const FIRST: u64 = 0xfee0_0000;
const LAST: u64 = 0xfeef_ffff;
/// What a device writes in one go, at most.
const RUN: u64 = 0x40_0000;

/// How a request's address space is translated. Its number is its PASID, 0 for requests without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    First,
    Second,
    Nested,
    PassThrough,
}

/// A page: log2 of its size, and which aligned ones, counted from that with the first interrupt, are its input and output.
type Page = (u8, i8, i8);

#[derive(Clone, Debug)]
struct Plan {
    /// Translation is on.
    enabled: bool,
    /// Tables are of scalable mode; in legacy mode there is only the first address space, by a second stage or none.
    scalable: bool,
    spaces: Vec<(Kind, Vec<Page>)>,
    writes: Vec<Write>,
}

/// A device writes.
#[derive(Clone, Copy, Debug)]
struct Write {
    /// With the PASID of a space, or without.
    space: usize,
    /// Where: so far from the page of input addresses with that number.
    page: usize,
    offset: u64,
    length: u64,
    /// By translated addresses, of which an endpoint keeps all that it was told.
    ats: bool,
}

fn plans() -> impl Strategy<Value = Plan> {
    let kinds = prop::sample::select(vec![Kind::First, Kind::Second, Kind::Nested, Kind::PassThrough]);
    let page = (prop::sample::select(vec![12u8, 21, 30]), -2..3i8, -2..3i8);
    let spaces = prop::collection::vec((kinds, prop::collection::vec(page, 1..6)), 1..4);
    let offset = prop_oneof![
        0..0x1000u64,
        Just(0u64),
        (0..RUN).prop_map(|offset| ones(30) - offset),
        // Around the interrupts of a page that has them.
        (0..2 * RUN).prop_map(|offset| (FIRST - RUN + offset) & ones(30)),
        (0..0x2000u64).prop_map(|offset| (FIRST - 0x1000 + offset) & ones(30)),
        (0..0x2000u64).prop_map(|offset| (LAST - 0x1000 + offset) & ones(30)),
    ];
    let length = prop_oneof![1..16u64, 1..0x3000u64, 1..RUN];
    let write = (0..4usize, 0..8usize, offset, length, any::<bool>())
        .prop_map(|(space, page, offset, length, ats)| Write { space, page, offset, length, ats });
    (prop::bool::weighted(0.9), prop::bool::weighted(0.8), spaces, prop::collection::vec(write, 1..40))
        .prop_map(|(enabled, scalable, spaces, writes)| Plan { enabled, scalable, spaces, writes })
}

/// The page with that number beside the one of its size with the first interrupt.
fn beside(log2size: u8, number: i8) -> u64 {
    let size = 1i64 << log2size;
    (FIRST & !ones(log2size.into())).wrapping_add_signed(size * i64::from(number))
}

/// What an endpoint was told: PASID, input, output, size minus one, to be used by untranslated requests.
type Told = (Option<u32>, u64, u64, u64, bool);

struct World {
    guest: TestGuest,
    vtd: Vtd,
    plan: Plan,
    /// Where pages lead in the end, for the test: of each space, input, output, size minus one.
    leads: Vec<Vec<(u64, u64, u64)>>,
    told: Vec<Told>,
}

impl World {
    fn new(plan: Plan, adversarial: bool) -> Self {
        let guest = TestGuest::new();
        let function = guest.function(SID);
        let mut leads = Vec::new();
        for (pasid, (kind, pages)) in (0u32..).zip(&plan.spaces) {
            let (first, second) = (guest.first_stage(4), guest.second_stage(4));
            let mut known: Vec<(u64, u64, u64)> = Vec::new();
            if *kind == Kind::Nested {
                // Tables are found one to one.
                guest.map(&second, 0, 0, 30, ss_rw());
            }
            for (log2size, input, output) in pages {
                let (shift, mask) = (u32::from(*log2size), ones(u32::from(*log2size)));
                let (from, to) = (beside(*log2size, *input), beside(*log2size, *output));
                if known.iter().any(|(other, _, size)| other & !(size | mask) == from & !(size | mask)) {
                    continue;
                }
                match kind {
                    Kind::First => {
                        guest.map(&first, from, to, shift, user_rw());
                    }
                    Kind::Second => {
                        guest.map(&second, from, to, shift, ss_rw());
                    }
                    Kind::Nested => {
                        // Pages lie a terabyte above their input, for the second stage to lead on.
                        guest.map(&first, from, from + (1 << 40), shift, user_rw());
                        guest.map(&second, from + (1 << 40), to, shift, ss_rw());
                    }
                    Kind::PassThrough => {}
                }
                known.push((from, to, mask));
            }
            leads.push(known);
            let entry = match kind {
                Kind::First => pasid_first(&first, 5),
                Kind::Second => pasid_second(&second, 6),
                Kind::Nested => pasid_nested(&first, &second, 7),
                Kind::PassThrough => pasid_pass_through(8),
            };
            // Domains are of one set of tables each.
            let entry = PasidEntry(entry.0, entry.1.with_did(u64::from(pasid) + 1), entry.2);
            guest.set_pasid(function, pasid, &entry);
            if pasid == 0 && !plan.scalable {
                legacy(&guest, (*kind == Kind::Second).then_some(&second));
            }
        }
        let vtd = Vtd::new(Features { adversarial, ..Features::default() }, 64);
        let root = if plan.scalable { guest.scalable_root() } else { guest.legacy_root() };
        vtd.mmio_write(&guest.mem, reg::RTADDR, root.rtaddr, 8);
        vtd.mmio_write(&guest.mem, reg::GCMD, 1 << 30, 4);
        if plan.enabled {
            vtd.mmio_write(&guest.mem, reg::GCMD, 1 << 31, 4);
        }
        Self { guest, vtd, plan, leads, told: Vec::new() }
    }

    fn pasid(&self, write: &Write) -> Option<u32> {
        (write.space % 4 != 3).then_some(write.space as u32 % self.plan.spaces.len() as u32)
    }

    /// Where a request leads, by the plan; `None`: nowhere.
    fn leads_to(&self, pasid: Option<u32>, addr: u64) -> Option<u64> {
        if !self.plan.enabled {
            return pasid.is_none().then_some(addr);
        }
        if !self.plan.scalable && pasid.is_some() {
            return None;
        }
        let space = pasid.unwrap_or(0) as usize;
        let kind = self.plan.spaces[space].0;
        if kind == Kind::PassThrough || !self.plan.scalable && kind != Kind::Second {
            return Some(addr).filter(|addr| addr >> 48 == 0);
        }
        let page = self.leads[space].iter().find(|(from, _, mask)| addr & !mask == *from);
        page.map(|(_, to, mask)| to | addr & mask)
    }

    /// A block of addresses that a device may write to by one answer, and what it is told it leads to.
    fn check(&self, pasid: Option<u32>, addr: u64, output: u64, mask: u64) {
        let free = |addr: u64| addr | mask < FIRST || addr & !mask > LAST;
        assert!(free(output), "{pasid:?} {addr:#x}: writes reach interrupts: {output:#x} {mask:#x}");
        assert!(pasid.is_some() || free(addr), "interrupts at {addr:#x} are memory: {mask:#x}");
        assert_eq!(Some(output), self.leads_to(pasid, addr), "{pasid:?} {addr:#x}");
        // And the whole block leads where it says.
        for at in [addr & !mask, addr | mask] {
            let leads = self.leads_to(pasid, at);
            assert_eq!(leads, Some(output & !mask | at & mask), "{pasid:?} {at:#x} of {addr:#x}");
        }
    }

    /// One request of a run of untranslated ones; how many bytes it wrote.
    fn untranslated(&self, pasid: Option<u32>, addr: u64) -> Option<u64> {
        if pasid.is_none() && (FIRST..=LAST).contains(&addr) {
            // The function's interrupt window takes it; the unit does not.
            let (outcome, effects) = self.vtd.translate(&self.guest.mem, &request(pasid, addr, WRITE), true);
            assert_eq!((outcome, effects.0), (Outcome::Aborted, vec![]));
            return Some(LAST - addr + 1);
        }
        match self.vtd.translate(&self.guest.mem, &request(pasid, addr, WRITE), true).0 {
            Outcome::Translated { translation, epoch } => {
                let _ = self.vtd.end(epoch);
                self.check(pasid, addr, translation.addr, translation.page_mask);
                Some((translation.page_mask - (addr & translation.page_mask)).saturating_add(1))
            }
            _ => {
                let leads = self.leads_to(pasid, addr);
                let blocked = leads.is_none_or(|to| (FIRST..=LAST).contains(&to));
                assert!(blocked, "{pasid:?} {addr:#x} leads to {leads:#x?} and is refused");
                None
            }
        }
    }

    /// The same by what the endpoint was told, or is now.
    fn translated(&mut self, pasid: Option<u32>, addr: u64) -> Option<u64> {
        let known =
            self.told.iter().find(|(space, from, _, mask, _)| *space == pasid && addr & !mask == *from);
        let (_, from, to, mask, untranslated) = match known {
            Some(told) => *told,
            None => {
                let wanted = Access { read: true, ..WRITE };
                match self.vtd.ats(&self.guest.mem, &request(pasid, addr, wanted), 1, true).0 {
                    AtsOutcome::Success(found) if found.write => {
                        let mask = ones(found.log2size.into());
                        let told = (pasid, addr & !mask, found.addr, mask, found.untranslated_only);
                        self.told.push(told);
                        told
                    }
                    _ => {
                        let leads = self.leads_to(pasid, addr);
                        let blocked = leads.is_none_or(|to| (FIRST..=LAST).contains(&to));
                        assert!(blocked || !self.plan.enabled || !self.plan.scalable, "{pasid:?} {addr:#x}");
                        return None;
                    }
                }
            }
        };
        if untranslated {
            return self.untranslated(pasid, addr);
        }
        let output = to | addr & mask;
        self.check(pasid, addr, output, mask);
        match self.vtd.translated(&self.guest.mem, &request(None, output, WRITE), true).0 {
            Outcome::Translated { translation, epoch } => {
                let _ = self.vtd.end(epoch);
                assert_eq!(translation.addr, output);
                let block = translation.page_mask;
                assert!(output | block < FIRST || output & !block > LAST);
                Some(((from | mask) - addr).saturating_add(1))
            }
            other => panic!("what it was told of {addr:#x} is refused: {other:?}"),
        }
    }

    fn write(&mut self, write: &Write) {
        let pasid = self.pasid(write);
        let space = pasid.unwrap_or(0) as usize;
        let (_, pages) = &self.plan.spaces[space];
        let (log2size, input, _) = pages[write.page % pages.len()];
        let start = beside(log2size, input).wrapping_add(write.offset & ones(u32::from(log2size)));
        let mut done = 0;
        // A run of bytes goes on until a piece of it is refused.
        while done < write.length {
            let addr = start.wrapping_add(done);
            let piece = if write.ats { self.translated(pasid, addr) } else { self.untranslated(pasid, addr) };
            match piece {
                // An untranslated request ends at a boundary of 4 KiB.
                Some(bytes) => done += bytes.min(0x1000 - (addr & 0xfff)).max(1),
                None => return,
            }
        }
    }

    /// No endpoint has a way around: translated requests for interrupts are refused.
    fn nothing_forged(&self) {
        for addr in [FIRST, FIRST + 0x1234, LAST] {
            let (outcome, _) = self.vtd.translated(&self.guest.mem, &request(None, addr, WRITE), true);
            assert_eq!(outcome, Outcome::Aborted, "a translated request for {addr:#x}");
        }
    }
}

/// A legacy mode context entry: by a second stage, device-TLBs too, or passing through.
fn legacy(guest: &TestGuest, second: Option<&Tables>) {
    use crate::vtd::spec::context::{Context0, Context1, tt};
    // The root table's words mean something else in legacy mode.
    guest.mem.put(guest.root + u64::from(SID >> 8) * 16, 0);
    guest.mem.put(guest.root + u64::from(SID >> 8) * 16 + 8, 0);
    let kind = if second.is_some() { tt::ALL } else { tt::PASS_THROUGH };
    let table = second.map_or(0, |tables| tables.root >> 12);
    let entry0 = Context0::default().with_p(1).with_tt(kind).with_ssptptr(table);
    guest.set_legacy_context(SID, entry0, Context1::default().with_aw(2).with_did(9));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_write_reaches_interrupts_but_by_remapping(plan in plans(), adversarial: bool) {
        let mut world = World::new(plan, adversarial);
        let writes = world.plan.writes.clone();
        // The second time by what is cached.
        for write in writes.iter().chain(&writes) {
            world.write(write);
        }
        world.nothing_forged();
        prop_assert_eq!(world.vtd.epochs.in_flight(), 0);
    }
}
