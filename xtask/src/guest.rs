// SPDX-License-Identifier: GPL-2.0-or-later
//! One run of the guest's workload, confirmed from outside: the heart of `demo` and of most tests.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::advice::exit;
use crate::ordinary;
use crate::protocol::{Event, GO, Seen};
use crate::qmp::{Counters, Line, difference, sum};
use crate::session::{Console, Ended, Session};
use crate::vm::Machine;

/// A check's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The guest says so, and the counters confirm it.
    Pass,
    /// It did not hold.
    Fail,
    /// This machine cannot show it.
    Skip,
}

impl Status {
    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Skip => "SKIP",
        }
    }
}

/// One check.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its verdict.
    pub status: Status,
    /// The guest's figure, or why it failed.
    pub detail: String,
    /// What the counters say.
    pub outside: String,
    /// What the IOMMU counted meanwhile.
    pub counted: Counters,
    /// How long it took, in seconds.
    pub seconds: f32,
}

/// A whole run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The checks in order.
    pub rows: Vec<Row>,
    /// What is wrong beside the checks.
    pub problems: Vec<String>,
    /// The guest's kernel.
    pub kernel: String,
    /// Its page size in bytes.
    pub page_size: u64,
    /// Seconds from start to the guest's first word.
    pub booted: f32,
    /// Seconds altogether.
    pub seconds: f32,
    /// What the IOMMU has counted, when last looked at; empty for QEMU's own models.
    pub counters: Counters,
    /// How many stalls were open when the machine was switched to another QEMU, if it was.
    pub switched: Option<u64>,
    /// How many invalidations the IOMMU gave up while endpoints were silent, if they were made to be.
    pub given_up: Option<u64>,
    /// The exit code, [`exit`].
    pub code: u8,
}

impl Outcome {
    /// Whether every check passed or was skipped, at least one passed, and nothing else is wrong.
    pub fn is_good(&self) -> bool {
        self.code == exit::PASS
    }

    /// How many checks have a verdict.
    pub fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|r| r.status == status).count()
    }

    /// The names of the checks that failed.
    pub fn failed(&self) -> Vec<&str> {
        self.rows.iter().filter(|r| r.status == Status::Fail).map(|r| r.name.as_str()).collect()
    }

    fn problem(&mut self, code: u8, text: String) {
        if self.code == exit::PASS {
            self.code = code;
        }
        self.problems.push(text);
    }

    /// The result as JSON.
    pub fn to_json(&self, model: &str) -> Value {
        json!({
            "model": model,
            "qemu": crate::setup::qemu::VERSION,
            "kernel": self.kernel,
            "checks": self.rows.iter().map(|r| json!({
                "name": r.name,
                "status": r.status.name(),
                "detail": r.detail,
                "outside": r.outside,
                "seconds": (f64::from(r.seconds) * 100.0).round() / 100.0,
            })).collect::<Vec<_>>(),
            "problems": self.problems,
            "counters": self.counters,
            "seconds": (f64::from(self.seconds) * 10.0).round() / 10.0,
        })
    }

    /// One line for a list of runs.
    pub fn summary(&self) -> String {
        let mut text = format!("{} checks passed", self.count(Status::Pass));
        if self.count(Status::Skip) > 0 {
            text.push_str(&format!(", {} skipped", self.count(Status::Skip)));
        }
        let failed = self.failed();
        if !failed.is_empty() {
            text.push_str(&format!(", failed: {}", failed.join(" ")));
        }
        if let Some(problem) = self.problems.first() {
            text.push_str(&format!("; {}", problem.lines().next().unwrap_or_default()));
        }
        text
    }
}

/// How to run.
pub struct Options {
    /// Takes the logs.
    pub dir: PathBuf,
    /// The console's log.
    pub console: PathBuf,
    /// Give up after this time.
    pub timeout: Duration,
    /// Give up when the guest has said nothing for this time.
    pub silence: Duration,
    /// Show the console.
    pub verbose: bool,
    /// Save and restore on the way.
    pub switch: Option<Switch>,
    /// From the beginning of this check on the endpoints answer no invalidations, until the IOMMU has given some up.
    pub silent_from: Option<String>,
}

/// Saves the machine while a stall is open, and goes on with a second QEMU that restores it.
pub struct Switch {
    /// During this check.
    pub check: String,
}

impl Options {
    /// Everything in one directory, five minutes.
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            console: dir.join("console.log"),
            timeout: Duration::from_secs(300),
            silence: Duration::from_secs(100),
            verbose: false,
            switch: None,
            silent_from: None,
        }
    }
}

/// Told of every check as it begins (`None`) and ends.
pub type Listener<'a> = &'a mut dyn FnMut(&str, Option<&Row>);

/// Boots the machine, follows the guest's checks, confirms each from the counters.
///
/// # Errors
///
/// When QEMU cannot be started at all. What goes wrong later is in the outcome.
pub fn run(mut machine: Machine, options: &Options, listener: Listener<'_>) -> Result<Outcome> {
    let started = Instant::now();
    if machine.args.ordinary {
        machine.images = ordinary::prepare(&options.dir)?;
    }
    let endpoints: Vec<String> =
        machine.all_endpoint_ids().iter().map(|id| format!("/machine/peripheral/{id}")).collect();
    let _ = std::fs::remove_file(&options.console);
    let mut session = Session::start(machine.clone(), &options.dir, true)?;
    let mut run = Run {
        outcome: Outcome::default(),
        console: Console::follow(options.console.clone(), options.verbose),
        endpoints,
        open: None,
        started,
        done: false,
        carried: Sample::default(),
        machine,
    };
    let ended = run.follow(&mut session, options, listener);
    run.close(&mut session, ended);
    if run.machine.args.ordinary && run.outcome.is_good() {
        ordinary::remove(&options.dir);
    }
    run.outcome.seconds = started.elapsed().as_secs_f32();
    let _ = std::fs::write(options.dir.join("result.json"), format!("{:#}\n", run.outcome.to_json("")));
    Ok(run.outcome)
}

/// Samples of both sides.
type Sample = (Counters, Counters);

struct Run {
    outcome: Outcome,
    console: Console,
    endpoints: Vec<String>,
    open: Option<(String, Sample, Instant)>,
    started: Instant,
    done: bool,
    /// What a first QEMU had counted and its successor does not know of.
    carried: Sample,
    machine: Machine,
}

impl Run {
    /// Follows the guest until QEMU's end or until waiting longer makes no sense.
    fn follow(&mut self, session: &mut Session, options: &Options, listener: Listener<'_>) -> Option<Ended> {
        let mut heard = Instant::now();
        loop {
            self.console.poll();
            if let Some(switch) = options.switch.as_ref().filter(|_| self.outcome.switched.is_none())
                && self.open.as_ref().is_some_and(|(check, ..)| *check == switch.check)
            {
                match self.switch(session, options, listener) {
                    Ok(()) => {}
                    Err(e) => {
                        self.outcome.problem(exit::FAIL, format!("{e:#}"));
                        return None;
                    }
                }
            }
            if let Some(check) = &options.silent_from
                && let Err(e) = self.keep_silent(session, check)
            {
                self.outcome.problem(exit::FAIL, format!("{e:#}"));
                return None;
            }
            match self.next(session) {
                Ok(Some(event)) => {
                    heard = Instant::now();
                    if let Err(e) = self.take(event, session, listener) {
                        // QEMU's end explains it better, if it has ended.
                        if let Ok(Some(end)) = session.wait(Duration::from_secs(2)) {
                            return Some(end);
                        }
                        self.outcome.problem(exit::FAIL, format!("{e:#}"));
                        return None;
                    }
                    continue;
                }
                Ok(None) => {}
                Err(e) => self.outcome.problem(exit::FAIL, format!("{e:#}")),
            }
            match session.poll() {
                Ok(None) => {}
                Ok(Some(end)) => return Some(end),
                Err(e) => {
                    self.outcome.problem(exit::QEMU, e.to_string());
                    return None;
                }
            }
            let place = match &self.open {
                Some((check, ..)) => format!("in check {check}"),
                None if self.outcome.kernel.is_empty() => "before its workload began".to_owned(),
                None => "between checks".to_owned(),
            };
            if self.started.elapsed() > options.timeout {
                let text = format!(
                    "the time ({} s) was up {place}; the console's last line: {}",
                    options.timeout.as_secs(),
                    self.console.last
                );
                self.outcome.problem(exit::TIMEOUT, text);
                return None;
            }
            if heard.elapsed() > options.silence {
                let text = format!(
                    "the guest hung {place} ({} s without a word); the console's last line: {}",
                    options.silence.as_secs(),
                    self.console.last
                );
                self.outcome.problem(exit::TIMEOUT, text);
                return None;
            }
        }
    }

    fn next(&mut self, session: &mut Session) -> Result<Option<Event>> {
        let Some(control) = &mut session.control else {
            std::thread::sleep(Duration::from_millis(50));
            return Ok(None);
        };
        match control.next(Duration::from_millis(50))? {
            Line::Text(line) if line.is_empty() => Ok(None),
            Line::Text(line) => match serde_json::from_str(&line) {
                Ok(event) => Ok(Some(event)),
                Err(e) => anyhow::bail!("the guest sent a line that makes no sense ({e}): {line}"),
            },
            Line::Nothing => Ok(None),
            Line::Closed => {
                session.control = None;
                Ok(None)
            }
        }
    }

    fn take(&mut self, event: Event, session: &mut Session, listener: Listener<'_>) -> Result<()> {
        match event {
            Event::Hello { kernel, page_size, devices } => {
                self.outcome.kernel = kernel;
                self.outcome.page_size = page_size;
                self.outcome.booted = self.started.elapsed().as_secs_f32();
                if devices.is_empty() && self.machine.args.endpoints > 0 {
                    self.outcome.problem(exit::FAIL, "the guest found no sva-testdev".into());
                }
            }
            Event::Begin { check } => {
                listener(&check, None);
                let sample = self.sample(session)?;
                self.open = Some((check, sample, Instant::now()));
                answer(session)?;
            }
            Event::End { check, status, detail, claims } => {
                let row = self.verdict(session, check, &status, detail, &claims)?;
                if row.status == Status::Fail {
                    self.outcome.code = exit::FAIL;
                }
                listener(&row.name, Some(&row));
                self.outcome.rows.push(row);
                answer(session)?;
            }
            Event::Done { passed, failed, skipped } => {
                self.done = true;
                let all = passed.saturating_add(failed).saturating_add(skipped);
                if all != self.outcome.rows.len() as u64 {
                    let text =
                        format!("the guest counts {all} checks, {} were seen", self.outcome.rows.len());
                    self.outcome.problem(exit::FAIL, text);
                }
            }
            Event::Note { text } => crate::ui::info(&text),
        }
        Ok(())
    }

    fn verdict(
        &mut self,
        session: &mut Session,
        check: String,
        status: &str,
        detail: String,
        claims: &Map<String, Value>,
    ) -> Result<Row> {
        let Some((begun, before, at)) = self.open.take().filter(|(name, ..)| *name == check) else {
            return Ok(Row {
                name: check,
                status: Status::Fail,
                detail: "ended without having begun".into(),
                outside: String::new(),
                counted: Counters::new(),
                seconds: 0.0,
            });
        };
        // What is still under way (a killed process's last fault) gets a moment to come to its end.
        let deadline = Instant::now() + Duration::from_secs(2);
        let seen = loop {
            let after = self.sample(session)?;
            let seen =
                Seen { iommu: difference(&before.0, &after.0), endpoints: difference(&before.1, &after.1) };
            if seen.is_settled() || Instant::now() > deadline {
                break seen;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut objections = seen.objections(claims);
        let mut outside = seen.words(claims);
        if self.machine.args.ordinary
            && status == "PASS"
            && let Some((words, trouble)) = ordinary::look(&self.machine.images, &begun)
        {
            outside = format!("{outside}, {words}");
            objections.extend(trouble);
        }
        let (status, detail) = match status {
            "PASS" if objections.is_empty() => (Status::Pass, detail),
            "PASS" => {
                (Status::Fail, format!("the guest says PASS ({detail}), but {}", objections.join("; ")))
            }
            "SKIP" => (Status::Skip, detail),
            _ => (Status::Fail, detail),
        };
        let seconds = at.elapsed().as_secs_f32();
        Ok(Row { name: begun, status, detail, outside, counted: seen.iommu, seconds })
    }

    fn sample(&mut self, session: &mut Session) -> Result<Sample> {
        // QEMU's C models have no counters; the endpoints always do.
        let paths = self.machine.iommu_paths();
        let units: Vec<Counters> =
            paths.iter().map(|path| session.qmp.stats(path).unwrap_or_default()).collect();
        let iommu = sum(&units);
        let endpoints = self.endpoints.iter().map(|e| session.qmp.stats(e)).collect::<Result<Vec<_>>>()?;
        let sample = (sum([&iommu, &self.carried.0]), sum([&sum(&endpoints), &self.carried.1]));
        self.outcome.counters = sample.0.clone();
        Ok(sample)
    }

    /// Makes the endpoints drop what they are told to and say nothing, from the beginning of a check on; and lets them
    /// answer again when the IOMMU has given up waiting a few times.
    fn keep_silent(&mut self, session: &mut Session, check: &str) -> Result<()> {
        const ENOUGH: u64 = 3;
        let began = self.open.as_ref().is_some_and(|(name, ..)| name == check);
        let answer = match self.outcome.given_up {
            None if began => false,
            Some(0) => {
                let (iommu, _) = self.sample(session)?;
                let late = iommu.get("device-tlb-timeouts").copied().unwrap_or(0);
                if late < ENOUGH {
                    return Ok(());
                }
                self.outcome.given_up = Some(late);
                true
            }
            _ => return Ok(()),
        };
        if !answer {
            self.outcome.given_up = Some(0);
        }
        for path in &self.endpoints {
            let arguments = json!({"path": path, "property": "x-answer-invalidations", "value": answer});
            session.qmp.execute("qom-set", arguments)?;
        }
        Ok(())
    }

    /// Stops the machine; if a stall is open, goes on with a second QEMU, else with this one.
    fn switch(&mut self, session: &mut Session, options: &Options, listener: Listener<'_>) -> Result<()> {
        session.qmp.execute("stop", json!({}))?;
        // What the guest has already said is in the first QEMU's socket.
        if let Some(event) = self.next(session)? {
            session.qmp.execute("cont", json!({}))?;
            return self.take(event, session, listener);
        }
        let before = self.sample(session)?;
        let open = Seen { iommu: before.0.clone(), endpoints: before.1.clone() }.open();
        if open == 0 {
            session.qmp.execute("cont", json!({}))?;
            return Ok(());
        }
        let state = options.dir.join("state");
        session.qmp.execute("migrate", json!({"uri": format!("file:{}", state.display())}))?;
        session.qmp.wait_migrated(Duration::from_secs(120))?;
        session.quit();
        // The first QEMU's console log would be overwritten.
        let second = options.console.with_extension("2.log");
        self.console.poll();
        self.console.continue_in(second.clone());
        let mut machine = self.machine.clone();
        machine.console = crate::vm::Console::File(second);
        machine.incoming = Some(state.clone());
        let dir = options.dir.join("second");
        crate::place::make_dir(&dir)?;
        *session = Session::start(machine, &dir, true)?;
        session.qmp.wait_state("paused", Duration::from_secs(120))?;
        let _ = std::fs::remove_file(&state);
        let after = self.sample(session)?;
        self.carried = (lost(&before.0, &after.0), lost(&before.1, &after.1));
        self.outcome.switched = Some(open);
        session.qmp.execute("cont", json!({}))?;
        Ok(())
    }

    /// What the end says about the run.
    fn close(&mut self, session: &mut Session, ended: Option<Ended>) {
        let ended = match ended {
            Some(end) => Some(end),
            None => {
                session.quit();
                None
            }
        };
        self.console.poll();
        let o = &mut self.outcome;
        if let Some((check, _, at)) = self.open.take() {
            o.rows.push(Row {
                name: check,
                status: Status::Fail,
                detail: "did not come to its end".into(),
                outside: String::new(),
                counted: Counters::new(),
                seconds: at.elapsed().as_secs_f32(),
            });
            if o.code == exit::PASS {
                o.code = exit::FAIL;
            }
        }
        if o.rows.is_empty() && !self.console.verdicts.is_empty() {
            // The guest's line is dead (its interrupts may be what is broken): its printed verdicts are better than none.
            o.problem(
                exit::FAIL,
                "the guest's line to the host did not work; the verdicts are those on its console".into(),
            );
            for (status, name, detail) in &self.console.verdicts {
                let status = match status.as_str() {
                    "PASS" => Status::Pass,
                    "SKIP" => Status::Skip,
                    _ => Status::Fail,
                };
                o.rows.push(Row {
                    name: name.clone(),
                    status,
                    detail: detail.clone(),
                    outside: String::new(),
                    counted: Counters::new(),
                    seconds: 0.0,
                });
            }
        }
        if let Some(panic) = &self.console.panic {
            o.code = exit::PANIC;
            o.problems.push(format!("the guest's kernel panicked: {panic}"));
        }
        match ended {
            Some(Ended::Badly(words)) => {
                o.code = exit::QEMU;
                o.problems.push(words);
            }
            Some(Ended::Well) if !self.done && self.console.panic.is_none() => {
                let text = if o.kernel.is_empty() {
                    "the guest powered off before its workload said hello".to_owned()
                } else {
                    "the guest powered off before its workload was done".to_owned()
                };
                o.problem(exit::FAIL, format!("{text}; the console's last line: {}", self.console.last));
            }
            _ => {}
        }
        if self.done {
            for complaint in self.console.complaints(self.machine.args.driver) {
                o.problem(exit::FAIL, complaint);
            }
            if o.count(Status::Pass) == 0 && o.count(Status::Fail) == 0 {
                o.problem(exit::FAIL, "no check was made".into());
            }
        }
    }
}

/// What was counted before and is not known after: counters need not travel.
fn lost(before: &Counters, after: &Counters) -> Counters {
    before.iter().map(|(n, v)| (n.clone(), v.saturating_sub(after.get(n).copied().unwrap_or(0)))).collect()
}

fn answer(session: &mut Session) -> Result<()> {
    match &mut session.control {
        Some(control) => control.send(GO),
        None => anyhow::bail!("the guest's line is closed"),
    }
}
