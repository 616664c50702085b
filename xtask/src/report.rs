// SPDX-License-Identifier: GPL-2.0-or-later
//! What a person sees of a run.

use std::io::IsTerminal;

use console::{Style, style};

use crate::guest::{Outcome, Row, Status};

/// Prints rows as they come.
pub struct Table {
    detail: usize,
    live: bool,
}

const NAME: usize = 22;

impl Table {
    /// Prints the head.
    pub fn begin(title: &str) -> Self {
        let width = console::Term::stdout().size_checked().map_or(120, |(_, columns)| usize::from(columns));
        let detail = width.saturating_sub(NAME + 8 + 36 + 6).clamp(30, 60);
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
        let detail = self.detail;
        let colour = match row.status {
            Status::Pass => Style::new().green(),
            Status::Fail => Style::new().red().bold(),
            Status::Skip => Style::new().yellow(),
        };
        let long = row.detail.chars().count() > detail;
        let first = if long && row.status != Status::Pass { "" } else { row.detail.as_str() };
        let line = format!(
            "  {:<NAME$}  {}  {:<detail$}  {}",
            row.name,
            colour.apply_to(row.status.name()),
            first,
            style(&row.outside).dim()
        );
        println!("{}", line.trim_end());
        if first.is_empty() && !row.detail.is_empty() {
            for line in row.detail.lines() {
                println!("  {:<NAME$}        {}", "", colour.apply_to(line));
            }
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
