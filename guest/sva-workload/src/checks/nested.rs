// SPDX-License-Identifier: GPL-2.0-or-later
//! Both stages of an SMMU in the hands of one process: page tables that it writes, under page tables that iommufd keeps.

use std::time::Duration;

use sva_guest::device::{Descriptor, FaultMode, Outcome, Ring, Status};
use sva_guest::iommufd::{Nested, PAGE, Refused};
use sva_guest::kernel;
use sva_guest::memory::{Mapping, page_size};
use sva_guest::pci;

use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::Context;

const ASID: u16 = 7;
/// Input addresses of the pages that the device reads and writes.
const SOURCE: u64 = 0x12_3456_0000;
const TARGET: u64 = 0x55_aaaa_0000;
const SINK: u64 = 0x66_0000_0000;
const ROUNDS: u64 = 64;

/// A function without PASIDs behind two stages: what it reaches is where both say, for as long as they say it.
pub fn nested(_: &Context) -> CheckResult {
    if kernel::machine() != "aarch64" {
        return Err(Stop::Skip("these tables are an SMMU's".into()));
    }
    let function = pci::spare().ok_or_else(|| Stop::Skip("no function is spared from processes".into()))?;
    if kernel::smmu_features(&kernel::log()).iter().any(|f| f & kernel::SMMU_STALL_FORCE != 0) {
        // And with ATS, Linux 7.2 makes the stream's entry an ILLEGAL one (S2S with EATS).
        return Err(Stop::Skip(
            "where stalls are forced, the context descriptors would have to stall, and nobody here answers"
                .into(),
        ));
    }
    let nested = Nested::new(&function, ASID).map_err(|refused| match refused {
        Refused::Cannot(why) => Stop::Skip(why),
        Refused::Failed(why) => Stop::Fail(why),
    })?;
    let device = nested.device(&function)?;
    let root = nested.root(0);
    let page = page_size();

    // Ring and records are seen at this process's addresses; all else is somewhere else for each stage.
    let tools = (Mapping::anonymous(page)?, Mapping::anonymous(page)?);
    for tool in [&tools.0, &tools.1] {
        tool.set(0, page, 0);
        nested.show(tool, tool.address(), true)?;
        nested.map(root, tool.address(), tool.address(), page as u64, true);
    }
    let memory: Vec<Mapping> = (0..4).map(|_| Mapping::anonymous(page)).collect::<Result<_, _>>()?;
    let shown = |n: usize| 0x2_0000_0000 + (n * 16 * page) as u64;
    for (n, memory) in memory.iter().enumerate() {
        memory.set(0, page, 0x10 + n as u8);
        // The last one is for reading alone, whatever stage 1 says.
        nested.show(memory, shown(n), n != 3)?;
    }
    nested.map(root, SOURCE, shown(0), PAGE, false);
    nested.map(root, TARGET, shown(1), PAGE, true);

    let base = tools.0.address();
    let mut ring = Ring::place(&device, 0, 6, tools.0, tools.1, base);
    ring.set_mode(FaultMode::Report);
    ring.start();
    let patience = Duration::from_secs(30);

    // Back and forth between two pages, each time told.
    for round in 0..ROUNDS {
        let (now, other) = if round % 2 == 0 { (1, 2) } else { (2, 1) };
        nested.map(root, TARGET, shown(now), PAGE, true);
        nested.forget(ASID, TARGET)?;
        let before = memory[other].load(64);
        memory[0].store(64, round.to_le());
        let done = ring.run(&Descriptor::copy(SOURCE + 64, TARGET + 64, 256), patience)?;
        ensure!(done.status == Status::Ok, "round {round}: a copy ended with {done:?}");
        ensure!(
            u64::from_le(memory[now].load(64)) == round,
            "round {round}: the copy is not where both stages say"
        );
        ensure!(
            memory[other].load(64) == before,
            "round {round}: a page was written that stage 1 had given up"
        );
    }

    // What one stage refuses is refused.
    let mut refused = 0;
    let mut refuse = |ring: &mut Ring<'_>, what: &str, d: &Descriptor| -> Result<Outcome, String> {
        let done = ring.run(d, patience)?;
        if done.status != Status::Fault {
            return Err(format!("{what}: ended with {done:?}"));
        }
        refused += 1;
        ring.recover();
        Ok(done)
    };
    refuse(&mut ring, "a write that stage 1 refuses", &Descriptor::fill(SOURCE, 64, 1))?;
    nested.map(root, TARGET, shown(3), PAGE, true);
    nested.forget(ASID, TARGET)?;
    nested.map(root, SINK, shown(1), PAGE, true);
    let done = ring.run(&Descriptor::copy(TARGET, SINK, 64), patience)?;
    ensure!(done.status == Status::Ok, "a read that both stages allow ended with {done:?}");
    refuse(&mut ring, "a write that stage 2 refuses", &Descriptor::fill(TARGET, 64, 1))?;
    ensure!(memory[3].first_other(0, page, 0x13).is_none(), "read-only memory was written");
    nested.unmap(root, TARGET);
    nested.forget(ASID, TARGET)?;
    refuse(&mut ring, "a page that stage 1 does not have", &Descriptor::fill(TARGET, 64, 1))?;
    nested.map(root, TARGET, 0x3_0000_0000, PAGE, true);
    refuse(&mut ring, "a page that stage 2 does not have", &Descriptor::fill(TARGET, 64, 1))?;

    // Another address space: the descriptor is fetched anew, through stage 2.
    let second = nested.root(1);
    for at in [ring.base(), ring.record_address(0)] {
        nested.map(second, at, at, page as u64, true);
    }
    nested.map(second, SOURCE, shown(2), PAGE, false);
    nested.map(second, TARGET, shown(1), PAGE, true);
    memory[2].set(0, page, 0x77);
    nested.describe(ASID + 1, second);
    nested.forget_context()?;
    let done = ring.run(&Descriptor::copy(SOURCE, TARGET, 4096), patience)?;
    ensure!(done.status == Status::Ok, "a copy in another address space ended with {done:?}");
    ensure!(memory[1].first_other(0, 4096, 0x77).is_none(), "the other address space is not the second one");
    drop(ring);
    Ok(Report::new(format!(
        "{ROUNDS} changes of stage 1, each seen at once; {refused} accesses refused by either stage"
    )))
}
