// SPDX-License-Identifier: GPL-2.0-or-later
//! What a person sees of a run.

use std::io::IsTerminal;
use std::time::Duration;

use console::{Style, style};

use crate::guest::{Outcome, Row, Status};

/// Prints rows as they come.
pub struct Table {
    detail: usize,
    live: bool,
}

fn console_width() -> usize {
    console::Term::stdout().size_checked().map_or(130, |(_, columns)| usize::from(columns))
}

/// Lines of at most `width` characters, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        lines.push(String::new());
        for word in paragraph.split(' ') {
            let Some(line) = lines.last_mut() else { continue };
            if line.is_empty() {
                line.push_str(word);
            } else if line.chars().count() + 1 + word.chars().count() <= width {
                line.push(' ');
                line.push_str(word);
            } else {
                lines.push(word.to_owned());
            }
        }
    }
    lines
}

const NAME: usize = 24;
const OUTSIDE: usize = 34;

impl Table {
    /// Prints the head.
    pub fn begin(title: &str) -> Self {
        let width = console_width();
        let detail = width.saturating_sub(NAME + OUTSIDE + 12).clamp(30, 64);
        println!("\n{}\n", style(title).bold());
        println!(
            "  {}",
            style(format!("{:<NAME$}  {:<4}  {:<detail$}  seen from outside", "check", "", "figure")).dim()
        );
        Self { detail, live: std::io::stdout().is_terminal() }
    }

    /// A check has begun.
    pub fn running(&self, name: &str) {
        if self.live {
            use std::io::Write;
            print!("  {name:<NAME$}  {}\r", style("…").cyan());
            let _ = std::io::stdout().flush();
        }
    }

    /// A check has ended.
    pub fn row(&self, row: &Row) {
        let colour = match row.status {
            Status::Pass => Style::new().green(),
            Status::Fail => Style::new().red().bold(),
            Status::Skip => Style::new().yellow(),
        };
        // A failure's reason is as important as its name; a figure is not.
        let words = if row.status == Status::Pass { Style::new() } else { colour.clone() };
        let figure = wrapped(&row.detail, self.detail);
        let outside =
            wrapped(&row.outside, OUTSIDE.max(console_width().saturating_sub(NAME + self.detail + 12)));
        for n in 0..figure.len().max(outside.len()).max(1) {
            let (name, status) = if n == 0 { (row.name.as_str(), row.status.name()) } else { ("", "") };
            let part = |lines: &[String]| lines.get(n).cloned().unwrap_or_default();
            let line = format!(
                "  {name:<NAME$}  {:<4}  {}  {}",
                colour.apply_to(status),
                words.apply_to(format!("{:<1$}", part(&figure), self.detail)),
                style(part(&outside)).dim()
            );
            println!("{}", line.trim_end());
        }
    }

    /// The closing words.
    pub fn end(&self, outcome: &Outcome) {
        println!();
        for problem in &outcome.problems {
            println!("  {} {problem}", style("!").red().bold());
        }
        let (passed, failed, skipped) =
            (outcome.count(Status::Pass), outcome.count(Status::Fail), outcome.count(Status::Skip));
        let mut words = format!("{passed} passed, {failed} failed");
        if skipped > 0 {
            words.push_str(&format!(", {skipped} skipped"));
        }
        let words = if outcome.is_good() { style(words).green().bold() } else { style(words).red().bold() };
        println!(
            "  {words}   {}",
            style(format!(
                "Linux {} ({} KiB pages), booted in {:.1} s, all in {:.1} s",
                if outcome.kernel.is_empty() { "?" } else { &outcome.kernel },
                outcome.page_size / 1024,
                outcome.booted,
                outcome.seconds
            ))
            .dim()
        );
    }
}

/// The closing lines over several machines.
pub fn sum<'a>(runs: impl Iterator<Item = (&'static str, &'a Outcome)>, took: Duration) {
    let (mut passed, mut failed, mut good) = (0, 0, true);
    println!();
    for (name, outcome) in runs {
        let (mark, colour) = match outcome.is_good() {
            true => ("passed", Style::new().green()),
            false => ("FAILED", Style::new().red().bold()),
        };
        println!("  {:<6}  {name}: {}", colour.apply_to(mark), outcome.summary());
        passed += outcome.count(Status::Pass);
        failed += outcome.count(Status::Fail);
        good &= outcome.is_good();
    }
    let words = format!("{passed} passed, {failed} failed");
    let words = if good { style(words).green().bold() } else { style(words).red().bold() };
    println!("  {words} on both architectures, {:.1} s", took.as_secs_f32());
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensibilities", 7), ["incomprehensibilities"]);
        assert_eq!(wrapped("", 7), Vec::<String>::new());
    }
}
