// SPDX-License-Identifier: GPL-2.0-or-later
//! Registers of the Non-secure programming interface (`IHI0070 §6.3`).

use anyhow::{Result, ensure};

use super::Ids;
use crate::qtest::Qtest;
use crate::scenario::smmuv3::SMMU;

/// What closes a register to writes: a register, its bit, and what to write to open it again.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    /// The register, from the SMMU's first.
    pub register: u64,
    /// The bit.
    pub bit: u32,
}

const SMMUEN: Guard = Guard { register: 0x20, bit: 0 };
const PRIQEN: Guard = Guard { register: 0x20, bit: 1 };
const EVENTQEN: Guard = Guard { register: 0x20, bit: 2 };
const CMDQEN: Guard = Guard { register: 0x20, bit: 3 };
const GERROR_IRQEN: Guard = Guard { register: 0x50, bit: 0 };
const PRIQ_IRQEN: Guard = Guard { register: 0x50, bit: 1 };
const EVENTQ_IRQEN: Guard = Guard { register: 0x50, bit: 2 };

/// How a register takes writes.
#[derive(Clone, Copy)]
pub enum Kind {
    /// It does not.
    ReadOnly,
    /// These bits keep what is written, the others are RES0; closed while the guard's bit is set.
    ReadWrite(fn(Ids) -> u64, Option<Guard>),
    /// The same, and the register at the offset shows it as acknowledged.
    Acknowledged(fn(Ids) -> u64, u64),
    /// These bits are set by ones, and cleared by ones at the offset, where they read the same; zeros do nothing.
    SetClear(fn(Ids) -> u64, u64),
    /// `GBPA`: taken when bit 31 is written as 1, which reads as 0 once it is done.
    Update(u64),
}

/// A register.
pub struct Register {
    /// Its name.
    pub name: &'static str,
    /// Where it is described.
    pub clause: &'static str,
    offset: u64,
    /// 64 bits.
    wide: bool,
    /// Its reset value, where the specification or the property that decides it gives one.
    reset: Option<u64>,
    kind: Kind,
    /// Whether this SMMU has it: otherwise it is RES0.
    exists: fn(Ids) -> bool,
}

pub const fn register(
    name: &'static str,
    clause: &'static str,
    offset: u64,
    reset: Option<u64>,
    kind: Kind,
) -> Register {
    Register { name, clause, offset, wide: false, reset, kind, exists: |_| true }
}

pub const fn wide(name: &'static str, clause: &'static str, offset: u64, kind: Kind) -> Register {
    Register { name, clause, offset, wide: true, reset: None, kind, exists: |_| true }
}

pub const fn if_counter_msi(register: Register) -> Register {
    Register { exists: |ids| ids.counter_msi(), ..register }
}

const fn if_pri(register: Register) -> Register {
    Register { exists: |ids| ids.pri(), ..register }
}

fn cr0(ids: Ids) -> u64 {
    let mut bits = 0b1101;
    if ids.pri() {
        bits |= 1 << 1;
    }
    if ids.ats() {
        bits |= 1 << 4;
    }
    if ids.vmw() {
        bits |= 0b111 << 6;
    }
    bits
}

fn cr2(ids: Ids) -> u64 {
    u64::from(ids.hyp()) | 1 << 1 | u64::from(ids.btm()) << 2 | u64::from(ids.ats_errors()) << 3
}

fn irq_ctrl(ids: Ids) -> u64 {
    0b101 | u64::from(ids.pri()) << 1
}

/// MSI aborts of the queues that exist, and what is always there.
fn gerror(ids: Ids) -> u64 {
    let mut bits = 1 | 1 << 2 | 1 << 8;
    if ids.pri() {
        bits |= 1 << 3;
    }
    if ids.msi() {
        bits |= 1 << 4 | 1 << 5 | 1 << 7;
        if ids.pri() {
            bits |= 1 << 6;
        }
    }
    bits
}

fn msi_address(ids: Ids) -> u64 {
    if ids.msi() { ids.addresses() & !0x3 } else { 0 }
}

fn msi_data(ids: Ids) -> u64 {
    if ids.msi() { 0xffff_ffff } else { 0 }
}

fn msi_attributes(ids: Ids) -> u64 {
    if ids.msi() { 0x3f } else { 0 }
}

fn queue_base(ids: Ids) -> u64 {
    ids.addresses() & !0x1f | 1 << 62 | 0x1f
}

fn stream_table_config(ids: Ids) -> u64 {
    if ids.two_level() { 0x3_07ff } else { 0x3f }
}

/// With the queue's size at its maximum, which the cases arrange.
fn index(log2: u32) -> u64 {
    (2 << log2) - 1
}

/// All of them. Where the specification's reset value is UNKNOWN there is none.
pub const REGISTERS: &[Register] = &[
    register("IDR0", "§6.3.1", 0x00, None, Kind::ReadOnly),
    register("IDR1", "§6.3.2", 0x04, None, Kind::ReadOnly),
    register("IDR2", "§6.3.3", 0x08, Some(0), Kind::ReadOnly),
    register("IDR3", "§6.3.4", 0x0c, None, Kind::ReadOnly),
    register("IDR4", "§6.3.5", 0x10, None, Kind::ReadOnly),
    register("IDR5", "§6.3.6", 0x14, None, Kind::ReadOnly),
    // Linux applies errata by implementer, so there is none.
    register("IIDR", "§6.3.7", 0x18, Some(0), Kind::ReadOnly),
    register("AIDR", "§6.3.8", 0x1c, None, Kind::ReadOnly),
    register("CR0", "§6.3.9", 0x20, Some(0), Kind::Acknowledged(cr0, 0x24)),
    register("CR0ACK", "§6.3.10", 0x24, Some(0), Kind::ReadOnly),
    register("CR1", "§6.3.11", 0x28, None, Kind::ReadWrite(|_| 0xfff, None)),
    register("CR2", "§6.3.12", 0x2c, None, Kind::ReadWrite(cr2, Some(SMMUEN))),
    register("STATUSR", "§6.3.13", 0x40, Some(0), Kind::ReadOnly),
    register("GBPA", "§6.3.14", 0x44, None, Kind::Update(0x001f_3f1f)),
    register("IRQ_CTRL", "§6.3.16", 0x50, Some(0), Kind::Acknowledged(irq_ctrl, 0x54)),
    register("IRQ_CTRLACK", "§6.3.18", 0x54, Some(0), Kind::ReadOnly),
    register("GERROR", "§6.3.19", 0x60, Some(0), Kind::ReadOnly),
    register("GERRORN", "§6.3.20", 0x64, Some(0), Kind::ReadWrite(gerror, None)),
    wide("GERROR_IRQ_CFG0", "§6.3.21", 0x68, Kind::ReadWrite(msi_address, Some(GERROR_IRQEN))),
    register("GERROR_IRQ_CFG1", "§6.3.22", 0x70, None, Kind::ReadWrite(msi_data, Some(GERROR_IRQEN))),
    register("GERROR_IRQ_CFG2", "§6.3.23", 0x74, None, Kind::ReadWrite(msi_attributes, Some(GERROR_IRQEN))),
    wide(
        "STRTAB_BASE",
        "§6.3.24",
        0x80,
        Kind::ReadWrite(|ids| ids.addresses() & !0x3f | 1 << 62, Some(SMMUEN)),
    ),
    register("STRTAB_BASE_CFG", "§6.3.25", 0x88, None, Kind::ReadWrite(stream_table_config, Some(SMMUEN))),
    wide("CMDQ_BASE", "§6.3.26", 0x90, Kind::ReadWrite(queue_base, Some(CMDQEN))),
    register("CMDQ_PROD", "§6.3.27", 0x98, None, Kind::ReadWrite(|ids| index(ids.command_queue()), None)),
    register(
        "CMDQ_CONS",
        "§6.3.28",
        0x9c,
        None,
        Kind::ReadWrite(|ids| index(ids.command_queue()), Some(CMDQEN)),
    ),
    wide("EVENTQ_BASE", "§6.3.29", 0xa0, Kind::ReadWrite(queue_base, Some(EVENTQEN))),
    wide("EVENTQ_IRQ_CFG0", "§6.3.30", 0xb0, Kind::ReadWrite(msi_address, Some(EVENTQ_IRQEN))),
    register("EVENTQ_IRQ_CFG1", "§6.3.31", 0xb8, None, Kind::ReadWrite(msi_data, Some(EVENTQ_IRQEN))),
    register("EVENTQ_IRQ_CFG2", "§6.3.32", 0xbc, None, Kind::ReadWrite(msi_attributes, Some(EVENTQ_IRQEN))),
    register(
        "EVENTQ_PROD",
        "§6.3.33",
        0x1_00a8,
        None,
        Kind::ReadWrite(|ids| index(ids.event_queue()) | 1 << 31, Some(EVENTQEN)),
    ),
    register(
        "EVENTQ_CONS",
        "§6.3.34",
        0x1_00ac,
        None,
        Kind::ReadWrite(|ids| index(ids.event_queue()) | 1 << 31, None),
    ),
    if_pri(wide("PRIQ_BASE", "§6.3.35", 0xc0, Kind::ReadWrite(queue_base, Some(PRIQEN)))),
    if_pri(wide("PRIQ_IRQ_CFG0", "§6.3.36", 0xd0, Kind::ReadWrite(msi_address, Some(PRIQ_IRQEN)))),
    if_pri(register("PRIQ_IRQ_CFG1", "§6.3.37", 0xd8, None, Kind::ReadWrite(msi_data, Some(PRIQ_IRQEN)))),
    if_pri(register(
        "PRIQ_IRQ_CFG2",
        "§6.3.38",
        0xdc,
        None,
        // LO (bit 31) has an effect without MSIs as well.
        Kind::ReadWrite(|ids| msi_attributes(ids) | 1 << 31, Some(PRIQ_IRQEN)),
    )),
    if_pri(register(
        "PRIQ_PROD",
        "§6.3.39",
        0x1_00c8,
        None,
        Kind::ReadWrite(|ids| index(ids.page_request_queue()) | 1 << 31, Some(PRIQEN)),
    )),
    if_pri(register(
        "PRIQ_CONS",
        "§6.3.40",
        0x1_00cc,
        None,
        Kind::ReadWrite(|ids| index(ids.page_request_queue()) | 1 << 31, None),
    )),
    // CoreSight preamble: the bytes 0xb105f00d.
    register("CIDR0", "§6.3.170", 0xff0, Some(0x0d), Kind::ReadOnly),
    register("CIDR1", "§6.3.170", 0xff4, Some(0xf0), Kind::ReadOnly),
    register("CIDR2", "§6.3.170", 0xff8, Some(0x05), Kind::ReadOnly),
    register("CIDR3", "§6.3.170", 0xffc, Some(0xb1), Kind::ReadOnly),
    // Places without a register: Reserved, RES0.
    register("reserved-0x30", "§6.1", 0x30, Some(0), Kind::ReadOnly),
    register("reserved-0x100", "§6.1", 0x100, Some(0), Kind::ReadOnly),
    register("reserved-0x10000", "§6.1", 0x1_0000, Some(0), Kind::ReadOnly),
];

/// What is wrong with the registers' reset values; to be asked before anything is written.
pub fn at_reset(q: &mut Qtest, register: &Register) -> Result<()> {
    let ids = Ids::read(q)?;
    let value = register.read(q)?;
    match register.reset {
        Some(reset) => {
            ensure!(
                value == reset,
                "it is {value:#x} after reset, expected {reset:#x} ({})",
                register.clause
            );
        }
        None => {
            // Whatever it is: what is RES0 is not set.
            if let Kind::ReadWrite(bits, _) | Kind::Acknowledged(bits, _) | Kind::SetClear(bits, _) =
                register.kind
            {
                let bits = if (register.exists)(ids) { bits(ids) } else { 0 };
                ensure!(
                    value & !bits == 0,
                    "it is {value:#x} after reset, with RES0 bits ({})",
                    register.clause
                );
            }
        }
    }
    Ok(())
}

/// Writes and reads of one register. Leaves it as zero as it can be.
pub fn writes(q: &mut Qtest, register: &Register) -> Result<String> {
    let ids = Ids::read(q)?;
    // So that queues have their largest index.
    for base in [0x90, 0xa0, 0xc0] {
        q.writeq(SMMU + base, 0x1f)?;
    }
    let clause = register.clause;
    match register.kind {
        Kind::ReadOnly => {
            let before = register.read(q)?;
            register.write(q, u64::MAX)?;
            let ones = register.read(q)?;
            register.write(q, 0)?;
            let zeros = register.read(q)?;
            ensure!(
                before == ones && before == zeros,
                "read-only, and it was {before:#x}, then {ones:#x}, then {zeros:#x} ({clause})"
            );
            Ok(format!("{before:#x}, read-only"))
        }
        Kind::ReadWrite(bits, guard) => {
            let bits = if (register.exists)(ids) { bits(ids) } else { 0 };
            takes(q, register, bits)?;
            if let Some(guard) = guard.filter(|_| bits != 0) {
                let set = q.readl(SMMU + guard.register)? | 1 << guard.bit;
                q.writel(SMMU + guard.register, set)?;
                let before = register.read(q)?;
                register.write(q, u64::MAX)?;
                let now = register.read(q)?;
                q.writel(SMMU + guard.register, set & !(1 << guard.bit))?;
                ensure!(now == before, "it is closed, and went from {before:#x} to {now:#x} ({clause})");
            }
            Ok(format!(
                "{bits:#x} can be written{}",
                if guard.is_some() { ", closed while enabled" } else { "" }
            ))
        }
        Kind::Acknowledged(bits, ack) => {
            let bits = bits(ids);
            for value in [bits, 0] {
                register.write(q, value)?;
                let (now, acknowledged) = (register.read(q)?, u64::from(q.readl(SMMU + ack)?));
                ensure!(
                    now == value && acknowledged == value,
                    "written {value:#x}: it reads {now:#x}, acknowledged {acknowledged:#x} ({clause})"
                );
            }
            takes(q, register, bits)?;
            Ok(format!("{bits:#x} can be written, and is acknowledged"))
        }
        Kind::SetClear(bits, clear) => {
            let bits = bits(ids);
            let clear = Register { offset: clear, ..*register };
            register.write(q, u64::MAX)?;
            register.write(q, 0)?;
            clear.write(q, 0)?;
            let (set, same) = (register.read(q)?, clear.read(q)?);
            ensure!(
                (set, same) == (bits, bits),
                "set by ones, it is {set:#x}, and {same:#x} where it is cleared, expected {bits:#x} ({clause})"
            );
            clear.write(q, 1)?;
            let one = register.read(q)?;
            ensure!(one == bits & !1, "bit 0 cleared, it is {one:#x} ({clause})");
            q.writel(SMMU + register.offset, 1)?;
            ensure!(register.read(q)? == bits, "bit 0 set by its half, it is not set ({clause})");
            clear.write(q, u64::MAX)?;
            ensure!(register.read(q)? == 0 && clear.read(q)? == 0, "cleared by ones, it is not 0 ({clause})");
            Ok(format!("{bits:#x} set and cleared by ones"))
        }
        Kind::Update(bits) => {
            let update = 1 << 31;
            register.write(q, update)?;
            register.write(q, bits)?;
            let now = register.read(q)?;
            ensure!(now == 0, "written {bits:#x} without Update, and it reads {now:#x} ({clause})");
            register.write(q, u64::from(u32::MAX))?;
            let now = register.read(q)?;
            ensure!(now == bits, "updated with all ones, it reads {now:#x}, expected {bits:#x} ({clause})");
            register.write(q, update)?;
            ensure!(register.read(q)? == 0, "updated with zeros, it is not 0 ({clause})");
            Ok(format!("{bits:#x} by Update"))
        }
    }
}

/// All ones leave `bits`, zeros leave nothing, whole and by halves.
fn takes(q: &mut Qtest, register: &Register, bits: u64) -> Result<()> {
    let clause = register.clause;
    register.write(q, u64::MAX)?;
    let now = register.read(q)?;
    ensure!(now == bits, "all ones leave {now:#x}, expected {bits:#x} ({clause})");
    register.write(q, 0)?;
    let now = register.read(q)?;
    ensure!(now == 0, "zeros leave {now:#x} ({clause})");
    if register.wide {
        for (half, mask) in [(0, 0xffff_ffff), (4, 0xffff_ffff_0000_0000u64)] {
            q.writel(SMMU + register.offset + half, u32::MAX)?;
            let now = register.read(q)?;
            ensure!(now == bits & mask, "ones in the half at {half} leave {now:#x} ({clause})");
            q.writel(SMMU + register.offset + half, 0)?;
        }
        ensure!(register.read(q)? == 0, "zeros by halves leave something ({clause})");
    }
    Ok(())
}

impl Register {
    fn read(&self, q: &mut Qtest) -> Result<u64> {
        let at = SMMU + self.offset;
        if self.wide { q.readq(at) } else { Ok(q.readl(at)?.into()) }
    }

    fn write(&self, q: &mut Qtest, value: u64) -> Result<()> {
        let at = SMMU + self.offset;
        if self.wide { q.writeq(at, value) } else { q.writel(at, (value & 0xffff_ffff) as u32) }
    }
}
