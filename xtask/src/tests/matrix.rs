// SPDX-License-Identifier: GPL-2.0-or-later
//! The demo over the configurations that users have.

use super::boots::{demo_in, good};
use super::{Runner, plain_machine, plain_vtd};
use crate::cli::{MachineArgs, PageSize, Stall};

type Change = fn(&mut MachineArgs);

/// Masters that know nothing of PASIDs and never wait, behind the same SMMU: a disk and an entropy source.
const ORDINARY: &str = "-object rng-builtin,id=rng -device virtio-rng-pci,bus=pcie.0,addr=0x1d,rng=rng,disable-legacy=on,iommu_platform=on \
    -blockdev null-co,node-name=disk,size=67108864,read-zeroes=on \
    -device virtio-blk-pci,bus=pcie.0,addr=0x1e,drive=disk,disable-legacy=on,iommu_platform=on";

/// Name and what differs from the plain machine.
const ROWS: &[(&str, Change)] = &[
    ("stall-force", |m| m.stall = Some(Stall::Force)),
    ("ordinary-masters", |m| m.qemu_opts.push(ORDINARY.into())),
    ("ordinary-masters-stall-force", |m| {
        m.qemu_opts.push(ORDINARY.into());
        m.stall = Some(Stall::Force);
    }),
    ("pasid-bits-1", |m| m.pasid_bits = Some(1)),
    ("pasid-bits-2", |m| m.pasid_bits = Some(2)),
    ("pasid-bits-8", |m| m.pasid_bits = Some(8)),
    ("pasid-bits-10", |m| m.pasid_bits = Some(10)),
    ("pasid-bits-11", |m| m.pasid_bits = Some(11)),
    ("pasid-bits-20", |m| m.pasid_bits = Some(20)),
    ("linear-stream-table", |m| m.iommu.push("st-level=linear".into())),
    ("two-level-stream-table", |m| m.iommu.push("st-level=2-level".into())),
    ("linear-context-table", |m| {
        // Linux takes 64K leaves where CD tables may have two levels, and one linear table where they may not.
        m.iommu.push("cd2l=off".into());
        m.pasid_bits = Some(10);
    }),
    ("cpu-48-bit", |m| m.cpu = "neoverse-n1".into()),
    ("el2", |m| m.el2 = true),
    ("el2-adversarial", |m| {
        m.el2 = true;
        m.adversarial = true;
    }),
    ("no-stage-2", |m| m.iommu.push("stage=1".into())),
    ("ats-off", |m| m.iommu.push("ats=off".into())),
    ("ats-on", |m| m.iommu.extend(["ats=on".into(), "pri=off".into()])),
    ("no-httu", |m| m.iommu.push("httu=off".into())),
    ("no-range-invalidation", |m| m.iommu.push("ril=off".into())),
    ("adversarial", |m| m.adversarial = true),
    ("64k-pages", |m| m.page_size = PageSize::K64),
    ("64k-pages-adversarial", |m| {
        m.page_size = PageSize::K64;
        m.adversarial = true;
    }),
];

/// The same for VT-d, with `--more` as long as that model is under way.
const VTD_ROWS: &[(&str, Change)] = &[
    ("vtd", |_| ()),
    ("vtd-adversarial", |m| m.adversarial = true),
    ("vtd-pasid-bits-8", |m| m.pasid_bits = Some(8)),
    ("vtd-ordinary-masters", |m| m.qemu_opts.push(ORDINARY.into())),
    ("vtd-pass-through", |m| m.append.push("iommu=pt".into())),
    ("vtd-4-level-tables", |m| m.cpu = "max,la57=off".into()),
    ("vtd-no-interrupt-remapping", |m| m.iommu.push("intremap=off".into())),
];

/// The suite.
pub fn run(runner: &mut Runner) {
    let mut rows: Vec<(&str, Change)> = ROWS.to_vec();
    if runner.more {
        rows.extend(VTD_ROWS);
        rows.push(("16k-pages", |m| m.page_size = PageSize::K16));
    }
    for (name, change) in rows {
        runner.test(&format!("matrix/{name}"), |r, dir| {
            let mut args =
                if name.starts_with("vtd") { plain_vtd(&r.source) } else { plain_machine(&r.source) };
            // A kernel image that was given has one page size; the others come from the cache.
            if name.contains("k-pages") {
                args.source.kernel = None;
                args.source.kdir = None;
            }
            change(&mut args);
            good(&demo_in(&args, "all", &dir, 400)?, &dir)
        });
    }
}
