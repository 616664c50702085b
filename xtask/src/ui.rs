// SPDX-License-Identifier: GPL-2.0-or-later
//! Steps with a progress bar each, and a log file that is named when one fails. Where no terminal shows the bar, lines say
//! when a long step began and how far it is.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
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
    pulse: Pulse,
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
        let pulse = if bar.is_hidden() { Pulse::of_step(name) } else { Pulse::none() };
        Ok(Self { name: name.to_owned(), bar, started: Instant::now(), log, done: false, pulse })
    }

    /// Shows a few words after the name.
    pub fn say(&self, text: &str) {
        self.pulse.reached(text);
        self.bar.set_message(text.to_owned());
    }

    /// Shows a bar: `done` of `total`.
    pub fn progress(&self, done: u64, total: u64) {
        if let Some(percent) = (done * 100).checked_div(total) {
            self.pulse.reached(&format!("{percent} %"));
        }
        if self.bar.length() != Some(total) {
            self.bar.set_style(barred());
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }

    /// Ends the step well.
    pub fn finish(mut self, detail: &str) {
        self.done = true;
        self.pulse.stop();
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
                self.pulse.reached(line.trim());
            } else if let Some(expected) = expected {
                self.progress(lines.min(expected), expected);
                self.pulse.reached(&format!("{lines} lines of about {expected}: {}", line.trim()));
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
            self.pulse.stop();
            self.bar.finish_and_clear();
            eprintln!("  {}  {}", style("FAIL").red(), self.name);
        }
    }
}

/// What lasts shorter than this says only that it has ended.
const LONG: Duration = Duration::from_secs(3);
/// How often what lasts says how far it is.
const EVERY: Duration = Duration::from_secs(60);
/// The most of a log's line that such a line repeats.
const WIDTH: usize = 90;

/// Lines about something long: that it has begun, and every minute how far it is.
pub struct Pulse {
    latest: Arc<Mutex<String>>,
    thread: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl Pulse {
    /// For a step, on stderr.
    fn of_step(name: &str) -> Self {
        Self::beating(name, Some(LONG), EVERY, |line| eprintln!("  {}    {line}", style("..").dim()))
    }

    /// For a test, whose own line comes when it has ended.
    pub fn of_test(name: &str) -> Self {
        if console::user_attended_stderr() {
            return Self::none();
        }
        Self::beating(name, None, EVERY, |line| eprintln!("{}  {line}", style("..  ").dim()))
    }

    /// Silent.
    fn none() -> Self {
        Self { latest: Arc::default(), thread: None }
    }

    /// Says by `print` that `name` has begun, once it has lasted for `long`, and how far it is after each `every`.
    fn beating(
        name: &str,
        long: Option<Duration>,
        every: Duration,
        print: impl Fn(&str) + Send + 'static,
    ) -> Self {
        let latest = Arc::new(Mutex::new(String::new()));
        let (stop, stopped) = mpsc::channel();
        let (name, reached, began) = (name.to_owned(), latest.clone(), Instant::now());
        let clock = place::utc_stamp();
        let thread = thread::spawn(move || {
            // The sender is dropped with the step: anything but a time-out is the end.
            let lasts = |time| stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if let Some(long) = long {
                if !lasts(long) {
                    return;
                }
                print(&format!("{name:<34} began at {} UTC", time_of(&clock)));
            }
            let mut beats = 0;
            loop {
                beats += 1;
                if !lasts((every * beats).saturating_sub(began.elapsed())) {
                    return;
                }
                let minutes = began.elapsed().as_secs() / 60;
                let far = reached.lock().unwrap_or_else(PoisonError::into_inner).clone();
                print(format!("{name:<34} {minutes} min: {far}").trim_end_matches([' ', ':']));
            }
        });
        Self { latest, thread: Some((stop, thread)) }
    }

    /// How far it is.
    fn reached(&self, text: &str) {
        if self.thread.is_some() && !text.is_empty() {
            *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = text.chars().take(WIDTH).collect();
        }
    }

    /// Returns when no further line can come.
    fn stop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `16:52:03` of `20261121-165203`.
fn time_of(stamp: &str) -> String {
    let digits = stamp.rsplit('-').next().unwrap_or_default();
    let pair = |n: usize| digits.get(n..n + 2).unwrap_or("??");
    format!("{}:{}:{}", pair(0), pair(2), pair(4))
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

    /// A pulse whose lines are kept.
    fn kept(long: u64, every: u64) -> (Pulse, Arc<Mutex<Vec<String>>>) {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let to = lines.clone();
        let ms = Duration::from_millis;
        let pulse = Pulse::beating("QEMU: build", Some(ms(long)), ms(every), move |line| {
            to.lock().unwrap().push(line.to_owned());
        });
        (pulse, lines)
    }

    fn wait_for(lines: &Mutex<Vec<String>>, count: usize) -> Vec<String> {
        for _ in 0..1000 {
            if lines.lock().unwrap().len() >= count {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        lines.lock().unwrap().clone()
    }

    #[test]
    fn what_is_long_says_when_it_began_and_how_far_it_is() {
        let (mut pulse, lines) = kept(1, 50);
        let begun = wait_for(&lines, 1);
        assert!(begun[0].starts_with("QEMU: build") && begun[0].ends_with(" UTC"), "{begun:?}");
        pulse.reached("[12/2350] Compiling a.c");
        let told = wait_for(&lines, 3);
        assert!(told[2].contains("0 min: [12/2350] Compiling a.c"), "{told:?}");
        pulse.stop();
        let count = lines.lock().unwrap().len();
        thread::sleep(Duration::from_millis(120));
        assert_eq!(lines.lock().unwrap().len(), count, "a line after the end");
    }

    #[test]
    fn what_is_short_says_nothing() {
        let (pulse, lines) = kept(60_000, 60_000);
        drop(pulse);
        assert!(lines.lock().unwrap().is_empty());
    }

    #[test]
    fn times_of_stamps() {
        assert_eq!(time_of("20261121-165203"), "16:52:03");
    }

    #[test]
    fn quoting_is_minimal() {
        assert_eq!(quote("-device"), "-device");
        assert_eq!(quote("console=ttyAMA0 panic=-1"), "'console=ttyAMA0 panic=-1'");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }
}
