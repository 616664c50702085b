// SPDX-License-Identifier: GPL-2.0-or-later
//! Random histories of guests that invalidate what they change: every access ends as in full emulation.

use proptest::prelude::*;

use super::{nothing, smmuv3, vtd};
use crate::iommu::testing::histories::{Leaf, PAGES, Use, address, is_large, leaf, target, uses};
use crate::nested::work::Progress;

/// Processes of a guest.
const PROCESSES: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A page of a process changes.
    Page(usize, u64, Leaf),
    /// A PASID gets a process, or none.
    Bind(u32, Option<usize>),
    /// The stream, or requests without PASID, are something else.
    Stream(u8),
    /// A device reads or writes.
    Use(Use),
    /// An invalidation that nobody needs.
    Idle,
    /// The IOMMU goes off, and on again.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => uses(1..4).prop_map(Step::Use),
        10 => (0..PROCESSES, 0..PAGES, leaf()).prop_map(|(process, page, leaf)| Step::Page(process, page, leaf)),
        4 => (1..4u32, prop::option::weighted(0.8, 0..PROCESSES)).prop_map(|(pasid, to)| Step::Bind(pasid, to)),
        1 => (0..8u8).prop_map(Step::Stream),
        2 => Just(Step::Idle),
        1 => Just(Step::Restart),
    ]
}

mod of_smmuv3 {
    use super::smmuv3::{SID, Vm, cfgi_ste, tlbi};
    use super::*;
    use crate::nested::smmuv3::SmmuState;
    use crate::smmuv3::spec::command::{self as op, TlbiCommand0, TlbiCommand1};
    use crate::smmuv3::spec::ste::s1dss;
    use crate::smmuv3::testing::*;
    use crate::smmuv3::translate::{Invalidation, Translate};

    fn level(page: u64) -> u32 {
        if is_large(page) { 2 } else { 3 }
    }

    fn asid_of(process: usize) -> u16 {
        1 + process as u16
    }

    fn by_range(asid: u16, page: u64) -> [u64; 2] {
        let [first, second] = tlbi(op::TLBI_NH_VA, asid, address(page));
        let granules = if is_large(page) { 512 } else { 1 };
        let (scale, num) = if granules == 512 { (5, 15) } else { (0, 0) };
        [
            TlbiCommand0::from(first).with_scale(scale).with_num(num).bits(),
            TlbiCommand1::from(second).with_tg(1).with_ttl(level(page).into()).with_leaf(1).bits(),
        ]
    }

    fn put(vm: &Vm, tables: &Tables, process: usize, page: u64, leaf: Leaf) {
        let (attributes, to) = match leaf {
            Leaf::Unmapped => return vm.guest.unmap(tables, address(page), level(page)),
            Leaf::ReadOnly(n) => (user_ro(), n),
            Leaf::ReadWrite(n) => (user_rw(), n),
            Leaf::Kernel(n) => (kernel_rw(), n),
        };
        vm.guest.map(tables, address(page), target(process as u64, to), level(page), attributes);
    }

    pub fn play(steps: &[(Step, u8)]) {
        let mut vm = Vm::new(&nothing);
        let tables = [(); PROCESSES].map(|()| vm.guest.tables(12, 48));
        for (n, (step, how)) in steps.iter().enumerate() {
            match *step {
                Step::Page(process, page, leaf) => {
                    put(&vm, &tables[process], process, page, leaf);
                    let asid = asid_of(process);
                    vm.send(&[match how % 6 {
                        0 => tlbi(op::TLBI_NH_ASID, asid, 0),
                        1 => tlbi(op::TLBI_NSNH_ALL, 0, 0),
                        2 => tlbi(op::TLBI_NH_ALL, 0, 0),
                        3 => tlbi(op::TLBI_NH_VAA, 0, address(page)),
                        4 => by_range(asid, page),
                        _ => tlbi(op::TLBI_NH_VA, asid, address(page)),
                    }]);
                }
                Step::Bind(ssid, process) => {
                    let new = process.map_or_else(Cd::default, |p| cd(&tables[p], asid_of(p)));
                    vm.set_cd(ssid, &new);
                    vm.send(&[if how % 4 == 0 { cfgi_ste() } else { cfgi_cd(ssid) }]);
                }
                Step::Stream(kind) => {
                    let ste = match kind {
                        0 => ste_abort(),
                        1 => ste_bypass(),
                        n => vm.stage1([s1dss::TERMINATE, s1dss::BYPASS, s1dss::SSID0][usize::from(n) % 3]),
                    };
                    vm.set_ste(&ste);
                }
                Step::Restart => {
                    let off = SmmuState::Off { abort: how % 2 == 0 };
                    let _ = vm.assigned.set_state(&vm.guest.mem, off);
                    let there = (how % 2 != 0).then_some(0x8000_0000);
                    assert_eq!(vm.at(None, 0x8000_0000), there, "step {n}: off");
                    vm.on();
                    // A driver that enables its SMMU trusts no cache.
                    vm.emulated.invalidate(&Invalidation::All);
                    vm.send(&[tlbi(op::TLBI_NSNH_ALL, 0, 0)]);
                }
                Step::Idle => vm.send(&[cfgi_cd(how % 4), tlbi(op::TLBI_NH_ASID, (how % 5).into(), 0)]),
                Step::Use(of) => vm.check_request(&request(SID, of.pasid, of.addr(), of.access)),
            }
        }
    }

    fn cfgi_cd(ssid: impl Into<u32>) -> [u64; 2] {
        super::smmuv3::cfgi_cd(ssid.into())
    }
}

mod of_vtd {
    use super::vtd::{DID, Vm};
    use super::*;
    use crate::nested::vtd::VtdState;
    use crate::vtd::spec::context::ScalableContext1;
    use crate::vtd::testing::*;
    use crate::vtd::translate::Invalidation;

    fn shift(page: u64) -> u32 {
        if is_large(page) { 21 } else { 12 }
    }

    fn put(vm: &Vm, tables: &Tables, process: usize, page: u64, leaf: Leaf) {
        let (flags, to) = match leaf {
            Leaf::Unmapped => {
                return vm.guest.mem.put(vm.guest.entry(tables, address(page), shift(page)), 0);
            }
            Leaf::ReadOnly(n) => (user_ro(), n),
            Leaf::ReadWrite(n) => (user_rw(), n),
            Leaf::Kernel(n) => (kernel_rw(), n),
        };
        vm.guest.map(tables, address(page), target(process as u64, to), shift(page), flags);
    }

    pub fn play(steps: &[(Step, u8)]) {
        let mut vm = Vm::new(&nothing);
        // A directory that is soon looked through.
        let entry0 = vm.guest.context0(vm.function).with_pdts(0);
        vm.guest.set_context(vm.function, entry0, ScalableContext1::default());
        let tables = [(); PROCESSES].map(|()| vm.guest.first_stage(4));
        let everything = [Invalidation::PasidGlobal, Invalidation::IotlbGlobal];
        for (n, (step, how)) in steps.iter().enumerate() {
            match *step {
                Step::Page(process, page, leaf) => {
                    put(&vm, &tables[process], process, page, leaf);
                    let mask = if is_large(page) { 9 } else { 0 };
                    // Whoever uses the process.
                    let all: Vec<_> = (0..4)
                        .map(|pasid| match how % 3 {
                            0 => Invalidation::PasidIotlbAll { did: DID, pasid },
                            _ => pages(pasid, address(page), mask),
                        })
                        .collect();
                    match how % 7 {
                        6 => vm.send(&[Invalidation::IotlbDomain { did: DID }]),
                        5 => vm.send(&[Invalidation::IotlbGlobal]),
                        _ => vm.send(&all),
                    }
                }
                Step::Bind(pasid, process) => {
                    let entry = process.map_or_else(PasidEntry::default, |p| pasid_first(&tables[p], DID));
                    vm.set_pasid(pasid, &entry);
                }
                Step::Stream(kind) => {
                    let rid_pasid = u32::from(kind % 3);
                    let entry1 = ScalableContext1::default().with_rid_pasid(rid_pasid.into());
                    vm.guest.set_context(vm.function, entry0, entry1);
                    if kind > 4 {
                        vm.guest.set_pasid(vm.function, 0, &pasid_pass_through(DID));
                    }
                    vm.send(&[
                        Invalidation::ContextDevice { sid: SID as u16, function_mask: 0 },
                        Invalidation::PasidGlobal,
                        Invalidation::IotlbGlobal,
                    ]);
                }
                Step::Restart => {
                    vm.assigned.set_state(&vm.guest.mem, VtdState::Off);
                    while vm.assigned.proceed(&vm.guest.mem) != Progress::Done {}
                    assert_eq!(vm.at(None, 0x8000_0000), Some(0x8000_0000), "step {n}: off");
                    vm.on();
                    vm.send(&everything);
                }
                Step::Idle => vm.send(&[
                    Invalidation::PasidDomain { did: u16::from(how % 5) },
                    pages(how % 4, address(u64::from(how % 6)), how % 10),
                ]),
                Step::Use(of) => vm.check(of.pasid, of.addr(), of.access),
            }
        }
    }

    fn pages(pasid: impl Into<u32>, addr: u64, mask: u8) -> Invalidation {
        super::vtd::pages(pasid.into(), addr, mask)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn smmuv3_ends_as_in_emulation(steps in prop::collection::vec((step(), any::<u8>()), 1..150)) {
        of_smmuv3::play(&steps);
    }

    #[test]
    fn vtd_ends_as_in_emulation(steps in prop::collection::vec((step(), any::<u8>()), 1..150)) {
        of_vtd::play(&steps);
    }
}
