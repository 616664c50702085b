// SPDX-License-Identifier: GPL-2.0-or-later
//! A running QEMU: its process, QMP, the guest's line, the console log.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::advice::{coded, exit};
use crate::alarms::Alarms;
use crate::cli::Driver;
use crate::place::{self, SocketDir};
use crate::qmp::{Lines, Qmp};
use crate::vm::Machine;

/// QEMU and what this program holds of it. Dropping it ends QEMU.
pub struct Session {
    child: Child,
    /// QMP.
    pub qmp: Qmp,
    /// The guest's line, when the machine has one.
    pub control: Option<Lines>,
    /// QEMU's own output.
    pub log: PathBuf,
    _sockets: SocketDir,
}

/// How QEMU ended.
pub enum Ended {
    /// By itself, with code 0.
    Well,
    /// With another code or a signal, in words, with its last lines.
    Badly(String),
}

impl Session {
    /// Starts a machine; `dir` takes its logs and its command line. With `control`, the guest's line is connected.
    pub fn start(mut machine: Machine, dir: &Path, control: bool) -> Result<Self> {
        let sockets = SocketDir::new()?;
        let qmp = Listener::new(sockets.path("qmp"))?;
        machine.sockets.qmp = Some(qmp.path.clone());
        let line = if control { Some(Listener::new(sockets.path("control"))?) } else { None };
        machine.sockets.control = line.as_ref().map(|l| l.path.clone());
        let words = machine.command()?;
        std::fs::write(dir.join("command-line"), crate::vm::pretty(&words) + "\n")
            .context("writing the command line")?;
        let log = dir.join("qemu.log");
        let mut child = spawn(&words, &log)?;
        let connected = (|| {
            let control = match &line {
                Some(l) => Some(l.accept(&mut child, &log)?),
                None => None,
            };
            let qmp = qmp.accept(&mut child, &log)?;
            anyhow::Ok((Qmp::new(qmp)?, control))
        })();
        match connected {
            Ok((qmp, control)) => {
                Ok(Self { child, qmp, control: control.map(Lines::new), log, _sockets: sockets })
            }
            Err(e) => Err(why(child, &log, e)),
        }
    }

    /// QEMU's end, if it has come.
    pub fn poll(&mut self) -> Result<Option<Ended>> {
        Ok(self.child.try_wait()?.map(|status| ended(status, &self.log)))
    }

    /// Waits for QEMU's end; `None` when it has not come in time.
    pub fn wait(&mut self, wait: Duration) -> Result<Option<Ended>> {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(end) = self.poll()? {
                return Ok(Some(end));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks QEMU to quit, and ends it when it does not.
    pub fn quit(&mut self) {
        let _ = self.qmp.execute("quit", serde_json::json!({}));
        if !matches!(self.wait(Duration::from_secs(5)), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Starts QEMU with its output in a file.
pub fn spawn(words: &[String], log: &Path) -> Result<Child> {
    let (program, arguments) = words.split_first().context("empty command line")?;
    let out = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    with_modules(&mut command, Path::new(program));
    command
        .spawn()
        .map_err(|e| coded(exit::QEMU, format!("cannot start {program}: {e}"), "run `cargo xtask setup`"))
}

/// QEMU looks for its own modules (accel-qtest) beside itself.
pub fn with_modules(command: &mut Command, program: &Path) {
    if let Some(dir) = program.parent() {
        command.env("QEMU_MODULE_DIR", dir);
    }
}

/// An error at the start: QEMU's own end explains it better, if it has ended. QEMU is gone afterwards.
pub fn why(mut child: Child, log: &Path, error: anyhow::Error) -> anyhow::Error {
    let deadline = Instant::now() + Duration::from_secs(2);
    while Instant::now() < deadline && error.downcast_ref::<crate::advice::Advice>().is_none() {
        if let Ok(Some(status)) = child.try_wait() {
            return did_not_start(status, log);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    error
}

fn did_not_start(status: ExitStatus, log: &Path) -> anyhow::Error {
    let words = match ended(status, log) {
        Ended::Well => "QEMU ended at once".to_owned(),
        Ended::Badly(words) => words,
    };
    coded(
        exit::QEMU,
        format!("QEMU did not start: {words}"),
        format!("its whole output is in {}; --dry-run shows the command line", log.display()),
    )
}

fn ended(status: ExitStatus, log: &Path) -> Ended {
    if status.success() {
        return Ended::Well;
    }
    let how = how(status);
    let last = place::tail(log, 8);
    Ended::Badly(if last.is_empty() {
        how
    } else {
        format!("{how}; its last words:\n    {}", last.join("\n    "))
    })
}

/// A process's end in words.
pub fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(n), _) => format!("QEMU crashed: signal {n} ({})", signal_name(n)),
        (None, code) => format!("QEMU ended with code {}", code.unwrap_or(-1)),
    }
}

fn signal_name(n: i32) -> &'static str {
    match n {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => "see signal(7)",
    }
}

/// A socket that QEMU will connect to.
pub struct Listener {
    listener: UnixListener,
    /// Its path.
    pub path: PathBuf,
}

impl Listener {
    /// Listens on a path.
    pub fn new(path: PathBuf) -> Result<Self> {
        let listener =
            UnixListener::bind(&path).with_context(|| format!("listening on {}", path.display()))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path })
    }

    /// Waits for QEMU's connection; fails with QEMU's last words when it ends instead.
    pub fn accept(&self, child: &mut Child, log: &Path) -> Result<UnixStream> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(stream);
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e.into()),
            }
            if let Some(status) = child.try_wait()? {
                return Err(did_not_start(status, log));
            }
            if Instant::now() > deadline {
                return Err(coded(
                    exit::TIMEOUT,
                    "QEMU did not connect to its sockets in 60 s",
                    format!("see {}", log.display()),
                ));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Follows a console log and remembers what is alarming in it.
pub struct Console {
    /// The file.
    pub path: PathBuf,
    offset: u64,
    partial: Vec<u8>,
    /// The last line that was not empty.
    pub last: String,
    /// What speaks of a fault of the kernel.
    pub alarms: Alarms,
    /// A panic's line.
    pub panic: Option<String>,
    /// What init said at the end: modules, taint.
    pub farewell: Option<String>,
    /// The workload's printed lines: status, check, detail.
    pub verdicts: Vec<(String, String, String)>,
    verbose: bool,
}

impl Console {
    /// Follows a file that may not exist yet.
    pub fn follow(path: PathBuf, verbose: bool) -> Self {
        Self {
            path,
            offset: 0,
            partial: Vec::new(),
            last: String::new(),
            alarms: Alarms::default(),
            panic: None,
            farewell: None,
            verdicts: Vec::new(),
            verbose,
        }
    }

    /// Goes on in another file.
    pub fn continue_in(&mut self, path: PathBuf) {
        self.path = path;
        self.offset = 0;
    }

    /// Takes in what has been written since the last time.
    pub fn poll(&mut self) {
        let Ok(mut file) = File::open(&self.path) else { return };
        if file.seek(SeekFrom::Start(self.offset)).is_err() {
            return;
        }
        let mut new = Vec::new();
        let Ok(n) = file.read_to_end(&mut new) else { return };
        self.offset += n as u64;
        self.partial.extend(new);
        while let Some(end) = self.partial.iter().position(|b| *b == b'\n') {
            let rest = self.partial.split_off(end + 1);
            let line = std::mem::replace(&mut self.partial, rest);
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if self.verbose {
                eprintln!("    {line}");
            }
            self.take(line);
        }
    }

    fn take(&mut self, line: String) {
        if line.is_empty() {
            return;
        }
        if line.contains("Kernel panic") {
            self.panic.get_or_insert_with(|| line.clone());
        }
        let mut words = line.split_whitespace();
        if let (Some(status @ ("PASS" | "FAIL" | "SKIP")), Some(check)) = (words.next(), words.next()) {
            self.verdicts.push((status.into(), check.into(), words.collect::<Vec<_>>().join(" ")));
        }
        if line.contains("init: modules loaded") {
            self.farewell = Some(line.clone());
        } else {
            self.alarms.take(&line);
        }
        self.last = line;
    }

    /// What init's last line has against the kernel: loaded modules, a taint, alarms in its log.
    pub fn complaints(&self, driver: Driver) -> Vec<String> {
        let (modules, taint) = match driver {
            Driver::Uio => ("modules loaded: none;", "taint 0;"),
            // Ours alone, and the taint of a module that is not of the kernel's tree.
            Driver::SvaTestdev => ("modules loaded: sva_testdev;", "taint 4096;"),
        };
        let mut found: Vec<String> =
            self.alarms.lines.iter().map(|a| format!("the guest's kernel complained: {a}")).collect();
        if let (true, Some(alarm)) = (found.is_empty(), self.alarms.first()) {
            found.push(format!("the guest's kernel complained, and its console showed nothing: {alarm}"));
        }
        if let Some(known) = self.alarms.known() {
            found.insert(0, known.to_string());
        }
        match &self.farewell {
            None => found.push("the guest's init did not say how the kernel ended up".into()),
            Some(line) => {
                if !line.contains(modules) {
                    found.push(format!("the guest has loaded other modules than it should: {line}"));
                }
                // A kernel without CONFIG_PROC_SYSCTL cannot say it; the console still shows what taints.
                if !line.contains(taint) && !line.contains("taint unknown") {
                    found.push(format!("the guest's kernel is tainted: {line}"));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_and_farewell() {
        let mut c = Console::follow("/nonexistent".into(), false);
        c.take("[    1.0] arm-smmu-v3 9050000.smmuv3: ias 48-bit, oas 48-bit".into());
        assert!(c.alarms.first().is_none());
        assert_eq!(c.complaints(Driver::Uio).len(), 1);
        c.take("init: modules loaded: none; taint 0; alarms in the kernel's log: 0".into());
        assert!(c.complaints(Driver::Uio).is_empty());
        c.take("[    2.0] WARNING: drivers/iommu/iommu.c:1 at foo+0x10/0x20, CPU#0: init/1".into());
        assert_eq!(c.complaints(Driver::Uio).len(), 1);
        c.take("init: modules loaded: x; taint 512; alarms in the kernel's log: 1".into());
        assert_eq!(c.complaints(Driver::Uio).len(), 3);
    }

    #[test]
    fn an_alarm_that_only_the_log_has_is_a_complaint() {
        let mut c = Console::follow("/nonexistent".into(), false);
        c.take("init: modules loaded: none; taint 0; alarms in the kernel's log: 1".into());
        c.take("init: kernel: [    2.0] WARNING: drivers/iommu/iommu.c:1 at foo+0x10/0x20".into());
        assert_eq!(c.complaints(Driver::Uio).len(), 1);
    }

    #[test]
    fn a_known_defect_comes_first_and_under_its_name() {
        let mut c = Console::follow("/nonexistent".into(), false);
        c.take("init: modules loaded: none; taint 0; alarms in the kernel's log: 1".into());
        c.take("[ 2.0] WARNING: drivers/iommu/io-pgfault.c:217 at iommu_report_device_fault+0x1/0x2".into());
        let complaints = c.complaints(Driver::Uio);
        assert_eq!(complaints.len(), 2);
        assert!(complaints[0].starts_with("a known defect, docs/findings.md: Linux"));
    }
}
