// SPDX-License-Identifier: GPL-2.0-or-later
//! Steps with a progress bar each, and a log file that is named when one fails.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use console::style;
use indicatif::{ProgressBar, ProgressStyle};

use crate::advice::advice;
use crate::place;

/// What finished steps have taken in all, in milliseconds.
static BUILT: AtomicU64 = AtomicU64::new(0);

/// How long this program has been building and fetching: the sum of all finished steps.
pub fn built() -> Duration {
    Duration::from_millis(BUILT.load(Ordering::Relaxed))
}

/// One step of the set-up: a line on the terminal and a log file.
pub struct Step {
    name: String,
    bar: ProgressBar,
    started: Instant,
    log: PathBuf,
    done: bool,
}

impl Step {
    /// Begins a step; `file` names its log below the cache's `logs/`.
    pub fn begin(name: &str, file: &str) -> Result<Self> {
        let dir = place::cache()?.join("logs");
        place::make_dir(&dir)?;
        let log = dir.join(format!("{file}.log"));
        File::create(&log).map_err(|e| write_error(&log, &e))?;
        let bar = ProgressBar::new_spinner();
        bar.set_style(spinner());
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Ok(Self { name: name.to_owned(), bar, started: Instant::now(), log, done: false })
    }

    /// Shows a few words after the name.
    pub fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }

    /// Shows a bar: `done` of `total`.
    pub fn progress(&self, done: u64, total: u64) {
        if self.bar.length() != Some(total) {
            self.bar.set_style(barred());
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }

    /// Ends the step well.
    pub fn finish(mut self, detail: &str) {
        self.done = true;
        self.bar.finish_and_clear();
        let took = self.started.elapsed();
        BUILT.fetch_add(u64::try_from(took.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let secs = took.as_secs_f32();
        eprintln!(
            "  {}    {:<34} {detail} {}",
            style("ok").green(),
            self.name,
            style(format!("({secs:.1} s)")).dim()
        );
    }

    /// The log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Runs a command with its output in the log; `[n/m]` at a line's start moves the bar.
    ///
    /// Fails with the log's name and its last lines when the command cannot start or fails.
    pub fn run(&self, command: &mut Command) -> Result<()> {
        self.run_counting(command, None)
    }

    /// As [`Self::run`], but where the tool does not count, every line is one of about `expected`.
    pub fn run_counting(&self, command: &mut Command, expected: Option<u64>) -> Result<()> {
        let mut log =
            fs::OpenOptions::new().append(true).open(&self.log).map_err(|e| write_error(&self.log, &e))?;
        writeln!(log, "$ {}", shell_words(command)).map_err(|e| write_error(&self.log, &e))?;
        let (reader, writer) = io::pipe().context("creating a pipe")?;
        command.stdin(std::process::Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = command.spawn().map_err(|e| self.cannot_start(command, &e))?;
        // The command still holds the pipe's writing end, and with it the reader would never see the end.
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut lines: u64 = 0;
        for line in BufReader::new(reader).split(b'\n') {
            let line = line?;
            // A full disk must not end the build silently: the command fails by itself, and is named.
            let _ = log.write_all(&line).and_then(|()| log.write_all(b"\n"));
            let line = String::from_utf8_lossy(&line);
            lines += 1;
            if let Some((done, total)) = counted(&line) {
                self.progress(done, total);
            } else if let Some(expected) = expected {
                self.progress(lines.min(expected), expected);
            } else {
                self.say(line.trim().chars().take(60).collect::<String>().as_str());
            }
        }
        let status = child.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(self.failed(&format!("{} ended with {status}", program(command))))
    }

    /// Appends a line to the log.
    pub fn note(&self, text: &str) {
        if let Ok(mut log) = fs::OpenOptions::new().append(true).open(&self.log) {
            let _ = writeln!(log, "{text}");
        }
    }

    fn cannot_start(&self, command: &Command, e: &io::Error) -> anyhow::Error {
        let name = program(command);
        advice(
            format!("{}: cannot start {name}: {e}", self.name),
            format!("install {name} (`cargo xtask doctor` lists what is missing)"),
        )
    }

    /// The step's error: what failed, the log's name, its last lines and what they point to.
    pub fn failed(&self, what: &str) -> anyhow::Error {
        let tail = place::tail(&self.log, 15);
        let text = tail.join("\n");
        let way_out = if text.contains("No space left on device") || text.contains("Disk quota exceeded") {
            "the disk is full: free some space, or put the cache elsewhere with QEMU_IOMMU_CACHE=DIR; the set-up resumes where it stopped"
        } else if [
            "Could not resolve",
            "Temporary failure",
            "Network is unreachable",
            "Connection refused",
            "NewConnectionError",
        ]
        .iter()
        .any(|s| text.contains(s))
        {
            "there is no network: check the proxy settings, or give the sources with --sources DIR"
        } else {
            "read the log, mend the cause and run the same command again: it resumes where it stopped"
        };
        advice(
            format!("{}: {what}\n    {}\n  log: {}", self.name, tail.join("\n    "), self.log.display()),
            way_out,
        )
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.done {
            self.bar.finish_and_clear();
            eprintln!("  {}  {}", style("FAIL").red(), self.name);
        }
    }
}

fn write_error(path: &Path, e: &io::Error) -> anyhow::Error {
    advice(
        format!("cannot write {}: {e}", path.display()),
        "free some space or make it writable, or put the cache elsewhere with QEMU_IOMMU_CACHE=DIR",
    )
}

/// `[12/345] …` as ninja prints it.
fn counted(line: &str) -> Option<(u64, u64)> {
    let (inside, _) = line.strip_prefix('[')?.split_once(']')?;
    let (done, total) = inside.split_once('/')?;
    Some((done.trim().parse().ok()?, total.trim().parse().ok()?))
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("  {spinner:.cyan}     {prefix:<34} {elapsed:>5} {wide_msg:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn barred() -> ProgressStyle {
    ProgressStyle::with_template(
        "  {spinner:.cyan}     {prefix:<34} {elapsed:>5} [{bar:30.cyan/dim}] {pos}/{len}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
    .progress_chars("=> ")
}

fn program(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

/// A command as a shell would take it.
pub fn shell_words(command: &Command) -> String {
    let mut words = vec![quote(&command.get_program().to_string_lossy())];
    words.extend(command.get_args().map(|a| quote(&a.to_string_lossy())));
    words.join(" ")
}

/// One word, quoted for a shell if it has to be.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,+@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A line of plain information on stderr.
pub fn info(text: &str) {
    eprintln!("  {}  {text}", style("note").cyan());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninja_lines_count() {
        assert_eq!(counted("[12/2350] Compiling C object a.c.o"), Some((12, 2350)));
        assert_eq!(counted("ninja: no work to do."), None);
        assert_eq!(counted("[ab/cd] x"), None);
    }

    #[test]
    fn quoting_is_minimal() {
        assert_eq!(quote("-device"), "-device");
        assert_eq!(quote("console=ttyAMA0 panic=-1"), "'console=ttyAMA0 panic=-1'");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }
}
