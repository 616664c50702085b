// SPDX-License-Identifier: GPL-2.0-or-later
//! A client of QEMU's qtest protocol: a machine without a running CPU, whose memory and registers we write.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::place::SocketDir;
use crate::qmp::{Line, Lines, Qmp};
use crate::session::{self, Listener, spawn, why};
use crate::vm::Machine;

/// A QEMU under qtest. Dropping it ends QEMU.
pub struct Qtest {
    child: Child,
    lines: Lines,
    /// QMP beside it.
    pub qmp: Qmp,
    _sockets: SocketDir,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Qtest {
    /// Starts a machine under `-accel qtest`; its command line and output go to `dir`.
    pub fn start(mut machine: Machine, dir: &Path, name: &str) -> Result<Self> {
        let sockets = SocketDir::new()?;
        let (qtest, qmp) = (Listener::new(sockets.path("qtest"))?, Listener::new(sockets.path("qmp"))?);
        machine.sockets.qtest = Some(qtest.path.clone());
        machine.sockets.qmp = Some(qmp.path.clone());
        let words = machine.command()?;
        std::fs::write(dir.join(format!("{name}.command-line")), crate::vm::pretty(&words) + "\n")?;
        let log = dir.join(format!("{name}.qemu.log"));
        let mut child = spawn(&words, &log)?;
        let connected = (|| {
            let lines = Lines::new(qtest.accept(&mut child, &log)?);
            let stream: UnixStream = qmp.accept(&mut child, &log)?;
            anyhow::Ok((lines, Qmp::new(stream)?))
        })();
        match connected {
            Ok((lines, qmp)) => Ok(Self { child, lines, qmp, _sockets: sockets }),
            Err(e) => Err(why(child, &log, e)),
        }
    }

    fn ask(&mut self, command: &str) -> Result<String> {
        self.lines.send(command)?;
        loop {
            match self.lines.next(PATIENCE)? {
                // Interrupt reports come in between; nobody here asks for them.
                Line::Text(line) if line.starts_with("IRQ ") => {}
                Line::Text(line) => {
                    let Some(rest) = line.strip_prefix("OK") else { bail!("qtest: {command:.40}: {line}") };
                    return Ok(rest.trim().to_owned());
                }
                Line::Nothing => bail!("qtest: no answer to {command:.40} in {} s", PATIENCE.as_secs()),
                Line::Closed => {
                    let how = self.ended().unwrap_or_else(|| "it still runs".into());
                    bail!("qtest: QEMU left at {command:.40}: {how}")
                }
            }
        }
    }

    /// How QEMU ended, if it has, or does within a moment.
    fn ended(&mut self) -> Option<String> {
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(session::how(status)),
                _ => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        None
    }

    fn number(&mut self, command: &str) -> Result<u64> {
        let text = self.ask(command)?;
        let digits = text.trim_start_matches("0x");
        u64::from_str_radix(digits, 16).with_context(|| format!("qtest: {command} answered {text:?}"))
    }

    /// Reads 32 bits.
    pub fn readl(&mut self, addr: u64) -> Result<u32> {
        Ok(u32::try_from(self.number(&format!("readl {addr:#x}"))?)?)
    }

    /// Reads 64 bits.
    pub fn readq(&mut self, addr: u64) -> Result<u64> {
        self.number(&format!("readq {addr:#x}"))
    }

    /// Writes 32 bits.
    pub fn writel(&mut self, addr: u64, value: u32) -> Result<()> {
        self.ask(&format!("writel {addr:#x} {value:#x}")).map(drop)
    }

    /// Writes 64 bits.
    pub fn writeq(&mut self, addr: u64, value: u64) -> Result<()> {
        self.ask(&format!("writeq {addr:#x} {value:#x}")).map(drop)
    }

    /// Writes 32 bits to an I/O port.
    pub fn outl(&mut self, port: u16, value: u32) -> Result<()> {
        self.ask(&format!("outl {port:#x} {value:#x}")).map(drop)
    }

    /// Reads bytes.
    pub fn read(&mut self, addr: u64, len: u64) -> Result<Vec<u8>> {
        let text = self.ask(&format!("read {addr:#x} {len:#x}"))?;
        let digits = text.trim_start_matches("0x").as_bytes();
        digits
            .chunks(2)
            .map(|pair| {
                let pair = std::str::from_utf8(pair).unwrap_or_default();
                u8::from_str_radix(pair, 16)
                    .with_context(|| format!("qtest: {pair:?} in memory at {addr:#x}"))
            })
            .collect()
    }

    /// Writes bytes.
    pub fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<()> {
        self.ask(&format!("write {addr:#x} {:#x} 0x{}", bytes.len(), crate::place::hex(bytes))).map(drop)
    }

    /// Fills memory.
    pub fn memset(&mut self, addr: u64, len: u64, byte: u8) -> Result<()> {
        self.ask(&format!("memset {addr:#x} {len:#x} {byte:#x}")).map(drop)
    }

    /// Raises or lowers an input of a device.
    pub fn set_irq(&mut self, path: &str, input: u32, high: bool) -> Result<()> {
        self.ask(&format!("set_irq_in {path} unnamed-gpio-in {input} {}", u8::from(high))).map(drop)
    }

    /// Lets virtual time pass, in nanoseconds: nothing else moves the clock.
    pub fn step(&mut self, nanoseconds: u64) -> Result<()> {
        self.ask(&format!("clock_step {nanoseconds}")).map(drop)
    }
}

impl Drop for Qtest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
