// SPDX-License-Identifier: GPL-2.0-or-later
//! A small client of QEMU's machine protocol: one command at a time, events kept aside.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

/// Reads lines from a socket with a deadline.
pub struct Lines {
    stream: UnixStream,
    pending: Vec<u8>,
}

/// What [`Lines::next`] found.
pub enum Line {
    /// A line without its end.
    Text(String),
    /// None in the given time.
    Nothing,
    /// The other side has closed.
    Closed,
}

impl Lines {
    /// Takes the socket over.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, pending: Vec::new() }
    }

    /// The next line, within `wait`.
    pub fn next(&mut self, wait: Duration) -> Result<Line> {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
                let rest = self.pending.split_off(end + 1);
                let line = std::mem::replace(&mut self.pending, rest);
                return Ok(Line::Text(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Line::Nothing);
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut chunk = [0; 65536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(Line::Closed),
                Ok(n) => self.pending.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(Line::Nothing);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(Line::Closed),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Sends one line.
    pub fn send(&mut self, line: &str) -> Result<()> {
        self.stream.write_all(format!("{line}\n").as_bytes()).context("writing to QEMU's socket")
    }
}

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A QMP connection.
pub struct Qmp {
    lines: Lines,
    events: Vec<Value>,
}

/// Counters by name.
pub type Counters = BTreeMap<String, u64>;

impl Qmp {
    /// Reads the greeting and ends the negotiation.
    pub fn new(stream: UnixStream) -> Result<Self> {
        let mut qmp = Self { lines: Lines::new(stream), events: Vec::new() };
        let greeting = qmp.receive(PATIENCE)?;
        if greeting.get("QMP").is_none() {
            bail!("no QMP greeting, but {greeting}");
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    fn receive(&mut self, wait: Duration) -> Result<Value> {
        match self.lines.next(wait)? {
            Line::Text(line) => serde_json::from_str(&line).with_context(|| format!("QMP line {line:?}")),
            Line::Nothing => bail!("QMP: no answer in {} s", wait.as_secs()),
            Line::Closed => bail!("QMP: QEMU closed the connection"),
        }
    }

    /// Runs a command and returns its value.
    ///
    /// # Errors
    ///
    /// QEMU's own description of what it refused, or the loss of the connection.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let mut message = json!({"execute": command});
        if arguments.as_object().is_some_and(|a| !a.is_empty()) {
            message["arguments"] = arguments;
        }
        self.lines.send(&message.to_string())?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut answer = self.receive(deadline.saturating_duration_since(Instant::now()))?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                return Err(anyhow!("{command}: {}", error["desc"].as_str().unwrap_or("refused")));
            }
            if answer.get("event").is_some() {
                self.events.push(answer);
            }
        }
    }

    /// A QOM property.
    pub fn get(&mut self, path: &str, property: &str) -> Result<Value> {
        self.execute("qom-get", json!({"path": path, "property": property}))
    }

    /// The `stats` of a device: a JSON object, as an object or as a string.
    pub fn stats(&mut self, path: &str) -> Result<Counters> {
        let mut value = self.get(path, "stats")?;
        if let Some(text) = value.as_str() {
            value = serde_json::from_str(text).with_context(|| format!("{path}: stats is {text:?}"))?;
        }
        let object = value.as_object().with_context(|| format!("{path}: stats is {value}"))?;
        Ok(object.iter().filter_map(|(k, v)| Some((k.clone(), v.as_u64()?))).collect())
    }

    /// Waits until the migration out has ended.
    pub fn wait_migrated(&mut self, wait: Duration) -> Result<()> {
        let deadline = Instant::now() + wait;
        loop {
            let info = self.execute("query-migrate", json!({}))?;
            match info["status"].as_str() {
                Some("completed") => return Ok(()),
                Some("failed" | "cancelled") => {
                    bail!("migration failed: {}", info["error-desc"].as_str().unwrap_or("no reason given"))
                }
                _ if Instant::now() > deadline => {
                    bail!("migration did not end in {} s: {info}", wait.as_secs())
                }
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Waits until the machine is in a run state.
    pub fn wait_state(&mut self, state: &str, wait: Duration) -> Result<()> {
        let deadline = Instant::now() + wait;
        loop {
            let now = self.execute("query-status", json!({}))?;
            if now["status"] == state {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the machine is in state {}, not {state}", now["status"]);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What was counted between two samples; counters that went backwards count from zero (a reset in between).
pub fn difference(before: &Counters, after: &Counters) -> Counters {
    after
        .iter()
        .map(|(name, now)| {
            let then = before.get(name).copied().unwrap_or(0);
            (name.clone(), now.checked_sub(then).unwrap_or(*now))
        })
        .collect()
}

/// Adds counters up.
pub fn sum<'a>(all: impl IntoIterator<Item = &'a Counters>) -> Counters {
    let mut total = Counters::new();
    for counters in all {
        for (name, n) in counters {
            let entry = total.entry(name.clone()).or_default();
            *entry = entry.saturating_add(*n);
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_and_sums() {
        let a = Counters::from([("x".into(), 3), ("y".into(), 9)]);
        let b = Counters::from([("x".into(), 5), ("y".into(), 2), ("z".into(), 1)]);
        assert_eq!(difference(&a, &b), Counters::from([("x".into(), 2), ("y".into(), 2), ("z".into(), 1)]));
        assert_eq!(sum([&a, &b])["x"], 8);
    }

    #[test]
    fn lines_come_whole() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut a, mut b) = (Lines::new(here), Lines::new(there));
        b.send("one").unwrap();
        b.send("two").unwrap();
        assert!(matches!(a.next(Duration::from_secs(1)).unwrap(), Line::Text(t) if t == "one"));
        assert!(matches!(a.next(Duration::from_secs(1)).unwrap(), Line::Text(t) if t == "two"));
        assert!(matches!(a.next(Duration::from_millis(1)).unwrap(), Line::Nothing));
        drop(b);
        assert!(matches!(a.next(Duration::from_secs(1)).unwrap(), Line::Closed));
    }
}
