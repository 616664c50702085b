// SPDX-License-Identifier: GPL-2.0-or-later
//! The line to the host: a virtio-serial port named `qemu-iommu` that carries JSON lines.
//!
//! Before and after each check the guest says so and waits for `{"go":true}`, so that the host can read the
//! models' counters in between. Without the port nothing is sent and nothing is waited for.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::readable;
use crate::{kernel, memory, pci};

const PORT: &str = "qemu-iommu";
/// How long the host may take to answer before the guest goes on without it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The line, or what stands in for it.
#[derive(Debug, Default)]
pub struct Host {
    port: Option<File>,
    pending: Vec<u8>,
}

impl Host {
    /// Finds the port by its name.
    pub fn connect() -> Self {
        let path = fs::read_dir("/sys/class/virtio-ports").ok().and_then(|dir| {
            dir.flatten()
                .find(|e| kernel::text(&e.path().join("name").to_string_lossy()).as_deref() == Some(PORT))
                .map(|e| format!("/dev/{}", e.file_name().to_string_lossy()))
        });
        let port = path.and_then(|path| OpenOptions::new().read(true).write(true).open(path).ok());
        Self { port, pending: Vec::new() }
    }

    /// Whether somebody is to be told.
    pub fn connected(&self) -> bool {
        self.port.is_some()
    }

    fn send(&mut self, message: &Value) {
        if let Some(port) = &mut self.port
            && port.write_all(format!("{message}\n").as_bytes()).is_err()
        {
            self.port = None;
        }
    }

    /// Waits for one line; gives the host up when none comes.
    fn wait(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while let Some(port) = &mut self.port {
            if let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
                self.pending.drain(..=end);
                return;
            }
            let mut chunk = [0u8; 512];
            let left = deadline.saturating_duration_since(Instant::now());
            match readable(port, left).then(|| port.read(&mut chunk)) {
                Some(Ok(n)) if n > 0 => self.pending.extend_from_slice(&chunk[..n]),
                // a host that is not connected yet reads as end of file
                Some(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
                _ => {
                    eprintln!("sva-workload: the host does not answer on port {PORT}; going on without it");
                    self.port = None;
                }
            }
        }
    }

    /// Who we are.
    pub fn hello(&mut self, functions: &[pci::Function]) {
        let devices: Vec<Value> = functions
            .iter()
            .map(|f| json!({"bdf": f.bdf, "pasid_bits": f.pasid_bits, "uio": f.uio, "driver": f.driver}))
            .collect();
        self.send(&json!({
            "event": "hello",
            "kernel": kernel::release(),
            "machine": kernel::machine(),
            "page_size": memory::page_size(),
            "devices": devices,
        }));
    }

    /// A check begins, when the host has answered.
    pub fn begin(&mut self, check: &str) {
        self.send(&json!({"event": "begin", "check": check}));
        self.wait();
    }

    /// A check has ended; goes on when the host has answered. `claims` is an object.
    pub fn end(&mut self, check: &str, status: &str, detail: &str, claims: &Value) {
        self.send(
            &json!({"event": "end", "check": check, "status": status, "detail": detail, "claims": claims}),
        );
        self.wait();
    }

    /// All checks have ended.
    pub fn done(&mut self, passed: usize, failed: usize, skipped: usize) {
        self.send(&json!({"event": "done", "passed": passed, "failed": failed, "skipped": skipped}));
    }

    /// Something that the human on the other side should read: init's findings before the workload runs.
    pub fn note(&mut self, text: &str) {
        self.send(&json!({"event": "note", "text": text}));
    }
}
